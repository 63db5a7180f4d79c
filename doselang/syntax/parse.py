"""From text to the syntax tree: reading statement by statement, and beginning again after each fault."""

from __future__ import annotations

import gc
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from lark import Token, Tree
from lark.exceptions import UnexpectedToken

from doselang.diagnostics import Report
from doselang.source import NOWHERE, Source, Span
from doselang.syntax.lexer import MOST_WORDS, TOO_MANY, offset
from doselang.syntax.nodes import Comment, File, Level, Rule, Statement, Step
from doselang.syntax.tables import END, Grammar, grammar

if TYPE_CHECKING:
    from doselang.syntax.scene import Fault

LARGEST = 2**20
"""A file may have so many bytes: 1 MiB."""

MOST_FAULTS = 50

MOST_TRIALS = 200
"""So many words inside faulty statements are tried as the beginning of the next one, and so many looked up as
misspelt ones."""

LONGEST_STATEMENT = 5000
"""In a faulty statement of more words the beginning of another is not looked for."""

COMMENT = re.compile(r'"[^"\n]*"?|#[^\n]*')
FIRST_WORD = re.compile(r"^[ \t\r\f]*([A-Za-z][A-Za-z0-9_-]*)", re.MULTILINE)
WORD_IN_LINE = re.compile(r'"[^"\n]*"?|#[^\n]*|([A-Za-z][A-Za-z0-9_-]*)')


def parse(source: Source, report: Report, base: int = 0) -> File:
    """The file as written: every statement that could be read. Each fault goes into the report; nothing is raised.

    `base` is the offset at which the file begins, where it is one of several laid end to end.
    """
    text = source.text
    span = Span(base, base + len(text))
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        help = "Keep one protocol in a file, and its text in the file that `text` names."
        place = Span(base, base + 1) if base else NOWHERE
        report.add("DL704", "The file is larger than 1 MiB, the most that is read.", place, help=help)
        return File((), span=span)
    text = "\n" * base + text  # empty lines above move every offset and change nothing else
    with _without_collection():
        statements = tuple(_without_levels_of_steps(_read(text, report), text, report))
        return File(statements, comments(text, report), span=span)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Without the search for objects in circles: a tree has none, and looking through it takes most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _without_levels_of_steps(statements: list[Statement], text: str, report: Report) -> Iterator[Statement]:
    """The statements but for those that `escalate level 2` would make: it reads as a rule, and a level declared."""
    before: Statement | None = None
    for statement in statements:
        if isinstance(statement, Level) and isinstance(before, Rule):
            move = before.cases[-1].moves[-1]
            if isinstance(move, Step) and "\n" not in text[move.span.end : statement.span.start]:
                from doselang.syntax.going import to_a_level

                message, help = to_a_level(text[move.span.start : move.span.end], statement.label.text)
                report.add("DL101", message, move.span.to(statement.span), help=help)
                continue
        before = statement
        yield statement


def comments(text: str, report: Report) -> tuple[Comment, ...]:
    """The comments of a text, in order, without `#` and the space after it."""
    found: list[Comment] = []
    hidden = False
    for match in COMMENT.finditer(text):
        if match[0].startswith("#"):
            written = match[0].rstrip()
            span = Span(match.start(), match.start() + len(written))
            found.append(Comment(written[1:].removeprefix(" "), span=span))
            if "\r" in written and not hidden:
                hidden = True
                message = (
                    "The lines of the file end with a carriage return alone, so that a comment hides what follows."
                )
                report.add("DL103", message, span, help="Save the file with the line ends of Unix or Windows.")
    return tuple(found)


def _read(text: str, report: Report) -> list[Statement]:
    """Read to the end; after a fault, go on where the next statement begins.

    A word that may, or may not, begin the next statement is on trial: only if a whole statement follows it, and then
    another, was it the beginning of one. Otherwise what fails there is a consequence of the fault before, and not said.
    """
    rules = grammar()
    statements: list[Statement] = []
    lines: Lines | None = None
    start, on_trial = (1 if text.startswith("\ufeff") else 0), False
    begun, faults, most = start, 0, MOST_WORDS
    while True:
        reading = Reading(rules, text)
        wrong = reading.run(start, most)
        most -= reading.read
        if wrong is None:
            return statements + reading.statements
        lines = lines or Lines(rules, text)
        if on_trial and reading.begun < 2 and wrong.type != TOO_MANY:
            resume = offset(wrong)
        else:
            swallowed = lines.swallowed(reading.seen)
            wrong = reading.cut(swallowed) if swallowed else wrong
            statements += reading.statements
            fault = _understand(reading, wrong, lines)
            if faults == MOST_FAULTS:
                message = f"Reading stopped here, after {MOST_FAULTS} faults."
                report.add("DL704", message, fault.span, help="Correct these first, then check again.")
                return statements
            report.add(fault.code, fault.message, fault.span, help=fault.help, labels=fault.labels)
            begun, resume, faults = fault.begun, fault.resume, faults + 1
        following = lines.next_statement(begun, max(resume, start + 1))
        if following is None:
            return statements
        start, on_trial = following


def _understand(reading: Reading, wrong: Token, lines: Lines) -> Fault:
    """What to say about the word that could not be read."""
    from doselang.syntax.faults import diagnose  # what explains faults is loaded when there is one
    from doselang.syntax.scene import MOST_AHEAD, Scene

    rules, text, seen = reading.rules, reading.text, reading.seen
    ahead: list[Token] = []
    if wrong.type != END:
        for token in rules.lexer.tokens(text, wrong.end_pos or 0, len(text)):
            if len(ahead) == MOST_AHEAD or (token.type in rules.statements and offset(token) in lines.columns):
                break
            ahead.append(token)
    column = lines.columns.get(offset(wrong))
    outdented = column is not None and (not seen or column <= lines.indentation(offset(seen[0])))
    scene = Scene(rules, text, seen, wrong, ahead, reading.complete, column is not None, outdented)
    if not reading.previous or not seen:
        return diagnose(scene)
    later = [*seen[1:], wrong, *ahead][:MOST_AHEAD]
    return diagnose(scene, Scene(rules, text, reading.previous, seen[0], later, True, False, False))


# ---- reading ----


@define
class Reading:
    """One run of the parser from a place in the text to the end or the first fault.

    `statements` are those read to their end; `begun` counts those begun, and `read` the words. After a fault `seen` is
    what was read of the statement at fault, and `complete` tells whether that is a whole statement (which is then
    among `statements`). `previous` is the statement before on the same line.
    """

    rules: Grammar
    text: str
    statements: list[Statement] = field(factory=list)
    seen: list[Token] = field(factory=list)
    previous: list[Token] = field(factory=list)
    read: int = 0
    begun: int = 0
    complete: bool = False

    def run(self, start: int, most: int = MOST_WORDS, end: int | None = None) -> Token | None:
        """Read at most so many words; the word that could not be read, if there is one."""
        end = len(self.text) if end is None else end
        parser = self.rules.lark.parse_interactive("").parser_state
        heads, seen = self.rules.statements, self.seen
        try:
            for token in self.rules.lexer.tokens(self.text, start, end, parser, most):
                self.read += 1
                parser.feed_token(token)
                if token.type in heads and _at_top(parser):
                    self.begun += 1
                    runs_on = seen and "\n" not in self.text[seen[-1].end_pos : token.start_pos]
                    self.previous = seen.copy() if runs_on else []
                    seen.clear()
                seen.append(token)
            self.statements = parser.feed_token(_end(end), True)
        except UnexpectedToken as error:
            self._finish(parser)
            wrong: Token = error.token
            return wrong
        return None

    def cut(self, place: int) -> Token:
        """End the faulty statement before one of its words: it begins the next. That word is what cannot be read."""
        again = Reading(self.rules, self.text)
        unfinished = again.run(offset(self.seen[0]), end=offset(self.seen[place]))
        before = self.statements[:-1] if self.complete else self.statements
        self.statements, self.complete = before + again.statements, unfinished is None
        word, self.seen = self.seen[place], self.seen[:place]
        return word

    def _finish(self, parser: Any) -> None:
        """Keep what was read before the fault."""
        self.complete = self.rules.step(list(parser.state_stack), END)
        if self.complete:
            self.statements = parser.feed_token(_end(0), True)
        elif parser.value_stack and isinstance(parser.value_stack[0], Tree):
            finished: Any = parser.value_stack[0].children
            self.statements = finished


def _end(place: int) -> Token:
    return Token(END, "", place, end_pos=place)


def _at_top(parser: Any) -> bool:
    """Whether the last word began a statement: nothing is on the stack but it, and the statements before it."""
    values = parser.value_stack
    return len(values) == 1 or (len(values) == 2 and isinstance(values[0], Tree))


# ---- where statements may begin ----


@frozen
class FirstWord:
    """The first word of a line, in small letters."""

    offset: int
    column: int
    word: str


@define
class Lines:
    """The lines of a text with a fault in it: by their first words, where the next statement may begin.

    A word that stands only at the beginning of a statement ends the one before. One that also stands inside (`level`,
    `part`) does so where the layout says so: it is as far to the left as the statement, and other lines are not.
    """

    rules: Grammar
    text: str
    firsts: list[FirstWord] = field(init=False)
    offsets: list[int] = field(init=False)
    columns: dict[int, int] = field(init=False)
    trials: int = MOST_TRIALS
    spellings: int = MOST_TRIALS

    def __attrs_post_init__(self) -> None:
        self.firsts = [
            FirstWord(match.start(1), match.start(1) - match.start(), match[1].lower())
            for match in FIRST_WORD.finditer(self.text)
        ]
        self.offsets = [first.offset for first in self.firsts]
        self.columns = {first.offset: first.column for first in self.firsts}

    def indentation(self, place: int) -> int:
        """How far the line of a place is indented."""
        index = bisect_right(self.offsets, place) - 1
        return self.firsts[index].column if index >= 0 else 0

    def next_statement(self, begun: int, start: int) -> tuple[int, bool] | None:
        """Where the next statement after a faulty one begins, at `start` or later, and whether it is on trial."""
        column, flat = self.indentation(begun), self._is_flat(begun, start)
        for index in range(bisect_left(self.offsets, start), len(self.firsts)):
            first = self.firsts[index]
            inside = self._inside_line(start, first.offset)
            if inside is not None:
                return inside, True
            start = first.offset + len(first.word)
            kind = self._kind(first, column)
            if kind is None:
                flat = flat or (first.column <= column and first.offset > begun)
            elif kind not in self.rules.ambiguous or (first.column <= column and not flat):
                return first.offset, False
            elif self._try():
                return first.offset, True
        inside = self._inside_line(start, len(self.text))
        return None if inside is None else (inside, True)

    def swallowed(self, seen: list[Token]) -> int:
        """The place, among the words of a faulty statement, of a word that by the layout begins the next; 0 if none."""
        if not seen or len(seen) > LONGEST_STATEMENT:
            return 0
        begun = offset(seen[0])
        column = self.indentation(begun)
        for place in range(len(seen) - 1, 0, -1):
            token = seen[place]
            if self.columns.get(offset(token), column + 1) <= column and (
                token.type in self.rules.ambiguous or token.type == "NAME"
            ):
                return 0 if self._is_flat(begun, offset(token)) else place
        return 0

    def _kind(self, first: FirstWord, column: int) -> str | None:
        """The statement that a line begins, also with its word misspelt."""
        words = self.rules.lexer.words
        if first.word in words:
            return words[first.word] if words[first.word] in self.rules.statements else None
        if first.column <= column and self.spellings > 0:
            self.spellings -= 1
            return "RULE" if self.rules.misspelt(first.word) else None
        return None

    def _is_flat(self, begun: int, end: int) -> bool:
        """Whether a statement's own lines are as far to the left as its beginning: then the layout tells nothing."""
        column = self.indentation(begun)
        span = range(bisect_right(self.offsets, begun), bisect_left(self.offsets, end))
        return any(self.firsts[i].column <= column and self._kind(self.firsts[i], -1) is None for i in span)

    def _inside_line(self, start: int, end: int) -> int | None:
        """A word inside a line that stands only at the beginning of a statement."""
        words, heads = self.rules.lexer.words, self.rules.statements - self.rules.ambiguous
        if self.trials <= 0:
            return None
        for match in WORD_IN_LINE.finditer(self.text, start, end):
            if match[1] and words.get(match[1].lower()) in heads and self._try():
                return match.start()
        return None

    def _try(self) -> bool:
        self.trials -= 1
        return self.trials >= 0
