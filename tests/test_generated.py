"""Random small protocols: what the plain interpreter says of them, in a form that a machine can be compared with."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from doselang.protocol.model import Protocol
from tests.generate import chances, protocols, rates
from tests.oracles.plain import Accrual, Chances, End, Rates, run

ACCRUALS: tuple[Accrual, ...] = ("one-at-a-time", "whole-cohort")


@frozen
class Outcome:
    """What two interpreters must agree on: the kind of an end, its verdicts by name, and the counts by part and level.

    Verdicts are those of a trial that a rule has stopped; an undecided one has none. `untold`: see `End`.
    """

    kind: str
    verdicts: tuple[tuple[str, int | None], ...]
    patients: tuple[tuple[tuple[int, int], int], ...]
    toxicities: tuple[tuple[tuple[int, int], tuple[int, ...]], ...]
    untold: bool


def summarise(ends: Iterable[End]) -> dict[Outcome, Fraction]:
    """The probability of each outcome, those that never happen left out."""
    found: dict[Outcome, Fraction] = {}
    for end in ends:
        verdicts = tuple(sorted(end.verdicts.items())) if end.kind == "verdict" else ()
        patients, toxicities = tuple(sorted(end.patients.items())), tuple(sorted(end.toxicities.items()))
        outcome = Outcome(end.kind, verdicts, patients, toxicities, end.untold)
        found[outcome] = found.get(outcome, Fraction(0)) + end.probability
    return {outcome: chance for outcome, chance in found.items() if chance}


def kinds(ends: Iterable[End]) -> dict[str, Fraction]:
    """The probability of each kind of end; a choice of people for which no chance was given is a kind of its own."""
    found: dict[str, Fraction] = {}
    for end in ends:
        kind = "undecided choice" if end.untold else end.kind
        found[kind] = found.get(kind, Fraction(0)) + end.probability
    return found


@frozen
class Case:
    """A protocol with what it is run under."""

    protocol: Protocol
    rates: Rates
    chances: Chances

    def ends(self, accrual: Accrual) -> list[End]:
        return run(self.protocol, self.rates, accrual, self.chances)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    protocol = draw(protocols())
    return Case(protocol, draw(rates(protocol)), draw(chances(protocol)))


@given(cases(), st.sampled_from(ACCRUALS))
def test_every_trial_comes_to_an_end(case: Case, accrual: Accrual) -> None:
    ends = case.ends(accrual)
    assert sum(end.probability for end in ends) == 1
    assert len({end.history for end in ends}) == len(ends)


@given(cases(), st.sampled_from(ACCRUALS))
def test_no_limit_is_exceeded(case: Case, accrual: Accrual) -> None:
    for end in case.ends(accrual):
        for position, part in enumerate(case.protocol.parts):
            here = {level: n for (where, level), n in end.patients.items() if where == position}
            for limit in part.limits:
                counted = {"level": max(here.values(), default=0), "part": sum(here.values())}
                assert limit.high is None or counted.get(limit.scope, sum(end.patients.values())) <= limit.high


@given(cases(), st.sampled_from(ACCRUALS))
def test_the_order_of_rules_means_nothing(case: Case, accrual: Accrual) -> None:
    parts = tuple(evolve(part, rules=part.rules[::-1]) for part in case.protocol.parts)
    reversed_rules = evolve(case, protocol=evolve(case.protocol, parts=parts))
    assert summarise(case.ends(accrual)) == summarise(reversed_rules.ends(accrual))


@given(cases())
def test_accrual_matters_only_to_rules_at_any_time(case: Case) -> None:
    parts = tuple(
        evolve(part, rules=tuple(evolve(rule, at_any_time=False) for rule in part.rules))
        for part in case.protocol.parts
    )
    patient = evolve(case, protocol=evolve(case.protocol, parts=parts))
    assert summarise(patient.ends("one-at-a-time")) == summarise(patient.ends("whole-cohort"))
    assert kinds(patient.ends("one-at-a-time")) == kinds(patient.ends("whole-cohort"))
