"""Scenarios to simulate under: those of the protocol, `--dlt 10%,20%,30%`, and tables of comma-separated values.

All functions are pure: they read texts, not files. What is wrong is raised as Trouble, in a sentence that says where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import isfinite

from attrs import frozen

from doselang.diagnostics import Trouble, trouble
from doselang.plurals import plural
from doselang.protocol.model import Gate, Protocol, Scenario
from doselang.protocol.words import counted_together
from doselang.resolve.names import fold, listing, nearest, shorten

MOST_SCENARIOS = 1_000_000
"""So many rows a table of scenarios may have."""

ROUNDING = 1e-9
"""So much may rates or chances that are to add up to 1 miss it by."""

_RATE = re.compile(r"(-?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,2})?)\s*(%?)")
"""A number as a person or a spreadsheet writes it; bounded, so that no exponent takes for ever."""


def refuse_without_clock(protocol: Protocol) -> None:
    """Raise Trouble DL903 where what comes first is a matter of time alone: there are no figures without a clock."""
    later = next((toxicity for toxicity in protocol.toxicities if toxicity.later), None)
    if later is not None:
        raise trouble(
            "DL903", f"A `{later.name}` comes in a later cycle, and who enters before it is a matter of time.",
            help="Simulate with a clock: --method timed",
        )  # fmt: skip


# ---- choosing ----


def named(protocol: Protocol, name: str) -> Scenario:
    """The protocol's scenario of a name, letter case aside. Raises Trouble DL903 where there is none."""
    for scenario in protocol.scenarios:
        if fold(scenario.name) == fold(name):
            return scenario
    names = [f'"{scenario.name}"' for scenario in protocol.scenarios]
    near = nearest(name, names)
    if near is not None:
        help = f"Did you mean {near}?"
    elif names:
        help = f"The protocol's scenarios: {listing(names, mark='')}."
    else:
        help = "The protocol has no scenarios. Give rates with `--dlt`, one a level, or write a `scenario`."
    raise trouble("DL903", f'There is no scenario "{shorten(name)}".', help=help)


def from_rates(protocol: Protocol, text: str, others: Sequence[str] = ()) -> Scenario:
    """The scenario that `--dlt` gives: one rate a level, in ladder order, `10%,20%,30%` or `0.1,0.2,0.3`.

    `others` are the rates of the other toxicities that the protocol counts, each as `moderate=10%,20%,30%`. Raises
    Trouble DL903: a rate that is none, or not in [0, 1]; a wrong number of rates; a toxicity without rates, given
    twice, or unknown.
    """
    first, *further = protocol.toxicities
    given: dict[int, str] = {}
    for other in others:
        name, equals, rates = other.partition("=")
        number = next((n for n, one in enumerate(further) if fold(one.name) == fold(name.strip())), None)
        if number is None or not equals:
            names, together = listing([one.name for one in further]), counted_together(protocol, name, "and")
            there = f"Besides `{first.name}` it counts {names}." if further else f"It counts `{first.name}` alone."
            there = f"`{name.strip()}` counts {together} together: give the rates of each." if together else there
            raise trouble("DL903", f"`--toxicity {shorten(other, 40)}` names no further toxicity.", help=there)
        if number in given:
            raise trouble("DL903", f"`--toxicity {further[number].name}=…` is given twice.")
        given[number] = rates
    missing = next((one for n, one in enumerate(further) if n not in given), None)
    if missing is not None:
        example = ",".join(["10%"] * min(len(protocol.levels), 9))
        raise trouble(
            "DL903", f"`--dlt` gives the rates of `{first.name}`, and the protocol counts `{missing.name}` too.",
            help=f"Add for example: --toxicity {missing.name}={example}",
        )  # fmt: skip
    rows = [_row(protocol, text, "--dlt"), *(_row(protocol, given[n], "--toxicity") for n in range(len(further)))]
    told = [
        f"{one.name} {', '.join(f'{100 * rate:g}%' for rate in row)}"
        for one, row in zip(protocol.toxicities, rows, strict=True)
    ]
    return Scenario("; ".join(told), tuple(rows))


def _row(protocol: Protocol, text: str, option: str) -> tuple[float, ...]:
    """One rate a level, as an option of the command line gives them."""
    cells = [cell.strip() for cell in text.split(";" if ";" in text else ",")]
    labels = [level.label for level in protocol.levels]
    if len(cells) != len(labels):
        given, needed = _count(len(cells), "rate"), _count(len(labels), "level")
        raise trouble(
            "DL903", f"`{option}` gives {given}, and the protocol has {needed}.",
            help=f"Give one rate for each level, in this order: {listing(labels)}.",
        )  # fmt: skip
    return tuple(
        rate_of(cell, f"the rate at level `{label}` in `{option}`", decimal_comma=";" in text)
        for cell, label in zip(cells, labels, strict=True)
    )


def checked(protocol: Protocol, scenario: Scenario) -> Scenario:
    """The scenario, if it fits the protocol. Raises Trouble DL903 with a sentence that says what does not."""

    def wrong(what: str) -> Trouble:
        return trouble("DL903", f'In scenario "{shorten(scenario.name)}" {what}.')

    toxicities, labels = protocol.toxicities, [level.label for level in protocol.levels]
    if len(scenario.rates) != len(toxicities):
        raise wrong(f"there are rates of {len(scenario.rates)} of {_count(len(toxicities), 'toxicity')}")
    for toxicity, rates in zip(toxicities, scenario.rates, strict=True):
        if len(rates) != len(labels):
            raise wrong(
                f"`{toxicity.name}` has {_count(len(rates), 'rate')}, and there are {_count(len(labels), 'level')}"
            )
        for label, rate in zip(labels, rates, strict=True):
            if not 0 <= rate <= 1:
                raise wrong(f"the rate of `{toxicity.name}` at level `{label}` is {rate:g}, which is not from 0 to 1")
    for later in (False, True):
        rows = [rates for one, rates in zip(toxicities, scenario.rates, strict=True) if one.later == later]
        for label, *at_level in zip(labels, *rows, strict=True) if rows else ():
            if sum(at_level) > 1 + ROUNDING:
                raise wrong(f"the rates of all toxicities at level `{label}` add up to {sum(at_level):g}, more than 1")
    for name, chances in scenario.chances.items():
        if (what := _wrong_chances(protocol, name, chances)) is not None:
            raise wrong(what)
    return scenario


def _wrong_chances(protocol: Protocol, name: str, chances: tuple[float, ...]) -> str | None:
    """What is wrong with the chances of a human decision."""
    if not all(isfinite(chance) and 0 <= chance <= 1 for chance in chances) or abs(sum(chances) - 1) > ROUNDING:
        return f'the chances of "{name}" are not numbers from 0 to 1 that add up to 1'
    gates = gates_of(protocol, name)
    for gate in gates:
        if len(gate.options) != len(chances):
            return f'"{name}" has {_count(len(chances), "chance")}, and its decision has {len(gate.options)} outcomes'
    if not gates:
        return f'there are chances of "{name}", which is no rule that leaves a decision to people'
    return None


def gates_of(protocol: Protocol, name: str) -> list[Gate]:
    """The human decisions in the rules of a name, those of patients' courses included."""
    rules = [rule for part in protocol.parts for rule in part.rules]
    if protocol.course is not None:
        rules += [rule for state in protocol.course.states for rule in state.rules]
    return [case.gate for rule in rules if rule.name == name for case in rule.cases if case.gate is not None]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else plural(noun)}"


def rate_of(cell: str, where: str, *, decimal_comma: bool = False) -> float:
    """A rate in [0, 1] from a cell such as `10%`, `0.1`, or `0,1` where the comma can be no separator."""
    found = _RATE.fullmatch(cell.strip().replace(",", ".") if decimal_comma else cell.strip())
    if found is None:
        what = f"is `{shorten(cell, 40)}`, which is not a number" if cell.strip() else "is missing"
        raise trouble("DL903", f"{_begin(where)} {what}.", help="Write a rate such as `10%` or `0.1`.")
    percent = bool(found[2])
    value = Fraction(found[1]) / 100 if percent else float(found[1])  # each as near as floating point can be
    if not 0 <= value <= 1:
        bounds = "from 0% to 100%" if percent else "from 0 to 1"
        help = f"If you mean a percentage, write `{found[1]}%`." if not percent and 1 < value <= 100 else None
        raise trouble("DL903", f"{_begin(where)} is `{shorten(cell, 40)}`, which is not {bounds}.", help=help)
    return float(value)


def _begin(words: str) -> str:
    """Words as the beginning of a sentence; the name of a file stays as it is."""
    return f"{words[:1].upper()}{words[1:]}" if words.startswith(("the ", "row ")) else words


# ---- tables ----


@frozen
class _Columns:
    """Where a table has the name, and by toxicity and level the rate; `headings` as written."""

    headings: tuple[str, ...]
    name: int
    rates: tuple[tuple[int, ...], ...]


def from_csv(protocol: Protocol, text: str, path: str | None = None) -> tuple[Scenario, ...]:
    """The scenarios of a table, one a row.

    The first row has the headings: `name`, and for each level its label, or `TOXICITY:LABEL` (needed where there are
    several toxicities), in any order. A byte-order mark, empty rows, and semicolons between the columns, then with
    commas in the numbers, are understood. Raises Trouble DL901 where the text is no table, DL903 where a heading or a
    cell is wrong, with row and column as a spreadsheet counts them; `path` is put into it.
    """
    try:
        separator = table_separator(text)
        rows = table_rows(text.removeprefix("\ufeff"), separator)
        number, headings = next(rows, (0, []))
        columns = _columns(protocol, headings, number)
        return _scenarios(protocol, columns, rows, decimal_comma=separator == ";")
    except Trouble as error:
        raise Trouble(error.diagnostic, path) from None


def table_separator(text: str) -> str:
    """What stands between the columns, by the headings."""
    headings = re.sub(r'"[^"]*"', "", next((line for line in text.splitlines() if line.strip()), ""))
    if ";" in headings and "," in headings:
        raise trouble(
            "DL903", "The headings of the table hold both commas and semicolons.",
            help="Put commas between all columns, or semicolons between all.",
        )  # fmt: skip
    return ";" if ";" in headings else ","


def table_rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            if number > MOST_SCENARIOS:
                raise trouble("DL901", f"The table has more than {MOST_SCENARIOS:,} rows.")
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield number, cells
    except csv.Error as error:
        message = f"The table cannot be read from row {reader.line_num} on: {error}."
        raise trouble("DL901", message, help="Is a quotation mark left open?") from None


def _columns(protocol: Protocol, headings: list[str], row: int) -> _Columns:
    """Which column is which. Raises Trouble for one that is unknown, twice there, or missing."""
    names = ["name", *rate_headings(protocol)]
    if not headings:
        raise trouble("DL901", "The table of scenarios is empty.", help=f"Write the headings {listing(names)}.")
    found: dict[str, int] = {}
    for position, heading in enumerate(headings):
        name = rate_heading(protocol, heading)
        at = f"Row {row}, column {position + 1}"
        if name is None:
            near = nearest(heading, names)
            help = f"Did you mean `{near}`?" if near else f"The headings are {listing(names)}."
            what = f"the heading `{shorten(heading, 40)}` is unknown" if heading else "the heading is missing"
            raise trouble("DL903", f"{at}: {what}.", help=help)
        if name in found:
            raise trouble("DL903", f"{at}: the heading `{shorten(heading, 40)}` is there twice.")
        found[name] = position
    missing = [name for name in names if name not in found]
    if missing:
        noun = "column is" if len(missing) == 1 else "columns are"
        help = f"The headings are {listing(names)}."
        raise trouble("DL903", f"Row {row}: the {noun} missing: {listing(missing)}.", help=help)
    rates = tuple(
        tuple(found[_title(protocol, t, level.label)] for level in protocol.levels)
        for t in range(len(protocol.toxicities))
    )
    return _Columns(tuple(headings), found["name"], rates)


def _title(protocol: Protocol, toxicity: int, label: str) -> str:
    """The heading of the rates of a toxicity at a level: the label alone where there is one toxicity."""
    return label if len(protocol.toxicities) == 1 else f"{protocol.toxicities[toxicity].name}:{label}"


def rate_headings(protocol: Protocol) -> list[str]:
    return [_title(protocol, t, level.label) for t in range(len(protocol.toxicities)) for level in protocol.levels]


def rate_heading(protocol: Protocol, heading: str) -> str | None:
    """A heading in its one spelling, None where it is unknown."""
    known = {fold(name): name for name in ("name", *rate_headings(protocol))}
    for t, toxicity in enumerate(protocol.toxicities):
        for level in protocol.levels:
            known[fold(f"{toxicity.name}:{level.label}")] = _title(protocol, t, level.label)
    return known.get(fold(re.sub(r"\s*:\s*", ":", heading)))


def _scenarios(
    protocol: Protocol, columns: _Columns, rows: Iterator[tuple[int, list[str]]], *, decimal_comma: bool
) -> tuple[Scenario, ...]:
    found: dict[str, tuple[int, Scenario]] = {}
    for row, cells in rows:
        if len(cells) != len(columns.headings):
            message = f"Row {row} has {_count(len(cells), 'cell')}, and there are {len(columns.headings)} headings."
            raise trouble("DL903", message)
        name = cells[columns.name]
        if not name:
            raise trouble("DL903", f"Row {row}, column {columns.name + 1}: the scenario has no name.")
        if fold(name) in found:
            message = f'Row {row} is named "{shorten(name)}", and so is row {found[fold(name)][0]}.'
            raise trouble("DL903", message, help="Give each scenario a name of its own.")

        def rate(column: int, row: int = row, cells: list[str] = cells) -> float:
            where = f"row {row}, column {column + 1}: the rate under `{columns.headings[column]}`"
            return rate_of(cells[column], where, decimal_comma=decimal_comma)

        rates = tuple(tuple(rate(column) for column in of_toxicity) for of_toxicity in columns.rates)
        found[fold(name)] = (row, checked(protocol, Scenario(name, rates)))
    if not found:
        raise trouble("DL901", "The table has headings, and no scenario below them.")
    return tuple(scenario for _, scenario in found.values())
