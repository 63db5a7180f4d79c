"""The oracles agree with published facts, with each other, and with the language's own words."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import pytest
from attrs import evolve

from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    Any,
    CohortComplete,
    Compare,
    Declared,
    Guard,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    ResultDeclared,
    Share,
    Standing,
    Tally,
)
from doselang.protocol.model import (
    Begin,
    Body,
    Case,
    Close,
    Declare,
    Enrol,
    Gate,
    Level,
    Limit,
    Move,
    Part,
    Protocol,
    Rule,
    Silence,
    Stop,
    Toxicity,
    Verdict,
)
from tests.oracles import classical, plain, reference
from tests.oracles.plain import Cohort, End, Trial, holds, run
from tests.oracles.reference import Decision, figures, literal, settled

MODERATE = (Fraction(1, 10), Fraction(2, 10), Fraction(3, 10))
UNEVEN = (Fraction(1, 7), Fraction(2, 5), Fraction(1, 3), Fraction(5, 8))
ACCRUALS: tuple[plain.Accrual, ...] = ("one-at-a-time", "whole-cohort")
VARIANTS: tuple[classical.Variant, ...] = ("A", "B", "C")
CLOSED = HasStatus(THIS, "closed")
MTD = Place("verdict", 0)


def of(low: int, high: int | None, group: Literal["all", "first", "added"], size: int = 3) -> Share:
    return Share(Range(low, high), group, size, 0)


def rule(name: str, guard: Guard, *moves: Move, any_time: bool = False, overrides: tuple[str, ...] = ()) -> Rule:
    return Rule(name, (Case(guard, moves),), at_any_time=any_time, overrides=overrides)


def below(low: int, high: int | None) -> Tally:
    return Tally(Range(low, high), -1, "level", NEXT_LOWER)


def trial_of(levels: int, *parts: Part, start: int = 0) -> Protocol:
    ladder = tuple(Level(str(level + 1)) for level in range(levels))
    return Protocol(title="a trial", levels=ladder, start=start, toxicities=(Toxicity("DLT"),), parts=parts)


def by_level(end: End, levels: int) -> tuple[int, ...]:
    return tuple(sum(n for (_, where), n in end.patients.items() if where == level) for level in range(levels))


# ---- the classical design ----

COUNTS = {
    "A": (7, 19, 43, 91, 187, 379, 763, 1531),
    "B": (7, 34, 118, 346, 922, 2314, 5578, 13066),
    "C": (10, 46, 154, 442, 1162, 2890, 6922, 16138),
}
"""Distinct histories for 1 to 8 levels; those of C are published (precautionary)."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_classical_design_has_as_many_histories_as_published(variant: classical.Variant) -> None:
    assert tuple(classical.histories(variant, levels) for levels in range(1, 9)) == COUNTS[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_verdicts_of_the_classical_design_are_certain(variant: classical.Variant) -> None:
    mtd, none = classical.verdicts(variant, UNEVEN)
    assert sum(mtd) + none == 1


def classical_rules(variant: classical.Variant) -> tuple[Rule, ...]:
    higher, top = Standing("higher", "exists"), Not(Standing("higher", "exists"))
    one, none, clear = of(1, 1, "first"), of(0, 0, "first"), of(0, 0, "all")
    mtd, mtd_below = (Declare(0, THIS), Stop()), (Declare(0, NEXT_LOWER), Stop())
    rules = [
        rule("clear", All((clear, higher)), Enrol(NEXT_HIGHER)),
        rule("clear at the top", All((clear, top)), *((Enrol(THIS),) if variant == "C" else mtd)),
        rule("one", of(1, 1, "all"), Enrol(THIS)),
        rule("one of six", All((one, of(0, 0, "added"), higher)), Enrol(NEXT_HIGHER)),
        rule("one of six at the top", All((one, of(0, 0, "added"), top)), *mtd),
        rule("few of six", All((none, of(0, 1, "added"))), *mtd),
        rule("two of three", of(2, None, "all"), Close(THIS)),
        rule("one and more", All((one, of(1, None, "added"))), Close(THIS)),
        rule("none and two", All((none, of(2, None, "added"))), Close(THIS)),
        rule("lowest", All((CLOSED, Not(Standing("lower", "exists")))), Declare(0, None), Stop()),
        rule("below", All((CLOSED, below(6 if variant != "A" else 0, None))), *mtd_below),
    ]
    if variant != "A":
        rules.append(rule("refill", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER)))
    return tuple(rules)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_the_interpreter_runs_the_classical_design(variant: classical.Variant, levels: int) -> None:
    protocol = trial_of(levels, Part("escalation", 3, classical_rules(variant)))
    ends = run(protocol, [UNEVEN], "whole-cohort")
    assert {end.kind for end in ends} == {"verdict"}
    assert len({end.history for end in ends}) == len(ends) == COUNTS[variant][levels - 1]
    mtd, none = classical.verdicts(variant, UNEVEN[:levels])
    assert mtd == tuple(sum(e.probability for e in ends if e.result == level) for level in range(levels))
    assert none == sum(end.probability for end in ends if end.result is None)


# ---- the reference trial ----

WORKED = (
    ("1NNN", Decision(("S1",), enrols=1)),
    ("1NTN", Decision(("S3",), enrols=0)),
    ("1NTN 1NNN", Decision(("S6",), enrols=1)),
    ("1NTN 1NT", Decision(("S4", "A4"), closes=0, no_mtd=True)),
    ("1TT", Decision(("A1", "A4"), closes=0, no_mtd=True)),
    ("1NNN 2NTN 2NT", Decision(("S4", "S5"), closes=1, enrols=0)),
    ("1NNN 2NTN 2NT 1NNN", Decision(("A2", "S12"), mtd=0)),
    ("1NNN 2NTN 2NT 1TNN", Decision(("A2", "S12"), mtd=0)),
    ("1NNN 2NTN 2NT 1TT", Decision(("A2", "A4"), closes=0, no_mtd=True)),
    ("1NTN 1NNN 2TT", Decision(("A1", "A3", "S12"), closes=1, mtd=0)),
    ("1NNN 2NNN 3NNN", Decision(("S2",), enrols=2)),
    ("1NNN 2NNN 3NNN 3NTN", Decision(("A2", "S12"), mtd=2)),
    ("1NNN 2NNN 3NNN 3TT", Decision(("A2", "S5"), closes=2, enrols=1)),
    ("1NNN 2NNN 3NTN 3NNN", Decision(("S6", "S12"), mtd=2)),
    ("1NNN 2NNN 3TT 2NNN", Decision(("A2", "S12"), mtd=1)),
    ("1NNN 2NNN 3TT 2TT", Decision(("A2", "S5"), closes=1, enrols=0)),
    ("1N", None),
    ("1T", None),
    ("1NxN", None),
    ("1NxNN", Decision(("S1",), enrols=1)),
    ("1NxTN 1NNN", Decision(("S6",), enrols=1)),
)
"""The worked examples of the escalation, three levels, settled reading; the expansion has its own test."""


@pytest.mark.parametrize(("history", "decision"), WORKED)
def test_the_reference_decides_as_the_worked_examples(history: str, decision: Decision | None) -> None:
    assert settled(reference.read(history), 3) == decision


@pytest.mark.parametrize(
    ("history", "silence"),
    [("1TNT", 1), ("1TTT", 1), ("1NTN 1T", 2), ("1NTN 1NNN 2TNN 2T", 3), ("1NNN 2NNN 3NNN 3NNN", 4),
     ("1NNN 2TNN 2T 1NNN", 5)],
)  # fmt: skip
def test_the_literal_text_is_silent(history: str, silence: int) -> None:
    decision = literal(reference.read(history), 3)
    assert decision is not None and decision.silence == silence


def test_the_settled_reading_has_the_known_figures() -> None:
    found = figures(settled, MODERATE, "one-at-a-time")
    assert [round(float(p), 6) for p in (found.no_mtd, *found.mtd)] == [0.100431, 0.285443, 0.344331, 0.269796]
    assert (min(found.sizes), max(found.sizes)) == (2, 18)


def test_most_trials_leave_the_literal_text() -> None:
    found = figures(literal, MODERATE, "whole-cohort")
    assert 0.88 < sum(found.undecided.values()) < 0.92
    assert found.no_mtd == 0 and all(found.undecided.values())


@pytest.mark.parametrize("decide", [settled, literal])
@pytest.mark.parametrize("accrual", ACCRUALS)
@pytest.mark.parametrize("start", range(4))
def test_the_figures_of_the_reference_are_whole(decide: reference.Decide, accrual: plain.Accrual, start: int) -> None:
    found = figures(decide, UNEVEN, accrual, start)
    assert sum(found.mtd) + found.no_mtd + sum(found.undecided.values()) == 1 == sum(found.sizes.values())
    assert sum(found.patients) == sum(size * chance for size, chance in found.sizes.items())
    assert found.dlts == tuple(n * rate for n, rate in zip(found.patients, UNEVEN, strict=True))
    assert decide is literal or not any(found.undecided.values())


def test_the_settled_mtd_rests_on_six() -> None:
    for start in range(3):
        for groups, end in reference.ends(settled, MODERATE, "one-at-a-time", start):
            assert end.mtd is None or reference.evaluable(groups, end.mtd) == 6


def settled_rules(*after: Move) -> tuple[Rule, ...]:
    """The reference script's escalation; with an MTD these moves follow."""
    left, none_left = Standing("higher", "remains"), Not(Standing("higher", "remains"))
    one, none, added_clear = of(1, 1, "first"), of(0, 0, "first"), of(0, 0, "added")
    return (
        rule("S1", All((of(0, 0, "all"), left)), Enrol(NEXT_HIGHER)),
        rule("S2", All((of(0, 0, "all"), none_left)), Enrol(THIS, 3)),
        rule("S3", of(1, 1, "all"), Enrol(THIS, 3)),
        rule("S6", All((one, added_clear, left)), Enrol(NEXT_HIGHER)),
        rule("S6 at the top", All((one, added_clear, none_left)), Declare(0, THIS)),
        rule("A2", All((none, of(0, 1, "added"))), Declare(0, THIS)),
        rule("S4", All((one, of(1, None, "added"))), Close(THIS), any_time=True),
        rule("A1", of(2, None, "first"), Close(THIS), any_time=True),
        rule("A2 closes", All((none, of(2, None, "added"))), Close(THIS), any_time=True),
        rule("S5", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER, 3)),
        rule("A3", All((CLOSED, below(6, None))), Declare(0, NEXT_LOWER)),
        rule("A4", All((CLOSED, Not(Standing("lower", "exists")))), Declare(0, None), Stop("too toxic")),
        rule("S12", Declared(0), *after),
    )


LITERAL_RULES = (
    rule("S1", All((of(0, 0, "all"), Standing("higher", "exists"))), Enrol(NEXT_HIGHER)),
    rule("S2", All((of(0, 0, "all"), Not(Standing("higher", "exists")))), Enrol(THIS, 3)),
    rule("S3", of(1, 1, "all"), Enrol(THIS, 3)),
    rule("S6", All((of(1, 1, "first"), of(0, 0, "added"), Standing("higher", "exists"))), Enrol(NEXT_HIGHER)),
    rule(
        "S6 at the top",
        All((of(1, 1, "first"), of(0, 0, "added"), Not(Standing("higher", "exists")))),
        Declare(0, THIS),
        Stop(),
    ),
    rule("S4", All((of(1, 1, "first"), of(1, None, "added"))), Close(THIS), any_time=True),
    rule("S5", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER, 3)),
)


@pytest.mark.parametrize("decide", [settled, literal])
@pytest.mark.parametrize("accrual", ACCRUALS)
@pytest.mark.parametrize("start", range(3))
def test_the_interpreter_runs_the_reference(decide: reference.Decide, accrual: plain.Accrual, start: int) -> None:
    rules = settled_rules(Stop("established")) if decide is settled else LITERAL_RULES
    protocol = trial_of(3, Part("escalation", 3, rules, (Limit("level", 2, 6),)), start=start)
    ends, found = run(protocol, [UNEVEN], accrual), figures(decide, UNEVEN[:3], accrual, start)
    verdicts = [end for end in ends if end.kind == "verdict"]
    assert found.mtd == tuple(sum(e.probability for e in verdicts if e.result == level) for level in range(3))
    assert found.no_mtd == sum(e.probability for e in verdicts if e.result is None)
    assert sum(found.undecided.values()) == sum(e.probability for e in ends if e.kind in ("gap", "infeasible"))
    for level in range(3):
        assert found.patients[level] == sum(end.probability * by_level(end, 3)[level] for end in ends)
        assert found.dlts[level] == sum(end.probability * end.toxicities.get((0, level), (0,))[0] for end in ends)
    for size, chance in found.sizes.items():
        assert chance == sum(end.probability for end in ends if sum(end.patients.values()) == size)


def test_the_interpreter_runs_the_expansion_of_the_reference() -> None:
    parts = (
        Part("escalation", 3, settled_rules(Begin(1, MTD))),
        Part("expansion", 10, (rule("complete", CohortComplete(), Stop("ten patients were treated")),)),
    )
    ends = run(trial_of(3, *parts), [MODERATE], "whole-cohort")
    expanded = [end for end in ends if any(part == 1 for part, _ in end.patients)]
    assert {end.kind for end in ends} == {"verdict"} and sum(end.probability for end in ends) == 1
    assert all(end.patients[1, end.result] == 10 for end in expanded if end.result is not None)
    assert sum(end.probability for end in expanded) == 1 - figures(settled, MODERATE, "whole-cohort").no_mtd
    assert "1NNN 2NNT 2NNT 1NNN expansion/1NNNNNNNNTT" in {end.history for end in expanded}


# ---- the plain interpreter: conditions ----


def seen(history: str, *closed: int, last: int = 3) -> Trial:
    """A trial of two parts after a history; all cohorts were to have three, the last one `last` patients."""
    cohorts = []
    for group in history.split():
        part, cohort = int("/" in group), group.removeprefix("expansion/")
        cohorts.append(Cohort(part, int(cohort[0]) - 1, 3, cohort[1:]))
    return Trial((*cohorts[:-1], evolve(cohorts[-1], size=last)), closed=frozenset(closed))


OPEN = Tally(Range(0, 0), 0, "level", NEXT_LOWER)
"""Open at the lowest level."""
TRUE = Standing("higher", "exists")
FALSE = Standing("lower", "exists")

CONDITIONS: tuple[tuple[Guard, Trial, bool | None], ...] = (
    # of 3: exactly three, all cohorts together
    (of(1, 1, "all"), seen("1NTN"), True),
    (of(1, 1, "all"), seen("1NTN 1NNN"), False),
    (of(1, 1, "first"), seen("1NTN 1NNN"), True),
    (of(0, 0, "added"), seen("1NTN 1NNN"), True),
    (of(1, 1, "all"), seen("1T"), None),
    (of(1, 1, "all"), seen("1TT"), False),
    (of(2, None, "all"), seen("1TT"), True),
    (of(0, 0, "all"), seen("1NN"), None),
    (of(0, 0, "all"), seen("1T"), False),
    (of(0, 1, "all", 6), seen("1NTN 1NN"), None),
    (of(0, 1, "all", 6), seen("1NNN 1TNN"), True),
    # of the first, of the added
    (of(2, None, "first"), seen("1TT"), True),
    (of(1, 1, "first", 2), seen("1NTN"), False),
    (of(0, 0, "added"), seen("1NNN"), None),
    (of(0, 0, "added"), seen("1NTN 1NN"), None),
    (of(1, None, "added"), seen("1NTN 1NT"), True),
    (of(1, None, "added"), seen("1NNN 2TNN 1NNN 2NNN"), False),
    (of(0, 0, "added", 3), seen("1NTN 1N", last=2), False),
    (Share(Range(0, 1), "first", 3, 0, NEXT_LOWER), seen("1NTN 2NN"), True),
    (Share(Range(0, 1), "first", 3, 0, NEXT_LOWER), seen("2NNN"), None),
    (Share(Range(0, 1), "first", 3, 0, NEXT_LOWER), seen("1NNN"), None),
    # counts and rates
    (Tally(Range(0, 1), 0), seen("1T"), True),
    (Tally(Range(0, 5), -1, "level", NEXT_LOWER), seen("2NNN"), True),
    (Tally(Range(0, 5), -1, "level", NEXT_LOWER), seen("1NNN"), None),
    (Tally(Range(6, 6), -1), seen("1NNN expansion/1NNN"), True),
    (Tally(Range(3, 3), -1, part=0), seen("1NNN expansion/1NN"), True),
    (Tally(Range(2, 2), -1, "part"), seen("1NNN expansion/1NN"), True),
    (Tally(Range(2, 2), -1, "cohort"), seen("1NNN 2NN"), True),
    (Tally(Range(5, 5), -1, "trial"), seen("1NNN 2NN"), True),
    (Tally(Range(0, 0), 0, "level", MTD), seen("1NNN"), None),
    (Rate(0, Fraction(0), True, Fraction(1, 3), True), seen("1NTN"), True),
    (Rate(0, Fraction(0), True, Fraction(1, 3), False), seen("1NTN"), False),
    (Rate(0, Fraction(33, 100), False, Fraction(1), True), seen("1NTN"), True),
    (Rate(0, Fraction(0), True, Fraction(1), True, "level", NEXT_HIGHER), seen("1NTN"), None),
    # levels
    (HasStatus(NEXT_LOWER, "closed"), seen("1NNN"), None),
    (Not(HasStatus(NEXT_LOWER, "tried")), seen("2NNN"), True),
    (HasStatus(THIS, "open"), seen("1NN"), True),
    (HasStatus(THIS, "open"), seen("1NN", 0), False),
    (Standing("higher", "remains"), seen("1NNN", 1), False),
    (Standing("higher", "remains"), seen("2NNN", 2), False),
    (Standing("lower", "remains"), seen("3NNN", 1), True),
    (Standing("lower", "closed"), seen("3NNN", 0), True),
    (Standing("lower", "untried"), seen("1NNN"), False),
    (Compare(THIS, "above", Place("start")), seen("2NNN"), True),
    (Compare(THIS, "same", NEXT_HIGHER), seen("3NNN"), None),
    (Compare(Place("next lower that remains"), "same", Place("level", 0)), seen("3NNN", 1), True),
    # verdicts and looks
    (Declared(0), seen("1NNN"), False),
    (ResultDeclared(), seen("1NNN"), False),
    (Declared(0, ever=True), evolve(seen("1NNN"), verdicts={0: 0}, named=frozenset({0})), True),
    (Declared(0), evolve(seen("1NNN"), verdicts={0: 0}, named=frozenset({0})), False),
    (ResultDeclared(), evolve(seen("1NNN"), verdicts={0: None}), True),
    (CohortComplete(), seen("1NNN"), True),
    (CohortComplete(), seen("1NN"), False),
    # not, and, or
    (Not(OPEN), seen("1NNN"), None),
    (All((OPEN, TRUE)), seen("1NNN"), None),
    (All((OPEN, FALSE)), seen("1NNN"), False),
    (Any((OPEN, TRUE)), seen("1NNN"), True),
    (Any((OPEN, FALSE)), seen("1NNN"), None),
)


@pytest.mark.parametrize(("guard", "trial", "value"), CONDITIONS)
def test_conditions_are_true_false_or_open(guard: Guard, trial: Trial, value: bool | None) -> None:
    protocol = trial_of(3, Part("escalation", 3, ()), Part("expansion", 3, ()))
    assert holds(guard, protocol, trial) is value


# ---- the plain interpreter: looks ----

ONE = CohortComplete()
"""True at every look of a cohort of one."""
ANY = Tally(Range(1, None), 0)


def ends_of(
    *rules: Rule, limits: tuple[Limit, ...] = (), start: int = 1, size: int = 1, **more: object
) -> dict[str, End]:
    """The ends of a trial of three levels with these rules, by history."""
    protocol = trial_of(3, Part("escalation", size, rules, (Limit("trial", None, 6), *limits)), start=start)
    ends = run(evolve(protocol, **more), [MODERATE], "one-at-a-time")
    assert sum(end.probability for end in ends) == 1
    return {end.history: end for end in ends}


def kinds(ends: dict[str, End]) -> set[str]:
    return {end.kind for end in ends.values()}


def test_different_answers_are_a_conflict_and_the_same_written_twice_is_none() -> None:
    down = rule("down", ONE, Enrol(NEXT_LOWER))
    assert kinds(ends_of(down, rule("stay", ONE, Enrol(THIS)))) == {"conflict"}
    assert kinds(ends_of(down, rule("size", ONE, Enrol(NEXT_LOWER, 2)))) == {"conflict"}
    assert kinds(ends_of(down, rule("stop", ONE, Stop()))) == {"conflict"}
    lower, lowest = Standing("lower", "exists"), rule("lowest", Not(Standing("lower", "exists")), Stop())
    names = (rule("next", lower, Enrol(NEXT_LOWER)), rule("label", lower, Enrol(Place("level", 0), 1)))
    assert kinds(ends_of(*names, lowest)) == {"verdict"}
    assert kinds(ends_of(rule("a", ONE, Stop()), rule("b", ONE, Stop("enough")))) == {"verdict"}


def test_an_answer_that_cannot_go_with_a_closing_is_a_conflict_only_in_the_same_look() -> None:
    close = rule("close", ANY, Close(THIS))
    assert kinds(ends_of(close, rule("stay", ONE, Enrol(THIS)), start=0)) == {"conflict", "limit"}
    assert kinds(ends_of(close, rule("mtd", ONE, Declare(0, THIS), Stop()), start=0)) == {"conflict", "verdict"}
    label = {"verdicts": (Verdict("MTD"), Verdict("too-toxic"))}
    assert kinds(ends_of(close, rule("label", ONE, Declare(1, THIS), Stop()), start=0, **label)) == {"verdict"}
    up = rule("up", Tally(Range(0, 0), 0), Enrol(NEXT_HIGHER))
    ends = ends_of(close, rule("down", CLOSED, Enrol(NEXT_LOWER)), up)
    assert {history: end.kind for history, end in ends.items()} == {
        "2N 3N": "infeasible",
        "2N 3T 2N": "infeasible",
        "2N 3T 2T 1N": "infeasible",
        "2N 3T 2T 1T": "infeasible",
        "2T 1N": "infeasible",
        "2T 1T": "infeasible",
    }


def test_closings_add_up_and_questions_know_the_earlier_answers() -> None:
    rules = (
        rule("this", ONE, Close(THIS)),
        rule("below", ONE, Close(NEXT_LOWER, all_above=False)),
        rule("mtd", CLOSED, Declare(0, None)),
        rule("end", All((Standing("lower", "closed"), ResultDeclared(), Not(Declared(0)))), Stop()),
        rule("too early", Not(ResultDeclared()), Enrol(THIS)),
    )
    ends = ends_of(*rules)
    assert kinds(ends) == {"verdict"}
    assert {end.rules for end in ends.values()} == {("this", "below", "mtd", "end")}
    assert {tuple(end.verdicts.items()) for end in ends.values()} == {(("MTD", None),)}


def test_moves_are_carried_to_the_question_they_answer() -> None:
    together = rule("all at once", ONE, Close(Place("highest")), Declare(0, THIS), Begin(1, MTD))
    protocol = trial_of(3, Part("a", 1, (together,)), Part("b", 1, (rule("end", ONE, Stop()),)), start=1)
    ends = run(protocol, [MODERATE], "one-at-a-time")
    assert [(end.history, end.kind, end.result) for end in ends] == [
        ("2N b/2N", "verdict", 1), ("2N b/2T", "verdict", 1), ("2T b/2N", "verdict", 1), ("2T b/2T", "verdict", 1)
    ]  # fmt: skip


def test_an_override_silences_for_the_whole_look() -> None:
    two = Rule("two", (Case(ONE, (Declare(0, THIS),)), Case(Declared(0), (Enrol(THIS),)), Case(ONE, (Enrol(THIS),))))
    stop = rule("stop", ANY, Declare(0, None), Stop(), overrides=("two",))
    ends = ends_of(two, stop, limits=(Limit("level", None, 2),))
    assert {history: end.kind for history, end in ends.items()} == {
        "2N 2N": "limit", "2N 2T": "verdict", "2T": "verdict"
    }  # fmt: skip
    assert ends["2T"].rules == ("stop",) and ends["2T"].result is None


def test_a_silenced_rule_does_not_silence_others() -> None:
    first = rule("first", ONE, Stop("first"), overrides=("second",))
    second = rule("second", ONE, Enrol(THIS), overrides=("third",))
    third = rule("third", ONE, Stop("third"))
    assert {end.rules for end in ends_of(third, second, first).values()} == {("third", "first")}


def test_nothing_said_is_a_gap_or_a_declared_silence() -> None:
    silences = (
        Silence("a notice"),
        Silence("elsewhere", ONE, part=1),
        Silence("a closed level", CLOSED, part=0),
    )
    ends = ends_of(rule("close", ANY, Close(THIS)), silences=silences)
    assert {history: (end.kind, end.reason) for history, end in ends.items()} == {
        "2N": ("gap", None),
        "2T": ("silence", "a closed level"),
    }
    assert ends["2T"].rules == ("close",) and ends["2N"].rules == ()


def test_a_silence_does_not_excuse_what_cannot_be_carried_out() -> None:
    always = {"silences": (Silence("all", ONE),)}
    assert kinds(ends_of(rule("down", ONE, Enrol(NEXT_LOWER)), start=0, **always)) == {"infeasible"}
    assert kinds(ends_of(rule("mtd", ONE, Declare(0, NEXT_HIGHER), Stop()), **always)) == {"infeasible"}
    assert kinds(ends_of(rule("again", ONE, Begin(0, THIS)), **always)) == {"infeasible"}


def test_limits_have_two_ends() -> None:
    stay = rule("stay", Tally(Range(0, 1), -1), Enrol(THIS))
    go = rule("go", Tally(Range(2, None), -1), Stop())
    assert kinds(ends_of(stay, go)) == {"verdict"}
    assert kinds(ends_of(stay, go, limits=(Limit("level", None, 1),))) == {"limit"}
    assert kinds(ends_of(stay, go, limits=(Limit("part", None, 1),))) == {"limit"}
    assert kinds(ends_of(stay, go, limits=(Limit("level", 3, None),))) == {"limit"}
    assert kinds(ends_of(stay, go, limits=(Limit("level", 2, 2),))) == {"verdict"}
    assert set(ends_of(stay, size=7)) == {""}


def test_rules_at_any_time_end_the_cohort() -> None:
    toxic = rule("toxic", ANY, Close(THIS), any_time=True)
    rules = (toxic, rule("end", CLOSED, Stop()), rule("calm", All((ONE, Tally(Range(0, 0), 0))), Stop("calm")))
    protocol = trial_of(1, Part("escalation", 3, rules))
    assert {e.history for e in run(protocol, [MODERATE], "one-at-a-time")} == {"1T", "1NT", "1NNT", "1NNN"}
    assert {e.history for e in run(protocol, [MODERATE], "whole-cohort")} == {"1NNN", "1NNT", "1NTT", "1TTT"}
    alone = trial_of(1, Part("escalation", 3, (toxic, rule("calm", ONE, Stop()))))
    assert {e.history: e.kind for e in run(alone, [MODERATE], "one-at-a-time")} == {
        "1T": "gap", "1NT": "gap", "1NNT": "verdict", "1NNN": "verdict"
    }  # fmt: skip


def gate(*options: tuple[Move, ...]) -> Rule:
    return Rule("people", (Case(ONE, (), Gate("ask", 0, options)),))


def test_people_choose() -> None:
    people = gate((Enrol(NEXT_LOWER),), (Close(THIS), Stop("enough")))
    protocol = trial_of(3, Part("escalation", 1, (people,)), start=1)
    protocol = evolve(protocol, bodies=(Body("committee"),))
    told = run(protocol, [MODERATE], "one-at-a-time", {"people": (Fraction(1, 4), Fraction(3, 4))})
    by_history = {end.history: end for end in told}
    assert by_history["2N[2]"].probability == Fraction(4, 5) * Fraction(3, 4)
    assert by_history["2N[2]"].reason == "enough" and by_history["2N[1] 1T[1]"].kind == "infeasible"
    assert not any(end.untold for end in told) and sum(end.probability for end in told) == 1
    untold = run(protocol, [MODERATE], "one-at-a-time")
    assert [end.history for end in untold] == [end.history for end in told]
    assert all(end.untold for end in untold) and sum(end.probability for end in untold) == 1


def test_histories_are_written_as_the_language_says() -> None:
    rules = (rule("go", ONE, Begin(1, NEXT_HIGHER)),)
    protocol = Protocol(
        title="labels",
        levels=(Level("-1"), Level("2A")),
        start=0,
        toxicities=(Toxicity("DLT"), Toxicity("moderate", "M")),
        parts=(Part("escalation", 2, rules), Part("expansion", 1, (rule("end", ONE, Stop()),))),
    )
    rates = [MODERATE, MODERATE]
    ends = {end.history: end for end in run(protocol, rates, "whole-cohort")}
    assert ends["-1TM expansion/2A:M"].toxicities == {(0, 0): (1, 1), (1, 1): (0, 1)}
    assert ends["-1TM expansion/2A:M"].probability == 2 * Fraction(1, 10) ** 2 * Fraction(2, 10)
    assert set(run(protocol, rates, "one-at-a-time")[0].patients) == {(0, 0), (1, 1)}


def test_an_endless_trial_is_refused() -> None:
    protocol = trial_of(1, Part("escalation", 100, (rule("on", ONE, Enrol(THIS)),)))
    with pytest.raises(RuntimeError, match="not bounded"):
        run(protocol, [(Fraction(0),)], "whole-cohort")
