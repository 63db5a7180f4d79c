"""What a trial's tables hold of the time after the day that is asked for, in words: it is not used."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from doselang.conduct.conducted import Conducted
from doselang.conduct.days import known_on, windows_of
from doselang.protocol.model import Protocol
from doselang.report.phrases import counted, listed


def unused_words(conducted: Conducted, protocol: Protocol, on: date) -> str | None:
    """How many patients, outcomes and decisions lie after a day, as a sentence; None where none does.

    An outcome is counted of patients who had entered by then; `none` is known when the window ends.
    """
    windows = windows_of(protocol)
    entered = [one for one in conducted.patients if one.entered is not None and one.entered <= on]
    late = {
        "patient": len(conducted.patients) - len(entered),
        "outcome": _after(on, (known_on(one, windows) for one in entered)),
        "decision": _after(on, (one.on for one in conducted.decisions)),
    }
    told = [counted(number, noun) for noun, number in late.items() if number]
    if not told:
        return None
    alone = sum(late.values()) == 1
    return f"{listed(told)} {'lies' if alone else 'lie'} after {on}, and {'is' if alone else 'are'} not used."


def _after(on: date, days: Iterable[date | None]) -> int:
    return sum(day is not None and day > on for day in days)
