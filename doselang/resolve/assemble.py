"""From a file's syntax tree to the protocol that it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from doselang.diagnostics import Label, Report
from doselang.protocol import model
from doselang.resolve import treatment
from doselang.resolve.advisers import bind_advisers, declare_advisers
from doselang.resolve.asked import report_never_asked
from doselang.resolve.composing import Composed
from doselang.resolve.conditions import bind_guard
from doselang.resolve.entering import bind_sentinel, report_entering
from doselang.resolve.expectations import Books, bind_claims, bind_examples
from doselang.resolve.glossary import Glossary
from doselang.resolve.histories import Spelling
from doselang.resolve.later import report_parts
from doselang.resolve.limits import Accrual, bind_accrual
from doselang.resolve.missing import report_missing
from doselang.resolve.outline import MOST_PARTS, MOST_STATES, Home, Outline, outline_of
from doselang.resolve.parameters import Settings, bind_parameters, declare_parameters
from doselang.resolve.places import Where
from doselang.resolve.rolling import report_rolling
from doselang.resolve.rules import Rules, bind_assumption, bind_overrides, bind_rules
from doselang.resolve.scenarios import bind_scenarios
from doselang.resolve.sources import Sources, bind_sources
from doselang.resolve.toxicity_groups import bind_groups
from doselang.source import NOWHERE
from doselang.syntax import nodes as syntax

Statement = TypeVar("Statement", bound=syntax.Statement)
Bound = TypeVar("Bound")

UNREAD = {"DL605", "DL704", "DL999"}
"""Codes that, like those of the syntax, say that a part of the file was not read."""


def resolve(
    file: syntax.File,
    report: Report,
    *,
    text: model.ProtocolText | None,
    settings: Settings | None = None,
    files: Mapping[str, str] | None = None,
    composed: Composed | None = None,
) -> model.Protocol | None:
    """The protocol that a file means; None if anything in it is wrong, which is added to the report.

    `text` is the protocol's text that citations are looked up in, None if the file names none or it could not be
    read; `settings` are values of parameters, by name, in place of those in the file; `files` are the decision tables
    that the file names and that could be read, by name. `composed` is what the file was made of, if it uses designs; it
    is then the whole.
    """
    whole = composed or Composed(file)
    glossary = Glossary(report, partial=any(item.code in UNREAD or item.code.startswith("DL1") for item in report))
    outline = outline_of(file, glossary)
    if len(outline.parts) > MOST_PARTS or len(outline.states) > MOST_STATES:
        return None
    declare_parameters(glossary, outline.parameters, settings or {}, whole.given, whole.replaced)
    glossary.overridden, glossary.own_end = bool(settings), file.span.end if outline.texts else -1
    glossary.files = dict(files or {})
    _report_repeated(glossary, outline)
    sources = bind_sources(file, report, text, outline.texts[0] if outline.texts else None, whole.texts)
    protocol = _bind(glossary, outline, sources, file)
    report_missing(glossary, outline)
    if not report.has_errors:
        report_never_asked(glossary, outline, protocol)
    if not glossary.partial:
        sources.report_uncited(outline.texts[0].span if outline.texts else NOWHERE)
    return None if report.has_errors else protocol


def _bind(glossary: Glossary, outline: Outline, sources: Sources, file: syntax.File) -> model.Protocol:
    """Everything the file says, in the order in which one thing needs another. What is wrong is left out."""
    components = treatment.bind_components(glossary, outline.components)
    levels = treatment.bind_ladder(glossary, outline.ladder, components)
    treatment.bind_start(glossary, outline.starts, levels)
    cycle = treatment.bind_cycle(glossary, outline.cycles)
    toxicities = treatment.bind_toxicities(glossary, outline)
    groups = bind_groups(glossary, [t for t in outline.toxicities if t.members], outline.toxicities)
    events = treatment.bind_events(glossary, outline.events)
    bodies = treatment.bind_bodies(glossary, outline.bodies)
    counters = treatment.bind_counters(glossary, outline.counters)
    declare_advisers(glossary, outline.advisers)
    on_ladder = sum(level.ladder == 0 and not level.off_ladder for level in levels)
    advisers = bind_advisers(glossary, sources, outline.advisers, on_ladder)
    declared = treatment.declare_verdicts(glossary, outline.verdicts)
    verdicts, result = treatment.bind_verdicts(glossary, declared)

    caps: dict[str, model.Limit] = {}
    accruals = [bind_accrual(glossary, section, caps) for section in outline.parts]
    trial = bind_overrides(glossary, bind_rules(glossary, sources, [outline.trial, *outline.parts], accruals))
    course = bind_overrides(glossary, bind_rules(glossary, sources, [outline.course, *outline.states], ()))
    parts = _parts(glossary, outline, accruals, trial)
    report_entering(glossary.report, outline.parts, parts)
    report_parts(glossary, parts)
    books = Books(trial, course)
    spelling = Spelling(
        glossary.levels, glossary.parts, frozenset(t.letter for t in toxicities), frozenset(e.letter for e in events),
        glossary.ladder_known and len(glossary.levels) > 0,
    )  # fmt: skip
    return model.Protocol(
        title=outline.titles[0].title.value if outline.titles else "",
        levels=levels,
        start=glossary.start or 0,
        toxicities=toxicities,
        groups=groups,
        parts=parts,
        components=components,
        verdicts=verdicts,
        result=result,
        bodies=bodies,
        counters=counters,
        advisers=advisers,
        ladders=("", *glossary.ladders.spelled),
        axes=glossary.axes,
        course=_course(glossary, outline, events, course),
        replaces_inevaluable=bool(outline.replaces),
        cycle=cycle,
        claims=bind_claims(glossary, sources, outline.claims),
        examples=_fitting(glossary, outline.examples, lambda some: bind_examples(glossary, spelling, books, some)),
        scenarios=_fitting(glossary, outline.scenarios, lambda some: bind_scenarios(glossary, books, some)),
        assumptions=_assumptions(file),
        silences=_silences(glossary, outline.silences),
        citations=tuple(sources.citations),
        text=sources.settled(),
        parameters=bind_parameters(glossary, outline.parameters),
    )


def _fitting(
    glossary: Glossary, statements: Sequence[Statement], bind: Callable[[Sequence[Statement]], tuple[Bound, ...]]
) -> tuple[Bound, ...]:
    """Examples or scenarios. Where parameters were overridden, those that no longer fit are left out, which is said."""
    if not glossary.overridden:
        return bind(statements)
    report = glossary.report
    kept: list[Statement] = []
    left_out: list[Statement] = []
    for statement in statements:
        glossary.report = Report()
        bind([statement])
        (left_out if glossary.report.has_errors else kept).append(statement)
    glossary.report = report
    if left_out:
        what = "example" if isinstance(left_out[0], syntax.Example) else "scenario"
        do_not = f"{what} does not fit, and is" if len(left_out) == 1 else f"{what}s do not fit, and are"
        message = f"With the parameters as they are set, {len(left_out)} {do_not} left out."
        report.add("DL220", message, left_out[0].span)
    return bind(kept)


def _parts(glossary: Glossary, outline: Outline, accruals: Sequence[Accrual], rules: Rules) -> tuple[model.Part, ...]:
    parts = []
    for section, accrual in zip(outline.parts, accruals, strict=True):
        if isinstance(section.header, syntax.Part):
            title = section.header.title.value if section.header.title else None
            held = rules.holding(section.home)
            name, span = section.header.name.text, section.header.span
            sentinel, alone = bind_sentinel(glossary, section.sentinels, outline.cycles)
            part = model.Part(
                name, accrual.cohort or 1, held, accrual.limits, title, sentinel, bool(section.looks), alone, span=span
            )
            report_rolling(glossary, section, part)
            parts.append(part)
    return tuple(parts)


def _course(glossary: Glossary, outline: Outline, events: tuple[model.Event, ...], rules: Rules) -> model.Course | None:
    if not glossary.course:
        return None
    states = []
    for section in outline.states:
        if isinstance(section.header, syntax.State):
            header = section.header
            held = () if header.final else rules.holding(section.home)
            means = header.means.text.value if header.means else None
            states.append(model.State(header.name.text, header.final, held, means, span=header.span))
    span = outline.courses[0].span if outline.courses else NOWHERE
    may_escalate = any(header.may_escalate for header in outline.courses)
    return model.Course(events, tuple(states), may_escalate, span=span)


def _assumptions(file: syntax.File) -> tuple[model.Assumption, ...]:
    """All assumptions, those that are the basis of a rule included, in the order of the file."""
    found: list[model.Assumption] = []
    for statement in file.statements:
        match statement:
            case syntax.Assume():
                found.append(bind_assumption(statement))
            case syntax.Rule(basis=basis):
                found += [bind_assumption(part) for part in basis if isinstance(part, syntax.Assume)]
    return tuple(found)


def _silences(glossary: Glossary, silences: Sequence[tuple[syntax.Silent, Home]]) -> tuple[model.Silence, ...]:
    bound = []
    for silent, home in silences:
        where = Where("silence", home.course, home.part)
        when = bind_guard(glossary, where, silent.when) if silent.when is not None else None
        bound.append(model.Silence(silent.text.value, when, home.part, home.course, span=silent.span))
    return tuple(bound)


def _report_repeated(glossary: Glossary, outline: Outline) -> None:
    """Report statements that a file has once, and here has twice."""
    kinds: tuple[tuple[str, Sequence[syntax.Statement]], ...] = (
        ("`protocol`", outline.titles), ("`text`", outline.texts), ("`cycle`", outline.cycles),
        ("`start`", outline.starts), ("`replace inevaluable patients`", outline.replaces),
    )  # fmt: skip
    for word, statements in kinds:
        for later in statements[1:]:
            glossary.report.add(
                "DL202", f"The file has one {word}, and this is a second.", later.span,
                labels=[Label(statements[0].span, "the first one")], help="Leave out one of the two.",
            )  # fmt: skip
