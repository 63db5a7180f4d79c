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
from doselang.machine.reading import Line, Reads, joined
from doselang.machine.records import CLOSED, Change, Folding, Ints, Records, only_status
from doselang.machine.relations import Relations
from doselang.protocol.guards import Place
from doselang.protocol.model import Backfill, Begin, Declare, Enrol, Move, Protocol


@frozen(eq=False)
class Barriers:
    """What bars levels while some parts can still run, and what is then kept of the levels where no cohort can open.

    `stepwise` has the levels on ladders along which all moves go, and which none of them names; `up`, `down` whether
    moves in that direction take one step. `floor` patients at a level below are so many that no move opens it; None:
    no number is enough. `folding` is what closed levels keep, `filled` those behind which none opens. `unread` has the
    levels of which behind a barrier nothing but the status is read, unless they hold a verdict.
    """

    stepwise: Bools
    up: bool
    down: bool
    floor: int | None
    folding: Folding
    filled: Folding
    unread: Bools

    def settle(self, records: Records, relations: Relations, codes: Ints, at: Ints, verdicts: Ints) -> Ints:
        """The codes of some states without what is no longer read where no cohort can open any more.

        `codes` are [states, levels], `at` the level of the cohort under way, `verdicts` [states, verdicts] the levels
        that were declared.
        """
        closed = (records.column(CLOSED) != 0).take(codes)
        codes = _changed(records, self.folding, codes, closed)
        if not (self.up or self.down):
            return codes
        barred, behind = self.barred(records, relations, codes, at)
        behind &= self.unread
        for verdict in range(verdicts.shape[1]):
            holding = np.flatnonzero(verdicts[:, verdict] >= 0)
            behind[holding, verdicts[holding, verdict]] = False
        codes = _changed(records, self.filled, codes, barred & ~behind & ~closed)
        return _changed(records, only_status(records.layout), codes, behind)

    def barred(self, records: Records, relations: Relations, codes: Ints, at: Ints) -> tuple[Bools, Bools]:
        """The barriers with the levels behind them, and the levels behind them alone, [states, levels] as in `settle`.

        No cohort opens at any of them as long as the parts run.
        """
        number, along = np.arange(codes.shape[1]), relations.together[at] & self.stepwise
        # a step passes over a level off the ladder, which is no barrier
        bars = along & relations.ordinary
        closed = (records.column(CLOSED) != 0).take(codes)
        barred, behind = np.zeros_like(closed), np.zeros_like(closed)
        if self.down:
            lower = along & (number < at[:, None])
            full = closed if self.floor is None else closed | (records.tally(-1) >= self.floor).take(codes)
            from_here = np.logical_or.accumulate((full & bars & lower)[:, ::-1], axis=1)[:, ::-1]
            barred |= from_here & lower
            behind[:, :-1] |= from_here[:, 1:] & lower[:, :-1]
        if self.up:
            higher = along & (number > at[:, None])
            from_here = np.logical_or.accumulate(closed & bars & higher, axis=1)
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
    """The barriers while some parts can still run, by number, with what they read; None: nothing is forgotten.

    `lines` are those of every part. No cohort opens at a closed level, so that its tallies are only compared with the
    numbers of conditions about other levels; where more is read of them there are no barriers.
    """
    kept: dict[int, set[int]] = {}
    for _, reads in running:
        if reads.of_closed is None:
            return None
        for what, numbers in reads.of_closed:
            kept.setdefault(what, set()).update(numbers)
    ways = _ways(protocol, [move for number, _ in running for line in lines[number] for move in line.moves])
    floor = {-1: set() if ways.floor is None else {ways.floor}}
    return Barriers(
        np.array([level.ladder not in ways.named for level in protocol.levels], np.bool_),
        ways.up, ways.down, ways.floor, Folding(joined(kept)), Folding(joined(kept, floor)),
        _unread(len(protocol.levels), [place for _, reads in running for place in reads.places] + ways.declared),
    )  # fmt: skip


@define
class _Ways:
    """The ways that moves go; see `Barriers`."""

    up: bool = True
    down: bool = True
    floor: int | None = 0
    named: set[int] = field(factory=set)
    """The ladders on which a move names a level."""
    declared: list[Place] = field(factory=list)
    """The places of verdicts."""


def _ways(protocol: Protocol, moves: Sequence[Move]) -> _Ways:
    ways = _Ways()
    for move in moves:
        match move:
            case Declare(_, place) if place is not None:
                ways.declared.append(place)
            case Backfill():
                ways.up = ways.down = False
            case Enrol(Place("level", index)) | Begin(_, Place("level", index)):
                ways.named.add(protocol.levels[index].ladder)
            case Enrol(Place("this", axis=-1)) | Begin(_, Place("this", axis=-1)):
                pass
            case Enrol(Place("next higher", axis=-1) as place) | Begin(_, Place("next higher", axis=-1) as place):
                ways.up &= place.steps == 1
            case Enrol(Place("next lower", axis=-1) as place, _, total) | Begin(
                _, Place("next lower", axis=-1) as place, _, total
            ):
                ways.down &= place.steps == 1
                ways.floor = None if total is None or ways.floor is None else max(ways.floor, total)
            case Enrol() | Begin():
                ways.up = ways.down = False
    return ways


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
