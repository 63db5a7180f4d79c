"""Operating characteristics for people and programs: text, Markdown, JSON with the keys relied on, CSV in long form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from doselang import __version__
from doselang.machine.characteristics import Characteristics, PartFigures, StandardErrors
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table

METHODS = {"exact": "exact", "montecarlo": "simulated"}
ACCRUALS = {"one-at-a-time": "one patient at a time", "whole-cohort": "whole cohorts"}

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
    errors = one.standard_errors
    if one.undecided > 0:
        share = percent(one.undecided, errors and errors.undecided)
        yield f"the rules do not decide what happens: {share} of trials end undecided"
        yield _causes(one, errors)
    yield _by_level(one, errors)
    patients = one.patients
    mean = number(patients.mean, errors and errors.patients.mean)
    yield f"{mean} patients{_in_first(one)}, standard deviation {patients.sd:.2f}, from {patients.min} to {patients.max}"
    if len(one.parts) > 1:
        yield _parts(one.protocol.toxicities[0].name, one.parts, errors and errors.parts)
    if one.reasons:
        yield _reasons(one, errors)
    if one.courses is not None:
        yield f"{percent(one.courses.re_treated)} of patients are re-treated; {one.courses.cycles_mean:.1f} cycles a patient"
        off = one.courses.reasons_off.items()
        columns = (Column("treatment ends by"), Column("patients", "right"))
        yield Table(columns, ((reason, percent(share)) for reason, share in off))


def _in_first(one: Characteristics) -> str:
    return f" in {one.protocol.parts[0].name}" if len(one.parts) > 1 else ""


def _causes(one: Characteristics, errors: StandardErrors | None) -> Table:
    shares = _each(errors and errors.undecided_causes, len(one.undecided_causes))
    rows = [
        (percent(cause.probability, error), cause.cause, cause.history or "")
        for cause, error in zip(one.undecided_causes, shares, strict=True)
    ]
    return Table((Column("undecided", "right"), Column("because"), Column("for example")), rows)


def _by_level(one: Characteristics, errors: StandardErrors | None) -> Table:
    """True rates, verdicts, patients and toxicities by level; then the verdicts that are no level, and the sums."""
    protocol, first = one.protocol, one.protocol.toxicities[0]
    result = protocol.verdicts[protocol.result].name
    columns = [Column("level"), *(Column(f"true {t.name} rate", "right") for t in protocol.toxicities)]
    columns += [Column(f"selected as {result}", "right"), Column("patients", "right"), Column(f"with {first.name}", "right")]
    selected = _each(errors and errors.mtd, len(one.mtd))
    treated = _each(errors and errors.patients.by_level, len(one.mtd))
    toxic = _each(errors and errors.dlts.by_level, len(one.mtd))
    rows = [
        (
            level.label, *(percent(rates[l]) for rates in one.scenario.rates), percent(one.mtd[l], selected[l]),
            number(one.patients.by_level[l], treated[l]), number(one.dlts.by_level[l], toxic[l]),
        )
        for l, level in enumerate(protocol.levels)
    ]  # fmt: skip
    blank = ("",) * len(protocol.toxicities)
    others = [(f"no {result}", one.no_mtd, errors and errors.no_mtd)]
    others += [(k, p, errors and errors.other_verdicts[k]) for k, p in one.other_verdicts.items() if p > 0]
    others += [("undecided", one.undecided, errors and errors.undecided)] if one.undecided > 0 else []
    rows += [(name, *blank, percent(share, error), "", "") for name, share, error in others]
    sums = number(one.patients.mean, errors and errors.patients.mean), number(one.dlts.mean, errors and errors.dlts.mean)
    rows.append(("in all", *blank, "", *sums))
    return Table(columns, rows)


def _parts(toxicity: str, parts: Mapping[str, PartFigures], errors: Mapping[str, PartFigures] | None) -> Table:
    rows = [
        (name, number(part.patients, errors and errors[name].patients), number(part.dlts, errors and errors[name].dlts))
        for name, part in parts.items()
    ]
    return Table((Column("part"), Column("patients", "right"), Column(f"with {toxicity}", "right")), rows)


def _reasons(one: Characteristics, errors: StandardErrors | None) -> Table:
    shares = _each(errors and errors.reasons, len(one.reasons))
    rows = [
        (percent(reason.probability, error), _verdict(one, reason.verdict), reason.reason or "", ", ".join(reason.rules))
        for reason, error in zip(one.reasons, shares, strict=True)
    ]
    return Table((Column("trials end", "right"), Column("with"), Column("because"), Column("by rule")), rows)


def _verdict(one: Characteristics, verdict: str) -> str:
    result = one.protocol.verdicts[one.protocol.result].name
    return {"mtd": result, "no mtd": f"no {result}"}.get(verdict, verdict)


def _each(errors: Sequence[float] | None, count: int) -> Sequence[float | None]:
    return [None] * count if errors is None else errors


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
            {"verdict": r.verdict, "reason": r.reason, "rule": ", ".join(r.rules), "rules": list(r.rules), "probability": r.probability}
            for r in one.reasons
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
class _Figure:
    """One row: what is figured, of which level or other item, its value and standard error."""

    name: str
    level: str
    item: str
    value: float | int | None
    error: float | None = None


def render_csv(found: Sequence[Characteristics]) -> str:
    """One row for each figure of each scenario; `level` or `item` says of what, empty where it is of the whole."""
    headings = ("scenario", "figure", "level", "item", "value", "standard_error", "method", "accrual", "trials", "seed")
    rows = [
        (
            one.scenario.name, figure.name, figure.level, figure.item, _cell(figure.value), _cell(figure.error),
            one.method, one.accrual, _cell(one.trials), _cell(one.seed),
        )
        for one in found
        for figure in _figures(one)
    ]  # fmt: skip
    return csv_table(Table([Column(heading) for heading in headings], rows))


def _cell(value: float | int | None) -> str:
    return "" if value is None else repr(value)


def _figures(one: Characteristics) -> Iterator[_Figure]:
    errors, labels = one.standard_errors, [level.label for level in one.protocol.levels]
    for toxicity, rates in zip(one.protocol.toxicities, one.scenario.rates, strict=True):
        for label, rate in zip(labels, rates, strict=True):
            yield _Figure("rate", label, toxicity.name, rate)
    by_level = (
        ("mtd", one.mtd, errors and errors.mtd),
        ("patients", one.patients.by_level, errors and errors.patients.by_level),
        ("dlts", one.dlts.by_level, errors and errors.dlts.by_level),
    )
    for name, values, of_values in by_level:
        for label, value, error in zip(labels, values, _each(of_values, len(labels)), strict=True):
            yield _Figure(name, label, "", value, error)
    yield _Figure("no_mtd", "", "", one.no_mtd, errors and errors.no_mtd)
    for verdict, value in one.other_verdicts.items():
        yield _Figure("other_verdict", "", verdict, value, errors and errors.other_verdicts[verdict])
    yield _Figure("undecided", "", "", one.undecided, errors and errors.undecided)
    yield _Figure("patients_mean", "", "", one.patients.mean, errors and errors.patients.mean)
    yield _Figure("patients_sd", "", "", one.patients.sd)
    yield _Figure("patients_min", "", "", one.patients.min)
    yield _Figure("patients_max", "", "", one.patients.max)
    for size, value in sorted(one.patients.distribution.items()):
        yield _Figure("patients_probability", "", str(size), value, errors and errors.patients.distribution[size])
    yield _Figure("dlts_mean", "", "", one.dlts.mean, errors and errors.dlts.mean)
    for name, part in one.parts.items():
        yield _Figure("part_patients", "", name, part.patients, errors and errors.parts[name].patients)
        yield _Figure("part_dlts", "", name, part.dlts, errors and errors.parts[name].dlts)
    for reason, error in zip(one.reasons, _each(errors and errors.reasons, len(one.reasons)), strict=True):
        yield _Figure("reason", "", f"{reason.verdict}: {reason.reason or ''}", reason.probability, error)
    of_causes = _each(errors and errors.undecided_causes, len(one.undecided_causes))
    for cause, error in zip(one.undecided_causes, of_causes, strict=True):
        yield _Figure("undecided_cause", "", cause.cause, cause.probability, error)
