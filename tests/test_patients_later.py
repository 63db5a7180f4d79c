"""Toxicities in later cycles in the tables of a trial, and in its record."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from attrs import evolve

from doselang.cli import run
from doselang.conduct.conducted import Patient
from doselang.loading import load
from doselang.patients.reading import Tables, read_conducted
from doselang.patients.templates import templates
from doselang.protocol.model import Protocol
from doselang.resources import resource
from doselang.source import NOWHERE
from tests.kept import read

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
