"""Files that keep what is written to them: held by one process, written whole, with names that the disk keeps."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Hold = Literal["held", "in use", "no locks"]


def has_locks() -> bool:
    """Whether the system can hold files at all."""
    return find_spec("fcntl") is not None


def hold(file: int, *, shared: bool = False) -> Hold:
    """Hold an open file for this process until it is closed, without waiting; whether that was possible.

    `shared` lets others hold it in the same way, and no other. Some systems and file systems have no such locks.
    """
    try:
        import fcntl
    except ImportError:
        return "no locks"
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return "in use"
    except OSError:
        return "no locks"
    return "held"


def write_whole(file: int, content: bytes) -> None:
    """Write all of it where the file stands: in one step, unless the system takes less at a time. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def keep_names(folder: str | Path) -> None:
    """Make the disk keep the names in a folder: that a file was made there, or renamed. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
