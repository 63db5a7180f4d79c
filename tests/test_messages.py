"""What is said to people who write their first protocol: sentinels, closed levels, searches, tables, long work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from doselang.cli import options_of, run
from doselang.cli.output import impatient

Capture = pytest.CaptureFixture[str]

SENTINEL = """\
protocol "A drug"
levels 1 to 3
start at level 1
toxicity DLT  within 28 days
toxicity grade-2  within 28 days  written M
replace inevaluable patients
part escalation
cohorts of 3
sentinel of each new level for 14 days
rule "none"
  assume "a" because "b"
  when none of 3 patients has a DLT
  then stop
"""

TOO_TOXIC = """
rule "toxic"  at any time
  assume "a" because "b"
  when any DLT
  then close this level as too toxic
rule "go on"
  assume "a" because "b"
  when the sentinel has a DLT
  then enrol the rest
"""


def said(folder: Path, text: str, capsys: Capture, form: str = "concise") -> str:
    """All that `check` prints on a protocol."""
    path = folder / "t.dose"
    path.write_text(text, encoding="utf-8")
    run(["check", str(path), "--format", form])
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_a_gap_after_a_sentinel_names_the_sentinel(tmp_path: Path, capsys: Capture) -> None:
    found = said(tmp_path, SENTINEL, capsys)
    assert "The sentinel of the first cohort at a level, with a toxicity: no rule says what comes next." in found
    assert "in 1 or 3" not in found


def test_the_rule_to_paste_asks_for_the_sentinel(tmp_path: Path, capsys: Capture) -> None:
    found = said(tmp_path, SENTINEL, capsys, "text")
    assert "when the sentinel has a DLT" in found
    assert "when the sentinel has a grade-2" in found


def test_the_rule_that_is_pasted_is_read(tmp_path: Path, capsys: Capture) -> None:
    pasted = """
rule "sentinel"
  assume "…" because "the text does not say"
  when the sentinel has a DLT
  then enrol the rest
  when the sentinel has a grade-2
  then enrol the rest
"""
    found = said(tmp_path, SENTINEL + pasted, capsys)
    assert "sentinel" not in found.replace("test", "")


def test_a_cohort_that_goes_on_where_its_level_closes_is_said_so(tmp_path: Path, capsys: Capture) -> None:
    found = said(tmp_path, SENTINEL + TOO_TOXIC, capsys)
    assert "`close this level as too toxic` and `enrol the rest`" in found
    assert "``" not in found


@pytest.mark.parametrize(("deep", "refused"), [(1, False), (2, False), (3, True), (30, True)])
def test_searches_for_levels_are_nested_two_deep(tmp_path: Path, capsys: Capture, deep: int, refused: bool) -> None:
    place = "the highest level where (no DLT at " * deep + "this level" + ")" * deep
    rule = f'rule "w"\n  assume "a" because "b"\n  when any DLT at {place}\n  then stop\n'
    found = said(tmp_path, SENTINEL + rule, capsys)
    assert ("stands inside itself more than 2 deep" in found) == refused


@pytest.mark.parametrize("row", ["201,0,stay", "0,0,stay", "3,4,stay", "999999999999999999999,0,stay"])
def test_a_row_of_a_table_that_cannot_be_is_explained(tmp_path: Path, capsys: Capture, row: str) -> None:
    (tmp_path / "t.csv").write_text(f"n,toxicities,decision\n{row}\n", encoding="utf-8")
    found = said(tmp_path, SENTINEL + 'table boundaries from "t.csv"\n', capsys)
    assert "A row is of 1 to 200 patients, and of at most as many toxicities." in found


def test_a_question_ends_with_its_own_sign(tmp_path: Path, capsys: Capture) -> None:
    found = said(tmp_path, SENTINEL + "use crm as model with target 20%, variance 1, skeleton 10%, 20%, 30%\n", capsys)
    assert "did you mean prior-variance?" in found
    assert "?." not in found


def test_long_work_is_said_once_and_short_work_never(capsys: Capture) -> None:
    with impatient(lambda: options_of(["check", "trial.dose"]), 0.05):
        time.sleep(0.3)
    with impatient(set, 5):
        pass
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("still at work") == 1
    assert "`--max-states 100000` explores fewer states; fewer levels, or" in printed.err
    assert "--trials" not in printed.err


@pytest.mark.parametrize(
    ("command", "there"),
    [
        ("simulate a.dose", {"--max-states", "--trials"}),
        ("check a.dose", {"--max-states"}),
        ("trial init T a.dose", set()),
        ("trial add T enrol 01 --level 1", set()),
        ("nonsense", set()),
    ],
)
def test_what_is_told_of_long_work_is_what_the_command_has(command: str, there: set[str], capsys: Capture) -> None:
    found = options_of(command.split())
    assert found & {"--max-states", "--trials"} == there
    with impatient(lambda: found, 0.01):
        time.sleep(0.1)
    printed = capsys.readouterr().err
    assert {option for option in ("--max-states", "--trials") if option in printed} == there
    assert "ewer levels, or `accrue at most 30 in the trial`, make fewer states (the rules must say" in printed


TWO_PARTS = """\
protocol "A drug"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
replace inevaluable patients
verdict RP2D as the result
part escalation
cohorts of 3
rule "on"
  assume "a" because "b"
  when the cohort is complete
  then begin expansion at this level
part expansion
cohorts of 3
rule "done"
  assume "a" because "b"
  when the cohort is complete
  then declare the next lower level as RP2D, stop
"""


def test_one_cause_in_a_later_part_is_one_finding(tmp_path: Path, capsys: Capture) -> None:
    """However many DLTs the level had before, the sentence that is missing is the same."""
    found = said(tmp_path, TWO_PARTS, capsys)
    assert found.count("`declare the next lower level as RP2D`, and there is no such level") == 1


def test_the_level_below_a_verdict_can_be_named(tmp_path: Path, capsys: Capture) -> None:
    place = "the highest level where (this level is below the MTD)"
    text = TWO_PARTS.replace("then begin expansion at this level", "then declare this level as MTD").replace(
        "part expansion",
        f'rule "off"\n  assume "a" because "b"\n  when the MTD is declared and the MTD is not the lowest level\n'
        f"  then begin expansion at {place}\npart expansion",
    )
    text = text.replace("start at level 1", "start at level 2").replace(
        "declare the next lower level as RP2D", "declare this level as RP2D"
    )
    assert "error" not in said(tmp_path, text, capsys)
    (tmp_path / "e.dose").write_text(
        text + 'example "2NNN" then declare level 2 as MTD, begin expansion at level 1\n', encoding="utf-8"
    )
    assert run(["test", str(tmp_path / "e.dose")]) == 0


def test_the_one_word_that_can_follow_is_named(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "s.dose").write_text('protocol "x"\nexample "1NNN" then escalate 2\n', encoding="utf-8")
    assert run(["check", str(tmp_path / "s.dose")]) == 1
    assert "after `2` must come `levels`" in capsys.readouterr().out
