"""What is offered as a normal step: what the rules permit now; and what a form offers to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from attrs import field, frozen

from doselang.conduct.accounts import Way
from doselang.conduct.advice import Advice
from doselang.conduct.advised import place_words
from doselang.conduct.phrases import answer_words
from doselang.conduct.standing import Standing
from doselang.machine.columns import NO_LEVEL
from doselang.protocol.words import decider_words, level_words
from doselang.report.phrases import listed
from doselang.report.trial_steps import step_words
from doselang.trial.opening import Trial
from doselang.trial.proposing import propose
from doselang.trial.steps import Close, Declare, Enrol, Outcome, Step, Stop


@frozen
class Offer:
    """A step that the rules permit: what it is called, and the words with which its form begins."""

    kind: str
    title: str
    words: dict[str, str] = field(factory=dict, hash=False)


@frozen
class Option:
    """One of the ways among which people choose: its number from 1 on, what it leads to, and who chooses."""

    number: int
    words: str
    decider: str


def offers(trial: Trial, standing: Standing, advice: Advice) -> list[Offer]:
    """All normal steps of today, in the order in which they are mostly taken; `standing` is where the trial stands."""
    return [*_enrolments(advice), *_outcomes(advice), *_choices(advice), *_decisions(trial, standing, advice)]


def _enrolments(advice: Advice) -> Iterator[Offer]:
    protocol = advice.now.protocol
    for place in advice.places:
        words = {"level": protocol.levels[place.level].label}
        if place.part:
            words["part"] = protocol.parts[place.part].name
        yield Offer("enrol", f"Enrol a patient: {place_words(protocol, place)}", words)


def _outcomes(advice: Advice) -> Iterator[Offer]:
    for one in advice.awaited:
        where = level_words(advice.now.protocol, one.patient.level)
        title = f"Enter the outcome of {one.patient.name}, at {where}"
        yield Offer("outcome", title, {"patient": one.patient.name})


def _choices(advice: Advice) -> Iterator[Offer]:
    for option in options(advice):
        words = {"option": str(option.number), "by": option.decider}
        yield Offer("choose", f"Enter that [{option.number}] was chosen: {option.words}", words)


def options(advice: Advice) -> list[Option]:
    """The options that people have now, at the first gate at which the ways part; none where nobody is asked."""
    ways = advice.now.ways if advice.action == "choose" else ()
    depth = _first_open(ways)
    found: dict[int, list[Way]] = {}
    for way in ways:
        if len(way.answer.choices) > depth:
            found.setdefault(way.answer.choices[depth].option, []).append(way)
    protocol, tried = advice.now.protocol, advice.now.tried
    return [
        Option(
            option + 1,
            listed([answer_words(protocol, way.answer, tried) for way in some], "or"),
            decider_words(protocol, some[0].answer.choices[depth].gate).removeprefix("the "),
        )
        for option, some in sorted(found.items())
    ]


def _first_open(ways: tuple[Way, ...]) -> int:
    depth = 0
    while ways and all(way.answer.choices[depth : depth + 1] == ways[0].answer.choices[depth : depth + 1] != ()
                       for way in ways):  # fmt: skip
        depth += 1
    return depth


def _decisions(trial: Trial, standing: Standing, advice: Advice) -> Iterator[Offer]:
    """Verdicts, closed levels and a stop that the rules say, and that are not entered yet."""
    assert advice.on is not None
    for step in _decided(standing, advice, advice.on):
        entered = any(_alike(made.step, step) for made in trial.steps)
        if not entered and propose(trial, step, advice.on).answer == "permitted":
            words = {"level": getattr(step, "level", None) or "none"} if isinstance(step, Declare | Close) else {}
            if isinstance(step, Declare):
                words["verdict"] = step.verdict
            kind = {Declare: "declare", Close: "close", Stop: "stop"}[type(step)]
            yield Offer(kind, f"Enter that {step_words(step, trial.protocol)}", words)


def _decided(standing: Standing, advice: Advice, on: date) -> Iterator[Declare | Close | Stop]:
    """What the rules have decided, as steps that say so."""
    protocol = advice.now.protocol
    labels = [level.label for level in protocol.levels]
    for verdict, level in zip(protocol.verdicts, standing.followed.frame.verdicts, strict=True):
        if level != NO_LEVEL:
            yield Declare(verdict.name, labels[level] if level >= 0 else None, on)
    for tally in advice.now.tallies:
        if tally.status == "closed":
            yield Close(labels[tally.level], on)
    if advice.action == "ended":
        yield Stop(on)


def _alike(one: Step, other: Declare | Close | Stop) -> bool:
    """Whether two steps say the same of whatever day."""
    match one, other:
        case Declare(verdict, level), Declare(same_verdict, same_level):
            return (verdict, level) == (same_verdict, same_level)
        case Close(level), Close(same_level):
            return level == same_level
        case Stop(), Stop():
            return True
    return False


# ---- what a form offers ----


def level_choices(trial: Trial, advice: Advice) -> list[tuple[str, str, bool]]:
    """Every level: its label, its words, and whether the rules have no place there now."""
    protocol = trial.protocol
    places = {place.level: place for place in reversed(advice.places)}
    found = []
    for number, level in enumerate(protocol.levels):
        told = f": {place_words(protocol, places[number])}" if number in places else ""
        found.append((level.label, f"{level_words(protocol, number)}{told}", number not in places))
    return sorted(found, key=lambda one: one[2])


def patient_choices(trial: Trial, *, without_outcome: bool) -> list[str]:
    """Patients who have entered, those entered last first."""
    known = {made.step.enrolment for made in trial.steps if isinstance(made.step, Outcome)}
    enrolled = [made for made in trial.steps if isinstance(made.step, Enrol)]
    names = [(made.step.patient, made.number in known) for made in enrolled if isinstance(made.step, Enrol)]
    return [name for name, has_outcome in reversed(names) if not (without_outcome and has_outcome)]
