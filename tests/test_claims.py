"""Claims and risks must hold whatever way patients enter."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from doselang.check.checking import Checked, check
from doselang.check.facts import ConditionConstant
from doselang.check.otherwise import broken_otherwise
from doselang.loading import load, load_source
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.machine.notation import write_history
from doselang.source import Source

PROTOCOL = """
protocol "one level"
levels 1 to 1
start at level 1
toxicity DLT written T
part escalation
cohorts of 3
rule "two toxicities"  at any time
  when at least 2 of the first 3 patients have a DLT
  then declare no MTD, stop "too toxic"
rule "tolerated"
  when at most 1 of 3 patients has a DLT
  then declare this level as MTD, stop "tolerated"
claim "three DLTs" {claim}
"""


def checked(claim: str, *, mutate: bool = True) -> Checked:
    loaded = load_source(Source("claim.dose", PROTOCOL.format(claim=claim)), Path("."))
    assert loaded.protocol is not None, loaded.diagnostics
    return check(loaded.protocol, mutate=mutate)


def test_a_claim_that_only_whole_cohorts_break_is_refuted() -> None:
    """One at a time two DLTs stop the trial; a cohort that has entered together can bring three."""
    found = checked("never at least 3 DLTs")
    (claim,) = found.claims
    assert (claim.outcome, claim.accrual) == ("refuted", "whole-cohort")
    assert claim.history is not None
    assert write_history(claim.history, found.protocol) == "1TTT"


@pytest.mark.parametrize(
    ("claim", "outcome", "history"),
    [
        ("never at least 2 DLTs", "refuted", "1TT"),
        ("eventually the trial is stopped and a verdict is declared", "proved", None),
        ("when the MTD is declared always at most 1 DLT", "proved", None),
        ("when this level is below level 1 always any DLT", "empty", None),
        ("always at least 0 DLTs", "unbreakable", None),
    ],
)
def test_the_outcomes_of_claims(claim: str, outcome: str, history: str | None) -> None:
    found = checked(claim)
    (one,) = found.claims
    assert one.outcome == outcome
    assert (one.history and write_history(one.history, found.protocol)) == history


COURSE = """
patient course
event relapse  written R
event harm  written H
state first-infusion
rule "again"
  when relapse and not harm
  then enter second-infusion
rule "ends"
  when harm
  then enter follow-up
rule "goes on"
  when no event
  then continue
state second-infusion
rule "ends after it"
  when relapse or harm
  then enter follow-up
rule "goes on after it"
  when no event
  then continue
state follow-up  final
claim "of the course" in patient course {claim}
"""


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        ("when second-infusion is entered never harm", "proved"),  # two changes of conditions, or one of where to go
        ("when follow-up is entered always relapse or harm", "proved"),
        ("when second-infusion is entered always harm or not harm", "unbreakable"),
        ("when second-infusion is entered never relapse", "refuted"),
    ],
)
def test_what_patients_may_not_enter_is_a_claim_that_rules_could_break(claim: str, outcome: str) -> None:
    text = PROTOCOL.format(claim="eventually the trial is stopped") + COURSE.format(claim=claim)
    protocol = load_source(Source("course.dose", text), Path(".")).protocol
    assert protocol is not None
    assert [one.outcome for one in check(protocol).claims][-1] == outcome


SHIPPED = sorted((Path(__file__).parent.parent / "protocols").rglob("*.dose"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_another_decision_breaks_every_shipped_claim_but_no_truism(path: Path) -> None:
    """A decision made of answers that the rules give elsewhere breaks all that the rules could break, and only that."""
    protocol = load(str(path)).protocol
    assert protocol is not None
    truism = load_source(Source("truism.dose", PROTOCOL.format(claim="always at least 0 DLTs")), Path(".")).protocol
    assert truism is not None
    protocol = evolve(protocol, claims=(*protocol.claims, *truism.claims))
    claims = {number for number, claim in enumerate(protocol.claims) if not claim.in_course}
    found = explore(compile_protocol(protocol, for_claims=True), "whole-cohort")
    states, situations = found.states, len(found.situations.rows)
    assert broken_otherwise(found, claims).keys() == claims - {len(protocol.claims) - 1}
    assert (found.states, len(found.situations.rows)) == (states, situations), "what only it meets is not reachable"


def test_a_claim_that_repeats_a_limit_is_broken_by_another_decision() -> None:
    text = PROTOCOL.format(claim="always at most 6 evaluable patients in the trial")
    text = text.replace("cohorts of 3", "cohorts of 3\naccrue at most 6 in the trial")
    text = text.replace("when at most 1 of 3 patients has a DLT", "when at most 1 DLT")
    text = text.replace('then declare this level as MTD, stop "tolerated"', "then enrol 3 at this level")
    protocol = load_source(Source("limit.dose", text), Path(".")).protocol
    assert protocol is not None
    found = explore(compile_protocol(protocol, for_claims=True))
    assert broken_otherwise(found, {0})


ANY_TIME = """protocol "Stopping early"
level 1
start at level 1
toxicity DLT
part escalation
cohorts of 6
rule "stop early"  at any time
  when at least FEW evaluable and the DLT rate is at least 50%
  then declare no MTD, stop "too toxic"
rule "complete"
  when exactly 6 evaluable and the DLT rate is at most 49%
  then declare this level as MTD, stop
"""


@pytest.mark.parametrize(("few", "constant"), [("4", False), ("1", True)])
def test_a_condition_that_holds_an_early_stop_back_is_not_constant(few: str, constant: bool) -> None:
    """With four, one patient with a DLT does not stop the trial; with one it does, and the condition says nothing."""
    loaded = load_source(Source("x.dose", ANY_TIME.replace("FEW", few)), Path("."))
    assert loaded.protocol is not None
    found = [fact for fact in check(loaded.protocol).facts if isinstance(fact, ConditionConstant)]
    assert [(fact.rule, fact.value) for fact in found] == ([(0, True)] if constant else [])


def test_where_changed_rules_are_too_many_to_try_a_claim_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_source(Source("x.dose", ANY_TIME.replace("FEW", "4") + NOTHING_BREAKS), Path("."))
    assert loaded.protocol is not None
    assert [claim.outcome for claim in check(loaded.protocol).claims] == ["unbreakable"]
    monkeypatch.setattr("doselang.check.claims.MUTANTS_STATES", 100)
    (claim,) = check(loaded.protocol).claims
    assert (claim.outcome, claim.mutant) == ("proved", None)


NOTHING_BREAKS = """claim "says nothing"
  always at least 0 DLTs
"""
