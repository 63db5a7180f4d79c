"""The register of a block of trials: one line for each patient who enters, in calendar order within a trial."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import define, field

from doselang.machine.records import Ints
from doselang.machine.weights import Floats

INEVALUABLE = -1
_COLUMNS = {
    "lane": np.int32, "person": np.int32, "part": np.int32, "level": np.int32, "cohort": np.int32,
    "opening": np.int32, "outcome": np.int32, "entered": np.float64, "known": np.float64,
}  # fmt: skip


@define
class Register:
    """Columns, of which the first `count` lines are filled.

    `lane` is the trial in its block, `person` who of those who came; `cohort` the number of the cohort in the trial,
    negative for patients beside one; `opening` how often the level had been opened; `outcome` 0 without toxicity, then
    each class, INEVALUABLE for those who leave early; `entered` and `known` are days.
    """

    count: int = 0
    lane: Ints = field(init=False)
    person: Ints = field(init=False)
    part: Ints = field(init=False)
    level: Ints = field(init=False)
    cohort: Ints = field(init=False)
    opening: Ints = field(init=False)
    outcome: Ints = field(init=False)
    entered: Floats = field(init=False)
    known: Floats = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name, kind in _COLUMNS.items():
            setattr(self, name, np.zeros(1 << 14, kind))

    def add(self, **columns: Any) -> Ints:
        """Write lines; where they stand."""
        lines = np.arange(self.count, self.count + len(columns["lane"]))
        self.count += len(lines)
        for name in _COLUMNS:
            column = getattr(self, name)
            if self.count > len(column):
                column = np.concatenate([column, np.zeros_like(column)])
                setattr(self, name, column)
            column[lines] = columns[name]
        return lines

    def close(self) -> None:
        """Cut the columns to what is filled."""
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[: self.count])
