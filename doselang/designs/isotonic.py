"""The choice of a level by isotonic regression: nearest the target among estimates made to rise with the dose."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from attrs import frozen

from doselang.designs.arguments import MethodError
from doselang.designs.arrays import Bools, Floats, Ints

SHRINK = 0.05
"""Added to the patients with a DLT, and to those without, as in the R package BOIN: no rate is 0 or 1."""

TIED = 1e-9
"""Two distances from the target that differ by less are equal: rounding errors are far smaller."""


def pooled(rates: Floats, weights: Floats) -> Floats:
    """The weighted isotonic regression of each column, by its max-min formula: max over s <= i of min over t >= i.

    Parameters
    ----------
    rates, weights
        [levels, rows]: what is worked out for all rows stands together. A level of weight 0 has no part in the
        regression, and its value is not a number.

    Source: Robertson, Wright, Dykstra, Order Restricted Statistical Inference, 1988, section 1.4.
    """
    levels, rows = rates.shape
    weight, sums = np.zeros((levels + 1, rows)), np.zeros((levels + 1, rows))
    for level in range(levels):
        np.add(weight[level], weights[level], out=weight[level + 1])
        np.add(sums[level], weights[level] * rates[level], out=sums[level + 1])
    best = np.full((levels, rows), -np.inf)
    mean, whole = np.empty(rows), np.empty(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        for s in range(levels):
            # A block that ends, or begins, with a level of no weight has the mean of the block without it.
            least = np.full(rows, np.inf)
            for t in range(levels - 1, s - 1, -1):
                np.subtract(weight[t + 1], weight[s], out=whole)
                np.subtract(sums[t + 1], sums[s], out=mean)
                np.divide(mean, whole, out=mean)
                np.fmin(least, mean, out=least)  # a block without weight has no mean
                np.maximum(best[t], least, out=best[t])
    best[weights == 0] = np.nan
    return best


@frozen
class Isotonic:
    """Isotonic choice for a target rate.

    The regression runs over (y+0.05)/(n+0.1), weighted by the inverse of the variance of Beta(y+0.05, n-y+0.05), at
    the levels that were tried, have an evaluable patient and are not closed; the others have no part in it.
    Nearest the target wins. Of equally near ones it is the highest of those estimated below the target, if there
    are any, otherwise the lowest. Source: Liu, Yuan 2015 and the documentation of the R package BOIN.
    """

    target: Fraction

    def recommends(self, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools) -> Ints:
        """A level for each row, -1 where no level was tried and is open."""
        admitted = np.ascontiguousarray((tried & ~closed & (evaluable > 0)).T)
        estimate = self._estimate(evaluable, toxic, admitted)
        target, levels = float(self.target), len(admitted)
        gap = np.where(admitted, np.abs(estimate - target), np.inf)
        nearest = (gap <= gap.min(0) + TIED) & admitted
        below = nearest & (estimate < target - TIED)
        lowest, highest = np.full(len(here), -1, np.int32), np.full(len(here), -1, np.int32)
        for level in range(levels):
            highest = np.where(below[level], level, highest)
            lowest = np.where(nearest[levels - 1 - level], levels - 1 - level, lowest)
        return np.where(highest >= 0, highest, lowest).astype(np.int32)

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """Isotonic regression has no posterior: always a MethodError."""
        raise MethodError(
            "isotonic regression gives estimates, not probabilities: use crm, blrm or too-toxic for those"
        )

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """The isotonic estimates over all levels with an evaluable patient; not a number at the others."""
        return self._estimate(evaluable, toxic, (evaluable > 0).T).T

    def _estimate(self, evaluable: Ints, toxic: Ints, admitted: Bools) -> Floats:
        """The estimates [levels, rows] at the admitted levels [levels, rows], of tallies [rows, levels]."""
        a = np.ascontiguousarray(toxic.T, np.float64) + SHRINK
        b = np.ascontiguousarray(evaluable.T, np.float64) + 2 * SHRINK - a
        both = a + b
        weights = both * both * (both + 1) / (a * b)
        return pooled(a / both, np.where(admitted, weights, 0.0))
