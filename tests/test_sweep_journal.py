"""The journal: cut off anywhere it is resumed without loss; damage, other plans and strange files are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.sweep.journal import Journal, line_of, record_in
from doselang.sweep.plan_reading import read_plan
from doselang.sweep.working import versions
from tests.sweeps import DESIGNS, journal_cells, write_plan

Capture = pytest.CaptureFixture[str]


def sweep(folder: Path, *more: str) -> int:
    return run(["sweep", str(folder / "plan.toml"), "--out", str(folder / "out.csv"), "--jobs", "1", *more])


def whole(folder: Path, cells: int = 4) -> tuple[bytes, bytes]:
    """The table and the journal of a small sweep that was not interrupted."""
    write_plan(folder, cells)
    assert sweep(folder) == 0
    return (folder / "out.csv").read_bytes(), (folder / "out.csv.journal").read_bytes()


# ---- cut off anywhere ----


def cut_off_at(folder: Path, place: int, table: bytes, journal: bytes) -> None:
    """Resume a journal of which only the beginning is there."""
    (folder / "out.csv.journal").write_bytes(journal[:place])
    (folder / "out.csv").unlink(missing_ok=True)
    assert sweep(folder) == 0, f"cut off at {place}"
    assert (folder / "out.csv").read_bytes() == table, f"cut off at {place}"
    assert sorted(journal_cells(folder / "out.csv.journal")) == [0, 1, 2, 3], f"cut off at {place}"


def places(journal: bytes, every: int) -> list[int]:
    """Where to cut: at and about every end of a line, in the head, and elsewhere."""
    ends = [place + 1 for place, sign in enumerate(journal) if sign == ord("\n")]
    near = {max(0, min(len(journal), end + step)) for end in (0, *ends) for step in (-1, 0, 1, 8, 9, 10)}
    return sorted(near | set(range(0, len(journal), every)))


def test_a_journal_that_is_cut_off_anywhere_is_resumed(tmp_path: Path) -> None:
    table, journal = whole(tmp_path)
    for place in places(journal, len(journal) // 8):
        cut_off_at(tmp_path, place, table, journal)


@pytest.mark.slow
def test_a_journal_that_is_cut_off_at_every_tenth_byte_is_resumed(tmp_path: Path) -> None:
    table, journal = whole(tmp_path)
    for place in places(journal, 10):
        cut_off_at(tmp_path, place, table, journal)


def test_a_torn_line_that_is_kept_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, journal = whole(tmp_path)

    def keep(self: Journal, size: int) -> None:
        self._size = self._file.seek(0, 2)

    monkeypatch.setattr(Journal, "_cut", keep)
    with pytest.raises(AssertionError, match="cut off"):
        cut_off_at(tmp_path, len(journal) - 100, table, journal)


def test_a_checksum_that_is_not_looked_at_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that lost power can hold a line with an end and a wrong middle."""
    with pytest.raises(AssertionError):
        monkeypatch.setattr("doselang.sweep.journal.crc32", lambda text: 0x12345678)
        a_damaged_line(tmp_path)


def a_damaged_line(folder: Path) -> None:
    table, journal = whole(folder)
    lines = journal.splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"mtd:1":0', b'"mtd:1":1')
    (folder / "out.csv.journal").write_bytes(b"".join(lines))
    (folder / "out.csv").unlink()
    assert sweep(folder) == 0
    assert (folder / "out.csv").read_bytes() == table


def test_a_damaged_line_is_done_again(tmp_path: Path, capsys: Capture) -> None:
    a_damaged_line(tmp_path)
    assert "1 line of" in capsys.readouterr().out


def test_zeros_at_the_end_are_cut_off(tmp_path: Path) -> None:
    table, journal = whole(tmp_path)
    (tmp_path / "out.csv.journal").write_bytes(journal[:-50] + b"\0" * 5_000)
    assert sweep(tmp_path) == 0
    assert (tmp_path / "out.csv").read_bytes() == table


# ---- another plan ----

CHANGES = (
    ("target = [0.25", "target = [0.2", "the parameter `target` was 0.25; 30%, and is 0.2; 30% now"),
    ("cohorts = 3", "cohorts = 4", "the parameter `cohorts` was 3, and is 4 now"),
    ("[parameters]", "[parameters]\ncohort_size = 2", "the parameter `cohort_size` is new"),
    ('scenarios = "', 'max-states = 9999\nscenarios = "', "`max-states` was 5000000, and is 9999 now"),
    (
        'scenarios = "',
        'accrual = "whole-cohort"\nscenarios = "',
        "`accrual` was one-at-a-time, and is whole-cohort now",
    ),
    ("boin.dose", "mtpi2.dose", "boin.dose is no longer there"),
)


@pytest.mark.parametrize(("old", "new", "told"), CHANGES, ids=[told for *_, told in CHANGES])
def test_a_changed_plan_is_refused(old: str, new: str, told: str, tmp_path: Path, capsys: Capture) -> None:
    whole(tmp_path)
    plan = tmp_path / "plan.toml"
    assert old in plan.read_text()
    plan.write_text(plan.read_text().replace(old, new))
    before = (tmp_path / "out.csv.journal").read_bytes()
    assert sweep(tmp_path) == 2
    said = capsys.readouterr().err
    assert told in said and "--fresh" in said
    assert (tmp_path / "out.csv.journal").read_bytes() == before
    assert sweep(tmp_path, "--fresh") == 0


def test_changed_scenarios_protocols_and_programs_are_refused(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = tmp_path / "design.dose"
    design.write_bytes((DESIGNS / "boin.dose").read_bytes())
    (tmp_path / "boin.md").write_bytes((DESIGNS / "boin.md").read_bytes())
    (tmp_path / "table.csv").write_text("name,1,2,3,4,5\na,0.1,0.2,0.3,0.4,0.5\nb,0.1,0.1,0.1,0.1,0.1\n")
    (tmp_path / "plan.toml").write_text(
        'protocols = "design.dose"\nscenarios = "table.csv"\n[parameters]\ncohorts = 2\n'
    )
    assert sweep(tmp_path) == 0
    (tmp_path / "table.csv").write_text("name,1,2,3,4,5\na,0.1,0.2,0.3,0.4,0.6\nc,0.1,0.1,0.1,0.1,0.1\n")
    assert sweep(tmp_path) == 2
    said = capsys.readouterr().err
    assert 'the scenario "a" has changed; the scenario "b" is no longer there; the scenario "c" is new' in said
    (tmp_path / "table.csv").write_text("name,1,2,3,4,5\na,0.1,0.2,0.3,0.4,0.5\nb,0.1,0.1,0.1,0.1,0.1\n")
    design.write_text(design.read_text() + "\n# a word more\n")
    assert sweep(tmp_path) == 2
    assert "the protocol design.dose has changed" in capsys.readouterr().err
    design.write_bytes((DESIGNS / "boin.dose").read_bytes())
    assert sweep(tmp_path) == 0
    monkeypatch.setattr("doselang.cli.sweeping.versions", lambda: versions() | {"numpy": "0.9"})
    assert sweep(tmp_path) == 2
    assert "and is 0.9 now" in capsys.readouterr().err


def test_a_plan_whose_rows_changed_is_refused(tmp_path: Path, capsys: Capture) -> None:
    plan = tmp_path / "plan.csv"
    rows = [f"{DESIGNS / 'boin.dose'},{cohorts},moderate" for cohorts in (1, 2, 3)]
    plan.write_text("\n".join(["protocol,cohorts,scenario", *rows]) + "\n")
    arguments = ["sweep", str(plan), "--out", str(tmp_path / "out.csv"), "--jobs", "1"]
    assert run(arguments) == 0
    plan.write_text("\n".join(["protocol,cohorts,scenario", rows[0], rows[1].replace("moderate", "steep")]) + "\n")
    assert run(arguments) == 2
    assert "row 3 has changed; row 4 is no longer there" in capsys.readouterr().err


def test_what_changed_is_told_in_few_words(tmp_path: Path, capsys: Capture) -> None:
    write_plan(tmp_path, 40)
    assert sweep(tmp_path) == 0
    (tmp_path / "scenarios.csv").write_text((tmp_path / "scenarios.csv").read_text().replace("\ns", "\nr"))
    assert sweep(tmp_path) == 2
    assert "17 further changes" in capsys.readouterr().err


# ---- files in the way ----


def test_a_result_without_a_journal_is_not_written_over(tmp_path: Path, capsys: Capture) -> None:
    write_plan(tmp_path, 4)
    (tmp_path / "out.csv").write_text("mine\n")
    assert sweep(tmp_path) == 2
    assert "out.csv is there already, without the journal of a sweep." in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "mine\n"


@pytest.mark.parametrize("content", ["mine\n", "name,1,2\nlow,5%,10%\n", ""])
def test_what_is_no_result_is_not_written_over_even_anew(content: str, tmp_path: Path, capsys: Capture) -> None:
    """It may be a table of scenarios."""
    write_plan(tmp_path, 4)
    (tmp_path / "out.csv").write_text(content)
    assert sweep(tmp_path, "--fresh") == 2
    assert "is not the result of a sweep, and is not written over." in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == content


def test_a_result_whose_journal_is_gone_is_written_anew_where_that_is_asked_for(tmp_path: Path) -> None:
    result, _ = whole(tmp_path)
    (tmp_path / "out.csv.journal").unlink()
    assert sweep(tmp_path) == 2
    assert sweep(tmp_path, "--fresh") == 0
    assert (tmp_path / "out.csv").read_bytes() == result


@pytest.mark.parametrize(
    "content", [b"mine\n", b"mine", b'00000000 {"sweep":1}\n', line_of({"sweep": 99}), b"\xff\0\n"]
)
def test_a_strange_file_in_the_place_of_the_journal_is_left_alone(
    content: bytes, tmp_path: Path, capsys: Capture
) -> None:
    write_plan(tmp_path, 4)
    (tmp_path / "out.csv.journal").write_bytes(content)
    assert sweep(tmp_path) == 2
    assert "is there already, and is not the journal of a sweep." in capsys.readouterr().err
    assert (tmp_path / "out.csv.journal").read_bytes() == content


def test_only_one_process_holds_a_journal(tmp_path: Path) -> None:
    plan = read_plan(str(write_plan(tmp_path, 4)), {})
    path = str(tmp_path / "out.csv.journal")
    journal = Journal.open(path, plan, versions())
    with pytest.raises(Trouble, match="Another sweep is writing"):
        Journal.open(path, plan, versions())
    journal.close()
    Journal.open(path, plan, versions()).close()


def test_folders_that_are_not_there(tmp_path: Path, capsys: Capture) -> None:
    plan = str(write_plan(tmp_path, 4))
    assert run(["sweep", plan, "--out", str(tmp_path / "none" / "out.csv")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert run(["sweep", plan, "--out", str(tmp_path / "scenarios.csv" / "out.csv")]) == 2
    assert "cannot be opened: Not a directory." in capsys.readouterr().err


def test_lines_are_whole_or_nothing() -> None:
    line = line_of({"cell": 3, "row": {"a": 0.1, "b": "ü"}})
    assert record_in(line) == {"cell": 3, "row": {"a": 0.1, "b": "ü"}}
    for place in range(len(line)):
        assert record_in(line[:place]) is None
        assert record_in(line[:place] + b"#" + line[place + 1 :]) is None
