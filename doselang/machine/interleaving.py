"""A history of a rolling part: an order of arrivals and outcomes in which the rules lead to it.

A history says at which levels patients entered, one after the other, and in which order those of a group became known;
it does not say what was known when each entered. An order is looked for in which every patient entered where the rules
say. Outcomes are taken to be known as early as that allows, those of earlier groups first; in a trial with days they
are taken when they were, if patients entered as the rules say then. A patient whose letter is that of a toxicity in
later cycles was known before with another outcome, and had it later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine import astray
from doselang.machine.cohorts import after_outcomes
from doselang.machine.columns import View
from doselang.machine.compiling import Machine
from doselang.machine.composing import waits
from doselang.machine.decisions import Branch, Opened, Outcome
from doselang.machine.looking import decide
from doselang.machine.notation import CLEAR_SO_FAR, INEVALUABLE, PENDING, Group, HistoryError, letters_of
from doselang.machine.records import Arrival, Change, Ints, Known, Worse
from doselang.machine.states import Frame, Frames
from doselang.protocol.classes import added, known_with, worsenings

MOST_POINTS = 20_000
"""So many situations are looked at to find an order."""


@frozen(eq=False)
class Asked:
    """The look at an arrival after a group, the way it went, and the situation before."""

    group: int
    outcome: Outcome
    branch: Branch | None
    frame: Frame
    view: View


Coming = tuple[int, int, int, int]


@frozen(eq=False)
class Point:
    """A situation on the way: a frame and codes, how many patients have entered and, by group, are known.

    `coming` are the patients who are known and have a toxicity in later cycles ahead: group, outcome so far, and at
    last; and after how many patients it comes, -1 where that is not said.
    """

    number: int
    codes: Ints
    entered: int
    known: tuple[int, ...]
    coming: tuple[Coming, ...] = ()
    before: Point | None = None
    asked: Asked | None = None

    @property
    def looks(self) -> list[Asked]:
        """The looks on the way to it."""
        looks: list[Asked] = []
        point: Point | None = self
        while point is not None:
            if point.asked is not None:
                looks.append(point.asked)
            point = point.before
        return looks[::-1]


@define
class Interleaving:
    """Looks for an order; `groups` are all of the history, of which those from `first` to `end` are of the part."""

    machine: Machine
    frames: Frames
    groups: tuple[Group, ...]
    first: int
    end: int
    outcomes: list[str] = field(init=False)
    """By group: the outcomes that are known, in order."""
    entries: list[int] = field(init=False)
    """By patient, in order of entering: the group."""
    _refused: list[tuple[Point, Outcome, Frame]] = field(factory=list)
    _dated: bool = False
    """Whether outcomes are taken when they became known, as the groups have it."""

    def __attrs_post_init__(self) -> None:
        of_part = self.groups[self.first : self.end]
        unknown = PENDING + CLEAR_SO_FAR + INEVALUABLE
        self.outcomes = ["".join(letter for letter in group.letters if letter not in unknown) for group in of_part]
        places = [len(group.letters) - group.letters.count(INEVALUABLE) for group in of_part]
        self.entries = [number for number, count in enumerate(places) for _ in range(count)]

    def find(self, number: int, codes: Ints) -> Point:
        """The situation in which all have entered and all outcomes of the history are known; places can be open then.

        From a frame in which patients are entering, and codes [1, levels]. Raises HistoryError where there is none.
        Who became inevaluable is no longer there: then what the rules said when others entered can be without an order.
        """
        self._dated = any(group.moments for group in self.groups[self.first : self.end])
        if self._dated:
            with suppress(HistoryError):
                return self._found(number, codes)
            self._dated, self._refused = False, []
        return self._found(number, codes)

    def _found(self, number: int, codes: Ints) -> Point:
        stack = [Point(number, codes, 0, (0,) * len(self.outcomes))]
        seen: set[tuple[object, ...]] = set()
        while stack:
            point = stack.pop()
            key = (point.number, point.codes.tobytes(), point.entered, point.known, point.coming)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > MOST_POINTS:
                raise self._error("There are too many orders in which patients can have entered and become known.")
            if self._complete(point):
                return point
            stack += reversed(list(self._after(point)))
        raise self._astray()

    def _complete(self, point: Point) -> bool:
        known = point.known == tuple(len(letters) for letters in self.outcomes) and not point.coming
        return known and point.entered == len(self.entries)

    def _after(self, point: Point) -> Iterator[Point]:
        """What can come next, what is looked at first before the others."""
        frame = self.frames.frames[point.number]
        if frame.orders and point.entered < len(self.entries):
            yield from self._enter(point, frame)
            return
        for group, letters in enumerate(self.outcomes):
            there = point.known[group] < min(len(letters), self.entries[: point.entered].count(group))
            if there and self._moment(group, point.known[group])[0] in (-1, point.entered):
                yield from self._become_known(point, group, letters[point.known[group]])
        for one in dict.fromkeys(point.coming):
            if one[3] in (-1, point.entered):
                yield from self._worse(point, *one)
        if point.entered < len(self.entries):
            yield from self._arrive(point, frame)

    def _moment(self, group: int, outcome: int) -> tuple[int, int]:
        """After how many patients an outcome of a group became known, and got worse; -1 where that is not said."""
        moments = self.groups[self.first + group].moments if self._dated else ()
        known, worse = moments[outcome] if moments else (-1, -1)
        return known, -1 if worse is None else worse

    def _enter(self, point: Point, frame: Frame) -> Iterator[Point]:
        """Patients enter for whom the rules opened places; at the end of the history some places can be left."""
        order = frame.orders[-1]
        coming = self.entries[point.entered : point.entered + order.size]
        if {self.groups[self.first + group].level for group in coming} != {order.level}:
            return
        codes, records, left = point.codes.copy(), self.machine.records, order.size - len(coming)
        codes[:, order.level] = records.apply(records.change(Arrival(len(coming))), codes[:, order.level])
        orders = (*frame.orders[:-1], *([evolve(order, size=left)] if left else []))
        number = self.frames.frame(evolve(frame, orders=orders))
        yield evolve(point, number=number, codes=codes, entered=point.entered + len(coming), before=point, asked=None)

    def _become_known(self, point: Point, group: int, letter: str) -> Iterator[Point]:
        """The next patient of a group becomes known; who has a toxicity in later cycles had another outcome first."""
        part, toxicities = self.groups[self.first + group].part, self.machine.protocol.toxicities
        last, at_once = letters_of(self.machine.protocol).index(letter), known_with(toxicities)
        known = tuple(n + (g == group) for g, n in enumerate(point.known))
        _, when = self._moment(group, point.known[group])
        for outcome in (last,) if last in at_once else at_once:
            if outcome == last or (outcome, last) in worsenings(toxicities):
                coming = () if outcome == last else ((group, outcome, last, when),)
                after = self._changed(point, group, Known(part, outcome))
                yield evolve(after, known=known, coming=tuple(sorted((*point.coming, *coming))))

    def _worse(self, point: Point, group: int, outcome: int, last: int, when: int) -> Iterator[Point]:
        """A patient who is known has the toxicity in later cycles that is ahead, or a less severe one before it."""
        part, every = self.groups[self.first + group].part, worsenings(self.machine.protocol.toxicities)
        left = list(point.coming)
        left.remove((group, outcome, last, when))
        for before, after in every:
            if before == outcome and (after == last or (after, last) in every):
                coming = () if after == last else ((group, after, last, when),)
                worse = self._changed(point, group, Worse(part, before, after))
                yield evolve(worse, coming=tuple(sorted((*left, *coming))))

    def _changed(self, point: Point, group: int, change: Change) -> Point:
        """The situation after a change of the record of a group's level."""
        codes, records, level = point.codes.copy(), self.machine.records, self.groups[self.first + group].level
        codes[:, level] = records.apply(records.change(change), codes[:, level])
        return evolve(point, codes=codes, before=point, asked=None)

    def _arrive(self, point: Point, frame: Frame) -> Iterator[Point]:
        """The next patient of the history arrives, if the rules say so."""
        here, coming = self.entries[point.entered - 1], self.entries[point.entered]
        group, said = self.groups[self.first + coming], self.groups[self.first + here].chosen
        outcome, view = look_at(self.machine, self.frames, point.number, point.codes)
        leading = [branch for branch in outcome if _opens(branch, frame) == group.level]
        # within a group nobody chose: what people choose is written after the letters, and ends the group
        chose = () if coming == here else said
        fitting = [branch for branch in leading if tuple(option for _, option in branch.choices) == chose]
        if not fitting:
            self._refused.append((point, outcome, frame))
        for branch in fitting:
            codes, number = follow(self.frames, point.number, point.codes, branch)
            asked = Asked(self.first + here, outcome, branch, frame, view)
            yield evolve(point, number=number, codes=codes, before=point, asked=asked)

    def _astray(self) -> HistoryError:
        """Why no order leads to the history: what the rules say where most patients have entered and are known."""
        if not self._refused:
            return self._error("The rules open more places here than the history has patients for.")
        most = max((point.entered, sum(point.known)) for point, _, _ in self._refused)
        refused = [one for one in self._refused if (one[0].entered, sum(one[0].known)) == most]
        groups = self._so_far(most[0])
        opened = {
            (frame.part, level)
            for _, outcome, frame in refused
            for branch in outcome
            if (level := _opens(branch, frame)) is not None
            and (not groups[-2].chosen or groups[-2].chosen == tuple(option for _, option in branch.choices))
        }
        _, outcome, frame = refused[0]
        level = groups[-1].level
        unsaid = [branch for branch in outcome if branch.choices and _opens(branch, frame) == level]
        if unsaid and not groups[-2].chosen:
            return astray.several_ways(self.machine.protocol, groups, unsaid)
        if all(waits(outcome) for _, outcome, _ in refused):
            return astray.nobody_enters(self.machine.protocol, groups)
        return astray.opened_instead(self.machine.protocol, groups, sorted(opened), outcome[0], frame)

    def _so_far(self, entered: int) -> tuple[Group, ...]:
        """The groups of those who have entered, and that of the patient who cannot."""
        there = self.entries[:entered]
        last, coming = self.groups[self.first + there[-1]], self.groups[self.first + self.entries[entered]]
        partial = evolve(last, letters=last.letters[: there.count(there[-1])], chosen=())
        before = last if there[-1] != self.entries[entered] else partial
        return (*self.groups[: self.first + there[-1]], before, coming)

    def _error(self, message: str) -> HistoryError:
        span = self.groups[self.end - 1].span
        return HistoryError(message, span.start, span.end)


def look_at(machine: Machine, frames: Frames, number: int, codes: Ints) -> tuple[Outcome, View]:
    """What the arrival of a patient comes to, and the view of it before the questions."""
    frame = frames.frames[number]
    nobody = [(0,) * (1 + len(machine.protocol.toxicities))]
    view = after_outcomes(frames, machine.parts[frame.part], np.array([number], np.int32), codes, nobody, 0)
    outcome = decide(machine, machine.parts[frame.part], view, np.array([frame.begun]))[0]
    assert outcome is not None
    return outcome, view


def follow(frames: Frames, number: int, codes: Ints, branch: Branch) -> tuple[Ints, int]:
    """The codes and the frame after a look at an arrival."""
    after, chosen = codes.copy(), np.full(len(codes), frames.branch(branch), np.int32)
    frames.leave(after, np.full(len(codes), frames.frames[number].here, np.int32), chosen)
    return after, int(frames.after(np.array([number], np.int32), chosen[:1])[0])


def _opens(branch: Branch, frame: Frame) -> int | None:
    """The level at which a branch lets a patient of this part enter."""
    following = branch.decision.answers.next
    if branch.decision.undecided is not None or not isinstance(following, Opened) or following.part is not None:
        return None
    return frame.here + following.offset


def settled(codes: Ints, machine: Machine, part: int) -> Ints:
    """A row of codes for every way in which the pending patients of a part can turn out at all levels."""
    records, toxicities = machine.records, machine.protocol.toxicities
    rows = [codes[0]]
    for level in range(machine.levels):
        pending = int(records.tally(-2)[codes[0, level]])
        if pending:
            rows = [
                _turned_out(machine, part, row, level, counts) for row in rows for counts in added(toxicities, pending)
            ]  # fmt: skip
    return np.unique(np.array(rows, np.int32), axis=0)


def _turned_out(machine: Machine, part: int, codes: Ints, level: int, counts: tuple[int, ...]) -> Ints:
    after, records = codes.copy(), machine.records
    for letter, number in enumerate(counts):
        for _ in range(number):
            after[[level]] = records.apply(records.change(Known(part, letter)), after[[level]])
    return after
