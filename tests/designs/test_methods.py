"""The methods by name: what they are told, what is refused in which words, and what holds for each of them."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

from doselang.designs.arrays import distinct
from doselang.designs.methods import METHODS, MethodError, Recommender, Words, boundaries, build
from doselang.designs.quadrature import sine_integral

ENOUGH: dict[str, dict[str, object]] = {
    "ccd": {"margin": Fraction(1, 10)},
    "crm": {"prior-mtd": 2},
    "blrm": {
        "doses": (1, 2, 4),
        "reference-dose": 2,
        "mean-log-alpha": -1,
        "mean-log-beta": 0,
        "sd-log-alpha": 2,
        "sd-log-beta": 1,
    },
}


def told(name: str) -> dict[str, object]:
    known = [argument.name for argument in METHODS[name].arguments]
    return ({"target": Fraction(3, 10)} if "target" in known else {}) | ENOUGH.get(name, {})


@pytest.mark.parametrize("name", METHODS)
def test_every_method(name: str) -> None:
    method, adviser = METHODS[name], build(name, told(name), 3)
    assert method.name == name and method.title and any(character.isdigit() for character in method.source)
    assert isinstance(adviser, Words if method.gives == "words" else Recommender)
    assert adviser == build(name, told(name), 3) and hash(adviser) == hash(build(name, told(name), 3))
    assert pickle.loads(pickle.dumps(adviser)) == adviser
    for argument in method.arguments:
        assert argument.means and not argument.means.endswith(".")
        if argument.default not in (None, (), 0):  # what is not of the kind "or give another": may be given as well
            assert build(name, told(name) | {argument.name: argument.default}, 3) == adviser


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].gives == "level"])
def test_a_level_of_the_ladder_or_none(name: str) -> None:
    adviser = build(name, told(name), 3)
    assert isinstance(adviser, Recommender)
    random = np.random.default_rng(2)
    evaluable = random.integers(0, 7, (200, 3))
    toxic, closed = random.binomial(evaluable, 0.3), np.sort(random.random((200, 3)) < 0.2, 1)
    level = adviser.recommends(evaluable, toxic, random.integers(-1, 3, 200), evaluable > 0, closed)
    assert level.shape == (200,) and level.min() >= -1 and level.max() <= 2
    some = level >= 0
    assert not closed[some, level[some]].any()
    nothing = np.zeros((0, 3), int)
    assert adviser.recommends(nothing, nothing, np.zeros(0, int), nothing > 0, nothing > 0).shape == (0,)
    with pytest.raises(ValueError, match="one of the ladder"):
        adviser.recommends(evaluable, toxic, np.full(200, 3), evaluable > 0, closed)


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].gives == "level"])
def test_levels_told_by_number(name: str) -> None:
    adviser = build(name, told(name), 3)
    assert isinstance(adviser, Recommender)
    random = np.random.default_rng(2)
    evaluable = np.array([0, 3, 6, 6, 9])
    toxic, tried, closed = np.array([0, 0, 1, 4, 3]), evaluable > 0, np.array([0, 0, 0, 1, 0], bool)
    numbers, here = random.integers(0, 5, (200, 3)), random.integers(-1, 3, 200)
    found = adviser.recommends_of(numbers, evaluable, toxic, here, tried, closed)
    each = (column[numbers] for column in (evaluable, toxic))
    assert found.tolist() == adviser.recommends(*each, here, tried[numbers], closed[numbers]).tolist()
    with pytest.raises(ValueError, match="one of the ladder"):
        adviser.recommends_of(numbers, evaluable, toxic, np.full(200, 3), tried, closed)
    with pytest.raises(ValueError, match="one column for each level"):
        adviser.recommends_of(numbers[:, :2], evaluable, toxic, here, tried, closed)
    with pytest.raises(ValueError, match="neither negative nor more"):
        adviser.recommends_of(numbers, toxic, evaluable, here, tried, closed)


@pytest.mark.parametrize(
    ("name", "arguments", "at", "words"),
    [
        ("bion", {}, None, "no method bion; did you mean boin"),
        ("xyz", {}, None, "there are boin, too-toxic"),
        ("boin", {}, "target", "boin must be told the target: the DLT rate aimed at"),
        ("boin", {"targt": Fraction(1, 4)}, "targt", "boin has no targt; did you mean target"),
        ("isotonic", {"q": 1}, "q", "isotonic has no q; it can be told target"),
        ("boin", {"target": Fraction(6, 5)}, "target", "at most 100%, not 1.2"),
        ("boin", {"target": 0}, "target", "neither of them included"),
        ("boin", {"target": "high"}, "target", "a rate, from 0% to 100%"),
        ("boin", {"target": True}, "target", "a rate"),
        ("boin", {"target": Fraction(9, 10)}, "upper-factor", "a rate below 100%"),
        ("boin", {"target": Fraction(1, 4), "lower-factor": 1}, "lower-factor", "between 0 and 1"),
        ("too-toxic", {"target": Fraction(1, 4), "minimum": Fraction(5, 2)}, "minimum", "a whole number"),
        ("too-toxic", {"target": Fraction(1, 4), "offset": Fraction(19, 20)}, "cutoff", "less the offset"),
        ("mtpi", {"target": Fraction(1, 20)}, "lower-margin", "less than the target"),
        ("mtpi2", {"target": Fraction(19, 20)}, "upper-margin", "less than 100%"),
        (
            "mtpi2",
            {"target": Fraction(1, 4), "lower-margin": Fraction(1, 1000), "upper-margin": Fraction(1, 1000)},
            "lower-margin",
            "at least 1%",
        ),
        ("ccd", {"target": Fraction(1, 4)}, "margin", "ccd must be told the margin"),
        ("ccd", {"target": Fraction(1, 4), "margin": Fraction(1, 4)}, "margin", "more than 0"),
        ("crm", {"target": Fraction(1, 4)}, "skeleton", "either the skeleton, or the prior-mtd"),
        ("crm", {"target": Fraction(1, 4), "prior-mtd": 4}, "prior-mtd", "one of the 3 levels"),
        ("crm", {"target": Fraction(1, 4), "prior-mtd": 2, "model": "probit"}, "model", "power or logistic"),
        ("crm", {"target": Fraction(1, 4), "prior-mtd": 2, "halfwidth": Fraction(1, 4)}, "halfwidth", "positive"),
        ("crm", {"target": Fraction(1, 4), "prior-mtd": 2, "coherent": 1}, "coherent", "yes or no"),
        ("crm", {"target": Fraction(1, 4), "skeleton": ()}, "skeleton", "a list of rates"),
    ],
)
def test_what_is_refused(name: str, arguments: dict[str, object], at: str | None, words: str) -> None:
    with pytest.raises(MethodError, match=words) as refused:
        build(name, arguments, 3)
    assert refused.value.argument == at


def test_boundaries_say_where_nothing_is_reached() -> None:
    steps = boundaries(build("i3plus3", told("i3plus3"), 3), 2)  # type: ignore[arg-type]
    assert (steps[0].escalate, steps[0].de_escalate, steps[0].eliminate) == (0, None, None)
    out = boundaries(build("too-toxic", told("too-toxic"), 3), 3)  # type: ignore[arg-type]
    assert [(one.escalate, one.eliminate) for one in out] == [(None, None), (None, None), (None, 3)]


def test_boundaries_refuse_words_that_change_back() -> None:
    odd = Words("odd", (), ("escalate", "stay"), lambda n: (1,) + (0,) * n)
    with pytest.raises(MethodError, match="back and forth"):
        boundaries(odd, 3)


def test_distinct_rows() -> None:
    random = np.random.default_rng(1)
    for columns, largest in ((4, 3), (40, 200)):  # the second does not fit into 62 bits
        rows = random.integers(0, largest, (500, columns))
        rows[250:] = rows[:250]
        first, which = distinct(rows)
        assert len(first) == len(np.unique(rows, axis=0)) and (rows[first][which] == rows).all()


def test_sine_integral() -> None:
    """Abramowitz, Stegun, tables 5.1 and 5.3: Si(1), Si(3.14159…), Si(10), and the limit."""
    whole, rest = np.divmod(np.array([0.0, 1.0, np.pi, 10.0, -1.0, 1e4]) / np.pi, 1.0)
    found = sine_integral(whole[:, None].astype(np.int64), rest)[:, 0]
    expected = [0, 0.946083070367183, 1.851937051982466, 1.658347594218874, -0.946083070367183]
    assert np.abs(found[:5] - expected).max() < 1e-13 and abs(found[5] - np.pi / 2) < 1.1e-4
