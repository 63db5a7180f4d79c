"""Doses of levels: single ones, and those that `levels 1 to 8 drug from 100 by 40%` generates."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from attrs import define, field

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.amounts import parameter, proportion, shown
from doselang.resolve.glossary import Glossary
from doselang.syntax import nodes as syntax

LARGEST_DOSE = 10**15
"""No dose is larger, in whatever unit."""


def dose_number(glossary: Glossary, amount: syntax.Amount, component: model.Component) -> Fraction | None:
    """A dose as a number in the component's unit; a parameter of another unit, or a percentage, is reported."""
    if isinstance(amount, syntax.Number):
        return amount.value
    value = parameter(glossary, amount)
    if value is None:
        return None
    label = [Label(value.span, f"`{amount.name.text}` is declared here")]
    if value.percent:
        message = f"`{amount.name.text}` is a percentage, and here a dose must stand."
        glossary.report.add("DL206", message, amount.span, labels=label)
        return None
    if value.unit is not None and component.unit is not None and value.unit != component.unit:
        message = (
            f"`{amount.name.text}` is in {value.unit}, and the doses of `{component.name}` are in {component.unit}."
        )
        glossary.report.add("DL207", message, amount.span, labels=label)
        return None
    return value.number


def report_no_unit(glossary: Glossary, component: int, node: syntax.Node) -> None:
    """Report a dose that is a number, of a component without a unit."""
    name = glossary.components.spelled[component]
    glossary.report.add(
        "DL207", f"The dose of `{name}` is a number, and `{name}` has no unit.", node.span,
        labels=[Label(glossary.components.spans[component], "no unit here")],
        help=f"Write for example `component {name} in mg`, or the dose in words, in quotes.",
    )  # fmt: skip


# ---- generated doses ----


@define
class _Climb:
    """The doses of one component, level after level, and where a cap was met."""

    node: syntax.Climb
    component: int
    doses: list[Fraction] = field(factory=list)
    cap: Fraction | None = None
    multiple: Fraction | None = None


def generated_doses(
    glossary: Glossary, levels: syntax.Levels, labels: Sequence[str], components: tuple[model.Component, ...]
) -> list[tuple[Fraction | str | None, ...]]:
    """The doses of each level, one entry a component; without `from` the levels have none."""
    climbs: list[_Climb] = []
    for node in levels.climbs:
        found = glossary.look_up(glossary.components, node.component)
        if found is None:
            continue
        if any(climb.component == found for climb in climbs):
            message = f"The doses of `{node.component.text}` are given twice."
            glossary.report.add("DL202", message, node.span, help="Leave out one of the two.")
            continue
        if components[found].unit is None:
            report_no_unit(glossary, found, node)
        climb = _Climb(node, found)
        if _climbed(glossary, climb, components[found], labels):
            climbs.append(climb)
    if climbs and len(climbs) == len(levels.climbs):
        _report_equal(glossary, levels, climbs, labels)
    by_component = {climb.component: climb.doses for climb in climbs}
    return [
        tuple(by_component[c][place] if c in by_component else None for c in range(len(components)))
        for place in range(len(labels))
    ]


def _climbed(glossary: Glossary, climb: _Climb, component: model.Component, labels: Sequence[str]) -> bool:
    """Compute the doses of a component, for so many levels; False if something is wrong, which is reported."""
    node, report = climb.node, glossary.report
    for what, given in (("rounding", node.rounded), ("cap", node.caps)):
        if len(given) > 1:
            report.add("DL202", f"The {what} of `{component.name}` is given twice.", given[1].span)
            return False
    start = _start(glossary, node, component)
    climb.multiple = dose_number(glossary, node.rounded[0], component) if node.rounded else None
    climb.cap = dose_number(glossary, node.caps[0], component) if node.caps else None
    steps = [_step(glossary, step, component) for step in node.steps]
    if start is None or (node.rounded and climb.multiple is None) or (node.caps and climb.cap is None):
        return False
    if climb.multiple == 0:
        report.add("DL206", "Doses cannot be rounded to multiples of 0.", node.rounded[0].span)
        return False
    if climb.cap is not None and climb.cap < start:
        message = f"The cap of {shown(climb.cap)} is below the first dose of `{component.name}`, {shown(start)}."
        report.add("DL206", message, node.caps[0].span, labels=[Label(node.start.span, "the first dose")])
        return False
    known = [step for step in steps if step is not None]
    if len(known) < len(steps):
        return False
    if start == 0 and known[0][1] == 0:
        message = f"A first dose of 0 that is multiplied stays 0: `{component.name}` never rises."
        report.add("DL206", message, node.start.span, help="Write a first dose above 0, or steps that are added.")
        return False
    exact = start
    for place, label in enumerate(labels):
        if exact > LARGEST_DOSE:
            message = f"The dose of `{component.name}` at level {label} would be a very large number."
            report.add("DL206", message, node.span, help="Is a step a slip? Or write a cap: up to 800")
            return False
        climb.doses.append(_settled(exact, climb))
        factor, amount = known[min(place, len(known) - 1)]
        exact = exact * factor + amount
    return True


def _start(glossary: Glossary, node: syntax.Climb, component: model.Component) -> Fraction | None:
    if isinstance(node.start, syntax.Percent | syntax.Ratio):
        what = "a percentage" if isinstance(node.start, syntax.Percent) else "a fraction"
        message = f"The first dose of `{component.name}` is an amount, not {what}."
        glossary.report.add("DL206", message, node.start.span, help="Write for example: from 100 by 40%")
        return None
    return dose_number(glossary, node.start, component)


def _step(
    glossary: Glossary, step: syntax.Given | syntax.Doubling, component: model.Component
) -> tuple[Fraction, Fraction] | None:
    """How a dose follows from the one before: times a factor, plus an amount."""
    share: Fraction | None = None
    amount: Fraction | None = None
    match step:
        case syntax.Doubling():
            return Fraction(2), Fraction(0)
        case syntax.Percent(syntax.Number(number)):
            share = number / 100  # a step may be more than 100%
        case syntax.Percent():
            share = proportion(glossary, step)
        case syntax.Ratio():
            help = "Write the percentage by which the dose rises, such as `by 33%`, or an amount of the drug."
            glossary.report.add("DL206", "A step is not written as a fraction.", step.span, help=help)
        case syntax.Parameter() as use:
            value = parameter(glossary, use)
            if value is not None and value.percent:
                share = value.number
            elif value is not None:
                amount = dose_number(glossary, use, component)
        case syntax.Number(number):
            amount = number
    if share is None and amount is None:
        return None
    if (share or amount or 0) <= 0:
        message = "A step of 0 raises nothing." if not (share or amount) else "A step goes up, not down."
        glossary.report.add("DL206", message, step.span, help="Write a step above 0.")
        return None
    return (Fraction(1), amount) if share is None and amount is not None else (1 + (share or Fraction(0)), Fraction(0))


def _settled(exact: Fraction, climb: _Climb) -> Fraction:
    """A dose rounded, halves up, and no higher than the cap."""
    dose = exact
    if climb.multiple is not None:
        dose = (exact / climb.multiple + Fraction(1, 2)) // 1 * climb.multiple
    return dose if climb.cap is None else min(dose, climb.cap)


def _report_equal(
    glossary: Glossary, levels: syntax.Levels, climbs: Sequence[_Climb], labels: Sequence[str]
) -> None:  # fmt: skip
    """Report the first two neighbouring levels of which all doses are the same."""
    for place, (low, high) in enumerate(pairwise(labels)):
        if any(climb.doses[place] != climb.doses[place + 1] for climb in climbs):
            continue
        doses = [f"`{climb.node.component.text}` {shown(climb.doses[place])}" for climb in climbs]
        capped = [climb for climb in climbs if climb.doses[place] == climb.cap]
        message = f"Levels {low} and {high} would have the same dose, {', '.join(doses)}."
        if capped:
            help = f"The cap is reached at level {low}: there can be {place + 1} levels, {labels[0]} to {low}."
        else:
            help = "Round to smaller multiples, or take larger steps."
        node = capped[0].node.caps[0] if capped else climbs[0].node
        glossary.report.add("DL206", message, node.span, help=help, labels=[Label(levels.high.span, "up to here")])
        glossary.ladder_known = False
        return
