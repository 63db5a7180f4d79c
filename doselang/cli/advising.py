"""`doselang next`: what may be done now in a trial, by which rule and sentence, and what depends on what is to come."""

from __future__ import annotations

import click

from doselang.cli.output import accrual_option, format_option, need_protocol, parameters, set_option
from doselang.conduct.advice import Advice, advise_after
from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.machine.exits import Accrual
from doselang.report.advice import advice_record, render_advice
from doselang.report.diagnostics_json import write_json


@click.command("next")
@click.argument("path", metavar="FILE")
@click.argument("record", metavar="DATA", required=False)
@click.option(
    "--on", "day", default=None, metavar="DATE", help="The day that is asked for, 2026-03-01; today if not given."
)
@format_option("text", "json")
@accrual_option
@set_option
def command(
    path: str, record: str | None, day: str | None, form: str, accrual: Accrual, settings: tuple[str, ...]
) -> int:
    """Say what may be done now: who may enter, at which level, or who is waited for.

    DATA is a history, `"1NNN 2NT"`, or a table of patients, or a map of tables: `doselang data template FILE` writes
    one. Without DATA: at the beginning of the trial.
    """
    loaded = load(path, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    advice = _advice(loaded, record, day, accrual)
    click.echo(
        write_json(advice_record(advice, loaded.source)) if form == "json" else render_advice(advice, loaded.source),
        nl=False,
    )
    return 0


def _advice(loaded: Loaded, record: str | None, day: str | None, accrual: Accrual) -> Advice:
    from doselang.machine.compiling import compile_protocol
    from doselang.machine.notation import HistoryError, parse_history
    from doselang.machine.replay import replay

    assert loaded.protocol is not None
    machine = compile_protocol(loaded.protocol)
    try:
        groups = () if record is None else parse_history(record, loaded.protocol)
        return advise_after(replay(machine, groups, accrual))
    except HistoryError as error:
        raise trouble("DL904", error.message) from None
