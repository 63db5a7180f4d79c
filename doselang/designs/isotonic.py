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
    """The weighted isotonic regression of each row, by its max-min formula: max over s <= i of min over t >= i.

    Parameters
    ----------
    rates, weights
        [rows, levels]; a level of weight 0 has no part in the regression, and its value is not a number.

    Source: Robertson, Wright, Dykstra, Order Restricted Statistical Inference, 1988, section 1.4.
    """
    levels = rates.shape[1]
    there = np.ascontiguousarray((weights > 0).T)
    # by level, so that what is worked out for all rows stands together
    weight, sums = np.zeros((levels + 1, len(rates))), np.zeros((levels + 1, len(rates)))
    np.cumsum(weights.T, 0, out=weight[1:])
    np.cumsum((weights * rates).T, 0, out=sums[1:])
    best = np.full((levels, len(rates)), -np.inf)
    for s in range(levels):
        # A block that ends, or begins, with a level of no weight has the mean of the block without it.
        least = np.full(len(rates), np.inf)
        for t in range(levels - 1, s - 1, -1):
            with np.errstate(invalid="ignore"):
                mean = (sums[t + 1] - sums[s]) / (weight[t + 1] - weight[s])
            np.fmin(least, mean, out=least)  # a block without weight has no mean
            np.maximum(best[t], least, out=best[t])
    return np.where(there, best, np.nan).T


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
        admitted = tried & ~closed & (evaluable > 0)
        estimate = self._estimate(evaluable, toxic, admitted)
        target = float(self.target)
        gap = np.where(admitted, np.abs(estimate - target), np.inf)
        nearest = admitted & (gap <= gap.min(1, keepdims=True) + TIED)
        below = nearest & (estimate < target - TIED)
        highest = evaluable.shape[1] - 1 - np.argmax(below[:, ::-1], 1)
        chosen: Ints = np.where(below.any(1), highest, np.where(nearest.any(1), np.argmax(nearest, 1), -1))
        return chosen.astype(np.int32)

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """Isotonic regression has no posterior: always a MethodError."""
        raise MethodError(
            "isotonic regression gives estimates, not probabilities: use crm, blrm or too-toxic for those"
        )

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """The isotonic estimates over all levels with an evaluable patient; not a number at the others."""
        return self._estimate(evaluable, toxic, evaluable > 0)

    def _estimate(self, evaluable: Ints, toxic: Ints, admitted: Bools) -> Floats:
        a, b = toxic + SHRINK, evaluable - toxic + SHRINK
        weights = (a + b) ** 2 * (a + b + 1) / (a * b)
        return pooled(a / (a + b), np.where(admitted, weights, 0.0))
