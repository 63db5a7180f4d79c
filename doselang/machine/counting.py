"""Counting: in how many orders of outcomes each end of a trial is reached, with all tallies kept.

The probability of an end is its number of orders times a product of powers of the rates, whatever the rates are: one
count serves every scenario. States are held one number of patients at a time and then dropped, so that machines of many
millions of states need little memory. Where looks depend on the tallies alone states are merged at the look, before
anything is decided: it is decided once for all the ways of coming to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import zip_longest

import numpy as np
from attrs import define, field

from doselang.machine.arrays import present
from doselang.machine.compiling import Machine
from doselang.machine.exits import Accrual
from doselang.machine.exploring import (
    MAX_PATIENTS,
    MAX_STATES,
    MOST_MEMORY,
    Bucket,
    Exploration,
    TooManyStates,
    taken,
)
from doselang.machine.merging import MOST_CODES, Packed, joined, merged, of_one_frame, packed
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.rulings import Rulings, decided_when_complete
from doselang.machine.situations import Situations, every_exit, orders_of, outcomes_of
from doselang.machine.states import COHORT, Frames

BLOCK = 1 << 16
"""So many states are carried on at once: what is worked out of them stays near the processor."""
MERGE_AT = 1 << 22
"""So many states that wait for one number of patients are merged before more are added to them."""

STATE_BYTES = 64
"""What a state takes, roughly, with what merging it takes."""

Place = tuple[int, int, int]
"""Patients, steps of a rolling part since then, and the frame of the looks that come; -1 where cohorts begin."""
BEGIN = -1


@define
class Counted:
    """All ends of a machine: their frames, the codes of their levels, and in how many orders each is reached."""

    machine: Machine
    frames: Frames
    ends: Packed
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
    counter.open(packed(np.array([frame], np.int32), codes, np.ones(1)), 0, 0)
    return counter.run()


@define
class _Counter:
    machine: Machine
    situations: Situations
    max_states: int
    waiting: dict[Place, list[Packed]] = field(factory=dict)
    ends: list[Packed] = field(factory=list)
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
                for look, states in self._merged(patients, steps, beside):
                    self.states += len(states)
                    self._within_limits(patients)
                    for start in range(0, len(states), BLOCK):
                        some = states.part(start, start + BLOCK)
                        if look != BEGIN:
                            self._decide(some, patients)
                        else:
                            self._step(some, patients, steps)
        ends, self.ends = joined(self.ends), []
        return Counted(self.machine, self.frames, ends, self.states)

    def _merged(self, patients: int, steps: int, beside: Executor) -> Iterator[tuple[int, Packed]]:
        """All that waits with so many patients: by the frame of the looks, each state once.

        What comes next is merged on another processor while one is worked on.
        """
        places = sorted(place for place in self.waiting if place[:2] == (patients, steps))
        coming = beside.submit(merged, self.waiting.pop(places[0]))
        for place, following in zip_longest(places, places[1:]):
            states = coming.result()
            if following is not None:
                coming = beside.submit(merged, self.waiting.pop(following))
            yield place[2], states

    def _within_limits(self, patients: int) -> None:
        if self.states > self.max_states or patients > MAX_PATIENTS:
            raise TooManyStates(self.states, patients)
        if len(self.machine.records) >= MOST_CODES:
            raise OverflowError("the levels of a trial have too many different records")
        there = sum(map(len, self.ends)) + sum(len(some) for several in self.waiting.values() for some in several)
        if there * STATE_BYTES > MOST_MEMORY:
            raise TooManyStates(self.states, patients, full=True)

    def open(self, states: Packed, patients: int, steps: int) -> None:
        """Put states whose cohorts begin where they are carried on: at their looks, where nothing can come before."""
        if len(states) == 0:
            return
        frames = self.frames
        for number in present(states.frames):
            rows = np.flatnonzero(states.frames == number)
            some = states if len(rows) == len(states) else states.take(rows)
            plain = self.plain[frames.part[number]] and frames.mode[number] == COHORT
            if plain and not frames.silent[number] and not frames.sentinel[number]:
                self._enrol(some, number, patients)
            else:
                self._wait((patients, steps, BEGIN), some)

    def _enrol(self, states: Packed, frame: int, patients: int) -> None:
        """All outcomes of the cohorts of one frame."""
        frames, records, levels = self.frames, self.machine.records, self.machine.levels
        size, here, part = int(frames.size[frame]), int(frames.level[frame]), int(frames.part[frame])
        there, frames_of = states.codes(levels)[:, here], of_one_frame(frame, len(states))
        for counts in outcomes_of(size, len(self.machine.protocol.toxicities), early=False):
            words = states.words.copy()
            words.view(np.uint16)[:, here] = records.apply(records.change(Evaluable(part, counts)), there)
            self._wait((patients + size, 0, frame), Packed(frames_of, words, states.orders * orders_of(counts)))

    def _decide(self, states: Packed, patients: int) -> None:
        """What comes after complete cohorts of one frame."""
        frames, levels = self.frames, self.machine.levels
        words = states.words.copy()
        codes = words.view(np.uint16)[:, :levels]
        branches = self.rulings.of(self.machine.parts[frames.part[states.frames[0]]], states.frames, codes)
        frames.leave(codes, frames.level[states.frames], branches)
        self._go_on(Packed(frames.after(states.frames, branches), words, states.orders), patients, 0)

    def _step(self, states: Packed, patients: int, steps: int) -> None:
        """Every exit of states whose looks can come at any time, or in which patients come one by one."""
        frames, situations = self.frames, self.situations
        none = np.zeros(0, np.int32)
        codes = states.codes(self.machine.levels).astype(np.int32)
        bucket = Bucket(patients, 0, states.frames, codes, np.zeros(len(states), np.bool_), none, none, none)
        for part in present(frames.part[states.frames]):
            rows = np.flatnonzero(frames.part[states.frames] == part).astype(np.int32)
            position, exits = every_exit(situations, situations.of(part, states.frames[rows], codes[rows]))
            made = taken(self.own, bucket, rows[position], exits, situations.branch[exits])
            found = packed(made.frames, made.codes, states.orders[made.state] * situations.orders[exits])
            after = steps + 1 if self.machine.protocol.parts[part].rolling else 0
            for more in present(made.patients):
                self._go_on(found.take(np.flatnonzero(made.patients == more)), patients + more, after)

    def _go_on(self, states: Packed, patients: int, steps: int) -> None:
        """Keep what has ended, and carry on the rest."""
        ended = self.frames.ended[states.frames] != 0
        if ended.all():
            self.ends.append(states)
            return
        if ended.any():
            self.ends.append(states.take(np.flatnonzero(ended)))
            states = states.take(np.flatnonzero(~ended))
        self.open(states, patients, steps)

    def _wait(self, place: Place, states: Packed) -> None:
        there = self.waiting.setdefault(place, [])
        there.append(states)
        if sum(map(len, there)) > MERGE_AT * (1 + len(there[0]) // MERGE_AT):
            self.waiting[place] = [merged(there)]
