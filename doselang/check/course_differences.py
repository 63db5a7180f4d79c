"""Where the courses of patients of two protocols part: both followed in step, in all environments of the trial."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from operator import itemgetter

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.check.counterparts import matched
from doselang.check.sides import chance_drawn
from doselang.diagnostics import trouble
from doselang.machine.course import (
    CourseBranch,
    CourseMachine,
    CourseStep,
    Environment,
    Standpoint,
    compile_course,
    cycle,
    later_of,
    leads_to,
)
from doselang.protocol.model import Protocol

MOST_CYCLES = 1_000_000
"""So many cycles of pairs of standpoints are followed."""

Pair = tuple[Standpoint, Standpoint]


@frozen(eq=False)
class CourseParting:
    """A cycle after which two protocols first decide differently about a patient; the course is the shortest.

    `course` is that of the first protocol, its last step the cycle. `ways` are what each decides: all ways in which
    people can choose. Both are empty where only one of the protocols has a course.
    """

    course: tuple[CourseStep, ...]
    ways: tuple[tuple[CourseBranch, ...], tuple[CourseBranch, ...]]
    state: tuple[int, int] = (0, 0)
    has_course: tuple[bool, bool] = (True, True)


@define
class _Asked:
    """One of the two course machines; what a cycle comes to is asked once."""

    machine: CourseMachine
    states: tuple[int, ...]
    """Its states in the numbers of the first protocol."""
    events: tuple[int, ...]
    """By event of the first protocol: its own."""
    _known: dict[tuple[Standpoint, tuple[int, ...]], tuple[CourseBranch, ...]] = field(factory=dict)
    _reads_tried: bool | None = None

    def of(self, point: Standpoint, chosen: tuple[int, ...]) -> tuple[CourseBranch, ...]:
        """What a cycle with some events (of the first protocol) comes to."""
        if self._reads_tried is None:
            self._reads_tried = self.machine.reads_tried
        if not self._reads_tried:
            status = point.environment
            point = evolve(point, environment=Environment((True,) * len(status.tried), status.closed))
        key = point, tuple(sorted(self.events[event] for event in chosen))
        if key not in self._known:
            every = self.machine.events
            found = cycle(self.machine, [point] * len(every), list(every))
            self._known.update(((point, one), branches) for one, branches in zip(every, found, strict=True))
        return self._known[key]

    def shown(self, branch: CourseBranch, state: int) -> tuple[int, int, Fraction]:
        """What can be seen of a decision in a state: the state and the level that follow, or that nothing is decided.

        A final state has no level, so that it is told from one that is not. Last the chance by which the way was drawn.
        """
        chance = chance_drawn(self.machine.states[state].lines, branch.choices)
        went = branch.decision.went
        if went is None:
            return -1, -1, chance
        final = self.machine.course.states[went.state].final
        return self.states[went.state], -2 if final else went.level, chance


def course_partings(
    first: Protocol, second: Protocol, environments: tuple[Environment, ...]
) -> tuple[tuple[CourseParting, ...], int]:
    """Where the courses of patients part, shortest first, one for each state and what is decided; and how many pairs.

    Raises Trouble DL702 where there are too many.
    """
    machines = compile_course(first), compile_course(second)
    if machines[0] is None or machines[1] is None:
        has = machines[0] is not None, machines[1] is not None
        return ((CourseParting((), ((), ()), has_course=has),) if any(has) else ()), 0
    one, other = machines[0], machines[1]
    events = matched([e.name for e in one.course.events], [e.name for e in other.course.events])
    if sorted(events) != list(range(len(one.course.events))):
        raise trouble(
            "DL903", "The courses of patients have different events, so that they cannot be compared.",
            help="`--figures` compares the figures alone.",
        )  # fmt: skip
    states = matched([s.name for s in one.course.states], [s.name for s in other.course.states], (0, 0))
    own = tuple(events.index(event) for event in range(len(events)))
    asked = (
        _Asked(one, tuple(range(len(one.course.states))), tuple(range(len(events)))),
        _Asked(other, states, own),
    )
    return _Followed(asked, environments).run()


@define
class _Followed:
    """All pairs of standpoints, fewest cycles first, with the step by which each was reached first."""

    asked: tuple[_Asked, _Asked]
    environments: tuple[Environment, ...]
    reached: dict[Pair, tuple[Pair, CourseStep] | None] = field(factory=dict)
    partings: dict[object, CourseParting] = field(factory=dict)

    def run(self) -> tuple[tuple[CourseParting, ...], int]:
        later = {
            one: [self.environments[n] for n in np.flatnonzero(becomes)]
            for one, becomes in zip(self.environments, later_of(self.environments), strict=True)
        }
        for environment in self.environments:
            for level, (tried, closed) in enumerate(zip(environment.tried, environment.closed, strict=True)):
                if tried and not closed:
                    point = Standpoint(0, level, level, 0, environment)
                    self.reached[point, point] = None
        frontier, done, cycles = sorted(self.reached), set[Pair](), 0
        while frontier:
            seen: dict[Pair, Pair] = {}
            for began in frontier:
                for environment in later[began[0].environment]:
                    pair = evolve(began[0], environment=environment), evolve(began[1], environment=environment)
                    if pair not in done:
                        seen.setdefault(pair, began)
            done.update(seen)
            frontier = []
            for pair, began in seen.items():
                frontier += self._cycle(pair, began)
            cycles += len(seen)
            if cycles > MOST_CYCLES:
                raise trouble(
                    "DL702", f"There are more than {MOST_CYCLES:,} pairs of situations of patients. "
                    "Whether the protocols decide alike is not known.",
                    help="`--figures` compares the figures alone; fewer levels make fewer pairs.",
                )  # fmt: skip
        return tuple(self.partings.values()), len(done)

    def _cycle(self, pair: Pair, began: Pair) -> Iterator[Pair]:
        """The pairs that a cycle leads to, where both decide alike."""
        first, second = self.asked
        for chosen in first.machine.events:
            ours = [(first.shown(way, pair[0].state), way) for way in first.of(pair[0], chosen)]
            theirs = [(second.shown(way, pair[1].state), way) for way in second.of(pair[1], chosen)]
            ours.sort(key=itemgetter(0))
            theirs.sort(key=itemgetter(0))
            if [shown for shown, _ in ours] != [shown for shown, _ in theirs]:
                key = pair[0].state, tuple(way.decision for _, way in ours), tuple(way.decision for _, way in theirs)
                if key not in self.partings:
                    step = CourseStep(began[0], pair[0], chosen, ours[0][1], None)
                    self.partings[key] = CourseParting(
                        (*self._course(began), step),
                        (tuple(way for _, way in ours), tuple(way for _, way in theirs)),
                        (pair[0].state, pair[1].state),
                    )
                continue
            for (_, way), (_, other) in zip(ours, theirs, strict=True):
                then = leads_to(first.machine, pair[0], way.decision), leads_to(second.machine, pair[1], other.decision)
                if then[0] is None or then[1] is None:
                    continue
                following = then[0], then[1]
                if following not in self.reached:
                    self.reached[following] = began, CourseStep(began[0], pair[0], chosen, way, then[0])
                    yield following

    def _course(self, pair: Pair) -> tuple[CourseStep, ...]:
        """The shortest course to a pair, as steps of the first protocol."""
        steps: list[CourseStep] = []
        while (before := self.reached[pair]) is not None:
            pair = before[0]
            steps.insert(0, before[1])
        return tuple(steps)
