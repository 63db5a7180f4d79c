"""Why a look is undecided, in words, with the rule to paste."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doselang.check.facts import Cause, Fact
from doselang.diagnostics import Diagnostic, Label
from doselang.machine.compiling import compile_lines
from doselang.machine.notation import write_history
from doselang.machine.reading import Line
from doselang.plurals import plural
from doselang.protocol.classes import tabled
from doselang.protocol.guards import NEXT_HIGHER, NEXT_LOWER, Guard, Place
from doselang.protocol.model import Backfill, Close, Limit, Protocol, Rule
from doselang.protocol.words import guard_words, move_words, moves_words, toxicity_name, with_article
from doselang.report.phrases import accrual_notes, cited, counted, listed, quoted, ranged
from doselang.source import NOWHERE

MOST_OTHERS = 3
"""So many further looks at which the same rules disagree are told with the first."""


def clashes(facts: Iterable[Fact], protocol: Protocol) -> list[list[Cause]]:
    """The conflicts among the facts, those of the same rules together, in their order.

    Those that only another way of entering meets stand apart: their probabilities are of other trials, or none.
    """
    found: dict[object, list[Cause]] = {}
    for fact in facts:
        if isinstance(fact, Cause) and fact.undecided.why == "conflict":
            lines = compile_lines(protocol.parts[fact.part].rules)[0]
            rules = frozenset(lines[i].rule for i in fact.undecided.lines)
            found.setdefault((fact.part, rules, fact.accrual), []).append(fact)
    return list(found.values())


def cause_finding(cause: Cause, protocol: Protocol, others: Sequence[Cause] = ()) -> Diagnostic:
    """The diagnostic of a cause; `others` are conflicts of the same rules, which are told with it."""
    part = protocol.parts[cause.part]
    lines = compile_lines(part.rules)[0]
    code, message, help = _said(cause, protocol, lines)
    about = [part.rules[lines[i].rule] for i in cause.undecided.lines] or [part.rules[r] for r in cause.acted]
    about = list(dict.fromkeys(about))
    opener = None if cause.opened_by is None else protocol.parts[cause.opened_by[0]].rules[cause.opened_by[1]]
    span = about[0].span if about else part.span if opener is None else opener.span
    if cause.undecided.silence is not None:
        span = protocol.silences[cause.undecided.silence].span
    labels = tuple(Label(rule.span, "and this rule") for rule in about[1:] if rule.span != NOWHERE)
    if opener is not None and about and opener not in about:
        labels += (Label(opener.span, "this rule opened the cohort"),)
    sources = about or ([opener] if opener is not None else [])
    cites = tuple(dict.fromkeys(words for rule in sources for words in cited(rule)))
    notes = _notes(cause, protocol, lines) + _also(others, protocol, lines)
    every = (cause, *others)
    probability = {name: sum(one.probability[name] for one in every) for name in cause.probability}
    return Diagnostic(
        code, message, span, labels, history=write_history(cause.history, protocol), cites=cites, notes=notes,
        help=help, cause=cause_title(cause, protocol),
        states=sum(one.steps for one in every), probability=probability or None,
    )  # fmt: skip


def _name_of_counted(protocol: Protocol) -> str:
    """The name of the toxicities by which looks are told apart."""
    return toxicity_name(protocol, tabled(protocol))


def _also(others: Sequence[Cause], protocol: Protocol, lines: tuple[Line, ...]) -> tuple[str, ...]:
    """Where else the same rules disagree."""
    notes = []
    for cause in others[:MOST_OTHERS]:
        said = dict.fromkeys(moves_words(protocol, lines[i].moves) for i in cause.undecided.lines)
        at = f"{cohort_words(cause, protocol)}, {outcome_words(cause, protocol)}"
        notes.append(
            f"Also {at}: {listed([f'`{one}`' for one in said])}, after {write_history(cause.history, protocol)}."
        )
    more = len(others) - len(notes)
    return (*notes, *([f"And in {counted(more, 'more situation')}."] if more else []))


def cohort_words(cause: Cause, protocol: Protocol) -> str:
    """`the first cohort at a level`, `the cohort added at a level after 1 DLT`, `the cohort of part expansion`."""
    name = _name_of_counted(protocol)
    if protocol.parts[cause.part].rolling:
        return "the next patient"
    match cause.kind.kind:
        case "first":
            words = "the first cohort at a level"
        case "reopened":
            words = "the cohort at a reopened level"
        case "added":
            tallied = cause.kind.toxicities
            after = "" if tallied is None else f" after {_so_many(tallied, name)}"
            words = f"the cohort added at a level{after}"
    words = words if cause.part == 0 else f"the cohort of part {protocol.parts[cause.part].name}"
    return f"the sentinel of {words}" if cause.sentinel else words


def _so_many(number: int, name: str) -> str:
    """`no DLT`, `2 DLTs`."""
    return counted(number, name) if number else f"no {name}"


def outcome_words(cause: Cause, protocol: Protocol) -> str:
    """`whatever they show`, `with 2 or 3 DLTs in 3`."""
    if protocol.parts[cause.part].rolling:
        return _seen_words(*cause.outcomes[0], _name_of_counted(protocol))
    if cause.sentinel:
        had = {t for _, t in cause.outcomes}
        other = "another toxicity" if had == {0} else "a toxicity"
        return f"with {with_article(_name_of_counted(protocol)) if had == {1} else other}"
    if cause.every or (len({n for n, _ in cause.outcomes}) == 1 and len(cause.outcomes) == cause.size + 1):
        return "whatever they show"
    name = _name_of_counted(protocol)
    sizes = sorted({known for known, _ in cause.outcomes})
    toxic = sorted({t for _, t in cause.outcomes})
    name = name if toxic in ([0], [1]) else plural(name)
    return f"with {'no' if toxic == [0] else ranged(toxic)} {name} in {ranged(sizes)}"


def _seen_words(known: int, toxic: int, name: str) -> str:
    """What is seen at the level when a patient arrives: `after no DLT in 3 patients at the level`."""
    if not known:
        return "before anybody at the level is known"
    return f"after {_so_many(toxic, name)} in {counted(known, 'patient')} at the level"


def cause_title(cause: Cause, protocol: Protocol) -> str:
    """A cause in one line: which cohort, with which outcomes, after which rules, and what is missing."""
    kinds = {
        "no answer": "nothing says what comes next", "silence": "the text is silent", "conflict": "rules disagree",
        "limit": "a limit would break", "choice": "a decision is not known",
    }  # fmt: skip
    what = kinds.get(cause.undecided.why, "a move cannot be carried out")
    after = (
        "" if not cause.acted else f", after {quoted([protocol.parts[cause.part].rules[r].name for r in cause.acted])}"
    )
    where = "".join(f", where {clause}" for clause in _held(cause, protocol)[:1])
    return f"{cohort_words(cause, protocol)}, {outcome_words(cause, protocol)}{after}{where}: {what}"


def _held(cause: Cause, protocol: Protocol) -> list[str]:
    """What held back the rules that came near: "there is no next lower level", "`exactly 6 evaluable` is false"."""
    lines = compile_lines(protocol.parts[cause.part].rules)[0]
    return [
        _held_words(protocol, lines[line].conjuncts[position], value)
        for line, held in cause.undecided.missed
        for position, value in held
    ]


def _held_words(protocol: Protocol, clause: Guard, value: int) -> str:
    place = getattr(clause, "place", None)
    if value == 0 and place in (NEXT_LOWER, NEXT_HIGHER):
        return f"there is no {place.kind} level"
    return f"`{guard_words(protocol, clause)}` is {'false' if value < 0 else 'open'}"


def _said(cause: Cause, protocol: Protocol, lines: tuple[Line, ...]) -> tuple[str, str, str]:
    """Code, message and help."""
    rules, undecided = protocol.parts[cause.part].rules, cause.undecided
    who = f"{cohort_words(cause, protocol)}, {outcome_words(cause, protocol)}"
    subject = who[0].upper() + who[1:]
    if undecided.why == "silence":
        assert undecided.silence is not None
        message = f"{subject}: the text is silent (“{protocol.silences[undecided.silence].text}”)."
        return "DL312", message, "A declared silence: write a rule with an assumption when it is settled."
    if undecided.why == "no answer":
        acted = quoted([rules[r].name for r in cause.acted])
        where = "".join(f", where {clause}" for clause in _held(cause, protocol)[:1])
        message = f"{subject}: {f'{acted} acts{where}, and ' if acted else ''}no rule says what comes next."
        return "DL301", message, _paste(cause, protocol)
    names = quoted(dict.fromkeys(rules[lines[i].rule].name for i in undecided.lines))
    if undecided.why == "conflict":
        return "DL302", f"{subject}: {_clash(cause, protocol, lines, names)}", _settle(rules, lines, undecided.lines)
    move = ""
    if undecided.move is not None:
        move = move_words(protocol, lines[undecided.lines[0]].moves[undecided.move])
    match undecided.why:
        case "no level":
            message = f"{subject}: {names} says `{move}`, and there is no such level."
            place = getattr(lines[undecided.lines[0]].moves[undecided.move or 0], "place", None)
            return "DL303", message, _where_there(protocol, place, move)
        case "closed level":
            message = f"{subject}: {names} says `{move}`, at a level that is closed as too toxic."
            return "DL407", message, _where_open(move)
        case "untried level":
            message = f"{subject}: {names} says `{move}`, at a level where nobody was treated."
            return "DL303", message, "Write a rule that treats patients there first, or declare another level."
        case "part begun":
            message = f"{subject}: {names} says `{move}`, and that part has begun before."
            return "DL303", message, "A part is begun once: say what comes next instead."
        case "nothing to fill":
            message = f"{subject}: {names} says `{move}`, and the level already has so many patients."
            return "DL303", message, "Add a condition such as `fewer than 6 evaluable`, and say what happens otherwise."
        case "no sentinel":
            message = f"{subject}: {names} says `{move}`, and the look is not the one after a sentinel."
            return "DL303", message, "Add `and the sentinel has a DLT` to its condition."
        case _:
            assert undecided.limit is not None
            limit = _limits(protocol)[undecided.limit]
            message = f"{subject}: {names} says `{move}`, which would break the limit of {limit_words(limit)}."
            if limit.low is not None and (not move.startswith("enrol") or limit.high is None):
                message = (
                    f"{subject}: {names} says `{move}`, which leaves the level with fewer than {limit.low} patients."
                )
            return "DL401", message, "Correct the limit, or write what happens when it is reached."


def _where_there(protocol: Protocol, place: Place | None, move: str) -> str:
    """What to write so that there is a level that a move names."""
    kind, number = (place.kind, place.index) if place else ("this", 0)
    if kind == "recommended":
        name = protocol.advisers[number].name
        return f"Add `and {name} recommends a level` to its condition, and a rule for `{name} recommends no level`."
    if kind == "verdict":
        name = protocol.verdicts[number].name
        return f"Add `and the {name} has been declared` to its condition, and a rule for when it has not."
    if place is not None and place.where is not None:
        return "Ask less of the level in parentheses, or act only where there is one; say what happens otherwise."
    side = "higher" if "higher" in move or move.startswith("escalate") else "lower"
    return f"Add `and a {side} level exists` to its condition, and a rule that says what happens when none does."


def _where_open(move: str) -> str:
    """What to write so that a move does not lead to a closed level."""
    if "higher" in move or move.startswith("escalate"):
        return "Add `and a higher level remains`, or name a level that is not closed; say what happens otherwise."
    if "lower" in move or move.startswith("de-escalate"):
        return "Write `the next lower level that remains`, add `and a lower level remains`; say what happens otherwise."
    return "Add to its condition that the level is not closed as too toxic; say what happens otherwise."


def _limits(protocol: Protocol) -> list[Limit]:
    return [limit for part in protocol.parts for limit in part.limits]


def limit_words(limit: Limit) -> str:
    """`at least 2 and at most 6 patients at a level`."""
    bounds = [f"at least {limit.low}"] if limit.low is not None else []
    bounds += [f"at most {limit.high}"] if limit.high is not None else []
    where = "at a level" if limit.scope == "level" else f"in the {limit.scope}"
    return f"{' and '.join(bounds)} patients {where}"


def _clash(cause: Cause, protocol: Protocol, lines: tuple[Line, ...], names: str) -> str:
    question = cause.undecided.question or 3
    asked = {1: "which levels close", 2: "the verdict", 3: "what comes next"}[question]
    answers = []
    if question == 3 and not all(lines[i].answers(3) for i in cause.undecided.lines):
        said = [f"`{moves_words(protocol, lines[i].moves)}`" for i in cause.undecided.lines]
        return f"{names} close a level and use it: {listed(list(dict.fromkeys(said)))}."
    for i in cause.undecided.lines:
        moves = [m for m in lines[i].moves if question == 1 or m in lines[i].answers(question)] or lines[i].moves
        answers.append(f"`{moves_words(protocol, moves)}`")
    if question == 3 and len(set(cause.undecided.lines)) == 1 and any(isinstance(m, Backfill) for m in moves):
        return f"{names} opens places twice at one level, for the cohort and beside it: {answers[0]}."
    if question == 1:
        return f"{names} close a level and use it: {listed(answers)}."
    if len(answers) == 1 or (question == 3 and len(set(cause.undecided.lines)) == 1):
        return f"{names} says two things about {asked}: {listed(list(dict.fromkeys(answers)))}."
    return f"{names} disagree on {asked}: {listed(list(dict.fromkeys(answers)))}."


def _settle(rules: tuple[Rule, ...], lines: tuple[Line, ...], clashing: tuple[int, ...]) -> str:
    numbers = list(dict.fromkeys(lines[i].rule for i in clashing))
    if len(set(clashing)) == 1:
        return "Write a condition under which it is another level, and a further case for where it is the same."
    if len(numbers) < 2:
        return "Make its cases exclude each other."
    asked = {number: [line.question for line in lines if line.rule == number] for number in numbers}
    over = [one for one in numbers if all(max(asked[one]) <= min(asked[other]) for other in numbers if other != one)]
    first = "Make their conditions exclude each other."
    if over:
        others = ", ".join(f'"{rules[one].name}"' for one in numbers if one != over[0])
        of = "one of them" if len(over) == len(numbers) else f'"{rules[over[0]].name}"'
        first = f"{first[:-1]}, or write in {of}: overrides {others}."
    if any("first" in repr(lines[i].guard) for i in clashing):
        first += " If `of the first 3` was meant to hold only until more are enrolled, write `of 3`."
    return first


def _paste(cause: Cause, protocol: Protocol) -> str:
    """A rule to paste, with the decision left to the author."""
    conditions = _conditions(cause, protocol)
    cases = "".join(f"\n    when {condition}\n    then …" for condition in conditions)
    return (
        f"Write what is meant, for example:\n"
        f'  rule "…"\n    assume "…" because "the text does not say"{cases}\n'
        f'or declare it open:\n  silent "…" when {" or ".join(conditions)}'
    )


def _conditions(cause: Cause, protocol: Protocol) -> list[str]:
    """What the missing rule should ask."""
    part = protocol.parts[cause.part]
    if cause.acted:
        missed = _missed_condition(cause, protocol)
        closed = any(isinstance(move, Close) for r in cause.acted for c in part.rules[r].cases for move in c.moves)
        return [("this level is closed as too toxic" if closed else "…") + missed]
    if part.rolling:
        known, with_toxicity = cause.outcomes[0]
        name = _name_of_counted(protocol)
        seen = f"{'exactly ' if with_toxicity else ''}{_so_many(with_toxicity, name)}"
        return [f"exactly {known} evaluable and {seen}"]
    if cause.sentinel:
        had, counted = {t for _, t in cause.outcomes}, tabled(protocol)
        names = [_name_of_counted(protocol)] if 1 in had else []
        names += [one.name for n, one in enumerate(protocol.toxicities) if 0 in had and n not in counted]
        return [f"the sentinel has {with_article(name)}" for name in names]
    group = {"first": f"{cause.size}", "added": f"the added {cause.size}"}
    of = group["first" if cause.kind.kind == "first" else "added"]
    toxicity = with_article(_name_of_counted(protocol))
    patients = f"{of} {'patient' if cause.size == 1 else 'patients'}"
    if cause.every:
        return [f"none of {patients} has {toxicity}", f"any of {patients} has {toxicity}"]
    toxic = sorted({t for _, t in cause.outcomes})
    some = [one for one in toxic if one > 0]
    said = [f"none of {patients} has {toxicity}"] if 0 in toxic else []
    if some == list(range(1, cause.size + 1)) and cause.size > 1:
        return [*said, f"any of {patients} has {toxicity}"]
    if len(some) > 1 and some == list(range(some[0], cause.size + 1)):
        return [*said, f"at least {some[0]} of {patients} have {toxicity}"]
    for one in some:
        number = "all" if one == cause.size > 1 else f"{one}"
        said.append(f"{number} of {patients} {'has' if one == 1 else 'have'} {toxicity}")
    return said


def _missed_condition(cause: Cause, protocol: Protocol) -> str:
    lines = compile_lines(protocol.parts[cause.part].rules)[0]
    for line, held in cause.undecided.missed:
        for position, value in held:
            clause = lines[line].conjuncts[position]
            if value < 0:
                return f" and not ({guard_words(protocol, clause)})"
            for side in ("lower", "higher"):
                if side in guard_words(protocol, clause):
                    return f" and no {side} level exists"
    return ""


def _notes(cause: Cause, protocol: Protocol, lines: tuple[Line, ...]) -> tuple[str, ...]:
    """Which rules came near, and how often the cause is met."""
    rules = protocol.parts[cause.part].rules
    notes = []
    for line, held in cause.undecided.missed:
        clauses = [_held_words(protocol, lines[line].conjuncts[position], value) for position, value in held]
        notes.append(f'"{rules[lines[line].rule].name}" would have answered, but {listed(clauses)}.')
    notes += accrual_notes(cause.accrual)
    shared = f"{counted(cause.steps, 'reachable situation')} share{'s' if cause.steps == 1 else ''} this cause"
    if cause.steps > 1:
        notes.append(f"{shared}.")
    return tuple(notes)
