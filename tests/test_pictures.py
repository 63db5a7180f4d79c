"""Pictures: the bars are the figures, everything is named as text, nothing is cut off or stands on something else."""

from __future__ import annotations

import builtins
import re
import shutil
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from attrs import evolve
from matplotlib.axis import Tick
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from doselang.api import load, simulate
from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.protocol.model import Level, Protocol, Scenario, Toxicity, Verdict
from doselang.report.panels import Distribution, Look, distribution_bars, in_classes, wrapped
from doselang.report.pictures import characteristics_picture, draw, style
from doselang.report.sheets import Design, described, sheet_of, target_of
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import monte_carlo
from tests.documents import ROOT, run_document
from tests.samples import literal, reference, two_classes

SVG = "{http://www.w3.org/2000/svg}"
PAGE = ROOT / "docs" / "pictures.md"
LONG = 'rather a long name of a scenario, with "quotes", <tags> & signs, $dollars$ and naïve ünicode, that goes on ' * 3


def rising(levels: int, number: int = 0, name: str = "") -> Scenario:
    rates = tuple(min(0.95, 0.03 * (number + 1) * (level + 1)) for level in range(levels))
    return Scenario(name or f"scenario {number + 1}", (rates,))


def design(protocol: Protocol, *scenarios: Scenario, name: str = "a") -> Design:
    return Design(name, simulate(protocol, scenarios))


def simulated(protocol: Protocol, *scenarios: Scenario, name: str = "a", trials: int = 400) -> Design:
    return Design(name, monte_carlo(protocol, scenarios, trials=trials, seed=7))


def bars(figure: Figure) -> dict[str, float]:
    """The heights of all bars, by what they are."""
    return {
        bar.get_gid(): bar.get_height()
        for axes in figure.axes
        for bar in axes.patches
        if isinstance(bar, Rectangle) and bar.get_gid()
    }


def texts(picture: bytes) -> list[str]:
    """All text of an SVG, each piece as it stands there."""
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def joined(picture: bytes) -> str:
    """All text of an SVG on one line; lines that were wrapped are one again."""
    return " ".join(" ".join(texts(picture)).split())


# ---- the figures ----


def check_bars(figure: Figure, rows: list[list[Characteristics]]) -> None:
    """Every figure has its bar, of its height."""
    found, expected = bars(figure), {}
    for number, row in enumerate(rows):
        for place, one in enumerate(row):
            for level, share in enumerate(one.mtd):
                expected[f"selected-{number}-{place}-{level}"] = 100 * share
            expected[f"selected-{number}-{place}-{len(one.mtd)}"] = 100 * one.no_mtd
            for level, patients in enumerate(one.trial.patients.by_level):
                expected[f"patients-{number}-{place}-{level}"] = patients
            for level, dlts in enumerate(one.trial.dlts.by_level):
                expected[f"dlts-{number}-{place}-{level}"] = dlts
        if len(row) == 1:
            for bar, (_, share) in enumerate(sorted(row[0].trial.patients.distribution.items())):
                expected[f"size-{number}-{bar}"] = 100 * share
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("levels", [1, 3, 6])
def test_bars_have_the_heights_of_the_figures(levels: int) -> None:
    one = design(reference(levels), *(rising(levels, number) for number in range(3)))
    check_bars(draw(sheet_of([one])), [[found] for found in one.found])


def test_bars_that_are_wrong_are_found() -> None:
    one = design(reference(3), rising(3))
    figure = draw(sheet_of([one]))
    next(bar for bar in figure.axes[0].patches if bar.get_gid() == "selected-0-0-1").set_height(1.0)
    with pytest.raises(AssertionError):
        check_bars(figure, [[one.found[0]]])


def test_designs_side_by_side_have_bars_of_their_own() -> None:
    scenarios = [rising(3, number) for number in range(2)]
    designs = [design(reference(3), *scenarios), design(reference(3, 1), *reversed(scenarios), name="b")]
    rows = [[designs[0].found[0], designs[1].found[1]], [designs[0].found[1], designs[1].found[0]]]
    figure = draw(sheet_of(designs))
    check_bars(figure, rows)
    names = {line.get_gid(): line for axes in figure.axes for line in axes.lines}
    for number, row in enumerate(rows):
        for place, one in enumerate(row):
            steps = names[f"sizes-{number}-{place}"]
            at, reached = steps.get_xdata(), steps.get_ydata()
            for size in one.trial.patients.distribution:
                share = sum(share for other, share in one.trial.patients.distribution.items() if other <= size)
                assert 100 * share == pytest.approx(reached[list(at).index(size)])


def test_undecided_trials_have_a_bar() -> None:
    one = design(literal(3), rising(3, 2)).found[0]
    assert one.undecided > 0.1
    figure = draw(sheet_of([Design("a", (one,))]))
    assert bars(figure)["selected-0-0-4"] == pytest.approx(100 * one.undecided)


def test_true_rates_and_target_are_marked() -> None:
    protocol = load(ROOT / "protocols" / "designs" / "boin.dose").protocol
    assert protocol is not None and target_of(protocol) == pytest.approx(0.3)
    figure = draw(sheet_of([Design("boin", simulate(protocol, protocol.scenarios[:1]))]))
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    assert list(lines["rate-0-0"].get_ydata()) == pytest.approx([100 * r for r in protocol.scenarios[0].rates[0]])
    assert list(lines["target-0"].get_ydata()) == pytest.approx([30, 30])
    assert target_of(reference(3)) is None


def test_every_toxicity_has_its_rates() -> None:
    scenario = Scenario("two", ((0.1, 0.2, 0.3), (0.3, 0.2, 0.1)))
    figure = draw(sheet_of([design(two_classes(3), scenario)]))
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    assert list(lines["rate-0-1"].get_ydata()) == pytest.approx([30, 20, 10])
    assert lines["rate-0-0"].get_marker() != lines["rate-0-1"].get_marker()


def test_error_bars_are_95_percent_intervals() -> None:
    one = simulated(reference(3), rising(3, 2))
    figure = draw(sheet_of([one]))
    errors = one.found[0].standard_errors
    assert errors is not None
    (container,) = (c for c in figure.axes[0].containers if hasattr(c, "has_yerr"))
    (marks,) = container[2]
    for level, ((_, low), (_, high)) in enumerate(marks.get_segments()[:3]):
        share, error = one.found[0].mtd[level], errors.mtd[level]
        assert high == pytest.approx(100 * (share + 1.96 * error))
        assert low == pytest.approx(max(0.0, 100 * (share - 1.96 * error)))


def test_exact_figures_have_no_error_bars() -> None:
    figure = draw(sheet_of([design(reference(3), rising(3))]))
    assert not [c for axes in figure.axes for c in axes.containers if hasattr(c, "has_yerr")]


# ---- what is written ----


def test_an_svg_says_everything_as_text() -> None:
    one = design(reference(4), *(rising(4, number) for number in range(3)))
    picture = characteristics_picture([one], "svg")
    words, pieces = joined(picture), texts(picture)
    assert "a trial exact, one patient at a time" in words
    for label in ("1", "2", "3", "4"):
        assert pieces.count(label) >= 3 * 2
    for number in range(3):
        assert f"scenario: scenario {number + 1}" in words
    assert words.count("dose level, or other verdict") == words.count("probability (%)") == 3
    assert words.count("patients (expected number)") == words.count("trials (%)") == 3
    assert words.count("number of patients in all parts") == 3 and "no MTD" in words
    for share in one.found[0].mtd:
        assert f"{share:.1%}" in pieces


def test_a_simulated_picture_says_so() -> None:
    words = joined(characteristics_picture([simulated(reference(3), rising(3))], "svg"))
    assert "simulated, 400 trials, seed 7, one patient at a time; error bars: 95% intervals" in words
    assert "exact" not in words


def test_designs_that_were_not_worked_out_alike_each_say_how() -> None:
    found = [design(reference(3), rising(3), name="first"), simulated(reference(3, 1), rising(3), name="second")]
    words = joined(characteristics_picture(found, "svg"))
    simulation = "simulated, 400 trials, seed 7, one patient at a time"
    assert f"first: exact, one patient at a time; second: {simulation}; error bars: 95% intervals" in words
    assert f"{simulation}; error bars" in sheet_of(found[1:]).method and "second" not in sheet_of(found[1:]).method


def test_numbers_of_trials_that_differ_are_all_said() -> None:
    protocol = reference(3)
    made = [monte_carlo(protocol, [rising(3, n)], trials=100 + 150 * n, seed=7)[0] for n in (0, 2, 1)]
    assert sheet_of([Design("a", tuple(made))]).method.startswith("simulated, 100 to 400 trials, seed 7, one patient")


def test_title_and_description_for_those_who_do_not_see_it() -> None:
    found = design(evolve(reference(3), title='A <"trial"> & more'), rising(3, name=LONG))
    root = ElementTree.fromstring(characteristics_picture([found], "svg"))
    title, description = root[0], root[1]
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert title.text == 'A <"trial"> & more: operating characteristics'
    assert description.text == described(sheet_of([found]))
    assert f"level 2 {found.found[0].mtd[1]:.1%}" in str(description.text)
    assert root.get("role") == "img" and root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_ids_are_given_once() -> None:
    scenarios = [rising(3, number) for number in range(3)]
    designs = [design(reference(3), *scenarios), design(reference(3, 1), *scenarios, name="b")]
    for of in ([designs[0]], designs):
        root = ElementTree.fromstring(characteristics_picture(of, "svg"))
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_figures_give_the_same_file(form: str) -> None:
    found = [simulated(reference(3), rising(3)), simulated(reference(3, 1), rising(3), name="b")]
    first = characteristics_picture(found, form)
    assert first == characteristics_picture(found, form)
    assert b"<dc:date>" not in first and b"Matplotlib" not in first


def test_the_settings_of_a_user_change_nothing() -> None:
    import matplotlib

    found = [design(reference(3), rising(3))]
    plain = characteristics_picture(found, "svg")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": False, "lines.linewidth": 9}):
        assert characteristics_picture(found, "svg") == plain
        assert matplotlib.rcParams["font.size"] == 30


# ---- room for everything ----


def crowding(figure: Figure) -> list[str]:
    """Texts that leave the picture, and texts that stand on each other."""
    with style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        shown = [(t, t.get_window_extent(canvas.get_renderer())) for t in figure.findobj(Text) if t.get_text().strip()]
        hidden = _ticks_outside(figure)  # where ticks are depends on the size of type
    shown = [(text, box) for text, box in shown if text.get_visible() and box.width > 0]
    shown = [(text, box) for text, box in shown if text not in hidden]
    width, height = figure.bbox.width, figure.bbox.height
    found = [t.get_text() for t, box in shown if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]
    for (a, of_a), (b, of_b) in combinations(shown, 2):
        if min(of_a.x1, of_b.x1) - max(of_a.x0, of_b.x0) > 1 and min(of_a.y1, of_b.y1) - max(of_a.y0, of_b.y0) > 2:
            found.append(f"{a.get_text()!r} on {b.get_text()!r}")
    return found


def _ticks_outside(figure: Figure) -> set[Text]:
    """The texts of ticks beyond the ends of their axes, which are not drawn."""
    axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    drawn = {text for axis in axes for tick in axis._update_ticks() for text in (tick.label1, tick.label2)}
    return {text for axis in axes for tick in axis.findobj(Tick) for text in (tick.label1, tick.label2)} - drawn


@pytest.mark.parametrize(("levels", "scenarios"), [(1, 1), (1, 12), (2, 3), (5, 2), (12, 1), (12, 12)])
def test_nothing_is_cut_off_and_nothing_stands_on_something_else(levels: int, scenarios: int) -> None:
    of = [rising(levels, number, LONG[: 60 * number + 5]) for number in range(scenarios)]
    assert crowding(draw(sheet_of([design(reference(levels), *of)]))) == []


@pytest.mark.parametrize("many", [2, 3, 6])
def test_designs_side_by_side_have_room(many: int) -> None:
    of = [rising(4, number, f"{number} {LONG}") for number in range(2)]
    found = [simulated(reference(4, start % 4), *of, name=f"design {start} {LONG}", trials=50) for start in range(many)]
    assert crowding(draw(sheet_of(found))) == []


def test_long_names_have_room() -> None:
    levels = tuple(Level(label) for label in ("-1", "2.25mg/kg", "level-with-a-name"))
    protocol = evolve(
        literal(3), levels=levels, title=LONG, toxicities=(Toxicity("dose-limiting-toxicity-of-any-kind"),),
        verdicts=(Verdict("recommended-phase-two-dose"),),
    )  # fmt: skip
    assert crowding(draw(sheet_of([design(protocol, rising(3, 2))]))) == []
    assert crowding(draw(sheet_of([design(protocol, rising(3, 2)), design(protocol, rising(3, 2), name="b")]))) == []


def test_the_test_of_room_can_fail() -> None:
    figure = draw(sheet_of([design(reference(3), rising(3))]))
    figure.text(0.999, 0.5, "beyond the edge")
    figure.text(0.021, 0.97, "on the title")
    assert len(crowding(figure)) >= 2


def test_wrapping() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]
    assert wrapped("", 5) == [""]
    assert wrapped("one two three four", 5, 2) == ["one", "two…"]
    assert wrapped("剂量爬坡试验", 4) == ["剂量", "爬坡", "试验"]


# ---- distributions of anything ----


def test_a_distribution_of_anything_is_drawn() -> None:
    found = Distribution((30.5, 10.0, 90.25), (0.5, 0.3, 0.2), "days", (0.02, 0.02, 0.01))
    with style():
        axes = Figure().add_subplot()
        distribution_bars(axes, found, "days", Look("white"))
    heights = {bar.get_gid(): (bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches}
    assert heights == {
        "days-0": pytest.approx((10.0, 30.0)), "days-1": pytest.approx((30.5, 50.0)),
        "days-2": pytest.approx((90.25, 20.0)),
    }  # fmt: skip
    assert found.mean == pytest.approx(0.3 * 10 + 0.5 * 30.5 + 0.2 * 90.25)
    (mean,) = (line for line in axes.lines if line.get_gid() == "days-mean")
    assert list(mean.get_xdata()) == [pytest.approx(found.mean)]


@pytest.mark.parametrize("step", [1.0, 0.37])
def test_very_many_values_are_drawn_in_classes(step: float) -> None:
    values = tuple(100 + step * number for number in range(500))
    weights = tuple((number + 1) / 125250 for number in range(500))
    shown = in_classes(Distribution(values, weights, "days"))
    width = shown.values[1] - shown.values[0]
    assert len(shown.values) <= 60 and sum(shown.weights) == pytest.approx(1)
    for middle, weight in zip(shown.values[:-1], shown.weights[:-1], strict=True):
        inside = [w for v, w in zip(values, weights, strict=True) if middle - width / 2 <= v < middle + width / 2]
        assert weight == pytest.approx(sum(inside))
    if step == 1.0:
        assert width == int(width)


# ---- refusals ----


def test_scenarios_must_be_the_same() -> None:
    with pytest.raises(Trouble, match="`scenario 1` of a is not in b, or has other true rates there"):
        sheet_of([design(reference(3), rising(3)), design(reference(3), rising(3, 1, "scenario 1"), name="b")])
    with pytest.raises(Trouble, match="is not in b"):
        sheet_of([design(reference(3), rising(3)), design(reference(4), rising(4), name="b")])
    with pytest.raises(Trouble, match="no scenario"):
        sheet_of([Design("a", ())])
    with pytest.raises(Trouble, match="at most 24 scenarios, and not 25"):
        sheet_of([design(reference(1), *(rising(1, number) for number in range(25)))])
    with pytest.raises(Trouble, match="at most 6 files, and not 7"):
        sheet_of([design(reference(1), rising(1), name=str(number)) for number in range(7)])


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = ROOT / "protocols" / "designs"
    shutil.copy(folder / "sequential-cohorts.dose", "trial.dose")
    shutil.copy(folder / "sequential-cohorts.md", "sequential-cohorts.md")
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run(["simulate", "trial.dose", *arguments])
    return (status, *capsys.readouterr())


def test_the_command_writes_a_picture_beside_its_output(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = asked(capsys, "--format", "json")
    status, out, err = asked(capsys, "--format", "json", "--plot", "a.SVG")
    assert (status, out, err) == (0, plain[1], "Picture written: a.SVG\n")
    ElementTree.fromstring(Path("a.SVG").read_bytes())
    assert asked(capsys, "--plot", str(trial / "b.png"))[0] == 0
    assert Path("b.png").read_bytes()[:4] == b"\x89PNG"
    assert {path.name for path in trial.iterdir()} == {"trial.dose", "sequential-cohorts.md", "a.SVG", "b.png"}


def test_nothing_is_drawn_where_a_file_cannot_be_used(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("faulty.dose").write_text('protocol "A trial"\nlevels 1 to\n', encoding="utf-8")
    status, out, err = asked(capsys, "faulty.dose", "--plot", "a.svg")
    assert status == 1 and out and "nothing was done with it" in err and not Path("a.svg").exists()
    assert err.endswith("No picture is written to a.svg, since not every file could be used.\n")


def test_several_files_make_one_picture(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other").mkdir()
    shutil.copy("trial.dose", "other/trial.dose")
    shutil.copy("sequential-cohorts.md", "other/sequential-cohorts.md")
    assert asked(capsys, "other/trial.dose", "--plot", "a.svg")[0] == 0
    pieces = texts(Path("a.svg").read_bytes())
    assert "2 designs side by side" in pieces and {"trial", "other/trial.dose"} <= set(pieces)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("a.pdf", "DL903 wrong-option: `--plot a.pdf` is not the name of a picture."),
        ("svg", "`--plot svg` is not the name of a picture"),
        ("none/a.svg", "DL901 file-unreadable: There is no folder none, in which the picture a.svg would be."),
        ("folder.svg", "folder.svg is a folder"),
        ("", "is not the name of a picture"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_done(
    picture: str, words: str, trial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.svg").mkdir()
    status, out, err = asked(capsys, "--plot", picture)
    assert (status, out) == (2, "") and words in err


def test_too_many_scenarios_are_refused_before_anything_is_done(
    trial: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = load("trial.dose").protocol
    assert protocol is not None
    labels, rates = zip(*((level.label, "10%") for level in protocol.levels), strict=True)
    rows = [",".join(["name", *labels]), *(",".join([f"s{number}", *rates]) for number in range(25))]
    Path("many.csv").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr("doselang.cli.methods.Ready.figures", lambda *_: pytest.fail("it is worked out"))
    status, out, err = asked(capsys, "--scenarios", "many.csv", "--plot", "a.svg")
    assert (status, out) == (2, "") and "A picture shows at most 24 scenarios, and not 25." in err
    status, out, err = asked(capsys, *(f"{number}.dose" for number in range(6)), "--plot", "a.svg")
    assert (status, out) == (2, "") and "A picture shows at most 6 files, and not 7." in err


def test_without_matplotlib_it_says_how_to_install_it(
    trial: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **named: object) -> object:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    status, out, err = asked(capsys, "--plot", "a.svg")
    assert (status, out) == (2, "") and "pip install 'doselang[plot]'" in err
    assert asked(capsys)[0] == 0


def test_a_folder_that_cannot_be_written_to(
    trial: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doselang.cli.drawing.os.access", lambda *_: False)
    status, out, err = asked(capsys, "--plot", "a.svg")
    assert (status, out) == (2, "") and "is not to be written to" in err


def test_a_picture_is_written_whole_or_not_at_all(
    trial: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.svg").write_text("as it was", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("doselang.cli.formatting.os.fsync", full)
    status, _, err = asked(capsys, "--plot", "a.svg")
    assert status == 2 and "DL901" in err and "No space left on device; it is left as it was" in err
    assert Path("a.svg").read_text(encoding="utf-8") == "as it was"
    assert {path.name for path in trial.iterdir()} == {"trial.dose", "sequential-cohorts.md", "a.svg"}


# ---- the page ----


def shapes(picture: str) -> tuple[list[str], list[tuple[str, list[float]]]]:
    """What a picture shows whatever the version of matplotlib: its texts, and its bars with their corners."""
    root = ElementTree.fromstring(picture)
    found = []
    for group in root.iter(f"{SVG}g"):
        if re.match(r"(selected|patients|dlts|size|duration)-", group.get("id", "")):
            corners = " ".join(path.get("d", "") for path in group.iter(f"{SVG}path"))
            found.append((group.get("id", ""), [float(number) for number in re.findall(r"-?[\d.]+", corners)]))
    return texts(picture.encode()), found


def test_the_pictures_of_the_page_are_those_that_its_commands_draw(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run_document(PAGE.read_text(encoding="utf-8"), tmp_path)
    shown = re.findall(r"\]\(pictures/([\w-]+\.svg)\)", PAGE.read_text(encoding="utf-8"))
    if request.config.getoption("--update-documents"):
        for name in shown:
            shutil.copy(tmp_path / name, ROOT / "docs" / "pictures" / name)
    assert len(shown) >= 2 and {path.name for path in (ROOT / "docs" / "pictures").iterdir()} == set(shown)
    for name in shown:
        drawn, stored = tmp_path / name, ROOT / "docs" / "pictures" / name
        new, old = (shapes(path.read_text(encoding="utf-8")) for path in (drawn, stored))
        assert new[0] == old[0], f"{stored} is out of date: pytest tests/test_pictures.py --update-documents"
        assert [name for name, _ in new[1]] == [name for name, _ in old[1]]
        for (bar, now), (_, before) in zip(*(bars for _, bars in (new, old)), strict=True):
            assert now == pytest.approx(before, abs=1.0), f"{stored}, {bar}: out of date"
