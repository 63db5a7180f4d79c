"""Exact operating characteristics: probabilities carried forward over all steps of the explored machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal
from typing import Protocol as TypingProtocol

import numpy as np
from attrs import define, field

from doselang.diagnostics import trouble
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.counting import count_ends
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_PATIENTS, MAX_STATES, MOST_MEMORY, Endless, TooManyStates, explore
from doselang.machine.notation import Group, history_from
from doselang.machine.records import Ints
from doselang.machine.rulings import decided_when_complete
from doselang.machine.weights import Choice, Floats, Flow, carry, flow_of
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.courses import courses
from doselang.simulate.parametric import Parametric
from doselang.simulate.scenarios import checked, refuse_without_clock
from doselang.simulate.totals import Results, Sums, characteristics

BLOCK = 1 << 20
"""So many numbers a block of scenarios may take in one array: with more, the processor waits for memory."""

MANY_SCENARIOS = 64
"""From so many scenarios on it pays to keep all tallies, if that makes at most FEW_STATES."""
FEW_STATES = 100_000
KEPT_STATES = 1_000_000
"""So many states are kept with their steps; of more only the ends are counted, where that is possible.

Where looks depend on the tallies alone counting is many times faster than exploring: then from FEW_STATES on.
"""

Gates = frozenset[tuple[int, int]]
"""Gates, each a part and its number there."""


def exact(
    protocol: Protocol, scenarios: Sequence[Scenario], accrual: Accrual = "one-at-a-time", *,
    max_states: int = MAX_STATES,
) -> tuple[Characteristics, ...]:  # fmt: skip
    """The operating characteristics under each scenario, exact up to the rounding of floating point.

    Human decisions whose chances a scenario does not give end undecided there. Raises Trouble DL903 where a scenario
    does not fit the protocol, or only a clock tells what comes first, DL701 where trials are not bounded, DL702 where
    the machine has more than `max_states` states, DL704 where a cohort has too many outcomes.
    """
    refuse_without_clock(protocol)
    machine = compile_protocol(protocol)
    found: dict[int, Characteristics] = {}
    for known, numbers in by_gates(machine, scenarios).items():
        some = [scenarios[number] for number in numbers]
        with limits_as_trouble(max_states):
            made = engine(machine, some, accrual, known, max_states)
        found.update(zip(numbers, made.characterise(some), strict=True))
    return tuple(found[number] for number in range(len(scenarios)))


def by_gates(machine: Machine, scenarios: Sequence[Scenario]) -> dict[Gates, list[int]]:
    """The positions of scenarios that give the chances of the same gates. Raises Trouble DL903 as `checked`."""
    found: dict[Gates, list[int]] = {}
    for number, scenario in enumerate(scenarios):
        found.setdefault(known_gates(machine, checked(machine.protocol, scenario)), []).append(number)
    return found


Suits = Literal["steps", "either", "ends"]


def suits(machine: Machine, scenarios: Sequence[Scenario]) -> Suits:
    """Which way to exact figures suits some scenarios: `engine` takes the same one where this is the same.

    The steps are needed where people decide, and where patients' courses are followed; counted ends are better for
    many scenarios.
    """
    followed = machine.protocol.course is not None and any(scenario.hazards is not None for scenario in scenarios)
    if followed or any(part.gates for part in machine.parts):
        return "steps"
    return "ends" if len(scenarios) >= MANY_SCENARIOS else "either"


def engine(
    machine: Machine, scenarios: Sequence[Scenario], accrual: Accrual, known: Gates, max_states: int
) -> Exact:  # fmt: skip
    """The way to the exact figures that suits the number of scenarios and the machine.

    Few scenarios: probabilities carried over the steps of the explored machine. Many scenarios, or more states than
    should be kept: counted ends, if that is possible. Raises TooManyStates and OverflowError.
    """
    way = suits(machine, scenarios)
    if way == "steps":
        return _explored(machine, accrual, known, max_states)
    if way == "ends":
        with suppress(TooManyStates, OverflowError):
            return counted_ends(machine.protocol, accrual, max_states=min(FEW_STATES, max_states))
    kept = min(FEW_STATES if all(map(decided_when_complete, machine.parts)) else KEPT_STATES, max_states)
    try:
        return _explored(machine, accrual, known, kept)
    except TooManyStates as error:
        if max_states <= kept or isinstance(error, Endless):
            raise
    return counted_ends(machine.protocol, accrual, max_states=max_states)


def counted_ends(protocol: Protocol, accrual: Accrual = "one-at-a-time", *, max_states: int = MAX_STATES) -> Parametric:
    """The ends of a protocol counted, for any rates. Raises as `count_ends`, and as `refuse_without_clock`."""
    refuse_without_clock(protocol)
    machine = compile_protocol(protocol, tallies=True)
    return Parametric(count_ends(machine, accrual, max_states=max_states), accrual)


def _explored(machine: Machine, accrual: Accrual, known: Gates | None, max_states: int) -> Explored:
    return Explored(accrual, flow_of(explore(machine, accrual, max_states=max_states, known_gates=known)))


def known_gates(machine: Machine, scenario: Scenario) -> Gates:
    """The gates whose chances a scenario gives."""
    return frozenset(
        (part.number, number)
        for part in machine.parts
        for number in range(len(part.gates))
        if machine.chances(scenario, part.number, number) is not None
    )


def scenario_arrays(
    machine: Machine, scenarios: Sequence[Scenario], options: Sequence[Choice]
) -> tuple[Floats, Floats]:
    """The rates [K, toxicities, levels] of some scenarios, and their chances of some options [K, options]."""
    chances = [
        [chance[option] for part, gate, option in options if (chance := machine.chances(scenario, part, gate))]
        for scenario in scenarios
    ]
    return np.array([scenario.rates for scenario in scenarios], float), np.array(chances).reshape(len(scenarios), -1)


@contextmanager
def limits_as_trouble(max_states: int = MAX_STATES) -> Iterator[None]:
    """Says in the words of the command line which limit of the machine was reached."""
    try:
        yield
    except TooManyStates as error:
        simulate = "Simulate it with `--method montecarlo`"
        if error.full:
            message = f"After {error.states:,} states the machine takes more than {MOST_MEMORY >> 30} GiB of memory."
            raise trouble("DL702", message, help=f"{simulate}, or bound the trial more tightly.") from None
        if error.states <= max_states:
            raise trouble(
                "DL701", f"A trial can go on beyond {MAX_PATIENTS:,} patients: exact figures cannot be given.",
                help=f"{simulate}, or bound the trial, for example: accrue at most 60 in the trial",
            ) from None  # fmt: skip
        raise trouble(
            "DL702", f"The machine has more than {max_states:,} states.",
            help=f"{simulate}, or allow more with `--max-states {10 * max_states}`.",
        ) from None  # fmt: skip
    except OverflowError as error:
        raise trouble("DL704", f"{str(error)[:1].upper()}{str(error)[1:]}.", help="Write smaller cohorts.") from None


def prepare(
    machine: Machine, accrual: Accrual, known: Gates | None = None, *, max_states: int = MAX_STATES
) -> Explored:
    """The machine explored, for any number of scenarios that give the chances of the same gates."""
    refuse_without_clock(machine.protocol)
    with limits_as_trouble(max_states):
        return _explored(machine, accrual, known, max_states)


class Exact(TypingProtocol):
    """What gives exact figures: an explored machine, or counted ends."""

    def characterise(self, scenarios: Sequence[Scenario]) -> Iterator[Characteristics]:
        """The operating characteristics under each scenario."""


@define
class Explored:
    """A flow, with its steps and ends sorted for the sums that are taken over them.

    `by_kind` are the steps by kind; `leaving` the steps that leave the first part or end the trial in it, by number of
    patients; `ends` the ended states by frame. Each has the positions at which a new group begins, and what it is.
    `bounds` and `whole_sizes` are those of `whole`: the ended states by number of patients, none where there is one
    part.
    """

    accrual: Accrual
    flow: Flow
    by_kind: Ints = field(init=False)
    kind_starts: Ints = field(init=False)
    leaving: Ints = field(init=False)
    size_starts: Ints = field(init=False)
    sizes: list[int] = field(init=False)
    ends: Ints = field(init=False)
    end_starts: Ints = field(init=False)
    end_frames: list[int] = field(init=False)
    whole: Ints = field(init=False)
    bounds: Ints = field(init=False)
    whole_sizes: list[int] = field(init=False)
    results: Results = field(init=False)

    def __attrs_post_init__(self) -> None:
        flow, part = self.flow, self.flow.exploration.frames.part
        self.results = Results(flow.exploration.frames)
        self.by_kind, self.kind_starts, _ = _grouped(flow.kind)
        leads_to = flow.leads_to()
        left = flow.ended | (part[flow.frames] != 0)
        self.leaving = np.flatnonzero((part[flow.frames[flow.source]] == 0) & left[leads_to]).astype(np.int32)
        patients = flow.exploration.patients_of_states()
        order, self.size_starts, self.sizes = _grouped(patients[leads_to[self.leaving]])
        self.leaving = self.leaving[order]
        ended = np.flatnonzero(flow.ended).astype(np.int32)
        order, self.end_starts, self.end_frames = _grouped(flow.frames[ended])
        self.ends = ended[order]
        several = len(flow.exploration.machine.parts) > 1
        order, self.bounds, self.whole_sizes = _grouped(patients[ended if several else ended[:0]])
        self.whole = ended[order]

    def characterise(self, scenarios: Sequence[Scenario]) -> Iterator[Characteristics]:
        """The operating characteristics under each scenario."""
        machine, kinds = self.flow.exploration.machine, self.flow.kinds
        block = max(1, BLOCK // len(self.flow.source))
        for start in range(0, len(scenarios), block):
            some = scenarios[start : start + block]
            chance = kinds.chance(*scenario_arrays(machine, some, kinds.options))
            weights, sums = self.sums(chance)
            for k, scenario in enumerate(some):
                course = courses(machine.protocol, self.flow, chance[:, k : k + 1], scenario)
                totals = sums.totals(k, _Histories(self, weights[:, k], chance[:, k]))
                yield characteristics(self.results, scenario, self.accrual, "exact", totals, courses=course)

    def sums(self, chance: Floats) -> tuple[Floats, Sums]:
        """The probability of each state, and the sums, under K scenarios, given the chance of each kind of step."""
        flow, kinds = self.flow, self.flow.kinds
        weights = carry(flow, chance)
        taken = np.add.reduceat(weights[flow.source[self.by_kind]], self.kind_starts, axis=0) * chance
        protocol = flow.exploration.machine.protocol
        patients = np.zeros((len(protocol.parts), len(protocol.levels), chance.shape[1]))
        dlts = np.zeros_like(patients)
        np.add.at(patients, (kinds.part, kinds.level), taken * kinds.counts.sum(axis=1)[:, None])
        np.add.at(dlts, (kinds.part, kinds.level), taken * kinds.counts[:, 1, None])
        leaving = weights[flow.source[self.leaving]] * chance[flow.kind[self.leaving]]
        sizes = np.add.reduceat(leaving, self.size_starts, axis=0)
        ends = np.add.reduceat(weights[self.ends], self.end_starts, axis=0)
        whole = np.add.reduceat(weights[self.whole], self.bounds, axis=0)
        return weights, Sums(self.end_frames, ends, self.sizes, sizes, self.whole_sizes, whole, patients, dlts)


def _grouped(labels: Ints) -> tuple[Ints, Ints, list[int]]:
    """Positions sorted by label, where each label begins, and the labels."""
    # numbers of 16 bits are sorted by radix, much faster
    small = labels.size > 0 and int(labels.max()) < 1 << 16
    order = np.argsort(labels.astype(np.uint16) if small else labels, kind="stable").astype(np.int32)
    found, starts = np.unique(labels[order], return_index=True)
    return order, starts.astype(np.int32), found.tolist()


@define
class _Histories:
    """Finds histories of positive probability, fewest patients first."""

    explored: Explored
    weights: Floats
    chance: Floats

    def __call__(self, frames: Sequence[int]) -> tuple[Group, ...]:
        flow = self.explored.flow
        ends = np.sort(self.explored.ends[np.isin(flow.frames[self.explored.ends], frames)])
        state = int(ends[np.argmax(self.weights[ends] > 0)])
        taken: list[tuple[int, int]] = []
        while state > 0:
            steps = slice(flow.first[state], flow.first[state + 1])
            likely = self.weights[flow.source[steps]] * self.chance[flow.kind[steps]] > 0
            step = int(flow.first[state]) + int(np.argmax(likely))
            state = int(flow.source[step])
            taken.append((int(flow.frames[state]), int(flow.exits[step])))
        return history_from(flow.exploration.situations, reversed(taken))
