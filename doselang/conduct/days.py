"""The days of a trial: when windows end, and what became known on which day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from math import ceil

from attrs import frozen

from doselang.conduct.conducted import Conducted, Cycle, Decided, Patient
from doselang.machine.notation import NONE, PENDING
from doselang.protocol.model import Protocol
from doselang.protocol.windows import days_of, window_of

USUAL_CYCLE = 28.0
"""Days of a cycle, where nothing depends on it: a file whose windows are in cycles says how long one is."""


@frozen
class Windows:
    """How long patients are watched, in days: by toxicity, None where the protocol does not say; `alone` by part.

    `at_once` tells for each toxicity whether patients become known with it, and not in later cycles.
    """

    ends: tuple[int | None, ...]
    alone: tuple[int | None, ...]
    at_once: tuple[bool, ...]

    @property
    def longest(self) -> int | None:
        """When a patient without any toxicity is cleared; None where no window is known."""
        known = [days for days, at_once in zip(self.ends, self.at_once, strict=True) if days is not None and at_once]
        return max(known, default=None)

    def cleared(self, patient: Patient) -> date | None:
        """The day on which a patient without toxicity is cleared, None where it is not known."""
        if patient.entered is None or self.longest is None:
            return None
        return patient.entered + timedelta(self.longest)


def windows_of(protocol: Protocol) -> Windows:
    """The windows that a protocol gives."""
    cycle = days_of(protocol.cycle) or USUAL_CYCLE

    def end(words: str | None) -> int | None:
        window = window_of(words, cycle)
        return None if window is None else ceil(window[1])

    return Windows(
        tuple(end(toxicity.window) for toxicity in protocol.toxicities),
        tuple(None if part.alone is None else end(f"within {part.alone}") for part in protocol.parts),
        tuple(not toxicity.later for toxicity in protocol.toxicities),
    )


@frozen
class Event:
    """What happened on a day (None in a trial without dates): a patient entered or became known, or a decision.

    `patient` is a position in the trial's patients; `later`: who is known already has a toxicity in a later cycle.
    """

    on: date | None
    patient: int | None = None
    enters: bool = False
    later: bool = False
    decided: Decided | None = None


def known_on(patient: Patient, windows: Windows) -> date | None:
    """The day on which a patient's outcome is known: nobody is cleared before the window ends.

    Who left on a day that nobody noted is known to have left when the window ends. None where the outcome is pending,
    or the trial has no dates.
    """
    if patient.outcome == PENDING:
        return None
    cleared = windows.cleared(patient) if patient.known is None or patient.outcome == NONE else None
    days = [day for day in (patient.known, cleared) if day is not None]
    return max(days, default=None)


def events_of(conducted: Conducted, windows: Windows, until: date | None = None) -> tuple[Event, ...]:
    """What happened until a day, in order: on one day outcomes come first, then decisions, then patients who enter."""
    return tuple(_dated(conducted, windows, until) if conducted.dated else _undated(conducted))


def _undated(conducted: Conducted) -> Iterator[Event]:
    """Each patient enters when the one before is known, if ever; decisions come last."""
    for number, patient in enumerate(conducted.patients):
        yield Event(None, number, enters=True)
        if patient.outcome != PENDING:
            yield Event(None, number)
    yield from (Event(None, decided=decided) for decided in conducted.decisions)


def _dated(conducted: Conducted, windows: Windows, until: date | None) -> list[Event]:
    found: list[tuple[date, int, Event]] = []
    for number, patient in enumerate(conducted.patients):
        assert patient.entered is not None
        found.append((patient.entered, 2, Event(patient.entered, number, enters=True)))
        known = known_on(patient, windows)
        if known is not None:
            # who is known on the first day is known after entering
            order = 0 if known > patient.entered else 3
            found.append((known, order, Event(known, number)))
        if patient.later and patient.later_known is not None:
            found.append((patient.later_known, 0, Event(patient.later_known, number, later=True)))
    found += [(decided.on, 1, Event(decided.on, decided=decided)) for decided in conducted.decisions if decided.on]
    found.sort(key=lambda one: one[:2])
    return [event for day, _, event in found if until is None or day <= until]


def cycles_of(conducted: Conducted) -> dict[str, list[Cycle]]:
    """By patient the cycles of treatment, in order."""
    found: dict[str, list[Cycle]] = {}
    for cycle in sorted(conducted.cycles, key=lambda cycle: cycle.number):
        found.setdefault(cycle.patient, []).append(cycle)
    return found
