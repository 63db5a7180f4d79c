"""Where two protocols first decide differently, or the proof that they never do."""

from __future__ import annotations

from math import isfinite

from attrs import evolve, field, frozen

from doselang.check.counterparts import Counterparts, counterparts
from doselang.check.course_differences import CourseParting, course_partings
from doselang.check.lockstep import Lockstep, Parted
from doselang.diagnostics import Trouble, trouble
from doselang.machine.compiling import Machine, compile_protocol
from doselang.machine.decisions import Branch, GoesOn
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_PATIENTS, MAX_STATES, MOST_MEMORY, TooManyStates
from doselang.machine.notation import INEVALUABLE, Group, letters_of, patients_of
from doselang.machine.replay import replay
from doselang.protocol.model import Protocol, Scenario

UNFINISHED = 1e-12
"""So much of the probability may be left in trials that go on for ever."""


@frozen(eq=False)
class Told:
    """What one protocol decides at a look: all ways in which people can choose; none where the cohort goes on."""

    history: tuple[Group, ...]
    part: int
    level: int
    ways: tuple[Branch, ...]


@frozen(eq=False)
class Parting:
    """Looks at which two protocols first decide differently, all in one way; the histories are the shortest.

    `situations` is in how many pairs of situations they part so; `probability` that of trials that do, by scenario of
    the first protocol, None where it is not known. `accrual` is a way of entering in which they are met, with `only`
    the one in which they are. An empty history: the trials begin differently.
    """

    both: tuple[Told, Told]
    situations: int
    accrual: Accrual
    probability: dict[str, float | None] | None = None
    only: bool = False

    @property
    def patients(self) -> int:
        return patients_of(self.both[0].history)


@frozen(eq=False)
class Compared:
    """What the comparison of two protocols came to.

    `accruals` are the ways of entering in which all that can happen was followed, in `pairs` pairs of situations;
    `replacement` a history after which a patient is replaced by one protocol and not by the other; `courses` where the
    courses of patients part, after `standpoints` pairs. `probability` is that of meeting any parting, by scenario.
    """

    machines: tuple[Machine, Machine]
    accruals: tuple[Accrual, ...]
    pairs: int
    partings: tuple[Parting, ...]
    replacement: tuple[Group, ...] | None
    courses: tuple[CourseParting, ...]
    standpoints: int
    probability: dict[str, float | None] = field(factory=dict)
    chance_accrual: Accrual = "one-at-a-time"

    @property
    def equal(self) -> bool:
        """Whether both decide alike in every history."""
        return not self.partings and self.replacement is None and not self.courses


def compare_decisions(
    first: Protocol, second: Protocol, scenarios: tuple[Scenario, ...] = (), accrual: Accrual | None = None, *,
    max_states: int = MAX_STATES,
) -> Compared:  # fmt: skip
    """Where two protocols first decide differently, in every history that there can be.

    `scenarios` fit the first protocol. `accrual` None: in each way of entering. Raises Trouble DL903 where their
    histories cannot be compared, DL702 where there are more than `max_states` pairs of situations, DL701 where trials
    are not bounded, DL704 where a cohort has too many outcomes: equality is never claimed then.
    """
    machines = compile_protocol(first), compile_protocol(second)
    if any(toxicity.later for toxicity in (*first.toxicities, *second.toxicities)):
        scenarios = ()  # when they come is a matter of time, which has no probability here
    theirs = counterparts(first, second)
    likely: Accrual = "one-at-a-time" if accrual is None else accrual
    runs = [_run(machines, theirs, one, scenarios, max_states) for one in _accruals(machines, accrual)]
    partings, known = _partings(runs[0]), set(runs[0].parted)
    total: dict[str, float | None] = {}
    if partings and scenarios and runs[0].begins_alike:
        weighed = runs[0]
        if weighed.accrual != likely or weighed.returned:
            weighed = _run(machines, theirs, likely, scenarios, max_states, every=True)
        partings = [
            evolve(parting, probability=_by_scenario(weighed, weighed.parted.get(key)))
            for key, parting in zip(runs[0].parted, partings, strict=True)
        ]
        total = _total(weighed)
    elif partings and scenarios:
        total = {scenario.name: 1.0 for scenario in scenarios}
        partings = [evolve(parting, probability=dict(total)) for parting in partings]
    for other in runs[1:] if runs[0].begins_alike else ():
        new = [evolve(parting, only=True) for parting in _partings(other)]
        partings += [parting for key, parting in zip(other.parted, new, strict=True) if key not in known]
    environments = tuple(sorted({one for run in runs for one in run.environments}))
    courses, standpoints = course_partings(first, second, environments)
    shown = tuple(_replayed(machines, parting) for parting in _in_order(partings, first))
    pairs = sum(run.pairs for run in runs)
    return Compared(
        machines, tuple(run.accrual for run in runs), pairs, shown, _replacement(machines), courses, standpoints, total,
        likely,
    )  # fmt: skip


def _accruals(machines: tuple[Machine, Machine], asked: Accrual | None) -> tuple[Accrual, ...]:
    """The ways of entering that have to be followed, so that every history is."""
    if asked is not None:
        return (asked,)
    rolling = any(part.rolling for machine in machines for part in machine.protocol.parts)
    early = any(part.any_time and not part.part.rolling for machine in machines for part in machine.parts)
    one: Accrual = "any-order" if rolling else "one-at-a-time"
    return (one, "whole-cohort") if early else (one,)


def _run(
    machines: tuple[Machine, Machine], theirs: Counterparts, accrual: Accrual, scenarios: tuple[Scenario, ...],
    max_states: int, *, every: bool = False,
) -> Lockstep:  # fmt: skip
    made = Lockstep(machines, theirs, accrual, scenarios, max_states, every)
    try:
        made.run()
    except TooManyStates as error:
        raise _too_many(error, max_states) from None
    except OverflowError as error:
        raise trouble("DL704", f"{str(error)[:1].upper()}{str(error)[1:]}.", help="Write smaller cohorts.") from None
    return made


def _too_many(error: TooManyStates, max_states: int) -> Trouble:
    """A limit in the words of the command line."""
    open = "Whether the protocols decide alike is not known."
    figures = "`--figures` compares the figures alone"
    if error.full:
        message = f"After {error.states:,} pairs of situations they take more than {MOST_MEMORY >> 30} GiB of memory."
        return trouble("DL702", f"{message} {open}", help=f"{figures}; fewer levels make fewer pairs.")
    if error.states <= max_states:
        message = f"A trial can go on beyond {MAX_PATIENTS:,} patients without coming back to where it was. {open}"
        help = f"Bound the trial, for example: accrue at most 60 in the trial; {figures}."
        return trouble("DL701", message, help=help)
    message = f"There are more than {max_states:,} pairs of situations. {open}"
    return trouble("DL702", message, help=f"Allow more with `--max-states {10 * max_states}`; {figures}.")


# ---- what was found ----


def _partings(run: Lockstep) -> list[Parting]:
    if not run.begins_alike:
        return [Parting((_begun(run, 0), _begun(run, 1)), 1, run.accrual)]
    told = [((_told(run, one, 0), _told(run, one, 1)), one.situations) for one in run.parted.values()]
    return [Parting(both, situations, run.accrual) for both, situations in told]


def _begun(run: Lockstep, side: int) -> Told:
    protocol = run.machines[side].protocol
    return Told((), 0, protocol.start, ())


def _told(run: Lockstep, parted: Parted, side: int) -> Told:
    found, event = run.sides[side].found, run.joints.events[parted.event]
    number = run.frame(parted.pair, side)
    part, level = int(found.frames.part[number]), int(found.frames.level[number])
    history = run.history(parted.pair, side)
    if not run.rolling(parted.pair):
        letters = letters_of(found.machine.protocol)
        seen = "".join(letters[int(digit)] for digit in run.digits(parted.event, side))
        history = (*history, Group(part, level, seen))
    exits = range(event.exits[side], event.exits[side] + event.ways[side])
    ways = tuple(found.frames.branches[int(found.situations.branch[exit])] for exit in exits)
    return Told(history, part, level, ways)


def _by_scenario(run: Lockstep, parted: Parted | None) -> dict[str, float | None]:
    if parted is None:  # met only in another order of arrivals and outcomes
        return {scenario.name: 0.0 for scenario in run.scenarios}
    numbers = zip(run.scenarios, parted.probability.tolist(), run.unfinished.tolist(), strict=True)
    return {scenario.name: _known(p, rest) for scenario, p, rest in numbers}


def _total(run: Lockstep) -> dict[str, float | None]:
    sums = sum(one.probability for one in run.parted.values())
    if not run.parted:
        return {scenario.name: 0.0 for scenario in run.scenarios}
    numbers = zip(run.scenarios, sums.tolist(), run.unfinished.tolist(), strict=True)  # type: ignore[union-attr]
    return {scenario.name: _known(p, rest) for scenario, p, rest in numbers}


def _known(probability: float, rest: float) -> float | None:
    """A probability that rounding may have put a little above 1; None where it is not known."""
    return min(probability, 1.0) if isfinite(probability) and rest < UNFINISHED else None


def _in_order(partings: list[Parting], first: Protocol) -> list[Parting]:
    """Fewest patients first, then no toxicity before toxicity; those of one accrual only at the end."""
    letters = letters_of(first)

    def key(parting: Parting) -> tuple[bool, int, list[int]]:
        groups = parting.both[0].history
        known = [letters.index(letter) for group in groups for letter in group.letters if letter in letters]
        return parting.only, parting.patients, known

    return sorted(partings, key=key)


def _replacement(machines: tuple[Machine, Machine]) -> tuple[Group, ...] | None:
    """A history that one protocol goes on from and the other does not: a patient who is inevaluable."""
    replaces = [machine.protocol.replaces_inevaluable for machine in machines]
    protocol = machines[0].protocol
    return None if replaces[0] == replaces[1] else (Group(0, protocol.start, INEVALUABLE),)


def _replayed(machines: tuple[Machine, Machine], parting: Parting) -> Parting:
    """Replay a history that is to be shown through both protocols; what comes out otherwise is our fault.

    Where the rest of a cohort enters after its sentinel, the replay tells by which rule.
    """
    both = []
    for machine, told in zip(machines, parting.both, strict=True):
        ways = told.ways
        if told.history:
            followed = replay(machine, told.history, parting.accrual)
            decided = () if followed.last is None else followed.last.outcome
            if not ways and decided and isinstance(decided[0].decision.answers.next, GoesOn):
                ways = decided
            assert [way.decision for way in decided] == [way.decision for way in ways], "the replay decides otherwise"
        both.append(evolve(told, ways=ways))
    return evolve(parting, both=(both[0], both[1]))
