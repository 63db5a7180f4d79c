"""How levels lie to one another: steps of ladders and grids, and what is above what."""

from __future__ import annotations

import numpy as np
from attrs import define, field

from doselang.machine.arrays import NDArray
from doselang.machine.records import Ints
from doselang.protocol.model import Level

Bools = NDArray[np.bool_]

NOWHERE = -1
"""Where a step leads if there is no such level."""


@define
class Relations:
    """The levels of a protocol in their relations.

    `above[a, b]`: whether level b lies above level a (on the same ladder; on a grid, no dose lower and one higher);
    `together[a, b]`: whether they are on one ladder; `ordinary[a]`: whether it is not off the ladder;
    `first_ladder[a]`: whether it is on the first; `lowest[a]` and `highest[a]` are those of its ladder.
    """

    levels: tuple[Level, ...]
    above: Bools = field(init=False)
    together: Bools = field(init=False)
    ordinary: Bools = field(init=False)
    first_ladder: Bools = field(init=False)
    lowest: Ints = field(init=False)
    highest: Ints = field(init=False)
    _steps: dict[tuple[int, int], Ints] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        ladder = np.array([level.ladder for level in self.levels], np.int32)
        number = np.arange(len(self.levels), dtype=np.int32)
        self.together, self.first_ladder = ladder[:, None] == ladder, ladder == 0
        self.ordinary = np.array([not level.off_ladder for level in self.levels], np.bool_)
        self.above = self.together & (number > number[:, None])
        for a, one in enumerate(self.levels):
            for b, other in enumerate(self.levels):
                if one.position is not None and other.position is not None:
                    self.above[a, b] = _above(one.position, other.position)
        of_ladder = self.together & self.ordinary
        self.lowest = np.argmax(of_ladder, axis=1).astype(np.int32)
        self.highest = (len(number) - 1 - np.argmax(of_ladder[:, ::-1], axis=1)).astype(np.int32)

    def step(self, steps: int, axis: int = -1) -> Ints:
        """By level: the level so many steps up (negative: down) along a component, or the ladder; NOWHERE if none."""
        found = self._steps.get((steps, axis))
        if found is None:
            one = self._one(1 if steps > 0 else -1, axis)
            found = np.arange(len(self.levels), dtype=np.int32)
            for _ in range(abs(steps)):
                found = np.where(found == NOWHERE, NOWHERE, one[found]).astype(np.int32)
            self._steps[steps, axis] = found
        return found

    def _one(self, way: int, axis: int) -> Ints:
        leads = [self._neighbour(level, way, axis) for level in range(len(self.levels))]
        return np.array(leads, np.int32)

    def _neighbour(self, number: int, way: int, axis: int) -> int:
        level = self.levels[number]
        if level.position is not None:
            wanted = [*level.position]
            wanted[axis] += way
            return next((n for n, o in enumerate(self.levels) if axis >= 0 and o.position == tuple(wanted)), NOWHERE)
        if axis >= 0:
            return NOWHERE
        number += way
        while 0 <= number < len(self.levels):
            other = self.levels[number]
            if other.ladder == level.ladder and not other.off_ladder and other.position is None:
                return number
            number += way
        return NOWHERE

    @property
    def plain(self) -> bool:
        """Whether the levels are one ladder, in order, and nothing else."""
        return one_ladder(self.levels) and not any(level.off_ladder for level in self.levels)


def one_ladder(levels: tuple[Level, ...]) -> bool:
    """Whether the later of any two levels is above the other."""
    return all(level.ladder == 0 and level.position is None for level in levels)


def _above(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return other != one and all(b >= a for a, b in zip(one, other, strict=True))
