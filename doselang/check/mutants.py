"""Small changes of a protocol's rules: a claim that none of them breaks says nothing.

Limits are taken out of every mutant, so that a claim that repeats a limit can fail too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, combinations, zip_longest

from attrs import evolve, frozen

from doselang.protocol.guards import (
    All,
    Any,
    Compare,
    Cycles,
    Guard,
    HasStatus,
    Not,
    Place,
    PlaceKind,
    Range,
    Says,
    Share,
    Standing,
    Tally,
)
from doselang.protocol.model import (
    Backfill,
    Begin,
    Case,
    Close,
    Continue,
    Count,
    Declare,
    Enrol,
    Enter,
    Move,
    Part,
    Protocol,
    Rule,
)


@frozen
class Mutant:
    """A changed protocol, and what was changed, in words."""

    change: str
    protocol: Protocol


PLACED = (Backfill, Begin, Close, Continue, Declare, Enrol, Enter)
"""Moves that lead to a level, or name one."""

_OTHER_WAY: dict[str, PlaceKind] = {
    "next higher": "next lower", "next lower": "next higher", "next lower that remains": "next higher",
    "lowest": "highest", "highest": "lowest", "this": "next higher", "highest where": "lowest where",
    "lowest where": "highest where", "recommended": "highest",
}  # fmt: skip


def mutants(protocol: Protocol) -> Iterator[Mutant]:
    """Mutants of the trial's rules: moves turned round, a cohort or a threshold off by one, rules left out."""
    free = evolve(protocol, parts=tuple(evolve(part, limits=()) for part in protocol.parts))
    # The last rules of a part tend to lead to other levels and parts: to change their moves breaks most.
    yield from reversed(list(_moves_turned(free)))
    kinds = (_moves_swapped, _thresholds, _rules_left_out, _guards_turned, _sizes)
    yield from _in_turn(*(kind(free) for kind in kinds))


def _in_turn(*kinds: Iterator[Mutant]) -> Iterator[Mutant]:
    """One of each kind, then the next of each."""
    return (mutant for mutant in chain(*zip_longest(*kinds)) if mutant is not None)


def course_mutants(protocol: Protocol) -> Iterator[Mutant]:
    """Mutants of the rules of the patient's course, those in the decisions of people first."""
    course = protocol.course
    if course is None:
        return
    states = course.states

    def mutant(number: int, rules: tuple[Rule, ...], change: str) -> Mutant:
        changed = (*states[:number], evolve(states[number], rules=rules), *states[number + 1 :])
        return Mutant(change, evolve(protocol, course=evolve(course, states=changed)))

    def changed(*kinds) -> Iterator[Mutant]:  # type: ignore[no-untyped-def]
        for kind in kinds:
            for number, state in enumerate(states):
                for rules, change in _rules_changed(state.rules, kind):
                    yield mutant(number, rules, change)

    def left_out() -> Iterator[Mutant]:
        for number, state in enumerate(states):
            for rule in range(len(state.rules)):
                rules = state.rules[:rule] + state.rules[rule + 1 :]
                yield mutant(number, rules, f'without the rule "{state.rules[rule].name}"')

    yield from changed(_turned_options, _turned_moves, _turned_guards)
    yield from _in_turn(left_out(), changed(partial(_other_states, len(states))))


def _with_rules(protocol: Protocol, number: int, rules: tuple[Rule, ...]) -> Protocol:
    part = evolve(protocol.parts[number], rules=rules)
    return evolve(protocol, parts=(*protocol.parts[:number], part, *protocol.parts[number + 1 :]))


def _everywhere(protocol: Protocol, kind) -> Iterator[Mutant]:  # type: ignore[no-untyped-def]
    for number, part in enumerate(protocol.parts):
        for rules, change in _rules_changed(part.rules, kind):
            yield Mutant(change, _with_rules(protocol, number, rules))


def _rules_changed(rules: tuple[Rule, ...], kind) -> Iterator[tuple[tuple[Rule, ...], str]]:  # type: ignore[no-untyped-def]
    for r, rule in enumerate(rules):
        for c, case in enumerate(rule.cases):
            for changed, change in kind(case):
                cases = (*rule.cases[:c], changed, *rule.cases[c + 1 :])
                yield (*rules[:r], evolve(rule, cases=cases), *rules[r + 1 :]), f'{change} in "{rule.name}"'


def _moves_turned(protocol: Protocol) -> Iterator[Mutant]:
    return chain(_everywhere(protocol, _turned_moves), _everywhere(protocol, _turned_options))


def _moves_swapped(protocol: Protocol) -> Iterator[Mutant]:
    """Two `when … then …` of a part with each other's moves."""
    for number, part in enumerate(protocol.parts):
        places = [(r, c) for r, rule in enumerate(part.rules) for c in range(len(rule.cases))]
        for (r, c), (s, d) in reversed(list(combinations(places, 2))):
            one, other = part.rules[r].cases[c], part.rules[s].cases[d]
            if (one.moves, one.gate) == (other.moves, other.gate):
                continue
            rules = _with_case(part.rules, r, c, evolve(one, moves=other.moves, gate=other.gate))
            rules = _with_case(rules, s, d, evolve(other, moves=one.moves, gate=one.gate))
            change = f'the moves of "{part.rules[r].name}" and "{part.rules[s].name}" swapped'
            yield Mutant(change, _with_rules(protocol, number, rules))


def _with_case(rules: tuple[Rule, ...], rule: int, case: int, changed: Case) -> tuple[Rule, ...]:
    cases = rules[rule].cases
    made = evolve(rules[rule], cases=(*cases[:case], changed, *cases[case + 1 :]))
    return (*rules[:rule], made, *rules[rule + 1 :])


def _thresholds(protocol: Protocol) -> Iterator[Mutant]:
    return _everywhere(protocol, lambda case: _guard_changed(case, _moved_threshold))


def _guards_turned(protocol: Protocol) -> Iterator[Mutant]:
    return _everywhere(protocol, _turned_guards)


def _turned_guards(case: Case) -> Iterator[tuple[Case, str]]:
    return _guard_changed(case, _turned_atom)


def _rules_left_out(protocol: Protocol) -> Iterator[Mutant]:
    for number, part in enumerate(protocol.parts):
        for r, rule in enumerate(part.rules):
            rules = part.rules[:r] + part.rules[r + 1 :]
            yield Mutant(f'without the rule "{rule.name}"', _with_rules(protocol, number, rules))


def _sizes(protocol: Protocol) -> Iterator[Mutant]:
    for number, part in enumerate(protocol.parts):
        for size in (part.cohort + 1, part.cohort - 1):
            if size > 0:
                changed: Part = evolve(part, cohort=size)
                parts = (*protocol.parts[:number], changed, *protocol.parts[number + 1 :])
                yield Mutant(f"cohorts of {size} in part {part.name}", evolve(protocol, parts=parts))
    yield from _everywhere(protocol, _other_sizes)


def _other_sizes(case: Case) -> Iterator[tuple[Case, str]]:
    for m, move in enumerate(case.moves):
        for changed, words in _resized(move):
            yield evolve(case, moves=(*case.moves[:m], changed, *case.moves[m + 1 :])), words


def _resized(move: Move) -> Iterator[tuple[Move, str]]:
    """A cohort with one patient more or fewer, or filled up to one more or fewer."""
    if not isinstance(move, Enrol | Begin | Backfill):
        return
    for name in ("size", "total"):
        number = getattr(move, name, None)
        for other in (number + 1, number - 1) if number is not None else ():
            if other > 0:
                yield evolve(move, **{name: other}), f"{other} patients for {number}"


def _turned_moves(case: Case) -> Iterator[tuple[Case, str]]:
    for m, move in enumerate(case.moves):
        for changed in _turned(move):
            yield evolve(case, moves=(*case.moves[:m], changed, *case.moves[m + 1 :])), "another level"
        if isinstance(move, Close) and len(case.moves) > 1:
            yield evolve(case, moves=case.moves[:m] + case.moves[m + 1 :]), "the level is not closed"
        if isinstance(move, Count) and (len(case.moves) > 1 or case.gate is not None):
            yield evolve(case, moves=case.moves[:m] + case.moves[m + 1 :]), "a counter is left as it is"


def _other_states(states: int, case: Case) -> Iterator[tuple[Case, str]]:
    """A patient enters another of so many states."""
    for moves in _entering_others(states, case.moves):
        yield evolve(case, moves=moves), "another state"
    if case.gate is None:
        return
    for o, option in enumerate(case.gate.options):
        for moves in _entering_others(states, option):
            options = (*case.gate.options[:o], moves, *case.gate.options[o + 1 :])
            yield evolve(case, gate=evolve(case.gate, options=options)), "another state"


def _entering_others(states: int, moves: tuple[Move, ...]) -> Iterator[tuple[Move, ...]]:
    """The moves with one that enters another state, also in place of one that goes on in the same."""
    for m, move in enumerate(moves):
        if isinstance(move, Enter | Continue):
            there = move.state if isinstance(move, Enter) else -1
            others = (Enter(state, move.place, span=move.span) for state in range(states) if state != there)
            yield from ((*moves[:m], other, *moves[m + 1 :]) for other in others)


def _turned_options(case: Case) -> Iterator[tuple[Case, str]]:
    if case.gate is None:
        return
    for o, option in enumerate(case.gate.options):
        for m, move in enumerate(option):
            for changed in _turned(move):
                turned = (*option[:m], changed, *option[m + 1 :])
                options = (*case.gate.options[:o], turned, *case.gate.options[o + 1 :])
                yield evolve(case, gate=evolve(case.gate, options=options)), "another level"


def _turned(move: Move) -> Iterator[Move]:
    if isinstance(move, Enter) and move.place is None:
        yield evolve(move, place=Place("next higher"))
    if isinstance(move, Close) and move.all_above:
        yield evolve(move, all_above=False)
    if not isinstance(move, PLACED) or move.place is None:
        return
    if move.place.axis >= 0:
        yield evolve(move, place=evolve(move.place, axis=1 - move.place.axis))
    if move.place.steps > 1:
        yield evolve(move, place=evolve(move.place, steps=move.place.steps - 1))
    if move.place.kind == "level" and move.place.index > 0:
        yield evolve(move, place=evolve(move.place, index=move.place.index - 1))
    if move.place.kind not in _OTHER_WAY:
        return
    yield evolve(move, place=evolve(move.place, kind=_OTHER_WAY[move.place.kind], index=-1))
    if move.place.kind == "next higher":
        yield evolve(move, place=Place("this"))
    if move.place.kind == "next lower that remains":
        yield evolve(move, place=Place("next lower"))
        yield evolve(move, place=Place("lowest"))


def _guard_changed(case: Case, change) -> Iterator[tuple[Case, str]]:  # type: ignore[no-untyped-def]
    for guard, words in _changed(case.guard, change):
        yield evolve(case, guard=guard), words


def _changed(guard: Guard, change) -> Iterator[tuple[Guard, str]]:  # type: ignore[no-untyped-def]
    match guard:
        case Not(inner):
            for other, words in _changed(inner, change):
                yield evolve(guard, guard=other), words
        case All(guards) | Any(guards):
            for i, part in enumerate(guards):
                for other, words in _changed(part, change):
                    yield evolve(guard, guards=(*guards[:i], other, *guards[i + 1 :])), words
        case _:
            yield from change(guard)


def _moved_threshold(atom: Guard) -> Iterator[tuple[Guard, str]]:
    if not isinstance(atom, Share | Tally | Cycles):
        return
    low, high = atom.count.low, atom.count.high
    if high is None:
        moved = [Range(low + 1, None), Range(max(low - 1, 0), None)]
    elif low == 0:
        moved = [Range(0, high + 1), *([Range(0, high - 1)] if high else [])]
    else:
        moved = [Range(low, high + 1), Range(low - 1, high)]
    for count in moved:
        if count != atom.count:
            yield evolve(atom, count=count), "a threshold moved by one"


def _turned_atom(atom: Guard) -> Iterator[tuple[Guard, str]]:
    match atom:
        case Standing(direction, standing):
            turned = evolve(atom, direction="lower") if direction == "higher" else evolve(atom, direction="higher")
            yield turned, "higher and lower exchanged"
            if standing == "remains":
                yield evolve(atom, standing="exists"), "`exists` for `remains`"
        case HasStatus(place) | Tally(place=place) | Share(place=place) if place.kind in ("next lower", "next higher"):
            yield evolve(atom, place=evolve(place, kind=_OTHER_WAY[place.kind])), "higher and lower exchanged"
        case Says(word=word):
            yield evolve(atom, word=word - 1 if word else 1), "another word of an adviser"
        case Compare(_, relation) if relation != "same":
            yield evolve(atom, relation="above" if relation == "below" else "below"), "above and below exchanged"
