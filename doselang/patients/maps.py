"""Column maps: a small file in TOML that says which tables a trial has, and what their columns and codes mean."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from attrs import define, field, frozen

from doselang.diagnostics import Report
from doselang.loading import is_plain
from doselang.patients.columns import NOTHING_NAMED, Named
from doselang.patients.days import wrong_form
from doselang.patients.sheets import Refused
from doselang.patients.words import level_words, outcome_words, part_words
from doselang.protocol.model import Protocol
from doselang.resolve.names import fold, listing, nearest, shorten
from doselang.source import NOWHERE, Source, Span

COLUMNS: dict[str, tuple[str, ...]] = {
    "patients": ("patient", "level", "part", "entered", "outcome", "dlt", "known", "evaluable"),
    "decisions": ("date", "what", "level", "verdict", "option", "by"),
    "cycles": ("patient", "cycle", "level", "events"),
}
"""The tables that a map may name, with the columns of each."""

CODES = ("levels", "outcomes", "parts")
"""The sections of `[patients]` that say what the cells of a column mean."""

DATE_FORMAT, FILE = "date-format", "file"
EXAMPLE = 'For example: [patients] on one line, and below it: file = "patients.csv"'

_HEADER = re.compile(r"\s*\[([^\[\]]*)\]")
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")
_AT = re.compile(r"\(at line ([0-9]+), column [0-9]+\)$")

Meaning = TypeVar("Meaning")


@frozen
class MappedTable:
    """A table that a map names: its file, and what its columns are called."""

    file: str
    named: Named


@frozen
class Map:
    """What a map says. `levels`, `outcomes` and `parts` are codes of cells, folded, with what they mean."""

    tables: dict[str, MappedTable]
    date_format: str | None = None
    levels: dict[str, int] = field(factory=dict)
    outcomes: dict[str, str] = field(factory=dict)
    parts: dict[str, int] = field(factory=dict)


NO_MAP = Map({"patients": MappedTable("", NOTHING_NAMED)})
"""What holds for a table of patients alone."""


def read_map(source: Source, protocol: Protocol, report: Report) -> Map | None:
    """The map that a text in TOML holds; None, with the faults in the report, where it is none."""
    try:
        written = tomllib.loads(source.text)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        found, numbered = _AT.search(what), enumerate(_lines(source.text), 1)
        span = next((span for number, (_, span) in numbered if found and number == int(found[1])), NOWHERE)
        what = _AT.sub("", what).strip()
        message = f"The map {source.path} is not TOML: {shorten(what[:1].lower() + what[1:])}."
        report.add("DL801", message, span, help=EXAMPLE)
        return None
    before = len(report)
    found_map = _Reader(source, protocol, report).read(written)
    return found_map if len(report) == before else None


@define
class _Reader:
    """Reads one map."""

    source: Source
    protocol: Protocol
    report: Report
    _places: dict[tuple[str | None, str], Span] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._places = _places_in(self.source.text)

    def read(self, written: Mapping[str, Any]) -> Map:
        self._known(written, (DATE_FORMAT, *COLUMNS), None)
        tables = {name: self._table(name, written[name]) for name in COLUMNS if name in written}
        if "patients" not in written:
            self.report.add("DL806", "The map names no table of patients.", help=EXAMPLE)
        if "cycles" in written and self.protocol.course is None:
            help = "Leave [cycles] out."
            self._refuse(None, "cycles", "names a table of cycles, and the protocol has no course of a patient", help)
        patients = written.get("patients")
        patients = patients if isinstance(patients, dict) else {}
        return Map(
            {name: table for name, table in tables.items() if table is not None},
            self._date_format(written.get(DATE_FORMAT)),
            self._codes(patients, "levels", level_words(self.protocol).read),
            self._codes(patients, "outcomes", outcome_words(self.protocol).read),
            self._codes(patients, "parts", part_words(self.protocol).read),
        )

    def _date_format(self, form: object) -> str | None:
        if form is None:
            return None
        example = 'For example: date-format = "%d%b%Y" for 01Mar2026.'
        if not isinstance(form, str):
            self._refuse(None, DATE_FORMAT, "is no text in quotation marks", example)
            return None
        refused = wrong_form(form)
        if refused is not None:
            self._refuse(None, DATE_FORMAT, f"cannot be: {refused.why}", refused.help or example)
        return form

    # ---- tables ----

    def _table(self, name: str, written: object) -> MappedTable | None:
        if not isinstance(written, dict):
            self._refuse(None, name, "is a section", f"Write [{name}], in single brackets, on a line of its own.")
            return None
        codes = CODES if name == "patients" else ()
        self._known(written, (FILE, *COLUMNS[name], *codes), name)
        headings = {key: written[key] for key in COLUMNS[name] if key in written}
        for key, heading in headings.items():
            if not isinstance(heading, str):
                help = f'Write the heading of the column: {key} = "{key}"'
                self._refuse(name, key, "is no text in quotation marks", help)
        if headings.get("dlt") and headings.get("outcome"):
            help = "Leave one out: `dlt` for a column of Y and N, `outcome` for one with other words or codes."
            self._refuse(name, "dlt", "and `outcome` both say what became of a patient", help)
        named = Named({key: (str(one).strip(), self._place(name, key)) for key, one in headings.items()})
        return MappedTable(self._file(name, written.get(FILE)), named)

    def _file(self, name: str, written: object) -> str:
        example = f'For example: file = "{name}.csv"'
        if written is None:
            self._refuse(None, name, "names no file", example)
        elif not isinstance(written, str):
            self._refuse(name, FILE, "is no text in quotation marks", example)
        elif not is_plain(written):
            help = "Put the table beside the map, and name it without a folder."
            self._refuse(name, FILE, f"is `{shorten(written, 40)}`, which is not a file beside the map", help)
        return str(written)

    # ---- codes ----

    def _codes(
        self, patients: Mapping[str, Any], name: str, read: Callable[[str], Meaning | Refused]
    ) -> dict[str, Meaning]:
        """What the codes of a column mean, by the code as it is compared."""
        section, written = f"patients.{name}", patients.get(name, {})
        if not isinstance(written, dict):
            help = f"Write [{section}] on a line of its own, and the codes below it."
            self._refuse("patients", name, "is a section of codes", help)
            return {}
        found: dict[str, Meaning] = {}
        for code, word in written.items():
            if fold(code) in found:
                help = "Leave one out; letter case makes no difference."
                self._refuse(section, code, f"is there twice in [{section}]", help)
            elif not isinstance(word, str):
                example = str(word) if isinstance(word, int) and abs(word) < 1_000 else "…"
                help = f'Write what it means in quotation marks: "{shorten(code, 40)}" = "{example}"'
                self._refuse(section, code, "is given no text in quotation marks", help)
            else:
                meaning = read(word.strip())
                if isinstance(meaning, Refused):
                    self._refuse(section, code, f"cannot be: {meaning.why}", meaning.help)
                else:
                    found[fold(code)] = meaning
        return found

    # ---- what is wrong, and where ----

    def _known(self, written: Mapping[str, Any], keys: tuple[str, ...], section: str | None) -> None:
        """Report keys that a section does not have."""
        for key in written:
            if key not in keys:
                near = nearest(key, keys)
                where = f" in [{section}]" if section else ""
                help = f"Did you mean `{near}`?" if near else f"There are {listing(keys)}."
                message = f"The key `{shorten(key, 40)}`{where} of the map is unknown."
                self.report.add("DL806", message, self._place(section, key), help=help)

    def _refuse(self, section: str | None, key: str, what: str, help: str | None) -> None:
        self.report.add("DL806", f"`{shorten(key, 40)}` {what}.", self._place(section, key), help=help)

    def _place(self, section: str | None, key: str) -> Span:
        """The line in which a key or a section is written, as far as it is found."""
        return self._places.get((section, key), NOWHERE)


def _lines(text: str) -> Iterator[tuple[str, Span]]:
    """The lines of a text, with their places, without the white space around them."""
    start = 0
    for line in text.split("\n"):
        lead = start + len(line) - len(line.lstrip())
        yield line, Span(lead, max(start + len(line.rstrip()), lead))
        start += len(line) + 1


def _places_in(text: str) -> dict[tuple[str | None, str], Span]:
    """The first line of each key, by its section and its name, and of each section, as a key of none."""
    places: dict[tuple[str | None, str], Span] = {}
    here: str | None = None
    for line, span in _lines(text):
        header, assigned = _HEADER.match(line), _KEY.match(line)
        if header:
            here = ".".join(part.strip() for part in header[1].split("."))
            places.setdefault((None, here), span)
        elif assigned:
            places.setdefault((here, next(name for name in assigned.groups() if name is not None)), span)
    return places
