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

BLOCK = 1 << 14
"""So many rows are worked on at once: what is worked out of them stays near the processor."""


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
        numbers = np.arange(evaluable.size).reshape(evaluable.shape)
        return self.recommends_of(numbers, evaluable.ravel(), toxic.ravel(), here, tried.ravel(), closed.ravel())

    def recommends_of(
        self, numbers: Ints, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools
    ) -> Ints:  # fmt: skip
        """The same, where `numbers` [rows, levels] are the positions of the levels in the other arrays."""
        rates, weights = _observed(evaluable, toxic)
        weights = np.where(tried & ~closed & (evaluable > 0), weights, 0.0)
        beyond = weights * (rates - (float(self.target) - TIED))
        found = np.empty(len(numbers), np.int32)
        for start in range(0, len(numbers), BLOCK):
            some = numbers[start : start + BLOCK]
            found[start : start + BLOCK] = _nearest(_running(weights, some), _running(beyond, some))
        return found

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
        rates, weights = _observed(np.ascontiguousarray(evaluable.T), np.ascontiguousarray(toxic.T))
        return pooled(rates, np.where(admitted, weights, 0.0))


def _observed(evaluable: Ints, toxic: Ints) -> tuple[Floats, Floats]:
    """The rates that are seen, and their weights: the inverse of the variance."""
    a = toxic + SHRINK
    b = evaluable + 2 * SHRINK - a
    both = a + b
    return a / both, both * both * (both + 1) / (a * b)


def _running(terms: Floats, numbers: Ints) -> Floats:
    """The sums of the terms of the first levels, from none of them to all, [levels + 1, rows]."""
    sums = np.empty((numbers.shape[1] + 1, len(numbers)))
    sums[0] = 0.0
    for level in range(numbers.shape[1]):
        terms.take(numbers[:, level], out=sums[level + 1], mode="clip")
        sums[level + 1] += sums[level]
    return sums


def _nearest(weights: Floats, beyond: Floats) -> Ints:
    """The level whose estimate is nearest the target, -1 where no level has a weight; both [levels + 1, rows] change.

    `weights` are running sums of the weights of levels, and `beyond` those of weights times rates beyond the edge: what
    is below the edge is below the target, not equal to it. The levels estimated below the edge are those up to where
    the second is least: the corner. The estimate of the last of them is the greatest mean of levels that end at the
    corner, and that of the first one after it the least mean of levels that begin there. Of a mean's distance from the
    edge the inverse is taken, whose sign tells on which side of the corner it is. Source: as for `pooled`, the greatest
    convex minorant.
    """
    levels, rows = len(weights) - 1, weights.shape[1]
    least, corner, before = beyond.min(axis=0), np.zeros(rows, np.int8), np.ones(rows, np.bool_)
    for total in beyond[:-1]:
        before &= total > least
        corner += before
    at_corner = weights.ravel().take(corner * np.int64(rows) + np.arange(rows))
    below, above, upto = np.zeros(rows), np.zeros(rows), np.zeros(rows, np.int8)
    with np.errstate(invalid="ignore", divide="ignore"):
        for weight, total in zip(weights, beyond, strict=True):
            weight -= at_corner
            total -= least
            upto += weight <= 0
            weight /= total
            # At the corner, and at levels without weight next to it, there is no mean.
            np.fmin(below, weight, out=below)
            np.fmax(above, weight, out=above)
        distance = -1 / below
        nearer = (distance > 0) & (distance <= 1 / above - TIED)
    found: Ints = np.where(nearer, corner - 1, np.where(upto <= levels, upto - 1, -1)).astype(np.int32)
    return found
