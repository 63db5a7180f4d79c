"""Tables of patients: what is read, every fault with its row and column, and what is written and read back."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doselang.cli import formatting, run
from doselang.codes import CODES
from doselang.conduct.conducted import Conducted, Cycle, Decided, Patient
from doselang.diagnostics import Trouble, trouble
from doselang.loading import load_source
from doselang.machine.notation import MOST_PATIENTS
from doselang.patients.days import day_of, wrong_form
from doselang.patients.reading import MOST_FAULTS, Tables, read_conducted
from doselang.patients.sheets import Refused
from doselang.patients.templates import templates
from doselang.protocol.model import Protocol
from doselang.report.text import render_text
from doselang.report.trial_tables import trial_tables_record
from doselang.source import NOWHERE, Source

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "protocols").rglob("*.dose"))

SCRIPT = """\
protocol "A drug"
level -1
level 1
level 2A
level 2B
start at level 1
toxicity DLT  within 28 days
toxicity moderate  within 28 days  written M
verdict MTD
verdict RP2D as the result
part escalation
cohorts of 3
rule "on"
  when the cohort is complete
  then begin expansion at this level
part expansion
cohorts of 3
rule "done"
  when the cohort is complete
  then declare this level as RP2D, stop
patient course
event progression  written P
event refusal  written R
rule "on treatment"
  when no event
  then continue
state on-treatment
rule "off"
  when progression or refusal
  then enter off
state off  final
"""


def protocol_of(text: str) -> Protocol:
    loaded = load_source(Source("drug.dose", text), None)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


PROTOCOL = protocol_of(SCRIPT)
WITHOUT_COURSE = protocol_of(SCRIPT[: SCRIPT.index("patient course")])


def read(folder: Path, text: str | bytes, name: str = "patients.csv", **others: str) -> Tables:
    """What is read from a table, or from a map; `others` are the tables beside it, by name without the suffix."""
    for other, content in others.items():
        (folder / f"{other}.csv").write_text(content, encoding="utf-8", newline="")
    path = folder / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return read_conducted(str(path), PROTOCOL)


def said(tables: Tables) -> list[tuple[str, str]]:
    return [(item.code, item.message) for item in tables.diagnostics]


def conducted(tables: Tables) -> Conducted:
    """What was read, without places."""
    assert tables.conducted is not None, said(tables)
    found = tables.conducted
    return evolve(
        found,
        patients=tuple(evolve(one, place=NOWHERE) for one in found.patients),
        decisions=tuple(evolve(one, place=NOWHERE) for one in found.decisions),
        cycles=tuple(evolve(one, place=NOWHERE) for one in found.cycles),
    )


def refused(folder: Path, text: str | bytes, name: str = "patients.csv", **others: str) -> Trouble:
    with pytest.raises(Trouble) as raised:
        read(folder, text, name, **others)
    return raised.value


# ---- what is read ----


def test_the_outcomes_by_name_and_by_letter(tmp_path: Path) -> None:
    words = ("none", "N", "NONE", "DLT", "dlt", "T", "t", "moderate", "M", "inevaluable", "x", "X", "", ".", "pending")
    table = "patient,level,outcome\n" + "".join(f"P{n},1,{word}\n" for n, word in enumerate(words))
    assert "".join(one.outcome for one in conducted(read(tmp_path, table)).patients) == "NNNTTTTMMxxx..."


def test_the_levels_by_their_labels(tmp_path: Path) -> None:
    words = ("-1", "1", "2A", "2a", "level 2B", "Level  -1")
    table = "patient,level,outcome\n" + "".join(f"P{n},{word},N\n" for n, word in enumerate(words))
    assert [one.level for one in conducted(read(tmp_path, table)).patients] == [0, 1, 2, 2, 3, 0]


def test_columns_stand_in_any_order_and_spelling(tmp_path: Path) -> None:
    table = "Known ; OUTCOME;site;  entered;PART; level ;Patient\n2026-04-02;DLT;7;2026-03-05;Expansion;1;P1\n"
    tables = read(tmp_path, table)
    patient = Patient("P1", 1, 1, date(2026, 3, 5), "T", date(2026, 4, 2))
    assert conducted(tables) == Conducted((patient,), dated=True)
    assert tables.ignored == ("site",)


@pytest.mark.parametrize("heading", ["USUBJID", "SubjId"])
def test_a_name_of_the_data_standard_is_understood(tmp_path: Path, heading: str) -> None:
    assert conducted(read(tmp_path, f"{heading},level,outcome\nP1,1,N\n")).patients[0].name == "P1"


def test_of_two_names_for_the_patient_the_first_is_taken(tmp_path: Path) -> None:
    tables = read(tmp_path, "SUBJID,USUBJID,level,outcome\n1,X-1,1,N\n")
    assert conducted(tables).patients[0].name == "X-1"
    assert tables.ignored == ("SUBJID",)


def test_patients_are_in_the_order_of_entering_and_of_the_table(tmp_path: Path) -> None:
    rows = ("B,1,2026-03-02", "C,1,2026-03-01", "A,1,2026-03-02", "D,1,2026-03-01T23:59")
    found = conducted(read(tmp_path, "patient,level,entered,outcome\n" + "".join(f"{row},\n" for row in rows)))
    assert "".join(one.name for one in found.patients) == "CDBA"


def test_empty_rows_are_passed_over_and_counted(tmp_path: Path) -> None:
    tables = read(tmp_path, "\n,,\npatient,level,outcome\n\n,,\nP1,1,N\n , ,\nP2,7,N\n\n\n")
    assert said(tables) == [("DL803", "Row 8, column `level`: there is no level `7`.")]


def test_a_cell_of_several_lines_is_one_row(tmp_path: Path) -> None:
    tables = read(tmp_path, 'patient,level,note,outcome\nP1,1,"a\nb\n\nc",N\nP2,7,,N\n')
    assert said(tables) == [("DL803", "Row 3, column `level`: there is no level `7`.")]
    assert tables.source.place(tables.diagnostics[0].span.start) == (6, 4)


def test_what_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    found = conducted(read(tmp_path, 'patient,level,outcome\n=1+1,1,N\n"=HYPERLINK(""x"")",1,N\n-A,1,N\n@B,1,N\n'))
    assert [one.name for one in found.patients] == ["=1+1", '=HYPERLINK("x")', "-A", "@B"]


def test_headings_alone_are_a_trial_without_patients(tmp_path: Path) -> None:
    assert conducted(read(tmp_path, "patient,level,entered,outcome,known")) == Conducted(())


def test_a_patient_without_toxicity_needs_no_day_on_which_that_became_known(tmp_path: Path) -> None:
    table = "patient,level,entered,outcome,known\nP1,1,2026-03-01,N,\nP2,1,2026-03-01,x,\nP3,1,2026-03-01,,\n"
    assert [one.known for one in conducted(read(tmp_path, table)).patients] == [None, None, None]


def test_places_are_those_of_the_rows(tmp_path: Path) -> None:
    text = "patient,level,outcome\nP1,1,N\nP2,1,T\n"
    tables = read(tmp_path, text)
    assert tables.conducted is not None
    assert [tables.source.words(one.place) for one in tables.conducted.patients] == ["P1,1,N", "P2,1,T"]


# ---- faults ----

PLAIN, DATED = "patient,level,outcome\n", "patient,level,entered,outcome,known\n"
FAULTS: tuple[tuple[str, str, str, str], ...] = (
    # of cells
    (PLAIN + "P1,3,N\n", "DL803", "Row 2, column `level`: there is no level `3`.",
     "The levels are `-1`, `1`, `2A` and `2B`. Where a table calls them otherwise, a map says how, under"
     " [patients.levels]."),
    (PLAIN + "P1,1.0,N\n", "DL803", "Row 2, column `level`: there is no level `1.0`.", "Did you mean `1`?"),
    (PLAIN + "P1,01,N\n", "DL803", "Row 2, column `level`: there is no level `01`.", "Did you mean `1`?"),
    (PLAIN + "P1,−1,N\n", "DL803", "Row 2, column `level`: there is no level `−1`.", "Did you mean `-1`?"),
    (PLAIN + "P1,levle 2A,N\n", "DL803", "Row 2, column `level`: there is no level `levle 2A`.",
     "Did you mean `level 2A`?"),
    (PLAIN + "P1,,N\n", "DL803", "Row 2, column `level`: the level is missing.", "The levels are"),
    (PLAIN + ",1,N\n", "DL803", "Row 2, column `patient`: a patient has no name.", "Give each patient a name"),
    (PLAIN + "P\x071,1,N\n", "DL803",
     "Row 2, column `patient`: the name of a patient holds a sign that cannot be seen, U+0007.", "Write the name anew"),
    (PLAIN + '"P\n1",1,N\n', "DL803", "Row 2, column `patient`: the name of a patient holds a line break.", "Write"),
    (PLAIN + f"{'P' * 101},1,N\n", "DL803",
     "Row 2, column `patient`: the name of a patient has more than 100 signs.", "Is a quotation mark misplaced?"),
    (PLAIN + "P1,1,tox\n", "DL803", "Row 2, column `outcome`: there is no outcome `tox`.",
     "Write none, DLT, moderate or inevaluable, and nothing while it is not known. Where a table has codes, a map says"
     " what they mean, under [patients.outcomes]."),
    (PLAIN + "P1,1,moderat\n", "DL803", "Row 2, column `outcome`: there is no outcome `moderat`.",
     "Did you mean `moderate`?"),
    (PLAIN + "P1,1,n\n", "DL803",
     "Row 2, column `outcome`: `n` could be no toxicity, or pending and clear so far as in a history.", "Write none"),
    ("patient,level,part,outcome\nP1,1,escalaton,N\n", "DL803",
     "Row 2, column `part`: there is no part `escalaton`.", "Did you mean `escalation`?"),
    ("patient,level,part,outcome\nP1,1,A,N\n", "DL803", "Row 2, column `part`: there is no part `A`.",
     "The parts are `escalation` and `expansion`."),
    # of dates
    (DATED + "P1,1,03/04/2026,N,\n", "DL804", "Row 2, column `entered`: `03/04/2026` could be 3 April or 4 March.",
     "Write 2026-04-03 or 2026-03-04, or say in a map how all dates are written, for example: date-format"
     ' = "%d/%m/%Y".'),
    (DATED + "P1,1,,N,\nP2,1,2026-03-01,N,\n", "DL804",
     "Row 2, column `entered`: this patient has no day of entering, and others have.",
     "Give the day of the first dose of every patient, or of none."),
    (DATED + "P1,1,2026-03-01,M,\n", "DL804",
     "Row 2, column `known`: the day on which the outcome moderate became known is missing.",
     "In a table with days every toxicity has one, in a column `known`."),
    (DATED + "P1,1,,T,2026-03-01\n", "DL804",
     "Row 2, column `known`: there is a day on which an outcome became known, and no patient has a day of entering.",
     "Give the day of the first dose of every patient in a column `entered`, or no days at all."),
    # contradictions
    (PLAIN + "P1,1,N\nP2,1,N\np1,1,T\n", "DL805", "Row 4, column `patient`: patient `p1` is in row 2 already.",
     "A patient has one row; letter case makes no difference."),
    (DATED + "P1,1,2026-03-02,T,2026-03-01\n", "DL805",
     "Row 2, column `known`: the outcome became known on 2026-03-01, before the first dose on 2026-03-02.",
     "Is one of the two days wrong?"),
    (DATED + "P1,1,2026-03-02,,2026-03-05\n", "DL805",
     "Row 2, column `known`: the outcome is not known yet, and there is a day on which it became known.",
     "Write the outcome, or leave the day empty."),
    # columns
    ("patient,levl,outcome\nP1,1,N\n", "DL802", "Row 1: there is no column `levl`.", "Did you mean `level`?"),
    (DATED.replace("known", "knwon") + "P1,1,2026-03-01,N,\n", "DL802", "Row 1: there is no column `knwon`.",
     "Did you mean `known`?"),
    ("patient,level,Level,outcome\nP1,1,1,N\n", "DL802", "Row 1: the column `level` is there twice.",
     "Leave one out, or rename it."),
    ("site,dose\nA,1\n", "DL802", "Row 1: the columns are missing: `patient`, `level` and `outcome`.",
     "A table of patients has the columns `patient`, `level` and `outcome`; `part`, `entered` and `known` may be left"
     " out. Where they have other names, a map says which is which."),
    ("\npatient,level\nA,1\n", "DL802", "Row 2: the column is missing: `outcome`.", "A table of patients has"),
    # tables
    (PLAIN + "P1,1\n", "DL801", "Row 2 has 2 cells, and there are 3 headings.", "A cell that holds the separator"),
    (PLAIN + "P1,1,N,\n", "DL801", "Row 2 has 4 cells, and there are 3 headings.", "A cell that holds the separator"),
    (PLAIN + "P1\n", "DL801", "Row 2 has 1 cell, and there are 3 headings.", "A cell that holds the separator"),
    (PLAIN + 'P1,1,N\n"P2,1,N\nP3,1,N\n', "DL801", "Row 3: a quotation mark is opened and not closed.",
     'A cell begins and ends with a quotation mark, or has none at its ends; inside, a mark is written twice: "".'),
    (PLAIN + 'P1,1,N\n"P2"a,1,N\n', "DL801", "Row 3: a cell goes on after its closing quotation mark.",
     "A cell begins"),
    (PLAIN + f"P1,1,{'N' * 140_000}\n", "DL801", "Row 2: a cell does not end; is a quotation mark left open?",
     "A cell begins"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "code", "message", "help"), FAULTS, ids=lambda one: one if one[:2] == "DL" else "")
def test_a_fault_is_told_with_row_and_column(tmp_path: Path, text: str, code: str, message: str, help: str) -> None:
    tables = read(tmp_path, text)
    assert tables.conducted is None
    assert said(tables) == [(code, message)]
    assert (tables.diagnostics[0].help or "").startswith(help)


def test_a_date_is_refused_with_its_own_sentence() -> None:
    for cell, sentence, help in DATES:
        refused = day_of(cell)
        assert isinstance(refused, Refused), cell
        assert refused.why == f"`{' '.join(cell.split())}` {sentence}"
        assert (refused.help or "").startswith(help), (cell, refused.help)


OTHER_WAY = "is not written like 2026-03-01"
PART = "is a part of a date, and the day must be known"
DATES = (
    ("3.4.2026", "could be 3 April or 4 March", "Write 2026-04-03 or 2026-03-04, or say in a map how all dates are"
     ' written, for example: date-format = "%d.%m.%Y".'),
    ("03-04-2026", "could be 3 April or 4 March", "Write 2026-04-03 or 2026-03-04"),
    ("13/04/2026", OTHER_WAY, "Write 2026-04-13, or say in a map how all dates are written, for example: date-format"
     ' = "%d/%m/%Y".'),
    ("04/13/2026", OTHER_WAY, 'Write 2026-04-13, or say in a map how all dates are written, for example: date-format'
     ' = "%m/%d/%Y".'),
    ("03/03/2026", OTHER_WAY, "Write 2026-03-03,"),
    ("13/13/2026", "is no day of the calendar", "Write a day like 2026-03-01."),
    ("31/04/2026", "is no day of the calendar", "Write a day like 2026-03-01."),
    ("2026/03/01", OTHER_WAY, "Write 2026-03-01, or"),
    ("2026-3-1", OTHER_WAY, "Write 2026-03-01, or"),
    ("20260301", OTHER_WAY, 'Write 2026-03-01, or say in a map how all dates are written, for example: date-format'
     ' = "%Y%m%d".'),
    ("01MAR2026", OTHER_WAY, 'Write 2026-03-01, or say in a map how all dates are written, for example: date-format'
     ' = "%d%b%Y".'),
    ("1 March 2026", OTHER_WAY, 'Write 2026-03-01, or say in a map how all dates are written, for example:'
     ' date-format = "%d %B %Y".'),
    ("March 1, 2026", OTHER_WAY, 'Write 2026-03-01, or say in a map how all dates are written, for example:'
     ' date-format = "%B %d, %Y".'),
    ("2026/3-1", OTHER_WAY, "Write 2026-03-01."),
    ("31FEB2026", "is no day of the calendar", "Write a day"),
    ("01MRZ2026", "is no date", "Write a day like 2026-03-01, or"),
    ("01/03/26", "has a year of two digits", "Write the year with four digits, like 2026-03-01."),
    ("01-Mar-26", "has a year of two digits", "Write the year"),
    ("26-03-01", "has a year of two digits", "Write the year"),
    ("46082", "is a number, as a spreadsheet counts days (2026-03-01 in most of them)", "Format the column as a date"),
    ("46082.5", "is a number, as a spreadsheet counts days (2026-03-01 in most of them)", "Format the column"),
    ("2026-03", PART, "Write year, month and day"),
    ("2026", PART, "Write year, month and day"),
    ("2026---15", PART, "Write year, month and day"),
    ("2026-03-UN", PART, "Write year, month and day"),
    ("2026-UNK", PART, "Write year, month and day"),
    ("2026-02-30", "is no day: February 2026 has 28 days", "Correct the day"),
    ("2026-00-10", "is no day: there is no month 0", "Correct the day"),
    ("2026-13-10", "is no day: there is no month 13", "Correct the day"),
    ("0000-03-01", "is no day: there is no year 0", "Correct the day"),
    ("0206-03-01", "is in the year 206", "A day of a trial is in the years 1900 to 2199"),
    ("2026-03-01T25:00", "has a time that is none", "Write the day alone, 2026-03-01, or a time such as"),
    ("2026-03-01T9:30", "has a time that is none", "Write the day alone"),
    ("2026-03-01T", "has a time that is none", "Write the day alone"),
    ("2026-03-01x", "is no date", "Write a day"),
    (f"1{' ' * 90}x", "is no date", "Write a day"),
    ("yesterday", "is no date", "Write a day like 2026-03-01, or"),
    ("１９９９-01-01", "is no date", "Write a day"),
)  # fmt: skip


@pytest.mark.parametrize(
    "time", ["T09", "T09:30", "T09:30:15", "T09:30:15.123", "T09:30Z", "T23:59+01:00", " 00:00:00"]
)
def test_a_day_may_have_a_time(time: str) -> None:
    assert day_of(f"2026-03-01{time}") == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("form", "cell", "found"),
    [
        ("%d%b%Y", "01MAR2026", date(2026, 3, 1)),
        ("%d%b%Y", "1mar2026", date(2026, 3, 1)),
        ("%d/%m/%Y", "3/4/2026", date(2026, 4, 3)),
        ("%m/%d/%Y", "03/04/2026", date(2026, 3, 4)),
        ("%d.%m.%y", "03.04.26", date(2026, 4, 3)),
        ("%d%b%Y:%H:%M:%S", "01MAR2026:09:30:00", date(2026, 3, 1)),
        ("%Y%j", "2026060", date(2026, 3, 1)),
        ("%d%m%Y", "01032026", date(2026, 3, 1)),
        ("%d%m%Y", "1112026", None),
        ("%d/%m/%Y", "2026-03-01", None),
        ("%d/%m/%Y", "31/02/2026", None),
        ("%d%b%Y", "01MRZ2026", None),
    ],
)
def test_a_map_may_say_how_dates_are_written(form: str, cell: str, found: date | None) -> None:
    assert wrong_form(form) is None
    read_as = day_of(cell, form)
    if found is not None:
        assert read_as == found
    else:
        assert isinstance(read_as, Refused)
        assert read_as.why == f"`{cell}` is not written as the map's date-format `{form}` says"


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("%d%b", "`%d%b` does not give year, month and day"),
        ("%m/%Y", "`%m/%Y` does not give year, month and day"),
        ("%d%d%m%Y", "`%d%d%m%Y` gives a part of the date twice"),
        ("%d%m%b%Y", "`%d%m%b%Y` gives a part of the date twice"),
        ("%d%j%Y", "`%d%j%Y` gives a part of the date twice"),
        ("%Q%d%m%Y", "`%Q%d%m%Y` holds `%Q`, which is no part of a date here"),
        ("%d%m%Y%", "`%d%m%Y%` holds `%`, which is no part of a date here"),
        ("yyyy-mm-dd", "`yyyy-mm-dd` does not give year, month and day"),
    ],
)
def test_a_form_of_dates_that_tells_no_day_is_refused(form: str, why: str) -> None:
    found = wrong_form(form)
    assert found is not None and found.why == why


def test_all_faults_of_a_table_are_told_in_one_run(tmp_path: Path) -> None:
    tables = read(tmp_path, DATED + "P1,9,2026-02-30,tox,2026-03\n,1,2026-03-01,N,\nP1,1,2026-03-01,N\n")
    assert [code for code, _ in said(tables)] == ["DL803", "DL804", "DL803", "DL804", "DL803", "DL801"]


def test_of_many_faults_the_first_are_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    tables = read(tmp_path, PLAIN + "".join(f"P{n},9,N\n" for n in range(57)))
    assert len(tables.diagnostics) == MOST_FAULTS + 1 and tables.faults == 57
    assert said(tables)[-1] == ("DL704", "And 37 more faults are not told.")


def test_as_many_faults_as_are_told_are_told(tmp_path: Path) -> None:
    tables = read(tmp_path, PLAIN + "".join(f"P{n},9,N\n" for n in range(MOST_FAULTS)))
    assert [code for code, _ in said(tables)] == ["DL803"] * MOST_FAULTS


@pytest.mark.parametrize(
    ("headings", "words"),
    [
        ("patient,level;outcome", "commas and semicolons"),
        ("patient\tlevel,outcome", "commas and tabs"),
        ("patient;level\toutcome,part", "commas, semicolons and tabs"),
    ],
)
def test_unclear_separators_are_refused(tmp_path: Path, headings: str, words: str) -> None:
    ((code, message),) = said(read(tmp_path, f"{headings}\nP1,1,N\n"))
    assert code == "DL801"
    assert message.endswith(f": The headings hold {words}, so it is not clear what stands between the columns.")


def test_a_heading_in_quotation_marks_may_hold_a_separator(tmp_path: Path) -> None:
    tables = read(tmp_path, 'patient;level;outcome;"dose, mg"\nP1;1;N;"1,5"\n')
    assert len(conducted(tables).patients) == 1 and tables.ignored == ("dose, mg",)


@pytest.mark.parametrize("text", ["", "\n\n", " \n", ",,\n"])
def test_an_empty_table_is_said_to_be_empty(tmp_path: Path, text: str) -> None:
    ((code, message),) = said(read(tmp_path, text))
    assert code == "DL801" and message.endswith("patients.csv is empty.")


# ---- files ----


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    for content, sentence in (
        ("patient".encode("utf-16"), "is written in UTF-16 or UTF-32, not in UTF-8."),
        (b"PK\x03\x04\x00\x00", "is not a text file: it holds binary data."),
        ("patient,level,outcome\nP1,1,N\nJürg,1,N\n".encode("cp1252"),
         "is not written in UTF-8: row 3 has a character of another encoding."),
    ):  # fmt: skip
        found = refused(tmp_path, content)
        assert found.diagnostic.code == "DL902" and found.diagnostic.message.endswith(sentence)
        assert "CSV UTF-8" in (found.diagnostic.help or "")


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("patients.csv", 11 << 20, "is larger than 10 MiB: no table of a phase I trial is that long."),
        ("trial.toml", 65 << 10, "is larger than 64 KiB: no map is that long."),
    ],
)
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, name: str, size: int, words: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(size)
    with pytest.raises(Trouble) as raised:
        read_conducted(str(tmp_path / name), PROTOCOL)
    assert raised.value.diagnostic.code == "DL704" and raised.value.diagnostic.message.endswith(words)


def test_a_table_of_as_many_patients_as_there_may_be_is_read(tmp_path: Path) -> None:
    assert len(conducted(read(tmp_path, _long(MOST_PATIENTS))).patients) == MOST_PATIENTS


def test_a_long_table_is_refused_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    found = refused(tmp_path, _long(100_000))
    assert time.monotonic() - began < 10
    assert found.diagnostic.code == "DL704"
    assert found.diagnostic.message.endswith("has more than 1,000 patients.")


def _long(rows: int) -> str:
    return PLAIN + "".join(f"P{n},level {n % 9},tox\n" if rows > MOST_PATIENTS else f"P{n},1,N\n" for n in range(rows))


def test_a_table_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, PLAIN.strip() + "".join(f",c{n}" for n in range(1_000)))
    assert found.diagnostic.code == "DL704" and found.diagnostic.message.endswith("has more than 1,000 columns.")


# ---- maps ----

MAP = """\
date-format = "%d%b%Y"
[patients]
file = "adsl.csv"
patient = "USUBJID"
level = "DOSELVL"
entered = "TRTSDT"
dlt = "DLTFL"
known = "DLTDT"
evaluable = "DLTEVLFL"
[patients.levels]
"420 mg / 10 mg" = "1"
"420 mg / 15 mg" = "level 2A"
[decisions]
file = "decisions.csv"
[cycles]
file = "cycles.csv"
"""
ADSL = """\
STUDYID,USUBJID,DOSELVL,TRTSDT,DLTFL,DLTDT,DLTEVLFL
X,01-001,420 mg / 10 mg,01MAR2026,N,,Y
X,01-002,420 MG / 10 MG,02MAR2026,N,,N
X,01-003,420 mg / 15 mg,02APR2026,Y,11APR2026,Y
X,01-004,2b,02APR2026,,,
"""
DECISIONS = """\
date,what,level,verdict,option,by
01MAY2026,declared,420 mg / 10 mg,,,DMC
02MAY2026,declared,none,mtd,,
02MAY2026,closed,2B,,,
03MAY2026,chosen,,,2,committee
04MAY2026,stopped,,,,
"""
CYCLES = """\
patient,cycle,level,events
01-003,2,1,P;R
01-003,1,2A,refusal
01-001,1,1,.
01-001,2,1,
"""


def mapped(folder: Path, text: str = MAP, **others: str) -> Tables:
    return read(folder, text, "trial.toml", **({"adsl": ADSL, "decisions": DECISIONS, "cycles": CYCLES} | others))


def test_a_map_names_tables_columns_and_codes(tmp_path: Path) -> None:
    tables = mapped(tmp_path)
    assert conducted(tables) == Conducted(
        (
            Patient("01-001", 1, None, date(2026, 3, 1), "N"),
            Patient("01-002", 1, None, date(2026, 3, 2), "x"),
            Patient("01-003", 2, None, date(2026, 4, 2), "T", date(2026, 4, 11)),
            Patient("01-004", 3, None, date(2026, 4, 2), "."),
        ),
        (
            Decided("declared", date(2026, 5, 1), 1, 1, None, "DMC"),
            Decided("declared", date(2026, 5, 2), None, 0),
            Decided("closed", date(2026, 5, 2), 3),
            Decided("chosen", date(2026, 5, 3), None, None, 1, "committee"),
            Decided("stopped", date(2026, 5, 4)),
        ),
        (
            Cycle("01-001", 1, 1),
            Cycle("01-001", 2, 1),
            Cycle("01-003", 1, 2, (1,)),
            Cycle("01-003", 2, 1, (0, 1)),
        ),
        dated=True,
    )
    assert tables.ignored == ("STUDYID",)


def test_places_in_several_tables(tmp_path: Path) -> None:
    tables = mapped(tmp_path)
    assert tables.conducted is not None
    source, found = tables.source, tables.conducted
    assert source.words(found.patients[0].place).startswith("X,01-001")
    assert source.words(found.decisions[-1].place) == "04MAY2026,stopped,,,,"
    assert source.words(found.cycles[0].place) == "01-001,1,1,."
    assert Path(source.path_of(found.cycles[0].place.start)).name == "cycles.csv"


def test_a_map_may_name_the_table_of_patients_alone(tmp_path: Path) -> None:
    found = conducted(read(tmp_path, '[patients]\nfile = "patients.csv"\n', "trial.toml", patients=PLAIN + "P1,1,N\n"))
    assert found == Conducted((Patient("P1", 1, outcome="N"),))


def test_without_a_map_other_tables_are_not_looked_for(tmp_path: Path) -> None:
    found = conducted(read(tmp_path, PLAIN, decisions="nonsense", cycles="nonsense"))
    assert found == Conducted(())


def test_an_outcome_by_codes(tmp_path: Path) -> None:
    text = '[patients]\nfile = "p.csv"\n[patients.outcomes]\n"Y" = "DLT"\n"N" = "moderate"\n"not done" = "pending"\n'
    table = PLAIN + "P1,1,y\nP2,1,N\nP3,1,Not Done\nP4,1,none\n"
    found = conducted(read(tmp_path, text, "trial.toml", p=table))
    assert "".join(one.outcome for one in found.patients) == "TM.N"


def test_flags_with_codes_of_their_own(tmp_path: Path) -> None:
    text = '[patients]\nfile = "p.csv"\ndlt = "D"\n[patients.outcomes]\n"1" = "DLT"\n"0" = "none"\n'
    found = conducted(read(tmp_path, text, "trial.toml", p="patient,level,d\nP1,1,1\nP2,1,0\nP3,1,\nP4,1,Yes\n"))
    assert "".join(one.outcome for one in found.patients) == "TN.T"


def test_a_column_that_the_map_says_is_not_there_is_not_read(tmp_path: Path) -> None:
    text = '[patients]\nfile = "p.csv"\npart = ""\n'
    tables = read(tmp_path, text, "trial.toml", p="patient,level,part,outcome\nP1,1,A,N\n")
    assert conducted(tables).patients == (Patient("P1", 1, outcome="N"),)
    assert tables.ignored == ("part",)


WRONG_MAPS: tuple[tuple[str, str, str, str, str], ...] = (
    # what is replaced in the map, by what; the code, the message, the beginning of the help
    ("evaluable =", "evaluabel =", "DL806", "The key `evaluabel` in [patients] of the map is unknown.",
     "Did you mean `evaluable`?"),
    ("date-format", "dates", "DL806", "The key `dates` of the map is unknown.", "There are `date-format`, `patients`"),
    ("[decisions]", "[decision]", "DL806", "The key `decision` of the map is unknown.", "Did you mean `decisions`?"),
    ("[patients]\n", "[people]\n", "DL806", "", ""),
    ('"%d%b%Y"', '"%d%b"', "DL806", "`date-format` cannot be: `%d%b` does not give year, month and day.",
     "For example"),
    ('"%d%b%Y"', "2", "DL806", "`date-format` is no text in quotation marks.", "For example"),
    ('file = "adsl.csv"\n', "", "DL806", "`patients` names no file.", 'For example: file = "patients.csv"'),
    ('"adsl.csv"', '"data/adsl.csv"', "DL806",
     "`file` is `data/adsl.csv`, which is not a file beside the map.", "Put the table beside the map"),
    ('"adsl.csv"', "7", "DL806", "`file` is no text in quotation marks.", "For example"),
    ('level = "DOSELVL"', "level = 7", "DL806", "`level` is no text in quotation marks.", "Write the heading"),
    ("evaluable = ", 'outcome = "DLTFL"\nevaluable = ', "DL806",
     "`dlt` and `outcome` both say what became of a patient.", "Leave one out"),
    ('"level 2A"', '"3"', "DL806", "`420 mg / 15 mg` cannot be: there is no level `3`.", "The levels are"),
    ('= "1"', "= 1", "DL806", "`420 mg / 10 mg` is given no text in quotation marks.",
     'Write what it means in quotation marks: "420 mg / 10 mg" = "1"'),
    ('"420 mg / 15 mg"', '"420 MG / 10 MG"', "DL806",
     "`420 MG / 10 MG` is there twice in [patients.levels].", "Leave one out"),
    ('[patients.levels]\n"420 mg / 10 mg" = "1"\n"420 mg / 15 mg" = "level 2A"\n', "levels = 3\n", "DL806",
     "`levels` is a section of codes.", "Write [patients.levels] on a line of its own"),
    ('[cycles]\nfile = "cycles.csv"', "", "", "", ""),
    ('"DOSELVL"', '"DOSLVL"', "DL802",
     "adsl.csv has no column `DOSLVL`, which is to be its `level`.", "Did you mean `DOSELVL`?"),
    ('"DOSELVL"', '"AGE"', "DL802", "adsl.csv has no column `AGE`, which is to be its `level`.",
     "Its columns are `STUDYID`, `USUBJID`"),
    ('"DLTEVLFL"', '"OK"', "DL802", "adsl.csv has no column `OK`, which is to be its `evaluable`.",
     "Its columns are `STUDYID`, `USUBJID`, `DOSELVL`, `TRTSDT`, `DLTFL`, `DLTDT` and `DLTEVLFL`. If it has none for"
     " this, take the line out of the map."),
    ('level = "DOSELVL"', 'level = ""', "DL802", "Row 1: the column is missing: `level`.", "A table of patients has"),
    ('"USUBJID"\n', '"USUBJID\n', "DL801", "The map trial.toml is not TOML: illegal character '\\n'.",
     "For example: [patients] on one line"),
)  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "message", "help"), WRONG_MAPS)
def test_a_wrong_map_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, code: str, message: str, help: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert old in MAP
    tables = mapped(Path(), MAP.replace(old, new))
    if not code:
        assert tables.conducted is not None
    elif message:
        assert said(tables) == [(code, message)]
        assert (tables.diagnostics[0].help or "").startswith(help)
    else:
        assert code in [item.code for item in tables.diagnostics]


def test_a_fault_of_a_map_has_its_line(tmp_path: Path) -> None:
    for old, new, line in (("evaluable =", "evaluabel =", 9), ('"level 2A"', '"3"', 12), ("[cycles]", "[cycle]", 15)):
        tables = mapped(tmp_path, MAP.replace(old, new))
        assert tables.source.place(tables.diagnostics[0].span.start) == (line, 1)


def test_a_map_without_patients_is_told(tmp_path: Path) -> None:
    assert said(read(tmp_path, "", "trial.toml")) == [("DL806", "The map names no table of patients.")]


def test_cycles_need_a_course(tmp_path: Path) -> None:
    mapped(tmp_path)
    tables = read_conducted(str(tmp_path / "trial.toml"), WITHOUT_COURSE)
    sentence = "`cycles` names a table of cycles, and the protocol has no course of a patient."
    assert said(tables) == [("DL806", sentence)]


def test_a_table_that_a_map_names_must_be_there_and_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    map_text = '[patients]\nfile = "p.csv"\n'
    assert refused(folder, map_text, "trial.toml").diagnostic.code == "DL901"
    (tmp_path / "elsewhere.csv").write_text(PLAIN)
    (folder / "p.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert "leads outside the folder of the map" in refused(folder, map_text, "trial.toml").diagnostic.message
    assert refused(folder, '[patients]\nfile = "a\\u0000b"\n', "trial.toml").diagnostic.code == "DL901"


FLAGS = (
    ("Y,11APR2026,N", "DL805", "Row 2, column `DLTEVLFL`: the patient has the outcome DLT, and is marked as not"
     " evaluable."),
    ("Y,,Y", "DL804", "Row 2, column `DLTDT`: the day on which the outcome DLT became known is missing."),
    ("N,11APR2026,Y", "DL805", "Row 2, column `DLTDT`: the patient has no DLT, and there is a day on which it became"
     " known."),
    (",11APR2026,", "DL805", "Row 2, column `DLTDT`: the patient has no DLT, and there is a day on which it became"
     " known."),
    (",,Y", "DL803", "Row 2, column `DLTFL`: the patient is evaluable, and the outcome is missing."),
    ("N,,", "DL803", "Row 2, column `DLTEVLFL`: it is not said whether this patient, who has no toxicity, is"
     " evaluable."),
    ("1,,Y", "DL803", "Row 2, column `DLTFL`: `1` is neither Y nor N."),
    ("N,,maybe", "DL803", "Row 2, column `DLTEVLFL`: `maybe` is neither Y nor N."),
)  # fmt: skip


@pytest.mark.parametrize(("cells", "code", "message"), FLAGS)
def test_flags_that_contradict_each_other(tmp_path: Path, cells: str, code: str, message: str) -> None:
    adsl = f"USUBJID,DOSELVL,TRTSDT,DLTFL,DLTDT,DLTEVLFL\nP1,1,01APR2026,{cells}\n"
    assert said(mapped(tmp_path, adsl=adsl, cycles="patient,cycle,level,events\n")) == [(code, message)]


def test_a_map_may_say_that_an_empty_flag_means_none(tmp_path: Path) -> None:
    text = MAP.replace("[decisions]", '[patients.outcomes]\n"" = "none"\n[decisions]')
    adsl = "USUBJID,DOSELVL,TRTSDT,DLTFL,DLTDT,DLTEVLFL\n01-001,1,01APR2026,,,Y\n01-003,1,01APR2026,,,N\n"
    assert "".join(one.outcome for one in conducted(mapped(tmp_path, text, adsl=adsl)).patients) == "Nx"


def test_an_inevaluable_patient_is_not_evaluable(tmp_path: Path) -> None:
    text = '[patients]\nfile = "p.csv"\nevaluable = "e"\n'
    tables = read(tmp_path, text, "trial.toml", p="patient,level,outcome,e\nP1,1,x,N\nP2,1,x,\nP3,1,x,Y\n")
    message = "Row 4, column `e`: the patient is inevaluable, and is marked as evaluable."
    assert said(tables) == [("DL805", message)]


# ---- decisions and cycles ----

WRONG_DECISIONS = (
    ("01MAY2026,declard,1,,,", "DL803", "column `what`: `declard` is no decision.", "Did you mean `declared`?"),
    ("01MAY2026,,1,,,", "DL803", "column `what`: it is not said what was decided.", "It is `chosen`, `declared`,"),
    (",stopped,,,,", "DL804", "column `date`: the day of the decision is missing.", "Where the patients have days"),
    (
        "2026-05-01,stopped,,,,",
        "DL804",
        "column `date`: `2026-05-01` is not written as the map's date-format `%d%b%Y` says.",
        "A day is written like 01Mar2026",
    ),
    ("01MAY2026,declared,,,,", "DL803", "column `level`: the level is missing.", "Write the level that was declared"),
    ("01MAY2026,declared,1,MTF,,", "DL803", "column `verdict`: there is no verdict `MTF`.", "Did you mean `MTD`?"),
    (
        "01MAY2026,declared,1,dose,,",
        "DL803",
        "column `verdict`: there is no verdict `dose`.",
        "The verdicts are `MTD` and `RP2D`.",
    ),
    ("01MAY2026,closed,none,,,", "DL803", "column `level`: there is no level `none`.", "The levels are"),
    ("01MAY2026,closed,,,,", "DL803", "column `level`: the level is missing.", "The levels are"),
    ("01MAY2026,closed,1,MTD,,", "DL803", "column `verdict`: `closed` takes `level` alone.", "Leave the cell empty"),
    ("01MAY2026,stopped,1,,,", "DL803", "column `level`: `stopped` stands alone.", "Leave the cell empty"),
    ("01MAY2026,chosen,,,0,", "DL803", "column `option`: `0` is not a number from 1 on.", ""),
    ("01MAY2026,chosen,,,,", "DL803", "column `option`: the number is missing.", ""),
    ("01MAY2026,chosen,9,,1,", "DL803", "column `level`: there is no level `9`.", "The levels are"),
)


@pytest.mark.parametrize(("row", "code", "message", "help"), WRONG_DECISIONS)
def test_a_wrong_decision_is_told(tmp_path: Path, row: str, code: str, message: str, help: str) -> None:
    tables = mapped(tmp_path, decisions=f"date,what,level,verdict,option,by\n{row}\n")
    assert said(tables) == [(code, f"Row 2, {message}")]
    assert (tables.diagnostics[0].help or "").startswith(help)


def test_decisions_are_in_the_order_of_their_days(tmp_path: Path) -> None:
    table = "date,what,level\n03MAY2026,closed,2A\n01MAY2026,closed,2B\n03MAY2026,closed,-1\n"
    found = conducted(mapped(tmp_path, decisions=table))
    assert [one.level for one in found.decisions] == [3, 2, 0]


WRONG_CYCLES = (
    ("01-009,1,1,", "DL803", "Row 2, column `patient`: the table of patients has no patient `01-009`."),
    (",1,1,", "DL803", "Row 2, column `patient`: the patient is missing."),
    ("01-001,one,1,", "DL803", "Row 2, column `cycle`: `one` is not a number from 1 on."),
    ("01-001,1,7,", "DL803", "Row 2, column `level`: there is no level `7`."),
    ("01-001,1,1,P Q", "DL803", "Row 2, column `events`: there is no event `Q`."),
    ("01-001,2,1,", "DL805", "Cycle 1 of patient `01-001` is missing, and cycle 2 is there."),
    ("01-001,1,1,\n01-001,3,1,", "DL805", "Cycle 2 of patient `01-001` is missing, and cycle 3 is there."),
    ("01-001,1,1,\n01-001,1,1,P", "DL805", "Cycle 1 of patient `01-001` is there twice."),
)


@pytest.mark.parametrize(("rows", "code", "message"), WRONG_CYCLES)
def test_a_wrong_cycle_is_told(tmp_path: Path, rows: str, code: str, message: str) -> None:
    assert said(mapped(tmp_path, cycles=f"patient,cycle,level,events\n{rows}\n")) == [(code, message)]


def test_faults_of_all_tables_are_told_in_one_run(tmp_path: Path) -> None:
    tables = mapped(
        tmp_path,
        adsl=ADSL.replace(",2b,", ",7,"),
        decisions=DECISIONS.replace("closed", "close"),
        cycles=CYCLES + "Z,1,1,",
    )
    assert [code for code, _ in said(tables)] == ["DL803"] * 3
    files = [Path(tables.source.path_of(item.span.start)).name for item in tables.diagnostics]
    assert files == ["adsl.csv", "decisions.csv", "cycles.csv"]


def test_an_empty_table_beside_faulty_ones_is_told(tmp_path: Path) -> None:
    tables = mapped(tmp_path, adsl=ADSL.replace(",2b,", ",7,"), decisions="", cycles="\n")
    assert [code for code, _ in said(tables)] == ["DL803", "DL801", "DL801"]
    assert render_text(tables.diagnostics, tables.source).count("is empty.") == 2


# ---- what is written is read back ----

DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))
SIGNS = st.characters(exclude_categories=("C", "Z"), include_characters=' ,;"')
NAMES = st.text(SIGNS, min_size=1, max_size=12).map(str.strip).filter(lambda name: name and name.isprintable())
FORMS = ("%Y-%m-%d", "%d%b%Y", "%d/%m/%Y", "%m-%d-%Y", "%d%m%Y")


def _folded(name: str) -> str:
    return " ".join(name.split()).lower()


@st.composite
def patients(draw: st.DrawFn, dated: bool) -> Patient:
    outcome = draw(st.sampled_from("NTMx."))
    entered = draw(DAYS) if dated else None
    known = None
    if entered is not None and (outcome in "TM" or (outcome in "Nx" and draw(st.booleans()))):
        known = entered + timedelta(draw(st.integers(0, 90)))
    part = draw(st.sampled_from([None, 0, 1]))
    return Patient(draw(NAMES), draw(st.integers(0, 3)), part, entered, outcome, known)


@st.composite
def decisions(draw: st.DrawFn, dated: bool) -> Decided:
    on = draw(DAYS) if dated else None
    level, by = draw(st.integers(0, 3)), draw(st.sampled_from(["", "DMC", 'the "board"; all']))
    return draw(
        st.sampled_from(
            [
                Decided("closed", on, level, by=by),
                Decided("stopped", on, by=by),
                Decided("declared", on, draw(st.sampled_from([None, level])), draw(st.integers(0, 1)), by=by),
                Decided("chosen", on, draw(st.sampled_from([None, level])), option=draw(st.integers(0, 9)), by=by),
            ]
        )
    )


@st.composite
def trials(draw: st.DrawFn) -> Conducted:
    dated = draw(st.booleans())
    people = draw(st.lists(patients(dated), max_size=8, unique_by=lambda one: _folded(one.name)))
    dated = dated and bool(people)
    taken = draw(st.lists(decisions(dated), max_size=4))
    cycles = [
        Cycle(one.name, number, draw(st.integers(0, 3)), draw(st.sampled_from([(), (0,), (1,), (0, 1)])))
        for one in people
        for number in range(1, draw(st.integers(0, 3)) + 1)
    ]
    return Conducted(tuple(people), tuple(taken), tuple(cycles), dated)


def _in_order(trial: Conducted) -> Conducted:
    """The trial as it is read: by days, and in the order of the table; cycles in the order of the table."""
    rows = [patient.name for patient in trial.patients]
    people, taken = list(trial.patients), list(trial.decisions)
    if trial.dated:
        people.sort(key=lambda one: one.entered or date.min)
        taken.sort(key=lambda one: one.on or date.min)
    cycles = sorted(trial.cycles, key=lambda one: (rows.index(one.patient), one.number))
    return Conducted(tuple(people), tuple(taken), tuple(cycles), trial.dated)


def _day(day: date | None, form: str) -> str:
    return "" if day is None else day.strftime(form)


def _tables(trial: Conducted, form: str) -> dict[str, list[list[str]]]:
    """The tables of a trial as rows of cells, the headings first."""
    labels = [level.label for level in PROTOCOL.levels]
    words = {"N": "none", "T": "DLT", "M": "M", "x": "inevaluable", ".": ""}
    parts = {None: "", 0: "escalation", 1: "Expansion"}
    return {
        "patients": [
            ["patient", "level", "part", "entered", "outcome", "known"],
            *(
                [one.name, labels[one.level], parts[one.part], _day(one.entered, form), words[one.outcome],
                 _day(one.known, form)]
                for one in trial.patients
            ),
        ],
        "decisions": [
            ["date", "what", "level", "verdict", "option", "by"],
            *(
                [_day(one.on, form), one.what, "none" if one.what == "declared" and one.level is None
                 else "" if one.level is None else labels[one.level],
                 "" if one.verdict is None else PROTOCOL.verdicts[one.verdict].name,
                 "" if one.option is None else str(one.option + 1), one.by]
                for one in trial.decisions
            ),
        ],
        "cycles": [
            ["patient", "cycle", "level", "events"],
            *(
                [one.patient, str(one.number), labels[one.level], "; ".join("PR"[event] for event in one.events)]
                for one in trial.cycles
            ),
        ],
    }  # fmt: skip


def _written(rows: Sequence[Sequence[str]], separator: str, end: str, quoting: int, mark: bool) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trial=trials(), separator=st.sampled_from(",;\t"), end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), form=st.sampled_from([None, *FORMS]),
    order=st.randoms(use_true_random=False),
)  # fmt: skip
def test_what_is_written_is_read_back(
    tmp_path: Path, trial: Conducted, separator: str, end: str, mark: bool, quoting: int, form: str | None, order
) -> None:
    tables = _tables(trial, form or "%Y-%m-%d")
    places = list(range(6))
    order.shuffle(places)
    tables["patients"] = [[row[place] for place in places] for row in tables["patients"]]
    for name, rows in tables.items():
        (tmp_path / f"{name}.csv").write_bytes(_written(rows, separator, end, quoting, mark))
    if form is None:
        found = read_conducted(str(tmp_path / "patients.csv"), PROTOCOL)
        expected = evolve(_in_order(trial), decisions=(), cycles=())
    else:
        sections = "".join(f'[{name}]\nfile = "{name}.csv"\n' for name in tables)
        (tmp_path / "trial.toml").write_text(f'date-format = "{form}"\n{sections}', encoding="utf-8")
        found = read_conducted(str(tmp_path / "trial.toml"), PROTOCOL)
        expected = _in_order(trial)
    assert conducted(found) == expected


# ---- whatever a file holds ----

FRAGMENTS = (
    "patient", "level", "outcome", "entered", "known", ",", ";", "\t", "\n", "\r\n", '"', '""', "P1", "1", "N", "x",
    ".", "2026-03-01", "03/04/2026", "2026-02-30", "\ufeff", "\x00", "\u2028", "[patients]",
    'file = "patients.csv"', "=", "[patients.levels]", "[[patients]]", "date-format", "levels", "{", "}", "'", "#",
    "%d", "é", "\x1b[31m",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    content=st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)),
    name=st.sampled_from(["patients.csv", "trial.toml"]),
)
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, content: str | bytes, name: str) -> None:
    (tmp_path / "patients.csv").write_text(PLAIN + "P1,1,N\n")
    try:
        tables = read(tmp_path, content, name)
    except Trouble as error:
        assert error.diagnostic.code in ("DL704", "DL901", "DL902")
        return
    assert (tables.conducted is None) == bool(tables.diagnostics)
    assert (render_text(tables.diagnostics, tables.source) == "") == (tables.conducted is not None)
    assert trial_tables_record(tables, PROTOCOL)["faults"] == tables.faults
    for item in tables.diagnostics:
        assert item.code in CODES and item.message.endswith((".", "?"))
        assert 0 <= item.span.start <= item.span.end <= tables.source.end


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(cells=st.lists(st.lists(st.text(max_size=12), min_size=5, max_size=5), max_size=4))
def test_whatever_cells_hold_they_are_read_or_refused(tmp_path: Path, cells: list[list[str]]) -> None:
    rows = [["patient", "level", "entered", "outcome", "known"], *cells]
    try:
        tables = read(tmp_path, _written(rows, ",", "\n", csv.QUOTE_ALL, False))
    except (Trouble, UnicodeEncodeError):
        return
    for item in tables.diagnostics:
        assert item.code in ("DL704", "DL801", "DL803", "DL804", "DL805")


# ---- the commands ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a protocol, in which the test runs."""
    (tmp_path / "drug.dose").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_templates_of_a_protocol_work_as_they_stand(tmp_path: Path, path: Path) -> None:
    out = tmp_path / "trial"
    assert run(["data", "template", str(path), "--out", str(out)]) == 0
    assert run(["data", "check", str(path), str(out / "trial.toml")]) == 0


def test_what_a_template_says_in_comments_can_be_said(folder: Path) -> None:
    texts = templates(PROTOCOL)
    for name, text in texts.items():
        (folder / name).write_text(text)
    lines = texts["trial.toml"].splitlines()
    said = [line[2:] if line.startswith(("# [", '# "', "# date")) else line for line in lines]
    (folder / "trial.toml").write_text("\n".join(said))
    assert conducted(read_conducted("trial.toml", PROTOCOL)) == Conducted(())


def test_templates_never_overwrite(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "decisions.csv").write_text("mine")
    assert run(["data", "template", "drug.dose", "--out", "out"]) == 2
    assert "decisions.csv is there already, and is left as it is." in capsys.readouterr().err
    assert [path.name for path in (folder / "out").iterdir()] == ["decisions.csv"]
    assert (folder / "out" / "decisions.csv").read_text() == "mine"


def test_templates_are_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, written = formatting.replace_file, []

    def fails_later(path: Path, content: str | bytes) -> None:
        if len(written) == 2:
            raise trouble("DL901", "No room.")
        written.append(path)
        original(path, content)

    monkeypatch.setattr(formatting, "replace_file", fails_later)
    assert run(["data", "template", "drug.dose", "--out", "out"]) == 2
    assert len(written) == 2 and not (folder / "out").exists()


@pytest.mark.parametrize(
    ("out", "words"),
    [("drug.dose", "cannot be"), ("a/b", "There is no folder"), ("", "The name of the folder is empty.")],
)
def test_a_folder_that_cannot_be(folder: Path, capsys: pytest.CaptureFixture[str], out: str, words: str) -> None:
    assert run(["data", "template", "drug.dose", "--out", out]) == 2
    assert words in capsys.readouterr().err


def test_check_says_what_a_table_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapped(folder)
    assert run(["data", "check", "drug.dose", "trial.toml"]) == 0
    assert (
        capsys.readouterr().out
        == """\
trial.toml: 4 patients, who entered from 2026-03-01 to 2026-04-02

  level   patients  none  DLT  moderate  inevaluable  pending
  ------  --------  ----  ---  --------  -----------  -------
  1              2     1    0         0            1        0
  2A             1     0    1         0            0        0
  2B             1     0    0         0            0        1
  in all         4     1    1         0            1        1

5 decisions: 2 declared, 1 closed, 1 chosen, 1 stopped
4 cycles of 2 patients
not read: `STUDYID`
"""
    )


def test_check_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapped(folder)
    assert run(["data", "check", "drug.dose", "trial.toml", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["patients"] == 4 and record["dated"] and record["first"] == "2026-03-01"
    assert record["levels"][1] == {
        "level": "1", "patients": 2,
        "outcomes": {"none": 1, "DLT": 0, "moderate": 0, "inevaluable": 1, "pending": 0},
    }  # fmt: skip
    (folder / "patients.csv").write_text(PLAIN + "P1,7,N\n")
    assert run(["data", "check", "drug.dose", "patients.csv", "--format", "json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["patients"] is None and record["faults"] == 1
    assert (record["diagnostics"][0]["line"], record["diagnostics"][0]["column"]) == (2, 4)


def test_check_shows_the_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "patients.csv").write_text(PLAIN + '"P;1", 7 ,N\n')
    assert run(["data", "check", "drug.dose", "patients.csv"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("patients.csv:2:8: error DL803 wrong-cell\n")
    assert '   2 | "P;1", 7 ,N\n     |        ^\n' in printed
    assert printed.endswith("patients.csv: 1 fault\n")


def test_a_table_from_the_standard_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"patient,level,outcome\nP1,2A,T\n")))
    assert run(["data", "check", "drug.dose", "-"]) == 0
    assert "1 patient, without days, in the order of the table" in capsys.readouterr().out


def test_the_exit_status_is_2_without_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "patients.csv").write_text(PLAIN)
    assert run(["data", "check", "drug.dose", "patient.csv"]) == 2
    assert "Did you mean patients.csv?" in capsys.readouterr().err
    assert run(["data", "check", "drug.dose", str(folder)]) == 2
    assert run(["data", "check", "-", "-"]) == 2
    assert run(["data"]) == 2
