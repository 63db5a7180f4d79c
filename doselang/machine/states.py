"""A state of the trial apart from its levels: the part, the cohorts under way, verdicts and choices made so far."""

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.arrays import fetched, missing, present
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED, View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch, Closes, Ended, GoesOn, Opened
from doselang.machine.records import Closing, Ints, Opening


@frozen
class Order:
    """A cohort under way: `size` patients are to become evaluable at a level, perhaps the first of them alone."""

    level: int
    size: int
    sentinel: bool = False


@frozen
class Frame:
    """What all rows of one code share.

    `orders` are the cohorts under way: the one whose look comes next, then those beside it, of which the last is
    known first (none when the history has ended, and then `level` is the level of the last look); `begun` the parts
    begun, as bits; `verdicts` one a verdict (a level, NO_LEVEL, NONE_DECLARED, NONE_ANY_MORE); `counters` what each
    counter has counted; `end` the number of the branch that ended the history, -1 while it goes on.

    In a rolling part `orders` are patients who are just entering; without any, somebody may come or become known, and
    `level` is the level at which patients enter. `settling` is a rolling part that has been left, and whose pending
    patients become known before anything else, -1 where there is none.
    """

    part: int
    level: int
    orders: tuple[Order, ...]
    begun: int
    verdicts: tuple[int, ...]
    counters: tuple[int, ...] = ()
    end: int = -1
    settling: int = -1

    @property
    def here(self) -> int:
        """The level of the next look, or of the last one of a history that has ended."""
        return self.orders[0].level if self.orders else self.level


COHORT, ENTERING, ROLLING, SETTLING = range(4)
"""What is under way in a frame: a cohort; and of rolling parts: patients enter, anything can come, it has been left."""

MANY = 1 << 20
"""No offset of a level."""

_BY_BRANCH = ("offset", "opening", "closing", "alone")
_BY_FRAME = ("part", "level", "at", "size", "sentinel", "silent", "mode", "begun", "ended")


@define
class Frames:
    """All frames and all branches met so far, and what each branch does to a state."""

    machine: Machine
    frames: list[Frame] = field(factory=list)
    branches: list[Branch] = field(factory=list)
    part: Ints = field(init=False)
    level: Ints = field(init=False)
    """By frame: the level of the next look; `at` the level whose patients become known before."""
    at: Ints = field(init=False)
    size: Ints = field(init=False)
    """By frame: how many patients become known; `sentinel` whether the first alone; `silent` whether without a look."""
    sentinel: Ints = field(init=False)
    silent: Ints = field(init=False)
    mode: Ints = field(init=False)
    """By frame: COHORT, ENTERING, ROLLING or SETTLING; in the last `part` is the part that has been left."""
    begun: Ints = field(init=False)
    verdicts: Ints = field(init=False)
    counters: Ints = field(init=False)
    ended: Ints = field(init=False)
    offset: Ints = field(init=False)
    """By branch: the offset of the level of the next cohort; 0 where there is none."""
    opening: Ints = field(init=False)
    """By branch: the change that opens the next cohort, -1 where there is none."""
    closing: Ints = field(init=False)
    """By branch: whether it closes several levels, or opens a cohort beside the next."""
    alone: Ints = field(init=False)
    """By branch: the offset of the one level that it closes, MANY where it closes none, or several."""
    _frame_numbers: dict[Frame, int] = field(factory=dict)
    _branch_numbers: dict[Branch, int] = field(factory=dict)
    _after: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in (*_BY_FRAME, *_BY_BRANCH):
            setattr(self, name, np.zeros(16, np.int32))
        self.verdicts = np.zeros((16, len(self.machine.protocol.verdicts)), np.int32)
        self.counters = np.zeros((16, len(self.machine.counters)), np.int32)
        self._after = np.full((16, 16), -1, np.int32)

    def first(self) -> tuple[int, Ints]:
        """The state before the first patient: its frame, and the record codes of its levels."""
        protocol, records = self.machine.protocol, self.machine.records
        first = protocol.parts[0]
        size, alone = first.cohort, first.sentinel is not None and not first.rolling
        verdicts, counters = (NO_LEVEL,) * len(protocol.verdicts), (0,) * len(protocol.counters)
        frame = Frame(0, protocol.start, (Order(protocol.start, size, alone),), 1, verdicts, counters)
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
                for name in (*_BY_FRAME, "verdicts", "counters"):
                    setattr(self, name, np.concatenate([getattr(self, name)] * 2))
                self._after = np.concatenate([self._after, np.full_like(self._after, -1)])
            self.part[number] = frame.part if frame.settling < 0 else frame.settling
            self.mode[number] = self._mode(frame)
            self.level[number] = frame.here
            self.at[number] = frame.orders[-1].level if frame.orders else frame.level
            self.size[number] = frame.orders[-1].size if frame.orders else 0
            self.sentinel[number] = bool(frame.orders) and frame.orders[-1].sentinel
            self.silent[number] = len(frame.orders) > 1
            self.ended[number] = frame.end >= 0 and frame.settling < 0
            self.counters[number] = frame.counters
            self.begun[number] = frame.begun
            self.verdicts[number] = frame.verdicts
        return number

    def _mode(self, frame: Frame) -> int:
        if frame.settling >= 0:
            return SETTLING
        if frame.end >= 0 or not self.machine.protocol.parts[frame.part].rolling:
            return COHORT
        return ENTERING if frame.orders else ROLLING

    def branch(self, branch: Branch) -> int:
        """The number of a branch."""
        number = self._branch_numbers.get(branch)
        if number is None:
            number = self._branch_numbers[branch] = len(self.branches)
            self.branches.append(branch)
            if number >= len(self.offset):
                for name in _BY_BRANCH:
                    setattr(self, name, np.concatenate([getattr(self, name)] * 2))
                self._after = np.concatenate([self._after, np.full_like(self._after, -1)], axis=1)
            decision, self.opening[number], self.offset[number] = branch.decision, -1, 0
            opened = decision.answers.next
            closes = decision.answers.closes
            one = len(closes) == 1 and not closes[0].all_above
            beside = decision.undecided is None and isinstance(opened, Opened) and opened.beside != ()
            self.alone[number] = closes[0].offset if one and not beside else MANY
            self.closing[number] = (bool(closes) and not one) or beside
            if decision.undecided is None and isinstance(decision.answers.next, Opened):
                self.opening[number] = self.machine.records.change(Opening(decision.answers.next.size))
                self.offset[number] = decision.answers.next.offset
        return number

    def without_sentinel(self, frames: Ints) -> Ints:
        """The frames with the same cohorts under way, whose first patients are no longer alone."""
        numbers, which = np.unique(frames, return_inverse=True)
        found = []
        for frame in (self.frames[number] for number in numbers.tolist()):
            orders = tuple(evolve(order, sentinel=False) for order in frame.orders)
            found.append(self.frame(evolve(frame, orders=orders)))
        return np.array(found, np.int32)[which]

    def after(self, frames: Ints, branches: Ints) -> Ints:
        """The frames after the branches, element by element."""
        after: Ints = self._after[frames, branches]
        if after.size and after.min() < 0:
            for frame, branch in missing(after, frames, branches):
                number = self.frame(self._follow(self.frames[frame], branch))
                self._after[frame, branch] = number
            after = self._after[frames, branches]
        return after

    def _follow(self, frame: Frame, number: int) -> Frame:
        branch = self.branches[number]
        here, answers = frame.here, branch.decision.answers
        if isinstance(answers.next, GoesOn):
            if frame.settling >= 0:
                return evolve(frame, settling=-1) if answers.next.settled else frame
            return evolve(frame, orders=frame.orders[:-1])
        settling = frame.part if branch.settles else -1
        counters = self._counted(frame, branch)
        verdicts = list(frame.verdicts)
        for declares in answers.declares:
            before = verdicts[declares.verdict]
            none = NONE_DECLARED if before in (NO_LEVEL, NONE_DECLARED) else NONE_ANY_MORE
            verdicts[declares.verdict] = none if declares.offset is None else here + declares.offset
        if branch.decision.undecided is not None or isinstance(answers.next, Ended):
            return Frame(frame.part, here, (), frame.begun, tuple(verdicts), counters, number, settling)
        opened = answers.next
        assert isinstance(opened, Opened)
        part = frame.part if opened.part is None else opened.part
        level = here + opened.offset
        beside = tuple(Order(here + offset, size) for offset, size in opened.beside)
        orders = (Order(level, opened.size, opened.sentinel), *beside)
        return Frame(part, level, orders, frame.begun | 1 << part, tuple(verdicts), counters, settling=settling)

    def _counted(self, frame: Frame, branch: Branch) -> tuple[int, ...]:
        """What the counters have counted after a look; from its ceiling on a counter stays."""
        counters = list(frame.counters)
        for counter, reset in branch.decision.answers.counts:
            counters[counter] = 0 if reset else min(counters[counter] + 1, self.machine.counters[counter])
        return tuple(counters)

    def close(self, codes: Ints, here: Ints, branches: Ints) -> None:
        """Close levels as the branches say; `codes` [rows, levels] are changed in place."""
        self._close_alone(codes, here, branches)
        for number in self._closings(branches):
            rows = np.flatnonzero(branches == number)
            for one in self.branches[number].decision.answers.closes:
                self._close(codes, rows, here[rows] + one.offset, one)

    def _closings(self, branches: Ints) -> list[int]:
        """The branches among some that close several levels, or open a cohort beside the next."""
        return [number for number in present(branches) if self.closing[number]]

    def _close_alone(self, codes: Ints, here: Ints, branches: Ints) -> None:
        """Close levels where a branch closes just one."""
        offset = self.alone[branches]
        rows = np.flatnonzero(offset != MANY)
        level, closing = here[rows] + offset[rows], self.machine.records.change(Closing())
        codes[rows, level] = self.machine.records.apply(closing, codes[rows, level])

    def leave(self, codes: Ints, here: Ints, branches: Ints) -> None:
        """Close and open levels as the branches say; `codes` [rows, levels] are changed in place."""
        records, rows = self.machine.records, np.arange(len(codes))
        self._close_alone(codes, here, branches)
        for number in self._closings(branches):
            some = np.flatnonzero(branches == number)
            self._leave_one(codes, some, here[some], self.branches[number])
        opens = np.flatnonzero(self.opening[branches] >= 0)
        level = here[opens] + self.offset[branches[opens]]
        codes[rows[opens], level] = records.apply(self.opening[branches[opens]], codes[rows[opens], level])

    def leave_together(self, codes: Ints, here: int, branch: int) -> None:
        """The same for looks at one level that all take one branch."""
        if self.closing[branch] or self.alone[branch] != MANY:
            self._leave_one(codes, np.arange(len(codes)), np.full(len(codes), here), self.branches[branch])
        if self.opening[branch] >= 0:
            self._change(codes, slice(None), here + int(self.offset[branch]), int(self.opening[branch]))

    def _leave_one(self, codes: Ints, rows: Ints, here: Ints, branch: Branch) -> None:
        """Close the levels that one branch closes, and open the cohorts beside the next."""
        records, answers = self.machine.records, branch.decision.answers
        for close in answers.closes:
            self._close(codes, rows, here + close.offset, close)
        if branch.decision.undecided is None and isinstance(answers.next, Opened):
            for offset, size in answers.next.beside:
                level = here + offset
                codes[rows, level] = records.apply(records.change(Opening(size)), codes[rows, level])

    def _close(self, codes: Ints, rows: Ints, levels: Ints, close: Closes) -> None:
        closing, above = self.machine.records.change(Closing()), self.machine.setting.relations.above
        for level in present(levels):
            some = rows[levels == level]
            for closed in (level, *np.flatnonzero(above[level])) if close.all_above else (level,):
                self._change(codes, some, closed, closing)

    def _change(self, codes: Ints, rows: Ints | slice, level: int, change: int) -> None:
        codes[rows, level] = self.machine.records.apply(change, codes[rows, level])


def view_of(frames: Frames, part: int, numbers: Ints, codes: Ints) -> View:
    """States of one part, before the outcomes of the cohort under way, as a view at the level of that cohort."""
    protocol, rows = frames.machine.protocol, len(numbers)
    here, verdicts = fetched(frames.level, numbers), fetched(frames.verdicts, numbers)
    return View(
        frames.machine.setting, codes, here, part, verdicts, np.zeros(verdicts.shape, np.bool_),
        np.zeros(rows, np.bool_), np.zeros((rows, 1 + len(protocol.toxicities)), np.int32), here,
        np.zeros(rows, np.bool_), fetched(frames.counters, numbers), np.zeros(rows, np.bool_),
    )  # fmt: skip
