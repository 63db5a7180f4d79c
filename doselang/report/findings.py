"""What checking found, in words: each fact becomes a diagnostic."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doselang.check.checking import Checked
from doselang.check.facts import (
    AccrualDependent,
    AgainstDefinition,
    Cause,
    ClaimChecked,
    ConditionConstant,
    CourseCause,
    CourseRule,
    CourseUnsafe,
    EndlessHistory,
    EndWithoutVerdict,
    Fact,
    Incoherent,
    LevelSkipped,
    LevelUnreached,
    NotMonotone,
    OverrideIdle,
    RuleIdle,
    RuleRedundant,
    SilenceMute,
)
from doselang.diagnostics import Diagnostic, in_file
from doselang.machine.decisions import Decision
from doselang.machine.exploring import MAX_PATIENTS
from doselang.machine.moves import moves_of
from doselang.machine.notation import write_history
from doselang.protocol.guards import Declared, Place, Rate, Tally, atoms
from doselang.protocol.model import Begin, Claim, Enrol, Parameter, Protocol, Rule
from doselang.protocol.words import guard_words, level_words, moves_words
from doselang.report.causes import cause_finding, clashes
from doselang.report.courses import course_cause, course_words
from doselang.report.phrases import accrual_notes, cited, quoted
from doselang.source import NOWHERE, Source

SAME_LOOK = (
    "A verdict is known to the rules that say what comes next, not to another rule, or choice, that declares a verdict "
    "or closes a level at the same look."
)

LEVELS_TO = re.compile(r"^[ \t]*levels\s+\S+\s+to\s+([A-Za-z]\w*(?:-\w+)*)", re.IGNORECASE | re.MULTILINE)
"""The parameter with which the levels of a ladder end."""

FOLLOWING = "(this level is tried or the next lower level is tried)"
"""Of a level that is looked for: no level is passed over on the way to it."""

LIMITS = (
    "`accrue at most 30 in the trial` makes fewer states only where the rules say what follows at the limit; "
    "a move that would break it is a finding (DL401)."
)


def findings(checked: Checked, *, max_states: int, source: Source | None = None) -> tuple[Diagnostic, ...]:
    """All facts as diagnostics, in the order of the file; what could not be explored is said first.

    A single condition is said in the author's words where there is a source.
    """
    together = clashes(checked.facts, checked.protocol)
    told = {id(cause) for causes in together for cause in causes}
    items = [one for fact in checked.facts if id(fact) not in told for one in _finding(fact, checked, source)]
    items += [cause_finding(first, checked.protocol, others) for first, *others in together]
    if checked.too_many is not None:
        items.append(_too_many(checked, max_states, source))
    return tuple(sorted(items, key=in_file))


def _fewer_states(protocol: Protocol, source: Source | None) -> str:
    """How the same rules make fewer states, and what needs none, as far as the file can do it."""
    texts = [source.text, *(used.text for used in source.used)] if source else []
    named = {match[1].lower() for text in texts for match in LEVELS_TO.finditer(text)}
    tops = [one for one in protocol.parameters.values() if one.name.lower() in named and not one.computed]
    set_to = [f", such as `--set {one.name}=3`" for one in tops if _can_be(one, 3)]
    fewer = f"check the same rules with fewer levels{(*set_to, '')[0]}"
    later = any(toxicity.later for toxicity in protocol.toxicities)
    return f"{fewer}; for figures alone `simulate --method {'timed' if later else 'montecarlo'}` needs no states."


def _can_be(parameter: Parameter, number: int) -> bool:
    """Whether a parameter is larger than a number, and may be so."""
    value, low = parameter.value, parameter.low
    return not isinstance(value, tuple) and value > number and (low is None or low <= number)


def _too_many(checked: Checked, max_states: int, source: Source | None) -> Diagnostic:
    fewer = _fewer_states(checked.protocol, source)
    if checked.full:
        message = f"After {checked.states:,} states the memory is full; what follows is only of the shorter trials."
        return Diagnostic("DL702", message, help=f"To see more, {fewer}", notes=(LIMITS,))
    if checked.states <= max_states:
        message = f"A trial can go on beyond {MAX_PATIENTS:,} patients; what follows is only of the shorter ones."
        return Diagnostic("DL701", message, help="Bound the trial, for example: accrue at most 60 in the trial")
    message = f"There are more than {max_states:,} reachable states; what follows is only of the shorter trials."
    help = f"Allow more with `--max-states {10 * max_states}`, or {fewer}"
    return Diagnostic("DL702", message, help=help, notes=(LIMITS,))


def _finding(fact: Fact, checked: Checked, source: Source | None) -> Iterator[Diagnostic]:
    protocol = checked.protocol
    match fact:
        case Cause():
            yield cause_finding(fact, protocol)
        case CourseCause():
            yield course_cause(fact, protocol)
        case ClaimChecked():
            yield from _claim(fact, protocol)
        case RuleIdle() | RuleRedundant() | ConditionConstant() | OverrideIdle() | SilenceMute() | LevelUnreached():
            yield _idle(fact, protocol, source)
        case AccrualDependent() | Incoherent():
            yield _two_histories(fact, protocol)
        case LevelSkipped() | AgainstDefinition() | EndWithoutVerdict() | EndlessHistory() | NotMonotone():
            yield _one_history(fact, protocol)
        case CourseUnsafe() | CourseRule():
            yield _course(fact, protocol)


def _rule(protocol: Protocol, part: int, rule: int) -> Rule:
    return protocol.parts[part].rules[rule]


# ---- what changes nothing ----


def _idle(
    fact: RuleIdle | RuleRedundant | ConditionConstant | OverrideIdle | SilenceMute | LevelUnreached,
    protocol: Protocol,
    source: Source | None,
) -> Diagnostic:
    match fact:
        case RuleIdle(part, number, why):
            rule = _rule(protocol, part, number)
            where = f" in part {protocol.parts[part].name}" if _in_many_parts(protocol, rule) else ""
            notes: tuple[str, ...] = (
                ()
                if why is None
                else (f"Its condition `{guard_words(protocol, why)}` is never true when it is asked.",)
            )
            if isinstance(why, Declared) and not why.ever:
                notes += (SAME_LOOK,)
            message = f'The rule "{rule.name}" never acts{where}: no reachable situation meets its conditions.'
            help = "Correct the condition, or take the rule out; a rule that never acts hides what the text means."
            return Diagnostic("DL304", message, rule.span, notes=notes, cites=cited(rule), help=help)
        case RuleRedundant(part, number, others):
            rule = _rule(protocol, part, number)
            names = quoted([_rule(protocol, part, other).name for other in others])
            message = f'The rule "{rule.name}" adds nothing: wherever it acts, {names} says the same.'
            return Diagnostic(
                "DL305", message, rule.span, cites=cited(rule), help="Take one of them out, or join them."
            )
        case ConditionConstant(part, number, condition, value):
            rule = _rule(protocol, part, number)
            span = _span(condition, rule)
            words = guard_words(protocol, condition)
            if source and span != rule.span:
                words = f"{_article(words)}{source.words(span)}"
            code, always = ("DL306", "always") if value else ("DL307", "never")
            message = f'`{words}` is {always} true when the rule "{rule.name}" is asked.'
            help = "Leave it out, or write the condition that was meant."
            return Diagnostic(code, message, span, help=help)
        case OverrideIdle(part, number, other):
            rule = _rule(protocol, part, number)
            message = f'"{rule.name}" overrides "{other}", but where it acts "{other}" never would.'
            return Diagnostic("DL309", message, rule.span, help=f'Take out `overrides "{other}"`.')
        case SilenceMute(number):
            silence = protocol.silences[number]
            message = f"The silence “{silence.text}” never speaks: a rule decides wherever its condition holds."
            return Diagnostic(
                "DL308", message, silence.span, help="Take out its `when`, or the rule that decides there."
            )
        case LevelUnreached(number):
            level = protocol.levels[number]
            message = f"No patient is ever treated at {level_words(protocol, number)}."
            return Diagnostic(
                "DL310", message, level.span, help="Take the level out, or write the rule that leads there."
            )


def _in_many_parts(protocol: Protocol, rule: Rule) -> bool:
    return sum(rule in part.rules for part in protocol.parts) > 1


def _article(words: str) -> str:
    """The article that a condition begins with, which its span leaves out."""
    first = words.split(" ", 1)[0]
    return f"{first} " if first in ("a", "an", "the") else ""


def _span(condition: object, rule: Rule):  # type: ignore[no-untyped-def]
    span = getattr(condition, "span", NOWHERE)
    return rule.span if span == NOWHERE else span


# ---- what a history shows ----


def decision_words(protocol: Protocol, decision: Decision, level: int) -> str:
    """The answers of a decision at a level; what is missing where it is undecided."""
    moves = moves_words(protocol, moves_of(decision.answers, level, protocol.parts))
    if decision.undecided is None:
        return moves
    return f"{moves}, then nothing is decided" if moves else "nothing is decided"


def _two_histories(fact: AccrualDependent | Incoherent, protocol: Protocol) -> Diagnostic:
    part = protocol.parts[fact.part]
    if isinstance(fact, Incoherent):
        fewer, more = write_history(fact.fewer, protocol), write_history(fact.more, protocol)
        one = decision_words(protocol, fact.fewer_decision, fact.level)
        other = decision_words(protocol, fact.more_decision, fact.level)
        message = f"One more DLT leads to a bolder move: after `{fewer}` {one}; after `{more}` {other}."
        help = "Correct the rule whose bound is wrong; if it is meant, say so in an assumption."
        return Diagnostic("DL403", message, part.span, history=more, help=help, notes=accrual_notes(fact.accrual))
    early, complete = write_history(fact.early, protocol), write_history(fact.complete, protocol)
    one = decision_words(protocol, fact.early_decision, fact.level)
    other = decision_words(protocol, fact.complete_decision, fact.level)
    message = (
        f"The decision depends on how patients enter: one at a time `{early}` ends the cohort ({one}); "
        f"if the others have entered too, `{complete}` means {other}."
    )
    help = "Write the rule marked `at any time` so that further patients of the cohort cannot change what it says."
    return Diagnostic("DL311", message, part.span, history=complete, help=help)


def _one_history(
    fact: LevelSkipped | AgainstDefinition | EndWithoutVerdict | EndlessHistory | NotMonotone, protocol: Protocol
) -> Diagnostic:
    match fact:
        case LevelSkipped(part, number, history, level, to, accrual):
            rule = _rule(protocol, part, number)
            message = (
                f'"{rule.name}" goes from {level_words(protocol, level)} to {level_words(protocol, to)} '
                "over a level at which nobody was treated."
            )
            return Diagnostic(
                "DL402", message, rule.span, history=write_history(history, protocol), cites=cited(rule),
                help=_one_level_up(rule), notes=accrual_notes(accrual),
            )  # fmt: skip
        case AgainstDefinition(part, verdict, level, number, history, accrual):
            rule, made = _rule(protocol, part, number), protocol.verdicts[verdict]
            assert made.requires is not None
            message = (
                f'"{rule.name}" declares {level_words(protocol, level)} as {made.name}, '
                f"which does not meet its definition: {guard_words(protocol, made.requires)}."
            )
            return Diagnostic(
                "DL404", message, rule.span, history=write_history(history, protocol), cites=cited(rule),
                help="Correct the rule, or the definition after `requires`.", notes=accrual_notes(accrual),
            )  # fmt: skip
        case EndWithoutVerdict(part, number, history, accrual):
            rule = _rule(protocol, part, number)
            name = protocol.verdicts[protocol.result].name
            message = f'"{rule.name}" stops the trial, and no verdict has been declared.'
            return Diagnostic(
                "DL502", message, rule.span, history=write_history(history, protocol), cites=cited(rule),
                help=f"Add to its moves: declare no {name}", notes=accrual_notes(accrual),
            )  # fmt: skip
        case EndlessHistory(history, again):
            begun = write_history(history, protocol) or "the beginning"
            message = (
                f"The trial need not end: after {begun}, `{write_history(again, protocol)}` can follow again and again."
            )
            return Diagnostic(
                "DL501", message, protocol.parts[again[0].part].span,
                history=write_history((*history, *again), protocol),
                help="Bound the trial, for example: accrue at most 30 in the trial, and say what follows then.",
            )  # fmt: skip
        case NotMonotone(number, toxicity, level):
            scenario = protocol.scenarios[number]
            message = (
                f'In scenario "{scenario.name}" {protocol.toxicities[toxicity].name} is less likely at '
                f"{level_words(protocol, level)} than at the level below."
            )
            return Diagnostic("DL703", message, scenario.span, help="Correct the rates if that is not meant.")


def _one_level_up(rule: Rule) -> str:
    """What to write so that no level is passed over, by the way in which the rule names the next one."""
    places = [move.place for case in rule.cases for move in case.all_moves if isinstance(move, Enrol | Begin)]
    if any(place.where is not None for place in places):
        return f"Add to the condition of the level `and {FOLLOWING}`; where the step is meant, the warning stays."
    if any(place.kind == "recommended" for place in places):
        return (
            "Tell the method `no-skipping-up`, or name the highest level where (this level is not above the level it "
            f"recommends and {FOLLOWING})."
        )
    return "Write `escalate` to go one level up; if the step is meant, say how far, as `escalate 2 levels`."


# ---- claims ----


def _claim(fact: ClaimChecked, protocol: Protocol) -> Iterator[Diagnostic]:
    claim = protocol.claims[fact.claim]
    cites = tuple(citation.words for citation in claim.cites)
    match fact.outcome:
        case "refuted":
            history = None if fact.history is None else write_history(fact.history, protocol)
            if fact.course is not None:
                history = course_words(fact.course, protocol)
            why = ": the history ends undecided" if fact.undecided else ""
            message = f"The claim “{claim.name}” does not hold{why}."
            help = "Correct the rule that decides at the end of this history, or the claim."
            notes = (*accrual_notes(fact.accrual), *_whole_parts(claim, protocol))
            yield Diagnostic("DL503", message, claim.span, history=history, cites=cites, help=help, notes=notes)
        case "empty":
            message = f"The claim “{claim.name}” is about no moment of any trial: it says nothing."
            help = "Correct what follows `when`."
            yield Diagnostic("DL504", message, claim.span, cites=cites, help=help)
        case "unbreakable":
            message = f"The claim “{claim.name}” holds whatever the rules: no small change of them breaks it."
            help = "Claim something that the rules could break, or take the claim out."
            yield Diagnostic("DL505", message, claim.span, cites=cites, help=help)


def _whole_parts(claim: Claim, protocol: Protocol) -> Iterator[str]:
    """How a count without a place is read, which may have been meant of one level."""
    counts = (*atoms(claim.guard), *(atoms(claim.when) if claim.when else ()))
    parts = [atom.part for atom in counts if isinstance(atom, Tally | Rate) and atom.scope == "part"]
    for part in dict.fromkeys(parts):
        name = "the part" if part is None else protocol.parts[part].name
        yield (
            f"What is counted `in {name}`, without a level, is counted at all its levels together; "
            f"of one level write `at this level in {name}`."
        )


# ---- a patient's course ----


def _course(fact: CourseUnsafe | CourseRule, protocol: Protocol) -> Diagnostic:
    assert protocol.course is not None
    rule = protocol.course.states[fact.state].rules[fact.rule]
    if isinstance(fact, CourseRule):
        message = f'The rule "{rule.name}" of the patient\'s course never acts.'
        return Diagnostic("DL304", message, rule.span, cites=cited(rule), help="Correct its condition, or take it out.")
    history = course_words(fact.course, protocol)
    if fact.kind == "escalated":
        message = f'"{rule.name}" moves a patient to a higher level.'
        help = (
            "Write `continue`, or a lower level. If the protocol permits it, write `patient course  may escalate`, "
            "with the sentence that does."
        )
        return Diagnostic("DL405", message, rule.span, history=history, cites=cited(rule), help=help)
    message = f'"{rule.name}" treats a patient at a level that is closed as too toxic.'
    help = "Write `the next lower level that remains`, with `and a lower level remains` in the condition."
    if any(getattr(move, "place", None) == Place("assigned") for case in rule.cases for move in case.moves):
        help = "Add `and the assigned level is not closed as too toxic`, and say what follows where it is."
    return Diagnostic("DL406", message, rule.span, history=history, cites=cited(rule), help=help)
