"""The one evaluator: conditions over columns of situations, three-valued.

A View holds many situations at once, one row each; a single situation is a view of one row. Truth is an int8 column:
1 true, 0 open, -1 false, so that `and` is the minimum, `or` the maximum and `not` the negative.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any as AnyType

import numpy as np
from attrs import define, field

from doselang.machine.advising import UNKNOWN, chance_between, recommended, said
from doselang.machine.arrays import NDArray, held_once, summed
from doselang.machine.records import ADDED_SIZE, CLOSED, FIRST_N, FIRST_SIZE, Ints, Records
from doselang.machine.setting import Setting
from doselang.protocol.guards import (
    All,
    Any,
    Chance,
    CohortComplete,
    Compare,
    Cycles,
    Declared,
    Entered,
    Guard,
    Happened,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    Recommends,
    ResultDeclared,
    Says,
    SentinelHas,
    Share,
    Standing,
    Tally,
    TrialStopped,
)

Truth = NDArray[np.int8]
Bools = NDArray[np.bool_]
TRUE, OPEN, FALSE = np.int8(1), np.int8(0), np.int8(-1)

NO_LEVEL, NONE_DECLARED, NONE_ANY_MORE = -1, -2, -3
"""Values of a verdict besides a level: nothing declared yet; declared that there is none, and that after a level."""


OF_HERE = frozenset(("this", "next higher", "next lower", "lowest", "highest", "start", "level"))
"""The kinds of places that the level of the look alone tells."""


@define
class View:
    """Situations of a trial (or of patients' courses), one row each.

    `codes[s, l]` is the record code of level l; `here[s]` the level of the look; `part` the part all rows are in;
    `verdicts[s, v]` a level, NO_LEVEL, NONE_DECLARED or NONE_ANY_MORE; `declared[s, v]` whether this look said so;
    `complete[s]` whether the look is at the end of a cohort; `cohort[s]` its evaluable patients, then by toxicity;
    `open_at[s]` the level being enrolled at (-1 none); `stopped[s]` whether a rule has ended the trial;
    `counters[s, c]` what each counter has counted; `sentinel[s]` whether the look is the one after a sentinel.
    The last four are of patients' courses: the assigned level, events of the cycle, cycle number, state just entered.
    """

    setting: Setting
    codes: Ints
    here: Ints
    part: int
    verdicts: Ints
    declared: Bools
    complete: Bools
    cohort: Ints
    open_at: Ints
    stopped: Bools
    counters: Ints
    sentinel: Bools
    assigned: Ints | None = None
    events: Bools | None = None
    cycle: Ints | None = None
    entered: Ints | None = None
    _rows: AnyType = field(init=False)
    _places: dict[Place, tuple[Ints, Bools]] = field(factory=dict, init=False)
    _truths: dict[int, Truth] = field(factory=dict, init=False)
    _alone: View | None = field(default=None, init=False)
    _advice: dict[AnyType, AnyType] = field(factory=dict, init=False)
    _look: View | None = field(default=None, init=False)  # while each level is this level in turn: the look itself

    def __attrs_post_init__(self) -> None:
        self._rows = np.arange(len(self.codes))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: AnyType) -> View:
        """A copy of some of the rows."""
        found: dict[str, AnyType] = {}
        for name in _ROW_COLUMNS:
            column = getattr(self, name)
            if column is not None:
                column = column[rows].copy() if isinstance(rows, slice) else column.take(rows, axis=0)
            found[name] = column
        return View(self.setting, part=self.part, **found)

    def alone(self) -> View:
        """The first row by itself: all that is to be known where what matters is held once."""
        if self._alone is None:
            self._alone = self.take(slice(0, 1))
        return self._alone

    @property
    def records(self) -> Records:
        return self.setting.records

    @property
    def levels(self) -> int:
        return int(self.codes.shape[1])

    def changed(self) -> None:
        """Forget what was worked out: the codes or verdicts have changed."""
        self._places.clear()
        self._truths.clear()
        self._advice.clear()
        self._alone = None

    def closed(self) -> Bools:
        """Which levels are closed as too toxic, [rows, levels]."""
        closed: Bools = (self.records.column(CLOSED) != 0).take(self.codes)
        return closed

    def place(self, place: Place) -> tuple[Ints, Bools]:
        """The level a place is in each row, and whether there is such a level (where not, the level is 0)."""
        found = self._places.get(place)
        if found is None:
            if place.kind in OF_HERE and held_once(self.here):
                index, exists = self.alone()._find(place)
                found = np.broadcast_to(index, len(self)), np.broadcast_to(exists, len(self))
            else:
                found = self._find(place)
            self._places[place] = found
        return found

    def _find(self, place: Place) -> tuple[Ints, Bools]:
        relations = self.setting.relations
        match place.kind:
            case "this":
                index = self.here
            case "next higher":
                index = relations.step(place.steps, place.axis)[self.here]
            case "next lower":
                index = relations.step(-place.steps, place.axis)[self.here]
            case "next lower that remains":
                index = _last(~self.closed() & relations.above.T[self.here] & relations.ordinary)
            case "recommended":
                index = self.advice(place.index, recommended)
            case "highest where" | "lowest where":
                index = self._where(place)
            case "assigned":
                assert self.assigned is not None
                index = self.assigned
            case "verdict":
                index = self.verdicts[:, place.index]
            case "lowest":
                index = relations.lowest[self.here]
            case "highest":
                index = relations.highest[self.here]
            case "start":
                index = np.full(len(self), self.setting.start)
            case "level":
                index = np.full(len(self), place.index)
        exists = index >= 0
        return np.where(exists, index, 0).astype(np.int32), exists

    def advice(self, adviser: int, ask: Callable[..., AnyType], *about: Fraction) -> AnyType:
        """What an adviser of all levels says when it is asked about something, once a view, and always at the look."""
        if self._look is not None:
            return self._look.advice(adviser, ask, *about)
        key = adviser, ask, *about
        if key not in self._advice:
            self._advice[key] = ask(self.setting.advisers[adviser], self, *about)
        return self._advice[key]

    def _where(self, place: Place) -> Ints:
        """The highest, or lowest, level of this ladder at which a condition is true; -1 where there is none.

        Levels off the ladder are looked at as well: they are in its order. An adviser is asked at the look: the level
        given last does not change with the level that is looked at.
        """
        assert place.where is not None
        true = np.zeros((len(self), self.levels), np.bool_)
        for level in range(self.levels):
            there = self.take(slice(None))
            there.here = np.full(len(self), level, np.int32)
            there._look = self if self._look is None else self._look
            true[:, level] = truth(place.where, there) == 1
        true &= self.setting.relations.together[self.here]
        return _last(true) if place.kind == "highest where" else _first(true)

    def at(self, place: Place) -> tuple[Ints, Bools]:
        """The record code of a place in each row, and whether there is such a level."""
        index, exists = self.place(place)
        return self.codes[:, index[0]] if held_once(index) else self.codes[self._rows, index], exists


def _last(levels: Bools) -> Ints:
    """By row the last level that is marked, -1 where none is."""
    last: Ints = np.where(_any(levels), levels.shape[1] - 1 - np.argmax(levels[:, ::-1], axis=1), -1)
    return last


def _first(levels: Bools) -> Ints:
    first: Ints = np.where(_any(levels), np.argmax(levels, axis=1), -1)
    return first


_ROW_COLUMNS = (
    "codes", "here", "verdicts", "declared", "complete", "cohort", "open_at", "stopped", "counters", "sentinel",
    "assigned", "events", "cycle", "entered",
)  # fmt: skip


def truth(guard: Guard, view: View) -> Truth:
    """Whether a condition is true, open or false in each row of a view.

    Worked out once a view for each condition object: the machine gives equal conditions one object.
    """
    value = view._truths.get(id(guard))
    if value is None:
        value = view._truths[id(guard)] = _truth(guard, view)
    return value


def _truth(guard: Guard, view: View) -> Truth:
    match guard:
        case All(guards):
            value = truth(guards[0], view)
            for part in guards[1:]:
                value = np.minimum(value, truth(part, view))
            return value
        case Any(guards):
            value = truth(guards[0], view)
            for part in guards[1:]:
                value = np.maximum(value, truth(part, view))
            return value
        case Not(inner):
            return np.negative(truth(inner, view))
        case HasStatus(status="open"):
            return _open(guard, view)
        case Tally(scope="counter"):
            return _known(_within(view.counters[:, guard.what[0]], guard.count))
        case Tally(scope="trial" | "part" | "cohort"):
            return _known(_within(_total(guard, guard.what, view), guard.count))
        case Rate(scope="trial" | "part"):
            return _rate(guard, _total(guard, (-1,), view), _total(guard, guard.toxicities, view))
        case Share() | Tally() | Rate() | HasStatus() | Says():
            return _by_record(guard, view)
        case Chance():
            return _chance(guard, view)
        case Recommends(adviser):
            return _known(view.place(Place("recommended", adviser))[1])
        case Compare(place, relation, other):
            (left, there), (right, here) = view.place(place), view.place(other)
            above = view.setting.relations.above
            holds = {"above": above[right, left], "below": above[left, right], "same": left == right}[relation]
            return _known(holds, there & here)
        case Standing():
            return _known(_standing(guard, view))
        case _:
            return _known(_fact(guard, view))


def _known(holds: Bools, known: Bools | None = None) -> Truth:
    """True or false; open where not known."""
    value = np.where(holds, TRUE, FALSE)
    return value if known is None else np.where(known, value, OPEN)


def _within(number: Ints, bounds: Range) -> Bools:
    inside = number >= bounds.low
    return inside if bounds.high is None else inside & (number <= bounds.high)


def _by_record(guard: Share | Tally | Rate | HasStatus | Says, view: View) -> Truth:
    """A condition that reads the record of one level: worked out once a record, and looked up."""
    records = view.records
    _, values = records.truths.get(id(guard), (guard, np.zeros(0, np.int8)))
    if len(values) < len(records):
        codes = np.arange(len(values), len(records), dtype=np.int32)
        values = np.concatenate([values, _of_records(guard, view.setting, codes)])
        records.truths[id(guard)] = (guard, values)
    code, exists = view.at(guard.place)
    return np.where(exists, values[code], OPEN)


def _of_records(guard: Share | Tally | Rate | HasStatus | Says, setting: Setting, codes: Ints) -> Truth:
    records = setting.records
    match guard:
        case Says(adviser, word, part=part):
            evaluable = records.tally(-1, part)[codes]
            found = said(setting.advisers[adviser], evaluable, records.total(setting.counted[adviser], part)[codes])
            return _known(found == word, (evaluable > 0) & (found != UNKNOWN))
        case Share():
            return _share(guard, records, codes)
        case Tally():
            return _known(_within(records.total(guard.what, guard.part)[codes], guard.count))
        case Rate():
            evaluable = records.tally(-1, guard.part)[codes]
            return _rate(guard, evaluable, records.total(guard.toxicities, guard.part)[codes])
        case HasStatus():
            return _known(records.column(CLOSED if guard.status == "closed" else FIRST_SIZE)[codes] != 0)


def _share(guard: Share, records: Records, codes: Ints) -> Truth:
    """K of N: decided once N are known, or as soon as the rest cannot change it."""
    if guard.group == "all":
        known, with_toxicity = records.tally(-1)[codes], records.total(guard.toxicities)[codes]
        possible, there = known <= guard.size, np.ones(len(codes), np.bool_)
    else:
        size, start = (FIRST_SIZE, FIRST_N) if guard.group == "first" else (ADDED_SIZE, records.layout.added_n)
        known, with_toxicity = records.column(start)[codes], records.among(start, guard.toxicities)[codes]
        cohort = records.column(size)[codes]
        possible, there = cohort == guard.size, cohort > 0
    most = with_toxicity + (guard.size - known)
    sure, never = with_toxicity >= guard.count.low, most < guard.count.low
    if guard.count.high is not None:
        sure &= most <= guard.count.high
        never |= with_toxicity > guard.count.high
    value = np.where(sure, TRUE, np.where(never, FALSE, OPEN))
    return np.where(there, np.where(possible, value, FALSE), OPEN)


def _total(guard: Tally | Rate, what: tuple[int, ...], view: View) -> Ints:
    """A sum of tallies over many levels, or of the cohort, in each row."""
    if guard.scope == "cohort":
        return _in_cohort(what, view)
    part = None
    if guard.scope == "part":
        part = view.part if guard.part is None else guard.part
    total: Ints = summed(view.records.total(what, part), view.codes)
    return total


def _in_cohort(what: tuple[int, ...], view: View) -> Ints:
    """A sum of what is counted of the cohort, in each row."""
    number = view.cohort[:, 1 + what[0]]
    for other in what[1:]:
        number = number + view.cohort[:, 1 + other]
    return number


def _rate(guard: Rate, evaluable: Ints, toxic: Ints) -> Truth:
    """Fractions are compared by cross-multiplication of whole numbers; open while nobody is evaluable."""
    n, t = evaluable.astype(np.int64), np.maximum(toxic.astype(np.int64) - guard.less, 0)
    low, high = (
        t * guard.low.denominator - n * guard.low.numerator,
        t * guard.high.denominator - n * guard.high.numerator,
    )
    above = low >= 0 if guard.low_included else low > 0
    below = high <= 0 if guard.high_included else high < 0
    return _known(above & below, evaluable > 0)


def _chance(guard: Chance, view: View) -> Truth:
    """A probability by an adviser; open where the level is not there, or the adviser does not know it."""
    index, exists = view.place(guard.place)
    chance = view.advice(guard.adviser, chance_between, guard.above, guard.up_to)[view._rows, index]
    low, high = float(guard.low), float(guard.high)
    above = chance >= low if guard.low_included else chance > low
    below = chance <= high if guard.high_included else chance < high
    return _known(above & below, exists & ~np.isnan(chance))


def _open(guard: HasStatus, view: View) -> Truth:
    index, exists = view.place(guard.place)
    closed = view.records.column(CLOSED)[view.codes[view._rows, index]] != 0
    return _known((view.open_at == index) & ~closed, exists)


def _standing(guard: Standing, view: View) -> Bools:
    """Whether there are levels on a side, or some with a status: levels off the ladder are closed, open or tried too.

    No step leads to them, so that they neither exist nor remain as a way up or down; and as most trials never try
    them, that some level is untried is said of the others.
    """
    higher, level = guard.direction == "higher", np.arange(view.levels)
    relations = view.setting.relations
    beside = relations.above if higher else relations.above.T
    if guard.standing in ("exists", "remains", "untried"):
        beside = beside & relations.ordinary
    if guard.standing == "exists" and guard.axis < 0:
        return _any(beside)[view.here]
    next_to = relations.step(1 if higher else -1, guard.axis)[view.here]
    side = level == next_to[:, None] if guard.axis >= 0 else beside[view.here]
    match guard.standing:
        case "exists":
            return _any(side)
        case "remains":
            if higher:
                side = level == next_to[:, None]
            return _any(side & ~view.closed())
        case "closed":
            there = view.closed()
        case "open":
            there = (level == view.open_at[:, None]) & ~view.closed()
        case "tried" | "untried":
            tried = view.records.column(FIRST_SIZE)[view.codes] > 0
            there = tried if guard.standing == "tried" else ~tried
    return _any(side & there)


def _any(levels: Bools) -> Bools:
    """By row: whether any level is marked."""
    found: Bools = np.any(levels, axis=1)
    return found


def _fact(guard: Guard, view: View) -> Bools:
    match guard:
        case Declared(verdict, ever):
            value = view.verdicts[:, verdict]
            if ever:
                ever_named: Bools = (value >= 0) | (value == NONE_ANY_MORE)
                return ever_named
            return (value >= 0) & view.declared[:, verdict]
        case ResultDeclared():
            reached: Bools = view.verdicts[:, view.setting.result] != NO_LEVEL
            return reached
        case CohortComplete():
            return view.complete
        case SentinelHas(toxicities):
            its: Bools = view.sentinel & (_in_cohort(toxicities, view) > 0)
            return its
        case TrialStopped():
            return view.stopped
        case Happened(event):
            assert view.events is not None
            return ~_any(view.events) if event < 0 else view.events[:, event]
        case Entered(state):
            assert view.entered is not None
            entered: Bools = view.entered == state
            return entered
        case Cycles(count):
            assert view.cycle is not None
            return _within(view.cycle, count)
    raise AssertionError(guard)
