"""Undecided looks, one cause a missing sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field

from doselang.check.facts import Cause, CohortKind
from doselang.machine.decisions import Decision, Undecided
from doselang.machine.exploring import Bucket, Exploration
from doselang.machine.notation import PENDING, Group, history_through, write_history
from doselang.machine.records import ADDED_SIZE, CLOSED, FIRST_SIZE, Ints
from doselang.machine.relations import NOWHERE
from doselang.protocol.model import Protocol

MOST_COMPARED = 64
"""How many histories with the same number of patients are compared letter by letter for the first one."""


@define
class Met:
    """Looks of one cause that were met: (state, exit, state led to) by number, in the order of the buckets."""

    part: int
    kind: CohortKind
    undecided: Undecided
    acted: tuple[int, ...]
    size: int
    sentinel: bool = False
    steps: list[tuple[int, int, int]] = field(factory=list)
    outcomes: set[tuple[int, int]] = field(factory=set)
    fewest: int = 1 << 30
    shortest: list[tuple[int, int]] = field(factory=list)

    def add(self, source: int, exit: int, leads_to: int, patients: int, outcome: tuple[int, int]) -> None:
        self.steps.append((source, exit, leads_to))
        self.outcomes.add(outcome)
        if patients < self.fewest:
            self.fewest, self.shortest = patients, []
        if patients == self.fewest and len(self.shortest) < MOST_COMPARED:
            self.shortest.append((source, exit))


def kinds_of(exploration: Exploration, bucket: Bucket, states: Ints) -> list[CohortKind]:
    """The kind of the cohort under way in some states of a bucket."""
    table, layout = exploration.machine.records.table, exploration.machine.records.layout
    relations = exploration.machine.setting.relations
    columns = [layout.part_n(part) + 1 for part in range(layout.parts)]
    kept = exploration.machine.records.ceilings[columns].any()
    codes, here = bucket.codes[states], exploration.frames.level[bucket.frames[states]]
    lines, above = np.arange(len(states)), relations.step(1)[here]
    record, higher = table[codes[lines, here]], table[codes[lines, above]]
    first = (record[:, FIRST_SIZE] != 0) & (record[:, ADDED_SIZE] == 0)
    below_closed = ~first & (above != NOWHERE) & (higher[:, CLOSED] != 0)
    toxic = record[:, columns].sum(axis=1).tolist()
    kinds = []
    for n, state in enumerate(np.asarray(states).tolist()):
        if first[n]:
            kinds.append(CohortKind("first"))
        elif below_closed[n] and _level_before(exploration, bucket, state) != here[n]:
            kinds.append(CohortKind("reopened"))
        else:
            kinds.append(CohortKind("added", toxic[n] if kept else None))
    return kinds


def _level_before(exploration: Exploration, bucket: Bucket, state: int) -> int:
    """The level of the look that opened the cohort under way, in its first history; -1 for the first cohort."""
    source = int(bucket.came_from[bucket.steps[state]])
    if source < 0:
        return -1
    before, position = exploration.state(source)
    return int(exploration.frames.level[before.frames[position]])


def undecided_steps(exploration: Exploration) -> Iterator[tuple[int, int, int, int]]:
    """(patients, state, exit, state led to) of every step to an undecided end, in the order of the buckets."""
    branches, frames = exploration.frames.branches, exploration.frames.frames
    ended = np.array([frame.end >= 0 for frame in frames], np.bool_)
    for bucket in exploration.buckets:
        ends = np.append(bucket.steps, len(bucket.came_from))
        for state in np.flatnonzero(ended[bucket.frames]).tolist():
            number = frames[bucket.frames[state]].end
            if branches[number].decision.undecided is not None:
                for step in range(ends[state], ends[state + 1]):
                    source, exit = int(bucket.came_from[step]), int(bucket.came_by[step])
                    # where patients are pending at the end they become known by further steps
                    if exploration.situations.branch[exit] == number:
                        yield bucket.patients, source, exit, bucket.start + state


def find_causes(exploration: Exploration) -> list[tuple[Cause, list[tuple[int, int, int]]]]:
    """The causes, shortest history first, each with its steps (state, exit, state led to)."""
    met = _gathered(exploration)
    decided = _decided_kinds(exploration)
    joined = _joined({key: one for key, one in met.items()}, decided)
    found = [(_cause(exploration, one, (one.part, one.kind) not in decided), one.steps) for one in joined]
    protocol = exploration.machine.protocol
    return sorted(found, key=lambda item: (_patients(item[0]), write_history(item[0].history, protocol)))


def _patients(cause: Cause) -> int:
    return sum(len(group.letters) for group in cause.history)


def _rules(exploration: Exploration, part: int, lines: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(exploration.machine.parts[part].lines[line].rule for line in lines))


def _gathered(exploration: Exploration) -> dict[object, Met]:
    steps = list(undecided_steps(exploration))
    kinds = _kinds_of_sources(exploration, np.unique(np.array([source for _, source, _, _ in steps], np.int32)))
    leaving = {exit: _leaving(exploration, exit) for exit in dict.fromkeys(exit for _, _, exit, _ in steps)}
    met: dict[object, Met] = {}
    for patients, source, exit, leads_to in steps:
        part, size, undecided, acted, outcome = leaving[exit]
        kind, sentinel = kinds[source]
        alone = sentinel and outcome[0] == 1 < size
        # In a later part what a level had before does not tell cohorts apart for people: one finding, not one a tally.
        apart = kind if part == 0 or undecided.why == "no answer" else None
        key = (part, apart, undecided, acted, size, alone)
        if key not in met:
            met[key] = Met(part, kind, undecided, acted, size, alone)
        met[key].add(source, exit, leads_to, patients, outcome)
    return met


def _kinds_of_sources(exploration: Exploration, sources: Ints) -> dict[int, tuple[CohortKind, bool]]:
    """By number of a state: the kind of the cohort under way, and whether its first patient is treated alone."""
    found: dict[int, tuple[CohortKind, bool]] = {}
    for bucket in exploration.buckets:
        some = sources[(sources >= bucket.start) & (sources < bucket.start + len(bucket))]
        if len(some):
            states = some - bucket.start
            alone = exploration.frames.sentinel[bucket.frames[states]].astype(np.bool_).tolist()
            kinds = kinds_of(exploration, bucket, states)
            found.update(zip(some.tolist(), zip(kinds, alone, strict=True), strict=True))
    return found


def _leaving(exploration: Exploration, exit: int) -> tuple[int, int, Undecided, tuple[int, ...], tuple[int, int]]:
    """Of an exit: part and size of the cohort, why it is undecided, the rules that acted, patients and toxicities."""
    situations = exploration.situations
    part, letters = int(situations.part_of_exit[exit]), situations.letters[exit]
    decision = exploration.frames.branches[situations.branch[exit]].decision
    assert decision.undecided is not None
    acted = _rules(exploration, part, decision.lines)
    outcome = (len(letters), letters.count("1"))
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
        kinds = kinds_of(exploration, bucket, states[some] - bucket.start)
        found.update(zip(parts[some].tolist(), kinds, strict=True))
    return found


def _joined(met: dict[object, Met], decided: set[tuple[int, CohortKind]]) -> list[Met]:
    """Cohorts of a kind of which no outcome is ever decided are one cause, whatever they show."""
    joined: dict[object, Met] = {}
    for key, one in met.items():
        if one.undecided.why == "no answer" and (one.part, one.kind) not in decided:
            key = (one.part, one.kind, one.sentinel)
        into = joined.setdefault(key, Met(one.part, one.kind, one.undecided, one.acted, one.size, one.sentinel))
        into.steps += one.steps
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
    """How many patients are known at a level by a history, and how many of them have a DLT."""
    letters = "".join(group.letters for group in history if group.level == level)
    return len(letters) - letters.count(PENDING), letters.count(protocol.toxicities[0].letter)


def _opener(exploration: Exploration, bucket: Bucket, state: int) -> tuple[int, int] | None:
    """Part and rule that opened the cohort under way in a state, in its first history."""
    step = bucket.steps[state]
    if bucket.came_from[step] < 0:
        return None
    before, position = exploration.state(int(bucket.came_from[step]))
    part = int(exploration.frames.part[before.frames[position]])
    lines = exploration.machine.parts[part].lines
    branch = exploration.frames.branches[exploration.situations.branch[bucket.came_by[step]]]
    opening = [i for i in branch.decision.lines if lines[i].answers(3)]
    return (part, lines[opening[0]].rule) if opening else None


def _canonical(history, protocol) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    """No toxicity before toxicity, the first toxicity before the others."""
    order = {"N": "0"} | {t.letter: str(i + 1) for i, t in enumerate(protocol.toxicities)}
    letters = "".join(order.get(letter, "9") for group in history for letter in group.letters)
    return letters, write_history(history, protocol)
