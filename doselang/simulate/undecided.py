"""Why simulated trials end undecided: one cause for all histories that meet the same silence of the same rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from doselang.machine.compiling import PartMachine
from doselang.machine.decisions import Decision
from doselang.machine.exploring import MAX_PATIENTS
from doselang.machine.notation import Group, write_history
from doselang.machine.states import Frame, Frames
from doselang.protocol.model import Limit
from doselang.resolve.names import listing
from doselang.simulate.characteristics import UndecidedCause

History = Callable[[Sequence[int]], tuple[Group, ...] | None]
"""The shortest history of positive probability that ends in one of some frames; None where histories are not kept."""

UNBOUNDED = f"the trial goes on beyond {MAX_PATIENTS:,} patients: it cannot be bounded"


def undecided_causes(frames: Frames, ends: Mapping[int, float], history: History) -> tuple[UndecidedCause, ...]:
    """The causes, the most probable first; `ends` has the probability of each frame that ended undecided.

    Frames are of one cause if it is put into the same words.
    """
    causes: dict[str, list[int]] = {}
    for number in ends:
        causes.setdefault(cause_of(frames, frames.frames[number]), []).append(number)
    found = []
    for cause, numbers in causes.items():
        shortest = history(numbers)
        written = None if shortest is None else write_history(shortest, frames.machine.protocol)
        found.append(UndecidedCause(cause, written, min(sum(ends[n] for n in numbers), 1.0)))
    return tuple(sorted(found, key=lambda one: (-one.probability, one.cause)))


def cause_of(frames: Frames, frame: Frame) -> str:
    """Why a frame ended undecided, in a sentence without its full stop."""
    part = frames.machine.parts[frame.part]
    where = f" (in {part.part.name})" if len(frames.machine.parts) > 1 else ""
    return _words(frames, part, frames.branches[frame.end].decision) + where


def _words(frames: Frames, part: PartMachine, decision: Decision) -> str:
    undecided, protocol = decision.undecided, frames.machine.protocol
    assert undecided is not None
    about = rules_of(part, undecided.lines)
    match undecided.why:
        case "no answer":
            acted = rules_of(part, decision.lines)
            after = f"after {_listed(acted)} " if acted else "the cohort is complete, and "
            return f"{after}no rule says what comes next"
        case "silence":
            assert undecided.silence is not None
            return f'the text is silent: "{protocol.silences[undecided.silence].text}"'
        case "conflict":
            if undecided.question == 1:
                return f"{_listed(about)} would use a level that this look closes"
            answer = (
                "declare different levels" if undecided.question == 2 else "give different answers to what comes next"
            )
            return f"{_listed(about)} {answer}" if len(about) > 1 else f"{_listed(about)} contradicts itself"
        case "no level":
            return f"{_listed(about)} leads to a level that does not exist"
        case "closed level":
            return f"{_listed(about)} leads to a level that is closed as too toxic"
        case "untried level":
            return f"{_listed(about)} declares a level at which nobody was treated"
        case "part begun":
            return f"{_listed(about)} begins a part that has begun before"
        case "nothing to fill":
            return f"{_listed(about)} fills a level that already has so many patients"
        case "no sentinel":
            return f"{_listed(about)} lets the rest of a cohort enter where there is no sentinel"
        case "limit":
            assert undecided.limit is not None
            return f"{_listed(about)} would break a limit: {_limit(frames.machine.limits[undecided.limit][1])}"
        case "choice":
            bodies = [gate.body for line in undecided.lines if (gate := part.lines[line].case.gate) is not None]
            who = listing([protocol.bodies[body].name for body in dict.fromkeys(bodies) if body >= 0], mark="")
            return f"the choice of {who} in rule {_listed(about)} has no chance in this scenario"


def rules_of(part: PartMachine, lines: Sequence[int]) -> tuple[str, ...]:
    """The names of the rules that some lines stand in, each once."""
    return tuple(dict.fromkeys(part.part.rules[part.lines[line].rule].name for line in lines))


def _listed(rules: Sequence[str]) -> str:
    return listing(rules, mark='"')


def _limit(limit: Limit) -> str:
    bounds = [
        f"{word} {number}" for word, number in (("at least", limit.low), ("at most", limit.high)) if number is not None
    ]
    return f"{' and '.join(bounds)} patients {'at a level' if limit.scope == 'level' else f'in the {limit.scope}'}"
