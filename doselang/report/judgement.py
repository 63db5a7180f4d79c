"""A trial set against its rules, for people, as a table, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from doselang.conduct.advice import Advice
from doselang.conduct.advised import awaited_words, decided_words, now_words
from doselang.conduct.judging import Judged, Judgement
from doselang.machine.notation import write_history
from doselang.protocol.model import Protocol, Rule
from doselang.protocol.words import level_words
from doselang.record.files import RECORD
from doselang.report.advice import advice_record
from doselang.report.phrases import cited, counted, listed
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table
from doselang.source import NOWHERE, Source, Span

VERDICTS = {
    "followed": "as the rules say",
    "deviated": "not as the rules say",
    "undecided": "where the protocol leaves it open",
    "not judged": "not judged",
}


def render_judgement(judgement: Judgement, protocol: Protocol, source: Source | None, *, every: bool) -> str:
    """What deviated, what the protocol left open, how much followed; with `every`, all that was done, in order."""
    blocks = [list(_summary(judgement))]
    blocks += _told(judgement, protocol, source, "deviated", "Deviations")
    blocks += _told(judgement, protocol, source, "undecided", "Where the protocol leaves it open")
    noted = [step for step in judgement.steps if step.remark]
    if noted:
        blocks.append(["To be noted", *(f"  {_noted(step, protocol, source)}" for step in noted)])
    if judgement.lost is not None:
        blocks.append(["From here on the rules are not followed any further", f"  {judgement.lost}"])
    if every:
        blocks.append(["All that was done", *text_table(steps_table(judgement, protocol), indent=2).splitlines()])
    return "\n\n".join("\n".join(printable(line).rstrip() for line in block) for block in blocks) + "\n"


def render_deviations(judgement: Judgement, protocol: Protocol, source: Source | None) -> str:
    """What a trial did against its rules, or where they are silent, before the advice; nothing for nothing."""
    blocks = [
        *_told(judgement, protocol, source, "deviated", "The trial has left its protocol"),
        *_told(judgement, protocol, source, "undecided", "The trial has gone where the protocol leaves it open"),
    ]
    if judgement.lost is not None:
        blocks.append(["From here on the rules are not followed any further", f"  {judgement.lost}"])
    return "".join("\n".join(printable(line).rstrip() for line in [*block, "", ""]) for block in blocks)


# ---- how much ----


def counts_of(judgement: Judgement) -> dict[str, Counter[str]]:
    """How many of the patients who entered, the decisions and the cycles are of each verdict."""
    found: dict[str, Counter[str]] = {"patients": Counter(), "decisions": Counter(), "cycles": Counter()}
    for step in judgement.steps:
        found["cycles" if step.cycle else "decisions" if step.decided else "patients"][step.verdict] += 1
    return found


def _summary(judgement: Judgement) -> Iterator[str]:
    deviations = len(judgement.deviations)
    until = "" if judgement.on is None else f" until {judgement.on}"
    yield f"{counted(deviations, 'deviation') if deviations else 'No deviation'}{until}"
    nouns = {"patients": "patient who entered", "decisions": "decision on record", "cycles": "cycle of treatment"}
    for name, counts in counts_of(judgement).items():
        total = sum(counts.values())
        if total:
            noun = nouns[name] if total == 1 else nouns[name].replace(nouns[name].split()[0], name, 1)
            parts = [f"{counts[verdict]} {words}" for verdict, words in VERDICTS.items() if counts[verdict]]
            yield f"  {total} {noun}: {', '.join(parts)}"
    followed = judgement.standing.followed
    if followed.groups:
        yield f"  the history: {write_history(followed.groups, followed.machine.protocol)}"


# ---- one by one ----


def _told(
    judgement: Judgement, protocol: Protocol, source: Source | None, verdict: str, title: str
) -> Iterator[list[str]]:  # fmt: skip
    steps = [step for step in judgement.steps if step.verdict == verdict]
    if steps:
        lines = [title]
        for number, step in enumerate(steps, 1):
            lines += list(_paragraph(number, step, protocol, source))
        yield lines


def _paragraph(number: int, step: Judged, protocol: Protocol, source: Source | None) -> Iterator[str]:
    day = "" if step.on is None else f"{step.on}  "
    where = place_words(step, source)
    yield f"  {number:>2}  {day}{done_words(step, protocol)}{f'  ({where})' if where else ''}"
    for line in should_have(step, protocol):
        yield f"      {line}"


def _noted(step: Judged, protocol: Protocol, source: Source | None) -> str:
    day, where = "" if step.on is None else f"{step.on}  ", place_words(step, source)
    return f"{day}{done_words(step, protocol)}: {step.remark}{f'  ({where})' if where else ''}"


def place_words(step: Judged, source: Source | None) -> str:
    """`patients.csv, row 8`; nothing where the record gives no place."""
    span = _place(step)
    if source is None or span == NOWHERE:
        return ""
    path, noun = source.path_of(span.start), "entry" if Path(source.path).name == RECORD else "row"
    return f"{path}, {noun} {source.place(span.start)[0]}"


def _place(step: Judged) -> Span:
    for one in (step.cycle, step.decided, step.patient):
        if one is not None:
            return one.place
    return NOWHERE


def done_words(step: Judged, protocol: Protocol) -> str:
    """What was done, and what is wrong with it, in words."""
    words = _done(step, protocol)
    awaited = () if step.said is None else step.said.awaited
    match step.fault:
        case "closed level":
            return f"{words}, which is closed as too toxic"
        case "too early" if awaited:
            names = listed([one.patient.name for one in awaited])
            return f"{words}, before the outcome{'s' if len(awaited) > 1 else ''} of {names}"
        case "after the end":
            return f"{words}, after the rules had ended the trial"
        case "nobody chose":
            return f"{words}, before anybody had chosen what comes next"
        case "not asked":
            return f"{words}, which no rule asks for"
        case "no such option":
            return f"{words}, and there is no such option"
        case "escalated in a patient":
            return f"{words}, higher than before"
        case _:
            return words


def _done(step: Judged, protocol: Protocol) -> str:
    if step.cycle is not None:
        cycle = step.cycle
        return f"{cycle.patient} was treated at {level_words(protocol, cycle.level)} in cycle {cycle.number}"
    if step.patient is not None:
        deviated = step.verdict == "deviated"
        told = step.patient.part if deviated else step.part
        part = f", part {protocol.parts[told].name}" if told or (deviated and told is not None) else ""
        return f"{step.patient.name} entered at {level_words(protocol, step.patient.level)}{part}"
    assert step.decided is not None
    return decided_words(protocol, step.decided)


def should_have(step: Judged, protocol: Protocol) -> Iterator[str]:
    """What might have been done instead, by which rules and sentences."""
    if step.why:
        yield f"the rules   {step.why}"
    if step.said is None:
        return
    yield f"the rules   {now_words(step.said)}"
    if step.said.awaited:
        yield f"pending     {'; '.join(awaited_words(protocol, one, step.on) for one in step.said.awaited)}"
    for rule in _rules(step.said):
        sentences = [f" “{words}”" for words in cited(rule)]
        assumed = [f" (assumed: {one.reading})" for one in rule.assumes]
        yield f'by          "{rule.name}"{"".join(sentences or assumed)}'


def _rules(advice: Advice) -> list[Rule]:
    """The rules behind an advice, each once however many ways people may choose."""
    acted = [] if advice.basis is None else [one.rule for way in advice.basis.ways for one in way.acted]
    return list({rule.name: rule for rule in acted}.values())


# ---- all of it ----


def steps_table(judgement: Judgement, protocol: Protocol) -> Table:
    """A row for each thing that was done."""
    rows = []
    for step in judgement.steps:
        day = "" if step.on is None else step.on.isoformat()
        rules = ", ".join(step.rules) if step.said is None else now_words(step.said)
        rows.append((day, done_words(step, protocol), VERDICTS[step.verdict], step.why or rules))
    return Table([Column("date"), Column("done"), Column("judged"), Column("the rules")], rows)


def render_csv_judgement(judgement: Judgement, protocol: Protocol) -> str:
    return csv_table(steps_table(judgement, protocol))


def render_markdown_judgement(judgement: Judgement, protocol: Protocol) -> str:
    """The summary as a list, and all that was done as a table: for a report."""
    title, *lines = _summary(judgement)
    items = "".join(f"- {line.strip()}\n" for line in lines)
    return f"**{title}**\n\n{items}\n{markdown_table(steps_table(judgement, protocol))}"


def judgement_record(judgement: Judgement, protocol: Protocol, source: Source | None) -> dict[str, object]:
    """The judgement as a JSON object."""
    return {
        "on": None if judgement.on is None else judgement.on.isoformat(),
        "history": write_history(judgement.standing.followed.groups, protocol),
        "counts": {
            name: {verdict: counts[verdict] for verdict in VERDICTS} for name, counts in counts_of(judgement).items()
        },
        "steps": [_step_record(step, protocol, source) for step in judgement.steps],
        "lost": judgement.lost,
    }


def _step_record(step: Judged, protocol: Protocol, source: Source | None) -> dict[str, object]:
    kind = "cycle" if step.cycle else step.decided.what if step.decided else "entered"
    level = (step.cycle or step.decided or step.patient).level  # type: ignore[union-attr]
    return {
        "date": None if step.on is None else step.on.isoformat(),
        "kind": kind,
        "patient": None if step.patient is None else step.patient.name,
        "level": None if level is None else protocol.levels[level].label,
        "place": place_words(step, source) or None,
        "verdict": step.verdict,
        "fault": step.fault,
        "done": done_words(step, protocol),
        "should": list(should_have(step, protocol)),
        "rules": list(step.rules),
        "remark": step.remark or None,
        "advice": None if step.said is None else advice_record(step.said),
    }
