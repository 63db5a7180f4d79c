"""Running a sweep: hands out what is not done, keeps what comes back, and survives workers that are lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait

from attrs import define, field

from doselang.diagnostics import Diagnostic, trouble
from doselang.sweep.crews import Crew
from doselang.sweep.journal import Journal
from doselang.sweep.plan import Plan, Unit
from doselang.sweep.rows import ERROR, Row, cell_row, error_row
from doselang.sweep.working import Asked, Done, Finished, Task, versions, work

TASK_SECONDS = 1.0
"""A task is to take about so long: what is lost when everything stops, and the step in which progress is told."""

MOST_UNITS = 64
"""So many units a task may have, however quick they are."""

TRIES = 3
"""So often a unit may lose the worker that works on it alone."""

MOST_LOSSES = 12
"""So often in a row workers may be lost without anything being done: then it is not the cells that are at fault."""


@define
class Sweep:
    """A sweep under way. `told` is called with the number of cells that came to be done."""

    plan: Plan
    journal: Journal
    crew: Crew
    told: Callable[[int], object] = field(default=lambda cells: None)
    passing: dict[int, Row] = field(factory=dict)
    """Rows of cells without figures that another try may give: they are in the table, and not in the journal."""
    _waiting: deque[Unit] = field(factory=deque)
    _suspects: deque[Unit] = field(factory=deque)
    _running: dict[Future[Finished], tuple[Unit, ...]] = field(factory=dict)
    _alone: bool = False
    """Whether the task that is running was handed out while there was no other."""
    _seconds: dict[int, float] = field(factory=dict)
    _tries: Counter[int] = field(factory=Counter)
    _losses: int = 0

    def run(self) -> None:
        """Work on all cells that are not done. Raises Trouble where the journal cannot be written or all is lost."""
        self._waiting.extend(
            unit for unit in self.plan.units() if any(cell.number not in self.journal.done for cell in unit.cells)
        )
        if not self._waiting:
            return
        try:
            executor = self.crew.begin()
            while self._waiting or self._suspects or self._running:
                self._hand_out(executor)
                finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
                broken = [self._take_back(future) for future in finished]
                if any(broken):
                    executor = self._recover(executor)
        finally:
            self.crew.end()

    # ---- handing out ----

    def _hand_out(self, executor: Executor) -> None:
        """Give the crew enough to do; what a worker was lost with goes alone: the next loss tells which it is."""
        if self._suspects:
            if not self._running:
                self._alone = True
                self._submit(executor, (self._suspects.popleft(),))
            return
        if self._alone and self._running:
            return
        self._alone = False
        while self._waiting and len(self._running) < 2 * self.crew.hands():
            self._submit(executor, tuple(self._next()))
            if all(future.done() for future in self._running):
                return  # worked on here: keep it before the next

    def _next(self) -> Iterator[Unit]:
        """Units of one set-up, as many as take about TASK_SECONDS."""
        setup = self._waiting[0].cells[0].setup
        seconds = self._seconds.get(setup)
        many = 1 if seconds is None else max(1, min(MOST_UNITS, int(TASK_SECONDS / max(seconds, 1e-6))))
        while many and self._waiting and self._waiting[0].cells[0].setup == setup:
            yield self._waiting.popleft()
            many -= 1

    def _submit(self, executor: Executor, units: tuple[Unit, ...]) -> None:
        task = self._task(units)
        try:
            self._running[executor.submit(work, task)] = units
        except Exception as error:  # a pool that broke since, or a cluster that is gone
            if not self.crew.lost(error):
                raise
            failed: Future[Finished] = Future()
            failed.set_exception(error)
            self._running[failed] = units

    def _task(self, units: tuple[Unit, ...]) -> Task:
        setup = self.plan.setups[units[0].cells[0].setup]
        asked = tuple(tuple(Asked(cell.number, cell.scenario, cell.seed) for cell in unit.cells) for unit in units)
        key = f"{setup.digest} {sorted((name, value.numbers) for name, value in setup.settings.items())}"
        return Task(f"{key} {self.plan.options}", setup.protocol, self.plan.options, asked, versions())

    # ---- taking back ----

    def _take_back(self, future: Future[Finished]) -> bool:
        """Keep what a task gave; whether its worker was lost."""
        units = self._running.pop(future)
        try:
            finished = future.result()
        except (Exception, CancelledError) as error:
            if not self.crew.lost(error):
                raise
            self._lose(units)
            return True
        if finished.versions != versions():
            theirs = ", ".join(f"{name} {version}" for name, version in finished.versions.items())
            ours = ", ".join(f"{name} {version}" for name, version in versions().items())
            raise trouble("DL903", f"A worker has {theirs}, and this program {ours}.",
                          help="Install the same versions everywhere: figures could differ.")  # fmt: skip
        self._losses = 0
        setup = units[0].cells[0].setup
        seconds = finished.seconds / len(units)
        self._seconds[setup] = min(seconds, self._seconds.get(setup, seconds))
        self._keep(finished.done)
        return False

    def _keep(self, done: tuple[Done, ...]) -> None:
        """Put rows into the journal, or aside where another try may end otherwise."""
        rows, cells = [], self.plan.cells
        for one in done:
            if one.number in self.journal.done:
                continue
            row = cell_row(self.plan, cells[one.number]) | one.row
            if one.lasting:
                rows.append((cells[one.number], row))
            else:
                self.passing[one.number] = row
        self.journal.add(rows)
        self.told(sum(one.number in self.passing for one in done) + len(rows))

    # ---- lost workers ----

    def _lose(self, units: tuple[Unit, ...]) -> None:
        """Put units aside, to be tried again alone; give up one that has lost its worker too often."""
        for unit in units:
            number = unit.cells[0].number
            self._tries[number] += self._alone
            if self._tries[number] < TRIES:
                self._suspects.append(unit)
            else:
                message = f"The process that worked on it ended {TRIES} times, perhaps for want of memory."
                failed = error_row(Diagnostic("DL704", message, help="Use fewer processes (`--jobs`)."))
                self._keep(tuple(Done(cell.number, failed, lasting=False) for cell in unit.cells))

    def _recover(self, executor: Executor) -> Executor:
        """Another executor, where this one is broken."""
        self._losses += 1
        if self._losses > MOST_LOSSES:
            raise trouble("DL901", "The processes that do the work end again and again, without having done anything.",
                          help="What is done is kept. Try `--jobs 1`, which works in this process alone.")  # fmt: skip
        if not self.crew.breaks:
            return executor
        wait(self._running)
        for future in list(self._running):
            self._take_back(future)
        self.crew.end()
        return self.crew.begin()

    # ---- the result ----

    def rows(self) -> Iterator[Row]:
        """All rows in the plan's order, those that are not in the journal too."""
        kept = self.journal.rows()
        for cell in self.plan.cells:
            yield self.passing[cell.number] if cell.number in self.passing else next(kept)

    def errors(self) -> Counter[str]:
        """How many cells have no figures, by the code of the error."""
        return Counter(str(row[ERROR]) for row in self.rows() if row.get(ERROR) is not None)
