"""Claims and risks must hold whatever way patients enter."""

from __future__ import annotations

from pathlib import Path

import pytest

from doselang.check.checking import Checked, check
from doselang.loading import load_source
from doselang.machine.notation import write_history
from doselang.source import Source

PROTOCOL = """
protocol "one level"
levels 1 to 1
start at level 1
toxicity DLT written T
part escalation
cohorts of 3
rule "two toxicities"  at any time
  when at least 2 of the first 3 patients have a DLT
  then declare no MTD, stop "too toxic"
rule "tolerated"
  when at most 1 of 3 patients has a DLT
  then declare this level as MTD, stop "tolerated"
claim "three DLTs" {claim}
"""


def checked(claim: str, *, mutate: bool = True) -> Checked:
    loaded = load_source(Source("claim.dose", PROTOCOL.format(claim=claim)), Path("."))
    assert loaded.protocol is not None, loaded.diagnostics
    return check(loaded.protocol, mutate=mutate)


def test_a_claim_that_only_whole_cohorts_break_is_refuted() -> None:
    """One at a time two DLTs stop the trial; a cohort that has entered together can bring three."""
    found = checked("never at least 3 DLTs")
    (claim,) = found.claims
    assert (claim.outcome, claim.accrual) == ("refuted", "whole-cohort")
    assert claim.history is not None
    assert write_history(claim.history, found.protocol) == "1TTT"


@pytest.mark.parametrize(
    ("claim", "outcome", "history"),
    [
        ("never at least 2 DLTs", "refuted", "1TT"),
        ("eventually the trial is stopped and a verdict is declared", "proved", None),
        ("when the MTD is declared always at most 1 DLT", "proved", None),
        ("when this level is below level 1 always any DLT", "empty", None),
        ("always at least 0 DLTs", "unbreakable", None),
    ],
)
def test_the_outcomes_of_claims(claim: str, outcome: str, history: str | None) -> None:
    found = checked(claim)
    (one,) = found.claims
    assert one.outcome == outcome
    assert (one.history and write_history(one.history, found.protocol)) == history
