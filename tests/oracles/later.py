"""Rolling parts in any order of events, with toxicities in later cycles: a trial is the list of its patients.

Each patient of a rolling part is a cohort of one, whose letter changes when a toxicity comes in a later cycle. What a
look comes to is asked of the plain interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from doselang.protocol.model import Protocol, Stop
from tests.oracles.plain import Cohort, Halt, Look, Trial


@frozen
class Ended:
    """What two interpreters must agree on of an end: the rules that acted stand as the plain one asks them."""

    part: int
    kind: str
    verdicts: tuple[tuple[str, int | None], ...]
    rules: tuple[str, ...]
    patients: int


def ends(protocol: Protocol) -> set[Ended]:
    """Every end that some order of arrivals and outcomes leads to."""
    first = Trial((Cohort(0, protocol.start, 1),))
    found: set[Ended] = set()
    seen: set[object] = set()
    stack = [first]
    while stack:
        trial = stack.pop()
        key = _key(trial)
        if key in seen:
            continue
        seen.add(key)
        for one in _after(protocol, trial):
            if isinstance(one, Ended):
                found.add(one)
            else:
                stack.append(one)
    return found


def _key(trial: Trial) -> object:
    """What of a trial matters: the patients, the cohort under way, and what was decided."""
    *before, last = trial.cohorts
    patients = tuple(sorted((cohort.part, cohort.level, cohort.size, cohort.letters) for cohort in before))
    verdicts = tuple(sorted(trial.verdicts.items()))
    # of those at the level of the last patient it does not matter who came last
    return tuple(sorted((*patients, (last.part, last.level, last.size, last.letters)))), last.level, last.part, (
        trial.closed, verdicts, trial.named,
    )  # fmt: skip


def _after(protocol: Protocol, trial: Trial) -> Iterator[Trial | Ended]:
    """What one further event leads to."""
    part, last = trial.cohorts[-1].part, len(trial.cohorts) - 1
    rolling = protocol.parts[part].rolling
    pending = [n for n, cohort in enumerate(trial.cohorts) if len(cohort.letters) < cohort.size]
    if not rolling and pending not in ([], [last]):
        yield from _known(protocol, trial, pending[0])  # those of the part that was left, before anything else
        return
    if not rolling and pending:
        yield from _known(protocol, trial, last)
        return
    if rolling:
        for number in pending:
            yield from _known(protocol, trial, number)
        yield from _worse(protocol, trial, part)
    outcome = _asked(protocol, trial, waits=rolling and bool(pending))
    if outcome is not None:
        yield outcome


def _with(trial: Trial, number: int, letters: str) -> Trial:
    cohorts = list(trial.cohorts)
    cohorts[number] = evolve(cohorts[number], letters=letters)
    return evolve(trial, cohorts=tuple(cohorts))


def _known(protocol: Protocol, trial: Trial, number: int) -> Iterator[Trial]:
    """A patient becomes known, without toxicity or with one that is not of later cycles."""
    for letter in ("N", *(one.letter for one in protocol.toxicities if not one.later)):
        yield _with(trial, number, trial.cohorts[number].letters + letter)


def _worse(protocol: Protocol, trial: Trial, part: int) -> Iterator[Trial]:
    """A patient of the part who is known has a toxicity in later cycles, more severe than what there was."""
    severe = [one.letter for one in protocol.toxicities]
    for number, cohort in enumerate(trial.cohorts):
        if cohort.part != part or not cohort.letters:
            continue
        for rank, one in enumerate(protocol.toxicities):
            if one.later and (cohort.letters == "N" or severe.index(cohort.letters) > rank):
                yield _with(trial, number, one.letter)


def _asked(protocol: Protocol, trial: Trial, *, waits: bool) -> Trial | Ended | None:
    """What the rules say: the trial with the next patients, its end, or None where the next patient waits."""
    look = Look(protocol, trial, ())
    try:
        decision = look.decide()
    except Halt as halt:
        if waits and halt.kind in ("gap", "silence") and not look.acted:
            return None
        decision = halt
    if isinstance(decision, tuple):
        return evolve(look.trial, cohorts=(*trial.cohorts, *decision), fresh=frozenset())
    assert isinstance(decision, Halt | Stop)
    kind = decision.kind if isinstance(decision, Halt) else "verdict"
    named = {protocol.verdicts[v].name: level for v, level in look.trial.verdicts.items()}
    patients = sum(cohort.size for cohort in trial.cohorts)
    return Ended(trial.cohorts[-1].part, kind, tuple(sorted(named.items())), tuple(look.acted), patients)
