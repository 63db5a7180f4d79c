"""Designs side by side on the same patients: a difference is one trial by trial, and so is its standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import sqrt
from typing import Any, Literal

import numpy as np
from attrs import evolve, frozen

from doselang.machine.arrays import NDArray
from doselang.machine.weights import Floats
from doselang.simulate.characteristics import Characteristics, Quantile, Spread
from doselang.simulate.side_by_side import Correct, Figure, Line, SideBySide, right_level, side_by_side, too_toxic
from doselang.simulate.timed import TimedTrials
from doselang.simulate.timed_figures import declared_none, figures, spread_of

Key = tuple[str, int | None]
"""The name of a line, and the level that it is of."""

DURATION, TO_MTD = "mean duration, days", "mean time to the MTD, days"
DURATION_SD, DURATION_MEDIAN = "standard deviation of the duration, days", "median duration, days"
TURNED_AWAY, EXPOSED = "patients turned away", "exposed after the fact"


@frozen(eq=False)
class _Column:
    """One number of each trial, nan where a trial has none, and what is shown of them."""

    values: NDArray[Any]
    kind: Literal["mean", "sd", "median", "largest"] = "mean"

    @property
    def numbers(self) -> Floats:
        return np.asarray(self.values, np.float64)


def paired(trials: Iterable[TimedTrials], target: Fraction | None = None, correct: Correct = "closest") -> SideBySide:
    """The figures of several designs under one scenario, that of the first, from trials with the same patients.

    The figures are those of each design alone, and a difference is that of two figures; but that of the time to the MTD
    is over the trials that find one in both. The standard errors of differences are those of differences trial by
    trial. `trials` may be made one by one: of the designs only the first is kept. Raises ValueError where there is
    none, or where they are not of one seed, number and arrivals.
    """
    further = iter(trials)
    if (one := next(further, None)) is None:
        raise ValueError("no trials")
    rates, same = one.scenario.rates[0], _people(one)
    right = None if target is None else right_level(rates, target, correct)
    above = () if target is None else too_toxic(rates, target, right)
    first = _columns(one, right, above)
    found, errors, gaps = [figures(one)], [_errors(first)], []
    for other in further:
        if _people(other) != same:
            raise ValueError("trials of different seeds, numbers or arrivals do not have the same patients")
        columns = _columns(other, right, above)
        found.append(figures(other))
        errors.append(_errors(columns))
        gaps.append({key: _gap(column, columns[key]) for key, column in first.items()})
    made = side_by_side(found, target, correct)
    lines = tuple(_paired(line, errors, gaps) for line in (*made.lines, *_time_lines(found)))
    return evolve(made, lines=lines, paired=True)


def _people(found: TimedTrials) -> tuple[object, ...]:
    """What settles who comes to the trials, and when."""
    return found.seed, len(found), found.clock.months, found.clock.every


def _paired(line: Line, errors: Sequence[dict[Key, float]], gaps: Sequence[dict[Key, Figure | None]]) -> Line:
    """A line with the differences trial by trial, and without errors that are only bounds."""
    key = line.name, line.level
    shown = tuple(
        evolve(figure, error=own[key], bound=False)
        if figure is not None and key in own and (figure.bound or figure.error is None)
        else figure
        for figure, own in zip(line.figures, errors, strict=True)
    )
    differences = []
    for figure, gap in zip(shown[1:], (gap[key] for gap in gaps), strict=True):
        if gap is not None and gap.trials is None and figure is not None and shown[0] is not None:
            gap = evolve(gap, value=figure.value - shown[0].value)
        differences.append(gap)
    return evolve(line, figures=shown, differences=tuple(differences))


# ---- one number of each trial ----


def _columns(found: TimedTrials, right: int | None, above: Sequence[int]) -> dict[Key, _Column]:
    """What every line is made of; `right` and `above` are the right level and those above it."""
    patients, dlts, level = found.patients.sum(axis=1), found.dlts.sum(axis=1), found.level
    levels, none, size = range(patients.shape[1]), declared_none(found), patients.sum(axis=1)
    selected = {number: level == number for number in levels}
    there = np.zeros_like(size) if right is None else patients[:, right]
    columns: dict[Key, NDArray[Any]] = {
        **{("selected", number): chosen for number, chosen in selected.items()},
        ("no MTD", None): none,
        ("no result", None): (level < 0) & ~none & ~found.undecided,
        ("undecided", None): found.undecided,
        ("correct selection", right): none if right is None else selected[right],
        ("overdose selection", None): np.isin(level, above),
        **{("patients", number): patients[:, number] for number in levels},
        ("patients at the right level", right): there,
        ("patients above the right level", None): patients[:, list(above)].sum(axis=1),
        ("DLTs", None): dlts.sum(axis=1),
        ("sample size", None): size,
        (DURATION, None): found.duration,
        (TO_MTD, None): found.to_mtd,
        (TURNED_AWAY, None): found.turned_away,
        (EXPOSED, None): found.exposed,
    }
    return {key: _Column(values) for key, values in columns.items()} | {
        ("standard deviation of the sample size", None): _Column(size, "sd"),
        ("largest sample size", None): _Column(size, "largest"),
        (DURATION_SD, None): _Column(found.duration, "sd"),
        (DURATION_MEDIAN, None): _Column(found.duration, "median"),
    }


def _errors(columns: dict[Key, _Column]) -> dict[Key, float]:
    """The standard error of each mean and standard deviation over all trials."""
    pulls = {
        key: column.numbers if column.kind == "mean" else _pull(column.numbers)
        for key, column in columns.items() if column.kind in ("mean", "sd")
    }  # fmt: skip
    return {key: float(pull.std()) / sqrt(len(pull)) for key, pull in pulls.items()}


def _gap(first: _Column, other: _Column) -> Figure | None:
    """The difference of two designs, with its standard error; None where no trial has the number in both."""
    a, b = first.numbers, other.numbers
    match first.kind:
        case "mean":
            both = ~np.isnan(a) & ~np.isnan(b)
            between, number = (b - a)[both], int(both.sum())
            if not number:
                return None
            error = float(between.std()) / sqrt(number)
            return Figure(float(between.mean()), error, trials=number if np.isnan(a + b).any() else None)
        case "sd":
            return Figure(float(b.std() - a.std()), float((_pull(b) - _pull(a)).std()) / sqrt(len(a)))
        case "median":
            return _medians(a, b)
        case "largest":
            return Figure(float(b.max() - a.max()), seen=True)


def _pull(values: Floats) -> Floats:
    """How much each value pulls at the standard deviation: its influence function."""
    mean, deviation = values.mean(), values.std()
    if deviation == 0:
        return np.zeros_like(values)
    return np.asarray(((values - mean) ** 2 - deviation**2) / (2 * deviation), np.float64)


def _medians(a: Floats, b: Floats) -> Figure:
    """The difference of two medians.

    Each has its own error; that of the difference takes in how often both values of a trial are on one side of the
    medians: near a median the estimate moves as the share of values below it does (Bahadur 1966, Annals of
    Mathematical Statistics 37, 577-580), so that the correlation of two medians is that of the two shares.
    """
    first, other = _median(spread_of(a)), _median(spread_of(b))
    below = (a <= first.value).astype(np.float64), (b <= other.value).astype(np.float64)

    def together(one: Floats, two: Floats) -> float:
        return float((one * two).mean() - one.mean() * two.mean())

    spread = sqrt(together(below[0], below[0]) * together(below[1], below[1]))
    correlation = together(*below) / spread if spread > 0 else 0.0
    errors = first.standard_error, other.standard_error
    square = (errors[1] - errors[0]) ** 2 + 2 * (1 - correlation) * errors[0] * errors[1]
    return Figure(other.value - first.value, sqrt(max(square, 0.0)))


def _median(spread: Spread | None) -> Quantile:
    assert spread is not None
    return next(quantile for quantile in spread.quantiles if quantile.share == 0.5)


# ---- lines of time ----


def _time_lines(found: Sequence[Characteristics]) -> list[Line]:
    """What a clock adds to the figures, as yet without differences."""

    def means(name: str) -> tuple[Figure | None, ...]:
        return tuple(_mean(_spread(one, name), one.trials) for one in found)

    durations = [_spread(one, "duration_days") for one in found]
    medians = [_median(one) for one in durations]
    return [
        Line(DURATION, None, means("duration_days"), ()),
        Line(DURATION_SD, None, tuple(Figure(one.sd) for one in durations if one is not None), ()),
        Line(DURATION_MEDIAN, None, tuple(Figure(one.value, one.standard_error) for one in medians), ()),
        Line(TO_MTD, None, means("time_to_mtd_days"), ()),
        Line(TURNED_AWAY, None, means("turned_away"), ()),
        Line(EXPOSED, None, means("exposed"), ()),
    ]


def _spread(one: Characteristics, name: str) -> Spread | None:
    assert one.timing is not None
    return one.timing.spreads[name]


def _mean(spread: Spread | None, trials: int | None) -> Figure | None:
    if spread is None:
        return None
    return Figure(spread.mean, spread.standard_error, trials=spread.number if spread.number != trials else None)
