"""What checking finds, as facts; `report.findings` puts them into words.

Rules, levels, parts, silences and claims are positions in the protocol's tuples; `rule` with a part is a position in
that part's rules. Histories are groups of the notation, replayed before they are shown. `accrual` is set where only one
way of entering patients shows the fact.
"""

from __future__ import annotations

from typing import Literal, Union

from attrs import field, frozen

from doselang.machine.course import CourseStep
from doselang.machine.decisions import Decision, Undecided
from doselang.machine.exits import Accrual
from doselang.machine.notation import Group
from doselang.protocol.guards import Guard

History = tuple[Group, ...]


@frozen
class CohortKind:
    """What kind of cohort a look ends.

    It is the level's first, or one at a level whose next higher level is closed as too toxic, or one added when
    `toxicities` patients of the level had a toxicity that is `tabled` (None: not kept).
    """

    kind: Literal["first", "reopened", "added"]
    toxicities: int | None = None


@frozen
class Cause:
    """One missing or clashing sentence: looks of one kind that are undecided for one reason.

    `outcomes` are the cohorts' numbers of patients known, and with a toxicity that is `tabled`; `every` says that no
    such cohort is ever decided; `acted` the rules that acted; `steps` how many reachable situations share the cause;
    `probability` that of meeting it, by scenario. `accrual` is set where only one way of entering patients meets it.
    `sentinel` says that these are the looks after a sentinel with a toxicity, at which the others wait.
    """

    undecided: Undecided
    part: int
    kind: CohortKind
    outcomes: tuple[tuple[int, int], ...]
    size: int
    every: bool
    acted: tuple[int, ...]
    level: int
    history: History
    steps: int
    opened_by: tuple[int, int] | None = None
    probability: dict[str, float] = field(factory=dict, hash=False)
    accrual: Accrual | None = None
    sentinel: bool = False


@frozen
class RuleIdle:
    """A rule that never acts; `why` are the first of its conditions that is never true, if one is."""

    part: int
    rule: int
    why: Guard | None


@frozen
class RuleRedundant:
    """Wherever the rule acts, other rules give the same answers."""

    part: int
    rule: int
    others: tuple[int, ...]


@frozen
class ConditionConstant:
    """A condition that is true (or never true) at every look at which its rule is asked."""

    part: int
    rule: int
    condition: Guard
    value: bool


@frozen
class SilenceMute:
    silence: int


@frozen
class OverrideIdle:
    """The overriding rule never acts where the other one would."""

    part: int
    rule: int
    other: str


@frozen
class LevelUnreached:
    level: int


@frozen
class AccrualDependent:
    """A cohort that ends early is decided otherwise if its remaining patients have entered too."""

    part: int
    early: History
    early_decision: Decision
    complete: History
    complete_decision: Decision
    level: int


@frozen
class LevelSkipped:
    part: int
    rule: int
    history: History
    level: int
    to: int
    accrual: Accrual | None = None


@frozen
class Incoherent:
    """One more dose-limiting toxicity leads to a bolder move."""

    part: int
    level: int
    fewer: History
    fewer_decision: Decision
    more: History
    more_decision: Decision
    accrual: Accrual | None = None


@frozen
class AgainstDefinition:
    """A level is declared that does not meet the verdict's definition."""

    part: int
    verdict: int
    level: int
    rule: int
    history: History
    accrual: Accrual | None = None


@frozen
class EndlessHistory:
    """After `history` the groups `again` can follow for ever."""

    history: History
    again: History


@frozen
class EndWithoutVerdict:
    part: int
    rule: int
    history: History
    accrual: Accrual | None = None


@frozen
class ClaimChecked:
    """Proved, refuted (with a history), about no moment, or such that no small change of the rules breaks it."""

    claim: int
    outcome: Literal["proved", "refuted", "empty", "unbreakable"]
    history: History | None = None
    course: tuple[CourseStep, ...] | None = None
    undecided: bool = False
    mutant: str | None = None
    accrual: Accrual | None = None


@frozen
class NotMonotone:
    scenario: int
    toxicity: int
    level: int


@frozen
class CourseCause:
    """Cycles of patients in one state that are undecided for one reason; `events` are the sets of events."""

    undecided: Undecided
    state: int
    events: tuple[tuple[int, ...], ...]
    acted: tuple[int, ...]
    course: tuple[CourseStep, ...]
    steps: int


@frozen
class CourseUnsafe:
    """A patient moved to a higher level, or re-treated at a level closed as too toxic."""

    kind: Literal["escalated", "closed"]
    state: int
    rule: int
    course: tuple[CourseStep, ...]


@frozen
class CourseRule:
    """A rule of a course that never acts (`kind` idle), or that overrides one in vain."""

    state: int
    rule: int
    kind: Literal["idle", "override"]
    other: str | None = None


Fact = Union[
    Cause, RuleIdle, RuleRedundant, ConditionConstant, SilenceMute, OverrideIdle, LevelUnreached, AccrualDependent,
    LevelSkipped, Incoherent, AgainstDefinition, EndlessHistory, EndWithoutVerdict, ClaimChecked, NotMonotone,
    CourseCause, CourseUnsafe, CourseRule,
]  # fmt: skip
