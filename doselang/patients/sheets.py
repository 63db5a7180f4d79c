"""Tables of comma-separated values with their places: rows, columns, cells, and what is said of a cell."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from attrs import field, frozen

from doselang.diagnostics import Report
from doselang.resolve.names import listing, shorten
from doselang.source import Span

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What may stand between the columns, and what several of them are called."""

_HEADER = re.compile(r'\s*((?:"[^"]*"|[^"\n])*)')
_QUOTED = re.compile(r'"[^"]*"')

Value = TypeVar("Value")


@frozen
class Refused:
    """Why something that is written cannot be taken, as the end of a sentence without its full stop; what to write."""

    why: str
    help: str | None = None


@frozen
class Row:
    """A row that is not empty: its number as a spreadsheet counts, its cells, and its text from an offset on."""

    number: int
    cells: tuple[str, ...]
    text: str = field(repr=False)
    start: int
    separator: str

    @property
    def span(self) -> Span:
        """The row without its line end."""
        return Span(self.start, self.start + len(self.text.rstrip("\n")))

    def cell_span(self, position: int) -> Span:
        """The place of a cell; that of the row where the cell is empty, or not there."""
        cell = re.compile(rf'[ ]*(?:"[^"]*")+[^{self.separator}\n]*|[^{self.separator}\n]*')
        at = 0
        for _ in range(position):
            found = cell.match(self.text, at)
            at = found.end() + 1 if found else at
        found = cell.match(self.text, at)
        if found is None or not found.group().strip():
            return self.span
        lead = len(found.group()) - len(found.group().lstrip())
        return Span(self.start + at + lead, self.start + at + len(found.group().rstrip()))


@frozen
class Sheet:
    """A table with the columns that are read: by the name of a column, its position. Faults go into the report."""

    path: str
    header: Row
    rows: tuple[Row, ...]
    columns: dict[str, int]
    report: Report = field(repr=False)

    def heading(self, column: str) -> str:
        """How the table calls a column."""
        return self.header.cells[self.columns[column]] if column in self.columns else column

    def cell(self, row: Row, column: str) -> str:
        """What a row says in a column; nothing where the table has no such column."""
        return row.cells[self.columns[column]] if column in self.columns else ""

    def refuse(self, code: str, row: Row, column: str, refused: Refused) -> None:
        """Say that a cell cannot be taken."""
        message = f"Row {row.number}, column `{shorten(self.heading(column), 40)}`: {refused.why}."
        span = row.cell_span(self.columns[column]) if column in self.columns else row.span
        self.report.add(code, message, span, help=refused.help)

    def take(self, code: str, row: Row, column: str, read: Callable[[str], Value | Refused]) -> Value | None:
        """What a cell means; None, with a fault in the report, where it cannot be taken."""
        found = read(self.cell(row, column))
        if isinstance(found, Refused):
            self.refuse(code, row, column, found)
            return None
        return found


# ---- reading ----


def separator_of(text: str) -> str | Refused:
    """What stands between the columns, by the headings."""
    found = _HEADER.match(text)
    headings = _QUOTED.sub("", found[1]) if found else ""
    there = [separator for separator in SEPARATORS if separator in headings]
    if len(there) > 1:
        words = listing([SEPARATORS[one] for one in there], mark="")
        return Refused(
            f"The headings hold {words}, so it is not clear what stands between the columns",
            'Put one of them between all columns; a heading that holds it itself goes into quotation marks, "…".',
        )
    return there[0] if there else ","


def rows_of(text: str, base: int, separator: str, report: Report) -> Iterator[Row]:
    """The rows that are not empty, the headings first; `base` is the offset of the text in its source.

    Where the quotation marks go wrong that is reported, and the rows end.
    """
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in text.split("\n"):
            read += len(line) + 1
            yield f"{line}\n"

    reader = csv.reader(lines(), delimiter=separator, strict=True, skipinitialspace=True)
    number = 0
    while True:
        number, start = number + 1, read
        try:
            cells = tuple(cell.strip() for cell in next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            end = text.find("\n", start)
            span = Span(base + start, base + (len(text) if end < 0 else end))
            report.add("DL801", f"Row {number}: {_unreadable(str(error))}", span, help=_QUOTES)
            return
        if any(cells):
            yield Row(number, cells, text[start : min(read, len(text))], base + start, separator)


_QUOTES = 'A cell begins and ends with a quotation mark, or has none at its ends; inside, a mark is written twice: "".'


def _unreadable(error: str) -> str:
    if "expected after" in error:
        return "a cell goes on after its closing quotation mark."
    if "field limit" in error:
        return "a cell does not end; is a quotation mark left open?"
    return "a quotation mark is opened and not closed."
