"""Patients with any of several toxicities, counted without a name for them: what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from doselang.plurals import readings
from doselang.syntax.lexer import NUMBER_WORD
from doselang.syntax.quotes import after_number
from doselang.syntax.scene import Fault, Scene, where

NOT_ADDED = "Several toxicities are counted together only under a name that is declared for them."
Groups = Mapping[frozenset[str], str]
"""Names for several toxicities, by the small letters of those that they count."""

MOST_LISTED = 6
LONGEST_NAME = 40
"""A name that is proposed is no longer."""

DECLARED = re.compile(r"^[ \t]*toxicity\s+([A-Za-z][A-Za-z0-9_-]*)", re.IGNORECASE | re.MULTILINE)
GROUP = re.compile(DECLARED.pattern + r"\s+is\s+([A-Za-z][\w-]*(?:\s+or\s+[A-Za-z][\w-]*)+)", DECLARED.flags)
BOUND = re.compile(r"\b(at least|at most|more than|fewer than|exactly) (\d{1,4}) ")
BEFORE_TOXICITY = frozenset(("NUMBER", NUMBER_WORD, "ANY", "NO", "HAS", "HAVE"))
COLLECTIVE = frozenset(("toxicities", "tox", "toxs", "ae", "aes", "events", "adverse-events", "patients-with-toxicity"))
"""Names that mean patients with any toxicity, where none is declared so."""


def group_name(names: Sequence[str]) -> str:
    """A name for several toxicities: `DLT-or-haem-DLT`."""
    joined = "-or-".join(names)
    return joined if len(joined) <= LONGEST_NAME else f"any-{names[0]}"


def spelled_out(bound: str, number: int, names: Sequence[str], known: str | None = None) -> str:
    """What to write for `at least 2` of several toxicities together; `known` is the name that is declared for them."""
    name = known or group_name(names)
    counted = f"`{_count(bound, number, name)}`"
    if known is not None:
        return f"Write {counted}: `{known}` is declared for them."
    return f"Declare below them `toxicity {name} is {' or '.join(names)}`, and write {counted}."


def _count(bound: str, number: int, name: str) -> str:
    if (bound, number) in (("at most", 0), ("exactly", 0), ("fewer than", 1)):
        return f"no {name}"
    if (bound, number) in (("at least", 1), ("more than", 0)):
        return f"any {name}"
    return f"{bound} {number} {after_number(name, str(number))}"


# ---- where it is a fault of syntax ----


def sum_of_toxicities(scene: Scene) -> Fault | None:
    """`at least 2 (DLTs or haem-DLTs)`, `DLTs plus haem-DLTs is at least 2`, `any toxicity`."""
    if scene.head == "TOXICITY" and any(word.type == "IS" for word in scene.seen):
        return _joined_otherwise(scene)
    words = [*scene.seen, scene.found, *scene.ahead]
    at = len(scene.seen)
    declared = [match[1] for match in DECLARED.finditer(scene.text)]
    groups = {frozenset(match[2].lower().split()) - {"or"}: match[1] for match in GROUP.finditer(scene.text)}
    if scene.found.type == "TOXICITY" and scene.head in ("RULE", "CLAIM", "SILENT") and scene.last in BEFORE_TOXICITY:
        if len(declared) > 1 and scene.last not in ("HAS", "HAVE"):
            classes = [name for name in declared if name not in groups.values()]
            return _fault(scene, groups, classes, at, at)
        known = " or ".join(f"`{name}`" for name in declared[:MOST_LISTED]) or "`DLT`"
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
    return _fault(scene, groups, names, min(at, first), last + closed)


def _joined_otherwise(scene: Scene) -> Fault | None:
    """`toxicity limiting-event is DLT, haem-DLT and death`: the names stand with `or` between them."""
    if scene.last != "NAME":
        return None
    if scene.found.type in ("AND", "COMMA", "PLUS") or scene.found == "+":
        return scene.fault("Between the toxicities of a name stands `or`.", "Write `or` instead.")
    if scene.found.type == "NAME" and scene.seen[-1].lower() in ("either", "both", "all"):
        return scene.fault("After `is` come the names of toxicities.", f"Leave out `{scene.seen[-1]}`.")
    return None


def _fault(scene: Scene, groups: Groups, names: Sequence[str], first: int, last: int) -> Fault:
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
    known = groups.get(frozenset(map(str.lower, names)))
    return scene.fault(NOT_ADDED, spelled_out(bound, number, names, known), where(words[first], words[last]))


def singular(name: str, declared: Sequence[str]) -> str:
    """The name as declared, a plural read over."""
    folded = readings(name.lower())
    return next((one for one in declared if one.lower() in folded), str(name))
