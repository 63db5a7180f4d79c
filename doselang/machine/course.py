"""The course of one patient: a machine of the same kind, with one question a cycle, in the light of the trial.

The trial is seen as an environment: which levels are tried, and which are closed as too toxic. It may change while the
patient is on treatment, but only as the trial itself can.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.arrays import pack
from doselang.machine.columns import Bools, View, truth
from doselang.machine.compiling import Gated, compile_lines
from doselang.machine.decisions import Undecided
from doselang.machine.exploring import Exploration, TooManyStates
from doselang.machine.reading import Line
from doselang.machine.records import CLOSED, FIRST_SIZE, Closing, Ints, Layout, Opening, Records
from doselang.machine.relations import Relations
from doselang.machine.setting import Setting
from doselang.protocol.guards import Cycles, Range, atoms
from doselang.protocol.model import Course, Enter, Move, Protocol, Silence

MAX_SITUATIONS = 2_000_000


@frozen(order=True, cache_hash=True)
class Environment:
    """The status of the levels: which have had a cohort, and which are closed as too toxic."""

    tried: tuple[bool, ...]
    closed: tuple[bool, ...]


@frozen(order=True, cache_hash=True)
class Standpoint:
    """Where a patient stands at the beginning of a cycle. `cycles` counts those begun before, up to what is read."""

    state: int
    level: int
    assigned: int
    cycles: int
    environment: Environment


@frozen
class Went:
    """Where a patient goes: the state and the level of the next cycle (or the final state)."""

    state: int
    level: int


@frozen
class CourseDecision:
    """What a patient's cycle comes to: `went`, or the reason why nothing was decided."""

    went: Went | None
    acted: tuple[int, ...]
    undecided: Undecided | None = None


@frozen
class CourseBranch:
    """One outcome of the human decisions: (gate, option), both from 0; none where nobody was asked."""

    choices: tuple[tuple[int, int], ...]
    decision: CourseDecision


@frozen
class StateMachine:
    """A state's rules, compiled."""

    lines: tuple[Line, ...]
    gates: tuple[Gated, ...]
    overrides: tuple[tuple[int, tuple[int, ...]], ...]


@define
class CourseMachine:
    """A patient's course, compiled. `events` are all sets of events, the empty one first, smaller before larger."""

    protocol: Protocol
    course: Course
    states: tuple[StateMachine, ...]
    events: tuple[tuple[int, ...], ...]
    most_cycles: int
    records: Records = field(init=False)
    setting: Setting = field(init=False)

    def __attrs_post_init__(self) -> None:
        layout = Layout(1, 1)
        self.records = Records(layout, np.array([1, 1] + [0] * (layout.width - 2), np.int32))
        self.setting = Setting(self.records, Relations(self.protocol.levels), self.protocol.start, 0)

    @property
    def reads_tried(self) -> bool:
        """Whether a rule asks which levels have had a cohort."""
        asked = [atom for state in self.states for line in state.lines for atom in atoms(line.guard)]
        asked += [atom for _, silence in self.silences if silence.when is not None for atom in atoms(silence.when)]
        return any("tried" in (getattr(atom, "status", ""), getattr(atom, "standing", "")[-5:]) for atom in asked)

    @property
    def silences(self) -> tuple[tuple[int, Silence], ...]:
        silences = enumerate(self.protocol.silences)
        return tuple((i, s) for i, s in silences if s.in_course and s.when is not None)

    def rule(self, state: int, line: int) -> int:
        """The rule of a line, as a position in the state's rules."""
        return self.states[state].lines[line].rule


def compile_course(protocol: Protocol) -> CourseMachine | None:
    """The machine of the patient's course, None where the protocol has none."""
    course = protocol.course
    if course is None:
        return None
    numbers = range(len(course.events))
    events = tuple(chosen for size in range(len(numbers) + 1) for chosen in combinations(numbers, size))
    guards = [case.guard for state in course.states for rule in state.rules for case in rule.cases]
    counts = [atom.count for guard in guards for atom in atoms(guard) if isinstance(atom, Cycles)]
    most = max((_ceiling(count) for count in counts), default=0)
    return CourseMachine(
        protocol, course, tuple(StateMachine(*compile_lines(state.rules)) for state in course.states), events, most
    )


def _ceiling(count: Range) -> int:
    return count.low if count.high is None else count.high + 1


def environments(exploration: Exploration) -> tuple[Environment, ...]:
    """All environments that the trial can bring about, in order."""
    records = exploration.machine.records
    status = (records.column(FIRST_SIZE) > 0) + 2 * (records.column(CLOSED) > 0).astype(np.int32)
    levels = [np.zeros((0, exploration.machine.levels), np.int32)]
    for bucket in exploration.buckets:
        found = status[bucket.codes]
        levels.append(found[np.unique(pack(found), return_index=True)[1]])
    every = np.concatenate(levels)
    met = every[np.unique(pack(every), return_index=True)[1]]
    tried, closed = (met & 1 != 0).tolist(), (met & 2 != 0).tolist()
    return tuple(sorted(Environment(tuple(t), tuple(c)) for t, c in zip(tried, closed, strict=True)))


# ---- one cycle, for many patients at once ----


def view_of_patients(machine: CourseMachine, points: list[Standpoint], events: list[tuple[int, ...]]) -> View:
    """Patients at the end of a cycle, one row each, in their environments."""
    rows, levels = len(points), len(machine.protocol.levels)
    records = machine.records
    opened, closing = records.change(Opening(1)), records.change(Closing())
    codes = np.zeros((rows, levels), np.int32)
    tried = np.array([point.environment.tried for point in points], np.bool_).reshape(rows, levels)
    closed = np.array([point.environment.closed for point in points], np.bool_).reshape(rows, levels)
    codes[tried] = records.apply(opened, codes[tried])
    codes[closed] = records.apply(closing, codes[closed])
    happened = np.zeros((rows, len(machine.course.events)), np.bool_)
    for row, chosen in enumerate(events):
        happened[row, list(chosen)] = True
    none = np.zeros(rows, np.bool_)
    here = np.array([point.level for point in points], np.int32)
    return View(
        machine.setting, codes, here, 0, np.full((rows, 1), -1, np.int32), none[:, None], none,
        np.zeros((rows, 2), np.int32), np.full(rows, -1, np.int32), none, np.zeros((rows, 0), np.int32), none,
        assigned=np.array([point.assigned for point in points], np.int32), events=happened,
        cycle=np.array([point.cycles + 1 for point in points], np.int32), entered=np.full(rows, -1, np.int32),
    )  # fmt: skip


def cycle(
    machine: CourseMachine, points: list[Standpoint], events: list[tuple[int, ...]]
) -> list[tuple[CourseBranch, ...]]:
    """What a cycle with some events comes to, for patients who are all in the same state."""
    state = machine.states[points[0].state]
    view = view_of_patients(machine, points, events)
    none = np.zeros((len(points), len(state.gates)), np.int8)
    return _branches(machine, points[0].state, view, np.arange(len(points)), none, 0)


def _branches(
    machine: CourseMachine, number: int, view: View, rows: Ints, choice: Ints, fixed: int
) -> list[tuple[CourseBranch, ...]]:
    state = machine.states[number]
    asked = view.take(rows)
    active = _active(state, asked, choice)
    found: list[list[CourseBranch]] = []
    for row in range(len(rows)):
        acted = tuple(np.flatnonzero(active[row]).tolist())
        gates = sorted({gate[0] for i in acted if (gate := state.lines[i].gate) is not None})
        choices = tuple((gate, int(choice[row, gate])) for gate in gates)
        found.append([CourseBranch(choices, _decide(machine, number, asked, row, acted))])
    for asked_gate in range(fixed, len(state.gates)):
        again = [row for row, branches in enumerate(found) if any(g == asked_gate for g, _ in branches[0].choices)]
        for option in range(1, state.gates[asked_gate].options if again else 0):
            other = choice[again].copy()
            other[:, asked_gate] = option
            more = _branches(machine, number, view, rows[again], other, asked_gate + 1)
            for row, branches in zip(again, more, strict=True):
                found[row].extend(branches)
    return [tuple(branches) for branches in found]


def _active(state: StateMachine, view: View, choice: Ints) -> Bools:
    """Which lines act in each row, after what overrides what."""
    active = np.zeros((len(view), len(state.lines)), np.bool_)
    by_rule: dict[int, Bools] = {}
    for i, line in enumerate(state.lines):
        holds = truth(line.guard, view) == 1
        if line.gate is not None:
            holds = holds & (choice[:, line.gate[0]] == line.gate[1])
        active[:, i] = holds
        by_rule[line.rule] = by_rule[line.rule] | holds if line.rule in by_rule else holds
    silenced: dict[int, Bools] = {}
    for rule, targets in state.overrides:
        acts = by_rule[rule] & ~silenced.get(rule, np.zeros(len(view), np.bool_))
        for target in targets:
            silenced[target] = silenced.get(target, np.zeros(len(view), np.bool_)) | acts
    for i, line in enumerate(state.lines):
        if line.rule in silenced:
            active[:, i] &= ~silenced[line.rule]
    return active


def _decide(machine: CourseMachine, number: int, view: View, row: int, acted: tuple[int, ...]) -> CourseDecision:
    """The decision of a row: rules that do the same agree."""
    answers: list[tuple[int, Went]] = []
    for i in acted:
        for m, move in enumerate(machine.states[number].lines[i].moves):
            level = _where(view, row, move)
            if level is None:
                return CourseDecision(None, acted, Undecided("no level", (i,), m))
            answers.append((i, Went(move.state if isinstance(move, Enter) else number, level)))
    for i, went in answers[1:]:
        if went != answers[0][1]:
            return CourseDecision(None, acted, Undecided("conflict", tuple(sorted({answers[0][0], i})), question=3))
    if answers:
        return CourseDecision(answers[0][1], acted)
    one = view.take(slice(row, row + 1))
    for position, silence in machine.silences:
        if silence.when is not None and truth(silence.when, one)[0] == 1:
            return CourseDecision(None, acted, Undecided("silence", silence=position))
    return CourseDecision(None, acted, Undecided("no answer"))


def _where(view: View, row: int, move: Move) -> int | None:
    place = getattr(move, "place", None)
    if place is None:
        return int(view.here[row])
    index, exists = view.place(place)
    return int(index[row]) if exists[row] else None


# ---- all courses that can be ----


@frozen
class CourseStep:
    """A cycle of a patient: where from, with which events, by which branch, and where that leads (None: an end).

    `began` is where the patient stood when the cycle began; `point` the same at its end: the trial may have gone on.
    """

    began: Standpoint
    point: Standpoint
    events: tuple[int, ...]
    branch: CourseBranch
    leads_to: Standpoint | None


@define
class CourseExploration:
    """All standpoints that can be reached, each with the step of its shortest course; and every step."""

    machine: CourseMachine
    first: dict[Standpoint, CourseStep | None] = field(factory=dict)
    steps: list[CourseStep] = field(factory=list)

    def history(self, step: CourseStep) -> tuple[CourseStep, ...]:
        """The shortest course that ends with a step."""
        steps = [step]
        while (before := self.first[steps[0].began]) is not None:
            steps.insert(0, before)
        return tuple(steps)


def explore_course(machine: CourseMachine, found: tuple[Environment, ...]) -> CourseExploration:
    """All courses in all environments that the trial can bring about; fewest cycles first, no event before events.

    A patient's level is not closed when he or she enters. Raises TooManyStates.
    """
    number, later = {one: n for n, one in enumerate(found)}, later_of(found)
    explored = CourseExploration(machine)
    for environment in found:
        for level, (tried, closed) in enumerate(zip(environment.tried, environment.closed, strict=True)):
            if tried and not closed:
                explored.first.setdefault(Standpoint(0, level, level, 0, environment), None)
    frontier = sorted(explored.first, key=_order)
    unseen: dict[tuple[int, ...], Bools] = {}
    """By all of a standpoint but its environment: in which environments it has not been seen yet."""
    while frontier:
        # within a cycle the trial may go on, so the look sees any environment that this one becomes
        seen: dict[Standpoint, Standpoint] = {}
        for began in frontier:
            place = (began.state, began.level, began.assigned, began.cycles)
            new = unseen.setdefault(place, np.ones(len(found), np.bool_))
            for other in np.flatnonzero(later[number[began.environment]] & new).tolist():
                seen[Standpoint(*place, found[other])] = began
                new[other] = False
        frontier = []
        for step in _steps(machine, seen):
            explored.steps.append(step)
            if step.leads_to is not None and step.leads_to not in explored.first:
                explored.first[step.leads_to] = step
                frontier.append(step.leads_to)
        if len(explored.steps) > MAX_SITUATIONS:
            raise TooManyStates(len(explored.steps), 0)
    return explored


def _order(point: Standpoint) -> tuple[object, ...]:
    """The order of standpoints, told faster than by their own comparison."""
    environment = point.environment
    return point.state, point.level, point.assigned, point.cycles, environment.tried, environment.closed


def later_of(found: tuple[Environment, ...]) -> Bools:
    """Whether the trial may lead from one environment to another, [from, to]: nothing is untried or reopened."""
    there = np.array([one.tried + one.closed for one in found], np.int32)
    later: Bools = there @ (1 - there).T == 0
    return later


def _steps(machine: CourseMachine, seen: dict[Standpoint, Standpoint]) -> Iterator[CourseStep]:
    """Every cycle from some standpoints; those that differ only in which levels are tried are asked once."""
    reads_tried = machine.reads_tried
    alike: dict[Standpoint, list[Standpoint]] = {}
    for point in seen:
        asked = point if reads_tried else evolve(point, environment=_all_tried(point.environment))
        alike.setdefault(asked, []).append(point)
    by_state: dict[int, list[Standpoint]] = {}
    for point in alike:
        by_state.setdefault(point.state, []).append(point)
    for points in by_state.values():
        rows = [(point, chosen) for chosen in machine.events for point in points]
        outcomes = cycle(machine, [point for point, _ in rows], [chosen for _, chosen in rows])
        for (asked, chosen), branches in zip(rows, outcomes, strict=True):
            for point in alike[asked]:
                for branch in branches:
                    yield CourseStep(seen[point], point, chosen, branch, leads_to(machine, point, branch.decision))


def _all_tried(environment: Environment) -> Environment:
    return Environment((True,) * len(environment.tried), environment.closed)


def leads_to(machine: CourseMachine, point: Standpoint, decision: CourseDecision) -> Standpoint | None:
    """The standpoint of the next cycle; None at a final state, and where nothing is decided."""
    went = decision.went
    if went is None or machine.course.states[went.state].final:
        return None
    cycles = min(point.cycles + 1, machine.most_cycles)
    return Standpoint(went.state, went.level, point.assigned, cycles, point.environment)
