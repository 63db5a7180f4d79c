"""Claims: proved by exhaustion, refuted with a shortest history, or found to say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from attrs import frozen

from doselang.check.facts import ClaimChecked
from doselang.check.mutants import Mutant, mutants
from doselang.check.otherwise import broken_otherwise
from doselang.check.safety import SafetyWatch
from doselang.check.watching import AllFailed, ClaimWatch, Sighting, Watcher
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import Exploration, TooManyStates, explore
from doselang.machine.notation import Group, history_of, history_through
from doselang.protocol.model import Protocol

MOST_MUTANTS = 400
MUTANT_STATES = 20_000
MUTANT_PATIENTS = 80
MUTANTS_STATES, MUTANT_COST = 60_000, 80
"""So many states of mutants are met in all, where each mutant counts for some more."""


def trial_watches(protocol: Protocol) -> dict[int, ClaimWatch]:
    """A watch for each claim about the trial, by the claim's position."""
    return {n: ClaimWatch(claim) for n, claim in enumerate(protocol.claims) if not claim.in_course}


@frozen(eq=False)
class Watched:
    """An exploration, and what was seen on the way: of each claim by its position, and of safety."""

    exploration: Exploration
    claims: dict[int, ClaimWatch]
    safe: SafetyWatch


def checked_claims(found: Watched, whole: Watched, *, mutate: bool) -> Iterator[ClaimChecked]:
    """The outcome of each claim, in order: it must hold whether patients enter one at a time or in whole cohorts.

    Without `mutate`, or where the changed rules are too many to try, a claim that holds is proved whatever breaks it.
    """
    failed = {n for seen in (found, whole) for n, watch in seen.claims.items() if watch.failed is not None}
    held = {n for n, watch in found.claims.items() if n not in failed and watch.moments}
    broken, tried_all = _broken_by(whole.exploration, held) if mutate and held else ({}, True)
    for number, watch in found.claims.items():
        if number in failed:
            yield _refuted(number, found if watch.failed is not None else whole, only_whole=watch.failed is None)
        elif not watch.moments:
            yield ClaimChecked(number, "empty")
        elif mutate and tried_all and number not in broken:
            yield ClaimChecked(number, "unbreakable")
        else:
            yield ClaimChecked(number, "proved", mutant=broken.get(number))


def _refuted(number: int, seen: Watched, *, only_whole: bool) -> ClaimChecked:
    sighting = seen.claims[number].failed
    assert sighting is not None
    history = history_of_sighting(seen.exploration, sighting)
    accrual: Accrual | None = "whole-cohort" if only_whole else None
    return ClaimChecked(number, "refuted", history, undecided=sighting.undecided, accrual=accrual)


def history_of_sighting(exploration: Exploration, sighting: Sighting) -> tuple[Group, ...]:
    """The history to a moment: through a look, or up to a cohort that opens."""
    if sighting.exit is None:
        return history_of(exploration, sighting.state)
    return history_through(exploration, sighting.state, sighting.exit)


def _broken_by(found: Exploration, claims: set[int]) -> tuple[dict[int, str], bool]:
    """For each claim that another decision or some mutant breaks, what is changed; and whether all were tried.

    Of mutants whole cohorts are tried first, because their machines are smaller; with a rolling part one patient at a
    time. Where nothing is asked before the end of a cohort both are the same.
    """
    protocol = found.machine.protocol
    broken, left = broken_otherwise(found, claims), MUTANTS_STATES
    ways: tuple[Accrual, ...] = ("whole-cohort",)
    if any(part.rolling for part in protocol.parts):
        ways = ("one-at-a-time", "whole-cohort", "any-order")
    elif any(part.any_time for part in found.machine.parts):
        ways = ("whole-cohort", "one-at-a-time")
    for accrual in ways:
        for mutant in islice(mutants(protocol), MOST_MUTANTS):
            if not claims - broken.keys():
                return broken, True
            if left < 0:
                return broken, False
            more, states = _broken_in(mutant, claims - broken.keys(), accrual)
            broken.update(more)
            left -= states + MUTANT_COST
    return broken, True


def _broken_in(mutant: Mutant, claims: set[int], accrual: Accrual) -> tuple[dict[int, str], int]:
    """The claims that a mutant breaks, and how many states were met."""
    watches = {n: ClaimWatch(mutant.protocol.claims[n]) for n in sorted(claims)}
    watcher, states = Watcher(list(watches.values()), stop_when_all_failed=True), 0
    machine = compile_protocol(mutant.protocol, for_claims=True)
    try:
        states = explore(
            machine, accrual, max_states=MUTANT_STATES, max_patients=MUTANT_PATIENTS, watch=watcher, once=True
        ).states
    except TooManyStates as many:
        states = many.states
    except (AllFailed, OverflowError):
        pass
    return {n: mutant.change for n, watch in watches.items() if watch.failed is not None}, states
