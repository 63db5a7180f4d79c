"""`doselang fmt`: the one layout; nothing is written unless the text reads the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from doselang.cli.output import expanded, files_argument, quiet_option
from doselang.diagnostics import Report, Trouble, trouble
from doselang.loading import read_source
from doselang.report.text import count_words, render_text
from doselang.syntax.layout import reformat
from doselang.syntax.parse import parse


@click.command("fmt")
@files_argument
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if a file is not in the one layout.")
@quiet_option
def command(paths: tuple[str, ...], only_check: bool, quiet: bool) -> int:
    """Write protocols in the one layout. Comments are kept."""
    status = 0
    for path in expanded(paths):
        source, report = read_source(path), Report()
        text = reformat(source, parse, report)
        if text is None:
            click.echo(render_text(report, source), err=True)
            click.echo(f"{path}: {count_words(report)}; the file is left as it is.", err=True)
            status = max(status, 2 if any(item.code == "DL704" for item in report) else 1)
        elif path == "-":
            click.echo(text, nl=False)
        elif text != source.text:
            if only_check:
                status = max(status, 1)
            else:
                replace_file(Path(path), text)
            if not quiet:
                click.echo(f"{path}: {'would be laid out anew' if only_check else 'laid out'}")
    return status


def replace_file(path: Path, content: str | bytes) -> None:
    """Put a text, or bytes, in the place of a file, whole or not at all; its permissions stay. Trouble if not."""
    room: str | None = None
    try:
        path = path.resolve()
        handle, room = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            os.chmod(room, path.stat().st_mode)
        else:
            os.chmod(room, 0o644)
        os.replace(room, path)
    except (OSError, ValueError) as error:
        if room is not None and os.path.exists(room):
            os.unlink(room)
        reason = getattr(error, "strerror", None) or error
        raise trouble("DL901", f"{path} cannot be written: {reason}; it is left as it was.") from None


def write_together(files: Sequence[tuple[Path, str]]) -> None:
    """Write all of some files, which are not there yet, or none of them."""
    for number, (path, content) in enumerate(files):
        try:
            replace_file(path, content)
        except Trouble:
            for written, _ in files[:number]:
                written.unlink()
            raise
