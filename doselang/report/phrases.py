"""Small phrases that several reports need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doselang.machine.exits import Accrual
from doselang.plurals import plural
from doselang.protocol.model import Rule


def cited(rule: Rule) -> tuple[str, ...]:
    """The words of the text that a rule cites."""
    return tuple(citation.words for citation in rule.cites)


def listed(words: Sequence[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}" if words else ""


def quoted(names: Iterable[str], joint: str = "and") -> str:
    """Names of rules, each in quotes, as a list in words."""
    return listed([f'"{name}"' for name in names], joint)


def accrual_notes(accrual: Accrual | None) -> tuple[str, ...]:
    """A note where a finding is met in one way of entering only."""
    if accrual is None:
        return ()
    if accrual == "any-order":
        return ("Met when patients arrive and become known in another order than the two ways of entering.",)
    return ("Met only when whole cohorts enter together (`--accrual whole-cohort`).",)


def counted(number: int, noun: str) -> str:
    """`1 patient`, `3 patients`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural(noun)}"


def ranged(numbers: Sequence[int]) -> str:
    """Numbers in order as words: `2`, `2 or 3`, `0 to 3`."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return listed([str(number) for number in numbers], "or")
