"""The decision tables that methods of steps amount to, in the words of the language, so that a file can hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doselang.conduct.looks import counted, looks_of
from doselang.designs.advice import Words
from doselang.designs.methods import Boundary, MethodError, boundaries, build
from doselang.diagnostics import Report
from doselang.protocol.model import Engine, Protocol
from doselang.source import Source
from doselang.syntax.layout import layout
from doselang.syntax.parse import parse

HEADING = "# What the methods amount to: a table for each, to be put in the place of its `use` line.\n"


def has_steps(protocol: Protocol) -> bool:
    """Whether a protocol uses a method that says a word for the patients of a level."""
    return bool(list(_steps(protocol)))


def method_tables(protocol: Protocol, *, max_states: int) -> str:
    """A printed table for each method of steps, with the numbers of patients at a level at which the trial looks.

    Empty without such a method. Raises as `explore`.
    """
    engines = list(_steps(protocol))
    if not engines:
        return ""
    sizes = sorted({int(n) for looks in looks_of(counted(protocol, max_states=max_states)) for n in looks.evaluable})
    tables = [_table(protocol, name, adviser, [n for n in sizes if n]) for name, adviser in engines]
    return "\n".join([HEADING, *tables])


def _steps(protocol: Protocol) -> Iterator[tuple[str, Words]]:
    levels = sum(level.ladder == 0 and not level.off_ladder for level in protocol.levels)
    for adviser in protocol.advisers:
        if isinstance(adviser, Engine):
            built = build(adviser.method, dict(adviser.arguments), levels)
            if isinstance(built, Words):
                yield adviser.name, built


def _table(protocol: Protocol, name: str, adviser: Words, sizes: Sequence[int]) -> str:
    """A table as the formatter lays it out; a comment where the method's words are no boundaries."""
    try:
        rows = [row for row in boundaries(adviser, sizes[-1]) if row.n in sizes]
    except MethodError as error:
        return f"# {name}: {error.message}.\n"
    text = "\n".join(_lines(name, protocol.toxicities[0].name, adviser, rows))
    source = Source(name, text)
    return layout(parse(source, Report()), source).lstrip("\n")


def _lines(name: str, toxicity: str, adviser: Words, rows: Sequence[Boundary]) -> Iterator[str]:
    yield f"table {name}"
    yield f"  by evaluable {', '.join(str(row.n) for row in rows)}"
    bounds = {"escalate": "at most", "de-escalate": "at least", "eliminate": "at least"}
    for word in (word for word in adviser.words if word in bounds):
        field = word.replace("-", "_")
        cells = ["none" if (cell := getattr(row, field)) is None else str(cell) for row in rows]
        yield f"  {word} when {toxicity} {bounds[word]} {', '.join(cells)}"
    if "stay" in adviser.words:
        yield "  stay otherwise"
