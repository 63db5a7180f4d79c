"""The designs by rules: what each shipped file means, against calculations that know nothing of doselang."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from doselang.api import load, simulate
from doselang.cli.testing import run as run_tests
from doselang.machine.exits import Accrual
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from tests.oracles import classical
from tests.oracles.families import (
    Figures,
    Rates,
    Sizes,
    a_plus_b,
    accelerated,
    classical_six,
    downwards,
    figures,
    groups_up_and_down,
    lin_and_shih,
    lin_and_shih_patients,
    one_cohort_a_level,
    rows_up_and_down,
    tally,
    three_three_three,
)
from tests.test_protocols import histories, invoke

ROOT = Path(__file__).parent.parent
DESIGNS = ROOT / "protocols" / "designs"
NAMES = (
    "three-plus-three-escalation-only", "three-plus-three-de-escalation", "three-plus-three", "a-plus-b",
    "a-plus-b-de-escalation", "three-plus-three-plus-three", "accelerated-titration", "pure-de-escalation",
    "up-and-down", "sequential-cohorts", "rolling-six",
)  # fmt: skip
VARIANTS = {"A": NAMES[0], "B": NAMES[1], "C": NAMES[2]}
COUNTS = {
    "A": (7, 19, 43, 91, 187, 379, 763, 1531),
    "B": (7, 34, 118, 346, 922, 2314, 5578, 13066),
    "C": (10, 46, 154, 442, 1162, 2890, 6922, 16138),
}
"""Distinct histories with 1 to 8 levels. C: the R package precautionary (Norris; Triska). A and B: counted by hand-
written recursions before the scripts, see `tests/oracles/classical.py`."""
RISING = tuple(Fraction(k, 20) for k in (1, 2, 4, 6, 9))
STEEP = tuple(Fraction(k, 20) for k in (2, 5, 8, 11, 14))
EDGE = (Fraction(0), Fraction(1, 3), Fraction(1))
ACCRUALS: tuple[Accrual, ...] = ("one-at-a-time", "whole-cohort")
PUBLISHED = tuple(Fraction(k, 1000) for k in (10, 14, 25, 56, 177, 594, 963))
"""The DLT rates of examples 11.6.1 and 11.6.2 of Chow, Shao and Wang, Sample Size Calculation in Clinical Research
(2003), on the A+B designs of Lin and Shih, as documented in the R package TrialSize."""


def protocol_of(name: str, **values: int) -> Protocol:
    path = DESIGNS / f"{name}.dose" if (DESIGNS / f"{name}.dose").is_file() else ROOT / "tests/scripts" / f"{name}.dose"
    loaded = load(str(path), {key.replace("__", "-"): Fraction(value) for key, value in values.items()})
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def found(protocol: Protocol, *rates: Rates, accrual: Accrual = "one-at-a-time") -> Characteristics:
    (one,) = simulate(protocol, [Scenario("s", tuple(tuple(map(float, row)) for row in rates))], accrual)
    return one


def agree(one: Characteristics, expected: Figures) -> None:
    assert one.undecided == 0
    assert one.mtd == pytest.approx([float(chance) for chance in expected.mtd], abs=1e-12)
    assert one.no_mtd == pytest.approx(float(expected.no_mtd), abs=1e-12)
    assert one.patients.by_level == pytest.approx([float(number) for number in expected.patients], abs=1e-11)
    assert one.dlts.by_level == pytest.approx([float(number) for number in expected.dlts], abs=1e-11)


def agree_both(protocol: Protocol, expected: Figures, rates: Rates) -> None:
    """No rule of these designs acts before the end of a cohort: how patients enter changes nothing."""
    for accrual in ACCRUALS:
        agree(found(protocol, rates, accrual=accrual), expected)


# ---- every design ----


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pure-de-escalation"])
@pytest.mark.parametrize("levels", [1, 2, 3, 8])
def test_the_number_of_levels_is_a_parameter(name: str, levels: int) -> None:
    loaded = load(str(DESIGNS / f"{name}.dose"), {"levels": Fraction(levels)})
    assert loaded.protocol is not None
    if levels < 5:  # with more levels the examples about the highest one no longer hold, and they cannot say so
        assert run_tests(loaded).failed == 0
    one = found(loaded.protocol, *[[Fraction(1, 5)] * levels] * len(loaded.protocol.toxicities))
    assert sum(one.mtd) + one.no_mtd == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("levels", range(1, 9))
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_number_of_histories(variant: str, levels: int) -> None:
    assert histories(protocol_of(VARIANTS[variant], levels=levels)) == COUNTS[variant][levels - 1]


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_figures_of_the_three_variants(variant: classical.Variant, rates: Rates) -> None:
    levels = len(rates)
    trials = classical_six(levels) if variant == "C" else a_plus_b(Sizes(), levels, back=variant == "B")
    expected = figures(trials, rates)
    assert (expected.mtd, expected.no_mtd) == classical.verdicts(variant, rates)
    agree_both(protocol_of(VARIANTS[variant], levels=levels), expected, rates)


# ---- A+B ----

SIZES = (Sizes(), Sizes(2, 4, 1, 1, 1), Sizes(3, 3, 1, 2, 2), Sizes(4, 2, 1, 2, 3), Sizes(5, 3, 2, 3, 4))


def with_sizes(name: str, sizes: Sizes, levels: int) -> Protocol:
    return protocol_of(
        name, levels=levels, first__size=sizes.a, added__size=sizes.b, adding__from=sizes.c, adding__to=sizes.d,
        tolerated=sizes.e,
    )  # fmt: skip


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("back", [False, True])
def test_a_plus_b_is_the_closed_form_of_lin_and_shih(back: bool, sizes: Sizes, rates: Rates) -> None:
    rates = rates if sizes == Sizes() else rates[-3:]
    expected = figures(a_plus_b(sizes, len(rates), back=back), rates)
    assert (expected.mtd, expected.no_mtd) == lin_and_shih(sizes, rates, back=back)
    if not back:
        assert expected.patients == lin_and_shih_patients(sizes, rates)
    name = "a-plus-b-de-escalation" if back else "a-plus-b"
    agree_both(with_sizes(name, sizes, len(rates)), expected, rates)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", ["a-plus-b", "a-plus-b-de-escalation"])
def test_a_plus_b_checks_clean_with_other_numbers(name: str, sizes: Sizes) -> None:
    settings = zip(("first-size", "added-size", "adding-from", "adding-to", "tolerated"), str_of(sizes), strict=True)
    chosen = [word for key, value in settings for word in ("--set", f"{key}={value}")]
    status, out = invoke("check", str(DESIGNS / f"{name}.dose"), "--format", "json", *chosen)
    assert (status, json.loads(out)["counts"]) == (0, {"error": 0, "warning": 0, "info": 0})


def str_of(sizes: Sizes) -> tuple[str, ...]:
    return tuple(map(str, (sizes.a, sizes.b, sizes.c, sizes.d, sizes.e)))


def test_the_expected_patients_that_were_published() -> None:
    """TrialSize: 3.1 patients at level 1 without de-escalation (11.6.1), 0.2 at level 7 with it (11.6.2)."""
    without = found(protocol_of("a-plus-b", levels=7), PUBLISHED)
    assert round(without.patients.by_level[0], 1) == 3.1
    back = found(protocol_of("a-plus-b-de-escalation", levels=7), PUBLISHED)
    assert round(back.patients.by_level[6], 1) == 0.2


# ---- the others ----


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
def test_three_plus_three_plus_three(rates: Rates) -> None:
    expected = figures(three_three_three(len(rates)), rates)
    agree_both(protocol_of("three-plus-three-plus-three", levels=len(rates)), expected, rates)


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
def test_pure_de_escalation(rates: Rates) -> None:
    expected = figures(downwards(len(rates)), rates)
    agree_both(protocol_of("pure-de-escalation", bottom=6 - len(rates)), expected, rates)


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
@pytest.mark.parametrize(("size", "tolerated"), [(6, 1), (3, 0), (1, 0), (10, 3)])
def test_sequential_cohorts(size: int, tolerated: int, rates: Rates) -> None:
    protocol = protocol_of("sequential-cohorts", levels=len(rates), cohort_size=size, tolerated=tolerated)
    agree_both(protocol, one_cohort_a_level(rates, size, tolerated), rates)


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
@pytest.mark.parametrize(("size", "up", "down", "total"), [(3, 0, 2, 24), (1, 0, 1, 12), (2, 0, 1, 12), (4, 1, 3, 20)])
def test_up_and_down_in_groups(size: int, up: int, down: int, total: int, rates: Rates) -> None:
    protocol = protocol_of(
        "up-and-down", levels=len(rates), cohort_size=size, up__to=up, down__from=down, sample__size=total
    )
    agree_both(protocol, groups_up_and_down(rates, size, up, down, total), rates)


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
@pytest.mark.parametrize(("row", "total"), [(2, 15), (3, 12)])
def test_up_and_down_with_k_in_a_row(row: int, total: int, rates: Rates) -> None:
    """Storer's design C, and the k in a row of Oron and Hoff."""
    protocol = protocol_of("k-in-a-row", levels=len(rates), in__a__row=row, sample__size=total)
    agree(found(protocol, rates), rows_up_and_down(rates, row, total))


OFTEN = tuple(Fraction(1, k) for k in (4, 3, 4, 5))


@pytest.mark.parametrize(
    ("rates", "moderate"),
    [(RISING[1:], OFTEN), (STEEP[:4], RISING[:4]), (EDGE, (Fraction(1, 2), Fraction(1, 3), Fraction(0)))],
    ids=["rising", "steep", "edge"],
)
def test_accelerated_titration(rates: Rates, moderate: Rates) -> None:
    levels = len(rates)
    every = list(accelerated(levels))
    assert all(mtd is None or tally(fast + slow, mtd)[0] == 6 for fast, slow, mtd in every)
    whole = figures(((fast + slow, mtd) for fast, slow, mtd in every), rates, moderate)
    # the table of levels is about the first part; what both parts have is in `parts`
    first = Figures(whole.mtd, whole.no_mtd, *of_first_part(every, rates, moderate))
    for accrual in ACCRUALS:
        one = found(protocol_of("accelerated-titration", levels=levels), rates, moderate, accrual=accrual)
        agree(one, first)
        for name, of in (("patients", whole.patients), ("dlts", whole.dlts)):
            assert sum(getattr(part, name) for part in one.parts.values()) == pytest.approx(float(sum(of)), abs=1e-11)


def of_first_part(every, rates: Rates, moderate: Rates):  # type: ignore[no-untyped-def]
    """Expected patients and DLTs a level in the accelerated part: each of its ends once."""
    ends = figures(((fast, None) for fast in {fast for fast, _, _ in every}), rates, moderate)
    return ends.patients, ends.dlts


@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE], ids=["rising", "steep", "edge"])
def test_best_of_five(rates: Rates) -> None:
    """A level is left upwards with 0 of 3, 1 of 4, or 2 of 5 (with 1 or 2 of the first three)."""
    one = found(protocol_of("best-of-five", levels=len(rates)), rates)
    reached, mtd = Fraction(1), []
    up = [q**3 + 3 * p * q**3 + 6 * p**2 * q**3 for p in rates for q in [1 - p]]
    for level, passed in enumerate(up):
        if level:
            mtd.append(reached * (1 - passed))
        reached *= passed
    assert one.no_mtd == pytest.approx(float(1 - up[0]), abs=1e-12)
    assert one.mtd == pytest.approx([float(p) for p in (*mtd, reached)], abs=1e-12)
