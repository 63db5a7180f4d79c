"""One of two machines that are explored in step: what can be seen of its states, in the same numbers for both."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from attrs import define, field

from doselang.machine.columns import NO_LEVEL
from doselang.machine.exploring import Exploration
from doselang.machine.reading import Line
from doselang.machine.records import Ints
from doselang.machine.states import Frame


@define
class Side:
    """One of the two machines. `parts`, `verdicts` are its own in the numbers of the first protocol."""

    found: Exploration
    parts: tuple[int, ...]
    verdicts: tuple[int, ...]
    seen: dict[object, int]
    """What can be seen of a frame, as a number: the same for both sides."""
    _by_frame: list[int] = field(factory=list)
    _by_branch: list[tuple[int, int]] = field(factory=list)

    def visible(self, frames: Ints) -> Ints:
        """By state: what can be seen of its frame, as a number."""
        every = self.found.frames.frames
        for frame in every[len(self._by_frame) :]:
            self._by_frame.append(self.seen.setdefault(self._shown(frame), len(self.seen)))
        return np.array(self._by_frame, np.int32)[frames]

    def _shown(self, frame: Frame) -> object:
        verdicts = [(self.verdicts[v], level) for v, level in enumerate(frame.verdicts) if level != NO_LEVEL]
        settling = -1 if frame.settling < 0 else self.parts[frame.settling]
        if frame.end >= 0:
            decision = self.found.frames.branches[frame.end].decision
            return "undecided" if decision.undecided else "stopped", settling, tuple(sorted(verdicts))
        orders = tuple((order.level, order.size, order.sentinel and order.size > 1) for order in frame.orders)
        rolling = self.found.machine.protocol.parts[frame.part].rolling
        return self.parts[frame.part], rolling, frame.here, orders, settling, tuple(sorted(verdicts))

    def drawn(self, part: int, branches: Ints) -> tuple[Ints, Ints]:
        """By branch of a look in a part: the chance by which it was drawn, and what it counts, as numbers."""
        found = {}
        for number in np.unique(branches).tolist():
            branch, machine = self.found.frames.branches[number], self.found.machine
            chance = chance_drawn(machine.parts[part].lines, branch.choices)
            names = [(machine.protocol.counters[c].name.lower(), r) for c, r in branch.decision.answers.counts]
            told = ("chance", chance), ("counts", tuple(sorted(names)))
            found[number] = [self.seen.setdefault(one, len(self.seen)) for one in told]
        made = np.array([found[number] for number in branches.tolist()], np.int32).reshape(-1, 2)
        return made[:, 0], made[:, 1]


def chance_drawn(lines: Iterable[Line], choices: Iterable[tuple[int, int]]) -> Fraction:
    """The chance of those options of a way that are drawn, and not chosen by people."""
    cases = {line.gate: line.case for line in lines}
    chance = Fraction(1)
    for choice in choices:
        gate = cases[choice].gate
        if gate is not None and gate.kind == "draw" and gate.chances is not None:
            chance *= gate.chances[choice[1]]
    return chance
