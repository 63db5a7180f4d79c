"""Faults of moves: how protocols say that a trial goes up, down or on, and the move that it is here."""

from __future__ import annotations

import re
from functools import cache

from doselang.source import Span
from doselang.syntax.lexer import offset
from doselang.syntax.phrases import NUMBER, written_out
from doselang.syntax.scene import Fault, Scene, shown, where

BEFORE_A_MOVE = frozenset(("THEN", "COMMA", "AND", "OR", "CHOOSE", "OTHERWISE", "MAY", "DEFAULT"))

LEVEL = r"(?:dose level|level|dose|cohort|step)"
GO = r"(?:go|move|step|proceed|advance|progress|climb|continue|return|drop|(?:de-|re-?)?escalate|open|start)"
TO = r"(?: (?:back|on|up|down))?(?: (?:to|at|with|onto|by|in))?"
HERE = r"(?:(?:this|same|current|present)(?: dose)? level|(?:this|same|current|present) dose)"
ENROLMENT = r"(?:enrol?lment|accrual|recruitment)"
KEEP, MORE = r"(?:hold|remain|stay|repeat|keep|maintain)", r"(?:more|additional|further|extra)"
PAUSED = rf"(?: {ENROLMENT}| trial| study| treatment| dosing)"
PAUSE = rf"(?:suspend|pause|interrupt){PAUSED}?|hold{PAUSED}"
PLACE = rf"(?:{HERE}|next (?:higher|lower) level|(?:lowest|highest|start) level|level [\w-]+|mtd)"
PATIENTS = r"(?: (?:evaluable )?patients?)?(?: in total| in all)?"

BODY = re.compile(r"^[ \t]*body\s+([A-Za-z][\w-]*)", re.IGNORECASE | re.MULTILINE)
VERDICT = re.compile(r"^[ \t]*verdict\s+([A-Za-z][\w-]*)", re.IGNORECASE | re.MULTILINE)
PART = re.compile(r"^[ \t]*part\s+([A-Za-z][\w-]*)", re.IGNORECASE | re.MULTILINE)
HEADER = re.compile(r"^[ \t]*(part|patient|state)\b", re.IGNORECASE | re.MULTILINE)

ENROL_AT = "Say how many patients enter there: `enrol 3 at level {}`."

NOT_FIXED = re.compile(rf"(?:up to|at most|at least|maximum(?: of)?|max|no more than|not more than) {NUMBER}(?!\S)")
IN_TURN = re.compile(
    r"(?:patients? )?(?:one (?:after (?:other|another)|by one|at time)|sequentially|consecutively)(?!\S)"
)

UP, DOWN, HERE_AGAIN = "up", "down", "here"

WAYS = (
    (rf"(?:re-?)?escalate(?: back)? (?:to|at) (?:assigned|original|initial|former|earlier) {LEVEL}", "back"),
    (rf"{GO}{TO} level (?!below|above)([\w-]+)", "at"),
    (rf"(de-escalate|escalate)(?: by)? (?!(?:one|1) ){NUMBER}(?: dose)? levels?", "steps"),
    (rf"de-escalate(?: back)? (?:to|at|by)(?: (?:next|lower|following|subsequent|one|1))*(?: {LEVEL})?", DOWN),
    (rf"{GO}{TO}(?: next)? (?:lower|previous|prior|preceding|last)(?: {LEVEL})?", DOWN),
    (rf"{GO}{TO} (?:dose )?level below|(?:next lower|lower|previous) {LEVEL}|(?:dose )?level below", DOWN),
    (rf"(?:go|move|step|climb|drop|dose) (?:down|back)(?: (?:one|1))?(?: {LEVEL})?", DOWN),
    (rf"(?:reduce|decrease|lower) {LEVEL}|de-escalate(?: (?:to|at|by))?(?: (?:one|1))? {LEVEL}", DOWN),
    (rf"(?:{PAUSE})|(?:stop|halt|close){PAUSED}? until", "pause"),
    (r"hold(?! (?:at|on|in|with|here|this|same|current|present|dose|level|cohort|step)(?!\S))", "hold"),
    (rf"(?:expand|enlarge|extend)(?: cohort)?(?: (?:at )?({PLACE}))? to {NUMBER}{PATIENTS}", "fill"),
    (rf"(?:expand|enlarge|extend) (?:cohort )?(?:at )?(?!cohort)([\w-]+) to {NUMBER}{PATIENTS}", "fill"),
    (rf"(?:expand|enlarge|extend)(?: cohort)?(?: (?:at )?({PLACE}))? (?:by|with) {NUMBER}{PATIENTS}", "more at"),
    (rf"{GO}{TO} {HERE}|{KEEP}(?: (?:at|on|in|with))?(?: {HERE}| {LEVEL}| here)?", HERE_AGAIN),
    (rf"continue {ENROLMENT}(?: (?:at|on) {HERE})?", HERE_AGAIN),
    (rf"{GO}{TO}(?: (?:next|higher|following|subsequent)){{1,2}}(?: {LEVEL})?", UP),
    (rf"{GO}{TO} (?:dose )?level above|(?:next|higher|next higher) {LEVEL}|(?:dose )?level above", UP),
    (rf"(?:go|move|step|climb) up(?: (?:one|1))?(?: {LEVEL})?|dose escalate|re-?escalate|re escalate", UP),
    (rf"(?:increase|raise) {LEVEL}|escalate(?: (?:to|at|by))?(?: (?:one|1))? {LEVEL}", UP),
    (rf"(?:enter|treat|add|recruit|accrue|include|enroll) {NUMBER} {MORE}(?: patients)?", "more"),
    (rf"stop (?:trial|study|{ENROLMENT})|(?:terminate|end|close) (?:trial|study)", "stop"),
    (r"go|move|proceed|advance|progress", "where"),
)
"""How moves are said, without articles, and which way that is; the first that fits is taken."""

IN_TRIAL = {
    UP: "Write `escalate`.",
    DOWN: "Write `de-escalate`.",
    HERE_AGAIN: "Write `enrol 3 more`, or `stay` for a cohort more.",
    "stop": "Write `stop`.",
    "back": "Say where patients enter: `enrol 3 at level 2`.",
    "where": "Say where patients enter: `escalate`, `de-escalate`, `enrol 3 more`, or `enrol 3 at level 2`.",
}
IN_COURSE = {
    UP: "Write `continue at the next higher level`; the header of the course says that the text permits it.",
    "back": "Write `continue at the assigned level`; the header of the course says that the text permits it.",
    DOWN: "Write `continue at the next lower level`.",
    HERE_AGAIN: "Write `continue`.",
    "pause": "Write a state of its own for such patients, and enter that.",
    "hold": "Write `continue`, or a state of its own for such patients, and enter that.",
}
"""What to write in a trial's rule, and in one of a patient's course."""


@cache
def ways() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The patterns, made ready when the first fault is found."""
    return tuple((re.compile(rf"(?:{pattern})(?!\S)"), way) for pattern, way in WAYS)


def how_many(scene: Scene) -> Fault | None:
    """`backfill up to 3 patients`, `enrol 2 patients one after the other`."""
    if [token.type for token in scene.seen if token.type in ("WHEN", "THEN")][-1:] != ["THEN"]:
        return None
    tokens = [scene.found, *scene.ahead[:8]]
    words = " ".join(token.lower() for token in tokens)
    turns = IN_TURN.match(words)
    if turns and scene.last in ("NUMBER", "PATIENTS", "PATIENT", "MORE"):
        help = (
            "`sentinel of each cohort for 14 days` in the part treats the first patient of a cohort alone. "
            "With `enrol 1 more`, or `cohorts of 1`, the rules are asked after every patient."
        )
        span = where(scene.found, tokens[turns[0].count(" ")])
        return scene.fault("In what order the patients of a cohort enter is not said in a move.", help, span)
    bound = NOT_FIXED.match(words)
    if bound is None:
        return None
    number = written_out(bound[1])
    if scene.last in ("ENROL", "BACKFILL", "TO", "WITH"):
        move = f"{scene.seen[-1].lower()} {number}{' patients' if scene.last == 'BACKFILL' else ''}"
    elif "TO" in scene.expected and any(token.type in ("FILL", "FILLING") for token in scene.seen):
        move = f"to {number}"
    else:
        return None
    help = f"Write `{move}`. A limit is a statement of the part, such as `accrue at most 6 patients at a level`."
    span = where(scene.found, tokens[bound[0].count(" ")])
    return scene.fault("A move says exactly how many patients enter.", help, span)


def going(scene: Scene) -> Fault | None:
    """`go to the next level`, `stay at this level`, `escalate to level 2`."""
    sections = [token.type for token in scene.seen if token.type in ("WHEN", "THEN")]
    if sections[-1:] != ["THEN"]:
        return None
    begun = next(i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type in BEFORE_A_MOVE)
    tokens = [*scene.seen[begun:], scene.found, *scene.ahead[:8]]
    words = " ".join(token.lower() for token in tokens)
    for pattern, way in ways():
        match = pattern.match(words)
        if match is not None:
            last = words.count(" ", 0, match.end())
            return _said(scene, way, match, where(tokens[0], tokens[last])) if last >= len(scene.seen) - begun else None
    return None


def _said(scene: Scene, way: str, match: re.Match[str], span: Span) -> Fault | None:
    """What to say about a move that goes this way."""
    course = in_course(scene)
    message = ""
    match way:
        case "at" | "steps" | "more" | "fill" | "more at" if course:
            return None
        case "pause" | "hold" if not course:
            message = "no move pauses a trial."
            help: str | None = _decided_by_people(scene, way)
        case "fill":
            place, number = place_words(match[1], scene.text), written_out(match[2])
            begun = f"begin {_next_part(scene)} filling {place} to {number}"
            further = "" if place == "this level" else f", or where a part begins `{begun}`"
            help = f"Write `fill {place} to {number}`{further}."
        case "more at":
            help = f"Write `enrol {written_out(match[2])} more{f' at {place_words(match[1])}' if match[1] else ''}`."
        case "at":
            help = ENROL_AT.format(match[1])
        case "steps":
            help = f"Write `{match[1]} {written_out(match[2])} levels`."
        case "more":
            help = f"Write `enrol {written_out(match[1])} more`."
        case _:
            help = (IN_COURSE if course else IN_TRIAL).get(way)
    found = shown(scene.text[span.start : span.end])
    message = f"`{found}` is not a move of the language{f': {message}' if message else '.'}"
    return None if help is None else scene.fault(message, help, span)


def _decided_by_people(scene: Scene, way: str) -> str:
    """What to write where a trial is to wait: nobody enters until those who are asked have chosen."""
    help = (
        f"Where people decide first, write `ask {body_of(scene.text)} to choose enrol 3 more or stop`: "
        "nobody enters until they have. To end the trial write `stop`."
    )
    if way == "hold":
        return f"{help} For more patients at this level write `enrol 3 more`. Pending patients are waited for anyhow."
    return help


def _next_part(scene: Scene) -> str:
    """The part that comes after the one under way, as the file names it."""
    later = PART.search(scene.text, offset(scene.seen[0]))
    return later[1] if later else "expansion"


def body_of(text: str) -> str:
    """Those who decide, as the file names them."""
    declared = BODY.search(text)
    return declared[1] if declared else "safety-committee"


def place_words(words: str | None, text: str = "") -> str:
    """The level that a move named, as the language says it; a verdict as the file spells it."""
    if words is None or re.fullmatch(HERE, words, re.IGNORECASE):
        return "this level"
    if re.fullmatch(r"level [\w-]+", words, re.IGNORECASE):
        return words
    spelled = {name.lower(): name for name in ("MTD", *VERDICT.findall(text))}
    return f"the {spelled.get(words.lower(), words)}"


def to_a_level(move: str, label: str) -> tuple[str, str]:
    """What is said about `escalate level 2`, and what to write."""
    return f"`{shown(move)} level {shown(label)}` is not a move of the language.", ENROL_AT.format(shown(label))


def in_course(scene: Scene) -> bool:
    """Whether the statement stands in a patient's course, by the header above it."""
    if scene.head == "EXAMPLE":
        return any(token.type == "PATIENT" for token in scene.seen[:2])
    headers = [header[1].lower() for header in HEADER.finditer(scene.text, 0, offset(scene.seen[0]))]
    return bool(headers) and headers[-1] != "part"


GOING_HINTS = (how_many, going)
"""The first that fits is said."""
