"""`doselang trial show` and `export`: every entry of a trial's record in words, and the trial in a file."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import click

from doselang.cli.formatting import write_together
from doselang.cli.output import format_option
from doselang.diagnostics import trouble
from doselang.report.diagnostics_json import write_json
from doselang.report.trial_entries import entries_record, render_entries, render_trial_report, trial_record
from doselang.report.trial_steps import record_line
from doselang.trial.exporting import has_more, patients_csv, tables_of
from doselang.trial.opening import Trial, open_trial
from doselang.trial.proposing import advice_on


@click.command("show")
@click.argument("folder", metavar="TRIAL")
@format_option("text", "json")
def show_command(folder: str, form: str) -> int:
    """Print every entry in words: what was done, who entered it, by which rules, and what was corrected."""
    trial = open_trial(folder)
    click.echo(write_json(entries_record(trial)) if form == "json" else render_entries(trial), nl=False)
    return 0


@click.command("export")
@click.argument("folder", metavar="TRIAL")
@click.option("--to", "to", required=True, metavar="FILE", help="Ends in .csv, .toml, .json or .md.")
def export_command(folder: str, to: str) -> int:
    """Write a trial to a file: .csv the patients, .toml all tables and a map, .json everything, .md a report."""
    trial, path = open_trial(folder), Path(to)
    files = [(path.parent / name, text) for name, text in _files(trial, path).items()]
    for each, _ in files:
        if os.path.lexists(each):
            raise trouble("DL903", f"{each} is there already, and is left as it is.", help="Give another name.")
    write_together(files)
    click.echo(f"Written: {', '.join(str(each) for each, _ in files)}. {record_line(trial)}")
    if path.suffix.lower() == ".csv" and has_more(trial):
        click.echo("Decisions and cycles are not in a table of patients: with a name in .toml all tables are written.")
    return 0


def _files(trial: Trial, path: Path) -> dict[str, str]:
    """The files to write, by name."""
    match path.suffix.lower():
        case ".csv":
            return {path.name: patients_csv(trial)}
        case ".toml":
            return tables_of(trial, path.stem)
        case ".json":
            return {path.name: write_json(trial_record(trial, *advice_on(trial, date.today())))}
        case ".md":
            return {path.name: render_trial_report(trial, *advice_on(trial, date.today()))}
    raise trouble(
        "DL903", f"`--to {path}` does not say what to write.", help="Its name ends in .csv, .toml, .json, .md."
    )
