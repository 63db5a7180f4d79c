"""One plain interpreter of trials, for tests: a trial is the list of its cohorts, and all else is counted from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Literal

from attrs import evolve, field, frozen

from doselang.protocol.guards import (
    All,
    Any,
    CohortComplete,
    Compare,
    Declared,
    Guard,
    HasStatus,
    Not,
    Place,
    Rate,
    ResultDeclared,
    Share,
    Standing,
    Tally,
    TrialStopped,
)
from doselang.protocol.model import Begin, Case, Close, Declare, Enrol, Gate, Move, Protocol, Rule, Stop

Accrual = Literal["one-at-a-time", "whole-cohort"]
Kind = Literal["verdict", "gap", "conflict", "silence", "infeasible", "limit"]
Rates = Sequence[Sequence[Fraction]]
Chances = Mapping[str, Sequence[Fraction]]
MOST_PATIENTS = 60
"""A trial with more is taken to be endless, which the interpreter refuses to follow."""


@frozen
class Cohort:
    """A cohort of `size` patients; one letter for each whose outcome is known, and the choices of people after it."""

    part: int
    level: int
    size: int
    letters: str = ""
    chosen: tuple[int, ...] = ()


@frozen
class Trial:
    """What has happened so far; `named` are the verdicts for which a level was ever declared, `fresh` in this look."""

    cohorts: tuple[Cohort, ...] = ()
    closed: frozenset[int] = frozenset()
    verdicts: dict[int, int | None] = field(factory=dict)
    named: frozenset[int] = frozenset()
    fresh: frozenset[int] = frozenset()

    def letters(self, level: int | None = None, part: int | None = None) -> str:
        """The outcomes known so far, at a level or in a part alone where one is given."""
        return "".join(
            cohort.letters for cohort in self.cohorts if level in (None, cohort.level) and part in (None, cohort.part)
        )


@frozen
class End:
    """How one history ends; counts are by (part, level), toxicities one number a class.

    `result` is the level declared as the trial's result; `verdicts` holds every declaration, None for "no such level".
    `untold` says that a choice of people was made on the way for which no chance was given; its options then have equal
    shares, so that the untold ends together have the probability of meeting such a choice.
    """

    history: str
    probability: Fraction
    kind: Kind
    verdicts: dict[str, int | None]
    result: int | None
    rules: tuple[str, ...]
    reason: str | None
    patients: dict[tuple[int, int], int]
    toxicities: dict[tuple[int, int], tuple[int, ...]]
    untold: bool = False


def run(protocol: Protocol, rates: Rates, accrual: Accrual, chances: Chances | None = None) -> list[End]:
    """All ends of a trial; `rates[t][l]` is the chance of toxicity t at level l, `chances` are by rule name.

    Where cohorts enter together the letters of a group have no order: they are written N first, then as declared.
    """
    world = World(protocol, rates, accrual, chances or {})
    first = Cohort(0, protocol.start, protocol.parts[0].cohort)
    if over_limit(protocol, Trial(), first):
        return [world.end(Trial(), Fraction(1), False, "limit", (), "the first cohort breaks a limit")]
    return list(world.follow(Trial((first,)), Fraction(1), False))


# ---- conditions ----


def find(place: Place, protocol: Protocol, trial: Trial) -> int | None:
    """The level that a place is, None where there is no such level."""
    here = trial.cohorts[-1].level
    match place.kind:
        case "next higher":
            return here + 1 if here + 1 < len(protocol.levels) else None
        case "next lower":
            return here - 1 if here > 0 else None
        case "next lower that remains":
            return max((level for level in range(here) if level not in trial.closed), default=None)
        case "verdict":
            return trial.verdicts.get(place.index)
    return {
        "this": here, "lowest": 0, "highest": len(protocol.levels) - 1, "start": protocol.start, "level": place.index,
    }[place.kind]  # fmt: skip


def holds(guard: Guard, protocol: Protocol, trial: Trial) -> bool | None:
    """Whether a condition is true, false or open (None)."""
    match guard:
        case Not(inner):
            value = holds(inner, protocol, trial)
            return None if value is None else not value
        case All(guards):
            values = [holds(inner, protocol, trial) for inner in guards]
            return False if False in values else None if None in values else True
        case Any(guards):
            values = [holds(inner, protocol, trial) for inner in guards]
            return True if True in values else None if None in values else False
        case Share():
            return share(guard, protocol, trial)
        case Tally():
            letters = counted(guard, protocol, trial)
            return None if letters is None else number(letters, guard.what, protocol) in guard.count
        case Rate():
            return rate(guard, protocol, trial)
        case HasStatus(place, status):
            level = find(place, protocol, trial)
            return None if level is None else has_status(level, status, trial)
        case Compare(place, relation, other):
            left, right = find(place, protocol, trial), find(other, protocol, trial)
            if left is None or right is None:
                return None
            return {"above": left > right, "below": left < right, "same": left == right}[relation]
        case Standing(direction, standing):
            return stands(direction, standing, protocol, trial)
        case Declared(verdict, ever):
            return verdict in trial.fresh or (ever and verdict in trial.named)
        case ResultDeclared():
            return protocol.result in trial.verdicts
        case CohortComplete():
            return len(trial.cohorts[-1].letters) == trial.cohorts[-1].size
        case TrialStopped():
            return False
    raise ValueError(f"not a condition of a trial: {guard}")


def number(letters: str, what: int, protocol: Protocol) -> int:
    """How many of these patients have a toxicity; all of them where `what` is -1."""
    return len(letters) if what < 0 else letters.count(protocol.toxicities[what].letter)


def counted(guard: Tally | Rate, protocol: Protocol, trial: Trial) -> str | None:
    """The patients whom a count or rate is about, None where the level is not there."""
    match guard.scope:
        case "trial":
            return trial.letters()
        case "part":
            return trial.letters(part=trial.cohorts[-1].part if guard.part is None else guard.part)
        case "cohort":
            return trial.cohorts[-1].letters
    level = find(guard.place, protocol, trial)
    return None if level is None else trial.letters(level, guard.part)


def share(guard: Share, protocol: Protocol, trial: Trial) -> bool | None:
    """`K of N`: open while patients are missing, unless those missing cannot change it."""
    level = find(guard.place, protocol, trial)
    if level is None:
        return None
    letters = trial.letters(level)
    if guard.group != "all":
        cohorts = [cohort for cohort in trial.cohorts if cohort.level == level]
        chosen = cohorts[:1] if guard.group == "first" else cohorts[1:][-1:]
        if not chosen:
            return None
        if chosen[0].size != guard.size:
            return False
        letters = chosen[0].letters
    missing = guard.size - len(letters)
    if missing < 0:
        return False
    seen = number(letters, guard.toxicity, protocol)
    possible = {total in guard.count for total in range(seen, seen + missing + 1)}
    return None if len(possible) == 2 else possible.pop()


def rate(guard: Rate, protocol: Protocol, trial: Trial) -> bool | None:
    """A rate lies between two fractions; open while none is evaluable."""
    letters = counted(guard, protocol, trial)
    if not letters:
        return None
    value = Fraction(number(letters, guard.toxicity, protocol), len(letters))
    above = value >= guard.low if guard.low_included else value > guard.low
    return above and (value <= guard.high if guard.high_included else value < guard.high)


def has_status(level: int, status: str, trial: Trial) -> bool:
    """Whether a level that exists has a status; the level of the look is open until it is closed."""
    match status:
        case "closed":
            return level in trial.closed
        case "open":
            return level == trial.cohorts[-1].level and level not in trial.closed
    return any(cohort.level == level for cohort in trial.cohorts) == (status == "tried")


def stands(direction: str, standing: str, protocol: Protocol, trial: Trial) -> bool:
    """Whether a level on one side exists, remains or has a status."""
    here = trial.cohorts[-1].level
    side = range(here + 1, len(protocol.levels)) if direction == "higher" else range(here)
    if standing == "exists":
        return len(side) > 0
    if standing == "remains":
        return any(level not in trial.closed for level in (side[:1] if direction == "higher" else side))
    return any(has_status(level, standing, trial) for level in side)


# ---- looks ----


class Halt(Exception):
    """The history ends undecided: what kind of end, and why."""

    def __init__(self, kind: Kind, reason: str | None) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


class Choose(Exception):
    """A rule waits for people to choose one of so many options."""

    def __init__(self, rule: str, options: int) -> None:
        super().__init__(rule, options)
        self.rule, self.options = rule, options


def answers(move: Move) -> int:
    """The question that a move answers."""
    return 1 if isinstance(move, Close) else 2 if isinstance(move, Declare) else 3


def question(case: Case) -> int:
    """The earliest question that a move of a case, or of an option of its gate, answers."""
    moves = [*case.moves, *(move for option in (case.gate.options if case.gate else ()) for move in option)]
    return min(answers(move) for move in moves)


def over_limit(protocol: Protocol, trial: Trial, cohort: Cohort) -> bool:
    """Whether opening a cohort would break an upper limit: of its part, or of the trial wherever that is written."""
    for position, part in enumerate(protocol.parts):
        for limit in part.limits:
            if limit.high is None or (limit.scope != "trial" and position != cohort.part):
                continue
            level = cohort.level if limit.scope == "level" else None
            counted_part = None if limit.scope == "trial" else cohort.part
            if len(trial.letters(level, counted_part)) + cohort.size > limit.high:
                return True
    return False


class Look:
    """One look: the three questions in their order, with the choices that people have made so far."""

    def __init__(self, protocol: Protocol, trial: Trial, chosen: tuple[int, ...]) -> None:
        self.protocol, self.trial, self.chosen = protocol, trial, chosen
        self.here = trial.cohorts[-1]
        self.rules = protocol.parts[self.here.part].rules
        self.acted: list[str] = []
        self.closing: frozenset[int] = frozenset()
        self._gates = 0
        self._silenced: set[str] = set()
        self._moves: list[Move] = []

    def decide(self) -> Cohort | Move:
        """What comes next: the cohort that opens, or the end of the trial."""
        self.close(self.ask(1))
        self.declare(self.ask(2))
        return self.proceed(self.ask(3))

    def ask(self, number: int) -> list[Move]:
        """The moves that answer a question, those of rules asked at earlier questions included."""
        true = {rule.name: cases for rule in self.rules if (cases := self.true_cases(rule, number))}

        def acts(rule: Rule) -> bool:
            return rule.name in true and not any(acts(other) for other in self.rules if rule.name in other.overrides)

        for rule in [rule for rule in self.rules if acts(rule)]:
            self.acted += [rule.name] if rule.name not in self.acted else []
            self._silenced.update(rule.overrides)
            for case in true[rule.name]:
                self._moves += [*case.moves, *(self.choice(rule, case.gate) if case.gate else ())]
        return [move for move in self._moves if answers(move) == number]

    def true_cases(self, rule: Rule, number: int) -> list[Case]:
        """The cases of a rule that are asked at a question and true there; none if the rule is silenced."""
        cases = [] if rule.name in self._silenced else [case for case in rule.cases if question(case) == number]
        return [case for case in cases if holds(case.guard, self.protocol, self.trial) is True]

    def choice(self, rule: Rule, gate: Gate) -> tuple[Move, ...]:
        """The moves of the option that people choose."""
        self._gates += 1
        if self._gates > len(self.chosen):
            raise Choose(rule.name, len(gate.options))
        return gate.options[self.chosen[self._gates - 1]]

    def level(self, place: Place) -> int:
        """The level that a move is about, -1 where there is no such level."""
        level = find(place, self.protocol, self.trial)
        return -1 if level is None else level

    def close(self, moves: list[Move]) -> None:
        """Answers to the first question: closings add up."""
        closing: set[int] = set()
        for move in moves:
            assert isinstance(move, Close)
            level = self.level(move.place)
            if level < 0:
                raise Halt("infeasible", "no such level to close")
            closing.update(range(level, len(self.protocol.levels) if move.all_above else level + 1))
        self.closing = frozenset(closing) - self.trial.closed
        self.trial = evolve(self.trial, closed=self.trial.closed | self.closing)

    def declare(self, moves: list[Move]) -> None:
        """Answers to the second question: one level, or none, for each name."""
        found: dict[int, int | None] = {}
        for move in moves:
            assert isinstance(move, Declare)
            level = None if move.place is None else self.level(move.place)
            if found.setdefault(move.verdict, level) != level:
                raise Halt("conflict", "two levels for one verdict")
        names, result = [verdict.name.upper() for verdict in self.protocol.verdicts], self.protocol.result
        mtds = {v: level for v, level in found.items() if v == result or names[v] == "MTD"}
        if self.closing.intersection(mtds.values()):
            raise Halt("conflict", "an MTD at a level that this look closes")
        if -1 in found.values():
            raise Halt("infeasible", "no such level to declare")
        for level in mtds.values():
            if level is not None and (level in self.trial.closed or has_status(level, "untried", self.trial)):
                raise Halt("infeasible", "an MTD at a level that is untried or too toxic")
        fresh = frozenset(verdict for verdict, level in found.items() if level is not None)
        verdicts = {**self.trial.verdicts, **found}
        self.trial = evolve(self.trial, verdicts=verdicts, fresh=fresh, named=self.trial.named | fresh)

    def proceed(self, moves: list[Move]) -> Cohort | Move:
        """Answers to the third question: one and the same, which can be carried out."""
        if not moves:
            self.nothing_said()
        if len({(type(move), self.opens(move)) for move in moves}) > 1:
            raise Halt("conflict", "two answers to what comes next")
        cohort = self.opens(moves[0])
        if cohort is not None:
            self.check_cohort(cohort, begins=isinstance(moves[0], Begin))
        self.check_floor(cohort)
        return cohort or moves[0]

    def opens(self, move: Move) -> Cohort | None:
        """What a move does: the cohort that it opens, None where it ends the trial."""
        match move:
            case Enrol(place, size):
                part = self.here.part
                return Cohort(part, self.level(place), self.protocol.parts[part].cohort if size is None else size)
            case Begin(part, place):
                return Cohort(part, self.level(place), self.protocol.parts[part].cohort)
            case Stop():
                return None
        raise ValueError(f"not a move of a trial: {move}")

    def nothing_said(self) -> None:
        """No rule says what comes next: a silence if one is declared for this situation, else a gap."""
        for silence in self.protocol.silences:
            if silence.when is None or silence.in_course or silence.part not in (None, self.here.part):
                continue
            if holds(silence.when, self.protocol, self.trial) is True:
                raise Halt("silence", silence.text)
        raise Halt("gap", None)

    def check_cohort(self, cohort: Cohort, begins: bool) -> None:
        """Refuse a cohort that cannot be opened."""
        if cohort.level in self.closing:
            raise Halt("conflict", "a cohort at a level that this look closes")
        if cohort.level < 0 or cohort.level in self.trial.closed:
            raise Halt("infeasible", "no such level, or it is closed as too toxic")
        if begins and any(past.part == cohort.part for past in self.trial.cohorts):
            raise Halt("infeasible", "the part has begun before")
        if over_limit(self.protocol, self.trial, cohort):
            raise Halt("limit", "more patients than a limit allows")

    def check_floor(self, cohort: Cohort | None) -> None:
        """Refuse to leave a level with fewer patients than the part asks for."""
        if cohort is not None and (cohort.part, cohort.level) == (self.here.part, self.here.level):
            return
        treated = len(self.trial.letters(self.here.level, self.here.part))
        limits = self.protocol.parts[self.here.part].limits
        if any(limit.low is not None and treated < limit.low for limit in limits if limit.scope == "level"):
            raise Halt("limit", "fewer patients than the level must have")


# ---- histories ----


@frozen
class World:
    """A protocol under true rates: follows every history to its end."""

    protocol: Protocol
    rates: Rates
    accrual: Accrual
    chances: Chances

    def follow(self, trial: Trial, probability: Fraction, untold: bool) -> Iterator[End]:
        """The ends after the next outcome of the cohort under way."""
        cohort = trial.cohorts[-1]
        if len(trial.letters()) > MOST_PATIENTS:
            raise RuntimeError("the trial is not bounded")
        for letters, chance in self.outcomes(cohort):
            grown = evolve(cohort, letters=cohort.letters + letters)
            after = evolve(trial, cohorts=(*trial.cohorts[:-1], grown))
            if len(grown.letters) == grown.size or self.acts_at_once(after):
                yield from self.decided(after, probability * chance, untold, ())
            else:
                yield from self.follow(after, probability * chance, untold)

    def outcomes(self, cohort: Cohort) -> Iterator[tuple[str, Fraction]]:
        """What the next patient, or the whole cohort, may bring."""
        rates = {t.letter: self.rates[i][cohort.level] for i, t in enumerate(self.protocol.toxicities)}
        rates = {"N": 1 - sum(rates.values(), Fraction(0)), **rates}
        size = 1 if self.accrual == "one-at-a-time" else cohort.size
        for letters in combinations_with_replacement(rates, size):
            orders = factorial(size) // prod(factorial(letters.count(letter)) for letter in rates)
            yield "".join(letters), orders * prod((rates[letter] for letter in letters), start=Fraction(1))

    def acts_at_once(self, trial: Trial) -> bool:
        """Whether a rule that is asked at any time acts; while none does, what is asked later knows nothing new."""
        rules = [rule for rule in self.protocol.parts[trial.cohorts[-1].part].rules if rule.at_any_time]
        return any(holds(case.guard, self.protocol, trial) is True for rule in rules for case in rule.cases)

    def decided(self, trial: Trial, probability: Fraction, untold: bool, chosen: tuple[int, ...]) -> Iterator[End]:
        """The ends after a look, with every choice that people may make in it."""
        look = Look(self.protocol, trial, chosen)
        decision: Cohort | Move | Halt
        try:
            decision = look.decide()
        except Choose as choose:
            told = self.chances.get(choose.rule)
            shares = told or [Fraction(1, choose.options)] * choose.options
            for option, chance in enumerate(shares):
                yield from self.decided(trial, probability * chance, untold or told is None, (*chosen, option))
            return
        except Halt as halt:
            decision = halt
        last = evolve(look.here, chosen=chosen)
        after = evolve(look.trial, cohorts=(*trial.cohorts[:-1], last))
        if isinstance(decision, Cohort):
            opened = evolve(after, cohorts=(*after.cohorts, decision), fresh=frozenset())
            yield from self.follow(opened, probability, untold)
        else:
            assert isinstance(decision, Halt | Stop)
            kind: Kind = decision.kind if isinstance(decision, Halt) else "verdict"
            yield self.end(after, probability, untold, kind, tuple(look.acted), decision.reason)

    def end(
        self, trial: Trial, probability: Fraction, untold: bool, kind: Kind, rules: tuple[str, ...], reason: str | None
    ) -> End:
        """The end of a history, counted up."""
        patients: dict[tuple[int, int], int] = {}
        toxicities: dict[tuple[int, int], tuple[int, ...]] = {}
        for cohort in trial.cohorts:
            letters = trial.letters(cohort.level, cohort.part)
            patients[cohort.part, cohort.level] = len(letters)
            toxicities[cohort.part, cohort.level] = tuple(letters.count(t.letter) for t in self.protocol.toxicities)
        return End(
            history=history(self.protocol, trial),
            probability=probability,
            kind=kind,
            verdicts={self.protocol.verdicts[v].name: level for v, level in trial.verdicts.items()},
            result=trial.verdicts.get(self.protocol.result),
            rules=rules,
            reason=reason,
            patients=patients,
            toxicities=toxicities,
            untold=untold,
        )


def history(protocol: Protocol, trial: Trial) -> str:
    """The history in its notation: `1NNN 2TT`, with `part/` before the groups of a later part."""
    groups = []
    for cohort in trial.cohorts:
        label = protocol.levels[cohort.level].label
        part = f"{protocol.parts[cohort.part].name}/" if cohort.part else ""
        chosen = "".join(f"[{option + 1}]" for option in cohort.chosen)
        groups.append(f"{part}{label}{':' if label[-1].isalpha() else ''}{cohort.letters}{chosen}")
    return " ".join(groups)
