"""Courses of patients under a scenario's hazards: exact, as a chain of cycles with an end.

A patient's events in a cycle are independent, each with the scenario's hazard at the level of the cycle. The levels
that are closed as too toxic are those at the end of the trial: no clock says when each was closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
from attrs import define, field

from doselang.machine.arrays import pack
from doselang.machine.course import (
    CourseBranch,
    CourseMachine,
    Environment,
    Standpoint,
    compile_course,
    cycle,
    leads_to,
)
from doselang.machine.records import CLOSED, FIRST_SIZE
from doselang.machine.weights import Floats, Flow, carry
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Courses

UNTOLD = "undecided"
GOES_ON = "treatment goes on"


def courses(protocol: Protocol, flow: Flow, chance: Floats, scenario: Scenario) -> Courses | None:
    """What becomes of the patients of a trial; None without a course, or without hazards in the scenario.

    `chance` is that of each kind of step of the flow under the scenario, [kinds, 1].
    """
    machine = compile_course(protocol)
    if machine is None or scenario.hazards is None:
        return None
    assigned = _assigned(flow, chance)
    everybody = sum(assigned.values())
    re_treated, cycles, endless = 0.0, 0.0, False
    reasons: dict[str, float] = {}
    for (level, environment), patients in assigned.items():
        one = _Chain(machine, scenario, Standpoint(0, level, level, 0, environment)).solve()
        re_treated += patients * one.re_treated
        endless |= one.cycles is None
        cycles += patients * (one.cycles or 0.0)
        for reason, share in one.reasons.items():
            reasons[reason] = reasons.get(reason, 0.0) + patients * share
    shares = {
        reason: share / everybody for reason, share in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    }
    return Courses(re_treated / everybody, None if endless else cycles / everybody, shares)


def _assigned(flow: Flow, chance: Floats) -> dict[tuple[int, Environment], float]:
    """Expected numbers of patients by assigned level and status of the levels at the end of their trial."""
    treated = _treated(flow, chance)
    found: dict[tuple[int, Environment], float] = {}
    ended = np.flatnonzero(flow.ended)
    codes = np.concatenate([bucket.codes for bucket in flow.exploration.buckets])[ended]
    records = flow.exploration.machine.records
    status = (records.column(FIRST_SIZE) > 0) + 2 * (records.column(CLOSED) > 0)
    there = status.astype(np.int32)[codes]
    _, first, which = np.unique(pack(there), return_index=True, return_inverse=True)
    patients = np.zeros((len(first), treated.shape[1]))
    np.add.at(patients, which, treated[ended])
    for row, levels in zip(there[first].tolist(), patients.tolist(), strict=True):
        environment = Environment(tuple(s & 1 > 0 for s in row), tuple(s & 2 > 0 for s in row))
        found.update(((level, environment), number) for level, number in enumerate(levels) if number > 0)
    return dict(sorted(found.items()))


def _treated(flow: Flow, chance: Floats) -> Floats:
    """By state and level: the chance of the state times the patients treated at the level before it, on average."""
    reached, step_chance = carry(flow, chance)[:, 0], chance[flow.kind, 0]
    size, level = flow.kinds.counts.sum(axis=1)[flow.kind], flow.kinds.level[flow.kind]
    treated = np.zeros((flow.states, flow.exploration.machine.levels))
    for start, end in zip(flow.buckets[1:-1], flow.buckets[2:], strict=True):
        steps = slice(flow.first[start], flow.first[end])
        source = flow.source[steps]
        arriving = treated[source]
        arriving[np.arange(len(source)), level[steps]] += reached[source] * size[steps]
        arriving *= step_chance[steps, None]
        np.add.reduceat(arriving, flow.first[start:end] - flow.first[start], axis=0, out=treated[start:end])
    return treated


@define
class _Solved:
    re_treated: float
    cycles: float | None
    reasons: dict[str, float]


@define
class _Chain:
    """The cycles of a patient from a standpoint on: which lead to which, with what chance."""

    machine: CourseMachine
    scenario: Scenario
    start: Standpoint
    _numbers: dict[tuple[Standpoint, bool], int] = field(factory=dict)
    _moves: list[tuple[int, int, float]] = field(factory=list)
    _ends: list[tuple[int, str, float]] = field(factory=list)

    def solve(self) -> _Solved:
        """Expected cycles, the chance of ever being re-treated, and of each reason to go off treatment."""
        self._explore()
        size = len(self._numbers)
        matrix = np.eye(size)
        for source, target, chance in self._moves:
            matrix[source, target] -= chance
        leaves = self._leave_at_last()
        stuck = [number for number in range(size) if number not in leaves]
        for number in stuck:
            matrix[number] = 0.0
            matrix[number, number] = 1.0
        visits = np.linalg.solve(matrix.T, np.eye(size)[0])
        reasons: dict[str, float] = {}
        for source, reason, chance in self._ends:
            if source in leaves:
                reasons[reason] = reasons.get(reason, 0.0) + float(visits[source]) * chance
        if going_on := float(sum(visits[number] for number in stuck)):
            reasons[GOES_ON] = going_on
        return _Solved(self._ever_re_treated(matrix), None if going_on else float(visits.sum()), reasons)

    def _ever_re_treated(self, matrix: Floats) -> float:
        """The chance of a first step from treatment to re-treatment."""
        first = [number for (_, again), number in self._numbers.items() if not again]
        visits = np.linalg.solve(matrix[np.ix_(first, first)].T, np.eye(len(first))[0])
        at = dict(zip(first, visits.tolist(), strict=True))
        return float(sum(at[s] * chance for s, t, chance in self._moves if s in at and t not in at))

    def _explore(self) -> None:
        self._numbers[self.start, False] = 0
        waiting = [(self.start, False)]
        while waiting:
            key = waiting.pop()
            point, again = key
            for chance, following, reason in after_cycle(self.machine, self.scenario, point):
                if following is None:
                    self._ends.append((self._numbers[key], reason, chance))
                    continue
                then = (following, again or following.state != 0)
                if then not in self._numbers:
                    self._numbers[then] = len(self._numbers)
                    waiting.append(then)
                self._moves.append((self._numbers[key], self._numbers[then], chance))

    def _leave_at_last(self) -> set[int]:
        """The standpoints from which treatment can end."""
        leaves = {source for source, _, chance in self._ends if chance > 0}
        before: dict[int, set[int]] = {}
        for source, target, chance in self._moves:
            if chance > 0:
                before.setdefault(target, set()).add(source)
        frontier = set(leaves)
        while frontier:
            frontier = set(chain.from_iterable(before.get(number, ()) for number in frontier)) - leaves
            leaves |= frontier
        return leaves


def after_cycle(
    machine: CourseMachine, scenario: Scenario, point: Standpoint
) -> Iterator[tuple[float, Standpoint | None, str]]:
    """What a cycle can lead to: its chance, the standpoint of the next cycle, or None with the reason for the end."""
    events = [chosen for chosen in machine.events if _chance(scenario, chosen, point.level) > 0]
    for chosen, branches in zip(events, cycle(machine, [point] * len(events), events), strict=True):
        for branch, share in _shares(machine, scenario, point.state, branches):
            following = leads_to(machine, point, branch.decision)
            reason = "" if following is not None else _reason(machine, chosen, branch)
            yield _chance(scenario, chosen, point.level) * share, following, reason


def _chance(scenario: Scenario, chosen: tuple[int, ...], level: int) -> float:
    assert scenario.hazards is not None
    rates = [of_event[level] for of_event in scenario.hazards]
    return float(np.prod([rate if event in chosen else 1 - rate for event, rate in enumerate(rates)]))


def _shares(
    machine: CourseMachine, scenario: Scenario, state: int, branches: tuple[CourseBranch, ...]
) -> list[tuple[CourseBranch, float]]:
    """The branches of people's decisions with their chances; those that the scenario does not tell: undecided."""
    if len(branches) == 1 and not branches[0].choices:
        return [(branches[0], 1.0)]
    found = []
    for branch in branches:
        share = 1.0
        for gate, option in branch.choices:
            rule = machine.states[state].gates[gate].rule
            chances = scenario.chances.get(machine.course.states[state].rules[rule].name)
            if chances is None:
                return [(_untold(branches[0]), 1.0)]
            share *= chances[option]
        found.append((branch, share))
    return [(branch, share) for branch, share in found if share > 0]


def _reason(machine: CourseMachine, chosen: tuple[int, ...], branch: CourseBranch) -> str:
    if branch.decision.went is None:
        return UNTOLD
    return " and ".join(machine.course.events[event].name for event in chosen) or "no event"


def _untold(branch: CourseBranch) -> CourseBranch:
    decision = branch.decision.__class__(None, branch.decision.acted)
    return CourseBranch((), decision)
