"""What is remembered of one level, as a small interned code: its tallies, its cohorts, and whether it is closed.

A state of a trial holds one code a level. The record behind a code is a row of whole numbers. Each column has a
ceiling, the number from which on no condition can tell the difference, and stops there; what nothing reads has ceiling
0. So states that behave alike are one state, and a machine without end has finitely many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import NDArray, missing

Ints = NDArray[np.integer[Any]]
"""Whole numbers of any width."""

CLOSED, FIRST_SIZE, ADDED_SIZE, FIRST_N = 0, 1, 2, 3


@frozen
class Layout:
    """Which column of a record holds what, for `toxicities` classes and `parts` parts."""

    toxicities: int
    parts: int

    @property
    def added_n(self) -> int:
        return FIRST_N + 1 + self.toxicities

    def part_n(self, part: int) -> int:
        """The column of the evaluable patients of a part; those with toxicity t follow at `+ 1 + t`."""
        return FIRST_N + (2 + part) * (1 + self.toxicities)

    @property
    def pending(self) -> int:
        """The column of the patients whose outcome is not known yet (rolling accrual alone)."""
        return self.part_n(self.parts)

    @property
    def width(self) -> int:
        return self.pending + 1


@frozen
class Outcome:
    """Patients who became evaluable in a part: `counts` are those without toxicity, then those of each class."""

    part: int
    counts: tuple[int, ...]


@frozen
class Opening:
    """A cohort of `size` patients is opened at the level."""

    size: int


@frozen
class Arrival:
    """Patients enter at the level, whose outcomes are pending (rolling accrual)."""

    size: int = 1


@frozen
class Known:
    """The outcome of a pending patient of a part becomes known: 0 no toxicity, then each class (rolling accrual)."""

    part: int
    outcome: int


@frozen
class Worse:
    """A patient of a part who is known has a toxicity in later cycles; `before` and `after` are as in `Known`."""

    part: int
    before: int
    after: int


@frozen
class Late:
    """A patient of an earlier cohort becomes known when the level has been opened again (trials with a clock).

    `outcome` is as in `Known`; the patient counts in the part, and with the first patients if `first`: of the first
    cohort of the level.
    """

    part: int
    outcome: int
    first: bool


@frozen
class Left:
    """A pending patient leaves before the outcome is known (rolling accrual in trials with a clock)."""


@frozen
class Closing:
    """The level is closed as too toxic."""


@frozen
class Fading:
    """What is no longer read from now on is forgotten: no column is above its number in `ceilings`."""

    ceilings: tuple[int, ...]


@frozen
class Folding:
    """A level where no cohort can open keeps what can still be read of it: whether its tallies reach certain numbers.

    `thresholds` are (what, numbers): -1 evaluable patients, or a toxicity, of all parts together. A level that has
    patients of one of the parts `summed`, or pending ones, is left as it is.
    """

    thresholds: tuple[tuple[int, tuple[int, ...]], ...]
    summed: tuple[int, ...] = ()

    def of(self, what: int, tally: int) -> int:
        """The largest of the numbers that a tally reaches, 0 if none."""
        numbers = dict(self.thresholds).get(what, ())
        return max((number for number in numbers if number <= tally), default=0)


def only_status(layout: Layout) -> Fading:
    """Forget all but whether the level is closed, and tried."""
    ceilings = [0] * layout.width
    ceilings[CLOSED] = ceilings[FIRST_SIZE] = 1
    return Fading(tuple(ceilings))


Change = Outcome | Opening | Arrival | Known | Worse | Late | Left | Closing | Fading | Folding


@define
class Records:
    """All records met so far; code 0 is the untouched level. Codes are given in the order of meeting."""

    layout: Layout
    ceilings: Ints
    """By column: the largest value kept."""
    table: Ints = field(init=False)
    truths: dict[int, tuple[Any, Any]] = field(factory=dict)
    """By the identity of a condition about one record: the condition, and its truth for each code."""
    _codes: dict[bytes, int] = field(factory=dict)
    _changes: dict[Change, int] = field(factory=dict)
    _after: Ints = field(init=False)
    """`_after[change, code]` is the code after a change, -1 where it is not known yet."""

    def __attrs_post_init__(self) -> None:
        self.table = np.zeros((64, self.layout.width), np.int32)
        self._codes[self.table[0].tobytes()] = 0
        self._after = np.full((16, 64), -1, np.int32)

    def __len__(self) -> int:
        return len(self._codes)

    def change(self, change: Change) -> int:
        """The number of a kind of change, for `apply`."""
        number = self._changes.setdefault(change, len(self._changes))
        if number >= len(self._after):
            self._after = np.concatenate([self._after, np.full_like(self._after, -1)])
        return number

    def apply(self, changes: Ints | int, codes: Ints) -> Ints:
        """The codes after the changes, element by element."""
        after: Ints = self._after[changes].take(codes) if isinstance(changes, int) else self._after[changes, codes]
        if after.size and after.min() < 0:
            kinds = list(self._changes)
            for number, code in missing(after, np.broadcast_to(changes, codes.shape), codes):
                self._after[number, code] = self._intern(self._changed(self.table[code], kinds[number]))
            after = self._after[changes, codes]
        return after

    def _changed(self, record: Ints, change: Change) -> Ints:
        layout, new = self.layout, record.copy()
        match change:
            case Closing():
                new[CLOSED] = 1
            case Fading(ceilings):
                new = np.minimum(new, np.array(ceilings, np.int32))
            case Folding() if record[layout.pending] or any(record[layout.part_n(p)] for p in change.summed):
                pass  # those who are pending are still to be counted
            case Folding():
                new[FIRST_SIZE] = min(record[FIRST_SIZE], 1)
                new[ADDED_SIZE] = 0
                new[FIRST_N : layout.pending] = 0
                for what in range(-1, layout.toxicities):
                    columns = [layout.part_n(part) + 1 + what for part in range(layout.parts)]
                    new[columns[0]] = change.of(what, int(record[columns].sum()))
            case Opening(size):
                new[ADDED_SIZE if new[FIRST_SIZE] else FIRST_SIZE] = size
                if record[FIRST_SIZE]:
                    new[layout.added_n : layout.part_n(0)] = 0
            case Arrival(size):
                new[layout.pending] += size
            case Known(part, outcome):
                new[layout.pending] -= 1
                new[layout.part_n(part)] += 1
                if outcome:
                    new[layout.part_n(part) + outcome] += 1
            case Worse(part, before, after):
                if before:
                    new[layout.part_n(part) + before] -= 1
                new[layout.part_n(part) + after] += 1
            case Left():
                new[layout.pending] -= 1
            case Late(part, outcome, first):
                for start in (layout.part_n(part), FIRST_N)[: 1 + first]:
                    new[start] += 1
                    if outcome:
                        new[start + outcome] += 1
            case Outcome(part, counts):
                known = (sum(counts), *counts[1:])
                for start in (layout.part_n(part), layout.added_n if new[ADDED_SIZE] else FIRST_N):
                    new[start : start + len(known)] += known
        return np.minimum(new, self.ceilings)

    def _intern(self, record: Ints) -> int:
        key = record.tobytes()
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self._codes)
            if code >= len(self.table):
                self.table = np.concatenate([self.table, np.zeros_like(self.table)])
                self._after = np.concatenate([self._after, np.full_like(self._after, -1)], axis=1)
            self.table[code] = record
        return code

    def kinds(self) -> list[Change]:
        """All kinds of change, by number."""
        return list(self._changes)

    # ---- reading: arrays over all codes, to be indexed with codes ----

    def column(self, index: int) -> Ints:
        """A column of the table, one entry a code."""
        return self.table[:, index]

    def among(self, start: int, toxicities: Sequence[int]) -> Ints:
        """Patients with any of some toxicities among those counted from column `start` on, one entry a code."""
        number: Ints = self.table[:, [start + 1 + toxicity for toxicity in toxicities]].sum(axis=1, dtype=np.int32)
        return number

    def total(self, what: Sequence[int], part: int | None = None) -> Ints:
        """The sum of some tallies, one entry a code."""
        total = self.tally(what[0], part)
        for other in what[1:]:
            total = total + self.tally(other, part)
        return total

    def tally(self, what: int, part: int | None = None) -> Ints:
        """Evaluable patients (`what` -1) or patients with toxicity `what`, in one part or in all, one entry a code.

        `what` -2 are the pending patients, whatever the part.
        """
        layout = self.layout
        if what == -2:
            return self.table[:, layout.pending]
        parts = range(layout.parts) if part is None else (part,)
        columns = [layout.part_n(p) + 1 + what for p in parts]
        tally: Ints = self.table[:, columns].sum(axis=1, dtype=np.int32)
        return tally

    def outcomes(self, part: int) -> Ints:
        """The patients of a part without toxicity and with each, [codes, classes]."""
        start = self.layout.part_n(part)
        counts = self.table[:, start : start + 1 + self.layout.toxicities].copy()
        counts[:, 0] -= counts[:, 1:].sum(axis=1)
        return counts
