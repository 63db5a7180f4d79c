"""Operating characteristics that others printed, with their rules in full, against the exact ones of the same rules.

BOIN: Zhao, Yuan, Korn, Freidlin. Clin Cancer Res 2024;30:673-679, table 4, the row of BOIN, as quoted by the R package
simFastBOIN: target 25 %, ten cohorts of three; one DLT in the first three at a level is followed by a cohort there, and
the trial ends when the next cohort would be treated at a level that has nine patients. Figures of simulated trials.

CRM: Yap, Slade. Vignette of the R package dtpcrm 0.1.1, fifty simulated trials of VIOLA in each of three scenarios.
The simulation is called without `no_skip_deesc`, whose default is that no level is passed on the way down. The design
that the vignette describes, and that was run, passes levels. So its figures are those of a trial with one rule more.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest

from doselang.api import simulate
from doselang.loading import load_source
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import monte_carlo
from doselang.source import Source

PROTOCOLS = Path(__file__).parent.parent / "protocols"


def read(text: str, where: Path = PROTOCOLS) -> Protocol:
    loaded = load_source(Source("published.dose", text), where)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


# ---- BOIN ----

BOIN_RATES = (0.04, 0.12, 0.25, 0.43, 0.63)
BOIN_PRINTED = {"at": (56.7, 8.0), "above": (12.3, 4.6), "below": (None, 11.4)}
"""Per cent of trials that select, and patients at, the level of 25 %, those above it, and those below it."""
STAY_AFTER_ONE = """
part dose-finding
rule "one of the first three"
  assume "after one DLT in the first three at a level the next cohort is treated there" because "the paper says so"
  overrides "down", "nothing lower"
  when 1 of 3 patients has a DLT
  then stay
"""
END_WHERE_IT_WOULD_STAY = """
rule "converged"
  assume "the trial ends when the next cohort would be treated at a level that has nine" because "the paper says so"
  overrides "up", "nothing higher", "same level", "down", "nothing lower"
  when at least 9 evaluable and boundaries says stay and this level is not closed as too toxic
  then declare the level estimate recommends as MTD, stop "nine at the level"
  when at least 9 evaluable and boundaries says escalate and no higher level remains
       and this level is not closed as too toxic
  then declare the level estimate recommends as MTD, stop "nine at the level"
  when at least 9 evaluable and boundaries says de-escalate and no lower level exists
       and this level is not closed as too toxic
  then declare the level estimate recommends as MTD, stop "nine at the level"
"""


def boin(arguments: str, rules: str) -> Characteristics:
    protocol = read(f'protocol "published"\nuse "boin" with {arguments}\n{rules}', PROTOCOLS / "designs")
    (one,) = simulate(protocol, [Scenario("printed", (BOIN_RATES,))])
    return one


def apart(one: Characteristics) -> tuple[float, float]:
    """How far the figures are from the printed ones at most: in per cent of trials, and in patients."""
    chances = {"at": one.mtd[2], "above": sum(one.mtd[3:]), "below": sum(one.mtd[:2])}
    patients = one.patients.by_level
    numbers = {"at": patients[2], "above": sum(patients[3:]), "below": sum(patients[:2])}
    selected = [abs(100 * chances[name] - share) for name, (share, _) in BOIN_PRINTED.items() if share is not None]
    return max(selected), max(abs(numbers[name] - number) for name, (_, number) in BOIN_PRINTED.items())


def test_boin_has_the_printed_figures() -> None:
    selected, patients = apart(boin("target 25%", STAY_AFTER_ONE + END_WHERE_IT_WOULD_STAY))
    assert selected < 1 and patients < 0.1


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        ("target 25%, stop-at 9", STAY_AFTER_ONE),
        ("target 25%", STAY_AFTER_ONE),
        ("target 25%", "part dose-finding\n" + END_WHERE_IT_WOULD_STAY),
        ("target 30%", STAY_AFTER_ONE + END_WHERE_IT_WOULD_STAY),
    ],
    ids=["ends at nine whatever comes next", "never ends early", "the table alone", "another target"],
)
def test_rules_that_are_nearly_those_of_the_paper_have_other_figures(arguments: str, rules: str) -> None:
    selected, patients = apart(boin(arguments, rules))
    assert selected > 1.5 or patients > 0.3


# ---- CRM ----

TRIALS = 50
VIOLA_PRINTED: dict[tuple[float, ...], tuple[tuple[float, ...], tuple[float, ...]]] = {
    (0.03, 0.05, 0.07, 0.20, 0.36, 0.45, 0.55): (
        (0, 0.02, 0.28, 0.48, 0.20, 0.02, 0),
        (0, 1.8, 6.18, 7.8, 4.44, 0.36, 0),
    ),
    (0.005, 0.01, 0.03, 0.05, 0.07, 0.20, 0.36): (
        (0, 0, 0, 0, 0.30, 0.48, 0.22),
        (0, 0.18, 3.18, 3.6, 5.76, 5.52, 2.76),
    ),
    (0.45, 0.55, 0.65, 0.70, 0.75, 0.80, 0.85): ((0.32, 0, 0, 0, 0, 0, 0), (7.5, 3.12, 3.06, 0.06, 0, 0, 0)),
}
"""By the rates: how often each level from -2 to 4 was selected, and the mean number of patients there."""
NO_LEVEL_IS_PASSED = """
rule "no level is passed on the way down"
  overrides "follow the model"
  assume "the first level below those given is the next one" because "it is so as the simulation was called"
  when the cohort is complete and at most 18 evaluable in the trial
       and level -2 is the level model recommends and level -1 is not tried
  then enrol 3 at level -1
"""
BEFORE = 'rule "safety stop"'


def viola(with_rule: bool) -> Protocol:
    text = (PROTOCOLS / "viola.dose").read_text(encoding="utf-8")
    assert text.count(BEFORE) == 1
    return read(text.replace(BEFORE, NO_LEVEL_IS_PASSED + BEFORE) if with_rule else text)


def steps(protocol: Protocol, rates: tuple[float, ...]) -> list[float]:
    """How many standard errors of fifty trials each printed figure is from the exact one; rare events count less."""
    scenario = Scenario("printed", (rates,))
    (one,) = simulate(protocol, [scenario])
    (drawn,) = monte_carlo(protocol, [scenario], "one-at-a-time", trials=20_000, seed=5)
    assert drawn.standard_errors is not None
    shares, numbers = VIOLA_PRINTED[rates]
    found = [
        abs(exact - seen) / (sqrt(exact * (1 - exact) / TRIALS) + 0.5 / TRIALS)
        for exact, seen in zip(one.mtd, shares, strict=True)
    ]
    spread = [error * sqrt(20_000 / TRIALS) for error in drawn.standard_errors.patients.by_level]
    return found + [
        abs(exact - seen) / (error + 1.5 / TRIALS)
        for exact, seen, error in zip(one.patients.by_level, numbers, spread, strict=True)
    ]


@pytest.mark.parametrize("rates", list(VIOLA_PRINTED), ids=["S1", "S2", "S3"])
def test_viola_has_the_printed_figures_of_fifty_trials(rates: tuple[float, ...]) -> None:
    assert max(steps(viola(True), rates)) < 4


def test_the_printed_figures_are_not_those_of_the_design_that_was_run() -> None:
    """Where all levels are too toxic, hardly anyone is treated at -1 if levels are passed, and everyone if not."""
    toxic = list(VIOLA_PRINTED)[2]
    assert max(steps(viola(False), toxic)) > 5
