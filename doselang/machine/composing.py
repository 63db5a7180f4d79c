"""From the rules that acted at a look to its decision, row by row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from attrs import evolve

from doselang.machine.asking import Asked
from doselang.machine.columns import View, truth
from doselang.machine.decisions import (
    Answers,
    Closes,
    Decision,
    Declares,
    Ended,
    GoesOn,
    Opened,
    Outcome,
    Undecided,
)
from doselang.machine.reading import question_of
from doselang.machine.records import CLOSED, FIRST_SIZE
from doselang.protocol.guards import (
    THIS,
    CohortComplete,
    Declared,
    Guard,
    HasStatus,
    Rate,
    Share,
    Tally,
    atoms,
)
from doselang.protocol.model import Backfill, Begin, Close, Count, Declare, Enrol, EnrolRest, Move, Part, Stop

ABSENT = -1
"""Where a move leads if there is no such level: an answer that differs from every other."""


def _acted(asked: Asked, row: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    acted: tuple[list[int], list[int], list[int]] = ([], [], [])
    for i in np.flatnonzero(asked.active[row]).tolist():
        acted[asked.part.lines[i].question - 1].append(i)
    return tuple(acted[0]), tuple(acted[1]), tuple(acted[2])


Given = list[tuple[int, int, Move]]
"""Moves that were made: (line, position of the move in it, move)."""


def compose(asked: Asked, row: int) -> Decision:
    """The decision of a row, from the lines that acted in it. After a question without an answer none is asked."""
    first, second, third = acted = _acted(asked, row)
    moves: Given = [(i, m, move) for lines in acted for i in lines for m, move in enumerate(asked.part.lines[i].moves)]
    closes, trouble = _closes(asked, row, [g for g in moves if question_of(g[2]) == 1])
    if trouble is not None:
        return Decision(Answers(), (first, (), ()), trouble)
    declares, trouble = _declares(asked, row, [g for g in moves if question_of(g[2]) == 2])
    if trouble is not None:
        return Decision(Answers(closes), (first, second, ()), trouble)
    following, trouble = _next(asked, row, [g for g in moves if question_of(g[2]) == 3])
    counts = tuple(sorted({(m.counter, m.reset) for _, _, m in moves if isinstance(m, Count)}))
    if isinstance(following, GoesOn) and (closes or declares or counts):
        following, trouble = None, Undecided("conflict", tuple(i for lines in acted for i in lines), question=3)
    answers = Answers(closes, declares, following if trouble is None else None, counts)
    return Decision(answers, (first, second, third), trouble)


def _closes(asked: Asked, row: int, given: Given) -> tuple[tuple[Closes, ...], Undecided | None]:
    closes: set[Closes] = set()
    for i, m, move in given:
        assert isinstance(move, Close)
        level = asked.where(1, move.place, row)
        if level is None:
            return (), Undecided("no level", (i,), m)
        closes.add(Closes(level - int(asked.view.here[row]), move.all_above))
    return tuple(sorted(closes, key=lambda c: (c.offset, c.all_above))), None


def _declares(asked: Asked, row: int, given: Given) -> tuple[tuple[Declares, ...], Undecided | None]:
    """The verdicts. The MTD must be a level that is tried and not closed, another result one that is not closed.

    A label may name any level.
    """
    said: dict[int, tuple[int, int, int | None]] = {}
    missing: Undecided | None = None
    for i, m, move in given:
        assert isinstance(move, Declare)
        level = None if move.place is None else asked.where(2, move.place, row)
        if move.place is not None and level is None:
            missing, level = missing or Undecided("no level", (i,), m), ABSENT
        if move.verdict in said and said[move.verdict][2] != level:
            return (), Undecided("conflict", tuple(sorted({said[move.verdict][0], i})), question=2)
        said.setdefault(move.verdict, (i, m, level))
    protocol, here = asked.machine.protocol, int(asked.view.here[row])
    for verdict, (i, m, level) in said.items():
        mtd = protocol.verdicts[verdict].name.lower() == "mtd"
        if (mtd or verdict == protocol.result) and level is not None and level >= 0:
            if trouble := _usable(asked, row, i, m, level):
                return (), trouble
            if mtd and not asked.view.records.table[asked.view.codes[row, level], FIRST_SIZE]:
                return (), Undecided("untried level", (i,), m)
    if missing is not None:
        return (), missing
    declares = [Declares(v, None if level is None else level - here) for v, (_, _, level) in sorted(said.items())]
    return tuple(declares), None


def _usable(asked: Asked, row: int, line: int, move: int, level: int) -> Undecided | None:
    """A level closed before cannot be used; one closed by this very look makes a conflict."""
    if asked.closed_before[row, level]:
        return Undecided("closed level", (line,), move)
    if asked.view.records.table[asked.view.codes[row, level], CLOSED]:
        closers = [i for i in np.flatnonzero(asked.active[row]).tolist() if _closes_level(asked, row, i, level)]
        return Undecided("conflict", tuple(sorted({line, *closers})), question=1)
    return None


def _closes_level(asked: Asked, row: int, line: int, level: int) -> bool:
    for move in asked.part.lines[line].moves:
        if isinstance(move, Close):
            closed = asked.where(1, move.place, row)
            above = asked.machine.setting.relations.above
            if closed is not None and (closed == level or (move.all_above and above[closed, level])):
                return True
    return False


def _next(asked: Asked, row: int, given: Given) -> tuple[Opened | Ended | GoesOn | None, Undecided | None]:
    """What comes next. Rules that do the same agree; two stops agree, whatever their reasons."""
    answers: list[tuple[int, int, Opened | Ended | GoesOn]] = []
    here = int(asked.view.here[row])
    for i, m, move in given:
        match move:
            case Stop(reason):
                answers.append((i, m, Ended(reason)))
            case EnrolRest():
                answers.append((i, m, GoesOn()))
            case Enrol() | Begin():
                answers.append((i, m, _opened(asked, row, move)))
    if not answers:
        return None, _no_answer(asked, row)
    for (i, _, one), (j, _, other) in pairwise(answers):
        if one != other and not (isinstance(one, Ended) and isinstance(other, Ended)):
            return None, Undecided("conflict", tuple(sorted({i, j})), question=3)
    line, move_number, answer = answers[0]
    if isinstance(answer, GoesOn) and not asked.view.sentinel[row]:
        return None, Undecided("no sentinel", (line,), move_number)
    if isinstance(answer, Opened):
        answer, troubles = _with_beside(asked, row, answer, line, given)
        level = here + answer.offset
        if level == ABSENT:
            troubles.insert(0, Undecided("no level", (line,), move_number))
        elif trouble := _usable(asked, row, line, move_number, level):
            troubles.insert(0, trouble)
        if answer.part is not None and asked.begun[row] >> answer.part & 1:
            troubles.append(Undecided("part begun", (line,), move_number))
        if answer.size <= 0:
            troubles.append(Undecided("nothing to fill", (line,), move_number))
        if troubles:
            return None, next((trouble for trouble in troubles if trouble.why == "conflict"), troubles[0])
    limit = _limit_broken(asked, row, answer)
    return answer, None if limit is None else Undecided("limit", (line,), move_number, limit=limit)


def _opened(asked: Asked, row: int, move: Enrol | Begin) -> Opened:
    """The cohort that a move opens; where it is filled up, its size is what is missing."""
    here, level = int(asked.view.here[row]), asked.where(3, move.place, row)
    part = move.part if isinstance(move, Begin) else None
    of: Part = asked.machine.protocol.parts[asked.part.number if part is None else part]
    size = of.cohort if move.size is None else move.size
    if level is None:
        return Opened(ABSENT - here, size, part)
    code = asked.view.codes[row, level]
    if move.total is not None:
        # a level that was closed before is not filled up, however many are there
        size = 0 if asked.closed_before[row, level] else move.total - int(asked.view.records.total((-2, -1))[code])
    new = not asked.view.records.table[code, FIRST_SIZE]
    alone = of.sentinel == "cohort" or (of.sentinel == "new level" and bool(new))
    return Opened(level - here, size, part, (), alone and not of.rolling)


def _with_beside(
    asked: Asked, row: int, answer: Opened, opener: int, given: Given
) -> tuple[Opened, list[Undecided]]:  # fmt: skip
    """The cohort with the patients who enter beside it, at other levels; two numbers at one level are a conflict.

    And all that stands against it.
    """
    troubles: list[Undecided] = []
    here, found = int(asked.view.here[row]), dict[int, tuple[int, int]]()
    backfills = [(i, m, move, asked.where(3, move.place, row)) for i, m, move in given if isinstance(move, Backfill)]
    for i, _, move, level in backfills:
        if level is None:
            continue
        other, size = found.setdefault(level - here, (i, move.size))
        if level == here + answer.offset or size != move.size:
            lines = (opener, i) if level == here + answer.offset else (other, i)
            troubles.append(Undecided("conflict", tuple(sorted(set(lines))), question=3))
    for i, m, _, level in backfills:
        if level is None:
            troubles.append(Undecided("no level", (i,), m))
        elif trouble := _usable(asked, row, i, m, level):
            troubles.append(trouble)
    beside = tuple(sorted((offset, size) for offset, (_, size) in found.items()))
    return (evolve(answer, beside=beside) if beside else answer), troubles


def _limit_broken(asked: Asked, row: int, answer: Opened | Ended | GoesOn) -> int | None:
    """The limit that an answer would break, as a position in `Machine.limits`."""
    here, number, view = int(asked.view.here[row]), asked.part.number, asked.view
    stays = isinstance(answer, GoesOn) or (isinstance(answer, Opened) and answer.part is None and answer.offset == 0)
    for position, limit in asked.part.limits:
        if limit.low is not None and not stays and _accrued(view, row, here, number) < limit.low:
            return position
    if not isinstance(answer, Opened):
        return None
    part = number if answer.part is None else answer.part
    opened = ((answer.offset, answer.size), *answer.beside)
    for position, limit in asked.machine.parts[part].limits:
        if limit.high is None:
            continue
        if limit.scope == "level":
            after = max(_entered(asked, row, here + offset, part) + size for offset, size in opened)
        else:
            so_far = asked.totals_of(part if limit.scope == "part" else None)[row]
            after = int(so_far) + sum(size for _, size in opened)
        if after > limit.high:
            return position
    return None


def _entered(asked: Asked, row: int, level: int, part: int) -> int:
    """How many patients of the part that comes next have entered at a level."""
    accrued = _accrued(asked.view, row, level, part)
    if part == asked.part.number:
        return accrued
    return accrued - int(asked.view.records.tally(-2)[asked.view.codes[row, level]])


def _accrued(view: View, row: int, level: int, part: int) -> int:
    """How many patients of a part have entered at a level."""
    record = view.records.table[view.codes[row, level]]
    return int(record[view.records.layout.part_n(part)] + record[view.records.layout.pending])


def waits(outcome: Outcome) -> bool:
    """Whether no rule acts: in a rolling part the next patient then waits while others are pending."""
    first = outcome[0].decision
    return first.undecided is not None and first.undecided.why in ("no answer", "silence") and not first.lines


def _no_answer(asked: Asked, row: int) -> Undecided:
    """A silence if one speaks, else a gap with the lines that only conditions about other levels held back."""
    one = asked.view.take(slice(row, row + 1))
    for number, silence in asked.part.silences:
        if silence.when is not None and truth(silence.when, one)[0] == 1:
            return Undecided("silence", silence=number)
    missed = []
    for i, line in enumerate(asked.part.lines):
        if line.question != 3 or asked.active[row, i]:
            continue
        values = [int(truth(part, one)[0]) for part in line.conjuncts]
        local = [value for part, value in zip(line.conjuncts, values, strict=True) if _about_this_level(part)]
        if local and min(local) == 1 and min(values) < 1:
            held = [(c, v) for c, v in enumerate(values) if v < 1]
            missed.append((i, tuple(held)))
    return Undecided("no answer", missed=tuple(missed))


def _about_this_level(guard: Guard) -> bool:
    """Whether a condition reads only this level, its patients and the look itself."""
    for atom in atoms(guard):
        match atom:
            case Share(place=place) | HasStatus(place=place):
                local = place == THIS
            case Tally(scope=scope, place=place) | Rate(scope=scope, place=place):
                local = scope == "cohort" or (scope == "level" and place == THIS)
            case _:
                local = isinstance(atom, CohortComplete | Declared)
        if not local:
            return False
    return True
