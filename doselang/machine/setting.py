"""What all situations of one machine share: its records, the relations of its levels, its advisers."""

from __future__ import annotations

from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from attrs import define

from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints, Records
from doselang.machine.relations import Bools, Relations

Floats = NDArray[np.float64]


class Speaker(Interface):
    """An adviser that says a word about a level, for its patients and those with toxicity."""

    words: tuple[str, ...]

    def says(self, evaluable: Ints, toxic: Ints) -> Ints:
        """A position in `words` for each element, -1 where nothing is said."""


class Recommender(Interface):
    """An adviser that recommends a level, for the patients of all levels and those with toxicity."""

    def recommends_of(
        self, numbers: Ints, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools
    ) -> Ints:  # fmt: skip
        """A level for each row, -1 for none; `numbers` [rows, levels] are positions in the arrays about tallies."""

    def chance(self, evaluable: Ints, toxic: Ints, rate: object) -> Floats:
        """The probability that the rate of toxicity is higher, [rows, levels]."""


@runtime_checkable
class Estimator(Interface):
    """An adviser that estimates rates of toxicity."""

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """The estimated rate at each level, [rows, levels]; not a number where there is none."""


@define
class Setting:
    """What a machine's views share. `start` is the level of the beginning, `result` the verdict that is the result."""

    records: Records
    relations: Relations
    start: int
    result: int
    advisers: tuple[object, ...] = ()
    counted: tuple[tuple[int, ...], ...] = ()
    """The toxicities that each adviser counts, added up."""
