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

BLOCK = 1 << 13
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
        return self._nearest(*self._terms(evaluable.T, toxic.T, (tried & ~closed).T))

    def recommends_of(
        self, numbers: Ints, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools
    ) -> Ints:  # fmt: skip
        """The same, where `numbers` [rows, levels] are the positions of the levels in the other arrays."""
        weights, excess = self._terms(evaluable, toxic, tried & ~closed)
        found = np.empty(len(numbers), np.int32)
        for start in range(0, len(numbers), BLOCK):
            some = np.ascontiguousarray(numbers[start : start + BLOCK].T, np.intp)
            found[start : start + BLOCK] = self._nearest(weights.take(some), excess.take(some))
        return found

    def _terms(self, evaluable: Ints, toxic: Ints, admitted: Bools) -> tuple[Floats, Floats]:
        """The weight of each level, 0 where it has no part in the regression; and that times its rate beyond the edge.

        The edge is what is below the target, and not equal to it.
        """
        rates, weights = _observed(evaluable, toxic)
        weights = np.where(admitted & (evaluable > 0), weights, 0.0)
        return weights, weights * (rates - (float(self.target) - TIED))

    def _nearest(self, weights: Floats, beyond: Floats) -> Ints:
        """The level whose estimate is nearest the target, for terms [levels, rows]; -1 where no level has a weight.

        The levels estimated below the edge are those up to where the running sum of `beyond` is least: the corner. The
        estimate of the last of them is the greatest mean of levels that end at the corner, and that of the first one
        after it the least mean of levels that begin there; of a mean's distance from the edge the inverse is taken,
        whose sign tells on which side it is. Source: as for `pooled`, the greatest convex minorant.
        """
        weight, sums = _running(weights), _running(beyond)
        levels, rows = weights.shape
        least, corner = sums.min(axis=0), np.zeros(rows, np.intp)
        before, at = np.ones(rows, np.bool_), np.zeros(rows, np.int8)
        for total in sums[:-1]:
            before &= total > least
            corner += before
        at_corner = weight.ravel().take(corner * rows + np.arange(rows))
        below, above = np.zeros(rows), np.zeros(rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            for whole, total in zip(weight, sums, strict=True):
                inverse = whole - at_corner
                at += inverse <= 0
                inverse /= total - least
                np.fmin(below, inverse, out=below)  # at the corner, and levels without weight from it, there is no mean
                np.fmax(above, inverse, out=above)
            nearer = (below < 0) & ((above == 0) | (-1 / below <= 1 / above - TIED))
        found: Ints = np.where(nearer, corner - 1, np.where(at <= levels, at - 1, -1)).astype(np.int32)
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


def _running(terms: Floats) -> Floats:
    """The sums of the first terms of [levels, rows], from none of them to all."""
    sums = np.zeros((len(terms) + 1, terms.shape[1]))
    for level, term in enumerate(terms):
        np.add(sums[level], term, out=sums[level + 1])
    return sums
