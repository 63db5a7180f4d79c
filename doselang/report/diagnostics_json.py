"""Findings as JSON objects: the `diagnostics` of `check --format json`, with the keys other programs rely on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from doselang.codes import Severity
from doselang.diagnostics import Diagnostic
from doselang.source import Source, Span

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


def diagnostic_record(item: Diagnostic, source: Source) -> dict[str, object]:
    """One finding: every key is always there, null where there is nothing to say.

    Lines and columns count from 1; the end is that of the first sign after the stretch. A finding about the file as a
    whole stands at line 1, column 1. What stands in another file, a design that is used, has a `path` besides.
    """
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity,
        "message": item.message,
        **_place(item.span, source),
        "labels": [{**_place(label.span, source), "text": label.text} for label in item.labels],
        "history": item.history,
        "cites": list(item.cites),
        "notes": list(item.notes),
        "help": item.help,
        "cause": item.cause,
        "states": item.states,
        "probability": None if item.probability is None else dict(item.probability),
    }


def diagnostic_records(diagnostics: Iterable[Diagnostic], source: Source) -> list[dict[str, object]]:
    """All findings of a file, in their order."""
    return [diagnostic_record(item, source) for item in diagnostics]


def severity_counts(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    """How many findings of each severity there are, those of which there are none too."""
    counts = Counter(item.severity for item in diagnostics)
    return {severity: counts[severity] for severity in SEVERITIES}


def write_json(record: object, *, compact: bool = False) -> str:
    """A record as the one JSON text of a command: keys in the record's order, no NaN, a line end at the end.

    `compact` leaves out the line breaks and indents, which make large records slow to write and to read. Raises
    ValueError for a number that JSON has no word for, which would be a fault in doselang.
    """
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=None if compact else 2) + "\n"


def render_json(diagnostics: Iterable[Diagnostic], source: Source) -> str:
    """The findings of one file, alone, as a JSON list."""
    return write_json(diagnostic_records(diagnostics, source))


def file_record(span: Span, source: Source) -> dict[str, str]:
    """The `path` of what stands in another file than the one that is checked; nothing for what stands in it."""
    path = source.path_of(span.start)
    return {} if path == source.path else {"path": path}


def _place(span: Span, source: Source) -> dict[str, object]:
    line, column = source.place(span.start)
    end_line, end_column = source.place(span.end)
    place: dict[str, object] = {"line": line, "column": column, "end_line": end_line, "end_column": end_column}
    return place | file_record(span, source)
