"""The boundaries that a method of steps amounts to: how many DLTs escalate, de-escalate, eliminate."""

from __future__ import annotations

from itertools import pairwise

from attrs import frozen

from doselang.designs.advice import Words
from doselang.designs.arguments import MethodError


@frozen
class Boundary:
    """What a method of steps says for n patients at a level: None where no number of patients with a DLT leads to it.

    `escalate` is the greatest number of patients with a DLT that escalates, `de_escalate` and `eliminate` the least
    that do so.
    """

    n: int
    escalate: int | None
    de_escalate: int | None
    eliminate: int | None


def boundaries(adviser: Words, largest_n: int) -> tuple[Boundary, ...]:
    """The boundaries of an adviser of words for n = 1 … largest_n.

    Raises
    ------
    MethodError
        If for some n the words do not follow each other in the order escalate, stay, de-escalate as DLTs increase, so
        that boundaries would not say what the method says.
    """
    found = []
    for n in range(1, largest_n + 1):
        row = adviser.row(n)
        if any(after < before for before, after in pairwise(row)):
            raise MethodError(f"{adviser.method} has no boundaries at {n} patients: its words change back and forth")
        words = [adviser.words[word] if word >= 0 else "" for word in row]
        reached = [words.index(word) if word in words else None for word in ("de-escalate", "eliminate")]
        found.append(Boundary(n, words.count("escalate") - 1 if "escalate" in words else None, *reached))
    return tuple(found)
