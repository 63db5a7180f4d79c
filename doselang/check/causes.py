"""Undecided looks, one cause a missing sentence."""

from __future__ import annotations

import numpy as np
from attrs import define, field, frozen

from doselang.check.facts import Cause, CohortKind
from doselang.machine.arrays import pack, present
from doselang.machine.decisions import Decision, Undecided
from doselang.machine.exploring import Bucket, Exploration
from doselang.machine.notation import PENDING, Group, history_through, patients_of, write_history
from doselang.machine.records import ADDED_SIZE, CLOSED, FIRST_SIZE, Ints
from doselang.machine.relations import NOWHERE
from doselang.protocol.classes import tabled
from doselang.protocol.model import Protocol

MOST_COMPARED = 64
"""How many histories with the same number of patients are compared letter by letter for the first one."""


@define
class Met:
    """Looks of one cause that were met: `steps` by number, as in a flow (`flow_of`), once for each exit taken."""

    part: int
    kind: CohortKind
    undecided: Undecided
    acted: tuple[int, ...]
    size: int
    sentinel: bool = False
    steps: Ints = field(factory=lambda: np.zeros(0, np.int32))
    outcomes: set[tuple[int, int]] = field(factory=set)
    fewest: int = 1 << 30
    shortest: list[tuple[int, int]] = field(factory=list)
    """Of the shortest histories the first: the state, and the exit that is undecided."""


def kinds_of(exploration: Exploration, bucket: Bucket, states: Ints) -> tuple[list[CohortKind], Ints]:
    """Kinds of cohorts, and that of the cohort under way in some states of a bucket, as a position there."""
    table, layout = exploration.machine.records.table, exploration.machine.records.layout
    relations = exploration.machine.setting.relations
    counted = tabled(exploration.machine.protocol)
    columns = [layout.part_n(part) + 1 + one for part in range(layout.parts) for one in counted]
    kept = exploration.machine.records.ceilings[columns].any()
    codes, here = bucket.codes[states], exploration.frames.level[bucket.frames[states]]
    lines, above = np.arange(len(states)), relations.step(1)[here]
    record, higher = table[codes[lines, here]], table[codes[lines, above]]
    first = (record[:, FIRST_SIZE] != 0) & (record[:, ADDED_SIZE] == 0)
    below_closed = ~first & (above != NOWHERE) & (higher[:, CLOSED] != 0)
    reopened = np.flatnonzero(below_closed)
    reopened = reopened[_levels_before(exploration, bucket, states[reopened]) != here[reopened]]
    kind = np.where(first, 0, 2 + record[:, columns].sum(axis=1))
    kind[reopened] = 1
    added = [CohortKind("added", toxic if kept else None) for toxic in range(int(kind.max(initial=2)) - 1)]
    return [CohortKind("first"), CohortKind("reopened"), *added], kind


def _levels_before(exploration: Exploration, bucket: Bucket, states: Ints) -> Ints:
    """The levels of the looks that opened the cohorts under way, in their first histories; -1 for the first cohort."""
    source = bucket.came_from[bucket.steps[states]]
    of_bucket = np.searchsorted([one.start for one in exploration.buckets], source, side="right") - 1
    levels = np.full(len(source), -1, np.int32)
    for number in np.unique(of_bucket[of_bucket >= 0], return_index=True)[0].tolist():
        some, before = of_bucket == number, exploration.buckets[number]
        levels[some] = exploration.frames.level[before.frames[source[some] - before.start]]
    return levels


@frozen
class UndecidedSteps:
    """All steps to an undecided end; `number` is that of the step among all of the exploration.

    Of a bundle of exits there is one for each exit, all with the same number.
    """

    number: Ints
    patients: Ints
    source: Ints
    exit: Ints

    def __len__(self) -> int:
        return len(self.number)


def undecided_steps(exploration: Exploration) -> UndecidedSteps:
    """All steps to an undecided end."""
    branches, frames = exploration.frames.branches, exploration.frames.frames
    undecided = [frame.end >= 0 and branches[frame.end].decision.undecided is not None for frame in frames]
    end = np.where(undecided, [frame.end for frame in frames], -1).astype(np.int32)
    made = exploration.every_step()
    end_of_step = np.concatenate([end[bucket.frames] for bucket in exploration.buckets])[made.target]
    # where patients are pending at the end they become known by further steps
    step = np.flatnonzero((end_of_step >= 0) & (exploration.situations.branch[made.exit] == end_of_step))
    exits = made.exit[step]
    if exploration.bundles is not None and made.bundle is not None:
        position, exits = exploration.bundles.exits(made.bundle[step])
        step = step[position]
    return UndecidedSteps(step.astype(np.int32), made.patients[step], made.source[step], exits)


def find_causes(exploration: Exploration) -> list[tuple[Cause, Ints]]:
    """The causes, shortest history first, each with its steps by number."""
    met = _gathered(exploration)
    decided = _decided_kinds(exploration)
    joined = _joined({key: one for key, one in met.items()}, decided)
    found = [(_cause(exploration, one, (one.part, one.kind) not in decided), one.steps) for one in joined]
    protocol = exploration.machine.protocol
    return sorted(found, key=lambda item: (_patients(item[0]), write_history(item[0].history, protocol)))


def _patients(cause: Cause) -> int:
    return patients_of(cause.history)


def _rules(exploration: Exploration, part: int, lines: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(exploration.machine.parts[part].lines[line].rule for line in lines))


def _gathered(exploration: Exploration) -> dict[object, Met]:
    """The undecided looks, those that are alike together."""
    steps = undecided_steps(exploration)
    kinds, kind = _kinds_of_sources(exploration, steps.source)
    pairs, first, which = np.unique(pack(np.column_stack([steps.exit, kind])), return_index=True, return_inverse=True)
    met: dict[object, Met] = {}
    toxic = "".join(str(1 + one) for one in tabled(exploration.machine.protocol))
    by_pair = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which, minlength=len(pairs)))[:-1])
    for pair in np.argsort(first):
        some = by_pair[pair]
        part, size, undecided, acted, outcome = _leaving(exploration, int(steps.exit[some[0]]), toxic)
        of_kind, sentinel = kinds[kind[some[0]]]
        alone = sentinel and outcome[0] == 1 < size
        # In a later part what a level had before does not tell cohorts apart for people: one finding, not one a tally.
        apart = of_kind if part == 0 or undecided.why == "no answer" else None
        key = (part, apart, undecided, acted, size, alone)
        one = met.setdefault(key, Met(part, of_kind, undecided, acted, size, alone))
        one.outcomes.add(outcome)
        one.steps = np.concatenate([one.steps, some.astype(np.int32)])
    for one in met.values():
        found = np.sort(one.steps)
        one.steps, one.fewest = steps.number[found], int(steps.patients[found].min())
        shortest = found[steps.patients[found] == one.fewest][:MOST_COMPARED]
        one.shortest = list(zip(steps.source[shortest].tolist(), steps.exit[shortest].tolist(), strict=True))
    return met


def _kinds_of_sources(exploration: Exploration, sources: Ints) -> tuple[list[tuple[CohortKind, bool]], Ints]:
    """Kinds of cohorts under way, each with whether its first patient is treated alone; and that of each state."""
    states, which = np.unique(sources, return_inverse=True)
    numbers: dict[tuple[CohortKind, bool], int] = {}
    found = [np.zeros(0, np.int32)]
    for bucket in exploration.buckets:
        some = states[np.searchsorted(states, bucket.start) : np.searchsorted(states, bucket.start + len(bucket))]
        if len(some):
            kinds, kind = kinds_of(exploration, bucket, some - bucket.start)
            pair = 2 * kind + exploration.frames.sentinel[bucket.frames[some - bucket.start]]
            number = np.zeros(2 * len(kinds), np.int32)
            for one in present(pair):
                number[one] = numbers.setdefault((kinds[one // 2], one % 2 == 1), len(numbers))
            found.append(number[pair])
    return list(numbers), np.concatenate(found)[which]


def _leaving(
    exploration: Exploration, exit: int, toxic: str
) -> tuple[int, int, Undecided, tuple[int, ...], tuple[int, int]]:
    """Of an exit: part and size of the cohort, why it is undecided, the rules that acted, patients and toxicities.

    `toxic` are the letters of the exit that count as toxicities.
    """
    situations = exploration.situations
    part, letters = int(situations.part_of_exit[exit]), situations.letters[exit]
    decision = exploration.frames.branches[situations.branch[exit]].decision
    assert decision.undecided is not None
    acted = _rules(exploration, part, decision.lines)
    outcome = (len(letters), sum(letters.count(letter) for letter in toxic))
    return part, int(situations.size_of_exit[exit]), decision.undecided, acted, outcome


def _decided_kinds(exploration: Exploration) -> set[tuple[int, CohortKind]]:
    """Part and kind of cohorts of which some outcome is decided."""
    situations, branches = exploration.situations, exploration.frames.branches
    ruled = np.array([branch.decision.undecided is None for branch in branches], np.bool_)
    before = np.concatenate([[0], np.cumsum(ruled[situations.branch])])
    decided = before[situations.first + situations.count] > before[situations.first]
    rows = [row for row in exploration.first_state if decided[row]]
    states = np.array([exploration.first_state[row] for row in rows], np.int32)
    parts = np.array([situations.rows[row].part for row in rows], np.int32)
    found: set[tuple[int, CohortKind]] = set()
    for bucket in exploration.buckets:
        some = np.flatnonzero((states >= bucket.start) & (states < bucket.start + len(bucket)))
        kinds, kind = kinds_of(exploration, bucket, states[some] - bucket.start)
        found.update((part, kinds[one]) for part, one in zip(parts[some].tolist(), kind.tolist(), strict=True))
    return found


def _joined(met: dict[object, Met], decided: set[tuple[int, CohortKind]]) -> list[Met]:
    """Cohorts of a kind of which no outcome is ever decided are one cause, whatever they show."""
    joined: dict[object, Met] = {}
    for key, one in met.items():
        if one.undecided.why == "no answer" and (one.part, one.kind) not in decided:
            key = (one.part, one.kind, one.sentinel)
        into = joined.setdefault(key, Met(one.part, one.kind, one.undecided, one.acted, one.size, one.sentinel))
        into.steps = np.concatenate([into.steps, one.steps])
        into.outcomes |= one.outcomes
        if one.acted != into.acted:
            into.acted = ()
        if one.fewest < into.fewest:
            into.fewest, into.shortest = one.fewest, list(one.shortest)
        elif one.fewest == into.fewest:
            into.shortest += one.shortest
    return list(joined.values())


def _cause(exploration: Exploration, met: Met, every: bool) -> Cause:
    protocol = exploration.machine.protocol
    histories = [(history_through(exploration, *step), step) for step in met.shortest]
    history, (state, exit) = min(histories, key=lambda item: _canonical(item[0], protocol))
    bucket, position = exploration.state(state)
    decision: Decision = exploration.frames.branches[exploration.situations.branch[exit]].decision
    assert decision.undecided is not None
    level = int(exploration.frames.level[bucket.frames[position]])
    outcomes = tuple(sorted(met.outcomes))
    if protocol.parts[met.part].rolling:
        outcomes = (_shown_at(history, level, protocol),)
    return Cause(
        decision.undecided, met.part, met.kind, outcomes, met.size,
        every and met.undecided.why == "no answer" and not met.sentinel,
        met.acted, level,
        history, len(met.steps), _opener(exploration, bucket, position), sentinel=met.sentinel,
    )  # fmt: skip


def _shown_at(history: tuple[Group, ...], level: int, protocol: Protocol) -> tuple[int, int]:
    """How many patients are known at a level by a history, and how many of them have a toxicity that is tabled."""
    letters = "".join(group.letters for group in history if group.level == level)
    toxic = [protocol.toxicities[one].letter for one in tabled(protocol)]
    return len(letters) - letters.count(PENDING), sum(letters.count(letter) for letter in toxic)


def _opener(exploration: Exploration, bucket: Bucket, state: int) -> tuple[int, int] | None:
    """Part and rule that opened the cohort under way in a state, in its first history."""
    source, exit = exploration.step_to(bucket.start + state)
    if source < 0:
        return None
    before, position = exploration.state(source)
    part = int(exploration.frames.part[before.frames[position]])
    lines = exploration.machine.parts[part].lines
    branch = exploration.frames.branches[exploration.situations.branch[exit]]
    opening = [i for i in branch.decision.lines if lines[i].answers(3)]
    return (part, lines[opening[0]].rule) if opening else None


def _canonical(history, protocol) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    """No toxicity before toxicity, the first toxicity before the others."""
    order = {"N": "0"} | {t.letter: str(i + 1) for i, t in enumerate(protocol.toxicities)}
    letters = "".join(order.get(letter, "9") for group in history for letter in group.letters)
    return letters, write_history(history, protocol)
