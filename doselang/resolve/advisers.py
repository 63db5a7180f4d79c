"""Advisers: decision tables, written or read from a file, and the methods that make one."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from io import StringIO

from doselang.designs.arguments import Argument
from doselang.diagnostics import Label
from doselang.protocol import model
from doselang.resolve.amounts import any_parameter, value_of, whole
from doselang.resolve.glossary import Advice, Glossary
from doselang.resolve.names import fold, listing, nearest, place_of_word, shorten
from doselang.resolve.sources import Sources
from doselang.syntax import nodes as syntax
from doselang.syntax.sums import group_name

MOST_ADVISERS = 20
MOST_IN_TABLE = 200
"""A decision table has at most so many patients."""

LARGEST_INCREASE = "increase-at-most"
"""An argument that reads doses, of methods that can do without them."""

HEADINGS = ("n", "toxicities", "decision")


def declare_advisers(glossary: Glossary, advisers: Sequence[syntax.Table | syntax.Engine]) -> None:
    """Enter the names of the advisers, and what each can say, so that rules can speak of them."""
    for adviser in advisers:
        if not glossary.advisers.declare(adviser.name.text, adviser.name.span, glossary.report):
            continue
        match adviser:
            case syntax.Table():
                words = tuple(_said(glossary, adviser))
                glossary.advice.append(Advice(adviser.name.text, words, in_part=adviser.in_part))
            case syntax.Engine():
                glossary.advice.append(_method_advice(adviser))


def _said(glossary: Glossary, table: syntax.Table) -> list[str]:
    """The words that a table says, each as it is first written: letter case makes no difference."""
    if table.source is not None:
        words = [decision for _, _, decision in _rows_of_file(glossary, table, quiet=True)]
    else:
        words = [row.advice.word for row in table.rows]
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(fold(word), word)
    return list(first.values())


def _method_advice(engine: syntax.Engine) -> Advice:
    from doselang.designs.methods import METHODS  # what methods need is loaded when there is one

    method = METHODS.get(fold(engine.method.text))
    if method is None:
        return Advice(engine.name.text, known=False)
    words = {"too-toxic": ("eliminate",)}.get(method.name, ("escalate", "stay", "de-escalate"))
    recommends = method.gives == "level"
    return Advice(engine.name.text, () if recommends else words, recommends, recommends and method.name != "isotonic")


def bind_advisers(
    glossary: Glossary, sources: Sources, advisers: Sequence[syntax.Table | syntax.Engine], levels: int
) -> tuple[model.Adviser, ...]:
    """The advisers; `levels` is how many levels the first ladder has. What is wrong is reported and left out."""
    bound: list[model.Adviser] = []
    seen: set[str] = set()
    for adviser in advisers:
        if fold(adviser.name.text) in seen:
            continue
        seen.add(fold(adviser.name.text))
        words = glossary.advice[len(seen) - 1].words
        match adviser:
            case syntax.Table():
                bound.append(_table(glossary, sources, adviser, words))
            case syntax.Engine():
                bound.append(_engine(glossary, sources, adviser, words, levels))
    if len(seen) > MOST_ADVISERS:
        message = f"The file has {len(seen)} advisers; at most {MOST_ADVISERS} are read."
        glossary.report.add("DL704", message, advisers[-1].name.span)
    return tuple(bound)


# ---- tables ----


def _table(glossary: Glossary, sources: Sources, table: syntax.Table, words: tuple[str, ...]) -> model.Table:
    if table.source is not None:
        cells = _cells_of_file(_rows_of_file(glossary, table), words)
    else:
        cells = _cells(glossary, table, words)
    counted = _counted(glossary, table)
    return model.Table(table.name.text, words, cells, sources.of(table), counted, table.in_part, span=table.span)


def _counted(glossary: Glossary, table: syntax.Table) -> tuple[int, ...]:
    """The toxicities that a table counts, added up: those that all its rows name."""
    names = [row.toxicity for row in table.rows if row.toxicity is not None]
    counted = [(name, classes) for name in names if (classes := glossary.classes(name)) is not None]
    for name, classes in counted:
        first, whole = counted[0]
        if classes != whole:
            both = () if set(classes) & set(whole) else (first.text, name.text)
            named = f" To count both, declare: toxicity {group_name(both)} is {' or '.join(both)}" if both else ""
            glossary.report.add(
                "DL211", f"A decision table counts one toxicity: here `{name.text}`, and above `{first.text}`.",
                name.span, labels=[Label(first.span, "counted in the rows above")],
                help=f"Write the same name in each row.{named}",
            )  # fmt: skip
            break
    return counted[0][1] if counted else (0,)


def _cells(glossary: Glossary, table: syntax.Table, words: tuple[str, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    columns = [whole(glossary, n, "a number of patients in a table", 1, MOST_IN_TABLE) for n in table.columns]
    numbers = [n for n in columns if n is not None]
    if len(numbers) < len(columns):
        return ()
    if numbers != sorted(set(numbers)):
        glossary.report.add(
            "DL206", "The numbers of patients of a table rise from column to column.", table.columns[0].span,
            help="Write for example: by evaluable 3, 6, 9",
        )  # fmt: skip
        return ()
    tests = [_row_test(glossary, table, row) for row in table.rows]
    said = [place_of_word(words, row.advice.word) for row in table.rows]
    cells = []
    for c, n in enumerate(numbers):
        column = []
        for toxic in range(n + 1):
            hit = next(
                (word for test, word in zip(tests, said, strict=True) if test is not None and test(c, toxic)), -1
            )
            column.append(hit)
        cells.append((n, tuple(column)))
    return tuple(cells)


def _row_test(glossary: Glossary, table: syntax.Table, row: syntax.Row) -> Callable[[int, int], bool] | None:
    """Whether a row applies to a column and a number of toxicities; None if it is wrong, which is reported."""
    if row.toxicity is None:
        return lambda column, toxic: True
    if len(row.entries) != len(table.columns):
        glossary.report.add(
            "DL206", f"This row has {len(row.entries)} numbers, and the table has {len(table.columns)} columns.",
            row.span, help="Write one number for each column, and `none` where no number of toxicities is enough.",
        )  # fmt: skip
        return None
    most = MOST_IN_TABLE
    entries = [None if e is None else whole(glossary, e, "a number of toxicities", 0, most) for e in row.entries]
    bound = row.bound

    def test(column: int, toxic: int) -> bool:
        entry = entries[column]
        if entry is None:
            return False
        return toxic >= entry if bound == "at least" else toxic <= entry if bound == "at most" else toxic == entry

    return test


FileRow = tuple[int, int, str]


def _rows_of_file(glossary: Glossary, table: syntax.Table, quiet: bool = False) -> list[FileRow]:
    """The rows (patients, toxicities, decision) of the file that holds a table; what is wrong is reported once."""
    assert table.source is not None
    text = glossary.files.get(table.source.value)
    if text is None:
        return []  # why it could not be read has been said
    source = table.source

    def wrong(message: str) -> list[FileRow]:
        if not quiet:
            help = 'The file has the columns `n`, `toxicities` and `decision`, one row a decision: "3,0,escalate".'
            glossary.report.add("DL222", f"“{shorten(source.value, 60)}”: {message}", source.span, help=help)
        return []

    try:
        first = text.partition("\n")[0]
        rows = list(csv.reader(StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","))
    except csv.Error as error:
        return wrong(f"it cannot be read as a table ({error}).")
    rows = [[cell.strip() for cell in row] for row in rows]
    headings = [fold(cell) for cell in rows[0]] if rows else []
    if sorted(headings) != sorted(HEADINGS):
        return wrong(f"its first row must name the columns {listing(list(HEADINGS))}.")
    at = [headings.index(name) for name in HEADINGS]
    found: dict[tuple[int, int], str] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) != len(headings):
            return wrong(f"row {number} has {len(row)} cells, not {len(headings)}.")
        patients, toxic, decision = (row[place] for place in at)
        if not (patients.isascii() and patients.isdigit() and toxic.isascii() and toxic.isdigit()):
            return wrong(
                f"row {number}: numbers of patients are whole numbers, not `{shorten(patients + ',' + toxic, 30)}`."
            )
        if len(patients) > 4 or not 1 <= int(patients) <= MOST_IN_TABLE or len(toxic) > 4 or int(toxic) > int(patients):
            said = f"row {number}: {shorten(toxic, 6)} toxicities among {shorten(patients, 6)} patients."
            return wrong(f"{said} A row is of 1 to {MOST_IN_TABLE} patients, and of at most as many toxicities.")
        if not decision:
            return wrong(f"row {number} has no decision.")
        if fold(found.setdefault((int(patients), int(toxic)), decision)) != fold(decision):
            return wrong(f"row {number} decides {toxic} of {patients} otherwise than a row before it.")
    if not found:
        return wrong("it has no row below the headings.")
    return [(n, t, word) for (n, t), word in sorted(found.items())]


def _cells_of_file(rows: list[FileRow], words: tuple[str, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    said = {(n, t): place_of_word(words, word) for n, t, word in rows}
    return tuple((n, tuple(said.get((n, t), -1) for t in range(n + 1))) for n in sorted({n for n, _, _ in rows}))


# ---- methods ----


def _engine(
    glossary: Glossary, sources: Sources, engine: syntax.Engine, words: tuple[str, ...], levels: int
) -> model.Engine:
    from doselang.designs.methods import METHODS, MethodError, build

    name = fold(engine.method.text)
    cites = sources.of(engine)
    method = METHODS.get(name)
    if method is None:
        near = nearest(name, list(METHODS))
        help = f"Did you mean `{near}`?" if near else f"The methods are {listing(sorted(METHODS))}."
        message = f"There is no method `{shorten(engine.method.text, 40)}`."
        glossary.report.add("DL203", message, engine.method.span, help=help)
        return model.Engine(engine.name.text, name, (), words, cites, span=engine.span)
    kinds = {argument.name: argument.kind for argument in method.arguments}
    told: dict[str, model.Value] = {}
    for argument in engine.arguments:
        key = fold(argument.name.text)
        if not key:
            message = "A number stands before the name of what it is."
            glossary.report.add(
                "DL206", message, argument.span, help=f"Write for example: with {method.arguments[0].name} …"
            )
            continue
        if key in told:
            glossary.report.add("DL202", f"`{argument.name.text}` is given twice.", argument.span)
        value = _value(glossary, argument, kinds.get(key, "number"))
        if value is not None:
            told[key] = value
    told = _doses_of_ladder(glossary, told, method.arguments)
    if not glossary.report.has_errors or len(told) == len(engine.arguments):
        try:
            build(name, told, max(levels, 1))
        except MethodError as error:
            at = next((a.span for a in engine.arguments if fold(a.name.text) == error.argument), engine.method.span)
            said = error.message.rstrip(".")
            said = f"`{name}`{said[len(name) :]}" if said.startswith(f"{name} ") else f"{said[:1].upper()}{said[1:]}"
            message = said if said.endswith("?") else f"{said}."
            glossary.report.add("DL221", message, at, help=_told_help(method.arguments))
    return model.Engine(engine.name.text, name, tuple(sorted(told.items())), words, cites, span=engine.span)


def _told_help(arguments: Sequence[object]) -> str:
    names = [str(getattr(argument, "name", "")) for argument in arguments]
    return f"It can be told {listing(names)}."


def _value(glossary: Glossary, argument: syntax.Argument, kind: str) -> model.Value | None:
    """What an argument comes to: a flag without values, a word, a number, or several."""
    if not argument.values:
        return True
    numbers: list[Fraction] = []
    for value in argument.values:
        match value:
            case syntax.Percent(syntax.Number(increase)) if kind == "increase":
                numbers.append(increase / 100)
            case syntax.Number(text=text) if kind == "increase":
                _no_increase(glossary, argument, value, text)
                return None
            case syntax.Name(text):
                if kind == "choice":
                    return fold(text)
                use = syntax.Parameter(value, span=value.span)
                found = any_parameter(glossary, use)
                if found is None:
                    return None
                if kind == "increase" and not found.percent:
                    _no_increase(glossary, argument, value, "100")
                    return None
                numbers += found.numbers
            case syntax.Label(text):
                number = re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", text)
                numbers.append(Fraction(text) if number else Fraction(0))
                if not number:
                    glossary.report.add("DL206", f"`{text}` is not a number.", value.span)
            case _:
                got = value_of(glossary, value)
                if got is None:
                    return None
                numbers += got if isinstance(got, tuple) else (got,)
    return tuple(numbers) if kind in ("rates", "numbers") or len(numbers) > 1 else numbers[0]


def _no_increase(glossary: Glossary, argument: syntax.Argument, value: syntax.Node, number: str) -> None:
    """A number alone could be a multiple of the dose: 2 would be 100 % more to some, and 200 % to others."""
    help = f"Write `{argument.name.text} {number}%`; twice the dose is an increase of 100%."
    glossary.report.add("DL206", "An increase is written as a percentage.", value.span, help=help)


def _doses_of_ladder(
    glossary: Glossary, told: dict[str, model.Value], known: Sequence[Argument]
) -> dict[str, model.Value]:
    """A method that needs the doses, and is not told them, takes those of the first component of the ladder."""
    needs = any(argument.name == "doses" and argument.default is None for argument in known) or LARGEST_INCREASE in told
    if needs and "doses" not in told and glossary.doses:
        return {**told, "doses": glossary.doses}
    return told
