"""How long trials with a clock take: the reference protocol with its courses, and a rolling design.

Run with `pytest benchmarks`; the bounds are about ten times what a laptop needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.test_machine import fastest
from doselang.api import load
from doselang.simulate.timed import timed_trials
from doselang.simulate.timed_figures import figures

PROTOCOLS = Path(__file__).parent.parent / "protocols"
TRIALS = 16_384


@pytest.mark.parametrize(
    ("path", "scenario", "bound"),
    [("ibrutinib-lenalidomide.dose", "with courses", 9.0), ("designs/rolling-six.dose", "rising", 15.0)],
    ids=["reference", "rolling six"],
)
def test_trials_with_a_clock(benchmark: Any, path: str, scenario: str, bound: float) -> None:
    protocol = load(str(PROTOCOLS / path)).protocol
    assert protocol is not None
    (one,) = (each for each in protocol.scenarios if each.name == scenario)
    found = benchmark.pedantic(timed_trials, (protocol, one), {"trials": TRIALS, "seed": 1}, rounds=3)
    made = figures(found)
    assert sum(made.mtd) + made.no_mtd == pytest.approx(1)
    assert (made.courses is not None) == (scenario == "with courses")
    seconds = fastest(benchmark)
    assert seconds < bound
    if seconds:
        benchmark.extra_info |= {"trials per second": round(TRIALS / seconds)}
