"""Pictures that commands write: where, in which form, and of what."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import define, field

from doselang.cli.formatting import replace_file
from doselang.diagnostics import trouble
from doselang.report.pictures import Form, characteristics_picture, require_matplotlib
from doselang.report.sheets import Design
from doselang.simulate.characteristics import Characteristics

FORMS: dict[str, Form] = {".svg": "svg", ".png": "png"}


@define
class Drawing:
    """A picture in the making: of each file its figures, written when all are there."""

    path: Path
    form: Form
    designs: list[Design] = field(factory=list)

    @classmethod
    def at(cls, path: str) -> Drawing:
        """A picture to be written to a file. Trouble where that cannot be: before anything is worked out."""
        form = FORMS.get(os.path.splitext(path)[1].lower())
        if form is None:
            help = "The ending says which form: characteristics.svg or characteristics.png."
            raise trouble("DL903", f"`--plot {path}` is not the name of a picture.", help=help)
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise trouble(
                "DL901", f"There is no folder {folder}, in which the picture {os.path.basename(path)} would be."
            )
        if os.path.isdir(path):
            raise trouble("DL901", f"{path} is a folder, and not the file of a picture.")
        if not os.access(folder, os.W_OK):
            raise trouble(
                "DL901", f"The picture {path} cannot be written: the folder {folder} is not to be written to."
            )
        require_matplotlib()
        return cls(Path(path), form)

    def add(self, path: str, found: tuple[Characteristics, ...]) -> None:
        """Add the figures of a file; it is called by its name without folder, or with it where two have the same."""
        names = {design.name for design in self.designs}
        name = "standard input" if path == "-" else Path(path).stem
        self.designs.append(Design(path if name in names else name, found))

    def write(self) -> None:
        """Draw and write. Trouble where scenarios cannot be compared, or the file cannot be written."""
        replace_file(self.path, characteristics_picture(self.designs, self.form))
