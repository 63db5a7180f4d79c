"""Checking a protocol: one pass over all reachable situations, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, field, frozen

from doselang.check.causes import find_causes
from doselang.check.claims import Watched, checked_claims, trial_watches
from doselang.check.courses import check_course, course_claims
from doselang.check.coverage import coverage
from doselang.check.facts import Cause, ClaimChecked, EndlessHistory, Fact, NotMonotone
from doselang.check.probabilities import weighed
from doselang.check.safety import SafetyWatch, safety
from doselang.check.watching import Gathered, Watcher, view_of_looks
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.course import compile_course, environments, explore_course
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, Endless, Exploration, TooManyStates, explore
from doselang.machine.notation import history_along, history_of
from doselang.machine.relations import Relations
from doselang.machine.replay import replay
from doselang.machine.states import Frames
from doselang.machine.steps import Steps
from doselang.protocol.model import Protocol


@frozen
class Checked:
    """What checking found. `complete` is False where the machine is too large or endless: then only what was met."""

    protocol: Protocol
    facts: tuple[Fact, ...]
    states: int
    max_patients: int
    complete: bool = True
    too_many: int | None = None
    full: bool = False
    """Whether it was the memory, and not the number of states, that was too much."""
    claims: tuple[ClaimChecked, ...] = field(default=())


def check(protocol: Protocol, *, max_states: int = MAX_STATES, mutate: bool = True) -> Checked:
    """Check a protocol whose text has no errors.

    `mutate` also looks for claims that no small change of the rules breaks. Raises OverflowError where a cohort has
    too many outcomes to be told apart.
    """
    machine = compile_protocol(protocol, for_claims=True)
    try:
        one, whole, found = _explored(machine, max_states)
    except Endless as endless:
        return _endless(endless, protocol)
    except TooManyStates as many:
        assert many.found is not None
        return Checked(protocol, _met(many.found), many.states, many.patients, False, many.states, many.full)
    causes = list(_causes(one.exploration, whole.exploration, found.exploration))
    unfinished = {cause.part for cause in causes if cause.undecided.why != "silence"}
    facts: list[Fact] = [*causes, *coverage(found.exploration, whole.exploration, unfinished), *_safety(found, whole)]
    outcomes = list(checked_claims(found, whole, mutate=mutate))
    course = compile_course(protocol)
    if course is not None:
        seen = environments(found.exploration)
        explored = explore_course(course, seen)
        facts += check_course(explored)
        outcomes += course_claims(protocol, explored, seen, mutate=mutate)
    outcomes.sort(key=lambda outcome: outcome.claim)
    facts += [*outcomes, *_not_monotone(protocol)]
    _replayed(machine, facts)
    states, patients = found.exploration.states, found.exploration.max_patients
    return Checked(protocol, tuple(facts), states, patients, claims=tuple(outcomes))


def _explored(machine: Machine, max_states: int) -> tuple[Watched, Watched, Watched]:
    """One patient at a time, whole cohorts, and any order; those that can show nothing new are not explored.

    In a rolling part both are among all orders; they are explored where something is undecided, which they tell how
    probable it is.
    """
    if not any(part.part.rolling for part in machine.parts):
        one = _watched(machine, "one-at-a-time", max_states)
        early = any(part.any_time for part in machine.parts)
        return one, _watched(machine, "whole-cohort", max_states) if early else one, one
    found = _watched(machine, "any-order", max_states)
    early = any(part.any_time for part in machine.parts if not part.part.rolling)
    undecided = any(branch.decision.undecided is not None for branch in found.exploration.frames.branches)
    if not early and not undecided:
        return found, found, found
    return _watched(machine, "one-at-a-time", max_states), _watched(machine, "whole-cohort", max_states), found


def _watched(machine: Machine, accrual: Accrual, max_states: int) -> Watched:
    """An exploration, with what was seen of claims and safety on the way."""
    watches = trial_watches(machine.protocol)
    claims, safe = Watcher(list(watches.values())), SafetyWatch()

    def watch(steps: Steps, frames: Frames) -> None:
        view, rows = view_of_looks(frames, steps)
        claims.see(steps, frames, view, rows)
        safe.see(steps, frames, view, rows)

    gathered = Gathered(watch)
    found = explore(machine, accrual, histories=True, max_states=max_states, watch=gathered, once=True)
    gathered.rest()
    return Watched(found, watches, safe)


def _safety(found: Watched, whole: Watched) -> Iterator[Fact]:
    """Facts about safety; those that only whole cohorts show are marked."""
    one_by_one = list(safety(found.exploration, found.safe))
    yield from one_by_one
    known = {_kind(fact) for fact in one_by_one}
    for fact in safety(whole.exploration, whole.safe) if whole is not found else ():
        if _kind(fact) not in known:
            yield evolve(fact, accrual="whole-cohort")


def _kind(fact: Fact) -> object:
    return type(fact), getattr(fact, "part", None), getattr(fact, "rule", None)


def _met(found: Exploration) -> tuple[Fact, ...]:
    """What was met in an exploration that came to no end, in patients' courses too: true, but perhaps not all."""
    facts: list[Fact] = [cause for cause, _ in find_causes(found)]
    course = compile_course(found.machine.protocol)
    if course is not None:
        facts += check_course(explore_course(course, environments(found)), complete=False)
    return tuple(facts)


def _endless(endless: Endless, protocol: Protocol) -> Checked:
    assert endless.found is not None
    found = endless.found
    history = history_along(found, endless.steps)
    before = len(history_of(found, endless.state))
    fact = EndlessHistory(history[:before], history[before:])
    return Checked(protocol, (fact, *_met(found)), found.states, found.max_patients, complete=False)


def _causes(found: Exploration, whole: Exploration, any_order: Exploration) -> Iterator[Cause]:
    """The causes under both ways of entering, each with the probability of meeting it in every scenario.

    Those that only another order of arrivals and outcomes meets, in a rolling part, have none.
    """
    one_by_one = find_causes(found)
    known = {_same(cause) for cause, _ in one_by_one}
    only_whole = [
        (evolve(cause, accrual="whole-cohort"), steps)
        for cause, steps in (find_causes(whole) if whole is not found else ())
        if _same(cause) not in known
    ]
    known |= {_same(cause) for cause, _ in only_whole}
    if any_order is not found:
        others = (cause for cause, _ in find_causes(any_order) if _same(cause) not in known)
        yield from (evolve(cause, accrual="any-order") for cause in others)
    for found_by, causes in ((found, one_by_one), (whole, only_whole)):
        protocol = found.machine.protocol
        # when a toxicity in later cycles comes is a matter of time, which has no probability here
        scenarios = () if any(toxicity.later for toxicity in protocol.toxicities) else protocol.scenarios
        weights = weighed(found_by, scenarios) if causes and scenarios else None
        for cause, steps in causes:
            yield cause if weights is None else evolve(cause, probability=weights.of(steps))


def _same(cause: Cause) -> object:
    """What makes two causes one, whatever way the patients enter."""
    undecided = cause.undecided
    return (undecided.why, undecided.lines, undecided.silence, cause.part, cause.kind, cause.acted, cause.every)


def _not_monotone(protocol: Protocol) -> Iterator[Fact]:
    above = Relations(protocol.levels).above
    for number, scenario in enumerate(protocol.scenarios):
        rates = scenario.rates[0]
        falls = [b for b in range(len(rates)) if any(above[a, b] and rates[b] < rates[a] for a in range(b))]
        if falls:
            yield NotMonotone(number, 0, falls[0])


def _replayed(machine: Machine, facts: list[Fact]) -> None:
    """Every history that is to be shown is replayed through the interpreter; one that it refuses is our fault."""
    for fact in facts:
        for name in ("history", "fewer", "more", "early"):
            history = getattr(fact, name, None)
            if history:
                accrual: Accrual = getattr(fact, "accrual", None) or "one-at-a-time"
                replay(machine, history, accrual)
