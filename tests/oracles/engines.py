"""Two designs with engines, as forward passes over tallies: a CRM with its own quadrature, and BOIN by its table.

Nothing of doselang is used. A state is what was seen at every level and the level of the cohort that has just ended;
levels count from 0. The probability of a state is carried to its successors cohort by cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import comb, erfc, exp, log, sqrt

import numpy as np
from attrs import frozen

Tally = tuple[tuple[int, int], ...]
"""By level: patients, and those with a DLT."""
Decision = int | tuple[str, int | None]
"""The level of the next cohort, or why the trial stops and the level selected, None for none."""

NODES = np.linspace(-10.0, 10.0, 2001)
"""In prior standard deviations; Simpson's rule over them."""
SIMPSON = np.ones(len(NODES))
SIMPSON[1:-1:2], SIMPSON[2:-1:2] = 4.0, 2.0


@frozen
class Figures:
    """Operating characteristics, in the units of `Characteristics`: probabilities, expected patients and DLTs."""

    selected: tuple[float, ...]
    none: float
    patients: tuple[float, ...]
    dlts: tuple[float, ...]
    stops: dict[str, float]


def figures(decide: Callable[[Tally, int], Decision], start: int, rates: Sequence[float], size: int = 3) -> Figures:
    """All cohorts of a trial that begins at a level, until every branch has stopped."""
    levels = len(rates)
    selected, none, stops = [0.0] * levels, 0.0, dict[str, float]()
    patients, dlts = [0.0] * levels, [0.0] * levels
    here: dict[tuple[Tally, int], float] = {(((0, 0),) * levels, start): 1.0}
    while here:
        following: dict[tuple[Tally, int], float] = {}
        for (tally, level), weight in here.items():
            for toxic in range(size + 1):
                p = weight * comb(size, toxic) * rates[level] ** toxic * (1 - rates[level]) ** (size - toxic)
                patients[level] += size * p
                dlts[level] += toxic * p
                n, y = tally[level]
                seen = (*tally[:level], (n + size, y + toxic), *tally[level + 1 :])
                decision = decide(seen, level)
                if isinstance(decision, int):
                    following[seen, decision] = following.get((seen, decision), 0.0) + p
                    continue
                why, choice = decision
                stops[why] = stops.get(why, 0.0) + p
                if choice is None:
                    none += p
                else:
                    selected[choice] += p
        here = following
    return Figures(tuple(selected), none, tuple(patients), tuple(dlts), stops)


# ---- the continual reassessment method ----


@frozen
class Crm:
    """The power model p = s^exp(b), b ~ Normal(0, variance), with the rules of VIOLA around it.

    `enough` patients at the recommended level stop the trial, and so do `most` in all; a stop without recommendation
    comes where Pr(p at the lowest level > unsafe) > certainty, the posterior of b taken to be normal.
    """

    skeleton: tuple[float, ...]
    target: tuple[int, int]
    variance: float
    unsafe: float
    certainty: float
    enough: int
    most: int

    def moments(self, tally: Tally) -> tuple[float, float]:
        """Posterior mean and variance of b."""
        return _moments(self.skeleton, self.variance, tally)

    def chance(self, tally: Tally) -> float:
        """Pr(p at the lowest level > unsafe): that b is below a limit, its posterior taken to be normal."""
        mean, variance = self.moments(tally)
        limit = log(log(self.unsafe) / log(self.skeleton[0]))
        return erfc((mean - limit) / sqrt(2 * variance)) / 2

    def decide(self, tally: Tally, level: int) -> Decision:
        """What follows a cohort at a level."""
        if self.chance(tally) > self.certainty:
            return "unsafe", None
        mean, _ = self.moments(tally)
        hits, of = self.target
        gaps = [abs(s ** exp(mean) - hits / of) for s in self.skeleton]
        choice = gaps.index(min(gaps))
        choice = min(choice, 1 + max(number for number, (n, _) in enumerate(tally) if n))
        n, y = tally[level]
        if y * of > n * hits:
            choice = min(choice, level)
        if sum(n for n, _ in tally) == self.most:
            return "full", choice
        return ("enough", choice) if tally[choice][0] >= self.enough else choice


VIOLA = Crm((0.03, 0.07, 0.12, 0.20, 0.30, 0.40, 0.52), (1, 5), 0.75, 0.30, 0.72, 12, 21)
"""Yap et al., doi 10.1158/1078-0432.CCR-17-0582, with the parameters of the vignette of the R package dtpcrm."""


@cache
def _moments(skeleton: tuple[float, ...], variance: float, tally: Tally) -> tuple[float, float]:
    b = NODES * sqrt(variance)
    logs = -(NODES**2) / 2
    for s, (n, y) in zip(skeleton, tally, strict=True):
        if n:
            hit = np.exp(b) * log(s)
            logs = logs + y * hit + ((n - y) * np.log(-np.expm1(hit)) if n > y else 0.0)
    weight = SIMPSON * np.exp(logs - logs.max())
    mean = float((weight * b).sum() / weight.sum())
    return mean, float((weight * (b - mean) ** 2).sum() / weight.sum())


# ---- BOIN, target 0.30 ----

UP = (0, 1, 2, 2, 3, 4, 4, 5, 6, 7)
DOWN = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
OUT = (3, 4, 5, 7, 8, 9, 10, 11, 12, 14)
"""With 3, 6, … 30 patients at the level: escalate at so many DLTs at most; de-escalate, eliminate at so many at least.
The public protocol template for the Bayesian optimal interval design (Liu and Yuan 2015), target 0.30."""


def boin(most: int) -> Callable[[Tally, int], Decision]:
    """The decision of the template, in a trial of at most so many patients.

    A level is eliminated by what was seen at it, and a level below never has fewer patients again: so whether any
    level is out can be read from the tallies.
    """

    def decide(tally: Tally, level: int) -> Decision:
        out = next((number for number, (n, y) in enumerate(tally) if n and y >= OUT[n // 3 - 1]), len(tally))
        if out == 0:
            return "level 1 out", None
        if sum(n for n, _ in tally) == most:
            return "full", selected(tally[:out], 0.30)
        n, y = tally[level]
        if y <= UP[n // 3 - 1]:
            return min(level + 1, out - 1)
        return max(level - 1, 0) if y >= DOWN[n // 3 - 1] else level

    return decide


def selected(tally: Tally, target: float) -> int:
    """The tried level whose isotonic estimate is nearest the target; of equal ones the higher below it, else the lower.

    The isotonic regression is found by its max-min formula: the estimate of a level is the greatest over earlier
    beginnings of the smallest over later ends of the weighted mean between (Barlow, Bartholomew, Bremner, Brunk 1972).
    """
    tried = [number for number, (n, _) in enumerate(tally) if n]
    values, weights = [], []
    for number in tried:
        n, y = tally[number]
        a, b = y + 0.05, n - y + 0.05
        values.append(a / (a + b))
        weights.append((a + b) ** 2 * (a + b + 1) / (a * b))

    def mean(begin: int, end: int) -> float:
        some = slice(begin, end + 1)
        return sum(v * w for v, w in zip(values[some], weights[some], strict=True)) / sum(weights[some])

    count = len(tried)
    fit = [max(min(mean(i, j) for j in range(k, count)) for i in range(k + 1)) for k in range(count)]
    nearest = min(abs(value - target) for value in fit)
    tied = [k for k, value in enumerate(fit) if abs(value - target) < nearest + 1e-9]
    return tried[max(tied) if fit[tied[0]] < target else min(tied)]
