"""Steps: what the end of a cohort makes of a state, and what nothing reads any more afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from doselang.machine.compiling import PartMachine
from doselang.machine.records import Ints, only_status
from doselang.machine.situations import Situations
from doselang.machine.states import Frames


@frozen(eq=False)
class Sources:
    """States that steps lead out of: `codes` are [states, levels].

    `number` are their numbers through all buckets of an exploration, `patients` how many patients each had.
    """

    frames: Ints
    codes: Ints
    number: Ints
    patients: Ints


def sources(frames: Ints, codes: Ints, start: int = 0, patients: int = 0) -> Sources:
    """States that are numbered one after another, and had as many patients."""
    return Sources(frames, codes, np.arange(start, start + len(frames), dtype=np.int32), np.full(len(frames), patients))


@frozen(eq=False)
class Steps:
    """Steps out of states of one part: each cohort that ends, in each way it can (of a bundle of exits, by the first).

    `state[k]` is the state, as a position in `of`, `exit[k]` the exit, `branch[k]` the branch, `patients[k]` how many
    the cohort had; `codes` and `frames` are those after the step, `here[k]` the level of the look.
    """

    of: Sources
    state: Ints
    exit: Ints
    branch: Ints
    patients: Ints
    here: Ints
    codes: Ints
    frames: Ints

    def __len__(self) -> int:
        return len(self.state)


def together(steps: Sequence[Steps]) -> Steps:
    """Steps of one part out of several buckets, in their order."""
    if len(steps) == 1:
        return steps[0]
    of = [one.of for one in steps]
    shift = np.cumsum([0, *(len(one.frames) for one in of[:-1])])
    state = np.concatenate([one.state + before for one, before in zip(steps, shift.tolist(), strict=True)])
    columns = [np.concatenate([getattr(one, name) for one in steps]) for name in _OF_STEPS]
    return Steps(
        Sources(*(np.concatenate([getattr(one, name) for one in of]) for name in _OF_SOURCES)), state, *columns
    )


_OF_SOURCES = ("frames", "codes", "number", "patients")
_OF_STEPS = ("exit", "branch", "patients", "here", "codes", "frames")


def taken(situations: Situations, of: Sources, state: Ints, exits: Ints, branch: Ints) -> Steps:
    """The steps out of states of one part (by position) by exits, each decided as a branch says."""
    frames, records = situations.frames, situations.machine.records
    numbers, after = of.frames[state], of.codes.take(state, axis=0)  # much faster than an index
    here, at = frames.level[numbers], frames.at[numbers] + situations.aside[exits]
    line = np.arange(len(state))
    after[line, at] = records.apply(situations.change[exits], after[line, at])
    frames.leave(after, here, branch)
    following = frames.after(numbers, branch)
    return Steps(of, state, exits, branch, situations.patients[exits], here, after, following)


def forget(frames: Frames, part: int, codes: Ints, numbers: Ints) -> None:
    """Drop what nothing can read any more after steps out of a part, from `codes`, in place; `numbers` are the frames.

    That is all but the levels' status at an end, much when a part begins, and levels where no cohort can open.
    """
    records = frames.machine.records
    ended = np.flatnonzero(frames.ended[numbers] != 0)
    if len(ended):
        codes[ended] = records.apply(records.change(only_status(records.layout)), codes[ended])
    for entered in frames.machine.parts:
        rows = np.flatnonzero(frames.part[numbers] == entered.number)
        if len(rows) and entered.number != part:
            _enter(frames, entered, codes, rows)
        if not len(rows) or entered.barriers is None:
            continue
        if entered.part.rolling and entered.number == part:
            # in a rolling part there are many steps, after which little lies behind a barrier
            codes[rows] = entered.barriers.without_closed(records, codes[rows])
        else:
            some, relations = numbers[rows], frames.machine.setting.relations
            at, verdicts = frames.level[some], frames.verdicts[some]
            codes[rows] = entered.barriers.settle(records, relations, codes[rows], at, verdicts)


def _enter(frames: Frames, part: PartMachine, codes: Ints, rows: Ints) -> None:
    """Drop what nothing can read any more when a part begins."""
    records = frames.machine.records
    codes[rows] = records.apply(records.change(part.fading), codes[rows])
    for level in np.flatnonzero(part.apart):
        codes[rows, level] = records.apply(records.change(only_status(records.layout)), codes[rows, level])
