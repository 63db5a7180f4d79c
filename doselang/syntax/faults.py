"""From the place of a syntax fault to what is said about it: what was found, what was expected, what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from fractions import Fraction
from itertools import zip_longest

from lark import Token

from doselang.source import Span
from doselang.syntax.chances import CHANCE_HINTS
from doselang.syntax.going import GOING_HINTS
from doselang.syntax.habits import HABIT_HINTS, large_dose, phrase
from doselang.syntax.idioms import idiom
from doselang.syntax.lexer import offset
from doselang.syntax.phrases import MOVE_WORDS, STATEMENT_WORDS, near
from doselang.syntax.quotes import SIGN_HINTS
from doselang.syntax.rates import RATE_HINTS
from doselang.syntax.scene import MOST_AHEAD, Fault, Scene, shown, where
from doselang.syntax.shares import SHARE_HINTS
from doselang.syntax.sums import sum_of_toxicities
from doselang.syntax.tables import END
from doselang.syntax.wording import ENDINGS, FRIENDLY, NEW_STATEMENT, SENTENCES, expectation, groups, model, quoted

NOISE = frozenset((
    "STATE", "PART", "BODY", "EVENT", "TOXICITY", "VERDICT", "COMPONENT", "LEVEL", "PATIENT", "PATIENTS", "COHORT",
    "WHEN", "THEN", "AND", "OF", "AT", "IS", "TO", "IN", "COMMA", "RPAR",
))  # fmt: skip
"""Words that may be left out where they cannot stand; others probably mean something."""


def diagnose(scene: Scene, run_on: Scene | None = None) -> Fault:
    """What to say about a fault: the first hint that fits.

    `run_on` is the place where the faulty statement begins, if that is inside a line: perhaps it is none, and the
    fault is there, as in `stop toxicity is too high`.
    """
    if run_on is not None:
        fault = idiom(run_on) or phrase(run_on) or unquoted_sentence(run_on)
        if fault is not None:
            return fault
    for hint in HINTS:
        fault = hint(scene)
        if fault is not None:
            return fault
    return unexpected(scene)


# ---- sentences and names ----


def unquoted_sentence(scene: Scene) -> Fault | None:
    """A sentence without quotation marks, or none at all."""
    if "STRING" not in scene.expected or scene.at_end or scene.found.type in ("STRING", END):
        return None
    only = scene.expected <= {"STRING", "PATIENT"}
    runs_on = scene.last == "STOP" and scene.is_word
    known = near(scene.found, scene.keywords(scene.expected))
    if not only and (scene.opens_line or known or not (scene.found.type == "NAME" or runs_on)):
        return None
    what = SENTENCES.get(scene.last, "A sentence")
    word = scene.seen[-1].lower() if scene.seen else ""
    if only and (scene.opens_line or scene.reach("STRING") > 1):
        return scene.fault(f"{what} is missing.", f'Write `{word} "…"`.', where(scene.seen[-1]))
    stack = list(scene.stack)
    scene.grammar.step(stack, "STRING")
    ends = scene.grammar.accepts(stack) - scene.grammar.statements
    last = scene.found
    for token, following in zip_longest(scene.ahead, scene.ahead[1:]):
        new = token.type in scene.grammar.statements and following is not None and following.type == "STRING"
        if new or token.type in ends or token.type == "STRING" or (token.start_pos or 0) >= scene.line.end:
            break
        last = token
    span = where(scene.found, last)
    if scene.head in ("PART", "LADDER") and len(scene.seen) == 2:
        return _name_of_words(scene, span)
    write = f'{word} "{shown(scene.text[span.start : span.end], 60)}"' if scene.last in SENTENCES else '"…"'
    return scene.fault(f"{what} stands in quotation marks.", f"Write `{write}`.", span)


def _name_of_words(scene: Scene, span: Span) -> Fault:
    """`part accelerated titration`."""
    head, first = scene.head.lower(), scene.seen[1]
    title = shown(scene.text[offset(first) : span.end], 60)
    help = f'Write `{head} {"-".join(title.split())}`, or `{head} {first} "{title}"`.'
    return scene.fault("A name is one word; a title stands in quotation marks after it.", help, span)


def quoted_name(scene: Scene) -> Fault | None:
    """A name, letter or label in quotation marks."""
    if scene.found.type != "STRING" or "STRING" in scene.expected:
        return None
    inside = scene.found[1:-1].strip()
    kind = "LETTER" if "LETTER" in scene.expected and re.fullmatch("[A-Z]", inside) else "NAME"
    if scene.reach(kind, skip=1) < 1:
        return None
    name = inside if kind == "LETTER" else re.sub(r"[^A-Za-z0-9_]+", "-", inside).strip("-")
    what = "A letter" if kind == "LETTER" else "A name"
    help = f"Write `{shown(name)}`." if name[:1].isalpha() else "Write a name of letters, digits and hyphens."
    return scene.fault(f"{what} is written without quotation marks.", help)


def letter(scene: Scene) -> Fault | None:
    """`written t`, `written DLT`."""
    if "LETTER" not in scene.expected or scene.at_end:
        return None
    first = next((char for char in scene.found if char.isascii() and char.isalpha()), "T").upper()
    message = "Outcomes and events are written as one capital letter in a history."
    return scene.fault(message, f"Write for example `written {first}`.")


def reserved_word(scene: Scene) -> Fault | None:
    """A word of the language where a name stands."""
    if not scene.is_word or scene.found.type == "NAME" or "NAME" not in scene.expected or scene.at_end:
        return None
    if "NOT" in scene.expected and scene.found.type in ("THEN", "WHEN", "AND", "OR"):
        return None  # these join conditions, and nobody would call something so
    gain = scene.reach("NAME", skip=1)
    others = [scene.reach(kind) for kind in inserted(scene)]
    if gain < 1 or gain < max([scene.reach(skip=1), *others]):
        return None
    word = scene.found.lower()
    message = f"`{word}` is a word of the language and cannot be a name."
    return scene.fault(message, f"Try `{word}-a`.", code="DL104")


# ---- words misspelt, missing, or too many ----


def inserted(scene: Scene) -> frozenset[str]:
    """The kinds of words that may be missing."""
    return scene.expected - {END} - (scene.grammar.statements if scene.complete else frozenset())


def beginning(scene: Scene) -> Fault | None:
    """What stands where a statement begins, and begins none."""
    if not scene.complete or (scene.seen and not scene.outdented):
        return None
    word = scene.found.lower()
    words = scene.keywords(scene.expected)
    guesses = sorted(near(word, words), key=lambda guess: scene.reach(words[guess], skip=1) < 1)
    meant = STATEMENT_WORDS.get(word)
    if not guesses and meant and scene.reach(words[meant], skip=1) > len(scene.ahead):
        guesses = [meant]
    if guesses:
        return scene.fault(f"No statement begins with {quoted(scene.found)}.", f"Did you mean `{guesses[0]}`?")
    if scene.found.type in ("WHEN", "THEN", "OVERRIDES") or word in MOVE_WORDS or _is_move(scene):
        help = 'Write `rule "a name"`, then `when`, a condition, `then` and moves.'
        return scene.fault(f"{quoted(scene.found)} stands in a rule, and no rule begins here.", help)
    what = "a sentence in quotation marks" if scene.found.type == "STRING" else quoted(scene.found)
    help = "A statement begins with its word, such as `level`, `toxicity`, `part` or `rule`."
    if not scene.seen:
        help += " The first is usually `protocol`."
    return scene.fault(f"No statement begins with {what}.", help)


def _is_move(scene: Scene) -> bool:
    after_then = scene.grammar.walk(["RULE", "STRING", "WHEN", "NAME", "THEN"])
    return scene.found.type in scene.grammar.accepts(after_then) - {"NAME"}


def unfinished(scene: Scene) -> Fault | None:
    """A statement that ends too early."""
    if scene.complete or not scene.at_end or not scene.seen:
        return None
    help = _ending(scene, scene.expected)
    last = scene.seen[-1]
    if scene.expected == {"STRING"} and scene.last in SENTENCES:
        return scene.fault(f"{SENTENCES[scene.last]} is missing.", f'Write `{last.lower()} "…"`.', where(last))
    if help:
        return scene.fault(f"The `{scene.seen[0].lower()}` statement is not finished.", help, where(last))
    message = (
        f"The `{scene.seen[0].lower()}` statement is not finished: after {quoted(last)} must come {expectation(scene)}."
    )
    return scene.fault(message, help or model(scene), where(last))


def misspelt(scene: Scene) -> Fault | None:
    """A word of the language misspelt: the one found, or the one before it that was taken for a name."""
    if not scene.is_word:
        return None
    words = scene.keywords(scene.expected)
    guesses = sorted(near(scene.found, words), key=lambda word: -scene.reach(words[word], skip=1))
    exact = scene.found.type != "NAME"
    if guesses and (not exact or scene.reach(words[guesses[0]], skip=1) > 0 or guesses[0] + "s" == scene.found.lower()):
        return _did_you_mean(scene, scene.found, guesses[0])
    if scene.seen:
        words = scene.keywords(scene.grammar.accepts(scene.stacks[1]))
        earlier = sorted(near(scene.seen[-1], words), key=lambda word: -scene.reach(words[word], back=1))
        if earlier and scene.reach(words[earlier[0]], back=1) > 0:
            return _did_you_mean(scene, scene.seen[-1], earlier[0])
    if "ESCALATE" in scene.expected and scene.found.lower() in MOVE_WORDS:
        return _did_you_mean(scene, scene.found, MOVE_WORDS[scene.found.lower()])
    return None


def _did_you_mean(scene: Scene, token: Token, word: str) -> Fault:
    known = token.lower() in scene.grammar.lexer.words
    message = f"{quoted(token)} cannot stand here." if known else f"{quoted(token)} is not a word of the language."
    return scene.fault(message, f"Did you mean `{word}`?", where(token))


def missing(scene: Scene) -> Fault | None:
    """A word left out: with it, reading would go on."""
    if scene.found.type == END or not scene.seen or scene.at_end:
        return None
    gains = {kind: scene.reach(kind) for kind in inserted(scene)}
    best = max(gains.values(), default=0)
    kinds = sorted(kind for kind, gain in gains.items() if gain == best)
    literal = [kind for kind in kinds if kind in scene.grammar.spelled and kind not in ("LEVELS", "COHORTS")]
    whole = best > len(scene.ahead) + 1 or len(scene.ahead) == MOST_AHEAD
    if best < 2 or best < scene.reach(skip=1) or len(literal) > 2 or (set(literal) & {"AND", "OR"} and not whole):
        return None
    if not literal and scene.found.type in scene.grammar.statements:
        return None
    if literal == ["EXACTLY"] and "AT" in scene.expected:
        found = _rate_or_number(scene)
        help = f"Write `at least {found}`, `at most {found}` or `exactly {found}`."
        return scene.fault(f"It is not said how `{found}` is compared.", help)
    if literal == ["PERCENT"] and scene.last == "NUMBER":
        number = scene.seen[-1]
        if re.compile(r"\d+,\d+(?!\d*[.,]\d)").match(scene.text, number.start_pos or 0):
            span = where(number, scene.ahead[0])
            help = f"Write `{number}.{scene.ahead[0]}%`, or put a space after a comma between two rates."
            return scene.fault(f"`{number},{scene.ahead[0]}` is not one number.", help, span)
        value = Fraction(str(number)) * 100 if "." in number and Fraction(str(number)) < 1 else Fraction(str(number))
        help = f"Write `{float(value):g}%`."
        return scene.fault("Rates are written as percentages.", help, where(number))
    spelled = [scene.grammar.spelled[kind] for kind in literal]
    if not spelled:
        names = [name for name in groups(scene)[0] if name != NEW_STATEMENT] or [
            FRIENDLY[kind] for kind in kinds if kind in FRIENDLY
        ]
        what = names[0][0].upper() + names[0][1:]
        return scene.fault(f"{what} is missing before {quoted(scene.found)}.", None)
    what = " or ".join(f"`{word}`" for word in spelled)
    help = " or ".join(
        f"`{word} {shown(scene.found)}`" if word.isalpha() else f"`{word}` before it" for word in spelled
    )
    return scene.fault(f"{what} is missing before {quoted(scene.found)}.", f"Write {help}.")


def _rate_or_number(scene: Scene) -> str:
    """The number found, with its sign `%` or as the fraction it begins."""
    if scene.following == "PERCENT":
        return f"{shown(scene.found)}%"
    if scene.following == "SLASH" and len(scene.ahead) > 1:
        return f"{shown(scene.found)}/{shown(scene.ahead[1])}"
    return shown(scene.found)


def instead(scene: Scene) -> Fault | None:
    """Another word of the language in the place of one: with it, the rest could be read."""
    if not scene.is_word or not scene.seen or scene.at_end:
        return None
    words = scene.keywords(inserted(scene) - {"PATIENTS"})
    fit = [word for word, kind in words.items() if scene.reach(kind, skip=1) > max(len(scene.ahead), 1)]
    if len(fit) != 1:
        return None
    return scene.fault(f"{quoted(scene.found)} cannot stand here.", f"Write `{fit[0]}` instead.")


def superfluous(scene: Scene) -> Fault | None:
    """A word too many: without it, reading would go on."""
    gain = scene.reach(skip=1)
    again = bool(scene.seen) and scene.found.lower() == scene.seen[-1].lower()
    if not (again or scene.found.type in NOISE) or gain < (1 if not scene.ahead else 2):
        return None
    return scene.fault(f"{quoted(scene.found)} cannot stand here.", f"Leave {quoted(scene.found)} out.")


def unexpected(scene: Scene) -> Fault:
    """What is said where no hint fits."""
    after = f"after {quoted(scene.seen[-1])} can come" if scene.seen else "expected is"
    message = f"{quoted(scene.found)} cannot stand here; {after} {expectation(scene)}."
    kinds = scene.expected & {"WHEN", "NEVER", "BECAUSE"} if not scene.complete else ()
    help = _ending(scene, kinds)
    return scene.fault(message, help or model(scene))


def _ending(scene: Scene, kinds: Collection[str]) -> str | None:
    """What to add to a statement that ends too early; rates are assumed in scenarios alone."""
    if "AS" in kinds and scene.head == "USE" and len(scene.seen) == 2:
        name = scene.seen[1]
        return f'A design stands in quotation marks: `use "{name}"`. A method is given a name: `use {name} as model`.'
    return next(
        (text for kind, text in ENDINGS if kind in kinds and (kind != "CHANCE" or scene.head == "SCENARIO")), None
    )


HINTS: tuple[Callable[[Scene], Fault | None], ...] = (
    large_dose, idiom, sum_of_toxicities, *SIGN_HINTS, *RATE_HINTS, *CHANCE_HINTS, *SHARE_HINTS, *GOING_HINTS,
    *HABIT_HINTS, letter, quoted_name, unfinished, beginning, unquoted_sentence, reserved_word, misspelt, missing,
    superfluous, instead,
)  # fmt: skip
"""The first that fits is said."""
