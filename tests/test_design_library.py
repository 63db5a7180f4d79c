"""Every design that comes with doselang is complete: it checks clean, is exemplified, and has its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doselang.cli.testing import run as run_tests
from doselang.loading import load
from tests.test_protocols import invoke

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "protocols" / "designs"
DESIGNS = sorted(path.stem for path in FOLDER.glob("*.dose"))


def test_there_are_designs() -> None:
    assert {"three-plus-three", "boin", "crm", "rolling-six", "blrm"} <= set(DESIGNS)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_checks_clean_with_claims_that_say_something(name: str) -> None:
    status, out = invoke("check", str(FOLDER / f"{name}.dose"), "--format", "json")
    record = json.loads(out)
    assert status == 0
    assert record["counts"] == {"error": 0, "warning": 0, "info": 0}, record["files"][0]["diagnostics"]
    assert record["files"][0]["silences"]
    claims = record["files"][0]["claims"]
    assert claims and all(claim["outcome"] == "proved" and claim["broken_by"] for claim in claims)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_has_examples_for_all_its_rules_scenarios_and_a_page(name: str) -> None:
    loaded = load(str(FOLDER / f"{name}.dose"))
    assert loaded.protocol is not None
    tested = run_tests(loaded)
    assert tested.failed == 0
    assert len(tested.examples) >= 6
    assert tested.coverage.unreached == ()
    assert len(loaded.protocol.scenarios) >= 2
    assert (FOLDER / f"{name}.md").is_file()
    assert (ROOT / "docs" / "designs" / f"{name}.md").is_file()
    assert f"]({name}.md)" in (ROOT / "docs" / "designs" / "index.md").read_text(encoding="utf-8")
    assert f"designs/{name}.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DESIGNS)
def test_a_new_protocol_from_a_design_checks_clean(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("new", "my-trial", "--design", name)[0] == 0
    status, out = invoke("check", "my-trial.dose", "--format", "json")
    assert (status, json.loads(out)["counts"]) == (0, {"error": 0, "warning": 0, "info": 0})
