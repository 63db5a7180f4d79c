"""Operating characteristics from counted ends: the rates enter last, so that one count serves any number of scenarios.

The probability of an end is orders * product over levels of (1 - p)^(n - x) * p^x, with several toxicities likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import log

import numpy as np
from attrs import define, field

from doselang.machine.arrays import present, summed
from doselang.machine.counting import Counted
from doselang.machine.ends import Ended
from doselang.machine.exits import Accrual
from doselang.machine.records import Ints
from doselang.machine.weights import Floats, outcome_powers
from doselang.protocol.model import Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.totals import Results, Sums, characteristics

NUMBERS = 1 << 17
SCENARIOS = 256
ENDS = 1 << 12
TABLE = 1 << 18
"""So many numbers a table of the records of a few levels may have."""
FEW = 4
"""So many probabilities, of some ends under so many scenarios, are worked out at once: what fits near the processor."""


@define
class Parametric:
    """Counted ends, for any rates.

    `exponents` [records, 1 + toxicities] are the patients of a level without toxicity, and with each. `end_frames` are
    the frames of the ends, `sizes` their numbers of patients of the first part, `whole` those of all parts, none where
    there is one part; `frame_at`, `size_at` and `whole_at` the position of each there.
    """

    counted: Counted
    accrual: Accrual
    results: Results = field(init=False)
    exponents: Ints = field(init=False)
    end_frames: list[int] = field(init=False)
    sizes: list[int] = field(init=False)
    whole: list[int] = field(init=False)
    frame_at: Ints = field(init=False)
    size_at: Ints = field(init=False)
    whole_at: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        machine = self.counted.machine
        records, protocol = machine.records, machine.protocol
        self.results = Results(self.counted.frames)
        toxic = [records.tally(what) for what in range(len(protocol.toxicities))]
        self.exponents = np.column_stack([records.tally(-1) - sum(toxic), *toxic])[: len(records)]
        frames: set[int] = set()
        sizes: set[int] = set()
        whole: set[int] = set()
        for some in self.counted.ends.blocks(NUMBERS):
            frames.update(present(some.frames))
            sizes.update(present(self._patients(some)))
            whole.update(present(self._whole(some)) if self.several else ())
        self.end_frames, self.frame_at = _positions(frames)
        self.sizes, self.size_at = _positions(sizes)
        self.whole, self.whole_at = _positions(whole)

    def __len__(self) -> int:
        return len(self.counted.ends)

    @property
    def several(self) -> bool:
        """Whether there are several parts, so that the whole trial has figures of its own."""
        return len(self.counted.machine.parts) > 1

    def codes(self, some: Ended) -> Ints:
        """The codes of the levels of some ends, [ends, levels]: positions in `exponents`."""
        return some.states.codes(self.counted.machine.levels)

    def _patients(self, some: Ended) -> Ints:
        """The patients of the first part, of each end."""
        return summed(self.counted.machine.records.tally(-1, 0), self.codes(some))

    def _whole(self, some: Ended) -> Ints:
        """The patients of all parts, of each end."""
        return summed(self.counted.machine.records.tally(-1), self.codes(some))

    def sums(self, rates: Floats) -> Sums:
        """The sums under K scenarios, exact but for rounding; `rates` are [K, toxicities, levels], in [0, 1]."""
        if len(rates) <= FEW:
            return self._of_few(rates)
        machine, scenarios = self.counted.machine, len(rates)
        parts, levels = len(machine.parts), machine.levels
        powers = outcome_powers(rates, int(self.exponents.max(initial=0)))
        lists = len(self.end_frames), len(self.sizes), len(self.whole)
        found = np.zeros((sum(lists) + 2 * parts * levels, scenarios))
        records = [self._records(level) for level in range(levels)]
        blocks = [
            (some, self._rows(some))
            for some in self.counted.ends.blocks(max(1, min(ENDS, NUMBERS // min(scenarios, SCENARIOS))))
        ]
        for first in range(0, scenarios, SCENARIOS):
            block = slice(first, min(first + SCENARIOS, scenarios))
            factors = [
                (position, self._factors(powers[..., block], level, there))
                for level, (there, position) in enumerate(records)
            ]
            for some, ones in blocks:
                found[:, block] += self._figures(some, ones) @ self._chance(some, factors)
        of_ends, of_sizes, of_whole, rest = np.split(found, np.cumsum(lists))
        patients, dlts = rest.reshape(2, parts, levels, scenarios)
        return Sums(self.end_frames, of_ends, self.sizes, of_sizes, self.whole, of_whole, patients, dlts)

    def _of_few(self, rates: Floats) -> Sums:
        """The same for few scenarios: by level the probability of each record, and from it the means.

        A few levels are looked up at once, in a table of all their records together.
        """
        machine, records, every = self.counted.machine, self.counted.machine.records, len(self.exponents)
        powers, levels = outcome_powers(rates, int(self.exponents.max(initial=0))), range(machine.levels)
        several = max(1, int(log(min(TABLE, 2 + len(self)), every)))
        groups = [levels[first : first + several] for first in levels[::several]]
        ends, sizes, whole = (np.zeros((len(of), len(rates))) for of in (self.end_frames, self.sizes, self.whole))
        of_record = np.zeros((len(rates), len(levels), every))
        for k in range(len(rates)):
            factors = [self._factors(powers[..., k : k + 1], level, slice(None))[:, 0] for level in levels]
            tables = [reduce(np.multiply.outer, factors[group.start : group.stop]).ravel() for group in groups]
            masses = [np.zeros(len(table)) for table in tables]
            for some in self.counted.ends.blocks(NUMBERS):
                chance = some.states.orders.copy()
                positions = [_position(self.codes(some), group, every) for group in groups]
                for position, table in zip(positions, tables, strict=True):
                    chance *= table.take(position)
                for position, mass in zip(positions, masses, strict=True):
                    mass += np.bincount(position, chance, len(mass))
                ends[:, k] += np.bincount(self.frame_at.take(some.frames), chance, len(ends))
                sizes[:, k] += np.bincount(self.size_at.take(self._patients(some)), chance, len(sizes))
                if self.several:
                    whole[:, k] += np.bincount(self.whole_at.take(self._whole(some)), chance, len(whole))
            for group, mass in zip(groups, masses, strict=True):
                together = mass.reshape((every,) * len(group))
                for axis, level in enumerate(group):
                    of_record[k, level] = together.sum(
                        axis=tuple(other for other in range(len(group)) if other != axis)
                    )
        parts = range(len(machine.parts))
        patients = np.array([of_record @ records.tally(-1, part)[:every] for part in parts])
        dlts = np.array([of_record @ records.tally(0, part)[:every] for part in parts])
        patients, dlts = patients.transpose(0, 2, 1), dlts.transpose(0, 2, 1)
        return Sums(self.end_frames, ends, self.sizes, sizes, self.whole, whole, patients, dlts)

    def _records(self, level: int) -> tuple[Ints, Ints]:
        """The records that a level has at any end, and by record its position among them."""
        found = np.zeros(len(self.exponents), np.bool_)
        for some in self.counted.ends.blocks(NUMBERS):
            found[self.codes(some)[:, level]] = True
        there = np.flatnonzero(found)
        position = np.zeros(len(found), np.int32)
        position[there] = np.arange(len(there))
        return there, position

    def _factors(self, powers: Floats, level: int, records: Ints | slice) -> Floats:
        """What a level adds to the probability, by record and scenario."""
        exponents = self.exponents[records]
        factor = np.ones((len(exponents), powers.shape[3]))
        for outcome in range(exponents.shape[1]):
            factor *= powers[exponents[:, outcome], outcome, level]
        return factor

    def _chance(self, some: Ended, factors: list[tuple[Ints, Floats]]) -> Floats:
        """The probability of some ends, [ends, K]."""
        codes = self.codes(some)
        chance = np.empty((len(codes), factors[0][1].shape[1]))
        chance[:] = some.states.orders[:, None]
        one = np.empty_like(chance)
        for level, (position, factor) in enumerate(factors):
            np.take(factor, position[codes[:, level]], axis=0, out=one, mode="clip")
            chance *= one
        return chance

    def _rows(self, some: Ended) -> list[Ints]:
        """Of each of some ends the sums to which it adds its probability alone: of its frame, and of its sizes."""
        rows = [self.frame_at[some.frames], len(self.end_frames) + self.size_at[self._patients(some)]]
        if self.several:
            rows.append(len(self.end_frames) + len(self.sizes) + self.whole_at[self._whole(some)])
        return rows

    def _figures(self, some: Ended, ones: list[Ints]) -> Floats:
        """What each of some ends adds to each sum, [sums, ends], given the sums that `_rows` has.

        There is one sum a frame, one a number of patients of the first part, and of the whole trial where there are
        several, then the patients and the first toxicities by part and level.
        """
        machine, codes = self.counted.machine, self.codes(some)
        at = len(self.end_frames) + len(self.sizes) + len(self.whole)
        figures = np.zeros((at + 2 * len(machine.parts) * machine.levels, len(codes)))
        for rows in ones:
            figures[rows, np.arange(len(codes))] = 1
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


def _positions(numbers: set[int]) -> tuple[list[int], Ints]:
    """Some numbers in order, and by number its position there."""
    every = sorted(numbers)
    position = np.zeros(1 + max(every, default=0), np.int32)
    position[every] = np.arange(len(every))
    return every, position


def _position(codes: Ints, levels: range, records: int) -> Ints:
    """Where the records of some levels together stand in a table of all records of each."""
    position = codes[:, levels[0]].astype(np.int64)
    for level in levels[1:]:
        position *= records
        position += codes[:, level]
    return position
