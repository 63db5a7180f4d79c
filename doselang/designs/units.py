"""Designs that compare the posterior probability of intervals, each for its length: mTPI, mTPI-2, keyboard."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm

from doselang.designs.beta import at_most
from doselang.designs.intervals import DE_ESCALATE, ESCALATE, STAY


@lru_cache(maxsize=4096)
def mtpi(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The modified toxicity probability interval design at n patients, by the number y of patients with a DLT.

    Three intervals: from 0 to target - lower, from there to target + upper, from there to 1. The one with the greatest
    unit probability mass, Pr(interval | Beta(1+y, 1+n-y)) / length, decides. Of equal ones the highest does.

    Source: Ji, Liu, Li, Bekele. Clin Trials 2010;7:653-663.
    """
    return _strongest((Fraction(0), target - lower, target + upper, Fraction(1)), target, n)


@lru_cache(maxsize=4096)
def mtpi2(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The mTPI-2 design: as mTPI, with the outer intervals cut into pieces as long as the middle one.

    The pieces that reach 0 and 1 may be shorter. Source: Guo, Wang, Yang, Lynn, Ji. Contemp Clin Trials 2017;58:23-33.
    """
    keys = _keys(target, lower, upper)
    return _strongest(tuple(sorted({Fraction(0), *keys, Fraction(1)})), target, n)


@lru_cache(maxsize=4096)
def keyboard(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The keyboard design: keys as wide as the target key, the ends of 0 to 1 that are too short for a key left out.

    The key with the greatest posterior probability decides. Source: Yan, Mandrekar, Yuan. Clin Cancer Res
    2017;23:3994-4003.
    """
    return _strongest(_keys(target, lower, upper), target, n)


def _keys(target: Fraction, lower: Fraction, upper: Fraction) -> tuple[Fraction, ...]:
    """The ends of all whole keys between 0 and 1, in order."""
    width = lower + upper
    first = (target - lower) % width
    return tuple(first + k * width for k in range(int((1 - first) / width) + 1))


def _strongest(ends: tuple[Fraction, ...], target: Fraction, n: int) -> tuple[int, ...]:
    """By y, the step that belongs to the interval with the greatest probability for its length, in whole numbers."""
    whole = lcm(*(end.denominator for end in ends))
    places = [int(end * whole) for end in ends]
    tails = [at_most(place, whole, n + 1) for place in places]
    lengths = [after - before for before, after in pairwise(places)]
    common = lcm(*lengths)
    steps = [
        STAY if low < target * whole < high else ESCALATE if high <= target * whole else DE_ESCALATE
        for low, high in pairwise(places)
    ]

    def step(y: int) -> int:
        masses = [(tails[k][y] - tails[k + 1][y]) * (common // lengths[k]) for k in range(len(lengths))]
        return steps[max(range(len(masses)), key=lambda k: (masses[k], k))]

    return tuple(step(y) for y in range(n + 1))
