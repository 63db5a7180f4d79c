"""`doselang next`: what may be done now in a trial, by which rule and sentence, and what depends on what is to come."""

from __future__ import annotations

from datetime import date

import click

from doselang.cli.conducted import day_of, history, is_file, judged, on_option, say_unused, tables, until
from doselang.cli.output import accrual_option, format_option, need_protocol, parameters, set_option
from doselang.conduct.advice import advise, advise_after
from doselang.diagnostics import trouble
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.report.advice import advice_record, render_advice
from doselang.report.diagnostics_json import write_json
from doselang.report.judgement import judgement_record, render_deviations


@click.command("next")
@click.argument("path", metavar="FILE")
@click.argument("record", metavar="DATA", required=False)
@on_option
@format_option("text", "json")
@accrual_option
@set_option
def command(
    path: str, record: str | None, day: str | None, form: str, accrual: Accrual, settings: tuple[str, ...]
) -> int:
    """Say what may be done now: who may enter, at which level, or who is waited for.

    DATA is a history, `"1NNN 2NT"`, or a table of patients, or a map of tables: `doselang data template FILE` writes
    one; or the folder of a trial. Without DATA: at the beginning of the trial. The day is today unless `--on` gives
    another.
    """
    loaded = load(path, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    machine, on = compile_protocol(loaded.protocol), day_of(day)
    if record is None or not is_file(record):
        if on is not None:
            raise trouble("DL903", "`--on` asks for a day, and a history has none: give a table of patients.")
        advice, before = advise_after(history(record, machine, accrual)), None
    else:
        given = tables(record, loaded.protocol)
        if isinstance(given, int):
            return given
        today = on or (date.today() if given.conducted.dated else None)
        given = until(given, on)
        judgement = judged(given, machine, today, accrual)
        say_unused(given, loaded.protocol, today)
        advice, before = advise(judgement.standing, today), (judgement, given.source)
    if form == "json":
        deviations = {} if before is None else {"judgement": judgement_record(before[0], loaded.protocol, before[1])}
        click.echo(write_json({**advice_record(advice, loaded.source), **deviations}), nl=False)
        return 0
    if before is not None:
        click.echo(render_deviations(before[0], loaded.protocol, before[1]), nl=False)
    click.echo(render_advice(advice, loaded.source), nl=False)
    return 0
