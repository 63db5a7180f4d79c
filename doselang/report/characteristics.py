"""Operating characteristics for people and programs: text, Markdown, JSON with the keys relied on, CSV in long form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from doselang import __version__
from doselang.protocol.model import Protocol
from doselang.report.phrases import listed
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table
from doselang.report.timing import shown_timing, timing_figures, timing_record
from doselang.simulate.characteristics import Characteristics, PartFigures, StandardErrors, TimeFigures

METHODS = {"exact": "exact", "montecarlo": "simulated", "timed": "simulated with a clock"}
ACCRUALS = {
    "one-at-a-time": "one patient at a time",
    "whole-cohort": "whole cohorts",
    "as-they-come": "patients as they come",
}

Lines = Iterator[str | Table]
"""What is shown of a scenario: lines of text, and tables."""


# ---- for people ----


def render_text(found: Sequence[Characteristics]) -> str:
    """A paragraph a scenario, with the undecided probability first where there is one; an empty line between two."""
    return "\n".join(_text(one) for one in found)


def _text(one: Characteristics) -> str:
    blocks = [f"{printable(one.scenario.name)}: {method_words(one)}\n"]
    for item in _shown(one):
        blocks.append(text_table(item, indent=2) if isinstance(item, Table) else f"  {printable(item)}\n")
    return "\n".join(blocks)


def render_markdown(found: Sequence[Characteristics]) -> str:
    """The same as a section a scenario."""
    return "\n".join(_markdown(one) for one in found)


def _markdown(one: Characteristics) -> str:
    blocks = [f"## {printable(one.scenario.name)}\n", f"{_sentence(method_words(one))}\n"]
    for item in _shown(one):
        blocks.append(markdown_table(item) if isinstance(item, Table) else f"{_sentence(printable(item))}\n")
    return "\n".join(blocks)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def method_words(one: Characteristics) -> str:
    """`exact, one patient at a time`; `simulated, 100,000 trials, seed 7, …, ± standard error`."""
    words = [METHODS[one.method]]
    if one.trials is not None:
        words += [f"{one.trials:,} trials", f"seed {one.seed}"]
    words.append(ACCRUALS[one.accrual])
    return ", ".join(words) + (", ± standard error" if one.standard_errors is not None else "")


def _shown(one: Characteristics) -> Lines:
    errors, patients = _errors(one), one.patients
    if one.undecided > 0:
        share = percent(one.undecided, errors.undecided)
        yield f"the rules do not decide what happens: {share} of trials end undecided"
        yield _causes(one, errors)
    yield _by_level(one, errors)
    where = f" in {one.protocol.parts[0].name}" if len(one.parts) > 1 else ""
    spread = f"standard deviation {patients.sd:.2f}, from {patients.min} to {patients.max}"
    yield f"{number(patients.mean, errors.patients)} patients{where}, {spread}"
    if len(one.parts) > 1:
        yield _parts(one, errors)
    if one.reasons:
        yield _reasons(one, errors)
    if (courses := one.courses) is not None:
        mean, cycles_error = courses.cycles_mean, errors.cycles
        cycles = "treatment need not end" if mean is None else f"{_cycles(mean, cycles_error)} cycles a patient"
        yield f"{_entered_words(one.protocol, courses.re_treated, errors.re_treated)}{cycles}"
        rows = [(reason, percent(share, errors.off.get(reason))) for reason, share in courses.reasons_off.items()]
        yield _table([Column("treatment ends by"), Column("patients", "right")], rows)
    elif one.method == "montecarlo" and one.scenario.hazards is not None:
        yield "the courses of patients are not simulated; `--method exact` gives them, and `--method timed`"
    if one.timing is not None:
        yield from shown_timing(one.timing)


def _cycles(mean: float, error: float | None) -> str:
    return f"{mean:.1f}" if error is None else number(mean, error)


def _entered_words(protocol: Protocol, share: float, error: float | None) -> str:
    """`11.5% of patients enter re-treatment; `, by the names of the states of treatment after the first."""
    states = () if protocol.course is None else protocol.course.states[1:]
    names = [state.name for state in states if not state.final]
    if not names and share == 0:
        return ""
    what = f"enter {listed(names, 'or')}" if names else "are re-treated"
    return f"{percent(share, error)} of patients {what}; "


def _table(columns: Any, rows: Sequence[Sequence[str]]) -> Table:
    """A table of Columns; mypy does not follow the converter of `Table.columns`."""
    return Table(columns, rows)


def _causes(one: Characteristics, errors: _Errors) -> Table:
    rows = [
        (percent(cause.probability, error), cause.history or "", cause.cause)
        for cause, error in zip(one.undecided_causes, errors.causes, strict=True)
    ]
    return _table([Column("undecided", "right"), Column("for example"), Column("because")], rows)


def _by_level(one: Characteristics, errors: _Errors) -> Table:
    """True rates, verdicts, patients and toxicities by level; then the verdicts that are no level, and the sums."""
    protocol = one.protocol
    result = protocol.verdicts[protocol.result].name
    columns = [Column("level"), *(Column(f"true {toxicity.name} rate", "right") for toxicity in protocol.toxicities)]
    headings = f"selected as {result}", "patients", f"with {protocol.toxicities[0].name}"
    columns += [Column(heading, "right") for heading in headings]
    rows = [
        (
            level.label, *(percent(rates[position]) for rates in one.scenario.rates),
            percent(one.mtd[position], errors.mtd[position]),
            number(one.patients.by_level[position], errors.patients_by_level[position]),
            number(one.dlts.by_level[position], errors.dlts_by_level[position]),
        )
        for position, level in enumerate(protocol.levels)
    ]  # fmt: skip
    blank = ("",) * len(protocol.toxicities)
    others = [(f"no {result}", one.no_mtd, errors.no_mtd)]
    others += [(name, share, errors.other_verdicts[name]) for name, share in one.other_verdicts.items() if share > 0]
    others += [("undecided", one.undecided, errors.undecided)] if one.undecided > 0 else []
    rows += [(name, *blank, percent(share, error), "", "") for name, share, error in others]
    rows.append(("in all", *blank, "", number(one.patients.mean, errors.patients), number(one.dlts.mean, errors.dlts)))
    return _table(columns, rows)


def _parts(one: Characteristics, errors: _Errors) -> Table:
    rows = [
        (name, number(part.patients, errors.parts[name][0]), number(part.dlts, errors.parts[name][1]))
        for name, part in one.parts.items()
    ]
    toxicity = one.protocol.toxicities[0].name
    return _table([Column("part"), Column("patients", "right"), Column(f"with {toxicity}", "right")], rows)


def _reasons(one: Characteristics, errors: _Errors) -> Table:
    rows = [
        (percent(end.probability, error), _verdict(one, end.verdict), end.reason or "", ", ".join(end.rules))
        for end, error in zip(one.reasons, errors.reasons, strict=True)
    ]
    return _table([Column("trials end", "right"), Column("with"), Column("because"), Column("by rule")], rows)


def _verdict(one: Characteristics, verdict: str) -> str:
    result = one.protocol.verdicts[one.protocol.result].name
    return {"mtd": result, "no mtd": f"no {result}"}.get(verdict, verdict)


@frozen
class _Errors:
    """The standard errors of the figures shown, None where figures are exact."""

    mtd: Sequence[float | None]
    no_mtd: float | None
    other_verdicts: Mapping[str, float | None]
    undecided: float | None
    patients: float | None
    patients_by_level: Sequence[float | None]
    distribution: Mapping[int, float | None]
    dlts: float | None
    dlts_by_level: Sequence[float | None]
    parts: Mapping[str, tuple[float | None, float | None]]
    reasons: Sequence[float | None]
    causes: Sequence[float | None]
    cycles: float | None = None
    re_treated: float | None = None
    off: Mapping[str, float] = field(factory=dict)


def _errors(one: Characteristics) -> _Errors:
    errors, none = one.standard_errors, (None,) * len(one.mtd)
    if errors is None:
        return _Errors(
            none, None, dict.fromkeys(one.other_verdicts), None,
            None, none, dict.fromkeys(one.patients.distribution), None, none,
            dict.fromkeys(one.parts, (None, None)), (None,) * len(one.reasons), (None,) * len(one.undecided_causes),
        )  # fmt: skip
    return _Errors(
        errors.mtd, errors.no_mtd, errors.other_verdicts, errors.undecided,
        errors.patients.mean, errors.patients.by_level, errors.patients.distribution,
        errors.dlts.mean, errors.dlts.by_level,
        {name: (part.patients, part.dlts) for name, part in errors.parts.items()},
        errors.reasons, errors.undecided_causes, *_course_errors(one.timing),
    )  # fmt: skip


def _course_errors(timing: TimeFigures | None) -> tuple[float | None, float | None, Mapping[str, float]]:
    """The standard errors of cycles, of the share re-treated, and of the reasons to end treatment."""
    if timing is None or timing.re_treated is None:
        return None, None, {}
    cycles = timing.spreads["cycles_per_patient"]
    off = {reason: share.standard_error for reason, share in timing.off.items()}
    return None if cycles is None else cycles.standard_error, timing.re_treated.standard_error, off


def percent(share: float, error: float | None = None) -> str:
    """`28.5%`, `<0.1%` for what is not nothing; with its standard error `28.54% ±0.05%`."""
    if error is not None:
        return f"{share:.2%} ±{error:.2%}"
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1 - 1e-9:
        return ">99.9%"
    return f"{share:.1%}"


def number(mean: float, error: float | None = None) -> str:
    """`4.35`, with its standard error `4.352 ±0.008`."""
    return f"{mean:.2f}" if error is None else f"{mean:.3f} ±{error:.3f}"


# ---- for programs ----


def simulation_record(found: Sequence[Characteristics], path: str) -> dict[str, object]:
    """What `simulate --format json` writes for one protocol; all scenarios are of one method and accrual."""
    return {
        "version": __version__,
        "path": path,
        "method": found[0].method if found else "exact",
        "accrual": found[0].accrual if found else "one-at-a-time",
        "scenarios": [characteristics_record(one) for one in found],
    }


def characteristics_record(one: Characteristics) -> dict[str, object]:
    """One scenario; every key is always there, null where there is nothing to say."""
    toxicities, patients = one.protocol.toxicities, one.patients
    rates = {t.name: _levels(one, of_t) for t, of_t in zip(toxicities, one.scenario.rates, strict=True)}
    return {
        "name": one.scenario.name,
        "dlt": rates[toxicities[0].name],
        "rates": rates,
        "mtd": _levels(one, one.mtd),
        "no_mtd": one.no_mtd,
        "other_verdicts": dict(one.other_verdicts),
        "undecided": one.undecided,
        "patients": {
            "mean": patients.mean,
            "sd": patients.sd,
            "min": patients.min,
            "max": patients.max,
            "by_level": _levels(one, patients.by_level),
            "distribution": _sizes(patients.distribution),
        },
        "dlts": {"mean": one.dlts.mean, "by_level": _levels(one, one.dlts.by_level)},
        "parts": _part_records(one.parts),
        "reasons": [
            {
                "verdict": end.verdict,
                "reason": end.reason,
                "rule": ", ".join(end.rules),
                "rules": list(end.rules),
                "probability": end.probability,
            }
            for end in one.reasons
        ],
        "undecided_causes": [
            {"cause": c.cause, "history": c.history, "probability": c.probability} for c in one.undecided_causes
        ],
        "courses": None if one.courses is None else {
            "re_treated": one.courses.re_treated,
            "cycles_mean": one.courses.cycles_mean,
            "reasons_off": dict(one.courses.reasons_off),
        },
        "standard_errors": None if one.standard_errors is None else _error_record(one, one.standard_errors),
        "trials": one.trials,
        "seed": one.seed,
        "timing": None if one.timing is None else timing_record(one.timing),
    }  # fmt: skip


def _error_record(one: Characteristics, errors: StandardErrors) -> dict[str, object]:
    return {
        "mtd": _levels(one, errors.mtd),
        "no_mtd": errors.no_mtd,
        "other_verdicts": dict(errors.other_verdicts),
        "undecided": errors.undecided,
        "patients": {
            "mean": errors.patients.mean,
            "by_level": _levels(one, errors.patients.by_level),
            "distribution": _sizes(errors.patients.distribution),
        },
        "dlts": {"mean": errors.dlts.mean, "by_level": _levels(one, errors.dlts.by_level)},
        "parts": _part_records(errors.parts),
        "reasons": [{"probability": error} for error in errors.reasons],
        "undecided_causes": [{"probability": error} for error in errors.undecided_causes],
    }


def _levels(one: Characteristics, numbers: Sequence[float]) -> dict[str, float]:
    return {level.label: number for level, number in zip(one.protocol.levels, numbers, strict=True)}


def _sizes(distribution: Mapping[int, float]) -> dict[str, float]:
    return {str(size): probability for size, probability in sorted(distribution.items())}


def _part_records(parts: Mapping[str, PartFigures]) -> dict[str, object]:
    return {name: {"patients": part.patients, "dlts": part.dlts} for name, part in parts.items()}


# ---- as a long table ----


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
    return csv_table(_table([Column(heading) for heading in headings], rows))


def _cell(value: float | int | None) -> str:
    return "" if value is None else repr(value)


def figures(one: Characteristics) -> Iterator[Figure]:
    """Every figure of a scenario, in the order in which tables have them."""
    errors, patients = _errors(one), one.patients
    labels = [level.label for level in one.protocol.levels]
    for toxicity, rates in zip(one.protocol.toxicities, one.scenario.rates, strict=True):
        for label, rate in zip(labels, rates, strict=True):
            yield Figure("rate", label, toxicity.name, rate)
    by_level = (
        ("mtd", one.mtd, errors.mtd),
        ("patients", patients.by_level, errors.patients_by_level),
        ("dlts", one.dlts.by_level, errors.dlts_by_level),
    )
    for name, values, of_values in by_level:
        for label, value, error in zip(labels, values, of_values, strict=True):
            yield Figure(name, label, "", value, error)
    yield Figure("no_mtd", "", "", one.no_mtd, errors.no_mtd)
    for verdict, value in one.other_verdicts.items():
        yield Figure("other_verdict", "", verdict, value, errors.other_verdicts[verdict])
    yield Figure("undecided", "", "", one.undecided, errors.undecided)
    yield Figure("patients_mean", "", "", patients.mean, errors.patients)
    for extreme, size in (("patients_sd", patients.sd), ("patients_min", patients.min), ("patients_max", patients.max)):
        yield Figure(extreme, "", "", size)
    for count, value in sorted(patients.distribution.items()):
        yield Figure("patients_probability", "", str(count), value, errors.distribution[count])
    yield Figure("dlts_mean", "", "", one.dlts.mean, errors.dlts)
    for name, part in one.parts.items():
        yield Figure("part_patients", "", name, part.patients, errors.parts[name][0])
        yield Figure("part_dlts", "", name, part.dlts, errors.parts[name][1])
    for end, error in zip(one.reasons, errors.reasons, strict=True):
        yield Figure("reason", "", f"{end.verdict}: {end.reason or ''}", end.probability, error, end.rules)
    for cause, error in zip(one.undecided_causes, errors.causes, strict=True):
        yield Figure("undecided_cause", "", cause.cause, cause.probability, error)
    for name, item, value, error in () if one.timing is None else timing_figures(one.timing):
        yield Figure(name, "", item, value, error)
