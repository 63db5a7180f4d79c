"""Operating characteristics as a long table, one row a figure, for CSV and for the tables of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from doselang.report.standard_errors import Counted, errors_of, said
from doselang.report.table import Column, Table, csv_table
from doselang.report.timing import timing_figures
from doselang.simulate.characteristics import Characteristics, Patients, Toxic

TRIAL = "trial_"
"""Before the name of a figure: that of the whole trial, all parts together."""


@frozen
class Figure:
    """One row: what is figured, of which level or other item, its value and standard error.

    `rules` are those that brought an end about; two ends of the same words can be of different rules.
    """

    name: str
    level: str
    item: str
    value: float | int | None
    error: float | None = None
    rules: tuple[str, ...] = ()


def render_csv(found: Sequence[Characteristics]) -> str:
    """One row for each figure of each scenario; `level` or `item` says of what, empty where it is of the whole."""
    headings = ("scenario", "figure", "level", "item", "value", "standard_error", "method", "accrual", "trials", "seed")
    rows = [
        (
            one.scenario.name, figure.name, figure.level, figure.item, _cell(figure.value), _cell(figure.error),
            one.method, one.accrual, _cell(one.trials), _cell(one.seed),
        )
        for one in found
        for figure in figures(one)
    ]  # fmt: skip
    return csv_table(Table([Column(heading) for heading in headings], rows))


def _cell(value: float | int | None) -> str:
    return "" if value is None else repr(value)


def figures(one: Characteristics) -> Iterator[Figure]:
    """Every figure of a scenario, in the order in which tables have them.

    Those of the whole trial stand beside those of the first part where there are several parts, and what is declared as
    each verdict where there are several.
    """
    errors, trial = errors_of(one), one.trial
    labels = [level.label for level in one.protocol.levels]
    for toxicity, rates in zip(one.protocol.toxicities, one.scenario.rates, strict=True):
        for label, rate in zip(labels, rates, strict=True):
            yield Figure("rate", label, toxicity.name, rate)
    for label, value, error in zip(labels, one.mtd, errors.mtd, strict=True):
        yield Figure("mtd", label, "", value, error)
    yield from _levels_counted("", labels, one.patients, one.dlts, errors.first)
    if len(one.parts) > 1:
        yield from _levels_counted(TRIAL, labels, trial.patients, trial.dlts, errors.trial)
    yield Figure("no_mtd", "", "", one.no_mtd, errors.no_mtd)
    for verdict, value in one.other_verdicts.items():
        yield Figure("other_verdict", "", verdict, value, errors.other_verdicts[verdict])
    yield Figure("undecided", "", "", one.undecided, errors.undecided)
    yield from _counted_in_all("", one.patients, one.dlts, errors.first)
    if len(one.parts) > 1:
        yield from _counted_in_all(TRIAL, trial.patients, trial.dlts, errors.trial)
    for name, part in one.parts.items():
        yield Figure("part_patients", "", name, part.patients, errors.parts[name][0])
        yield Figure("part_dlts", "", name, part.dlts, errors.parts[name][1])
    several = one.protocol.declared if len(one.protocol.declared) > 1 else ()
    for name in several:
        names = *(("verdict", label) for label in labels), ("verdict_none", ""), ("verdict_not_declared", "")
        for (figure, label), value, error in zip(names, said(one.verdicts[name]), errors.verdicts[name], strict=True):
            yield Figure(figure, label, name, value, error)
    for end, error in zip(one.reasons, errors.reasons, strict=True):
        yield Figure("reason", "", f"{end.verdict}: {end.reason or ''}", end.probability, error, end.rules)
    for cause, error in zip(one.undecided_causes, errors.causes, strict=True):
        yield Figure("undecided_cause", "", cause.cause, cause.probability, error)
    for name, item, value, error in () if one.timing is None else timing_figures(one.timing):
        yield Figure(name, "", item, value, error)


def _levels_counted(
    before: str, labels: Sequence[str], patients: Patients, dlts: Toxic, errors: Counted
) -> Iterator[Figure]:
    """Patients and toxicities by level, of the first part or of the whole trial."""
    of_patients = "patients", patients.by_level, errors.patients_by_level
    for name, values, of_values in (of_patients, ("dlts", dlts.by_level, errors.dlts_by_level)):
        for label, value, error in zip(labels, values, of_values, strict=True):
            yield Figure(before + name, label, "", value, error)


def _counted_in_all(before: str, patients: Patients, dlts: Toxic, errors: Counted) -> Iterator[Figure]:
    """The number of patients, how it is spread, and toxicities, of the first part or of the whole trial."""
    yield Figure(f"{before}patients_mean", "", "", patients.mean, errors.patients)
    for extreme, size in (("sd", patients.sd), ("min", patients.min), ("max", patients.max)):
        yield Figure(f"{before}patients_{extreme}", "", "", size)
    for count, value in sorted(patients.distribution.items()):
        yield Figure(f"{before}patients_probability", "", str(count), value, errors.distribution[count])
    yield Figure(f"{before}dlts_mean", "", "", dlts.mean, errors.dlts)
