"""Sizes of cohorts, and limits of accrual that must not clash."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.amounts import LARGEST_COHORT, whole
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Section
from doselang.source import Span
from doselang.syntax import nodes as syntax

EXTENTS = {"level": "at a level", "part": "in the part", "trial": "in the trial"}


@frozen
class Accrual:
    """What a part says about numbers of patients; `cohort` is None if it is missing or wrong."""

    cohort: int | None
    limits: tuple[model.Limit, ...]

    def tightest(self) -> model.Limit | None:
        """The limit that leaves a cohort least room."""
        capped = [limit for limit in self.limits if limit.high is not None]
        return min(capped, key=lambda limit: limit.high or 0, default=None)


def bind_accrual(glossary: Glossary, section: Section, trial_caps: dict[str, model.Limit]) -> Accrual:
    """The cohort size and the limits of a part.

    `trial_caps` are the limits of the whole trial met so far, by "low" and "high"; they must agree in all parts.
    """
    cohort = _cohort(glossary, section.cohorts)
    bounds: dict[tuple[str, str], model.Limit] = {("trial", end): limit for end, limit in trial_caps.items()}
    limits = []
    for accrue in section.limits:
        limit = _limit(glossary, accrue)
        if limit is not None:
            limits.append(limit)
            _report_clashes(glossary, limit, bounds)
    trial_caps.update({end: limit for (scope, end), limit in bounds.items() if scope == "trial"})
    accrual = Accrual(cohort, tuple(limits))
    tightest = accrual.tightest()
    if cohort is not None and section.cohorts and tightest is not None:
        report_too_large(glossary, tightest, cohort, section.cohorts[0].size.span)
    return accrual


def _cohort(glossary: Glossary, cohorts: Sequence[syntax.Cohorts]) -> int | None:
    if len(cohorts) > 1 and not glossary.partial:
        glossary.report.add(
            "DL202", "The size of cohorts is given twice in one part.", cohorts[1].span,
            labels=[Label(cohorts[0].span, "it is given here first")],
            help="Keep one; a cohort of another size is opened by `enrol 6 at level 1`.",
        )  # fmt: skip
    return whole(glossary, cohorts[0].size, "the size of a cohort", 1, LARGEST_COHORT) if cohorts else None


def _limit(glossary: Glossary, accrue: syntax.Accrue) -> model.Limit | None:
    low = whole(glossary, accrue.low, "a limit of accrual") if accrue.low is not None else None
    high = whole(glossary, accrue.high, "a limit of accrual") if accrue.high is not None else None
    if (accrue.low is not None and low is None) or (accrue.high is not None and high is None):
        return None
    if low is not None and accrue.extent != "level":
        glossary.report.add(
            "DL211", f"`at least` has no meaning for the patients {EXTENTS[accrue.extent]}.", accrue.span,
            help="Only a level may have a smallest number: accrue at least 2 patients at a level",
        )  # fmt: skip
        return None
    if low is not None and high is not None and low > high:
        help = f"Is `at least {high} and at most {low}` meant?"
        glossary.report.add("DL213", f"Nothing is at least {low} and at most {high}.", accrue.span, help=help)
        return None
    return model.Limit(accrue.extent, low, high, span=accrue.span)


def _report_clashes(glossary: Glossary, limit: model.Limit, bounds: dict[tuple[str, str], model.Limit]) -> None:
    """Report a second bound of one kind, and a lower bound above an upper one of the part or the trial."""
    for end, number in (("low", limit.low), ("high", limit.high)):
        if number is None:
            continue
        other = bounds.setdefault((limit.scope, end), limit)
        before = other.low if end == "low" else other.high
        if other is not limit and not (limit.scope == "trial" and before == number) and not glossary.partial:
            word = "smallest" if end == "low" else "largest"
            glossary.report.add(
                "DL213", f"The {word} number {EXTENTS[limit.scope]} is given twice.", limit.span,
                labels=[Label(other.span, f"here it is {before}")], help="Keep one of the two.",
            )  # fmt: skip
            return
    for scope in EXTENTS:
        low, high = bounds.get(("level", "low")), bounds.get((scope, "high"))
        if low is None or high is None or low is high or (limit is not low and limit is not high):
            continue
        if low.low is not None and high.high is not None and low.low > high.high:
            other = low if limit is high else high
            glossary.report.add(
                "DL213", f"At least {low.low} at a level and at most {high.high} {EXTENTS[scope]} cannot both hold.",
                limit.span, labels=[Label(other.span, "the other limit")], help="Correct one of the two.",
            )  # fmt: skip
            return


def report_too_large(glossary: Glossary, limit: model.Limit, size: int, span: Span) -> None:
    """Report a cohort that is larger than a limit allows altogether."""
    if limit.high is not None and size > limit.high:
        patients = "patient" if limit.high == 1 else "patients"
        message = f"A cohort of {size} is larger than the limit of {limit.high} {patients} {EXTENTS[limit.scope]}."
        label = Label(limit.span, "the limit")
        glossary.report.add("DL213", message, span, labels=[label], help="Correct the size or the limit.")
