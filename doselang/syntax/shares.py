"""Faults about how many of how many patients: patients of no group, groups by other names, two groups at once."""

from __future__ import annotations

import re

from doselang.source import Span
from doselang.syntax.phrases import written_out
from doselang.syntax.scene import CONDITION_BEGINS, Fault, Scene, shown, where
from doselang.syntax.sums import DECLARED, singular

HAVE = frozenset(("HAS", "HAVE"))
PATIENTS = frozenset(("PATIENT", "PATIENTS"))
ADDED = frozenset(
    ("next", "following", "subsequent", "additional", "further", "other", "second", "new", "last", "latter")
)
"""What protocols call the patients who are added at a level."""

MANY = r"(?:(?:at least |at most |more than |fewer than |exactly )?[0-9]+|no|none|any|all)"
COUNTED = re.compile(rf"({MANY}) (\S+)$")
GROUP = rf"({MANY}) of (?:(\S+) )?([0-9]+)(?: patients?)?"
TWO_GROUPS = re.compile(rf"{GROUP} (and|or) {GROUP} (?:has|have) (\S+)")


def have_no(scene: Scene) -> Fault | None:
    """`3 of 3 patients have no DLT`, `3 patients have no DLT`, `2 of 3 patients have any DLT`."""
    if scene.found.type in ("NO", "ANY") and scene.last in HAVE and scene.ahead:
        if scene.found.type == "ANY":
            return scene.fault("`any` is not said of a toxicity that patients have.", "Leave `any` out.")
        sizes = [token for token in scene.seen if token.type == "NUMBER"]
        return _have_no(scene, sizes[-1] if sizes else "3", scene.ahead[0], where(scene.found))
    if scene.found.type in PATIENTS and scene.last == "NUMBER" and len(scene.ahead) > 2:
        have, no, name = scene.ahead[:3]
        if have.type in HAVE and no.type == "NO":
            return _have_no(scene, scene.seen[-1], name, where(scene.seen[-1], name))
    return None


def _have_no(scene: Scene, size: str, name: str, span: Span) -> Fault:
    write = f"none of {size} patients has a {_toxicity(scene, name)}"
    return scene.fault("It is said how many patients have the toxicity.", f"Write for example `{write}`.", span)


def patient_has(scene: Scene) -> Fault | None:
    """`a patient has died`, `no patient has a DLT`."""
    if scene.found.type not in PATIENTS or scene.following not in HAVE or len(scene.ahead) < 2:
        return None
    if scene.last not in CONDITION_BEGINS and scene.last not in ("NO", "ANY"):
        return None
    first, last = (scene.seen[-1] if scene.last in ("NO", "ANY") else scene.found), scene.ahead[1]
    name, none = _toxicity(scene, last), scene.last == "NO"
    if name in _declared(scene):
        write = f"{'no' if none else 'any'} {name}"
        return scene.fault("Toxicities are counted, not patients.", f"Write `{write}`.", where(first, last))
    help = "Declare what patients can have, such as `toxicity death`, and ask for it: `any death`."
    return scene.fault("A condition asks for a toxicity that is declared.", help, where(first, last))


def in_so_many(scene: Scene) -> Fault | None:
    """`no DLTs in 3 patients`; `three` would be the name of a part."""
    tokens = [*scene.seen, scene.found, *scene.ahead]
    place = len(scene.seen) - (scene.found.type in PATIENTS)
    if (
        place < 3
        or [token.type for token in tokens[place - 2 : place]] != ["NAME", "IN"]
        or not _is_number(tokens[place])
    ):
        return None
    counted = COUNTED.search(" ".join(tokens[: place - 1]).lower())
    if counted is None or place + 1 >= len(tokens) or tokens[place + 1].type not in PATIENTS:
        return None
    share = _share(
        counted[1].removeprefix("exactly "), f"{written_out(tokens[place])} patients", tokens[place - 2], scene
    )
    span = where(tokens[place - 2 - len(counted[1].split())], tokens[place + 1])
    return scene.fault("It is said how many of the patients have the toxicity.", f"Write `{share}`.", span)


def two_groups(scene: Scene) -> Fault | None:
    """`1 of the first 3 and none of the next 3 patients have a DLT`."""
    if scene.found.type not in ("AND", "OR") or not scene.expected & HAVE:
        return None
    begun = next((i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type in CONDITION_BEGINS), 0)
    tokens = [*scene.seen[begun:], scene.found, *scene.ahead]
    match = TWO_GROUPS.match(written_out(" ".join(tokens).lower()).replace("of the ", "of "))
    if match is None:
        return None
    groups = [
        f"the {'added' if group in ADDED else group} {size}" if group else size
        for group, size in ((match[2], match[3]), (match[6], match[7]))
    ]
    one, other = _share(match[1], groups[0], match[8], scene), _share(match[5], groups[1], match[8], scene)
    last = next((token for token in tokens if token.type in HAVE), tokens[-1])
    help = f"Write `{one} {match[4]} {other}`."
    return scene.fault("Each group of patients is said with what it has.", help, where(tokens[0], last))


def of_the_next(scene: Scene) -> Fault | None:
    """`none of the next 3`."""
    if scene.last != "OF" or scene.found.lower() not in ADDED or not (scene.ahead and _is_number(scene.ahead[0])):
        return None
    help = f"Write `of the added {written_out(scene.ahead[0])}`: the latest cohort at a level that had one before."
    span = where(scene.found, scene.ahead[0])
    return scene.fault("The patients who come after a level's first cohort are the added ones.", help, span)


def _share(many: str, group: str, name: str, scene: Scene) -> str:
    """So many of a group have the toxicity, in words."""
    verb = "have" if re.search(r"\b(?:[2-9]|\d\d+)$|^all$", many) else "has"
    return f"{'none' if many == 'no' else many} of {group} {verb} a {_toxicity(scene, name)}"


def _is_number(word: str) -> bool:
    return written_out(word).isdigit()


def _declared(scene: Scene) -> list[str]:
    return [match[1] for match in DECLARED.finditer(scene.text)]


def _toxicity(scene: Scene, word: str) -> str:
    return shown(singular(word, _declared(scene)))


SHARE_HINTS = (have_no, patient_has, in_so_many, two_groups, of_the_next)
"""The first that fits is said."""
