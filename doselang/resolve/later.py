"""Toxicities in later cycles: where there can be none, and what cannot be asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doselang.diagnostics import Label
from doselang.plurals import plural
from doselang.protocol import model
from doselang.protocol.guards import Rate, Tally, atoms
from doselang.protocol.windows import days_of, window_of
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Outline
from doselang.source import Span
from doselang.syntax import nodes as syntax
from doselang.syntax.words import duration_words

ROLLING = "look at every arrival"


def report_declared(
    glossary: Glossary, outline: Outline, declared: Sequence[syntax.Toxicity], windows: Mapping[int, str | None]
) -> None:
    """Report toxicities in later cycles of which no rule could know, and a window that is over too early.

    `windows` are in words, by the identity of the statement.
    """
    first = outline.cycles[0].length if outline.cycles else None
    cycle = (days_of(duration_words(first)) if first else None) or 28.0  # a file without one is refused for that
    ends = {id(t): None if (days := window_of(windows.get(id(t)), cycle)) is None else days[1] for t in declared}
    known = max((end for t in declared if not t.later and (end := ends[id(t)]) is not None), default=0.0)
    for number, toxicity in enumerate(declared):
        if not toxicity.later:
            continue
        name, window = toxicity.name, toxicity.window
        if number == 0:
            message = f"The first toxicity is the dose-limiting one, and `{name.text}` comes in later cycles."
            help = "Declare before it the toxicity with which a patient becomes known: toxicity DLT  within cycle 1"
            glossary.report.add("DL211", message, toxicity.span, help=help)
        if outline.parts and not any(section.looks for section in outline.parts) and not glossary.partial:
            message = f"No part can know of `{name.text}`: when it comes, its patient has been decided on."
            help = f"Write in the part whose rules are to know of it: {ROLLING}"
            glossary.report.add("DL211", message, toxicity.span, help=help)
        if window is not None and windows.get(id(toxicity)) == "within cycle 1":
            message = f"`{name.text}` comes in later cycles, and its window ends with cycle 1."
            glossary.report.add("DL214", message, window.span, help="Write for example: within cycle 2 to 6")
        elif window is not None and (end := ends[id(toxicity)]) is not None and end <= known:
            message = f"The window of `{name.text}` is over on day {end:g}, and patients become known on day {known:g}."
            help = "Its days too are counted from the first day of treatment: write a longer one."
            glossary.report.add("DL214", message, window.span, help=help)


def refused(glossary: Glossary, toxicities: Sequence[int], span: Span, what: str, name: str) -> bool:
    """Whether something is asked of toxicities in later cycles that has no meaning, which is reported."""
    late = [toxicity for toxicity in toxicities if toxicity in glossary.later]
    if not late:
        return False
    counts = "" if len(toxicities) == 1 else f" counts `{glossary.toxicities.spelled[late[0]]}`, which"
    help = f"Ask how many there are so far: `no {name}`, `at least 2 {plural(name)}`, `any {name} in the part`."
    glossary.report.add("DL211", f"`{name}`{counts} comes after patients are known: {what}.", span, help=help)
    return True


def report_parts(glossary: Glossary, parts: Sequence[model.Part]) -> None:
    """Report rules of a part that is not rolling, and that ask for toxicities in later cycles of its own patients."""
    if not any(part.rolling for part in parts):
        return  # which has been said of the toxicity itself
    elsewhere = {rule.span for part in parts if part.rolling for rule in part.rules}
    told: set[Span] = set()
    for number, part in enumerate(parts):
        for rule in part.rules if not part.rolling else ():
            for atom in (atom for case in rule.cases for atom in atoms(case.guard)):
                late = [toxicity for toxicity in _asked(atom, number) if toxicity in glossary.later]
                if late and rule.span not in elsewhere and atom.span not in told:
                    told.add(atom.span)
                    name = glossary.toxicities.spelled[late[0]]
                    glossary.report.add(
                        "DL211", f"In part `{part.name}` no `{name}` becomes known: cohorts are decided on before.",
                        atom.span, labels=[Label(part.span, "patients are not followed for it here")],
                        help=f"Write `{ROLLING}` in the part, or ask for those of a part that has it, or in the trial.",
                    )  # fmt: skip


def _asked(atom: object, number: int) -> tuple[int, ...]:
    """The toxicities that are counted among the patients of a part alone."""
    match atom:
        case Tally(what=what, scope="cohort"):
            return what
        case Tally(what=what, part=part, scope=scope) if part == number or (scope == "part" and part is None):
            return what
        case Rate(toxicities=what, part=part, scope=scope) if part == number or (scope == "part" and part is None):
            return what
        case _:
            return ()
