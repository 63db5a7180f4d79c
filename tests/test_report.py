"""Renderers of findings and of tables: what people, editors, GitHub and programs are shown."""

from __future__ import annotations

import csv
import io
import json

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.diagnostics import Diagnostic, Label
from doselang.report.concise import render_concise
from doselang.report.diagnostics_json import diagnostic_record, render_json, severity_counts, write_json
from doselang.report.excerpt import Mark, excerpt
from doselang.report.github import render_github
from doselang.report.printable import printable, width
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table
from doselang.report.text import count_words, render_text
from doselang.source import Source, Span

TEXT = """\
protocol "Two levels"
rule "up"
  when none of 3 patients has a DLT
  then escalate
rule "down"
  when none of 3 patients has a DLT and a lower level remains
  then de-escalate
"""
SOURCE = Source("two.dose", TEXT)


def span(words: str, source: Source = SOURCE) -> Span:
    start = source.text.index(words)
    return Span(start, start + len(words))


CONFLICT = Diagnostic(
    "DL302",
    "two rules answer what comes next",
    span("then de-escalate"),
    (Label(span("then escalate"), "this rule goes up"),),
    history="1NNN 2NNN",
    cites=("the next level opens",),
    notes=("it is so at level 2 only",),
    help='write one of them as\n  overrides "up"',
    cause="escalation, first cohort",
    states=4,
    probability={"gentle": 0.5},
)


def test_text_has_place_line_underline_history_and_help() -> None:
    assert render_text([CONFLICT], SOURCE) == (
        "two.dose:7:3: error DL302 conflicting-answers\n"
        "  two rules answer what comes next\n"
        "\n"
        "   4 |   then escalate\n"
        "     |   ------------- this rule goes up\n"
        "   7 |   then de-escalate\n"
        "     |   ^^^^^^^^^^^^^^^^\n"
        "\n"
        "  history   1NNN 2NNN\n"
        '  cites     "the next level opens"\n'
        "  note      it is so at level 2 only\n"
        "  chance    50.00% in gentle\n"
        "  help      write one of them as\n"
        '              overrides "up"\n'
    )


def test_text_of_several_findings_has_an_empty_line_between() -> None:
    bare = Diagnostic("DL201", "no start is given")
    two = render_text([bare, bare], SOURCE)
    assert two == "two.dose: error DL201 missing-statement\n  no start is given\n" + "\n" + two[: len(two) // 2]
    assert render_text([], SOURCE) == ""


def test_text_without_a_path_and_without_remarks() -> None:
    found = Diagnostic("DL903", "there is no format `xml`")
    assert render_text([found], Source("", "")) == "error DL903 wrong-option\n  there is no format `xml`\n"


def test_colour_only_if_asked() -> None:
    assert "\x1b[" not in render_text([CONFLICT], SOURCE)
    painted = render_text([CONFLICT], SOURCE, color=True)
    assert "\x1b[" in painted
    assert click.unstyle(painted) == render_text([CONFLICT], SOURCE)


def test_a_span_of_several_lines_is_underlined_in_its_first() -> None:
    shown = render_text([Diagnostic("DL304", "never", span('"up"').to(span("then escalate")))], SOURCE)
    assert '   2 | rule "up"\n     |      ^^^^\n' in shown


def test_an_empty_span_at_the_end_of_the_file_has_one_caret() -> None:
    shown = render_text([Diagnostic("DL101", "more is needed", Span(len(TEXT), len(TEXT)))], SOURCE)
    assert "two.dose:8:1: error" in shown
    assert "   8 |\n     | ^\n" in shown


def test_two_marks_in_one_line_stand_below_each_other() -> None:
    marks = (Mark(span('"up"'), main=True), Mark(span("rule"), "here"))
    (line,) = excerpt(SOURCE, marks)
    assert [(under.indent, under.length, under.text) for under in line.underlines] == [(0, 4, "here"), (5, 4, "")]


@pytest.mark.parametrize(
    ("text", "shown", "indent"),
    [
        ("\twhen X", "    when X", 9),
        ("a\tX", "a    X", 5),
        ("# 剂量 X", "# 剂量 X", 7),
        ("e\u0301 X", "e\u0301 X", 2),
        ("\x1b[31m X", "\ufffd[31m X", 6),
        ("\u202e X\r", "\ufffd X", 2),
    ],
)
def test_the_underline_stands_below_its_words(text: str, shown: str, indent: int) -> None:
    source = Source("x.dose", text + "\n")
    (line,) = excerpt(source, (Mark(span("X", source)),))
    assert line.text == shown
    assert [(under.indent, under.length) for under in line.underlines] == [(indent, 1)]


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 90))
def test_a_long_line_is_clipped_around_the_underlined_words(before: int, after: int, length: int) -> None:
    source = Source("x.dose", "-" * before + "X" * length + "-" * after)
    (line,) = excerpt(source, (Mark(span("X" * length, source)),))
    (under,) = line.underlines
    assert width(line.text) <= 112
    assert line.text[under.indent : under.indent + under.length] == "X" * under.length
    assert under.length == length or line.text.endswith("…")
    assert line.text.startswith("…") or line.text[0] == source.text[0]


def test_a_mark_beyond_the_shown_part_is_below_its_end() -> None:
    source = Source("x.dose", "A" + "-" * 300 + "B")
    (line,) = excerpt(source, (Mark(span("A", source), main=True), Mark(span("B", source), "and this")))
    assert line.text.endswith("…")
    assert line.underlines[1].indent == len(line.text) - 1


@given(st.text())
def test_nothing_in_a_file_reaches_a_terminal_as_a_command(text: str) -> None:
    source = Source(text, text)
    found = Diagnostic("DL101", text, Span(0, len(text)), (Label(Span(0, 1), text),), text, (text,), (text,), text)
    shown = render_text([found], source) + render_concise([found], source)
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert render_concise([found], source).count("\n") == 1


def test_counts_in_words() -> None:
    warning = Diagnostic("DL304", "x")
    assert count_words([CONFLICT, CONFLICT, warning]) == "2 errors, 1 warning"
    assert count_words([Diagnostic("DL312", "x")]) == "1 note"
    assert count_words([]) == "nothing found"
    assert severity_counts([CONFLICT, warning]) == {"error": 1, "warning": 1, "info": 0}


def test_concise_is_a_line_a_finding() -> None:
    whole = Diagnostic("DL603", "a rule\nwithout basis")
    assert render_concise([CONFLICT, whole], SOURCE) == (
        "two.dose:7:3: error DL302 two rules answer what comes next [1NNN 2NNN]\n"
        "two.dose:1:1: warning DL603 a rule without basis\n"
    )


def test_github_commands_are_escaped() -> None:
    source = Source("a,b:c%.dose", TEXT)
    (line,) = render_github([CONFLICT], source).splitlines()
    assert line == (
        "::error file=a%2Cb%3Ac%25.dose,line=7,endLine=7,col=3,endColumn=19,title=DL302 conflicting-answers"
        "::two rules answer what comes next%0Ahistory: 1NNN 2NNN%0Ait is so at level 2 only"
        '%0Ahelp: write one of them as%0A  overrides "up"'
    )
    long = Diagnostic("DL312", "100% silent\r\n::error::no", span("rule").to(span("escalate")))
    assert render_github([long], SOURCE) == (
        "::notice file=two.dose,line=2,endLine=4,title=DL312 declared-silence::100%25 silent%0D%0A::error::no\n"
    )
    assert render_github([Diagnostic("DL901", "gone")], Source("", "")) == "::error title=DL901 file-unreadable::gone\n"


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    record = diagnostic_record(CONFLICT, SOURCE)
    assert record == {
        "code": "DL302",
        "name": "conflicting-answers",
        "severity": "error",
        "message": "two rules answer what comes next",
        "line": 7,
        "column": 3,
        "end_line": 7,
        "end_column": 19,
        "labels": [{"line": 4, "column": 3, "end_line": 4, "end_column": 16, "text": "this rule goes up"}],
        "history": "1NNN 2NNN",
        "cites": ["the next level opens"],
        "notes": ["it is so at level 2 only"],
        "help": 'write one of them as\n  overrides "up"',
        "cause": "escalation, first cohort",
        "states": 4,
        "probability": {"gentle": 0.5},
    }
    bare = diagnostic_record(Diagnostic("DL201", "x"), SOURCE)
    assert list(bare) == list(record)
    assert (bare["line"], bare["column"], bare["end_line"], bare["end_column"]) == (1, 1, 1, 1)
    assert [bare[key] for key in ("history", "help", "cause", "states", "probability")] == [None] * 5
    assert json.loads(render_json([CONFLICT], SOURCE)) == [record]


def test_json_has_no_nan() -> None:
    assert write_json({"name": "µ"}) == '{\n  "name": "µ"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json({"p": float("nan")})


TABLE = Table(
    [Column("level"), Column("chance of DLT", "right"), Column("why")], [("1", "5.0%", "a|b"), ("2A", "12.5%", "")]
)


def test_a_table_as_text() -> None:
    assert text_table(TABLE, indent=2) == (
        "  level  chance of DLT  why\n"
        "  -----  -------------  ---\n"
        "  1               5.0%  a|b\n"
        "  2A             12.5%\n"
    )  # fmt: skip


def test_a_table_as_markdown() -> None:
    assert markdown_table(TABLE) == (
        "| level | chance of DLT | why |\n"
        "| --- | ---: | --- |\n"
        "| 1 | 5.0% | a\\|b |\n"
        "| 2A | 12.5% |  |\n"
    )  # fmt: skip


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_table_as_csv_is_read_back_as_it_was(rows: list[tuple[str, str]]) -> None:
    rows = [tuple(cell.replace("\r", "").replace("\0", "") for cell in row) for row in rows]
    written = csv_table(Table([Column("a"), Column("b,c")], rows))
    assert [tuple(row) for row in csv.reader(io.StringIO(written, newline=""))] == [("a", "b,c"), *rows]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_text_table_is_aligned_and_a_line_a_row(rows: list[tuple[str, str]]) -> None:
    table = Table([Column("a", "right"), Column("b")], rows)
    lines = text_table(table).splitlines()
    assert len(lines) == len(rows) + 2
    room = max([1, *(width(printable(row[0])) for row in rows)])
    assert lines[1].startswith("-" * room + "  -")


def test_a_row_with_a_missing_cell_is_a_fault() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        Table([Column("a"), Column("b")], [("1",)])
