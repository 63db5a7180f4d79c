"""Protocols built from Python, for tests of the machine and of what conducts a trial."""

from __future__ import annotations

from typing import Literal

from attrs import evolve

from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    CohortComplete,
    Declared,
    Guard,
    HasStatus,
    Not,
    Place,
    Range,
    Share,
    Standing,
    Tally,
)
from doselang.protocol.model import (
    Assumption,
    Begin,
    Body,
    Case,
    Citation,
    Close,
    Declare,
    Enrol,
    Example,
    Gate,
    Level,
    Limit,
    Move,
    Part,
    Protocol,
    ProtocolText,
    Rule,
    Sentence,
    Silence,
    Stop,
    Toxicity,
    Verdict,
)

MTD = Place("verdict", 0)
CLOSED = HasStatus(THIS, "closed")
HIGHER = Standing("higher", "remains")
NO_LOWER = Not(Standing("lower", "exists"))

S1 = "If none of the first three patients has a DLT, the next higher level opens."
S3 = "If one of the first three patients has a DLT, three more patients are enrolled at the level."
S4 = "If one of those three more has a DLT, the level is closed."
TEXT = ProtocolText("text.md", tuple(Sentence(text, line) for line, text in enumerate((S1, S3, S4), 1)))
A1 = Assumption("A1: two DLTs among the first three close the level, at once", "the text does not say")


def of(
    low: int, high: int | None, group: Literal["all", "first", "added"] = "all", size: int = 3, toxicity: int = 0
) -> Share:
    """From `low` to `high` of `size` patients have a toxicity."""
    return Share(Range(low, high), group, size, toxicity)


def rule(name: str, guard: Guard, *moves: Move, any_time: bool = False) -> Rule:
    return Rule(name, (Case(guard, moves),), any_time)


def levels(*labels: str) -> tuple[Level, ...]:
    return tuple(Level(label) for label in labels)


def below(low: int, high: int | None) -> Tally:
    """So many evaluable at the next lower level."""
    return Tally(Range(low, high), -1, place=NEXT_LOWER)


ESCALATION = (
    evolve(
        rule("first three clear", All((of(0, 0), HIGHER)), Enrol(NEXT_HIGHER)),
        cites=(Citation("none of the first three", 0),),
    ),
    rule("first three clear, nothing higher", All((of(0, 0), Not(HIGHER))), Enrol(THIS, 3)),
    evolve(rule("one DLT in the first three", of(1, 1), Enrol(THIS, 3)), cites=(Citation("three more patients", 1),)),
    evolve(
        rule("two DLTs in the first three", of(2, None, "first"), Close(THIS), any_time=True), assumes=(A1,)
    ),
    rule("three more clear", All((of(1, 1, "first"), of(0, 0, "added"), HIGHER)), Enrol(NEXT_HIGHER)),
    rule(
        "three more clear, nothing higher", All((of(1, 1, "first"), of(0, 0, "added"), Not(HIGHER))), Declare(0, THIS)
    ),
    evolve(
        rule("a DLT among the three more", All((of(1, 1, "first"), of(1, None, "added"))), Close(THIS), any_time=True),
        cites=(Citation("one of those three more has a DLT", 2),),
    ),
    rule("at most one DLT in six", All((of(0, 0, "first"), of(0, 1, size=6))), Declare(0, THIS)),
    rule("second DLT in six", All((of(0, 0, "first"), of(2, None, size=6))), Close(THIS), any_time=True),
    rule("reopen the level below", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER, 3)),
    rule("the level below has six", All((CLOSED, below(6, 6))), Declare(0, NEXT_LOWER)),
    rule("nothing below", All((CLOSED, NO_LOWER)), Declare(0, None), Stop("the lowest level is too toxic")),
    rule("open the expansion", Declared(0), Begin(1, MTD)),
)  # fmt: skip
"""The escalation of the reference trial, in its settled reading."""

EXPANSION = (rule("expansion complete", CohortComplete(), Stop("ten more patients were treated at the MTD")),)


def reference(start: int = 0, labels: tuple[str, ...] = ("1", "2", "3"), *, replaces: bool = True) -> Protocol:
    """The reference trial: escalation by threes, then ten patients at the MTD."""
    return Protocol(
        title="the reference trial",
        levels=levels(*labels),
        start=start,
        toxicities=(Toxicity("DLT"),),
        parts=(
            Part("escalation", 3, ESCALATION, (Limit("level", 2, 6),)),
            Part("expansion", 10, EXPANSION),
        ),
        replaces_inevaluable=replaces,
        text=TEXT,
        examples=EXAMPLES,
    )


def at(level: int) -> Place:
    return Place("level", level)


def _example(history: str, *answers: Move | str) -> Example:
    """Moves, then the names of rules."""
    moves = tuple(answer for answer in answers if not isinstance(answer, str))
    return Example(history, moves, by=tuple(answer for answer in answers if isinstance(answer, str)))


NO_MTD = (Declare(0, None), Stop())
EXAMPLES = (
    Example("1N", "wait"),
    Example("1T", "wait"),
    _example("1NNN", Enrol(at(1), 3), "first three clear"),
    _example("1NTN", Enrol(at(0), 3), "one DLT in the first three"),
    _example("1NTN 1NNN", Enrol(at(1), 3), "three more clear"),
    _example("1NTN 1NT", Close(at(0)), *NO_MTD, "a DLT among the three more", "nothing below"),
    _example("1TT", Close(at(0)), *NO_MTD, "two DLTs in the first three", "nothing below"),
    _example("1NNN 2NTN 2NT", Close(at(1)), Enrol(at(0), 3), "a DLT among the three more", "reopen the level below"),
    _example("1NNN 2NTN 2NT 1NNN", Declare(0, at(0)), Begin(1, at(0)), "at most one DLT in six", "open the expansion"),
    _example("1NNN 2NTN 2NT 1TNN", Declare(0, at(0)), Begin(1, at(0)), "at most one DLT in six", "open the expansion"),
    _example("1NNN 2NTN 2NT 1TT", Close(at(0)), *NO_MTD, "second DLT in six", "nothing below"),
    _example(
        "1NTN 1NNN 2TT", Close(at(1)), Declare(0, at(0)), Begin(1, at(0)),
        "two DLTs in the first three", "the level below has six", "open the expansion",
    ),
    _example("1NNN 2NNN 3NNN", Enrol(at(2), 3), "first three clear, nothing higher"),
    _example("1NNN 2NNN 3NNN 3NTN", Declare(0, at(2)), Begin(1, at(2)), "at most one DLT in six", "open the expansion"),
    _example("1NNN 2NNN 3NNN 3TT", Close(at(2)), Enrol(at(1), 3), "second DLT in six", "reopen the level below"),
    _example(
        "1NNN 2NNN 3NTN 3NNN", Declare(0, at(2)), Begin(1, MTD),
        "three more clear, nothing higher", "open the expansion",
    ),
    _example("1NNN 2NNN 3TT 2NNN", Declare(0, THIS), Begin(1, at(1)), "at most one DLT in six", "open the expansion"),
    _example("1NNN 2NNN 3TT 2TT", Close(THIS), Enrol(NEXT_LOWER), "second DLT in six", "reopen the level below"),
    Example("1NxN", "wait"),
    _example("1NxNN", Enrol(NEXT_HIGHER), "first three clear"),
    _example("1NxTN 1NNN", Enrol(at(1), 3), "three more clear"),
    _example(
        "1NNN 2NTN 2NT 1NNN expansion/1NTNNNNNTNN",
        Stop("ten more patients were treated at the MTD"), "expansion complete",
    ),
)  # fmt: skip
"""The worked examples of the reference trial."""


def committee() -> Protocol:
    """A committee decides whether to go on after six patients; a permission after three."""
    rules = (
        Rule(
            "three clear",
            (Case(All((of(0, 0), HIGHER)), (), Gate("may", 0, ((Enrol(NEXT_HIGHER),), (Enrol(THIS, 3),)))),),
        ),
        rule("three clear, nothing higher", All((of(0, 0), Not(HIGHER))), Enrol(THIS, 3)),
        rule("one of three", of(1, 1), Enrol(THIS, 3)),
        Rule(
            "six tolerated",
            (
                Case(
                    All((of(0, 1, size=6), HIGHER)),
                    (),
                    Gate("ask", 0, ((Enrol(NEXT_HIGHER),), (Declare(0, THIS), Stop("the committee is content")))),
                ),
            ),
        ),
        rule("second DLT", Tally(Range(2, None), 0), Close(THIS), any_time=True),
        rule("nothing below", All((CLOSED, NO_LOWER)), Declare(0, None), Stop("the lowest level is too toxic")),
    )
    return Protocol(
        title="a committee",
        levels=levels("1", "2", "3"),
        start=0,
        toxicities=(Toxicity("DLT"),),
        parts=(Part("escalation", 3, rules),),
        bodies=(Body("safety-committee"),),
        silences=(Silence("what follows a toxic higher level", All((CLOSED, Not(NO_LOWER)))),),
    )


def at_completion(*, classes: int = 1, replaces: bool = True) -> Protocol:
    """Three levels with odd labels; looks at completion only; with two classes, moderate toxicity keeps the level."""
    rules = [
        rule("at most one", All((of(0, 1), HIGHER)), Enrol(NEXT_HIGHER)),
        rule("at most one at the top", All((of(0, 1), Not(HIGHER))), Declare(0, THIS), Stop()),
        rule("two of three", of(2, None), Close(THIS), Declare(0, None), Stop("too toxic")),
    ]
    toxicities = (Toxicity("DLT"), Toxicity("moderate", "M"))[:classes]
    if classes > 1:
        rules.append(
            evolve(rule("much moderate toxicity", of(2, None, toxicity=1), Enrol(THIS, 3)), overrides=("at most one",))
        )
    return Protocol(
        title="at completion",
        levels=levels("-1", "2A", "high"),
        start=0,
        toxicities=toxicities,
        parts=(Part("escalation", 3, tuple(rules)),),
        verdicts=(Verdict("MTD"),),
        replaces_inevaluable=replaces,
    )
