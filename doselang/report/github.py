"""Findings as GitHub's workflow commands, which show them beside the lines of a change."""

from __future__ import annotations

from collections.abc import Iterable

from doselang.codes import Severity
from doselang.diagnostics import Diagnostic
from doselang.source import NOWHERE, Source

COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}


def render_github(diagnostics: Iterable[Diagnostic], source: Source) -> str:
    """A command a finding: `::error file=x.dose,line=3,…,title=DL301 uncovered-outcome::message`."""
    return "".join(_command(item, source) for item in diagnostics)


def _command(item: Diagnostic, source: Source) -> str:
    path = source.path_of(item.span.start)
    properties = {"file": path} if path else {}
    if item.span != NOWHERE:
        properties |= _lines(item, source)
    properties["title"] = f"{item.code} {item.name}"
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{COMMANDS[item.severity]} {written}::{_message(_words(item))}\n"


def _lines(item: Diagnostic, source: Source) -> dict[str, str]:
    line, column = source.place(item.span.start)
    last, last_column = source.place(item.span.end)
    places = {"line": str(line), "endLine": str(last), "col": str(column)}
    # GitHub shows columns only for a finding within one line, and refuses them otherwise.
    return places | {"endColumn": str(last_column)} if last == line else {"line": str(line), "endLine": str(last)}


def _words(item: Diagnostic) -> str:
    lines = [item.message]
    if item.history is not None:
        lines.append(f"history: {item.history}")
    lines += item.notes
    if item.help:
        lines.append(f"help: {item.help}")
    return "\n".join(lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
