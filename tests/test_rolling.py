"""Rolling accrual: rules asked at every arrival, while other patients are pending."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from doselang.api import load, simulate
from doselang.check.checking import check
from doselang.check.facts import Cause, ConditionConstant
from doselang.conduct.pathways import pathways
from doselang.diagnostics import Trouble
from doselang.loading import Loaded, load_source
from doselang.machine.compiling import compile_protocol
from doselang.machine.decisions import Ended, Opened
from doselang.machine.exits import Accrual
from doselang.machine.exploring import explore
from doselang.machine.followed import Replay
from doselang.machine.notation import HistoryError, history_of, parse_history, write_history
from doselang.machine.records import Known
from doselang.machine.replay import replay
from doselang.protocol.guards import All, Guard, Range, Share
from doselang.protocol.model import Declare, Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.montecarlo import monte_carlo
from doselang.source import Source
from tests.oracles import classical
from tests.oracles.rolling import Decision, Found, rolling_six, table
from tests.test_protocols import invoke

DESIGN = Path(__file__).parent.parent / "protocols" / "designs" / "rolling-six.dose"
ACCRUALS: tuple[Accrual, ...] = ("one-at-a-time", "whole-cohort")
RISING = tuple(Fraction(k, 20) for k in (1, 2, 4, 6, 9))
STEEP = tuple(Fraction(k, 20) for k in (2, 5, 8, 11, 14))
EDGE = (Fraction(0), Fraction(1, 3), Fraction(1))


def six(levels: int = 5) -> Protocol:
    protocol = load(str(DESIGN), {"levels": Fraction(levels)}).protocol
    assert protocol is not None
    return protocol


def load_text(text: str) -> Loaded:
    return load_source(Source("a.dose", text.strip() + "\n"), None)


def found(protocol: Protocol, rates: tuple[Fraction, ...], accrual: Accrual) -> Characteristics:
    (one,) = simulate(protocol, [Scenario("s", (tuple(map(float, rates)),))], accrual)
    return one


def agree(one: Characteristics, expected: Found) -> None:
    assert one.undecided == 0
    assert one.mtd == pytest.approx([float(expected.mtd.get(level, 0)) for level in range(len(one.mtd))], abs=1e-12)
    assert one.no_mtd == pytest.approx(float(expected.mtd.get(None, 0)), abs=1e-12)
    assert one.patients.by_level == pytest.approx([float(number) for number in expected.patients], abs=1e-11)
    assert one.dlts.by_level == pytest.approx([float(number) for number in expected.dlts], abs=1e-11)
    sizes = {size: float(chance) for size, chance in expected.sizes.items() if chance}
    assert one.patients.distribution == pytest.approx(sizes, abs=1e-12)


# ---- exact figures ----


@pytest.mark.parametrize("accrual", ACCRUALS)
@pytest.mark.parametrize("rates", [RISING, STEEP, EDGE, STEEP[:1]], ids=["rising", "steep", "edge", "one level"])
def test_the_figures_are_those_of_an_independent_process(rates: tuple[Fraction, ...], accrual: Accrual) -> None:
    agree(found(six(len(rates)), rates, accrual), rolling_six(rates, accrual))


@pytest.mark.parametrize("rates", [RISING, STEEP], ids=["rising", "steep"])
def test_one_at_a_time_is_the_same_rules_with_cohorts_of_one(rates: tuple[Fraction, ...]) -> None:
    protocol = six(len(rates))
    plain = evolve(protocol, parts=tuple(evolve(part, rolling=False) for part in protocol.parts))
    one, other = (found(each, rates, "one-at-a-time") for each in (protocol, plain))
    assert one.mtd == pytest.approx(other.mtd, abs=1e-12)
    assert one.patients.by_level == pytest.approx(other.patients.by_level, abs=1e-12)
    assert one.dlts.by_level == pytest.approx(other.dlts.by_level, abs=1e-12)
    assert one.patients.distribution == pytest.approx(other.patients.distribution, abs=1e-12)


def _bound_moved(guard: Guard) -> Guard:
    """`at most 1 of 6` becomes `at most 2 of 6`."""
    match guard:
        case All(guards):
            return evolve(guard, guards=tuple(map(_bound_moved, guards)))
        case Share(Range(0, 1)):
            return evolve(guard, count=Range(0, 2))
        case _:
            return guard


@pytest.mark.parametrize("accrual", ACCRUALS)
def test_a_rule_that_is_slightly_wrong_does_not_agree(accrual: Accrual) -> None:
    protocol = six(3)
    (part,) = protocol.parts
    rules = tuple(
        evolve(rule, cases=tuple(evolve(case, guard=_bound_moved(case.guard)) for case in rule.cases))
        for rule in part.rules
    )
    wrong = evolve(protocol, parts=(evolve(part, rules=rules),))
    assert wrong != protocol
    with pytest.raises(AssertionError):
        agree(found(wrong, RISING[2:], accrual), rolling_six(RISING[2:], accrual))


def test_the_process_notices_another_table() -> None:
    """With six pending patients let through the figures differ: the comparison can fail from its side too."""

    def bolder(clear: int, toxic: int, pending: int) -> Decision:
        return "escalate" if (clear, toxic, pending) == (4, 0, 2) else table(clear, toxic, pending)

    with pytest.raises(AssertionError):
        agree(found(six(3), RISING[2:], "whole-cohort"), rolling_six(RISING[2:], "whole-cohort", bolder))


@pytest.mark.parametrize("accrual", ACCRUALS)
def test_simulated_figures_lie_around_the_exact_ones(accrual: Accrual) -> None:
    protocol, rates = six(4), STEEP[:4]
    exact = found(protocol, rates, accrual)
    scenario = Scenario("s", (tuple(map(float, rates)),))
    (one,) = monte_carlo(protocol, [scenario], accrual, trials=40_000, seed=11)
    errors = one.standard_errors
    assert errors is not None
    pairs = [*zip(one.mtd, exact.mtd, errors.mtd, strict=True), (one.no_mtd, exact.no_mtd, errors.no_mtd)]
    pairs += zip(one.patients.by_level, exact.patients.by_level, errors.patients.by_level, strict=True)
    pairs += zip(one.dlts.by_level, exact.dlts.by_level, errors.dlts.by_level, strict=True)
    pairs.append((one.patients.mean, exact.patients.mean, errors.patients.mean))
    assert all(abs(a - b) <= 4 * error + 1e-12 for a, b, error in pairs)
    assert one.patients.sd == pytest.approx(exact.patients.sd, rel=0.02)
    assert set(one.patients.distribution) <= set(exact.patients.distribution)


# ---- the published table ----

CELLS = [
    (clear, toxic, entered - clear - toxic)
    for entered in range(2, 7) for clear in range(entered + 1) for toxic in range(entered - clear + 1)
]  # fmt: skip


def followed(protocol: Protocol, history: str) -> Replay:
    return replay(compile_protocol(protocol), parse_history(history, protocol))


def said(protocol: Protocol, history: str, here: int) -> Decision | str:
    """In the words of the table, and `mtd` or `no mtd` where the trial ends."""
    one = followed(protocol, history)
    if one.last is None:
        return "suspend"
    assert one.last.branch is not None and one.last.branch.decision.undecided is None
    answers = one.last.branch.decision.answers
    if isinstance(answers.next, Ended):
        (verdict,) = answers.declares
        return "no mtd" if verdict.offset is None else f"mtd {here + verdict.offset}"
    assert isinstance(answers.next, Opened)
    return ("de-escalate", "same", "escalate")[answers.next.offset + 1]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell_of_the_published_table(cell: tuple[int, int, int]) -> None:
    """Skolnik et al. (2008), table 1, at a middle level, and at the lowest one, below which there is none."""
    protocol, letters = six(3), "N" * cell[0] + "T" * cell[1] + "." * cell[2]
    assert said(protocol, f"1NNN 2{letters}", 1) == table(*cell)
    lowest = {"de-escalate": "no mtd"}.get(table(*cell), table(*cell))
    assert said(protocol, f"1{letters}", 0) == lowest


def test_there_are_as_many_cells_as_ways_to_write_two_to_six_as_a_sum_of_three() -> None:
    assert len(CELLS) == len(set(CELLS)) == 6 + 10 + 15 + 21 + 28


# ---- histories ----


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("1NNN 3N", "After `1NNN` the rules open level 2, not level 3."),
        ("1NN 2N", "After `1NN` the rules open level 1, not level 2."),
        ("1NNTNN.. ", "After `1NNTNN.` the next patient waits until another outcome is known."),
        ("1NTNNN. 2.", "After `1NTNNN.` the next patient waits until another outcome is known."),
        ("2N", "The trial begins at level 1, with `1…`, not with `2…`."),
        ("1TT 2N", "After `1TT` the trial has ended (close level 1 as too toxic, declare no MTD"),
        ("1NN[1]", "Nobody is asked to choose"),
    ],
)
def test_a_history_that_no_order_of_arrivals_leads_to_is_refused(history: str, message: str) -> None:
    with pytest.raises(HistoryError) as error:
        followed(six(3), history)
    assert message in error.value.message


CHOICE = """protocol "A choice in a run"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
body committee
part escalation
cohorts of 1
look at every arrival
rule "go on"
  when fewer than 2 enrolled or (exactly 3 enrolled and no DLT)
  then stay
rule "ask"
  when exactly 2 enrolled and no DLT
  then ask committee to choose stay or escalate
rule "end"
  when at least 4 enrolled or any DLT
  then declare this level as MTD, stop
"""


def test_what_people_chose_between_two_patients_of_a_level_must_be_written() -> None:
    protocol = load_source(Source("choice.dose", CHOICE), None).protocol
    assert protocol is not None
    for unsaid in ("1NN.", "1NN 1."):
        with pytest.raises(HistoryError, match=r"Only what is chosen leads to `1…`: write `1NN\[1\]` if it was"):
            followed(protocol, unsaid)
    assert followed(protocol, "1NN[1] 1N").steps[-1].outcome[0].decision.answers.next == Opened(0, 1)
    with pytest.raises(HistoryError, match="the rules open level 2, not level 1"):
        followed(protocol, "1NN[2] 1N")


def test_outcomes_are_known_no_earlier_than_the_rules_allow() -> None:
    """After three without a DLT the fourth patient would be at level 2: the fourth came before the third was known."""
    one = followed(six(3), "1NNNN")
    fourth = one.steps[2]
    assert int(fourth.view.records.tally(-1)[fourth.view.codes[0, 0]]) == 2
    assert int(fourth.view.records.tally(-2)[fourth.view.codes[0, 0]]) == 1
    assert followed(six(3), "1NNN 2.").frame.level == 1


def test_one_group_a_patient_reads_like_one_group_a_run() -> None:
    protocol = six(3)
    assert said(protocol, "1N 1N 1N 2N 2.", 1) == said(protocol, "1NNN 2N.", 1) == "same"


def test_a_patient_of_an_earlier_level_becomes_known_later() -> None:
    """The sixth patient at level 1 is still pending while others enter at level 2, and is known at last."""
    protocol = six(3)
    assert said(protocol, "1NNNNN. 2NN", 1) == said(protocol, "1NNNNNT 2NN", 1) == "same"


def test_every_state_is_reached_by_the_history_that_is_shown_for_it() -> None:
    machine = compile_protocol(six(2))
    for part in machine.parts:
        part.barriers = None  # a history keeps what states may forget
    explored = explore(machine, "any-order", histories=True)
    compared = 0
    for state in range(1, explored.states):
        bucket, row = explored.state(state)
        history = history_of(explored, state)
        assert sum(len(group.letters) for group in history) == bucket.patients
        frame = explored.frames.frames[bucket.frames[row]]
        if not frame.orders and frame.end < 0 and history:
            again = parse_history(write_history(history, machine.protocol), machine.protocol)
            one = replay(machine, again)
            looked = one.waiting.view if one.waiting is not None else one.steps[-1].view
            assert looked.codes[0].tolist() == bucket.codes[row].tolist()
            compared += 1
    assert compared > 200


# ---- checking ----

GAP = """
protocol "A gap that only one order of arrivals and outcomes meets"
levels 1 to 2
start at level 1
toxicity DLT
part escalation
cohorts of 1
look at every arrival
rule "two"
  assume "two enter" because "an example"
  when fewer than 3 enrolled
  then stay
rule "settled"
  assume "the trial ends" because "an example"
  when exactly 3 enrolled and (exactly 3 pending or (no pending and no DLT) or (no pending and at least 2 DLTs))
  then declare no MTD, stop
rule "in between"
  assume "the trial ends" because "an example"
  when exactly 3 enrolled and no pending and exactly 1 DLT
  then declare no MTD, stop
rule "clash"
  assume "the trial ends" because "an example"
  when exactly 3 enrolled and exactly 2 pending and any DLT
  then declare this level as MTD, escalate
rule "clash too"
  assume "the trial ends" because "an example"
  when exactly 3 enrolled and exactly 2 pending and any DLT
  then stop
"""


def test_checking_looks_at_every_order_of_arrivals_and_outcomes() -> None:
    """Three pending end the trial at once as fast as the rules allow; one at a time nobody is pending at an arrival."""
    protocol = load_text(GAP).protocol
    assert protocol is not None
    causes = [fact for fact in check(protocol).facts if isinstance(fact, Cause)]
    assert [(cause.undecided.why, cause.accrual) for cause in causes] == [("conflict", "any-order")]
    assert write_history(causes[0].history, protocol) == "1T.."
    assert not causes[0].probability


WAITS = """
protocol "Nobody enters while somebody is pending"
levels 1 to 2
start at level 1
toxicity DLT
part escalation
cohorts of 1
look at every arrival
rule "up"
  assume "an example" because "an example"
  when no pending and no DLT and a higher level exists
  then escalate
rule "end"
  assume "an example" because "an example"
  when no pending and (any DLT or no higher level exists)
  then declare no MTD, stop
"""


def test_a_condition_that_lets_patients_wait_is_not_always_true() -> None:
    """Without `no pending` the next patient would enter at once, so leaving it out is no advice."""
    protocol = load_text(WAITS).protocol
    assert protocol is not None
    assert not [fact for fact in check(protocol).facts if isinstance(fact, ConditionConstant)]
    other = load_text(WAITS.replace("no DLT and a higher", "at most 2 DLTs and no DLT and a higher")).protocol
    assert other is not None
    assert [fact for fact in check(other).facts if isinstance(fact, ConditionConstant)]


TWO_PARTS = """
protocol "A rolling part, then a cohort"
levels 1 to 2
start at level 1
toxicity DLT
part escalation
cohorts of 1
look at every arrival
rule "enter"
  assume "as few as two known are enough" because "an example"
  when fewer than 4 enrolled and at most 1 DLT then stay
  when exactly 4 enrolled and at least 2 evaluable and at most 1 DLT
  then declare this level as MTD, begin expansion at this level
  when at least 2 DLTs then declare no MTD, stop
part expansion
cohorts of 3
rule "end"
  assume "it ends" because "an example"
  when at least 0 DLTs in the trial then stop
"""


@pytest.mark.parametrize("accrual", ACCRUALS)
def test_pending_patients_are_followed_when_the_next_part_begins(accrual: Accrual) -> None:
    """Four enter at most; as fast as the rules allow two can be pending when the expansion begins, and count."""
    protocol = load_text(TWO_PARTS).protocol
    assert protocol is not None
    p = Fraction(3, 10)
    one = found(protocol, (p, p), accrual)
    # one at a time two DLTs in the first four stop; all four at once: the first two known decide
    known = 4 if accrual == "one-at-a-time" else 2
    stop = sum(
        p**k * (1 - p) ** (known - k) * (1, known, known * (known - 1) // 2, 4, 1)[k] for k in range(2, known + 1)
    )  # fmt: skip
    early = p**2 + 2 * p**2 * (1 - p) if accrual == "one-at-a-time" else 0
    four = 1 - early
    assert one.no_mtd == pytest.approx(float(stop), abs=1e-12)
    sizes = {2: p**2, 3: 2 * p**2 * (1 - p), 4: four} if accrual == "one-at-a-time" else {4: Fraction(1)}
    assert one.patients.distribution == pytest.approx({n: float(c) for n, c in sizes.items()}, abs=1e-12)
    mean = sum(n * c for n, c in sizes.items())
    assert one.parts["escalation"].patients == pytest.approx(float(mean), abs=1e-12)
    assert one.parts["escalation"].dlts == pytest.approx(float(mean * p), abs=1e-12)
    assert one.parts["expansion"].patients == pytest.approx(float(3 * (1 - stop)), abs=1e-12)


def test_a_rolling_part_begins_with_patients_who_enter_together() -> None:
    text = TWO_PARTS.replace("begin expansion at this level", "begin expansion with 2 more at this level")
    text = text.replace("cohorts of 3", "cohorts of 1\nlook at every arrival").replace(
        "when at least 0 DLTs in the trial then stop", "when no pending then stop"
    )
    protocol = load_text(text).protocol
    assert protocol is not None
    one = found(protocol, (Fraction(0), Fraction(0)), "whole-cohort")
    assert one.parts["expansion"].patients == 2
    assert one.patients.distribution == {4: 1.0}
    assert followed(protocol, "1NNNN expansion/1..").waiting is not None
    assert followed(protocol, "1NNNN expansion/1NN").ended


def test_limits_count_those_who_have_entered() -> None:
    text = GAP.replace("look at every arrival", "look at every arrival\naccrue at most 2 patients at a level")
    protocol = load_text(text).protocol
    assert protocol is not None
    causes = [fact for fact in check(protocol).facts if isinstance(fact, Cause)]
    assert {cause.undecided.why for cause in causes} == {"limit"}
    assert {write_history(cause.history, protocol) for cause in causes} <= {"1NN", "1NT", "1TT", "1.."}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cohorts of 3", "Patients come one by one in this part, and its cohorts are of 3."),
        ("cohorts of 1\nsentinel of each cohort for 14 days", "A sentinel is treated alone"),
    ],
)
def test_what_cannot_be_said_in_a_rolling_part(line: str, message: str) -> None:
    found = load_text(GAP.replace("cohorts of 1", line)).diagnostics
    assert any(one.message.startswith(message) for one in found)


def test_conditions_about_cohorts_are_refused() -> None:
    for condition in ("no DLT in the cohort", "none of the first 3 patients has a DLT"):
        found = load_text(GAP.replace("fewer than 3 enrolled", condition)).diagnostics
        assert [one.code for one in found] == ["DL211"]


def test_probabilities_of_all_ends_add_up() -> None:
    for accrual in ACCRUALS:
        one = found(six(3), EDGE, accrual)
        assert np.isclose(sum(one.mtd) + one.no_mtd, 1)


@pytest.mark.parametrize("rates", [RISING, STEEP], ids=["rising", "steep"])
def test_one_at_a_time_finds_the_mtd_of_the_three_plus_three_with_de_escalation(rates: tuple[Fraction, ...]) -> None:
    """Variant B: the decisions are those of 3+3, and only the patients who add nothing to them are saved."""
    one = found(six(len(rates)), rates, "one-at-a-time")
    mtd, none = classical.verdicts("B", rates)
    assert one.mtd == pytest.approx([float(chance) for chance in mtd], abs=1e-12)
    assert one.no_mtd == pytest.approx(float(none), abs=1e-12)


def test_a_history_that_waits_is_explained_with_what_is_pending() -> None:
    status, out = invoke("explain", str(DESIGN), "1NNNN..")
    assert status == 0
    assert "wait       4 of 6 outcomes known at level 1, 2 pending" in out
    status, out = invoke("explain", str(DESIGN), "1NNNNN.")
    assert "1 outcome still pending, the rules are asked as it stands" in out


def test_a_table_is_of_every_order_and_divided_by_who_is_pending() -> None:
    status, out = invoke("table", str(DESIGN), "--set", "levels=3")
    assert status == 0
    assert "any pending" in out
    assert "wait" in out


def test_pathways_of_a_rolling_part_give_the_exact_figures_and_are_replayed() -> None:
    protocol, rates = six(2), (Fraction(1, 10), Fraction(1, 4))
    machine, scenario = compile_protocol(protocol), Scenario("s", (tuple(map(float, rates)),))
    paths = pathways(protocol, machine, (), 30, "one-at-a-time", scenario, max_paths=100_000).paths
    chances = {"": 0.0, "1": 0.0, "2": 0.0}
    patients = 0.0
    for path in paths:
        last, chance = path.cohorts[-1], path.probability
        assert chance is not None and last.level_next is None
        (declared,) = (move for move in last.answer.moves if isinstance(move, Declare))
        chances["" if declared.place is None else protocol.levels[declared.place.index].label] += chance
        patients += chance * len(path.cohorts)
    exact = found(protocol, rates, "one-at-a-time")
    assert [chances[""], chances["1"], chances["2"]] == pytest.approx([exact.no_mtd, *exact.mtd], abs=1e-12)
    assert patients == pytest.approx(exact.patients.mean, abs=1e-10)
    histories = [write_history(path.history, protocol) for path in paths]
    assert len(set(histories)) == len(histories) > 100
    for history in histories[::17]:
        assert replay(machine, parse_history(history, protocol), "one-at-a-time").ended


THEN_A_COHORT = """
protocol "Pairs at the second level, and a cohort at the MTD"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days

part escalation
cohorts of 1
look at every arrival

rule "two DLTs"
  when at least 2 DLTs
  then close this level as too toxic

rule "few"
  when fewer than 3 enrolled and at most 1 DLT
  then stay

rule "three"
  when exactly 3 enrolled and no pending and at most 1 DLT and a higher level remains
  then enrol 2 at the next higher level

rule "top"
  when at least 3 enrolled and no pending and at most 1 DLT and no higher level remains
  then declare this level as MTD, begin expansion at this level

rule "down"
  when this level is closed as too toxic and a lower level exists
  then declare the next lower level as MTD, begin expansion at the next lower level

rule "none"
  when this level is closed as too toxic and no lower level exists
  then declare no MTD, stop

part expansion
cohorts of 3

rule "end"
  when the cohort is complete
  then stop
"""


def test_pathways_go_on_from_a_rolling_part_into_cohorts() -> None:
    protocol = load_text(THEN_A_COHORT).protocol
    assert protocol is not None
    machine, scenario = compile_protocol(protocol), Scenario("s", ((0.1, 0.3),))
    paths = pathways(protocol, machine, (), 20, "one-at-a-time", scenario).paths
    assert sum(path.probability or 0 for path in paths) == pytest.approx(1, abs=1e-12)
    assert {one.size for path in paths for one in path.cohorts} == {1, 2, 3}
    for path in paths:
        followed = replay(machine, parse_history(write_history(path.history, protocol), protocol), "one-at-a-time")
        assert followed.ended and followed.frame.level == path.cohorts[-1].level
    (exact,) = simulate(protocol, [scenario])
    none = sum(path.probability or 0 for path in paths if path.cohorts[-1].part == 0)
    assert none == pytest.approx(exact.no_mtd, abs=1e-12)


def test_pathways_that_forget_outcomes_do_not_give_the_exact_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = six(2)
    monkeypatch.setattr("doselang.conduct.pathways.Known", lambda part, outcome: Known(part, 0))
    paths = pathways(protocol, compile_protocol(protocol), (), 30).paths
    assert all(path.cohorts[-1].word != "stop" for path in paths)  # nobody has a DLT, so level 1 is never too toxic


def test_a_rolling_part_without_the_size_of_its_cohorts_is_told_which() -> None:
    found = load_text(THEN_A_COHORT.replace("cohorts of 1\n", ""))
    assert [item.help for item in found.diagnostics] == ["Write below `part escalation`: cohorts of 1"]


def test_pathways_with_patients_pending_are_refused() -> None:
    protocol = six(2)
    machine = compile_protocol(protocol)
    with pytest.raises(Trouble, match="In part `escalation` patients come one by one"):
        pathways(protocol, machine, (), 2, "whole-cohort")
    with pytest.raises(HistoryError, match="some are pending"):
        pathways(protocol, machine, parse_history("1N.", protocol), 2)


BEGUN = """protocol "A rolling part that begins with two"
levels 1 to 2
start at level 1
toxicity DLT  within 28 days
replace inevaluable patients
part titration
cohorts of 1
rule "roll"
  when the cohort is complete
  then begin rolling with 2 more at this level
part rolling
cohorts of 1
look at every arrival
rule "few"
  when fewer than 5 enrolled
  then stay
rule "enough"
  when at least 5 enrolled
  then declare this level as MTD, stop
"""


@pytest.mark.parametrize(
    ("history", "free"), [("1N rolling/1.", 1), ("1N rolling/1N", 1), ("1N rolling/1x", 2), ("1N rolling/1x.", 1)]
)
def test_places_that_were_opened_together_can_be_free(history: str, free: int) -> None:
    protocol = load_source(Source("begun.dose", BEGUN), None).protocol
    assert protocol is not None
    one = followed(protocol, history)
    assert one.waiting is not None and one.waiting.to_enrol == free
    assert followed(protocol, "1N rolling/1..").waiting is None
