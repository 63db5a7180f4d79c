"""How long trials take, in pictures and as data: every bar counts trials, every mark is a trial's duration."""

from __future__ import annotations

import json
from math import ceil, inf, sqrt
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from doselang.cli import run
from doselang.protocol.model import Protocol
from doselang.protocol.windows import MONTH
from doselang.report.durations import in_longer, scale_of
from doselang.report.pictures import characteristics_picture, draw
from doselang.report.sheets import Design, described, duration_of, sheet_of
from doselang.simulate.characteristics import Characteristics, Classes
from doselang.simulate.clock import Timing
from doselang.simulate.timed import timed_trials
from doselang.simulate.timed_figures import MOST_CLASSES, classes_of, figures, timed
from tests.documents import ROOT
from tests.samples import reference
from tests.test_pictures import LONG, bars, crowding, design, joined, rising, texts

SLOW = Timing(months=(0.4,))
QUICK = Timing(months=(3000.0,), waits=inf, window=14.0)
ONE_A_WEEK = Timing(every=7.0, onset="at the end")


def with_clock(
    protocol: Protocol, number: int = 0, timing: Timing | None = None, trials: int = 400
) -> tuple[Characteristics, list[float]]:
    """The figures of some trials, and the trials' durations in days."""
    found = timed_trials(protocol, rising(len(protocol.levels), number), timing, trials=trials, seed=5)
    return figures(found), found.duration.tolist()


def last(figure: Figure, row: int, panels: int) -> Axes:
    """The panel of durations of a row."""
    return figure.axes[row * panels + panels - 1]


# ---- classes ----


@pytest.mark.parametrize("longest", [0.0, 0.3, 1.0, 119.5, 120.0, 121.0, 839.0, 841.0, 5e6])
def test_classes_count_every_trial_once(longest: float) -> None:
    days = np.append(np.random.default_rng(3).uniform(0, longest, 300), [0.0, longest])
    found = classes_of(days)
    assert len(found.counts) <= MOST_CLASSES
    for place, count in enumerate(found.counts):
        low, high = place * found.width, (place + 1) * found.width
        assert count == sum(low < day <= high or (not place and day == 0) for day in days.tolist())
    assert sum(found.counts) == len(days)


def test_longer_classes_are_made_of_shorter_ones() -> None:
    assert in_longer(Classes(1, tuple(range(16))), 7) == Classes(7, (21, 70, 29))
    assert in_longer(Classes(14, (1, 2, 3)), 28) == Classes(28, (3, 3))
    assert in_longer(Classes(7, (4, 5)), 7) == Classes(7, (4, 5))
    with pytest.raises(AssertionError, match="not parts"):
        in_longer(Classes(14, (1,)), 7)


# ---- one design ----


@pytest.mark.parametrize(
    ("timing", "unit", "days"), [(None, "months", MONTH), (SLOW, "months", MONTH), (QUICK, "days", 1.0)]
)
def test_bars_count_trials_and_marks_are_the_quartiles(timing: Timing | None, unit: str, days: float) -> None:
    found = [with_clock(reference(2), number, timing) for number in range(2)]
    figure = draw(sheet_of([Design("a", tuple(one for one, _ in found))]))
    for row, (_, durations) in enumerate(found):
        axes, ordered = last(figure, row, 4), sorted(durations)
        assert axes.get_xlabel().startswith(f"duration in {unit}\n(a bar: ")
        inside = 0
        for bar in axes.patches:
            low, high = days * bar.get_x(), days * (bar.get_x() + bar.get_width())
            number = sum(low + 1e-9 < day <= high + 1e-9 for day in ordered)
            assert bar.get_height() == pytest.approx(100 * number / len(ordered))
            inside += number
        assert inside == len(ordered)
        marks = {line.get_gid(): line.get_xdata() for line in axes.lines}
        quartiles = [ordered[ceil(share * len(ordered)) - 1] / days for share in (0.25, 0.5, 0.75)]
        assert list(marks[f"duration-{row}-quartiles"]) == pytest.approx([quartiles[0], quartiles[2]])
        assert list(marks[f"duration-{row}-median"]) == pytest.approx([quartiles[1]])
        low, high = axes.get_xlim()
        assert low <= 0 and ordered[-1] / days <= high
        assert all(bar.get_x() + bar.get_width() <= high for bar in axes.patches)


def test_a_trial_that_lasts_for_whole_weeks_is_in_the_class_that_ends_then() -> None:
    one, durations = with_clock(reference(2), 0, ONE_A_WEEK)
    spread = duration_of(one)
    assert spread is not None and spread.distribution is not None and all(day == int(day) for day in durations)
    for place, count in enumerate(spread.distribution.counts):
        width = spread.distribution.width
        assert count == sum(place * width < day <= (place + 1) * width for day in durations)


def test_error_bars_of_durations_are_95_percent_intervals() -> None:
    one, durations = with_clock(reference(2))
    axes = last(draw(sheet_of([Design("a", (one,))])), 0, 4)
    (container,) = (c for c in axes.containers if hasattr(c, "has_yerr"))
    (marks,) = container[2]
    for bar, ((_, low), (_, high)) in zip(axes.patches, marks.get_segments(), strict=True):
        share = bar.get_height() / 100
        error = sqrt(share * (1 - share) / len(durations))
        assert high == pytest.approx(100 * (share + 1.96 * error))
        assert low == pytest.approx(100 * max(0.0, share - 1.96 * error))
        assert high <= axes.get_ylim()[1]


def test_rows_have_the_same_axes() -> None:
    found = [with_clock(reference(3), number) for number in (0, 6)]
    figure = draw(sheet_of([Design("a", tuple(one for one, _ in found))]))
    first, second = last(figure, 0, 4), last(figure, 1, 4)
    assert first.get_xlim() == second.get_xlim() and first.get_ylim() == second.get_ylim()
    widths = [bar.get_width() for bar in (*first.patches, *second.patches)]
    assert widths == pytest.approx([widths[0]] * len(widths))


def test_without_a_clock_no_duration_is_shown() -> None:
    one = design(reference(3), rising(3))
    sheet = sheet_of([one])
    assert scale_of(sheet) is None and len(draw(sheet).axes) == 3
    assert "duration" not in joined(characteristics_picture([one], "svg"))
    assert "duration" not in described(sheet)


# ---- several designs ----


def test_designs_side_by_side_have_a_line_each() -> None:
    timings = [None, SLOW, QUICK]
    found = [with_clock(reference(3, start), 0, timing) for start, timing in enumerate(timings)]
    figure = draw(sheet_of([Design(str(place), (one,)) for place, (one, _) in enumerate(found)]))
    axes = last(figure, 0, 5)
    lines = {line.get_gid(): line for line in axes.lines}
    for place, (_, durations) in enumerate(found):
        line = lines[f"durations-0-{place}"]
        assert line.get_drawstyle() == "steps-post"
        for at, reached in list(zip(line.get_xdata(), line.get_ydata(), strict=True))[1:-1]:
            over = sum(day <= MONTH * at + 1e-6 for day in durations)
            assert reached == pytest.approx(100 * over / len(durations))
        assert line.get_ydata()[-1] == pytest.approx(100)
    assert not bars(figure).keys() & {"duration-0-0"}


# ---- words, and room for them ----


def test_the_picture_says_all_about_durations_as_text() -> None:
    one, durations = with_clock(reference(3))
    picture = characteristics_picture([Design("a", (one,))], "svg")
    words, ordered = joined(picture), sorted(durations)
    low, middle, high = (ordered[ceil(share * len(ordered)) - 1] for share in (0.25, 0.5, 0.75))
    assert f"median {middle / MONTH:.1f}, quartiles {low / MONTH:.1f} and {high / MONTH:.1f}" in words
    assert f"mean {sum(ordered) / len(ordered) / MONTH:.1f}" in words
    assert {"Duration of a trial", "duration in months", "trials (%)"} <= set(texts(picture))
    assert "quartiles, and between them the median" in words
    assert "patients as they come, 2 patients a month, at random (Poisson); error bars" in words
    said = described(sheet_of([Design("a", (one,))]))
    assert f"; median duration {middle:.0f} days, quartiles {low:.0f} and {high:.0f}." in said


@pytest.mark.parametrize("timing", [None, QUICK, Timing(months=(0.001,))])
@pytest.mark.parametrize("many", [1, 2, 6])
def test_durations_have_room(many: int, timing: Timing | None) -> None:
    of = [rising(4, number, f"{number} {LONG}") for number in range(2)]
    found = [
        Design(f"design {place} {LONG}", timed(reference(4, place % 4), of, timing, trials=60, seed=place))
        for place in range(many)
    ]
    assert crowding(draw(sheet_of(found))) == []


def test_trials_that_all_take_equally_long_are_drawn() -> None:
    one, durations = with_clock(reference(1), 0, ONE_A_WEEK, trials=1)
    figure = draw(sheet_of([Design("a", (one,))]))
    (bar,) = (bar for bar in last(figure, 0, 4).patches if bar.get_height())
    assert bar.get_height() == pytest.approx(100) and len(durations) == 1
    assert crowding(figure) == []


# ---- the command ----


def test_the_distribution_is_in_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(ROOT / "protocols" / "designs" / "three-plus-three.dose")
    options = ["--scenario", "rising", "--method", "timed", "--trials", "500", "--seed", "2"]
    assert run(["simulate", file, *options, "--format", "json", "--plot", "a.svg"]) == 0
    figure = json.loads(capsys.readouterr().out)["scenarios"][0]["timing"]["duration_days"]
    found = figure["distribution"]
    shares = {int(day): share for day, share in found["probability"].items()}
    assert sum(shares.values()) == pytest.approx(1) and all(day % found["class_days"] == 0 for day in shares)
    middle = figure["quantiles"]["50%"]["value"]
    below = sum(share for day, share in shares.items() if day < middle)
    assert below < 0.5 <= below + next(share for day, share in shares.items() if day >= middle)
    assert "Duration of a trial" in texts(Path("a.svg").read_bytes())
