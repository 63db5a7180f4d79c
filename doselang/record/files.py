"""The files of a trial's folder, opened with care: the record is an ordinary file, of a size that can be read."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doselang.diagnostics import Trouble, trouble
from doselang.durable import Hold, hold

RECORD = "record.jsonl"
LOST = "record.lost"

MOST_BYTES = 64 << 20

WAIT_SECONDS = 10.0
"""So long at most one waits for another to end writing to the same record."""
LOOK_SECONDS = 0.01


def record_path(folder: str | Path) -> Path:
    """Where the record of a trial lies."""
    return Path(folder) / RECORD


@contextmanager
def opened(folder: str | Path, flags: int, code: str) -> Iterator[int]:
    """The record of a trial, open. Raises Trouble of the code given where that is not possible."""
    path = record_path(folder)
    _refuse_strange(folder, path, code)
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, flags | careful)
    except (OSError, ValueError) as error:
        raise cannot(code, "opened" if code == "DL901" else "opened for writing", path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise trouble(code, f"{path} is not an ordinary file.")
        yield file
    finally:
        os.close(file)


def _refuse_strange(folder: str | Path, path: Path, code: str) -> None:
    """Trouble for what is no trial, in the words of what it is."""
    try:
        if not os.path.lexists(folder):
            raise trouble(code, f"There is no folder {folder}.", help="Give the folder of a trial.")
        if not os.path.isdir(folder):
            raise trouble(code, f"{folder} is not the folder of a trial.", help=f"Give the folder that {RECORD} is in.")
        found = os.lstat(path).st_mode
    except FileNotFoundError:
        help = f"A trial's folder holds {RECORD}; was it moved, or is this another folder?"
        raise trouble(code, f"There is no record in the folder {folder}.", help=help) from None
    except (OSError, ValueError) as error:
        raise cannot(code, "opened", path, error) from None
    if stat.S_ISLNK(found):
        help = "Put the file itself in its place: what a link leads to can be changed without the folder showing it."
        raise trouble(code, f"{path} is a link to another file.", help=help)
    if stat.S_ISDIR(found):
        raise trouble(code, f"{path} is a folder, not a file.")


def held(file: int, *, shared: bool = False, seconds: float = WAIT_SECONDS) -> Hold:
    """Hold a file, waiting for others for a while."""
    until = time.monotonic() + seconds
    while (found := hold(file, shared=shared)) == "in use" and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return found


def content_of(file: int, folder: str | Path) -> bytes:
    """All that a record holds. Raises Trouble DL704 where that is too much, DL901 where it cannot be read."""
    try:
        size = os.fstat(file).st_size
        if size > MOST_BYTES:
            message = f"{record_path(folder)} has {size:,} bytes, and no record is longer than {MOST_BYTES >> 20} MiB."
            raise trouble("DL704", message)
        os.lseek(file, 0, os.SEEK_SET)
        pieces = []
        while piece := os.read(file, MOST_BYTES):
            pieces.append(piece)
    except OSError as error:
        raise cannot("DL901", "read", record_path(folder), error) from None
    return b"".join(pieces)


def cannot(code: str, done: str, path: str | Path, error: Exception, help: str | None = None) -> Trouble:
    """A Trouble for what the system refuses, in its words."""
    reason = getattr(error, "strerror", None) or str(error)
    return trouble(code, f"{path} cannot be {done}: {reason}.", help=help)
