"""The record is kept: killed writers, many writers, full and read-only disks lose nothing that was acknowledged."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import doselang.durable as durable
import doselang.record.reading as record_reading
import doselang.record.writing as record_writing
from doselang.diagnostics import Trouble
from doselang.record.entries import Draft, line_of, made
from doselang.record.reading import read, verify
from doselang.record.writing import begin, writing
from tests.documents import ROOT
from tests.records import BODIES, PROTOCOL, begun, drafts, time_of

pytest.importorskip("fcntl")

NOTE = Draft("note", BODIES[1], "Ann", time_of(9))


def content(trial: Path) -> bytes:
    return (trial / "record.jsonl").read_bytes()


def append(trial: Path) -> bytes:
    """Add an entry; what was cut off before."""
    with writing(trial) as record:
        lost = record.lost
        record.append(NOTE)
    return lost


def program(name: str, *arguments: object, before: tuple[str, ...] = ()) -> list:
    """Run a program of `tests/record_writers.py`; what it prints."""
    command = [*before, sys.executable, "-m", "tests.record_writers", name, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def tree(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- killed while an entry is written ----


def cut_short(folder: Path) -> None:
    """Every prefix of an append: what was there stays, what is unfinished is told, and put away by the next append."""
    trial = begun(folder, 3)
    before = content(trial)
    line = line_of(made(NOTE, read(trial).entries, PROTOCOL.hash))
    for size in range(len(line)):
        (trial / "record.jsonl").write_bytes(before + line[:size])
        (trial / "record.lost").unlink(missing_ok=True)
        chain = read(trial)
        assert len(chain.entries) == 3 and chain.tail == line[:size], size
        assert [finding.what for finding in chain.findings] == (["incomplete"] if size else []), size
        assert content(trial) == before + line[:size], "a reader changes nothing"
        assert append(trial) == line[:size] and content(trial) == before + line, size
        assert not verify(trial).chain.findings, size
        assert not size or (trial / "record.lost").read_bytes() == line[:size] + b"\n", size


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes, without waiting for the disk."""
    monkeypatch.setattr(record_writing.os, "fsync", lambda file: None)


def test_every_prefix_of_an_append_is_recovered_from(tmp_path: Path, unsynced: None) -> None:
    cut_short(tmp_path)


def test_an_append_that_does_not_cut_off_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsynced: None
) -> None:
    monkeypatch.setattr(record_writing.Writer, "_put_away_lost", lambda self: None)
    with pytest.raises((AssertionError, Trouble)):
        cut_short(tmp_path)


def test_what_is_lost_is_kept_piece_after_piece(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    for piece in (b'{"act', b"\xff", b'{"act'):
        with (trial / "record.jsonl").open("ab") as file:
            file.write(piece)
        assert append(trial) == piece
    assert (trial / "record.lost").read_bytes() == b'{"act\n\xff\n{"act\n'
    assert len(read(trial).entries) == 4


def test_a_piece_is_kept_once_where_it_could_not_be_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path)
    with (trial / "record.jsonl").open("ab") as file:
        file.write(b'{"act')
    before = content(trial)
    with monkeypatch.context() as patched:
        patched.setattr(record_writing.os, "ftruncate", failing(errno.EIO))
        with pytest.raises(Trouble, match="cannot be written: Input/output error"):
            append(trial)
    assert content(trial) == before
    append(trial)
    assert (trial / "record.lost").read_bytes() == b'{"act\n'


def test_looking_into_a_record_puts_nothing_away(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    with (trial / "record.jsonl").open("ab") as file:
        file.write(b'{"act')
    before = tree(trial)
    with writing(trial) as record:
        assert record.lost == b'{"act' and [remark.what for remark in record.remarks] == ["incomplete"]
        with pytest.raises(Trouble, match="cannot be entered"):
            record.append(Draft("", {}, "Ann", time_of(9)))
    assert tree(trial) == before


@pytest.mark.parametrize(("seed", "pieces"), [(1, 0), (2, 48)])
def test_five_hundred_killed_writers_lose_at_most_the_entry_being_written(
    tmp_path: Path, seed: int, pieces: int
) -> None:
    told = program("killed_appends", tmp_path, 500, seed, pieces)
    assert told["kills"] == 500 and (told["unfinished"] > 25 or not pieces)


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [0, 1, 7, 300])
def test_many_more_killed_writers(tmp_path: Path, pieces: int) -> None:
    program("killed_appends", tmp_path, 3000, 10 + pieces, pieces)


def test_a_beginning_that_is_killed_leaves_nothing_or_a_whole_trial(tmp_path: Path) -> None:
    told = program("killed_beginnings", tmp_path, 100, 3)
    assert told["kills"] == 100 and told["whole"] > 20


STEPS = 18
"""So many calls of the system make, write and put in its place a trial with two files."""


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_a_beginning_that_fails_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each call of the system in turn is refused, and at last none."""
    calls = Counter[str]()

    def counted(real: Callable) -> Callable:
        def call(*given: object, **more: object) -> object:
            calls["all"] += 1
            if calls["all"] == step + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*given, **more)

        return call

    with monkeypatch.context() as patched:
        for name in ("mkdir", "open", "write", "fsync", "rename"):
            patched.setattr(record_writing.os, name, counted(getattr(os, name)))
        try:
            begin(tmp_path / "trial", PROTOCOL, drafts(1)[0])
            left = ["trial"]
        except Trouble as error:
            assert error.diagnostic.code == "DL812" and "No space left on device" in str(error)
            left = []
    assert os.listdir(tmp_path) == left
    assert (step < STEPS) == (left == [])
    if left:
        assert not verify(tmp_path / "trial").chain.findings


# ---- many writers ----


def ten_writers(trial: Path, name: str) -> None:
    """Ten processes, each adding twenty entries at the same time: all are there, in one row."""
    command = [sys.executable, "-m", "tests.record_writers", name, str(trial)]
    writers = [
        subprocess.Popen([*command, f"W{number}", "20"], cwd=ROOT, env=environment(), stderr=subprocess.PIPE)
        for number in range(10)
    ]
    told = [writer.communicate()[1] for writer in writers]
    assert all(writer.returncode == 0 for writer in writers), told[0].decode()
    entries = read(trial).entries
    assert not verify(trial).chain.findings and [entry.number for entry in entries] == list(range(1, 202))
    for number in range(10):
        own = [entry.body for entry in entries if entry.actor == f"W{number}"]
        assert [body["place"] for body in own] == list(range(20))
    assert [entry.body["before"] for entry in entries[1:]] == list(range(1, 201)), "each knew all that came before it"


def test_ten_writers_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    ten_writers(begun(tmp_path), "append")


def test_writers_without_a_lock_are_noticed(tmp_path: Path) -> None:
    with pytest.raises((AssertionError, Trouble)):
        ten_writers(begun(tmp_path), "append_without_lock")


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    with writing(trial) as first:
        with pytest.raises(Trouble, match="Another is writing to") as told, writing(trial, seconds=0.05):
            pass
        assert told.value.diagnostic.code == "DL812" and told.value.diagnostic.help
        first.append(NOTE)
        assert len(read(trial).entries) == 2, "readers do not wait"
    append(trial)
    assert len(read(trial).entries) == 3


def test_an_entry_that_is_being_written_is_not_called_unfinished_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that meets half an entry waits for its writer."""
    trial = begun(tmp_path)
    line = line_of(made(NOTE, read(trial).entries, PROTOCOL.hash))
    with (trial / "record.jsonl").open("ab", buffering=0) as file:
        file.write(line[:100])

        def finish(*_: object, **__: object) -> str:
            file.write(line[100:])
            return "held"

        monkeypatch.setattr(record_reading, "held", finish)
        chain = read(trial)
    assert len(chain.entries) == 2 and not chain.findings


def test_a_record_that_was_replaced_while_waiting_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = begun(tmp_path, 2)
    shutil.copy(trial / "record.jsonl", trial / "copy")

    def replace(*_: object, **__: object) -> str:
        os.replace(trial / "copy", trial / "record.jsonl")
        return "held"

    monkeypatch.setattr(record_writing, "held", replace)
    with pytest.raises(Trouble, match="was replaced by another file"):
        append(trial)
    assert len(read(trial).entries) == 2


def test_where_there_are_no_locks_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path, 2)
    before = tree(tmp_path)
    monkeypatch.setattr(durable, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    for write in (lambda: append(trial), lambda: begin(tmp_path / "other", PROTOCOL, drafts(1)[0])):
        with pytest.raises(Trouble, match="there are no file locks here") as told:
            write()
        assert told.value.diagnostic.code == "DL812"
    assert tree(tmp_path) == before and len(read(trial).entries) == 2


# ---- disks that refuse ----


def failing(number: int) -> Callable:
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def unshared(commands: str) -> tuple[str, ...]:
    """What comes before a program to give it mounts of its own; skips where that is not allowed."""
    before = ("unshare", "-m", "sh", "-c", f'{commands} && exec "$@"', "sh")
    try:
        allowed = subprocess.run([*before, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("mounting is not allowed here")
    return before


def test_a_full_disk_is_told_and_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    code, message = program("full_disk", tmp_path, before=unshared(f"mount -t tmpfs -o size=64k none {tmp_path}"))
    assert code == "DL812" and "cannot be written: No space left on device." in message


def test_a_write_that_is_cut_short_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    code, message = program("size_limit", tmp_path)
    assert code == "DL812" and "cannot be written: File too large." in message


def test_a_read_only_disk_is_told(tmp_path: Path) -> None:
    trial = begun(tmp_path, 3)
    before = unshared(f"mount --bind {trial} {trial} && mount -o remount,ro,bind {trial}")
    code, message = program("read_only", trial, before=before)
    assert code == "DL812" and "cannot be opened for writing: Read-only file system." in message


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM, errno.ENFILE])
def test_a_record_that_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    trial = begun(tmp_path, 3)
    before = tree(tmp_path)
    for work, code in ((lambda: append(trial), "DL812"), (lambda: read(trial), "DL901")):
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", failing(number))
            with pytest.raises(Trouble, match=re.escape(os.strerror(number))) as told:
                work()
        assert told.value.diagnostic.code == code
    assert tree(tmp_path) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("written", [0, 1, 200, 10_000])
@pytest.mark.parametrize("unfinished", [b"", b'{"act'])
def test_a_write_that_fails_leaves_the_record_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, written: int, unfinished: bytes
) -> None:
    trial = begun(tmp_path, 3)
    before = content(trial)
    (trial / "record.jsonl").write_bytes(before + unfinished)

    def short(file: int, content: bytes) -> None:
        if content != unfinished + b"\n":
            os.write(file, content[:written])
            raise OSError(number, os.strerror(number))
        durable.write_whole(file, content)

    with monkeypatch.context() as patched:
        patched.setattr(record_writing, "write_whole", short)
        with writing(trial) as record:
            with pytest.raises(Trouble, match="cannot be written") as told:
                record.append(NOTE)
            assert content(trial) == before and len(record.entries) == 3
            patched.undo()
            record.append(NOTE)  # room was made
    assert told.value.diagnostic.code == "DL812" and "the record is as it was before" in str(told.value.diagnostic.help)
    assert len(read(trial).entries) == 4 and not verify(trial).chain.findings


def test_the_disk_is_waited_for_before_an_entry_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written to which file, and then waited for; with the folders that a new name is in."""
    calls: list[tuple[str, str]] = []

    def noted(name: str) -> Callable:
        real = getattr(os, name)

        def call(file: int, *given: object) -> object:
            calls.append((name, os.path.basename(os.readlink(f"/proc/self/fd/{file}"))))
            return real(file, *given)

        return call

    if not Path("/proc/self/fd").exists():
        pytest.skip("the names of open files are not known here")
    for name in ("write", "fsync"):
        monkeypatch.setattr(record_writing.os, name, noted(name))
    begin(tmp_path / "trial", PROTOCOL, drafts(1)[0])
    files = ["trial.dose", "trial.md", "protocol", "record.jsonl"]
    waited = [name for kind, name in calls if kind == "fsync"]
    assert waited[:4] == files and waited[4].startswith(".trial.") and waited[5:] == [tmp_path.name]
    calls.clear()
    append(tmp_path / "trial")
    assert calls == [("write", "record.jsonl"), ("fsync", "record.jsonl")], "one write"


def test_a_disk_that_does_not_keep_an_entry_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path, 3)
    before = content(trial)
    with monkeypatch.context() as patched:
        patched.setattr(record_writing.os, "fsync", failing(errno.EIO))
        with pytest.raises(Trouble, match="cannot be written: Input/output error"):
            append(trial)
    assert content(trial) == before


def test_a_disk_that_neither_writes_nor_cuts_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path, 3)
    with monkeypatch.context() as patched:
        patched.setattr(record_writing.os, "fsync", failing(errno.EIO))
        patched.setattr(record_writing.os, "ftruncate", failing(errno.EIO))
        with pytest.raises(Trouble, match="cannot be written") as told:
            append(trial)
    assert "It may be in the record or not" in str(told.value.diagnostic.help)


def test_an_entry_that_is_interrupted_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path, 3)
    before = content(trial)

    def interrupted(file: int) -> None:
        raise KeyboardInterrupt

    with writing(trial) as record:
        with monkeypatch.context() as patched:
            patched.setattr(record_writing.os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                record.append(NOTE)
        assert content(trial) == before and len(record.entries) == 3
        record.append(NOTE)
    assert len(read(trial).entries) == 4 and not verify(trial).chain.findings


def test_a_program_that_asks_for_no_lock_is_noticed(tmp_path: Path) -> None:
    trial = begun(tmp_path, 3)
    with writing(trial) as record:
        with (trial / "record.jsonl").open("ab") as file:
            file.write(b"x")
        with pytest.raises(Trouble, match="was changed by another program while it was held"):
            record.append(NOTE)


def test_a_writer_writes_nowhere_after_its_block(tmp_path: Path) -> None:
    trial = begun(tmp_path, 3)
    with writing(trial) as record:
        pass
    before = tree(tmp_path)
    with open(tmp_path / "other", "wb"), pytest.raises(Trouble, match="cannot be written"):
        record.append(NOTE)
    assert tree(tmp_path) == {**before, "other": b""}


def test_where_the_unfinished_piece_cannot_be_kept_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = begun(tmp_path, 3)
    with (trial / "record.jsonl").open("ab") as file:
        file.write(b'{"act')
    before = tree(trial)
    monkeypatch.setattr(record_writing, "_keep_lost", failing(errno.ENOSPC))
    with pytest.raises(Trouble, match=r"record\.lost cannot be written: No space left"):
        append(trial)
    assert tree(trial) == before


def test_an_amendment_that_fails_leaves_the_record_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path, 3)
    before = tree(tmp_path)
    monkeypatch.setattr(record_writing, "write_copy", failing(errno.ENOSPC))
    with pytest.raises(Trouble, match="protocol-2 cannot be made: No space left"), writing(trial) as record:
        record.amend(NOTE, PROTOCOL)
    assert tree(tmp_path) == before


# ---- what is no record ----


def as_link(trial: Path) -> None:
    (trial / "record.jsonl").rename(trial / "other")
    (trial / "record.jsonl").symlink_to("other")


def as_folder(trial: Path) -> None:
    (trial / "record.jsonl").unlink()
    (trial / "record.jsonl").mkdir()


def as_pipe(trial: Path) -> None:
    (trial / "record.jsonl").unlink()
    os.mkfifo(trial / "record.jsonl")


STRANGE: tuple[tuple[Callable[[Path], object], str], ...] = (
    (as_link, "is a link to another file"),
    (as_folder, "is a folder, not a file"),
    (as_pipe, "is not an ordinary file"),
    (lambda trial: (trial / "record.jsonl").unlink(), "There is no record in the folder"),
    (shutil.rmtree, "There is no folder"),
    (lambda trial: (shutil.rmtree(trial), trial.write_bytes(b"x")), "is not the folder of a trial"),
    (lambda trial: (shutil.rmtree(trial), trial.symlink_to(trial)), "is not the folder of a trial"),
)


@pytest.mark.parametrize(("change", "words"), STRANGE, ids=[words for _, words in STRANGE])
def test_what_is_no_record_is_told(tmp_path: Path, change: Callable[[Path], object], words: str) -> None:
    trial = begun(tmp_path, 2)
    change(trial)
    for work, code in (
        (lambda: append(trial), "DL812"),
        (lambda: read(trial), "DL901"),
        (lambda: verify(trial), "DL901"),
    ):
        with pytest.raises(Trouble, match=words) as told:
            work()
        assert told.value.diagnostic.code == code


def test_names_that_no_file_can_have_are_told() -> None:
    for work in (lambda: read("a\0b"), lambda: append(Path("a\0b")), lambda: begin("a\0b", PROTOCOL, drafts(1)[0])):
        with pytest.raises(Trouble):
            work()


def test_a_record_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    with (trial / "record.jsonl").open("r+b") as file:
        file.truncate((64 << 20) + 1)
    for work in (lambda: append(trial), lambda: read(trial)):
        with pytest.raises(Trouble, match="no record is longer than 64 MiB") as told:
            work()
        assert told.value.diagnostic.code == "DL704"


def test_a_record_does_not_become_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(tmp_path)
    before = content(trial)
    monkeypatch.setattr(record_writing, "MOST_BYTES", len(before) + 100)
    with pytest.raises(Trouble, match="would be longer than"):
        append(trial)
    assert content(trial) == before


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"x"), lambda path: path.symlink_to("no")])
def test_a_beginning_writes_over_nothing(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "trial")
    before = os.lstat(tmp_path / "trial")
    with pytest.raises(Trouble, match="is there already") as told:
        begin(tmp_path / "trial", PROTOCOL, drafts(1)[0])
    assert told.value.diagnostic.code == "DL812" and os.listdir(tmp_path) == ["trial"]
    assert os.lstat(tmp_path / "trial").st_ino == before.st_ino


def test_a_beginning_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be made: No such file or directory") as told:
        begin(tmp_path / "no" / "trial", PROTOCOL, drafts(1)[0])
    assert "There is no folder" in str(told.value.diagnostic.help)


def test_a_damaged_record_is_not_written_to(tmp_path: Path) -> None:
    trial = begun(tmp_path, 5)
    lines = content(trial).splitlines(keepends=True)
    (trial / "record.jsonl").write_bytes(b"".join([*lines[:2], *lines[3:]]))
    before = tree(tmp_path)
    for work in (lambda: append(trial), lambda: read(trial)):
        with pytest.raises(Trouble, match=r"is damaged\. Entry 3 is missing") as told:
            work()
        assert told.value.diagnostic.code == "DL811" and "trial verify" in str(told.value.diagnostic.help)
    assert tree(tmp_path) == before
