"""How `simulate` and `compare` get their figures: by which method, and what goes with which."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click
from attrs import frozen

from doselang.api import simulate
from doselang.cli.output import cores
from doselang.diagnostics import Trouble, trouble
from doselang.loading import read_text
from doselang.machine.exits import Accrual
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve.names import shorten
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.clock import TimedAccrual, Timing
from doselang.simulate.montecarlo import MOST_TRIALS, TRIALS, monte_carlo

if TYPE_CHECKING:
    from doselang.simulate.timed import TimedTrials

Method = Literal["exact", "montecarlo", "auto", "timed"]

TIMED_TRIALS = 10_000
MOST_TIMED = 2_000_000
WORTH_A_PROCESS = 20_000
FIRST_TRIALS = 10_000
"""With an error to be reached so many come first, unless another number is asked for."""
LIMITS = ("DL701", "DL702", "DL704")
"""The findings that say that a trial is too large for exact figures."""


def read_error(text: str | None) -> float | None:
    """The standard error to be reached. Raises Trouble DL903 for what is none."""
    if text is None:
        return None
    try:
        error = float(text)
    except ValueError:
        error = -1.0
    if not 1e-5 <= error < 1:
        message = f"`--error {shorten(text, 40)}` is not a number from 0.00001 to below 1."
        raise trouble("DL903", message, help="For example: --error 0.001")
    return error


def clock_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that go with a clock."""
    for option in (
        click.option(
            "--jobs", default=None, type=int, help="With timed: how many processes.  [default: as many as processors]"
        ),
        click.option(
            "--timing", "timing_path", default=None, metavar="FILE.toml", help="With timed: all times, from a file."
        ),
        click.option("--arrivals", default=None, metavar="NUMBER", help="With timed: patients a month, at random."),
    ):
        command = option(command)
    return command


@frozen
class Way:
    """The way to figures that a command line asks for; None where an option is not given."""

    method: Method
    accrual: TimedAccrual | None
    max_states: int
    trials: int | None = None
    error: float | None = None
    seed: int | None = None
    arrivals: str | None = None
    timing_path: str | None = None
    jobs: int | None = None

    def refuse(self) -> None:
        """Refuse options that do not go together. Raises Trouble DL903."""
        random = {"--trials": self.trials, "--error": self.error, "--seed": self.seed}
        given = [option for option, value in random.items() if value is not None]
        if given and self.method == "exact":
            also = "" if given[0] == "--error" else " or `timed`"
            message = (
                f"`{given[0]}` goes with `--method montecarlo`{also}; exact figures need no trials, errors or seed."
            )
            raise trouble("DL903", message)
        if self.trials is not None and self.trials > MOST_TRIALS:
            raise trouble("DL903", f"`--trials` is at most {MOST_TRIALS:,}, and not {self.trials:,}.")
        if self.method != "timed":
            self._refuse_clock()
        elif self.error is not None:
            raise trouble("DL903", "`--error` goes with `--method montecarlo`; with a clock, say how many `--trials`.")
        elif self.trials is not None and self.trials > MOST_TIMED:
            raise trouble("DL903", f"With a clock `--trials` is at most {MOST_TIMED:,}, and not {self.trials:,}.")

    def _refuse_clock(self) -> None:
        clock = {"--arrivals": self.arrivals, "--timing": self.timing_path, "--jobs": self.jobs}
        given = [option for option, value in clock.items() if value is not None]
        if self.accrual == "as-they-come":
            given.append("--accrual as-they-come")
        if given:
            message = f"`{given[0]}` goes with `--method timed`: `{self.method}` knows no clock."
            raise trouble("DL903", message, help="Add: --method timed")

    def ready(self) -> Ready:
        """The way, with its files read and its seed chosen. Raises Trouble as `refuse`, and where a file is wrong."""
        self.refuse()
        return Ready(self, secrets.randbelow(1 << 32) if self.seed is None else self.seed, self._timing())

    def _timing(self) -> Timing:
        if self.method != "timed":
            return Timing()
        from doselang.simulate.timing_file import read_timing, with_arrivals

        timing = Timing() if self.timing_path is None else read_timing(read_text(self.timing_path), self.timing_path)
        return timing if self.arrivals is None else with_arrivals(timing, self.arrivals)

    @property
    def plain(self) -> Accrual:
        """The accrual without a clock."""
        return "whole-cohort" if self.accrual == "whole-cohort" else "one-at-a-time"


@frozen
class Ready:
    """A way to figures that can be gone."""

    way: Way
    seed: int
    timing: Timing

    def figures(self, protocol: Protocol, scenarios: tuple[Scenario, ...]) -> tuple[Characteristics, ...]:
        """The figures under each scenario; `auto` simulates where exact ones are not to be had, and says so."""
        way = self.way
        if way.method == "timed":
            return self._timed(protocol, scenarios)
        if way.method == "montecarlo":
            return self._simulated(protocol, scenarios)
        try:
            return simulate(protocol, scenarios, way.plain, max_states=way.max_states)
        except Trouble as limit:
            if way.method != "auto" or limit.diagnostic.code not in LIMITS:
                raise
            click.echo(f"doselang: {limit.diagnostic.message} So the figures are simulated.", err=True)
            return self._simulated(protocol, scenarios)

    def _simulated(self, protocol: Protocol, scenarios: tuple[Scenario, ...]) -> tuple[Characteristics, ...]:
        way = self.way
        trials = TRIALS if way.trials is None else way.trials
        if way.error is not None and way.trials is None:
            trials = FIRST_TRIALS
        return monte_carlo(protocol, scenarios, way.plain, trials=trials, seed=self.seed, error=way.error)

    def _timed(self, protocol: Protocol, scenarios: tuple[Scenario, ...]) -> tuple[Characteristics, ...]:
        from doselang.simulate.timed_figures import timed

        trials, jobs = self._timed_size()
        return timed(
            protocol, scenarios, self.timing, self._timed_accrual, trials=trials, seed=self.seed, jobs=jobs
        )  # fmt: skip

    def timed_trials(self, protocol: Protocol, scenario: Scenario) -> TimedTrials:
        """Trials with a clock, one by one: trial r has the same patients in every protocol."""
        from doselang.simulate.timed import timed_trials

        trials, jobs = self._timed_size()
        return timed_trials(protocol, scenario, self.timing, self._timed_accrual, trials, self.seed, jobs=jobs)

    @property
    def _timed_accrual(self) -> TimedAccrual:
        return self.way.accrual or "as-they-come"

    def _timed_size(self) -> tuple[int, int]:
        """How many trials there are, and how many processes share them."""
        trials = TIMED_TRIALS if self.way.trials is None else self.way.trials
        jobs = self.way.jobs
        if jobs is None:  # as many processes as there are processors, if there is enough for them to do
            jobs = max(1, min(cores(), trials // WORTH_A_PROCESS))
        return trials, jobs
