"""Scenarios from the protocol, from `--dlt` and from tables; what is wrong with one is said in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from doselang.diagnostics import Diagnostic, Trouble
from doselang.protocol.model import Level, Protocol, Scenario, Toxicity
from doselang.simulate.scenarios import checked, from_csv, from_rates, named
from tests.samples import committee, reference

PROTOCOL = evolve(
    reference(3),
    levels=(Level("-1"), Level("1"), Level("2A")),
    scenarios=(Scenario("moderate", ((0.1, 0.2, 0.3),)), Scenario("Steep rise", ((0.1, 0.3, 0.55),))),
)
TWO = evolve(PROTOCOL, toxicities=(Toxicity("DLT"), Toxicity("moderate", letter="M")))


def trouble(call: Callable[..., object], *arguments: object) -> Diagnostic:
    with pytest.raises(Trouble) as raised:
        call(*arguments)
    message = raised.value.diagnostic.message
    assert message[0].isupper() or message[0] in "`0123456789"
    assert message.endswith((".", "?"))
    return raised.value.diagnostic


# ---- by name ----


def test_a_scenario_is_found_by_its_name() -> None:
    assert named(PROTOCOL, "steep  RISE") is PROTOCOL.scenarios[1]
    assert trouble(named, PROTOCOL, "moderat").help == 'Did you mean "moderate"?'
    assert '"moderate" and "Steep rise"' in (trouble(named, PROTOCOL, "xyz").help or "")
    assert "no scenarios" in (trouble(named, evolve(PROTOCOL, scenarios=()), "xyz").help or "")


# ---- --dlt ----


@pytest.mark.parametrize(
    "text", ["10%,20%,30%", "0.1,0.2,0.3", " 10 % , .2 , 3e-1 ", "10%,0.2,30.0%", "0,1;0,2;0,3", "10%;20%;30%"]
)
def test_rates_are_read_as_percentages_or_fractions(text: str) -> None:
    assert from_rates(PROTOCOL, text) == Scenario("DLT 10%, 20%, 30%", ((0.1, 0.2, 0.3),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10%,20%", "2 rates, and the protocol has 3 levels"),
        ("0.1", "1 rate, and"),
        ("10%,20%,130%", "at level `2A` in `--dlt` is `130%`, which is not from 0% to 100%"),
        ("0.1,0.2,1.3", "which is not from 0 to 1"),
        ("-0.1,0.2,0.3", "at level `-1` in `--dlt` is `-0.1`"),
        ("0.1,b,0.3", "at level `1` in `--dlt` is `b`, which is not a number"),
        ("0.1,,0.3", "is missing"),
        ("nan,0,0", "not a number"),
        ("inf,0,0", "not a number"),
        ("1e999999999,0,0", "not a number"),
        ("1/3,0,0", "not a number"),
        ("", "1 rate"),
    ],
)
def test_wrong_rates_are_said(text: str, words: str) -> None:
    found = trouble(from_rates, PROTOCOL, text)
    assert found.code == "DL903" and words in found.message


def test_whole_numbers_may_be_meant_as_percentages() -> None:
    assert trouble(from_rates, PROTOCOL, "10,20,30").help == "If you mean a percentage, write `10%`."


def test_one_option_cannot_give_the_rates_of_two_toxicities() -> None:
    found = trouble(from_rates, TWO, "10%,20%,30%")
    assert "`DLT`" in found.message and "the protocol counts `moderate` too" in found.message
    assert "--toxicity moderate=" in (found.help or "")


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_every_rate_survives(rates: list[float]) -> None:
    assert from_rates(PROTOCOL, ",".join(f"{rate:.17f}" for rate in rates)).rates[0] == pytest.approx(rates)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (from_rates, from_csv):
        try:
            read(PROTOCOL, text)
        except Trouble as raised:
            assert raised.diagnostic.code in ("DL901", "DL903")


# ---- tables ----

TABLE = "name,-1,1,2A\nflat,0.1,0.1,0.1\nsteep,10%,30%,55%\n"
READ = (Scenario("flat", ((0.1, 0.1, 0.1),)), Scenario("steep", ((0.1, 0.3, 0.55),)))


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\n\n"),
        TABLE.replace(",", ";").replace("0.1", "0,1"),
        TABLE.replace("name,-1", '"name","-1"'),
        TABLE.rstrip("\n"),
        "2a,DLT:1, Name ,-1\n0.1,0.1,flat,0.1\n55%,30%,steep,10%\n",
    ],
)
def test_tables_are_read(text: str) -> None:
    assert from_csv(PROTOCOL, text) == READ


def test_a_table_gives_the_rates_of_several_toxicities() -> None:
    text = "name,DLT:-1,DLT:1,DLT:2A,moderate:-1,moderate:1,moderate:2A\na,0,.1,.2,.3,.4,.5\n"
    assert from_csv(TWO, text)[0].rates == ((0.0, 0.1, 0.2), (0.3, 0.4, 0.5))
    assert "`1` is unknown" in trouble(from_csv, TWO, TABLE.replace("-1", "DLT:-1")).message
    assert (
        "add up to 1.3"
        in trouble(from_csv, TWO, text.replace(".5", "1.1").replace("1.1", "100%").replace(".2", ".3")).message
    )


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "DL901", "is empty"),
        ("\n\n", "DL901", "is empty"),
        ("name,-1,1,2A\n", "DL901", "no scenario below"),
        ('name,-1,1,2A\n"a,1,1,1\n', "DL901", "from row 2 on"),
        ("-1,1,2A\n.1,.2,.3\n", "DL903", "Row 1: the column is missing: `name`"),
        ("name,-1\na,1\n", "DL903", "the columns are missing: `1` and `2A`"),
        ("name,-1,1,2A,3\na,1,1,1,1\n", "DL903", "Row 1, column 5: the heading `3` is unknown"),
        ("name,-1,1,\na,1,1,1\n", "DL903", "Row 1, column 4: the heading is missing"),
        ("name,-1,1,2A,1\n", "DL903", "Row 1, column 5: the heading `1` is there twice"),
        ("name,-1;1;2A\n", "DL903", "both commas and semicolons"),
        (TABLE.replace("55%", "55"), "DL903", "Row 3, column 4: the rate under `2A` is `55`"),
        (TABLE.replace("55%", ""), "DL903", "Row 3, column 4: the rate under `2A` is missing"),
        (TABLE.replace(",55%", ""), "DL903", "Row 3 has 3 cells, and there are 4 headings"),
        (TABLE.replace("flat", ""), "DL903", "Row 2, column 1: the scenario has no name"),
        (TABLE.replace("flat", "STEEP"), "DL903", 'Row 3 is named "steep", and so is row 2'),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_place(text: str, code: str, words: str) -> None:
    found = trouble(from_csv, PROTOCOL, text)
    assert found.code == code and words in found.message


def test_a_misspelt_heading_is_recognised() -> None:
    assert trouble(from_csv, PROTOCOL, TABLE.replace("name", "nmae")).help == "Did you mean `name`?"


def test_the_path_of_a_table_is_kept() -> None:
    with pytest.raises(Trouble) as raised:
        from_csv(PROTOCOL, "", "scenarios.csv")
    assert raised.value.path == "scenarios.csv"


# ---- what fits ----


def fits(protocol: Protocol, *rates: tuple[float, ...], **chances: tuple[float, ...]) -> str:
    return trouble(checked, protocol, Scenario("x", rates, chances=chances)).message


def test_a_scenario_that_does_not_fit_is_refused() -> None:
    assert "1 of 2 toxicities" in fits(TWO, (0.1, 0.2, 0.3))
    assert "2 rates, and there are 3 levels" in fits(PROTOCOL, (0.1, 0.2))
    assert "at level `2A` is nan" in fits(PROTOCOL, (0.1, 0.2, float("nan")))
    assert "add up to 1.1" in fits(TWO, (0.1, 0.2, 0.5), (0.1, 0.2, 0.6))
    assert checked(TWO, Scenario("x", ((0.1, 0.2, 0.3), (0.9, 0.8, 0.7)))).name == "x"


def test_chances_that_do_not_fit_are_refused() -> None:
    rates = (0.1, 0.2, 0.3)
    assert "is no rule that leaves a decision" in fits(committee(), rates, one=(0.5, 0.5))
    assert "2 chances, and its decision has 3 outcomes" in fits(committee(), rates, clear=(0.5, 0.5))
    assert "add up to 1" in fits(committee(), rates, clear=(0.5, 0.2, 0.2))
    assert "add up to 1" in fits(committee(), rates, clear=(1.5, -0.25, -0.25))
    assert checked(committee(), Scenario("x", (rates,), chances={"clear": (0.5, 0.25, 0.25)}))
