"""Sentinels, ladders, levels off the ladder, filling up, and what is forgotten of levels, in small protocols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from doselang.api import load, load_source
from doselang.check.checking import check
from doselang.check.facts import LevelSkipped, LevelUnreached, NotMonotone, RuleIdle
from doselang.conduct.examples import coverage, run_examples
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.protocol.model import Protocol
from doselang.simulate.exact import exact
from doselang.source import Source

ROOT = Path(__file__).parent.parent

SENTINEL = """protocol "Sentinels"
levels 1 to 3
start at level 1
toxicity DLT
part escalation
cohorts of 3
sentinel of each new level for 14 days
rule "the rest"
  when the sentinel has a DLT
  then enrol the rest
rule "up"
  when at most 1 of 3 patients has a DLT and a higher level exists
  then escalate
rule "top"
  when at most 1 of 3 patients has a DLT and no higher level exists
  then declare this level as MTD, stop
rule "too toxic"
  when at least 2 of 3 patients have a DLT
  then declare no MTD, stop
"""

FILLING = """protocol "Filling"
levels 1 to 4
ladder second
levels 11 to 13
start at level 1
toxicity DLT
part accelerated
cohorts of 1
rule "two up"
  when no DLT in the cohort and this level is below level 3
  then escalate 2 levels
rule "turn"
  when any DLT in the cohort or this level is level 3
  then begin standard with 2 more at this level
part standard
cohorts of 3
rule "up"
  when at most 1 of 3 patients has a DLT and a higher level remains
  then escalate
rule "top"
  when at most 1 of 3 patients has a DLT and no higher level remains
  then fill this level to 6
rule "two DLTs"  at any time
  when at least 2 DLTs
  then close this level as too toxic
rule "fill"
  when this level is closed as too toxic and fewer than 6 evaluable at the next lower level
  then fill the next lower level to 6
rule "full"
  when this level is closed as too toxic and exactly 6 evaluable at the next lower level
  then declare the next lower level as MTD, begin last at level 11
rule "nothing below"
  when this level is closed as too toxic and no lower level exists
  then declare no MTD, stop
rule "settled"
  when exactly 6 evaluable and at most 1 DLT
  then declare this level as MTD, begin last at level 11
part last
cohorts of 3
rule "up again"
  when no DLT and a higher level exists
  then escalate
rule "end"
  when any DLT or no higher level exists
  then stop
scenario "s"  DLT 5%, 10%, 20%, 40%, 10%, 20%, 30%
"""


def protocol_of(text: str) -> Protocol:
    loaded = load_source(Source("x.dose", text), ROOT)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def failed(protocol: Protocol) -> list[tuple[str, str]]:
    results = run_examples(protocol, compile_protocol(protocol))
    return [(result.name, result.actual) for result in results if not result.passed]


# ---- sentinels ----


def test_a_rule_that_lets_the_rest_enter_acts() -> None:
    facts = check(protocol_of(SENTINEL)).facts
    assert not [fact for fact in facts if isinstance(fact, RuleIdle)]


def test_an_example_may_end_with_the_sentinel() -> None:
    examples = """example "1T" then enrol the rest by "the rest"
example "1N" then wait
example "1TNN" then enrol 3 at level 2 by "up"
"""
    protocol = protocol_of(SENTINEL + examples)
    assert failed(protocol) == []
    assert "the rest" not in coverage(protocol, run_examples(protocol, compile_protocol(protocol))).unreached


def test_without_a_rule_a_sentinel_with_a_dlt_ends_undecided() -> None:
    text = SENTINEL.replace("the sentinel has a DLT", "the sentinel has a DLT and this level is level 3")
    assert failed(protocol_of(text + 'example "1T" then gap')) == []


# ---- filling, several levels, sizes of first cohorts ----


def test_examples_know_fillings_and_the_size_of_a_first_cohort() -> None:
    examples = """example "1N 3T" then begin standard with 2 more at level 3
example "1N 3T standard/3T" then close level 3 as too toxic, fill level 2 to 6
example "1N 3T standard/3T" then close level 3 as too toxic, enrol 6 at level 2
"""
    assert failed(protocol_of(FILLING + examples)) == []
    wrong = 'example "1N 3T" then begin standard at level 3'
    assert failed(protocol_of(FILLING + wrong)) == [("1N 3T", "begin standard with 2 at level 3")]


def test_a_step_of_two_levels_that_is_written_is_no_finding() -> None:
    facts = check(protocol_of(FILLING)).facts
    assert not [fact for fact in facts if isinstance(fact, LevelSkipped | NotMonotone)]


def test_a_level_off_the_ladder_is_not_skipped() -> None:
    text = SENTINEL.replace("levels 1 to 3", "level 1\nlevel 1b off-ladder\nlevel 2\nlevel 3")
    facts = check(protocol_of(text)).facts
    assert not [fact for fact in facts if isinstance(fact, LevelSkipped)]
    assert [fact.level for fact in facts if isinstance(fact, LevelUnreached)] == [1]


def test_a_level_that_a_course_names_is_reached() -> None:
    text = SENTINEL.replace("levels 1 to 3", "level alone off-ladder\nlevel 1\nlevel 2\nlevel 3")
    course = """patient course
event harm written S
state both
rule "on" when no event then continue
rule "alone" when harm then enter one at level alone
state one
rule "goes on" when no event then continue
rule "off" when harm then enter off
state off final
"""
    facts = check(protocol_of(text + course)).facts
    assert not [fact for fact in facts if isinstance(fact, LevelUnreached)]


# ---- what is forgotten ----


def forgetting_nothing(protocol: Protocol):  # type: ignore[no-untyped-def]
    machine = compile_protocol(protocol)
    for part in machine.parts:
        part.barriers, part.apart = None, np.zeros(0, np.bool_)
    return explore(machine)


def test_what_is_forgotten_of_levels_changes_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = protocol_of(FILLING)
    machine = compile_protocol(protocol)
    assert machine.parts[1].barriers is not None
    assert list(np.flatnonzero(machine.parts[2].apart)) == [0, 1, 2, 3]
    assert explore(machine).states < forgetting_nothing(protocol).states
    small = exact(protocol, protocol.scenarios)
    monkeypatch.setattr("doselang.machine.compiling.barriers_of", lambda *_: None)
    monkeypatch.setattr("doselang.machine.compiling.apart_from", lambda *_: np.zeros(0, np.bool_))
    large = exact(protocol, protocol.scenarios)
    assert small[0].mtd == pytest.approx(large[0].mtd, abs=1e-14)
    assert small[0].no_mtd == pytest.approx(large[0].no_mtd, abs=1e-14)
    assert small[0].parts.keys() == large[0].parts.keys()
    for name, part in small[0].parts.items():
        assert part.patients == pytest.approx(large[0].parts[name].patients)


WITHOUT_CLOCK = sorted(
    path for path in (ROOT / "protocols" / "designs").glob("*.dose") if path.stem != "accelerated-titration-any-course"
)
"""The designs that have figures without a clock."""


@pytest.mark.parametrize("path", WITHOUT_CLOCK, ids=lambda path: path.stem)
def test_the_designs_come_to_the_same_without_forgetting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = load(str(path)).protocol
    assert protocol is not None
    small = exact(protocol, protocol.scenarios[:1])
    monkeypatch.setattr("doselang.machine.compiling.barriers_of", lambda *_: None)
    monkeypatch.setattr("doselang.machine.compiling.apart_from", lambda *_: np.zeros(0, np.bool_))
    large = exact(protocol, protocol.scenarios[:1])
    assert small[0].mtd == pytest.approx(large[0].mtd, abs=1e-14)
    assert small[0].undecided == pytest.approx(large[0].undecided, abs=1e-14)
