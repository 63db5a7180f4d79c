"""`doselang next` and `doselang replay` as a coordinator uses them, with wrong input too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doselang.cli import run
from doselang.resources import resource

PROTOCOL = str(resource("protocols", "ibrutinib-lenalidomide.dose"))
LITERAL = str(resource("protocols", "ibrutinib-lenalidomide-literal.dose"))
PLANTED = str(Path(__file__).parent / "conducted" / "planted.toml")

ROWS = """patient,level,entered,outcome,known
001,1,2026-01-05,none,
002,1,2026-01-06,none,
003,1,2026-01-07,none,
004,2,2026-02-05,none,
005,2,2026-02-10,DLT,2026-02-20
006,2,2026-02-12,,
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "patients.csv").write_text(ROWS)
    return str(tmp_path / "patients.csv")


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def record(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    status, out, err = asked(capsys, *arguments, "--format", "json")
    assert status in (0, 1) and all(line.endswith("not used.") for line in err.splitlines())
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_same_is_advised_from_a_history_and_from_a_table(capsys: pytest.CaptureFixture[str], table: str) -> None:
    by_history = record(capsys, "next", PROTOCOL, "1NNN 2TN.")
    by_table = record(capsys, "next", PROTOCOL, table, "--on", "2026-03-06")
    for key in ("action", "now", "enrol", "ahead", "rules", "cites", "history", "levels", "waiting", "result"):
        assert by_history[key] == by_table[key], key
    assert by_table["pending"] == [{"patient": "006", "level": "2", "until": "2026-03-12"}]
    assert by_table["judgement"]["counts"]["patients"]["followed"] == 6


@pytest.mark.parametrize(
    ("day", "history", "action"),
    [
        ("2026-01-04", "", "enrol"),
        ("2026-01-05", "1.", "enrol"),
        ("2026-01-07", "1...", "wait"),
        ("2026-02-03", "1NN.", "wait"),
        ("2026-02-04", "1NNN", "enrol"),
        ("2026-02-19", "1NNN 2...", "wait"),
        ("2026-02-20", "1NNN 2T..", "wait"),
        ("2026-03-05", "1NNN 2TN.", "wait"),
    ],
)
def test_what_is_advised_is_of_the_day(
    capsys: pytest.CaptureFixture[str], table: str, day: str, history: str, action: str
) -> None:
    found = record(capsys, "next", PROTOCOL, table, "--on", day)
    assert (found["history"], found["action"]) == (history, action)


def test_an_outcome_that_is_overdue_is_asked_for(capsys: pytest.CaptureFixture[str], table: str) -> None:
    _, out, _ = asked(capsys, "next", PROTOCOL, table, "--on", "2026-04-01")
    assert "006 at level 2, whose window ended on 2026-03-12: the outcome is to be recorded" in out


def test_what_the_protocol_leaves_open_has_no_advice(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = asked(capsys, "next", LITERAL, "1TTN")
    assert status == 0
    assert "no advice: the protocol leaves open what comes next" in out and "may enter" not in out
    found = record(capsys, "next", LITERAL, "1TTN")
    assert (found["action"], found["enrol"], found["ahead"]) == ("undecided", [], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("next", PROTOCOL, "1NNN 4N"), "There is no level `4`"),
        (("next", PROTOCOL, "1NNN 3N"), "After `1NNN` the rules open level 2, not level 3."),
        (("next", PROTOCOL, "1NQ"), "`Q` is not the letter of an outcome"),
        (("next", PROTOCOL, ""), "Is a variable of the shell not set?"),
        (("next", PROTOCOL, "1NNN", "--on", "2026-03-01"), "`--on` asks for a day, and a history has none"),
        (("next", PROTOCOL, "missing.csv"), "There is no file missing.csv."),
        (("next", "missing.dose", "1NNN"), "There is no file missing.dose."),
        (("replay", PROTOCOL), "Missing argument 'DATA'."),
        (("replay", PROTOCOL, "missing.toml"), "There is no file missing.toml."),
    ],
)
def test_wrong_input_is_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    status, out, err = asked(capsys, *arguments)
    assert (status, out) == (2, "") and message in err


def test_what_was_done_all_the_same_can_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = asked(capsys, "next", PROTOCOL, "1NNN 3N")
    assert "`!3NNN` is a cohort that the rules do not open" in err
    status, out, _ = asked(capsys, "next", PROTOCOL, "1NNN !3N")
    assert status == 0 and "2 patients may enter at level 3" in out


@pytest.mark.parametrize("day", ["2026-13-01", "01.03.2026", "today", "2026-02-30"])
def test_a_day_is_written_in_one_way(capsys: pytest.CaptureFixture[str], table: str, day: str) -> None:
    status, _, err = asked(capsys, "next", PROTOCOL, table, "--on", day)
    assert status == 2 and f"`--on {day}`: `{day}` " in err and "Write it as 2026-03-01." in err


def test_a_table_without_days_has_no_day(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("patient,level,outcome\n1,1,none\n")
    status, _, err = asked(capsys, "next", PROTOCOL, str(tmp_path / "p.csv"), "--on", "2026-03-01")
    assert status == 2 and "`--on` asks for a day, and the table has none" in err
    assert record(capsys, "next", PROTOCOL, str(tmp_path / "p.csv"))["history"] == "1N"


def test_faults_in_a_table_are_told_and_nothing_is_advised(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(ROWS.replace("2026-02-10", "10/02/2026").replace("003,1", "002,1"))
    for command in ("next", "replay"):
        status, out, err = asked(capsys, command, PROTOCOL, str(tmp_path / "p.csv"))
        assert (status, out) == (1, "")
        assert "Row 4" in err and "Row 6" in err and "nothing was done with it" in err


def test_a_trial_that_left_its_protocol_is_told_so_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(ROWS.replace("004,2", "004,3"))
    _, out, _ = asked(capsys, "next", PROTOCOL, str(tmp_path / "p.csv"), "--on", "2026-03-06")
    assert out.startswith("The trial has left its protocol\n   1  2026-02-05  004 entered at level 3")
    assert "2 patients may enter" not in out.split("\n\n")[0] and "1NNN +3N 2T." in out


@pytest.mark.parametrize("form", ["text", "csv", "markdown", "json"])
def test_a_replay_in_every_form_has_the_five_deviations(capsys: pytest.CaptureFixture[str], form: str) -> None:
    status, out, err = asked(capsys, "replay", PROTOCOL, PLANTED, "--format", form)
    assert (status, err) == (1, "")
    for words in ("010 entered at level 3, before the outcomes of 011 and 012", "014 entered at level 1",
                  "025 entered at level 3, which is closed as too toxic", "level 1 was declared as MTD",
                  "002 was treated at level 2 in cycle 3, higher than before"):  # fmt: skip
        assert words in out
    if form == "json":
        steps = json.loads(out)["steps"]
        assert sum(step["verdict"] == "deviated" for step in steps) == 5
        assert all(step["advice"]["rules"] for step in steps if step["fault"] in ("closed level", "wrong level"))


def test_a_replay_until_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = asked(capsys, "replay", PROTOCOL, PLANTED, "--on", "2026-02-17", "--all")
    assert status == 0 and err.startswith("Cycles of treatment have no days: with `--on` they are not judged.\n")
    assert err.endswith(" lie after 2026-02-17, and are not used.\n")
    assert "No deviation until 2026-02-17" in out and "4 patients who entered: 4 as the rules say" in out


def test_a_replay_of_a_trial_that_followed_its_rules(capsys: pytest.CaptureFixture[str], table: str) -> None:
    status, out, _ = asked(capsys, "replay", PROTOCOL, table)
    assert status == 0 and out.startswith("No deviation\n  6 patients who entered: 6 as the rules say\n")


# ---- days that are not, or not yet ----


def test_a_day_in_the_future_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A figure of a year mistyped: the patient, or the toxicity, would not count, and nobody would notice."""
    path = tmp_path / "fu2.csv"
    for row in ("002,1,2126-01-06,DLT,2126-01-10", "002,1,2026-01-06,DLT,2126-01-10"):
        path.write_text(f"patient,level,entered,outcome,known\n001,1,2026-01-05,DLT,2026-01-09\n{row}\n")
        for command in (("next", PROTOCOL, str(path)), ("replay", PROTOCOL, str(path))):
            status, out, err = asked(capsys, *command)
            assert status == 1 and not out and "DL804" in err and "2126-01-10 is in the future: today is" in err
        status, out, _ = asked(capsys, "data", "check", PROTOCOL, str(path))
        assert status == 1 and "2126-01-10 is in the future: today is" in out


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-01-05", "5 patients and 1 outcome lie after 2026-01-05, and are not used."),
        ("2026-02-03", "3 patients and 1 outcome lie after 2026-02-03, and are not used."),
        ("2026-03-04", "1 outcome lies after 2026-03-04, and is not used."),
        ("2026-03-05", ""),
    ],
)
def test_what_lies_after_the_day_is_told(capsys: pytest.CaptureFixture[str], table: str, day: str, words: str) -> None:
    told = f"{table}: {words}\n" if words else ""
    for command in ("next", "replay"):
        assert asked(capsys, command, PROTOCOL, table, "--on", day)[2] == told
    assert asked(capsys, "replay", PROTOCOL, table)[2] == ""


def test_decisions_after_the_day_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    err = asked(capsys, "next", PROTOCOL, PLANTED, "--on", "2020-01-01")[2]
    assert "decision" in err and "not used." in err
