"""The escalation of pembrolizumab and gemcitabine, calculated by a small recursion in fractions.

Levels are numbered from 0 (level -1), and the trial starts at 1. A decision is taken after three patients of a level
have finished the first cycle, and after six: 0/3 and 1/6 go up, 1/3 adds three, two DLTs or more leave the level. The
sentinel changes when patients enter, not what is decided.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

START, TOP = 1, 3


def binomial(n: int, k: int, rate: Fraction) -> Fraction:
    """The chance of k patients with a DLT among n."""
    return comb(n, k) * rate**k * (1 - rate) ** (n - k)


def tolerated(rate: Fraction) -> Fraction:
    """The chance that a level is tolerated: none of three, or one of three and none of three more."""
    return binomial(3, 0, rate) + binomial(3, 1, rate) * binomial(3, 0, rate)


def mtd(rates: list[Fraction]) -> tuple[list[Fraction], Fraction]:
    """By level the chance that it is the MTD, and that level -1 is not tolerated, where the text is silent."""
    found = [Fraction(0)] * len(rates)
    reached = Fraction(1)
    for level in range(START, TOP + 1):
        held = tolerated(rates[level])
        if level > START:
            found[level - 1] += reached * (1 - held)
        if level == TOP:
            found[level] += reached * held
        reached *= held
    left_start = 1 - tolerated(rates[START])
    found[0] = left_start * tolerated(rates[0])
    return found, left_start * (1 - tolerated(rates[0]))


def patients(rates: list[Fraction]) -> Fraction:
    """The expected number of patients of the escalation: three at a level, and three more after one DLT."""
    total, reached = Fraction(0), Fraction(1)
    for level in range(START, TOP + 1):
        total += reached * (3 + 3 * binomial(3, 1, rates[level]))
        reached *= tolerated(rates[level])
    return total + (1 - tolerated(rates[START])) * (3 + 3 * binomial(3, 1, rates[0]))
