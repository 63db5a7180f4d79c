"""The patients who come to a trial, and what chance holds for each of them, whatever the design.

Trial r of a seed has the same patients in every design, scenario and number of trials: random numbers are drawn for
blocks of BLOCK trials, by a Philox generator (Salmon et al. 2011) for each block and each CHUNK of patients. What is
needed without a known end, one number a cycle, is a sequence of SplitMix64 (Steele, Lea and Flood 2014) for each
patient, which begins with a number of the same generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import define, field
from numpy.random import Generator, Philox, SeedSequence

from doselang.diagnostics import trouble
from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints
from doselang.machine.weights import Floats
from doselang.simulate.clock import Clock

BLOCK, CHUNK = 4096, 32
MOST_PEOPLE = 2_048
"""So many patients can come to one trial."""

Keys = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(keys: Keys, number: int | Ints) -> Floats:
    """The uniform number in [0, 1) that stands at a place, from 1, in the sequence of each key."""
    mixed = keys + np.asarray(number, np.uint64) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) * 2.0**-53


def _none(kind: Any) -> Any:
    return lambda: np.zeros((BLOCK, 0), kind)


@define
class People:
    """Those who come to each trial of a block, in the order in which they come: arrays [BLOCK, people so far].

    `comes` is the day; `tolerance` has a toxicity if it is below the rate; `onset`, `leaves` are uniform numbers for
    the time to toxicity and for leaving early; `keys` begin a sequence for each. `choices` begins one for each trial.
    """

    clock: Clock
    seed: int
    block: int
    comes: Floats = field(factory=_none(np.float64))
    tolerance: Floats = field(factory=_none(np.float64))
    onset: Floats = field(factory=_none(np.float64))
    leaves: Floats = field(factory=_none(np.float64))
    keys: Keys = field(factory=_none(np.uint64))
    choices: Keys = field(init=False)
    _waited: Floats = field(factory=lambda: np.zeros((BLOCK, 1)))

    def __attrs_post_init__(self) -> None:
        self.choices = self._generator(0).integers(0, 1 << 64, BLOCK, np.uint64)

    def _generator(self, *key: int) -> Generator:
        return Generator(Philox(SeedSequence(self.seed, spawn_key=(self.block, *key))))

    def more(self) -> None:
        """Let CHUNK more people come to each trial. Raises Trouble DL704 where there are too many."""
        have = self.comes.shape[1]
        if have >= MOST_PEOPLE:
            raise trouble(
                "DL704", f"More than {MOST_PEOPLE:,} patients would come to one trial.",
                help="Give fewer arrivals, or a shorter window.",
            )  # fmt: skip
        random = self._generator(1, have // CHUNK)
        waited = self._waited + np.cumsum(random.standard_exponential((BLOCK, CHUNK)), axis=1)
        self._waited = waited[:, -1:]
        if self.clock.months is None:
            comes = np.broadcast_to(self.clock.every * np.arange(have + 1.0, have + 1 + CHUNK), waited.shape)
        else:
            comes = self.clock.arrival(waited)
        self.comes = np.concatenate([self.comes, comes], axis=1)
        for name in ("tolerance", "onset", "leaves"):
            setattr(self, name, np.concatenate([getattr(self, name), random.random((BLOCK, CHUNK))], axis=1))
        keys = random.integers(0, 1 << 64, (BLOCK, CHUNK), np.uint64)
        self.keys = np.concatenate([self.keys, keys], axis=1)

    def need(self, most: int) -> None:
        """Let people come until there is one of number `most`, counted from 0."""
        while self.comes.shape[1] <= most:
            self.more()

    def first(self, lanes: Ints, start: Ints, day: Floats) -> Ints:
        """By trial: the first of those from `start` on who comes on a day or later."""
        self.need(int(start.max(initial=0)))
        found = start.copy()
        late = np.flatnonzero(self.comes[lanes, start] < day)
        if len(late):
            found[late] = self._first(lanes[late], start[late], day[late])
        return found

    def _first(self, lanes: Ints, start: Ints, day: Floats) -> Ints:
        """The same by bisection."""
        while True:
            low, high = start.copy(), np.full(len(start), self.comes.shape[1])
            while (open_ := low < high).any():
                middle = (low + high) // 2
                earlier = open_ & (self.comes[lanes, np.minimum(middle, self.comes.shape[1] - 1)] < day)
                low, high = np.where(earlier, middle + 1, low), np.where(open_ & ~earlier, middle, high)
            if (low < self.comes.shape[1]).all():
                return low
            self.more()
