"""`doselang simulate`: operating characteristics, exact by default."""

from __future__ import annotations

import secrets

import click
from attrs import frozen

from doselang.api import load, polynomials_of, simulate
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
from doselang.diagnostics import Trouble, trouble
from doselang.loading import read_text
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol, Scenario
from doselang.report.characteristics import render_csv, render_markdown, render_text, simulation_record
from doselang.report.diagnostics_json import write_json
from doselang.report.polynomials import polynomial_csv, polynomial_record, render_polynomials
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import MOST_TRIALS, monte_carlo
from doselang.simulate.scenarios import from_csv, from_rates, named

TRIALS = 100_000
FIRST_TRIALS = 10_000
"""With an error to be reached so many come first, unless another number is asked for."""
MOST_POLYNOMIAL = 1_000_000
"""Of machines with more states polynomials are too long to be of use."""
LIMITS = ("DL701", "DL702", "DL704")
"""The findings that say that a trial is too large for exact figures."""
MOST_INDENTED = 100
"""Of more scenarios JSON is written without line breaks."""


@click.command("simulate")
@files_argument
@format_option("table", "json", "csv", "markdown")
@click.option(
    "--method",
    type=click.Choice(["exact", "montecarlo", "auto"]),
    default="exact",
    show_default=True,
    help="auto: exact figures where the trial is small enough, otherwise simulated ones, and says so.",
)
@click.option(
    "--as",
    "what",
    type=click.Choice(["figures", "polynomial"]),
    default="figures",
    show_default=True,
    help="polynomial: the probability of each result for any rates.",
)
@click.option("--trials", type=int, default=None, help=f"How many trials to simulate.  [default: {TRIALS}]")
@click.option(
    "--error",
    type=float,
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
@accrual_option
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
@quiet_option
@color_option
def command(
    paths: tuple[str, ...], form: str, method: str, what: str, trials: int | None, error: float | None,
    seed: int | None, rates: str | None, others: tuple[str, ...], names: tuple[str, ...], table: str | None,
    plotted: str | None, accrual: Accrual, settings: tuple[str, ...], max_states: int, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Give the operating characteristics of a protocol: exactly, or by simulated trials."""
    _refuse(method, what, form, trials, error, seed, asked=bool(rates or names or table), drawn=plotted)
    drawing = None if plotted is None else Drawing.at(plotted)
    simulation = _Simulation(trials, error, secrets.randbelow(1 << 32) if seed is None else seed)
    values, status, records, written = parameters(settings), 0, [], 0
    for path in expanded(paths):
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        if what == "polynomial":
            text, record = _polynomials(loaded.protocol, form, path, accrual, max_states)
            records += [record] if form == "json" else []
            click.echo(text, nl=False)
            continue
        scenarios = _scenarios(loaded.protocol, rates, others, names, table)
        found = simulation.figures(loaded.protocol, scenarios, accrual, method, max_states)
        if drawing is not None:
            drawing.add(path, found)
        if form == "json":
            records.append(simulation_record(found, path))
            written += len(found)
        else:
            _print(found, form, path, many=len(expanded(paths)) > 1)
    if records:
        record = records[0] if len(records) == 1 else {"files": records}
        click.echo(write_json(record, compact=written > MOST_INDENTED), nl=False)
    if drawing is not None and not status:  # a comparison that lacks a file would mislead
        drawing.write()
        click.echo(f"Picture written: {plotted}", err=True)
    return status


def _refuse(
    method: str, what: str, form: str, trials: int | None, error: float | None, seed: int | None, *,
    asked: bool, drawn: str | None,
) -> None:  # fmt: skip
    """Refuse options that do not go together. Raises Trouble DL903."""
    given = [f"--{name}" for name, value in (("trials", trials), ("error", error), ("seed", seed)) if value is not None]
    if given and method == "exact":
        raise trouble(
            "DL903", f"`{given[0]}` goes with `--method montecarlo`; exact figures need no trials, errors or seed."
        )
    if what == "polynomial" and (method == "montecarlo" or asked or drawn or form == "markdown"):
        odd = "`--method montecarlo`" if method == "montecarlo" else "rates" if asked else "`--format markdown`"
        odd = "`--plot`" if drawn else odd
        raise trouble("DL903", f"A polynomial is exact and holds for any rates: it does not go with {odd}.")
    if trials is not None and trials > MOST_TRIALS:
        raise trouble("DL903", f"`--trials` is at most {MOST_TRIALS:,}, and not {trials:,}.")
    if error is not None and not 1e-5 <= error < 1:
        raise trouble("DL903", f"`--error` is a number from 0.00001 to 1, and not {error:g}.")


@frozen
class _Simulation:
    """How trials are simulated where they are."""

    trials: int | None
    error: float | None
    seed: int

    def figures(
        self, protocol: Protocol, scenarios: tuple[Scenario, ...], accrual: Accrual, method: str, max_states: int
    ) -> tuple[Characteristics, ...]:
        """The figures by a method; `auto` simulates where exact ones are not to be had, and says so."""
        if method == "montecarlo":
            return self.simulated(protocol, scenarios, accrual)
        try:
            return simulate(protocol, scenarios, accrual, max_states=max_states)
        except Trouble as limit:
            if method != "auto" or limit.diagnostic.code not in LIMITS:
                raise
            click.echo(f"doselang: {limit.diagnostic.message} So the figures are simulated.", err=True)
            return self.simulated(protocol, scenarios, accrual)

    def simulated(
        self, protocol: Protocol, scenarios: tuple[Scenario, ...], accrual: Accrual
    ) -> tuple[Characteristics, ...]:
        trials = TRIALS if self.trials is None else self.trials
        first = min(trials, FIRST_TRIALS) if self.error is not None and self.trials is None else trials
        return monte_carlo(protocol, scenarios, accrual, trials=first, seed=self.seed, error=self.error)


def _polynomials(protocol: Protocol, form: str, path: str, accrual: Accrual, max_states: int) -> tuple[str, object]:
    """The polynomials as text, or (JSON) as a record."""
    found = polynomials_of(protocol, accrual, max_states=min(max_states, MOST_POLYNOMIAL))
    if form == "json":
        return "", polynomial_record(found, protocol, path, accrual)
    return (polynomial_csv if form == "csv" else render_polynomials)(found, protocol), None


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
