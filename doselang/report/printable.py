"""Text from a file made safe and measurable for a terminal: no control signs, tabs as spaces, width in columns."""

from __future__ import annotations

import unicodedata

TAB = 4
"""A tab is shown as so many columns, wherever it stands: files seldom hold any, and never align by them."""

UNSEEN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a sign that a terminal would obey or hide, such as an escape or a change of writing direction."""


def printable(text: str) -> str:
    """The text on one line: white space other than spaces becomes spaces, unseen signs are made visible."""
    return "".join(_shown(char) for char in text)


def printable_lines(text: str) -> list[str]:
    """The same for a text of several lines, such as a proposed rule."""
    return [printable(line).rstrip() for line in text.splitlines()]


def width(text: str) -> int:
    """How many columns a printable text takes on a terminal: wide signs two, combining ones none."""
    return sum(_columns(char) for char in text)


def _shown(char: str) -> str:
    if char == "\t":
        return " " * TAB
    if char.isspace():
        return " "
    return char if char.isprintable() else UNSEEN


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
