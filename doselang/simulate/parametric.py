"""Operating characteristics from counted ends: the rates enter last, so that one count serves any number of scenarios.

The probability of an end is orders * product over levels of (1 - p)^(n - x) * p^x, with several toxicities likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import define, field

from doselang.machine.arrays import distinct, summed
from doselang.machine.counting import Counted
from doselang.machine.exits import Accrual
from doselang.machine.records import Ints
from doselang.machine.weights import Floats, outcome_powers
from doselang.protocol.model import Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.totals import Results, Sums, characteristics

NUMBERS = 1 << 17
SCENARIOS = 256
ENDS = 1 << 12
FEW = 4
"""So many probabilities, of some ends under so many scenarios, are worked out at once: what fits near the processor."""


@define
class Parametric:
    """Counted ends, with what each adds to the sums.

    `codes` [ends, levels] are positions in `exponents` [records, 1 + toxicities]: the patients of a level without
    toxicity, and with each. `figures` [sums, ends] times probabilities are the sums: one row for each ended frame and
    each number of patients of the first part, then the patients and the first toxicities by part and level.
    """

    counted: Counted
    accrual: Accrual
    results: Results = field(init=False)
    codes: Ints = field(init=False)
    exponents: Ints = field(init=False)
    end_frames: list[int] = field(init=False)
    sizes: list[int] = field(init=False)
    frame_of: Ints = field(init=False)
    size_of: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        machine, ends = self.counted.machine, self.counted.ends
        records, protocol = machine.records, machine.protocol
        self.results = Results(self.counted.frames)
        self.codes = ends.codes(machine.levels)
        toxic = [records.tally(what) for what in range(len(protocol.toxicities))]
        self.exponents = np.column_stack([records.tally(-1) - sum(toxic), *toxic])
        self.end_frames = list(self.counted.of_frame)
        self.frame_of = np.repeat(np.arange(len(self.end_frames)), list(self.counted.of_frame.values()))
        sizes = summed(records.tally(-1, 0), self.codes)
        first, self.size_of = distinct([sizes])
        self.sizes = sizes[first].tolist()

    def __len__(self) -> int:
        return len(self.counted.ends)

    def sums(self, rates: Floats) -> Sums:
        """The sums under K scenarios, exact but for rounding; `rates` are [K, toxicities, levels], in [0, 1]."""
        if len(rates) <= FEW:
            return self._of_few(rates)
        machine, scenarios = self.counted.machine, len(rates)
        parts, levels = len(machine.parts), machine.levels
        powers = outcome_powers(rates, int(self.exponents.max(initial=0)))
        found = np.zeros((len(self.end_frames) + len(self.sizes) + 2 * parts * levels, scenarios))
        for first in range(0, scenarios, SCENARIOS):
            block = slice(first, min(first + SCENARIOS, scenarios))
            factors = [self._factors(powers[..., block], level) for level in range(levels)]
            width = min(ENDS, max(1, NUMBERS // (block.stop - first)))
            for start in range(0, len(self), width):
                some = slice(start, start + width)
                found[:, block] += self._figures(some) @ self._chance(some, factors)
        ends, sizes, rest = np.split(found, np.cumsum([len(self.end_frames), len(self.sizes)]))
        patients, dlts = rest.reshape(2, parts, levels, scenarios)
        return Sums(self.end_frames, ends, self.sizes, sizes, patients, dlts)

    def _of_few(self, rates: Floats) -> Sums:
        """The same for few scenarios: by level the probability of each record, and from it the means."""
        machine, records = self.counted.machine, self.counted.machine.records
        powers = outcome_powers(rates, int(self.exponents.max(initial=0)))
        ends, sizes = np.zeros((len(self.end_frames), len(rates))), np.zeros((len(self.sizes), len(rates)))
        of_record = np.zeros((len(rates), machine.levels, len(self.exponents)))
        for k in range(len(rates)):
            factors = [self._factors(powers[..., k : k + 1], level) for level in range(machine.levels)]
            for start in range(0, len(self), NUMBERS):
                some = slice(start, start + NUMBERS)
                chance = self.counted.ends.orders[some].copy()
                for level, (position, factor) in enumerate(factors):
                    chance *= factor[position, 0].take(self.codes[some, level])
                ends[:, k] += np.bincount(self.frame_of[some], chance, len(ends))
                sizes[:, k] += np.bincount(self.size_of[some], chance, len(sizes))
                for level in range(machine.levels):
                    of_record[k, level] += np.bincount(self.codes[some, level], chance, len(self.exponents))
        parts = range(len(machine.parts))
        patients = np.array([of_record @ records.tally(-1, part)[: len(self.exponents)] for part in parts])
        dlts = np.array([of_record @ records.tally(0, part)[: len(self.exponents)] for part in parts])
        return Sums(self.end_frames, ends, self.sizes, sizes, patients.transpose(0, 2, 1), dlts.transpose(0, 2, 1))

    def _chance(self, some: slice, factors: list[tuple[Ints, Floats]]) -> Floats:
        """The probability of some ends, [ends, K]."""
        codes = self.codes[some]
        chance = np.empty((len(codes), factors[0][1].shape[1]))
        chance[:] = self.counted.ends.orders[some, None]
        one = np.empty_like(chance)
        for level, (position, factor) in enumerate(factors):
            np.take(factor, position[codes[:, level]], axis=0, out=one, mode="clip")
            chance *= one
        return chance

    def _factors(self, powers: Floats, level: int) -> tuple[Ints, Floats]:
        """What a level adds to the probability: by record a position, and by position and scenario the factor."""
        there = np.flatnonzero(np.bincount(self.codes[:, level]))
        factor = np.ones((len(there), powers.shape[3]))
        for outcome in range(self.exponents.shape[1]):
            factor *= powers[self.exponents[there, outcome], outcome, level]
        position = np.zeros(len(self.exponents), np.int32)
        position[there] = np.arange(len(there))
        return position, factor

    def _figures(self, some: slice) -> Floats:
        """What each of some ends adds to each sum."""
        machine, codes = self.counted.machine, self.codes[some]
        rows = np.arange(len(codes))
        frames, sizes = len(self.end_frames), len(self.sizes)
        figures = np.zeros((frames + sizes + 2 * len(machine.parts) * machine.levels, len(codes)))
        figures[self.frame_of[some], rows] = 1
        figures[frames + self.size_of[some], rows] = 1
        at = frames + sizes
        for what in (-1, 0):
            for part in range(len(machine.parts)):
                figures[at : at + machine.levels] = machine.records.tally(what, part)[codes].T
                at += machine.levels
        return figures

    def characterise(self, scenarios: Sequence[Scenario]) -> Iterator[Characteristics]:
        """The operating characteristics under each scenario."""
        sums = self.sums(np.array([scenario.rates for scenario in scenarios], float))
        for k, scenario in enumerate(scenarios):
            yield characteristics(self.results, scenario, self.accrual, "exact", sums.totals(k, lambda _: None))
