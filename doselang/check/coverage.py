"""Coverage: rules, conditions, silences, overrides, levels that change nothing; decisions that depend on accrual."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from doselang.check.facts import (
    AccrualDependent,
    ConditionConstant,
    Fact,
    LevelUnreached,
    OverrideIdle,
    RuleIdle,
    RuleRedundant,
    SilenceMute,
)
from doselang.check.survey import PartSurvey, literals, survey
from doselang.machine.arrays import present, ranges
from doselang.machine.cohorts import after_outcomes, outcomes_of
from doselang.machine.compiling import PartMachine
from doselang.machine.decisions import Decision
from doselang.machine.exits import Exit
from doselang.machine.exploring import Exploration
from doselang.machine.looking import decide
from doselang.machine.notation import Group, history_of, letters_of
from doselang.machine.records import Ints
from doselang.protocol.model import Backfill, Close, Continue, Count, Declare, Enter, Move, Protocol


def coverage(exploration: Exploration, whole: Exploration, unfinished: set[int]) -> Iterator[Fact]:
    """Facts about coverage, from an exploration with histories, one patient at a time, and one of whole cohorts.

    In `unfinished` parts something is undecided: what does not vary there may vary when that is settled.
    """
    with_whole = _acting(whole)
    for part in survey(exploration):
        if part.looks:
            yield from (idle for idle in _idle_rules(part) if (idle.part, idle.rule) not in with_whole)
            if part.part.number not in unfinished:
                yield from _constant_conditions(part)
            yield from _idle_overrides(part)
    yield from _redundant_rules(exploration)
    yield from _mute_silences(exploration)
    if not unfinished:
        yield from _unreached_levels(exploration)
    yield from _accrual(exploration)


def _acting(exploration: Exploration) -> set[tuple[int, int]]:
    """Every (part, rule) that acts somewhere."""
    return {
        (part.number, part.lines[i].rule)
        for part in exploration.machine.parts for decision in _decisions(exploration, part) for i in decision.lines
    }  # fmt: skip


def _rule_acts(part: PartSurvey, rule: int) -> bool:
    return any(part.acted.get(i) for i, line in enumerate(part.part.lines) if line.rule == rule)


def _idle_rules(part: PartSurvey) -> Iterator[RuleIdle]:
    for rule in range(len(part.part.part.rules)):
        if not _rule_acts(part, rule):
            never = [
                literal
                for i, line in enumerate(part.part.lines) if line.rule == rule
                for position, literal in enumerate(literals(line.case.guard)) if not part.true[i, position]
            ]  # fmt: skip
            yield RuleIdle(part.part.number, rule, never[0] if never else None)


def _constant_conditions(part: PartSurvey) -> Iterator[Fact]:
    """A condition that never varies, in a rule that acts; the same condition of a rule is reported once."""
    seen: set[tuple[int, object, bool]] = set()
    for i, line in enumerate(part.part.lines):
        if not _rule_acts(part, line.rule):
            continue
        for position, literal in enumerate(literals(line.case.guard)):
            value = bool(part.true[i, position])
            if value and part.not_true[i, position]:
                continue
            if (line.rule, literal, value) not in seen:
                seen.add((line.rule, literal, value))
                yield ConditionConstant(part.part.number, line.rule, literal, value)


def _idle_overrides(part: PartSurvey) -> Iterator[Fact]:
    rules = part.part.part.rules
    for rule, targets in part.part.overrides:
        for target in targets:
            if (rule, target) not in part.bitten and _rule_acts(part, rule):
                yield OverrideIdle(part.part.number, rule, rules[target].name)


def _redundant_rules(exploration: Exploration) -> Iterator[Fact]:
    """A rule all of whose answers, wherever it acts, are given by others as well, and that silences none."""
    for part in exploration.machine.parts:
        with_others: dict[int, set[int]] = {}
        needed: set[int] = {rule for rule, _ in part.overrides}
        for decision in _decisions(exploration, part):
            for rule in {part.lines[i].rule for i in decision.lines}:
                others = _others(part, decision, rule)
                if others is None:
                    needed.add(rule)
                else:
                    with_others.setdefault(rule, set()).update(others)
        for rule, others in sorted(with_others.items()):
            if rule not in needed:
                yield RuleRedundant(part.number, rule, tuple(sorted(others)))


def _decisions(exploration: Exploration, part: PartMachine) -> Iterator[Decision]:
    situations = exploration.situations
    rows = [row for row, made in enumerate(situations.rows) if made.part == part.number]
    _, exits = ranges(situations.first[rows], situations.count[rows])
    for branch in present(situations.branch[exits]):
        yield exploration.frames.branches[branch].decision


def _others(part: PartMachine, decision: Decision, rule: int) -> set[int] | None:
    """The other rules that give all answers of a rule in a decision; None if one of its answers is its own."""
    own = [move for i in decision.lines if part.lines[i].rule == rule for move in part.lines[i].moves]
    given = [(part.lines[i].rule, move) for i in decision.lines for move in part.lines[i].moves]
    others: set[int] = set()
    for move in own:
        same = {other for other, theirs in given if other != rule and _same_question(move, theirs)}
        if not same or decision.undecided is not None:
            return None
        others |= same
    return others


def _same_question(one: Move, other: Move) -> bool:
    """Whether two moves, which agree where both act, answer the same question."""
    if isinstance(one, Close | Count | Backfill) or isinstance(other, Close | Count | Backfill):
        return one == other
    if isinstance(one, Declare) or isinstance(other, Declare):
        return isinstance(one, Declare) and isinstance(other, Declare) and one.verdict == other.verdict
    return True


def _mute_silences(exploration: Exploration) -> Iterator[Fact]:
    spoken = {branch.decision.undecided.silence for branch in exploration.frames.branches if branch.decision.undecided}
    for number, silence in enumerate(exploration.machine.protocol.silences):
        if silence.when is not None and not silence.in_course and number not in spoken:
            yield SilenceMute(number)


def _unreached_levels(exploration: Exploration) -> Iterator[Fact]:
    """Levels at which nobody is ever treated; a grid has every pair of doses, wanted or not."""
    reached = {order.level for frame in exploration.frames.frames for order in frame.orders}
    reached |= _levels_of_the_course(exploration.machine.protocol)
    levels = exploration.machine.protocol.levels
    for level in range(exploration.machine.levels):
        if level not in reached and levels[level].position is None:
            yield LevelUnreached(level)


def _levels_of_the_course(protocol: Protocol) -> set[int]:
    """The levels that a patient's course names."""
    states = protocol.course.states if protocol.course is not None else ()
    cases = [case for state in states for rule in state.rules for case in rule.cases]
    moves = [move for case in cases for row in (case.moves, *(case.gate.options if case.gate else ())) for move in row]
    places = [move.place for move in moves if isinstance(move, Continue | Enter) and move.place is not None]
    return {place.index for place in places if place.kind == "level"}


def _accrual(exploration: Exploration) -> Iterator[Fact]:
    """The first early end of a cohort, by part, that is decided otherwise when its last patients count too."""
    situations = exploration.situations
    for part in exploration.machine.parts:
        early: dict[int, list[int]] = {}
        for number, row in enumerate(situations.rows):
            if row.part == part.number and any(_ruled_early(leaving) for leaving in row.exits):
                early.setdefault(row.size, []).append(number)
        found = [fact for size, rows in early.items() if (fact := _other_decision(exploration, part, size, rows))]
        yield from found[:1]


def _ruled_early(leaving: Exit) -> bool:
    return not leaving.complete and len(leaving.outcome) == 1 and not leaving.outcome[0].decision.undecided


def _other_decision(exploration: Exploration, part: PartMachine, size: int, rows: list[int]) -> Fact | None:
    """Compare the early ends of some situations with all that their cohorts could have become."""
    states = [exploration.state(exploration.first_state[row]) for row in rows]
    frames = np.array([bucket.frames[state] for bucket, state in states], np.int32)
    codes = np.array([bucket.codes[state] for bucket, state in states], np.int32)
    nodes = outcomes_of(size, exploration.machine.protocol.toxicities, early=False)
    view = after_outcomes(exploration.frames, part, frames, codes, nodes, size)
    begun: Ints = np.repeat(exploration.frames.begun[frames], len(nodes))
    decided = decide(exploration.machine, part, view, begun)
    for position, row in enumerate(rows):
        complete = decided[position * len(nodes) : (position + 1) * len(nodes)]
        alone = exploration.frames.sentinel[frames[position]]
        for leaving in filter(_ruled_early, exploration.situations.rows[row].exits):
            if alone and sum(leaving.counts) == 1:
                continue  # the others enter after their sentinel alone, however the patients enter
            for node, outcome in zip(nodes, complete, strict=True):
                reached = all(a >= b for a, b in zip(node, leaving.counts, strict=True))
                if reached and outcome is not None and _differs(outcome[0].decision, leaving):
                    return _dependent(exploration, part, row, leaving, node, outcome[0].decision)
    return None


def _differs(decision: Decision, leaving: Exit) -> bool:
    return bool(decision.undecided) or decision.answers != leaving.outcome[0].decision.answers


def _dependent(
    exploration: Exploration, part: PartMachine, row: int, leaving: Exit, node: tuple[int, ...], decision: Decision
) -> Fact:
    state = exploration.first_state[row]
    bucket, position = exploration.state(state)
    before, level = history_of(exploration, state), int(exploration.frames.level[bucket.frames[position]])
    letters = letters_of(exploration.machine.protocol)
    shown = "".join(letters[int(digit)] for digit in leaving.letters)
    rest = "".join(letters[c] * (a - b) for c, (a, b) in enumerate(zip(node, leaving.counts, strict=True)))
    return AccrualDependent(
        part.number, (*before, Group(part.number, level, shown)), leaving.outcome[0].decision,
        (*before, Group(part.number, level, shown + rest)), decision, level,
    )  # fmt: skip
