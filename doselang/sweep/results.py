"""The result of a sweep as a table, CSV or Parquet: written beside its place, then put there in one step."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from doselang.diagnostics import trouble
from doselang.sweep.rows import TEXTS, WHOLE, Row, columns_of, whole_kinds, with_whole_trial

BATCH = 1_000
"""So many rows of a Parquet file are in memory at once."""

Rows = Callable[[], Iterator[Row]]
"""The rows from the beginning, as often as they are asked for: they may be more than memory holds."""


def refuse_form(out: str) -> None:
    """Trouble for a result whose form is unknown, or that needs a library that is not there."""
    suffix = Path(out).suffix.lower()
    if suffix not in WRITERS:
        raise trouble(
            "DL903", f"{out} ends neither in .csv nor in .parquet.", help="Write for example: --out results.csv"
        )
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise trouble(
                "DL903",
                "Parquet is written by the library pyarrow, which is not installed.",
                help="Install it with `pip install 'doselang[parquet]'`, or write CSV.",
            ) from None


def is_result(out: str) -> bool:
    """Whether a file begins as a table of results does: a table of scenarios, for example, does not."""
    try:
        with open(out, "rb") as file:
            head = file.read(64)
    except OSError:
        return False
    return head.startswith((b"PAR1", b"cell,protocol,"))


def write_table(out: str, rows: Rows) -> None:
    """Write all rows to a file, which is either as it was before, or whole. Raises Trouble DL901."""
    kinds = whole_kinds(rows())

    def filled() -> Iterator[Row]:
        return with_whole_trial(rows(), kinds)

    columns = columns_of(filled())
    beside = f"{out}.part"
    try:
        WRITERS[Path(out).suffix.lower()](beside, columns, filled)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, out)
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside)
        reason = error.strerror or str(error)
        raise trouble(
            "DL901",
            f"{out} cannot be written: {reason}.",
            help="All cells are kept in the journal. Make room, and run the same command again.",
        ) from None


def _write_csv(path: str, columns: Sequence[str], rows: Rows) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows():
            writer.writerow(_cell(row.get(column)) for column in columns)


def _cell(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _write_parquet(path: str, columns: Sequence[str], rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = {name for row in rows() for name, value in row.items() if isinstance(value, str)}
    schema = pa.schema([(name, _type(name, texts, pa)) for name in columns])
    with pq.ParquetWriter(path, schema) as writer:
        remaining = rows()
        while batch := list(islice(remaining, BATCH)):
            arrays = [pa.array([_typed(row.get(f.name), f.type, pa) for row in batch], f.type) for f in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _type(name: str, texts: set[str], pa: Any) -> Any:
    """The type of a column: by its name, and of a parameter by whether any value is a list."""
    if name in TEXTS or name in texts:
        return pa.string()
    return pa.int64() if name in WHOLE or name == "seed" else pa.float64()


def _typed(value: object, type: Any, pa: Any) -> object:
    if value is None:
        return None
    return _cell(value) if type == pa.string() else value if type == pa.int64() else float(str(value))


WRITERS: dict[str, Callable[[str, Sequence[str], Rows], None]] = {".csv": _write_csv, ".parquet": _write_parquet}
