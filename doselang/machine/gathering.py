"""Gathering what the rules, silences, limits and claims of a part read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, evolve, field

from doselang.machine.reading import STATUS, UNLIMITED, Line, Reads, advised_by, joined, looks_everywhere, parts_after
from doselang.machine.records import ADDED_SIZE, CLOSED, FIRST_N, FIRST_SIZE, Ints, Layout
from doselang.machine.relations import one_ladder
from doselang.protocol.classes import counted_by
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
    Close,
    Declare,
    Enrol,
    Limit,
    Move,
    Protocol,
    Silence,
)


def _ceiling(count: Range) -> int:
    """From which number on it no longer matters how large it is."""
    return count.low if count.high is None else count.high + 1


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
    summed: set[int] = field(factory=set)
    """The parts whose tallies are added up over all levels."""

    def elsewhere(self, place: Place, what: tuple[int, ...], count: Range | None) -> None:
        """Note what is read of a level other than that of the look; `count` None: the number itself.

        A sum tells what it is compared with as long as each number in it is known up to there.
        """
        if place == THIS and not self.aside:
            return
        if count is None:
            self.exact = True
            return
        numbers = [count.low, *(() if count.high is None else (count.high + 1,))]
        for one in what:
            self.thresholds.setdefault(one, set()).update(numbers if len(what) == 1 else range(1, max(numbers) + 1))

    def _before(self) -> list[int]:
        """The parts whose tallies can be other than 0 when this is read."""
        return [p for p, after in enumerate(parts_after(self.protocol)) if self.part is None or self.part in after]

    def at(self, place: Place, *columns: int, ceiling: int = 1) -> None:
        self.place(place)
        self.columns.setdefault(place, set()).update(columns)
        # which level a condition finds can change with the look, by what is closed or declared
        for level in range(len(self.protocol.levels)) if place.where is not None else ():
            self.columns.setdefault(Place("level", level), set()).update(columns)
        for column in columns:
            self.ceilings[column] = max(self.ceilings[column], ceiling)

    def tally(
        self, what: tuple[int, ...], scope: str, place: Place, part: int | None, ceiling: int,
        count: Range | None = None,
    ) -> None:  # fmt: skip
        """Note that a sum is read: each number in it up to the ceiling of the sum, which then tells the same."""
        match scope:
            case "level":
                self.elsewhere(place, what, count if part is None else None)
                parts = self._before() if part is None else [part]
                self.at(place, *(self.layout.part_n(p) + 1 + one for p in parts for one in what), ceiling=ceiling)
            case "trial" | "part":
                if scope == "trial":
                    self.exact = True
                    self.trial.update(what)
                    parts = self._before()
                else:
                    # "in the part" in a claim is the part under way, whichever that is
                    under_way = list(range(self.layout.parts)) if self.part is None else [self.part]
                    parts = under_way if part is None else [part]
                    self.parts.update((p, one) for p in parts for one in what)
                    self.summed.update(parts)
                for p in parts:
                    self.ceilings[[self.layout.part_n(p) + 1 + one for one in what]] = UNLIMITED

    def place(self, place: Place) -> None:
        """What finding a place takes: an adviser and a condition read every level."""
        if place.kind == "recommended":
            self.advice()
        elif place.where is not None:
            for atom in atoms(place.where):
                self.atom(atom)
                for level in range(len(self.protocol.levels)):
                    self.asked_at(atom, level)

    def asked_at(self, atom: Guard, level: int) -> None:
        """A condition that is asked of each level, at one of them."""
        known = ("this", "level", "verdict", "start")
        match atom:
            case Compare(place, _, other) if place.kind in known and other.kind in known:
                self.atom(atom)  # where levels lie to one another never changes
            case Share(place=place) | Tally(place=place) | Rate(place=place) | HasStatus(place=place) if (
                place.kind in known
            ):
                self.atom(evolve(atom, place=Place("level", level)) if place == THIS else atom)
            case Tally(scope=scope) | Rate(scope=scope) if scope != "level":
                self.atom(atom)
            case Declared() | ResultDeclared():
                self.atom(atom)
            case _:
                self.everything = self.exact = True

    def advice(self) -> None:
        """All that an adviser of all levels can read."""
        self.everything = self.exact = True
        for what in (-1, 0):
            for part in self._before():
                self.ceilings[self.layout.part_n(part) + 1 + what] = UNLIMITED

    def atom(self, atom: Guard) -> None:
        match atom:
            case Says(adviser, place=place, part=part):
                self.tally((-1,), "level", place, part, UNLIMITED)
                self.tally(counted_by(self.protocol.advisers[adviser]), "level", place, part, UNLIMITED)
            case Chance(place=place):
                self.at(place)
                self.advice()
            case Recommends():
                self.advice()
            case Tally(count, (counter,), "counter"):
                self.counters[counter] = max(self.counters.get(counter, 0), _ceiling(count))
            case Tally(count, what, _, place) if -2 in what:
                self.at(place, self.layout.pending, ceiling=UNLIMITED)
                if -1 in what:
                    # what is forgotten of a level is forgotten when nobody is pending there
                    self.tally((-1,), "level", place, None, UNLIMITED, count)
            case Share(count, "all", size, toxicities, place):
                self.tally((-1,), "level", place, None, size + 1)
                self.tally(toxicities, "level", place, None, _ceiling(count))
            case Share(count, group, size, toxicities, place):
                first = group == "first"
                self.elsewhere(place, toxicities, None)
                self.at(place, FIRST_SIZE if first else ADDED_SIZE, ceiling=UNLIMITED)
                start = FIRST_N if first else self.layout.added_n
                self.at(place, start, ceiling=size + 1)
                self.at(place, *(start + 1 + toxicity for toxicity in toxicities), ceiling=_ceiling(count))
            case Tally(count, what, scope, place, part):
                self.tally(what, scope, place, part, _ceiling(count), count)
            case Rate():
                self.tally((-1,), atom.scope, atom.place, atom.part, UNLIMITED)
                self.tally(atom.toxicities, atom.scope, atom.place, atom.part, UNLIMITED)
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
                    self.tally((-1,), "level", place, None, total + 1, Range(0, None))
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
                # of levels where no cohort can open it is not asked, so that nothing is noted by `elsewhere`
                for place in list(self.columns):
                    self.at(place, self.layout.part_n(part), ceiling=ceiling)
            case scope:
                self.tally((-1,), scope, THIS, part, UNLIMITED)


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
    later = any(toxicity.later for toxicity in protocol.toxicities)
    if protocol.parts[part].rolling:
        seen.rolling(limits)
        if later:
            # a patient who is known can count otherwise later, so that no number may stop short of the true one
            ceilings[layout.part_n(part) : layout.part_n(part + 1)] = UNLIMITED
    local = _local(protocol, layout, part, lines, silences, limits) if seen.everything else None
    aside = [_Collector(protocol, layout, None, ceilings, aside=old) for old in (False, True)]
    declared = {move.verdict for move in moves if isinstance(move, Declare)}
    for guard, old in _asked_aside(protocol, declared) if for_claims else ():
        for atom in atoms(guard):
            aside[old].atom(atom)
    exact = later or any(one.exact for one in (seen, *aside))
    reads = evolve(
        seen.reads(moves),
        everything=seen.everything,
        local=local,
        of_closed=None if exact else joined(*(one.thresholds for one in (seen, *aside))),
        summed=tuple(sorted(set().union(*(one.summed for one in (seen, *aside))))),
        places=tuple({p: None for one in (seen, *aside) for p, columns in one.columns.items() if columns - STATUS}),
    )
    return reads, ceilings


def _local(
    protocol: Protocol, layout: Layout, part: int, lines: tuple[Line, ...],
    silences: tuple[Silence, ...], limits: tuple[Limit, ...],
) -> Reads | None:  # fmt: skip
    """What is read to tell whether a line asks an adviser; None where people decide, or a silence asks one."""
    asked = [silence.when for silence in silences if silence.when is not None]
    if protocol.parts[part].rolling or any(line.gate for line in lines) or any(advised_by(guard) for guard in asked):
        return None
    seen = _Collector(protocol, layout, part, np.zeros(layout.width, np.int32))
    for guard in [*(guard for line in lines for guard in line.local), *asked]:
        for atom in atoms(guard):
            seen.atom(atom)
    moves = [move for line in lines for move in line.moves if not looks_everywhere(getattr(move, "place", None))]
    for move in moves:
        seen.move(move)
    for limit in limits:
        seen.limit(part, limit)
    seen.follow(moves)
    return seen.reads(moves)


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
