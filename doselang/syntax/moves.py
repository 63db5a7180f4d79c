"""Moves as they were written, and the decisions of people and of chance among them."""

from __future__ import annotations

from typing import Literal, Union

from attrs import frozen

from doselang.syntax.clauses import Amount, Name, Node, Parameter, Place, Proportion, Text

__all__ = [
    "Ask", "Backfill", "Begin", "Close", "Continue", "CountOne", "Declare", "Draw", "Enrol", "EnrolRest", "Enter",
    "Fill", "May", "Move", "Option", "PlainMove", "Reset", "Step", "Stop",
]  # fmt: skip


@frozen(repr=False)
class Step(Node):
    """`escalate`, `de-escalate`, `stay`; `escalate 2 levels`, `escalate carfilzomib`."""

    word: Literal["escalate", "de-escalate", "stay"]
    levels: Amount | None = None
    along: Name | None = None


@frozen(repr=False)
class Enrol(Node):
    size: Amount
    more: bool
    place: Place | None


@frozen(repr=False)
class EnrolRest(Node):
    """`enrol the rest`: the cohort goes on after its sentinel."""


@frozen(repr=False)
class Fill(Node):
    """`fill the next lower level to 6`."""

    place: Place
    total: Amount


@frozen(repr=False)
class Backfill(Node):
    """`backfill 3 patients at the next lower level`: beside the cohort that comes next."""

    size: Amount
    place: Place


@frozen(repr=False)
class CountOne(Node):
    """`count pause`: one more."""

    counter: Name


@frozen(repr=False)
class Reset(Node):
    """`reset pause`: back to none."""

    counter: Name


@frozen(repr=False)
class Close(Node):
    place: Place
    all_above: bool
    too_toxic: bool


@frozen(repr=False)
class Declare(Node):
    """`declare this level as MTD`; `place` is None for `declare no MTD`."""

    place: Place | None
    verdict: Name


@frozen(repr=False)
class Begin(Node):
    """`begin expansion at the MTD`, `… with 2 more at this level`, `… filling the MTD to 12`.

    `size` is the size of its first cohort, or with `filling` the number at the level in all.
    """

    part: Name
    place: Place | None
    size: Amount | None = None
    more: bool = False
    filling: bool = False


@frozen(repr=False)
class Stop(Node):
    reason: Text | None


@frozen(repr=False)
class Continue(Node):
    place: Place | None


@frozen(repr=False)
class Enter(Node):
    state: Name
    place: Place | None


PlainMove = Union[Step, Enrol, EnrolRest, Fill, Backfill, CountOne, Reset, Close, Declare, Begin, Stop, Continue, Enter]


@frozen(repr=False)
class May(Node):
    moves: tuple[PlainMove, ...]
    body: Name
    otherwise: tuple[PlainMove, ...]


@frozen(repr=False)
class Option(Node):
    moves: tuple[PlainMove, ...]


@frozen(repr=False)
class Ask(Node):
    """`default` is the option that is taken if nobody chooses."""

    body: Name
    options: tuple[Option, ...]
    default: Option | None = None


@frozen(repr=False)
class Draw(Node):
    """`with chance 25% escalate, otherwise stay`: the protocol lets chance decide."""

    chance: Proportion | Parameter
    moves: tuple[PlainMove, ...]
    otherwise: tuple[PlainMove, ...]


Move = Union[PlainMove, May, Ask, Draw]
