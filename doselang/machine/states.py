"""A state of the trial apart from its levels: the part, the cohorts under way, verdicts and choices made so far."""

from __future__ import annotations

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import present
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED, View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch, Closes, Ended, Opened
from doselang.machine.records import Closing, Ints, Opening


@frozen
class Order:
    """A cohort under way: `size` patients are to become evaluable at a level."""

    level: int
    size: int


@frozen
class Frame:
    """What all rows of one code share.

    `orders` are the cohorts under way (the designs so far have one; none when the history has ended, and then `level`
    is the level of the last look); `begun` the parts begun, as bits; `verdicts` one a verdict (a level, NO_LEVEL,
    NONE_DECLARED, NONE_ANY_MORE); `end` the number of the branch that ended the history, -1 while it goes on.
    """

    part: int
    level: int
    orders: tuple[Order, ...]
    begun: int
    verdicts: tuple[int, ...]
    end: int = -1


_BY_FRAME = ("part", "level", "size", "begun", "ended")


@define
class Frames:
    """All frames and all branches met so far, and what each branch does to a state."""

    machine: Machine
    frames: list[Frame] = field(factory=list)
    branches: list[Branch] = field(factory=list)
    part: Ints = field(init=False)
    level: Ints = field(init=False)
    size: Ints = field(init=False)
    begun: Ints = field(init=False)
    verdicts: Ints = field(init=False)
    ended: Ints = field(init=False)
    offset: Ints = field(init=False)
    """By branch: the offset of the level of the next cohort; 0 where there is none."""
    opening: Ints = field(init=False)
    """By branch: the change that opens the next cohort, -1 where there is none."""
    _frame_numbers: dict[Frame, int] = field(factory=dict)
    _branch_numbers: dict[Branch, int] = field(factory=dict)
    _after: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in (*_BY_FRAME, "offset", "opening"):
            setattr(self, name, np.zeros(16, np.int32))
        self.verdicts = np.zeros((16, len(self.machine.protocol.verdicts)), np.int32)
        self._after = np.full((16, 16), -1, np.int32)

    def first(self) -> tuple[int, Ints]:
        """The state before the first patient: its frame, and the record codes of its levels."""
        protocol, records = self.machine.protocol, self.machine.records
        size = protocol.parts[0].cohort
        verdicts = (NO_LEVEL,) * len(protocol.verdicts)
        frame = Frame(0, protocol.start, (Order(protocol.start, size),), 1, verdicts)
        codes = np.zeros((1, self.machine.levels), np.int32)
        codes[:, protocol.start] = records.apply(records.change(Opening(size)), codes[:, protocol.start])
        return self.frame(frame), codes

    def frame(self, frame: Frame) -> int:
        """The number of a frame."""
        number = self._frame_numbers.get(frame)
        if number is None:
            number = self._frame_numbers[frame] = len(self.frames)
            self.frames.append(frame)
            if number >= len(self.part):
                for name in (*_BY_FRAME, "verdicts"):
                    setattr(self, name, np.concatenate([getattr(self, name)] * 2))
                self._after = np.concatenate([self._after, np.full_like(self._after, -1)])
            self.part[number] = frame.part
            self.level[number] = frame.orders[0].level if frame.orders else frame.level
            self.size[number] = frame.orders[0].size if frame.orders else 0
            self.ended[number] = frame.end >= 0
            self.begun[number] = frame.begun
            self.verdicts[number] = frame.verdicts
        return number

    def branch(self, branch: Branch) -> int:
        """The number of a branch."""
        number = self._branch_numbers.get(branch)
        if number is None:
            number = self._branch_numbers[branch] = len(self.branches)
            self.branches.append(branch)
            if number >= len(self.offset):
                self.offset = np.concatenate([self.offset] * 2)
                self.opening = np.concatenate([self.opening] * 2)
                self._after = np.concatenate([self._after, np.full_like(self._after, -1)], axis=1)
            decision, self.opening[number], self.offset[number] = branch.decision, -1, 0
            if decision.undecided is None and isinstance(decision.answers.next, Opened):
                self.opening[number] = self.machine.records.change(Opening(decision.answers.next.size))
                self.offset[number] = decision.answers.next.offset
        return number

    def after(self, frames: Ints, branches: Ints) -> Ints:
        """The frames after the branches, element by element."""
        after: Ints = self._after[frames, branches]
        if after.size and after.min() < 0:
            asked = np.zeros(self._after.shape, np.bool_)
            asked[frames, branches] = True
            for frame, branch in np.argwhere(asked & (self._after < 0)).tolist():
                number = self.frame(self._follow(self.frames[frame], branch))
                self._after[frame, branch] = number
            after = self._after[frames, branches]
        return after

    def _follow(self, frame: Frame, number: int) -> Frame:
        branch = self.branches[number]
        here, answers = frame.orders[0].level, branch.decision.answers
        verdicts = list(frame.verdicts)
        for declares in answers.declares:
            before = verdicts[declares.verdict]
            none = NONE_DECLARED if before in (NO_LEVEL, NONE_DECLARED) else NONE_ANY_MORE
            verdicts[declares.verdict] = none if declares.offset is None else here + declares.offset
        if branch.decision.undecided is not None or isinstance(answers.next, Ended):
            return Frame(frame.part, here, (), frame.begun, tuple(verdicts), number)
        assert isinstance(answers.next, Opened)
        part = frame.part if answers.next.part is None else answers.next.part
        level = here + answers.next.offset
        order = Order(level, answers.next.size)
        return Frame(part, level, (order,), frame.begun | 1 << part, tuple(verdicts))

    def leave(self, codes: Ints, here: Ints, branches: Ints) -> None:
        """Close and open levels as the branches say; `codes` [rows, levels] are changed in place."""
        records, rows = self.machine.records, np.arange(len(codes))
        closing = records.change(Closing())
        for number in present(branches):
            for close in self.branches[number].decision.answers.closes:
                _close(codes, np.flatnonzero(branches == number), here, close, records.apply, closing)
        opens = np.flatnonzero(self.opening[branches] >= 0)
        level = here[opens] + self.offset[branches[opens]]
        codes[rows[opens], level] = records.apply(self.opening[branches[opens]], codes[rows[opens], level])


def _close(codes: Ints, rows: Ints, here: Ints, close: Closes, apply, closing: int) -> None:  # type: ignore[no-untyped-def]
    level = here[rows] + close.offset
    codes[rows, level] = apply(closing, codes[rows, level])
    if close.all_above:
        for higher in range(codes.shape[1]):
            above = rows[level < higher]
            codes[above, higher] = apply(closing, codes[above, higher])


def view_of(frames: Frames, part: int, numbers: Ints, codes: Ints) -> View:
    """States of one part, before the outcomes of the cohort under way, as a view at the level of that cohort."""
    protocol, rows = frames.machine.protocol, len(numbers)
    here = frames.level[numbers]
    verdicts = frames.verdicts[numbers]
    return View(
        frames.machine.records, protocol.start, protocol.result, codes, here, part, verdicts,
        np.zeros(verdicts.shape, np.bool_), np.zeros(rows, np.bool_),
        np.zeros((rows, 1 + len(protocol.toxicities)), np.int32), here, np.zeros(rows, np.bool_),
    )  # fmt: skip
