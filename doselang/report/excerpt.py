"""Excerpts: lines of a file with stretches of them underlined, as people are shown them."""

from __future__ import annotations

from attrs import frozen

from doselang.report.printable import printable, width
from doselang.source import Source, Span

WIDEST = 110
"""A line of the file longer than this is shown in part, around what is underlined."""

LEAD = 20
"""How many characters before the underlined stretch are shown of such a line."""


@frozen
class Mark:
    """A stretch of the file to underline, and what is said about it; `main` is the finding's own place."""

    span: Span
    text: str = ""
    main: bool = False


@frozen
class Underline:
    """An underline below a shown line: `indent` columns in, `length` columns long."""

    indent: int
    length: int
    text: str
    main: bool


@frozen
class Shown:
    """A line as shown: its file, its number there, its printable text, its underlines from left to right."""

    path: str
    number: int
    text: str
    underlines: tuple[Underline, ...]


def excerpt(source: Source, marks: tuple[Mark, ...]) -> tuple[Shown, ...]:
    """The lines in which the marks begin, in order, each once."""
    by_line: dict[tuple[int, int], list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: (mark.span.start, not mark.main)):
        line = source.file(mark.span.start)[1], source.place(mark.span.start)[0]
        by_line.setdefault(line, []).append(mark)
    return tuple(_shown(source, source.file(base)[0], number, found) for (base, number), found in by_line.items())


def _shown(source: Source, file: Source, number: int, marks: list[Mark]) -> Shown:
    line = file.line(number)
    stretches = [_stretch(source, line, mark.span) for mark in marks]
    start, end = _window(line, min(start for start, _ in stretches))
    before, after = "…" if start else "", "…" if end < len(line) else ""
    underlines = []
    for mark, stretch in zip(marks, stretches, strict=True):
        # A mark beyond the window is drawn under the sign that says the line goes on.
        left, right = (min(max(offset, start), end) for offset in stretch)
        indent = width(before + printable(line[start:left]))
        length = max(width(printable(line[left:right])), 1)
        underlines.append(Underline(indent, length, printable(mark.text), mark.main))
    return Shown(file.path, number, before + printable(line[start:end]).rstrip() + after, tuple(underlines))


def _stretch(source: Source, line: str, span: Span) -> tuple[int, int]:
    """Where in its first line a span begins and ends; of a span that goes on below, up to the line's last word."""
    start = source.place(span.start)[1] - 1
    last = min(start + span.end - span.start, len(line.rstrip()))
    return start, max(last, start)


def _window(line: str, start: int) -> tuple[int, int]:
    """The part of a line to show: all of a short one, else a stretch around what is underlined first."""
    if width(printable(line)) <= WIDEST:
        return 0, len(line)
    first = max(start - LEAD, 0) if start > WIDEST - 2 * LEAD else 0
    room, last = WIDEST - 2, first
    while last < len(line) and room >= width(printable(line[last])):
        room -= width(printable(line[last]))
        last += 1
    return first, last
