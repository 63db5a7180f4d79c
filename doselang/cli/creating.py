"""`doselang new`: a protocol file from a design, ready to check."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import click

from doselang.cli.formatting import replace_file
from doselang.diagnostics import Trouble, trouble
from doselang.resources import resource


@click.command("new")
@click.argument("name")
@click.option("--design", required=True, help="The design to begin from; `doselang new --help` lists them.")
def command(name: str, design: str) -> int:
    """Write NAME.dose, and its text, from a design."""
    stem = name.removesuffix(".dose")
    if stem.endswith(("/", os.sep)) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", Path(stem).name):
        raise trouble(
            "DL903", f"`{name}` cannot be the name of a file.", help="Letters, digits and hyphens, such as my-trial."
        )
    available = designs()
    if design not in available:
        raise trouble("DL903", f"There is no design `{design}`.", help=f"The designs are {', '.join(available)}.")
    target, text, table = Path(f"{stem}.dose"), Path(f"{stem}.md"), Path(f"{stem}.csv")
    if not os.path.isdir(target.parent):
        raise trouble("DL901", f"There is no folder {target.parent}.")
    has_table = resource("protocols", "designs", f"{design}.csv").is_file()
    for path in (target, text, *([table] if has_table else [])):
        if os.path.lexists(path):
            raise trouble("DL903", f"{path} is there already, and is left as it is.", help="Choose another name.")
    title = Path(stem).name.replace("-", " ")
    script = resource("protocols", "designs", f"{design}.dose").read_text(encoding="utf-8")
    script = re.sub(r'(?m)^protocol ".*"$', f'protocol "{title}"', script, count=1)
    script = re.sub(r'(?m)^text ".*"$', f'text "{text.name}"', script, count=1)
    beside = [(text, resource("protocols", "designs", f"{design}.md").read_text(encoding="utf-8"))]
    if has_table:
        beside.append((table, resource("protocols", "designs", f"{design}.csv").read_text(encoding="utf-8")))
        script = re.sub(r'(?m)^  from ".*"$', f'  from "{table.name}"', script, count=1)
    _write_together([*beside, (target, script)])
    told = f"its text {text}" if len(beside) == 1 else f"its text {text} and its table {table}"
    click.echo(f"Written: {target}, with {told}. Next: doselang check {target}")
    return 0


def _write_together(files: Sequence[tuple[Path, str]]) -> None:
    """Write all of some files, or none of them."""
    for number, (path, content) in enumerate(files):
        try:
            replace_file(path, content)
        except Trouble:
            for written, _ in files[:number]:
                written.unlink()
            raise


def designs() -> list[str]:
    """The designs that come with doselang."""
    folder = resource("protocols", "designs")
    return sorted(entry.name.removesuffix(".dose") for entry in folder.iterdir() if entry.name.endswith(".dose"))


command.epilog = f"Designs: {', '.join(designs())}."
