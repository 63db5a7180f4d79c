"""The facts behind a condition: the levels it speaks of, and the true numbers of patients, from the history itself.

The machine's own records stop counting where no condition can tell the difference; people are shown how many there are.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve, frozen

from doselang.conduct.accounts import Clause, Fact, LevelTally, Status, Value
from doselang.machine.advising import chance_between, estimated
from doselang.machine.columns import View, truth
from doselang.machine.followed import Cohort, Replay
from doselang.machine.records import CLOSED
from doselang.protocol.guards import (
    Chance,
    Compare,
    Declared,
    Guard,
    HasStatus,
    Place,
    Rate,
    Recommends,
    Says,
    Share,
    Tally,
    atoms,
)

VALUES: dict[int, Value] = {1: "true", 0: "open", -1: "false"}


@frozen
class Moment:
    """A view of one situation, the cohorts as they are counted in it, the last being that of the look, the counters."""

    view: View
    cohorts: tuple[Cohort, ...]
    counters: tuple[int, ...] = ()

    def level(self, place: Place) -> int | None:
        index, exists = self.view.place(place)
        return int(index[0]) if exists[0] else None


def cohorts_at_end(replay: Replay) -> tuple[Cohort, ...]:
    """The cohorts as they are counted at the last look, or so far: who is known later counts for later looks.

    Patients of no cohort come first.
    """
    if not replay.cohorts:
        order = replay.frame.orders[0]
        nobody = (0,) * (1 + len(replay.machine.protocol.toxicities))
        return (*replay.asides, Cohort(replay.frame.part, order.level, order.size, nobody, nobody))
    *before, last = replay.cohorts
    return (*replay.asides, *(evolve(cohort, counts=cohort.all_known) for cohort in before), last)


def counters_at_end(replay: Replay) -> tuple[int, ...]:
    """What each counter has counted before the look that the history ends with, or so far."""
    counted = [0] * len(replay.machine.protocol.counters)
    for look in replay.steps[:-1] if replay.last is not None else replay.steps:
        if look.branch is not None:
            for counter, reset in look.branch.decision.answers.counts:
                counted[counter] = 0 if reset else counted[counter] + 1
    return tuple(counted)


def value_of(guard: Guard, view: View) -> Value:
    """Whether a condition of the machine is true, false or open in a view of one row."""
    return VALUES[int(truth(guard, view)[0])]


def clause(guard: Guard, moment: Moment) -> Clause:
    """How a condition stands, with the facts in it."""
    facts = tuple(_fact(atom, moment) for atom in atoms(guard))
    return Clause(guard, value_of(guard, moment.view), facts)


def _fact(guard: Guard, moment: Moment) -> Fact:
    fact = Fact(guard, value_of(guard, moment.view))
    match guard:
        case Share(_, "all", _, toxicities, place):
            level = moment.level(place)
            return _counted(fact, toxicities, level, _at(moment.cohorts, level, None))
        case Share(_, group, _, toxicities, place):
            level = moment.level(place)
            there = tuple(cohort for cohort in _at(moment.cohorts, level, None) if not cohort.aside)
            some = there[:1] if group == "first" else there[1:][-1:]
            return _counted(fact, toxicities, level, some) if some else evolve(fact, level=level)
        case Tally(_, (counter,), "counter"):
            return evolve(fact, counted=moment.counters[counter])
        case Says(adviser, place=place, part=part):
            level = moment.level(place)
            return _counted(fact, moment.view.setting.counted[adviser], level, _at(moment.cohorts, level, part))
        case Chance(place=place):
            level = moment.level(place)
            return evolve(fact, level=level, chance=_chance(moment.view, guard, level))
        case Recommends(adviser):
            return evolve(fact, level=moment.level(Place("recommended", adviser)))
        case Tally(_, what, scope, place, part):
            return _tally(fact, what, scope, moment, place, part)
        case Rate(toxicities=toxicities, scope=scope, place=place, part=part):
            return _tally(fact, toxicities, scope, moment, place, part)
        case HasStatus(place):
            return evolve(fact, level=moment.level(place))
        case Compare(place, _, other):
            return evolve(fact, level=moment.level(place), other=moment.level(other))
        case Declared(verdict):
            named = int(moment.view.verdicts[0, verdict])
            return evolve(fact, level=named if named >= 0 else None)
    return fact


def _chance(view: View, guard: Chance, level: int | None) -> float | None:
    """The probability by an adviser that the rate at a level is one of those asked; None where there is no level."""
    if level is None:
        return None
    return float(chance_between(view.setting.advisers[guard.adviser], view, guard.above, guard.up_to)[0, level])


def _tally(fact: Fact, what: tuple[int, ...], scope: str, moment: Moment, place: Place, part: int | None) -> Fact:
    match scope:
        case "level":
            level = moment.level(place)
            return _counted(fact, what, level, _at(moment.cohorts, level, part))
        case "cohort":
            return _counted(fact, what, moment.cohorts[-1].level, moment.cohorts[-1:])
        case "part":
            number = moment.view.part if part is None else part
            return _counted(fact, what, None, tuple(c for c in moment.cohorts if c.part == number))
        case _:
            return _counted(fact, what, None, moment.cohorts)


def _at(cohorts: tuple[Cohort, ...], level: int | None, part: int | None) -> tuple[Cohort, ...]:
    return tuple(cohort for cohort in cohorts if cohort.level == level and part in (None, cohort.part))


def _counted(fact: Fact, what: tuple[int, ...], level: int | None, cohorts: tuple[Cohort, ...]) -> Fact:
    toxic = None if what[0] < 0 else sum(cohort.counts[1 + one] for cohort in cohorts for one in what)
    evaluable = 0 if what == (-2,) else sum(sum(cohort.counts) for cohort in cohorts)
    if -2 in what:
        evaluable += sum(cohort.pending for cohort in cohorts)
    return evolve(fact, level=level, toxic=toxic, evaluable=evaluable)


# ---- what the history has of every level ----


def tallies(replay: Replay) -> tuple[LevelTally, ...]:
    """All levels, from the lowest to the highest, at the end of the history."""
    protocol = replay.machine.protocol
    found = []
    for level in range(len(protocol.levels)):
        cohorts = [cohort for cohort in (*replay.asides, *replay.cohorts) if cohort.level == level]
        counts = tuple(
            tuple(sum(c.all_known[k] for c in cohorts if c.part == part) for k in range(1 + len(protocol.toxicities)))
            for part in range(len(protocol.parts))
        )
        pending, inevaluable = sum(c.pending for c in cohorts), sum(c.inevaluable for c in cohorts)
        found.append(LevelTally(level, counts, pending, inevaluable, _status(replay, level, bool(cohorts))))
    return _with_estimates(replay, found)


def _with_estimates(replay: Replay, tallies: list[LevelTally]) -> tuple[LevelTally, ...]:
    """The tallies, with what the methods of the protocol estimate of them."""
    evaluable = np.array([tally.evaluable for tally in tallies])
    toxic = np.array([tally.toxic(0) for tally in tallies])
    setting, rates = replay.machine.setting, {}
    for named, adviser in zip(replay.machine.protocol.advisers, setting.advisers, strict=True):
        found = estimated(adviser, setting.relations, evaluable, toxic)
        if found is not None:
            rates[named.name] = [None if np.isnan(rate) else float(rate) for rate in found]
    by_level = [tuple((name, of[tally.level]) for name, of in rates.items()) for tally in tallies]
    return tuple(evolve(tally, estimates=of) for tally, of in zip(tallies, by_level, strict=True))


def _status(replay: Replay, level: int, tried: bool) -> Status:
    if replay.machine.records.column(CLOSED)[replay.codes[0, level]]:
        return "closed"
    if replay.frame.end < 0 and replay.frame.here == level:
        return "open"
    return "tried" if tried else "untried"
