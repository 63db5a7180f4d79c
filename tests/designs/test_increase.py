"""The largest increase of the dose, by hand: what may follow which dose, and what it is compared with."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from doselang.cli import run
from doselang.designs.methods import MethodError, Recommender, build

DOSES = (Fraction(10), Fraction(20), Fraction(40), Fraction(60), Fraction(80), Fraction(120))
"""Without a DLT both methods below go to the highest level at once: only the increase holds them back."""

METHODS: dict[str, dict[str, object]] = {
    "blrm": {
        "reference-dose": 80,
        "mean-log-alpha": -4,
        "mean-log-beta": 0,
        "sd-log-alpha": Fraction(1, 2),
        "sd-log-beta": Fraction(1, 2),
        "target-low": Fraction(1, 100),
    },
    "crm": {
        "target": Fraction(9, 20),
        "skeleton": tuple(Fraction(rate, 100) for rate in (1, 2, 3, 4, 5, 6)),
        "prior-variance": Fraction(1, 100),
    },
}


def method(name: str, increase: object, doses: tuple[Fraction, ...] = DOSES) -> Recommender:
    told = METHODS[name] | {"doses": doses} | ({} if increase is None else {"increase-at-most": increase})
    built = build(name, told, len(doses))
    assert isinstance(built, Recommender)
    return built


def recommended(asked: Recommender, here: int, tried: int, closed: int | None = None) -> int:
    evaluable = np.array([[3 if level <= tried else 0 for level in range(6)]])
    shut = np.array([[closed is not None and level >= closed for level in range(6)]])
    return int(asked.recommends(evaluable, 0 * evaluable, np.array([here]), evaluable > 0, shut)[0])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("increase", "highest"),
    [
        # From 10, 20, 40, 60, 80 and 120: the highest dose that is at most so much higher.
        (Fraction(1), (20, 40, 80, 120, 120, 120)),
        (Fraction(99, 100), (10, 20, 60, 80, 120, 120)),  # 19.9, 39.8, 79.6, 119.4, 159.2
        (Fraction(1, 2), (10, 20, 60, 80, 120, 120)),  # 15, 30, 60, 90, 120
        (Fraction(1, 3), (10, 20, 40, 80, 80, 120)),  # 80 is exactly a third more than 60
        (Fraction(2), (20, 60, 120, 120, 120, 120)),
        (None, (120, 120, 120, 120, 120, 120)),
    ],
    ids=str,
)
def test_by_hand(name: str, increase: Fraction | None, highest: tuple[int, ...]) -> None:
    asked = method(name, increase)
    found = [DOSES[recommended(asked, here, here)] for here in range(6)]
    assert found == list(highest)


@pytest.mark.parametrize("name", METHODS)
def test_it_is_compared_with_the_level_given_last(name: str) -> None:
    asked = method(name, Fraction(1))
    assert recommended(asked, here=0, tried=3) == 1, "not with the highest tried"
    assert recommended(asked, here=-1, tried=2) == 4, "off the ladder it goes by the highest tried: 80 after 40"
    assert recommended(asked, here=-1, tried=-1) == 5, "before any patient there is nothing to compare with"
    assert recommended(asked, here=2, tried=2, closed=2) == 1, "closed levels bar what the increase allows"


@pytest.mark.parametrize("name", METHODS)
def test_it_never_recommends_more_and_changes_nothing_below(name: str) -> None:
    """Over random tallies: the level of the free method where that is allowed, by the rule written down once more."""
    free, bound = method(name, None), method(name, Fraction(1))
    random = np.random.default_rng(5)
    evaluable = random.integers(0, 3, (300, 6)) * 3
    toxic = random.binomial(evaluable, 0.3)
    here, closed = random.integers(0, 6, 300), np.zeros((300, 6), bool)
    asked = (evaluable, toxic, here, evaluable > 0, closed)
    one, other = free.recommends(*asked), bound.recommends(*asked)
    for most, level, last in zip(one, other, here, strict=True):
        assert level < 0 or DOSES[level] <= 2 * DOSES[last]
        if most >= 0 and DOSES[most] <= 2 * DOSES[last]:
            assert level == most
    assert (one != other).any()


@pytest.mark.parametrize(
    ("name", "told", "words"),
    [
        ("crm", {"doses": ()}, "told no doses|a list of numbers"),
        ("crm", {"doses": DOSES[:3]}, "3 doses, the ladder has 6 levels"),
        ("crm", {"doses": DOSES[::-1]}, "rise"),
        ("blrm", {"increase-at-most": Fraction(0)}, "at least 1%, not 0%"),
        ("blrm", {"increase-at-most": Fraction(100)}, "at most 1000%, not 10000%"),
        ("blrm", {"increase-at-most": "high"}, "a percentage"),
    ],
)
def test_what_cannot_be_built(name: str, told: dict[str, object], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        build(name, METHODS[name] | {"doses": DOSES, "increase-at-most": Fraction(1)} | told, 6)


TRIAL = """protocol "a model"
component drug in mg
level 1 drug 10
level 2 drug 20
level 3 drug 40
start at level 1
toxicity DLT  within 28 days  written T
parameter double is 100%
use {method}
part escalation
cohorts of 3
accrue at most 9 in the part
rule "follow"
  when fewer than 9 evaluable in the part and model recommends a level
  then enrol 3 at the level model recommends
rule "end"
  when at least 9 evaluable in the part or model recommends no level
  then stop
"""


@pytest.mark.parametrize("written", ["100%", "double", "300%"])
@pytest.mark.parametrize(
    "method",
    [
        "blrm as model with reference-dose 80, mean-log-alpha -4, mean-log-beta 0, sd-log-alpha 0.5, sd-log-beta 0.5,\n"
        "     target-low 1%",
        "crm as model with target 45%, skeleton 1%, 2%, 3%",
    ],
    ids=["blrm", "crm"],
)
def test_the_doses_are_those_of_the_ladder(
    method: str, written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(TRIAL.format(method=f"{method}, increase-at-most {written}"), encoding="utf-8")
    assert run(["explain", str(path), "1NNN"]) == 0
    assert f"enrol 3 at level {3 if written == '300%' else 2}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("method", "history", "decided"),
    [
        # The model allows 20 after 10, and, after 1 of 3 at 20, no more than 20.
        ("increase", "1NNN", "enrol 3 at level 2"),
        ("coherent", "1NNN 2TNN", "enrol 3 more at level 2"),
    ],
)
def test_the_level_given_last_stays_while_a_place_is_looked_for(
    method: str, history: str, decided: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each level is this level in turn; were it the level given last as well, nothing would hold it back."""
    told = {
        "increase": "blrm as model with reference-dose 80, mean-log-alpha -4, mean-log-beta 0, sd-log-alpha 0.5,\n"
        "     sd-log-beta 0.5, target-low 1%, increase-at-most 100%",
        "coherent": "crm as model with target 30%, skeleton 1%, 2%, 3%, prior-variance 0.01, no-skipping-up, coherent",
    }[method]
    looked_for = "the highest level where (this level is not above the level model recommends)"
    text = TRIAL.format(method=told).replace("at the level model recommends", f"at {looked_for}")
    path = tmp_path / "trial.dose"
    path.write_text(text, encoding="utf-8")
    assert run(["explain", str(path), history]) == 0
    assert decided in capsys.readouterr().out
