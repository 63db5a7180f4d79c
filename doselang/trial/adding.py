"""Entering in a trial's record: verified, judged and written while it is held, so that nothing comes between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from attrs import frozen

from doselang.diagnostics import Diagnostic, Trouble, trouble
from doselang.loading import Loaded
from doselang.record.chain import SHORTEST_HEAD
from doselang.record.corrections import Effective
from doselang.record.entries import Body, Draft, Entry, Json
from doselang.record.writing import Writer, begin, writing
from doselang.resolve import Settings
from doselang.trial.copying import copy_of, script_of
from doselang.trial.following import lacking
from doselang.trial.opening import Trial, amended, trial_of
from doselang.trial.proposing import Proposed, Said, advice_on, propose, propose_correction
from doselang.trial.steps import KINDS, Step, body_of, kind_of

PATIENCE_SECONDS = 60.0
"""So long one waits for others who enter something at the same time."""


@frozen
class Added:
    """What came of entering a step: the `entry`, None where it was refused; the trial as it is now."""

    trial: Trial
    proposed: Proposed
    entry: Entry | None


def now() -> str:
    """The time, as entries have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def begin_trial(
    folder: str | Path,
    loaded: Loaded,
    settings: Settings,
    actor: str,
    on: date,
    *,
    despite: str | None = None,
    time: str | None = None,
) -> Entry:
    """Begin a trial by a protocol that could be read: a new folder with its copy, and a record of one entry.

    `despite` is why a protocol is accepted in which `check` finds errors; whether it does is asked by the caller.
    Raises Trouble as `doselang.record.writing.begin` and `copy_of` do.
    """
    body = _in_force(loaded, on, despite)
    return begin(folder, copy_of(loaded, settings), Draft("begin", body, actor, time or now()))


def _in_force(loaded: Loaded, on: date, despite: str | None) -> Body:
    assert loaded.protocol is not None
    accepted: Body = {"despite": despite.strip()} if despite else {}
    return {"title": loaded.protocol.title, "script": script_of(loaded), "on": on.isoformat(), **accepted}


class Overtaken(Trouble):
    """The record has another head than the one that was seen: somebody has entered something since."""


@contextmanager
def _held(trial: Trial, head: str | None = None) -> Iterator[tuple[Writer, Trial]]:
    """The record held for writing, and the trial with all that was entered since it was opened.

    `head` is the head that was seen, or at least 12 digits of it. Raises Overtaken if it is another one by now.
    """
    with writing(trial.folder, PATIENCE_SECONDS) as writer:
        current = trial_of(trial.folder, writer.entries, trial)
        if head is not None and (len(head) < SHORTEST_HEAD or not current.head.startswith(head.lower())):
            message = f"The head of the record is {current.head[:SHORTEST_HEAD]}…, not {head}: it is not what was seen."
            help = f"Look at it again: `doselang trial next {trial.folder}`."
            raise Overtaken(Diagnostic("DL903", message, help=help))
        yield writer, current


def add(
    trial: Trial,
    step: Step,
    actor: str,
    *,
    today: date,
    deviation: str | None = None,
    time: str | None = None,
    head: str | None = None,
) -> Added:
    """Enter a step, if the rules permit it; one that they do not only as a `deviation`, which is its reason.

    What contradicts the record is never entered. Raises Trouble where the record cannot be read or written, Overtaken
    where it has another `head` than the one given.
    """
    with _held(trial, head) as (writer, current):
        proposed = propose(current, step, today)
        if not may_be_entered(proposed, deviation):
            return Added(current, proposed, None)
        assert proposed.step is not None
        body = step_body(proposed, deviation)
        entry = writer.append(Draft(kind_of(step), body, actor, time or now()))
        return Added(trial_of(trial.folder, writer.entries, current), proposed, entry)


def may_be_entered(proposed: Proposed, deviation: str | None) -> bool:
    """Whether a step is entered, with the reason that is given for a deviation, if any."""
    if proposed.answer == "contradicts the record":
        return False
    return proposed.answer == "permitted" or bool(deviation and deviation.strip())


def step_body(proposed: Proposed, deviation: str | None) -> Body:
    """The step as the body of its entry, with what the rules said before it, and why they were not followed."""
    assert proposed.step is not None
    body = body_of(proposed.step)
    if proposed.judged is None:
        return body
    if proposed.before is not None:
        body["said"] = proposed.before.body()
    if proposed.answer != "permitted" and deviation:
        judged = proposed.judged
        body["deviation"] = {"reason": deviation.strip(), "verdict": judged.verdict, "fault": judged.fault}
    return body


def correct(
    trial: Trial,
    number: int,
    step: Step | None,
    actor: str,
    reason: str,
    *,
    today: date,
    time: str | None = None,
    head: str | None = None,
) -> Added:
    """Correct the step of an entry, or withdraw it, by a further entry; the entry itself stays as it is.

    Raises as `add` does.
    """
    with _held(trial, head) as (writer, current):
        corrected_entry(current, number)
        proposed = propose_correction(current, number, step, today)
        if proposed.contradiction is not None:
            return Added(current, proposed, None)
        body = correction_body(current, number, step, reason)
        entry = writer.append(Draft("correct", body, actor, time or now()))
        return Added(trial_of(trial.folder, writer.entries, current), proposed, entry)


def correction_body(trial: Trial, number: int, step: Step | None, reason: str) -> Body:
    """A correction as the body of its entry; the reason that was given for a deviation stays."""
    before, new = corrected_entry(trial, number).body or {}, None if step is None else body_of(step)
    if new is not None and "deviation" in before:
        new["deviation"] = before["deviation"]
    return {"entry": number, "body": new, "reason": reason}


def corrected_entry(trial: Trial, number: int) -> Effective:
    """The entry that is to be corrected. Raises Trouble DL903 where there is none, or it is not a step."""
    if not 1 <= number <= len(trial.entries):
        message = f"There is no entry {number}: the record has the entries 1 to {len(trial.entries)}."
        raise trouble("DL903", message, help=f"`doselang trial show {trial.folder}` shows them.")
    found = trial.entries[number - 1]
    if found.entry.kind == "correct":
        first = found.entry.body.get("entry")
        raise trouble("DL903", f"Entry {number} corrects entry {first}.", help=f"Correct entry {first} once more.")
    if found.entry.kind not in KINDS:
        raise trouble("DL903", f"Entry {number} is no step of the trial, and is not corrected.", help=_INSTEAD)
    return found


_INSTEAD = "Another protocol is put in force by `amend`; whatever else is to be said is a note."


def sign(
    trial: Trial,
    actor: str,
    meaning: str,
    on: date,
    *,
    today: date,
    head: str | None = None,
    time: str | None = None,
) -> Entry:
    """Sign the trial as it stands on a day: the entry holds what may be done, the head that is signed, the meaning.

    `head` is what the signer has seen. Raises as `add` does, and Trouble DL903 if the day is in the future.
    """
    if on > today:
        message = f"{on} is in the future: today is {today}."
        raise trouble("DL903", message, help="What stands on a day is signed on that day or later.")
    with _held(trial, head) as (writer, current):
        body = signature_body(current, meaning, on)
        return writer.append(Draft("sign", body, actor, time or now()))


def signature_body(trial: Trial, meaning: str, on: date) -> Body:
    """A signature as the body of its entry."""
    said = Said(advice_on(trial, on)[1]).body()
    return {"on": on.isoformat(), "meaning": meaning.strip(), "signed": trial.head, "said": said}


# ---- another protocol ----


@frozen
class Amendment:
    """A protocol that is to be put in force: what keeps it from that, None where nothing does; what the rules say.

    `before` is what the protocol in force says today, `after` what the new one does, with all that was done.
    """

    refused: str | None
    before: Said | None = None
    after: Said | None = None


def propose_amendment(trial: Trial, loaded: Loaded, on: date, today: date) -> Amendment:
    """Whether a protocol without faults can be put in force from a day on, and what it says then."""
    assert loaded.protocol is not None
    since = trial.current.since
    if on > today:
        return Amendment(f"{on} is in the future: today is {today}.")
    if on < since:
        return Amendment(f"The protocol in force is so since {since}, and is not replaced on {on}.")
    missing = lacking(loaded.protocol, trial.steps)
    if missing is not None:
        return Amendment(f"The new protocol cannot follow what was done. {missing}")
    following = amended(trial, loaded, on)
    judgement, advice = advice_on(following, today)
    if judgement.lost is not None:
        return Amendment(f"The new protocol cannot follow what was done. {judgement.lost}")
    return Amendment(None, Said(advice_on(trial, today)[1]), Said(advice))


def amend(
    trial: Trial,
    loaded: Loaded,
    settings: Settings,
    actor: str,
    reason: str,
    difference: Json,
    *,
    on: date,
    today: date,
    despite: str | None = None,
    time: str | None = None,
) -> tuple[Amendment, Entry | None]:
    """Put another protocol in force from a day on; None for the entry where that is refused.

    `difference` is what is told of how the two decide differently.
    """
    copy = copy_of(loaded, settings)
    with _held(trial) as (writer, current):
        proposed = propose_amendment(current, loaded, on, today)
        if len(current.protocols) > len(trial.protocols):
            proposed = Amendment("The protocol was amended just now, by somebody else.")
        elif copy.hash == current.entries[-1].entry.protocol:
            proposed = Amendment("It is the protocol in force, with the same parameters.")
        if proposed.refused is not None:
            return proposed, None
        body: Body = {**_in_force(loaded, on, despite), "reason": reason.strip(), "difference": difference}
        return proposed, writer.amend(Draft("amend", body, actor, time or now()), copy)
