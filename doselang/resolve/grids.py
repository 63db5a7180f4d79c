"""Grids of two components: a level for each pair of doses."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from doselang.protocol import model
from doselang.resolve.amounts import parameter
from doselang.resolve.glossary import Glossary
from doselang.syntax import nodes as syntax

MOST_DOSES = 14
"""So many doses a component of a grid has at most: a file has at most 200 levels."""


def bind_grid(glossary: Glossary, grid: syntax.Grid, components: tuple[model.Component, ...]) -> list[model.Level]:
    """The levels of a grid, the doses of the first component rising fastest; [] if it is wrong, which is reported."""
    axes = [_axis(glossary, axis) for axis in (grid.first, grid.second)]
    if glossary.axes is not None:
        glossary.report.add("DL202", "The file has one grid, and this is a second.", grid.span)
        return []
    found = [axis for axis in axes if axis is not None]
    if len(found) < 2:
        glossary.ladder_known = False
        return []
    (first, rows), (second, columns) = found
    if first == second:
        glossary.report.add("DL202", "The two components of a grid are the same.", grid.second.component.span)
        glossary.ladder_known = False
        return []
    glossary.axes = first, second
    levels = []
    for j, other in enumerate(columns):
        for i, one in enumerate(rows):
            label = f"{i + 1}x{j + 1}"
            doses: list[Fraction | str | None] = [None] * len(components)
            doses[first], doses[second] = one, other
            glossary.levels.enter(label, grid.span)
            levels.append(model.Level(label, tuple(doses), position=(i, j), span=grid.span))
    return levels


def _axis(glossary: Glossary, axis: syntax.Axis) -> tuple[int, Sequence[Fraction]] | None:
    """The component of an axis and its doses."""
    component = glossary.look_up(glossary.components, axis.component)
    doses = [_dose(glossary, dose) for dose in axis.doses]
    known = [dose for dose in doses if dose is not None]
    if component is None or len(known) < len(doses):
        return None
    if len(known) > MOST_DOSES:
        message = f"`{axis.component.text}` has {len(known)} doses in the grid; at most {MOST_DOSES} are read."
        glossary.report.add("DL704", message, axis.span)
        return None
    if any(after <= before for before, after in pairwise(known)):
        glossary.report.add(
            "DL206", f"The doses of `{axis.component.text}` rise from the lowest to the highest.", axis.span,
            help="Write each dose once, the lowest first.",
        )  # fmt: skip
        return None
    return component, known


def _dose(glossary: Glossary, dose: syntax.Amount) -> Fraction | None:
    if isinstance(dose, syntax.Number):
        return dose.value
    value = parameter(glossary, dose)
    return None if value is None else value.number
