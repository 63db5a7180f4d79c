"""The designs that read one level's tally, against published tables and calculations of another kind."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.designs.methods import Words, boundaries, build

TARGETS = [Fraction(percent, 100) for percent in (20, 25, 30, 33)]
STEPS = ("boin", "ccd", "teqr", "i3plus3", "mtpi", "mtpi2", "keyboard")
MARGINS = ("teqr", "i3plus3", "mtpi", "mtpi2", "keyboard")


def words(method: str, **told: object) -> Words:
    adviser = build(method, {name.replace("_", "-"): value for name, value in told.items()}, 5)
    assert isinstance(adviser, Words)
    return adviser


def row(adviser: Words, n: int) -> str:
    """What is said for 0 … n DLTs, a letter each: Escalate, Stay, De-escalate, Xeliminate, a dot for nothing."""
    said = adviser.says(np.full(n + 1, n), np.arange(n + 1))
    letters = {"escalate": "E", "stay": "S", "de-escalate": "D", "eliminate": "X"}
    return "".join("." if word < 0 else letters[adviser.words[word]] for word in said)


def shown(method: str, n: int, **told: object) -> str:
    """As papers print it: the steps, with U (unacceptable) where the level is eliminated as well."""
    eliminated = row(words("too-toxic", target=told["target"]), n)
    return "".join(
        "U" if out == "X" else step for step, out in zip(row(words(method, **told), n), eliminated, strict=True)
    )


# --- BOIN


def test_boin_as_its_protocol_template_prints_it() -> None:
    """Target 0.30: the boundaries of the public template of the design (Liu, Yuan 2015)."""
    steps = boundaries(words("boin", target=Fraction(3, 10)), 30)[2::3]
    out = boundaries(words("too-toxic", target=Fraction(3, 10)), 30)[2::3]
    assert [one.n for one in steps] == list(range(3, 31, 3))
    assert [one.escalate for one in steps] == [0, 1, 2, 2, 3, 4, 4, 5, 6, 7]
    assert [one.de_escalate for one in steps] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [one.eliminate for one in out] == [3, 4, 5, 7, 8, 9, 10, 11, 12, 14]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_boin_against_its_logarithms(target: Fraction) -> None:
    """The published formula with 60 decimals, for every tally up to 30."""
    with localcontext() as context:
        context.prec = 60
        t = Decimal(target.numerator) / target.denominator
        a, b = t * Decimal("0.6"), t * Decimal("1.4")
        low = ((1 - a) / (1 - t)).ln() / (t * (1 - a) / (a * (1 - t))).ln()
        high = ((1 - t) / (1 - b)).ln() / (b * (1 - t) / (t * (1 - b))).ln()
        boin = words("boin", target=target)
        for n in range(1, 31):
            expected = ("E" if Decimal(y) / n <= low else "D" if Decimal(y) / n >= high else "S" for y in range(n + 1))
            assert row(boin, n) == "".join(expected)


def test_boin_boundaries_as_rates() -> None:
    """Liu and Yuan 2015 give 0.157 and 0.238 for 20%, 0.197 and 0.298 for 25%, 0.236 and 0.358 for 30%."""
    for percent, low, high in ((20, 0.157, 0.238), (25, 0.197, 0.298), (30, 0.236, 0.358)):
        limits = boundaries(words("boin", target=Fraction(percent, 100)), 1000)[-1]
        assert limits.escalate is not None and limits.de_escalate is not None
        assert abs(limits.escalate / 1000 - low) < 0.0015 and abs(limits.de_escalate / 1000 - high) < 0.0015


def test_boin_takes_its_own_factors() -> None:
    """With a = 0.27 the lower boundary lies between it and 0.30, so that 3 of 12 escalates; with a = 0.18 it stays."""
    assert row(words("boin", target=Fraction(3, 10)), 12)[3] == "S"
    assert row(words("boin", target=Fraction(3, 10), lower_factor=Fraction(9, 10)), 12)[3] == "E"


# --- too toxic


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_too_toxic_by_summing_the_posterior(target: Fraction) -> None:
    """Pr(rate > t | Beta(1+y, 1+n-y)) by the beta polynomial, expanded and integrated term by term."""
    adviser = words("too-toxic", target=target)
    for n in range(1, 13):
        for y in range(n + 1):
            tail = 1 - beta_below(target, 1 + y, 1 + n - y)
            assert (row(adviser, n)[y] == "X") == (n >= 3 and tail > Fraction(95, 100))


@cache
def beta_below(x: Fraction, a: int, b: int) -> Fraction:
    """The distribution function of Beta(a, b) at x, by expanding (1 - u)^(b-1) and integrating u^(a-1+k)."""
    terms = [(Fraction((-1) ** k * comb(b - 1, k), a + k), k) for k in range(b)]
    return x**a * sum(term * x**k for term, k in terms) / sum(term for term, _ in terms)


def test_stricter_at_the_lowest_level() -> None:
    """BOIN's extrasafe: 2 of 3 at target 0.30 is Pr 0.9163, above 0.95 - 0.05, and stops the trial at level 1."""
    assert 1 - beta_below(Fraction(3, 10), 3, 2) == Fraction(9163, 10000)
    assert row(words("too-toxic", target=Fraction(3, 10)), 3) == "...X"
    assert row(words("too-toxic", target=Fraction(3, 10), offset=Fraction(1, 20)), 3) == "..XX"
    assert row(words("too-toxic", target=Fraction(3, 10), offset=Fraction(1, 20), minimum=6), 3) == "...."


# --- designs of unit probability mass


@pytest.mark.parametrize(
    ("n", "table"),
    [(6, "EESSUUU"), (9, "EESSSUUUUU"), (12, "EEESSSDUUUUUU"), (30, "E" * 7 + "S" * 7 + "U" * 17)],
)
def test_mtpi_as_published(n: int, table: str) -> None:
    """Ji et al. 2010, figure 2: target 0.30, both margins 0.05 (as the tests of the R package escalation read it)."""
    assert shown("mtpi", n, target=Fraction(3, 10)) == table


@pytest.mark.parametrize(("target", "margin", "stays"), [((7, 40), (1, 8), "S"), ((1, 10), (1, 20), "D")])
def test_mtpi_as_another_paper_has_it(target: tuple[int, int], margin: tuple[int, int], stays: str) -> None:
    """Clin Trials 2015;12:24-33, tables 2 and 3 (PMC4344878): mTPI for 0.175 with 0.125, and for 0.10 with 0.05."""
    told = {"target": Fraction(*target), "lower_margin": Fraction(*margin), "upper_margin": Fraction(*margin)}
    three, six = row(words("mtpi", **told), 3), row(words("mtpi", **told), 6)
    assert three[0] == "E" and three[2:] == "DD"
    assert six[:5] == f"ES{stays}DD"


@pytest.mark.parametrize(
    ("n", "table"),
    [(3, "ESDU"), (6, "EESDUUU"), (9, "EEESDUUUUU"), (10, "EEESDDUUUUU")],
)
def test_mtpi2_as_published(n: int, table: str) -> None:
    """Guo et al. 2017, figure 3: target 0.30, both margins 0.05 (as the tests of the R package escalation read it)."""
    assert shown("mtpi2", n, target=Fraction(3, 10)) == table


def by_hand(target: Fraction, ends: list[Fraction], n: int, y: int) -> str:
    """The letter of the interval with the greatest probability for its length, by `beta_below`."""
    best = None
    for low, high in pairwise(ends):
        mass = (beta_below(high, 1 + y, 1 + n - y) - beta_below(low, 1 + y, 1 + n - y)) / (high - low)
        letter = "E" if high < target else "D" if low > target else "S"
        if best is None or mass >= best[0]:
            best = mass, letter
    assert best is not None
    return best[1]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_unit_masses_by_another_integral(target: Fraction) -> None:
    """mTPI, mTPI-2 and keyboard from their definitions, exactly, with integrals found another way."""
    margin = Fraction(1, 20)
    keys = [target - margin]
    while keys[0] >= 2 * margin:
        keys.insert(0, keys[0] - 2 * margin)
    while keys[-1] <= 1 - 2 * margin:
        keys.append(keys[-1] + 2 * margin)
    ends = {
        "mtpi": [Fraction(0), target - margin, target + margin, Fraction(1)],
        "mtpi2": sorted({Fraction(0), *keys, Fraction(1)}),
        "keyboard": keys,
    }
    for method, own in ends.items():
        for n in (1, 2, 3, 6, 9):
            assert row(words(method, target=target), n) == "".join(by_hand(target, own, n, y) for y in range(n + 1))


def test_ends_too_short_for_a_key_are_left_out() -> None:
    """Target 0.25 has keys 0.1 wide from 0 on; 0.30 leaves half a key at both ends, which mTPI-2 keeps."""
    narrow = {"target": Fraction(12, 100), "lower_margin": Fraction(1, 20), "upper_margin": Fraction(1, 20)}
    with pytest.raises(Exception, match="no whole key"):
        words("keyboard", **narrow)
    assert row(words("mtpi2", **narrow), 3)[0] == "E"


# --- designs of the observed rate


@pytest.mark.parametrize(
    ("n", "table"), [(1, "ES"), (2, "ESD"), (3, "ESDU"), (6, "EESDUUU"), (9, "EEESDUUUUU"), (12, "EEESSDDUUUUUU")]
)
def test_i3plus3_by_its_rules(n: int, table: str) -> None:
    """Target 0.30, interval 0.25 to 0.35, from the rules of Liu, Wang, Ji 2020 by hand: 1/3 and 4/12 are in it; 1/2 is
    above it, but so is not 0/2, below it: stay only at 1 of 1 and 1 of 2."""
    assert shown("i3plus3", n, target=Fraction(3, 10)) == table


def test_the_ends_of_the_interval() -> None:
    """3 of 12 and 4 of 12 with an interval from 1/4 to 1/3: CCD moves at its ends, TEQR and i3+3 stay there."""
    told = {"target": Fraction(7, 24), "lower_margin": Fraction(1, 24), "upper_margin": Fraction(1, 24)}
    assert row(words("teqr", **told), 12)[2:6] == "ESSD"
    assert row(words("i3plus3", **told), 12)[2:6] == "ESSD"
    assert row(words("ccd", target=Fraction(7, 24), margin=Fraction(1, 24)), 12)[2:6] == "EEDD"


# --- all of them


def any_words(method: str, target: Fraction) -> Words:
    return words(method, target=target, margin=Fraction(1, 20)) if method == "ccd" else words(method, target=target)


@given(
    method=st.sampled_from([*STEPS, "too-toxic"]),
    target=st.fractions(Fraction(16, 100), Fraction(1, 2), max_denominator=200),
    n=st.integers(1, 40),
)
def test_more_dlts_never_a_higher_dose(method: str, target: Fraction, n: int) -> None:
    said = any_words(method, target).row(n)
    assert list(said) == sorted(said)
    if method != "too-toxic":
        assert said[0] == 0, "no DLT among any number of patients escalates"
        assert said[-1] == 2 or n == 1


def test_says_any_shape_and_nothing_without_patients() -> None:
    boin = words("boin", target=Fraction(3, 10))
    said = boin.says(np.array([[0, 3], [6, 6]]), np.array([[0, 0], [2, 3]]))
    assert said.tolist() == [[-1, 0], [1, 2]]
    assert boin.says(np.zeros(0, np.int32), np.zeros(0, np.int32)).shape == (0,)
    with pytest.raises(ValueError, match="neither negative nor more"):
        boin.says(np.array([3]), np.array([4]))


def test_advisers_are_equal_by_method_and_arguments() -> None:
    one, same = words("boin", target=Fraction(3, 10)), words("boin", target=Fraction(30, 100))
    other = words("boin", target=Fraction(1, 4))
    assert one == same and hash(one) == hash(same) and one != other
    assert words("mtpi", target=Fraction(3, 10)) != words("mtpi2", target=Fraction(3, 10))
