"""Counting: in how many orders of outcomes each end of a trial is reached, with all tallies kept.

The probability of an end is its number of orders times a product of powers of the rates, whatever the rates are: one
count serves every scenario. States are held one number of patients at a time and then dropped, so that machines of many
millions of states need little memory. Where looks depend on the tallies alone states are merged at the look, before
anything is decided: it is decided once for all the ways of coming to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import zip_longest

import numpy as np
from attrs import define, field

from doselang.machine.arrays import distinct, present
from doselang.machine.cohorts import orders_of, outcomes_of
from doselang.machine.compiling import Machine
from doselang.machine.ends import Ends
from doselang.machine.exits import Accrual
from doselang.machine.exploring import (
    MAX_PATIENTS,
    MAX_STATES,
    MOST_MEMORY,
    Exploration,
    TooManyStates,
)
from doselang.machine.merging import MOST_CODES, Cohort, Groups, Packed, after_cohorts, grouped, joined, merged, packed
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.rulings import Rulings, decided_when_complete
from doselang.machine.situations import Situations, every_exit
from doselang.machine.states import COHORT, Frames
from doselang.machine.steps import sources, taken

BLOCK = 1 << 17
"""So many states are carried on at once: what is worked out of them stays near the processor."""

BESIDE = 1 << 14
"""From so many states on they are sorted on another processor: to hand them over takes as long as to sort a few."""

STATE_BYTES = 64
"""What a state takes, roughly, with what merging it takes."""

Place = tuple[int, int, int]
"""Patients, steps of a rolling part since then, and a frame."""
COHORTS = 1 << 30
"""Stands for the steps where complete cohorts are to be decided: after all else with the same number of patients."""


@define
class Counted:
    """All ends of a machine, and in how many orders each is reached."""

    machine: Machine
    frames: Frames
    ends: Ends
    states: int
    """How many states were met, each counted once; where looks depend on tallies alone, looks instead."""


def count_ends(
    machine: Machine, accrual: Accrual = "one-at-a-time", *, max_states: int = MAX_STATES
) -> Counted:  # fmt: skip
    """Count the orders of outcomes that lead to each end; numbers are exact below 2^53.

    The machine must keep all tallies (`compile_protocol(…, tallies=True)`), and ask nobody. Raises TooManyStates, and
    OverflowError where a cohort has too many outcomes, or levels have too many records to be told apart.
    """
    frames = Frames(machine)
    counter = _Counter(machine, Situations(machine, frames, accrual), max_states)
    frame, codes = frames.first()
    counter.go_on(frame, packed(codes, np.ones(1)), 0, 0)
    return counter.run()


@define
class _Counter:
    machine: Machine
    situations: Situations
    max_states: int
    waiting: dict[Place, list[Packed]] = field(factory=dict)
    ends: Ends = field(factory=Ends)
    states: int = 0
    rulings: Rulings = field(init=False)
    own: Exploration = field(init=False)
    plain: list[bool] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rulings = Rulings(self.situations)
        self.own = Exploration(self.machine, self.frames, self.situations)
        self.plain = [decided_when_complete(part) for part in self.machine.parts]

    @property
    def frames(self) -> Frames:
        return self.situations.frames

    def run(self) -> Counted:
        """Carry on what waits, fewest patients first, until everything has ended."""
        with ThreadPoolExecutor(1) as beside:
            while self.waiting:
                patients, steps, _ = min(self.waiting)
                if steps == COHORTS:
                    for frame, groups in self._grouped(patients, beside):
                        self._enrol(groups, frame, patients)
                else:
                    self._step(patients, steps)
        return Counted(self.machine, self.frames, self.ends, self.states)

    def _grouped(self, patients: int, beside: Executor) -> Iterator[tuple[int, Groups]]:
        """All whose cohorts begin with so many patients: by frame, those together that differ at its level alone.

        What comes next is sorted on another processor while one is worked on, if it is enough for that to pay.
        """
        places = sorted(place for place in self.waiting if place[:2] == (patients, COHORTS))

        def begun(place: Place) -> Future[Groups]:
            states, level = self.waiting.pop(place), int(self.frames.level[place[2]])
            if sum(map(len, states)) >= BESIDE:
                return beside.submit(grouped, states, level)
            done: Future[Groups] = Future()
            done.set_result(grouped(states, level))
            return done

        coming = begun(places[0])
        for place, following in zip_longest(places, places[1:]):
            groups = coming.result()
            if following is not None:
                coming = begun(following)
            yield place[2], groups

    def _within_limits(self, patients: int) -> None:
        if self.states > self.max_states or patients > MAX_PATIENTS:
            raise TooManyStates(self.states, patients)
        if len(self.machine.records) >= MOST_CODES:
            raise OverflowError("the levels of a trial have too many different records")
        there = len(self.ends) + sum(len(one) for some in self.waiting.values() for one in some)
        if there * STATE_BYTES > MOST_MEMORY:
            raise TooManyStates(self.states, patients, full=True)

    def go_on(self, frame: int, states: Packed, patients: int, steps: int) -> None:
        """Keep states of one frame that have ended, and put the others where they are carried on."""
        frames = self.frames
        if frames.ended[frame]:
            self.ends.add(np.full(len(states), frame, np.int32), states)
            return
        whole = self.plain[frames.part[frame]] and frames.mode[frame] == COHORT
        if whole and not frames.silent[frame] and not frames.sentinel[frame]:
            steps = COHORTS
        self.waiting.setdefault((patients, steps, frame), []).append(states)

    def _enrol(self, groups: Groups, frame: int, patients: int) -> None:
        """All outcomes of the cohorts of one frame, and what comes after them."""
        frames, here = self.frames, int(self.frames.level[frame])
        before = present(groups.states.codes(self.machine.levels)[:, here])
        for looks in after_cohorts(groups, self._cohort(frame, np.array(before)), BLOCK):
            self.states += len(looks)
            self._decide(looks, frame, patients + int(frames.size[frame]))
        self._within_limits(patients + int(frames.size[frame]))

    def _cohort(self, frame: int, before: Ints) -> Cohort:
        """The cohorts of a frame, at levels with some codes."""
        frames, records = self.frames, self.machine.records
        outcomes = outcomes_of(int(frames.size[frame]), self.machine.protocol.toxicities, early=False)
        changes = [records.change(Evaluable(int(frames.part[frame]), counts)) for counts in outcomes]
        after = np.zeros((len(outcomes), int(before.max()) + 1), np.int64)
        after[:, before] = [records.apply(change, before) for change in changes]
        there = np.array(present(after[:, before].ravel()))
        ordered = there[np.lexsort(records.table[there].T[::-1])]
        return Cohort(int(frames.level[frame]), after, np.array([orders_of(counts) for counts in outcomes]), ordered)

    def _decide(self, looks: Packed, frame: int, patients: int) -> None:
        """What comes after complete cohorts of one frame."""
        frames, levels, here = self.frames, self.machine.levels, int(self.frames.level[frame])
        branches = self.rulings.of(frame, looks.codes(levels), patients)
        there = np.array(present(branches))
        after = frames.after(np.full(len(there), frame), there)
        ended = frames.ended[after] != 0
        for branch, following in zip(there[~ended].tolist(), after[~ended].tolist(), strict=True):
            some = looks.take(np.flatnonzero(branches == branch))
            frames.leave_together(some.codes(levels), here, branch)
            self.go_on(following, some, patients, 0)
        if ended.any():
            if not ended.all():
                rows = np.flatnonzero(np.isin(branches, there[ended]))
                looks, branches = looks.take(rows), branches.take(rows)
            frames.close(looks.codes(levels), np.broadcast_to(np.int32(here), len(looks)), branches)
            following = np.zeros(there[-1] + 1, np.int32)
            following[there] = after
            self.ends.add(following.take(branches), looks)

    def _step(self, patients: int, steps: int) -> None:
        """Every exit of states whose looks can come at any time, or in which patients come one by one."""
        places = sorted(place for place in self.waiting if place[:2] == (patients, steps))
        each = [merged(self.waiting.pop(place)) for place in places]
        every = joined(each)
        numbers = np.repeat(np.array([frame for _, _, frame in places], np.int32), [len(some) for some in each])
        self.states += len(every)
        self._within_limits(patients)
        for start in range(0, len(every), BLOCK):
            some = slice(start, start + BLOCK)
            self._exits(numbers[some], every.part(start, start + BLOCK), patients, steps)

    def _exits(self, numbers: Ints, states: Packed, patients: int, steps: int) -> None:
        """Every exit of some states."""
        frames, situations = self.frames, self.situations
        codes = states.codes(self.machine.levels).astype(np.int32)
        of = sources(numbers, codes, patients=patients)
        for part in present(frames.part[numbers]):
            rows = np.flatnonzero(frames.part[numbers] == part).astype(np.int32)
            position, exits = every_exit(situations, situations.of(part, numbers[rows], codes[rows]))
            made = taken(situations, of, rows[position], exits, situations.branch[exits])
            found = packed(made.codes, states.orders[made.state] * situations.orders[exits])
            after = steps + 1 if self.machine.protocol.parts[part].rolling else 0
            index, which = distinct([made.patients, made.frames])
            for kind, first in enumerate(index.tolist()):
                where = patients + int(made.patients[first])
                self.go_on(int(made.frames[first]), found.take(np.flatnonzero(which == kind)), where, after)
