"""Reading protocol files, and the texts that they name: the one place that reads files."""

from __future__ import annotations

import sys
from pathlib import Path

from attrs import field, frozen

from doselang.diagnostics import Diagnostic, Report, Trouble, trouble
from doselang.protocol.model import Protocol, ProtocolText
from doselang.resolve import Settings, resolve, split_text
from doselang.resolve.names import nearest
from doselang.source import Source
from doselang.syntax.nodes import File, ParameterDecl, Table, Text, TextFile
from doselang.syntax.parse import parse

MAX_BYTES = 4 << 20
"""More is not even decoded; the limit of the language itself is lower, and is said in its own words."""

SAVE_AS = "Save it as UTF-8 (in Word or an editor: Save as, plain text, encoding UTF-8)."

MOST_ERRORS = 200
"""So many errors of one file are told; nobody reads more."""


@frozen
class Loaded:
    """A protocol file, read. `protocol` is None where its text has errors; `diagnostics` are all that reading found."""

    source: Source
    file: File
    protocol: Protocol | None
    diagnostics: tuple[Diagnostic, ...] = field(default=())


def load(path: str, settings: Settings | None = None) -> Loaded:
    """Read, parse and resolve a protocol file (`-` is the standard input), and the text that it names beside itself.

    `settings` override its parameters. Raises Trouble where the file cannot be read as text; faults in what is written
    are diagnostics.
    """
    return load_source(read_source(path), Path.cwd() if path == "-" else Path(path).parent, settings)


def load_source(source: Source, folder: Path | None, settings: Settings | None = None) -> Loaded:
    """Parse and resolve a text; `folder` is where the text that it names is looked for, None for nowhere."""
    report = Report()
    file = parse(source, report)
    _know_settings(file, settings or {})
    text = None
    for statement in file.statements:
        if isinstance(statement, TextFile) and text is None:
            text = _protocol_text(statement, folder, report)
    tables = _tables(file, folder, report)
    protocol = resolve(file, report, text=text, settings=settings or {}, files=tables)
    for item in report:
        if item.code == "DL903":
            raise Trouble(item)
    return Loaded(source, file, None if report.has_errors else protocol, _told(report))


def _told(report: Report) -> tuple[Diagnostic, ...]:
    """All that was found; of very many errors the first, and how many more there are."""
    found = report.sorted()
    errors = [item for item in found if item.severity == "error" and item.code != "DL704"]
    if len(errors) <= MOST_ERRORS:
        return found
    message = f"{len(errors) - MOST_ERRORS:,} further errors are not told."
    rest = Diagnostic("DL704", message, errors[MOST_ERRORS].span, help="Correct the first ones, then check again.")
    others = (item for item in found if item.severity != "error" or item.code == "DL704")
    return tuple(sorted((*others, *errors[:MOST_ERRORS], rest), key=lambda item: (item.span, item.code)))


def _know_settings(file: File, settings: Settings) -> None:
    """Trouble for a parameter that is to be set and that the file does not have."""
    names = [statement.name.text for statement in file.statements if isinstance(statement, ParameterDecl)]
    for name in settings:
        if name.lower() not in (known.lower() for known in names):
            near = nearest(name, names)
            help = f"Did you mean `{near}`?" if near else f"Its parameters are {', '.join(names)}." if names else None
            raise trouble("DL903", f"`--set {name}=…`: the file has no parameter `{name}`.", help=help)


def read_source(path: str) -> Source:
    """The text of a file; Trouble where there is none."""
    return Source(path, read_text(path))


def read_text(path: str) -> str:
    """The decoded text of a file: UTF-8, with or without a byte-order mark; line ends become `\\n`."""
    if path == "-":
        return _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "the standard input")
    file = Path(path)
    try:
        if file.is_dir():
            raise trouble("DL901", f"{path} is a folder, not a file.", path=path)
        if not file.is_file() and file.exists():
            raise trouble("DL901", f"{path} is not an ordinary file.", path=path)
        with file.open("rb") as stream:
            return _decoded(stream.read(MAX_BYTES + 1), path)
    except FileNotFoundError:
        raise trouble("DL901", f"There is no file {path}.", path=path, help=_nearby(file)) from None
    except PermissionError:
        raise trouble("DL901", f"The file {path} may not be read: permission denied.", path=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise trouble("DL901", f"The file {path} cannot be read: {reason}.", path=path) from None


def _nearby(file: Path) -> str | None:
    """A file whose name is like one that is not there."""
    from difflib import get_close_matches

    try:
        names = sorted(entry.name for entry in file.parent.iterdir() if entry.suffix == ".dose")[:500]
    except OSError:
        return f"There is no folder {file.parent} either." if not file.parent.exists() else None
    near = get_close_matches(file.name, names, 1, 0.6)
    return f"Did you mean {file.parent / near[0]}?" if near else None


def _decoded(content: bytes, path: str) -> str:
    if len(content) > MAX_BYTES:
        raise trouble("DL704", f"{path} is larger than {MAX_BYTES >> 20} MiB: no protocol is that long.", path=path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise trouble("DL902", f"{path} is written in UTF-16 or UTF-32, not in UTF-8.", path=path, help=SAVE_AS)
    if b"\0" in content[:8192]:
        raise trouble("DL902", f"{path} is not a text file: it holds binary data.", path=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise trouble(
            "DL902", f"{path} is not written in UTF-8: line {line} has a character of another encoding.", path=path,
            help=SAVE_AS,
        ) from None  # fmt: skip
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tables(file: File, folder: Path | None, report: Report) -> dict[str, str]:
    """The files of decision tables that can be read, by name."""
    found: dict[str, str] = {}
    for statement in file.statements:
        if isinstance(statement, Table) and statement.source is not None:
            text = _beside(statement.source, "table", folder, report)
            if text is not None:
                found[statement.source.value] = text
    return found


def _protocol_text(statement: TextFile, folder: Path | None, report: Report) -> ProtocolText | None:
    """The text that a protocol names; it must lie in the same folder."""
    text = _beside(statement.path, "text", folder, report)
    return None if text is None else split_text(statement.path.value, text)


def _beside(written: Text, what: str, folder: Path | None, report: Report) -> str | None:
    """The text of a file that a script names, which must lie in the same folder; why there is none is reported."""
    name = written.value
    help = f"Put the {what} beside the script, and name it without a folder."
    if not name.strip() or Path(name).name != name or "\\" in name or name in (".", ".."):
        report.add("DL604", f"The {what} “{name}” is not a file in the folder of this script.", written.span, help=help)
        return None
    if folder is None:
        report.add("DL604", f"The {what} “{name}” cannot be read here.", written.span)
        return None
    path = folder / name
    try:
        if path.resolve().parent != folder.resolve():
            message = f"The {what} “{name}” leads outside the folder of this script."
            report.add("DL604", message, written.span, help=help)
            return None
        return read_text(str(path))
    except Trouble as error:
        report.add("DL604", error.diagnostic.message, written.span, help=error.diagnostic.help)
    except (OSError, RuntimeError, ValueError):  # a link that leads back to itself is a RuntimeError before 3.13
        report.add("DL604", f"The {what} “{name}” cannot be read.", written.span, help=help)
    return None
