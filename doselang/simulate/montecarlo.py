"""Simulated operating characteristics: trials as counts on states, moved on cohort by cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.random import Generator, SeedSequence, default_rng

from doselang.diagnostics import trouble
from doselang.machine.arrays import NDArray, pack
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_PATIENTS
from doselang.machine.notation import Group, history_from, patients_of
from doselang.machine.records import Ints
from doselang.machine.situations import Situations
from doselang.machine.states import Frames
from doselang.machine.weights import Floats, kinds_of
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import (
    Characteristics,
    PartFigures,
    Patients,
    StandardErrors,
    Toxic,
    TrialFigures,
    VerdictFigures,
)
from doselang.simulate.exact import Gates, known_gates, limits_as_trouble, scenario_arrays
from doselang.simulate.scenarios import checked, refuse_without_clock
from doselang.simulate.totals import Results, Totals, characteristics

Counts = NDArray[np.int64]

TRIALS = 100_000
"""So many trials where nobody asks for a number."""
MOST_TRIALS = 100_000_000

BATCH = 1 << 18
"""So many trials are under way at once, however many are asked for: each may be in a state of its own."""


def monte_carlo(
    protocol: Protocol, scenarios: Sequence[Scenario], accrual: Accrual = "one-at-a-time", *, trials: int, seed: int,
    error: float | None = None, most_trials: int = MOST_TRIALS,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """The operating characteristics under each scenario, from `trials` simulated trials each, with standard errors.

    With `error` trials are added until no probability of a result has a larger standard error, or there are
    `most_trials`.

    The machine is followed only where trials go, so that it may be of any size, or without end: a trial with
    MAX_PATIENTS patients is given up, and counted as undecided. The same seed, scenarios and version of numpy give
    the same figures. Raises Trouble DL903 for no trials, a negative seed, a scenario that does not fit the protocol, or
    where only a clock tells what comes first, DL704 where a cohort has too many outcomes.
    """
    if trials < 1:
        raise trouble("DL903", f"The number of trials must be at least 1, not {trials}.")
    if seed < 0:
        raise trouble("DL903", f"The seed must not be negative, and it is {seed}.")
    refuse_without_clock(protocol)
    machine = compile_protocol(protocol)
    by_gates: dict[Gates, Simulator] = {}
    found = []
    for scenario, stream in zip(scenarios, SeedSequence(seed).spawn(len(scenarios)), strict=True):
        known = known_gates(machine, checked(protocol, scenario))
        simulator = by_gates.setdefault(known, Simulator(Situations(machine, Frames(machine), accrual, known)))
        with limits_as_trouble():
            sums, number = simulator.sums(), 0
            generator, wanted = default_rng(stream), trials
            while number < wanted:
                simulator.run(scenario, wanted - number, generator, sums)
                number = wanted
                made = characteristics(
                    simulator.results, scenario, accrual, "montecarlo", simulator.totals(sums, number),
                    trials=number, seed=seed,
                )  # fmt: skip
                if error is not None:
                    wanted = min(most_trials, max(number, _needed(made, error)))
        found.append(with_errors(made, sums.spread(number), number))
    return tuple(found)


@define
class Lanes:
    """Trials with one number of patients, by state: one row for all trials that are in one.

    `trials[s]` is how many they are; `source`, `exit` the step that led here first, `source` a row of the bucket of
    number `bucket[s]`; `mean[s, c]` and `square[s, c]` are moments over these trials of what `Columns` counts.
    """

    frames: Ints
    codes: Ints
    trials: Counts
    bucket: Ints
    source: Ints
    exit: Ints
    mean: Floats
    square: Floats

    def __len__(self) -> int:
        return len(self.frames)

    def add(self, column: Ints | int, number: Ints) -> None:
        """Count so many more in a column of each row."""
        rows = np.arange(len(self))
        self.square[rows, column] += number * (2 * self.mean[rows, column] + number)
        self.mean[rows, column] += number


@frozen
class Columns:
    """What is counted in each trial: patients and toxicities by level, those of the first part and those of all parts,
    and in all those of each part and those of all parts. With one part all parts are the first, and counted once.
    """

    levels: int
    parts: int

    @property
    def width(self) -> int:
        return 2 * self.levels * self.scopes + 2 * (self.parts + self.scopes - 1)

    @property
    def scopes(self) -> int:
        """What is counted by level: the first part, and the whole trial where there are several parts."""
        return 1 if self.parts == 1 else 2

    def count(self, lanes: Lanes, part: int, level: Ints, patients: Ints, dlts: Ints) -> None:
        """Count a cohort of each row."""
        for scope in range(part > 0, self.scopes):
            lanes.add(2 * self.levels * scope + level, patients)
            lanes.add(2 * self.levels * scope + self.levels + level, dlts)
        totals = 2 * self.levels * self.scopes
        for line in (part, self.parts)[: self.scopes]:
            lanes.add(totals + 2 * line, patients)
            lanes.add(totals + 2 * line + 1, dlts)


@define
class Sums:
    """Sums over the trials of a scenario: of ended frames, sizes of the first part and of the whole trial, patients and
    toxicities [parts, levels], moments.
    """

    patients: Counts
    dlts: Counts
    mean: Floats
    square: Floats
    ends: Counter[int] = field(factory=Counter)
    sizes: Counter[int] = field(factory=Counter)
    whole: Counter[int] = field(factory=Counter)
    unbounded: int = 0
    histories: dict[int, tuple[Group, ...]] = field(factory=dict)

    def spread(self, trials: int) -> Floats:
        """The standard error of the mean of each column.

        Trials in one state are alike from there on, whatever led them there. So the moments of those that leave it
        may be taken to be those of all that were in it, and squares can be summed without keeping trials apart.
        """
        variance = self.square / trials - (self.mean / trials) ** 2
        return np.sqrt(np.maximum(variance, 0.0) / trials)

    def history(self, frames: Sequence[int]) -> tuple[Group, ...]:
        """The shortest history met that ended in one of some frames."""
        return min((self.histories[frame] for frame in frames), key=patients_of)


@define
class Simulator:
    """Runs trials; the situations met are kept from one scenario to the next."""

    situations: Situations
    results: Results = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.results = Results(self.situations.frames)

    @property
    def machine(self) -> Machine:
        return self.situations.machine

    @property
    def columns(self) -> Columns:
        return Columns(self.machine.levels, len(self.machine.parts))

    def sums(self) -> Sums:
        """Sums over no trials yet."""
        counts, nothing = np.zeros((self.columns.parts, self.columns.levels), np.int64), np.zeros(self.columns.width)
        return Sums(counts, counts.copy(), nothing, nothing.copy())

    def run(self, scenario: Scenario, trials: int, generator: Generator, sums: Sums) -> None:
        """Simulate a number of trials, and add them to the sums."""
        for begun in range(0, trials, BATCH):
            batch = _Batch(self.situations, self.results, scenario, generator, self.columns, sums)
            batch.run(min(BATCH, trials - begun))

    def totals(self, sums: Sums, trials: int) -> Totals:
        """The sums as shares of all trials."""
        return Totals(
            {frame: number / trials for frame, number in sorted(sums.ends.items())},
            {size: number / trials for size, number in sorted(sums.sizes.items())},
            {size: number / trials for size, number in sorted(sums.whole.items())},
            sums.patients / trials, sums.dlts / trials, sums.history, sums.unbounded / trials,
        )  # fmt: skip


@define
class _Batch:
    """Trials under way. `buckets` are all lanes so far, without their moments, to find histories."""

    situations: Situations
    results: Results
    scenario: Scenario
    generator: Generator
    columns: Columns
    sums: Sums
    waiting: dict[tuple[int, int], list[Lanes]] = field(factory=dict)
    buckets: list[Lanes] = field(factory=list)

    def run(self, trials: int) -> None:
        frame, codes = self.situations.frames.first()
        none, nothing = np.full(1, -1, np.int32), np.zeros((1, self.columns.width))
        first = np.array([frame], np.int32)
        self.waiting[0, 0] = [Lanes(first, codes, np.array([trials]), none, none, none, nothing, nothing.copy())]
        while self.waiting:
            patients, steps = min(self.waiting)
            lanes = _merged(self.waiting.pop((patients, steps)))
            self._end(lanes, patients)
            frames, bucket = self.situations.frames, len(self.buckets)
            if patients < MAX_PATIENTS:
                for part in range(self.columns.parts):
                    running = (frames.ended[lanes.frames] == 0) & (frames.part[lanes.frames] == part)
                    if running.any():
                        after = steps + 1 if self.situations.machine.protocol.parts[part].rolling else 0
                        self._step(lanes, bucket, part, np.flatnonzero(running).astype(np.int32), patients, after)
            lanes.mean = lanes.square = np.zeros((0, 0))
            self.buckets.append(lanes)

    def _end(self, lanes: Lanes, patients: int) -> None:
        """Count the trials that have ended, and those that are given up."""
        frames, sums = self.situations.frames, self.sums
        ended = frames.ended[lanes.frames] != 0
        for row in np.flatnonzero(ended).tolist():
            number = int(lanes.frames[row])
            sums.ends[number] += int(lanes.trials[row])
            if self.results[number] is None:
                found = self._history(lanes, row)
                sums.histories[number] = min(sums.histories.get(number, found), found, key=patients_of)
        if patients >= MAX_PATIENTS and not ended.all():
            given_up = np.flatnonzero(~ended)
            sums.unbounded += int(lanes.trials[given_up].sum())
            in_first = given_up[frames.part[lanes.frames[given_up]] == 0]
            if len(in_first):
                sums.sizes[patients] += int(lanes.trials[in_first].sum())
            ended[:] = True
        if ended.any():
            sums.whole[patients] += int(lanes.trials[ended].sum())
        sums.mean += lanes.trials[ended] @ lanes.mean[ended]
        sums.square += lanes.trials[ended] @ lanes.square[ended]

    def _step(self, lanes: Lanes, bucket: int, part: int, running: Ints, patients: int, steps: int) -> None:
        """Draw the next cohort of every running trial of a part."""
        situations, frames = self.situations, self.situations.frames
        row = situations.of(part, lanes.frames[running], lanes.codes[running])
        state, exits, taken = self._drawn(running, row, lanes.trials[running], frames.at[lanes.frames[running]])
        here, at = frames.level[lanes.frames[state]], frames.at[lanes.frames[state]] + situations.aside[exits]
        codes, line = lanes.codes[state], np.arange(len(state))
        codes[line, at] = situations.machine.records.apply(situations.change[exits], codes[line, at])
        branch = situations.branch[exits]
        frames.leave(codes, here, branch)
        following = frames.after(lanes.frames[state], branch)
        codes[frames.ended[following] != 0] = 0
        after = Lanes(
            following, codes, taken, np.full(len(state), bucket, np.int32), state, exits,
            lanes.mean[state], lanes.square[state],
        )  # fmt: skip
        number, dlts = self._counted(exits, at)
        self.columns.count(after, part, at, number, dlts)
        np.add.at(self.sums.patients[part], at, taken * number)
        np.add.at(self.sums.dlts[part], at, taken * dlts)
        left = (frames.ended[following] != 0) | (frames.part[following] != 0)
        entered = situations.patients[exits]
        for more in np.unique(entered).tolist():
            some = np.flatnonzero(entered == more)
            self.waiting.setdefault((patients + more, steps), []).append(_taken(after, some))
            if part == 0 and left[some].any():
                self.sums.sizes[patients + more] += int(taken[some][left[some]].sum())

    def _counted(self, exits: Ints, levels: Ints) -> tuple[Ints, Ints]:
        """Patients, and those with a dose-limiting toxicity, of some exits."""
        kinds, kind = kinds_of(self.situations, exits, levels)
        return kinds.counts.sum(axis=1, dtype=np.int32)[kind], kinds.counts[kind, 1]

    def _drawn(self, running: Ints, rows: Ints, trials: Counts, levels: Ints) -> tuple[Ints, Ints, Counts]:
        """State, exit and number of trials of each step that trials take."""
        situations, drawn = self.situations, []
        many = situations.count[rows]
        for exits_of_each in np.unique(many).tolist():
            some = np.flatnonzero(many == exits_of_each)
            exits = situations.first[rows[some]][:, None] + np.arange(exits_of_each, dtype=np.int32)
            at = np.repeat(levels[some], exits_of_each) + situations.aside[exits.ravel()]
            kinds, kind = kinds_of(situations, exits.ravel(), at)
            chance = kinds.chance(*scenario_arrays(situations.machine, [self.scenario], kinds.options))
            taken = _multinomial(self.generator, trials[some], chance[kind, 0].reshape(exits.shape))
            state, exit = np.nonzero(taken)
            drawn.append((running[some[state]], exits[state, exit], taken[state, exit]))
        state, exit, taken = (np.concatenate(column) for column in zip(*drawn, strict=True))
        return state.astype(np.int32), exit.astype(np.int32), taken

    def _history(self, lanes: Lanes, row: int) -> tuple[Group, ...]:
        taken: list[tuple[int, int]] = []
        while lanes.bucket[row] >= 0:
            before, exit = self.buckets[lanes.bucket[row]], int(lanes.exit[row])
            row, lanes = int(lanes.source[row]), before
            taken.append((int(lanes.frames[row]), exit))
        return history_from(self.situations, reversed(taken))


def _multinomial(generator: Generator, trials: Counts, chance: Floats) -> Counts:
    """How many trials take each exit, [states, exits]. What has chance 0 never happens.

    Numpy gives the last exit whatever is left over, by rounding too: so the most probable one is put last.
    """
    order = np.argsort(chance, axis=1)
    ordered = np.take_along_axis(chance, order, axis=1)
    drawn = generator.multinomial(trials, ordered / ordered.sum(axis=1, keepdims=True))
    taken = np.empty_like(drawn)
    np.put_along_axis(taken, order, drawn, axis=1)
    return taken


def _taken(lanes: Lanes, rows: Ints | NDArray[np.int64]) -> Lanes:
    return Lanes(
        lanes.frames[rows], lanes.codes[rows], lanes.trials[rows], lanes.bucket[rows], lanes.source[rows],
        lanes.exit[rows], lanes.mean[rows], lanes.square[rows],
    )  # fmt: skip


def _merged(chunks: list[Lanes]) -> Lanes:
    """One row for all trials in one state, with the moments of all of them."""
    names = ("frames", "codes", "trials", "bucket", "source", "exit", "mean", "square")
    lanes = Lanes(*(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names))
    key = pack(np.column_stack([lanes.frames, lanes.codes]))
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    merged = _taken(lanes, order[starts])
    if len(merged) < len(lanes):
        weight = lanes.trials[order]
        merged.trials = np.add.reduceat(weight, starts)
        for name in ("mean", "square"):
            sums = np.add.reduceat(getattr(lanes, name)[order] * weight[:, None], starts, axis=0)
            setattr(merged, name, sums / merged.trials[:, None])
    return merged


def _needed(made: Characteristics, error: float) -> int:
    """How many trials a standard error takes, by what was found so far: one in a thousand more."""
    found = (*made.mtd, made.no_mtd, made.undecided, *made.other_verdicts.values())
    return ceil(1.001 * max(p * (1 - p) for p in found) / error**2)


def with_errors(made: Characteristics, spread: Floats, trials: int) -> Characteristics:
    """The characteristics with the standard error of every probability and mean."""

    def error(probability: float) -> float:
        return sqrt(max(probability * (1 - probability), 0.0) / trials)

    levels, parts = len(made.mtd), len(made.parts)
    columns = Columns(levels, parts)
    by_level, in_all = np.split(spread, [2 * levels * columns.scopes])
    of_parts: list[list[float]] = in_all.reshape(-1, 2).tolist()

    def of(patients: Patients, scope: int) -> TrialFigures:
        """The errors of the first part, or of the whole trial: the first or the last of what was counted."""
        assert patients.sd is not None
        each = by_level.reshape(-1, 2, levels)[scope].tolist()
        sizes = {size: error(p) for size, p in patients.distribution.items()}
        mean = patients.sd / sqrt(trials)
        return TrialFigures(
            Patients(mean, None, None, None, tuple(each[0]), sizes), Toxic(of_parts[scope][1], tuple(each[1]))
        )

    first = of(made.patients, 0)
    errors = StandardErrors(
        tuple(error(p) for p in made.mtd),
        error(made.no_mtd),
        {name: error(p) for name, p in made.other_verdicts.items()},
        error(made.undecided),
        first.patients,
        first.dlts,
        first if parts == 1 else of(made.trial.patients, -1),
        {name: PartFigures(*pair) for name, pair in zip(made.parts, of_parts[:parts], strict=True)},
        {
            name: VerdictFigures(tuple(map(error, said.by_level)), error(said.none), error(said.undeclared))
            for name, said in made.verdicts.items()
        },
        tuple(error(reason.probability) for reason in made.reasons),
        tuple(error(cause.probability) for cause in made.undecided_causes),
    )  # fmt: skip
    return evolve(made, standard_errors=errors)
