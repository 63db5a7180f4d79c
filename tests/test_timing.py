"""Timing files, and what the command says and prints of a clock."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.protocol.windows import MONTH
from doselang.simulate.clock import Timing
from doselang.simulate.timing_file import KEYS, read_timing, with_arrivals

ROOT = Path(__file__).parent.parent
REFERENCE = str(ROOT / "protocols" / "ibrutinib-lenalidomide.dose")
ROLLING = str(ROOT / "protocols" / "designs" / "rolling-six.dose")


def test_every_key_is_read() -> None:
    text = """
[arrivals]
months = ["1 patient a month", "0.5 per week"]
when-full = "wait"
waits-at-most = "2 weeks"
stagger = "1 day"
[outcome]
window = "1 month"
later-cycles = "5 months"
time-to-dlt = "weibull"
shape = 1.5
scale = "10 days"
drop-out = "2.5%"
[committee]
delay = "3 days"
[course]
cycle = "21 days"
[follow-up]
until = "1 year"
loss = "3% a year"
"""
    assert read_timing(text, "x.toml") == Timing(
        (1.0, 0.5 * MONTH / 7), None, 14.0, 1.0, MONTH, 5 * MONTH, "weibull", 1.5, 10.0, None, 0.025, 3.0, 21.0, 365.25,
        0.03 / 365.25, "x.toml",
    )  # fmt: skip
    assert read_timing('[arrivals]\nevery = "10 days"\nwhen-full = "wait"\n', "x") == Timing(
        every=10.0, waits=inf, source="x"
    )
    assert read_timing('[arrivals]\nrate = "2 a day"\nwhen-full = "turn-away"', "x").waits == 0.0
    table = read_timing('[outcome]\ntime-to-dlt = "table"\ntable = [["7 days", "20%"], ["4 weeks", "100%"]]', "x")
    assert table.table == ((7.0, 0.2), (28.0, 1.0)) and read_timing("", "x") == Timing(source="x")


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("[arrival]\n", "x.toml, line 1: the section `arrival` is unknown.", "Did you mean `arrivals`?"),
        ("\n[weather]\n", "x.toml, line 2: the section `weather` is unknown.", "There are `arrivals`"),
        ("arrivals = 3\n", "`arrivals` is a section", "Write [arrivals] on a line of its own."),
        (
            "[outcome]\n\ndrop-outs = '1%'",
            "x.toml, line 3: the key `drop-outs` in [outcome]",
            "Did you mean `drop-out`?",
        ),
        ("[committee]\nspeed = 1", "the key `speed` in [committee] is unknown", "There is `delay`."),
        ("[committee]\ndelay = 5", "line 2: `delay` is `5`, which is no time with its unit", 'delay = "5 days"'),
        ("[committee]\ndelay = '5'", "is `5`, which is no time", "the units are days, weeks, months and years"),
        ("[committee]\ndelay = '-5 days'", "no time", "For example"),
        ("[committee]\ndelay = '500 years'", "is longer than 36,525 days", "shorter"),
        ("[committee]\ndelay = true", "no time", 'delay = "28 days"'),
        ("[arrivals]\nrate = 2", "no number of patients in a time", 'rate = "2 a month"'),
        ("[arrivals]\nrate = '2000 a day'", "has `2000 a day`", "above 0 and at most 1,000"),
        ("[arrivals]\nrate = '0 a day'", "has `0 a day`", "above 0"),
        ("[arrivals]\nmonths = '2 a month'", "is not a list", '["1 a month", "2 a month"]'),
        ("[arrivals]\nmonths = []", "is not a list", "For example"),
        ("[arrivals]\nrate = '1 a day'\nmonths = ['1 a day']", "is given twice", "Leave one out."),
        ("[arrivals]\nrate = '1 a day'\nevery = '1 day'", "goes without `rate`", "Leave one of them out."),
        ("[arrivals]\nwhen-full = 'waits'", "is `waits`", 'Did you mean "wait"?'),
        ("[arrivals]\nwhen-full = 7", "is `7`", "It is one of"),
        ("[arrivals]\nwhen-full = 'turn-away'\nwaits-at-most = '1 day'", 'goes with when-full = "wait"', "Leave one"),
        ("[outcome]\ndrop-out = 0.05", "which is no percentage", 'drop-out = "5%"'),
        ("[outcome]\ndrop-out = '120%'", "no percentage from 0% to 100%", "5%"),
        ("[outcome]\nshape = 2", 'goes with time-to-dlt = "weibull"', "Write both."),
        ("[outcome]\ntime-to-dlt = 'weibull'\nshape = 2", 'is "weibull", and there is no `scale`', "scale = "),
        ("[outcome]\ntime-to-dlt = 'weibull'\nscale = '2 days'", "there is no `shape`", "shape = 2"),
        ("[outcome]\ntime-to-dlt = 'weibull'\nshape = 0\nscale = '1 day'", "no number from 0.01", "shape = 2"),
        ("[outcome]\ntime-to-dlt = 'weibull'\nshape = 1\nscale = '0 days'", "is 0 days", "more than 0"),
        ("[outcome]\ntime-to-dlt = 'table'", "there is no `table`", "table = "),
        ("[outcome]\ntime-to-dlt = 'table'\ntable = [1]", "not a time and a share", "table = "),
        ("[outcome]\ntime-to-dlt = 'table'\ntable = [['7 days', '50%']]", "do not rise, to 100%", "table = "),
        ("[outcome]\ntime-to-dlt = 'table'\ntable = [['7 days', '50%'], ['7 days', '100%']]", "do not rise", "table"),
        ("[course]\ncycle = '0 days'", "line 2: `cycle` is 0 days", "more than 0"),
        ("[follow-up]\nloss = '5%'", "no percentage in a time", 'loss = "2% a month"'),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str, help: str) -> None:
    with pytest.raises(Trouble) as caught:
        read_timing(text, "x.toml")
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "DL903" and message in diagnostic.message and help in (diagnostic.help or "")


def test_what_is_not_toml_is_told_so() -> None:
    for text in ("[arrivals\n", "a = ", "x = " + "[" * 5000, 'a = "\x00"'):
        with pytest.raises(Trouble, match=r"x\.toml is not TOML") as caught:
            read_timing(text, "x.toml")
        assert caught.value.diagnostic.code == "DL901"


VALUES = st.one_of(
    st.sampled_from(
        ['"5 days"', '"2 a month"', '"5%"', '"2% a month"', '"wait"', '"weibull"', '"table"', "[]", "{}", "true", "nan"]
    ),
    st.integers().map(str), st.floats().map(lambda number: repr(number)), st.just("9" * 500), st.just("9" * 5000),
    st.just("1979-05-27"), st.just('[["7 days", "20%"], ["28 days", "100%"]]'), st.just('["1 a day", 3]'),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(sorted(KEYS)), st.integers(0, 5), VALUES), max_size=6))
@settings(max_examples=300, derandomize=True)
def test_any_values_are_read_or_refused(entries: list[tuple[str, int, str]]) -> None:
    sections: dict[str, dict[str, str]] = {}
    for section, number, value in entries:
        sections.setdefault(section, {})[KEYS[section][number % len(KEYS[section])]] = value
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )
    with suppress(Trouble):
        read_timing(text, "x.toml")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Trouble):
        read_timing(text, "x.toml")


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "timing.md").read_text(encoding="utf-8")
    for section, keys in KEYS.items():
        assert f"`[{section}]`" in page
        for key in keys:
            assert f"`{key}`" in page, key


@pytest.mark.parametrize("text", ["0", "-1", "many", "inf", "nan", "1001", "", "1_0", "\uff13"])
def test_wrong_arrivals_are_refused(text: str) -> None:
    with pytest.raises(Trouble, match="is not a number of patients a month"):
        with_arrivals(Timing(), text)


# ---- the command ----


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["simulate", *arguments]) == 0
    return capsys.readouterr().out


TIMED = ("--method", "timed", "--trials", "300", "--seed", "3")


def test_the_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, REFERENCE, *TIMED, "--scenario", "with courses", "--arrivals", "3", "--format", "json")
    record = json.loads(text)
    assert record["method"] == "timed" and record["accrual"] == "as-they-come"
    (one,) = record["scenarios"]
    timing = one["timing"]
    assert one["trials"] == 300 and one["seed"] == 3 and one["standard_errors"]["mtd"].keys() == one["mtd"].keys()
    assert {"time": "arrivals", "is": "3 patients a month, at random (Poisson)", "said_by": "--arrivals"} in (
        timing["assumptions"]
    )
    for name in ("duration_days", "time_to_mtd_days", "turned_away", "exposed", "cycles_per_patient", "follow_up_days"):
        values = [quantile["value"] for quantile in timing[name]["quantiles"].values()]
        assert values == sorted(values) and timing[name]["standard_error"] >= 0
        assert list(timing[name]["quantiles"]) == ["5%", "25%", "50%", "75%", "95%"]
    assert sum(share["value"] for share in timing["reasons_off"].values()) == pytest.approx(1)
    assert sum(share["value"] for share in timing["reasons_off_re_treated"].values()) == pytest.approx(1)
    assert timing["re_treated"]["value"] == one["courses"]["re_treated"]


def test_without_courses_their_figures_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = json.loads(printed(capsys, ROLLING, *TIMED, "--scenario", "steep", "--format", "json"))["scenarios"]
    timing = one["timing"]
    assert one["courses"] is None and timing["cycles_per_patient"] is None and timing["re_treated"] is None
    exact = json.loads(printed(capsys, ROLLING, "--scenario", "steep", "--format", "json"))["scenarios"][0]
    assert exact["timing"] is None and exact.keys() == one.keys()


def test_the_figures_as_a_long_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, REFERENCE, *TIMED, "--scenario", "with courses", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["method"] for row in rows} == {"timed"}
    figures = {(row["figure"], row["item"]): row for row in rows}
    for name in ("duration_days", "exposed", "cycles_per_patient"):
        for item in ("mean", "5%", "50%", "95%"):
            assert figures[name, item]["standard_error"] != ""
    assert figures["reason_off_re_treated", "progression"]["standard_error"] != ""


def test_markdown_has_every_assumption_and_figure(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, REFERENCE, *TIMED, "--scenario", "with courses", "--format", "markdown")
    assert "| arrivals | 2 patients a month, at random (Poisson) | assumed |" in text
    assert "| duration of the trial, days |" in text and "| follow-up of a patient, days |" in text
    assert "| time | is | said by |" in text and "after re-treatment, treatment ends by" in text


def test_every_simulated_number_has_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, REFERENCE, *TIMED, "--scenario", "with courses")
    assert "simulated with a clock, 300 trials, seed 3" in text
    lines = [line for line in text.splitlines() if "cycles a patient" in line or "of patients enter" in line]
    assert len(lines) >= 2 and all(line.count("±") >= 2 for line in lines)


def test_the_number_of_processes_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (ROLLING, "--method", "timed", "--trials", "5000", "--seed", "3", "--scenario", "steep")
    assert printed(capsys, *arguments, "--jobs", "1") == printed(capsys, *arguments, "--jobs", "2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--arrivals", "2"), "`--arrivals` goes with `--method timed`: `exact` knows no clock."),
        (("--timing", "x.toml"), "`--timing` goes with `--method timed`"),
        (
            ("--method", "montecarlo", "--jobs", "2"),
            "`--jobs` goes with `--method timed`: `montecarlo` knows no clock.",
        ),
        (("--accrual", "as-they-come"), "`--accrual as-they-come` goes with `--method timed`"),
        (("--method", "timed", "--trials", "3000000"), "With a clock `--trials` is at most 2,000,000"),
        (("--method", "timed", "--jobs", "0"), "The number of processes must be at least 1, not 0."),
        (("--method", "timed", "--timing", "nowhere.toml"), "nowhere.toml"),
        (("--method", "timed", "--arrivals", "x"), "`--arrivals x` is not a number of patients a month"),
    ],
)
def test_options_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(["simulate", ROLLING, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_time_to_the_result_has_the_name_of_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(
        """protocol "A trial"
level 1
start at level 1
toxicity DLT  within 28 days
verdict RP2D as the result
part escalation
cohorts of 3
rule "three" when at least 3 evaluable then declare this level as MTD, declare this level as RP2D, stop
""",
        encoding="utf-8",
    )
    assert run(["simulate", str(path), "--method", "timed", "--dlt", "10%", "--trials", "20", "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "time to the RP2D, days" in shown and "time to the MTD" not in shown
