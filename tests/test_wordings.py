"""What people write who know their protocol and not the language: the answer says what to write, and that is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.diagnostics import Report
from doselang.loading import load, load_source
from doselang.protocol.guards import Tally
from doselang.protocol.words import guard_words
from doselang.source import Source
from doselang.syntax.going import IN_COURSE, IN_TRIAL
from doselang.syntax.parse import parse
from doselang.syntax.sums import spelled_out

Capture = pytest.CaptureFixture[str]

RULE = 'rule "r"\n  when any DLT\n  then {}\nrule "s"\n  when no DLT\n  then stop\n'
IN_A_COURSE = 'patient course\nrule "r"\n  when no event\n  then {}\nstate on\n'


def faults(text: str) -> list[tuple[str, str]]:
    """The words underlined, and the help, of each fault of reading."""
    report = Report()
    parse(Source("t.dose", text), report)
    return [(text[item.span.start : item.span.end], item.help or "") for item in report]


# ---- moves ----

UP, DOWN, HERE = "Write `escalate`.", "Write `de-escalate`.", "Write `enrol 3 more`"
PEOPLE = "to choose enrol 3 more or stop`: nobody enters until they have."
MOVES = (
    ("go to next level", UP), ("go to the next level", UP), ("go to the next dose level", UP), ("go up", UP),
    ("go up one level", UP), ("move up", UP), ("move to the next higher level", UP), ("next dose", UP),
    ("the next level", UP), ("proceed to next level", UP), ("proceed to the next dose level", UP),
    ("advance to the level above", UP), ("continue to the next level", UP), ("step up", UP), ("escalate the dose", UP),
    ("escalate to the next level", UP), ("escalate one level", UP), ("increase the dose", UP), ("open next level", UP),
    ("go down", DOWN), ("step down", DOWN), ("go to the level below", DOWN), ("go to the next lower level", DOWN),
    ("return to the previous dose level", DOWN), ("de-escalate to the next lower level", DOWN),
    ("reduce the dose", DOWN), ("lower the dose", DOWN), ("deescalate", DOWN), ("de-escalate one dose level", DOWN),
    ("hold", "`enrol 3 more`"), ("hold the dose", HERE), ("remain", HERE), ("remain at this level", HERE),
    ("stay at this level", HERE), ("stay at the same dose level", HERE), ("stay here", HERE),
    ("continue enrolment at this level", HERE), ("repeat the dose level", HERE), ("expand this level", "enrol 3 more"),
    ("escalate by 2 levels", "`escalate 2 levels`"), ("de-escalate two dose levels", "`de-escalate 2 levels`"),
    ("go to level 2", "`enrol 3 at level 2`"), ("escalate to level -1", "`enrol 3 at level -1`"),
    ("enter 6 more patients", "Write `enrol 6 more`."), ("treat three additional patients", "Write `enrol 3 more`."),
    ("pause", PEOPLE), ("hold enrolment", PEOPLE), ("suspend the trial", PEOPLE),
    ("stop the trial", "Write `stop`."), ("terminate the study", "Write `stop`."), ("proceed", "`enrol 3 at level 2`"),
)  # fmt: skip


@pytest.mark.parametrize(("move", "help"), MOVES, ids=[move for move, _ in MOVES])
def test_a_move_in_the_words_of_a_protocol(move: str, help: str) -> None:
    found = faults(RULE.format(move))
    assert len(found) == 1
    assert help in found[0][1]
    assert "continue" not in found[0][1] and "Did you mean `enter`" not in found[0][1]


@pytest.mark.parametrize("word", [word for _, word in MOVES])
def test_what_is_to_be_written_for_a_move_is_a_move(word: str) -> None:
    for written in re.findall("`([^`]+)`", word):
        assert not faults(RULE.format(written)), written


def test_every_move_that_is_told_is_read() -> None:
    for helps, frame in ((IN_TRIAL, RULE), (IN_COURSE, IN_A_COURSE)):
        for help in helps.values():
            for written in re.findall("`([^`]+)`", help):
                assert not faults(frame.format(written)), written


@pytest.mark.parametrize(
    ("move", "help"), [("go down", "`continue at the next lower level`"), ("stay at this level", "Write `continue`.")]
)
def test_a_move_of_a_patient_is_told_in_a_course(move: str, help: str) -> None:
    assert [told for _, told in faults(IN_A_COURSE.format(move))] == [f"Write {help}." if help[0] == "`" else help]


@pytest.mark.parametrize("move", ["stay", "escalate", "de-escalate", "enrol 3 more", "stop", "escalate 2 levels"])
def test_a_move_that_is_one_is_no_fault(move: str) -> None:
    assert not faults(RULE.format(move))


def test_a_condition_of_a_second_case_is_no_move() -> None:
    text = RULE.format("stay\n  when any DLT and next level is open\n  then stop")
    assert [help for _, help in faults(text)] == ["Did you mean `the next higher level`?"]


# ---- sums of toxicities ----

BOUNDS = {
    "at least": lambda total, number: total >= number,
    "at most": lambda total, number: total <= number,
    "more than": lambda total, number: total > number,
    "fewer than": lambda total, number: total < number,
    "exactly": lambda total, number: total == number,
}


SUMMED = """\
protocol "A drug"
levels 1 to 2
start at level 1
toxicity P  written P
toxicity Q  written Q
toxicity R  written R
{declared}
part escalation
cohorts of 3
rule "r"
  when {counted}
  then stop
"""


@pytest.mark.parametrize("names", ["PQ", "PR", "PQR"])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_written_for_a_sum_means_the_sum(bound: str, number: int, names: str) -> None:
    told = re.fullmatch("Declare below them `(.+)`, and write `(.+)`\\.", spelled_out(bound, number, list(names)))
    assert told is not None
    protocol = load_source(Source("t.dose", SUMMED.format(declared=told[1], counted=told[2])), None).protocol
    assert protocol is not None
    guard = protocol.parts[0].rules[0].cases[0].guard
    assert isinstance(guard, Tally) and guard.what == tuple("PQR".index(name) for name in names)
    for total in range(8):
        assert (total in guard.count) == BOUNDS[bound](total, number)


# ---- the words of a table, and the first error ----

TABLED = """\
protocol "A drug"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
replace inevaluable patients
table table-1 from "t.csv"
part escalation
cohorts of 3
rule "up"
  when (table-1 says e or table-1 says S or table-1 says du) and the cohort is complete
  then stop
"""


def test_a_word_is_printed_as_the_table_has_it(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "t.csv").write_text("n,toxicities,decision\n3,0,E\n3,1,s\n3,2,DU\n3,3,du\n", encoding="utf-8")
    path = tmp_path / "t.dose"
    path.write_text(TABLED, encoding="utf-8")
    protocol = load(str(path)).protocol
    assert protocol is not None
    meant = guard_words(protocol, protocol.parts[0].rules[0].cases[0].guard)
    assert meant == "(table-1 says E or table-1 says s or table-1 says DU) and the cohort is complete"
    path.write_text(TABLED.replace("says e ", "says q "), encoding="utf-8")
    assert run(["check", str(path)]) == 1
    assert "It says `E`, `s` or `DU`." in capsys.readouterr().out


MANY = """\
protocol "A drug"
text "t.md"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
replace inevaluable patients
part escalation
cohorts of 3
rule "up"
  assume "a" because "b"
  when none of 3 patients has a DLT
  then stop
"""


@pytest.mark.parametrize(("sentences", "told"), [(1, False), (12, True)])
def test_the_first_error_among_many_warnings_is_named(
    sentences: int, told: bool, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "t.md").write_text("\n".join(f"Sentence {n} is here." for n in range(sentences)), encoding="utf-8")
    path = tmp_path / "t.dose"
    path.write_text(MANY, encoding="utf-8")
    assert run(["check", str(path)]) == 1
    printed = capsys.readouterr().out
    place = next(line.partition(": error")[0] for line in printed.splitlines() if ": error " in line)
    last = printed.splitlines()[-1]
    assert last.endswith(f"error is at {place}") == told, last
