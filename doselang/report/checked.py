"""What was checked, apart from the findings: assumptions, silences, claims that hold, the size of the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doselang.check.checking import Checked
from doselang.diagnostics import Diagnostic
from doselang.protocol.model import Parameter, Protocol
from doselang.report.diagnostics_json import diagnostic_records, file_record
from doselang.report.phrases import counted
from doselang.report.printable import printable
from doselang.report.text import count_words, line_words, place_words
from doselang.source import NOWHERE, Source, Span

MANY = 4
"""Among so many warnings and notes an error could be overlooked."""


def check_record(
    source: Source, diagnostics: Sequence[Diagnostic], protocol: Protocol | None, checked: Checked | None
) -> dict[str, object]:
    """One of the `files` of `check --format json`; `machine` is null where the text has errors."""
    record: dict[str, object] = {"path": source.path, "diagnostics": diagnostic_records(diagnostics, source)}
    record["assumptions"] = [
        {**_place(one.span, source), "reading": one.reading, "because": one.because}
        for one in (protocol.assumptions if protocol else ())
    ]
    record["silences"] = [
        {**_place(one.span, source), "text": one.text} for one in (protocol.silences if protocol else ())
    ]
    record["claims"] = [
        {
            **_place(protocol.claims[one.claim].span, source),
            "name": protocol.claims[one.claim].name,
            "outcome": one.outcome,
            "broken_by": one.mutant,
        }
        for one in (checked.claims if checked and protocol else ())
        if protocol is not None
    ]
    record["parameters"] = [_parameter(one) for one in (protocol.parameters.values() if protocol else ())]
    record["machine"] = None
    if protocol is not None and checked is not None:
        record["machine"] = {
            "states": checked.states,
            "rules": _rules(protocol),
            "max_patients": checked.max_patients,
            "levels": [level.label for level in protocol.levels],
            "complete": checked.complete,
        }
    return record


def _place(span: Span, source: Source) -> dict[str, object]:
    return {"line": source.place(span.start)[0], **file_record(span, source)}


def _parameter(parameter: Parameter) -> dict[str, object]:
    """Values as numbers: a percentage is a fraction of 1."""
    value = parameter.value
    return {
        "name": parameter.name,
        "kind": parameter.kind,
        "value": [float(member) for member in value] if isinstance(value, tuple) else float(value),
        "unit": parameter.unit,
        "from": None if parameter.low is None else float(parameter.low),
        "to": None if parameter.high is None else float(parameter.high),
        "means": parameter.means,
        "computed": parameter.computed,
        "set": parameter.was_set,
    }


def check_summary(
    source: Source, diagnostics: Sequence[Diagnostic], protocol: Protocol | None, checked: Checked | None
) -> str:
    """The lines below the findings: what is assumed, silent, proved, and how much was explored."""
    lines: list[str] = []
    if protocol is not None:
        lines += _listed(
            "Assumptions", [(one.span, f"{one.reading}\nbecause {one.because}") for one in protocol.assumptions], source
        )
        lines += _listed("Silences", [(one.span, one.text) for one in protocol.silences], source)
    if protocol is not None and checked is not None:
        proved = [protocol.claims[one.claim] for one in checked.claims if one.outcome == "proved"]
        lines += _listed("Claims that hold in every trial", [(claim.span, claim.name) for claim in proved], source)
        explored = "all reachable situations" if checked.complete else "the shorter trials only"
        lines.append(
            f"Checked {explored}: {counted(checked.states, 'state')}, {counted(_rules(protocol), 'rule')}, "
            f"{counted(len(protocol.levels), 'level')}, at most {counted(checked.max_patients, 'patient')}."
        )
    lines.append(f"{source.path}: {count_words(diagnostics)}{_first_error(source, diagnostics)}")
    return "".join(f"{line}\n" for line in lines)


def _first_error(source: Source, diagnostics: Sequence[Diagnostic]) -> str:
    """Where the first error is, if it could be overlooked among other findings."""
    errors = [item for item in diagnostics if item.severity == "error"]
    if not errors or errors[0].span == NOWHERE or len(diagnostics) - len(errors) < MANY:
        return ""
    return f"; the {'first ' if len(errors) > 1 else ''}error is at {place_words(errors[0], source)}"


def _rules(protocol: Protocol) -> int:
    """How many rules are written; one that holds in several parts or states counts once."""
    written = [rule for part in protocol.parts for rule in part.rules]
    written += [rule for state in (protocol.course.states if protocol.course else ()) for rule in state.rules]
    return len(dict.fromkeys((rule.span, rule.name) for rule in written))


def _listed(heading: str, items: list, source: Source) -> Iterator[str]:  # type: ignore[type-arg]
    if items:
        yield f"{heading} ({len(items)})"
        for span, words in items:
            first, *more = words.split("\n")
            yield f"  {line_words(span, source)}  {printable(first)}"
            yield from (f"            {printable(line)}" for line in more)
        yield ""
