"""Beginning a trial's record and adding to it, so that nothing is lost, and nothing comes between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define

from doselang.diagnostics import Trouble, trouble
from doselang.durable import has_locks, keep_names, write_whole
from doselang.record.chain import Finding
from doselang.record.copies import (
    FIRST_COPY,
    Copy,
    beside,
    body_with,
    own_body,
    put,
    refuse_names,
    remove,
    write_copy,
    write_new,
)
from doselang.record.entries import Draft, Entry, line_of, made
from doselang.record.files import LOST, MOST_BYTES, RECORD, WAIT_SECONDS, cannot, held, opened, record_path
from doselang.record.reading import examined, refuse_damaged

CLOSED = -1
"""No file has this number: a writer that is used after its block writes nowhere."""

WRITE_HELP = "Make room, or give the right to write, and do the same again: the record is as it was before."


def begin(folder: str | Path, copy: Copy, draft: Draft) -> Entry:
    """Begin a trial: a new folder with a copy of the protocol, and a record whose first entry is that of the draft.

    The folder is there as a whole or not at all, also where everything stops in between. Raises Trouble DL812 where
    something is there already or it cannot be written, DL903 for what cannot be entered.
    """
    refuse_names(copy)
    place = Path(folder)
    entry = made(Draft(draft.kind, body_with(copy, FIRST_COPY, draft.body), draft.actor, draft.time), (), copy.hash)
    if not has_locks():
        raise _no_locks(record_path(place))
    if os.path.lexists(place):
        help = "Give the trial another folder: none is written over."
        raise trouble("DL812", f"{place} is there already.", help=help)
    unfinished = beside(place)
    try:
        os.mkdir(unfinished)
        write_copy(copy, unfinished / FIRST_COPY)
        write_new(unfinished / RECORD, line_of(entry))
        keep_names(unfinished)
        put(unfinished, place)
    except (OSError, ValueError) as error:
        nowhere = None if place.parent.is_dir() else f"There is no folder {place.parent} to put it in."
        raise cannot("DL812", "made", place, error, nowhere) from None
    finally:
        remove(unfinished)
    return entry


@define
class Writer:
    """A record that is held for writing: nobody else adds to it until it is let go.

    `entries` are verified, and are all there are; `remarks` are what is to be said of them all the same. `lost` are
    the bytes of an entry that was not written to its end: the next `append` puts them into `record.lost`.
    """

    folder: Path
    entries: list[Entry]
    remarks: tuple[Finding, ...]
    lost: bytes
    _file: int
    _size: int

    def append(self, draft: Draft) -> Entry:
        """Add an entry under the protocol in force; it is on the disk when this returns.

        Raises Trouble DL903 for what cannot be entered, DL704 where it is too large, DL812 where it cannot be written;
        the record is then as it was. ValueError for a body with the key `copy`, which the record itself writes.
        """
        own_body(draft.body)
        return self._add(made(draft, self.entries, self.entries[-1].protocol))

    def amend(self, draft: Draft, copy: Copy) -> Entry:
        """Add an entry that puts another protocol in force, and keep a copy of its files. Raises as `append`."""
        refuse_names(copy)
        name = self._free_name()
        body = body_with(copy, name, draft.body)
        entry = made(Draft(draft.kind, body, draft.actor, draft.time), self.entries, copy.hash)
        unfinished = beside(self.folder / name)
        try:
            write_copy(copy, unfinished)
            put(unfinished, self.folder / name)
        except OSError as error:
            raise cannot("DL812", "made", self.folder / name, error, WRITE_HELP) from None
        finally:
            remove(unfinished)
        return self._add(entry)

    def _free_name(self) -> str:
        number = 2
        while os.path.lexists(self.folder / f"{FIRST_COPY}-{number}"):
            number += 1
        return f"{FIRST_COPY}-{number}"

    def _add(self, entry: Entry) -> Entry:
        line = line_of(entry)
        if self._size + len(line) > MOST_BYTES:
            raise trouble("DL704", f"The record would be longer than {MOST_BYTES >> 20} MiB.")
        self._put_away_lost()
        self._refuse_another_size()
        try:
            write_whole(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            raise self._undone(error) from None
        except BaseException:  # Ctrl-C: the entry was not acknowledged, and is not made
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self.entries.append(entry)
        return entry

    def _refuse_another_size(self) -> None:
        """Trouble where the file has grown or shrunk since it was read: whoever did that asked for no lock."""
        try:
            size = os.fstat(self._file).st_size
        except OSError as error:
            raise cannot("DL812", "written", record_path(self.folder), error) from None
        if size != self._size:
            message = f"{record_path(self.folder)} was changed by another program while it was held."
            raise trouble("DL812", message, help=f"Look with `doselang trial verify {self.folder}`.")

    def _undone(self, error: OSError) -> Trouble:
        """Cut back what was written of an entry; the Trouble that says so."""
        path = record_path(self.folder)
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            help = f"It may be in the record or not: look with `doselang trial verify {self.folder}`."
            return cannot("DL812", "written", path, error, help)
        with suppress(OSError):
            os.fsync(self._file)
        return cannot("DL812", "written", path, error, WRITE_HELP)

    def _put_away_lost(self) -> None:
        """Keep what is left of an unfinished entry in a file of its own, then cut it off."""
        if not self.lost:
            return
        try:
            _keep_lost(self.folder / LOST, self.lost + b"\n")
            keep_names(self.folder)
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError as error:
            raise cannot("DL812", "written", self.folder / LOST, error, WRITE_HELP) from None
        self.lost = b""


@contextmanager
def writing(folder: str | Path, seconds: float = WAIT_SECONDS) -> Iterator[Writer]:
    """Hold the record of a trial for writing, read and verified, until the end of the block.

    Raises Trouble DL812 where it may not be written, or another holds it for longer than `seconds`; DL811 where it is
    damaged.
    """
    with opened(folder, os.O_RDWR | os.O_APPEND, "DL812") as file:
        _hold(file, folder, seconds)
        chain = examined(file, folder)
        refuse_damaged(chain, folder)
        writer = Writer(Path(folder), list(chain.entries), chain.findings, chain.tail, file, chain.size)
        try:
            yield writer
        finally:
            writer._file = CLOSED


def _hold(file: int, folder: str | Path, seconds: float) -> None:
    """Hold the file, which must still be the one of that name."""
    path = record_path(folder)
    match held(file, seconds=seconds):
        case "in use":
            raise trouble("DL812", f"Another is writing to {path}.", help="Wait for that to end, and do it again.")
        case "no locks":
            raise _no_locks(path)
    try:
        same = os.path.samestat(os.fstat(file), os.lstat(path))
    except OSError:
        same = False
    if not same:
        raise trouble("DL812", f"{path} was replaced by another file.", help="Do it again with what is there now.")


def _no_locks(path: Path) -> Trouble:
    help = "Put the trial's folder on a disk of this computer, on Linux or macOS."
    return trouble("DL812", f"{path} cannot be held for one writer: there are no file locks here.", help=help)


def _keep_lost(path: Path, piece: bytes) -> None:
    """Add a piece to the file of what was lost, unless it is its last one already. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o666)
    try:
        size = os.fstat(file).st_size
        os.lseek(file, max(0, size - len(piece)), os.SEEK_SET)
        if os.read(file, len(piece)) != piece:
            write_whole(file, piece)
        os.fsync(file)
    finally:
        os.close(file)
