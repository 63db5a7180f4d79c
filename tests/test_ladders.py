"""Generated ladders: doses as exact fractions, against sequences computed by hand and printed in the literature."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from doselang.diagnostics import Diagnostic
from doselang.loading import Loaded, load_source
from doselang.source import Source

TRIAL = """\
protocol "A trial"
parameter top is 4
parameter step is 50%
parameter low is 20 mg
parameter wrong is 20 mg/m2
component drug in mg
component other in mcg
component bare
{levels}
start at level 1
toxicity DLT  within 28 days  written T
replace inevaluable patients
part escalation
cohorts of 3
rule "end" when the cohort is complete then declare no MTD, stop
"""


def loaded(levels: str) -> Loaded:
    return load_source(Source("trial.dose", TRIAL.format(levels=levels)), None)


def doses(levels: str, component: int = 0) -> dict[str, object]:
    found = loaded(levels)
    assert found.protocol is not None, found.diagnostics
    return {level.label: level.doses[component] for level in found.protocol.levels}


def fault(levels: str) -> Diagnostic:
    errors = [item for item in loaded(levels).diagnostics if item.severity == "error"]
    assert len(errors) == 1, errors
    return errors[0]


def row(*numbers: str) -> list[Fraction]:
    return [Fraction(number) for number in numbers]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        # 100 times powers of 1.4, by hand.
        ("levels 1 to 6 drug from 100 by 40%", row("100", "140", "196", "274.4", "384.16", "537.824")),
        ("levels 1 to 5 drug from 100 by 40% up to 300", row("100", "140", "196", "274.4", "300")),
        ("levels 1 to 8 drug from 40 doubling", row("40", "80", "160", "320", "640", "1280", "2560", "5120")),
        ("levels 1 to 8 drug from 10 by 5", row("10", "15", "20", "25", "30", "35", "40", "45")),
        ("levels 1 to 4 drug from 0 by 5", row("0", "5", "10", "15")),
        ("levels 1 to 4 drug from 10 by 5, 10, 20", row("10", "15", "25", "45")),
        ("levels 1 to 5 drug from 10 doubling, 5", row("10", "20", "25", "30", "35")),
        ("levels 1 to 3 drug from 1.5 by 33.3%", row("1.5", "1.9995", "2.6653335")),
        ("levels 1 to top drug from low by step", row("20", "30", "45", "67.5")),
        ("levels 1 to 4 drug from 7 by 50% rounded to 5", row("5", "10", "15", "25")),  # 7, 10.5, 15.75, 23.625
        ("levels 1 to 3 drug from 5 by 50% rounded to 5", row("5", "10", "10")),
        ("levels 1 to 3 drug from 10 by 2.5 rounded to 5", row("10", "15", "15")),
    ],
)  # fmt: skip
def test_generated_doses(levels: str, expected: list[Fraction]) -> None:
    if len(set(expected)) < len(expected):
        assert "would have the same dose" in fault(levels).message
        return
    assert list(doses(levels).values()) == expected


def test_the_modified_fibonacci_sequence() -> None:
    """Its multiples of the first dose are 1, 2, 3.3, 5, 7, and then a third more at each level.

    Penel and Kramar 2012, BMC Medical Research Methodology 12:103.
    """
    found = list(doses("levels 1 to 8 drug from 1 by 100%, 67%, 50%, 40%, 33%").values())
    assert [round(float(dose), 1) for dose in found[:5]] == [1.0, 2.0, 3.3, 5.0, 7.0]  # type: ignore[arg-type]
    assert found[:5] == row("1", "2", "3.34", "5.01", "7.014")
    assert all(high / low == Fraction(133, 100) for low, high in pairwise(found[4:]))  # type: ignore[operator]


def test_labels_below_zero_and_several_components() -> None:
    levels = "levels -2 to 1 drug from 10 by 10, other from 5 doubling up to 12, bare from 1 by 1"
    assert fault(levels).code == "DL207"  # `bare` has no unit
    levels = levels.replace(", bare from 1 by 1", "")
    assert doses(levels) == {"-2": 10, "-1": 20, "0": 30, "1": 40}
    assert doses(levels, 1) == {"-2": 5, "-1": 10, "0": 12, "1": 12}  # the other component still goes up
    assert doses(levels, 2) == {"-2": None, "-1": None, "0": None, "1": None}


def test_generated_levels_and_written_ones() -> None:
    assert doses("level 0 drug 5\nlevels 1 to 2 drug from 10 by 10\nlevel 2A drug 25\nlevel 3 drug 30") == {
        "0": 5, "1": 10, "2": 20, "2A": 25, "3": 30,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "code", "underlined", "words"),
    [
        ("levels 1 to 8 drug from 100 by 40% up to 300", "DL206", "300", "there can be 5 levels, 1 to 5"),
        ("levels 1 to 3 drug from 10 by 5% rounded to 5", "DL206", "drug from 10 by 5% rounded to 5", "smaller"),
        ("levels 1 to 3 drug from 100 by 40% up to 50", "DL206", "50", "below the first dose"),
        ("levels 1 to 3 drug from 0 doubling", "DL206", "0", "never rises"),
        ("levels 1 to 3 drug from 0 by 40%", "DL206", "0", "never rises"),
        ("levels 1 to 3 drug from 10 by 0%", "DL206", "0%", "raises nothing"),
        ("levels 1 to 3 drug from 10 by 0", "DL206", "0", "raises nothing"),
        ("levels 1 to 3 drug from 10 by 5 rounded to 0", "DL206", "0", "multiples of 0"),
        ("levels 1 to 3 drug from 10% by 5", "DL206", "10%", "an amount"),
        ("levels 1 to 3 drug from step by 5", "DL206", "step", "is a percentage"),
        ("levels 1 to 3 drug from wrong by 5", "DL207", "wrong", "in mg/m2, and the doses of `drug` are in mg"),
        ("levels 1 to 3 drog from 10 by 5", "DL203", "drog", "`drug`"),
        ("levels 1 to 3 drug from 10 by 5, drug from 10 by 6", "DL202", "drug from 10 by 6", "twice"),
        ("levels 1 to 3 drug from 10 by 5 up to 30 up to 20", "DL101", "up to", "up"),
        ("levels 1 to 3 drug from 10 by 5 up to 30, 6 up to 40", "DL202", "40", "cap of `drug` is given twice"),
        ("levels 1 to 200 drug from 1 by 1000%", "DL206", "drug from 1 by 1000%", "very large"),
        ("levels 1 to 3 drug from 10 by unknown", "DL203", "unknown", "no parameter"),
    ],
)  # fmt: skip
def test_a_wrong_ladder(levels: str, code: str, underlined: str, words: str) -> None:
    found = fault(levels)
    source = Source("", TRIAL.format(levels=levels))
    assert (found.code, source.words(found.span)) == (code, underlined)
    assert words in f"{found.message} {found.help}"
