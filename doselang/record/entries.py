"""An entry of a trial's record: what it holds, its one form as a line, its hash, and how a further one is made."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias

from attrs import field, frozen

from doselang.diagnostics import trouble

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Body: TypeAlias = dict[str, Json]

KEYS = ("actor", "body", "hash", "kind", "number", "previous", "protocol", "time")
"""The keys of every line, in the order in which they stand."""

FIRST_PREVIOUS = "0" * 64
"""Stands in the first entry for the hash of an entry before."""

COPY = "copy"
"""The key under which the body of an entry says which copy of the protocol it puts in force."""

MOST_ENTRY_BYTES = 64 << 10
MOST_ENTRIES = 100_000
MOST_DEEP = 16
"""So many lists and objects may stand inside one another in a body."""
LARGEST = 2**53 - 1
"""A whole number beyond this, in either direction, is read as another one by some programs."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_HASH = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"(?=.{1,40}\Z)[a-z]+(-[a-z]+)*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@frozen
class Draft:
    """What an entry is to say, before it has a place in the record.

    `time` is UTC to the second, as `2026-03-02T14:05:00Z`; `kind` a word of small letters and hyphens; `actor` the
    person or the program that makes the entry.
    """

    kind: str
    body: Body = field(hash=False)
    actor: str
    time: str


@frozen
class Entry:
    """An entry as it stands in the record.

    `protocol` is the hash of the protocol in force, `previous` the hash of the entry before, `hash` that of all else.
    """

    number: int
    time: str
    actor: str
    kind: str
    protocol: str
    body: Body = field(hash=False)
    previous: str
    hash: str


def canonical(record: object) -> bytes:
    """The one form of a JSON value: UTF-8, keys in the order of their code points, no spaces.

    Raises ValueError for what is no JSON, or cannot be written in UTF-8.
    """
    return _ENCODER.encode(record).encode("utf-8")


def hash_of(record: object) -> str:
    """The SHA-256 of the one form of a JSON value, in 64 hexadecimal digits."""
    return sha256(canonical(record)).hexdigest()


def line_of(entry: Entry) -> bytes:
    """An entry as a line of the record, with its end."""
    return canonical({key: getattr(entry, key) for key in KEYS}) + b"\n"


def made(draft: Draft, before: Sequence[Entry], protocol: str) -> Entry:
    """The entry that a draft becomes after those before it.

    Raises Trouble DL903 for what cannot be in an entry, and for a correction of what cannot be corrected; DL704 where
    it, or the record, becomes too large.
    """
    stated: dict[str, Any] = {
        "number": len(before) + 1, "time": draft.time, "actor": draft.actor, "kind": draft.kind,
        "protocol": protocol, "body": draft.body, "previous": before[-1].hash if before else FIRST_PREVIOUS,
    }  # fmt: skip
    if len(before) >= MOST_ENTRIES:
        raise trouble("DL704", f"The record has {len(before):,} entries, and takes no more.")
    fault = fault_in(stated) or correction_fault(draft.kind, draft.body, before)
    if fault is not None:
        raise trouble("DL903", f"This cannot be entered in the record: {fault}.")
    entry = Entry(**json.loads(canonical(stated)), hash=hash_of(stated))
    if len(line_of(entry)) > MOST_ENTRY_BYTES:
        size = f"{len(line_of(entry)):,} bytes, and at most {MOST_ENTRY_BYTES:,} are allowed"
        raise trouble("DL704", f"The entry is too long for the record: it has {size}.", help="Write less text in it.")
    return entry


def read_line(line: bytes) -> Entry | str:
    """The entry of a line, without its end; where the line is not an unchanged entry, what is wrong with it.

    The line is written anew from what was read, and must be the same, byte by byte.
    """
    if len(line) >= MOST_ENTRY_BYTES:
        return "it is longer than an entry can be"
    try:
        record = json.loads(line.decode("utf-8"))
        if not isinstance(record, dict) or canonical(record) != line:
            return "it is not in the one form of an entry"
    except (ValueError, RecursionError):
        return "it is not a whole line of JSON"
    stated = dict(record)
    if not isinstance(stated.pop("hash", None), str) or fault_in(stated) is not None:
        return "it does not hold what an entry holds"
    if hash_of(stated) != record["hash"]:
        return "its hash is not that of what it says"
    return Entry(**record)


# ---- what may be in an entry ----


def fault_in(stated: dict[str, Any]) -> str | None:
    """What is wrong with the content of an entry, all but its hash, as words that go into a sentence."""
    if {*stated, "hash"} != set(KEYS):
        return "an entry has the keys " + ", ".join(KEYS)
    if type(stated["number"]) is not int or not 1 <= stated["number"] <= MOST_ENTRIES:
        return f"the number of an entry is a whole number from 1 to {MOST_ENTRIES:,}"
    if not _matches(_HASH, stated["previous"]) or not _matches(_HASH, stated["protocol"]):
        return "a hash has 64 hexadecimal digits"
    if not _matches(_KIND, stated["kind"]):
        return f"its kind, {stated['kind']!r}, is not a word of small letters and hyphens"
    if not _is_time(stated["time"]):
        return f"its time, {stated['time']!r}, is not a time such as 2026-03-02T14:05:00Z"
    return _actor_fault(stated["actor"]) or _body_fault(stated["body"])


def correction_fault(kind: str, body: Body, before: Sequence[Entry]) -> str | None:
    """Why an entry cannot correct what it says that it corrects; None for other kinds of entries.

    A correction has the number of an earlier `entry`, the new `body` or null, and a `reason`. Corrections are not
    themselves corrected: the same entry is corrected again. Nor is what put a protocol in force.
    """
    if kind != "correct":
        return None
    if set(body) != {"entry", "body", "reason"}:
        return "a correction says which `entry` it corrects, its new `body`, and the `reason`"
    number, reason, new = body["entry"], body["reason"], body["body"]
    if not isinstance(reason, str) or not reason.strip():
        return "a correction gives its reason"
    if new is not None and not isinstance(new, dict):
        return "the new body of a corrected entry is an object, or null where the entry was made by mistake"
    if type(number) is not int or not 1 <= number <= len(before):
        return f"it corrects entry {number}, and the entries before it are 1 to {len(before)}"
    corrected = before[number - 1]
    if corrected.kind == "correct":
        return f"entry {number} is a correction: correct entry {corrected.body.get('entry')} again instead"
    if COPY in corrected.body:
        return f"entry {number} put a protocol in force: amend the protocol instead, or make a note"
    return None


def _actor_fault(actor: object) -> str | None:
    if not isinstance(actor, str) or not actor.strip() or len(actor) > 200 or not actor.isprintable():
        return "who made the entry is a name on one line, of at most 200 characters"
    return _value_fault(actor, 0)


def _body_fault(body: object) -> str | None:
    return _value_fault(body, 0) if isinstance(body, dict) else "the body of an entry is an object"


def _value_fault(value: object, deep: int) -> str | None:
    """What in a value cannot be in the body of an entry."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return None if _is_text(value) else "a text holds a sign that cannot be written in UTF-8"
    if isinstance(value, int):
        return None if abs(value) <= LARGEST else "a number is too large"
    if not isinstance(value, list | dict):
        return f"a value is neither text, a whole number, true, false, null, a list nor an object ({value!r})"
    if deep >= MOST_DEEP:
        return f"lists and objects stand inside one another more than {MOST_DEEP} deep"
    if isinstance(value, dict) and not all(isinstance(key, str) and _is_text(key) for key in value):
        return "the keys of an object are texts"
    inside = value.values() if isinstance(value, dict) else value
    return next((fault for one in inside if (fault := _value_fault(one, deep + 1)) is not None), None)


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_time(value: object) -> bool:
    if not _matches(_TIME, value):
        return False
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
