"""What is decided after a history, by which rules and sentences, clause by clause, and why other rules do not act."""

from __future__ import annotations

from collections.abc import Callable

from doselang.conduct.accounts import (
    CaseAccount,
    Explanation,
    FutureAccount,
    RuleAccount,
    Trouble,
    Underway,
    Way,
)
from doselang.conduct.answers import answer_of
from doselang.conduct.facts import Moment, clause, cohorts_at_end, counters_at_end, tallies, value_of
from doselang.machine.asking import Asked
from doselang.machine.compiling import Machine, PartMachine
from doselang.machine.decisions import Branch
from doselang.machine.exits import Accrual
from doselang.machine.followed import Future, Look, Replay, Waiting
from doselang.machine.moves import ask_again
from doselang.machine.notation import Group, write_history
from doselang.machine.reading import Line
from doselang.machine.replay import replay
from doselang.protocol.guards import conjuncts

UNREPLACED = Trouble("gap", "inevaluable")


def explain(machine: Machine, groups: tuple[Group, ...], accrual: Accrual = "one-at-a-time") -> Explanation:
    """The account of the look that a history ends with, or of the cohort that it leaves open.

    Raises HistoryError where the rules do not lead to the history.
    """
    return account(replay(machine, groups, accrual))


def account(followed: Replay) -> Explanation:
    """The account of a history that was followed."""
    protocol = followed.machine.protocol
    last = cohorts_at_end(followed)[-1]
    ways: tuple[Way, ...] = ()
    underway = None
    if followed.last is not None:
        ways = tuple(_way(followed, followed.last, branch) for branch in followed.last.ways)
    elif followed.waiting is not None:
        underway = _underway(followed, followed.waiting)
    return Explanation(
        protocol,
        write_history(followed.groups, protocol),
        last.part,
        followed.frame.here if underway is not None else last.level,
        tallies(followed),
        frozenset(cohort.level for cohort in cohorts_at_end(followed)),
        last.pending,
        ways,
        underway,
        UNREPLACED if followed.unreplaced else None,
    )


# ---- a look ----


def _way(followed: Replay, look: Look, branch: Branch) -> Way:
    machine, part = followed.machine, followed.machine.parts[look.frame.part]
    asked, views = ask_again(machine, look.frame, look.view, branch)
    cohorts, counters = cohorts_at_end(followed), counters_at_end(followed)

    def moment(line: Line) -> Moment:
        return Moment(views[line.question - 1], cohorts, counters)

    silencing = _silencing(part, asked)
    accounts = []
    for number, rule in enumerate(part.part.rules):
        lines = [(i, line) for i, line in enumerate(part.lines) if line.rule == number]
        cases = _cases([line for _, line in lines], moment)
        if any(i in branch.decision.lines for i, _ in lines):
            accounts.append(RuleAccount(rule, "acted", cases))
        elif any(asked.active[0, i] for i, _ in lines):
            accounts.append(RuleAccount(rule, "not asked", cases))
        elif any(case.value == "true" for case in cases):
            accounts.append(RuleAccount(rule, "overridden", cases, silencing.get(number, ())))
        else:
            accounts.append(RuleAccount(rule, "not true", cases))
    acted = sorted((account for account in accounts if account.role == "acted"), key=_first_question)
    others = sorted((account for account in accounts if account.role != "acted"), key=_distance)
    answer = answer_of(machine, look.frame.part, look.frame.here, branch)
    return Way(answer, tuple(acted), tuple(others))


def _cases(lines: list[Line], moment: Callable[[Line], Moment]) -> tuple[CaseAccount, ...]:
    """The cases of a rule; all options of a gate are one case."""
    cases = []
    for line in lines:
        if line.gate is not None and line.gate[1] > 0:
            continue
        at = moment(line)
        clauses = tuple(clause(part, at) for part in conjuncts(line.guard))
        value = value_of(line.guard, at.view)
        cases.append(CaseAccount(line.question, value, clauses, line.case.moves, line.case.gate))
    return tuple(cases)


def _silencing(part: PartMachine, asked: Asked) -> dict[int, tuple[str, ...]]:
    """By rule that is overridden: the names of the rules that do it."""
    acting = {part.lines[i].rule for i in range(len(part.lines)) if asked.active[0, i]}
    found: dict[int, tuple[str, ...]] = {}
    for rule, targets in part.overrides:
        if rule in acting:
            for target in targets:
                found[target] = (*found.get(target, ()), part.part.rules[rule].name)
    return found


def _first_question(account: RuleAccount) -> int:
    return min(case.question for case in account.cases if case.value == "true")


def _distance(account: RuleAccount) -> tuple[int, int, int]:
    """How far a rule was from acting: the fewest clauses that are false, then open; most clauses true before fewer."""
    if account.role == "overridden":
        return (-1, 0, 0)
    return min(
        (
            sum(clause.value != "true" for clause in case.clauses),
            sum(clause.value == "false" for clause in case.clauses),
            -len(case.clauses),
        )
        for case in account.cases
    )


# ---- a cohort that goes on ----


def _underway(followed: Replay, waiting: Waiting) -> Underway:
    part = followed.machine.parts[followed.frame.part]
    frame = followed.frame
    size = frame.orders[0].size if frame.orders else waiting.known + waiting.pending
    moment = Moment(waiting.view, cohorts_at_end(followed), counters_at_end(followed))
    early = followed.accrual == "one-at-a-time"
    # in a rolling part all rules were asked, and none acts
    complete = (not frame.orders or waiting.known == size) and not waiting.beside
    accounts = []
    for number, rule in enumerate(part.part.rules):
        cases = _cases([line for line in part.lines if line.rule == number], lambda _: moment)
        if not (complete or (early and rule.at_any_time and not waiting.beside)):
            accounts.append(RuleAccount(rule, "not asked", cases))
        else:
            true = any(case.value == "true" for case in cases)
            accounts.append(RuleAccount(rule, "waits" if true else "not true", cases))
    accounts.sort(key=lambda account: (account.role == "not asked", _distance(account)))
    futures = tuple(_future(followed, future) for future in waiting.futures)
    return Underway(size, waiting.known, waiting.pending, waiting.to_enrol, futures, tuple(accounts), waiting.beside)


def _future(followed: Replay, future: Future) -> FutureAccount:
    frame = followed.frame
    outcome = future.outcome or ()
    answers = tuple(answer_of(followed.machine, frame.part, frame.here, branch) for branch in outcome)
    return FutureAccount(future.added, answers)
