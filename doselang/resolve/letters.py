"""The letters that stand for toxicities and events in histories."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Literal

from doselang.diagnostics import Label
from doselang.resolve.glossary import Glossary
from doselang.source import Span
from doselang.syntax import nodes as syntax

RESERVED = {"N": "a patient without toxicity", "X": "too much like x, an inevaluable patient"}
"""Letters that have a meaning of their own in histories."""

Owner = syntax.Toxicity | syntax.Event


def letters_for(glossary: Glossary, declared: Sequence[Owner], kind: Literal["toxicity", "event"]) -> list[str]:
    """A letter each: the one written, T for the first toxicity, else the first free letter of the name."""
    taken: dict[str, Owner] = {}
    letters: dict[int, str] = {}
    for number, one in enumerate(declared):
        by_default = "T" if number == 0 and kind == "toxicity" else None
        letter = one.written.letter.upper() if one.written else by_default
        if letter is not None:
            letters[number] = letter
            _take(glossary, taken, one, letter)
    for number, one in enumerate(declared):
        if number not in letters:
            letters[number] = _free(taken, one)
    return [letters[number] for number in range(len(declared))]


def _span(one: Owner) -> Span:
    """Where a letter is written; the name where it is not."""
    return one.written.span if one.written else one.name.span


def _take(glossary: Glossary, taken: dict[str, Owner], one: Owner, letter: str) -> None:
    """Give a letter to a name; one that is reserved or taken is reported."""
    help = "Write another letter after `written`."
    other = taken.setdefault(letter, one)
    if letter in RESERVED:
        message = f"The letter {letter} cannot stand for `{one.name.text}`: in histories it is {RESERVED[letter]}."
        glossary.report.add("DL219", message, _span(one), help=help)
    elif other is not one:
        by_default = "" if other.written else ": the letter of the first toxicity, unless another is written"
        label = Label(_span(other), f"{letter} is taken here{by_default}")
        message = f"`{one.name.text}` and `{other.name.text}` have one letter, {letter}."
        glossary.report.add("DL219", message, _span(one), labels=[label], help=help)


def _free(taken: dict[str, Owner], one: Owner) -> str:
    """The first free letter of a name, or of the alphabet."""
    for letter in one.name.text.upper() + ascii_uppercase:
        if letter in ascii_uppercase and letter not in taken and letter not in RESERVED:
            taken[letter] = one
            return str(letter)
    return "?"  # there are more than the language allows, which is reported
