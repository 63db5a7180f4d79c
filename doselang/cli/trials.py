"""`doselang trial init`, `next`, `sign` and `amend`: a trial is begun, asked, signed, and given another protocol."""

from __future__ import annotations

from datetime import date

import click

from doselang.check.differences import compare_decisions
from doselang.cli.checking import checked_file
from doselang.cli.entering import actor_of, actor_option, day_or_today, on_option
from doselang.cli.output import format_option, need_protocol, parameters, set_option
from doselang.diagnostics import Diagnostic, Trouble, trouble
from doselang.loading import Loaded, load
from doselang.record.entries import Body
from doselang.report.advice import advice_record, render_advice
from doselang.report.diagnostics_json import write_json
from doselang.report.judgement import judgement_record, render_deviations
from doselang.report.printable import printable
from doselang.report.text import count_words, render_text
from doselang.report.trial_amendments import NOT_COMPARED, difference_body, difference_lines
from doselang.report.trial_record import shown_head
from doselang.report.trial_steps import record_line
from doselang.source import Source
from doselang.trial.adding import Amendment, amend, begin_trial, propose_amendment, sign
from doselang.trial.opening import Trial, open_trial, record_source
from doselang.trial.proposing import advice_on

despite_option = click.option(
    "--despite", default=None, metavar="REASON", help="Accept a protocol in which `check` finds errors, and why."
)


@click.command("init")
@click.argument("folder", metavar="TRIAL")
@click.argument("path", metavar="FILE")
@on_option
@despite_option
@actor_option
@set_option
def init_command(
    folder: str, path: str, day: str | None, despite: str | None, actor: str | None, settings: tuple[str, ...]
) -> int:
    """Begin a trial: a new folder with a copy of the protocol, and its record."""
    name, on, given = actor_of(actor), day_or_today(day), parameters(settings)
    if on > date.today():
        raise trouble(
            "DL903", f"`--on {on}` is in the future.", help="Begin the record on the day on which it is begun."
        )
    loaded = load(path, given)
    refused = _refused(loaded, despite)
    if refused:
        return refused
    entry = begin_trial(folder, loaded, given, name, on, despite=despite)
    click.echo(f"Entry 1: the trial begins under {path}, on {on}.")
    click.echo(f"The protocol is kept in {folder}/protocol: from now on it is read from there.")
    if day is None:
        click.echo("If the trial began before, begin the record anew in another folder, with that day: `--on DATE`.")
    click.echo(f"Head: {shown_head(entry)}, entry 1")
    return 0


def _refused(loaded: Loaded, despite: str | None) -> int:
    """Print the errors of a protocol that is to be put in force; the exit status, 0 where it may be."""
    if loaded.protocol is None:
        return need_protocol(loaded)
    errors = [item for item in checked_file(loaded).diagnostics if item.severity == "error"]
    if not errors or (despite and despite.strip()):
        return 0
    click.echo(render_text(errors, loaded.source), err=True)
    click.echo(f"{loaded.source.path}: {count_words(errors)}; no trial is conducted by it.", err=True)
    click.echo('If it is to be so all the same: --despite "the reason".', err=True)
    return 1


@click.command("next")
@click.argument("folder", metavar="TRIAL")
@click.option("--on", "day", default=None, metavar="DATE", help="As of a day.  [default: today]")
@format_option("text", "json")
def next_command(folder: str, day: str | None, form: str) -> int:
    """Say what may be done now, by which rule and sentence, on which entries."""
    trial, on = open_trial(folder), day_or_today(day)
    judgement, advice = advice_on(trial, on)
    source, loaded = record_source(trial), trial.protocols[trial.on_day(on)].loaded
    if form == "json":
        record = {
            **advice_record(advice, loaded.source),
            "judgement": judgement_record(judgement, judgement.standing.machine.protocol, source),
            "trial": {"folder": folder, "entries": len(trial.entries), "head": trial.head},
        }
        click.echo(write_json(record), nl=False)
        return 0
    click.echo(render_deviations(judgement, judgement.standing.machine.protocol, source), nl=False)
    click.echo(render_advice(advice, loaded.source))
    click.echo(record_line(trial))
    return 0


@click.command("sign")
@click.argument("folder", metavar="TRIAL")
@click.option("--meaning", required=True, help="What the signature means: reviewed, approved, responsible for.")
@click.option("--on", "day", default=None, metavar="DATE", help="What stood on a day is signed.  [default: today]")
@click.option("--head", default=None, metavar="HASH", help="Sign only if this is the head of the record still.")
@actor_option
def sign_command(folder: str, meaning: str, day: str | None, head: str | None, actor: str | None) -> int:
    """Sign the trial as it stands: the entry holds the decision in force, its rules, and the head that is signed."""
    name, trial, on = actor_of(actor), open_trial(folder), day_or_today(day)
    if not meaning.strip():
        raise trouble("DL903", "`--meaning` is empty.", help="Say what the signature means: reviewed, approved, …")
    entry = sign(trial, name, meaning, on, today=date.today(), head=head)
    said = entry.body["said"]
    assert isinstance(said, dict)
    click.echo(printable(f"Entry {entry.number}: signed by {name}, {entry.time}, meaning: {meaning.strip()}"))
    click.echo(printable(f"  signed    what stands on {on}: {said['now']}"))
    click.echo(f"  head      {entry.body['signed']}")
    click.echo("This records that somebody signed. Who it was, the site has to make sure of: nothing here proves it.")
    click.echo(f"Head: {shown_head(entry)}, entry {entry.number}")
    return 0


# ---- another protocol ----


@click.command("amend")
@click.argument("folder", metavar="TRIAL")
@click.argument("path", metavar="FILE")
@click.option("--reason", required=True, help="Why the protocol is amended.")
@on_option
@despite_option
@actor_option
@set_option
def amend_command(
    folder: str, path: str, reason: str, day: str | None, despite: str | None, actor: str | None,
    settings: tuple[str, ...],
) -> int:  # fmt: skip
    """Put another protocol in force. The entry holds how the two decide differently."""
    name, trial, given = actor_of(actor), open_trial(folder), parameters(settings)
    if not reason.strip():
        raise trouble("DL903", "`--reason` is empty.", help="Say why the protocol is amended.")
    loaded = load(path, given)
    refused = _refused(loaded, despite)
    if refused:
        return refused
    on, today = day_or_today(day), date.today()
    proposed = propose_amendment(trial, loaded, on, today)
    if proposed.refused is None:
        difference = _difference(trial, loaded)
        proposed, entry = amend(trial, loaded, given, name, reason, difference, on=on, today=today, despite=despite)
        if entry is not None:
            click.echo(f"Entry {entry.number}: {path} is in force from {on} on.")
            for line in difference_lines(difference):
                click.echo(printable(line))
            _say_amended(proposed)
            click.echo(f"Head: {shown_head(entry)}, entry {entry.number}")
            return 0
    item = Diagnostic("DL822", proposed.refused or "", help="The protocol in force stays so.")
    click.echo(render_text([item], Source(folder, "")), err=True, nl=False)
    click.echo("Nothing was entered.", err=True)
    return 1


def _difference(trial: Trial, loaded: Loaded) -> Body:
    """How the protocol in force and a new one decide differently, as the entry keeps it."""
    assert loaded.protocol is not None
    try:
        compared = compare_decisions(trial.protocol, loaded.protocol)
    except Trouble as error:
        return {NOT_COMPARED: error.diagnostic.message}
    return difference_body(compared, (trial.current.loaded.source, loaded.source))


def _say_amended(proposed: Amendment) -> None:
    assert proposed.before is not None and proposed.after is not None
    click.echo(printable(f"Before: {proposed.before.words}."))
    click.echo(printable(f"Now: {proposed.after.words}."))
