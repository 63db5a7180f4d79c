"""The look: three questions asked of all rules over many situations at once, and the decision of each."""

from __future__ import annotations

from itertools import chain

import numpy as np

from doselang.machine.arrays import pack
from doselang.machine.asking import Asked, ask
from doselang.machine.columns import Bools, View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.composing import compose
from doselang.machine.decisions import (
    Answers,
    Branch,
    Decision,
    GoesOn,
    Outcome,
    Undecided,
)
from doselang.machine.reading import Line
from doselang.machine.records import CLOSED, FIRST_SIZE, Ints
from doselang.protocol.guards import Place

FEW = 64
"""Of fewer rows each is decided by itself."""


def decide(
    machine: Machine, part: PartMachine, view: View, begun: Ints, known: frozenset[int] | None = None, *,
    rest: bool = False,
) -> list[Outcome | None]:  # fmt: skip
    """The outcome of the look in each row; None where the cohort goes on. Arguments as for `decide_all`."""
    numbers, outcomes = decide_all(machine, part, view, begun, known, rest=rest)
    return [outcomes[number] if number >= 0 else None for number in numbers.tolist()]


def decide_all(
    machine: Machine, part: PartMachine, view: View, begun: Ints, known: frozenset[int] | None = None, *,
    rest: bool = False,
) -> tuple[Ints, list[Outcome]]:  # fmt: skip
    """The outcome of the look in each row, as a position in a list of outcomes; -1 where the cohort goes on.

    Rows that are not complete are looks only after a sentinel with toxicity, or if a line marked `at any time` acts.
    `begun` are the parts begun, as bits. `known` are the gates whose chances are known, None for all; another gate
    leaves a row undecided. With `rest` a look after a sentinel, after which the rest of the cohort enters, counts too.
    """
    nobody = np.zeros(len(part.gates), np.int8)
    rows = np.arange(len(view))
    if not view.complete.all():
        full = view.complete | view.sentinel
        early = np.flatnonzero(~full)
        unchosen = np.broadcast_to(nobody, (len(early), len(nobody)))
        active = ask(machine, part, view.take(early), begun[early], unchosen, part.any_time).active
        rows = np.sort(np.concatenate([np.flatnonzero(full), early[active.any(axis=1)]]))
    numbers = np.full(len(view), -1, np.int32)
    outcomes: list[Outcome] = []
    if len(rows):
        numbers[rows], outcomes = _outcomes(machine, part, view, begun, rows, nobody, known)
    goes_on = [n for n, outcome in enumerate(outcomes) if isinstance(outcome[0].decision.answers.next, GoesOn)]
    if goes_on and not rest:
        numbers[np.isin(numbers, goes_on)] = -1
    return numbers, outcomes


def may_ask(machine: Machine, part: PartMachine, view: View, begun: Ints) -> Bools:
    """Whether a line that asks an adviser of all levels may act at the look in each row; nobody is asked.

    It may where all is true that can be told without. Where no such line may act, the others decide by themselves.
    """
    advised = [i for i, line in enumerate(part.lines) if line.advised]
    found = np.zeros(len(view), np.bool_)

    def observe(question: int, asked: View) -> None:
        for i in advised:
            if part.lines[i].question == question:
                told = [truth(guard, asked) == 1 for guard in part.lines[i].local]
                found[np.logical_and.reduce(told) if told else slice(None)] = True

    rest = tuple(i for i in range(len(part.lines)) if i not in advised)
    ask(machine, part, view, begun, np.zeros((len(view), 0), np.int8), rest, observe)
    return found


def _outcomes(
    machine: Machine, part: PartMachine, view: View, begun: Ints, rows: Ints, choice: Ints,
    known: frozenset[int] | None, fixed: int = 0,
) -> tuple[Ints, list[Outcome]]:  # fmt: skip
    """The outcome of a full look in each of some rows, as a position in a list.

    A look is asked once for every outcome of the human decisions that it meets. `choice` is the option of each gate;
    gates before `fixed` are chosen.
    """
    chosen = np.broadcast_to(choice, (len(rows), len(choice)))
    asked = ask(machine, part, view.take(rows), begun[rows], chosen, tuple(range(len(part.lines))))
    group, composed = _composed(asked)
    branches = [_chosen(part, branch, choice, known) for branch in composed]
    columns, further = [group], []
    for gate in range(fixed, len(part.gates)):
        meets = np.array([any(gate == met for met, _ in branch.choices) for branch in branches], np.bool_)
        again = np.flatnonzero(meets[group])
        for option in range(1, part.gates[gate].options if len(again) else 0):
            other = choice.copy()
            other[gate] = option
            numbers, more = _outcomes(machine, part, view, begun, rows[again], other, known, gate + 1)
            column = np.full(len(rows), -1, np.int32)
            column[again] = numbers
            columns.append(column)
            further.append(more)
    if not further:
        return group, [(branch,) for branch in branches]
    _, first, kind = np.unique(pack(np.column_stack(columns) + 1), return_index=True, return_inverse=True)
    outcomes = []
    for row in first.tolist():
        also = (more[column[row]] for column, more in zip(columns[1:], further, strict=True) if column[row] >= 0)
        outcomes.append((branches[group[row]], *chain.from_iterable(also)))
    return kind.astype(np.int32), outcomes


def _chosen(part: PartMachine, branch: Branch, choice: Ints, known: frozenset[int] | None) -> Branch:
    """A decision with the options that were chosen, up to the first whose chance is not known."""
    decision, gates = branch.decision, _gates(part, branch.decision.lines)
    if not gates:
        return branch
    if known is not None and (unknown := [gate for gate in gates if gate not in known]):
        gates = gates[: gates.index(unknown[0])]
        lines = tuple(i for i in decision.lines if _is_gate(part.lines[i], unknown))
        decision = Decision(Answers(), decision.acted, Undecided("choice", lines))
    return Branch(tuple((gate, int(choice[gate])) for gate in gates), decision)


def _gates(part: PartMachine, lines: tuple[int, ...]) -> list[int]:
    """The gates of some lines, in the order in which they are asked."""
    return sorted({gate[0] for i in lines if (gate := part.lines[i].gate) is not None})


def _composed(asked: Asked) -> tuple[Ints, list[Branch]]:
    """The decision of each row, as a position in a list; rows that agree in all that it is made of share one."""
    rows = len(asked.view)
    look, places, beside = _of_look(asked), _of_places(asked), np.column_stack([*_totals(asked), _left_open(asked)])
    if rows < FEW:
        group, first = np.arange(rows, dtype=np.int32), range(rows)
    else:
        columns = np.column_stack([look, *places.values(), beside])
        _, which, kind = np.unique(pack(columns), return_index=True, return_inverse=True)
        group, first = kind.astype(np.int32), which.tolist()
    known, branches = asked.machine.remembered.branches, []
    for row in first:
        there = frozenset((where, one[row].tobytes()) for where, one in places.items() if asked.wanted[where][row])
        key = (asked.part.number, look[row].tobytes(), there, beside[row].tobytes())
        if key not in known:
            known[key] = Branch((), compose(asked, row))
        branches.append(known[key])
    return group, branches


def _of_look(asked: Asked) -> Ints:
    """Columns, from 0, that hold which lines acted at a look, and of what kind it is."""
    return np.column_stack([*asked.active.T, asked.begun, asked.view.complete, asked.view.sentinel]).astype(np.int32)


def _totals(asked: Asked) -> list[Ints]:
    """Columns, from 0, that hold the numbers of patients that limits read."""
    view, records, layout = asked.view, asked.view.records, asked.view.records.layout
    columns: list[Ints] = []
    scopes = {limit.scope for _, limit in asked.machine.limits}
    if "level" in scopes:
        code = view.codes[view._rows, view.here]
        columns += [records.column(layout.part_n(asked.part.number))[code], records.tally(-2)[code]]
    if "trial" in scopes:
        columns.append(asked.totals_of(None))
    if "part" in scopes:
        columns += [asked.totals_of(part) for part in range(layout.parts)]
    return columns


def _of_places(asked: Asked) -> dict[tuple[int, Place], Ints]:
    """Columns, from 0, that hold what a decision is made of at the places of moves."""
    view, records, layout = asked.view, asked.view.records, asked.view.records.layout
    tallied = asked.part.fills or any(limit.scope == "level" for _, limit in asked.machine.limits)
    found: dict[tuple[int, Place], Ints] = {}
    for where, (index, exists) in asked.places.items():
        code = view.codes[view._rows, index]
        columns = [np.where(exists, index - view.here + view.levels + 1, 0)]
        columns += [records.column(CLOSED)[code], records.column(FIRST_SIZE)[code] > 0]
        columns.append(asked.closed_before[view._rows, index])
        if tallied:
            columns += [records.column(layout.part_n(part))[code] for part in range(layout.parts)]
            columns.append(records.tally(-2)[code])
        found[where] = np.column_stack(columns).astype(np.int32)
    return found


def _left_open(asked: Asked) -> Ints:
    """Columns, from 0, that hold what rows without an answer to the third question are told: see `_no_answer`."""
    answered: Bools = np.any(asked.active[:, [bool(line.answers(3)) for line in asked.part.lines]], axis=1)
    rows = np.flatnonzero(~answered)
    asks = [silence.when for _, silence in asked.part.silences if silence.when is not None]
    asks += [guard for line in asked.part.lines if line.question == 3 for guard in line.conjuncts]
    columns = np.zeros((len(answered), 1 + len(asks)), np.int32)
    columns[:, 0] = answered
    if len(rows):
        some = asked.view.take(rows)
        columns[rows, 1:] = np.column_stack([truth(guard, some) for guard in asks]) + 1 if asks else 0
    return columns


def _is_gate(line: Line, gates: list[int]) -> bool:
    return line.gate is not None and line.gate[0] in gates
