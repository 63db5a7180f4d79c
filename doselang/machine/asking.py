"""The three questions of a look, asked of all rules over many situations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import define, field

from doselang.machine.arrays import summed
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED, Bools, View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.reading import Line
from doselang.machine.records import Closing, Ints
from doselang.protocol.guards import (
    Place,
)
from doselang.protocol.model import Backfill, Begin, Close, Declare, Enrol, Move


@define
class Asked:
    """A batch of looks after the three questions.

    `active[s, i]` whether line i acted; `places[question, place]` where the places of the moves were when asked, and
    `wanted[question, place][s]` whether a line that acted leads there; `closed_before[s, l]` which levels were closed
    when the look began. `view` shows all answers.
    """

    machine: Machine
    part: PartMachine
    view: View
    active: Bools
    closed_before: Bools
    begun: Ints
    places: dict[tuple[int, Place], tuple[Ints, Bools]] = field(factory=dict)
    wanted: dict[tuple[int, Place], Bools] = field(factory=dict)
    totals: dict[int | None, Ints] = field(factory=dict)

    def where(self, question: int, place: Place, row: int) -> int | None:
        """The level of a move's place in a row, None if there is none."""
        index, exists = self.places[question, place]
        return int(index[row]) if exists[row] else None

    def totals_of(self, part: int | None) -> Ints:
        """Evaluable and pending patients in a part (None: the trial), by row."""
        if part not in self.totals:
            codes, records = self.view.codes, self.view.records
            entered = records.tally(-1, part)
            if part in (None, self.part.number):
                entered = entered + records.tally(-2)
            self.totals[part] = summed(entered, codes)
        return self.totals[part]


def ask(
    machine: Machine, part: PartMachine, view: View, begun: Ints, choice: Ints, lines: tuple[int, ...],
    observe: Callable[[int, View], None] | None = None,
) -> Asked:  # fmt: skip
    """Ask some lines the three questions. The view is changed: it shows the answers afterwards.

    `observe` is shown the view as it stands when each question is asked.
    """
    rows = len(view)
    asked = Asked(machine, part, view, np.zeros((rows, len(part.lines)), np.bool_), view.closed(), begun)
    silenced = np.zeros((rows, len(part.part.rules)), np.bool_)
    for question in (1, 2, 3):
        if observe is not None:
            observe(question, view)
        true = {i: _true(part.lines[i], view, choice) for i in lines if part.lines[i].question == question}
        by_rule: dict[int, Bools] = {}
        for i, holds in true.items():
            rule = part.lines[i].rule
            by_rule[rule] = by_rule[rule] | holds if rule in by_rule else holds
        for rule, targets in part.overrides:
            if rule in by_rule:
                silenced[:, targets] |= (by_rule[rule] & ~silenced[:, rule])[:, None]
        for i, holds in true.items():
            asked.active[:, i] = holds & ~silenced[:, part.lines[i].rule]
        _apply(asked, question, lines)
    return asked


def _true(line: Line, view: View, choice: Ints) -> Bools:
    holds: Bools = truth(line.guard, view) == 1
    return holds if line.gate is None else holds & (choice[:, line.gate[0]] == line.gate[1])


def _apply(asked: Asked, question: int, lines: tuple[int, ...]) -> None:
    """Show the answers to a question in the view, for the questions after it."""
    view = asked.view
    given = [(i, moves) for i in lines if (moves := asked.part.lines[i].answers(question))]
    acting = [(i, move) for i, moves in given if asked.active[:, i].any() for move in moves]
    for place in dict.fromkeys(place for _, move in acting if (place := _place(move)) is not None):
        lines_there = [i for i, move in acting if _place(move) == place]
        wanted: Bools = np.any(asked.active[:, lines_there], axis=1)
        asked.places[question, place], asked.wanted[question, place] = _found(view, place, wanted), wanted
    if question < 3 and acting:
        verdicts = view.verdicts.copy()
        for i, move in acting:
            if isinstance(move, Close):
                _show_closing(asked, i, move)
            elif isinstance(move, Declare):
                _show_verdict(asked, i, move, verdicts)
        view.verdicts = verdicts
        view.changed()


def _found(view: View, place: Place, asked: Bools) -> tuple[Ints, Bools]:
    """A place, worked out only where it is asked for if that takes an adviser or a condition."""
    if (place.kind != "recommended" and place.where is None) or asked.all():
        return view.place(place)
    index, exists = np.zeros(len(view), np.int32), np.zeros(len(view), np.bool_)
    if asked.any():
        rows = np.flatnonzero(asked)
        index[rows], exists[rows] = view.take(rows).place(place)
    return index, exists


def _show_closing(asked: Asked, line: int, move: Close) -> None:
    view, closing = asked.view, asked.view.records.change(Closing())
    index, exists = asked.places[1, move.place]
    chosen = np.flatnonzero(asked.active[:, line] & exists)
    above = view.setting.relations.above
    if not move.all_above:
        view.codes[chosen, index[chosen]] = view.records.apply(closing, view.codes[chosen, index[chosen]])
    for level in range(view.levels) if move.all_above else ():
        hit = chosen[(index[chosen] == level) | above[index[chosen], level]]
        view.codes[hit, level] = view.records.apply(closing, view.codes[hit, level])


def _show_verdict(asked: Asked, line: int, move: Declare, verdicts: Ints) -> None:
    acts = asked.active[:, line]
    asked.view.declared[acts, move.verdict] = True
    if move.place is None:
        before = asked.view.verdicts[acts, move.verdict]
        none_yet = (before == NO_LEVEL) | (before == NONE_DECLARED)
        verdicts[acts, move.verdict] = np.where(none_yet, NONE_DECLARED, NONE_ANY_MORE)
    else:
        index, exists = asked.places[2, move.place]
        verdicts[acts & exists, move.verdict] = index[acts & exists]


def _place(move: Move) -> Place | None:
    return move.place if isinstance(move, Close | Declare | Enrol | Begin | Backfill) else None
