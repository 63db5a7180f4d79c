"""How patients enter in a part: what sentinels and looks at every arrival need, and what needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from doselang.diagnostics import Report
from doselang.protocol.guards import SentinelHas, atoms
from doselang.protocol.model import EnrolRest, Part, Rule
from doselang.resolve.amounts import duration
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Section
from doselang.source import Span
from doselang.syntax import nodes as syntax

HELP = "Write in the part, for example: sentinel of each new level for 14 days"
ONE_SENTINEL = (
    " `sentinel of each cohort` includes the first of a new level. "
    "A wait between further patients is not written, unless each is a cohort of its own."
)


def bind_sentinel(
    glossary: Glossary, sentinels: Sequence[syntax.Sentinel], cycles: Sequence[syntax.Cycle]
) -> tuple[Literal["new level", "cohort"] | None, str | None]:
    """Whose first patient is treated alone in a part, and for how long, in words."""
    if not sentinels:
        return None, None
    length = sentinels[0].length
    if length.unit == "cycles" and not cycles and not glossary.partial:
        glossary.report.add(
            "DL214", "The sentinel's time is given in cycles, and the file does not say how long a cycle is.",
            length.span, help="Write above the levels, with the length that the protocol gives: cycle is 28 days",
        )  # fmt: skip
    return sentinels[0].each, duration(glossary, length, "a sentinel's time")


def report_entering(report: Report, sections: Sequence[Section], parts: Sequence[Part]) -> None:
    """Report statements that do not fit together, and rules that speak of a sentinel where there is none."""
    for section in sections:
        for statements, what, help in ((section.sentinels, "sentinels", ONE_SENTINEL), (section.looks, "looks", "")):
            if len(statements) > 1:
                message = f"The part says twice what its {what} are."
                report.add("DL202", message, statements[1].span, help=f"Keep one.{help}")
    bare = [part for part in parts if part.sentinel is None]
    with_sentinel = {rule.span for part in parts if part.sentinel is not None for rule in part.rules}
    told: set[Span] = set()
    for part in bare:
        for rule in part.rules:
            for span in _of_sentinels(rule) if rule.span not in with_sentinel else ():
                if span not in told:
                    told.add(span)
                    message = f"In part `{part.name}` no patient is a sentinel."
                    report.add("DL211", message, span, help=HELP)


def _of_sentinels(rule: Rule) -> Iterable[Span]:
    """Where a rule speaks of a sentinel."""
    for case in rule.cases:
        yield from (atom.span for atom in atoms(case.guard) if isinstance(atom, SentinelHas))
        options = case.gate.options if case.gate else ()
        moves = (*case.moves, *(move for option in options for move in option))
        yield from (move.span for move in moves if isinstance(move, EnrolRest))
