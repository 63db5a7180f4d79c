"""A cell as a row of the result: what it is, and every figure, named as `simulate --format csv` names it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from doselang.diagnostics import Diagnostic
from doselang.report.figures import TRIAL, Figure, figures
from doselang.simulate.characteristics import Characteristics
from doselang.sweep.plan import Cell, Plan

Value = str | int | float | None
Row = dict[str, Value]
"""A row, by column; what is not there is empty."""

ERROR, MESSAGE = "error", "message"
SIZES = rf"(?:{TRIAL})?patients_probability:(\d+)"
MEAN = f"{TRIAL}patients_mean"
"""What the rows of protocols with several parts have beside the figures of the first."""
ERRORS_OF = "standard_error:"
"""Before the name of a figure: its standard error."""

TEXTS = ("protocol", "scenario", "method", "accrual", ERROR, MESSAGE)
WHOLE = ("cell", "trials", "seed", "patients_min", "patients_max", f"{TRIAL}patients_min", f"{TRIAL}patients_max")
"""Columns of texts, and of whole numbers; all others but those of parameters are of fractions."""


def figure_row(one: Characteristics) -> Row:
    """Every figure of a cell; in a column's name stand what is figured, of which item, and at which level."""
    row: dict[str, int | float | None] = {}
    found = list(figures(one))
    for figure in found:
        name, value = _column(figure), figure.value
        before = row.get(name)
        # several causes can be put into the same words: together they are as probable as their sum
        row[name] = value if before is None or value is None else before + value
    errors = {ERRORS_OF + _column(figure): figure.error for figure in found if figure.error is not None}
    return {**row, **errors}


def _column(figure: Figure) -> str:
    item = f"{figure.item}: {', '.join(figure.rules)}" if figure.rules else figure.item
    return ":".join(part for part in (figure.name, item, figure.level) if part)


def error_row(found: Diagnostic) -> Row:
    """What stands in the place of figures that there are none of."""
    return {ERROR: found.code, MESSAGE: " ".join(part for part in (found.message, found.help) if part)}


def cell_row(plan: Plan, cell: Cell) -> Row:
    """What a cell is, in the first columns of its row."""
    setup, options = plan.setups[cell.setup], plan.options
    given = {name.lower(): setting for name, setting in setup.settings.items()}
    row: Row = {"cell": cell.number + 1, "protocol": setup.path}
    for name in plan.parameters:
        setting = given.get(name.lower())
        if setting is not None:
            numbers = [_number(float(number)) for number in setting.numbers]
            row[f"parameter:{name}"] = numbers[0] if len(numbers) == 1 else " ".join(map(repr, numbers))
    return row | {
        "scenario": cell.scenario.name, "method": options.method, "accrual": options.accrual,
        "trials": options.trials, "seed": cell.seed, ERROR: None, MESSAGE: None,
    }  # fmt: skip


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def with_whole_trial(rows: Iterable[Row], kinds: Collection[str]) -> Iterator[Row]:
    """Rows in which protocols with one part have the figures of the whole trial too, which are those of the part.

    `kinds` are the figures that rows of protocols with several parts have of the whole trial, from `whole_kinds`.
    """
    for row in rows:
        if kinds and MEAN not in row:
            whole = {
                f"{ERRORS_OF if name.startswith(ERRORS_OF) else ''}{TRIAL}{plain}": value
                for name, value in row.items()
                if TRIAL + _kind(plain := name.removeprefix(ERRORS_OF)) in kinds
            }
            row = row | whole
        yield row


def whole_kinds(rows: Iterable[Mapping[str, Value]]) -> frozenset[str]:
    """The figures of the whole trial that some rows have; none where every protocol has one part."""
    return frozenset(_kind(name) for row in rows if MEAN in row for name in row if name.startswith(TRIAL))


def columns_of(rows: Iterable[Mapping[str, Value]]) -> list[str]:
    """The columns of a table of rows: figures of one kind side by side, in the order in which they are first met.

    Numbers of patients stand in order; standard errors come last, in the order of their figures.
    """
    met: dict[str, None] = {}
    for row in rows:
        met.update(dict.fromkeys(row))
    kinds: dict[str, None] = dict.fromkeys(_kind(name) for name in met if not name.startswith(ERRORS_OF))
    order = {kind: number for number, kind in enumerate(kinds)}
    positions = {name: number for number, name in enumerate(met)}

    def place(name: str) -> tuple[bool, int, int, int]:
        is_error = name.startswith(ERRORS_OF)
        plain = name.removeprefix(ERRORS_OF)
        size = re.fullmatch(SIZES, plain)
        return is_error, order.get(_kind(plain), len(order)), int(size[1]) if size else 0, positions.get(plain, 0)

    return sorted(met, key=place)


def _kind(name: str) -> str:
    return name.partition(":")[0]
