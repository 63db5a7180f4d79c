"""The formatter: one layout for every way to write a file, comments kept, nothing read otherwise."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from doselang.diagnostics import Report, Trouble
from doselang.source import Source
from doselang.syntax.layout import layout, reformat, rules_view
from doselang.syntax.nodes import File
from doselang.syntax.parse import parse
from doselang.syntax.words import with_article

ROOT = Path(__file__).parent.parent
GRAMMAR = (ROOT / "grammars" / "doselang.lark").read_text(encoding="utf-8")
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```dose\n(.*?)^```", LANGUAGE, re.DOTALL | re.MULTILINE)
SCRIPTS = sorted([*(ROOT / "protocols").rglob("*.dose"), *(ROOT / "tests" / "scripts").rglob("*.dose")])

EVERYTHING = """\
# What every statement looks like.
protocol "A drug in a disease"
text "drug.md"
parameter top is 5
  means "the number of dose levels"
parameter target is 33.3%
parameter dose is 40 mg/m2  from 10 to 100
parameter size is 3  from 1 to 12
  means "of a cohort"
parameter skeleton is 3%, 7%, 12.5%, top, 30%  from 1% to 90%
parameter total is cohorts times size plus 1
use "three-plus-three"
  with levels 4, skeleton 3%, 7%, target, size top, cohorts levels
  without "two toxicities", "a claim"
use "another"

cycle is 28 days
  cites "every 28 days"
component ibrutinib in mg
component gemcitabine in mg/m2
component mfolfox6
level -1  ibrutinib 280, gemcitabine 600
level 1   ibrutinib 420, gemcitabine 800
level 2A  ibrutinib top, mfolfox6 "standard"  # the schedule may change
levels 3 to top
levels 3 to top  ibrutinib from 100 by 40%
levels -2 to 4  ibrutinib from dose by 100%, 67%, step, 33% rounded to 5 up to 800,
                mfolfox6 from 5 doubling, 10
start at level 1
  cites "the first patient"

toxicity DLT  within cycle 1  written T
  means "a toxicity that limits the dose"
  cites "grade 3 or 4"
  cites "related to the drug"
toxicity moderate  within 14 days  written M
toxicity late  within cycle 2 to 6
toxicity early  within 1 week
replace inevaluable patients
body safety-committee  means "the investigators and an independent physician"
body sponsor
  means "the pharmaceutical company that pays for the trial, and the research organisation that runs it"
verdict MTD  requires exactly 6 evaluable and at most 1 DLT
verdict RP2D as the result  means "the recommended phase II dose"
verdict tentative
verdict safe
  means "tolerated"
  requires no DLT
  cites "tolerated by everybody"
assume "short" because "it fits"
assume "a patient who leaves the first cycle without a toxicity is replaced by another one"
  because "the text does not say; the rules count patients who finished the cycle"
silent "what follows a toxic lowest level"
  when this level is closed as too toxic and no lower level exists
silent "what a dose-limiting toxicity is"
background "charts are reviewed"

# The first part.
part escalation  "dose escalation"
  cites "dose escalation, then expansion"
cohorts of 3
accrue at least 2 and at most 6 patients at a level
accrue at least 2 patients in the part
accrue at most top patients in the trial

rule "everything that can be asked"  at any time
  cites "the text"
  overrides "shares", "levels"
  replaces "a rule of the design", "another"
  assume "a reading that is not in the text, and needs a line of its own since it goes on for so long"
    because "the text says nothing"
  when 1 of the first 3 patients has a DLT
       and (any of the added 3 has an MT or not none of 3 patients has a DLT)
       and at most 1 of 6 patients has a DLT at the next lower level
  then close level 3 with all above as too toxic, declare the next lower level as MTD
  when all of top patients have an unacceptable-toxicity or more than 2 of 6 patients have a uniform-rash
  then stop "it is enough"

# Shares of a cohort.
# They are the heart of it.
rule "levels"
  # Nobody knows why.
  when the next lower level that remains is not closed as too toxic and a higher level remains
  then escalate  # one level
  when this level is above the start level or this level is level 2A or level 2 is not open
  then de-escalate
  when between 1 and 2 DLTs and the DLT rate at level 2 in the part is at most 33%
  then ask the safety-committee to choose escalate or enrol 3 more and declare no MTD
       or stop "too much toxicity"

rule "people"
  when the MTD has been declared and no verdict is declared and the cohort is complete
  then stay
  when the lowest level is tried and the highest level is untried and a lower level is open
  then enrol 3 more at the next higher level
  when fewer than 6 evaluable in the trial and any DLT in the cohort and no DLT at the MTD in escalation
  then declare this level as MTD, begin expansion at the MTD

part expansion
cohorts of 10

patient course

event progression  written P
event refusal
  means "the patient says no"

rule "continue"
  when no event and at least 2 cycles
  then continue

state on-treatment

rule "re-treat"
  when unacceptable-toxicity and not progression
  then may enter re-treatment at the next lower level that remains if the investigator agrees,
       otherwise enter survival-follow-up

state survival-follow-up  final
  means "as the physician chooses"

claim "the MTD rests on six patients"
  when the MTD is declared always exactly 6 evaluable at the MTD in escalation
claim "every trial ends"
  cites "in the end"
  eventually the trial is stopped
claim "nobody is re-treated at a level that is too toxic, and there is more to say of it than one line holds"
  in patient course when re-treatment is entered and this level is not the assigned level and no progression
  never this level is closed as too toxic or this level is above the assigned level

example "1NTN"  then enrol 3 more at level 1  by "one toxicity"
example "1TT"   then close level 1 as too toxic, declare no MTD, stop
                by "two toxicities in the first three", "the lowest level is too toxic"
example "1T"    then wait

example patient "2 . U"    then may enter re-treatment at level 1 if the investigator agrees,
                                otherwise enter survival-follow-up
                           by "re-treat"
example patient "3 . . U"  with level 2 closed as too toxic  then enter survival-follow-up  by "re-treat"
example patient "4 . . U"  with level 2 closed as too toxic, level 3 closed as too toxic
                           then enter re-treatment at level 1
                           by "re-treat"
example patient "2 . . . . . . . . . . . . . . . ."
                           then may enter re-treatment at level 1 if the investigator agrees,
                                otherwise enter survival-follow-up

example "1NNN 2NNN 3NNN 4NNN 5NNN 6NNN 7NNN 8NNN 9NNN"
  then close level 2 as too toxic, enrol 3 more at level 1
  by "toxicity among the added three", "reopen the level below"

scenario "flat"   DLT 10%, 20%, 30%
scenario "steep"  DLT 10%, 30%, 55%
  each cycle progression 5%
  chance "re-treat" 60%, 40%
scenario "hazards alone"
  each cycle progression 5%
# The end.
"""


def read(text: str) -> File:
    report = Report()
    file = parse(Source("x.dose", text), report)
    assert not len(report), [(item.code, item.message, text[item.span.start :][:40]) for item in report]
    return file


def formatted(text: str) -> str:
    """The layout of a text that can be read; laying it out again changes nothing."""
    report = Report()
    result = reformat(Source("x.dose", text), parse, report)
    assert result is not None, [(item.code, item.message, text[item.span.start :][:40]) for item in report]
    assert reformat(Source("x.dose", result), parse, report) == result
    return result


def test_every_statement_in_the_one_layout() -> None:
    assert formatted(EVERYTHING) == EVERYTHING


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split("\n")[0][:40])
def test_the_examples_of_the_reference(text: str) -> None:
    written = formatted(text)
    assert all(len(line) <= 110 for line in written.splitlines() if '"' not in line)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_keep_their_meaning(path: Path) -> None:
    formatted(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((ROOT / "protocols").rglob("*.dose")), ids=lambda path: path.stem)
def test_shipped_protocols_are_in_the_one_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


# ---- any layout of the same words gives the same text ----

KEYWORDS = frozenset(re.findall(r'"([a-z][a-z-]*)"', GRAMMAR))
TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[(),%]|[^\s(),%"#]+')
WHITE = (" ", "  ", "\t", "\n", "\r\n  ", "\n\t ")


def bare(text: str) -> str:
    """The text without comments and empty lines."""
    lines = (re.sub(r'("[^"\n]*")|#[^\n]*', lambda found: found[1] or "", line).rstrip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def scrambled(text: str, draw: random.Random, white: tuple[str, ...] = WHITE) -> str:
    """The same words with other white space, comments, letter case and articles."""
    words = []
    for token in TOKEN.findall(bare(text)):
        if token in ("a", "an", "the") and draw.random() < 0.5:
            continue
        if token in KEYWORDS:
            token = draw.choice([token, token.upper(), token.title(), token])
        if draw.random() < 0.1:
            words.append(draw.choice(["the", "a", "an"]))
        words.append(token)
        if draw.random() < 0.1:
            words.append(f"# remark {draw.randrange(1000)}")
    return "".join(word + ("\n" if word.startswith("#") else draw.choice(white)) for word in words)


@given(st.integers(0, 2**32), st.sampled_from([EVERYTHING, *BLOCKS]))
def test_white_space_comments_case_and_articles_change_nothing(seed: int, text: str) -> None:
    other = scrambled(text, random.Random(seed))
    assert read(other) == read(text)
    assert bare(formatted(other)) == bare(formatted(bare(text)))


@given(st.integers(0, 2**32))
def test_every_comment_is_kept_in_order(seed: int) -> None:
    other = scrambled(EVERYTHING, random.Random(seed))
    said = [comment.text for comment in read(other).comments]
    assert said == re.findall(r"# (remark \d+)$", other, re.MULTILINE)
    assert [comment.text for comment in read(formatted(other)).comments] == said


@given(st.integers(0, 2**32), st.sampled_from([EVERYTHING, *BLOCKS]))
def test_with_empty_lines_anywhere_a_second_layout_changes_nothing(seed: int, text: str) -> None:
    formatted(scrambled(text, random.Random(seed), (*WHITE, "\n\n", "\r\n \n")))


# ---- comments and empty lines ----


def test_empty_lines_are_kept_once_and_put_before_rules() -> None:
    assert formatted(
        '\n\n\nprotocol "x"\n\n\n\ntext "x.md"\nreplace inevaluable\n# of rules\n# two\nrule "a"\n\nwhen no event\n\n'
        'then continue\nrule "b" when progression then stop\nexample "1T" then wait\n\n\n# end\n\n'
    ) == (
        'protocol "x"\n\ntext "x.md"\nreplace inevaluable patients\n\n# of rules\n# two\nrule "a"\n  when no event\n'
        '  then continue\n\nrule "b"\n  when progression\n  then stop\nexample "1T"  then wait\n\n# end\n'
    )


def test_an_empty_line_below_a_comment_is_kept() -> None:
    text = 'protocol "x"\n\n# ---- part 1 ----\n\n# on it\npart one\n\n# ---- rules ----\n\nstate on-treatment\n'
    assert formatted(text) == text


def test_comments_go_before_what_follows_and_stay_at_line_ends() -> None:
    assert formatted(
        'rule # why\n"x" at any time # now\n # on the basis\n cites "y" # line 3\n'
        "# on the condition\nwhen x # first\n # half\n and y # second\n then # do\n stop #halt\n  # after\ncohorts of 3"
    ) == (
        '# why\nrule "x"  at any time  # now\n  # on the basis\n  cites "y"  # line 3\n'
        "  # on the condition\n  # first\n  # half\n  when x and y  # second\n  # do\n  then stop  # halt\n"
        "# after\ncohorts of 3\n"
    )


@pytest.mark.parametrize(("text", "result"), [("", ""), ("\n \n", ""), ("#a\n\n\n#", "# a\n\n#\n"), ("#", "#\n")])
def test_files_without_statements(text: str, result: str) -> None:
    assert formatted(text) == result


def test_windows_line_ends_become_plain_ones() -> None:
    assert formatted('protocol "x" # a\r\n\r\ntext "y"\r\n') == 'protocol "x"  # a\n\ntext "y"\n'


# ---- words ----


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DLT", "a DLT"), ("MT", "an MT"), ("SAE", "an SAE"), ("T", "a T"), ("M", "an M"), ("rash", "a rash"),
        ("unacceptable-toxicity", "an unacceptable-toxicity"), ("uniform-rash", "a uniform-rash"),
        ("uninvited", "an uninvited"), ("event", "an event"), ("Event", "an Event"),
    ],
)  # fmt: skip
def test_the_article_is_the_spoken_one(name: str, words: str) -> None:
    assert with_article(name) == words


@pytest.mark.parametrize(
    ("count", "verb"),
    [("1", "has"), ("2", "have"), ("0", "have"), ("none", "has"), ("any", "has"), ("all", "have"), ("at most 1", "has"),
     ("at least 2", "have"), ("exactly top", "have"), ("fewer than 2", "have")],
)  # fmt: skip
def test_has_or_have(count: str, verb: str) -> None:
    assert f"when {count} of 3 patients {verb} a DLT\n" in formatted(
        f'rule "x" when {count} of 3 has dlt then stay'
    ).replace("dlt", "DLT")


# ---- only the rules, and refusal ----


def test_the_rules_alone() -> None:
    shown = rules_view(read(EVERYTHING))
    assert read(shown) == read(rules_view(read(shown)))
    assert not re.search(r"^ *(cites|assume|silent|background|claim|example|scenario|#|because)", shown, re.MULTILINE)
    assert '\nrule "everything that can be asked"  at any time\n  overrides "shares", "levels"\n  when 1 of' in shown
    rules = [statement for statement in read(EVERYTHING).statements if type(statement).__name__ == "Rule"]
    kept = [statement for statement in read(shown).statements if type(statement).__name__ == "Rule"]
    assert [(rule.name, rule.cases) for rule in rules] == [(rule.name, rule.cases) for rule in kept]


def test_a_file_with_errors_is_not_laid_out() -> None:
    report = Report()
    assert reformat(Source("x.dose", 'rule "x" whenever then stop'), parse, report) is None
    assert report.has_errors


def test_a_layout_that_would_lose_something_is_refused() -> None:
    def forgetful(source: Source, report: Report) -> File:
        file = parse(source, report)
        return file if source.text == text else evolve(file, comments=())

    def misreading(source: Source, report: Report) -> File:
        file = parse(source, report)
        return file if source.text == text else evolve(file, statements=file.statements[1:])

    text = 'protocol "x"   # kept'
    for reader, said in ((forgetful, "a comment would be lost"), (misreading, "it would read otherwise")):
        with pytest.raises(Trouble, match=said) as caught:
            reformat(Source("x.dose", text), reader, Report())
        assert caught.value.diagnostic.code == "DL999" and caught.value.path == "x.dose"


def test_layout_needs_no_second_reading() -> None:
    source = Source("x.dose", EVERYTHING)
    assert layout(parse(source, Report()), source) == EVERYTHING
