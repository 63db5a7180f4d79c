"""Decision tables: expected cells by hand, and every look of every pathway found again in the tables."""

from __future__ import annotations

import csv
import io
import json
import time
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.cli import run
from doselang.conduct import looks as looks_module
from doselang.conduct.looks import WAIT, counted, looks_of
from doselang.conduct.pathways import pathways
from doselang.conduct.seen import Looks
from doselang.conduct.tables import DecisionTable, decision_tables
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.protocol.model import Protocol
from doselang.report.decision_tables import cell_words, when_words
from tests import trials
from tests.samples import BLRM_OF_A_COMMITTEE
from tests.test_generated import ACCRUALS, Case, cases

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "protocols" / "designs" / "three-plus-three.dose"
BLRM = ROOT / "protocols" / "designs" / "blrm.dose"
REFERENCE = ROOT / "protocols" / "ibrutinib-lenalidomide.dose"
SCRIPTS = sorted((ROOT / "tests" / "scripts").glob("*.dose"))

Capture = pytest.CaptureFixture[str]


def protocol_of(path: Path, **settings: int) -> Protocol:
    found = load(str(path), settings).protocol
    assert found is not None
    return found


def by_condition(protocol: Protocol) -> dict[str, DecisionTable]:
    tables = decision_tables(protocol)
    many = len({table.part for table in tables}) > 1
    found = {when_words(protocol, table, many_parts=many): table for table in tables}
    assert len(found) == len(tables)
    return found


def grid(table: DecisionTable) -> dict[int, str]:
    """By number of patients, what is decided with 0, 1, … DLTs; a dot where no trial comes to."""
    return {
        n: " ".join(
            cell_words(table.cells[n, y]) if (n, y) in table.cells else "." for y in range(max_y(table, n) + 1)
        )
        for n in table.sizes
    }  # fmt: skip


def max_y(table: DecisionTable, n: int) -> int:
    return max(y for m, y in table.cells if m == n)


# ---- by hand ----


def test_the_classical_three_plus_three_is_its_four_tables() -> None:
    # the cohort rules of protocols/designs/three-plus-three.md; a level of six with one DLT was 1 of 3, then 0 of 3
    found = {when: grid(table) for when, table in by_condition(protocol_of(DESIGN)).items()}
    out = "eliminate eliminate"
    assert found == {
        "a higher level remains and a lower level exists": {
            3: f"escalate stay {out}", 6: f". escalate {out} eliminate"
        },
        "a higher level remains and no lower level exists": {
            3: "escalate stay stop stop", 6: ". escalate stop stop stop"
        },
        "no higher level remains and a lower level exists": {3: f"stay stay {out}", 6: f"mtd mtd {out} eliminate"},
        "no higher level remains and no lower level exists": {6: "mtd mtd stop stop"},
    }  # fmt: skip


def test_the_rules_behind_a_cell_are_those_of_the_file() -> None:
    protocol = protocol_of(DESIGN)
    table = by_condition(protocol)["a higher level remains and a lower level exists"]

    def names(n: int, y: int) -> list[str]:
        return [protocol.parts[0].rules[rule].name for rule in table.cells[n, y].rules]

    assert names(3, 0) == ["none of three"]
    assert names(3, 1) == ["one of three"]
    assert names(6, 1) == ["one DLT, then none"]
    assert names(3, 2) == ["two or three of three", "back to a level with six", "back to a level with three"]


def test_one_level_is_the_top_and_the_bottom() -> None:
    found = {when: grid(table) for when, table in by_condition(protocol_of(DESIGN, levels=1)).items()}
    # (6, 2) and (6, 3) come from 0 then 2 or 3, and from 1 then 1 or 2; (6, 1) from 0 then 1, and from 1 then 0
    assert found == {"any level": {3: "stay stay stop stop", 6: "mtd mtd stop stop stop"}}


def test_the_reference_ends_cohorts_early() -> None:
    found = by_condition(protocol_of(REFERENCE))
    between = "escalation: a higher level remains and a lower level exists"
    assert grid(found[between]) == {
        2: "wait wait eliminate",
        3: "escalate stay eliminate",
        4: ". wait eliminate",  # after one DLT in three: none yet, or the one that closes the level
        5: ". wait eliminate",
        6: ". escalate eliminate",
    }
    top = "escalation: no higher level remains and a lower level exists"
    assert grid(found[top])[3] == "stay stay eliminate"  # S2: three more to confirm
    assert grid(found[top])[6] == "mtd mtd eliminate"
    lowest = "escalation: a higher level remains and no lower level exists"
    assert grid(found[lowest])[2] == "wait wait stop"  # A1 and A4: two DLTs in two patients end the trial
    reopened = "escalation: no higher level remains and no lower level exists"
    assert grid(found[reopened]) == {5: "wait wait stop", 6: "mtd mtd stop"}
    # the MTD rests on six with at most one DLT, and ten more: 16, with 0 to 11
    assert grid(found["expansion: any level"]) == {16: " ".join(["stop"] * 12)}
    assert len(found) == 5


def test_patients_beyond_what_the_rules_count_are_counted() -> None:
    found = counted(trials.reference())
    assert found.max_patients == 18 + 10
    # the rules of the expansion ask for nothing but the end of the cohort
    tables = [table for table in decision_tables(trials.reference()) if table.part == 1]
    assert [table.sizes for table in tables] == [[16]]


def test_a_part_with_rules_of_its_own_counts_its_own_patients() -> None:
    found = by_condition(protocol_of(ROOT / "tests" / "scripts" / "two-parts.dose"))
    expansion = {when: table for when, table in found.items() if when.startswith("expansion")}
    assert all(
        table.in_part and "counting the patients of this part alone" in when for when, table in expansion.items()
    )
    table = expansion["expansion: a lower level exists, counting the patients of this part alone"]
    assert grid(table)[4] == "stay stay stay stay eliminate"
    assert grid(table)[12] == "mtd mtd mtd mtd eliminate"


def test_people_who_choose_are_in_the_cell() -> None:
    found = by_condition(protocol_of(ROOT / "tests" / "scripts" / "committee.dose"))
    between = grid(found["a higher level remains and a lower level exists"])
    assert between[3] == "escalate / stay, as people choose stay eliminate"
    assert between[6].startswith("escalate / mtd, as people choose escalate / mtd")


def test_a_second_class_of_toxicity_splits_the_table() -> None:
    protocol = protocol_of(ROOT / "tests" / "scripts" / "two-classes.dose")
    found = by_condition(protocol)
    assert all(len(cell.decisions) == 1 for table in found.values() for cell in table.cells.values() if cell.decisions)
    few = found["a higher level remains and a lower level exists and at most 1 moderate-toxicity"]
    assert grid(few)[3].split()[0] == "escalate"
    many = found[
        "a higher level remains and a lower level exists and at least 2 moderate-toxicities"
        " and at most 3 moderate-toxicities"
    ]
    assert grid(many)[3].split()[0] == "stay"


# ---- BOIN, against its printed table ----

# E3: escalate if y is at most, de-escalate if at least, eliminate if at least (Liu & Yuan 2015, target 0.30)
BOIN = {
    3: (0, 2, 3), 6: (1, 3, 4), 9: (2, 4, 5), 12: (2, 5, 7), 15: (3, 6, 8),
    18: (4, 7, 9), 21: (4, 8, 10), 24: (5, 9, 11), 27: (6, 10, 12), 30: (7, 11, 14),
}  # fmt: skip


def boin_by_rules() -> str:
    going, open_ = "fewer than 30 evaluable in the trial", "this level is not closed as too toxic"
    text = 'protocol "b"\nlevels 1 to 5\nstart at level 1\ntoxicity DLT written T\nverdict MTD\n'
    text += 'part escalation\ncohorts of 3\nrule "thirty" when at least 30 evaluable in the trial then stop "thirty"\n'
    for n, (_, _, out) in BOIN.items():
        text += f'rule "out {n}" when at least {out} of {n} patients have a DLT'
        text += " then close this level with all above as too toxic\n"
    for name, when, then in (
        ("up", "the DLT rate is at most 23.65% and a higher level remains", "escalate"),
        ("top", "the DLT rate is at most 23.65% and no higher level remains", "stay"),
        ("stay", "the DLT rate is more than 23.65% and the DLT rate is fewer than 35.85%", "stay"),
        ("down", "the DLT rate is at least 35.85% and a lower level exists", "de-escalate"),
        ("bottom", f"the DLT rate is at least 35.85% and no lower level exists and {open_}", "stay"),
    ):  # fmt: skip
        text += f'rule "{name}" when {when} and {going} then {then}\n'
    none = "this level is closed as too toxic and no lower level exists"
    return text + f'rule "none" when {none} and {going} then stop "too toxic"\n'


def test_boin_by_rules_is_its_printed_table(tmp_path: Path) -> None:
    path = tmp_path / "boin.dose"
    path.write_text(boin_by_rules(), encoding="utf-8")
    protocol = protocol_of(path)
    started = time.perf_counter()
    found = by_condition(protocol)
    assert time.perf_counter() - started < 20  # about a third of a second on one core
    going = "fewer than 30 evaluable in the trial"
    between = next(
        table for when, table in found.items()
        if all(words in when for words in (going, "a lower level exists", "a higher level remains"))
    )  # fmt: skip
    assert set(between.sizes) == {n for n in BOIN if n <= 24}
    for (n, y), cell in between.cells.items():
        up, down, out = BOIN[n]
        expected = "escalate" if y <= up else "eliminate" if y >= out else "de-escalate" if y >= down else "stay"
        assert cell.decisions == ((expected,),), (n, y)
    lowest = next(
        table for when, table in found.items()
        if all(words in when for words in (going, "no lower level exists", "a higher level remains"))
    )  # fmt: skip
    for (n, y), cell in lowest.cells.items():
        up, _, out = BOIN[n]
        assert cell.decisions == (("escalate" if y <= up else "stop" if y >= out else "stay",),), (n, y)
    assert all(len(cell.decisions) == 1 for table in found.values() for cell in table.cells.values())


# ---- what no condition settles ----

MEMORY = """
protocol "four patients mean something else by how the first two went"
levels 1 to 2
start at level 1
toxicity DLT written T
verdict MTD
part escalation
cohorts of 2
rule "again" when exactly 2 evaluable then stay
rule "first" when none of the first 2 patients has a DLT and exactly 4 evaluable then stop "first"
rule "other" when any of the first 2 patients has a DLT and exactly 4 evaluable then stay
rule "six" when exactly 6 evaluable then stop "six"
"""

UNSETTLED = """
protocol "what comes next depends on where the label was set, which no condition of the table tells"
levels 1 to 3
start at level 2
toxicity DLT written T
verdict MTD
verdict goal
part escalation
cohorts of 1
rule "up" when no DLT in the trial and exactly 1 evaluable in the trial
  then declare the next higher level as goal, stay
rule "down" when any DLT in the trial and exactly 1 evaluable in the trial
  then declare the next lower level as goal, stay
rule "again" when exactly 2 evaluable in the trial then stay
rule "go" when exactly 3 evaluable in the trial then enrol 1 at the goal
rule "end" when exactly 4 evaluable in the trial then stop "end"
"""


def table_of(text: str, tmp_path: Path) -> dict[str, DecisionTable]:
    path = tmp_path / "script.dose"
    path.write_text(text, encoding="utf-8")
    return by_condition(protocol_of(path))


def test_a_rules_own_condition_splits_where_a_plain_one_cannot(tmp_path: Path) -> None:
    found = {when: grid(table) for when, table in table_of(MEMORY, tmp_path).items()}
    assert found == {
        "any of the first 2 patients has a DLT": {
            2: ". stay stay", 4: ". stay stay stay stay", 6: ". stop stop stop stop stop stop"
        },
        "none of the first 2 patients has a DLT": {2: "stay", 4: "stop stop stop"},
    }  # fmt: skip


def test_what_no_condition_settles_is_said_and_not_merged(tmp_path: Path, capsys: Capture) -> None:
    found = table_of(UNSETTLED, tmp_path)
    both = {cell_words(table.cells[3, 1]) for table in found.values() if (3, 1) in table.cells}
    assert both == {"de-escalate or escalate"}
    text = printed(["table", str(tmp_path / "script.dose")], capsys)
    assert "2 cells have several decisions" in text


# ---- a model of all levels ----


def test_where_a_model_decides_no_condition_is_put_in_its_place(capsys: Capture) -> None:
    """With 3 patients at a level a BLRM goes up, stays, comes down or ends the trial, by what was seen elsewhere."""
    (table,) = by_condition(protocol_of(BLRM)).values()
    assert table.when == () and set(table.sizes) >= {3, 6, 9}
    assert cell_words(table.cells[3, 0]).split(" or ")[:2] == ["escalate", "stay"]
    assert "escalate" not in cell_words(table.cells[3, 3]).split(" or ")
    text = printed(["table", str(BLRM)], capsys)
    assert "`model` goes by the patients of all levels" in text and "cells have several" not in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("  ")) < 120


def test_the_rules_beside_a_model_keep_their_tables(tmp_path: Path) -> None:
    """A rule without the model ends the trial at 18 patients: that is told apart from what the model decides."""
    text = BLRM_OF_A_COMMITTEE.replace(
        """  when at least 30 evaluable in the part and model recommends a level
""",
        """  overrides "next dose", "MTD", "too toxic"
  when at least 18 evaluable in the part
""",
    ).replace('overrides "next dose", "full"', 'overrides "next dose"')
    found = table_of(text, tmp_path)
    (full,) = (when for when in found if "at least 18" in when)
    assert {cell_words(cell) for cell in found[full].cells.values()} == {"stop"}
    others = {cell_words(cell) for when, table in found.items() if when != full for cell in table.cells.values()}
    assert any("escalate or stay" in words for words in others)


# ---- every look of every pathway ----


@pytest.mark.parametrize("path", [*SCRIPTS, DESIGN, REFERENCE, BLRM], ids=lambda path: path.stem)
@pytest.mark.parametrize("accrual", ["one-at-a-time", "whole-cohort"])
def test_the_tables_hold_the_looks_of_all_pathways_and_no_others(path: Path, accrual: str) -> None:
    smaller: dict[Path, dict[str, int]] = {DESIGN: {"levels": 3}, BLRM: {"levels": 3, "cohorts": 4}}
    protocol = protocol_of(path, **smaller.get(path, {}))
    tables = decision_tables(protocol, accrual)
    found = pathways(protocol, compile_protocol(protocol), (), 40, accrual, max_paths=200_000)
    in_part = {table.part: table.in_part for table in tables}
    seen: dict[tuple[int, int, int], set[str]] = {}
    for way in found.paths:
        for place, one in enumerate(way.cohorts):
            before = [
                other for other in way.cohorts[: place + 1]
                if other.level == one.level and (not in_part[one.part] or other.part == one.part)
            ]  # fmt: skip
            key = (one.part, sum(sum(other.counts) for other in before), sum(other.counts[1] for other in before))
            if one.word:  # patients beside a cohort come to no look
                seen.setdefault(key, set()).add(one.word)
    told: dict[tuple[int, int, int], set[str]] = {}
    for table in tables:
        for (n, y), cell in table.cells.items():
            words = {word for way_ in cell.decisions for word in way_} - {WAIT}
            if words:
                told.setdefault((table.part, n, y), set()).update(words)
    assert told == seen


# ---- the command ----


def printed(arguments: list[str], capsys: Capture) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_json_has_the_keys_relied_on(capsys: Capture) -> None:
    record = json.loads(printed(["table", str(DESIGN), "--format", "json"], capsys))
    assert record["path"] == str(DESIGN) and len(record["tables"]) == 4
    for table in record["tables"]:
        for n in table["n"]:
            assert len(table["decisions"][str(n)]) == len(table["rules"][str(n)]) == n + 1
    first = record["tables"][0]
    assert first["n"] == [3, 6] and first["decisions"]["3"] == ["escalate", "stay", "eliminate", "eliminate"]
    assert first["rules"]["3"][0] == "none of three" and first["decisions"]["6"][0] is None


def test_csv_reads_back(capsys: Capture) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(["table", str(REFERENCE), "--format", "csv"], capsys))))
    cells = decision_tables(protocol_of(REFERENCE))
    assert len(rows) == sum(len(table.cells) for table in cells)
    assert {"table", "part", "when", "evaluable", "DLT", "decision", "rules"} == set(rows[0])
    one = [row for row in rows if (row["table"], row["evaluable"], row["DLT"]) == ("1", "3", "0")]
    assert [(row["decision"], row["rules"]) for row in one] == [("escalate", "first three clear")]


def test_markdown_has_a_heading_a_table(capsys: Capture) -> None:
    text = printed(["table", str(DESIGN), "--format", "markdown"], capsys)
    assert text.count("\n## ") == 4
    assert "| DLTs | 3 | 6 |" in text


def test_several_files_and_wrong_ones(tmp_path: Path, capsys: Capture) -> None:
    text = printed(["table", str(DESIGN), str(REFERENCE), "--format", "json"], capsys)
    assert [one["path"] for one in json.loads(text)["files"]] == [str(DESIGN), str(REFERENCE)]
    wrong = tmp_path / "wrong.dose"
    wrong.write_text("protocol\n", encoding="utf-8")
    assert run(["table", str(wrong)]) == 1
    capsys.readouterr()
    assert run(["table", str(DESIGN), "--max-states", "5"]) == 2
    assert "DL702" in capsys.readouterr().err


def test_endless_trials_are_refused(capsys: Capture) -> None:
    assert run(["table", str(ROOT / "tests" / "faulty" / "endless.dose")]) == 2
    assert "DL701" in capsys.readouterr().err


def test_the_boin_boundaries_of_this_test_are_those_of_the_formula() -> None:
    # lower 0.2365, upper 0.3585 (E3): escalate if y/n <= lower, de-escalate if y/n >= upper
    for n, (up, down, _) in BOIN.items():
        assert up == int(0.2365 * n) and down == ceil(0.3585 * n)


WRITTEN = [
    *SCRIPTS, REFERENCE, *(ROOT / "protocols" / f"{name}.dose" for name in ("pembrolizumab-gemcitabine", "viola")),
    *sorted((ROOT / "protocols" / "designs").glob("*titration*.dose")), DESIGN,
]  # fmt: skip


def rows_of(looks: Looks) -> set[tuple[object, ...]]:
    """The looks as they are, whatever their order, with the conditions by name."""
    names = [str(condition.guard) for condition in looks.conditions]
    columns = zip(looks.evaluable, looks.dlt, looks.decision, looks.truths, strict=True)
    return {(int(n), int(t), looks.decisions[d], tuple(zip(names, truths))) for n, t, d, truths in columns}  # noqa: B905


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("rows", [1_000_000, 50])
def test_states_that_are_left_out_show_no_other_looks(path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = counted(protocol_of(path))
    monkeypatch.setattr(looks_module, "MOST_ROWS", rows)
    few = [rows_of(looks) for looks in looks_of(found)]
    monkeypatch.setattr(looks_module, "_unlike", lambda found, part, states, sources, conditions: sources)
    assert few == [rows_of(looks) for looks in looks_of(found)]


@settings(max_examples=30)
@given(cases(), st.sampled_from(ACCRUALS))
def test_looks_are_the_same_however_many_are_worked_out_together(case: Case, accrual: Accrual) -> None:
    found = counted(case.protocol, accrual)
    together = [rows_of(looks) for looks in looks_of(found)]
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(looks_module, "MOST_ROWS", 50)
        assert together == [rows_of(looks) for looks in looks_of(found)]


def test_leaving_out_states_that_differ_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = counted(protocol_of(DESIGN))
    every = [rows_of(looks) for looks in looks_of(found)]
    monkeypatch.setattr(looks_module, "_unlike", lambda found, part, states, sources, conditions: sources[::3])
    assert every != [rows_of(looks) for looks in looks_of(found)]
