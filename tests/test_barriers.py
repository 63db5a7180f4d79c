"""Levels at which no cohort can open any more: which they are, and that to forget them changes no finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given

from doselang.api import load, load_source
from doselang.check.checking import check
from doselang.check.facts import Cause
from doselang.machine.barriers import Barriers, barriers_of, parts_that_matter
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.exploring import TooManyStates, explore
from doselang.machine.states import Frames
from doselang.machine.steps import Steps
from doselang.protocol.model import Protocol
from doselang.source import Source
from tests.generate import protocols
from tests.test_constructs_e import FILLING

ROOT = Path(__file__).parent.parent
SHIPPED = [*sorted((ROOT / "protocols").glob("*.dose")), *sorted((ROOT / "protocols" / "designs").glob("*.dose"))]

BARRED = {
    "a-plus-b", "accelerated-titration", "accelerated-titration-double-steps", "pure-de-escalation",
    "sequential-cohorts", "three-plus-three-escalation-only", "three-plus-three-plus-three",
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
