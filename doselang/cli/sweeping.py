"""`doselang sweep`: protocols, parameters and scenarios from a plan, every figure of each in one table."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from doselang.cli.output import cores
from doselang.codes import CODES
from doselang.diagnostics import trouble
from doselang.simulate.montecarlo import TRIALS
from doselang.sweep.crews import Alone, Cluster, Crew, Processes
from doselang.sweep.journal import Journal, journal_path
from doselang.sweep.options import ACCRUALS, METHODS
from doselang.sweep.plan import Plan
from doselang.sweep.plan_reading import read_plan
from doselang.sweep.results import is_result, refuse_form, write_table
from doselang.sweep.running import Sweep
from doselang.sweep.working import versions

MOST_JOBS = 1024


@click.command("sweep")
@click.argument("path", metavar="PLAN", required=False)
@click.option("--out", default=None, metavar="FILE", help="The result, .csv or .parquet.  [default: PLAN.results.csv]")
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), default=None, metavar="N",
              help="How many processes of this machine work.  [default: one a core]")  # fmt: skip
@click.option("--dask", "address", default=None, metavar="ADDRESS", help="Let a Dask cluster work instead.")
@click.option("--fresh", is_flag=True, help="Throw away what an earlier run has done.")
@click.option(
    "--method", type=click.Choice(METHODS), default=None, help="In the place of the plan's; exact if neither."
)
@click.option("--accrual", type=click.Choice(ACCRUALS), default=None, help="How patients enter, as in `simulate`.")
@click.option("--trials", type=int, default=None, help=f"How many trials to simulate for a cell.  [default: {TRIALS}]")
@click.option("--seed", type=int, default=None, help="The seed from which that of each cell is made.")
@click.option("--max-states", type=click.IntRange(1), default=None, help="The most states to explore.")
@click.option("--quiet", is_flag=True, help="Print only what is wrong.")
def command(
    path: str | None, out: str | None, jobs: int | None, address: str | None, fresh: bool, method: str | None,
    accrual: str | None, trials: int | None, seed: int | None, max_states: int | None, quiet: bool,
) -> int:  # fmt: skip
    """Give the figures of many protocols, parameters and scenarios, as a plan combines them.

    What is done is kept as it comes: stopped at any moment, the same command goes on from there.
    """
    if path is None:
        raise trouble("DL903", "Which plan? Name a .toml or a .csv file.")
    if jobs is not None and address is not None:
        raise trouble("DL903", "`--jobs` is for this machine; a Dask cluster has its own workers.",
                      help="Give `--jobs` or `--dask`.")  # fmt: skip
    given = {"method": method, "accrual": accrual, "trials": trials, "seed": seed, "max-states": max_states}
    out = f"{Path(path).stem}.results.csv" if out is None else out
    refuse_form(out)
    _refuse_overwriting(path, out, fresh=fresh)
    plan = read_plan(path, {name: value for name, value in given.items() if value is not None})
    journal = Journal.open(journal_path(out), plan, versions(), fresh=fresh)
    try:
        return _swept(plan, journal, _crew(plan, jobs, address), out, quiet=quiet)
    finally:
        journal.close()


def _refuse_overwriting(path: str, out: str, *, fresh: bool) -> None:
    """Trouble for a result that is there already, and of which nothing says how it came about."""
    if os.path.realpath(path) in (os.path.realpath(out), os.path.realpath(journal_path(out))):
        raise trouble("DL903", "The result would be written over the plan.", help="Give another `--out`.")
    if os.path.isdir(out):
        raise trouble("DL903", f"{out} is a folder.", help="Give a file in it as `--out`.")
    if os.path.exists(out) and not os.path.exists(journal_path(out)):
        if not fresh:
            raise trouble("DL903", f"{out} is there already, without the journal of a sweep.",
                          help="Give another `--out`, or `--fresh` to write over it.")  # fmt: skip
        if not is_result(out):
            raise trouble("DL903", f"{out} is not the result of a sweep, and is not written over.",
                          help="Give another `--out`.")  # fmt: skip


def _crew(plan: Plan, jobs: int | None, address: str | None) -> Crew:
    if address is not None:
        return Cluster(address)
    hands = min(cores() if jobs is None else jobs, sum(1 for _ in plan.units()))
    return Alone() if hands == 1 else Processes(hands)


def _swept(plan: Plan, journal: Journal, crew: Crew, out: str, *, quiet: bool) -> int:
    """Do what is not done, write the table, and say what came of it; the exit status."""
    before = len(journal.done)
    if not quiet:
        _say_before(plan, journal, before)
    try:
        with _interruptible(), _progress(len(plan.cells) - before, before) as told:
            sweep = Sweep(plan, journal, crew, told)
            sweep.run()
            write_table(out, sweep.rows)
            errors = sweep.errors()
    except KeyboardInterrupt:
        journal.flush()
        done = f"{len(journal.done):,} of {_counted(len(plan.cells), 'cell')} are done, and kept in {journal.path}"
        click.echo(f"Stopped: {done}.\n  To go on, run the same command again: {_same_command()}", err=True)
        return 2
    failed = sum(errors.values())
    if not quiet or failed:
        click.echo(f"{out}: {_counted(len(plan.cells), 'cell')}{_failed_words(errors)}")
    return 1 if failed else 0


def _say_before(plan: Plan, journal: Journal, before: int) -> None:
    scenarios = len({cell.scenario.name for cell in plan.cells})
    protocols = len({setup.path for setup in plan.setups})
    click.echo(
        f"{_counted(len(plan.cells), 'cell')}: {_counted(protocols, 'protocol')}, "
        f"{len(plan.setups):,} with their parameters, {_counted(scenarios, 'scenario')}; {_method_words(plan)}"
    )
    if journal.damaged:
        click.echo(f"{_counted(journal.damaged, 'line')} of {journal.path} cannot be read: these cells are done again.")
    if before:
        rest = len(plan.cells) - before
        click.echo(f"{before:,} are done already, in {journal.path}" + (f"; {rest:,} are left" if rest else ""))


def _method_words(plan: Plan) -> str:
    options = plan.options
    return "exact" if options.trials is None else f"{options.trials:,} trials each, seed {options.seed}"


def _counted(number: int, noun: str) -> str:
    """`1 cell`, `2,000 cells`: numbers of a sweep can be large."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _failed_words(errors: Counter[str]) -> str:
    if not errors:
        return ""
    each = ", ".join(f"{number:,} with {code} {CODES[code].name}" for code, number in sorted(errors.items()))
    return f"; {sum(errors.values()):,} of them without figures: {each}"


def _same_command() -> str:
    """The command to go on with: as it was given, but for what would throw away what is done."""
    return shlex.join(["doselang", *(word for word in sys.argv[1:] if word != "--fresh")])


@contextmanager
def _progress(left: int, before: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error, with the time that is left, where that is a terminal."""
    if not sys.stderr.isatty() or not left:
        yield lambda cells: None
        return
    label = f"{before:,} done before, now" if before else "sweep"
    begun, done = time.monotonic(), 0
    # the bar's own estimate trusts its first second for long, and that goes into exploring
    with click.progressbar(
        length=left, label=label, file=sys.stderr, show_pos=True, show_percent=True, show_eta=False,
        item_show_func=lambda words: words,
    ) as bar:  # fmt: skip

        def told(cells: int) -> None:
            nonlocal done
            done += cells
            seconds = (time.monotonic() - begun) / max(done, 1) * (left - done)
            bar.update(cells, current_item=f"{time_words(seconds)} left")

        yield told


def time_words(seconds: float) -> str:
    """`12 s`, `3 min 05 s`, `2 h 40 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02} min"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Take the signal by which schedulers and shells end a program for Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
