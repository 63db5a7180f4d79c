"""The steps of a machine in order: each after all that lead to it; and where they lead round, the way round."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from doselang.machine.arrays import ranges
from doselang.machine.records import Ints


@frozen(eq=False)
class Ordered:
    """By state: with how many steps, and after how many patients, it can be reached at most; the first state with none.

    `depth` is -1 of states on a way that leads round, or behind one: there is no most.
    """

    depth: Ints
    patients: Ints


def ordered(states: int, source: Ints, target: Ints, more: Ints) -> Ordered:
    """Put so many states in order, given the steps between them, and how many patients each step adds."""
    depth, patients = np.full(states, -1, np.int32), np.zeros(states, np.int32)
    coming = np.bincount(target, minlength=states)
    by_source = np.argsort(source, kind="stable")
    target, more = target[by_source], more[by_source]
    count = np.bincount(source, minlength=states)
    first = np.cumsum(count) - count
    now, steps = np.flatnonzero(coming == 0), 0
    while len(now):
        depth[now] = steps
        which, taken = ranges(first[now], count[now])
        to = target[taken]
        np.maximum.at(patients, to, patients[now[which]] + more[taken])
        reached, times = np.unique(to, return_counts=True)
        coming[reached] -= times
        now, steps = reached[coming[reached] == 0], steps + 1
    return Ordered(depth, patients)


def way_round(states: int, source: Ints, target: Ints) -> list[int] | None:
    """The steps, by number, that lead from the first state that can come back to itself back to it, as few as can be.

    None where no state can.
    """
    forward = ordered(states, source, target, np.zeros_like(source)).depth
    backward = ordered(states, target, source, np.zeros_like(source)).depth
    some = np.flatnonzero((forward < 0) & (backward < 0))
    steps = np.flatnonzero(np.isin(source, some) & np.isin(target, some))
    leads: dict[int, list[tuple[int, int]]] = {state: [] for state in some.tolist()}
    for step, state, to in zip(steps.tolist(), source[steps].tolist(), target[steps].tolist(), strict=True):
        leads[state].append((to, step))
    for state in leads:
        found = _back_to(state, leads)
        if found is not None:
            return found
    return None


def _back_to(state: int, leads: dict[int, list[tuple[int, int]]]) -> list[int] | None:
    """The fewest steps from a state back to it, given where each state leads and by which step."""
    came: dict[int, tuple[int, int]] = {}
    now = [state]
    while now and state not in came:
        following = []
        for one in now:
            for to, step in leads[one]:
                if to not in came:
                    came[to] = one, step
                    following.append(to)
        now = following
    if state not in came:
        return None
    way: list[int] = []
    at = state
    while not way or at != state:
        at, step = came[at]
        way.append(step)
    return way[::-1]
