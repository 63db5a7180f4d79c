"""From text to words: the kinds of words are the grammar's, and every keyword of the grammar is reserved.

Lark's own contextual lexer compiles a regular expression for each set of words that can follow, which takes longer
than reading a protocol, and reads a keyword as a name wherever a name may stand. This one reads all words with one
expression and looks the keywords up; the context decides only where a lone capital is a letter and a word is a unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer as LarkLexer
from lark.lexer import PatternStr

Row = Mapping[str, Any]
"""What can follow: a row of the parser's table, with the kinds of words as keys."""

DEEPEST = 40
"""So many parentheses and `not` may stand inside one another."""

MOST_WORDS = 300_000
"""A file may have so many words, numbers and signs; protocols have a few thousand."""

LONGEST_NUMBER = 20
"""A number or label may have so many characters."""

LONGEST_NAME = 100
"""A name or unit may have so many characters."""

DIGITS = {
    word: number
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}

# Kinds of words that the grammar does not know, so that each is a fault where it stands.
UNCLOSED, SIGN, NUMBER_WORD = "?UNCLOSED", "?SIGN", "?NUMBER_WORD"
TOO_DEEP, TOO_LONG, TOO_MANY = "?TOO_DEEP", "?TOO_LONG", "?TOO_MANY"

OTHERS = r"""
  (?P<numeric>-?[0-9][0-9A-Za-z_.-]*) | (?P<unclosed>"[^\n]*)
| (?P<sign>[<>=!≤≥≠]+ | && | \|\| | [^\W\d_A-Za-z]\w* | .)
"""


class Lexer(LarkLexer):
    """Made by Lark from the grammar's terminals; `words` and `signs` map what is written to its kind."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        self.words: dict[str, str] = {}
        self.signs: dict[str, str] = {}
        patterns: dict[str, str] = {}
        for terminal in conf.terminals:
            if not isinstance(terminal.pattern, PatternStr):
                patterns[terminal.name] = terminal.pattern.to_regexp()
            elif terminal.pattern.value[0].isalpha():
                self.words[terminal.pattern.value] = terminal.name
            else:
                self.signs[terminal.pattern.value] = terminal.name
        self._ignored = frozenset(conf.ignore)
        self._in_context = {name: re.compile(patterns[name]) for name in ("UNIT", "LETTER")}
        self._numeric = {name: re.compile(patterns[name]) for name in ("LABEL", "NEGATIVE", "NUMBER")}
        known = "|".join(f"(?P<{name}>{patterns[name]})" for name in (*conf.ignore, "NAME", "STRING"))
        others = re.sub(r"\s+(?![^\[]*\])", "", OTHERS)
        self._scan = re.compile(f"{known}|{others}", re.DOTALL).match

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        """The words of a text that Lark has been given."""
        slice = lexer_state.text
        return self.tokens(slice.text, slice.start, slice.end, parser_state)

    def tokens(self, text: str, start: int, end: int, state: Any = None, most: int = MOST_WORDS) -> Iterator[Token]:
        """The words between two offsets; `state` is the parser's, which must have taken one before the next is read."""
        rows: Mapping[int, Row] = state.parse_conf.states if state else {}
        words, ignored, scan, in_context = self.words, self._ignored, self._scan, self._in_context
        nowhere: Row = {}
        kind = ""
        while start < end:
            match = scan(text, start, end)
            assert match is not None, "the last alternative matches any character"
            before, kind, stop = kind, str(match.lastgroup), match.end()
            if kind in ignored:
                kind, start = before, stop
                continue
            row = rows[state.state_stack[-1]] if rows else nowhere
            if kind == "NAME":
                written = match[0].lower()
                kind = words.get(written, "NAME")
                if kind == "NAME" and "LETTER" in row and in_context["LETTER"].match(text, start, end):
                    kind = "LETTER"
                elif written in DIGITS and "NUMBER" in row and "LABEL" not in row:
                    kind = NUMBER_WORD
                elif before == "TO" and kind in ("LEVELS", "COHORTS") and "LABEL" in row:
                    kind = "NAME"  # `levels 1 to levels`, where `levels` is a parameter
                elif kind == "NOT" and before != "IS" and _depth(state) >= DEEPEST:
                    kind = TOO_DEEP
            elif kind != "STRING":
                kind, stop = self._other(kind, match, end)
                if kind == "LPAR" and _depth(state) >= DEEPEST:
                    kind = TOO_DEEP
            if "UNIT" in row and kind in ("NAME", SIGN):
                unit = in_context["UNIT"].match(text, start, end)
                if unit is not None:
                    kind, stop = "UNIT", unit.end()
            if stop - start > LONGEST_NAME and kind in ("NAME", "UNIT"):
                kind = TOO_LONG
            most -= 1
            if most < 0:
                kind = TOO_MANY
            yield Token(kind, text[start:stop], start, end_pos=stop)
            start = stop

    def _other(self, kind: str, match: re.Match[str], end: int) -> tuple[str, int]:
        """What is neither a word nor in quotes: its kind and where it ends."""
        if kind == "unclosed":
            return UNCLOSED, match.end()
        if kind == "sign":
            return self.signs.get(match[0], SIGN), match.end()
        # The length comes first: the grammar's patterns may take long to refuse a long row of digits.
        if len(match[0]) <= 2 * LONGEST_NUMBER:
            for name, pattern in self._numeric.items():
                found = pattern.match(match.string, match.start(), end)
                if found is not None:
                    return name if len(found[0]) <= LONGEST_NUMBER else TOO_LONG, found.end()
            return SIGN, match.end()
        return TOO_LONG, match.end()


def offset(token: Token) -> int:
    """Where a word begins."""
    assert token.start_pos is not None
    return token.start_pos


def _depth(state: Any) -> int:
    """How many parentheses and `not` are open."""
    if state is None or len(state.value_stack) < DEEPEST:
        return 0
    return sum(isinstance(value, Token) and value.type in ("LPAR", "NOT") for value in state.value_stack)
