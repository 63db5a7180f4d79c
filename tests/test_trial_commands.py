"""`doselang trial` as a coordinator types it: what is said, what is refused, what is lost (nothing)."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import doselang.durable as durable
import doselang.record.writing as record_writing
from doselang.cli import run
from doselang.record.reading import verify
from doselang.trial.opening import open_trial
from doselang.trial.steps import Enrol, Note
from tests.kept import TODAY, Kept, amended_copy
from tests.test_trial import CONFIRMED, SIX_AT_ONCE

ROOT = Path(__file__).parent.parent
PROTOCOL = str(ROOT / "protocols" / "ibrutinib-lenalidomide.dose")
LITERAL = str(ROOT / "protocols" / "ibrutinib-lenalidomide-literal.dose")
PYTHON_WORDS = re.compile(r"Traceback|Exception|\w*Error\b|DL999|<class|NoneType|Errno|\bNone\b")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOSELANG_ACTOR", "Ann")


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """Three patients at level 1 without toxicity, and a fourth at level 2."""
    kept = Kept.begun(tmp_path / "trial")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    kept.enrol("04", "2", "2025-02-04")
    return tmp_path / "trial"


def said(folder: Path, line: str, capsys: Capture, status: int = 0) -> str:
    """All that a command on a trial prints; its words are parted by bars, or else by spaces; TRIAL is the folder."""
    words = line.split("|") if "|" in line else line.split()
    found = run(["trial", *(str(folder) if word == "TRIAL" else word for word in words)])
    printed = capsys.readouterr()
    assert found == status, printed
    assert not PYTHON_WORDS.search(printed.err), printed.err
    return printed.out + printed.err


# ---- every step that is refused leaves the record as it was ----

WRONG = (
    ("add TRIAL", 2, "What was done?"),
    ("add TRIAL enroll 05", 2, "No such command"),
    ("add TRIAL enrol", 2, "Missing argument 'PATIENT'"),
    ("add TRIAL enrol 05", 2, "Missing option '--level'"),
    ("add TRIAL enrol 05 --level 4 --on 2025-02-05", 2, "There is no level `4`.\n  The levels are `1`, `2` and `3`."),
    ("add TRIAL enrol 05 --level level-2 --on 2025-02-05", 2, "There is no level `level-2`"),
    ("add TRIAL enrol 05 --level 2 --part expand --on 2025-02-05", 2, "Did you mean `expansion`?"),
    ("add TRIAL enrol 05 --level 2 --on 05/02/2025", 2, "05/02/2025"),
    ("add TRIAL enrol 05 --level 2 --on 2025-02-30", 2, "February 2025 has 28 days"),
    ("add TRIAL enrol 05 --level 2 --on 2999-01-01", 2, "is in the year 2999"),
    ("add TRIAL enrol 05 --level 2 --on 2199-01-01", 1, "2199-01-01 is in the future"),
    ("add|TRIAL|enrol| |--level|2", 2, "`enrol` needs `patient`"),
    ("add TRIAL enrol 04 --level 2 --on 2025-02-05", 1, "Patient 04 entered on 2025-02-04, at level 2 (entry 8)."),
    ("add TRIAL enrol 05 --level 3 --on 2025-02-05", 1, "This is not as the rules say: 05 entered at level 3."),
    ("add TRIAL enrol 05 --level 1 --on 2025-02-05", 1, "the rules   2 patients may enter at level 2"),
    ("add TRIAL enrol 05 --level 1 --on 2025-02-05 --deviation=", 2, "`--deviation` has no reason"),
    ("add TRIAL outcome 4 none", 1, "No patient `4` has entered."),
    ("add TRIAL outcome 04 DTL", 2, "Did you mean `DLT`?"),
    ("add TRIAL outcome 04 pending", 2, "An outcome that is not known is not entered"),
    ("add TRIAL outcome 04 none --on 2025-02-20", 1, "The window of patient 04 ends on 2025-03-04"),
    ("add TRIAL outcome 04 none --on 2025-02-20 --deviation hurry", 1, "The window of patient 04 ends on 2025-03-04"),
    (
        "add TRIAL outcome 04 inevaluable --on 2025-03-05",
        1,
        "The window of patient 04 ended on 2025-03-04, and who has",
    ),
    ("add TRIAL outcome 04 DLT --on 2025-03-05", 1, "The window for a DLT of patient 04 ended on 2025-03-04"),
    ("add TRIAL outcome 04 DLT --on 2025-02-03", 1, "before the first dose on 2025-02-04"),
    ("add TRIAL outcome 01 DLT --on 2025-01-20", 1, "Patient 01 has an outcome already: none, known on 2025-02-03"),
    ("add TRIAL cycle 09 --level 1", 1, "No patient `09` has entered."),
    ("add TRIAL cycle 04 --level 3 --on 2025-02-05", 1, "This is not as the rules say: 04 was treated at level 3"),
    ("add TRIAL cycle 04 --level 2 --events fever --on 2025-02-05", 2, "There is no event `fever`"),
    ("add TRIAL cycle 04 --level 2 --events progresion --on 2025-02-05", 2, "Did you mean `progression`?"),
    ("add TRIAL choose 2 --by investigator --on 2025-02-05", 1, "which no rule asks for"),
    ("add TRIAL choose two --by investigator", 2, "`two` is not a number from 1 on"),
    ("add TRIAL choose 2", 2, "Missing option '--by'"),
    ("add TRIAL choose 1 --by investigatr", 2, "Did you mean `investigator`?"),
    ("add TRIAL declare MTD --level 1 --on 2025-02-05", 1, "level 1 was declared as MTD"),
    ("add TRIAL declare MDT --level 1", 2, "Did you mean `MTD`?"),
    ("add TRIAL close --level 2 --on 2025-02-05", 1, "level 2 was closed as too toxic"),
    ("add TRIAL stop --on 2025-02-05", 1, "the trial was stopped"),
    ("add|TRIAL|note| ", 2, "`note` needs `text`"),
    ("correct TRIAL", 2, "Missing argument 'ENTRY'"),
    ("correct TRIAL 8 --level 1", 2, "Missing option '--reason'"),
    ("correct TRIAL 8 --reason r", 2, "It is not said what is wrong with entry 8."),
    ("correct TRIAL 8 --reason r --outcome none", 2, "`enrol` takes no `outcome`"),
    ("correct TRIAL 8 --reason r --level 2", 2, "Entry 8 says that already."),
    ("correct TRIAL 8 --reason r --withdraw --level 1", 2, "`--withdraw` says that it was not done"),
    ("correct TRIAL 1 --reason r --withdraw", 2, "Entry 1 is no step of the trial"),
    ("correct TRIAL 9 --reason r --withdraw", 2, "There is no entry 9: the record has the entries 1 to 8."),
    ("correct TRIAL 0 --reason r --withdraw", 2, "There is no entry 0"),
    ("correct TRIAL x --reason r --withdraw", 2, "'x' is not a valid integer"),
    (
        "correct TRIAL 2 --reason r --withdraw",
        1,
        "Entry 5 speaks of patient 01: withdraw it first.",
    ),
    ("correct|TRIAL|8|--reason| |--level|1", 2, "`--reason` is empty"),
    ("sign TRIAL", 2, "Missing option '--meaning'"),
    ("sign TRIAL --meaning reviewed --head 0123456789abcdef", 2, "it is not what was seen"),
    ("sign TRIAL --meaning reviewed --on 2199-01-01", 2, "2199-01-01 is in the future: today is"),
    ("sign TRIAL --meaning reviewed --head 0", 2, "it is not what was seen"),
    ("add|TRIAL|note|x|--actor|a\nb", 2, "who made the entry is a name on one line"),
    ("sign|TRIAL|--meaning| ", 2, "`--meaning` is empty"),
    (f"amend TRIAL {PROTOCOL}", 2, "Missing option '--reason'"),
    (f"amend TRIAL {PROTOCOL} --reason r", 1, "It is the protocol in force"),
    (f"amend TRIAL {LITERAL} --reason r", 1, "no trial is conducted by it"),
    ("amend TRIAL none.dose --reason r", 2, "There is no file none.dose"),
    ("export TRIAL --to trial.pdf", 2, "`--to trial.pdf` does not say what to write."),
    ("init TRIAL none.dose", 2, "There is no file none.dose"),
    (f"init TRIAL {PROTOCOL}", 2, "is there already"),
    (f"init TRIAL-2 {LITERAL}", 1, "5 errors; no trial is conducted by it."),
    (f"init TRIAL-2 {PROTOCOL} --on 2199-01-01", 2, "is in the future"),
)


@pytest.mark.parametrize(("line", "status", "words"), WRONG, ids=[line for line, _, _ in WRONG])
def test_what_is_refused_is_said_in_a_sentence_and_not_entered(
    line: str, status: int, words: str, trial: Path, capsys: Capture
) -> None:
    before = {path: path.read_bytes() for path in trial.parent.rglob("*") if path.is_file()}
    assert words in said(trial, line, capsys, status)
    assert {path: path.read_bytes() for path in trial.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["add TRIAL note hello", "sign TRIAL --meaning reviewed"])
def test_nothing_is_entered_by_nobody(
    command: str, trial: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOSELANG_ACTOR")
    assert "It is not said who enters this." in said(trial, command, capsys, 2)
    said(trial, f"{command} --actor Bo", capsys)
    assert open_trial(trial).entries[-1].entry.actor == "Bo"


def test_a_folder_that_is_no_trial(tmp_path: Path, capsys: Capture) -> None:
    for command in ("next TRIAL", "show TRIAL", "add TRIAL note hello", "export TRIAL --to x.json"):
        assert "There is no record in the folder" in said(tmp_path, command, capsys, 2)


def test_nothing_is_added_to_a_record_that_was_changed(trial: Path, capsys: Capture) -> None:
    path = trial / "record.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"patient":"02"', b'"patient":"20"', 1))
    before = path.read_bytes()
    for command in ("add TRIAL note hello", "next TRIAL", "correct TRIAL 8 --level 1 --reason r"):
        assert "record.jsonl is damaged" in said(trial, command, capsys, 2)
    assert path.read_bytes() == before


# ---- what is said ----


def test_what_a_deviation_is_told_and_kept_with(trial: Path, capsys: Capture) -> None:
    told = said(trial, "add|TRIAL|enrol|05|--level|3|--on|2025-02-05|--deviation|the list was wrong", capsys)
    assert "This is not as the rules say. It is entered with the reason: the list was wrong" in told
    shown = said(trial, "show TRIAL", capsys)
    assert 'the rules said after 1NNN 2.: 2 patients may enter at level 2, by "first three clear"' in shown
    assert "not as the rules say; the reason: the list was wrong" in shown


def test_a_correction_is_loud(trial: Path, capsys: Capture) -> None:
    told = said(trial, "correct|TRIAL|5|--outcome|DLT|--on|2025-01-20|--reason|grade 3 in the source", capsys)
    assert "ATTENTION: 04 was treated on what does not hold as the record stands now." in told
    assert "entry 8: 04 entered at level 2" in told
    assert "Before: 2 patients may enter at level 2." in told
    shown = said(trial, "show TRIAL", capsys)
    assert "   5  2025-02-03  01 had no toxicity" in shown and "corrected by entry 9" in shown


def test_next_is_what_doselang_next_says(trial: Path, capsys: Capture) -> None:
    ours = json.loads(said(trial, "next TRIAL --on 2025-02-10 --format json", capsys))
    assert ours.pop("trial") == {"folder": str(trial), "entries": 8, "head": open_trial(trial).head}
    assert run(["next", PROTOCOL, str(trial), "--on", "2025-02-10", "--format", "json"]) == 0
    theirs = json.loads(capsys.readouterr().out)
    assert {key: value for key, value in ours.items() if key != "path"} == _with_paths_of(theirs, ours)
    text = said(trial, "next TRIAL --on 2025-02-10", capsys)
    assert run(["next", PROTOCOL, str(trial), "--on", "2025-02-10"]) == 0
    plain = capsys.readouterr().out
    assert text.startswith(plain) and f"Record: 8 entries, head {open_trial(trial).head[:16]}" in text


def _with_paths_of(theirs: object, ours: object) -> object:
    """A record with the paths of another one of the same form: the copy lies in another place than the original."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return {
            key: ours[key] if key == "path" else _with_paths_of(value, ours.get(key)) for key, value in theirs.items()
        }
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [_with_paths_of(one, other) for one, other in zip(theirs, ours, strict=True)]
    return theirs


def test_replay_takes_a_trial(trial: Path, capsys: Capture) -> None:
    said(trial, "add|TRIAL|enrol|05|--level|3|--on|2025-02-05|--deviation|a slip", capsys)
    assert run(["replay", PROTOCOL, str(trial)]) == 1
    assert "record.jsonl, entry 9" in capsys.readouterr().out


def test_an_amendment_is_told_and_kept(trial: Path, tmp_path: Path, capsys: Capture) -> None:
    script = amended_copy(tmp_path / "new", SIX_AT_ONCE, CONFIRMED).source.path
    told = said(trial, f"amend TRIAL {script} --reason more --despite example --on 2025-02-10", capsys)
    assert '  1NNN\n    before  enrol 3 at level 2, by "first three clear"' in told
    assert (trial / "protocol-2" / "ibrutinib-lenalidomide.dose").is_file()
    assert "is put in force: more" in said(trial, "show TRIAL", capsys)
    assert verify(trial).is_right


@pytest.mark.parametrize("suffix", ["csv", "toml", "json", "md"])
def test_exports(suffix: str, trial: Path, tmp_path: Path, capsys: Capture) -> None:
    said(trial, "add TRIAL cycle 01 --level 1 --on 2025-02-05", capsys)
    told = said(trial, f"export TRIAL --to {tmp_path}/out.{suffix}", capsys)
    assert f"{tmp_path}/out.{suffix}" in told
    assert ("Decisions and cycles are not in a table" in told) == (suffix == "csv")
    assert "is there already" in said(trial, f"export TRIAL --to {tmp_path}/out.{suffix}", capsys, 2)
    if suffix in ("csv", "toml"):
        assert run(["next", PROTOCOL, f"{tmp_path}/out.{suffix}", "--on", "2025-02-10"]) == 0
        assert "2 patients may enter at level 2" in capsys.readouterr().out


def test_sign_says_that_it_proves_nothing(trial: Path, capsys: Capture) -> None:
    told = said(trial, "sign TRIAL --meaning reviewed --on 2025-02-10", capsys)
    assert "signed by Ann" in told and "meaning: reviewed" in told and "nothing here proves it" in told


# ---- several at once, and the end of everything ----


def _enrol(folder: str, number: int) -> int:
    os.environ["DOSELANG_ACTOR"] = f"Person {number}"
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    return run(["trial", "add", folder, "enrol", f"{number:02}", "--level", "1", "--on", "2025-01-06"])


def _note(folder: str, number: int) -> int:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    return run(["trial", "add", folder, "note", f"note {number}", "--actor", f"Person {number}"])


def test_ten_at_once_lose_nothing_and_take_no_place_twice(tmp_path: Path) -> None:
    kept = Kept.begun(tmp_path / "trial")
    folder = kept.trial.folder
    with multiprocessing.get_context("fork").Pool(10) as people:
        enrolled = people.starmap(_enrol, [(folder, number) for number in range(10)], chunksize=1)
        noted = people.starmap(_note, [(folder, number) for number in range(10)], chunksize=1)
    assert sorted(enrolled) == [0] * 3 + [1] * 7, "level 1 has three places"
    assert noted == [0] * 10
    trial = open_trial(folder)
    assert verify(folder).is_right
    assert sum(isinstance(made.step, Enrol) for made in trial.steps) == 3
    assert {made.step.text for made in trial.steps if isinstance(made.step, Note)} == {f"note {n}" for n in range(10)}


def test_who_is_killed_leaves_a_record_that_can_be_added_to(tmp_path: Path, capsys: Capture) -> None:
    kept = Kept.begun(tmp_path / "trial")
    code = "import sys; from doselang.cli import run\nwhile True: run(['trial', 'add', sys.argv[1], 'note', 'n'])"
    for pause in (0.9, 1.1, 1.3):
        worker = subprocess.Popen(
            [sys.executable, "-c", code, kept.trial.folder], stdout=subprocess.DEVNULL,
            env={**os.environ, "DOSELANG_ACTOR": "Ann"}, cwd=ROOT,
        )  # fmt: skip
        time.sleep(pause)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        before = len(open_trial(kept.trial.folder).entries)
        said(Path(kept.trial.folder), "add TRIAL note after", capsys)
        assert len(open_trial(kept.trial.folder).entries) == before + 1
    assert verify(kept.trial.folder).is_right


def test_a_full_disk_refuses_and_leaves_the_record(
    trial: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (trial / "record.jsonl").read_bytes()

    def full(file: int, content: bytes) -> None:
        durable.os.write(file, content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record_writing, "write_whole", full)
    assert "No space left on device" in said(trial, "add TRIAL enrol 05 --level 2 --on 2025-02-05", capsys, 2)
    assert (trial / "record.jsonl").read_bytes() == before


def test_a_patient_before_the_trial_began_is_said_loudly(trial: Path, capsys: Capture) -> None:
    """The record of a trial that is under way already may be begun late: then its first day is given."""
    note = said(trial, "add|TRIAL|note|the first visit|--on|2025-01-05", capsys)
    remark = "2025-01-05 is before 2025-01-06, on which the trial began by entry 1."
    assert f"  ATTENTION: {remark} If that is wrong, correct entry 9." in note
    assert f"      {remark}" in said(trial, "show TRIAL", capsys)
    assert "ATTENTION" not in said(trial, "add TRIAL enrol 05 --level 2 --on 2025-02-05", capsys)
    added = json.loads(said(trial, "add|TRIAL|note|x|--on|2025-01-05|--format|json", capsys))
    assert added["remarks"] == [remark]


def test_init_without_a_day_asks_for_it(tmp_path: Path, capsys: Capture) -> None:
    asks = "If the trial began before, begin the record anew in another folder, with that day: `--on DATE`."
    assert asks in said(tmp_path / "a", f"init TRIAL {PROTOCOL}", capsys)
    assert asks not in said(tmp_path / "b", f"init TRIAL {PROTOCOL} --on 2025-01-06", capsys)


def test_who_chose_is_the_body_that_the_protocol_asks(tmp_path: Path, capsys: Capture) -> None:
    def choose(by: str, on: str = "2025-02-04") -> str:
        return said(kept.trial.folder, f"add|TRIAL|choose|1|--by|{by}|--on|{on}", capsys)  # type: ignore[arg-type]

    warned = "  ATTENTION: The protocol asks safety-committee to choose, and not the cleaning lady."
    for number, by in enumerate(("the cleaning lady", "The Safety Committee", "safety-committee")):
        kept = Kept.begun(tmp_path / f"trial{number}", "committee.dose")
        kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
        printed = choose(by)
        assert (warned in printed) == (by == "the cleaning lady"), printed
        assert ("by safety-committee" in printed) == (by != "the cleaning lady")


def test_who_enters_before_anybody_chose_is_said_loudly(tmp_path: Path, capsys: Capture) -> None:
    kept = Kept.begun(tmp_path / "trial", "committee.dose")
    kept.cohort("1", "2025-01-06", "NNN", "2025-02-03")
    folder = Path(kept.trial.folder)
    printed = said(folder, "add|TRIAL|enrol|04|--level|2|--on|2025-02-04", capsys)
    assert "ATTENTION: The protocol asks safety-committee to choose before that, and no choice is on record" in printed
    printed = said(folder, "add|TRIAL|choose|1|--by|safety-committee|--on|2025-02-05", capsys)
    assert "Entry" in printed and "not as the rules say" not in printed


def test_today_is_after_all_days_of_these_tests() -> None:
    assert TODAY.year == 2026
