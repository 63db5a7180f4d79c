"""Levels at which no cohort can open any more: which they are, and that to forget them changes no finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings

from doselang.api import load, load_source
from doselang.check.checking import check
from doselang.check.facts import Cause
from doselang.conduct.looks import counted, looks_of
from doselang.machine import barriers
from doselang.machine.barriers import Barriers, barriers_of, parts_that_matter
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.exploring import TooManyStates, explore
from doselang.machine.states import Frames
from doselang.machine.steps import Steps
from doselang.protocol.model import Protocol
from doselang.source import Source
from tests.generate import protocols, rolling
from tests.test_constructs_e import FILLING

ROOT = Path(__file__).parent.parent
SHIPPED = [*sorted((ROOT / "protocols").glob("*.dose")), *sorted((ROOT / "protocols" / "designs").glob("*.dose"))]

BARRED = {
    "a-plus-b", "accelerated-titration", "accelerated-titration-double-steps", "pure-de-escalation",
    "sequential-cohorts", "three-plus-three", "three-plus-three-de-escalation", "a-plus-b-de-escalation",
    "three-plus-three-escalation-only", "three-plus-three-plus-three",
    "ibrutinib-lenalidomide", "ibrutinib-lenalidomide-literal", "pri-724",
}  # fmt: skip
"""Those of which barriers make the machine smaller."""

PLAIN = """protocol "Plain"
levels 1 to 4
start at level 2
toxicity DLT
part escalation
cohorts of 3
rule "moves"
  when at most 1 DLT
  then MOVE
"""


def protocol_of(text: str) -> Protocol:
    loaded = load_source(Source("x.dose", text), ROOT)
    assert loaded.protocol is not None, loaded.diagnostics
    return loaded.protocol


def barriers_with(move: str) -> Barriers:
    barriers = compile_protocol(protocol_of(PLAIN.replace("MOVE", move))).parts[0].barriers
    assert barriers is not None
    return barriers


@pytest.mark.parametrize(
    ("move", "rises", "up", "down", "floor"),
    [
        ("escalate", True, True, True, 0),
        ("escalate 2 levels", True, False, True, 0),
        ("enrol 3 more", False, True, True, 0),
        ("fill the next lower level to 6", False, True, True, 6),
        ("enrol 3 at the next lower level", False, True, True, None),
        ("fill the next lower level that remains to 6", False, False, False, 0),
        ("enrol 3 at the lowest level", False, False, False, 0),
    ],
)
def test_what_bars_a_level_follows_from_the_moves(move: str, rises: bool, up: bool, down: bool, floor: int) -> None:
    barriers = barriers_with(move)
    assert (barriers.rises, barriers.up, barriers.down) == (rises, up, down)
    if up or down:
        assert barriers.floor == floor


def test_a_condition_on_the_level_below_is_a_floor_too() -> None:
    text = PLAIN.replace("1 DLT", "1 DLT and at most 3 evaluable at the next lower level")
    barriers = compile_protocol(protocol_of(text.replace("MOVE", "de-escalate"))).parts[0].barriers
    assert barriers is not None and barriers.floor == 4
    text = text.replace("MOVE", "fill the next lower level to 3")
    barriers = compile_protocol(protocol_of(text)).parts[0].barriers
    assert barriers is not None and barriers.floor == 3


def test_a_ladder_on_which_a_move_names_a_level_has_no_barriers() -> None:
    assert not barriers_with("enrol 3 at level 4").stepwise.any()
    assert barriers_with("escalate").stepwise.all()


def test_the_larger_of_two_numbers_to_which_a_level_is_filled_is_the_floor() -> None:
    text = PLAIN.replace("MOVE", "fill the next lower level to 6")
    text += 'rule "other"\n  when exactly 2 DLTs\n  then fill the next lower level to 9\n'
    barriers = compile_protocol(protocol_of(text)).parts[0].barriers
    assert barriers is not None and barriers.floor == 9


def test_a_level_that_a_condition_names_keeps_its_tallies() -> None:
    text = PLAIN.replace("at most 1 DLT", "at most 1 DLT and at most 3 evaluable at level 1").replace(
        "MOVE", "escalate"
    )
    barriers = compile_protocol(protocol_of(text)).parts[0].barriers
    assert barriers is not None
    assert barriers.unread.tolist() == [False, True, True, True]


# ---- no cohort opens behind a barrier: by induction over the steps of the machine that forgets nothing ----


def broken_steps(machine: Machine, barriers: list[Barriers | None]) -> int:
    """How many steps open a cohort at a level that was barred, or end with a level that is barred no longer."""
    broken = 0

    def watch(steps: Steps, frames: Frames) -> None:
        nonlocal broken
        part = int(frames.part[steps.of.frames[steps.state[0]]])
        before = barriers[part]
        # a part that reads nothing of what was before may begin wherever it wants
        mattering = np.isin(frames.part[steps.frames], sorted(matter[part]))
        on = np.flatnonzero((frames.ended[steps.frames] == 0) & mattering)
        if before is None or not len(on):
            return
        relations, records = machine.setting.relations, machine.records
        numbers = steps.of.frames[steps.state[on]]
        barred, _ = before.barred(records, relations, steps.of.codes[steps.state[on]], frames.level[numbers])
        following, codes = steps.frames[on], steps.codes[on]
        broken += int(barred[np.arange(len(on)), frames.level[following]].sum())
        for then in range(len(machine.parts)):
            rows = np.flatnonzero(frames.part[following] == then)
            after = barriers[then]
            if after is None or not len(rows):
                continue
            still, _ = after.barred(records, relations, codes[rows], frames.level[following[rows]])
            along = relations.together[frames.level[numbers[rows]], frames.level[following[rows]]]
            broken += int((barred[rows] & ~still)[along].sum())

    layout = machine.records.layout
    matter = parts_that_matter(machine.protocol, [np.array(part.fading.ceilings) for part in machine.parts], layout)
    for part in machine.parts:
        part.barriers, part.apart = None, np.zeros(0, np.bool_)
    explore(machine, watch=watch, max_states=4_000)
    return broken


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_cohort_opens_behind_a_barrier(path: Path) -> None:
    protocol = load(str(path)).protocol
    assert protocol is not None
    machine = compile_protocol(protocol, for_claims=True)
    barriers = [part.barriers for part in machine.parts]
    try:
        assert broken_steps(machine, barriers) == 0
    except TooManyStates:
        assert any(part.barriers is None for part in machine.parts)


@given(protocols())
def test_no_cohort_opens_behind_a_barrier_of_a_random_protocol(protocol: Protocol) -> None:
    machine = compile_protocol(protocol, for_claims=True)
    barriers = [part.barriers for part in machine.parts]
    try:
        assert broken_steps(machine, barriers) == 0
    except (TooManyStates, OverflowError):
        return


def test_a_floor_that_is_too_low_is_noticed() -> None:
    machine = compile_protocol(protocol_of(FILLING))
    barriers = [None if part.barriers is None else evolve(part.barriers, floor=3) for part in machine.parts]
    assert broken_steps(machine, barriers) > 0


# ---- what is found is the same ----


def ends(protocol: Protocol) -> set[object]:
    """The ways in which a trial can end: with how many patients, where, what was declared, and by which decision."""
    found = explore(compile_protocol(protocol, for_claims=True), max_states=20_000)
    frames, met = found.frames, set()
    for bucket in found.buckets:
        for number in np.unique(bucket.frames[bucket.ended]).tolist():
            frame = frames.frames[number]
            decision = frames.branches[frame.end].decision
            met.add((bucket.patients, frame.part, frame.level, frame.verdicts, frame.begun, decision))
    return met


def same_ends(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a trial can end in the same ways with and without barriers; True where it is too large."""
    try:
        with monkeypatch.context() as patched:
            patched.setattr("doselang.machine.compiling.barriers_of", lambda *_: None)
            whole = ends(protocol)
        return ends(protocol) == whole
    except (TooManyStates, OverflowError):
        return True


FILLED = """protocol "Filled"
levels 1 to 4
start at level 1
toxicity DLT
part escalation
cohorts of 2
rule "up"
  when exactly 2 evaluable and no DLT and a higher level remains
  then escalate
rule "up after four"
  when exactly 4 evaluable and at most MOST DLTs and a higher level remains
  then escalate
rule "more"
  when exactly 2 evaluable and exactly 1 DLT
  then enrol 2 more
rule "top"
  when exactly 2 evaluable and no DLT and no higher level remains
  then fill this level to 4
rule "four at the top"
  when exactly 4 evaluable and at most MOST DLTs and no higher level remains
  then declare this level as MTD, stop
rule "too toxic"
  when exactly 2 DLTs or at least MORE DLTs
  then close this level as too toxic
rule "down"
  when this level is closed as too toxic and fewer than 4 evaluable at the next lower level
  then fill the next lower level to 4
rule "full below"
  when this level is closed as too toxic and at least 4 evaluable at the next lower level and NOT
  then declare the next lower level as MTD, stop
rule "again"
  when this level is closed as too toxic and at least 4 evaluable at the next lower level and AGAIN
  then enrol 2 at level 1
rule "none"
  when this level is closed as too toxic and no lower level exists
  then declare no MTD, stop
"""


def filled(most: int, again: str) -> Protocol:
    """Cohorts of two in which up to `most` of four may have a DLT; `again` tells when level 1 is opened again."""
    text = FILLED.replace("MOST", str(most)).replace("MORE", str(most + 1))
    return protocol_of(text.replace("NOT", again.replace(" is ", " is not ")).replace("AGAIN", again))


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("again", ["this level is level 3", "this level is level 4"])
def test_trials_that_fill_levels_end_alike(monkeypatch: pytest.MonkeyPatch, most: int, again: str) -> None:
    protocol = filled(most, again)
    assert compile_protocol(protocol).parts[0].barriers is not None
    assert same_ends(protocol, monkeypatch)


def test_a_part_that_fills_a_level_up_knows_who_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many patients the expansion takes depends on those of the escalation, though it reads nothing of them."""
    text = FILLED.replace("MOST", "2").replace("MORE", "3").replace(" and NOT", "")
    text = text.replace(text[text.index('rule "again"') : text.index('rule "none"')], "")
    text = text.replace("lower level as MTD, stop", "lower level as MTD, begin expansion filling level 1 to 8")
    text += 'part expansion\ncohorts of 2\nrule "done"\n  when the cohort is complete\n  then stop\n'
    protocol = protocol_of(text)
    assert same_ends(protocol, monkeypatch)
    monkeypatch.setattr("doselang.machine.barriers._go", lambda *given: None if given[4] == 8 else _GO(*given))
    assert not same_ends(protocol, monkeypatch)


_GO = barriers._go


@given(protocols())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_trials_end_alike(monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> None:
    assert same_ends(protocol, monkeypatch)


@given(rolling())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_rolling_trials_end_alike(monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> None:
    assert same_ends(protocol, monkeypatch)


@pytest.mark.parametrize("wrong", [("_go", lambda *_: None), ("_only_at", lambda _: 0)], ids=["moves", "jumps"])
def test_barriers_that_are_wrong_are_noticed(wrong: tuple[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = filled(2, "this level is level 3")
    assert same_ends(protocol, monkeypatch)
    monkeypatch.setattr(f"doselang.machine.barriers.{wrong[0]}", wrong[1])
    assert not same_ends(protocol, monkeypatch)


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.stem in BARRED], ids=lambda path: path.stem)
def test_check_finds_the_same_without_barriers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = load(str(path)).protocol
    assert protocol is not None
    found = check(protocol)

    def without(*given: object) -> Barriers | None:
        barriers = barriers_of(*given)  # type: ignore[arg-type]
        return None if barriers is None else evolve(barriers, up=False, down=False)

    monkeypatch.setattr("doselang.machine.compiling.barriers_of", without)
    whole = check(protocol)
    assert found.states < whole.states
    assert found.max_patients == whole.max_patients
    assert [without_number(fact) for fact in found.facts] == [without_number(fact) for fact in whole.facts]


def without_number(fact: object) -> object:
    """A fact without how many situations it is about, which are fewer where some are one; chances to 12 digits."""
    if not isinstance(fact, Cause):
        return fact
    return evolve(fact, steps=0, probability={name: round(one, 12) for name, one in fact.probability.items()})


# ---- where patients are counted that nothing reads ----


def test_a_table_counts_the_patients_of_a_level_that_rules_no_longer_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expansion counts its own patients alone; its table also says how many are at the level in all."""
    text = FILLED.replace("MOST", "2").replace("MORE", "3").replace(" and NOT", "")
    again = text[text.index('rule "again"') : text.index('rule "none"')]
    text = text.replace(again, "").replace(
        "next lower level as MTD, stop", "next lower level as MTD, begin expansion at level 1"
    )
    text += 'part expansion\ncohorts of 2\nrule "done"\n  when exactly 2 evaluable in the part\n  then stop\n'
    protocol = protocol_of(text)

    def fewest() -> int:
        found = [looks for looks in looks_of(counted(protocol)) if looks.part == 1 and not looks.in_part]
        return min(int(looks.evaluable.min()) for looks in found)

    assert fewest() == 4  # two of the escalation, at least, and two more
    monkeypatch.setattr("doselang.conduct.looks._compiled", compile_protocol)
    assert fewest() == 2
