"""The page of the trial: what may be done now and why, who is waited for, the levels and patients, the deviations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby

from doselang.conduct.accounts import CaseAccount, RuleAccount, Way
from doselang.conduct.advice import Advice
from doselang.conduct.advised import awaited_words, held_words, now_words
from doselang.conduct.conducted import Patient
from doselang.conduct.judging import Judged, Judgement
from doselang.conduct.standing import CohortOf
from doselang.machine.notation import INEVALUABLE, NONE, PENDING
from doselang.protocol.model import Protocol
from doselang.protocol.words import guard_words, level_words, toxicity_words
from doselang.report.advice import ahead_lines, ahead_title, now_parts, render_advice, title_words
from doselang.report.explanation import (
    QUESTIONS,
    STATUS,
    clause_numbers,
    elsewhere,
    option_words,
    place_of,
    question_of,
    then_words,
)
from doselang.report.judgement import done_words, render_deviations, should_have
from doselang.report.printable import printable
from doselang.report.trial_steps import record_line
from doselang.source import Source
from doselang.trial.following import number_of
from doselang.trial.opening import Trial, record_source
from doselang.web.layout import Page, lines, rules_said, said
from doselang.web.markup import NOTHING, Content, Html, element, grid, link, listing, terms
from doselang.web.offers import Offer
from doselang.web.places import Places

TERMS = {"decided": "Decided", "now": "Now", "": ""}


def overview(
    trial: Trial, judgement: Judgement, advice: Advice, offered: list[Offer] | None, places: Places
) -> Page:  # fmt: skip
    """The trial as it stands on a day; `offered` are the normal steps, None where the day is not today."""
    source = trial.protocols[trial.on_day(advice.on or date.today())].loaded.source
    steps = _steps(trial.protocol, offered, places) if offered is not None else _another_day(advice, places)
    content = (
        _section("decision", _decision(judgement, advice)),
        steps,
        _section("ahead", _ahead(advice)),
        _section("why", _why(advice, source)),
        _section("levels", _levels(advice)),
        _section("patients", _patients(judgement, places)),
        _section("deviations", _deviations(judgement, places)),
        _section("printed", _printed(trial, judgement, advice, source, places)),
    )
    return Page("The trial", content, here="")


def _section(name: str, content: Iterator[Html]) -> Html:
    """A section that can be led to by its name; nothing where nothing is in it."""
    found = list(content)
    return element("section", *found, id=name) if found else NOTHING


# ---- the decision ----


def _decision(judgement: Judgement, advice: Advice) -> Iterator[Html]:
    yield element("h2", "What may be done now")
    left = [step for step in judgement.steps if step.verdict in ("deviated", "undecided")]
    if judgement.lost is not None:
        yield said("warning", "The rules are not followed any further.", element("p", judgement.lost))
    elif left:
        yield said("warning", "The trial has left its protocol.", element("p", link("Deviations", "#deviations")))
    yield element("p", title_words(advice), class_="quiet")
    yield element("p", _capital(now_words(advice)), class_="decision", id="now")
    shown = ("decided", "now", "") if advice.action == "undecided" else ("decided", "")
    parts = [(TERMS[word], words) for word, words in now_parts(advice) if word in shown]
    yield terms(parts) if parts else NOTHING
    if advice.awaited:
        yield element("h3", "Who is waited for")
        yield listing([awaited_words(advice.now.protocol, one, advice.on) for one in advice.awaited])
    if advice.held:
        yield element("h3", "Who entered too early, and is of no cohort yet")
        yield listing([held_words(advice.now.protocol, one) for one in advice.held])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _ahead(advice: Advice) -> Iterator[Html]:
    found = ahead_lines(advice)
    if found:
        yield element("h2", ahead_title(advice))
        yield grid("What is decided then", ("If they show", "Then", "By"),
                   [(line.when, line.then, ", ".join(line.rules)) for line in found])  # fmt: skip


# ---- why ----


def _why(advice: Advice, source: Source) -> Iterator[Html]:
    basis = advice.basis
    if basis is None:
        return
    yield element("h2", "Why" if basis.history == advice.now.history else f"Why this cohort: after {basis.history}")
    for way in basis.ways:
        if len(basis.ways) > 1:
            yield element("h3", option_words(basis, way))
        yield from _way(basis.protocol, source, way)


def _way(protocol: Protocol, source: Source, way: Way) -> Iterator[Html]:
    if not way.acted:
        yield element("p", "No rule acts.")
    for question, accounts in groupby(sorted(way.acted, key=question_of), key=question_of):
        yield element("h3", QUESTIONS[question - 1])
        for account in accounts:
            yield element("div", *_rule(protocol, source, account), class_="rule")


def _rule(protocol: Protocol, source: Source, account: RuleAccount) -> Iterator[Html]:
    rule = account.rule
    any_time = ", at any time" if rule.at_any_time else ""
    yield element("p", "Rule ", element("strong", f"“{rule.name}”"), any_time, elsewhere(rule, source))
    for citation in rule.cites:
        yield element("blockquote", f"“{citation.words}”{place_of(protocol, citation)}")
    for assumption in rule.assumes:
        yield element("p", f"Assumed: {assumption.reading}, because {assumption.because}")
    for case in account.cases:
        if case.value == "true":
            yield from _case(protocol, case)


def _case(protocol: Protocol, case: CaseAccount) -> Iterator[Html]:
    rows = [
        (guard_words(protocol, clause.guard), clause.value, clause_numbers(protocol, clause)) for clause in case.clauses
    ]
    if rows:
        yield grid("Its conditions", ("Condition", "Is", "On"), rows)
    yield element("p", f"Then: {then_words(protocol, case)}")


# ---- levels and patients ----


def _levels(advice: Advice) -> Iterator[Html]:
    protocol, tallies = advice.now.protocol, advice.now.tallies
    toxicities = [toxicity_words(protocol, (number,), 2) for number in range(len(protocol.toxicities))]
    yield element("h2", "Levels")
    rows: list[tuple[Content, ...]] = [
        (
            protocol.levels[tally.level].label,
            tally.evaluable,
            *(tally.toxic(number) for number in range(len(toxicities))),
            tally.pending,
            tally.inevaluable,
            STATUS[tally.status],
        )
        for tally in tallies
    ]
    yield grid("Patients by level", ("Level", "Evaluable", *toxicities, "Pending", "Inevaluable", "Status"), rows)


def _patients(judgement: Judgement, places: Places) -> Iterator[Html]:
    standing = judgement.standing
    yield element("h2", "Patients")
    if not standing.entered:
        yield element("p", "Nobody has entered yet.")
        return
    cohorts = [cohort for cohort in standing.cohorts if cohort.patients]
    rows = []
    for position in sorted(standing.entered):
        patient = standing.patients[position]
        known = position in standing.known
        rows.append(_patient_row(judgement, patient, _cohort_words(cohorts, position), places, known=known))
    headings = ("Patient", "Level", "Cohort", "First dose", "Window ends", "Outcome", "Known on", "Entry")
    yield grid("Patients in the order in which they entered", headings, rows)


def _cohort_words(cohorts: list[CohortOf], position: int) -> str:
    if any(position in cohort.patients for cohort in cohorts if cohort.against == "aside"):
        return "beside all cohorts"
    for number, cohort in enumerate((cohort for cohort in cohorts if cohort.against != "aside"), 1):
        if position in cohort.patients:
            return f"{number}, not opened by the rules" if cohort.against == "instead" else str(number)
    return "to be seen at the next decision"


def _patient_row(
    judgement: Judgement, patient: Patient, cohort: str, places: Places, *, known: bool
) -> tuple[Content, ...]:
    protocol = judgement.standing.machine.protocol
    ends = judgement.windows.cleared(patient)
    outcome = outcome_words(protocol, patient.outcome) if known else "not known"
    level = level_words(protocol, patient.level)
    day = patient.known if known else None
    entry = patient.place.start
    return (
        patient.name, level, cohort, _day(patient.entered), _day(ends), outcome, _day(day),
        link(f"entry {entry}", places.entry(entry)),
    )  # fmt: skip


def outcome_words(protocol: Protocol, letter: str) -> str:
    """What became of a patient, in words."""
    names = {NONE: "no toxicity", INEVALUABLE: "inevaluable", PENDING: "not known"}
    return names.get(letter) or next(one.name for one in protocol.toxicities if one.letter == letter)


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


# ---- deviations ----


def _deviations(judgement: Judgement, places: Places) -> Iterator[Html]:
    protocol = judgement.standing.machine.protocol
    yield element("h2", "Deviations")
    for verdict, title in (("deviated", "Not as the rules say"), ("undecided", "Where the protocol leaves it open")):
        found = [step for step in judgement.steps if step.verdict == verdict]
        if found:
            yield element("h3", title)
            yield listing([_deviation(step, protocol, places) for step in found])
    if all(step.verdict in ("followed", "not judged") for step in judgement.steps):
        yield element("p", "None.")


def _deviation(step: Judged, protocol: Protocol, places: Places) -> list[Html]:
    number = number_of(step)
    entry = link(f"entry {number}", places.entry(number))
    what = element("p", f"{_day(step.on)} {done_words(step, protocol)} (", entry, ")")
    return [what, rules_said(should_have(step, protocol))]


# ---- what is done next, and what is printed ----


def _steps(protocol: Protocol, offered: list[Offer], places: Places) -> Html:
    others = {kind: words for kind, words in OTHERS.items() if kind != "cycle" or protocol.course is not None}
    normal = listing([link(offer.title, places.form(offer)) for offer in offered])
    return element(
        "section",
        element("h2", "What is to be entered"),
        normal if offered else element("p", "The rules ask for nothing now."),
        element("h3", "Whatever else was done"),
        element("p", "A step that the rules do not permit is a deviation, and is entered with its reason only."),
        listing([link(words, places.form(Offer(kind, words))) for kind, words in others.items()], class_="others"),
        class_="steps",
        id="steps",
    )


OTHERS = {
    "enrol": "A patient entered",
    "outcome": "An outcome became known",
    "cycle": "A further cycle of a patient’s treatment",
    "choose": "People chose an option",
    "declare": "A verdict was declared",
    "close": "A level was closed as too toxic",
    "stop": "The trial was stopped",
    "note": "A note",
}
"""Every kind of step, as a form is called from the page of the trial."""


def _another_day(advice: Advice, places: Places) -> Html:
    words = f"This is the trial as it stood on {advice.on}."
    return said("notice", words, element("p", link("How it stands today", places.page(""))))


def _printed(
    trial: Trial, judgement: Judgement, advice: Advice, source: Source, places: Places
) -> Iterator[Html]:  # fmt: skip
    protocol = judgement.standing.machine.protocol
    text = f"{render_deviations(judgement, protocol, record_source(trial))}{render_advice(advice, source)}"
    whole = f"{text}\n{printable(record_line(trial))}\n"
    yield element("details", element("summary", "The same as `doselang trial next` prints it"), lines(whole))
    on = advice.on.isoformat() if advice.on else ""
    yield element(
        "form",
        element("label", "The trial as of another day", for_="on"),
        element("input", type="text", id="on", name="on", value=on, autocomplete="off"),
        element("button", "Show"),
        method="get",
        action=places.page(""),
        class_="field",
    )
