"""The classes in which a patient can count: what patients become known with, and what can come later.

An outcome is a number: 0 without toxicity, then each class of toxicity from 1 on, as they are declared: the most severe
one first. A toxicity in later cycles comes to a patient who is known already, and who has none as severe.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from doselang.protocol.guards import Chance, Rate, Recommends, Says, SentinelHas, Share, Tally, atoms
from doselang.protocol.model import Adviser, Protocol, Table, Toxicity


def known_with(toxicities: Sequence[Toxicity]) -> tuple[int, ...]:
    """The outcomes with which a patient becomes known."""
    return (0, *(outcome for outcome, toxicity in enumerate(toxicities, 1) if not toxicity.later))


def worsenings(toxicities: Sequence[Toxicity]) -> tuple[tuple[int, int], ...]:
    """The outcomes (before, after) of a patient who is known and can have a toxicity in later cycles."""
    classes = range(1 + len(toxicities))
    later = [outcome for outcome, toxicity in enumerate(toxicities, 1) if toxicity.later]
    return tuple((before, after) for after in later for before in classes if before == 0 or before > after)


def counted_by(adviser: Adviser) -> tuple[int, ...]:
    """The toxicities that an adviser counts, added up, from 0 on: those of a table; a method counts the first."""
    return adviser.toxicities if isinstance(adviser, Table) else (0,)


def tabled(protocol: Protocol) -> tuple[int, ...]:
    """The toxicities whose patients decision tables count: those with the first that the rules always ask for together.

    The first alone, where they ask for it alone as well, or together with different ones.
    """
    found: set[tuple[int, ...]] = set()
    cases = (case for part in protocol.parts for rule in part.rules for case in rule.cases)
    for atom in (atom for case in cases for atom in atoms(case.guard)):
        match atom:
            case Share(toxicities=counted) | Rate(toxicities=counted) | SentinelHas(counted):
                found.add(counted)
            case Tally(what=counted, scope=scope) if scope != "counter":
                found.add(counted)
            case Says(adviser):
                found.add(counted_by(protocol.advisers[adviser]))
            case Chance() | Recommends():
                found.add((0,))
    asked = [counted for counted in found if 0 in counted]
    return asked[0] if len(asked) == 1 else (0,)


def added(toxicities: Sequence[Toxicity], patients: int) -> list[tuple[int, ...]]:
    """All counts with which so many patients can become known, those without toxicity first."""
    toxic = product(*(range(1 if toxicity.later else patients + 1) for toxicity in toxicities))
    return [(patients - sum(some), *some) for some in toxic if sum(some) <= patients]
