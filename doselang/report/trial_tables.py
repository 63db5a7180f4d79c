"""What tables of a trial hold, in words and as a record: patients by level and outcome, days, decisions, cycles."""

from __future__ import annotations

from collections import Counter

from doselang.conduct.conducted import Conducted
from doselang.machine.notation import INEVALUABLE, NONE, PENDING
from doselang.patients.reading import Tables
from doselang.protocol.model import Protocol
from doselang.report.diagnostics_json import diagnostic_records
from doselang.report.phrases import counted
from doselang.report.table import Column, Table, text_table
from doselang.resolve.names import listing


def render_trial_tables(tables: Tables, protocol: Protocol) -> str:
    """How many patients, levels and outcomes some tables have, which were read without a fault."""
    conducted = tables.conducted
    assert conducted is not None
    lines = [f"{tables.source.path}: {counted(len(conducted.patients), 'patient')}{_days_words(conducted)}"]
    if conducted.patients:
        lines += ["", text_table(_by_level(conducted, protocol), indent=2).rstrip("\n"), ""]
    if conducted.decisions:
        lines.append(f"{counted(len(conducted.decisions), 'decision')}: {_steps_words(conducted)}")
    if conducted.cycles:
        treated = len({cycle.patient for cycle in conducted.cycles})
        lines.append(f"{counted(len(conducted.cycles), 'cycle')} of {counted(treated, 'patient')}")
    if tables.ignored:
        lines.append(f"not read: {listing(tables.ignored)}")
    while lines[-1] == "":
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def trial_tables_record(tables: Tables, protocol: Protocol) -> dict[str, object]:
    """The same as a record; `patients` and what follows is null where the tables have faults."""
    conducted = tables.conducted
    record: dict[str, object] = {
        "path": tables.source.path,
        "faults": tables.faults,
        "diagnostics": diagnostic_records(tables.diagnostics, tables.source),
        "ignored": list(tables.ignored),
    }
    if conducted is None:
        return record | dict.fromkeys(("patients", "dated", "first", "last", "levels", "decisions", "cycles"))
    entered = [one.entered for one in conducted.patients if one.entered is not None]
    return record | {
        "patients": len(conducted.patients),
        "dated": conducted.dated,
        "first": min(entered).isoformat() if entered else None,
        "last": max(entered).isoformat() if entered else None,
        "levels": [
            {"level": level.label, "patients": sum(counts.values()), "outcomes": counts}
            for level, counts in zip(protocol.levels, _counts(conducted, protocol), strict=True)
        ],
        "decisions": len(conducted.decisions),
        "cycles": len(conducted.cycles),
    }


def _outcomes(protocol: Protocol) -> dict[str, str]:
    """What each letter of an outcome is called, in the order of the columns."""
    toxicities = {toxicity.letter: toxicity.name for toxicity in protocol.toxicities}
    return {NONE: "none"} | toxicities | {INEVALUABLE: "inevaluable", PENDING: "pending"}


def _counts(conducted: Conducted, protocol: Protocol) -> list[dict[str, int]]:
    """By level, how many patients had each outcome; one that came in a later cycle counts in place of the first."""
    found = Counter((patient.level, patient.later or patient.outcome) for patient in conducted.patients)
    return [
        {name: found[level, letter] for letter, name in _outcomes(protocol).items()}
        for level in range(len(protocol.levels))
    ]


def _by_level(conducted: Conducted, protocol: Protocol) -> Table:
    names = list(_outcomes(protocol).values())
    counts = _counts(conducted, protocol)
    rows = [
        (level.label, str(sum(at.values())), *(str(at[name]) for name in names))
        for level, at in zip(protocol.levels, counts, strict=True)
        if any(at.values())
    ]
    total = [str(sum(at[name] for at in counts)) for name in names]
    rows.append(("in all", str(len(conducted.patients)), *total))
    columns = [Column("level"), Column("patients", "right"), *(Column(name, "right") for name in names)]
    return Table(columns, rows)


def _days_words(conducted: Conducted) -> str:
    entered = [one.entered for one in conducted.patients if one.entered is not None]
    if not conducted.patients:
        return ""
    if not entered:
        return ", without days, in the order of the table"
    first, last = min(entered), max(entered)
    return f", who entered from {first} to {last}" if first < last else f", entered on {first}"


def _steps_words(conducted: Conducted) -> str:
    steps = Counter(decided.what for decided in conducted.decisions)
    return ", ".join(f"{number} {what}" for what, number in steps.items())
