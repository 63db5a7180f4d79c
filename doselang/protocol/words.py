"""Conditions, places and moves in the words of the language, from the protocol alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fractions import Fraction

from doselang.plurals import plural
from doselang.protocol.guards import (
    THIS,
    All,
    Any,
    Chance,
    CohortComplete,
    Compare,
    Cycles,
    Declared,
    Entered,
    Guard,
    Happened,
    HasStatus,
    Not,
    Place,
    Range,
    Rate,
    Recommends,
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
    Close,
    Continue,
    Count,
    Declare,
    Enrol,
    EnrolRest,
    Enter,
    Gate,
    Move,
    Protocol,
    Stop,
)

_VOWEL_BY_NAME = frozenset("AEFHILMNORSX")
"""Capitals whose names begin with a vowel: an MTD, but a DLT."""

_NO_VOWEL = re.compile(r"uni(?![nm])|us[eu]|uti|eu|one", re.IGNORECASE)
"""Beginnings written with a vowel and spoken without one."""


# ---- names and places ----


def with_article(name: str) -> str:
    """The name after `a` or `an`; capitals are spoken letter by letter."""
    if len(name) == 1 or name[:2].isupper():
        vowel = name[0].upper() in _VOWEL_BY_NAME
    else:
        vowel = name[0].lower() in "aeiou" and _NO_VOWEL.match(name) is None
    return f"{'an' if vowel else 'a'} {name}"


def level_words(protocol: Protocol, level: int) -> str:
    return f"level {protocol.levels[level].label}"


def place_words(protocol: Protocol, place: Place) -> str:
    """`this level`, `the next lower level that remains`, `level 2A`, `the MTD`."""
    match place.kind:
        case "this":
            return "this level"
        case "recommended":
            return f"the level {protocol.advisers[place.index].name} recommends"
        case "highest where" | "lowest where" if place.where is not None:
            return f"the {place.kind.split()[0]} level where ({guard_words(protocol, place.where)})"
        case "next higher" | "next lower" if place.steps > 1:
            return f"the level {place.steps} levels {place.kind.split()[1]}"
        case "next higher" | "next lower" if place.axis >= 0:
            return f"the {place.kind} level of {axis_words(protocol, place.axis)}"
        case "next lower that remains":
            return "the next lower level that remains"
        case "level":
            return level_words(protocol, place.index)
        case "verdict":
            return f"the {protocol.verdicts[place.index].name}"
        case kind:
            return f"the {kind} level"


def axis_words(protocol: Protocol, axis: int) -> str:
    """The component of a grid."""
    assert protocol.axes is not None
    return protocol.components[protocol.axes[axis]].name


def toxicity_name(protocol: Protocol, classes: tuple[int, ...]) -> str:
    """The name of a class, or of several counted together; where none is declared, of all of them."""
    names = [protocol.toxicities[one].name for one in classes]
    of_several = [group.name for group in protocol.groups if group.classes == classes]
    return of_several[0] if of_several and len(names) > 1 else "-or-".join(names)


def counted_together(protocol: Protocol, name: str, joint: str) -> str | None:
    """The classes that a name for several counts, `DLT` or `haem-DLT`; None where it is no such name."""
    found = [group for group in protocol.groups if group.name.lower() == name.strip().lower()]
    names = [f"`{protocol.toxicities[one].name}`" for group in found for one in group.classes]
    return f"{', '.join(names[:-1])} {joint} {names[-1]}" if names else None


def toxicity_words(protocol: Protocol, classes: tuple[int, ...], number: int) -> str:
    """The name of toxicities, as a plural where several are counted; not if another has that name."""
    name = toxicity_name(protocol, classes)
    names = [toxicity.name.lower() for toxicity in protocol.toxicities] + [one.name.lower() for one in protocol.groups]
    return name if number == 1 or plural(name).lower() in names else plural(name)


# ---- conditions ----


def guard_words(protocol: Protocol, guard: Guard) -> str:
    """The condition as it would be written."""
    match guard:
        case All(guards):
            return " and ".join(_inner(protocol, part) for part in guards)
        case Any(guards):
            return " or ".join(_inner(protocol, part) for part in guards)
        case Not(inner):
            return _negated(protocol, inner)
        case Share():
            return _share(protocol, guard)
        case Tally():
            return _tally(protocol, guard)
        case Rate() | Chance():
            return _rate(protocol, guard)
        case Cycles(count):
            return _counted(count, "cycles", "cycles")
        case _:
            return _standing(protocol, guard, "")


def _inner(protocol: Protocol, guard: Guard) -> str:
    words = guard_words(protocol, guard)
    return f"({words})" if isinstance(guard, All | Any) else words


def _negated(protocol: Protocol, guard: Guard) -> str:
    """`no higher level remains`, `this level is not open`; `not …` where the words have no place for it."""
    match guard:
        case HasStatus() | Compare() | Declared(ever=False):
            return _standing(protocol, guard, "not ")
        case Standing() | ResultDeclared() | Recommends():
            return _standing(protocol, guard, "no")
        case Happened(-1):
            return "any event"
        case _:
            return f"not {_inner(protocol, guard)}"


def _standing(protocol: Protocol, guard: Guard, negation: str) -> str:
    """What has no numbers; `negation` is put where the words have a place for it."""
    match guard:
        case Says(adviser, word):
            return f"{protocol.advisers[adviser].name} says {protocol.advisers[adviser].words[word]}"
        case Recommends(adviser):
            return f"{protocol.advisers[adviser].name} recommends {'no' if negation else 'a'} level"
        case SentinelHas(toxicities):
            return f"the sentinel has {with_article(toxicity_name(protocol, toxicities))}"
        case HasStatus(place, "tried"):
            return f"{place_words(protocol, place)} is {'untried' if negation else 'tried'}"
        case HasStatus(place, status):
            return f"{place_words(protocol, place)} is {negation}{_status(status)}"
        case Compare(place, relation, other):
            comparison = "" if relation == "same" else f"{relation} "
            return f"{place_words(protocol, place)} is {negation}{comparison}{place_words(protocol, other)}"
        case Standing(direction, standing, axis):
            found = standing if standing in ("exists", "remains") else f"is {_status(standing)}"
            of = f" of {axis_words(protocol, axis)}" if axis >= 0 else ""
            return f"{negation or 'a'} {direction} level{of} {found}"
        case Declared(verdict, ever):
            name = protocol.verdicts[verdict].name
            return f"the {name} has been declared" if ever else f"the {name} is {negation}declared"
        case ResultDeclared():
            return f"{negation or 'a'} verdict is declared"
        case CohortComplete():
            return "the cohort is complete"
        case TrialStopped():
            return "the trial is stopped"
        case Happened(event) if protocol.course is not None:
            return "no event" if event < 0 else protocol.course.events[event].name
        case Entered(state) if protocol.course is not None:
            return f"{protocol.course.states[state].name} is entered"
    raise AssertionError(guard)


def _status(status: str) -> str:
    return "closed as too toxic" if status == "closed" else status


def _bound(count: Range) -> str:
    """`at least 2`, `at most 1`, `exactly 6`, `between 1 and 2`."""
    if count.high is None:
        return f"at least {count.low}"
    if count.low == count.high:
        return f"exactly {count.low}"
    return f"at most {count.high}" if count.low == 0 else f"between {count.low} and {count.high}"


def _share(protocol: Protocol, share: Share) -> str:
    count, several = share.count, True
    match count:
        case Range(0, 0):
            number, several = "none", False
        case Range(1, None):
            number, several = "any", False
        case Range(low, high) if low == high:
            number, several = "all" if low == share.size else str(low), low != 1 or share.size == 1
        case _:
            number, several = _bound(count), (count.low if count.high is None else count.high) != 1
    patients = "patient" if share.size == 1 else "patients"
    group = {
        "all": f"{share.size} {patients}",
        "first": f"the first {share.size} {patients}",
        "added": f"the added {share.size}",
    }
    name = with_article(toxicity_name(protocol, share.toxicities))
    at = "" if share.place == THIS else f" at {place_words(protocol, share.place)}"
    return f"{number} of {group[share.group]} {'have' if several else 'has'} {name}{at}"


def _counted(count: Range, one: str, many: str) -> str:
    """`no DLT`, `any DLT`, `at most 1 DLT`, `at least 2 DLTs`."""
    if count == Range(0, 0):
        return f"no {one}"
    if count == Range(1, None):
        return f"any {one}"
    return f"{_bound(count)} {one if (count.high or count.low) == 1 else many}"


def _tally(protocol: Protocol, tally: Tally) -> str:
    if tally.scope == "counter":
        name = protocol.counters[tally.what[0]].name
        return _counted(tally.count, name, plural(name))
    if -2 in tally.what:
        what = "enrolled" if -1 in tally.what else "pending"
        return f"{_counted(tally.count, what, what)}{_extent(protocol, tally)}"
    extent = _extent(protocol, tally)
    if tally.what != (-1,):
        one, many = (toxicity_words(protocol, tally.what, number) for number in (1, 2))
        return f"{_counted(tally.count, one, many)}{extent}"
    count = tally.count
    if count.low == 0 and count.high is not None:
        # as protocols say it of patients: fewer than six, rather than at most five
        return f"{'no' if count.high == 0 else f'fewer than {count.high + 1}'} evaluable{extent}"
    return f"{_bound(count)} evaluable{extent}"


def _extent(protocol: Protocol, guard: Tally | Rate) -> str:
    match guard.scope, guard.part:
        case "level", None:
            return "" if guard.place == THIS else f" at {place_words(protocol, guard.place)}"
        case "level", int(part):
            return f" at {place_words(protocol, guard.place)} in {protocol.parts[part].name}"
        case "part", int(part):
            return f" in {protocol.parts[part].name}"
        case scope, _:
            return f" in the {scope}"


def _rate(protocol: Protocol, rate: Rate | Chance) -> str:
    if isinstance(rate, Chance):
        at = "" if rate.place == THIS else f" at {place_words(protocol, rate.place)}"
        of = f"{with_article(protocol.toxicities[0].name)} {_rates_asked(rate)}"
        subject = f"the chance by {protocol.advisers[rate.adviser].name} of {of}{at} is"
    else:
        name = toxicity_name(protocol, rate.toxicities)
        less = f" less {rate.less} {name}" if rate.less else ""
        subject = f"the {name} rate{less}{_extent(protocol, rate)} is"
    low, high = percent_words(rate.low), percent_words(rate.high)
    if rate.low == rate.high and rate.low_included and rate.high_included:
        return f"{subject} exactly {low}"
    bounds = []
    if rate.low > 0 or not rate.low_included:
        bounds.append(f"{'at least' if rate.low_included else 'more than'} {low}")
    if rate.high < 1 or not rate.high_included or not bounds:
        bounds.append(f"{'at most' if rate.high_included else 'fewer than'} {high}")
    return f"{subject} {' and '.join(bounds)}"


def _rates_asked(chance: Chance) -> str:
    above, up_to = percent_words(chance.above), percent_words(chance.up_to)
    if chance.up_to == 1:
        return f"above {above}"
    return f"below {up_to}" if chance.above == 0 else f"between {above} and {up_to}"


def percent_words(share: Fraction) -> str:
    """`33.3%`, exactly; a share that no decimal number gives stays a fraction, `1/3`."""
    hundredfold = share * 100
    for digits in range(13):
        if (hundredfold * 10**digits).denominator == 1:
            return f"{float(hundredfold):.{digits}f}%"
    return str(share)


# ---- moves ----


def moves_words(protocol: Protocol, moves: Iterable[Move], tried: Collection[int] = ()) -> str:
    """Moves with commas between; `tried` as in `move_words`."""
    return ", ".join(move_words(protocol, move, tried) for move in moves)


def move_words(protocol: Protocol, move: Move, tried: Collection[int] = ()) -> str:
    """One move; patients are enrolled as so many `more` at this level, and at levels in `tried`."""
    match move:
        case Enrol(place, None, int(total)):
            return f"fill {place_words(protocol, place)} to {total}"
        case Enrol(place, size):
            return _enrol(protocol, place, size, tried)
        case EnrolRest():
            return "enrol the rest"
        case Backfill(place, size):
            return f"backfill {size} patient{'s' if size > 1 else ''} at {place_words(protocol, place)}"
        case Count(counter, reset):
            return f"{'reset' if reset else 'count'} {protocol.counters[counter].name}"
        case Close(place, all_above):
            return f"close {place_words(protocol, place)}{' with all above' if all_above else ''} as too toxic"
        case Declare(verdict, None):
            return f"declare no {protocol.verdicts[verdict].name}"
        case Declare(verdict, place) if place is not None:
            return f"declare {place_words(protocol, place)} as {protocol.verdicts[verdict].name}"
        case Begin(part, place, None, int(total)):
            return f"begin {protocol.parts[part].name} filling {place_words(protocol, place)} to {total}"
        case Begin(part, place, size):
            with_size = f" with {size}" if size not in (None, protocol.parts[part].cohort) else ""
            return f"begin {protocol.parts[part].name}{with_size} at {place_words(protocol, place)}"
        case Stop(reason):
            return "stop" if reason is None else f'stop "{reason}"'
        case Continue(place):
            return "continue" if place is None else f"continue at {place_words(protocol, place)}"
        case Enter(state, place) if protocol.course is not None:
            at = "" if place is None else f" at {place_words(protocol, place)}"
            return f"enter {protocol.course.states[state].name}{at}"
    raise AssertionError(move)


def _enrol(protocol: Protocol, place: Place, size: int | None, tried: Collection[int]) -> str:
    if size is None:
        if place.kind in ("next higher", "next lower"):
            step = "escalate" if place.kind == "next higher" else "de-escalate"
            by = f" {place.steps} levels" if place.steps > 1 else ""
            return f"{step}{by}{f' in {axis_words(protocol, place.axis)}' if place.axis >= 0 else ''}"
        return "stay" if place == THIS else f"enrol a cohort at {place_words(protocol, place)}"
    if place == THIS:
        return f"enrol {size} more"
    more = " more" if place.kind == "level" and place.index in tried else ""
    return f"enrol {size}{more} at {place_words(protocol, place)}"


def gate_words(protocol: Protocol, gate: Gate, tried: Collection[int] = (), joint: str = " or ") -> str:
    """`may A if the B agrees, otherwise C`; `ask the B to choose A or C`; `with chance 25% A, otherwise C`.

    `joint` stands between the options that people choose from.
    """
    options = [together_words(protocol, option, tried) for option in gate.options]
    if gate.kind == "draw":
        assert gate.chances is not None
        return f"with chance {percent_words(gate.chances[0])} {options[0]}, otherwise {options[1]}"
    body = protocol.bodies[gate.body].name
    if gate.kind == "may":
        return f"may {options[0]} if the {body} agrees, otherwise {options[1]}"
    default = "" if gate.chances is None else f", default {options[gate.chances.index(Fraction(1))]}"
    return f"ask the {body} to choose {joint.join(options)}{default}"


def decider_words(protocol: Protocol, gate: Gate) -> str:
    """Who decides at a gate: `the committee`, or chance."""
    return "chance" if gate.kind == "draw" else f"the {protocol.bodies[gate.body].name}"


def together_words(protocol: Protocol, moves: Iterable[Move], tried: Collection[int] = ()) -> str:
    """Moves made together in an option that people choose: with `and` between."""
    return " and ".join(move_words(protocol, move, tried) for move in moves)
