"""The files of a protocol, gathered so that it can be read from them alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from doselang.diagnostics import trouble
from doselang.loading import Loaded, load
from doselang.record.copies import Copy, write_copy
from doselang.resolve import Settings


def copy_of(loaded: Loaded, settings: Settings) -> Copy:
    """The script, the designs that it uses, and all texts and tables that they name, with the parameters.

    A design that comes with doselang is among them: another doselang may have another one of that name. Raises
    Trouble DL903 where two files would have one name, or the copy is not the same protocol.
    """
    files: dict[str, str] = {script_of(loaded): loaded.source.text}
    for name, text in (*((Path(used.path).name, used.text) for used in loaded.source.used), *loaded.named):
        if files.setdefault(name, text) != text:
            message = f"Two different files of the protocol are called “{name}”, and a trial keeps them in one folder."
            raise trouble("DL903", message, help="Give one of them another name.")
    contents = tuple((name, text.encode("utf-8")) for name, text in files.items())
    copy = Copy(contents, {name: str(getattr(value, "text", value)) for name, value in sorted(settings.items())})
    _refuse_another(loaded, copy, settings)
    return copy


def script_of(loaded: Loaded) -> str:
    """The name of the script among the files of its copy."""
    return "protocol.dose" if loaded.source.path == "-" else Path(loaded.source.path).name


def _refuse_another(loaded: Loaded, copy: Copy, settings: Settings) -> None:
    """Trouble where the copy, read from its files alone, is not the same protocol."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "copy"
        write_copy(copy, place)
        again = load(str(place / script_of(loaded)), settings)
    if again.protocol is None or again.protocol != loaded.protocol:
        message = f"{loaded.source.path} cannot be kept by itself: read from its copy it is another protocol."
        raise trouble("DL903", message, help="Give the files that it uses other names than those of other designs.")
