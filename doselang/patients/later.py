"""Toxicities in later cycles, as rows of a table of patients tell them: in columns of their own, with their days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from attrs import define, evolve, field

from doselang.conduct.conducted import Patient
from doselang.conduct.days import known_on, windows_of
from doselang.machine.notation import INEVALUABLE, NONE, PENDING
from doselang.patients.sheets import Refused, Row, Sheet
from doselang.patients.words import Words, outcome_words
from doselang.protocol.model import Protocol, Toxicity
from doselang.resolve.names import listing

LATER, LATER_KNOWN = "later", "later-known"
"""The columns of a toxicity in later cycles, and of the day on which it came."""


def later_ones(protocol: Protocol) -> dict[str, Toxicity]:
    """By letter, the toxicities in later cycles that a protocol has."""
    return {toxicity.letter: toxicity for toxicity in protocol.toxicities if toxicity.later}


def is_less_severe(protocol: Protocol, letter: str, than: str) -> bool:
    """Whether a toxicity in later cycles can follow an outcome: they are declared from the most severe on."""
    letters = [toxicity.letter for toxicity in protocol.toxicities]
    return letter == NONE or (letter in letters and letters.index(letter) > letters.index(than))


def not_an_outcome(toxicity: Toxicity) -> Refused:
    """Why a toxicity in later cycles is not what became of a patient first."""
    return Refused(
        f"`{toxicity.name}` comes in later cycles, to a patient who is known already",
        f"Write here what was known first, such as none, and {toxicity.name} in the column `{LATER}`, with its day in"
        f" `{LATER_KNOWN}`.",
    )


@define
class LaterColumns:
    """Reads the columns of toxicities in later cycles, row by row; faults go into the report of the table."""

    sheet: Sheet
    protocol: Protocol
    codes: Mapping[str, str]
    dated: bool
    _words: Words[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._words = outcome_words(self.protocol, self.codes)

    def read(self, row: Row, patient: Patient, on: date | None) -> Patient | None:
        """The patient of a row with the toxicity that came later, if any, on a day; None where that cannot be."""
        letter = self.sheet.take("DL803", row, LATER, self._letter)
        if letter is None or not (letter or on):
            return patient if letter is not None else None
        refused = self._day_refused(letter, on) or self._together(patient, letter, on)
        if refused is not None:
            code, column, why = refused
            self.sheet.refuse(code, row, column, why)
            return None
        return evolve(patient, later=letter, later_known=on)

    def _letter(self, cell: str) -> str | Refused:
        """The letter of a toxicity in later cycles; nothing where none came."""
        later = later_ones(self.protocol)
        read = self._words.read(cell)
        if read in (NONE, PENDING):
            return ""
        help = f"Write {listing([one.name for one in later.values()], 'or')} here, and nothing where none came."
        if isinstance(read, Refused):
            near = read.help if read.help is not None and read.help.startswith("Did you mean") else help
            return Refused(read.why, near)
        if read in later:
            return read
        name = next((one.name for one in self.protocol.toxicities if one.letter == read), "inevaluable")
        return Refused(f"`{name}` does not come in later cycles: it is an outcome, in the column `outcome`", help)

    def _day_refused(self, letter: str, on: date | None) -> tuple[str, str, Refused] | None:
        """What is wrong with a day that is there without a toxicity, or the other way round."""
        if not self.dated:
            return "DL804", LATER, Refused(
                "a toxicity in later cycles needs its day, and no patient has a day of entering",
                "Give the day of the first dose of every patient in a column `entered`, and that of this toxicity in"
                f" `{LATER_KNOWN}`.",
            )  # fmt: skip
        if on is None:
            name = later_ones(self.protocol)[letter].name
            help = f"Every toxicity in later cycles has one, in a column `{LATER_KNOWN}`."
            return "DL804", LATER_KNOWN, Refused(f"the day on which the {name} came is missing", help)
        if not letter:
            help = f"Write the toxicity in the column `{LATER}`, or leave the day empty."
            return "DL805", LATER_KNOWN, Refused("there is a day, and no toxicity in later cycles", help)
        return None

    def _together(self, patient: Patient, letter: str, on: date | None) -> tuple[str, str, Refused] | None:
        """What cannot be true of the toxicity together with the outcome before it."""
        name = later_ones(self.protocol)[letter].name
        if patient.outcome in (PENDING, INEVALUABLE):
            what = "has no outcome yet" if patient.outcome == PENDING else "is inevaluable"
            help = "It comes to a patient who is known, without toxicity or with a lesser one: write that outcome."
            return "DL805", LATER, Refused(f"the patient {what}, and had a {name} in a later cycle", help)
        if not is_less_severe(self.protocol, patient.outcome, letter):
            first = next(one.name for one in self.protocol.toxicities if one.letter == patient.outcome)
            why = f"the patient had a {first}, and a {name} in a later cycle is not more severe"
            help = "The patient counts by the most severe toxicity: leave the two cells empty."
            return "DL805", LATER, Refused(why, help)
        known = known_on(patient, windows_of(self.protocol))
        before = max(day for day in (known, patient.entered) if day is not None)
        if on is not None and on <= before:
            why = f"the {name} in a later cycle came on {on}, and the outcome before it was known on {before}"
            return "DL805", LATER_KNOWN, Refused(why, "It comes after that day: is one of the days wrong?")
        return None
