"""Who works on a sweep: this process, several processes of this machine, or a Dask cluster; behind one interface."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from typing import Any

from attrs import define, field

from doselang.diagnostics import Trouble, trouble

AWAIT_SECONDS = 10
"""So long a Dask scheduler is waited for."""

COUNT_SECONDS = 5.0
"""So often at most the workers of a cluster are counted."""

ADDRESS = "Give the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786."


class Crew(ABC):
    """Gives an executor, and another when that one has broken."""

    breaks: bool = False
    """Whether the loss of one worker breaks the executor, and all that was handed in with it."""

    @abstractmethod
    def hands(self) -> int:
        """How many tasks are worked on at once, now."""

    @abstractmethod
    def begin(self) -> Executor:
        """An executor, ready for tasks."""

    @abstractmethod
    def end(self) -> None:
        """Let go of the executor, at once: what it is still at is not waited for."""

    def lost(self, error: BaseException) -> bool:
        """Whether an error says that a worker was lost with its task. Raises Trouble where all are."""
        return isinstance(error, BrokenExecutor)


class _Here(Executor):
    """Works on a task when it is handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@define
class Alone(Crew):
    """This process alone."""

    def hands(self) -> int:
        return 1

    def begin(self) -> Executor:
        return _Here()

    def end(self) -> None:
        pass


@define
class Processes(Crew):
    """Processes of this machine, which end with this one, however it ends."""

    number: int
    breaks: bool = True
    _executor: ProcessPoolExecutor | None = None
    _others: list[int | None] = field(factory=list)

    def hands(self) -> int:
        return self.number

    def begin(self) -> Executor:
        self._others = [child.pid for child in multiprocessing.active_children()]
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(self.number, mp_context=context, initializer=_enter)
        return self._executor

    def end(self) -> None:
        if self._executor is not None:
            for child in multiprocessing.active_children():
                if child.pid not in self._others:
                    child.kill()
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def _enter() -> None:
    """Prepare a worker: Ctrl-C is the parent's to answer; when the parent is gone there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def leave() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()


@define
class Cluster(Crew):
    """A Dask cluster, by the address of its scheduler."""

    address: str
    _client: Any = None
    _hands: int = 1
    _counted: float = float("-inf")

    def hands(self) -> int:
        """The threads of all workers; others may come and go."""
        if time.monotonic() - self._counted > COUNT_SECONDS:
            try:
                self._hands = max(1, sum(self._client.nthreads().values()))
            except OSError:
                raise self._gone() from None
            self._counted = time.monotonic()
        return self._hands

    def begin(self) -> Executor:
        """Connect to the cluster. Raises Trouble DL903 where the library is missing, DL901 where no scheduler is."""
        try:
            from distributed import Client
        except ImportError:
            raise trouble(
                "DL903",
                "Dask clusters are reached by the library distributed, which is not installed.",
                help="Install it with `pip install 'doselang[dask]'`.",
            ) from None
        if re.fullmatch(r"([a-z]+://)?[^\s/]+:[0-9]+", self.address) is None:
            raise trouble("DL903", f"`--dask {self.address}` is not the address of a scheduler.", help=ADDRESS)
        for name in ("distributed", "asyncio", "tornado", *logging.root.manager.loggerDict):
            if name.partition(".")[0] in ("distributed", "asyncio", "tornado"):
                logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is told below
        try:
            self._client = Client(self.address, timeout=AWAIT_SECONDS, set_as_default=False)
            self._client.wait_for_workers(1, timeout=AWAIT_SECONDS)
        except (OSError, ValueError, TypeError) as error:
            if self._client is None:
                raise trouble(
                    "DL901", f"The Dask scheduler at {self.address} cannot be reached.", help=ADDRESS
                ) from error
            help = f"Start some with `dask worker {self.address}`."
            raise trouble("DL901", f"The Dask scheduler at {self.address} has no workers.", help=help) from error
        executor: Executor = self._client.get_executor(pure=False)
        return executor

    def end(self) -> None:
        if self._client is not None:
            self._client.close(timeout=AWAIT_SECONDS)
            self._client = None

    def lost(self, error: BaseException) -> bool:
        """Dask gives a task to another worker itself, and gives up when it has lost several with it."""
        if type(error).__name__ == "KilledWorker":
            return True
        if isinstance(error, CancelledError):
            raise self._gone()
        # a task never raises anything itself
        raise trouble(
            "DL901",
            f"The Dask cluster at {self.address} cannot do the work: {type(error).__name__}.",
            help="Install doselang, in the same version, where its scheduler and its workers run.",
        ) from error

    def _gone(self) -> Trouble:
        return trouble(
            "DL901",
            f"The Dask scheduler at {self.address} is gone.",
            help="What is done is kept. Start the cluster, and run the same command again.",
        )
