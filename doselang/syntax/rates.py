"""Faults about rates: a third in words, `1 of 3` for `1/3`, two bounds at once."""

from __future__ import annotations

import re

from doselang.syntax.lexer import DIGITS, offset
from doselang.syntax.phrases import portion_of
from doselang.syntax.scene import CONDITION_BEGINS, Fault, Scene, shown, where

BOUND_WORDS = {("AT", "LEAST"), ("AT", "MOST"), ("MORE", "THAN"), ("FEWER", "THAN")}
TWO_AMOUNTS = re.compile(r"[^\S\n]*(\S+)[^\S\n]+(?:and|to)[^\S\n]+([^\s,)]+)", re.IGNORECASE)


def portion(scene: Scene) -> Fault | None:
    """`one third`, `half`: of a rate a fraction, of patients a rate."""
    before = scene.seen[-2:]
    words = [*before, scene.found, *scene.ahead[:1]]
    numbers = [DIGITS.get(word.lower()) or (int(word) if word in ("1", "2", "3") else 0) for word in words]
    last = len(before) + (1 if numbers[len(before)] else 0)
    place = next((i for i in range(last, -1, -1) if i < len(words) and portion_of(words[i])), None)
    if place is None:
        return None
    above = numbers[place - 1] if place else 0
    span = where(words[place - 1] if above else words[place], words[place])
    write = f"{above or 1}/{portion_of(words[place])}"
    if scene.of_rate or scene.head in ("PARAMETER", "SCENARIO", "USE"):
        return scene.fault("A part of all is written as a fraction.", f"Write `{write}`.", span)
    if scene.head not in ("RULE", "CLAIM", "SILENT", "VERDICT"):
        return None
    help = f"Write for example `the DLT rate is {_bound_before(scene, span.start)} {write}`."
    return scene.fault("A part of the patients is said as a rate.", help, span)


def _bound_before(scene: Scene, place: int) -> str:
    """The bound that stands before a place, in words."""
    before = [token for token in scene.seen if offset(token) < place][-2:]
    if tuple(token.type for token in before) in BOUND_WORDS:
        return " ".join(before).lower()
    return "at least"


def of_how_many(scene: Scene) -> Fault | None:
    """`the DLT rate is at least 1 of 3`."""
    if scene.found.type != "OF" or scene.last != "NUMBER" or scene.following != "NUMBER" or not scene.of_rate:
        return None
    number, size = scene.seen[-1], scene.ahead[0]
    message = "A rate is compared with a fraction or a percentage, not with a number of patients."
    return scene.fault(message, f"Write `{number}/{size}`.", where(number, size))


def two_bounds(scene: Scene) -> Fault | None:
    """`the DLT rate is between 1/6 and 1/3`, `is from 1/6 to 1/3`."""
    if scene.found.lower() not in ("between", "from") or scene.last != "IS" or not scene.of_rate:
        return None
    begun = next(i for i in range(len(scene.seen), 0, -1) if scene.seen[i - 1].type in CONDITION_BEGINS)
    subject = shown(scene.text[offset(scene.seen[begun]) : offset(scene.found)], 60)
    amounts = TWO_AMOUNTS.match(scene.text, scene.found.end_pos or 0)
    low, high = amounts.groups() if amounts else ("1/6", "1/3")
    help = f"Write `the {subject} at least {shown(low)} and the {subject} at most {shown(high)}`."
    return scene.fault("A rate is compared with one bound at a time.", help)


RATE_HINTS = (portion, of_how_many, two_bounds)
"""The first that fits is said."""
