"""Probabilities of the states of an explored machine, carried forward over its steps for many scenarios at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import define

from doselang.machine.arrays import NDArray, distinct, pack
from doselang.machine.compiling import Machine
from doselang.machine.exploring import Exploration
from doselang.machine.records import Change, Ints, Known, Outcome
from doselang.machine.situations import Situations

Floats = NDArray[np.float64]

Choice = tuple[int, int, int]
"""An option chosen at a gate: part, number of the gate in the part, option; all counted from 0."""

ROUNDING = 1e-12
"""So little is left over by rounding where the rates of several toxicities add up to 1."""


@define
class Kinds:
    """Kinds of steps. Steps of one kind have the same chance, given the state they come from.

    By kind: `part`, `level`; `counts[k]` the patients without toxicity and with each; `orders[k]` the number of orders
    in which they can come; `choices[k]` a position in `chosen`: the options that people chose, () where nobody did.
    """

    part: Ints
    level: Ints
    counts: Ints
    orders: Floats
    choices: Ints
    chosen: tuple[tuple[Choice, ...], ...]

    def __len__(self) -> int:
        return len(self.part)

    @property
    def options(self) -> tuple[Choice, ...]:
        """The options whose chances are needed, in the order of the columns of `chances`."""
        return tuple(sorted({choice for chosen in self.chosen for choice in chosen}))

    def chance(self, rates: Floats, chances: Floats | None = None) -> Floats:
        """The chance of a step of each kind, [kinds, K], under K scenarios.

        `rates` are [K, toxicities, levels], in [0, 1], those of one level at most 1 together; `chances` [K, options]
        in the order of `options`, None where there are none. A rate of 0 or 1 is exact. Raises ValueError where the
        shapes do not fit the machine.
        """
        powers = outcome_powers(rates, int(self.counts.max(initial=0)))
        chance = self.orders[:, None] * powers[self.counts[:, 0], 0, self.level]
        for outcome in range(1, self.counts.shape[1]):
            chance *= powers[self.counts[:, outcome], outcome, self.level]
        options = self.options
        if options:
            if chances is None or chances.shape != (len(rates), len(options)):
                raise ValueError(f"the chances of {len(options)} options are needed, one row a scenario")
            columns = [[options.index(choice) for choice in chosen] for chosen in self.chosen]
            taken = np.array([chances[:, column].prod(axis=1) for column in columns])
            chance *= taken[self.choices]
        return np.asarray(chance, np.float64)


def outcome_powers(rates: Floats, most: int) -> Floats:
    """What n patients with one outcome contribute, [n, outcome, level, K]; 0 of them contribute 1 whatever the rate."""
    none = 1.0 - rates.sum(axis=1, keepdims=True)
    if rates.shape[1] > 1:
        none[none < ROUNDING] = 0.0
    probability = np.concatenate([none, rates], axis=1).transpose(1, 2, 0)
    powers: Floats = np.power(probability, np.arange(most + 1)[:, None, None, None])
    return powers


def kinds_of(situations: Situations, exits: Ints, levels: Ints) -> tuple[Kinds, Ints]:
    """The kinds of some steps, given by exit and level, and the kind of each."""
    machine = situations.machine
    stride = machine.levels
    pair = exits.astype(np.int64) * stride + levels
    # a table by pair is faster than sorting all steps: there are many steps and few pairs
    present = np.zeros(len(situations.change) * stride, np.bool_)
    present[pair] = True
    pairs = np.flatnonzero(present)
    exit, level = (pairs // stride).astype(np.int32), (pairs % stride).astype(np.int32)
    part = situations.part_of_exit[exit]
    chosen, choices = _choices(situations, exit, part)
    change = situations.change[exit]
    values, orders = np.unique(situations.orders[exit], return_inverse=True)
    key = pack(np.column_stack([part, level, change, orders.astype(np.int32), choices]))
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    counts = _outcome_counts(machine)[change[first]]
    kinds = Kinds(part[first], level[first], counts, values[orders[first]], choices[first], chosen)
    number = np.zeros(len(present), np.int32)
    number[pairs] = kind
    return kinds, number[pair]


def _outcome_counts(machine: Machine) -> Ints:
    """By number of a change of a record: the patients without toxicity and with each, 0 where none became evaluable."""
    classes = 1 + machine.records.layout.toxicities
    counts = [_counts(change, classes) for change in machine.records.kinds()]
    return np.array(counts, np.int32).reshape(-1, classes)


def _counts(change: Change, classes: int) -> tuple[int, ...]:
    match change:
        case Outcome(_, counts):
            return counts
        case Known(_, outcome):
            return tuple(int(k == outcome) for k in range(classes))
        case _:
            return (0,) * classes


def _choices(situations: Situations, exits: Ints, parts: Ints) -> tuple[tuple[tuple[Choice, ...], ...], Ints]:
    """The choices that people made at some exits, as all that were met and the position of each."""
    chosen: dict[tuple[Choice, ...], int] = {}
    branches = situations.frames.branches
    pairs, which = np.unique(np.column_stack([parts, situations.branch[exits]]), axis=0, return_inverse=True)
    made = [
        chosen.setdefault(tuple((part, *choice) for choice in branches[branch].choices), len(chosen))
        for part, branch in pairs.tolist()
    ]
    return tuple(chosen), np.array(made, np.int32)[which.ravel()]


@define
class Flow:
    """An exploration as flat arrays of steps, sorted by the state they lead to; the state at the beginning has none.

    By step: `source`, `exits`, and `kind`: a position in `kinds`, or a kind of bundle. By state: `first`, the position
    of its first step (one more entry for the end), and `frames`. `buckets` are the first states of the buckets, the end
    included; `patients` the patients in each.
    """

    exploration: Exploration
    kinds: Kinds
    source: Ints
    kind: Ints
    exits: Ints
    first: Ints
    frames: Ints
    ended: NDArray[np.bool_]
    buckets: tuple[int, ...]
    patients: tuple[int, ...]
    bundled: tuple[Ints, Ints] | None = None
    """Where exits are bundled, the kinds of all exits of all kinds of bundles, and where those of each begin."""

    def chance(self, rates: Floats, chances: Floats | None = None) -> Floats:
        """The chance of a step of each number in `kind`, [numbers, K]; arguments as for `Kinds.chance`."""
        chance = self.kinds.chance(rates, chances)
        if self.bundled is None:
            return chance
        members, begin = self.bundled
        added: Floats = np.add.reduceat(chance[members], begin, axis=0)
        return added

    @property
    def states(self) -> int:
        return len(self.frames)

    def leads_to(self) -> Ints:
        """The state that each step leads to."""
        return np.repeat(np.arange(self.states, dtype=np.int32), np.diff(self.first))


def flow_of(exploration: Exploration) -> Flow:
    """The steps of an exploration, flattened once for any number of scenarios."""
    buckets = exploration.buckets
    source = _joined([bucket.came_from for bucket in buckets])[1:]
    exits = _joined([bucket.came_by for bucket in buckets])[1:]
    before = np.cumsum([0, *(len(bucket.came_from) for bucket in buckets)]) - 1
    first = _joined([*(bucket.steps + start for bucket, start in zip(buckets, before[:-1], strict=True)), before[-1:]])
    first[0] = 0
    frames = _joined([bucket.frames for bucket in buckets])
    levels = exploration.frames.at[frames[source]] + exploration.situations.aside[exits]
    kinds, kind, bundled = _kinds_of_steps(exploration, exits, levels)
    return Flow(
        exploration, kinds, source, kind, exits, first, frames,
        np.concatenate([bucket.ended for bucket in buckets]),
        (*(bucket.start for bucket in buckets), len(frames)),
        tuple(bucket.patients for bucket in buckets), bundled,
    )  # fmt: skip


def _kinds_of_steps(
    exploration: Exploration, exits: Ints, levels: Ints
) -> tuple[Kinds, Ints, tuple[Ints, Ints] | None]:  # fmt: skip
    """The kinds of exits, the kind of each step, and what kinds of bundles are made of."""
    situations, bundles = exploration.situations, exploration.bundles
    if bundles is None:
        return *kinds_of(situations, exits, levels), None
    bundle = _joined([bucket.bundle for bucket in exploration.buckets if bucket.bundle is not None])
    first, kind = distinct([bundle, levels])
    position, members = bundles.exits(bundle[first])
    kinds, of_member = kinds_of(situations, members, levels[first][position])
    return kinds, kind.astype(np.int32), (of_member, np.searchsorted(position, np.arange(len(first))))


def _joined(arrays: Sequence[Ints | NDArray[np.int64]]) -> Ints:
    return np.concatenate(arrays).astype(np.int32, copy=False)


def weigh(flow: Flow, rates: Floats, chances: Floats | None = None) -> Floats:
    """The probability of each state of a flow under K scenarios, [states, K]; arguments as for `Kinds.chance`."""
    return carry(flow, flow.chance(rates, chances))


def carry(flow: Flow, chance: Floats) -> Floats:
    """The probability of each state, [states, K], given the chance of each kind of step, [kinds, K].

    States stand in order of the number of patients, and every step adds some: one pass over the buckets is enough.
    """
    weights = np.empty((flow.states, chance.shape[1]))
    weights[0] = 1.0
    for start, end in zip(flow.buckets[1:-1], flow.buckets[2:], strict=True):
        steps = slice(flow.first[start], flow.first[end])
        arriving = weights[flow.source[steps]]
        arriving *= chance[flow.kind[steps]]
        np.add.reduceat(arriving, flow.first[start:end] - flow.first[start], axis=0, out=weights[start:end])
    return weights
