"""How long the machine takes: exploring, one scenario more, a thousand of them, simulated trials.

Run with `pytest benchmarks`; the bounds are about ten times what a laptop needs.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.samples import FIVE_LEVELS, MANY_STATES, REFERENCE, TEN_LEVELS, scenarios
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import Exploration, explore
from doselang.machine.weights import flow_of, weigh
from doselang.protocol.model import Protocol
from doselang.simulate.exact import prepare, scenario_arrays
from doselang.simulate.montecarlo import monte_carlo


def fastest(benchmark: Any) -> float:
    """The seconds of the fastest round; 0 where nothing is measured (`--benchmark-disable`)."""
    return benchmark.stats.stats.min if benchmark.stats is not None else 0.0


def explored(protocol: Protocol) -> Exploration:
    return explore(compile_protocol(protocol))


@pytest.mark.parametrize(
    ("protocol", "bound"),
    [(REFERENCE, 0.3), (TEN_LEVELS, 1.0), (MANY_STATES, 2.0)],
    ids=["reference", "ten levels", "many states"],
)
def test_explore(benchmark: Any, protocol: Protocol, bound: float) -> None:
    found = benchmark(explored, protocol)
    seconds = fastest(benchmark)
    assert seconds < bound
    if seconds:
        benchmark.extra_info |= {"states": found.states, "states per second": round(found.states / seconds)}
    if protocol is MANY_STATES:
        assert found.states > 10_000 and found.states > 30_000 * seconds


@pytest.mark.parametrize("protocol", [REFERENCE, TEN_LEVELS], ids=["reference", "ten levels"])
def test_one_scenario_more(benchmark: Any, protocol: Protocol) -> None:
    flow = flow_of(explored(protocol))
    rates, chances = scenario_arrays(flow.exploration.machine, scenarios(protocol, 1), flow.kinds.options)
    weights = benchmark(weigh, flow, rates, chances)
    assert weights[flow.ended].sum() == pytest.approx(1)
    if protocol is REFERENCE:
        assert fastest(benchmark) < 0.001


def test_all_figures_of_one_scenario(benchmark: Any) -> None:
    ready, one = prepare(compile_protocol(REFERENCE), "one-at-a-time"), scenarios(REFERENCE, 1)
    (found,) = benchmark(lambda: list(ready.characterise(one)))
    assert sum(found.mtd) + found.no_mtd == pytest.approx(1)
    assert fastest(benchmark) < 0.002


def test_a_thousand_scenarios(benchmark: Any) -> None:
    flow = flow_of(explored(FIVE_LEVELS))
    rates, chances = scenario_arrays(flow.exploration.machine, scenarios(FIVE_LEVELS, 1000), flow.kinds.options)
    weights = benchmark(weigh, flow, rates, chances)
    assert weights.shape == (flow.states, 1000)
    assert fastest(benchmark) < 0.1


def test_all_figures_of_a_thousand_scenarios(benchmark: Any) -> None:
    ready, many = prepare(compile_protocol(FIVE_LEVELS), "one-at-a-time"), scenarios(FIVE_LEVELS, 1000)
    assert len(benchmark(lambda: list(ready.characterise(many)))) == 1000
    assert fastest(benchmark) < 1


@pytest.mark.parametrize("protocol", [REFERENCE, MANY_STATES], ids=["reference", "many states"])
def test_a_million_trials(benchmark: Any, protocol: Protocol) -> None:
    (one,) = scenarios(protocol, 1)
    (found,) = benchmark(monte_carlo, protocol, [one], trials=1_000_000, seed=1)
    assert sum(found.mtd) + found.no_mtd == pytest.approx(1)
    assert fastest(benchmark) < (1 if protocol is REFERENCE else 5)
