"""The syntax tree: a protocol file as it was written, statement by statement.

The parts that statements are made of are in `clauses` and `moves`, and those about what is given in
`treatments`; all can be had from here.
"""

from __future__ import annotations

from typing import Literal, Union

from attrs import field, frozen

from doselang.syntax import clauses, moves, treatments
from doselang.syntax.clauses import *  # noqa: F403
from doselang.syntax.clauses import (
    Amount,
    Cites,
    Duration,
    Given,
    Guard,
    Label,
    Means,
    Name,
    Node,
    Parameter,
    Proportion,
    Text,
)
from doselang.syntax.moves import *  # noqa: F403
from doselang.syntax.moves import Move
from doselang.syntax.treatments import *  # noqa: F403
from doselang.syntax.treatments import Component, Cycle, Engine, Grid, Ladder, Level, Levels, Start, Table, Unit

__all__ = [
    "Accrue", "Assume", "Background", "Body", "Bounds", "Case", "Chances", "Claim", "Cohorts", "Comment", "Counter",
    "Course", "Evaluability", "Event", "Example", "File", "Hazards", "Look", "Operator", "Overrides",
    "ParameterDecl", "Part", "ProtocolTitle", "Rates", "Replace", "Replaces", "Rule", "Scenario", "Sentinel",
    "Setting", "Silent", "State", "Statement", "TextFile", "Toxicity", "UseDesign", "Verdict", "Within",
    "WithinCycles", "Written",
]  # fmt: skip
__all__ += clauses.__all__
__all__ += moves.__all__
__all__ += treatments.__all__


# ---- details that many statements share ----


@frozen(repr=False)
class Assume(Node):
    """`assume "…" because "…"`: a statement, or the basis of a rule."""

    reading: Text
    because: Text


@frozen(repr=False)
class Overrides(Node):
    rules: tuple[Text, ...]


@frozen(repr=False)
class Replaces(Node):
    """`replaces "…"`: the rules of the design that is used in whose place this one stands."""

    rules: tuple[Text, ...]


# ---- statements ----


@frozen(repr=False)
class ProtocolTitle(Node):
    title: Text


@frozen(repr=False)
class TextFile(Node):
    path: Text


@frozen(repr=False)
class Setting(Node):
    """`levels 4`: what a design's parameter is to be."""

    name: Name
    values: tuple[Given, ...]


@frozen(repr=False)
class UseDesign(Node):
    """`use "…" with … without …`: the statements of another file."""

    design: Text
    settings: tuple[Setting, ...]
    without: tuple[Text, ...]


@frozen(repr=False)
class Operator(Node):
    word: Literal["times", "plus", "less"]


@frozen(repr=False)
class Bounds(Node):
    """`from 1 to 20`: the range of a parameter."""

    low: Given
    high: Given


@frozen(repr=False)
class ParameterDecl(Node):
    """`values` are one, or the members of a list; with `operators` between them they are one computed value."""

    name: Name
    values: tuple[Given, ...]
    operators: tuple[Operator, ...]
    unit: Unit | None
    bounds: Bounds | None
    means: Means | None


@frozen(repr=False)
class Silent(Node):
    text: Text
    when: Guard | None


@frozen(repr=False)
class Background(Node):
    text: Text


@frozen(repr=False)
class Within(Node):
    length: Duration


@frozen(repr=False)
class WithinCycles(Node):
    """`within cycle 1`, `within cycle 1 to 2`; `last` is None for one cycle."""

    first: Amount
    last: Amount | None


@frozen(repr=False)
class Written(Node):
    letter: str


@frozen(repr=False)
class Toxicity(Node):
    """`toxicity DLT within cycle 1`; `later` for one that comes `in later cycles`.

    `members` are the toxicities after `is`, for which it is a name: `toxicity limiting-event is DLT or haem-DLT`.
    """

    name: Name
    window: Within | WithinCycles | None
    written: Written | None
    means: Means | None
    cites: tuple[Cites, ...]
    later: bool = False
    members: tuple[Name, ...] = ()


@frozen(repr=False)
class Event(Node):
    name: Name
    written: Written | None
    means: Means | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Evaluability(Node):
    means: Means
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Counter(Node):
    name: Name
    means: Means | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Replace(Node):
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Body(Node):
    name: Name
    means: Means | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Verdict(Node):
    name: Name
    as_result: bool
    means: Means | None
    requires: Guard | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Part(Node):
    name: Name
    title: Text | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Cohorts(Node):
    size: Amount
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Sentinel(Node):
    """`sentinel of each new level for 14 days`."""

    each: Literal["new level", "cohort"]
    length: Duration
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Look(Node):
    """`look at every arrival`: rolling accrual."""

    cites: tuple[Cites, ...]


@frozen(repr=False)
class Accrue(Node):
    """A limit: `low` and `high` are None where not written; `extent` is what it counts in."""

    low: Amount | None
    high: Amount | None
    extent: Literal["level", "part", "trial"]
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Course(Node):
    """The header `patient course`; `may_escalate` where the dose of a patient may be raised."""

    may_escalate: bool
    cites: tuple[Cites, ...]


@frozen(repr=False)
class State(Node):
    name: Name
    final: bool
    means: Means | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Case(Node):
    guard: Guard
    moves: tuple[Move, ...]


@frozen(repr=False)
class Rule(Node):
    """A rule; `basis` holds its Overrides, Replaces, Cites and Assume in the order written."""

    name: Text
    at_any_time: bool
    basis: tuple[Overrides | Replaces | Cites | Assume, ...]
    cases: tuple[Case, ...]


@frozen(repr=False)
class Claim(Node):
    name: Text
    cites: tuple[Cites, ...]
    in_course: bool
    when: Guard | None
    modality: Literal["never", "always", "eventually"]
    guard: Guard


@frozen(repr=False)
class Example(Node):
    """`expected` is the moves, or a word; `closed` are the levels closed meanwhile, in a patient's example."""

    of_patient: bool
    history: Text
    closed: tuple[Label, ...]
    expected: tuple[Move, ...] | Literal["wait", "gap", "silence", "conflict"]
    by: tuple[Text, ...]


@frozen(repr=False)
class Rates(Node):
    toxicity: Name
    values: tuple[Proportion | Parameter, ...]


@frozen(repr=False)
class Hazards(Node):
    event: Name
    values: tuple[Proportion | Parameter, ...]


@frozen(repr=False)
class Chances(Node):
    rule: Text
    values: tuple[Proportion | Parameter, ...]


@frozen(repr=False)
class Scenario(Node):
    name: Text
    assumptions: tuple[Rates | Hazards | Chances, ...]


Statement = Union[
    ProtocolTitle, TextFile, UseDesign, ParameterDecl, Assume, Silent, Background, Cycle, Component, Ladder, Level,
    Levels, Grid, Start, Toxicity, Event, Evaluability, Replace, Body, Verdict, Counter, Table, Engine, Part, Cohorts,
    Sentinel, Look, Accrue, Course, State, Rule, Claim, Example, Scenario,
]  # fmt: skip


@frozen(repr=False)
class File(Node):
    """A whole file, and its comments (without `#` and the space after it), each with its span."""

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = field(default=(), eq=False)


@frozen(repr=False)
class Comment(Node):
    text: str
