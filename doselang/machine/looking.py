"""The look: three questions asked of all rules over many situations at once, and the decision of each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from attrs import define, evolve, field

from doselang.machine.arrays import pack
from doselang.machine.columns import NO_LEVEL, NONE_ANY_MORE, NONE_DECLARED, Bools, View, truth
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.decisions import (
    Answers,
    Branch,
    Closes,
    Decision,
    Declares,
    Ended,
    GoesOn,
    Opened,
    Outcome,
    Undecided,
)
from doselang.machine.reading import Line, question_of
from doselang.machine.records import CLOSED, FIRST_SIZE, Closing, Ints
from doselang.protocol.guards import (
    THIS,
    CohortComplete,
    Declared,
    Guard,
    HasStatus,
    Place,
    Rate,
    Share,
    Tally,
    atoms,
)
from doselang.protocol.model import Backfill, Begin, Close, Count, Declare, Enrol, EnrolRest, Move, Part, Stop

FEW = 64
"""Of fewer rows each is decided by itself."""

ABSENT = -1
"""Where a move leads if there is no such level: an answer that differs from every other."""


@define
class Asked:
    """A batch of looks after the three questions.

    `active[s, i]` whether line i acted; `places[question, place]` where the places of the moves were when asked;
    `closed_before[s, l]` which levels were closed when the look began. `view` shows all answers.
    """

    machine: Machine
    part: PartMachine
    view: View
    active: Bools
    closed_before: Bools
    begun: Ints
    places: dict[tuple[int, Place], tuple[Ints, Bools]] = field(factory=dict)
    totals: dict[int | None, Ints] = field(factory=dict)

    def where(self, question: int, place: Place, row: int) -> int | None:
        """The level of a move's place in a row, None if there is none."""
        index, exists = self.places[question, place]
        return int(index[row]) if exists[row] else None

    def totals_of(self, part: int | None) -> Ints:
        """Evaluable patients in a part (None: the trial), by row."""
        if part not in self.totals:
            codes = self.view.codes
            self.totals[part] = self.view.records.tally(-1, part)[codes].sum(axis=1, dtype=np.int32)
        return self.totals[part]


def decide(
    machine: Machine, part: PartMachine, view: View, begun: Ints, known: frozenset[int] | None = None,
    *, resting: bool = False,
) -> list[Outcome | None]:  # fmt: skip
    """The outcome of the look in each row; None where the cohort goes on. Arguments as for `decide_all`."""
    numbers, outcomes = decide_all(machine, part, view, begun, known, resting=resting)
    return [outcomes[number] if number >= 0 else None for number in numbers.tolist()]


def decide_all(
    machine: Machine, part: PartMachine, view: View, begun: Ints, known: frozenset[int] | None = None,
    *, resting: bool = False,
) -> tuple[Ints, list[Outcome]]:  # fmt: skip
    """The outcome of the look in each row, as a position in a list of outcomes; -1 where the cohort goes on.

    Rows that are not complete are looks only after a sentinel with toxicity, or if a line marked `at any time` acts.
    `begun` are the parts begun, as bits. `known` are the gates whose chances are known, None for all; another gate
    leaves a row undecided. With `resting` a look after which the rest of a cohort enters is given as an outcome.
    """
    nobody = np.zeros((len(view), len(part.gates)), np.int8)
    rows = np.arange(len(view))
    if not view.complete.all():
        full = view.complete | view.sentinel
        early = np.flatnonzero(~full)
        active = ask(machine, part, view.take(early), begun[early], nobody[early], part.any_time).active
        rows = np.sort(np.concatenate([np.flatnonzero(full), early[active.any(axis=1)]]))
    numbers = np.full(len(view), -1, np.int32)
    outcomes: list[Outcome] = []
    if len(rows):
        numbers[rows], outcomes = _outcomes(machine, part, view, begun, rows, nobody[rows], known)
    goes_on = [n for n, outcome in enumerate(outcomes) if isinstance(outcome[0].decision.answers.next, GoesOn)]
    if goes_on and not resting:
        numbers[np.isin(numbers, goes_on)] = -1
    return numbers, outcomes


def _outcomes(
    machine: Machine, part: PartMachine, view: View, begun: Ints, rows: Ints, choice: Ints,
    known: frozenset[int] | None,
) -> tuple[Ints, list[Outcome]]:  # fmt: skip
    """The outcome of a full look in each of some rows, as a position in a list."""
    if part.gates:
        found = _branches(machine, part, view, begun, rows, choice, 0, known)
        positions: dict[Outcome, int] = {}
        return np.array([positions.setdefault(o, len(positions)) for o in found], np.int32), list(positions)
    asked = ask(machine, part, view.take(rows), begun[rows], choice, tuple(range(len(part.lines))))
    group, branches = _composed(asked)
    return group, [(branch,) for branch in branches]


def _branches(
    machine: Machine, part: PartMachine, view: View, begun: Ints, rows: Ints, choice: Ints, fixed: int,
    known: frozenset[int] | None,
) -> list[Outcome]:  # fmt: skip
    """Full looks, once for every outcome of the human decisions that they meet; gates before `fixed` are chosen."""
    asked = ask(machine, part, view.take(rows), begun[rows], choice, tuple(range(len(part.lines))))
    outcomes: list[list[Branch]] = []
    group, branches = _composed(asked)
    for row, composed in enumerate(branches[number] for number in group.tolist()):
        gates = _gates(part, composed.decision.lines) if part.gates else []
        if not gates:
            outcomes.append([composed])
            continue
        decision = composed.decision
        if known is not None and (unknown := [gate for gate in gates if gate not in known]):
            gates = gates[: gates.index(unknown[0])]
            lines = tuple(i for i in decision.lines if _is_gate(part.lines[i], unknown))
            decision = Decision(Answers(), decision.acted, Undecided("choice", lines))
        outcomes.append([Branch(tuple((gate, int(choice[row, gate])) for gate in gates), decision)])
    for gate in range(fixed, len(part.gates)):
        again = [r for r, found in enumerate(outcomes) if any(gate == met for met, _ in found[0].choices)]
        for option in range(1, part.gates[gate].options if again else 0):
            other = choice[again].copy()
            other[:, gate] = option
            more = _branches(machine, part, view, begun, rows[again], other, gate + 1, known)
            for r, outcome in zip(again, more, strict=True):
                outcomes[r].extend(outcome)
    return [tuple(branches) for branches in outcomes]


def _gates(part: PartMachine, lines: tuple[int, ...]) -> list[int]:
    """The gates of some lines, in the order in which they are asked."""
    return sorted({gate[0] for i in lines if (gate := part.lines[i].gate) is not None})


def _composed(asked: Asked) -> tuple[Ints, list[Branch]]:
    """The decision of each row, as a position in a list; rows that agree in all that it is made of share one."""
    rows = len(asked.view)
    if rows < FEW:
        return np.arange(rows, dtype=np.int32), [Branch((), _compose(asked, row)) for row in range(rows)]
    answered: Bools = np.any(asked.active[:, [bool(line.answers(3)) for line in asked.part.lines]], axis=1)
    _, first, group = np.unique(pack(_made_of(asked)), return_index=True, return_inverse=True)
    found = [Branch((), _compose(asked, int(row))) for row in first]
    group = group.astype(np.int32)
    for row in np.flatnonzero(~answered).tolist():
        group[row] = len(found)
        found.append(Branch((), _compose(asked, row)))
    return group, found


def _made_of(asked: Asked) -> Ints:
    """Columns, from 0, that hold all that the decision of a row with an answer is made of."""
    view, records, layout = asked.view, asked.view.records, asked.view.records.layout
    columns = [*asked.active.T, asked.begun, view.complete, view.sentinel]
    for index, exists in asked.places.values():
        code = view.codes[view._rows, index]
        columns.append(np.where(exists, index - view.here + view.levels + 1, 0))
        columns += [records.column(CLOSED)[code], records.column(FIRST_SIZE)[code] > 0]
        columns.append(asked.closed_before[view._rows, index])
        if asked.machine.limits or asked.part.fills:
            columns += [records.column(layout.part_n(part))[code] for part in range(layout.parts)]
    if asked.machine.limits:
        columns.append(records.column(layout.part_n(asked.part.number))[view.codes[view._rows, view.here]])
        columns += [asked.totals_of(part) for part in (None, *range(layout.parts))]
    return np.column_stack(columns).astype(np.int32)


def _is_gate(line: Line, gates: list[int]) -> bool:
    return line.gate is not None and line.gate[0] in gates


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
        asked.places[question, place] = _found(view, place, wanted)
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
    for level in range(view.levels):
        hit = chosen[(index[chosen] == level) | (move.all_above & above[index[chosen], level])]
        if len(hit):
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


# ---- from what acted to a decision, row by row ----


def _acted(asked: Asked, row: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    acted: tuple[list[int], list[int], list[int]] = ([], [], [])
    for i in np.flatnonzero(asked.active[row]).tolist():
        acted[asked.part.lines[i].question - 1].append(i)
    return tuple(acted[0]), tuple(acted[1]), tuple(acted[2])


Given = list[tuple[int, int, Move]]
"""Moves that were made: (line, position of the move in it, move)."""


def _compose(asked: Asked, row: int) -> Decision:
    """The decision of a row, from the lines that acted in it. After a question without an answer none is asked."""
    first, second, third = acted = _acted(asked, row)
    moves: Given = [(i, m, move) for lines in acted for i in lines for m, move in enumerate(asked.part.lines[i].moves)]
    closes, trouble = _closes(asked, row, [g for g in moves if question_of(g[2]) == 1])
    if trouble is not None:
        return Decision(Answers(), (first, (), ()), trouble)
    declares, trouble = _declares(asked, row, [g for g in moves if question_of(g[2]) == 2])
    if trouble is not None:
        return Decision(Answers(closes), (first, second, ()), trouble)
    following, trouble = _next(asked, row, [g for g in moves if question_of(g[2]) == 3])
    counts = tuple(sorted({(m.counter, m.reset) for _, _, m in moves if isinstance(m, Count)}))
    if isinstance(following, GoesOn) and (closes or declares or counts):
        following, trouble = None, Undecided("conflict", tuple(i for lines in acted for i in lines), question=3)
    answers = Answers(closes, declares, following if trouble is None else None, counts)
    return Decision(answers, (first, second, third), trouble)


def _closes(asked: Asked, row: int, given: Given) -> tuple[tuple[Closes, ...], Undecided | None]:
    closes: set[Closes] = set()
    for i, m, move in given:
        assert isinstance(move, Close)
        level = asked.where(1, move.place, row)
        if level is None:
            return (), Undecided("no level", (i,), m)
        closes.add(Closes(level - int(asked.view.here[row]), move.all_above))
    return tuple(sorted(closes, key=lambda c: (c.offset, c.all_above))), None


def _declares(asked: Asked, row: int, given: Given) -> tuple[tuple[Declares, ...], Undecided | None]:
    """The verdicts. The MTD must be a level that is tried and not closed, another result one that is not closed.

    A label may name any level.
    """
    said: dict[int, tuple[int, int, int | None]] = {}
    missing: Undecided | None = None
    for i, m, move in given:
        assert isinstance(move, Declare)
        level = None if move.place is None else asked.where(2, move.place, row)
        if move.place is not None and level is None:
            missing, level = missing or Undecided("no level", (i,), m), ABSENT
        if move.verdict in said and said[move.verdict][2] != level:
            return (), Undecided("conflict", tuple(sorted({said[move.verdict][0], i})), question=2)
        said.setdefault(move.verdict, (i, m, level))
    protocol, here = asked.machine.protocol, int(asked.view.here[row])
    for verdict, (i, m, level) in said.items():
        mtd = protocol.verdicts[verdict].name.lower() == "mtd"
        if (mtd or verdict == protocol.result) and level is not None and level >= 0:
            if trouble := _usable(asked, row, i, m, level):
                return (), trouble
            if mtd and not asked.view.records.table[asked.view.codes[row, level], FIRST_SIZE]:
                return (), Undecided("untried level", (i,), m)
    if missing is not None:
        return (), missing
    declares = [Declares(v, None if level is None else level - here) for v, (_, _, level) in sorted(said.items())]
    return tuple(declares), None


def _usable(asked: Asked, row: int, line: int, move: int, level: int) -> Undecided | None:
    """A level closed before cannot be used; one closed by this very look makes a conflict."""
    if asked.closed_before[row, level]:
        return Undecided("closed level", (line,), move)
    if asked.view.records.table[asked.view.codes[row, level], CLOSED]:
        closers = [i for i in np.flatnonzero(asked.active[row]).tolist() if _closes_level(asked, row, i, level)]
        return Undecided("conflict", tuple(sorted({line, *closers})), question=1)
    return None


def _closes_level(asked: Asked, row: int, line: int, level: int) -> bool:
    for move in asked.part.lines[line].moves:
        if isinstance(move, Close):
            closed = asked.where(1, move.place, row)
            above = asked.machine.setting.relations.above
            if closed is not None and (closed == level or (move.all_above and above[closed, level])):
                return True
    return False


def _next(asked: Asked, row: int, given: Given) -> tuple[Opened | Ended | GoesOn | None, Undecided | None]:
    """What comes next. Rules that do the same agree; two stops agree, whatever their reasons."""
    answers: list[tuple[int, int, Opened | Ended | GoesOn]] = []
    here = int(asked.view.here[row])
    for i, m, move in given:
        match move:
            case Stop(reason):
                answers.append((i, m, Ended(reason)))
            case EnrolRest():
                if not asked.view.sentinel[row]:
                    return None, Undecided("no sentinel", (i,), m)
                answers.append((i, m, GoesOn()))
            case Enrol() | Begin():
                answers.append((i, m, _opened(asked, row, move)))
    if not answers:
        return None, _no_answer(asked, row)
    for (i, _, one), (j, _, other) in pairwise(answers):
        if one != other and not (isinstance(one, Ended) and isinstance(other, Ended)):
            return None, Undecided("conflict", tuple(sorted({i, j})), question=3)
    line, move_number, answer = answers[0]
    if isinstance(answer, Opened):
        if here + answer.offset == ABSENT:
            return None, Undecided("no level", (line,), move_number)
        if trouble := _usable(asked, row, line, move_number, here + answer.offset):
            return None, trouble
        if answer.part is not None and asked.begun[row] >> answer.part & 1:
            return None, Undecided("part begun", (line,), move_number)
        if answer.size <= 0:
            return None, Undecided("nothing to fill", (line,), move_number)
        answer, trouble = _with_beside(asked, row, answer, given)
        if trouble is not None:
            return None, trouble
    limit = _limit_broken(asked, row, answer)
    return answer, None if limit is None else Undecided("limit", (line,), move_number, limit=limit)


def _opened(asked: Asked, row: int, move: Enrol | Begin) -> Opened:
    """The cohort that a move opens; where it is filled up, its size is what is missing."""
    here, level = int(asked.view.here[row]), asked.where(3, move.place, row)
    part = move.part if isinstance(move, Begin) else None
    of: Part = asked.machine.protocol.parts[asked.part.number if part is None else part]
    size = of.cohort if move.size is None else move.size
    if level is None:
        return Opened(ABSENT - here, size, part)
    code = asked.view.codes[row, level]
    if move.total is not None:
        # a level that was closed before is not filled up, however many are there
        size = 0 if asked.closed_before[row, level] else move.total - int(asked.view.records.tally(-1)[code])
    new = not asked.view.records.table[code, FIRST_SIZE]
    return Opened(level - here, size, part, (), of.sentinel == "cohort" or (of.sentinel == "new level" and bool(new)))


def _with_beside(asked: Asked, row: int, answer: Opened, given: Given) -> tuple[Opened, Undecided | None]:
    """The cohort with the patients who enter beside it."""
    here, beside = int(asked.view.here[row]), set[tuple[int, int]]()
    for i, m, move in given:
        if isinstance(move, Backfill):
            level = asked.where(3, move.place, row)
            if level is None:
                return answer, Undecided("no level", (i,), m)
            if trouble := _usable(asked, row, i, m, level):
                return answer, trouble
            beside.add((level - here, move.size))
    return (evolve(answer, beside=tuple(sorted(beside))) if beside else answer), None


def _limit_broken(asked: Asked, row: int, answer: Opened | Ended | GoesOn) -> int | None:
    """The limit that an answer would break, as a position in `Machine.limits`."""
    here, number, view = int(asked.view.here[row]), asked.part.number, asked.view
    stays = isinstance(answer, GoesOn) or (isinstance(answer, Opened) and answer.part is None and answer.offset == 0)
    for position, limit in asked.part.limits:
        if limit.low is not None and not stays:
            column = view.records.layout.part_n(number)
            if view.records.table[view.codes[row, here], column] < limit.low:
                return position
    if not isinstance(answer, Opened):
        return None
    part = number if answer.part is None else answer.part
    for position, limit in asked.machine.parts[part].limits:
        if limit.high is None:
            continue
        if limit.scope == "level":
            code = view.codes[row, here + answer.offset]
            so_far = int(view.records.table[code, view.records.layout.part_n(part)])
        else:
            so_far = int(asked.totals_of(part if limit.scope == "part" else None)[row])
        if so_far + answer.size > limit.high:
            return position
    return None


def _no_answer(asked: Asked, row: int) -> Undecided:
    """A silence if one speaks, else a gap with the lines that only conditions about other levels held back."""
    one = asked.view.take(slice(row, row + 1))
    for number, silence in asked.part.silences:
        if silence.when is not None and truth(silence.when, one)[0] == 1:
            return Undecided("silence", silence=number)
    missed = []
    for i, line in enumerate(asked.part.lines):
        if line.question != 3 or asked.active[row, i]:
            continue
        values = [int(truth(part, one)[0]) for part in line.conjuncts]
        local = [value for part, value in zip(line.conjuncts, values, strict=True) if _about_this_level(part)]
        if local and min(local) == 1 and min(values) < 1:
            held = [(c, v) for c, v in enumerate(values) if v < 1]
            missed.append((i, tuple(held)))
    return Undecided("no answer", missed=tuple(missed))


def _about_this_level(guard: Guard) -> bool:
    """Whether a condition reads only this level, its patients and the look itself."""
    for atom in atoms(guard):
        match atom:
            case Share(place=place) | HasStatus(place=place):
                local = place == THIS
            case Tally(scope=scope, place=place) | Rate(scope=scope, place=place):
                local = scope == "cohort" or (scope == "level" and place == THIS)
            case _:
                local = isinstance(atom, CohortComplete | Declared)
        if not local:
            return False
    return True
