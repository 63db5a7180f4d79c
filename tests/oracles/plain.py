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
    Says,
    SentinelHas,
    Share,
    Standing,
    Tally,
    TrialStopped,
)
from doselang.protocol.model import (
    Backfill,
    Begin,
    Case,
    Close,
    Count,
    Declare,
    Enrol,
    EnrolRest,
    Gate,
    Move,
    Protocol,
    Rule,
    Stop,
    Table,
)

Accrual = Literal["one-at-a-time", "whole-cohort"]
Kind = Literal["verdict", "gap", "conflict", "silence", "infeasible", "limit"]
Rates = Sequence[Sequence[Fraction]]
Chances = Mapping[str, Sequence[Fraction]]
MOST_PATIENTS = 60
"""A trial with more is taken to be endless, which the interpreter refuses to follow."""


@frozen
class Cohort:
    """A cohort of `size` patients; one letter for each whose outcome is known, and the choices of people after it.

    `sentinel`: its first patient is treated alone.
    """

    part: int
    level: int
    size: int
    letters: str = ""
    chosen: tuple[int, ...] = ()
    sentinel: bool = False

    @property
    def at_sentinel(self) -> bool:
        """Whether only the sentinel of several is known, and had a toxicity."""
        return self.sentinel and self.size > 1 and len(self.letters) == 1 and self.letters != "N"


@frozen
class Trial:
    """What has happened so far; `named` are the verdicts for which a level was ever declared, `fresh` in this look.

    The last cohort is the one under way; those beside it stand before it. `counters` are by number. `about` is the
    level that a condition is asked about where that is not the one of the look.
    """

    cohorts: tuple[Cohort, ...] = ()
    closed: frozenset[int] = frozenset()
    verdicts: dict[int, int | None] = field(factory=dict)
    named: frozenset[int] = frozenset()
    fresh: frozenset[int] = frozenset()
    counters: dict[int, int] = field(factory=dict)
    about: int | None = None

    @property
    def here(self) -> int:
        return self.cohorts[-1].level if self.about is None else self.about

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
    first = Cohort(0, protocol.start, protocol.parts[0].cohort, sentinel=protocol.parts[0].sentinel is not None)
    if over_limit(protocol, Trial(), [first]):
        return [world.end(Trial(), Fraction(1), False, "limit", (), "the first cohort breaks a limit")]
    return list(world.follow(Trial((first,)), Fraction(1), False))


# ---- conditions ----


def rungs(protocol: Protocol, here: int) -> list[int]:
    """The levels of the ladder that a level belongs to, the lowest first, without those that are off it."""
    one = protocol.levels[here].ladder
    return [n for n, level in enumerate(protocol.levels) if level.ladder == one and not level.off_ladder]


def lies_above(protocol: Protocol, level: int, other: int) -> bool:
    """Whether a level is above another: of one ladder and written later; on a grid no dose lower and one higher."""
    one, two = protocol.levels[level], protocol.levels[other]
    if one.position is not None and two.position is not None:
        return one.position != two.position and all(a >= b for a, b in zip(one.position, two.position, strict=True))
    return one.ladder == two.ladder and level > other


def step(protocol: Protocol, here: int, way: int, axis: int) -> int | None:
    """The neighbour of a level on one side (1 up, -1 down), of one component where levels form a grid."""
    position = protocol.levels[here].position
    if position is not None:
        wanted = tuple(dose + way * (axis == n) for n, dose in enumerate(position))
        found = [n for n, level in enumerate(protocol.levels) if level.position == wanted and axis >= 0]
        return found[0] if found else None
    side = [level for level in rungs(protocol, here) if (level > here if way > 0 else level < here)]
    return (min(side) if way > 0 else max(side)) if side else None


def find(place: Place, protocol: Protocol, trial: Trial) -> int | None:
    """The level that a place is, None where there is no such level."""
    here: int | None = trial.here
    assert here is not None
    ladder = rungs(protocol, here)
    match place.kind:
        case "next higher" | "next lower":
            for _ in range(place.steps):
                if here is not None:
                    here = step(protocol, here, 1 if place.kind == "next higher" else -1, place.axis)
            return here
        case "next lower that remains":
            below = [level for level in ladder if lies_above(protocol, here, level) and level not in trial.closed]
            return max(below, default=None)
        case "verdict":
            return trial.verdicts.get(place.index)
        case "highest where" | "lowest where":
            assert place.where is not None
            every = [n for n, level in enumerate(protocol.levels) if level.ladder == protocol.levels[here].ladder]
            met = [n for n in every if holds(place.where, protocol, evolve(trial, about=n)) is True]
            return (max if place.kind == "highest where" else min)(met) if met else None
    return {
        "this": here, "lowest": ladder[0], "highest": ladder[-1], "start": protocol.start, "level": place.index,
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
        case Tally(count, (counter,), "counter"):
            return trial.counters.get(counter, 0) in count
        case Says():
            return says(guard, protocol, trial)
        case SentinelHas(toxicities):
            cohort = trial.cohorts[-1]
            return cohort.at_sentinel and number(cohort.letters, toxicities, protocol) == 1
        case Tally(count, what, "level", place) if -2 in what:
            level = find(place, protocol, trial)
            return None if level is None else waiting(trial, level) + (-1 in what) * len(trial.letters(level)) in count
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
            return {
                "above": lies_above(protocol, left, right), "below": lies_above(protocol, right, left),
                "same": left == right,
            }[relation]  # fmt: skip
        case Standing(direction, standing, axis):
            return stands(direction, standing, axis, protocol, trial)
        case Declared(verdict, ever):
            return verdict in trial.fresh or (ever and verdict in trial.named)
        case ResultDeclared():
            return protocol.result in trial.verdicts
        case CohortComplete():
            return len(trial.cohorts[-1].letters) == trial.cohorts[-1].size
        case TrialStopped():
            return False
    raise ValueError(f"not a condition of a trial: {guard}")


def number(letters: str, what: tuple[int, ...], protocol: Protocol) -> int:
    """How many of these patients have one of some toxicities; all of them where that is -1."""
    meant = [protocol.toxicities[one].letter for one in what if one >= 0]
    return sum(1 for letter in letters if letter in meant or not meant)


def waiting(trial: Trial, level: int) -> int:
    """How many patients of a rolling part are pending at a level; each is a cohort of one there."""
    return sum(cohort.size - len(cohort.letters) for cohort in trial.cohorts if cohort.level == level)


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
    seen = number(letters, guard.toxicities, protocol)
    possible = {total in guard.count for total in range(seen, seen + missing + 1)}
    return None if len(possible) == 2 else possible.pop()


def says(guard: Says, protocol: Protocol, trial: Trial) -> bool | None:
    """Whether a table says a word about a level: open where it does not know the number of patients."""
    level, table = find(guard.place, protocol, trial), protocol.advisers[guard.adviser]
    assert isinstance(table, Table)
    if level is None:
        return None
    letters = trial.letters(level, guard.part)
    column = dict(table.cells).get(len(letters))
    return None if column is None else column[number(letters, table.toxicities, protocol)] == guard.word


def rate(guard: Rate, protocol: Protocol, trial: Trial) -> bool | None:
    """A rate lies between two fractions; open while none is evaluable."""
    letters = counted(guard, protocol, trial)
    if not letters:
        return None
    value = Fraction(max(number(letters, guard.toxicities, protocol) - guard.less, 0), len(letters))
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


def stands(direction: str, standing: str, axis: int, protocol: Protocol, trial: Trial) -> bool:
    """Whether a level on one side exists, remains or has a status."""
    here = trial.here
    neighbour = step(protocol, here, 1 if direction == "higher" else -1, axis)
    every = [
        n for n in range(len(protocol.levels))
        if (lies_above(protocol, n, here) if direction == "higher" else lies_above(protocol, here, n))
    ]  # fmt: skip
    if axis >= 0:
        every = [] if neighbour is None else [neighbour]
    side = [n for n in every if not protocol.levels[n].off_ladder]
    if standing == "exists":
        return len(side) > 0
    if standing == "remains" and direction == "higher":
        return neighbour is not None and neighbour not in trial.closed
    if standing == "remains":
        return any(level not in trial.closed for level in side)
    asked = side if standing == "untried" else every  # a level off the ladder need never be tried
    return any(has_status(level, standing, trial) for level in asked)


# ---- looks ----


class Halt(Exception):
    """The history ends undecided: what kind of end, and why."""

    def __init__(self, kind: Kind, reason: str | None) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


class Choose(Exception):
    """A rule waits for people, or chance, to choose one of so many options; `chances` as the protocol gives them."""

    def __init__(self, rule: str, gate: Gate) -> None:
        super().__init__(rule, gate)
        self.rule, self.kind, self.options, self.chances = rule, gate.kind, len(gate.options), gate.chances


def answers(move: Move) -> int:
    """The question that a move answers."""
    return 1 if isinstance(move, Close) else 2 if isinstance(move, Declare) else 3


def question(case: Case) -> int:
    """The earliest question that a move of a case, or of an option of its gate, answers."""
    moves = [*case.moves, *(move for option in (case.gate.options if case.gate else ()) for move in option)]
    return min(answers(move) for move in moves)


def over_limit(protocol: Protocol, trial: Trial, opened: Sequence[Cohort]) -> bool:
    """Whether opening cohorts would break an upper limit: of their part, or of the trial wherever that is written."""
    here = opened[-1].part
    for position, part in enumerate(protocol.parts):
        for limit in part.limits:
            if limit.high is None or (limit.scope != "trial" and position != here):
                continue
            counted_part = None if limit.scope == "trial" else here
            for level in {cohort.level for cohort in opened} if limit.scope == "level" else {None}:
                more = sum(cohort.size for cohort in opened if level in (None, cohort.level))
                if len(trial.letters(level, counted_part)) + more > limit.high:
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

    def decide(self) -> tuple[Cohort, ...] | Move:
        """What comes next: the cohorts that open, the last of which is the next, or that the trial ends, or goes on."""
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
            raise Choose(rule.name, gate)
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
            every = range(len(self.protocol.levels)) if move.all_above else ()
            closing.update([level, *(other for other in every if lies_above(self.protocol, other, level))])
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
        for verdict, level in mtds.items():
            untried = level is not None and names[verdict] == "MTD" and has_status(level, "untried", self.trial)
            if level is not None and (level in self.trial.closed or untried):
                raise Halt("infeasible", "an MTD at a level that is untried or too toxic")
        fresh = frozenset(verdict for verdict, level in found.items() if level is not None)
        verdicts = {**self.trial.verdicts, **found}
        self.trial = evolve(self.trial, verdicts=verdicts, fresh=fresh, named=self.trial.named | fresh)

    def proceed(self, given: list[Move]) -> tuple[Cohort, ...] | Move:
        """Answers to the third question: one and the same, which can be carried out."""
        counts = [move for move in given if isinstance(move, Count)]
        moves = [move for move in given if not isinstance(move, Count | Backfill)]
        if not moves:
            self.nothing_said()
        if len({(type(move), self.opens(move)) for move in moves}) > 1:
            raise Halt("conflict", "two answers to what comes next")
        if isinstance(moves[0], EnrolRest):
            if not self.here.at_sentinel:
                raise Halt("infeasible", "there is no sentinel whose cohort could go on")
            if counts or any(answers(move) < 3 for move in self._moves):
                raise Halt("conflict", "the cohort goes on, and something else is decided")
            return moves[0]
        cohort, opened = self.opens(moves[0]), ()
        if cohort is not None:
            opened = (*self.beside(cohort, [move for move in given if isinstance(move, Backfill)]), cohort)
            self.check_cohort(cohort, begins=isinstance(moves[0], Begin))
        self.check_floor(cohort)
        if opened and over_limit(self.protocol, self.trial, opened):
            raise Halt("limit", "more patients than a limit allows")
        self.count(counts)
        return opened or moves[0]

    def count(self, moves: list[Count]) -> None:
        """What the counters have counted from the next look on; a reset goes before a count."""
        counters = dict(self.trial.counters)
        for counter in {move.counter for move in moves}:
            reset = Count(counter, True) in moves
            counters[counter] = 0 if reset else counters.get(counter, 0) + 1
        self.trial = evolve(self.trial, counters=counters)

    def beside(self, cohort: Cohort, moves: list[Backfill]) -> list[Cohort]:
        """The cohorts of patients who enter at other levels, the highest first."""
        sizes: dict[int, int] = {}
        for move in moves:
            level = self.level(move.place)
            if level >= 0 and (level == cohort.level or sizes.setdefault(level, move.size) != move.size):
                raise Halt("conflict", "two answers to how many patients enter at a level")
        if self.closing & {cohort.level, *sizes}:
            raise Halt("conflict", "patients enter at a level that this look closes")
        if any(self.level(move.place) < 0 for move in moves) or self.trial.closed & set(sizes):
            raise Halt("infeasible", "no such level to backfill, or it is closed as too toxic")
        return [Cohort(cohort.part, level, size) for level, size in sorted(sizes.items(), reverse=True)]

    def opens(self, move: Move) -> Cohort | None:
        """What a move does: the cohort that it opens, None where it ends the trial."""
        match move:
            case Enrol(place, size, total):
                return self.cohort(self.here.part, self.level(place), size, total)
            case Begin(part, place, size, total):
                return self.cohort(part, self.level(place), size, total)
            case Stop() | EnrolRest():
                return None
        raise ValueError(f"not a move of a trial: {move}")

    def cohort(self, part: int, level: int, size: int | None, total: int | None) -> Cohort:
        """A cohort of so many, of as many as are missing to a total, or as large as those of the part."""
        if size is None:
            size = self.protocol.parts[part].cohort
            if total is not None and level >= 0:
                size = total - len(self.trial.letters(level))
        of = self.protocol.parts[part].sentinel
        new = level >= 0 and has_status(level, "untried", self.trial)
        return Cohort(part, level, size, sentinel=of == "cohort" or (of == "new level" and new))

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
        if cohort.level < 0 or cohort.level in self.trial.closed:
            raise Halt("infeasible", "no such level, or it is closed as too toxic")
        if begins and any(past.part == cohort.part for past in self.trial.cohorts):
            raise Halt("infeasible", "the part has begun before")
        if cohort.size <= 0:
            raise Halt("infeasible", "the level has as many patients")

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
            if len(grown.letters) == grown.size or grown.at_sentinel or self.acts_at_once(after):
                yield from self.decided(after, probability * chance, untold, ())
            else:
                yield from self.follow(after, probability * chance, untold)

    def rates_at(self, level: int) -> dict[str, Fraction]:
        """The chance of each letter at a level."""
        rates = {t.letter: self.rates[i][level] for i, t in enumerate(self.protocol.toxicities)}
        return {"N": 1 - sum(rates.values(), Fraction(0)), **rates}

    def opened(self, trial: Trial, cohorts: tuple[Cohort, ...]) -> Iterator[tuple[Trial, Fraction]]:
        """The trial with cohorts opened: those beside the last become known first, without a look."""
        first, *others = cohorts
        if not others:
            yield evolve(trial, cohorts=(*trial.cohorts, first)), Fraction(1)
            return
        for letters, chance in self.combinations(self.rates_at(first.level), first.size):
            grown = evolve(trial, cohorts=(*trial.cohorts, evolve(first, letters=letters)))
            for after, more in self.opened(grown, tuple(others)):
                yield after, chance * more

    def outcomes(self, cohort: Cohort) -> Iterator[tuple[str, Fraction]]:
        """What the next patient, or the whole cohort, may bring."""
        rates = self.rates_at(cohort.level)
        size = 1 if self.accrual == "one-at-a-time" else cohort.size - len(cohort.letters)
        if cohort.sentinel and not cohort.letters:
            size = 1
        yield from self.combinations(rates, size)

    def combinations(self, rates: Mapping[str, Fraction], size: int) -> Iterator[tuple[str, Fraction]]:
        """What so many patients may bring, whose order does not matter."""
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
        decision: tuple[Cohort, ...] | Move | Halt
        try:
            decision = look.decide()
        except Choose as choose:
            told = choose.chances if choose.kind == "draw" else self.chances.get(choose.rule) or choose.chances
            shares = told or [Fraction(1, choose.options)] * choose.options
            for option, chance in enumerate(shares):
                yield from self.decided(trial, probability * chance, untold or told is None, (*chosen, option))
            return
        except Halt as halt:
            decision = halt
        last = evolve(look.here, chosen=chosen)
        after = evolve(look.trial, cohorts=(*trial.cohorts[:-1], last))
        if isinstance(decision, tuple):
            for opened, chance in self.opened(evolve(after, fresh=frozenset()), decision):
                yield from self.follow(opened, probability * chance, untold)
        elif isinstance(decision, EnrolRest):
            yield from self.follow(after, probability, untold)
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
        groups.append(f"{part}{label}{'' if label.lstrip('-').isdigit() else ':'}{cohort.letters}{chosen}")
    return " ".join(groups)
