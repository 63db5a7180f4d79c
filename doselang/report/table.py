"""Tables, once for all outputs: aligned text for people, Markdown for documents, CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Literal

from attrs import field, frozen

from doselang.report.printable import printable, width


@frozen
class Column:
    """A column's heading, and to which side its cells are set: numbers go to the right."""

    heading: str
    side: Literal["left", "right"] = "left"


def _columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    return tuple(columns)


def _rows(rows: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


@frozen
class Table:
    """Columns and rows of cells; every row has a cell a column. Raises ValueError where one has not."""

    columns: tuple[Column, ...] = field(converter=_columns)
    rows: tuple[tuple[str, ...], ...] = field(converter=_rows)

    def __attrs_post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.columns)} columns: {row}")


def text_table(table: Table, *, indent: int = 0) -> str:
    """The table in columns two spaces apart, below its headings and a rule; no trailing spaces."""
    heading = tuple(column.heading for column in table.columns)
    lines = [tuple(printable(cell) for cell in row) for row in (heading, *table.rows)]
    widths = [max(width(line[number]) for line in lines) for number in range(len(heading))]
    lines.insert(1, tuple("-" * room for room in widths))
    sides = [column.side for column in table.columns]
    return "".join(f"{'':{indent}}{_aligned(line, widths, sides)}".rstrip() + "\n" for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> str:
    cells = zip(line, widths, sides, strict=True)
    return "  ".join(
        " " * (room - width(cell)) + cell if side == "right" else cell + " " * (room - width(cell))
        for cell, room, side in cells
    )


def markdown_table(table: Table) -> str:
    """The table as Markdown's pipes."""
    rules = ["---:" if column.side == "right" else "---" for column in table.columns]
    lines = [[_markdown(column.heading) for column in table.columns], rules]
    lines += [[_markdown(cell) for cell in row] for row in table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown(cell: str) -> str:
    return printable(cell).replace("\\", "\\\\").replace("|", "\\|")


def csv_table(table: Table) -> str:
    """The table as comma-separated values, with a line of headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.heading for column in table.columns)
    writer.writerows(table.rows)
    return text.getvalue()
