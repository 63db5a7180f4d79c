"""Where conditions and moves stand, and the levels they speak of."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from doselang.protocol import guards
from doselang.resolve.glossary import Glossary
from doselang.source import Span
from doselang.syntax import nodes as syntax


@frozen
class Where:
    """What a condition or move belongs to, and whether to the trial or a patient's course.

    `part` is the part that it stands in; None for what holds in every part.
    """

    role: Literal["rule", "claim", "definition", "silence", "example"]
    course: bool = False
    part: int | None = None

    @property
    def words(self) -> str:
        """For messages: "a rule of the trial"."""
        of = "a patient's course" if self.course else "the trial"
        match self.role:
            case "rule":
                return f"a rule of {of}"
            case "claim":
                return f"a claim about {of}"
            case "definition":
                return "the definition of a verdict"
            case "silence":
                return f"a silence in {of}"
            case "example":
                return "an example of a patient's course" if self.course else "an example of the trial"


def not_here(glossary: Glossary, where: Where, span: Span, what: str, help: str) -> None:
    """Report what is not known, or not decided, where it stands; `what` begins the sentence."""
    glossary.report.add("DL211", f"{what} has no meaning in {where.words}.", span, help=help)


def bind_place(glossary: Glossary, where: Where, place: syntax.Place | None) -> guards.Place | None:
    """The place that is meant; nothing written means this level. None if it is wrong, which is reported."""
    match place:
        case None:
            return guards.THIS
        case syntax.Place("level", label):
            found = glossary.level(label) if label is not None else None
            return None if found is None else guards.Place("level", found)
        case syntax.Place("verdict", name=name):
            if name is None:
                return None
            return _verdict_place(glossary, where, name)
        case syntax.Place("assigned") if not where.course:
            not_here(
                glossary, where, place.span, "`the assigned level`",
                "It is the level a patient was registered at; outside a patient's course write `this level`.",
            )  # fmt: skip
            return None
    return guards.Place(place.kind)


def _verdict_place(glossary: Glossary, where: Where, name: syntax.Name) -> guards.Place | None:
    found = glossary.look_up(glossary.verdicts, name)
    if found is None:
        return None
    if where.course:
        not_here(
            glossary, where, name.span, f"The level of the `{name.text}`",
            "Patients are on treatment before it is declared; write `this level`, `the assigned level` or `level 1`.",
        )  # fmt: skip
        return None
    return guards.Place("verdict", found)


def settled(glossary: Glossary, place: guards.Place) -> guards.Place:
    """The place by position where that is known, so that two ways to name one level are the same."""
    last = len(glossary.levels) - 1
    match place.kind:
        case "lowest" if last >= 0:
            return guards.Place("level", 0)
        case "highest" if last >= 0:
            return guards.Place("level", last)
        case "start" if glossary.start is not None:
            return guards.Place("level", glossary.start)
    return place
