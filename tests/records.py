"""Records of trials to be damaged: many entries of every kind that the storage must keep, made without a file."""

from __future__ import annotations

from pathlib import Path

from doselang.record.copies import Copy
from doselang.record.entries import Body, Draft, Entry, line_of, made
from doselang.record.writing import begin, writing

PROTOCOL = Copy((("trial.dose", b'protocol "A small trial"\n'), ("trial.md", b"Three patients.\n")), {"levels": "4"})

BODIES: tuple[Body, ...] = (
    {"patient": "P-01", "level": 2},
    {"patient": "P-02", "outcome": "DLT", "note": "Grade 3, “Übelkeit”, day 5\n\ttwo \\ lines \u2028 and 心"},
    {"options": ["stay", None, True, False, -3, {"deeper": [[]], "": {}}]},
    {"reason": '"hash":"0000"', "e\u0301": 2**53 - 1},
    {},
)
"""What entries may say: every type, signs that JSON escapes and signs of two, three and four bytes."""


def drafts(number: int) -> list[Draft]:
    """So many drafts, the first being that of the beginning."""
    kinds = ("enrol", "outcome", "choice", "note", "a-kind-of-its-own")
    return [
        Draft("begin" if place == 0 else kinds[place % 5], BODIES[place % 5], "Ann Bö", time_of(place))
        for place in range(number)
    ]


def time_of(place: int) -> str:
    return f"2026-03-02T{place // 3600:02}:{place // 60 % 60:02}:{place % 60:02}Z"


def chain_of(number: int) -> list[Entry]:
    """A record of so many entries."""
    entries: list[Entry] = []
    for draft in drafts(number):
        entries.append(made(draft, entries, PROTOCOL.hash))
    return entries


def content_of(entries: list[Entry]) -> bytes:
    return b"".join(line_of(entry) for entry in entries)


def begun(folder: Path, number: int = 1) -> Path:
    """A trial's folder with a record of so many entries."""
    trial = folder / "trial"
    first, *others = drafts(number)
    begin(trial, PROTOCOL, first)
    with writing(trial) as record:
        for draft in others:
            record.append(draft)
    return trial
