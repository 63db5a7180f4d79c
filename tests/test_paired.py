"""Designs on the same patients: differences are those of two simulations, and their errors those of paired trials."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from fractions import Fraction
from math import nan, sqrt
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import pytest
from attrs import evolve

from doselang.api import load
from doselang.cli import run
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.clock import Timing
from doselang.simulate.exact import exact
from doselang.simulate.paired import paired
from doselang.simulate.side_by_side import Figure, Line, side_by_side
from doselang.simulate.timed import TimedTrials, timed_trials
from doselang.simulate.timed_figures import declared_none

DESIGNS = Path(__file__).parent.parent / "protocols" / "designs"
THREE, DE_ESCALATION, ROLLING = (
    str(DESIGNS / f"{name}.dose") for name in ("three-plus-three", "three-plus-three-de-escalation", "rolling-six")
)
RISING, LOW = (0.05, 0.1, 0.2, 0.3, 0.45), (0.03, 0.06, 0.1, 0.15, 0.2)
TARGET = Fraction(1, 4)
DROPPING = Timing(drop_out=0.1, months=(3.0,))

Make = Callable[[int, int], tuple[TimedTrials, ...]]
"""From a number of trials and a seed, the trials of some designs."""


def protocol_of(path: str) -> Protocol:
    loaded = load(path)
    assert loaded.protocol is not None
    return loaded.protocol


def make(*paths: str, rates: tuple[float, ...] = RISING, timing: Timing = DROPPING, further: int = 0) -> Make:
    """Trials of some designs; with `further` the second one really has another seed, and says that it has not."""
    protocols = [protocol_of(path) for path in paths]

    def made(trials: int, seed: int) -> tuple[TimedTrials, ...]:
        seeds = [seed, *(seed + further for _ in protocols[1:])]
        found = [
            timed_trials(protocol, Scenario("s", (rates,)), timing, trials=trials, seed=one)
            for protocol, one in zip(protocols, seeds, strict=True)
        ]
        return tuple(evolve(one, seed=seed) for one in found)

    return made


def known(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def as_if_independent(line: Line) -> Figure:
    """The difference with the error that two independent simulations would have."""
    return known(line.figures[1]).less(known(line.figures[0]))


# ---- the error of a difference ----


COLUMNS = ("end", "level", "undecided", "duration", "to_mtd", "patients", "dlts", "enrolled", "inevaluable",
           "turned_away", "exposed")  # fmt: skip


def pieces(trials: Make, number: int = 150, size: int = 200) -> list[tuple[TimedTrials, ...]]:
    """Many small simulations, cut from a large one."""
    large = trials(number * size, 1)
    return [
        tuple(evolve(one, **{name: getattr(one, name)[start : start + size] for name in COLUMNS}) for one in large)
        for start in range(0, number * size, size)
    ]


def calibrated(
    simulations: list[tuple[TimedTrials, ...]], error_of: Callable[[Line], Figure | None], low: float, high: float
) -> None:
    """Over many simulations differences are spread as their errors say; those that are mostly nothing are left out."""
    many, checked = [paired(trials, TARGET).lines for trials in simulations], 0
    for position, line in enumerate(many[0]):
        gaps = [known(error_of(lines[position])) for lines in many]
        errors = [gap.error for gap in gaps if gap.error]
        if len(errors) >= 0.9 * len(gaps):
            spread = float(np.std([gap.value for gap in gaps], ddof=1))
            assert low < spread / sqrt(fmean(error**2 for error in errors)) < high, line.name
            checked += 1
    assert checked >= 15


@pytest.mark.parametrize("other", [DE_ESCALATION, ROLLING])
def test_differences_are_spread_as_their_errors_say(other: str) -> None:
    calibrated(pieces(make(THREE, other, rates=LOW)), lambda line: line.differences[0], 0.75, 1.25)


@pytest.mark.slow
@pytest.mark.parametrize("other", [DE_ESCALATION, ROLLING])
def test_they_are_so_from_seed_to_seed(other: str) -> None:
    trials = make(THREE, other, rates=LOW)
    calibrated([trials(250, seed) for seed in range(80)], lambda line: line.differences[0], 0.7, 1.35)


def test_the_spread_tells_errors_that_ignore_the_pairs() -> None:
    with pytest.raises(AssertionError, match="selected"):
        calibrated(pieces(make(THREE, DE_ESCALATION, rates=LOW)), as_if_independent, 0.75, 1.25)


def test_without_the_same_patients_errors_that_ignore_pairs_are_right() -> None:
    calibrated(pieces(make(THREE, DE_ESCALATION, rates=LOW, further=1)), as_if_independent, 0.75, 1.25)


def numbers_of(found: TimedTrials) -> dict[str, list[float]]:
    """Of each trial, worked out one by one."""
    none = declared_none(found)
    columns: dict[str, list[float]] = {name: [] for name in (
        "mean duration, days", "mean time to the MTD, days", "DLTs", "sample size", "patients turned away",
        "exposed after the fact", "no MTD", "undecided", "correct selection", "overdose selection",
        "patients above the right level",
    )}  # fmt: skip
    for r in range(len(found)):
        level = int(found.level[r])
        for name, value in {
            "mean duration, days": found.duration[r],
            "mean time to the MTD, days": found.to_mtd[r] if level >= 0 else nan,
            "DLTs": sum(found.dlts[r, 0].tolist()), "sample size": sum(found.patients[r, 0].tolist()),
            "patients turned away": found.turned_away[r], "exposed after the fact": found.exposed[r],
            "no MTD": none[r], "undecided": found.undecided[r], "correct selection": level == 2,
            "overdose selection": level in (3, 4), "patients above the right level": found.patients[r, 0, 3:].sum(),
        }.items():  # fmt: skip
            columns[name].append(float(value))
    return columns


def trial_by_trial(trials: tuple[TimedTrials, ...]) -> None:
    """Every mean difference, and its error, is that of a plain list of differences."""
    first, other = (numbers_of(one) for one in trials)
    told = {line.name: line for line in paired(trials, TARGET).lines}
    assert told["correct selection"].level == 2
    for name, values in first.items():
        gaps = [b - a for a, b in zip(values, other[name], strict=True) if a == a and b == b]
        gap = known(told[name].differences[0])
        assert gap.value == pytest.approx(fmean(gaps), abs=1e-9), name
        assert gap.error == pytest.approx(pstdev(gaps) / sqrt(len(gaps)), abs=1e-12), name
        assert (gap.trials or len(values)) == len(gaps)


def test_a_difference_is_one_trial_by_trial() -> None:
    trials = make(THREE, ROLLING)(400, 3)
    trial_by_trial(trials)
    time = next(line for line in paired(trials).lines if line.name == "mean time to the MTD, days")
    both = sum(a >= 0 and b >= 0 for a, b in zip(trials[0].level.tolist(), trials[1].level.tolist(), strict=True))
    assert known(time.differences[0]).trials == both < min(known(figure).trials or 400 for figure in time.figures)


def test_trials_in_another_order_have_a_larger_error() -> None:
    first, other = make(THREE, ROLLING)(400, 3)
    turned = evolve(other, duration=np.roll(other.duration, 1))
    errors = []
    for pair in ((first, other), (first, turned)):
        (duration,) = (line for line in paired(pair).lines if line.name == "mean duration, days")
        errors.append(known(duration.differences[0]).error or 0.0)
    assert 0 < 1.1 * errors[0] < errors[1]


@pytest.mark.parametrize("other", [DE_ESCALATION, str(DESIGNS / "three-plus-three-escalation-only.dose")])
def test_where_time_does_not_matter_differences_lie_about_the_exact_ones(other: str) -> None:
    """And they do so by their own small errors."""
    one = Scenario("s", (RISING,))
    right = side_by_side([exact(protocol_of(path), [one])[0] for path in (THREE, other)], TARGET)
    found = paired(make(THREE, other, timing=Timing(window=0.0))(20_000, 4), TARGET)
    checked = 0
    for line, told in zip(right.lines, found.lines, strict=False):
        assert (line.name, line.level) == (told.name, told.level)
        gap, true = known(told.differences[0]), known(line.differences[0])
        if gap.error:
            assert abs(gap.value - true.value) < 4.5 * gap.error, line.name
            checked += 1
    assert checked > 12


# ---- what the same patients are good for ----


def surer(trials: tuple[TimedTrials, ...]) -> None:
    """Errors are less than those of independent trials, for every line that has one."""
    lines = [line for line in paired(trials, TARGET).lines if (as_if_independent(line).error or 0.0) > 0]
    assert len(lines) > 20
    for line in lines:
        assert (known(line.differences[0]).error or 0.0) < 0.9 * (as_if_independent(line).error or 0.0), line.name


def test_two_variants_of_the_three_plus_three_are_told_apart_more_surely() -> None:
    surer(make(THREE, DE_ESCALATION)(1000, 5))


def test_with_other_patients_nothing_is_gained() -> None:
    with pytest.raises(AssertionError):
        surer(make(THREE, DE_ESCALATION, further=1)(1000, 5))


def nothing_between(trials: tuple[TimedTrials, ...]) -> None:
    """Every difference is exactly 0, and so is its error."""
    for line in paired(trials, TARGET).lines:
        gap = known(line.differences[0])
        assert gap.value == 0.0 and not gap.error, line.name


def test_a_design_does_not_differ_from_itself() -> None:
    nothing_between(make(THREE, THREE)(700, 11))


@pytest.mark.parametrize("trials", [make(THREE, THREE, further=1), make(THREE, DE_ESCALATION)])
def test_other_patients_or_another_design_do(trials: Make) -> None:
    with pytest.raises(AssertionError):
        nothing_between(trials(700, 11))


# ---- the same figures as `simulate` ----


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    status = run([*arguments, "--format", "json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return json.loads(printed.out)


def simulated(capsys: pytest.CaptureFixture[str], path: str, *options: str) -> dict[tuple[str, str | None], float]:
    """The figures of `simulate`, by the name and level that they have in `compare`."""
    (one,) = as_json(capsys, "simulate", path, "--method", "timed", *options)["scenarios"]
    timing = one["timing"]
    found = {
        ("no MTD", None): one["no_mtd"], ("undecided", None): one["undecided"], ("DLTs", None): one["dlts"]["mean"],
        ("sample size", None): one["patients"]["mean"], ("largest sample size", None): one["patients"]["max"],
        ("standard deviation of the sample size", None): one["patients"]["sd"],
        ("mean duration, days", None): timing["duration_days"]["mean"],
        ("standard deviation of the duration, days", None): timing["duration_days"]["sd"],
        ("median duration, days", None): timing["duration_days"]["quantiles"]["50%"]["value"],
        ("mean time to the MTD, days", None): timing["time_to_mtd_days"]["mean"],
        ("patients turned away", None): timing["turned_away"]["mean"],
        ("exposed after the fact", None): timing["exposed"]["mean"],
    }  # fmt: skip
    for level, share in one["mtd"].items():
        found["selected", level] = share
        found["patients", level] = one["patients"]["by_level"][level]
    return found


def same_as_simulated(capsys: pytest.CaptureFixture[str], second_seed: str) -> None:
    options = ("--scenario", "rising", "--trials", "900", "--arrivals", "3")
    record = as_json(
        capsys, "compare", THREE, ROLLING, "--figures", "--method", "timed", *options, "--seed", "5",
    )  # fmt: skip
    first = simulated(capsys, THREE, *options, "--seed", "5")
    other = simulated(capsys, ROLLING, *options, "--seed", second_seed)
    (one,) = record["scenarios"]
    assert {(line["figure"], line["level"]) for line in one["figures"]} == first.keys()
    for line in one["figures"]:
        key = line["figure"], line["level"]
        assert [value["value"] for value in line["values"]] == [first[key], other[key]], key
        if line["figure"] != "mean time to the MTD, days":
            assert line["differences"][0]["value"] == other[key] - first[key], key


def test_figures_and_differences_are_those_of_two_simulations(capsys: pytest.CaptureFixture[str]) -> None:
    same_as_simulated(capsys, "5")


def test_they_are_not_those_of_another_seed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError):
        same_as_simulated(capsys, "6")


# ---- limits ----


def test_trials_that_cannot_be_paired_are_refused() -> None:
    first, other = make(THREE, ROLLING)(50, 1)
    faster = make(THREE, timing=Timing(months=(9.0,)))(50, 1)
    for wrong in (evolve(other, seed=2), make(ROLLING)(40, 1)[0], *faster):
        with pytest.raises(ValueError, match="do not have the same patients"):
            paired([first, wrong])
    with pytest.raises(ValueError, match="no trials"):
        paired([])


def test_where_a_design_finds_no_mtd_there_is_no_time_to_it() -> None:
    made = paired(make(THREE, ROLLING, rates=(1.0,) * 5)(30, 1), TARGET)
    time = next(line for line in made.lines if line.name == "mean time to the MTD, days")
    assert time.figures == (None, None) and time.differences == (None,)


# ---- the command ----

TIMED = ("compare", THREE, ROLLING, "--figures", "--scenario", "rising", "--method", "timed", "--trials", "300",
         "--seed", "2")  # fmt: skip


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = run(list(arguments))
    told = capsys.readouterr()
    assert status == 0, told.err
    return told.out


def test_the_output_says_that_the_patients_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, *TIMED, "--arrivals", "4")
    assert "simulated with a clock, 300 trials, seed 2, the same patients in each design, patients as they come" in text
    assert "its error is that of the differences trial by trial" in text and "4 patients a month" in text
    assert "* over the trials that find the MTD, A " in text and "of 300; the differences over those that" in text
    markdown = printed(capsys, *TIMED, "--format", "markdown")
    assert "| mean duration, days |" in markdown and "\n\\* over the trials" in markdown and "said by |" in markdown
    record = as_json(capsys, *TIMED)
    assert record["same_patients"] is True and record["seeds"] == [2, 2] and record["accrual"] == "as-they-come"
    assert {one["time"] for one in record["assumptions"]} >= {"arrivals", "window for DLT"}
    assert all(one["protocols"] == ["A", "B"] for one in record["assumptions"])
    rows = list(csv.DictReader(io.StringIO(printed(capsys, *TIMED, "--format", "csv"))))
    assert {row["same_patients"] for row in rows} == {"yes"} and {row["seed"] for row in rows} == {"2"}
    time = next(row for row in rows if row["protocol"] == "B" and row["figure"] == "mean time to the MTD, days")
    assert 0 < int(time["difference_trials"]) < int(time["value_trials"]) < int(time["trials"]) == 300


def test_other_methods_say_that_they_do_not_pair(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("compare", THREE, ROLLING, "--figures", "--scenario", "rising")
    assert "simulated independently, 200 trials each, seeds A 1, B 2" in printed(
        capsys, *both, "--method", "montecarlo", "--trials", "200", "--seed", "1"
    )
    record = as_json(capsys, *both, "--method", "montecarlo", "--trials", "200", "--seed", "1")
    assert record["same_patients"] is False and record["assumptions"] is None
    record = as_json(capsys, *both)
    assert record["same_patients"] is None and record["scenarios"][0]["figures"][0]["values"][0]["trials"] is None


def test_neither_processes_nor_further_designs_change_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--figures", "--scenario", "rising", "--method", "timed", "--trials", "4200", "--seed", "2")
    two = as_json(capsys, "compare", THREE, ROLLING, *options, "--jobs", "2")
    three = as_json(capsys, "compare", THREE, DE_ESCALATION, ROLLING, *options, "--jobs", "1")
    for a, b in zip(two["scenarios"][0]["figures"], three["scenarios"][0]["figures"], strict=True):
        assert a["differences"][0] == b["differences"][1] and a["values"] == [b["values"][0], b["values"][2]]


def test_assumptions_that_differ_are_told_by_design(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = Path(THREE).read_text(encoding="utf-8")
    assert text.count("toxicity DLT ") == 1
    (tmp_path / "three-plus-three.md").write_bytes((DESIGNS / "three-plus-three.md").read_bytes())
    path = tmp_path / "six-weeks.dose"
    path.write_text(text.replace("toxicity DLT ", "toxicity DLT  within 6 weeks "), encoding="utf-8")
    lines = printed(capsys, "compare", THREE, str(path), *TIMED[3:]).splitlines()
    windows = [line.split() for line in lines if line.startswith("window for DLT")]
    assert windows == [["window", "for", "DLT", "A", "28", "days", "assumed"],
                       ["window", "for", "DLT", "B", "42", "days", "the", "script"]]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arrivals", "3"], "`--arrivals` goes with `--method timed`: `exact` knows no clock"),
        (["--method", "montecarlo", "--timing", "a.toml"], "`--timing` goes with `--method timed`"),
        (["--accrual", "as-they-come"], "`--accrual as-they-come` goes with `--method timed`"),
        (["--method", "timed", "--arrivals", "none"], "is not a number of patients a month"),
        (["--method", "timed", "--timing", "nowhere.toml"], "There is no file nowhere.toml"),
        (["--method", "timed", "--trials", "3000000"], "With a clock `--trials` is at most 2,000,000"),
        (["--method", "timed", "--trials", "0"], "at least 1"),
        (["--trials", "5"], "`--trials` goes with `--method montecarlo` or `timed`"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", THREE, ROLLING, "--figures", "--scenario", "rising", *options]) == 2
    assert message in capsys.readouterr().err


def test_decisions_are_compared_beside_figures_with_a_clock(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys, "compare", THREE, DE_ESCALATION, "--set", "levels=3", "--dlt", "10%,20%,30%", "--method", "timed",
        "--trials", "50", "--seed", "1", "--accrual", "as-they-come",
    )  # fmt: skip
    assert "the same patients in each design" in text and "A and B decide differently" in text
