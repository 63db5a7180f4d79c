"""The trial as a graph: cohorts at a level and how trials end, and between them what cohorts show and rules say.

Every edge comes from the steps of an exploration, and every step is in an edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import pack
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED
from doselang.machine.decisions import Why
from doselang.machine.exploring import Bucket, Exploration
from doselang.machine.records import ADDED_SIZE, FIRST_SIZE, Arrival, Ints, Known, Worse
from doselang.machine.states import Frame

Detail = Literal["levels", "cohorts", "states"]

Kind = Literal["first", "more", "beside", "rolling", "settling"]
"""What is under way: a first cohort at the level, further patients at it, patients beside another cohort; in rolling
parts patients one by one, and those still pending when the part has been left."""


@frozen
class Before:
    """What a level has shown before further patients: evaluable patients, and those with the first toxicity.

    `at_least`: as many toxic ones or more, which the rules do not tell apart.
    """

    evaluable: int
    dlt: int
    at_least: bool = False


@frozen
class Node:
    """What is under way at a level; fields are None where the graph does not tell them apart.

    `size` is how many patients are to become known, `alone` whether the first of them before the others. `state` is
    the number of the state in the full form.
    """

    part: int
    level: int
    kind: Kind | None = None
    size: int | None = None
    alone: bool = False
    before: Before | None = None
    state: int | None = None


@frozen
class End:
    """How a trial ends: the verdicts, one each: a level, NO_LEVEL, NONE_DECLARED; or why nothing is decided."""

    verdicts: tuple[int, ...] = ()
    undecided: Why | None = None
    state: int | None = None


Place = Node | End


@frozen
class Way:
    """One way from a place to another: what was seen, by which rules, and what people chose.

    `counts` are the patients known at the look without toxicity, then those of each class; `seen` what has come where
    that is no cohort: a patient enters, one becomes known, one is there and the rules are asked. `chosen` are the
    options, counted from 0.
    """

    counts: tuple[int, ...]
    rules: tuple[str, ...]
    chosen: tuple[int, ...] = ()
    seen: Literal["cohort", "enters", "known", "later", "arrives"] = "cohort"


@frozen
class Graph:
    """Places by level, with the ways between two of them; `first` is where the trial begins."""

    detail: Detail
    first: Place
    places: tuple[Place, ...]
    ways: dict[tuple[Place, Place], frozenset[Way]] = field(hash=False)


def graph_of(found: Exploration, detail: Detail) -> Graph:
    """The graph of an explored machine, in so much detail; the full form has a node for every state."""
    numbering = _Places(found, detail)
    place_of_state = np.concatenate([numbering.of(bucket) for bucket in found.buckets])
    edges = _edges(found, place_of_state)
    numbers = {exit: _way(found, exit) for exit in np.unique(edges[:, 2]).tolist()}
    ways: dict[tuple[Place, Place], set[Way]] = {}
    every = list(numbering.numbers)
    for source, target, exit in edges.tolist():
        ways.setdefault((every[source], every[target]), set()).add(numbers[exit])
    order = sorted(every, key=_order)
    rank = {place: number for number, place in enumerate(order)}
    sorted_ways = sorted(ways.items(), key=lambda item: (rank[item[0][0]], rank[item[0][1]]))
    return Graph(
        detail, every[place_of_state[0]], tuple(order), {pair: frozenset(found) for pair, found in sorted_ways}
    )


def _edges(found: Exploration, place: Ints) -> Ints:
    """Every step once for each (place it comes from, place it leads to, exit): three columns."""
    made = found.every_step()
    return _once(np.column_stack([place[made.source], place[made.target], made.exit]).astype(np.int32))


def _once(rows: Ints) -> Ints:
    if not len(rows):
        return rows
    _, index = np.unique(pack(rows), return_index=True)
    return rows[index]


@define
class _Places:
    """Numbers for places, in the order of meeting."""

    found: Exploration
    detail: Detail
    numbers: dict[Place, int] = field(factory=dict)

    def of(self, bucket: Bucket) -> Ints:
        """The number of the place of each state of a bucket."""
        found, lines = self.found, np.arange(len(bucket))
        here = found.frames.level[bucket.frames]
        codes = bucket.codes[lines, here]
        if self.detail == "states":
            pairs = zip(bucket.frames.tolist(), codes.tolist(), lines.tolist(), strict=True)
            return np.array([self._number(f, code, bucket.start + line) for f, code, line in pairs], np.int32)
        _, index, inverse = np.unique(
            pack(np.column_stack([bucket.frames, codes])), return_index=True, return_inverse=True
        )
        frames_of, codes_of = bucket.frames[index].tolist(), codes[index].tolist()
        numbers = [self._number(frame, code) for frame, code in zip(frames_of, codes_of, strict=True)]
        return np.array(numbers, np.int32)[inverse]

    def _number(self, frame: int, code: int, state: int | None = None) -> int:
        return self.numbers.setdefault(self._place(frame, code, state), len(self.numbers))

    def _place(self, number: int, code: int, state: int | None) -> Place:
        frames = self.found.frames
        frame = frames.frames[number]
        if frame.settling >= 0:
            return Node(frame.settling, frame.here, "settling", state=state)
        if frame.end >= 0:
            undecided = frames.branches[frame.end].decision.undecided
            return End((), undecided.why, state) if undecided else End(self._verdicts(frame.verdicts), state=state)
        if self.found.machine.protocol.parts[frame.part].rolling:
            return Node(frame.part, frame.here, "rolling", state=state)
        if len(frame.orders) > 1:
            return Node(frame.part, frame.orders[-1].level, "beside", frame.orders[-1].size, state=state)
        if self.detail == "levels":
            return Node(frame.part, frame.here)
        record = self.found.machine.records.table[code]
        first = bool(record[FIRST_SIZE]) and not record[ADDED_SIZE]
        order, before = frame.orders[0], None if first else self._before(frame, record)
        return Node(
            frame.part, frame.here, "first" if first else "more", order.size, order.sentinel, before, state
        )  # fmt: skip

    def _verdicts(self, found: tuple[int, ...]) -> tuple[int, ...]:
        """The verdicts at an end; but in the full form the result alone, where it was declared."""
        result = self.found.machine.protocol.result
        alone = self.detail != "states" and found[result] != NO_LEVEL
        none = {NONE_ANY_MORE: NONE_DECLARED}
        return tuple(NO_LEVEL if alone and v != result else none.get(level, level) for v, level in enumerate(found))

    def _before(self, frame: Frame, record: Ints) -> Before | None:
        """What the level has shown in all parts, None where that is not kept, as the rules do not read it."""
        machine = self.found.machine
        most, layout = machine.records.ceilings, machine.records.layout
        if frame.part:
            most = np.minimum(most, machine.parts[frame.part].fading.ceilings)
        columns = [layout.part_n(part) for part in range(layout.parts) if frame.begun >> part & 1]
        if any(record[n] >= most[n] or not most[n + 1] for n in columns):
            return None
        more = any(record[n + 1] >= most[n + 1] for n in columns)
        return Before(sum(int(record[n]) for n in columns), sum(int(record[n + 1]) for n in columns), more)


def _way(found: Exploration, exit: int) -> Way:
    """What an exit shows, and who decided."""
    situations, machine = found.situations, found.machine
    digits, classes = situations.letters[exit], 1 + len(machine.protocol.toxicities)
    counts = tuple(digits.count(str(letter)) for letter in range(classes))
    branch = found.frames.branches[situations.branch[exit]]
    part = machine.parts[int(situations.part_of_exit[exit])]
    rules = dict.fromkeys(part.part.rules[part.lines[line].rule].name for line in branch.decision.lines)
    chosen = tuple(option for _, option in branch.choices)
    match machine.records.kinds()[int(situations.change[exit])]:
        case Arrival():
            return Way(counts, tuple(rules), chosen, "enters")
        case Known():
            return Way(counts, tuple(rules), chosen, "known")
        case Worse():
            return Way(counts, tuple(rules), chosen, "later")
        case _:
            return Way(counts, tuple(rules), chosen, "cohort" if digits else "arrives")


_KINDS: tuple[Kind | None, ...] = (None, "first", "more", "beside", "rolling", "settling")


def _order(place: Place) -> tuple[int, ...]:
    """By part, level and kind; ends last, undecided ones after verdicts."""
    return tuple(_sorting(place))


def _sorting(place: Place) -> Iterator[int]:
    match place:
        case Node():
            before = place.before or Before(-1, -1)
            yield from (0, place.part, place.level, _KINDS.index(place.kind), place.size or 0, place.alone)
            yield from (before.evaluable, before.dlt, before.at_least, place.state or 0)
        case End():
            whys = ["", *get_args(Why)]
            yield from (1, whys.index(place.undecided or ""), *(-v if v < 0 else v - 1000 for v in place.verdicts))
            yield place.state or 0


def declared(end: End) -> tuple[int, ...]:
    """The verdicts of an end about which anything was declared."""
    return tuple(number for number, level in enumerate(end.verdicts) if level != NO_LEVEL)
