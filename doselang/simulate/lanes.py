"""Trials under a clock, side by side: what happens next in each, an outcome or a patient, and what follows from it.

The decisions are the machine's. The clock adds when a patient comes, enters and becomes known, and so in which order.
Whatever is known at a moment is taken up before anybody enters at the same moment.
"""

from __future__ import annotations

from math import inf

import numpy as np
from attrs import define, field

from doselang.machine.arrays import NDArray, pack, present
from doselang.machine.columns import Bools
from doselang.machine.decisions import Opened
from doselang.machine.exploring import MAX_PATIENTS
from doselang.machine.records import CLOSED, FIRST_SIZE, Arrival, Change, Ints, Known, Late, Left, Records, Worse
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.rolling import GOES_ON
from doselang.machine.states import COHORT, ENTERING, ROLLING, Frames
from doselang.machine.weights import Floats
from doselang.protocol.classes import known_with
from doselang.simulate.asking import NOTHING, Decisions, leads_lower, verdict_of
from doselang.simulate.clock import Clock, TimedAccrual
from doselang.simulate.later import Later, later_of
from doselang.simulate.people import BLOCK, MOST_PEOPLE, People
from doselang.simulate.register import INEVALUABLE, Register
from doselang.simulate.sentinels import Sentinels

UNREPLACED, GIVEN_UP = -1, -2
"""Instead of the frame in which a trial ended: a patient left early and no rule says whether another takes the place;
the trial went on beyond MAX_PATIENTS who entered, or MOST_PEOPLE who came."""


_NUMBERS = {
    "frame": 0, "inside": 0, "cohort": 0, "looks": 0, "door": 0, "asked": NOTHING, "place": -1, "who": 0, "next": 0,
    "entered": 0, "end": 0,
}  # fmt: skip
_DAYS = {"since": 0.0, "last": -inf, "comes": inf, "duration": 0.0, "declared": np.nan}
"""What the arrays of whole numbers, and of days, begin with."""


@define
class Lanes:
    """A block of trials, of which the first `trials` are run; one position a trial in every array.

    `frame` and `codes` are the machine's state; `counts` the outcomes of the cohort under way, `inside` its patients
    who are pending or known. `since` is the day from which a patient may enter, `door` whether the rules of a rolling
    part let one in, `comes` and `who` when the next one enters; `next` the first who has not entered or been passed
    over. `awaited` are the days on which pending patients become known [places, trials], inf in a free place, and
    `line` their lines in the register.
    """

    decisions: Decisions
    clock: Clock
    people: People
    accrual: TimedAccrual
    trials: int
    register: Register = field(factory=Register)
    frame: Ints = field(init=False)
    codes: Ints = field(init=False)
    counts: Ints = field(init=False)
    inside: Ints = field(init=False)
    cohort: Ints = field(init=False)
    openings: Ints = field(init=False)
    looks: Ints = field(init=False)
    since: Floats = field(init=False)
    last: Floats = field(init=False)
    door: Ints = field(init=False)
    asked: Ints = field(init=False)
    place: Ints = field(init=False)
    comes: Floats = field(init=False)
    who: Ints = field(init=False)
    next: Ints = field(init=False)
    entered: Ints = field(init=False)
    awaited: Floats = field(init=False)
    line: Ints = field(init=False)
    end: Ints = field(init=False)
    over: Bools = field(init=False)
    duration: Floats = field(init=False)
    declared: Floats = field(init=False)
    """The day on which the level of the result was declared."""
    closed: Floats = field(init=False)
    tried: Floats = field(init=False)
    """The days on which levels were closed as too toxic, and first opened [trials, levels]; inf for never."""
    limits: Floats = field(init=False)
    """The tolerance below which a patient has a toxicity, or one before it [toxicities, levels]; those with which
    patients become known, whose outcomes are `classes`."""
    classes: tuple[int, ...] = field(init=False)
    later: Later = field(init=False)
    rolling: Bools = field(init=False)
    sentinels: Sentinels = field(init=False)
    goes_on: int = field(init=False)
    lowering: list[tuple[Ints, Ints, Floats]] = field(factory=list)
    """Looks that closed their level or went lower: trial, cohort, day."""

    def __attrs_post_init__(self) -> None:
        """Begin with the state before the first patient."""
        machine, scenario = self.decisions.situations.machine, self.decisions.scenario
        for name, number in _NUMBERS.items():
            setattr(self, name, np.full(BLOCK, number, np.int32))
        for name, day in _DAYS.items():
            setattr(self, name, np.full(BLOCK, day))
        self.awaited, self.line = np.full((1, BLOCK), inf), np.zeros((1, BLOCK), np.int64)
        self.over = np.arange(BLOCK) >= self.trials
        frame, codes = self.frames.first()
        self.frame[:] = frame
        self.codes = np.repeat(codes, BLOCK, axis=0)
        self.counts = np.zeros((BLOCK, 1 + len(machine.protocol.toxicities)), np.int32)
        self.openings = np.zeros((BLOCK, machine.levels), np.int32)
        self.openings[:, machine.protocol.start] = 1
        self.closed, self.tried = np.full(self.openings.shape, inf), np.full(self.openings.shape, inf)
        self.tried[:, machine.protocol.start] = 0.0
        self.classes = known_with(machine.protocol.toxicities)[1:]
        self.limits = np.cumsum(np.array([scenario.rates[one - 1] for one in self.classes], float), axis=0)
        self.later = later_of(machine.protocol, scenario, self.clock, self.people, self.register)
        self.rolling = np.array([part.rolling for part in machine.protocol.parts])
        self.sentinels = Sentinels(self.frames, np.array(self.clock.alone))
        self.goes_on = self.frames.branch(GOES_ON[0])

    @property
    def frames(self) -> Frames:
        return self.decisions.situations.frames

    @property
    def records(self) -> Records:
        return self.decisions.situations.machine.records

    # ---- what happens next ----

    def run(self) -> None:
        """Run all trials to their end."""
        running = np.flatnonzero(~self.over)
        self.open_doors(running)
        while len(running):
            place = np.argmin(self.awaited[:, running], axis=0)
            known, until, comes = self.awaited[place, running], self.sentinels.until[running], self.comes[running]
            later = self.later.day(running)
            turns = np.isfinite(later) & (later <= np.minimum(known, comes))
            passes = ~turns & (until < known) & (until <= comes)
            first = ~turns & (known <= comes) & ~passes
            assert np.isfinite(known[first]).all(), "a trial waits, and nobody is pending"
            if turns.any():
                self.turn_worse(running[turns], later[turns])
            if passes.any():
                self.leave_alone_no_longer(running[passes], until[passes])
            if first.any():
                self.become_known(running[first], place[first], known[first])
            if (enters := ~(first | passes | turns)).any():
                self.enter(running[enters])
            running = running[~self.over[running]]
        self.register.close()

    def leave_alone_no_longer(self, lanes: Ints, day: Floats) -> None:
        """The time of a sentinel of each of some trials is over, without a toxicity: the others may enter."""
        self.frame[lanes], self.place[lanes] = self.sentinels.pass_by(lanes, self.frame[lanes]), -1
        self.since[lanes] = np.maximum(self.since[lanes], day)
        self.open_doors(lanes)

    def become_known(self, lanes: Ints, place: Ints, day: Floats) -> None:
        """A pending patient of each of some trials becomes known, or leaves early."""
        lines = self.line[place, lanes]
        self.awaited[place, lanes] = inf
        self._wait_no_longer(lanes, day)
        outcome, part = self.register.outcome[lines], self.register.part[lines]
        left, rolling = outcome == INEVALUABLE, self.rolling[part]
        ours = (self.register.cohort[lines] == self.cohort[lanes]) & ~rolling
        self.inside[lanes[ours & left]] -= 1
        self.sentinels.stop(lanes[ours & (outcome != 0)])
        known = ours & ~left
        self.counts[lanes[known], outcome[known]] += 1
        other = (rolling | ~ours) & ~(left & ~rolling)
        self._record(lanes[other], lines[other])
        followed = rolling & ~left & (self.frames.part[self.frame[lanes]] == part)
        self.later.watch(lanes[followed], lines[followed])
        if not self.decisions.situations.machine.protocol.replaces_inevaluable:
            running = self.frames.part[self.frame[lanes]] == part
            unreplaced = left & (ours | (rolling & running))
            self._stop(lanes[unreplaced], UNREPLACED, day[unreplaced])
        some = ~self.over[lanes]
        self.look(lanes[some], day[some])

    def turn_worse(self, lanes: Ints, day: Floats) -> None:
        """A patient who is known has a toxicity in later cycles; where the part has been left, it does not count."""
        register, records = self.register, self.records
        lines, outcome = self.later.take(lanes)
        counts = self.frames.part[self.frame[lanes]] == register.part[lines]
        lanes, lines, outcome, day = lanes[counts], lines[counts], outcome[counts], day[counts]
        kind = np.column_stack([register.part[lines], register.outcome[lines], outcome])
        changes = np.array([records.change(Worse(*one)) for one in kind.tolist()], np.int32)
        level = register.level[lines]
        self.codes[lanes, level] = records.apply(changes, self.codes[lanes, level])
        register.outcome[lines], self.place[lanes] = outcome, -1
        self._wait_no_longer(lanes, day)
        self.look(lanes, day)

    def _wait_no_longer(self, lanes: Ints, day: Floats) -> None:
        """Something has become known: where nobody could enter, it may be from this day on."""
        waited = np.isinf(self.comes[lanes])
        self.since[lanes] = np.where(waited, np.maximum(self.since[lanes], day), self.since[lanes])

    def _record(self, lanes: Ints, lines: Ints) -> None:
        """Count patients who do not belong to the cohort under way, at their level."""
        register, records = self.register, self.records
        level, part, outcome = register.level[lines], register.part[lines], register.outcome[lines]
        again = self.openings[lanes, level] != register.opening[lines]
        kind = np.column_stack([part, outcome + 1, again, np.minimum(register.opening[lines], 2)])
        _, first, which = np.unique(pack(kind.astype(np.int32)), return_index=True, return_inverse=True)
        changes = []
        for one_part, one, reopened, opening in kind[first].tolist():
            change: Change = Late(one_part, one - 1, opening == 1)
            if self.rolling[one_part]:
                change = Left() if one == 0 else Known(one_part, one - 1)
            elif not reopened:
                counts = tuple(int(n == one - 1) for n in range(self.counts.shape[1]))
                change = Evaluable(one_part, counts)
            changes.append(records.change(change))
        self.codes[lanes, level] = records.apply(np.array(changes, np.int32)[which], self.codes[lanes, level])
        self.place[lanes] = -1

    # ---- looks ----

    def look(self, lanes: Ints, day: Floats) -> None:
        """Ask the rules after an outcome, or after somebody entered a rolling part; then see who can enter."""
        frames = self.frames
        frame = self.frame[lanes]
        mode = frames.mode[frame]
        cohort = (mode == COHORT) & (frames.silent[frame] == 0) & (self.counts[lanes].sum(axis=1) > 0)
        for part in present(frames.part[frame]):
            here = frames.part[frame] == part
            if (some := lanes[here & cohort]).size:
                self._look_at_cohort(part, some, day[here & cohort])
            if (some := lanes[here & (mode == ROLLING)]).size:
                self._look_at_arrival(part, some, day[here & (mode == ROLLING)])
        self.open_doors(lanes[~self.over[lanes]])

    def _look_at_cohort(self, part: int, lanes: Ints, day: Floats) -> None:
        """Ask the rules after an outcome of the cohort under way."""
        looks = self.decisions.looks(part, self.frame[lanes], self.counts[lanes])
        lanes, day = lanes[looks], day[looks]
        found = self.decisions.after(part, self._places(part, lanes), self.frame[lanes], self.counts[lanes])
        acts = found != NOTHING
        self.decide(lanes[acts], found[acts], day[acts])

    def _places(self, part: int, lanes: Ints) -> Ints:
        """Where the decisions of each trial stand; looked up again where the machine's state has changed."""
        changed = lanes[self.place[lanes] < 0]
        if len(changed):
            self.place[changed] = self.decisions.places(part, self.frame[changed], self.codes[changed])
        return self.place[lanes]

    def _look_at_arrival(self, part: int, lanes: Ints, day: Floats) -> None:
        """Ask the rules of a rolling part whether a patient could enter; one at a time, when nobody is pending."""
        places = self._places(part, lanes)
        found = self.decisions.decided[places]
        if self.accrual == "one-at-a-time":
            found = np.where(np.isinf(self.awaited[:, lanes].min(axis=0)), found, NOTHING)
        self.asked[lanes] = found
        self.door[lanes] = lets_in = self.decisions.lets_in(found)
        # what does not let a patient in need not wait for one
        acts = (found != NOTHING) & ~lets_in
        self.decide(lanes[acts], found[acts], day[acts])

    def decide(self, lanes: Ints, decisions: Ints, day: Floats) -> None:
        """Carry out what the rules decide."""
        if not len(lanes):
            return
        self.looks[lanes] += 1
        branch = self.decisions.choose(decisions, self.people.choices[lanes], self.looks[lanes])
        frames, frame = self.frames, self.frame[lanes]
        here, part = frames.level[frame], frames.part[frame]
        codes = self.codes[lanes]
        self._count_cohort(codes, here, part, self.counts[lanes])
        self._note(lanes, branch, here, day)
        frames.leave(codes, here, branch)
        following = frames.after(frame, branch)
        self.codes[lanes], self.frame[lanes], self.place[lanes] = codes, following, -1
        self.closed[lanes] = _since(self.closed[lanes], self.records.column(CLOSED)[codes] > 0, day)
        self.tried[lanes] = _since(self.tried[lanes], self.records.column(FIRST_SIZE)[codes] > 0, day)
        self._opened(lanes, branch, here)
        stays = (frames.part[following] == part) & self.rolling[part]
        self.cohort[lanes] += ~(stays & (frames.level[following] == here))
        self.since[lanes] = day + np.where(stays, 0.0, self.clock.delay)
        self.counts[lanes], self.inside[lanes] = 0, 0
        self.sentinels.stop(lanes)
        ended = frames.ended[following] != 0
        self._stop(lanes[ended], following[ended], day[ended])

    def _count_cohort(self, codes: Ints, here: Ints, part: Ints, counts: Ints) -> None:
        """Count the outcomes of the cohort at its look, in the records of its level."""
        rows = np.flatnonzero(counts.sum(axis=1))
        if not len(rows):
            return
        kind = np.column_stack([part[rows], counts[rows]])
        _, first, which = np.unique(pack(kind), return_index=True, return_inverse=True)
        known = [Evaluable(one, tuple(outcomes)) for one, *outcomes in kind[first].tolist()]
        changes = np.array([self.records.change(change) for change in known], np.int32)[which]
        codes[rows, here[rows]] = self.records.apply(changes, codes[rows, here[rows]])

    def _note(self, lanes: Ints, branch: Ints, here: Ints, day: Floats) -> None:
        """Keep the days of verdicts, and of looks that go lower."""
        situations, levels = self.decisions.situations, self.openings.shape[1]
        pair = branch.astype(np.int64) * levels + here
        found, which = np.unique(pair, return_inverse=True)
        said = np.array([verdict_of(situations, int(one) // levels) for one in found])[which]
        self.declared[lanes] = np.where(said > 0, day, np.where(said < 0, np.nan, self.declared[lanes]))
        lower = np.array([leads_lower(situations, *divmod(int(one), levels)) for one in found])[which]
        self.lowering.append((lanes[lower], self.cohort[lanes[lower]].copy(), day[lower]))

    def _opened(self, lanes: Ints, branch: Ints, here: Ints) -> None:
        """Count how often each level has been opened."""
        opens = self.frames.opening[branch] >= 0
        self.openings[lanes[opens], here[opens] + self.frames.offset[branch[opens]]] += 1
        for number in present(branch[opens]):
            following, some = self.frames.branches[number].decision.answers.next, branch == number
            for offset, _ in following.beside if isinstance(following, Opened) else ():
                self.openings[lanes[some], here[some] + offset] += 1

    def _stop(self, lanes: Ints, end: Ints | int, day: Floats) -> None:
        self.end[lanes], self.duration[lanes], self.over[lanes], self.comes[lanes] = end, day, True, inf

    # ---- patients ----

    def open_doors(self, lanes: Ints) -> None:
        """Work out when the next patient enters each trial, and who."""
        if not len(lanes):
            return
        frames, frame = self.frames, self.frame[lanes]
        room = self._room(lanes)
        opens = np.where(frames.mode[frame] == ROLLING, self.door[lanes] != 0, room > 0)
        if self.accrual == "one-at-a-time":
            opens &= np.isinf(self.awaited[:, lanes].min(axis=0))
        self.comes[lanes] = inf
        lanes, room = lanes[opens], room[opens]
        earliest = np.maximum(self.since[lanes], self.last[lanes] + self.clock.stagger)
        who = self.people.first(lanes, self.next[lanes], earliest - self.clock.waits)
        last = who + (np.maximum(room, 1) - 1 if self.accrual == "whole-cohort" else 0)
        self.people.need(int(last.max(initial=0)))
        if (nobody := last >= MOST_PEOPLE).any():
            self._stop(lanes[nobody], GIVEN_UP, earliest[nobody])
            lanes, who, last, earliest = lanes[~nobody], who[~nobody], last[~nobody], earliest[~nobody]
        self.who[lanes] = who
        self.comes[lanes] = np.maximum(earliest, self.people.comes[lanes, last])

    def _room(self, lanes: Ints) -> Ints:
        """How many more patients the cohort under way takes now; beside a sentinel that is alone, none."""
        frame = self.frame[lanes]
        alone = self.sentinels.alone(lanes, frame, self.counts[lanes].sum(axis=1))
        return np.where(alone, 1, self.frames.size[frame]) - self.inside[lanes]

    def enter(self, lanes: Ints) -> None:
        """The next patient enters, or all of a cohort that enters together."""
        day, who = self.comes[lanes].copy(), self.who[lanes].copy()
        asks = self.frames.mode[self.frame[lanes]] == ROLLING
        if asks.any():
            rolling = lanes[asks]
            self.decide(rolling, self.asked[rolling], day[asks])
        many = self._room(lanes) if self.accrual == "whole-cohort" else np.ones(len(lanes), np.int32)
        self.people.need(int((who + many).max()))
        for further in range(int(many.max())):
            some = many > further
            self._enter(lanes[some], who[some] + further, day[some])
        self.next[lanes], self.last[lanes] = who + many, day
        self.entered[lanes] += many
        frame = self.frame[lanes]
        full = (self.inside[lanes] == self.frames.size[frame]) & (
            (self.frames.mode[frame] == ENTERING) | (self.frames.silent[frame] != 0)
        )
        self.frame[lanes[full]] = self.frames.after(frame[full], np.full(full.sum(), self.goes_on, np.int32))
        self.inside[lanes[full]], self.place[lanes[full]] = 0, -1
        many_more = self.entered[lanes] >= MAX_PATIENTS
        self._stop(lanes[many_more], GIVEN_UP, day[many_more])
        self.look(lanes[~many_more], day[~many_more])

    def _enter(self, lanes: Ints, who: Ints, day: Floats) -> None:
        """One patient enters each of some trials."""
        frames, frame = self.frames, self.frame[lanes]
        level, part = frames.at[frame], frames.part[frame]
        outcome, known = self._fate(lanes, who, level, day)
        beside = frames.silent[frame] != 0
        lines = self.register.add(
            lane=lanes, person=who, part=part, level=level, outcome=outcome, entered=day, known=known,
            cohort=np.where(beside, -1 - self.cohort[lanes], self.cohort[lanes]), opening=self.openings[lanes, level],
        )  # fmt: skip
        self.sentinels.enter(lanes, frame, self.inside[lanes] == 0, day)
        self.inside[lanes] += 1
        entering = frames.mode[frame] == ENTERING
        if entering.any():
            arrival = self.records.change(Arrival(1))
            some, at = lanes[entering], level[entering]
            self.codes[some, at], self.place[some] = self.records.apply(arrival, self.codes[some, at]), -1
        free = np.argmax(self.awaited[:, lanes], axis=0)
        if np.isfinite(self.awaited[free, lanes]).any():
            self.awaited = np.concatenate([self.awaited, np.full_like(self.awaited, inf)])
            self.line = np.concatenate([self.line, np.zeros_like(self.line)])
            free = np.argmax(self.awaited[:, lanes], axis=0)
        self.awaited[free, lanes], self.line[free, lanes] = known, lines

    def _fate(self, lanes: Ints, who: Ints, level: Ints, day: Floats) -> tuple[Ints, Floats]:
        """What becomes of patients at a level, and when that is known."""
        clock, people = self.clock, self.people
        tolerance, onset = people.tolerance[lanes, who], people.onset[lanes, who]
        outcome, after = np.zeros(len(lanes), np.int32), np.full(len(lanes), clock.window)
        for number, one in reversed(list(enumerate(self.classes))):
            has = tolerance < self.limits[number, level]
            outcome[has] = one
            after[has] = clock.onset_day(onset[has], one - 1)
        if clock.drop_out:
            drawn = people.leaves[lanes, who]
            early = drawn / clock.drop_out * clock.window
            leaves = (drawn < clock.drop_out) & (early < after)
            outcome[leaves], after[leaves] = INEVALUABLE, early[leaves]
        return outcome, day + after


def _since(days: Floats, holds: NDArray[np.bool_], day: Floats) -> Floats:
    """Since when something holds of a level [trials, levels], which held before since some days."""
    return np.where(holds & np.isinf(days), day[:, None], days)
