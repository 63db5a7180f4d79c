"""Findings in one line each, as compilers and editors know them: `path:line:column: severity code message`."""

from __future__ import annotations

from collections.abc import Iterable

from doselang.diagnostics import Diagnostic
from doselang.report.printable import printable
from doselang.source import Source


def render_concise(diagnostics: Iterable[Diagnostic], source: Source) -> str:
    """A line a finding, each with its place: a finding about the file as a whole stands at its first sign."""
    return "".join(_line(item, source) for item in diagnostics)


def _line(item: Diagnostic, source: Source) -> str:
    line, column = source.place(item.span.start)
    path = source.path_of(item.span.start)
    place = f"{printable(path)}:{line}:{column}: " if path else ""
    history = f" [{printable(item.history)}]" if item.history is not None else ""
    return f"{place}{item.severity} {item.code} {' '.join(printable(item.message).split())}{history}\n"
