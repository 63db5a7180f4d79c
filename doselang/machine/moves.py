"""What a look came to, as moves with every place by position; and a look asked again, question by question."""

from __future__ import annotations

import numpy as np

from doselang.machine.asking import Asked, ask
from doselang.machine.columns import View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Answers, Branch, Ended, GoesOn, Opened
from doselang.machine.states import Frame
from doselang.protocol.guards import Place
from doselang.protocol.model import Backfill, Begin, Close, Count, Declare, Enrol, EnrolRest, Move, Part, Stop


def moves_of(answers: Answers, level: int, parts: tuple[Part, ...] = ()) -> tuple[Move, ...]:
    """The answers of a look at a level: closings, declarations, counts, and what comes next.

    With `parts`, those of the protocol, the size of a part's first cohort is given where it is not the usual one.
    """

    def at(offset: int) -> Place:
        return Place("level", level + offset)

    moves: list[Move] = [Close(at(close.offset), close.all_above) for close in answers.closes]
    for declares in answers.declares:
        moves.append(Declare(declares.verdict, None if declares.offset is None else at(declares.offset)))
    moves += [Count(counter, reset) for counter, reset in answers.counts]
    match answers.next:
        case Opened(offset, size, None):
            moves.append(Enrol(at(offset), size))
        case Opened(offset, size, int(part)):
            usual = not parts or parts[part].cohort == size
            moves.append(Begin(part, at(offset), None if usual else size))
        case Ended(reason):
            moves.append(Stop(reason))
        case GoesOn():
            moves.append(EnrolRest())
    if isinstance(answers.next, Opened):
        moves += [Backfill(at(offset), size) for offset, size in answers.next.beside]
    return tuple(moves)


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
