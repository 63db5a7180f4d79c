"""Exits of a local situation: the ways in which a cohort can end, or a patient can come or become known."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from doselang.machine.decisions import Outcome
from doselang.machine.records import Arrival, Change, Known, Worse

Accrual = Literal["one-at-a-time", "whole-cohort", "any-order"]
"""How patients enter: each when the last one is known; in whole cohorts, and in a rolling part as fast as the rules
allow; in a rolling part in any order of arrivals and outcomes, which has no probabilities."""


@frozen
class Exit:
    """One way a cohort can end; in a rolling part, one thing that can come.

    `counts` are the patients without toxicity, then those of each class; `orders` the number of orders of patients
    that lead here; `letters` the first of them, as digits (0 none, 1 the first toxicity, …). `change` is what happens
    to the record of the level, None where it is that the patients of the cohort are known; `aside` the offset of that
    level from the one at which patients are under way.
    """

    counts: tuple[int, ...]
    orders: float
    letters: str
    complete: bool
    outcome: Outcome
    change: Change | None = None
    aside: int = 0

    @property
    def patients(self) -> int:
        """By how many the patients of the trial grow: those of a cohort as they are known, others as they enter."""
        match self.change:
            case Arrival(size):
                return size
            case Known() | Worse():
                return 0
            case _:
                return sum(self.counts)


@frozen
class Row:
    """What local situations have in common: the part, the size of the cohort, and its exits in canonical order.

    `decided` is what each outcome of a cohort comes to, in the order of `outcomes_of` and whether it can be reached or
    not; None where the cohort goes on. It is empty in other rows.
    """

    part: int
    size: int
    exits: tuple[Exit, ...]
    decided: tuple[Outcome | None, ...] = field(default=(), repr=False)
