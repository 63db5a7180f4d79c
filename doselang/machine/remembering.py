"""What looks have come to, by what the rules read: it is the same in whatever way patients enter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import define, field

from doselang.machine.decisions import Branch, Outcome
from doselang.machine.records import Ints
from doselang.protocol.guards import Place


@define
class Classes:
    """Small numbers for records that agree in some columns."""

    columns: tuple[int, ...]
    of: Ints = field(factory=lambda: np.zeros(0, np.int32))
    _known: dict[bytes, int] = field(factory=dict)

    def __call__(self, table: Ints, count: int) -> Ints:
        """One number a record; extends what is known to `count` records."""
        if len(self.of) < count:
            rows = np.ascontiguousarray(table[len(self.of) : count, self.columns])
            new = [self._known.setdefault(row.tobytes(), len(self._known)) for row in rows]
            self.of = np.concatenate([self.of, np.array(new, np.int32)])
        return self.of


Asked = tuple[int, object, bytes]
"""What a look was told by: the part, which human decisions have known chances, and what the rules read."""


@define
class Remembered:
    """The looks of a machine so far: what every outcome of a cohort comes to, a number of an outcome of the look.

    They are kept as rows, one number for each outcome of the cohort after which there may be a look, -1 where the
    cohort goes on; `early` rows have those before its end, too.
    """

    outcomes: dict[Outcome, int] = field(factory=dict)
    classes: dict[tuple[int, Place], Classes] = field(factory=dict)
    """By part and place: numbers for what is read of records there."""
    branches: dict[object, Branch] = field(factory=dict)
    """Decisions by all that they are made of."""
    _rows: dict[Asked, tuple[bool, Ints]] = field(factory=dict)

    def numbered(self, decided: Ints, outcomes: Sequence[Outcome]) -> Ints:
        """Positions in a list of outcomes as numbers of outcomes, those below 0 as -1."""
        numbers = [self.outcomes.setdefault(outcome, len(self.outcomes)) for outcome in outcomes]
        return np.array([*numbers, -1], np.int32)[decided]

    def new(self, asked: Sequence[Asked], early: bool) -> list[int]:
        """The positions of looks that are not known, each look once."""
        first = {one: position for position, one in reversed(list(enumerate(asked)))}
        return sorted(at for one, at in first.items() if one not in self._rows or (early and not self._rows[one][0]))

    def keep(self, asked: Sequence[Asked], early: bool, rows: Ints) -> None:
        """Remember some looks."""
        self._rows.update((one, (early, row)) for one, row in zip(asked, rows, strict=True))

    def of(self, asked: Sequence[Asked], early: bool, places: Sequence[int]) -> Ints:
        """The rows of some looks, [looks, outcomes]; if they are not to be `early`, at some places of early ones."""
        found = [self._rows[one] for one in asked]
        return np.array([row[places] if known and not early else row for known, row in found], np.int32)
