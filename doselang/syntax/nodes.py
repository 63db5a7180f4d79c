"""The syntax tree: a protocol file as it was written, statement by statement.

The parts that statements are made of are in `clauses` and `moves`, and can be had from here too.
"""

from __future__ import annotations

from typing import Literal, Union

from attrs import field, frozen

from doselang.syntax import clauses, moves
from doselang.syntax.clauses import *  # noqa: F403
from doselang.syntax.clauses import (
    Advice,
    Amount,
    BoundWord,
    Duration,
    Guard,
    Label,
    Name,
    Node,
    Number,
    Parameter,
    Percent,
    Text,
)
from doselang.syntax.moves import *  # noqa: F403
from doselang.syntax.moves import Move

__all__ = [
    "Accrue", "Argument", "Assume", "Axis", "Background", "Body", "Bounds", "Case", "Chances", "Cites", "Claim",
    "Climb", "Cohorts", "Comment", "Component", "Counter", "Course", "Cycle", "Dose", "Doubling", "Engine",
    "Evaluability", "Event", "Example", "File", "Given", "Grid", "Hazards", "Ladder", "Level", "Levels", "Look",
    "Means", "Operator", "Overrides", "ParameterDecl", "Part", "ProtocolTitle", "Rates", "Replace", "Replaces", "Row",
    "Rule", "Scenario", "Sentinel", "Setting", "Silent", "Start", "State", "Statement", "Table", "TextFile", "Toxicity",
    "Unit", "UseDesign", "Verdict", "Within", "WithinCycles", "Written",
]  # fmt: skip
__all__ += clauses.__all__
__all__ += moves.__all__


# ---- details that many statements share ----


@frozen(repr=False)
class Cites(Node):
    text: Text


@frozen(repr=False)
class Means(Node):
    text: Text


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


Given = Union[Number, Parameter, Percent]
"""What may stand where a value is given: a number, a percentage, a parameter's name."""


@frozen(repr=False)
class Unit(Node):
    text: str


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
class Cycle(Node):
    length: Duration
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Component(Node):
    name: Name
    unit: Unit | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Dose(Node):
    """A dose as a number, or in words."""

    component: Name
    amount: Amount | Text


@frozen(repr=False)
class Level(Node):
    """A level; one `off-ladder` is nobody's next higher or lower."""

    label: Label
    doses: tuple[Dose, ...]
    off_ladder: bool = False


@frozen(repr=False)
class Ladder(Node):
    """The header of a further ladder: the levels below it belong to it."""

    name: Name
    title: Text | None
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Axis(Node):
    """The doses of one component of a grid, from the lowest to the highest."""

    component: Name
    doses: tuple[Amount, ...]


@frozen(repr=False)
class Grid(Node):
    """`grid A 10, 20 by B 5, 15`: a level for each pair, labelled `1x2` by the positions of its doses."""

    first: Axis
    second: Axis
    cites: tuple[Cites, ...]


@frozen(repr=False)
class Doubling(Node):
    """`doubling`: each dose is twice the one before."""


@frozen(repr=False)
class Climb(Node):
    """`drug from 100 by 40%, 33% rounded to 5 up to 800`: the doses of one component, level after level.

    Of the steps each is used once and the last repeats. More than one rounding or cap is wrong.
    """

    component: Name
    start: Given
    steps: tuple[Given | Doubling, ...]
    rounded: tuple[Amount, ...] = ()
    caps: tuple[Amount, ...] = ()


@frozen(repr=False)
class Levels(Node):
    """`levels 1 to 5`; the labels may be whole numbers or a parameter's name. `climbs` give the doses."""

    low: Label
    high: Label
    climbs: tuple[Climb, ...]


@frozen(repr=False)
class Start(Node):
    level: Label
    cites: tuple[Cites, ...]


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
    name: Name
    window: Within | WithinCycles | None
    written: Written | None
    means: Means | None
    cites: tuple[Cites, ...]


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
class Row(Node):
    """A row of a decision table: what it says, and from or up to how many toxicities, one number a column.

    `bound` and `toxicity` are None for `otherwise`; an entry None (written `none`) is never reached.
    """

    advice: Advice
    toxicity: Name | None
    bound: BoundWord | None
    entries: tuple[Amount | None, ...]


@frozen(repr=False)
class Table(Node):
    """A decision table, by the number of evaluable patients; `source` is the file that holds it instead."""

    name: Name
    cites: tuple[Cites, ...]
    columns: tuple[Amount, ...]
    rows: tuple[Row, ...]
    source: Text | None


@frozen(repr=False)
class Argument(Node):
    """`target 30%`, `skeleton 3%, 7%, 12%`, `coherent`: without values a flag."""

    name: Name
    values: tuple[Number | Percent | Label | Name, ...]


@frozen(repr=False)
class Engine(Node):
    """`use boin as boundaries with target 30%`."""

    method: Name
    name: Name
    arguments: tuple[Argument, ...]
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
    """The header `patient course`."""


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
    values: tuple[Percent | Parameter, ...]


@frozen(repr=False)
class Hazards(Node):
    event: Name
    values: tuple[Percent | Parameter, ...]


@frozen(repr=False)
class Chances(Node):
    rule: Text
    values: tuple[Percent | Parameter, ...]


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
