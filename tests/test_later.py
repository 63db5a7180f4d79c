"""Toxicities in later cycles: patients who are known, and have one when others have been treated."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from doselang.api import load, polynomials_of, simulate
from doselang.check.checking import check
from doselang.check.differences import compare_decisions
from doselang.cli import run
from doselang.conduct.pathways import pathways
from doselang.diagnostics import Trouble
from doselang.loading import load_source
from doselang.machine import interleaving, situations
from doselang.machine.columns import NO_LEVEL
from doselang.machine.compiling import compile_protocol
from doselang.machine.exploring import explore
from doselang.machine.notation import HistoryError, history_of, parse_history, write_history
from doselang.machine.replay import Replay, replay
from doselang.protocol.classes import worsenings
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.clock import Timing
from doselang.simulate.exact import exact
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.timed import TimedTrials, timed_trials
from doselang.simulate.timed_figures import figures
from doselang.source import Source
from tests.generate import rolling
from tests.oracles.later import Ended, ends
from tests.test_machine_against_oracle import decided
from tests.test_montecarlo import agrees
from tests.test_protocols import invoke

DESIGNS = Path(__file__).parent.parent / "protocols" / "designs"
ANY_COURSE = DESIGNS / "accelerated-titration-any-course.dose"

SINGLE = """
protocol "One patient a level, till a DLT of any cycle"
levels 1 to 3
start at level 1
toxicity DLT
toxicity late-DLT  in later cycles  written L
toxicity moderate  written M
toxicity late-moderate  in later cycles  written S

part escalation
cohorts of 1
look at every arrival

rule "up"
  when no pending and no DLT in the part and no late-DLT in the part and a higher level exists
  then escalate

rule "end"
  when no pending and (any DLT in the part or any late-DLT in the part or no higher level exists)
  then declare this level as MTD, stop
"""

TWO_PARTS = """
protocol "A patient, and then a cohort"
levels 1 to 2
start at level 1
toxicity DLT
toxicity late-DLT  in later cycles  written L

part escalation
cohorts of 1
look at every arrival

rule "one"
  when exactly 1 enrolled
  then stay

rule "both known"
  when exactly 2 enrolled and no pending
  then begin expansion at this level

part expansion
cohorts of 1

rule "late"
  when any late-DLT in escalation
  then declare this level as MTD, stop

rule "not late"
  when no late-DLT in escalation
  then declare no MTD, stop
"""


def protocol_of(text: str) -> Protocol:
    protocol = load_source(Source("a.dose", text.strip() + "\n"), None).protocol
    assert protocol is not None
    return protocol


def design(name: str = "accelerated-titration-any-course") -> Protocol:
    protocol = load(str(DESIGNS / f"{name}.dose")).protocol
    assert protocol is not None
    return protocol


# ---- every order of events, by an interpreter of its own ----


def found(protocol: Protocol) -> set[Ended]:
    """The ends of the machine, in any order of events."""
    explored = explore(compile_protocol(protocol), "any-order")
    reached = set()
    for bucket in explored.buckets:
        for state in np.flatnonzero(bucket.ended):
            frame = explored.frames.frames[bucket.frames[state]]
            part, kind, rules = decided(explored.machine, frame.part, explored.frames.branches[frame.end].decision)
            named = [
                (verdict.name, level if level >= 0 else None)
                for verdict, level in zip(protocol.verdicts, frame.verdicts, strict=True) if level != NO_LEVEL
            ]  # fmt: skip
            reached.add(Ended(part, kind, tuple(sorted(named)), rules, bucket.patients))
    return reached


@given(rolling())
def test_the_machine_reaches_the_ends_of_a_plain_interpreter(protocol: Protocol) -> None:
    assert found(protocol) == ends(protocol)


def _from_none_alone(toxicities):  # type: ignore[no-untyped-def]
    return tuple(pair for pair in worsenings(toxicities) if pair[0] == 0)


def _less_severe_too(toxicities):  # type: ignore[no-untyped-def]
    known = [outcome for outcome, one in enumerate(toxicities, 1) if not one.later]
    later = [outcome for outcome, one in enumerate(toxicities, 1) if one.later]
    return tuple(dict.fromkeys([*worsenings(toxicities), *((before, after) for after in later for before in known)]))


@pytest.mark.parametrize("mutant", [_from_none_alone, _less_severe_too])
def test_a_machine_with_other_toxicities_in_later_cycles_does_not_agree(
    mutant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(situations, "worsenings", mutant)
    looking = settings(
        max_examples=400, phases=(Phase.generate,), derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    assert find(rolling(), lambda protocol: found(protocol) != ends(protocol), settings=looking)
    monkeypatch.undo()
    with pytest.raises(NoSuchExample):
        find(rolling(), lambda one: found(one) != ends(one), settings=settings(looking, max_examples=20))


# ---- histories ----


def followed(protocol: Protocol, history: str) -> Replay:
    return replay(compile_protocol(protocol), parse_history(history, protocol))


@pytest.mark.parametrize("text", [SINGLE, TWO_PARTS])
def test_every_state_is_reached_by_the_history_that_is_shown_for_it(text: str) -> None:
    machine = compile_protocol(protocol_of(text))
    explored = explore(machine, "any-order", histories=True)
    compared = 0
    for state in range(1, explored.states):
        bucket, row = explored.state(state)
        history = history_of(explored, state)
        frame = explored.frames.frames[bucket.frames[row]]
        if not frame.orders and frame.end < 0 and frame.settling < 0:
            again = replay(machine, parse_history(write_history(history, machine.protocol), machine.protocol))
            looked = again.waiting.view if again.waiting is not None else again.steps[-1].view
            assert looked.codes[0].tolist() == bucket.codes[row].tolist()
            compared += 1
    assert compared > (50 if text == SINGLE else 8)


@pytest.mark.parametrize(
    ("history", "level"),
    [("1L", 0), ("1L 2N", 1), ("1N 2L", 1), ("1L 2L 3N", 2), ("1S 2L 3M", 2), ("1N 2S 3S", 2), ("1T", 0)],
)
def test_a_late_toxicity_comes_after_others_have_entered_if_the_rules_say_so(history: str, level: int) -> None:
    one = followed(protocol_of(SINGLE), history)
    assert one.ended and one.frame.verdicts == (level,)


def test_a_history_that_a_late_toxicity_would_have_ended_is_refused() -> None:
    with pytest.raises(HistoryError, match="the trial has ended"):
        followed(protocol_of(SINGLE), "1T 2N")
    with pytest.raises(HistoryError, match="In part `expansion` no `late-DLT` becomes known"):
        followed(protocol_of(TWO_PARTS), "1NN expansion/1L")


def test_a_patient_with_a_moderate_toxicity_can_have_a_late_dlt_and_no_late_moderate_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    protocol = protocol_of(SINGLE)
    two = compile_protocol(protocol).records.layout
    one = followed(protocol, "1M 2N")
    column = two.part_n(0) + 3  # moderate is the third class
    assert one.steps[0].view.records.column(column)[one.steps[0].view.codes[0, 0]] == 1
    assert worsenings(protocol.toxicities) == ((0, 2), (3, 2), (4, 2), (0, 4))
    monkeypatch.setattr(interleaving, "worsenings", lambda toxicities: ((0, 4),))
    with pytest.raises(HistoryError):
        followed(protocol, "1L 2N")


def test_toxicities_that_come_after_the_part_change_nothing() -> None:
    """`check` meets both rules of the expansion, the second where none came before; and no late one while it runs."""
    protocol = protocol_of(TWO_PARTS)
    assert not [fact for fact in check(protocol).facts if type(fact).__name__ in ("Cause", "RuleIdle")]
    assert followed(protocol, "1LN expansion/1N").frame.verdicts == (0,)
    assert followed(protocol, "1NN expansion/1N").frame.verdicts != (0,)


# ---- with a clock ----


def timed(protocol: Protocol, rates: tuple[tuple[float, ...], ...], timing: Timing, trials: int = 4000) -> TimedTrials:
    return timed_trials(protocol, Scenario("s", rates), timing, "as-they-come", trials, seed=1)


CALM = Timing(every=20.0, waits=0.0, window=28.0, later=140.0)
"""A patient every 20 days: at one a level those of day 20, 60 and 100 enter, and are known on day 48, 88 and 128."""


def levels(trials: TimedTrials) -> list[float]:
    return [float((trials.level == level).mean()) for level in range(3)]


def near(one: list[float], other: list[float], trials: int = 4000) -> bool:
    return all(abs(a - b) <= 4 * (b * (1 - b) / trials) ** 0.5 + 1e-12 for a, b in zip(one, other, strict=True))


def test_a_late_toxicity_comes_at_its_time() -> None:
    """It is certain at level 1, and comes on a day that is uniform from 48 to 188."""
    always, never = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    expected = [12 / 140, 40 / 140, 88 / 140]
    assert near(levels(timed(protocol_of(SINGLE), (never, always, never, never), CALM)), expected)
    # who has a moderate toxicity is known earlier, and can have it as well
    one = timed(protocol_of(SINGLE), (never, always, always, never), CALM)
    assert not near(levels(one), [0.0, 0.0, 1.0]) and levels(one)[0] > 0
    # one that is as severe as what there is does not count, and another one does not end the trial
    assert levels(timed(protocol_of(SINGLE), (never, never, always, always), CALM)) == [0.0, 0.0, 1.0]
    first = timed(protocol_of(SINGLE), (never, always, never, never), CALM)
    early = first.duration[first.level == 0]
    assert ((early >= 48) & (early <= 60)).all() and len(np.unique(early)) > 100


def test_the_rate_is_the_chance_of_those_who_have_none_as_severe() -> None:
    half, never = (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)
    instant = Timing(every=400.0, window=28.0, later=1.0)
    one = levels(timed(protocol_of(SINGLE), (half, half, never, never), instant))
    assert near(one, [0.75, 0.25 * 0.75, 0.25**2])
    # all late toxicities together are as certain as their rates say, and the most severe one counts
    both = levels(timed(protocol_of(SINGLE), (never, half, never, half), instant))
    assert near(both, [0.5, 0.25, 0.25])


def test_those_that_come_after_the_part_are_not_counted() -> None:
    """Both patients are known on one day, and the expansion begins on it: all late toxicities come too late."""
    always, never = (1.0, 1.0), (0.0, 0.0)
    together = Timing(every=0.0, waits=inf, window=28.0, later=140.0)
    assert (timed(protocol_of(TWO_PARTS), (never, always), together, 500).level == -1).all()
    slow = timed(protocol_of(TWO_PARTS), (never, always), Timing(every=27.0, window=28.0, later=1.0), 500)
    assert (slow.level == 0).all()


def test_without_late_toxicities_design_4_is_design_3() -> None:
    any_course, first_courses = design(), design("accelerated-titration-double-steps")
    dlt, moderate = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65), (0.1, 0.2, 0.3, 0.35, 0.35, 0.3)
    never = (0.0,) * 6
    one = timed_trials(any_course, Scenario("s", (dlt, never, moderate, never)), CALM, "one-at-a-time", 6000, seed=2)
    (right,) = exact(first_courses, [Scenario("s", (dlt, moderate))])
    assert agrees(figures(one), right)
    late = timed_trials(any_course, Scenario("s", (dlt, dlt, moderate, never)), CALM, "one-at-a-time", 6000, seed=2)
    assert not agrees(figures(late), right)


def test_the_same_patients_come_with_and_without_late_toxicities() -> None:
    """Their outcomes in the window are the same ones: what comes later is drawn apart."""
    never, half = (0.0,) * 3, (0.5,) * 3
    without, with_late = (
        timed(protocol_of(SINGLE), (half, late, never, never), CALM, 300) for late in (never, half)
    )  # fmt: skip
    ended = without.dlts[:, 0, 0] == 1
    assert (with_late.dlts[ended, 0, 0] == 1).all() and ended.any()


# ---- where there are no figures ----


def test_figures_without_a_clock_are_refused() -> None:
    protocol = protocol_of(SINGLE)
    scenario = Scenario("s", ((0.1,) * 3,) * 4)
    for asked in (
        lambda: simulate(protocol, [scenario]),
        lambda: exact(protocol, [scenario]),
        lambda: monte_carlo(protocol, [scenario], trials=10, seed=1),
        lambda: polynomials_of(protocol),
    ):
        with pytest.raises(Trouble) as refused:
            asked()
        assert refused.value.diagnostic.help == "Simulate with a clock: --method timed"
    with pytest.raises(Trouble, match="pathways know no such order"):
        pathways(protocol, compile_protocol(protocol), (), 2)


@pytest.mark.parametrize("command", [["simulate"], ["compare", "--figures", str(ANY_COURSE)]])
def test_the_command_line_names_the_clock(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, str(ANY_COURSE)]) == 2
    assert "Simulate with a clock: --method timed" in capsys.readouterr().err


def test_a_window_that_is_over_before_patients_are_known_is_refused() -> None:
    text = SINGLE.replace("toxicity late-DLT  in later cycles", "toxicity late-DLT  in later cycles  within 14 days")
    with pytest.raises(Trouble, match="over on day 14"):
        timed(protocol_of(text), ((0.1,) * 3,) * 4, Timing(window=28.0), 10)


def test_decisions_are_compared_where_the_same_toxicities_come_late() -> None:
    protocol = protocol_of(SINGLE)
    assert compare_decisions(protocol, protocol, (Scenario("s", ((0.1,) * 3,) * 4),)).equal
    other = protocol_of(SINGLE.replace("any late-DLT in the part or", ""))
    assert not compare_decisions(protocol, other).equal
    with pytest.raises(Trouble, match="Toxicities in later cycles"):
        compare_decisions(
            protocol, protocol_of(SINGLE.replace("toxicity late-moderate  in later cycles", "toxicity late-moderate"))
        )


def test_the_graph_and_the_machine_show_late_toxicities() -> None:
    assert "late-DLT" in invoke("show", str(ANY_COURSE), "--as", "graph")[1]
    assert "1L" in invoke("show", str(ANY_COURSE), "--as", "machine", "--set", "levels=2")[1]
