"""Levels off the ladder: no step leads to them, and what is asked of the levels on a side is asked of them too."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from doselang.check.checking import Checked, check
from doselang.loading import load_source
from doselang.machine import columns, gathering
from doselang.machine.barriers import Barriers
from doselang.machine.columns import Bools, View
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import TooManyStates
from doselang.machine.notation import parse_history, write_history
from doselang.machine.records import Ints, Records
from doselang.machine.relations import Relations
from doselang.machine.replay import replay
from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    Any,
    CohortComplete,
    Compare,
    Not,
    Place,
    Range,
    Standing,
    Tally,
)
from doselang.protocol.model import Begin, Close, Enrol, Level, Part, Protocol, Rule, Stop, Toxicity
from doselang.source import Source
from tests.generate import off_ladder, plain_rule, rates
from tests.oracles.plain import Accrual
from tests.test_generated import ACCRUALS, Case
from tests.test_machine_against_oracle import CLEAR, TOXIC, check_all, some_case_disagrees


@st.composite
def cases(draw: st.DrawFn) -> Case:
    protocol = draw(off_ladder())
    return Case(protocol, draw(rates(protocol)), {})


@given(cases(), st.sampled_from(ACCRUALS))
def test_the_machine_agrees_with_the_plain_interpreter(case: Case, accrual: Accrual) -> None:
    check_all(case, accrual)


# ---- a machine that means something else does not agree ----

standing_of, where_of = columns._standing, View._where


def of_steps_only(guard: Standing, view: View) -> Bools:
    """The levels on a side are those that steps lead to."""
    relations, above = view.setting.relations, view.setting.relations.above
    beside = above if guard.direction == "higher" else above.T
    there = {
        "closed": view.closed(),
        "tried": view.records.column(columns.FIRST_SIZE)[view.codes] > 0,
    }.get(guard.standing)
    if there is None:
        return standing_of(guard, view)
    return np.asarray(np.any(beside[view.here] & relations.ordinary & there, axis=1))


def among_steps_only(self: View, place: Place) -> Ints:
    """A search passes over levels off the ladder."""
    assert place.where is not None
    on = [n for n, level in enumerate(self.setting.relations.levels) if not level.off_ladder]
    here = tuple(Compare(THIS, "same", Place("level", level)) for level in on)
    among = here[0] if len(here) == 1 else Any(here)
    return where_of(self, evolve(place, where=All((place.where, among))))


def all_on_the_ladder(guard: Standing, view: View) -> Bools:
    """Levels off the ladder exist, remain and are untried like others."""
    relations = view.setting.relations
    ordinary, relations.ordinary = relations.ordinary, np.ones_like(relations.ordinary)
    try:
        return standing_of(guard, view)
    finally:
        relations.ordinary = ordinary


MUTANTS: dict[str, tuple[object, str, object]] = {
    "a status is asked of the levels that steps lead to": (columns, "_standing", of_steps_only),
    "a search passes over levels off the ladder": (View, "_where", among_steps_only),
    "levels off the ladder exist, remain and are untried": (columns, "_standing", all_on_the_ladder),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_machine_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[name])
    some_case_disagrees(cases())


# ---- what the machine reads, and what it forgets ----


def trial_of(levels: str, *parts: tuple[Rule, ...]) -> Case:
    """A trial of cohorts of one; levels in brackets are off the ladder."""
    named = tuple(Level(one.strip("()"), off_ladder=one.startswith("(")) for one in levels.split())
    protocol = Protocol(
        title="a trial", levels=named, start=0, toxicities=(Toxicity("DLT"),),
        parts=tuple(Part(name, 1, rules) for name, rules in zip(("one", "two"), parts, strict=False)),
    )  # fmt: skip
    return Case(protocol, ((Fraction(1, 3),) * len(named),), {})


def at(label: int) -> Compare:
    return Compare(THIS, "same", Place("level", label))


TOP = trial_of(
    "1 (1i)",
    (
        plain_rule("off", All((CLEAR, at(0))), Enrol(Place("level", 1))),
        plain_rule("begin", Any((TOXIC, at(1))), Begin(1, THIS)),
    ),
    (
        plain_rule("close", TOXIC, Close(THIS, all_above=True)),
        plain_rule("above", All((CohortComplete(), Standing("higher", "closed"))), Stop()),
        plain_rule("not above", All((CohortComplete(), Not(Standing("higher", "closed")))), Stop()),
    ),
)
"""Closing with all above closes something at level 1, and nothing at level 1i, and no step leads up from either."""


def test_what_closing_with_all_above_closes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    check_all(TOP, "whole-cohort")
    others = gathering._closes_others
    monkeypatch.setattr(gathering, "_closes_others", lambda protocol, moves: others(evolve(protocol, levels=()), moves))
    with pytest.raises(AssertionError):
        check_all(TOP, "whole-cohort")


ONE = Tally(Range(1, 1), -1)
PASSED = trial_of(
    "1 (1i) 2",
    (
        plain_rule("down", All((at(2), ONE)), Enrol(NEXT_LOWER)),
        plain_rule("close", All((at(0), ONE)), Close(Place("level", 1)), Enrol(THIS)),
        plain_rule("up again", All((at(0), Not(ONE))), Enrol(NEXT_HIGHER)),
        plain_rule("known", All((at(2), Not(ONE))), Stop()),
    ),
)
"""The step up again passes over level 1i, which is closed; what was seen at level 2 before is still to be known."""


def test_a_closed_level_off_the_ladder_bars_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    case = evolve(PASSED, protocol=evolve(PASSED.protocol, start=2))
    barriers = compile_protocol(case.protocol).parts[0].barriers
    assert barriers is not None and barriers.up
    check_all(case, "one-at-a-time")

    def barring(self: Barriers, records: Records, relations: Relations, codes: Ints, at: Ints) -> tuple[Bools, Bools]:
        every = Relations(tuple(evolve(level, off_ladder=False) for level in relations.levels))
        return barred(self, records, every, codes, at)

    barred = Barriers.barred
    monkeypatch.setattr(Barriers, "barred", barring)
    with pytest.raises((AssertionError, TooManyStates, OverflowError)):
        check_all(case, "one-at-a-time")


# ---- scripts ----

INTERMEDIATE = """protocol "an intermediate dose"
component drug in mg
level 1   drug 10
level 1i  off-ladder  drug 15
level 2   drug 20
start at level 1
toxicity DLT
part escalation
cohorts of 3
rule "to the intermediate dose"
  when the cohort is complete and this level is level 1
  then enrol 3 at level 1i
rule "up from it"
  when none of 3 patients has a DLT and this level is level 1i
  then enrol 3 at level 2
  when any of 3 patients has a DLT and this level is level 1i
  then close this level as too toxic, enrol 3 at level 2
rule "end"
  when the cohort is complete and this level is level 2 and any of 3 patients has a DLT
  then close this level as too toxic,
    declare the highest level where (this level is tried and this level is not closed as too toxic) as MTD, stop
  when the cohort is complete and this level is level 2 and none of 3 patients has a DLT
  then declare this level as MTD, stop
"""
"""A trial that goes on above an intermediate dose whatever that has shown."""


def checked(text: str) -> Checked:
    loaded = load_source(Source("x.dose", text), Path("."))
    assert loaded.protocol is not None, loaded.diagnostics
    return check(loaded.protocol)


@pytest.mark.parametrize(
    "claim",
    [
        "never this level is open and a lower level is closed as too toxic",
        "never this level is open and this level is above level 1i and level 1i is closed as too toxic",
    ],
)
def test_nobody_is_treated_above_a_level_off_the_ladder_that_is_too_toxic(claim: str) -> None:
    """The shortest history in which it happens: six patients, and the cohort at level 2 is open."""
    found = checked(INTERMEDIATE + f'claim "it"\n  {claim}\n')
    (one,) = found.claims
    assert one.outcome == "refuted" and one.history is not None
    assert write_history(one.history, found.protocol) == "1NNN 1i:NNT"


def test_the_same_claim_holds_where_all_above_close_too() -> None:
    """It is no truism: another decision breaks it."""
    text = INTERMEDIATE.replace("then close this level as too toxic, enrol 3 at level 2", "then close this level "
    "with all above as too toxic, declare level 1 as MTD, stop")  # fmt: skip
    (one,) = checked(text + 'claim "it"\n  never this level is open and a lower level is closed as too toxic\n').claims
    assert one.outcome == "proved"


@pytest.mark.parametrize(
    "claim",
    [
        "when this level is level 2 always a lower level is tried",
        "when this level is level 1i never a lower level is closed as too toxic",
        # what is asked of the levels that steps lead to alone
        "when this level is level 2 always a lower level remains",
        "when this level is level 2 always this level is the highest level and no higher level exists",
        "when this level is level 1i always the next lower level is level 1 and the next higher level is level 2",
        "when this level is level 1 always the next higher level is level 2",
    ],
)
def test_claims_that_hold(claim: str) -> None:
    assert [one.outcome for one in checked(INTERMEDIATE + f'claim "it"\n  {claim}\n').claims] != ["refuted"]


def test_a_level_off_the_ladder_that_nobody_was_treated_at_is_no_untried_level() -> None:
    text = INTERMEDIATE.replace("enrol 3 at level 1i", "escalate")
    found = checked(text + 'claim "it"\n  when this level is level 2 never a lower level is untried\n')
    assert [one.outcome for one in found.claims] == ["unbreakable"]  # no decision of these rules passes over level 1


@pytest.mark.parametrize(
    ("history", "mtd"), [("1NNN 1i:NNN 2TNN", 1), ("1NNN 1i:NTN 2TNN", 0), ("1NNN 1i:NTN 2NNN", 2)]
)
def test_a_dose_off_the_ladder_that_was_tolerated_can_be_the_mtd(history: str, mtd: int) -> None:
    machine = compile_protocol(checked(INTERMEDIATE).protocol)
    found = replay(machine, parse_history(history, machine.protocol), "whole-cohort")
    assert found.ended and found.last is not None and found.last.branch is not None
    (declared,) = found.last.branch.decision.answers.declares
    assert declared.offset == mtd - 2


# ---- advisers ----

MODEL = """protocol "a model and an intermediate dose"
levels 1 to 2
level 2i  off-ladder
levels 3 to 4
start at level 1
toxicity DLT
use METHOD
part escalation
cohorts of 3
rule "up" when the cohort is complete and this level is not level 4 and this level is not level 2i then escalate
rule "off" when the cohort is complete and this level is level 4 then enrol 3 at level 2i
rule "close" when any DLT in the cohort and this level is level 2i then close this level as too toxic
rule "end" when the cohort is complete and this level is level 2i
  then declare the level model recommends as MTD, stop
"""
METHODS = {
    "crm": "crm as model with target 25%, skeleton 5%, 10%, 20%, 30%",
    "blrm": "blrm as model with doses 10, 20, 30, 40, reference-dose 40, mean-log-alpha -3, mean-log-beta 0, "
    "sd-log-alpha 1, sd-log-beta 0.5",
    "isotonic": "isotonic as model with target 30%",
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_recommends_no_level_above_a_closed_one_off_the_ladder(name: str) -> None:
    """Without toxicity below it each method would go to the highest level; from level 2 on all is closed to it."""
    loaded = load_source(Source("x.dose", MODEL.replace("METHOD", METHODS[name])), Path("."))
    assert loaded.protocol is not None, loaded.diagnostics
    machine, labels = compile_protocol(loaded.protocol), [level.label for level in loaded.protocol.levels]
    for last, recommended in (("NNN", "4"), ("NNT", "2")):
        history = parse_history(f"1NNN 2NNN 3NNN 4NNN 2i:{last}", machine.protocol)
        branch = replay(machine, history, "whole-cohort").last.branch  # type: ignore[union-attr]
        (declared,) = branch.decision.answers.declares
        assert labels[labels.index("2i") + declared.offset] == recommended


def test_a_method_gives_no_chance_of_a_level_off_the_ladder() -> None:
    """Neither the condition nor its contrary is true, as with a level that does not exist."""
    text = MODEL.replace("METHOD", METHODS["crm"])
    for level, outcome in (("2i", "proved"), ("2", "refuted")):
        chance = f"the chance by model of a DLT above 33% at level {level} is at most 95%"
        (one,) = checked(text + f'claim "it"\n  never {chance} or not {chance}\n').claims
        assert (one.outcome == "refuted") == (outcome == "refuted")
