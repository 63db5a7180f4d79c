"""Levels at which no cohort can open any more: closed ones, and those behind a barrier that no move passes.

Most rules go one level up or down, and go down only to fill a level up to a number of patients. Then a closed level
above the one under way bars all that lie higher, and a level below it that has so many patients bars itself and all
that lie lower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import define, field, frozen

from doselang.machine.columns import Bools
from doselang.machine.reading import Line, Reads, joined, parts_after
from doselang.machine.records import CLOSED, FIRST_N, Change, Folding, Ints, Layout, Records
from doselang.machine.relations import Relations
from doselang.protocol.guards import Compare, Place, Range, Tally
from doselang.protocol.model import Backfill, Begin, Declare, Enrol, Protocol


@frozen(eq=False)
class Barriers:
    """What bars levels while some parts can still run, and what is then kept of the levels where no cohort can open.

    `stepwise` has the levels on ladders along which all moves go, but for the `jumps`, each from one level to another.
    `up`, `down` say whether moves in that direction take one step, `rises` whether any goes up. `floor` patients at a
    level below are so many that no move opens it; None: no number is enough. `folding` is what closed levels keep,
    `filled` those at which no cohort can open, `behind` those behind a barrier, of which nothing but the status is
    read; that is so at the levels `unread`, unless they hold a verdict.
    """

    stepwise: Bools
    jumps: tuple[tuple[int, int], ...]
    up: bool
    rises: bool
    down: bool
    floor: int | None
    folding: Folding
    filled: Folding
    behind: Folding
    unread: Bools

    def settle(self, records: Records, relations: Relations, codes: Ints, at: Ints, verdicts: Ints) -> Ints:
        """The codes of some states without what is no longer read where no cohort can open any more.

        `codes` are [states, levels], `at` the level of the cohort under way, `verdicts` [states, verdicts] the levels
        that were declared.
        """
        bars = self._full(records).take(codes).any(axis=1)
        some = np.arange(len(codes)) if self.up and not self.rises else np.flatnonzero(bars)
        if not len(some):
            return codes
        settled = codes.copy()
        settled[some] = self._settle(records, relations, codes[some], at[some], verdicts[some])
        return settled

    def without_closed(self, records: Records, codes: Ints) -> Ints:
        """The codes of some states without what is no longer read of closed levels alone."""
        return _changed(records, self.folding, codes, (records.column(CLOSED) != 0).take(codes))

    def _settle(self, records: Records, relations: Relations, codes: Ints, at: Ints, verdicts: Ints) -> Ints:
        """The same for states in which there may be a barrier."""
        codes = self.without_closed(records, codes)
        if not (self.up or self.down):
            return codes
        closed = (records.column(CLOSED) != 0).take(codes)
        barred, behind = self.barred(records, relations, codes, at)
        behind &= self.unread
        for verdict in range(verdicts.shape[1]):
            holding = np.flatnonzero(verdicts[:, verdict] >= 0)
            behind[holding, verdicts[holding, verdict]] = False
        codes = _changed(records, self.filled, codes, barred & ~behind & ~closed)
        return _changed(records, self.behind, codes, behind)

    def barred(self, records: Records, relations: Relations, codes: Ints, at: Ints) -> tuple[Bools, Bools]:
        """The barriers with the levels behind them, and the levels behind them alone, [states, levels] as in `settle`.

        No cohort opens at any of them as long as the parts run.
        """
        closed = (records.column(CLOSED) != 0).take(codes)
        full = self._full(records).take(codes)
        barred, behind = self._from(relations, closed, full, at)
        further = bool(self.jumps)
        while further:  # a jump can lead to where another begins
            further = False
            for start, to in self.jumps:
                can = relations.together[at, start] & ~barred[:, start] & barred[:, to] & ~closed[:, to]
                rows = np.flatnonzero(can)
                if len(rows):
                    more, beyond = self._from(relations, closed[rows], full[rows], np.full(len(rows), to))
                    barred[rows] &= more
                    behind[rows] &= beyond
                    further = True
        return barred, behind

    def _full(self, records: Records) -> Bools:
        """By record: whether it bars a level below, because it is closed or has too many patients to be opened."""
        closed: Bools = records.column(CLOSED) != 0
        return closed if self.floor is None else closed | (records.tally(-1) >= self.floor)

    def _from(self, relations: Relations, closed: Bools, full: Bools, at: Ints) -> tuple[Bools, Bools]:
        """The same, by steps from a level alone."""
        number, along = np.arange(closed.shape[1]), relations.together[at] & self.stepwise
        bars = relations.ordinary  # a step passes over a level off the ladder, which is no barrier
        barred, behind = np.zeros_like(closed), np.zeros_like(closed)
        if self.down:
            lower = along & (number < at[:, None])
            from_here = np.logical_or.accumulate((full & bars & lower)[:, ::-1], axis=1)[:, ::-1]
            barred |= from_here & lower
            behind[:, :-1] |= from_here[:, 1:] & lower[:, :-1]
        if self.up:
            higher = along & (number > at[:, None])
            from_here = np.logical_or.accumulate((closed & bars & higher) if self.rises else higher, axis=1)
            barred |= from_here & higher
            behind[:, 1:] |= from_here[:, :-1] & higher[:, 1:]
        return barred, behind


def _changed(records: Records, change: Change, codes: Ints, where: Bools) -> Ints:
    """The codes, changed in some places."""
    row, level = np.nonzero(where & (codes != 0))
    if len(row):
        codes = codes.copy()
        codes[row, level] = records.apply(records.change(change), codes[row, level])
    return codes


def barriers_of(
    protocol: Protocol, running: Sequence[tuple[int, Reads]], lines: Sequence[Sequence[Line]]
) -> Barriers | None:
    """The barriers while some parts run, by number, with what they read; None: nothing is forgotten.

    `running` are the parts that matter, see `parts_that_matter`; `lines` those of every part. No cohort opens at a
    closed level, so that its tallies are only compared with the numbers of conditions about other levels; where more
    is read of them there are no barriers.
    """
    kept: dict[int, set[int]] = {}
    for _, reads in running:
        if reads.of_closed is None:
            return None
        for what, numbers in reads.of_closed:
            kept.setdefault(what, set()).update(numbers)
    ways = _ways(protocol, [line for number, _ in running for line in lines[number]], {part for part, _ in running})
    floor = {-1: set() if ways.floor is None else {ways.floor}}
    summed = tuple(sorted({part for _, reads in running for part in reads.summed}))
    return Barriers(
        np.array([level.ladder not in ways.named for level in protocol.levels], np.bool_),
        tuple(sorted(ways.jumps)), ways.up, ways.rises, ways.down, ways.floor,
        Folding(joined(kept), summed), Folding(joined(kept, floor), summed), Folding((), summed),
        _unread(len(protocol.levels), [place for _, reads in running for place in reads.places] + ways.declared),
    )  # fmt: skip


def parts_that_matter(protocol: Protocol, read: Sequence[Ints], layout: Layout) -> list[set[int]]:
    """By part: the parts that can still run and read what was seen before and in it, or lead to some that do.

    `read` has, by part, the ceilings of what is read of a record while it runs.
    """
    after = parts_after(protocol)
    found = []
    for part, running in enumerate(after):
        before = [q for q, following in enumerate(after) if part in following]
        old = [column for q in before for column in range(layout.part_n(q), layout.part_n(q + 1))]
        old += range(FIRST_N, layout.part_n(0))
        reading = {q for q in running if read[q][old].any()}
        found.append({part} | {q for q in running if after[q] & reading})
    return found


@define
class _Ways:
    """The ways that moves go; see `Barriers`."""

    up: bool = True
    rises: bool = False
    down: bool = True
    floor: int | None = 0
    named: set[int] = field(factory=set)
    """The ladders on which a move from anywhere names a level."""
    jumps: set[tuple[int, int]] = field(factory=set)
    declared: list[Place] = field(factory=list)
    """The places of verdicts."""


def _ways(protocol: Protocol, lines: Sequence[Line], parts: set[int]) -> _Ways:
    """The ways of the moves of some lines; to begin another part than some is none, unless a level is filled up."""
    ways = _Ways()
    for line in lines:
        for move in line.moves:
            match move:
                case Declare(_, place) if place is not None:
                    ways.declared.append(place)
                case Backfill():
                    ways.up = ways.down = False
                case Begin(part, total=None) if part not in parts:
                    pass  # how many patients enter does not depend on who was there
                case Enrol(place, _, total) | Begin(_, place, _, total):
                    _go(protocol, ways, line, place, total)
    return ways


def _go(protocol: Protocol, ways: _Ways, line: Line, place: Place, total: int | None) -> None:
    """Note one move to a place, which may be filled up to a total."""
    match place:
        case Place("this", axis=-1):
            pass
        case Place("next higher", axis=-1):
            ways.rises, ways.up = True, ways.up and place.steps == 1
        case Place("next lower", axis=-1):
            ways.down &= place.steps == 1
            enough = _enough(line, total)
            ways.floor = None if enough is None or ways.floor is None else max(ways.floor, enough)
        case Place("level", index):
            start, ladder = _only_at(line), protocol.levels[index].ladder
            if start is not None and protocol.levels[start].ladder == ladder:
                ways.jumps.add((start, index))
            else:
                ways.named.add(ladder)
        case _:
            ways.up = ways.down = False


def _enough(line: Line, total: int | None) -> int | None:
    """With how many evaluable patients at the next lower level a line that opens it cannot act; None: with any number.

    That is so if it fills the level up to a total, or if its condition allows no more patients there.
    """
    least = [] if total is None else [total]
    for guard in line.conjuncts:
        match guard:
            case Tally(Range(high=int(high)), (-1,), "level", Place("next lower", steps=1, axis=-1), None):
                least.append(high + 1)
    return min(least, default=None)


def _only_at(line: Line) -> int | None:
    """The only level at whose looks a line can act, if its condition names one."""
    for guard in line.conjuncts:
        match guard:
            case Compare(Place("this"), "same", Place("level", index)):
                return index
    return None


def _unread(levels: int, places: Sequence[Place]) -> Bools:
    """Whether tallies of levels behind a barrier are read only if they hold a verdict, by level.

    `places` are those of which tallies are read, and those of verdicts that are declared.
    """
    unread = np.ones(levels, np.bool_)
    for place in places:
        match place:
            case Place("this" | "next higher" | "next lower", steps=1, axis=-1) | Place("verdict"):
                pass
            case Place("level", index):
                unread[index] = False
            case _:
                unread[:] = False
    return unread
