"""Toxicities in later cycles in the tables of a trial, and in its record."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from attrs import evolve

from doselang.cli import run
from doselang.conduct.conducted import Patient
from doselang.conduct.standing import Standing
from doselang.loading import load
from doselang.patients.reading import Tables, read_conducted
from doselang.patients.templates import templates
from doselang.protocol.model import Protocol
from doselang.report.trial_entries import render_entries
from doselang.resources import resource
from doselang.source import NOWHERE
from doselang.trial.adding import Added, begin_trial, propose_amendment
from doselang.trial.exporting import patients_csv
from doselang.trial.following import conducted_by
from doselang.trial.opening import open_trial
from tests.kept import Kept, read

TODAY = date(2026, 10, 1)
DESIGN = resource("protocols", "designs", "accelerated-titration-any-course.dose")
HEAD = "patient,level,entered,outcome,known,later,later-known\n"


def windowed() -> str:
    """The design with windows of 28 days."""
    text = DESIGN.read_text(encoding="utf-8")
    for name, letter in (("DLT", "T"), ("moderate", "M")):
        text = text.replace(f"toxicity {name}  written {letter}", f"toxicity {name}  within 28 days  written {letter}")
    return text


@pytest.fixture
def script(tmp_path: Path) -> Path:
    text = resource("protocols", "designs", "accelerated-titration-any-course.md").read_text(encoding="utf-8")
    (tmp_path / "accelerated-titration-any-course.md").write_text(text, encoding="utf-8")
    (tmp_path / "drug.dose").write_text(windowed(), encoding="utf-8")
    return tmp_path / "drug.dose"


@pytest.fixture
def protocol(script: Path) -> Protocol:
    loaded = load(str(script))
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def tables(folder: Path, protocol: Protocol, text: str) -> Tables:
    (folder / "patients.csv").write_text(text, encoding="utf-8")
    return read_conducted(str(folder / "patients.csv"), protocol, TODAY)


# ---- tables ----


def test_a_toxicity_in_a_later_cycle_has_its_columns(tmp_path: Path, protocol: Protocol) -> None:
    rows = (
        "P1,1,2026-03-02,none,,late-DLT,2026-04-10",
        "P2,1,2026-03-02,moderate,2026-03-09,l,2026-04-10",
        "P3,1,2026-03-02,none,2026-04-01,,",
        "P4,1,2026-03-02,T,2026-03-09,none,",
        "P5,1,2026-03-02,N,,S,2026-03-31",
    )
    found = tables(tmp_path, protocol, HEAD + "".join(f"{row}\n" for row in rows)).conducted
    assert found is not None
    entered, came = date(2026, 3, 2), date(2026, 4, 10)
    assert [evolve(one, place=NOWHERE) for one in found.patients] == [
        Patient("P1", 0, None, entered, "N", None, later="L", later_known=came),
        Patient("P2", 0, None, entered, "M", date(2026, 3, 9), later="L", later_known=came),
        Patient("P3", 0, None, entered, "N", date(2026, 4, 1)),
        Patient("P4", 0, None, entered, "T", date(2026, 3, 9)),
        Patient("P5", 0, None, entered, "N", None, later="S", later_known=date(2026, 3, 31)),
    ]


FAULTS = (
    ("P1,1,2026-03-02,late-DLT,2026-04-10,,", "DL803", "`outcome`: `late-DLT` comes in later cycles, to a patient",
     "Write here what was known first, such as none, and late-DLT in the column `later`, with its day in"),
    ("P1,1,2026-03-02,none,,DLT,2026-04-10", "DL803", "`later`: `DLT` does not come in later cycles: it is an outcome",
     "Write `late-DLT` or `late-moderate` here, and nothing where none came."),
    ("P1,1,2026-03-02,none,,x,2026-04-10", "DL803", "`later`: `inevaluable` does not come in later cycles", "Write"),
    ("P1,1,2026-03-02,none,,late-DTL,2026-04-10", "DL803", "`later`: there is no outcome `late-DTL`", "Did you mean"),
    ("P1,1,2026-03-02,none,,late-DLT,", "DL804", "`later-known`: the day on which the late-DLT came is missing.",
     "Every toxicity in later cycles has one, in a column `later-known`."),
    ("P1,1,2026-03-02,none,,late-DLT,2027-04-10", "DL804", "`later-known`: 2027-04-10 is in the future", "Is a figure"),
    ("P1,1,2026-03-02,none,,,2026-04-10", "DL805", "`later-known`: there is a day, and no toxicity in later cycles.",
     "Write the toxicity in the column `later`, or leave the day empty."),
    ("P1,1,2026-03-02,,,late-DLT,2026-04-10", "DL805", "`later`: the patient has no outcome yet, and had a late-DLT",
     "It comes to a patient who is known"),
    ("P1,1,2026-03-02,x,,late-DLT,2026-04-10", "DL805", "`later`: the patient is inevaluable, and had a late", "It"),
    ("P1,1,2026-03-02,DLT,2026-03-09,late-DLT,2026-04-10", "DL805",
     "`later`: the patient had a DLT, and a late-DLT in a later cycle is not more severe.",
     "The patient counts by the most severe toxicity: leave the two cells empty."),
    ("P1,1,2026-03-02,moderate,2026-03-09,late-moderate,2026-04-10", "DL805", "the patient had a moderate", "The"),
    ("P1,1,2026-03-02,moderate,2026-03-09,late-DLT,2026-03-09", "DL805",
     "`later-known`: the late-DLT in a later cycle came on 2026-03-09, and the outcome before it was known on"
     " 2026-03-09.",
     "It comes after that day: is one of the days wrong?"),
    ("P1,1,2026-03-02,none,,late-DLT,2026-03-30", "DL805", "and the outcome before it was known on 2026-03-30.", "It"),
    ("P1,1,,none,,late-DLT,2026-03-30", "DL804", "`later`: a toxicity in later cycles needs its day, and no patient",
     "Give the day of the first dose of every patient in a column `entered`"),
    ("P1,1,,none,,late-DLT,", "DL804", "`later`: a toxicity in later cycles needs its day, and no patient", "Give"),
)  # fmt: skip


@pytest.mark.parametrize(("row", "code", "message", "help"), FAULTS)
def test_what_cannot_be_is_refused(
    tmp_path: Path, protocol: Protocol, row: str, code: str, message: str, help: str
) -> None:
    found = tables(tmp_path, protocol, f"{HEAD}{row}\n").diagnostics
    assert [item.code for item in found] == [code]
    assert message in found[0].message and (found[0].help or "").startswith(help)


def test_other_protocols_have_no_such_columns(tmp_path: Path) -> None:
    reference = read("ibrutinib-lenalidomide.dose").protocol
    assert reference is not None
    found = tables(tmp_path, reference, f"{HEAD}P1,1,2026-03-02,none,,,\n")
    assert found.ignored == ("later", "later-known")
    assert all("later" not in text for text in templates(reference).values())


def test_a_map_names_the_columns(tmp_path: Path, protocol: Protocol) -> None:
    (tmp_path / "adsl.csv").write_text("ID,L,D,O,K,LT,LTD\nP1,1,2026-03-02,0,,2,2026-04-10\n")
    names = {"patient": "ID", "level": "L", "entered": "D", "outcome": "O", "known": "K", "later": "LT"}
    lines = [f'{key} = "{name}"' for key, name in {**names, "later-known": "LTD", "file": "adsl.csv"}.items()]
    codes = '[patients.outcomes]\n"0" = "none"\n"2" = "late-DLT"\n'
    (tmp_path / "trial.toml").write_text("[patients]\n" + "\n".join(lines) + "\n" + codes)
    found = read_conducted(str(tmp_path / "trial.toml"), protocol, TODAY).conducted
    assert found is not None and found.patients[0].later == "L"


def test_templates_have_the_columns(
    script: Path, protocol: Protocol, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = templates(protocol)
    assert texts["patients.csv"].endswith("known,later,later-known\n")
    assert "late-DLT or late-moderate, of a patient who was known before" in texts["trial.toml"]
    assert run(["data", "template", str(script), "--out", str(tmp_path / "out")]) == 0
    (tmp_path / "out" / "patients.csv").write_text(
        "patient,level,part,entered,outcome,known,later,later-known\n"
        "P1,1,accelerated,2026-03-02,none,,late-moderate,2026-04-10\n"
    )
    capsys.readouterr()
    assert run(["data", "check", str(script), str(tmp_path / "out" / "trial.toml")]) == 0
    said = capsys.readouterr().out.split("\n  in all")[1].split()
    assert said[:6] == ["1", "0", "0", "0", "0", "1"]


# ---- the record ----


@pytest.fixture
def kept(tmp_path: Path, script: Path) -> Kept:
    """P1 without toxicity at level 1, P2 with a moderate one at level 3, P3 pending at level 5."""
    begin_trial(tmp_path / "trial", load(str(script)), {}, "Ann", date(2025, 1, 6), time="2025-01-06T08:00:00Z")
    kept = Kept(open_trial(tmp_path / "trial"))
    kept.enrol("P1", "1", "2025-01-06")
    kept.known("P1", "none", "2025-02-03")
    kept.enrol("P2", "3", "2025-02-04")
    kept.known("P2", "moderate", "2025-02-10")
    return kept


def later(kept: Kept, patient: str, outcome: str, on: str) -> Added:
    return kept.add("outcome", on, patient=patient, outcome=outcome)


def test_it_is_a_second_outcome_of_the_patient(kept: Kept, tmp_path: Path, protocol: Protocol) -> None:
    for patient, on in (("P1", "2025-03-01"), ("P2", "2025-03-10")):
        assert later(kept, patient, "late-DLT", on).entry is not None
    found = [evolve(one, place=NOWHERE) for one in conducted_by(kept.trial.protocol, kept.trial.steps).patients]
    assert [(one.outcome, one.known, one.later, one.later_known) for one in found] == [
        ("N", date(2025, 2, 3), "L", date(2025, 3, 1)),
        ("M", date(2025, 2, 10), "L", date(2025, 3, 10)),
    ]
    assert "P1 had a late-DLT in a later cycle" in render_entries(kept.trial)
    text = patients_csv(kept.trial)
    assert text.splitlines()[:2] == [
        "patient,level,part,entered,outcome,known,later,later-known",
        "P1,1,accelerated,2025-01-06,none,2025-02-03,late-DLT,2025-03-01",
    ]
    again = tables(tmp_path, protocol, text).conducted
    assert again is not None
    assert [evolve(one, place=NOWHERE) for one in again.patients] == found


REFUSED = (
    ("P2", "late-moderate", "2025-03-01", "Patient P2 had a moderate (entry 5), and cannot be one who had a late"),
    ("P2", "late-DLT", "2025-02-10", "P2 had a late-DLT in a later cycle on 2025-02-10, and the outcome was known on"),
    ("P3", "late-DLT", "2025-03-01", "No patient `P3` has entered."),
    ("P1", "late-DLT", "2026-02-10", "2026-02-10 is in the future"),
    ("P1", "DLT", "2025-02-03", "Patient P1 has an outcome already: none, known on 2025-02-03 (entry 3)."),
)  # fmt: skip


@pytest.mark.parametrize(("patient", "outcome", "on", "message"), REFUSED)
def test_what_contradicts_the_record(kept: Kept, patient: str, outcome: str, on: str, message: str) -> None:
    before = kept.content
    added = later(kept, patient, outcome, on)
    assert added.entry is None and added.proposed.contradiction is not None
    assert message in added.proposed.contradiction.message
    assert kept.content == before


def test_it_needs_an_outcome_before_and_comes_once(kept: Kept) -> None:
    kept.add("enrol", "2025-02-11", "as it was", patient="P3", level="3")
    refused = later(kept, "P3", "late-DLT", "2025-04-01").proposed.contradiction
    assert refused is not None and "no outcome of patient P3 is entered" in refused.message
    assert later(kept, "P1", "late-moderate", "2025-03-01").entry is not None
    refused = later(kept, "P1", "late-DLT", "2025-04-01").proposed.contradiction
    assert refused is not None
    assert refused.message == "Patient P1 had a toxicity in a later cycle already (entry 7)."
    assert kept.correct(7, outcome="late-DLT").entry is not None
    refused = kept.correct(3).proposed.contradiction
    assert refused is not None and "correct TRIAL" not in refused.help and " 7`" in refused.help


def test_an_amendment_must_have_it_in_later_cycles(kept: Kept, script: Path) -> None:
    later(kept, "P1", "late-DLT", "2025-03-01")
    amended = script.read_text(encoding="utf-8").replace("late-DLT", "tardy-DLT")
    (script.parent / "amended.dose").write_text(amended, encoding="utf-8")
    found = propose_amendment(kept.trial, load(str(script.parent / "amended.dose")), date(2025, 4, 1), TODAY)
    assert found.refused is not None and "It has no outcome late-DLT" in found.refused


# ---- a toxicity in a later cycle that came after somebody had entered ----

PAUSES = """protocol "Pauses"
levels 1 to 2
start at level 1
toxicity DLT  within 90 days  written T
toxicity late  in later cycles  within 640 days  written L
replace inevaluable patients
counter pause
body committee
part escalation
cohorts of 1
look at every arrival
rule "go"
  when fewer than 3 enrolled and (no late in the trial or any pause) then stay
rule "up"
  when at least 3 enrolled and no pending and (no late in the trial or any pause) and a higher level exists
  then escalate
rule "top"
  when at least 3 enrolled and no pending and (no late in the trial or any pause) and no higher level exists
  then declare this level as MTD, stop
rule "late"
  when any late in the trial and no pause
"""
ASKED = '  then ask committee to choose stay and count pause or declare no MTD and stop "late toxicity"\n'
COUNTED = "  then stay, count pause\n"
PATIENTS = """patient,level,entered,outcome,known,later,later-known
001,1,2026-01-11,none,2026-04-12,late,2026-05-20
002,1,2026-01-12,none,2026-04-13,,
003,1,2026-01-13,none,2026-04-14,,
004,2,2026-04-16,,,,
"""


def next_of(move: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What may be done on the day after the late toxicity, of which nobody knew when 004 entered."""
    script, table = folder / "pauses.dose", folder / "patients.csv"
    script.write_text(PAUSES + move, encoding="utf-8")
    table.write_text(PATIENTS, encoding="utf-8")
    assert run(["next", str(script), str(table), "--on", "2026-05-21", "--format", "json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_people_are_asked_after_a_late_toxicity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert next_of(ASKED, tmp_path, capsys)["action"] == "choose"


def test_a_late_toxicity_counts_from_the_day_on_which_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert next_of(COUNTED, tmp_path, capsys)["rules"] == ["late"]
    monkeypatch.setattr(Standing, "_moments_of", lambda self, grouped: [()] * len(grouped))
    assert next_of(COUNTED, tmp_path, capsys)["rules"] == ["go"]
