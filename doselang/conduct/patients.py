"""A patient's course followed cycle by cycle, and the examples of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from attrs import evolve, frozen

from doselang.conduct.accounts import ExampleResult
from doselang.machine.course import CourseBranch, CourseMachine, Environment, Standpoint, Went, cycle, leads_to
from doselang.machine.notation import HistoryError
from doselang.protocol.guards import Place
from doselang.protocol.model import Continue, Enter, Example, Gate, Move, Protocol
from doselang.protocol.words import decider_words, gate_words, moves_words
from doselang.resolve.histories import CHOICE_SHOWN

_SIGN = re.compile(r"\.|[A-Z]|\([A-Z]+\)")


@frozen
class Cycle:
    """A cycle of a followed course: where the patient stood, the events, and every branch of the decision."""

    point: Standpoint
    events: tuple[int, ...]
    branches: tuple[CourseBranch, ...]


def follow(machine: CourseMachine, history: str, closed: tuple[int, ...] = ()) -> tuple[Cycle, ...]:
    """The cycles of a patient's history, `2 . U 1 . (PU)`, while some levels are closed as too toxic.

    Raises HistoryError where the history is misspelt, or the rules do not lead to it.
    """
    protocol, words = machine.protocol, list(re.finditer(r"\S+", history))
    if not words:
        raise HistoryError("The history is empty: it begins with the assigned level.", 0, 0)
    levels = {level.label.lower(): number for number, level in enumerate(protocol.levels)}
    assigned = levels.get(words[0][0].lower())
    if assigned is None:
        raise HistoryError(
            f"There is no level {words[0][0]}: a course begins with the assigned level.", *words[0].span()
        )
    everywhere = (True,) * len(levels)
    environment = Environment(everywhere, tuple(number in closed for number in range(len(levels))))
    point: Standpoint | None = Standpoint(0, assigned, assigned, 0, environment)
    cycles: list[Cycle] = []
    named: int | None = None
    for word in words[1:]:
        if _SIGN.fullmatch(word[0]) is None:
            named = levels.get(word[0].lower())
            if named is None:
                raise HistoryError(_no_sign(machine, word[0]), *word.span())
            continue
        events = _events(machine, word)
        if cycles:
            point = _next(machine, cycles[-1], named, word)
        elif named is not None and named != assigned:
            raise HistoryError("The patient cannot change level before the first cycle.", *word.span())
        assert point is not None
        cycles.append(Cycle(point, events, cycle(machine, [point], [events])[0]))
        named = None
    if not cycles:
        raise HistoryError(
            "The history has no cycle: write a sign a cycle, `.` for none of the events.", *words[0].span()
        )
    return tuple(cycles)


def _no_sign(machine: CourseMachine, word: str) -> str:
    """What is said about a word that is neither a level nor the sign of a cycle."""
    if word.endswith("]"):
        return f"`{word}` is not the sign of one cycle. {CHOICE_SHOWN}"
    message = f"`{word}` is neither a level nor the events of a cycle"
    if set(word) - {event.letter for event in machine.course.events}:
        return f"{message}."
    return f"{message}: events of one cycle are written `({word})`, those of several `{' '.join(word)}`."


def _events(machine: CourseMachine, word: re.Match[str]) -> tuple[int, ...]:
    letters = {event.letter: number for number, event in enumerate(machine.course.events)}
    signs = word[0].strip("().")
    for sign in signs:
        if sign not in letters:
            raise HistoryError(f"`{sign}` is not the letter of an event; they are {', '.join(letters)}.", *word.span())
    return tuple(sorted({letters[sign] for sign in signs}))


def _next(machine: CourseMachine, before: Cycle, named: int | None, word: re.Match[str]) -> Standpoint:
    """Where the patient goes on: by the one branch that leads to the level named, or to the same level."""
    ways = [leads_to(machine, before.point, branch.decision) for branch in before.branches]
    level = before.point.level if named is None else named
    on = [way for way in ways if way is not None and way.level == level]
    if len(set(on)) == 1:
        return on[0]
    if not any(ways):
        raise HistoryError("Treatment has ended before this cycle.", *word.span())
    label = machine.protocol.levels[level].label
    if on:
        raise HistoryError(
            f"Several decisions take the patient to level {label}, and no history tells them apart.", *word.span()
        )
    said = cycle_words(machine, before)
    raise HistoryError(f"The rules do not take the patient to level {label} here; they say `{said}`.", *word.span())


# ---- examples ----


def patient_examples(machine: CourseMachine) -> Callable[[Example], ExampleResult]:
    """What runs an example of the course."""
    return lambda example: run_patient_example(machine, example)


def run_patient_example(machine: CourseMachine, example: Example) -> ExampleResult:
    """The result of an example of a patient's course."""
    protocol = machine.protocol
    result = ExampleResult(
        example.history, False, _written(protocol, example), "", example.by, of_patient=True, span=example.span
    )
    try:
        cycles = follow(machine, example.history, example.closed)
    except HistoryError as error:
        return evolve(result, actual="not reached", reason=error.message)
    last = cycles[-1]
    reached = tuple(dict.fromkeys(name for one in cycles for name in rules_of(machine, one)))
    names = rules_of(machine, last)
    result = evolve(result, actual=cycle_words(machine, last), rules_actual=names, reached=reached)
    agreed = not example.by or set(example.by) == set(names)
    return evolve(result, passed=agreed and _expected(machine, last, example))


def rules_of(machine: CourseMachine, one: Cycle) -> tuple[str, ...]:
    """The rules that act in a cycle."""
    state = one.point.state
    rules = machine.course.states[state].rules
    lines = (line for branch in one.branches for line in branch.decision.acted)
    return tuple(dict.fromkeys(rules[machine.rule(state, line)].name for line in lines))


def _expected(machine: CourseMachine, last: Cycle, example: Example) -> bool:
    """Whether every branch of the decision is what the example says."""
    undecided = [branch.decision.undecided for branch in last.branches]
    if isinstance(example.expected, str):
        why = undecided[0].why if undecided[0] is not None else None
        kinds = {"silence": "silence", "conflict": "conflict"}
        return why is not None and kinds.get(why, "gap") == example.expected
    if any(undecided):
        return False
    options = example.gate.options if example.gate is not None else ((),)
    wanted = [_went(machine, last.point, (*example.expected, *option)) for option in options]
    same_gate = example.gate is None or all(
        gate.kind == example.gate.kind and gate.body == example.gate.body for gate in _gates(machine, last)
    )
    return same_gate and wanted == [branch.decision.went for branch in last.branches]


def _went(machine: CourseMachine, point: Standpoint, moves: tuple[Move, ...]) -> Went | None:
    """Where the moves of an example take the patient; its places are as in a rule."""
    from doselang.machine.course import view_of_patients

    view = view_of_patients(machine, [point], [()])
    for move in moves:
        level = point.level
        place: Place | None = getattr(move, "place", None)
        if place is not None:
            index, exists = view.place(place)
            if not exists[0]:
                return None
            level = int(index[0])
        if isinstance(move, Enter):
            return Went(move.state, level)
        if isinstance(move, Continue):
            return Went(point.state, level)
    return None


def _gates(machine: CourseMachine, last: Cycle) -> Iterator[Gate]:
    lines = machine.states[last.point.state].lines
    for branch in last.branches:
        for line in branch.decision.acted:
            gate = lines[line].case.gate
            if gate is not None:
                yield gate


def _written(protocol: Protocol, example: Example) -> str:
    if isinstance(example.expected, str):
        return example.expected
    words = [moves_words(protocol, example.expected)] if example.expected else []
    return ", ".join([*words, *([gate_words(protocol, example.gate)] if example.gate else [])])


def cycle_words(machine: CourseMachine, one: Cycle) -> str:
    """What a cycle comes to, in words, with what people choose among."""
    words = [_branch_words(machine, one.point, branch) for branch in one.branches]
    gate = next(_gates(machine, one), None)
    if gate is None:
        return " or ".join(words)
    body = decider_words(machine.protocol, gate)
    if gate.kind == "may" and len(words) == 2:
        return f"may {words[0]} if {body} agrees, otherwise {words[1]}"
    return f"ask {body} to choose {' or '.join(words)}"


def _branch_words(machine: CourseMachine, point: Standpoint, branch: CourseBranch) -> str:
    went = branch.decision.went
    if went is None:
        assert branch.decision.undecided is not None
        why = branch.decision.undecided.why
        return why if why in ("silence", "conflict") else "gap"
    state = machine.course.states[went.state]
    label = machine.protocol.levels[went.level].label
    if went.state == point.state and not state.final:
        return f"continue at level {label}"
    return f"enter {state.name}" if state.final else f"enter {state.name} at level {label}"
