"""`doselang new`: a protocol file from a design, ready to check."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from doselang.cli.formatting import replace_file, write_together
from doselang.diagnostics import Report, trouble
from doselang.loading import library_designs
from doselang.resolve.names import nearest
from doselang.resolve.parameters import is_computed
from doselang.resources import resource
from doselang.source import Source
from doselang.syntax.layout import layout
from doselang.syntax.nodes import File, ParameterDecl, ProtocolTitle, Setting, Text, UseDesign
from doselang.syntax.parse import parse


@click.command("new")
@click.argument("name")
@click.option("--design", required=True, help="The design to begin from; `doselang new --help` lists them.")
@click.option("--use", "uses", is_flag=True, help="Write a short file that uses the design, instead of a copy of it.")
def command(name: str, design: str, uses: bool) -> int:
    """Write NAME.dose, and its text, from a design."""
    stem = name.removesuffix(".dose")
    if stem.endswith(("/", os.sep)) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", Path(stem).name):
        raise trouble(
            "DL903", f"`{name}` cannot be the name of a file.", help="Letters, digits and hyphens, such as my-trial."
        )
    available = library_designs()
    if design not in available:
        near = nearest(design, available)
        help = f"Did you mean `{near}`?" if near else f"The designs are {', '.join(available)}."
        raise trouble("DL903", f"There is no design `{design}`.", help=help)
    target, text, table = Path(f"{stem}.dose"), Path(f"{stem}.md"), Path(f"{stem}.csv")
    if uses and Path(stem).name == design:
        raise trouble("DL903", "A file cannot use a design of its own name.", help="Choose another name.")
    if not os.path.isdir(target.parent):
        raise trouble("DL901", f"There is no folder {target.parent}.")
    has_table = any(entry.name == f"{design}.csv" for entry in resource("protocols", "designs").iterdir())
    for path in (target,) if uses else (target, text, *([table] if has_table else [])):
        if os.path.lexists(path):
            raise trouble("DL903", f"{path} is there already, and is left as it is.", help="Choose another name.")
    title = Path(stem).name.replace("-", " ")
    script = resource("protocols", "designs", f"{design}.dose").read_text(encoding="utf-8")
    if uses:
        replace_file(target, using(title, design, script))
        click.echo(f"Written: {target}, which uses the design {design}. Next: doselang check {target}")
        return 0
    script = re.sub(r'(?m)^protocol ".*"$', f'protocol "{title}"', script, count=1)
    script = re.sub(r'(?m)^text ".*"$', f'text "{text.name}"', script, count=1)
    beside = [(text, resource("protocols", "designs", f"{design}.md").read_text(encoding="utf-8"))]
    if has_table:
        beside.append((table, resource("protocols", "designs", f"{design}.csv").read_text(encoding="utf-8")))
        script = re.sub(r'(?m)^  from ".*"$', f'  from "{table.name}"', script, count=1)
    write_together([*beside, (target, script)])
    told = f"its text {text}" if len(beside) == 1 else f"its text {text} and its table {table}"
    click.echo(f"Written: {target}, with {told}. Next: doselang check {target}")
    return 0


def using(title: str, design: str, script: str) -> str:
    """A file that uses a design, with all parameters that may be given to it, as the design has them."""
    statements = parse(Source(design, script), Report()).statements
    declared = [one for one in statements if isinstance(one, ParameterDecl) and not is_computed(one)]
    settings = tuple(Setting(one.name, one.values) for one in declared)
    use = UseDesign(Text(design), settings, ())
    return layout(File((ProtocolTitle(Text(title)), use)), Source("", ""))


command.epilog = f"Designs: {', '.join(library_designs())}."
