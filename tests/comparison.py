"""The tables of docs/designs/comparison.md, all designs side by side; run as a program it writes them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from doselang.api import load, simulate
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics

ROOT = Path(__file__).parent.parent
DESIGNS = ROOT / "protocols" / "designs"
PAGE = ROOT / "docs" / "designs" / "comparison.md"
SCENARIOS = {
    "gentle": (0.05, 0.10, 0.20, 0.30, 0.45),
    "moderate": (0.05, 0.12, 0.25, 0.40, 0.55),
    "steep": (0.10, 0.25, 0.40, 0.55, 0.70),
}
TOO_HIGH = 0.33
"""Patients at a level with a higher true DLT rate are overdosed."""
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"
FIVE_LEVELS = {"accelerated-titration": "levels", "accelerated-titration-double-steps": "levels"}
OPEN = ("decision-table", "accelerated-titration-any-course")
"""Left out: the sample table is that of `boin`; and what needs a clock."""


def designs() -> list[str]:
    """All designs that are compared, in the order of their names."""
    return sorted(path.stem for path in DESIGNS.glob("*.dose") if path.stem not in OPEN)


def protocol_of(name: str) -> Protocol:
    loaded = load(str(DESIGNS / f"{name}.dose"), {FIVE_LEVELS[name]: Fraction(5)} if name in FIVE_LEVELS else {})
    assert loaded.protocol is not None, loaded.diagnostics
    assert len(loaded.protocol.levels) == 5, name
    return loaded.protocol


def tables() -> str:
    """The three tables, as Markdown."""
    found = {name: _figures(protocol_of(name)) for name in designs()}
    return "\n".join(line for number, scenario in enumerate(SCENARIOS) for line in _table(number, scenario, found))


def _figures(protocol: Protocol) -> tuple[Characteristics, ...]:
    others = tuple((0.0,) * 5 for _ in protocol.toxicities[1:])
    return simulate(protocol, [Scenario(name, (rates, *others)) for name, rates in SCENARIOS.items()])


def _table(number: int, scenario: str, found: dict[str, tuple[Characteristics, ...]]) -> Iterator[str]:
    rates = SCENARIOS[scenario]
    yield f"## {scenario.capitalize()}: {', '.join(f'{rate:.0%}' for rate in rates)}\n"
    yield "| design | 1 | 2 | 3 | 4 | 5 | no MTD | overdosed | patients |"
    yield "|---|" + "---:|" * 8
    for name, each in found.items():
        one = each[number]
        shown = [f"{100 * chance:.1f}" for chance in (*one.mtd, one.no_mtd, overdosed(one, rates))]
        yield f"| [`{name}`]({name}.md) | {' | '.join(shown)} | {one.trial.patients.mean:.1f} |"
    yield ""


def overdosed(one: Characteristics, rates: tuple[float, ...]) -> float:
    """The share of patients at levels with a DLT rate that is too high."""
    by_level = one.trial.patients.by_level
    return sum(n for n, rate in zip(by_level, rates, strict=True) if rate > TOO_HIGH) / sum(by_level)


def page_with(new: str) -> str:
    """The page with other tables."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{new}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with(tables()), encoding="utf-8")
