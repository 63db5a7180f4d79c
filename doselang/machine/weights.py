"""Probabilities of the states of an explored machine, carried forward over its steps for many scenarios at once."""

from __future__ import annotations

import numpy as np
from attrs import define

from doselang.machine.arrays import NDArray, distinct, pack
from doselang.machine.compiling import Machine
from doselang.machine.exploring import Exploration
from doselang.machine.ordering import ordered
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
    of its first step (one more entry for the end), and `frames`. All steps to the states of a bucket come from earlier
    ones: `buckets` are the first states of the buckets, the end included.
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
    bundled: tuple[Ints, Ints] | None = None
    """Where exits are bundled, the kinds of all exits of all kinds of bundles, and where those of each begin."""
    position: Ints | None = None
    """By number of a step in the exploration, its position here; None: they are the same, and so are the states."""

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
    """The steps of an exploration, flattened once for any number of scenarios.

    States that were met once are put in an order in which each comes after all that lead to it.
    """
    buckets, made = exploration.buckets, exploration.every_step()
    frames = np.concatenate([bucket.frames for bucket in buckets])
    ended = np.concatenate([bucket.ended for bucket in buckets])
    source, target, exits, bundle, position = made.source, made.target, made.exit, made.bundle, None
    starts = [bucket.start for bucket in buckets]
    if exploration.returns:
        depth = ordered(len(frames), source, target, made.more).depth
        states = np.argsort(depth, kind="stable")
        rank = np.argsort(states).astype(np.int32)
        steps = np.argsort(rank[target], kind="stable")
        position = np.argsort(steps).astype(np.int32)
        frames, ended, source, target, exits = (
            frames[states],
            ended[states],
            rank[source[steps]],
            rank[target[steps]],
            exits[steps],
        )
        bundle = None if bundle is None else bundle[steps]
        starts = np.searchsorted(depth[states], np.arange(depth.max() + 1)).tolist()
    first = np.searchsorted(target, np.arange(len(frames) + 1)).astype(np.int32)
    levels = exploration.frames.at[frames[source]] + exploration.situations.aside[exits]
    kinds, kind, bundled = _kinds_of_steps(exploration, exits, levels, bundle)
    return Flow(
        exploration, kinds, source, kind, exits, first, frames, ended, (*starts, len(frames)), bundled, position
    )  # fmt: skip


def _kinds_of_steps(
    exploration: Exploration, exits: Ints, levels: Ints, bundle: Ints | None
) -> tuple[Kinds, Ints, tuple[Ints, Ints] | None]:
    """The kinds of exits, the kind of each step, and what kinds of bundles are made of."""
    situations, bundles = exploration.situations, exploration.bundles
    if bundles is None or bundle is None:
        return *kinds_of(situations, exits, levels), None
    first, kind = distinct([bundle, levels])
    position, members = bundles.exits(bundle[first])
    kinds, of_member = kinds_of(situations, members, levels[first][position])
    return kinds, kind.astype(np.int32), (of_member, np.searchsorted(position, np.arange(len(first))))


def weigh(flow: Flow, rates: Floats, chances: Floats | None = None) -> Floats:
    """The probability of each state of a flow under K scenarios, [states, K]; arguments as for `Kinds.chance`."""
    return carry(flow, flow.chance(rates, chances))


def carry(flow: Flow, chance: Floats) -> Floats:
    """The probability of each state, [states, K], given the chance of each kind of step, [kinds, K].

    Every step leads to a later bucket: one pass over the buckets is enough.
    """
    weights = np.empty((flow.states, chance.shape[1]))
    weights[0] = 1.0
    for start, end in zip(flow.buckets[1:-1], flow.buckets[2:], strict=True):
        steps = slice(flow.first[start], flow.first[end])
        arriving = weights[flow.source[steps]]
        arriving *= chance[flow.kind[steps]]
        np.add.reduceat(arriving, flow.first[start:end] - flow.first[start], axis=0, out=weights[start:end])
    return weights
