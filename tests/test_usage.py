"""Wrong usage of every command and option: exit status 2, and a sentence that says which."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import doselang.cli.formatting as formatting
from doselang import __version__
from doselang.cli import COMMANDS, program, run
from doselang.loading import load

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "protocols" / "designs" / "three-plus-three.dose"
COURSE = ROOT / "tests" / "scripts" / "course.dose"
COMMITTEE = ROOT / "tests" / "scripts" / "committee.dose"
TWO_CLASSES = ROOT / "tests" / "scripts" / "two-classes.dose"
MISSPELT = ROOT / "tests" / "faulty" / "misspelt-rule.dose"
PYTHON_WORDS = re.compile(r"Traceback|Exception|\w*Error\b|DL999 fault|<class|NoneType|Errno|\bNone\b")

Capture = pytest.CaptureFixture[str]


def said(arguments: str, capsys: Capture, status: int = 2) -> str:
    """What a command says on standard error; its words are parted by bars, or else by spaces."""
    words = arguments.split("|") if "|" in arguments else arguments.split()
    names = {"DESIGN": DESIGN, "COURSE": COURSE, "COMMITTEE": COMMITTEE, "CLASSES": TWO_CLASSES, "MISSPELT": MISSPELT}
    found = run([str(names.get(word, word)) for word in words])
    printed = capsys.readouterr()
    assert found == status, printed
    assert not PYTHON_WORDS.search(printed.err), printed.err
    return printed.err


READING = ("check", "simulate", "test", "show", "table", "paths --cohorts 1", "fmt")

# Arguments, and a fragment of what is said.
WRONG = (
    ("frobnicate", "There is no command `frobnicate`"),
    ("chek DESIGN", "Did you mean `doselang check`?"),
    ("--nope", "--nope"),
    *((f"{command} --nope DESIGN", "--nope") for command in COMMANDS),
    *((command, "Which file?") for command in READING),
    *((f"{command} none.dose", "There is no file none.dose") for command in READING),
    *((f"{command} {ROOT / 'docs'}", "no .dose file") for command in READING),
    ("check --format xml DESIGN", "--format"),
    ("check --max-states 0 DESIGN", "--max-states"),
    ("check --max-states x DESIGN", "--max-states"),
    ("check --max-states", "--max-states"),
    ("test --accrual all DESIGN", "--accrual"),
    ("show --as picture DESIGN", "--as"),
    ("show --graph png DESIGN", "--graph"),
    ("trial", "What is to be done with the trial's record?"),
    ("trial frobnicate", "frobnicate"),
    ("trial verify", "TRIAL"),
    ("trial verify none", "There is no folder none"),
    ("trial verify .", "There is no record in the folder ."),
    ("trial verify DESIGN", "is not the folder of a trial"),
    # rates
    ("simulate DESIGN --dlt", "--dlt"),
    ("simulate DESIGN --dlt 1.3,0.1,0.1,0.1,0.1", "level `1` in `--dlt` is `1.3`, which is not from 0 to 1"),
    ("simulate DESIGN --dlt 130%,1%,1%,1%,1%", "not from 0% to 100%"),
    ("simulate DESIGN --dlt -10%,1%,1%,1%,1%", "not from 0% to 100%"),
    ("simulate DESIGN --dlt 10%,20%", "2 rates, and the protocol has 5 levels"),
    ("simulate DESIGN --dlt 10%,20%,30%,40%,50%,60%", "6 rates"),
    ("simulate|DESIGN|--dlt|", "5 levels"),
    ("simulate DESIGN --dlt 1,a,1,1,1", "level `2` in `--dlt` is `a`, which is not a number"),
    ("simulate DESIGN --dlt 10%,,20%,30%,40%", "level `2` in `--dlt` is missing"),
    ("simulate DESIGN --dlt nan,0,0,0,0", "not a number"),
    ("simulate DESIGN --dlt inf,0,0,0,0", "not a number"),
    ("simulate DESIGN --dlt 1e999999999,0,0,0,0", "not a number"),
    ("simulate CLASSES --dlt 10%,20%,30%", "--toxicity moderate-toxicity=10%,10%,10%"),
    ("simulate CLASSES --dlt 10%,20%,30% --toxicity mild=1%,1%,1%", "names no further toxicity"),
    ("simulate CLASSES --dlt 10%,20%,30% --toxicity moderate-toxicity=1%", "`--toxicity` gives 1 rate"),
    ("simulate DESIGN --toxicity moderate=1%,1%,1%", "`--toxicity` goes with `--dlt`"),
    ("simulate DESIGN --as polynomial --toxicity moderate=1%", "it does not go with rates"),
    ("simulate|DESIGN|--plot|a\0.svg", "cannot be written: embedded null"),
    # tables of patients
    ("data", "What is to be done with the tables?"),
    ("data chek", "No such command 'chek'"),
    ("data template none.dose", "There is no file none.dose"),
    ("data template DESIGN --out none/none", "There is no folder none"),
    ("data check DESIGN", "Missing argument 'TABLE'"),
    ("data check DESIGN none.csv", "There is no file none.csv"),
    (f"data check DESIGN {ROOT}", "is a folder"),
    ("data check - -", "is given for several files"),
    # the standard input, of which there is one
    ("simulate - --method timed --timing -", "is given for several files, and can be read once"),
    ("simulate - --scenarios -", "is given for several files"),
    ("simulate DESIGN --method timed --timing - --scenarios -", "is given for several files"),
    ("compare - -", "is given for several files"),
    ("compare DESIGN -- - -:levels=4", "is given for several files"),
    ("compare DESIGN - --scenarios -", "is given for several files"),
    ("compare DESIGN - --method timed --timing -", "is given for several files"),
    # scenarios
    ("simulate DESIGN --scenario stepe", 'Did you mean "steep"?'),
    ("simulate|DESIGN|--scenario|", "There is no scenario"),
    ("simulate DESIGN --scenarios none.csv", "There is no file none.csv"),
    (f"simulate DESIGN --scenarios {ROOT}", "is a folder"),
    # trials and seeds
    ("simulate DESIGN --trials 100", "`--trials` goes with `--method montecarlo`"),
    ("simulate DESIGN --seed 1", "`--seed` goes with `--method montecarlo`"),
    ("simulate DESIGN --method montecarlo --trials 0", "at least 1, not 0"),
    ("simulate DESIGN --method montecarlo --trials -4", "at least 1, not -4"),
    ("simulate DESIGN --method montecarlo --trials x", "--trials"),
    ("simulate DESIGN --method montecarlo --trials 2.5", "--trials"),
    ("simulate DESIGN --method montecarlo --trials 1000000000000", "at most 100,000,000"),
    ("simulate DESIGN --method montecarlo --trials 10 --seed -1", "must not be negative"),
    ("simulate DESIGN --method montecarlo --trials 10 --seed x", "--seed"),
    *(
        (f"simulate DESIGN --method montecarlo --error {error}", f"`--error {error}` is not a number from 0.00001 to")
        for error in ("1", "-1", "nan", "inf", "x", "0,001", "0.1%", "1e-6")
    ),
    ("simulate DESIGN --method montecarlo --error 0,001", "For example: --error 0.001"),
    ("simulate DESIGN --method bayes", "--method"),
    ("simulate DESIGN --accrual all", "--accrual"),
    ("simulate DESIGN --format xml", "--format"),
    ("simulate DESIGN --max-states 5", "more than 5 states"),
    # parameters
    ("check DESIGN --set", "--set"),
    ("check DESIGN --set levels", "`--set levels` is not NAME=VALUE"),
    ("check DESIGN --set levels=", "`--set levels=` is not NAME=VALUE"),
    ("check DESIGN --set =3", "`--set =3` is not NAME=VALUE"),
    ("check DESIGN --set levels=three", "not NAME=VALUE with a number"),
    ("check DESIGN --set levels=1e9", "not NAME=VALUE with a number"),
    ("check DESIGN --set levels=\uff13", "not NAME=VALUE with a number"),
    ("check DESIGN --set levels=9999999999999999999999", "not NAME=VALUE with a number"),
    *(
        (f"{command} DESIGN --set lvls=3", "lvls")
        for command in ("check", "test", "show", "simulate --scenario rising", "show --as machine")
    ),
    # explaining
    ("explain", "CODE|FILE"),
    ("explain DL000", "There is no finding DL000"),
    ("explain DL30", "DL301 (uncovered-outcome)"),
    ("explain DL", "There is no finding DL"),
    ("explain DESIGN", "After which history?"),
    ("explain none.dose 1NNN", "There is no file none.dose"),
    ("explain DESIGN 1NNN 2NNN", "2NNN"),
    ("explain|DESIGN|", "The history is empty"),
    ("explain|DESIGN|   ", "The history is empty"),
    ("explain DESIGN 9NNN", "There is no level `9`"),
    ("explain DESIGN 2NNN", "The trial begins at level 1"),
    ("explain DESIGN NNN", "There is no level `NNN`"),
    ("explain DESIGN 1", "has no patients"),
    ("explain DESIGN 1NQN", "`Q` is not the letter of an outcome"),
    ("explain DESIGN 1NNNN", "to have 3 patients, not 4"),
    ("explain DESIGN 1NNN[2]", "Nobody is asked"),
    ("explain COMMITTEE 1NNN[3]", "no such option"),
    ("explain COMMITTEE 1NNN[0]", "[0]"),
    ("explain COMMITTEE 1NNN[", "bracket"),
    ("explain|DESIGN|1NNN 1NNN", "the rules open level 2, not level 1"),
    ("explain|DESIGN|1TTN 1NNN", "the trial has ended"),
    ("explain|DESIGN|1NN 2NNN", "1NN"),
    ("explain DESIGN expansion/1NNN", "There is no part `expansion`"),
    ("explain|DESIGN|2 . U|--patient", "nothing of a patient's course"),
    ("explain|COURSE||--patient", "The history is empty"),
    ("explain COURSE 2 --patient", "no cycle"),
    ("explain|COURSE|9 .|--patient", "There is no level 9"),
    ("explain|COURSE|2 . Z|--patient", "`Z` is not the letter of an event"),
    ("explain|COURSE|2 . PI|--patient", "`(PI)`"),
    ("explain|COURSE|2 U[1]|--patient", "is shown by the level that comes next"),
    ("explain|COURSE|2 . ((|--patient", "`((`"),
    ("explain|COURSE|2 P . .|--patient", "Treatment has ended"),
    ("explain|COURSE|2 . 3 .|--patient", "do not take the patient to level 3"),
    # new files
    ("new", "NAME"),
    ("new trial", "--design"),
    ("new trial --design", "--design"),
    ("new trial --design nope", "The designs are a-plus-b, "),
    ("new trial --design ../designs/three-plus-three", "There is no design"),
    ("new trial --design boim", "Did you mean `boin`?"),
    *(
        (f"new|--design|three-plus-three|--|{name}", "cannot be the name of a file")
        for name in ("", ".", "..", ".hidden", "-x", "my trial", 'q"uote', "Étude", "a\nb", "trial/", "con:x")
    ),
    ("new none/trial --design three-plus-three", "There is no folder none"),
    (f"new --design three-plus-three {'x' * 300}", "cannot be written"),
)  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[f"{n}: {row[0][:60]!a}" for n, row in enumerate(WRONG)])
def test_wrong_usage_is_told(
    arguments: str, words: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(arguments, capsys)
    assert words in told
    assert re.match(r"doselang: DL\d{3} [a-z-]+: \S", told), told
    assert not any(tmp_path.iterdir()), "nothing is written"


def test_no_command_shows_the_help(capsys: Capture) -> None:
    assert run([]) == 2
    told = capsys.readouterr().err
    assert "Usage: doselang" in told and all(command in told for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    for option in ("-h", "--help"):
        result = CliRunner().invoke(program, [command, option])
        assert result.exit_code == 0 and f"Usage: doselang {command}" in result.output.replace("program", "doselang")


@pytest.mark.parametrize(
    ("value", "status"),
    [("1", {0, 1}), ("4", {0, 1}), ("0", {1}), ("-3", {1}), ("2.5", {1}), ("50%", {2}), ("201", {2}), ("1" * 12, {2})],
)
def test_values_of_a_parameter(value: str, status: set[int], capsys: Capture) -> None:
    for command in (["check", "--quiet"], ["test"], ["show", "--as", "protocol"], ["simulate", "--dlt", "1%,2%,3%,4%"]):
        found = run([*command, str(DESIGN), "--set", f"levels={value}"])
        printed = capsys.readouterr()
        assert not PYTHON_WORDS.search(printed.err), printed.err
        if command[0] != "simulate":
            assert found in status, printed


def test_a_code_is_found_whatever_its_case(capsys: Capture) -> None:
    assert run(["explain", "dl301"]) == 0
    assert capsys.readouterr().out.startswith("# DL301 uncovered-outcome")


def test_claims_are_proved_within_so_many_states(capsys: Capture) -> None:
    """Examples need no states; what is said must be done: with as many states as are asked for the claims hold."""
    assert run(["test", str(DESIGN), "--max-states", "5"]) == 2
    printed = capsys.readouterr()
    assert "passed  line 126  example 1NNN" in printed.out and "claim" not in printed.out
    assert "more than 5 states" in printed.err and "`--max-states 50`" in printed.err
    assert run(["test", str(DESIGN), "--max-states", "5000"]) == 0
    assert "holds in every trial" in capsys.readouterr().out


def test_faults_stop_what_needs_a_protocol(capsys: Capture) -> None:
    for arguments in ("simulate MISSPELT", "test MISSPELT", "show MISSPELT --as machine", "explain MISSPELT 1NNN"):
        told = said(arguments, capsys, status=1)
        assert "DL101" in told and "nothing was done with it" in told


def test_one_file_that_is_not_there_does_not_hide_the_others(capsys: Capture) -> None:
    assert run(["check", "none.dose", str(MISSPELT), "--format", "json"]) == 2
    printed = capsys.readouterr()
    assert "There is no file none.dose" in printed.err
    assert [file["path"] for file in json.loads(printed.out)["files"]] == [str(MISSPELT)]


# ---- tables of scenarios ----

# A table, and what is said of it.
TABLES = {
    "empty": ("", "The table of scenarios is empty"),
    "headings alone": ("name,1,2,3\n", "no scenario below"),
    "no heading of a level": ("name,1,2\na,10%,20%\n", "Row 1: the column is missing: `3`"),
    "an unknown heading": ("name,1,2,3,4\na,1%,2%,3%,4%\n", "Row 1, column 5: the heading `4` is unknown"),
    "a heading twice": ("name,1,2,2\na,1%,2%,3%\n", "Row 1, column 4"),
    "no heading of the name": ("1,2,3\n1%,2%,3%\n", "missing: `name`"),
    "a cell too few": ("name,1,2,3\na,10%,20%\n", "Row 2 has 3 cells, and there are 4 headings"),
    "a cell too many": ("name,1,2,3\na,10%,20%,30%,40%\n", "Row 2 has 5 cells"),
    "a rate missing": ("name,1,2,3\na,10%,,30%\n", "Row 2, column 3"),
    "a rate that is none": ("name,1,2,3\na,10%,x,30%\n", "Row 2, column 3: the rate under `2` is `x`"),
    "a rate over all": ("name,1,2,3\na,10%,20%,30\n", "Row 2, column 4: the rate under `3` is `30`"),
    "a name missing": ("name,1,2,3\n,10%,20%,30%\n", "Row 2, column 1: the scenario has no name"),
    "a name twice": ("name,1,2,3\na,1%,2%,3%\n\nA,1%,2%,3%\n", 'Row 4 is named "A", and so is row 2'),
    "an open quotation mark": ('name,1,2,3\n"a,10%,20%,30%\n', "cannot be read from row 2"),
    "two separators": ("name;1,2,3\na;1%,2%,3%\n", "both commas and semicolons"),
    "a formula": ("name,1,2,3\na,=1+1,20%,30%\n", "`=1+1`"),
    "a huge exponent": ("name,1,2,3\na,1e999999999,20%,30%\n", "not a number"),
    "an HTML page": ("<!DOCTYPE html>\n<html></html>\n", "Row 1, column 1"),
}


@pytest.mark.parametrize(("table", "words"), TABLES.values(), ids=TABLES)
def test_broken_tables(table: str, words: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(table, encoding="utf-8")
    assert words in said(f"simulate|COMMITTEE|--scenarios|{path}", capsys)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xffname,1", "not written in UTF-8"), (b"PK\x03\x04\0\0", "binary"), ("name,1,2".encode("utf-16"), "UTF-16")],
)
def test_tables_that_are_no_text(content: bytes, words: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(content)
    assert words in said(f"simulate|COMMITTEE|--scenarios|{path}", capsys)


def test_a_table_as_a_spreadsheet_writes_it(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes("\ufeffname;1;2;3\r\nrising;5%;0,1;20,5%\r\n;;;\r\n".encode())
    assert run(["simulate", str(ROOT / "tests" / "faulty" / "claim-refuted.dose"), "--scenarios", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "rising" in printed and "20.5%" in printed


# ---- writing ----

UGLY = 'protocol   "A trial"\nlevels 1   to 3\nstart at level 1 # comment\ntoxicity DLT\npart one\ncohorts of 3\n'


def test_new_leaves_what_is_there(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.dose").write_text("mine", encoding="utf-8")
    Path("b.md").write_text("mine", encoding="utf-8")
    os.symlink("nowhere", "c.dose")
    for name in ("a", "a.dose", "b", "c"):
        told = said(f"new {name} --design three-plus-three", capsys)
        assert "is there already, and is left as it is" in told
    assert sorted(os.listdir()) == ["a.dose", "b.md", "c.dose"]
    assert Path("a.dose").read_text(encoding="utf-8") == Path("b.md").read_text(encoding="utf-8") == "mine"


def test_new_is_ready_to_check(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("my-trial", "second.dose", "folder/third"):
        assert run(["new", name, "--design", "three-plus-three"]) == 0
        assert run(["check", "--quiet", f"{name.removesuffix('.dose')}.dose"]) == 0
    capsys.readouterr()


def test_new_leaves_nothing_half_written(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    real = os.replace

    def full(source: str, target: Path) -> None:
        if str(target).endswith(".dose"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(formatting.os, "replace", full)
    assert "No space left" in said("new trial --design three-plus-three", capsys)
    assert not os.listdir()


def test_fmt_leaves_faulty_files_alone(capsys: Capture, tmp_path: Path) -> None:
    for path in sorted((ROOT / "tests" / "faulty").glob("*.dose")):
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        before = copy.read_bytes()
        found = load(str(copy))
        own = [item for item in found.diagnostics if found.source.path_of(item.span.start) == str(copy)]
        if any(item.code.startswith("DL1") for item in own):
            assert run(["fmt", str(copy)]) == 1
            assert "left as it is" in capsys.readouterr().err
            assert copy.read_bytes() == before


def test_fmt_check_writes_nothing(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(UGLY, encoding="utf-8")
    assert run(["fmt", "--check", str(path)]) == 1
    assert path.read_text(encoding="utf-8") == UGLY and os.listdir(tmp_path) == ["trial.dose"]
    assert run(["fmt", str(path)]) == 0 and run(["fmt", "--check", str(path)]) == 0
    assert "# comment" in path.read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.parametrize("step", ["mkstemp", "fsync", "chmod", "replace"])
def test_an_interrupted_write_leaves_the_file(
    step: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(UGLY, encoding="utf-8")

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(formatting.tempfile if step == "mkstemp" else formatting.os, step, fails)
    told = said(f"fmt|{path}", capsys)
    assert "cannot be written" in told and "it is left as it was" in told
    assert path.read_text(encoding="utf-8") == UGLY and os.listdir(tmp_path) == ["trial.dose"]


def test_fmt_keeps_permissions_and_follows_links(tmp_path: Path, capsys: Capture) -> None:
    path, link = tmp_path / "trial.dose", tmp_path / "link.dose"
    path.write_text(UGLY, encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    assert run(["fmt", str(link)]) == 0
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert path.read_text(encoding="utf-8") != UGLY
    capsys.readouterr()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_fmt_in_a_folder_that_may_not_be_written(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trial.dose"
    path.write_text(UGLY, encoding="utf-8")
    tmp_path.chmod(0o555)
    try:
        assert "cannot be written" in said(f"fmt|{path}", capsys)
    finally:
        tmp_path.chmod(0o755)
    assert path.read_text(encoding="utf-8") == UGLY


# ---- as programs ----


def started(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, *arguments], capture_output=True, text=True, check=False, encoding="utf-8", **options
    )


ENTRY = ("-c", "import sys; from doselang.cli import main; sys.argv[0] = 'doselang'; main()")


@pytest.mark.parametrize(
    "arguments",
    [["--version"], [], ["check", str(MISSPELT)], ["check", "none.dose"], ["explain", "DL000"], ["check", str(DESIGN)]],
    ids=["version", "nothing", "faulty", "missing", "code", "sound"],
)
def test_both_entries_behave_alike(arguments: list[str]) -> None:
    module, entry = started("-m", "doselang", *arguments), started(*ENTRY, *arguments)
    assert (module.returncode, module.stdout, module.stderr) == (entry.returncode, entry.stdout, entry.stderr)
    assert not PYTHON_WORDS.search(module.stderr)


def test_the_version(capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"doselang, version {__version__}"


def test_a_fault_of_doselang_says_so(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("levels")

    monkeypatch.setattr("doselang.cli.checking.load", broken)
    assert run(["check", str(DESIGN)]) == 2
    told = capsys.readouterr().err
    assert "DL999" in told and __version__ in told and "--traceback" in told and "Traceback" not in told
    assert run(["--traceback", "check", str(DESIGN)]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_not_enough_memory_is_no_fault(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("doselang.cli.checking.check", full)
    assert "not enough memory" in said("check DESIGN", capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are of Unix")
def test_a_reader_that_goes_away() -> None:
    command = f'{sys.executable} -m doselang show --as machine "{DESIGN}" | head -c 1; echo "${{PIPESTATUS[0]}}"'
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert not PYTHON_WORDS.search(result.stderr) and "BrokenPipe" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_an_interruption_by_a_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = f'{sys.executable} -m doselang check - < "{tmp_path / "pipe"}"'
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores the key
    )  # fmt: skip
    with (tmp_path / "pipe").open("wb"):
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 2 and told.strip() == "Stopped."


def test_a_terminal_that_knows_no_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    for arguments in (["check", str(COURSE)], ["explain", "DL301"], ["test", str(COURSE)], ["show", str(COURSE)]):
        result = started("-m", "doselang", *arguments, env=environment)
        assert result.returncode in (0, 1), result.stderr
        assert not PYTHON_WORDS.search(result.stderr)
