"""The place of a syntax fault as it is looked at: the words around it, what could stand there, what would help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile

from attrs import frozen
from lark import Token

from doselang.diagnostics import Label
from doselang.source import Span
from doselang.syntax.lexer import SIGN, UNCLOSED, offset
from doselang.syntax.tables import END, Grammar

MOST_AHEAD = 20
"""So many words after a fault are looked at to understand it."""

MOST_BACK = 4
"""So many words before a fault are looked at to understand it."""

CONDITION_BEGINS = frozenset((
    "WHEN", "THEN", "AND", "OR", "NOT", "LPAR", "NEVER", "ALWAYS", "EVENTUALLY", "REQUIRES",
))  # fmt: skip
"""A condition, or what is made of it, begins after one of these."""


@frozen
class Fault:
    """A syntax fault: what to report, where its statement begins, and from where on to look for the next one."""

    code: str
    message: str
    span: Span
    help: str | None
    begun: int
    resume: int
    labels: tuple[Label, ...] = ()


@frozen(slots=False)
class Scene:
    """The statement's words before the fault, the word that cannot stand there, and those after it in the statement.

    `complete` tells that the words before are a whole statement, `opens_line` that the word is the first of its line,
    `outdented` that it is also as far to the left as the statement before it.
    """

    grammar: Grammar
    text: str
    seen: Sequence[Token]
    found: Token
    ahead: Sequence[Token]
    complete: bool
    opens_line: bool
    outdented: bool

    # ---- what is there ----

    @property
    def fresh(self) -> bool:
        """Whether a new statement seems to begin with the word."""
        return self.complete and self.outdented

    @property
    def last(self) -> str:
        """The kind of the word before."""
        return self.seen[-1].type if self.seen else ""

    @property
    def head(self) -> str:
        """The kind of the statement's first word."""
        return self.seen[0].type if self.seen else ""

    @property
    def following(self) -> str:
        """The kind of the word after."""
        return self.ahead[0].type if self.ahead else ""

    @property
    def of_rate(self) -> bool:
        """Whether the condition under way is about a rate or a probability."""
        kinds = [token.type for token in reversed(self.seen)]
        return any(kind in ("RATE", "CHANCE") for kind in takewhile(lambda kind: kind not in CONDITION_BEGINS, kinds))

    @property
    def is_word(self) -> bool:
        return self.found[:1].isalpha() and self.found.type not in (SIGN, UNCLOSED)

    @property
    def at_end(self) -> bool:
        """Whether the statement is left unfinished: the file ends, or the next statement begins."""
        if self.found.type == END or not self.outdented:
            return self.found.type == END
        return self.found.type in self.grammar.statements or self.grammar.misspelt(self.found)

    @cached_property
    def line(self) -> Span:
        """The line of the fault."""
        start = self.text.rfind("\n", 0, offset(self.found)) + 1
        end = self.text.find("\n", offset(self.found))
        return Span(start, len(self.text) if end < 0 else end)

    # ---- what could be there ----

    @cached_property
    def stacks(self) -> list[list[int]]:
        """The parser's stack before the fault, before the last word, and so on for a few words back."""
        kinds = [token.type for token in self.seen]
        stacks = [self.grammar.walk(kinds[: max(len(kinds) - MOST_BACK, 0)])]
        for kind in kinds[-MOST_BACK:]:
            stacks.insert(0, list(stacks[0]))
            self.grammar.step(stacks[0], kind)
        return stacks

    @property
    def stack(self) -> list[int]:
        return self.stacks[0]

    @cached_property
    def expected(self) -> frozenset[str]:
        """The kinds of words that could stand there."""
        return self.grammar.accepts(self.stack)

    def reach(self, *kinds: str, skip: int = 0, back: int = 0) -> int:
        """How many words could be read with others put in; -1 if they cannot stand there.

        `skip` leaves out so many words, the one found first; `back` is 1 to put the others in place of the last word.
        """
        stack = list(self.stacks[min(back, len(self.stacks) - 1)])
        if not all(self.grammar.step(stack, kind) for kind in kinds):
            return -1
        return self.grammar.reach(stack, [self.found, *self.ahead][skip:])

    def reach_without(self, back: int) -> int:
        """How many words could be read if the one so many words before were not there."""
        stack = self.stacks[back]
        later = [*self.seen[len(self.seen) - back + 1 :], self.found, *self.ahead]
        return self.grammar.reach(stack, later) - (back - 1)

    def keywords(self, kinds: Iterable[str]) -> dict[str, str]:
        """The keywords among kinds of words: their kinds by what is written."""
        spelled = self.grammar.spelled
        return {spelled[kind]: kind for kind in sorted(kinds) if kind in spelled and spelled[kind][0].isalpha()}

    # ---- what is said ----

    def fault(self, message: str, help: str | None, span: Span | None = None, code: str = "DL101") -> Fault:
        """A fault at the word that was found, or at a span; with a label where its statement begins above."""
        place = span or where(self.found)
        if not self.seen or self.fresh:
            return Fault(code, message, place, help, place.start, where(self.found).end)
        begun = offset(self.seen[0])
        labels: tuple[Label, ...] = ()
        if "\n" in self.text[begun : place.start]:
            labels = (Label(where(self.seen[0]), f"the `{self.seen[0].lower()}` statement begins here"),)
        return Fault(code, message, place, help, begun, offset(self.found), labels)


def where(first: Token, last: Token | None = None) -> Span:
    """The stretch of a word, or of all words from the first to the last."""
    end = (last or first).end_pos
    assert end is not None
    return Span(offset(first), end)


def shown(text: str, longest: int = 40) -> str:
    """Words of the file as a message quotes them: on one line, shortened, unseen signs replaced."""
    line = " ".join(text[: 20 * longest].split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= longest else line[: longest - 1] + "…"
