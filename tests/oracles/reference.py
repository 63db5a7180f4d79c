"""The reference trial, calculated by hand-written decisions: as its text says it, and in the settled reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb
from typing import Literal

from attrs import field, frozen

Accrual = Literal["one-at-a-time", "whole-cohort"]
Group = tuple[int, int, int]
"""A cohort of three: its level (from 0), evaluable patients, DLTs."""
Groups = tuple[Group, ...]


@frozen
class Decision:
    """What follows. `closes` is the level closed as too toxic; `enrols` the level at which three patients enter."""

    by: tuple[str, ...]
    closes: int | None = None
    enrols: int | None = None
    mtd: int | None = None
    no_mtd: bool = False
    silence: int | None = None
    """Which of the five silences of the text the trial has met."""


Decide = Callable[[Groups, int], Decision | None]


def settled(groups: Groups, levels: int) -> Decision | None:
    """The decision by S0 to S6 with A1 to A5; None is to wait for the next patient."""
    level, n, dlts = groups[-1]
    before = at_level(groups[:-1], level)
    higher_left = level + 1 < levels and not at_level(groups, level + 1)
    if not before:
        if dlts >= 2:
            return close_settled(groups, "A1")
        if n < 3:
            return None
        if dlts == 1:
            return Decision(("S3",), enrols=level)
        return Decision(("S1",), enrols=level + 1) if higher_left else Decision(("S2",), enrols=level)
    if before[0][2] == 1:
        if dlts >= 1:
            return close_settled(groups, "S4")
        if n < 3:
            return None
        return Decision(("S6",), enrols=level + 1) if higher_left else Decision(("S6", "S12"), mtd=level)
    if dlts >= 2:
        return close_settled(groups, "A2")
    return None if n < 3 else Decision(("A2", "S12"), mtd=level)


def close_settled(groups: Groups, by: str) -> Decision:
    """What follows when the level of the last cohort is too toxic, in the settled reading."""
    level = groups[-1][0]
    if level == 0:
        return Decision((by, "A4"), closes=level, no_mtd=True)
    if evaluable(groups, level - 1) < 6:
        return Decision((by, "S5"), closes=level, enrols=level - 1)
    return Decision((by, "A3", "S12"), closes=level, mtd=level - 1)


def literal(groups: Groups, levels: int) -> Decision | None:
    """The decision by S0 to S6 alone, three patients at a reopened level; a silence where the text gives none.

    A level below the start that is visited for the first time has its first three patients there: S1, S3, S4 and S6
    apply, but the next higher level is closed, so that whatever would open it meets the fifth silence.
    """
    level, n, dlts = groups[-1]
    before = at_level(groups[:-1], level)
    top, higher_closed = level + 1 == levels, bool(at_level(groups, level + 1))
    upward = Decision((), silence=5) if higher_closed else Decision(("S1" if not before else "S6",), enrols=level + 1)
    if not before:
        if n < 3:
            return None
        if dlts >= 2:
            return Decision((), silence=1)
        if dlts == 1:
            return Decision(("S3",), enrols=level)
        return Decision(("S2",), enrols=level) if top else upward
    if before[0][2] == 1:
        if dlts >= 1:
            return close_literal(groups)
        if n < 3:
            return None
        return Decision(("S6", "S12"), mtd=level) if top else upward
    return None if n < 3 else Decision((), silence=5 if higher_closed else 4)


def close_literal(groups: Groups) -> Decision:
    """What follows when S4 closes the level of the last cohort."""
    level = groups[-1][0]
    if level == 0:
        return Decision(("S4",), closes=level, silence=2)
    if evaluable(groups, level - 1) < 6:
        return Decision(("S4", "S5"), closes=level, enrols=level - 1)
    return Decision(("S4",), closes=level, silence=3)


def at_level(groups: Groups, level: int) -> Groups:
    """The cohorts at a level. A level above the one under way that has any is closed: only closing leads down."""
    return tuple(group for group in groups if group[0] == level)


def evaluable(groups: Groups, level: int) -> int:
    """The evaluable patients at a level."""
    return sum(n for _, n, _ in at_level(groups, level))


@frozen
class Figures:
    """Operating characteristics of the escalation, exact; patients and DLTs are expected numbers by level."""

    mtd: tuple[Fraction, ...]
    no_mtd: Fraction
    undecided: dict[int, Fraction]
    """The probability of meeting each of the five silences."""
    patients: tuple[Fraction, ...]
    dlts: tuple[Fraction, ...]
    sizes: dict[int, Fraction] = field(factory=dict)
    """The distribution of the number of patients."""


def figures(decide: Decide, rates: Sequence[Fraction], accrual: Accrual, start: int = 0) -> Figures:
    """The figures of the escalation under true DLT rates, one a level, by `settled` or `literal`."""
    levels = len(rates)
    mtd, patients, dlts = ([Fraction(0)] * levels for _ in range(3))
    no_mtd, undecided, sizes = Fraction(0), dict.fromkeys(range(1, 6), Fraction(0)), dict[int, Fraction]()
    for (groups, end), chance in ends(decide, rates, accrual, start).items():
        for level, n, k in groups:
            patients[level] += chance * n
            dlts[level] += chance * k
        size = sum(n for _, n, _ in groups)
        sizes[size] = sizes.get(size, Fraction(0)) + chance
        if end.mtd is not None:
            mtd[end.mtd] += chance
        elif end.silence is not None:
            undecided[end.silence] += chance
        else:
            no_mtd += chance
    return Figures(tuple(mtd), no_mtd, undecided, tuple(patients), tuple(dlts), dict(sorted(sizes.items())))


def ends(
    decide: Decide, rates: Sequence[Fraction], accrual: Accrual, start: int
) -> dict[tuple[Groups, Decision], Fraction]:
    """Every end of the escalation with its probability; the order of patients inside a cohort is summed out."""
    found: dict[tuple[Groups, Decision], Fraction] = {}
    waiting: dict[Groups, Fraction] = {((start, 0, 0),): Fraction(1)}
    while waiting:
        now, waiting = waiting, {}
        for groups, chance in now.items():
            for grown, share in outcomes(groups, rates, accrual):
                decision = decide(grown, len(rates))
                if decision is not None and decision.enrols is None:
                    found[grown, decision] = found.get((grown, decision), Fraction(0)) + chance * share
                    continue
                opened = None if decision is None else decision.enrols
                after = grown if opened is None else (*grown, (opened, 0, 0))
                waiting[after] = waiting.get(after, Fraction(0)) + chance * share
    return found


def outcomes(groups: Groups, rates: Sequence[Fraction], accrual: Accrual) -> list[tuple[Groups, Fraction]]:
    """The next patient of the cohort under way, or all three at once."""
    level, n, dlts = groups[-1]
    p = rates[level]
    if accrual == "one-at-a-time":
        return [((*groups[:-1], (level, n + 1, dlts + k)), p if k else 1 - p) for k in (0, 1)]
    return [((*groups[:-1], (level, 3, k)), comb(3, k) * p**k * (1 - p) ** (3 - k)) for k in range(4)]


def read(history: str) -> Groups:
    """A history of the escalation, `1NTN 1NNN`: patients marked x are replaced and count nowhere."""
    return tuple(
        (int(group[0]) - 1, group.count("N") + group.count("T"), group.count("T")) for group in history.split()
    )
