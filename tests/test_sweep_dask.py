"""Sweeps on a local Dask cluster: the same table as from processes, also when a worker is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doselang.cli import run
from tests.sweeps import ROOT, ended, journal_cells, start, swept, write_plan

pytest.importorskip("distributed", reason="the library distributed is not installed")


IMPATIENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
"""With this Dask gives a task back as soon as one worker was lost with it, instead of giving it to another."""


def launch(folder: Path, module: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def cluster(folder: Path, **variables: str) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process: its address, and the workers."""
    told = folder / "scheduler.json"
    where = ("--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(told))
    started = [launch(folder, "dask_scheduler", *where, **variables)]
    try:
        begun = time.monotonic()
        while not told.exists() or not told.read_text():
            assert time.monotonic() - begun < 60 and started[0].poll() is None
            time.sleep(0.05)
        address = json.loads(told.read_text())["address"]
        started += [
            launch(folder, "dask_worker", address, "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1")
            for _ in range(2)
        ]
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def two_workers(folder: Path, cells: int, *, kill: bool = False, broken: str = "", **variables: str) -> None:
    """Sweep on two workers, of which one may be killed when some cells are done."""
    write_plan(folder, cells, method="montecarlo")
    with cluster(folder, **variables) as (address, workers):
        process = start(folder, "plan.toml", "--out", "dask.csv", "--dask", address, broken=broken)
        if kill:
            begun = time.monotonic()
            while len(journal_cells(folder / "dask.csv.journal")) < cells // 4:
                assert time.monotonic() - begun < 120 and process.poll() is None
                time.sleep(0.005)
            workers[0].kill()
        status, _, err = ended(process)
        assert status == 0 and not err, err
    status, _, err = swept(folder, "plan.toml", "--out", "here.csv", "--jobs", "2")
    assert status == 0, err
    assert sorted(journal_cells(folder / "dask.csv.journal")) == list(range(cells))
    assert (folder / "dask.csv").read_bytes() == (folder / "here.csv").read_bytes(), "another table"


@pytest.mark.parametrize("kill", [False, True], ids=["left alone", "one killed"])
def test_a_cluster_gives_the_same_table(kill: bool, tmp_path: Path) -> None:
    two_workers(tmp_path, 60, kill=kill)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True], ids=["left alone", "one killed"])
def test_a_cluster_gives_the_same_table_of_two_thousand_cells(kill: bool, tmp_path: Path) -> None:
    two_workers(tmp_path, 2_000, kill=kill)


def test_what_dask_gives_up_is_tried_again(tmp_path: Path) -> None:
    two_workers(tmp_path, 60, kill=True, **IMPATIENT)


def test_what_is_given_up_and_lost_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="A fault"):
        two_workers(tmp_path, 60, kill=True, broken="loses what a lost worker had", **IMPATIENT)


def test_a_table_that_depends_on_the_order_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="another table"):
        two_workers(tmp_path, 40, broken="takes seeds in order")


def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_plan(tmp_path, 4)
    for address, told in (("nowhere", "is not the address of a scheduler"), ("127.0.0.1:9", "cannot be reached")):
        status = run(["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "o.csv"), "--dask", address])
        assert status == 2 and told in capsys.readouterr().err
