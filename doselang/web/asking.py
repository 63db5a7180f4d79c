"""What somebody asks to enter, read from a form and set against the record and the rules; nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from attrs import evolve, field, frozen

from doselang.diagnostics import Trouble
from doselang.record.entries import Body, Draft, made
from doselang.report.trial_steps import refused_words, rules_lines
from doselang.trial.adding import corrected_entry, correction_body, may_be_entered, now, signature_body, step_body
from doselang.trial.opening import Trial, step_now
from doselang.trial.proposing import Proposed, Said, advice_on, propose, propose_correction
from doselang.trial.steps import Step, kind_of
from doselang.trial.wording import MAY_TAKE, TAKES, WrongWord, read_day, read_step, words_of

Doing = Literal["add", "correct", "withdraw", "sign"]

MOST_SIGNS = 5_000
"""So long a reason, a note or any other word may be."""


@frozen
class Ask:
    """What is asked for: a step of a `kind` to add, an entry to correct or withdraw by its `number`, or to sign.

    `words` are those of the form: of the step, and `actor`, `reason`, `meaning`, `deviation`.
    """

    doing: Doing
    words: Mapping[str, str] = field(hash=False)
    kind: str = ""
    number: int = 0

    def word(self, name: str) -> str:
        return self.words.get(name, "").strip()


@frozen
class Fault:
    """What is wrong with what was asked, as a sentence, and what to do; `name` is the field it is about, if any."""

    message: str
    help: str = ""
    name: str = ""


@frozen
class Refusal:
    """Why something cannot be entered as it was asked: faults, or the rules, against which a reason is needed.

    `rules` are what the rules say instead, line by line, where a reason for a deviation would let it be entered.
    """

    faults: tuple[Fault, ...]
    rules: tuple[str, ...] | None = None

    def of(self, name: str) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.faults if fault.name == name)


@frozen(eq=False)
class Considered:
    """What may be entered once it is confirmed: the `body` of the entry, on the `head` and the day it rests on.

    `proposed` is None for a signature, `said` what is signed, None for all else.
    """

    ask: Ask
    kind: str
    body: Body
    actor: str
    head: str
    today: date
    step: Step | None = None
    proposed: Proposed | None = None
    said: Said | None = None


def consider(trial: Trial, ask: Ask, today: date) -> Considered | Refusal:
    """Read what is asked, and set it against the record and the rules."""
    faults = _faults(ask)
    if faults:
        return Refusal(faults)
    try:
        found = _considered(trial, ask, today)
        if isinstance(found, Considered):
            entries = [one.entry for one in trial.entries]
            made(Draft(found.kind, found.body, found.actor, now()), entries, entries[-1].protocol)
        return found
    except WrongWord as wrong:
        return Refusal((Fault(wrong.diagnostic.message, wrong.diagnostic.help or "", wrong.name),))
    except Trouble as wrong:
        return Refusal((Fault(wrong.diagnostic.message, wrong.diagnostic.help or ""),))


NEEDED = {"correct": ("reason",), "withdraw": ("reason",), "sign": ("meaning", "on"), "add": ()}

MISSING = {
    "actor": "It is not said who enters this.",
    "reason": "The reason is missing.",
    "meaning": "It is not said what the signature means.",
    "on": "The day is missing.",
    "patient": "The patient is not named.",
    "level": "The level is missing.",
    "outcome": "The outcome is missing.",
    "option": "The option is missing.",
    "by": "It is not said who decided.",
    "verdict": "The verdict is missing.",
    "text": "The text is missing.",
}


def _faults(ask: Ask) -> tuple[Fault, ...]:
    """What is missing or too long, and days that are none: all at once, each for its field."""
    steps = TAKES.get(ask.kind, ()) if ask.doing in ("add", "correct") else ()
    found = [Fault(MISSING[name], "", name) for name in ("actor", *NEEDED[ask.doing], *steps) if not ask.word(name)]
    found += [
        Fault(f"This has {len(word):,} signs, and at most {MOST_SIGNS:,} are allowed.", "Write less.", name)
        for name, word in ask.words.items()
        if len(word) > MOST_SIGNS
    ]
    actor = ask.word("actor")
    if len(actor) > 200 or not actor.isprintable():
        found.append(Fault("A name stands on one line, and has at most 200 signs.", "", "actor"))
    if ask.word("on"):
        try:
            read_day(ask.word("on"))
        except Trouble as wrong:
            found.append(Fault(wrong.diagnostic.message.removeprefix("On: "), _DAY, "on"))
    return tuple(found)


_DAY = "Write it as 2026-03-01."


def _considered(trial: Trial, ask: Ask, today: date) -> Considered | Refusal:
    match ask.doing:
        case "add":
            return _addition(trial, ask, today)
        case "sign":
            on = read_day(ask.word("on"))
            body, said = signature_body(trial, ask.word("meaning"), on), Said(advice_on(trial, on)[1])
            if on > today:
                return Refusal((Fault(f"{on} is in the future: today is {today}.", "", "on"),))
            return Considered(ask, "sign", body, ask.word("actor"), trial.head, today, said=said)
    return _correction(trial, ask, today)


def step_words_of(ask: Ask, kind: str) -> dict[str, str]:
    """The words of a form that are those of a step."""
    return {name: ask.word(name) for name in TAKES[kind] + MAY_TAKE.get(kind, ()) if ask.word(name)}


def _addition(trial: Trial, ask: Ask, today: date) -> Considered | Refusal:
    step = read_step(trial, ask.kind, step_words_of(ask, ask.kind))
    proposed = propose(trial, step, today)
    if not may_be_entered(proposed, ask.word("deviation")):
        return refusal(proposed, trial)
    assert proposed.step is not None
    body = step_body(proposed, ask.word("deviation"))
    return Considered(ask, kind_of(step), body, ask.word("actor"), trial.head, today, step, proposed)


def refusal(proposed: Proposed, trial: Trial) -> Refusal:
    """Why a step is not entered, and what the rules say."""
    message = refused_words(proposed, trial.protocol)
    if proposed.contradiction is not None:
        return Refusal((Fault(message, proposed.contradiction.help),))
    return Refusal((Fault(message),), tuple(rules_lines(proposed, trial.protocol)))


def _correction(trial: Trial, ask: Ask, today: date) -> Considered | Refusal:
    found = corrected_entry(trial, ask.number)
    step = None
    if ask.doing == "correct":
        before = step_now(trial, ask.number)
        step = read_step(trial, found.entry.kind, {**words_of_kept(before), **step_words_of(ask, ask.kind)}, ask.number)
        if step == before and found.counts:
            return Refusal((Fault(f"Entry {ask.number} says that already.", "Change what is wrong with it."),))
    elif not found.counts:
        return Refusal((Fault(f"Entry {ask.number} is withdrawn already."),))
    proposed = propose_correction(trial, ask.number, step, today)
    if proposed.contradiction is not None:
        return refusal(proposed, trial)
    body = correction_body(trial, ask.number, step, ask.word("reason"))
    return Considered(ask, "correct", body, ask.word("actor"), trial.head, today, step, proposed)


def words_of_kept(step: Step) -> dict[str, str]:
    """What a correction keeps of a step where the form says nothing: the number of a cycle."""
    return {name: word for name, word in words_of(step).items() if name == "number"}


def again(considered: Considered) -> Ask:
    """The same to be asked once more, on what the record holds now; a reason for a deviation is to be given anew."""
    words = {name: word for name, word in considered.ask.words.items() if name != "deviation"}
    return evolve(considered.ask, words=words)
