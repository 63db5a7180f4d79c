"""What is decided at looks whose cohorts are complete, for many states at once: each kind of look is decided once."""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.arrays import distinct
from doselang.machine.columns import View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.looking import decide_all, may_ask
from doselang.machine.records import Ints
from doselang.machine.situations import ASKED, Situations
from doselang.machine.states import view_of
from doselang.protocol.guards import Chance, Rate, Recommends, SentinelHas, Tally, atoms

BLOCK = 1 << 15
"""So many looks are decided by advisers at once."""


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
    _known: dict[bytes, int] = field(factory=dict)

    @property
    def machine(self) -> Machine:
        return self.situations.machine

    def of(self, part: PartMachine, frames: Ints, codes: Ints) -> Ints:
        """The number of the branch that each look of a part takes; `codes` are those after the outcomes."""
        reads = part.reads.local if part.reads.everything else part.reads
        if reads is None:
            return self._asked(part, frames, codes)
        columns = self.situations.features(part, reads, frames, codes)
        index, inverse = distinct(columns)
        head = part.number.to_bytes(4)
        features = np.column_stack([column[index] for column in columns]).astype(np.int32)
        labels = [head + row.tobytes() for row in features]
        new = [position for position, label in enumerate(labels) if label not in self._known]
        if new:
            rows = index[new]
            found = self._decided(part, frames[rows], codes[rows])
            self._known.update(zip([labels[n] for n in new], found.tolist(), strict=True))
        branches = np.array([self._known[label] for label in labels], np.int32)[inverse]
        asked = np.flatnonzero(branches == ASKED)
        for start in range(0, len(asked), BLOCK):
            some = asked[start : start + BLOCK]
            branches[some] = self._advised(part, inverse[some], frames[some], codes[some])
        return branches

    def _advised(self, part: PartMachine, kinds: Ints, frames: Ints, codes: Ints) -> Ints:
        """What is decided at looks where advisers may be asked; `kinds` are equal where all that is local is.

        Looks of one kind close the same levels, if no adviser is asked about that. Then those of one kind at which the
        advisers say the same decide the same.
        """
        if not _all_of_advice(part):
            return self._asked(part, frames, codes)
        first, which = distinct([kinds])
        closing = self._asked(part, frames[first], codes[first])[which]
        view = self._view(part, frames, codes)
        self.situations.frames.close(view.codes, view.here, closing)
        columns: list[Ints] = [which]
        for place, read in part.reads.columns:
            if place.kind == "recommended":
                columns += self.situations.at_place(part, place, read, view)
        asked = dict.fromkeys(atom for line in part.lines for atom in atoms(line.guard))
        columns += [truth(atom, view) for atom in asked if isinstance(atom, Chance | Recommends)]
        index, inverse = distinct(columns)
        return self._asked(part, frames[index], codes[index])[inverse]

    def _decided(self, part: PartMachine, frames: Ints, codes: Ints) -> Ints:
        """What is decided at looks of which all is known that local conditions read; ASKED where an adviser may be."""
        told = np.ones(len(frames), np.bool_)
        if part.reads.everything:
            told = ~may_ask(self.machine, part, self._view(part, frames, codes), self._begun(frames))
        branches = np.full(len(frames), ASKED, np.int32)
        rows = np.flatnonzero(told)
        if len(rows):
            branches[rows] = self._asked(part, frames[rows], codes[rows])
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
        view = view_of(self.situations.frames, part.number, frames, codes.astype(np.int32))
        view.complete = np.ones(len(frames), np.bool_)
        return view

    def _begun(self, frames: Ints) -> Ints:
        return self.situations.frames.begun[frames]
