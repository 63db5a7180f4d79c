"""`doselang simulate`: operating characteristics, exact by default."""

from __future__ import annotations

import secrets

import click

from doselang.api import load, simulate
from doselang.cli.drawing import Drawing
from doselang.cli.output import (
    accrual_option,
    color_option,
    expanded,
    files_argument,
    format_option,
    need_protocol,
    parameters,
    quiet_option,
    set_option,
    toxicity_option,
    with_dlt,
)
from doselang.diagnostics import trouble
from doselang.loading import read_text
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol, Scenario
from doselang.report.characteristics import render_csv, render_markdown, render_text, simulation_record
from doselang.report.diagnostics_json import write_json
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.scenarios import from_csv, from_rates, named

TRIALS = 100_000
MOST_TRIALS = 100_000_000


@click.command("simulate")
@files_argument
@format_option("table", "json", "csv", "markdown")
@click.option("--method", type=click.Choice(["exact", "montecarlo"]), default="exact", show_default=True)
@click.option("--trials", type=int, default=None, help=f"How many trials to simulate.  [default: {TRIALS}]")
@click.option("--seed", type=int, default=None, help="The seed of the simulation; printed when not given.")
@click.option(
    "--dlt", "rates", default=None, metavar="RATES", help="One true rate a level: 10%,20%,30% or 0.1,0.2,0.3."
)
@toxicity_option
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="A scenario of the file (may be repeated).")
@click.option("--scenarios", "table", default=None, metavar="FILE.csv", help="Scenarios from a table.")
@click.option(
    "--plot",
    "plotted",
    default=None,
    metavar="PICTURE",
    help="Also draw the figures, as a file .svg or .png; with several files, designs side by side.",
)
@accrual_option
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
@quiet_option
@color_option
def command(
    paths: tuple[str, ...], form: str, method: str, trials: int | None, seed: int | None, rates: str | None,
    others: tuple[str, ...], names: tuple[str, ...], table: str | None, plotted: str | None, accrual: Accrual,
    settings: tuple[str, ...], max_states: int, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Give the operating characteristics of a protocol: exactly, or by simulated trials."""
    if method == "exact" and (trials is not None or seed is not None):
        option = "--trials" if trials is not None else "--seed"
        raise trouble("DL903", f"`{option}` goes with `--method montecarlo`; exact figures need no trials and no seed.")
    if trials is not None and trials > MOST_TRIALS:
        raise trouble("DL903", f"`--trials` is at most {MOST_TRIALS:,}, and not {trials:,}.")
    drawing = None if plotted is None else Drawing.at(plotted)
    values, status, records = parameters(settings), 0, []
    chosen_seed = secrets.randbelow(1 << 32) if seed is None else seed
    for path in expanded(paths):
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        scenarios = _scenarios(loaded.protocol, rates, others, names, table)
        if method == "exact":
            found = simulate(loaded.protocol, scenarios, accrual, max_states=max_states)
        else:
            found = monte_carlo(
                loaded.protocol, scenarios, accrual, trials=TRIALS if trials is None else trials, seed=chosen_seed
            )
        if drawing is not None:
            drawing.add(path, found)
        if form == "json":
            records.append(simulation_record(found, path))
        else:
            _print(found, form, path, many=len(expanded(paths)) > 1)
    if records:
        click.echo(write_json(records[0] if len(records) == 1 else {"files": records}), nl=False)
    if drawing is not None and not status:  # a comparison that lacks a file would mislead
        drawing.write()
        click.echo(f"Picture written: {plotted}", err=True)
    return status


def _scenarios(
    protocol: Protocol, rates: str | None, others: tuple[str, ...], names: tuple[str, ...], table: str | None
) -> tuple[Scenario, ...]:
    """What to simulate under: what was asked for, else every scenario of the file."""
    chosen = [named(protocol, name) for name in names]
    with_dlt(rates, others)
    if rates is not None:
        chosen.append(from_rates(protocol, rates, others))
    if table is not None:
        chosen += from_csv(protocol, read_text(table), table)
    found = tuple(chosen) or protocol.scenarios
    if not found:
        example = ",".join(f"{10 * (level + 1)}%" for level in range(min(len(protocol.levels), 9)))
        raise trouble("DL903", "The file has no scenario.", help=f"Give true rates, for example: --dlt {example}")
    return found


def _print(found: tuple[Characteristics, ...], form: str, path: str, *, many: bool) -> None:
    if form == "csv":
        click.echo(render_csv(found), nl=False)
        return
    render = render_markdown if form == "markdown" else render_text
    if many:
        click.echo(f"# {path}\n" if form == "markdown" else f"{path}\n")
    click.echo(render(found), nl=False)
