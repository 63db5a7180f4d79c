"""Which levels need not be remembered any more because their ladder is left for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from doselang.machine.arrays import NDArray
from doselang.machine.reading import Line, Reads
from doselang.protocol.guards import Place
from doselang.protocol.model import Backfill, Begin, Close, Declare, Enrol, Protocol

AlongTheLadder = {"this", "next higher", "next lower", "next lower that remains", "lowest", "highest"}
"""The places that are on the ladder of the level from which they are looked for."""


def apart_from(
    protocol: Protocol, running: Sequence[tuple[int, Reads]], lines: Sequence[Sequence[Line]]
) -> NDArray[np.bool_]:
    """Which levels are on ladders that no part still running goes to, or reads tallies of, by level.

    `running` are the parts that can still run, by number, with what they read; `lines` those of every part.
    """
    nothing = np.zeros(len(protocol.levels), np.bool_)
    numbers = {number for number, _ in running}
    ladders: set[int] = {protocol.levels[protocol.start].ladder} if 0 in numbers else set()
    for place in _places(protocol, numbers, running, lines):
        if place is None:
            return nothing
        ladders.add(protocol.levels[place].ladder)
    return np.array([level.ladder not in ladders for level in protocol.levels], np.bool_)


def _places(
    protocol: Protocol, numbers: set[int], running: Sequence[tuple[int, Reads]], lines: Sequence[Sequence[Line]]
) -> Iterator[int | None]:
    """Levels on all ladders that matter, beside those where the parts under way are; None: perhaps any."""
    moves = [(part, move) for part, some in enumerate(lines) for line in some for move in line.moves]
    late = {move.verdict for _, move in moves if isinstance(move, Declare)}
    late -= {move.verdict for part, move in moves if isinstance(move, Declare) and part not in numbers}
    for _, reads in running:
        if reads.everything or reads.trial or reads.parts:
            yield None
        for place in reads.places:
            if place.kind != "verdict" or place.index not in late:
                yield from _level(protocol, place, along=True)
    for part, move in moves:
        match move:
            case Begin(begun, place) if begun in numbers:
                yield from _level(protocol, place, along=part in numbers)
            case Enrol(place) | Backfill(place) | Close(place) if part in numbers:
                yield from _level(protocol, place, along=True)
            case Declare(_, named) if part in numbers and named is not None:
                yield from _level(protocol, named, along=True)


def _level(protocol: Protocol, place: Place, *, along: bool) -> Iterator[int | None]:
    """The level of a place, nothing if it is along the ladder (where that is known), None if it may be any."""
    if place.where is not None:
        yield None
    elif place.kind == "level":
        yield place.index
    elif place.kind == "start":
        yield protocol.start
    elif place.kind not in AlongTheLadder or not along:
        yield None
