"""Local situations: the rules are evaluated once for each, into a row of exits.

A cohort is one step. The patient-by-patient tree inside it lives in the row: an exit is one way in which the cohort
can end, with the counts of its outcomes, the number of orders in which the patients can bring them, and the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import comb
from operator import attrgetter
from typing import Literal

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import NDArray, pack
from doselang.machine.columns import NONE_ANY_MORE, View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.decisions import Outcome
from doselang.machine.looking import decide
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.states import Frames, view_of
from doselang.protocol.guards import Place

Accrual = Literal["one-at-a-time", "whole-cohort"]

MOST_NODES = 200_000
"""How many different outcomes a cohort may have (a cohort of 100 with one toxicity has 5,151)."""


@frozen
class Exit:
    """One way a cohort can end.

    `counts` are the patients without toxicity, then those of each class; `orders` the number of orders of patients
    that lead here; `letters` the first of them, as digits (0 none, 1 the first toxicity, …).
    """

    counts: tuple[int, ...]
    orders: float
    letters: str
    complete: bool
    outcome: Outcome


@frozen
class Row:
    """A local situation: the part, the size of the cohort, and its exits in canonical order."""

    part: int
    size: int
    exits: tuple[Exit, ...]


@define
class _Classes:
    """Small numbers for records that agree in some columns."""

    columns: tuple[int, ...]
    of: Ints = field(factory=lambda: np.zeros(0, np.int32))
    _known: dict[bytes, int] = field(factory=dict)

    def __call__(self, table: Ints, count: int) -> Ints:
        """One number a record; extends what is known to `count` records."""
        if len(self.of) < count:
            rows = np.ascontiguousarray(table[len(self.of) : count, self.columns])
            new = [self._known.setdefault(row.tobytes(), len(self._known)) for row in rows]
            self.of = np.concatenate([self.of, np.array(new, np.int32)])
        return self.of


@define
class Situations:
    """All local situations met so far, as rows, with the exits of all rows in flat columns."""

    machine: Machine
    frames: Frames
    accrual: Accrual = "one-at-a-time"
    known_gates: frozenset[tuple[int, int]] | None = None
    """The (part, gate) whose chances are known; None: all outcomes of every human decision are explored."""
    rows: list[Row] = field(factory=list)
    first: Ints = field(factory=lambda: np.zeros(0, np.int32))
    """By row: its first exit in the flat columns; `count` has their number."""
    count: Ints = field(factory=lambda: np.zeros(0, np.int32))
    change: Ints = field(factory=lambda: np.zeros(0, np.int32))
    """By exit: the change of the level's record; likewise branch, patients, orders, letters."""
    branch: Ints = field(factory=lambda: np.zeros(0, np.int32))
    patients: Ints = field(factory=lambda: np.zeros(0, np.int32))
    orders: NDArray[np.float64] = field(factory=lambda: np.zeros(0))
    letters: list[str] = field(factory=list)
    row_of_exit: Ints = field(factory=lambda: np.zeros(0, np.int32))
    _numbers: dict[bytes, int] = field(factory=dict)
    _classes: dict[tuple[int, Place], _Classes] = field(factory=dict)

    def of(self, part: int, frames: Ints, codes: Ints) -> Ints:
        """The row number of each state of a part; rows that are new are evaluated."""
        features = np.column_stack(self._features(self.machine.parts[part], frames, codes))
        key = pack(features)
        _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
        numbers, new = np.empty(len(index), np.int32), list[int]()
        for position, row in enumerate(index):
            label = np.int32(part).tobytes() + features[row].tobytes()
            number = self._numbers.get(label)
            if number is None:
                number = self._numbers[label] = len(self.rows) + len(new)
                new.append(row)
            numbers[position] = number
        if new:
            self._add(part, frames[new], codes[new])
        return numbers[inverse]

    def _features(self, part: PartMachine, frames: Ints, codes: Ints) -> list[Ints]:
        """Columns of whole numbers, from 0, that hold all that the part's rules read of a state."""
        reads, records = part.reads, self.machine.records
        view = view_of(self.frames, part.number, frames, codes)
        columns = [self.frames.size[frames], self.frames.begun[frames]]
        for place, read in reads.columns:
            index, exists = view.place(place)
            classes = self._classes.setdefault((part.number, place), _Classes(read))
            class_of = classes(records.table, len(records))
            columns.append(np.where(exists, class_of[codes[view._rows, index]] + 1, 0))
            if place.kind not in ("this", "next higher", "next lower"):
                columns.append(np.where(exists, index - view.here + self.machine.levels, 0))
        columns += [records.tally(what)[codes].sum(axis=1, dtype=np.int32) for what in reads.trial]
        columns += [records.tally(what, p)[codes].sum(axis=1, dtype=np.int32) for p, what in reads.parts]
        columns += [(truth(standing, view) > 0).astype(np.int32) for standing in reads.standings]
        columns += [view.verdicts[:, verdict] - NONE_ANY_MORE for verdict in reads.verdicts]
        if reads.closings:
            columns += [view.here, *view.closed().astype(np.int32).T]
        return columns

    def _add(self, number: int, frames: Ints, codes: Ints) -> None:
        part = self.machine.parts[number]
        sizes = self.frames.size[frames]
        made: dict[int, Row] = {}
        for size in np.unique(sizes):
            some = np.flatnonzero(sizes == size)
            exits = self._exits(part, int(size), frames[some], codes[some])
            made.update((int(s), Row(number, int(size), row)) for s, row in zip(some, exits, strict=True))
        rows = [made[s] for s in range(len(frames))]
        flat = [(row, e, b) for row in rows for e in row.exits for b in e.outcome]
        changes = [self.machine.records.change(Evaluable(number, e.counts)) for _, e, _ in flat]
        count = np.array([sum(len(e.outcome) for e in row.exits) for row in rows], np.int32)
        start = len(self.change) + np.concatenate([[0], np.cumsum(count)[:-1]])
        self.first = _joined(self.first, start)
        self.count = _joined(self.count, count)
        self.change = _joined(self.change, changes)
        self.branch = _joined(self.branch, [self.frames.branch(b) for _, _, b in flat])
        self.patients = _joined(self.patients, [sum(e.counts) for _, e, _ in flat])
        self.orders = np.concatenate([self.orders, [e.orders for _, e, _ in flat]])
        self.letters += [e.letters for _, e, _ in flat]
        self.row_of_exit = _joined(self.row_of_exit, np.repeat(np.arange(len(rows)) + len(self.rows), count))
        self.rows += rows

    def _exits(self, part: PartMachine, size: int, frames: Ints, codes: Ints) -> list[tuple[Exit, ...]]:
        """The exits of a cohort of one size, from each of some states."""
        early = self.accrual == "one-at-a-time" and bool(part.any_time)
        nodes = outcomes_of(size, len(self.machine.protocol.toxicities), early)
        view = after_outcomes(self.frames, part, frames, codes, nodes, size)
        begun = np.repeat(self.frames.begun[frames], len(nodes))
        known = None if self.known_gates is None else frozenset(g for p, g in self.known_gates if p == part.number)
        decided = decide(self.machine, part, view, begun, known)
        return [_row(nodes, decided[s * len(nodes) : (s + 1) * len(nodes)], size, early) for s in range(len(frames))]


def _joined(old: Ints, new: Sequence[int] | Ints) -> Ints:
    return np.concatenate([old, np.asarray(new, np.int32)])


def outcomes_of(size: int, toxicities: int, early: bool) -> list[tuple[int, ...]]:
    """All counts (without toxicity, then each class) of a cohort that is complete, and before if `early`.

    In order of the number of patients; raises OverflowError beyond MOST_NODES.
    """
    if comb(size + toxicities + int(early), size) > MOST_NODES:
        raise OverflowError(f"a cohort of {size} patients with {toxicities} toxicities has too many outcomes")
    nodes = []
    for known in range(1 if early else size, size + 1):
        for toxic in product(range(known + 1), repeat=toxicities):
            if sum(toxic) <= known:
                nodes.append((known - sum(toxic), *toxic))
    return nodes


def after_outcomes(
    frames: Frames, part: PartMachine, numbers: Ints, codes: Ints, nodes: list[tuple[int, ...]], size: int
) -> View:
    """A view of every state (outer) after every outcome of its cohort so far (inner)."""
    records = frames.machine.records
    states = np.repeat(np.arange(len(numbers)), len(nodes))
    view = view_of(frames, part.number, numbers[states], codes[states])
    changes = np.array([records.change(Evaluable(part.number, node)) for node in nodes], np.int32)
    changes = np.tile(changes, len(numbers))
    view.codes[view._rows, view.here] = records.apply(changes, view.codes[view._rows, view.here])
    known = np.tile([sum(node) for node in nodes], len(numbers))
    toxic = np.tile(np.array([node[1:] for node in nodes], np.int32).reshape(len(nodes), -1), (len(numbers), 1))
    view.complete = known == size
    view.cohort = np.column_stack([known, toxic]).astype(np.int32)
    return view


def _row(nodes: list[tuple[int, ...]], decided: list[Outcome | None], size: int, early: bool) -> tuple[Exit, ...]:
    """The exits of a row: where the decision is, and how many orders of patients reach it undecided before."""
    if not early:
        ways = (_complete(node) for node in nodes)
        exits = [
            Exit(node, orders, letters, True, outcome)
            for node, (orders, letters), outcome in zip(nodes, ways, decided, strict=True)
            if outcome is not None
        ]
        return tuple(sorted(exits, key=attrgetter("letters")))
    root = tuple(0 for _ in nodes[0])
    open_paths: dict[tuple[int, ...], tuple[float, str]] = {root: (1.0, "")}
    exits = []
    for node, outcome in zip(nodes, decided, strict=True):
        orders, letters = 0.0, None
        for c, n in enumerate(node):
            before = (*node[:c], n - 1, *node[c + 1 :])
            if n and before in open_paths:
                before_orders, path = open_paths[before]
                orders += before_orders
                letters = min(letters or path + str(c), path + str(c))
        if letters is None:
            continue
        if outcome is None:
            open_paths[node] = (orders, letters)
        else:
            exits.append(Exit(node, orders, letters, sum(node) == size, outcome))
    return tuple(sorted(exits, key=attrgetter("letters")))


@cache
def _complete(counts: tuple[int, ...]) -> tuple[float, str]:
    """In how many orders patients can bring some outcomes (the multinomial coefficient), and the first of them."""
    ways, left = 1, sum(counts)
    for count in counts:
        ways *= comb(left, count)
        left -= count
    return float(ways), "".join(str(outcome) * count for outcome, count in enumerate(counts))
