"""Bundles of exits: those by which a cohort leaves the same state behind, with the same number of patients.

Of the outcomes of a cohort a state keeps little, so most of its exits differ in nothing that comes later.
"""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.arrays import distinct, pack, ranges
from doselang.machine.records import Ints
from doselang.machine.situations import Situations, every_exit


def _none() -> Ints:
    return np.zeros(0, np.int32)


@define
class Bundles:
    """The bundles met so far. They depend on the situation and on the record of the level: their kind."""

    situations: Situations
    first: Ints = field(factory=_none)
    """By kind: its first bundle; `count` has their number."""
    count: Ints = field(factory=_none)
    exit: Ints = field(factory=_none)
    """By bundle: the first of its exits."""
    members: Ints = field(factory=_none)
    """The exits of all bundles, one bundle after the other: `begin` is by bundle where they stand, `many` how many."""
    begin: Ints = field(factory=_none)
    many: Ints = field(factory=_none)
    _kinds: dict[int, int] = field(factory=dict)

    def out_of(self, rows: Ints, codes: Ints) -> tuple[Ints, Ints]:
        """All bundles of some states, by their situations and records: the position of each state, and the bundle."""
        index, which = distinct([rows, codes])
        keys = (rows[index].astype(np.int64) << 32 | codes[index]).tolist()
        new = [position for position, key in enumerate(keys) if key not in self._kinds]
        if new:
            self._add(rows[index[new]], codes[index[new]])
            self._kinds.update((keys[position], len(self._kinds)) for position in new)
        kinds = np.array([self._kinds[key] for key in keys], np.int32)[which]
        return ranges(self.first[kinds], self.count[kinds])

    def exits(self, bundles: Ints) -> tuple[Ints, Ints]:
        """All exits of some bundles, one after another: the position of each bundle, and the exit."""
        position, place = ranges(self.begin[bundles], self.many[bundles])
        return position, self.members[place]

    def _add(self, rows: Ints, codes: Ints) -> None:
        """Put the exits of new kinds into bundles, which stand in the order of their first exits."""
        situations = self.situations
        kind, exits = every_exit(situations, rows)
        after = situations.machine.records.apply(situations.change[exits], codes[kind])
        alike = pack(np.column_stack([kind, situations.patients[exits], situations.branch[exits], after]))
        _, first, which, many = np.unique(alike, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(first)
        place = np.argsort(order)[which]
        start = len(self.exit) + np.searchsorted(kind[first[order]], np.arange(len(rows)))
        self.begin = _joined(self.begin, len(self.members) + np.cumsum(many[order]) - many[order])
        self.many = _joined(self.many, many[order])
        self.exit = _joined(self.exit, exits[first[order]])
        self.members = _joined(self.members, exits[np.argsort(place, kind="stable")])
        self.first = _joined(self.first, start)
        self.count = _joined(self.count, np.diff(start, append=len(self.exit)))


def _joined(old: Ints, new: Ints) -> Ints:
    return np.concatenate([old, new.astype(np.int32)])
