"""One cohort of two machines at once: every way in which its patients can turn out till one of them decides.

Where the two machines are in like situations the same patients are under way in both. An event is an outcome at which
one of them or both have a look; it has the exits of each, none for one whose cohort goes on.
"""

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.arrays import NDArray
from doselang.machine.decisions import Branch
from doselang.machine.exits import Exit, Row
from doselang.machine.exploring import Exploration
from doselang.machine.records import Arrival, Ints, Known, Worse
from doselang.machine.states import COHORT
from doselang.protocol.classes import known_with

Counts = tuple[int, ...]
"""Patients without toxicity, then those of each class."""


@frozen
class Event:
    """A way in which a cohort turns out, in the toxicities of the first protocol.

    `digits` are the outcomes in the first order that leads here, `orders` the number of these orders; `aside` the
    offset of the level whose patients they are; `exits` the first exit of each machine, as positions in the flat
    columns of its situations, and `ways` how many there are: one for each way that people can choose, 0 where that
    machine decides nothing here.
    """

    counts: Counts
    digits: str
    orders: float
    patients: int
    aside: int
    exits: tuple[int, int]
    ways: tuple[int, int]
    outcome: tuple[Branch, ...]
    """The branches of both, the first's before the second's: events with the same ones are alike."""


Numbered = tuple[int, Exit] | None
"""An exit with its flat position in its row; None where there is none."""

Turn = tuple[Counts, float, str, tuple[Numbered, Numbered]]
"""The counts of an event, its orders, the digits of the first, and the exits of both machines."""


@define
class Joints:
    """All events of the pairs of situations met so far, in flat columns; those of one pair stand together.

    `own[k]` is the outcome of the second protocol that outcome k of the first is.
    """

    found: tuple[Exploration, Exploration]
    own: Counts
    events: list[Event] = field(factory=list)
    _known: dict[tuple[int, int, bool], int] = field(factory=dict)
    _first: list[int] = field(factory=list)
    _count: list[int] = field(factory=list)
    _columns: dict[str, Ints] = field(factory=dict)
    _digits: NDArray[np.bytes_] = field(factory=lambda: np.zeros(0, "S1"))

    def of(self, rows: tuple[Ints, Ints], modes: Ints) -> tuple[Ints, Ints]:
        """Where the events of each pair of situations begin, and how many they are. `modes` are those of its frames."""
        first, second = (side.situations.first[row] for side, row in zip(self.found, rows, strict=True))
        keys = np.column_stack([first, second, modes == COHORT])
        pairs, index, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        numbers = np.empty(len(pairs), np.int64)
        for position, (key, row) in enumerate(zip(pairs.tolist(), index.tolist(), strict=True)):
            known = (key[0], key[1], bool(key[2]))
            if known not in self._known:
                self._add(known, int(rows[0][row]), int(rows[1][row]))
            numbers[position] = self._known[known]
        joint = numbers[inverse.ravel()]
        return np.array(self._first)[joint], np.array(self._count)[joint]

    def column(self, name: str) -> Ints:
        """A column over all events: `first`, `second` (their first exits), `ways` [events, 2], `patients`, `aside`."""
        if len(self._columns.get(name, ())) < len(self.events):
            match name:
                case "first" | "second":
                    values: list[object] = [event.exits[name == "second"] for event in self.events]
                case _:
                    values = [getattr(event, name) for event in self.events]
            self._columns[name] = np.array(values, np.int64)
        return self._columns[name]

    @property
    def digits(self) -> NDArray[np.bytes_]:
        """The outcomes of every event, in the first order that leads to it."""
        if len(self._digits) < len(self.events):
            self._digits = np.array([event.digits for event in self.events], "S")
        return self._digits

    def _add(self, key: tuple[int, int, bool], first: int, second: int) -> None:
        rows = self.found[0].situations.rows[first], self.found[1].situations.rows[second]
        turns = self._walked(*rows) if key[2] else self._met(*rows)
        made = [self._event(key, turn) for turn in turns]
        self._known[key] = len(self._first)
        self._first.append(len(self.events))
        self._count.append(len(made))
        self.events += made

    def _event(self, key: tuple[int, int, bool], turn: Turn) -> Event:
        counts, orders, digits, numbered = turn
        exits, ways, patients, aside = [0, 0], [0, 0], 0, 0
        branches: list[Branch] = []
        for side, one in enumerate(numbered):
            if one is not None:
                exits[side], ways[side] = key[side] + one[0], len(one[1].outcome)
                patients, aside = one[1].patients, one[1].aside
                branches += [evolve(branch, settles=False) for branch in one[1].outcome]
        both = (exits[0], exits[1]), (ways[0], ways[1])
        return Event(counts, digits, orders, patients, aside, *both, tuple(branches))

    def _walked(self, first: Row, second: Row) -> list[Turn]:
        """Every outcome of a cohort at which one of two machines decides, one patient after the other."""
        classes = len(self.own)
        decided = (
            _numbered(first, tuple(range(classes))),
            _numbered(second, self.own),
        )
        outcomes = known_with(self.found[0].machine.protocol.toxicities)
        frontier: dict[Counts, tuple[float, str]] = {(0,) * classes: (1.0, "")}
        found: list[Turn] = []
        while frontier:
            reached: dict[Counts, tuple[float, str]] = {}
            for node, (orders, digits) in frontier.items():
                for outcome in outcomes:
                    after = (*node[:outcome], node[outcome] + 1, *node[outcome + 1 :])
                    before, way = reached.get(after, (0.0, f"{digits}{outcome}"))
                    reached[after] = before + orders, min(way, f"{digits}{outcome}")
            frontier = {}
            for node, (orders, digits) in reached.items():
                both = decided[0].get(node), decided[1].get(node)
                if both == (None, None):
                    frontier[node] = orders, digits
                else:
                    found.append((node, orders, digits, both))
        return sorted(found, key=lambda one: one[2])

    def _met(self, first: Row, second: Row) -> list[Turn]:
        """What can come next in a rolling part, by what it is: an arrival, or an outcome at a level."""
        theirs = {own: outcome for outcome, own in enumerate(self.own)}
        ours = _by_kind(first, {k: k for k in theirs.values()})
        others = _by_kind(second, theirs)
        found: list[Turn] = []
        for kind in {**ours, **others}:
            one, other = ours.get(kind), others.get(kind)
            counts = tuple(int(k == kind[1]) for k in range(len(self.own)))
            found.append((counts, 1.0, str(kind[1]) if kind[1] >= 0 else "", (one, other)))
        return found


def _numbered(row: Row, own: Counts) -> dict[Counts, tuple[int, Exit]]:
    """The exits of a row by their counts in the first protocol's toxicities, each with its flat position in the row."""
    found, position = {}, 0
    for exit in row.exits:
        found[tuple(exit.counts[k] for k in own)] = position, exit
        position += len(exit.outcome)
    return found


def _by_kind(row: Row, common: dict[int, int]) -> dict[tuple[str, int, int], tuple[int, Exit]]:
    """The exits of a row in a rolling part by what comes; an outcome is given in the first protocol's toxicities."""
    found, position = {}, 0
    for exit in row.exits:
        match exit.change:
            case Known(_, outcome):
                kind = "known", common[outcome], exit.aside
            case Worse(_, before, after):
                kind = f"worse than {common[before]}", common[after], exit.aside
            case Arrival():
                kind = "enters", -1, exit.aside
            case _:
                kind = "look", -1, exit.aside
        found[kind] = position, exit
        position += len(exit.outcome)
    return found
