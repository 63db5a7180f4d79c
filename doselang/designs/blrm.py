"""The Bayesian logistic regression model with overdose control: its posterior by quadrature in the plane."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import log, sqrt

import numpy as np
from attrs import define, field, frozen

from doselang.designs.arguments import MethodError
from doselang.designs.arrays import Bools, Floats, Ints, distinct
from doselang.designs.crm import below_closed, reached
from doselang.designs.quadrature import even_nodes, weights_below

ROUNDED = 6
"""Grids are made for numbers of patients that are multiples of this, so that there are few."""
CELLS = 1 << 17
"""Densities held at once, rows of tallies times nodes: they stay in the processor's cache."""

DEPTH = 18.0
"""Nodes whose log prior density is further below its maximum are left out, if the posterior has no weight there."""

NOTHING = 28.0
"""Nodes whose log density is further below the greatest of each of some tallies add nothing to their sums.

Thousands of them are less than 1e-8 of the greatest density, which is itself a hundredth of the sum or less.
"""

RIM = 2e-7
"""The density near the rim of the grid, of its greatest value, that is small enough."""

MOST_KNOWN = 200_000
"""Tallies whose averages are kept."""

MOST_RATES = 20
"""Rates for which they are kept; with more the first are forgotten."""

TIED = 1e-9
"""Two probabilities that differ by less are equal: the lower level is taken."""


@frozen
class Grid:
    """Nodes in the plane of log alpha and log beta, flattened, and what is computed on them once.

    The nodes of every other log beta come first: their sums alone are a coarser rule, by which the finer one is judged.

    Attributes
    ----------
    logs
        [2 * levels, nodes]: the logs of the rates, then of their complements.
    prior
        [nodes]: the log prior density, without its constant.
    columns
        [nodes, 3 + wanted]: 1; 1 on the rim; 1 at every other log alpha; what is wanted: per level the rate, then per
        limit and level the weight of being below it.
    first
        How many nodes are of every other log beta.
    """

    logs: Floats
    prior: Floats
    columns: Floats
    first: int


@define
class Known:
    """Averages that have been computed, [tallies, 1 + rates, levels], and the row of each tally.

    The grid is gone through once a tally, for all rates that have been asked: a protocol asks for few.
    """

    rates: tuple[float, ...]
    averages: Floats
    rows: dict[bytes, int] = field(factory=dict)

    def ask(self, rates: tuple[float, ...]) -> None:
        """From now on these rates are asked too: what was computed without them is computed again when it is asked."""
        further = tuple(rate for rate in rates if rate not in self.rates)
        if not further and len(self.rows) <= MOST_KNOWN:
            return
        if further:
            self.rates = (*self.rates, *further)[-MOST_RATES:]
        self.averages, self.rows = np.zeros((0, 1 + len(self.rates), self.averages.shape[2])), {}

    def add(self, keys: list[bytes], averages: Floats) -> None:
        """Keep the averages of some new tallies."""
        self.rows.update(zip(keys, range(len(self.averages), len(self.averages) + len(keys)), strict=True))
        self.averages = np.concatenate([self.averages, averages])


@frozen
class Blrm:
    """A two-parameter logistic model: logit p_l = log alpha + beta log(dose_l / reference dose).

    (log alpha, log beta) is bivariate normal. Source: Neuenschwander, Branson, Gsponer. Stat Med 2008;27:2420-2439.

    Attributes
    ----------
    scaled
        log(dose / reference dose) of each level, rising.
    middle, spread, correlation
        Prior means, standard deviations and correlation of log alpha and log beta.
    low, high
        The target interval; a rate above `high` is an overdose.
    limit
        The probability of an overdose from which on a level is not recommended.
    reach
        The highest level that the increase of the dose allows from each level; () if it is not limited.
    """

    scaled: tuple[float, ...]
    middle: tuple[float, float]
    spread: tuple[float, float]
    correlation: float
    low: Fraction
    high: Fraction
    limit: Fraction
    no_skipping_up: bool
    reach: tuple[int, ...] = ()
    _known: Known = field(init=False, eq=False, repr=False)

    @_known.default
    def _nothing(self) -> Known:
        rates = (float(self.low), float(self.high))
        return Known(rates, np.zeros((0, 1 + len(rates), len(self.scaled))))

    def recommends(self, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools) -> Ints:
        """The allowed level with the greatest probability of the target interval, of equal ones the lower.

        Allowed is a level below every closed one, whose probability of an overdose is less than the limit, within
        `reach` of the level given last, and, if `no_skipping_up`, at most one above the highest level tried; -1 where
        no level is.
        """
        top = evaluable.shape[1] - 1
        highest = below_closed(reached(self.reach, here, tried), closed)
        if self.no_skipping_up:
            most = np.where(tried.any(1), top - np.argmax(tried[:, ::-1], 1) + 1, top)
            highest = np.minimum(highest, most)
        averages = self._averages(evaluable, toxic, (float(self.low), float(self.high)))
        below_low, below_high = averages[:, 1], averages[:, 2]
        allowed = (1 - below_high < float(self.limit)) & (np.arange(top + 1) <= highest[:, None])
        inside = np.where(allowed, below_high - below_low, -np.inf)
        best = np.argmax(inside >= inside.max(1, keepdims=True) - TIED, 1)
        return np.where(allowed.any(1), best, -1).astype(np.int32)

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """Pr(p_l > rate), [rows, levels], exactly up to quadrature."""
        return np.clip(1 - self._averages(evaluable, toxic, (float(rate),))[:, 1], 0.0, 1.0)

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """The posterior means of the DLT rates, [rows, levels]."""
        return self._averages(evaluable, toxic, ())[:, 0]

    def _averages(self, evaluable: Ints, toxic: Ints, rates: tuple[float, ...]) -> Floats:
        """Posterior mean of p_l, then Pr(p_l <= rate) for each rate: [rows, 1 + rates, levels]."""
        first, which = distinct(np.concatenate([evaluable, toxic], 1))
        tallies = np.ascontiguousarray(np.concatenate([toxic[first], (evaluable - toxic)[first]], 1), np.int32)
        known = self._known
        known.ask(rates)
        keys: list[bytes] = tallies.view(f"V{tallies.itemsize * tallies.shape[1]}")[:, 0].tolist()
        new = [number for number, key in enumerate(keys) if key not in known.rows]
        if new:
            known.add([keys[number] for number in new], self._computed(tallies[new], known.rates))
        wanted = [0, *(1 + known.rates.index(rate) for rate in rates)]
        rows = np.array([known.rows[key] for key in keys], np.intp)
        shaped: Floats = known.averages[rows[which, None], wanted]
        return shaped

    def _computed(self, tallies: Ints, rates: tuple[float, ...]) -> Floats:
        """By tally, patients with and without a DLT at each level: [tallies, 1 + rates, levels]."""
        counts = tallies.astype(float)
        averages = np.full((len(counts), (1 + len(rates)) * len(self.scaled)), np.nan)
        # Few different grids: the number of patients is rounded up.
        left, patients = self._alike(counts), -(-int(tallies.sum(1).max(initial=0)) // ROUNDED) * ROUNDED
        # Given log beta, log alpha is log-concave and no patient adds more than 1/4 to its curvature.
        # The rates have no singularity within pi of the real line of log alpha: a step of 0.6 is safe for them.
        step = min(0.6, 1 / sqrt(patients / 4 + 1 / (self.spread[0] ** 2 * (1 - self.correlation**2))) / 1.8)
        across, depth = self.spread[1] / sqrt(1 + patients / 8) / 2, DEPTH
        for _ in range(6):
            grid = grid_of(self, rates, step, across, depth)
            again = np.zeros((len(left), 3), bool)
            size = max(1, CELLS // len(grid.prior))
            for begin in range(0, len(left), size):
                block = slice(begin, begin + size)
                averages[left[block]], again[block] = _integrated(counts[left[block]], grid)
            if not (unfit := again.any(1)).any():
                if not np.isfinite(averages).all():
                    break
                return averages.reshape(len(counts), 1 + len(rates), len(self.scaled))
            short, coarse_step, coarse_across = (bool(again[:, kind].any()) for kind in range(3))
            left, depth = left[unfit], depth * (2 if short else 1)
            step, across = step / (2 if coarse_step else 1), across / (2 if coarse_across else 1)
            if len(grid.prior) > 1 << 20:
                break
        raise MethodError(
            "the posterior of the BLRM could not be computed for some tallies: its prior is too far from them"
        )

    def _alike(self, counts: Floats) -> Ints:
        """The tallies in an order in which those with similar posteriors are neighbours: they need the same nodes."""
        levels, scaled = len(self.scaled), np.array(self.scaled)
        toxic, evaluable = counts[:, :levels], counts[:, :levels] + counts[:, levels:]
        return np.lexsort((evaluable @ scaled, toxic @ scaled, toxic.sum(1)))


def _integrated(counts: Floats, grid: Grid) -> tuple[Floats, Bools]:
    """Averages over the grid, and for each row whether the grid is too short, too coarse one way, or the other.

    The rule with every other node errs by the fourth root of the error of the full one (see the CRM).
    """
    logs = counts @ grid.logs
    logs += grid.prior
    greatest = logs.max(1, keepdims=True)
    there = np.flatnonzero((logs > greatest - NOTHING).any(0))
    density = logs.take(there, 1)
    density -= greatest
    np.exp(density, out=density)
    columns, first = grid.columns.take(there, 0), int(np.searchsorted(there, grid.first))
    halved = density[:, :first] @ columns[:first]
    sums = halved + density[:, first:] @ columns[first:]
    half_mass = halved[:, 0] / sums[:, 0]
    sums, halved = sums / sums[:, :1], halved / halved[:, :1]
    averages = sums[:, 3:]
    too_short = sums[:, 1] > RIM
    coarse_step = ~(np.abs(2 * sums[:, 2] - 1) < 1e-6)
    coarse_across = ~((np.abs(2 * half_mass - 1) < 1e-3) & (np.abs(halved[:, 3:] - averages).max(1) < 1e-3))
    return averages, np.stack([too_short, coarse_step, coarse_across], 1)


@lru_cache(maxsize=16)
def grid_of(model: Blrm, rates: tuple[float, ...], step: float, across: float, depth: float) -> Grid:
    """The grid of a model: steps in log alpha and in log beta, out to where the log prior has fallen by `depth`."""
    reach = sqrt(2 * depth)
    alphas = even_nodes(model.middle[0], reach * model.spread[0], step)
    betas = even_nodes(model.middle[1], reach * model.spread[1], across)
    a, b = np.meshgrid(alphas, betas, indexing="xy")  # [betas, alphas]
    u, v = (a - model.middle[0]) / model.spread[0], (b - model.middle[1]) / model.spread[1]
    fallen = (u * u - 2 * model.correlation * u * v + v * v) / (2 * (1 - model.correlation**2))
    kept = fallen <= depth
    scaled = np.array(model.scaled)
    odds = (a[None] + np.exp(b)[None] * scaled[:, None, None])[:, kept]
    hit, miss = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
    wanted = [np.exp(hit)]
    for rate in rates:
        limits = log(rate / (1 - rate)) - np.exp(betas)[None] * scaled[:, None]  # [levels, betas], of log alpha
        wanted.append(weights_below(limits.ravel(), alphas, step).reshape(len(scaled), *a.shape)[:, kept])
    rim = (fallen > depth - 2)[kept].astype(float)
    other_alpha, other_beta = np.zeros(a.shape), np.zeros(a.shape, bool)
    other_alpha[:, ::2], other_beta[::2] = 1.0, True
    chosen = other_beta[kept]
    columns = np.stack([np.ones(len(chosen)), rim, other_alpha[kept], *np.concatenate(wanted)], 1)
    order = np.argsort(~chosen, kind="stable")
    logs = np.concatenate([hit, miss])[:, order]
    return Grid(np.ascontiguousarray(logs), -fallen[kept][order], columns[order], int(chosen.sum()))
