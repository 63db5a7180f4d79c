"""A cell as a row of the result: what it is, and every figure, named as `simulate --format csv` names it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from doselang.diagnostics import Diagnostic
from doselang.report.characteristics import Figure, figures
from doselang.simulate.characteristics import Characteristics
from doselang.sweep.plan import Cell, Plan

Value = str | int | float | None
Row = dict[str, Value]
"""A row, by column; what is not there is empty."""

ERROR, MESSAGE = "error", "message"
SIZES = "patients_probability"
ERRORS_OF = "standard_error:"
"""Before the name of a figure: its standard error."""

TEXTS = ("protocol", "scenario", "method", "accrual", ERROR, MESSAGE)
WHOLE = ("cell", "trials", "seed", "patients_min", "patients_max")
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
        size = re.fullmatch(rf"{SIZES}:(\d+)", plain)
        return is_error, order.get(_kind(plain), len(order)), int(size[1]) if size else 0, positions.get(plain, 0)

    return sorted(met, key=place)


def _kind(name: str) -> str:
    return name.partition(":")[0]
