"""Sweeps as programs of their own, that can be killed; and broken ones, of which the tests must notice."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doselang.sweep.journal import record_in

ROOT = Path(__file__).parent.parent
DESIGNS = ROOT / "protocols" / "designs"

PROGRAM = """
import sys
{broken}
from doselang.cli import main
sys.argv = ["doselang", *sys.argv[1:]]
main()
"""

BROKEN = {
    "keeps torn lines": """
from doselang.sweep.journal import Journal
def cut(self, size):
    self._file.seek(0, 2)
    self._size = size
Journal._cut = cut
""",
    "forgets what is done": """
from doselang.sweep.journal import Journal
class Forgetful(dict):
    def __contains__(self, cell):
        return False
read = Journal._read
def forget(self, versions):
    read(self, versions)
    self.done = Forgetful(self.done)
Journal._read = forget
""",
    "begins anew each time": """
from doselang.sweep.journal import Journal
read = Journal._read
def forget(self, versions):
    self._file.truncate(0)
    read(self, versions)
Journal._read = forget
""",
    "takes seeds in order": """
import itertools
import doselang.sweep.running as running
count, asked = itertools.count(), running.Asked
running.Asked = lambda number, scenario, seed: asked(number, scenario, next(count))
""",
    "loses what a lost worker had": """
from doselang.sweep.running import Sweep
Sweep._lose = lambda self, units: None
""",
    "writes the table in place": """
import doselang.sweep.results as results
def write_table(out, rows):
    results.WRITERS[results.Path(out).suffix](out, results.columns_of(rows()), rows)
import doselang.cli.sweeping as sweeping
sweeping.write_table = write_table
""",
}
"""Faults put into the program that hands out the work, by what it then does."""


def start(
    folder: Path, *arguments: str, broken: str = "", before: Sequence[str] = (), **options: object
) -> subprocess.Popen[str]:
    """Start `doselang sweep` in a folder, in a group of processes of its own."""
    program = PROGRAM.format(broken=BROKEN.get(broken, broken))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    return subprocess.Popen(
        [*before, sys.executable, "-c", program, "sweep", *arguments],
        cwd=folder, env=environment, text=True, **(settings | options),
    )  # type: ignore[call-overload]  # fmt: skip


def ended(process: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    """The exit status, and what was printed."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def swept(folder: Path, *arguments: str, **options: Any) -> tuple[int, str, str]:
    """Sweep in a folder, to the end."""
    return ended(start(folder, *arguments, **options))


def write_plan(folder: Path, cells: int, *, method: str = "exact", trials: int = 200) -> Path:
    """A plan of at least so many cells, of two protocols, each with two sets of parameters."""
    each = -(-cells // 4)
    chooser = random.Random(7)
    rows = [sorted(round(chooser.uniform(0, 0.7), 4) for _ in range(4)) for _ in range(each)]
    lines = ["name,1,2,3,4", *(f"s{number},{','.join(map(str, row))}" for number, row in enumerate(rows, 1))]
    (folder / "scenarios.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    paths = ", ".join(f'"{DESIGNS / name}.dose"' for name in ("boin", "ccd"))
    simulated = f'method = "montecarlo"\ntrials = {trials}\nseed = 11\n' if method == "montecarlo" else ""
    text = f'protocols = [{paths}]\nscenarios = "scenarios.csv"\n{simulated}'
    text += '[parameters]\nlevels = 4\ncohorts = 3\ntarget = [0.25, "30%"]\n'
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return folder / "plan.toml"


def journal_cells(journal: Path) -> list[int]:
    """The cells in a journal, as often as they are there."""
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    records = [record_in(line) for line in lines[1:]]
    return [record["cell"] for record in records if record is not None]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kill_at_random(folder: Path, times: int, chooser: random.Random, arguments: Sequence[str], *, broken: str = "",
                   full_size: int, early: float = 0.3) -> list[list[int]]:  # fmt: skip
    """Kill a sweep again and again, at random moments; what its journal held after each time.

    A moment is one at which the journal has grown by a random number of bytes, or a random time after the start, so
    that reading the plan, the work, and the writing of lines are all met. `early` is how often it is such a time.
    """
    journal = folder / "out.csv.journal"
    held = []
    for _ in range(times):
        before = journal.stat().st_size if journal.exists() else 0
        grown = before + 3_000 + chooser.randrange(max(1, full_size // (times + 2) - 3_000))
        patience = chooser.uniform(0.0, 1.0) if chooser.random() < early else 60.0
        process = start(folder, *arguments, broken=broken)
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() - begun < patience:
            if journal.exists() and journal.stat().st_size >= grown:
                break
            time.sleep(0.001)
        process.kill()
        process.communicate()
        wait_for_the_lock(journal)
        held.append(journal_cells(journal))
    return held


def wait_for_the_lock(journal: Path, seconds: float = 10) -> None:
    """Wait until no process holds a journal: a killed one lets go of it at once, its file may take a moment."""
    import fcntl

    begun = time.monotonic()
    while journal.exists():
        with journal.open("rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                assert time.monotonic() - begun < seconds, "a worker still holds the journal"
        time.sleep(0.01)


def workers_of(pid: int) -> list[int]:
    """The worker processes of a sweep."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in line:
            found.append(int(child))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
