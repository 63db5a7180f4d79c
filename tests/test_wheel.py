"""A wheel, built and unpacked away from the checkout, holds all that the package needs: grammar, protocols, pages."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

USE = """
from pathlib import Path
import doselang
from doselang.diagnostics import Report
from doselang.source import Source
from doselang.syntax.parse import parse

package = Path(doselang.__file__).parent
assert package.is_relative_to(Path.cwd()), package
protocols = sorted((package / "_data" / "protocols").rglob("*.dose"))
for path in protocols:
    report = Report()
    file = parse(Source(path.name, path.read_text(encoding="utf-8")), report)
    assert file.statements and not report.has_errors, (path, list(report))
print(len(protocols))
"""


def run(*arguments: str, cwd: Path) -> str:
    """What a Python command prints when only the unpacked wheel, not the checkout, can be imported."""
    environment = {**os.environ, "PYTHONPATH": str(cwd), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, and nothing of the checkout."""
    built = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = built.glob("doselang-*-py3-none-any.whl")
    folder = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_has_grammar_protocols_and_pages(elsewhere: Path) -> None:
    shipped = elsewhere / "doselang" / "_data"
    for inside, beside in {"grammars": "grammars", "protocols": "protocols", "docs/findings": "docs/findings"}.items():
        here = {path.relative_to(ROOT / beside) for path in (ROOT / beside).rglob("*") if path.is_file()}
        assert here
        assert {path.relative_to(shipped / inside) for path in (shipped / inside).rglob("*") if path.is_file()} == here
    assert (elsewhere / "doselang" / "py.typed").is_file()


def test_grammar_and_protocols_are_read_from_the_wheel(elsewhere: Path) -> None:
    assert int(run("-c", USE, cwd=elsewhere)) > 0


def test_the_command_checks_a_protocol_of_the_wheel(elsewhere: Path) -> None:
    reference = elsewhere / "doselang" / "_data" / "protocols" / "ibrutinib-lenalidomide.dose"
    command = "import sys; from doselang.cli import main; sys.argv[0] = 'doselang'; main()"
    assert "DL" not in run("-c", command, "check", "--quiet", str(reference), cwd=elsewhere)
