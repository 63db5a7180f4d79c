"""Faults about probabilities of a rate: as a protocol says them, or with one end of an interval."""

from __future__ import annotations

import re

from doselang.source import Span
from doselang.syntax.lexer import offset
from doselang.syntax.scene import CONDITION_BEGINS, Fault, Scene, shown, where
from doselang.syntax.sums import DECLARED

PROBABILITY = re.compile(r"\b(?:probability|probabilities|likelihood|posterior|chance)\b", re.IGNORECASE)
METHOD = re.compile(r"^[ \t]*use\s+(?:crm|blrm)\s+as\s+([A-Za-z][A-Za-z0-9_-]*)", re.IGNORECASE | re.MULTILINE)
TARGET = re.compile(r"\btarget-(low|high)\s+([^\s,]+)", re.IGNORECASE)

SHARE = r"(\d+(?:\.\d+)?\s*%|\d+/\d+|0?\.\d+)"
TWO_ENDS = re.compile(rf"{SHARE}\s*(?:and|to|-|–|,|and\s+(?:is\s+)?below)\s*{SHARE}", re.IGNORECASE)
BOUND = re.compile(
    r"\b(at least|at most|more than|fewer than|less than|exceeds|above|below|over|greater than|>=|<=|>|<|≥|≤)"
    rf"\s*{SHARE}",
    re.IGNORECASE,
)
BOUNDS = {
    "at least": "at least", "at most": "at most", "fewer than": "fewer than", "less than": "fewer than",
    "below": "fewer than", ">=": "at least", "≥": "at least", "<=": "at most", "≤": "at most", "<": "fewer than",
}  # fmt: skip
PLACE = re.compile(
    r"\bat\s+((?:(?:the|this|next|lowest|highest|higher|lower|start)\s+)+level|level\s+\S+)", re.IGNORECASE
)


def one_end(scene: Scene) -> Fault | None:
    """`a DLT between 16% is more than 50%`."""
    if scene.found.type not in ("IS", "AT") or "AND" not in scene.expected:
        return None
    place = next((i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type == "BETWEEN"), 0)
    if not place or not scene.of_rate or len(scene.seen) - place > 4:
        return None
    end = shown(scene.text[offset(scene.seen[place]) : offset(scene.found)].strip())
    help = f"Write `between {end} and …`, or `above {end}`, or `below {end}`."
    return scene.fault("`between` has two ends.", help, where(scene.seen[place - 1], scene.seen[-1]))


def as_protocols_say(scene: Scene) -> Fault | None:
    """`the probability of the target interval exceeds 50%`, `the probability that the DLT rate is above 33%`."""
    if scene.head not in ("RULE", "CLAIM", "SILENT", "VERDICT") or not scene.seen:
        return None
    begins = [i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type in CONDITION_BEGINS]
    begun = next((i for i in begins if not _between_two(scene, i - 1)), 0)
    if next((t.type for t in reversed(scene.seen) if t.type in ("WHEN", "THEN")), "") == "THEN":
        return None
    first = scene.seen[begun] if begun < len(scene.seen) else scene.found
    if not PROBABILITY.search(scene.text[offset(first) : where(scene.found).end]):
        return None
    last = scene.found
    for token in scene.ahead:
        if token.type in ("THEN", "WHEN"):
            break
        last = token
    words = scene.text[offset(first) : where(last).end]
    help = f"Write for example `{_chance(scene, words)}`."
    return scene.fault(
        "The probability of a rate is said as a chance by a method.",
        help,
        Span(where(first).start, where(scene.found).end),
    )


def _between_two(scene: Scene, place: int) -> bool:
    """Whether an `and` stands between two ends of an interval."""
    before = [token.type for token in scene.seen[max(place - 5, 0) : place]]
    return scene.seen[place].type == "AND" and "BETWEEN" in before


def _chance(scene: Scene, words: str) -> str:
    """The condition that the words seem to mean, with what is missing as protocols mostly have it."""
    method, toxicity = METHOD.search(scene.text), DECLARED.search(scene.text)
    name, dlt = (shown(match[1]) if match else word for match, word in ((method, "model"), (toxicity, "DLT")))
    article = "an" if re.match(r"(?i)[aeiou]", dlt) else "a"
    place = PLACE.search(words)
    at = f" at {shown(' '.join(place[1].split()))}" if place else ""
    bounds = [(BOUNDS.get(match[1].lower(), "more than"), match[2]) for match in BOUND.finditer(words)]
    told = {match[1].lower(): shown(match[2]) for match in TARGET.finditer(scene.text)}
    if ends := TWO_ENDS.search(words):
        rates = f"between {ends[1]} and {ends[2]}"
        bounds = [bound for bound in bounds if bound[1] not in ends.groups()]
    elif "overdos" in words.lower() and len(bounds) < 2:
        rates = f"above {told.get('high', '33%')}"
    elif "interval" in words.lower() or len(bounds) < 2:
        rates = f"between {told.get('low', '16%')} and {told.get('high', '33%')}"
    else:
        rates = f"{'below' if bounds[0][0] in ('fewer than', 'at most') else 'above'} {bounds[0][1]}"
    word, share = bounds[-1] if bounds else ("more than", "50%")
    return f"the chance by {name} of {article} {dlt} {rates}{at} is {word} {share}"


CHANCE_HINTS = (one_end, as_protocols_say)
"""The first that fits is said."""
