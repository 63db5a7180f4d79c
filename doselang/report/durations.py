"""The panel of a picture that shows how long trials take: bars for one design, lines for several side by side."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from attrs import frozen

from doselang.protocol.windows import MONTH
from doselang.report.panels import (
    DESIGNS,
    PATIENTS,
    SURE,
    Distribution,
    Look,
    distribution_lines,
    error_bars,
    heading,
    reach,
    share_axis,
    words_above,
)
from doselang.report.sheets import Row, Sheet, duration_of, quartiles
from doselang.simulate.characteristics import Classes, Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DURATIONS = 36
"""Where there would be more bars, they are of longer classes."""
LONG = 120
"""Trials longer than so many days are shown in months."""

QUARTILES: dict[str, Any] = {
    "color": "black", "linewidth": 3.0, "solid_capstyle": "butt", "marker": "|", "markersize": 9.0,
}  # fmt: skip
MEDIAN: dict[str, Any] = {
    "color": "black", "linestyle": "none", "marker": "D", "markersize": 6.5, "markerfacecolor": "white",
}  # fmt: skip
"""How the quartiles and the median are marked, in a panel and in its key."""


def in_longer(classes: Classes, width: int) -> Classes:
    """The same in classes of `width` days, a multiple of what they were."""
    of, rest = divmod(width, classes.width)
    assert of and not rest, f"classes of {classes.width} days are not parts of {width} days"
    counts = (sum(classes.counts[start : start + of]) for start in range(0, len(classes.counts), of))
    return Classes(width, tuple(counts))


@frozen
class Scale:
    """What the durations of a picture have in common: days in a unit, days in a bar, and where the axes end."""

    unit: str
    unit_days: float
    width: int
    across: tuple[float, float]
    frequency: float


def scale_of(sheet: Sheet) -> Scale | None:
    """The scale for all trials of a picture; None without a clock."""
    spreads = [spread for row in sheet.rows for one in row.found if (spread := duration_of(one)) is not None]
    every = [spread.distribution for spread in spreads if spread.distribution is not None]
    if not every:
        return None
    longest = max(len(one.counts) * one.width for one in every)
    width = max(one.width for one in every)
    while longest > width * MOST_DURATIONS:
        width = 7 if width == 1 else 2 * width
    unit, days = ("months", MONTH) if longest > LONG else ("days", 1.0)
    tops = [weight for spread in spreads for weight in _tops(spread, width)]
    end = (longest + (-longest) % width) / days
    return Scale(unit, days, width, (-0.02 * end, 1.02 * end), reach(tops, 10, 104))


def _tops(spread: Spread, width: int) -> list[float]:
    shares, errors = _shares(spread, width)
    return [100 * (share + SURE * error) for share, error in zip(shares, errors, strict=True)]


def _shares(spread: Spread, width: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The share of trials in each class, and its standard error."""
    assert spread.distribution is not None
    shares = tuple(count / spread.number for count in in_longer(spread.distribution, width).counts)
    return shares, tuple(sqrt(share * (1 - share) / spread.number) for share in shares)


def durations(axes: Axes, sheet: Sheet, row: Row, scale: Scale) -> None:
    """The distribution of the trial's duration: bars and quartiles, or the share of trials that are over by a time."""
    from matplotlib.ticker import MaxNLocator

    found = [spread for one in row.found if (spread := duration_of(one)) is not None]
    if sheet.several:
        lines = [(_until(spread, scale), look) for spread, look in zip(found, DESIGNS, strict=False)]
        distribution_lines(axes, lines, f"durations-{row.number}")
        share_axis(axes, 104, "trials that are over\nby then (%)")
        words_above(axes, f"medians: {'; '.join(_number(quartiles(spread)[1], scale) for spread in found)}")
    else:
        _bars(axes, found[0], scale, f"duration-{row.number}", PATIENTS)
        share_axis(axes, scale.frequency, "trials (%)")
        low, middle, high = (_number(days, scale) for days in quartiles(found[0]))
        words_above(axes, f"median {middle}, quartiles {low} and {high},\nmean {_number(found[0].mean, scale)}")
    heading(axes, "Duration of a trial")
    axes.set_xlim(*scale.across)
    axes.set_xlabel(f"duration in {scale.unit}{'' if sheet.several else _bar_words(scale)}")
    steps = [1, 2, 3, 6, 10] if scale.unit == "months" else [1, 2, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=steps))


def _bar_words(scale: Scale) -> str:
    return "\n(a bar: 1 day)" if scale.width == 1 else f"\n(a bar: {scale.width:,} days)"


def _until(spread: Spread, scale: Scale) -> Distribution:
    """The classes at their last days, as finely as they are known: the shares that are over by then are exact."""
    assert spread.distribution is not None
    width, counts = spread.distribution.width, spread.distribution.counts
    some = [place for place, count in enumerate(counts) if count]
    values = tuple((place + 1) * width / scale.unit_days for place in some)
    return Distribution(values, tuple(counts[place] / spread.number for place in some), scale.unit)


def _bars(axes: Axes, spread: Spread, scale: Scale, name: str, look: Look) -> None:
    """A bar for each class, as wide as the class; below them a line from quartile to quartile, and the median."""
    shares, errors = _shares(spread, scale.width)
    wide = scale.width / scale.unit_days
    middles, heights = [(place + 0.5) * wide for place in range(len(shares))], [100 * share for share in shares]
    for place, bar in enumerate(axes.bar(middles, heights, wide, color=look.fill, edgecolor="black", linewidth=0.6)):
        bar.set_gid(f"{name}-{place}")
    error_bars(axes, middles, heights, [100 * error for error in errors])
    low, middle, high = (days / scale.unit_days for days in quartiles(spread))
    (line,) = axes.plot([low, high], [0, 0], clip_on=False, zorder=6, **QUARTILES)
    line.set_gid(f"{name}-quartiles")
    (mark,) = axes.plot([middle], [0], clip_on=False, zorder=7, **MEDIAN)
    mark.set_gid(f"{name}-median")


def _number(days: float, scale: Scale) -> str:
    value = days / scale.unit_days
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"
