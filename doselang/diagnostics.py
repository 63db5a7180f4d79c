"""Diagnostics: what is said to a person about a place in a file, as records; renderers are in `report`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from doselang.codes import CODES, Severity
from doselang.source import NOWHERE, Span


@frozen
class Label:
    """A further place in the file, with what to see there."""

    span: Span
    text: str


@frozen
class Diagnostic:
    """One finding.

    `code` is registered in `doselang.codes`; `message` is one sentence; `history` the shortest trial that runs into it,
    in `1NNN 2TT` notation; `cites` the protocol's sentences it touches; `help` what to write; `cause`, `states` and
    `probability` (by scenario name) only where the finding is about reachable situations.
    """

    code: str
    message: str
    span: Span = NOWHERE
    labels: tuple[Label, ...] = ()
    history: str | None = None
    cites: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    cause: str | None = None
    states: int | None = None
    probability: dict[str, float] | None = field(default=None, hash=False)
    _severity: Severity | None = None

    @property
    def name(self) -> str:
        return CODES[self.code].name

    @property
    def severity(self) -> Severity:
        return self._severity or CODES[self.code].severity


@define
class Report:
    """Diagnostics in the making; every stage adds to one."""

    _items: list[Diagnostic] = field(factory=list)

    def add(self, code: str, message: str, span: Span = NOWHERE, *, help: str | None = None,
            labels: Iterable[Label] = (), notes: Iterable[str] = (), cites: Iterable[str] = ()) -> None:  # fmt: skip
        """Add a finding about a place in the text."""
        self._items.append(
            Diagnostic(code, message, span, tuple(labels), cites=tuple(cites), notes=tuple(notes), help=help)
        )

    def extend(self, items: Iterable[Diagnostic]) -> None:
        self._items.extend(items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.sorted())

    def __len__(self) -> int:
        return len(self._items)

    def tells_of(self, span: Span) -> bool:
        """Whether a finding overlaps a stretch of the text, or comes right after it."""
        return any(item.span.start <= span.end + 1 and span.start <= item.span.end for item in self._items)

    @property
    def has_errors(self) -> bool:
        return any(item.severity == "error" for item in self._items)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """By place in the file, then code; the same finding twice counts once."""
        return tuple(sorted(dict.fromkeys(self._items), key=in_file))


def in_file(item: Diagnostic) -> tuple[Span, str, str]:
    """A key to sort by: place in the file, code, message; numbers in a message count as numbers (line 2, line 10)."""
    return item.span, item.code, re.sub(r"\d+", lambda digits: digits[0].zfill(12), item.message)


class Trouble(Exception):
    """What stops a command: a file that cannot be read, wrong usage, a limit reached. Carries its diagnostic."""

    def __init__(self, diagnostic: Diagnostic, path: str | None = None) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.path = path

    def __reduce__(self) -> tuple[type[Trouble], tuple[Diagnostic, str | None]]:
        """How it comes from one process to another."""
        return Trouble, (self.diagnostic, self.path)


def trouble(code: str, message: str, *, help: str | None = None, path: str | None = None) -> Trouble:
    """A Trouble to raise."""
    return Trouble(Diagnostic(code, message, help=help), path)
