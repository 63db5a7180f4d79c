"""Sentinels under a clock: when the others enter, and which look a toxicity is; by hand, and patient by patient."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.api import load_source
from doselang.machine.states import Frames
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.asking import Decisions
from doselang.simulate.clock import Assumed, TimedAccrual, Timing, clock_of
from doselang.simulate.exact import exact
from doselang.simulate.lanes import Lanes
from doselang.simulate.register import INEVALUABLE
from doselang.simulate.sentinels import Sentinels
from doselang.simulate.timed import TimedTrials, timed_trials
from doselang.source import Source
from tests.test_exact import ACCRUALS, scenario
from tests.test_generated import Case, cases
from tests.test_montecarlo import agrees
from tests.test_timed import BUSY, instantly, protocol_of, run_lanes

SCRIPT = """protocol "Sentinels"
cycle is 14 days
levels 1 to 2
start at level 1
toxicity DLT within {dlt} written T
toxicity MT within 28 days written M
replace inevaluable patients
part escalation
cohorts of {size}
sentinel of each new level for {alone}
rule "the sentinel"
  when the sentinel has a DLT
  then stop
rule "two DLTs" {early}
  when at least 2 DLTs
  then close this level as too toxic, stop
rule "up"
  when the cohort is complete and no DLT and a higher level exists
  then escalate
rule "the highest"
  when the cohort is complete and no DLT and no higher level exists
  then declare this level as MTD, stop
"""
EVERY_FIVE = Timing(every=5.0, onset="at the end")
"""A patient comes on the days 5, 10, 15, …; a DLT is known at the end of its window, no toxicity on day 28."""
NEVER, ALWAYS = scenario((0, 0), (0, 0)), scenario((1, 1), (0, 0))


def protocol_with(alone: str = "14 days", dlt: str = "10 days", *, early: bool = False, size: int = 3) -> Protocol:
    text = SCRIPT.format(alone=alone, dlt=dlt, early="at any time" if early else "", size=size)
    protocol = load_source(Source("sentinels.dose", text), Path(".")).protocol
    assert protocol is not None
    return protocol


def without_time(protocol: Protocol) -> Protocol:
    return evolve(protocol, parts=tuple(evolve(part, alone=None) for part in protocol.parts))


def one_trial(
    protocol: Protocol, rates: Scenario = NEVER, timing: Timing = EVERY_FIVE, accrual: TimedAccrual = "as-they-come"
) -> TimedTrials:
    return timed_trials(protocol, rates, timing, accrual, 1)


def days(found: TimedTrials) -> float:
    return float(found.duration[0])


# ---- the calendar, by hand ----

CALENDARS: list[tuple[Protocol, TimedAccrual, Timing, float, int]] = [
    # 5 alone till 19; 20, 25: look on 53. 55 alone till 69; 70, 75: 103
    (protocol_with(), "as-they-come", EVERY_FIVE, 103, 9),
    # the same in weeks, in hours, and in cycles
    (protocol_with("2 weeks"), "as-they-come", EVERY_FIVE, 103, 9),
    (protocol_with("336 hours"), "as-they-come", EVERY_FIVE, 103, 9),
    (protocol_with("1 cycles"), "as-they-come", EVERY_FIVE, 103, 9),
    # who gives no time: 5 is known on 33; 35, 40: 68. 70 is known on 98; 100, 105: 133
    (without_time(protocol_with()), "as-they-come", EVERY_FIVE, 133, 15),
    # 10 and 15 wait and enter on 19: 47. 20 enters on 47, alone till 61; 25 and 30 enter then: 89
    (protocol_with(), "as-they-come", evolve(EVERY_FIVE, waits=inf), 89, 0),
    # longer alone than the window: 5 is known on 33, alone till 45; 45, 50: 78. 80 alone till 120; 120, 125: 153
    (protocol_with("40 days"), "as-they-come", EVERY_FIVE, 153, 19),
    # one at a time each is known before the next: 5, 35, 65: 93. 95, 125, 155: 183
    (protocol_with(), "one-at-a-time", EVERY_FIVE, 183, 25),
    # and 45 follows 5, who is alone till then: 73. 75: 103. 105 alone till 145; 145, 175: 203
    (protocol_with("40 days"), "one-at-a-time", EVERY_FIVE, 203, 29),
    # 20 waits for 25, and both enter on 25
    (protocol_with(), "whole-cohort", EVERY_FIVE, 103, 9),
    # a cohort of one: 5 till 33, 35 till 63
    (protocol_with(size=1), "as-they-come", EVERY_FIVE, 63, 5),
]


@pytest.mark.parametrize(("protocol", "accrual", "timing", "duration", "turned_away"), CALENDARS)
def test_the_others_enter_when_the_time_of_the_sentinel_is_over(
    protocol: Protocol, accrual: TimedAccrual, timing: Timing, duration: float, turned_away: int
) -> None:
    found = one_trial(protocol, NEVER, timing, accrual)
    assert found.duration.tolist() == found.to_mtd.tolist() == [duration]
    assert found.turned_away.tolist() == [turned_away] and found.level.tolist() == [1]
    assert found.enrolled.tolist() == [2 * protocol.parts[0].cohort]


@pytest.mark.parametrize(
    ("dlt", "duration"),
    [
        ("10 days", 15),
        ("14 days", 19),  # on the last day: what is known at a moment is taken up before anybody enters
    ],
)
def test_a_sentinel_with_a_dlt_before_its_time_is_a_look_of_its_own(dlt: str, duration: float) -> None:
    """The sentinel enters on 5; the rule about it stops the trial before anybody else enters."""
    for early in (False, True):
        found = one_trial(protocol_with(dlt=dlt, early=early), ALWAYS)
        assert days(found) == duration and found.enrolled.tolist() == [1] and found.dlts.sum() == 1


@pytest.mark.parametrize(("early", "duration"), [(True, 40), (False, 45)])
def test_a_sentinel_with_a_dlt_after_its_time_is_one_of_the_cohort(early: bool, duration: float) -> None:
    """On 5, 20 and 25 three enter, whose DLTs are known on 25, 40 and 45; the rule about a sentinel is not asked."""
    found = one_trial(protocol_with(dlt="20 days", early=early), ALWAYS)
    assert days(found) == duration and found.dlts.tolist() == [[[3, 0]]]
    assert found.exposed.tolist() == [2], "20 entered while 5 was pending, 25 while 20 was"
    waits = one_trial(without_time(protocol_with(dlt="20 days", early=early)), ALWAYS)
    assert days(waits) == 25 and waits.enrolled.tolist() == [1], "alone till it is known, it is a sentinel till then"


# ---- broken on purpose ----


def _waits_for_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sentinels, "enter", lambda *_: None)


def _is_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Decisions.looks

    def broken(self: Decisions, part: int, frames, counts):  # type: ignore[no-untyped-def]
        return looks(self, part, frames, counts) & (counts.sum(axis=1) == self.situations.frames.size[frames])

    monkeypatch.setattr(Decisions, "looks", broken)


def _forgets_the_last_day(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = Sentinels.enter

    def broken(self: Sentinels, lanes, frame, first, day):  # type: ignore[no-untyped-def]
        enter(self, lanes, frame, first, day - 1.0)

    monkeypatch.setattr(Sentinels, "enter", broken)


def _is_a_sentinel_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others enter in time, and the first DLT that is known is taken for that of a sentinel."""
    monkeypatch.setattr(Frames, "without_sentinel", lambda _, frames: frames)
    monkeypatch.setattr(
        Sentinels, "alone", lambda self, lanes, frame, _: (self.frames.sentinel[frame] != 0) & (self.until[lanes] < inf)
    )


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (_waits_for_the_outcome, lambda: test_the_others_enter_when_the_time_of_the_sentinel_is_over(*CALENDARS[0])),
        (_is_no_look, lambda: test_a_sentinel_with_a_dlt_before_its_time_is_a_look_of_its_own("10 days", 15)),
        (_forgets_the_last_day, lambda: test_a_sentinel_with_a_dlt_before_its_time_is_a_look_of_its_own("14 days", 19)),
        (_waits_for_the_outcome, lambda: test_a_sentinel_with_a_dlt_after_its_time_is_one_of_the_cohort(True, 40)),
        (_is_a_sentinel_for_ever, lambda: test_a_sentinel_with_a_dlt_after_its_time_is_one_of_the_cohort(True, 40)),
        (_is_a_sentinel_for_ever, lambda: test_a_sentinel_with_a_dlt_after_its_time_is_one_of_the_cohort(False, 45)),
    ],
)
def test_a_broken_clock_does_not_keep_the_calendar(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None]
) -> None:
    test()
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        test()


# ---- patient by patient ----


def with_sentinel(lanes: Lanes) -> list[list[int]]:
    """The lines of the register of each cohort that has a sentinel, in order of entering."""
    protocol, register = lanes.decisions.situations.machine.protocol, lanes.register
    cohorts: dict[tuple[int, int], list[int]] = {}
    for line in range(register.count):
        part = protocol.parts[register.part[line]]
        alone = part.sentinel == "cohort" or (part.sentinel == "new level" and register.opening[line] == 1)
        if alone and register.cohort[line] >= 0:
            cohorts.setdefault((int(register.lane[line]), int(register.cohort[line])), []).append(line)
    return list(cohorts.values())


def wrong_days(lanes: Lanes) -> tuple[int, int, int]:
    """How many patients entered after a sentinel on a wrong day; of how many; how many sentinels took the place of one.

    Read from the register alone, of trials in which patients are always waiting and sentinels are alone for 14 days.
    The next patient enters when a toxicity of the sentinel is known within that time, or when it is over; who leaves
    within it is followed by another sentinel. The others enter on the same day, or in the place of one who leaves.
    """
    register, wrong, several, followed = lanes.register, 0, 0, 0
    for sentinel, *others in with_sentinel(lanes):
        opened, places = -inf, set[float]()
        for line in others:
            entered, several = float(register.entered[line]), several + 1
            until, known = float(register.entered[sentinel]) + 14.0, float(register.known[sentinel])
            toxic, leaves = register.outcome[sentinel] > 0, register.outcome[sentinel] == INEVALUABLE
            if opened > -inf:
                wrong += entered != opened and entered not in places
            elif leaves and known <= until:
                wrong, followed, sentinel = wrong + (entered != known), followed + 1, line
                continue
            else:
                opened = known if toxic and known <= until else until
                wrong += entered != opened
                places |= {known} if leaves else set()
            if register.outcome[line] == INEVALUABLE:
                places.add(float(register.known[line]))
    return wrong, several, followed


ALL_WAIT = Timing(every=0.0, waits=inf, window=28.0, drop_out=0.4)


@pytest.mark.parametrize("path", ["pembrolizumab-gemcitabine.dose", "pri-724.dose"])
def test_every_patient_enters_on_the_first_day_that_the_sentinel_leaves_open(path: str) -> None:
    protocol = protocol_of(path)
    wrong, several, followed = wrong_days(run_lanes(protocol, protocol.scenarios[-1], ALL_WAIT, 200))
    assert wrong == 0 and several > 400 and followed > 20


@pytest.mark.parametrize("broken", [_waits_for_the_outcome, _forgets_the_last_day])
def test_a_broken_clock_lets_patients_enter_on_other_days(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    broken(monkeypatch)
    protocol = protocol_of("pembrolizumab-gemcitabine.dose")
    assert wrong_days(run_lanes(protocol, protocol.scenarios[-1], ALL_WAIT, 50))[0] > 0


# ---- without time: the exact figures, as before ----


def with_time(protocol: Protocol, alone: str) -> Protocol:
    return evolve(protocol, parts=tuple(evolve(one, alone=one.sentinel and alone) for one in protocol.parts))


SENTINELS = cases().filter(lambda case: any(part.sentinel for part in case.protocol.parts))


@given(SENTINELS, st.sampled_from(ACCRUALS))
@settings(max_examples=15, derandomize=True)
def test_random_protocols_agree(case: Case, accrual: TimedAccrual) -> None:
    protocol, one = with_time(case.protocol, "3 days"), scenario(*case.rates, chances=case.chances)
    assert accrual != "as-they-come"
    assert agrees(instantly(protocol, one, accrual, 2000), exact(protocol, [one], accrual)[0])


@given(SENTINELS, st.sampled_from(["as-they-come", "one-at-a-time"]), st.sampled_from([0.0, 0.2]))
@settings(max_examples=15, derandomize=True)
def test_random_protocols_come_to_an_end(case: Case, accrual: TimedAccrual, leaves: float) -> None:
    one, timing = scenario(*case.rates, chances=case.chances), evolve(BUSY, drop_out=leaves)
    found = timed_trials(with_time(case.protocol, "9 days"), one, timing, accrual, 200, seed=2)
    assert (found.enrolled == found.patients.sum(axis=(1, 2)) + found.inevaluable).all()
    assert (found.duration > 0).all() and (found.dlts <= found.patients).all()


def test_a_cohort_of_one_has_no_sentinel() -> None:
    alone = protocol_with("40 days", size=1)
    nobody = evolve(alone, parts=tuple(evolve(part, sentinel=None, alone=None) for part in alone.parts))
    rates = scenario((0.2, 0.3), (0.2, 0.2))
    one, other = (timed_trials(protocol, rates, BUSY, trials=300) for protocol in (alone, nobody))
    assert np.array_equal(one.duration, other.duration) and np.array_equal(one.enrolled, other.enrolled)


# ---- what is kept, and told ----


def test_the_time_of_a_sentinel_is_kept_and_told() -> None:
    assert [part.alone for part in protocol_of("pri-724.dose").parts] == [None, "2 weeks", "2 weeks"]
    assert protocol_with("1 cycles").parts[0].alone == "1 cycle"
    found = clock_of(protocol_with("1 cycles"), Timing(cycle=21.0, source="a.toml"))
    assert found.alone == (21.0,) and found.assumptions[0] == Assumed("cycle of treatment", "21 days", "a.toml")
    pembrolizumab = protocol_of("pembrolizumab-gemcitabine.dose")
    assert clock_of(pembrolizumab, Timing()).alone == (14.0, inf)
    first, second = pembrolizumab.parts
    two = evolve(pembrolizumab, parts=(first, evolve(second, sentinel="cohort")))
    told = {one.name: (one.value, one.source) for one in clock_of(two, Timing()).assumptions}
    assert told["after a sentinel of escalation, the others enter"][1] == "the script"
    assert told["after a sentinel of expansion, the others enter"] == (
        "when the sentinel's outcome is known", "assumed",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alone", "message"),
    [
        ("0 days", "A sentinel's time must be longer than 0 days."),
        ("900 weeks", "A sentinel's time of 900 weeks is longer than ten years."),
        ("2 cycles", "The sentinel's time is given in cycles, and the file does not say how long a cycle is."),
    ],
)
def test_a_time_that_cannot_be_is_a_finding(alone: str, message: str) -> None:
    text = SCRIPT.format(alone=alone, dlt="10 days", early="", size=3).replace("cycle is 14 days\n", "")
    (found,) = load_source(Source("sentinels.dose", text), Path(".")).diagnostics
    assert (found.code, found.message) == ("DL214", message)
