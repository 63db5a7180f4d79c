"""Sentinels under a clock: until when the first patient of a cohort is treated alone.

Where the script says for how long, nobody enters beside the sentinel before that time has passed. Then the rest may
enter, whether or not the sentinel is known, and what the cohort brings later is looked at as in any other: the look
after a sentinel is there only while the sentinel is alone. A toxicity that becomes known by then, on the last day too,
is that look. Where the script gives no time, the sentinel is alone until it is known.
"""

from __future__ import annotations

from math import inf

import numpy as np
from attrs import define, field

from doselang.machine.columns import Bools
from doselang.machine.records import Ints
from doselang.machine.states import Frames
from doselang.machine.weights import Floats
from doselang.simulate.people import BLOCK


def _never() -> Floats:
    return np.full(BLOCK, inf)


@define
class Sentinels:
    """The sentinels of a block of trials, one position a trial.

    `days` is for how long a sentinel is alone, by part, inf where the script gives no time. `until` is the day on
    which that time is over; inf where there is none: no sentinel, one that has had a toxicity, or no time.
    """

    frames: Frames
    days: Floats
    until: Floats = field(factory=_never)

    def enter(self, lanes: Ints, frame: Ints, first: Bools, day: Floats) -> None:
        """Somebody enters each of some trials; `first` says who is the first of a cohort, or in the place of one."""
        begins = first & (self.frames.sentinel[frame] != 0) & (self.frames.size[frame] > 1)
        self.until[lanes[begins]] = day[begins] + self.days[self.frames.part[frame[begins]]]

    def stop(self, lanes: Ints) -> None:
        """Nobody is watched any more: the sentinel has a toxicity or has left, or its cohort has been decided on."""
        self.until[lanes] = inf

    def alone(self, lanes: Ints, frame: Ints, known: Ints) -> Bools:
        """Whether nobody may enter beside a sentinel, of cohorts of which some patients are known."""
        alone: Bools = (self.frames.sentinel[frame] != 0) & ((known == 0) | np.isfinite(self.until[lanes]))
        return alone

    def pass_by(self, lanes: Ints, frame: Ints) -> Ints:
        """The time of some sentinels is over; the frames in which their cohorts go on, as any others."""
        self.until[lanes] = inf
        return self.frames.without_sentinel(frame)
