"""A history that was followed, as records: its cohorts, the looks that they came to, and where it ends."""

from __future__ import annotations

from attrs import frozen

from doselang.machine.columns import View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch, GoesOn, Opened, Outcome
from doselang.machine.exits import Accrual
from doselang.machine.notation import Group
from doselang.machine.outcomes import Counts, plus
from doselang.machine.records import Ints
from doselang.machine.states import Frame, Frames


@frozen
class Cohort:
    """A cohort as the history has it.

    `counts` are the patients known at its look, or so far; `later` those who became known after it; `pending` and
    `inevaluable` are numbers of patients. `aside`: they belong to no cohort, and no look is theirs.
    """

    part: int
    level: int
    size: int
    counts: Counts
    later: Counts
    pending: int = 0
    inevaluable: int = 0
    aside: bool = False

    @property
    def all_known(self) -> Counts:
        return plus(self.counts, self.later)


@frozen(eq=False)
class Look:
    """The look to which a cohort of the history came.

    `group` is its position in the history; `outcome` has every way that people can choose, `ways` those that are left
    open: one, unless the history ends before they have chosen. `frame` and `view` are the situation before the
    questions; where a decision was taken while patients were pending, the view shows them without toxicity.
    """

    group: int
    outcome: Outcome
    ways: tuple[Branch, ...]
    frame: Frame
    view: View

    @property
    def branch(self) -> Branch | None:
        """What was decided; None while people have yet to choose."""
        return self.ways[0] if len(self.ways) == 1 else None

    @property
    def goes_on(self) -> bool:
        """Whether the cohort goes on after it: a sentinel's look."""
        return self.branch is not None and isinstance(self.branch.decision.answers.next, GoesOn)


@frozen
class Future:
    """One way in which pending patients can bring about a look: what they add, and what it comes to (None: no look)."""

    added: Counts
    outcome: Outcome | None


@frozen(order=True)
class Beside:
    """Patients beside a cohort who are not all known: its look waits for them.

    `size` are to become evaluable at the `level`; of them so many are known, pending, and still to be enrolled.
    """

    level: int
    size: int
    known: int
    pending: int
    to_enrol: int


@frozen(eq=False)
class Waiting:
    """A cohort that goes on: how many outcomes are known and pending, and how many patients are still to be enrolled.

    `futures` are the ways in which the pending patients of the cohort can turn out, as far as they bring about a look;
    none where patients of earlier cohorts are pending too. `view` is the situation so far. `beside` are the patients
    beside the cohort for whom the look waits; if it comes whatever they show, nobody more is enrolled in the cohort.
    """

    known: int
    pending: int
    to_enrol: int
    futures: tuple[Future, ...]
    view: View
    beside: tuple[Beside, ...] = ()


@frozen(eq=False)
class Replay:
    """A history that was followed to its end.

    `steps` are its looks. `frame` and `codes` are the situation at the end, with a row of codes for every way in which
    pending patients of earlier cohorts can turn out: after the last look, or before it while people have yet to choose.
    `last` is the look that the history ends with; otherwise a cohort is `waiting`, or `unreplaced`: a patient was
    inevaluable, and no rule says whether another takes the place.
    """

    machine: Machine
    accrual: Accrual
    groups: tuple[Group, ...]
    cohorts: tuple[Cohort, ...]
    steps: tuple[Look, ...]
    frames: Frames
    frame: Frame
    codes: Ints
    waiting: Waiting | None = None
    unreplaced: bool = False
    asides: tuple[Cohort, ...] = ()
    """Patients of no cohort, whom the rules did not let enter there."""

    @property
    def last(self) -> Look | None:
        return None if self.waiting or self.unreplaced else self.steps[-1]

    @property
    def after_sentinel(self) -> Look | None:
        """The look of a sentinel after which the rest of the cohort enters, if the history ends with it."""
        if self.waiting is None or (self.waiting.known, self.waiting.pending) != (1, 0) or not self.steps:
            return None
        last = max(number for number, group in enumerate(self.groups) if group.against != "aside")
        return self.steps[-1] if self.steps[-1].group == last else None

    @property
    def ended(self) -> bool:
        """Whether a rule has stopped the trial, or the history is undecided."""
        return self.unreplaced or self.frame.end >= 0


def opens(branch: Branch, frame: Frame) -> list[tuple[int, int]]:
    """Part and level of the cohorts that a branch opens: those beside the next, then the next itself."""
    following = branch.decision.answers.next
    if branch.decision.undecided is not None or not isinstance(following, Opened):
        return []
    part = frame.part if following.part is None else following.part
    offsets = [offset for offset, _ in following.beside]
    return [(part, frame.here + offset) for offset in (*offsets, following.offset)]
