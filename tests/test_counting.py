"""Counted ends: against the explored machine, against known numbers of histories, and broken on purpose."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.api import polynomials_of, simulate
from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.loading import load
from doselang.machine import counting, rulings
from doselang.machine.arrays import dense, held_once, summed
from doselang.machine.compiling import PartMachine, compile_protocol
from doselang.machine.counting import count_ends
from doselang.machine.exits import Accrual
from doselang.machine.exploring import TooManyStates
from doselang.machine.reading import Reads
from doselang.machine.rulings import Rulings
from doselang.machine.situations import Situations
from doselang.protocol.model import Protocol, Scenario
from doselang.report.characteristics import render_text
from doselang.simulate import polynomials
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.exact import MANY_SCENARIOS, counted_ends, exact, prepare
from doselang.simulate.montecarlo import monte_carlo
from doselang.simulate.polynomials import Polynomial, largest
from tests.oracles.reference import figures, settled
from tests.samples import committee, endless, literal, reference, two_classes
from tests.test_exact import UNEVEN, agree, scenario
from tests.test_generated import Case, cases

PROTOCOLS = Path(__file__).parent.parent / "protocols"
LARGE = ("pri-724", "rolling-six", "accelerated-titration", "accelerated-titration-double-steps")
TIMED = ("accelerated-titration-any-course",)
"""Those that have figures with a clock alone."""
DESIGNS = sorted(path for path in PROTOCOLS.rglob("*.dose") if path.stem not in (*LARGE, *TIMED))
"""Those of which all tallies can be kept in a few seconds."""


def shipped(path: Path, **values: int) -> Protocol:
    protocol = load(str(path), {name: Fraction(value) for name, value in values.items()}).protocol
    assert protocol is not None
    return protocol


def alike(one: Characteristics, other: Characteristics) -> bool:
    """Whether all figures agree but for rounding."""

    def figures_of(made: Characteristics) -> list[float]:
        parts = [number for part in made.parts.values() for number in (part.patients, part.dlts)]
        rest = [*made.mtd, made.no_mtd, made.undecided, *sorted(made.other_verdicts.values()), *parts]
        for of in (made, made.trial):
            rest += [*of.patients.by_level, *of.dlts.by_level, of.dlts.mean, of.patients.mean, of.patients.sd or 0]
        said = [share for one in made.verdicts.values() for share in (*one.by_level, one.none, one.undeclared)]
        return [*rest, *said]

    sizes = [made.patients.distribution for made in (one, other)]
    whole = [made.trial.patients.distribution for made in (one, other)]
    ends = [{(end.verdict, end.reason, end.rules): end.probability for end in made.reasons} for made in (one, other)]
    return (
        np.allclose(figures_of(one), figures_of(other), rtol=0, atol=1e-7)
        and all(a.keys() == b.keys() for a, b in (sizes, whole, ends))
        and all(np.isclose(a[key], b[key], rtol=0, atol=1e-12) for a, b in (sizes, whole, ends) for key in a)
    )


def asks_nobody(protocol: Protocol) -> bool:
    return not any(part.gates for part in compile_protocol(protocol).parts)


# ---- against the explored machine, and by hand ----


@given(cases(), st.sampled_from(("one-at-a-time", "whole-cohort")))
@settings(max_examples=60)
def test_counted_ends_agree_with_the_explored_machine(case: Case, accrual: Accrual) -> None:
    if not asks_nobody(case.protocol):
        return
    one = scenario(*case.rates)
    (right,) = prepare(compile_protocol(case.protocol), accrual).characterise([one])
    (found,) = counted_ends(case.protocol, accrual).characterise([one])
    assert alike(found, right)


@pytest.mark.parametrize("path", DESIGNS, ids=lambda path: path.stem)
def test_counted_ends_of_shipped_protocols_agree(path: Path) -> None:
    protocol = shipped(path)
    if not asks_nobody(protocol):
        pytest.skip("people decide, or a draw does: chances that are not rates")
    rising = tuple(np.linspace(0.05, 0.6, len(protocol.levels)).tolist())
    low = tuple(rate * 0.3 for rate in rising)
    one = Scenario("rising", (rising, *((low,) * (len(protocol.toxicities) - 1))))
    (right,) = prepare(compile_protocol(protocol), "one-at-a-time").characterise([one])
    (found,) = counted_ends(protocol).characterise([one])
    assert alike(found, right)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_counted_ends_agree_with_the_calculation_by_hand(levels: int) -> None:
    (found,) = counted_ends(reference(levels)).characterise([scenario(UNEVEN[:levels])])
    assert agree(found, figures(settled, UNEVEN[:levels], "one-at-a-time"))


def test_several_toxicities_agree() -> None:
    one = scenario((0.1, 0.2, 0.3), (0.2, 0.2, 0.2))
    (right,) = prepare(compile_protocol(two_classes()), "one-at-a-time").characterise([one])
    (found,) = counted_ends(two_classes()).characterise([one])
    assert alike(found, right)


def test_undecided_ends_are_counted() -> None:
    (right,) = exact(literal(3), [scenario(UNEVEN[:3])])
    (found,) = counted_ends(literal(3)).characterise([scenario(UNEVEN[:3])])
    assert found.undecided == pytest.approx(right.undecided, abs=1e-12) and right.undecided > 0.5
    assert {c.cause: c.probability for c in found.undecided_causes} == pytest.approx(
        {c.cause: c.probability for c in right.undecided_causes}, abs=1e-12
    )


def test_ends_are_told_though_their_machine_is_too_large_to_be_explored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the causes of what is undecided have their probabilities, and no histories."""
    many = [scenario(UNEVEN[:3])] * MANY_SCENARIOS
    (right,) = exact(literal(3), many[:1])

    def too_large(*_given: object, **_options: object) -> None:
        raise TooManyStates(1, 1)

    monkeypatch.setattr("doselang.api.explore", too_large)
    found = simulate(literal(3), many)[-1]
    assert {c.cause: c.probability for c in found.undecided_causes} == pytest.approx(
        {c.cause: c.probability for c in right.undecided_causes}, abs=1e-12
    )
    assert {c.history for c in found.undecided_causes} == {None}
    assert all(c.cause in render_text([found]) for c in found.undecided_causes)


@pytest.mark.parametrize(("levels", "paths"), [(2, 46), (3, 154), (4, 442), (5, 1162), (6, 2890)])
def test_the_classical_design_has_the_known_number_of_paths(levels: int, paths: int) -> None:
    """The numbers are those of the R package precautionary (D. C. Norris) for the 3+3 with de-escalation."""
    protocol = shipped(PROTOCOLS / "designs" / "three-plus-three.dose", levels=levels)
    assert len(count_ends(compile_protocol(protocol, tallies=True)).ends) == paths


def test_wrong_orders_break_the_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "orders_of", lambda counts: 1.0)
    (wrong,) = counted_ends(shipped(PROTOCOLS / "designs" / "boin.dose", cohorts=3)).characterise([scenario(UNEVEN)])
    assert sum(wrong.mtd) + wrong.no_mtd != pytest.approx(1)


def test_many_scenarios_are_those_one_by_one() -> None:
    protocol = shipped(PROTOCOLS / "designs" / "boin.dose", cohorts=4)
    rates = np.sort(np.random.default_rng(1).random((300, 5)), axis=1)
    scenarios = [Scenario(f"{n}", (tuple(row),)) for n, row in enumerate(rates.tolist())]
    together = exact(protocol, scenarios)
    for one, found in list(zip(scenarios, together, strict=True))[::37]:
        (alone,) = exact(protocol, [one])
        assert alike(found, alone)


# ---- limits ----


def test_a_machine_beyond_the_limit_is_refused() -> None:
    machine = compile_protocol(shipped(PROTOCOLS / "designs" / "boin.dose"), tallies=True)
    with pytest.raises(TooManyStates):
        count_ends(machine, max_states=1000)


def test_a_trial_without_end_is_refused() -> None:
    with pytest.raises(TooManyStates):
        count_ends(compile_protocol(endless(), tallies=True))


# ---- looks that are decided together ----


def decided_by(protocol: Protocol) -> Characteristics:
    rising = tuple(np.linspace(0.05, 0.6, len(protocol.levels)).tolist())
    (found,) = counted_ends(protocol).characterise([scenario(rising)])
    return found


def breaks(right: Characteristics) -> bool:
    """Whether the small BOIN is now another design, or none."""
    try:
        return not alike(decided_by(small_boin()), right)
    except (TooManyStates, IndexError):
        return True


def small_boin() -> Protocol:
    return shipped(PROTOCOLS / "designs" / "boin.dose", cohorts=4, levels=3)


@given(cases())
@settings(max_examples=40)
def test_the_patients_that_are_told_are_those_of_the_tallies(case: Case) -> None:
    if not asks_nobody(case.protocol):
        return
    real, seen = Rulings.of, []

    def of(rulings: Rulings, frame: int, codes: np.ndarray, evaluable: int) -> np.ndarray:
        seen.append((summed(rulings.machine.records.tally(-1), codes) == evaluable).all())
        return real(rulings, frame, codes, evaluable)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rulings, "of", of)
        counted_ends(case.protocol)
    assert all(seen)


def test_other_patients_than_those_of_the_tallies_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right, real = decided_by(small_boin()), Rulings.of
    monkeypatch.setattr(Rulings, "of", lambda rulings, frame, codes, _: real(rulings, frame, codes, 3))
    assert breaks(right)


@pytest.mark.parametrize("table", [0, 1 << 8, rulings.TABLE])
def test_kinds_of_looks_are_the_same_without_tables(table: int, monkeypatch: pytest.MonkeyPatch) -> None:
    right = decided_by(small_boin())
    monkeypatch.setattr(rulings, "TABLE", table)
    monkeypatch.setattr(rulings, "TABLES", table)
    assert alike(decided_by(small_boin()), right)


def test_kinds_of_looks_told_without_what_is_held_once_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all looks of a block share, as the number of patients, is not in their numbers, but in the shape of them."""
    right = decided_by(small_boin())

    def without(columns: list[np.ndarray], most: int) -> object:
        found = dense(columns, most)
        assert found is not None
        return found[0], tuple(bits for bits in found[1] if bits >= 0)

    monkeypatch.setattr(rulings, "dense", without)
    assert breaks(right)


@pytest.mark.parametrize("path", DESIGNS, ids=lambda path: path.stem)
def test_what_is_read_of_looks_of_one_frame_is_what_is_read_of_each(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that are held once have what the same columns have that are worked out for every look."""
    protocol, real, seen = shipped(path), Situations.features, []
    if not asks_nobody(protocol):
        pytest.skip("people decide, or a draw does: no ends are counted")

    def features(
        situations: Situations, part: PartMachine, reads: Reads, frames: np.ndarray, codes: np.ndarray, *more: int
    ) -> list[np.ndarray]:
        once = real(situations, part, reads, frames, codes, *more)
        if held_once(frames) and len(seen) < 50:
            each = real(situations, part, reads, frames.copy(), codes)
            seen.append(all(np.array_equal(a, b) for a, b in zip(once, each, strict=True)))
        return once

    monkeypatch.setattr(Situations, "features", features)
    count_ends(compile_protocol(protocol, tallies=True))
    assert all(seen)


# ---- polynomials ----


def test_polynomials_have_the_values_of_exact_figures() -> None:
    found = polynomials_of(reference(3))
    for rates in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.1, 0.25, 0.5)):
        (right,) = exact(reference(3), [scenario(rates)])
        at = {name: float(one.at(np.array([[rates]]))[0]) for name, one in found.items()}
        expected = {f"MTD {n + 1}": p for n, p in enumerate(right.mtd)} | {"no MTD": right.no_mtd}
        assert at == pytest.approx(expected, abs=1e-12)


def test_the_polynomial_of_one_level_is_that_by_hand() -> None:
    """3+3 with one level and confirmation: no MTD from the second DLT among the first six on."""
    found = polynomials_of(reference(1))
    p = Fraction(1, 7)
    q = 1 - p
    assert float(found["MTD 1"].at(np.array([[[1 / 7]]]))[0]) == pytest.approx(float(q**6 + 6 * p * q**5))
    by_hand = {(0, 2): 1.0, (1, 2): 2.0, (2, 2): 3.0, (3, 2): 4.0, (4, 2): 5.0}
    terms = zip(found["no MTD"].exponents[:, 0].tolist(), found["no MTD"].orders.tolist(), strict=True)
    assert {tuple(powers): orders for powers, orders in terms} == by_hand


def test_patients_whose_outcome_makes_no_difference_are_left_out() -> None:
    """The expansion of ten does not change the MTD, and so no term has more than the six patients of the escalation."""
    found = polynomials_of(reference(3))
    assert max(int(one.exponents.sum(axis=2).max()) for one in found.values()) == 6


@pytest.mark.parametrize("make", [lambda: reference(3), two_classes], ids=["one toxicity", "two"])
def test_gradients_are_those_of_differences(make) -> None:
    protocol, step = make(), 1e-6
    rates = np.array([[[0.15, 0.25, 0.4], [0.1, 0.2, 0.3]][: len(protocol.toxicities)]])
    for polynomial in polynomials_of(protocol).values():
        gradient = polynomial.gradient(rates)[0]
        for toxicity, level in product(range(rates.shape[1]), range(3)):
            high, low = rates.copy(), rates.copy()
            high[0, toxicity, level] += step
            low[0, toxicity, level] -= step
            difference = (polynomial.at(high)[0] - polynomial.at(low)[0]) / (2 * step)
            assert gradient[toxicity, level] == pytest.approx(difference, abs=1e-6)


def test_the_gradients_of_all_results_add_up_to_nothing() -> None:
    rates = np.array([[[0.15, 0.25, 0.4]]])
    assert sum(one.gradient(rates) for one in polynomials_of(reference(3)).values()) == pytest.approx(0, abs=1e-12)


def test_choices_of_people_have_no_polynomial() -> None:
    with pytest.raises(Trouble, match="leaves a choice"):
        polynomials_of(committee())


# ---- the command ----

BOIN = str(PROTOCOLS / "designs" / "boin.dose")
RATES = "5%,10%,20%,30%,45%"


def test_auto_says_that_it_simulates(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["simulate", BOIN, "--dlt", RATES, "--method", "auto", "--max-states", "100", "--seed", "1"])
    out, err = capsys.readouterr()
    assert status == 0 and "more than 100 states. So the figures are simulated." in err
    assert out.splitlines()[0].endswith("simulated, 100,000 trials, seed 1, one patient at a time, ± standard error")


def test_auto_is_exact_where_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", BOIN, "--dlt", RATES, "--method", "auto"]) == 0
    out, err = capsys.readouterr()
    assert "exact" in out.splitlines()[0] and not err


@pytest.mark.parametrize("error", [0.004, 0.001])
def test_trials_are_added_until_the_error_is_reached(error: float) -> None:
    protocol = shipped(PROTOCOLS / "designs" / "three-plus-three.dose")
    one = scenario([0.05, 0.1, 0.2, 0.3, 0.45])
    (found,) = monte_carlo(protocol, [one], trials=1000, seed=3, error=error)
    errors = found.standard_errors
    assert errors is not None and found.trials is not None
    largest = max(*errors.mtd, errors.no_mtd, errors.undecided)
    assert 0.9 * error < largest <= error
    (right,) = exact(protocol, [one])
    assert all(abs(a - b) < 5 * error for a, b in zip(found.mtd, right.mtd, strict=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--error", "0.01"], "`--error` goes with `--method montecarlo`"),
        (["--method", "montecarlo", "--error", "0"], "`--error 0` is not a number from 0.00001 to below 1."),
        (["--as", "polynomial", "--dlt", RATES], "holds for any rates: it does not go with rates."),
        (["--as", "polynomial", "--method", "montecarlo"], "it does not go with `--method montecarlo`."),
        (["--as", "polynomial", "--max-states", "10"], "The machine has more than 10 states."),
    ],
)
def test_options_that_do_not_go_together(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", BOIN, *options]) == 2
    assert words in capsys.readouterr().err


# ---- worst cases ----


def one_level(orders: list[float], exponents: list[tuple[int, int]]) -> Polynomial:
    return Polynomial(np.array(orders), np.array(exponents).reshape(-1, 1, 2))


@pytest.mark.parametrize(
    ("polynomial", "low", "high", "value", "at"),
    [
        (one_level([2.0], [(1, 1)]), 0.0, 1.0, 0.5, 0.5),
        (one_level([2.0], [(1, 1)]), 0.6, 0.9, 0.48, 0.6),
        (one_level([3.0], [(2, 1)]), 0.0, 1.0, 4 / 9, 1 / 3),
        (one_level([1.0, 1.0], [(2, 0), (0, 2)]), 0.2, 0.7, 0.68, 0.2),
    ],
)
def test_the_worst_case_of_one_level_is_that_by_hand(
    polynomial: Polynomial, low: float, high: float, value: float, at: float
) -> None:
    found = largest(polynomial, np.array([low]), np.array([high]), tolerance=1e-5)
    assert found.value == pytest.approx(value, abs=1e-5) and found.rates[0] == pytest.approx(at, abs=0.01)
    assert value <= found.bound <= found.value + 1e-5 + 1e-12


def test_no_rates_of_a_fine_grid_are_worse_than_the_worst_case() -> None:
    low, high = np.array([0.02, 0.1, 0.2]), np.array([0.2, 0.35, 0.6])
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, 25) for a, b in zip(low, high, strict=True))), -1).reshape(-1, 1, 3)
    for polynomial in polynomials_of(reference(3)).values():
        found = largest(polynomial, low, high, tolerance=5e-3)
        worst = float(polynomial.at(grid).max())
        assert worst - 5e-3 <= found.value <= found.bound and worst <= found.bound <= found.value + 5e-3 + 1e-12
        assert float(polynomial.at(found.rates.reshape(1, 1, 3))[0]) == pytest.approx(found.value)


def test_a_bound_that_forgets_the_peak_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the values at the corners taken for the bound a maximum inside is missed."""

    def at_corners(polynomial: Polynomial, boxes: np.ndarray) -> np.ndarray:
        return np.maximum(polynomial.at(boxes[:, :1]), polynomial.at(boxes[:, 1:]))

    monkeypatch.setattr(polynomials, "_at_most", at_corners)
    found = largest(one_level([2.0], [(1, 1)]), np.array([0.0]), np.array([0.9]), tolerance=1e-5)
    assert found.bound < 0.5


def test_a_worst_case_that_takes_too_long_is_still_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polynomials, "MOST_BOXES", 50)
    polynomial = polynomials_of(reference(3))["MTD 2"]
    found = largest(polynomial, np.zeros(3), np.ones(3), tolerance=1e-6)
    assert found.bound > found.value + 1e-3
    assert float(polynomial.at(np.random.default_rng(1).random((5000, 1, 3))).max()) <= found.bound


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [([0.1], [0.2], "one rate a level: 3"), ([0.3] * 3, [0.2] * 3, "not above"), ([0.0] * 3, [1.2] * 3, "from 0 to 1")],
)
def test_regions_that_are_none_are_refused(low: list[float], high: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        largest(polynomials_of(reference(3))["MTD 1"], np.array(low), np.array(high))
