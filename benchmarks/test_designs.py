"""How long designs with engines take: exact figures of BOIN and of a CRM, and the check of each shipped protocol.

Both by the processor's time, which other programs lengthen least. Exact figures are timed from a machine
that is new and methods that have worked nothing out; a check is a whole process, with its imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.test_machine import fastest
from doselang.api import load_source
from doselang.loading import load
from doselang.machine.advising import engine_of
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.protocol.model import Protocol
from doselang.simulate.exact import exact
from doselang.source import Source
from tests.samples import BLRM_OF_A_COMMITTEE, FIVE_LEVEL_CRM

PROTOCOLS = Path(__file__).parent.parent / "protocols"
SHIPPED = sorted(PROTOCOLS.glob("*.dose"))


def boin() -> Protocol:
    """Five levels, ten cohorts of three."""
    protocol = load(str(PROTOCOLS / "boin-template.dose")).protocol
    assert protocol is not None
    return protocol


def crm() -> Protocol:
    protocol = load_source(Source("crm.dose", FIVE_LEVEL_CRM), None).protocol
    assert protocol is not None
    return protocol


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(("make", "bound"), [(boin, 0.1), (crm, 1.0)], ids=["boin", "crm"])
def test_exact_figures(benchmark: Any, make: Any, bound: float) -> None:
    protocol = make()
    some = protocol.scenarios[:1]
    (found,) = benchmark.pedantic(exact, (protocol, some), setup=engine_of.cache_clear, rounds=10, warmup_rounds=1)
    assert sum(found.mtd) + found.no_mtd == pytest.approx(1)
    assert fastest(benchmark) < bound


@pytest.mark.benchmark(timer=time.process_time)
def test_explore_a_model_and_people(benchmark: Any) -> None:
    """A committee may stay below the level that a model recommends: tens of thousands of tallies of six levels."""
    protocol = load_source(Source("blrm.dose", BLRM_OF_A_COMMITTEE), None).protocol
    assert protocol is not None

    def explored() -> int:
        return explore(compile_protocol(protocol)).states

    states = benchmark.pedantic(explored, setup=engine_of.cache_clear, rounds=3, warmup_rounds=1)
    assert states > 1000
    assert fastest(benchmark) < 4


def of_children() -> float:
    """The processor's time, in seconds, of the processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def check(path: Path) -> None:
    """Check a file in a process of its own; the exit status tells of findings."""
    done = subprocess.run([sys.executable, "-m", "doselang", "check", str(path)], capture_output=True)
    assert done.returncode in (0, 1)


@pytest.mark.benchmark(timer=of_children)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_check_a_shipped_protocol_as_a_process(benchmark: Any, path: Path) -> None:
    benchmark.pedantic(check, (path,), rounds=3, warmup_rounds=1)
    assert fastest(benchmark) < 2
