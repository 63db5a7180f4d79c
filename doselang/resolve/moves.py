"""Moves and human decisions, and which moves of one `then` contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal

from attrs import frozen

from doselang.diagnostics import Label
from doselang.protocol import guards, model
from doselang.resolve.amounts import LARGEST_COHORT, rates, whole
from doselang.resolve.glossary import Glossary
from doselang.resolve.names import shorten
from doselang.resolve.places import Where, axis_of, bind_place, not_here, settled
from doselang.source import Span
from doselang.syntax import nodes as syntax
from doselang.syntax.words import plain_words

OF_THE_TRIAL = "A patient's course is made of `continue` and `enter`; moves of the trial stand above `patient course`."
OF_A_COURSE = (
    "In the trial, `escalate`, `stay` and `enrol 3 more` say where the next patients enter. "
    "`continue` and `enter` are moves of one patient, in rules below `patient course`."
)


MOST_STEPS = 20
"""So many levels are escalated at once at most."""


@frozen
class Bound:
    """The moves of one `then`, and the decision of people among them."""

    moves: tuple[model.Move, ...]
    gate: model.Gate | None


def question_of(move: syntax.Move) -> int:
    """Which of the three questions a move answers: 1 which levels close, 2 is there a verdict, 3 what comes next."""
    match move:
        case syntax.Close():
            return 1
        case syntax.Declare():
            return 2
        case syntax.May(moves, _, otherwise) | syntax.Draw(_, moves, otherwise):
            return min(question_of(inner) for inner in (*moves, *otherwise))
        case syntax.Ask(_, options):
            return min((question_of(inner) for option in options for inner in option.moves), default=3)
        case _:
            return 3


def bind_moves(glossary: Glossary, where: Where, moves: Sequence[syntax.Move]) -> Bound | None:
    """The moves of one `then`; None if one is wrong, which is reported."""
    plain = [move for move in moves if not isinstance(move, syntax.May | syntax.Ask | syntax.Draw)]
    people = [move for move in moves if isinstance(move, syntax.May | syntax.Ask | syntax.Draw)]
    bound = _all(glossary, where, plain)
    gate = _gate(glossary, where, people[0]) if people else None
    if len(people) > 1:
        glossary.report.add(
            "DL217", "One `then` holds two decisions of people or of chance.", people[1].span,
            labels=[Label(people[0].span, "the first decision")], help="Write a second rule for the second decision.",
        )  # fmt: skip
    if bound is None or (people and gate is None):
        return None
    _report_contradictions(glossary, bound, gate)
    options = gate.options if gate is not None else ()
    every = [*bound, *(move for option in options for move in option)]
    if gate is not None and any(isinstance(move, model.EnrolRest) for option in options for move in option):
        glossary.report.add(
            "DL217", "`enrol the rest` cannot be chosen by people, or by chance.", people[0].span,
            help="Instead of `sentinel of …` enrol the first patient as a cohort of its own (`cohorts of 1`), "
            "after which there is a look like any other: `ask … to choose enrol 2 more or stop`.",
        )  # fmt: skip
    elif any(isinstance(move, model.EnrolRest) for move in every) and len(every) > 1:
        glossary.report.add(
            "DL217", "`enrol the rest` stands together with other moves.", moves[0].span,
            help="Write it alone: the cohort goes on, and nothing else is decided after its sentinel.",
        )  # fmt: skip
    return Bound(bound, gate)


def _all(glossary: Glossary, where: Where, moves: Iterable[syntax.PlainMove]) -> tuple[model.Move, ...] | None:
    bound = [_move(glossary, where, move) for move in moves]
    whole_row = tuple(move for move in bound if move is not None)
    return whole_row if len(whole_row) == len(bound) else None


def _gate(glossary: Glossary, where: Where, people: syntax.May | syntax.Ask | syntax.Draw) -> model.Gate | None:
    """A decision of people, or of chance, with its options."""
    if isinstance(people, syntax.Draw):
        return _draw(glossary, where, people)
    body = glossary.look_up(glossary.bodies, people.body)
    match people:
        case syntax.May(moves, _, otherwise):
            bound = [_all(glossary, where, moves), _all(glossary, where, otherwise)]
        case syntax.Ask(_, options):
            bound = [_all(glossary, where, option.moves) for option in options]
    options_bound = tuple(option for option in bound if option is not None)
    if body is None or len(options_bound) < len(bound):
        return None
    kind: Literal["may", "ask"] = "may" if isinstance(people, syntax.May) else "ask"
    default = people.default if isinstance(people, syntax.Ask) else None
    chances = None if default is None else _default(glossary, where, default, options_bound)
    return model.Gate(kind, body, options_bound, chances, span=people.span)


def _default(
    glossary: Glossary, where: Where, default: syntax.Option, options: tuple[tuple[model.Move, ...], ...]
) -> tuple[Fraction, ...] | None:
    """All for the option that is taken if nobody chooses; it must be one of those to choose from."""
    bound = _all(glossary, where, default.moves)
    if bound is None:
        return None
    if bound not in options:
        glossary.report.add(
            "DL217", "The default is not one of the moves to choose from.", default.span,
            help="Write it among them too, with the same words.",
        )  # fmt: skip
        return None
    return tuple(Fraction(option == bound) for option in options)


def _draw(glossary: Glossary, where: Where, draw: syntax.Draw) -> model.Gate | None:
    """A decision that the protocol leaves to chance."""
    chance = rates(glossary, (draw.chance,))[0]
    one, other = _all(glossary, where, draw.moves), _all(glossary, where, draw.otherwise)
    if chance is None or one is None or other is None:
        return None
    return model.Gate("draw", -1, (one, other), (chance, 1 - chance), span=draw.span)


def _move(glossary: Glossary, where: Where, move: syntax.PlainMove) -> model.Move | None:
    in_course = isinstance(move, syntax.Continue | syntax.Enter)
    if in_course != where.course:
        help = OF_A_COURSE if in_course else OF_THE_TRIAL
        if where.role == "example":
            help = "Write `example` without `patient`." if where.course else "Write `example patient`."
        not_here(glossary, where, move.span, f"`{shorten(plain_words(move), 60)}`", help)
        return None
    return _course_move(glossary, where, move) if in_course else _trial_move(glossary, where, move)


def _course_move(glossary: Glossary, where: Where, move: syntax.PlainMove) -> model.Move | None:
    match move:
        case syntax.Continue(place):
            at = bind_place(glossary, where, place) if place else None
            return None if place and at is None else model.Continue(at, span=move.span)
        case syntax.Enter(state, place):
            found = glossary.look_up(glossary.states, state)
            at = bind_place(glossary, where, place) if place else None
            return None if found is None or (place and at is None) else model.Enter(found, at, span=move.span)
    return None


def _trial_move(glossary: Glossary, where: Where, move: syntax.PlainMove) -> model.Move | None:
    match move:
        case syntax.Step():
            return _step(glossary, where, move)
        case syntax.EnrolRest():
            return model.EnrolRest(span=move.span)
        case syntax.Fill(place, total):
            number = whole(glossary, total, "a number of patients at a level", 1, LARGEST_COHORT)
            at = bind_place(glossary, where, place)
            return None if number is None or at is None else model.Enrol(at, None, number, span=move.span)
        case syntax.Backfill(size, place):
            number = whole(glossary, size, "the size of a cohort", 1, LARGEST_COHORT)
            at = bind_place(glossary, where, place)
            return None if number is None or at is None else model.Backfill(at, number, span=move.span)
        case syntax.CountOne(name) | syntax.Reset(name):
            counter = glossary.find_counter(name.text)
            if counter is None:
                glossary.unknown(glossary.counters, name)
                return None
            return model.Count(counter, isinstance(move, syntax.Reset), span=move.span)
        case syntax.Enrol(size, _, place):
            number = whole(glossary, size, "the size of a cohort", 1, LARGEST_COHORT)
            at = bind_place(glossary, where, place)
            return None if number is None or at is None else model.Enrol(at, number, span=move.span)
        case syntax.Close(place, all_above, too_toxic):
            return _close(glossary, where, move, bind_place(glossary, where, place), all_above, too_toxic)
        case syntax.Declare(place, verdict):
            found = glossary.look_up(glossary.verdicts, verdict)
            at = bind_place(glossary, where, place) if place else None
            return None if found is None or (place and at is None) else model.Declare(found, at, span=move.span)
        case syntax.Begin(part, place, size, _, filling):
            return _begin(glossary, where, move, part, place, size, filling)
        case syntax.Stop(reason):
            return model.Stop(reason.value if reason else None, span=move.span)
    return None


def _close(
    glossary: Glossary, where: Where, move: syntax.Close, at: guards.Place | None, all_above: bool, too_toxic: bool
) -> model.Move | None:
    if not too_toxic:
        words = plain_words(move)
        glossary.report.add(
            "DL210", f"`{words}` does not say why: only a level that is too toxic is closed.", move.span,
            help=f"Write `{words} as too toxic`. Nothing need be written to leave a level: `escalate` leaves it open.",
        )  # fmt: skip
        return None
    return None if at is None else model.Close(at, all_above, span=move.span)


def _begin(
    glossary: Glossary, where: Where, move: syntax.Begin, part: syntax.Name, place: syntax.Place | None,
    size: syntax.Amount | None, filling: bool,
) -> model.Move | None:  # fmt: skip
    """`begin expansion at the MTD`; the level must be said, since a verdict may name another than this one."""
    found = glossary.look_up(glossary.parts, part)
    if place is None:
        if glossary.report.tells_of(move.span):
            return None  # its place could not be read, which is said
        glossary.report.add(
            "DL210", f"`{plain_words(move)}` does not say at which level.", move.span,
            help=f"Write for example: begin {part.text} at the MTD",
        )  # fmt: skip
        return None
    at = bind_place(glossary, where, place)
    number = None if size is None else whole(glossary, size, "the size of a cohort", 1, LARGEST_COHORT)
    if found is None or at is None or (size is not None and number is None):
        return None
    if filling:
        return model.Begin(found, at, None, number, span=move.span)
    return model.Begin(found, at, number, span=move.span)


def _step(glossary: Glossary, where: Where, move: syntax.Step) -> model.Move | None:
    """`escalate`, `de-escalate`, `stay`, perhaps by several levels, or in one component of a grid."""
    if move.word == "stay":
        return model.Enrol(guards.THIS, None, span=move.span)
    steps = 1 if move.levels is None else whole(glossary, move.levels, "a number of levels", 1, MOST_STEPS)
    axis = axis_of(glossary, move.span, move.along)
    if steps is None or axis is None:
        return None
    kind: guards.PlaceKind = "next higher" if move.word == "escalate" else "next lower"
    return model.Enrol(guards.Place(kind, steps=steps, axis=axis), None, span=move.span)


# ---- contradictions ----


def _report_contradictions(glossary: Glossary, moves: tuple[model.Move, ...], gate: model.Gate | None) -> None:
    """Report moves that cannot be made together: among the plain ones, and with each option of people."""
    if _report_one_row(glossary, moves, ()) or gate is None:
        return
    # One report is enough: what clashes with one option often clashes with all.
    any(_report_one_row(glossary, moves, option) for option in gate.options)


def _report_one_row(glossary: Glossary, moves: tuple[model.Move, ...], option: tuple[model.Move, ...]) -> bool:
    """Report the first contradiction of a row of moves; whether there is one."""
    row = (*moves, *option)
    for later in range(max(1, len(moves)) if option else 1, len(row)):
        for earlier in row[:later]:
            found = _contradiction(glossary, earlier, row[later])
            if found is not None:
                message, seen, help = found
                glossary.report.add("DL217", message, row[later].span, labels=[Label(earlier.span, seen)], help=help)
                return True
    return False


NEXT = (model.Enrol, model.EnrolRest, model.Begin, model.Stop, model.Continue, model.Enter)


def _contradiction(glossary: Glossary, first: model.Move, second: model.Move) -> tuple[str, str, str] | None:
    """What is wrong with two moves of one row: message, what to see at the first, help."""
    match first, second:
        case _ if isinstance(first, NEXT) and isinstance(second, NEXT):
            return (
                "One `then` says twice what comes next.", "what comes next is said here already",
                "Keep one of the two; if both are possible, write two cases with different conditions.",
            )  # fmt: skip
        case model.Declare(one, _), model.Declare(other, _) if one == other:
            name = glossary.verdicts.spelled[one]
            return (
                f"One `then` declares the {name} twice.", "the first declaration",
                "Keep one of the two declarations.",
            )  # fmt: skip
        case model.Close() as closing, (model.Enrol() | model.Begin()) as opening if _shuts(glossary, closing, opening):
            return _closed_and_opened("the level is closed here")
        case (model.Enrol() | model.Begin()) as opening, model.Close() as closing if _shuts(glossary, closing, opening):
            return _closed_and_opened("patients are enrolled here")
        case (model.Backfill() as beside, (model.Enrol() | model.Begin()) as opening) | (
            (model.Enrol() | model.Begin()) as opening,
            model.Backfill() as beside,
        ) if settled(glossary, beside.place) == settled(glossary, opening.place):
            return (
                "One `then` backfills the level at which the next cohort is enrolled.", "the level is named here too",
                "Backfill another level, such as the next lower level, or enrol more patients in the cohort.",
            )  # fmt: skip
        case model.Backfill(), model.Stop():
            return (
                "One `then` backfills a level and ends the trial.", "patients are enrolled here",
                "Patients are backfilled beside a cohort that comes next: leave out `stop`, or `backfill`.",
            )  # fmt: skip
        case model.Count(one), model.Count(other) if one == other and first != second:
            return (
                f"One `then` counts and resets `{glossary.counters.spelled[one]}`.", "the counter is named here too",
                "Keep one of the two.",
            )  # fmt: skip
        case model.Stop(), _:
            return (
                "A move is written after `stop`, which ends the trial.", "the trial ends here",
                "Write `stop` as the last move.",
            )  # fmt: skip
    return None


def _closed_and_opened(seen: str) -> tuple[str, str, str]:
    return (
        "One `then` closes a level as too toxic and enrols patients there.", seen,
        "Is another level meant, as in `enrol 3 more at the next lower level`?",
    )  # fmt: skip


def _shuts(glossary: Glossary, closing: model.Close, opening: model.Enrol | model.Begin) -> bool:
    """Whether closing one level, perhaps with all above, surely closes the other."""
    first, second = settled(glossary, closing.place), settled(glossary, opening.place)
    if first == second:
        return True
    if not closing.all_above:
        return False
    return first == guards.Place("level", 0) or (
        (first.kind == second.kind == "level" and second.index >= first.index)
        or (first.kind == "this" and second.kind in ("next higher", "highest"))
        or (first.kind == "next lower" and second.kind in ("this", "next higher", "highest"))
        or (second == guards.Place("level", len(glossary.levels) - 1))
    )


def sizes(bound: Bound) -> Iterable[tuple[int, Span]]:
    """The sizes of the cohorts that the moves open, where they are written."""
    options = bound.gate.options if bound.gate else ()
    for move in (*bound.moves, *(move for option in options for move in option)):
        match move:
            case model.Enrol(_, int(number), _) | model.Enrol(_, None, int(number)) | model.Backfill(_, number):
                yield number, move.span
