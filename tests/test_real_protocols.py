"""Protocols of real trials: what checking, testing and simulating them must show, against separate calculations."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from attrs import evolve

from doselang.api import load, simulate
from doselang.check.checking import Checked, check
from doselang.check.facts import Cause, ClaimChecked
from doselang.conduct.examples import coverage, run_examples
from doselang.conduct.explain import explain
from doselang.conduct.patients import patient_examples
from doselang.machine.compiling import compile_protocol
from doselang.machine.course import compile_course
from doselang.machine.exploring import explore
from doselang.machine.notation import parse_history
from doselang.protocol.model import Protocol
from tests.oracles.sentinel import mtd, patients

PROTOCOLS = Path(__file__).parent.parent / "protocols"
SENTINEL = PROTOCOLS / "pembrolizumab-gemcitabine.dose"
TITRATION = PROTOCOLS / "pri-724.dose"


def protocol_of(path: Path) -> Protocol:
    loaded = load(str(path))
    assert loaded.protocol is not None, loaded.diagnostics
    assert loaded.diagnostics == ()
    return loaded.protocol


def silences(checked: Checked, protocol: Protocol) -> set[str]:
    """What is left open in reachable situations; nothing else may be found."""
    found = set()
    for fact in checked.facts:
        if isinstance(fact, ClaimChecked) and fact.outcome == "proved":
            continue
        assert isinstance(fact, Cause) and fact.undecided.why == "silence", fact
        assert fact.undecided.silence is not None
        found.add(protocol.silences[fact.undecided.silence].text)
    return found


@pytest.mark.parametrize("path", [SENTINEL, TITRATION], ids=lambda path: path.stem)
def test_the_examples_hold_and_every_rule_has_one(path: Path) -> None:
    protocol = protocol_of(path)
    course = compile_course(protocol)
    assert course is not None
    results = run_examples(protocol, compile_protocol(protocol), patient_examples(course))
    assert [(result.name, result.actual) for result in results if not result.passed] == []
    assert coverage(protocol, results).unreached == ()


@pytest.mark.parametrize("path", [SENTINEL, TITRATION], ids=lambda path: path.stem)
def test_every_sentence_is_cited_and_every_rule_has_a_basis(path: Path) -> None:
    protocol = protocol_of(path)
    assert protocol.text is not None
    assert protocol.text.cited == frozenset(range(len(protocol.text.sentences)))


# ---- pembrolizumab and gemcitabine ----


def test_the_sentinel_trial_leaves_open_what_follows_level_minus_one() -> None:
    protocol = protocol_of(SENTINEL)
    checked = check(protocol)
    assert silences(checked, protocol) == {"what follows a level -1 that is not tolerated"}
    assert [claim.outcome for claim in checked.claims] == ["proved"] * 6


@pytest.mark.parametrize("accrual", ["one-at-a-time", "whole-cohort"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_sentinel_trial_agrees_with_a_recursion_in_fractions(number: int, accrual: str) -> None:
    protocol = protocol_of(SENTINEL)
    scenario = protocol.scenarios[number]
    (one,) = simulate(protocol, [scenario], accrual)  # type: ignore[arg-type]
    rates = [Fraction(rate).limit_denominator(100) for rate in scenario.rates[0]]
    levels, silent = mtd(rates[1:])
    assert list(one.mtd) == pytest.approx([0.0, *map(float, levels)], abs=1e-12)
    assert one.undecided == pytest.approx(float(silent), abs=1e-12)
    assert one.patients.mean == pytest.approx(float(patients(rates[1:])), abs=1e-12)
    assert sum(one.mtd) + one.no_mtd + one.undecided == pytest.approx(1, abs=1e-12)


def test_a_sentinel_with_a_dlt_is_a_look() -> None:
    protocol = protocol_of(SENTINEL)
    machine = compile_protocol(protocol)
    told = explain(machine, parse_history("1T", protocol))
    assert told.underway is None
    assert [account.rule.name for way in told.ways for account in way.acted] == ["a DLT in the sentinel"]
    clear = explain(machine, parse_history("1N", protocol))
    assert clear.underway is not None and clear.underway.to_enrol == 2


# ---- PRI-724 ----


def test_the_titration_trial_has_examples_of_what_the_text_leaves_open() -> None:
    protocol = protocol_of(TITRATION)
    situations = {silence.text for silence in protocol.silences if silence.when is not None}
    assert situations == {
        "what follows a level 1 with two or more DLTs",
        "what follows when level 10 is tolerated: there is no MAD, and the MTD is one level below it",
        "what follows if 640 with mFOLFOX6 is too toxic",
    }


@pytest.mark.slow
def test_the_titration_trial_checks_with_its_declared_silences_alone() -> None:
    protocol = protocol_of(TITRATION)
    checked = check(protocol)
    assert silences(checked, protocol) == {s.text for s in protocol.silences if s.when is not None}
    assert [claim.outcome for claim in checked.claims] == ["proved"] * 8


def toxic_from(protocol: Protocol, dlt: dict[str, Fraction], mt: dict[str, Fraction]) -> Protocol:
    """The protocol with one scenario: these rates at these levels, and 0 elsewhere."""
    rates = tuple(tuple(float(given.get(level.label, Fraction(0))) for level in protocol.levels) for given in (dlt, mt))
    return evolve(protocol, scenarios=(evolve(protocol.scenarios[0], name="by hand", rates=rates),))


def test_paths_of_the_titration_trial_by_hand() -> None:
    """Rates of 0 leave few paths, so that their chances can be written down.

    Level 5 has a DLT with chance p, level 6 with chance 1, and nothing else is toxic. The accelerated phase treats one
    patient at levels 1 and 3. At level 5: with 1-p no DLT, on to level 7, which is clear, and so is 9, which is
    expanded; level 10 is clear: the text is silent. With p a DLT: level 5 gets two more.
      - both clear, (1-p)^2: 1/3, three more. None, (1-p)^3: 1/6, up to level 6, which is closed at its second patient:
        level 5 has six, and is the MTD. Otherwise a second DLT closes level 5.
      - one or two DLTs: level 5 is closed at the second DLT.
    Level 4, never toxic, is then filled to six: it is the MTD.
    """
    p = Fraction(1, 4)
    protocol = toxic_from(protocol_of(TITRATION), {"5": p, "6": Fraction(1)}, {})
    (one,) = simulate(protocol, protocol.scenarios)
    by_label = dict(zip((level.label for level in protocol.levels), one.mtd, strict=True))
    fifth = p * (1 - p) ** 5
    assert by_label["5"] == pytest.approx(float(fifth), abs=1e-12)
    assert by_label["4"] == pytest.approx(float(p - fifth), abs=1e-12)
    assert one.undecided == pytest.approx(float(1 - p), abs=1e-12)


def test_a_second_moderate_toxicity_ends_the_acceleration_by_hand() -> None:
    """MT at levels 1 and 3 with chances a and b, DLT at level 4 always, no other toxicity.

    With both (ab) the phase ends at level 3, whose two more are clear of DLTs; level 4 closes at its second patient,
    level 3 has three of six, is filled and is the MTD: ab. At level 3 two of the two added can have an MT, b^2: then
    sponsor and investigators choose: to escalate (60%), or three more and then to escalate (30%), both lead to level 4
    and back to level 3; with 10% level 2 is filled, and is the MTD. Otherwise the phase goes on to level 9, and
    then level 10
    is clear: silent.
    """
    a, b = Fraction(1, 2), Fraction(1, 3)
    protocol = toxic_from(protocol_of(TITRATION), {"4": Fraction(1)}, {"1": a, "3": b})
    (one,) = simulate(protocol, protocol.scenarios)
    by_label = dict(zip((level.label for level in protocol.levels), one.mtd, strict=True))
    left = a * b * b**2 * Fraction(1, 10)
    assert by_label["2"] == pytest.approx(float(left), abs=1e-12)
    assert by_label["3"] == pytest.approx(float(a * b - left), abs=1e-12)
    assert one.undecided == pytest.approx(float(1 - a * b), abs=1e-12)


def test_the_second_ladder_is_explored_without_the_first() -> None:
    """The tallies of part Ia matter to nothing in part Ib: 150,000 states, and not millions."""
    protocol = protocol_of(TITRATION)
    assert explore(compile_protocol(protocol)).states < 160_000
