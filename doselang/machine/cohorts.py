"""What a cohort can show: its outcomes, the orders of patients that bring them, and where they lead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import comb
from operator import attrgetter

import numpy as np

from doselang.machine.columns import View
from doselang.machine.compiling import PartMachine
from doselang.machine.decisions import Outcome
from doselang.machine.exits import Exit
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.states import Frames, view_of
from doselang.protocol.classes import added, known_with
from doselang.protocol.model import Toxicity

MOST_NODES = 200_000
"""How many different outcomes a cohort may have (a cohort of 100 with one toxicity has 5,151)."""


def outcomes_of(
    size: int, toxicities: Sequence[Toxicity], early: bool, sentinel: bool = False
) -> list[tuple[int, ...]]:
    """All counts (without toxicity, then each class) of a cohort that is complete, and before if `early`.

    With `sentinel` also those of its first patient. In order of the number of patients; raises OverflowError beyond
    MOST_NODES.
    """
    at_once = len(known_with(toxicities)) - 1
    if comb(size + at_once + int(early), size) > MOST_NODES:
        raise OverflowError(f"a cohort of {size} patients with {at_once} toxicities has too many outcomes")
    numbers = range(1, size + 1) if early else sorted({1, size} if sentinel else {size})
    return [node for known in numbers for node in added(toxicities, known)]


def after_outcomes(
    frames: Frames, part: PartMachine, numbers: Ints, codes: Ints, nodes: list[tuple[int, ...]], size: int,
    sentinel: bool = False,
) -> View:  # fmt: skip
    """A view of every state (outer) after every outcome of its cohort so far (inner)."""
    records = frames.machine.records
    states = np.repeat(np.arange(len(numbers)), len(nodes))
    view = view_of(frames, part.number, numbers[states], codes[states])
    changes = np.array([records.change(Evaluable(part.number, node)) for node in nodes], np.int32)
    changes = np.tile(changes, len(numbers))
    view.codes[view._rows, view.here] = records.apply(changes, view.codes[view._rows, view.here])
    known = np.tile([sum(node) for node in nodes], len(numbers))
    toxic = np.tile(np.array([node[1:] for node in nodes], np.int32).reshape(len(nodes), -1), (len(numbers), 1))
    view.complete = known == size
    view.cohort = np.column_stack([known, toxic]).astype(np.int32)
    if sentinel and size > 1:
        view.sentinel = (known == 1) & (toxic.sum(axis=1) > 0)
    return view


def exits_of(nodes: list[tuple[int, ...]], decided: list[Outcome | None], size: int) -> tuple[Exit, ...]:
    """The exits of a row: where the decision is, and how many orders of patients reach it undecided before.

    Between two numbers of patients at which there can be a look, patients come in any order.
    """
    stops: dict[int, list[tuple[tuple[int, ...], Outcome | None]]] = {}
    for node, outcome in zip(nodes, decided, strict=True):
        stops.setdefault(sum(node), []).append((node, outcome))
    root = tuple(0 for _ in nodes[0])
    known, going_on = 0, {root: (1.0, "")}
    exits = []
    for stop, reached in sorted(stops.items()):
        before, going_on = going_on, {}
        for node, outcome in reached:
            found = _ways(node, before, stop - known)
            if found is None:
                continue
            if outcome is None:
                going_on[node] = found
            else:
                exits.append(Exit(node, *found, stop == size, outcome))
        known = stop
    return tuple(sorted(exits, key=attrgetter("letters")))


def open_nodes(nodes: list[tuple[int, ...]], decided: Sequence[Outcome | None]) -> list[bool]:
    """By outcome of a cohort so far: whether it can be reached, patient by patient, and nothing is decided there."""
    going_on = {tuple(0 for _ in nodes[0])}
    for node, outcome in zip(nodes, decided, strict=True):
        before = [(*node[:c], n - 1, *node[c + 1 :]) for c, n in enumerate(node) if n]
        if outcome is None and any(earlier in going_on for earlier in before):
            going_on.add(node)
    return [node in going_on for node in nodes]


Ways = tuple[float, str]
"""In how many orders of patients an outcome is reached, and the letters of the first of them."""


def _ways(node: tuple[int, ...], before: dict[tuple[int, ...], Ways], more: int) -> Ways | None:
    """The ways to an outcome from those that a cohort went on from, so many patients before."""
    if more == 1:
        earlier = [(*node[:c], n - 1, *node[c + 1 :]) for c, n in enumerate(node) if n]
        sources = [source for source in earlier if source in before]
    else:
        sources = [source for source in before if all(a >= b for a, b in zip(node, source, strict=True))]
    if not sources:
        return None
    orders, letters = 0.0, ""
    for source in sources:
        ways, way = _in_order(tuple(a - b for a, b in zip(node, source, strict=True)))
        orders += before[source][0] * ways
        path = before[source][1] + way
        letters = path if not letters else min(letters, path)
    return orders, letters


def orders_of(counts: tuple[int, ...]) -> float:
    """In how many orders patients can bring some outcomes: the multinomial coefficient."""
    return _in_order(counts)[0]


@cache
def _in_order(counts: tuple[int, ...]) -> tuple[float, str]:
    """In how many orders patients can bring some outcomes (the multinomial coefficient), and the first of them."""
    ways, left = 1, sum(counts)
    for count in counts:
        ways *= comb(left, count)
        left -= count
    return float(ways), "".join(str(outcome) * count for outcome, count in enumerate(counts))
