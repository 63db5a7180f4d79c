"""Decision tables: the decision by patients and toxicities at the level, split where it depends on more."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from doselang.conduct.looks import WAIT, counted, looks_of
from doselang.conduct.seen import Condition, Decided, Looks
from doselang.machine.arrays import pack
from doselang.machine.columns import FALSE, Bools
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.machine.records import Ints
from doselang.protocol.model import Protocol

RULES_OWN = 0.5
"""A condition of the rules is preferred to a plain one if it tells twice as many looks apart."""


@frozen
class Held:
    """A condition, and whether it holds; `contrary` where it is false whenever it does not hold, and never open."""

    condition: Condition
    holds: bool
    contrary: bool = False


@frozen
class Cell:
    """What is decided with some numbers of patients and toxicities: one decision, or several that may be.

    `rules` are those that act there in any of its looks: positions in the part's rules, in order. `models` are the
    advisers that tell its decisions apart, by the patients of all levels.
    """

    decisions: tuple[tuple[str, ...], ...]
    rules: tuple[int, ...]
    models: frozenset[int] = frozenset()


@frozen
class DecisionTable:
    """A table of a part, under some conditions; `cells` by evaluable patients and DLTs at the level.

    With `in_part` the patients are those of the part alone.
    """

    part: int
    in_part: bool
    when: tuple[Held, ...]
    cells: dict[tuple[int, int], Cell]

    @property
    def sizes(self) -> list[int]:
        """The numbers of evaluable patients at which there is a decision, in order."""
        return sorted({n for n, _ in self.cells})


def decision_tables(
    protocol: Protocol, accrual: Accrual = "one-at-a-time", *, max_states: int = MAX_STATES
) -> tuple[DecisionTable, ...]:
    """The decision tables of a protocol, part by part, as few as give one decision a cell where that can be.

    With a rolling part they are of every order of arrivals and outcomes. Where no condition tells two looks apart the
    cell has both decisions. So it has where a model decides: no condition about one level says what it comes to.
    Raises as `explore`.
    """
    if any(part.rolling for part in protocol.parts):
        accrual = "any-order"
    by_part: dict[int, list[tuple[DecisionTable, ...]]] = {}
    for looks in looks_of(counted(protocol, accrual, max_states=max_states)):
        by_part.setdefault(looks.part, []).append(_tables_of(looks))
    return tuple(table for ways in by_part.values() for table in min(ways, key=_cost))


def _cost(tables: tuple[DecisionTable, ...]) -> tuple[int, int, int]:
    """Which way of counting is the plainer: fewer cells that disagree, fewer tables, fewer columns."""
    disagree = sum(len(cell.decisions) > 1 for table in tables for cell in table.cells.values())
    return disagree, len(tables), sum(len(table.sizes) for table in tables)


def _tables_of(looks: Looks) -> tuple[DecisionTable, ...]:
    label = _labels(looks.decisions)[looks.decision]
    cell = pack(np.column_stack([looks.evaluable, looks.dlt]).astype(np.int32))
    _, cell = np.unique(cell, return_inverse=True)
    chosen = _chosen(looks, cell, label)
    rows = np.arange(len(label))
    leaves = _split(looks, cell, label, chosen, rows, ())
    found = [table for rows, path in leaves if (table := _table(looks, label, rows, path)).cells]
    return tuple(sorted(found, key=_ends))


def _ends(table: DecisionTable) -> bool:
    """Whether nobody escalates in a table; those in which the trial comes to its end go below the others."""
    return not any("escalate" in words for cell in table.cells.values() for words in cell.decisions)


def _labels(decisions: tuple[Decided, ...]) -> Ints:
    """By decision: a number for what is to be told apart, the words, or that a model decides.

    Which level is chosen as the MTD does not make another decision.
    """
    known: dict[object, int] = {}
    found = []
    for decided in decisions:
        words = tuple("mtd" if word.startswith("mtd ") else word for word in decided.words)
        found.append(known.setdefault(decided.models or words, len(known)))
    return np.array(found, np.int32)


# ---- which conditions are needed ----


def _disagreeing(group: Ints, label: Ints) -> int:
    """How many pairs of rows of one group have different labels, twice counted."""
    width = int(label.max(initial=0)) + 1
    _, each = np.unique(group.astype(np.int64) * width + label, return_counts=True)
    _, all_ = np.unique(group, return_counts=True)
    return int((all_.astype(np.int64) ** 2).sum() - (each.astype(np.int64) ** 2).sum())


def _chosen(looks: Looks, cell: Ints, label: Ints) -> list[int]:
    """A small set of conditions that, with the numbers, tells apart all looks that any conditions can.

    The one that tells most pairs of looks apart is taken first, and so on; then those that became needless are dropped.
    """
    weight = [1.0 if condition.plain else RULES_OWN for condition in looks.conditions]
    chosen: list[int] = []
    left = _disagreeing(cell, label)
    group = cell
    while left:
        after = [_disagreeing(_divided(group, looks.holds[:, c]), label) for c in range(len(looks.conditions))]
        best = max(range(len(after)), key=lambda c: ((left - after[c]) * weight[c], -c), default=-1)
        if best < 0 or after[best] == left:
            break
        chosen.append(best)
        group, left = _divided(group, looks.holds[:, best]), after[best]
    for needless in sorted(chosen, key=lambda c: (weight[c], -c)):
        others = [c for c in chosen if c != needless]
        group = cell
        for c in others:
            group = _divided(group, looks.holds[:, c])
        if _disagreeing(group, label) == left:
            chosen = others
    return chosen


def _divided(group: Ints, holds: Bools) -> Ints:
    _, divided = np.unique(group.astype(np.int64) * 2 + holds, return_inverse=True)
    return np.asarray(divided)


def _split(
    looks: Looks, cell: Ints, label: Ints, chosen: list[int], rows: Ints, path: tuple[tuple[int, bool], ...]
) -> list[tuple[Ints, tuple[tuple[int, bool], ...]]]:
    """The rows of each table, and the conditions that they share; split only where decisions disagree."""
    left = _disagreeing(cell[rows], label[rows])
    after = {c: _disagreeing(_divided(cell[rows], looks.holds[rows, c]), label[rows]) for c in chosen if left}
    best = min(after, key=lambda c: after[c], default=None)
    if best is None or after[best] == left:
        return [(rows, path)]
    holds = looks.holds[rows, best]
    # a plain condition before its contrary; of the rules' own conditions the common side first
    order = (True, False) if looks.conditions[best].plain or 2 * holds.sum() >= len(rows) else (False, True)
    return [
        leaf
        for side in order
        for leaf in _split(looks, cell, label, chosen, rows[holds == side], (*path, (best, side)))
    ]


# ---- a table ----


def _table(looks: Looks, label: Ints, rows: Ints, path: tuple[tuple[int, bool], ...]) -> DecisionTable:
    found: dict[tuple[int, int], dict[int, None]] = {}
    for row in rows.tolist():
        key = (int(looks.evaluable[row]), int(looks.dlt[row]))
        found.setdefault(key, {})[int(looks.decision[row])] = None
    decided = {n for (n, _), numbers in found.items() if any(looks.decisions[d].words != (WAIT,) for d in numbers)}
    cells = {
        key: _cell([looks.decisions[number] for number in sorted(numbers)])
        for key, numbers in sorted(found.items()) if key[0] in decided
    }  # fmt: skip
    when = tuple(
        Held(looks.conditions[c], holds, bool((looks.truths[rows, c] == FALSE).all()))
        for c, holds in _needed(looks, rows, path)
    )
    return DecisionTable(looks.part, looks.in_part, when, cells)


def _cell(decided: list[Decided]) -> Cell:
    words = tuple(dict.fromkeys(one.words for one in decided))
    models = frozenset(model for one in decided for model in one.models) if len(words) > 1 else frozenset()
    return Cell(words, tuple(sorted({rule for one in decided for rule in one.rules})), models)


def _needed(looks: Looks, rows: Ints, path: tuple[tuple[int, bool], ...]) -> list[tuple[int, bool]]:
    """The conditions of a table without those that follow from the others, in one order for all tables."""
    kept = list(path)
    for one in path:
        others = [other for other in kept if other != one]
        there = np.ones(len(looks.holds), np.bool_)
        for c, holds in others:
            there &= looks.holds[:, c] == holds
        if int(there.sum()) == len(rows):
            kept = others
    return sorted(kept)
