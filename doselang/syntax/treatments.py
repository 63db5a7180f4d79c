"""Statements about what is given, and about the advisers that a protocol follows, as they were written."""

from __future__ import annotations

from attrs import frozen

from doselang.syntax.clauses import (
    Advice,
    Amount,
    BoundWord,
    Cites,
    Duration,
    Given,
    Label,
    Name,
    Node,
    Number,
    Proportion,
    Text,
)

__all__ = [
    "Argument", "Axis", "Climb", "Component", "Cycle", "Dose", "Doubling", "Engine", "Grid", "Ladder", "Level",
    "Levels", "Row", "Start", "Table", "Unit",
]  # fmt: skip


@frozen(repr=False)
class Unit(Node):
    text: str


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
    """A decision table, by the number of evaluable patients; `source` is the file that holds it instead.

    `in_part`: it counts the patients of one part alone.
    """

    name: Name
    cites: tuple[Cites, ...]
    columns: tuple[Amount, ...]
    rows: tuple[Row, ...]
    source: Text | None
    in_part: bool = False


@frozen(repr=False)
class Argument(Node):
    """`target 30%`, `skeleton 3%, 7%, 12%`, `coherent`: without values a flag."""

    name: Name
    values: tuple[Number | Proportion | Label | Name, ...]


@frozen(repr=False)
class Engine(Node):
    """`use boin as boundaries with target 30%`."""

    method: Name
    name: Name
    arguments: tuple[Argument, ...]
    cites: tuple[Cites, ...]
