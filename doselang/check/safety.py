"""Safety: levels skipped, bolder moves after more toxicity, verdicts against their definition, ends without one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field

from doselang.check.facts import AgainstDefinition, EndWithoutVerdict, Incoherent, LevelSkipped
from doselang.check.watching import Sighting, view_of_looks
from doselang.machine.columns import NO_LEVEL, truth
from doselang.machine.decisions import Branch, Ended, Opened
from doselang.machine.exploring import Exploration, Steps
from doselang.machine.notation import Group, history_of, history_through
from doselang.machine.records import FIRST_SIZE
from doselang.machine.situations import Exit
from doselang.machine.states import Frames
from doselang.protocol.model import Enrol

SafetyFact = LevelSkipped | AgainstDefinition | EndWithoutVerdict | Incoherent


@define
class SafetyWatch:
    """Sees every step; keeps the first sighting of each kind, by branch."""

    skipped: dict[int, Sighting] = field(factory=dict)
    against: dict[tuple[int, int], Sighting] = field(factory=dict)
    no_verdict: dict[int, Sighting] = field(factory=dict)

    def __call__(self, steps: Steps, frames: Frames) -> None:
        for number in np.unique(steps.branch).tolist():
            branch = frames.branches[number]
            if branch.decision.undecided is not None:
                continue
            rows = np.flatnonzero(steps.branch == number)
            following = branch.decision.answers.next
            if isinstance(following, Opened) and following.offset > 1 and not _as_written(steps, frames, branch):
                rows = rows[_skips(steps, frames, rows, following.offset)]
                _keep(self.skipped, number, steps, rows)
            elif isinstance(following, Ended):
                verdicts = frames.verdicts[steps.frames[rows]]
                _keep(self.no_verdict, number, steps, rows[(verdicts == NO_LEVEL).all(axis=1)])
        self._definitions(steps, frames)

    def _definitions(self, steps: Steps, frames: Frames) -> None:
        verdicts = frames.machine.protocol.verdicts
        if not any(verdict.requires for verdict in verdicts):
            return
        view, rows = view_of_looks(frames, steps)
        for number, verdict in enumerate(verdicts):
            declared = np.flatnonzero(view.declared[:, number] & (view.verdicts[:, number] >= 0))
            if verdict.requires is None or not len(declared):
                continue
            there = view.take(declared)
            there.here = there.verdicts[:, number].astype(np.int32)
            wrong = rows[declared[truth(verdict.requires, there) != 1]]
            for branch in np.unique(steps.branch[wrong]).tolist():
                _keep(self.against, (number, branch), steps, wrong[steps.branch[wrong] == branch])


def _skips(steps: Steps, frames: Frames, rows, offset: int):  # type: ignore[no-untyped-def]
    """Whether some level of the ladder between this one and the next cohort's has never had a cohort."""
    tried, relations = frames.machine.records.column(FIRST_SIZE), frames.machine.setting.relations
    here = steps.here[rows]
    found = np.zeros(len(rows), np.bool_)
    for step in range(1, offset):
        between = here + step
        counts = relations.above[here, between] & relations.above[between, here + offset] & relations.ordinary[between]
        found |= counts & (tried[steps.codes[rows, between]] == 0)
    return found


def _as_written(steps: Steps, frames: Frames, branch: Branch) -> bool:
    """Whether the rule itself says that it goes up several levels."""
    part = int(frames.part[steps.bucket.frames[steps.state[0]]])
    lines = frames.machine.parts[part].lines
    moves = [move for line in branch.decision.acted[2] for move in lines[line].moves]
    return any(isinstance(move, Enrol) and move.place.steps > 1 for move in moves)


def _keep(into, key, steps: Steps, rows) -> None:  # type: ignore[no-untyped-def]
    if len(rows):
        row = rows[np.argmin(steps.patients[rows])]
        patients = steps.bucket.patients + int(steps.patients[row])
        if key not in into or patients < into[key].patients:
            into[key] = Sighting(patients, steps.bucket.start + int(steps.state[row]), int(steps.exit[row]))


def safety(exploration: Exploration, watch: SafetyWatch) -> Iterator[SafetyFact]:
    """Facts about safety; one a rule."""
    frames, parts = exploration.frames, exploration.machine.parts

    def deciding(branch: Branch, sighting: Sighting, question: int) -> tuple[int, int, int]:
        """Part, level of the look, and the rule that answered the question."""
        bucket, state = exploration.state(sighting.state)
        frame = bucket.frames[state]
        part = int(frames.part[frame])
        lines = branch.decision.lines
        answering = [i for i in lines if parts[part].lines[i].answers(question)] or list(lines)
        return part, int(frames.level[frame]), parts[part].lines[answering[0]].rule

    seen: set[tuple[str, int, int]] = set()
    for number, sighting in sorted(watch.skipped.items(), key=lambda item: item[1].patients):
        branch = frames.branches[number]
        part, level, rule = deciding(branch, sighting, 3)
        assert isinstance(branch.decision.answers.next, Opened) and sighting.exit is not None
        if ("skip", part, rule) not in seen:
            seen.add(("skip", part, rule))
            history = history_through(exploration, sighting.state, sighting.exit)
            yield LevelSkipped(part, rule, history, level, level + branch.decision.answers.next.offset)
    for (verdict, number), sighting in sorted(watch.against.items(), key=lambda item: item[1].patients):
        branch = frames.branches[number]
        part, level, rule = deciding(branch, sighting, 2)
        assert sighting.exit is not None
        if ("against", part, rule) not in seen:
            seen.add(("against", part, rule))
            offset = next(d.offset for d in branch.decision.answers.declares if d.verdict == verdict)
            history = history_through(exploration, sighting.state, sighting.exit)
            yield AgainstDefinition(part, verdict, level + (offset or 0), rule, history)
    for number, sighting in sorted(watch.no_verdict.items(), key=lambda item: item[1].patients):
        part, _, rule = deciding(frames.branches[number], sighting, 3)
        assert sighting.exit is not None
        if ("verdict", part, rule) not in seen:
            seen.add(("verdict", part, rule))
            yield EndWithoutVerdict(part, rule, history_through(exploration, sighting.state, sighting.exit))
    yield from _incoherent(exploration)


def _incoherent(exploration: Exploration) -> Iterator[Incoherent]:
    """Complete cohorts that differ in one patient, without and with a DLT, where the DLT leads to a bolder move."""
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    result = exploration.machine.protocol.result
    for row, made in enumerate(exploration.situations.rows):
        exits = {e.counts: e for e in made.exits if e.complete and len(e.outcome) == 1}
        for counts, fewer in exits.items():
            more = exits.get((counts[0] - 1, counts[1] + 1, *counts[2:])) if len(counts) > 1 else None
            if more is None:
                continue
            low, high = _boldness(fewer, result), _boldness(more, result)
            if low is None or high is None or high <= low:
                continue
            one, other = fewer.outcome[0].decision, more.outcome[0].decision
            if (made.part, one.lines, other.lines) not in seen:
                seen.add((made.part, one.lines, other.lines))
                state = exploration.first_state[row]
                before = history_of(exploration, state)
                bucket, position = exploration.state(state)
                level = int(exploration.frames.level[bucket.frames[position]])
                shown = [(*before, Group(made.part, level, _letters(exploration, e))) for e in (fewer, more)]
                yield Incoherent(made.part, level, shown[0], one, shown[1], other)


def _letters(exploration: Exploration, exit: Exit) -> str:
    letters = ["N", *(toxicity.letter for toxicity in exploration.machine.protocol.toxicities)]
    return "".join(letters[int(digit)] for digit in exit.letters)


def _boldness(exit: Exit, result: int) -> float | None:
    """How far up the next patients are treated, or the level declared; no level is the least. None: not comparable."""
    decision = exit.outcome[0].decision
    if decision.undecided is not None:
        return None
    declared = {d.verdict: d.offset for d in decision.answers.declares}
    if result in declared:
        offset = declared[result]
        return float("-inf") if offset is None else float(offset)
    following = decision.answers.next
    return float(following.offset) if isinstance(following, Opened) else None
