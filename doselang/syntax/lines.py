"""Lines of the one layout: a clause on one line, or on several if it is too long."""

from __future__ import annotations

from attrs import frozen

from doselang.syntax.nodes import Assume, Cites, Means, Node
from doselang.syntax.words import Piece, Pieces, begun, flat, quoted

WIDEST = 110
"""Lines are broken to stay within so many columns, where there is a place to break."""

INDENT = 2
HANG = 5
"""What is broken goes on below the word after `when` or `then`."""

WIDEST_HEAD = 40
"""Examples, levels and scenarios in a row are set in columns, unless the first column would be wider than this."""


@frozen
class Line:
    """A clause: one line, or several if it is too long.

    `end` is where in the source its last word known to the tree ends; `hang` how much further in it goes on below.
    """

    pieces: Pieces
    end: int
    indent: int = INDENT
    hang: int = HANG

    def text(self) -> str:
        """The clause as written, broken before pieces that no longer fit."""
        rows = [" " * self.indent]
        for piece in self.pieces:
            self._add(piece, rows)
        return "\n".join(row.rstrip() for row in rows)

    def _add(self, piece: Piece, rows: list[str]) -> None:
        words = flat(piece)
        row = f"{rows[-1]} {words}" if rows[-1].strip() else rows[-1] + words
        below = " " * (self.indent + self.hang) + words.lstrip()
        if len(row) <= WIDEST or not (rows[-1].strip() or isinstance(piece, tuple)):
            rows[-1] = row
        elif isinstance(piece, tuple) and len(below) > WIDEST:
            for inner in piece:
                self._add(inner, rows)
        else:
            rows.append(below)

    def fits(self) -> bool:
        """Whether the clause is one line, no wider than the layout."""
        return self.indent + len(flat(self.pieces)) <= WIDEST


def end_of(node: Node) -> int:
    return node.span.end


def head_line(text: str, last: Node) -> Line:
    return Line((text,), end_of(last), 0)


def clause_line(word: str, pieces: Pieces, last: Node) -> Line:
    return Line(begun(f"{word} ", pieces), end_of(last))


def means_lines(means: Means | None) -> list[Line]:
    return [Line((f"means {quoted(means.text)}",), end_of(means))] if means else []


def cites_lines(cites: tuple[Cites, ...]) -> list[Line]:
    return [Line((f"cites {quoted(cite.text)}",), end_of(cite)) for cite in cites]


def assume_lines(assume: Assume, indent: int) -> list[Line]:
    """`because` on the same line if there is room, else below."""
    reading, because = f"assume {quoted(assume.reading)}", f"because {quoted(assume.because)}"
    whole = Line((reading, because), end_of(assume), indent)
    return [whole] if whole.fits() else [
        Line((reading,), end_of(assume.reading), indent), Line((because,), end_of(assume), indent + INDENT)
    ]  # fmt: skip
