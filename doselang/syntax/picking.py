"""How a node picks its children out of what a rule of the grammar recognised, and the small nodes in between.

Children are picked by their kind, not by their position, so that optional words need no place holders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, get_args

from attrs import frozen
from lark import Token

from doselang.source import Span
from doselang.syntax import nodes as n

if TYPE_CHECKING:
    from doselang.syntax.shape import Shape

Kid = Any
"""A child: a node, or the token of a keyword or sign."""

Pick = Callable[[Sequence[Kid]], Any]
Method = Callable[["Shape", list[Kid]], Any]

GUARDS = get_args(n.Guard)
MOVES = get_args(n.Move)
PLAIN_MOVES = get_args(n.PlainMove)
AMOUNTS = get_args(n.Amount)
GIVEN = get_args(n.Given)
PROPORTIONS = get_args(n.Proportion)
BASIS = (n.Overrides, n.Replaces, n.Cites, n.Assume)
ASSUMPTIONS = (n.Rates, n.Hazards, n.Chances)


@frozen
class Word(n.Node):
    """A word or phrase that is a detail of the node around it, such as `at any time`."""

    text: str


@frozen
class Moves(n.Node):
    """The moves of one `then`."""

    moves: tuple[n.Move, ...]


@frozen
class Limits(n.Node):
    """The bounds of an accrual."""

    low: n.Amount | None
    high: n.Amount | None


@frozen
class Closings(n.Node):
    """The levels closed in the circumstances of an example."""

    labels: tuple[n.Label, ...]


@frozen
class Columns(n.Node):
    """The numbers of patients over the columns of a table."""

    numbers: tuple[n.Amount, ...]


@frozen
class Entry(n.Node):
    """A number in a table; None where it says `none`."""

    amount: n.Amount | None


@frozen
class More(n.Node):
    """A further value of the argument before it."""

    value: n.Number | n.Proportion | n.Label


@frozen
class Less(n.Node):
    """How many patients with a toxicity are taken off before a rate is compared."""

    amount: n.Amount
    of: n.Name


@frozen
class Along(n.Node):
    """The component of a grid in which a level is changed."""

    name: n.Name


@frozen
class Default(n.Node):
    """The option taken if nobody chooses."""

    option: n.Option | None


@frozen
class Size(n.Node):
    """The size of the first cohort of a part."""

    amount: n.Amount | None
    more: bool


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


# ---- places in the text ----


def place_of(kid: Kid) -> Span:
    return kid.span if isinstance(kid, n.Node) else Span(kid.start_pos, kid.end_pos)


def over(kids: Sequence[Kid]) -> Span:
    """The stretch of the text from the first child to the last."""
    return Span(place_of(kids[0]).start, place_of(kids[-1]).end)


# ---- picking children ----


def one(*kinds: type) -> Pick:
    return lambda kids: next(kid for kid in kids if isinstance(kid, kinds))


def maybe(*kinds: type) -> Pick:
    return lambda kids: next((kid for kid in kids if isinstance(kid, kinds)), None)


def every(*kinds: type) -> Pick:
    return lambda kids: tuple(kid for kid in kids if isinstance(kid, kinds))


def child(place: int) -> Pick:
    return lambda kids: kids[place]


def fixed(value: object) -> Pick:
    return lambda kids: value


def said(text: str) -> Pick:
    return lambda kids: any(isinstance(kid, Word) and kid.text == text for kid in kids)


def word(kids: Sequence[Kid]) -> Any:
    """The text of the first Word."""
    return one(Word)(kids).text


def words(kids: Sequence[Kid]) -> list[str]:
    return [kid.text for kid in kids if isinstance(kid, Word)]


def along_of(kids: Sequence[Kid]) -> n.Name | None:
    """The component of a grid that is named among the children."""
    found = maybe(Along)(kids)
    return found.name if found else None


def arguments_of(kids: Sequence[n.Argument | More]) -> tuple[n.Argument, ...]:
    """The arguments, each with all its values: one that stands alone goes on with the argument before it."""
    found: list[n.Argument] = []
    for kid in kids:
        if isinstance(kid, n.Argument):
            found.append(kid)
        elif found:
            last = found[-1]
            found[-1] = n.Argument(last.name, (*last.values, kid.value), span=last.span.to(kid.span))
        else:
            found.append(n.Argument(n.Name("", span=kid.span), (kid.value,), span=kid.span))
    return tuple(found)


# ---- methods ----


def node(kind: Callable[..., n.Node], *picks: Pick) -> Method:
    """A node of the children picked, which spans them all."""
    return lambda self, kids: kind(*[pick(kids) for pick in picks], span=over(kids))


def literal(kind: Callable[..., n.Node], value: str) -> Method:
    """A node that is told by a word."""
    return node(kind, fixed(value))


def passed(place: int = 0) -> Method:
    """No node of its own: a child's."""
    return lambda self, kids: kids[place]


def status(value: n.Status) -> Method:
    return node(n.HasStatus, fixed(value), said("too toxic"))


def of_token(kind: Callable[..., n.Node]) -> Callable[[Shape, Token], n.Node]:
    return lambda self, token: kind(str(token), span=place_of(token))
