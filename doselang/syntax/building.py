"""Nodes that take more to build than picking children: one function for each."""

from __future__ import annotations

from typing import Any

from lark import Token

from doselang.syntax import nodes as n
from doselang.syntax.picking import (
    GUARDS,
    PLAIN_MOVES,
    Closings,
    Columns,
    Entry,
    Further,
    Kid,
    Less,
    More,
    Moves,
    Size,
    Tail,
    Word,
    along_of,
    arguments_of,
    every,
    maybe,
    one,
    over,
    said,
    tails,
    word,
    words,
)


def levels_of(_shape: object, kids: list[Kid]) -> n.Levels:
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


def climb_of(_shape: object, kids: list[Kid]) -> n.Climb:
    said_of_all = every(Tail)(kids)
    rounded, caps = tails(said_of_all, "rounded"), tails(said_of_all, "up")
    return n.Climb(kids[0], kids[2], (kids[3],), rounded, caps, span=over(kids))


def table_of(_shape: object, kids: list[Kid]) -> n.Table:
    columns = maybe(Columns)(kids)
    return n.Table(
        one(n.Name)(kids), every(n.Cites)(kids), columns.numbers if columns else (), every(n.Row)(kids),
        maybe(n.Text)(kids), said("in part")(kids), span=over(kids),
    )  # fmt: skip


def row_when_of(_shape: object, kids: list[Kid]) -> n.Row:
    entries = tuple(kid.amount for kid in kids if isinstance(kid, Entry))
    return n.Row(kids[0], one(n.Name)(kids), word(kids), entries, span=over(kids))


def engine_of(_shape: object, kids: list[Kid]) -> n.Engine:
    method, name = every(n.Name)(kids)
    return n.Engine(method, name, arguments_of(every(n.Argument, More)(kids)), every(n.Cites)(kids), span=over(kids))


def tally_is_of(_shape: object, kids: list[Kid]) -> n.Tally:
    what: Any = kids[1].text if isinstance(kids[1], Word) else kids[1]
    return n.Tally(kids[0], what, maybe(n.Place)(kids), maybe(n.Scope)(kids), span=over(kids))


def rate_is_of(_shape: object, kids: list[Kid]) -> n.Rate:
    bound = n.Bound(word(kids), kids[-1], span=over(kids[-2:]))
    less = maybe(Less)(kids)
    taken_off = (less.amount, less.of) if less else (None, None)
    return n.Rate(kids[0], maybe(n.Place)(kids), maybe(n.Scope)(kids), bound, *taken_off, span=over(kids))


def chance_is_of(_shape: object, kids: list[Kid]) -> n.Chance:
    bound = n.Bound(word(kids), kids[-1], span=over(kids[-2:]))
    adviser, toxicity = every(n.Name)(kids)
    return n.Chance(adviser, toxicity, one(n.RateRange)(kids), maybe(n.Place)(kids), bound, span=over(kids))


def level_standing_of(_shape: object, kids: list[Kid]) -> n.Standing:
    direction: Any = next(text for text in words(kids) if text in ("higher", "lower"))
    named: Any = next((text for text in words(kids) if text in ("exists", "remains")), None)
    standing = maybe(n.HasStatus)(kids) or named
    return n.Standing("no" in words(kids), direction, standing, along_of(kids), span=over(kids))


def next_lower_of(_shape: object, kids: list[Kid]) -> n.Place:
    remaining = said("that remains")(kids)
    kind: Any = "next lower that remains" if remaining else "next lower"
    return n.Place(kind, along=along_of(kids), span=over(kids))


def may_of(_shape: object, kids: list[Kid]) -> n.May:
    split = next(i for i, kid in enumerate(kids) if isinstance(kid, Token) and kid.type == "OTHERWISE")
    pick = every(*PLAIN_MOVES)
    return n.May(pick(kids[:split]), one(n.Name)(kids), pick(kids[split:]), span=over(kids))


def draw_of(_shape: object, kids: list[Kid]) -> n.Draw:
    split = next(i for i, kid in enumerate(kids) if isinstance(kid, Token) and kid.type == "OTHERWISE")
    pick = every(*PLAIN_MOVES)
    return n.Draw(kids[2], pick(kids[:split]), pick(kids[split:]), span=over(kids))


def begin_of(_shape: object, kids: list[Kid]) -> n.Begin:
    size = maybe(Size)(kids) or Size(None, False)
    return n.Begin(one(n.Name)(kids), maybe(n.Place)(kids), size.amount, size.more, span=over(kids))


def claim_of(_shape: object, kids: list[Kid]) -> n.Claim:
    *when, guard = every(*GUARDS)(kids)
    in_course = said("in patient course")(kids)
    modality: Any = words(kids)[-1]
    name, cites, only_when = one(n.Text)(kids), every(n.Cites)(kids), when[0] if when else None
    return n.Claim(name, cites, in_course, only_when, modality, guard, span=over(kids))


def example_of(_shape: object, kids: list[Kid]) -> n.Example:
    history, *by = every(n.Text)(kids)
    closings, moves = maybe(Closings)(kids), maybe(Moves)(kids)
    closed = closings.labels if closings else ()
    expected: Any = moves.moves if moves else words(kids)[-1]
    return n.Example(said("patient")(kids), history, closed, expected, tuple(by), span=over(kids))
