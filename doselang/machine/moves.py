"""What a look came to, as moves with every place by position; and a look asked again, question by question."""

from __future__ import annotations

import numpy as np

from doselang.machine.accounts import Answer, Chosen, Kind, Trouble
from doselang.machine.columns import View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Answers, Branch, Ended, Opened, Undecided
from doselang.machine.looking import Asked, ask
from doselang.machine.states import Frame
from doselang.protocol.guards import Place
from doselang.protocol.model import Begin, Close, Declare, Enrol, Move, Stop


def moves_of(answers: Answers, level: int) -> tuple[Move, ...]:
    """The answers of a look at a level: closings, declarations, and what comes next."""

    def at(offset: int) -> Place:
        return Place("level", level + offset)

    moves: list[Move] = [Close(at(close.offset), close.all_above) for close in answers.closes]
    for declares in answers.declares:
        moves.append(Declare(declares.verdict, None if declares.offset is None else at(declares.offset)))
    match answers.next:
        case Opened(offset, size, None):
            moves.append(Enrol(at(offset), size))
        case Opened(offset, _, int(part)):
            moves.append(Begin(part, at(offset)))
        case Ended(reason):
            moves.append(Stop(reason))
    return tuple(moves)


def kind_of(undecided: Undecided) -> Kind:
    """What an undecided look is called: everything but a silence and a conflict is a gap."""
    match undecided.why:
        case "silence" | "conflict" as kind:
            return kind
        case _:
            return "gap"


def answer_of(machine: Machine, part: int, level: int, branch: Branch) -> Answer:
    """What a branch comes to, at a look in a part at a level."""
    compiled = machine.parts[part]
    chosen = []
    for gate, option in branch.choices:
        line = next(line for line in compiled.lines if line.gate == (gate, option))
        assert line.case.gate is not None
        chosen.append(Chosen(compiled.part.rules[line.rule].name, line.case.gate, option))
    decision = branch.decision
    trouble = None if decision.undecided is None else trouble_of(machine, part, decision.undecided)
    return Answer(tuple(chosen), moves_of(decision.answers, level), trouble)


def trouble_of(machine: Machine, part: int, undecided: Undecided) -> Trouble:
    """The reason why a look in a part has no answer, with rules, moves and limits instead of their numbers."""
    compiled = machine.parts[part]

    def name(line: int) -> str:
        return compiled.part.rules[compiled.lines[line].rule].name

    move = None if undecided.move is None else compiled.lines[undecided.lines[0]].moves[undecided.move]
    missed = tuple(
        (name(line), tuple(compiled.lines[line].conjuncts[number] for number, _ in held))
        for line, held in undecided.missed
    )
    return Trouble(
        kind_of(undecided),
        undecided.why,
        tuple(dict.fromkeys(name(line) for line in undecided.lines)),
        move,
        undecided.question,
        None if undecided.limit is None else machine.limits[undecided.limit][1],
        None if undecided.silence is None else machine.protocol.silences[undecided.silence],
        tuple(dict.fromkeys(missed)),
    )


def ask_again(machine: Machine, frame: Frame, view: View, branch: Branch) -> tuple[Asked, tuple[View, View, View]]:
    """One way of a look (a view of one row), with its view as it was at each of the three questions."""
    part = machine.parts[frame.part]
    choice = np.zeros((1, len(part.gates)), np.int32)
    for gate, option in branch.choices:
        choice[:, gate] = option
    views: list[View] = []

    def keep(_question: int, as_asked: View) -> None:
        views.append(as_asked.take(slice(None)))

    every = tuple(range(len(part.lines)))
    asked = ask(machine, part, view.take(slice(None)), np.array([frame.begun]), choice, every, keep)
    first, second, third = views
    return asked, (first, second, third)
