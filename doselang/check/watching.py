"""Watching an exploration: conditions asked at every moment of every history.

The moments are each cohort as it opens, and each look after its answers; `eventually` is asked at every end.
"""

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.columns import Bools, View, truth
from doselang.machine.decisions import Branch, Ended, GoesOn
from doselang.machine.exploring import Exploration, Watch
from doselang.machine.records import Ints
from doselang.machine.states import Frames, view_of
from doselang.machine.steps import Steps, together
from doselang.protocol.model import Claim

SEEN_TOGETHER = 20_000
"""So many steps are seen together, at least, where all are to be seen."""


@frozen
class Sighting:
    """Where a condition failed: after a step out of a state, or (exit None) as the cohort of the state opens."""

    patients: int
    state: int
    exit: int | None
    undecided: bool = False


@define
class ClaimWatch:
    """One claim over all moments: how many it is about, and the first at which it fails."""

    claim: Claim
    moments: int = 0
    failed: Sighting | None = None

    def see(self, sighting: Sighting) -> None:
        if self.failed is None or sighting.patients < self.failed.patients:
            self.failed = sighting


class AllFailed(Exception):
    """Every claim that was watched has failed: the rest of the exploration would add nothing."""


@define
class Watcher:
    """Asks claims at every moment; to be given to `explore` as its watch."""

    watches: list[ClaimWatch]
    frames: Frames | None = None
    stop_when_all_failed: bool = False
    _asked: set[int] = field(factory=set)

    def __call__(self, steps: Steps, frames: Frames) -> None:
        self.see(steps, frames, *view_of_looks(frames, steps))

    def see(self, steps: Steps, frames: Frames, view: View, rows: Ints) -> None:
        """See some steps, with the view of their looks."""
        here = view_of_cohorts(frames, steps)
        if here is not None:
            self._moments(here[0], here[1], steps, opening=True)
        if len(rows):
            self._moments(view, rows, steps, opening=False)
        self._ends(frames, steps, view, rows)
        if self.stop_when_all_failed and all(watch.failed is not None for watch in self.watches):
            raise AllFailed

    @property
    def _open(self) -> list[ClaimWatch]:
        """The claims that are still to be asked: it may be enough that they have failed once."""
        return [watch for watch in self.watches if watch.failed is None or not self.stop_when_all_failed]

    def _moments(self, view: View, rows: Ints, steps: Steps, *, opening: bool) -> None:
        for watch in self._open:
            claim = watch.claim
            if claim.modality == "eventually":
                continue
            about, asked = rows, view
            if claim.when is not None:
                some = np.flatnonzero(truth(claim.when, view) == 1)
                about = rows[some]
                asked = view.take(some)
            watch.moments += len(about)
            value = truth(claim.guard, asked)
            wrong = np.flatnonzero((value == 1) if claim.modality == "never" else (value != 1))
            if len(wrong):
                self._sight(watch, about[wrong], steps, opening=opening)

    def _sight(self, watch: ClaimWatch, rows: Ints, steps: Steps, *, opening: bool, undecided: bool = False) -> None:
        if opening:
            first = int(rows[np.argmin(steps.of.patients[rows])])
            watch.see(Sighting(int(steps.of.patients[first]), int(steps.of.number[first]), None))
        else:
            watch.see(first_sighting(steps, rows, undecided=undecided))

    def _ends(self, frames: Frames, steps: Steps, view: View, rows: Ints) -> None:
        claims = [watch for watch in self._open if watch.claim.modality == "eventually"]
        if not claims:
            return
        undecided = np.array([branch.decision.undecided is not None for branch in frames.branches], np.bool_)
        open_ends = np.flatnonzero(undecided[steps.branch])
        stopped = np.flatnonzero(view.stopped)
        for watch in claims:
            if len(open_ends):
                watch.moments += len(open_ends)
                self._sight(watch, open_ends.astype(np.int32), steps, opening=False, undecided=True)
            watch.moments += len(stopped)
            wrong = stopped[truth(watch.claim.guard, view)[stopped] != 1]
            if len(wrong):
                self._sight(watch, rows[wrong], steps, opening=False)


@define
class Gathered:
    """Steps gathered over many buckets, part by part, to be seen together: faster, and in the same order of a part."""

    watch: Watch
    frames: Frames | None = None
    _steps: dict[int, list[Steps]] = field(factory=dict)

    def __call__(self, steps: Steps, frames: Frames) -> None:
        self.frames = frames
        some = self._steps.setdefault(int(frames.part[steps.of.frames[steps.state[0]]]), [])
        some.append(evolve(steps, codes=steps.codes.copy()))  # the codes are changed where something is forgotten
        if sum(map(len, some)) >= SEEN_TOGETHER:
            self._see(some)

    def rest(self) -> None:
        """See what has not been seen yet."""
        for some in self._steps.values():
            if some:
                self._see(some)

    def _see(self, some: list[Steps]) -> None:
        assert self.frames is not None
        steps = together(some)
        some.clear()
        self.watch(steps, self.frames)


def first_sighting(steps: Steps, rows: Ints, *, undecided: bool = False) -> Sighting:
    """The sighting with the fewest patients after some of the steps, which stand in the order of their states."""
    patients = steps.of.patients[steps.state[rows]] + steps.patients[rows]
    first = int(np.argmin(patients))
    row = int(rows[first])
    return Sighting(int(patients[first]), int(steps.of.number[steps.state[row]]), int(steps.exit[row]), undecided)


def view_of_cohorts(frames: Frames, steps: Steps) -> tuple[View, Ints] | None:
    """The cohorts that open in the states of some steps, one row a state."""
    of_steps = np.flatnonzero(np.bincount(steps.state))
    entering = np.array([bool(frame.orders) and frame.settling < 0 for frame in frames.frames], np.bool_)
    states = of_steps[entering[steps.of.frames[of_steps]]]
    if not len(states):
        return None
    numbers = steps.of.frames[states]
    part = int(frames.part[numbers[0]])
    return view_of(frames, part, numbers, steps.of.codes.take(states, axis=0)), states.astype(np.int32)


def view_of_looks(frames: Frames, steps: Steps) -> tuple[View, Ints]:
    """The decided looks of some steps after their answers, and their rows: this level is the level of the look."""
    branches = frames.branches
    decided = np.array([_is_look(branch) for branch in branches], np.bool_)
    rows = np.flatnonzero(decided[steps.branch]).astype(np.int32)
    numbers = steps.frames[rows]
    part = int(frames.part[steps.of.frames[steps.state[0]]])
    view = view_of(frames, part, numbers, steps.codes.take(rows, axis=0))
    view.here = steps.here[rows]
    ended = np.array([isinstance(branch.decision.answers.next, Ended) for branch in branches], np.bool_)
    view.stopped = ended[steps.branch[rows]]
    view.open_at = np.where(view.stopped, -1, frames.level[numbers]).astype(np.int32)
    view.complete = np.ones(len(rows), np.bool_)
    said: Bools = np.zeros((len(branches), view.declared.shape[1]), np.bool_)
    for number, branch in enumerate(branches):
        for declares in branch.decision.answers.declares:
            said[number, declares.verdict] = True
    view.declared = said[steps.branch[rows]]
    return view, rows


def _is_look(branch: Branch) -> bool:
    """Whether something was decided; where patients beside a cohort become known nothing is."""
    return branch.decision.undecided is None and not isinstance(branch.decision.answers.next, GoesOn)


def proved(exploration: Exploration, watch: ClaimWatch) -> bool:
    """Whether a watched claim held at every moment there was."""
    return watch.failed is None and watch.moments > 0
