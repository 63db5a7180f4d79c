"""What of one protocol stands for what of another: their levels, toxicities, parts and verdicts, as numbers."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from doselang.diagnostics import trouble
from doselang.protocol.model import Protocol
from doselang.resolve.names import fold, listing


@frozen
class Counterparts:
    """The second protocol in the numbers of the first: by number in the second, that of what it stands for.

    What has no counterpart has a number beyond those of the first.
    """

    toxicities: tuple[int, ...]
    parts: tuple[int, ...]
    verdicts: tuple[int, ...]


def counterparts(first: Protocol, second: Protocol) -> Counterparts:
    """Levels by position; the first toxicity, the first part and the result by their role, all else by name.

    Raises Trouble DL903 where a history of one cannot be one of the other.
    """
    same_levels([first, second])
    if len(first.toxicities) != len(second.toxicities):
        counted = [listing([toxicity.name for toxicity in one.toxicities]) for one in (first, second)]
        raise trouble(
            "DL903", f"The protocols count different toxicities: {counted[0]}, and {counted[1]}.",
            help="Their decisions can be compared only where the outcomes of patients are the same ones. "
            "`--figures` compares the figures alone.",
        )  # fmt: skip
    toxicities = matched([t.name for t in first.toxicities], [t.name for t in second.toxicities], (0, 0))
    _same_cycles(first, second, toxicities)
    return Counterparts(
        toxicities,
        matched([part.name for part in first.parts], [part.name for part in second.parts], (0, 0)),
        matched(
            [verdict.name for verdict in first.verdicts], [verdict.name for verdict in second.verdicts],
            (first.result, second.result),
        ),
    )  # fmt: skip


def _same_cycles(first: Protocol, second: Protocol, toxicities: tuple[int, ...]) -> None:
    """Raise Trouble DL903 where toxicities in later cycles come to other patients in one protocol than in the other."""
    theirs = [first.toxicities[number] for number in toxicities]
    later = [toxicity.name for toxicity in (*first.toxicities, *second.toxicities) if toxicity.later]
    times = [one.later == other.later for one, other in zip(theirs, second.toxicities, strict=True)]
    if later and not (all(times) and list(toxicities) == sorted(toxicities)):
        raise trouble(
            "DL903", f"Toxicities in later cycles, such as `{later[0]}`, are not the same ones in both protocols.",
            help="Declare the toxicities of both in the same order. `--figures` compares the figures alone.",
        )  # fmt: skip


def same_levels(protocols: Sequence[Protocol]) -> None:
    """Raise Trouble DL903 where some protocols have more levels than others."""
    numbers = [len(protocol.levels) for protocol in protocols]
    if len(set(numbers)) > 1:
        told = [f"{number} level{'s' if number > 1 else ''}" for number in numbers]
        raise trouble(
            "DL903", f"Only protocols with as many levels as each other can be compared: {listing(told, mark='')}.",
            help="Where the number is a parameter, give it: --set levels=3, or for one of them: FILE:levels=3",
        )  # fmt: skip


def matched(first: Sequence[str], second: Sequence[str], roles: tuple[int, int] | None = None) -> tuple[int, ...]:
    """By position in `second`, the position in `first` of the same name; what is left over on both, in order.

    `roles` are positions, one in each, that belong together whatever they are called.
    """
    found = {} if roles is None else {roles[1]: roles[0]}
    names = {fold(name): number for number, name in enumerate(first) if number not in found.values()}
    for number, name in enumerate(second):
        if number not in found and fold(name) in names:
            found[number] = names.pop(fold(name))
    left = [number for number in range(len(second)) if number not in found]
    others = sorted(names.values())
    beyond = range(len(first), len(first) + len(left))
    found.update(zip(left, others if len(left) == len(others) else beyond, strict=True))
    return tuple(found[number] for number in range(len(second)))
