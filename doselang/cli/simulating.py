"""`doselang simulate`: operating characteristics, exact by default."""

from __future__ import annotations

import os
import secrets

import click

from doselang.api import load, simulate
from doselang.cli.output import (
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
from doselang.simulate.clock import TimedAccrual, Timing
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.scenarios import from_csv, from_rates, named
from doselang.simulate.timed_figures import timed
from doselang.simulate.timing_file import read_timing, with_arrivals

TRIALS = 100_000
TIMED_TRIALS = 10_000
MOST_TRIALS = 100_000_000
MOST_TIMED = 2_000_000
WORTH_A_PROCESS = 20_000


@click.command("simulate")
@files_argument
@format_option("table", "json", "csv", "markdown")
@click.option("--method", type=click.Choice(["exact", "montecarlo", "timed"]), default="exact", show_default=True)
@click.option(
    "--trials",
    type=int,
    default=None,
    help=f"How many trials to simulate.  [default: {TRIALS}; with timed {TIMED_TRIALS}]",
)
@click.option("--seed", type=int, default=None, help="The seed of the simulation; printed when not given.")
@click.option(
    "--dlt", "rates", default=None, metavar="RATES", help="One true rate a level: 10%,20%,30% or 0.1,0.2,0.3."
)
@toxicity_option
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="A scenario of the file (may be repeated).")
@click.option("--scenarios", "table", default=None, metavar="FILE.csv", help="Scenarios from a table.")
@click.option(
    "--accrual",
    type=click.Choice(["one-at-a-time", "whole-cohort", "as-they-come"]),
    default=None,
    help="How patients enter: each when the last one's outcome is known, a cohort together, or with timed as they come."
    "  [default: one-at-a-time; with timed as-they-come]",
)
@click.option("--arrivals", default=None, metavar="NUMBER", help="With timed: patients a month, at random.")
@click.option("--timing", "timing_path", default=None, metavar="FILE.toml", help="With timed: all times, from a file.")
@click.option(
    "--jobs", default=None, type=int, help="With timed: how many processes.  [default: as many as processors]"
)
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
@quiet_option
@color_option
def command(
    paths: tuple[str, ...], form: str, method: str, trials: int | None, seed: int | None, rates: str | None,
    others: tuple[str, ...], names: tuple[str, ...], table: str | None, accrual: TimedAccrual | None,
    arrivals: str | None, timing_path: str | None, jobs: int | None, settings: tuple[str, ...], max_states: int,
    quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Give the operating characteristics of a protocol: exactly, or by simulated trials."""
    _refuse(method, trials, seed, accrual, {"--arrivals": arrivals, "--timing": timing_path, "--jobs": jobs})
    timing = _timing(arrivals, timing_path)
    values, status, records = parameters(settings), 0, []
    chosen_seed = secrets.randbelow(1 << 32) if seed is None else seed
    for path in expanded(paths):
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        scenarios = _scenarios(loaded.protocol, rates, others, names, table)
        if method == "timed":
            many = TIMED_TRIALS if trials is None else trials
            found = timed(
                loaded.protocol, scenarios, timing, accrual or "as-they-come", trials=many, seed=chosen_seed,
                jobs=_jobs(many) if jobs is None else jobs,
            )  # fmt: skip
        elif method == "exact":
            found = simulate(loaded.protocol, scenarios, _plain(accrual), max_states=max_states)
        else:
            found = monte_carlo(
                loaded.protocol, scenarios, _plain(accrual), trials=TRIALS if trials is None else trials,
                seed=chosen_seed,
            )  # fmt: skip
        if form == "json":
            records.append(simulation_record(found, path))
        else:
            _print(found, form, path, many=len(expanded(paths)) > 1)
    if records:
        click.echo(write_json(records[0] if len(records) == 1 else {"files": records}), nl=False)
    return status


def _refuse(
    method: str, trials: int | None, seed: int | None, accrual: TimedAccrual | None, clock: dict[str, object]
) -> None:
    """Refuse options that go with another method."""
    if method == "exact" and (trials is not None or seed is not None):
        option = "--trials" if trials is not None else "--seed"
        raise trouble(
            "DL903", f"`{option}` goes with `--method montecarlo` or `timed`; exact figures need no trials and no seed."
        )
    if trials is not None and trials > MOST_TRIALS:
        raise trouble("DL903", f"`--trials` is at most {MOST_TRIALS:,}, and not {trials:,}.")
    if method == "timed":
        if trials is not None and trials > MOST_TIMED:
            raise trouble("DL903", f"With a clock `--trials` is at most {MOST_TIMED:,}, and not {trials:,}.")
        return
    given = [option for option, value in clock.items() if value is not None]
    if accrual == "as-they-come":
        given.append("--accrual as-they-come")
    if given:
        raise trouble(
            "DL903", f"`{given[0]}` goes with `--method timed`: `{method}` knows no clock.",
            help="Add: --method timed",
        )  # fmt: skip


def _timing(arrivals: str | None, path: str | None) -> Timing:
    timing = Timing() if path is None else read_timing(read_text(path), path)
    return timing if arrivals is None else with_arrivals(timing, arrivals)


def _plain(accrual: TimedAccrual | None) -> Accrual:
    """The accrual without a clock."""
    return "whole-cohort" if accrual == "whole-cohort" else "one-at-a-time"


def _jobs(trials: int) -> int:
    """As many processes as there are processors, if there is enough for them to do."""
    return max(1, min(os.cpu_count() or 1, trials // WORTH_A_PROCESS))


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
