"""States made one: equal ones and no others, whatever their hashes; each way to it is broken on purpose."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.machine import ends, merging
from doselang.machine.arrays import dense, fetched, held_once
from doselang.machine.ends import Ends
from doselang.machine.merging import Cohort, Groups, Packed, after_cohorts, grouped, merged, packed

LEVELS = 5
ROWS = st.lists(st.lists(st.integers(0, 2), min_size=LEVELS, max_size=LEVELS).map(tuple), min_size=1, max_size=60)
Codes = tuple[int, ...]
EVERY: list[Codes] = [(*codes, 0) for codes in product(range(3), repeat=LEVELS - 1)]


def states(rows: list[Codes], orders: list[float] | None = None) -> Packed:
    return packed(np.array(rows), np.arange(1.0, 1 + len(rows)) if orders is None else np.array(orders))


def rows_of(states: Packed) -> list[tuple[Codes, float]]:
    return list(zip(map(tuple, states.codes(LEVELS).tolist()), states.orders.tolist(), strict=True))


def added_up(rows: list[tuple[Codes, float]]) -> dict[Codes, float]:
    sums: Counter[Codes] = Counter()
    for codes, orders in rows:
        sums[codes] += orders  # type: ignore[assignment]
    return dict(sums)


def without(codes: Codes, level: int | None) -> Codes:
    return codes if level is None else (*codes[:level], *codes[level + 1 :])


def all_hashes_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "hashed", lambda columns: np.zeros(len(columns[0]), np.uint64))


# ---- sorted by a hash, and compared ----


@given(ROWS)
def test_merging_adds_up_equal_states_and_no_others(rows: list[Codes]) -> None:
    several = states(rows)
    found = merged([several])
    assert added_up(rows_of(found)) == added_up(rows_of(several)) and len(found) == len(set(rows))


def well_grouped(groups: Groups, rows: list[Codes], level: int | None) -> bool:
    """Whether every state is there, and each group has all states that agree, and no others."""
    bounds = [*groups.starts.tolist(), len(groups.states)]
    there = [codes for codes, _ in rows_of(groups.states)]
    each = [{without(codes, level) for codes in there[a:b]} for a, b in pairwise(bounds)]
    return (
        sorted(rows_of(groups.states)) == sorted(rows_of(states(rows)))
        and all(len(one) == 1 for one in each)
        and len(each) == len({without(codes, level) for codes in rows})
    )


@given(ROWS, st.sampled_from((None, 0, 3, 4)))
def test_groups_have_what_agrees_in_all_other_levels(rows: list[Codes], level: int | None) -> None:
    assert well_grouped(grouped([states(rows)], level), rows, level)


def test_states_whose_hashes_agree_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    all_hashes_equal(monkeypatch)
    found = merged([states(EVERY, [1.0] * len(EVERY))] * 2)
    assert len(found) == len(EVERY) and set(found.orders.tolist()) == {2.0}
    assert all(well_grouped(grouped([states(EVERY * 2)], level), EVERY * 2, level) for level in (None, 0, 4))


def test_a_hash_that_is_trusted_would_put_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    all_hashes_equal(monkeypatch)
    monkeypatch.setattr(merging, "_differs", lambda words, masks: np.arange(len(words)) == 0)
    assert len(merged([states(EVERY)])) == 1
    assert not well_grouped(grouped([states(EVERY)], 0), EVERY, 0)


def test_groups_that_forget_a_level_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = merging._masks
    monkeypatch.setattr(merging, "_masks", lambda words, but: real(words, but) & real(words, 1))
    assert not well_grouped(grouped([states(EVERY)], 0), EVERY, 0)


# ---- added up in one place each ----

COHORT_CODES = 3
AFTER = st.lists(st.lists(st.integers(0, 9), min_size=COHORT_CODES, max_size=COHORT_CODES), min_size=1, max_size=4)
"""By outcome: the code afterwards of each code before."""


def cohort_of(after: list[list[int]], level: int, order: int) -> Cohort:
    """A cohort with some outcomes; the codes afterwards in an order of their own."""
    there = np.random.default_rng(order).permutation(np.unique(after))
    return Cohort(level, np.array(after), np.arange(1.0, 1 + len(after)), there)


def by_hand(rows: list[Codes], after: list[list[int]], level: int) -> dict[Codes, float]:
    found = []
    for orders, codes in enumerate(rows, start=1):
        for ways, outcome in enumerate(after, start=1):
            found.append(((*codes[:level], outcome[codes[level]], *codes[level + 1 :]), float(orders * ways)))
    return added_up(found)


@given(ROWS, AFTER, st.sampled_from((0, 3, 4)), st.integers(0, 3), st.sampled_from((1, 7, 1000)))
@settings(max_examples=200)
def test_outcomes_are_those_by_hand(
    rows: list[Codes], after: list[list[int]], level: int, order: int, most: int
) -> None:
    groups = grouped([states(rows)], level)
    found = [row for some in after_cohorts(groups, cohort_of(after, level, order), most) for row in rows_of(some)]
    assert dict(found) == by_hand(rows, after, level)
    assert len({codes for codes, _ in found}) == len(found), "each state is there once"


def test_groups_that_are_taken_for_one_are_noticed() -> None:
    groups, after = grouped([states(EVERY)], 0), [[1, 2, 3], [2, 3, 4]]
    one = Groups(groups.states, groups.starts[:1])
    found = [row for some in after_cohorts(one, cohort_of(after, 0, 0), 1000) for row in rows_of(some)]
    assert dict(found) != by_hand(EVERY, after, 0)


def test_groups_without_a_place_for_each_code_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, after, real = grouped([states(EVERY)], 0), [[1, 2, 3], [2, 3, 4]], merging._added_up
    monkeypatch.setattr(merging, "_added_up", lambda *given: real(*given[:-1], given[-1] - 1))
    with pytest.raises((AssertionError, ValueError, IndexError)):
        found = [row for some in after_cohorts(groups, cohort_of(after, 0, 0), 1000) for row in rows_of(some)]
        assert dict(found) == by_hand(EVERY, after, 0)


# ---- ends in pieces ----


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 12))
def test_all_ends_are_kept(sizes: list[int], most: int) -> None:
    kept = Ends()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ends, "PIECE", 8)
        for frame, size in enumerate(sizes):
            kept.add(np.full(size, frame, np.int32), states([(frame % 3, 0, 0, 0, 0)] * size))
        blocks = list(kept.blocks(most))
    assert len(kept) == sum(sizes) and all(1 <= len(block) <= most for block in blocks)
    frames = [frame for block in blocks for frame in block.frames.tolist()]
    assert Counter(frames) == Counter({frame: size for frame, size in enumerate(sizes)})
    assert all(
        frame % 3 == row[0][0]
        for block in blocks
        for frame, row in zip(block.frames, rows_of(block.states), strict=True)
    )


# ---- rows as numbers ----


@given(st.lists(ROWS, min_size=1, max_size=3), st.lists(st.booleans(), min_size=LEVELS, max_size=LEVELS))
def test_numbers_of_one_shape_are_equal_where_the_rows_are(several: list[list[Codes]], once: list[bool]) -> None:
    seen: dict[tuple[tuple[int, ...], int], Codes] = {}
    numbers: dict[tuple[tuple[int, ...], Codes], int] = {}
    for rows in several:
        columns = [
            np.broadcast_to(np.int32(rows[0][level]), len(rows)) if once[level] else np.array(column)
            for level, column in enumerate(zip(*rows, strict=True))
        ]
        found = dense(columns, 1 << 20)
        assert found is not None
        for row, number in zip(
            zip(*(column.tolist() for column in columns), strict=True), found[0].tolist(), strict=True
        ):
            assert seen.setdefault((found[1], number), row) == row
            assert numbers.setdefault((found[1], row), number) == number
            assert number < 1 << 20


def test_numbers_without_their_shape_would_be_confused() -> None:
    (one, first), (other, second) = (
        dense([np.array(column) for column in columns], 1 << 20) or ((), ())
        for columns in ([[1, 1], [0, 1]], [[0, 1], [3, 2]])
    )
    assert one[1] == other[0] and first != second


def test_no_numbers_where_too_many_are_needed() -> None:
    columns = [np.array([7, 0]), np.array([0, 7])]
    assert dense(columns, 64) is not None and dense(columns, 32) is None


def test_rows_of_a_column_are_held_once_where_one_is_meant() -> None:
    column = np.array([[4, 5], [6, 7]])
    once = fetched(column, np.broadcast_to(np.int32(1), 3))
    assert held_once(once) and once.tolist() == [[6, 7]] * 3
    each = fetched(column, np.array([1, 1, 1]))
    assert not held_once(each) and each.tolist() == once.tolist()
    assert not held_once(np.zeros(0)) and not held_once(np.zeros(1))
