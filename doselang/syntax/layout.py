"""The formatter: the one layout of a file, written from its syntax tree, with its comments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, field, frozen

from doselang.diagnostics import Report, trouble
from doselang.source import Source
from doselang.syntax.lines import WIDEST_HEAD, Line
from doselang.syntax.nodes import (
    Accrue,
    Assume,
    Background,
    Body,
    Claim,
    Cohorts,
    Comment,
    Component,
    Counter,
    Course,
    Cycle,
    Engine,
    Evaluability,
    Event,
    Example,
    File,
    Grid,
    Ladder,
    Look,
    Overrides,
    Part,
    Replace,
    Rule,
    Scenario,
    Sentinel,
    Silent,
    Start,
    State,
    Statement,
    Table,
    Toxicity,
    Verdict,
)
from doselang.syntax.statements import column_head, statement_lines

EMPTY_LINE = re.compile(r"\n[ \t\r\f]*\n")
NOT_RULES = (Assume, Silent, Background, Claim, Example, Scenario)
"""Statements that say nothing about what is done, and are left out where only the rules are shown."""

HEADED = (Rule, Part, Course, State, Ladder, Table)
"""Statements with an empty line before them, always."""


def layout(file: File, source: Source, remarks: Mapping[int, str] | None = None) -> str:
    """The text of a file in the one layout; `source` is what it was read from, and tells where its comments stood.

    `remarks` are written as comments above statements, by their number.

    A comment on a line of its own goes before the statement or clause that follows, one at the end of a line stays
    there; one in the midst of what becomes one line goes before it. Of the author's empty lines between statements
    one is kept; there is always one before a rule, and before the headers of parts, courses and states.
    """
    rooms = _rooms(file.statements, source)
    blocks = [_block(statement, room) for statement, room in zip(file.statements, rooms, strict=True)]
    placed = _placed([line for block in blocks for line in block], file.comments, source)
    text: list[str] = []
    number = end = 0
    for place, (statement, block) in enumerate(zip(file.statements, blocks, strict=True)):
        above = [comment for comment in placed.before[number] if comment.span.start < statement.span.start]
        text += _separated(above, statement, source, end)
        text += _comment_lines(placed.before[number][len(above) :], 0)
        text += [f"# {remarks[place]}"] if remarks and place in remarks else []
        for line in block:
            text += _comment_lines(placed.before[number], line.indent) if line is not block[0] else ()
            beside = placed.beside.get(number)
            text.append(f"{line.text()}  {_sign(beside)}" if beside else line.text())
            number += 1
        end = max(statement.span.end, beside.span.end if beside else 0)
    text += _separated(placed.before[number], None, source, end)
    return "".join(f"{line}\n" for line in (text[1:] if text[:1] == [""] else text))


def rules_view(file: File, source: Source | None = None) -> str:
    """What the rules say, and nothing else: no citations, assumptions, notices, claims, examples, or scenarios.

    With the `source` of a file that uses designs a comment tells which file the statements below it are from.
    """
    shown = tuple(_bare(statement) for statement in file.statements if not isinstance(statement, NOT_RULES))
    return layout(File(shown), Source("", ""), _origins(shown, source) if source and source.used else None)


def _origins(statements: Sequence[Statement], source: Source) -> dict[int, str]:
    """Above which statements another file begins, and its path."""
    paths = [source.path_of(statement.span.start) for statement in statements]
    return {place: f"from {path}" for place, path in enumerate(paths) if place == 0 or path != paths[place - 1]}


def reformat(source: Source, parse: Callable[[Source, Report], File], report: Report) -> str | None:
    """The text of a source in the one layout; None if it cannot be read, with the findings in `report`.

    The result is read again: if it does not mean the same, or a comment was lost, that is a fault in doselang, raised
    as Trouble, and nothing is to be written.
    """
    file = parse(source, report)
    if report.has_errors:
        return None
    text = layout(file, source)
    again = Report()
    read = parse(Source(source.path, text), again)
    if any(item.code == "DL704" for item in again):
        message = f"{source.path} would be too large once it is laid out; it is left as it is."
        raise trouble("DL704", message, help="Keep one protocol in a file.", path=source.path)
    if again.has_errors or read != file or _comments(read) != _comments(file):
        lost = "a comment would be lost" if read == file and not again.has_errors else "it would read otherwise"
        raise trouble(
            "DL999",
            f"doselang cannot lay out this file: {lost}; the file is left as it is",
            help="please report this, with the file",
            path=source.path,
        )
    return text


def _comments(file: File) -> list[str]:
    return [comment.text.strip() for comment in file.comments]


def _bare(statement: Statement) -> Statement:
    match statement:
        case Rule(basis=basis):
            return evolve(statement, basis=tuple(item for item in basis if isinstance(item, Overrides)))
        case Cycle() | Component() | Start() | Toxicity() | Event() | Replace() | Body() | Verdict():
            return evolve(statement, cites=())
        case Part() | Cohorts() | Accrue() | State() | Counter() | Sentinel() | Look() | Ladder() | Grid():
            return evolve(statement, cites=())
        case Table() | Engine() | Evaluability():
            return evolve(statement, cites=())
        case _:
            return statement


# ---- comments ----


@frozen
class _Placed:
    """Where comments go, by the number of the clause: on lines of their own before it, and one beside its end.

    After the last clause there is one more number, for what stands at the end of the file.
    """

    before: defaultdict[int, list[Comment]] = field(factory=lambda: defaultdict(list))
    beside: dict[int, Comment] = field(factory=dict)


def _placed(lines: Sequence[Line], comments: Sequence[Comment], source: Source) -> _Placed:
    placed, ends = _Placed(), [line.end for line in lines]
    for comment in comments:
        start = comment.span.start
        number = bisect_right(ends, start)  # of the first clause that ends after the comment begins
        if number and "\n" not in source.text[ends[number - 1] : start]:
            placed.beside[number - 1] = comment
        else:
            placed.before[number].append(comment)
    return placed


def _sign(comment: Comment) -> str:
    return f"# {comment.text.rstrip()}".rstrip()


def _comment_lines(comments: Sequence[Comment], indent: int) -> list[str]:
    return [" " * indent + _sign(comment) for comment in comments]


# ---- empty lines and columns ----


def _separated(above: Sequence[Comment], statement: Statement | None, source: Source, end: int) -> list[str]:
    """The comments above a statement, with the empty lines among them; `end` is where the statement before ended."""
    items = [*above, statement] if statement else list(above)
    gaps = []
    for item in items:
        gaps.append(EMPTY_LINE.search(source.text, end, item.span.start) is not None)
        end = item.span.end
    if isinstance(statement, HEADED):
        # The empty line goes above the comments that stand right above the statement.
        first = max((number for number, gap in enumerate(gaps) if gap), default=0)
        gaps[first] = True
    lines = []
    for item, gap in zip(items, gaps, strict=True):
        lines += [""] if gap else []
        lines += _comment_lines([item], 0) if isinstance(item, Comment) else []
    return lines


def _block(statement: Statement, room: int) -> list[Line]:
    *front, last = statement_lines(statement, room)
    return [*front, evolve(last, end=statement.span.end)]


def _rooms(statements: Sequence[Statement], source: Source) -> list[int]:
    """How wide the first column of each statement is: as its widest neighbour's, up to the next empty line."""
    rooms: list[int] = []
    run: list[str] = []
    for number, statement in enumerate(statements):
        previous = statements[number - 1]
        parted = EMPTY_LINE.search(source.text, previous.span.end, statement.span.start) is not None
        if parted or type(statement) is not type(previous):
            rooms += _run_rooms(run)
            run = []
        run.append(column_head(statement))
    return rooms + _run_rooms(run)


def _run_rooms(heads: Sequence[str]) -> list[int]:
    return [max((len(head) for head in heads if len(head) <= WIDEST_HEAD), default=0)] * len(heads)
