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
    """A text with its path; turns offsets into lines and columns, both counted from 1.

    `used` are the texts of further files, which have none themselves. All are laid end to end, with one character
    between, so that one offset tells the file as well as the place in it.
    """

    path: str
    text: str
    used: tuple[Source, ...] = ()
    _starts: tuple[int, ...] = field(init=False, repr=False, eq=False)
    _bases: tuple[int, ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        starts = [0, *(i + 1 for i, char in enumerate(self.text) if char == "\n")]
        object.__setattr__(self, "_starts", tuple(starts))
        bases = [0]
        for before in (self, *self.used)[:-1]:
            bases.append(bases[-1] + len(before.text) + 1)
        object.__setattr__(self, "_bases", tuple(bases))

    @property
    def end(self) -> int:
        """The offset at which a further file would begin."""
        return self._bases[-1] + len((self, *self.used)[-1].text) + 1

    def file(self, offset: int) -> tuple[Source, int]:
        """The file that an offset falls in, and the offset at which that file begins."""
        number = bisect_right(self._bases, offset) - 1
        return (self, *self.used)[number], self._bases[number]

    def path_of(self, offset: int) -> str:
        """The path of the file that an offset falls in."""
        return self.file(offset)[0].path

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, in the file that it falls in."""
        source, base = self.file(offset)
        line = bisect_right(source._starts, offset - base)
        return line, offset - base - source._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line of the file itself, without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    def words(self, span: Span) -> str:
        """The text of a span on one line: runs of white space become one space."""
        source, base = self.file(span.start)
        return " ".join(source.text[span.start - base : span.end - base].split())


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
