"""Plans as tables: one row a cell, with its protocol, its parameters, and its scenario or rates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from doselang.diagnostics import Trouble, trouble
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve import Setting, read_setting
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.simulate.scenarios import (
    checked,
    named,
    rate_heading,
    rate_headings,
    rate_of,
    table_rows,
    table_separator,
)
from doselang.sweep.options import options_from
from doselang.sweep.plan import Plan, digest_of, numbered
from doselang.sweep.protocols import Protocols

PROTOCOL, SCENARIO = "protocol", "scenario"


def plan_from_csv(text: str, path: str, given: Mapping[str, Any]) -> Plan:
    """The plan that a table writes, one row a cell; `given` are the options of the command line.

    The first row has the headings: `protocol`, `scenario`, names of parameters, and labels of levels (or
    `TOXICITY:LABEL`), in any order. An empty cell gives nothing. Raises Trouble DL901 where the text is no table,
    DL903 where a heading or a cell is wrong, with row and column as a spreadsheet counts them.
    """
    options = options_from(given, "the command")
    separator = table_separator(text)
    rows = table_rows(text.removeprefix("\ufeff"), separator)
    row, headings = next(rows, (0, []))
    table = _Table(path, _checked_headings(headings, row, path), Protocols(Path(path).parent), separator == ";")
    found: list[tuple[int, Scenario, str]] = []
    digests: dict[str, str] = {}
    for row, cells in rows:
        setup, scenario = table.cell(row, cells)
        found.append((setup, scenario, f"row {row}"))
        digests[str(row)] = digest_of("\0".join(cells))[:8]
    if not found:
        raise trouble("DL901", f"{path} has headings, and no row below them.")
    table.refuse_unused()
    sections = {
        "option": options.words(),
        "heading": dict.fromkeys(headings, ""),
        "row": digests,
        "protocol": table.protocols.digests,
    }
    setups = tuple(table.protocols.setups)
    cells_found = numbered(found, setups, options)
    _refuse_twins([cell.identity for cell in cells_found], [cell.place for cell in cells_found], path)
    parameters = tuple(heading for heading in headings if heading in table.parameters)
    return Plan(path, options, parameters, setups, cells_found, sections)


def _refuse_twins(identities: list[str], places: list[str], path: str) -> None:
    first: dict[str, str] = {}
    for identity, place in zip(identities, places, strict=True):
        if identity in first:
            raise trouble("DL903", f"{path}: {place} is the same cell as {first[identity]}.", help="Leave one out.")
        first[identity] = place


def _checked_headings(headings: list[str], row: int, path: str) -> list[str]:
    """The headings, if each is there once and one of them is `protocol`."""
    example = "For example: protocol,target,scenario"
    if not headings:
        raise trouble("DL901", f"The plan {path} is empty.", help=f"Write headings. {example}")
    folded = [fold(heading) for heading in headings]
    for position, heading in enumerate(folded):
        if heading and heading in folded[:position]:
            message = f"{path}: row {row}, column {position + 1}: the heading `{shorten(heading, 40)}` is there twice."
            raise trouble("DL903", message)
    if PROTOCOL not in folded:
        near = nearest(PROTOCOL, headings)
        help = f"Did you mean `{PROTOCOL}` by `{near}`?" if near else example
        raise trouble("DL903", f"{path}: row {row}: there is no heading `{PROTOCOL}`.", help=help)
    return headings


@define
class _Table:
    """The table that is read: which headings are names of parameters, and which were used at all."""

    path: str
    headings: list[str]
    protocols: Protocols
    decimal_comma: bool
    parameters: set[str] = field(factory=set)
    _used: set[str] = field(factory=set)

    def cell(self, row: int, cells: list[str]) -> tuple[int, Scenario]:
        """The set-up, by number, and the scenario of a row."""
        place = f"{self.path}: row {row}"
        if len(cells) != len(self.headings):
            message = f"{place} has {len(cells)} cells, and there are {len(self.headings)} headings."
            raise trouble("DL903", message)
        given = {h: cell for h, cell in zip(self.headings, cells, strict=True) if cell}
        folded = {fold(heading): cell for heading, cell in given.items()}
        if PROTOCOL not in folded:
            raise trouble("DL903", f"{place} names no protocol.")
        self._used |= set(given)
        path = folded[PROTOCOL]
        known = {fold(name) for name in self.protocols.parameters(path, place)}
        settings = {
            heading: self._setting(cell, self._at(row, heading))
            for heading, cell in given.items()
            if fold(heading) in known and fold(heading) not in (PROTOCOL, SCENARIO)
        }
        self.parameters |= set(settings)
        setup = self.protocols.setup(path, settings, place)
        protocol = self.protocols.setups[setup].protocol
        rates = self._rates(row, protocol, given, settings)
        try:
            return setup, _scenario(protocol, folded.get(SCENARIO), rates, row)
        except Trouble as error:
            raise trouble(
                error.diagnostic.code, f"{place}: {error.diagnostic.message}", help=error.diagnostic.help
            ) from None

    def _at(self, row: int, heading: str) -> str:
        return f"{self.path}: row {row}, column {self.headings.index(heading) + 1}"

    def _setting(self, cell: str, place: str) -> Setting:
        """The value of a parameter: a number or a percentage, or several with commas or spaces between them."""
        plain = cell.replace(",", ".") if self.decimal_comma else cell.replace(",", " ")
        read = read_setting(",".join(plain.split()))
        if read is None:
            raise trouble(
                "DL903",
                f"{place}: `{shorten(cell, 40)}` is not a number.",
                help="Write for example 3, 0.25 or 25%; a list with spaces: 5% 10% 20%.",
            )
        return read

    def _rates(
        self, row: int, protocol: Protocol, given: Mapping[str, str], settings: Mapping[str, Setting]
    ) -> dict[str, float]:
        """The rates of a row by heading in its one spelling. Raises Trouble for what is no rate, and no parameter."""
        rates = {}
        for heading, cell in given.items():
            if heading in settings or fold(heading) in (PROTOCOL, SCENARIO):
                continue
            place, name = self._at(row, heading), rate_heading(protocol, heading)
            if name is None or fold(heading) == "name":
                raise self._unknown(place, heading, protocol, given)
            rates[name] = rate_of(cell, f"{place}: the rate under `{heading}`", decimal_comma=self.decimal_comma)
        return rates

    def _unknown(self, place: str, heading: str, protocol: Protocol, given: Mapping[str, str]) -> Trouble:
        path = next(cell for name, cell in given.items() if fold(name) == PROTOCOL)
        names = [*self.protocols.parameters(path, place), *rate_headings(protocol), SCENARIO]
        near = nearest(heading, names)
        message = f"{place}: `{shorten(heading, 40)}` is neither a parameter nor a level of {path}."
        return trouble(
            "DL903", message, help=f"Did you mean `{near}`?" if near else f"A cell may give {listing(names, 'or')}."
        )

    def refuse_unused(self) -> None:
        """Trouble for a heading under which no row gives anything; a column without a heading may be empty."""
        for heading in self.headings:
            if heading and heading not in self._used and fold(heading) != SCENARIO:
                position = self.headings.index(heading) + 1
                message = f"{self.path}: column {position}: no row gives anything under `{shorten(heading, 40)}`."
                raise trouble("DL903", message, help="Fill the column, or leave it out.")


def _scenario(protocol: Protocol, name: str | None, rates: Mapping[str, float], row: int) -> Scenario:
    """The scenario of a row: its rates, or one of the protocol's by name."""
    if not rates:
        if name is not None:
            return named(protocol, name)
        raise trouble(
            "DL903",
            "there are neither a scenario of the protocol nor rates.",
            help=f"Name a scenario under `{SCENARIO}`, or give rates under the labels of the levels.",
        )
    needed = rate_headings(protocol)
    missing = [heading for heading in needed if heading not in rates]
    if missing:
        raise trouble(
            "DL903", f"there is no rate under {listing(missing)}.", help=f"Rates are needed under {listing(needed)}."
        )
    levels = len(protocol.levels)
    in_order = [rates[heading] for heading in needed]
    by_toxicity = tuple(tuple(in_order[t * levels : (t + 1) * levels]) for t in range(len(protocol.toxicities)))
    return checked(protocol, Scenario(name or f"row {row}", by_toxicity))
