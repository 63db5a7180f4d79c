"""The BLRM against the paper that introduced it, another program's numbers, and integration by other means."""

from __future__ import annotations

from fractions import Fraction
from math import erfc

import numpy as np
import pytest

from doselang.designs.methods import MethodError, Recommender, build

# Neuenschwander, Branson, Gsponer 2008: 15 doses, reference 250, bivariate prior; 3, 4, 5 and 4 patients at 1, 2.5, 5
# and 10 without a DLT, 2 patients at 25 with one each.
DOSES = (1, Fraction(5, 2), 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 250)
PRIOR = {
    "mean-log-alpha": Fraction("2.15"),
    "mean-log-beta": Fraction("0.52"),
    "sd-log-alpha": Fraction("0.84"),
    "sd-log-beta": Fraction("0.8"),
    "correlation": Fraction("0.134") / (Fraction("0.84") * Fraction("0.8")),
}
READ_OFF_FIGURE_1 = [0.01, 0.02, 0.05, 0.13, 0.19, 0.25, 0.30, 0.35, 0.47, 0.53, 0.68, 0.74, 0.85, 0.89, 0.92]
"""Posterior means read off the paper's figure 1, as the tests of the R package escalation have them."""
BY_BCRM = [0.01276, 0.03170, 0.06454, 0.13103, 0.19506, 0.25487, 0.30991, 0.36015, 0.44717, 0.51853]
BY_BCRM += [0.64632, 0.72710, 0.81805, 0.86567, 0.89421]
"""The same by Markov chain Monte Carlo, from the R package bcrm, quoted in the same tests."""


def paper(**changes: object) -> Recommender:
    told = {
        "doses": DOSES,
        "reference-dose": 250,
        **PRIOR,
        "target-low": Fraction(1, 5),
        "target-high": Fraction(35, 100),
    }
    blrm = build("blrm", told | {name.replace("_", "-"): value for name, value in changes.items()}, 15)
    assert isinstance(blrm, Recommender)
    return blrm


def tallies(**at: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    evaluable, toxic = np.zeros((1, 15), np.int32), np.zeros((1, 15), np.int32)
    for level, (n, y) in at.items():
        evaluable[0, int(level[1:]) - 1], toxic[0, int(level[1:]) - 1] = n, y
    return evaluable, toxic


SEEN = tallies(d1=(3, 0), d2=(4, 0), d3=(5, 0), d4=(4, 0), d7=(2, 2))


def by_brute_force(evaluable: np.ndarray, toxic: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and Pr(rate exceeded) by midpoints in log beta and, for the tail, sorted sums in log alpha."""
    rho = float(PRIOR["correlation"])
    a = 2.15 + 0.84 * np.linspace(-7, 7, 2001)[:, None]
    b = 0.52 + 0.8 * np.linspace(-7, 7, 401)[None]
    u, v = (a - 2.15) / 0.84, (b - 0.52) / 0.8
    logs = -(u * u - 2 * rho * u * v + v * v) / (2 * (1 - rho**2))
    odds = [a + np.exp(b) * np.log(float(dose) / 250) for dose in DOSES]
    for z, n, y in zip(odds, evaluable[0], toxic[0], strict=True):
        logs = logs - y * np.logaddexp(0, -z) - (n - y) * np.logaddexp(0, z)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    cut, step = np.log(rate / (1 - rate)), a[1, 0] - a[0, 0]
    # A cell of log alpha that the cut goes through counts by the part of it above the cut.
    above = [(weight * np.clip((z - cut) / step + 0.5, 0, 1)).sum() for z in odds]
    return np.array([(weight * np.exp(-np.logaddexp(0, -z))).sum() for z in odds]), np.array(above)


def test_the_paper_that_introduced_it() -> None:
    means = paper().estimates(*SEEN)[0]
    assert np.abs(means - READ_OFF_FIGURE_1).max() < 0.035  # as near as a figure, and their simulation, can be read
    assert np.abs(means - BY_BCRM).max() < 0.005


@pytest.mark.parametrize(
    "at", [{}, {"d7": (2, 2)}, {"d1": (3, 0), "d4": (4, 0), "d7": (6, 2)}, {"d1": (6, 6)}], ids=str
)
def test_against_a_fine_grid(at: dict[str, tuple[int, int]]) -> None:
    seen = tallies(**at)
    means, above = by_brute_force(*seen, 0.35)
    assert np.abs(paper().estimates(*seen)[0] - means).max() < 1e-6
    assert np.abs(paper().chance(*seen, Fraction(35, 100))[0] - above).max() < 2e-6


def test_a_wide_prior_without_patients() -> None:
    """log alpha ~ N(0, 5²), beta nearly 1: Pr(rate > 1/2) is 1/2 at the reference dose, below it by a normal sum."""
    told = {"doses": (1, 10), "reference-dose": 10, "mean-log-alpha": 0, "mean-log-beta": 0, "sd-log-alpha": 5}
    blrm = build("blrm", told | {"sd-log-beta": Fraction(1, 20)}, 2)
    assert isinstance(blrm, Recommender)
    none = np.zeros((1, 2), np.int32)
    b = 0.05 * np.linspace(-8, 8, 2001)
    weight = np.exp(-((b / 0.05) ** 2) / 2)
    at_one = (
        sum(w * erfc(-np.exp(x) * np.log(0.1) / 5 / 2**0.5) / 2 for w, x in zip(weight, b, strict=True)) / weight.sum()
    )
    assert np.abs(blrm.chance(none, none, Fraction(1, 2))[0] - [at_one, 0.5]).max() < 1e-6
    assert abs(blrm.estimates(none, none)[0, 1] - 0.5) < 1e-6


def recommended(blrm: Recommender, seen: tuple[np.ndarray, np.ndarray], closed: int | None = None) -> int:
    shut = np.zeros((1, 15), bool)
    if closed is not None:
        shut[0, closed] = True
    return int(blrm.recommends(*seen, np.array([-1]), seen[0] > 0, shut)[0])


def test_overdose_control_decides() -> None:
    """By the fine grid: of the levels with Pr(rate > 35%) below 25% the one with the greatest Pr(20% to 35%)."""
    _, over = by_brute_force(*SEEN, 0.35)
    _, above_low = by_brute_force(*SEEN, 0.20)
    for limit in (0.25, 0.05, 1.0):
        inside = np.where(over < limit, above_low - over, -1)
        assert recommended(paper(overdose_limit=Fraction(str(limit))), SEEN) == int(np.argmax(inside))
    assert recommended(paper(overdose_limit=Fraction(1, 20)), SEEN) < recommended(paper(), SEEN)


def test_what_is_closed_or_skipped() -> None:
    best = recommended(paper(), SEEN)
    assert recommended(paper(), SEEN, closed=3) < 3 < best
    assert recommended(paper(), SEEN, closed=0) == -1
    few = tallies(d1=(3, 0))
    assert recommended(paper(), few) > 1 and recommended(paper(no_skipping_up=True), few) == 1
    assert recommended(paper(), tallies(d1=(9, 9))) == -1, "even the lowest is an overdose"


def test_rows_are_independent_of_their_company() -> None:
    random = np.random.default_rng(3)
    evaluable = random.integers(0, 3, (40, 15)) * 3
    toxic = random.binomial(evaluable, 0.3)
    together = paper().chance(evaluable, toxic, Fraction(35, 100))
    alone = [paper().chance(evaluable[k : k + 1], toxic[k : k + 1], Fraction(35, 100))[0] for k in range(6)]
    assert np.abs(together[:6] - alone).max() < 2e-6
    assert (np.diff(together) >= -1e-9).all(), "a higher dose is never less toxic"


def test_what_was_asked_before_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method asked for more rates than are kept, and of tallies it has met, against a new one for each question."""
    monkeypatch.setattr("doselang.designs.blrm.MOST_RATES", 4)
    random = np.random.default_rng(4)
    evaluable = random.integers(0, 3, (30, 15)) * 3
    toxic = random.binomial(evaluable, 0.3)
    asked = paper()
    for percent in (35, 20, 16, 35, 50, 16, 45, 20):
        rate = Fraction(percent, 100)
        some = slice(None) if percent % 2 else slice(10, 20)
        found = asked.chance(evaluable[some], toxic[some], rate)
        assert np.abs(found - paper().chance(evaluable[some], toxic[some], rate)).max() < 1e-8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"doses": (1, 2)}, "2 doses, the ladder has 15"),
        ({"doses": tuple(reversed(DOSES))}, "rise"),
        ({"reference_dose": 0}, "above 0"),
        ({"target_low": Fraction(1, 2)}, "target interval"),
        ({"overdose_limit": 0}, "no level is ever recommended"),
        ({"correlation": 1}, "at most 0.95"),
    ],
)
def test_what_cannot_be_built(changes: dict[str, object], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        paper(**changes)
