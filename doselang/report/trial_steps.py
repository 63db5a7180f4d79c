"""The steps of a trial's record in words: what was done, whether it was entered, and what else is judged otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doselang.conduct.judging import Judged
from doselang.protocol.model import Protocol
from doselang.record.entries import Entry
from doselang.report.judgement import VERDICTS, done_words, should_have
from doselang.report.phrases import listed
from doselang.report.trial_record import shown_head
from doselang.trial.adding import Added
from doselang.trial.following import Change
from doselang.trial.opening import Trial
from doselang.trial.proposing import Proposed
from doselang.trial.remarks import remarks
from doselang.trial.steps import Choose, Close, Declare, Enrol, Note, Outcome, Step, Stop, Treated

NOT_PERMITTED = "DL821"
CONTRADICTS = "DL822"


def step_words(step: Step, protocol: Protocol) -> str:
    """What was done, without its day."""
    match step:
        case Enrol(patient, level, _, part):
            later = part is not None and part != protocol.parts[0].name
            return f"{patient} entered at level {level}{f', part {part}' if later else ''}"
        case Outcome(patient, "none"):
            return f"{patient} had no toxicity"
        case Outcome(patient, "inevaluable"):
            return f"{patient} was inevaluable"
        case Outcome(patient, outcome):
            later = any(one.later and one.name == outcome for one in protocol.toxicities)
            return f"{patient} had a {outcome}{' in a later cycle' if later else ''}"
        case Treated(patient, level, _, events, number):
            came = listed(events) or "no event"
            return f"{patient} was treated at level {level} in cycle {number}, with {came}"
        case Choose(option, by):
            return f"option [{option}] was chosen{_by(by)}"
        case Declare(verdict, None, _, by):
            return f"no {verdict} was declared{_by(by)}"
        case Declare(verdict, level, _, by):
            return f"level {level} was declared as {verdict}{_by(by)}"
        case Close(level, _, by):
            return f"level {level} was closed as too toxic{_by(by)}"
        case Stop(_, by):
            return f"the trial was stopped{_by(by)}"
        case Note(text):
            return f"“{text}”"


def _by(body: str) -> str:
    return f" by {body}" if body else ""


# ---- what came of entering a step ----


def added_lines(added: Added, deviation: str | None) -> Iterator[str]:
    """A step that was entered: its entry, what is judged otherwise by it, what may be done now, and the head."""
    proposed, entry = added.proposed, added.entry
    assert entry is not None and proposed.step is not None
    yield f"Entry {entry.number}: {step_words(proposed.step, added.trial.protocol)}, on {proposed.step.on}."
    yield from _remarks(added)
    if proposed.answer != "permitted" and deviation:
        yield f"  {DEVIATED[proposed.answer]} It is entered with the reason: {deviation.strip()}"
        yield from (f"  {line}" for line in rules_lines(proposed, added.trial.protocol))
    elif deviation and proposed.judged is not None:
        yield "  The rules permit it, so the reason for a deviation is not kept."
    yield from changed_lines(proposed.changes, added.trial.protocol)
    yield from _now(proposed, entry)


def _remarks(added: Added) -> Iterator[str]:
    """What is to be looked at again, loudly; it was entered."""
    for remark in remarks(added.trial, added.proposed):
        yield f"  ATTENTION: {remark} If that is wrong, correct entry {added.proposed.number}."


DEVIATED = {
    "against the rules": "This is not as the rules say.",
    "left open": "The protocol leaves open whether this may be done.",
}


def _now(proposed: Proposed, entry: Entry) -> Iterator[str]:
    if proposed.after is not None:
        yield f"Now: {proposed.after.words}."
    yield f"Head: {shown_head(entry)}, entry {entry.number}"


def refused_words(proposed: Proposed, protocol: Protocol) -> str:
    """Why a step is not entered, as a sentence."""
    if proposed.contradiction is not None:
        return proposed.contradiction.message
    assert proposed.judged is not None
    if proposed.judged.verdict == "followed":
        spoiled = listed([f"entry {change.number}" for change in proposed.spoiled])
        return f"By this, {spoiled} would no longer be as the rules say: {_spoiled(proposed, protocol)}."
    words = done_words(proposed.judged, protocol)
    match proposed.judged.verdict:
        case "deviated":
            return f"This is not as the rules say: {words}."
        case "undecided":
            return f"The protocol leaves open what comes next, so this is not permitted: {words}."
        case _:
            return f"The rules can no longer be followed, so this is not permitted: {words}."


def _spoiled(proposed: Proposed, protocol: Protocol) -> str:
    return "; ".join(done_words(change.after, protocol) for change in proposed.spoiled)


def rules_lines(proposed: Proposed, protocol: Protocol) -> list[str]:
    """What the rules say instead, and by which sentences."""
    judged = [proposed.judged] if proposed.judged is not None and proposed.judged.verdict != "followed" else []
    spoiled = [change.after for change in proposed.spoiled]
    return list(dict.fromkeys(line for one in (*judged, *spoiled) for line in should_have(one, protocol)))


# ---- what is judged otherwise ----


def changed_lines(changes: Sequence[Change], protocol: Protocol) -> Iterator[str]:
    """Steps that are judged otherwise than before; first, loudly, patients who were treated on what does not hold."""
    treated = [change for change in changes if change.after.decided is None and change.before.verdict == "followed"]
    others = [change for change in changes if change not in treated]
    if treated:
        yield f"ATTENTION: {_were(treated)} treated on what does not hold as the record stands now."
        for change in treated:
            yield from _change(change, protocol)
    if others:
        yield "Judged otherwise now:"
        for change in others:
            yield from _change(change, protocol)


def _were(treated: Sequence[Change]) -> str:
    names = list(dict.fromkeys(change.after.patient.name for change in treated if change.after.patient is not None))
    return f"{listed(names)} {'was' if len(names) == 1 else 'were'}"


def _change(change: Change, protocol: Protocol) -> Iterator[str]:
    yield f"  entry {change.number}: {done_words(change.after, protocol)}"
    yield f"    {_verdict(change.before)} before, {_verdict(change.after)} now"
    yield from (f"    {line}" for line in should_have(change.after, protocol))


def _verdict(judged: Judged) -> str:
    return VERDICTS[judged.verdict]


def corrected_lines(added: Added) -> Iterator[str]:
    """A correction that was entered: what it changes, or that it changes no decision."""
    proposed, entry = added.proposed, added.entry
    assert entry is not None
    if proposed.step is None:
        yield f"Entry {entry.number}: entry {proposed.number} is withdrawn."
    else:
        words = step_words(proposed.step, added.trial.protocol)
        yield f"Entry {entry.number}: entry {proposed.number} is corrected: {words}, on {proposed.step.on}."
        yield from _remarks(added)
    if proposed.changes:
        yield from changed_lines(proposed.changes, added.trial.protocol)
    else:
        yield "No step that was taken is judged otherwise."
    if proposed.before is not None and proposed.after is not None and proposed.before.words != proposed.after.words:
        yield f"Before: {proposed.before.words}."
    yield from _now(proposed, entry)


def added_record(added: Added) -> dict[str, object]:
    """What came of entering a step, as JSON: `entry` is null where it was refused."""
    proposed, protocol = added.proposed, added.trial.protocol
    refused = added.entry is None
    return {
        "entered": not refused,
        "entry": None if added.entry is None else added.entry.number,
        "head": added.trial.head,
        "answer": proposed.answer,
        "refused": refused_words(proposed, protocol) if refused else None,
        "help": proposed.contradiction.help if proposed.contradiction is not None else None,
        "rules": rules_lines(proposed, protocol) if proposed.contradiction is None else [],
        "remarks": [] if refused else list(remarks(added.trial, proposed)),
        "changes": [
            {
                "entry": change.number,
                "done": done_words(change.after, protocol),
                "before": change.before.verdict,
                "after": change.after.verdict,
            }
            for change in proposed.changes
        ],
        "before": None if proposed.before is None else proposed.before.body(),
        "now": None if proposed.after is None else proposed.after.body(),
    }


def record_line(trial: Trial) -> str:
    """How many entries a trial has, and its head, for the paper on which a decision is printed."""
    number = len(trial.entries)
    return f"Record: {number} {'entry' if number == 1 else 'entries'}, head {shown_head(trial.entries[-1].entry)}"
