"""Which column of a table is which: by its own name, by one that data standards use, or as a map says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from doselang.diagnostics import Report, trouble
from doselang.patients.sheets import Refused, Row, Sheet, rows_of, separator_of
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.source import Source, Span

MISSPELT = 0.75
"""A heading so much like the name of a column that is not there is taken for a slip."""

MOST_COLUMNS = 1_000
"""So many columns a table may have."""


@frozen
class Column:
    """A column that a table may have; `aliases` are other names it goes by, the first found being taken."""

    name: str
    needed: bool = False
    aliases: tuple[str, ...] = ()


@frozen
class TableKind:
    """A kind of table: what it is called, its columns, and the most rows that are read of it."""

    what: str
    columns: tuple[Column, ...]
    most_rows: int

    @property
    def needs(self) -> str:
        """What such a table must have, and may have besides, in a sentence."""
        needed = [column.name for column in self.columns if column.needed]
        further = [column.name for column in self.columns if not column.needed and column.name not in MAPPED_ONLY]
        may = f"; {listing(further)} may be left out" if further else ""
        return f"A table of {self.what} has the columns {listing(needed)}{may}."


MAPPED_ONLY = ("dlt", "evaluable")
"""Columns of flags: read only where a map names them."""


@frozen
class Named:
    """What a map says of the columns of a table: by column, the heading and the place where the map says it."""

    headings: Mapping[str, tuple[str, Span]]

    def heading(self, column: str) -> str | None:
        """The heading of a column; an empty one says that the table has none; None where nothing is said."""
        return self.headings[column][0] if column in self.headings else None


NOTHING_NAMED = Named({})


def read_sheet(source: Source, base: int, kind: TableKind, named: Named, report: Report) -> Sheet | None:
    """The table that a text holds, with its columns found, None where faults keep it from being read.

    Raises Trouble DL704 for more rows than such a table may have.
    """
    place, before = Span(base, base), len(report)
    separator = separator_of(source.text)
    if isinstance(separator, Refused):
        report.add("DL801", f"{source.path}: {separator.why}.", place, help=separator.help)
        return None
    rows = rows_of(source.text, base, separator, report)
    header = next(rows, None)
    if header is None:
        if len(report) == before:
            report.add("DL801", f"The table {source.path} is empty.", place, help=f"Write headings. {kind.needs}")
        return None
    if len(header.cells) > MOST_COLUMNS:
        raise trouble("DL704", f"{source.path} has more than {MOST_COLUMNS:,} columns.", path=source.path)
    columns = _Finding(source.path, header, kind, named, report).columns()
    sheet = Sheet(source.path, header, tuple(_bounded(rows, kind, source.path)), columns or {}, report)
    return None if columns is None else _whole(sheet)


def ignored(sheet: Sheet) -> tuple[str, ...]:
    """The headings of the columns that are not read."""
    read = set(sheet.columns.values())
    return tuple(heading for position, heading in enumerate(sheet.header.cells) if heading and position not in read)


def _bounded(rows: Iterator[Row], kind: TableKind, path: str) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= kind.most_rows:
            message = f"{path} has more than {kind.most_rows:,} {kind.what}."
            raise trouble("DL704", message, path=path, help="Is it the table of this trial alone?")
        yield row


def _whole(sheet: Sheet) -> Sheet:
    """The table with those of its rows that have as many cells as there are headings; of others that is told."""
    width = len(sheet.header.cells)
    for row in sheet.rows:
        if len(row.cells) != width:
            cells = f"{len(row.cells)} cell{'s' if len(row.cells) > 1 else ''}"
            help = "A cell that holds the separator itself goes into quotation marks; an empty cell keeps its place."
            sheet.report.add(
                "DL801", f"Row {row.number} has {cells}, and there are {width} headings.", row.span, help=help
            )
    rows = tuple(row for row in sheet.rows if len(row.cells) == width)
    return Sheet(sheet.path, sheet.header, rows, sheet.columns, sheet.report)


@frozen
class _Finding:
    """Finds the columns of a table by its headings."""

    path: str
    header: Row
    kind: TableKind
    named: Named
    report: Report

    def columns(self) -> dict[str, int] | None:
        """By the name of each column that is there, its position; None where one is missing, misspelt or twice."""
        before = len(self.report)
        found: dict[str, int] = {}
        for column in self.kind.columns:
            position = self._position(column)
            if position is not None:
                found[column.name] = position
        if len(self.report) == before:
            absent = [one for one in self.kind.columns if one.name not in found]
            meant = self._refuse_slips(found, [column.name for column in absent if self._looked_for(column)])
            flagged = {"outcome"} if self.named.heading("dlt") else set()
            self._refuse_missing([one.name for one in absent if one.needed and one.name not in meant | flagged])
        return found if len(self.report) == before else None

    def _looked_for(self, column: Column) -> bool:
        """Whether a column that a map does not name is looked for under its own name."""
        if column.name in self.named.headings or column.name in MAPPED_ONLY:
            return False
        return column.name != "outcome" or not self.named.heading("dlt")

    def _position(self, column: Column) -> int | None:
        heading = self.named.heading(column.name)
        if heading == "":
            return None
        if heading is not None:
            return self._mapped(column, heading)
        if self._looked_for(column):
            for name in (column.name, *column.aliases):
                position = self._one(name)
                if position is not None:
                    return position
        return None

    def _one(self, heading: str) -> int | None:
        """The position of a heading, which must be there once."""
        there = [n for n, other in enumerate(self.header.cells) if fold(other) == fold(heading)]
        if len(there) > 1:
            message = f"Row {self.header.number}: the column `{shorten(heading, 40)}` is there twice."
            self.report.add("DL802", message, self.header.cell_span(there[1]), help="Leave one out, or rename it.")
        return there[0] if there else None

    def _mapped(self, column: Column, heading: str) -> int | None:
        position = self._one(heading)
        if position is None:
            near = nearest(heading, self.header.cells)
            help = f"Did you mean `{near}`?" if near else f"Its columns are {listing(self._headings())}."
            if not near and not column.needed:
                help += " If it has none for this, take the line out of the map."
            message = f"{self.path} has no column `{shorten(heading, 40)}`, which is to be its `{column.name}`."
            self.report.add("DL802", message, self.named.headings[column.name][1], help=help)
        return position

    def _headings(self) -> Sequence[str]:
        return [heading for heading in self.header.cells if heading]

    def _refuse_slips(self, found: Mapping[str, int], absent: list[str]) -> set[str]:
        """Report headings that are much like the name of a column that is not there; these columns."""
        meant: set[str] = set()
        for position, heading in enumerate(self.header.cells):
            near = nearest(heading, absent, MISSPELT) if heading and position not in found.values() else None
            if near is not None and near not in meant:
                message = f"Row {self.header.number}: there is no column `{shorten(heading, 40)}`."
                self.report.add("DL802", message, self.header.cell_span(position), help=f"Did you mean `{near}`?")
                meant.add(near)
        return meant

    def _refuse_missing(self, missing: list[str]) -> None:
        if not missing:
            return
        noun = "column is" if len(missing) == 1 else "columns are"
        message = f"Row {self.header.number}: the {noun} missing: {listing(missing)}."
        help = f"{self.kind.needs} Where they have other names, a map says which is which."
        self.report.add("DL802", message, self.header.span, help=help)
