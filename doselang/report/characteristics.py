"""Operating characteristics for people and programs: text, Markdown, JSON with the keys relied on, CSV in long form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from doselang import __version__
from doselang.protocol.model import Protocol
from doselang.report.phrases import listed
from doselang.report.printable import printable
from doselang.report.standard_errors import Counted, Errors, errors_of, said
from doselang.report.table import Column, Table, markdown_table, text_table
from doselang.report.timing import shown_timing, timing_record
from doselang.simulate.characteristics import (
    Characteristics,
    PartFigures,
    Patients,
    StandardErrors,
    Toxic,
    VerdictFigures,
)

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
    errors = errors_of(one)
    if one.undecided > 0:
        share = percent(one.undecided, errors.undecided)
        yield f"the rules do not decide what happens: {share} of trials end undecided"
        yield _causes(one, errors)
    yield _by_level(one, errors)
    yield _sizes(one.trial.patients, errors.trial, whole_words(one))
    if len(one.parts) > 1:
        yield _parts(one, errors)
        yield _sizes(one.patients, errors.first, f" in {one.protocol.parts[0].name} alone")
        yield _first_part(one, errors.first)
    if len(one.protocol.declared) > 1:
        yield _verdicts(one, errors)
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
        yield from shown_timing(one.timing, one.protocol.verdicts[one.protocol.result].name)


def whole_words(one: Characteristics) -> str:
    """` in all parts`: what says, where there are several, that figures are those of the whole trial."""
    return " in all parts" if len(one.parts) > 1 else ""


def _sizes(patients: Patients, errors: Counted, where: str) -> str:
    spread = f"standard deviation {patients.sd:.2f}, from {patients.min} to {patients.max}"
    return f"{number(patients.mean, errors.patients)} patients{where}, {spread}"


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


def _causes(one: Characteristics, errors: Errors) -> Table:
    rows = [
        (percent(cause.probability, error), cause.history or "", cause.cause)
        for cause, error in zip(one.undecided_causes, errors.causes, strict=True)
    ]
    return _table([Column("undecided", "right"), Column("for example"), Column("because")], rows)


def _by_level(one: Characteristics, errors: Errors) -> Table:
    """True rates, verdicts, patients and toxicities by level; then the verdicts that are no level, and the sums.

    Patients and toxicities are those of the whole trial.
    """
    protocol, trial, of_trial, where = one.protocol, one.trial, errors.trial, whole_words(one)
    result = protocol.verdicts[protocol.result].name
    columns = [Column("level"), *(Column(f"true {toxicity.name} rate", "right") for toxicity in protocol.toxicities)]
    headings = f"selected as {result}", f"patients{where}", f"with {protocol.toxicities[0].name}{where}"
    columns += [Column(heading, "right") for heading in headings]
    rows = [
        (
            level.label, *(percent(rates[position]) for rates in one.scenario.rates),
            percent(one.mtd[position], errors.mtd[position]),
            number(trial.patients.by_level[position], of_trial.patients_by_level[position]),
            number(trial.dlts.by_level[position], of_trial.dlts_by_level[position]),
        )
        for position, level in enumerate(protocol.levels)
    ]  # fmt: skip
    blank = ("",) * len(protocol.toxicities)
    others = [(f"no {result}", one.no_mtd, errors.no_mtd)]
    others += [(name, share, errors.other_verdicts[name]) for name, share in one.other_verdicts.items() if share > 0]
    others += [("undecided", one.undecided, errors.undecided)] if one.undecided > 0 else []
    rows += [(name, *blank, percent(share, error), "", "") for name, share, error in others]
    sums = number(trial.patients.mean, of_trial.patients), number(trial.dlts.mean, of_trial.dlts)
    rows.append(("in all", *blank, "", *sums))
    return _table(columns, rows)


def _first_part(one: Characteristics, errors: Counted) -> Table:
    """Patients and toxicities of the first part, at the levels at which it has any."""
    part, toxicity = one.protocol.parts[0].name, one.protocol.toxicities[0].name
    rows = [
        (
            level.label, number(one.patients.by_level[position], errors.patients_by_level[position]),
            number(one.dlts.by_level[position], errors.dlts_by_level[position]),
        )
        for position, level in enumerate(one.protocol.levels)
        if one.patients.by_level[position] > 0
    ]  # fmt: skip
    headings = f"patients in {part} alone", f"with {toxicity} in {part} alone"
    return _table([Column("level"), *(Column(heading, "right") for heading in headings)], rows)


def _verdicts(one: Characteristics, errors: Errors) -> Table:
    """What is declared as each verdict, for protocols whose rules declare several."""
    verdicts = one.protocol.declared
    labels = [level.label for level in one.protocol.levels]
    names = [*labels, "no level", "not declared", *(["undecided"] if one.undecided > 0 else [])]
    columns = [
        [percent(share, error) for share, error in zip(said(one.verdicts[name]), errors.verdicts[name], strict=True)]
        for name in verdicts
    ]
    if one.undecided > 0:
        for column in columns:
            column.append(percent(one.undecided, errors.undecided))
    headings = [Column(f"declared as {name}", "right") for name in verdicts]
    return _table([Column("level"), *headings], list(zip(names, *columns, strict=True)))


def _parts(one: Characteristics, errors: Errors) -> Table:
    rows = [
        (name, number(part.patients, errors.parts[name][0]), number(part.dlts, errors.parts[name][1]))
        for name, part in one.parts.items()
    ]
    toxicity = one.protocol.toxicities[0].name
    return _table([Column("part"), Column("patients", "right"), Column(f"with {toxicity}", "right")], rows)


def _reasons(one: Characteristics, errors: Errors) -> Table:
    rows = [
        (percent(end.probability, error), _verdict(one, end.verdict), end.reason or "", ", ".join(end.rules))
        for end, error in zip(one.reasons, errors.reasons, strict=True)
    ]
    return _table([Column("trials end", "right"), Column("with"), Column("because"), Column("by rule")], rows)


def _verdict(one: Characteristics, verdict: str) -> str:
    result = one.protocol.verdicts[one.protocol.result].name
    return {"mtd": result, "no mtd": f"no {result}"}.get(verdict, verdict)


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
    toxicities = one.protocol.toxicities
    rates = {t.name: _levels(one, of_t) for t, of_t in zip(toxicities, one.scenario.rates, strict=True)}
    return {
        "name": one.scenario.name,
        "dlt": rates[toxicities[0].name],
        "rates": rates,
        "mtd": _levels(one, one.mtd),
        "no_mtd": one.no_mtd,
        "other_verdicts": dict(one.other_verdicts),
        "undecided": one.undecided,
        "patients": _patient_record(one, one.patients),
        "dlts": _toxic_record(one, one.dlts),
        "trial": {
            "patients": _patient_record(one, one.trial.patients),
            "dlts": _toxic_record(one, one.trial.dlts),
        },
        "parts": _part_records(one.parts),
        "verdicts": _verdict_records(one, one.verdicts),
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
        "patients": _patient_errors(one, errors.patients),
        "dlts": _toxic_record(one, errors.dlts),
        "trial": {
            "patients": _patient_errors(one, errors.trial.patients),
            "dlts": _toxic_record(one, errors.trial.dlts),
        },
        "parts": _part_records(errors.parts),
        "verdicts": _verdict_records(one, errors.verdicts),
        "reasons": [{"probability": error} for error in errors.reasons],
        "undecided_causes": [{"probability": error} for error in errors.undecided_causes],
    }


def _patient_record(one: Characteristics, patients: Patients) -> dict[str, object]:
    return {
        "mean": patients.mean,
        "sd": patients.sd,
        "min": patients.min,
        "max": patients.max,
        "by_level": _levels(one, patients.by_level),
        "distribution": _by_size(patients.distribution),
    }


def _patient_errors(one: Characteristics, errors: Patients) -> dict[str, object]:
    return {
        "mean": errors.mean,
        "by_level": _levels(one, errors.by_level),
        "distribution": _by_size(errors.distribution),
    }


def _toxic_record(one: Characteristics, dlts: Toxic) -> dict[str, object]:
    return {"mean": dlts.mean, "by_level": _levels(one, dlts.by_level)}


def _verdict_records(one: Characteristics, verdicts: Mapping[str, VerdictFigures]) -> dict[str, object]:
    return {
        name: {"by_level": _levels(one, said.by_level), "none": said.none, "not_declared": said.undeclared}
        for name, said in verdicts.items()
    }


def _levels(one: Characteristics, numbers: Sequence[float]) -> dict[str, float]:
    return {level.label: number for level, number in zip(one.protocol.levels, numbers, strict=True)}


def _by_size(distribution: Mapping[int, float]) -> dict[str, float]:
    return {str(size): probability for size, probability in sorted(distribution.items())}


def _part_records(parts: Mapping[str, PartFigures]) -> dict[str, object]:
    return {name: {"patients": part.patients, "dlts": part.dlts} for name, part in parts.items()}
