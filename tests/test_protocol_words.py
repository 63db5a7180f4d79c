"""What is put into words from the protocol alone is read again as the same."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doselang.diagnostics import Report
from doselang.protocol import words
from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    Any,
    Compare,
    Cycles,
    Entered,
    Guard,
    Happened,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    SentinelHas,
    Share,
    Tally,
    atoms,
)
from doselang.protocol.model import (
    Begin,
    Body,
    Case,
    Close,
    Continue,
    Course,
    Declare,
    Enrol,
    Enter,
    Event,
    Gate,
    Level,
    Move,
    Part,
    Protocol,
    State,
    Stop,
    Toxicity,
    ToxicityGroup,
    Verdict,
)
from doselang.resolve.assemble import resolve
from doselang.source import Source
from doselang.syntax.parse import parse
from doselang.syntax.words import with_article
from tests.generate import Setting, guards, thens

PROTOCOL = Protocol(
    title="words",
    levels=tuple(map(Level, ("-1", "1", "2A", "high"))),
    start=1,
    toxicities=(Toxicity("DLT"), Toxicity("moderate", "M"), Toxicity("fatal-sepsis", "U")),
    groups=(
        ToxicityGroup("unwanted-event", (0, 1)),
        ToxicityGroup("DLT-or-death", (0, 2)),
        ToxicityGroup("sepsis-or-less", (1, 2)),
        ToxicityGroup("any-of-all", (0, 1, 2)),
    ),
    parts=(Part("escalation", 3, ()), Part("expansion", 10, ())),
    verdicts=(Verdict("MTD"), Verdict("RP2D")),
    bodies=(Body("committee"),),
    course=Course((Event("progression", "P"),), (State("on-treatment", False, ()), State("follow-up", True, ()))),
)
SCRIPT = """
protocol "words"
level -1
level 1
level 2A
level high
start at level 1
toxicity DLT written T
toxicity moderate written M
toxicity fatal-sepsis written U
toxicity unwanted-event is moderate or DLT
toxicity DLT-or-death is DLT or fatal-sepsis
toxicity sepsis-or-less is fatal-sepsis or moderate
toxicity any-of-all is unwanted-event or fatal-sepsis
verdict MTD
verdict RP2D
body committee
part escalation
cohorts of 3
rule "r"
  when {when}
  then {then}
part expansion
cohorts of 10
rule "e"
  when the cohort is complete
  then stop
"""


def read(when: str, then: str) -> Case:
    report = Report()
    protocol = resolve(parse(Source("", SCRIPT.format(when=when, then=then)), report), report, text=None)
    assert protocol is not None, [item.message for item in report]
    return protocol.parts[0].rules[0].cases[0]


def sayable(guard: Guard) -> bool:
    """Whether the language has words for a condition: not for a share between two numbers."""
    for atom in atoms(guard):
        match atom:
            case Share(Range(low, high)) if low and high is not None and low != high:
                return False
    return True


SETTING = Setting(levels=4, classes=3, parts=2, verdicts=2, cohort=3)
DEEP = st.recursive(
    guards(SETTING).filter(sayable),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.tuples(inner, inner)),
        st.builds(Any, st.tuples(inner, inner)),
    ),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(DEEP)
def test_a_condition_in_words_is_read_as_the_same(guard: Guard) -> None:
    assert read(words.guard_words(PROTOCOL, guard), "stop").guard == guard


def can_be_written(moves: tuple[Move, ...]) -> bool:
    """Without a cohort of no size at another level, which has no words, and a level that closes and opens at once."""
    steps = [move for move in moves if isinstance(move, Enrol) and move.size is None]
    return all(move.place in (THIS, NEXT_HIGHER, NEXT_LOWER) for move in steps) and not (
        any(isinstance(move, Close) for move in moves) and any(isinstance(move, Enrol | Begin) for move in moves)
    )


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(thens(SETTING).filter(can_be_written))
def test_moves_in_words_are_read_as_the_same(moves: tuple[Move, ...]) -> None:
    assert read("any DLT", words.moves_words(PROTOCOL, moves)).moves == moves


@pytest.mark.parametrize(
    "gate",
    [
        Gate("may", 0, ((Enrol(NEXT_HIGHER),), (Declare(0, THIS), Stop("enough")))),
        Gate("ask", 0, ((Enrol(NEXT_HIGHER),), (Enrol(THIS, 3),), (Declare(1, None), Stop()))),
    ],
)
def test_a_decision_of_people_in_words_is_read_as_the_same(gate: Gate) -> None:
    assert read("any DLT", words.gate_words(PROTOCOL, gate)).gate == gate


@pytest.mark.parametrize(
    ("guard", "text"),
    [
        (Share(Range(1, 1), "all", 3, 0), "1 of 3 patients has a DLT"),
        (Share(Range(3, 3), "added", 3, 2), "all of the added 3 have a fatal-sepsis"),
        (Share(Range(1, 2), "all", 3, 0), "between 1 and 2 of 3 patients have a DLT"),
        (Tally(Range(0, 5), -1, place=NEXT_LOWER), "fewer than 6 evaluable at the next lower level"),
        (Tally(Range(0, 1), 0, place=Place("verdict", 0), part=0), "at most 1 DLT at the MTD in escalation"),
        (Tally(Range(6, 6), -1, part=1), "exactly 6 evaluable at this level in expansion"),
        (Tally(Range(0, 0), -1, "trial"), "no evaluable in the trial"),
        (Tally(Range(2, None), 2), "at least 2 fatal-sepsis"),
        (Tally(Range(2, None), (1, 0)), "at least 2 unwanted-events"),
        (Share(Range(1, 1), "all", 3, (0, 1)), "1 of 3 patients has an unwanted-event"),
        (Rate((0, 1, 2), Fraction(0), True, Fraction(1, 2), True), "the any-of-all rate is at most 50%"),
        (SentinelHas((0, 1)), "the sentinel has an unwanted-event"),
        (Tally(Range(1, None), (-2, -1)), "any enrolled"),
        (Rate(0, Fraction(0), True, Fraction(333, 1000), True), "the DLT rate is at most 33.3%"),
        (Rate(0, Fraction(1, 3), False, Fraction(1), True), "the DLT rate is more than 1/3"),
        (Rate(0, Fraction(1, 5), False, Fraction(1, 2), False), "the DLT rate is more than 20% and fewer than 50%"),
        (Not(HasStatus(NEXT_LOWER, "tried")), "the next lower level is untried"),
        (Not(Compare(THIS, "same", Place("level", 2))), "this level is not level 2A"),
        (Cycles(Range(6, None)), "at least 6 cycles"),
        (Happened(-1), "no event"),
        (Not(Happened(0)), "not progression"),
        (Entered(1), "follow-up is entered"),
    ],
)
def test_conditions(guard: Guard, text: str) -> None:
    assert words.guard_words(PROTOCOL, guard) == text


def at(level: int) -> Place:
    return Place("level", level)


@pytest.mark.parametrize(
    ("move", "text"),
    [
        (Enrol(at(1), 3), "enrol 3 more at level 1"),
        (Enrol(at(2), 3), "enrol 3 at level 2A"),
        (Enrol(THIS, 3), "enrol 3 more"),
        (Enrol(Place("lowest")), "enrol a cohort at the lowest level"),
        (Close(at(1), True), "close level 1 with all above as too toxic"),
        (Declare(0, None), "declare no MTD"),
        (Declare(1, at(3)), "declare level high as RP2D"),
        (Begin(1, Place("verdict", 0)), "begin expansion at the MTD"),
        (Stop("enough"), 'stop "enough"'),
        (Continue(), "continue"),
        (Continue(at(0)), "continue at level -1"),
        (Enter(1), "enter follow-up"),
        (Enter(1, NEXT_LOWER), "enter follow-up at the next lower level"),
    ],
)
def test_moves(move: Move, text: str) -> None:
    assert words.move_words(PROTOCOL, move, tried={1}) == text


@pytest.mark.parametrize(
    "name", ["DLT", "MTD", "RP2D", "event", "unit", "unintended", "N", "U", "hour", "one-off", "SAE"]
)
def test_articles_are_those_of_the_formatter(name: str) -> None:
    assert words.with_article(name) == with_article(name)
