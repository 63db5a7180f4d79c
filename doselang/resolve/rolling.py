"""Parts in which the rules are asked at every arrival: what cannot be said in them."""

from __future__ import annotations

from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.protocol.guards import Guard, Rate, SentinelHas, Share, Tally, atoms
from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Section


def report_rolling(glossary: Glossary, section: Section, part: model.Part) -> None:
    """Report cohorts of several patients, sentinels, and conditions about cohorts, in a part with rolling accrual."""
    if not section.looks:
        return
    look = Label(section.looks[0].span, "the rules are asked at every arrival")
    leave_out = "or leave out `look at every arrival`"
    if part.cohort != 1 and section.cohorts:
        glossary.report.add(
            "DL213", f"Patients come one by one in this part, and its cohorts are of {part.cohort}.",
            section.cohorts[0].span, labels=[look], help=f"Write `cohorts of 1`, {leave_out}.",
        )  # fmt: skip
    if section.sentinels:
        glossary.report.add(
            "DL213", "A sentinel is treated alone, and in this part patients enter while others are pending.",
            section.sentinels[0].span, labels=[look], help=f"Leave out the sentinel, {leave_out}.",
        )  # fmt: skip
    for rule in part.rules:
        for case in rule.cases:
            for atom in atoms(case.guard):
                if (words := _about_cohorts(atom)) is not None:
                    glossary.report.add(
                        "DL211", f"{words} has no meaning in a part in which patients come one by one.", atom.span,
                        labels=[look], help="Ask for `enrolled`, `pending` and `evaluable` patients, or `K of N`.",
                    )  # fmt: skip


def _about_cohorts(guard: Guard) -> str | None:
    match guard:
        case Share(group="first" | "added" as group):
            return f"`of the {group}`"
        case Tally(scope="cohort") | Rate(scope="cohort"):
            return "`in the cohort`"
        case SentinelHas():
            return "`the sentinel has`"
        case _:
            return None
