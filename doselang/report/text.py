"""Findings for people: the place, the line with the words underlined, the shortest history, what to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import click
from attrs import frozen

from doselang.codes import Severity
from doselang.diagnostics import Diagnostic
from doselang.report.excerpt import Mark, Shown, excerpt
from doselang.report.printable import printable, printable_lines
from doselang.source import NOWHERE, Source, Span

SEVERITIES: dict[Severity, tuple[str, str]] = {
    "error": ("red", "errors"),
    "warning": ("yellow", "warnings"),
    "info": ("cyan", "notes"),
}
"""The colour of each severity, and how several are called."""


def render_text(diagnostics: Iterable[Diagnostic], source: Source, *, color: bool = False) -> str:
    """Each finding as a paragraph, an empty line between two; nothing for none.

    With `color` the text holds terminal codes for colours, and otherwise none, whatever is in the file.
    """
    paint = _Paint(color)
    return "\n".join("\n".join([*_paragraph(item, source, paint), ""]) for item in diagnostics)


def count_words(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning, 3 notes`; `nothing found` where there is nothing."""
    counts = Counter(item.severity for item in diagnostics)
    words = [
        f"{counts[severity]} {plural if counts[severity] > 1 else plural.removesuffix('s')}"
        for severity, (_, plural) in SEVERITIES.items()
        if counts[severity]
    ]
    return ", ".join(words) or "nothing found"


def place_words(item: Diagnostic, source: Source) -> str:
    """`path:line:column`; the path alone for a finding about the file as a whole, nothing without a path."""
    if item.span == NOWHERE:
        return printable(source.path)
    line, column = source.place(item.span.start)
    return f"{printable(source.path_of(item.span.start))}:{line}:{column}"


def line_words(span: Span, source: Source) -> str:
    """`line  12`; for what stands in a design that is used also the name of its file."""
    line, path = source.place(span.start)[0], source.path_of(span.start)
    return f"line {line:>3}" if path == source.path else f"{printable(path)} line {line:>3}"


@frozen
class _Paint:
    """Colours words, if asked to."""

    color: bool

    def __call__(self, text: str, color: str | None = None, *, bold: bool = False) -> str:
        return click.style(text, fg=color, bold=bold or None) if self.color and text else text


def _paragraph(item: Diagnostic, source: Source, paint: _Paint) -> Iterator[str]:
    color, _ = SEVERITIES[item.severity]
    place = place_words(item, source)
    kind = paint(f"{item.severity} {item.code}", color, bold=True)
    yield f"{place}: {kind} {item.name}" if place else f"{kind} {item.name}"
    yield from (paint(f"  {line}", bold=True) for line in printable_lines(item.message))
    labels = tuple(Mark(label.span, label.text) for label in item.labels if label.span != NOWHERE)
    marks = labels if item.span == NOWHERE else (Mark(item.span, main=True), *labels)
    if marks:
        yield ""
        yield from _excerpt_lines(excerpt(source, marks), source.path_of(item.span.start), color, paint)
    remarks = tuple(_remarks(item))
    if marks and remarks:
        yield ""
    for title, text in remarks:
        first, *rest = printable_lines(text) or [""]
        yield f"  {paint(f'{title:<9}', 'blue')} {first}".rstrip()
        yield from (f"{'':12}{line}".rstrip() for line in rest)


def _excerpt_lines(lines: tuple[Shown, ...], path: str, color: str, paint: _Paint) -> Iterator[str]:
    """The lines with their underlines; `path` is known already, another file is named above its lines."""
    gutter = max(4, *(len(str(line.number)) for line in lines))
    for line in lines:
        if line.path != path:
            path = line.path
            yield f"{paint(' ' * gutter + ' :', 'blue')} {printable(path)}"
        yield f"{paint(f'{line.number:>{gutter}} |', 'blue')} {line.text}".rstrip()
        for under in line.underlines:
            drawn = paint(("^" if under.main else "-") * under.length, color if under.main else "blue", bold=under.main)
            said = " " + paint(under.text, "blue") if under.text else ""
            yield f"{paint(' ' * gutter + ' |', 'blue')} {'':{under.indent}}{drawn}{said}"


def _remarks(item: Diagnostic) -> Iterator[tuple[str, str]]:
    """What else there is to say about a finding, each with its title."""
    if item.history is not None:
        yield "history", item.history
    yield from (("cites", f'"{sentence}"') for sentence in item.cites)
    unplaced = (label.text for label in item.labels if label.span == NOWHERE)
    yield from (("note", note) for note in (*unplaced, *item.notes))
    if item.probability:
        chances = (f"{chance:.2%} in {name}" for name, chance in item.probability.items())
        yield "chance", ", ".join(chances)
    if item.help:
        yield "help", item.help
