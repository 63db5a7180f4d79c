"""Where two protocols part: against two plain interpreters side by side, and broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from doselang.api import simulate
from doselang.check import lockstep
from doselang.check.differences import Compared, compare_decisions
from doselang.check.joint import Joints
from doselang.check.lockstep import Lockstep
from doselang.check.mutants import course_mutants, mutants
from doselang.check.sides import Side
from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.loading import load
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.course import CourseBranch, CourseMachine, compile_course, cycle, environments, explore_course
from doselang.machine.decisions import Opened
from doselang.machine.exits import Accrual
from doselang.machine.exploring import explore
from doselang.machine.moves import moves_of
from doselang.machine.notation import Group, write_history
from doselang.machine.replay import replay
from doselang.protocol.guards import All, Not, Share
from doselang.protocol.model import (
    Body,
    Case,
    Declare,
    Enrol,
    Gate,
    Part,
    Protocol,
    Rule,
    Scenario,
    Silence,
    Stop,
    Toxicity,
)
from doselang.simulate.characteristics import Characteristics
from tests.generate import chances, protocols, rates
from tests.oracles.parting import Parting, partings
from tests.oracles.plain import Chances, Rates
from tests.samples import HIGHER, endless, literal, of, reference, rule, trial, two_classes
from tests.trials import NEXT_HIGHER, THIS, committee

ROOT = Path(__file__).parent.parent
SHIPPED = sorted([*(ROOT / "protocols").glob("*.dose"), *(ROOT / "protocols" / "designs").glob("*.dose")])
LONG = {"pri-724", "blrm", "rolling-six"}
"""Protocols that take several seconds."""
ACCRUALS: tuple[Accrual, ...] = ("one-at-a-time", "whole-cohort")


def shipped(name: str, **settings: int) -> Protocol:
    path = next(path for path in SHIPPED if path.stem == name)
    found = load(str(path), {key: Fraction(value) for key, value in settings.items()}).protocol
    assert found is not None
    return found


def each_shipped() -> list[object]:
    slow = {path.stem: [pytest.mark.slow] if path.stem in LONG else [] for path in SHIPPED}
    return [pytest.param(path, id=path.stem, marks=slow[path.stem]) for path in SHIPPED]


def scenario(true: Rates, told: Chances | None = None) -> Scenario:
    chances = {name: tuple(map(float, values)) for name, values in (told or {}).items()}
    return Scenario("a scenario", tuple(tuple(map(float, row)) for row in true), chances=chances)


def first_history(found: Compared) -> str:
    return write_history(found.partings[0].both[0].history, found.machines[0].protocol)


# ---- against two plain interpreters ----


def agree(first: Protocol, second: Protocol, of: Rates, accrual: Accrual, told: Chances | None = None) -> bool:
    """Whether the comparison says what two plain interpreters do: the shortest history, and the probability."""
    found = compare_decisions(first, second, (scenario(of, told),), accrual)
    expected = partings(first, second, of, accrual, told)  # type: ignore[arg-type]
    if not expected:
        return found.equal
    if not found.partings or found.partings[0].patients != expected[0].order[0]:
        return False
    if accrual == "one-at-a-time" and first_history(found) != expected[0].history:
        return False
    probability = found.probability["a scenario"]
    if any(one.probability is None for one in expected):
        return True  # one on the way to which a chance is not told
    return probability is not None and abs(probability - float(together(expected))) < 1e-12


def together(expected: list[Parting]) -> Fraction:
    return sum((one.probability or Fraction(0) for one in expected), Fraction(0))


def limited(protocol: Protocol, like: Protocol) -> Protocol:
    """A mutant with the limits that mutants are without: then every trial is bounded."""
    parts = zip(protocol.parts, like.parts, strict=True)
    return evolve(protocol, parts=tuple(evolve(part, limits=had.limits) for part, had in parts))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Protocol, Protocol, Rates, Chances]:
    """A random protocol and a mutant of it."""
    protocol = draw(protocols())
    changed = [mutant.protocol for mutant in islice(mutants(protocol), 60)] or [protocol]
    return protocol, limited(draw(st.sampled_from(changed)), protocol), draw(rates(protocol)), draw(chances(protocol))


@given(pairs(), st.sampled_from(ACCRUALS))
@settings(max_examples=40)
def test_random_protocols_part_where_plain_interpreters_do(
    case: tuple[Protocol, Protocol, Rates, Chances], accrual: Accrual
) -> None:
    first, second, of, told = case
    assert agree(first, second, of, accrual, told)


UNEVEN = ((Fraction(1, 7), Fraction(2, 5), Fraction(1, 3)), (Fraction(1, 5), Fraction(1, 10), Fraction(1, 4)))


def true_rates(protocol: Protocol) -> Rates:
    return tuple(rates[: len(protocol.levels)] for rates in UNEVEN[: len(protocol.toxicities)])


def asked_twice() -> Protocol:
    """The trial with a committee and a permission, on two levels."""
    three = committee()
    return evolve(three, levels=three.levels[:2])


@cache
def cases() -> tuple[tuple[Protocol, Protocol, Rates, Chances], ...]:
    """Protocols with mutants of each kind, and two readings of one text."""
    found = []
    told = {"three clear": (Fraction(1, 3), Fraction(2, 3)), "six tolerated": (Fraction(1, 4), Fraction(3, 4))}
    for protocol in (reference(2, expansion=False), two_classes(2), asked_twice()):
        every = list(mutants(protocol))
        sizes = [mutant for mutant in every if "cohorts of" in mutant.change or "patients for" in mutant.change]
        for mutant in (*every[0:48:5], *sizes[:2]):
            found.append((protocol, limited(mutant.protocol, protocol), true_rates(protocol), told))
    found.append((literal(2), reference(2), true_rates(reference(2)), told))
    return tuple(found)


def all_agree() -> bool:
    return all(agree(one, other, of, accrual, told) for one, other, of, told in cases() for accrual in ACCRUALS)


def test_known_protocols_part_where_plain_interpreters_do() -> None:
    assert all_agree()


def _no_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Side._shown
    monkeypatch.setattr(Side, "_shown", lambda side, frame: real(side, evolve(frame, verdicts=())))


def _no_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Side._shown
    monkeypatch.setattr(
        Side, "_shown",
        lambda side, frame: real(side, evolve(frame, orders=tuple(evolve(o, size=1) for o in frame.orders))),
    )  # fmt: skip


def _never_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Lockstep._decided

    def decided(run: Lockstep, *given: object) -> object:
        link, exits, made, alike = real(run, *given)  # type: ignore[arg-type]
        return link, exits, made, np.ones_like(alike)

    monkeypatch.setattr(Lockstep, "_decided", decided)


def _only_whole_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Joints._walked

    def walked(joints: Joints, first: object, second: object) -> object:
        return [turn for turn in real(joints, first, second) if None not in turn[3]]  # type: ignore[arg-type]

    monkeypatch.setattr(Joints, "_walked", walked)


def _one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Joints._walked

    def walked(joints: Joints, first: object, second: object) -> object:
        return [(turn[0], 1.0, *turn[2:]) for turn in real(joints, first, second)]  # type: ignore[arg-type]

    monkeypatch.setattr(Joints, "_walked", walked)


def _merged_by_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs are merged as if what was seen at the levels did not matter."""
    real, pack = Lockstep._merged, lockstep.pack

    def merged(run: Lockstep, *given: object) -> object:
        with monkeypatch.context() as within:  # columns: the frame of each, then the codes of each
            within.setattr(lockstep, "pack", lambda told: pack(told[:, :2]))
            return real(run, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Lockstep, "_merged", merged)


def _longest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doselang.check.differences._in_order", lambda found, _first: found[::-1])


def _no_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lockstep, "_choice", lambda run, _part, branches: np.ones((len(branches), len(run.scenarios))))


BROKEN = (
    _no_verdicts, _no_cohorts, _never_apart, _only_whole_cohorts, _one_order, _merged_by_frames, _longest_first,
    _no_choices,
)  # fmt: skip


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__.strip("_"))
def test_a_broken_comparison_does_not_agree(
    spoil: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    try:
        agreed = all_agree()
    except TypeError:  # what is put in the place of a method does not fit
        raise
    except Exception:
        agreed = False
    assert not agreed


# ---- equal behaviour ----


def renamed(protocol: Protocol) -> Protocol:
    """The same rules in the opposite order, with other names."""

    def turned(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            evolve(rule, name=f"so {rule.name}", overrides=tuple(f"so {name}" for name in rule.overrides))
            for rule in reversed(rules)
        )

    course = protocol.course
    if course is not None:
        course = evolve(course, states=tuple(evolve(state, rules=turned(state.rules)) for state in course.states))
    parts = tuple(evolve(part, rules=turned(part.rules)) for part in protocol.parts)
    return evolve(protocol, parts=parts, course=course)


@pytest.mark.parametrize("path", each_shipped())
def test_a_protocol_laid_out_anew_decides_alike(path: Path, tmp_path: Path) -> None:
    for beside in path.parent.iterdir():
        if beside.suffix in (".md", ".csv", ".dose"):
            (tmp_path / beside.name).write_bytes(beside.read_bytes())
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    assert run(["fmt", str(copy)]) == 0
    first, second = load(str(path)).protocol, load(str(copy)).protocol
    assert first is not None and second is not None
    found = compare_decisions(first, renamed(second), first.scenarios)
    assert found.equal and found.pairs > 1 and (found.standpoints > 0) == (first.course is not None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("boin", "decision-table"),  # the sample table is that of BOIN
        ("a-plus-b-de-escalation", "three-plus-three-de-escalation"),  # A is 3, B is 3
        ("a-plus-b", "three-plus-three-escalation-only"),
        ("viola", "viola-property"),  # the same rules, and a claim
    ],
)
def test_known_to_be_one_design_in_other_words(one: str, other: str) -> None:
    assert compare_decisions(shipped(one), shipped(other)).equal


# ---- against exact operating characteristics ----


def figures(one: Characteristics) -> list[float]:
    """What the protocol's own words do not matter to."""
    others = [share for _, share in sorted(one.other_verdicts.items())]
    sizes = [number for pair in sorted(one.patients.distribution.items()) for number in pair]
    parts = [number for part in one.parts.values() for number in (part.patients, part.dlts)]
    return [*one.mtd, one.no_mtd, one.undecided, *others, *one.patients.by_level, *one.dlts.by_level, *sizes, *parts]


def same_figures(first: Protocol, second: Protocol, some: Scenario, accrual: Accrual) -> bool:
    one, other = (simulate(protocol, [some], accrual)[0] for protocol in (first, second))
    ours, theirs = figures(one), figures(other)
    return len(ours) == len(theirs) and all(abs(a - b) < 1e-12 for a, b in zip(ours, theirs, strict=True))


STEP = 9
"""Of all mutants every ninth is taken."""


def mutated(name: str, step: int) -> tuple[Protocol, list[Protocol]]:
    protocol = {
        "reference": lambda: reference(3),
        "rolling-six": lambda: shipped("rolling-six", levels=2),
        "boin": lambda: shipped("boin", levels=3, cohorts=4),
    }.get(name, lambda: shipped(name))()
    free = evolve(protocol, parts=tuple(evolve(part, limits=()) for part in protocol.parts))
    return free, [mutant.protocol for mutant in islice(mutants(protocol), 0, 7 * STEP, step)]


def holds_for(name: str, step: int = STEP) -> tuple[bool, int]:
    """Whether mutants that are said to decide alike have the same figures; and how many have other ones."""
    protocol, changed = mutated(name, step)
    some_rates = tuple(tuple(0.1 + 0.05 * (k + n) for k in range(len(protocol.levels))) for n in range(2))
    some = Scenario("a scenario", some_rates[: len(protocol.toxicities)])
    other = 0
    for mutant in changed:
        try:
            equal = compare_decisions(protocol, mutant, max_states=100_000).equal
            for accrual in ACCRUALS:
                same = same_figures(protocol, mutant, some, accrual)
                other += not same
                if equal and not same:
                    return False, other
        except Trouble as trouble:
            assert trouble.diagnostic.code in ("DL701", "DL702", "DL704")
    return True, other


MUTATED = (
    "reference", "three-plus-three", "accelerated-titration", "pembrolizumab-gemcitabine", "boin", "rolling-six",
    "k-in-a-row",
)  # fmt: skip


@pytest.mark.parametrize("name", MUTATED)
def test_what_decides_alike_has_the_same_figures(name: str) -> None:
    held, other = holds_for(name)
    assert held and other


def _always_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compared, "equal", property(lambda _found: True))


def _no_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Side._shown
    monkeypatch.setattr(Side, "_shown", lambda side, frame: real(side, frame) if frame.end < 0 else "the end")


@pytest.mark.parametrize("spoil", [_no_ends, _always_alike], ids=["no_ends", "always_alike"])
def test_a_broken_comparison_calls_alike_what_has_other_figures(
    spoil: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    assert not holds_for("three-plus-three", 1)[0]


# ---- the decisions of people ----


def asking(kind: str, *options: tuple[object, ...], chances: tuple[Fraction, ...] | None = None) -> Protocol:
    """A trial in which every cohort of three ends with a choice."""
    gate = Gate(kind, 0 if kind != "draw" else -1, options, chances)  # type: ignore[arg-type]
    rules = (
        Rule("people choose", (Case(All((of(0, 1, "all"), HIGHER)), (), gate),)),
        rule("top", All((of(0, 1, "all"), Not(HIGHER))), Declare(0, THIS), Stop()),
        rule("toxic", of(2, None, "all"), Declare(0, None), Stop()),
    )
    return evolve(trial(2, Part("escalation", 3, rules)), bodies=(Body("committee"),))


def test_what_people_choose_among_is_compared_and_not_who_they_are() -> None:
    up, stay = (Enrol(NEXT_HIGHER),), (Enrol(THIS, 2),)
    one = asking("ask", up, stay)
    assert compare_decisions(one, asking("ask", stay, up)).equal
    assert compare_decisions(one, asking("may", up, stay)).equal
    assert not compare_decisions(one, asking("ask", up, (Enrol(THIS, 4),))).equal
    assert not compare_decisions(one, asking("ask", up, stay, (Enrol(THIS, 4),))).equal
    half, third = (Fraction(1, 2), Fraction(1, 2)), (Fraction(1, 3), Fraction(2, 3))
    drawn = asking("draw", up, stay, chances=half)
    assert compare_decisions(drawn, asking("draw", stay, up, chances=half)).equal
    assert not compare_decisions(drawn, asking("draw", up, stay, chances=third)).equal
    assert not compare_decisions(drawn, one).equal


def test_the_chance_of_a_choice_on_the_way_may_not_be_known() -> None:
    first = committee()
    rules = tuple(rule for rule in first.parts[0].rules if rule.name != "six tolerated")
    second = evolve(first, parts=(evolve(first.parts[0], rules=rules),))
    of = ((0.1, 0.2, 0.3),)
    untold = compare_decisions(first, second, (Scenario("s", of),))
    assert not untold.equal and untold.probability == {"s": None}
    told = compare_decisions(first, second, (Scenario("s", of, chances={"three clear": (1.0, 0.0)}),))
    assert told.probability["s"] is not None and 0 < told.probability["s"] < 1


# ---- what else can differ ----


def test_trials_that_begin_differently() -> None:
    found = compare_decisions(reference(3, 0), reference(3, 1), (scenario(UNEVEN[:1]),))
    assert not found.equal and found.partings[0].both[0].history == () and found.probability == {"a scenario": 1.0}


def test_whether_inevaluable_patients_are_replaced() -> None:
    one = reference(3)
    other = evolve(one, replaces_inevaluable=not one.replaces_inevaluable)
    found = compare_decisions(one, other)
    assert not found.equal and not found.partings and found.replacement is not None


def test_what_is_left_open_is_alike_whatever_the_reason() -> None:
    one = literal(3)
    silent = evolve(one, silences=(Silence("the text does not say", when=one.parts[0].rules[0].cases[0].guard),))
    assert compare_decisions(one, evolve(silent, silences=())).equal
    assert compare_decisions(one, silent).equal


def test_toxicities_in_another_order_are_the_same_ones() -> None:
    one = two_classes(3)
    third = Toxicity("third", "X")
    first = evolve(one, toxicities=(*one.toxicities, third))

    def moved(rule: Rule) -> Rule:
        return evolve(rule, cases=tuple(evolve(case, guard=_moved(case.guard, Share)) for case in rule.cases))

    parts = tuple(evolve(part, rules=tuple(moved(rule) for rule in part.rules)) for part in one.parts)
    second = evolve(first, toxicities=(one.toxicities[0], third, one.toxicities[1]), parts=parts)
    assert compare_decisions(first, second).equal
    assert not compare_decisions(first, evolve(second, toxicities=first.toxicities)).equal


def _moved(guard, kind):  # type: ignore[no-untyped-def]
    """The condition with toxicities 1 and 2 exchanged."""
    if hasattr(guard, "guards"):
        return evolve(guard, guards=tuple(_moved(part, kind) for part in guard.guards))
    if hasattr(guard, "guard"):
        return evolve(guard, guard=_moved(guard.guard, kind))
    if isinstance(guard, kind) and guard.toxicities in ((1,), (2,)):
        return evolve(guard, toxicities=3 - guard.toxicities[0])
    return guard


def test_a_trial_without_end_is_followed_till_it_comes_back() -> None:
    found = compare_decisions(endless(), renamed(endless()))
    assert found.equal


def test_more_pairs_than_allowed_claim_nothing() -> None:
    with pytest.raises(Trouble) as raised:
        compare_decisions(reference(3), reference(3), max_states=5)
    assert raised.value.diagnostic.code == "DL702" and "not known" in raised.value.diagnostic.message


# ---- the courses of patients ----


def course_differs(first: Protocol, second: Protocol) -> bool | None:
    """Whether in any cycle of the first's patients the second decides otherwise; None where cycles are counted."""
    one, other = compile_course(first), compile_course(second)
    assert one is not None and other is not None
    if one.most_cycles != other.most_cycles:
        return None
    for step in explore_course(one, environments(explore(compile_protocol(first)))).steps:
        ours, theirs = (cycle(machine, [step.point], [step.events])[0] for machine in (one, other))
        if shown(one, ours) != shown(other, theirs):
            return True
    return False


def shown(machine: CourseMachine, ways: tuple[CourseBranch, ...]) -> list[tuple[int, int]]:
    """Where patients go; at a final state the level no longer matters."""
    found = [way.decision.went for way in ways]
    final = [went is not None and machine.course.states[went.state].final for went in found]
    return sorted((-1, -1) if w is None else (w.state, -1 if f else w.level) for w, f in zip(found, final, strict=True))


def test_courses_part_where_any_cycle_is_decided_otherwise() -> None:
    protocol = shipped("ibrutinib-lenalidomide")
    seen = set()
    for mutant in course_mutants(protocol):
        expected = course_differs(protocol, mutant.protocol)
        if expected is None:
            continue
        found = compare_decisions(protocol, mutant.protocol)
        assert bool(found.courses) == expected == (not found.equal), mutant.change
        seen.add(expected)
        if expected:
            lengths = [len(one.course) for one in found.courses]
            assert lengths == sorted(lengths)
    assert True in seen


def test_a_course_that_only_one_has() -> None:
    protocol = shipped("ibrutinib-lenalidomide")
    found = compare_decisions(protocol, evolve(protocol, course=None))
    assert not found.equal and not found.partings and found.courses[0].has_course == (True, False)


# ---- against random patients, replayed ----


def decided(machine: Machine, groups: tuple[Group, ...]) -> tuple[object, Group | None]:
    """What a replay says after a history, as moves; and where the next patient or cohort enters."""
    found = replay(machine, groups)
    if found.last is None:
        return "wait", None
    (branch,) = found.last.ways
    answers = branch.decision.answers
    here = found.last.frame.here
    moves = moves_of(answers, here, machine.protocol.parts)
    told = {move if not isinstance(move, Stop) else Stop() for move in moves}
    if branch.decision.undecided is not None or not isinstance(answers.next, Opened):
        return frozenset(told), None
    return frozenset(told), Group(0, here + answers.next.offset, "." * answers.next.size)


def meets(machines: tuple[Machine, Machine], chance: tuple[float, ...], random: Random) -> bool:
    """Whether a random trial, one patient known before the next comes, meets a difference."""
    protocol = machines[0].protocol
    size = protocol.parts[0].cohort
    groups: tuple[Group, ...] = ()
    following = Group(0, protocol.start, "." * size)
    while True:
        letters = "".join("T" if random.random() < chance[following.level] else "N" for _ in following.letters)
        last = groups[-1] if groups else None
        if protocol.parts[0].rolling and last is not None and last.level == following.level:
            groups = (*groups[:-1], evolve(last, letters=last.letters + letters))
        else:
            groups = (*groups, evolve(following, letters=letters))
        (ours, after), (theirs, _) = (decided(machine, groups) for machine in machines)
        if ours != theirs:
            return True
        if after is None:
            return False
        following = after


@pytest.mark.parametrize(("name", "number"), [("rolling-six", 2), ("three-plus-three", 3)])
def test_random_patients_meet_a_difference_as_often_as_is_said(name: str, number: int) -> None:
    first, chance, trials = shipped(name, levels=2), (0.15, 0.35), 200
    differing = []
    for mutant in mutants(first):
        second = limited(mutant.protocol, first)
        probability = compare_decisions(first, second, (Scenario("s", (chance,)),), "one-at-a-time").probability
        if (p := probability.get("s")) is not None and 0.05 < p < 0.95:
            differing.append((second, p))
        if len(differing) > number:
            break
    second, expected = differing[number]
    machines, random = (compile_protocol(first), compile_protocol(second)), Random(11)
    share = sum(meets(machines, chance, random) for _ in range(trials)) / trials
    assert abs(share - expected) < 4 * (expected * (1 - expected) / trials) ** 0.5
