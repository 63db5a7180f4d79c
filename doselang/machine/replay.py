"""A history replayed, one outcome at a time, through the evaluator that also explores and simulates.

Patients who are still pending stand for every outcome that they can bring: the situation then has a row for each, and
a decision is taken only if it is the same in all of them.
"""

from __future__ import annotations

from copy import copy
from math import comb

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine import astray
from doselang.machine.against import NOBODY, begun_elsewhere, counted_aside, instead
from doselang.machine.beside import sure_to_come, turned_out
from doselang.machine.cohorts import after_outcomes
from doselang.machine.columns import View
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.composing import waits
from doselang.machine.decisions import Branch, GoesOn, Outcome
from doselang.machine.exits import Accrual
from doselang.machine.followed import Beside, Cohort, Future, Look, Replay, Waiting, opens
from doselang.machine.interleaving import Interleaving, follow, look_at, settled
from doselang.machine.looking import decide
from doselang.machine.notation import CLEAR_SO_FAR, INEVALUABLE, PENDING, Group, letters_of
from doselang.machine.outcomes import Counts, leaves, minus, path_of, plus
from doselang.machine.records import Ints
from doselang.machine.states import Frame, Frames
from doselang.protocol.classes import added


def replay(
    machine: Machine, groups: tuple[Group, ...], accrual: Accrual = "one-at-a-time", frames: Frames | None = None
) -> Replay:
    """Follow a history; raises HistoryError where the rules do not lead to it.

    With the `frames` of an exploration frames and branches are numbered as there.
    """
    return Follower(machine, accrual, Frames(machine) if frames is None else frames).follow(groups)


@define
class Follower:
    """Follows a history that grows: what it shares with the one followed before is not followed again."""

    machine: Machine
    accrual: Accrual
    frames: Frames
    _groups: tuple[Group, ...] = ()
    _players: list[tuple[int, _Player]] = field(factory=list)
    """Where the history was after so many groups."""

    @property
    def reached(self) -> int:
        """How many groups of the last history were followed."""
        return self._players[-1][0] if self._players else 0

    def follow(self, groups: tuple[Group, ...]) -> Replay:
        """Follow a history; raises HistoryError where the rules do not lead to it."""
        before = zip(groups, self._groups, strict=False)
        shared = next((n for n, (one, other) in enumerate(before) if one != other), min(len(groups), len(self._groups)))
        self._groups = groups
        # how the last group comes to its look can depend on whether another follows
        kept = min(shared, len(groups) - 1)
        self._players = [(number, player) for number, player in self._players if number <= kept and not player.waiting]
        number, player = self._players[-1] if self._players else (0, _Player(self.machine, self.accrual, self.frames))
        while number < len(groups):
            player = player.going_on(groups)
            if groups[number].against == "aside":
                player.put_aside(number)
                number += 1
            elif self.machine.protocol.parts[groups[number].part].rolling:
                number = player.roll(number)
            else:
                player.play(number)
                number += 1
            self._players.append((number, player))
        return player.going_on(groups).end()


def same(one: Outcome | None, other: Outcome | None) -> bool:
    """Whether two looks come to the same, whichever rules say so; None is no look."""
    if one is None or other is None:
        return one is other
    return [_done(branch) for branch in one] == [_done(branch) for branch in other]


def _done(branch: Branch) -> tuple[object, ...]:
    trouble = branch.decision.undecided
    return branch.choices, branch.decision.answers, trouble and (trouble.why, trouble.silence)


@frozen(eq=False)
class _Found:
    """The look of a cohort, None if it goes on. `known` is after how many outcomes it comes, None for all of them."""

    look: Look | None = None
    known: int | None = None
    futures: tuple[Future, ...] = ()


@define
class _Player:
    """Goes through a history; `codes` has a row for every way in which pending patients can turn out.

    Of the patients beside the cohort under way `codes` have what is known; `awaited` are those of whom some are not.
    """

    machine: Machine
    accrual: Accrual
    frames: Frames
    groups: tuple[Group, ...] = ()
    number: int = field(init=False)
    codes: Ints = field(init=False)
    cohorts: list[Cohort] = field(factory=list)
    looks: list[Look] = field(factory=list)
    asides: list[Cohort] = field(factory=list)
    waiting: Waiting | None = None
    unreplaced: bool = False
    beside: bool = False
    """Whether the last group that was followed is of patients beside a cohort."""
    awaited: tuple[Beside, ...] = ()

    def __attrs_post_init__(self) -> None:
        self.number, self.codes = self.frames.first()

    def going_on(self, groups: tuple[Group, ...]) -> _Player:
        """The same, from where on a history is followed; this one stays where it is."""
        other = copy(self)
        other.groups = groups
        other.cohorts, other.looks, other.asides = [*self.cohorts], [*self.looks], [*self.asides]
        return other

    @property
    def frame(self) -> Frame:
        return self.frames.frames[self.number]

    @property
    def part(self) -> PartMachine:
        return self.machine.parts[self.frame.part]

    # ---- one cohort ----

    def play(self, number: int) -> None:
        """Follow one cohort to its look, or to where it waits."""
        self.follow_to(number)
        group, size = self.groups[number], self.frame.orders[0].size
        self.beside = any(order.level == group.level for order in self.frame.orders[1:])
        if self.beside:
            self.play_beside(group)
            return
        self.nobody_beside()
        astray.check_size(self.machine.protocol, group, size)
        path = path_of(group, letters_of(self.machine.protocol))
        pending = group.letters.count(PENDING) + group.letters.count(CLEAR_SO_FAR)
        if self.awaited:
            self.wait_beside(group, path, pending, size)
            return
        found = self.find_look(group, number, path, pending, size)
        if found.look is None and self.is_followed(number):
            left = min(group.letters.count(INEVALUABLE), size - sum(path[-1]) - pending)
            found = self.find_look(group, number, path, pending + left, size) if left > 0 else found
        if found.known != 1:
            self.rest_enters(number, path, size)
        counts = path[-1] if found.known is None else path[found.known]
        inevaluable = group.letters.count(INEVALUABLE)
        later = minus(path[-1], counts)
        self.cohorts.append(Cohort(group.part, group.level, size, counts, later, pending, inevaluable))
        after = "" if found.known is None else astray.letters_after(group.letters, found.known)
        if not self.machine.protocol.replaces_inevaluable and inevaluable > after.count(INEVALUABLE):
            self.unreplaced = True
        elif found.look is None:
            to_enrol = size - sum(counts) - pending
            view = self.view_after([counts], size).take(slice(0, 1))
            self.waiting = Waiting(sum(counts), pending, to_enrol, found.futures, view)
        else:
            astray.check_leavers(self.machine.protocol, group, sum(counts) + pending, size, after)
            ways = astray.chosen(self.machine.protocol, self.groups[: number + 1], found.look.outcome)
            self.looks.append(evolve(found.look, ways=ways))
            return
        if group.chosen:
            raise astray.nobody_asked(self.machine.protocol, self.groups[: number + 1])

    def is_followed(self, number: int) -> bool:
        """Whether another cohort follows: then who is inevaluable may have left after the look."""
        return any(group.against != "aside" for group in self.groups[number + 1 :])

    def play_beside(self, group: Group) -> None:
        """Follow patients who enter beside a cohort: no look follows, and that of the cohort waits for all of them."""
        main, *others = self.frame.orders
        order = next(one for one in others if one.level == group.level)
        astray.check_size(self.machine.protocol, group, order.size)
        counts = path_of(group, letters_of(self.machine.protocol))[-1]
        pending = group.letters.count(PENDING) + group.letters.count(CLEAR_SO_FAR)
        inevaluable, nobody, known = group.letters.count(INEVALUABLE), (0,) * len(counts), sum(counts)
        self.cohorts.append(Cohort(group.part, group.level, order.size, counts, nobody, pending, inevaluable))
        self.turn_out(group.part, order.level, [counts])
        self.number = self.frames.frame(evolve(self.frame, orders=(main, *(one for one in others if one != order))))
        if inevaluable and not self.machine.protocol.replaces_inevaluable:
            self.unreplaced = True
        if known < order.size:
            self.wait_for(Beside(order.level, order.size, known, pending, order.size - known - pending))
        if group.chosen:
            raise astray.nobody_asked(self.machine.protocol, (group,))

    def nobody_beside(self) -> None:
        """Of the cohorts beside the next that the history has not come to, all patients are still to be enrolled."""
        main, *others = self.frame.orders
        if others:
            self.wait_for(*(Beside(one.level, one.size, 0, 0, one.size) for one in others))
            self.number = self.frames.frame(evolve(self.frame, orders=(main,)))

    def wait_for(self, *some: Beside) -> None:
        self.awaited = tuple(sorted((*self.awaited, *some)))

    def wait_beside(self, group: Group, path: list[Counts], pending: int, size: int) -> None:
        """Follow a cohort whose look waits for patients beside it; where it is sure to come, nobody more enters."""
        inevaluable, nobody = group.letters.count(INEVALUABLE), (0,) * len(path[0])
        self.cohorts.append(Cohort(group.part, group.level, size, path[-1], nobody, pending, inevaluable))
        nodes = self.looked_at(path[1:], size)
        comes = sure_to_come(self.frames, self.number, self.codes, nodes, self.awaited, group)
        self.unreplaced |= bool(inevaluable) and not comes and not self.machine.protocol.replaces_inevaluable
        if not self.unreplaced:
            known, view = sum(path[-1]), self.view_after([path[-1]], size).take(slice(0, 1))
            to_enrol = 0 if comes else size - known - pending
            self.waiting = Waiting(known, pending, to_enrol, (), view, self.awaited)
        if group.chosen:
            raise astray.nobody_asked(self.machine.protocol, (group,))

    def looked_at(self, nodes: list[Counts], size: int) -> list[Counts]:
        """Of some counts of a cohort's outcomes, those after which the rules are asked."""
        early, alone = self.accrual != "whole-cohort", self.frame.orders[0].sentinel
        return [node for node in nodes if early or sum(node) == size or (alone and sum(node) == 1)]

    def turn_out(self, part: int, level: int, ways: list[Counts]) -> None:
        """A row of codes for every way in which the patients of a cohort can turn out."""
        self.codes = turned_out(self.machine, self.codes, part, level, ways)

    def roll(self, first: int) -> int:
        """Follow the groups of a rolling part, as far as they stand together, and say where they end."""
        self.follow_to(first)
        part = self.groups[first].part
        further = range(first + 1, len(self.groups))
        end = next((n for n in further if self.groups[n].part != part or self.groups[n].against), len(self.groups))
        found = Interleaving(self.machine, self.frames, self.groups, first, end)
        point = found.find(self.number, self.codes[:1])
        self.number, self.codes = point.number, point.codes
        for group in self.groups[first:end]:
            counts = path_of(group, letters_of(self.machine.protocol))[-1]
            size, inevaluable, nobody = len(group.letters), group.letters.count(INEVALUABLE), (0,) * len(counts)
            pending = size - sum(counts) - inevaluable
            self.cohorts.append(Cohort(part, group.level, size, counts, nobody, pending, inevaluable))
            self.unreplaced |= inevaluable > 0 and not self.machine.protocol.replaces_inevaluable
        for asked in point.looks:
            ways = () if asked.branch is None else (asked.branch,)
            self.looks.append(Look(asked.group, asked.outcome, ways, asked.frame, asked.view))
        self._look_at_next(end)
        return end

    def _look_at_next(self, end: int) -> None:
        """Ask the rules at the next arrival; where none acts and somebody is pending, that patient waits.

        Nothing is asked while places are free that were opened before: nobody has entered there, or who had has left.
        """
        outcome, view = look_at(self.machine, self.frames, self.number, self.codes)
        free = self.frame.orders[-1].size if self.frame.orders else 0
        pending = int(self.machine.records.tally(-2)[self.codes[0]].sum())
        if free or (pending and waits(outcome)):
            there = [cohort for cohort in self.cohorts if cohort.level == self.frame.here]
            known, waiting = sum(sum(cohort.counts) for cohort in there), sum(cohort.pending for cohort in there)
            self.waiting = Waiting(known, waiting, free, (), view)
            if self.groups[end - 1].chosen:
                raise astray.nobody_asked(self.machine.protocol, self.groups[:end])
        else:
            ways = astray.chosen(self.machine.protocol, self.groups[:end], outcome)
            self.looks.append(Look(end - 1, outcome, ways, self.frame, view))

    def find_look(self, group: Group, number: int, path: list[Counts], pending: int, size: int) -> _Found:
        """Where the cohort comes to its look: at a known outcome, or because all that is pending leads to the same."""
        ways = comb(pending + len(path[0]), pending) * len(self.codes)
        if ways > astray.MOST_COMPLETIONS:
            raise astray.too_many(group)
        toxicities = self.machine.protocol.toxicities
        nodes = path[1:] + [plus(path[-1], more) for n in range(1, pending + 1) for more in added(toxicities, n)]
        nodes = self.looked_at(nodes, size)
        if not nodes:
            return _Found()
        view = self.view_after(nodes, size)
        waits = (
            self.frame.orders[0].sentinel and len(group.letters) == 1
        )  # the history ends where the rest have not entered yet
        decided = decide(self.machine, self.part, view, np.full(len(view), self.frame.begun), rest=waits)
        rows = [dict(zip(nodes, decided[i : i + len(nodes)], strict=True)) for i in range(0, len(decided), len(nodes))]
        for known, node in enumerate(path):
            outcome = rows[0].get(node)
            if outcome is not None and all(same(outcome, row[node]) for row in rows):
                return _Found(self.look(number, outcome, view, nodes.index(node)), known)
        if not pending:
            return _Found()
        found = [list(leaves(row, path[-1], pending, toxicities)) for row in rows]
        node, outcome = found[0][0]
        if outcome is not None and all(same(outcome, other) for row in found for _, other in row):
            return _Found(self.look(number, outcome, view, nodes.index(node)))
        futures = [Future(minus(node, path[-1]), outcome) for node, outcome in found[0]] if len(rows) == 1 else []
        return _Found(futures=tuple(futures))

    def rest_enters(self, number: int, path: list[Counts], size: int) -> None:
        """Keep the look after a sentinel with toxicity at which a rule lets the cohort go on."""
        if not self.frame.orders[0].sentinel or size == 1 or len(path) < 2 or not sum(path[1][1:]):
            return
        view = self.view_after(path[1:2], size)
        begun = np.full(len(view), self.frame.begun)
        outcome = decide(self.machine, self.part, view, begun, rest=True)[0]
        if outcome is not None and isinstance(outcome[0].decision.answers.next, GoesOn):
            self.looks.append(self.look(number, outcome, view, 0))

    def view_after(self, nodes: list[Counts], size: int) -> View:
        """All rows (outer) after each of some counts of the cohort's outcomes (inner)."""
        numbers = np.full(len(self.codes), self.number, np.int32)
        return after_outcomes(self.frames, self.part, numbers, self.codes, nodes, size, self.frame.orders[0].sentinel)

    def look(self, number: int, outcome: Outcome, view: View, row: int) -> Look:
        return Look(number, outcome, outcome, self.frame, view.take(slice(row, row + 1)))

    # ---- from one cohort to the next ----

    def follow_to(self, number: int) -> None:
        """Carry out what was decided before a cohort; raise if that opens another cohort, or none."""
        protocol, group = self.machine.protocol, self.groups[number]
        if group.against == "instead":
            self.open_instead(group)
            return
        if not self.cohorts:
            astray.check_start(protocol, group)
            return
        if self.beside:
            self.follow_beside(number)
            return
        if self.unreplaced or self.waiting is not None:
            if self.awaited and not self.unreplaced:
                raise astray.beside_awaited(protocol, self.groups[: number + 1], self.awaited)
            to_enrol = None if self.waiting is None else self.waiting.to_enrol
            raise astray.not_complete(protocol, self.groups[: number + 1], to_enrol)
        look = self.looks[-1]
        leading = [branch for branch in look.ways if (group.part, group.level) in opens(branch, look.frame)]
        if not leading and isinstance(look.ways[0].decision.answers.next, GoesOn):
            raise astray.not_complete(protocol, self.groups[: number + 1], look.frame.orders[0].size - 1)
        if not leading:
            opened = [place for branch in look.ways for place in opens(branch, look.frame)]
            raise astray.opened_instead(protocol, self.groups[: number + 1], opened, look.ways[0], look.frame)
        if len({branch.decision.answers for branch in leading}) > 1:
            raise astray.several_ways(protocol, self.groups[: number + 1], leading)
        self.looks[-1] = evolve(look, ways=(leading[0],))
        self.carry_out(leading[0])

    def follow_beside(self, number: int) -> None:
        """Go on to the next cohort of those that were opened together; raise if another one follows."""
        group, orders = self.groups[number], self.frame.orders
        places = [(self.frame.part, order.level) for order in (*orders[1:], orders[0])]
        if (group.part, group.level) not in places:
            since = self.looks[-1].group + 1
            raise astray.not_beside(self.machine.protocol, self.groups[: number + 1], since, places)

    def open_instead(self, group: Group) -> None:
        """Open a cohort against the rules, whatever is under way."""
        if not self.cohorts:
            frame, self.codes = begun_elsewhere(self.machine, self.frame, self.codes, group)
            self.number = self.frames.frame(frame)
            return
        at_look = not (self.beside or self.waiting or self.unreplaced)
        branch = instead(self.machine, self.frame, self.looks[-1].ways[0] if at_look else NOBODY, group)
        self.waiting, self.unreplaced = None, False
        for one in self.awaited:
            self.turn_out(self.frame.part, one.level, added(self.machine.protocol.toxicities, one.pending))
        self.carry_out(branch)

    def put_aside(self, number: int) -> None:
        """Count patients who belong to no cohort; those who are pending can turn out in every way.

        In a rolling part the rules are asked at the next arrival, which is still to come: once more, with them. Who is
        pending counts there when he is known, as others do.
        """
        group = self.groups[number]
        known = path_of(group, letters_of(self.machine.protocol))[-1]
        pending = len(group.letters) - sum(known) - group.letters.count(INEVALUABLE)
        nobody = (0,) * len(known)
        inevaluable = group.letters.count(INEVALUABLE)
        self.asides.append(Cohort(group.part, group.level, 0, known, nobody, pending, inevaluable, aside=True))
        rolling = self.part.part.rolling and not self.frame.orders and self.frame.end < 0
        turned_out = [plus(known, m) for m in added(self.machine.protocol.toxicities, 0 if rolling else pending)]
        ways = [counted_aside(self.machine, self.codes, group, counts) for counts in turned_out]
        self.codes = np.concatenate(ways)
        if len(self.codes) > astray.MOST_COMPLETIONS:
            raise astray.too_many(group)
        if rolling:
            self.looks, self.waiting = self.looks if self.waiting else self.looks[:-1], None
            self._look_at_next(1 + max(n for n in range(number) if self.groups[n].against != "aside"))

    def carry_out(self, branch: Branch) -> None:
        """Close and open levels. Patients who become known after the look count first, those pending in every way."""
        if self.part.part.rolling:
            self.leave_rolling(branch)
            return
        records, here = self.machine.records, self.frame.orders[0].level
        if not self.beside:
            cohort = self.cohorts[-1]
            known, toxicities = cohort.all_known, self.machine.protocol.toxicities
            self.turn_out(cohort.part, here, [plus(known, more) for more in added(toxicities, cohort.pending)])
        codes = self.codes.copy()
        chosen = np.full(len(codes), self.frames.branch(branch), np.int32)
        self.frames.leave(codes, np.full(len(codes), here, np.int32), chosen)
        part = self.frame.part
        self.number = int(self.frames.after(np.array([self.number], np.int32), chosen[:1])[0])
        if self.frame.part != part:
            codes = records.apply(records.change(self.part.fading), codes)
        _, first = np.unique(codes, axis=0, return_index=True)
        self.codes, self.awaited = codes[np.sort(first)], ()

    def leave_rolling(self, branch: Branch) -> None:
        """Carry out a look at an arrival. Where it ends the part, pending patients count in every way."""
        part = self.frame.part
        self.codes, self.number = follow(self.frames, self.number, self.codes, branch)
        if self.frame.part != part or self.frame.end >= 0:
            self.codes = settled(self.codes, self.machine, part)
        if self.frame.part != part:
            self.codes = self.machine.records.apply(
                self.machine.records.change(self.part.fading), self.codes
            )  # fmt: skip

    def end(self) -> Replay:
        """The replay of the whole history."""
        if not self.cohorts or (self.beside and not self.unreplaced):
            size = self.frame.orders[0].size
            nobody = (0,) * (1 + len(self.machine.protocol.toxicities))
            self.nobody_beside()
            view = self.view_after([nobody], size).take(slice(0, 1))
            self.waiting = Waiting(0, 0, size, (), view, self.awaited)
        elif self.waiting is None and not self.unreplaced:
            branch = self.looks[-1].branch
            if branch is not None and not isinstance(branch.decision.answers.next, GoesOn):
                self.carry_out(branch)
        return Replay(
            self.machine, self.accrual, self.groups, tuple(self.cohorts), tuple(self.looks), self.frames, self.frame,
            self.codes, self.waiting, self.unreplaced, tuple(self.asides),
        )  # fmt: skip
