"""Trials with a clock: against exact figures where time does not matter, against calendars by hand where it does."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from decimal import Decimal, localcontext
from math import inf, sqrt
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from doselang.api import load
from doselang.diagnostics import Trouble, trouble
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.notation import Group, HistoryError, letters_of
from doselang.machine.records import FIRST_N, Arrival, Late, Left, Opening
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.replay import replay
from doselang.machine.situations import Situations
from doselang.machine.states import Frames
from doselang.protocol.model import Protocol, Scenario
from doselang.protocol.windows import MONTH
from doselang.simulate.asking import Decisions
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.clock import Clock, TimedAccrual, Timing, clock_of
from doselang.simulate.exact import exact, known_gates
from doselang.simulate.lanes import Lanes
from doselang.simulate.people import BLOCK, People, uniform
from doselang.simulate.timed import TimedTrials, timed_trials
from doselang.simulate.timed_figures import figures, spread_of, timed
from tests.samples import committee, endless, interval, literal, reference, two_classes
from tests.test_exact import ACCRUALS, MODERATE, TOLD, UNEVEN, near, scenario, total
from tests.test_generated import Case, cases
from tests.test_montecarlo import agrees

ROOT = Path(__file__).parent.parent
INSTANT = Timing(window=0.0)
AT_ONCE = Timing(every=0.0, waits=inf, onset="at the end")
"""Everybody comes on the first day and waits to enter; outcomes are known at the end of the window."""
TRIALS = 4096


def instantly(protocol: Protocol, one: Scenario, accrual: Accrual, trials: int = TRIALS) -> Characteristics:
    return figures(timed_trials(protocol, one, INSTANT, accrual, trials, seed=1))


def protocol_of(path: str) -> Protocol:
    loaded = load(str(ROOT / "protocols" / path))
    assert loaded.protocol is not None
    return loaded.protocol


# ---- without time: the exact figures ----


@given(
    st.sampled_from([reference(4), literal(3), interval(3, 18), two_classes()]), st.sampled_from(ACCRUALS),
    st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=20, derandomize=True)
def test_with_instant_outcomes_the_figures_are_the_exact_ones(protocol: Protocol, accrual: Accrual, seed: int) -> None:
    random = np.random.default_rng(seed)
    rates = random.uniform(0, 0.5, (len(protocol.toxicities), len(protocol.levels)))
    one = scenario(*rates.tolist())
    found = instantly(protocol, one, accrual)
    assert agrees(found, exact(protocol, [one], accrual)[0])
    assert near(total(found), 1) and near(sum(found.patients.distribution.values()), 1)


@given(cases(), st.sampled_from(ACCRUALS))
@settings(max_examples=25, derandomize=True)
def test_random_protocols_agree(case: Case, accrual: Accrual) -> None:
    one = scenario(*case.rates, chances=case.chances)
    assert agrees(instantly(case.protocol, one, accrual, 2000), exact(case.protocol, [one], accrual)[0])


SHIPPED = sorted(
    path.relative_to(ROOT / "protocols").as_posix()
    for path in (ROOT / "protocols").rglob("*.dose")
    if path.name not in ("viola-property.dose", "accelerated-titration-any-course.dose")
)


@pytest.mark.parametrize("path", SHIPPED)
def test_every_shipped_protocol_agrees(path: str) -> None:
    protocol = protocol_of(path)
    one = protocol.scenarios[0]
    found = instantly(protocol, one, "one-at-a-time", 3000)
    (right,) = exact(protocol, [one])
    assert agrees(found, right)
    if any(rule.at_any_time for part in protocol.parts for rule in part.rules):
        assert agrees(instantly(protocol, one, "whole-cohort", 3000), exact(protocol, [one], "whole-cohort")[0])


def test_patients_who_come_when_the_last_is_known_are_one_at_a_time() -> None:
    protocol, one = reference(3), scenario(MODERATE)
    found = [timed_trials(protocol, one, INSTANT, accrual, 500) for accrual in ("as-they-come", "one-at-a-time")]
    assert (found[0].duration == found[1].duration).all() and (found[0].dlts == found[1].dlts).all()


ROLLING = protocol_of("designs/rolling-six.dose")


def at_once(protocol: Protocol, one: Scenario) -> Characteristics:
    return figures(timed_trials(protocol, one, AT_ONCE, "as-they-come", TRIALS, seed=1))


@pytest.mark.parametrize("rates", [(0.05, 0.1, 0.2, 0.3, 0.45), (0.2, 0.3, 0.4, 0.5, 0.6)])
def test_a_rolling_part_with_everybody_there_is_as_fast_as_the_rules_allow(rates: tuple[float, ...]) -> None:
    assert agrees(at_once(ROLLING, scenario(rates)), exact(ROLLING, [scenario(rates)], "whole-cohort")[0])


# ---- broken on purpose: each of these properties fails ----


def _higher_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Lanes.__attrs_post_init__

    def broken(lanes: Lanes) -> None:
        begin(lanes)
        lanes.limits = lanes.limits + 0.05

    monkeypatch.setattr(Lanes, "__attrs_post_init__", broken)


def _waits_for_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    after = Decisions.after

    def broken(self: Decisions, part: int, places, frames, counts):  # type: ignore[no-untyped-def]
        found = after(self, part, places, frames, counts)
        return np.where(counts.sum(axis=1) < self.situations.frames.size[frames], -1, found)

    monkeypatch.setattr(Decisions, "after", broken)


def _forgets_the_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lanes, "_count_cohort", lambda *_: None)


@pytest.mark.parametrize(
    ("broken", "accrual"),
    [
        (_higher_rates, "one-at-a-time"), (_higher_rates, "whole-cohort"), (_forgets_the_cohort, "one-at-a-time"),
        (_waits_for_cohorts, "one-at-a-time"), (_forgets_the_cohort, "whole-cohort"),
    ],
)  # fmt: skip
def test_what_is_broken_does_not_agree(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None], accrual: Accrual
) -> None:
    protocol, one = protocol_of("ibrutinib-lenalidomide.dose"), scenario((0.1, 0.3, 0.45))
    (right,) = exact(protocol, [one], accrual)
    assert agrees(instantly(protocol, one, accrual), right)
    broken(monkeypatch)
    assert not agrees(instantly(protocol, one, accrual), right)


def test_one_accrual_is_not_the_other() -> None:
    protocol, one = protocol_of("ibrutinib-lenalidomide.dose"), scenario((0.1, 0.3, 0.45))
    assert not agrees(instantly(protocol, one, "one-at-a-time"), exact(protocol, [one], "whole-cohort")[0])
    assert not agrees(instantly(protocol, one, "whole-cohort"), exact(protocol, [one])[0])


def test_a_broken_rolling_part_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    one = scenario((0.05, 0.1, 0.2, 0.3, 0.45))
    (right,) = exact(ROLLING, [one], "whole-cohort")
    assert not agrees(instantly(ROLLING, one, "one-at-a-time"), right), "one at a time is not as fast as possible"
    _higher_rates(monkeypatch)
    assert not agrees(at_once(ROLLING, one), right)


@given(cases(), st.sampled_from(ACCRUALS))
@settings(max_examples=8, derandomize=True, phases=(Phase.generate,))
def _random_protocols_agree(case: Case, accrual: Accrual) -> None:
    one = scenario(*case.rates, chances=case.chances)
    assert agrees(instantly(case.protocol, one, accrual, 2000), exact(case.protocol, [one], accrual)[0])


def test_broken_trials_of_random_protocols_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    _random_protocols_agree()
    _forgets_the_cohort(monkeypatch)
    with pytest.raises(AssertionError):
        _random_protocols_agree()


def test_choices_of_people_are_drawn() -> None:
    one = scenario(UNEVEN[:3], chances=TOLD)
    (right,) = exact(committee(), [one])
    assert agrees(instantly(committee(), one, "one-at-a-time"), right)
    (name, chances), *_ = TOLD.items()
    other = scenario(UNEVEN[:3], chances={**TOLD, name: tuple(reversed(chances))})
    assert not agrees(instantly(committee(), other, "one-at-a-time"), right)


# ---- the calendar, by hand ----

EVERY_TEN = Timing(every=10.0, window=28.0, onset="at the end")
NEVER, ALWAYS = scenario((0, 0, 0)), scenario((1, 1, 1))


def one_trial(timing: Timing, accrual: str = "as-they-come", rates: Scenario = NEVER) -> TimedTrials:
    return timed_trials(reference(3), rates, timing, accrual, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timing", "accrual", "to_mtd", "duration", "turned_away"),
    [
        # 10, 20, 30: look on 58. 60, 70, 80: 108. 110, 120, 130: 158. 160, 170, 180: 208. 210 to 300: 328.
        (EVERY_TEN, "as-they-come", 208, 328, 8),
        # the next cohort opens 5 days later: 70, 80, 90: 118. 130 to 150: 178. 190 to 210: 238. 250 to 340: 368.
        (evolve(EVERY_TEN, delay=5.0), "as-they-come", 238, 368, 12),
        # 40 and 50 enter on 58, 60 on 60: 88. 70, 80 on 88, 90: 118. 100, 110 on 118, 120: 148. 130 to 220: 248.
        (evolve(EVERY_TEN, waits=inf), "as-they-come", 148, 248, 0),
        # 50 waits 10 days and enters on 58, 60, 70: 98. 90 enters on 98, 100, 110: 138. 130 on 138, 140, 150: 178.
        # 170 on 178, 180 to 260: 288
        (evolve(EVERY_TEN, waits=10.0), "as-they-come", 178, 288, 4),
        # 10, 30, 50: 78. 80, 100, 120: 148. 150, 170, 190: 218. 220, 240, 260: 288. 290, …, 470: 498
        (evolve(EVERY_TEN, stagger=14.0), "as-they-come", 288, 498, 25),
        # 10, 40, 70, …: the last of 22 on 640
        (EVERY_TEN, "one-at-a-time", 368, 668, 42),
        # 10, 20 and 30 enter on 30: 58, and so on
        (EVERY_TEN, "whole-cohort", 208, 328, 8),
    ],
)
def test_the_calendar_of_a_trial_without_toxicity(
    timing: Timing, accrual: str, to_mtd: float, duration: float, turned_away: int
) -> None:
    found = one_trial(timing, accrual)
    assert found.to_mtd.tolist() == [to_mtd] and found.duration.tolist() == [duration]
    assert found.turned_away.tolist() == [turned_away] and found.enrolled.tolist() == [22]
    assert found.level.tolist() == [2] and found.patients.tolist() == [[[3, 3, 6], [0, 0, 10]]]


def test_patients_at_random_make_the_trial_as_long_as_a_sum_of_waits() -> None:
    """Without toxicity 22 patients enter in five cohorts, each of which is followed by a window."""
    rate = 3.0 / MONTH
    found = timed_trials(reference(3), NEVER, Timing(months=(3.0,), window=28.0, delay=7.0), trials=TRIALS)
    duration, away = spread_of(found.duration), spread_of(found.turned_away)
    assert duration is not None and away is not None
    assert abs(duration.mean - (22 / rate + 5 * 28 + 4 * 7)) < 4 * duration.standard_error
    assert abs(duration.sd - sqrt(22) / rate) < 4 * duration.sd / sqrt(2 * TRIALS)
    assert abs(away.mean - rate * 4 * (28 + 7)) < 4 * away.standard_error


def test_a_second_dlt_closes_the_level_at_once_and_who_is_pending_counts() -> None:
    """Patients enter on 10, 20 and 30; the DLTs of the first two are known on 38 and 48."""
    found = one_trial(EVERY_TEN, rates=ALWAYS)
    assert found.duration.tolist() == [48] and found.level.tolist() == [-1] and np.isnan(found.to_mtd).all()
    assert found.dlts.tolist() == [[[3, 0, 0], [0, 0, 0]]], "the third has a DLT after the end"
    assert found.exposed.tolist() == [2], "the second and third entered while the first was pending"
    assert one_trial(EVERY_TEN, "one-at-a-time", ALWAYS).exposed.tolist() == [0]
    assert one_trial(EVERY_TEN, "one-at-a-time", ALWAYS).patients.sum() == 2
    together = one_trial(EVERY_TEN, "whole-cohort", ALWAYS)
    assert together.duration.tolist() == [58] and together.exposed.tolist() == [2]


def test_dlts_that_change_nothing_expose_nobody() -> None:
    assert one_trial(EVERY_TEN).exposed.tolist() == [0]
    found = timed_trials(reference(3), scenario((0.1, 0.2, 0.3)), EVERY_TEN, trials=2000)
    lower = (found.dlts[:, 0] >= 2).any(axis=1)
    assert (found.exposed[~lower] == 0).all() and (found.exposed[lower] > 0).any()


def test_a_patient_of_an_earlier_cohort_counts_with_that_cohort() -> None:
    records = compile_protocol(reference(3)).records
    code = np.zeros(1, np.int32)
    for change in (Opening(3), Evaluable(0, (1, 1)), Opening(3), Late(0, 1, True), Late(0, 0, False)):
        code = records.apply(records.change(change), code)
    record = records.table[code[0]]
    layout = records.layout
    assert record[FIRST_N : FIRST_N + 2].tolist() == [3, 2]
    assert record[layout.added_n] == 0 and record[layout.part_n(0)] == 4


def test_a_patient_who_leaves_a_rolling_part_is_as_if_never_there() -> None:
    records = compile_protocol(ROLLING).records
    code = np.zeros(1, np.int32)
    before = records.apply(records.change(Arrival(1)), code)
    after = records.apply(records.change(Left()), records.apply(records.change(Arrival(1)), before))
    assert after == before


# ---- trial by trial: the decisions are those that a replay of the history comes to ----


def run_lanes(protocol: Protocol, one: Scenario, timing: Timing, trials: int) -> Lanes:
    machine, clock = compile_protocol(protocol), clock_of(protocol, timing)
    situations = Situations(machine, Frames(machine), "any-order", known_gates(machine, one))
    lanes = Lanes(Decisions(situations, one), clock, People(clock, 1, 0), "as-they-come", trials)
    lanes.run()
    return lanes


def history_of(lanes: Lanes, lane: int) -> tuple[Group, ...]:
    """All patients of a trial, in groups, each in order of becoming known."""
    register, letters = lanes.register, letters_of(lanes.decisions.situations.machine.protocol)
    groups: dict[tuple[int, int, int], list[tuple[float, str]]] = {}
    for line in np.flatnonzero(register.lane == lane).tolist():
        key = int(register.part[line]), int(register.level[line]), int(register.cohort[line])
        outcome = int(register.outcome[line])
        letter = letters[outcome] if outcome >= 0 else "x"
        groups.setdefault(key, []).append((float(register.known[line]), letter))
    return tuple(
        Group(part, level, "".join(letter for _, letter in sorted(known))) for (part, level, _), known in groups.items()
    )


def disagreements(protocol: Protocol, one: Scenario, timing: Timing, trials: int = 300) -> int:
    """In how many trials a replay of what happened comes to other verdicts, or to no end."""
    lanes, wrong = run_lanes(protocol, one, timing, trials), 0
    frames = lanes.decisions.situations.frames.frames
    for lane in range(trials):
        found = replay(lanes.decisions.situations.machine, history_of(lanes, lane))
        wrong += found.frame.verdicts != frames[lanes.end[lane]].verdicts or found.frame.end < 0
    return wrong


BUSY = Timing(months=(6.0,), window=28.0, stagger=1.0, delay=2.0)


@pytest.mark.parametrize(
    "path",
    [
        "ibrutinib-lenalidomide.dose", "pembrolizumab-gemcitabine.dose", "designs/three-plus-three.dose",
        "designs/boin.dose", "designs/accelerated-titration.dose", "designs/rolling-six.dose",
    ],
)  # fmt: skip
def test_every_trial_is_what_its_history_leads_to(path: str) -> None:
    protocol = protocol_of(path)
    one = protocol.scenarios[-1]
    leaves = 0.1 if not any(part.rolling for part in protocol.parts) else 0.0
    assert disagreements(protocol, one, evolve(BUSY, drop_out=leaves)) == 0


def test_a_trial_that_takes_two_dlts_for_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Decisions._node

    def broken(self: Decisions, part: int, size: int, sentinel: bool, counts):  # type: ignore[no-untyped-def]
        toxic = np.minimum(counts[:, 1], 1)
        return node(self, part, size, sentinel, np.column_stack([counts.sum(axis=1) - toxic, toxic]))

    monkeypatch.setattr(Decisions, "_node", broken)
    protocol = protocol_of("ibrutinib-lenalidomide.dose")
    try:
        wrong = disagreements(protocol, protocol.scenarios[-1], BUSY)
    except HistoryError:
        wrong = 1
    assert wrong


@given(cases(), st.sampled_from(["as-they-come", "one-at-a-time"]), st.sampled_from([0.0, 0.2]))
@settings(max_examples=25, derandomize=True)
def test_random_protocols_under_a_clock_come_to_an_end(case: Case, accrual: TimedAccrual, leaves: float) -> None:
    one, timing = scenario(*case.rates, chances=case.chances), evolve(BUSY, drop_out=leaves)
    found = timed_trials(case.protocol, one, timing, accrual, 200, seed=2)
    assert near(total(figures(found)), 1)
    assert (found.enrolled == found.patients.sum(axis=(1, 2)) + found.inevaluable).all()
    assert (found.dlts <= found.patients).all() and (found.duration > 0).all() and (found.turned_away >= 0).all()
    assert (found.to_mtd[~np.isnan(found.to_mtd)] <= found.duration[~np.isnan(found.to_mtd)]).all()


# ---- patients who leave early ----


@pytest.mark.parametrize("path", ["ibrutinib-lenalidomide.dose", "designs/rolling-six.dose"])
def test_patients_who_leave_are_replaced(path: str) -> None:
    """One at a time: the rate among the evaluable is that of a race between the DLT and leaving, both uniform."""
    protocol, leave = protocol_of(path), 0.3
    rates = np.linspace(0.1, 0.4, len(protocol.levels))
    timing = Timing(window=28.0, drop_out=leave)
    found = timed_trials(protocol, scenario(rates.tolist()), timing, "one-at-a-time", TRIALS)
    toxic, clear = rates * (1 - leave / 2), (1 - rates) * (1 - leave)
    one = scenario((toxic / (toxic + clear)).tolist())
    assert agrees(figures(found), exact(protocol, [one])[0])
    assert (found.enrolled == found.patients.sum(axis=(1, 2)) + found.inevaluable).all() and found.inevaluable.any()


def test_if_all_leave_no_trial_ends() -> None:
    found = figures(timed_trials(protocol_of("ibrutinib-lenalidomide.dose"), NEVER, Timing(drop_out=1.0), trials=5))
    assert found.undecided == 1.0 and found.patients.distribution == {0: 1.0}
    assert found.timing is not None and found.timing.spreads["time_to_mtd_days"] is None


def test_without_a_rule_of_replacement_the_trial_is_undecided() -> None:
    one = figures(timed_trials(reference(3), scenario(MODERATE), Timing(drop_out=0.2), trials=1000))
    (cause, *_) = one.undecided_causes
    assert cause.cause.startswith("a patient was inevaluable") and cause.history and "x" in cause.history
    assert near(total(one), 1)


# ---- courses ----


def with_hazards(rates: tuple[float, ...]) -> Scenario:
    protocol = protocol_of("ibrutinib-lenalidomide.dose")
    return evolve(protocol.scenarios[-1], rates=(rates,))


@pytest.mark.parametrize("rates", [(0.0, 0.0, 0.0), (0.1, 0.2, 0.3)])
def test_courses_are_those_of_the_exact_chain_where_closing_is_early_or_never(rates: tuple[float, ...]) -> None:
    protocol, one = protocol_of("ibrutinib-lenalidomide.dose"), with_hazards(rates)
    found = figures(timed_trials(protocol, one, Timing(window=0.0, months=(500.0,)), "one-at-a-time", TRIALS))
    (right,) = exact(protocol, [one])
    assert found.timing is not None and found.courses is not None and right.courses is not None
    cycles, re_treated = found.timing.spreads["cycles_per_patient"], found.timing.re_treated
    assert cycles is not None and re_treated is not None and right.courses.cycles_mean is not None
    assert abs(cycles.mean - right.courses.cycles_mean) < 4 * cycles.standard_error
    assert abs(re_treated.value - right.courses.re_treated) < 4 * re_treated.standard_error
    for reason, share in right.courses.reasons_off.items():
        if share > 0.001:
            assert abs(found.timing.off[reason].value - share) < 4 * found.timing.off[reason].standard_error


def test_a_level_is_closed_to_re_treatment_from_the_day_on_which_it_closes() -> None:
    """Level 1 is closed on day 48, when the second DLT is known; no patient of it can go lower either way."""
    protocol = protocol_of("ibrutinib-lenalidomide.dose")
    sure = Scenario(
        "sure", ((0.0, 1.0, 1.0),), hazards=((0.0,) * 3, (1.0,) * 3, (0.0,) * 3), chances={"re-treat": (1.0, 0.0)}
    )
    found = timed_trials(protocol, sure, evolve(EVERY_TEN, window=None, cycle=28.0), trials=1)
    # level 1 has three patients, level 2 three who have DLTs: it closes, level 1 reopens, is the MTD, and expands
    assert found.level.tolist() == [0] and found.courses is not None
    at_two = int(found.patients[0, :, 1].sum())
    assert found.courses.re_treated.tolist() == [at_two], "from level 2 all go to level 1, which is never closed"
    assert found.courses.cycles.tolist() == [int(found.enrolled[0]) + at_two]


def test_follow_up_ends_with_the_trial_or_later() -> None:
    protocol, one = protocol_of("ibrutinib-lenalidomide.dose"), with_hazards((0.0, 0.0, 0.0))
    base, longer, lost = (
        timed_trials(protocol, one, evolve(EVERY_TEN, follow_up=days, loss=loss), trials=200)
        for days, loss in ((0.0, 0.0), (100.0, 0.0), (100.0, 0.01))
    )
    entered = sum([*range(10, 31, 10), *range(60, 81, 10), *range(110, 131, 10), *range(160, 181, 10),
                   *range(210, 301, 10)])  # fmt: skip
    assert base.courses is not None and longer.courses is not None and lost.courses is not None
    assert (base.courses.follow_up == 22 * 328 - entered).all()
    assert (longer.courses.follow_up == 22 * 428 - entered).all()
    assert (lost.courses.follow_up < longer.courses.follow_up).all()


# ---- the same patients ----


def test_a_trial_is_the_same_however_many_there_are_and_in_however_many_processes() -> None:
    protocol, one = protocol_of("ibrutinib-lenalidomide.dose"), with_hazards((0.1, 0.2, 0.3))
    few, many, split = (
        timed_trials(protocol, one, trials=trials, seed=5, jobs=jobs)
        for trials, jobs in ((50, 1), (BLOCK + 100, 1), (BLOCK + 100, 2))
    )
    for name in ("duration", "to_mtd", "dlts", "enrolled", "turned_away", "exposed", "level"):
        one_, other, third = (getattr(found, name) for found in (few, many, split))
        assert np.array_equal(one_, other[:50], equal_nan=name == "to_mtd")
        assert np.array_equal(other, third, equal_nan=name == "to_mtd")
    assert figures(many) == figures(split)
    assert not np.array_equal(few.duration, timed_trials(protocol, one, trials=50, seed=6).duration)


def test_two_designs_have_the_same_patients() -> None:
    """Designs that decide alike give the same trials; a higher rate never takes a DLT away."""
    protocol, timing = reference(3), Timing(window=0.0)
    low = timed_trials(protocol, scenario((0.0, 0.0, 0.2)), timing, trials=500)
    high = timed_trials(protocol, scenario((0.0, 0.0, 0.3)), timing, trials=500)
    first = low.patients[:, 0, 2] == high.patients[:, 0, 2]
    assert (high.dlts[first, 0, 2] >= low.dlts[first, 0, 2]).all()
    other = timed_trials(reference(3, expansion=False), scenario((0.0, 0.0, 0.2)), timing, trials=500)
    assert np.array_equal(low.to_mtd, other.to_mtd, equal_nan=True)


def test_the_uniform_numbers_of_a_patient_are_uniform_and_unlike() -> None:
    keys = np.arange(20_000, dtype=np.uint64)
    first, second = uniform(keys, 1), uniform(keys, 2)
    for drawn in (first, second):
        counts = np.bincount((drawn * 20).astype(int), minlength=20)
        assert (abs(counts - 1000) < 4 * sqrt(1000)).all() and drawn.min() >= 0 and drawn.max() < 1
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / sqrt(20_000)


# ---- times ----


def clock(timing: Timing) -> Clock:
    return clock_of(reference(3), timing)


def test_patients_come_as_a_poisson_process() -> None:
    people = People(clock(Timing(months=(2.0,))), 1, 0)
    people.need(40)
    first_year = (people.comes < 12 * MONTH).sum(axis=1)
    assert abs(first_year.mean() - 24) < 4 * sqrt(24 / BLOCK)
    assert abs(first_year.var() / 24 - 1) < 4 * sqrt(2 / BLOCK)
    slow = People(clock(Timing(months=(0.0, 3.0, 6.0))), 1, 0)
    slow.need(40)
    for month, rate in enumerate((0, 3, 6, 6)):
        counts = ((slow.comes >= month * MONTH) & (slow.comes < (month + 1) * MONTH)).sum(axis=1)
        assert abs(counts.mean() - rate) <= 4 * sqrt(rate / BLOCK)


@pytest.mark.parametrize(
    ("timing", "day", "share"),
    [
        (Timing(onset="uniform"), 7.0, 0.25),
        (Timing(onset="weibull", shape=2.0, scale=20.0), 14.0, (1 - np.exp(-0.49)) / (1 - np.exp(-1.96))),
        (Timing(onset="table", table=((7.0, 0.2), (28.0, 1.0))), 14.0, 0.2 + 0.8 / 3),
        (Timing(onset="at the end"), 28.0, 1.0),
    ],
)
def test_dlts_come_as_the_distribution_says(timing: Timing, day: float, share: float) -> None:
    """The share of the DLTs till some day, against its formula."""
    drawn = clock(evolve(timing, window=28.0)).onset_day((np.arange(10_000) + 0.5) / 10_000, 0)
    assert (drawn <= 28).all() and (np.diff(drawn) >= 0).all() and drawn[0] >= 0
    assert (drawn <= day).mean() == pytest.approx(share, abs=2e-4)


@pytest.mark.parametrize("shape", [0.01, 1.0, 7.0, 100.0])
@pytest.mark.parametrize("scale", [1e-9, 0.1, 27.9, 36525.0])
def test_any_weibull_distribution_comes_within_the_window(shape: float, scale: float) -> None:
    """Against the formula, worked out with 60 digits."""
    shares = [0.0, 1e-9, 0.3, 0.5, 0.999, 1 - 2**-53]
    days = clock(Timing(onset="weibull", shape=shape, scale=scale, window=28.0)).onset_day(np.array(shares), 0)
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -999_999, 999_999
        k, s = Decimal(shape), Decimal(scale)
        until = (-((28 / s) ** k)).exp() if k * (28 / s).ln() < 13 else Decimal(0)
        for share, day in zip(shares, days, strict=True):
            left = 1 - Decimal(share) * (1 - until)
            right = min(Decimal(28), s * (-left.ln()) ** (1 / k)) if share else Decimal(0)
            if k * (28 / s).ln() < -100:  # 60 digits do not tell the share from 0: the first term of the series
                right = 28 * Decimal(share) ** (1 / k)
            assert day == pytest.approx(float(right), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("shape", [0.01, 100.0])
def test_a_window_of_no_days_has_its_dlts_at_once(shape: float) -> None:
    drawn = clock(Timing(onset="weibull", shape=shape, scale=3.0, window=0.0)).onset_day(np.array([0.0, 0.5, 0.99]), 0)
    assert drawn.tolist() == [0.0, 0.0, 0.0]


def test_what_is_assumed_of_sentinels_is_told() -> None:
    protocol = protocol_of("pembrolizumab-gemcitabine.dose")
    told = {one.name: one for one in clock_of(protocol, Timing()).assumptions}["after a sentinel, the others enter"]
    assert (told.value, told.source) == ("14 days after it enters, if no toxicity is known", "the script")
    untold = evolve(protocol, parts=tuple(evolve(part, alone=None) for part in protocol.parts))
    told = {one.name: one for one in clock_of(untold, Timing()).assumptions}["after a sentinel, the others enter"]
    assert (told.value, told.source) == ("when the sentinel's outcome is known", "assumed")
    assert not any("sentinel" in one.name for one in clock(Timing()).assumptions)


@pytest.mark.parametrize("timing", [Timing(every=0.0), Timing(months=(1.0, 0.0)), Timing(months=(900.0,))])
def test_a_clock_that_cannot_be_says_where_to_write_what(timing: Timing) -> None:
    with pytest.raises(Trouble) as caught:
        clock(timing)
    help = caught.value.diagnostic.help or ""
    assert "[arrivals]" in help and "timing file" in help and ("when-full = " in help or "months = " in help)


def test_windows_are_read_from_the_script() -> None:
    protocol = protocol_of("ibrutinib-lenalidomide.dose")
    (toxicity,) = protocol.toxicities

    def window(words: str | None) -> tuple[float, float]:
        found = clock_of(evolve(protocol, toxicities=(evolve(toxicity, window=words),)), Timing())
        return found.begins[0], found.ends[0]

    assert window("within cycle 1") == (0, 28) and window("within cycle 2 to 3") == (28, 84)
    assert window("within 21 days") == (0, 21) and window("within 2 weeks") == (0, 14)
    assert window("within 36 hours") == (0, 1.5)
    assert window("within 2 cycles") == (0, 56) and window(None) == (0, 28)
    assert clock_of(protocol, Timing(cycle=21.0)).window == 21


# ---- figures ----


def test_quantiles_and_their_errors() -> None:
    found = spread_of(np.arange(1, 10_001))
    assert found is not None and found.mean == 5000.5
    assert [quantile.value for quantile in found.quantiles] == [500, 2500, 5000, 7500, 9500]
    for quantile in found.quantiles:
        assert quantile.standard_error == pytest.approx(sqrt(quantile.share * (1 - quantile.share) * 10_000), abs=1)
    assert spread_of(np.zeros(0)) is None


def test_the_figures_are_as_far_off_as_they_say() -> None:
    """Over many simulations the mean and the median lie about the overall ones as their errors say."""
    protocol, one = reference(3), scenario(MODERATE)
    every = timed_trials(protocol, one, trials=30_000, seed=2).duration
    pieces = [spread_of(piece) for piece in np.split(every, 150)]
    off = np.array([(p.mean - every.mean()) / p.standard_error for p in pieces if p is not None])
    medians = np.array(
        [(p.quantiles[2].value - np.median(every)) / p.quantiles[2].standard_error for p in pieces if p is not None]
    )
    for distances in (off, medians):
        assert abs(distances.mean()) < 4 / sqrt(150) * 1.5 and 0.7 < distances.std() < 1.35


def test_the_rolling_six_is_faster_than_the_three_plus_three() -> None:
    """Skolnik et al. (2008): 294 against 350 days with a patient every ten days; the rates here are ours."""
    timing, one = Timing(months=(MONTH / 10,), window=28.0), scenario((0.05, 0.1, 0.2, 0.3, 0.45))
    six, three = (
        timed_trials(protocol_of(f"designs/{name}.dose"), one, timing, trials=2000)
        for name in ("rolling-six", "three-plus-three")
    )
    difference = three.duration - six.duration
    assert 30 < difference.mean() < 90, "56 days there"
    assert 0.75 < six.duration.mean() / three.duration.mean() < 0.92, "0.84 there"
    assert abs(six.dlts.sum() - three.dlts.sum()) / 2000 < 0.4, "3.3 against 3.2 DLTs there"
    paired = difference.std()
    assert paired < sqrt(six.duration.var() + three.duration.var()), "the same patients make the difference surer"


# ---- limits ----


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trials": 0}, "at least 1"), ({"seed": -1}, "negative"), ({"jobs": 0}, "processes"),
        ({"timing": Timing(months=(1000.0,), window=5000.0)}, "patients would come while one outcome"),
        ({"timing": Timing(every=0.0)}, "do not wait"), ({"timing": Timing(months=(1.0, 0.0))}, "goes on for ever"),
        ({"timing": Timing(stagger=7.0), "accrual": "whole-cohort"}, "days apart"),
        ({"timing": Timing(onset="table", table=((56.0, 1.0),))}, "day 56, beyond the window of 28 days"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(Trouble, match=message):
        timed_trials(reference(3), scenario(MODERATE), **{"trials": 10, **wrong})  # type: ignore[arg-type]


def test_trouble_comes_from_another_process_as_it_is() -> None:
    error = trouble("DL704", "Too many.", help="Fewer.", path="a.dose")
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.diagnostic, copied.path) == (error.diagnostic, error.path)


@pytest.mark.parametrize("timing", [Timing(window=0.0), Timing(), AT_ONCE])
def test_a_trial_without_end_is_given_up(timing: Timing) -> None:
    (found,) = timed(endless(), [scenario((0.0005,))], timing, trials=60, seed=1)
    (cause,) = found.undecided_causes
    assert "cannot be bounded" in cause.cause and cause.history is None and near(total(found), 1)
    assert 0 < cause.probability < 1 and (found.patients.max or 0) <= 1001
