"""`doselang trial add` and `correct`: what was done is entered in a trial's record, if the rules permit it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

import click
from attrs import frozen

from doselang.cli.output import format_option
from doselang.diagnostics import Diagnostic, trouble
from doselang.protocol.model import Protocol
from doselang.report.diagnostics_json import write_json
from doselang.report.printable import printable
from doselang.report.text import render_text
from doselang.report.trial_steps import (
    CONTRADICTS,
    NOT_PERMITTED,
    added_lines,
    added_record,
    corrected_lines,
    refused_words,
    rules_lines,
)
from doselang.source import Source
from doselang.trial.adding import add, correct, corrected_entry
from doselang.trial.opening import Trial, open_trial, step_now
from doselang.trial.proposing import Proposed
from doselang.trial.steps import Step
from doselang.trial.wording import read_day, read_step, words_of

Command = TypeVar("Command", bound=Callable[..., Any])

ACTOR = "DOSELANG_ACTOR"
"""The environment variable that names who enters, where `--actor` does not."""

actor_option = click.option("--actor", default=None, metavar="NAME", help=f"Who enters it; otherwise ${ACTOR}.")
on_option = click.option("--on", "day", default=None, metavar="DATE", help="The day it was done.  [default: today]")
by_option = click.option("--by", default=None, metavar="BODY", help="Who decided.")
events_option = click.option("--events", default=None, metavar="NAMES", help="What came in the cycle, with commas.")


def actor_of(given: str | None) -> str:
    """Who enters something. Raises Trouble DL903 where nobody is named."""
    name = (given or os.environ.get(ACTOR, "")).strip()
    if not name:
        help = f"Name who enters it: `--actor NAME`, or set {ACTOR} once."
        raise trouble("DL903", "It is not said who enters this.", help=help)
    return name


def day_or_today(day: str | None) -> date:
    return date.today() if day is None else read_day(day, f"`--on {day}`")


def _step_options(command: Command) -> Command:
    """The options that all steps have."""
    options = (
        on_option,
        click.option("--deviation", default=None, metavar="REASON", help="Enter it also against the rules, and why."),
        actor_option,
        format_option("text", "json"),
    )
    for option in reversed(options):
        command = option(command)
    return command


@frozen
class _Asked:
    """How a step is to be entered."""

    folder: str
    actor: str | None
    day: str | None
    deviation: str | None
    form: str


@click.group("add", invoke_without_command=True)
@click.argument("folder", metavar="TRIAL")
@click.pass_context
def add_command(context: click.Context, folder: str) -> None:
    """Enter what was done. What the rules do not permit is refused, unless the reason for a deviation is given."""
    context.obj = folder
    if context.invoked_subcommand is None:
        words = ", ".join(f"`{name}`" for name in add_command.commands)
        raise trouble("DL903", "What was done? Nothing is named that is to be entered.", help=f"It is one of {words}.")


def _adding(name: str, **options: Any) -> Callable[[Callable[..., dict[str, str | None]]], click.Command]:
    """A command that enters a kind of step: what it decorates gives the words of the step."""

    def decorate(words: Callable[..., dict[str, str | None]]) -> click.Command:
        @click.pass_obj
        def enter(
            folder: str, /, day: str | None, deviation: str | None, actor: str | None, form: str, **given: str | None
        ) -> int:
            return _enter(_Asked(folder, actor, day, deviation, form), name, words(**given))

        enter.__doc__ = words.__doc__
        enter.__click_params__ = getattr(words, "__click_params__", [])  # type: ignore[attr-defined]
        return add_command.command(name, **options)(_step_options(enter))

    return decorate


@_adding("enrol")
@click.argument("patient")
@click.option("--level", required=True, metavar="LEVEL")
@click.option("--part", default=None, help="The part of the trial; without it the one in which the level is open.")
def enrol(patient: str, level: str, part: str | None) -> dict[str, str | None]:
    """A patient gets the first dose, on the day given."""
    return {"patient": patient, "level": level, "part": part}


@_adding("outcome")
@click.argument("patient")
@click.argument("outcome")
def outcome(patient: str, outcome: str) -> dict[str, str | None]:
    """OUTCOME is a toxicity, on the day on which it came; `none`, when the window has ended; or `inevaluable`."""
    return {"patient": patient, "outcome": outcome}


@_adding("cycle")
@click.argument("patient")
@click.option("--level", required=True, metavar="LEVEL")
@events_option
def cycle(patient: str, level: str, events: str | None) -> dict[str, str | None]:
    """A further cycle of a patient's treatment, and what came in it."""
    return {"patient": patient, "level": level, "events": events}


@_adding("choose")
@click.argument("option")
@click.option("--by", required=True, metavar="BODY", help="Who chose.")
def choose(option: str, by: str) -> dict[str, str | None]:
    """People chose one of the options that a rule leaves them; OPTION is its number, from 1 on."""
    return {"option": option, "by": by}


@_adding("declare")
@click.argument("verdict")
@click.option("--level", required=True, metavar="LEVEL", help="The level, or none.")
@by_option
def declare(verdict: str, level: str, by: str | None) -> dict[str, str | None]:
    """A verdict, such as MTD, was declared at a level, or that there is none."""
    return {"verdict": verdict, "level": level, "by": by}


@_adding("close")
@click.option("--level", required=True, metavar="LEVEL")
@by_option
def close(level: str, by: str | None) -> dict[str, str | None]:
    """A level was closed as too toxic."""
    return {"level": level, "by": by}


@_adding("stop")
@by_option
def stop(by: str | None) -> dict[str, str | None]:
    """The trial was stopped."""
    return {"by": by}


@_adding("note")
@click.argument("text")
def note(text: str) -> dict[str, str | None]:
    """Something that is to be remembered, and that no rule asks for."""
    return {"text": text}


def _enter(asked: _Asked, kind: str, words: Mapping[str, str | None]) -> int:
    actor, trial = actor_of(asked.actor), open_trial(asked.folder)
    if asked.deviation is not None and not asked.deviation.strip():
        raise trouble("DL903", "`--deviation` has no reason.", help="Say why the rules were not followed.")
    on = day_or_today(asked.day).isoformat()
    step = read_step(trial, kind, {**{name: word for name, word in words.items() if word is not None}, "on": on})
    added = add(trial, step, actor, deviation=asked.deviation)
    if asked.form == "json":
        click.echo(write_json(added_record(added)), nl=False)
    elif added.entry is None:
        say_refused(added.proposed, trial)
    else:
        for line in added_lines(added, asked.deviation):
            click.echo(printable(line))
    return int(added.entry is None)


def say_refused(proposed: Proposed, trial: Trial) -> None:
    """Print why a step was not entered, on standard error."""
    click.echo(render_text([_refusal(proposed, trial.protocol)], Source(trial.folder, "")), err=True, nl=False)
    click.echo("Nothing was entered.", err=True)


def _refusal(proposed: Proposed, protocol: Protocol) -> Diagnostic:
    message = refused_words(proposed, protocol)
    if proposed.contradiction is not None:
        return Diagnostic(CONTRADICTS, message, help=proposed.contradiction.help)
    lines = [message, *rules_lines(proposed, protocol)]
    help = 'If it was done all the same, it is entered with its reason: --deviation "the reason".'
    return Diagnostic(NOT_PERMITTED, "\n".join(lines), help=help)


# ---- correcting ----


@click.command("correct")
@click.argument("folder", metavar="TRIAL")
@click.argument("number", metavar="ENTRY", type=int)
@click.option("--reason", required=True, help="Why the entry is corrected.")
@click.option("--withdraw", is_flag=True, help="It was not done at all.")
@click.option("--patient", default=None, help="The patient's name.")
@click.option("--level", default=None, metavar="LEVEL")
@click.option("--part", default=None, help="The part of the trial.")
@click.option("--outcome", default=None, help="The outcome.")
@events_option
@click.option("--option", default=None, help="The option that was chosen.")
@click.option("--verdict", default=None, help="The verdict that was declared.")
@by_option
@click.option("--text", default=None, help="The text of a note.")
@click.option("--on", "on", default=None, metavar="DATE", help="The day it was done.")
@actor_option
@format_option("text", "json")
def correct_command(
    folder: str, number: int, reason: str, withdraw: bool, actor: str | None, form: str, **given: str | None
) -> int:
    """Correct an entry, or withdraw it, by a further entry. It says which decisions do not hold any more."""
    name, trial = actor_of(actor), open_trial(folder)
    words = {key: word for key, word in given.items() if word is not None}
    if not reason.strip():
        raise trouble("DL903", "`--reason` is empty.", help="Say why the entry is corrected.")
    step = _corrected_step(trial, number, words, withdraw=withdraw)
    added = correct(trial, number, step, name, reason.strip())
    if form == "json":
        click.echo(write_json(added_record(added)), nl=False)
    elif added.entry is None:
        say_refused(added.proposed, trial)
    else:
        for line in corrected_lines(added):
            click.echo(printable(line))
    return int(added.entry is None)


def _corrected_step(trial: Trial, number: int, words: dict[str, str], *, withdraw: bool) -> Step | None:
    """The step that takes the place of an entry's, with the words that are given anew; None withdraws it."""
    found = corrected_entry(trial, number)
    if withdraw and words:
        raise trouble("DL903", "`--withdraw` says that it was not done, and the other options that it was.")
    if withdraw and not found.counts:
        raise trouble("DL903", f"Entry {number} is withdrawn already.")
    if withdraw:
        return None
    if not words:
        help = "Give what is to be otherwise, for example `--level 2`, or `--withdraw`."
        raise trouble("DL903", f"It is not said what is wrong with entry {number}.", help=help)
    before = step_now(trial, number)
    step = read_step(trial, found.entry.kind, {**words_of(before), **words}, number)
    if step == before and found.counts:
        raise trouble("DL903", f"Entry {number} says that already.")
    return step
