"""What every protocol file needs, and what to paste where it is missing."""

from __future__ import annotations

from doselang.resolve.glossary import Glossary
from doselang.resolve.outline import Outline
from doselang.source import NOWHERE
from doselang.syntax import nodes as syntax


def report_missing(glossary: Glossary, outline: Outline) -> None:
    """Report everything that a protocol cannot do without; nothing is filled in.

    In a file of which parts could not be read nothing is called missing: it may stand there.
    """
    if glossary.partial:
        return
    _of_the_file(glossary, outline)
    _of_the_parts(glossary, outline)
    _of_the_course(glossary, outline)


def _of_the_file(glossary: Glossary, outline: Outline) -> None:
    add = glossary.report.add
    if not outline.titles:
        add("DL201", "The file has no title.", help='Write as the first line: protocol "the title of your protocol"')
    if not outline.ladder:
        add("DL201", "The file names no dose level.", help="Write for example: levels 1 to 3")
    if not outline.starts:
        first = glossary.levels.spelled[0] if len(glossary.levels) else "1"
        help = f"Write for example: start at level {first}"
        add("DL201", "The file does not say at which level the trial starts.", help=help)
    if all(toxicity.members for toxicity in outline.toxicities):
        help = "Write for example: toxicity DLT within 28 days"
        add("DL201", "The file does not say which toxicity is counted.", help=help)
    if not outline.parts:
        help = "Write above the first rule, on two lines: part escalation / cohorts of 3"
        if outline.stray_cohorts:
            help = "Write above the size of the cohorts, on a line of its own: part escalation"
        add("DL201", "The file has no part.", help=help)


def _of_the_parts(glossary: Glossary, outline: Outline) -> None:
    for section in outline.parts:
        if not isinstance(section.header, syntax.Part):
            continue
        name = section.header.name
        if not section.cohorts and not outline.stray_cohorts:
            glossary.report.add(
                "DL201", f"The part `{name.text}` does not say how large its cohorts are.", name.span,
                help=f"Write below `part {name.text}`: cohorts of {1 if section.looks else 3}",
            )  # fmt: skip
        if not section.rules and not outline.trial.rules:
            glossary.report.add(
                "DL201", f"The part `{name.text}` has no rule, so nothing is ever decided in it.", name.span,
                help=f"Write its rules below `part {name.text}`, for example: "
                'rule "complete" when the cohort is complete then stop',
            )  # fmt: skip


def _of_the_course(glossary: Glossary, outline: Outline) -> None:
    for section in outline.states:
        header = section.header
        if isinstance(header, syntax.State) and not header.final and not section.rules and not outline.course.rules:
            glossary.report.add(
                "DL201", f"The state `{header.name.text}` has no rule, so no patient ever leaves it.", header.name.span,
                help=f"Write its rules below `state {header.name.text}`, or if treatment ends there: "
                f"state {header.name.text} final",
            )  # fmt: skip
    if glossary.course and not outline.states:
        span = outline.courses[0].span if outline.courses else NOWHERE
        glossary.report.add(
            "DL201", "The patient's course has no state.", span,
            help="Write the states below `patient course`, the first one first: state on-treatment",
        )  # fmt: skip
