"""`doselang paths`: every way in which the next cohorts can go, from the beginning or from a history."""

from __future__ import annotations

import click

from doselang.cli.output import (
    accrual_option,
    expanded,
    files_argument,
    format_option,
    need_protocol,
    parameters,
    set_option,
)
from doselang.cli.rates import toxicity_option, with_dlt
from doselang.conduct.pathways import MAX_PATHS, Pathways, pathways
from doselang.diagnostics import trouble
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.notation import HistoryError, parse_history
from doselang.protocol.model import Protocol, Scenario
from doselang.report.diagnostics_json import write_json
from doselang.report.pathways import paths_record, render_csv_paths, render_markdown_paths, render_paths, render_tree
from doselang.simulate.exact import limits_as_trouble
from doselang.simulate.scenarios import checked, from_rates, named

MOST_COHORTS = 1_000


@click.command("paths")
@files_argument
@click.option("--cohorts", type=int, required=True, metavar="K", help="How many cohorts to follow.")
@click.option("--after", "history", default=None, metavar="HISTORY", help='Begin after a history, such as "1NNN 2NTN".')
@format_option("table", "tree", "csv", "json", "markdown")
@click.option("--scenario", "name", default=None, metavar="NAME", help="Probabilities under a scenario of the file.")
@click.option("--dlt", "rates", default=None, metavar="RATES", help="Probabilities under true rates: 10%,20%,30%.")
@toxicity_option
@accrual_option
@set_option
@click.option("--max-paths", default=MAX_PATHS, show_default=True, type=click.IntRange(1), help="The most pathways.")
def command(
    paths: tuple[str, ...], cohorts: int, history: str | None, form: str, name: str | None, rates: str | None,
    others: tuple[str, ...], accrual: Accrual, settings: tuple[str, ...], max_paths: int,
) -> int:  # fmt: skip
    """Print every way in which the next cohorts of a trial can go, and what is decided then."""
    if not 1 <= cohorts <= MOST_COHORTS:
        raise trouble("DL903", f"`--cohorts` is from 1 to {MOST_COHORTS:,}, and not {cohorts:,}.")
    if name is not None and rates is not None:
        raise trouble("DL903", "`--scenario` and `--dlt` are two ways to give the rates: leave one of them out.")
    values, status, records, files = parameters(settings), 0, [], expanded(paths)
    for path in files:
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        scenario = _scenario(loaded.protocol, name, rates, others)
        found = _found(loaded.protocol, history, cohorts, accrual, scenario, max_paths)
        if form == "json":
            records.append(paths_record(found, path))
        else:
            _print(found, form, path, many=len(files) > 1)
    if records:
        click.echo(write_json(records[0] if len(records) == 1 else {"files": records}), nl=False)
    return status


def _scenario(
    protocol: Protocol, name: str | None, rates: str | None, others: tuple[str, ...]
) -> Scenario | None:  # fmt: skip
    with_dlt(rates, others)
    if name is not None:
        return checked(protocol, named(protocol, name))
    return None if rates is None else from_rates(protocol, rates, others)


def _found(
    protocol: Protocol, history: str | None, cohorts: int, accrual: Accrual, scenario: Scenario | None, max_paths: int
) -> Pathways:
    try:
        after = () if history is None else parse_history(history, protocol)
        with limits_as_trouble():
            return pathways(
                protocol, compile_protocol(protocol), after, cohorts, accrual, scenario, max_paths=max_paths
            )
    except HistoryError as error:
        raise trouble("DL904", error.message) from None


def _print(found: Pathways, form: str, path: str, *, many: bool) -> None:
    if form == "csv":
        click.echo(render_csv_paths(found), nl=False)
        return
    if many:
        click.echo(f"# {path}\n" if form == "markdown" else f"{path}\n")
    render = {"table": render_paths, "tree": render_tree, "markdown": render_markdown_paths}[form]
    click.echo(render(found), nl=False)
