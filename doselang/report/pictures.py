"""Operating characteristics as a picture: a row a scenario; for one design, or for several side by side."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape

from attrs import frozen

from doselang.diagnostics import trouble
from doselang.report.characteristics import percent
from doselang.report.durations import MEDIAN, QUARTILES, Scale, durations, scale_of
from doselang.report.panels import (
    DESIGNS,
    NONE,
    PATIENTS,
    SELECTED,
    SURE,
    TEXT,
    TOXIC,
    Look,
    Series,
    bars,
    categories,
    distribution_bars,
    distribution_lines,
    figures_above,
    heading,
    in_classes,
    percent_label,
    rate_look,
    reach,
    share_axis,
    target_line,
    true_rates,
    words_above,
    wrapped,
)
from doselang.report.printable import printable, width
from doselang.report.sheets import Design, Row, Sheet, described, sample_size, share_errors, shares_of, sheet_of
from doselang.simulate.characteristics import StandardErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form = Literal["svg", "png"]

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": TEXT, "text.parse_math": False, "axes.unicode_minus": False,
    "svg.fonttype": "none", "svg.hashsalt": "doselang", "hatch.linewidth": 0.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.7, "axes.axisbelow": True,
}  # fmt: skip


def require_matplotlib() -> None:
    """Trouble DL903 where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise trouble(
            "DL903", "Pictures are drawn with matplotlib, which is not installed.",
            help="Install it with: pip install 'doselang[plot]'",
        ) from None  # fmt: skip


# ---- how it is drawn ----


@frozen
class Measures:
    """Lengths in inches: how wide the panels are, how high a row, its heading, and what stands above all rows."""

    panels: tuple[float, ...]
    heading: float
    rows: tuple[tuple[str, ...], ...]
    columns: int
    ticks: float
    titles: tuple[str, ...]
    method: tuple[str, ...]

    LEFT, GAP, RIGHT, AXES, STRIP, LINE = 0.95, 1.0, 0.25, 1.6, 0.6, 0.16

    @property
    def width(self) -> float:
        return self.LEFT + sum(self.panels) + self.GAP * (len(self.panels) - 1) + self.RIGHT

    def row_height(self, number: int) -> float:
        return 0.1 + self.LINE * 1.2 * len(self.rows[number]) + self.STRIP + self.AXES + self.ticks + 0.32

    @property
    def height(self) -> float:
        return self.heading + sum(self.row_height(number) for number in range(len(self.rows))) + 0.1


def measured(sheet: Sheet) -> Measures:
    """The lengths of a picture, from how much there is to show."""
    names = (*sheet.levels, *sheet.others)
    columns = min(10, max(7, *(width(word) for name in names for word in printable(name).split())))
    bars_wide = max(0.072 * columns, 0.12 * len(sheet.designs) if sheet.several else 0)
    levels, every = len(sheet.levels), len(sheet.levels) + len(sheet.others)
    panels = [max(2.6, bars_wide * every), max(2.2, bars_wide * levels)]
    panels += [panels[1]] if sheet.several else []
    panels += [2.8] * (2 if sheet.timed else 1)
    wide = Measures.LEFT + sum(panels) + Measures.GAP * (len(panels) - 1) + Measures.RIGHT - 0.4
    ticks = 0.16 + 0.14 * max(len(wrapped(name, columns, 4)) for name in names)
    titles, method = wrapped(sheet.title, int(wide / 0.118)), wrapped(sheet.method, int(wide / 0.074))
    keys = len(sheet.designs) if sheet.several else 0
    heading = 0.2 + 0.21 * len(titles) + 0.16 * len(method) + 0.19 * (keys + _key_rows(sheet)) + 0.08
    rows = tuple(tuple(wrapped(f"scenario: {row.name}", int(wide / 0.092))) for row in sheet.rows)
    return Measures(tuple(panels), heading, rows, columns, ticks, tuple(titles), tuple(method))


def _key_rows(sheet: Sheet) -> int:
    return -(-len(_keys(sheet)) // 3)


def _keys(sheet: Sheet) -> list[tuple[str, str]]:
    """What the signs mean: (kind of sign, words)."""
    keys = [("rate", f"true {printable(toxicity.name)} rate") for toxicity in sheet.one.protocol.toxicities]
    if sheet.target is not None:
        keys.append(("target", f"target rate, {percent(sheet.target)}"))
    if not sheet.several:
        keys += [("selected", f"selected as {sheet.result}"), ("none", "no level selected")]
        keys += [("patients", "patients"), ("toxic", f"those with {sheet.toxicity}"), ("mean", "mean")]
        keys += [("quartiles", "quartiles, and between them the median")] if sheet.timed else []
    return keys


def draw(sheet: Sheet) -> Figure:
    """The picture as a figure of matplotlib. Needs matplotlib, and no display."""
    from matplotlib.figure import Figure

    sizes = measured(sheet)
    with style():
        figure = Figure(figsize=(sizes.width, sizes.height), facecolor="white")
        _heading(figure, sheet, sizes)
        top = sizes.height - sizes.heading
        limits = _limits(sheet)
        for number, row in enumerate(sheet.rows):
            _row(figure, sheet, sizes, row, number, top, limits)
            top -= sizes.row_height(number)
    return figure


@contextmanager
def style() -> Iterator[None]:
    """The settings of matplotlib under which a picture is drawn and written: always the same, whatever a user set."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the viewer of the picture may have the sign
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def _heading(figure: Figure, sheet: Sheet, sizes: Measures) -> None:
    """Title, method, and what the signs mean."""
    at, left = sizes.height - 0.12, 0.2 / sizes.width
    for lines, size, leading, weight in ((sizes.titles, 11, 0.21, "bold"), (sizes.method, TEXT, 0.16, "normal")):
        for line in lines:
            figure.text(left, at / sizes.height, line, fontsize=size, fontweight=weight, va="top")
            at -= leading
    if sheet.several:
        signs = [(_patch(look), _line(look)) for look, _ in zip(DESIGNS, sheet.designs, strict=False)]
        most = int((sizes.width - 1.4) / 0.074)
        names = [wrapped(design.name, most, 1)[0] for design in sheet.designs]
        _legend(figure, signs, names, left, at / sizes.height, 1)
        at -= 0.19 * len(names)
    keys = _keys(sheet)
    handles = [_sign(kind, number) for number, (kind, _) in enumerate(keys)]
    most = int((sizes.width - 0.4) / 3 / 0.074) - 6
    _legend(figure, handles, ["\n".join(wrapped(words, most, 1)) for _, words in keys], left, at / sizes.height, 3)


def _legend(figure: Figure, handles: list[Any], labels: list[str], left: float, at: float, columns: int) -> None:
    from matplotlib.legend_handler import HandlerTuple

    figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(left, at), ncol=columns, frameon=False, fontsize=TEXT,
        borderpad=0, borderaxespad=0, handlelength=3.2, columnspacing=2.0, labelspacing=0.55,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.4)},
    )  # fmt: skip


def _patch(look: Look) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=look.fill, edgecolor="black", linewidth=0.6, hatch=look.hatch)


def _line(look: Look, *, face: str = "white") -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color="black", linewidth=1.2, linestyle=look.line, marker=look.marker, markersize=4.5,
        markerfacecolor=face,
    )  # fmt: skip


def _sign(kind: str, number: int) -> Any:
    """The sign of a key."""
    from matplotlib.lines import Line2D

    match kind:
        case "rate":
            return _line(rate_look(number), face=rate_look(number).fill)
        case "target":
            return Line2D([], [], color="black", linewidth=1.2, linestyle=(0, (6, 3)))
        case "mean":
            return Line2D([], [], color="black", linestyle="none", marker="^", markersize=7)
        case "quartiles":
            return Line2D([], [], **QUARTILES), Line2D([], [], **MEDIAN)
        case _:
            return _patch({"selected": SELECTED, "none": NONE, "patients": PATIENTS, "toxic": TOXIC}[kind])


# ---- rows ----


@frozen
class Limits:
    """Where the axes end, the same in every row so that rows can be compared."""

    shares: float
    patients: float
    toxic: float
    sizes: tuple[float, float]
    frequency: float
    durations: Scale | None


def _limits(sheet: Sheet) -> Limits:
    every = [one for row in sheet.rows for one in row.found]
    shares = [
        100 * share for one in every for share in (*shares_of(sheet, one), *(r for t in one.scenario.rates for r in t))
    ]
    sizes = [size for one in every for size in one.trial.patients.distribution] or [0]
    weights = [100 * w for one in every for w in in_classes(sample_size(one).sorted).weights]
    edge = max(2.5, 0.05 * (max(sizes) - min(sizes)))
    patients = [top for one in every for top in _tops(one.trial.patients.by_level, one.standard_errors, "patients")]
    toxic = [top for one in every for top in _tops(one.trial.dlts.by_level, one.standard_errors, "dlts")]
    across = max(-0.9, min(sizes) - edge), max(sizes) + edge
    return Limits(
        reach(shares, 20, 104), reach(patients, 1), reach(toxic, 0.5), across, reach(weights, 10, 104), scale_of(sheet)
    )


def _tops(heights: Sequence[float], errors: StandardErrors | None, name: str) -> list[float]:
    """The upper ends of the error bars of figures by level; where figures are exact, the figures."""
    if errors is None:
        return list(heights)
    return [h + SURE * e for h, e in zip(heights, getattr(errors.trial, name).by_level, strict=True)]


def _row(
    figure: Figure, sheet: Sheet, sizes: Measures, row: Row, number: int, top: float, limits: Limits
) -> None:  # fmt: skip
    """One scenario: its name, then its panels from left to right."""
    at = top - 0.1
    for line in sizes.rows[number]:
        figure.text(0.2 / sizes.width, at / sizes.height, line, fontsize=9, fontweight="bold", va="top")
        at -= sizes.LINE * 1.2
    bottom, left = at - sizes.STRIP - sizes.AXES, sizes.LEFT
    panels = []
    for wide in sizes.panels:
        box = (left / sizes.width, bottom / sizes.height, wide / sizes.width, sizes.AXES / sizes.height)
        panels.append(figure.add_axes(box))
        left += wide + sizes.GAP
    _selection(panels[0], sheet, sizes, row, limits)
    last = 3 if sheet.several else 2
    _by_level(panels[1:last], sheet, sizes, row, limits)
    _sizes(panels[last], sheet, row, limits)
    if limits.durations is not None:
        durations(panels[-1], sheet, row, limits.durations)


def _selection(axes: Axes, sheet: Sheet, sizes: Measures, row: Row, limits: Limits) -> None:
    levels = len(sheet.levels)
    series = []
    for number, one in enumerate(row.found):
        looks = (DESIGNS[number],) * (levels + len(sheet.others))
        looks = looks if sheet.several else (SELECTED,) * levels + (NONE,) * len(sheet.others)
        errors = share_errors(sheet, one)
        errors = None if errors is None else tuple(100 * error for error in errors)
        series.append(
            Series(f"selected-{row.number}-{number}", tuple(100 * s for s in shares_of(sheet, one)), errors, looks)
        )
    bars(axes, series)
    protocol = row.found[0].protocol
    line = len(protocol.ladders) == 1 and protocol.axes is None
    true_rates(axes, row.found[0].scenario.rates, f"rate-{row.number}", line=line)
    if sheet.target is not None:
        target_line(axes, sheet.target, levels, f"target-{row.number}")
    categories(axes, (*sheet.levels, *sheet.others), sizes.columns, levels)
    share_axis(axes, limits.shares, "probability (%)")
    axes.set_xlabel("dose level, or other verdict")
    rows = [("true rate", [percent_label(rate) for rate in row.found[0].scenario.rates[0]])]
    if not sheet.several:
        rows.insert(0, ("selected", [percent_label(share) for share in shares_of(sheet, row.found[0])]))
    figures_above(axes, rows)
    heading(axes, f"Selected as {sheet.result}")


def _by_level(panels: Sequence[Axes], sheet: Sheet, sizes: Measures, row: Row, limits: Limits) -> None:
    """Patients and toxicities by level: one panel for a design, a panel each for several."""
    of_patients, of_toxic = [], []
    for number, one in enumerate(row.found):
        looks = (DESIGNS[number] if sheet.several else PATIENTS,) * len(sheet.levels)
        dark = looks if sheet.several else (TOXIC,) * len(sheet.levels)
        trial, errors = one.trial, None if one.standard_errors is None else one.standard_errors.trial
        patients, toxic = (None, None) if errors is None else (errors.patients.by_level, errors.dlts.by_level)
        of_patients.append(Series(f"patients-{row.number}-{number}", trial.patients.by_level, patients, looks))
        of_toxic.append(Series(f"dlts-{row.number}-{number}", trial.dlts.by_level, toxic, dark))
    bars(panels[0], of_patients)
    bars(panels[-1], of_toxic)
    expected = "expected number"
    for axes, words, limit in zip(
        panels, ("patients", f"with {sheet.toxicity}"), (limits.patients, limits.toxic), strict=False
    ):
        categories(axes, sheet.levels, sizes.columns, 0)
        axes.set(ylim=(0, limit), xlabel="dose level")
        if sheet.several:
            heading(axes, f"Patients{sheet.where}" if words == "patients" else f"Patients {words}{sheet.where}")
        axes.set_ylabel(
            "\n".join(wrapped(f"{words} ({expected})" if sheet.several else f"patients ({expected})", 28, 2))
        )
    if not sheet.several:
        trial = row.found[0].trial
        rows = [("patients", [f"{n:.2f}" for n in trial.patients.by_level])]
        rows.append((wrapped(f"with {sheet.toxicity}", 12, 1)[0], [f"{n:.2f}" for n in trial.dlts.by_level]))
        figures_above(panels[0], rows)
        heading(panels[0], f"Patients{sheet.where}, and those with {sheet.toxicity}")


def _sizes(axes: Axes, sheet: Sheet, row: Row, limits: Limits) -> None:
    """The distribution of the number of patients."""
    from matplotlib.ticker import MaxNLocator

    found = [sample_size(one) for one in row.found]
    if sheet.several:
        distribution_lines(axes, list(zip(found, DESIGNS, strict=False)), f"sizes-{row.number}")
        share_axis(axes, 104, "trials with at most\nso many patients (%)")
        means = "; ".join(f"{one.mean:.1f}" for one in found)
        words_above(axes, f"means: {means}")
    else:
        distribution_bars(axes, found[0], f"size-{row.number}", PATIENTS)
        share_axis(axes, limits.frequency, "trials (%)")
        one = row.found[0].trial.patients
        spread = "" if one.sd is None else f", standard deviation {one.sd:.2f},\nfrom {one.min} to {one.max}"
        words_above(axes, f"mean {one.mean:.2f}{spread}")
    heading(axes, "Number of patients in a trial")
    axes.set_xlim(*limits.sizes)
    axes.set_xlabel("\n".join(wrapped(f"number of {found[0].unit}{sheet.where}", 34, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


# ---- as a file ----


def picture(figure: Figure, form: Form, title: str, description: str) -> bytes:
    """The figure as the content of a file; the same figure gives the same bytes.

    In SVG text is text, and a title and a description stand at the top for those who do not see the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.BytesIO()
    with style():
        if form == "png":
            FigureCanvasAgg(figure).print_figure(
                written, dpi=150, format="png", metadata={"Software": None, "Title": title, "Description": description}
            )
            return written.getvalue()
        FigureCanvasSVG(figure).print_figure(
            written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _with_title(written.getvalue().decode("utf-8"), title, description).encode("utf-8")


def _with_title(svg: str, title: str, description: str) -> str:
    """An SVG with a title and a description, which programs that read pictures aloud look for."""
    head = f'<title id="title">{escape(title)}</title>\n <desc id="desc">{escape(description)}</desc>'
    opening = re.search(r"<svg [^>]*>", svg)
    assert opening is not None
    start = f'{opening[0][:-1]} role="img" aria-labelledby="title desc">'
    return f"{svg[: opening.start()]}{start}\n {head}{svg[opening.end() :]}"


def characteristics_picture(designs: Sequence[Design], form: Form) -> bytes:
    """The picture of one design, or of several side by side, as the content of a file. Trouble as `sheet_of`."""
    sheet = sheet_of(designs)
    return picture(draw(sheet), form, f"{sheet.title}: operating characteristics", described(sheet))
