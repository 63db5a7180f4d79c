"""Examples are compared with what the rules decide: what is done, and by which rules."""

from __future__ import annotations

import pytest
from attrs import evolve

from doselang.conduct.accounts import ExampleResult
from doselang.conduct.examples import coverage, run_example, run_examples
from doselang.machine.compiling import compile_protocol
from doselang.protocol.guards import NEXT_HIGHER, NEXT_LOWER, THIS, All, CohortComplete, Place, Range, Tally
from doselang.protocol.model import (
    Begin,
    Body,
    Close,
    Course,
    Declare,
    Enrol,
    Event,
    Example,
    Gate,
    Part,
    Protocol,
    State,
    Stop,
    Verdict,
)
from doselang.source import Span
from tests.trials import (
    EXAMPLES,
    HIGHER,
    MTD,
    at,
    at_completion,
    committee,
    levels,
    of,
    reference,
    rule,
)

TOO_TOXIC = "the lowest level is too toxic"


def result(protocol: Protocol, example: Example) -> ExampleResult:
    return run_example(protocol, compile_protocol(protocol), example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.history)
def test_the_worked_examples_hold(example: Example) -> None:
    found = result(reference(), example)
    assert found.passed, found
    assert found.name == example.history and found.reason is None


def test_all_rules_of_the_reference_trial_are_reached() -> None:
    protocol = reference()
    results = run_examples(protocol, compile_protocol(protocol))
    assert len(results) == 22 and all(found.passed for found in results)
    covered = coverage(protocol, results)
    assert len(covered.rules) == 14 and covered.unreached == ()


def test_rules_that_no_example_reaches() -> None:
    protocol = evolve(reference(), examples=EXAMPLES[:4])
    covered = coverage(protocol, run_examples(protocol, compile_protocol(protocol)))
    assert "first three clear" not in covered.unreached
    assert covered.unreached[0] == "first three clear, nothing higher" and len(covered.unreached) == 12


def test_rules_at_every_look_of_a_history_count() -> None:
    found = result(reference(), Example("1NTN 1NNN 2TT", "gap"))
    assert found.reached[:2] == ("one DLT in the first three", "three more clear")
    assert found.rules_actual == ("two DLTs in the first three", "the level below has six", "open the expansion")


# ---- what is done, however it is written ----


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("1NNN", (Enrol(NEXT_HIGHER),)),
        ("1NNN", (Enrol(NEXT_HIGHER, 3),)),
        ("1NNN", (Enrol(Place("highest"), 3), Enrol(at(1), 3))[1:]),
        ("1NTN", (Enrol(THIS),)),
        ("1NNN 2TT", (Close(THIS), Enrol(NEXT_LOWER))),
        ("1NNN 2TT", (Close(at(1)), Enrol(Place("next lower that remains"), 3))),
        ("1NNN 2TT", (Enrol(Place("start"), 3), Close(THIS))),
        ("1TT", (Close(THIS), Declare(0, None), Stop(TOO_TOXIC))),
        ("1TT", (Close(THIS, all_above=False), Declare(0, None), Stop())),
        ("1NNN 2TT 1NNN", (Declare(0, THIS), Begin(1, MTD))),
        ("1NNN 2TT 1NNN", (Declare(0, Place("lowest")), Begin(1, THIS))),
    ],
)
def test_moves_are_compared_by_what_they_do(history: str, expected: tuple[Enrol | Close, ...]) -> None:
    assert result(reference(), Example(history, expected)).passed


@pytest.mark.parametrize(
    ("history", "expected", "expected_words", "actual_words"),
    [
        ("1NNN", (Enrol(NEXT_HIGHER, 4),), "enrol 4 at level 2", "enrol 3 at level 2"),
        ("1NNN", (Enrol(THIS),), "enrol 3 more at level 1", "enrol 3 at level 2"),
        ("1NNN", (Enrol(NEXT_LOWER),), "de-escalate", "enrol 3 at level 2"),
        ("1NNN", (Close(THIS), Enrol(at(1))), "close level 1 as too toxic, enrol 3 at level 2", "enrol 3 at level 2"),
        (
            "1NNN 2TT",
            (Close(THIS),),
            "close level 2 as too toxic",
            "close level 2 as too toxic, enrol 3 more at level 1",
        ),
        (
            "1NNN 2TT",
            (Close(THIS, all_above=True), Enrol(at(0))),
            "close level 2 with all above as too toxic, enrol 3 more at level 1",
            "close level 2 as too toxic, enrol 3 more at level 1",
        ),
        (
            "1TT",
            (Close(THIS), Declare(0, None), Stop("another reason")),
            'close level 1 as too toxic, declare no MTD, stop "another reason"',
            f'close level 1 as too toxic, declare no MTD, stop "{TOO_TOXIC}"',
        ),
        (
            "1TT",
            (Close(THIS), Stop()),
            "close level 1 as too toxic, stop",
            f'close level 1 as too toxic, declare no MTD, stop "{TOO_TOXIC}"',
        ),
        (
            "1NNN 2TT 1NNN",
            (Declare(0, THIS), Enrol(THIS, 10)),
            "declare level 1 as MTD, enrol 10 more at level 1",
            "declare level 1 as MTD, begin expansion at level 1",
        ),
        ("1N", (Enrol(NEXT_HIGHER),), "escalate", "wait"),
        ("1NNN", "wait", "wait", "enrol 3 at level 2"),
        ("1NNN", "gap", "gap", "enrol 3 at level 2"),
    ],
)
def test_an_example_that_does_not_hold_says_both(
    history: str, expected: tuple[Enrol, ...], expected_words: str, actual_words: str
) -> None:
    found = result(reference(), Example(history, expected))
    assert not found.passed and found.reason is None
    assert (found.expected, found.actual) == (expected_words, actual_words)


def test_only_levels_that_close_count() -> None:
    rules = (
        rule("close", CohortComplete(), Close(THIS, all_above=True)),
        rule("lower", All((CohortComplete(), Tally(Range(3, None), -1))), Enrol(NEXT_LOWER)),
    )
    protocol = Protocol("", levels("1", "2", "3"), 2, reference().toxicities, (Part("a", 3, rules),))
    assert result(protocol, Example("3NNN 2NNN", (Close(THIS), Enrol(NEXT_LOWER)))).passed
    assert result(protocol, Example("3NNN 2NNN", (Close(THIS, all_above=True), Enrol(NEXT_LOWER)))).passed
    assert not result(protocol, Example("3NNN 2NNN", (Close(NEXT_LOWER, all_above=True), Enrol(NEXT_LOWER)))).passed


# ---- by which rules ----


@pytest.mark.parametrize(
    ("by", "passed"),
    [
        (("two DLTs in the first three", "the level below has six", "open the expansion"), True),
        (("Two DLTs in the first three", "the level below has six", "open the expansion"), True),
        (("the level below has six", "two DLTs in the first three", "open the expansion"), False),
        (("two DLTs in the first three", "the level below has six"), False),
        (("two DLTs in the first three", "the level below has six", "open the expansion", "nothing below"), False),
        ((), True),
    ],
)
def test_rules_are_named_in_the_order_of_the_questions(by: tuple[str, ...], passed: bool) -> None:
    moves = (Close(at(1)), Declare(0, at(0)), Begin(1, at(0)))
    found = result(reference(), Example("1NTN 1NNN 2TT", moves, by=by))
    assert found.passed == passed
    assert found.rules_expected == by


@pytest.mark.parametrize("by", [("a", "b"), ("b", "a")])
def test_inside_one_question_the_order_means_nothing(by: tuple[str, ...]) -> None:
    rules = (rule("a", CohortComplete(), Enrol(THIS)), rule("b", CohortComplete(), Enrol(THIS, 3)))
    protocol = Protocol("", levels("1"), 0, reference().toxicities, (Part("a", 3, rules),))
    assert result(protocol, Example("1NNN", (Enrol(THIS, 3),), by=by)).passed
    assert not result(protocol, Example("1NNN", (Enrol(THIS, 3),), by=by[:1])).passed


def test_any_reason_of_rules_that_stop_together_will_do() -> None:
    rules = (rule("a", CohortComplete(), Stop("first")), rule("b", CohortComplete(), Stop("second")))
    protocol = Protocol("", levels("1"), 0, reference().toxicities, (Part("a", 3, rules),))
    assert result(protocol, Example("1NNN", (Stop("second"),))).passed
    assert not result(protocol, Example("1NNN", (Stop("third"),))).passed


# ---- undecided ----


def undecided() -> Protocol:
    """Nothing is said after one toxicity, two things after two."""
    rules = (
        rule("clear", of(0, 0), Enrol(NEXT_HIGHER)),
        rule("two", of(2, 2), Enrol(THIS)),
        rule("two, too", of(2, 2), Stop()),
        rule("three", of(3, 3), Close(THIS), Enrol(THIS)),
        rule("a tentative dose", of(1, 1), Declare(1, THIS)),
    )
    return Protocol(
        "",
        levels("1", "2"),
        0,
        reference().toxicities,
        (Part("a", 3, rules),),
        verdicts=(Verdict("MTD"), Verdict("RP2D")),
    )


@pytest.mark.parametrize(
    ("protocol", "history", "kind", "actual"),
    [
        (undecided(), "1NNT", "gap", "declare level 1 as RP2D; gap: no rule says what comes next"),
        (undecided(), "1NTT", "conflict", 'conflict: "two" and "two, too" disagree on what comes next'),
        (undecided(), "1TTT", "conflict", 'close level 1 as too toxic; conflict: "three" closes a level and uses it'),
        (undecided(), "1NNN 2NNN", "gap", 'gap: "clear" says `escalate`, and there is no such level'),
        (
            committee(), "1NNN[1] 2TT", "silence",
            'close level 2 as too toxic; silence: the text does not say, "what follows a toxic higher level"',
        ),
        (
            reference(replaces=False), "1NxN", "gap",
            "gap: a patient was inevaluable, and no rule says whether another takes the place",
        ),
    ],
)  # fmt: skip
def test_undecided_ends(protocol: Protocol, history: str, kind: str, actual: str) -> None:
    for expected in ("wait", "gap", "silence", "conflict"):
        found = result(protocol, Example(history, expected))
        assert found.passed == (expected == kind)
        assert found.actual == actual


def test_a_gap_may_be_expected_with_the_rules_that_acted() -> None:
    assert result(undecided(), Example("1NNT", "gap", by=("a tentative dose",))).passed
    assert not result(undecided(), Example("1NNT", "gap", by=("clear",))).passed


# ---- people ----

GO_ON = Gate("may", 0, ((Enrol(NEXT_HIGHER, 3),), (Enrol(THIS),)))
CONTENT = Gate("ask", 0, ((Enrol(at(1), 3),), (Declare(0, at(0)), Stop())))


@pytest.mark.parametrize(
    ("history", "gate"), [("1NNN", GO_ON), ("1NNN[2] 1NTN", CONTENT), ("1NNN 1NTN", evolve(CONTENT, span=Span(1, 2)))]
)
def test_a_decision_of_people(history: str, gate: Gate) -> None:
    found = result(
        committee(), Example(history, (), gate, by=("three clear" if history == "1NNN" else "six tolerated",))
    )
    assert found.passed, found


def test_a_decision_of_people_in_words() -> None:
    found = result(committee(), Example("1NNN", (), GO_ON))
    words = "may enrol 3 at level 2 if the safety-committee agrees, otherwise enrol 3 more at level 1"
    assert (found.expected, found.actual) == (words, words)
    found = result(committee(), Example("1NNN[2] 1NTN", (), CONTENT))
    asked = "ask the safety-committee to choose enrol 3 at level 2 or declare level 1 as MTD and stop"
    assert found.expected == asked
    assert found.actual == asked + ' "the committee is content"'


@pytest.mark.parametrize(
    "gate",
    [
        evolve(GO_ON, kind="ask"),
        evolve(GO_ON, options=GO_ON.options[::-1]),
        evolve(GO_ON, options=(*GO_ON.options, (Stop(),))),
        evolve(GO_ON, body=1),
    ],
)
def test_another_decision_of_people_is_another_answer(gate: Gate) -> None:
    protocol = evolve(committee(), bodies=(Body("safety-committee"), Body("sponsor")))
    assert not result(protocol, Example("1NNN", (), gate)).passed
    assert result(protocol, Example("1NNN", (), GO_ON)).passed


def test_people_are_asked_only_where_the_history_leaves_it_open() -> None:
    assert result(committee(), Example("1NNN[2]", (Enrol(THIS, 3),))).passed
    assert not result(committee(), Example("1NNN[2]", (), GO_ON)).passed
    assert not result(committee(), Example("1NNN", (Enrol(NEXT_HIGHER),))).passed
    assert not result(committee(), Example("1NNN 1NTN[1] 2NTN", (), GO_ON)).passed


def test_an_option_may_lead_to_a_gap() -> None:
    rules = (*committee().parts[0].rules, rule("also", All((of(0, 0), HIGHER)), Enrol(THIS, 3)))
    protocol = evolve(committee(), parts=(Part("escalation", 3, rules),))
    found = result(protocol, Example("1NNN", (), GO_ON))
    assert not found.passed
    assert found.actual == (
        '[1] conflict: "three clear" and "also" disagree on what comes next; [2] enrol 3 more at level 1'
    )
    assert result(protocol, Example("1NNN[1]", "conflict")).passed
    assert not result(protocol, Example("1NNN", "conflict")).passed


# ---- histories ----


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ("1NNN 3NNN", "After `1NNN` the rules open level 2, not level 3."),
        ("1NNQ", "`Q` is not the letter of an outcome: write `N` no toxicity, `T` DLT"),
    ],
)
def test_a_history_that_cannot_be(history: str, reason: str) -> None:
    found = result(reference(), Example(history, (Enrol(NEXT_HIGHER),), span=Span(3, 9)))
    assert not found.passed and found.actual == "not reached"
    assert found.reason is not None and found.reason.startswith(reason)
    assert found.span == Span(3, 9) and found.expected == "escalate"


def test_cohorts_may_enter_together() -> None:
    protocol = evolve(reference(), examples=(Example("1TT", "wait"),))
    machine = compile_protocol(protocol)
    assert run_examples(protocol, machine, accrual="whole-cohort")[0].passed
    assert not run_examples(protocol, machine)[0].passed


# ---- patients ----


def test_examples_of_patients_are_run_by_others() -> None:
    course = Course((Event("progression", "P"),), (State("on-treatment", False, (rule("go on", CohortComplete()),)),))
    examples = (Example("1NNN", (Enrol(NEXT_HIGHER),)), Example("1 . P", (), of_patient=True), Example("1N", "wait"))
    protocol = evolve(reference(), course=course, examples=examples)
    machine = compile_protocol(protocol)

    def patient(example: Example) -> ExampleResult:
        return ExampleResult(example.history, True, "", "", reached=("go on",), of_patient=True)

    results = run_examples(protocol, machine, patient)
    assert [found.name for found in results] == ["1NNN", "1 . P", "1N"]
    assert "go on" not in coverage(protocol, results).unreached
    results = run_examples(protocol, machine)
    assert [found.name for found in results] == ["1NNN", "1N"]
    assert "go on" not in coverage(protocol, results).rules
    protocol = evolve(protocol, examples=examples[::2])
    assert coverage(protocol, results).unreached[-1] == "go on"


def test_labels_of_the_ladder_are_those_of_the_protocol() -> None:
    found = result(at_completion(), Example("-1NNN 2A:NNN", (Enrol(NEXT_HIGHER),)))
    assert found.passed and found.actual == "enrol 3 at level high"
