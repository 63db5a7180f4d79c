"""Simulated operating characteristics: against exact ones, their standard errors, seeds, and machines without end."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.diagnostics import Trouble
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.exact import exact
from doselang.simulate.montecarlo import BATCH, monte_carlo
from tests.oracles import plain
from tests.samples import committee, endless, interval, literal, reference, two_classes
from tests.test_exact import ACCRUALS, MODERATE, TOLD, UNEVEN, near, scenario, total
from tests.test_generated import Case, cases

TRIALS = 40_000
Compared = Iterator[tuple[str, float, float, float]]


def simulate(protocol: Protocol, one: Scenario, *, trials: int = TRIALS, seed: int = 1, **more) -> Characteristics:
    (found,) = monte_carlo(protocol, [one], trials=trials, seed=seed, **more)
    return found


def probabilities(found: Characteristics, right: Characteristics) -> Compared:
    """What, simulated, exact, and the standard error that the exact probability has."""

    def compared(what: str, one: float, other: float) -> tuple[str, float, float, float]:
        return what, one, other, sqrt(max(other * (1 - other), 0.0) / (found.trials or 1))

    for level, pair in enumerate(zip(found.mtd, right.mtd, strict=True)):
        yield compared(f"mtd {level}", *pair)
    yield compared("no mtd", found.no_mtd, right.no_mtd)
    yield compared("undecided", found.undecided, right.undecided)
    for name in found.other_verdicts | right.other_verdicts:
        yield compared(name, found.other_verdicts.get(name, 0), right.other_verdicts.get(name, 0))
    for size in found.patients.distribution | right.patients.distribution:
        pair = (found.patients.distribution.get(size, 0), right.patients.distribution.get(size, 0))
        yield compared(f"{size} patients", *pair)
    whole, true = found.trial.patients.distribution, right.trial.patients.distribution
    for size in whole | true:
        yield compared(f"{size} patients in all", whole.get(size, 0), true.get(size, 0))
    for name, said in found.verdicts.items():
        expected = right.verdicts[name]
        pairs = zip((*said.by_level, said.none), (*expected.by_level, expected.none), strict=True)
        for number, pair in enumerate(pairs):
            yield compared(f"{name} {number}", *pair)
        yield compared(f"{name} not declared", said.undeclared, expected.undeclared)


def means(found: Characteristics, right: Characteristics) -> Compared:
    """What, simulated, exact, and the standard error that the simulation gives."""
    errors = found.standard_errors
    assert errors is not None
    for scope, one, true, error in (
        ("", found, right, errors),
        (" in all", found.trial, right.trial, errors.trial),
    ):
        for name in ("patients", "dlts"):
            numbers, expected, of_numbers = (getattr(of, name) for of in (one, true, error))
            yield f"{name}{scope}", numbers.mean, expected.mean, of_numbers.mean
            by_level = zip(numbers.by_level, expected.by_level, of_numbers.by_level, strict=True)
            for level, (number, other, spread) in enumerate(by_level):
                yield f"{name} {level}{scope}", number, other, spread
    for name, part in found.parts.items():
        yield f"patients {name}", part.patients, right.parts[name].patients, errors.parts[name].patients
        yield f"dlts {name}", part.dlts, right.parts[name].dlts, errors.parts[name].dlts


def agrees(found: Characteristics, right: Characteristics) -> bool:
    """Nothing is further off than four standard errors, and what rounding to whole trials makes of rare events."""
    trials = found.trials or 1
    rare = ((2 / trials, probabilities(found, right)), (30 / trials, means(found, right)))
    return all(abs(one - other) <= 4 * error + few for few, compared in rare for _, one, other, error in compared)


def check(found: Characteristics, right: Characteristics) -> None:
    assert agrees(found, right)
    assert near(total(found), 1) and near(sum(found.patients.distribution.values()), 1)


def test_a_small_difference_shows() -> None:
    found = simulate(reference(3), scenario(MODERATE))
    for level in range(3):
        shifted = [float(rate) + 0.02 * (level == number) for number, rate in enumerate(MODERATE)]
        assert not agrees(found, exact(reference(3), [scenario(shifted)])[0])


@given(
    st.sampled_from([reference(4), literal(3), interval(3, 18), two_classes()]), st.sampled_from(ACCRUALS),
    st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=20, derandomize=True)
def test_simulation_agrees_with_the_exact_figures(protocol: Protocol, accrual: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    rates = random.uniform(0, 0.5, (len(protocol.toxicities), len(protocol.levels)))
    one = scenario(*rates.tolist())
    check(simulate(protocol, one, seed=seed, accrual=accrual), exact(protocol, [one], accrual)[0])


@given(cases(), st.sampled_from(ACCRUALS))
@settings(max_examples=25, derandomize=True)
def test_random_protocols_agree(case: Case, accrual: str) -> None:
    one = scenario(*case.rates, chances=case.chances)
    check(simulate(case.protocol, one, accrual=accrual), exact(case.protocol, [one], accrual)[0])


def test_choices_of_people_are_simulated() -> None:
    one = scenario(UNEVEN[:3], chances=TOLD)
    check(simulate(committee(), one), exact(committee(), [one])[0])
    untold = simulate(committee(), scenario(MODERATE))
    assert [(cause.cause.split(" in ")[0], cause.history) for cause in untold.undecided_causes] == [
        ("the choice of committee", "1NNN")
    ]


def test_what_cannot_happen_does_not() -> None:
    never = simulate(reference(3), scenario((0, 0, 0)), trials=10**7)
    always = simulate(reference(3), scenario((1, 1, 1)), trials=10**7)
    assert never.mtd == (0.0, 0.0, 1.0) and never.patients.distribution == {12: 1.0}
    assert always.no_mtd == 1.0 and always.patients.distribution == {2: 1.0}
    assert never.standard_errors is not None and never.standard_errors.mtd == (0.0, 0.0, 0.0)


# ---- standard errors ----


def test_the_standard_errors_are_those_of_the_trials() -> None:
    """Against the variances by a full enumeration of all histories."""
    protocol = reference(3, expansion=False)
    errors = simulate(protocol, scenario(MODERATE), trials=10**6).standard_errors
    ends = plain.run(protocol, [MODERATE], "one-at-a-time")
    assert errors is not None

    def sd(values: list[int]) -> float:
        pairs = list(zip(values, ends, strict=True))
        mean = sum(value * end.probability for value, end in pairs)
        return sqrt(sum(end.probability * (value - mean) ** 2 for value, end in pairs))

    wanted = {
        "patients": [sum(end.patients.values()) for end in ends],
        "dlts": [sum(counts[0] for counts in end.toxicities.values()) for end in ends],
        **{f"patients {level}": [end.patients.get((0, level), 0) for end in ends] for level in range(3)},
        **{f"dlts {level}": [end.toxicities.get((0, level), (0,))[0] for end in ends] for level in range(3)},
    }
    given_errors = {
        "patients": errors.patients.mean,
        "dlts": errors.dlts.mean,
        **{f"patients {level}": error for level, error in enumerate(errors.patients.by_level)},
        **{f"dlts {level}": error for level, error in enumerate(errors.dlts.by_level)},
    }
    for what, values in wanted.items():
        assert given_errors[what] * 1000 == pytest.approx(sd(values), rel=0.01), what


def test_the_simulation_is_as_far_off_as_it_says() -> None:
    """Over many simulations the distances from the exact figures, in standard errors, have a deviation of about 1."""
    one = scenario(MODERATE)
    (right,) = exact(literal(3), [one])
    found = monte_carlo(literal(3), [one] * 150, trials=2000, seed=3)
    distances = np.array([[(a - b) / error for _, a, b, error in means(each, right)] for each in found])
    assert np.all(np.abs(distances.mean(axis=0)) < 4 / sqrt(150))
    assert np.all((distances.std(axis=0) > 0.8) & (distances.std(axis=0) < 1.2))


# ---- seeds and trials ----


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = scenario(MODERATE), scenario(UNEVEN[:3])
    again = monte_carlo(reference(3), [one, other], trials=1000, seed=9)
    assert monte_carlo(reference(3), [one, other], trials=1000, seed=9) == again
    assert monte_carlo(reference(3), [one, other], trials=1000, seed=10) != again
    assert {found.seed for found in again} == {9} and {found.trials for found in again} == {1000}
    twice = monte_carlo(reference(3), [one, one], trials=1000, seed=9)
    assert twice[0].mtd != twice[1].mtd, "each scenario has its own stream of random numbers"


def test_trials_of_several_batches_are_all_counted() -> None:
    found = simulate(reference(3), scenario(MODERATE), trials=2 * BATCH + 7)
    assert near(total(found), 1)
    (right,) = exact(reference(3), [scenario(MODERATE)])
    check(found, right)
    one = simulate(reference(3), scenario(MODERATE), trials=1)
    assert sorted((*one.mtd, one.no_mtd))[-1] == 1.0 and one.patients.sd == 0


@pytest.mark.parametrize(("trials", "seed"), [(0, 1), (-3, 1), (10, -1)])
def test_wrong_numbers_are_refused(trials: int, seed: int) -> None:
    with pytest.raises(Trouble, match=r"at least 1|negative"):
        monte_carlo(reference(3), [scenario(MODERATE)], trials=trials, seed=seed)


# ---- machines without end ----


def test_a_trial_without_end_is_given_up() -> None:
    found = simulate(endless(), scenario((0.001,)), trials=5000)
    beyond = 0.999**1002
    assert abs(found.undecided - beyond) < 4 * sqrt(beyond * (1 - beyond) / 5000)
    (cause,) = found.undecided_causes
    assert "cannot be bounded" in cause.cause and cause.history is None
    assert near(total(found), 1) and near(sum(found.patients.distribution.values()), 1)
    assert found.patients.max == 1002


def test_a_machine_too_large_to_explore_is_simulated() -> None:
    found = simulate(interval(10, 60), scenario(np.linspace(0.05, 0.5, 10).tolist()), trials=2000)
    assert near(total(found), 1) and found.patients.distribution == {60: 1.0}
