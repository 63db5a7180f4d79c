"""Conditions of a protocol, with every name bound: what the rules ask of a trial or of one patient's course.

All nodes are frozen data, compared by what they mean; spans do not count. Toxicities, levels, parts, verdicts, events
and states are positions in the protocol's own tuples, counted from 0. Numbers of patients are sums: those of several
classes of toxicity are added up.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Union

from attrs import field, frozen

from doselang.source import NOWHERE, Span, described


@frozen(kw_only=True, repr=False)
class Clause:
    """What every condition has: its place in the file."""

    span: Span = field(default=NOWHERE, eq=False)

    def __repr__(self) -> str:
        return described(self)


PlaceKind = Literal[
    "this", "next higher", "next lower", "next lower that remains", "lowest", "highest", "start", "assigned", "level",
    "verdict", "recommended", "highest where", "lowest where",
]  # fmt: skip


@frozen
class Place:
    """A level, by relation to the level of the look (`kind`), by position, as a verdict, or as an adviser's advice."""

    kind: PlaceKind
    index: int = -1
    """The position of the level (`level`), the verdict (`verdict`) or the adviser (`recommended`); -1 otherwise."""
    steps: int = 1
    """How many steps away (next higher, next lower)."""
    axis: int = -1
    """The component of a grid that is changed (next higher, next lower): 0 or 1; -1 where levels form a ladder."""
    where: Guard | None = None
    """The condition that is true there (highest where, lowest where), in which this level is the level asked about."""


THIS = Place("this")
NEXT_HIGHER = Place("next higher")
NEXT_LOWER = Place("next lower")


@frozen
class Range:
    """Whole numbers from `low` to `high`, both included; `high` None is without end."""

    low: int
    high: int | None

    def __contains__(self, number: int) -> bool:
        return self.low <= number and (self.high is None or number <= self.high)


def _added(what: int | tuple[int, ...]) -> tuple[int, ...]:
    """What is added up, in one order; a number alone is all there is to add."""
    return (what,) if isinstance(what, int) else tuple(sorted(what))


@frozen(repr=False)
class Share(Clause):
    """K of N patients have one of some toxicities: `count` is the range of K, `size` is N.

    group `all`: exactly N are evaluable at the place; `first`: the level's first cohort, of N; `added`: the latest
    cohort, of N, opened at a level that had one before.
    """

    count: Range
    group: Literal["all", "first", "added"]
    size: int
    toxicities: tuple[int, ...] = field(converter=_added)
    place: Place = THIS


@frozen(repr=False)
class Tally(Clause):
    """A number so far: the sum of `what`, each of which is the position of a toxicity, or -1 for evaluable patients.

    -2 are the patients whose outcome is pending, at a level only; with -1 they are those enrolled.
    scope `level`: at `place`, in the whole trial, or in part number `part` alone where that is not None; `trial`;
    `part`: in part number `part`, or the one under way where that is None; `cohort`: the cohort of the look;
    `counter`: what counter number `what` has counted before this look.
    """

    count: Range
    what: tuple[int, ...] = field(converter=_added)
    scope: Literal["level", "trial", "part", "cohort", "counter"] = "level"
    place: Place = THIS
    part: int | None = None


@frozen(repr=False)
class Cycles(Clause):
    """How many cycles a patient has begun, the present one included (courses only)."""

    count: Range


@frozen(repr=False)
class Rate(Clause):
    """Share of the evaluable patients with one of some toxicities, between two fractions; each end may be excluded.

    `less` patients with a toxicity are taken off before (but no more than there are). Scope, place and part as in
    Tally.
    """

    toxicities: tuple[int, ...] = field(converter=_added)
    low: Fraction
    low_included: bool
    high: Fraction
    high_included: bool
    scope: Literal["level", "trial", "part"] = "level"
    place: Place = THIS
    part: int | None = None
    less: int = 0


@frozen(repr=False)
class Chance(Clause):
    """The probability, by an adviser, that the rate of toxicity at a level lies in an interval, between two fractions.

    In the interval is a rate above `above` that is at most `up_to`: 0 and 1 where it has no such end.
    """

    adviser: int
    above: Fraction
    up_to: Fraction
    low: Fraction
    low_included: bool
    high: Fraction
    high_included: bool
    place: Place = THIS


@frozen(repr=False)
class Says(Clause):
    """Whether an adviser says a word (a position in its words) of a level, or of its patients in one part alone."""

    adviser: int
    word: int
    place: Place = THIS
    part: int | None = None


@frozen(repr=False)
class Recommends(Clause):
    """Whether an adviser recommends a level, whichever."""

    adviser: int


@frozen(repr=False)
class SentinelHas(Clause):
    """Whether the look is the one after a sentinel with one of these toxicities."""

    toxicities: tuple[int, ...] = field(converter=_added)


@frozen(repr=False)
class HasStatus(Clause):
    """Whether a level is `open` (being enrolled at), `closed` (as too toxic), `tried` (has had a cohort)."""

    place: Place
    status: Literal["open", "closed", "tried"]


@frozen(repr=False)
class Compare(Clause):
    """Whether `place` lies above or below `other` on the ladder, or is the same level."""

    place: Place
    relation: Literal["above", "below", "same"]
    other: Place


@frozen(repr=False)
class Standing(Clause):
    """Whether a level on that side of this one exists, or some level there has a status.

    `remains`: higher, the next level exists and is not closed; lower, some level is not closed.
    A level off the ladder can be open, closed or tried on a side; it does not exist, remain or stay untried there.
    """

    direction: Literal["higher", "lower"]
    standing: Literal["exists", "remains", "open", "closed", "tried", "untried"]
    axis: int = -1
    """The component of a grid, -1 where levels form a ladder."""


@frozen(repr=False)
class Declared(Clause):
    """Whether this look (`ever`: or an earlier one) declares a level as the verdict."""

    verdict: int
    ever: bool = False


@frozen(repr=False)
class ResultDeclared(Clause):
    """Whether this or an earlier look declared the trial's result: a level, or that there is none."""


@frozen(repr=False)
class CohortComplete(Clause):
    """Whether the look is at the end of a cohort."""


@frozen(repr=False)
class TrialStopped(Clause):
    """Whether a rule has ended the trial."""


@frozen(repr=False)
class Happened(Clause):
    """Whether an event came in this cycle (courses only); -1: no event at all."""

    event: int


@frozen(repr=False)
class Entered(Clause):
    """Whether this cycle's decision enters a state (claims about courses only)."""

    state: int


@frozen(repr=False)
class Not(Clause):
    guard: Guard


@frozen(repr=False)
class All(Clause):
    guards: tuple[Guard, ...]


@frozen(repr=False)
class Any(Clause):
    guards: tuple[Guard, ...]


Guard = Union[
    Share, Tally, Cycles, Rate, Chance, Says, Recommends, SentinelHas, HasStatus, Compare, Standing, Declared,
    ResultDeclared, CohortComplete, TrialStopped, Happened, Entered, Not, All, Any,
]  # fmt: skip


def atoms(guard: Guard) -> tuple[Guard, ...]:
    """The conditions that are not made of others, in the order written."""
    match guard:
        case Not(inner):
            return atoms(inner)
        case All(guards) | Any(guards):
            return tuple(atom for part in guards for atom in atoms(part))
        case _:
            return (guard,)


def conjuncts(guard: Guard) -> tuple[Guard, ...]:
    """What must all be true: the parts of an All, or the condition itself."""
    return guard.guards if isinstance(guard, All) else (guard,)
