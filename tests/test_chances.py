"""The chance that a rate lies in an interval: read, written, asked of a method, told to those who say it otherwise."""

from __future__ import annotations

import re
from fractions import Fraction
from math import exp, log
from pathlib import Path

import numpy as np
import pytest

from doselang.conduct.facts import Moment, clause, cohorts_at_end
from doselang.diagnostics import Report
from doselang.loading import load_source
from doselang.machine.compiling import compile_protocol
from doselang.machine.notation import parse_history
from doselang.machine.replay import replay
from doselang.protocol.guards import Chance, atoms
from doselang.protocol.words import guard_words
from doselang.source import Source
from doselang.syntax.layout import layout
from doselang.syntax.parse import parse

TRIAL = """protocol "a model"
levels 1 to 3
start at level 1
toxicity DLT  within 28 days  written T
parameter low is 16%
use {method}
part escalation
cohorts of 3
accrue at most 30 in the part
rule "asked"
  when exactly 6 evaluable in the trial and {condition}
  then stop "asked"
rule "begin"
  when exactly 3 evaluable in the trial
  then escalate
rule "not asked"
  when exactly 6 evaluable in the trial and not ({condition})
  then stop "not asked"
"""
BLRM = (
    "blrm as model with doses 10, 20, 40, reference-dose 20, mean-log-alpha -1, sd-log-alpha 1.5,\n"
    "     mean-log-beta 0.2, sd-log-beta 0.7"
)
CRM = "crm as model with target 25%, skeleton 10%, 25%, 40%, posterior exact"
POINTS = "crm as model with target 25%, skeleton 10%, 25%, 40%, prior-at 0, 1, prior-weights 3, 1, posterior exact"


def condition(rates: str, place: str = " at level 2", bound: str = "more than 50%") -> str:
    return f"the chance by model of a DLT {rates}{place} is {bound}"


def asked(method: str, rates: str, bound: str = "more than 50%") -> tuple[float, str]:
    """The chance by the method after 1 of 3 at level 1 and 1 of 3 at level 2, and whether the condition is true."""
    loaded = load_source(Source("t.dose", TRIAL.format(method=method, condition=condition(rates, bound=bound))), Path())
    assert loaded.protocol is not None, loaded.diagnostics
    machine = compile_protocol(loaded.protocol)
    followed = replay(machine, parse_history("1TNN 2TNN", loaded.protocol), "whole-cohort")
    assert followed.last is not None
    case = loaded.protocol.parts[0].rules[0].cases[0]
    chance = next(atom for atom in atoms(case.guard) if isinstance(atom, Chance))
    view = followed.last.view
    found = clause(chance, Moment(view, cohorts_at_end(followed)))
    (fact,) = found.facts
    assert fact.chance is not None
    return fact.chance, found.value


# ---- independent calculations, for 1 of 3 at level 1 and 1 of 3 at level 2 ----

DOSES, SKELETON = (10, 20, 40), (0.10, 0.25, 0.40)


def by_sums(method: str, low: float, high: float) -> float:
    """Pr(low < rate at level 2 <= high) by the midpoints of a fine grid, its posterior weights sorted by rate."""
    if method == BLRM:
        a, b = np.linspace(-12, 10, 4001)[:, None], np.linspace(-4.5, 4.9, 401)[None]
        prior = -(((a + 1) / 1.5) ** 2) / 2 - ((b - 0.2) / 0.7) ** 2 / 2
        rates = [1 / (1 + np.exp(-(a + np.exp(b) * log(dose / 20)))) for dose in DOSES[:2]]
    else:
        b = np.linspace(-9, 9, 400001)
        prior = -(b**2) / 2 / 1.34
        rates = [s ** np.exp(b) for s in SKELETON[:2]]
    weight = np.exp(prior)
    for rate in rates:
        weight = weight * rate * (1 - rate) ** 2
    inside = (rates[1] > low) & (rates[1] <= high)
    return float(weight[np.broadcast_to(inside, weight.shape)].sum() / weight.sum())


@pytest.mark.parametrize("method", [BLRM, CRM], ids=["blrm", "crm"])
@pytest.mark.parametrize(
    ("rates", "low", "high"),
    [
        ("between 16% and 33%", 0.16, 0.33),
        ("below 16%", 0, 0.16),
        ("above 1/3", 1 / 3, 1),
        ("between low and 1/2", 0.16, 0.5),
    ],
)
def test_the_probability_of_an_interval(method: str, rates: str, low: float, high: float) -> None:
    expected = by_sums(method, low, high)
    chance, value = asked(method, rates)
    assert abs(chance - expected) < 1e-3
    assert value == ("true" if expected > 0.5 else "false")
    # The bound is compared with that probability, and not with one end of the interval alone.
    for percent in (int(100 * expected), int(100 * expected) + 1):
        _, value = asked(method, rates, f"more than {percent}%")
        assert value == ("true" if expected > percent / 100 else "false")


def test_which_end_belongs_to_an_interval() -> None:
    """With b = 0 for sure, or nearly, the rate at level 2 is 25 % itself; b = 1 makes it 0.25^e, 2.3 %."""
    at_one = 0.25 * 0.75**2 * 0.1 * 0.9**2
    at_none = (0.25 ** exp(1)) * (1 - 0.25 ** exp(1)) ** 2 * (0.1 ** exp(1)) * (1 - 0.1 ** exp(1)) ** 2
    weight = 3 * at_one / (3 * at_one + at_none)
    found = {
        rates: asked(POINTS, rates)[0]
        for rates in ("between 16% and 25%", "between 25% and 33%", "below 16%", "below 25%", "above 25%", "above 16%")
    }
    expected = (weight, 0, 1 - weight, 1, 0, weight)
    assert np.allclose(list(found.values()), expected, atol=1e-12), found


def test_three_intervals_are_all() -> None:
    for method in (BLRM, CRM, CRM.replace("exact", "normal"), POINTS):
        parts = [asked(method, rates)[0] for rates in ("below 16%", "between 16% and 33%", "above 33%")]
        assert abs(sum(parts) - 1) < 1e-12


# ---- reading and writing ----


@pytest.mark.parametrize("rates", ["above 33%", "below 16%", "between 16% and 33%", "between low and 1/3"])
def test_what_is_read_is_written(rates: str) -> None:
    for place in ("", " at level 2"):
        text = TRIAL.format(method=CRM, condition=condition(rates, place))
        source = Source("t.dose", text)
        assert condition(rates, place) in re.sub(r"\s+", " ", layout(parse(source, Report()), source))
        loaded = load_source(source, Path())
        assert loaded.protocol is not None, loaded.diagnostics
        guards = atoms(loaded.protocol.parts[0].rules[0].cases[0].guard)
        guard = next(guard for guard in guards if isinstance(guard, Chance))
        assert guard.low == Fraction(1, 2) and not guard.low_included
        said = condition(rates.replace(" low ", " 16% "), place)
        assert guard_words(loaded.protocol, guard) == said


# ---- as protocols say it ----


MORE = "between 16% and 33% is more than 50%"


def helps(words: str) -> list[str]:
    report = Report()
    parse(Source("t.dose", TRIAL.format(method=BLRM + ", target-low 20%, target-high 35%", condition=words)), report)
    return [item.help or "" for item in report]


WORDS = (
    ("the probability of the target interval is more than 60%", "between 20% and 35% is more than 60%"),
    ("the posterior probability of the target interval (16% to 33%) exceeds 50%", MORE),
    (
        "the probability that the DLT rate lies between 16% and 33% is at least 50%",
        MORE.replace("more than", "at least"),
    ),
    ("the chance by model of a DLT from 16% to 33% is more than 50%", MORE),
    ("the chance by model of a DLT above 16% and below 33% is more than 50%", MORE),
    ("the chance by model of a DLT between 16% and 33% exceeds 50%", MORE),
    ("the posterior probability of a DLT above 33% is less than 25%", "above 33% is fewer than 25%"),
    (
        "the likelihood of overdose at the next higher level is less than 25%",
        "above 35% at the next higher level is fewer than 25%",
    ),
    ("any DLT and the probability of the target interval > 50%", "between 20% and 35% is more than 50%"),
)


@pytest.mark.parametrize(("words", "write"), WORDS)
def test_what_is_told_is_read(words: str, write: str) -> None:
    told = helps(words)[0]
    assert f"`the chance by model of a DLT {write}`" in told
    (written,) = re.findall("`([^`]+)`", told)
    assert not helps(written)


def test_a_draw_is_no_probability_of_a_rate() -> None:
    text = TRIAL.format(method=CRM, condition="any DLT").replace("then escalate", "then with chance escalate")
    report = Report()
    parse(Source("t.dose", text), report)
    assert all("method" not in (item.message + (item.help or "")) for item in report)
