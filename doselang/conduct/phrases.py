"""What a look comes to, in words."""

from __future__ import annotations

from collections.abc import Collection
from itertools import permutations

from attrs import evolve

from doselang.conduct.accounts import Answer, Trouble
from doselang.protocol.model import Gate, Limit, Protocol
from doselang.protocol.words import decider_words, gate_words, guard_words, move_words, moves_words
from doselang.resolve.names import listing


def answers_words(protocol: Protocol, answers: tuple[Answer, ...], tried: Collection[int]) -> str:
    """All answers of a look: several are those that people choose among. `tried` levels have had a cohort.

    What is done whatever they choose comes first, unless it is all that one of them does.
    """
    if len(answers) == 1:
        return answer_words(protocol, answers[0], tried)
    gates = {(chosen.rule, chosen.gate) for answer in answers for chosen in answer.choices}
    if len(gates) > 1 or any(answer.trouble for answer in answers):
        return "; ".join(f"{options_words(answer)} {answer_words(protocol, answer, tried)}" for answer in answers)
    ((_, gate),) = gates
    if len({answer.moves for answer in answers}) == 1:
        return f"{moves_words(protocol, answers[0].moves, tried)}, whatever {decider_words(protocol, gate)} decides"
    common = [move for move in answers[0].moves if all(move in answer.moves for answer in answers)]
    if any(len(answer.moves) == len(common) for answer in answers):
        common = []
    options = tuple(tuple(move for move in answer.moves if move not in common) for answer in answers)
    people = choice_words(protocol, evolve(gate, options=options), tried)
    return f"{moves_words(protocol, common, tried)}, {people}" if common else people


def choice_words(protocol: Protocol, gate: Gate, tried: Collection[int]) -> str:
    """What people choose from; where one option is part of another, `choose A, or A and B`."""
    part = any(set(one) < set(other) for one, other in permutations(gate.options, 2))
    return gate_words(protocol, gate, tried, ", or " if part else " or ")


def answer_words(protocol: Protocol, answer: Answer, tried: Collection[int]) -> str:
    """The moves, or why there is no answer, with what had been answered."""
    words = moves_words(protocol, answer.moves, tried)
    if answer.trouble is None:
        return words
    trouble = f"{answer.trouble.kind}: {trouble_words(protocol, answer.trouble)}"
    return f"{words}; {trouble}" if words else trouble


def options_words(answer: Answer) -> str:
    """The options chosen, as a history has them: `[2]`."""
    return "".join(f"[{chosen.option + 1}]" for chosen in answer.choices)


def trouble_words(protocol: Protocol, trouble: Trouble) -> str:
    """Why there is no answer, as the end of a sentence."""
    move = move_words(protocol, trouble.move) if trouble.move is not None else ""
    rule = f'"{trouble.rules[0]}"' if trouble.rules else "a rule"
    match trouble.why:
        case "no answer":
            return "no rule says what comes next"
        case "silence":
            return f'the text does not say, "{trouble.silence.text}"' if trouble.silence else "the text does not say"
        case "conflict":
            rules = listing(trouble.rules, mark='"')
            if trouble.question == 1:
                one = len(trouble.rules) == 1
                return f"{rules} {'closes a level and uses' if one else 'close a level and use'} it"
            return f"{rules} disagree on {'the verdict' if trouble.question == 2 else 'what comes next'}"
        case "no level":
            return f"{rule} says `{move}`, and there is no such level"
        case "closed level":
            return f"{rule} says `{move}`, and that level is closed as too toxic"
        case "untried level":
            return f"{rule} says `{move}`, and that level has had no patients"
        case "part begun":
            return f"{rule} says `{move}`, and that part has begun before"
        case "nothing to fill":
            return f"{rule} says `{move}`, and the level already has so many patients"
        case "no sentinel":
            return f"{rule} says `{move}`, and the look is not the one after a sentinel"
        case "limit":
            limit = limit_words(trouble.limit) if trouble.limit else "a limit"
            return f"{rule} says `{move}`, which would break the limit `{limit}`"
        case "choice":
            return f"the chances of what people choose in {rule} are not known"
        case "inevaluable":
            return "a patient was inevaluable, and no rule says whether another takes the place"


def limit_words(limit: Limit) -> str:
    """`accrue at most 6 patients at a level`."""
    bounds = [f"at least {limit.low}"] if limit.low is not None else []
    bounds += [f"at most {limit.high}"] if limit.high is not None else []
    where = "at a level" if limit.scope == "level" else f"in the {limit.scope}"
    return f"accrue {' and '.join(bounds)} patients {where}"


def missed_words(protocol: Protocol, trouble: Trouble) -> list[str]:
    """The rules that would have answered, each with the conditions that were not true."""
    return [
        f'"{rule}" would answer, but it is not true that {" and that ".join(guard_words(protocol, g) for g in held)}'
        for rule, held in trouble.missed
    ]
