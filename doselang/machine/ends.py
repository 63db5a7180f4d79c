"""The ends of trials as they are found: millions of them, in pieces that are never copied again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field, frozen

from doselang.machine.merging import Packed, joined
from doselang.machine.records import Ints

PIECE = 1 << 15
"""From so many ends on they are a piece; fewer wait for others."""


@frozen(eq=False)
class Ended:
    """Some ends: their frames, the codes of their levels, and in how many orders each is reached."""

    frames: Ints
    states: Packed

    def __len__(self) -> int:
        return len(self.frames)


@define
class Ends:
    """All ends found so far."""

    pieces: list[Ended] = field(factory=list)
    _few: list[Ended] = field(factory=list)
    _count: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, frames: Ints, states: Packed) -> None:
        """Some more, of some frames."""
        self._count += len(states)
        if len(states) >= PIECE:
            self.pieces.append(Ended(frames, states))
        else:
            self._few.append(Ended(frames, states))
            if sum(map(len, self._few)) >= PIECE:
                self._gather()

    def blocks(self, most: int) -> Iterator[Ended]:
        """All of them, at most so many at a time: views, not copies."""
        self._gather()
        for piece in self.pieces:
            for start in range(0, len(piece), most):
                stop = start + most
                yield Ended(piece.frames[start:stop], piece.states.part(start, stop))

    def _gather(self) -> None:
        if self._few:
            frames = np.concatenate([some.frames for some in self._few])
            self.pieces.append(Ended(frames, joined([some.states for some in self._few])))
            self._few = []
