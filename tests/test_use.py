"""Files that use a design: what is taken, replaced, added and left out, and where each rule is said to stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doselang.api import simulate
from doselang.cli import run
from doselang.diagnostics import Diagnostic, Report, Trouble
from doselang.loading import MOST_DEEP, Loaded, load
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve import resolve
from doselang.resolve.composing import Used, compose
from doselang.source import Source, Span
from doselang.syntax import nodes as n
from doselang.syntax.parse import parse
from tests.test_resolve import any_node

ROOT = Path(__file__).parent.parent
DESIGN = (ROOT / "protocols" / "designs" / "three-plus-three.dose").read_text(encoding="utf-8")
TEXT = (ROOT / "protocols" / "designs" / "three-plus-three.md").read_text(encoding="utf-8")
Capture = pytest.CaptureFixture[str]

BASE = """\
protocol "A design"
text "base.md"
parameter levels is 3  from 1 to 6
parameter size is 3  from 1 to 12
parameter total is levels times size
parameter target is 33%  from 10% to 50%
component drug in mg
levels 1 to levels  drug from 10 by 10
start at level 1
cycle is 28 days
toxicity DLT  within cycle 1
body committee
verdict MTD  requires at least 3 evaluable
silent "what a DLT is"
assume "one reading" because "the text leaves it open"
background "The design is old"
part escalation
cohorts of size
accrue at most 6 patients at a level
rule "up"
  cites "goes up if nobody has a DLT"
  when the DLT rate is less-placeholder and a higher level exists
  then escalate
rule "top"
  cites "ends at the highest level"
  when the DLT rate is at most target and no higher level exists
  then declare this level as MTD, stop
rule "down"
  cites "ends if too many have a DLT"
  overrides "up"
  when the DLT rate is more than target
  then declare no MTD, stop
claim "few patients"  always at most 6 evaluable at this level
example "1NNN"  then enrol 3 at level 2
scenario "a"  DLT 10%
""".replace("less-placeholder", "at most target")
BASE_TEXT = "The trial goes up if nobody has a DLT. It ends at the highest level. It ends if too many have a DLT. \
The design is old."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.dose").write_text(BASE, encoding="utf-8")
    (tmp_path / "base.md").write_text(BASE_TEXT, encoding="utf-8")
    return tmp_path


def loaded(folder: Path, text: str, settings: dict[str, Fraction] | None = None) -> Loaded:
    path = folder / "trial.dose"
    path.write_text(f'protocol "A trial"\n{text}', encoding="utf-8")
    return load(str(path), settings)


def meant(folder: Path, text: str, settings: dict[str, Fraction] | None = None) -> Protocol:
    found = loaded(folder, text, settings)
    assert found.protocol is not None, found.diagnostics
    return found.protocol


def errors(found: Loaded) -> list[Diagnostic]:
    return [item for item in found.diagnostics if item.severity == "error"]


# ---- sources laid end to end ----


def test_an_offset_tells_the_file_and_the_place_in_it() -> None:
    """Each file is one character longer than its text, so that its end is its own."""
    source = Source("a", "one\ntwo", (Source("b", "xy\nz"), Source("c", "")))
    assert [(source.path_of(offset), *source.place(offset)) for offset in (0, 4, 7, 8, 11, 12, 13)] == [
        ("a", 1, 1), ("a", 2, 1), ("a", 2, 4), ("b", 1, 1), ("b", 2, 1), ("b", 2, 2), ("c", 1, 1),
    ]  # fmt: skip
    assert source.end == 14 and Source("a", "one").end == 4
    assert source.words(Span(8, 12)) == "xy z" and source.words(Span(0, 7)) == "one two"


# ---- what is taken ----


def test_everything_is_taken_but_title_text_background_examples_and_scenarios(folder: Path) -> None:
    found = meant(folder, 'use "base"')
    alone = load(str(folder / "base.dose")).protocol
    assert alone is not None
    assert evolve(found, parts=(), citations=()) == evolve(
        alone, title="A trial", text=None, examples=(), scenarios=(), parts=(), citations=()
    )
    assert [rule.cases for rule in found.parts[0].rules] == [rule.cases for rule in alone.parts[0].rules]
    assert [citation.words for citation in found.citations] == [citation.words for citation in alone.citations]
    assert [citation.place for citation in found.citations] == ["base.md, line 1"] * 3


def test_the_design_that_comes_with_doselang_is_used_as_it_is() -> None:
    """The same operating characteristics as of the design itself, by another way of giving the parameter."""
    text = 'protocol "A trial"\nuse "three-plus-three" with levels 4\n'
    from doselang.loading import load_source

    used = load_source(Source("trial.dose", text), None).protocol
    design = load(str(ROOT / "protocols" / "designs" / "three-plus-three.dose"), {"levels": Fraction(4)}).protocol
    assert used is not None and design is not None
    scenario = Scenario("a", ((0.1, 0.2, 0.3, 0.5),))
    assert simulate(used, [scenario])[0].mtd == simulate(design, [scenario])[0].mtd


def test_changing_a_design_is_the_same_as_editing_its_text(tmp_path: Path) -> None:
    """A rule replaced, one left out, one added, a limit: against the design with its text edited by hand."""
    new = """rule "one of three, one more"
  cites "If one of the first three patients at a level has a DLT, three more are treated at the level"
  when 1 of 3 patients has a DLT
  then enrol 2 more
"""
    start = DESIGN.index('rule "one of three"')
    end = DESIGN.index('rule "two or three of three"')
    edited = DESIGN[:start] + new + DESIGN[end:]
    first = edited.index('rule "none, then two or three"')
    last = edited.index("# De-escalation: these rules")
    edited = edited[:first] + edited[last:]
    edited = re.sub(r"(?m)^(example .*|  +by .*|scenario .*)$\n", "", edited).replace("levels is 5", "levels is 3")
    edited = edited.replace("cohorts of 3", "cohorts of 3\naccrue at most 6 patients at a level")
    (tmp_path / "edited.dose").write_text(edited, encoding="utf-8")
    (tmp_path / "three-plus-three.md").write_text(TEXT, encoding="utf-8")
    by_hand = load(str(tmp_path / "edited.dose")).protocol
    use = 'use "three-plus-three" with levels 3 without "none, then two or three"\npart escalation\n'
    limit = "accrue at most 6 patients at a level\n"
    composed = meant(
        tmp_path,
        use
        + limit
        + new.replace("  cites", '  replaces "one of three"\n  assume "a" because "b"\n  cites', 1).replace(
            new[new.index("  cites") : new.index("  when")], ""
        ),
    )
    assert by_hand is not None
    rules = {rule.name: rule.cases for rule in by_hand.parts[0].rules}
    assert {rule.name: rule.cases for rule in composed.parts[0].rules} == rules
    assert composed.parts[0].limits == by_hand.parts[0].limits
    assert composed.claims == by_hand.claims and composed.levels == by_hand.levels


def low_of(guard: object) -> int:
    return guard.count.low  # type: ignore[attr-defined, no-any-return]


def high_of(guard: object) -> int:
    return guard.count.high  # type: ignore[attr-defined, no-any-return]


LATER = 'part second\ncohorts of 5\nrule "end" when the cohort is complete then stop'

# What the file states, and what it then means: a reading of the protocol, and its value.
STATED: dict[str, tuple[Callable[[Protocol], object], object]] = {
    "level low drug 5\nlevel high drug 6\nstart at level high": (
        lambda p: ([level.label for level in p.levels], p.start), (["low", "high"], 1)
    ),
    "cycle is 21 days": (lambda p: p.cycle, "21 days"),
    "component drug in mcg": (lambda p: [component.unit for component in p.components], ["mcg"]),
    'toxicity DLT within 14 days means "other"': (
        lambda p: [(toxicity.window, toxicity.means) for toxicity in p.toxicities], [("within 14 days", "other")]
    ),
    "toxicity mild": (lambda p: [toxicity.name for toxicity in p.toxicities], ["DLT", "mild"]),
    'body committee means "four people"': (lambda p: [body.means for body in p.bodies], ["four people"]),
    "verdict MTD requires at least 6 evaluable": (lambda p: [low_of(verdict.requires) for verdict in p.verdicts], [6]),
    "part escalation\ncohorts of 2": (lambda p: p.parts[0].cohort, 2),
    'part escalation "the first part"': (lambda p: (p.parts[0].title, p.parts[0].cohort), ("the first part", 3)),
    "part escalation\naccrue at most 9 patients at a level": (lambda p: [x.high for x in p.parts[0].limits], [9]),
    "part escalation\naccrue at most 12 in the part": (lambda p: [x.high for x in p.parts[0].limits], [6, 12]),
    'claim "few patients" always at most 9 evaluable at this level': (
        lambda p: [high_of(claim.guard) for claim in p.claims], [9]
    ),
    'claim "another"  always at most 9 evaluable at this level': (lambda p: len(p.claims), 2),
    "parameter size is 2": (lambda p: (p.parts[0].cohort, p.parameters["total"].value), (2, 6)),
    LATER: (lambda p: [part.name for part in p.parts], ["escalation", "second"]),
    'silent "another thing"': (lambda p: len(p.silences), 2),
}  # fmt: skip


@pytest.mark.parametrize("own", STATED)
def test_what_the_file_states_itself(own: str, folder: Path) -> None:
    reading, value = STATED[own]
    assert reading(meant(folder, f'use "base"\n{own}')) == value


def test_rules_are_added_replaced_and_left_out(folder: Path) -> None:
    found = meant(
        folder,
        'use "base" without "top", "few patients", "what a DLT is", "one reading"\n'
        "part escalation\n"
        'rule "go up" replaces "up" when none of 3 patients has a DLT and a higher level exists then escalate\n'
        'rule "end" when no higher level exists and the DLT rate is at most target then stop\n'
        'rule "pause" overrides "go up" when any DLT then stop\n',
    )
    part = found.parts[0]
    assert [rule.name for rule in part.rules] == ["down", "go up", "end", "pause"]
    assert part.rules[0].overrides == ("go up",)  # the design's rule overrides what stands in the place of "up"
    assert (found.claims, found.silences, found.assumptions) == ((), (), ())


def test_an_override_of_what_is_left_out_is_left_out(folder: Path) -> None:
    rules = {rule.name: rule for rule in meant(folder, 'use "base" without "UP"').parts[0].rules}
    assert set(rules) == {"top", "down"} and rules["down"].overrides == ()


def test_a_course_is_merged(folder: Path) -> None:
    course = """patient course
event progression  written P
rule "goes on" when no event then continue
state on-treatment
rule "ends" when progression then enter follow-up
state follow-up  final
"""
    (folder / "course.dose").write_text(BASE + course, encoding="utf-8")
    found = meant(
        folder,
        'use "course"\npatient course\nevent death  written D\n'
        'state on-treatment means "until progression"\n'
        'rule "dies" when death and not progression then enter follow-up\n'
        'state other\nrule "x" when progression or death then enter follow-up\n',
    ).course
    assert found is not None
    assert [event.name for event in found.events] == ["progression", "death"]
    assert [state.name for state in found.states] == ["on-treatment", "follow-up", "other"]
    assert found.states[0].means == "until progression"
    assert [rule.name for rule in found.states[0].rules] == ["goes on", "ends", "dies"]


def test_designs_use_designs(folder: Path) -> None:
    (folder / "middle.dose").write_text(
        'use "base" with size 2\nparameter extra is 1\npart escalation\n'
        'rule "middle" replaces "up" when no DLT and a higher level exists then escalate\nexample "1N" then wait\n',
        encoding="utf-8",
    )
    found = meant(folder, 'use "middle" with levels 4, extra 2 without "top"')
    assert [rule.name for rule in found.parts[0].rules] == ["down", "middle"]
    assert (found.parts[0].cohort, len(found.levels), found.examples) == (2, 4, ())
    assert found.parameters["extra"].value == 2


def test_two_designs_with_the_same_statements(folder: Path) -> None:
    """What both say in the same words is there once; two rules of one name are a fault."""
    (folder / "again.dose").write_text(BASE, encoding="utf-8")
    assert meant(folder, 'use "base"\nuse "again"').parts == meant(folder, 'use "base"').parts
    (folder / "again.dose").write_text(BASE.replace("then escalate", "then stay"), encoding="utf-8")
    assert [item.code for item in errors(loaded(folder, 'use "base"\nuse "again"'))] == ["DL202"]


# ---- parameters ----


def test_parameters_are_given_by_the_file_or_set_by_the_command(folder: Path) -> None:
    found = meant(folder, 'parameter doses is 4\nuse "base" with levels doses, target 25%', {"size": Fraction(6)})
    values = {name: one.value for name, one in found.parameters.items()}
    assert values == {"levels": 4, "size": 6, "total": 24, "target": Fraction(1, 4), "doses": 4}
    assert len(found.levels) == 4 and found.parts[0].cohort == 6
    again = meant(folder, 'parameter doses is 4\nuse "base" with levels doses', {"doses": Fraction(2)})
    assert len(again.levels) == 2
    same = meant(folder, 'parameter levels is 4\nuse "base" with levels levels', {"levels": Fraction(2)})
    assert len(same.levels) == 2


def test_a_parameter_that_is_given_cannot_be_set(folder: Path) -> None:
    with pytest.raises(Trouble, match="gives `levels` to the design"):
        loaded(folder, 'use "base" with levels 2', {"levels": Fraction(4)})
    with pytest.raises(Trouble, match="outside the range of `size`"):
        loaded(folder, 'use "base"', {"size": Fraction(13)})


@pytest.mark.parametrize(
    ("text", "code", "underlined", "words"),
    [
        ('use "base" with levels 7', "DL206", "levels 7", "7 is outside the range of `levels`"),
        ('use "base" with levels 30%', "DL206", "levels 30%", "not a percentage"),
        ('use "base" with target 0.3', "DL206", "target 0.3", "`target` is a percentage"),
        ('use "base" with levels 2, 3', "DL206", "levels 2, 3", "not a list of 2"),
        ('use "base" with total 9', "DL206", "total 9", "computes `total`"),
        ('use "base" with lvls 3', "DL203", "lvls", "`levels`"),
        ('use "base" with levels 3, levels 4', "DL202", "levels 4", "given twice"),
        ('use "base" with levels top', "DL203", "top", "no parameter `top`"),
        ('parameter levels is 3\nuse "base" with levels 4', "DL202", "levels 4", "declared in this file as well"),
        ('parameter levels is 8\nuse "base"', "DL206", "parameter levels is 8", "8 is outside the range of `levels`"),
        ('parameter target is 3\nuse "base"', "DL206", "parameter target is 3", "`target` is a percentage"),
        ('use "base" with levels levels', "DL206", "parameter levels is 3 from 1 to 6", "in a circle"),
        ('use "base" without "dwn"', "DL203", '"dwn"', 'Did you mean "down"?'),
        ('use "base"\npart escalation\nrule "x" replaces "dwn" when any DLT then stop', "DL203", '"dwn"', '"down"'),
        ('use "base"\nrule "x" replaces "up" when any DLT then stop', "DL205", '"up"', "below `part escalation`"),
        ('use "base"\npart escalation\nrule "Up" when any DLT then stop', "DL202", '"Up"', 'replaces "Up"'),
        ('use "bse"', "DL605", '"bse"', "Did you mean “base”?"),
        ('use "nothing of the kind"', "DL605", '"nothing of the kind"', "three-plus-three"),
        ('use "../base"', "DL605", '"../base"', "without a folder"),
        ('use "/etc/passwd"', "DL605", '"/etc/passwd"', "without a folder"),
        ('use "C:\\base"', "DL605", '"C:\\base"', "without a folder"),
        ('use "base.dose"', "DL605", '"base.dose"', "without `.dose`"),
        ('use ""', "DL605", '""', "not the name of a design"),
        ('use "trial"', "DL605", '"trial"', "uses itself"),
        ('use "folder"', "DL605", '"folder"', "is a folder"),
        ('use "latin"', "DL605", '"latin"', "not written in UTF-8"),
    ],
)  # fmt: skip
def test_a_wrong_use(text: str, code: str, underlined: str, words: str, folder: Path) -> None:
    (folder / "folder.dose").mkdir()
    (folder / "latin.dose").write_bytes('protocol "\xe9"'.encode("latin-1"))
    found = loaded(folder, text)
    wrong = errors(found)
    assert [item.code for item in wrong] == [code], [item.message for item in wrong]
    assert found.source.words(wrong[0].span) == underlined
    assert words in f"{wrong[0].message} {wrong[0].help}"


def test_replaces_without_a_design(folder: Path) -> None:
    found = loaded(folder, BASE.partition("\n")[2] + 'rule "x" replaces "up" when any DLT then stop\n')
    assert "DL211" in [item.code for item in errors(found)]


# ---- where things stand ----


def test_a_fault_in_a_design_is_told_in_the_design(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    wrong = BASE.replace("then escalate", "then esclate").replace('cites "ends at', 'cites "stops at')
    (folder / "base.dose").write_text(wrong, encoding="utf-8")
    (folder / "trial.dose").write_text('protocol "A trial"\nuse "base"\ncohorts of of\n', encoding="utf-8")
    assert run(["check", "--format", "concise", "trial.dose"]) == 1
    assert [line.split(" ")[:3] for line in capsys.readouterr().out.splitlines()] == [
        ["trial.dose:3:12:", "error", "DL104"],
        ["base.dose:23:8:", "error", "DL101"],
        ["base.dose:25:9:", "error", "DL601"],
    ]
    assert run(["check", "trial.dose"]) == 1
    told = capsys.readouterr().out
    assert "base.dose:23:8: error DL101" in told and "  23 |   then esclate\n     |        ^^^^^^^" in told
    assert run(["check", "--format", "json", "trial.dose"]) == 1
    items = json.loads(capsys.readouterr().out)["files"][0]["diagnostics"]
    assert [item.get("path") for item in items] == [None, "base.dose", "base.dose"]
    assert run(["check", "--format", "github", "trial.dose"]) == 1
    told = capsys.readouterr().out
    assert "::error file=trial.dose,line=3," in told and "::error file=base.dose,line=23," in told


def test_a_fault_of_meaning_in_a_design(folder: Path) -> None:
    (folder / "base.dose").write_text(BASE.replace("start at level 1", "start at level 9"), encoding="utf-8")
    found = loaded(folder, 'use "base"')
    wrong = errors(found)
    assert [(item.code, found.source.place(item.span.start)) for item in wrong] == [("DL204", (9, 16))]
    assert found.source.path_of(wrong[0].span.start) == str(folder / "base.dose")


def test_a_label_in_another_file_names_it(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "trial.dose").write_text('protocol "A trial"\nuse "base" with levels 7\n', encoding="utf-8")
    assert run(["check", "trial.dose"]) == 1
    told = capsys.readouterr().out
    assert "trial.dose:2:17: error DL206" in told
    underlined = f"     | {'':23}----------- the range"
    assert f"     : base.dose\n   3 | parameter levels is 3  from 1 to 6\n{underlined}" in told
    run(["check", "--format", "json", "trial.dose"])
    item = json.loads(capsys.readouterr().out)["files"][0]["diagnostics"][0]
    assert "path" not in item and item["labels"][0]["path"] == "base.dose" and item["labels"][0]["line"] == 3


def test_the_whole_is_checked_and_the_file_of_each_rule_is_named(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    text = 'protocol "A trial"\nuse "base"\npart escalation\nrule "never" when at least 9 DLTs then stop\n'
    (folder / "trial.dose").write_text(text, encoding="utf-8")
    run(["check", "--format", "json", "trial.dose"])
    record = json.loads(capsys.readouterr().out)["files"][0]
    assert record["machine"]["rules"] == 4
    assert [(one["name"], one["path"]) for one in record["claims"]] == [("few patients", "base.dose")]
    assert [one["path"] for one in record["silences"] + record["assumptions"]] == ["base.dose"] * 2
    levels = record["parameters"][0]
    assert (levels["name"], levels["value"], levels["from"], levels["to"]) == ("levels", 3, 1, 6)
    run(["explain", "trial.dose", "1NNN"])
    told = capsys.readouterr().out
    assert '"up"  (base.dose, line 20)' in told and 'cites  "goes up if nobody has a DLT" (base.md, line 1)' in told
    assert '"never"\n' in told
    run(["show", "trial.dose"])
    told = capsys.readouterr().out
    assert "# from base.dose\nparameter levels is 3  from 1 to 6" in told
    assert "# from trial.dose\n" in told.partition('rule "down"')[2]
    assert 'use "base"' not in told and "cites" not in told


def test_what_show_prints_is_a_protocol_of_its_own(folder: Path, capsys: Capture) -> None:
    loaded(folder, 'use "base" with levels 4, target 20% without "few patients"')
    run(["show", str(folder / "trial.dose")])
    (folder / "whole.dose").write_text(capsys.readouterr().out, encoding="utf-8")
    whole, used = load(str(folder / "whole.dose")).protocol, load(str(folder / "trial.dose")).protocol
    assert whole is not None and used is not None
    assert [rule.cases for rule in whole.parts[0].rules] == [rule.cases for rule in used.parts[0].rules]
    assert whole.levels == used.levels and whole.parameters["target"].value == Fraction(1, 5)


def test_the_formatter_lays_out_the_file_alone(folder: Path) -> None:
    path = folder / "trial.dose"
    path.write_text('protocol "A trial"\nuse "base" with levels 4,\n target 20% without "top"\n', encoding="utf-8")
    assert run(["fmt", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == (
        'protocol "A trial"\nuse "base"\n  with levels 4, target 20%\n  without "top"\n'
    )


def test_only_the_files_own_rules_need_its_text(folder: Path) -> None:
    """Rules of the design cite the design's text; the uncited sentences are those of the file's own."""
    (folder / "trial.md").write_text("Cohorts may be paused. Nothing else is said.", encoding="utf-8")
    found = loaded(
        folder, 'text "trial.md"\nuse "base"\npart escalation\nrule "own" when at least 3 DLTs then stop\n'
        'rule "cited" cites "Cohorts may be paused" when at least 3 DLTs then stop\n'
    )  # fmt: skip
    told = [(item.code, item.message) for item in found.diagnostics]
    assert [code for code, _ in told] == ["DL602", "DL603"]
    assert "trial.md" in told[0][1] and '"own"' in told[1][1]


# ---- limits ----


def test_circles_and_depth(folder: Path) -> None:
    (folder / "one.dose").write_text('use "two"\n', encoding="utf-8")
    (folder / "two.dose").write_text('use "one"\n', encoding="utf-8")
    found = loaded(folder, 'use "one"')
    assert [(item.code, found.source.path_of(item.span.start)) for item in errors(found)] == [
        ("DL605", str(folder / "two.dose"))
    ]
    for number in range(MOST_DEEP + 2):
        (folder / f"n{number}.dose").write_text(f'use "n{number + 1}"\n', encoding="utf-8")
    assert "DL704" in [item.code for item in errors(loaded(folder, 'use "n0"'))]
    (folder / f"n{MOST_DEEP - 1}.dose").write_text(BASE, encoding="utf-8")
    assert len(meant(folder, 'use "n0"').parts[0].rules) == 3


def test_many_designs_are_refused(folder: Path) -> None:
    for number in range(12):
        (folder / f"m{number}.dose").write_text("", encoding="utf-8")
    text = "".join(f'use "m{number}"\n' for number in range(12))
    assert "DL704" in [item.code for item in errors(loaded(folder, text))]


def test_a_link_that_leads_elsewhere_is_not_read(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "inside" / "base.dose").symlink_to(folder / "base.dose")
    (folder / "inside" / "loop.dose").symlink_to(folder / "inside" / "loop.dose")
    for name in ("base", "loop"):
        wrong = errors(loaded(folder / "inside", f'use "{name}"'))
        assert [item.code for item in wrong] == ["DL605"], name


def test_a_design_too_large_is_told_at_the_design(folder: Path) -> None:
    (folder / "large.dose").write_text("# " + "x" * (1 << 20), encoding="utf-8")
    found = loaded(folder, 'use "large"')
    wrong = [item for item in errors(found) if item.code == "DL704"]
    assert [found.source.path_of(item.span.start) for item in wrong] == [str(folder / "large.dose")]


# ---- the designs that come with doselang ----

LIBRARY = sorted(path.stem for path in (ROOT / "protocols" / "designs").glob("*.dose"))


@pytest.mark.parametrize("name", LIBRARY)
def test_every_design_can_be_used(name: str, tmp_path: Path) -> None:
    """Used without a change it is the design itself."""
    alone = load(str(ROOT / "protocols" / "designs" / f"{name}.dose")).protocol
    used = meant(tmp_path, f'use "{name}"')
    assert alone is not None
    for mine, theirs in zip(used.parts, alone.parts, strict=True):
        assert [(rule.name, rule.cases, rule.overrides) for rule in mine.rules] == [
            (rule.name, rule.cases, rule.overrides) for rule in theirs.rules
        ]
    nothing = {"title": "", "text": None, "examples": (), "scenarios": (), "parts": (), "citations": ()}
    # a citation knows the place in its text, which is another where the text is that of a design
    advisers = [tuple(evolve(one, cites=()) for one in of.advisers) for of in (used, alone)]
    assert advisers[0] == advisers[1]
    bare = {**nothing, "claims": (), "advisers": ()}
    assert evolve(used, **bare) == evolve(alone, **bare)  # type: ignore[arg-type]
    assert [claim.guard for claim in used.claims] == [claim.guard for claim in alone.claims]


@pytest.mark.parametrize("name", LIBRARY)
def test_new_files_that_use_a_design(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "my-trial", "--design", name, "--use"]) == 0
    assert "doselang check my-trial.dose" in capsys.readouterr().out
    found = load("my-trial.dose")
    design = load(str(ROOT / "protocols" / "designs" / f"{name}.dose"))
    assert found.protocol is not None and design.protocol is not None and found.protocol.title == "my trial"
    assert {key: one.value for key, one in found.protocol.parameters.items()} == {
        key: one.value for key, one in design.protocol.parameters.items()
    }
    assert run(["fmt", "--check", "my-trial.dose"]) == 0
    assert run(["new", "my-trial", "--design", name, "--use"]) == 2
    assert run(["new", name, "--design", name, "--use"]) == 2 and not Path(f"{name}.dose").exists()


# ---- tables, methods and counters of a design ----

ADVISED = """\
protocol "A design with an adviser"
parameter target is 30%  from 10% to 50%
levels 1 to 3
start at level 1
toxicity DLT
table boundaries
  from "boundaries.csv"
use too-toxic as safety with target target
counter quiet
part escalation
cohorts of 3
rule "end" when the cohort is complete then declare no MTD, stop
"""


def test_tables_and_methods_of_a_design(folder: Path) -> None:
    """A table in a file beside the design is read; one of the same name, or a method, takes its place."""
    (folder / "advised.dose").write_text(ADVISED, encoding="utf-8")
    rows = "n,toxicities,decision\n3,0,escalate\n3,1,stay\n3,2,de-escalate\n3,3,stop\n"
    (folder / "boundaries.csv").write_text(rows, encoding="utf-8")
    alone = load(str(folder / "advised.dose")).protocol
    found = meant(folder, 'use "advised"')
    assert alone is not None and found.advisers == alone.advisers
    given = meant(folder, 'use "advised" with target 25%')
    assert given.advisers[0] == alone.advisers[0] and given.advisers[1] != alone.advisers[1]
    by_method = meant(folder, 'use "advised"\nuse boin as boundaries with target target\ncounter quiet means "none"')
    assert [adviser.name for adviser in by_method.advisers] == ["boundaries", "safety"]
    assert by_method.advisers[0] != alone.advisers[0] and by_method.advisers[1] == alone.advisers[1]
    (folder / "boundaries.csv").unlink()
    assert [item.code for item in errors(loaded(folder, 'use "advised"'))] == ["DL604"]


STATEMENTS = st.lists(any_node(n.Statement), max_size=12)


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.lists(any_node(n.Statement), max_size=12), st.lists(any_node(n.Statement), max_size=12), any_node(n.UseDesign)
)
def test_no_file_and_no_design_make_composing_fail(
    own: list[n.Statement], design: list[n.Statement], use: n.UseDesign
) -> None:
    """Whatever the two hold, the whole has what it should: no title, text or example of the design."""
    report = Report()
    base = parse(Source("base.dose", BASE), Report(), 1000).statements
    used = Used(use, n.File((*base, *design), span=Span(1000, 9000)), None)
    whole = compose(n.File((*own, use), span=Span(0, 900)), [used], report)
    kept = [statement for statement in own if not isinstance(statement, n.UseDesign)]
    taken = [statement for statement in whole.file.statements if all(statement is not one for one in kept)]
    assert not any(isinstance(one, n.ProtocolTitle | n.TextFile | n.Example | n.Scenario) for one in taken)
    if not report.has_errors:
        there = {id(statement) for statement in whole.file.statements}
        assert all(id(one) in there or one_header(one) for one in kept)
    resolve(whole.file, report, text=None, composed=whole)
    whole.shown()


def one_header(statement: n.Statement) -> bool:
    """Whether a statement may be left out, since the design has the same header."""
    return isinstance(statement, n.Part | n.State | n.Course)


def test_a_parameter_that_follows_another_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "base.dose").write_text(
        BASE.replace("parameter total is", "parameter most is total\nparameter total is"), encoding="utf-8"
    )
    text = (
        'protocol "x"\nuse "base"\n  with {}\ncomponent drug in mg\nlevels 1 to 2\nstart at level 1\n'
        "part more\ncohorts of most\n"
    )
    path = tmp_path / "t.dose"
    path.write_text(text.format("most 4"), encoding="utf-8")
    assert not [item for item in load(path).diagnostics if "computes" in item.message]
    path.write_text(text.format("total 4"), encoding="utf-8")
    assert [item for item in load(path).diagnostics if "The design computes `total`" in item.message]
