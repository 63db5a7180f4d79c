"""The operating characteristics of trials with a clock: the usual ones, and those of time, each with its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from attrs import evolve

from doselang.machine.arrays import NDArray
from doselang.machine.columns import Bools
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import MAX_PATIENTS
from doselang.machine.notation import Group, patients_of, write_history
from doselang.machine.records import Ints
from doselang.machine.states import Frames
from doselang.machine.weights import Floats
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import (
    QUANTILES,
    Characteristics,
    Classes,
    Courses,
    Quantile,
    Share,
    Spread,
    TimeFigures,
    UndecidedCause,
)
from doselang.simulate.clock import TimedAccrual, Timing
from doselang.simulate.courses import GOES_ON
from doselang.simulate.montecarlo import with_errors
from doselang.simulate.people import MOST_PEOPLE
from doselang.simulate.timed import CourseTotals, End, TimedTrials, timed_trials
from doselang.simulate.totals import Results, Totals, characteristics

MOST_CLASSES = 120

UNREPLACED_WORDS = "a patient was inevaluable, and no rule says whether another takes the place"

ENDLESS_WORDS = (
    f"more than {MAX_PATIENTS:,} patients would enter, or more than {MOST_PEOPLE:,} come: the trial cannot be bounded"
)


def timed(
    protocol: Protocol, scenarios: Sequence[Scenario], timing: Timing | None = None,
    accrual: TimedAccrual = "as-they-come", *, trials: int, seed: int, jobs: int = 1,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """The operating characteristics under each scenario, from trials with a clock; the same patients in each.

    Raises Trouble as `timed_trials` does.
    """
    return tuple(
        figures(timed_trials(protocol, scenario, timing, accrual, trials, seed, jobs=jobs)) for scenario in scenarios
    )


def figures(found: TimedTrials) -> Characteristics:
    """The operating characteristics of some trials."""
    trials, patients, dlts = len(found), found.patients.astype(np.int64), found.dlts.astype(np.int64)
    totals, results, further = _totals(found, patients, dlts)
    timing = time_figures(found)
    made = characteristics(
        results, found.scenario, found.accrual, "timed", totals, trials=trials, seed=found.seed,
        courses=_courses(timing), timing=timing,
    )  # fmt: skip
    causes = sorted((*made.undecided_causes, *further), key=lambda one: (-one.probability, one.cause))
    made = evolve(made, undecided_causes=tuple(causes))
    # in the order of `montecarlo.Columns`: with several parts their sums count as one more
    several = patients.shape[1] > 1
    counted = [(patients[:, 0], dlts[:, 0]), *([(patients.sum(axis=1), dlts.sum(axis=1))] if several else [])]
    columns = [column for pair in counted for of_pair in pair for column in of_pair.T]
    in_parts = [(patients[:, part], dlts[:, part]) for part in range(patients.shape[1])]
    columns += [of_pair.sum(axis=1) for pair in (*in_parts, *counted[1:]) for of_pair in pair]
    spread = np.array([column.std() / sqrt(trials) for column in columns])
    return with_errors(made, spread, trials)


def _totals(found: TimedTrials, patients: Ints, dlts: Ints) -> tuple[Totals, Results, list[UndecidedCause]]:
    """The sums over all trials, the results of their ends, and the causes that are no frame's."""
    trials, frames = len(found), Frames(compile_protocol(found.protocol))
    ends: dict[int, float] = {}
    histories: dict[int, tuple[Group, ...]] = {}
    further, beside = [], 0.0
    for end, number in zip(found.ends, np.bincount(found.end, minlength=len(found.ends)).tolist(), strict=True):
        history = found.histories.get(end)
        if (frame := _frame_of(end, frames)) is None:
            beside += number / trials
            words = UNREPLACED_WORDS if end.why == "unreplaced" else ENDLESS_WORDS
            shown = None if history is None else write_history(history, found.protocol)
            further.append(UndecidedCause(words, shown, number / trials))
            continue
        ends[frame] = number / trials
        if history is not None:
            histories[frame] = history

    def sizes(numbers: Ints) -> dict[int, float]:
        return {size: number / trials for size, number in enumerate(np.bincount(numbers).tolist()) if number}

    def shortest(numbers: Sequence[int]) -> tuple[Group, ...]:
        return min((histories[n] for n in numbers), key=patients_of)

    totals = Totals(
        ends, sizes(patients[:, 0].sum(axis=1)), sizes(patients.sum(axis=(1, 2))),
        patients.sum(axis=0) / trials, dlts.sum(axis=0) / trials, shortest, undecided=beside,
    )  # fmt: skip
    return totals, Results(frames), further


def _frame_of(end: End, frames: Frames) -> int | None:
    """The number of the frame that an end is, None where it is none."""
    if end.frame is None or end.branch is None:
        return None
    return frames.frame(evolve(end.frame, end=frames.branch(end.branch)))


def declared_none(found: TimedTrials) -> Bools:
    """By trial: whether it was declared that there is no level to be the result."""
    frames = Frames(compile_protocol(found.protocol))
    results, numbers = Results(frames), [_frame_of(end, frames) for end in found.ends]
    said = [None if number is None else results[number] for number in numbers]
    none = np.array([result is not None and result.verdict == "no mtd" for result in said])
    return np.asarray(none[found.end], np.bool_)


# ---- figures of time ----


def time_figures(found: TimedTrials) -> TimeFigures:
    """Durations, and what the clock brings about, with quantiles and standard errors."""
    spreads = {
        "duration_days": _with_classes(spread_of(found.duration), found.duration),
        "time_to_mtd_days": spread_of(found.to_mtd[~np.isnan(found.to_mtd)]),
        "enrolled": spread_of(found.enrolled),
        "inevaluable": spread_of(found.inevaluable),
        "turned_away": spread_of(found.turned_away),
        "exposed": spread_of(found.exposed),
        "cycles_per_patient": None,
        "follow_up_days": None,
    }
    if (courses := found.courses) is None:
        return TimeFigures(found.clock.assumptions, spreads)
    spreads["cycles_per_patient"] = _of_patients(courses.by_cycles, courses.cycles, found.enrolled)
    spreads["follow_up_days"] = _of_patients(courses.by_days, courses.follow_up, found.enrolled)
    return TimeFigures(
        found.clock.assumptions, spreads, _share(courses.re_treated, found.enrolled),
        _shares(courses, courses.off, found.enrolled), _shares(courses, courses.off_again, courses.re_treated),
    )  # fmt: skip


def _shares(courses: CourseTotals, counts: Ints, every: Ints) -> dict[str, Share]:
    """The share of each reason among some patients, the most frequent first."""
    if not every.any():
        return {}
    shares = {reason: _share(counts[:, n], every) for n, reason in enumerate(courses.reasons)}
    return dict(sorted(((r, s) for r, s in shares.items() if s.value), key=lambda one: (-one[1].value, one[0])))


def spread_of(values: NDArray[np.generic]) -> Spread | None:
    """Mean, standard deviation and quantiles of one value a trial; None of none.

    The error of a quantile is half the distance of the quantiles at one standard error of its share below and above
    (Woodruff 1952, Journal of the American Statistical Association 47, 635-646).
    """
    ordered = np.sort(values.astype(np.float64))
    if not len(ordered):
        return None

    def at(share: Floats) -> Floats:
        place = np.ceil(np.clip(share, 0, 1) * len(ordered)).astype(int) - 1
        return np.asarray(ordered[np.clip(place, 0, len(ordered) - 1)], np.float64)

    deviation = float(ordered.std())
    return Spread(
        len(ordered), float(ordered.mean()), deviation, deviation / sqrt(len(ordered)), _quantiles(at, len(ordered))
    )  # fmt: skip


def _with_classes(spread: Spread | None, days: Floats) -> Spread | None:
    return None if spread is None else evolve(spread, distribution=classes_of(days))


def classes_of(days: Floats) -> Classes:
    """How often durations have which length, in at most MOST_CLASSES classes of as few days as that takes."""
    most = float(days.max())
    width = 1 if most <= MOST_CLASSES else 7
    while width > 1 and most > width * MOST_CLASSES:
        width *= 2
    place = np.maximum(np.ceil(days / width).astype(np.int64) - 1, 0)
    return Classes(width, tuple(np.bincount(place).tolist()))


def _of_patients(counts: Ints, sums: NDArray[np.generic], patients: Ints) -> Spread | None:
    """The same of one value a patient: how many patients have each whole number, and the sums by trial.

    The error of the mean is that of a ratio of sums over trials, since patients of one trial are not independent.
    """
    number = int(counts.sum())
    if not number:
        return None
    until, values = np.cumsum(counts), np.arange(len(counts))

    def at(share: Floats) -> Floats:
        place = np.maximum(np.ceil(np.clip(share, 0, 1) * number), 1)
        return np.asarray(np.searchsorted(until, place), np.float64)

    mean = _share(sums, patients)
    middle = float(values @ counts) / number
    deviation = sqrt(float((values - middle) ** 2 @ counts) / number)
    return Spread(number, mean.value, deviation, mean.standard_error, _quantiles(at, number))


def _quantiles(at: Callable[[Floats], Floats], number: int) -> tuple[Quantile, ...]:
    shares = np.array(QUANTILES)
    off = np.sqrt(shares * (1 - shares) / number)
    errors = (at(shares + off) - at(shares - off)) / 2
    return tuple(map(Quantile, QUANTILES, at(shares).tolist(), errors.tolist()))


def _share(some: NDArray[np.generic], every: NDArray[np.generic]) -> Share:
    """A ratio of sums over trials, with its standard error by linearisation."""
    top, below = some.astype(np.float64), every.astype(np.float64)
    ratio = float(top.sum() / below.sum())
    off = top - ratio * below
    return Share(ratio, float(np.sqrt((off**2).sum()) / below.sum()))


def _courses(timing: TimeFigures) -> Courses | None:
    if timing.re_treated is None:
        return None
    cycles = timing.spreads["cycles_per_patient"]
    mean = None if cycles is None or GOES_ON in timing.off else cycles.mean
    return Courses(timing.re_treated.value, mean, {reason: share.value for reason, share in timing.off.items()})
