"""The orders in which the patients of a cohort can bring its outcomes, up to where something is decided."""

from __future__ import annotations

from collections.abc import Collection

Counts = tuple[int, ...]
"""Patients without toxicity, then those of each class."""


def ways_of(decided: Collection[Counts], start: Counts) -> dict[Counts, tuple[int, str]]:
    """What a cohort can show, one patient after the other, from its counts at the start until they are `decided`.

    By counts, the start included: in how many orders the patients bring them without anything decided before, and the
    first of these orders as digits (0 no toxicity, 1 the first class, …). The largest counts must be decided; an
    outcome of which nobody is in any that are decided comes to nobody.
    """
    outcomes = [outcome for outcome in range(len(start)) if any(node[outcome] > start[outcome] for node in decided)]
    found: dict[Counts, tuple[int, str]] = {start: (1, "")}
    frontier = [] if start in decided else [start]
    while frontier:
        reached: dict[Counts, tuple[int, str]] = {}
        for node in frontier:
            orders, digits = found[node]
            for outcome in outcomes:
                after = (*node[:outcome], node[outcome] + 1, *node[outcome + 1 :])
                before, first = reached.get(after, (0, f"{digits}{outcome}"))
                reached[after] = (before + orders, min(first, f"{digits}{outcome}"))
        found |= reached
        frontier = [node for node in reached if node not in decided]
    return found
