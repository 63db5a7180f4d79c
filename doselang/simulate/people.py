"""The patients who come to a trial, and what chance holds for each of them, whatever the design.

Trial r of a seed has the same patients in every design, scenario and number of trials: random numbers are drawn for
blocks of BLOCK trials, by a Philox generator (Salmon et al. 2011) for each block and each CHUNK of patients. What is
needed without a known end, one number a cycle, is a sequence of SplitMix64 (Steele, Lea and Flood 2014) for each
patient, which begins with a number of the same generator.
"""

from __future__ import annotations

import numpy as np
from attrs import define, field
from numpy.random import Generator, Philox, SeedSequence

from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints
from doselang.machine.weights import Floats
from doselang.simulate.clock import Clock

BLOCK, CHUNK = 4096, 32
MOST_PEOPLE = 2_048
"""So many patients can come to one trial; one that needs more is given up."""

Keys = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(keys: Keys, number: int | Ints) -> Floats:
    """The uniform number in [0, 1) that stands at a place, from 1, in the sequence of each key."""
    mixed = keys + np.asarray(number, np.uint64) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) * 2.0**-53


_DRAWN = {
    "comes": np.float64, "tolerance": np.float64, "onset": np.float64, "leaves": np.float64, "keys": np.uint64,
}  # fmt: skip


@define
class People:
    """Those who come to each trial of a block, in the order in which they come: arrays [BLOCK, people], of which the
    first `count` columns are filled.

    `comes` is the day; `tolerance` has a toxicity if it is below the rate; `onset`, `leaves` are uniform numbers for
    the time to toxicity and for leaving early; `keys` begin a sequence for each. `choices` begins one for each trial.
    """

    clock: Clock
    seed: int
    block: int
    count: int = 0
    comes: Floats = field(init=False)
    tolerance: Floats = field(init=False)
    onset: Floats = field(init=False)
    leaves: Floats = field(init=False)
    keys: Keys = field(init=False)
    choices: Keys = field(init=False)
    _waited: Floats = field(factory=lambda: np.zeros((BLOCK, 1)))

    def __attrs_post_init__(self) -> None:
        for name, kind in _DRAWN.items():
            setattr(self, name, np.zeros((BLOCK, CHUNK), kind))
        self.choices = self._generator(0).integers(0, 1 << 64, BLOCK, np.uint64)

    def _generator(self, *key: int) -> Generator:
        return Generator(Philox(SeedSequence(self.seed, spawn_key=(self.block, *key))))

    def more(self) -> None:
        """Let CHUNK more people come to each trial."""
        have, self.count = self.count, self.count + CHUNK
        if self.count > self.comes.shape[1]:
            for name in _DRAWN:
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)], axis=1))
        random, new = self._generator(1, have // CHUNK), slice(have, self.count)
        waited = self._waited + np.cumsum(random.standard_exponential((BLOCK, CHUNK)), axis=1)
        self._waited = waited[:, -1:]
        if self.clock.months is None:
            self.comes[:, new] = self.clock.every * np.arange(have + 1.0, self.count + 1)
        else:
            self.comes[:, new] = self.clock.arrival(waited)
        for column in (self.tolerance, self.onset, self.leaves):
            column[:, new] = random.random((BLOCK, CHUNK))
        self.keys[:, new] = random.integers(0, 1 << 64, (BLOCK, CHUNK), np.uint64)

    def need(self, most: int) -> None:
        """Let people come until there is one of number `most`, counted from 0, or MOST_PEOPLE have come."""
        while self.count <= min(most, MOST_PEOPLE - 1):
            self.more()

    def first(self, lanes: Ints, start: Ints, day: Floats) -> Ints:
        """By trial: the first of those from `start` on who comes on a day or later, MOST_PEOPLE where nobody does."""
        self.need(int(start.max(initial=0)))
        found = start.copy()
        here = np.minimum(start, self.count - 1)
        late = np.flatnonzero((self.comes[lanes, here] < day) & (start < MOST_PEOPLE))
        if len(late):
            found[late] = self._first(lanes[late], start[late], day[late])
        return np.minimum(found, MOST_PEOPLE)

    def _first(self, lanes: Ints, start: Ints, day: Floats) -> Ints:
        """The same by bisection."""
        while True:
            low, high = start.copy(), np.full(len(start), self.count)
            while (open_ := low < high).any():
                middle = (low + high) // 2
                earlier = open_ & (self.comes[lanes, np.minimum(middle, self.count - 1)] < day)
                low, high = np.where(earlier, middle + 1, low), np.where(open_ & ~earlier, middle, high)
            if (low < self.count).all() or self.count >= MOST_PEOPLE:
                return low
            self.more()
