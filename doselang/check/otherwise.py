"""Deciding otherwise: whether a claim would fail if the trial decided differently at one look.

Every answer that the rules give somewhere is tried at reachable looks everywhere else in its part, with the answers to
the other questions given anywhere, or without; and the rules go on from there, without limits.
That is what a change of the moves of a rule does, in one exploration instead of one a change; only the claims that
withstand it need changed protocols (`mutants.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import product

import numpy as np
from attrs import evolve, frozen

from doselang.check.watching import AllFailed, ClaimWatch, Gathered, Watcher
from doselang.machine.arrays import present
from doselang.machine.columns import Bools
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Answers, Branch, Decision, Ended, GoesOn, Opened
from doselang.machine.exploring import Exploration, TooManyStates, explore
from doselang.machine.records import Ints
from doselang.machine.situations import Situations, every_exit
from doselang.machine.states import Frames
from doselang.machine.steps import Steps, forget, sources, taken

MOST_LOOKS = 200
"""So many states of a part are tried, spread over all situations that were met."""


@frozen
class Extent:
    """How much is tried: so many steps of each part, and what follows on so many of them, through so many states."""

    steps: int
    beginnings: int
    states: int


EXTENTS = (Extent(5_000, 100, 1_000), Extent(50_000, 500, 5_000))
"""A few steps are enough for most claims; more are tried for those that withstand them."""
CHANGE = "another decision at a look"


def broken_otherwise(found: Exploration, claims: set[int]) -> dict[int, str]:
    """For each claim that fails after a decision made of answers given elsewhere: what was changed, in words."""
    broken: set[int] = set()
    for extent in EXTENTS:
        if claims - broken:
            broken |= _broken_within(found, claims - broken, extent)
    return dict.fromkeys(sorted(broken), CHANGE)


def _broken_within(found: Exploration, claims: set[int], extent: Extent) -> set[int]:
    protocol = found.machine.protocol
    watches = {n: ClaimWatch(protocol.claims[n]) for n in sorted(claims)}
    watcher = Watcher(list(watches.values()), stop_when_all_failed=True)
    with suppress(AllFailed):
        others = [(part, *made) for part in range(len(protocol.parts)) for made in _other_steps(found, part, extent)]
        for part, own, steps in others:
            watcher(steps, own.frames)
            forget(own.frames, part, steps.codes, steps.frames)
        # to follow them takes longer: first where most situations are, for there most can fail
        for _, own, steps in sorted(others, key=lambda one: -len(one[2].of.frames)):
            _follow(own, steps, watcher, extent)
    return {n for n, watch in watches.items() if watch.failed is not None}


def _other_steps(found: Exploration, part: int, extent: Extent) -> Iterator[tuple[Exploration, Steps]]:
    """Steps out of reachable states of a part in which each look decides what others of the part decide.

    They are made in an exploration of their own: nothing that only they meet counts as reachable.
    """
    there = [state for row, state in sorted(found.first_state.items()) if found.situations.rows[row].part == part]
    looks = [found.state(number) for number in _spread(np.array(there, np.int64), MOST_LOOKS).tolist()]
    if not looks:
        return
    machine = _without_limits(found.machine)
    frames = Frames(machine)
    own = Exploration(machine, frames, Situations(machine, frames, found.situations.accrual))
    numbers = np.array([frames.frame(found.frames.frames[bucket.frames[at]]) for bucket, at in looks], np.int32)
    codes = np.array([bucket.codes[at] for bucket, at in looks], np.int32)
    state, exits = every_exit(own.situations, own.situations.of(part, numbers, codes))
    branches = np.array([frames.branch(branch) for branch in _decisions(found, part)], np.int32)
    deciding = [not isinstance(branch.decision.answers.next, GoesOn) for branch in frames.branches]
    open_to = np.flatnonzero(np.array(deciding, np.bool_)[own.situations.branch[exits]])
    each = _spread(open_to, max(1, extent.steps // max(1, len(branches))))
    which, branch = np.repeat(each, len(branches)), np.tile(branches, len(each))
    pending = (found.machine.records.tally(-2)[codes].sum(axis=1) > 0)[state[which]]
    possible = _possible(own, numbers[state[which]], pending, branch)
    which, branch = which[possible], branch[possible]
    yield (
        own,
        taken(
            own.situations,
            sources(numbers, codes),
            state[which].astype(np.int32),
            exits[which].astype(np.int32),
            branch,
        ),
    )


def _without_limits(machine: Machine) -> Machine:
    """The machine with the same records, in which a claim that repeats a limit can fail."""
    if not machine.limits:
        return machine
    protocol = evolve(machine.protocol, parts=tuple(evolve(part, limits=()) for part in machine.protocol.parts))
    parts = tuple(evolve(part, part=protocol.parts[part.number], limits=()) for part in machine.parts)
    return evolve(machine, protocol=protocol, parts=parts)


def _follow(own: Exploration, steps: Steps, watcher: Watcher, extent: Extent) -> None:
    """What the rules do after other decisions, through the first states."""
    some = _spread(np.flatnonzero(own.frames.ended[steps.frames] == 0), extent.beginnings)
    if len(some):
        begin, gathered = (steps.frames[some], steps.codes[some]), Gathered(watcher)
        with suppress(TooManyStates):
            explore(own.machine, begin=begin, met=own, max_states=extent.states, watch=gathered)
        gathered.rest()


def _spread(numbers: Ints, most: int) -> Ints:
    """At most so many of the numbers, evenly spread."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).astype(np.int64)]


def _decisions(found: Exploration, part: int) -> list[Branch]:
    """What a part decides, question by question: each answer that is given somewhere, or none, with every other.

    A cohort of every size that is enrolled is tried one level higher, one level lower, and here.
    """
    met = present(found.situations.branch[found.situations.part_of_exit == part])
    branches = [found.frames.branches[number] for number in met]
    answers = [branch.decision.answers for branch in branches if branch.decision.undecided is None]
    closes = dict.fromkeys([(), *(one.closes for one in answers)])
    declares = dict.fromkeys([(), *(one.declares for one in answers)])
    nexts = dict.fromkeys((one.next, one.counts) for one in answers if isinstance(one.next, Opened | Ended))
    sizes = {one.next.size for one in answers if isinstance(one.next, Opened) and one.next.part is None}
    nexts |= dict.fromkeys((Opened(offset, size), ()) for size in sorted(sizes) for offset in (-1, 0, 1))
    made = (Answers(c, d, what, counts) for (what, counts), d, c in product(nexts, declares, closes))
    branches = [Branch((), Decision(one, ((), (), ()))) for one in made]
    return branches + [evolve(b, settles=True) for b in branches if found.machine.parts[part].part.rolling]


def _possible(own: Exploration, numbers: Ints, pending: Bools, branch: Ints) -> Bools:
    """Which branches name only levels that are there, and begin no part again; row by row, from frames of a part.

    Where patients are pending a branch that leaves the part settles them.
    """
    frames = own.frames
    possible, level = np.ones(len(branch), np.bool_), frames.level[numbers]
    for number in present(branch):
        rows = np.flatnonzero(branch == number)
        taken_by = frames.branches[number]
        answers = taken_by.decision.answers
        stays = isinstance(answers.next, Opened) and answers.next.part is None
        possible[rows] &= taken_by.settles == (pending[rows] & (not stays))
        offsets = [close.offset for close in answers.closes]
        offsets += [declares.offset for declares in answers.declares if declares.offset is not None]
        if isinstance(answers.next, Opened):
            offsets += [answers.next.offset, *(offset for offset, _ in answers.next.beside)]
            if answers.next.part is not None:
                possible[rows] &= (frames.begun[numbers[rows]] >> answers.next.part & 1) == 0
        for offset in offsets:
            possible[rows] &= (level[rows] + offset >= 0) & (level[rows] + offset < own.machine.levels)
    return possible
