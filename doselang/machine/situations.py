"""Local situations: the rules are evaluated once for each, into a row of exits.

A cohort is one step. The patient-by-patient tree inside it lives in the row: an exit is one way in which the cohort
can end, with the counts of its outcomes, the number of orders in which the patients can bring them, and the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from attrs import define, field

from doselang.machine.arrays import NDArray, distinct, held_once, labels, pack, present, ranges, summed
from doselang.machine.cohorts import after_outcomes, exits_of, outcomes_of
from doselang.machine.columns import NONE_ANY_MORE, View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.decisions import Outcome
from doselang.machine.exits import Accrual, Exit, Row
from doselang.machine.looking import decide_all, may_ask
from doselang.machine.reading import Reads
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.remembering import Asked, Classes
from doselang.machine.rolling import GOES_ON, entering, rolling, settling
from doselang.machine.states import COHORT, ENTERING, ROLLING, Frames, view_of
from doselang.protocol.classes import worsenings
from doselang.protocol.guards import Place

BLOCK = 1 << 14
"""So many new situations are evaluated at once."""

FRAME_COLUMNS = 5
"""So many columns tell what every rule, and what can come next, reads of a frame."""

ASKED = -1
"""Stands for the number of a situation of which more must be read, because an adviser may be asked."""


def _none() -> Ints:
    return np.zeros(0, np.int32)


@define
class Situations:
    """All local situations met so far; those with the same exits share a row, and its exits in the flat columns."""

    machine: Machine
    frames: Frames
    accrual: Accrual = "one-at-a-time"
    known_gates: frozenset[tuple[int, int]] | None = None
    """The (part, gate) whose chances are known; None: all outcomes of every human decision are explored."""
    rows: list[Row] = field(factory=list)
    first: Ints = field(factory=_none)
    """By situation: its first exit in the flat columns; `count` has their number."""
    count: Ints = field(factory=_none)
    change: Ints = field(factory=_none)
    """By exit: the change of the level's record; likewise branch, patients, orders, letters, part and size."""
    branch: Ints = field(factory=_none)
    patients: Ints = field(factory=_none)
    orders: NDArray[np.float64] = field(factory=lambda: np.zeros(0))
    letters: list[str] = field(factory=list)
    aside: Ints = field(factory=_none)
    """By exit: the offset of the level whose record changes, other than 0 only in rolling parts."""
    part_of_exit: Ints = field(factory=_none)
    size_of_exit: Ints = field(factory=_none)
    _numbers: dict[tuple[int, bool], dict[bytes, int]] = field(factory=dict)
    _shape_numbers: dict[object, int] = field(factory=dict)
    _shape_rows: list[Row] = field(factory=list)
    _shape_first: Ints = field(factory=_none)
    _shape_count: Ints = field(factory=_none)

    def of(self, part: int, frames: Ints, codes: Ints) -> Ints:
        """The number of the situation of each state of a part; those that are new are evaluated."""
        compiled = self.machine.parts[part]
        local = compiled.reads.local if compiled.reads.everything else compiled.reads
        if local is None:
            return self._numbered(compiled, None, frames, codes)
        numbers = self._numbered(compiled, local, frames, codes)
        asked = np.flatnonzero(numbers == ASKED)
        if len(asked):
            numbers[asked] = self._numbered(compiled, None, frames[asked], codes[asked])
        return numbers

    def _numbered(self, part: PartMachine, reads: Reads | None, frames: Ints, codes: Ints) -> Ints:
        """The number of the situation of each state, told by what is read of it (None: everything).

        ASKED where all that is read does not tell, because an adviser is asked for more.
        """
        columns = [frames, *codes.T] if reads is None else self.features(part, reads, frames, codes)
        index, inverse = distinct(columns)
        features = np.column_stack([column[index] for column in columns]).astype(np.int32)
        known, told = self._numbers.setdefault((part.number, reads is None), {}), labels(features)
        new = np.array([position for position, label in enumerate(told) if label not in known], np.int32)
        for start in range(0, len(new), BLOCK):
            some = new[start : start + BLOCK]
            asked = None if reads is None else self._looks(part, reads, features[some])
            rows = self._evaluated(part, frames[index[some]], codes[index[some]], asked)
            known.update(zip((told[position] for position in some.tolist()), self._add(rows).tolist(), strict=True))
        return np.array([known[label] for label in told], np.int32)[inverse]

    def _looks(self, part: PartMachine, reads: Reads, features: Ints) -> list[Asked]:
        """What looks are told by: in a rolling part not who is pending where, which only tells what can come next."""
        kept = np.ones(features.shape[1], np.bool_)
        if part.part.rolling:
            exists = sum(standing.standing == "exists" for standing in reads.standings)
            of_frame = FRAME_COLUMNS + exists + len(reads.verdicts) + len(reads.counters)
            kept[of_frame : of_frame + 3 + self.machine.levels] = False
        known = self._known(part.number)
        return [(part.number, known, label) for label in labels(features[:, kept])]

    def features(
        self, part: PartMachine, reads: Reads, frames: Ints, codes: Ints, evaluable: int | None = None
    ) -> list[Ints]:
        """Columns of whole numbers, from 0, that hold all that is read of a state.

        `evaluable` are the patients that are evaluable in each state, where they are as many in all and that is known.
        """
        records, numbers = self.machine.records, self.frames
        view = view_of(numbers, part.number, frames, codes)
        columns = self._of_frame(reads, frames, view)
        if part.part.rolling:
            pending = records.tally(-2)[codes]
            several = np.minimum(pending.sum(axis=1, dtype=np.int32), 2)
            columns += [view.here, numbers.at[frames], several, *(pending > 0).astype(np.int32).T]
            columns += [risk.astype(np.int32) for risk in self._at_risk(part.number, codes).reshape(len(codes), -1).T]
        for place, read in reads.columns:
            columns += self.at_place(part, place, read, view)
        for what in reads.trial:
            same = evaluable if what == -1 else None
            columns.append(summed(records.tally(what), codes) if same is None else np.broadcast_to(same, len(codes)))
        columns += [summed(records.tally(what, p), codes) for p, what in reads.parts]
        columns += [(truth(s, view) > 0).astype(np.int32) for s in reads.standings if s.standing != "exists"]
        if reads.closings:
            columns += [view.here, *view.closed().astype(np.int32).T]
        return columns

    def _of_frame(self, reads: Reads, frames: Ints, view: View) -> list[Ints]:
        """The columns of what the frame tells; held once where all are in one frame."""
        if held_once(frames):
            once = self._of_frame(reads, frames[:1].copy(), view.alone())
            return list(np.broadcast_to(np.array(once), (len(once), len(frames))))
        numbers = self.frames
        of_frame = (numbers.size, numbers.begun, numbers.sentinel, numbers.silent, numbers.mode)
        return [
            *(column[frames] for column in of_frame),
            *((truth(s, view) > 0).astype(np.int32) for s in reads.standings if s.standing == "exists"),
            *(view.verdicts[:, verdict] - NONE_ANY_MORE for verdict in reads.verdicts),
            *(view.counters[:, counter] for counter, _ in reads.counters),
        ]

    def at_place(self, part: PartMachine, place: Place, read: tuple[int, ...], view: View) -> list[Ints]:
        """Columns of what is read of a level, and where it is, if that is not the same for all of a frame."""
        (code, exists), (index, _) = view.at(place), view.place(place)
        classes = self.machine.remembered.classes.setdefault((part.number, place), Classes(read))
        class_of = 1 + classes(view.records.table, len(view.records))
        if held_once(exists):
            columns = [class_of.take(code) if exists[0] else np.broadcast_to(np.int32(0), len(view))]
        else:
            columns = [np.where(exists, class_of.take(code), 0)]
        if place.kind not in ("this", "next higher", "next lower") or not self.machine.setting.relations.plain:
            columns.append(np.where(exists, index - view.here + self.machine.levels, 0))
        return columns

    def _evaluated(self, part: PartMachine, frames: Ints, codes: Ints, asked: list[Asked] | None) -> Ints:
        """The row of exits of each of some new situations, with what their looks are told by (None: by everything).

        ASKED where an adviser may be asked, if it does not tell everything.
        """
        may_ask = asked is not None
        of_frame, number = self.frames, part.number
        columns = (of_frame.size, of_frame.sentinel, of_frame.silent, of_frame.mode)
        kind = np.column_stack([column[frames] for column in columns])
        rows = np.empty(len(frames), np.int32)
        _, first, which = np.unique(pack(kind), return_index=True, return_inverse=True)
        for number_of_kind, (size, sentinel, silent, mode) in enumerate(kind[first].tolist()):
            some = np.flatnonzero(which == number_of_kind)
            if mode == ENTERING:
                exits = partial(entering, size, 1 + len(self.machine.protocol.toxicities))
                rows[some] = self._shape((number, size, "entering"), exits, number, size)
            elif mode != COHORT:
                rows[some] = self._rolling(part, mode, frames[some], codes[some], _some(asked, some))
            elif silent:
                rows[some] = self._shape((number, size, "silent"), partial(self._silent_exits, size), number, size)
            else:
                told = some
                if may_ask and part.reads.everything:
                    asks = self._ask(part, size, bool(sentinel), frames[some], codes[some])
                    rows[some[asks]], told = ASKED, some[~asks]
                if len(told):
                    rows[told] = self._shapes(part, size, bool(sentinel), frames[told], codes[told], _some(asked, told))
                if may_ask and part.reads.everything:
                    undecided = np.zeros(len(self._shape_rows), np.bool_)
                    undecided[[row for row in present(rows[told]) if _undecided(self._shape_rows[row])]] = True
                    rows[told[undecided[rows[told]]]] = ASKED
        return rows

    def _add(self, rows: Ints) -> Ints:
        """Numbers for new situations with some rows of exits; ASKED for those without."""
        self._write()
        told = rows != ASKED
        numbers = np.where(told, len(self.rows) + np.cumsum(told) - 1, ASKED).astype(np.int32)
        self.first = _joined(self.first, self._shape_first[rows[told]])
        self.count = _joined(self.count, self._shape_count[rows[told]])
        self.rows += [self._shape_rows[shape] for shape in rows[told].tolist()]
        return numbers

    def _ask(self, part: PartMachine, size: int, sentinel: bool, frames: Ints, codes: Ints) -> NDArray[np.bool_]:
        """Whether after some outcome of the cohort a line that asks an adviser may act."""
        nodes = self._nodes(part, size, sentinel)
        view = after_outcomes(self.frames, part, frames, codes, nodes, size, sentinel)
        asks = may_ask(self.machine, part, view, np.repeat(self.frames.begun[frames], len(nodes)))
        asked: NDArray[np.bool_] = np.any(asks.reshape(len(frames), len(nodes)), axis=1)
        return asked

    def _nodes(self, part: PartMachine, size: int, sentinel: bool) -> list[tuple[int, ...]]:
        """The outcomes of a cohort after which there may be a look."""
        early = self.accrual != "whole-cohort" and bool(part.any_time)
        return outcomes_of(size, self.machine.protocol.toxicities, early, sentinel)

    def _decided(
        self, part: PartMachine, size: int, sentinel: bool, frames: Ints, codes: Ints, asked: list[Asked] | None,
        nodes: list[tuple[int, ...]],
    ) -> Ints:  # fmt: skip
        """What each outcome of a cohort comes to in some states, [states, nodes]: a number of those remembered."""
        remembered = self.machine.remembered
        early = self.accrual != "whole-cohort" and bool(part.any_time)
        new = list(range(len(frames))) if asked is None else remembered.new(asked, early)
        rows: Ints = np.zeros((0, len(nodes)), np.int32)
        if new:
            view = after_outcomes(self.frames, part, frames[new], codes[new], nodes, size, sentinel)
            begun = np.repeat(self.frames.begun[frames[new]], len(nodes))
            numbers, outcomes = decide_all(self.machine, part, view, begun, self._known(part.number))
            rows = remembered.numbered(numbers, outcomes).reshape(len(new), len(nodes))
        if asked is None:
            return rows
        remembered.keep([asked[position] for position in new], early, rows)
        whole = not early and part.any_time and size
        every = outcomes_of(size, self.machine.protocol.toxicities, True, sentinel) if whole else nodes
        place = {node: position for position, node in enumerate(every)}
        return remembered.of(asked, early, [place[node] for node in nodes])

    def _shapes(
        self, part: PartMachine, size: int, sentinel: bool, frames: Ints, codes: Ints, asked: list[Asked] | None
    ) -> Ints:  # fmt: skip
        """The rows of cohorts of one size, from each of some states."""
        nodes = self._nodes(part, size, sentinel)
        decided = self._decided(part, size, sentinel, frames, codes, asked, nodes)
        _, first, inverse = np.unique(pack(decided + 1), return_index=True, return_inverse=True)
        every = list(self.machine.remembered.outcomes)
        shapes = []
        for row in first:
            here = [every[n] if n >= 0 else None for n in decided[row].tolist()]
            key = (part.number, size, sentinel, decided[row].tobytes())
            shapes.append(self._shape(key, partial(exits_of, nodes, here, size), part.number, size, tuple(here)))
        return np.array(shapes, np.int32)[inverse]

    def _silent_exits(self, size: int) -> tuple[Exit, ...]:
        """The exits of patients beside a cohort: every outcome, and no look."""
        nodes = outcomes_of(size, self.machine.protocol.toxicities, False)
        return exits_of(nodes, [GOES_ON] * len(nodes), size)

    def _rolling(self, part: PartMachine, mode: int, frames: Ints, codes: Ints, asked: list[Asked] | None) -> Ints:
        """The rows of states of a rolling part in which somebody can come or become known."""
        number, toxicities = part.number, self.machine.protocol.toxicities
        at, pending = self.frames.at[frames], np.minimum(self.machine.records.tally(-2)[codes], 2)
        look: Ints = np.zeros(len(frames), np.int32)
        risks = self._at_risk(number, codes)
        if mode == ROLLING:
            nobody = (0,) * (1 + len(toxicities))
            look, pending = self._decided(part, 0, False, frames, codes, asked, [nobody])[:, 0], pending > 0
        kinds = np.column_stack([at, look, pending, risks.reshape(len(frames), -1)])
        _, first, inverse = np.unique(pack(kinds), return_index=True, return_inverse=True)
        every, shapes = list(self.machine.remembered.outcomes), np.zeros(len(first), np.int32)
        for kind in np.argsort(first).tolist():  # in the order of the states
            here, decided, *there = kinds[first[kind], : 2 + pending.shape[1]].tolist()
            worse = self._worse(risks[first[kind]]) if mode == ROLLING else ()
            if mode == ROLLING:
                look_at_arrival = every[decided]
                exits = partial(rolling, number, look_at_arrival, tuple(there), here, toxicities, self.accrual, worse)
            else:
                exits = partial(settling, number, tuple(there), here, toxicities)
            shapes[kind] = self._shape((number, mode, here, decided, *there, worse), exits, number, 0)
        return shapes[inverse]

    def _at_risk(self, part: int, codes: Ints) -> NDArray[np.bool_]:
        """Whether a patient of a part with each outcome is there who can have a toxicity later, [states, levels, some].

        The last are the outcomes before `worsenings`; there are none where no toxicity is later.
        """
        before = sorted({before for before, _ in worsenings(self.machine.protocol.toxicities)})
        if not before:
            return np.zeros((*codes.shape, 0), np.bool_)
        at_risk: NDArray[np.bool_] = (self.machine.records.outcomes(part)[:, before] > 0)[codes]
        return at_risk

    def _worse(self, at_risk: NDArray[np.bool_]) -> tuple[tuple[int, int, int], ...]:
        """The toxicities in later cycles that can come in a state: level, outcome before and after."""
        if not at_risk.shape[1]:
            return ()
        pairs = worsenings(self.machine.protocol.toxicities)
        place = {before: number for number, before in enumerate(sorted({before for before, _ in pairs}))}
        levels = range(len(at_risk))
        return tuple((level, *pair) for level in levels for pair in pairs if at_risk[level, place[pair[0]]])

    def _known(self, part: int) -> frozenset[int] | None:
        """The gates of a part whose chances are known; None: all."""
        return None if self.known_gates is None else frozenset(g for p, g in self.known_gates if p == part)

    def _shape(
        self, key: object, exits: Callable[[], tuple[Exit, ...]], part: int, size: int,
        decided: tuple[Outcome | None, ...] = (),
    ) -> int:  # fmt: skip
        """The number of a row, which is made where it is new; its exits are written later, with those of others."""
        number = self._shape_numbers.get(key)
        if number is not None:
            return number
        number = self._shape_numbers[key] = len(self._shape_rows)
        self._shape_rows.append(Row(part, size, exits(), decided))
        return number

    def _write(self) -> None:
        """Put the exits of new rows into the flat columns."""
        rows = self._shape_rows[len(self._shape_first) :]
        if not rows:
            return
        flat = [(row, e, b) for row in rows for e in row.exits for b in e.outcome]
        count = np.array([sum(len(e.outcome) for e in row.exits) for row in rows], np.int32)
        self._shape_first = _joined(self._shape_first, len(self.change) + np.cumsum(count) - count)
        self._shape_count = _joined(self._shape_count, count)
        changes = [self.machine.records.change(e.change or Evaluable(row.part, e.counts)) for row, e, _ in flat]
        self.change = _joined(self.change, changes)
        self.branch = _joined(self.branch, [self.frames.branch(b) for _, _, b in flat])
        self.patients = _joined(self.patients, [e.patients for _, e, _ in flat])
        self.aside = _joined(self.aside, [e.aside for _, e, _ in flat])
        self.orders = np.concatenate([self.orders, [e.orders for _, e, _ in flat]])
        self.letters += [e.letters for _, e, _ in flat]
        self.part_of_exit = _joined(self.part_of_exit, [row.part for row, _, _ in flat])
        self.size_of_exit = _joined(self.size_of_exit, [row.size for row, _, _ in flat])


def every_exit(situations: Situations, rows: Ints) -> tuple[Ints, Ints]:
    """All exits of some situations, one after another: the position in `rows`, and the exit, of each."""
    return ranges(situations.first[rows], situations.count[rows])


def _some(asked: list[Asked] | None, rows: Ints) -> list[Asked] | None:
    return None if asked is None else [asked[row] for row in rows.tolist()]


def _undecided(row: Row) -> bool:
    return any(branch.decision.undecided is not None for one in row.exits for branch in one.outcome)


def _joined(old: Ints, new: Sequence[int] | Ints) -> Ints:
    return np.concatenate([old, np.asarray(new, np.int32)])
