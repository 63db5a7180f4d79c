"""Rows of a table as patients: what each cell means, and what cannot be true of a patient or of them together."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

from attrs import define, evolve, field

from doselang.conduct.conducted import Patient
from doselang.conduct.days import windows_of
from doselang.diagnostics import Label
from doselang.machine.notation import INEVALUABLE, MOST_PATIENTS, NONE, PENDING
from doselang.patients.columns import Column, TableKind
from doselang.patients.days import day_of
from doselang.patients.later import LATER, LATER_KNOWN, LaterColumns, later_ones, not_an_outcome
from doselang.patients.maps import Map
from doselang.patients.sheets import Refused, Row, Sheet
from doselang.patients.words import Words, flag, level_words, outcome_words, part_words
from doselang.protocol.model import Protocol
from doselang.protocol.words import counted_together
from doselang.resolve.names import fold, shorten

PATIENTS = TableKind(
    "patients",
    (
        Column("patient", needed=True, aliases=("USUBJID", "SUBJID")),
        Column("level", needed=True),
        Column("part"),
        Column("entered"),
        Column("outcome", needed=True),
        Column("known"),
        Column("dlt"),
        Column("evaluable"),
    ),
    MOST_PATIENTS,
)

WITH_LATER = evolve(PATIENTS, columns=(*PATIENTS.columns, Column(LATER), Column(LATER_KNOWN)))
"""The same where the protocol has toxicities in later cycles."""

MOST_SIGNS = 100
"""So long the name of a patient may be."""


def patients_kind(protocol: Protocol) -> TableKind:
    """The table of patients of a protocol."""
    return WITH_LATER if later_ones(protocol) else PATIENTS


def read_patients(sheet: Sheet, protocol: Protocol, given: Map, today: date) -> tuple[tuple[Patient, ...], bool]:
    """The patients of a table in the order of entering, and whether it has their days. Faults are reported.

    No day may be after `today`.
    """
    dated = any(sheet.cell(row, "entered") for row in sheet.rows)
    _refuse_days_without_entering(sheet, dated)
    _refuse_twins(sheet)
    reader = _Reader(sheet, protocol, given, dated, today)
    found = [patient for patient in map(reader.patient, sheet.rows) if patient is not None]
    if dated:
        found.sort(key=lambda patient: patient.entered or date.min)
    return tuple(found), dated


def name_of(cell: str) -> str | Refused:
    """The name of a patient: any signs that can be seen."""
    if not cell:
        return Refused("a patient has no name", "Give each patient a name or a number of its own.")
    unseen = next((sign for sign in cell if not sign.isprintable()), None)
    if unseen is not None:
        what = "a line break" if unseen in "\n\r" else f"a sign that cannot be seen, U+{ord(unseen):04X}"
        return Refused(f"the name of a patient holds {what}", "Write the name anew, in letters and figures.")
    if len(cell) > MOST_SIGNS:
        return Refused(f"the name of a patient has more than {MOST_SIGNS} signs", "Is a quotation mark misplaced?")
    return cell


def day_cell(form: str | None, today: date, cell: str) -> date | Refused | None:
    """The day of a cell that may be empty; a table says what was done, until `today`."""
    day = day_of(cell, form) if cell else None
    if isinstance(day, date) and day > today:
        why = f"{day} is in the future: today is {today}"
        return Refused(why, "Is a figure of the day wrong? What is to come is left out.")
    return day


def _refuse_twins(sheet: Sheet) -> None:
    """Report patients with more than one row."""
    first: dict[str, Row] = {}
    for row in sheet.rows:
        name = sheet.cell(row, "patient")
        before = first.setdefault(fold(name), row) if name else row
        if before is not row:
            sheet.report.add(
                "DL805",
                f"Row {row.number}, column `{sheet.heading('patient')}`: patient `{shorten(name, 40)}` is in row"
                f" {before.number} already.",
                row.cell_span(sheet.columns["patient"]),
                labels=[Label(before.cell_span(sheet.columns["patient"]), "the first row of this patient")],
                help="A patient has one row; letter case makes no difference.",
            )


def _refuse_days_without_entering(sheet: Sheet, dated: bool) -> None:
    """Report days on which outcomes became known where no patient has a day of entering."""
    known = [row for row in sheet.rows if sheet.cell(row, "known")]
    if not dated and known:
        sheet.refuse("DL804", known[0], "known", Refused(
            "there is a day on which an outcome became known, and no patient has a day of entering",
            "Give the day of the first dose of every patient in a column `entered`, or no days at all.",
        ))  # fmt: skip


@define
class _Reader:
    """Reads the rows of one table of patients, each by itself."""

    sheet: Sheet
    protocol: Protocol
    given: Map
    dated: bool
    today: date
    _levels: Words[int] = field(init=False)
    _parts: Words[int] = field(init=False)
    _outcomes: Words[str] = field(init=False)
    _later: LaterColumns = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._levels = level_words(self.protocol, self.given.levels)
        self._parts = part_words(self.protocol, self.given.parts)
        self._outcomes = outcome_words(self.protocol, self.given.outcomes)
        self._later = LaterColumns(self.sheet, self.protocol, self.given.outcomes, self.dated)

    def patient(self, row: Row) -> Patient | None:
        """The patient of a row; None, with the faults in the report, where cells cannot be taken."""
        sheet, before = self.sheet, len(self.sheet.report)
        day = partial(day_cell, self.given.date_format, self.today)
        name = sheet.take("DL803", row, "patient", name_of)
        level = sheet.take("DL803", row, "level", self._levels.read)
        part = sheet.take("DL803", row, "part", lambda cell: self._parts.read(cell) if cell else None)
        entered = sheet.take("DL804", row, "entered", day)
        known = sheet.take("DL804", row, "known", day)
        later = sheet.take("DL804", row, LATER_KNOWN, day)
        outcome = self._outcome(row)
        if len(sheet.report) > before or name is None or level is None or outcome is None:
            return None
        self._refuse_missing_days(row, entered, outcome, known)
        self._refuse_contradictions(row, entered, outcome, known)
        if len(sheet.report) > before:
            return None
        return self._later.read(row, Patient(name, level, part, entered, outcome, known, row.span), later)

    def _outcome(self, row: Row) -> str | None:
        """The letter of the outcome, by the word of a cell, or by flags."""
        sheet, flags = self.sheet, "dlt" in self.sheet.columns
        column = "dlt" if flags else "outcome"
        outcome = sheet.take("DL803", row, column, self._of_flag if flags else self._of_word)
        if outcome is None or "evaluable" not in sheet.columns:
            return outcome
        evaluable = sheet.take("DL803", row, "evaluable", flag)
        if evaluable is None:
            if outcome == NONE and not sheet.cell(row, "evaluable"):
                why = "it is not said whether this patient, who has no toxicity, is evaluable"
                sheet.refuse("DL803", row, "evaluable", Refused(why, "Write Y or N."))
            return outcome
        if evaluable and outcome == PENDING and not sheet.cell(row, column):
            help = (
                'Write it; if an empty cell means that there is none, the map says so: [patients.outcomes] "" = "none"'
            )
            sheet.refuse("DL803", row, column, Refused("the patient is evaluable, and the outcome is missing", help))
        return self._together(row, outcome, evaluable=evaluable)

    def _together(self, row: Row, outcome: str, *, evaluable: bool) -> str:
        """The outcome of a patient who is marked as evaluable, or as not."""
        if not evaluable and outcome in (NONE, PENDING):
            return INEVALUABLE
        if evaluable == (outcome == INEVALUABLE):
            what = "is inevaluable, and is marked as evaluable" if evaluable else (
                f"has the outcome {self._name(outcome)}, and is marked as not evaluable"
            )  # fmt: skip
            help = "A patient with a toxicity is evaluable: correct one of the two columns."
            self.sheet.refuse("DL805", row, "evaluable", Refused(f"the patient {what}", help))
        return outcome

    def _of_word(self, cell: str) -> str | Refused:
        """The outcome that a word tells; a toxicity in later cycles has its own column."""
        read, later = self._outcomes.read(cell), later_ones(self.protocol)
        return not_an_outcome(later[read]) if isinstance(read, str) and read in later else read

    def _of_flag(self, cell: str) -> str | Refused:
        """The outcome that a column of Y and N tells; codes of the map come first."""
        if fold(cell) in self.given.outcomes:
            return self.given.outcomes[fold(cell)]
        found = flag(cell)
        if isinstance(found, Refused):
            return found
        first = self.protocol.toxicities[0]
        together = [group for group in self.protocol.groups if 0 in group.classes and fold(first.name) != "dlt"]
        if found and together:
            why = f"`{cell}` could be {counted_together(self.protocol, together[0].name, 'or')}"
            help = "Name the toxicity in a column `outcome`, or say what `Y` means in the map, [patients.outcomes]."
            return Refused(why, help)
        return PENDING if found is None else first.letter if found else NONE

    def _name(self, letter: str) -> str:
        """The toxicity of a letter."""
        return next((one.name for one in self.protocol.toxicities if one.letter == letter), letter)

    # ---- what cannot be true ----

    def _refuse_missing_days(self, row: Row, entered: date | None, outcome: str, known: date | None) -> None:
        if not self.dated:
            return
        if entered is None:
            self.sheet.refuse("DL804", row, "entered", Refused(
                "this patient has no day of entering, and others have",
                "Give the day of the first dose of every patient, or of none.",
            ))  # fmt: skip
        if known is None and outcome not in (NONE, PENDING, INEVALUABLE):
            self.sheet.refuse("DL804", row, "known", Refused(
                f"the day on which the outcome {self._name(outcome)} became known is missing",
                "In a table with days every toxicity has one, in a column `known`.",
            ))  # fmt: skip
        if known is None and outcome in (NONE, INEVALUABLE) and windows_of(self.protocol).longest is None:
            self.sheet.refuse("DL804", row, "known", Refused(
                "the day on which the outcome became known is missing, and the protocol does not say how long"
                " patients are watched",
                "Give the day in a column `known`, or the window in the protocol: `toxicity DLT  within 28 days`.",
            ))  # fmt: skip

    def _refuse_contradictions(self, row: Row, entered: date | None, outcome: str, known: date | None) -> None:
        if known is None:
            return
        if entered is not None and known < entered:
            why = f"the outcome became known on {known}, before the first dose on {entered}"
            self.sheet.refuse("DL805", row, "known", Refused(why, "Is one of the two days wrong?"))
        elif entered is not None:
            self._refuse_beside_window(row, entered, outcome, known)
        if outcome == PENDING and "dlt" not in self.sheet.columns:
            why = "the outcome is not known yet, and there is a day on which it became known"
            self.sheet.refuse("DL805", row, "known", Refused(why, "Write the outcome, or leave the day empty."))
        if "dlt" in self.sheet.columns and outcome in (NONE, PENDING, INEVALUABLE):
            toxicity = self.protocol.toxicities[0].name
            why = f"the patient has no {toxicity}, and there is a day on which it became known"
            help = (
                f"With `dlt` the day is that of a {toxicity}. Where it is the day of any outcome, name the column"
                " as `outcome` in the map, with its codes under [patients.outcomes]."
            )
            self.sheet.refuse("DL805", row, "known", Refused(why, help))

    def _refuse_beside_window(self, row: Row, entered: date, outcome: str, known: date) -> None:
        """Nobody is without toxicity before the window ends, and nobody inevaluable who finished it."""
        longest = windows_of(self.protocol).longest
        if longest is None or "dlt" in self.sheet.columns:
            return
        ends = entered + timedelta(longest)
        if outcome == NONE and known < ends:
            self.sheet.refuse("DL805", row, "known", Refused(
                f"the window of this patient ends on {ends}, and `none` is known then, not on {known}",
                f"Write {ends} or a later day, or none at all; a patient who left before is `inevaluable`.",
            ))  # fmt: skip
        if outcome == INEVALUABLE and known > ends:
            self.sheet.refuse("DL805", row, "known", Refused(
                f"the window of this patient ended on {ends}, and who has finished it is evaluable",
                "Write the day, until then, on which the patient left; one who finished the window has `none` or a"
                " toxicity.",
            ))  # fmt: skip
