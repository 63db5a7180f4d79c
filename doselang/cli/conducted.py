"""What the commands about a running trial are given: a history, or tables of patients."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import click
from attrs import evolve, frozen

from doselang.conduct.conducted import Conducted
from doselang.conduct.judging import Judgement, judge
from doselang.diagnostics import trouble
from doselang.machine.compiling import Machine
from doselang.machine.exits import Accrual
from doselang.machine.followed import Replay
from doselang.machine.notation import HistoryError, parse_history
from doselang.machine.replay import replay
from doselang.patients.reading import read_conducted
from doselang.protocol.model import Protocol
from doselang.report.text import count_words, render_text
from doselang.report.unused import unused_words
from doselang.source import Source
from doselang.trial.following import conducted_by, lacking
from doselang.trial.opening import open_trial, record_source
from doselang.trial.wording import read_day

on_option = click.option("--on", "day", default=None, metavar="DATE", help="As of a day, written 2026-03-01.")

AGAINST_HELP = (
    "If it was done all the same, a sign says so: `!3NNN` is a cohort that the rules do not open, `+3N` a patient of no"
    " cohort."
)


@frozen
class Given:
    """The tables of a trial, and the text in which they stand."""

    conducted: Conducted
    source: Source


def day_of(written: str | None) -> date | None:
    """The day of `--on`."""
    return None if written is None else read_day(written, f"`--on {written}`")


def is_file(record: str) -> bool:
    """Whether DATA is meant as a file, and not as a history."""
    return record == "-" or record.lower().endswith((".csv", ".toml", ".tsv", ".txt")) or Path(record).exists()


def tables(record: str, protocol: Protocol) -> Given | int:
    """The tables of a trial, or its record. Faults of tables are printed, and the exit status comes back."""
    if os.path.isdir(record):
        return _recorded(record, protocol)
    read = read_conducted(record, protocol, date.today())
    if read.conducted is None:
        click.echo(render_text(read.diagnostics, read.source), err=True)
        click.echo(f"{record}: {count_words(read.diagnostics)}; nothing was done with it.", err=True)
        return 1
    return Given(read.conducted, read.source)


def _recorded(folder: str, protocol: Protocol) -> Given:
    """What was done in a trial by its record, in the terms of a protocol, which need not be the trial's own."""
    trial = open_trial(folder)
    missing = lacking(protocol, trial.steps)
    if missing is not None:
        raise trouble("DL903", f"The protocol cannot follow the trial in {folder}. {missing}")
    return Given(conducted_by(protocol, trial.steps), record_source(trial))


def history(record: str | None, machine: Machine, accrual: Accrual) -> Replay:
    """A history followed; without one, the beginning of the trial."""
    help = None
    try:
        groups = () if record is None else parse_history(record, machine.protocol)
        help = AGAINST_HELP
        return replay(machine, groups, accrual)
    except HistoryError as error:
        raise trouble("DL904", error.message, help=help) from None


def judged(given: Given, machine: Machine, on: date | None, accrual: Accrual) -> Judgement:
    """A trial set against its rules, until a day."""
    conducted = given.conducted
    if on is not None and not conducted.dated and conducted.patients:
        raise trouble("DL903", "`--on` asks for a day, and the table has none: no patient has a day of entering.")
    return judge(machine, conducted, on, accrual)


def until(given: Given, on: date | None) -> Given:
    """What was given, as it may be judged until a day: cycles of treatment have no days, and are left out."""
    if on is None or not given.conducted.cycles:
        return given
    click.echo("Cycles of treatment have no days: with `--on` they are not judged.", err=True)
    return evolve(given, conducted=evolve(given.conducted, cycles=()))


def say_unused(given: Given, protocol: Protocol, on: date | None) -> None:
    """Say on standard error what the tables hold of the time after the day that is asked for."""
    words = None if on is None else unused_words(given.conducted, protocol, on)
    if words is not None:
        click.echo(f"{given.source.path}: {words}", err=True)
