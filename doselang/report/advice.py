"""What may be done now in a trial, and why, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from doselang.conduct.advice import Advice
from doselang.conduct.advised import awaited_words, held_words, now_words
from doselang.conduct.pathways import CohortSeen
from doselang.conduct.phrases import answers_words, trouble_words
from doselang.protocol.model import Protocol
from doselang.protocol.words import toxicity_words
from doselang.report.explanation import explanation_record, option_words, pending_words, tally_lines, why_lines
from doselang.report.phrases import cited, listed, ranged
from doselang.report.printable import printable
from doselang.source import Source

MOST_NAMED = 6
"""Of more ways to the same decision the last line says `anything else`."""


def render_advice(advice: Advice, source: Source | None = None) -> str:
    """The advice: what may be done, what it depends on, the levels, and the rules and sentences behind it."""
    blocks = [
        [title_words(advice), *(f"  {word:<11}{said}" for word, said in now_parts(advice))],
        _ahead(advice),
        tally_lines(advice.now),
        *_because(advice, source),
    ]
    return "\n\n".join("\n".join(printable(line).rstrip() for line in block) for block in blocks if block) + "\n"


def title_words(advice: Advice) -> str:
    """The day and the history of which the advice is given."""
    history = advice.now.history or "Before the first patient"
    return history if advice.on is None else f"On {advice.on}: {history}"


# ---- now ----


def now_parts(advice: Advice) -> Iterator[tuple[str, str]]:
    """What is decided and what may be done now, each under its word; nothing where it goes on from the one before."""
    now, protocol = advice.now, advice.now.protocol
    answers = tuple(way.answer for way in now.ways)
    if answers and advice.action not in ("undecided", "choose"):
        yield "decided", answers_words(protocol, answers, now.tried)
        if now.pending:
            yield "", pending_words(now)
    yield "now", now_words(advice) + _why_open(advice)
    if advice.awaited:
        yield "pending", "; ".join(awaited_words(protocol, one, advice.on) for one in advice.awaited)
    if advice.held:
        yield "too early", "; ".join(held_words(protocol, one) for one in advice.held) + ": of no cohort yet"


def _why_open(advice: Advice) -> str:
    """Why the protocol leaves open what comes next, in parentheses; nothing where it does not."""
    now, protocol = advice.now, advice.now.protocol
    if advice.action != "undecided" or advice.barred or advice.contrary is not None or advice.lost is not None:
        return ""
    answers = tuple(way.answer for way in now.ways)
    return f" ({trouble_words(protocol, now.trouble) if now.trouble else answers_words(protocol, answers, now.tried)})"


# ---- what is still to be known ----


@frozen
class AheadLine:
    """What the patients to come may show, in words, and what is decided then, by which rules."""

    when: str
    then: str
    rules: tuple[str, ...]


def ahead_lines(advice: Advice) -> list[AheadLine]:
    """What the cohort can come to, its outcomes that lead to the same together."""
    protocol = advice.now.protocol
    looks: dict[tuple[int, ...], list[CohortSeen]] = {}
    for one in advice.ahead:
        looks.setdefault(one.added, []).append(one)
    groups: dict[tuple[str, tuple[str, ...]], list[CohortSeen]] = {}
    for ways in looks.values():
        then = answers_words(protocol, tuple(way.answer for way in ways), ways[0].tried)
        rules = tuple(dict.fromkeys(rule for way in ways for rule in way.rules))
        groups.setdefault((then, rules), []).append(ways[0])
    if len(groups) == 1:
        ((then, rules),) = groups
        return [AheadLine("whatever they show", then, rules)]
    return [
        AheadLine(_when(protocol, some, last=number == len(groups) - 1), then, rules)
        for number, ((then, rules), some) in enumerate(groups.items())
    ]


def _when(protocol: Protocol, some: Sequence[CohortSeen], *, last: bool) -> str:
    """`no DLT`, `1 or 2 DLTs`; of several toxicities each way by itself."""
    if len(protocol.toxicities) == 1:
        numbers = sorted({one.added[1] for one in some})
        name = toxicity_words(protocol, (0,), numbers[-1])
        return f"no {toxicity_words(protocol, (0,), 1)}" if numbers == [0] else f"{ranged(numbers)} {name}"
    ways = list(dict.fromkeys(_toxic(protocol, one) for one in some))
    return "anything else" if last and len(ways) > MOST_NAMED else " or ".join(ways)


def _toxic(protocol: Protocol, one: CohortSeen) -> str:
    toxic = [(number, n) for number, n in enumerate(one.added[1:]) if n]
    words = [f"{n} {toxicity_words(protocol, (number,), n)}" for number, n in toxic]
    return listed(words) if words else "no toxicity"


def _ahead(advice: Advice) -> list[str]:
    lines = ahead_lines(advice)
    if not lines:
        return []
    room = max(len(line.when) for line in lines)
    return [f"  {ahead_title(advice)}", *(f"    {line.when:<{room}}  {line.then}" for line in lines)]


def ahead_title(advice: Advice) -> str:
    """`What the next 3 patients show`; or outcomes, where some of them are pending."""
    coming = max(sum(one.added) for one in advice.ahead)
    if advice.now.pending:
        return "What the outcome to come shows" if coming == 1 else f"What the {coming} outcomes to come show"
    return "What the next patient shows" if coming == 1 else f"What the next {coming} patients show"


# ---- why ----


def _because(advice: Advice, source: Source | None) -> Iterator[list[str]]:
    basis = advice.basis
    if basis is None:
        return
    for way in basis.ways:
        if len(basis.ways) > 1:
            title = option_words(basis, way)
        else:
            title = "Why" if basis.history == advice.now.history else f"Why this cohort: after {basis.history}"
        yield why_lines(title, basis.protocol, source, way)


# ---- JSON ----


def advice_record(advice: Advice, source: Source | None = None) -> dict[str, object]:
    """The advice as a JSON object: `now`, what is `ahead`, and the account of the history as `explain` gives it."""
    protocol = advice.now.protocol
    labels = [level.label for level in protocol.levels]
    rules = [] if advice.basis is None else [rule for way in advice.basis.ways for rule in way.acted]
    return {
        "on": None if advice.on is None else advice.on.isoformat(),
        "action": advice.action,
        "now": now_words(advice),
        "enrol": [
            {"part": protocol.parts[place.part].name, "level": labels[place.level], "patients": place.free}
            for place in advice.places
        ],
        "pending": [
            {
                "patient": one.patient.name,
                "level": labels[one.patient.level],
                "until": None if one.until is None else one.until.isoformat(),
            }
            for one in advice.awaited
        ],
        "too_early": [one.name for one in advice.held],
        "result": None if advice.result is None else labels[advice.result],
        "rules": [account.rule.name for account in rules],
        "cites": list(dict.fromkeys(words for account in rules for words in cited(account.rule))),
        "ahead": [{"when": line.when, "then": line.then, "rules": list(line.rules)} for line in ahead_lines(advice)],
        **explanation_record(advice.now, source),
    }
