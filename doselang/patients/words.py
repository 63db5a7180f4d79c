"""The words that cells hold for levels, parts, outcomes, verdicts and events, and what each of them means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import define, field

from doselang.machine.notation import CLEAR_SO_FAR, INEVALUABLE, NONE, PENDING
from doselang.patients.sheets import Refused
from doselang.protocol.model import Protocol
from doselang.protocol.words import counted_together
from doselang.resolve.names import MOST_SUGGESTIONS, fold, listing, nearest, shorten

Meaning = TypeVar("Meaning", int, str)

_NUMBER = re.compile(r"([-+‐‑‒–—−]?)0*([0-9]{1,9})([.,]0*)?")


@define
class Words(Generic[Meaning]):
    """The words of one kind. `codes` are those of a map, `signs` letters, `names` words; the first that fits counts.

    Letter case does not matter where it does not tell two apart.
    """

    kind: str
    names: dict[str, Meaning]
    help: str
    signs: dict[str, Meaning] = field(factory=dict)
    codes: Mapping[str, Meaning] = field(factory=dict)
    doubtful: Mapping[str, str] = field(factory=dict)
    """Signs that could mean several things, with what they could mean."""
    _folded: dict[str, set[Meaning]] = field(init=False, factory=dict)
    _asked: dict[str, str | None] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for words in (self.names, self.signs):
            for word, meaning in words.items():
                self._folded.setdefault(fold(word), set()).add(meaning)

    def read(self, cell: str) -> Meaning | Refused:
        """What a cell means, or why it means nothing here."""
        word = fold(cell)
        if word in self.codes:
            return self.codes[word]
        if cell in self.signs:
            return self.signs[cell]
        if cell in self.doubtful:
            return Refused(f"`{cell}` could be {self.doubtful[cell]}", self.help)
        meanings = self._folded.get(word, set())
        if len(meanings) == 1:
            return next(iter(meanings))
        if meanings:
            return Refused(f"`{shorten(cell, 40)}` could be more than one {self.kind}", self.help)
        near = self._nearest(cell)
        what = f"there is no {self.kind} `{shorten(cell, 40)}`" if cell else f"the {self.kind} is missing"
        return Refused(what, f"Did you mean `{near}`?" if near else self.help)

    def _nearest(self, cell: str) -> str | None:
        """The word that was probably meant; of figures only one that is the same number."""
        if cell not in self._asked and len(self._asked) < MOST_SUGGESTIONS:
            number = _NUMBER.fullmatch(cell)
            if number is not None:
                sign = "" if number[1] in ("", "+") else "-"
                plain = f"{sign}{number[2].lstrip('0') or '0'}"
                self._asked[cell] = plain if plain in self.names else None
            elif any(char.isalpha() for char in cell):
                self._asked[cell] = nearest(cell, self.names)
        return self._asked.get(cell)


def level_words(protocol: Protocol, codes: Mapping[str, int] | None = None) -> Words[int]:
    """The labels of the levels, also after the word `level`."""
    labels = [level.label for level in protocol.levels]
    there = f"The levels are {listing(labels)}." if len(labels) > 1 else f"The only level is `{labels[0]}`."
    names = {label: number for number, label in enumerate(labels)}
    help = f"{there} Where a table calls them otherwise, a map says how, under [patients.levels]."
    with_word = {f"level {label}": number for label, number in names.items()}
    return Words("level", names | with_word, help, codes=codes or {})


def part_words(protocol: Protocol, codes: Mapping[str, int] | None = None) -> Words[int]:
    names = {part.name: number for number, part in enumerate(protocol.parts)}
    return Words("part", names, f"The parts are {listing(list(names))}.", codes=codes or {})


def verdict_words(protocol: Protocol) -> Words[int]:
    names = {verdict.name: number for number, verdict in enumerate(protocol.verdicts)}
    return Words("verdict", names, f"The verdicts are {listing(list(names))}.")


def event_words(protocol: Protocol) -> Words[int]:
    """The events of a patient's course, by name and letter."""
    events = protocol.course.events if protocol.course else ()
    names = {event.name: number for number, event in enumerate(events)}
    letters = {event.letter: number for number, event in enumerate(events)}
    shown = ", ".join(f"`{event.name}` ({event.letter})" for event in events)
    help = f"The events are {shown}; spaces or semicolons stand between several." if events else "There are no events."
    return Words("event", names, help, letters)


def outcome_words(protocol: Protocol, codes: Mapping[str, str] | None = None) -> Words[str]:
    """The outcomes by name and letter; a cell that holds nothing says that the outcome is not known yet."""
    toxicities = {toxicity.name: toxicity.letter for toxicity in protocol.toxicities}
    names = {"none": NONE, "inevaluable": INEVALUABLE, "pending": PENDING, "": PENDING} | toxicities
    signs = {letter: letter for letter in (NONE, INEVALUABLE, PENDING, *toxicities.values())}
    at_once = ", ".join(one.name for one in protocol.toxicities if not one.later)
    help = (
        f"Write none, {at_once} or inevaluable, and nothing while it is not known."
        " Where a table has codes, a map says what they mean, under [patients.outcomes]."
    )
    doubtful = {CLEAR_SO_FAR: "no toxicity, or pending and clear so far as in a history"}
    doubtful |= {group.name: counted_together(protocol, group.name, "or") or "" for group in protocol.groups}
    return Words("outcome", names, help, signs, codes or {}, doubtful)


def flag(cell: str) -> bool | Refused | None:
    """What a Y/N column says; None where it says nothing."""
    match fold(cell):
        case "":
            return None
        case "y" | "yes":
            return True
        case "n" | "no":
            return False
    help = "Write Y, N or nothing; for other codes of `dlt` the map says what they mean, under [patients.outcomes]."
    return Refused(f"`{shorten(cell, 40)}` is neither Y nor N", help)
