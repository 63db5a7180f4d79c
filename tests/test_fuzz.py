"""Random, damaged and malicious texts: reading never fails, and what is read can be checked, simulated and laid out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from doselang.api import load_source
from doselang.check.checking import check
from doselang.conduct.examples import run_examples
from doselang.conduct.patients import patient_examples
from doselang.diagnostics import Report, Trouble
from doselang.loading import Loaded
from doselang.machine.compiling import compile_protocol
from doselang.machine.course import compile_course
from doselang.protocol.model import Protocol
from doselang.report.diagnostics_json import diagnostic_record
from doselang.report.findings import findings
from doselang.report.text import render_text
from doselang.simulate.exact import exact
from doselang.source import Source
from doselang.syntax.layout import reformat
from doselang.syntax.lexer import Lexer
from doselang.syntax.parse import parse
from doselang.syntax.tables import grammar

ROOT = Path(__file__).parent.parent
PROTOCOLS = sorted([*(ROOT / "protocols").rglob("*.dose"), *(ROOT / "tests" / "scripts").glob("*.dose")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in PROTOCOLS}

FEW_STATES = 2_000
LONGEST_SECONDS = 15

lexer: Lexer = grammar().lexer
WORDS = sorted(lexer.words)
NAMES = ("DLT", "DLTs", "moderate", "MTD", "escalation", "expansion", "x", "level-a", "committee", "the", "a", "an")
VALUES = ("0", "1", "2", "3", "6", "-1", "2A", "3.5", "33.3", "100", "101", "10%", "9" * 20, "1e5", "T", "N")
SENTENCES = ('"a"', '"b"', '""', '"1NNN"', '"1NTN 2T"', '"1 . (PU)"', '"…"', '"unclosed', '"1NNN[2]"')
SIGNS = (",", "(", ")", "%", "/", ">=", "“x”", "#", "\n", ":", ".", "é", "\u200b", "\x00")
TOKENS = (*WORDS, *NAMES, *VALUES, *SENTENCES, *SIGNS)


def loaded(text: str, path: Path | None = None) -> Loaded:
    """A text read as the file at a path would be, with the text that it names."""
    return load_source(Source("trial.dose", text), None if path is None else path.parent)


def told(read: Loaded) -> None:
    """All that was found can be told, in words and as a record, and lies in the file."""
    for item in read.diagnostics:
        assert 0 <= item.span.start <= item.span.end <= len(read.source.text)
        diagnostic_record(item, read.source)
    render_text(read.diagnostics, read.source)


def explored(protocol: Protocol, read: Loaded) -> list[tuple[str, str]]:
    """Check, simulate and test what was read, within limits; the findings of checking, as code and message."""
    found: list[tuple[str, str]] = []
    with suppress(Trouble, OverflowError):
        checked = check(protocol, max_states=FEW_STATES, mutate=False)
        items = findings(checked, max_states=FEW_STATES)
        render_text(items, read.source)
        found = [(item.code, item.message) for item in items]
    with suppress(Trouble):
        exact(protocol, protocol.scenarios, max_states=FEW_STATES)
    with suppress(Trouble):
        course = compile_course(protocol)
        patient = None if course is None else patient_examples(course)
        run_examples(protocol, compile_protocol(protocol), patient)
    return found


def laid_out(text: str) -> str | None:
    """The text in the one layout, which reads the same and is its own layout; None for a text with faults."""
    again = reformat(Source("trial.dose", text), parse, Report())
    if again is not None:
        assert reformat(Source("trial.dose", again), parse, Report()) == again
    return again


def examined(text: str, path: Path | None = None) -> None:
    start = time.monotonic()
    read = loaded(text, path)
    told(read)
    event("a protocol" if read.protocol else "no protocol")
    found = [] if read.protocol is None else explored(read.protocol, read)
    again = laid_out(text)
    event("can be laid out" if again is not None else "cannot be laid out")
    if again is not None:
        same = loaded(again, path)
        assert said(same) == said(read)
        if same.protocol is not None:
            assert explored(same.protocol, same) == found
    assert time.monotonic() - start < LONGEST_SECONDS


def said(read: Loaded) -> list[tuple[str, str]]:
    return sorted((item.code, item.message) for item in read.diagnostics)


# ---- random texts ----


@given(st.text(max_size=300))
def test_random_text(text: str) -> None:
    examined(text)


@given(st.lists(st.sampled_from(TOKENS), max_size=60), st.sampled_from((" ", "\n", "  \n")))
def test_random_words_of_the_language(words: Sequence[str], between: str) -> None:
    examined(between.join(words))


@given(st.binary(max_size=300))
def test_random_bytes(content: bytes) -> None:
    examined(content.decode("latin-1"))


# ---- statements made from the grammar ----

PATIENTS = """
patient course
event P
event U
state one
rule "p" when no event then continue
rule "q" when P or U then enter two
state two  final
"""
BEFORE, AFTER = (
    """\
protocol "A trial"
parameter x is 2
cycle is 21 days
component drug in mg
level 1  drug 10
level 2  drug 20
start at level 1
toxicity DLT  written T
toxicity moderate  written M
replace inevaluable patients
body committee
""",
    """
part escalation
cohorts of 2
rule "a" when at most 1 of 2 patients has a DLT and a higher level exists then escalate
rule "b" when at most 1 of 2 patients has a DLT and no higher level exists then declare this level as MTD, stop
rule "c" when 2 of 2 patients have a DLT then declare no MTD, stop "it is too toxic"
""",
)
MADE = {
    "NAME": ("DLT", "moderate", "MTD", "escalation", "drug", "committee", "P", "U", "one", "two", "x"),
    "NUMBER": ("0", "1", "2", "3", "6"), "LABEL": ("-1", "2A"), "NEGATIVE": ("-1.5",), "LETTER": ("A", "B", "T"),
    "UNIT": ("mg", "mg/m2"),
    "STRING": ('"a"', '"b"', '"c"', '"d"', '"p"', '"1NN"', '"1NT 2N"', '"2 . (P)"'),
}  # fmt: skip


@st.composite
def statement(draw: st.DrawFn, longest: int = 40) -> str:
    """A statement that the grammar allows, seldom one that means something."""
    rules, words = grammar(), []
    stack = [rules.first]
    while len(words) < longest:
        kinds = sorted(rules.accepts(stack) - (rules.statements if words else frozenset()))
        if not kinds or ("$END" in kinds and words and draw(st.integers(0, 2)) == 0):
            return " ".join(words)
        kind = draw(st.sampled_from([kind for kind in kinds if kind != "$END"] or kinds))
        if kind == "$END":
            return " ".join(words)
        words.append(draw(st.sampled_from(MADE[kind])) if kind in MADE else rules.spelled[kind])
        rules.step(stack, kind)
    return ""


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(statement(), min_size=1, max_size=3), st.integers(0, 3))
@example(["levels 1 to 3 drug from DLT doubling rounded to DLT, DLT % rounded to DLT"], 0)
def test_statements_of_the_grammar(statements: Sequence[str], place: int) -> None:
    parts = [BEFORE, AFTER, PATIENTS]
    parts.insert(place, "\n".join(statements) + "\n")
    examined("".join(parts))


# ---- damaged protocols ----


def pieces(text: str, unit: str) -> list[str]:
    """A text cut up; joined together the pieces are the text."""
    match unit:
        case "lines":
            return text.splitlines(keepends=True)
        case "words":
            tokens = list(lexer.tokens(text, 0, len(text)))
            ends = [0, *(token.end_pos or 0 for token in tokens), len(text)]
            return [text[start:end] for start, end in pairwise(ends)]
        case _:
            return list(text)


def without(parts: list[str], first: int, second: int, other: str) -> None:
    del parts[first]


def twice(parts: list[str], first: int, second: int, other: str) -> None:
    parts.insert(second, parts[first])


def swapped(parts: list[str], first: int, second: int, other: str) -> None:
    parts[first], parts[second] = parts[second], parts[first]


def replaced(parts: list[str], first: int, second: int, other: str) -> None:
    parts[first] = other


def copied(parts: list[str], first: int, second: int, other: str) -> None:
    parts[first] = parts[second]


def gone(parts: list[str], first: int, second: int, other: str) -> None:
    del parts[first : first + 1 + second % 12]


DAMAGES: tuple[Callable[[list[str], int, int, str], None], ...] = (without, twice, swapped, replaced, copied, gone)


@st.composite
def damaged(draw: st.DrawFn, most: int = 3) -> tuple[str, Path]:
    """A protocol with one to three damages, and where its text would be found."""
    path = draw(st.sampled_from(PROTOCOLS))
    text = TEXTS[path]
    for _ in range(draw(st.integers(1, most))):
        parts = pieces(text, draw(st.sampled_from(("words", "words", "lines", "signs"))))
        if not parts:
            break
        first, second = (draw(st.integers(0, len(parts) - 1)) for _ in range(2))
        other = draw(st.sampled_from(TOKENS))
        draw(st.sampled_from(DAMAGES))(parts, first, second, f" {other} " if draw(st.booleans()) else other)
        text = "".join(parts)
    return text, path


@given(damaged())
def test_damaged_protocols(case: tuple[str, Path]) -> None:
    examined(*case)


# Numbers and names changed in place leave most files readable: these reach the machine.


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, Path]:
    """A protocol with words of one kind exchanged for others of that kind."""
    path = draw(st.sampled_from(PROTOCOLS))
    text = TEXTS[path]
    tokens = list(lexer.tokens(text, 0, len(text)))
    kinds = [kind for kind in ("NUMBER", "NAME", "STRING") if any(token.type == kind for token in tokens)]
    bounds = [token for token in tokens if token.lower() in EXCHANGED]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from([*kinds, "word"]))
        here = bounds if kind == "word" else [token for token in tokens if token.type == kind]
        token = draw(st.sampled_from(here))
        if kind == "word":
            other = draw(st.sampled_from(EXCHANGED[token.lower()]))
        elif kind == "NUMBER":
            other = draw(st.sampled_from(("0", "1", "2", "3", "4", "5", "6", "7", "9", "12", "30")))
        else:
            other = str(draw(st.sampled_from(here)))
        start, end = token.start_pos or 0, token.end_pos or 0
        text = text[:start] + other.ljust(end - start)[: max(end - start, len(other))] + text[end:]
        if len(other) > end - start:
            break  # what follows has moved
    return text, path


EXCHANGED = {
    "none": ("any", "all"), "any": ("none", "all", "no"), "no": ("any",), "higher": ("lower",), "lower": ("higher",),
    "least": ("most",), "most": ("least",), "first": ("added",), "added": ("first",), "exists": ("remains",),
    "remains": ("exists",), "and": ("or",), "or": ("and",), "escalate": ("stay", "stop", "de-escalate"),
    "stop": ("stay", "escalate"), "never": ("always", "eventually"), "always": ("never", "eventually"),
    "eventually": ("always",), "exactly": ("fewer than", "more than"), "open": ("tried", "untried"),
    "continue": ("stop",), "part": ("trial", "cohort"), "trial": ("part", "cohort"),
}  # fmt: skip


@settings(max_examples=settings().max_examples // 2 or 1)
@given(changed())
def test_changed_protocols(case: tuple[str, Path]) -> None:
    examined(*case)


@given(st.sampled_from(PROTOCOLS), st.integers(0, 1 << 20), st.sampled_from((" ", "\n", "\t", "# a comment\n", "\r\n")))
def test_layout_and_comments_mean_nothing(path: Path, place: int, white: str) -> None:
    text = TEXTS[path]
    ends = [token.end_pos or 0 for token in lexer.tokens(text, 0, len(text))]
    end = ends[place % len(ends)]
    assert said(loaded(f"{text[:end]} {white} {text[end:]}", path)) == said(loaded(text, path))
    laid_out(f"{text[:end]} {white} {text[end:]}")
