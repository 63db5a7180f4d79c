"""What is decided at looks whose cohorts are complete, for many states at once: each kind of look is decided once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from attrs import define, field

from doselang.machine.arrays import dense, distinct, fetched
from doselang.machine.columns import View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.looking import decide_all, may_ask
from doselang.machine.records import Ints
from doselang.machine.situations import ASKED, Situations
from doselang.machine.states import view_of
from doselang.protocol.guards import Chance, Rate, Recommends, SentinelHas, Tally, atoms

BLOCK = 1 << 16
"""So many looks are decided by advisers at once."""
TABLE = 1 << 22
"""So many numbers a table of kinds of looks may have, and all of them together:"""
TABLES = 1 << 24
SMALL_TABLE, NUMBERS_OF_LOOK = 1 << 16, 64
"""A table of few numbers always pays; one of more, which must be filled, with so many for each look that asks it."""


def decided_when_complete(part: PartMachine) -> bool:
    """Whether the looks of a part depend on nothing but the levels and the frame, once a cohort is complete.

    Not where the part is rolling, has rules that act before, asks people, or reads the tallies of the cohort alone.
    """
    guards = [line.guard for line in part.lines] + [s.when for _, s in part.silences if s.when is not None]
    return not (
        part.part.rolling or part.any_time or part.gates or part.part.sentinel
        or any(_of_cohort(atom) for guard in guards for atom in atoms(guard))
    )  # fmt: skip


def _of_cohort(atom: object) -> bool:
    return isinstance(atom, SentinelHas) or (isinstance(atom, Tally | Rate) and atom.scope == "cohort")


def _all_of_advice(part: PartMachine) -> bool:
    """Whether the advisers of a part matter by what they say alone, and not before levels are closed."""
    everywhere = any(place.where is not None for place, _ in part.reads.columns)
    return not everywhere and not any(line.advised and line.question == 1 for line in part.lines)


@define
class Rulings:
    """The looks decided so far."""

    situations: Situations
    branch_of: Ints = field(factory=lambda: np.zeros(0, np.int32))
    """By kind of look: the branch that it takes; ASKED where an adviser may be asked for more."""
    _kinds: dict[bytes, int] = field(factory=dict)
    _tables: dict[tuple[bytes, tuple[int, ...]], Ints] = field(factory=dict)
    """By shape of the numbers of looks: the kind of each number, -1 where it has not been met."""
    _closing: Ints = field(factory=lambda: np.zeros(0, np.int32))
    """By kind of look with an adviser to be asked: a branch that closes what all looks of the kind close; or -1."""

    @property
    def machine(self) -> Machine:
        return self.situations.machine

    def of(self, frame: int, codes: Ints, evaluable: int) -> Ints:
        """The number of the branch that each look of a frame takes.

        `codes` are those after the outcomes, and `evaluable` the patients that are then evaluable.
        """
        part = self.machine.parts[self.situations.frames.part[frame]]
        frames = np.broadcast_to(np.int32(frame), len(codes))
        reads = part.reads.local if part.reads.everything else part.reads
        if reads is None:
            return self._asked(part, frames, codes)
        columns = self.situations.features(part, reads, frames, codes, evaluable)
        kinds = self._kind(b"told" + part.number.to_bytes(4), columns, partial(self._decided, part, frames, codes))
        branches = self.branch_of.take(kinds)
        asked = np.flatnonzero(branches == ASKED)
        for start in range(0, len(asked), BLOCK):
            some = asked[start : start + BLOCK]
            there = codes.take(some, axis=0)
            if _all_of_advice(part):
                branches[some] = self._advised(part, kinds.take(some), frames[: len(some)], there)
            else:
                branches[some] = self._asked(part, frames[: len(some)], there)
        return branches

    def _kind(self, head: bytes, columns: list[Ints], decide: Callable[[Ints], Ints]) -> Ints:
        """The kind of each look, told by some columns; `decide` gives the branches of rows of kinds that are new."""
        found = dense(columns, min(TABLE, max(SMALL_TABLE, NUMBERS_OF_LOOK * len(columns[0]))))
        if found is None:
            index, inverse = distinct(columns)
            return self._numbers(head, columns, index, decide)[inverse]
        numbers, shape = found
        table = self._tables.get((head, shape))
        if table is None:
            if sum(map(len, self._tables.values())) > TABLES:
                self._tables.clear()
            table = self._tables[head, shape] = np.full(1 << sum(bits for bits in shape if bits > 0), -1, np.int32)
        kinds = table.take(numbers)
        if len(kinds) and kinds.min() < 0:
            new = np.flatnonzero(kinds < 0)
            rows = new[distinct([numbers[new]])[0]]
            table[numbers[rows]] = self._numbers(head, columns, rows, decide)
            kinds = table.take(numbers)
        return kinds

    def _numbers(self, head: bytes, columns: list[Ints], rows: Ints, decide: Callable[[Ints], Ints]) -> Ints:
        """The kinds of some rows that differ, each told by its columns."""
        features = np.column_stack([column[rows] for column in columns]).astype(np.int32)
        labels = [head + row.tobytes() for row in features]
        new = [position for position, label in enumerate(labels) if label not in self._kinds]
        if new:
            self.branch_of = np.concatenate([self.branch_of, decide(rows[new])])
            for position in new:
                self._kinds[labels[position]] = len(self._kinds)
        return np.array([self._kinds[label] for label in labels], np.int32)

    def _advised(self, part: PartMachine, kinds: Ints, frames: Ints, codes: Ints) -> Ints:
        """What is decided at looks where advisers may be asked, of kinds told without them.

        Looks of one kind close the same levels, if no adviser is asked about that. Then those of one kind at which the
        advisers say the same decide the same.
        """
        view = self._view(part, frames, codes)
        self.situations.frames.close(view.codes, view.here, self._closings(part, kinds, frames, codes))
        columns: list[Ints] = [kinds]
        for place, read in part.reads.columns:
            if place.kind == "recommended":
                columns += self.situations.at_place(part, place, read, view)
        asked = dict.fromkeys(atom for line in part.lines for atom in atoms(line.guard))
        columns += [truth(atom, view) + 1 for atom in asked if isinstance(atom, Chance | Recommends)]
        told = self._kind(b"said" + part.number.to_bytes(4), columns, partial(self._decided_all, part, frames, codes))
        return self.branch_of.take(told)

    def _closings(self, part: PartMachine, kinds: Ints, frames: Ints, codes: Ints) -> Ints:
        """For each look a branch that closes what all looks of its kind close."""
        unknown = np.full(len(self.branch_of) - len(self._closing), -1, np.int32)
        self._closing = np.concatenate([self._closing, unknown])
        closings = self._closing.take(kinds)
        if len(closings) and closings.min() < 0:
            new = np.flatnonzero(closings < 0)
            rows = new[distinct([kinds[new]])[0]]
            self._closing[kinds[rows]] = self._decided_all(part, frames, codes, rows)
            closings = self._closing.take(kinds)
        return closings

    def _decided_all(self, part: PartMachine, frames: Ints, codes: Ints, rows: Ints) -> Ints:
        return self._asked(part, frames[rows], codes[rows])

    def _decided(self, part: PartMachine, frames: Ints, codes: Ints, rows: Ints) -> Ints:
        """What is decided at some looks as far as local conditions tell; ASKED where an adviser may be asked."""
        frames, codes = frames[rows], codes[rows]
        told = np.ones(len(frames), np.bool_)
        if part.reads.everything:
            told = ~may_ask(self.machine, part, self._view(part, frames, codes), self._begun(frames))
        branches = np.full(len(frames), ASKED, np.int32)
        if told.any():
            branches[told] = self._asked(part, frames[told], codes[told])
        return branches

    def _asked(self, part: PartMachine, frames: Ints, codes: Ints) -> Ints:
        """What is decided at each look, advisers asked."""
        branches = np.empty(len(frames), np.int32)
        for start in range(0, len(frames), BLOCK):
            some = slice(start, start + BLOCK)
            view = self._view(part, frames[some], codes[some])
            numbers, outcomes = decide_all(self.machine, part, view, self._begun(frames[some]))
            own = np.array([self.situations.frames.branch(outcome[0]) for outcome in outcomes], np.int32)
            branches[some] = own[numbers]
        return branches

    def _view(self, part: PartMachine, frames: Ints, codes: Ints) -> View:
        view = view_of(self.situations.frames, part.number, frames, codes.copy())
        view.complete = np.ones(len(frames), np.bool_)
        return view

    def _begun(self, frames: Ints) -> Ints:
        return fetched(self.situations.frames.begun, frames)
