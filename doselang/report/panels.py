"""Panels of a picture: bars by category, the figures above them, true rates, distributions; readable without colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, inf
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from doselang.report.printable import printable, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT, SMALL = 8.0, 7.0
"""Sizes of type in points: axes; figures above a panel."""

SURE = 1.96
"""Error bars reach so many standard errors to each side: 95% intervals."""

MOST_BARS = 60
"""A distribution over more values than these is drawn in classes of equal width."""


@frozen
class Look:
    """How a bar is filled, and how a line of the same design is drawn; no two are alike in black and white."""

    fill: str
    hatch: str = ""
    line: Literal["-"] | tuple[float, tuple[float, ...]] = "-"
    marker: str = "o"


DESIGNS = (
    Look("#2f4b6c", "", "-", "o"),
    Look("#e3e9ef", "////", (0.0, (5.0, 2.0)), "s"),
    Look("#8fb0cf", "\\\\\\\\", (0.0, (1.0, 1.5)), "^"),
    Look("#ffffff", "xxxx", (0.0, (6.0, 2.0, 1.0, 2.0)), "v"),
    Look("#b9b9b9", "----", (0.0, (3.0, 1.0, 1.0, 1.0, 1.0, 1.0)), "X"),
    Look("#f6ead2", "||||", (0.0, (10.0, 3.0)), "P"),
)
"""Looks of designs side by side."""

SELECTED, NONE = Look("#8fb0cf"), Look("#ffffff", "////")
PATIENTS, TOXIC = Look("#d7e1ea"), Look("#2f4b6c")


@frozen
class Series:
    """The bars of one design in a panel: a height a category, and standard errors where figures are simulated.

    `name` identifies the bars in the picture: `selected-1-0` with `-2` is the bar of
    the third category in the second scenario and the first design.
    """

    name: str
    heights: tuple[float, ...]
    errors: tuple[float, ...] | None
    looks: tuple[Look, ...]


@frozen
class Distribution:
    """How often a quantity has which value: `weights` add up to 1, `unit` is what an axis says of the values.

    `errors` are the standard errors of the weights, None where they are exact. Values may be any real numbers:
    patients, or days.
    """

    values: tuple[float, ...]
    weights: tuple[float, ...]
    unit: str
    errors: tuple[float, ...] | None = None

    @property
    def mean(self) -> float:
        return sum(value * weight for value, weight in zip(self.values, self.weights, strict=True))

    @property
    def sorted(self) -> Distribution:
        """The same, by value."""
        order = sorted(range(len(self.values)), key=self.values.__getitem__)
        errors = None if self.errors is None else tuple(self.errors[place] for place in order)
        values, weights = (tuple(of[place] for place in order) for of in (self.values, self.weights))
        return Distribution(values, weights, self.unit, errors)


# ---- words ----


def wrapped(text: str, columns: int, most: int | None = None) -> list[str]:
    """A text in lines of at most so many columns; words that are longer are broken. At most `most` lines."""
    lines, line = [], ""
    for word in printable(text).split():
        while width(word) > columns:
            room = columns - width(line) - bool(line)
            if room < min(4, columns):
                lines.append(line)
                line, room = "", columns
            piece = _head(word, room)
            lines.append(f"{line} {piece}".strip())
            line, word = "", word[len(piece) :]
        if line and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    lines += [line] if line or not lines else []
    if most is not None and len(lines) > most:
        return [*lines[: most - 1], f"{_head(lines[most - 1], columns - 1)}…"]
    return lines


def _head(word: str, columns: int) -> str:
    """As many signs as fit, at least one."""
    taken = 1
    while taken < len(word) and width(word[: taken + 1]) <= columns:
        taken += 1
    return word[:taken]


def percent_label(share: float) -> str:
    """`28.5%`, `<0.1%`, `0`; short enough to stand above a bar."""
    if share == 0:
        return "0"
    return "<0.1%" if share < 0.0005 else f"{share:.1%}" if share < 0.9995 else f"{share:.0%}"


# ---- panels ----


def bars(axes: Axes, series: Sequence[Series]) -> None:
    """Bars by category, those of several designs beside each other; error bars where there are standard errors."""
    each = 0.8 / len(series)
    for number, one in enumerate(series):
        at = [place - 0.4 + each * (number + 0.5) for place in range(len(one.heights))]
        drawn = axes.bar(
            at, one.heights, each * 0.94, color=[look.fill for look in one.looks], edgecolor="black", linewidth=0.6,
            hatch=[look.hatch for look in one.looks],
        )  # fmt: skip
        for place, bar in enumerate(drawn):
            bar.set_gid(f"{one.name}-{place}")
        error_bars(axes, at, one.heights, one.errors)


def error_bars(axes: Axes, at: Sequence[float], heights: Sequence[float], errors: Sequence[float] | None) -> None:
    """95% intervals, not below 0; none where figures are exact."""
    if errors is None:
        return
    below = [min(height, SURE * error) for height, error in zip(heights, errors, strict=True)]
    above = [SURE * error for error in errors]
    axes.errorbar(at, heights, yerr=[below, above], fmt="none", ecolor="black", elinewidth=0.8, capsize=2, zorder=4)


def categories(axes: Axes, labels: Sequence[str], columns: int, apart: int) -> int:
    """Name the categories below their bars, and draw a line before position `apart`; the most lines of a name."""
    lines = [wrapped(label, columns, 4) for label in labels]
    axes.set_xticks(range(len(labels)), ["\n".join(of) for of in lines], fontsize=TEXT)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.tick_params(axis="x", length=0)
    if 0 < apart < len(labels):
        axes.axvline(apart - 0.5, color="0.4", linewidth=0.6, linestyle=(0, (1, 2)))
    return max(len(of) for of in lines)


def figures_above(axes: Axes, rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Rows of figures above the bars, as in a table: each with its name to the left."""
    for number, (name, figures) in enumerate(rows):
        height = 6 + (len(rows) - 1 - number) * (SMALL + 2.5)
        axes.annotate(
            name, (0, 1), (-4, height), xycoords="axes fraction", textcoords="offset points", ha="right", va="bottom",
            fontsize=SMALL,
        )  # fmt: skip
        for place, figure in enumerate(figures):
            axes.annotate(
                figure, (place, 1), (0, height), xycoords=("data", "axes fraction"), textcoords="offset points",
                ha="center", va="bottom", fontsize=SMALL,
            )  # fmt: skip


def heading(axes: Axes, words: str) -> None:
    """What a panel shows, above its figures."""
    axes.annotate(
        words, (0.5, 1), (0, 6 + 2 * (SMALL + 2.5) + 1), xycoords="axes fraction", textcoords="offset points",
        ha="center", va="bottom", fontsize=TEXT, fontstyle="italic",
    )  # fmt: skip


def words_above(axes: Axes, words: str) -> None:
    """A line of words above a panel."""
    axes.annotate(
        words, (0.5, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", ha="center", va="bottom",
        fontsize=SMALL,
    )  # fmt: skip


def rate_look(number: int) -> Look:
    """How the true rates of a toxicity are marked: the first white inside, so as to show on any bar."""
    return (
        Look("white", "", "-", "D") if number == 0 else Look("black", "", (0.0, (1.0, 1.5)), "s^vP"[(number - 1) % 4])
    )


def true_rates(axes: Axes, rates: Sequence[Sequence[float]], name: str, *, line: bool = True) -> None:
    """The true rates by level, each toxicity with its own marker; without a line where levels are no single ladder."""
    for number, of_toxicity in enumerate(rates):
        look = rate_look(number)
        (drawn,) = axes.plot(
            range(len(of_toxicity)), [100 * rate for rate in of_toxicity], color="black", linewidth=0.9,
            linestyle=look.line if line else "none", marker=look.marker, markersize=5, markerfacecolor=look.fill,
            markeredgewidth=1.1, zorder=5,
        )  # fmt: skip
        drawn.set_gid(f"{name}-{number}")


def target_line(axes: Axes, target: float, levels: int, name: str) -> None:
    """The target rate, across the levels."""
    (line,) = axes.plot(
        [-0.5, levels - 0.5], [100 * target] * 2, color="black", linewidth=1.2, linestyle=(0, (6, 3)), zorder=3
    )
    line.set_gid(name)


def distribution_bars(axes: Axes, found: Distribution, name: str, look: Look) -> None:
    """A bar for each value; in classes of equal width where there are very many. The mean is marked by a triangle."""
    shown = in_classes(found.sorted)
    gap = min((b - a for a, b in zip(shown.values, shown.values[1:], strict=False)), default=1.0)
    heights = [100 * weight for weight in shown.weights]
    drawn = axes.bar(shown.values, heights, 0.8 * gap, color=look.fill, edgecolor="black", linewidth=0.6)
    for place, bar in enumerate(drawn):
        bar.set_gid(f"{name}-{place}")
    errors = None if shown.errors is None else [100 * error for error in shown.errors]
    error_bars(axes, shown.values, heights, errors)
    (mark,) = axes.plot(
        [found.mean], [0], marker="^", markersize=7, color="black", clip_on=False, zorder=6, linestyle="none"
    )
    mark.set_gid(f"{name}-mean")


def in_classes(found: Distribution) -> Distribution:
    """At most MOST_BARS bars: the values as they are, or classes of equal width, each at its middle.

    Of a class the standard error is an upper bound: the sum of those of its values.
    """
    if len(found.values) <= MOST_BARS:
        return found
    low, high = found.values[0], found.values[-1]
    whole = all(float(value).is_integer() for value in found.values)
    step = (high - low + whole) / (MOST_BARS // 2)
    step = float(ceil(step)) if whole else step
    first = low - 0.5 if whole else low
    classes = ceil((high - first) / step - 1e-9)
    weights, errors = [0.0] * classes, [0.0] * classes
    for place, value in enumerate(found.values):
        into = min(int((value - first) / step), classes - 1)
        weights[into] += found.weights[place]
        errors[into] += 0.0 if found.errors is None else found.errors[place]
    middles = tuple(first + step * (number + 0.5) for number in range(classes))
    return Distribution(middles, tuple(weights), found.unit, None if found.errors is None else tuple(errors))


def distribution_lines(axes: Axes, found: Sequence[tuple[Distribution, Look]], name: str) -> None:
    """The share of trials with at most a value, as steps, a line for each design."""
    low = min(value for one, _ in found for value in one.values)
    high = max(value for one, _ in found for value in one.values)
    edge = 0.04 * (high - low or 1.0)
    for number, (one, look) in enumerate(found):
        shown, total = one.sorted, 0.0
        at, reached = [low - edge], [0.0]
        for value, weight in zip(shown.values, shown.weights, strict=True):
            total += weight
            at.append(value)
            reached.append(100 * total)
        at.append(high + edge)
        reached.append(100 * total)
        (line,) = axes.plot(
            at, reached, drawstyle="steps-post", color="black" if number % 2 == 0 else "0.35", linewidth=1.3,
            linestyle=look.line, marker=look.marker, markersize=4, markerfacecolor="white",
            markevery=_every(len(at), number, len(found)),
        )  # fmt: skip
        line.set_gid(f"{name}-{number}")


def _every(points: int, number: int, designs: int) -> list[int]:
    """Where a line has its markers: few, and those of the lines not at the same places."""
    step = max(2, points // 5)
    return list(range(1 + number * step // max(designs, 1), points - 1, step)) or [0]


def reach(values: Iterable[float], step: float, most: float = inf) -> float:
    """Where an axis ends: the next multiple of `step` above all values, at most `most`."""
    top = max(values, default=0.0)
    return min(max(step, ceil(top * 1.02 / step) * step), most)


def share_axis(axes: Axes, limit: float, words: str) -> None:
    """The upright axis of shares in percent, from 0 to a limit."""
    step = 20 if limit > 60 else 10 if limit > 20 else 5
    axes.set(ylim=(0, limit), ylabel=words)
    axes.set_yticks(range(0, int(limit) + 1, step))
