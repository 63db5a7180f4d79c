"""Templates: empty tables of a trial, and a map that names them, with the words of its protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator

from doselang.patients.later import LATER, LATER_KNOWN, later_ones
from doselang.patients.maps import COLUMNS
from doselang.protocol.model import Level, Protocol
from doselang.resolve.names import listing, shorten

MAP = "trial.toml"
"""What a map is called."""


def templates(protocol: Protocol) -> dict[str, str]:
    """The texts of a map and of empty tables for a protocol, by the names of their files."""
    tables = {f"{name}.csv": f"{','.join(columns)}\n" for name, columns in _columns(protocol).items()}
    return {MAP: map_template(protocol)} | tables


def _columns(protocol: Protocol) -> dict[str, tuple[str, ...]]:
    """The columns of each table that a trial needs."""
    patients = ("patient", "level", *(["part"] if len(protocol.parts) > 1 else []), "entered", "outcome", "known")
    patients += (LATER, LATER_KNOWN) if later_ones(protocol) else ()
    cycles = {"cycles": COLUMNS["cycles"]} if protocol.course is not None else {}
    return {"patients": patients, "decisions": COLUMNS["decisions"]} | cycles


def map_template(protocol: Protocol) -> str:
    """A map that works with the empty tables as it stands, and says in comments what else there is."""
    meanings = _meanings(protocol)
    lines = [
        f"# The tables of the trial: {_plain(protocol.title)}",
        "# A line that begins with # says nothing to doselang: take the # away to make it count.",
        "",
        "# Days are written 2026-03-01. If the tables write 01MAR2026:",
        '# date-format = "%d%b%Y"',
    ]
    for name, columns in _columns(protocol).items():
        lines += ["", f"[{name}]", f'file = "{name}.csv"']
        width = max(len(column) for column in columns)
        for column in columns:
            setting = f'{column} = "{column}"'
            lines.append(f"{setting:<{2 * width + 5}}  # {meanings[name][column]}")
        lines += _further(protocol) if name == "patients" else []
    return "".join(f"{line}\n" for line in lines)


def _meanings(protocol: Protocol) -> dict[str, dict[str, str]]:
    """What each column holds, with the words of the protocol."""
    labels = listing([level.label for level in protocol.levels], "or", mark="")
    result = protocol.verdicts[protocol.result].name
    verdicts = listing([verdict.name for verdict in protocol.verdicts], "or", mark="")
    toxicities = ", ".join(toxicity.name for toxicity in protocol.toxicities if not toxicity.later)
    later = listing([toxicity.name for toxicity in later_ones(protocol).values()], "or", mark="")
    events = protocol.course.events if protocol.course else ()
    return {
        "patients": {
            "patient": "the name or number of the patient",
            "level": f"the level at which the patient entered: {labels}",
            "part": f"the part of the trial: {listing([part.name for part in protocol.parts], 'or', mark='')}",
            "entered": "the day of the first dose; of every patient, or of none",
            "outcome": f"none, {toxicities} or inevaluable; nothing while it is not known",
            "known": "the day on which the outcome became known; with days every toxicity has one",
            LATER: f"{later}, of a patient who was known before; nothing where none came",
            LATER_KNOWN: "the day on which it came",
        },
        "decisions": {
            "date": "the day of the decision",
            "what": "chosen, declared, closed or stopped",
            "level": "the level that was declared (or none), closed or chosen",
            "verdict": f"what was declared: {verdicts}; an empty cell means {result}",
            "option": "which of the options of a rule was chosen, counted from 1",
            "by": "who decided",
        },
        "cycles": {
            "patient": "the name or number of the patient",
            "cycle": "the number of the cycle, from 1 on",
            "level": "the level at which the patient was treated in it",
            "events": f"{', '.join(f'{one.name} ({one.letter})' for one in events)}; several with spaces",
        },
    }


def _further(protocol: Protocol) -> Iterator[str]:
    """What else a map can say of patients, as comments: flags, and codes."""
    yield ""
    yield "# Columns with Y and N, in place of `outcome`:"
    yield '# dlt = "DLTFL"'
    yield '# evaluable = "DLTEVLFL"'
    yield ""
    yield "# What the table says for a level, where it does not say its label:"
    yield "# [patients.levels]"
    doses = [_doses(protocol, level) for level in protocol.levels]
    for level, dose in zip(protocol.levels, doses, strict=True):
        code = dose if dose and doses.count(dose) == 1 else f"dose {level.label}"
        yield f"# {_quoted(code)} = {_quoted(level.label)}"
    yield ""
    yield "# What the table says for an outcome, where it has codes:"
    yield "# [patients.outcomes]"
    yield '# "0" = "none"'
    for number, toxicity in enumerate(protocol.toxicities, 1):
        yield f'# "{number}" = {_quoted(toxicity.name)}'


def _doses(protocol: Protocol, level: Level) -> str:
    """The doses of a level, `420 mg / 10 mg`."""
    shown = []
    for component, dose in zip(protocol.components, level.doses, strict=False):
        if dose is not None:
            unit = f" {component.unit}" if component.unit and not isinstance(dose, str) else ""
            shown.append(f"{dose if isinstance(dose, str) else f'{float(dose):g}'}{unit}")
    return " / ".join(shown)


def _quoted(text: str) -> str:
    """A text as TOML has it in quotation marks."""
    return json.dumps(_plain(text), ensure_ascii=False)


def _plain(text: str) -> str:
    """A text on one line, of signs that can be seen."""
    return "".join(sign if sign.isprintable() else " " for sign in shorten(text))
