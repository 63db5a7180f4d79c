"""The continual reassessment method with one parameter: posterior by quadrature, recommendation, safety probability."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import atan2, erfc, log, pi, sqrt
from typing import Literal

import numpy as np
from attrs import field, frozen

from doselang.designs.arguments import MethodError
from doselang.designs.arrays import Bools, Floats, Ints, distinct
from doselang.designs.quadrature import even_nodes, weights_below

BLOCK = 1 << 13
"""Rows of tallies integrated together: their densities stay in the processor's cache."""

MOST_KNOWN = 1 << 18
"""So many averages of one kind are kept; with more they are worked out anew."""

EDGE = 1e-11
"""The density at both ends of the grid, of its greatest value, that is small enough."""

REACH = 7.2
"""How far the grid reaches at first, in prior standard deviations: exp(-7.2²/2) is less than EDGE."""

TIED = 1e-10
"""Two distances from the target that differ by less are equal: the lower level is taken."""

Columns = Callable[[Floats, float], Floats]
"""For the nodes of a grid and its step (0: a prior of separate points), what is to be averaged, [columns, nodes]."""


@frozen
class Crm:
    """A one-parameter CRM. With s_l the skeleton, the DLT rate at level l is one of these.

    - power: p_l = s_l^exp(b);
    - logistic: logit p_l = c + exp(b) x_l with x_l = logit s_l - c, c the intercept.

    b has a normal prior of mean 0, or any prior on finitely many points. Sources: O'Quigley, Pepe, Fisher. Biometrics
    1990;46:33-48; O'Quigley, Shen. Biometrics 1996;52:673-684; the parametrisation of the R package dfcrm.

    Attributes
    ----------
    estimate
        `plug-in`: p_l at the posterior mean of b; `mean`: the posterior mean of p_l.
    posterior
        How `chance` reads the posterior of b: `normal` with its mean and variance, or `exact`.
    reach
        The highest level that the increase of the dose allows from each level; () if it is not limited.
    """

    target: Fraction
    model: Literal["power", "logistic"]
    skeleton: tuple[float, ...]
    intercept: float
    variance: float
    points: tuple[float, ...]
    masses: tuple[float, ...]
    estimate: Literal["plug-in", "mean"]
    posterior: Literal["normal", "exact"]
    no_skipping_up: bool
    coherent: bool
    reach: tuple[int, ...] = ()
    _known: dict[object, dict[bytes, Floats]] = field(factory=dict, init=False, eq=False, repr=False)
    """Averages worked out before, by what they are of and by tally: the same tallies are asked for again and again."""

    def recommends(self, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools) -> Ints:
        """The level with the estimate nearest the target, of equal ones the lower, brought down to what is allowed.

        In this order: not more than one above the highest level tried (if `no_skipping_up`); not more above the level
        given last than its dose allows (`reach`); not above the level given last if its observed rate exceeds the
        target (if `coherent`); below every closed level, -1 if none is.
        """
        gaps = np.abs(self.estimates(evaluable, toxic) - float(self.target))
        level = np.argmax(gaps <= gaps.min(1, keepdims=True) + TIED, 1)
        top = evaluable.shape[1] - 1
        if self.no_skipping_up:
            highest = np.where(tried.any(1), top - np.argmax(tried[:, ::-1], 1), top)
            level = np.minimum(level, highest + 1)
        level = np.minimum(level, reached(self.reach, here, tried))
        if self.coherent:
            rows = np.arange(len(here))
            y, n = toxic[rows, here].astype(np.int64), evaluable[rows, here].astype(np.int64)
            exceeds = (here >= 0) & (y * self.target.denominator > n * self.target.numerator)
            level = np.where(exceeds, np.minimum(level, here), level)
        return below_closed(level, closed)

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """Estimated DLT rates, [rows, levels], by plug-in or as posterior means."""
        if self.estimate == "plug-in":
            mean, _ = self.moments(evaluable, toxic)
            return np.exp(self._logs(mean)[0]).T
        return self._averages("rates", evaluable, toxic, lambda nodes, step: np.exp(self._logs(nodes)[0]), 1e-3)

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """Pr(p_l > rate), [rows, levels]: p_l falls as b rises, so it is the probability that b is below a limit."""
        limits = self._limits(float(rate))
        if self.posterior == "exact":

            def below(nodes: Floats, step: float) -> Floats:
                return weights_below(limits, nodes, step) if step else (nodes < limits[:, None]).astype(float)

            return np.clip(self._averages(rate, evaluable, toxic, below, 1e-8), 0.0, 1.0)
        return self._kept(("normal", rate), evaluable, toxic, lambda n, y: self._normal(n, y, limits))

    def _normal(self, evaluable: Ints, toxic: Ints, limits: Floats) -> Floats:
        """The probability that b is below each limit, [rows, limits], its posterior taken to be normal."""
        mean, variance = self.moments(evaluable, toxic)
        if not (variance > 0).all():
            raise MethodError(
                "a posterior of no variance has no normal approximation: use the exact posterior", "posterior"
            )
        scores = (mean[:, None] - limits) / np.sqrt(2 * variance)[:, None]
        return np.asarray(np.frompyfunc(erfc, 1, 1)(scores), float) / 2

    def moments(self, evaluable: Ints, toxic: Ints) -> tuple[Floats, Floats]:
        """Posterior mean and variance of b, each [rows]."""
        sums = self._averages("moments", evaluable, toxic, lambda nodes, step: np.stack([nodes, nodes**2]), 1e-3)
        return sums[:, 0], np.maximum(sums[:, 1] - sums[:, 0] ** 2, 0.0)

    def _limits(self, rate: float) -> Floats:
        """The b below which the rate at each level exceeds `rate`."""
        skeleton = np.array(self.skeleton)
        if self.model == "power":
            limits: Floats = np.log(log(rate) / np.log(skeleton))
            return limits
        distance = log(rate / (1 - rate)) - self.intercept
        if distance >= 0:  # the model never exceeds the intercept's rate
            return np.full(len(skeleton), -np.inf)
        limits = np.log(distance / (np.log(skeleton / (1 - skeleton)) - self.intercept))
        return limits

    def _logs(self, b: Floats) -> tuple[Floats, Floats]:
        """The logs of p_l and 1 - p_l for each b, [levels, values of b], formed so that neither is log 0."""
        skeleton = np.array(self.skeleton)[:, None]
        if self.model == "power":
            hit = np.exp(b) * np.log(skeleton)
            return hit, np.log(-np.expm1(hit))
        odds = self.intercept + np.exp(b) * (np.log(skeleton / (1 - skeleton)) - self.intercept)
        return -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)

    def _averages(self, of: object, evaluable: Ints, toxic: Ints, columns: Columns, tolerance: float) -> Floats:
        """Posterior means of the columns, [rows, columns], each different tally integrated once; `of` names them."""

        def integrate(n: Ints, y: Ints) -> Floats:
            counts = np.concatenate([y, n - y], 1).astype(float)
            if self.points:
                return self._over_points(counts, columns)
            return self._over_grids(counts, int(n.sum(1).max(initial=0)), columns, tolerance)

        return self._kept(of, evaluable, toxic, integrate)

    def _kept(self, of: object, evaluable: Ints, toxic: Ints, work: Callable[[Ints, Ints], Floats]) -> Floats:
        """What `work` makes of each tally, [rows, columns]: worked out once, and kept under the name `of`."""
        if not len(evaluable):
            return work(evaluable, toxic)
        first, which = distinct(np.concatenate([evaluable, toxic], 1))
        evaluable, toxic = evaluable[first], toxic[first]
        keys = _bytes_of(np.concatenate([evaluable, toxic], 1))
        known = self._known.setdefault(of, {})
        if len(known) > MOST_KNOWN:
            known.clear()
        new = np.array([number for number, key in enumerate(keys) if key not in known], np.intp)
        if len(new):
            known.update(zip((keys[number] for number in new), work(evaluable[new], toxic[new]), strict=True))
        return np.array([known[key] for key in keys])[which]

    def _over_points(self, counts: Floats, columns: Columns) -> Floats:
        nodes = np.array(self.points)
        logs = counts @ np.concatenate(self._logs(nodes)) + np.log(np.array(self.masses))
        density = np.exp(logs - logs.max(1, keepdims=True))
        averages: Floats = density @ columns(nodes, 0.0).T / density.sum(1, keepdims=True)
        return _finite(averages)

    def _over_grids(self, counts: Floats, patients: int, columns: Columns, tolerance: float) -> Floats:
        """By the trapezoidal rule on an even grid, made finer or longer for the tallies that need it.

        For a smooth density the rule errs by about exp(-2 (pi s/h)²), with s its standard deviation and h the step.
        The same sum with every other node errs by the fourth root of that, so where the two agree to `tolerance` the
        finer one is right to `tolerance`^4, and the sinc sums to about `tolerance`.
        """
        spread = 1 / sqrt(1 / self.variance + patients * self._information())
        finer, reach = 1 if tolerance > 1e-4 else 2, REACH * sqrt(self.variance)
        # The rates, as functions of b, have no singularity nearer the real line than this: so far is a step safe.
        smooth = atan2(pi, self.intercept) if self.model == "logistic" and self.intercept > 0 else pi / 2
        step = min(spread / (1.3 if finer == 1 else 2.0), 2 * pi * smooth / 24 / finer)
        averages = np.full((len(counts), len(columns(np.zeros(1), 1.0))), np.nan)
        left = np.arange(len(counts))
        for _ in range(9):
            nodes = even_nodes(0.0, reach, step)
            table, prior = np.concatenate(self._logs(nodes)), -(nodes**2) / (2 * self.variance)
            wanted = np.concatenate([columns(nodes, step), nodes[None]]).T
            short, coarse = np.zeros(len(left), bool), np.zeros(len(left), bool)
            for begin in range(0, len(left), BLOCK):
                block = slice(begin, begin + BLOCK)
                density = np.exp((logs := counts[left[block]] @ table + prior) - logs.max(1, keepdims=True))
                mass, half_mass = density.sum(1), density[:, ::2].sum(1)
                sums = density @ wanted / mass[:, None]
                shift = density[:, ::2] @ nodes[::2] / half_mass - sums[:, -1]
                short[block] = np.maximum(density[:, 0], density[:, -1]) > EDGE
                coarse[block] = ~((np.abs(2 * half_mass / mass - 1) < tolerance) & (np.abs(shift) < tolerance * spread))
                averages[left[block]] = sums[:, :-1]
            left = left[short | coarse]
            if not len(left):
                return _finite(averages)
            step, reach = step / (2 if coarse.any() else 1), reach * (1.5 if short.any() else 1)
        raise MethodError(
            "the posterior of the CRM could not be computed for some tallies: the prior is too far from them"
        )

    def _information(self) -> float:
        """The greatest Fisher information about b that one patient can give."""
        if self.model == "power":
            rate = np.linspace(0.001, 0.999, 999)
            return float((rate * np.log(rate) ** 2 / (1 - rate)).max())
        odds = np.linspace(-20, self.intercept, 2000)
        return float(((odds - self.intercept) ** 2 / (2 + 2 * np.cosh(odds))).max())


def reached(reach: tuple[int, ...], here: Ints, tried: Bools) -> Ints:
    """The highest level that may be reached from the one given last, in each row; the highest of all before any.

    While patients are at a level that the method does not know, the highest level tried stands for the one given last.
    """
    levels = tried.shape[1]
    if not reach:
        return np.full(len(here), levels - 1)
    last = np.where(here >= 0, here, np.where(tried.any(1), levels - 1 - np.argmax(tried[:, ::-1], 1), -1))
    found: Ints = np.array([*reach, levels - 1])[last]
    return found


def below_closed(level: Ints, closed: Bools) -> Ints:
    """Each level, or the highest below every closed one; -1 where the lowest is closed."""
    lowest_closed = np.where(closed.any(1), np.argmax(closed, 1), closed.shape[1])
    below: Ints = np.minimum(level, lowest_closed - 1).astype(np.int32)
    return below


def _bytes_of(rows: Ints) -> list[bytes]:
    """Each row of whole numbers as bytes."""
    whole = np.ascontiguousarray(rows, np.int32)
    found: list[bytes] = whole.view(f"V{whole.itemsize * whole.shape[1]}").ravel().tolist()
    return found


def _finite(averages: Floats) -> Floats:
    if not np.isfinite(averages).all():
        raise MethodError(
            "a posterior of the CRM is not finite: the skeleton or the prior is too extreme for the tallies"
        )
    return averages
