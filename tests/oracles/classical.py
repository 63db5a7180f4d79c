"""Three variants of the classical 3+3 that are in use, as one direct recursion over whole cohorts of three."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import comb
from typing import Literal

Variant = Literal["A", "B", "C"]
"""A escalation only, B with de-escalation, C with six patients at the MTD (E0)."""
History = tuple[tuple[int, int], ...]
"""The cohorts in order: level (from 0) and number of DLTs."""


def trials(variant: Variant, levels: int) -> Iterator[tuple[History, int | None]]:
    """Every history with its MTD, None where there is none."""
    yield from first_three(variant, levels, (), 0)


def first_three(variant: Variant, levels: int, past: History, level: int) -> Iterator[tuple[History, int | None]]:
    """A level entered by escalation."""
    top = level == levels - 1
    clear = (*past, (level, 0))
    if not top:
        yield from first_three(variant, levels, clear, level + 1)
    elif variant == "C":
        yield from refill(variant, clear, level)
    else:
        yield clear, level
    one = (*past, (level, 1))
    if top:
        yield (*one, (level, 0)), level
    else:
        yield from first_three(variant, levels, (*one, (level, 0)), level + 1)
    for dlts in (1, 2, 3):
        yield from too_toxic(variant, (*one, (level, dlts)), level)
    for dlts in (2, 3):
        yield from too_toxic(variant, (*past, (level, dlts)), level)


def refill(variant: Variant, past: History, level: int) -> Iterator[tuple[History, int | None]]:
    """Three more at a level that had none of three: at most one of the six makes it the MTD."""
    for dlts in (0, 1):
        yield (*past, (level, dlts)), level
    for dlts in (2, 3):
        yield from too_toxic(variant, (*past, (level, dlts)), level)


def too_toxic(variant: Variant, past: History, level: int) -> Iterator[tuple[History, int | None]]:
    """What follows a level that is too toxic."""
    if level == 0:
        yield past, None
    elif variant == "A" or sum(where == level - 1 for where, _ in past) == 2:
        yield past, level - 1
    else:
        yield from refill(variant, past, level - 1)


def histories(variant: Variant, levels: int) -> int:
    """The number of distinct histories."""
    return len({past for past, _ in trials(variant, levels)})


def verdicts(variant: Variant, rates: Sequence[Fraction]) -> tuple[tuple[Fraction, ...], Fraction]:
    """The probability of each level as MTD, and of no MTD, under true DLT rates, one a level."""
    mtd, no_mtd = [Fraction(0)] * len(rates), Fraction(0)
    for past, level in trials(variant, len(rates)):
        chance = Fraction(1)
        for where, dlts in past:
            chance *= comb(3, dlts) * rates[where] ** dlts * (1 - rates[where]) ** (3 - dlts)
        if level is None:
            no_mtd += chance
        else:
            mtd[level] += chance
    return tuple(mtd), no_mtd
