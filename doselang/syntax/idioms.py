"""What protocols say in words that the language does not have, and how each is written here, or written round."""

from __future__ import annotations

import re
from functools import cache

from attrs import frozen
from lark import Token

from doselang.source import Span
from doselang.syntax.going import BEFORE_A_MOVE, ENROLMENT, HERE, PLACE, body_of, in_course, place_words
from doselang.syntax.lexer import DIGITS, offset
from doselang.syntax.phrases import NTH, written_out
from doselang.syntax.quotes import after_number
from doselang.syntax.scene import CONDITION_BEGINS, Fault, Scene, shown, where
from doselang.syntax.sums import DECLARED, singular

BOUND = r"(?P<bound>at least |at most |more than |fewer than |exactly )"
SOME = rf"{BOUND}?(?P<number>\d+)"
SPAN = r"(?P<low>\d+)(?:-| -| to | or |-to-|-or-)(?P<high>\d+)"
ON_A_LEVEL = rf"(?P<place>{PLACE}|level [\w-]+ recommends|(?!or )[\w-]+)"
NOT_OF = r"(?<!of )(?<!first )(?<!added )(?<!\d )"
SUFFER = r"(?:with|had|who have|who had|in whom|experienc\w+|suffer\w*|develop\w*|having|show\w*)"
TIME = r"(?P<time>\d+ (?:hours?|days?|weeks?|months?|cycles?))"
REACH = r"(?: (?:at|in|per|on|for)(?: each| every| any)? (?:dose )?(?P<reach>level|part))?"
BAND = r"\d+ to (?:days? )?(?P<last>\d+)"

VARYING = (
    "Where people choose, write `ask {body} to choose enrol {low} more or enrol {high} more`. Where the text leaves "
    "it open, write `parameter size is {low}  from {low} to {high}` and `{use}`, and check each with "
    "`--set size={high}`."
)
NO_RANDOM = (
    "Write each group as a part, one after the other, with an `assume` that says so. Chance decides for a whole "
    "cohort alone: `with chance 50% escalate, otherwise stay`."
)
REDUCTIONS = (
    "In the patient's course write a state for each, such as `state reduced-once` and `state reduced-twice`; a rule of "
    "the one enters the next: `enter reduced-twice at the next lower level`."
)
BAND_OF_DAYS = "A window is written by its length, not by its days."


@frozen
class Idiom:
    """A way of saying something: where it stands, its words without articles, and what is said about it.

    `message` and `help` are filled with the groups of the pattern and with what the file declares.
    """

    section: str
    pattern: re.Pattern[str]
    message: str
    help: str


USUAL = {"alone": "14 days", "watched": "28 days"}
MOST_BEFORE = 60
"""So many words before a fault are looked at; no idiom is as long."""

NO_STATEMENT, NO_MOVE = "No statement begins with `{first_word}`.", "`{found}` is not a move of the language"

IDIOMS = (
    # ---- statements ----
    (
        "statement",
        rf"^(?:stagger(?:ed|ing)?|sentinels)(?:(?: of| by| for)? {TIME})?",
        NO_STATEMENT,
        "Write in the part `sentinel of each new level for {alone}`: its first patient is treated alone.",
    ),
    (
        "statement",
        r"^(?:(?:dose-limiting )?(?:(?:dlt|toxicity|tox) )?(?:window|(?:observation|evaluation) period)"
        rf"|dose-limiting toxicit(?:y|ies))(?:(?: of| is| within)? {TIME})?",
        NO_STATEMENT,
        "Write `toxicity DLT  within {watched}`: a toxicity is declared with its window.",
    ),
    (
        "statement",
        r"^(?:in|non-)?evaluable",
        NO_STATEMENT,
        'Write `evaluability means "…"`: who is evaluable. Others are replaced by `replace inevaluable patients`.',
    ),
    (
        "statement",
        r"^(?:stratum|strata|subgroup)",
        NO_STATEMENT,
        "Write a `ladder` for levels of their own, and a `part` for rules of their own; one part runs at a time.",
    ),
    ("statement", rf"^cohorts of {SPAN}", "Cohorts have one size.", VARYING),
    ("statement", r"^cohort(?: of|s)? sizes?", NO_STATEMENT, "Write `cohorts of 3` in the part."),
    (
        "statement",
        r"^(?:(?:maximum|maximal|max|total|overall) )?sample size(?: (?:of|is))?(?: (?P<number>\d+))?"
        rf"|^(?:maximum|maximal|max|total)(?: number)?(?: of)?(?: (?P<most>\d+))?(?: patients)?(?! (?:dose )?level)"
        rf"{REACH}",
        NO_STATEMENT,
        "Write in the part `accrue at most {number} {reached}`.",
    ),
    (
        "statement",
        r"^accrue (?:about|approximately|around|up to|(?:no|not) more than|a total of)?(?: ?(?P<number>\d+))"
        rf"(?: patients)?{REACH}",
        "A limit of accrual is a number that is not passed.",
        "Write in the part `accrue at most {number} {reached}`.",
    ),
    (
        "statement",
        r"^(?:single|one|1)[- ]patient cohorts?",
        NO_STATEMENT,
        "Write `cohorts of 1` in the part.",
    ),
    (
        "statement",
        r"^(?P<name>accelerated titration|dose escalation|dose expansion|escalation phase|expansion phase|run-in)",
        NO_STATEMENT,
        "Write `part {hyphened}`, and below it `cohorts of 3` and the rules.",
    ),
    (
        "statement",
        r"^intermediate (?:dose )?level (?P<name>[\w-]+)",
        NO_STATEMENT,
        "Write `level {name}`, or `level {name}  off-ladder` where no step is to lead there.",
    ),
    (
        "statement",
        r"^(?:starting|initial) (?:dose|level)(?: level)?(?: (?:is|at|of))?(?: (?:dose )?level)?"
        r"(?: (?P<first>[\w-]+))?",
        NO_STATEMENT,
        "Write `start at level {start}`.",
    ),
    (
        "statement",
        r"^target(?: (?:toxicity|dlt))?(?: (?:rate|probability|level))?(?: (?:of|is))?(?: (?P<rate>\d+(?:\.\d+)?) %)?",
        NO_STATEMENT,
        "Write `parameter target is {rate}%`, and tell it to the method: `use boin as boundaries with target target`.",
    ),
    (
        "statement",
        r"^(?:schedule|regimen) (?P<name>[\w-]+)",
        NO_STATEMENT,
        "Write `ladder {name}`: the levels below it are a ladder of their own.",
    ),
    (
        "statement",
        r"^(?:select .* by )?isotonic(?: regression)?",
        NO_STATEMENT,
        "Write `use isotonic as estimate with target {target}`, and a rule: `when … and estimate recommends a level "
        "then declare the level estimate recommends as MTD`.",
    ),
    (
        "statement",
        r"^randomi[sz]\S*(?: \d+)?(?: patients)?",
        "No patient is randomised between levels, or parts.",
        NO_RANDOM,
    ),
    (
        "statement",
        r"^(?:at most|no more than|not more than|up to|maximum of|maximum) \d+ (?:dose )?reductions?",
        "A patient's dose reductions are not counted.",
        REDUCTIONS,
    ),
    (
        "toxicity",
        r"^toxicity (?P<name>[a-z]\w*) (?P<grade>\d)(?: or (?:higher|more|worse|above))?",
        "A name is one word.",
        "Write `toxicity {name}-{grade}`; what it is stands after `means`.",
    ),
    (
        "toxicity",
        rf"in later cycles (?:(?:within|from|on|between) )?days? {BAND}",
        BAND_OF_DAYS,
        "Write `within {last} days`, counted from the first day of treatment as any window; those that come while the "
        "window of the first toxicity runs are not meant.",
    ),
    (
        "toxicity",
        r"(?:(?:within|from|on|between) )?days? (?:0|1) to (?:days? )?(?P<last>\d+)",
        BAND_OF_DAYS,
        "Write `within {last} days`.",
    ),
    (
        "toxicity",
        rf"(?:(?:within|from|on|between) )?days? {BAND}",
        BAND_OF_DAYS,
        "Write `within {last} days`: a window begins with the treatment. What comes to patients who are known already "
        "is `in later cycles  within {last} days`.",
    ),
    # ---- conditions ----
    (
        "condition",
        rf"{BOUND}?(?P<count>\d+) of (?P<low>\d+) or (?P<high>\d+)(?: patients)? (?:has|have)"
        r" (?P<toxicity>[\w-]+)",
        "Patients of one number are counted at a time.",
        "Write `({bound}{count} of {low} patients {have} a {toxicity} or {bound}{count} of {high} patients {have} a "
        "{toxicity})`.",
    ),
    (
        "condition",
        rf"(?P<share>(?:{BOUND}?\d+|none|any|all) of (?:first |added )?\d+ patients?) {SUFFER} (?P<toxicity>[\w-]+)",
        "Of so many patients some have a toxicity.",
        "Write `{share} {have} a {toxicity}`.",
    ),
    (
        "condition",
        rf"{NOT_OF}{BOUND}?(?P<number>\d+) patients? (?:has|have|{SUFFER})"
        rf" (?P<toxicity>(?!no |any |been |completed )[\w-]+)(?P<scope> in [\w-]+| at {PLACE}| at [\w-]+)?",
        "Of how many patients?",
        "Write {so_many}, of all so far{here}{of_a_number}.",
    ),
    (
        "condition",
        rf"(?P<many>{BOUND}?\d+ |no |any )grade[ -](?P<grade>\d)(?: or (?:higher|more|worse|above))?"
        r"(?: (?:toxicit\w+|aes?|events?))?",
        "A condition asks for a toxicity that is declared.",
        "{class_of_grade}",
    ),
    (
        "condition",
        r"(?<!of )first (?P<toxicity>(?!\d)[\w-]+)",
        "A condition asks how many there are.",
        "Write `any {toxicity} in the part`, or `any {toxicity}` of this level alone; with `at any time` after the "
        "rule's name it is asked at once.",
    ),
    (
        "condition",
        rf"(?<!of )(?P<nth>{'|'.join(NTH)}) (?P<toxicity>(?!\d|of |dose |reduction)[\w-]+)",
        "A condition asks how many there are.",
        "Write `at least {nth} {toxicities} in the part`, or `at least {nth} {toxicities}` of this level alone; with "
        "`at any time` after the rule's name it is asked at once.",
    ),
    (
        "condition",
        rf"^{SOME} patients?"
        r"(?: (?:(?:were|are|have|have been) )?(?:treated|evaluable|accrued|entered|in total|completed [\w -]+?))?"
        r"(?= (?:at|in|and|or|then|\)) |$)",
        "Patients are `evaluable` (their outcome is known), `pending`, or `enrolled` (both).",
        "Write {so_many}.",
    ),
    (
        "condition",
        rf"{SOME} (?:dose )?reductions?|third (?:dose )?reduction",
        "A patient's dose reductions are not counted.",
        REDUCTIONS,
    ),
    # ---- moves ----
    (
        "move",
        r"stop (?:dose )?escalat\w+|(?:dose )?escalation (?:(?:is|will be) )?(?:stops?|ends?|stopped|ended)",
        f"{NO_MOVE}: escalation has stopped when no rule opens a higher level.",
        "If this level is too toxic, write `close this level with all above as too toxic`; otherwise leave it out. "
        "`stop` ends the whole trial.",
    ),
    (
        "move",
        rf"(?:eliminate|exclude|remove|drop|close) (?P<place>{PLACE})(?: ,)?(?: (?:and|with))?(?: all| any)?"
        r" (?:(?:higher|above)(?: dose)? levels?|(?:dose )?levels? above(?: it)?|higher doses?|those above|"
        r"(?<!all )above)",
        f"{NO_MOVE}.",
        "Write `close {place} with all above as too toxic`.",
    ),
    (
        "move",
        rf"(?:eliminate|exclude) (?P<place>{PLACE})",
        f"{NO_MOVE}.",
        "Write `close {place} as too toxic`.",
    ),
    (
        "any move",
        r"(?P<who>[a-z][\w-]*) (?:(?:may|will|can|should) )?(?:chooses?|decides?|selects?|determines?)",
        f"{NO_MOVE}.",
        "Write `ask {who} to choose`, and the moves in full: `ask {who} to choose escalate or stay`.",
    ),
    (
        "move",
        r"escalate by \d+(?:\.\d+)? ?%|(?:double|triple)(?: dose)?|(?:increase|raise)(?: dose)? by \d+(?:\.\d+)? ?%",
        f"{NO_MOVE}: each level has its own dose.",
        "Write `escalate`, or `escalate 2 levels` to pass over one. Doses are generated where levels are written, as "
        "`levels 1 to 8  drug from 40 by 100%`.",
    ),
    (
        "move",
        rf"(?:enrol|enroll|enter|treat|add)(?: (?:up to|between))? {SPAN}(?: more)?",
        "A move says exactly how many patients enter.",
        VARYING,
    ),
    (
        "move",
        r"(?P<verb>(?:(?:enrol|backfill) \d+(?: more)?(?: patients)?|begin [\w-]+|continue|enter [\w-]+) at)"
        rf"(?: {ON_A_LEVEL})? or (?:at )?(?:at )?(?:any |next )?(?P<side>below|lower|above|higher)"
        rf"(?: levels?)?(?: (?P<bottom>{PLACE}|level [\w-]+ recommends|[\w-]+))?",
        "A move names one level.",
        "Where people choose, write each: `ask {body} to choose {verb} {place} or {verb} {beside}`.",
    ),
    (
        "move",
        rf"(?P<verb>declare|close|begin [\w-]+ at|enrol \d+(?: more)?(?: patients)? at) {ON_A_LEVEL} or "
        rf"(?P<other>{PLACE}|[\w-]+)(?P<end> as (?!too)[\w-]+| as too toxic)?",
        "A move names one level.",
        "Where people choose, write each: `ask {body} to choose {verb} {place}{end} or {verb} {other}{end}`.",
    ),
    (
        "move",
        rf"(?:resume|restart|reopen)(?: (?:{ENROLMENT}|trial|study))?(?: (?:at|on) {HERE})?",
        f"{NO_MOVE}: no move pauses a trial, and none resumes it.",
        "Say who enters next: `enrol 3 more`, `stay`, `escalate` or `de-escalate`.",
    ),
    (
        "move",
        r"randomi[sz]\S*(?: \d+)?(?: patients)?",
        f"{NO_MOVE}: no patient is randomised between levels, or parts.",
        NO_RANDOM,
    ),
    (
        "move",
        r"(?P<verb>begin [\w-]+|enrol \d+(?: more)?)(?: at)? (?:1|one) (?:dose )?levels? (?P<side>below|above)"
        rf" (?P<place>{PLACE}|[\w-]+)",
        "A level is named.",
        "Write `{verb} at {beside}`{on_another_ladder}.",
    ),
)
"""Where it stands, the pattern, what is said and what is to be written; the first that fits is taken."""

SECTIONS = {"THEN": "move", "WHEN": "condition"} | dict.fromkeys(
    ("NEVER", "ALWAYS", "EVENTUALLY", "REQUIRES"), "condition"
)
WINDOW = re.compile(r"^[ \t]*toxicity\s[^\n]*?(within (?:cycle \d+|\d+ \w+))", re.IGNORECASE | re.MULTILINE)
TARGET = re.compile(r"^[ \t]*parameter\s+target\s", re.IGNORECASE | re.MULTILINE)


@cache
def idioms() -> tuple[Idiom, ...]:
    """The idioms, made ready when the first fault is found."""
    return tuple(
        Idiom(section, re.compile(rf"(?<!\S)(?:{pattern})(?!\S)", re.IGNORECASE), message, help)
        for section, pattern, message, help in IDIOMS
    )


def idiom(scene: Scene) -> Fault | None:
    """A statement, condition or move in the words of a protocol."""
    sections, tokens, at = _clause(scene)
    if at > MOST_BEFORE:
        return None
    words = " ".join('"' if token[:1] == '"' else str(DIGITS.get(token.lower(), token)) for token in tokens)
    for known in idioms() if tokens else ():
        if known.section not in sections:
            continue
        for match in known.pattern.finditer(words):
            first, last = words.count(" ", 0, match.start()), words.count(" ", 0, match.end())
            begins = first == 0 or ("move" in known.section and tokens[first - 1].type in BEFORE_A_MOVE)
            if first <= at <= last + 1 and (begins or known.section in ("condition", "toxicity")):
                span = where(tokens[first], tokens[last])
                groups = _groups(scene, match, span)
                if "{beside}" in known.help and not groups["beside"]:
                    return None
                return scene.fault(known.message.format_map(groups), known.help.format_map(groups), span)
    return None


def _clause(scene: Scene) -> tuple[tuple[str, ...], list[Token], int]:
    """What the fault stands in, its words as far as they are looked at, and the place of the fault among them."""
    tokens = [*scene.seen, scene.found, *scene.ahead]
    last = next((token.type for token in reversed(scene.seen) if token.type in SECTIONS), "")
    if scene.fresh or not scene.seen:
        begun = len(scene.seen)
        sections: tuple[str, ...] = ("statement",)
    elif last == "":
        begun, sections = 0, ("statement", scene.head.lower())
    else:
        before = ("THEN",) if last == "THEN" else CONDITION_BEGINS
        begun = next(i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type in before)
        sections = (SECTIONS[last],) if last != "THEN" else ("any move", *(() if in_course(scene) else ("move",)))
    end = scene.line.end if last == "" else len(scene.text)
    return sections, [token for token in tokens[begun:] if offset(token) < end], len(scene.seen) - begun


def _groups(scene: Scene, match: re.Match[str], span: Span) -> dict[str, str]:
    """What a message may name: the groups of the pattern, and what the file declares."""
    groups = {name: value or "" for name, value in match.groupdict().items()}
    declared = [one[1] for one in DECLARED.finditer(scene.text)]
    window = WINDOW.search(scene.text)
    number = groups.get("number") or groups.get("most") or NTH.get(groups.get("nth", "").lower(), "")
    toxicity = singular(groups.get("toxicity", ""), declared)
    side = {"lower": "below", "higher": "above"}.get(groups.get("side", "").lower(), groups.get("side", "").lower())
    place = place_words(groups.get("place") or groups.get("bottom") or None, scene.text)
    share = groups.get("share", "")
    count = groups.get("count") or share.split(" of ")[0].split(" ")[-1]
    of = next((size for size in (3, 6, 12, 20) if int(number or 0) <= size), 100)
    noun = after_number(toxicity, number) if toxicity else "evaluable"
    bounds = [groups["bound"]] if groups.get("bound") else ["at least ", "exactly "]
    scope = re.sub(r" (?=(?:part|trial|cohort)$)", " the ", groups.get("scope", ""))
    scope = f" at {place_words(scope[4:], scene.text)}" if scope.startswith(" at ") else scope
    return groups | {
        "found": shown(scene.text[span.start : span.end]), "first_word": shown(match[0].split()[0]),
        "body": body_of(scene.text), "target": "target" if TARGET.search(scene.text) else "25%",
        "number": number or "30", "rate": groups.get("rate") or "25", "nth": number,
        "so_many": " or ".join(f"`{bound}{number} {noun}{scope}`" for bound in bounds), "share": written_out(share),
        "here": "" if scope else " at this level",
        "of_a_number": "" if scope else f"; of a number, such as `{groups.get('bound', '')}{number} of {of} patients`",
        "class_of_grade": _class_of_grade(groups, declared, window[1] if window else "within 28 days"),
        "reached": {"level": "at a level", "part": "in the part"}.get(groups.get("reach", "").lower(), "in the trial"),
        "start": groups.get("first") or "1", **{k: groups.get("time") or v for k, v in USUAL.items()},
        "hyphened": "-".join(groups.get("name", "").lower().split()),
        "toxicity": toxicity, "toxicities": after_number(toxicity or "DLT", number),
        "have": "has" if count in ("1", "none", "any") else "have",
        "place": place, "other": place_words(groups.get("other") or None, scene.text),
        "beside": _beside(place, side), "side": side,
        "on_another_ladder": _on_another_ladder(place, groups.get("verb", "")),
        "use": "cohorts of size" if scene.head == "COHORTS" else "enrol size more",
    }  # fmt: skip


def _beside(place: str, side: str) -> str:
    """The level right below or above another one; empty where no words name it.

    In parentheses `this level` is the level that is looked for, and so is what is next to it.
    """
    lower = side == "below"
    if place == "this level":
        return f"the next {'lower' if lower else 'higher'} level"
    if place.startswith("the next "):
        return "this level" if place.startswith("the next higher") == lower else ""
    return f"the {'highest' if lower else 'lowest'} level where (this level is {side} {place})"


def _on_another_ladder(place: str, move: str) -> str:
    """A level that a verdict names has neighbours on its own ladder alone: of another one each is named."""
    if place.endswith(" level") or place.startswith(("level ", "the level ")):
        return ""
    return (
        f"; on another ladder a case for each level, `when {place} is declared and {place} is level 3 then {move} at …`"
    )


def _class_of_grade(groups: dict[str, str], declared: list[str], window: str) -> str:
    """What to write for toxicities of a grade: the class of that name, which may have to be declared."""
    name, many = f"grade-{groups.get('grade', '')}", groups.get("many", "")
    write = f"rite `{many}{name}`"
    others = [one for one in declared if one.lower() != name]
    together = (
        f" A patient counts in one class alone: to count who has `{others[0]}` too, declare below them "
        f"`toxicity {name}-or-worse is {others[0]} or {name}`, and write `{many}{name}-or-worse`."
        if others else ""
    )  # fmt: skip
    if len(others) < len(declared):
        return f"W{write}.{together}"
    there = " and ".join(f"`{one}`" for one in declared) or "none"
    return f"Declare the class: `toxicity {name}  {window}  written G`, and w{write}. Declared are {there}.{together}"
