"""The front door: the whole pipeline, from a path to what can be asked of a protocol.

text ─parse─▶ syntax.File ─resolve─▶ Protocol ─compile─▶ Machine ─▶ check, simulate, conduct, report
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from doselang.check.causes import find_causes
from doselang.check.checking import check
from doselang.check.facts import Cause
from doselang.check.probabilities import weighed
from doselang.diagnostics import Trouble, trouble
from doselang.loading import Loaded, load, load_source
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, Exploration, TooManyStates, explore
from doselang.machine.notation import write_history
from doselang.machine.records import Ints
from doselang.protocol.model import Protocol, Scenario
from doselang.report.causes import cause_title
from doselang.simulate.characteristics import Characteristics, UndecidedCause
from doselang.simulate.exact import Exact, Gates, by_gates, counted_ends, engine, limits_as_trouble, suits
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.polynomials import Polynomial, largest, polynomials
from doselang.simulate.scenarios import refuse_without_clock

__all__ = [
    "Loaded",
    "Simulation",
    "check",
    "largest",
    "load",
    "load_source",
    "monte_carlo",
    "polynomials_of",
    "simulate",
]


def simulate(
    protocol: Protocol, scenarios: Sequence[Scenario], accrual: Accrual = "one-at-a-time", *,
    max_states: int = MAX_STATES,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """Exact operating characteristics; what is undecided is told by the causes that `check` finds.

    Raises Trouble as `doselang.simulate.exact.exact` does.
    """
    return Simulation(protocol, accrual, max_states).under(scenarios)


@define
class Simulation:
    """Exact figures of one protocol, asked for again and again: it is explored once for all that `simulate` is asked.

    What was explored is kept by the human decisions whose chances are known, and the number of scenarios.
    """

    protocol: Protocol
    accrual: Accrual = "one-at-a-time"
    max_states: int = MAX_STATES
    _machine: Machine = field(init=False)
    _engines: dict[object, Exact | Trouble] = field(init=False, factory=dict)
    _causes: dict[Gates, tuple[Exploration, list[tuple[Cause, Ints]]] | None] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        refuse_without_clock(self.protocol)
        self._machine = compile_protocol(self.protocol)

    def under(self, scenarios: Sequence[Scenario]) -> tuple[Characteristics, ...]:
        """The figures under each scenario. Raises Trouble as `simulate` does."""
        found: dict[int, Characteristics] = {}
        for known, numbers in by_gates(self._machine, scenarios).items():
            some = [scenarios[number] for number in numbers]
            made = self._engine(some, known).characterise(some)
            found.update((n, self._told(one, known)) for n, one in zip(numbers, made, strict=True))
        return tuple(found[number] for number in range(len(scenarios)))

    def _engine(self, scenarios: Sequence[Scenario], known: Gates) -> Exact:
        """The machine explored, or its ends counted, once; what cannot be explored is not tried again."""
        key = known, suits(self._machine, scenarios)
        if key not in self._engines:
            try:
                with limits_as_trouble(self.max_states):
                    self._engines[key] = engine(self._machine, scenarios, self.accrual, known, self.max_states)
            except Trouble as error:
                self._engines[key] = error
        found = self._engines[key]
        if isinstance(found, Trouble):
            raise Trouble(found.diagnostic, found.path)
        return found

    def _told(self, one: Characteristics, known: Gates) -> Characteristics:
        """The figures, with the causes of what is undecided as `check` finds them.

        Ends can be counted of a machine that is too large to be explored: then the causes have no histories.
        """
        if not one.undecided:
            return one
        if known not in self._causes:
            try:
                exploration = explore(
                    self._machine, self.accrual, histories=True, max_states=self.max_states, known_gates=known
                )
                self._causes[known] = exploration, find_causes(exploration)
            except (TooManyStates, OverflowError):
                self._causes[known] = None
        found = self._causes[known]
        return one if found is None else evolve(one, undecided_causes=_causes(*found, one.scenario))


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
        return polynomials(counted_ends(protocol, accrual, max_states=max_states))


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
