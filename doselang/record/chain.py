"""Whether the entries of a record are unchanged, whole and in their order: of its bytes alone, without any file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen

from doselang.diagnostics import Diagnostic, trouble
from doselang.record.entries import COPY, FIRST_PREVIOUS, MOST_ENTRIES, Entry, correction_fault, read_line

What = Literal[
    "changed", "missing", "misplaced", "repeated", "not linked", "wrong correction", "empty", "incomplete",
    "earlier", "head", "copy",
]  # fmt: skip

SHORTEST_HEAD = 12
"""A head may be given by so many of its first digits."""

CODE_OF: dict[What, str] = {"incomplete": "DL813", "head": "DL814", "earlier": "DL815"}
"""The code of a finding; of all others it is DL811."""

HELP: dict[str, str] = {
    "DL811": "Put back the last copy of the whole folder in which it was right, and keep this one to find out why.",
    "DL813": "The next entry cuts it off, and keeps it in record.lost. If it was reported as made, look for a copy in "
    "which it is whole.",
    "DL814": "Compare with a copy of the folder from the time of that head.",
    "DL815": "Is the clock of this computer right?",
}


@frozen
class Finding:
    """What is wrong with a record: `number` is that of the entry, `line` its line in the file; None if of no one."""

    what: What
    message: str
    number: int | None = None
    line: int | None = None

    @property
    def code(self) -> str:
        return CODE_OF.get(self.what, "DL811")

    @property
    def is_damage(self) -> bool:
        """Whether the record itself can no longer be relied on, and nothing may be added to it."""
        return self.code == "DL811"

    def diagnostic(self) -> Diagnostic:
        """The finding as doselang tells all findings."""
        return Diagnostic(self.code, self.message, help=HELP[self.code])


@frozen
class Chain:
    """What the bytes of a record hold.

    `entries` are those that are whole and unchanged, in the order of the file; where there is no damage they are all.
    `size` is the length in bytes up to the end of the last whole line; `tail` what comes after it.
    """

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    size: int
    tail: bytes = b""

    @property
    def head(self) -> str | None:
        """The hash of the last entry; None where there is none."""
        return self.entries[-1].hash if self.entries else None

    @property
    def is_damaged(self) -> bool:
        return any(finding.is_damage for finding in self.findings)


def examine(content: bytes) -> Chain:
    """Read all entries of a record, and find whether any byte of it is not as it was written."""
    size = content.rfind(b"\n") + 1
    tail = content[size:]
    links = _linked(content[:size])
    findings = list(links.findings)
    if not links.entries and not findings:
        words = "holds no whole entry" if tail else "is empty"
        findings.append(Finding("empty", f"The record {words}, and a record begins with an entry."))
    elif tail:
        message = f"After entry {_last(links.entries)}, {len(tail):,} bytes of a further entry were written, not all."
        findings.append(Finding("incomplete", message))
    return Chain(tuple(links.entries), tuple(findings), size, tail)


def entries_since(chain: Chain, head: str) -> int | Finding:
    """How many entries came after the one whose hash is `head`, or begins with it; a finding where there is none.

    Raises Trouble DL903 for what is not a head.
    """
    wanted = head.strip().lower()
    if not SHORTEST_HEAD <= len(wanted) <= 64 or not set(wanted) <= set("0123456789abcdef"):
        help = f"It is {SHORTEST_HEAD} to 64 hexadecimal digits, as every decision prints them."
        raise trouble("DL903", f"`{head}` is not the head of a record.", help=help)
    for since, entry in enumerate(reversed(chain.entries)):
        if entry.hash.startswith(wanted):
            return since
    last = f"The last entry is {_last(chain.entries)}, and none" if chain.entries else "No entry"
    how = "since it was noted, entries were cut off at the end, or replaced"
    return Finding("head", f"{last} has the head {wanted[:SHORTEST_HEAD]}…: {how}.")


def _last(entries: Sequence[Entry]) -> int:
    return entries[-1].number if entries else 0


# ---- going through the lines ----


def _linked(content: bytes) -> _Links:
    """All whole lines, each held against the one before; what is beyond the most that there can be counts as one."""
    links = _Links()
    for line, text in enumerate(content[:-1].split(b"\n", MOST_ENTRIES) if content else (), 1):
        links.add(line, text)
    links.end()
    return links


@define
class _Links:
    """The lines of a record, each held against the one before.

    `before` is the entry that the next one must follow; `torn` are the lines since then that are not entries, each
    with what is wrong with it.
    """

    entries: list[Entry] = field(factory=list)
    findings: list[Finding] = field(factory=list)
    before: Entry | None = None
    torn: list[tuple[int, str]] = field(factory=list)
    gaps: list[tuple[int, int, int]] = field(factory=list)
    """Where entries are missing: the line, the first and the last number."""
    missing: set[int] = field(factory=set)
    """Their numbers, without those that stand further on."""
    hashes: set[str] = field(factory=set)

    @property
    def next_number(self) -> int:
        return 1 if self.before is None else self.before.number + 1

    def add(self, line: int, text: bytes) -> None:
        entry = read_line(text)
        if isinstance(entry, str):
            self.torn.append((line, "its line end was changed, as by an editor" if text.endswith(b"\r") else entry))
            return
        if entry.number < self.next_number:
            self._stray(line, entry)
        else:
            self._follow(line, entry)
        self.entries.append(entry)
        self.hashes.add(entry.hash)

    def _stray(self, line: int, entry: Entry) -> None:
        """An entry whose number was reached before; the order goes on as if it were not there."""
        number = entry.number
        if entry.hash in self.hashes:
            self._find("repeated", f"Entry {number} stands in the record a second time (line {line}).", number, line)
        elif number in self.missing:
            self.missing.remove(number)
            after = self.next_number - 1
            message = f"Entry {number} is in the wrong place (line {line}): it comes after entry {after}."
            self._find("misplaced", message, number, line)
        else:
            message = f"There is a second entry {number} (line {line}), which says something else."
            self._find("repeated", message, number, line)

    def _follow(self, line: int, entry: Entry) -> None:
        """The next entry, or one after entries that are missing."""
        self._tell_torn(entry.number - self.next_number)
        if entry.number - self.next_number > len(self.torn):
            self.gaps.append((line, self.next_number, entry.number - 1))
            self.missing.update(range(self.next_number, entry.number))
        elif not self.torn:
            self._compare(line, entry)
        self.torn.clear()
        self.before = entry

    def _compare(self, line: int, entry: Entry) -> None:
        """An entry with the one directly before it."""
        number, before = entry.number, self.before
        if entry.previous != (FIRST_PREVIOUS if before is None else before.hash):
            message = f"Entry {number} (line {line}) does not continue entry {number - 1}: one of them was replaced."
            if before is None:
                message = "Entry 1 (line 1) is not the beginning of a record: it continues another entry."
            self._find("not linked", message, number, line)
        elif len(self.entries) == number - 1:
            fault = correction_fault(entry.kind, entry.body, self.entries)
            if fault is not None:
                self._find("wrong correction", f"Entry {number} (line {line}) corrects nothing: {fault}.", number, line)
        if before is not None and entry.protocol != before.protocol and COPY not in entry.body:
            message = (
                f"Entry {number} (line {line}) has another protocol than entry {number - 1}, and puts none in force."
            )
            self._find("copy", message, number, line)
        if before is not None and entry.time < before.time:
            message = f"Entry {number} is of {entry.time}, and entry {number - 1} before it of {before.time}."
            self._find("earlier", message, number, line)

    def _tell_torn(self, room: int | None) -> None:
        """Tell the lines that are not entries; `room` is for how many the numbers have room, None if not known."""
        for place, (line, why) in enumerate(self.torn):
            if room is None or room == len(self.torn):
                number = self.next_number + place
                self._find("changed", f"Entry {number} (line {line}) was changed: {why}.", number, line)
            else:
                self._find("changed", f"Line {line} of the record is not an entry: {why}.", None, line)

    def end(self) -> None:
        """Tell what only shows when all lines are known."""
        self._tell_torn(None)
        for line, first, last in self.gaps:
            absent = [number for number in range(first, last + 1) if number in self.missing]
            if absent:
                self._find("missing", f"{_numbers(absent)} missing (before line {line}).", absent[0], line)
        self.findings.sort(key=lambda finding: finding.line or 0)

    def _find(self, what: What, message: str, number: int | None, line: int) -> None:
        self.findings.append(Finding(what, message, number, line))


def _numbers(absent: list[int]) -> str:
    """`Entry 5 is`, `Entries 5 to 9 are`, with what is not in one row told by its ends and how many."""
    if len(absent) == 1:
        return f"Entry {absent[0]} is"
    if absent[-1] - absent[0] == len(absent) - 1:
        return f"Entries {absent[0]} to {absent[-1]} are"
    return f"{len(absent)} of the entries {absent[0]} to {absent[-1]} are"
