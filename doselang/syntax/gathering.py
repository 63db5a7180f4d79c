"""Nodes whose parts follow one another with commas between: what a design is given, the doses of a ladder.

A part alone, after a comma, belongs to the list before it: `skeleton 3%, 7%`, `by 100%, 67%`.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from doselang.syntax import nodes as n
from doselang.syntax.picking import GIVEN, Kid, every, maybe, one, over


@frozen
class Tail(n.Node):
    """`rounded to 5`, `up to 800`: what is said of all doses of a climb."""

    kind: str
    amount: n.Amount


@frozen
class Further(n.Node):
    """A further step of the climb before it, after a comma."""

    step: n.Given
    tails: tuple[Tail, ...]


@frozen
class Settings(n.Node):
    """All that is given after `with`."""

    settings: tuple[n.Setting, ...]


@frozen
class LeftOut(n.Node):
    """The names after `without`."""

    names: tuple[n.Text, ...]


def tails(found: Sequence[Tail], kind: str) -> tuple[n.Amount, ...]:
    return tuple(tail.amount for tail in found if tail.kind == kind)


def dose_unit(shape: object, kids: list[Kid]) -> n.Unit:
    return n.Unit("/".join(kid.text for kid in kids if isinstance(kid, n.Name)), span=over(kids))


def use_design(shape: object, kids: list[Kid]) -> n.UseDesign:
    given, left_out = maybe(Settings)(kids), maybe(LeftOut)(kids)
    settings, names = given.settings if given else (), left_out.names if left_out else ()
    return n.UseDesign(one(n.Text)(kids), settings, names, span=over(kids))


def with_values(shape: object, kids: list[Kid]) -> Settings:
    """A value alone, after a comma, is a further one of the list before it."""
    found: list[n.Setting] = []
    for kid in kids:
        if isinstance(kid, n.Setting):
            found.append(kid)
        elif isinstance(kid, GIVEN):
            last = found[-1]
            found[-1] = n.Setting(last.name, (*last.values, kid), span=last.span.to(kid.span))
    return Settings(tuple(found), span=over(kids))


def given_parameter(shape: object, kids: list[Kid]) -> n.Parameter:
    return n.Parameter(kids[0], span=over(kids))


def levels(shape: object, kids: list[Kid]) -> n.Levels:
    """A step alone, after a comma, is a further one of the climb before it."""
    climbs: list[n.Climb] = []
    for kid in kids:
        if isinstance(kid, n.Climb):
            climbs.append(kid)
        elif isinstance(kid, Further):
            last = climbs[-1]
            steps, span = (*last.steps, kid.step), last.span.to(kid.span)
            rounded, caps = last.rounded + tails(kid.tails, "rounded"), last.caps + tails(kid.tails, "up")
            climbs[-1] = n.Climb(last.component, last.start, steps, rounded, caps, span=span)
    return n.Levels(kids[1], kids[3], tuple(climbs), span=over(kids))


def climb(shape: object, kids: list[Kid]) -> n.Climb:
    said_of_all = every(Tail)(kids)
    rounded, caps = tails(said_of_all, "rounded"), tails(said_of_all, "up")
    return n.Climb(kids[0], kids[2], (kids[3],), rounded, caps, span=over(kids))
