"""The entries of a trial's record in words, as JSON, and as a report."""

from __future__ import annotations

from collections.abc import Iterator

from doselang.conduct.advice import Advice
from doselang.conduct.advised import now_words
from doselang.conduct.judging import Judgement
from doselang.protocol.model import Protocol
from doselang.record.corrections import Effective
from doselang.record.entries import COPY, Body
from doselang.report.advice import advice_record
from doselang.report.judgement import judgement_record, render_markdown_judgement
from doselang.report.phrases import quoted
from doselang.report.printable import printable
from doselang.report.table import Column, Table, markdown_table
from doselang.report.trial_amendments import difference_lines
from doselang.report.trial_record import shown_head
from doselang.report.trial_steps import record_line, step_words
from doselang.trial.opening import Trial, record_source
from doselang.trial.remarks import before_the_trial
from doselang.trial.steps import KINDS, Made, step_of

NO_PROOF = "Names are as they were given: nothing here proves who it was."


def render_entries(trial: Trial) -> str:
    """Every entry: what it says, who made it and when, what the rules said, and by which entries it was corrected."""
    blocks = ["\n".join(printable(line) for line in _paragraph(trial, one)) for one in trial.entries]
    return "\n".join([*blocks, "", record_line(trial), NO_PROOF, ""])


def _paragraph(trial: Trial, one: Effective) -> Iterator[str]:
    entry = one.entry
    yield f"{entry.number:>4}  {entry_words(trial, one)}"
    yield f"      {entry.actor}, {entry.time}"
    yield from (f"      {line}" for line in further_lines(trial, one))
    if entry.kind == "amend" and isinstance(entry.body.get("difference"), dict):
        yield from (f"      {line}" for line in difference_lines(_object(entry.body["difference"])))


def entry_words(trial: Trial, one: Effective) -> str:
    """What an entry says, as it was made."""
    body, kind = one.entry.body, one.entry.kind
    match kind:
        case "begin":
            return f"{body['on']}  the trial begins under {body['script']}: {body['title']}"
        case "amend":
            return f"{body['on']}  {body['script']} is put in force: {body['reason']}"
        case "sign":
            return f"{body['on']}  signed: {body['meaning']}"
        case "correct" if body["body"] is None:
            return f"entry {body['entry']} is withdrawn: {body['reason']}"
        case "correct":
            number = body["entry"]
            assert isinstance(number, int)
            corrected = trial.entries[number - 1]
            words = _step_words(trial, corrected, _object(body["body"]))
            return f"entry {number} is corrected: {words} ({body['reason']})"
        case _ if kind in KINDS:
            return _step_words(trial, one, body)
        case _:
            return kind


def _step_words(trial: Trial, one: Effective, body: Body) -> str:
    step = step_of(one.entry.number, one.entry.kind, body)
    return f"{step.on}  {step_words(step, _protocol(trial, one, body))}"


def _protocol(trial: Trial, one: Effective, body: Body) -> Protocol:
    made = Made(one.entry.number, step_of(one.entry.number, one.entry.kind, body))
    return trial.protocols[trial.in_force(made)].protocol


def further_lines(trial: Trial, one: Effective) -> Iterator[str]:
    """What the rules said, why they were not followed, and what was corrected."""
    body = one.entry.body
    said, deviation = _object(body.get("said")), _object(body.get("deviation"))
    if said:
        rules = said["rules"] if isinstance(said["rules"], list) else []
        by = f", by {quoted(map(str, rules))}" if rules else ""
        yield f"the rules said after {said['history'] or 'nothing'}: {said['now']}{by}"
    if deviation:
        what = "not as the rules say" if deviation["verdict"] != "undecided" else "where the protocol leaves it open"
        yield f"{what}; the reason: {deviation['reason']}"
    step = step_of(one.entry.number, one.entry.kind, body) if one.entry.kind in KINDS else None
    remark = None if step is None else before_the_trial(trial, step)
    if remark:
        yield remark
    if "signed" in body:
        yield f"signed head {body['signed']}"
    if "despite" in body:
        yield f"accepted although `check` finds errors: {body['despite']}"
    if one.corrected_by:
        numbers = ", ".join(str(number) for number in one.corrected_by)
        counts = "what counts is that" if one.counts else "it does not count"
        yield f"corrected by entry {numbers}: {counts}" if one.counts else f"withdrawn by entry {numbers}: {counts}"


def _object(value: object) -> Body:
    return value if isinstance(value, dict) else {}


# ---- for programs, and as a report ----


def trial_record(trial: Trial, judgement: Judgement, advice: Advice) -> dict[str, object]:
    """All of a trial as JSON: its entries with the bodies that count, the judgement, what may be done."""
    source = record_source(trial)
    return {
        "title": trial.protocol.title,
        "entries": [_entry_record(trial, one) for one in trial.entries],
        "head": trial.head,
        "protocols": [
            {"entry": one.entry, "since": one.since.isoformat(), "path": one.loaded.source.path}
            for one in trial.protocols
        ],
        "judgement": judgement_record(judgement, judgement.standing.machine.protocol, source),
        "next": advice_record(advice, trial.current.loaded.source),
    }


def _entry_record(trial: Trial, one: Effective) -> dict[str, object]:
    entry = one.entry
    return {
        "number": entry.number,
        "time": entry.time,
        "actor": entry.actor,
        "kind": entry.kind,
        "words": entry_words(trial, one),
        "body": {key: value for key, value in entry.body.items() if key != COPY},
        "counts": one.body is not None,
        "corrected_by": list(one.corrected_by),
        "protocol": entry.protocol,
        "hash": entry.hash,
    }


def entries_record(trial: Trial) -> dict[str, object]:
    """The entries as JSON."""
    return {"entries": [_entry_record(trial, one) for one in trial.entries], "head": trial.head}


def render_trial_report(trial: Trial, judgement: Judgement, advice: Advice) -> str:
    """A trial in Markdown: where it stands, how it was conducted, its entries, and its signatures."""
    protocol = judgement.standing.machine.protocol
    rows = [
        (
            str(one.entry.number),
            one.entry.time,
            one.entry.actor,
            entry_words(trial, one),
            "; ".join(further_lines(trial, one)),
        )
        for one in trial.entries
    ]
    columns = [Column("entry", "right"), Column("time"), Column("by"), Column("what"), Column("further")]
    signed = [one for one in trial.entries if one.entry.kind == "sign"]
    return "\n".join([
        f"# {printable(protocol.title)}",
        "",
        f"{record_line(trial)}.",
        "",
        f"On {judgement.on}, after `{advice.now.history or 'nothing'}`: {printable(now_words(advice))}.",
        "",
        "## How it was conducted",
        "",
        render_markdown_judgement(judgement, protocol),
        "## Entries",
        "",
        markdown_table(Table(columns, rows)),
        "## Signatures",
        "",
        *(f"- {printable(line)}" for line in map(_signature, signed)),
        "" if signed else "None.\n",
        NO_PROOF,
        "",
    ])  # fmt: skip


def _row(trial: Trial, one: Effective) -> tuple[str, ...]:
    entry = one.entry
    return str(entry.number), entry.time, entry.actor, entry_words(trial, one), "; ".join(further_lines(trial, one))


def _signature(one: Effective) -> str:
    """Name, time and meaning of a signature, and what was signed."""
    body, entry = one.entry.body, one.entry
    said = _object(body.get("said"))
    return (
        f"{entry.actor}, {entry.time}, meaning: {body['meaning']}. Signed was what stood on {body['on']}: {said['now']}"
        f" (head {body['signed']}; entry {entry.number}, {shown_head(entry)})."
    )
