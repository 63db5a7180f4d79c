"""The protocols of a plan, each read once for every set of parameters that the plan gives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import define, field

from doselang.diagnostics import Trouble, trouble
from doselang.loading import Loaded, load
from doselang.resolve import Setting
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.source import Source
from doselang.sweep.plan import Setup, digest_of
from doselang.syntax.nodes import ParameterDecl


@define
class Protocols:
    """Reads protocols as a plan names them: paths count from the plan's `folder`."""

    folder: Path
    setups: list[Setup] = field(factory=list)
    digests: dict[str, str] = field(factory=dict)
    """The digest of the text of each protocol, by path."""
    _plain: dict[str, Loaded] = field(factory=dict)
    _numbers: dict[tuple[str, tuple[tuple[str, str], ...]], int] = field(factory=dict)

    def parameters(self, path: str, place: str) -> list[str]:
        """The names of the parameters of a protocol. Raises Trouble, which begins with the place in the plan."""
        if path not in self._plain:
            loaded = self._load(path, {}, place)
            texts = [loaded.source.text, *(used.text for used in loaded.source.used)]
            texts += [f"{name}\n{text}" for name, text in sorted(loaded.tables.items())]
            self.digests[path] = digest_of("\0".join(texts))
            self._plain[path] = loaded
        declared = [item.name.text for item in self._plain[path].whole.statements if isinstance(item, ParameterDecl)]
        return list(dict.fromkeys(declared))

    def setup(self, path: str, settings: Mapping[str, Setting], place: str) -> int:
        """The number of a protocol with a set of parameters. Raises Trouble, which begins with the place in the plan.

        Told are a file that cannot be read, a protocol with errors, a parameter that it does not have, and a value
        that does not fit.
        """
        known = {fold(name): name for name in self.parameters(path, place)}
        for name in settings:
            if fold(name) not in known:
                raise trouble("DL903", f"{place}: {path} has no parameter `{shorten(name, 40)}`.",
                              help=_advice(name, list(known.values())))  # fmt: skip
        spelled = {known[fold(name)]: value for name, value in settings.items()}
        key = path, tuple(sorted((name, repr(value.numbers)) for name, value in spelled.items()))
        if key not in self._numbers:
            loaded = self._load(path, spelled, place)
            if loaded.protocol is None:
                raise _first_error(loaded, path, spelled, place)
            self._numbers[key] = len(self.setups)
            self.setups.append(Setup(path, self.digests[path], spelled, loaded.protocol))
        return self._numbers[key]

    def _load(self, path: str, settings: Mapping[str, Setting], place: str) -> Loaded:
        if path == "-":
            raise trouble("DL903", f"{place}: a plan names files; `-`, the standard input, is none.")
        try:
            return load(str(self.folder / path), settings)
        except Trouble as error:
            found = error.diagnostic
            message, help = (words and words.replace("--set ", "") for words in (found.message, found.help))
            raise trouble(found.code, f"{place}: {message}", help=help) from None  # here nobody typed `--set`


def _advice(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    if near is not None:
        return f"Did you mean `{near}`?"
    return f"Its parameters are {listing(known)}." if known else "It has no parameters."


def _first_error(loaded: Loaded, path: str, settings: Mapping[str, Setting], place: str) -> Trouble:
    """The first error of a protocol, and how to see all."""
    first = next(item for item in loaded.diagnostics if item.severity == "error")
    where = _line_words(loaded.source, first.span.start, path)
    given = "".join(f" --set {name}={value.text}" for name, value in settings.items())
    help = f"For all that is wrong: doselang check {loaded.source.path}{given}"
    return trouble(first.code, f"{place}: {where}: {first.message}", help=help)


def _line_words(source: Source, offset: int, path: str) -> str:
    file, _ = source.file(offset)
    return f"{path if file is source else file.path}, line {source.place(offset)[0]}"
