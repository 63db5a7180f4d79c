"""`doselang trial`: the record of a trial that is under way."""

from __future__ import annotations

import click

from doselang.cli.entering import add_command, correct_command
from doselang.cli.output import Console, color_option, format_option
from doselang.cli.telling import export_command, show_command
from doselang.cli.trials import amend_command, init_command, next_command, sign_command
from doselang.diagnostics import trouble
from doselang.record.files import record_path
from doselang.record.reading import Verified, verify
from doselang.report.diagnostics_json import write_json
from doselang.report.text import count_words, render_text
from doselang.report.trial_record import verified_record, verified_words
from doselang.source import Source

MOST_TOLD = 20
"""So many findings are told to people: a file that an editor has saved anew has one for every entry."""


@click.group("trial", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """The record of a trial that is under way: a folder with the protocol as it was, and everything that was done."""
    if context.invoked_subcommand is None:
        words = ", ".join(f"`doselang trial {name}`" for name in command.commands)
        raise trouble("DL903", "What is to be done with the trial's record?", help=f"There is {words}.")


@command.command("verify")
@click.argument("folder", metavar="TRIAL")
@click.option("--head", default=None, metavar="HASH", help="A head that was noted: the record must still hold it.")
@format_option("text", "json")
@color_option
def verify_command(folder: str, head: str | None, form: str, no_color: bool) -> int:
    """Say whether the record of a trial is as it was written, entry by entry."""
    verified = verify(folder, head)
    if form == "json":
        click.echo(write_json(verified_record(verified, folder)), nl=False)
    else:
        _print(verified, str(record_path(folder)), color=Console(no_color=no_color).color)
    return 0 if verified.is_right else 1


def _print(verified: Verified, path: str, *, color: bool) -> None:
    found = [finding.diagnostic() for finding in verified.chain.findings]
    if found:
        click.echo(render_text(found[:MOST_TOLD], Source(path, ""), color=color), color=color)
    if len(found) > MOST_TOLD:
        click.echo(f"{len(found) - MOST_TOLD:,} further findings are listed by `--format json`.\n")
    for line in verified_words(verified, path):
        click.echo(line)
    if not verified.is_right:
        more = "; nothing can be added to it" if verified.chain.is_damaged else ""
        click.echo(f"{path}: {count_words(found)}{more}")


for one in (
    init_command, add_command, next_command, correct_command, sign_command, amend_command, show_command, export_command,
):  # fmt: skip
    command.add_command(one)
