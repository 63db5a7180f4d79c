"""Polynomials of the results of a trial as text, JSON and a table of comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from doselang import __version__
from doselang.machine.exits import Accrual
from doselang.protocol.model import Protocol
from doselang.report.table import Column, Table, csv_table
from doselang.simulate.polynomials import Polynomial

WIDTH = 100


def render_polynomials(found: Mapping[str, Polynomial], protocol: Protocol) -> str:
    """The polynomials for people: one a result, q for the chance of no toxicity."""
    lines = [*_legend(protocol), ""]
    for result, polynomial in found.items():
        terms = " + ".join(_term(*one, protocol) for one in _terms(polynomial))
        head = f"P({result}) = "
        lines += wrap(head + terms, WIDTH, subsequent_indent=" " * 4, break_long_words=False, break_on_hyphens=False)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _legend(protocol: Protocol) -> Iterator[str]:
    """What the letters stand for."""
    labels = [level.label for level in protocol.levels]
    yield "The probability of each result, exact for any rates."
    for number, toxicity in enumerate(protocol.toxicities):
        letter = _letter(protocol, number)
        yield f"{letter}[{labels[0]}] is the rate of {toxicity.name} at level {labels[0]}, and so on."
    rest = " - ".join(f"{_letter(protocol, number)}[{labels[0]}]" for number in range(len(protocol.toxicities)))
    yield f"q[{labels[0]}] is 1 - {rest}."


def _letter(protocol: Protocol, toxicity: int) -> str:
    return "p" if len(protocol.toxicities) == 1 else f"p{toxicity + 1}"


def _names(protocol: Protocol) -> list[str]:
    return ["q", *(_letter(protocol, number) for number in range(len(protocol.toxicities)))]


def _terms(polynomial: Polynomial) -> list[tuple[int, list[list[int]]]]:
    """Coefficient, and by level the exponents, of each term."""
    orders = [int(number) for number in polynomial.orders.tolist()]
    return list(zip(orders, polynomial.exponents.tolist(), strict=True))


def _term(orders: int, exponents: list[list[int]], protocol: Protocol) -> str:
    powers = [
        f"{name}[{level.label}]" + (f"^{power}" if power > 1 else "")
        for level, of_level in zip(protocol.levels, exponents, strict=True)
        for name, power in zip(_names(protocol), of_level, strict=True)
        if power
    ]
    factor = [str(orders)] if orders != 1 or not powers else []
    return "·".join([*factor, *powers])


def polynomial_record(found: Mapping[str, Polynomial], protocol: Protocol, path: str, accrual: Accrual) -> object:
    """The record of `simulate --as polynomial --format json`.

    Each term has its coefficient, and by level the patients without toxicity, then with each.
    """
    return {
        "version": __version__,
        "path": path,
        "method": "exact",
        "accrual": accrual,
        "levels": [level.label for level in protocol.levels],
        "outcomes": ["none", *(toxicity.name for toxicity in protocol.toxicities)],
        "polynomials": {
            result: [{"coefficient": orders, "exponents": exponents} for orders, exponents in _terms(polynomial)]
            for result, polynomial in found.items()
        },
    }


def polynomial_csv(found: Mapping[str, Polynomial], protocol: Protocol) -> str:
    """One row a term: the result, the coefficient, and for each level and outcome the exponent."""
    heads = [f"{name}[{level.label}]" for level in protocol.levels for name in _names(protocol)]
    rows = [
        (result, str(orders), *(str(power) for of_level in exponents for power in of_level))
        for result, polynomial in found.items()
        for orders, exponents in _terms(polynomial)
    ]
    return csv_table(Table([Column(head) for head in ("result", "coefficient", *heads)], rows))
