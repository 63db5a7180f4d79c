"""What is decided after a history, and why, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from doselang.conduct.accounts import (
    Answer,
    CaseAccount,
    Clause,
    Explanation,
    Fact,
    FutureAccount,
    LevelTally,
    RuleAccount,
    Underway,
    Way,
)
from doselang.conduct.phrases import answer_words, answers_words, missed_words, trouble_words
from doselang.machine.followed import Beside
from doselang.protocol.guards import Chance, Compare, Declared, HasStatus, Rate, Recommends, Says, Share, Tally
from doselang.protocol.model import Citation, Protocol, Rule
from doselang.protocol.words import (
    decider_words,
    gate_words,
    guard_words,
    level_words,
    moves_words,
    place_words,
    toxicity_words,
)
from doselang.report.diagnostics_json import file_record
from doselang.report.phrases import counted, quoted
from doselang.report.printable import printable
from doselang.report.table import Column, Table, text_table
from doselang.source import Source

QUESTIONS = ("Which levels close?", "Is there a verdict?", "What comes next?")
STATUS = {"closed": "closed as too toxic", "open": "open", "tried": "tried", "untried": "untried"}


def render_explanation(explanation: Explanation, source: Source | None = None) -> str:
    """The whole account: the decision, the tallies, the rules that acted, and why the others did not.

    With its `source` a rule of a design that is used is told with its file.
    """
    protocol = explanation.protocol
    blocks = [[explanation.history or "Before the first patient", *_headline(explanation)], tally_lines(explanation)]
    if explanation.underway is not None:
        blocks += _rules("Asked so far", protocol, source, _with_role(explanation.underway, "waits", "not true"))
        complete = "the cohort and those beside it are" if explanation.underway.beside else "the cohort is"
        blocks += _rules(
            f"Asked when {complete} complete", protocol, source, _with_role(explanation.underway, "not asked")
        )
    for way in explanation.ways:
        title = option_words(explanation, way) if len(explanation.ways) > 1 else "Why"
        blocks += [why_lines(title, protocol, source, way), *_rules("Why not", protocol, source, list(way.others))]
    return "\n\n".join("\n".join(printable(line).rstrip() for line in block) for block in blocks) + "\n"


# ---- what is decided ----


def _headline(explanation: Explanation) -> Iterator[str]:
    protocol, tried = explanation.protocol, explanation.tried
    if explanation.trouble is not None:
        yield f"  undecided  {trouble_words(protocol, explanation.trouble)}"
    if explanation.underway is not None:
        yield from _waiting(explanation, explanation.underway)
    if explanation.ways:
        answers = tuple(way.answer for way in explanation.ways)
        known = "undecided" if any(answer.trouble for answer in answers) else "then"
        yield f"  {known:<9}  {answers_words(protocol, answers, tried)}"
        for answer in answers:
            if answer.trouble is not None:
                yield from (f"{'':13}{line}" for line in missed_words(protocol, answer.trouble))
        if explanation.pending:
            yield f"{'':13}{pending_words(explanation)}"


def pending_words(explanation: Explanation) -> str:
    """`2 outcomes still pending, which cannot change it`."""
    rolling = explanation.protocol.parts[explanation.part].rolling
    note = "the rules are asked as it stands" if rolling else "which cannot change it"
    return f"{counted(explanation.pending, 'outcome')} still pending, {note}"


def _waiting(explanation: Explanation, cohort: Underway) -> Iterator[str]:
    enough = cohort.beside and cohort.known + cohort.pending + cohort.to_enrol < cohort.size
    words = _known_words(explanation.protocol, explanation.level, cohort)
    yield f"  wait       {words}{', enough for the look' if enough else ''}"
    for one in cohort.beside:
        yield f"{'':13}beside it {_known_words(explanation.protocol, one.level, one)}"
    for future in cohort.futures:
        answers = future.answers
        words = answers_words(explanation.protocol, answers, explanation.tried) if answers else "the cohort goes on"
        yield f"{'':13}{_turned_out(explanation.protocol, future)}: {words}"


def _known_words(protocol: Protocol, level: int, one: Underway | Beside) -> str:
    """`2 of 3 outcomes known at level 1, 1 patient to be enrolled`."""
    pending = f", {one.pending} pending" if one.pending else ""
    more = f", {counted(one.to_enrol, 'patient')} to be enrolled" if one.to_enrol else ""
    return f"{one.known} of {counted(one.size, 'outcome')} known at {level_words(protocol, level)}{pending}{more}"


def _turned_out(protocol: Protocol, future: FutureAccount) -> str:
    """What the pending patients bring: `if 1 with DLT, 1 without toxicity`."""
    clear, *toxic = future.added
    named = [f"{n} with {toxicity.name}" for n, toxicity in zip(toxic, protocol.toxicities, strict=True) if n]
    return f"if {', '.join([*named, *([f'{clear} without toxicity'] if clear else [])])}"


def option_words(explanation: Explanation, one: Way) -> str:
    """`If [2] is chosen by the committee: enrol 3 more at level 1`."""
    protocol, answer = explanation.protocol, one.answer
    people = [f"[{way.option + 1}] is chosen by {decider_words(protocol, way.gate)}" for way in answer.choices]
    return f"If {' and '.join(people)}: {answer_words(protocol, answer, explanation.tried)}"


# ---- tallies ----


def tally_lines(explanation: Explanation) -> list[str]:
    """A table of the levels: the patients, and the status of each."""
    protocol, tallies = explanation.protocol, explanation.tallies
    pending, inevaluable = (any(getattr(tally, name) for tally in tallies) for name in ("pending", "inevaluable"))
    toxicities = [toxicity_words(protocol, (t,), 2) for t in range(len(protocol.toxicities))]
    methods = [f"rate by {name}" for name, _ in tallies[0].estimates]
    headings = ["evaluable", *toxicities, *["pending"] * pending, *["inevaluable"] * inevaluable, *methods]
    # mypy does not follow the converter of `Table.columns`
    columns: Any = [Column("level", "right"), *(Column(heading, "right") for heading in headings), Column("status")]
    rows = []
    for tally in tallies:
        toxic = [str(tally.toxic(t)) for t in range(len(protocol.toxicities))]
        rest = [str(tally.pending)] * pending + [str(tally.inevaluable)] * inevaluable
        rest += ["" if rate is None else f"{rate:.1%}" for _, rate in tally.estimates]
        rows.append((protocol.levels[tally.level].label, str(tally.evaluable), *toxic, *rest, STATUS[tally.status]))
    return text_table(Table(columns, rows), indent=2).splitlines()


# ---- rules ----


def why_lines(title: str, protocol: Protocol, source: Source | None, way: Way) -> list[str]:
    """The rules that acted, by question, with their sentences and conditions."""
    lines = [title]
    for question in (1, 2, 3):
        accounts = [account for account in way.acted if question_of(account) == question]
        if accounts:
            lines.append(f"  {QUESTIONS[question - 1]}")
            lines += [line for account in accounts for line in _account(protocol, source, account)]
    if not way.acted:
        lines.append("  no rule acts")
    return lines


def question_of(account: RuleAccount) -> int:
    """The question at which a rule acted, from 1 on: the position of its words in QUESTIONS."""
    return min(case.question for case in account.cases if case.value == "true")


def _with_role(cohort: Underway, *roles: str) -> list[RuleAccount]:
    return [account for account in cohort.rules if account.role in roles]


def _rules(
    title: str, protocol: Protocol, source: Source | None, accounts: list[RuleAccount]
) -> Iterator[list[str]]:  # fmt: skip
    if accounts:
        yield [title, *(line for account in accounts for line in _account(protocol, source, account))]


def _account(protocol: Protocol, source: Source | None, account: RuleAccount) -> Iterator[str]:
    """A rule that acted with its basis and all conditions; another with those that were not true."""
    acted = account.role == "acted"
    at_any_time = "  at any time" if account.rule.at_any_time else ""
    yield f'  "{account.rule.name}"{at_any_time}{elsewhere(account.rule, source)}'
    if acted:
        yield from (f"    {line}" for line in _basis(protocol, account.rule))
    if account.role == "not asked" and any(case.value == "true" for case in account.cases):
        yield "    true, but not asked"
    if account.overridden_by:
        yield f"    overridden by {quoted(account.overridden_by)}"
    for number, case in enumerate(account.cases, 1):
        if acted and case.value != "true":
            continue
        if not acted and len(account.cases) > 1:
            yield f"    case {number} of {len(account.cases)}"
        shown = case.clauses if acted or account.role in ("overridden", "waits", "not asked") else case.untrue
        yield from _clauses(protocol, shown)
        if acted:
            yield f"    {'then':<6} {then_words(protocol, case)}"


def elsewhere(rule: Rule, source: Source | None) -> str:
    """In parentheses, file and line of a rule that stands in a design that is used; nothing for the file's own."""
    if source is None or source.path_of(rule.span.start) == source.path:
        return ""
    return f"  ({source.path_of(rule.span.start)}, line {source.place(rule.span.start)[0]})"


def _basis(protocol: Protocol, rule: Rule) -> Iterator[str]:
    for citation in rule.cites:
        yield f'cites  "{citation.words}"{place_of(protocol, citation)}'
    for assumption in rule.assumes:
        yield f'assume "{assumption.reading}" because "{assumption.because}"'


def place_of(protocol: Protocol, citation: Citation) -> str:
    """In parentheses, where the words stand that a rule cites; nothing where that is not known."""
    if citation.place is not None:
        return f" ({citation.place})"
    if protocol.text is None or citation.sentence < 0:
        return ""
    return f" ({protocol.text.path}, line {protocol.text.sentences[citation.sentence].line})"


def _clauses(protocol: Protocol, clauses: Iterable[Clause]) -> Iterator[str]:
    rows = [(clause.value, guard_words(protocol, clause.guard), clause_numbers(protocol, clause)) for clause in clauses]
    room = max((len(words) for _, words, _ in rows), default=0)
    yield from (f"    {value:<6} {words:<{room}}  {numbers}".rstrip() for value, words, numbers in rows)


def then_words(protocol: Protocol, case: CaseAccount) -> str:
    """What a case of a rule says is to be done, as written."""
    gate = gate_words(protocol, case.gate) if case.gate is not None else ""
    return ", ".join(words for words in (moves_words(protocol, case.moves), gate) if words)


# ---- the numbers behind a condition ----


def clause_numbers(protocol: Protocol, clause: Clause) -> str:
    """What stands behind a condition: `1 of 5 evaluable at level 2`; nothing where its words say all."""
    words = dict.fromkeys(words for fact in clause.facts if (words := fact_words(protocol, fact)))
    return "; ".join(words)


def fact_words(protocol: Protocol, fact: Fact) -> str:
    """What stands behind one condition: numbers of patients, or which level it is about."""
    at = "" if fact.level is None else f" at {level_words(protocol, fact.level)}"
    if at and (part := getattr(fact.guard, "part", None)) is not None:
        at = f"{at} in {protocol.parts[part].name}"
    match fact.guard:
        case Tally(scope="counter"):
            return f"counted {fact.counted}"
        case Recommends():
            return level_words(protocol, fact.level) if fact.level is not None else "no level"
        case Share(place=place) | HasStatus(place) | Compare(place) | Says(place=place) | Chance(place=place) if (
            fact.level is None
        ):
            return f"{place_words(protocol, place)} does not exist"
        case Tally(scope="level", place=place) | Rate(scope="level", place=place) if fact.level is None:
            return f"{place_words(protocol, place)} does not exist"
        case Share(group="first" | "added" as group):
            known = f"{fact.toxic} of {fact.evaluable} known in" if fact.toxic is not None else "there is no"
            return f"{known} {'the ' if fact.toxic is not None else ''}{group} cohort{at}"
        case Rate() if fact.toxic is not None and fact.evaluable:
            return f"{fact.toxic} of {fact.evaluable} evaluable{at}, {fact.toxic / fact.evaluable:.1%}"
        case Chance() if fact.chance is not None:
            return f"{fact.chance:.1%}{at}"
        case Share() | Rate() | Says():
            return f"{fact.toxic} of {fact.evaluable} evaluable{at}"
        case Tally(what=what):
            if what[0] < 0:
                named = "evaluable" if what == (-1,) else "pending" if what == (-2,) else "enrolled"
                return f"{fact.evaluable} {named}{at}"
            return f"{fact.toxic} in {fact.evaluable} evaluable{at}"
        case HasStatus(place) | Compare(place) if fact.level is not None and place.kind != "level":
            return level_words(protocol, fact.level)
        case Declared() if fact.level is not None:
            return level_words(protocol, fact.level)
        case _:
            return ""


# ---- JSON ----


def explanation_record(explanation: Explanation, source: Source | None = None) -> dict[str, object]:
    """The account as a JSON object: decisions are several while people have yet to choose, and none while waiting."""
    protocol, trouble, cohort = explanation.protocol, explanation.trouble, explanation.underway
    return {
        "history": explanation.history,
        "part": protocol.parts[explanation.part].name,
        "level": protocol.levels[explanation.level].label,
        "levels": [_level_record(protocol, tally) for tally in explanation.tallies],
        "decisions": [_way_record(explanation, source, way) for way in explanation.ways],
        "waiting": None if cohort is None else _waiting_record(explanation, source, cohort),
        "undecided": None if trouble is None else trouble_words(protocol, trouble),
    }


def _level_record(protocol: Protocol, tally: LevelTally) -> dict[str, object]:
    return {
        "level": protocol.levels[tally.level].label,
        "evaluable": tally.evaluable,
        "toxicities": {toxicity.name: tally.toxic(t) for t, toxicity in enumerate(protocol.toxicities)},
        "pending": tally.pending,
        "inevaluable": tally.inevaluable,
        "status": tally.status,
        "estimates": dict(tally.estimates),
    }


def _answer_record(explanation: Explanation, answer: Answer) -> dict[str, object]:
    protocol, trouble = explanation.protocol, answer.trouble
    return {
        "chosen": [{"rule": chosen.rule, "option": chosen.option + 1} for chosen in answer.choices],
        "outcome": "decided" if trouble is None else trouble.kind,
        "then": answer_words(protocol, answer, explanation.tried),
        "moves": [moves_words(protocol, (move,), explanation.tried) for move in answer.moves],
        "reason": None if trouble is None else trouble_words(protocol, trouble),
    }


def _way_record(explanation: Explanation, source: Source | None, way: Way) -> dict[str, object]:
    return {
        **_answer_record(explanation, way.answer),
        "rules": [_rule_record(explanation.protocol, source, account) for account in way.acted],
        "others": [_rule_record(explanation.protocol, source, account) for account in way.others],
    }


def _waiting_record(explanation: Explanation, source: Source | None, cohort: Underway) -> dict[str, object]:
    futures = [
        {
            "added": dict(zip(["none", *(t.name for t in explanation.protocol.toxicities)], future.added, strict=True)),
            "decisions": [_answer_record(explanation, answer) for answer in future.answers],
        }
        for future in cohort.futures
    ]
    return {
        "size": cohort.size,
        "known": cohort.known,
        "pending": cohort.pending,
        "to_enrol": cohort.to_enrol,
        "beside": [
            {
                "level": explanation.protocol.levels[one.level].label,
                "size": one.size,
                "known": one.known,
                "pending": one.pending,
                "to_enrol": one.to_enrol,
            }
            for one in cohort.beside
        ],
        "futures": futures,
        "rules": [_rule_record(explanation.protocol, source, account) for account in cohort.rules],
    }


def _rule_record(protocol: Protocol, source: Source | None, account: RuleAccount) -> dict[str, object]:
    rule = account.rule
    return {
        "rule": rule.name,
        **({} if source is None else file_record(rule.span, source)),
        "role": account.role,
        "at_any_time": rule.at_any_time,
        "cites": [citation.words for citation in rule.cites],
        "assumptions": [{"reading": a.reading, "because": a.because} for a in rule.assumes],
        "overridden_by": list(account.overridden_by),
        "cases": [
            {
                "question": case.question,
                "value": case.value,
                "clauses": [_clause_record(protocol, clause) for clause in case.clauses],
                "then": then_words(protocol, case),
            }
            for case in account.cases
        ],
    }


def _clause_record(protocol: Protocol, clause: Clause) -> dict[str, object]:
    facts = [
        {
            "condition": guard_words(protocol, fact.guard),
            "value": fact.value,
            "level": None if fact.level is None else protocol.levels[fact.level].label,
            "with_toxicity": fact.toxic,
            "evaluable": fact.evaluable,
            **({} if fact.counted is None else {"counted": fact.counted}),
            **({} if fact.chance is None else {"probability": fact.chance}),
        }
        for fact in clause.facts
    ]
    return {
        "condition": guard_words(protocol, clause.guard),
        "value": clause.value,
        "because": clause_numbers(protocol, clause),
        "facts": facts,
    }
