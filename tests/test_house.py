"""The house rules that a tool can check: layers, sizes, a page for every finding, words that do not belong here."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from doselang.codes import CODES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "doselang"

LAYERS = (
    {"cli"},
    {"web"},
    {"sweep"},
    {"api"},
    {"report"},
    {"trial"},
    {"record", "patients"},
    {"conduct", "simulate", "check"},
    {"machine"},
    {"loading"},
    {"resolve"},
    {"protocol", "syntax", "designs"},
    {"diagnostics", "codes", "resources", "durable"},
    {"source", "plurals"},
)
"""From the top down. A module imports its own package and packages of lower layers."""

FLAT = {"diagnostics", "codes", "resources", "durable", "source", "plurals"}
"""Single modules: those of one layer count as one package (`diagnostics` reads `codes`)."""

MOST_LINES = 450
VAGUE = {"utils", "util", "core", "base", "common", "helpers", "helper", "manager", "misc"}
FORBIDDEN = re.compile(
    "|".join(["TO" + "DO", "FIX" + "ME", r"\bXX" + r"X\b", "/(?:wo" + "rk|tm" + "p|ro" + "ot)/", r"\.\./sha" + "red"])
)
"""Left-over marks, and places of one machine; written so that this line is not one of them."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def package_of(module: str) -> str:
    """`doselang.check.coverage` belongs to `check`; the package's own `__init__` to no layer."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    """The packages of doselang that a module imports, wherever in the module the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {package_of(name.name) for name in names if name.name.split(".")[0] == "doselang"}
            case ast.ImportFrom(module=str(module), level=0, names=names) if module.split(".")[0] == "doselang":
                found |= {package_of(module)} if module != "doselang" else {name.name for name in names}
            case ast.ImportFrom(level=level) if level > 0:
                pytest.fail(f"{path}: a relative import")
    return found - {"", "__version__"}


def layer(package: str) -> int:
    """The place of a package in LAYERS, counted from the top."""
    for number, packages in enumerate(LAYERS):
        if package in packages:
            return number
    raise AssertionError(f"{package} belongs to no layer: add it to LAYERS")


def may_import(own: str, other: str) -> bool:
    return own == other or layer(own) < layer(other) or ({own, other} <= FLAT and layer(own) == layer(other))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_its_package_and_lower_layers(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        own = "api"  # the package's front door shows what `api` offers
    elif own == "__main__":
        own = "cli"
    wrong = {other for other in imports(path) if not may_import(own, other)}
    assert not wrong, f"{own} may not import {', '.join(sorted(wrong))}"


def test_the_layering_test_can_fail(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text("def f():\n    from doselang.simulate.exact import run\nimport doselang.codes\n", encoding="utf-8")
    assert imports(probe) == {"simulate", "codes"}
    assert may_import("check", "codes") and may_import("diagnostics", "codes")
    assert not may_import("check", "simulate") and not may_import("syntax", "protocol")
    assert not may_import("source", "diagnostics")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_one_room(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert path.stem not in VAGUE and path.parent.name not in VAGUE, "a name that does not say what is in the module"
    if path.name != "__init__.py" or text:
        assert ast.get_docstring(ast.parse(text)), "a module opens with a sentence that says what it holds"


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.number)
def test_every_code_has_a_page(code) -> None:
    page = ROOT / "docs" / "findings" / f"{code.number}.md"
    assert page.is_file()
    heading = page.read_text(encoding="utf-8").splitlines()[0]
    assert heading.startswith("# ") and code.number in heading and code.name in heading


def test_every_page_of_a_finding_is_of_a_code_and_in_the_contents() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "findings").glob("DL*.md")}
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    index = (ROOT / "docs" / "findings" / "index.md").read_text(encoding="utf-8")
    assert pages == set(CODES)
    for code in CODES.values():
        assert f"- {code.number} {code.name}: findings/{code.number}.md\n" in contents
        assert f"({code.number}.md)" in index


def test_no_words_that_do_not_belong_here() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        path = ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if FORBIDDEN.search(line)]
    assert not found, "\n".join(found)


def test_the_forbidden_words_are_found() -> None:
    for line in ("# TO" + "DO later", "see /wo" + "rk/main", "cd /tm" + "p/x", "a/b ../sha" + "red/x"):
        assert FORBIDDEN.search(line)
    assert not FORBIDDEN.search("homework/tmpl root-mean-square shared")


def test_only_what_people_use_asks_for_the_day() -> None:
    """What reads and judges is given today, so that it says the same whenever it is asked."""
    asking = {path.relative_to(PACKAGE).parts[0] for path in modules() if "date.today" in path.read_text("utf-8")}
    assert asking <= {"cli", "web"}
