"""Ladders, grids, tables, engines and the ways patients enter, as lines of the one layout."""

from __future__ import annotations

from doselang.syntax.lines import Line, cites_lines, end_of, head_line
from doselang.syntax.nodes import (
    Amount,
    Argument,
    Axis,
    Engine,
    Evaluability,
    Grid,
    Label,
    Ladder,
    Look,
    Name,
    Number,
    Proportion,
    Row,
    Sentinel,
    Table,
)
from doselang.syntax.words import amount_words, begun, duration_words, listed, quoted


def construct_lines(statement: Ladder | Grid | Evaluability | Sentinel | Look | Table | Engine) -> list[Line]:
    """The clauses of one of these statements."""
    match statement:
        case Ladder(name=name, title=title):
            head = head_line(f"ladder {name.text}{f'  {quoted(title)}' if title else ''}", title or name)
        case Grid(first=first, second=second):
            head = head_line(f"grid {_axis(first)} by {_axis(second)}", second)
        case Evaluability(means=means):
            head = head_line(f"evaluability means {quoted(means.text)}", means)
        case Sentinel(each=each, length=length):
            head = head_line(f"sentinel of each {each} for {duration_words(length)}", length)
        case Look():
            head = Line(("look at every arrival",), statement.span.start + 1, 0)
        case Table():
            return _table(statement)
        case Engine(method=method, name=name, arguments=arguments):
            words = f"use {method.text} as {name.text}"
            if not arguments:
                head = head_line(words, name)
            else:
                head = Line((words, *begun("with ", listed(map(_argument, arguments)))), end_of(arguments[-1]), 0)
    return [head, *cites_lines(statement.cites)]


def _axis(axis: Axis) -> str:
    return f"{axis.component.text} {', '.join(map(amount_words, axis.doses))}"


def _argument(argument: Argument) -> str:
    return f"{argument.name.text} {', '.join(map(_value, argument.values))}".strip()


def _value(value: Number | Proportion | Label | Name) -> str:
    return value.text if isinstance(value, Label | Name) else amount_words(value)


def _table(table: Table) -> list[Line]:
    """The name, the citations, then the columns, set below one another."""
    head = head_line(f"table {table.name.text}{'  in the part' if table.in_part else ''}", table.name)
    if table.source is not None:
        return [head, *cites_lines(table.cites), Line((f"from {quoted(table.source)}",), end_of(table.source))]
    heads = ["by evaluable", *map(_row_head, table.rows)]
    cells = [[*map(amount_words, table.columns)], *([*map(_entry, row.entries)] for row in table.rows)]
    most = max(map(len, cells))
    widths = [max(len(row[c]) for row in cells if c < len(row)) for c in range(most)]
    room = max(len(words) for words, row in zip(heads, cells, strict=True) if row)
    lines = []
    for words, row, last in zip(heads, cells, [table.columns[-1], *table.rows], strict=True):
        numbers = ", ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False))
        lines.append(Line((f"{words:<{room}}  {numbers}".rstrip(),), end_of(last)))
    return [head, *cites_lines(table.cites), *lines]


def _row_head(row: Row) -> str:
    if row.toxicity is None:
        return f"{row.advice.word} otherwise"
    return f"{row.advice.word} when {row.toxicity.text} {row.bound}"


def _entry(entry: Amount | None) -> str:
    return "none" if entry is None else amount_words(entry)
