"""The shipped BOIN template and VIOLA: their worked tables, what the checker says, and their figures twice over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from doselang.api import load, load_source, monte_carlo, simulate
from doselang.check.checking import check
from doselang.cli.testing import run as run_tests
from doselang.conduct.explain import explain
from doselang.machine.advising import advisers_of, said
from doselang.machine.compiling import compile_protocol
from doselang.machine.notation import parse_history, write_history
from doselang.protocol.model import Declare, Enrol, Protocol, Scenario, Stop
from doselang.simulate.characteristics import Characteristics
from doselang.source import Source
from tests.oracles.engines import DOWN, OUT, UP, VIOLA, Crm, Decision, Figures, Tally, boin, figures, selected
from tests.samples import FIVE_LEVEL_CRM
from tests.test_protocols import invoke

PROTOCOLS = Path(__file__).parent.parent / "protocols"
BOIN, CRM, PROPERTY = (PROTOCOLS / f"{name}.dose" for name in ("boin-template", "viola", "viola-property"))
TRIALS = 40_000
OUTCOMES = ("NNN", "NTN", "NTT", "TTT")


def protocol_of(path: Path, **values: int) -> Protocol:
    loaded = load(str(path), {name.replace("_", "-"): Fraction(value) for name, value in values.items()})
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def read(text: str) -> Protocol:
    loaded = load_source(Source("other.dose", text), PROTOCOLS)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def under(protocol: Protocol, *rates: Sequence[float], accrual: str = "one-at-a-time") -> tuple[Characteristics, ...]:
    scenarios = [Scenario(str(number), (tuple(row),)) for number, row in enumerate(rates)]
    return simulate(protocol, scenarios, accrual)  # type: ignore[arg-type]


def numbers(one: Characteristics) -> list[float]:
    return [*one.mtd, one.no_mtd, *one.patients.by_level, *one.dlts.by_level, one.undecided]


def agree(one: Characteristics, expected: Figures, tolerance: float = 1e-9) -> None:
    wanted = [*expected.selected, expected.none, *expected.patients, *expected.dlts, 0.0]
    assert numbers(one) == pytest.approx(wanted, abs=tolerance)


def steps(drawn: Characteristics, exact: Characteristics) -> list[tuple[float, float, float]]:
    """Each exact figure, the simulated one, and its standard error."""
    errors = drawn.standard_errors
    assert errors is not None
    chances = zip((*exact.mtd, exact.no_mtd), (*drawn.mtd, drawn.no_mtd), strict=True)
    found = [(true, seen, sqrt(true * (1 - true) / TRIALS)) for true, seen in chances]
    for one, other, error in ((exact.patients, drawn.patients, errors.patients), (exact.dlts, drawn.dlts, errors.dlts)):
        found += zip(one.by_level, other.by_level, error.by_level, strict=True)
    return found


# ---- both scripts ----


@pytest.mark.parametrize(("path", "silences"), [(BOIN, 5), (CRM, 5)], ids=["boin", "viola"])
def test_the_script_checks_clean_and_lists_what_the_text_leaves_open(path: Path, silences: int) -> None:
    status, out = invoke("check", str(path), "--format", "json")
    record = json.loads(out)
    assert (status, record["counts"]) == (0, {"error": 0, "warning": 0, "info": 0})
    assert len(record["files"][0]["silences"]) == silences
    checked = check(protocol_of(path))
    assert checked.complete and all(claim.outcome == "proved" and claim.mutant for claim in checked.claims)


@pytest.mark.parametrize("path", [BOIN, CRM], ids=["boin", "viola"])
def test_the_examples_hold_and_reach_every_rule(path: Path) -> None:
    loaded = load(str(path))
    assert loaded.protocol is not None
    tested = run_tests(loaded)
    assert tested.failed == 0 and tested.coverage.unreached == ()
    assert all(example.by for example in loaded.protocol.examples)


@pytest.mark.parametrize("path", [BOIN, CRM], ids=["boin", "viola"])
def test_every_rule_has_a_basis(path: Path) -> None:
    for part in protocol_of(path).parts:
        assert all(rule.cites or rule.assumes for rule in part.rules)


@pytest.mark.parametrize("path", [BOIN, CRM], ids=["boin", "viola"])
def test_no_rule_acts_before_the_end_of_a_cohort(path: Path) -> None:
    """So it changes nothing whether patients enter one at a time or in whole cohorts."""
    protocol = protocol_of(path)
    rates = [scenario.rates[0] for scenario in protocol.scenarios]
    for one, whole in zip(under(protocol, *rates), under(protocol, *rates, accrual="whole-cohort"), strict=True):
        assert numbers(one) == numbers(whole)


# ---- BOIN ----

DECISIONS = {
    "1NNN": 2, "1NNN 2NTN": 2, "1NNN 2NTN 2NTN": 2, "1NNN 2NTN 2NTT": 1, "1NNN 2NNN 3TTT": 2,
    "1NNN 2NTN 2NNN 3TTT 2NNN": 2, "1TNT": 1, "1TTT": None,
}  # fmt: skip
"""The worked table: a history that produces its state, and the level that follows, None where the trial stops."""
SELECTIONS = {"1NNN 2NTN 2NNN 3NTN 3NTN 3NNN 4NTN 4NTN 4NTN 4NTT": 3, "1NTN 1NNN 2TTT" + 7 * " 1NNN": 1}
BOIN_RATES = ((0.05, 0.15, 0.30, 0.45, 0.60), (0.30, 0.30, 0.30, 0.30, 0.30), (0.02, 0.05, 0.08, 0.10, 0.12))


def methods() -> str:
    """The script with the two methods in the place of the two printed tables."""
    text = BOIN.read_text(encoding="utf-8")
    for name, use in (("boundaries", "boin"), ("safety", "too-toxic")):
        text, found = re.subn(rf"(?ms)^table {name}\n.*?^\n", f"use {use} as {name} with target 30%\n\n", text)
        assert found == 1
    return re.sub(r"(?ms)^claim .*?(?=^#|^claim)", "", text)  # the checks of the script itself are made elsewhere


def test_the_worked_table_of_boin_stands_in_the_script() -> None:
    examples = {example.history: example for example in protocol_of(BOIN).examples}
    for history, level in DECISIONS.items():
        *_, last = examples[history].expected
        if level is None:
            assert isinstance(last, Stop)
        else:
            assert isinstance(last, Enrol) and last.place.index == level - 1
    for history, level in SELECTIONS.items():
        (declared,) = [move for move in examples[history].expected if isinstance(move, Declare)]
        assert declared.place is not None and declared.place.index == level - 1


def test_the_selection_of_a_short_trial() -> None:
    """Final counts 1 of 6 and 3 of 3: level 2 is eliminated, the MTD is level 1."""
    protocol = protocol_of(BOIN, cohorts=3)
    told = explain(compile_protocol(protocol), parse_history("1NTN 1NNN 2TTT", protocol))
    (way,) = told.ways
    (declared,) = [move for move in way.answer.moves if isinstance(move, Declare)]
    assert declared.place is not None and declared.place.index == 0


def test_the_oracle_selects_as_the_worked_table_says() -> None:
    assert selected(((3, 0), (6, 1), (9, 2), (12, 5), (0, 0)), 0.30) == 2
    assert selected(((6, 1),), 0.30) == 0


@pytest.mark.parametrize("rates", BOIN_RATES)
def test_boin_agrees_with_a_dictionary_of_tallies(rates: tuple[float, ...]) -> None:
    (one,) = under(protocol_of(BOIN), rates)
    agree(one, figures(boin(30), 0, rates))


def test_the_printed_tables_and_the_methods_give_the_same_figures() -> None:
    tables, other = protocol_of(BOIN), read(methods())
    assert [adviser.name for adviser in other.advisers] == [adviser.name for adviser in tables.advisers]
    for one, two in zip(under(tables, *BOIN_RATES), under(other, *BOIN_RATES), strict=True):
        assert numbers(one) == pytest.approx(numbers(two), abs=1e-15)


def test_the_printed_tables_and_the_methods_say_the_same_of_every_tally() -> None:
    scripts = protocol_of(BOIN), read(methods())
    tables, other = (advisers_of(script) for script in scripts)
    words, words_of_method = (script.advisers[0].words for script in scripts)  # type: ignore[union-attr]
    for column in range(10):
        n = 3 * column + 3
        toxic = np.arange(n + 1, dtype=np.int32)
        evaluable = np.full(n + 1, n, np.int32)
        wanted = ["escalate" if y <= UP[column] else "de-escalate" if y >= DOWN[column] else "stay" for y in toxic]
        assert [words[word] for word in said(tables[0], evaluable, toxic)] == wanted
        assert [words_of_method[word] for word in said(other[0], evaluable, toxic)] == wanted
        for safety in (tables[1], other[1]):
            assert ((said(safety, evaluable, toxic) == 0) == (toxic >= OUT[column])).all()


# ---- VIOLA ----

TABLE = """
0:0 1:0 2:0 > 3     0:0 1:1 1:1 > 0       0:1 -1:0 0:0 > 1       0:2 -2:1 -2:2 > STOP
0:0 1:0 2:1 > 2     0:0 1:1 1:2 > -1      0:1 -1:1 -1:0 > -1     0:2 -2:2 > STOP
0:0 1:0 2:2 > 1     0:0 1:2 -1:0 > 0      0:1 -1:1 -1:1 > -2     0:3 -2:0 -2:0 > -2
0:0 1:0 2:3 > 0     0:0 1:3 -2:0 > -1     0:1 -1:3 -2:2 > STOP   0:3 -2:2 > STOP
0:0 1:1 1:0 > 2     0:0 1:3 -2:3 > STOP   0:2 -2:0 -2:0 > -1     0:1 -1:2 -2:2 > -2
"""
"""The worked table: cohorts as level:DLTs, and the level that follows."""
ROWS = [(cohorts.split(), after) for cohorts, after in re.findall(r"((?:-?\d:\d )+)> (-?\w+)", TABLE)]
CRM_RATES = ((0.03, 0.07, 0.12, 0.20, 0.30, 0.40, 0.52), (0.35,) * 7, (0.10, 0.20, 0.35, 0.50, 0.60, 0.70, 0.80))


def label(level: int) -> str:
    return str(level - 2)


def test_the_worked_table_of_viola_stands_in_the_script() -> None:
    assert len(ROWS) == 20
    protocol = protocol_of(CRM)
    examples = {example.history: example for example in protocol.examples}
    for cohorts, after in ROWS:
        pairs = [cohort.split(":") for cohort in cohorts]
        *_, last = examples[" ".join(f"{where}{OUTCOMES[int(dlts)]}" for where, dlts in pairs)].expected
        if after == "STOP":
            assert isinstance(last, Stop)
        else:
            assert isinstance(last, Enrol) and protocol.levels[last.place.index].label == after


@pytest.mark.parametrize(("cohorts", "after"), ROWS, ids=[" ".join(cohorts) for cohorts, _ in ROWS])
def test_the_oracle_decides_as_the_worked_table_says(cohorts: list[str], after: str) -> None:
    tally: Tally = ((0, 0),) * 7
    decision: Decision = 2
    for cohort in cohorts:
        where, dlts = (int(part) for part in cohort.split(":"))
        assert decision == where + 2
        n, y = tally[where + 2]
        tally = (*tally[: where + 2], (n + 3, y + dlts), *tally[where + 3 :])
        decision = VIOLA.decide(tally, where + 2)
    assert (label(decision) if isinstance(decision, int) else "STOP") == after


@pytest.mark.parametrize("rates", CRM_RATES)
def test_viola_agrees_with_an_integral_of_its_own(rates: tuple[float, ...]) -> None:
    (one,) = under(protocol_of(CRM), rates)
    agree(one, figures(VIOLA.decide, 2, rates))


def test_the_property_that_the_investigators_wanted_is_refuted() -> None:
    """The history ends with two or three of the first three at level -2, and the oracle goes on after it."""
    protocol = protocol_of(PROPERTY)
    checked = check(protocol)
    (refuted,) = [claim for claim in checked.claims if claim.outcome == "refuted"]
    assert protocol.claims[refuted.claim].name.startswith("two or three DLTs in the first three patients at level -2")
    assert refuted.history is not None
    text = write_history(refuted.history, protocol)
    tally: Tally = ((0, 0),) * 7
    for group in text.split():
        where, letters = int(group[:-3]) + 2, group[-3:]
        n, y = tally[where]
        tally = (*tally[:where], (n + 3, y + letters.count("T")), *tally[where + 1 :])
        decision = VIOLA.decide(tally, where)
    assert where == 0 and tally[0][0] == 3 and tally[0][1] >= 2
    assert isinstance(decision, int)
    assert invoke("check", str(PROPERTY))[0] == 1


NO = (0, 0)


@pytest.mark.parametrize(
    ("tally", "chance", "stops"),
    [
        (((3, 2), NO, (3, 0), (3, 3), NO, NO, NO), 0.57, False),
        (((3, 2), (3, 2), (3, 1), NO, NO, NO, NO), 0.70, False),
        (((3, 2), NO, (3, 2), NO, NO, NO, NO), 0.74, True),
    ],
    ids=["0NNN 1TTT -2NTT", "0NTN -1NTT -2NTT", "0NTT -2NTT"],
)
def test_the_probabilities_that_the_page_of_viola_gives(tally: Tally, chance: float, stops: bool) -> None:
    assert VIOLA.chance(tally) == pytest.approx(chance, abs=0.005)
    assert (VIOLA.decide(tally, 0) == ("unsafe", None)) is stops


def test_an_explanation_gives_the_probability() -> None:
    status, out = invoke("explain", str(CRM), "0NTN -1NTT -2NTT")
    assert status == 0
    chance = VIOLA.chance(((3, 2), (3, 2), (3, 1), NO, NO, NO, NO))
    assert f"more than 72%  {chance:.1%} at level -2" in out
    told = json.loads(invoke("explain", str(CRM), "0NTN -1NTT -2NTT", "--format", "json")[1])
    (found,) = re.findall(r'"probability": ([\d.]+)', json.dumps(told))
    assert float(found) == pytest.approx(chance, abs=1e-9)


# ---- a CRM with five levels and ten cohorts ----

FIVE_ORACLE = Crm((0.05, 0.12, 0.25, 0.40, 0.55), (1, 4), 1.34, 0.25, 0.90, 31, 30)
FIVE_RATES = ((0.05, 0.12, 0.25, 0.40, 0.55), (0.30, 0.40, 0.50, 0.60, 0.70))


@pytest.mark.parametrize("rates", FIVE_RATES)
def test_a_longer_crm_agrees_with_an_integral_of_its_own(rates: tuple[float, ...]) -> None:
    (one,) = under(read(FIVE_LEVEL_CRM), rates)
    agree(one, figures(FIVE_ORACLE.decide, 0, rates))


# ---- exact and simulated ----


@pytest.mark.parametrize(
    ("make", "rates"),
    [
        (lambda: protocol_of(BOIN), BOIN_RATES[0]),
        (lambda: protocol_of(BOIN), BOIN_RATES[1]),
        (lambda: protocol_of(CRM), CRM_RATES[0]),
        (lambda: protocol_of(CRM), CRM_RATES[1]),
        (lambda: read(FIVE_LEVEL_CRM), FIVE_RATES[0]),
        (lambda: read(FIVE_LEVEL_CRM), FIVE_RATES[1]),
    ],
    ids=["boin", "boin, flat", "viola", "viola, flat", "crm", "crm, toxic"],
)
def test_exact_figures_lie_within_four_standard_errors(make: Callable[[], Protocol], rates: tuple[float, ...]) -> None:
    protocol = make()
    (exact,) = under(protocol, rates)
    (drawn,) = monte_carlo(protocol, [Scenario("0", (rates,))], "one-at-a-time", trials=TRIALS, seed=3)
    assert sum(exact.mtd) + exact.no_mtd == pytest.approx(1, abs=1e-12)
    for true, seen, error in steps(drawn, exact):
        # where few trials are expected their number is no normal one: six patients or trials more are allowed
        assert abs(true - seen) <= 4 * error + 6 / TRIALS
