"""Where two protocols part, by two plain interpreters side by side: no merging, no machine, fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from attrs import evolve, frozen

from doselang.protocol.model import EnrolRest, Protocol
from tests.oracles.plain import Accrual, Chances, Choose, Cohort, Halt, Look, Rates, Trial, World, history

Seen = tuple[object, ...]
"""What can be seen after a look: levels closed, verdicts, what comes next; and by what chance it was drawn."""


@frozen
class Way:
    """A way that people can choose: what is seen then, its chance (None: not told), and how the trial goes on."""

    seen: Seen
    counted: tuple[str, ...]
    chance: Fraction | None
    trial: Trial
    opened: tuple[Cohort, ...]
    goes_on: bool = False


@frozen
class Parting:
    """A history after which the two decide differently, and its probability (None where a chance is not told)."""

    history: str
    order: tuple[int, tuple[int, ...]]
    probability: Fraction | None


def partings(
    first: Protocol, second: Protocol, rates: Rates, accrual: Accrual, chances: Chances | None = None
) -> list[Parting]:
    """All histories after which two protocols part; those with the fewest patients first, N before T."""
    both = World(first, rates, accrual, chances or {}), World(second, rates, accrual, chances or {})
    begun = tuple(
        Cohort(0, p.start, p.parts[0].cohort, sentinel=p.parts[0].sentinel is not None) for p in (first, second)
    )
    if _cohort(begun[0]) != _cohort(begun[1]):
        return [Parting("", (0, ()), Fraction(1))]
    return sorted(_follow(both, (Trial((begun[0],)), Trial((begun[1],))), Fraction(1)), key=lambda one: one.order)


def _follow(both: tuple[World, World], trials: tuple[Trial, Trial], chance: Fraction | None) -> Iterator[Parting]:
    cohort = trials[0].cohorts[-1]
    for letters, more in both[0].outcomes(cohort):
        after = tuple(
            evolve(trial, cohorts=(*trial.cohorts[:-1], evolve(last, letters=last.letters + letters)))
            for trial in trials
            for last in (trial.cohorts[-1],)
        )
        now = None if chance is None else chance * more
        yield from _looked(both, (after[0], after[1]), now)


def _looked(both: tuple[World, World], trials: tuple[Trial, Trial], chance: Fraction | None) -> Iterator[Parting]:
    ours, theirs = (_ways(world, trial) for world, trial in zip(both, trials, strict=True))
    if ours is None and theirs is None:
        yield from _follow(both, trials, chance)
        return
    if ours is None or theirs is None or sorted(w.seen for w in ours) != sorted(w.seen for w in theirs):
        known = "N" + "".join(toxicity.letter for toxicity in both[0].protocol.toxicities)
        letters = tuple(known.index(letter) for letter in trials[0].letters())
        yield Parting(history(both[0].protocol, trials[0]), (len(letters), letters), chance)
        return
    pairs = zip(*(sorted(ways, key=lambda way: (way.seen, way.counted)) for ways in (ours, theirs)), strict=True)
    for way, other in pairs:
        then = None if chance is None or way.chance is None else chance * way.chance
        if way.opened:
            yield from _opened(both, (way, other), then)


def _opened(both: tuple[World, World], ways: tuple[Way, Way], chance: Fraction | None) -> Iterator[Parting]:
    """Cohorts are opened; the outcomes of those beside are the same ones in both."""
    ends = [list(world.opened(way.trial, way.opened)) for world, way in zip(both, ways, strict=True)]
    for (one, more), (other, _) in zip(*ends, strict=True):
        yield from _follow(both, (one, other), None if chance is None else chance * more)


def _ways(world: World, trial: Trial) -> list[Way] | None:
    """All ways in which people can choose at a look; None where the cohort goes on."""
    cohort = trial.cohorts[-1]
    if len(cohort.letters) < cohort.size and not cohort.at_sentinel and not world.acts_at_once(trial):
        return None
    ways = list(_chosen(world, trial, (), Fraction(1), Fraction(1)))
    return None if any(way.goes_on for way in ways[:1]) else ways


def _chosen(
    world: World, trial: Trial, chosen: tuple[int, ...], chance: Fraction | None, drawn: Fraction
) -> Iterator[Way]:
    look = Look(world.protocol, trial, chosen)
    opened: tuple[Cohort, ...] = ()
    try:
        decision = look.decide()
        word = "stops"
        if isinstance(decision, tuple):
            opened, word = decision, "opens"
        elif isinstance(decision, EnrolRest):
            yield Way((), (), chance, trial, (), goes_on=True)
            return
    except Choose as choose:
        told = choose.chances if choose.kind == "draw" else world.chances.get(choose.rule) or choose.chances
        for option in range(choose.options):
            draw = choose.chances[option] if choose.kind == "draw" and choose.chances else Fraction(1)
            then = None if told is None or chance is None else chance * told[option]
            yield from _chosen(world, trial, (*chosen, option), then, drawn * draw)
        return
    except Halt:
        word = "open"
    after = evolve(look.trial, cohorts=(*trial.cohorts[:-1], evolve(look.here, chosen=chosen)), fresh=frozenset())
    verdicts = tuple(sorted((v, -1 if level is None else level) for v, level in look.trial.verdicts.items()))
    seen = word, tuple(sorted(look.trial.closed)), verdicts, tuple(sorted(map(_cohort, opened))), drawn
    counters = tuple(f"{number} {count}" for number, count in sorted(look.trial.counters.items()))
    yield Way(seen, counters, chance, after, opened)


def _cohort(cohort: Cohort) -> tuple[int, int, int, bool]:
    return cohort.part, cohort.level, cohort.size, cohort.sentinel and cohort.size > 1
