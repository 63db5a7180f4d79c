"""Claims and examples: what must hold, and what must follow."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from doselang.protocol import model
from doselang.resolve.conditions import bind_guard
from doselang.resolve.glossary import Glossary
from doselang.resolve.histories import Spelling, report_history
from doselang.resolve.moves import bind_moves
from doselang.resolve.names import Names
from doselang.resolve.places import Where
from doselang.resolve.rules import Rules, unknown_rule
from doselang.resolve.sources import Sources
from doselang.syntax import nodes as syntax


def bind_claims(glossary: Glossary, sources: Sources, claims: Sequence[syntax.Claim]) -> tuple[model.Claim, ...]:
    names = Names("claim", "claims", 'claim "{}"', mark='"')
    bound = []
    for claim in claims:
        names.declare(claim.name.value, claim.name.span, glossary.report)
        if claim.in_course and not _has_course(glossary, claim):
            continue
        where = Where("claim", claim.in_course)
        when = bind_guard(glossary, where, claim.when) if claim.when is not None else None
        guard = bind_guard(glossary, where, claim.guard)
        if claim.when is not None and claim.modality == "eventually":
            glossary.report.add(
                "DL211", "`when` has no meaning before `eventually`, which speaks of the end of every history.",
                claim.when.span, help="Leave `when …` out, or write `always` or `never`.",
            )  # fmt: skip
        if guard is not None:
            cites = sources.of(claim)
            bound.append(
                model.Claim(claim.name.value, claim.modality, guard, when, claim.in_course, cites, span=claim.span)
            )
    return tuple(bound)


def _has_course(glossary: Glossary, statement: syntax.Claim | syntax.Example) -> bool:
    """Whether there is a patient's course to speak of; otherwise that is reported."""
    if not glossary.course and not glossary.partial:
        what = "claim" if isinstance(statement, syntax.Claim) else "example"
        glossary.report.add(
            "DL211", f"This {what} is about a patient's course, and the file has none.", statement.span,
            help="Write the course below `patient course`, with its events, states and rules.",
        )  # fmt: skip
    return glossary.course


# ---- examples ----


@frozen
class Books:
    """The rules that examples name."""

    trial: Rules
    course: Rules


def bind_examples(
    glossary: Glossary, spelling: Spelling, books: Books, examples: Sequence[syntax.Example]
) -> tuple[model.Example, ...]:
    bound = []
    for example in examples:
        if example.of_patient and not _has_course(glossary, example):
            continue
        if not glossary.partial:
            report_history(glossary.report, spelling, example.history, example.of_patient)
        closed = _closed(glossary, example)
        by = _by(glossary, books.course if example.of_patient else books.trial, example)
        where = Where("example", example.of_patient)
        expected: tuple[model.Move, ...] | str
        gate = None
        if isinstance(example.expected, str):
            expected = example.expected
        else:
            moves = bind_moves(glossary, where, example.expected)
            if moves is None:
                continue
            expected, gate = moves.moves, moves.gate
        bound.append(
            model.Example(example.history.value, expected, gate, by, example.of_patient, closed, span=example.span)
        )
    return tuple(bound)


def _closed(glossary: Glossary, example: syntax.Example) -> tuple[int, ...]:
    """The levels that are closed meanwhile, in a patient's example."""
    if example.closed and not example.of_patient:
        glossary.report.add(
            "DL211", "A trial's example closes levels by its history, not by `with`.", example.closed[0].span,
            help="Leave `with … closed as too toxic` out, or write `example patient`.",
        )  # fmt: skip
        return ()
    levels = (glossary.level(label) for label in example.closed)
    return tuple(dict.fromkeys(level for level in levels if level is not None))


def _by(glossary: Glossary, rules: Rules, example: syntax.Example) -> tuple[str, ...]:
    """The names of rules, as they are spelled where the rules stand."""
    by = []
    for name in example.by:
        found = rules.named(name.value)
        if found:
            by.append(found[0].name)
        else:
            unknown_rule(glossary, rules, name)
    return tuple(by)
