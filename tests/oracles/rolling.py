"""The rolling six by itself: dictionaries of states and fractions, from the published table, not from the rules.

A state is the level at which patients enter, what each level has (without a DLT, with one, pending), and which levels
are too toxic. Time stands in the order of events alone: an arrival, or the outcome of one pending patient.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from attrs import frozen

Accrual = Literal["one-at-a-time", "whole-cohort"]
Level = tuple[int, int, int]
Decision = Literal["same", "escalate", "de-escalate", "suspend"]
Result = int | None


def table(clear: int, toxic: int, pending: int) -> Decision:
    """Skolnik et al. (2008), table 1: what the next patient does at a level, by those who entered there."""
    entered = clear + toxic + pending
    if toxic >= 2:
        return "de-escalate"
    if entered < 3:
        return "same"
    if entered < 6:
        return "escalate" if clear == entered else "same"
    return "escalate" if clear >= 5 else "suspend"


@frozen
class Trial:
    here: int
    levels: tuple[Level, ...]
    closed: frozenset[int] = frozenset()

    def entering(self, level: int) -> Trial:
        clear, toxic, pending = self.levels[level]
        return self.changed(level, (clear, toxic, pending + 1), level)

    def known(self, level: int, toxic: bool) -> Trial:
        clear, dlts, pending = self.levels[level]
        return self.changed(level, (clear + (not toxic), dlts + toxic, pending - 1), self.here)

    def changed(self, level: int, record: Level, here: int) -> Trial:
        return Trial(here, (*self.levels[:level], record, *self.levels[level + 1 :]), self.closed)

    @property
    def pending(self) -> list[int]:
        return [level for level, (_, _, pending) in enumerate(self.levels) if pending]

    def arrival(self, decide: Callable[[int, int, int], Decision] = table) -> Trial | Literal["waits"] | tuple[Result]:
        """What follows when the next patient is there: a trial with that patient, a wait, or the MTD."""
        here, top = self.here, len(self.levels) - 1
        match decide(*self.levels[here]):
            case "same":
                return self.entering(here)
            case "suspend":
                return "waits"
            case "escalate" if here == top:
                return (here,)
            case "escalate" if here + 1 not in self.closed:
                return self.entering(here + 1)
            case "escalate":
                return self.entering(here) if sum(self.levels[here]) < 6 else (here,)
            case _ if here == 0:
                return (None,)
            case _ if sum(self.levels[here - 1]) == 6:
                return (here - 1,)
            case _:
                return Trial(here, self.levels, self.closed | {here}).entering(here - 1)


@frozen
class Found:
    """`mtd` by level, None for none; `sizes` by number of patients; expected patients and DLTs by level."""

    mtd: dict[Result, Fraction]
    sizes: dict[int, Fraction]
    patients: tuple[Fraction, ...]
    dlts: tuple[Fraction, ...]


def rolling_six(
    rates: tuple[Fraction, ...], accrual: Accrual, decide: Callable[[int, int, int], Decision] = table
) -> Found:
    """The rolling six under some rates of DLT; patients who are pending at the end are followed to their outcomes."""
    levels = len(rates)
    start = Trial(0, ((0, 0, 1), *[(0, 0, 0)] * (levels - 1)))
    running: dict[Trial, Fraction] = {start: Fraction(1)}
    mtd: dict[Result, Fraction] = {}
    sizes: dict[int, Fraction] = {}
    patients, dlts = [Fraction(0)] * levels, [Fraction(0)] * levels
    while running:
        after: dict[Trial, Fraction] = {}
        for trial, chance in running.items():
            pending = trial.pending
            arrival = trial.arrival(decide) if accrual == "whole-cohort" or not pending else "waits"
            if isinstance(arrival, Trial):
                after[arrival] = after.get(arrival, Fraction(0)) + chance
            elif arrival == "waits":
                elsewhere = [level for level in pending if level != trial.here] or pending
                for toxic, share in ((False, 1 - rates[elsewhere[0]]), (True, rates[elsewhere[0]])):
                    known = trial.known(elsewhere[0], toxic)
                    after[known] = after.get(known, Fraction(0)) + chance * share
            else:
                mtd[arrival[0]] = mtd.get(arrival[0], Fraction(0)) + chance
                entered = [sum(level) for level in trial.levels]
                sizes[sum(entered)] = sizes.get(sum(entered), Fraction(0)) + chance
                for level, (number, (_, toxicities, waiting)) in enumerate(zip(entered, trial.levels, strict=True)):
                    patients[level] += chance * number
                    dlts[level] += chance * (toxicities + waiting * rates[level])
        running = after
    return Found(mtd, sizes, tuple(patients), tuple(dlts))
