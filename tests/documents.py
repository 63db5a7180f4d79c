"""Markdown documents that are tests: their files are written, their commands run, their outputs compared.

In a document a fenced block is, by what stands after its opening marks:

- ` ```dose `: a piece of a protocol; it must be read without a fault;
- ` ```dose file=small.dose ` (or `text file=…`, `csv file=…`): a file of the document's working folder, written when
  the block is reached; `encoding=latin-1` writes it so, `repeat=20` writes it so many times over, `end=none` writes it
  without its last line end;
- ` ```console `: commands after `$ `, each followed by exactly what it prints, in the order in which a user sees it. A
  last line `[exit 1]` is the exit status, left out if it is 0; a line `…` stands for lines left out. Only `doselang`
  is run; its working folder also holds the project's `protocols`, and who enters something in a trial is B. Okafor.

Other blocks are only shown.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from difflib import unified_diff
from pathlib import Path
from unittest.mock import patch

from attrs import field, frozen

from doselang.cli import run
from doselang.diagnostics import Report
from doselang.source import Source
from doselang.syntax.parse import parse

ROOT = Path(__file__).parent.parent
OMITTED = "…"
TERMINAL = {"COLUMNS": "100", "LINES": "50", "NO_COLOR": "1", "DOSELANG_ACTOR": "B. Okafor"}

_FENCE = re.compile(r"(?P<indent> *)(?P<marks>`{3,})(?P<info>[^`]*)")


@frozen
class Block:
    """A fenced block: its lines without their indentation; `line` is the number of its first one, counted from 1."""

    info: str
    lines: tuple[str, ...]
    line: int
    indent: str = ""

    @property
    def kind(self) -> str:
        return self.info.split()[0] if self.info.split() else ""

    @property
    def settings(self) -> dict[str, str]:
        """What stands after the kind, as `file=NAME`."""
        return dict(word.split("=", 1) for word in self.info.split()[1:] if "=" in word)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


@frozen
class Command:
    """A command of a console block, and what the document says that it prints; `place` is its line in the block."""

    line: str
    expected: tuple[str, ...]
    place: int

    @property
    def arguments(self) -> list[str] | None:
        """What is given to doselang; None for another program."""
        words = shlex.split(self.line, comments=True)
        return words[1:] if words[:1] == ["doselang"] else None


@frozen
class Fault:
    """Where a document is wrong, and how: `line` is its line, counted from 1."""

    line: int
    text: str


@frozen
class Outcome:
    """What came of running a document: its faults, and the document as it should be."""

    faults: tuple[Fault, ...] = ()
    text: str = field(default="", repr=False)


# ---- reading a document ----


def documents() -> list[Path]:
    """Every document that is a test, in a fixed order."""
    found = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "corpus").glob("*.md")]
    return [path for path in (ROOT / "README.md", *sorted(found)) if path.is_file()]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a document."""
    opened: re.Match[str] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            opened, inside = _FENCE.fullmatch(line), []
        elif line.strip() == opened["marks"]:
            yield Block(opened["info"].strip(), tuple(inside), number - len(inside), opened["indent"])
            opened = None
        else:
            inside.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise ValueError(f"a block is not closed: {opened[0]}")


def commands(block: Block) -> tuple[list[str], list[Command]]:
    """The lines before the first command of a console block, and its commands."""
    starts = [place for place, line in enumerate(block.lines) if line.startswith("$ ")]
    ends = [*starts[1:], len(block.lines)]
    before = list(block.lines[: starts[0]] if starts else block.lines)
    return before, [
        Command(block.lines[start][2:], block.lines[start + 1 : end], start)
        for start, end in zip(starts, ends, strict=True)
    ]


# ---- running it ----


def run_document(text: str, folder: Path) -> Outcome:
    """Run a document in an empty folder. Nothing but that folder is written to."""
    shutil.copytree(ROOT / "protocols", folder / "protocols")
    faults: list[Fault] = []
    lines = text.splitlines()
    with chdir(folder), patch.dict(os.environ, TERMINAL):
        changed = {block.line: _run_block(block, folder, faults) for block in blocks(text)}
    for block in reversed(list(blocks(text))):
        new = changed[block.line]
        if new is not None:
            lines[block.line - 1 : block.line - 1 + len(block.lines)] = [f"{block.indent}{one}".rstrip() for one in new]
    return Outcome(tuple(faults), "".join(f"{line}\n" for line in lines))


def _run_block(block: Block, folder: Path, faults: list[Fault]) -> list[str] | None:
    """Do what a block asks for; its new lines, if it is one of commands."""
    if "file" in block.settings:
        _write(block, folder)
    elif block.kind == "dose":
        faults += faults_of_reading(block)
    elif block.kind == "console":
        return _run_console(block, faults)
    return None


def _write(block: Block, folder: Path) -> None:
    settings = block.settings
    path = folder / settings["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = block.text * int(settings.get("repeat", "1"))
    if settings.get("end") == "none":
        content = content.removesuffix("\n")
    path.write_bytes(content.encode(settings.get("encoding", "utf-8")))


def faults_of_reading(block: Block) -> list[Fault]:
    """Why a piece of a protocol cannot be read."""
    source, report = Source("", block.text), Report()
    parse(source, report)
    return [Fault(block.line - 1 + source.place(item.span.start)[0], f"{item.code}: {item.message}") for item in report]


def _run_console(block: Block, faults: list[Fault]) -> list[str]:
    """Run the commands of a block; the block as it should be."""
    written, told = commands(block)
    for command in told:
        written.append(f"$ {command.line}")
        arguments = command.arguments
        if arguments is None:
            written += command.expected
            continue
        printed = run_command(arguments)
        if matches(command.expected, printed):
            written += command.expected
            continue
        written += with_omissions(command.expected, printed)
        faults.append(Fault(block.line + command.place, difference(command, printed)))
    return written


def run_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """The lines that a command prints, and its exit status, as a document shows them."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO())):
        status = run(list(arguments))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return (*lines, *([f"[exit {status}]"] if status else []))


# ---- comparing ----


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether the lines printed are those expected; `…` stands for any number of lines."""
    wanted = list(expected)
    while wanted and not wanted[-1].strip():
        wanted.pop()
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == OMITTED else re.escape(line.rstrip()) + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def with_omissions(expected: Sequence[str], printed: Sequence[str]) -> list[str]:
    """The lines printed, with the middle left out where the document leaves out one piece of it."""
    places = [place for place, line in enumerate(expected) if line.strip() == OMITTED]
    if len(places) != 1 or len(expected) > len(printed):
        return list(printed)
    after = len(expected) - places[0] - 1
    return [*printed[: places[0]], OMITTED, *printed[len(printed) - after :]]


def difference(command: Command, printed: Sequence[str]) -> str:
    """How the lines printed differ from those expected."""
    compared = unified_diff(list(command.expected), list(printed), "in the document", "printed", lineterm="")
    return "\n".join([f"$ {command.line}", *compared])


def report_faults(path: Path, outcome: Outcome) -> str:
    """The faults of a document, each with its place."""
    name = path.relative_to(ROOT).as_posix()
    faults = "\n\n".join(f"{name}:{fault.line}: {fault.text}" for fault in outcome.faults)
    return f"{faults}\n\nIf what is printed is right: pytest tests/test_documents.py --update-documents"
