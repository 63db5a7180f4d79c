"""Resolving: what a file means, and for each mistake the code, the words underlined and what is said."""

from __future__ import annotations

import time
from collections.abc import Mapping
from fractions import Fraction

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.diagnostics import Diagnostic, Report
from doselang.protocol import guards as g
from doselang.protocol import model as m
from doselang.protocol.guards import NEXT_HIGHER, NEXT_LOWER, THIS, Place, Range
from doselang.resolve import resolve
from doselang.source import Source, Span
from doselang.syntax import nodes as n
from doselang.syntax.parse import parse

TOP = """\
protocol "A trial"
levels 1 to 3
start at level 1
toxicity DLT
"""
PART = """\
part escalation
cohorts of 3
"""


@frozen
class Outcome:
    """What resolving a text came to."""

    source: Source
    protocol: m.Protocol | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def found(self) -> list[tuple[str, str]]:
        """Code and underlined words of every diagnostic."""
        return [(d.code, self.source.words(d.span)) for d in self.diagnostics]

    @property
    def meant(self) -> m.Protocol:
        assert self.protocol is not None, self.diagnostics
        return self.protocol

    def labels(self, number: int = 0) -> list[tuple[str, str]]:
        return [(self.source.words(label.span), label.text) for label in self.diagnostics[number].labels]


def resolved(text: str, values: Mapping[str, Fraction] | None = None, protocol_text: m.ProtocolText | None = None) -> Outcome:
    source = Source("trial.dose", text)
    report = Report()
    file = parse(source, report)
    assert not len(report), [d.message for d in report]
    protocol = resolve(file, report, text=protocol_text, settings=values or {})
    return Outcome(source, protocol, report.sorted())


def rule(when: str = "any DLT", then: str = "stop", name: str = "test", basis: str = "") -> str:
    return f'rule "{name}" assume "a reading" because "a reason" {basis}\n  when {when}\n  then {then}\n'


def trial(rules: str = "", *, top: str = TOP, part: str = PART, rest: str = "") -> str:
    return top + part + (rules or rule()) + rest


COURSE = """\
patient course
event progression
event toxicity-seen  written U
body physician
state on-treatment
rule "ends" assume "a" because "b" when progression then enter off
state off final
"""


def guard(when: str, **parts: str) -> g.Guard:
    """What a condition of a rule means."""
    protocol = resolved(trial(rule(when), **parts)).meant
    return protocol.parts[0].rules[0].cases[0].guard


def course_guard(when: str) -> g.Guard:
    text = COURSE.replace("when progression then", f"when {when} then")
    course = resolved(trial(rest=text)).meant.course
    assert course is not None
    return course.states[0].rules[0].cases[0].guard


def moves(then: str, **parts: str) -> tuple[m.Move, ...]:
    case = resolved(trial(rule(then=then), **parts)).meant.parts[0].rules[0].cases[0]
    assert case.gate is None
    return case.moves


# ---- a whole file ----

WHOLE = """\
protocol "A drug"
parameter top is 3
parameter target is 33.3%  means "the highest rate"
cycle is 28 days
component drug in mg/m2
component other
level -1  drug 10
level 1   drug 20, other "standard"
level 2A  drug 30.5, other "standard"
levels 3 to top
start at level 1
toxicity moderate-toxicity  within 14 days
toxicity DLT  within cycle 1 to 2  written T  means "as defined"
replace inevaluable patients
verdict RP2D as the result  means "recommended"  requires at least 6 evaluable
body committee means "three people"
silent "what a DLT is"
assume "a reading" because "the text is silent"

rule "everywhere"  at any time
  assume "first" because "one"
  assume "second" because "two"
  when at least 2 DLTs at level 1 in the part
  then close this level with all above as too toxic

part escalation  "dose escalation"
cohorts of 3
accrue at least 2 and at most 6 patients at a level
accrue at most 30 in the trial
rule "next"
  assume "a" because "b"
  overrides "EVERYWHERE"
  when the DLT rate is at most target and (a higher level remains or not any moderate-toxicity)
  then close the next higher level as too toxic, ask the committee to choose declare no MTD or escalate and declare level 2a as RP2D
silent "nothing below"  when this level is closed as too toxic and no lower level exists

part expansion
cohorts of top
rule "end" assume "c" because "d" when the cohort is complete then stop "enough"

patient course
event progression
event unacceptable-toxicity  written U  means "too much"
rule "goes on" assume "e" because "f" when no event then continue
state treatment
rule "lower" assume "g" because "h"
  when progression or at least 6 cycles
  then may enter follow-up at the next lower level that remains if the committee agrees, otherwise enter follow-up
state follow-up  final  means "charts"

part escalation-b
cohorts of 1

claim "few" in the patient course when follow-up is entered never this level is above the assigned level
claim "ends" eventually the trial is stopped
example "1NTN 2A:NNx expansion/3N."  then enrol 3 more at level 2A  by "NEXT", "end"
example patient "2A . (PU)"  with level 1 closed as too toxic and level 3 closed as too toxic
  then wait
scenario "flat"  moderate-toxicity 20%  DLT 1%, 5%, 10%, 12.5%
  each cycle progression 5%  each cycle unacceptable-toxicity 1%, 2%, 3%, 4%
  chance "lower" 75%  chance "next" 40%, 60%
"""


@pytest.fixture(scope="module")
def whole() -> m.Protocol:
    text = WHOLE.replace('rule "next"\n  assume "a" because "b"\n  overrides "EVERYWHERE"', 'rule "next"\n  assume "a" because "b"')
    return resolved(text.replace("toxicity moderate", "toxicity DLTX\ntoxicity moderate").replace("toxicity DLTX\n", "")).meant


class TestAWholeFile:
    def test_treatment(self, whole: m.Protocol) -> None:
        assert whole.title == "A drug" and whole.cycle == "28 days" and whole.start == 1
        assert whole.components == (m.Component("drug", "mg/m2"), m.Component("other"))
        assert whole.levels == (
            m.Level("-1", (Fraction(10), None)),
            m.Level("1", (Fraction(20), "standard")),
            m.Level("2A", (Fraction(61, 2), "standard")),
            m.Level("3", (None, None)),
        )
        assert whole.parameters == {"top": Fraction(3), "target": Fraction(333, 1000)}

    def test_what_is_counted(self, whole: m.Protocol) -> None:
        assert whole.toxicities == (
            m.Toxicity("moderate-toxicity", "T", "within 14 days"),
            m.Toxicity("DLT", "D", "within cycle 1 to 2", "as defined"),
        ) or whole.toxicities[0].letter == "T"
        assert whole.replaces_inevaluable
        assert whole.verdicts == (
            m.Verdict("MTD"),
            m.Verdict("RP2D", "recommended", g.Tally(Range(6, None), -1)),
        )
        assert whole.result == 1
        assert whole.bodies == (m.Body("committee", "three people"),)
