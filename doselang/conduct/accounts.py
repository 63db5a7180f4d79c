"""Accounts of a history, as facts: what was decided, by which rules, clause by clause; and whether an example holds.

`report` puts them into words. Places of moves are by position, unless said otherwise.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from doselang.machine.decisions import Why
from doselang.machine.followed import Beside
from doselang.protocol.guards import Guard
from doselang.protocol.model import Gate, Limit, Move, Protocol, Rule, Silence
from doselang.source import NOWHERE, Span

Value = Literal["true", "false", "open"]
Kind = Literal["gap", "silence", "conflict"]
Status = Literal["open", "closed", "tried", "untried"]


# ---- what a look comes to ----


@frozen
class Chosen:
    """A decision of people: the rule that asks for it, its gate, and the option, counted from 0."""

    rule: str
    gate: Gate
    option: int


@frozen
class Trouble:
    """Why a look has no answer: a gap unless a silence speaks or rules conflict.

    `why` is `inevaluable` where a patient was and no rule says whether another takes the place. `rules` are those that
    it is about; `move` the move that cannot be carried out, as written; `limit` the limit that it would break; `missed`
    the rules that would have answered but for some conditions.
    """

    kind: Kind
    why: Why | Literal["inevaluable"]
    rules: tuple[str, ...] = ()
    move: Move | None = None
    question: int | None = None
    limit: Limit | None = None
    silence: Silence | None = None
    missed: tuple[tuple[str, tuple[Guard, ...]], ...] = ()


@frozen
class Answer:
    """What one way of a look comes to: moves in the order of the questions, and the trouble if it is undecided."""

    choices: tuple[Chosen, ...]
    moves: tuple[Move, ...]
    trouble: Trouble | None = None


# ---- why ----


@frozen
class Fact:
    """A condition that is not made of others, and what stands behind it.

    `level` is the level that it is about, `other` the one compared with it, None where there is none; `toxic` and
    `evaluable` are the patients counted, None where none are.
    """

    guard: Guard
    value: Value
    level: int | None = None
    other: int | None = None
    toxic: int | None = None
    evaluable: int | None = None
    counted: int | None = None
    """What a counter has counted."""
    chance: float | None = None
    """The probability that an adviser gives."""


@frozen
class Clause:
    """One of the conditions that must all be true, with the facts in it."""

    guard: Guard
    value: Value
    facts: tuple[Fact, ...]


@frozen
class CaseAccount:
    """A `when … then …` of a rule: the question at which it is asked, and how its condition stood then."""

    question: int
    value: Value
    clauses: tuple[Clause, ...]
    moves: tuple[Move, ...]
    """As written."""
    gate: Gate | None = None

    @property
    def untrue(self) -> tuple[Clause, ...]:
        return tuple(clause for clause in self.clauses if clause.value != "true")


@frozen
class RuleAccount:
    """A rule at a look.

    `role`: it acted; it was overridden by rules that acted; it is true, but the decision waits for pending patients; a
    condition was not true; it is not asked, before the cohort is complete or after a question that has no answer.
    """

    rule: Rule
    role: Literal["acted", "overridden", "waits", "not true", "not asked"]
    cases: tuple[CaseAccount, ...]
    overridden_by: tuple[str, ...] = ()


@frozen
class Way:
    """One way in which a look can go: its answer, the rules that acted by question, the others, nearest first."""

    answer: Answer
    acted: tuple[RuleAccount, ...]
    others: tuple[RuleAccount, ...]


@frozen
class LevelTally:
    """What a history has of a level: by part the patients without toxicity and with each class; and the status.

    `estimates` are the rates of the first toxicity that methods estimate here, by the name of the method in the
    script; None where one has no estimate.
    """

    level: int
    counts: tuple[tuple[int, ...], ...]
    pending: int
    inevaluable: int
    status: Status
    estimates: tuple[tuple[str, float | None], ...] = ()

    @property
    def evaluable(self) -> int:
        return sum(map(sum, self.counts))

    def toxic(self, toxicity: int) -> int:
        return sum(counts[1 + toxicity] for counts in self.counts)


@frozen
class FutureAccount:
    """What pending patients may bring (patients without toxicity, then of each class), and what it leads to.

    No answers: the cohort goes on.
    """

    added: tuple[int, ...]
    answers: tuple[Answer, ...]


@frozen
class Underway:
    """A cohort that goes on. `rules` are those of the part, as they stand; `beside` who else the look waits for."""

    size: int
    known: int
    pending: int
    to_enrol: int
    futures: tuple[FutureAccount, ...]
    rules: tuple[RuleAccount, ...]
    beside: tuple[Beside, ...] = ()


@frozen
class Explanation:
    """What is decided after a history, and why.

    `ways` are several while people have yet to choose, and none while the cohort is `underway` or where a `trouble`
    stands before every look. `part` and `level` are those of the last cohort, `pending` its patients whose outcomes are
    not known; `tried` the levels that have had a cohort.
    """

    protocol: Protocol
    history: str
    part: int
    level: int
    tallies: tuple[LevelTally, ...]
    tried: frozenset[int]
    pending: int
    ways: tuple[Way, ...] = ()
    underway: Underway | None = None
    trouble: Trouble | None = None


# ---- examples ----


@frozen
class ExampleResult:
    """Whether an example holds: what was expected and what came, in words, and the rules of both.

    `reason` says what is wrong with the history itself. `reached` are the rules that acted anywhere in it.
    """

    name: str
    passed: bool
    expected: str
    actual: str
    rules_expected: tuple[str, ...] = ()
    rules_actual: tuple[str, ...] = ()
    reason: str | None = None
    reached: tuple[str, ...] = ()
    of_patient: bool = False
    span: Span = NOWHERE


@frozen
class Coverage:
    """The rules of a protocol, and those that no example reaches, in the order of the file."""

    rules: tuple[str, ...]
    unreached: tuple[str, ...]
