"""Days as cells write them: `2026-03-01`, or as a map says; what could be two days is refused, not guessed."""

from __future__ import annotations

import re
from calendar import month_abbr, month_name, monthrange
from datetime import date, datetime, timedelta

from doselang.patients.sheets import Refused
from doselang.resolve.names import shorten

FIRST_YEAR, LAST_YEAR = 1900, 2199

MOST_SIGNS = 40
"""No date is longer, with its time."""

_FORMS = (
    *(
        between.join(parts)
        for parts in (
            ("%d", "%m", "%Y"),
            ("%m", "%d", "%Y"),
            ("%Y", "%m", "%d"),
            ("%d", "%b", "%Y"),
            ("%d", "%B", "%Y"),
        )
        for between in ("/", "-", ".", " ", "")
    ),
    "%b %d, %Y",
    "%B %d, %Y",
)
"""Ways of writing a day that a map may be told to give."""

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ](.*))?")
_TIME = re.compile(
    r"([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
)
_PARTIAL = re.compile(
    r"([0-9]{4})(-([0-9]{2}|-|--))?(-([0-9]{2}|-|--|[A-Z]{2}))?(T.*)?|[0-9]{4}-[A-Z]{2,3}(-[A-Z0-9]{2})?"
)
_SERIAL = re.compile(r"([1-9][0-9]{4})([.,][0-9]{1,12})?")
_RUN_TOGETHER = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_FIRST = re.compile(r"([0-9]{4})\s*[-/. ]\s*([0-9]{1,2})\s*[-/. ]\s*([0-9]{1,2})\.?(?:[T ].*)?")
_YEAR_LAST = re.compile(r"([0-9]{1,2})\s*[-/. ]\s*([0-9]{1,2})\s*[-/. ]\s*([0-9]{4})(?:[T ].*)?")
_TWO_DIGITS = re.compile(r"[0-9]{1,2}\s*([-/. ]?)\s*([0-9]{1,2}|[A-Za-z]{3,9})\s*[-/. ]?\s*[0-9]{2}")
_MONTH_NAMED = re.compile(r"([0-9]{1,2})[-/. ]*([A-Za-z]{3,9})[-/., ]*([0-9]{4})(?:[T: ].*)?")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})[-/. ]*([0-9]{1,2})[-/., ]+([0-9]{4})")

_DIRECTIVE = re.compile(r"%(.?)")
_RUN = re.compile(r"%[dmyYjHMS]%[dmyYjHMS]")

_EXCEL_ZERO = date(1899, 12, 30)


# ---- the form that a map gives ----


def wrong_form(form: str) -> Refused | None:
    """What is wrong with a `date-format`, None where it tells a day."""
    directives = _DIRECTIVE.findall(form)
    shown = f"`{shorten(form, 40)}`"
    help = 'For example: date-format = "%d%b%Y" for 01Mar2026, "%d/%m/%Y" for 01/03/2026.'
    unknown = next((one for one in directives if one not in "dmyYbBjHMS%" or not one), None)
    if unknown is not None:
        return Refused(f"{shown} holds `%{unknown}`, which is no part of a date here", help)
    parts = ["m" if one in "bB" else "Y" if one == "y" else one for one in directives if one != "%"]
    twice = next((one for one in parts if parts.count(one) > 1), None)
    if twice is not None or ("j" in parts and {"d", "m"} & set(parts)):
        return Refused(f"{shown} gives a part of the date twice", help)
    if "Y" not in parts or not ({"d", "m"} <= set(parts) or "j" in parts):
        return Refused(f"{shown} does not give year, month and day", help)
    return None


def _in_form(cell: str, form: str) -> date | Refused:
    """A day written as the map says; figures that run together must each have all their digits."""
    example = date(2026, 3, 1).strftime(form)
    other = Refused(
        f"`{shorten(cell, 40)}` is not written as the map's date-format `{shorten(form, 40)}` says",
        f"A day is written like {example}; all dates of the tables are written in this one way.",
    )
    try:
        moment = datetime.strptime(cell, form) if cell.isascii() else None
    except ValueError:
        moment = None
    if moment is None or (_RUN.search(form) and moment.strftime(form).lower() != cell.lower()):
        return other
    return _in_range(moment.date(), cell)


# ---- a cell ----


def day_of(cell: str, form: str | None = None) -> date | Refused:
    """The day that a cell gives, ISO 8601 unless the map gives a form; or why it cannot be taken."""
    if len(cell) > MOST_SIGNS:
        return _no_date(cell)
    if form is not None:
        return _in_form(cell, form)
    found = _ISO.fullmatch(cell)
    if found is None:
        return _refused(cell)
    day = _real(int(found[1]), int(found[2]), int(found[3]))
    if isinstance(day, str):
        return Refused(f"`{shorten(cell, 40)}` is no day: {day}", "Correct the day; it is written like 2026-03-01.")
    if found[4] is not None and _TIME.fullmatch(found[4]) is None:
        why = f"`{shorten(cell, 40)}` has a time that is none"
        return Refused(why, f"Write the day alone, {day}, or a time such as {day}T09:30.")
    return _in_range(day, cell)


def _in_range(day: date, cell: str) -> date | Refused:
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    return Refused(
        f"`{shorten(cell, 40)}` is in the year {day.year}",
        f"A day of a trial is in the years {FIRST_YEAR} to {LAST_YEAR}: is a figure of the year wrong?",
    )


def _real(year: int, month: int, day: int) -> date | str:
    """The day, or why there is no such day."""
    if not 1 <= month <= 12:
        return f"there is no month {month}"
    if year < 1:
        return "there is no year 0"
    days = monthrange(year, month)[1]
    if not 1 <= day <= days:
        return f"{month_name[month]} {year} has {days} days"
    return date(year, month, day)


# ---- why a cell is refused ----


def _refused(cell: str) -> Refused:
    """Why a cell that is not written like 2026-03-01 is refused: the first sentence that fits."""
    for told in (_partial, _serial, _year_last, _year_first, _with_month, _two_digits):
        refused = told(cell)
        if refused is not None:
            return refused
    return _no_date(cell)


def _no_date(cell: str) -> Refused:
    help = "Write a day like 2026-03-01, or say in a map how all dates are written, under `date-format`."
    return Refused(f"`{shorten(cell, 40)}` is no date", help)


def _partial(cell: str) -> Refused | None:
    found = _PARTIAL.fullmatch(cell)
    if found is None or (found[1] and not FIRST_YEAR <= int(found[1]) <= LAST_YEAR):
        return None
    why = f"`{shorten(cell, 40)}` is a part of a date, and the day must be known"
    return Refused(why, "Write year, month and day, like 2026-03-01.")


def _serial(cell: str) -> Refused | None:
    found = _SERIAL.fullmatch(cell)
    if found is None:
        return None
    day = _EXCEL_ZERO + timedelta(days=int(found[1]))
    return Refused(
        f"`{shorten(cell, 40)}` is a number, as a spreadsheet counts days ({day} in most of them)",
        "Format the column as a date, yyyy-mm-dd, and save the table again.",
    )


def _year_last(cell: str) -> Refused | None:
    """Day and month in figures, and then the year: two days, unless one figure can be no month."""
    found = _YEAR_LAST.fullmatch(cell)
    if found is None:
        return None
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    days = [day for day in (_real(year, second, first), _real(year, first, second)) if isinstance(day, date)]
    shown = f"`{shorten(cell, 40)}`"
    if len(days) == 2 and first != second:
        named = [f"{day.day} {month_name[day.month]}" for day in days]
        return Refused(f"{shown} could be {named[0]} or {named[1]}", _advice(cell, days))
    return _another_way(cell, days[0] if days else None)


def _year_first(cell: str) -> Refused | None:
    found = _YEAR_FIRST.fullmatch(cell) or _RUN_TOGETHER.fullmatch(cell)
    if found is None:
        return None
    day = _real(int(found[1]), int(found[2]), int(found[3]))
    return _another_way(cell, day if isinstance(day, date) else None)


def _with_month(cell: str) -> Refused | None:
    """A day with the name of its month: 01MAR2026, 1-Mar-2026, March 1, 2026."""
    found = _MONTH_NAMED.fullmatch(cell)
    day, name = (found[1], found[2]) if found else ("", "")
    if found is None:
        found = _MONTH_FIRST.fullmatch(cell)
        if found is None:
            return None
        day, name = found[2], found[1]
    months = [short.lower() for short in month_abbr]
    if name[:3].lower() not in months:
        return None
    real = _real(int(found[3]), months.index(name[:3].lower()), int(day))
    return _another_way(cell, real if isinstance(real, date) else None)


def _another_way(cell: str, day: date | None) -> Refused:
    if day is None:
        return Refused(f"`{shorten(cell, 40)}` is no day of the calendar", "Write a day like 2026-03-01.")
    return Refused(f"`{shorten(cell, 40)}` is not written like 2026-03-01", _advice(cell, [day]))


def _advice(cell: str, days: list[date]) -> str:
    """What to write, and what a map would say if all dates were written so, the first of the days being meant."""
    write = f"Write {' or '.join(str(day) for day in days)}"
    form = next((form for form in _FORMS if _in_form(cell, form) == days[0]), None)
    if form is None:
        return f"{write}."
    return f'{write}, or say in a map how all dates are written, for example: date-format = "{form}".'


def _two_digits(cell: str) -> Refused | None:
    if _TWO_DIGITS.fullmatch(cell) is None:
        return None
    why = f"`{shorten(cell, 40)}` has a year of two digits"
    return Refused(why, "Write the year with four digits, like 2026-03-01.")
