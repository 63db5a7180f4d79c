"""Programs that write a trial's record, to be run beside one another, killed, or on a disk that is full."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import doselang.record.files as record_files
import doselang.record.writing as record_writing
from doselang.diagnostics import Trouble
from doselang.record.entries import Draft
from doselang.record.reading import read, verify
from doselang.record.writing import begin, writing
from tests.records import BODIES, PROTOCOL, drafts, time_of


def append(trial: str, name: str, number: int) -> None:
    """Add so many entries, one at a time, each saying how many were there when it was made."""
    for place in range(number):
        with writing(trial, seconds=120) as record:
            body = {"place": place, "before": len(record.entries)}
            record.append(Draft("note", body, name, time_of(0)))


def append_without_lock(trial: str, name: str, number: int) -> None:
    """The same by a writer that only believes that it is alone."""
    record_files.hold = lambda *_, **__: "held"
    append(trial, name, number)


# ---- killed ----


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """A process that does some work, and may tell by a pipe what is done: its id, and the pipe."""
    reading, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(telling)
        finally:
            os._exit(3)  # it works until it is killed
    os.close(telling)
    return child, reading


def killed(child: int, told: int) -> list[int]:
    """The numbers that a process had told when it was killed."""
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status), "the writer ended before it was killed"
    content = b""
    while piece := os.read(told, 65536):
        content += piece
    os.close(told)
    return [int(line) for line in content.splitlines()]


def killed_appends(room: str, kills: int, seed: int, pieces: int) -> None:
    """Kill a writer at so many random moments; after each the record has all that was acknowledged, and is whole.

    With `pieces` an entry is written so many bytes at a time, without waiting for the disk: more kills fall into it.
    """
    chance, unfinished, trial, acknowledged = random.Random(seed), 0, Path(room), 0
    if pieces:
        write_in_pieces(pieces)

    def work(telling: int) -> None:
        while True:
            with writing(trial) as record:
                draft = Draft("note", chance.choice(BODIES), "Ann", time_of(0))
                os.write(telling, b"%d\n" % record.append(draft).number)

    for kill in range(kills):
        if kill % 50 == 0:
            trial, acknowledged = Path(room) / f"trial-{kill}", 1
            begin(trial, PROTOCOL, drafts(1)[0])
        child, told = forked(work)
        time.sleep(chance.uniform(0.0, 0.008))
        acknowledged = max([acknowledged, *killed(child, told)])
        chain = read(trial)
        assert acknowledged <= len(chain.entries) <= acknowledged + 1, "more than the entry being written was lost"
        acknowledged, unfinished = len(chain.entries), unfinished + bool(chain.tail)
        if chance.random() < 0.3:
            with writing(trial) as record:
                assert record.lost == chain.tail
                acknowledged = record.append(Draft("note", {}, "Bea", time_of(0))).number
            chain = read(trial)
            assert len(chain.entries) == acknowledged and not chain.tail and not verify(trial).chain.findings
    print(json.dumps({"kills": kills, "unfinished": unfinished}))


def write_in_pieces(size: int) -> None:
    def slowly(file: int, content: bytes) -> None:
        for place in range(0, len(content), size):
            os.write(file, content[place : place + size])
            time.sleep(0.00005)

    record_writing.write_whole = slowly
    record_writing.os.fsync = lambda file: None


def killed_beginnings(room: str, kills: int, seed: int) -> None:
    """Kill a program that begins trials: each is there as a whole, or not at all.

    Every other one does not wait for the disk, so that there are many whole ones however busy the disk is.
    """
    chance, whole = random.Random(seed), 0

    def work(telling: int) -> None:
        number = 0
        if kill % 2:
            record_writing.os.fsync = lambda file: None
        while True:
            begin(Path(room) / f"{kill}-{number}", PROTOCOL, drafts(1)[0])
            os.write(telling, b"%d\n" % number)
            number += 1

    for kill in range(kills):
        child, told = forked(work)
        time.sleep(chance.uniform(0.0, 0.03))
        begun = killed(child, told)
        found = sorted(int(path.name.split("-")[1]) for path in Path(room).glob(f"{kill}-*"))
        assert found in (begun, [*begun, len(begun)])
        for number in found:
            chain = verify(Path(room) / f"{kill}-{number}").chain
            assert len(chain.entries) == 1 and not chain.findings
        whole += len(found)
    print(json.dumps({"kills": kills, "whole": whole}))


# ---- disks that refuse ----


def refused(trial: Path) -> Trouble:
    """Add entries until one is refused; the record is then as it was before that one."""
    while True:
        before = (trial / "record.jsonl").read_bytes()
        try:
            with writing(trial) as record:
                record.append(Draft("note", {"text": "x" * 700}, "Ann", time_of(0)))
        except Trouble as error:
            assert (trial / "record.jsonl").read_bytes() == before
            assert not verify(trial).chain.findings
            return error


def full_disk(room: str) -> None:
    """On a small disk that is full, and has room again."""
    trial, filler = Path(room) / "trial", Path(room) / "filler"
    begin(trial, PROTOCOL, drafts(1)[0])
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    error = refused(trial)
    assert "No space left on device" in str(error), error
    try:
        begin(Path(room) / "another", PROTOCOL, drafts(1)[0])
        raise AssertionError("there is no room for another trial")
    except Trouble as another:
        assert another.diagnostic.code == "DL812" and sorted(os.listdir(room)) == ["filler", "trial"]
    filler.unlink()
    with writing(trial) as record:
        record.append(Draft("note", {"text": "x" * 700}, "Ann", time_of(0)))
    assert not verify(trial).chain.findings
    print(json.dumps([error.diagnostic.code, str(error)]))


def size_limit(room: str) -> None:
    """Where the system lets a file grow only so far: the last write is a short one."""
    trial = Path(room) / "trial"
    begin(trial, PROTOCOL, drafts(1)[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    error = refused(trial)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with writing(trial) as record:
        record.append(Draft("note", {}, "Ann", time_of(0)))
    assert not verify(trial).chain.findings
    print(json.dumps([error.diagnostic.code, str(error)]))


def read_only(trial: str) -> None:
    """On a disk that can only be read."""
    assert not verify(trial).chain.findings
    error = refused(Path(trial))
    print(json.dumps([error.diagnostic.code, str(error)]))


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    globals()[name](*(int(one) if one.isdigit() else one for one in arguments))
