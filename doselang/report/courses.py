"""Courses of patients in words: `2 . U 1 . (PU)`."""

from __future__ import annotations

from doselang.check.facts import CourseCause
from doselang.diagnostics import Diagnostic
from doselang.machine.compiling import compile_lines
from doselang.machine.course import CourseStep
from doselang.protocol.model import Move, Protocol
from doselang.protocol.words import move_words
from doselang.report.phrases import cited, listed, quoted

EXISTS = {
    "next higher": "a higher level exists",
    "next lower": "a lower level exists",
    "next lower that remains": "a lower level remains",
}
"""The condition under which a place exists, by its kind."""


def course_words(steps: tuple[CourseStep, ...], protocol: Protocol) -> str:
    """A course in the notation: the assigned level, a sign a cycle; what the trial has closed meanwhile at the end."""
    assert protocol.course is not None
    words = [protocol.levels[steps[0].point.assigned].label]
    level = steps[0].point.level
    for step in steps:
        if step.point.level != level:
            level = step.point.level
            words.append(protocol.levels[level].label)
        letters = "".join(protocol.course.events[event].letter for event in step.events)
        words.append(letters if len(letters) == 1 else f"({letters})" if letters else ".")
    closed = [f"level {protocol.levels[n].label}" for n, c in enumerate(steps[-1].point.environment.closed) if c]
    return " ".join(words) + (f" with {listed(closed)} closed as too toxic" if closed else "")


def events_words(protocol: Protocol, events: tuple[tuple[int, ...], ...]) -> str:
    """Sets of events in words: `no event, or progression and refusal together`."""
    assert protocol.course is not None
    names = [
        "no event" if not chosen else " and ".join(protocol.course.events[event].name for event in chosen)
        for chosen in events
    ]
    return listed(names, "or")


def course_cause(cause: CourseCause, protocol: Protocol) -> Diagnostic:
    """The diagnostic of an undecided cycle."""
    assert protocol.course is not None
    state = protocol.course.states[cause.state]
    when = f"In the state {state.name}, with {events_words(protocol, cause.events)}"
    about = list(dict.fromkeys(state.rules[r] for r in cause.acted))
    names = quoted([rule.name for rule in about])
    span = about[0].span if about else state.span
    cites = tuple(dict.fromkeys(words for rule in about for words in cited(rule)))
    history = course_words(cause.course, protocol)
    match cause.undecided.why:
        case "silence":
            assert cause.undecided.silence is not None
            silence = protocol.silences[cause.undecided.silence]
            return Diagnostic("DL312", f"{when}: the text is silent (“{silence.text}”).", silence.span, history=history)
        case "conflict":
            help = "Make their conditions exclude each other, or write `overrides` in one of them."
            return Diagnostic(
                "DL302", f"{when}: {names} disagree on what follows.", span, history=history, cites=cites, help=help
            )
        case "no answer":
            help = f"Write a rule in state {state.name}: when {_condition(cause, protocol)} then …"
            return Diagnostic("DL301", f"{when}: no rule says what follows.", span, history=history, help=help)
        case _:
            line = compile_lines(state.rules)[0][cause.undecided.lines[0]]
            rule, move = state.rules[line.rule], line.moves[cause.undecided.move or 0]
            says = f"{quoted([rule.name])} says `{move_words(protocol, move)}`, and there is no such level."
            help = _where_there_is_one(move)
            return Diagnostic("DL303", f"{when}: {says}", rule.span, history=history, cites=cited(rule), help=help)


def _where_there_is_one(move: Move) -> str:
    """What makes sure that there is a level for a move, if a condition can."""
    place = getattr(move, "place", None)
    condition = EXISTS.get(place.kind) if place else None
    if condition is None:
        return "Say in a condition when there is such a level, and what happens when there is none."
    return f"Add `and {condition}` to its condition, and say what happens when none does."


def _condition(cause: CourseCause, protocol: Protocol) -> str:
    assert protocol.course is not None
    chosen = cause.events[0]
    return " and ".join(protocol.course.events[event].name for event in chosen) if chosen else "no event"
