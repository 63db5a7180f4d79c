"""States that have been met: found by a hash, and then compared, so that no two are ever taken for one."""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.arrays import NDArray, Words, hashed
from doselang.machine.records import Ints

ROOM = 4
"""So many places there are, at least, for each state."""


@define
class Known:
    """The states met so far, numbered in the order in which they were added.

    `places` has a number at the place that the hash of its state points to, or at the next one that was free; the
    number of places is a power of two. `words` are the frame and the codes of each state, two to a word.
    """

    levels: int
    states: int = 0
    words: Words = field(init=False)
    places: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.words = np.zeros((256, self.levels // 2 + 1), np.uint64)
        self.places = np.full(1024, -1, np.int32)

    def of(self, frames: Ints, codes: Ints) -> tuple[Ints, Words]:
        """The numbers of some states, -1 where one is new, and what each is."""
        words = self._written(frames, codes)
        found, place, asked = np.full(len(words), -1, np.int32), self._first_place(words), np.arange(len(words))
        while len(asked):
            there = self.places[place[asked]]
            asked, there = asked[there >= 0], there[there >= 0]
            same = (self.words.take(there, axis=0) == words.take(asked, axis=0)).all(axis=1)
            found[asked[same]] = there[same]
            asked = asked[~same]
            place[asked] = (place[asked] + 1) & (len(self.places) - 1)
        return found, words

    def add(self, words: Words) -> None:
        """Add new states, all different, as `of` gives them."""
        total = self.states + len(words)
        if total > len(self.words):
            larger = np.zeros((max(total, 2 * len(self.words)), self.words.shape[1]), np.uint64)
            larger[: self.states] = self.words[: self.states]
            self.words = larger
        self.words[self.states : total] = words
        if ROOM * total > len(self.places):
            self.places = np.full(1 << (2 * ROOM * total).bit_length(), -1, np.int32)
            self._place(0, total)
        else:
            self._place(self.states, total)
        self.states = total

    def _place(self, start: int, stop: int) -> None:
        """Find a place for each of the states that are numbered so."""
        place, waiting = self._first_place(self.words[start:stop]), np.arange(start, stop, dtype=np.int32)
        while len(waiting):
            free = self.places[place] < 0
            self.places[place[free]] = waiting[free]  # of several at one place the last has it
            left = self.places[place] != waiting
            waiting, place = waiting[left], (place[left] + 1) & (len(self.places) - 1)

    def _first_place(self, words: Words) -> NDArray[np.int64]:
        """Where to look first for each state: the upper bits of its hash."""
        return (hashed(list(words.T)) >> np.uint64(65 - len(self.places).bit_length())).astype(np.int64)

    def _written(self, frames: Ints, codes: Ints) -> Words:
        """The frame and the codes of each state, two to a word."""
        rows = np.zeros((len(frames), 2 * self.words.shape[1]), np.int32)
        rows[:, 0], rows[:, 1 : 1 + self.levels] = frames, codes
        return rows.view(np.uint64)
