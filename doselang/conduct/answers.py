"""What a look comes to, as an account: rules, moves and limits in place of the machine's numbers."""

from __future__ import annotations

from doselang.conduct.accounts import Answer, Chosen, Kind, Trouble
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch, Decision, Ended, Opened, Undecided
from doselang.machine.moves import moves_of
from doselang.protocol.model import Protocol


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
    return Answer(tuple(chosen), moves_of(decision.answers, level, machine.protocol.parts), trouble)


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


def decision_word(protocol: Protocol, decision: Decision) -> str:
    """What a decision means for the level of the look, in one word (or two).

    `mtd` is this level as the result, `mtd lower` and `mtd higher` another one; a level that is closed is `eliminate`
    unless the trial ends there without a result, which is `stop`; `begin PART` is a part begun at no result.
    """
    if decision.undecided is not None:
        return "undecided"
    answers = decision.answers
    result = next((d.offset for d in answers.declares if d.verdict == protocol.result and d.offset is not None), None)
    closed = any(close.offset <= 0 if close.all_above else close.offset == 0 for close in answers.closes)
    if result is not None and not closed:
        return "mtd" if result == 0 else "mtd lower" if result < 0 else "mtd higher"
    if isinstance(answers.next, Ended) and result is None:
        return "stop"
    if closed or not isinstance(answers.next, Opened):
        return "eliminate"
    if answers.next.part is not None:
        return f"begin {protocol.parts[answers.next.part].name}"
    offset = answers.next.offset
    return "stay" if offset == 0 else "escalate" if offset > 0 else "de-escalate"
