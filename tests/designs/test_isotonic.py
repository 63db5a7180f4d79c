"""The choice by isotonic regression, against worked examples and the pool-adjacent-violators algorithm in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.designs import isotonic as module
from doselang.designs.methods import MethodError, Recommender, build

TARGET = Fraction(3, 10)


def isotonic(levels: int, target: Fraction = TARGET) -> Recommender:
    adviser = build("isotonic", {"target": target}, levels)
    assert isinstance(adviser, Recommender)
    return adviser


def choice(counts: list[tuple[int, int]], closed: tuple[int, ...] = (), target: Fraction = TARGET) -> int:
    """The chosen level, counted from 1, for (DLTs, evaluable) by level; 0 for none."""
    toxic, evaluable = (np.array([part]) for part in zip(*counts, strict=True))
    shut = np.isin(np.arange(1, len(counts) + 1), closed)[None]
    level = isotonic(len(counts), target).recommends(evaluable, toxic, np.array([0]), evaluable > 0, shut)
    return int(level[0]) + 1


def by_pooling(counts: list[tuple[int, int]]) -> list[Fraction]:
    """The estimates by pooling adjacent violators, from the lowest level up, all in fractions."""
    blocks: list[tuple[Fraction, Fraction, int]] = []
    for y, n in counts:
        a, b = y + Fraction(1, 20), n - y + Fraction(1, 20)
        weight = (a + b) ** 2 * (a + b + 1) / (a * b)
        blocks.append((a / (a + b), weight, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, u, k), (high, v, m) = blocks[-2:]
            blocks[-2:] = [((low * u + high * v) / (u + v), u + v, k + m)]
    return [mean for mean, _, size in blocks for _ in range(size)]


def test_worked_examples_of_boin() -> None:
    """The final choices of the BOIN protocol template (target 0.30), and a tie of each kind."""
    assert choice([(0, 3), (1, 6), (2, 9), (5, 12), (0, 0)]) == 3
    assert choice([(1, 6), (3, 3)], closed=(2,)) == 1
    assert choice([(3, 3), (0, 0)], closed=(1, 2)) == 0
    assert choice([(1, 6), (1, 6), (5, 6)]) == 2, "tied below the target: the higher"
    assert choice([(0, 6), (3, 6), (3, 6)]) == 2, "tied above the target: the lower"
    assert choice([(2, 6), (1, 6), (1, 6)]) == 3, "pooled below the target: the highest of the pool"


def test_levels_left_out_have_no_part() -> None:
    assert choice([(0, 3), (0, 0), (1, 3)]) == choice([(0, 3), (1, 3)]) + 1
    assert choice([(1, 3), (3, 3)], closed=(2,)) == choice([(1, 3)])


counts_of = st.lists(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=8
)


@given(counts_of)
def test_against_pooling_in_fractions(counts: list[tuple[int, int]]) -> None:
    toxic, evaluable = (np.array([part]) for part in zip(*counts, strict=True))
    expected = by_pooling(counts)
    assert np.abs(isotonic(len(counts)).estimates(evaluable, toxic)[0] - [float(one) for one in expected]).max() < 1e-10
    gaps = [abs(one - TARGET) for one in expected]
    nearest = [level for level, gap in enumerate(gaps) if gap == min(gaps)]
    below = [level for level in nearest if expected[level] < TARGET]
    assert choice(counts) - 1 == (below[-1] if below else nearest[0])


@given(counts_of, st.data())
def test_pooling_is_needed(counts: list[tuple[int, int]], data: st.DataObject) -> None:
    """The estimates rise; the mutant, the raw rates, does not where two rates are out of order."""
    toxic, evaluable = (np.array([part]) for part in zip(*counts, strict=True))
    estimates = isotonic(len(counts)).estimates(evaluable, toxic)[0]
    assert (np.diff(estimates) >= -1e-12).all()
    raw = (toxic[0] + 0.05) / (evaluable[0] + 0.1)
    assert np.allclose(raw, estimates) == bool((np.diff(raw) >= 0).all())


def test_what_it_cannot_tell() -> None:
    evaluable, toxic = np.array([[3, 0]]), np.array([[1, 0]])
    assert np.isnan(isotonic(2).estimates(evaluable, toxic)).tolist() == [[False, True]]
    with pytest.raises(MethodError, match="estimates, not probabilities"):
        isotonic(2).chance(evaluable, toxic, TARGET)
    with pytest.raises(ValueError, match="one column for each level"):
        isotonic(3).estimates(evaluable, toxic)
    with pytest.raises(ValueError, match="neither negative nor more"):
        isotonic(2).estimates(toxic, evaluable)


# ---- many rows at once, from what few tallies there are ----

MANY = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12), st.booleans(), st.booleans()), min_size=4, max_size=4),
    min_size=1,
    max_size=20,
)
"""By row and level: cohorts of three, patients with a DLT (of twelve), whether it is closed, and was tried."""


def arrays_of(rows: list[list[tuple[int, int, bool, bool]]]) -> tuple[np.ndarray, ...]:
    cohorts, part, closed, tried = np.array(rows).transpose(2, 0, 1)
    evaluable = 3 * cohorts
    return evaluable, evaluable * part // 12, closed.astype(bool), tried.astype(bool)


def by_estimates(rows: list[list[tuple[int, int, bool, bool]]], target: Fraction) -> list[int]:
    """The choice in each row among the levels that are admitted, by their estimates in fractions."""
    found = []
    for evaluable, toxic, closed, tried in zip(*arrays_of(rows), strict=True):
        there = np.flatnonzero(tried & ~closed & (evaluable > 0)).tolist()
        estimates = by_pooling([(int(toxic[level]), int(evaluable[level])) for level in there])
        gaps = [abs(one - target) for one in estimates]
        nearest = [k for k, gap in enumerate(gaps) if gap == min(gaps)]
        below = [k for k in nearest if estimates[k] < target]
        found.append(there[below[-1] if below else nearest[0]] if there else -1)
    return found


@given(MANY, st.sampled_from((Fraction(1, 4), Fraction(3, 10), Fraction(1, 2))))
def test_many_rows_against_pooling_in_fractions(
    rows: list[list[tuple[int, int, bool, bool]]], target: Fraction
) -> None:
    evaluable, toxic, closed, tried = arrays_of(rows)
    adviser, here = isotonic(4, target), np.zeros(len(rows), int)
    expected = by_estimates(rows, target)
    assert adviser.recommends(evaluable, toxic, here, tried, closed).tolist() == expected
    order = np.random.default_rng(1).permutation(evaluable.size)
    numbers = np.argsort(order).reshape(evaluable.shape)
    few = (column.ravel()[order] for column in (evaluable, toxic, tried, closed))
    few_evaluable, few_toxic, few_tried, few_closed = few
    found = adviser.recommends_of(numbers, few_evaluable, few_toxic, here, few_tried, few_closed)
    assert found.tolist() == expected


TIES = [[(2, 2 * y, False, True), (2, 12 - 2 * y, False, True), *[(0, 0, False, False)] * 2] for y in range(3)]
"""Two levels of six patients, as far below 50 % and above."""


def chosen(rows: list[list[tuple[int, int, bool, bool]]], target: Fraction) -> list[int]:
    evaluable, toxic, closed, tried = arrays_of(rows)
    found: list[int] = (
        isotonic(4, target).recommends(evaluable, toxic, np.zeros(len(rows), int), tried, closed).tolist()
    )
    return found


def test_ties_are_lost_without_a_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_estimates(TIES, Fraction(1, 2))
    assert chosen(TIES, Fraction(1, 2)) == expected
    monkeypatch.setattr(module, "TIED", 0.0)
    assert chosen(TIES, Fraction(1, 2)) != expected


def test_weights_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    real, target = module._observed, Fraction(1, 4)
    rng = np.random.default_rng(1)
    rows = [
        [(int(n), int(y), False, True) for n, y in zip(rng.integers(1, 5, 4), rng.integers(0, 9, 4), strict=True)]
        for _ in range(200)
    ]
    expected = by_estimates(rows, target)
    assert chosen(rows, target) == expected
    monkeypatch.setattr(module, "_observed", lambda n, y: (real(n, y)[0], np.ones(n.shape)))
    assert chosen(rows, target) != expected
