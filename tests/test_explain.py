"""Explanations: what is decided, by which rules and sentences, with the true numbers behind every clause."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from math import exp
from pathlib import Path

import pytest
from attrs import evolve

from doselang.api import load
from doselang.cli import run
from doselang.conduct.accounts import Explanation, RuleAccount, Way
from doselang.conduct.explain import explain
from doselang.machine.compiling import compile_protocol
from doselang.machine.notation import HistoryError, parse_history
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
    Share,
    Tally,
)
from doselang.protocol.model import Close, Declare, Enrol, Level, Limit, Part, Protocol, Stop
from doselang.protocol.words import guard_words, moves_words
from doselang.report.explanation import clause_numbers, explanation_record, render_explanation
from tests.trials import at_completion, committee, of, reference, rule


def explained(protocol: Protocol, history: str, accrual: str = "one-at-a-time") -> Explanation:
    groups = parse_history(history, protocol) if history else ()
    return explain(compile_protocol(protocol), groups, accrual)  # type: ignore[arg-type]


def only_way(protocol: Protocol, history: str) -> Way:
    (way,) = explained(protocol, history).ways
    return way


def named(accounts: tuple[RuleAccount, ...], name: str) -> RuleAccount:
    return next(account for account in accounts if account.rule.name == name)


def clauses(protocol: Protocol, account: RuleAccount) -> list[tuple[str, str, str]]:
    return [
        (clause.value, guard_words(protocol, clause.guard), clause_numbers(protocol, clause))
        for case in account.cases
        for clause in case.clauses
    ]


# ---- the rules that act ----


def test_what_is_decided_and_by_which_rules() -> None:
    protocol = reference()
    way = only_way(protocol, "1NNN 2NTN 2NT")
    assert moves_words(protocol, way.answer.moves) == "close level 2 as too toxic, enrol 3 at level 1"
    assert [account.rule.name for account in way.acted] == ["a DLT among the three more", "reopen the level below"]
    first, second = way.acted
    assert first.rule.cites[0].words == "one of those three more has a DLT"
    assert [case.question for case in (*first.cases, *second.cases)] == [1, 3]
    assert clauses(protocol, first) == [
        ("true", "1 of the first 3 patients has a DLT", "1 of 3 known in the first cohort at level 2"),
        ("true", "any of the added 3 has a DLT", "1 of 2 known in the added cohort at level 2"),
    ]
    assert clauses(protocol, second) == [
        ("true", "this level is closed as too toxic", "level 2"),
        ("true", "fewer than 6 evaluable at the next lower level", "3 evaluable at level 1"),
    ]


def test_a_condition_is_shown_as_it_stood_at_its_question() -> None:
    """`the level is closed` is true for a rule of the second question, if this look closes it at the first."""
    protocol = reference()
    way = only_way(protocol, "1NTN 1NNN 2TT")
    assert [case.question for account in way.acted for case in account.cases] == [1, 2, 3]
    assert clauses(protocol, named(way.acted, "the level below has six"))[0] == (
        "true", "this level is closed as too toxic", "level 2",
    )  # fmt: skip
    assert clauses(protocol, named(way.acted, "open the expansion")) == [("true", "the MTD is declared", "level 1")]


@pytest.mark.parametrize(
    ("history", "tallies"),
    [
        ("1NNN", [(3, 0, 0, 0, "tried"), (0, 0, 0, 0, "open"), (0, 0, 0, 0, "untried")]),
        ("1NNN 2NTN 2NT", [(3, 0, 0, 0, "open"), (5, 2, 0, 0, "closed"), (0, 0, 0, 0, "untried")]),
        ("1NxNN 2TT. 1N", [(4, 0, 0, 1, "open"), (2, 2, 1, 0, "closed"), (0, 0, 0, 0, "untried")]),
        ("1NNN 2TTT", [(3, 0, 0, 0, "open"), (3, 3, 0, 0, "closed"), (0, 0, 0, 0, "untried")]),
        ("1NNN 2TT 1NNN expansion/1TTTTTTTT", [(14, 8, 0, 0, "open"), (2, 2, 0, 0, "closed"), (0, 0, 0, 0, "untried")]),
        ("1TT", [(2, 2, 0, 0, "closed"), (0, 0, 0, 0, "untried"), (0, 0, 0, 0, "untried")]),
        ("", [(0, 0, 0, 0, "open"), (0, 0, 0, 0, "untried"), (0, 0, 0, 0, "untried")]),
    ],
)
def test_every_level_has_its_tally(history: str, tallies: list[tuple[object, ...]]) -> None:
    found = explained(reference(), history)
    assert [(t.evaluable, t.toxic(0), t.pending, t.inevaluable, t.status) for t in found.tallies] == tallies


def test_parts_are_counted_apart() -> None:
    found = explained(reference(), "1NNN 2TT 1NNN expansion/1TTNN")
    assert found.tallies[0].counts == ((6, 0), (2, 2))
    assert (found.part, found.level) == (1, 0)


def test_the_numbers_are_true_where_the_machine_has_stopped_counting() -> None:
    protocol = evolve(
        at_completion(),
        parts=(Part("a", 3, (rule("stay", Tally(Range(1, None), -1), Enrol(THIS, 3)),)),),
    )
    way = only_way(protocol, "-1NTN -1NTT -1NNN")
    assert clauses(protocol, way.acted[0]) == [("true", "at least 1 evaluable", "9 evaluable at level -1")]


# ---- the numbers behind a condition ----

TWO = evolve(at_completion(classes=2), levels=(Level("1"), Level("2"), Level("3")), start=1)


@pytest.mark.parametrize(
    ("guard", "value", "words", "numbers"),
    [
        (of(2, None), "true", "at least 2 of 3 patients have a DLT", "2 of 3 evaluable at level 2"),
        (of(0, 0, toxicity=1), "false", "none of 3 patients has a moderate", "1 of 3 evaluable at level 2"),
        (of(0, 0, size=6), "false", "none of 6 patients has a DLT", "2 of 3 evaluable at level 2"),
        (
            of(0, 1, "first", 6), "false",
            "at most 1 of the first 6 patients has a DLT", "2 of 3 known in the first cohort at level 2",
        ),
        (of(0, 1, "added"), "open", "at most 1 of the added 3 has a DLT", "there is no added cohort at level 2"),
        (
            Share(Range(1, 1), "all", 3, 0, NEXT_LOWER), "open",
            "1 of 3 patients has a DLT at the next lower level", "0 of 0 evaluable at level 1",
        ),
        (Tally(Range(0, 2), 0), "true", "at most 2 DLTs", "2 in 3 evaluable at level 2"),
        (Tally(Range(4, 9), -1, "trial"), "false", "between 4 and 9 evaluable in the trial", "3 evaluable"),
        (Tally(Range(1, None), 1, "part"), "true", "any moderate in the part", "1 in 3 evaluable"),
        (Tally(Range(0, 0), 1, "cohort"), "false", "no moderate in the cohort", "1 in 3 evaluable at level 2"),
        (
            Tally(Range(3, 3), -1, place=Place("verdict", 0)), "open",
            "exactly 3 evaluable at the MTD", "the MTD does not exist",
        ),
        (
            Rate(0, Fraction(0), True, Fraction(1, 3), False), "false",
            "the DLT rate is fewer than 1/3", "2 of 3 evaluable at level 2, 66.7%",
        ),
        (
            Rate(1, Fraction(1, 4), True, Fraction(1), True, "level", NEXT_HIGHER), "open",
            "the moderate rate at the next higher level is at least 25%", "0 of 0 evaluable at level 3",
        ),
        (HasStatus(NEXT_HIGHER, "tried"), "false", "the next higher level is tried", "level 3"),
        (Not(HasStatus(Place("level", 0), "closed")), "true", "level 1 is not closed as too toxic", ""),
        (
            HasStatus(Place("next lower that remains"), "open"), "false",
            "the next lower level that remains is open", "level 1",
        ),
        (Compare(THIS, "above", Place("start")), "false", "this level is above the start level", "level 2"),
        (CohortComplete(), "true", "the cohort is complete", ""),
        (Declared(0), "false", "the MTD is declared", ""),
        (
            Any((of(3, 3), All((of(2, 2), Tally(Range(0, None), 1))))), "true",
            "all of 3 patients have a DLT or (2 of 3 patients have a DLT and at least 0 moderates)",
            "2 of 3 evaluable at level 2; 1 in 3 evaluable at level 2",
        ),
    ],
)  # fmt: skip
def test_numbers_behind_a_condition(guard: Guard, value: str, words: str, numbers: str) -> None:
    protocol = evolve(TWO, parts=(Part("a", 3, (rule("r", All((guard, guard)), Stop()),)),))
    way = only_way(protocol, "2TMT")
    (account,) = way.acted or way.others
    assert clauses(protocol, account) == [(value, words, numbers)] * 2


def test_a_level_that_is_not_there() -> None:
    protocol = reference()
    account = named(only_way(protocol, "1TT").others, "reopen the level below")
    assert clauses(protocol, account)[1] == (
        "open", "fewer than 6 evaluable at the next lower level", "the next lower level does not exist",
    )  # fmt: skip


# ---- the rules that do not act ----


def test_the_nearest_rules_come_first() -> None:
    others = only_way(reference(), "1NNN 2NTN 2NT").others
    untrue = [min(len(case.untrue) for case in account.cases) for account in others]
    assert untrue == sorted(untrue) and untrue[0] == 1
    assert {account.role for account in others} == {"not true"}
    assert len(others) == 11


def test_an_overridden_rule_says_by_which() -> None:
    way = only_way(at_completion(classes=2), "-1MMN")
    assert [account.rule.name for account in way.acted] == ["much moderate toxicity"]
    assert (way.others[0].rule.name, way.others[0].role) == ("at most one", "overridden")
    assert way.others[0].overridden_by == ("much moderate toxicity",)


# ---- undecided ----


def test_a_gap_names_the_rules_that_would_have_answered() -> None:
    rules = (rule("lower", All((of(2, None), HasStatus(NEXT_LOWER, "tried"))), Enrol(NEXT_LOWER, 3)),)
    protocol = Protocol("", reference().levels, 1, reference().toxicities, (Part("a", 3, rules),))
    trouble = only_way(protocol, "2TTN").answer.trouble
    assert trouble is not None and (trouble.kind, trouble.why) == ("gap", "no answer")
    assert trouble.missed == (("lower", (HasStatus(NEXT_LOWER, "tried"),)),)
    text = render_explanation(explained(protocol, "2TTN"))
    assert "undecided  gap: no rule says what comes next\n" in text
    assert '"lower" would answer, but it is not true that the next lower level is tried\n' in text


def test_a_limit_that_would_break_is_named() -> None:
    rules = (rule("stay", CohortComplete(), Enrol(THIS, 3)),)
    part = Part("a", 3, rules, (Limit("trial", None, 12), Limit("level", 2, 5)))
    protocol = Protocol("", reference().levels, 0, reference().toxicities, (part,))
    trouble = only_way(protocol, "1NNN").answer.trouble
    assert trouble is not None and trouble.limit == Limit("level", 2, 5)
    assert 'gap: "stay" says `enrol 3 more`, which would break the limit `accrue at least 2 and at most 5 patients' in (
        render_explanation(explained(protocol, "1NNN"))
    )


def test_a_silence_is_quoted() -> None:
    text = render_explanation(explained(committee(), "1NNN[1] 2TT"))
    assert 'silence: the text does not say, "what follows a toxic higher level"' in text


def test_a_patient_whom_nobody_replaces() -> None:
    found = explained(reference(replaces=False), "1NxN")
    assert found.trouble is not None and found.ways == () and found.underway is None
    assert "no rule says whether another takes the place" in render_explanation(found)
    assert "takes the place" in str(explanation_record(found)["undecided"])


# ---- a cohort that goes on ----


def test_a_cohort_that_goes_on() -> None:
    found = explained(reference(), "1NN.")
    assert found.ways == () and found.underway is not None
    assert (found.underway.known, found.underway.pending, found.underway.to_enrol) == (2, 1, 0)
    roles = {account.rule.name: account.role for account in found.underway.rules}
    assert roles["two DLTs in the first three"] == "not true" and roles["first three clear"] == "not asked"
    text = render_explanation(found)
    assert "wait       2 of 3 outcomes known at level 1, 1 pending\n" in text
    assert "if 1 without toxicity: enrol 3 at level 2\n" in text
    assert "if 1 with DLT: enrol 3 more at level 1\n" in text


def test_nothing_is_asked_before_whole_cohorts_are_complete() -> None:
    found = explained(reference(), "1TT", "whole-cohort")
    assert found.underway is not None
    assert {account.role for account in found.underway.rules} == {"not asked"}


def test_before_the_first_patient() -> None:
    found = explained(reference(), "")
    assert found.underway is not None and found.history == ""
    text = render_explanation(found)
    assert text.startswith("Before the first patient\n  wait       0 of 3 outcomes known at level 1, 3 patients to be")


def test_a_decision_in_spite_of_pending_patients() -> None:
    found = explained(at_completion(), "-1TT.")
    assert found.pending == 1 and found.underway is None
    assert "1 outcome still pending, which cannot change it\n" in render_explanation(found)
    assert clauses(found.protocol, found.ways[0].acted[0])[0][2] == "2 of 2 evaluable at level -1"


def test_a_rule_may_wait_for_patients_pending_elsewhere() -> None:
    three = Tally(Range(3, None), 0, "trial")
    rules = (
        evolve(rule("two", All((of(2, None, "first"), Not(three))), Enrol(NEXT_LOWER, 3)), at_any_time=True),
        rule("few", All((of(0, 1), Not(three))), Enrol(THIS)),
    )
    protocol = Protocol("", reference().levels, 1, reference().toxicities, (Part("a", 3, rules),))
    found = explained(protocol, "2TT. 1NNN")
    assert found.underway is not None and (found.underway.pending, found.underway.to_enrol) == (0, 0)
    assert named(found.underway.rules, "few").role == "waits"


# ---- people ----


def test_every_way_that_people_can_choose() -> None:
    found = explained(committee(), "1NNN 1NTN")
    assert [way.answer.choices[0].option for way in found.ways] == [0, 1]
    text = render_explanation(found)
    assert "If [1] is chosen by the safety-committee: enrol 3 at level 2\n" in text
    assert 'If [2] is chosen by the safety-committee: declare level 1 as MTD, stop "the committee is content"\n' in text


MORE = "enrol 3 at level 2 and backfill 2 patients at level 1"


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ("ask sponsor to choose escalate or escalate and backfill 2 patients at this level",
         f"ask the sponsor to choose enrol 3 at level 2, or {MORE}"),
        ("may escalate and backfill 2 patients at this level if sponsor agrees, otherwise escalate",
         f"may {MORE} if the sponsor agrees, otherwise enrol 3 at level 2"),
        # what is done whatever they choose comes first, where something is left of both
        ("close level 3 as too toxic, ask sponsor to choose escalate or stay",
         "close level 3 as too toxic, ask the sponsor to choose enrol 3 at level 2 or enrol 3 more at level 1"),
    ],
)  # fmt: skip
def test_an_option_that_is_part_of_another_is_named_in_full(
    moves: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "choice.dose"
    path.write_text(
        'protocol "t"\nlevels 1 to 3\nstart at level 1\ntoxicity DLT\nbody sponsor\npart p\ncohorts of 3\n'
        f'rule "up"\n  when none of 3 patients has a DLT and this level is level 1\n  then {moves}\n'
    )
    for command in ("next", "explain"):
        assert run([command, str(path), "1NNN"]) == 0
        assert capsys.readouterr().out.splitlines()[1].split(maxsplit=1)[1] == words
    assert run(["show", str(path), "--as", "rules"]) == 0
    assert re.search(r"choose escalate or escalate and backfill 2|may escalate and backfill 2|escalate or stay",
                     capsys.readouterr().out)  # fmt: skip


def test_the_way_that_was_chosen() -> None:
    (way,) = explained(committee(), "1NNN 1NTN[2]").ways
    assert way.answer.choices[0].option == 1
    assert way.answer.moves == (Declare(0, Place("level", 0)), Stop("the committee is content"))


# ---- for people and as JSON ----


def test_the_whole_text() -> None:
    protocol = evolve(reference(labels=("1",)), parts=reference().parts[1:])
    assert render_explanation(explained(protocol, "1NTNNNNNNNN")) == (
        """\
1NTNNNNNNNN
  then       stop "ten more patients were treated at the MTD"

  level  evaluable  DLTs  status
  -----  ---------  ----  ------
      1         10     1  tried

Why
  What comes next?
  "expansion complete"
    true   the cohort is complete
    then   stop "ten more patients were treated at the MTD"
"""
    )


def test_the_basis_of_a_rule_is_shown_with_its_place_in_the_text() -> None:
    text = render_explanation(explained(reference(), "1NTN"))
    assert '    cites  "three more patients" (text.md, line 2)\n' in text
    text = render_explanation(explained(reference(), "1TT"))
    because = 'because "the text does not say"\n'
    assert f'    assume "A1: two DLTs among the first three close the level, at once" {because}' in text


def test_nothing_of_a_file_controls_the_terminal() -> None:
    rules = (rule("red \x1b[31m", CohortComplete(), Stop("a\nb")),)
    protocol = Protocol("", reference().levels, 0, reference().toxicities, (Part("a", 3, rules),))
    text = render_explanation(explained(protocol, "1NNN"))
    assert "\x1b" not in text and 'stop "a b"' in text


@pytest.mark.parametrize("history", ["1NNN 2NTN 2NT", "1NN.", "1TT.", "1NNN 2TT 1NNN expansion/1N", ""])
def test_json(history: str) -> None:
    record = explanation_record(explained(reference(), history))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == ["history", "part", "level", "levels", "decisions", "waiting", "undecided"]


def test_a_decision_in_json() -> None:
    record = explanation_record(explained(reference(), "1NNN 2NTN 2NT"))
    assert record["levels"][1] == {  # type: ignore[index]
        "level": "2", "evaluable": 5, "toxicities": {"DLT": 2}, "pending": 0, "inevaluable": 0, "status": "closed",
        "estimates": {},
    }  # fmt: skip
    (decision,) = record["decisions"]  # type: ignore[misc, attr-defined]
    assert decision["outcome"] == "decided" and decision["reason"] is None
    assert decision["moves"] == ["close level 2 as too toxic", "enrol 3 more at level 1"]
    acted = decision["rules"][0]
    assert (acted["rule"], acted["role"], acted["cites"]) == (
        "a DLT among the three more", "acted", ["one of those three more has a DLT"],
    )  # fmt: skip
    assert acted["cases"][0]["clauses"][1]["facts"] == [
        {"condition": "any of the added 3 has a DLT", "value": "true", "level": "2", "with_toxicity": 1, "evaluable": 2}
    ]


def test_a_history_that_cannot_be_has_no_explanation() -> None:
    with pytest.raises(HistoryError):
        explained(reference(), "1NNN 3NNN")


def test_after_a_question_without_an_answer_none_is_asked() -> None:
    rules = (
        rule("close", CohortComplete(), Close(NEXT_LOWER)),
        rule("go on", CohortComplete(), Enrol(THIS)),
    )
    protocol = Protocol("", reference().levels, 0, reference().toxicities, (Part("a", 3, rules),))
    way = only_way(protocol, "1NNN")
    assert way.answer.trouble is not None and way.answer.trouble.why == "no level"
    assert [account.rule.name for account in way.acted] == ["close"]
    assert [(account.rule.name, account.role) for account in way.others] == [("go on", "not asked")]
    assert '  "go on"\n    true, but not asked\n' in render_explanation(explained(protocol, "1NNN"))


def test_the_rates_that_a_method_estimates_stand_beside_the_tallies() -> None:
    """VIOLA's CRM: a power model, b from a normal distribution with variance 0.75, rates at the mean of b."""
    protocol = load("protocols/viola.dose").protocol
    assert protocol is not None
    skeleton, start = (0.03, 0.07, 0.12, 0.20, 0.30, 0.40, 0.52), protocol.start
    record = explanation_record(explained(protocol, f"{protocol.levels[start].label}NNT"))
    b = [-8 + step / 1000 for step in range(16001)]
    density = [exp(-x * x / 1.5) * (1 - skeleton[start] ** exp(x)) ** 2 * skeleton[start] ** exp(x) for x in b]
    mean = sum(x * weight for x, weight in zip(b, density, strict=True)) / sum(density)
    shown = [level["estimates"]["model"] for level in record["levels"]]  # type: ignore[attr-defined]
    assert shown == pytest.approx([guess ** exp(mean) for guess in skeleton], abs=1e-6)
    table = render_explanation(explained(protocol, f"{protocol.levels[start].label}NNT"))
    assert "rate by model" in table and f"{skeleton[start] ** exp(mean):.1%}" in table


def test_a_method_without_an_estimate_of_a_level_shows_none() -> None:
    protocol = load("protocols/boin-template.dose").protocol
    assert protocol is not None
    record = explanation_record(explained(protocol, "1NNN"))
    estimates = [level["estimates"]["estimate"] for level in record["levels"]]  # type: ignore[attr-defined]
    assert estimates[0] == pytest.approx(0.05 / 3.1)  # (y + 0.05) / (n + 0.1)
    assert estimates[1:] == [None] * 4


def test_a_choice_that_changes_nothing_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(
        """protocol "A trial"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
body committee
part escalation
cohorts of 3
rule "next"
  assume "it may hold the level" because "the text leaves it open"
  when fewer than 12 evaluable in the trial and no DLT
  then ask committee to choose enrol 3 at the highest level or enrol 3 at level 2
rule "end"
  when at least 12 evaluable in the trial or any DLT
  then declare this level as MTD, stop
""",
        encoding="utf-8",
    )
    assert run(["next", str(path), "1NNN"]) == 0
    assert "enrol 3 at level 2, whatever the committee decides" in capsys.readouterr().out
