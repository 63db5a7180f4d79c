"""The fields of the forms: what each step is asked for, with what can be chosen."""

from __future__ import annotations

from datetime import date
from typing import Literal

from attrs import frozen

from doselang.conduct.advice import Advice
from doselang.protocol.model import Protocol
from doselang.trial.opening import Trial
from doselang.trial.wording import MAY_TAKE, TAKES
from doselang.web.asking import Ask
from doselang.web.offers import level_choices, options, patient_choices

Shape = Literal["text", "choice", "long", "several"]


@frozen
class Choice:
    """Something that can be chosen; `against` is what the rules do not permit now."""

    value: str
    words: str
    against: bool = False


@frozen
class Field:
    """A field of a form: its name, what it is called, its shape, what helps to fill it in, what can be chosen."""

    name: str
    label: str
    shape: Shape = "text"
    hint: str = ""
    choices: tuple[Choice, ...] = ()
    needed: bool = True


ISO = "Written as 2026-03-01."
"""Days are written, not picked: what a browser shows for the 3rd of April depends on its language."""

DAYS = {
    "enrol": "Day of the first dose",
    "outcome": "Day on which it came, or was known",
    "cycle": "First day of the cycle",
    "choose": "Day on which it was chosen",
    "declare": "Day on which it was declared",
    "close": "Day on which it was closed",
    "stop": "Day on which it was stopped",
    "note": "Day",
    "sign": "What stands on this day is signed",
}


def fields_of(trial: Trial, advice: Advice, ask: Ask) -> list[Field]:
    """The fields of a form, in their order; that of the actor is the last."""
    kind = ask.kind if ask.doing in ("add", "correct") else ""
    maker = _Fields(trial, trial.protocol, advice, kind, correcting=ask.doing == "correct")
    names = [name for name in (*TAKES.get(kind, ()), *MAY_TAKE.get(kind, ())) if name != "number"]
    in_order = sorted(names, key=lambda name: name == "on")
    found = [field for name in in_order if (field := maker.field(name)) is not None]
    if ask.doing in ("correct", "withdraw"):
        found.append(Field("reason", "Why the entry is corrected", "long"))
    if ask.doing == "sign":
        found.append(Field("meaning", "What the signature means", hint="Reviewed, approved, responsible for, …"))
        found.append(Field("on", DAYS["sign"], "text", ISO))
    return [*found, Field("actor", "Who enters this", hint="Your name, as the record keeps it.")]


@frozen
class _Fields:
    """Makes the fields of one kind of step."""

    trial: Trial
    protocol: Protocol
    advice: Advice
    kind: str
    correcting: bool

    def field(self, name: str) -> Field | None:
        """The field of a word; None where the protocol leaves nothing to say in it."""
        match name:
            case "patient":
                return self._patient()
            case "level":
                return self._level()
            case "part":
                return self._part()
            case "outcome":
                return Field("outcome", "Outcome", "choice", self._windows(), self._outcomes())
            case "events":
                return self._events()
            case "option":
                return self._option()
            case "by":
                return self._by()
            case "verdict":
                choices = tuple(Choice(one.name, one.name) for one in self.protocol.verdicts)
                return Field("verdict", "Verdict", "choice", "", choices)
            case "text":
                return Field("text", "What is to be remembered", "long")
        return Field("on", DAYS[self.kind], "text", ISO)

    def _patient(self) -> Field:
        if self.kind == "enrol":
            return Field("patient", "Patient", "text", "The name or number by which the trial knows the patient.")
        names = patient_choices(self.trial, without_outcome=self.kind == "outcome" and not self.correcting)
        return Field("patient", "Patient", "choice", "" if names else "Nobody is waited for.", _plain(names))

    def _level(self) -> Field:
        found = level_choices(self.trial, self.advice)
        shown = self.kind == "enrol" and not self.correcting
        choices = tuple(Choice(label, words, against and shown) for label, words, against in found)
        if not shown:
            choices = _plain([level.label for level in self.protocol.levels])
        none = (Choice("none", "no level"),) if self.kind == "declare" else ()
        return Field("level", "Level", "choice", "", choices + none)

    def _part(self) -> Field | None:
        if len(self.protocol.parts) == 1:
            return None
        names = [part.name for part in self.protocol.parts]
        choices = (Choice("", "the one in which the level is open"), *_plain(names))
        return Field("part", "Part", "choice", "", choices, needed=False)

    def _outcomes(self) -> tuple[Choice, ...]:
        toxic = tuple(Choice(one.name, one.name) for one in self.protocol.toxicities)
        return (Choice("none", "no toxicity"), *toxic, Choice("inevaluable", "inevaluable"))

    def _windows(self) -> str:
        return "No toxicity is known when the window has ended; a patient who left before is inevaluable."

    def _events(self) -> Field | None:
        events = self.protocol.course.events if self.protocol.course else ()
        choices = _plain([event.name for event in events])
        return Field("events", "What came in the cycle", "several", "", choices, needed=False) if choices else None

    def _option(self) -> Field:
        found = options(self.advice)
        if not found or self.correcting:
            return Field("option", "Option", "text", "Its number, as the rule counts them, from 1 on.")
        choices = tuple(Choice(str(one.number), f"[{one.number}] {one.words}") for one in found)
        return Field("option", "Option", "choice", "", choices)

    def _by(self) -> Field:
        bodies = ", ".join(body.name for body in self.protocol.bodies)
        hint = f"The protocol names: {bodies}." if bodies else "Who decided."
        return Field("by", "Decided by", "text", hint, needed=self.kind == "choose")


def _plain(names: list[str]) -> tuple[Choice, ...]:
    return tuple(Choice(name, name) for name in names)


def first_words(kind: str, today: date, given: dict[str, str], actor: str) -> dict[str, str]:
    """The words with which a form begins: those of the address, today, and the name that was given last."""
    known = {*TAKES.get(kind, ()), *MAY_TAKE.get(kind, ())} - {"number"}
    return {"on": today.isoformat(), "actor": actor, **{name: word for name, word in given.items() if name in known}}
