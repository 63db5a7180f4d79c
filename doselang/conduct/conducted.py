"""What was done in a trial, as its records have it: who was treated where, what became of them, what was decided."""

from __future__ import annotations

from datetime import date
from typing import Literal

from attrs import frozen

from doselang.source import NOWHERE, Span

Step = Literal["chosen", "declared", "closed", "stopped"]


@frozen
class Patient:
    """A patient of the trial: a row of a table.

    `level` is a position on the ladder; `part` a position among the parts, None where the table does not say.
    `outcome` is a letter of the notation of histories: `N`, that of a toxicity, `x` inevaluable, `.` while it is not
    known. `entered` is the day of the first dose, `known` that on which the outcome became known; both are None in a
    table without dates, and `known` also where the table gives no day: no toxicity is then known when the window ends.
    `later` is the letter of a toxicity in later cycles that came after the outcome was known, and is more severe than
    it, on the day `later_known`; empty and None where none came.
    """

    name: str
    level: int
    part: int | None = None
    entered: date | None = None
    outcome: str = "."
    known: date | None = None
    place: Span = NOWHERE
    later: str = ""
    later_known: date | None = None


@frozen
class Decided:
    """A decision that the trial took, apart from treating patients.

    `chosen`: people chose an `option` of those that a rule leaves them, counted from 0. `declared`: a `verdict` (its
    position) at a `level`, None for "there is none". `closed`: a `level`, as too toxic. `stopped`: the trial.
    """

    what: Step
    on: date | None = None
    level: int | None = None
    verdict: int | None = None
    option: int | None = None
    by: str = ""
    place: Span = NOWHERE


@frozen
class Cycle:
    """A cycle of a patient's treatment: the level, and the events that came in it (positions)."""

    patient: str
    number: int
    level: int
    events: tuple[int, ...] = ()
    place: Span = NOWHERE


@frozen
class Conducted:
    """All that is known of a trial. `dated` tells whether every patient has a day of entering.

    Patients are in the order of entering; where there are no dates that is the order of the table, and every outcome
    that is known became known before the next patient entered.
    """

    patients: tuple[Patient, ...]
    decisions: tuple[Decided, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    dated: bool = False
