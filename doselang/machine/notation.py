"""Histories in their notation, `1NNN 2TT`: reading, writing, and the shortest one to a state of an exploration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from attrs import evolve, field, frozen

from doselang.machine.exploring import Exploration
from doselang.machine.records import Arrival, Known, Worse
from doselang.machine.situations import Situations
from doselang.machine.states import ROLLING
from doselang.protocol.model import Protocol
from doselang.resolve.names import fold, listing, nearest
from doselang.source import NOWHERE, Span

NONE, INEVALUABLE, PENDING, CLEAR_SO_FAR = "N", "x", ".", "n"

Against = Literal["", "instead", "aside"]
"""Whether a group is against the rules: a cohort that they do not open, or patients who belong to no cohort."""

AGAINST: dict[str, Against] = {"!": "instead", "+": "aside"}
"""The sign before a group, by which a history says so."""

MOST_PATIENTS = 1_000
"""A history may have so many patients: no exploration goes further."""

_PLAIN_LABEL = re.compile(r"-?[0-9]+")
_GROUP = re.compile(r"\S+")
_CHOSEN = re.compile(r"\[([^\]]*)\]?")
_OPTION = re.compile(r"[1-9][0-9]{0,3}")
_HEAD = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|[A-Za-z][A-Za-z0-9_-]*|[^A-Za-z0-9]*")
_DASHES = str.maketrans("‐‑‒–—−", "------")


class HistoryError(Exception):
    """A history that cannot be read, or that the rules do not lead to; `start` and `end` are offsets in its text."""

    def __init__(self, message: str, start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


Moments = tuple[tuple[int, int | None], ...]


@frozen
class Group:
    """A cohort of a history: a letter for each patient, in order of becoming known.

    `letters` are `N`, the toxicities' letters, `.` pending, `n` pending and clear so far, `x` inevaluable. `chosen` are
    the options that people chose at its look, counted from 0 (in the notation from 1: `1NMN[2]`). `against` tells what
    was done against the rules: `!3NNN` is a cohort that they do not open, `+3N` a patient of no cohort, who counts at
    the level from the next look on. `moments` are of a rolling part in a trial with days: by known outcome, in order,
    how many of the part had entered before it, and before a toxicity in a later cycle (None: there was none).
    """

    part: int
    level: int
    letters: str
    chosen: tuple[int, ...] = ()
    against: Against = ""
    span: Span = field(default=NOWHERE, eq=False, repr=False)
    moments: Moments = field(default=(), eq=False, repr=False)


def patients_of(history: Iterable[Group]) -> int:
    """How many patients a history has."""
    return sum(len(group.letters) for group in history)


def letters_of(protocol: Protocol) -> str:
    """The letters of evaluable patients: without toxicity, then those of each class."""
    return NONE + "".join(toxicity.letter for toxicity in protocol.toxicities)


# ---- writing ----


def write_history(groups: tuple[Group, ...], protocol: Protocol) -> str:
    """The history in its notation."""
    return " ".join(write_group(group, protocol) for group in groups)


def write_group(group: Group, protocol: Protocol) -> str:
    chosen = "".join(f"[{option + 1}]" for option in group.chosen)
    sign = next((sign for sign, against in AGAINST.items() if against == group.against), "")
    return f"{sign}{cohort_label(group.part, group.level, protocol)}{group.letters}{chosen}"


def cohort_label(part: int, level: int, protocol: Protocol) -> str:
    """What a group begins with: the part's name if it is a later one, and the level; `expansion/2A:`."""
    label = protocol.levels[level].label
    prefix = f"{protocol.parts[part].name}/" if part else ""
    return f"{prefix}{label}{'' if _PLAIN_LABEL.fullmatch(label) else ':'}"


# ---- reading ----


def parse_history(text: str, protocol: Protocol) -> tuple[Group, ...]:
    """The groups of a history; raises HistoryError where it is not written as one."""
    groups = tuple(_group(found.group(), found.start(), protocol) for found in _GROUP.finditer(text))
    if not groups:
        first = cohort_label(0, protocol.start, protocol)
        raise HistoryError(
            f"The history is empty: it begins with the first cohort, for example `{first}NNN`.", 0, len(text)
        )
    patients = 0
    for group in groups:
        patients += len(group.letters)
        if patients > MOST_PATIENTS:
            raise HistoryError(
                f"A history may have {MOST_PATIENTS} patients, and this one has more.", group.span.start, group.span.end
            )
    return groups


def _group(text: str, start: int, protocol: Protocol) -> Group:
    against = AGAINST.get(text[0], "")
    body, bracket, rest = text.partition("[")
    part, offset = _part(body, start, protocol, skip=1 if against else 0)
    level, letters_at = _level(body[offset:], start + offset, protocol)
    _check_letters(body[offset:], letters_at, start + offset, protocol)
    letters = body[offset + letters_at :]
    _check_later(letters, start + offset + letters_at, part, protocol)
    chosen = _chosen(bracket + rest, start + len(body))
    return Group(part, level, letters, chosen, against, Span(start, start + len(text)))


def _part(body: str, start: int, protocol: Protocol, skip: int) -> tuple[int, int]:
    """The part of a group, and how many characters its prefix takes, with the sign that is to be skipped."""
    name, slash, _ = body[skip:].partition("/")
    if not slash:
        return 0, skip
    names = [part.name for part in protocol.parts]
    for number, known in enumerate(names):
        if fold(known) == fold(name):
            return number, skip + len(name) + 1
    near = nearest(name, names)
    advice = f"did you mean `{near}/`?" if near else f"the parts are {listing(names)}."
    raise HistoryError(f"There is no part `{name}`: {advice}", start + skip, start + skip + len(name))


def _level(body: str, start: int, protocol: Protocol) -> tuple[int, int]:
    """The level of a group, and how many characters its label takes, the colon included."""
    labels = [level.label for level in protocol.levels]
    head, colon, _ = body.partition(":")
    if colon:
        for number, label in enumerate(labels):
            if fold(label) == fold(head):
                return number, len(head) + 1
        raise _unknown_level(head, start, labels)
    fitting = [n for n, label in enumerate(labels) if label[-1:].isdigit() and fold(body).startswith(fold(label))]
    if fitting:
        longest = max(fitting, key=lambda n: len(labels[n]))
        return longest, len(labels[longest])
    _report_missing_colon(body, start, labels)
    found = _HEAD.match(body.translate(_DASHES))
    raise _unknown_level(body[: found.end()] if found else body, start, labels)


def _report_missing_colon(body: str, start: int, labels: list[str]) -> None:
    """Raise if the group begins with a label that ends in a letter."""
    found = [label for label in labels if not label[-1:].isdigit() and fold(body).startswith(fold(label))]
    if found:
        label = max(found, key=len)
        rest = body[len(label) :]
        raise HistoryError(
            f"A level whose label ends in a letter is set off by a colon: `{label}:{rest or 'NNN'}`.",
            start,
            start + len(body),
        )


def _unknown_level(head: str, start: int, labels: list[str]) -> HistoryError:
    end = start + max(len(head), 1)
    if not head:
        return HistoryError(f"A cohort begins with its level: {listing(labels, 'or')}.", start, end)
    plain = head.translate(_DASHES)
    near = next((label for label in labels if fold(label) == fold(plain)), None)
    if near is None and any(sign.isalpha() for sign in plain):
        near = nearest(plain, labels)
    there = f"the levels are {listing(labels)}." if len(labels) > 1 else f"the only level is `{labels[0]}`."
    return HistoryError(f"There is no level `{head}`: {f'did you mean `{near}`?' if near else there}", start, end)


def _check_letters(body: str, letters_at: int, start: int, protocol: Protocol) -> None:
    """Raise if what follows the label is not a row of letters."""
    if letters_at == len(body):
        end = start + len(body)
        raise HistoryError(f"`{body}` has no patients: write a letter for each, for example `{body}NNN`.", start, end)
    known = letters_of(protocol) + PENDING + CLEAR_SO_FAR + INEVALUABLE
    for position, letter in enumerate(body[letters_at:], start + letters_at):
        if letter in known:
            continue
        if ":" not in body:
            _report_missing_colon(body, start, [level.label for level in protocol.levels])
        raise HistoryError(
            f"`{letter}` is not the letter of an outcome: {_advice(letter, protocol)}", position, position + 1
        )


def _check_later(letters: str, start: int, part: int, protocol: Protocol) -> None:
    """Raise if a patient of a cohort has a toxicity in later cycles, which is known in rolling parts alone."""
    later = {toxicity.letter: toxicity.name for toxicity in protocol.toxicities if toxicity.later}
    for position, letter in enumerate(letters if not protocol.parts[part].rolling else "", start):
        if letter in later:
            raise HistoryError(
                f"In part `{protocol.parts[part].name}` no `{later[letter]}` becomes known: it comes in later cycles,"
                " and is known in parts that look at every arrival.", position, position + 1,
            )  # fmt: skip


def _advice(letter: str, protocol: Protocol) -> str:
    known = letters_of(protocol) + INEVALUABLE
    for other in (letter.upper(), letter.lower()):
        if other in known:
            return f"did you mean `{other}`?"
    if letter in ",;-":
        return "cohorts stand apart by spaces."
    if letter in "])":
        return "an option that was chosen stands in square brackets after the letters, `1NNN[2]`."
    toxicities = ", ".join(f"`{toxicity.letter}` {toxicity.name}" for toxicity in protocol.toxicities)
    return f"write `N` no toxicity, {toxicities}, `.` pending, `n` pending and clear so far, or `x` inevaluable."


def _chosen(text: str, start: int) -> tuple[int, ...]:
    """The options in square brackets at the end of a group."""
    chosen, position = [], 0
    while position < len(text):
        found = _CHOSEN.match(text, position)
        span = (start + position, start + (found.end() if found else len(text)))
        if found is None:
            raise HistoryError("The options that were chosen stand at the end of a cohort, as in `1NNN[2]`.", *span)
        if not found.group().endswith("]"):
            raise HistoryError("A square bracket is not closed: the option that was chosen is written `[2]`.", *span)
        if not _OPTION.fullmatch(found.group(1)):
            raise HistoryError(
                f"`{found.group()}` is not an option: in square brackets stands its number, counted from 1.", *span
            )
        chosen.append(int(found.group(1)) - 1)
        position = found.end()
    return tuple(chosen)


# ---- the history of a state ----


def history_of(exploration: Exploration, state: int) -> tuple[Group, ...]:
    """The shortest history to a state of an exploration that was made with `histories`."""
    return history_from(exploration.situations, _steps_to(exploration, state))


def history_through(exploration: Exploration, state: int, exit: int) -> tuple[Group, ...]:
    """The shortest history that leaves a state by an exit, which is a position in the situations' flat columns."""
    return history_along(exploration, [(state, exit)])


def history_along(exploration: Exploration, steps: Sequence[tuple[int, int]]) -> tuple[Group, ...]:
    """The shortest history that makes some steps, one after another: each leaves a state by an exit."""
    along = [(_frame(exploration, state), exit) for state, exit in steps]
    return history_from(exploration.situations, [*_steps_to(exploration, steps[0][0]), *along])


def _steps_to(exploration: Exploration, state: int) -> list[tuple[int, int]]:
    """The steps of the first history to a state: (frame, exit)."""
    steps: list[tuple[int, int]] = []
    while True:
        state, exit = exploration.step_to(state)
        if state < 0:
            return steps[::-1]
        steps.append((_frame(exploration, state), exit))


def _frame(exploration: Exploration, state: int) -> int:
    bucket, position = exploration.state(state)
    return int(bucket.frames[position])


def history_from(
    situations: Situations, steps: Iterable[tuple[int, int]], outcomes: Iterable[str] | None = None
) -> tuple[Group, ...]:
    """The history that some steps make: each leaves a state of a frame by an exit.

    `outcomes` are those of the patients of each step, as digits, where they are not the first that lead to the exit.
    """
    groups: list[Group] = []
    if outcomes is None:
        for frame, exit in steps:
            _grow(groups, situations, frame, exit, situations.letters[exit])
    else:
        for (frame, exit), digits in zip(steps, outcomes, strict=True):
            _grow(groups, situations, frame, exit, digits)
    return tuple(groups)


def _grow(groups: list[Group], situations: Situations, number: int, exit: int, digits: str) -> None:
    """The history after one step more. In a rolling part patients one after the other at one level are one group."""
    frames, known = situations.frames, letters_of(situations.machine.protocol)
    part, level = int(frames.part[number]), int(frames.at[number] + situations.aside[exit])
    letters = "".join(known[int(digit)] for digit in digits)
    chosen = tuple(option for _, option in frames.branches[situations.branch[exit]].choices)
    match situations.machine.records.kinds()[situations.change[exit]]:
        case Arrival(size):
            last = groups[-1] if groups else None
            if last is not None and (last.part, last.level, last.chosen) == (part, level, ()):
                groups[-1] = evolve(last, letters=last.letters + PENDING * size)
            else:
                groups.append(Group(part, level, PENDING * size))
        case Known():
            _replace(groups, part, level, PENDING, letters)
        case Worse(_, before):
            _replace(groups, part, level, known[before], letters)
        case _ if frames.mode[number] == ROLLING:
            groups[-1] = evolve(groups[-1], chosen=groups[-1].chosen + chosen)
        case _:
            groups.append(Group(part, level, letters, chosen))


def _replace(groups: list[Group], part: int, level: int, before: str, after: str) -> None:
    """A patient of a part at a level has another letter."""
    place = next(n for n, one in enumerate(groups) if (one.part, one.level) == (part, level) and before in one.letters)
    groups[place] = evolve(groups[place], letters=groups[place].letters.replace(before, after, 1))
