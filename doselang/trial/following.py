"""A trial judged from its record: what was done, by the rules that were in force when it was done.

Each protocol follows all that was done until it was replaced. Its steps are judged by it; where it leaves the trial is
where the next protocol takes it up, which follows the same steps from the beginning, as they were done: what it would
not have permitted are cohorts of their own (`!2NNN`) or patients beside all cohorts (`+2N`), and no deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from attrs import evolve, frozen

from doselang.conduct.conducted import Conducted, Cycle, Decided, Patient
from doselang.conduct.judging import Judged, Judgement, judge
from doselang.machine.notation import INEVALUABLE, NONE, PENDING
from doselang.patients.later import is_less_severe
from doselang.protocol.model import Protocol
from doselang.source import Span
from doselang.trial.opening import Trial
from doselang.trial.steps import Choose, Close, Declare, Enrol, Made, Outcome, Stop, Treated

LETTERS = {"none": NONE, "inevaluable": INEVALUABLE}
"""The outcomes that no protocol needs to declare."""


@frozen
class Change:
    """A step that is judged otherwise than before, with the number of its entry."""

    number: int
    before: Judged
    after: Judged


def follow(trial: Trial, steps: Sequence[Made], on: date, place: int | None = None) -> Judgement:
    """What was done until a day, that day included, judged; by the protocols up to one, None for all.

    The place of each thing that was done is the number of its entry.
    """
    places = range(len(trial.protocols) if place is None else place + 1)
    judgements = [_judged_by(trial, steps, on, one) for one in places]
    last = judgements[-1]
    found = {
        number_of(step): step
        for one, judgement in zip(places, judgements, strict=True)
        for step in judgement.steps
        if _place_of(trial, steps, number_of(step)) == one
    }
    return evolve(last, steps=tuple(judged_as(step, found[number_of(step)]) for step in last.steps))


def _judged_by(trial: Trial, steps: Sequence[Made], on: date, place: int) -> Judgement:
    """All that was done until a protocol was replaced, judged by it.

    Who was enrolled before it can be of a cohort that it does not open. Since then a patient against the rules is one,
    however many there are: none of them makes room for the next.
    """
    before = {
        made.step.patient for made in steps if isinstance(made.step, Enrol) and trial.in_force(made) < place
    }  # fmt: skip
    return judge(trial.protocols[place].machine, conducted_of(trial, steps, place), on, hindsight=before)


def _place_of(trial: Trial, steps: Sequence[Made], number: int) -> int:
    return next(trial.in_force(made) for made in steps if made.number == number)


def judged_as(step: Judged, then: Judged) -> Judged:
    """A step in the terms of the protocol in force now, as it was judged in its time."""
    return evolve(step, verdict=then.verdict, fault=then.fault, rules=then.rules, said=then.said, why=then.why)


def number_of(step: Judged) -> int:
    """The number of the entry that a judged step is of."""
    for one in (step.cycle, step.decided, step.patient):
        if one is not None:
            return one.place.start
    raise AssertionError("nothing was judged")


def changes_between(before: Judgement, after: Judgement) -> tuple[Change, ...]:
    """The steps of both that are judged differently, in the order of their entries."""
    earlier = {number_of(step): step for step in before.steps}
    changes = [
        Change(number_of(step), earlier[number_of(step)], step)
        for step in after.steps
        if number_of(step) in earlier and _judged(earlier[number_of(step)]) != _judged(step)
    ]
    return tuple(sorted(changes, key=lambda change: change.number))


def _judged(step: Judged) -> tuple[object, ...]:
    return step.verdict, step.fault


# ---- what was done, as the rules know it ----


def conducted_of(trial: Trial, steps: Sequence[Made], place: int) -> Conducted:
    """What was done until a protocol was replaced, in its terms."""
    done = [made for made in steps if trial.in_force(made) <= place]
    outcomes = [made for made in steps if isinstance(made.step, Outcome) and made not in done]
    return conducted_by(trial.protocols[place].protocol, [*done, *outcomes])


def conducted_by(protocol: Protocol, steps: Sequence[Made]) -> Conducted:
    """Some steps as what was done, in the terms of a protocol that has all their words (see `lacking`)."""
    outcomes = _outcomes(steps)
    patients, decisions, cycles = [], [], []
    for made in steps:
        match made.step:
            case Enrol() as step:
                patients.append(_patient(protocol, made.number, step, outcomes.get(made.number, ())))
            case Treated() as step:
                cycles.append(_cycle(protocol, made.number, step))
            case Choose() | Declare() | Close() | Stop() as step:
                decisions.append(_decided(protocol, made.number, step))
    return Conducted(
        tuple(sorted(patients, key=lambda patient: patient.entered or date.min)),
        tuple(sorted(decisions, key=lambda decided: decided.on or date.min)),
        tuple(cycles),
        dated=True,
    )


def lacking(protocol: Protocol, steps: Sequence[Made]) -> str | None:
    """What was done that a protocol has no word for, as a sentence; None where it has them all."""
    return next((missing for made in steps if (missing := lacking_word(protocol, made)) is not None), None) or next(
        (missing for outcomes in _outcomes(steps).values() if (missing := _misplaced(protocol, outcomes))), None
    )


def lacking_word(protocol: Protocol, made: Made) -> str | None:
    """What a protocol has no word for in one step."""
    step, entry = made.step, f"(entry {made.number})"
    events = {event.name for event in protocol.course.events} if protocol.course else set()
    outcomes = {toxicity.name for toxicity in protocol.toxicities} | set(LETTERS)
    level = getattr(step, "level", None)
    if level is not None and level not in {one.label for one in protocol.levels}:
        return f"It has no level {level}, which the record names {entry}."
    match step:
        case Enrol(part=str(part)) if part not in {one.name for one in protocol.parts}:
            return f"It has no part {part}, in which patient {step.patient} is {entry}."
        case Outcome(outcome=outcome) if outcome not in outcomes:
            return f"It has no outcome {outcome}, which patient {step.patient} had {entry}."
        case Declare(verdict=verdict) if verdict not in {one.name for one in protocol.verdicts}:
            return f"It has no verdict {verdict}, which was declared {entry}."
        case Treated() if protocol.course is None:
            return f"It says nothing of the course of a patient, and patient {step.patient} has one {entry}."
        case Treated(events=came) if not set(came) <= events:
            return f"It does not have what came in cycle {step.number} of patient {step.patient} {entry}."
    return None


def _misplaced(protocol: Protocol, outcomes: Sequence[tuple[int, Outcome]]) -> str | None:
    """The outcomes of a patient that a protocol does not have in this order: what came at once, and in later cycles."""
    later = {toxicity.name for toxicity in protocol.toxicities if toxicity.later}
    for place, (number, step) in enumerate(outcomes):
        first = letter_of(protocol, outcomes[0][1].outcome)
        follows = place == 0 or is_less_severe(protocol, first, letter_of(protocol, step.outcome))
        if (step.outcome in later) != (place > 0) or not follows:
            when = "at once" if place == 0 else "in later cycles, after a lesser one"
            return f"It has no {step.outcome} {when}, which patient {step.patient} had (entry {number})."
    return None


def _outcomes(steps: Sequence[Made]) -> dict[int, list[tuple[int, Outcome]]]:
    """By the entry of entering, the outcomes of a patient with their entries: the first, and what came later."""
    found: dict[int, list[tuple[int, Outcome]]] = {}
    for made in sorted(steps, key=lambda made: made.number):
        if isinstance(made.step, Outcome):
            found.setdefault(made.step.enrolment, []).append((made.number, made.step))
    return found


def _patient(protocol: Protocol, number: int, step: Enrol, outcomes: Sequence[tuple[int, Outcome]]) -> Patient:
    part = None if step.part is None else [one.name for one in protocol.parts].index(step.part)
    known: list[tuple[str, date | None]] = [
        (letter_of(protocol, outcome.outcome), outcome.on) for _, outcome in outcomes
    ]
    (letter, on), *more = [one for one in known if one[0] != PENDING] or [(PENDING, None)]
    later, later_on = more[0] if more else ("", None)
    place = Span(number, number)
    return Patient(step.patient, level_of(protocol, step.level), part, step.on, letter, on, place, later, later_on)


def level_of(protocol: Protocol, label: str) -> int:
    """The position of a level."""
    return [level.label for level in protocol.levels].index(label)


def letter_of(protocol: Protocol, outcome: str) -> str:
    """The letter of an outcome; one that the protocol did not know yet was pending under it."""
    toxicities = {toxicity.name: toxicity.letter for toxicity in protocol.toxicities}
    return {**toxicities, **LETTERS}.get(outcome, PENDING)


def _decided(protocol: Protocol, number: int, step: Choose | Declare | Close | Stop) -> Decided:
    place = Span(number, number)
    match step:
        case Choose(option, by, on):
            return Decided("chosen", on, option=option - 1, by=by, place=place)
        case Declare(verdict, level, on, by):
            at = None if level is None else level_of(protocol, level)
            names = [one.name for one in protocol.verdicts]
            return Decided("declared", on, at, names.index(verdict), by=by, place=place)
        case Close(level, on, by):
            return Decided("closed", on, level_of(protocol, level), by=by, place=place)
        case Stop(on, by):
            return Decided("stopped", on, by=by, place=place)


def _cycle(protocol: Protocol, number: int, step: Treated) -> Cycle:
    names = [event.name for event in protocol.course.events] if protocol.course else []
    events = tuple(sorted(names.index(event) for event in step.events))
    return Cycle(step.patient, step.number, level_of(protocol, step.level), events, Span(number, number))
