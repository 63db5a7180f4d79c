"""Exact operating characteristics: against calculations with fractions, at their edges, and broken on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.diagnostics import Trouble
from doselang.machine.compiling import compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import explore
from doselang.machine.weights import flow_of, weigh
from doselang.protocol.guards import CohortComplete
from doselang.protocol.model import Declare, Part, Protocol, Scenario, Stop, Toxicity, Verdict
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.exact import exact, prepare
from tests.oracles import plain
from tests.oracles.reference import Decide, Figures, figures, settled
from tests.oracles.reference import literal as literal_text
from tests.samples import committee, endless, literal, reference, rule, trial, two_classes
from tests.test_generated import Case as Generated
from tests.test_generated import cases

MODERATE = (Fraction(1, 10), Fraction(2, 10), Fraction(3, 10))
UNEVEN = (Fraction(1, 7), Fraction(2, 5), Fraction(1, 3), Fraction(5, 8), Fraction(9, 10))
ACCRUALS: tuple[Accrual, ...] = ("one-at-a-time", "whole-cohort")


def near(one: float, other: Fraction | float) -> bool:
    return abs(one - float(other)) < 1e-12


def scenario(
    *rates: Sequence[Fraction | float], chances: Mapping[str, Sequence[Fraction | float]] | None = None
) -> Scenario:
    told = {name: tuple(map(float, values)) for name, values in (chances or {}).items()}
    return Scenario("a scenario", tuple(tuple(map(float, row)) for row in rates), chances=told)


def run(protocol: Protocol, *rates: Sequence[Fraction | float], accrual: Accrual = "one-at-a-time") -> Characteristics:
    return exact(protocol, [scenario(*rates)], accrual)[0]


def total(found: Characteristics) -> float:
    return sum(found.mtd) + found.no_mtd + sum(found.other_verdicts.values()) + found.undecided


# ---- the reference trial ----


def agree(found: Characteristics, expected: Figures) -> bool:
    pairs = [
        *zip(found.mtd, expected.mtd, strict=True),
        (found.no_mtd, expected.no_mtd),
        (found.undecided, sum(expected.undecided.values())),
        *zip(found.patients.by_level, expected.patients, strict=True),
        *zip(found.dlts.by_level, expected.dlts, strict=True),
        (found.patients.mean, sum(expected.patients)),
        (found.dlts.mean, sum(expected.dlts)),
    ]
    sizes = {size: chance for size, chance in expected.sizes.items() if chance}
    variance = sum(chance * size**2 for size, chance in sizes.items()) - sum(expected.patients) ** 2
    assert found.patients.sd is not None
    return (
        all(near(*pair) for pair in pairs)
        and found.patients.distribution.keys() == sizes.keys()
        and all(near(found.patients.distribution[size], chance) for size, chance in sizes.items())
        and (found.patients.min, found.patients.max) == (min(sizes), max(sizes))
        and abs(found.patients.sd**2 - float(variance)) < 1e-9
    )


@pytest.mark.parametrize("accrual", ACCRUALS)
@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("build", "decide"), [(reference, settled), (literal, literal_text)])
def test_the_reference_agrees_with_the_calculation_by_hand(
    build, decide: Decide, levels: int, accrual: Accrual
) -> None:
    rates = UNEVEN[:levels]
    assert agree(run(build(levels), rates, accrual=accrual), figures(decide, rates, accrual))


@pytest.mark.parametrize("start", [1, 2, 3])
@pytest.mark.parametrize("accrual", ACCRUALS)
def test_a_higher_start_agrees_too(start: int, accrual: Accrual) -> None:
    found = run(reference(4, start), UNEVEN[:4], accrual=accrual)
    assert agree(found, figures(settled, UNEVEN[:4], accrual, start))


@given(st.lists(st.integers(0, 20), min_size=3, max_size=3))
@settings(max_examples=30)
def test_any_rates_agree_those_of_0_and_1_included(twentieths: list[int]) -> None:
    rates = tuple(Fraction(number, 20) for number in twentieths)
    assert agree(run(reference(3), rates), figures(settled, rates, "one-at-a-time"))


def test_the_known_figures() -> None:
    found = run(reference(3), MODERATE)
    assert [round(p, 6) for p in (found.no_mtd, *found.mtd)] == [0.100431, 0.285443, 0.344331, 0.269796]
    assert (found.patients.min, found.patients.max) == (2, 18)
    assert near(found.parts["expansion"].patients, 10 * (1 - found.no_mtd))
    assert near(found.parts["escalation"].patients, found.patients.mean)
    assert [(reason.verdict, reason.rules) for reason in found.reasons] == [
        ("mtd", ("complete",)),
        ("no mtd", ("lowest",)),
    ]


# ---- every mistake in the counting of orders shows ----


def test_a_wrong_number_of_orders_breaks_the_agreement() -> None:
    machine, expected = compile_protocol(reference(3)), figures(settled, MODERATE, "one-at-a-time")
    explored = prepare(machine, "one-at-a-time")
    kinds = explored.flow.kinds
    (right,) = explored.characterise([scenario(MODERATE)])
    assert agree(right, expected)
    for kind in range(len(kinds)):
        kinds.orders[kind] += 1
        (wrong,) = explored.characterise([scenario(MODERATE)])
        kinds.orders[kind] -= 1
        # a mistake in the expansion cannot change the escalation's patients, but some sum is no longer 1
        assert not agree(wrong, expected), f"the orders of kind {kind} do not matter"


# ---- edges ----


def test_no_toxicity_and_nothing_but_toxicity_are_exact() -> None:
    never, always = run(reference(3), (0, 0, 0)), run(reference(3), (1, 1, 1))
    assert never.mtd == (0.0, 0.0, 1.0) and never.no_mtd == 0.0 == never.dlts.mean
    assert never.patients.distribution == {12: 1.0} and never.patients.sd == 0
    assert always.no_mtd == 1.0 and always.mtd == (0.0, 0.0, 0.0)
    assert (always.patients.min, always.patients.max, always.dlts.mean) == (2, 2, 2.0)
    assert always.parts["expansion"].patients == 0


@pytest.mark.parametrize("accrual", ACCRUALS)
def test_the_probabilities_add_up_to_1(accrual: Accrual) -> None:
    random = np.random.default_rng(5)
    scenarios = [Scenario(str(k), (tuple(random.uniform(0, 1, 4)),)) for k in range(200)]
    for build in (reference, literal):
        for found in exact(build(4), scenarios, accrual):
            assert near(total(found), 1) and near(sum(found.patients.distribution.values()), 1)
            ended = sum(r.probability for r in found.reasons) + sum(c.probability for c in found.undecided_causes)
            assert near(ended, 1)
            assert near(found.patients.mean, sum(size * p for size, p in found.patients.distribution.items()))


def test_many_scenarios_are_each_as_one_alone() -> None:
    random = np.random.default_rng(6)
    scenarios = [Scenario(str(k), (tuple(random.uniform(0, 1, 3)),)) for k in range(8)]
    together = exact(reference(3), scenarios)
    for one, found in zip(scenarios, together, strict=True):
        (alone,) = exact(reference(3), [one])
        assert found.scenario is one
        assert np.allclose(alone.mtd, found.mtd, rtol=0, atol=1e-15)
    assert exact(reference(3), []) == ()


def test_the_weights_of_all_ends_are_1() -> None:
    flow = flow_of(explore(compile_protocol(reference(5)), histories=True))
    rates = np.random.default_rng(7).uniform(0, 1, (50, 1, 5))
    assert np.allclose(weigh(flow, rates)[flow.ended].sum(axis=0), 1, rtol=0, atol=1e-12)
    assert weigh(flow, rates).shape == (flow.states, 50)


# ---- verdicts ----


def test_a_stop_without_the_result_counts_by_its_labels() -> None:
    rules = (rule("end", CohortComplete(), Declare(1, None), Stop("enough")),)
    protocol = evolve(trial(1, Part("a", 1, rules)), verdicts=(Verdict("MTD"), Verdict("tentative")))
    found = run(protocol, (Fraction(1, 2),))
    assert (
        found.other_verdicts == {"tentative": 0.0, "no tentative": 1.0} and found.reasons[0].verdict == "no tentative"
    )
    nothing = run(trial(1, Part("a", 1, (rule("end", CohortComplete(), Stop()),))), (Fraction(1, 2),))
    assert nothing.other_verdicts == {"no verdict": 1.0} and near(total(nothing), 1)


# ---- people ----

TOLD = {"clear": (Fraction(1, 2), Fraction(3, 8), Fraction(1, 8))}


def test_choices_of_people_have_the_chances_of_the_scenario() -> None:
    (found,) = exact(committee(), [scenario(UNEVEN[:3], chances=TOLD)])
    expected = plain.run(committee(), [UNEVEN[:3]], "one-at-a-time", TOLD)
    for level, chance in enumerate(found.mtd):
        assert near(chance, sum(end.probability for end in expected if end.kind == "verdict" and end.result == level))
    silent = [e for e in expected if e.kind == "verdict" and not e.verdicts]
    assert near(found.other_verdicts["no verdict"], sum(end.probability for end in silent))
    assert near(total(found), 1)


def test_a_choice_that_never_comes_is_never_made() -> None:
    escalate = {"clear": (1, 0, 0)}
    (found,) = exact(committee(), [scenario((0, 0, 0), chances=escalate)])
    assert found.mtd == (0.0, 0.0, 1.0) and found.patients.distribution == {12: 1.0}


def test_a_choice_without_a_chance_is_undecided() -> None:
    told, untold = exact(committee(), [scenario(MODERATE, chances=TOLD), scenario(MODERATE)])
    assert told.undecided == 0
    (cause,) = untold.undecided_causes
    assert cause.cause == 'the choice of committee in rule "clear" has no chance in this scenario'
    assert cause.history == "1NNN"
    assert near(
        untold.undecided, sum(e.probability for e in plain.run(committee(), [MODERATE], "one-at-a-time") if e.untold)
    )


# ---- undecided ----


def test_the_causes_of_the_literal_text() -> None:
    found = run(literal(3), MODERATE, accrual="whole-cohort")
    assert near(sum(cause.probability for cause in found.undecided_causes), found.undecided)
    assert 0.88 < found.undecided < 0.92
    histories = [cause.history for cause in found.undecided_causes]
    assert "1NTT" in histories and "1NNT 1NNT" in histories


def test_a_shortest_history_can_happen() -> None:
    never_at_first = run(literal(3), (0, 1, 0), accrual="whole-cohort")
    assert never_at_first.undecided == 1
    assert [cause.history for cause in never_at_first.undecided_causes] == ["1NNN 2TTT"]


# ---- random protocols ----


@given(cases(), st.sampled_from(ACCRUALS))
@settings(max_examples=60)
def test_random_protocols_agree_with_the_plain_interpreter(case: Generated, accrual: Accrual) -> None:
    (found,) = exact(case.protocol, [scenario(*case.rates, chances=case.chances)], accrual)
    ends = case.ends(accrual)
    decided = [end for end in ends if end.kind == "verdict" and not end.untold]
    named = case.protocol.verdicts[case.protocol.result].name
    for level, chance in enumerate(found.mtd):
        assert near(chance, sum(end.probability for end in decided if end.result == level))
    assert near(found.no_mtd, sum(e.probability for e in decided if e.result is None and named in e.verdicts))
    assert near(found.undecided, 1 - sum(end.probability for end in decided))
    if not any(end.untold for end in ends):
        check_counts(case.protocol, found, ends)


def check_counts(protocol: Protocol, found: Characteristics, ends: list[plain.End]) -> None:
    sizes: Counter[int] = Counter()
    patients: Counter[tuple[int, int]] = Counter()
    toxic: Counter[int] = Counter()
    for end in ends:
        sizes[sum(n for (part, _), n in end.patients.items() if part == 0)] += end.probability
        for (part, level), n in end.patients.items():
            patients[part, level] += n * end.probability
        for (part, level), counts in end.toxicities.items():
            toxic[level] += counts[0] * end.probability if part == 0 else 0
    assert found.patients.distribution.keys() == {size for size, chance in sizes.items() if chance}
    assert all(near(chance, sizes[size]) for size, chance in found.patients.distribution.items())
    assert all(near(n, patients[0, level]) for level, n in enumerate(found.patients.by_level))
    assert all(near(n, toxic[level]) for level, n in enumerate(found.dlts.by_level))
    for number, part in enumerate(protocol.parts):
        assert near(found.parts[part.name].patients, sum(n for (p, _), n in patients.items() if p == number))


def test_two_classes_of_toxicity_agree_with_the_plain_interpreter() -> None:
    rates = (UNEVEN[:3], (Fraction(1, 3), Fraction(3, 5), Fraction(2, 3)))
    for accrual in ACCRUALS:
        found = run(two_classes(), *rates, accrual=accrual)
        ends = plain.run(two_classes(), rates, accrual)
        for level, chance in enumerate(found.mtd):
            assert near(chance, sum(end.probability for end in ends if end.kind == "verdict" and end.result == level))
        check_counts(two_classes(), found, ends)


def test_rates_that_leave_nothing_over_are_exact() -> None:
    found = run(two_classes(), (0.1, 0.1, 0.3), (0.9, 0.9, 0.7))
    assert near(total(found), 1)
    certain = run(two_classes(), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert certain.mtd == (1.0, 0.0, 0.0) and certain.patients.distribution == {3: 1.0}


# ---- limits ----


def refused(protocol: Protocol, one: Scenario, max_states: int = 1_000_000) -> str:
    with pytest.raises(Trouble) as trouble:
        exact(protocol, [one], max_states=max_states)
    assert trouble.value.diagnostic.help
    return trouble.value.diagnostic.code


def test_limits_are_said_with_their_codes() -> None:
    assert refused(endless(), scenario((0.1,))) == "DL701"
    assert refused(reference(9), scenario((0.1,) * 9), max_states=100) == "DL702"
    classes = tuple(Toxicity(f"class-{k}", letter=letter) for k, letter in enumerate("TABC"))
    huge = evolve(trial(1, Part("a", 100, (rule("end", CohortComplete(), Stop()),))), toxicities=classes)
    assert refused(huge, scenario(*[(0.1,)] * 4)) == "DL704"


def test_a_scenario_must_fit_the_protocol() -> None:
    with pytest.raises(Trouble, match="2 rates, and there are 3 levels"):
        run(reference(3), (0.1, 0.2))
