"""Where two protocols first decide differently, in words: text, Markdown, JSON, and a table for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from doselang.check.course_differences import CourseParting
from doselang.check.differences import Compared, Parting, Told
from doselang.conduct.answers import answer_of
from doselang.conduct.phrases import answers_words
from doselang.machine.compiling import Machine
from doselang.machine.course import CourseBranch
from doselang.machine.exits import Accrual
from doselang.machine.notation import write_history
from doselang.protocol.model import Course, Level, Protocol, Rule
from doselang.protocol.words import level_words
from doselang.report.characteristics import percent
from doselang.report.courses import course_words
from doselang.report.phrases import counted, listed
from doselang.report.table import Column, Table, csv_table
from doselang.source import Source

ACCRUALS: dict[Accrual, str] = {
    "one-at-a-time": "one patient at a time", "whole-cohort": "whole cohorts",
    "any-order": "arrivals and outcomes in any order",
}  # fmt: skip
ONLY: dict[Accrual | None, str] = {
    None: "", "one-at-a-time": "", "whole-cohort": "only where whole cohorts enter together",
    "any-order": "only in some orders of arrivals and outcomes",
}  # fmt: skip


@frozen
class RuleLine:
    """A rule that acted: its name, the file and line where it stands, and the sentences or assumptions behind it."""

    name: str
    path: str
    line: int
    cites: tuple[str, ...]
    assumes: tuple[str, ...]


@frozen
class Decided:
    """What one protocol decides, in words, and by which rules."""

    history: str
    then: str
    rules: tuple[RuleLine, ...]


@frozen
class Difference:
    """A parting in words."""

    both: tuple[Decided, Decided]
    situations: int
    probability: dict[str, float | None] | None
    accrual: Accrual | None
    of_patient: bool = False


def differences(compared: Compared, sources: Sequence[Source]) -> list[Difference]:
    """All that was found, in words: looks of the trial, then patients who are inevaluable, then courses."""
    found = [_difference(compared.machines, parting, sources) for parting in compared.partings]
    if compared.replacement is not None:
        history = write_history(compared.replacement, compared.machines[0].protocol)
        replaced = [
            "wait: another patient takes the place" if machine.protocol.replaces_inevaluable
            else "undecided: the rules do not say whether another patient takes the place"
            for machine in compared.machines
        ]  # fmt: skip
        found.append(Difference((Decided(history, replaced[0], ()), Decided(history, replaced[1], ())), 1, None, None))
    protocols = compared.machines[0].protocol, compared.machines[1].protocol
    return found + [_of_course(protocols, parting, sources) for parting in compared.courses]


def _difference(machines: tuple[Machine, Machine], parting: Parting, sources: Sequence[Source]) -> Difference:
    first, second = (
        _decided(machine, told, source) for machine, told, source in zip(machines, parting.both, sources, strict=True)
    )
    if not any(told.history for told in parting.both) and first.then == second.then:
        first, second = (
            evolve(one, then=f"{one.then}, number {protocol.start + 1} of its {len(protocol.levels)} levels")
            for one, protocol in zip((first, second), (machine.protocol for machine in machines), strict=True)
        )
    return Difference(
        (first, second), parting.situations, parting.probability, parting.accrual if parting.only else None
    )


def _decided(machine: Machine, told: Told, source: Source) -> Decided:
    protocol = machine.protocol
    history = write_history(told.history, protocol)
    if not told.history:
        return Decided(history, _beginning(protocol), ())
    part = machine.parts[told.part]
    if not told.ways:
        words = "wait: the next patient waits" if part.part.rolling else "wait: the cohort goes on"
        return Decided(history, words, ())
    answers = tuple(answer_of(machine, told.part, told.level, way) for way in told.ways)
    tried = frozenset(group.level for group in told.history)
    acted = dict.fromkeys(part.lines[line].rule for way in told.ways for line in way.decision.lines)
    rules = tuple(_rule(part.part.rules[rule], source) for rule in acted)
    return Decided(history, answers_words(protocol, answers, tried), rules)


def _beginning(protocol: Protocol) -> str:
    """`begin with 3 patients at level 1`, and how they enter."""
    part = protocol.parts[0]
    words = f"begin with {counted(part.cohort, 'patient')} at {level_words(protocol, protocol.start)}"
    if part.rolling:
        return f"{words}, the rules are asked at every arrival"
    return f"{words}, the first of them alone" if part.sentinel and part.cohort > 1 else words


def _rule(rule: Rule, source: Source) -> RuleLine:
    line = source.place(rule.span.start)[0]
    cites = tuple(citation.words for citation in rule.cites)
    return RuleLine(rule.name, source.path_of(rule.span.start), line, cites, tuple(one.reading for one in rule.assumes))


# ---- the courses of patients ----


def _of_course(protocols: tuple[Protocol, Protocol], parting: CourseParting, sources: Sequence[Source]) -> Difference:
    if not parting.course:
        both = [
            Decided("", "follow the course of each patient" if has else "say nothing of the course of a patient", ())
            for has in parting.has_course
        ]
        return Difference((both[0], both[1]), 1, None, None, of_patient=True)
    history = course_words(parting.course, protocols[0])
    both = [
        _course_decided(history, protocol, ways, state, source)
        for protocol, ways, state, source in zip(protocols, parting.ways, parting.state, sources, strict=True)
    ]
    return Difference((both[0], both[1]), 1, None, None, of_patient=True)


def _course_decided(
    history: str, protocol: Protocol, ways: Sequence[CourseBranch], state: int, source: Source
) -> Decided:  # fmt: skip
    course = protocol.course
    assert course is not None
    words = listed(list(dict.fromkeys(_went(protocol, course, way, state) for way in ways)), "or")
    rules: dict[str, RuleLine] = {}
    # the lines of a state are those of its rules, one for each `when … then …` and option
    owners = [
        rule for rule in course.states[state].rules
        for case in rule.cases for _ in (case.gate.options if case.gate else (case.moves,))
    ]  # fmt: skip
    for way in ways:
        for line in way.decision.acted:
            rules.setdefault(owners[line].name, _rule(owners[line], source))
    return Decided(history, words if len(ways) == 1 else f"people choose: {words}", tuple(rules.values()))


def _went(protocol: Protocol, course: Course, way: CourseBranch, state: int) -> str:
    went = way.decision.went
    if went is None:
        return "undecided: the rules do not say what follows"
    name = course.states[went.state].name
    if course.states[went.state].final:
        return f"enter {name}"
    at = f"at {level_words(protocol, went.level)}"
    return f"continue {at}" if went.state == state else f"enter {name} {at}"


# ---- for people ----


def decision_lines(
    compared: Compared, sources: Sequence[Source], names: tuple[str, str], most: int, scenarios: Sequence[str]
) -> Iterator[str]:
    """The lines of the comparison; `names` are those of the two protocols, `A` and `B`."""
    found = differences(compared, sources)
    followed = _followed(compared)
    if not found:
        yield f"{names[0]} and {names[1]} decide alike in every history: {followed}, and nowhere do they part"
    else:
        yield f"{names[0]} and {names[1]} decide differently: {followed}, up to where they part"
    yield from (f"  also unlike, and no decision: {line}" for line in unlike(compared, names))
    known = {name: compared.probability.get(name) for name in scenarios} if compared.partings else {}
    if known:
        yield ""
        shares = ", ".join(f"{name} {_share(p)}" for name, p in known.items())
        yield f"Trials that meet a difference: {shares} (exact, {ACCRUALS[compared.chance_accrual]})"
    for number, one in enumerate(found[:most], 1):
        yield ""
        yield from _told(number, one, names)
    if len(found) > most:
        yield ""
        yield f"{counted(len(found) - most, 'further difference')}: `--most {len(found)}` shows all"


def _followed(compared: Compared) -> str:
    words = f"{counted(compared.pairs, 'pair')} of situations followed"
    if compared.standpoints:
        words += f" and {compared.standpoints:,} of patients"
    return f"{words}, {listed([ACCRUALS[accrual] for accrual in compared.accruals])}"


def _told(number: int, one: Difference, names: tuple[str, str]) -> Iterator[str]:
    first = one.both[0]
    history = first.history or ("at the beginning" if not one.of_patient else "every patient")
    of = "patient " if one.of_patient and first.history else ""
    only = f"  ({ONLY[one.accrual]})" if ONLY[one.accrual] else ""
    yield f"{number}. {of}{history}{only}"
    if one.situations > 1:
        yield f"   and likewise in {counted(one.situations - 1, 'other situation')}"
    if one.probability:
        shares = ", ".join(f"{name} {_share(p)}" for name, p in one.probability.items())
        yield f"   met first in: {shares}"
    for name, decided in zip(names, one.both, strict=True):
        other = f"  after {decided.history}" if decided.history != first.history else ""
        yield f"   {name}  {decided.then}{other}"
        for rule in decided.rules:
            yield f'      by "{rule.name}" (line {rule.line} of {rule.path})'
            yield from (f"         “{words}”" for words in rule.cites)
            yield from (f"         assumed: {words}" for words in rule.assumes)


def _share(probability: float | None) -> str:
    return "not known" if probability is None else percent(probability)


def unlike(compared: Compared, names: tuple[str, str]) -> Iterator[str]:
    """What differs and is no decision: doses, what a toxicity is, the definition of a verdict."""
    first, second = (machine.protocol for machine in compared.machines)
    for one, other in zip(first.levels, second.levels, strict=True):
        if one.label != other.label:
            yield f"level {one.label} of {names[0]} is level {other.label} of {names[1]}"
        if one.doses != other.doses:
            yield f"level {one.label} has other doses: {_doses(one)} in {names[0]}, {_doses(other)} in {names[1]}"
    for toxicity, otherwise in zip(first.toxicities, second.toxicities, strict=True):
        if (toxicity.window, toxicity.means) != (otherwise.window, otherwise.means):
            yield f"{toxicity.name} is defined otherwise"
    if first.cycle != second.cycle:
        yield "a cycle has another length"


def _doses(level: Level) -> str:
    shown = [
        "none" if dose is None else dose if isinstance(dose, str) else f"{float(dose):g}" for dose in level.doses
    ]  # fmt: skip
    return " and ".join(shown) or "none"


# ---- for programs ----


def decisions_record(compared: Compared, sources: Sequence[Source], names: tuple[str, str]) -> dict[str, object]:
    """The comparison as JSON; every key is always there."""
    return {
        "equal": compared.equal,
        "accruals": list(compared.accruals),
        "pairs": compared.pairs,
        "patient_pairs": compared.standpoints,
        "probability": dict(compared.probability),
        "probability_accrual": compared.chance_accrual,
        "unlike": list(unlike(compared, names)),
        "differences": [_record(one) for one in differences(compared, sources)],
    }


def _record(one: Difference) -> dict[str, object]:
    return {
        "history": one.both[0].history or None,
        "of_patient": one.of_patient,
        "accrual": one.accrual,
        "situations": one.situations,
        "probability": one.probability,
        "decisions": [
            {
                "history": decided.history or None,
                "then": decided.then,
                "rules": [
                    {"name": r.name, "path": r.path, "line": r.line, "cites": list(r.cites), "assumes": list(r.assumes)}
                    for r in decided.rules
                ],
            }
            for decided in one.both
        ],
    }


def decisions_csv(compared: Compared, sources: Sequence[Source], scenarios: Sequence[str]) -> str:
    """One row a difference; the probability of meeting it first in a column a scenario."""
    headings = ["history_a", "history_b", "accrual", "decision_a", "rules_a", "decision_b", "rules_b", "situations"]
    columns: Any = [Column(heading) for heading in (*headings, *(f"probability:{name}" for name in scenarios))]
    rows = []
    for one in differences(compared, sources):
        first, second = one.both
        chances = [(one.probability or {}).get(name) for name in scenarios]
        rows.append(
            (
                first.history, second.history, one.accrual or "", first.then, _names(first), second.then,
                _names(second), str(one.situations), *("" if p is None else repr(p) for p in chances),
            )
        )  # fmt: skip
    return csv_table(Table(columns, rows))


def _names(decided: Decided) -> str:
    return "; ".join(rule.name for rule in decided.rules)
