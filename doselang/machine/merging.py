"""States in few bytes, and equal ones made one: by sorting a hash of each, and then comparing what is equal by it."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints
from doselang.machine.weights import Floats

Words = NDArray[np.uint64]

LEVELS_OF_WORD = 4
"""Levels in one word of 64 bits, each a code of 16."""
MOST_CODES = 1 << 16

_OUTER_BITS = np.uint64(20)
_INNER = ~np.uint64(0) >> _OUTER_BITS
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


@frozen(eq=False)
class Packed:
    """States of a trial, with a number that is added up where states are merged: in how many orders each is reached.

    `frames` are their frames; `words` [states, words] the codes of their levels, four in each.
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
        return Packed(self.frames.take(rows), self.words.take(rows, axis=0), self.orders.take(rows))

    def part(self, start: int, stop: int) -> Packed:
        """States that stand next to each other: a view, not a copy."""
        return Packed(self.frames[start:stop], self.words[start:stop], self.orders[start:stop])


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
    return Packed(
        np.concatenate([chunk.frames for chunk in chunks]),
        np.concatenate([chunk.words for chunk in chunks]),
        np.concatenate([chunk.orders for chunk in chunks]),
    )


def merged(chunks: list[Packed], level: int = 0) -> Packed:
    """Each state once, with the sum of its orders.

    `level` is the one whose codes have changed most lately: it says which states should stand near each other.
    """
    states = joined(chunks)
    if len(states) < 2:
        return states
    there, starts = _sorted(states, level // LEVELS_OF_WORD)
    orders = np.add.reduceat(there.orders, starts)
    return Packed(there.frames.take(starts), there.words.take(starts, axis=0), orders)


def _sorted(states: Packed, inner: int) -> tuple[Packed, Ints]:
    """The states in an order in which equal ones stand together, and where others begin.

    The upper bits of a hash are sorted together with the position in the lower ones: sorting plain numbers is several
    times faster than sorting positions by them. Where states share these bits and differ they are sorted by what they
    are.
    """
    number = len(states)
    bits = np.uint64(number.bit_length())
    low = (np.uint64(1) << bits) - np.uint64(1)
    key = (_hashed(states, inner) & ~low) | np.arange(number, dtype=np.uint64)
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
    np.not_equal(states.frames[1:], states.frames[:-1], out=differs[1:])
    for word in range(states.words.shape[1]):
        differs[1:] |= states.words[1:, word] != states.words[:-1, word]
    return differs


def _hashed(states: Packed, inner: int) -> Words:
    """A hash of each state: of equal ones the same.

    The upper bits are those of all words but the inner one, so that states that differ in that one alone stand near
    each other after sorting, as they do before: what is near is fetched fast.
    """
    outer = states.frames.astype(np.uint64) * _MIX[0]
    for word in range(states.words.shape[1]):
        if word != inner:
            outer ^= states.words[:, word]
            outer *= _MIX[1 + word % 3]
            outer ^= outer >> np.uint64(29)
    outer *= _MIX[0]
    outer &= ~_INNER
    own = states.words[:, inner] * _MIX[1]
    own ^= own >> np.uint64(32)
    own *= _MIX[2]
    own >>= _OUTER_BITS
    found: Words = outer | own
    return found
