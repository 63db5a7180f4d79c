"""Designs side by side, in words: text, Markdown, JSON, and a long table for programs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from attrs import frozen

from doselang import __version__
from doselang.check.differences import Compared
from doselang.protocol.model import Protocol
from doselang.protocol.words import percent_words
from doselang.report.characteristics import ACCRUALS, METHODS, percent
from doselang.report.decisions import decision_lines, decisions_csv, decisions_record
from doselang.report.phrases import listed
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table
from doselang.report.timing import assumptions_table, shared_assumptions
from doselang.simulate.clock import Assumed
from doselang.simulate.side_by_side import Correct, Figure, Line, SideBySide
from doselang.source import Source

SHARES = {"selected", "no MTD", "no result", "undecided", "correct selection", "overdose selection"}
"""Figures that are probabilities."""
WHOLE = "largest sample size"
IN_DAYS = ", days"
"""How the names of figures end that are in days."""
BY_ERROR = ", ± standard error"
PAIRED = "a difference is one between the same patients, and its error is that of the differences trial by trial"
NONE = "none"
"""What stands for a figure that no trial has."""
APART = " *"
"""The mark of a difference that is of other trials than the figures beside it."""


@frozen
class Comparison:
    """All that a comparison of protocols came to; `names` are the files as they were given.

    `figures` has a record a scenario; `asked` is whether figures were to be given; `compared` is None where decisions
    were not compared; at `most` so many differences are shown to people.
    """

    names: tuple[str, ...]
    sources: tuple[Source, ...]
    protocols: tuple[Protocol, ...]
    target: Fraction | None
    correct: Correct
    figures: tuple[SideBySide, ...]
    compared: Compared | None
    most: int = 10
    asked: bool = True

    @property
    def letters(self) -> tuple[str, ...]:
        """What the protocols are called in tables: A, B, and so on."""
        return tuple(chr(ord("A") + number) for number in range(len(self.names)))

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the scenarios that probabilities are given under."""
        return () if self.compared is None else tuple(self.compared.probability)


# ---- for people ----


def render_comparison(made: Comparison, *, markdown: bool = False) -> str:
    """What is compared, a table a scenario, and where the decisions part."""
    blocks = ["".join(f"{letter}  {printable(name)}\n" for letter, name in zip(made.letters, made.names, strict=True))]
    if markdown:
        blocks = ["".join(f"- {line}\n" for line in blocks[0].splitlines())]
    for one in made.figures:
        blocks += _scenario(made, one, markdown=markdown)
    if clocks := _clocks(made):
        table = assumptions_table(clocks)
        blocks.append(markdown_table(table) if markdown else text_table(table))
    if made.figures and made.target is None:
        blocks.append("Correct and overdose selection are left out: `--target 25%` tells which level is right.\n")
    if made.asked and not made.figures:
        blocks.append("No figures: the first file has no scenario. `--dlt` gives true rates.\n")
    if made.compared is not None:
        first, second = made.letters
        told = decision_lines(made.compared, made.sources, (first, second), made.most, made.scenarios)
        lines = [printable(line).rstrip() for line in told]
        if markdown:
            blocks += ["## Decisions\n", "```text\n" + "".join(f"{line}\n" for line in lines) + "```\n"]
        else:
            blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)


def _scenario(made: Comparison, one: SideBySide, *, markdown: bool) -> Iterator[str]:
    name, method = printable(one.scenario.name), _method(made, one)
    yield f"## {name}\n\n{method[:1].upper()}{method[1:]}.\n" if markdown else f"{name}: {method}\n"
    if made.target is not None:
        words = right_words(made, one)
        yield f"{words[:1].upper()}{words[1:]}.\n" if markdown else f"  {words}\n"
    if one.paired:
        yield f"{PAIRED[:1].upper()}{PAIRED[1:]}.\n" if markdown else f"  {PAIRED}\n"
    if words := _whole(made, one):
        yield f"{words[:1].upper()}{words[1:]}.\n" if markdown else f"  {words}\n"
    table = _table(made, one)
    yield markdown_table(table) if markdown else text_table(table, indent=2)
    for words in map(printable, _apart(made, one)):
        yield f"\\{words}.\n" if markdown else f"  {words}\n"


def _whole(made: Comparison, one: SideBySide) -> str:
    """Of which trials patients, DLTs and sample sizes are, where a protocol has several parts."""
    several = [
        f"{letter} has {listed(list(found.parts))}"
        for letter, found in zip(made.letters, one.found, strict=True)
        if len(found.parts) > 1
    ]
    if not several:
        return ""
    return printable(
        f"patients, DLTs and sample sizes are those of all parts of the trial together: {'; '.join(several)}"
    )


def _apart(made: Comparison, one: SideBySide) -> Iterator[str]:
    """Of which trials the figures and differences are that are not of all."""
    total = one.found[0].trials or 0
    for line in one.lines:
        if not any(figure is not None and figure.trials is not None for figure in (*line.figures, *line.differences)):
            continue
        result = made.protocols[0].verdicts[made.protocols[0].result].name
        each = [
            f"{letter} {_trials(figure, total):,}" for letter, figure in zip(made.letters, line.figures, strict=True)
        ]
        both = [
            f"{heading} {_trials(figure, total):,}"
            for heading, figure in zip(_headings(made), line.differences, strict=True)
        ]
        yield (
            f"* over the trials that find the {result}, {listed(each)} of {total:,};"
            f" the differences over those that find it in both, {listed(both)}"
        )


def _trials(figure: Figure | None, total: int) -> int:
    """Of how many trials a figure is."""
    return 0 if figure is None else total if figure.trials is None else figure.trials


def _headings(made: Comparison) -> list[str]:
    return [f"{letter} - {made.letters[0]}" for letter in made.letters[1:]]


def _clocks(made: Comparison) -> dict[str, tuple[Assumed, ...]]:
    """What the clock of each design assumes; nothing without a clock."""
    if not made.figures:
        return {}
    found = zip(made.letters, made.figures[0].found, strict=True)
    return {letter: one.timing.assumptions for letter, one in found if one.timing is not None}


def _method(made: Comparison, one: SideBySide) -> str:
    """`exact, one patient at a time`; of simulated trials their number and seeds, and whether they share patients."""
    first = one.found[0]
    if first.trials is None:
        return f"exact, {ACCRUALS[first.accrual]}"
    if one.paired:
        how = f"{METHODS[first.method]}, {first.trials:,} trials, seed {first.seed}, the same patients in each design"
        return f"{how}, {ACCRUALS[first.accrual]}{BY_ERROR}"
    seeds = ", ".join(f"{letter} {found.seed}" for letter, found in zip(made.letters, one.found, strict=True))
    how = f"simulated independently, {first.trials:,} trials each, seeds {seeds}"
    return f"{how}, {ACCRUALS[first.accrual]}{BY_ERROR}"


def right_words(made: Comparison, one: SideBySide) -> str:
    """Which level is the right one, by which definition, and which are above it."""
    assert made.target is not None
    labels = [level.label for level in made.protocols[0].levels]
    target = percent_words(made.target)
    closest = f"closest to {target}, of two as close the lower"
    how = closest if made.correct == "closest" else f"highest at or below {target}"
    if one.right is None:
        right = f"no level is right (true rate {how}), so that no MTD is"
    else:
        right = f"the right level is {labels[one.right]} (true rate {how})"
    above = [labels[level] for level in one.above]
    over = f"above it, with a true rate above {target}: {listed(above)}" if above else "no level is above it"
    return f"{right}; {over}"


def _table(made: Comparison, one: SideBySide) -> Table:
    headings = [*made.letters, *_headings(made)]
    columns: Any = [Column("figure"), *(Column(heading, "right") for heading in headings)]
    rows = [
        (
            _label(made, line), *(_cell(line, figure) for figure in line.figures),
            *(_cell(line, figure, difference=True) for figure in line.differences),
        )
        for line in one.lines
    ]  # fmt: skip
    return Table(columns, rows)


def _label(made: Comparison, line: Line) -> str:
    if line.level is None:
        result = made.protocols[0].verdicts[made.protocols[0].result].name
        return line.name.replace("no MTD", f"no {result}").replace("the MTD", f"the {result}")
    label = made.protocols[0].levels[line.level].label
    match line.name:
        case "selected":
            return f"level {label} selected"
        case "patients":
            return f"patients at level {label}"
        case _:
            return f"{line.name}, {label}" if line.name == "correct selection" else line.name


def _cell(line: Line, figure: Figure | None, *, difference: bool = False) -> str:
    """A figure with its error; a difference has a sign, and that of percentages is in points."""
    if figure is None:
        return NONE
    mark = "" if figure.trials is None else APART
    return f"{_number_cell(line, figure, difference=difference)}{mark}"


def _number_cell(line: Line, figure: Figure, *, difference: bool) -> str:
    if line.name == WHOLE:
        words = f"{figure.value:+.0f}" if difference else f"{figure.value:.0f}"
        return f"{words} seen" if figure.seen else words
    share, error = line.name in SHARES, figure.error
    bound = "≤" if figure.bound else ""
    if not difference:
        if share:
            return percent(figure.value, error)
        digits = 2 if line.name.endswith(IN_DAYS) else 3
        return f"{figure.value:.2f}" if error is None else f"{figure.value:.{digits}f} ±{bound}{error:.{digits}f}"
    value, scale = (100 * figure.value, 100) if share else (figure.value, 1)
    digits = (1 if share else 2) if error is None else (2 if share or line.name.endswith(IN_DAYS) else 3)
    words = f"{_signed(value, digits)}{' pp' if share else ''}"
    if error is None:
        return words
    least = f"{bound}{scale * error:.{digits}f}"
    if error > 1e-12 and float(f"{scale * error:.{digits}f}") == 0:
        least = f"<{10**-digits:.{digits}f}"
    return f"{words} ±{least}"


def _signed(value: float, digits: int) -> str:
    """`+0.3`, `-0.3`; `0.0` has no sign, and what is too small to be seen is not nothing."""
    if abs(value) < 1e-9:
        return f"{0:.{digits}f}"
    shown = f"{value:+.{digits}f}"
    if float(shown) == 0:
        least = f"{10**-digits:.{digits}f}"
        return f"{'+' if value > 0 else '-'}<{least}"
    return shown


# ---- for programs ----


def comparison_record(made: Comparison) -> dict[str, object]:
    """What `compare --format json` writes; figures and decisions are null where they were not asked for."""
    first = made.figures[0].found[0] if made.figures else None
    return {
        "version": __version__,
        "protocols": [
            {"letter": letter, "path": source.path, "name": name, "title": protocol.title}
            for letter, source, name, protocol in zip(
                made.letters, made.sources, made.names, made.protocols, strict=True
            )
        ],
        "levels": [level.label for level in made.protocols[0].levels],
        "target": None if made.target is None else {"rate": float(made.target), "correct": made.correct},
        "method": None if first is None else first.method,
        "accrual": None if first is None else first.accrual,
        "trials": None if first is None else first.trials,
        "seeds": None if first is None or first.trials is None else [one.seed for one in made.figures[0].found],
        "same_patients": None if first is None or first.trials is None else made.figures[0].paired,
        "assumptions": [
            {"time": one.name, "is": one.value, "said_by": one.source, "protocols": letters}
            for one, letters in shared_assumptions(clocks)
        ]
        if (clocks := _clocks(made))
        else None,
        "scenarios": [_scenario_record(made, one) for one in made.figures] if made.figures else None,
        "decisions": None
        if made.compared is None
        else decisions_record(made.compared, made.sources, (made.letters[0], made.letters[1])),
    }


def _scenario_record(made: Comparison, one: SideBySide) -> dict[str, object]:
    labels = [level.label for level in made.protocols[0].levels]
    names = [toxicity.name for toxicity in made.protocols[0].toxicities]
    return {
        "name": one.scenario.name,
        "rates": {
            name: dict(zip(labels, rates, strict=True)) for name, rates in zip(names, one.scenario.rates, strict=True)
        },
        "right_level": None if one.right is None else labels[one.right],
        "levels_above": [labels[level] for level in one.above] if made.target is not None else None,
        "figures": [
            {
                "figure": line.name,
                "level": None if line.level is None else labels[line.level],
                "values": [_figure(figure, one.found[0].trials) for figure in line.figures],
                "differences": [_figure(figure, one.found[0].trials) for figure in line.differences],
            }
            for line in one.lines
        ],
    }


def _figure(figure: Figure | None, total: int | None) -> dict[str, object] | None:
    """A figure, null where no trial has it; `trials` is of how many it is, null where it is exact."""
    if figure is None:
        return None
    trials = None if total is None else _trials(figure, total)
    return {"value": figure.value, "standard_error": figure.error, "at_most": figure.bound, "trials": trials}


def render_figures_csv(made: Comparison) -> str:
    """One row for each figure of each protocol under each scenario; the first has no difference."""
    headings = (
        "scenario", "protocol", "path", "figure", "level", "value", "standard_error", "difference", "difference_error",
        "method", "accrual", "trials", "seed", "value_trials", "difference_trials", "same_patients",
    )  # fmt: skip
    columns: Any = [Column(heading) for heading in headings]
    return csv_table(Table(columns, [row for one in made.figures for row in _csv_rows(made, one)]))


def _csv_rows(made: Comparison, one: SideBySide) -> Iterator[tuple[str, ...]]:
    labels = [level.label for level in made.protocols[0].levels]
    for number, (letter, found) in enumerate(zip(made.letters, one.found, strict=True)):
        total = found.trials
        same = "" if total is None else "yes" if one.paired else "no"
        for line in one.lines:
            figure, less = line.figures[number], line.differences[number - 1] if number else None
            yield (
                one.scenario.name, letter, made.names[number], line.name,
                "" if line.level is None else labels[line.level], *_csv_figure(figure), *_csv_figure(less),
                found.method, found.accrual, _number(total), _number(found.seed),
                "" if total is None else str(_trials(figure, total)),
                "" if total is None or not number else str(_trials(less, total)), same,
            )  # fmt: skip


def _csv_figure(figure: Figure | None) -> tuple[str, str]:
    return ("", "") if figure is None else (repr(figure.value), _number(figure.error))


def render_decisions_table(made: Comparison) -> str:
    """The differences of decisions, one row each."""
    assert made.compared is not None
    return decisions_csv(made.compared, made.sources, made.scenarios)


def _number(value: float | int | None) -> str:
    return "" if value is None else repr(value)
