"""The files that come with doselang but are not Python: the grammar, the protocols, the findings' pages."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path | Traversable:
    """A file or folder by its path, such as `resource("grammars", "doselang.lark")`.

    A wheel has them inside the package; a source tree, and an editable install of one, beside it. Raises
    FileNotFoundError if it is in neither place.
    """
    if not parts or any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts):
        raise ValueError(f"not the path of a resource: {parts}")
    for folder in (PACKAGE / "_data", PACKAGE.parent):
        found = folder.joinpath(*parts)
        if found.exists():
            return found
    inside = files("doselang").joinpath("_data", *parts)  # a package that is imported from an archive
    if inside.is_file() or inside.is_dir():
        return inside
    raise FileNotFoundError("/".join(parts))
