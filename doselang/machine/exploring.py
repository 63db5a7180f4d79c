"""Exploring a machine: all reachable states, in order of the number of patients, by table look-up.

States with the same tallies have had the same number of patients, so a bucket a number of patients merges nearly all
that can be merged, and reaches every state by its shortest history first. Where the number of patients does not matter,
a state that has been met with fewer is not met again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import NDArray, packed, present
from doselang.machine.bundles import Bundles
from doselang.machine.columns import Bools
from doselang.machine.compiling import Machine
from doselang.machine.exits import Accrual
from doselang.machine.known import Known
from doselang.machine.ordering import ordered, way_round
from doselang.machine.records import Ints
from doselang.machine.sequences import Endings, Letters, concatenated, nothing
from doselang.machine.situations import Situations, every_exit
from doselang.machine.states import Frames
from doselang.machine.steps import Steps, forget, sources, taken

MAX_STATES = 5_000_000
SUSPICIOUS_PATIENTS = 64
"""From that many patients on it is asked whether the history has come back to where it was."""
MAX_PATIENTS = 1_000
"""Beyond it the number of orders of outcomes would leave the range of floating point."""


MOST_MEMORY = 3 << 30
"""So many bytes an exploration takes at most, roughly."""


class TooManyStates(Exception):
    """The machine has more states, or longer trials, than allowed; `found` is what was explored till then.

    `full` where it was not the number of states, but the memory that they take.
    """

    def __init__(self, states: int, patients: int, found: Exploration | None = None, *, full: bool = False) -> None:
        super().__init__(f"more than {states} states, {patients} patients")
        self.states, self.patients, self.found, self.full = states, patients, found, full


class Endless(TooManyStates):
    """A history comes back to where it was: from state `state` by some steps, each a state and an exit."""

    def __init__(self, found: Exploration, state: int, steps: Sequence[tuple[int, int]]) -> None:
        super().__init__(found.states, found.max_patients, found)
        self.state, self.steps = state, tuple(steps)


@frozen
class Bucket:
    """All states reached with one number of patients, in canonical order (no toxicity before toxicity).

    In a rolling part patients are counted when they enter, and there is a bucket a number of steps since then.
    States are numbered through all buckets, from `start` here. `came_from`, `came_by` are the steps that lead here, by
    the state they came from and the exit they came by, sorted by the state they lead to: those of state s stand from
    `steps[s]` on, the one of its first history first. The beginning of the trial has the step (-1, -1).
    Where exits are bundled `came_by` has the first exit of each bundle, and `bundle` the bundle.
    """

    patients: int
    start: int
    frames: Ints
    codes: Ints
    ended: Bools
    came_from: Ints
    came_by: Ints
    steps: Ints
    bundle: Ints | None = None

    def __len__(self) -> int:
        return len(self.frames)


@frozen
class Returns:
    """Steps to states that were met before, `leads_to`, with `patients` after them; see `Bucket` for the others."""

    patients: int
    leads_to: Ints
    came_from: Ints
    by: Ints


@frozen(eq=False)
class EveryStep:
    """The steps of an exploration, one after another: first those of the buckets, then those to states met before.

    `source` and `target` are states, `patients` how many patients there are after the step, `more` how many it adds.
    Where exits are bundled `exit` is the first of a `bundle`.
    """

    source: Ints
    target: Ints
    exit: Ints
    bundle: Ints | None
    patients: Ints
    more: Ints

    def __len__(self) -> int:
        return len(self.source)


Watch = Callable[[Steps, Frames], None]


@define
class Exploration:
    """An explored machine: its situations, and its buckets if they were kept."""

    machine: Machine
    frames: Frames
    situations: Situations
    buckets: list[Bucket] = field(factory=list)
    states: int = 0
    max_patients: int = 0
    first_state: dict[int, int] = field(factory=dict)
    """By situation: the first state in it, numbered through all buckets."""
    bundles: Bundles | None = None
    """The bundles of exits that the steps are taken by, None where each exit is a step of its own."""
    known: Known | None = None
    """The states met so far, None where each number of patients has states of its own."""
    returns: list[Returns] = field(factory=list)

    def patients_of_states(self) -> Ints:
        """By state: the number of patients of its bucket."""
        return _joined([np.full(len(one), one.patients) for one in self.buckets])

    def every_step(self) -> EveryStep:
        """The steps that were made, the beginning of the trial left out."""
        buckets, returns = self.buckets, self.returns
        many = _joined([np.diff(one.steps, append=len(one.came_from)) for one in buckets])
        of_state = self.patients_of_states()
        target = _joined([np.repeat(np.arange(len(many)), many), *(one.leads_to for one in returns)])
        patients = _joined([np.repeat(of_state, many), *(np.full(len(one.by), one.patients) for one in returns)])
        source = _joined([*(one.came_from for one in buckets), *(one.came_from for one in returns)])
        by = _joined([one.came_by if one.bundle is None else one.bundle for one in buckets] + [r.by for r in returns])
        made = np.flatnonzero(source >= 0)
        source, target, by, patients = source[made], target[made], by[made], patients[made]
        exits, bundle = (by, None) if self.bundles is None else (self.bundles.exit[by], by)
        return EveryStep(source, target, exits, bundle, patients, patients - of_state[source])

    def state(self, number: int) -> tuple[Bucket, int]:
        """Bucket and position of a state by its number."""
        bucket = self.buckets[bisect_right(self.buckets, number, key=attrgetter("start")) - 1]
        return bucket, number - bucket.start

    def step_to(self, number: int) -> tuple[int, int]:
        """The step to a state in its first history: the state it comes from, and the exit; (-1, -1) where none."""
        bucket, position = self.state(number)
        step = bucket.steps[position]
        return int(bucket.came_from[step]), int(bucket.came_by[step])


@define
class _Chunk:
    """Candidates for a bucket, parent-major."""

    frames: Ints
    codes: Ints
    came_from: Ints
    by: Ints
    """The exit, or the bundle of exits."""
    letters: Letters | None


def explore(
    machine: Machine, accrual: Accrual = "one-at-a-time", *, histories: bool = False,
    max_states: int = MAX_STATES, max_patients: int = MAX_PATIENTS, watch: Watch | None = None,
    known_gates: frozenset[tuple[int, int]] | None = None,
    met: Exploration | None = None, begin: tuple[Ints, Ints] | None = None, once: bool = False,
) -> Exploration:  # fmt: skip
    """Explore all reachable states.

    With `histories` states stand in canonical order, so that the first step into each is that of its first history.
    `watch` sees every step. With `once`, where there is no rolling part, a state is met once, with the fewest patients
    that lead to it, and the exits by which a cohort leaves the same state behind are one step. `begin` has the frames
    and codes of the states to begin from, instead of the beginning of the trial, by the numbers of an exploration of
    the same machine, whose situations `met` keeps. Raises TooManyStates, Endless where histories without end are
    found, and OverflowError where a cohort has too many outcomes.
    """
    frames = Frames(machine) if met is None else met.frames
    situations = Situations(machine, frames, accrual, known_gates) if met is None else met.situations
    found = Exploration(machine, frames, situations)
    if once and not any(part.part.rolling for part in machine.parts):
        found.bundles, found.known = Bundles(situations), Known(machine.levels)
    if begin is None:
        frame, codes = frames.first()
        begin = np.array([frame], np.int32), codes
    none = np.full(len(begin[0]), -1, np.int32)
    endings = Endings(1 + len(machine.protocol.toxicities))
    letters = nothing(len(none), endings.classes) if histories else None
    waiting = {(0, 0): [_Chunk(*begin, none, none, letters)]}
    suspicious = SUSPICIOUS_PATIENTS
    while waiting:
        patients, steps = min(waiting)
        bucket, letters = _merge(waiting.pop((patients, steps)), found, patients)
        if not len(bucket):
            continue
        found.states += len(bucket)
        if found.states > max_states or patients > max_patients:
            raise TooManyStates(found.states, patients, found)
        found.buckets.append(bucket)
        found.max_patients = patients
        if patients >= suspicious:
            suspicious *= 2
            _refuse_endless(found)
        if _memory(found, waiting) > MOST_MEMORY:
            raise TooManyStates(found.states, patients, found, full=True)
        for part in range(len(machine.parts)):
            running = np.flatnonzero(~bucket.ended & (frames.part[bucket.frames] == part))
            if len(running):
                after = steps + 1 if machine.protocol.parts[part].rolling else 0
                made, by = _step(found, bucket, part, running, watch)
                forget(frames, part, made.codes, made.frames)
                ends = None if letters is None else endings.of(situations.letters)
                for more, chunk in _chunks(made, bucket.start, by, letters, ends):
                    waiting.setdefault((patients + more, after), []).append(chunk)
    if found.known is not None:
        _put_in_order(found)
    return found


def _memory(found: Exploration, waiting: dict[tuple[int, int], list[_Chunk]]) -> int:
    """How many bytes the states take, roughly: those that are kept, and the steps that lead to others."""
    width = 4 * found.machine.levels + 16
    there = sum(len(chunk.frames) for chunks in waiting.values() for chunk in chunks)
    written = [chunk.letters for chunks in waiting.values() for chunk in chunks if chunk.letters is not None]
    letters = sum(one.words.nbytes + one.length.nbytes for one in written)
    known = 0 if found.known is None else found.known.words.nbytes + found.known.places.nbytes
    return (found.states + there) * width + letters + known


def _merge(chunks: list[_Chunk], found: Exploration, patients: int) -> tuple[Bucket, Letters | None]:
    """The bucket of some candidates, and the letters of its states."""
    number = np.concatenate([chunk.frames for chunk in chunks])
    codes = np.concatenate([chunk.codes for chunk in chunks])
    came_from = np.concatenate([chunk.came_from for chunk in chunks])
    by = np.concatenate([chunk.by for chunk in chunks])
    written = [chunk.letters for chunk in chunks if chunk.letters is not None]
    letters = concatenated(written) if written else None
    if letters is not None:
        order = letters.order()
        number, codes, letters = number[order], codes.take(order, axis=0), letters.take(order)
        came_from, by = came_from[order], by[order]
    key = packed(np.vstack([number, codes.T]))
    _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
    rank = np.argsort(index, kind="stable")
    place = np.empty_like(rank)
    place[rank] = np.arange(len(rank))
    index, leads_to = index[rank], place[inverse]
    if found.known is not None:
        met, words = found.known.of(number[index], codes.take(index, axis=0))
        found.known.add(words[met < 0])
        there = met[leads_to]
        back, on = np.flatnonzero(there >= 0), np.flatnonzero(there < 0)
        if len(back):
            found.returns.append(Returns(patients, there[back], came_from[back], by[back]))
        came_from, by, leads_to = came_from[on], by[on], (np.cumsum(met < 0) - 1)[leads_to[on]]
        index = index[met < 0]
    by_state = np.argsort(leads_to, kind="stable")
    steps = np.searchsorted(leads_to[by_state], np.arange(len(index))).astype(np.int32)
    number, codes, came_from, by = number[index], codes.take(index, axis=0), came_from[by_state], by[by_state]
    bundle = None if found.bundles is None or not found.buckets else by
    came_by = by if found.bundles is None or bundle is None else found.bundles.exit[bundle]
    ended = found.frames.ended[number] != 0
    bucket = Bucket(patients, found.states, number, codes, ended, came_from, came_by, steps, bundle)
    return bucket, None if letters is None else letters.take(index)


def _step(
    found: Exploration, bucket: Bucket, part: int, running: Ints, watch: Watch | None
) -> tuple[Steps, Ints]:  # fmt: skip
    """Every step out of the running states of one part, and the exit or the bundle of exits that each is taken by."""
    frames, situations = found.frames, found.situations
    numbers, codes = bucket.frames[running], bucket.codes.take(running, axis=0)
    rows = situations.of(part, numbers, codes)
    first = np.empty(len(situations.rows), np.int64)
    first[rows[::-1]] = np.arange(len(rows))[::-1]
    for row in present(rows):
        if row not in found.first_state:
            found.first_state[row] = bucket.start + int(running[first[row]])
    if found.bundles is None:
        state, by = every_exit(situations, rows)
        exits = by
    else:
        state, by = found.bundles.out_of(rows, codes[np.arange(len(codes)), frames.at[numbers]])
        exits = found.bundles.exit[by]
    there = sources(bucket.frames, bucket.codes, bucket.start, bucket.patients)
    made = taken(found.situations, there, running[state].astype(np.int32), exits, situations.branch[exits])
    if watch is not None:
        watch(made, frames)
    return made, by.astype(np.int32)


def _chunks(
    made: Steps, start: int, by: Ints, letters: Letters | None, endings: Letters | None
) -> Iterator[tuple[int, _Chunk]]:  # fmt: skip
    """The states that some steps lead to, by the number of patients of the steps."""
    for more in present(made.patients):
        some = np.flatnonzero(made.patients == more)
        state = made.state[some]
        written = None
        if letters is not None and endings is not None:
            written = letters.take(state).then(endings.take(made.exit[some]))
        came_from = (start + state).astype(np.int32)
        yield more, _Chunk(made.frames[some], made.codes.take(some, axis=0), came_from, by[some], written)


def _put_in_order(found: Exploration) -> None:
    """Find the most patients of a machine each of whose states was met once; raise Endless if there is no most."""
    made = found.every_step()
    order = ordered(found.states, made.source, made.target, made.more)
    if order.depth.min(initial=0) < 0:
        way = way_round(found.states, made.source, made.target)
        assert way is not None
        steps = zip(made.source[way].tolist(), made.exit[way].tolist(), strict=True)
        raise Endless(found, int(made.source[way[0]]), list(steps))
    found.max_patients = int(order.patients.max(initial=0))


def _refuse_endless(found: Exploration) -> None:
    """Raise Endless if a history of the last bucket comes back to a state, or to one that behaves alike."""
    bucket = found.buckets[-1]
    if found.known is None:
        for state in np.flatnonzero(~bucket.ended)[:8].tolist():
            _refuse_alike(found, bucket.start + state)
    elif found.returns and found.returns[-1].patients == bucket.patients:
        last = found.returns[-1]
        exits = last.by if found.bundles is None else found.bundles.exit[last.by]
        first = [column[:8].tolist() for column in (last.leads_to, last.came_from, exits)]
        for state, source, exit in zip(*first, strict=True):
            steps = [(source, exit)]
            while steps[-1][0] not in (state, -1):
                steps.append(found.step_to(steps[-1][0]))
            if steps[-1][0] == state:
                raise Endless(found, state, steps[::-1])


def _refuse_alike(found: Exploration, state: int) -> None:
    """Raise Endless if the history of a state holds two states that behave alike."""
    seen: dict[bytes, int] = {}
    steps: list[tuple[int, int]] = []
    while state >= 0:
        there, position = found.state(state)
        key = there.frames[position].tobytes() + there.codes[position].tobytes()
        if key in seen:
            raise Endless(found, state, steps[seen[key] :][::-1])
        seen[key] = len(steps)
        steps.append(found.step_to(state))
        state = steps[-1][0]


def _joined(arrays: Sequence[NDArray[np.integer[Any]]]) -> Ints:
    return np.concatenate(arrays).astype(np.int32, copy=False)
