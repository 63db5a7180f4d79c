"""All looks that a trial can come to, part by part, gathered from an exploration that counts all patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np
from attrs import frozen

from doselang.conduct.answers import decision_word
from doselang.conduct.orders import ways_of
from doselang.conduct.seen import Condition, Decided, Looks, Seen, conditions_of
from doselang.machine.arrays import distinct, summed
from doselang.machine.barriers import barriers_of
from doselang.machine.cohorts import after_outcomes
from doselang.machine.columns import Bools, View, truth
from doselang.machine.compiling import Machine, PartMachine, compile_protocol
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES, Exploration, explore
from doselang.machine.reading import Line, parts_after
from doselang.machine.records import Fading, Ints, Outcome, Records
from doselang.machine.states import ROLLING, view_of
from doselang.protocol.classes import tabled
from doselang.protocol.guards import (
    Chance,
    Guard,
    Place,
    Recommends,
    Tally,
    atoms,
)
from doselang.protocol.model import Adviser, Engine, Protocol

WAIT = "wait"

MOST_ROWS = 1_000_000
"""So many looks are worked out together, roughly."""

# ---- a machine that counts the patients at every level ----


def counted(
    protocol: Protocol, accrual: Accrual = "one-at-a-time", *, max_states: int = MAX_STATES
) -> Exploration:  # fmt: skip
    """All states, with the true numbers of evaluable and of tabled patients at every level where a cohort can open.

    The machine as compiled stops counting where no condition can tell the difference; it is explored once to know how
    far there is to count, and again if that is farther. Raises as `explore`.
    """
    found = explore(_compiled(protocol), accrual, max_states=max_states)
    counters = _counters(found.machine)
    if found.machine.records.ceilings[counters].min() >= found.max_patients:
        return found
    machine = _compiled(protocol)
    ceilings = _raised(machine.records.ceilings, counters, found.max_patients)
    machine.setting.records = Records(machine.records.layout, ceilings)
    for part in machine.parts:
        part.fading = Fading(tuple(_raised(np.array(part.fading.ceilings), counters, found.max_patients).tolist()))
    return explore(machine, accrual, max_states=max_states)


def _compiled(protocol: Protocol) -> Machine:
    """The machine, in which a level is forgotten only if no part at all can open a cohort there any more."""
    machine, after = compile_protocol(protocol), parts_after(protocol)
    lines = [part.lines for part in machine.parts]
    for part in machine.parts:
        running = [(number, machine.parts[number].reads) for number in sorted(after[part.number])]
        part.barriers = barriers_of(protocol, running, lines)
    return machine


def _counters(machine: Machine) -> list[int]:
    """The columns of a record that count evaluable patients, and those with a toxicity that the tables count."""
    layout, counted = machine.records.layout, (-1, *tabled(machine.protocol))
    return [layout.part_n(part) + 1 + what for part in range(layout.parts) for what in counted]


def _raised(ceilings: Ints, columns: list[int], least: int) -> Ints:
    raised = ceilings.copy()
    raised[columns] = np.maximum(raised[columns], least)
    return raised


# ---- gathering ----


def looks_of(found: Exploration) -> Iterator[Looks]:
    """The looks of every part that has any, counted at the level in all parts; for later parts also in the part alone.

    `found` is an exploration made by `counted`.
    """
    states = _States(
        np.concatenate([bucket.frames for bucket in found.buckets]),
        np.concatenate([bucket.codes for bucket in found.buckets]),
    )
    made = found.every_step()
    source, exits = made.source, made.exit
    decisions, of_exit, first = _decided(found)
    kinds = found.machine.records.kinds()
    is_look = np.array([isinstance(kind, Outcome) for kind in kinds], np.bool_)[found.situations.change]
    some = first[exits] & is_look[exits] & ~found.frames.silent[states.frames[source]].astype(np.bool_)
    waiting = np.setdiff1d(source[found.frames.mode[states.frames[source]] == ROLLING], source[some])
    source, exits = source[some], exits[some]
    part_of = found.frames.part[states.frames[source]]
    for part in found.machine.parts:
        of_part = part_of == part.number
        if of_part.any():
            seen = Seen(part.number, conditions_of(found.machine, part.number), tabled(found.machine.protocol))
            own, leaving = source[of_part], exits[of_part]
            there = np.isin(own, _unlike(found, part, states, np.unique(own), seen.conditions))
            own, leaving = own[there], leaving[there]
            early = _some_early(found, states, own, leaving)
            for block in _blocks(found, part, states, own):
                seen.add(*_rows(found, part.number, states, own[block], leaving[block], of_exit, early))
            if part.part.rolling:
                seen.add(*_waiting(found, part, states, waiting))
            yield from seen.looks(decisions)


def _unlike(
    found: Exploration, part: PartMachine, states: _States, sources: Ints, conditions: list[Condition]
) -> Ints:  # fmt: skip
    """Of some states of a part one of each kind: those of a kind have looks of which nothing that is asked differs.

    They agree in all that the rules read, in the record of the level, and in what further conditions tell.
    """
    if part.reads.everything:
        return sources
    numbers, codes = states.frames[sources], states.codes[sources]
    view, records = view_of(found.frames, part.number, numbers, codes), found.machine.records
    columns = found.situations.features(part, part.reads, numbers, codes)
    columns += [view.here, codes[np.arange(len(codes)), view.here]]
    for condition in conditions:
        match condition.guard:
            case Tally(what=what, scope="trial"):
                columns.append(summed(records.total(what), codes))
            case Tally(what=what, scope="part", part=of):
                columns.append(summed(records.total(what, part.number if of is None else of), codes))
            case guard if guard != "first cohort":
                columns.append(truth(guard, view).astype(np.int32) + 1)
    index, _ = distinct(columns)
    return sources[index]


def _some_early(found: Exploration, states: _States, source: Ints, exits: Ints) -> bool:
    """Whether some look comes before the cohort is complete."""
    counts = _counts(found.machine.records.kinds(), len(found.machine.protocol.toxicities))
    known = counts[found.situations.change[exits]].sum(axis=1)
    return bool((known < found.frames.size[states.frames[source]]).any())


def _blocks(found: Exploration, part: PartMachine, states: _States, source: Ints) -> Iterator[Ints]:
    """Steps out of states of a part, by position, some states at a time: they can be more than the memory holds."""
    order = np.argsort(source, kind="stable")
    starts = np.flatnonzero(np.diff(source[order], prepend=-1))
    largest = 1 + int(found.frames.size[states.frames[source]].max())
    outcomes = comb(largest + len(found.machine.protocol.toxicities), largest) if part.any_time else 1
    together = max(1, MOST_ROWS // max(outcomes, len(source) // len(starts)))
    for block in range(0, len(starts), together):
        end = block + together
        yield order[starts[block] : starts[end] if end < len(starts) else None]


@frozen(eq=False)
class _States:
    """All states of an exploration, by number."""

    frames: Ints
    codes: Ints


def _decided(found: Exploration) -> tuple[tuple[Decided, ...], Ints, Bools]:
    """All decisions; the decision of each exit; and whether an exit is the first of its look (of what people choose).

    The exits of a look stand together, the one in which the first option was chosen everywhere before the others.
    """
    branches, protocol = found.frames.branches, found.machine.protocol
    opening = np.array([all(option == 0 for _, option in branch.choices) for branch in branches], np.bool_)
    first = opening[found.situations.branch]
    look = np.cumsum(first) - 1
    ways: list[tuple[int, list[int]]] = []
    part_of = _parts_of_exits(found)
    for exit, number in enumerate(look.tolist()):
        if number == len(ways):
            ways.append((part_of[exit], []))
        ways[number][1].append(int(found.situations.branch[exit]))
    decisions: dict[Decided, int] = {Decided((WAIT,)): 0}
    known: dict[tuple[int, ...], int] = {}
    of_look = []
    for part, numbers in ways:
        key = (part, *numbers)
        if key not in known:
            known[key] = decisions.setdefault(_told(found.machine, protocol, part, numbers, found), len(decisions))
        of_look.append(known[key])
    return tuple(decisions), np.array(of_look, np.int32)[look], first


def _parts_of_exits(found: Exploration) -> list[int]:
    """The part of each exit, as its outcome was counted."""
    kinds = found.machine.records.kinds()
    part_of = [kind.part if isinstance(kind, Outcome) else -1 for kind in kinds]
    return [part_of[change] for change in found.situations.change.tolist()]


def _told(machine: Machine, protocol: Protocol, part: int, numbers: list[int], found: Exploration) -> Decided:
    decisions = [found.frames.branches[number].decision for number in numbers]
    acted = [machine.parts[part].lines[line] for decision in decisions for line in decision.lines]
    words = tuple(dict.fromkeys(decision_word(protocol, decision) for decision in decisions))
    asked = {adviser for line in acted for adviser in _asked_by(line)}
    models = frozenset(adviser for adviser in asked if _is_model(protocol.advisers[adviser]))
    return Decided(words, tuple(sorted({line.rule for line in acted})), models)


def _is_model(adviser: Adviser) -> bool:
    """Whether it goes by a posterior of all levels; `isotonic`, asked once at the end, only chooses the MTD."""
    return isinstance(adviser, Engine) and adviser.method != "isotonic"


def _asked_by(line: Line) -> Iterator[int]:
    """The advisers of all levels that a line of a rule asks, in its condition or in the place of a move."""
    yield from _asked_in(line.guard)
    for move in line.moves:
        yield from _asked_at(getattr(move, "place", None))


def _asked_in(guard: Guard) -> Iterator[int]:
    for atom in atoms(guard):
        if isinstance(atom, Chance | Recommends):
            yield atom.adviser
        for name in ("place", "other"):
            yield from _asked_at(getattr(atom, name, None))


def _asked_at(place: Place | None) -> Iterator[int]:
    if place is not None and place.kind == "recommended":
        yield place.index
    if place is not None and place.where is not None:
        yield from _asked_in(place.where)


def _rows(
    found: Exploration, part: int, states: _States, source: Ints, exits: Ints, of_exit: Ints, early: bool
) -> tuple[View, Ints]:
    """A view of every look of a part before its questions, with those at which a cohort goes on; and the decisions.

    A cohort can go on if rules of the part end some cohort `early`, be it among these looks or others.
    """
    kinds = found.machine.records.kinds()
    change = found.situations.change[exits]
    counts = _counts(kinds, len(found.machine.protocol.toxicities))
    decision = of_exit[exits]
    if early:
        more_source, more_change = _going_on(found, part, states, source, exits, counts)
        source, change = np.concatenate([source, more_source]), np.concatenate([change, more_change])
        decision = np.concatenate([decision, np.zeros(len(more_source), np.int32)])
        counts = _counts(found.machine.records.kinds(), len(found.machine.protocol.toxicities))
    numbers, records = states.frames[source], found.machine.records
    view = view_of(found.frames, part, numbers, states.codes[source])
    line = np.arange(len(source))
    view.codes[line, view.here] = records.apply(change, view.codes[line, view.here])
    known = counts[change]
    view.cohort = np.column_stack([known.sum(axis=1), known[:, 1:]]).astype(np.int32)
    view.complete = view.cohort[:, 0] == found.frames.size[numbers]
    alone = found.frames.sentinel[numbers] & ~view.complete & (view.cohort[:, 0] == 1)
    view.sentinel = alone.astype(np.bool_) & (view.cohort[:, 1:].sum(axis=1) > 0)
    return view, decision


def _waiting(found: Exploration, part: PartMachine, states: _States, sources: Ints) -> tuple[View, Ints]:
    """The looks of a rolling part at which the next patient waits, from states that have no other."""
    there = sources[found.frames.part[states.frames[sources]] == part.number].astype(np.int32)
    nobody = [(0,) * (1 + len(found.machine.protocol.toxicities))]
    view = after_outcomes(found.frames, part, states.frames[there], states.codes[there], nobody, 0)
    return view, np.zeros(len(there), np.int32)


def _counts(kinds: Sequence[object], toxicities: int) -> Ints:
    """By number of a change of a record: the patients without toxicity and with each; none but for outcomes."""
    counts = [kind.counts if isinstance(kind, Outcome) else (0,) * (1 + toxicities) for kind in kinds]
    return np.array(counts, np.int32)


def _going_on(
    found: Exploration, part: int, states: _States, source: Ints, exits: Ints, counts: Ints
) -> tuple[Ints, Ints]:
    """Where rules marked `at any time` were asked and none acted: the state, and the change of the level's record."""
    order = np.argsort(source, kind="stable")
    source, exits = source[order], exits[order]
    running, start = np.unique(source, return_index=True)
    ends = np.append(start[1:], len(source))
    situation = np.minimum.reduceat(exits, start)
    sources, changes = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for lowest in np.unique(situation).tolist():
        alike = np.flatnonzero(situation == lowest)
        leaving = exits[start[alike[0]] : ends[alike[0]]]
        decided: set[tuple[int, ...]] = {tuple(node) for node in counts[found.situations.change[leaving]].tolist()}
        nodes = [node for node in ways_of(decided, (0,) * counts.shape[1]) if node not in decided and any(node)]
        change = [found.machine.records.change(Outcome(part, node)) for node in nodes]
        sources.append(np.repeat(running[alike], len(nodes)).astype(np.int32))
        changes.append(np.tile(np.array(change, np.int32), len(alike)))
    return np.concatenate(sources), np.concatenate(changes)
