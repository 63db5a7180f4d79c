"""Safety: levels skipped, bolder moves after more toxicity, verdicts against their definition, ends without one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field

from doselang.check.facts import AgainstDefinition, EndWithoutVerdict, Incoherent, LevelSkipped
from doselang.check.watching import Sighting, first_sighting
from doselang.machine.arrays import present
from doselang.machine.columns import NO_LEVEL, View, truth
from doselang.machine.decisions import Branch, Ended, Opened
from doselang.machine.exits import Exit
from doselang.machine.exploring import Exploration
from doselang.machine.notation import Group, history_of, history_through
from doselang.machine.reading import Line
from doselang.machine.records import FIRST_SIZE, Ints
from doselang.machine.states import Frames
from doselang.machine.steps import Steps
from doselang.protocol.model import Enrol

SafetyFact = LevelSkipped | AgainstDefinition | EndWithoutVerdict | Incoherent


@define
class SafetyWatch:
    """Sees every step; keeps the first sighting of each kind, by branch."""

    skipped: dict[int, Sighting] = field(factory=dict)
    against: dict[tuple[int, int], Sighting] = field(factory=dict)
    no_verdict: dict[int, Sighting] = field(factory=dict)

    def see(self, steps: Steps, frames: Frames, view: View, rows: Ints) -> None:
        """See some steps, with the view of their looks."""
        for number in present(steps.branch):
            branch = frames.branches[number]
            if branch.decision.undecided is not None:
                continue
            some = np.flatnonzero(steps.branch == number)
            following = branch.decision.answers.next
            if isinstance(following, Opened) and following.offset > 0 and not _as_written(steps, frames, branch):
                _keep(self.skipped, number, steps, some[_skips(steps, frames, some, following.offset)])
            elif isinstance(following, Ended):
                verdicts = frames.verdicts[steps.frames[some]]
                _keep(self.no_verdict, number, steps, some[(verdicts == NO_LEVEL).all(axis=1)])
        self._definitions(steps, frames, view, rows)

    def _definitions(self, steps: Steps, frames: Frames, view: View, rows: Ints) -> None:
        verdicts = frames.machine.protocol.verdicts
        if not any(verdict.requires for verdict in verdicts):
            return
        for number, verdict in enumerate(verdicts):
            declared = np.flatnonzero(view.declared[:, number] & (view.verdicts[:, number] >= 0))
            if verdict.requires is None or not len(declared):
                continue
            there = view.take(declared)
            there.here = there.verdicts[:, number].astype(np.int32)
            wrong = rows[declared[truth(verdict.requires, there) != 1]]
            for branch in present(steps.branch[wrong]):
                _keep(self.against, (number, branch), steps, wrong[steps.branch[wrong] == branch])


def _skips(steps: Steps, frames: Frames, rows, offset: int):  # type: ignore[no-untyped-def]
    """Whether a level between this one and the next cohort's has never had a cohort: on a grid, none of them has.

    On a grid several ways lead from one pair of doses to a higher one, and one of them is enough.
    """
    relations, here = frames.machine.setting.relations, steps.here[rows]
    untried = frames.machine.records.column(FIRST_SIZE)[steps.codes[rows]] == 0
    between = relations.above[here] & relations.above.T[here + offset] & relations.ordinary
    if any(level.position is not None for level in relations.levels):
        skipped = between.any(axis=1) & (untried | ~between).all(axis=1)
    else:
        skipped = (untried & between).any(axis=1)
    return skipped


def _as_written(steps: Steps, frames: Frames, branch: Branch) -> bool:
    """Whether the rule itself says that it goes up several levels."""
    part = int(frames.part[steps.of.frames[steps.state[0]]])
    lines = frames.machine.parts[part].lines
    moves = [move for line in branch.decision.acted[2] for move in lines[line].moves]
    return any(isinstance(move, Enrol) and move.place.steps > 1 for move in moves)


def _keep(into, key, steps: Steps, rows) -> None:  # type: ignore[no-untyped-def]
    if len(rows):
        sighting = first_sighting(steps, rows)
        if key not in into or sighting.patients < into[key].patients:
            into[key] = sighting


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
        if ("skip", part, rule) not in seen and not _said(parts[part].lines, branch):
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


def _said(lines: tuple[Line, ...], branch: Branch) -> bool:
    """Whether the rule itself says that the step is of several levels: `escalate 2 levels`."""
    moves = [move for line in branch.decision.lines for move in lines[line].moves if isinstance(move, Enrol)]
    return bool(moves) and all(move.place.steps > 1 for move in moves)


def _incoherent(exploration: Exploration) -> Iterator[Incoherent]:
    """Complete cohorts that differ in one patient, without and with a DLT, where the DLT leads to a bolder move."""
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    result = exploration.machine.protocol.result
    met: set[int] = set()
    for row, made in enumerate(exploration.situations.rows):
        if id(made) in met:  # situations share rows
            continue
        met.add(id(made))
        exits = {e.counts: e for e in made.exits if e.complete and len(e.outcome) == 1}
        for counts, fewer in exits.items():
            more = exits.get((counts[0] - 1, counts[1] + 1, *counts[2:])) if len(counts) > 1 else None
            if more is None:
                continue
            state = exploration.first_state[row]
            bucket, position = exploration.state(state)
            level = int(exploration.frames.level[bucket.frames[position]])
            if not _bolder(exploration, level, fewer, more, result):
                continue
            one, other = fewer.outcome[0].decision, more.outcome[0].decision
            if (made.part, one.lines, other.lines) not in seen:
                seen.add((made.part, one.lines, other.lines))
                before = history_of(exploration, state)
                shown = [(*before, Group(made.part, level, _letters(exploration, e))) for e in (fewer, more)]
                yield Incoherent(made.part, level, shown[0], one, shown[1], other)


def _letters(exploration: Exploration, exit: Exit) -> str:
    letters = ["N", *(toxicity.letter for toxicity in exploration.machine.protocol.toxicities)]
    return "".join(letters[int(digit)] for digit in exit.letters)


def _bolder(exploration: Exploration, level: int, fewer: Exit, more: Exit, result: int) -> bool:
    """Whether more toxicity leads to a higher level, from a look at one."""
    low, high = _boldness(fewer, result), _boldness(more, result)
    if low is None or high is None or high <= low:
        return False
    above = exploration.machine.setting.relations.above
    return low == float("-inf") or bool(above[level + int(low), level + int(high)])


def _boldness(exit: Exit, result: int) -> float | None:
    """Where the next patients are treated, or the level declared; no level is the least. None: not comparable."""
    decision = exit.outcome[0].decision
    if decision.undecided is not None:
        return None
    declared = {d.verdict: d.offset for d in decision.answers.declares}
    if result in declared:
        offset = declared[result]
        return float("-inf") if offset is None else float(offset)
    following = decision.answers.next
    return float(following.offset) if isinstance(following, Opened) else None
