"""`doselang data`: the tables of what was done in a trial: templates for them, and whether they can be read."""

from __future__ import annotations

import os
from pathlib import Path

import click

from doselang.cli.formatting import write_together
from doselang.cli.output import (
    Console,
    color_option,
    format_option,
    need_protocol,
    one_standard_input,
    parameters,
    set_option,
)
from doselang.diagnostics import Trouble, trouble
from doselang.loading import load
from doselang.patients.reading import read_conducted
from doselang.patients.templates import MAP, map_template, templates
from doselang.report.diagnostics_json import write_json
from doselang.report.phrases import counted
from doselang.report.text import render_text
from doselang.report.trial_tables import render_trial_tables, trial_tables_record


@click.group("data", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Tables of what was done in a trial: write templates for them, or check them."""
    if context.invoked_subcommand is None:
        help = "`doselang data template FILE` writes empty tables, `doselang data check FILE TABLE` reads yours."
        raise trouble("DL903", "What is to be done with the tables?", help=help)


@command.command("template", short_help="Write empty tables for a protocol, and a map of them.")
@click.argument("protocol", metavar="FILE")
@click.option("--out", metavar="FOLDER", help="Write the tables and the map into this folder.")
@set_option
def template(protocol: str, out: str | None, settings: tuple[str, ...]) -> int:
    """Write empty tables for a protocol, and a map that names them; without --out print the map."""
    loaded = load(protocol, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    if out is None:
        click.echo(map_template(loaded.protocol), nl=False)
        return 0
    if not out:
        raise trouble("DL903", "The name of the folder is empty.", help="Is a variable of the shell not set?")
    folder = Path(out)
    files = [(folder / name, text) for name, text in templates(loaded.protocol).items()]
    _write(folder, files)
    click.echo(f"Written: {', '.join(str(path) for path, _ in files)}. Fill in the tables, then:")
    click.echo(f"doselang data check {protocol} {folder / MAP}")
    return 0


def _write(folder: Path, files: list[tuple[Path, str]]) -> None:
    """Write all files into a folder, which is made if it is not there; Trouble if one is there, or cannot be."""
    for path, _ in files:
        if os.path.lexists(path):
            raise trouble("DL903", f"{path} is there already, and is left as it is.", help="Choose another folder.")
    if not folder.parent.is_dir():
        raise trouble("DL901", f"There is no folder {folder.parent}.")
    is_new = not os.path.lexists(folder)
    try:
        if is_new:
            folder.mkdir()
        write_together(files)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise trouble("DL901", f"The folder {folder} cannot be made: {reason}.") from None
    except Trouble:
        if is_new:
            folder.rmdir()
        raise


@command.command("check", short_help="Read the tables of a trial, and say what is wrong.")
@click.argument("protocol", metavar="FILE")
@click.argument("table")
@format_option("text", "json")
@set_option
@color_option
def check(protocol: str, table: str, form: str, settings: tuple[str, ...], no_color: bool) -> int:
    """Read a table of patients, or a map of several tables, and say what they hold, or every fault in them."""
    one_standard_input((protocol,), table)
    loaded = load(protocol, parameters(settings))
    if loaded.protocol is None:
        return need_protocol(loaded)
    tables = read_conducted(table, loaded.protocol)
    if form == "json":
        click.echo(write_json(trial_tables_record(tables, loaded.protocol)), nl=False)
    elif tables.conducted is None:
        color = Console(no_color=no_color).color
        click.echo(render_text(tables.diagnostics, tables.source, color=color), color=color)
        click.echo(f"{tables.source.path}: {counted(tables.faults, 'fault')}")
    else:
        click.echo(render_trial_tables(tables, loaded.protocol), nl=False)
    return int(tables.conducted is None)
