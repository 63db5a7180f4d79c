"""What the rules of a part read of a situation: two states that agree in it behave alike.

The local situation is the unit of the machine: rules are evaluated once for each, whatever the number of levels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.records import ADDED_SIZE, CLOSED, FIRST_N, FIRST_SIZE, Ints, Layout
from doselang.machine.relations import one_ladder
from doselang.protocol.guards import (
    NEXT_HIGHER,
    THIS,
    Chance,
    Compare,
    Declared,
    Guard,
    HasStatus,
    Place,
    Range,
    Rate,
    Recommends,
    ResultDeclared,
    Says,
    Share,
    Standing,
    Tally,
    atoms,
    conjuncts,
)
from doselang.protocol.model import (
    Backfill,
    Begin,
    Case,
    Close,
    Declare,
    Enrol,
    Limit,
    Move,
    Protocol,
    Silence,
)


def question_of(move: Move) -> int:
    """Which of the three questions a move answers: 1 which levels close, 2 is there a verdict, 3 what comes next."""
    return 1 if isinstance(move, Close) else 2 if isinstance(move, Declare) else 3


@frozen
class Line:
    """A `when … then …` of a rule, with one option where people choose.

    `gate` is (number of the gate in its part, option), None where nobody is asked. All lines of one gate share its
    guard and are asked at the earliest question that any of its options answers.
    """

    rule: int
    case: Case
    guard: Guard
    moves: tuple[Move, ...]
    question: int
    gate: tuple[int, int] | None = None
    _answers: tuple[tuple[Move, ...], ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        answers = tuple(tuple(move for move in self.moves if question_of(move) == q) for q in (1, 2, 3))
        object.__setattr__(self, "_answers", answers)

    def answers(self, question: int) -> tuple[Move, ...]:
        """Its moves that answer one of the three questions."""
        return self._answers[question - 1]

    @property
    def conjuncts(self) -> tuple[Guard, ...]:
        return conjuncts(self.guard)

    @property
    def local(self) -> tuple[Guard, ...]:
        """The conjuncts that no adviser of all levels, and no condition about all of them, is asked for."""
        return tuple(part for part in self.conjuncts if not _advised(part))

    @property
    def advised(self) -> bool:
        """Whether what was seen at any level can matter to it."""
        return _advised(self.guard) or any(_everywhere(getattr(move, "place", None)) for move in self.moves)


def _advised(guard: Guard) -> bool:
    return any(
        isinstance(atom, Chance | Recommends)
        or any(_everywhere(getattr(atom, name, None)) for name in ("place", "other"))
        for atom in atoms(guard)
    )


def _everywhere(place: Place | None) -> bool:
    """Whether finding a place takes all levels."""
    return place is not None and (place.kind == "recommended" or place.where is not None)


@frozen
class Reads:
    """What is read. `columns` are the columns of the record that matter at each place."""

    columns: tuple[tuple[Place, tuple[int, ...]], ...]
    trial: tuple[int, ...]
    """Trial totals: -1 evaluable, or a toxicity."""
    parts: tuple[tuple[int, int], ...]
    """Part totals: (part, what)."""
    standings: tuple[Standing, ...]
    verdicts: tuple[int, ...]
    """Verdicts of which it matters whether they were declared before."""
    closings: bool
    """Whether all closed levels matter: a rule closes other levels than this one and those above it."""
    counters: tuple[tuple[int, int], ...] = ()
    """The counters that matter, each with the number from which on it no longer matters how large it is."""
    everything: bool = False
    """Whether what was seen at any level can matter: an adviser or a condition looks at all of them."""
    local: Reads | None = None
    """Then: what is read to tell whether it does; None where it always may."""
    of_closed: tuple[tuple[int, tuple[int, ...]], ...] | None = None
    """By tally: the numbers that it is compared with at a level closed at an earlier look; None: more is read of it."""
    places: tuple[Place, ...] = ()
    """Every place of which tallies are read, by claims and definitions too."""


UNLIMITED = 1 << 30

STATUS = {CLOSED, FIRST_SIZE}
"""The columns that tell whether a level is closed, and tried."""


def _ceiling(count: Range) -> int:
    """From which number on it no longer matters how large it is."""
    return count.low if count.high is None else count.high + 1


def parts_after(protocol: Protocol) -> list[set[int]]:
    """By part: the parts that can run after it, itself included."""
    begins = [
        {move.part for rule in part.rules for case in rule.cases for move in _moves(case) if isinstance(move, Begin)}
        for part in protocol.parts
    ]
    after = [{number} for number in range(len(begins))]
    for _ in begins:
        for number, reached in enumerate(after):
            after[number] = reached.union(*(begins[part] for part in reached))
    return after


def _moves(case: Case) -> tuple[Move, ...]:
    options = case.gate.options if case.gate else ()
    return case.moves + tuple(move for option in options for move in option)


@define
class _Collector:
    """Gathers what is read in a part, or by claims at any moment (`part` None)."""

    protocol: Protocol
    layout: Layout
    part: int | None
    ceilings: Ints
    columns: dict[Place, set[int]] = field(factory=lambda: {THIS: {CLOSED, FIRST_SIZE, ADDED_SIZE}})
    trial: set[int] = field(factory=set)
    parts: set[tuple[int, int]] = field(factory=set)
    standings: set[Standing] = field(factory=set)
    verdicts: set[int] = field(factory=set)
    counters: dict[int, int] = field(factory=dict)
    everything: bool = False
    aside: bool = False
    """Whether `this level` may be one that was closed at an earlier look."""
    thresholds: dict[int, set[int]] = field(factory=dict)
    """Of other levels: the numbers that a tally is compared with, of all parts together."""
    exact: bool = False
    """Whether more is read of other levels."""

    def elsewhere(self, place: Place, what: int | None, count: Range | None) -> None:
        """Note what is read of a level other than that of the look; `count` None: the number itself."""
        if place == THIS and not self.aside:
            return
        if what is None or count is None:
            self.exact = True
        else:
            high = () if count.high is None else (count.high + 1,)
            self.thresholds.setdefault(what, set()).update((count.low, *high))

    def _before(self) -> list[int]:
        """The parts whose tallies can be other than 0 when this is read."""
        return [p for p, after in enumerate(parts_after(self.protocol)) if self.part is None or self.part in after]

    def at(self, place: Place, *columns: int, ceiling: int = 1) -> None:
        self.place(place)
        self.columns.setdefault(place, set()).update(columns)
        for column in columns:
            self.ceilings[column] = max(self.ceilings[column], ceiling)

    def tally(
        self, what: int, scope: str, place: Place, part: int | None, ceiling: int, count: Range | None = None
    ) -> None:
        match scope:
            case "level":
                self.elsewhere(place, what, count if part is None else None)
                parts = self._before() if part is None else [part]
                self.at(place, *(self.layout.part_n(p) + 1 + what for p in parts), ceiling=ceiling)
            case "trial" | "part":
                self.exact = True
                if scope == "trial":
                    self.trial.add(what)
                    parts = self._before()
                else:
                    # "in the part" in a claim is the part under way, whichever that is
                    under_way = list(range(self.layout.parts)) if self.part is None else [self.part]
                    parts = under_way if part is None else [part]
                    self.parts.update((p, what) for p in parts)
                for p in parts:
                    self.ceilings[self.layout.part_n(p) + 1 + what] = UNLIMITED

    def place(self, place: Place) -> None:
        """What finding a place takes: an adviser and a condition read every level."""
        if place.kind == "recommended":
            self.advice()
        elif place.where is not None:
            self.everything = self.exact = True
            for atom in atoms(place.where):
                self.atom(atom)

    def advice(self) -> None:
        """All that an adviser of all levels can read."""
        self.everything = self.exact = True
        for what in (-1, 0):
            for part in self._before():
                self.ceilings[self.layout.part_n(part) + 1 + what] = UNLIMITED

    def atom(self, atom: Guard) -> None:
        match atom:
            case Says(place=place):
                self.tally(-1, "level", place, None, UNLIMITED)
                self.tally(0, "level", place, None, UNLIMITED)
            case Chance(place=place):
                self.at(place)
                self.advice()
            case Recommends():
                self.advice()
            case Tally(count, what, "counter"):
                self.counters[what] = max(self.counters.get(what, 0), _ceiling(count))
            case Tally(count, what, _, place) if what < -1:
                self.at(place, self.layout.pending, ceiling=UNLIMITED)
                if what == -3:
                    self.tally(-1, "level", place, None, UNLIMITED)
            case Share(count, "all", size, toxicity, place):
                self.tally(-1, "level", place, None, size + 1)
                self.tally(toxicity, "level", place, None, _ceiling(count))
            case Share(count, group, size, toxicity, place):
                first = group == "first"
                self.elsewhere(place, None, None)
                self.at(place, FIRST_SIZE if first else ADDED_SIZE, ceiling=UNLIMITED)
                start = FIRST_N if first else self.layout.added_n
                self.at(place, start, ceiling=size + 1)
                self.at(place, start + 1 + toxicity, ceiling=_ceiling(count))
            case Tally(count, what, scope, place, part):
                self.tally(what, scope, place, part, _ceiling(count), count)
            case Rate():
                self.tally(-1, atom.scope, atom.place, atom.part, UNLIMITED)
                self.tally(atom.toxicity, atom.scope, atom.place, atom.part, UNLIMITED)
            case HasStatus(place, status):
                self.at(place, FIRST_SIZE if status == "tried" else CLOSED)
            case Compare(place, relation, other):
                self.at(place)
                self.at(other)
                if relation != "same" and not one_ladder(self.protocol.levels):
                    self.at(Place("start"))  # how far two levels are apart does not tell whether one is above
            case Standing("higher", "exists" | "remains", axis):
                self.at(Place("next higher", axis=axis), CLOSED)
            case Standing():
                self.standings.add(atom)
            case Declared(verdict, True):
                self.verdicts.add(verdict)
            case ResultDeclared():
                self.verdicts.add(self.protocol.result)

    def move(self, move: Move) -> None:
        match move:
            case Enrol(place, _, total) | Begin(_, place, _, total):
                self.at(place, CLOSED)
                part = move.part if isinstance(move, Begin) else self.part
                if part is not None and self.protocol.parts[part].sentinel == "new level":
                    self.at(place, FIRST_SIZE)
                if total is not None:
                    # a level that is closed is not filled up, however many are there
                    self.tally(-1, "level", place, None, total + 1, Range(0, None))
                    self.at(place, self.layout.pending)
            case Backfill(place):
                self.at(place, CLOSED)
            case Declare(_, place) if place is not None:
                self.at(place, CLOSED, FIRST_SIZE)
            case Close(place, all_above):
                self.at(place)
                if all_above:
                    self.at(NEXT_HIGHER)

    def follow(self, moves: list[Move]) -> None:
        """A look can move a verdict, or the next lower level that remains: what is read there is read where it goes."""
        declared = [(Place("verdict", m.verdict), m.place) for m in moves if isinstance(m, Declare) and m.place]
        for verdict, place in declared * len(self.protocol.verdicts):
            self.at(place, *self.columns.get(verdict, ()))
        if _closes_others(self.protocol, moves):
            read = self.columns.get(Place("next lower that remains"), set())
            for level in range(len(self.protocol.levels) if read else 0):
                self.at(Place("level", level), *read)

    def rolling(self, limits: tuple[Limit, ...]) -> None:
        """Pending patients are counted, and those count who have entered."""
        for place in list(self.columns) if limits else [THIS]:
            self.at(place, self.layout.pending, ceiling=UNLIMITED)
        if any(limit.scope != "level" for limit in limits):
            self.trial.add(-2)

    def reads(self, moves: list[Move]) -> Reads:
        """What was gathered, of rules with some moves."""
        by_place = {place: tuple(sorted(columns)) for place, columns in self.columns.items()}
        order = sorted(by_place.items(), key=lambda item: (item[0].kind, item[0].index, item[0].steps, item[0].axis))
        return Reads(
            tuple(order), tuple(sorted(self.trial)), tuple(sorted(self.parts)), tuple(sorted(self.standings, key=str)),
            tuple(sorted(self.verdicts)), _closes_others(self.protocol, moves), tuple(sorted(self.counters.items())),
        )  # fmt: skip

    def limit(self, part: int, limit: Limit) -> None:
        match limit.scope:
            case "level":
                ceiling = max((limit.high or 0) + 1, limit.low or 0)
                for place in list(self.columns):
                    self.tally(-1, "level", place, part, ceiling)
            case scope:
                self.tally(-1, scope, THIS, part, UNLIMITED)


def reads_of(
    protocol: Protocol, layout: Layout, part: int, lines: tuple[Line, ...],
    silences: tuple[Silence, ...], limits: tuple[Limit, ...], *, for_claims: bool,
) -> tuple[Reads, Ints]:  # fmt: skip
    """What the lines, silences and limits of a part read, and the ceilings of the record's columns while it runs.

    With `for_claims` the ceilings also serve the claims, and the definitions of the verdicts that the part declares.
    """
    ceilings = np.zeros(layout.width, np.int32)
    ceilings[[CLOSED, FIRST_SIZE, ADDED_SIZE]] = 1
    seen = _Collector(protocol, layout, part, ceilings)
    guards = [line.guard for line in lines] + [silence.when for silence in silences if silence.when is not None]
    for guard in guards:
        for atom in atoms(guard):
            seen.atom(atom)
    moves = [move for line in lines for move in line.moves]
    for move in moves:
        seen.move(move)
    for limit in limits:
        seen.limit(part, limit)
    seen.follow(moves)
    # where patients of a closed level may be pending, their outcomes still add to its tallies
    rolls = any(one.rolling for one in protocol.parts)
    if protocol.parts[part].rolling:
        seen.rolling(limits)
        if any(toxicity.later for toxicity in protocol.toxicities):
            # a patient who is known can count otherwise later, so that no number may stop short of the true one
            ceilings[layout.part_n(part) : layout.part_n(part + 1)] = UNLIMITED
    local = _local(protocol, layout, part, lines, silences, limits) if seen.everything else None
    aside = [_Collector(protocol, layout, None, ceilings, aside=old) for old in (False, True)]
    declared = {move.verdict for move in moves if isinstance(move, Declare)}
    for guard, old in _asked_aside(protocol, declared) if for_claims else ():
        for atom in atoms(guard):
            aside[old].atom(atom)
    exact = rolls or any(one.exact for one in (seen, *aside))
    reads = evolve(
        seen.reads(moves),
        everything=seen.everything,
        local=local,
        of_closed=None if exact else joined(*(one.thresholds for one in (seen, *aside))),
        places=tuple({p: None for one in (seen, *aside) for p, columns in one.columns.items() if columns - STATUS}),
    )
    return reads, ceilings


def _local(
    protocol: Protocol, layout: Layout, part: int, lines: tuple[Line, ...],
    silences: tuple[Silence, ...], limits: tuple[Limit, ...],
) -> Reads | None:  # fmt: skip
    """What is read to tell whether a line asks an adviser; None where people decide, or a silence asks one."""
    asked = [silence.when for silence in silences if silence.when is not None]
    if protocol.parts[part].rolling or any(line.gate for line in lines) or any(_advised(guard) for guard in asked):
        return None
    seen = _Collector(protocol, layout, part, np.zeros(layout.width, np.int32))
    for guard in [*(guard for line in lines for guard in line.local), *asked]:
        for atom in atoms(guard):
            seen.atom(atom)
    moves = [move for line in lines for move in line.moves if not _everywhere(getattr(move, "place", None))]
    for move in moves:
        seen.move(move)
    for limit in limits:
        seen.limit(part, limit)
    seen.follow(moves)
    return seen.reads(moves)


def joined(*found: dict[int, set[int]]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Numbers by tally, put together."""
    whats = sorted(set().union(*found))
    return tuple((what, tuple(sorted(set().union(*(one.get(what, set()) for one in found))))) for what in whats)


def _closes_others(protocol: Protocol, moves: list[Move]) -> bool:
    """Whether a move can close a level below this one, a level above it alone, or levels that no step leads to."""
    off = any(level.off_ladder for level in protocol.levels)
    return any(isinstance(move, Close) and (move.place != THIS or (move.all_above and off)) for move in moves)


def _asked_aside(protocol: Protocol, declared: set[int]) -> Iterator[tuple[Guard, bool]]:
    """The conditions asked beside the rules while a part runs that can declare some verdicts.

    With each, whether `this level` in it may be one that was closed at an earlier look.
    """
    for verdict in declared:
        if (requires := protocol.verdicts[verdict].requires) is not None:
            yield requires, True
    for claim in protocol.claims:
        if claim.in_course:
            continue
        if claim.when is not None:
            at_once = [c.verdict for c in conjuncts(claim.when) if isinstance(c, Declared) and not c.ever]
            if any(verdict not in declared for verdict in at_once):
                continue
            yield claim.when, False
        yield claim.guard, False
