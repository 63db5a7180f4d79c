"""The probability of meeting a cause, under each scenario of the protocol."""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.exploring import Exploration
from doselang.machine.records import Ints
from doselang.machine.weights import Floats, Flow, flow_of, weigh
from doselang.protocol.model import Scenario


@define
class Weighed:
    """An exploration with the probability of each of its steps, by scenario.

    A scenario that does not give the chances of the human decisions met has no probabilities.
    """

    flow: Flow
    given: tuple[Scenario, ...]
    scenarios: tuple[Scenario, ...] = field(init=False)
    states: Floats = field(init=False)
    chance: Floats = field(init=False)

    def __attrs_post_init__(self) -> None:
        machine, wanted = self.flow.exploration.machine, self.flow.kinds.options
        protocol = machine.protocol
        self.scenarios = tuple(
            s for s in self.given if all(machine.chances(s, part, gate) is not None for part, gate, _ in wanted)
        )
        rates = np.array([s.rates for s in self.scenarios], float).reshape(
            len(self.scenarios), len(protocol.toxicities), len(protocol.levels)
        )
        chances = [
            [chance[option] for part, gate, option in wanted if (chance := machine.chances(s, part, gate))]
            for s in self.scenarios
        ]
        told = np.array(chances, float).reshape(len(self.scenarios), len(wanted))
        self.states = weigh(self.flow, rates, told)
        self.chance = self.flow.chance(rates, told)

    def of(self, steps: Ints) -> dict[str, float]:
        """The probability of making one of some steps of the exploration, by scenario name; each counts once."""
        steps = steps[np.sort(np.unique(steps, return_index=True)[1])]
        steps = steps if self.flow.position is None else self.flow.position[steps]
        total = (self.states[self.flow.source[steps]] * self.chance[self.flow.kind[steps]]).sum(axis=0)
        return {s.name: min(float(p), 1.0) for s, p in zip(self.scenarios, total, strict=True)}


def weighed(exploration: Exploration, scenarios: tuple[Scenario, ...]) -> Weighed:
    """The probabilities of the steps of an exploration under some scenarios."""
    return Weighed(flow_of(exploration), scenarios)
