"""Rows of the further tables of a trial: decisions, and cycles of patients' treatment."""

from __future__ import annotations

import re
from datetime import date
from functools import partial

from attrs import define, field

from doselang.conduct.conducted import Cycle, Decided, Step
from doselang.diagnostics import Label
from doselang.patients.columns import Column, TableKind
from doselang.patients.maps import Map
from doselang.patients.people import day_cell
from doselang.patients.sheets import Refused, Row, Sheet
from doselang.patients.words import Words, event_words, level_words, verdict_words
from doselang.protocol.model import Protocol
from doselang.resolve.names import Names, fold, listing, nearest, shorten

DECISIONS = TableKind(
    "decisions",
    (Column("date"), Column("what", needed=True), Column("level"), Column("verdict"), Column("option"), Column("by")),
    10_000,
)

CYCLES = TableKind(
    "cycles",
    (Column("patient", needed=True, aliases=("USUBJID", "SUBJID")), Column("cycle", needed=True),
     Column("level", needed=True), Column("events", needed=True)),
    20_000,
)  # fmt: skip

TAKES: dict[Step, tuple[str, ...]] = {
    "chosen": ("level", "option"),
    "declared": ("level", "verdict"),
    "closed": ("level",),
    "stopped": (),
}
"""What may have been decided, and which columns say more of it."""

NO_LEVEL = "none"
"""In place of a level: that no level is declared."""

_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_BETWEEN = re.compile(r"[;,\s]+")


def count_of(cell: str) -> int | Refused:
    """A number from 1 on."""
    if _COUNT.fullmatch(cell):
        return int(cell)
    return Refused(f"`{shorten(cell, 40)}` is not a number from 1 on" if cell else "the number is missing")


# ---- decisions ----


def read_decisions(sheet: Sheet, protocol: Protocol, given: Map, *, dated: bool) -> tuple[Decided, ...]:
    """The decisions of a table, in the order of their days; without days in that of the table."""
    reader = _Decisions(sheet, protocol, given, dated)
    found = [decided for decided in map(reader.decided, sheet.rows) if decided is not None]
    if dated:
        found.sort(key=lambda decided: decided.on or date.min)
    return tuple(found)


@define
class _Decisions:
    """Reads the rows of a table of decisions."""

    sheet: Sheet
    protocol: Protocol
    given: Map
    dated: bool
    _levels: Words[int] = field(init=False)
    _verdicts: Words[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._levels = level_words(self.protocol, self.given.levels)
        self._verdicts = verdict_words(self.protocol)

    def decided(self, row: Row) -> Decided | None:
        """The decision of a row; None, with the faults in the report, where cells cannot be taken."""
        sheet, before = self.sheet, len(self.sheet.report)
        what: Step | None = sheet.take("DL803", row, "what", _step)
        on = sheet.take("DL804", row, "date", self._day)
        if what is None:
            return None
        self._refuse_more(row, what)
        level = sheet.take("DL803", row, "level", partial(self._level, what))
        verdict = sheet.take("DL803", row, "verdict", self._verdict) if what == "declared" else None
        option = sheet.take("DL803", row, "option", count_of) if what == "chosen" else None
        if len(sheet.report) > before:
            return None
        return Decided(
            what, on, level, verdict, None if option is None else option - 1, sheet.cell(row, "by"), row.span
        )

    def _day(self, cell: str) -> date | Refused | None:
        if self.dated and not cell:
            help = "Where the patients have days of entering, every decision has its day."
            return Refused("the day of the decision is missing", help)
        return day_cell(self.given.date_format, cell)

    def _refuse_more(self, row: Row, what: Step) -> None:
        """Report cells that say something of another kind of decision."""
        for column in ("level", "verdict", "option"):
            if column not in TAKES[what] and self.sheet.cell(row, column):
                takes = f"takes {listing(TAKES[what])} alone" if TAKES[what] else "stands alone"
                why = f"`{what}` {takes}"
                self.sheet.refuse("DL803", row, column, Refused(why, "Leave the cell empty, or correct `what`."))

    def _level(self, what: Step, cell: str) -> int | Refused | None:
        if what == "declared" and fold(cell) == NO_LEVEL:
            return None
        if what == "stopped" or (what == "chosen" and not cell):
            return None
        if what == "declared" and not cell:
            return Refused("the level is missing", "Write the level that was declared, or none.")
        return self._levels.read(cell)

    def _verdict(self, cell: str) -> int | Refused:
        return self._verdicts.read(cell) if cell else self.protocol.result


def _step(cell: str) -> Step | Refused:
    for step in TAKES:
        if fold(cell) == step:
            return step
    near = nearest(cell, TAKES)
    help = f"Did you mean `{near}`?" if near else f"It is {listing(list(TAKES), 'or')}."
    why = f"`{shorten(cell, 40)}` is no decision" if cell else "it is not said what was decided"
    return Refused(why, help)


# ---- cycles ----


def read_cycles(sheet: Sheet, protocol: Protocol, given: Map, people: Sheet) -> tuple[Cycle, ...]:
    """The cycles of a table, patient by patient in the order of the table of patients, each from the first on."""
    reader = _Cycles(sheet, protocol, given, people)
    found = [cycle for cycle in map(reader.cycle, sheet.rows) if cycle is not None]
    found.sort(key=lambda cycle: (reader.names.find(cycle.patient) or 0, cycle.number))
    if len(found) == len(sheet.rows):
        reader.refuse_gaps(found)
    return tuple(found)


@define
class _Cycles:
    """Reads the rows of a table of cycles; `names` are the patients of the table of patients."""

    sheet: Sheet
    protocol: Protocol
    given: Map
    people: Sheet
    names: Names = field(init=False)
    _levels: Words[int] = field(init=False)
    _events: Words[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._levels = level_words(self.protocol, self.given.levels)
        self._events = event_words(self.protocol)
        self.names = Names("patient", "patients", "")
        for row in self.people.rows:
            self.names.enter(self.people.cell(row, "patient"), row.span)

    def cycle(self, row: Row) -> Cycle | None:
        """The cycle of a row; None, with the faults in the report, where cells cannot be taken."""
        sheet, before = self.sheet, len(self.sheet.report)
        patient = sheet.take("DL803", row, "patient", self._patient)
        number = sheet.take("DL803", row, "cycle", count_of)
        level = sheet.take("DL803", row, "level", self._levels.read)
        events = sheet.take("DL803", row, "events", self._of_cell)
        if len(sheet.report) > before or patient is None or number is None or level is None or events is None:
            return None
        return Cycle(patient, number, level, events, row.span)

    def _patient(self, cell: str) -> str | Refused:
        position = self.names.find(cell) if cell else None
        if position is not None:
            return self.names.spelled[position]
        near = self.names.suggestion(cell) if cell else None
        why = f"the table of patients has no patient `{shorten(cell, 40)}`" if cell else "the patient is missing"
        return Refused(why, f"Did you mean `{near}`?" if near else None)

    def _of_cell(self, cell: str) -> tuple[int, ...] | Refused:
        found: set[int] = set()
        for word in _BETWEEN.split(cell):
            if word not in ("", ".") and fold(word) != "none":
                event = self._events.read(word)
                if isinstance(event, Refused):
                    return event
                found.add(event)
        return tuple(sorted(found))

    def refuse_gaps(self, cycles: list[Cycle]) -> None:
        """Report cycles of a patient that are there twice, or that do not follow the one before."""
        before: Cycle | None = None
        for cycle in cycles:
            last = before.number if before is not None and before.patient == cycle.patient else 0
            if cycle.number != last + 1:
                twice = cycle.number == last
                what = "is there twice" if twice else f"is missing, and cycle {cycle.number} is there"
                number = cycle.number if twice else last + 1
                labels = [Label(before.place, "the cycle before")] if last and before is not None else []
                self.sheet.report.add(
                    "DL805", f"Cycle {number} of patient `{shorten(cycle.patient, 40)}` {what}.", cycle.place,
                    labels=labels, help="The cycles of a patient are counted from 1, each in one row.",
                )  # fmt: skip
            before = cycle
