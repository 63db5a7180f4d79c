"""The copies of a protocol's files that a trial keeps, and the one hash of the files and the parameters."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from attrs import field, frozen

from doselang.diagnostics import trouble
from doselang.durable import keep_names, write_whole
from doselang.record.chain import Finding
from doselang.record.entries import COPY, Body, Entry, Json, hash_of

FIRST_COPY = "protocol"
"""The folder of the first copy; those after it have a number behind a hyphen."""

_FOLDER = re.compile(rf"{FIRST_COPY}(-[1-9][0-9]*)?")


@frozen
class Copy:
    """A protocol to be kept.

    `files` are names without a folder, with their bytes; `settings` the parameters that were set, by name, each as it
    was written.
    """

    files: tuple[tuple[str, bytes], ...]
    settings: dict[str, str] = field(factory=dict, hash=False)

    def stated(self) -> dict[str, Json]:
        """What is hashed: length and hash of every file by its name, and the settings."""
        files: dict[str, Json] = {
            name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in self.files
        }
        return {"files": files, "settings": dict(self.settings)}

    @property
    def hash(self) -> str:
        """The one hash of all files and settings, whatever the order in which they are given."""
        return hash_of(self.stated())


def body_with(copy: Copy, folder: str, body: Body) -> Body:
    """The body of an entry that puts a protocol in force: with the folder of the copy, its files and settings."""
    return {**own_body(body), COPY: {"folder": folder, **copy.stated()}}


def own_body(body: Body) -> Body:
    """A body as it is given; ValueError where it has what only the record itself writes."""
    if COPY in body:
        raise ValueError(f"the key `{COPY}` of a body is written by the record itself")
    return body


def refuse_names(copy: Copy) -> None:
    """Trouble DL903 for files that cannot be kept in one folder."""
    names = [name for name, _ in copy.files]
    for name in names:
        if not name.strip() or Path(name).name != name or "\\" in name or "\0" in name or _is_of_the_system(name):
            raise trouble("DL903", f"“{name}” cannot be kept with the trial: it is not the name of a file alone.")
    folded = [name.casefold() for name in names]
    twice = next((name for name, fold in zip(names, folded, strict=True) if folded.count(fold) > 1), None)
    if twice is not None or not names:
        raise trouble("DL903", f"Two files of the protocol are called “{twice}”." if names else "There are no files.")


def write_copy(copy: Copy, folder: Path) -> None:
    """Write the files into a new folder, so that the disk keeps them. Raises OSError."""
    os.mkdir(folder)
    for name, content in copy.files:
        write_new(folder / name, content)
    keep_names(folder)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet, so that the disk keeps it. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        write_whole(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def beside(place: Path) -> Path:
    """A name that nothing has, for what is made before it is put in its place."""
    return place.with_name(f".{place.name}.{secrets.token_hex(6)}.new")


def put(made: Path, place: Path) -> None:
    """Put a folder that is whole in its place, which must be free. Raises OSError; the place is then as it was."""
    if os.path.lexists(place):
        raise FileExistsError(errno.EEXIST, "something is there already")
    os.rename(made, place)
    try:
        keep_names(place.parent)
    except OSError:
        os.rename(place, made)
        raise


def remove(made: Path) -> None:
    """Remove a folder that was not put in its place, if there is one."""
    with suppress(OSError, ValueError):
        shutil.rmtree(made)


def read_copy(folder: str | Path, name: str) -> tuple[tuple[str, bytes], ...]:
    """The files of a copy, by name, without what the system puts there. Raises OSError."""
    paths = sorted(path for path in (Path(folder) / name).iterdir() if not _is_of_the_system(path.name))
    for path in paths:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is not an ordinary file")
    return tuple((path.name, path.read_bytes()) for path in paths)


def _is_of_the_system(name: str) -> bool:
    """Whether a file is one of those that systems leave in the folders that people look into, such as `.DS_Store`."""
    return name.startswith(".") or name.casefold() in ("thumbs.db", "desktop.ini")


@frozen
class InForce:
    """The protocol under which the next entry is made: the folder of its copy, in that of the trial, its settings as
    they were written, and the number of the entry that put it in force.
    """

    folder: str
    settings: dict[str, str] = field(hash=False)
    number: int


def in_force(entries: Sequence[Entry]) -> InForce:
    """The protocol in force at the end of a verified record."""
    entry = next(entry for entry in reversed(entries) if COPY in entry.body)
    stated = entry.body[COPY]
    assert isinstance(stated, dict) and isinstance(stated["settings"], dict)
    settings = {name: str(value) for name, value in stated["settings"].items()}
    return InForce(str(stated["folder"]), settings, entry.number)


def copy_findings(folder: str | Path, entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """Where a copy of the protocol is not what it was when its entry was made."""
    found: list[Finding] = []
    for entry in entries:
        stated = entry.body.get(COPY)
        if isinstance(stated, dict):
            found += [Finding("copy", words, entry.number) for words in _differences(folder, entry, stated)]
    return tuple(found)


def _differences(folder: str | Path, entry: Entry, stated: dict[str, Json]) -> list[str]:
    name, files, settings = stated.get("folder"), stated.get("files"), stated.get("settings")
    if not isinstance(name, str) or not _FOLDER.fullmatch(name) or not isinstance(files, dict):
        return [f"Entry {entry.number} does not say where the copy of the protocol is."]
    if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
        return [f"Entry {entry.number} does not say which parameters were set."]
    if entry.protocol != hash_of({"files": files, "settings": settings}):
        return [f"Entry {entry.number} has another hash of the protocol than its files and settings have."]
    try:
        kept = dict(read_copy(folder, name))
    except OSError as error:
        reason = error.strerror or str(error)
        return [f"The copy of the protocol of entry {entry.number}, {name}, cannot be read: {reason}."]
    present = Copy(tuple(kept.items())).stated()["files"]
    assert isinstance(present, dict)
    words = []
    for file in sorted({*files, *present}):
        if present.get(file) != files.get(file):
            how = "is missing" if file not in present else "was changed" if file in files else "was added"
            words.append(f"The file {name}/{file} {how} since entry {entry.number} was made.")
    return words
