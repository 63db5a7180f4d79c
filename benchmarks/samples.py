"""Protocols built from Python for the benchmarks."""

from __future__ import annotations

import numpy as np

from doselang.protocol.model import Protocol, Scenario
from tests.samples import interval, reference

REFERENCE = reference(3)
TEN_LEVELS = reference(10)
FIVE_LEVELS = reference(5, expansion=False)
MANY_STATES = interval(6, 36)
"""A design that reads the rate at every level: some 44,000 states."""


def scenarios(protocol: Protocol, count: int) -> list[Scenario]:
    """Scenarios with random rates, rising with the level."""
    random = np.random.default_rng(1)
    rates = np.sort(random.uniform(0, 0.6, (count, len(protocol.levels))), axis=1)
    return [Scenario(str(number), (tuple(row),)) for number, row in enumerate(rates.tolist())]
