"""A trial's steps as the tables that `doselang next` reads: patients, decisions, cycles, and a map that names them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from doselang.patients.later import LATER, LATER_KNOWN, later_ones
from doselang.patients.maps import COLUMNS
from doselang.trial.opening import Trial
from doselang.trial.steps import Choose, Close, Declare, Enrol, Made, Outcome, Stop, Treated

WHAT: dict[type, str] = {Choose: "chosen", Declare: "declared", Close: "closed", Stop: "stopped"}


def patients_csv(trial: Trial) -> str:
    """The patients, in the order of entering, with their outcomes."""
    outcomes: dict[int, list[Outcome]] = {}
    for made in trial.steps:
        if isinstance(made.step, Outcome):
            outcomes.setdefault(made.step.enrolment, []).append(made.step)
    later = (LATER, LATER_KNOWN) if later_ones(trial.protocol) else ()
    enrolled = [made for made in trial.steps if isinstance(made.step, Enrol)]
    return _csv(
        ("patient", "level", "part", "entered", "outcome", "known", *later),
        (
            _patient(made, outcomes.get(made.number, []), 2 if later else 1)
            for made in sorted(enrolled, key=lambda made: made.step.on)
        ),
    )


def _patient(made: Made, outcomes: Sequence[Outcome], most: int) -> tuple[str, ...]:
    """The row of a patient; `most` is how many outcomes there can be: the first, and one in a later cycle."""
    step = made.step
    assert isinstance(step, Enrol)
    known = [cell for outcome in outcomes for cell in (outcome.outcome, outcome.on.isoformat())]
    empty = [""] * (2 * most - len(known))
    return step.patient, step.level, step.part or "", step.on.isoformat(), *known, *empty


def has_more(trial: Trial) -> bool:
    """Whether a table of patients alone leaves out decisions or cycles."""
    return any(isinstance(made.step, (*WHAT, Treated)) for made in trial.steps)


def tables_of(trial: Trial, name: str) -> dict[str, str]:
    """A map and its tables by the names of their files, which begin with a name."""
    decided = sorted((made for made in trial.steps if type(made.step) in WHAT), key=lambda made: made.step.on)
    treated = [made.step for made in trial.steps if isinstance(made.step, Treated)]
    tables = {"patients": patients_csv(trial)}
    if decided:
        tables["decisions"] = _csv(COLUMNS["decisions"], (_decision(made) for made in decided))
    if treated:
        rows = ((one.patient, str(one.number), one.level, " ".join(one.events)) for one in treated)
        tables["cycles"] = _csv(COLUMNS["cycles"], rows)
    named = "\n".join(f"[{kind}]\nfile = {json.dumps(f'{name}-{kind}.csv', ensure_ascii=False)}\n" for kind in tables)
    return {f"{name}.toml": named} | {f"{name}-{kind}.csv": text for kind, text in tables.items()}


def _decision(made: Made) -> tuple[str, ...]:
    step = made.step
    level = "none" if isinstance(step, Declare) and step.level is None else getattr(step, "level", "")
    return (
        step.on.isoformat(), WHAT[type(step)], level, getattr(step, "verdict", ""), str(getattr(step, "option", "")),
        getattr(step, "by", ""),
    )  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
