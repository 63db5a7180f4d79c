"""What may be done now, in a few words: as people are told it, and as a record keeps it."""

from __future__ import annotations

from collections import Counter
from datetime import date

from doselang.conduct.advice import Advice, Awaited
from doselang.conduct.conducted import Decided, Patient
from doselang.conduct.phrases import answers_words
from doselang.conduct.standing import Place
from doselang.protocol.model import Protocol
from doselang.protocol.words import level_words
from doselang.resolve.names import listing


def now_words(advice: Advice) -> str:
    """What may be done now, in a few words."""
    protocol = advice.now.protocol
    match advice.action:
        case "undecided" if advice.lost is not None:
            return "no advice: the rules cannot be followed any further"
        case "undecided" if advice.barred:
            levels = " and ".join(level_words(protocol, level) for level in advice.barred)
            return f"no advice: the rules lead to {levels}, which was closed against them"
        case "undecided" if advice.contrary is not None:
            return f"no advice: {decided_words(protocol, advice.contrary)}, against the rules"
        case "undecided":
            return "no advice: the protocol leaves open what comes next"
        case "choose":
            return answers_words(protocol, tuple(way.answer for way in advice.now.ways), advice.now.tried)
        case "ended":
            return "the trial has ended: nobody may enter"
        case "enrol":
            return " and ".join(place_words(protocol, place) for place in advice.places)
        case "wait":
            return f"nobody may enter: wait for {_outcomes_words(advice)}"


def _outcomes_words(advice: Advice) -> str:
    """`1 outcome at level 1 and 2 outcomes at level 2`: those that are not known."""
    protocol, awaited = advice.now.protocol, Counter(one.patient.level for one in advice.awaited)
    pending = awaited or {one.level: one.pending for one in advice.now.tallies if one.pending}
    each = [
        f"{number} outcome{'' if number == 1 else 's'} at {level_words(protocol, level)}"
        for level, number in sorted(pending.items())
    ]
    return listing(each, mark="")


def decided_words(protocol: Protocol, decided: Decided) -> str:
    """`level 2 was declared as MTD by the sponsor`."""
    by = f" by {decided.by}" if decided.by else ""
    match decided.what:
        case "chosen":
            return f"option [{(decided.option or 0) + 1}] was chosen{by}"
        case "declared":
            verdict = protocol.verdicts[decided.verdict or 0].name
            if decided.level is None:
                return f"no {verdict} was declared{by}"
            return f"{level_words(protocol, decided.level)} was declared as {verdict}{by}"
        case "closed":
            assert decided.level is not None
            return f"{level_words(protocol, decided.level)} was closed as too toxic{by}"
        case "stopped":
            return f"the trial was stopped{by}"


def held_words(protocol: Protocol, patient: Patient) -> str:
    """`004 at level 1 (DLT)`: a patient who entered too early, and is of no cohort yet."""
    outcomes = {toxicity.letter: toxicity.name for toxicity in protocol.toxicities}
    known = {"N": "no toxicity", "x": "inevaluable", ".": "pending", **outcomes}[patient.outcome]
    return f"{patient.name} at {level_words(protocol, patient.level)} ({known})"


def place_words(protocol: Protocol, place: Place) -> str:
    """`3 patients may enter at level 2`; with the part, if it is not the first."""
    part = f", part {protocol.parts[place.part].name}" if place.part else ""
    patients = "1 patient" if place.free == 1 else f"{place.free} patients"
    return f"{patients} may enter at {level_words(protocol, place.level)}{part}"


def awaited_words(protocol: Protocol, one: Awaited, on: date | None = None) -> str:
    """`006 at level 2, whose window ends on 2026-03-28`; on a day after that, that the outcome is to be recorded."""
    until = "" if one.until is None else f", whose window ends on {one.until}"
    if one.until is not None and on is not None and one.until <= on:
        until = f", whose window ended on {one.until}: the outcome is to be recorded"
    return f"{one.patient.name} at {level_words(protocol, one.patient.level)}{until}"


def rules_behind(advice: Advice) -> tuple[str, ...]:
    """The names of the rules that led here, in the order of the questions; none before the first look."""
    if advice.basis is None:
        return ()
    return tuple(dict.fromkeys(account.rule.name for way in advice.basis.ways for account in way.acted))
