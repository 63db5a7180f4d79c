"""Reading a timing file: TOML with documented keys, every time with its unit. What is wrong is told with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from attrs import define, evolve, field

from doselang.diagnostics import Trouble, trouble
from doselang.protocol.windows import MONTH, UNITS
from doselang.resolve.names import listing, nearest, shorten
from doselang.simulate.clock import Timing

MOST_DAYS = 36_525.0
MOST_A_MONTH = 1_000.0
MOST_POINTS = 1_000
"""How long a time may be, how many patients may come in a month, and how many entries a list may have."""

KEYS: dict[str, tuple[str, ...]] = {
    "arrivals": ("rate", "months", "every", "when-full", "waits-at-most", "stagger"),
    "outcome": ("window", "later-cycles", "time-to-dlt", "shape", "scale", "table", "drop-out"),
    "committee": ("delay",),
    "course": ("cycle",),
    "follow-up": ("until", "loss"),
}
"""The sections of a timing file, with their keys."""

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s+(day|week|month|year)s?")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s+(?:patients?\s+)?(?:an?|per)\s+(day|week|month|year)")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%(?:\s+(?:an?|per)\s+(day|week|month|year))?")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def read_timing(text: str, path: str) -> Timing:
    """The times that a file gives. Raises Trouble DL901 for what is not TOML, DL903 for what is not understood."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise trouble("DL901", f"{path} is not TOML: {shorten(what)}.", help=_example()) from None
    return _Reader(text, path).read(tables)


def with_arrivals(timing: Timing, text: str) -> Timing:
    """The times, with the arrivals of the command line: patients a month, at random."""
    try:
        rate = float(text) if text.isascii() and "_" not in text else -1.0
    except ValueError:
        rate = -1.0
    if not (isfinite(rate) and 0 < rate <= MOST_A_MONTH):
        raise trouble(
            "DL903", f"`--arrivals {shorten(text, 40)}` is not a number of patients a month, above 0 and at most"
            f" {MOST_A_MONTH:,.0f}.", help="For example: --arrivals 2",
        )  # fmt: skip
    return evolve(timing, months=(rate,), every=None, arrivals_source="--arrivals")


def _example() -> str:
    return 'For example: [arrivals] on one line, and below it: rate = "2 a month"'


@define
class _Reader:
    """Reads one file; `found` are the fields of the timing."""

    text: str
    path: str
    found: dict[str, Any] = field(factory=dict)

    def read(self, tables: dict[str, Any]) -> Timing:
        for section, table in tables.items():
            if section not in KEYS:
                raise self._unknown("section", section, list(KEYS), None)
            if not isinstance(table, dict):
                raise self.wrong(None, section, "is a section", f"Write [{section}] on a line of its own.")
            for key, value in table.items():
                if key not in KEYS[section]:
                    raise self._unknown("key", key, list(KEYS[section]), section)
                self._take(section, key, value)
        self._together()
        return Timing(**self.found, source=self.path)

    def _take(self, section: str, key: str, value: Any) -> None:
        duration = partial(self.duration, section, key)
        readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "rate": ("months", lambda one: (self.rate(section, key, one),)),
            "months": ("months", lambda many: tuple(self.rate(section, key, one) for one in self.several(key, many))),
            "every": ("every", duration),
            "when-full": ("when_full", lambda one: self.word(section, key, one, ("turn-away", "wait"))),
            "waits-at-most": ("waits", duration),
            "stagger": ("stagger", duration),
            "window": ("window", duration),
            "later-cycles": ("later", duration),
            "time-to-dlt": (
                "onset", lambda one: self.word(section, key, one, ("uniform", "weibull", "table", "at the end"))
            ),
            "shape": ("shape", self._shape),
            "scale": ("scale", duration),
            "table": ("table", self._table),
            "drop-out": ("drop_out", lambda one: self.share(section, key, one)),
            "delay": ("delay", duration),
            "cycle": ("cycle", duration),
            "until": ("follow_up", duration),
            "loss": ("loss", self._loss),
        }  # fmt: skip
        name, read = readers[key]
        if name in self.found:
            raise self.wrong(section, key, "is given twice, as `rate` and as `months`", "Leave one out.")
        self.found[name] = read(value)

    def _together(self) -> None:
        """What several keys say together."""
        found = self.found
        if "months" in found and "every" in found:
            raise self.wrong("arrivals", "every", "goes without `rate` and `months`", "Leave one of them out.")
        full = found.pop("when_full", None)
        if full == "turn-away":
            if "waits" in found:
                raise self.wrong("arrivals", "waits-at-most", 'goes with when-full = "wait"', "Leave one out.")
            found["waits"] = 0.0
        elif full == "wait":
            found.setdefault("waits", inf)
        for name, key, onset in (
            ("shape", "shape", "weibull"), ("scale", "scale", "weibull"), ("table", "table", "table")
        ):  # fmt: skip
            if name in found and found.get("onset") != onset:
                raise self.wrong("outcome", key, f'goes with time-to-dlt = "{onset}"', "Write both.")
            if name not in found and found.get("onset") == onset:
                raise self.wrong(
                    "outcome", "time-to-dlt", f'is "{onset}", and there is no `{key}`',
                    'For example: shape = 2, scale = "20 days"' if onset == "weibull"
                    else 'For example: table = [["7 days", "20%"], ["28 days", "100%"]]',
                )  # fmt: skip
        for section, key in (("course", "cycle"), ("outcome", "scale")):
            if found.get(key) == 0:
                raise self.wrong(section, key, "is 0 days", "Give more than 0.")

    # ---- values ----

    def duration(self, section: str, key: str, value: Any) -> float:
        """A time with its unit, in days."""
        found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            number = value if isinstance(value, int | float) and not isinstance(value, bool) else 28
            number = number if 0 < number < 10_000 else 28
            raise self.wrong(
                section, key, f"is {self._shown(value)}, which is no time with its unit",
                f'For example: {key} = "{number:g} days"; the units are days, weeks, months and years.',
            )  # fmt: skip
        days = float(found[1]) * UNITS[found[2]]
        if days > MOST_DAYS:
            raise self.wrong(section, key, f"is longer than {MOST_DAYS:,.0f} days", "Give a shorter time.")
        return days

    def rate(self, section: str, key: str, value: Any) -> float:
        """Patients a month."""
        found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            example = '["1 a month", "2 a month"]' if key == "months" else '"2 a month"'
            raise self.wrong(
                section, key, f"has {self._shown(value)}, which is no number of patients in a time",
                f"For example: {key} = {example}",
            )  # fmt: skip
        rate = float(found[1]) * MONTH / UNITS[found[2]]
        if rate > MOST_A_MONTH or (rate == 0 and key == "rate"):
            range_ = f"above 0 and at most {MOST_A_MONTH:,.0f}"
            raise self.wrong(section, key, f"has {self._shown(value)}", f"The patients a month are {range_}.")
        return rate

    def share(self, section: str, key: str, value: Any) -> float:
        """A percentage."""
        found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None or found[2] or float(found[1]) > 100:
            what = f"is {self._shown(value)}, which is no percentage from 0% to 100%"
            raise self.wrong(section, key, what, f'For example: {key} = "5%"')
        return float(found[1]) / 100

    def word(self, section: str, key: str, value: Any, words: tuple[str, ...]) -> str:
        if value not in words:
            near = nearest(value, words) if isinstance(value, str) else None
            help = f'Did you mean "{near}"?' if near else f"It is one of {listing(words)}."
            raise self.wrong(section, key, f"is {self._shown(value)}", help)
        return str(value)

    def several(self, key: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_POINTS:
            what = f"is not a list of 1 to {MOST_POINTS:,} entries"
            example = '["1 a month", "2 a month"]' if key == "months" else '[["7 days", "20%"], ["28 days", "100%"]]'
            raise self.wrong("outcome" if key == "table" else "arrivals", key, what, f"For example: {key} = {example}")
        return value

    def _shape(self, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0.01 <= value <= 100:
            what = f"is {self._shown(value)}, which is no number from 0.01 to 100"
            raise self.wrong("outcome", "shape", what, "For example: shape = 2")
        return float(value)

    def _table(self, value: Any) -> tuple[tuple[float, float], ...]:
        points = []
        for entry in self.several("table", value):
            if not isinstance(entry, list) or len(entry) != 2:
                raise self.wrong("outcome", "table", "has an entry that is not a time and a share", _TABLE)
            points.append((self.duration("outcome", "table", entry[0]), self.share("outcome", "table", entry[1])))
        rises = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))
        if not rises or points[-1][1] != 1.0:
            raise self.wrong("outcome", "table", "has times or shares that do not rise, to 100% in the end", _TABLE)
        return tuple(points)

    def _loss(self, value: Any) -> float:
        """A rate of loss, a day: of those who are left the given share is lost in each such time."""
        found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None or not found[2] or float(found[1]) > 100:
            what = f"is {self._shown(value)}, which is no percentage in a time"
            raise self.wrong("follow-up", "loss", what, 'For example: loss = "2% a month"')
        return float(found[1]) / 100 / UNITS[found[2]]

    # ---- what is wrong, and where ----

    def _shown(self, value: Any) -> str:
        return f"`{shorten(str(value), 40)}`"

    def _unknown(self, what: str, word: str, names: list[str], section: str | None) -> Trouble:
        near = nearest(word, names)
        where = f" in [{section}]" if section else ""
        help = f"Did you mean `{near}`?" if near else f"There {'are' if len(names) > 1 else 'is'} {listing(names)}."
        message = f"{self._place(section, word)}: the {what} `{shorten(word, 40)}`{where} is unknown."
        return trouble("DL903", message, help=help)

    def wrong(self, section: str | None, key: str, what: str, help: str) -> Trouble:
        return trouble("DL903", f"{self._place(section, key)}: `{key}` {what}.", help=help)

    def _place(self, section: str | None, key: str) -> str:
        """`timing.toml, line 3`, as far as the line is found."""
        here: str | None = None
        for number, line in enumerate(self.text.splitlines(), 1):
            header, assigned = _HEADER.match(line), _KEY.match(line)
            if header:
                here = header[1]
                if section is None and here == key:
                    return f"{self.path}, line {number}"
            elif assigned and assigned[1] == key and here == section:
                return f"{self.path}, line {number}"
        return self.path


_TABLE = 'For example: table = [["7 days", "20%"], ["28 days", "100%"]]'
