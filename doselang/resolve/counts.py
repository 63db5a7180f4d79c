"""Conditions about numbers of patients: `1 of 3`, `at least 2 DLTs`, rates, cycles."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from doselang.protocol import guards
from doselang.resolve.amounts import LARGEST_GROUP, MOST_PATIENTS, rate_bound, whole
from doselang.resolve.glossary import Glossary
from doselang.resolve.later import refused
from doselang.resolve.places import Where, bind_place, not_here, recommender
from doselang.source import Span
from doselang.syntax import nodes as syntax
from doselang.syntax.phrases import NTH
from doselang.syntax.words import amount_words, flat, guard_words, with_article

OWN_PART = -1
"""The part of a count `in the part` of a rule that holds in every part, until the part is known."""

IN_COURSE = (
    "The course of a patient reads of the trial only which levels have been tried and which are closed as too toxic, "
    "and counts the patient's cycles: `at least 6 cycles`."
)


def bind_share(glossary: Glossary, where: Where, share: syntax.Share) -> guards.Guard | None:
    """`1 of 3 patients has a DLT`."""
    if where.course:
        not_here(glossary, where, share.span, "A number of patients of the trial", IN_COURSE)
        return None
    size = whole(glossary, share.group.size, "the number of patients in a group", 1, LARGEST_GROUP)
    count = _share_range(glossary, share, size)
    toxicities = glossary.classes(share.toxicity)
    place = bind_place(glossary, where, share.place)
    if size is None or count is None or toxicities is None or place is None:
        return None
    if refused(glossary, toxicities, share.span, "`of N` would be settled too early", share.toxicity.text):
        return None
    return guards.Share(count, share.group.kind, size, toxicities, place, span=share.span)


def _share_range(glossary: Glossary, share: syntax.Share, size: int | None) -> guards.Range | None:
    """How many of `size` patients; more than there are is reported."""
    match share.count:
        case syntax.Quantifier("all"):
            return guards.Range(size, size) if size is not None else None
        case syntax.Quantifier() as quantifier:
            return _quantity(quantifier)
        case syntax.Bound() as bound:
            found = bounded(glossary, bound, "patients", LARGEST_GROUP)
            number, word = bound.amount, bound.word
        case number:
            exact = whole(glossary, number, "a number of patients", 0, LARGEST_GROUP)
            found = None if exact is None else guards.Range(exact, exact)
            word = "exactly"
    if found is None or size is None:
        return None
    named = _named(word, found)
    if named > size or (word == "more than" and named == size):
        written = f"more than {size}" if named == size else str(named)
        message = f"A group of {size} patients cannot hold {written}."
        help = f"Write a number of at most {size}."
        glossary.report.add("DL206", message, number.span.to(share.group.span), help=help)
        return None
    return found


def _named(word: syntax.BoundWord, found: guards.Range) -> int:
    """The number that was written, from the range that it became."""
    match word:
        case "more than":
            return found.low - 1
        case "at most":
            return found.high or 0
        case "fewer than":
            return (found.high or 0) + 1
        case _:
            return found.low


def bounded(glossary: Glossary, bound: syntax.Bound, what: str, high: int = MOST_PATIENTS) -> guards.Range | None:
    """The range of whole numbers that a bound allows; `what` is counted."""
    if isinstance(bound.amount, syntax.Percent | syntax.Ratio):
        kind = "percentage" if isinstance(bound.amount, syntax.Percent) else "fraction"
        glossary.report.add(
            "DL206", f"A number of {what} is a whole number, not a {kind}.", bound.span,
            help="For a share write for example `the DLT rate is at most 33%`.",
        )  # fmt: skip
        return None
    number = whole(glossary, bound.amount, f"a number of {what}", 0, high)
    match bound.word:
        case _ if number is None:
            return None
        case "at least":
            return guards.Range(number, None)
        case "at most":
            return guards.Range(0, number)
        case "more than":
            return guards.Range(number + 1, None)
        case "exactly":
            return guards.Range(number, number)
        case "fewer than":
            if number > 0:
                return guards.Range(0, number - 1)
            help = "Write a larger number, or `no`."
            glossary.report.add("DL206", "There are never fewer than 0.", bound.span, help=help)
    return None


def _quantity(quantifier: syntax.Quantifier) -> guards.Range:
    return guards.Range(0, 0) if quantifier.word == "none" else guards.Range(1, None)


def _tally_range(glossary: Glossary, tally: syntax.Tally, what: str) -> guards.Range | None:
    match tally.count:
        case syntax.Bound() as bound:
            return bounded(glossary, bound, what)
        case syntax.Quantifier() as quantifier:
            return _quantity(quantifier)
        case syntax.Between(low, high):
            first = whole(glossary, low, f"a number of {what}", 0)
            last = whole(glossary, high, f"a number of {what}", 0)
            if first is None or last is None:
                return None
            if first > last:
                glossary.report.add(
                    "DL206", f"Nothing lies between {first} and {last}: the first number is the larger one.",
                    low.span.to(high.span), help=f"Write: between {last} and {first}",
                )  # fmt: skip
                return None
            return guards.Range(first, last)
    plain = flat(guard_words(tally))
    nth = tally.count.name.text if isinstance(tally.count, syntax.Parameter) else ""
    if nth.lower() in NTH and glossary.parameters.find(nth) is None:
        some = f"at least {NTH[nth.lower()]} {plain.partition(' ')[2]}"
        where = "" if tally.scope or tally.place else f" in the part`, or `{some}` of this level alone"
        help = f"Write `{some}{where or '`'}; with `at any time` after the rule's name it is asked at once."
        glossary.report.add("DL209", "A condition asks how many there are.", tally.span, help=help)
        return None
    whole(glossary, tally.count, f"a number of {what}", 0)
    glossary.report.add(
        "DL209", f"`{plain}` may mean exactly, at least or at most so many.", tally.span,
        help=f"Write `exactly {plain}`, `at least {plain}` or `at most {plain}`.",
    )  # fmt: skip
    return None


def bind_tally(glossary: Glossary, where: Where, tally: syntax.Tally) -> guards.Guard | None:
    """`at least 2 DLTs`, `fewer than 6 evaluable at the next lower level`, `at least 6 cycles`."""
    if tally.what == "cycles":
        return _cycles(glossary, where, tally)
    if where.course:
        not_here(glossary, where, tally.span, "A number of patients of the trial", IN_COURSE)
        return None
    if isinstance(tally.what, syntax.Name):
        if (counter := glossary.find_counter(tally.what.text)) is not None:
            return _counter(glossary, where, tally, counter, tally.what.text)
        what = glossary.classes(tally.what)
        counted = f"patients with {tally.what.text}"
    else:
        what, counted = (
            {"evaluable": (-1,), "pending": (-2,), "enrolled": (-2, -1)}[tally.what],
            f"{tally.what} patients",
        )
        if -2 in what and tally.scope is not None:
            help = "Leave it out: pending patients are counted at one level."
            not_here(glossary, where, tally.scope.span, f"A number of {counted} of more than a level", help)
            return None
    count = _tally_range(glossary, tally, counted)
    extent = _extent(glossary, where, tally.place, tally.scope)
    if count is None or what is None or extent is None:
        return None
    scope, place, part = extent
    return guards.Tally(count, what, scope, place, part, span=tally.span)


def _counter(
    glossary: Glossary, where: Where, tally: syntax.Tally, counter: int, name: str
) -> guards.Guard | None:  # fmt: skip
    """`at least 2 pauses`: a counter is of the whole trial."""
    further = tally.place or tally.scope
    if further is not None:
        help = "A counter is of the whole trial: leave this out."
        not_here(glossary, where, further.span, "A place of a counter", help)
        return None
    count = _tally_range(glossary, tally, f"`{name}`")
    return None if count is None else guards.Tally(count, (counter,), "counter", span=tally.span)


def bind_chance(glossary: Glossary, where: Where, chance: syntax.Chance) -> guards.Guard | None:
    """`the chance by model of a DLT above 33% at level 1 is more than 95%`."""
    adviser = recommender(glossary, where, chance.adviser)
    toxicities = glossary.classes(chance.toxicity)
    rates, number = _rates_asked(glossary, chance.rates), rate_bound(glossary, chance.bound.amount)
    place = bind_place(glossary, where, chance.place)
    if adviser is None or toxicities is None or rates is None or number is None or place is None:
        return None
    if glossary.advice[adviser].known and not glossary.advice[adviser].chances:
        message = f"`{chance.adviser.text}` knows no probabilities."
        glossary.report.add("DL211", message, chance.adviser.span, help="`crm` and `blrm` know them.")
        return None
    if toxicities != (0,):
        message = "A method knows the rate of the dose-limiting toxicity alone, the first that is declared."
        help = f"Write `{with_article(glossary.toxicities.spelled[0])}`: a method counts no other."
        glossary.report.add("DL211", message, chance.toxicity.span, help=help)
        return None
    low, low_included, high, high_included = _interval(chance.bound.word, number)
    return guards.Chance(adviser, *rates, low, low_included, high, high_included, place, span=chance.span)


def _rates_asked(glossary: Glossary, rates: syntax.RateRange) -> tuple[Fraction, Fraction] | None:
    """The ends of the rates that a chance is of, 0 and 1 where none is written."""
    ends = [Fraction(0), Fraction(1)]
    for place, written in enumerate((rates.low, rates.high)):
        if written is None:
            continue
        if (end := rate_bound(glossary, written)) is None:
            return None
        if not 0 < end < 1:
            ends_of = "The rate to be exceeded" if rates.high is None else "An end of the rates"
            message = f"{ends_of} lies between 0% and 100%, neither of them included."
            other = rates.high if place == 0 else rates.low
            side = "below" if place == 0 else "above"
            help = None if other is None else f"Write `{side} {amount_words(other)}`."
            glossary.report.add("DL206", message, written.span, help=help)
            return None
        ends[place] = end
    if ends[0] >= ends[1]:
        assert rates.low is not None and rates.high is not None
        low, high = amount_words(rates.low), amount_words(rates.high)
        message = f"No rate lies between {low} and {high}: the first is "
        message += "the larger one." if ends[0] > ends[1] else "not the smaller one."
        help = f"Write: between {high} and {low}" if ends[0] > ends[1] else "Write two ends that differ."
        glossary.report.add("DL206", message, rates.span, help=help)
        return None
    return ends[0], ends[1]


Extent = tuple[Literal["level", "trial", "part", "cohort"], guards.Place, int | None]


def _extent(glossary: Glossary, where: Where, place: syntax.Place | None, scope: syntax.Scope | None) -> Extent | None:
    """What a count is of: scope, place and part of a Tally."""
    at = bind_place(glossary, where, place)
    match scope:
        case None:
            return None if at is None else ("level", at, None)
        case syntax.Scope("cohort") if place is not None:
            not_here(
                glossary, where, scope.span, "`in the cohort` together with a level",
                "A cohort is at one level: leave out one of the two.",
            )  # fmt: skip
            return None
        case syntax.Scope("named", name=name):
            part = glossary.look_up(glossary.parts, name) if name is not None else None
            if part is None or at is None:
                return None
            return ("part", at, part) if place is None else ("level", at, part)
        case syntax.Scope("part"):
            return _own_part(glossary, where, place, scope, at)
        case syntax.Scope("trial") if place is not None:
            return None if at is None else ("level", at, None)
        case syntax.Scope("trial"):
            return "trial", guards.THIS, None
        case _:
            return "cohort", guards.THIS, None


def _own_part(
    glossary: Glossary, where: Where, place: syntax.Place | None, scope: syntax.Scope, at: guards.Place | None
) -> Extent | None:
    """`in the part`: the one under way; together with a level it must be known which."""
    if place is None:
        return "part", guards.THIS, None
    parts = " or ".join(f"`in {name}`" for name in glossary.parts.spelled[:3])
    part = own_part(
        glossary, where, "`in the part` together with a level", scope.span, f"Say in which part: write {parts}."
    )
    return None if at is None or part is None else ("level", at, part)


def own_part(
    glossary: Glossary, where: Where, what: str, span: Span, help: str = "Ask it in a rule of the part."
) -> int | None:
    """The part of the rule in which something `in the part` is asked; elsewhere it is not known, which is reported."""
    if where.part is not None:
        return where.part
    if where.role == "rule":
        return OWN_PART
    not_here(glossary, where, span, what, help)
    return None


def bind_rate(glossary: Glossary, where: Where, rate: syntax.Rate) -> guards.Guard | None:
    """`the DLT rate is at most 33%`."""
    if where.course:
        not_here(glossary, where, rate.span, "A rate of toxicity in the trial", IN_COURSE)
        return None
    toxicities = glossary.classes(rate.toxicity)
    number = rate_bound(glossary, rate.bound.amount)
    extent = _extent(glossary, where, rate.place, rate.scope)
    if toxicities is None or number is None or extent is None:
        return None
    scope, place, part = extent
    if scope == "cohort":
        not_here(
            glossary, where, rate.span, "A rate in one cohort",
            f"Write a number of patients: at most 1 {rate.toxicity.text} in the cohort",
        )  # fmt: skip
        return None
    less = 0 if rate.less is None else whole(glossary, rate.less, "a number of patients", 1, LARGEST_GROUP)
    if rate.less_of is not None and glossary.classes(rate.less_of) != toxicities:
        message = f"From the rate of `{rate.toxicity.text}` patients with `{rate.less_of.text}` are taken off."
        glossary.report.add("DL211", message, rate.less_of.span, help=f"Write for example: less 1 {rate.toxicity.text}")
        return None
    if less is None:
        return None
    low, low_included, high, high_included = _interval(rate.bound.word, number)
    return guards.Rate(toxicities, low, low_included, high, high_included, scope, place, part, less, span=rate.span)


def _interval(word: syntax.BoundWord, number: Fraction) -> tuple[Fraction, bool, Fraction, bool]:
    """Both ends of the rates that a bound allows, and whether each is allowed itself."""
    match word:
        case "at least":
            return number, True, Fraction(1), True
        case "more than":
            return number, False, Fraction(1), True
        case "at most":
            return Fraction(0), True, number, True
        case "fewer than":
            return Fraction(0), True, number, False
        case "exactly":
            return number, True, number, True


def _cycles(glossary: Glossary, where: Where, tally: syntax.Tally) -> guards.Guard | None:
    if not where.course:
        not_here(
            glossary, where, tally.span, "A number of cycles",
            "Cycles are counted for one patient: write the rule below `patient course`.",
        )  # fmt: skip
        return None
    further = tally.place or tally.scope
    if further is not None:
        not_here(
            glossary, where, further.span, "A place of cycles",
            "The cycles of a patient are counted at all levels together: leave this out.",
        )  # fmt: skip
        return None
    count = _tally_range(glossary, tally, "cycles")
    return None if count is None else guards.Cycles(count, span=tally.span)
