"""What the rules did at every reachable look, gathered once for the checks of coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field

from doselang.machine.columns import Bools, View, truth
from doselang.machine.compiling import PartMachine
from doselang.machine.decisions import GoesOn
from doselang.machine.exploring import Exploration
from doselang.machine.looking import ask
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.situations import outcomes_of
from doselang.machine.states import view_of
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
    """One row for every look of some situations: the view after its outcomes, the parts begun, and the exits.

    A look after a sentinel, after which the rest of the cohort enters, is no exit: -1.
    """
    situations, records = exploration.situations, exploration.machine.records
    silent = [isinstance(branch.decision.answers.next, GoesOn) for branch in exploration.frames.branches]
    every = ((r, e) for r in rows for e in range(situations.first[r], situations.first[r] + situations.count[r]))
    pairs = [(row, exit) for row, exit in every if not silent[situations.branch[exit]]]
    exits = [exit for _, exit in pairs]
    changes = situations.change[exits]
    for row, sentinel in _going_on(exploration, rows):
        pairs.append((row, -1))
        exits.append(-1)
        changes = np.append(changes, records.change(Evaluable(part.number, sentinel)))
    states = [exploration.state(exploration.first_state[row]) for row, _ in pairs]
    numbers = np.array([bucket.frames[s] for bucket, s in states], np.int32)
    codes = np.array([bucket.codes[s] for bucket, s in states], np.int32)
    view = view_of(exploration.frames, part.number, numbers, codes)
    lines = np.arange(len(exits))
    view.codes[lines, view.here] = records.apply(changes, view.codes[lines, view.here])
    kinds = records.kinds()
    sizes = exploration.frames.size[numbers]
    outcomes = [kinds[change] for change in changes]
    assert all(isinstance(outcome, Evaluable) for outcome in outcomes)
    counts = [outcome.counts for outcome in outcomes if isinstance(outcome, Evaluable)]
    view.cohort = np.array([(sum(c), *c[1:]) for c in counts], np.int32)
    view.complete = view.cohort[:, 0] == sizes
    alone = exploration.frames.sentinel[numbers].astype(np.bool_) & (view.cohort[:, 0] == 1) & ~view.complete
    view.sentinel = alone & (view.cohort[:, 1:].sum(axis=1) > 0)
    begun = np.array([exploration.frames.frames[n].begun for n in numbers], np.int32)
    return view, begun, exits


def _going_on(exploration: Exploration, rows: list[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The situations in which the rest of a cohort enters after its sentinel had a toxicity, and what it had."""
    frames, toxicities = exploration.frames, len(exploration.machine.protocol.toxicities)
    for row in rows:
        bucket, state = exploration.state(exploration.first_state[row])
        made = exploration.situations.rows[row]
        if made.size > 1 and frames.sentinel[bucket.frames[state]] and not frames.silent[bucket.frames[state]]:
            ended = {one.counts for one in made.exits}
            for counts in outcomes_of(1, toxicities, early=False)[1:]:
                if counts not in ended:
                    yield row, counts


def _survey_part(exploration: Exploration, part: PartMachine, rows: list[int], into: PartSurvey) -> None:
    view, begun, exits = looks_of(exploration, part, rows)
    choice = np.zeros((len(exits), len(part.gates)), np.int8)
    for position, e in enumerate(exits):
        branch = exploration.frames.branches[exploration.situations.branch[e]]
        for gate, option in branch.choices if e >= 0 else ():
            choice[position, gate] = option
    holds: dict[int, Bools] = {}

    def observe(question: int, seen: View) -> None:
        for number, line in enumerate(part.lines):
            if line.question == question:
                holds[number] = truth(line.guard, seen) == 1
                for position, literal in enumerate(literals(line.guard)):
                    true = truth(literal, seen) == 1
                    key = (number, position)
                    into.true[key] = into.true.get(key, 0) + int(true.sum())
                    into.not_true[key] = into.not_true.get(key, 0) + int((~true).sum())

    asked = ask(exploration.machine, part, view, begun, choice, tuple(range(len(part.lines))), observe)
    into.looks += len(exits)
    by_rule = [np.zeros(len(exits), np.bool_) for _ in part.part.rules]
    acted = [np.zeros(len(exits), np.bool_) for _ in part.part.rules]
    for number, line in enumerate(part.lines):
        into.acted[number] = int(asked.active[:, number].sum())
        by_rule[line.rule] |= holds[number]
        acted[line.rule] |= asked.active[:, number]
    for rule, targets in part.overrides:
        into.bitten |= {(rule, target) for target in targets if (acted[rule] & by_rule[target]).any()}
