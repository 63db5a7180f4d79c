"""`doselang table`: the decision by patients and toxicities at the level, with the rules behind each cell."""

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
from doselang.conduct.tables import DecisionTable, decision_tables
from doselang.diagnostics import Trouble, trouble
from doselang.loading import load
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol
from doselang.report.decision_tables import render_csv_tables, render_markdown_tables, render_tables, tables_record
from doselang.report.diagnostics_json import write_json
from doselang.simulate.exact import limits_as_trouble


@click.command("table")
@files_argument
@format_option("text", "json", "csv", "markdown")
@accrual_option
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
def command(paths: tuple[str, ...], form: str, accrual: Accrual, settings: tuple[str, ...], max_states: int) -> int:
    """Print the decision table of a protocol: patients at the level across, toxicities down."""
    values, status, records, files = parameters(settings), 0, [], expanded(paths)
    for path in files:
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        tables = _tables(loaded.protocol, accrual, max_states)
        if form == "json":
            records.append(tables_record(loaded.protocol, tables, path))
        else:
            _print(loaded.protocol, tables, form, path, many=len(files) > 1)
    if records:
        click.echo(write_json(records[0] if len(records) == 1 else {"files": records}), nl=False)
    return status


def _tables(protocol: Protocol, accrual: Accrual, max_states: int) -> tuple[DecisionTable, ...]:
    try:
        with limits_as_trouble(max_states):
            return decision_tables(protocol, accrual, max_states=max_states)
    except Trouble as error:
        known = {
            "DL701": (
                "A trial need not end: its looks cannot all be listed.",
                "Bound it: accrue at most 60 in the trial",
            ),
            "DL702": (
                error.diagnostic.message,
                "Bound the trial more tightly, for example with fewer levels; `--max-states` says how many may be met.",
            ),
        }
        if error.diagnostic.code not in known:
            raise
        message, help = known[error.diagnostic.code]
        raise trouble(error.diagnostic.code, message, help=help) from None


def _print(protocol: Protocol, tables: tuple[DecisionTable, ...], form: str, path: str, *, many: bool) -> None:
    if form == "csv":
        click.echo(render_csv_tables(protocol, tables), nl=False)
        return
    if many:
        click.echo(f"# {path}\n" if form == "markdown" else f"{path}\n")
    render = render_markdown_tables if form == "markdown" else render_tables
    click.echo(render(protocol, tables), nl=False)
