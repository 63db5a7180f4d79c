"""States that were met before, and steps in order, against dictionaries and plain recursion."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.machine import known
from doselang.machine.known import Known
from doselang.machine.ordering import ordered, way_round

LEVELS = 4
State = tuple[int, ...]
BATCHES = st.lists(
    st.lists(st.tuples(*[st.integers(0, 3)] * (1 + LEVELS)), unique=True, min_size=1, max_size=60), max_size=12
)
MANY = [[(n % 97, n // 97, n % 5, n % 3, k) for n in range(700)] for k in range(3)]


def met_by(batches: list[list[State]]) -> list[list[int]]:
    """The numbers of the states of each batch, before the new ones of it are added."""
    there, found = Known(LEVELS), []
    for batch in batches:
        rows = np.array(batch, np.int32)
        numbers, words = there.of(rows[:, 0], rows[:, 1:])
        there.add(words[numbers < 0])
        found.append(numbers.tolist())
    return found


def expected(batches: list[list[State]]) -> list[list[int]]:
    numbers: dict[State, int] = {}
    found = []
    for batch in batches:
        found.append([numbers.get(state, -1) for state in batch])
        for state in batch:
            numbers.setdefault(state, len(numbers))
    return found


@given(BATCHES)
def test_every_state_is_known_from_the_second_time_on(batches: list[list[State]]) -> None:
    assert met_by(batches) == expected(batches)


def test_many_states_are_known() -> None:
    assert met_by([*MANY, *MANY]) == expected([*MANY, *MANY])


def all_hashes_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "hashed", lambda columns: np.zeros(len(columns[0]), np.uint64))


def test_states_whose_hashes_agree_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    all_hashes_equal(monkeypatch)
    few = [batch[:40] for batch in MANY]
    assert met_by([*few, *few]) == expected([*few, *few])


def test_a_hash_that_is_trusted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    all_hashes_equal(monkeypatch)
    monkeypatch.setattr(Known, "_written", lambda self, frames, codes: np.zeros((len(frames), 3), np.uint64))
    assert met_by(MANY[:2]) != expected(MANY[:2])


# ---- in order ----

EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 3)), max_size=30)
Edge = tuple[int, int, int]


def columns(edges: list[Edge]) -> list[np.ndarray[tuple[int], np.dtype[np.int32]]]:
    return [np.array([edge[k] for edge in edges], np.int32) for k in range(3)]


def longest(state: int, edges: list[Edge], *, patients: bool) -> int:
    """The longest way to a state, without cycles, by recursion."""
    before = [longest(a, edges, patients=patients) + (more if patients else 1) for a, b, more in edges if b == state]
    return max(before, default=0)


@given(EDGES)
def test_the_most_steps_and_patients_to_a_state(edges: list[Edge]) -> None:
    forward = [(a, b, more) for a, b, more in edges if a < b]
    found = ordered(10, *columns(forward))
    assert found.depth.tolist() == [longest(state, forward, patients=False) for state in range(10)]
    assert found.patients.tolist() == [longest(state, forward, patients=True) for state in range(10)]


def reachable(edges: list[Edge]) -> dict[int, set[int]]:
    """The states that each can reach by one step or more."""
    there = {state: {b for a, b, _ in edges if a == state} for state in range(10)}
    for _ in range(10):
        there = {state: to.union(*(there[one] for one in to)) for state, to in there.items()}
    return there


@given(EDGES)
def test_a_way_round_is_found_where_there_is_one(edges: list[Edge]) -> None:
    source, target, more = columns(edges)
    there = reachable(edges)
    coming_back = [state for state in range(10) if state in there[state]]
    round_and_behind = set(coming_back).union(*(there[state] for state in coming_back))
    assert set(np.flatnonzero(ordered(10, source, target, more).depth < 0).tolist()) == round_and_behind
    way = way_round(10, source, target)
    if not coming_back:
        assert way is None
        return
    assert way is not None
    steps = [edges[number] for number in way]
    assert steps[0][0] == steps[-1][1] == min(coming_back)
    assert all(one[1] == other[0] for one, other in pairwise(steps))
    inner = [step[0] for step in steps]
    assert len(set(inner)) == len(inner)
