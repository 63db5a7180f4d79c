"""Reading: every node with its place, every fault said once and where it stands, and nothing that breaks the reader."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Lark
from lark.exceptions import UnexpectedInput
from lark.lexer import PatternRE, PatternStr, TerminalDef

from doselang.diagnostics import Diagnostic, Report
from doselang.resources import resource
from doselang.source import Source, Span
from doselang.syntax import nodes as n
from doselang.syntax import tables
from doselang.syntax.lexer import DIGITS
from doselang.syntax.parse import LARGEST, MOST_FAULTS, parse
from doselang.syntax.phrases import MOVE_WORDS, PHRASES, STATEMENT_WORDS
from doselang.syntax.shape import Shape
from doselang.syntax.tables import END, grammar
from doselang.syntax.wording import FRIENDLY, GROUPS, MODELS, SENTENCES

ROOT = Path(__file__).parent.parent
GRAMMAR = (ROOT / "grammars" / "doselang.lark").read_text(encoding="utf-8")
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```dose\n(.*?)^```", LANGUAGE, re.DOTALL | re.MULTILINE)
SCRIPTS = [
    path.read_text(encoding="utf-8")
    for path in sorted([*(ROOT / "protocols").rglob("*.dose"), *(ROOT / "tests" / "scripts").rglob("*.dose")])
]
RULE = 'rule "r"\n  when {}\n  then stay\n'
MOVE = 'rule "r"\n  when none of 3 patients has a DLT\n  then {}\n'


def read(text: str) -> tuple[n.File, tuple[Diagnostic, ...]]:
    report = Report()
    file = parse(Source("test.dose", text), report)
    assert len(report) == len(tuple(report)), "the same finding twice"
    return file, tuple(report)


def good(text: str) -> n.File:
    file, found = read(text)
    assert not found, [(item.message, text[item.span.start : item.span.end]) for item in found]
    return file


def only(text: str) -> n.Statement:
    (statement,) = good(text).statements
    return statement


def guard(text: str) -> n.Guard:
    statement = only(f'silent "x" when {text}')
    assert isinstance(statement, n.Silent) and statement.when is not None
    return statement.when


def moves(text: str) -> tuple[n.Move, ...]:
    statement = only(f'rule "r" when progression then {text}')
    assert isinstance(statement, n.Rule)
    return statement.cases[0].moves


def underlined(text: str, item: Diagnostic) -> str:
    return text[item.span.start : item.span.end]


def nodes(value: object) -> Iterator[n.Node]:
    """A node and all nodes below it."""
    if isinstance(value, n.Node):
        yield value
        for field in attrs.fields(type(value)):
            yield from nodes(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from nodes(item)


# ---- the grammar and the tables around it ----


def bounded_keywords(terminal: TerminalDef) -> None:
    """Make a keyword what the reader takes it for: in any case, and a whole word."""
    if isinstance(terminal.pattern, PatternStr) and terminal.pattern.value[0].isalpha():
        pattern = re.escape(terminal.pattern.value) + r"(?![A-Za-z0-9_-])"
        terminal.pattern, terminal.priority = PatternRE(pattern, flags=("i",)), 1


@pytest.fixture(scope="module")
def lark() -> Lark:
    """The grammar as Lark reads it alone, with its own lexer; strict: a conflict or a collision is an error."""
    return Lark(
        GRAMMAR,
        parser="lalr",
        lexer="contextual",
        strict=True,
        edit_terminals=bounded_keywords,
        transformer=Shape(),
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def test_the_grammar_is_free_of_conflicts_and_collisions(lark: Lark) -> None:
    assert len(lark.terminals) > 100


@pytest.mark.parametrize("text", [*SCRIPTS, *BLOCKS])
def test_the_reader_reads_what_lark_reads(lark: Lark, text: str) -> None:
    assert good(text).statements == tuple(lark.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "escalate-",
        "level 1 x 3 ,y 4\nlevel -1 x 2.5",
        'component x in mg/m2 cites "a"',
        "toxicity t written A",
        "levels 2A to levels",
        "LEVELS 1 TO 3 Start AT Level 1",
        'part A "the part" cohorts of cohorts',
        "level 1 x .5",
        "level 2A-1",
        "level 1.0",
        "level -1A x 3",
        'parameter levels is 5 means "x" levels 1 to levels',
        "component c in µg",
        "cycle is 3.5days",
        "state a-b-c final state x_1",
    ],
)
def test_the_reader_and_lark_agree_on_what_is_a_word(lark: Lark, text: str) -> None:
    try:
        expected = tuple(lark.parse(text))
    except UnexpectedInput:
        assert read(text)[1]
    else:
        assert good(text).statements == expected


def test_every_rule_of_the_grammar_has_a_method() -> None:
    transparent = {"statement", "guard", "both", "term", "atom", "literal", "literal_value"}
    rules = {str(rule.alias or rule.origin.name) for rule in grammar().lark.rules}
    assert {rule for rule in rules if not rule.startswith("_")} - transparent <= set(vars(Shape))


def test_every_kind_of_word_has_a_friendly_name() -> None:
    kinds = {kind for row in grammar().rows.values() for kind in row if kind.isupper() or kind == END}
    assert kinds <= set(grammar().spelled) | set(FRIENDLY)
    assert {"NAME", "STRING", "NUMBER"} <= set(FRIENDLY)


def test_the_tables_of_messages_speak_of_what_there_is() -> None:
    kinds = set(grammar().spelled)
    assert set(MODELS) == grammar().statements
    assert set(SENTENCES) <= kinds and set(STATEMENT_WORDS.values()) <= set(grammar().lexer.words)
    for _, words in GROUPS:
        assert grammar().accepts(grammar().walk(words))
    assert {word.split()[0] for word in MOVE_WORDS.values()} <= set(grammar().lexer.words)


@pytest.mark.parametrize("model", MODELS.values())
def test_models_of_statements_can_be_read(model: str) -> None:
    good(model)


@pytest.mark.parametrize("move", MOVE_WORDS.values())
def test_moves_that_are_suggested_can_be_read(move: str) -> None:
    completed = {"enrol": "enrol 3", "begin": "begin expansion", "enter": "enter off"}
    good(MOVE.format(completed.get(move, move)))


def test_words_that_can_stand_inside_a_statement_are_known() -> None:
    inside = {
        "ASSUME",
        "COHORTS",
        "CYCLE",
        "EVENT",
        "LEVEL",
        "LEVELS",
        "PART",
        "PATIENT",
        "SENTINEL",
        "START",
        "VERDICT",
    }
    assert grammar().ambiguous == inside


# ---- nodes ----

DLT, THREE = n.Name("DLT"), n.Number(Fraction(3), "3")
THIS, NEXT_LOWER = n.Place("this"), n.Place("next lower")


def number(value: int) -> n.Number:
    return n.Number(Fraction(value), str(value))


def level(label: str) -> n.Place:
    return n.Place("level", n.Label(label))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('protocol "A title"', n.ProtocolTitle(n.Text("A title"))),
        ('text "a.md"', n.TextFile(n.Text("a.md"))),
        (
            'parameter top is 5 means "m"',
            n.ParameterDecl(n.Name("top"), (number(5),), (), None, None, n.Means(n.Text("m"))),
        ),
        (
            "parameter levels is 33.30%",
            n.ParameterDecl(n.Name("levels"), (n.Percent(n.Number(Fraction(333, 10), "33.30")),), (), None, None, None),
        ),
        ('assume "a" because "b"', n.Assume(n.Text("a"), n.Text("b"))),
        ('silent "s"', n.Silent(n.Text("s"), None)),
        ('background "b"', n.Background(n.Text("b"))),
        ('cycle is 1 week cites "c"', n.Cycle(n.Duration(number(1), "weeks"), (n.Cites(n.Text("c")),))),
        ("component x in mg/m2", n.Component(n.Name("x"), n.Unit("mg/m2"), ())),
        ("component x", n.Component(n.Name("x"), None, ())),
        ("level -1", n.Level(n.Label("-1"), ())),
        (
            'level 2A x 3, y top, z "low"',
            n.Level(
                n.Label("2A"),
                (
                    n.Dose(n.Name("x"), THREE),
                    n.Dose(n.Name("y"), n.Parameter(n.Name("top"))),
                    n.Dose(n.Name("z"), n.Text("low")),
                ),
            ),
        ),
        ("levels 1 to levels", n.Levels(n.Label("1"), n.Label("levels"), ())),
        ("start at level 2A", n.Start(n.Label("2A"), ())),
        (
            "toxicity DLT within cycle 1 written T",
            n.Toxicity(DLT, n.WithinCycles(number(1), None), n.Written("T"), None, ()),
        ),
        (
            "toxicity DLT within cycle 1 to cohorts",
            n.Toxicity(DLT, n.WithinCycles(number(1), n.Parameter(n.Name("cohorts"))), None, None, ()),
        ),
        ("toxicity DLT within 14 days", n.Toxicity(DLT, n.Within(n.Duration(number(14), "days")), None, None, ())),
        (
            'event p written P means "m" cites "c"',
            n.Event(n.Name("p"), n.Written("P"), n.Means(n.Text("m")), (n.Cites(n.Text("c")),)),
        ),
        ("replace inevaluable patients", n.Replace(())),
        ("body the-board", n.Body(n.Name("the-board"), None, ())),
        (
            "verdict RP2D as the result requires no DLT",
            n.Verdict(n.Name("RP2D"), True, None, n.Tally(n.Quantifier("none"), DLT, None, None), ()),
        ),
        ('part p "title"', n.Part(n.Name("p"), n.Text("title"), ())),
        ("cohorts of 3 patients", n.Cohorts(THREE, ())),
        ("accrue at least 2 and at most 6 patients at a level", n.Accrue(number(2), number(6), "level", ())),
        ("accrue at most 6 in the part", n.Accrue(None, number(6), "part", ())),
        ("accrue at least 6 in the trial", n.Accrue(number(6), None, "trial", ())),
        ("patient course", n.Course(False, ())),
        ("state off final", n.State(n.Name("off"), True, None, ())),
        (
            'claim "c" in patient course when p never q',
            n.Claim(n.Text("c"), (), True, n.Happened(n.Name("p")), "never", n.Happened(n.Name("q"))),
        ),
        (
            'claim "c" cites "s" eventually p',
            n.Claim(n.Text("c"), (n.Cites(n.Text("s")),), False, None, "eventually", n.Happened(n.Name("p"))),
        ),
        ('example "1T" then wait', n.Example(False, n.Text("1T"), (), "wait", ())),
        (
            'example patient "2 ." with level 2 closed as too toxic, level 1 closed as too toxic then stay by "a", "b"',
            n.Example(True, n.Text("2 ."), (n.Label("2"), n.Label("1")), (n.Step("stay"),), (n.Text("a"), n.Text("b"))),
        ),
        (
            'scenario "s" DLT 10%, 20% each cycle p 5% chance "r" top%',
            n.Scenario(
                n.Text("s"),
                (
                    n.Rates(DLT, (n.Percent(number(10)), n.Percent(number(20)))),
                    n.Hazards(n.Name("p"), (n.Percent(number(5)),)),
                    n.Chances(n.Text("r"), (n.Percent(n.Parameter(n.Name("top"))),)),
                ),
            ),
        ),
        (
            'rule "r" at any time overrides "a", "b" cites "c" assume "d" because "e" '
            "when p then stay when q then stop",
            n.Rule(
                n.Text("r"),
                True,
                (n.Overrides((n.Text("a"), n.Text("b"))), n.Cites(n.Text("c")), n.Assume(n.Text("d"), n.Text("e"))),
                (n.Case(n.Happened(n.Name("p")), (n.Step("stay"),)), n.Case(n.Happened(n.Name("q")), (n.Stop(None),))),
            ),
        ),
    ],
)
def test_statements(text: str, expected: n.Statement) -> None:
    assert only(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none of 3 patients has a DLT", n.Share(n.Quantifier("none"), n.Group("all", THREE), DLT, None)),
        ("1 of the first 3 have DLT", n.Share(number(1), n.Group("first", THREE), DLT, None)),
        (
            "at least 2 of the added 3 patients have a DLT at the next lower level",
            n.Share(n.Bound("at least", number(2)), n.Group("added", THREE), DLT, NEXT_LOWER),
        ),
        ("2 DLTs", n.Tally(number(2), n.Name("DLTs"), None, None)),
        (
            "between 1 and 2 DLTs in the cohort",
            n.Tally(n.Between(number(1), number(2)), n.Name("DLTs"), None, n.Scope("cohort")),
        ),
        (
            "more than 3 evaluable patients at the MTD in escalation",
            n.Tally(
                n.Bound("more than", THREE),
                "evaluable",
                n.Place("verdict", None, n.Name("MTD")),
                n.Scope("named", n.Name("escalation")),
            ),
        ),
        ("fewer than 3 cycles", n.Tally(n.Bound("fewer than", THREE), "cycles", None, None)),
        ("any DLT in the trial", n.Tally(n.Quantifier("any"), DLT, None, n.Scope("trial"))),
        (
            "the DLT rate at level 2 in the part is at most 33%",
            n.Rate(DLT, level("2"), n.Scope("part"), n.Bound("at most", n.Percent(number(33)))),
        ),
        ("the DLT rate is more than 1/3", n.Rate(DLT, None, None, n.Bound("more than", n.Ratio(number(1), THREE)))),
        ("the DLT rate is exactly target", n.Rate(DLT, None, None, n.Bound("exactly", n.Parameter(n.Name("target"))))),
        ("this level is closed as too toxic", n.PlaceIs(THIS, False, n.HasStatus("closed", True))),
        ("this level is not closed", n.PlaceIs(THIS, True, n.HasStatus("closed", False))),
        (
            "the next lower level that remains is untried",
            n.PlaceIs(n.Place("next lower that remains"), False, n.HasStatus("untried")),
        ),
        (
            "the next higher level is above level 3",
            n.PlaceIs(n.Place("next higher"), False, n.Compared("above", level("3"))),
        ),
        (
            "the highest level is below the start level",
            n.PlaceIs(n.Place("highest"), False, n.Compared("below", n.Place("start"))),
        ),
        (
            "the lowest level is the assigned level",
            n.PlaceIs(n.Place("lowest"), False, n.Compared("same", n.Place("assigned"))),
        ),
        ("off is entered", n.PlaceIs(n.Place("verdict", None, n.Name("off")), False, n.Mark("entered"))),
        ("the MTD is declared", n.PlaceIs(n.Place("verdict", None, n.Name("MTD")), False, n.Mark("declared"))),
        ("the MTD has been declared", n.DeclaredBefore(n.Name("MTD"))),
        ("a verdict is declared", n.AnyVerdict(False)),
        ("no verdict is declared", n.AnyVerdict(True)),
        ("no higher level exists", n.Standing(True, "higher", "exists")),
        ("a lower level remains", n.Standing(False, "lower", "remains")),
        ("a lower level is closed as too toxic", n.Standing(False, "lower", n.HasStatus("closed", True))),
        ("a higher level", n.Standing(False, "higher", None)),
        ("progression", n.Happened(n.Name("progression"))),
        ("no event", n.Fact("no event")),
        ("the cohort is complete", n.Fact("cohort complete")),
        ("the trial is stopped", n.Fact("trial stopped")),
        (
            "p and q or not (r)",
            n.AnyOf(
                (
                    n.AllOf((n.Happened(n.Name("p")), n.Happened(n.Name("q")))),
                    n.Negated(n.Grouped(n.Happened(n.Name("r")))),
                )
            ),
        ),
        ("p and q and r", n.AllOf((n.Happened(n.Name("p")), n.Happened(n.Name("q")), n.Happened(n.Name("r"))))),
    ],
)
def test_conditions(text: str, expected: n.Guard) -> None:
    assert guard(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("escalate", (n.Step("escalate"),)),
        ("de-escalate, stay", (n.Step("de-escalate"), n.Step("stay"))),
        ("enrol 3 more patients at the next lower level", (n.Enrol(THREE, True, NEXT_LOWER),)),
        ("enrol size", (n.Enrol(n.Parameter(n.Name("size")), False, None),)),
        ("close level 3 with all above as too toxic", (n.Close(level("3"), True, True),)),
        ("close this level", (n.Close(THIS, False, False),)),
        ("declare this level as the MTD and stop", (n.Declare(THIS, n.Name("MTD")), n.Stop(None))),
        ('declare no MTD, stop "why"', (n.Declare(None, n.Name("MTD")), n.Stop(n.Text("why")))),
        ("begin expansion at the MTD", (n.Begin(n.Name("expansion"), n.Place("verdict", None, n.Name("MTD"))),)),
        ("continue at level 2", (n.Continue(level("2")),)),
        ("enter off", (n.Enter(n.Name("off"), None),)),
        (
            "may enter off and stay if the board agrees, otherwise stop",
            (n.May((n.Enter(n.Name("off"), None), n.Step("stay")), n.Name("board"), (n.Stop(None),)),),
        ),
        (
            "stay, ask board to choose escalate and stop or stay",
            (
                n.Step("stay"),
                n.Ask(n.Name("board"), (n.Option((n.Step("escalate"), n.Stop(None))), n.Option((n.Step("stay"),)))),
            ),
        ),
    ],
)
def test_moves(text: str, expected: tuple[n.Move, ...]) -> None:
    assert moves(text) == expected


def test_every_kind_of_node_is_built() -> None:
    text = "\n".join([*SCRIPTS, *BLOCKS])
    built = {type(node) for node in nodes(read(text)[0])}
    wanted = {kind for kind in vars(n).values() if isinstance(kind, type) and issubclass(kind, n.Node)} - {n.Node}
    assert wanted - built <= {n.Between, n.Scope, n.Rate, n.DeclaredBefore, n.AnyVerdict, n.Chances, n.Parameter}
    assert set(get_args(n.Statement)) <= built | {n.TextFile}


def test_keywords_are_read_in_any_case_and_names_keep_theirs() -> None:
    assert only("Toxicity dLt WITHIN Cycle 1 Written T") == only("toxicity DLT within cycle 1 written T")
    (statement,) = read("PART PartOne")[0].statements
    assert isinstance(statement, n.Part) and statement.name.text == "PartOne"


# ---- places ----


@pytest.mark.parametrize("text", [*SCRIPTS, *BLOCKS])
def test_a_statement_spans_its_text_and_nothing_else(text: str) -> None:
    file = good(text)
    assert file.span == Span(0, len(text))
    for statement in file.statements:
        own = text[statement.span.start : statement.span.end]
        assert own == own.strip() and only(own) == statement
    between = text
    for statement in reversed(file.statements):
        between = between[: statement.span.start] + between[statement.span.end :]
    assert not re.sub(r"#[^\n]*", "", between).split()


@pytest.mark.parametrize("text", [*SCRIPTS, *BLOCKS])
def test_a_node_lies_within_the_node_around_it(text: str) -> None:
    for statement in good(text).statements:
        for node in nodes(statement):
            assert node.span.start < node.span.end or isinstance(node, n.Course)
            for below in nodes(node):
                assert node.span.start <= below.span.start and below.span.end <= node.span.end, (node, below)


def test_names_numbers_and_sentences_span_what_is_written() -> None:
    for text in SCRIPTS:
        for node in nodes(good(text)):
            written = text[node.span.start : node.span.end]
            match node:
                case n.Name(text=own) | n.Number(text=own) | n.Label(text=own) | n.Unit(text=own):
                    assert written == own
                case n.Text(value=own):
                    assert written == f'"{own}"'


def test_details_span_their_own_words() -> None:
    text = 'rule "r"  at any time\n  when at least 2 of the first 3 have a DLT and (no event)\n  then stop "x" , stay'
    rule = only(text)
    assert isinstance(rule, n.Rule)
    spans = [text[node.span.start : node.span.end] for node in nodes(rule.cases)]
    assert spans[0] == text[text.index("when") :]
    for words in ("at least 2", "first 3", "at least 2 of the first 3 have a DLT", "(no event)", 'stop "x"', "stay"):
        assert words in spans


def test_comments_are_kept_with_their_places() -> None:
    text = '# first\nprotocol "no # comment" #second \n#\n  ##  third\r\npart p'
    file = good(text)
    assert [comment.text for comment in file.comments] == ["first", "second", "", "#  third"]
    assert [text[c.span.start : c.span.end] for c in file.comments] == ["# first", "#second", "#", "##  third"]
    assert len(file.statements) == 2


def test_a_comment_is_no_place_for_a_quotation_mark_to_count() -> None:
    file = good('part p  # the "first\npart q')
    assert len(file.statements) == 2 and file.comments[0].text == 'the "first'


# ---- faults: code, text underlined, message, help ----

FAULTS = [
    # signs
    (RULE.format("0/3 patients has a DLT"), "DL103", "0/3", "in words", "`0 of 3` or `none of 3`"),
    (RULE.format("3/3 has a DLT"), "DL103", "3/3", "in words", "`all of 3`"),
    (RULE.format("DLT >= 2"), "DL103", "DLT >= 2", "`>=` is written `at least`", "`at least 2 DLTs`"),
    (RULE.format("dlt ≥ 1"), "DL103", "dlt ≥ 1", "`≥`", "`at least 1 dlt`"),
    (RULE.format("DLT < 2"), "DL103", "DLT < 2", "`<` is written `fewer than`", "`fewer than 2 DLTs`"),
    (RULE.format("DLT = 0"), "DL103", "DLT = 0", "`=` is written `exactly`", "`no DLT`"),
    (RULE.format("DLT <= 1/6"), "DL103", "DLT <= 1/6", "`<=`", "`at most 1 of 6 patients have a DLT`"),
    (RULE.format("> 2 of 6 have a DLT"), "DL103", "> 2", "`>`", "`more than 2`"),
    (RULE.format("the DLT rate <= 33%"), "DL103", "<=", "`is at most`", "`is at most`"),
    (RULE.format("this level > 3"), "DL103", ">", "is above", "`is above`"),
    ("cycle = 28 days", "DL103", "=", "`=` is written `is`", "`is`"),
    ("parameter top = 5", "DL103", "=", "`=` is written `is`", "`is`"),
    (RULE.format("no event; no event"), "DL103", ";", "semicolon", "`,` or `and`"),
    (RULE.format("no event & no event"), "DL103", "&", "written `and`", "`and`"),
    (RULE.format("1–2 DLTs"), "DL103", "1–2", "range", "`between 1 and 2`"),
    ("levels 1-5", "DL103", "1-5", "range", "`1 to 5`"),
    ("levels 1..5", "DL103", "1..5", "range", "`1 to 5`"),
    ("level −1 x 3", "DL103", "−", "long dash", "`-1`"),
    ("level 1 — x 3", "DL103", "—", "long dash", "`-`"),
    (MOVE.format("escalate."), "DL103", ".", "full stop", "Leave the full stop out"),
    ("level 1: x 3", "DL103", ":", "colon", "Leave the colon out"),
    ("level 1 x .5", "DL103", ".5", "begins with a digit", "`0.5`"),
    (MOVE.format("stop “too toxic”"), "DL103", "“too toxic”", "curly", '`"too toxic"`'),
    (MOVE.format("stop 'too toxic'"), "DL103", "'too toxic'", "single", '`"too toxic"`'),
    ("protocol `title`", "DL103", "`title`", "single", '`"title"`'),
    ("part café", "DL103", "café", "letters a to z", "Names have letters"),
    ("part\u00a0x", "DL103", "\u00a0", "cannot be seen", "ordinary space"),
    ("part x\0", "DL103", "\0", "U+0000", "Delete it"),
    ("part x\udc80", "DL103", "\udc80", "U+DC80", "Delete it"),
    ("level 1 x 3_4", "DL103", "3_4", "neither a number nor a level's label", "`2A`"),
    ("level [1]", "DL103", "[", "Square brackets", "`(` and `)`"),
    ("part p # x\rpart q", "DL103", "# x\rpart q", "carriage return", "line ends"),
    # quotation marks
    ('rule "clear when no event then stay', "DL102", '"clear when no event then stay', "not closed", "same line"),
    ('assume "a because "b"', "DL102", '"a because "b"', "not closed", "same line"),
    ('rule clear" when no event then stay', "DL102", 'clear"', "missing before", "Open the sentence"),
    (
        'rule "r"\n cites "none of\n  the first three"\n when no event then stay',
        "DL102",
        '"none of',
        "goes on below",
        "on one line",
    ),
    ('rule "clear\n  cites "x"\n  when no event\n  then stay', "DL102", '"clear', "not closed", "same line"),
    # phrases
    (RULE.format("2 or more of 3 patients have a DLT"), "DL101", "2 or more of 3", "not a phrase", "`at least 2 of 3`"),
    (
        RULE.format("two or more of the first three have a DLT"),
        "DL101",
        "two or more of the first three",
        "phrase",
        "`at least 2 of the first 3`",
    ),
    (RULE.format("2 or fewer DLTs"), "DL101", "2 or fewer", "not a phrase", "`at most 2`"),
    (RULE.format("less than 2 DLTs"), "DL101", "less than", "not a phrase", "`fewer than`"),
    (RULE.format("greater than 2 DLTs"), "DL101", "greater than", "not a phrase", "`more than`"),
    (RULE.format("no more than 2 DLTs"), "DL101", "no more than", "not a phrase", "`at most`"),
    (
        RULE.format("1 of 3 have a DLT at any time"),
        "DL101",
        "at any time",
        "belongs after the rule's name",
        '`rule "r"  at any time`',
    ),
    ('claim "c" always at any time no event', "DL101", "at any time", "a rule only", "Leave it out"),
    (RULE.format("level is closed"), "DL101", "level", "does not say which level", "`this level`"),
    (MOVE.format("enrol 3 at level"), "DL101", "level", "does not say which level", "`level 2`"),
    (
        RULE.format("the previous level is closed"),
        "DL101",
        "the previous level",
        "Which level",
        "`the next lower level`",
    ),
    (
        MOVE.format("enrol 3 more at the previous level"),
        "DL101",
        "the previous level",
        "Which level",
        "`the next lower level`",
    ),
    (MOVE.format("enrol 3 at the lower level"), "DL101", "lower level", "Which lower level?", "`the next lower level`"),
    (RULE.format("this level is too toxic"), "DL101", "is too toxic", "not a phrase", "`is closed as too toxic`"),
    (RULE.format("1 patient has a DLT"), "DL101", "1 patient has a DLT", "Of how many patients?", "`1 of 3 patients`"),
    (RULE.format("three of 3 has a DLT"), "DL101", "three", "in digits", "`3`"),
    (MOVE.format("enrol three"), "DL101", "three", "in digits", "`3`"),
    ("cohorts of six", "DL101", "six", "in digits", "`6`"),
    (RULE.format("DLT at least 2"), "DL101", "DLT at least 2", "before what is counted", "`at least 2 DLTs`"),
    (RULE.format("33% of patients have a DLT"), "DL101", "33%", "said of a rate", "`the DLT rate is at least 33%`"),
    (
        RULE.format("all of 3 patients have no DLT"),
        "DL101",
        "no",
        "how many patients have",
        "`none of 3 patients has a DLT`",
    ),
    (RULE.format("2 of 3 patients have any DLT"), "DL101", "any", "not said of", "Leave `any` out."),
    (RULE.format("the DLT rate is 33%"), "DL101", "33", "how `33%` is compared", "`at most 33%`"),
    (RULE.format("the DLT rate is 1/3"), "DL101", "1", "how `1/3` is compared", "`at most 1/3`"),
    (RULE.format("the DLT rate is at most one third"), "DL101", "one third", "as a fraction", "Write `1/3`."),
    (RULE.format("the DLT rate is at most two Thirds"), "DL101", "two Thirds", "as a fraction", "Write `2/3`."),
    (
        RULE.format("more than a third of patients have a DLT"),
        "DL101",
        "third",
        "as a rate",
        "`the DLT rate is more than 1/3`",
    ),
    (
        RULE.format("at most half of the patients have a DLT"),
        "DL101",
        "half",
        "as a rate",
        "`the DLT rate is at most 1/2`",
    ),
    (RULE.format("the DLT rate is at least 1 of 3"), "DL101", "1 of 3", "a fraction or a percentage", "Write `1/3`."),
    (RULE.format("the DLT rate is ≥ 1/3"), "DL103", "≥ 1/3", "`at least`", "Write `at least 1/3`."),
    (RULE.format("at least 1/3 patients have a DLT"), "DL103", "1/3", "in words", "Write `1 of 3`, where"),
    (RULE.format("1/3 patients has a DLT"), "DL103", "1/3", "in words", "Write `1 of 3`."),
    (
        RULE.format("the DLT rate is between 1/6 and 33%"),
        "DL101",
        "between",
        "one bound at a time",
        "`the DLT rate is at least 1/6 and the DLT rate is at most 33%`",
    ),
    (RULE.format("The MTD is declared"), "DL101", "The", "small letters", "`the`"),
    (
        MOVE.format("expand to 6"),
        "DL101",
        "expand to 6",
        "not a move",
        "Write `fill this level to 6`.",
    ),
    (MOVE.format("de escalate"), "DL101", "de escalate", "not a phrase", "`de-escalate`"),
    (MOVE.format("close"), "DL101", "close", "not said which level is closed", "`close this level as too toxic`"),
    (
        MOVE.format("close as too toxic"),
        "DL101",
        "close",
        "not said which level is closed",
        "`close this level as too toxic`",
    ),
    (MOVE.format("escalate else stay"), "DL101", "else", "There is no `else`", "second `when … then …`"),
    (MOVE.format("escalate\n  otherwise stay"), "DL101", "otherwise", "There is no `else`", "second `when … then …`"),
    (
        MOVE.format("escalate if a higher level exists"),
        "DL101",
        "if",
        "begins with `when`",
        "`when CONDITION then MOVE`",
    ),
    ('rule "r" if no event then stay', "DL101", "if", "begins with `when`", "Write `when`"),
    (
        MOVE.format("escalate or stay"),
        "DL101",
        "or",
        "Moves are made together",
        "`ask BODY to choose escalate or stay`",
    ),
    ("toxicity DLT in cycle 1", "DL101", "in cycle 1", "not a phrase", "`within cycle 1`"),
    ("accrue at most 6 patients per level", "DL101", "per level", "not a phrase", "`at a level`"),
    ("cycle is 28d", "DL101", "28d", "two words", "`28 days`"),
    ("level 1 x 420mg", "DL101", "420mg", "without its unit", "Write `420`"),
    ("level 1 x 420 mg, y 3", "DL101", "mg", "without its unit", "Leave out `mg`"),
    ("component x in mg per kg", "DL101", "mg per kg", "one word", "`mg/kg`"),
    # words misspelt
    (MOVE.format("esclate"), "DL101", "esclate", "not a word of the language", "Did you mean `escalate`?"),
    (MOVE.format("deescalate"), "DL101", "deescalate", "not a phrase", "`de-escalate`"),
    (MOVE.format("enroll 3"), "DL101", "enroll 3", "not a phrase", "`enrol 3`"),
    (MOVE.format("enroll size"), "DL101", "enroll", "not a word", "Did you mean `enrol`?"),
    (MOVE.format("terminate"), "DL101", "terminate", "not a word", "Did you mean `stop`?"),
    (RULE.format("fewr than 6 evaluable"), "DL101", "fewr", "not a word", "Did you mean `fewer`?"),
    (RULE.format("thsi level is open"), "DL101", "thsi", "not a word", "Did you mean `this`?"),
    (RULE.format("at lest 2 of 3 have a DLT"), "DL101", "lest", "not a word", "Did you mean `least`?"),
    (RULE.format("1 of 3 pateints has a DLT"), "DL101", "pateints", "not a word", "Did you mean `patients`?"),
    (RULE.format("more then 2 DLTs"), "DL101", "then", "cannot stand here", "Did you mean `than`?"),
    ('rle "x" when no event then stay', "DL101", "rle", "No statement begins with `rle`", "Did you mean `rule`?"),
    ("cohort of 3", "DL101", "cohort", "No statement begins", "Did you mean `cohorts`?"),
    ("drug ibrutinib in mg", "DL101", "drug", "No statement begins", "Did you mean `component`?"),
    ("patient corse", "DL101", "corse", "not a word", "Did you mean `course`?"),
    # names and sentences
    (
        "event toxicity written U",
        "DL104",
        "toxicity",
        "`toxicity` is a word of the language and cannot be a name",
        "`toxicity-a`",
    ),
    ('part part "x"', "DL104", "part", "`part` is a word of the language and cannot be a name", "`part-a`"),
    ("parameter part is 3", "DL104", "part", "cannot be a name", "`part-a`"),
    (RULE.format("none of 3 has a level"), "DL104", "level", "cannot be a name", "`level-a`"),
    (
        'rule clear first cohort\n  cites "x"\n  when no event then stay',
        "DL101",
        "clear first cohort",
        "The name of a rule",
        '`rule "clear first cohort"`',
    ),
    ("protocol A trial of x", "DL101", "A trial of x", "The title", '`protocol "A trial of x"`'),
    ("text file.md", "DL101", "file.md", "The name of the file", '`text "file.md"`'),
    ("example 1NNN then escalate", "DL101", "1NNN", "A history", '`example "1NNN"`'),
    (
        MOVE.format("stop toxicity was too high"),
        "DL101",
        "toxicity was too high",
        "A reason",
        '`stop "toxicity was too high"`',
    ),
    ("rule\n  when no event then stay", "DL101", "rule", "The name of a rule is missing", '`rule "…"`'),
    ('component "x" in mg', "DL101", '"x"', "without quotation marks", "Write `x`"),
    ('part "dose escalation"', "DL101", '"dose escalation"', "without quotation marks", "`dose-escalation`"),
    ('toxicity DLT written "D"', "DL101", '"D"', "one capital letter", "`written D`"),
    ("toxicity DLT written t", "DL101", "t", "one capital letter", "`written T`"),
    # words missing or too many
    (RULE.format("1 3 patients have a DLT"), "DL101", "3", "`of` is missing before `3`", "`of 3`"),
    (RULE.format("(no event"), "DL101", "then", "`)` is missing before `then`", "`)`"),
    (RULE.format("no event)"), "DL101", ")", "cannot stand here", "Leave `)` out"),
    (RULE.format("no event and"), "DL101", "then", "A condition such as `none of 3 patients has a DLT` is missing", ""),
    (RULE.format("level 2 closed"), "DL101", "closed", "`is` is missing", "`is closed`"),
    ('rule "r" no event then stay', "DL101", "no", "`when` is missing before `no`", "`when no`"),
    ('rule "r" when no event stay', "DL101", "stay", "`then` is missing before `stay`", "`then stay`"),
    (RULE.format("(no event and"), "DL101", "then", "after `and` can come a condition", ""),
    (MOVE.format("begin part expansion at the MTD"), "DL101", "part", "cannot stand here", "Leave `part` out"),
    (MOVE.format("then stay"), "DL101", "then", "cannot stand here", "Leave `then` out"),
    (MOVE.format("enrol more"), "DL101", "more", "A number is missing", ""),
    (MOVE.format("wait"), "DL101", "wait", "after `then` can come a move such as `escalate`", ""),
    ("level 1 x 3 y 4", "DL101", "y", "`,` is missing before `y`", "`,`"),
    ("start level 1", "DL101", "level", "`at` is missing", "`at level`"),
    ("start with level 1", "DL101", "with", "cannot stand here", "Write `at` instead"),
    ("component x mg", "DL101", "mg", "`in` is missing", "`in mg`"),
    ('scenario "s" DLT 10, 20', "DL101", "10", "percentages", "`10%`"),
    ('scenario "s" DLT 0.15, 0.2', "DL101", "0.15", "percentages", "`15%`"),
    ('claim "c" no event', "DL101", "no", "can come among others `always`", "`never`, `always` or `eventually`"),
    ("cycle length is 28 days", "DL101", "length", "after `cycle` can come `is`", "`cycle is 28 days`"),
    # statements unfinished, or none
    ('rule "r" when no event', "DL101", "event", "The `rule` statement is not finished", "Add `then` and a move"),
    ("cycle is 28", "DL101", "28", "after `28` must come a unit of time such as `days`", "`cycle is 28 days`"),
    ("part\ncohorts of 3", "DL101", "part", "after `part` must come a name", "`part escalation`"),
    ('assume "x"', "DL101", '"x"', "not finished", "`because"),
    ('silent "x" when\nlevel 2 x 3', "DL101", "when", "must come a condition", ""),
    (MOVE.format("may escalate"), "DL101", "escalate", "not finished", "whose decision"),
    (MOVE.format("ask board to choose stay"), "DL101", "stay", "not finished", "another move to choose"),
    ("when no event then stay", "DL101", "when", "stands in a rule", "`rule"),
    ("escalate", "DL101", "escalate", "stands in a rule", "`rule"),
    (
        'Introduction\nprotocol "x"',
        "DL101",
        "Introduction",
        "No statement begins with `Introduction`",
        "The first is usually `protocol`",
    ),
    ('"x"', "DL101", '"x"', "No statement begins with a sentence", "such as `level`"),
    # limits
    ("part " + "x" * 101, "DL704", "x" * 101, "A name has at most 100 characters", "shorter"),
    ("level " + "9" * 21, "DL704", "9" * 21, "at most 20 characters", "shorter"),
    ("cycle is " + "9" * 10_000 + " days", "DL704", "9" * 10_000, "this one has 10,000", "shorter"),
    (RULE.format("(" * 41 + "no event" + ")" * 41), "DL704", "(", "more than 40 deep", "shorter conditions"),
    (RULE.format("not " * 41 + "no event"), "DL704", "not", "more than 40 deep", "shorter conditions"),
]


def test_one_patient_is_no_fault() -> None:
    for condition in (
        "1 of 1 patient has a DLT",
        "none of the first 1 patient has a DLT",
        "any of the added 1 has a DLT",
    ):
        _, found = read(RULE.format(condition))
        assert not found


@pytest.mark.parametrize(("text", "code", "words", "message", "help"), FAULTS, ids=[f[0][:60] for f in FAULTS])
def test_a_fault_is_said_once_and_where_it_stands(text: str, code: str, words: str, message: str, help: str) -> None:
    _, found = read(text)
    (item,) = found
    assert (item.code, underlined(text, item)) == (code, words)
    assert message in item.message and help in (item.help or "")


JARGON = re.compile(
    r"\b(?:token|terminal|parser?|syntax|grammar|identifier|keyword|string|None|[A-Z]{4,}|lookahead)\b|\?[A-Z]"
)


@pytest.mark.parametrize("text", [fault[0] for fault in FAULTS])
def test_messages_are_sentences_without_jargon(text: str) -> None:
    for item in read(text)[1]:
        for sentence in (item.message, item.help or "Yes."):
            assert (sentence[0].isupper() or sentence[0] == "`") and sentence[-1] in ".?", sentence
            words = re.sub(r"CONDITION|MOVE|BODY|U\+[0-9A-F]+|`[^`]*`", "", sentence)
            assert not JARGON.search(words), sentence
            assert sentence.isprintable() and len(sentence) < 200
        listed = re.search(r"(?:can|must) come (.*)", item.message)
        assert listed is None or listed[1].count(",") < 5


def test_the_place_where_a_statement_begins_is_shown_if_it_is_on_another_line() -> None:
    text = RULE.format("level is closed")
    (item,) = read(text)[1]
    (label,) = item.labels
    assert text[label.span.start : label.span.end] == "rule" and "begins here" in label.text
    assert not read('rule "r" when level is closed then stay')[1][0].labels


def test_phrases_are_recognised_in_any_case_of_letters() -> None:
    (item,) = read(RULE.format("Less Than 2 DLTs"))[1]
    assert item.help == "Write `fewer than`."
    assert {kind for _, _, kind in PHRASES} == {"phrase", "level", "else", "if", "expand"}


@pytest.mark.parametrize("word", sorted(DIGITS))
def test_numbers_in_letters_may_still_be_names_and_labels(word: str) -> None:
    good(f"part {word} levels {word} to five")


@pytest.mark.parametrize("word", sorted(grammar().lexer.words))
def test_no_word_of_the_language_is_a_name(word: str) -> None:
    _, found = read(f"body {word}\npart escalation")
    if word in ("means", "cites"):
        assert found  # the name is missing
    else:
        assert [item.code for item in found] == ["DL104"]
    good(f"body {word}-a")


# ---- recovery ----


def test_every_faulty_statement_is_reported_and_every_other_is_kept() -> None:
    text = """\
protocol "x"
component ibrutinib in mg
levl 1 ibrutinib 420
levl 2 ibrutinib 560
start at level 1
toxicity DLT  witin cycle 1  written T
part escalation
cohorts of three
rule "a"
  when level is closed
  then esclate
rule "b" when no event then stay   rule "c" when no event then stop
rule clear
  when no event
  level 2 is untried
  then stay
part expansion
rule "d"
  cites "none of the
level 2"
  when no event
  then stay
claim "e" never
level 3  ibrutinib 700
"""
    file, found = read(text)
    assert [underlined(text, item) for item in found] == [
        "levl",
        "levl",
        "witin",
        "three",
        "level",
        "clear",
        '"none of the',
        "never",
    ]
    kinds = [type(statement).__name__ for statement in file.statements]
    assert kinds == ["ProtocolTitle", "Component", "Start", "Toxicity", "Part", "Rule", "Rule", "Part", "Level"]


def test_layout_that_tells_nothing_is_read_by_its_words() -> None:
    text = 'rule "a"\nwhen no event\nlevel 2 is open\nthen stay\nrule "b"\nwhen no event\nthen esclate\npart p'
    file, found = read(text)
    assert [underlined(text, item) for item in found][-1] == "esclate" and len(found) == 2
    assert isinstance(file.statements[-1], n.Part)


def test_a_statement_that_the_one_before_has_swallowed_is_given_back() -> None:
    text = 'rule "a"\n  when no event\n  then enrol 3 at\nlevel 2  ibrutinib 420\npart b'
    file, found = read(text)
    assert [underlined(text, item) for item in found] == ["at"]
    assert [type(statement) for statement in file.statements] == [n.Level, n.Part]
    text = 'scenario "a"  DLT 5%\nsenario "b"  DLT 6%\nscenario "c"  DLT 7%'
    file, found = read(text)
    assert [underlined(text, item) for item in found] == ["senario"] and len(file.statements) == 2


def test_several_statements_on_a_line() -> None:
    case = "when no event then stay"
    text = f'protocol "x" part p cohorts of 3 rule "r" {case} part q foo rule "s" {case} part t'
    file, found = read(text)
    assert [underlined(text, item) for item in found] == ["foo"] and len(file.statements) == 7


DAMAGES = {
    "left out": lambda text, a, b: text[:a] + text[b:],
    "replaced": lambda text, a, b: text[:a] + "foo" + text[b:],
    "doubled": lambda text, a, b: text[:b] + " " + text[a:b] + text[b:],
    "a keyword": lambda text, a, b: text[:a] + "level" + text[b:],
    "a sign before": lambda text, a, b: text[:a] + "; " + text[a:],
    "a quotation mark before": lambda text, a, b: text[:a] + '"' + text[a:],
    "misspelt": lambda text, a, b: text[: a + 1] + text[a + 2 :] if b - a > 1 else text,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("text", [min(SCRIPTS, key=len), *sorted(BLOCKS, key=len)[-4:]], ids=lambda text: text[:20])
def test_one_damage_is_one_fault(text: str, damage: str) -> None:
    whole = len(good(text).statements)
    for token in grammar().lexer.tokens(text, 0, len(text)):
        damaged = DAMAGES[damage](text, token.start_pos, token.end_pos)
        file, found = read(damaged)
        assert len(found) <= 1, (damaged[token.start_pos - 40 : token.end_pos + 40], found)
        assert len(file.statements) >= whole - 2


# ---- limits ----


def test_a_file_that_is_too_large_is_not_read() -> None:
    file, found = read('protocol "x"\n' + "#" * LARGEST)
    assert not file.statements and [item.code for item in found] == ["DL704"] and "1 MiB" in found[0].message
    assert [item.code for item in read("#" + "é" * (LARGEST // 2))[1]] == ["DL704"]
    good("#" * LARGEST)


def test_reading_stops_after_many_faults() -> None:
    _, found = read("levl 1\n" * 200)
    assert len(found) == MOST_FAULTS + 1
    assert [item.code for item in found].count("DL704") == 1 and found[-1].code == "DL704"
    assert str(MOST_FAULTS) in found[-1].message


def test_forty_deep_is_read_and_deeper_is_not() -> None:
    good(RULE.format("(" * 40 + "this level is not open" + ")" * 40))
    good(RULE.format("not (" * 20 + "this level is not open" + ")" * 20))
    for text in ("(" * 10_000, "not " * 10_000, "not (" * 10_000):
        file, found = read('part p rule "x" when ' + text + "\npart b")
        assert [item.code for item in found] == ["DL704"] and len(file.statements) == 2


def test_the_number_of_words_is_limited() -> None:
    _, found = read('scenario "x" DLT ' + "1%," * 150_000 + "1%")
    assert [item.code for item in found] == ["DL704"] and "300,000" in found[0].message


M = LARGEST
HARD = {
    "zeros": "\0" * M,
    "quotation marks": '"' * 100_000,
    "open sentences": '"\n' * (M // 2),
    "spaces": " " * M,
    "digits": "1" * M,
    "letters": "a" * M,
    "articles": "a " * (M // 2),
    "names": "x " * (M // 2),
    "hyphens": "a-" * (M // 2),
    "a label": "level -" + "1" * (M - 8) + "_",
    "labels": "level " + "1a" * (M // 2 - 4) + "_",
    "parentheses": 'rule "x" when ' + "(" * (M - 20),
    "lines": "level\n" * (M // 6),
    "indented lines": "rule\n" + "  level\n" * (M // 8 - 2),
    "rules in a line": "rule x " * (M // 7),
    "levels": 'rule "x" when\n' + "  level 2\n" * (M // 10 - 10),
    "unclosed": 'rule "x\n' + "foo\n" * (M // 4 - 10),
    "conditions": 'rule "x" when ' + "level 2 is open and\n" * (M // 20 - 20) + ") then stay",
    "doses": "level 1 " + "x 3, " * (M // 5 - 20) + ")",
    "words": "".join(f"w{i}\n" for i in range(130_000)),
    "misspelt": "rule\n" + "".join(f"ru{i}\n" for i in range(110_000)),
    "letters of another script": "é" * (M // 2 - 1),
    "surrogates": "\ud800" * (M // 3 - 1),
    "a long sentence": 'protocol "' + "x" * (M - 20),
    "bytes": bytes(range(256)).decode("latin-1") * 2000,
    "statements": "level 1 " * (M // 8),
    "comments": "# x\n" * (M // 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HARD.values(), ids=list(HARD))
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    read(text)
    assert time.process_time() - begun < 10, "five times what it takes on a slow machine"


@pytest.mark.slow
def test_long_files_are_read_fast() -> None:
    text = "".join(
        f'rule "rule {i}"\n  cites "none of the first three patients at a level has a DLT"\n'
        f"  when none of 3 patients has a DLT and at most {i} evaluable in the trial\n  then escalate\n\n"
        for i in range(4000)
    )
    good(text[: len(text) // 100].rsplit("\nrule", 1)[0])
    begun = time.process_time()
    assert len(good(text).statements) == 4000
    assert len(text) / (time.process_time() - begun) > 300_000


# ---- any text ----

FRAGMENTS = st.sampled_from(
    [
        *grammar().lexer.words,
        *grammar().lexer.signs,
        "DLT",
        "x",
        "3",
        "33%",
        "-1",
        "2A",
        '"a b"',
        '"',
        "\n",
        "\n  ",
        " ",
        "#",
        "≥",
        "/",
        ".",
        "the",
    ]
)


def check_reading(text: str) -> None:
    file, found = read(text)
    assert len(found) <= MOST_FAULTS + 1
    for item in found:
        assert 0 <= item.span.start <= item.span.end <= len(text)
        assert item.message.isprintable() and (item.help or "x").isprintable()
    ends = [statement.span for statement in file.statements]
    assert ends == sorted(ends) and all(a.end <= b.start for a, b in pairwise(ends))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    check_reading(text)


@given(st.binary())
def test_any_bytes_are_read(content: bytes) -> None:
    check_reading(content.decode("latin-1"))


@given(st.lists(FRAGMENTS, max_size=60).map(" ".join))
def test_any_row_of_words_is_read(text: str) -> None:
    check_reading(text)


@given(st.data())
def test_a_damaged_file_is_read(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SCRIPTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 60, len(text))))
        text = text[:start] + data.draw(st.one_of(st.just(""), st.text(max_size=8), FRAGMENTS)) + text[end:]
    check_reading(text)


# ---- the cache, and the files that come with the package ----


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "doselang"


def fresh() -> tables.Grammar:
    """The tables as a new process gets them."""
    return grammar.__wrapped__()


def works(rules: tables.Grammar) -> bool:
    return rules.lark.parse("part p") == [n.Part(n.Name("p"), None, ())]


def test_the_tables_are_kept_in_a_folder_of_the_users_own(cache: Path) -> None:
    assert works(fresh())
    (file,) = cache.iterdir()
    if os.name == "posix":
        assert stat.S_IMODE(cache.stat().st_mode) == 0o700 and stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.stat()
    assert works(fresh()) and file.stat() == written


def test_kept_tables_are_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh()
    monkeypatch.setattr(tables, "Lark", type("NoBuilding", (), {"load": Lark.load}))
    assert works(fresh())


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 1000])
def test_damaged_tables_are_built_again(cache: Path, damage: bytes) -> None:
    fresh()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert works(fresh()) and tables._load(file) is not None
    file.write_bytes(whole[:-10])
    assert works(fresh())
    file.write_bytes(hashlib.sha256(damage).digest() + damage)
    assert works(fresh())


@pytest.mark.skipif(os.name != "posix", reason="needs owners and modes")
def test_what_others_can_write_is_not_read(cache: Path) -> None:
    fresh()
    (file,) = cache.iterdir()
    file.chmod(0o666)
    assert tables._load(file) is None
    file.chmod(0o600)
    assert tables._load(file) is not None
    cache.chmod(0o777)
    assert tables._cache_file("x") is None and works(fresh())


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_folder_that_is_a_link_or_a_file_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "doselang").symlink_to(tmp_path / "elsewhere")
    assert works(fresh()) and not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "doselang").unlink()
    (tmp_path / "doselang").write_text("x", encoding="utf-8")
    assert works(fresh())


def test_without_a_place_for_the_cache_reading_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    assert tables._cache_file("x") is None and works(fresh())
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tables._cache_file("x") is not None and not Path("relative").exists()


def test_another_grammar_has_another_file(cache: Path) -> None:
    assert tables._cache_file("a") != tables._cache_file("b")


@pytest.mark.slow
def test_processes_may_build_at_the_same_time(cache: Path) -> None:
    program = "from doselang.syntax.tables import grammar; print(len(grammar().lark.parse('part p')))"
    running = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=dict(os.environ))
        for _ in range(4)
    ]
    assert [process.communicate()[0].strip() for process in running] == [b"1"] * 4
    assert [path.suffix for path in cache.iterdir()] == [".pickle"]
    assert works(fresh())


def test_resources_are_found_and_nothing_else_is() -> None:
    assert resource("grammars", "doselang.lark").read_text(encoding="utf-8") == GRAMMAR
    assert resource("grammars").is_dir()
    with pytest.raises(FileNotFoundError):
        resource("grammars", "none.lark")
    for path in ((), ("..", "x"), ("grammars", "..", "x"), ("/etc",)):
        with pytest.raises(ValueError, match="not the path"):
            resource(*path)
