"""The files that come with doselang but are not Python: the grammar, the protocols, the findings' pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path | Traversable:
    """A file or folder by its path, such as `resource("grammars", "doselang.lark")`.

    A wheel has them inside the package; a source tree, and an editable install of one, beside it. Raises
    FileNotFoundError if it is in neither place.
    """
    path = Path(*parts)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"not the path of a resource: {parts}")
    for folder in (PACKAGE / "_data", PACKAGE.parent):
        found = folder / path
        if found.exists():
            return found
    from importlib.resources import files  # takes a while to load, and is for a package inside an archive

    inside = files("doselang").joinpath("_data", *path.parts)
    if inside.is_file() or inside.is_dir():
        return inside
    raise FileNotFoundError(str(path))
