"""The clock of a simulated trial: what a timing file says, and what it comes to for one protocol.

Times are in days; a month has 30.4375 days, a twelfth of a year.
"""

from __future__ import annotations

from math import inf, log
from typing import Literal

import numpy as np
from attrs import define, field, frozen

from doselang.diagnostics import trouble
from doselang.machine.weights import Floats
from doselang.protocol.model import Protocol
from doselang.protocol.windows import MONTH, days_of, window_of

LATER = 140.0
"""For so many days after they are known patients have toxicities in later cycles, if nobody says otherwise."""
MOST_TURNED_AWAY = 50
"""So many patients may come, on average, while the outcome of one is awaited."""

Onset = Literal["uniform", "weibull", "table", "at the end"]
TimedAccrual = Literal["as-they-come", "one-at-a-time", "whole-cohort"]
"""How patients enter with a clock; `as-they-come`: up to the cohort's size, whether or not others are pending."""


@frozen
class Timing:
    """What is known of the times of a trial; None where nothing is said. `source` tells who said it.

    `months` are patients a month, month by month, of which the last goes on; or one comes `every` so many days.
    `waits` is how long a patient waits who cannot enter. `table` are days and the share of the DLTs known by then.
    """

    months: tuple[float, ...] | None = None
    every: float | None = None
    waits: float | None = None
    stagger: float | None = None
    window: float | None = None
    later: float | None = None
    onset: Onset | None = None
    shape: float | None = None
    scale: float | None = None
    table: tuple[tuple[float, float], ...] | None = None
    drop_out: float | None = None
    delay: float | None = None
    cycle: float | None = None
    follow_up: float | None = None
    loss: float | None = None
    source: str = "given"
    arrivals_source: str | None = None


@frozen
class Assumed:
    """An assumption about time: of what, what it is in words, and who says so."""

    name: str
    value: str
    source: str


@frozen(eq=False)
class Clock:
    """All times of a trial, in days.

    `begins[t]` and `ends[t]` are the window of toxicity t, counted from the patient's first day; `window` the end of
    the last of those with which patients become known, at which one without toxicity is known. `alone` is for how long
    a sentinel is treated alone, by part, inf where the script gives no time. `loss` is a rate a day.
    """

    months: tuple[float, ...] | None
    every: float
    waits: float
    stagger: float
    begins: tuple[float, ...]
    ends: tuple[float, ...]
    window: float
    onset: Onset
    shape: float
    scale: float
    table: tuple[tuple[float, float], ...]
    drop_out: float
    delay: float
    cycle: float
    follow_up: float
    loss: float
    alone: tuple[float, ...]
    assumptions: tuple[Assumed, ...] = field(factory=tuple)

    def arrival(self, waited: Floats) -> Floats:
        """When patients come whose expected number till then is `waited` (Poisson; by inversion of the intensity)."""
        if self.months is None:
            raise ValueError("patients come at fixed intervals")
        rates = np.array(self.months)
        before = np.concatenate([[0.0], np.cumsum(rates)[:-1]])
        month = np.maximum(np.searchsorted(before, waited, side="left") - 1, 0)
        return np.asarray(MONTH * (month + (waited - before[month]) / rates[month]), np.float64)

    def onset_day(self, share: Floats, toxicity: int) -> Floats:
        """The day of a toxicity in its window, such that the share of those that come earlier is `share`."""
        begin, width = self.begins[toxicity], self.ends[toxicity] - self.begins[toxicity]
        match self.onset:
            case "uniform":
                return begin + width * share
            case "at the end":
                return np.full(share.shape, begin + width)
            case "weibull":
                return np.asarray(begin + np.minimum(_weibull(share, width, self.shape, self.scale), width), np.float64)
            case "table":
                days, shares = np.array([(0.0, 0.0), *self.table]).T
                return np.asarray(begin + np.minimum(np.interp(share, shares, days), width), np.float64)


def _weibull(share: Floats, width: float, shape: float, scale: float) -> Floats:
    """The day by which a share of the DLTs has come, of a Weibull distribution that is cut at `width`.

    Where the window is far shorter, or far longer, than the scale, its limits: the power (width / scale) ** shape is
    then not a number that can be told from 0, or from infinity.
    """
    if width == 0:
        return np.zeros_like(share)
    power = shape * log(width / scale)
    if power < -30:
        return np.asarray(width * share ** (1 / shape), np.float64)
    in_window = -np.expm1(-((width / scale) ** shape)) if power < 30 else 1.0
    return np.asarray(scale * (-np.log1p(-share * in_window)) ** (1 / shape), np.float64)


def clock_of(protocol: Protocol, timing: Timing) -> Clock:
    """The clock of a protocol, and every assumption that it makes.

    What the timing does not say is taken from the script, and else assumed. Raises Trouble DL903 for times that do not
    go together.
    """
    told = _Told(timing)
    cycle = _cycle(protocol, timing, told)
    windows = _windows(protocol, timing, cycle, told)
    at_once = [window for window, toxicity in zip(windows, protocol.toxicities, strict=True) if not toxicity.later]
    months = (2.0,) if timing.months is None and timing.every is None else timing.months
    told.arrivals(months)
    waits = told.waits()
    stagger = told.days("between two patients, at least", timing.stagger, None, 0.0)
    onset = told.onset()
    drop_out = 0.0 if timing.drop_out is None else timing.drop_out
    told.add("leave the window without a DLT", f"{100 * drop_out:.4g}% of patients", told.by(timing.drop_out))
    delay = told.days("from a look to what it opens", timing.delay, None, 0.0)
    alone = _alone(protocol, cycle, told)
    follow_up, loss = told.follow_up() if protocol.course is not None else (0.0, 0.0)
    clock = Clock(
        months, timing.every or 0.0, waits, stagger, tuple(w[0] for w in windows), tuple(w[1] for w in windows),
        max(w[1] for w in at_once), onset, timing.shape or 1.0, timing.scale or 1.0, timing.table or (), drop_out,
        delay, cycle, follow_up, loss, alone, tuple(told.found),
    )  # fmt: skip
    _check(clock, at_once)
    return clock


def _cycle(protocol: Protocol, timing: Timing, told: _Told) -> float:
    """The length of a cycle, told where it matters: to courses, and to times that are given in cycles."""
    script = days_of(protocol.cycle)
    written = [*(toxicity.window for toxicity in protocol.toxicities), *(part.alone for part in protocol.parts)]
    if protocol.course is None and not any("cycle" in words for words in written if words):
        return timing.cycle or script or 28.0
    return told.days("cycle of treatment", timing.cycle, script, 28.0)


def _windows(protocol: Protocol, timing: Timing, cycle: float, told: _Told) -> list[tuple[float, float]]:
    """The window of each toxicity: as given for all, else the script's, else that of another, else assumed."""
    at_once = [toxicity for toxicity in protocol.toxicities if not toxicity.later]
    written = {toxicity.name: window_of(toxicity.window, cycle) for toxicity in protocol.toxicities}
    known = [window for toxicity in at_once if (window := written[toxicity.name]) is not None]
    found: dict[str, tuple[float, float]] = {}
    for toxicity in at_once:
        name, window = f"window for {toxicity.name}", written[toxicity.name]
        if timing.window is not None or window is None:
            window = (0.0, told.days(name, timing.window, None, known[0][1] if known else 28.0))
        else:
            told.add(name, _window(*window), "the script")
        found[toxicity.name] = window
    end = max(window[1] for window in found.values())
    for toxicity in protocol.toxicities:
        if toxicity.later:
            found[toxicity.name] = _later(toxicity.name, written[toxicity.name], timing, end, told)
    return [found[toxicity.name] for toxicity in protocol.toxicities]


def _later(
    name: str, written: tuple[float, float] | None, timing: Timing, known: float, told: _Told
) -> tuple[float, float]:
    """The window of a toxicity in later cycles, which begins when patients are known at the earliest."""
    if timing.later is not None or written is None:
        days, source = (LATER, "assumed") if timing.later is None else (timing.later, timing.source)
        begin, end = known, known + days
    else:
        (begin, end), source = (max(written[0], known), written[1]), "the script"
    if end <= begin:
        raise trouble(
            "DL903", f"The window of `{name}` is over on day {end:g}, when patients become known: it comes later.",
            help="Give it a window that ends later, or write in [outcome] of the timing file for example: "
            'later-cycles = "140 days"',
        )  # fmt: skip
    told.add(f"window for {name}", _window(begin, end), source)
    return begin, end


def _window(begin: float, end: float) -> str:
    return f"from day {begin:g} to day {end:g}" if begin else _in_words(end)


def _alone(protocol: Protocol, cycle: float, told: _Told) -> tuple[float, ...]:
    """For how long the sentinels of each part are alone: as the script says, else until they are known, as is told."""
    found = []
    for part in protocol.parts:
        window = None if part.alone is None or part.sentinel is None else window_of(f"within {part.alone}", cycle)
        found.append(inf if window is None else window[1])
    watched = [(part, days) for part, days in zip(protocol.parts, found, strict=True) if part.sentinel is not None]
    alike = len({days for _, days in watched}) == 1
    for part, days in watched[:1] if alike else watched:
        name = f"after a sentinel{'' if alike else f' of {part.name}'}, the others enter"
        if days < inf:
            told.add(name, f"{_in_words(days)} after it enters, if no toxicity is known", "the script")
        else:
            told.add(name, "when the sentinel's outcome is known", "assumed")
    return tuple(found)


@define
class _Told:
    """Collects the assumptions, in the order in which they are shown."""

    timing: Timing
    found: list[Assumed] = field(factory=list)

    def by(self, value: object) -> str:
        return "assumed" if value is None else self.timing.source

    def add(self, name: str, value: str, source: str) -> None:
        self.found.append(Assumed(name, value, source))

    def days(self, name: str, given: float | None, script: float | None, default: float) -> float:
        """A number of days: what was given, else what the script says, else what is assumed."""
        for days, source in ((given, self.timing.source), (script, "the script")):
            if days is not None:
                self.add(name, _in_words(days), source)
                return days
        self.add(name, _in_words(default), "assumed")
        return default

    def arrivals(self, months: tuple[float, ...] | None) -> None:
        timing = self.timing
        source = timing.arrivals_source or self.by(timing.months or timing.every)
        if months is None:
            self.add("arrivals", f"one patient every {_in_words(timing.every or 0.0)}", source)
        else:
            rates = ", then ".join(f"{rate:g}" for rate in months)
            self.add("arrivals", f"{rates} patients a month, at random (Poisson)", source)

    def waits(self) -> float:
        waits = 0.0 if self.timing.waits is None else self.timing.waits
        words = "are turned away" if waits == 0 else "wait" if waits == inf else f"wait for {_in_words(waits)} at most"
        self.add("patients who cannot enter", words, self.by(self.timing.waits))
        return waits

    def onset(self) -> Onset:
        timing = self.timing
        onset: Onset = "uniform" if timing.onset is None else timing.onset
        words = str(onset)
        if onset == "weibull":
            words = f"Weibull, shape {timing.shape:g}, scale {_in_words(timing.scale or 0.0)}, cut at the end"
        if onset == "table":
            points = [f"{100 * share:.4g}% by day {day:g}" for day, share in timing.table or ()]
            words = f"{', '.join(points)}, linear between"
        self.add("time to DLT in the window", words, self.by(timing.onset))
        return onset

    def follow_up(self) -> tuple[float, float]:
        """How long patients are followed after the trial's end, and the rate of loss a day."""
        days = self.days("follow-up after the trial's end", self.timing.follow_up, None, 0.0)
        loss = 0.0 if self.timing.loss is None else self.timing.loss
        self.add("lost to follow-up, or died", f"{100 * loss * MONTH:.4g}% a month", self.by(self.timing.loss))
        return days, loss


def _in_words(days: float) -> str:
    return f"{days:g} day{'' if days == 1 else 's'}"


def _check(clock: Clock, windows: list[tuple[float, float]]) -> None:
    """Refuse times that do not go together, and trials in which too many patients would have to be drawn."""
    if clock.months is not None and clock.months[-1] <= 0:
        raise trouble(
            "DL903", "The last of the arrivals a month goes on for ever, so it must be more than 0.",
            help='For example, in [arrivals] of the timing file: months = ["0 a month", "2 a month"]',
        )  # fmt: skip
    if clock.onset == "table":
        last = clock.table[-1][0]
        window = min(end - begin for begin, end in windows)
        if last > window + 1e-9:
            raise trouble(
                "DL903", f"The table of times to DLT goes to day {last:g}, beyond the window of {window:g} days.",
                help="End the table at the end of the window, or give a longer `window`.",
            )  # fmt: skip
    pause = max([clock.window, *(days for days in clock.alone if days < inf)]) + clock.delay + clock.stagger
    often = 1 / clock.every if clock.every else max(clock.months or (0.0,)) / MONTH
    if clock.every == 0 and clock.months is None and clock.waits < inf:
        raise trouble(
            "DL903", "All patients come at once, and those who cannot enter do not wait.",
            help='Write in [arrivals] of the timing file: when-full = "wait"',
        )  # fmt: skip
    if clock.waits < inf and often * pause > MOST_TURNED_AWAY:
        raise trouble(
            "DL903",
            f"About {often * pause:,.0f} patients would come while one outcome is awaited, and {MOST_TURNED_AWAY} are"
            " the most that can be simulated.",
            help="Give fewer arrivals, a shorter window, or a timing file (`--timing`) with [arrivals] and, below it,"
            ' when-full = "wait"',
        )  # fmt: skip
