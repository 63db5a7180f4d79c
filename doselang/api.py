"""The front door: the whole pipeline, from a path to what can be asked of a protocol.

text ─parse─▶ syntax.File ─resolve─▶ Protocol ─compile─▶ Machine ─▶ check, simulate, conduct, report
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from doselang.check.causes import find_causes
from doselang.check.checking import check
from doselang.check.facts import Cause
from doselang.check.probabilities import weighed
from doselang.diagnostics import trouble
from doselang.loading import Loaded, load, load_source
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, Exploration, explore
from doselang.machine.notation import write_history
from doselang.machine.records import Ints
from doselang.protocol.model import Protocol, Scenario
from doselang.report.causes import cause_title
from doselang.simulate.characteristics import Characteristics, UndecidedCause
from doselang.simulate.exact import counted, exact, known_gates, limits_as_trouble
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.polynomials import Polynomial, polynomials

__all__ = ["Loaded", "check", "load", "load_source", "monte_carlo", "polynomials_of", "simulate"]


def simulate(
    protocol: Protocol, scenarios: Sequence[Scenario], accrual: Accrual = "one-at-a-time", *,
    max_states: int = MAX_STATES,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """Exact operating characteristics; what is undecided is told by the causes that `check` finds.

    Raises Trouble as `doselang.simulate.exact.exact` does.
    """
    found = exact(protocol, scenarios, accrual, max_states=max_states)
    machine = compile_protocol(protocol)
    explored: dict[object, tuple[Exploration, list[tuple[Cause, Ints]]]] = {}
    told = []
    for one in found:
        if one.undecided:
            known = known_gates(machine, one.scenario)
            if known not in explored:
                exploration = explore(machine, accrual, histories=True, max_states=max_states, known_gates=known)
                explored[known] = exploration, find_causes(exploration)
            one = evolve(one, undecided_causes=_causes(*explored[known], one.scenario))
        told.append(one)
    return tuple(told)


def polynomials_of(
    protocol: Protocol, accrual: Accrual = "one-at-a-time", *, max_states: int = MAX_STATES
) -> dict[str, Polynomial]:
    """The probability of each result for any rates, by the result in words.

    Raises Trouble DL903 where people decide, for their chances are not rates, and DL70x as `simulate` does.
    """
    asking = [part.part.rules[part.gates[0].rule].name for part in compile_protocol(protocol).parts if part.gates]
    if asking:
        raise trouble(
            "DL903", f'A polynomial in the rates cannot hold what is not a rate: "{asking[0]}" leaves a choice.',
            help="Simulate with `--dlt`, or with a scenario that has the chances of the choice.",
        )  # fmt: skip
    with limits_as_trouble(max_states):
        return polynomials(counted(protocol, accrual, max_states=max_states))


def _causes(
    exploration: Exploration, causes: list[tuple[Cause, Ints]], scenario: Scenario
) -> tuple[UndecidedCause, ...]:
    protocol = exploration.machine.protocol
    weights = weighed(exploration, (scenario,))
    found = [
        UndecidedCause(
            cause_title(cause, protocol), write_history(cause.history, protocol), weights.of(steps)[scenario.name]
        )
        for cause, steps in causes
    ]
    return tuple(sorted((one for one in found if one.probability > 0), key=lambda one: (-one.probability, one.cause)))
