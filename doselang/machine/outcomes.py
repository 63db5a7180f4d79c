"""Counts of outcomes: those of a history, and those that pending patients can bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doselang.machine.decisions import Outcome
from doselang.machine.notation import Group
from doselang.protocol.classes import known_with
from doselang.protocol.model import Toxicity

Counts = tuple[int, ...]
"""Patients without toxicity, then those of each class."""


def plus(one: Counts, other: Counts) -> Counts:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def minus(one: Counts, other: Counts) -> Counts:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def path_of(group: Group, letters: str) -> list[Counts]:
    """The counts before the first outcome, and after each."""
    path = [(0,) * len(letters)]
    for letter in group.letters:
        if letter in letters:
            path.append(tuple(n + (letter == other) for n, other in zip(path[-1], letters, strict=True)))
    return path


def leaves(
    row: dict[Counts, Outcome | None], start: Counts, pending: int, toxicities: Sequence[Toxicity]
) -> Iterator[tuple[Counts, Outcome | None]]:
    """Where the outcomes of pending patients lead, one after the other: to a look, or at last to none."""
    frontier = [start]
    for _ in range(pending):
        reached = dict.fromkeys(
            (*node[:c], node[c] + 1, *node[c + 1 :]) for node in frontier for c in known_with(toxicities)
        )
        yield from ((node, outcome) for node in reached if (outcome := row.get(node)) is not None)
        frontier = [node for node in reached if row.get(node) is None]
    yield from ((node, None) for node in frontier)
