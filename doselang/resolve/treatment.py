"""What is given and what is counted: components, the ladder of levels, toxicities, events, verdicts, bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from attrs import evolve

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.amounts import cycle_number, duration, parameter, shown
from doselang.resolve.conditions import bind_guard
from doselang.resolve.glossary import Glossary
from doselang.resolve.grids import bind_grid
from doselang.resolve.ladders import dose_number, generated_doses, report_no_unit
from doselang.resolve.later import report_declared
from doselang.resolve.letters import letters_for
from doselang.resolve.names import fold, shorten
from doselang.resolve.outline import Outline
from doselang.resolve.places import Where
from doselang.resolve.units import is_unit, nearest_unit
from doselang.source import Span
from doselang.syntax import nodes as syntax

LONGEST_NUMBER = 9
"""More digits are not the number of a level."""
MOST_LEVELS = 200
MOST_COUNTERS = 9
_WHOLE = re.compile(r"-?\d+")


# ---- components and levels ----


def bind_components(glossary: Glossary, components: Sequence[syntax.Component]) -> tuple[model.Component, ...]:
    bound = []
    for component in components:
        unit = component.unit.text if component.unit else None
        if component.unit and not is_unit(component.unit.text):
            near = nearest_unit(component.unit.text)
            glossary.report.add(
                "DL207", f"`{component.unit.text}` is no unit of a dose.", component.unit.span,
                help=f"Did you mean `{near}`?" if near else
                "Write for example `mg`, `mcg`, `IU`, `MBq`, `mg/kg`, `mg/m2` or `mg/m2/day`.",
            )  # fmt: skip
        if glossary.components.declare(component.name.text, component.name.span, glossary.report):
            bound.append(model.Component(component.name.text, unit, span=component.span))
    return tuple(bound)


def bind_ladder(
    glossary: Glossary, ladder: Sequence[syntax.Level | syntax.Levels | syntax.Ladder | syntax.Grid],
    components: tuple[model.Component, ...],
) -> tuple[model.Level, ...]:  # fmt: skip
    """The levels in the order written, from the lowest to the highest."""
    bound: list[model.Level] = []
    glossary.ladder_known = bool(ladder)
    number = 0
    for statement in ladder:
        match statement:
            case syntax.Ladder(name):
                if glossary.ladders.declare(name.text, name.span, glossary.report):
                    number = len(glossary.ladders)
            case syntax.Grid():
                if bound and glossary.axes is None:
                    _report_mixed(glossary, statement, bound[0])
                bound += bind_grid(glossary, statement, components)
            case syntax.Level(label, doses, off_ladder):
                if glossary.axes is not None:
                    _report_mixed(glossary, statement, bound[0])
                given = _doses(glossary, doses, components)
                if "." in label.text:
                    glossary.report.add(
                        "DL206", f"A level's label has no full stop, as `{label.text}` has.", label.span,
                        help="Write a whole number, or a name such as `2A`.",
                    )  # fmt: skip
                    glossary.ladder_known = False
                elif glossary.levels.declare(label.text, label.span, glossary.report):
                    bound.append(model.Level(label.text, given, number, off_ladder, span=statement.span))
            case syntax.Levels():
                bound += [evolve(level, ladder=number) for level in _row(glossary, statement, components)]
    if len(bound) > MOST_LEVELS:
        message = f"The ladder has {len(bound)} levels; at most {MOST_LEVELS} are read."
        glossary.report.add("DL704", message, bound[MOST_LEVELS].span)
        glossary.ladder_known = False
    _report_empty_ladders(glossary, ladder, bound)
    for one in range(number + 1):
        _report_descents(glossary, [level for level in bound if level.ladder == one and level.position is None])
    first = [level.doses[0] for level in bound if level.ladder == 0 and not level.off_ladder and level.doses]
    glossary.doses = tuple(dose for dose in first if isinstance(dose, Fraction)) if components else ()
    glossary.doses = glossary.doses if len(glossary.doses) == len(first) else ()
    return tuple(bound)


def _report_empty_ladders(
    glossary: Glossary, ladder: Sequence[syntax.Level | syntax.Levels | syntax.Ladder | syntax.Grid],
    bound: Sequence[model.Level],
) -> None:  # fmt: skip
    named = {fold(one.name.text): one for one in reversed(ladder) if isinstance(one, syntax.Ladder)}
    for number, one in enumerate(reversed(named.values()), 1):
        if glossary.ladder_known and not any(level.ladder == number for level in bound):
            help = "Write its levels below it, for example: level C1"
            glossary.report.add("DL201", f"The ladder `{one.name.text}` has no level.", one.span, help=help)


def _report_mixed(glossary: Glossary, statement: syntax.Level | syntax.Grid, other: model.Level) -> None:
    glossary.report.add(
        "DL211", "A grid and single levels cannot stand in one file.", statement.span,
        labels=[Label(other.span, "the other levels")], help="Write the doses of the further levels into the grid.",
    )  # fmt: skip


def _row(
    glossary: Glossary, levels: syntax.Levels, components: tuple[model.Component, ...]
) -> list[model.Level]:  # fmt: skip
    """The levels that `levels 1 to 5` writes; of labels that are there already the first is reported."""
    labels = [str(number) for number in _numbers(glossary, levels)]
    doses = dict(zip(labels, generated_doses(glossary, levels, labels, components), strict=True))
    new = [label for label in labels if glossary.levels.find(label) is None]
    clash = next((label for label in labels if glossary.levels.find(label) is not None), None)
    if clash is not None:
        glossary.levels.declare(clash, levels.span, glossary.report)
    for label in new:
        glossary.levels.enter(label, levels.span)
    return [model.Level(label, doses[label], span=levels.span) for label in new]


def _numbers(glossary: Glossary, levels: syntax.Levels) -> range:
    """The labels that `levels 1 to 5` writes; empty if they are wrong, which is reported."""
    low, high = (_label_number(glossary, label) for label in (levels.low, levels.high))
    if low is None or high is None:
        glossary.ladder_known = False
        return range(0)
    if low > high:
        message = f"The ladder is written from the lowest level to the highest; {high} is lower than {low}."
        glossary.report.add("DL206", message, levels.span, help=f"Write: levels {high} to {low}")
    elif high - low >= MOST_LEVELS:
        message = f"These are {high - low + 1} levels; a ladder has at most {MOST_LEVELS}."
        glossary.report.add("DL704", message, levels.span, help=f"Write: levels {low} to {low + MOST_LEVELS - 1}")
    else:
        return range(low, high + 1)
    glossary.ladder_known = False
    return range(0)


def _label_number(glossary: Glossary, label: syntax.Label) -> int | None:
    if _WHOLE.fullmatch(label.text) and len(label.text) <= LONGEST_NUMBER:
        return int(label.text)
    if not label.text[:1].isalpha():
        glossary.report.add(
            "DL206", f"`levels` counts in whole numbers, and `{shorten(label.text, 20)}` is not one.", label.span,
            help="Write for example `levels 1 to 5`, or each level in a statement of its own.",
        )  # fmt: skip
        return None
    use = syntax.Parameter(syntax.Name(label.text, span=label.span), span=label.span)
    value = parameter(glossary, use)
    if value is None:
        return None
    if value.percent or value.unit or value.number.denominator != 1:
        glossary.report.add(
            "DL206", f"`levels` counts whole numbers; `{label.text}` is {shown(value.number)}.", label.span,
            labels=[Label(value.span, "the parameter's value")],
        )  # fmt: skip
        return None
    return int(value.number)


def _doses(
    glossary: Glossary, doses: Iterable[syntax.Dose], components: tuple[model.Component, ...]
) -> tuple[Fraction | str | None, ...]:
    """One entry a component: a number in its unit, words, or None where the level leaves it out."""
    given: dict[int, Fraction | str | None] = {}
    for dose in doses:
        found = glossary.look_up(glossary.components, dose.component)
        if found is None:
            continue
        if found in given:
            message = f"The dose of `{dose.component.text}` is given twice at one level."
            glossary.report.add("DL202", message, dose.span, help="Leave out one of the two.")
        match dose.amount:
            case syntax.Text(words):
                given[found] = words
                continue
            case syntax.Number(number):
                given[found] = number
            case use:
                given[found] = dose_number(glossary, use, components[found])
        if components[found].unit is None:
            report_no_unit(glossary, found, dose)
    return tuple(given.get(i) for i in range(len(components)))


def _report_descents(glossary: Glossary, levels: Sequence[model.Level]) -> None:
    """Report a level whose doses are all lower than those of the level before it."""
    for before, level in pairwise(levels):
        both = [
            (old, new) for old, new in zip(before.doses, level.doses, strict=True)
            if isinstance(old, Fraction) and isinstance(new, Fraction)
        ]  # fmt: skip
        if both and all(new < old for old, new in both):
            glossary.report.add(
                "DL218", f"Level `{level.label}` has lower doses than level `{before.label}`, which stands below it.",
                level.span, labels=[Label(before.span, "the level before it")],
                help="Levels are written from the lowest to the highest.",
            )  # fmt: skip


def bind_start(glossary: Glossary, starts: Sequence[syntax.Start], levels: Sequence[model.Level]) -> None:
    """The level at which the trial begins."""
    if starts:
        glossary.start = glossary.level(starts[0].level)
        if glossary.start is not None and levels and levels[glossary.start].off_ladder:
            message = f"The trial begins at level `{levels[glossary.start].label}`, which is off the ladder."
            help = "Begin at a level of the ladder, or leave out `off-ladder`."
            glossary.report.add("DL211", message, starts[0].level.span, help=help)


# ---- time ----


def bind_cycle(glossary: Glossary, cycles: Sequence[syntax.Cycle]) -> str | None:
    """The length of a cycle in words."""
    if not cycles:
        return None
    length = cycles[0].length
    if length.unit == "cycles":
        message = "The length of a cycle cannot be given in cycles."
        glossary.report.add("DL214", message, length.span, help="Write for example: cycle is 28 days")
        return None
    return duration(glossary, length, "a cycle")


def _in_cycles(window: syntax.Within | syntax.WithinCycles) -> bool:
    return isinstance(window, syntax.WithinCycles) or window.length.unit == "cycles"


def _window(glossary: Glossary, window: syntax.Within | syntax.WithinCycles) -> str | None:
    """A window in words: `within cycle 1`, `within 14 days`."""
    if isinstance(window, syntax.Within):
        words = duration(glossary, window.length, "a window")
        return words and f"within {words}"
    first = cycle_number(glossary, window.first)
    last = cycle_number(glossary, window.last) if window.last is not None else first
    if first is None or last is None:
        return None
    if last < first:
        message = f"The window ends in cycle {last}, before it begins in cycle {first}."
        glossary.report.add("DL214", message, window.span, help=f"Write: within cycle {last} to {first}")
        return None
    return f"within cycle {first}" if first == last else f"within cycle {first} to {last}"


# ---- toxicities and events ----


def bind_toxicities(glossary: Glossary, outline: Outline) -> tuple[model.Toxicity, ...]:
    """The classes of toxicity; the first is the dose-limiting one."""
    classes = [t for t in outline.toxicities if not t.members]
    new = [t for t in classes if glossary.toxicities.declare(t.name.text, t.name.span, glossary.report)]
    letters = letters_for(glossary, new, "toxicity")
    windows = {id(t): _window(glossary, t.window) for t in classes if t.window is not None}
    in_cycles = next((t.window for t in classes if t.window is not None and _in_cycles(t.window)), None)
    if in_cycles is not None and not outline.cycles and not glossary.partial:
        glossary.report.add(
            "DL214", "The window is given in cycles, and the file does not say how long a cycle is.", in_cycles.span,
            help="Write above the levels, with the length that the protocol gives: cycle is 28 days",
        )  # fmt: skip
    report_declared(glossary, outline, new, windows)
    glossary.later = frozenset(number for number, t in enumerate(new) if t.later)
    return tuple(
        model.Toxicity(
            t.name.text, letter, windows.get(id(t)), t.means.text.value if t.means else None, t.later, span=t.span
        )
        for t, letter in zip(new, letters, strict=True)
    )  # fmt: skip


def bind_events(glossary: Glossary, events: Sequence[syntax.Event]) -> tuple[model.Event, ...]:
    new = [e for e in events if glossary.events.declare(e.name.text, e.name.span, glossary.report)]
    letters = letters_for(glossary, new, "event")
    return tuple(
        model.Event(e.name.text, letter, e.means.text.value if e.means else None, span=e.span)
        for e, letter in zip(new, letters, strict=True)
    )


# ---- who decides, and what is concluded ----


def bind_bodies(glossary: Glossary, bodies: Sequence[syntax.Body]) -> tuple[model.Body, ...]:
    return tuple(
        model.Body(b.name.text, b.means.text.value if b.means else None, span=b.span)
        for b in bodies if glossary.bodies.declare(b.name.text, b.name.span, glossary.report)
    )  # fmt: skip


def bind_counters(glossary: Glossary, counters: Sequence[syntax.Counter]) -> tuple[model.Counter, ...]:
    bound = []
    for counter in counters:
        name = counter.name
        if glossary.counters.declare(name.text, name.span, glossary.report):
            means = counter.means.text.value if counter.means else None
            bound.append(model.Counter(name.text, means, span=counter.span))
            if glossary.spelled(name.text) is not None:
                message = f"`{name.text}` is a toxicity already, and cannot be a counter too."
                glossary.report.add("DL202", message, name.span, help="Give the counter another name.")
    if len(bound) > MOST_COUNTERS:
        message = f"The file has {len(bound)} counters; at most {MOST_COUNTERS} are read."
        glossary.report.add("DL704", message, bound[MOST_COUNTERS].span)
    return tuple(bound)


def declare_verdicts(glossary: Glossary, verdicts: Sequence[syntax.Verdict]) -> list[syntax.Verdict | None]:
    """Enter the verdicts' names; None stands for the MTD that needs no declaration."""
    bound: list[syntax.Verdict | None] = []
    if not any(fold(verdict.name.text) == "mtd" for verdict in verdicts):
        glossary.verdicts.enter("MTD", Span(0, 0))
        bound.append(None)
    for verdict in verdicts:
        if glossary.verdicts.declare(verdict.name.text, verdict.name.span, glossary.report):
            bound.append(verdict)
    return bound


def bind_verdicts(
    glossary: Glossary, verdicts: Sequence[syntax.Verdict | None]
) -> tuple[tuple[model.Verdict, ...], int]:
    """The verdicts, and which of them is the trial's result: the MTD unless another is declared so."""
    result = glossary.verdicts.find("MTD") or 0
    first: syntax.Verdict | None = None
    bound = []
    for number, verdict in enumerate(verdicts):
        if verdict is None:
            bound.append(model.Verdict("MTD"))
            continue
        if verdict.as_result and first is not None:
            message = f"`{first.name.text}` and `{verdict.name.text}` are both declared as the trial's result."
            help = "Leave `as the result` with one of them."
            glossary.report.add("DL202", message, verdict.span, labels=[Label(first.span, "the first one")], help=help)
        elif verdict.as_result:
            first, result = verdict, number
        where = Where("definition")
        requires = bind_guard(glossary, where, verdict.requires) if verdict.requires else None
        means = verdict.means.text.value if verdict.means else None
        bound.append(model.Verdict(verdict.name.text, means, requires, span=verdict.span))
    return tuple(bound), result
