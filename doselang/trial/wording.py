"""The words in which people say what was done, read as steps: each wrong one is told, with what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TypeVar

from attrs import asdict, frozen

from doselang.diagnostics import Trouble, trouble
from doselang.machine.notation import INEVALUABLE, NONE, PENDING
from doselang.patients.days import day_of
from doselang.patients.people import name_of
from doselang.patients.sheets import Refused
from doselang.patients.steps import NO_LEVEL, count_of
from doselang.patients.words import event_words, level_words, outcome_words, part_words, verdict_words
from doselang.protocol.model import Protocol
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.trial.opening import Trial
from doselang.trial.steps import Choose, Close, Declare, Enrol, Made, Note, Outcome, Step, Stop, Treated

Meaning = TypeVar("Meaning", int, str)

TAKES: dict[str, tuple[str, ...]] = {
    "enrol": ("patient", "level", "on"),
    "outcome": ("patient", "outcome", "on"),
    "cycle": ("patient", "level", "on"),
    "choose": ("option", "by", "on"),
    "declare": ("verdict", "level", "on"),
    "close": ("level", "on"),
    "stop": ("on",),
    "note": ("text", "on"),
}
"""The words that each kind of step needs. `part`, `events` and `by` may be added where they have a meaning."""

MAY_TAKE: dict[str, tuple[str, ...]] = {
    "enrol": ("part",), "cycle": ("events", "number"), "declare": ("by",), "close": ("by",), "stop": ("by",),
}  # fmt: skip


def read_day(written: str, what: str = "on") -> date:
    """The day that somebody writes, 2026-03-01. Raises Trouble DL903."""
    read = day_of(written.strip())
    if isinstance(read, Refused):
        raise WrongWord("on", f"{what}: {read.why}", "Write it as 2026-03-01.")
    return read


def read_step(trial: Trial, kind: str, words: Mapping[str, str], number: int | None = None) -> Step:
    """The step that some words say, read by the protocol of its day; `number` is that of its entry, None for a new one.

    `words` are those of `TAKES` and `MAY_TAKE` by name. Raises Trouble DL903 for a word that means nothing; whether the
    step can be true, and is permitted, is not asked here.
    """
    if kind not in TAKES:
        raise _wrong(f"`{kind}` is no kind of step", _meant(kind, list(TAKES)))
    for name in words:
        if name not in TAKES[kind] + MAY_TAKE.get(kind, ()):
            raise _wrong(f"`{kind}` takes no `{name}`", f"It takes {listing(TAKES[kind] + MAY_TAKE.get(kind, ()))}.")
    for name in TAKES[kind]:
        if not words.get(name, "").strip():
            raise _wrong(f"`{kind}` needs `{name}`", f"It takes {listing(TAKES[kind])}.")
    on = read_day(words["on"])
    number = number or trial.next_number
    protocol = trial.protocols[trial.in_force(Made(number, Note("", on)))].protocol
    return _Words(trial, protocol, words, on, number).step(kind)


def words_of(step: Step) -> dict[str, str]:
    """The words that say a step, as `read_step` reads them."""
    found = {}
    for name, value in asdict(step).items():
        if name == "events":
            found[name] = " ".join(value)
        elif name == "level" and value is None:
            found[name] = NO_LEVEL
        elif name != "enrolment" and value not in (None, ""):
            found[name] = str(value)
    return found


class WrongWord(Trouble):
    """A word that says nothing; `name` is which of those of `TAKES` and `MAY_TAKE`."""

    def __init__(self, name: str, why: str, help: str | None) -> None:
        super().__init__(_wrong(why, help).diagnostic)
        self.name = name


@frozen
class _Words:
    """Reads the words of one step."""

    trial: Trial
    protocol: Protocol
    words: Mapping[str, str]
    on: date
    number: int

    def step(self, kind: str) -> Step:
        match kind:
            case "enrol":
                return Enrol(self._name(), self._level(), self.on, self._part())
            case "outcome":
                patient, enrolment = self._entered()
                return Outcome(patient, self._outcome(), self.on, enrolment)
            case "cycle":
                patient, enrolment = self._entered()
                return Treated(patient, self._level(), self.on, self._events(), self._cycle(enrolment), enrolment)
            case "choose":
                return Choose(self._option(), self._by(), self.on)
            case "declare":
                return Declare(self._verdict(), self._declared(), self.on, self._by())
            case "close":
                return Close(self._level(), self.on, self._by())
            case "stop":
                return Stop(self.on, self._by())
        return Note(self.words["text"].strip(), self.on)

    def _word(self, name: str) -> str:
        return self.words.get(name, "").strip()

    def _name(self) -> str:
        return _meaning("patient", name_of(self._word("patient")))

    def _entered(self) -> tuple[str, int]:
        """The patient of whom something is said, and the entry of entering; 0 where there is no such patient."""
        name = self._name()
        for made in self.trial.steps:
            if isinstance(made.step, Enrol) and made.number < self.number and fold(made.step.patient) == fold(name):
                return made.step.patient, made.number
        return name, 0

    def _level(self) -> str:
        labels = [level.label for level in self.protocol.levels]
        read = level_words(self.protocol).read(self._word("level"))
        return labels[_meaning("level", read, f"The levels are {listing(labels)}.")]

    def _declared(self) -> str | None:
        return None if fold(self._word("level")) == NO_LEVEL else self._level()

    def _part(self) -> str | None:
        word = self._word("part")
        return self.protocol.parts[_meaning("part", part_words(self.protocol).read(word))].name if word else None

    def _outcome(self) -> str:
        toxicities = {one.letter: one.name for one in self.protocol.toxicities}
        names = {**toxicities, NONE: "none", INEVALUABLE: "inevaluable"}
        help = f"It is {listing(list(names.values()), 'or')}."
        letter = _meaning("outcome", outcome_words(self.protocol).read(self._word("outcome")), help)
        if letter == PENDING:
            raise WrongWord("outcome", "an outcome that is not known is not entered", help)
        return names[letter]

    def _events(self) -> tuple[str, ...]:
        written, known = self._word("events").replace(",", " ").replace(";", " ").split(), event_words(self.protocol)
        found = {_meaning("events", known.read(word)) for word in written if word != "." and fold(word) != "none"}
        events = self.protocol.course.events if self.protocol.course else ()
        return tuple(events[number].name for number in sorted(found))

    def _cycle(self, enrolment: int) -> int:
        """The number of the cycle: the one given, or the next of the patient."""
        if self._word("number"):
            return _meaning("number", count_of(self._word("number")))
        of_patient = [
            made for made in self.trial.steps if isinstance(made.step, Treated) and made.step.enrolment == enrolment
        ]
        return len(of_patient) + 1

    def _option(self) -> int:
        return _meaning("option", count_of(self._word("option")), "The options of a rule are counted from 1.")

    def _verdict(self) -> str:
        return self.protocol.verdicts[
            _meaning("verdict", verdict_words(self.protocol).read(self._word("verdict")))
        ].name

    def _by(self) -> str:
        """Who decided: a body of the protocol, if it has any."""
        word, bodies = self._word("by"), [body.name for body in self.protocol.bodies]
        known = next((body for body in bodies if is_same_body(word, body)), None)
        if known is None and word and bodies and nearest(word, bodies):
            raise WrongWord("by", f"the protocol names no body `{shorten(word, 40)}`", _meant(word, bodies))
        return known or word


def is_same_body(written: str, name: str) -> bool:
    """Whether people mean a body of the protocol: letter case, articles and hyphens make no difference."""
    return _plain(written) == _plain(name)


def _plain(name: str) -> list[str]:
    return [word for word in fold(name.replace("-", " ")).split() if word not in ("the", "a", "an")]


def _meaning(name: str, read: Meaning | Refused, help: str | None = None) -> Meaning:
    if isinstance(read, Refused):
        meant = read.help if read.help is not None and read.help.startswith("Did you mean") else help or read.help
        raise WrongWord(name, read.why, meant)
    return read


def _meant(word: str, names: list[str]) -> str:
    near = nearest(word, names)
    return f"Did you mean `{near}`?" if near else f"It is {listing(names, 'or')}."


def _wrong(why: str, help: str | None) -> Trouble:
    return trouble("DL903", f"{why[0].upper()}{why[1:]}.", help=help)
