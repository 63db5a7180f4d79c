"""`doselang replay`: every decision that a trial took, set against what the rules say."""

from __future__ import annotations

import click

from doselang.cli.conducted import day_of, judged, on_option, say_unused, tables, until
from doselang.cli.output import accrual_option, format_option, need_protocol, parameters, set_option
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.report.diagnostics_json import write_json
from doselang.report.judgement import (
    judgement_record,
    render_csv_judgement,
    render_judgement,
    render_markdown_judgement,
)


@click.command("replay")
@click.argument("path", metavar="FILE")
@click.argument("record", metavar="DATA")
@on_option
@click.option("--all", "every", is_flag=True, help="List all that was done, not only what is not as the rules say.")
@format_option("text", "json", "csv", "markdown")
@accrual_option
@set_option
def command(
    path: str, record: str, day: str | None, every: bool, form: str, accrual: Accrual, settings: tuple[str, ...]
) -> int:
    """Set every decision of a trial against what its protocol says: followed, deviated, or left open.

    DATA is a table of patients, or a map of tables: `doselang data template FILE` writes one; or the folder of a trial.
    A decision is judged on what was known that day.
    """
    loaded = load(path, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    given = tables(record, loaded.protocol)
    if isinstance(given, int):
        return given
    on = day_of(day)
    given = until(given, on)
    found = judged(given, compile_protocol(loaded.protocol), on, accrual)
    say_unused(given, loaded.protocol, on)
    match form:
        case "json":
            text = write_json(judgement_record(found, loaded.protocol, given.source))
        case "csv":
            text = render_csv_judgement(found, loaded.protocol)
        case "markdown":
            text = render_markdown_judgement(found, loaded.protocol)
        case _:
            text = render_judgement(found, loaded.protocol, given.source, every=every)
    click.echo(text, nl=False)
    return 1 if found.deviations else 0
