"""Reading protocol files, and the texts that they name: the one place that reads files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from attrs import define, evolve, field, frozen

from doselang.diagnostics import Diagnostic, Report, Trouble, trouble
from doselang.protocol.model import Protocol, ProtocolText
from doselang.resolve import Settings, resolve, split_text
from doselang.resolve.composing import Composed, Used, compose
from doselang.resolve.names import fold, nearest, shorten
from doselang.resources import resource
from doselang.source import Source
from doselang.syntax.nodes import File, ParameterDecl, Table, Text, TextFile, UseDesign
from doselang.syntax.parse import parse


@frozen
class Kind:
    """What a file is read as: the most bytes that are even decoded, and what is said of one that cannot be read."""

    most_bytes: int
    too_long: str
    save_as: str
    if_binary: str | None = None
    line: str = "line"
    suffix: str = ".dose"


SCRIPT = Kind(
    4 << 20,
    "no protocol is that long",
    "Save it as UTF-8 (in Word or an editor: Save as, plain text, encoding UTF-8).",
)
"""Scripts and all that they name; the limit of the language itself is lower, and is said in its own words."""

MOST_ERRORS = 200
"""So many errors of one file are told; nobody reads more."""


MOST_FILES = 10
"""So many files a protocol and the designs that it uses may be, and so many deep they may use one another."""
MOST_DEEP = 3

LIBRARY = ("protocols", "designs")
"""The folder of the designs that come with doselang."""


@frozen
class Loaded:
    """A protocol file, read. `protocol` is None where its text has errors; `diagnostics` are all that reading found.

    `file` is the file as written, `whole` the same with the designs that it uses; the `source` holds them all.
    `tables` are the texts of the decision tables that they name; `named` all files that they name, with their texts.
    """

    source: Source
    file: File
    protocol: Protocol | None
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    whole: File = field(default=File(()))
    tables: dict[str, str] = field(factory=dict, hash=False, repr=False)
    named: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def load(path: str, settings: Settings | None = None) -> Loaded:
    """Read, parse and resolve a protocol file (`-` is the standard input), and what it names beside itself.

    `settings` override its parameters. Raises Trouble where the file cannot be read as text, or a setting is wrong;
    faults in what is written are diagnostics.
    """
    return load_source(read_source(path), Path.cwd() if path == "-" else Path(path).parent, settings)


def load_source(source: Source, folder: Path | None, settings: Settings | None = None) -> Loaded:
    """Parse and resolve a text; `folder` is where the files that it names are looked for, None for nowhere."""
    report = Report()
    file = parse(source, report)
    designs = _Designs(report, Path(source.path).parent, source.end)
    text = designs.text_of(file, folder)
    trail = [str((folder / Path(source.path).name).resolve())] if folder is not None else []
    designs.read_tables(file, folder)
    composed = compose(file, designs.used_by(file, folder, trail), report)
    source = evolve(source, used=tuple(designs.sources))
    _know_settings(composed, settings or {}, report, source.path)
    protocol = resolve(
        composed.file, report, text=text, settings=settings or {}, composed=composed, files=designs.tables
    )
    for item in report:
        if item.code == "DL903":
            raise Trouble(item)
    return Loaded(
        source, file, None if report.has_errors else protocol, _told(report), composed.shown(), designs.tables,
        tuple(designs.named),
    )  # fmt: skip


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


def _know_settings(composed: Composed, settings: Settings, report: Report, path: str) -> None:
    """Trouble for a parameter that is to be set and that the file does not have, or that it gives to its design."""
    if any(item.code == "DL605" for item in report):
        return
    names = [statement.name.text for statement in composed.file.statements if isinstance(statement, ParameterDecl)]
    for name in settings:
        if fold(name) in composed.given:
            message = f"`{name}=…`: {path} gives `{name}` to the design that it uses."
            raise trouble("DL903", message, help="Change it there, or leave it out of `with` to set it here.")
        if name.lower() not in (known.lower() for known in names):
            near = nearest(name, names)
            help = f"Did you mean `{near}`?" if near else f"Its parameters are {', '.join(names)}." if names else None
            raise trouble("DL903", f"`{name}=…`: {path} has no parameter `{name}`.", help=help)


# ---- designs ----


@define
class _Designs:
    """The designs that a file uses, in the order in which they are read, laid end to end after it.

    `shown` is the folder of the file as messages name it; `end` the offset at which the next design begins.
    """

    report: Report
    shown: Path
    end: int
    sources: list[Source] = field(factory=list)
    tables: dict[str, str] = field(factory=dict)
    """The files of decision tables that could be read, by name; those of the script come first."""
    named: list[tuple[str, str]] = field(factory=list)
    """All files beside the scripts that could be read."""

    def text_of(self, file: File, folder: Path | None, *, in_library: bool = False) -> ProtocolText | None:
        """The text that a file names first; of a design that comes with doselang it is beside the design."""
        statement = next((one for one in file.statements if isinstance(one, TextFile)), None)
        if statement is None:
            return None
        text = _beside(statement.path, "text", folder, self.report, in_library=in_library)
        if text is None:
            return None
        self.named.append((statement.path.value, text))
        return split_text(statement.path.value, text)

    def read_tables(self, file: File, folder: Path | None, *, in_library: bool = False) -> None:
        """Read the decision tables that a file names."""
        for statement in file.statements:
            if isinstance(statement, Table) and statement.source is not None:
                text = _beside(statement.source, "table", folder, self.report, in_library=in_library)
                if text is not None:
                    self.tables.setdefault(statement.source.value, text)
                    self.named.append((statement.source.value, text))

    def used_by(self, file: File, folder: Path | None, trail: list[str]) -> tuple[Used, ...]:
        """The designs that a file uses; `trail` are the files that led to it, the last being itself."""
        statements = [statement for statement in file.statements if isinstance(statement, UseDesign)]
        found = [self.used(statement, folder, trail) for statement in statements]
        return tuple(one for one in found if one is not None)

    def used(self, statement: UseDesign, folder: Path | None, trail: list[str]) -> Used | None:
        name, place = statement.design.value, statement.design.span
        try:
            found = _find_design(name, folder)
        except Trouble as error:
            self.report.add("DL605", error.diagnostic.message, place, help=error.diagnostic.help)
            return None
        if found.identity in trail:
            message = f"The design “{name}” uses itself." if len(trail) > 1 else f"The file “{name}” uses itself."
            help = "Give this file another name than the design that it is to use."
            self.report.add("DL605", message, place, help=help)
            return None
        if len(trail) > MOST_DEEP or len(self.sources) >= MOST_FILES - 1:
            message = f"At most {MOST_FILES} files use one another, {MOST_DEEP} deep."
            self.report.add("DL704", message, place, help="Write the rules into one file.")
            return None
        source = Source(str(self.shown / f"{name}.dose") if found.beside else found.identity, found.text)
        base, self.end = self.end, self.end + len(found.text) + 1
        self.sources.append(source)
        file = parse(source, self.report, base)
        text = self.text_of(file, folder if found.beside else None, in_library=not found.beside)
        self.read_tables(file, folder if found.beside else None, in_library=not found.beside)
        used = self.used_by(file, folder if found.beside else None, [*trail, found.identity])
        return Used(statement, file, text, used)


@frozen
class _Found:
    """A design: its text, and what tells it from others; `beside` whether it lies beside the script."""

    identity: str
    text: str
    beside: bool


def _find_design(name: str, folder: Path | None) -> _Found:
    """The design of a name: beside the script, or else of those that come with doselang. Raises Trouble."""
    help = "Write the name of a file beside the script, or of a design, without a folder and without `.dose`."
    if not is_plain(name) or name.lower().endswith(".dose"):
        raise trouble("DL605", f"“{shorten(name, 60)}” is not the name of a design.", help=help)
    try:
        if folder is not None and os.path.lexists(folder / f"{name}.dose"):
            path = folder / f"{name}.dose"
            if path.resolve().parent != folder.resolve():
                raise trouble("DL605", f"The design “{name}” leads outside the folder of this script.", help=help)
            return _Found(str(path.resolve()), read_text(str(path)), True)
        found = resource(*LIBRARY, f"{name}.dose")
        text = _decoded(found.read_bytes(), f"{name}.dose", SCRIPT)
        return _Found("/".join((*LIBRARY, f"{name}.dose")), text, False)
    except FileNotFoundError:
        library = library_designs()
        beside = sorted(path.stem for path in folder.glob("*.dose"))[:500] if folder is not None else []
        near = nearest(name, [*library, *beside])
        help = f"Did you mean “{near}”?" if near else f"Those that come with doselang are {', '.join(library)}."
        raise trouble("DL605", f"There is no design “{shorten(name, 60)}”.", help=help) from None
    except (OSError, RuntimeError, ValueError):  # as for texts
        raise trouble("DL605", f"The design “{shorten(name, 60)}” cannot be read.", help=help) from None


def library_designs() -> list[str]:
    """The names of the designs that come with doselang."""
    folder = resource(*LIBRARY)
    return sorted(entry.name.removesuffix(".dose") for entry in folder.iterdir() if entry.name.endswith(".dose"))


def is_plain(name: str) -> bool:
    """Whether a name is that of a file alone, without a folder."""
    return bool(name.strip()) and Path(name).name == name and "\\" not in name and name not in (".", "..")


# ---- files ----


def read_source(path: str) -> Source:
    """The text of a file; Trouble where there is none."""
    return Source(path, read_text(path))


def read_text(path: str, kind: Kind = SCRIPT) -> str:
    """The decoded text of a file: UTF-8, with or without a byte-order mark; line ends become `\\n`."""
    if path == "-":
        return _decoded(sys.stdin.buffer.read(kind.most_bytes + 1), "the standard input", kind)
    if not path:
        raise trouble("DL901", "The name of a file is empty.", help="Is a variable of the shell not set?")
    file = Path(path)
    try:
        if file.is_dir():
            raise trouble("DL901", f"{path} is a folder, not a file.", path=path)
        if not file.is_file() and file.exists():
            raise trouble("DL901", f"{path} is not an ordinary file.", path=path)
        with file.open("rb") as stream:
            return _decoded(stream.read(kind.most_bytes + 1), path, kind)
    except FileNotFoundError:
        raise trouble("DL901", f"There is no file {path}.", path=path, help=_nearby(file, kind.suffix)) from None
    except PermissionError:
        raise trouble("DL901", f"The file {path} may not be read: permission denied.", path=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise trouble("DL901", f"The file {path} cannot be read: {reason}.", path=path) from None


def _nearby(file: Path, suffix: str) -> str | None:
    """A file whose name is like one that is not there."""
    try:
        suffix = file.suffix or suffix
        names = sorted(entry.stem for entry in file.parent.iterdir() if entry.suffix == suffix)[:500]
    except OSError:
        return f"There is no folder {file.parent} either." if not file.parent.exists() else None
    near = nearest(file.stem, names)
    return f"Did you mean {file.parent / f'{near}{suffix}'}?" if near else None


def _decoded(content: bytes, path: str, kind: Kind) -> str:
    if len(content) > kind.most_bytes:
        size = f"{kind.most_bytes >> 20} MiB" if kind.most_bytes >> 20 else f"{kind.most_bytes >> 10} KiB"
        raise trouble("DL704", f"{path} is larger than {size}: {kind.too_long}.", path=path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = f"{path} is written in UTF-16 or UTF-32, not in UTF-8."
        raise trouble("DL902", message, path=path, help=kind.save_as)
    if b"\0" in content[:8192]:
        message = f"{path} is not a text file: it holds binary data."
        raise trouble("DL902", message, path=path, help=kind.if_binary)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise trouble(
            "DL902",
            f"{path} is not written in UTF-8: {kind.line} {line} has a character of another encoding.",
            path=path,
            help=kind.save_as,
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _beside(
    written: Text, what: str, folder: Path | None, report: Report, *, in_library: bool = False
) -> str | None:  # fmt: skip
    """The text of a file that a script names, which must lie in the same folder; why there is none is reported."""
    name = written.value
    if in_library:
        try:
            if is_plain(name):
                return _decoded(resource(*LIBRARY, name).read_bytes(), name, SCRIPT)
        except (OSError, ValueError):
            pass  # told below
        message = f"The {what} “{shorten(name, 60)}” does not come with doselang."
        report.add("DL604", message, written.span)
        return None
    help = f"Put the {what} beside the script, and name it without a folder."
    if not is_plain(name):
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
