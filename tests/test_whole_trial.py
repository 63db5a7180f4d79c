"""Figures of the whole trial, and of every verdict: against the plain interpreter, in two parts and in one, broken."""

from __future__ import annotations

import csv
import io
from collections import Counter
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.cli import run
from doselang.loading import load_source
from doselang.machine.exploring import MAX_PATIENTS
from doselang.protocol.model import Protocol
from doselang.report.characteristics import render_text
from doselang.report.figures import render_csv
from doselang.simulate import totals
from doselang.simulate.characteristics import Characteristics, TrialFigures, VerdictFigures
from doselang.simulate.exact import counted_ends, exact
from doselang.simulate.montecarlo import Columns, monte_carlo
from doselang.simulate.paired import paired
from doselang.simulate.side_by_side import side_by_side
from doselang.simulate.timed import timed_trials
from doselang.simulate.timed_figures import figures
from doselang.source import Source
from tests.oracles import plain
from tests.test_exact import ACCRUALS, near, scenario
from tests.test_generated import Case, cases
from tests.test_montecarlo import agrees
from tests.test_timed import INSTANT

HEAD = """\
protocol "P"
levels 1 to 3
start at level 1
toxicity DLT
replace inevaluable patients
verdict MTD
verdict tolerated
"""
IN_TWO = f"""{HEAD}
part run-in
cohorts of 1
rule "up" assume "a" because "b"
  when no DLT in the part and a higher level exists
  then escalate
rule "on" assume "a" because "b"
  when any DLT in the part or no higher level exists
  then begin further at this level

part further
cohorts of 2
rule "go on" assume "a" because "b"
  when fewer than 4 evaluable
  then stay
rule "end" assume "a" because "b"
  when at least 4 evaluable and at most 1 DLT
  then declare this level as MTD, stop
rule "too toxic" assume "a" because "b"
  overrides "go on"
  when at least 2 DLTs
  then declare no MTD, declare the next lower level as tolerated, stop
scenario "s" DLT 10%, 20%, 40%
"""
IN_ONE = f"""{HEAD}
part both
cohorts of 1
rule "up" assume "a" because "b"
  when no DLT in the trial and exactly 1 evaluable and a higher level exists
  then escalate
rule "on" assume "a" because "b"
  when (any DLT in the trial or no higher level exists) and fewer than 4 evaluable
  then enrol 2
rule "end" assume "a" because "b"
  when at least 4 evaluable and at most 1 DLT
  then declare this level as MTD, stop
rule "too toxic" assume "a" because "b"
  overrides "on"
  when at least 2 DLTs
  then declare no MTD, declare the next lower level as tolerated, stop
scenario "s" DLT 10%, 20%, 40%
"""

WITHOUT_END = f"""{HEAD}
part run-in
cohorts of 1
rule "on" assume "a" because "b"
  when any evaluable
  then begin further at this level

part further
cohorts of 2
rule "go on" assume "a" because "b"
  when any evaluable
  then stay
scenario "s" DLT 10%, 20%, 40%
"""


def protocol_of(text: str) -> Protocol:
    loaded = load_source(Source("x.dose", text), None)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


TWO, ONE = protocol_of(IN_TWO), protocol_of(IN_ONE)


# ---- against the plain interpreter ----


def check(protocol: Protocol, found: Characteristics, ends: list[plain.End]) -> None:
    """Numbers of patients, their means by level, toxicities, and what is declared as each verdict."""
    sizes: Counter[int] = Counter()
    patients: Counter[int] = Counter()
    toxic: Counter[int] = Counter()
    for end in ends:
        sizes[sum(end.patients.values())] += end.probability
        for (_, level), n in end.patients.items():
            patients[level] += n * end.probability
        for (_, level), counts in end.toxicities.items():
            toxic[level] += counts[0] * end.probability
    trial = found.trial
    mean = sum(size * chance for size, chance in sizes.items())
    spread = sqrt(sum((size - mean) ** 2 * chance for size, chance in sizes.items()))
    assert trial.patients.distribution.keys() == {size for size, chance in sizes.items() if chance}
    assert all(near(chance, sizes[size]) for size, chance in trial.patients.distribution.items())
    assert near(trial.patients.mean, mean) and trial.patients.sd == pytest.approx(spread, abs=1e-7)
    assert (trial.patients.min, trial.patients.max) == (
        min(trial.patients.distribution), max(trial.patients.distribution),
    )  # fmt: skip
    assert all(near(n, patients[level]) for level, n in enumerate(trial.patients.by_level))
    assert all(near(n, toxic[level]) for level, n in enumerate(trial.dlts.by_level))
    assert near(trial.dlts.mean, sum(toxic.values()))
    ruled = [end for end in ends if end.kind == "verdict"]
    for verdict in protocol.verdicts:
        said, name = found.verdicts[verdict.name], verdict.name
        declared = [(end.verdicts[name], end.probability) for end in ruled if name in end.verdicts]
        for level, share in enumerate(said.by_level):
            assert near(share, sum(chance for at, chance in declared if at == level))
        assert near(said.none, sum(chance for at, chance in declared if at is None))
        assert near(said.undeclared, sum(end.probability for end in ruled if name not in end.verdicts))
        assert near(sum(said.by_level) + said.none + said.undeclared + found.undecided, 1)


@given(cases(), st.sampled_from(ACCRUALS))
@settings(max_examples=60)
def test_random_protocols_agree_with_the_plain_interpreter(case: Case, accrual: str) -> None:
    ends = case.ends(accrual)
    if any(end.untold for end in ends):
        return
    (found,) = exact(case.protocol, [scenario(*case.rates, chances=case.chances)], accrual)
    check(case.protocol, found, ends)


RATES = (Fraction(1, 10), Fraction(1, 5), Fraction(2, 5))


def made(protocol: Protocol, engine: str) -> Characteristics:
    one = scenario(RATES)
    match engine:
        case "counted":
            return next(counted_ends(protocol).characterise([one]))
        case "counted, many":
            return list(counted_ends(protocol).characterise([one] * 80))[79]
        case _:
            return exact(protocol, [one])[0]


@pytest.mark.parametrize("engine", ["explored", "counted", "counted, many"])
@pytest.mark.parametrize("protocol", [TWO, ONE], ids=["two parts", "one part"])
def test_every_exact_engine_agrees_with_the_plain_interpreter(protocol: Protocol, engine: str) -> None:
    check(protocol, made(protocol, engine), plain.run(protocol, [RATES], "one-at-a-time"))


def test_the_figures_of_the_first_part_are_found_out() -> None:
    """The mutant: what stood for the whole trial before."""
    (found,) = exact(TWO, [scenario(RATES)])
    first = evolve(found, trial=TrialFigures(found.patients, found.dlts))
    with pytest.raises(AssertionError):
        check(TWO, first, plain.run(TWO, [RATES], "one-at-a-time"))


def test_a_verdict_that_there_is_none_is_not_one_that_is_not_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed_up(*of: Any) -> VerdictFigures:
        said = real(*of)
        return evolve(said, none=said.undeclared, undeclared=said.none)

    real = totals._declared
    monkeypatch.setattr(totals, "_declared", mixed_up)
    with pytest.raises(AssertionError):
        check(TWO, made(TWO, "explored"), plain.run(TWO, [RATES], "one-at-a-time"))


# ---- simulated ----


def off(found: Characteristics, trials: int) -> dict[str, float]:
    """How the standard errors compare with the deviations over a full enumeration of all histories."""
    ends, errors = plain.run(TWO, [RATES], "one-at-a-time"), found.standard_errors
    assert errors is not None

    def sd(values: list[int]) -> float:
        pairs = list(zip(values, ends, strict=True))
        mean = sum(value * end.probability for value, end in pairs)
        return sqrt(sum(end.probability * (value - mean) ** 2 for value, end in pairs))

    def at(counts: dict[tuple[int, int], Any], level: int) -> list[Any]:
        return [n for (_, there), n in counts.items() if there == level]

    trial = errors.trial
    pairs = {
        "patients": (trial.patients.mean, [sum(end.patients.values()) for end in ends]),
        "dlts": (trial.dlts.mean, [sum(counts[0] for counts in end.toxicities.values()) for end in ends]),
    }
    for level in range(3):
        patients = [sum(at(end.patients, level)) for end in ends]
        toxic = [sum(counts[0] for counts in at(end.toxicities, level)) for end in ends]
        pairs[f"patients {level}"] = trial.patients.by_level[level], patients
        pairs[f"dlts {level}"] = trial.dlts.by_level[level], toxic
    return {what: error * sqrt(trials) / sd(values) for what, (error, values) in pairs.items()}


def test_the_standard_errors_are_those_of_the_trials() -> None:
    (found,) = monte_carlo(TWO, [scenario(RATES)], trials=10**6, seed=1)
    assert all(ratio == pytest.approx(1, rel=0.01) for ratio in off(found, 10**6).values())


def test_standard_errors_of_the_first_part_alone_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Columns.count
    monkeypatch.setattr(Columns, "count", lambda columns, lanes, part, *of: part or real(columns, lanes, part, *of))
    (found,) = monte_carlo(TWO, [scenario(RATES)], trials=10**6, seed=1)
    assert not all(ratio == pytest.approx(1, rel=0.01) for ratio in off(found, 10**6).values())


def test_with_a_clock_errors_are_those_of_the_trials() -> None:
    found = figures(timed_trials(TWO, scenario(RATES), INSTANT, "one-at-a-time", 40_000, seed=2))
    assert all(ratio == pytest.approx(1, rel=0.03) for ratio in off(found, 40_000).values())


@pytest.mark.parametrize("method", ["montecarlo", "timed"])
def test_simulated_trials_lie_about_the_exact_figures(method: str) -> None:
    one = scenario(RATES)
    if method == "timed":
        found = figures(timed_trials(TWO, one, INSTANT, "one-at-a-time", 20_000, seed=2))
    else:
        (found,) = monte_carlo(TWO, [one], trials=40_000, seed=2)
    (right,) = exact(TWO, [one])
    assert agrees(found, right)
    # the mutant: a patient more at each level
    more = tuple(n + 0.1 for n in right.trial.patients.by_level)
    patients = evolve(right.trial.patients, by_level=more)
    assert not agrees(found, evolve(right, trial=evolve(right.trial, patients=patients)))


def test_trials_that_are_given_up_count_with_the_patients_that_they_had() -> None:
    (found,) = monte_carlo(protocol_of(WITHOUT_END), [scenario(RATES)], trials=300, seed=1)
    assert found.undecided == 1 and sum(found.trial.patients.distribution.values()) == pytest.approx(1)
    assert found.patients.max == 1 and (found.trial.patients.min or 0) >= MAX_PATIENTS


# ---- in two parts and in one ----


@pytest.mark.parametrize("engine", ["explored", "counted", "counted, many"])
def test_a_trial_has_the_same_figures_in_two_parts_and_in_one(engine: str) -> None:
    two, one = made(TWO, engine), made(ONE, engine)
    assert one.trial.patients == one.patients and one.trial.dlts == one.dlts
    assert two.patients.mean < one.patients.mean - 2
    assert two.trial.patients.by_level == pytest.approx(one.patients.by_level, abs=1e-12)
    assert two.trial.patients.distribution == pytest.approx(one.patients.distribution, abs=1e-12)
    assert two.trial.patients.sd == pytest.approx(one.patients.sd, abs=1e-12)
    assert two.trial.dlts.by_level == pytest.approx(one.dlts.by_level, abs=1e-12)
    for name, said in two.verdicts.items():
        assert said.by_level == pytest.approx(one.verdicts[name].by_level, abs=1e-12)
    assert two.mtd == pytest.approx(one.mtd, abs=1e-12)


def test_side_by_side_they_do_not_differ() -> None:
    found = [exact(protocol, [scenario(RATES)])[0] for protocol in (ONE, TWO)]
    lines = side_by_side(found, Fraction(1, 4)).lines
    assert {"patients", "DLTs", "sample size", "largest sample size"} <= {line.name for line in lines}
    for line in lines:
        assert abs(line.differences[0].value) < 1e-12, line.name


def test_side_by_side_on_the_same_patients_they_do_not_differ() -> None:
    trials = (timed_trials(protocol, scenario(RATES), INSTANT, "one-at-a-time", 500, seed=3) for protocol in (ONE, TWO))
    counted = ("patients", "DLTs", "sample size", "largest sample size")
    for line in paired(trials, Fraction(1, 4)).lines:
        if line.name in counted or line.name.startswith("patients "):
            assert line.differences[0] is not None and abs(line.differences[0].value) < 1e-12, line.name


# ---- shown ----


def test_what_is_shown_says_of_which_trial_it_is() -> None:
    (found,) = exact(TWO, [scenario(RATES)])
    text = render_text([found])
    assert f"{found.trial.patients.mean:.2f} patients in all parts, " in text
    assert f"{found.patients.mean:.2f} patients in run-in alone, " in text
    assert "patients in all parts  with DLT in all parts" in text
    assert "patients in run-in alone  with DLT in run-in alone" in text
    assert "declared as MTD  declared as tolerated" in text
    (one,) = exact(ONE, [scenario(RATES)])
    assert "all parts" not in render_text([one]) and "alone" not in render_text([one])


def test_the_long_table_has_the_whole_trial_where_there_are_parts() -> None:
    found = [exact(protocol, [scenario(RATES)])[0] for protocol in (TWO, ONE)]
    two, one = (list(csv.DictReader(io.StringIO(render_csv([each])))) for each in found)
    by_level = {row["level"]: float(row["value"]) for row in two if row["figure"] == "trial_patients"}
    assert tuple(by_level.values()) == found[0].trial.patients.by_level
    assert not any(row["figure"].startswith("trial_") for row in one)
    said = {
        row["level"]: float(row["value"]) for row in two if (row["figure"], row["item"]) == ("verdict", "tolerated")
    }
    assert tuple(said.values()) == found[0].verdicts["tolerated"].by_level and sum(said.values()) > 0


def test_a_sweep_has_the_whole_trial_of_every_protocol(tmp_path: Path) -> None:
    """So that a column of the whole trial can be compared over protocols with and without parts."""
    for name, text in (("one", IN_ONE), ("two", IN_TWO)):
        (tmp_path / f"{name}.dose").write_text(text, encoding="utf-8")
    plan, out = tmp_path / "plan.csv", tmp_path / "out.csv"
    plan.write_text("protocol,scenario\none.dose,s\ntwo.dose,s\n", encoding="utf-8")
    assert run(["sweep", str(plan), "--out", str(out), "--quiet"]) == 0
    one, two = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    whole = [name for name in two if name.startswith("trial_")]
    assert {"trial_patients:1", "trial_dlts:3", "trial_patients_mean", "trial_patients_max"} <= set(whole)
    for name in whole:
        assert float(one[name] or 0) == pytest.approx(float(two[name] or 0), abs=1e-12), name
        assert one[name] == one[name.removeprefix("trial_")]
    assert float(two["patients_mean"]) < float(two["trial_patients_mean"]) - 1
