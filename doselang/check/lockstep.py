"""Two machines explored in step: pairs of states that one history leads to, as long as both decide alike.

What counts as a decision is what can be seen of the trial afterwards: which levels are closed, what is declared, and
what comes next. As both have decided alike so far, the same patients are under way in the two states of a pair.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

import numpy as np
from attrs import define, field, frozen

from doselang.check.counterparts import Counterparts
from doselang.check.joint import Joints
from doselang.check.sides import Side
from doselang.machine.arrays import NDArray, pack, present, ranges
from doselang.machine.columns import Bools
from doselang.machine.compiling import Machine
from doselang.machine.course import Environment
from doselang.machine.exits import Accrual
from doselang.machine.exploring import (
    MAX_PATIENTS,
    MOST_MEMORY,
    SUSPICIOUS_PATIENTS,
    Exploration,
    TooManyStates,
)
from doselang.machine.notation import Group, history_from
from doselang.machine.records import CLOSED, FIRST_SIZE, Ints
from doselang.machine.situations import Situations
from doselang.machine.states import ROLLING, Frames
from doselang.machine.steps import forget, sources, taken
from doselang.machine.weights import Floats, outcome_powers
from doselang.protocol.model import Scenario

NOTHING = np.zeros(0, np.int32)


@frozen
class Pairs:
    """Pairs of states with one number of patients, as far as they are needed to find histories again.

    By pair: the frames of both; the pair it was reached from, the exits of both, and the event.
    """

    start: int
    frames: tuple[Ints, Ints]
    came_from: Ints
    exits: tuple[Ints, Ints]
    event: Ints


@define
class Parted:
    """Looks at which the two decide differently in one way: how often, how probably, and the first of them."""

    pair: int
    event: int
    order: tuple[int, bytes]
    situations: int
    probability: Floats


@define
class _Chunk:
    """Candidates for a bucket of pairs, in canonical order of the pairs they come from."""

    frames: tuple[Ints, Ints]
    codes: tuple[Ints, Ints]
    came_from: Ints
    exits: tuple[Ints, Ints]
    event: Ints
    letters: NDArray[np.bytes_]
    weights: Floats

    def take(self, rows: Ints | NDArray[np.int64]) -> _Chunk:
        return _Chunk(
            (self.frames[0][rows], self.frames[1][rows]), (self.codes[0][rows], self.codes[1][rows]),
            self.came_from[rows], (self.exits[0][rows], self.exits[1][rows]), self.event[rows], self.letters[rows],
            self.weights[rows],
        )  # fmt: skip


@define
class Lockstep:
    """The exploration of all pairs, with what it has found.

    The probabilities are those of the first protocol's `scenarios`, and mean something only where the accrual says
    what comes first. With `every` no pair is left out because it was met before, so that they are complete.
    """

    machines: tuple[Machine, Machine]
    counterparts: Counterparts
    accrual: Accrual
    scenarios: tuple[Scenario, ...]
    max_states: int
    every: bool = False
    sides: tuple[Side, Side] = field(init=False)
    joints: Joints = field(init=False)
    pairs: int = 0
    parted: dict[object, Parted] = field(factory=dict)
    buckets: list[Pairs] = field(factory=list)
    returned: bool = False
    """Whether a pair was left out that had been met before: then probabilities are not complete."""
    unfinished: Floats = field(init=False)
    """The probability, by scenario, of trials that go on beyond the most patients."""
    statuses: set[tuple[int, ...]] = field(factory=set)
    begins_alike: bool = True
    _rates: Floats = field(init=False)
    _powers: Floats = field(init=False)
    _chances: dict[tuple[int, int], Floats] = field(factory=dict)
    _met: set[bytes] = field(factory=set)
    _waiting: dict[tuple[int, int], list[_Chunk]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        first = self.machines[0]
        found = []
        for machine in self.machines:
            frames = Frames(machine)
            found.append(Exploration(machine, frames, Situations(machine, frames, self.accrual)))
        seen: dict[object, int] = {}
        same = tuple(range(len(first.protocol.parts))), tuple(range(len(first.protocol.verdicts)))
        theirs = self.counterparts
        self.sides = Side(found[0], *same, seen), Side(found[1], theirs.parts, theirs.verdicts, seen)
        toxic = [theirs.toxicities.index(t) for t in range(len(first.protocol.toxicities))]
        self.joints = Joints((found[0], found[1]), (0, *(1 + t for t in toxic)))
        shape = (len(self.scenarios), len(first.protocol.toxicities), first.levels)
        self._rates = np.array([scenario.rates for scenario in self.scenarios], float).reshape(shape)
        self._powers = outcome_powers(self._rates, 1)
        self.unfinished = np.zeros(len(self.scenarios))

    # ---- exploring ----

    def run(self) -> None:
        """Explore. Raises TooManyStates where there are more pairs, or longer trials, than allowed."""
        begun = [side.found.frames.first() for side in self.sides]
        frames = tuple(np.array([number], np.int32) for number, _ in begun)
        visible = [side.visible(one) for side, one in zip(self.sides, frames, strict=True)]
        self.begins_alike = bool(visible[0] == visible[1])
        if not self.begins_alike:
            return
        none = np.full(1, -1, np.int32)
        weights = np.ones((1, len(self.scenarios)))
        both = (frames[0], frames[1]), (begun[0][1], begun[1][1])
        self._waiting = {(0, 0): [_Chunk(*both, none, (none, none), none, np.array([b""], "S1"), weights)]}
        while self._waiting:
            patients, steps = min(self._waiting)
            chunk = self._merged(self._waiting.pop((patients, steps)), patients)
            if patients > MAX_PATIENTS:
                if not self.every:
                    raise TooManyStates(self.pairs, patients)
                self.unfinished += chunk.weights.sum(axis=0)
                continue
            start = self.pairs
            self.pairs += len(chunk.event)
            if self.pairs > self.max_states:
                raise TooManyStates(self.pairs, patients)
            if self._memory() > MOST_MEMORY:
                raise TooManyStates(self.pairs, patients, full=True)
            self.buckets.append(Pairs(start, chunk.frames, chunk.came_from, chunk.exits, chunk.event))
            self._note_environments(chunk.codes[0])
            of = self.sides[0].found.frames
            running = np.flatnonzero(of.ended[chunk.frames[0]] == 0)
            for part in present(of.part[chunk.frames[0][running]]) if len(running) else ():
                some = running[of.part[chunk.frames[0][running]] == part].astype(np.int32)
                rolling = self.machines[0].protocol.parts[part].rolling
                self._step(chunk.take(some), start + some, part, patients, steps + 1 if rolling else 0)

    def _memory(self) -> int:
        """How many bytes the pairs take, roughly."""
        there = sum(len(chunk.event) for chunks in self._waiting.values() for chunk in chunks)
        letters = sum(chunk.letters.nbytes for chunks in self._waiting.values() for chunk in chunks)
        width = 8 * self.machines[0].levels + 8 * len(self.scenarios) + 32
        return there * width + letters + 24 * self.pairs + 150 * len(self._met)

    def _merged(self, chunks: list[_Chunk], patients: int) -> _Chunk:
        """One row for all candidates that are the same pair; the first of them in canonical order stands for it."""
        whole = _Chunk(
            (_joined(chunk.frames[0] for chunk in chunks), _joined(chunk.frames[1] for chunk in chunks)),
            (_joined(chunk.codes[0] for chunk in chunks), _joined(chunk.codes[1] for chunk in chunks)),
            _joined(chunk.came_from for chunk in chunks),
            (_joined(chunk.exits[0] for chunk in chunks), _joined(chunk.exits[1] for chunk in chunks)),
            _joined(chunk.event for chunk in chunks), np.concatenate([chunk.letters for chunk in chunks]),
            np.concatenate([chunk.weights for chunk in chunks]),
        )  # fmt: skip
        whole = whole.take(np.argsort(whole.letters, kind="stable"))
        columns = np.column_stack([*whole.frames, *whole.codes]).astype(np.int32)
        _, index, inverse = np.unique(pack(columns), return_index=True, return_inverse=True)
        weights = np.zeros((len(index), len(self.scenarios)))
        np.add.at(weights, inverse.ravel(), whole.weights)
        order = np.argsort(index, kind="stable")
        merged = whole.take(index[order])
        merged.weights = weights[order]
        if self.every or patients < SUSPICIOUS_PATIENTS:
            return merged
        keys = [row.tobytes() for row in columns[index[order]]]
        new = np.array([number for number, key in enumerate(keys) if key not in self._met], np.int64)
        self._met.update(keys)
        self.returned |= len(new) < len(keys)
        return merged.take(new)

    def _note_environments(self, codes: Ints) -> None:
        """Note which levels are tried, and which closed."""
        records = self.machines[0].records
        status = (records.column(FIRST_SIZE) > 0) + 2 * (records.column(CLOSED) > 0).astype(np.int32)
        found = status[codes]
        self.statuses.update(map(tuple, found[np.unique(pack(found), return_index=True)[1]].tolist()))

    @property
    def environments(self) -> tuple[Environment, ...]:
        """What the trial can bring about while both decide alike, in order."""
        tried = [(tuple(bool(s & 1) for s in one), tuple(bool(s & 2) for s in one)) for one in self.statuses]
        return tuple(sorted(Environment(*one) for one in tried))

    def _step(self, pairs: _Chunk, numbers: Ints, part: int, patients: int, steps: int) -> None:
        """Every event of some running pairs of one part."""
        theirs = int(self.sides[1].found.frames.part[pairs.frames[1][0]])
        parts, joints = (part, theirs), self.joints
        rows = [
            side.found.situations.of(number, frames, codes)
            for side, number, frames, codes in zip(self.sides, parts, pairs.frames, pairs.codes, strict=True)
        ]
        first, count = joints.of((rows[0], rows[1]), self.sides[0].found.frames.mode[pairs.frames[0]])
        state, event = ranges(first, count)
        chance = self._chance(event, self.sides[0].found.frames.at[pairs.frames[0][state]])
        weights = np.where(chance > 0, pairs.weights[state] * chance, 0.0)
        ways = joints.column("ways")[event]
        differ = ways[:, 0] != ways[:, 1]
        go_on = np.flatnonzero(~differ)
        link, exits, made, alike = self._decided(pairs, state, event, go_on, parts)
        differ[link[~alike]] = True
        kept = np.flatnonzero(~differ[link])
        letters = np.char.add(pairs.letters[state], joints.digits[event])
        self._part(np.flatnonzero(differ), part, numbers[state], event, patients, letters, weights)
        link = link[kept]
        branches = self.sides[0].found.situations.branch[exits[0][kept]]
        chosen = self._choice(part, branches)
        moved = weights[link]
        moved = np.where(moved > 0, moved * chosen, 0.0)
        after = []
        for side, number, codes, frames in zip(self.sides, parts, made[0], made[1], strict=True):
            codes, frames = codes[kept], frames[kept]
            forget(side.found.frames, number, codes, frames)
            after.append((frames, codes))
        entered = joints.column("patients")[event[link]]
        whole = _Chunk(
            (after[0][0], after[1][0]), (after[0][1], after[1][1]), numbers[state[link]].astype(np.int32),
            (exits[0][kept], exits[1][kept]), event[link].astype(np.int32), letters[link], moved,
        )  # fmt: skip
        for more in np.unique(entered).tolist():
            self._waiting.setdefault((patients + more, steps), []).append(whole.take(np.flatnonzero(entered == more)))

    def _decided(
        self, pairs: _Chunk, state: Ints, event: Ints, asked: NDArray[np.int64], parts: tuple[int, int]
    ) -> tuple[NDArray[np.int64], list[Ints], tuple[list[Ints], list[Ints]], Bools]:
        """What both decide at some events (positions in `event`), way by way as people choose, and whether it is alike.

        The event of each way, the exits of both, their codes and frames afterwards. Where people choose, the ways of
        both are set side by side by what they lead to.
        """
        many = self.joints.column("ways")[event[asked], 0]
        link = np.repeat(asked, many)
        within = np.arange(len(link)) - np.repeat(np.cumsum(many) - many, many)
        exits, codes, frames, shown = [], [], [], []
        for side, name, number, of, had in zip(
            self.sides, ("first", "second"), parts, pairs.frames, pairs.codes, strict=True
        ):
            exit = (self.joints.column(name)[event[link]] + within).astype(np.int32)
            branch = side.found.situations.branch[exit]
            made = taken(side.found.situations, sources(of, had), state[link].astype(np.int32), exit, branch)
            closed = (side.found.machine.records.column(CLOSED)[made.codes] > 0).astype(np.int32)
            drawn, tie = side.drawn(number, branch) if (many > 1).any() else (np.zeros_like(exit),) * 2
            exits.append(exit)
            codes.append(made.codes)
            frames.append(made.frames)
            shown.append(np.column_stack([link, closed, side.visible(made.frames), drawn, tie]).astype(np.int32))
        key = pack(np.concatenate([one[:, :-1] for one in shown]))
        keys = [key[: len(link)], key[len(link) :]]
        if (many > 1).any():
            orders = [np.lexsort((one[:, -1], key)) for one, key in zip(shown, keys, strict=True)]
            exits, codes, frames, keys = (
                [one[order] for one, order in zip(some, orders, strict=True)] for some in (exits, codes, frames, keys)
            )
        return link, exits, (codes, frames), keys[0] == keys[1]

    # ---- chances ----

    def _chance(self, event: Ints, at: Ints) -> Floats:
        """The chance of each event by scenario, at the level whose patients are under way."""
        used, which = np.unique(event, return_inverse=True)
        events = [self.joints.events[number] for number in used.tolist()]
        counts = np.array([one.counts for one in events], np.int64)[which.ravel()]
        if len(counts) and int(counts.max()) >= len(self._powers):
            self._powers = outcome_powers(self._rates, int(counts.max()))
        level = at + np.array([one.aside for one in events], np.int64)[which.ravel()]
        orders = np.array([one.orders for one in events])[which.ravel()]
        chance: Floats = np.repeat(orders[:, None], len(self.scenarios), axis=1)
        for outcome in range(counts.shape[1]):
            chance *= self._powers[counts[:, outcome], outcome, level]
        return chance

    def _choice(self, part: int, branches: Ints) -> Floats:
        """The chance of what people choose, by branch of the first protocol and scenario; not a number if unknown."""
        found, which = np.unique(branches, return_inverse=True)
        for number in found.tolist():
            if (part, number) not in self._chances:
                chance = np.ones(len(self.scenarios))
                for gate, option in self.sides[0].found.frames.branches[number].choices:
                    for k, scenario in enumerate(self.scenarios):
                        told = self.machines[0].chances(scenario, part, gate)
                        chance[k] *= np.nan if told is None else told[option]
                self._chances[part, number] = chance
        table = np.array([self._chances[part, number] for number in found.tolist()], float)
        chosen: Floats = table.reshape(len(found), len(self.scenarios))[which.ravel()]
        return chosen

    # ---- where they part ----

    def _part(
        self, rows: NDArray[np.int64], part: int, numbers: Ints, event: Ints, patients: int,
        letters: NDArray[np.bytes_], weights: Floats,
    ) -> None:  # fmt: skip
        """Note the looks at which the two decide differently."""
        for row in rows.tolist():
            one = self.joints.events[int(event[row])]
            order = (patients + one.patients, bytes(letters[row]))
            key = part, one.ways, one.outcome
            known = self.parted.get(key)
            if known is None:
                nothing = np.zeros(len(self.scenarios))
                known = self.parted[key] = Parted(int(numbers[row]), int(event[row]), order, 0, nothing)
            elif order < known.order:
                known.pair, known.event, known.order = int(numbers[row]), int(event[row]), order
            known.situations += 1
            known.probability = known.probability + weights[row]

    def history(self, pair: int, side: int) -> tuple[Group, ...]:
        """The first history to a pair, as the first protocol (0) or the second (1) writes it."""
        steps, outcomes = [], []
        while True:
            bucket = self._bucket(pair)
            row = pair - bucket.start
            before, exit, event = int(bucket.came_from[row]), int(bucket.exits[side][row]), int(bucket.event[row])
            if before < 0:
                break
            there = self._bucket(before)
            steps.append((int(there.frames[side][before - there.start]), exit))
            outcomes.append(self.digits(event, side))
            pair = before
        return history_from(self.sides[side].found.situations, steps[::-1], outcomes[::-1])

    def digits(self, event: int, side: int) -> str:
        """The outcomes of an event, in the toxicities of one of the protocols."""
        digits = self.joints.events[event].digits
        return digits if side == 0 else "".join(str(self.joints.own[int(digit)]) for digit in digits)

    def frame(self, pair: int, side: int) -> int:
        """The frame of one state of a pair."""
        bucket = self._bucket(pair)
        return int(bucket.frames[side][pair - bucket.start])

    def rolling(self, pair: int) -> bool:
        """Whether at a pair anything can come: an arrival or an outcome."""
        return int(self.sides[0].found.frames.mode[self.frame(pair, 0)]) == ROLLING

    def _bucket(self, pair: int) -> Pairs:
        return self.buckets[bisect_right(self.buckets, pair, key=attrgetter("start")) - 1]


def _joined(arrays) -> Ints:  # type: ignore[no-untyped-def]
    return np.concatenate(list(arrays))
