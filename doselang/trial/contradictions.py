"""What cannot be true of the steps of a record together, whatever the rules say: a fact of the one denies the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from attrs import define, field, frozen

from doselang.conduct.days import windows_of
from doselang.machine.notation import MOST_PATIENTS
from doselang.protocol.model import Protocol
from doselang.resolve.names import fold, nearest, shorten
from doselang.trial.following import lacking
from doselang.trial.opening import Trial
from doselang.trial.steps import Choose, Close, Declare, Enrol, Made, Outcome, Step, Stop, Treated


@frozen
class Contradiction:
    """Why steps cannot be true together, as a sentence, and what to do; `number` is the entry of the later one."""

    number: int
    message: str
    help: str


def contradiction(trial: Trial, steps: Sequence[Made], today: date) -> Contradiction | None:
    """The first contradiction in the steps of a record; None where there is none."""
    reader = _Reader(trial, today)
    for made in steps:
        said = reader.refused(made)
        if said is not None:
            return Contradiction(made.number, *said)
    return None


@define
class _Reader:
    """Goes through the steps, entry by entry: patients enter before anything else is said of them."""

    trial: Trial
    today: date
    patients: dict[int, Enrol] = field(factory=dict)
    outcomes: dict[int, Made] = field(factory=dict)
    cycles: dict[int, list[Treated]] = field(factory=dict)
    done: list[Made] = field(factory=list)

    def refused(self, made: Made) -> tuple[str, str] | None:
        """Why a step contradicts those before it, and what to do."""
        said = self._future(made.step) or self._unknown_words(made) or self._of_kind(made)
        self.done.append(made)
        return said

    def _future(self, step: Step) -> tuple[str, str] | None:
        if step.on <= self.today:
            return None
        return f"{step.on} is in the future: today is {self.today}.", "Enter what was done when it has been done."

    def _unknown_words(self, made: Made) -> tuple[str, str] | None:
        """Words that the protocol of the day does not have, or the one in force, which goes on from what was done."""
        of_its_day = self.trial.protocols[self.trial.in_force(made)].protocol
        for protocol in (of_its_day, self.trial.protocol):
            missing = lacking(protocol, [made])
            if missing is not None:
                which = f"of {made.step.on}" if protocol is of_its_day else "in force"
                return f"The protocol {which} cannot follow this. {missing}", "Is the day right?"
        return None

    def _of_kind(self, made: Made) -> tuple[str, str] | None:
        match made.step:
            case Enrol():
                return self._enrol(made.number, made.step)
            case Outcome():
                return self._outcome(made, made.step)
            case Treated():
                return self._treated(made, made.step)
            case Choose() | Declare() | Close() | Stop():
                return self._decided(made)
        return None

    # ---- patients ----

    def _enrol(self, number: int, step: Enrol) -> tuple[str, str] | None:
        before = next((one for one in self.patients if fold(self.patients[one].patient) == fold(step.patient)), None)
        if before is not None:
            said = self.patients[before]
            message = f"Patient {said.patient} entered on {said.on}, at level {said.level} (entry {before})."
            return message, f"Is it another patient? {self._correct(before)}"
        if len(self.patients) >= MOST_PATIENTS:
            return f"The trial has {len(self.patients):,} patients, and takes no more.", "Is it one trial?"
        self.patients[number] = step
        return None

    def _of_patient(self, step: Outcome | Treated) -> tuple[str, str] | Enrol:
        """The entering of a patient of whom something is said."""
        if step.enrolment in self.patients:
            entered = self.patients[step.enrolment]
            if step.on < entered.on:
                what = "the outcome" if isinstance(step, Outcome) else "the cycle"
                message = f"{what.capitalize()} of patient {entered.patient} is of {step.on}, before the first dose"
                return f"{message} on {entered.on}.", "Is one of the two days wrong?"
            return entered
        names = [one.patient for one in self.patients.values()]
        near = nearest(step.patient, names)
        help = f"Did you mean {near}?" if near else f"Have entered: {', '.join(names[-8:]) or 'nobody'}."
        return f"No patient `{shorten(step.patient, 40)}` has entered.", help

    def _outcome(self, made: Made, step: Outcome) -> tuple[str, str] | None:
        entered = self._of_patient(step)
        if isinstance(entered, tuple):
            return entered
        before = self.outcomes.setdefault(step.enrolment, made)
        if before is not made:
            assert isinstance(before.step, Outcome)
            said = f"{before.step.outcome}, known on {before.step.on} (entry {before.number})"
            message = f"Patient {entered.patient} has an outcome already: {said}."
            return message, f"A patient has one outcome. {self._correct(before.number)}"
        protocol = self.trial.protocols[self.trial.in_force(made)].protocol
        return _too_early(protocol, entered, step) or _too_late(protocol, entered, step)

    def _treated(self, made: Made, step: Treated) -> tuple[str, str] | None:
        entered = self._of_patient(step)
        if isinstance(entered, tuple):
            return entered
        cycles = self.cycles.setdefault(step.enrolment, [])
        last = cycles[-1] if cycles else None
        if step.number != len(cycles) + 1:
            there = f"entered are {len(cycles)}" if cycles else "none is entered"
            message = f"Cycle {step.number} of patient {entered.patient} does not follow: {there}."
            return message, "The cycles of a patient are entered one by one, and withdrawn from the last one on."
        if last is not None and step.on < last.on:
            message = (
                f"Cycle {step.number} of patient {entered.patient} is of {step.on}, and the one before of {last.on}."
            )
            return message, "Is one of the two days wrong?"
        cycles.append(step)
        return None

    def _correct(self, number: int) -> str:
        return f"If entry {number} is wrong, correct it: `doselang trial correct {self.trial.folder} {number}`."

    # ---- decisions ----

    def _decided(self, made: Made) -> tuple[str, str] | None:
        """A decision that was entered before, word for word: two people may both enter it."""
        same = next((one for one in self.done if one.step == made.step), None)
        if same is None or isinstance(made.step, Choose):
            return None
        return f"Entry {same.number} says that already.", "A decision is entered once."


def _too_early(protocol: Protocol, entered: Enrol, step: Outcome) -> tuple[str, str] | None:
    """Nobody is without toxicity before the window has ended."""
    longest = windows_of(protocol).longest
    if step.outcome != "none" or longest is None or step.on >= entered.on + timedelta(longest):
        return None
    ends = entered.on + timedelta(longest)
    message = f"The window of patient {entered.patient} ends on {ends}, and `none` is known then, not on {step.on}."
    return message, f"Enter it on {ends} or later; a patient who left before is `inevaluable`."


def _too_late(protocol: Protocol, entered: Enrol, step: Outcome) -> tuple[str, str] | None:
    """A toxicity counts within its window."""
    number = next((n for n, one in enumerate(protocol.toxicities) if one.name == step.outcome), None)
    window = None if number is None else windows_of(protocol).ends[number]
    if window is None or step.on <= entered.on + timedelta(window):
        return None
    ends = entered.on + timedelta(window)
    message = f"The window for a {step.outcome} of patient {entered.patient} ended on {ends}, before {step.on}."
    return message, "Give the day on which it came: the entry itself shows when it was reported. A later one is a note."
