"""The ends of trials as they are found: millions of them, in pieces that are never copied again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import define, field, frozen

from doselang.machine.merging import Packed, joined
from doselang.machine.records import Ints

PIECE = 1 << 20
"""So many ends make a piece."""


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
    _loose: list[tuple[int, Packed]] = field(factory=list)
    _several: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.pieces)) + self._several

    def add(self, frame: int, states: Packed) -> None:
        """Some more, of one frame."""
        self._loose.append((frame, states))
        self._several += len(states)
        if self._several >= PIECE:
            self._gather()

    def blocks(self, most: int) -> Iterator[Ended]:
        """All of them, at most so many at a time: views, not copies."""
        self._gather()
        for piece in self.pieces:
            for start in range(0, len(piece), most):
                stop = start + most
                yield Ended(piece.frames[start:stop], piece.states.part(start, stop))

    def _gather(self) -> None:
        if self._loose:
            frames = np.repeat(np.array([frame for frame, _ in self._loose], np.int32), [len(s) for _, s in self._loose])
            self.pieces.append(Ended(frames, joined([states for _, states in self._loose])))
            self._loose, self._several = [], 0
