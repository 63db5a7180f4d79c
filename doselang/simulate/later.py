"""Toxicities in later cycles under a clock: which patients who are known have one, and when it comes.

A patient has at most one, the most severe that chance holds, and on a day that is uniform in its window. It counts if
it is more severe than what the patient has already.
"""

from __future__ import annotations

from math import inf

import numpy as np
from attrs import define, field

from doselang.machine.records import Ints
from doselang.machine.weights import Floats
from doselang.protocol.classes import worsenings
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.clock import Clock
from doselang.simulate.people import BLOCK, People, uniform
from doselang.simulate.register import Register

OWN = np.uint64(0xD6E8FEB86659FD93)
"""Turns the key of a patient into that of a sequence of its own, beside the one of the patient's course."""


@define
class Later:
    """The toxicities in later cycles ahead in a block of trials.

    `days` are when they come [places, trials], inf in a free place; `lines` whose they are, as lines of the register,
    and `outcomes` what they are. `limits` has the number below which a patient has one of them, or one before it
    [toxicities in later cycles, levels].
    """

    clock: Clock
    people: People
    register: Register
    classes: tuple[int, ...]
    limits: Floats
    worse: frozenset[tuple[int, int]]
    days: Floats = field(factory=lambda: np.full((1, BLOCK), inf))
    lines: Ints = field(factory=lambda: np.zeros((1, BLOCK), np.int64))
    outcomes: Ints = field(factory=lambda: np.zeros((1, BLOCK), np.int32))

    def day(self, lanes: Ints) -> Floats:
        """By trial: when the next comes, inf where none is ahead."""
        day: Floats = self.days[:, lanes].min(axis=0) if self.classes else np.full(len(lanes), inf)
        return day

    def watch(self, lanes: Ints, lines: Ints) -> None:
        """A patient of each of some trials is known: see what comes later."""
        if not (self.classes and len(lanes)):
            return
        register, clock = self.register, self.clock
        keys = self.people.keys[lanes, register.person[lines]] ^ OWN
        drawn, share = uniform(keys, 1), uniform(keys, 2)
        outcome, day = np.zeros(len(lanes), np.int32), np.full(len(lanes), inf)
        for number, one in reversed(list(enumerate(self.classes))):
            has = drawn < self.limits[number, register.level[lines]]
            begin, end = clock.begins[one - 1], clock.ends[one - 1]
            outcome[has] = one
            day[has] = (register.entered[lines] + begin + (end - begin) * share)[has]
        before = register.outcome[lines].tolist()
        counts = [pair in self.worse for pair in zip(before, outcome.tolist(), strict=True)]
        some = np.flatnonzero(counts)
        self._put(lanes[some], lines[some], outcome[some], day[some])

    def _put(self, lanes: Ints, lines: Ints, outcomes: Ints, days: Floats) -> None:
        free = np.argmax(self.days[:, lanes], axis=0)
        if np.isfinite(self.days[free, lanes]).any():
            self.days = np.concatenate([self.days, np.full_like(self.days, inf)])
            self.lines, self.outcomes = (
                np.concatenate([column, np.zeros_like(column)]) for column in (self.lines, self.outcomes)
            )
            free = np.argmax(self.days[:, lanes], axis=0)
        self.days[free, lanes], self.lines[free, lanes], self.outcomes[free, lanes] = days, lines, outcomes

    def take(self, lanes: Ints) -> tuple[Ints, Ints]:
        """The next of each of some trials has come: whose it is, and what."""
        place = np.argmin(self.days[:, lanes], axis=0)
        self.days[place, lanes] = inf
        return self.lines[place, lanes], self.outcomes[place, lanes]


def later_of(protocol: Protocol, scenario: Scenario, clock: Clock, people: People, register: Register) -> Later:
    """What comes in later cycles to the patients of a block."""
    classes = tuple(outcome for outcome, one in enumerate(protocol.toxicities, 1) if one.later)
    rates = np.array([scenario.rates[outcome - 1] for outcome in classes]).reshape(-1, len(protocol.levels))
    return Later(
        clock, people, register, classes, np.cumsum(rates, axis=0), frozenset(worsenings(protocol.toxicities))
    )  # fmt: skip
