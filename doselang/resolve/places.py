"""Where conditions and moves stand, and the levels they speak of."""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

from doselang.protocol import guards
from doselang.resolve.glossary import Glossary
from doselang.source import Span
from doselang.syntax import nodes as syntax

MOST_SEARCHES = 2
"""So many `the highest level where (…)` may stand inside one another: each looks at all levels for every level."""


@frozen
class Where:
    """What a condition or move belongs to, and whether to the trial or a patient's course.

    `part` is the part that it stands in; None for what holds in every part. `searches` are the `level where (…)` that
    it stands inside.
    """

    role: Literal["rule", "claim", "definition", "silence", "example"]
    course: bool = False
    part: int | None = None
    searches: int = 0

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
        case syntax.Place("recommended", name=name) if name is not None:
            found = recommender(glossary, where, name)
            return None if found is None else guards.Place("recommended", found)
        case syntax.Place("highest" | "lowest" as kind, where=condition) if condition is not None:
            return _where(glossary, where, kind, condition)
        case syntax.Place("next higher" | "next lower" as kind, along=along):
            axis = axis_of(glossary, place.span, along)
            return None if axis is None else guards.Place(kind, axis=axis)
        case syntax.Place("next lower that remains") if glossary.axes is not None:
            axis_of(glossary, place.span, None)
            return None
        case syntax.Place("assigned") if not where.course:
            not_here(
                glossary, where, place.span, "`the assigned level`",
                "It is the level a patient was registered at; outside a patient's course write `this level`.",
            )  # fmt: skip
            return None
    return guards.Place(place.kind)


def recommender(glossary: Glossary, where: Where, name: syntax.Name) -> int | None:
    """The position of an adviser that recommends a level; another is reported."""
    found = glossary.look_up(glossary.advisers, name)
    if where.course:
        help = "A patient's course reads of the trial only which levels have been tried and which are too toxic."
        not_here(glossary, where, name.span, "An adviser", help)
        return None
    if found is None:
        return None
    advice = glossary.advice[found]
    if advice.known and not advice.recommends:
        said = " or ".join(f"`{name.text} says {word}`" for word in advice.words[:3])
        message = f"`{name.text}` says a word about one level, and recommends none."
        glossary.report.add("DL211", message, name.span, help=f"Write for example {said}.")
        return None
    return found


def axis_of(glossary: Glossary, span: Span, along: syntax.Name | None) -> int | None:
    """Which component of a grid a step changes: 0 or 1; -1 on a ladder. None if it is wrong, which is reported."""
    axes = glossary.axes
    if along is None:
        if axes is None:
            return -1
        one, other = (glossary.components.spelled[axis] for axis in axes)
        glossary.report.add(
            "DL210", "On a grid a level has two neighbours on each side: the step does not say of which component.",
            span, help=f"Write for example: the next higher level of {one}, or escalate in {other}",
        )  # fmt: skip
        return None
    found = glossary.look_up(glossary.components, along)
    if found is None:
        return None
    if axes is None or found not in axes:
        message = f"`{along.text}` has no steps of its own: only the two components of a grid have."
        help = "Leave the component out: the levels of a ladder are its steps."
        if axes is not None:
            help = f"They are {' and '.join(f'`{glossary.components.spelled[axis]}`' for axis in axes)}."
        glossary.report.add("DL211", message, along.span, help=help)
        return None
    return axes.index(found)


def _where(
    glossary: Glossary, where: Where, kind: Literal["highest", "lowest"], condition: syntax.Guard
) -> guards.Place | None:
    """`the highest level where (…)`."""
    if glossary.axes is not None:
        message = f"On a grid several levels can be the {kind}: of two levels neither need be above the other."
        help = "Name the level, or go step by step: the next lower level of one of the two components."
        glossary.report.add("DL210", message, condition.span, help=help)
        return None
    from doselang.resolve.conditions import bind_guard  # which binds places itself

    if where.searches >= MOST_SEARCHES:
        glossary.report.add(
            "DL704", f"`the {kind} level where (…)` stands inside itself more than {MOST_SEARCHES} deep.",
            condition.span, help="Say it in two rules, or with a verdict that names the level.",
        )  # fmt: skip
        return None
    bound = bind_guard(glossary, evolve(where, searches=where.searches + 1), condition)
    if bound is None:
        return None
    return guards.Place("highest where" if kind == "highest" else "lowest where", where=bound)


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
