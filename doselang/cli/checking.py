"""`doselang check`: every finding, with its shortest history, and the lists of assumptions and silences."""

from __future__ import annotations

import click
from attrs import frozen

from doselang import __version__
from doselang.check.checking import Checked, check
from doselang.cli.output import (
    Console,
    color_option,
    expanded,
    files_argument,
    format_option,
    parameters,
    quiet_option,
    say_trouble,
    set_option,
)
from doselang.diagnostics import Diagnostic, Trouble
from doselang.loading import Loaded, load
from doselang.machine.exploring import MAX_STATES, TooManyStates
from doselang.report.checked import check_record, check_summary
from doselang.report.concise import render_concise
from doselang.report.diagnostics_json import severity_counts, write_json
from doselang.report.findings import findings
from doselang.report.github import render_github
from doselang.source import NOWHERE


@frozen
class Outcome:
    """A file and all that was found in it; `checked` is None where its text has errors."""

    loaded: Loaded
    checked: Checked | None
    diagnostics: tuple[Diagnostic, ...]


@click.command("check")
@files_argument
@format_option("text", "concise", "json", "github")
@quiet_option
@color_option
@set_option
@click.option(
    "--max-states", default=MAX_STATES, show_default=True, type=click.IntRange(1), help="The most states to explore."
)
def command(
    paths: tuple[str, ...], form: str, quiet: bool, no_color: bool, settings: tuple[str, ...], max_states: int
) -> int:
    """Show every gap and conflict of a protocol, each with the shortest trial that runs into it."""
    console, values, troubled = Console(quiet, no_color), parameters(settings), False
    outcomes: list[Outcome] = []
    for path in expanded(paths):
        try:
            outcome = checked_file(load(path, values), max_states)
        except Trouble as error:
            if len(expanded(paths)) == 1:
                raise
            say_trouble(error)
            troubled = True
            continue
        outcomes.append(outcome)
        if form != "json":
            _print(outcome, form, console)
    everything = tuple(item for outcome in outcomes for item in outcome.diagnostics)
    if form == "json":
        record = {
            "version": __version__,
            "files": [check_record(o.loaded.source, o.diagnostics, o.loaded.protocol, o.checked) for o in outcomes],
            "counts": severity_counts(everything),
        }
        click.echo(write_json(record), nl=False)
    if troubled or any(item.code in ("DL701", "DL702", "DL704") for item in everything):
        return 2
    return 1 if any(item.severity == "error" for item in everything) else 0


def checked_file(loaded: Loaded, max_states: int = MAX_STATES) -> Outcome:
    """Check a file that was read."""
    if loaded.protocol is None:
        return Outcome(loaded, None, loaded.diagnostics)
    try:
        checked = check(loaded.protocol, max_states=max_states)
    except OverflowError as error:
        message = f"{str(error)[:1].upper()}{str(error)[1:]}."
        item = Diagnostic("DL704", message, loaded.protocol.parts[0].span, help="Write smaller cohorts.")
        return Outcome(loaded, None, (*loaded.diagnostics, item))
    except TooManyStates as error:
        course = loaded.protocol.course
        message = f"A patient's course can meet more than {error.states:,} situations, and is not followed further."
        help = "Count fewer cycles, or write fewer states and events."
        item = Diagnostic("DL702", message, course.states[0].span if course else NOWHERE, help=help)
        return Outcome(loaded, None, (*loaded.diagnostics, item))
    items = (*loaded.diagnostics, *findings(checked, max_states=max_states, source=loaded.source))
    return Outcome(loaded, checked, tuple(sorted(items, key=lambda item: (item.span, item.code))))


def _print(outcome: Outcome, form: str, console: Console) -> None:
    source = outcome.loaded.source
    shown = [item for item in outcome.diagnostics if not console.quiet or item.severity == "error"]
    if form == "concise":
        click.echo(render_concise(shown, source), nl=False)
    elif form == "github":
        click.echo(render_github(shown, source), nl=False)
    else:
        console.findings(outcome.diagnostics, outcome.loaded)
        if not console.quiet:
            click.echo(check_summary(source, outcome.diagnostics, outcome.loaded.protocol, outcome.checked), nl=False)
