"""Checks of the patient's course: what is undecided, what is unsafe, and the claims about it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from doselang.check.facts import ClaimChecked, CourseCause, CourseRule, CourseUnsafe, Fact
from doselang.check.mutants import course_mutants
from doselang.machine.columns import truth
from doselang.machine.course import (
    CourseExploration,
    CourseMachine,
    CourseStep,
    Environment,
    Standpoint,
    compile_course,
    explore_course,
    view_of_patients,
)
from doselang.machine.exploring import TooManyStates
from doselang.protocol.model import Claim, Protocol

MOST_MUTANTS = 200


def check_course(explored: CourseExploration, *, complete: bool = True) -> Iterator[Fact]:
    """Facts about the course, claims apart; what never happens is a fact only if the trial was explored to its end."""
    yield from _causes(explored)
    yield from _unsafe(explored)
    if complete:
        yield from _rules(explored)


def _causes(explored: CourseExploration) -> Iterator[Fact]:
    met: dict[object, list[CourseStep]] = {}
    for step in explored.steps:
        decision = step.branch.decision
        if decision.undecided is not None:
            met.setdefault((step.point.state, decision.undecided, decision.acted), []).append(step)
    for steps in met.values():
        decision = steps[0].branch.decision
        assert decision.undecided is not None
        events = tuple(dict.fromkeys(step.events for step in steps))
        state = steps[0].point.state
        acted = tuple(dict.fromkeys(explored.machine.rule(state, i) for i in decision.acted))
        yield CourseCause(decision.undecided, state, events, acted, explored.history(steps[0]), len(steps))


def _unsafe(explored: CourseExploration) -> Iterator[Fact]:
    """The first step, by rule, that moves a patient up, or re-treats at a level closed as too toxic."""
    seen: set[tuple[str, int, int]] = set()
    states = explored.machine.course.states
    for step in explored.steps:
        went = step.branch.decision.went
        if went is None or states[went.state].final:
            continue
        rule = explored.machine.rule(step.point.state, step.branch.decision.acted[0])
        moved = went.state != step.point.state or went.level != step.point.level
        kinds = []
        if went.level > step.point.level and not explored.machine.course.may_escalate:
            kinds.append("escalated")
        if moved and step.point.environment.closed[went.level]:
            kinds.append("closed")
        for kind in kinds:
            if (kind, step.point.state, rule) not in seen:
                seen.add((kind, step.point.state, rule))
                yield CourseUnsafe(kind, step.point.state, rule, explored.history(step))  # type: ignore[arg-type]


def _rules(explored: CourseExploration) -> Iterator[Fact]:
    """Rules that act in no state they hold in. A rule that holds in several states need act in one."""
    machine = explored.machine
    acted = {
        (step.point.state, machine.rule(step.point.state, i))
        for step in explored.steps for i in step.branch.decision.acted
    }  # fmt: skip
    named = {machine.course.states[state].rules[rule].name for state, rule in acted}
    told: set[str] = set()
    for number, state in enumerate(machine.course.states):
        for rule, made in enumerate(state.rules):
            if made.name not in named and made.name not in told:
                told.add(made.name)
                yield CourseRule(number, rule, "idle")


# ---- claims ----


def course_claims(
    protocol: Protocol, explored: CourseExploration, found: tuple[Environment, ...], *, mutate: bool
) -> Iterator[ClaimChecked]:
    """The outcome of each claim about the course, in order."""
    numbers = [n for n, claim in enumerate(protocol.claims) if claim.in_course]
    outcomes = {n: _first_failure(explored, protocol.claims[n]) for n in numbers}
    held = {n for n, (moments, failure) in outcomes.items() if moments and failure is None}
    broken = _broken_by(protocol, held, found) if mutate and held else {}
    for number, (moments, failure) in outcomes.items():
        if failure is not None:
            undecided = failure.branch.decision.undecided is not None
            yield ClaimChecked(number, "refuted", course=explored.history(failure), undecided=undecided)
        elif not moments:
            yield ClaimChecked(number, "empty")
        elif mutate and number not in broken:
            yield ClaimChecked(number, "unbreakable")
        else:
            yield ClaimChecked(number, "proved", mutant=broken.get(number))


def _first_failure(explored: CourseExploration, claim: Claim) -> tuple[int, CourseStep | None]:
    """How many moments a claim is about, and the first step after which it fails."""
    machine = explored.machine
    ends = claim.modality == "eventually"
    steps = [s for s in explored.steps if not ends or s.leads_to is None]
    decided = [s for s in steps if s.branch.decision.went is not None]
    about = np.zeros(0, np.bool_)
    wrong = about
    if decided:
        view = _after(machine, decided)
        about = np.ones(len(decided), np.bool_) if claim.when is None else truth(claim.when, view) == 1
        value = truth(claim.guard, view)
        wrong = about & ((value == 1) if claim.modality == "never" else (value != 1))
    failures = [decided[row] for row in np.flatnonzero(wrong)]
    moments = int(about.sum())
    if ends:
        undecided = [step for step in steps if step.branch.decision.went is None]
        failures += undecided
        moments += len(undecided)
    order = {id(step): number for number, step in enumerate(explored.steps)}
    return moments, min(failures, key=lambda step: order[id(step)], default=None)


def _after(machine: CourseMachine, steps: list[CourseStep]):  # type: ignore[no-untyped-def]
    """The patients after the decisions of some steps: this level is the level they go on at."""
    points = []
    for step in steps:
        went = step.branch.decision.went
        assert went is not None
        point = step.point
        points.append(Standpoint(went.state, went.level, point.assigned, point.cycles, point.environment))
    view = view_of_patients(machine, points, [step.events for step in steps])
    entered = [
        p.state if p.state != s.point.state or p.level != s.point.level else -1
        for p, s in zip(points, steps, strict=True)
    ]
    view.entered = np.array(entered, np.int32)
    return view


def _broken_by(protocol: Protocol, claims: set[int], found: tuple[Environment, ...]) -> dict[int, str]:
    broken: dict[int, str] = {}
    for count, mutant in enumerate(course_mutants(protocol)):
        left = claims - broken.keys()
        if not left or count >= MOST_MUTANTS:
            break
        machine = compile_course(mutant.protocol)
        assert machine is not None
        try:
            explored = explore_course(machine, found)
        except TooManyStates:
            continue
        broken.update((n, mutant.change) for n in left if _first_failure(explored, protocol.claims[n])[1] is not None)
    return broken
