"""What authors write out of habit, and how the language says it: signs, phrases, words, and words misspelt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from attrs import frozen

from doselang.syntax.lexer import DIGITS

# ---- signs ----

CURLY = "“”„‟«»″"
SINGLE = "'‘’‚‛`´′"
LONG_MINUS = "–—−‐‑‒―"

COMPARISONS = {
    ">=": "at least", "=>": "at least", "≥": "at least", "<=": "at most", "=<": "at most", "≤": "at most",
    ">": "more than", "<": "fewer than", "=": "exactly", "==": "exactly",
}  # fmt: skip

SIGNS = {
    ".": ("No statement ends with a full stop.", "Leave the full stop out."),
    ":": ("A colon is not written here.", "Leave the colon out."),
    ";": ("A semicolon is not written here.", "Join moves with `,` or `and`; begin a statement with its own word."),
    "&": ("`{}` is written `and`.", "Write `and`."),
    "&&": ("`{}` is written `and`.", "Write `and`."),
    "+": ("`{}` is written `and`.", "Write `and`."),
    "|": ("`{}` is written `or`.", "Write `or`."),
    "||": ("`{}` is written `or`.", "Write `or`."),
    "/": ("`/` is written `of`.", "Write for example `1 of 3`."),
    "!": ("`!` is written `not`.", "Write `not`, or a bound such as `at least 2`."),
    "≠": ("`≠` is written `not`.", "Write for example `not exactly 2 DLTs`."),
    "!=": ("`!=` is written `not`.", "Write for example `not exactly 2 DLTs`."),
    "-": ("A hyphen stands alone here.", "A negative label is written without a space, such as `level -1`."),
    "…": ("Something is left out here.", "Write it in full; `…` stands only in cited sentences."),
    "[": ("Square brackets are not written here.", "Group conditions with `(` and `)`."),
    "]": ("Square brackets are not written here.", "Group conditions with `(` and `)`."),
    "{": ("Braces are not written here.", "Leave them out; group conditions with `(` and `)`."),
    "}": ("Braces are not written here.", "Leave them out; group conditions with `(` and `)`."),
}
"""What is said about a sign, and what to write."""


def about_sign(sign: str) -> tuple[str, str]:
    """The message and the help for a sign that the language does not have."""
    if sign in SIGNS:
        message, help = SIGNS[sign]
        return message.format(sign), help
    if sign.isprintable() and not sign.isspace():
        few = sign if len(sign) <= 20 else f"{sign[:19]}…"
        return f"`{few}` is not a sign of the language.", "Leave it out, or say it in words."
    name = unicodedata.name(sign, "").lower()
    known = f"U+{ord(sign):04X}, {name}" if name else f"U+{ord(sign):04X}"
    return f"A sign that cannot be seen stands here ({known}).", "Delete it; between words write an ordinary space."


# ---- phrases ----


@frozen
class Phrase:
    """A phrase that authors use: its words, without articles, and what to write instead.

    `write` may use the groups of the pattern; `kind` tells phrases of which more must be said.
    """

    pattern: re.Pattern[str]
    write: str
    kind: str = "phrase"


NUMBER = rf"(\d+|{'|'.join(DIGITS)})"
OF = rf"((?: of(?: first| added)? {NUMBER})?)"

PHRASES = (
    (rf"{NUMBER} or (?:more|greater|higher|above|over|rather){OF}", r"at least \1\2", "phrase"),
    (rf"{NUMBER} or (?:fewer|less|lower|below|under){OF}", r"at most \1\2", "phrase"),
    (r"(?:no|not) (?:more|greater|higher) than", "at most", "phrase"),
    (r"(?:no|not) (?:fewer|less|lower) than", "at least", "phrase"),
    (r"(?:less|lower|smaller) than", "fewer than", "phrase"),
    (r"(?:greater|higher|larger) than", "more than", "phrase"),
    (r"(?<=rate is )(?:below|under)", "fewer than", "phrase"),
    (r"(?<=rate is )(?:above|over)", "more than", "phrase"),
    (r"not exceeding|(?<=rate is )not above", "at most", "phrase"),
    (r"up to", "at most", "phrase"),
    (r"(?:maximum|maximal|max)(?: of)?(?! level)", "at most", "phrase"),
    (r"(?:minimum|minimal|min)(?: of)?(?! level)", "at least", "phrase"),
    (r"equal to|equals", "exactly", "phrase"),
    (r"only (\d+)", r"exactly \1", "phrase"),
    (r"(?:at )?anytime|at all times|at every time|(?<!at )any time", "at any time", "phrase"),
    (r"out of", "of", "phrase"),
    (r"de escalate|deescalate|descalate", "de-escalate", "phrase"),
    (r"enroll (\d+)", r"enrol \1", "phrase"),
    (rf"expand {NUMBER}", "enrol 3 more", "expand"),
    (
        r"(?:previous|prior|preceding|former|last) (?:dose )?level|(?:dose )?level below",
        "the next lower level",
        "level",
    ),
    (r"(?:following|subsequent) (?:dose )?level|(?:dose )?level above", "the next higher level", "level"),
    (r"(?:current|same) (?:dose )?level", "this level", "level"),
    (r"(?:top|maximum|maximal|max) (?:dose )?level", "the highest level", "level"),
    (r"(?:bottom|minimum|minimal|min|first) (?:dose )?level", "the lowest level", "level"),
    (r"(?:starting|initial) (?:dose )?level", "the start level", "level"),
    (r"next lowest (?:dose )?level", "the next lower level", "level"),
    (r"(?:original|initial|assigned) dose(?: level)?", "the assigned level", "level"),
    (r"next level", "the next higher level", "level"),
    (r"dose level", "level", "phrase"),
    (r"per (?:dose )?level", "at a level", "phrase"),
    (r"(?:in|on) (this|next|lowest|highest|start|level)", r"at \1", "phrase"),
    (rf"of {NUMBER} first", r"of first \1", "phrase"),
    (rf"{NUMBER} patients more", r"\1 more patients", "phrase"),
    (r"within first cycle", "within cycle 1", "phrase"),
    (r"per part", "in the part", "phrase"),
    (r"is too? toxic", "is closed as too toxic", "phrase"),
    (r"else if|else|elseif|elsif|elif|otherwise", "", "else"),
    (r"if", "", "if"),
    (r"unless|except when|except", "and not", "phrase"),
    (r"in cycle (\d+)", r"within cycle \1", "phrase"),
)
"""Pattern, what to write, and kind; the first that fits is taken."""


@cache
def phrases() -> tuple[Phrase, ...]:
    """The phrases, made ready when the first fault is found."""
    return tuple(
        Phrase(re.compile(rf"(?<!\S)(?:{pattern})(?!\S)", re.IGNORECASE), write, kind)
        for pattern, write, kind in PHRASES
    )


def written_out(words: str) -> str:
    """The words with `three` as `3`, and `of first` as `of the first`."""
    digits = " ".join(str(DIGITS.get(word.lower(), word)) for word in words.split())
    return re.sub(r"\bof (?=first|added)", "of the ", digits)


def find_phrase(words: list[str], at: int) -> tuple[Phrase, str, int, int] | None:
    """A phrase that holds the word at `at`, or ends before it: with what to write, and its first and last word."""
    joined = " ".join(words)
    for phrase in phrases():
        for match in phrase.pattern.finditer(joined):
            first, last = joined.count(" ", 0, match.start()), joined.count(" ", 0, match.end())
            if first <= at <= last + 1:
                return phrase, written_out(match.expand(phrase.write)), first, last
    return None


NTH = {"second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6"}
"""How a condition says which toxicity is the one that matters, and how many there are then."""

PORTIONS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "tenth": 10}
"""Parts of all in words, and of how many parts each is one."""


def portion_of(word: str) -> int | None:
    """The 3 of `third` and `thirds`."""
    word = word.lower()
    return PORTIONS.get(word) or PORTIONS.get(word.removesuffix("s"))


# ---- words ----

STATEMENT_WORDS = {
    "title": "protocol", "study": "protocol", "trial": "protocol", "drug": "component", "agent": "component",
    "dose": "level", "doses": "level", "ladder": "level", "dlt": "toxicity", "adverse": "toxicity", "arm": "part",
    "phase": "part", "stage": "part", "cohort": "cohorts", "enrol": "accrue", "limit": "accrue", "committee": "body",
    "investigator": "body", "mtd": "verdict", "decision": "rule", "property": "claim", "invariant": "claim",
    "assert": "claim", "test": "example", "history": "example", "assumption": "assume", "let": "parameter",
    "param": "parameter", "constant": "parameter", "note": "background",
}  # fmt: skip

MOVE_WORDS = {
    "enroll": "enrol 3", "recruit": "enrol 3", "add": "enrol 3 more", "treat": "enrol 3", "expand": "enrol 3 more",
    "increase": "escalate", "raise": "escalate", "decrease": "de-escalate", "reduce": "de-escalate",
    "lower": "de-escalate", "repeat": "stay", "remain": "stay", "terminate": "stop", "end": "stop",
    "halt": "stop", "finish": "stop", "name": "declare this level as MTD", "select": "declare this level as MTD",
    "start": "begin", "go": "continue", "eliminate": "close this level as too toxic",
    "exclude": "close this level as too toxic", "move": "enter",
}  # fmt: skip
"""Words that may have been meant as another word of the language."""


@lru_cache(maxsize=4096)
def distance(first: str, second: str) -> int:
    """How many letters must be put in, left out, changed, or exchanged with a neighbour."""
    rows = [list(range(len(second) + 1))]
    for i, one in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (one != other))
            if i > 1 and j > 1 and one == second[j - 2] and first[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def near(word: str, known: Iterable[str]) -> list[str]:
    """The known words that `word` may be a misspelling of, the nearest first."""
    word = word.lower()
    if not 2 <= len(word) <= 30:
        return []
    close = [other for other in known if other != word and abs(len(other) - len(word)) <= _slips(word, other)]
    ranked = sorted((distance(word, other), other) for other in close)
    return [other for steps, other in ranked if steps <= _slips(word, other)]


def _slips(word: str, other: str) -> int:
    """How many slips of the pen may lie between two words: of two letters only their order may be wrong."""
    if len(word) == 2:
        return int(sorted(word) == sorted(other))
    return 1 if min(len(word), len(other)) < 5 else 2
