"""The journal of a sweep: a file to which every cell that is done is added, so that nothing is lost or done twice.

Each line is a checksum of eight hexadecimal digits, a space, and a JSON object. The first line, the head, says which
plan the journal is of; every other is one cell. A line counts only if it is whole. A line that was being written when
everything stopped has no end, or a wrong checksum: it is cut off, and its cell is done again.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any
from zlib import crc32

from attrs import define, field

from doselang.diagnostics import Trouble, trouble
from doselang.durable import hold, keep_names, write_whole
from doselang.sweep.plan import Cell, Plan, Sections, changes
from doselang.sweep.rows import Row

FORM = 1
"""The form of the journal; raised when an older doselang could not read it any more."""

FLUSH_SECONDS = 1.0
"""So often at most the disk is made to keep what was written; a process that is killed loses nothing anyway."""


def journal_path(out: str) -> str:
    """Where the journal of a result lies: beside it."""
    return f"{out}.journal"


def line_of(record: object) -> bytes:
    """A record as a line."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (crc32(text), text)


def record_in(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if the line is not whole."""
    if not re.match(rb"[0-9a-f]{8} \{", line) or not line.endswith(b"\n"):
        return None
    text = line[9:-1]
    if crc32(text) != int(line[:8], 16):
        return None
    record: dict[str, Any] = json.loads(text)
    return record


@define
class Journal:
    """An open journal, held by this process alone. `done` has the place of the line of each cell that is done."""

    path: str
    plan: Plan
    _file: FileIO
    done: dict[int, int] = field(factory=dict)
    damaged: int = 0
    _size: int = 0
    _flushed: float = 0.0

    # ---- opening ----

    @classmethod
    def open(cls, path: str, plan: Plan, versions: dict[str, str], *, fresh: bool = False) -> Journal:
        """Open the journal of a plan, or begin one. `fresh` throws away what an earlier sweep has done.

        `versions` are those of the programs that make the figures. Raises Trouble DL901 where the file cannot be
        written or is in use, DL903 where it is of another plan, or of other versions.
        """
        file = _opened(path)
        journal = cls(path, plan, file)
        try:
            _lock(file, path)
            if fresh:
                journal._guarded(lambda: file.truncate(0))
            journal._read(versions)
        except BaseException:
            file.close()
            raise
        return journal

    def _read(self, versions: dict[str, str]) -> None:
        """Find what is done; cut off what is not whole at the end; write the head of a new journal."""
        with open(self.path, "rb") as lines:
            head = lines.readline()
            place = self._read_lines(head, lines, versions) if head.endswith(b"\n") else 0
        if place == 0 and head and not re.fullmatch(rb"[0-9a-f]{8} \{.*|[0-9a-f]{0,8} ?", head):
            raise self._not_a_journal()
        self._cut(place)
        if place == 0:
            self._write(line_of(self._head(versions)))
            self._guarded(lambda: keep_names(Path(self.path).parent))

    def _read_lines(self, head: bytes, lines: Iterable[bytes], versions: dict[str, str]) -> int:
        """Note what is done, if the head is of the same plan; the end of what is whole."""
        record = record_in(head)
        if record is None or record.get("sweep") != FORM:
            raise self._not_a_journal()
        self._refuse_another(record, versions)
        place = len(head)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            cell = record_in(line)
            if cell is None or not self._enter(cell, place):
                self.damaged += 1
            place += len(line)
        return place

    def _enter(self, record: dict[str, Any], place: int) -> bool:
        """Note a cell as done, if the line is of one of the plan's cells, and the first of it."""
        number = record.get("cell")
        if not isinstance(number, int) or not 0 <= number < len(self.plan.cells) or number in self.done:
            return False
        if record.get("identity") != self.plan.cells[number].identity[:16]:
            return False
        self.done[number] = place
        return True

    def _head(self, versions: dict[str, str]) -> dict[str, Any]:
        plan = self.plan
        return {
            "sweep": FORM, "versions": versions, "cells": len(plan.cells), "identity": plan.identity(),
            "plan": plan.sections,
        }  # fmt: skip

    def _refuse_another(self, head: dict[str, Any], versions: dict[str, str]) -> None:
        """Trouble where the journal was begun for another plan, with other protocols, or by other programs."""
        sections: Sections = head["plan"]
        told = changes(sections, self.plan.sections)
        for name, version in versions.items():
            if head["versions"].get(name) != version:
                told.append(f"{name} was {head['versions'].get(name)}, and is {version} now")
        if not told and head["identity"] != self.plan.identity():
            told = ["its cells are others"]
        if told:
            help = f"Give another `--out`, or `--fresh` to throw away what {self.path} holds and begin anew."
            raise trouble("DL903", f"The sweep has changed since {self.path} was begun: {'; '.join(told)}.", help=help)

    def _not_a_journal(self) -> Trouble:
        return trouble("DL903", f"{self.path} is there already, and is not the journal of a sweep.",
                       help="Give another `--out`, or move that file away.")  # fmt: skip

    # ---- adding ----

    def add(self, rows: Sequence[tuple[Cell, Row]]) -> None:
        """Add cells that are done; one that is there already is passed over. Raises Trouble DL901."""
        lines, places, place = [], {}, self._size
        for cell, row in rows:
            if cell.number not in self.done and cell.number not in places:
                lines.append(line_of({"cell": cell.number, "identity": cell.identity[:16], "row": row}))
                places[cell.number] = place
                place += len(lines[-1])
        self._write(b"".join(lines))
        self.done.update(places)

    def _write(self, content: bytes) -> None:
        """Add to the end, or leave the file as it was."""

        def write() -> None:
            write_whole(self._file.fileno(), content)
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self.flush()

        self._guarded(write)
        self._size += len(content)

    def flush(self) -> None:
        """Make the disk keep what was written."""
        os.fsync(self._file.fileno())
        self._flushed = time.monotonic()

    def _cut(self, size: int) -> None:
        def cut() -> None:
            self._file.truncate(size)
            self._file.seek(size)

        self._guarded(cut)
        self._size = size

    def _guarded(self, change: Callable[[], object]) -> None:
        """Change the file; where that fails, leave it as it was, and say so."""
        try:
            change()
        except OSError as error:
            with suppress(OSError):  # then the next reading cuts it off
                self._file.truncate(self._size)
                self._file.seek(self._size)
            raise _cannot("written", self.path, error, f"{len(self.done):,} cells are kept in it. ") from None

    # ---- reading back ----

    def rows(self) -> Iterator[Row]:
        """The rows of all cells that are done, in the plan's order."""
        with open(self.path, "rb") as file:
            for number in sorted(self.done):
                file.seek(self.done[number])
                record = record_in(file.readline())
                if record is None:
                    raise trouble("DL901", f"{self.path} was changed by another program.", help="Run the sweep again.")
                yield record["row"]

    def close(self) -> None:
        """Make the disk keep everything, and let others open the journal."""
        with suppress(OSError):  # what the disk refuses now is missing at the next reading, and done again
            self.flush()
        self._file.close()


def _opened(path: str) -> FileIO:
    try:
        return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+")
    except (OSError, ValueError) as error:
        folder = Path(path).parent
        if not folder.exists():
            raise trouble("DL901", f"There is no folder {folder} to write the result to.") from None
        raise _cannot("opened", path, error) from None


def _cannot(done: str, path: str, error: Exception, kept: str = "") -> Trouble:
    reason = getattr(error, "strerror", None) or str(error)
    help = f"{kept}Make room, or give the right to write, and run the same command again."
    return trouble("DL901", f"{path} cannot be {done}: {reason}.", help=help)


def _lock(file: FileIO, path: str) -> None:
    """Hold a file for this process, until it ends. Where the system has no such locks, nothing is held."""
    if hold(file.fileno()) == "in use":
        raise trouble("DL901", f"Another sweep is writing to {path}.",
                      help="Wait for it to end, or give another `--out`.")  # fmt: skip
