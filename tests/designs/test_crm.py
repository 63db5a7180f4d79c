"""The CRM against a trial that was run with one, and against integration by other means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from doselang.designs.methods import Recommender, build

# VIOLA; Yap et al., doi 10.1158/1078-0432.CCR-17-0582, and the vignette of the R package dtpcrm: levels -2 … 4,
# start 0, cohorts of 3, the number after a colon is the cohort's DLTs.
VIOLA = """
0:0 1:0 2:0 > 3
0:0 1:0 2:1 > 2
0:0 1:0 2:2 > 1
0:0 1:0 2:3 > 0
0:0 1:1 1:0 > 2
0:0 1:1 1:1 > 0
0:0 1:1 1:2 > -1
0:0 1:2 -1:0 > 0
0:0 1:3 -2:0 > -1
0:0 1:3 -2:3 > STOP
0:1 -1:0 0:0 > 1
0:1 -1:1 -1:0 > -1
0:1 -1:1 -1:1 > -2
0:1 -1:3 -2:2 > STOP
0:2 -2:0 -2:0 > -1
0:2 -2:1 -2:2 > STOP
0:2 -2:2 > STOP
0:3 -2:0 -2:0 > -2
0:3 -2:2 > STOP
0:1 -1:2 -2:2 > -2
""".strip().splitlines()

SKELETON = tuple(Fraction(percent, 100) for percent in (3, 7, 12, 20, 30, 40, 52))


def viola(**changes: object) -> Recommender:
    told = {"target": Fraction(1, 5), "skeleton": SKELETON, "prior-variance": Fraction(3, 4)}
    told |= {"no-skipping-up": True, "coherent": True}
    crm = build("crm", told | {name.replace("_", "-"): value for name, value in changes.items()}, 7)
    assert isinstance(crm, Recommender)
    return crm


def next_level(crm: Recommender, cohorts: list[str]) -> str:
    """The level after the cohorts, or STOP: the safety stop is a rule about the chance at the lowest level."""
    evaluable, toxic = np.zeros((1, 7), np.int32), np.zeros((1, 7), np.int32)
    for cohort in cohorts:
        level, dlts = map(int, cohort.split(":"))
        evaluable[0, level + 2] += 3
        toxic[0, level + 2] += dlts
    if crm.chance(evaluable, toxic, Fraction(3, 10))[0, 0] > 0.72:
        return "STOP"
    nothing = np.zeros((1, 7), bool)
    return str(crm.recommends(evaluable, toxic, np.array([level + 2]), evaluable > 0, nothing)[0] - 2)


@pytest.mark.parametrize("row", VIOLA)
def test_the_trial_that_was_run(row: str) -> None:
    history, expected = row.split(" > ")
    cohorts = history.split()
    assert next_level(viola(), cohorts) == expected
    for number in range(1, len(cohorts)):  # each cohort was given where the method said
        assert next_level(viola(), cohorts[:number]) == cohorts[number].split(":")[0]


def test_the_trial_needs_its_restrictions() -> None:
    """The mutants: without no-skipping, or with another prior, some row is wrong."""
    for mutant in (viola(no_skipping_up=False), viola(prior_variance=Fraction(2))):
        assert any(next_level(mutant, row.split(" > ")[0].split()) != row.split(" > ")[1] for row in VIOLA)
