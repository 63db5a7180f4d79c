"""How long counted ends take: thousands of scenarios at once, and machines of millions of states.

By the processor's time, which other programs lengthen least; `pytest benchmarks/test_counting.py`. What was measured
where, and what the limits are, stands in `docs/performance.md`; `python -m benchmarks.growth` measures the growth.
"""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.test_machine import fastest
from doselang.loading import load
from doselang.machine.compiling import compile_protocol
from doselang.machine.counting import Counted, count_ends
from doselang.protocol.model import Protocol
from doselang.simulate.exact import counted_ends

DESIGNS = Path(__file__).parent.parent / "protocols" / "designs"


def design(name: str, **values: int) -> Protocol:
    protocol = load(str(DESIGNS / f"{name}.dose"), {key: Fraction(value) for key, value in values.items()}).protocol
    assert protocol is not None
    return protocol


def count(protocol: Protocol) -> Counted:
    return count_ends(compile_protocol(protocol, tallies=True), max_states=50_000_000)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(
    ("protocol", "bound"),
    [(design("three-plus-three", levels=5), 0.1), (design("boin", levels=5, cohorts=10), 1.0)],
    ids=["3+3, 5 levels", "BOIN, 5 levels, 10 cohorts"],
)
def test_ten_thousand_scenarios(benchmark: Any, protocol: Protocol, bound: float) -> None:
    """Every figure of 10,000 scenarios, exact, from the counted ends."""
    ready = counted_ends(protocol)
    rates = np.sort(np.random.default_rng(1).random((10_000, 1, 5)) * 0.7, axis=2)
    found = benchmark.pedantic(ready.sums, (rates,), rounds=3, warmup_rounds=1)
    assert np.allclose(found.ends.sum(axis=0), 1)
    benchmark.extra_info |= {"ends": len(ready), "scenarios per second": round(10_000 / (fastest(benchmark) or 1))}
    assert fastest(benchmark) < 2 * bound


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(("levels", "cohorts"), [(5, 10), (8, 14), (8, 16), (8, 20)])
def test_ends_of_boin(benchmark: Any, levels: int, cohorts: int) -> None:
    """All trials of BOIN with cohorts of three, the isotonic selection of the MTD included."""
    protocol = design("boin", levels=levels, cohorts=cohorts)
    found = benchmark.pedantic(count, (protocol,), rounds=1, warmup_rounds=1)
    seconds = fastest(benchmark)
    if seconds:
        benchmark.extra_info |= {"states": found.states, "states per second": round(found.states / seconds)}
    assert found.states > 500_000 * seconds or cohorts == 10
