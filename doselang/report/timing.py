"""What a clock adds to operating characteristics: its assumptions and its figures, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log10
from typing import Any

from doselang.report.phrases import listed
from doselang.report.table import Column, Table
from doselang.simulate.characteristics import QUANTILES, Classes, Share, Spread, TimeFigures
from doselang.simulate.clock import Assumed

TITLES = {
    "duration_days": "duration of the trial, days",
    "time_to_mtd_days": "time to the {result}, days",
    "enrolled": "patients who entered",
    "inevaluable": "of them inevaluable",
    "turned_away": "patients turned away",
    "exposed": "exposed after the fact",
    "cycles_per_patient": "cycles a patient",
    "follow_up_days": "follow-up of a patient, days",
}


def shown_timing(timing: TimeFigures, result: str) -> Iterator[str | Table]:
    """The assumptions of the clock, then its figures, each with its standard error; `result` is the trial's verdict."""
    yield assumptions_table({"": timing.assumptions})
    headings = ["", "mean", *(f"{share:.0%}" for share in QUANTILES)]
    rows_of_figures = [_row(name, spread, result) for name, spread in timing.spreads.items() if spread is not None]
    yield _table(headings, "right", rows_of_figures)
    if timing.after:
        rows_after = [(reason, _percent(share)) for reason, share in timing.after.items()]
        yield _table(["after re-treatment, treatment ends by", "patients"], "right", rows_after)


def assumptions_table(by_design: Mapping[str, Sequence[Assumed]]) -> Table:
    """What each design's clock was told or assumes, one row for those of which it is the same."""
    rows = [
        (one.name, "" if len(designs) == len(by_design) else listed(designs), one.value, one.source)
        for one, designs in shared_assumptions(by_design)
    ]
    if any(design for _, design, _, _ in rows):
        return _table(["time", "in", "is", "said by"], "", rows)
    return _table(["time", "is", "said by"], "", [(name, value, source) for name, _, value, source in rows])


def shared_assumptions(by_design: Mapping[str, Sequence[Assumed]]) -> list[tuple[Assumed, list[str]]]:
    """Every assumption with the designs that make it; those about one time stand together."""
    found: dict[str, dict[Assumed, list[str]]] = {}
    for design, assumptions in by_design.items():
        for one in assumptions:
            found.setdefault(one.name, {}).setdefault(one, []).append(design)
    return [pair for same in found.values() for pair in same.items()]


def _row(name: str, spread: Spread, result: str) -> tuple[str, ...]:
    figures = [(spread.mean, spread.standard_error), *((q.value, q.standard_error) for q in spread.quantiles)]
    return TITLES[name].format(result=result), *(_number(value, error) for value, error in figures)


def _number(value: float, error: float) -> str:
    """With as many places as the error has before its first digit, at most four."""
    places = min(4, max(0, ceil(-log10(error)))) if error else 0
    return f"{value:.{places}f} ±{error:.{places}f}"


def _percent(share: Share) -> str:
    return f"{share.value:.2%} ±{share.standard_error:.2%}"


def _table(headings: list[str], side: Any, rows: Sequence[tuple[str, ...]]) -> Table:
    columns: Any = [Column(heading, side if side and number else "left") for number, heading in enumerate(headings)]
    every: Any = rows
    return Table(columns, every)


def timing_record(timing: TimeFigures) -> dict[str, object]:
    """The key `timing` of a scenario."""
    return {
        "assumptions": [{"time": one.name, "is": one.value, "said_by": one.source} for one in timing.assumptions],
        **{name: None if spread is None else _spread_record(spread) for name, spread in timing.spreads.items()},
        "re_treated": None if timing.re_treated is None else _share_record(timing.re_treated),
        "reasons_off": {reason: _share_record(share) for reason, share in timing.off.items()},
        "reasons_off_re_treated": {reason: _share_record(share) for reason, share in timing.after.items()},
    }


def _spread_record(spread: Spread) -> dict[str, object]:
    found: dict[str, object] = {
        "number": spread.number,
        "mean": spread.mean,
        "sd": spread.sd,
        "standard_error": spread.standard_error,
        "quantiles": {
            f"{q.share:.0%}": {"value": q.value, "standard_error": q.standard_error} for q in spread.quantiles
        },
    }
    if spread.distribution is not None:
        found["distribution"] = _distribution_record(spread.distribution, spread.number)
    return found


def _distribution_record(classes: Classes, trials: int) -> dict[str, object]:
    """The share of trials in each class, by the last day of the class; 0 left out."""
    shares = {str((place + 1) * classes.width): count / trials for place, count in enumerate(classes.counts) if count}
    return {"class_days": classes.width, "probability": shares}


def _share_record(share: Share) -> dict[str, float]:
    return {"value": share.value, "standard_error": share.standard_error}


def timing_figures(timing: TimeFigures) -> Iterator[tuple[str, str, float, float]]:
    """Each figure as a row of the long table: its name, what of it, its value and standard error."""
    for name, spread in timing.spreads.items():
        if spread is not None:
            yield name, "mean", spread.mean, spread.standard_error
            for q in spread.quantiles:
                yield name, f"{q.share:.0%}", q.value, q.standard_error
    if timing.re_treated is not None:
        yield "re_treated", "", timing.re_treated.value, timing.re_treated.standard_error
    for reason, share in timing.off.items():
        yield "reason_off", reason, share.value, share.standard_error
    for reason, share in timing.after.items():
        yield "reason_off_re_treated", reason, share.value, share.standard_error
