"""A trial, opened: its entries, and the protocols that were in force, each read from the copy in the trial's folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from attrs import evolve, field, frozen

from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.machine.compiling import Machine, compile_protocol
from doselang.protocol.model import Protocol
from doselang.record.corrections import Effective, effective
from doselang.record.entries import COPY, Entry
from doselang.record.files import record_path
from doselang.record.reading import read
from doselang.resolve import Setting, read_setting
from doselang.source import Source
from doselang.trial.steps import Made, Step, made_steps, renamed, step_of


@frozen(eq=False)
class InForce:
    """A protocol of the trial: the number of the entry that put it in force, and the day since when it is."""

    entry: int
    since: date
    loaded: Loaded
    protocol: Protocol
    machine: Machine


@frozen(eq=False)
class Trial:
    """A trial as its record has it.

    `entries` are all, in their order, with the bodies that count after corrections; `protocols` those that have been
    in force, the last one now; `steps` what was done, corrections applied.
    """

    folder: str
    entries: tuple[Effective, ...]
    protocols: tuple[InForce, ...]
    steps: tuple[Made, ...] = field(repr=False)

    @property
    def current(self) -> InForce:
        """The protocol that is in force now."""
        return self.protocols[-1]

    @property
    def protocol(self) -> Protocol:
        return self.current.protocol

    @property
    def next_number(self) -> int:
        """The number that the next entry will have."""
        return len(self.entries) + 1

    @property
    def head(self) -> str:
        """The hash of the last entry."""
        return self.entries[-1].entry.hash

    def on_day(self, day: date) -> int:
        """The position of the protocol that was in force on a day."""
        return max((place for place, one in enumerate(self.protocols) if one.since <= day), default=0)

    def in_force(self, made: Made) -> int:
        """The position of the protocol by which a step is judged.

        It is the one of the step's day and of its entry: an amendment does not judge what was done before it, and what
        is entered after it for an earlier day is of that day.
        """
        fitting = [
            place for place, one in enumerate(self.protocols) if one.since <= made.step.on and one.entry < made.number
        ]
        return fitting[-1] if fitting else 0


def open_trial(folder: str | Path) -> Trial:
    """A trial, from its folder. Raises Trouble DL811 where the record is damaged, DL901 where it cannot be read."""
    chain = read(folder)
    return trial_of(folder, chain.entries)


def trial_of(folder: str | Path, entries: Sequence[Entry], known: Trial | None = None) -> Trial:
    """The trial of some verified entries; `known` is the same trial opened before: its protocols are not read anew."""
    corrected = effective(entries)
    before = {one.entry: one for one in known.protocols} if known is not None else {}
    hashes = {one.entry.number: one.entry.hash for one in known.entries} if known is not None else {}
    protocols = []
    for one in corrected:
        if COPY in one.entry.body and one.body is not None:
            number = one.entry.number
            same = hashes.get(number) == one.entry.hash
            protocols.append(before[number] if same and number in before else _in_force(folder, one))
    return Trial(str(folder), corrected, tuple(protocols), made_steps(corrected))


def _in_force(folder: str | Path, one: Effective) -> InForce:
    """The protocol that an entry puts in force."""
    stated, script, on = one.entry.body[COPY], one.entry.body.get("script"), one.entry.body.get("on")
    files = stated.get("files") if isinstance(stated, dict) else None
    if not isinstance(stated, dict) or not isinstance(files, dict) or script not in files or not isinstance(on, str):
        message = f"Entry {one.entry.number} does not say which protocol it puts in force."
        raise trouble("DL811", message, help="The record was not made by this program.")
    path = Path(folder) / str(stated["folder"]) / str(script)
    loaded = load(str(path), _settings(stated["settings"]))
    if loaded.protocol is None:
        message = f"{path} has faults now, and had none in the doselang with which entry {one.entry.number} was made."
        raise trouble("DL901", message, help=f"`doselang check {path}` shows them. Use the doselang of that time.")
    return InForce(one.entry.number, date.fromisoformat(on), loaded, loaded.protocol, compile_protocol(loaded.protocol))


def _settings(stated: object) -> dict[str, Setting]:
    written = stated if isinstance(stated, dict) else {}
    read = {name: read_setting(str(value)) for name, value in written.items()}
    return {name: setting for name, setting in read.items() if setting is not None}


def step_now(trial: Trial, number: int) -> Step:
    """The step of an entry as it counts, with the patient's name of now; if it is withdrawn, what it said first."""
    found = next((made.step for made in trial.steps if made.number == number), None)
    if found is not None:
        return found
    entry = trial.entries[number - 1].entry
    return renamed(step_of(number, entry.kind, entry.body), trial.steps)


def record_source(trial: Trial) -> Source:
    """The record as a text with places: entry 7 is line 7 of its file, at offset 7."""
    return Source(str(record_path(trial.folder)), " " + "\n" * len(trial.entries))


def amended(trial: Trial, loaded: Loaded, since: date) -> Trial:
    """The trial as if the next entry put another protocol, which has no faults, in force."""
    assert loaded.protocol is not None
    machine = compile_protocol(loaded.protocol)
    following = InForce(trial.next_number, since, loaded, loaded.protocol, machine)
    return evolve(trial, protocols=(*trial.protocols, following))


def with_step(trial: Trial, number: int, step: Step | None) -> tuple[Made, ...]:
    """The steps of a trial with one more, or with that of an entry replaced, or left out."""
    others = [made for made in trial.steps if made.number != number]
    made = [] if step is None else [Made(number, step)]
    return tuple(sorted([*others, *made], key=lambda one: one.number))
