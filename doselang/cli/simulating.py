"""`doselang simulate`: operating characteristics, exact by default."""

from __future__ import annotations

import click

from doselang.api import load, polynomials_of
from doselang.cli.drawing import Drawing
from doselang.cli.methods import TIMED_TRIALS, Method, Way, clock_options, read_error
from doselang.cli.output import (
    color_option,
    expanded,
    files_argument,
    format_option,
    need_protocol,
    one_standard_input,
    parameters,
    quiet_option,
    set_option,
)
from doselang.cli.rates import asked_scenarios, no_scenario, toxicity_option
from doselang.diagnostics import trouble
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol
from doselang.report.characteristics import render_markdown, render_text, simulation_record
from doselang.report.diagnostics_json import write_json
from doselang.report.figures import render_csv
from doselang.report.polynomials import polynomial_csv, polynomial_record, render_polynomials
from doselang.report.sheets import refuse_many
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.clock import TimedAccrual
from doselang.simulate.montecarlo import TRIALS

MOST_POLYNOMIAL = 1_000_000
"""Of machines with more states polynomials are too long to be of use."""
MOST_INDENTED = 100
"""Of more scenarios JSON is written without line breaks."""


@click.command("simulate")
@files_argument
@format_option("table", "json", "csv", "markdown")
@click.option(
    "--method",
    type=click.Choice(["exact", "montecarlo", "auto", "timed"]),
    default="exact",
    show_default=True,
    help="auto: exact where the trial is small enough, otherwise simulated, and says so. timed: with a clock.",
)
@click.option(
    "--as",
    "what",
    type=click.Choice(["figures", "polynomial"]),
    default="figures",
    show_default=True,
    help="polynomial: the probability of each result for any rates.",
)
@click.option(
    "--trials",
    type=int,
    default=None,
    help=f"How many trials to simulate.  [default: {TRIALS}; with timed {TIMED_TRIALS}]",
)
@click.option(
    "--error",
    default=None,
    metavar="E",
    help="Simulate until the standard error of every result's probability is at most E, such as 0.001.",
)
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
@click.option(
    "--accrual",
    type=click.Choice(["one-at-a-time", "whole-cohort", "as-they-come"]),
    default=None,
    help="How patients enter: each when the last one's outcome is known, a cohort together, or with timed as they come."
    "  [default: one-at-a-time; with timed as-they-come]",
)
@clock_options
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
@quiet_option
@color_option
def command(
    paths: tuple[str, ...], form: str, method: Method, what: str, trials: int | None, error: str | None,
    seed: int | None, rates: str | None, others: tuple[str, ...], names: tuple[str, ...], table: str | None,
    plotted: str | None, accrual: TimedAccrual | None, arrivals: str | None, timing_path: str | None,
    jobs: int | None, settings: tuple[str, ...], max_states: int, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Give the operating characteristics of a protocol: exactly, or by simulated trials."""
    one_standard_input(paths, table, timing_path)
    way = Way(method, accrual, max_states, trials, read_error(error), seed, arrivals, timing_path, jobs)
    ready = way.ready()
    if what == "polynomial":
        _refuse_with_polynomial(method, form, asked=bool(rates or others or names or table), drawn=plotted)
    drawing = None if plotted is None else Drawing.at(plotted)
    values, files, status, records, written = parameters(settings), expanded(paths), 0, [], 0
    for path in files:
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        if what == "polynomial":
            text, record = _polynomials(loaded.protocol, form, path, way.plain, max_states)
            records += [record] if form == "json" else []
            click.echo(text, nl=False)
            continue
        scenarios = asked_scenarios(loaded.protocol, rates, others, names, table)
        if not scenarios:
            raise no_scenario(loaded.protocol, "The file")
        if drawing is not None:
            refuse_many(len(scenarios), len(files))
        found = ready.figures(loaded.protocol, scenarios)
        if drawing is not None:
            drawing.add(path, found)
        if form == "json":
            records.append(simulation_record(found, path))
            written += len(found)
        else:
            _print(found, form, path, many=len(files) > 1)
    if records:
        record = records[0] if len(records) == 1 else {"files": records}
        click.echo(write_json(record, compact=written > MOST_INDENTED), nl=False)
    if drawing is not None and status:  # a comparison that lacks a file would mislead
        click.echo(f"No picture is written to {plotted}, since not every file could be used.", err=True)
    elif drawing is not None:
        drawing.write()
        click.echo(f"Picture written: {plotted}", err=True)
    return status


def _refuse_with_polynomial(method: str, form: str, *, asked: bool, drawn: str | None) -> None:
    """Refuse what a polynomial cannot be asked for. Raises Trouble DL903."""
    odd = "rates" if asked else "`--plot`" if drawn else "`--format markdown`" if form == "markdown" else None
    if method in ("montecarlo", "timed"):
        odd = f"`--method {method}`"
    if odd is not None:
        raise trouble("DL903", f"A polynomial is exact and holds for any rates: it does not go with {odd}.")


def _polynomials(protocol: Protocol, form: str, path: str, accrual: Accrual, max_states: int) -> tuple[str, object]:
    """The polynomials as text, or (JSON) as a record."""
    found = polynomials_of(protocol, accrual, max_states=min(max_states, MOST_POLYNOMIAL))
    if form == "json":
        return "", polynomial_record(found, protocol, path, accrual)
    return (polynomial_csv if form == "csv" else render_polynomials)(found, protocol), None


def _print(found: tuple[Characteristics, ...], form: str, path: str, *, many: bool) -> None:
    if form == "csv":
        click.echo(render_csv(found), nl=False)
        return
    render = render_markdown if form == "markdown" else render_text
    if many:
        click.echo(f"# {path}\n" if form == "markdown" else f"{path}\n")
    click.echo(render(found), nl=False)
