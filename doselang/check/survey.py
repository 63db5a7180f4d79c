"""What the rules did at every reachable look, gathered once for the checks of coverage."""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.arrays import present, ranges
from doselang.machine.asking import ask
from doselang.machine.cohorts import after_outcomes, open_nodes, outcomes_of
from doselang.machine.columns import Bools, View, truth
from doselang.machine.compiling import PartMachine
from doselang.machine.decisions import GoesOn
from doselang.machine.exploring import Exploration
from doselang.machine.looking import decide
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.states import ROLLING, view_of
from doselang.protocol.guards import All, Any, CohortComplete, Guard, Not


@define
class PartSurvey:
    """Looks of one part, taken together.

    By line: how often it acted, and how often it would have but for an override; by (line, condition): whether it was
    ever true, and ever not true; by (rule, overridden rule): whether the override ever bit.
    """

    part: PartMachine
    looks: int = 0
    acted: dict[int, int] = field(factory=dict)
    true: dict[tuple[int, int], int] = field(factory=dict)
    not_true: dict[tuple[int, int], int] = field(factory=dict)
    bitten: set[tuple[int, int]] = field(factory=set)

    def count(self, line: int, position: int, true: Bools) -> None:
        """Count at how many looks a condition of a line was true, and was not."""
        key = (line, position)
        self.true[key] = self.true.get(key, 0) + int(true.sum())
        self.not_true[key] = self.not_true.get(key, 0) + int((~true).sum())


def literals(guard: Guard) -> tuple[Guard, ...]:
    """The conditions a guard is made of, each with its `not`; the end of a cohort is not told."""
    match guard:
        case All(guards) | Any(guards):
            return tuple(literal for part in guards for literal in literals(part))
        case CohortComplete():
            return ()
        case Not(All() | Any() as inner):
            return literals(inner)
        case _:
            return (guard,)


def survey(exploration: Exploration) -> tuple[PartSurvey, ...]:
    """Ask the rules once more in every situation and after every outcome that was decided there."""
    surveys = tuple(PartSurvey(part) for part in exploration.machine.parts)
    for part, into in zip(exploration.machine.parts, surveys, strict=True):
        rows = [row for row, made in enumerate(exploration.situations.rows) if made.part == part.number]
        if rows:
            _survey_part(exploration, part, rows, into)
    return surveys


def looks_of(exploration: Exploration, part: PartMachine, rows: list[int]) -> tuple[View, Ints, list[int]]:
    """One row for every exit of some situations: the view after its outcomes, the parts begun, and the exits."""
    situations, records = exploration.situations, exploration.machine.records
    silent = np.array([isinstance(branch.decision.answers.next, GoesOn) for branch in exploration.frames.branches])
    which, exits = ranges(situations.first[rows], situations.count[rows])
    loud = ~silent[situations.branch[exits]]
    which, exits = which[loud], exits[loud]
    frames, codes = _first_states(exploration, rows)
    numbers = frames[which]
    view = view_of(exploration.frames, part.number, numbers, codes.take(which, axis=0))
    changes = situations.change[exits]
    lines = np.arange(len(exits))
    view.codes[lines, view.here] = records.apply(changes, view.codes[lines, view.here])
    kinds = records.kinds()
    met, which_met = np.unique(changes, return_inverse=True)
    outcomes = [kinds[change] for change in met.tolist()]
    assert all(isinstance(outcome, Evaluable) for outcome in outcomes)
    counts = [outcome.counts for outcome in outcomes if isinstance(outcome, Evaluable)]
    view.cohort = np.array([(sum(c), *c[1:]) for c in counts], np.int32)[which_met]
    view.complete = view.cohort[:, 0] == situations.size_of_exit[exits]
    alone = exploration.frames.sentinel[numbers].astype(np.bool_) & ~view.complete
    view.sentinel = alone & (view.cohort[:, 0] == 1) & (view.cohort[:, 1:].sum(axis=1) > 0)
    return view, exploration.frames.begun[numbers], exits.tolist()


def _first_states(exploration: Exploration, rows: list[int]) -> tuple[Ints, Ints]:
    """The frames and codes of the first states in some situations."""
    states = [exploration.state(exploration.first_state[row]) for row in rows]
    frames = np.array([bucket.frames[position] for bucket, position in states], np.int32)
    return frames, np.array([bucket.codes[position] for bucket, position in states], np.int32)


def _sentinel_looks(exploration: Exploration, part: PartMachine, rows: list[int]) -> tuple[View, Ints]:
    """The looks after a sentinel with toxicity at which the rest of the cohort enters, and the parts begun."""
    frames, toxicities = exploration.frames, exploration.machine.protocol.toxicities
    numbers, codes = _first_states(exploration, rows)
    nodes = [node for node in outcomes_of(1, toxicities, False) if sum(node[1:])]
    view = after_outcomes(frames, part, numbers, codes, nodes, 0, sentinel=True)
    view.sentinel = np.repeat(frames.sentinel[numbers].astype(np.bool_) & (frames.size[numbers] > 1), len(nodes))
    begun = np.repeat(frames.begun[numbers], len(nodes))
    found = decide(exploration.machine, part, view.take(slice(None)), begun, rest=True)
    goes_on = [o is not None and isinstance(o[0].decision.answers.next, GoesOn) for o in found]
    some = np.flatnonzero(np.array(goes_on, np.bool_))
    return view.take(some), begun[some]


def _waiting(exploration: Exploration, rows: list[int]) -> list[int]:
    """The situations of a rolling part in which the next patient waits: the rules were asked, and none acts."""
    frames, made = exploration.frames, exploration.situations.rows
    waiting = [row for row in rows if made[row].exits[-1].change is not None]
    states = [exploration.state(exploration.first_state[row]) for row in waiting]
    modes = [int(frames.mode[bucket.frames[state]]) for bucket, state in states]
    return [row for row, mode in zip(waiting, modes, strict=True) if mode == ROLLING]


def _arrivals(exploration: Exploration, part: PartMachine, rows: list[int]) -> tuple[View, Ints]:
    """The looks at an arrival in some situations of a rolling part, and the parts begun."""
    states = [exploration.state(exploration.first_state[row]) for row in rows]
    numbers = np.array([bucket.frames[state] for bucket, state in states], np.int32)
    codes = np.array([bucket.codes[state] for bucket, state in states], np.int32)
    nobody = [(0,) * (1 + len(exploration.machine.protocol.toxicities))]
    view = after_outcomes(exploration.frames, part, numbers, codes, nobody, 0)
    return view, exploration.frames.begun[numbers]


def _survey_part(exploration: Exploration, part: PartMachine, rows: list[int], into: PartSurvey) -> None:
    view, begun, exits = looks_of(exploration, part, rows)
    _survey_looks(exploration, part, view, begun, exits, into)
    if part.part.sentinel is not None:
        view, begun = _sentinel_looks(exploration, part, rows)
        if len(view):
            _survey_looks(exploration, part, view, begun, [], into)
    if part.any_time and not part.part.rolling:
        _survey_between(exploration, part, rows, into)
    waiting = _waiting(exploration, rows) if part.part.rolling else []
    if waiting:
        view, begun = _arrivals(exploration, part, waiting)
        _survey_looks(exploration, part, view, begun, [], into)


def _survey_between(exploration: Exploration, part: PartMachine, rows: list[int], into: PartSurvey) -> None:
    """Ask the rules marked `at any time` where a patient becomes known and none of them acts."""
    toxicities, made = exploration.machine.protocol.toxicities, exploration.situations.rows
    numbers, codes = _first_states(exploration, rows)
    for size in present(exploration.frames.size[numbers]):
        nodes = outcomes_of(size, toxicities, True)
        some = [n for n, row in enumerate(rows) if made[row].size == size and len(made[row].decided) == len(nodes)]
        if not some:
            continue
        goes_on = np.array([open_nodes(nodes, made[rows[n]].decided) for n in some], np.bool_).ravel()
        view = after_outcomes(exploration.frames, part, numbers[some], codes[some], nodes, size)
        seen = view.take(np.flatnonzero(goes_on))
        for number in part.any_time:
            for position, literal in enumerate(literals(part.lines[number].guard)):
                into.count(number, position, truth(literal, seen) == 1)


def _survey_looks(
    exploration: Exploration, part: PartMachine, view: View, begun: Ints, exits: list[int], into: PartSurvey
) -> None:
    """Ask the rules at some looks; `exits` are those of looks at which people may have chosen."""
    choice = np.zeros((len(view), len(part.gates)), np.int8)
    for position, e in enumerate(exits):
        for gate, option in exploration.frames.branches[exploration.situations.branch[e]].choices:
            choice[position, gate] = option
    holds: dict[int, Bools] = {}

    def observe(question: int, seen: View) -> None:
        for number, line in enumerate(part.lines):
            if line.question == question:
                holds[number] = truth(line.guard, seen) == 1
                for position, literal in enumerate(literals(line.guard)):
                    into.count(number, position, truth(literal, seen) == 1)

    asked = ask(exploration.machine, part, view, begun, choice, tuple(range(len(part.lines))), observe)
    into.looks += len(view)
    by_rule = [np.zeros(len(view), np.bool_) for _ in part.part.rules]
    acted = [np.zeros(len(view), np.bool_) for _ in part.part.rules]
    for number, line in enumerate(part.lines):
        into.acted[number] = into.acted.get(number, 0) + int(asked.active[:, number].sum())
        by_rule[line.rule] |= holds[number]
        acted[line.rule] |= asked.active[:, number]
    for rule, targets in part.overrides:
        into.bitten |= {(rule, target) for target in targets if (acted[rule] & by_rule[target]).any()}
