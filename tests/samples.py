"""Protocols built from Python that several tests and the benchmarks use."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from attrs import evolve

from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    All,
    Any,
    CohortComplete,
    Declared,
    Guard,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    Share,
    Standing,
    Tally,
)
from doselang.protocol.model import (
    Begin,
    Body,
    Case,
    Close,
    Declare,
    Enrol,
    Gate,
    Level,
    Limit,
    Move,
    Part,
    Protocol,
    Rule,
    Stop,
    Toxicity,
)

CLOSED = HasStatus(THIS, "closed")
HIGHER, REMAINS, LOWER = Standing("higher", "exists"), Standing("higher", "remains"), Standing("lower", "exists")
EXPANSION = Part("expansion", 10, (Rule("complete", (Case(CohortComplete(), (Stop("ten more were treated"),)),)),))


def of(low: int, high: int | None, group: Literal["all", "first", "added"], toxicity: int = 0) -> Share:
    """From `low` to `high` of three patients have a toxicity."""
    return Share(Range(low, high), group, 3, toxicity)


def rule(name: str, guard: Guard, *moves: Move, any_time: bool = False) -> Rule:
    return Rule(name, (Case(guard, moves),), at_any_time=any_time)


def below(low: int, high: int | None) -> Tally:
    """So many patients are evaluable at the next lower level."""
    return Tally(Range(low, high), -1, "level", NEXT_LOWER)


def trial(levels: int, *parts: Part, start: int = 0) -> Protocol:
    ladder = tuple(Level(str(level + 1)) for level in range(levels))
    return Protocol("a trial", ladder, start, (Toxicity("DLT"),), parts, bodies=(Body("committee"),))


def reference(levels: int = 3, start: int = 0, *, expansion: bool = True) -> Protocol:
    """The reference trial in the settled reading; without the expansion it stops where that would begin."""
    none, one, toxic = of(0, 0, "first"), of(1, 1, "first"), of(1, None, "added")
    rules = (
        rule("first clear", All((of(0, 0, "all"), REMAINS)), Enrol(NEXT_HIGHER)),
        rule("first clear, nothing higher", All((of(0, 0, "all"), Not(REMAINS))), Enrol(THIS, 3)),
        rule("one", of(1, 1, "all"), Enrol(THIS, 3)),
        rule("added clear", All((one, of(0, 0, "added"), REMAINS)), Enrol(NEXT_HIGHER)),
        rule("added clear, nothing higher", All((one, of(0, 0, "added"), Not(REMAINS))), Declare(0, THIS)),
        rule("one in six", All((none, of(0, 1, "added"))), Declare(0, THIS)),
        rule("toxicity among the added", All((one, toxic)), Close(THIS), any_time=True),
        rule("two in the first", of(2, None, "first"), Close(THIS), any_time=True),
        rule("second in six", All((none, of(2, None, "added"))), Close(THIS), any_time=True),
        rule("reopen", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER, 3)),
        rule("below has six", All((CLOSED, below(6, None))), Declare(0, NEXT_LOWER)),
        rule("lowest", All((CLOSED, Not(LOWER))), Declare(0, None), Stop("the lowest level is too toxic")),
        rule("MTD", Declared(0), Begin(1, Place("verdict", 0)) if expansion else Stop("there is an MTD")),
    )
    escalation = Part("escalation", 3, rules, (Limit("level", 2, 6),))
    return trial(levels, *((escalation, EXPANSION) if expansion else (escalation,)), start=start)


def literal(levels: int = 3) -> Protocol:
    """The reference trial as its text says it, and nothing else."""
    one = of(1, 1, "first")
    rules = (
        rule("first clear", All((of(0, 0, "all"), HIGHER)), Enrol(NEXT_HIGHER)),
        rule("first clear, nothing higher", All((of(0, 0, "all"), Not(HIGHER))), Enrol(THIS, 3)),
        rule("one", of(1, 1, "all"), Enrol(THIS, 3)),
        rule("added clear", All((one, of(0, 0, "added"), HIGHER)), Enrol(NEXT_HIGHER)),
        rule("added clear, nothing higher", All((one, of(0, 0, "added"), Not(HIGHER))), Declare(0, THIS)),
        rule("toxicity among the added", All((one, of(1, None, "added"))), Close(THIS), any_time=True),
        rule("reopen", All((CLOSED, below(0, 5))), Enrol(NEXT_LOWER, 3)),
        rule("MTD", Declared(0), Begin(1, Place("verdict", 0))),
    )
    return trial(levels, Part("escalation", 3, rules, (Limit("level", 2, 6),)), EXPANSION)


def committee(levels: int = 3) -> Protocol:
    """After three without toxicity a committee chooses: escalate, confirm this level with three more, or stop."""
    options = ((Enrol(NEXT_HIGHER),), (Enrol(THIS, 3),), (Stop("the committee is content"),))
    ask = Rule("clear", (Case(All((of(0, 0, "all"), REMAINS)), (), Gate("ask", 0, options)),))
    others = [one for one in reference(expansion=False).parts[0].rules if one.name != "first clear"]
    return trial(levels, Part("escalation", 3, (ask, *others)))


def two_classes(levels: int = 3) -> Protocol:
    """A design with a second class of toxicity, of which three in a level end the escalation."""
    rules = (
        rule("clear", All((of(0, 0, "all"), of(0, 1, "all", 1), REMAINS)), Enrol(NEXT_HIGHER)),
        rule("content", All((of(0, 0, "all"), Any((of(2, None, "all", 1), Not(REMAINS))))), Declare(0, THIS), Stop()),
        rule("toxic", of(1, None, "first"), Close(THIS), any_time=True),
        rule("below", CLOSED, Declare(0, NEXT_LOWER), Stop("the level above is too toxic")),
    )
    plain = trial(levels, Part("escalation", 3, rules))
    return evolve(plain, toxicities=(Toxicity("DLT"), Toxicity("moderate", letter="M")))


def interval(levels: int = 5, most: int = 30, cohort: int = 3) -> Protocol:
    """A design that compares the rate at the level with two bounds, until so many patients were treated."""

    def rate(low: Fraction, high: Fraction) -> Rate:
        return Rate(0, low, True, high, False)

    low, high = Fraction(1, 4), Fraction(9, 25)
    down, up, same = rate(high, Fraction(2)), rate(Fraction(0), low), rate(low, high)
    full, goes_on = Tally(Range(most, None), -1, "trial"), Tally(Range(0, most - 1), -1, "trial")
    rules = (
        rule("escalate", All((up, HIGHER, goes_on)), Enrol(NEXT_HIGHER)),
        rule("stay at the top", All((up, Not(HIGHER), goes_on)), Enrol(THIS)),
        rule("stay", All((same, goes_on)), Enrol(THIS)),
        rule("de-escalate", All((down, LOWER, goes_on)), Enrol(NEXT_LOWER)),
        rule("stay at the bottom", All((down, Not(LOWER), goes_on)), Enrol(THIS)),
        rule("done", full, Declare(0, THIS), Stop("all patients were treated")),
    )
    return trial(levels, Part("escalation", cohort, rules))


def endless() -> Protocol:
    """A trial that goes on until a cohort shows a toxicity."""
    toxic = Tally(Range(1, None), 0, "cohort")
    rules = (rule("go on", All((CohortComplete(), Not(toxic))), Enrol(THIS)), rule("end", toxic, Stop("a toxicity")))
    return trial(1, Part("escalation", 3, rules))


FIVE_LEVEL_CRM = """
protocol "CRM, five levels, ten cohorts of three"
levels 1 to 5
start at level 1
toxicity DLT
use crm as model with target 25%, skeleton 5%, 12%, 25%, 40%, 55%, prior-variance 1.34, no-skipping-up, coherent
verdict chosen as the result
part dose-finding
cohorts of 3
rule "follow" when the cohort is complete then enrol 3 at the level model recommends
rule "unsafe"
  overrides "follow", "full"
  when the chance by model of a DLT above 25% at level 1 is more than 90%
  then declare no chosen, stop
rule "full"
  overrides "follow"
  when exactly 30 evaluable in the trial then declare the level model recommends as chosen, stop
scenario "rising" DLT 5%, 12%, 25%, 40%, 55%
"""


BLRM_OF_A_COMMITTEE = """
protocol "BLRM, six doses, ten cohorts of three; a committee chooses at or below what is recommended"
component drug in mg
level 1 drug 10
level 2 drug 20
level 3 drug 40
level 4 drug 60
level 5 drug 80
level 6 drug 120
start at level 1
toxicity DLT
body committee
verdict MTD as the result
use blrm as model with reference-dose 80, mean-log-alpha -0.7, sd-log-alpha 1.5, mean-log-beta 0, sd-log-beta 0.7,
  increase-at-most 100%
part escalation
cohorts of 3
accrue at most 30 in the part
rule "next dose"
  when model recommends a level and fewer than 30 evaluable in the part
  then ask committee to choose enrol 3 at the level model recommends
    or enrol 3 at the highest level where (this level is not above the level model recommends and this level is tried)
rule "MTD"
  overrides "next dose", "full"
  when this level is the level model recommends and at least 6 evaluable
       and (at least 15 evaluable in the part
         or the chance by model of a DLT between 16% and 33% is more than 50%)
  then declare this level as MTD, stop
rule "too toxic"
  when model recommends no level
  then declare no MTD, stop
rule "full"
  when at least 30 evaluable in the part and model recommends a level
  then declare no MTD, stop
"""
