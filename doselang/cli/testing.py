"""`doselang test`: the worked examples, and the claims."""

from __future__ import annotations

import click

from doselang.check.checking import check
from doselang.check.facts import ClaimChecked
from doselang.cli.output import (
    accrual_option,
    color_option,
    expanded,
    files_argument,
    format_option,
    need_protocol,
    parameters,
    quiet_option,
    say_trouble,
    set_option,
)
from doselang.conduct.accounts import ExampleResult
from doselang.conduct.examples import coverage, run_examples
from doselang.conduct.patients import patient_examples
from doselang.diagnostics import Diagnostic, Trouble
from doselang.loading import Loaded, load
from doselang.machine.compiling import compile_protocol
from doselang.machine.course import compile_course
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, TooManyStates
from doselang.protocol.model import Protocol
from doselang.report.diagnostics_json import write_json
from doselang.report.tested import Tested, render_tested, tested_record
from doselang.simulate.exact import limits_as_trouble


@click.command("test")
@files_argument
@format_option("text", "json")
@click.option("--coverage", "show_coverage", is_flag=True, help="Say which rules no example reaches.")
@accrual_option
@set_option
@click.option(
    "--max-states",
    default=MAX_STATES,
    show_default=True,
    type=click.IntRange(1),
    help="The most states to explore, where claims are proved.",
)
@quiet_option
@color_option
def command(
    paths: tuple[str, ...], form: str, show_coverage: bool, accrual: Accrual, settings: tuple[str, ...],
    max_states: int, quiet: bool, no_color: bool,
) -> int:  # fmt: skip
    """Run the examples of protocols, and prove or refute their claims."""
    values, status, records = parameters(settings), 0, []
    for path in expanded(paths):
        loaded = load(path, values)
        if loaded.protocol is None:
            status = max(status, need_protocol(loaded))
            continue
        tested = run(loaded, accrual, max_states)
        status = max(status, int(tested.failed > 0))
        if tested.unproved is not None:
            status = say_trouble(Trouble(tested.unproved, loaded.source.path))
        if form == "json":
            records.append(tested_record(tested))
        else:
            click.echo(render_tested(tested, quiet=quiet, show_coverage=show_coverage), nl=False)
    if form == "json":
        click.echo(write_json({"files": records}), nl=False)
    return status


def run(loaded: Loaded, accrual: Accrual = "one-at-a-time", max_states: int = MAX_STATES) -> Tested:
    """Run the examples and check the claims of a file that was read."""
    protocol = loaded.protocol
    assert protocol is not None
    course = compile_course(protocol)
    patient = None if course is None else patient_examples(course)
    with limits_as_trouble():
        results: tuple[ExampleResult, ...] = run_examples(protocol, compile_protocol(protocol), patient, accrual)
    claims, unproved = _claims(loaded.source.path, protocol, max_states) if protocol.claims else ((), None)
    return Tested(loaded.source, protocol, results, claims, coverage(protocol, results), unproved)


def _claims(path: str, protocol: Protocol, max_states: int) -> tuple[tuple[ClaimChecked, ...], Diagnostic | None]:
    """The claims checked, or why they cannot be."""
    try:
        checked = check(protocol, mutate=False, max_states=max_states)
    except OverflowError as error:
        message = f"The claims of {path} cannot be proved: {error}."
        return (), Diagnostic("DL704", message, help="Write smaller cohorts.")
    except TooManyStates as error:
        why = f"a patient's course can meet more than {error.states:,} situations"
        return (), Diagnostic("DL702", f"The claims of {path} cannot be proved: {why}.")
    if checked.complete:
        return checked.claims, None
    code, why = "DL701", "the trial need not end"
    help = f"See `doselang check {path}`."
    if checked.too_many is not None:
        code, why = "DL702", f"the trial has more than {max_states:,} states"
        help = f"See `doselang check {path}`, or allow more with `--max-states {10 * max_states}`."
    return (), Diagnostic(code, f"The claims of {path} cannot be proved: {why}.", help=help)
