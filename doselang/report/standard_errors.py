"""The standard errors of the figures that are shown, in one form for exact and for simulated figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from doselang.simulate.characteristics import Characteristics, Patients, TimeFigures, Toxic, VerdictFigures


@frozen
class Counted:
    """The standard errors of patients and toxicities, None where figures are exact."""

    patients: float | None
    patients_by_level: Sequence[float | None]
    distribution: Mapping[int, float | None]
    dlts: float | None
    dlts_by_level: Sequence[float | None]


@frozen
class Errors:
    """The standard errors of all figures, None where figures are exact.

    `first` are those of the first part, `trial` those of the whole trial.
    """

    mtd: Sequence[float | None]
    no_mtd: float | None
    other_verdicts: Mapping[str, float | None]
    undecided: float | None
    first: Counted
    trial: Counted
    parts: Mapping[str, tuple[float | None, float | None]]
    verdicts: Mapping[str, Sequence[float | None]]
    reasons: Sequence[float | None]
    causes: Sequence[float | None]
    cycles: float | None = None
    re_treated: float | None = None
    off: Mapping[str, float] = field(factory=dict)


def errors_of(one: Characteristics) -> Errors:
    """The standard errors of some characteristics."""
    errors, none = one.standard_errors, (None,) * len(one.mtd)
    if errors is None:
        return Errors(
            none, None, dict.fromkeys(one.other_verdicts), None,
            Counted(None, none, dict.fromkeys(one.patients.distribution), None, none),
            Counted(None, none, dict.fromkeys(one.trial.patients.distribution), None, none),
            dict.fromkeys(one.parts, (None, None)), dict.fromkeys(one.verdicts, (*none, None, None)),
            (None,) * len(one.reasons), (None,) * len(one.undecided_causes),
        )  # fmt: skip
    return Errors(
        errors.mtd, errors.no_mtd, errors.other_verdicts, errors.undecided,
        _counted(errors.patients, errors.dlts), _counted(errors.trial.patients, errors.trial.dlts),
        {name: (part.patients, part.dlts) for name, part in errors.parts.items()},
        {name: said(declared) for name, declared in errors.verdicts.items()},
        errors.reasons, errors.undecided_causes, *_course_errors(one.timing),
    )  # fmt: skip


def _counted(patients: Patients, dlts: Toxic) -> Counted:
    return Counted(patients.mean, patients.by_level, patients.distribution, dlts.mean, dlts.by_level)


def _course_errors(timing: TimeFigures | None) -> tuple[float | None, float | None, Mapping[str, float]]:
    """The standard errors of cycles, of the share re-treated, and of the reasons to end treatment."""
    if timing is None or timing.re_treated is None:
        return None, None, {}
    cycles = timing.spreads["cycles_per_patient"]
    off = {reason: share.standard_error for reason, share in timing.off.items()}
    return None if cycles is None else cycles.standard_error, timing.re_treated.standard_error, off


def said(verdict: VerdictFigures) -> tuple[float, ...]:
    """What is declared as a verdict, in the order of tables: each level, that there is none, nothing."""
    return *verdict.by_level, verdict.none, verdict.undeclared
