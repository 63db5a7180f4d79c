"""What a worker does: the figures of some cells of one set-up, in this process or another, here or elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy
from attrs import field, frozen

from doselang import __version__
from doselang.api import Simulation, monte_carlo
from doselang.diagnostics import Diagnostic, Trouble
from doselang.protocol.model import Protocol, Scenario
from doselang.sweep.plan import Options
from doselang.sweep.rows import Row, error_row, figure_row


@frozen
class Asked:
    """A cell whose figures are asked for."""

    number: int
    scenario: Scenario
    seed: int | None


@frozen
class Task:
    """Units of cells of one set-up; `key` tells the set-up from all others, `versions` what must calculate it."""

    key: str
    protocol: Protocol = field(repr=False)
    options: Options
    units: tuple[tuple[Asked, ...], ...]
    versions: dict[str, str] = field(hash=False)


@frozen
class Done:
    """The figures of a cell, or why there are none; `lasting` unless another try may end otherwise."""

    number: int
    row: Row = field(hash=False)
    lasting: bool = True


@frozen
class Finished:
    """What came of a task: nothing where the worker has other `versions`."""

    done: tuple[Done, ...]
    seconds: float
    versions: dict[str, str] = field(hash=False)


_kept = threading.local()
"""The set-up that was worked on last, explored: what comes next is mostly of the same."""


def versions() -> dict[str, str]:
    """The versions of what makes figures: with another one the last bits may differ."""
    return {"doselang": __version__, "numpy": numpy.__version__}


def work(task: Task) -> Finished:
    """Work on a task. Whatever goes wrong becomes a row: no exception leaves this process."""
    if task.versions != versions():
        return Finished((), 0.0, versions())
    begun = time.perf_counter()
    done = tuple(one for unit in task.units for one in _worked(task, unit))
    return Finished(done, time.perf_counter() - begun, versions())


def _worked(task: Task, unit: Sequence[Asked]) -> tuple[Done, ...]:
    """The cells of a unit. If some have no figures, each is worked on alone, to tell which."""
    try:
        rows = _rows(task, unit)
        return tuple(Done(asked.number, row) for asked, row in zip(unit, rows, strict=True))
    except Trouble as error:
        failed, lasting = error.diagnostic, True
    except MemoryError:
        message = "There is not enough memory for this cell."
        failed, lasting = Diagnostic("DL704", message, help="Use fewer processes (`--jobs`)."), False
    except Exception as error:
        message = f"A fault in doselang {__version__}: {type(error).__name__}."
        failed, lasting = Diagnostic("DL999", message, help="Please report it, with the plan."), False
    if len(unit) > 1:
        return tuple(one for asked in unit for one in _worked(task, (asked,)))
    return (Done(unit[0].number, error_row(failed), lasting),)


def _rows(task: Task, unit: Sequence[Asked]) -> list[Row]:
    options = task.options
    if options.method == "exact":
        return [figure_row(one) for one in _simulation(task).under([asked.scenario for asked in unit])]
    rows = []
    for asked in unit:
        assert options.trials is not None and asked.seed is not None
        found = monte_carlo(task.protocol, [asked.scenario], options.accrual, trials=options.trials, seed=asked.seed)
        rows += [figure_row(one) for one in found]
    return rows


def _simulation(task: Task) -> Simulation:
    if getattr(_kept, "key", None) != task.key:
        _kept.key = _kept.simulation = None  # the old one may be large: let go of it first
        _kept.simulation = Simulation(task.protocol, task.options.accrual, task.options.max_states)
        _kept.key = task.key
    simulation: Simulation = _kept.simulation
    return simulation
