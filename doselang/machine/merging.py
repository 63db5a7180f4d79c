"""States in few bytes, and equal ones made one: sorted by a hash and then compared, or added up in one place each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from attrs import frozen

from doselang.machine.arrays import NDArray, Words, hashed
from doselang.machine.records import Ints
from doselang.machine.weights import Floats

LEVELS_OF_WORD = 4
"""Levels in one word of 64 bits, each a code of 16."""
CODE_BITS = 16
MOST_CODES = 1 << CODE_BITS

ALL_BITS = ~np.uint64(0)


@frozen(eq=False)
class Packed:
    """States in one frame, with a number that is added up where they are merged: in how many orders each is reached.

    `words` [states, words] are the codes of their levels, four in each.
    """

    words: Words
    orders: Floats

    def __len__(self) -> int:
        return len(self.orders)

    def codes(self, levels: int) -> Ints:
        """The codes of the levels, [states, levels]: a view of the words, not a copy."""
        return self.words.view(np.uint16)[:, :levels]

    def take(self, rows: Ints) -> Packed:
        """Some of the states; `np.take` fetches rows several times faster than an index does."""
        return Packed(self.words.take(rows, axis=0), self.orders.take(rows))

    def part(self, start: int, stop: int) -> Packed:
        """States that stand next to each other: a view, not a copy."""
        return Packed(self.words[start:stop], self.orders[start:stop])


def packed(codes: Ints, orders: Floats) -> Packed:
    """States with some codes, [states, levels]."""
    rows, levels = codes.shape
    wide = np.zeros((rows, -(-levels // LEVELS_OF_WORD) * LEVELS_OF_WORD), np.uint16)
    wide[:, :levels] = codes
    return Packed(wide.view(np.uint64), orders)


def joined(chunks: list[Packed]) -> Packed:
    """All states of some lists, one after the other."""
    if len(chunks) == 1:
        return chunks[0]
    return Packed(
        np.concatenate([chunk.words for chunk in chunks]), np.concatenate([chunk.orders for chunk in chunks])
    )  # fmt: skip


@frozen(eq=False)
class Groups:
    """States of which those that agree stand together; `starts` are the positions where other ones begin."""

    states: Packed
    starts: Ints


def merged(chunks: list[Packed]) -> Packed:
    """Each state once, with the sum of its orders."""
    groups = grouped(chunks)
    return Packed(groups.states.words.take(groups.starts, axis=0), np.add.reduceat(groups.states.orders, groups.starts))


def grouped(chunks: list[Packed], but: int | None = None) -> Groups:
    """Some states, those together that agree in all levels, or in all but one.

    The upper bits of a hash are sorted together with the position in the lower ones: sorting plain numbers is several
    times faster than sorting positions by them. Where states share these bits and differ they are sorted by what they
    are.
    """
    states = joined(chunks)
    number, masks = len(states), _masks(states.words.shape[1], but)
    bits = np.uint64(number.bit_length())
    low = (np.uint64(1) << bits) - np.uint64(1)
    key = (hashed(_columns(states.words, masks)) & ~low) | np.arange(number, dtype=np.uint64)
    key.sort()
    order = (key & low).view(np.int64)
    key >>= bits
    new = np.ones(number, np.bool_)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    there = states.take(order)
    differs = _differs(there.words, masks)
    mixed = np.flatnonzero(differs & ~new)
    if len(mixed):
        group = np.cumsum(new)
        rows = np.flatnonzero(np.isin(group, group[mixed]))
        some = order[rows]
        order[rows] = some[np.lexsort((*(states.words[some] & masks).T, group[rows]))]
        there = states.take(order)
        differs = _differs(there.words, masks)
    return Groups(there, np.flatnonzero(differs))


def _masks(words: int, but: int | None) -> Words:
    """By word the bits that are compared: all but those of one level."""
    masks = np.full(words, ALL_BITS)
    if but is not None:
        masks.view(np.uint16)[but] = 0
    return masks


def _columns(words: Words, masks: Words) -> list[Words]:
    """By word the bits of each state that are compared."""
    return [words[:, n] if mask == ALL_BITS else words[:, n] & mask for n, mask in enumerate(masks)]


def _differs(words: Words, masks: Words) -> NDArray[np.bool_]:
    """Whether each state differs from the one before."""
    differs = np.ones(len(words), np.bool_)
    differs[1:] = False
    for column in _columns(words, masks):
        differs[1:] |= column[1:] != column[:-1]
    return differs


@frozen(eq=False)
class Cohort:
    """What the outcomes of a cohort make of the level where it is.

    `after` [outcomes, codes] are the codes of the level afterwards, by the code before; `ways` [outcomes] in how many
    orders patients bring them. `ordered` are all codes of `after`, those near each other that one level may come to.
    """

    level: int
    after: Ints
    ways: Floats
    ordered: Ints


def after_cohorts(groups: Groups, cohort: Cohort, most: int) -> Iterator[Packed]:
    """The states after all outcomes of a cohort, about so many at once: each in one list only, and there once.

    Groups are of states that agree in all other levels. States afterwards are equal if they come from one group and
    have one code at the level. So each group has a place for every code from the first to the last, in the order of
    `ordered`, that it may come to, and orders are added up there: nothing is sorted or compared.
    """
    rank = np.zeros(int(cohort.ordered.max()) + 1, np.int64)
    rank[cohort.ordered] = np.arange(len(cohort.ordered))
    ranks = rank[cohort.after]
    codes = groups.states.words.view(np.uint16)[:, cohort.level]
    first = np.minimum.reduceat(ranks.min(axis=0).take(codes), groups.starts)
    last = np.maximum.reduceat(ranks.max(axis=0).take(codes), groups.starts)
    room = last - first + 1
    upto = np.cumsum(room)
    bounds = np.append(groups.starts, len(groups.states))
    cuts = np.unique(np.searchsorted(upto, np.arange(0, upto[-1], most))).tolist()
    for start, stop in pairwise([*cuts, len(room)]):
        some = groups.states.part(bounds[start], bounds[stop])
        there = Groups(some, groups.starts[start:stop] - bounds[start])
        yield _added_up(there, cohort, ranks, first[start:stop], room[start:stop])


def _added_up(groups: Groups, cohort: Cohort, ranks: Ints, first: Ints, room: Ints) -> Packed:
    """The states after the outcomes; each group has places for so many codes, from its first in `ordered`."""
    states, codes = groups.states, groups.states.words.view(np.uint16)[:, cohort.level]
    offset = np.cumsum(room) - room - first
    places = ranks.take(codes, axis=1)
    places += np.repeat(offset, np.diff(groups.starts, append=len(states)))
    every = np.bincount(places.ravel(), np.multiply.outer(cohort.ways, states.orders).ravel())
    orders = every.astype(np.float64, copy=False)
    there = np.flatnonzero(orders > 0)
    group = np.repeat(np.arange(len(room)), room).take(there)
    words = states.words.take(groups.starts.take(group), axis=0)
    words.view(np.uint16)[:, cohort.level] = cohort.ordered.take(there - offset.take(group))
    return Packed(words, orders.take(there))
