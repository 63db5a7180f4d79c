"""The parts of statements as they were written: words, values, places, conditions.

Every node is frozen and has a span, which does not count for equality: two files that differ only in layout, letter
case of keywords, articles or comments have equal trees. Names are as written; nothing is looked up here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Union

from attrs import field, frozen

from doselang.source import NOWHERE, Span, described

__all__ = [
    "Advice", "AllOf", "Amount", "AnyOf", "AnyVerdict", "Between", "Bound", "BoundWord", "Chance", "Cites",
    "Compared", "DeclaredBefore", "Duration", "Fact", "Given", "Group", "Grouped", "Guard", "Happened", "HasStatus",
    "Label", "Mark", "Means", "Name", "Negated", "Node", "Number", "Parameter", "Percent", "Place", "PlaceIs",
    "Proportion", "Quantifier", "Rate", "RateRange", "Ratio", "Recommends", "Says", "Scope", "SentinelHas", "Share",
    "Standing", "Status", "Tally", "Text",
]  # fmt: skip


@frozen(kw_only=True, repr=False)
class Node:
    """What every node has."""

    span: Span = field(default=NOWHERE, eq=False)

    def __repr__(self) -> str:
        return described(self)


# ---- words and values ----


@frozen(repr=False)
class Name(Node):
    """A bare word: a toxicity, part, state, body, verdict, component or parameter. Compared without case."""

    text: str = field(eq=str.lower)


@frozen(repr=False)
class Text(Node):
    """A sentence in quotes, without the quotes."""

    value: str


@frozen(repr=False)
class Number(Node):
    """A number as written (`3`, `33.30`), and its exact value."""

    value: Fraction
    text: str = field(eq=False)


@frozen(repr=False)
class Parameter(Node):
    """The use of a parameter where a number may stand."""

    name: Name


Amount = Union[Number, Parameter]


@frozen(repr=False)
class Percent(Node):
    """`33%`: the number before the sign."""

    amount: Amount


@frozen(repr=False)
class Ratio(Node):
    """`1/3`: a fraction of two whole numbers, which stands for a percentage."""

    above: Number
    below: Number


Proportion = Union[Percent, Ratio]
"""How a rate or a probability is written."""

Given = Union[Number, Parameter, Percent, Ratio]
"""What may stand where a value is given: a number, a percentage, a fraction, a parameter's name."""


@frozen(repr=False)
class Duration(Node):
    amount: Amount
    unit: Literal["hours", "days", "weeks", "cycles", "months"]


@frozen(repr=False)
class Label(Node):
    """A level's label, as written (`1`, `-1`, `2A`)."""

    text: str = field(eq=str.lower)


# ---- places ----


@frozen(repr=False)
class Place(Node):
    """A level, by relation or by name.

    `kind` is one of this, next higher, next lower, next lower that remains, lowest, highest, start, assigned; or
    `level` with a label; or `verdict` or `recommended` with a name (the latter an adviser's). `along` names the
    component of a grid that is changed; `where` restricts lowest and highest to levels that meet a condition.
    """

    kind: Literal[
        "this", "next higher", "next lower", "next lower that remains", "lowest", "highest", "start", "assigned",
        "level", "verdict", "recommended",
    ]  # fmt: skip
    label: Label | None = None
    name: Name | None = None
    along: Name | None = None
    where: Guard | None = None


# ---- conditions ----

BoundWord = Literal["at least", "at most", "more than", "fewer than", "exactly"]
Status = Literal["open", "closed", "tried", "untried"]


@frozen(repr=False)
class Bound(Node):
    """`at least 2`; the amount may be a proportion in a rate."""

    word: BoundWord
    amount: Amount | Proportion


@frozen(repr=False)
class Quantifier(Node):
    """`none` (written `none` or `no`), `any`, `all`."""

    word: Literal["none", "any", "all"]


@frozen(repr=False)
class Between(Node):
    low: Amount
    high: Amount


@frozen(repr=False)
class Group(Node):
    """`of 3`, `of the first 3`, `of the added 3`."""

    kind: Literal["all", "first", "added"]
    size: Amount


@frozen(repr=False)
class Scope(Node):
    """`in the trial`, `in the part`, `in the cohort`, or `in` a named part."""

    kind: Literal["trial", "part", "cohort", "named"]
    name: Name | None = None


@frozen(repr=False)
class Share(Node):
    """`at least 2 of the first 3 patients have a DLT at the next lower level`.

    `count` is a Bound, a Quantifier, or an Amount (`1 of 3`: exactly).
    """

    count: Bound | Quantifier | Amount
    group: Group
    toxicity: Name
    place: Place | None


@frozen(repr=False)
class Tally(Node):
    """`fewer than 6 evaluable at the next lower level`, `any DLT in the trial`, `at least 6 cycles`.

    `count` is a Bound, a Between, a Quantifier (none, any) or an Amount (a bare number, which the resolver refuses);
    `what` is `evaluable`, `pending`, `enrolled`, `cycles`, or the name of a toxicity or counter.
    """

    count: Bound | Between | Quantifier | Amount
    what: Literal["evaluable", "pending", "enrolled", "cycles"] | Name
    place: Place | None
    scope: Scope | None


@frozen(repr=False)
class Rate(Node):
    """`the DLT rate at level 2 is at most 33%`; `less` is how many patients with the toxicity are taken off first."""

    toxicity: Name
    place: Place | None
    scope: Scope | None
    bound: Bound
    less: Amount | None = None
    less_of: Name | None = None


@frozen(repr=False)
class RateRange(Node):
    """The rates that a chance is of: `above 33%`, `below 16%`, `between 16% and 33%`; None where there is no end."""

    low: Amount | Proportion | None
    high: Amount | Proportion | None


@frozen(repr=False)
class Chance(Node):
    """`the chance by model of a DLT above 33% at level 1 is more than 95%`."""

    adviser: Name
    toxicity: Name
    rates: RateRange
    place: Place | None
    bound: Bound


@frozen(repr=False)
class Advice(Node):
    """A word that an adviser says: `escalate`, `stay`, `de-escalate`, `stop`, or a name."""

    word: str = field(eq=str.lower)


@frozen(repr=False)
class Says(Node):
    """`boundaries says escalate`."""

    adviser: Name
    advice: Advice


@frozen(repr=False)
class Recommends(Node):
    """`model recommends a level`, `model recommends no level`."""

    adviser: Name
    none: bool


@frozen(repr=False)
class SentinelHas(Node):
    """`the sentinel has a DLT`."""

    toxicity: Name


@frozen(repr=False)
class HasStatus(Node):
    """The predicate `closed as too toxic`, `open`, `tried`, `untried`; `too_toxic` tells a bare `closed` apart."""

    status: Status
    too_toxic: bool = False


@frozen(repr=False)
class Compared(Node):
    """The predicate `above PLACE`, `below PLACE`, or just `PLACE`."""

    relation: Literal["above", "below", "same"]
    place: Place


@frozen(repr=False)
class Mark(Node):
    """The predicate `declared` or `entered`."""

    word: Literal["declared", "entered"]


@frozen(repr=False)
class PlaceIs(Node):
    """`the next lower level is not closed as too toxic`, `the MTD is declared`, `re-treatment is entered`.

    A bare name stands as a Place of kind `verdict`; with `entered` it names a state.
    """

    place: Place
    inverse: bool
    predicate: HasStatus | Compared | Mark


@frozen(repr=False)
class DeclaredBefore(Node):
    """`the MTD has been declared`."""

    name: Name


@frozen(repr=False)
class AnyVerdict(Node):
    """`a verdict is declared`, `no verdict is declared`."""

    none: bool


@frozen(repr=False)
class Standing(Node):
    """`a higher level remains`, `no lower level exists`, `a lower level is closed as too toxic`.

    `standing` is None where it was left out (`a higher level`), which the resolver refuses.
    """

    none: bool
    direction: Literal["higher", "lower"]
    standing: Literal["exists", "remains"] | HasStatus | None
    along: Name | None = None


@frozen(repr=False)
class Happened(Node):
    """An event's name, alone."""

    name: Name


@frozen(repr=False)
class Fact(Node):
    """`no event`, `the cohort is complete`, `the trial is stopped`."""

    word: Literal["no event", "any event", "cohort complete", "trial stopped"]


@frozen(repr=False)
class Grouped(Node):
    """A condition in parentheses."""

    guard: Guard


@frozen(repr=False)
class Negated(Node):
    guard: Guard


@frozen(repr=False)
class AllOf(Node):
    guards: tuple[Guard, ...]


@frozen(repr=False)
class AnyOf(Node):
    guards: tuple[Guard, ...]


Guard = Union[
    Share, Tally, Rate, Chance, Says, Recommends, SentinelHas, PlaceIs, DeclaredBefore, AnyVerdict, Standing, Happened,
    Fact, Grouped, Negated, AllOf, AnyOf,
]  # fmt: skip


# ---- details that many statements share ----


@frozen(repr=False)
class Cites(Node):
    text: Text


@frozen(repr=False)
class Means(Node):
    text: Text
