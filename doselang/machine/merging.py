"""States in few bytes, and equal ones made one: by sorting a hash of each, and then comparing what is equal by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints
from doselang.machine.weights import Floats

Words = NDArray[np.uint64]

LEVELS_OF_WORD = 4
"""Levels in one word of 64 bits, each a code of 16."""
MOST_CODES = 1 << 16

_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


@frozen(eq=False)
class Packed:
    """States of a trial, with a number that is added up where states are merged: in how many orders each is reached.

    `frames` are their frames; `words` [states, words] the codes of their levels, four in each. Where all are in one
    frame `frames` may hold it once (`of_one_frame`): then it is neither fetched nor compared.
    """

    frames: Ints
    words: Words
    orders: Floats

    def __len__(self) -> int:
        return len(self.frames)

    def codes(self, levels: int) -> Ints:
        """The codes of the levels, [states, levels]: a view of the words, not a copy."""
        return self.words.view(np.uint16)[:, :levels]

    def take(self, rows: Ints) -> Packed:
        """Some of the states; `np.take` fetches rows several times faster than an index does."""
        frames = of_one_frame(self.frames[0], len(rows)) if self.alike else self.frames.take(rows)
        return Packed(frames, self.words.take(rows, axis=0), self.orders.take(rows))

    @property
    def alike(self) -> bool:
        """Whether all states are in one frame, which is held once."""
        return len(self.frames) > 0 and self.frames.strides == (0,)

    def part(self, start: int, stop: int) -> Packed:
        """States that stand next to each other: a view, not a copy."""
        return Packed(self.frames[start:stop], self.words[start:stop], self.orders[start:stop])


def of_one_frame(frame: Any, states: int) -> Ints:
    """The frames of states that are all in one."""
    found: Ints = np.broadcast_to(np.int32(frame), states)
    return found


def packed(frames: Ints, codes: Ints, orders: Floats) -> Packed:
    """States with some codes, [states, levels]."""
    rows, levels = codes.shape
    wide = np.zeros((rows, -(-levels // LEVELS_OF_WORD) * LEVELS_OF_WORD), np.uint16)
    wide[:, :levels] = codes
    return Packed(frames, wide.view(np.uint64), orders)


def joined(chunks: list[Packed]) -> Packed:
    """All states of some lists, one after the other."""
    if len(chunks) == 1:
        return chunks[0]
    alike = all(chunk.alike for chunk in chunks) and len({int(chunk.frames[0]) for chunk in chunks}) == 1
    states = sum(map(len, chunks))
    return Packed(
        of_one_frame(chunks[0].frames[0], states) if alike else np.concatenate([chunk.frames for chunk in chunks]),
        np.concatenate([chunk.words for chunk in chunks]),
        np.concatenate([chunk.orders for chunk in chunks]),
    )


def merged(chunks: list[Packed]) -> Packed:
    """Each state once, with the sum of its orders."""
    states = joined(chunks)
    if len(states) < 2:
        return states
    there, starts = _sorted(states)
    orders = np.add.reduceat(there.orders, starts)
    first = there.take(starts)
    return Packed(first.frames, first.words, orders)


def _sorted(states: Packed) -> tuple[Packed, Ints]:
    """The states in an order in which equal ones stand together, and where others begin.

    The upper bits of a hash are sorted together with the position in the lower ones: sorting plain numbers is several
    times faster than sorting positions by them. Where states share these bits and differ they are sorted by what they
    are.
    """
    number = len(states)
    bits = np.uint64(number.bit_length())
    low = (np.uint64(1) << bits) - np.uint64(1)
    key = (_hashed(states) & ~low) | np.arange(number, dtype=np.uint64)
    key.sort()
    order = (key & low).astype(np.int64)
    key >>= bits
    new = np.ones(number, np.bool_)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    there = states.take(order)
    differs = _differs(there)
    mixed = np.flatnonzero(differs & ~new)
    if len(mixed):
        group = np.cumsum(new)
        rows = np.flatnonzero(np.isin(group, group[mixed]))
        some = order[rows]
        order[rows] = some[np.lexsort((*states.words[some].T, states.frames[some], group[rows]))]
        there = states.take(order)
        differs = _differs(there)
    return there, np.flatnonzero(differs)


def _differs(states: Packed) -> NDArray[np.bool_]:
    """Whether each state differs from the one before."""
    differs = np.ones(len(states), np.bool_)
    if states.alike:
        differs[1:] = False
    else:
        np.not_equal(states.frames[1:], states.frames[:-1], out=differs[1:])
    for word in range(states.words.shape[1]):
        differs[1:] |= states.words[1:, word] != states.words[:-1, word]
    return differs


def _hashed(states: Packed) -> Words:
    """A hash of each state: of equal ones the same."""
    key = np.zeros(len(states), np.uint64) if states.alike else states.frames.astype(np.uint64) * _MIX[0]
    for word in range(states.words.shape[1]):
        key ^= states.words[:, word]
        key *= _MIX[1 + word % 3]
        key ^= key >> np.uint64(32)
    mixed: Words = key * _MIX[0]
    return mixed
