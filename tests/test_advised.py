"""What protocols say in their own words: what is advised instead is in the answer, and is accepted when it is written.

Each row is a place in the protocol below, what somebody writes there, and what is advised. The advice is then written
there, with what else it needs: further places and their lines, of the same place if the advice is only a part of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import evolve

from doselang.check.checking import check
from doselang.check.facts import Cause
from doselang.cli import run
from doselang.loading import load, load_source
from doselang.protocol.words import guard_words
from doselang.report.findings import findings
from doselang.source import Source

Capture = pytest.CaptureFixture[str]

PROTOCOL = """\
protocol "A trial"
cycle is 28 days
component drug in mg
levels 1 to 4  drug from 10 by 10
STATEMENT
start at level 1
toxicity DLT  within cycle 1  written T
TOXICITY
replace inevaluable patients
body dec
verdict RP2D as the result  means "the recommended dose"  REQUIRES
part escalation
COHORTS
rule "up"
  when none of 3 patients has a DLT and a higher level exists
  then MOVE
rule "the top"
  when none of 3 patients has a DLT and no higher level exists
  then declare this level as RP2D, END
rule "toxic"
  when CONDITION
  then close this level as too toxic, declare no RP2D, stop "a DLT"
part expansion
cohorts of 12
rule "full"
  when the cohort is complete
  then stop
patient course may escalate
event progression
event skin-reaction
rule "go on"
  when no event
  then continue
rule "off"
  when EVENT
  then TREAT
state on
state off  final
"""

DEFAULTS = {
    "STATEMENT": "", "TOXICITY": "", "REQUIRES": "", "COHORTS": "cohorts of 3", "MOVE": "escalate",
    "END": 'stop "the highest level is tolerated"', "CONDITION": "at least 1 of 3 patients has a DLT",
    "EVENT": "any event", "TREAT": "enter off",
}  # fmt: skip

ISOTONIC = "use isotonic as estimate with target 25%"
LOWER = "the highest level where (this level is below the RP2D)"

GRADE = "toxicity grade-3  within cycle 1  written G"

ADVISED = (
    ("CONDITION", "at least 3 patients have completed cycle 1", "at least 3 evaluable"),
    # moves
    ("MOVE", "stop escalation", "close this level with all above as too toxic"),
    ("MOVE", "stop dose escalation, declare this level as RP2D", "close this level with all above as too toxic"),
    ("MOVE", "re-escalate", "escalate"),
    ("MOVE", "reescalate to the next level", "escalate"),
    ("MOVE", "re-escalate to level 2", "enrol 3 at level 2"),
    ("MOVE", "de-escalate to the next level", "de-escalate"),
    ("MOVE", "de-escalate by one dose level", "de-escalate"),
    ("TREAT", "re-escalate to the assigned level", "continue at the assigned level"),
    (
        "TREAT",
        "may escalate to the assigned level if the dec agrees, otherwise continue",
        "continue at the assigned level",
    ),
    ("TREAT", "re-escalate", "continue at the next higher level"),
    ("END", "expand the RP2D to 12 patients", "fill the RP2D to 12"),
    ("END", "expand the rp2d to 12 patients", "begin expansion filling the RP2D to 12"),
    ("MOVE", "expand level 2 to twelve patients", "fill level 2 to 12"),
    ("MOVE", "the DEC chooses escalate or stay", "ask DEC to choose escalate or stay"),
    ("MOVE", "escalate by 100%", "escalate 2 levels"),
    ("MOVE", "double the dose", "escalate"),
    ("MOVE", "enrol 3 to 6", "ask dec to choose enrol 3 more or enrol 6 more"),
    ("MOVE", "enrol 3-6 more", "ask dec to choose enrol 3 more or enrol 6 more"),
    ("MOVE", "enrol 3 or 6 more", "ask dec to choose enrol 3 more or enrol 6 more"),
    ("MOVE", "enrol 3 to 6", "enrol size more", "STATEMENT", "parameter size is 3  from 3 to 6"),
    (
        "MOVE",
        "enrol 3 at or below this level",
        "ask dec to choose enrol 3 at this level or enrol 3 at the next lower level",
    ),
    ("MOVE", "enrol 3 at or below the RP2D", f"ask dec to choose enrol 3 at the RP2D or enrol 3 at {LOWER}"),
    (
        "MOVE",
        "enrol 3 at the level estimate recommends or any lower level",
        "ask dec to choose enrol 3 at the level estimate recommends or enrol 3 at the highest level where "
        "(this level is below the level estimate recommends)",
        "STATEMENT",
        ISOTONIC,
    ),
    (
        "MOVE",
        "declare this level or the next lower level as RP2D",
        "ask dec to choose declare this level as RP2D or declare the next lower level as RP2D",
    ),
    ("MOVE", "resume accrual", "enrol 3 more"),
    ("MOVE", "randomise 40 patients 1:1", "with chance 50% escalate, otherwise stay"),
    ("END", "begin expansion one level below the RP2D", f"begin expansion at {LOWER}"),
    ("END", "begin expansion at one level below the RP2D", f"begin expansion at {LOWER}"),
    ("MOVE", "eliminate this level and all higher levels", "close this level with all above as too toxic"),
    (
        "MOVE",
        "eliminate the next higher level, and all levels above",
        "close the next higher level with all above as too toxic",
    ),
    ("MOVE", "eliminate the current dose level", "close this level as too toxic"),
    (
        "MOVE",
        "ask dec to choose stay or enrol 3 at the next higher level or any lower level",
        "ask dec to choose enrol 3 at the next higher level or enrol 3 at this level",
    ),
    ("TREAT", "enter off at the original dose", "the assigned level", "TREAT", "continue at the assigned level"),
    (
        "MOVE",
        "enrol 3 more at the next lowest level",
        "the next lower level",
        "MOVE",
        "enrol 3 at the next lower level",
    ),
    # conditions
    ("CONDITION", "at least 4 patients have a DLT in the part", "at least 4 DLTs in the part"),
    ("CONDITION", "at least 2 patients had DLTs", "at least 2 DLTs"),
    ("CONDITION", "4 patients have a DLT", "exactly 4 DLTs"),
    ("CONDITION", "at least 2 patients have a DLT at the next lower level", "at least 2 DLTs at the next lower level"),
    ("CONDITION", "at most 1 of 6 patients with DLT", "at most 1 of 6 patients has a DLT"),
    (
        "CONDITION",
        "fewer than 2 grade 2 toxicities",
        "fewer than 2 grade-2",
        "TOXICITY",
        "toxicity grade-2  within cycle 1  written G",
    ),
    (
        "CONDITION",
        "no grade 3 or higher toxicity",
        "no grade-3",
        "TOXICITY",
        "toxicity grade-3  within cycle 1  written G",
    ),
    (
        "CONDITION",
        "no grade 3 or higher toxicity",
        "no grade-3-or-worse",
        "TOXICITY",
        f"{GRADE}\ntoxicity grade-3-or-worse is DLT or grade-3",
    ),
    ("CONDITION", "at most 33% of patients have a DLT", "the DLT rate is at most 33%"),
    ("CONDITION", "fewer than 25% of patients have a DLT", "the DLT rate is fewer than 25%"),
    ("CONDITION", "the first DLT", "any DLT in the part"),
    ("CONDITION", "the second DLT", "at least 2 DLT in the part"),
    ("CONDITION", "2 of 6 or 7 patients have a DLT", "(2 of 6 patients have a DLT or 2 of 7 patients have a DLT)"),
    (
        "CONDITION",
        "at least 2 of 6 or 7 patients have DLTs",
        "(at least 2 of 6 patients have a DLT or at least 2 of 7 patients have a DLT)",
    ),
    (
        "CONDITION",
        "12 patients at the next lower level",
        "at least 12 evaluable",
        "CONDITION",
        "at least 12 evaluable at the next lower level",
    ),
    ("CONDITION", "at least 6 patients treated", "at least 6 evaluable"),
    ("REQUIRES", "requires at least 6 patients", "at least 6 evaluable", "REQUIRES", "requires at least 6 evaluable"),
    (
        "EVENT",
        "at most 2 dose reductions",
        "enter reduced-twice at the next lower level",
        "EVENT",
        "any event",
        "TREAT",
        "enter off",
    ),
    ("CONDITION", "any grade 3 toxicity", "Write `any grade-3`", "CONDITION", "any grade-3", "TOXICITY", GRADE),
    # statements
    ("TOXICITY", "toxicity grade 2  within cycle 1  written M", "toxicity grade-2"),
    ("COHORTS", "single patient cohorts", "cohorts of 1"),
    ("COHORTS", "cohorts of 3\naccrue about 36 patients", "accrue at most 36 in the trial", "COHORTS", "cohorts of 3"),
    (
        "STATEMENT",
        "intermediate level 4B drug 45",
        "level 4B  off-ladder",
        "STATEMENT",
        "level 4B  off-ladder  drug 45",
    ),
    ("STATEMENT", "target toxicity rate 25%", "parameter target is 25%"),
    ("STATEMENT", "target 30%", "use boin as boundaries with target target", "TOXICITY", "parameter target is 30%"),
    (
        "STATEMENT",
        "parameter top is 3\nmaximum sample size 42",
        "accrue at most 42 in the trial",
        "STATEMENT",
        "",
        "COHORTS",
        "cohorts of 3\naccrue at most 42 in the trial",
    ),
    (
        "STATEMENT",
        "maximum 36 patients",
        "accrue at most 36 in the trial",
        "STATEMENT",
        "",
        "COHORTS",
        "cohorts of 3\naccrue at most 36 in the trial",
    ),
    ("STATEMENT", "schedule BID", "ladder BID", "STATEMENT", "ladder BID\nlevel B1  drug 5"),
    ("STATEMENT", "select MTD by isotonic regression", ISOTONIC),
    ("STATEMENT", "component sbrt in Gy per fraction", "in Gy", "STATEMENT", "component sbrt in Gy"),
    ("STATEMENT", "component sbrt in Gy per day", "Gy/day", "STATEMENT", "component sbrt in Gy/day"),
    ("COHORTS", "cohorts of 3 to 6", "cohorts of size", "STATEMENT", "parameter size is 3  from 3 to 6"),
    ("COHORTS", "cohorts of 3-6 patients", "cohorts of size", "STATEMENT", "parameter size is 3  from 3 to 6"),
    ("COHORTS", "cohorts of 3 or 6", "cohorts of size", "STATEMENT", "parameter size is 3  from 3 to 6"),
    ("TOXICITY", "toxicity late  from day 1 to day 90", "within 90 days", "TOXICITY", "toxicity late  within 90 days"),
    (
        "TOXICITY",
        "toxicity late  in later cycles  within day 91 to 730",
        "within 730 days",
        "TOXICITY",
        "toxicity late  in later cycles  within 730 days",
        "COHORTS",
        "cohorts of 1\nlook at every arrival",
    ),
)


def written(slots: dict[str, str]) -> str:
    """The protocol with lines of its own in some places."""
    text = PROTOCOL
    for slot, default in DEFAULTS.items():
        text = text.replace(slot, slots.get(slot, default))
    return text


@pytest.mark.parametrize("row", ADVISED, ids=[f"{row[0]}-{row[1]}" for row in ADVISED])
def test_what_is_advised_is_told_and_accepted(row: tuple[str, ...], tmp_path: Path, capsys: Capture) -> None:
    slot, said, told, *around = row
    lines = {slot: told, **dict(zip(around[::2], around[1::2], strict=True))}
    path = tmp_path / "t.dose"
    path.write_text(written({**lines, slot: said}), encoding="utf-8")
    assert run(["check", str(path)]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(" error ") == 1, printed
    assert " ".join(told.split()) in printed.split(" help ")[1]
    path.write_text(written(lines), encoding="utf-8")
    loaded = load(str(path))
    assert loaded.protocol is not None, loaded.diagnostics


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("starting dose level 2", "`start at level 2`"),
        ("starting dose is level -1", "`start at level -1`"),
        ("DLT window of 42 days", "`toxicity DLT  within 42 days`"),
        ("dose-limiting toxicity window 6 weeks", "`toxicity DLT  within 6 weeks`"),
        ("sentinels 28 days", "`sentinel of each new level for 28 days`"),
        ("staggered by 48 hours", "`sentinel of each new level for 48 hours`"),
        ("accrue up to 6 patients at a level", "`accrue at most 6 at a level`"),
        ("accrue about 20 in the part", "`accrue at most 20 in the part`"),
        ("maximum of 6 patients per dose level", "`accrue at most 6 at a level`"),
        ("maximum of 30 patients", "`accrue at most 30 in the trial`"),
    ],
)
def test_the_numbers_of_the_text_are_those_of_the_advice(said: str, told: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.dose"
    path.write_text(f'protocol "A trial"\nlevels 1 to 3\n{said}\n', encoding="utf-8")
    run(["check", str(path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert " ".join(told.split()) in printed


# ---- what is advised about what the rules do ----

HEAD = """\
protocol "A trial"
levels 1 to 4
start at level 1
toxicity DLT  within 28 days  written T
replace inevaluable patients
body dec
use isotonic as estimate with target 25%
part escalation
cohorts of 3
"""

CHOICE_AND_TOTAL = """\
rule "next dose"
  when at most 1 DLT in the cohort and a higher level exists
  then ask dec to choose escalate or stay
  when at least 2 DLTs in the cohort or no higher level exists
  then ask dec to choose stay or enrol 3 at level 1
rule "nine patients"{}
  when at least 9 evaluable in the trial
  then declare no MTD, stop "nine patients"
"""

SEARCH = """\
rule "next dose"
  when at most 1 DLT in the cohort and fewer than 12 evaluable in the part
  then enrol 3 at the highest level where (fewer than 6 evaluable{})
rule "the end"
  when at least 2 DLTs in the cohort or at least 12 evaluable in the part
  then declare no MTD, stop
"""

RECOMMENDED = """\
rule "up"
  when none of 3 patients has a DLT and a higher level exists
  then escalate
rule "the top"
  when none of 3 patients has a DLT and no higher level exists{}
  then declare the level estimate recommends as MTD, stop
rule "toxic"  at any time
  when any DLT
  then close this level as too toxic
rule "after it"
  when this level is closed as too toxic{}
  then declare the level estimate recommends as MTD, stop
  {}
"""

BESIDE = """\
rule "up"
  when none of 3 patients has a DLT and a higher level exists{}
  then escalate, backfill 2 patients at level 2
rule "other"
  when any of 3 patients has a DLT or no higher level exists{}
  then declare no MTD, stop
"""

RULES = (
    ("DL302", CHOICE_AND_TOTAL, ("",), 'write in "nine patients": overrides "next dose"', ('  overrides "next dose"',)),
    (
        "DL402",
        SEARCH,
        ("",),
        "`and (this level is tried or the next lower level is tried)`",
        (" and (this level is tried or the next lower level is tried)",),
    ),
    (
        "DL303",
        RECOMMENDED,
        ("", "", ""),
        "`and estimate recommends a level`",
        (
            " and estimate recommends a level",
            " and estimate recommends a level",
            "when this level is closed as too toxic and estimate recommends no level then declare no MTD, stop",
        ),
    ),
    (
        "DL302",
        BESIDE,
        ("", ""),
        "a further case for where it is the same",
        (" and this level is not level 1", " or this level is level 1"),
    ),
)


@pytest.mark.parametrize(("code", "rules", "before", "help", "after"), RULES)
def test_what_is_advised_about_rules_settles_the_finding(
    code: str, rules: str, before: tuple[str], help: str, after: tuple[str], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "t.dose"
    path.write_text(HEAD + rules.format(*before), encoding="utf-8")
    run(["check", str(path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(code) == 1 and help in printed, printed
    path.write_text(HEAD + rules.format(*after), encoding="utf-8")
    run(["check", str(path)])
    printed = capsys.readouterr().out
    assert code not in printed and "DL212" not in printed, printed


def test_conflicts_of_another_way_of_entering_stand_apart() -> None:
    """The probability of one is of trials in which patients enter otherwise, or there is none: it is not added up."""
    protocol = load_source(Source("two.dose", TWO_RULES), None).protocol
    assert protocol is not None
    checked = check(protocol)
    (cause,) = (fact for fact in checked.facts if isinstance(fact, Cause))
    assert cause.undecided.why == "conflict" and cause.probability["s"] == pytest.approx(0.243)  # 3 * 0.1 * 0.9 ** 2
    for other in (evolve(cause, accrual="whole-cohort"), evolve(cause, accrual="any-order", probability={})):
        told = findings(evolve(checked, facts=(cause, other)), max_states=10)
        assert [one.probability for one in told] == [dict(cause.probability), dict(other.probability) or None]


TWO_RULES = """protocol "Two rules"
level 1
start at level 1
toxicity DLT  within 28 days
part escalation
cohorts of 3
rule "stays"
  when at most 1 of 3 patients has a DLT
  then declare this level as MTD, stop
rule "stops"
  when at least 1 of 3 patients has a DLT
  then declare no MTD, stop
scenario "s" DLT 10%
"""


def test_conflicts_of_the_same_rules_are_told_once(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.dose"
    path.write_text(HEAD + CHOICE_AND_TOTAL.format(""), encoding="utf-8")
    run(["check", str(path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("Also ") == 3 and re.search(r"And in \d+ more situations?\.", printed)
    for option in ("`escalate`", "`stay`"):  # each way in which people could choose is one of the situations
        assert option in printed


TOO_MANY = """\
protocol "A trial"
{}
start at level 1
toxicity DLT  within 90 days  written T
{}
replace inevaluable patients
part escalation
cohorts of 1
look at every arrival
rule "more"
  when fewer than 6 enrolled
  then enrol 1 more
rule "up"
  when exactly 6 evaluable and at most 1 DLT and a higher level exists
  then escalate
"""
LATE = "toxicity late-toxicity  in later cycles  within 730 days  written L"


@pytest.mark.parametrize(
    ("levels", "late", "told", "untold"),
    [
        ("levels 1 to 5", "", "montecarlo", "--set"),
        ("parameter top is 5  from 1 to 9\nlevels 1 to top", "", "`--set top=3`", "timed"),
        ("parameter top is 5  from 4 to 9\nlevels 1 to top", "", "fewer levels", "--set"),
        ("levels 1 to 5", LATE, "--method timed", "montecarlo"),
    ],
)
def test_only_what_the_file_can_do_is_advised(
    levels: str, late: str, told: str, untold: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "t.dose"
    path.write_text(TOO_MANY.format(levels, late), encoding="utf-8")
    assert run(["check", str(path), "--max-states", "50"]) == 2
    help = capsys.readouterr().out.partition(" help ")[2].partition("\n")[0]
    assert told in help and untold not in help


@pytest.mark.parametrize(("days", "accepted"), [(60, False), (90, False), (91, True), (730, True)])
def test_a_later_toxicity_comes_after_patients_are_known(days: int, accepted: bool, tmp_path: Path) -> None:
    path = tmp_path / "t.dose"
    path.write_text(TOO_MANY.format("levels 1 to 5", LATE.replace("730", str(days))), encoding="utf-8")
    loaded = load(str(path))
    assert [item.code for item in loaded.diagnostics if item.severity == "error"] == ([] if accepted else ["DL214"])


@pytest.mark.parametrize("word", ["late-toxicity", "late-toxicities", "late-toxicitys"])
def test_a_plural_is_read_over(word: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.dose"
    rule = f'rule "late"\n  when at least 2 {word}\n  then declare no MTD, stop\n'
    path.write_text(TOO_MANY.format("levels 1 to 5", LATE) + rule, encoding="utf-8")
    protocol = load(str(path)).protocol
    assert protocol is not None
    assert guard_words(protocol, protocol.parts[0].rules[-1].cases[0].guard) == "at least 2 late-toxicities"


def test_another_name_of_a_command_is_known(capsys: Capture) -> None:
    assert run(["diff", "a.dose", "b.dose"]) == 2
    assert "Did you mean `doselang compare`?" in capsys.readouterr().err


def test_any_event_is_the_opposite_of_no_event(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.dose"
    text = written({}).replace("event progression", "event progression  written A")
    path.write_text(text.replace("event skin-reaction", "event skin-reaction  written B"), encoding="utf-8")
    for history, rule in (("1 .", "go on"), ("1 A", "off"), ("1 B", "off"), ("1 (AB)", "off")):
        assert run(["explain", str(path), history, "--patient"]) == 0
        assert f'"{rule}"' in capsys.readouterr().out
    assert run(["fmt", str(path)]) == 0
    assert "when any event" in path.read_text(encoding="utf-8")
