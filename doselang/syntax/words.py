"""Conditions, places and moves in words, as the formatter writes them: with articles, and `has` or `have`.

What is long comes in pieces, between which a line may be broken: first between the outer ones, and inside one that
is still too long. Joined by spaces they are the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union

from doselang.syntax.nodes import (
    AllOf,
    Amount,
    AnyOf,
    AnyVerdict,
    Ask,
    Backfill,
    Begin,
    Between,
    Bound,
    Chance,
    Close,
    Compared,
    Continue,
    CountOne,
    Declare,
    DeclaredBefore,
    Draw,
    Duration,
    Enrol,
    EnrolRest,
    Enter,
    Fact,
    Fill,
    Group,
    Grouped,
    Guard,
    Happened,
    HasStatus,
    Mark,
    May,
    Move,
    Name,
    Negated,
    Number,
    Parameter,
    Percent,
    Place,
    PlaceIs,
    PlainMove,
    Proportion,
    Quantifier,
    Rate,
    RateRange,
    Ratio,
    Recommends,
    Reset,
    Says,
    Scope,
    SentinelHas,
    Share,
    Standing,
    Step,
    Stop,
    Tally,
    Text,
)

Piece = Union[str, "Pieces"]
Pieces = tuple[Piece, ...]

SPELLED_WITH_VOWEL = frozenset("AEFHILMNORSX")
"""Capitals whose own names begin with a vowel sound: an MTD, but a DLT."""

VOWEL_LETTER_ONLY = re.compile(r"uni(?![nm])|us[eu]|uti|eu|one", re.IGNORECASE)
"""Beginnings that are written with a vowel and spoken without: a unit, a European, a one-off."""


# ---- values ----


def quoted(text: Text) -> str:
    return f'"{text.value}"'


def amount_words(amount: Amount | Proportion) -> str:
    match amount:
        case Number(text=text):
            return text
        case Parameter(name=name):
            return name.text
        case Percent(amount=inner):
            return f"{amount_words(inner)}%"
        case Ratio(above=above, below=below):
            return f"{above.text}/{below.text}"


def duration_words(duration: Duration) -> str:
    """`28 days`; one day, week or month without the plural."""
    single = isinstance(duration.amount, Number) and duration.amount.value == 1
    unit = duration.unit
    if single and unit in ("days", "weeks", "months"):
        return f"{amount_words(duration.amount)} {unit.removesuffix('s')}"
    return f"{amount_words(duration.amount)} {unit}"


def with_article(name: str) -> str:
    """The name after `a` or `an`, as it is spoken: capitals letter by letter."""
    if name[:2].isupper() or len(name) == 1:
        vowel = name[0].upper() in SPELLED_WITH_VOWEL
    else:
        vowel = name[0].lower() in "aeiou" and not VOWEL_LETTER_ONLY.match(name)
    return f"{'an' if vowel else 'a'} {name}"


# ---- pieces ----


def flat(piece: Piece) -> str:
    """A piece on one line."""
    return piece if isinstance(piece, str) else " ".join(map(flat, piece))


def begun(words: str, pieces: Pieces) -> Pieces:
    """The pieces with words put right before the first."""
    first, *rest = pieces
    return (words + first if isinstance(first, str) else begun(words, first), *rest)


def ended(pieces: Pieces, words: str) -> Pieces:
    """The pieces with words put right after the last."""
    *front, last = pieces
    return (*front, last + words if isinstance(last, str) else ended(last, words))


def listed(pieces: Iterable[Piece]) -> Pieces:
    """Pieces with commas between: each but the last keeps its comma at the end of its line."""
    *front, last = pieces
    return (*(piece for part in front for piece in ended((part,), ",")), last)


def joined(parts: Iterable[Pieces], word: str) -> Pieces:
    """Parts with `and` or `or` between, each a piece; the word begins its line."""
    first, *rest = parts
    return (_one_piece(first), *(_one_piece(begun(f"{word} ", part)) for part in rest))


def _one_piece(pieces: Pieces) -> Piece:
    return pieces[0] if len(pieces) == 1 else pieces


# ---- places ----


def place_words(place: Place) -> str:
    match place:
        case Place(kind="this"):
            return "this level"
        case Place(kind="next lower that remains"):
            return "the next lower level that remains"
        case Place(kind="level", label=label) if label:
            return f"level {label.text}"
        case Place(kind="verdict", name=name) if name:
            return f"the {name.text}"
        case Place(kind="recommended", name=name) if name:
            return f"the level {name.text} recommends"
        case Place(kind="lowest" | "highest", where=where) if where is not None:
            return f"the {place.kind} level where ({flat(guard_words(where))})"
        case _:
            return f"the {place.kind} level{_along(place.along)}"


def _along(component: Name | None) -> str:
    return f" of {component.text}" if component else ""


def at_words(place: Place | None) -> str:
    return f" at {place_words(place)}" if place else ""


def _scope(scope: Scope | None) -> str:
    match scope:
        case None:
            return ""
        case Scope(kind="named", name=name) if name:
            return f" in {name.text}"
        case _:
            return f" in the {scope.kind}"


# ---- conditions ----


def guard_words(guard: Guard) -> Pieces:
    """A condition in pieces, each of which but the first begins with `and` or `or`."""
    match guard:
        case AllOf(guards=guards):
            return joined(map(guard_words, guards), "and")
        case AnyOf(guards=guards):
            return joined(map(guard_words, guards), "or")
        case Grouped(guard=inner):
            return ended(begun("(", guard_words(inner)), ")")
        case Negated(guard=inner):
            return begun("not ", guard_words(inner))
        case Share() | Tally() | Rate() | Chance():
            return (_numbers(guard),)
        case _:
            return (_standing(guard),)


def _numbers(guard: Share | Tally | Rate | Chance) -> str:
    match guard:
        case Share(count=count, group=group, toxicity=name, place=place):
            has = "has" if _single(count) else "have"
            return f"{_count(count)} of {_group(group)} {has} {with_article(name.text)}{at_words(place)}"
        case Tally(count=count, what=what, place=place, scope=scope):
            number = "no" if isinstance(count, Quantifier) and count.word == "none" else _count(count)
            return f"{number} {what if isinstance(what, str) else what.text}{at_words(place)}{_scope(scope)}"
        case Rate(toxicity=name, place=place, scope=scope, bound=bound, less=less, less_of=of):
            fewer = f" less {amount_words(less)} {(of or name).text}" if less else ""
            return f"the {name.text} rate{fewer}{at_words(place)}{_scope(scope)} is {_count(bound)}"
        case Chance(adviser=adviser, toxicity=name, rates=rates, place=place, bound=bound):
            rate = f"{with_article(name.text)} {_rates(rates)}"
            return f"the chance by {adviser.text} of {rate}{at_words(place)} is {_count(bound)}"


def _rates(rates: RateRange) -> str:
    match rates:
        case RateRange(low=low, high=None) if low is not None:
            return f"above {amount_words(low)}"
        case RateRange(low=None, high=high) if high is not None:
            return f"below {amount_words(high)}"
        case RateRange(low=low, high=high):
            assert low is not None and high is not None
            return f"between {amount_words(low)} and {amount_words(high)}"


def _count(count: Bound | Between | Quantifier | Amount) -> str:
    match count:
        case Bound(word=word, amount=amount):
            return f"{word} {amount_words(amount)}"
        case Between(low=low, high=high):
            return f"between {amount_words(low)} and {amount_words(high)}"
        case Quantifier(word=word):
            return word
        case Number() | Parameter():
            return amount_words(count)


def _single(count: Bound | Quantifier | Amount) -> bool:
    """Whether the verb after a count of patients is `has`: none of three has, at most one has, two have."""
    match count:
        case Quantifier(word=word):
            return word != "all"
        case Bound(amount=Number(value=value)) | Number(value=value):
            return value == 1
        case _:
            return False


def _group(group: Group) -> str:
    size = amount_words(group.size)
    patients = "patient" if size == "1" else "patients"
    match group.kind:
        case "all":
            return f"{size} {patients}"
        case "first":
            return f"the first {size} {patients}"
        case "added":
            return f"the added {size}"


def _standing(
    guard: PlaceIs | DeclaredBefore | AnyVerdict | Standing | Happened | Fact | Says | Recommends | SentinelHas,
) -> str:
    match guard:
        case Says(adviser=adviser, advice=advice):
            return f"{adviser.text} says {advice.word}"
        case Recommends(adviser=adviser, none=none):
            return f"{adviser.text} recommends {'no' if none else 'a'} level"
        case SentinelHas(toxicity=name):
            return f"the sentinel has {with_article(name.text)}"
        case PlaceIs(place=place, inverse=inverse, predicate=predicate):
            return f"{_subject(place, predicate)} is {'not ' if inverse else ''}{_predicate(predicate)}"
        case DeclaredBefore(name=name):
            return f"the {name.text} has been declared"
        case AnyVerdict(none=none):
            return f"{'no' if none else 'a'} verdict is declared"
        case Standing(none=none, direction=direction, standing=standing, along=along):
            found = f"is {_status(standing)}" if isinstance(standing, HasStatus) else standing or ""
            return f"{'no' if none else 'a'} {direction} level{_along(along)} {found}".rstrip()
        case Happened(name=name):
            return name.text
        case Fact(word="no event" | "any event" as word):
            return word
        case Fact(word="cohort complete"):
            return "the cohort is complete"
        case Fact():
            return "the trial is stopped"


def _subject(place: Place, predicate: HasStatus | Compared | Mark) -> str:
    """A state that is entered has no article; every place has one, or `this`."""
    if isinstance(predicate, Mark) and predicate.word == "entered" and place.name:
        return place.name.text
    return place_words(place)


def _predicate(predicate: HasStatus | Compared | Mark) -> str:
    match predicate:
        case HasStatus():
            return _status(predicate)
        case Compared(relation="same", place=place):
            return place_words(place)
        case Compared(relation=relation, place=place):
            return f"{relation} {place_words(place)}"
        case Mark(word=word):
            return word


def _status(status: HasStatus) -> str:
    return f"{status.status} as too toxic" if status.too_toxic else status.status


# ---- moves ----


def moves_words(moves: tuple[Move, ...]) -> Pieces:
    """Moves with commas between, in pieces that may each begin a line."""
    return listed(map(_move, moves))


def _move(move: Move) -> Piece:
    match move:
        case May(moves=moves, body=body, otherwise=otherwise):
            agreed = ended(begun("may ", _together(moves)), f" if the {body.text} agrees,")
            return (_one_piece(agreed), _one_piece(begun("otherwise ", _together(otherwise))))
        case Ask(body=body, options=options, default=default):
            asked = begun(f"ask the {body.text} to choose ", joined((_together(x.moves) for x in options), "or"))
            if default is None:
                return asked
            return (_one_piece(ended(asked, ",")), _one_piece(begun("default ", _together(default.moves))))
        case Draw(chance=chance, moves=moves, otherwise=otherwise):
            drawn = ended(begun(f"with chance {amount_words(chance)} ", _together(moves)), ",")
            return (_one_piece(drawn), _one_piece(begun("otherwise ", _together(otherwise))))
        case _:
            return plain_words(move)


def _together(moves: tuple[PlainMove, ...]) -> Pieces:
    return joined(((plain_words(move),) for move in moves), "and")


def plain_words(move: PlainMove) -> str:
    """One move that needs nobody's leave."""
    match move:
        case Step(word=word, levels=levels, along=along):
            return f"{word}{f' {amount_words(levels)} levels' if levels else f' in {along.text}' if along else ''}"
        case EnrolRest():
            return "enrol the rest"
        case Fill(place=place, total=total):
            return f"fill {place_words(place)} to {amount_words(total)}"
        case Backfill(size=size, place=place):
            return f"backfill {amount_words(size)} patients{at_words(place)}"
        case CountOne(counter=counter):
            return f"count {counter.text}"
        case Reset(counter=counter):
            return f"reset {counter.text}"
        case Enrol(size=size, more=more, place=place):
            return f"enrol {amount_words(size)}{' more' if more else ''}{at_words(place)}"
        case Close(place=place, all_above=all_above, too_toxic=too_toxic):
            above = " with all above" if all_above else ""
            return f"close {place_words(place)}{above}{' as too toxic' if too_toxic else ''}"
        case Declare(place=None, verdict=verdict):
            return f"declare no {verdict.text}"
        case Declare(place=place, verdict=verdict) if place:
            return f"declare {place_words(place)} as {verdict.text}"
        case Begin(part=part, place=place, size=size, filling=True) if place and size:
            return f"begin {part.text} filling {place_words(place)} to {amount_words(size)}"
        case Begin(part=part, place=place, size=size, more=more):
            with_size = f" with {amount_words(size)}{' more' if more else ''}" if size else ""
            return f"begin {part.text}{with_size}{at_words(place)}"
        case Stop(reason=reason):
            return f"stop {quoted(reason)}" if reason else "stop"
        case Continue(place=place):
            return f"continue{at_words(place)}"
        case Enter(state=state, place=place):
            return f"enter {state.text}{at_words(place)}"
    raise AssertionError(move)
