"""Trials with a clock: what became of each, trial by trial, so that designs can be compared on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from signal import SIG_IGN, SIGINT, signal
from typing import Any, Literal

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.diagnostics import trouble
from doselang.machine.arrays import NDArray
from doselang.machine.columns import Bools
from doselang.machine.compiling import compile_protocol
from doselang.machine.course import compile_course
from doselang.machine.decisions import Branch
from doselang.machine.exits import Accrual
from doselang.machine.notation import Group, letters_of, patients_of
from doselang.machine.records import Ints
from doselang.machine.situations import Situations
from doselang.machine.states import Frame, Frames
from doselang.machine.weights import Floats
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.asking import Decisions
from doselang.simulate.clock import Clock, TimedAccrual, Timing, clock_of
from doselang.simulate.exact import known_gates, limits_as_trouble
from doselang.simulate.lanes import UNREPLACED, Lanes
from doselang.simulate.people import BLOCK, People
from doselang.simulate.register import INEVALUABLE, Register
from doselang.simulate.scenarios import checked
from doselang.simulate.timed_courses import Courses, Treated
from doselang.simulate.totals import Results

MOST_COURSE_LEVELS = 32
MOST_BLOCKS = 16
"""So many blocks a process runs at a time."""


@frozen
class End:
    """How trials ended: the frame with the branch that ended it, or why there is none."""

    why: Literal["ruled", "unreplaced", "given up"]
    frame: Frame | None = None
    branch: Branch | None = None


@frozen(eq=False)
class CourseTotals:
    """Courses of the patients of each trial.

    `cycles`, `re_treated`, `follow_up` (days) are sums over the patients of each trial; `reasons` names the columns of
    `off` and `off_again`: how many patients of each trial ended treatment so, all and those re-treated [trials,
    reasons]. `by_cycles[n]` patients had n cycles, `by_days[d]` were followed for d whole days.
    """

    cycles: Ints
    re_treated: Ints
    follow_up: Floats
    reasons: tuple[str, ...]
    off: Ints
    off_again: Ints
    by_cycles: Ints
    by_days: Ints


@frozen(eq=False)
class TimedTrials:
    """What became of each of some trials, by their number from 0.

    Trial r of a seed has the same patients in every design. `level` is the position of the level that is the trial's
    result, -1 where there is none; `end` a position in `ends`; `undecided` whether the rules did not decide.
    `duration` are the days till the look that ended the trial, `to_mtd` till its result was declared, nan where no
    level was. `patients` and `dlts` are evaluable patients, and those with a dose-limiting toxicity [trials, parts,
    levels]; `enrolled` all who entered, `inevaluable` those who left early; `turned_away` came before the last patient
    who entered, and did not enter; `exposed` entered a level while a DLT was pending that closed it, or led lower.
    """

    protocol: Protocol
    scenario: Scenario
    accrual: TimedAccrual
    clock: Clock
    seed: int
    ends: tuple[End, ...]
    end: Ints
    level: Ints
    undecided: Bools
    duration: Floats
    to_mtd: Floats
    patients: Ints
    dlts: Ints
    enrolled: Ints
    inevaluable: Ints
    turned_away: Ints
    exposed: Ints
    courses: CourseTotals | None = None
    histories: dict[End, tuple[Group, ...]] = field(factory=dict)

    def __len__(self) -> int:
        return len(self.end)


def timed_trials(
    protocol: Protocol, scenario: Scenario, timing: Timing | None = None, accrual: TimedAccrual = "as-they-come",
    trials: int = 10_000, seed: int = 0, *, jobs: int = 1,
) -> TimedTrials:  # fmt: skip
    """Simulate trials with a clock, one by one in the arrays that come back.

    The figures of a trial depend on its number, the seed, and the version of numpy, not on how many trials or
    processes there are. Raises Trouble DL903 for a wrong number of trials or processes, a negative seed, a scenario
    that does not fit the protocol, or times that do not go together; DL704 where a cohort has too many outcomes.
    """
    if trials < 1:
        raise trouble("DL903", f"The number of trials must be at least 1, not {trials}.")
    if seed < 0:
        raise trouble("DL903", f"The seed must not be negative, and it is {seed}.")
    if jobs < 1:
        raise trouble("DL903", f"The number of processes must be at least 1, not {jobs}.")
    clock = clock_of(protocol, Timing() if timing is None else timing)
    _refuse(protocol, checked(protocol, scenario), clock, accrual)
    run = partial(_run, protocol, scenario, clock, accrual, trials, seed)
    blocks = -(-trials // BLOCK)
    with limits_as_trouble():
        if (jobs := min(jobs, blocks)) == 1:
            return run(range(blocks))
        return joined(_in_processes(run, blocks, jobs))


def _in_processes(run: Callable[[range], TimedTrials], blocks: int, jobs: int) -> list[TimedTrials]:
    """Run blocks in several processes, in pieces so small that an interruption need not wait for long."""
    from concurrent.futures import ProcessPoolExecutor  # takes time to import, and few need it

    size = min(MOST_BLOCKS, -(-blocks // jobs))
    pieces = [range(start, min(start + size, blocks)) for start in range(0, blocks, size)]
    with ProcessPoolExecutor(jobs, initializer=signal, initargs=(SIGINT, SIG_IGN)) as pool:
        try:
            return list(pool.map(run, pieces))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _refuse(protocol: Protocol, scenario: Scenario, clock: Clock, accrual: TimedAccrual) -> None:
    if accrual == "whole-cohort" and clock.stagger > 0:
        raise trouble(
            "DL903", "Patients of a cohort who enter together cannot enter some days apart.",
            help="Leave `stagger` out, or choose `--accrual as-they-come`.",
        )  # fmt: skip
    if scenario.hazards is not None and protocol.course is not None and len(protocol.levels) > MOST_COURSE_LEVELS:
        raise trouble(
            "DL903", f"Courses can be simulated for at most {MOST_COURSE_LEVELS} levels.",
            help="Use a scenario without `each cycle`.",
        )  # fmt: skip


def _machine_accrual(accrual: TimedAccrual) -> Accrual:
    """Whether the machine looks at a cohort before it is complete; the order of what comes is the clock's."""
    return "whole-cohort" if accrual == "whole-cohort" else "any-order"


def _run(
    protocol: Protocol, scenario: Scenario, clock: Clock, accrual: TimedAccrual, trials: int, seed: int, blocks: range
) -> TimedTrials:
    """Some blocks of trials, in one process."""
    machine = compile_protocol(protocol)
    situations = Situations(machine, Frames(machine), _machine_accrual(accrual), known_gates(machine, scenario))
    decisions, course = Decisions(situations, scenario), compile_course(protocol)
    courses = None if course is None or scenario.hazards is None else Courses(course, scenario)
    block = _Block(decisions, courses, Results(situations.frames))
    pieces = []
    for number in blocks:
        people = People(clock, seed, number)
        lanes = Lanes(decisions, clock, people, accrual, min(BLOCK, trials - number * BLOCK))
        lanes.run()
        pieces.append(block.trials(lanes))
    return joined(pieces)


@define
class _Block:
    """Makes of a block that has run what became of each trial."""

    decisions: Decisions
    courses: Courses | None
    results: Results

    def trials(self, lanes: Lanes) -> TimedTrials:
        protocol, register, trials = self.decisions.situations.machine.protocol, lanes.register, lanes.trials
        numbers, which = np.unique(lanes.end[:trials], return_inverse=True)
        ends = tuple(self._end(number) for number in numbers.tolist())
        results = [None if number < 0 else self.results[number] for number in numbers.tolist()]
        undecided = np.array([result is None for result in results])[which]
        level = np.array([-1 if result is None else result.level for result in results], np.int16)[which]
        known = register.outcome != INEVALUABLE
        people = np.bincount(register.lane, minlength=trials)
        treated = None if self.courses is None else self.courses.treat(lanes)
        return TimedTrials(
            protocol, self.decisions.scenario, lanes.accrual, lanes.clock, lanes.people.seed, ends,
            which.astype(np.int32), level, undecided, lanes.duration[:trials],
            np.where(level >= 0, lanes.declared[:trials], np.nan),
            self._by_place(register, trials, known), self._by_place(register, trials, register.outcome == 1),
            people.astype(np.int16), np.bincount(register.lane[~known], minlength=trials).astype(np.int16),
            (lanes.next - lanes.entered)[:trials], _exposed(lanes),
            None if treated is None or self.courses is None else _totals(self.courses, treated, register, trials),
            self._histories(lanes, which, ends, undecided, people),
        )  # fmt: skip

    def _end(self, number: int) -> End:
        if number < 0:
            return End("unreplaced" if number == UNREPLACED else "given up")
        frame = self.decisions.situations.frames.frames[number]
        return End("ruled", evolve(frame, end=-1), self.decisions.situations.frames.branches[frame.end])

    def _by_place(self, register: Register, trials: int, some: Bools) -> Ints:
        """How many of some patients each trial has, by part and level."""
        protocol = self.decisions.situations.machine.protocol
        shape = trials, len(protocol.parts), len(protocol.levels)
        place = (register.lane[some].astype(np.int64) * shape[1] + register.part[some]) * shape[2]
        found = np.bincount(place + register.level[some], minlength=shape[0] * shape[1] * shape[2])
        return found.reshape(shape).astype(np.int16)

    def _histories(
        self, lanes: Lanes, which: Ints, ends: tuple[End, ...], undecided: Bools, people: Ints
    ) -> dict[End, tuple[Group, ...]]:
        """For each way to end undecided a trial with the fewest patients."""
        found = {}
        for number, end in enumerate(ends):
            some = np.flatnonzero(undecided & (which == number))
            if len(some) and end.why != "given up":
                found[end] = _history(lanes, int(some[np.argmin(people[some])]))
        return found


def _history(lanes: Lanes, lane: int) -> tuple[Group, ...]:
    """A trial in groups of patients, each in order of becoming known; pending as of the trial's end."""
    register, letters = lanes.register, letters_of(lanes.decisions.situations.machine.protocol)
    groups: dict[tuple[int, int, int], list[tuple[float, str]]] = {}
    for line in np.flatnonzero(register.lane == lane).tolist():
        key = int(register.part[line]), int(register.level[line]), int(register.cohort[line])
        pending = register.known[line] > lanes.duration[lane]
        outcome = int(register.outcome[line])
        letter = "." if pending else "x" if outcome == INEVALUABLE else letters[outcome]
        groups.setdefault(key, []).append((float(register.known[line]), letter))
    return tuple(
        Group(part, level, "".join(letter for _, letter in sorted(patients, key=lambda one: one[0])))
        for (part, level, _), patients in groups.items()
    )


def _exposed(lanes: Lanes) -> Ints:
    """By trial: the patients who entered a cohort while a DLT in it was pending that closed the level or led lower.

    In a rolling part a cohort are all who entered since the trial came to the level.
    """
    register, found = lanes.register, np.zeros(lanes.trials, np.int16)
    if not any(len(lane) for lane, _, _ in lanes.lowering):
        return found
    lane, cohort, day = (np.concatenate(column) for column in zip(*lanes.lowering, strict=True))
    stride = int(max(register.cohort.max(), cohort.max())) + 1
    looks = lane.astype(np.int64) * stride + cohort
    order = np.argsort(looks)
    looks, day = looks[order], day[order]
    key = register.lane.astype(np.int64) * stride + np.maximum(register.cohort, 0)
    place = np.minimum(np.searchsorted(looks, key), len(looks) - 1)
    lines = np.flatnonzero((looks[place] == key) & (register.cohort >= 0))
    lines = lines[np.argsort(key[lines], kind="stable")]
    key, until = key[lines], day[place[lines]]
    outcome, known, entered = register.outcome[lines], register.known[lines], register.entered[lines]
    flagged = np.zeros(len(lines), np.bool_)
    for lag in range(1, len(lines)):
        same = key[lag:] == key[:-lag]
        if not same.any():
            break
        earlier = same & (outcome[:-lag] == 1) & (known[:-lag] > entered[lag:]) & (known[:-lag] <= until[lag:])
        flagged[lag:] |= earlier
    return np.bincount(register.lane[lines[flagged]], minlength=lanes.trials).astype(np.int16)


def _totals(courses: Courses, treated: Treated, register: Register, trials: int) -> CourseTotals:
    """The courses of a block, added up by trial."""
    lane, reasons = register.lane, len(courses.reasons)

    def added(weights: NDArray[np.generic]) -> Floats:
        return np.asarray(np.bincount(lane, weights=weights.astype(np.float64), minlength=trials), np.float64)

    def by_reason(some: Bools) -> Ints:
        place = lane[some].astype(np.int64) * reasons + treated.reason[some]
        return np.bincount(place, minlength=trials * reasons).reshape(trials, reasons).astype(np.int16)

    return CourseTotals(
        added(treated.cycles).astype(np.int32), added(treated.re_treated).astype(np.int16), added(treated.follow_up),
        tuple(courses.reasons), by_reason(np.ones(len(lane), np.bool_)), by_reason(treated.re_treated),
        np.bincount(treated.cycles), np.bincount(treated.follow_up.astype(np.int64)),
    )  # fmt: skip


# ---- pieces put together ----


def joined(pieces: Sequence[TimedTrials]) -> TimedTrials:
    """Trials one after another."""
    ends = tuple(dict.fromkeys(end for piece in pieces for end in piece.ends))
    number = {end: position for position, end in enumerate(ends)}
    histories: dict[End, tuple[Group, ...]] = {}
    for piece in pieces:
        for end, history in piece.histories.items():
            histories[end] = min(histories.get(end, history), history, key=patients_of)
    positions = [np.array([number[end] for end in piece.ends], np.int32)[piece.end] for piece in pieces]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in (
            "level", "undecided", "duration", "to_mtd", "patients", "dlts", "enrolled", "inevaluable", "turned_away",
            "exposed",
        )
    }  # fmt: skip
    courses = [piece.courses for piece in pieces if piece.courses is not None]
    return evolve(
        pieces[0], ends=ends, end=np.concatenate(positions), histories=histories,
        courses=_joined_courses(courses) if courses else None, **columns,
    )  # fmt: skip


def _joined_courses(pieces: Sequence[CourseTotals]) -> CourseTotals:
    reasons = tuple(dict.fromkeys(reason for piece in pieces for reason in piece.reasons))

    def in_columns(piece: CourseTotals, counts: Ints) -> Ints:
        wide = np.zeros((len(counts), len(reasons)), counts.dtype)
        wide[:, [reasons.index(reason) for reason in piece.reasons]] = counts
        return wide

    def summed(columns: list[Ints]) -> Ints:
        found = np.zeros(max(len(column) for column in columns), np.int64)
        for column in columns:
            found[: len(column)] += column
        return found

    return CourseTotals(
        np.concatenate([piece.cycles for piece in pieces]), np.concatenate([piece.re_treated for piece in pieces]),
        np.concatenate([piece.follow_up for piece in pieces]), reasons,
        np.concatenate([in_columns(piece, piece.off) for piece in pieces]),
        np.concatenate([in_columns(piece, piece.off_again) for piece in pieces]),
        summed([piece.by_cycles for piece in pieces]), summed([piece.by_days for piece in pieces]),
    )  # fmt: skip
