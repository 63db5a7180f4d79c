"""Looks that were seen, each once, and the conditions that may tell those with the same numbers apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.arrays import pack
from doselang.machine.columns import FALSE, TRUE, Bools, Truth, View, truth
from doselang.machine.compiling import Machine
from doselang.machine.records import ADDED_SIZE, Ints
from doselang.protocol.classes import tabled
from doselang.protocol.guards import (
    NEXT_HIGHER,
    NEXT_LOWER,
    THIS,
    CohortComplete,
    Compare,
    Declared,
    Guard,
    Place,
    Range,
    Standing,
    Tally,
    atoms,
)
from doselang.protocol.model import Enrol

MOST_COUNTED = 8
"""Numbers of a further toxicity at the level are told apart up to so many."""

MOST_CONDITIONS = 48
"""So many conditions are tried at most: their truths, and the numbers of patients, are packed into one number."""


@frozen
class Condition:
    """Something that can hold at a look before its questions; `plain` ones are tried before the rules' own."""

    guard: Guard | Literal["first cohort"]
    plain: bool = False


@frozen
class Decided:
    """What a look comes to: a word for each way in which people can choose (one where nobody does), and the rules.

    `rules` are positions in the part's rules, in order; `models` the advisers that those rules ask and that read the
    patients of all levels.
    """

    words: tuple[str, ...]
    rules: tuple[int, ...] = ()
    models: frozenset[int] = frozenset()


@frozen(eq=False)
class Looks:
    """The different looks of one part, one row each.

    `evaluable` and `dlt` count the patients at the level, and those with toxicities that are `tabled`, of the part
    alone if `in_part`. `truths[r, c]` tells whether condition c is true (1), open (0) or false (-1); `decision[r]` is a
    position in `decisions`.
    """

    part: int
    in_part: bool
    conditions: tuple[Condition, ...]
    decisions: tuple[Decided, ...]
    evaluable: Ints
    dlt: Ints
    truths: Truth
    decision: Ints

    @property
    def holds(self) -> Bools:
        holds: Bools = self.truths == TRUE
        return holds


def conditions_of(machine: Machine, part: int) -> list[Condition]:
    """What may tell looks with the same numbers apart: where the level stands, then what the rules ask."""
    plain: list[Guard | Literal["first cohort"]] = [
        Standing("higher", "remains"), Standing("lower", "exists"), "first cohort", CohortComplete(),
        Standing("higher", "exists"), Standing("lower", "remains"), Standing("higher", "tried"),
    ]  # fmt: skip
    records, counted = machine.records, tabled(machine.protocol)
    for toxicity in (one for one in range(len(machine.protocol.toxicities)) if (one,) != counted):
        most = min(int(records.tally(toxicity).max()), MOST_COUNTED)
        plain += [Tally(Range(least, None), toxicity) for least in range(1, most + 1)]
    if machine.protocol.parts[part].rolling:
        most = min(int(records.tally(-2).max()), MOST_COUNTED)
        plain += [Tally(Range(least, None), -2) for least in range(1, most + 1)]
    asked: dict[Guard, None] = {}
    for line in machine.parts[part].lines:
        for atom in atoms(line.guard):
            match atom:
                case Tally(Range(low, high), _, "trial" | "part") if low == high and low:
                    asked[evolve(atom, count=Range(low, None))] = None  # which numbers grow to, and reads better
            asked[atom] = None
    for silence in machine.protocol.silences:
        if silence.when is not None and not silence.in_course and silence.part in (None, part):
            asked |= dict.fromkeys(atoms(silence.when))
    asked |= dict.fromkeys(_room_left(machine, part))
    asked[Declared(machine.protocol.result, ever=True)] = None
    levels = [Compare(THIS, "same", Place("level", level)) for level in range(machine.levels)]
    found = [Condition(guard, plain=True) for guard in plain]
    found += [Condition(guard) for guard in asked if guard not in plain]
    return found + [Condition(guard) for guard in levels if guard not in asked]


def _room_left(machine: Machine, part: int) -> Iterator[Guard]:
    """Whether there are so many patients that another cohort would break a limit."""
    compiled = machine.parts[part]
    sizes = {move.size for line in compiled.lines for move in line.moves if isinstance(move, Enrol) and move.size}
    for _, limit in compiled.limits:
        for size in sorted({compiled.part.cohort, *sizes}):
            if limit.high is not None and limit.high >= size:
                full = Range(limit.high - size + 1, None)
                places = (NEXT_LOWER, NEXT_HIGHER) if limit.scope == "level" else (THIS,)
                yield from (Tally(full, -1, limit.scope, place) for place in places)


@define
class Seen:
    """The looks of a part that were seen, each once: by row evaluable patients and DLTs at the level in all parts and
    in the part, the decision, and the truth of each condition.
    """

    part: int
    conditions: list[Condition]
    counted: tuple[int, ...]
    """The toxicities that are counted together."""
    rows: Ints = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = np.zeros((0, 5 + len(self.conditions)), np.int32)

    def add(self, view: View, decision: Ints) -> None:
        """See some looks, before their questions."""
        code = view.codes[np.arange(len(view)), view.here]
        whats, parts = ((-1,), self.counted), (None, self.part)
        counts = [view.records.total(what, part)[code] for part in parts for what in whats]
        truths = [_truth(condition, view, code) for condition in self.conditions]
        rows = np.column_stack([*counts, decision, *truths]).astype(np.int32)
        self.rows = _once(np.concatenate([self.rows, _once(rows)]))

    def looks(self, decisions: tuple[Decided, ...]) -> Iterator[Looks]:
        """The different looks, counted in all parts; of a later part also in the part alone."""
        decision, (kept, truths) = self.rows[:, 4], self._telling()
        for in_part in (False, True) if self.part else (False,):
            evaluable, dlt = self.rows[:, 2 * in_part], self.rows[:, 1 + 2 * in_part]
            columns = np.column_stack([evaluable, dlt, decision, truths + 1]).astype(np.int32)
            _, index = np.unique(pack(columns), return_index=True)
            yield Looks(
                self.part, in_part, kept, decisions, evaluable[index], dlt[index], truths[index], decision[index]
            )

    def _telling(self) -> tuple[tuple[Condition, ...], Truth]:
        """The conditions that hold in some rows only, each in other ones, and their truths, [rows, conditions]."""
        kept: list[Condition] = []
        columns: dict[bytes, Truth] = {}
        for number, condition in enumerate(self.conditions, 5):
            holds = self.rows[:, number] == TRUE
            if holds.all() or not holds.any() or len(kept) == MOST_CONDITIONS:
                continue
            if holds.tobytes() not in columns and (~holds).tobytes() not in columns:
                columns[holds.tobytes()] = self.rows[:, number].astype(np.int8)
                kept.append(condition)
        return tuple(kept), np.array(list(columns.values()), np.int8).reshape(len(kept), len(self.rows)).T


def _truth(condition: Condition, view: View, code: Ints) -> Truth:
    if condition.guard == "first cohort":
        return np.where(view.records.column(ADDED_SIZE)[code] == 0, TRUE, FALSE).astype(np.int8)
    return truth(condition.guard, view)


def _once(rows: Ints) -> Ints:
    """Each row once."""
    return rows[np.unique(pack(rows), return_index=True)[1]]
