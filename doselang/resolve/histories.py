"""The spelling of histories in examples: `1NTN 1NNN 2TT`, and a patient's `2 . U 1 . (PU)`.

Only the spelling is read here; what a history leads to is the machine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from attrs import frozen

from doselang.diagnostics import Report
from doselang.resolve.names import Names, fold, listing
from doselang.source import Span
from doselang.syntax import nodes as syntax

_WORD = re.compile(r"\S+")
_NUMBER = re.compile(r"-?[0-9]+")
_CHOICES = re.compile(r"(?:\[[0-9]{1,4}\])+$")
_SIGN = re.compile(r"\.|[A-Za-z]|\([A-Za-z]*\)")

LONGEST = 10_000
"""A history may have so many characters."""

CHOICE_SHOWN = "What was chosen is shown by the level that comes next: `1 P 1 .`, where the patient goes on at level 1."
"""A patient's history has no numbers of choices."""

WITHOUT_TOXICITY = {"N": "no toxicity", ".": "pending", "n": "pending and clear so far", "x": "inevaluable"}


@frozen
class Spelling:
    """What histories are written with: the levels, the parts, and the letters of toxicities and events.

    `ladder_known` is false where the levels themselves are wrong.
    """

    levels: Names
    parts: Names
    toxicities: Set[str]
    events: Set[str]
    ladder_known: bool

    @property
    def ladder(self) -> str:
        return f"The levels are {listing(self.levels.spelled)}."


@frozen
class Fault:
    """What is wrong with a history, at which stretch of it, and what to write."""

    start: int
    end: int
    message: str
    help: str | None = None


def report_history(report: Report, spelling: Spelling, history: syntax.Text, of_patient: bool) -> None:
    """Report the first fault of each group of a history."""
    if len(history.value) > LONGEST:
        message = f"A history has at most {LONGEST:,} characters; this one has {len(history.value):,}."
        report.add("DL704", message, history.span, help="Write a shorter one.")
        return
    inner = history.span.start + 1
    exact = history.span.end - history.span.start == len(history.value) + 2
    for fault in (_patient if of_patient else _trial)(spelling, history.value):
        span = Span(inner + fault.start, inner + fault.end) if exact else history.span
        report.add("DL215", fault.message, span, help=fault.help)
    if not history.value.strip():
        needed = 'the assigned level and a sign a cycle: "2 . U"' if of_patient else 'a group a cohort: "1NTN 1NNN"'
        report.add("DL215", "The history is empty.", history.span, help=f"Write {needed}.")


# ---- of a trial ----


def _trial(spelling: Spelling, history: str) -> Iterator[Fault]:
    for word in _WORD.finditer(history):
        fault = _group(spelling, word[0], word.start())
        if fault is not None:
            yield fault


def _group(spelling: Spelling, group: str, start: int) -> Fault | None:
    """What is wrong with a group: part, level, letters, and the options that people chose."""
    part, slash, rest = group.partition("/")
    if not slash:
        part, rest = "", group
    elif spelling.parts.find(part) is None and len(spelling.parts):
        near = spelling.parts.suggestion(part)
        help = f"Did you mean `{near}/{rest}`?" if near else spelling.parts.existing()
        return Fault(start, start + len(part), f"There is no part `{part}`.", help)
    at = start + len(part) + len(slash)
    choices = _CHOICES.search(rest)
    if choices is not None:
        rest = rest[: choices.start()]
        if any(int(number) == 0 for number in re.findall(r"\d+", choices[0])):
            span = at + len(rest), at + len(rest) + len(choices[0])
            return Fault(*span, "Options are counted from 1.", "Write the number of the option that was chosen.")
    length = _label_length(spelling, rest)
    if length is None:
        return _wrong_level(spelling, rest, at)
    letters = rest[length:]
    if not letters:
        message = "The group has no patient."
        return Fault(at, at + len(rest), message, f"Write a letter a patient: {rest}NNN")
    fault = _letters(spelling, letters, at + length)
    return fault and (_missing_colon(spelling, rest, at) or fault)


def _label_length(spelling: Spelling, group: str) -> int | None:
    """How many characters the level takes, a colon included; None if it is no level."""
    label, colon, _ = group.partition(":")
    if colon:
        known = spelling.levels.find(label) is not None or not spelling.ladder_known
        return len(label) + 1 if known else None
    number = _NUMBER.match(group)
    if not spelling.ladder_known:
        return number.end() if number else len(group) - len(group.lstrip("0123456789-"))
    if number and spelling.levels.find(number[0]) is not None:
        return number.end()
    fitting = [
        name for name in spelling.levels.spelled
        if name[-1:].isdigit() and fold(group).startswith(fold(name)) and not group[len(name) : len(name) + 1].isdigit()
    ]  # fmt: skip
    return max(map(len, fitting), default=None)


def _wrong_level(spelling: Spelling, group: str, start: int) -> Fault:
    """Say what is wrong with the beginning of a group, which is no level."""
    if colon := _missing_colon(spelling, group, start):
        return colon
    number = _NUMBER.match(group)
    label = group.partition(":")[0] if ":" in group else number[0] if number else ""
    if not label:
        return Fault(start, start + len(group), "A group begins with its level.", spelling.ladder)
    near = spelling.levels.suggestion(label)
    help = f"Did you mean `{near}`? {spelling.ladder}" if near else spelling.ladder
    return Fault(start, start + len(label), f"There is no level `{label}` on the ladder.", help)


def _missing_colon(spelling: Spelling, group: str, start: int) -> Fault | None:
    """Whether a group begins with a label that ends in a letter, without the colon."""
    meant = [name for name in spelling.levels.spelled if ":" not in group and fold(group).startswith(fold(name))]
    label = max((name for name in meant if not name[-1:].isdigit()), key=len, default=None)
    if label is None:
        return None
    message = f"The label of level `{label}` ends in a letter, and a colon must follow it."
    return Fault(start, start + len(group), message, f"Write: {label}:{group[len(label) :] or 'NNN'}")


def _letters(spelling: Spelling, letters: str, start: int) -> Fault | None:
    """The first letter that stands for nothing."""
    for offset, letter in enumerate(letters):
        if letter in spelling.toxicities or letter in WITHOUT_TOXICITY:
            continue
        span = (start + offset, start + offset + 1)
        if letter.upper() in spelling.toxicities:
            return Fault(*span, f"Toxicities are written in capitals, not `{letter}`.", f"Write: {letter.upper()}")
        if letter == "X":
            return Fault(*span, "An inevaluable patient is written with a small x.", "Write: x")
        if letter in ",;":
            return Fault(*span, "Cohorts stand apart by spaces.", 'Write for example "1NTN 1NNN".')
        if letter in "[]":
            return Fault(*span, "The option that people chose stands in square brackets at the end.", "Write: 1NNN[2]")
        known = ", ".join(f"`{one}`" for one in sorted(spelling.toxicities))
        others = ", ".join(f"`{sign}` {meaning}" for sign, meaning in WITHOUT_TOXICITY.items())
        help = f"Letters of toxicities: {known}. Others: {others}."
        return Fault(*span, f"`{letter}` is not the letter of an outcome.", help)
    return None


# ---- of a patient ----


def _patient(spelling: Spelling, history: str) -> Iterator[Fault]:
    for number, word in enumerate(_WORD.finditer(history)):
        fault = _assigned(spelling, word) if number == 0 else _cycle(spelling, word)
        if fault is not None:
            yield fault


def _assigned(spelling: Spelling, word: re.Match[str]) -> Fault | None:
    if not spelling.ladder_known or spelling.levels.find(word[0]) is not None:
        return None
    message = f"A patient's history begins with the assigned level, and `{word[0][:40]}` is none."
    return Fault(word.start(), word.end(), message, f"{spelling.ladder} Write spaces between the level and each cycle.")


def _cycle(spelling: Spelling, word: re.Match[str]) -> Fault | None:
    """What is wrong with a level in between, or with the sign of a cycle."""
    text, where = word[0], (word.start(), word.end())
    if _CHOICES.search(text):
        return Fault(*where, "A patient's history has no numbers of choices.", CHOICE_SHOWN)
    if spelling.levels.find(text) is not None or (_NUMBER.fullmatch(text) and not spelling.ladder_known):
        return None
    if _NUMBER.fullmatch(text):
        return Fault(*where, f"There is no level `{text[:40]}` on the ladder.", spelling.ladder)
    if not _SIGN.fullmatch(text):
        apart = " ".join(_SIGN.findall(text)[:20])
        help = "Write `.` for no event, the letter of an event, or several in parentheses: (PU)"
        if len(apart) > 1:
            help = f'Write one sign a cycle, with spaces between: "{apart}"'
            if text.isalpha() and len(set(text)) == len(text):
                help += f"; events of one cycle in parentheses: ({text[:20]})"
        return Fault(*where, f"`{text[:40]}` is not the sign of one cycle.", help)
    letters = text.strip("().")
    unknown = next((letter for letter in letters if letter not in spelling.events), None)
    if unknown is not None:
        known = f"Letters of events: {', '.join(sorted(spelling.events))}."
        return Fault(*where, f"`{unknown}` stands for no event.", known if spelling.events else "There are no events.")
    if text == "()":
        return Fault(*where, "A cycle without event is written with a full stop.", "Write: .")
    if len(set(letters)) < len(letters):
        return Fault(*where, "An event is written once a cycle.", f"Write: ({''.join(dict.fromkeys(letters))})")
    return None
