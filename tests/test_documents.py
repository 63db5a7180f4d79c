"""README, documentation and corpus: every example in them is read and run, and prints what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import (
    ROOT,
    Block,
    blocks,
    commands,
    documents,
    matches,
    report_faults,
    run_document,
    with_omissions,
)

SMALL = 'protocol "A small trial"\nlevels 1 to 2\n'


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_document_says_what_happens(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text(encoding="utf-8")
    outcome = run_document(text, tmp_path)
    if outcome.text != text and request.config.getoption("--update-documents"):
        path.write_text(outcome.text, encoding="utf-8", newline="\n")
        outcome = run_document(outcome.text, tmp_path / "again")
    assert not outcome.faults, "\n" + report_faults(path, outcome)


# ---- the runner itself ----


def document(*parts: tuple[str, str]) -> str:
    """A document of fenced blocks."""
    return "# A title\n\n" + "\n".join(f"```{info}\n{body}```\n" for info, body in parts)


def test_a_wrong_output_is_a_fault_and_is_corrected(tmp_path: Path) -> None:
    text = document(("dose file=small.dose", SMALL), ("console", "$ doselang check small.dose --quiet\nall is well\n"))
    outcome = run_document(text, tmp_path / "once")
    assert [fault.line for fault in outcome.faults] == [9]
    assert "-all is well" in outcome.faults[0].text and "DL201" in outcome.faults[0].text
    assert outcome.text.endswith("[exit 1]\n```\n")
    again = run_document(outcome.text, tmp_path / "again")
    assert not again.faults and again.text == outcome.text


def test_a_piece_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    outcome = run_document(document(("dose", 'rule "a"\n  when 0/3\n')), tmp_path)
    assert [fault.line for fault in outcome.faults] == [5]


def test_other_programs_are_not_run(tmp_path: Path) -> None:
    text = document(("console", "$ rm -r protocols\nremoved\n"), ("sh", "$ doselang nothing\n"))
    outcome = run_document(text, tmp_path)
    assert not outcome.faults and outcome.text == text and (tmp_path / "protocols").is_dir()


def test_files_are_written_as_the_block_says(tmp_path: Path) -> None:
    parts = (
        ("text file=a/b.txt encoding=latin-1", "é\n"),
        ("text file=long.txt repeat=3", "x\n"),
        ("text file=cut.txt end=none", "x\ny\n"),
    )
    run_document(document(*parts), tmp_path)
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\xe9\n"
    assert (tmp_path / "long.txt").read_text() == "x\nx\nx\n"
    assert (tmp_path / "cut.txt").read_text() == "x\ny"


def test_lines_left_out() -> None:
    assert matches(["a", "…", "d"], ["a", "b", "c", "d"])
    assert matches(["…"], []) and matches(["a", ""], ["a"])
    assert not matches(["a", "…", "d"], ["a", "b"])
    assert not matches(["a"], ["a", "b"])
    assert with_omissions(["x", "…", "d"], ["a", "b", "c", "d"]) == ["a", "…", "d"]
    assert with_omissions(["x"], ["a", "b"]) == ["a", "b"]


def test_blocks_and_commands() -> None:
    text = "- a list\n\n  ```console\n  $ doselang check a.dose # here\n  out\n\n  $ pip install x\n  ```\n"
    (block,) = blocks(text)
    assert block == Block("console", ("$ doselang check a.dose # here", "out", "", "$ pip install x"), 4, "  ")
    first, second = commands(block)[1]
    assert first.arguments == ["check", "a.dose"] and first.expected == ("out", "") and second.arguments is None
    with pytest.raises(ValueError, match="not closed"):
        list(blocks("```dose\n"))
