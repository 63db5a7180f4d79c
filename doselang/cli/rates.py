"""The true rates that a command line asks for: its scenarios."""

from __future__ import annotations

import click

from doselang.diagnostics import Trouble, trouble
from doselang.loading import read_text
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.scenarios import from_csv, from_rates, named

toxicity_option = click.option(
    "--toxicity", "others", multiple=True, metavar="NAME=RATES",
    help="With --dlt: the true rates of a further toxicity, one a level (may be repeated).",
)  # fmt: skip


def with_dlt(rates: str | None, others: tuple[str, ...]) -> None:
    """Refuse rates of further toxicities without those of the first."""
    if others and rates is None:
        raise trouble(
            "DL903", "`--toxicity` goes with `--dlt`.",
            help="Give the rates of the first toxicity too, one a level: --dlt 10%,20%,30%",
        )  # fmt: skip


def asked_scenarios(
    protocol: Protocol, rates: str | None, others: tuple[str, ...], names: tuple[str, ...], table: str | None
) -> tuple[Scenario, ...]:
    """What was asked for by names, by `--dlt` and by a table, else all scenarios of the protocol, or none."""
    chosen = [named(protocol, name) for name in names]
    with_dlt(rates, others)
    if rates is not None:
        chosen.append(from_rates(protocol, rates, others))
    if table is not None:
        chosen += from_csv(protocol, read_text(table), table)
    return tuple(chosen) or protocol.scenarios


def no_scenario(protocol: Protocol, file: str) -> Trouble:
    """What to say when there is nothing to simulate under; `file` is how the message calls the file."""
    example = ",".join(f"{10 * (level + 1)}%" for level in range(min(len(protocol.levels), 9)))
    return trouble("DL903", f"{file} has no scenario.", help=f"Give true rates, for example: --dlt {example}")
