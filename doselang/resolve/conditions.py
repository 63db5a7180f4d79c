"""Conditions: from what is written to what is meant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from attrs import evolve

from doselang.protocol import guards
from doselang.resolve.counts import IN_COURSE, OWN_PART, bind_chance, bind_rate, bind_share, bind_tally, own_part
from doselang.resolve.glossary import Glossary
from doselang.resolve.later import refused
from doselang.resolve.names import fold, listing, nearest, place_of_word, shorten
from doselang.resolve.places import Where, axis_of, bind_place, not_here, recommender
from doselang.syntax import nodes as syntax
from doselang.syntax.sums import NOT_ADDED, spelled_out
from doselang.syntax.words import flat, guard_words, with_article

DEEPEST = 40
"""So many parentheses and `not` may stand inside one another."""


def bind_guard(glossary: Glossary, where: Where, guard: syntax.Guard) -> guards.Guard | None:
    """The condition that is meant; None if something in it is wrong, which is reported."""
    if _too_deep(guard):
        glossary.report.add(
            "DL704", f"This condition is nested more than {DEEPEST} deep.", guard.span,
            help="Write several shorter conditions, each with its own `when … then …`.",
        )  # fmt: skip
        return None
    return _bind(glossary, where, guard)


def _too_deep(guard: syntax.Guard) -> bool:
    """Whether a condition is nested too deep; found without recursion, which itself has a limit."""
    ahead = [(guard, 0, 0)]
    while ahead:
        item, depth, layers = ahead.pop()
        if depth > DEEPEST or layers > 3 * DEEPEST:
            return True
        match item:
            case syntax.Grouped(inner) | syntax.Negated(inner):
                ahead.append((inner, depth + 1, layers + 1))
            case syntax.AllOf(inners) | syntax.AnyOf(inners):
                ahead += [(inner, depth, layers + 1) for inner in inners]
    return False


def _bind(glossary: Glossary, where: Where, guard: syntax.Guard) -> guards.Guard | None:
    match guard:
        case syntax.Grouped(inner):
            return _bind(glossary, where, inner)
        case syntax.Negated(inner):
            bound = _bind(glossary, where, inner)
            return None if bound is None else guards.Not(bound, span=guard.span)
        case syntax.AllOf(inners) | syntax.AnyOf(inners):
            return _joined(glossary, where, guard, inners)
        case syntax.Share():
            return bind_share(glossary, where, guard)
        case syntax.Tally():
            return bind_tally(glossary, where, guard)
        case syntax.Rate():
            return bind_rate(glossary, where, guard)
        case syntax.Chance():
            return bind_chance(glossary, where, guard)
        case syntax.Says(adviser, advice):
            return _says(glossary, where, guard, adviser, advice)
        case syntax.Recommends(adviser, none):
            found = recommender(glossary, where, adviser)
            if found is None:
                return None
            recommends = guards.Recommends(found, span=guard.span)
            return guards.Not(recommends, span=guard.span) if none else recommends
        case syntax.SentinelHas(name):
            return _sentinel(glossary, where, guard, name)
        case syntax.PlaceIs():
            return _place_is(glossary, where, guard)
        case syntax.DeclaredBefore(name):
            return _declared(glossary, where, guard, name, ever=True)
        case syntax.AnyVerdict(none):
            if where.course:
                not_here(glossary, where, guard.span, "A verdict of the trial", IN_COURSE)
                return None
            declared = guards.ResultDeclared(span=guard.span)
            return guards.Not(declared, span=guard.span) if none else declared
        case syntax.Standing():
            return _standing(glossary, where, guard)
        case syntax.Happened(name):
            return _happened(glossary, where, guard, name)
        case syntax.Fact():
            return _fact(glossary, where, guard)


# ---- and, or ----


def _joined(
    glossary: Glossary, where: Where, guard: syntax.AllOf | syntax.AnyOf, inners: tuple[syntax.Guard, ...]
) -> guards.Guard | None:
    added = [] if where.course else _added_up(glossary, inners)
    if added:
        _report_added_up(glossary, added)
    elif any(isinstance(inner, syntax.AllOf | syntax.AnyOf) and type(inner) is not type(guard) for inner in inners):
        _report_mixture(glossary, guard)
    bound = [None if inner in added else _bind(glossary, where, inner) for inner in inners]
    if any(one is None for one in bound):
        return None
    parts = tuple(one for one in bound if one is not None)
    if len(parts) == 1:
        return parts[0]
    return guards.All(parts, span=guard.span) if isinstance(guard, syntax.AllOf) else guards.Any(parts, span=guard.span)


def _added_up(glossary: Glossary, inners: Sequence[syntax.Guard]) -> list[syntax.Guard]:
    """`at least 2 DLTs or haem-DLTs`, `at least 2 DLTs and haem-DLTs together`: a count, and names of toxicities."""
    for place, first in enumerate(inners):
        if isinstance(first, syntax.Tally) and _counts_toxicity(glossary, first):
            names = list(takewhile(lambda one: _bare_toxicity(glossary, one) is not None, inners[place + 1 :]))
            if names:
                return [first, *names]
    return []


def _counts_toxicity(glossary: Glossary, tally: syntax.Tally) -> bool:
    named = isinstance(tally.what, syntax.Name) and glossary.spelled(tally.what.text) is not None
    return named and isinstance(tally.count, syntax.Bound | syntax.Number)


def _bare_toxicity(glossary: Glossary, guard: syntax.Guard) -> str | None:
    """The name of a toxicity that stands without a count, perhaps with a word such as `together` after it."""
    match guard:
        case syntax.Happened(name):
            return glossary.spelled(name.text)
        case syntax.Tally(syntax.Parameter(name)) if glossary.parameters.find(name.text) is None:
            return glossary.spelled(name.text)
        case _:
            return None


def _report_added_up(glossary: Glossary, added: Sequence[syntax.Guard]) -> None:
    """Say that patients with one of several toxicities are not counted together, and what to write."""
    first = added[0]
    assert isinstance(first, syntax.Tally) and isinstance(first.what, syntax.Name)
    names = [glossary.spelled(first.what.text) or "", *(_bare_toxicity(glossary, one) or "" for one in added[1:])]
    known = glossary.group_of({one for name in names for one in glossary.find_classes(name) or ()})
    count = first.count
    bound, amount = (count.word, count.amount) if isinstance(count, syntax.Bound) else ("exactly", count)
    help = spelled_out(bound, int(amount.value) if isinstance(amount, syntax.Number) else 0, names, known)
    if isinstance(added[1], syntax.Happened):
        help += f" If one patient with {with_article(names[1])} is enough, write `any {names[1]}`."
    glossary.report.add("DL209", NOT_ADDED, first.span.to(added[-1].span), help=help)


def _report_mixture(glossary: Glossary, guard: syntax.AllOf | syntax.AnyOf) -> None:
    """`a and b or c` has two readings; show both."""
    atoms, joints = _flat(guard)
    readings = [_reading(atoms, joints, "and"), _reading(atoms, joints, "or")]
    glossary.report.add(
        "DL208", "`and` and `or` are mixed, which can be read in two ways.", guard.span,
        notes=[f"one reading: {shorten(readings[0], 1000)}", f"the other: {shorten(readings[1], 1000)}"],
        help="Put parentheses around what belongs together, as in the reading that is meant.",
    )  # fmt: skip


def _flat(guard: syntax.AllOf | syntax.AnyOf) -> tuple[list[str], list[str]]:
    """The conditions in a row, in words, and the `and` and `or` between them."""
    joint = "and" if isinstance(guard, syntax.AllOf) else "or"
    atoms: list[str] = []
    joints: list[str] = []
    for inner in guard.guards:
        if isinstance(inner, syntax.AllOf | syntax.AnyOf):
            more, between = _flat(inner)
        else:
            more, between = [flat(guard_words(inner))], []
        if atoms:
            joints.append(joint)
        atoms += more
        joints += between
    return atoms, joints


def _reading(atoms: list[str], joints: list[str], first: str) -> str:
    """The row in the reading in which `first` binds closer."""
    groups: list[list[str]] = [[atoms[0]]]
    for joint, atom in zip(joints, atoms[1:], strict=True):
        if joint == first:
            groups[-1].append(atom)
        else:
            groups.append([atom])
    other = "or" if first == "and" else "and"
    return f" {other} ".join(f"({f' {first} '.join(group)})" if len(group) > 1 else group[0] for group in groups)


# ---- levels and verdicts ----


def _place_is(glossary: Glossary, where: Where, guard: syntax.PlaceIs) -> guards.Guard | None:
    match guard.predicate:
        case syntax.Mark("declared"):
            bound = _mark_declared(glossary, where, guard)
        case syntax.Mark():
            bound = _entered(glossary, where, guard)
        case syntax.HasStatus() as status:
            bound = _has_status(glossary, where, guard, status)
        case syntax.Compared(relation, other):
            place = bind_place(glossary, where, guard.place)
            second = bind_place(glossary, where, other)
            if place is None or second is None:
                return None
            bound = guards.Compare(place, relation, second, span=guard.span)
    return guards.Not(bound, span=guard.span) if guard.inverse and bound is not None else bound


def _has_status(
    glossary: Glossary, where: Where, guard: syntax.PlaceIs, status: syntax.HasStatus
) -> guards.Guard | None:
    place = bind_place(glossary, where, guard.place)
    if not _status_is_clear(glossary, where, status) or place is None:
        return None
    if status.status == "untried":
        return guards.Not(guards.HasStatus(place, "tried", span=guard.span), span=guard.span)
    return guards.HasStatus(place, status.status, span=guard.span)


def _status_is_clear(glossary: Glossary, where: Where, status: syntax.HasStatus) -> bool:
    """Whether a status is said in full, and known where it stands."""
    if where.course and status.status == "open":
        not_here(glossary, where, status.span, "Whether a level is open", IN_COURSE)
    elif status.status == "closed" and not status.too_toxic:
        glossary.report.add(
            "DL210", "A level that patients have left is not the same as one that is too toxic.", status.span,
            help="Write `closed as too toxic`, or `not open` for a level at which no patients are being enrolled.",
        )  # fmt: skip
    else:
        return True
    return False


def _standing(glossary: Glossary, where: Where, guard: syntax.Standing) -> guards.Guard | None:
    side, axis = guard.direction, _axis(glossary, guard)
    match guard.standing:
        case _ if axis is None:
            return None
        case None:
            no = "no" if guard.none else "a"
            glossary.report.add(
                "DL210", f"`{no} {side} level` alone does not say what is asked of it.", guard.span,
                help=f"Write `{no} {side} level exists`, or `{no} {side} level remains` "
                "if levels closed as too toxic do not count.",
            )  # fmt: skip
            return None
        case syntax.HasStatus(word) as status:
            if not _status_is_clear(glossary, where, status):
                return None
            bound = guards.Standing(side, word, axis, span=guard.span)
        case word:
            bound = guards.Standing(side, word, axis, span=guard.span)
    return guards.Not(bound, span=guard.span) if guard.none else bound


def _axis(glossary: Glossary, guard: syntax.Standing) -> int | None:
    """The component of a grid that a standing is about; only a step up or down must name one."""
    if guard.along is None and guard.standing != "remains" and guard.standing != "exists":
        return -1
    if guard.along is None and guard.direction == "lower":
        return -1
    return axis_of(glossary, guard.span, guard.along)


def _mark_declared(glossary: Glossary, where: Where, guard: syntax.PlaceIs) -> guards.Guard | None:
    if guard.place.kind == "verdict" and guard.place.name is not None:
        return _declared(glossary, where, guard, guard.place.name)
    name = glossary.verdicts.spelled[0] if glossary.verdicts.spelled else "MTD"
    glossary.report.add(
        "DL210", "A verdict is declared, not a level.", guard.span,
        help=f"Write `the {name} is declared`, and `this level is the {name}` to ask which level it is.",
    )  # fmt: skip
    return None


def _declared(
    glossary: Glossary, where: Where, guard: syntax.Guard, name: syntax.Name, ever: bool = False
) -> guards.Guard | None:
    found = glossary.look_up(glossary.verdicts, name)
    if where.course:
        not_here(glossary, where, guard.span, "A verdict of the trial", IN_COURSE)
        return None
    return None if found is None else guards.Declared(found, ever, span=guard.span)


# ---- advisers and sentinels ----


def _says(
    glossary: Glossary, where: Where, guard: syntax.Says, name: syntax.Name, advice: syntax.Advice
) -> guards.Guard | None:
    found = glossary.look_up(glossary.advisers, name)
    if found is None:
        return None
    if where.course:
        not_here(glossary, where, guard.span, "An adviser", IN_COURSE)
        return None
    known = glossary.advice[found]
    if not known.known or (not known.words and not known.recommends):
        return None  # what is wrong with the adviser has been said
    if known.recommends:
        message = f"`{name.text}` recommends a level, and says no word about one."
        help = f"Write for example `this level is the level {name.text} recommends`."
        glossary.report.add("DL211", message, guard.span, help=help)
        return None
    if fold(advice.word) not in map(fold, known.words):
        near = nearest(advice.word, known.words)
        help = f"Did you mean `{near}`?" if near else f"It says {listing(list(known.words), 'or')}."
        glossary.report.add("DL203", f"`{name.text}` never says `{advice.word}`.", advice.span, help=help)
        return None
    part = own_part(glossary, where, f"`{name.text}`, a table in the part,", guard.span) if known.in_part else None
    if known.in_part and part is None:
        return None
    return guards.Says(found, place_of_word(known.words, advice.word), part=part, span=guard.span)


def _sentinel(glossary: Glossary, where: Where, guard: syntax.Guard, name: syntax.Name) -> guards.Guard | None:
    toxicities = glossary.classes(name)
    if where.course:
        not_here(glossary, where, guard.span, "A sentinel", IN_COURSE)
        return None
    if where.role in ("claim", "definition"):
        help = "Only a rule, or a silence, asks about the sentinel: at the look after it."
        not_here(glossary, where, guard.span, "A sentinel", help)
        return None
    if toxicities is None or refused(
        glossary, toxicities, guard.span, "a sentinel has none while it is alone", name.text
    ):
        return None
    return guards.SentinelHas(toxicities, span=guard.span)


# ---- events and facts ----


def _entered(glossary: Glossary, where: Where, guard: syntax.PlaceIs) -> guards.Guard | None:
    if not (where.course and where.role == "claim"):
        not_here(
            glossary, where, guard.span, "`is entered`",
            "Only claims about a patient's course ask it: "
            'claim "…" in patient course when re-treatment is entered never …',
        )  # fmt: skip
        return None
    if guard.place.kind != "verdict" or guard.place.name is None:
        glossary.report.add("DL210", "A state is entered, not a level.", guard.span, help="Write the name of a state.")
        return None
    found = glossary.look_up(glossary.states, guard.place.name)
    return None if found is None else guards.Entered(found, span=guard.span)


def _happened(glossary: Glossary, where: Where, guard: syntax.Happened, name: syntax.Name) -> guards.Guard | None:
    """An event's name alone; of a toxicity or a verdict more must be said."""
    found = glossary.events.find(name.text)
    named = glossary.spelled(name.text)
    if found is None and named is not None and not where.course:
        glossary.report.add(
            "DL209", f"`{name.text}` alone does not say in how many patients.", guard.span,
            help=f"Write for example `any {named}` or `1 of 3 patients has {with_article(named)}`.",
        )  # fmt: skip
        return None
    if found is None and glossary.verdicts.find(name.text) is not None:
        glossary.report.add(
            "DL210", f"`{name.text}` alone does not say what is asked of it.", guard.span,
            help=f"Write `the {name.text} is declared`.",
        )  # fmt: skip
        return None
    if found is None and not where.course:
        _report_bare_name(glossary, guard, name)
        return None
    if found is None:
        glossary.unknown(glossary.events, name)
        return None
    if not where.course:
        not_here(
            glossary, where, guard.span, f"The event `{name.text}`",
            "Events are those of one patient: write the rule below `patient course`.",
        )  # fmt: skip
        return None
    return guards.Happened(found, span=guard.span)


def _report_bare_name(glossary: Glossary, guard: syntax.Happened, name: syntax.Name) -> None:
    """A name alone, which is no condition of the trial whatever it is."""
    near = glossary.toxicities.suggestion(name.text) or glossary.groups.suggestion(name.text)
    if near is None and glossary.partial:
        return
    toxicity = near or next(iter(glossary.toxicities.spelled), "DLT")
    help = f"Did you mean `any {near}`?" if near else f"Write for example `any {toxicity}` or `a higher level exists`."
    glossary.report.add(
        "DL203", f"`{name.text}` is not known, and a name alone is no condition.", guard.span, help=help
    )


def _fact(glossary: Glossary, where: Where, fact: syntax.Fact) -> guards.Guard | None:
    match fact.word:
        case "no event" | "any event" as word:
            if where.course:
                none = guards.Happened(-1, span=fact.span)
                return none if word == "no event" else guards.Not(none, span=fact.span)
            help = "Events are those of one patient: write the rule below `patient course`."
            not_here(glossary, where, fact.span, f"`{word}`", help)
            return None
        case "cohort complete":
            if not where.course:
                return guards.CohortComplete(span=fact.span)
            not_here(glossary, where, fact.span, "`the cohort is complete`", IN_COURSE)
            return None
        case "trial stopped":
            if where.role == "claim" and not where.course:
                return guards.TrialStopped(span=fact.span)
            help = "After the trial has stopped nothing is asked any more; only a claim about the trial speaks of it."
            not_here(glossary, where, fact.span, "`the trial is stopped`", help)
            return None


# ---- rules that hold in every part ----


def speaks_of_own_part(guard: guards.Guard) -> bool:
    """Whether a condition counts `in the part` at a level, so that it differs from part to part."""
    return any(
        isinstance(atom, guards.Tally | guards.Rate | guards.Says) and atom.part == OWN_PART
        for atom in guards.atoms(guard)
    )


def in_part(guard: guards.Guard, part: int) -> guards.Guard:
    """The condition as it holds in one part."""
    match guard:
        case guards.Not(inner):
            return evolve(guard, guard=in_part(inner, part))
        case guards.All(inners) | guards.Any(inners):
            return evolve(guard, guards=tuple(in_part(inner, part) for inner in inners))
        case guards.Tally(count, what, scope, place, own) if own == OWN_PART:
            return guards.Tally(count, what, scope, place, part, span=guard.span)
        case guards.Rate(part=own) | guards.Says(part=own) if own == OWN_PART:
            return evolve(guard, part=part)
        case _:
            return guard
