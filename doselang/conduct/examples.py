"""Examples: a history and what must follow, replayed and compared with what the rules decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve, frozen

from doselang.conduct.accounts import Answer, Coverage, ExampleResult, Trouble
from doselang.conduct.answers import answer_of
from doselang.conduct.phrases import answers_words, choice_words, trouble_words
from doselang.machine.columns import View
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch
from doselang.machine.exits import Accrual
from doselang.machine.followed import Look, Replay
from doselang.machine.moves import ask_again
from doselang.machine.notation import HistoryError, parse_history
from doselang.machine.replay import replay
from doselang.protocol.guards import Place
from doselang.protocol.model import (
    Backfill,
    Begin,
    Close,
    Count,
    Declare,
    Enrol,
    EnrolRest,
    Example,
    Gate,
    Move,
    Protocol,
    Rule,
    Stop,
)
from doselang.protocol.words import gate_words, moves_words

Patient = Callable[[Example], ExampleResult]
"""Runs an example of a patient's course."""


def run_examples(
    protocol: Protocol, machine: Machine, patient: Patient | None = None, accrual: Accrual = "one-at-a-time"
) -> tuple[ExampleResult, ...]:
    """The results of all examples, in the order of the file; those of patients only where `patient` runs them."""
    results = []
    for example in protocol.examples:
        if not example.of_patient:
            results.append(run_example(protocol, machine, example, accrual))
        elif patient is not None:
            results.append(patient(example))
    return tuple(results)


def run_example(
    protocol: Protocol, machine: Machine, example: Example, accrual: Accrual = "one-at-a-time"
) -> ExampleResult:
    """The result of an example of the trial."""
    result = ExampleResult(
        example.history, False, as_written(protocol, example), "", example.by, of_patient=False, span=example.span
    )
    try:
        followed = replay(machine, parse_history(example.history, protocol), accrual)
    except HistoryError as error:
        return evolve(result, actual="not reached", reason=error.message)
    result = evolve(result, reached=reached(machine, followed))
    resting = followed.after_sentinel
    if resting is not None and not isinstance(example.expected, str):
        return _compare(protocol, followed, resting, example, result)
    if followed.last is None:
        kind = "wait" if followed.waiting is not None else "gap"
        unreplaced = trouble_words(protocol, Trouble("gap", "inevaluable"))
        actual = kind if followed.waiting is not None else f"gap: {unreplaced}"
        return evolve(result, passed=example.expected == kind and not example.by, actual=actual)
    return _compare(protocol, followed, followed.last, example, result)


def as_written(protocol: Protocol, example: Example) -> str:
    """What an example expects, with its places as written."""
    if isinstance(example.expected, str):
        return example.expected
    plain = moves_words(protocol, example.expected)
    return ", ".join(words for words in (plain, example.gate and gate_words(protocol, example.gate)) if words)


# ---- rules ----


def reached(machine: Machine, followed: Replay) -> tuple[str, ...]:
    """The rules that acted at any look of a history."""
    found: dict[str, None] = {}
    for look in followed.steps:
        for names in acting(machine, look):
            found |= dict.fromkeys(names)
    return tuple(found)


def acting(machine: Machine, look: Look) -> list[list[str]]:
    """The rules that act at a look, by question; each at the first question where it does."""
    part = machine.parts[look.frame.part]
    questions: list[list[str]] = [[], [], []]
    for branch in look.ways:
        for question, lines in enumerate(branch.decision.acted):
            for line in lines:
                name = part.part.rules[part.lines[line].rule].name
                if not any(name in names for names in questions):
                    questions[question].append(name)
    return questions


def _in_order(expected: tuple[str, ...], questions: list[list[str]]) -> bool:
    """Whether rules are named in the order of the questions; inside one question the order means nothing."""
    named = [name.lower() for name in dict.fromkeys(expected)]
    for names in questions:
        here, named = named[: len(names)], named[len(names) :]
        if sorted(here) != sorted(name.lower() for name in names):
            return False
    return not named


# ---- moves ----


@frozen
class _Deeds:
    """What moves do, however they are written; None: no such level.

    Levels closed, verdicts, what comes next, the patients beside it (level, number), the counters.
    """

    closes: frozenset[int | None]
    declares: frozenset[tuple[int, int | None]]
    next: tuple[object, ...]
    beside: frozenset[tuple[int | None, int]]
    counts: frozenset[tuple[int, bool]]


@frozen
class _Meaning:
    """Reads moves at a look: places are found in the view of the question that a move answers."""

    protocol: Protocol
    part: int
    views: tuple[View, View, View]

    def level(self, place: Place, question: int) -> int | None:
        index, exists = self.views[question - 1].place(place)
        return int(index[0]) if exists[0] else None

    def deeds(self, moves: Iterable[Move]) -> _Deeds:
        closed = self.views[0].closed()[0]
        closes: set[int | None] = set()
        declares: set[tuple[int, int | None]] = set()
        following: tuple[object, ...] = ()
        beside: set[tuple[int | None, int]] = set()
        counts: set[tuple[int, bool]] = set()
        for move in moves:
            match move:
                case Close(place, all_above):
                    level = self.level(place, 1)
                    above = self.views[0].setting.relations.above
                    shut = [n for n in range(len(closed)) if n == level or (all_above and above[level or 0, n])]
                    closes |= {None} if level is None else {n for n in shut if not closed[n]}
                case Declare(verdict, place):
                    declares.add((verdict, -1 if place is None else self.level(place, 2)))
                case Enrol(place):
                    following += ("enrol", self.level(place, 3), self.size(move))
                case Begin(part, place):
                    following += ("begin", self.level(place, 3), part, self.size(move))
                case EnrolRest():
                    following += ("the rest",)
                case Backfill(place, size):
                    beside.add((self.level(place, 3), size))
                case Count(counter, reset):
                    counts.add((counter, reset))
                case Stop():
                    following += ("stop",)
        return _Deeds(frozenset(closes), frozenset(declares), following, frozenset(beside), frozenset(counts))

    def size(self, move: Enrol | Begin) -> int:
        """How many patients a move enrols: as many as are written, are missing, or are in a cohort of the part."""
        part = move.part if isinstance(move, Begin) else self.part
        if move.total is None:
            return self.protocol.parts[part].cohort if move.size is None else move.size
        level, view = self.level(move.place, 3), self.views[2]
        treated = 0 if level is None else int(view.records.tally(-1)[view.codes[0, level]])
        return move.total - treated

    def settled(self, move: Move) -> Move:
        """The move with its place by position, where there is such a level."""
        match move:
            case Enrol(place):
                found = self.place(place, 3)
                return move if found is None else Enrol(found, self.size(move))
            case Begin(part, place) if (found := self.place(place, 3)) is not None:
                first = self.size(move)
                return Begin(part, found, None if first == self.protocol.parts[part].cohort else first)
            case Backfill(place, size):
                return Backfill(self.place(place, 3) or place, size)
            case Close(place, all_above):
                return Close(self.place(place, 1) or place, all_above)
            case Declare(verdict, place) if place is not None:
                return Declare(verdict, self.place(place, 2) or place)
            case _:
                return move

    def place(self, place: Place, question: int) -> Place | None:
        level = self.level(place, question)
        return None if level is None else Place("level", level)


def _compare(
    protocol: Protocol, followed: Replay, look: Look, example: Example, result: ExampleResult
) -> ExampleResult:
    """The result of an example whose history ends with a look."""
    machine, here = followed.machine, look.frame.here
    answers = tuple(answer_of(machine, look.frame.part, here, branch) for branch in look.ways)
    tried = frozenset(cohort.level for cohort in followed.cohorts)
    questions = acting(machine, look)
    rules = tuple(name for names in questions for name in names)
    result = evolve(result, actual=answers_words(protocol, answers, tried), rules_actual=rules)
    if isinstance(example.expected, str):
        met = all(answer.trouble is not None and answer.trouble.kind == example.expected for answer in answers)
    else:
        _, views = ask_again(machine, look.frame, look.view, look.ways[0])
        meaning = _Meaning(protocol, look.frame.part, views)
        words = _settled_words(protocol, meaning, example, tried)
        result = evolve(result, expected=words)
        met = _same_gate(example.gate, answers) and all(
            _met(machine, look, branch, answer, example) for branch, answer in zip(look.ways, answers, strict=True)
        )
    named = not example.by or _in_order(example.by, questions)
    return evolve(result, passed=met and named)


def _settled_words(protocol: Protocol, meaning: _Meaning, example: Example, tried: frozenset[int]) -> str:
    """What an example expects, with levels in place of what is written about them."""
    assert not isinstance(example.expected, str)
    words = moves_words(protocol, map(meaning.settled, example.expected), tried)
    if example.gate is None:
        return words
    options = tuple(tuple(map(meaning.settled, option)) for option in example.gate.options)
    people = choice_words(protocol, evolve(example.gate, options=options), tried)
    return f"{words}, {people}" if words else people


def _same_gate(gate: Gate | None, answers: tuple[Answer, ...]) -> bool:
    """Whether the people asked, and how many options they have, are those of the example."""
    if gate is None:
        return len(answers) == 1
    gates = [chosen.gate for answer in answers for chosen in answer.choices]
    return len(answers) == len(gates) == len(gate.options) and all(
        (other.kind, other.body) == (gate.kind, gate.body) for other in gates
    )


def _met(machine: Machine, look: Look, branch: Branch, answer: Answer, example: Example) -> bool:
    """Whether one way of a look comes to what the example expects; a stop without a reason matches any."""
    if answer.trouble is not None or isinstance(example.expected, str):
        return False
    _, views = ask_again(machine, look.frame, look.view, branch)
    meaning = _Meaning(machine.protocol, look.frame.part, views)
    option = example.gate.options[answer.choices[0].option] if example.gate is not None else ()
    expected = (*example.expected, *option)
    if meaning.deeds(expected) != meaning.deeds(answer.moves):
        return False
    lines = machine.parts[look.frame.part].lines
    moves = [move for line in branch.decision.lines for move in lines[line].moves]
    reasons = {move.reason for move in moves if isinstance(move, Stop)}
    return all(move.reason is None or move.reason in reasons for move in expected if isinstance(move, Stop))


# ---- coverage ----


def coverage(protocol: Protocol, results: Iterable[ExampleResult]) -> Coverage:
    """Which rules act in an example: those of the trial, and those of the course if examples of patients were run."""
    results = tuple(results)
    trial = {name for result in results if not result.of_patient for name in result.reached}
    patient = {name for result in results if result.of_patient for name in result.reached}
    rules = _named(rule for part in protocol.parts for rule in part.rules)
    unreached = [name for name in rules if name not in trial]
    states = protocol.course.states if protocol.course is not None else ()
    if any(result.of_patient for result in results) or not any(example.of_patient for example in protocol.examples):
        in_course = _named(rule for state in states for rule in state.rules)
        rules = (*rules, *in_course)
        unreached += [name for name in in_course if name not in patient]
    return Coverage(rules, tuple(unreached))


def _named(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The names of rules, each once, in the order of the file; in that given where they stand in none."""
    return tuple(dict.fromkeys(rule.name for rule in sorted(rules, key=lambda rule: rule.span)))
