"""Reading a plan: from the path of a table or a TOML file to its cells, all checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doselang.diagnostics import trouble
from doselang.loading import read_text
from doselang.sweep.plan import Plan
from doselang.sweep.plan_csv import plan_from_csv
from doselang.sweep.plan_toml import plan_from_toml

READERS = {".toml": plan_from_toml, ".csv": plan_from_csv}


def read_plan(path: str, given: Mapping[str, Any]) -> Plan:
    """The plan in a file; `given` are the options of the command line, by their names in a plan.

    Raises Trouble where the file, a protocol that it names, or anything in it is wrong.
    """
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise trouble(
            "DL903",
            f"{path} is neither a .csv nor a .toml file.",
            help="A plan is a table (.csv), one row a cell, or names what is to be combined (.toml).",
        )
    return reader(read_text(path), path, given)
