"""Sweeps as a whole: killed and resumed, with any number of processes, the table is the same, no cell done twice."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import resource
import shutil
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.cli.sweeping import time_words
from doselang.report.figures import figures
from doselang.simulate.characteristics import Characteristics
from doselang.sweep.rows import Row
from tests.sweeps import (
    DESIGNS,
    ROOT,
    is_alive,
    journal_cells,
    kill_at_random,
    start,
    swept,
    table,
    workers_of,
    write_plan,
)

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def uninterrupted(folder: Path, *more: str) -> bytes:
    """The table of a plan that is swept in one go."""
    status, _, err = swept(folder, "plan.toml", "--out", "whole.csv", *more)
    assert status == 0, err
    return (folder / "whole.csv").read_bytes()


# ---- killed and resumed ----


def killed_and_resumed(folder: Path, times: int, seed: int, *, jobs: str = "2", broken: str = "") -> None:
    """Kill a sweep some times and resume it: the same table, nothing lost, nothing done twice."""
    whole = uninterrupted(folder, "--jobs", jobs)
    full_size = (folder / "whole.csv.journal").stat().st_size
    arguments = ["plan.toml", "--out", "out.csv", "--jobs", jobs]
    held = kill_at_random(folder, times, random.Random(seed), arguments, broken=broken, full_size=full_size,
                          early=0.0 if broken else 0.3)  # fmt: skip
    for before, after in pairwise(held):
        assert after[: len(before)] == before, "what was done is lost"
    status, out, err = swept(folder, *arguments, broken=broken)
    assert status == 0, err
    assert not held[-1] or f"{len(set(held[-1])):,} are done already" in out, "what was done is lost"
    assert len(held[-1]) < len(table(folder / "whole.csv")), "it was killed too late"
    cells = journal_cells(folder / "out.csv.journal")
    assert sorted(cells) == list(range(len(table(folder / "whole.csv")))), "a cell is done twice, or not at all"
    assert (folder / "out.csv").read_bytes() == whole, "another table"


@pytest.mark.parametrize("method", ["exact", "montecarlo"])
def test_a_killed_sweep_is_resumed(method: str, tmp_path: Path) -> None:
    write_plan(tmp_path, 60, method=method)
    killed_and_resumed(tmp_path, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "montecarlo"])
def test_two_thousand_cells_killed_ten_times(method: str, tmp_path: Path) -> None:
    write_plan(tmp_path, 2_000, method=method)
    killed_and_resumed(tmp_path, 10, 2)


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        ("forgets what is done", "done twice"),
        ("begins anew each time", "what was done is lost"),
        ("takes seeds in order", "another table"),
    ],
)
def test_a_broken_sweep_is_noticed(broken: str, noticed: str, tmp_path: Path) -> None:
    write_plan(tmp_path, 40, method="montecarlo")
    with pytest.raises(AssertionError, match=noticed):
        killed_and_resumed(tmp_path, 2, 1, jobs="1", broken=broken)


@linux
def test_workers_end_with_the_program_that_is_killed(tmp_path: Path) -> None:
    write_plan(tmp_path, 400, method="montecarlo", trials=5_000)
    process = start(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "2")
    workers = _workers_at_work(process.pid, tmp_path / "out.csv.journal")
    process.kill()
    process.communicate()
    assert _within(10, lambda: not any(is_alive(worker) for worker in workers))


def _workers_at_work(pid: int, journal: Path) -> list[int]:
    """The workers of a sweep, when some cells are done."""
    assert _within(60, lambda: len(journal_cells(journal)) > 3)
    workers = workers_of(pid)
    assert len(workers) == 2
    return workers


def _within(seconds: float, condition) -> bool:
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if condition():
            return True
        time.sleep(0.01)
    return False


# ---- the number of processes, and their loss ----


@pytest.mark.parametrize("method", ["exact", "montecarlo"])
def test_the_table_does_not_depend_on_the_number_of_processes(method: str, tmp_path: Path) -> None:
    write_plan(tmp_path, 36, method=method)
    whole = uninterrupted(tmp_path, "--jobs", "1")
    assert swept(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "3")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == whole


def with_a_worker_killed(folder: Path, *, broken: str = "") -> None:
    write_plan(folder, 60, method="montecarlo", trials=300)
    process = start(folder, "plan.toml", "--out", "out.csv", "--jobs", "2", broken=broken)
    os.kill(_workers_at_work(process.pid, folder / "out.csv.journal")[0], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sorted(journal_cells(folder / "out.csv.journal")) == list(range(60))
    assert (folder / "out.csv").read_bytes() == uninterrupted(folder, "--jobs", "2")


@linux
def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    with_a_worker_killed(tmp_path)


@linux
def test_lost_cells_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="A fault"):
        with_a_worker_killed(tmp_path, broken="loses what a lost worker had")


DEADLY = """
import os
import doselang.sweep.working as working
import doselang.sweep.running as running
import deadly
running.work = deadly.work
"""

DEADLY_MODULE = """
import os, signal
from doselang.sweep import working
def work(task):
    if any(asked.number == 2 for unit in task.units for asked in unit):
        os.kill(os.getpid(), signal.SIGKILL)
    return working.work(task)
"""


def test_a_cell_that_ends_its_worker_again_and_again_is_a_row_with_an_error(tmp_path: Path) -> None:
    write_plan(tmp_path, 16, method="montecarlo")
    (tmp_path / "deadly.py").write_text(DEADLY_MODULE, encoding="utf-8")
    broken = f"sys.path.insert(0, {str(tmp_path)!r})\n{DEADLY}"
    status, out, err = swept(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "2", broken=broken)
    assert status == 1, err
    assert "1 of them without figures: 1 with DL704 too-large" in out
    rows = table(tmp_path / "out.csv")
    assert [row["cell"] for row in rows if row["error"]] == ["3"]
    assert all("ended 3 times" in row["message"] for row in rows if row["error"])
    status, out, err = swept(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "2")
    assert status == 0 and "15 are done already" in out, err
    assert not any(row["error"] for row in table(tmp_path / "out.csv"))


def test_workers_that_never_do_anything_are_given_up(tmp_path: Path) -> None:
    write_plan(tmp_path, 16, method="montecarlo")
    (tmp_path / "deadly.py").write_text(DEADLY_MODULE.replace("== 2", ">= 0"), encoding="utf-8")
    broken = f"sys.path.insert(0, {str(tmp_path)!r})\n{DEADLY}\nrunning.MOST_LOSSES = 2"
    status, _, err = swept(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "2", broken=broken)
    assert status == 2 and "end again and again" in err and journal_cells(tmp_path / "out.csv.journal") == []


# ---- stopped, and in the way of one another ----


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_how_to_go_on(how: signal.Signals, tmp_path: Path) -> None:
    write_plan(tmp_path, 400, method="montecarlo", trials=5_000)
    arguments = ("plan.toml", "--out", "out.csv", "--fresh", "--jobs", "2")

    def hear() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores the key

    process = start(tmp_path, *arguments, preexec_fn=hear)
    assert _within(60, lambda: len(journal_cells(tmp_path / "out.csv.journal")) > 3)
    process.send_signal(how)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    done = len(journal_cells(tmp_path / "out.csv.journal"))
    assert f"Stopped: {done} of 400 cells are done, and kept in out.csv.journal." in err
    assert "doselang sweep plan.toml --out out.csv --jobs 2\n" in err, "`--fresh` would throw away what is done"
    assert "Traceback" not in err and not (tmp_path / "out.csv").exists()


def test_two_sweeps_do_not_write_to_one_result(tmp_path: Path) -> None:
    write_plan(tmp_path, 400, method="montecarlo", trials=5_000)
    process = start(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "1")
    try:
        assert _within(60, lambda: len(journal_cells(tmp_path / "out.csv.journal")) > 1)
        for more in ((), ("--fresh",)):
            status, _, err = swept(tmp_path, "plan.toml", "--out", "out.csv", *more)
            assert status == 2 and "Another sweep is writing to out.csv.journal." in err
    finally:
        process.kill()
        process.communicate()


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    write_plan(tmp_path, 60)
    whole = uninterrupted(tmp_path, "--jobs", "1")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    arguments = ("plan.toml", "--out", "out.csv", "--jobs", "1")
    status, _, err = swept(tmp_path, *arguments, preexec_fn=full)
    held = journal_cells(tmp_path / "out.csv.journal")
    assert status == 2 and 0 < len(held) < 60
    assert "out.csv.journal cannot be written: File too large." in err and f"{len(held)} cells are kept" in err
    assert (tmp_path / "out.csv.journal").read_bytes().endswith(b"\n"), "half a line is left"
    status, out, err = swept(tmp_path, *arguments)
    assert status == 0 and f"{len(held)} are done already" in out, err
    assert (tmp_path / "out.csv").read_bytes() == whole


def a_full_disk_at_the_table(folder: Path, *, broken: str = "") -> None:
    """The table does not fit any more: the one of before stays as it is."""
    write_plan(folder, 20)
    whole = uninterrupted(folder, "--jobs", "1")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    status, _, err = swept(folder, "plan.toml", "--out", "whole.csv", preexec_fn=full, broken=broken)
    assert status == 2 and "whole.csv cannot be written: File too large." in err
    assert (folder / "whole.csv").read_bytes() == whole and not (folder / "whole.csv.part").exists()


def test_a_table_is_whole_or_as_it_was(tmp_path: Path) -> None:
    a_full_disk_at_the_table(tmp_path)


def test_half_a_table_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        a_full_disk_at_the_table(tmp_path, broken="writes the table in place")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="for root no folder is read-only")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    write_plan(tmp_path, 4)
    (tmp_path / "closed").mkdir(mode=0o500)
    as_others = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    status, _, err = swept(tmp_path, "plan.toml", "--out", "closed/out.csv", before=as_others)
    assert status == 2 and "closed/out.csv.journal cannot be opened: Permission denied." in err


def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    write_plan(tmp_path, 40)
    ours, theirs = os.openpty()
    status, out, _ = swept(tmp_path, "plan.toml", "--out", "out.csv", "--jobs", "1", stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert status == 0 and "40/40" in shown and "100%  0 s left" in shown and "%" not in out


def test_the_time_that_is_left_in_words() -> None:
    assert [time_words(seconds) for seconds in (0.4, 59.4, 60, 185, 3599, 3600, 9_660, 360_000)] == [
        "0 s", "59 s", "1 min 00 s", "3 min 05 s", "59 min 59 s", "1 h 00 min", "2 h 41 min", "100 h 00 min",
    ]  # fmt: skip


# ---- what the table says ----


SCRIPTS = (DESIGNS / "three-plus-three.dose", ROOT / "protocols" / "ibrutinib-lenalidomide-literal.dose")
IDENTITY = {"cell", "protocol", "scenario", "method", "accrual", "trials", "seed"}


def every_figure(folder: Path, script: Path, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = 'method = "montecarlo"\ntrials = 500\nseed = 3\n' if method == "montecarlo" else ""
    (folder / "plan.toml").write_text(f'protocols = "{script}"\n{more}', encoding="utf-8")
    assert run(["sweep", str(folder / "plan.toml"), "--out", str(folder / "out.csv"), "--jobs", "1"]) == 0
    capsys.readouterr()
    for row in table(folder / "out.csv"):
        figures = simulated(row, script, capsys)
        assert set(figures) == {name for name, value in row.items() if value} - IDENTITY
        for name, value in figures.items():
            assert float(row[name]) == pytest.approx(value, rel=1e-9, abs=1e-12), name
        ends = [float(value) for name, value in row.items() if value and name.startswith("reason:")]
        assert sum(ends) + float(row["undecided"]) == pytest.approx(1), "an end is lost"


@pytest.mark.parametrize("method", ["exact", "montecarlo"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_figure_is_that_of_simulate(
    script: Path, method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every_figure(tmp_path, script, method, capsys)


def test_ends_that_share_a_column_are_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "doselang.sweep.rows.figures", lambda one: list({f.item + f.name + f.level: f for f in figures(one)}.values())
    )
    with pytest.raises(AssertionError):
        every_figure(tmp_path, SCRIPTS[0], "exact", capsys)


def simulated(row: dict[str, str], script: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """What `simulate` says of a cell, by column: its long table, and the ends of its JSON."""
    arguments = ["simulate", str(script), "--scenario", row["scenario"], "--method", row["method"]]
    if row["trials"]:
        arguments += ["--trials", row["trials"], "--seed", row["seed"]]
    assert run([*arguments, "--format", "csv"]) == 0
    found: dict[str, float] = {}
    for figure in csv.DictReader(io.StringIO(capsys.readouterr().out)):
        name = ":".join(part for part in (figure["figure"], figure["item"], figure["level"]) if part)
        if figure["figure"] != "reason":
            found[name] = found.get(name, 0.0) + float(figure["value"])
            if figure["standard_error"]:
                found[f"standard_error:{name}"] = float(figure["standard_error"])
    assert run([*arguments, "--format", "json"]) == 0
    (scenario,) = json.loads(capsys.readouterr().out)["scenarios"]
    for number, end in enumerate(scenario["reasons"]):
        name = f"reason:{end['verdict']}: {end['reason'] or ''}: {', '.join(end['rules'])}"
        assert name not in found
        found[name] = end["probability"]
        if scenario["standard_errors"] is not None:
            found[f"standard_error:{name}"] = scenario["standard_errors"]["reasons"][number]["probability"]
    return found


def test_certain_trials_have_certain_figures(tmp_path: Path) -> None:
    """Without any DLT a 3+3 climbs to the top, three patients a level and three more there; else it ends at once."""
    text = (DESIGNS / "three-plus-three.dose").read_text(encoding="utf-8")
    (tmp_path / "design.dose").write_text(text, encoding="utf-8")
    (tmp_path / "three-plus-three.md").write_bytes((DESIGNS / "three-plus-three.md").read_bytes())
    lines = ["protocol,levels,scenario,1,2,3", "design.dose,3,none,0,0,0", "design.dose,3,always,1,1,1"]
    (tmp_path / "plan.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run(["sweep", str(tmp_path / "plan.csv"), "--out", str(tmp_path / "out.csv"), "--jobs", "1"]) == 0
    none, always = table(tmp_path / "out.csv")
    assert (none["mtd:3"], none["patients_mean"], none["no_mtd"], none["dlts_mean"]) == ("1.0", "12.0", "0.0", "0.0")
    assert (always["mtd:1"], always["patients_mean"], always["no_mtd"]) == ("0.0", "3.0", "1.0")
    assert none["parameter:levels"] == "3"


def test_cells_without_figures_are_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = ", ".join(f'"{DESIGNS / name}.dose"' for name in ("three-plus-three", "boin"))
    text = f"protocols = [{paths}]\nmax-states = 500\n[scenarios]\nflat = [0.1, 0.1, 0.1, 0.1, 0.1]\n"
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    assert run(["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out.csv"), "--jobs", "1"]) == 1
    assert "1 of them without figures: 1 with DL702 too-many-states" in capsys.readouterr().out
    first, second = table(tmp_path / "out.csv")
    assert first["error"] == "" and first["mtd:1"]
    assert second["error"] == "DL702" and "more than 500 states" in second["message"] and second["mtd:1"] == ""


def test_a_fault_is_a_row_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plan(tmp_path, 8)
    arguments = ["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out.csv"), "--jobs", "1"]

    def wrong(one: Characteristics) -> Row:
        raise KeyError(one) if one.scenario.name == "s1" else MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("doselang.sweep.working.figure_row", wrong)
        assert run(arguments) == 1
    rows = table(tmp_path / "out.csv")
    assert [row["error"] for row in rows] == ["DL999", "DL704"] * 4
    assert "A fault in doselang" in rows[0]["message"] and "KeyError" in rows[0]["message"]
    assert run(arguments) == 0 and not any(row["error"] for row in table(tmp_path / "out.csv"))


def test_a_worker_of_another_version_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plan(tmp_path, 4)
    monkeypatch.setattr("doselang.sweep.working.versions", lambda: {"doselang": "0.0.1", "numpy": "1"})
    assert run(["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out.csv"), "--jobs", "1"]) == 2
    assert "A worker has doselang 0.0.1, numpy 1, and this program doselang" in capsys.readouterr().err


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    write_plan(tmp_path, 12, method="montecarlo")
    for out in ("out.csv", "out.parquet"):
        assert run(["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / out), "--jobs", "1"]) == 0
    rows = table(tmp_path / "out.csv")
    read = parquet.read_table(tmp_path / "out.parquet")
    assert read.column_names == list(rows[0])
    for row, other in zip(rows, read.to_pylist(), strict=True):
        for name, value in row.items():
            assert (other[name] is None) if value == "" else type(other[name])(value) == other[name]
    assert read.schema.field("mtd:1").type == "double" and read.schema.field("seed").type == "int64"
