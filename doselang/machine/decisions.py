"""What a look comes to, as values: an answer, or the reason why there is none.

Levels are given as offsets from the level of the look, so that one decision serves the same situation on any level.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen
class Opened:
    """What comes next: a cohort. `part` is the part that begins with it, None within the part under way.

    `beside` are patients at other levels who enter with it: (offset, size).
    """

    offset: int
    size: int
    part: int | None = None
    beside: tuple[tuple[int, int], ...] = ()
    sentinel: bool = False
    """Whether its first patient is treated alone."""


@frozen
class GoesOn:
    """What comes next: what is under way goes on; the patients beside it are known, or one who was pending is.

    `settled`: nobody is pending any more who was when a rolling part ended.
    """

    settled: bool = False


@frozen
class Ended:
    """What comes next: nothing; a rule stopped the trial."""

    reason: str | None = None


@frozen
class Closes:
    offset: int
    all_above: bool = False


@frozen
class Declares:
    """A verdict: a level, or None for `no` level."""

    verdict: int
    offset: int | None


@frozen
class Answers:
    """The answers to the three questions as far as they were given."""

    closes: tuple[Closes, ...] = ()
    declares: tuple[Declares, ...] = ()
    next: Opened | Ended | GoesOn | None = None
    counts: tuple[tuple[int, bool], ...] = ()
    """The counters that count one more, or (True) are set to none again."""


Why = Literal[
    "no answer",  # the cohort is complete or a rule acted, and nothing says what comes next
    "silence",  # the same, declared by a silence
    "conflict",  # two answers that differ, or that cannot go together
    "no level",  # a move to, or a verdict about, a level that is not there
    "closed level",  # enrolment or a verdict at a level closed as too toxic
    "untried level",  # a verdict at a level that has had no cohort
    "part begun",  # a part that has begun before
    "nothing to fill",  # a level that already has as many patients as it is to be filled to
    "no sentinel",  # the rest of a cohort is to enter, and the look is not the one after a sentinel
    "limit",  # a move that would break a limit
    "choice",  # a human decision whose chances are not known (simulation only)
]


@frozen
class Undecided:
    """Why a look has no answer.

    `lines` are the rule lines it is about (the clashing ones; the one whose move cannot be carried out, its move at
    position `move`); `limit` the limit that would break (a position in `Machine.limits`); `silence` the position of
    the silence that speaks; `missed` the lines that would have answered but for conditions about other levels: (line,
    ((conjunct, truth), …)).
    """

    why: Why
    lines: tuple[int, ...] = ()
    move: int | None = None
    question: int | None = None
    limit: int | None = None
    silence: int | None = None
    missed: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()


@frozen(cache_hash=True)
class Decision:
    """What a look comes to. `acted` are the rule lines that acted, by question, as far as questions were asked.

    `undecided` None: ruled, and `answers.next` is not None. Otherwise the history ends here, and `answers` holds what
    had been answered.
    """

    answers: Answers
    acted: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    undecided: Undecided | None = None

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines that acted, in the order of the questions."""
        return tuple(line for lines in self.acted for line in lines)


@frozen(cache_hash=True)
class Branch:
    """One outcome of the human decisions at a look: `choices` are (gate, option), both counted from 0.

    `settles`: the look leaves a rolling part while patients are pending, and their outcomes become known first.
    """

    choices: tuple[tuple[int, int], ...]
    decision: Decision
    settles: bool = False


Outcome = tuple[Branch, ...]
"""All branches of a look; one branch without choices where no gate was met."""
