"""A plan, read: its cells in order, what tells each from all others, and the pieces in which they are worked on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from attrs import field, frozen

from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve import Setting
from doselang.simulate.characteristics import Method

MOST_CELLS = 1_000_000
"""So many cells a plan may have."""

UNIT = 8
"""So many cells of one set-up are calculated together.

The last bits of a sum can depend on how many scenarios are carried forward side by side. So what is calculated
together is settled by the plan alone: not by the number of processes, nor by what an earlier run has done already.
"""

Sections = Mapping[str, Mapping[str, str]]
"""What a plan says, by kind and name, to tell what has changed: options, parameters, protocols, scenarios, rows."""


@frozen
class Options:
    """How the figures of a plan are made; `trials` and `seed` are None where figures are exact."""

    method: Method = "exact"
    accrual: Accrual = "one-at-a-time"
    trials: int | None = None
    seed: int | None = None
    max_states: int = MAX_STATES

    def words(self) -> dict[str, str]:
        """Each option by its name in a plan, those that are not given left out."""
        told = {"method": self.method, "accrual": self.accrual, "trials": self.trials, "seed": self.seed}
        told["max-states"] = self.max_states
        return {name: str(value) for name, value in told.items() if value is not None}


@frozen
class Setup:
    """A protocol with one set of parameters, as the plan names them; `digest` is that of the protocol's text."""

    path: str
    digest: str
    settings: dict[str, Setting] = field(hash=False)
    protocol: Protocol = field(repr=False)


@frozen
class Cell:
    """One row of the result: a set-up, by its number, under a scenario. `place` is where the plan has it."""

    number: int
    setup: int
    scenario: Scenario
    identity: str
    seed: int | None
    place: str


@frozen
class Unit:
    """Cells of one set-up that are calculated together."""

    cells: tuple[Cell, ...]


@frozen
class Plan:
    """All cells in order; `parameters` are the names of the columns of parameters."""

    path: str
    options: Options
    parameters: tuple[str, ...]
    setups: tuple[Setup, ...]
    cells: tuple[Cell, ...]
    sections: Sections

    def units(self) -> Iterator[Unit]:
        """The cells in the pieces in which they are calculated: simulated ones singly, each from a seed of its own."""
        together = UNIT if self.options.method == "exact" else 1
        by_setup: dict[int, list[Cell]] = {}
        for cell in self.cells:
            by_setup.setdefault(cell.setup, []).append(cell)
        for cells in by_setup.values():
            yield from (Unit(tuple(cells[start : start + together])) for start in range(0, len(cells), together))

    def identity(self) -> str:
        """What tells this plan from any other: all cells in their order, and the options."""
        told = [self.options.max_states, *(cell.identity for cell in self.cells)]
        return digest_of(json.dumps(told))


def digest_of(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity_of(setup: Setup, scenario: Scenario, options: Options) -> str:
    """What tells a cell from all others: the protocol's text, its parameters, the scenario, the method; no paths."""
    settings = {name.lower(): [str(number) for number in value.numbers] for name, value in setup.settings.items()}
    return digest_of(
        json.dumps(
            [
                setup.digest, sorted(settings.items()), scenario_words(scenario),
                options.method, options.accrual, options.trials,
            ]
        )
    )  # fmt: skip


def scenario_words(scenario: Scenario) -> str:
    """All that a scenario says, in one spelling."""
    return json.dumps([scenario.name, scenario.rates, scenario.hazards, sorted(scenario.chances.items())])


def seed_of(identity: str, options: Options) -> int | None:
    """The seed of a simulated cell: made of the plan's seed and the cell's identity, never of its place or time.

    It has at most 53 bits, so that every program that reads the table keeps it whole.
    """
    return None if options.seed is None else int(digest_of(f"{options.seed} {identity}")[:16], 16) >> 11


def numbered(found: Sequence[tuple[int, Scenario, str]], setups: Sequence[Setup], options: Options) -> tuple[Cell, ...]:
    """Cells from the set-up, scenario and place of each, in order."""
    cells = []
    for number, (setup, scenario, place) in enumerate(found):
        identity = identity_of(setups[setup], scenario, options)
        cells.append(Cell(number, setup, scenario, identity, seed_of(identity, options), place))
    return tuple(cells)


# ---- what has changed ----

MOST_TOLD = 3


def changes(before: Sections, now: Sections) -> list[str]:
    """What another plan says otherwise, each in a clause; of many the first, and how many more."""
    told = []
    for kind in dict.fromkeys([*before, *now]):
        old, new = before.get(kind, {}), now.get(kind, {})
        for name in dict.fromkeys([*old, *new]):
            if old.get(name) != new.get(name):
                told.append(_change(kind, name, old.get(name), new.get(name)))
    more = len(told) - MOST_TOLD
    return [*told[:MOST_TOLD], f"{more} further changes"] if more > 1 else told


def _change(kind: str, name: str, old: str | None, new: str | None) -> str:
    shown = name if kind == "protocol" else f'"{name}"' if kind == "scenario" else f"`{name}`"
    what = {"option": shown, "row": f"row {name}"}.get(kind, f"the {kind} {shown}")
    if new is None:
        return f"{what} is no longer there"
    if old is None:
        return f"{what} is new"
    if kind in ("option", "parameter"):
        return f"{what} was {old}, and is {new} now"
    return f"{what} has changed"
