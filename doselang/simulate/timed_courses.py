"""Courses of the patients of timed trials, cycle by cycle, in the light of what the trial has closed by then.

A cycle is looked at when it ends: the levels that are closed as too toxic are those closed on that day. A patient who
leaves the window early leaves treatment in that cycle.
"""

from __future__ import annotations

import numpy as np
from attrs import define, field, frozen

from doselang.machine.columns import Bools
from doselang.machine.course import CourseMachine, Environment, Standpoint
from doselang.machine.records import Ints
from doselang.machine.weights import Floats
from doselang.protocol.model import Scenario
from doselang.simulate.courses import GOES_ON, after_cycle
from doselang.simulate.lanes import Lanes
from doselang.simulate.people import Keys, uniform
from doselang.simulate.register import INEVALUABLE

MOST_CYCLES = 1_000
"""After so many cycles treatment is said to go on."""
LEFT_EARLY = "leaving the window early"

Core = tuple[int, int, int, int]
"""Where a patient stands apart from the trial: state, level, assigned level, cycles before."""


@frozen(eq=False)
class Treated:
    """What became of the patients of a block, one entry a line of the register.

    `cycles` are those begun; `reason` is a position in the list of reasons; `follow_up` are days from the first.
    """

    cycles: Ints
    re_treated: Bools
    reason: Ints
    follow_up: Floats


@define
class _Words:
    """Small numbers for bit patterns."""

    known: Keys = field(factory=lambda: np.zeros(0, np.uint64))
    number: Ints = field(factory=lambda: np.zeros(0, np.int32))

    def __call__(self, words: Keys) -> Ints:
        if not len(self.known) or (self.known[self._place(words)] != words).any():
            new = np.setdiff1d(words, self.known)
            self.number = np.concatenate([self.number, np.arange(len(new), dtype=np.int32) + len(self.number)])
            every = np.concatenate([self.known, new])
            order = np.argsort(every)
            self.known, self.number = every[order], self.number[order]
        return self.number[self._place(words)]

    def _place(self, words: Keys) -> Ints:
        return np.minimum(np.searchsorted(self.known, words), len(self.known) - 1)


@define
class Courses:
    """The chances of a course under a scenario, by where a patient stands, worked out as far as they are met.

    A row is what a cycle can lead to: `stay` is the chance that nothing changes. If something does, the chances up to
    each outcome, with the row's number added, stand one after another in `until`; `leads` has the number of the core of
    the next cycle, or -1 less the number of the reason.
    """

    machine: CourseMachine
    scenario: Scenario
    reasons: list[str] = field(factory=lambda: [GOES_ON, LEFT_EARLY])
    cores: dict[Core, int] = field(factory=dict)
    state: Ints = field(factory=lambda: np.zeros(0, np.int32))
    stay: Floats = field(factory=lambda: np.zeros(0))
    until: Floats = field(factory=lambda: np.zeros(0))
    leads: Ints = field(factory=lambda: np.zeros(0, np.int32))
    row_of: Ints = field(factory=lambda: np.full((0, 0), -1, np.int32))
    """By core and environment: the row, -1 while it is not known."""
    ends: Ints = field(factory=lambda: np.zeros(0, np.int64))
    """By row: where it ends in `until`."""
    _environments: _Words = field(factory=_Words)

    def treat(self, lanes: Lanes) -> Treated:
        """Follow all patients of a block to the end of their treatment, and on."""
        register, clock = lanes.register, lanes.clock
        every, lane, entered = register.count, register.lane, register.entered
        keys = lanes.people.keys[lane, register.person]
        leaves = np.where(register.outcome == INEVALUABLE, register.known, np.inf)
        cycles, reason = np.zeros(every, np.int32), np.zeros(every, np.int32)
        again = np.zeros(every, np.bool_)
        there, core, cycle = np.arange(every), self._first(register.level), np.ones(every, np.int64)
        while len(there):
            day = entered[there] + cycle * clock.cycle
            off, same = self._ahead(lanes, lane[there], entered[there], leaves[there], cycle)
            ended = off | (cycle > MOST_CYCLES)
            rows = self._rows(core, lanes, lane[there], day)
            stays = self._stays(rows, uniform(keys[there], 2 * cycle))
            happens = ~ended & (stays < same)
            # cycles without a change are passed over at once, till the trial closes a level
            cycle = cycle + np.where(ended, 0, np.where(happens, stays, same))
            leads = np.where(happens, self._drawn(rows, uniform(keys[there], 2 * cycle + 1)), core)
            ended |= leads < 0
            cycles[there[ended]] = np.minimum(cycle[ended], MOST_CYCLES)
            reason[there[ended]] = np.where(off[ended], 1, np.where(happens[ended], -1 - leads[ended], 0))
            there, core, cycle = there[~ended], leads[~ended], (cycle + happens)[~ended]
            again[there] |= self.state[core] != 0
        followed = lanes.duration[lane] + clock.follow_up - entered
        if clock.loss:
            followed = np.minimum(followed, -np.log1p(-uniform(keys, 1)) / clock.loss)
        return Treated(cycles, again, reason, np.maximum(followed, 0.0))

    def _first(self, levels: Ints) -> Ints:
        by_level = [self._core((0, level, level, 0)) for level in range(len(self.machine.protocol.levels))]
        return np.array(by_level, np.int32)[levels]

    def _core(self, core: Core) -> int:
        number = self.cores.setdefault(core, len(self.cores))
        if number == len(self.state):
            self.state = np.append(self.state, np.int32(core[0]))
        return number

    def _ahead(self, lanes: Lanes, lane: Ints, entered: Floats, leaves: Floats, cycle: Ints) -> tuple[Bools, Ints]:
        """Whether patients leave early in a cycle, and in how many from it on the trial and they stay as they are."""
        length, day = lanes.clock.cycle, entered + cycle * lanes.clock.cycle
        changes = leaves.copy()
        for since in (lanes.closed, lanes.tried) if self.machine.reads_tried else (lanes.closed,):
            for level in np.flatnonzero(np.isfinite(since).any(axis=0)):
                changed = since[lane, level]
                changes = np.where(changed > day, np.minimum(changes, changed), changes)
        last = np.minimum(np.ceil((changes - entered) / length) - 1, MOST_CYCLES).astype(np.int64)
        return leaves <= day, np.maximum(last - cycle + 1, 1)

    def _stays(self, rows: Ints, drawn: Floats) -> Ints:
        """In how many cycles nothing changes before something does: a geometric number, by inversion."""
        with np.errstate(divide="ignore"):
            many = np.floor(np.log1p(-drawn) / np.log(self.stay[rows]))
        return np.minimum(np.where(self.stay[rows] == 1.0, MOST_CYCLES, many), MOST_CYCLES).astype(np.int64)

    def _drawn(self, rows: Ints, drawn: Floats) -> Ints:
        place = np.searchsorted(self.until, rows + drawn, side="right")
        return self.leads[np.minimum(place, self.ends[rows] - 1)]

    def _rows(self, core: Ints, lanes: Lanes, lane: Ints, day: Floats) -> Ints:
        """The rows of some patients at the end of a cycle."""
        closed = _bits(lanes.closed, lane, day)
        if self.machine.reads_tried:
            closed = closed | _bits(lanes.tried, lane, day) << np.uint64(lanes.tried.shape[1])
        environment = self._environments(closed)
        shape = len(self.cores), len(self._environments.known)
        if self.row_of.shape[0] < shape[0] or self.row_of.shape[1] < shape[1]:
            wider = np.full(shape, -1, np.int32)
            wider[: self.row_of.shape[0], : self.row_of.shape[1]] = self.row_of
            self.row_of = wider
        rows = self.row_of[core, environment]
        if rows.size and rows.min() < 0:
            missing = np.unique(np.column_stack([core, environment])[rows < 0], axis=0)
            for one, other in missing.tolist():
                self.row_of[one, other] = self._learn(one, other)
            rows = self.row_of[core, environment]
        return rows

    def _learn(self, core: int, environment: int) -> int:
        """Work out what a cycle can lead to; the number of the new row."""
        state, level, assigned, before = list(self.cores)[core]
        point = Standpoint(state, level, assigned, before, self._environment(environment))
        chances: dict[int, float] = {}
        for chance, following, reason in after_cycle(self.machine, self.scenario, point):
            if following is None:
                if reason not in self.reasons:
                    self.reasons.append(reason)
                leads = -1 - self.reasons.index(reason)
            else:
                leads = self._core((following.state, following.level, following.assigned, following.cycles))
            chances[leads] = chances.get(leads, 0.0) + chance
        row, stay = len(self.ends), chances.pop(core, 0.0)
        if not chances:
            chances, stay = {core: 1.0}, 1.0
        until = np.cumsum(list(chances.values()))
        self.stay = np.append(self.stay, stay)
        self.until = np.append(self.until, row + until / until[-1])
        self.leads = np.append(self.leads, np.array(list(chances), np.int32))
        self.ends = np.append(self.ends, len(self.leads))
        return row

    def _environment(self, number: int) -> Environment:
        levels = len(self.machine.protocol.levels)
        word = int(self._environments.known[np.flatnonzero(self._environments.number == number)[0]])
        closed = tuple(bool(word >> level & 1) for level in range(levels))
        tried = tuple(bool(word >> levels + level & 1) or not self.machine.reads_tried for level in range(levels))
        return Environment(tried, closed)


def _bits(since: Floats, lane: Ints, day: Floats) -> Keys:
    """Which levels have been so on a day, as bits."""
    bits = np.zeros(len(lane), np.uint64)
    for level in range(since.shape[1]):
        if np.isfinite(since[:, level]).any():
            bits |= (since[lane, level] <= day).astype(np.uint64) << np.uint64(level)
    return bits
