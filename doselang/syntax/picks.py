"""Picking the children of a node by their kind, and building nodes of what was picked: the tools of `shape`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from lark import Token

from doselang.source import Span
from doselang.syntax import nodes as n

Kid = Any
"""A child: a node, or the token of a keyword or sign."""

Pick = Callable[[Sequence[Kid]], Any]
Method = Callable[[Any, list[Kid]], Any]


@frozen
class Word(n.Node):
    """A word or phrase that is a detail of the node around it, such as `at any time`."""

    text: str


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


def of_token(kind: Callable[..., n.Node]) -> Callable[[Any, Token], n.Node]:
    return lambda self, token: kind(str(token), span=place_of(token))
