"""Reading what was done in a trial: one table of patients, or the tables that a column map names."""

from __future__ import annotations

from pathlib import Path

from attrs import define, field, frozen

from doselang.conduct.conducted import Conducted
from doselang.diagnostics import Diagnostic, Report, trouble
from doselang.loading import SCRIPT, Kind, read_text
from doselang.patients.columns import NOTHING_NAMED, TableKind, ignored, read_sheet
from doselang.patients.maps import NO_MAP, Map, MappedTable, read_map
from doselang.patients.people import PATIENTS, read_patients
from doselang.patients.sheets import Sheet
from doselang.patients.steps import CYCLES, DECISIONS, read_cycles, read_decisions
from doselang.protocol.model import Protocol
from doselang.source import Source

MOST_FAULTS = 20
"""So many faults of the tables are told one by one."""

TABLE = Kind(
    10 << 20,
    "no table of a phase I trial is that long",
    "Save it as UTF-8 (in Excel: Save as, CSV UTF-8).",
    "A workbook is saved as a table first (in Excel: Save as, CSV UTF-8).",
    "row",
    ".csv",
)
MAP = Kind(64 << 10, "no map is that long", SCRIPT.save_as, suffix=".toml")
"""Tables and maps, as files."""


@frozen
class Tables:
    """The tables of a trial, read. `conducted` is None where they have faults, which are `diagnostics`.

    The `source` holds the map and the tables, end to end; places in the records and the diagnostics are places in it.
    `faults` is how many there are, of which the diagnostics tell the first. `ignored` are the headings of the columns
    of patients that are not read.
    """

    source: Source
    conducted: Conducted | None
    diagnostics: tuple[Diagnostic, ...] = ()
    faults: int = 0
    ignored: tuple[str, ...] = ()


def read_conducted(path: str, protocol: Protocol) -> Tables:
    """What was done in a trial, from a table of patients, or from a map if the name of the file ends in `.toml`.

    `-` is a table on the standard input. Raises Trouble for a file that cannot be read as text (DL901, DL902) or is
    too large (DL704); faults in what is written are diagnostics, DL801 to DL806.
    """
    return _Reading(path, protocol).read()


@define
class _Reading:
    """Reads one table, or one map and its tables."""

    path: str
    protocol: Protocol
    report: Report = field(factory=Report)
    _source: Source = field(init=False)
    _used: list[Source] = field(factory=list)
    _ignored: tuple[str, ...] = ()

    def read(self) -> Tables:
        is_map = self.path.lower().endswith(".toml")
        self._source = Source(self.path, read_text(self.path, MAP if is_map else TABLE))
        conducted = self._mapped() if is_map else self._table_alone()
        found = None if self.report.has_errors else conducted
        source = Source(self._source.path, self._source.text, tuple(self._used))
        return Tables(source, found, *_told(self.report), self._ignored)

    def _table_alone(self) -> Conducted | None:
        sheet = read_sheet(self._source, 0, PATIENTS, NOTHING_NAMED, self.report)
        return None if sheet is None else self._patients(sheet, NO_MAP)

    def _mapped(self) -> Conducted | None:
        given = read_map(self._source, self.protocol, self.report)
        if given is None:
            return None
        sheets = {
            name: self._sheet(given.tables[name], kind)
            for name, kind in (("patients", PATIENTS), ("decisions", DECISIONS), ("cycles", CYCLES))
            if name in given.tables
        }
        people = sheets["patients"]
        if people is None:
            return None
        conducted = self._patients(people, given)
        decisions, cycles = sheets.get("decisions"), sheets.get("cycles")
        return Conducted(
            conducted.patients,
            () if decisions is None else read_decisions(decisions, self.protocol, given, dated=conducted.dated),
            () if cycles is None else read_cycles(cycles, self.protocol, given, people),
            conducted.dated,
        )

    def _patients(self, sheet: Sheet, given: Map) -> Conducted:
        self._ignored = ignored(sheet)
        patients, dated = read_patients(sheet, self.protocol, given)
        return Conducted(patients, dated=dated)

    def _sheet(self, table: MappedTable, kind: TableKind) -> Sheet | None:
        """The table that a map names, laid behind what has been read; its file must lie in the folder of the map."""
        path = Path(self.path).parent / table.file
        if not _is_beside(path):
            raise trouble("DL901", f"{path} leads outside the folder of the map.", path=str(path))
        source = Source(str(path), read_text(str(path), TABLE))
        base = Source(self._source.path, self._source.text, tuple(self._used)).end
        self._used.append(source)
        return read_sheet(source, base, kind, table.named, self.report)


def _is_beside(path: Path) -> bool:
    """Whether a file lies in the folder in which it is named, wherever links lead."""
    try:
        return path.resolve().parent == path.parent.resolve()
    except (OSError, RuntimeError, ValueError):  # a link that leads back to itself, a name that no file can have
        return False


def _told(report: Report) -> tuple[tuple[Diagnostic, ...], int]:
    """The faults in their order, of many the first and how many more there are; and their number."""
    found = report.sorted()
    left = len(found) - MOST_FAULTS
    if left <= 0:
        return found, len(found)
    message = f"And {left:,} more {'faults are' if left > 1 else 'fault is'} not told."
    rest = Diagnostic("DL704", message, found[MOST_FAULTS].span, help="Correct the first ones, then read it again.")
    return (*found[:MOST_FAULTS], rest), len(found)
