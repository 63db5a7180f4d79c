"""Patients with any of several toxicities: what is written for their number, which the language does not add up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from doselang.plurals import readings
from doselang.syntax.lexer import NUMBER_WORD
from doselang.syntax.quotes import after_number
from doselang.syntax.scene import Fault, Scene, where

NOT_ADDED = "Toxicities are counted one by one; the numbers of several are not added up."
MOST_SPELLED = 6
"""So many cases are written out; of more only the way is told."""

DECLARED = re.compile(r"^[ \t]*toxicity\s+([A-Za-z][A-Za-z0-9_-]*)", re.IGNORECASE | re.MULTILINE)
BOUND = re.compile(r"\b(at least|at most|more than|fewer than|exactly) (\d{1,4}) ")
BEFORE_TOXICITY = frozenset(("NUMBER", NUMBER_WORD, "ANY", "NO", "HAS", "HAVE"))
COLLECTIVE = frozenset(("toxicities", "tox", "toxs", "ae", "aes", "events", "adverse-events", "patients-with-toxicity"))
"""Names that mean patients with any toxicity, where none is declared so."""


def spelled_out(bound: str, number: int, names: Sequence[str]) -> str:
    """What to write for `at least 2` of several toxicities together: every way in which the numbers make it up."""
    if bound in ("at most", "fewer than"):
        least = number + 1 if bound == "at most" else number
        inner = _ways("at least", least, names)
        return f"Write `not ({inner})`." if inner else _in_words(names)
    inner = _ways("exactly" if bound == "exactly" else "at least", number + (bound == "more than"), names)
    return f"Write `({inner})`." if inner else _in_words(names)


def _in_words(names: Sequence[str]) -> str:
    return (
        f"Write every way in which the numbers make it up, such as `(at least 2 {after_number(names[0], '2')} "
        f"or (any {names[0]} and any {names[1]}) or at least 2 {after_number(names[1], '2')})`."
    )


def _ways(bound: str, number: int, names: Sequence[str]) -> str | None:
    """The cases joined by `or`; None if they are too many."""
    cases: list[str] = []
    if not 1 <= number <= MOST_SPELLED or len(names) > MOST_SPELLED:
        return None
    for split in _splits(number, len(names)):
        counts = [_count(bound, n, name) for n, name in zip(split, names, strict=True) if n or bound == "exactly"]
        cases.append(" and ".join(counts) if len(counts) == 1 else f"({' and '.join(counts)})")
        if len(cases) > MOST_SPELLED:
            return None
    return " or ".join(cases)


def _splits(number: int, parts: int) -> Iterator[tuple[int, ...]]:
    """The ways in which whole numbers add up to one, the first as large as can be."""
    if parts == 1:
        yield (number,)
        return
    for first in range(number, -1, -1):
        for rest in _splits(number - first, parts - 1):
            yield (first, *rest)


def _count(bound: str, number: int, name: str) -> str:
    if bound == "exactly":
        return f"exactly {number} {after_number(name, str(number))}" if number else f"no {name}"
    return f"at least {number} {after_number(name, str(number))}" if number > 1 else f"any {name}"


# ---- where it is a fault of syntax ----


def sum_of_toxicities(scene: Scene) -> Fault | None:
    """`at least 2 (DLTs or haem-DLTs)`, `DLTs plus haem-DLTs is at least 2`, `any toxicity`."""
    words = [*scene.seen, scene.found, *scene.ahead]
    at = len(scene.seen)
    declared = [match[1] for match in DECLARED.finditer(scene.text)]
    if scene.found.type == "TOXICITY" and scene.head in ("RULE", "CLAIM", "SILENT") and scene.last in BEFORE_TOXICITY:
        if len(declared) > 1 and scene.last not in ("HAS", "HAVE"):
            return _fault(scene, declared, at, at)
        known = " or ".join(f"`{name}`" for name in declared[:MOST_SPELLED]) or "`DLT`"
        return scene.fault("`toxicity` alone does not say which one.", f"Write its name: {known}.")
    if scene.found.type == "LPAR" and scene.last == "NUMBER" and "EVALUABLE" in scene.expected:
        first = at + 1
    elif (scene.found == "+" or scene.found.type == "PLUS") and scene.last == "NAME" and scene.following == "NAME":
        first = at - 1
    else:
        return None
    names: list[str] = []
    last = first
    for place in range(first, len(words)):
        if words[place].type == "NAME":
            names.append(singular(words[place], declared))
            last = place
        elif not (words[place].type in ("OR", "AND", "COMMA", "PLUS") or words[place] == "+"):
            break
    there = [name for name in names if name.lower() in (one.lower() for one in declared)]
    if len(names) < 2 or (declared and len(there) < len(names)):
        return None
    closed = last + 1 < len(words) and words[last + 1].type == "RPAR" and scene.found.type == "LPAR"
    return _fault(scene, names, min(at, first), last + closed)


def _fault(scene: Scene, names: Sequence[str], first: int, last: int) -> Fault:
    """The message, with what to write for the bound that stands before the toxicities or after them."""
    words = [*scene.seen, scene.found, *scene.ahead]
    bound, number = "at least", 2
    if before := BOUND.search(" ".join(words[max(first - 3, 0) : first]).lower() + " "):
        bound, number = before[1], int(before[2])
        first -= before[0].count(" ")
    elif after := BOUND.match(" ".join(words[last + 1 : last + 5]).lower().removeprefix("is ") + " "):
        bound, number = after[1], int(after[2])
        last += after[0].count(" ") + (words[last + 1].type == "IS")
    elif words[first - 1].type in ("ANY", "NO"):
        first -= 1
        bound, number = ("at least", 1) if words[first].type == "ANY" else ("at most", 0)
    return scene.fault(NOT_ADDED, spelled_out(bound, number, names), where(words[first], words[last]))


def singular(name: str, declared: Sequence[str]) -> str:
    """The name as declared, a plural read over."""
    folded = readings(name.lower())
    return next((one for one in declared if one.lower() in folded), str(name))
