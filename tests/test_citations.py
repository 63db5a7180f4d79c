"""Sentences of a protocol's text, and looking up in them what a file cites."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.diagnostics import Diagnostic, Report
from doselang.protocol.model import Assumption, Citation, Protocol, ProtocolText, Sentence
from doselang.resolve import citations as looking
from doselang.resolve import resolve, split_text
from doselang.source import Source
from doselang.syntax.parse import parse


def split(content: str, path: str = "text.md") -> list[str]:
    return [sentence.text for sentence in split_text(path, content).sentences]


# ---- splitting ----


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        ("One level. Two levels! Three?", ["One level.", "Two levels!", "Three?"]),
        ("A sentence\nover two\nlines.  Another.", ["A sentence over two lines.", "Another."]),
        ("No stop at the end", ["No stop at the end"]),
        ("See e.g. DLTs, i.e. Grade 3. Then stop.", ["See e.g. DLTs, i.e. Grade 3.", "Then stop."]),
        ("At 0.30 or 1.5 mg. Then 2.", ["At 0.30 or 1.5 mg.", "Then 2."]),
        ("Given at 800 mg/m2. on day 1. Then rest.", ["Given at 800 mg/m2. on day 1.", "Then rest."]),
        ("It was 800 mg/m2. The next is 1000.", ["It was 800 mg/m2.", "The next is 1000."]),
        ("See No. 5 and Fig. 2 by Dr. Who et al. 2020.", ["See No. 5 and Fig. 2 by Dr. Who et al. 2020."]),
        ("The answer is no. Then go on.", ["The answer is no.", "Then go on."]),
        ("0 of 3: next level. 1 of 3: three more.", ["0 of 3: next level.", "1 of 3: three more."]),
        ("Below level D. Above it.", ["Below level D.", "Above it."]),
        ("Said J. Smith then.", ["Said J. Smith then."]),
        ('He said "stop." Then left. (It was so.) End.', ['He said "stop."', "Then left.", "(It was so.)", "End."]),
        ("First paragraph\n\nsecond paragraph", ["First paragraph", "second paragraph"]),
        ("Ünder level 1. Über level 2.", ["Ünder level 1.", "Über level 2."]),
        ("", []),
        ("---\n\n***\n\n...", []),
    ],
)
def test_sentences(content: str, sentences: list[str]) -> None:
    assert split(content) == sentences


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        ("# Design ##\nText.", ["Design", "Text."]),
        ("Design\n======\nText.", ["Design", "Text."]),
        ("- one\n- two\n  goes on\n* three\n1. four\n2) five", ["one", "two goes on", "three", "four", "five"]),
        ("> quoted words\n> go on.", ["quoted words go on."]),
        (">= 2 of 3: stop.\n\n> 1 of 6: stop.\n\n>33%: stop.", [">= 2 of 3: stop.", "> 1 of 6: stop.", ">33%: stop."]),
        ("**Bold** and *slanted* and _too_ and `code`.", ["Bold and slanted and too and code."]),
        ("**bold over\ntwo lines** and ***both***.", ["bold over two lines and both."]),
        ("A snake_case_name and 2 * 3 * 4.", ["A snake_case_name and 2 * 3 * 4."]),
        ("See [the page](http://example.org/a_b) or [this][ref].", ["See the page or this."]),
        ("Less &lt; more,&nbsp;and 5 \\* 3.", ["Less < more, and 5 * 3."]),
        ("Before.\n<!-- a comment\nover lines. -->\nAfter.", ["Before.", "After."]),
        ("```\nListed text.\n```", ["Listed text."]),
        ("| a | b |\n|---|---|\n| one. Two | three |\n| \\| | four |", ["a | b", "one. Two | three", "| | four"]),
    ],
)
def test_markdown(content: str, sentences: list[str]) -> None:
    assert split(content) == sentences


@pytest.mark.parametrize(
    "content",
    [
        "S1. If none has a DLT. S2. Then stop.",
        "[S1] If none has a DLT. [S2] Then stop.",
        "**S1** If none has a DLT. **S2** Then stop.",
        "**S1.** If none has a DLT.\n\n**S2.** Then stop.",
        "- S1: If none has a DLT.\n- S2: Then stop.",
        "| S1 | If none has a DLT. |\n| S2 | Then stop. |",
        "| **S1** | If none has a DLT. |\n| [S2] | Then stop. |",
    ],
)
def test_numbers_of_sentences_are_kept_in_front(content: str) -> None:
    assert split(content) == ["S1. If none has a DLT.", "S2. Then stop."]


def test_lines() -> None:
    text = split_text("a.md", "# Title\r\n\r\nOne. Two\r\nis long. Three.\r\n\r\n- four\r\n\r\n| five |\r\n")
    assert [(s.text, s.line) for s in text.sentences] == [
        ("Title", 1), ("One.", 3), ("Two is long.", 3), ("Three.", 4), ("four", 6), ("five", 8),
    ]  # fmt: skip
    assert text.path == "a.md"


def test_headings_ask_for_no_rule() -> None:
    text = split_text("a.md", "# Title\nText.\n\nUnder\n---\n| head | of table |\n|---|---|\n| cell | cell |")
    assert {text.sentences[i].text for i in text.cited} == {"Title", "Under", "head | of table"}


@pytest.mark.parametrize(
    "piece", [".", ". ", "<!--", "*", "`", "[", "_a", "[a](", "|", "- ", "#", "\n", "S1. ", "> ", "a. b"]
)
def test_splitting_takes_time_in_proportion(piece: str) -> None:
    begun = time.perf_counter()
    split_text("a.md", piece * (200_000 // len(piece)))
    assert time.perf_counter() - begun < 3


@given(st.text(alphabet="Aa1.S *_`[]()|#-\n<!>\"'…é", max_size=60))
def test_any_text_is_split(content: str) -> None:
    text = split_text("a.md", content)
    assert all(sentence.text == " ".join(sentence.text.split()) for sentence in text.sentences)
    lines = [sentence.line for sentence in text.sentences]
    assert lines == sorted(lines) and all(1 <= line <= content.count("\n") + 1 for line in lines)


# ---- looking up ----

TEXT = """\
# Dose escalation
S1. If none of the first three patients has a DLT, the next level opens.
S2. If one of the first three patients has a DLT, three more are enrolled at the level.
S3. Then the level is closed. S4. The patient's "dose" is 0.30 mg - never 30.
"""
SCRIPT = """\
protocol "A trial"
text "text.md"
levels 1 to 3
start at level 1
toxicity DLT
part escalation
cohorts of 3
"""


def looked_up(statements: str, text: str | None = TEXT) -> tuple[Protocol | None, list[Diagnostic], Source]:
    source = Source("trial.dose", SCRIPT + statements)
    report = Report()
    file = parse(source, report)
    assert not len(report)
    protocol = resolve(file, report, text=None if text is None else split_text("text.md", text))
    return protocol, list(report), source


def touched(words: str) -> tuple[int, ...] | str | None:
    """The sentences that a citation touches, `case` where only letter case differs."""
    match = looking.Finder(split_text("text.md", TEXT)).find(words)
    if match is None:
        return None
    return match.sentences if match.how == "exact" else match.how


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        ("none of the first three patients", (1,)),
        ("  none  of the\tfirst three ", (1,)),
        ("the first three patients has a DLT", (1,)),
        ("one of the first three patients", (2,)),  # not in "none of the first three"
        ("If one … three more are enrolled", (2,)),
        ("If none ... three more", (1, 2)),
        ("the next level opens. If one of the first", (1, 2)),
        ("at the level. Then the level is closed", (2, 3)),
        ("… the level is closed …", (3,)),
        ("the level is closed.", (3,)),
        ("three more are enrolled at the level;", (2,)),
        ("The patient’s “dose” is", (4,)),
        ("The patient's 'dose' is", (4,)),
        ("0.30 mg – never", (4,)),
        ("Dose escalation", (0,)),
        ("0.3", None),
        ("none of the last three", None),
        ("opens … none of the first", None),
        ("S1", None),
        ("Level is closed", "case"),
        ("IF NONE … OPENS", "case"),
        ("", None),
        ("…", None),
        (".", None),
    ],
)
def test_citations(words: str, sentences: tuple[int, ...] | str | None) -> None:
    assert touched(words) == sentences


def test_words_left_out_are_as_few_as_need_be() -> None:
    finder = looking.Finder(split_text("a.md", "We begin. We begin again. We end. We end."))
    match = finder.find("We begin … end")
    assert match is not None and match.sentences == (1, 2)


@given(st.lists(st.sampled_from(["a", "b", "c."]), min_size=1, max_size=30), st.data())
def test_frequent_words_are_found_as_rare_ones_are(words: list[str], data: st.DataObject) -> None:
    text = ProtocolText("a.md", (Sentence(" ".join(words), 1),))
    phrase = data.draw(st.lists(st.sampled_from(["a", "b", "c."]), min_size=1, max_size=4))
    cited = looking.tokens(" ".join(phrase))
    rare, frequent = (looking.Finder(text)._exact for _ in range(2))
    row = list(looking.tokens(" ".join(words)))
    there = [i for i in range(len(row)) if row[i : i + len(cited)] == list(cited)]
    for index, limit in ((rare, 10**6), (frequent, -1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(looking, "RARE", limit)
            for start in range(len(row)):
                assert index.find(cited, start) == next((i for i in there if i >= start), -1)
            for end in range(1, len(row) + 1):
                assert index.last(cited, end) == next((i for i in reversed(there) if i + len(cited) <= end), -1)


# ---- in a file ----

RULES = """\
rule "one" cites "none of the first three" cites "the next level opens" when no DLT then escalate
rule "two" cites "If one of … enrolled at the level" assume "x" because "y" when any DLT then stop
background "Then the level is closed"
claim "c" cites "0.30 mg" never any DLT at level 2
"""


def test_every_citation_is_bound() -> None:
    protocol, diagnostics, _ = looked_up(RULES)
    assert not diagnostics and protocol is not None
    one, two = protocol.parts[0].rules
    assert one.cites == (Citation("none of the first three", 1), Citation("the next level opens", 1))
    assert two.cites == (Citation("If one of … enrolled at the level", 2),) and two.assumes == (Assumption("x", "y"),)
    assert protocol.claims[0].cites == (Citation("0.30 mg", 4),)
    assert protocol.citations == (*one.cites, *two.cites, *protocol.claims[0].cites)
    assert protocol.text is not None and protocol.text.cited == {0, 1, 2, 3, 4}


def test_all_kinds_of_statements_cite() -> None:
    cites = 'cites "the level is closed"'
    statements = f"""
cycle is 28 days {cites} component drug in mg {cites} replace inevaluable patients {cites}
accrue at most 6 at a level {cites} toxicity minor {cites} body board {cites} verdict RP2D {cites}
part second {cites} cohorts of 2 {cites} rule "r" {cites} when any DLT then stop
patient course event e {cites} state on final {cites} claim "c" {cites} never any DLT
"""
    protocol, diagnostics, source = looked_up('rule "q" assume "a" because "b" when any DLT then stop' + statements)
    assert protocol is not None and {d.code for d in diagnostics} == {"DL223", "DL602"}
    assert [c.sentence for c in protocol.citations] == [3] * source.text.count("cites")
    spans = [c.span.start for c in protocol.citations]
    assert spans == sorted(spans) and all(source.words(c.span) == cites for c in protocol.citations)


@pytest.mark.parametrize(
    ("words", "message", "help"),
    [
        (
            "none of the first four patients",
            "not in the protocol's text",
            "Line 2 of text.md: “S1. If none of the first three",
        ),
        ("three more are enroled at this level", "not in the protocol's text", "Line 3 of text.md: “S2. If one"),
        ("entirely different matters", "not in the protocol's text", "Copy the words"),
        ("then the level is closed", "other capital letters", "Line 4 of text.md: “S3. Then the level is closed.”"),
        ("S3", "not in the protocol's text", "Line 4 of text.md: “S3. Then the level is closed.”"),
        ("…", "has no words", "Write words"),
        ("", "has no words", "Write words"),
    ],
)
@pytest.mark.parametrize("keyword", ["cites", "background"])
def test_words_that_are_not_in_the_text(keyword: str, words: str, message: str, help: str) -> None:
    background = f'background "{words}"\n' if keyword == "background" else ""
    cites = f'cites "{words}"' if keyword == "cites" else ""
    text = f'{background}rule "r" assume "a" because "b" {cites} when any DLT then stop\n'
    protocol, diagnostics, source = looked_up(text)
    [found] = [d for d in diagnostics if d.code != "DL602"]
    assert protocol is None and found.code == "DL601" and source.words(found.span) == f'"{words}"'
    assert message in found.message and help in (found.help or "")


def test_each_sentence_that_nothing_cites_is_listed_with_what_to_paste() -> None:
    _, diagnostics, source = looked_up('rule "r" cites "the next level opens" when any DLT then stop\n')
    assert [d.code for d in diagnostics] == ["DL602"] * 3
    assert {source.words(d.span) for d in diagnostics} == {'text "text.md"'}
    assert [d.message for d in diagnostics] == [
        "Nothing cites line 3 of text.md: “S2. If one of the first three patients has a DLT, "
        "three more are enrolled at the level.”",
        "Nothing cites line 4 of text.md: “S3. Then the level is closed.”",
        'Nothing cites line 4 of text.md: “S4. The patient\'s "dose" is 0.30 mg - never 30.”',
    ]
    pasted = "\n".join((d.help or "").partition("write: ")[2] for d in diagnostics)
    protocol, left, _ = looked_up('rule "r" cites "the next level opens" when any DLT then stop\n' + pasted)
    assert protocol is not None and not left


def test_what_to_paste_of_a_long_sentence_is_found() -> None:
    text = "This is " + ", ".join(f"thing {i}" for i in range(40)) + ", to which nobody refers at all."
    rule = 'rule "r" assume "a" because "b" when any DLT then stop\n'
    [diagnostic] = looked_up(rule, text)[1]
    paste = (diagnostic.help or "").partition("write: ")[2]
    assert "…" in paste and len(paste) < 150
    assert not looked_up(rule + paste, text)[1]


def test_cites_without_a_text_are_one_finding() -> None:
    report = Report()
    source = Source("trial.dose", SCRIPT.replace('text "text.md"\n', "") + RULES)
    assert resolve(parse(source, report), report, text=None) is None
    [diagnostic] = report
    assert diagnostic.code == "DL201" and source.words(diagnostic.span) == 'cites "none of the first three"'
    assert 'text "protocol.md"' in (diagnostic.help or "")


def test_a_text_that_could_not_be_read_is_not_looked_into() -> None:
    protocol, diagnostics, _ = looked_up(RULES, text=None)
    assert protocol is not None and not diagnostics and protocol.text is None
    assert {citation.sentence for citation in protocol.citations} == {-1}


def test_nothing_is_called_uncited_in_a_file_that_is_not_read_whole() -> None:
    report = Report()
    file = parse(Source("trial.dose", SCRIPT + "cohorts of of 3\n" + RULES), report)
    before = {d.code for d in report}
    resolve(file, report, text=split_text("text.md", TEXT + "S5. One more sentence.\n"))
    assert {d.code for d in report} == before


def test_an_unreadable_text_leaves_the_other_checks_as_they_are() -> None:
    report = Report()
    report.add("DL604", "The text cannot be read.")
    file = parse(Source("trial.dose", SCRIPT.replace("start at level 1\n", "") + RULES), report)
    assert resolve(file, report, text=None) is None
    assert [d.code for d in report] == ["DL201", "DL604"]


@pytest.mark.slow
def test_many_citations_in_a_long_text_take_seconds() -> None:
    sentences = [" ".join(f"w{(i * 7919 + j * j * 31) % 5003}" for j in range(12)) for i in range(12_000)]
    text = split_text("text.md", "\n\n".join(sentences))
    right = "".join(
        f'rule "r{i}" cites "{sentences[i][:30].rpartition(" ")[0]}" when any DLT then stop\n' for i in range(9000)
    )
    wrong = "".join(f'rule "q{i}" cites "{sentences[i][:24]} xyz" when any DLT then stop\n' for i in range(3000))
    report = Report()
    file = parse(Source("trial.dose", SCRIPT + right + wrong), report)
    begun = time.perf_counter()
    resolve(file, report, text=text)
    assert time.perf_counter() - begun < 15
    assert sum(d.code == "DL601" for d in report) == 3000


@pytest.mark.slow
def test_citations_of_frequent_words_alone_are_given_up() -> None:
    text = ProtocolText("text.md", (Sentence("a b b a a b a b b b " * 40_000, 1),))
    rules = "".join(
        f'rule "r{i}" cites "{" ".join(format(i, "012b").translate({48: "a", 49: "b"}))}" when any DLT then stop\n'
        for i in range(4000)
    )
    report = Report()
    file = parse(Source("trial.dose", SCRIPT + rules), report)
    begun = time.perf_counter()
    assert resolve(file, report, text=text) is None
    assert time.perf_counter() - begun < 15
    assert "DL704" in {d.code for d in report}
