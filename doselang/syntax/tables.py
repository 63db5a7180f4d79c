"""The parser's tables: built from the grammar by Lark, kept in the user's cache folder, walked to explain faults."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import lark
from attrs import frozen
from lark import Lark, Token
from lark.parsers.lalr_analysis import Shift

from doselang.resources import resource
from doselang.syntax.lexer import Lexer, Row
from doselang.syntax.phrases import near
from doselang.syntax.shape import Shape

OPTIONS: dict[str, Any] = {"parser": "lalr", "keep_all_tokens": True, "maybe_placeholders": False}
"""All words are kept, so that the first and last child of a node show where it begins and ends."""

END = "$END"


@frozen(slots=False)
class Grammar:
    """The parser and its tables: `rows` by state, and what the words of the language are."""

    lark: Lark
    lexer: Lexer
    rows: Mapping[int, Row]
    first: int
    last: int

    @cached_property
    def statements(self) -> frozenset[str]:
        """The kinds of words that begin a statement."""
        return self.accepts([self.first]) - {END}

    @cached_property
    def ambiguous(self) -> frozenset[str]:
        """Those of them that also stand inside a statement."""
        heads = {rule.expansion[0].name for rule in self.lark.rules if rule.origin.name == "statement"}
        inside = {
            symbol.name
            for rule in self.lark.rules
            for place, symbol in enumerate(rule.expansion)
            if place > 0 or rule.origin.name not in heads
        }
        return self.statements & inside

    @cached_property
    def spelled(self) -> dict[str, str]:
        """Keywords and signs by their kind."""
        return {kind: written for written, kind in (self.lexer.words | self.lexer.signs).items()}

    def misspelt(self, word: str) -> bool:
        """Whether a word may be a misspelling of one that begins a statement."""
        known = word.lower() in self.lexer.words
        return not known and bool(near(word, (self.spelled[kind] for kind in self.statements)))

    def step(self, stack: list[int], kind: str) -> bool:
        """Take one more word; the stack changes also if the word cannot stand there."""
        while True:
            action, argument = self.rows[stack[-1]].get(kind, (None, None))
            if action is None:
                return False
            if action is Shift:
                stack.append(argument)
                return True
            if argument.expansion:
                del stack[-len(argument.expansion) :]
            stack.append(self.rows[stack[-1]][argument.origin.name][1])
            if kind == END and stack[-1] == self.last:
                return True

    def walk(self, kinds: Iterable[str]) -> list[int]:
        """The stack after words that can stand at the beginning of a statement."""
        stack = [self.first]
        for kind in kinds:
            self.step(stack, kind)
        return stack

    def accepts(self, stack: Sequence[int]) -> frozenset[str]:
        """The kinds of words that can stand next."""
        possible = [kind for kind in self.rows[stack[-1]] if kind.isupper()]
        return frozenset(kind for kind in possible if self.step(list(stack), kind))

    def reach(self, stack: Sequence[int], tokens: Iterable[Token]) -> int:
        """How many of the words can stand next, one after the other; one more if they complete a statement."""
        stack, count = list(stack), 0
        for token in tokens:
            for kind in (token.type, "LETTER", "UNIT") if token.type == "NAME" else (token.type,):
                if kind == "LETTER" and len(token) > 1:
                    continue
                trial = list(stack)
                if self.step(trial, kind):
                    stack, count = trial, count + 1
                    break
            else:
                return count
        return count + self.step(stack, END)


@cache
def grammar() -> Grammar:
    """The tables, from the cache if they are there."""
    text = resource("grammars", "doselang.lark").read_text(encoding="utf-8")
    path = _cache_file(text)
    parser = _load(path) if path else None
    if parser is None:
        parser = Lark(text, lexer=Lexer, transformer=Shape(), **OPTIONS)
        if path:
            _save(parser, path)
    interactive = parser.parse_interactive("")
    conf = interactive.parser_state.parse_conf
    lexer: Any = interactive.lexer_thread.lexer
    return Grammar(parser, lexer, conf.states, conf.start_state, conf.end_state)


# ---- the cache ----


def _cache_file(text: str) -> Path | None:
    """Where the tables of a grammar are kept: in a folder of the user's own, or nowhere."""
    versions = (lark.__version__, sys.version, text, sorted(OPTIONS.items()), Lexer.__qualname__, Shape.__qualname__)
    digest = hashlib.sha256(repr(versions).encode()).hexdigest()[:16]
    python = f"{sys.implementation.name}{sys.version_info.major}{sys.version_info.minor}"
    configured = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(configured if os.path.isabs(configured) else os.path.expanduser("~/.cache"))
    if not root.is_absolute():
        return None
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = root / "doselang"
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _private(folder.lstat(), stat.S_ISDIR):
            return None
    except (OSError, ValueError):
        return None
    return folder / f"tables-lark{lark.__version__}-{python}-{digest}.pickle"


def _private(status: os.stat_result, kind: Any) -> bool:
    """Whether a file or folder is the user's own and nobody else can write it: what is read from it is trusted."""
    if not kind(status.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _load(path: Path) -> Lark | None:
    """The tables in the file; None if it is missing, another's, or damaged."""
    try:
        with path.open("rb") as file:
            if not _private(os.fstat(file.fileno()), stat.S_ISREG):
                return None
            digest, content = file.read(32), file.read()
        if hashlib.sha256(content).digest() != digest:
            return None
        return Lark.load(io.BytesIO(content))
    except Exception:  # a cache that cannot be read, for whatever reason, is no cache
        return None


def _save(parser: Lark, path: Path) -> None:
    """Write the file whole or not at all; other processes may read or write it at the same time."""
    buffer = io.BytesIO()
    try:
        parser.save(buffer)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
            os.replace(name, path)
        except OSError:
            os.unlink(name)
    except (OSError, pickle.PicklingError):
        return
