"""The shipped protocols: what checking, testing and simulating them must show, against independent calculations."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.api import load, load_source, monte_carlo, simulate
from doselang.check.checking import check
from doselang.cli import program
from doselang.cli.testing import run as run_tests
from doselang.conduct.explain import explain
from doselang.loading import Loaded
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.machine.notation import parse_history, write_history
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.source import Source
from tests.oracles.reference import ends, figures, literal, settled

PROTOCOLS = Path(__file__).parent.parent / "protocols"
SETTLED = PROTOCOLS / "ibrutinib-lenalidomide.dose"
LITERAL = PROTOCOLS / "ibrutinib-lenalidomide-literal.dose"
CLASSICAL = PROTOCOLS / "designs" / "three-plus-three.dose"
SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.dose"))

SILENCES = {1: "1NTT", 2: "1NNT 1T", 3: "1NNT 1NNN 2NNT 2T", 4: "1NNN 2NNN 3NNN 3NNN", 5: "1NNN 2NNT 2T 1NNN"}
"""The five open situations of the reference trial, each with the shortest trial that runs into it.

By hand: fewest patients, and among these no DLT before a DLT. (1) two DLTs among the first three; (2) the lowest
level closes; (3) the level below a closed one has six; (4) the three that confirm at the top; (5) the three at a
reopened level.
"""


def protocol_of(path: Path, **values: int) -> Protocol:
    loaded = load(str(path), {name: Fraction(value) for name, value in values.items()})
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def changed(path: Path, *changes: tuple[str, str]) -> Loaded:
    """A protocol with some words of its script exchanged; examples and scenarios are taken out."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^# ---- (worked examples|scenarios).*", "", text)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    loaded = load_source(Source(str(path), text), path.parent)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded


def with_levels(path: Path, levels: int, start: int = 1) -> Protocol:
    """The reference trial with another number of levels and another start."""
    last = next(
        line for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"level\s+3|levels 1 to", line)
    )
    ladder = f"levels 1 to {levels}"
    if last.startswith("level "):
        ladder = "\n".join([last, *(f"level {number}" for number in range(4, levels + 1))])
    protocol = changed(path, (last, ladder), ("start at level 1", f"start at level {start}")).protocol
    assert protocol is not None
    return protocol


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(program, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value or 0, result.stdout


def scenario(*rates: float, name: str = "s") -> Scenario:
    return Scenario(name, (tuple(rates),))


# ---- the literal script ----


def test_the_literal_script_has_the_five_silences_and_no_conflict() -> None:
    status, out = invoke("check", str(LITERAL), "--format", "json")
    found = json.loads(out)["files"][0]["diagnostics"]
    errors = [item for item in found if item["severity"] == "error"]
    assert status == 1
    assert {item["code"] for item in errors} == {"DL301"}
    assert sorted(item["history"] for item in errors) == sorted(SILENCES.values())


def test_the_causes_have_the_probabilities_of_the_hand_written_calculation() -> None:
    rates = [Fraction(1, 10), Fraction(2, 10), Fraction(3, 10)]
    expected = figures(literal, rates, "one-at-a-time").undecided
    _, out = invoke("check", str(LITERAL), "--format", "json")
    found = json.loads(out)["files"][0]["diagnostics"]
    moderate = {item["history"]: item["probability"]["moderate"] for item in found if item["code"] == "DL301"}
    for number, history in SILENCES.items():
        assert moderate[history] == pytest.approx(float(expected[number]), abs=1e-12)


@pytest.mark.parametrize("accrual", ["one-at-a-time", "whole-cohort"])
def test_nine_in_ten_trials_leave_the_literal_rules(accrual: str) -> None:
    rates = [Fraction(1, 10), Fraction(2, 10), Fraction(3, 10)]
    expected = figures(literal, rates, accrual)
    (one,) = simulate(protocol_of(LITERAL), [scenario(0.1, 0.2, 0.3)], accrual)  # type: ignore[arg-type]
    assert one.undecided == pytest.approx(float(sum(expected.undecided.values())), abs=1e-12)
    assert 0.90 < one.undecided < 0.91
    assert len(one.undecided_causes) == 5
    assert sum(cause.probability for cause in one.undecided_causes) == pytest.approx(one.undecided, abs=1e-12)


# ---- the settled script ----


def test_the_settled_script_checks_clean_and_lists_its_assumptions() -> None:
    status, out = invoke("check", str(SETTLED), "--format", "json")
    record = json.loads(out)["files"][0]
    assert status == 0
    assert record["diagnostics"] == []
    named = {assumption["reading"][:2] for assumption in record["assumptions"]}
    assert {f"A{number}" for number in range(1, 10)} <= named
    assert all(assumption["because"] for assumption in record["assumptions"])


def test_every_claim_is_proved_and_fails_on_a_mutant() -> None:
    checked = check(protocol_of(SETTLED))
    assert [claim.outcome for claim in checked.claims] == ["proved"] * 6
    assert all(claim.mutant for claim in checked.claims)


@pytest.mark.parametrize("path", [SETTLED, CLASSICAL, *SCRIPTS], ids=lambda path: path.stem)
def test_all_examples_and_claims_hold_and_every_rule_has_an_example(path: Path) -> None:
    tested = run_tests(load(str(path)))
    assert [example.name for example in tested.examples if not example.passed] == []
    assert tested.failed == 0
    assert tested.examples
    assert tested.coverage.unreached == ()


def test_the_highest_start_makes_the_assumption_about_closed_levels_matter() -> None:
    """A5: with the start at level 2, level 2 can be closed when level 1 is clear; then it is confirmed, not left."""
    protocol = with_levels(SETTLED, 3, start=2)
    told = explain(compile_protocol(protocol), parse_history("2TT 1NNN", protocol))
    (way,) = told.ways
    assert [account.rule.name for account in way.acted] == ["first three clear, nothing higher"]
    without = changed(
        SETTLED, ("start at level 1", "start at level 2"), ("higher level remains", "higher level exists")
    )
    assert without.protocol is not None
    causes = [fact for fact in check(without.protocol, mutate=False).facts if type(fact).__name__ == "Cause"]
    assert "2TT 1NNN" in {write_history(cause.history, without.protocol) for cause in causes}  # type: ignore[union-attr]


# ---- operating characteristics against fractions ----


def agree(found: Characteristics, expected) -> None:  # type: ignore[no-untyped-def]
    close = pytest.approx
    assert found.mtd == close([float(expected.mtd[level]) for level in range(len(found.mtd))], abs=1e-12)
    assert found.no_mtd == close(float(expected.no_mtd), abs=1e-12)
    assert found.undecided == close(float(sum(expected.undecided.values())), abs=1e-12)
    assert found.patients.by_level == close([float(n) for n in expected.patients], abs=1e-12)
    assert found.dlts.by_level == close([float(n) for n in expected.dlts], abs=1e-12)
    sizes = {size: float(p) for size, p in expected.sizes.items() if p}
    assert found.patients.distribution == close(sizes, abs=1e-12)


@pytest.mark.parametrize("accrual", ["one-at-a-time", "whole-cohort"])
@pytest.mark.parametrize("levels", [3, 4, 5])
@pytest.mark.parametrize(("path", "reading"), [(SETTLED, settled), (LITERAL, literal)], ids=["settled", "literal"])
def test_exact_figures_agree_with_a_calculation_by_fractions(path: Path, reading, levels: int, accrual: str) -> None:  # type: ignore[no-untyped-def]
    rates = [Fraction(2 * number + 1, 20) for number in range(levels)]
    (found,) = simulate(with_levels(path, levels), [scenario(*map(float, rates))], accrual)  # type: ignore[arg-type]
    agree(found, figures(reading, rates, accrual))


@settings(max_examples=6, deadline=None)
@given(
    levels=st.sampled_from([3, 4, 5]), seed=st.integers(0, 2**16), whole=st.booleans(),
    rates=st.lists(st.integers(0, 100), min_size=5, max_size=5),
)  # fmt: skip
def test_monte_carlo_agrees_within_four_standard_errors(levels: int, seed: int, whole: bool, rates: list[int]) -> None:
    accrual = "whole-cohort" if whole else "one-at-a-time"
    protocol = with_levels(SETTLED, levels)
    assumed = [scenario(*(rate / 100 for rate in rates[:levels]))]
    (exact,) = simulate(protocol, assumed, accrual)  # type: ignore[arg-type]
    (drawn,) = monte_carlo(protocol, assumed, accrual, trials=40_000, seed=seed)  # type: ignore[arg-type]
    for true, seen in zip((*exact.mtd, exact.no_mtd), (*drawn.mtd, drawn.no_mtd), strict=True):
        # where few trials are expected their number is no normal one: six more or fewer are allowed
        assert abs(true - seen) <= 4 * np.sqrt(true * (1 - true) / 40_000) + 6 / 40_000


# ---- the classical design ----


def histories(protocol: Protocol) -> int:
    """The number of distinct histories: lists of cohorts with their DLT counts."""
    found = explore(compile_protocol(protocol), "whole-cohort", histories=True)
    paths = np.zeros(found.states, dtype=np.int64)
    paths[0] = 1
    total = 0
    for bucket in found.buckets:
        ends = np.append(bucket.steps, len(bucket.came_from))
        for state in range(len(bucket)):
            into = slice(ends[state], ends[state + 1])
            if bucket.came_from[into][0] >= 0:
                paths[bucket.start + state] = paths[bucket.came_from[into]].sum()
            total += int(paths[bucket.start + state]) if bucket.ended[state] else 0
    return total


@pytest.mark.parametrize(
    ("levels", "number"), list(enumerate([10, 46, 154, 442, 1162, 2890, 6922, 16138], start=1))
)  # fmt: skip
def test_the_classical_design_has_the_published_number_of_histories(levels: int, number: int) -> None:
    """Counts of the classical 3+3 with de-escalation as enumerated by the R package precautionary (Norris; Triska)."""
    assert histories(protocol_of(CLASSICAL, levels=levels)) == number


def test_the_classical_design_checks_clean() -> None:
    status, out = invoke("check", str(CLASSICAL), "--format", "json")
    assert status == 0
    assert json.loads(out)["counts"] == {"error": 0, "warning": 0, "info": 0}


# ---- not a 3+3 in disguise ----


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_other_designs_check_and_simulate_unchanged(path: Path) -> None:
    status, out = invoke("check", str(path), "--format", "json")
    found = json.loads(out)
    assert (status, found["counts"]["error"]) == (0, 0), found["files"][0]["diagnostics"]
    status, out = invoke("simulate", str(path), "--format", "json")
    assert status == 0
    for one in json.loads(out)["scenarios"]:
        total = sum(one["mtd"].values()) + one["no_mtd"] + sum(one["other_verdicts"].values()) + one["undecided"]
        assert total == pytest.approx(1, abs=1e-12)
        assert one["undecided"] == 0


# ---- patients' courses ----


def courses_by_hand(rates: list[Fraction], hazards: list[dict[str, Fraction]], chance: Fraction) -> tuple[float, float]:
    """Share of patients re-treated, and cycles a patient: geometric series over the hand-written ends of the trial."""
    patients = re_treated = cycles = Fraction(0)
    for (groups, decision), probability in ends(settled, rates, "one-at-a-time", 0).items():
        at = [sum(n for level, n, _ in groups if level == here) for here in range(len(rates))]
        closed = [sum(dlts for level, _, dlts in groups if level == here) >= 2 for here in range(len(rates))]
        if decision.mtd is not None:
            at[decision.mtd] += 10
        for level, number in enumerate(at):
            remaining = [lower for lower in range(level) if not closed[lower]]
            going_on, toxic = no_event(hazards[level]), only_toxic(hazards[level])
            again = chance * toxic / (1 - going_on) if remaining else Fraction(0)
            later = again / (1 - no_event(hazards[remaining[-1]])) if remaining else Fraction(0)
            patients += probability * number
            re_treated += probability * number * again
            cycles += probability * number * (1 / (1 - going_on) + later)
    return float(re_treated / patients), float(cycles / patients)


def no_event(hazard: dict[str, Fraction]) -> Fraction:
    return (1 - hazard["P"]) * (1 - hazard["U"]) * (1 - hazard["R"])


def only_toxic(hazard: dict[str, Fraction]) -> Fraction:
    return (1 - hazard["P"]) * hazard["U"] * (1 - hazard["R"])


def test_courses_agree_with_geometric_series() -> None:
    hazards = [{"P": Fraction(5, 100), "U": Fraction(u, 100), "R": Fraction(1, 100)} for u in (4, 6, 9)]
    rates = [Fraction(1, 10), Fraction(2, 10), Fraction(3, 10)]
    re_treated, cycles = courses_by_hand(rates, hazards, Fraction(6, 10))
    protocol = protocol_of(SETTLED)
    (found,) = simulate(protocol, [one for one in protocol.scenarios if one.name == "with courses"])
    assert found.courses is not None
    assert found.courses.re_treated == pytest.approx(re_treated, abs=1e-12)
    assert found.courses.cycles_mean == pytest.approx(cycles, abs=1e-9)
    assert sum(found.courses.reasons_off.values()) == pytest.approx(1, abs=1e-12)
