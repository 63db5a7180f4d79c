"""The CRM against a trial that was run with one, and against integration by other means."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from doselang.designs.methods import MethodError, Recommender, build
from doselang.designs.skeleton import made_skeleton

# VIOLA; Yap et al., doi 10.1158/1078-0432.CCR-17-0582, and the vignette of the R package dtpcrm: levels -2 … 4,
# start 0, cohorts of 3, the number after a colon is the cohort's DLTs.
VIOLA = """
0:0 1:0 2:0 > 3
0:0 1:0 2:1 > 2
0:0 1:0 2:2 > 1
0:0 1:0 2:3 > 0
0:0 1:1 1:0 > 2
0:0 1:1 1:1 > 0
0:0 1:1 1:2 > -1
0:0 1:2 -1:0 > 0
0:0 1:3 -2:0 > -1
0:0 1:3 -2:3 > STOP
0:1 -1:0 0:0 > 1
0:1 -1:1 -1:0 > -1
0:1 -1:1 -1:1 > -2
0:1 -1:3 -2:2 > STOP
0:2 -2:0 -2:0 > -1
0:2 -2:1 -2:2 > STOP
0:2 -2:2 > STOP
0:3 -2:0 -2:0 > -2
0:3 -2:2 > STOP
0:1 -1:2 -2:2 > -2
""".strip().splitlines()

SKELETON = tuple(Fraction(percent, 100) for percent in (3, 7, 12, 20, 30, 40, 52))


def viola(**changes: object) -> Recommender:
    told = {"target": Fraction(1, 5), "skeleton": SKELETON, "prior-variance": Fraction(3, 4)}
    told |= {"no-skipping-up": True, "coherent": True}
    crm = build("crm", told | {name.replace("_", "-"): value for name, value in changes.items()}, 7)
    assert isinstance(crm, Recommender)
    return crm


def next_level(crm: Recommender, cohorts: list[str]) -> str:
    """The level after the cohorts, or STOP: the safety stop is a rule about the chance at the lowest level."""
    evaluable, toxic = np.zeros((1, 7), np.int32), np.zeros((1, 7), np.int32)
    for cohort in cohorts:
        level, dlts = map(int, cohort.split(":"))
        evaluable[0, level + 2] += 3
        toxic[0, level + 2] += dlts
    if crm.chance(evaluable, toxic, Fraction(3, 10))[0, 0] > 0.72:
        return "STOP"
    nothing = np.zeros((1, 7), bool)
    return str(crm.recommends(evaluable, toxic, np.array([level + 2]), evaluable > 0, nothing)[0] - 2)


@pytest.mark.parametrize("row", VIOLA)
def test_the_trial_that_was_run(row: str) -> None:
    history, expected = row.split(" > ")
    cohorts = history.split()
    assert next_level(viola(), cohorts) == expected
    for number in range(1, len(cohorts)):  # each cohort was given where the method said
        assert next_level(viola(), cohorts[:number]) == cohorts[number].split(":")[0]


def test_the_trial_needs_its_restrictions() -> None:
    """The mutants: without no-skipping, or with another prior, some row is wrong."""
    for mutant in (viola(no_skipping_up=False), viola(prior_variance=Fraction(2))):
        assert any(next_level(mutant, row.split(" > ")[0].split()) != row.split(" > ")[1] for row in VIOLA)


# --- numbers

DFCRM = tuple(Fraction(percent, 100) for percent in (5, 10, 20, 35, 50, 70))


def tally(levels: str, toxic: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    n, y = np.zeros((1, count), np.int32), np.zeros((1, count), np.int32)
    for level, out in zip(levels, toxic, strict=True):
        n[0, int(level) - 1] += 1
        y[0, int(level) - 1] += int(out)
    return n, y


EXAMPLE = tally("3443343222", "0010011000", 6)
"""The data of the example of the R package dfcrm's function crm."""


def integrals(
    skeleton: tuple[Fraction, ...], seen: tuple[np.ndarray, np.ndarray], variance: float, intercept: float | None
):
    """Posterior mean and variance of b, posterior means of the rates: composite Gauss-Legendre over ±12 deviations."""
    x, w = np.polynomial.legendre.leggauss(40)
    cells = np.linspace(-12, 12, 121) * variance**0.5
    b = ((cells[1:] + cells[:-1])[:, None] / 2 + (cells[1] - cells[0]) / 2 * x).ravel()
    w = np.tile(w, 120)
    s = np.array([float(rate) for rate in skeleton])[:, None]
    n, y = (counts[0][:, None] for counts in seen)
    with np.errstate(all="ignore"):  # far out a rate is 0 or 1, and has no weight
        z = (intercept or 0) + np.exp(b) * (np.log(s / (1 - s)) - (intercept or 0))
        p = s ** np.exp(b) if intercept is None else 1 / (1 + np.exp(-z))
        other = -np.expm1(np.exp(b) * np.log(s)) if intercept is None else 1 / (1 + np.exp(z))
        logs = np.where(y > 0, y * np.log(p), 0) + np.where(n > y, (n - y) * np.log(other), 0)
    density = w * np.exp(logs.sum(0) - b * b / (2 * variance))
    density /= density.sum()
    mean = float(density @ b)
    return mean, float(density @ (b - mean) ** 2), p @ density, density, p


SITUATIONS = [
    tally("", "", 6),
    EXAMPLE,
    tally("1" * 30, "1" * 30, 6),
    tally("6" * 30, "0" * 30, 6),
    tally("3" * 90, "0" * 72 + "1" * 18, 6),
    tally("123456" * 3, "001011" * 3, 6),
]


@pytest.mark.parametrize("intercept", [None, 3, 4])
@pytest.mark.parametrize("variance", [Fraction(134, 100), Fraction(3, 4), Fraction(1, 100), Fraction(20)], ids=str)
@pytest.mark.parametrize("place", range(len(SITUATIONS)))
def test_posterior_against_another_quadrature(place: int, variance: Fraction, intercept: int | None) -> None:
    seen, model = SITUATIONS[place], "power" if intercept is None else "logistic"
    told = {"target": Fraction(1, 5), "skeleton": DFCRM, "prior-variance": variance, "model": model}
    told |= {} if intercept is None else {"intercept": intercept}
    plugged, means = build("crm", told, 6), build("crm", told | {"estimate": "mean", "posterior": "exact"}, 6)
    assert isinstance(plugged, Recommender) and isinstance(means, Recommender)
    mean, spread, rates, density, p = integrals(DFCRM, seen, float(variance), intercept)
    found_mean, found_variance = plugged.ladder.moments(*seen)  # type: ignore[attr-defined]
    assert abs(found_mean[0] - mean) < 1e-7 and abs(found_variance[0] - spread) < 1e-7
    assert np.abs(means.estimates(*seen)[0] - rates).max() < 1e-7
    # A step of the density falls into one cell of the quadrature: bounded, not equal.
    cell = density.reshape(120, 40).sum(1).max()
    chance = means.chance(*seen, Fraction(3, 10))[0]
    assert np.abs(chance - ((p > 0.3) @ density)).max() <= cell / 4 + 1e-9


def test_exact_chance_against_a_refined_integral() -> None:
    """Pr(p > 0.3), the integral from minus infinity to log(log 0.3 / log s), by Gauss-Legendre up to that limit."""
    crm = build("crm", {"target": Fraction(1, 5), "skeleton": DFCRM, "posterior": "exact"}, 6)
    assert isinstance(crm, Recommender)
    found = crm.chance(*EXAMPLE, Fraction(3, 10))[0]
    x, w = np.polynomial.legendre.leggauss(200)
    y, n = EXAMPLE[1][0], EXAMPLE[0][0]
    s = np.array([float(rate) for rate in DFCRM])[:, None]

    def mass(low: float, high: float) -> float:
        b = (low + high) / 2 + (high - low) / 2 * x
        logs = (y[:, None] * np.exp(b) * np.log(s) + (n - y)[:, None] * np.log(-np.expm1(np.exp(b) * np.log(s)))).sum(0)
        return float((w * np.exp(logs - b * b / 2.68)).sum() * (high - low) / 2)

    for level in range(6):
        limit = float(np.log(np.log(0.3) / np.log(s[level, 0])))
        assert abs(found[level] - mass(-9, limit) / (mass(-9, limit) + mass(limit, 9))) < 1e-8


def test_the_example_of_dfcrm() -> None:
    """The example of dfcrm's `crm`: level 2 is next; its numbers by the other quadrature, not printed in its manual."""
    crm = build("crm", {"target": Fraction(1, 5), "skeleton": DFCRM}, 6)
    assert isinstance(crm, Recommender)
    mean, *_ = integrals(DFCRM, EXAMPLE, 1.34, None)
    assert np.abs(crm.estimates(*EXAMPLE)[0] - [float(s) ** np.exp(mean) for s in DFCRM]).max() < 1e-7
    nothing = np.zeros((1, 6), bool)
    assert crm.recommends(*EXAMPLE, np.array([1]), EXAMPLE[0] > 0, nothing).tolist() == [1]


def test_before_any_patient() -> None:
    none = np.zeros((1, 7), np.int32)
    nowhere = np.zeros((1, 7), bool)
    assert viola().recommends(none, none, np.array([-1]), nowhere, nowhere).tolist() == [3]


def test_restrictions_one_by_one() -> None:
    n = np.array([[3, 0, 0, 0, 0, 0, 0]])
    y = np.array([[0, 0, 0, 0, 0, 0, 0]])
    here, open_ = np.array([0]), np.zeros((1, 7), bool)
    assert viola(no_skipping_up=False).recommends(n, y, here, n > 0, open_)[0] > 1
    assert viola().recommends(n, y, here, n > 0, open_).tolist() == [1]
    shut = open_.copy()
    shut[0, 1] = True
    assert viola().recommends(n, y, here, n > 0, shut).tolist() == [0]
    shut[0, 0] = True
    assert viola().recommends(n, y, here, n > 0, shut).tolist() == [-1]
    n, y = np.array([[0, 0, 30, 3, 0, 0, 0]]), np.array([[0, 0, 0, 1, 0, 0, 0]])  # 1 of 3 exceeds 20%
    assert viola(coherent=False).recommends(n, y, np.array([3]), n > 0, open_).tolist() == [4]
    assert viola().recommends(n, y, np.array([3]), n > 0, open_).tolist() == [3]


def test_one_more_dlt_never_a_higher_level() -> None:
    random = np.random.default_rng(5)
    n = random.integers(1, 4, (300, 7)) * 3
    y = random.binomial(n, 0.3)
    more = np.minimum(y + (np.arange(7) == random.integers(0, 7, 300)[:, None]), n)
    free = viola(no_skipping_up=False, coherent=False)
    here, open_ = np.full(300, 3), np.zeros((300, 7), bool)
    assert (free.recommends(n, more, here, n > 0, open_) <= free.recommends(n, y, here, n > 0, open_)).all()
    rates = free.estimates(n, y)
    assert (np.diff(rates) > 0).all() and ((rates > 0) & (rates < 1)).all()
    assert (np.diff(free.chance(n, y, Fraction(3, 10))) >= 0).all()


def test_a_prior_on_points() -> None:
    """Three values of b with weights 1, 2, 1: Bayes' rule by hand."""
    told = {
        "target": Fraction(1, 5),
        "skeleton": (Fraction(1, 5), Fraction(2, 5)),
        "posterior": "exact",
        "estimate": "mean",
    }
    crm = build("crm", told | {"prior-at": (-1, 0, 1), "prior-weights": (1, 2, 1)}, 2)
    assert isinstance(crm, Recommender)
    b = np.array([-1.0, 0.0, 1.0])
    p = np.array([[0.2], [0.4]]) ** np.exp(b)
    weight = np.array([1, 2, 1]) * p[0] ** 1 * (1 - p[0]) ** 2
    weight /= weight.sum()
    seen = np.array([[3, 0]]), np.array([[1, 0]])
    assert np.allclose(crm.estimates(*seen), p @ weight, atol=1e-14)
    assert np.allclose(crm.chance(*seen, Fraction(3, 10)), (p > 0.3) @ weight, atol=1e-14)


# --- the skeleton


@pytest.mark.parametrize("intercept", [None, 3.0])
def test_skeleton_from_an_indifference_interval(intercept: float | None) -> None:
    """What defines it (Lee, Cheung 2009): where level k has the rate target + delta, level k-1 has target - delta."""
    target, delta = 0.25, 0.05
    made = made_skeleton(Fraction(1, 4), Fraction(1, 20), 3, 6, intercept)
    assert abs(made[2] - target) < 1e-12

    def x(rate: float) -> float:
        return np.log(rate) if intercept is None else np.log(rate / (1 - rate)) - intercept

    for below, above in pairwise(made):
        factor = x(target + delta) / x(above)  # exp(b) with which the upper of the two has target + delta
        assert abs(factor * x(below) - x(target - delta)) < 1e-12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"skeleton": (Fraction(1, 5),)}, "1 rates, the ladder has 7"),
        ({"skeleton": tuple(reversed(SKELETON))}, "rise"),
        ({"skeleton": (Fraction(0), *SKELETON[1:])}, "neither of them included"),
        ({"prior_mtd": 3}, "either the skeleton"),
        ({"model": "logistic", "intercept": Fraction(-1)}, "raise the intercept"),
        ({"prior_at": (0, 1)}, "one weight for each"),
        ({"prior_variance": 0}, "at least 0.0001"),
        ({"target": 0}, "neither of them included"),
    ],
)
def test_what_cannot_be_built(changes: dict[str, object], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        viola(**changes)


def test_a_prior_far_from_the_tallies_is_refused_or_right() -> None:
    """An extreme posterior is never silently not a number."""
    crm = viola(prior_variance=Fraction(100))
    n = np.array([[300, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 300]])
    for y in (n, 0 * n):
        assert np.isfinite(crm.estimates(n, y)).all()


# --- what is kept


def test_what_was_worked_out_before_changes_nothing() -> None:
    """A method that is asked again, about some of the tallies and others, in another order, with repeats, or none."""
    random = np.random.default_rng(5)
    evaluable = random.integers(0, 5, (40, 7)).astype(np.int32) * 3
    toxic = (evaluable * random.uniform(0, 0.6, (40, 7))).astype(np.int32)
    for posterior in ("normal", "exact"):
        asked = viola(posterior=posterior)
        asked.chance(evaluable[:25], toxic[:25], Fraction(3, 10))
        for rate in (Fraction(3, 10), Fraction(1, 4)):
            rows = random.integers(0, 40, 60)
            some = asked.chance(evaluable[rows], toxic[rows], rate)
            assert some == pytest.approx(
                viola(posterior=posterior).chance(evaluable[rows], toxic[rows], rate), abs=1e-9
            )
    assert asked.chance(evaluable[:0], toxic[:0], Fraction(3, 10)).shape == (0, 7)
