"""Faulty files: each is answered by a finding or a limit with its place, soon, and never by a fault of doselang."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from doselang.cli import run
from doselang.machine import course
from tests import faulty_constructs, faulty_groups, faulty_wordings

FAULTY = Path(__file__).parent / "faulty"
PYTHON_WORDS = re.compile(r"Traceback|Exception|\w*Error\b|DL999|<class|NoneType|attrs|lark|Errno|\bNone\b")
LONGEST_SECONDS, MOST_MEMORY = 60, 1 << 30

# The name of a file in tests/faulty, the exit status of `check`, its errors with their lines, and what must be said.
FINDINGS = (
    ("misspelt-rule", 1, "DL101:17", "`rule`"),
    ("misspelt-move", 1, "DL101:13", "`escalate`"),
    ("misspelt-toxicity-word", 1, "DL101:5", "`toxicity`"),
    ("misspelt-bound", 1, "DL101:18", "`least`"),
    ("deescalate", 1, "DL101:19", "`de-escalate`"),
    ("if-for-when", 1, "DL101:18", "`when`"),
    ("else", 1, "DL101:14", "`when … then …`"),
    ("when-without-then", 1, "DL101:12", "`then`"),
    ("rule-without-name", 1, "DL101:17", '`rule "…"`'),
    ("unquoted-name", 1, "DL101:17", '`rule "toxic"`'),
    ("unquoted-reason", 1, "DL101:19", "A reason stands in quotation marks"),
    ("unclosed-quote", 1, "DL102:14", "not closed"),
    ("unclosed-last-quote", 1, "DL102:19", "not closed"),
    ("quote-over-lines", 1, "DL102:16", "on one line"),
    ("curly-quotes", 1, "DL103:17", '`"toxic"`'),
    ("single-quotes", 1, "DL103:17", '`"toxic"`'),
    ("long-minus", 1, "DL103:3", "`-1`"),
    ("slash-count", 1, "DL103:12", "`0 of 3`"),
    ("comparison-sign", 1, "DL103:18", "`>=` is written `at least`"),
    ("comparison-typeset", 1, "DL103:18", "`≥` is written `at least`"),
    ("or-more", 1, "DL101:18", "`at least 1 of 3`"),
    ("bare-count", 1, "DL209:18", "`exactly 1 DLT`"),
    ("and-or", 1, "DL208:12", "which can be read in two ways"),
    ("number-word", 1, "DL101:9", "Write `3`"),
    ("dose-of-cells", 1, "DL101:5", "Write `1500000`"),
    ("dose-with-commas", 1, "DL101:5", "Write `1500000`"),
    ("silent-cites", 1, "DL101:21", "background"),
    ("full-stop", 1, "DL103:3", "full stop"),
    ("colon", 1, "DL103:4", "colon"),
    ("reserved-name", 1, "DL104:8", "`stop` is a word of the language"),
    ("any-time-late", 1, "DL101:18", "belongs after the rule's name"),
    ("unclosed-parenthesis", 1, "DL101:13", "`)` is missing"),
    ("decimal-comma", 1, "DL101:21", "Write `0.1%`"),
    ("no-title", 1, "DL201:1", 'protocol "'),
    ("no-level", 1, "DL201:1", "levels 1 to 3"),
    ("no-start", 1, "DL201:1", "start at level 1"),
    ("no-toxicity", 1, "DL201:1", "toxicity DLT"),
    ("no-part", 1, "DL201:1", "no part"),
    ("no-cohorts", 1, "DL201:8", "cohorts of 3"),
    ("no-rules", 1, "DL201:8", "no rule"),
    ("only-title", 1, "DL201:1 DL201:1 DL201:1 DL201:1", "levels 1 to 3"),
    ("only-comments", 1, "DL201:1 DL201:1 DL201:1 DL201:1 DL201:1", "levels 1 to 3"),
    ("unknown-unit", 1, "DL207:3", "`mg`"),
    ("unknown-time", 1, "DL101:5", "a unit of time"),
    ("unknown-component", 1, "DL203:5", "`drug`"),
    ("unknown-toxicity", 1, "DL203:18", "`DLT`"),
    ("unknown-level", 1, "DL204:4", "no level `7`"),
    ("unknown-part", 1, "DL203:16", "no part `expansion`"),
    ("unknown-body", 1, "DL203:13", "no body `committee`"),
    ("unknown-verdict", 1, "DL203:16", "no verdict `RP2D`"),
    ("unknown-overrides", 1, "DL203:18", '"clear"'),
    ("duplicate-rule", 1, "DL202:14", 'called "clear"'),
    ("duplicate-level", 1, "DL202:5", "declared twice"),
    ("duplicate-toxicity", 1, "DL202:6", "declared twice"),
    ("duplicate-letter", 1, "DL219:6", "one letter, T"),
    ("duplicate-title", 1, "DL202:3", "second"),
    ("duplicate-start", 1, "DL202:5", "second"),
    ("duplicate-cohorts", 1, "DL202:10", "given twice"),
    ("letter-taken", 1, "DL219:5", "letter N"),
    ("cycle-unknown", 1, "DL214:5", "cycle is 28 days"),
    ("caps-contradict", 1, "DL213:10", "`at least 6 and at most 7`"),
    ("caps-contradict-apart", 1, "DL213:11", "given twice"),
    ("cohort-over-cap", 1, "DL213:9", "larger than the limit of 2"),
    ("cohorts-of-none", 1, "DL206:9", "from 1 to 100"),
    ("cohorts-absurd", 2, "DL704:9", "at most 20 characters"),
    ("cohorts-of-101", 1, "DL206:9", "at most 100"),
    ("cohorts-broken", 1, "DL206:9", "whole number"),
    ("cohorts-negative", 1, "DL101:9", "`-3`"),
    ("four-of-three", 1, "DL206:18", "cannot hold 4"),
    ("between-backwards", 1, "DL206:18", "between 1 and 3"),
    ("rate-over-all", 1, "DL206:18", "130%"),
    ("level-of-number-parameter", 1, "DL203:3", "no parameter `top`"),
    ("parameter-in-percent", 1, "DL206:10", "percentage"),
    ("overrides-circle", 1, "DL212:16", "in a circle"),
    ("overrides-itself", 1, "DL212:18", "overrides itself"),
    ("overrides-earlier", 1, "DL212:12", "asked before"),
    ("close-alone", 1, "DL301:17", "no rule says what comes next"),
    ("close-bare", 1, "DL101:19", "`close this level as too toxic`"),
    ("close-unclear", 1, "DL101:18", "`this level`"),
    ("closed-how", 1, "DL210:18", "`closed as too toxic`"),
    ("moves-contradict", 1, "DL217:13", "twice what comes next"),
    ("close-and-enrol", 1, "DL217:19", "`enrol 3 more at the next lower level`"),
    ("begin-own-part", 1, "DL303:14", "has begun before"),
    ("patient-move-in-trial", 1, "DL211:13", "`continue` has no meaning"),
    ("patient-condition-in-trial", 1, "DL211:18", "`patient course`"),
    ("cohort-move-in-course", 1, "DL211:28", "`escalate` has no meaning"),
    ("unknown-state", 1, "DL203:31", "`follow-up`"),
    ("unknown-event", 1, "DL203:30", "`progression`"),
    ("course-without-state", 1, "DL201:21", "`patient course`"),
    ("course-endless", 1, "DL201:32", "`state follow-up`"),
    ("rule-above-part", 1, "DL302:8", "disagree"),
    ("cohorts-above-part", 1, "DL205:8", "`part`"),
    ("claim-refuted", 1, "DL503:21", "does not hold"),
    ("claim-with-event", 1, "DL211:35", "`patient course`"),
    ("claim-empty", 1, "DL101:21", "`never`"),
    ("example-empty", 1, "DL215:21", "history is empty"),
    ("example-unknown-level", 1, "DL215:21", "no level `9`"),
    ("example-unknown-letter", 1, "DL215:21", "`Q`"),
    ("example-spaces", 1, "DL215:21 DL215:21", "1NNN"),
    ("example-unknown-rule", 1, "DL203:21", '"clear"'),
    ("example-patient-no-course", 1, "DL211:21", "`patient course`"),
    ("example-patient-wrong", 1, "DL215:34", "`Q`"),
    ("rates-over-all", 1, "DL216:21", "130%"),
    ("rates-too-few", 1, "DL216:21", "3 levels"),
    ("rates-without-percent", 1, "DL101:21", "`10%`"),
    ("rates-unknown", 1, "DL203:21", "`DLT`"),
    ("rates-add-up", 1, "DL216:22", "110%"),
    ("rates-missing", 1, "DL216:22", "no rate of `moderate`"),
    ("chances-add-up", 1, "DL216:23", "110%"),
    ("chances-unknown", 1, "DL216:23", '"toxic"'),
    ("chances-too-few", 1, "DL216:23", "needs 2"),
    ("hazard-without-course", 1, "DL216:22", "`progression`"),
    ("citation-not-found", 1, "DL601:19", "“If a patient has a DLT, the trial ends.”"),
    ("citation-without-text", 1, "DL201:18", "cites a protocol's text"),
    ("text-missing", 1, "DL604:3", "no file plane.md"),
    ("text-above", 1, "DL604:3", "without a folder"),
    ("text-absolute", 1, "DL604:3", "without a folder"),
    ("text-folder", 1, "DL604:3", "is a folder"),
    ("text-windows", 1, "DL604:3", "without a folder"),
    ("text-empty-name", 1, "DL604:3", "without a folder"),
    ("text-latin", 1, "DL604:3", "not written in UTF-8"),
    ("text-binary", 1, "DL604:3", "binary"),
    ("text-twice", 1, "DL202:4", "second"),
    ("gap", 1, "DL301:8", "2 or 3 DLTs in 3"),
    ("conflict", 1, "DL301:8 DL302:11", "2 or 3 DLTs in 3"),
    ("no-such-level", 1, "DL303:11", "no such level"),
    ("endless", 1, "DL501:8", "`3NNN` can follow again and again"),
    ("no-verdict", 1, "DL502:14", "no verdict has been declared"),
    ("limit-broken", 1, "DL401:12", "at most 3 patients in the trial"),
    ("too-deep", 2, "DL704:18", "more than 40 deep"),
    ("ladder-too-long", 2, "DL704:3", "at most 200"),
    ("levels-backwards", 1, "DL206:3", "levels 1 to 3"),
    ("number-too-long", 2, "DL704:18", "at most 20 characters"),
    # parameters, generated ladders, designs that are used
    ("parameter-outside", 1, "DL206:3", "25 is outside the range of `top`"),
    ("parameter-range-backwards", 1, "DL206:3", "from 1 to 20"),
    ("parameter-range-kind", 1, "DL206:3", "as percentages"),
    ("parameter-circle", 1, "DL206:3", "`low` needs `high` needs `low`"),
    ("parameter-unit", 1, "DL207:3", "`mg/m2`"),
    ("parameter-list-mixed", 1, "DL206:3", "of one kind"),
    ("parameter-list", 1, "DL206:10", "a list of 2"),
    ("parameter-sum", 1, "DL206:4", "cannot be added"),
    ("parameter-dose", 1, "DL206:10", "not a dose in mg"),
    ("parameter-name", 1, "DL104:3", "`patients` is a word of the language"),
    ("parameter-rates", 1, "DL206:21", "write `size%`"),
    ("ladder-capped", 1, "DL206:4", "there can be 5 levels, 1 to 5"),
    ("ladder-cap-low", 1, "DL206:4", "below the first dose"),
    ("ladder-rounded", 1, "DL206:4", "would have the same dose"),
    ("ladder-from-zero", 1, "DL206:4", "never rises"),
    ("ladder-step-zero", 1, "DL206:4", "raises nothing"),
    ("ladder-unit", 1, "DL207:5", "in mg/m2, and the doses of `drug` are in mg"),
    ("ladder-component", 1, "DL203:4", "`drug`"),
    ("ladder-twice", 1, "DL202:4", "given twice"),
    ("ladder-percent", 1, "DL206:4", "an amount, not a percentage"),
    ("ladder-no-step", 1, "DL101:4", "`by 40%`"),
    ("ladder-no-unit", 1, "DL207:4", "component drug in mg"),
    ("use-unknown", 1, "DL605:3", "Did you mean “three-plus-three”?"),
    ("use-unquoted", 1, "DL101:3", '`use "three-plus-three"`'),
    ("use-folder", 1, "DL605:3", "without a folder"),
    ("use-extension", 1, "DL605:3", "without `.dose`"),
    ("use-itself", 1, "DL605:3", "uses itself"),
    ("use-parameter", 1, "DL203:4", "`levels`"),
    ("use-kind", 1, "DL206:4", "`levels` is a number, not a percentage"),
    ("use-given-twice", 1, "DL202:4", "given twice"),
    ("use-declared-too", 1, "DL202:5", "declared in this file as well"),
    ("use-same-rule", 1, "DL202:6", 'replaces "one of three"'),
    ("use-replaces-unknown", 1, "DL203:7", 'Did you mean "one of three"?'),
    ("use-replaces-elsewhere", 1, "DL205:6", "below `part escalation`"),
    ("use-without-unknown", 1, "DL203:4", 'Did you mean "one of three"?'),
    ("use-gap", 1, "DL301:26 DL503:121", "protocols/designs/three-plus-three.dose:26"),
    ("use-faulty", 1, "DL101:17", "misspelt-rule.dose:17"),
    ("use-limit", 1, "DL401:38 DL401:43 DL401:100 DL503:121", "at most 3 patients at a level"),
    ("replaces-without-use", 1, "DL211:21", "uses no design"),
    ("closed-below", 1, "DL407:11 DL407:20", "Write `the next lower level that remains`"),
    ("verdict-of-a-verdict", 1, "DL301:12", "no rule says what comes next"),
)

ALL_FINDINGS = (*FINDINGS, *faulty_constructs.FINDINGS, *faulty_groups.FINDINGS, *faulty_wordings.FINDINGS)

# Files whose text has no error, and whose example fails: what `test` says.
FAILING_EXAMPLES = (
    ("example-fails", "expected  stop"),
    ("example-wrong-start", "The trial begins at level 1"),
    ("example-too-many", "is to have 3 patients, not 4"),
    ("example-goes-on", "the trial has ended"),
    ("example-wrong-rule", 'by "toxic"'),
    ("example-option", "Nobody is asked to choose"),
)

Capture = pytest.CaptureFixture[str]


def findings(path: str, capsys: Capture) -> tuple[int, list[str], str]:
    """The exit status of `check`, its errors as `code:line`, and all that it says of the first."""
    status = run(["check", "--format", "json", path])
    printed = capsys.readouterr()
    assert not printed.err
    items = [item for item in json.loads(printed.out)["files"][0]["diagnostics"] if item["severity"] == "error"]
    said = [f"{item['message']} {item['help'] or ''}" for item in items]
    return status, [f"{item['code']}:{item['line']}" for item in items], "\n".join(said)


def polite(status: int, printed: str, allowed: Iterable[int] = (0, 1, 2)) -> None:
    """A command may refuse, and never with words of Python."""
    assert status in allowed, printed
    assert not PYTHON_WORDS.search(printed), printed


# ---- small files ----


@pytest.mark.parametrize(("name", "status", "errors", "words"), ALL_FINDINGS, ids=[row[0] for row in ALL_FINDINGS])
def test_the_answer_to_a_fault(
    name: str, status: int, errors: str, words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FAULTY)
    assert findings(f"{name}.dose", capsys)[:2] == (status, errors.split())
    assert run(["check", "--quiet", f"{name}.dose"]) == status
    printed = capsys.readouterr()
    polite(status, printed.out + printed.err)
    assert words in " ".join(printed.out.split()), printed.out


@pytest.mark.parametrize(("name", "words"), FAILING_EXAMPLES)
def test_an_example_that_fails(name: str, words: str, capsys: Capture) -> None:
    assert run(["test", str(FAULTY / f"{name}.dose")]) == 1
    printed = capsys.readouterr()
    polite(1, printed.out + printed.err)
    assert words in printed.out and "FAILED  line  21" in printed.out


def test_every_faulty_file_is_in_a_table() -> None:
    names = [row[0] for row in (*ALL_FINDINGS, *FAILING_EXAMPLES)]
    files = {path.stem for path in FAULTY.glob("*.dose")} - {"inevaluable"}
    assert files == set(names) and len(names) == len(files) >= 70


COMMANDS = (
    ("test", "FILE"),
    ("simulate", "FILE", "--dlt", "10%,20%,30%"),
    ("simulate", "FILE", "--method", "montecarlo", "--trials", "20", "--seed", "1", "--dlt", "10%,20%,30%"),
    ("explain", "FILE", "1NNN 2NT"),
    ("explain", "FILE", "--patient", "1 . (PU)"),
    ("show", "FILE"),
    ("show", "FILE", "--as", "machine"),
    ("fmt", "--check", "FILE"),
    ("check", "--format", "github", "FILE"),
    ("check", "--format", "concise", "FILE"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_stumbles_over_a_faulty_file(command: tuple[str, ...], capsys: Capture) -> None:
    for path in sorted(FAULTY.glob("*.dose")):
        before = path.read_bytes()
        status = run([str(path) if word == "FILE" else word for word in command])
        printed = capsys.readouterr()
        polite(status, printed.out + printed.err)
        assert path.read_bytes() == before


def test_a_file_with_faults_is_told_from_a_limit_by_every_command(capsys: Capture) -> None:
    """1 for findings, 2 for a limit."""
    for command in (["simulate"], ["test"], ["show", "--as", "protocol"], ["fmt"], ["check"]):
        assert run([*command, str(FAULTY / "misspelt-rule.dose")]) == 1
        assert run([*command, str(FAULTY / "too-deep.dose")]) == 2
    assert run(["explain", str(FAULTY / "misspelt-rule.dose"), "1N"]) == 1
    assert run(["explain", str(FAULTY / "too-deep.dose"), "1N"]) == 2
    capsys.readouterr()


# ---- encodings, and things that are no files ----

SMALL = """\
protocol "A trial"
levels 1 to 3
start at level 1
toxicity DLT  within 28 days  written T
replace inevaluable patients

part escalation
cohorts of 3

rule "clear"
  when none of 3 patients has a DLT and a higher level exists
  then escalate
rule "clear at the top"
  when none of 3 patients has a DLT and no higher level exists
  then declare this level as MTD, stop "the highest level is tolerated"
rule "toxic"
  when at least 1 of 3 patients has a DLT
  then close this level as too toxic, declare no MTD, stop "a DLT"
"""

# Bytes of a file, the exit status of `check`, and what it says.
ENCODINGS: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 1, "The file has no title"),
    "white space": (b" \n\t\r\n\n", 1, "The file has no title"),
    "byte-order mark": (b"\xef\xbb\xbf" + SMALL.encode(), 0, ""),
    "lines of Windows": (SMALL.replace("\n", "\r\n").encode(), 0, ""),
    "lines of old": (SMALL.replace("\n", "\r").encode(), 0, ""),
    "Latin-1": (SMALL.replace("A trial", "Une étude").encode("latin-1"), 2, "not written in UTF-8: line 1"),
    "UTF-16": (SMALL.encode("utf-16"), 2, "UTF-16"),
    "UTF-16 without a mark": (SMALL.encode("utf-16-le"), 2, "binary data"),
    "NULs": (b"\0" * 5000, 2, "binary data"),
    "a late NUL": (f'{SMALL}#{"-" * 9000}\nrule "\0"'.encode(), 1, "not finished"),
    "all bytes": (bytes(range(256)) * 40, 2, "binary data"),
    "a lone surrogate": (SMALL.encode() + b"\xed\xa0\x80", 2, "not written in UTF-8: line 19"),
    "an escape": (SMALL.replace("rule", "\x1b[31mrule\a").encode(), 1, "U+001B"),
    "a no-break space": (SMALL.replace("  when", "\u00a0 when").encode(), 1, "no-break space"),
    "a space of no width": (SMALL.replace("rule ", "rule\u200b ").encode(), 1, "zero width space"),
    "a Greek letter": (SMALL.replace("DLT", "DL\u03a4").encode(), 1, "letters a to z"),
    "line separators": (SMALL.replace("\n", "\u2028").encode(), 1, "line separator"),
}


@pytest.mark.parametrize(("content", "status", "words"), ENCODINGS.values(), ids=ENCODINGS)
def test_encodings(content: bytes, status: int, words: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_bytes(content)
    found = run(["check", "--quiet", str(path)])
    printed = capsys.readouterr()
    polite(found, printed.out + printed.err, (status,))
    assert words in printed.out + printed.err
    assert "\x1b" not in printed.out and "\u202e" not in printed.out


def test_a_name_that_would_obey_a_terminal_is_made_visible(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    text = SMALL.replace('"toxic"', '"\u202e\x1b[31mtoxic"').replace("at least 1", "exactly 1")
    path.write_text(text, encoding="utf-8")
    for command in (["check"], ["test"], ["simulate", "--dlt", "10%,20%,30%"], ["explain"]):
        run([*command, str(path), *(["1NNT"] if command == ["explain"] else [])])
        printed = capsys.readouterr()
        assert not set("\x1b\u202e") & set(printed.out + printed.err), command


@pytest.mark.parametrize(
    ("name", "words"),
    [("folder.dose", "no .dose file"), ("none.dose", "no file"), ("none/none.dose", "no folder"), ("", "folder")],
)
def test_what_is_not_there(name: str, words: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "folder.dose").mkdir()
    status = run(["check", str(tmp_path / name)])
    printed = capsys.readouterr()
    polite(status, printed.err.replace(str(tmp_path), ""), (2,))
    assert words in printed.err and not printed.out


def test_a_misspelt_file_name(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "my-trial.dose").write_text(SMALL, encoding="utf-8")
    assert run(["check", str(tmp_path / "my-tral.dose")]) == 2
    assert f"Did you mean {tmp_path / 'my-trial.dose'}?" in capsys.readouterr().err
    assert run(["check", str(tmp_path / "quite-another.dose")]) == 2
    assert "Did you mean" not in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe.dose")
    for path in (str(tmp_path / "pipe.dose"), "/dev/zero", "/dev/null"):
        assert run(["check", path]) == 2
        assert "is not an ordinary file" in capsys.readouterr().err
    script = tmp_path / "trial.dose"
    script.write_text(f'text "pipe.dose"\n{SMALL}', encoding="utf-8")
    assert run(["check", str(script)]) == 1
    assert "is not an ordinary file" in capsys.readouterr().out


def test_a_text_that_a_link_puts_elsewhere_is_not_read(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.md").write_text("The secret sentence.", encoding="utf-8")
    (tmp_path / "inside" / "text.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "inside" / "loop.md").symlink_to(tmp_path / "inside" / "loop.md")
    script = tmp_path / "inside" / "trial.dose"
    for name in ("text.md", "loop.md"):
        script.write_text(f'text "{name}"\n{SMALL}', encoding="utf-8")
        assert run(["check", str(script)]) == 1
        said = capsys.readouterr().out
        assert "DL604" in said and "secret" not in said
        polite(1, said)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(SMALL, encoding="utf-8")
    path.chmod(0)
    assert run(["check", str(path)]) == 2
    assert "permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["with spaces.dose", "Étude – à doses.dose", "two\nlines.dose", "-.dose", "100%.dose"])
def test_odd_names_of_files(name: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(SMALL, encoding="utf-8")
    for command in (["check", "--quiet"], ["test"], ["simulate", "--dlt", "10%,20%,30%"], ["fmt"], ["show"]):
        status = run([*command, "--", name])
        printed = capsys.readouterr()
        polite(status, printed.out + printed.err, (0,))
    assert run(["check", "."]) == 0


def test_a_name_that_cannot_be(capsys: Capture) -> None:
    for name in ("nul\0inside.dose", "x" * 5000 + ".dose"):
        assert run(["check", name]) == 2
        polite(2, capsys.readouterr().err)


def test_the_standard_input() -> None:
    def given(content: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "doselang", *arguments], input=content, capture_output=True, check=False
        )

    assert given(SMALL.encode(), "check", "--quiet", "-").returncode == 0
    wrong = given(SMALL.replace("escalate\n", "esclate\n").encode(), "check", "-")
    assert wrong.returncode == 1 and b"-:12:8: error DL101" in wrong.stdout
    assert given(b"\xff\xfe", "check", "-").returncode == 2
    assert given(b"x" * (5 << 20), "check", "-").returncode == 2
    laid_out = given(SMALL.encode(), "fmt", "-")
    assert laid_out.returncode == 0 and given(laid_out.stdout, "fmt", "-").stdout == laid_out.stdout


# ---- huge files ----

MIB = 1 << 20


def replaced(*pairs: tuple[str, str]) -> str:
    text = SMALL
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def many(number: int, line: Callable[[int], str]) -> str:
    return SMALL + "".join(line(index) for index in range(number))


CONDITION = "at least 1 of 3 patients has a DLT"
COURSE = """
patient course
event progression  written P
state on-treatment
rule "goes on" when no event then continue
rule "ends" when progression then enter follow-up
state follow-up  final
"""
EVENTS = "".join(f"event e{number}  written {letter}\n" for number, letter in enumerate("ABCDEFGH"))
STATES = "".join(
    f'state s{n}\nrule "x{n}" when no event and at most {20 + n} cycles then continue\n'
    f'rule "y{n}" when at least 1 cycles and e{n % 8} then enter s{n + 1}\n'
    for n in range(40)
)
GOES_ON = """\
protocol "A trial with very many states"
levels 1 to 10
start at level 1
toxicity DLT
part escalation
cohorts of 3
rule "up"
  when the DLT rate is at most 20% and a higher level exists and fewer than 150 evaluable in the trial then escalate
  when the DLT rate is at most 20% and no higher level exists and fewer than 150 evaluable in the trial then stay
rule "down"
  when the DLT rate is more than 20% and a lower level exists and fewer than 150 evaluable in the trial then de-escalate
  when the DLT rate is more than 20% and no lower level exists and fewer than 150 evaluable in the trial then stay
rule "end"
  when at least 150 evaluable in the trial then declare this level as MTD, stop
"""
HUNDRED = (
    ("toxicity DLT  within 28 days  written T\n", "toxicity DLT\ntoxicity moderate\ntoxicity mild\n"),
    ("of 3", "of 100"),
    ('"toxic"', '"toxic"  at any time'),
)

# What a huge file holds, the exit status of `check`, a code and a fragment that it says.
HUGE: dict[str, tuple[Callable[[], str], int, str]] = {
    "10 MB in a line": (lambda: "x" * (10 * MIB), 2, "larger than 4 MiB"),
    "3 MB in a line": (lambda: "x " * (3 * MIB // 2), 2, "larger than 1 MiB"),
    "1 MiB of one word": (lambda: "x" * MIB, 2, "at most 100 characters"),
    "1 MiB of words": (lambda: "x " * (MIB // 2), 1, "No statement begins with `x`"),
    "1 MiB of quotes": (lambda: '"' * MIB, 1, "DL101"),
    "1 MiB of lines of a quote": (lambda: '"\n' * (MIB // 2), 1, "DL102"),
    "1 MiB of a comment": (lambda: "#" * MIB, 1, "DL201"),
    "1 MiB of comments": (lambda: "#\n" * (MIB // 2), 1, "DL201"),
    "1 MiB of empty lines": (lambda: "\n" * MIB, 1, "DL201"),
    "1 MiB of parentheses": (lambda: f'rule "a" when {"(" * (MIB - 20)}', 2, "more than 40 deep"),
    "1 MiB of digits": (lambda: f"cohorts of {'9' * (MIB - 20)}", 2, "at most 20 characters"),
    "1 MiB of signs": (lambda: ">" * MIB, 1, "not a sign of the language"),
    "1 MiB of a unit": (lambda: f"component d in {'mg/' * (MIB // 4)}", 2, "at most 100 characters"),
    "1 MiB of faults": (lambda: 'ruel "x"\n' * (MIB // 10), 2, "after 50 faults"),
    "1 MiB of titles": (lambda: 'protocol "x"\n' * (MIB // 14), 2, "further errors are not told"),
    "1 MiB of a title": (lambda: f'protocol "{"x" * (MIB - 20)}"', 1, "DL201"),
    "100,000 rules": (lambda: many(100_000, lambda n: f'rule "{n}" when any DLT then stay\n'), 2, "larger than 1 MiB"),
    "20,000 rules": (lambda: many(20_000, lambda n: f'rule "{n}" when any DLT then stay\n'), 2, "at most 500"),
    "20,000 cases": (lambda: many(1, lambda n: 'rule "a"' + " when any DLT then stay\n" * 20_000), 2, "at most 1,000"),
    "20,000 rules of a name": (lambda: SMALL + 'rule "a" when any DLT then stay\n' * 20_000, 2, "DL202"),
    "a circle of 400": (
        lambda: many(400, lambda n: f'rule "{n}" overrides "{(n + 1) % 400}" when any DLT then stay\n'),
        1,
        "in a circle",
    ),
    "10,000 parentheses": (lambda: replaced((CONDITION, "(" * 10_000 + "any DLT" + ")" * 10_000)), 2, "40 deep"),
    "10,000 times not": (lambda: replaced((CONDITION, "not " * 10_000 + "any DLT")), 2, "40 deep"),
    "10,000 times and": (lambda: replaced((CONDITION, "any DLT" + " and any DLT" * 10_000)), 0, ""),
    "10,000 levels": (lambda: replaced(("1 to 3", "1 to 10000")), 2, "at most 200"),
    "10,000 levels in lines": (
        lambda: replaced(("levels 1 to 3\n", "".join(f"level {n}\n" for n in range(10_000)))),
        2,
        "at most 200",
    ),
    "200 levels": (lambda: replaced(("1 to 3", "1 to 200")), 0, ""),
    "a name of 100,000 characters": (lambda: replaced(("escalation", "e" * 100_000)), 2, "at most 100 characters"),
    "an unknown name of 100,000": (lambda: replaced((CONDITION, f"any {'e' * 100_000}")), 2, "at most 100 characters"),
    "a rule's name of 100,000": (lambda: replaced(('"toxic"', f'"{"e" * 100_000}"')), 0, ""),
    "unknown names": (lambda: many(20_000, lambda n: f'rule "u{n}" when any e{n} then stay\n'), 2, "at most 500 are"),
    "a long history": (lambda: f'{SMALL}example "{"1NNN " * 100_000}" then wait\n', 2, "at most 10,000 characters"),
    "a long group": (lambda: f'{SMALL}example "1{"N" * 9_000}" then wait\n', 0, ""),
    "a long course": (lambda: f'{SMALL}{COURSE}example patient "1{" ." * 4_000}" then continue\n', 0, ""),
    "5,000 examples": (lambda: SMALL + 'example "1NNN" then wait\n' * 5_000, 0, ""),
    "3,000 claims": (lambda: many(3_000, lambda n: f'claim "{n}" never at least {n} DLTs\n'), 2, "at most 200"),
    "5,000 scenarios": (lambda: many(5_000, lambda n: f'scenario "{n}" DLT 10%, 20%, 30%\n'), 0, ""),
    "20,000 parameters": (lambda: "".join(f"parameter p{n} is 3\n" for n in range(20_000)) + SMALL, 0, ""),
    "1,000 parts": (lambda: many(1_000, lambda n: f"part p{n}\ncohorts of 3\n"), 2, "at most 20"),
    "a cohort of 100": (lambda: replaced(HUNDRED[1]), 0, ""),
    "a cohort of 100 with three toxicities": (lambda: replaced(*HUNDRED), 2, "too many outcomes"),
}


def measured(arguments: list[str], folder: Path) -> tuple[int, str, float, int]:
    """Exit status, output, seconds and most bytes of a command run by itself."""
    place = folder / "printed"
    start = time.monotonic()
    with place.open("wb") as stream:
        command = [sys.executable, "-m", "doselang", *arguments]
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return process.returncode, place.read_text(encoding="utf-8"), time.monotonic() - start, memory


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="what a command takes is measured on Unix")
@pytest.mark.parametrize(("content", "status", "words"), HUGE.values(), ids=HUGE)
def test_huge_files(content: Callable[[], str], status: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "trial.dose").write_text(content(), encoding="utf-8")
    found, printed, seconds, memory = measured(["check", "--quiet", "trial.dose"], tmp_path)
    polite(found, printed, (status,))
    assert words in printed
    assert len(printed) < 300_000
    assert seconds < LONGEST_SECONDS and memory < MOST_MEMORY


READABLE = [name for name, (_, status, _) in HUGE.items() if status == 0]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="what a command takes is measured on Unix")
@pytest.mark.parametrize(
    "arguments",
    [["test"], ["simulate", "--dlt", "10%,20%,30%"], ["show"], ["fmt", "--check"], ["explain"]],
    ids=lambda arguments: arguments[0],
)
def test_every_command_is_quick_with_huge_files(arguments: list[str], tmp_path: Path) -> None:
    for name in READABLE:
        (tmp_path / "trial.dose").write_text(HUGE[name][0](), encoding="utf-8")
        after = ["1NNN"] if arguments == ["explain"] else []
        status, printed, seconds, memory = measured([*arguments, "trial.dose", *after], tmp_path)
        polite(status, printed)
        assert seconds < LONGEST_SECONDS and memory < MOST_MEMORY, name


def test_too_many_states_are_told(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(GOES_ON, encoding="utf-8")
    rates = ",".join(["10%"] * 10)
    for command in (["check"], ["simulate", "--dlt", rates], ["show", "--as", "machine"], ["show", "--as", "graph"]):
        assert run([*command, str(path), "--max-states", "3000"]) == 2
        printed = capsys.readouterr()
        assert "DL702" in printed.out + printed.err and "3,000" in printed.out + printed.err
        polite(2, printed.out + printed.err)


def test_what_patients_meet_is_told_though_the_trial_is_too_large(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(GOES_ON + COURSE_WITH_HARM, encoding="utf-8")
    assert run(["check", str(path), "--max-states", "300", "--format", "concise"]) == 2
    printed = capsys.readouterr().out
    assert "DL702" in printed and 'error DL303 In the state on, with harm: "lower"' in printed
    assert '"never"' not in printed  # a rule that has not acted yet may act in a longer trial


COURSE_WITH_HARM = """patient course
event harm  written S
state on
rule "goes on"
  when no event
  then continue
rule "lower"
  when harm and not this level is level 10
  then enter reduced at the next lower level
rule "never"
  when harm and this level is level 10
  then enter off
state reduced
rule "ends"
  when harm or no event
  then enter off
state off  final
"""


def test_a_full_memory_is_told_before_it_is_full(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("exploring", "counting"):
        monkeypatch.setattr(f"doselang.machine.{module}.MOST_MEMORY", 100_000)
    path = tmp_path / "trial.dose"
    path.write_text(GOES_ON, encoding="utf-8")
    assert run(["check", str(path)]) == 2
    printed = capsys.readouterr().out
    assert "DL702" in printed and "memory is full" in printed and "Checked the shorter trials only" in printed
    assert run(["simulate", "--dlt", ",".join(["10%"] * 10), str(path)]) == 2
    printed = capsys.readouterr().err
    assert "DL702" in printed and "of memory" in printed and "--method montecarlo" in printed


def test_a_verdict_that_waits_for_another_is_explained(capsys: Capture) -> None:
    run(["check", str(FAULTY / "verdict-of-a-verdict.dose")])
    assert "A verdict is known to the rules that say what comes next" in capsys.readouterr().out


def test_sentences_that_nothing_cites_stand_in_the_order_of_the_text(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "text.md").write_text("\n".join(f"Sentence {n} says something." for n in range(1, 13)))
    script = (
        (FAULTY / "silent-cites.dose").read_text().split("silent")[0].replace("levels", 'text "text.md"\nlevels', 1)
    )
    (tmp_path / "trial.dose").write_text(script)
    run(["check", "--format", "concise", str(tmp_path / "trial.dose")])
    lines = [line for line in capsys.readouterr().out.splitlines() if "DL602" in line]
    assert [int(line.split("Nothing cites line ")[1].split()[0]) for line in lines] == list(range(1, 13))


def test_a_trial_without_end_proves_no_claim(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    endless = (FAULTY / "endless.dose").read_text(encoding="utf-8")
    path.write_text(f'{endless}\nclaim "few patients" never at least 4 DLTs in the trial\n', encoding="utf-8")
    assert run(["test", str(path)]) == 2
    assert "DL701" in capsys.readouterr().err
    assert run(["simulate", str(path), "--dlt", "10%,20%,30%"]) == 2
    assert "DL701" in capsys.readouterr().err


def test_claims_about_too_large_cohorts_are_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(f'{replaced(*HUNDRED)}claim "x" eventually the trial is stopped\n', encoding="utf-8")
    assert run(["test", str(path)]) == 2
    assert "DL704" in capsys.readouterr().err


def test_a_course_with_too_many_situations(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "MAX_SITUATIONS", 2_000)
    path = tmp_path / "trial.dose"
    claim = 'claim "x" in patient course eventually s40 is entered\n'
    path.write_text(f"{SMALL}\npatient course\n{EVENTS}{STATES}state s40  final\n{claim}", encoding="utf-8")
    for command in (["check", "--quiet"], ["test"]):
        status = run([*command, str(path)])
        printed = capsys.readouterr()
        polite(status, printed.out + printed.err, (2,))
        assert "DL702" in printed.out + printed.err


def test_a_condition_that_is_always_true_is_said_in_the_authors_words(tmp_path: Path, capsys: Capture) -> None:
    said = "at  most\n6 evaluable and the DLT rate is at most 1/1"
    path = tmp_path / "trial.dose"
    path.write_text(SMALL.replace("and a higher level", f"and {said} and a higher level", 1))
    run(["check", "--format", "concise", str(path)])
    printed = capsys.readouterr().out
    assert "`at most 6 evaluable` is always true" in printed and "`the DLT rate is at most 1/1` is always" in printed
