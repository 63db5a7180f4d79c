"""Scenarios: assumed rates, hazards and chances, checked against what they are of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.amounts import rates as bind_rates
from doselang.resolve.amounts import shown
from doselang.resolve.expectations import Books
from doselang.resolve.glossary import Glossary
from doselang.resolve.names import Names, fold, listing, shorten
from doselang.resolve.rules import unknown_rule
from doselang.syntax import nodes as syntax

Row = tuple[Fraction, ...]
Written = tuple[syntax.Proportion | syntax.Parameter, ...]


def bind_scenarios(
    glossary: Glossary, books: Books, scenarios: Sequence[syntax.Scenario]
) -> tuple[model.Scenario, ...]:
    names = Names("scenario", "scenarios", 'scenario "{}"', mark='"')
    bound = []
    for scenario in scenarios:
        names.declare(scenario.name.value, scenario.name.span, glossary.report)
        one = _bind(glossary, books, scenario)
        if one is not None:
            bound.append(one)
    return tuple(bound)


def _bind(glossary: Glossary, books: Books, scenario: syntax.Scenario) -> model.Scenario | None:
    rates: dict[int, Row | None] = {}
    hazards: dict[int, Row | None] = {}
    chances: dict[str, tuple[float, ...]] = {}
    for assumption in scenario.assumptions:
        match assumption:
            case syntax.Rates(name, values):
                _rates(glossary, assumption, name, values, rates)
            case syntax.Hazards(name, values):
                _hazards(glossary, assumption, name, values, hazards)
            case syntax.Chances():
                _chances(glossary, books, assumption, chances)
    _report_missing(glossary, scenario, rates, hazards)
    _report_sums(glossary, scenario, rates)
    of_toxicities = _table(rates, len(glossary.toxicities))
    of_events = _table(hazards, len(glossary.events)) if hazards else None
    if of_toxicities is None or (hazards and of_events is None):
        return None
    return model.Scenario(scenario.name.value, of_toxicities, of_events, chances, span=scenario.span)


def _table(rows: dict[int, Row | None], number: int) -> tuple[tuple[float, ...], ...] | None:
    """All rows in order, as floating-point numbers; None if one is missing."""
    found = [rows.get(i) for i in range(number)]
    present = [row for row in found if row is not None]
    return tuple(_floats(row) for row in present) if len(present) == number else None


def _floats(row: Row) -> tuple[float, ...]:
    """The numbers of a row; one rate for all levels is turned into a float once."""
    if row and all(value is row[0] for value in row):
        return (float(row[0]),) * len(row)
    return tuple(float(value) for value in row)


# ---- rates and hazards ----


def _rates(
    glossary: Glossary, written: syntax.Rates, name: syntax.Name, values: Written,
    rates: dict[int, Row | None],
) -> None:  # fmt: skip
    found = glossary.find_toxicity(name.text)
    if found is None and glossary.events.find(name.text) is not None:
        glossary.report.add(
            "DL216", f"`{name.text}` is an event of a patient's course, not a toxicity of the trial.", written.span,
            help=f"Write: each cycle {name.text} 5%",
        )  # fmt: skip
        return
    if found is None and (group := glossary.groups.find(name.text)) is not None:
        classes = [glossary.toxicities.spelled[one] for one in glossary.members[group]] or glossary.toxicities.spelled
        glossary.report.add(
            "DL216", f"`{name.text}` is a name for {listing(classes)} together; each of them has its own rates.",
            written.span, help=f"Write for example, on a line each: {' / '.join(f'{one} 10%' for one in classes)}",
        )  # fmt: skip
        return
    if found is None:
        glossary.unknown(glossary.toxicities, name)
        return
    _report_twice(glossary, written, name, found, rates)
    rates[found] = _row(glossary, written, values)


def _hazards(
    glossary: Glossary, written: syntax.Hazards, name: syntax.Name, values: Written,
    hazards: dict[int, Row | None],
) -> None:  # fmt: skip
    found = glossary.events.find(name.text)
    if found is None and (glossary.find_toxicity(name.text) is not None or not len(glossary.events)):
        glossary.report.add(
            "DL216", f"`each cycle` gives the rate of an event, and `{name.text}` is none.", written.span,
            help=f"The rates of a toxicity stand without `each cycle`: {name.text} 10%, 20%, 30%"
            if glossary.find_toxicity(name.text) is not None else "The file declares no event.",
        )  # fmt: skip
        return
    if found is None:
        glossary.unknown(glossary.events, name)
        return
    _report_twice(glossary, written, name, found, hazards)
    hazards[found] = _row(glossary, written, values)


def _report_twice(
    glossary: Glossary, written: syntax.Rates | syntax.Hazards, name: syntax.Name, found: int,
    rows: dict[int, Row | None],
) -> None:  # fmt: skip
    if found in rows:
        message = f"The scenario gives the rates of `{name.text}` twice."
        glossary.report.add("DL216", message, written.span, help="Leave out one of the two.")


def _row(glossary: Glossary, written: syntax.Rates | syntax.Hazards, values: Written) -> Row | None:
    """One rate a level."""
    found = bind_rates(glossary, values, "DL216")
    levels = len(glossary.levels)
    if len(found) not in (1, levels) and glossary.ladder_known and levels and not glossary.partial:
        need = f"{levels}, one a level, or one for all" if levels > 1 else "one"
        message = f"The ladder has {levels} level{'s' if levels > 1 else ''}, and here {_are(len(found), 'rate')}."
        help = f"Write {need}, in the order of the ladder."
        glossary.report.add("DL216", message, written.span, help=help)
        return None
    row = tuple(value for value in found if value is not None)
    if len(row) < len(found):
        return None
    return row * levels if len(row) == 1 else row


def _are(number: int, what: str) -> str:
    return f"is one {what}" if number == 1 else f"are {number} {what}s"


def _report_missing(
    glossary: Glossary, scenario: syntax.Scenario, rates: dict[int, Row | None], hazards: dict[int, Row | None]
) -> None:
    """Report toxicities without a rate, and events without one where another event has one."""
    for number, name in enumerate(glossary.toxicities.spelled):
        if number not in rates and not _misnamed(scenario, glossary):
            glossary.report.add(
                "DL216", f"The scenario gives no rate of `{name}`.", scenario.name.span,
                help=f"Write for example: {name} 10%, with one rate a level or one for all",
            )  # fmt: skip
    for number, name in enumerate(glossary.events.spelled):
        if hazards and number not in hazards:
            glossary.report.add(
                "DL216", f"The scenario gives rates of events, and none of `{name}`.", scenario.name.span,
                help=f"Write for example: each cycle {name} 0%",
            )  # fmt: skip


def _misnamed(scenario: syntax.Scenario, glossary: Glossary) -> bool:
    """Whether a rate has a name that is not declared, so that the one missing is probably meant by it."""
    rates = [one.toxicity.text for one in scenario.assumptions if isinstance(one, syntax.Rates)]
    return any(glossary.find_toxicity(name) is None for name in rates)


def _report_sums(glossary: Glossary, scenario: syntax.Scenario, rates: dict[int, Row | None]) -> None:
    """Report a level at which the toxicities, which exclude each other, are more than certain together.

    Those in later cycles come to patients who are known, and are counted apart.
    """
    for later in (False, True):
        rows = [row for number, row in rates.items() if row is not None and (number in glossary.later) == later]
        if len(rows) > 1:
            _report_sum(glossary, scenario, rows)


def _report_sum(glossary: Glossary, scenario: syntax.Scenario, rows: Sequence[Row]) -> None:
    for level, at_level in enumerate(zip(*rows, strict=False)):
        total = sum(at_level, Fraction(0))
        if total > 1:
            glossary.report.add(
                "DL216", f"The rates at level `{glossary.levels.spelled[level]}` add up to {shown(total * 100)}%.",
                scenario.span,
                help="A patient counts in one toxicity, the most severe: the rates add up to at most 100%.",
            )  # fmt: skip
            return


# ---- chances of human decisions ----


def _chances(glossary: Glossary, books: Books, written: syntax.Chances, chances: dict[str, tuple[float, ...]]) -> None:
    name = written.rule.value
    entries = books.trial.named(name) + books.course.named(name)
    if not entries:
        names = books.trial if books.trial.names.suggestion(name) or not len(books.course.names) else books.course
        unknown_rule(glossary, names, written.rule)
        return
    gates = [case.gate for entry in entries for case in entry.bound.cases if case.gate is not None]
    values = bind_rates(glossary, written.values, "DL216")
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return
    if any(gate.kind == "draw" for gate in gates):
        message = f'The chance in "{shorten(name)}" is the protocol\'s own, and no scenario changes it.'
        glossary.report.add("DL216", message, written.span, help="Leave this out.")
        return
    if fold(name) in {fold(other) for other in chances}:
        message = f'The chances of "{shorten(name)}" are given twice.'
        glossary.report.add("DL216", message, written.span, help="Leave out one of the two.")
    if not gates:
        if all(len(entry.bound.cases) == len(entry.node.cases) for entry in entries):
            glossary.report.add(
                "DL216", f'In the rule "{shorten(name)}" nobody decides anything.', written.span,
                labels=[Label(entries[0].node.name.span, "neither `may` nor `ask`")],
                help="Chances are given of rules with `may` or `ask`.",
            )  # fmt: skip
        return
    row = _options(glossary, written, gates, numbers)
    if row is not None:
        chances[entries[0].name] = tuple(float(value) for value in row)


def _options(
    glossary: Glossary, written: syntax.Chances, gates: Sequence[model.Gate], numbers: list[Fraction]
) -> Row | None:
    """One chance an option: of a permission it is given that it is made use of."""
    wanted = {(gate.kind, len(gate.options)) for gate in gates}
    if len(wanted) > 1:
        other = next(gate for gate in gates if (gate.kind, len(gate.options)) != (gates[0].kind, len(gates[0].options)))
        glossary.report.add(
            "DL216", "The cases of the rule leave different choices, and one row of chances cannot be of all.",
            written.span, labels=[Label(gates[0].span, "one choice"), Label(other.span, "another")],
            help="One row of chances is for every case of its rule: the cases may all have `may`, or all have `ask` "
            "with as many options. Write a case with another choice as a rule of its own.",
        )  # fmt: skip
        return None
    gate = gates[0]
    expected = 1 if gate.kind == "may" else len(gate.options)
    if len(numbers) != expected:
        help = "Write one chance: that it is done." if gate.kind == "may" else f"Write {expected}, one an option."
        message = f"Here {_are(len(numbers), 'chance')}, and the rule needs {expected}."
        label = Label(gate.span, "the decision")
        glossary.report.add("DL216", message, written.span, labels=[label], help=help)
        return None
    if gate.kind == "may":
        return numbers[0], 1 - numbers[0]
    if sum(numbers) != 1:
        total = shown(sum(numbers, Fraction(0)) * 100)
        glossary.report.add(
            "DL216", f"The chances of the options add up to {total}%, not to 100%.", written.span,
            help="Exactly one of the options is chosen: correct one of the chances.",
        )  # fmt: skip
        return None
    return tuple(numbers)
