"""Times as protocols give them, in days; a month has 30.4375 days, a twelfth of a year."""

from __future__ import annotations

import re

MONTH = 365.25 / 12
UNITS = {"day": 1.0, "week": 7.0, "month": MONTH, "year": 365.25}

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) (hour|day|week|month|year)s?")
_IN_CYCLES = re.compile(r"within (?:cycle ([0-9]+)(?: to ([0-9]+))?|([0-9.]+) cycles?)")


def days_of(words: str | None) -> float | None:
    """`28 days` as a number of days."""
    found = _DURATION.fullmatch(words or "")
    return None if found is None else float(found[1]) * {"hour": 1 / 24, **UNITS}[found[2]]


def window_of(words: str | None, cycle: float) -> tuple[float, float] | None:
    """A window of the script in days from the patient's first day; None where it says none."""
    if words is None:
        return None
    days = days_of(words.removeprefix("within "))
    if days is not None:
        return 0.0, days
    found = _IN_CYCLES.fullmatch(words)
    if found is None:
        return None
    if found[3] is not None:
        return 0.0, float(found[3]) * cycle
    first = int(found[1])
    return (first - 1) * cycle, int(found[2] or first) * cycle
