"""Faults of signs, quotation marks and sizes: what is seen before any grammar."""

from __future__ import annotations

import re

from attrs import evolve

from doselang.plurals import plural
from doselang.source import Span
from doselang.syntax.lexer import (
    DEEPEST,
    LONGEST_NAME,
    LONGEST_NUMBER,
    MOST_WORDS,
    SIGN,
    TOO_DEEP,
    TOO_LONG,
    TOO_MANY,
    UNCLOSED,
    offset,
)
from doselang.syntax.phrases import COMPARISONS, CURLY, LONG_MINUS, SINGLE, about_sign
from doselang.syntax.scene import Fault, Scene, shown, where

MOST_LINES_QUOTED = 5
"""So many lines below an unclosed quotation mark are searched for its end."""


def too_much(scene: Scene) -> Fault | None:
    """A condition nested too deep, a number too long, a file with too many words."""
    if scene.found.type == TOO_DEEP:
        help = "Write several shorter conditions, each with its own `when … then …`."
        return scene.fault(f"This condition is nested more than {DEEPEST} deep.", help, code="DL704")
    if scene.found.type == TOO_LONG:
        what, most = ("name", LONGEST_NAME) if scene.found[0].isalpha() else ("number or label", LONGEST_NUMBER)
        message = f"A {what} has at most {most} characters; this one has {len(scene.found):,}."
        return scene.fault(message, "Write a shorter one.", code="DL704")
    if scene.found.type == TOO_MANY:
        message = f"Reading stopped here: a file has at most {MOST_WORDS:,} words, numbers and signs."
        fault = scene.fault(message, "Keep one protocol in a file.", code="DL704")
        return evolve(fault, resume=len(scene.text))
    return None


# ---- quotation marks ----


def unclosed_quote(scene: Scene) -> Fault | None:
    """A quotation mark that is not closed on its line, wherever that was noticed; said once."""
    line = scene.text[scene.line.start : scene.line.end]
    written = _without_comment(line).rstrip()
    quotes = [scene.line.start + match.start() for match in re.finditer('"', written)]
    if len(quotes) % 2 == 0 or scene.found.type == "$END":
        return None
    end = scene.line.start + len(written)
    before = [place for place in quotes if place <= offset(scene.found)]
    if not before and "STRING" not in scene.expected:
        return None
    if not before:
        span = Span(offset(scene.found), quotes[0] + 1)
        fault = scene.fault(
            "A quotation mark is missing before these words.", 'Open the sentence with `"`.', span, "DL102"
        )
        return evolve(fault, resume=scene.line.end)
    # Where a word after a sentence cannot stand, that sentence is the one that should have ended earlier.
    opened = before[-1] if scene.found.type in (UNCLOSED, "STRING") else before[max(len(before) - 2, 0)]
    closed = _closed_below(scene)
    if closed:
        message = "A sentence in quotation marks stands on one line; this one goes on below."
        fault = scene.fault(message, "Write the whole sentence on one line.", Span(opened, end), "DL102")
        return evolve(fault, resume=closed)
    message = "A quotation mark opens here and is not closed."
    fault = scene.fault(message, 'Close the sentence with `"` on the same line.', Span(opened, end), "DL102")
    return evolve(fault, resume=scene.line.end)


def _without_comment(line: str) -> str:
    """The line without a comment; quotation marks in a comment do not count."""
    for match in re.finditer(r'"[^"]*"?|#', line):
        if match[0] == "#":
            return line[: match.start()]
    return line


def _closed_below(scene: Scene) -> int:
    """Where a sentence that goes on in the next lines is closed; 0 if that is not what was meant."""
    start = scene.line.end + 1
    for _ in range(MOST_LINES_QUOTED):
        end = scene.text.find("\n", start)
        line = scene.text[start : len(scene.text) if end < 0 else end]
        first = re.match(r"\s*([A-Za-z-]*)", line)
        begins = first is not None and first[1].lower() in scene.grammar.lexer.words
        if not line.strip() or (line.count('"') % 2 == 0 and (begins or '"' in line)):
            return 0
        if '"' in line:
            return start + line.index('"') + 1
        start += len(line) + 1
    return 0


def odd_quotation_mark(scene: Scene) -> Fault | None:
    """Quotation marks that are curly or single."""
    sign = scene.found[:1]
    if scene.found.type != SIGN or sign not in CURLY + SINGLE:
        return None
    closing = re.compile(f"[{CURLY if sign in CURLY else SINGLE}]").search(
        scene.text, offset(scene.found) + 1, scene.line.end
    )
    place = where(scene.found)
    help = 'Write `"` instead.'
    if closing is not None:
        place = Span(place.start, closing.end())
        help = f'Write `"{shown(scene.text[place.start + 1 : closing.start()])}"`.'
    kind = "curly" if sign in CURLY else "single"
    message = f"Sentences stand in straight double quotation marks, not in {kind} ones (`{sign}`)."
    return scene.fault(message, help, place, "DL103")


# ---- other signs ----


def comparison(scene: Scene) -> Fault | None:
    """A comparison sign: the language says it in words."""
    sign = str(scene.found)
    if scene.found.type != SIGN or sign not in COMPARISONS:
        return None
    bound, message = COMPARISONS[sign], f"`{sign}` is written `{COMPARISONS[sign]}`."
    if scene.head == "PARAMETER" or ("IS" in scene.expected and scene.last != "NAME"):
        order = {
            "more than": "is above",
            "fewer than": "is below",
            "at least": "is not below",
            "at most": "is not above",
        }
        write = f"is {bound}" if "RATE" in (token.type for token in scene.seen[-6:]) else order.get(bound, "is")
        return scene.fault(f"`{sign}` is written `{write}`.", f"Write `{write}`.", code="DL103")
    if scene.following != "NUMBER":
        return scene.fault(message, f"Write `{bound}`.", code="DL103")
    number, count = scene.ahead[0], f"{bound} {scene.ahead[0]}"
    if [str(token) for token in scene.ahead[1:2]] == ["/"] and scene.ahead[2:3]:
        number, count = scene.ahead[2], f"{count}{'/' if scene.of_rate else ' of '}{scene.ahead[2]}"
    if scene.last not in ("NAME", "EVALUABLE", "CYCLES"):
        return scene.fault(message, f"Write `{count}`.", where(scene.found, number), "DL103")
    noun = "evaluable" if scene.seen[-1].lower() == "n" else str(scene.seen[-1])
    if " of " in count:
        write = f"{count} patients have a {noun}"
    elif scene.last == "NAME" and str(number) == "0" and bound == "exactly":
        write = f"no {noun}"
    else:
        write = f"{count} {after_number(noun, str(number))}"
    return scene.fault(message, f"Write `{write}`.", where(scene.seen[-1], number), "DL103")


def after_number(noun: str, number: str) -> str:
    """What is counted, after a number: `evaluable`, or a toxicity's name as a plural."""
    return noun if number == "1" or noun.lower() == "evaluable" else plural(noun)


def fraction(scene: Scene) -> Fault | None:
    """`0/3`."""
    if scene.found != "/" or scene.last != "NUMBER" or scene.following != "NUMBER":
        return None
    count, size = scene.seen[-1], scene.ahead[0]
    write = f"`{count} of {size}`"
    if scene.seen[-2:-1] and scene.seen[-2].type in ("LEAST", "MOST", "THAN", "EXACTLY"):
        bound = " ".join(scene.seen[-2 if scene.seen[-2].type == "EXACTLY" else -3 : -1]).lower()
        write += f", where there are {size} patients; for a share of all write `the DLT rate is {bound} {count}/{size}`"
    if count == "0":
        write += f" or `none of {size}`"
    elif count == size:
        write += f" or `all of {size}`"
    span = where(count, size)
    return scene.fault(f"`{count}/{size}` is written in words.", f"Write {write}.", span, "DL103")


def span_of_numbers(scene: Scene) -> Fault | None:
    """`1-5`, with whatever kind of dash."""
    if scene.last != "NUMBER":
        return None
    first = scene.seen[-1]
    if scene.found.type == "LABEL" and scene.found[0] == "-" and scene.found[1:].isdigit():
        second, token = scene.found[1:], scene.found
    elif scene.found.type == SIGN and scene.found in (*LONG_MINUS, "-") and scene.following == "NUMBER":
        second, token = str(scene.ahead[0]), scene.ahead[0]
    elif scene.found == "." and [str(dot) for dot in scene.ahead[:1]] == ["."] and len(scene.ahead) > 1:
        second, token = str(scene.ahead[1]), scene.ahead[1]
    else:
        return None
    write = f"{first} to {second}" if "TO" in scene.expected else f"between {first} and {second}"
    return scene.fault("A range of numbers is written in words.", f"Write `{write}`.", where(first, token), "DL103")


def other_sign(scene: Scene) -> Fault | None:
    """Any other sign that the language does not have."""
    if scene.found.type != SIGN:
        return None
    sign, place = str(scene.found), where(scene.found)
    if sign in LONG_MINUS:
        glued = scene.ahead[:1] and scene.ahead[0].start_pos == place.end
        help = f"Write `-{shown(scene.ahead[0])}`." if glued else "Write `-`."
        message = f"`{sign}` is a long dash; the language has only the short one (`-`)."
        return scene.fault(message, help, place, "DL103")
    if sign == "." and scene.following == "NUMBER" and scene.ahead[0].start_pos == place.end:
        if scene.last == "NAME" and scene.seen[-1].end_pos == place.start:
            return _dot_in_name(scene)
        number = Span(place.start, place.end + len(scene.ahead[0]))
        return scene.fault("A number begins with a digit.", f"Write `0.{scene.ahead[0]}`.", number, "DL103")
    if sign[0].isalpha():
        word = _whole_word(scene.text, place)
        message = f"`{shown(scene.text[word.start : word.end])}` is not written with the letters a to z alone."
        return scene.fault(message, "Names have letters from a to z, digits, `_` and hyphens.", word, "DL103")
    if len(sign) > 1 and (sign[0].isdigit() or sign[0] == "-"):
        message = f"`{shown(sign)}` is neither a number nor a level's label."
        return scene.fault(
            message, "Numbers are written like `3` or `33.3`, labels like `2`, `-1` or `2A`.", place, "DL103"
        )
    message, help = about_sign(sign)
    return scene.fault(message, help, place, "DL103")


def _dot_in_name(scene: Scene) -> Fault:
    """`level normal-1.3`."""
    word = re.compile(r"[\w.-]*[\w-]").match(scene.text, offset(scene.seen[-1]))
    assert word is not None
    write = shown(word[0].replace(".", "-"))
    return scene.fault("A label or name has no dot.", f"Write `{write}`.", Span(*word.span()), "DL103")


def _whole_word(text: str, place: Span) -> Span:
    """The word around a letter that the language does not have."""
    start, end = place.start, place.end
    while start > max(place.start - 100, 0) and (text[start - 1].isalnum() or text[start - 1] in "_-"):
        start -= 1
    while end < min(place.end + 100, len(text)) and (text[end].isalnum() or text[end] in "_-"):
        end += 1
    return Span(start, end)


SIGN_HINTS = (too_much, unclosed_quote, odd_quotation_mark, comparison, fraction, span_of_numbers, other_sign)
"""The first that fits is said."""
