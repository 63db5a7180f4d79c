"""Trials that are kept for tests: begun in a folder, with what was done entered a word at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from attrs import define

from doselang.loading import Loaded, load
from doselang.resources import resource
from doselang.trial.adding import Added, add, amend, begin_trial, correct, sign
from doselang.trial.opening import Trial, open_trial, step_now
from doselang.trial.wording import read_step, words_of

SCRIPTS = Path(__file__).parent / "scripts"
TODAY = date(2026, 1, 31)
REFERENCE = "ibrutinib-lenalidomide.dose"


def read(name: str) -> Loaded:
    """A protocol that comes with doselang, or one of the tests' own."""
    own = SCRIPTS / name
    loaded = load(str(own if own.exists() else resource("protocols", name)))
    assert loaded.protocol is not None
    return loaded


@define
class Kept:
    """A trial in a folder; every entry gets a time of its own."""

    trial: Trial
    seconds: int = 0

    @classmethod
    def begun(cls, folder: Path, name: str = REFERENCE, on: date = date(2025, 1, 6)) -> Kept:
        begin_trial(folder, read(name), {}, "Ann", on, time="2025-01-06T08:00:00Z")
        return cls(open_trial(folder))

    @property
    def time(self) -> str:
        self.seconds += 1
        return f"2025-01-06T09:{self.seconds // 60:02}:{self.seconds % 60:02}Z"

    @property
    def content(self) -> bytes:
        return (Path(self.trial.folder) / "record.jsonl").read_bytes()

    def add(self, kind: str, on: str, deviation: str | None = None, **words: str) -> Added:
        """Enter a step, and go on from what is in the record then."""
        step = read_step(self.trial, kind, {**words, "on": on})
        added = add(self.trial, step, "Ann", deviation=deviation, today=TODAY, time=self.time)
        self.trial = added.trial
        return added

    def done(self, kind: str, on: str, **words: str) -> Added:
        """Enter a step that is permitted."""
        added = self.add(kind, on, **words)
        assert added.entry is not None, (kind, words, added.proposed)
        return added

    def enrol(self, patient: str, level: str, on: str) -> Added:
        return self.done("enrol", on, patient=patient, level=level)

    def known(self, patient: str, outcome: str, on: str) -> Added:
        return self.done("outcome", on, patient=patient, outcome=outcome)

    def cohort(self, level: str, on: str, letters: str, until: str) -> None:
        """A cohort that enters on one day and is known on another: `N`, `T` for a DLT, `x` inevaluable."""
        names = [f"{self.patients + number:02}" for number in range(1, len(letters) + 1)]
        for name in names:
            self.enrol(name, level, on)
        words = {"N": "none", "T": "DLT", "x": "inevaluable"}
        for name, letter in zip(names, letters, strict=True):
            self.known(name, words[letter], until)

    @property
    def patients(self) -> int:
        return sum(one.entry.kind == "enrol" for one in self.trial.entries)

    def correct(self, number: int, reason: str = "wrong", **words: str) -> Added:
        """Correct an entry; without words withdraw it."""
        kind = self.trial.entries[number - 1].entry.kind
        step = (
            read_step(self.trial, kind, {**words_of(step_now(self.trial, number)), **words}, number) if words else None
        )
        added = correct(self.trial, number, step, "Ann", reason, today=TODAY, time=self.time)
        self.trial = added.trial
        return added

    def sign(self, meaning: str, on: date) -> None:
        sign(self.trial, "Dr Bo", meaning, on, time=self.time)
        self.trial = open_trial(self.trial.folder)

    def amend(self, loaded: Loaded, on: date, reason: str = "amendment 1") -> str | None:
        """Put another protocol in force; why not, if it is refused."""
        proposed, _ = amend(self.trial, loaded, {}, "Ann", reason, {}, on=on, today=TODAY, time=self.time)
        self.trial = open_trial(self.trial.folder)
        return proposed.refused


def amended_copy(folder: Path, *changes: tuple[str, str], name: str = REFERENCE) -> Loaded:
    """A protocol with some words changed, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    for file in _files(name):
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    script = folder / name
    text = script.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    script.write_text(text, encoding="utf-8")
    loaded = load(str(script))
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded


def _files(name: str) -> Iterator[Path]:
    own = SCRIPTS / name
    first = own if own.exists() else Path(str(resource("protocols", name)))
    yield first
    if first.with_suffix(".md").exists():
        yield first.with_suffix(".md")
