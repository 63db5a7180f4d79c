"""Source text, and places in it."""

from __future__ import annotations

from bisect import bisect_right

from attrs import field, frozen


@frozen(order=True)
class Span:
    """A stretch of a source text, as character offsets: `start` included, `end` excluded."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The stretch from the beginning of this span to the end of `other`."""
        return Span(self.start, max(self.end, other.end))


NOWHERE = Span(0, 0)
"""The span of what was not written in a file (a protocol built from Python)."""


@frozen
class Source:
    """A text with its path; turns offsets into lines and columns, both counted from 1."""

    path: str
    text: str
    _starts: tuple[int, ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        starts = [0, *(i + 1 for i, char in enumerate(self.text) if char == "\n")]
        object.__setattr__(self, "_starts", tuple(starts))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    def words(self, span: Span) -> str:
        """The text of a span on one line: runs of white space become one space."""
        return " ".join(self.text[span.start : span.end].split())


def described(record: object) -> str:
    """A record as `Name(field=…)`, without spans and empty fields: one function for all records of trees.

    Written once here, since having it generated for each of two hundred classes takes longer than a small command.
    """
    fields = getattr(type(record), "__attrs_attrs__", ())
    shown = ((one.name, getattr(record, one.name)) for one in fields)
    inner = ", ".join(
        f"{name}={value!r}" for name, value in shown if not isinstance(value, Span) and value not in (None, ())
    )
    return f"{type(record).__name__}({inner})"
