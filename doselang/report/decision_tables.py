"""Decision tables for people and programs: text, Markdown, CSV in long form, JSON with the keys relied on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from attrs import evolve

from doselang import __version__
from doselang.conduct.looks import WAIT
from doselang.conduct.tables import Cell, DecisionTable, Held
from doselang.protocol.classes import tabled
from doselang.protocol.guards import CohortComplete, Guard, Not, Range, Rate, Share, Tally
from doselang.protocol.model import Protocol
from doselang.protocol.words import guard_words, toxicity_name, toxicity_words
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table

MEANINGS = {
    "escalate": "the next cohort is at a higher level",
    "stay": "the next cohort is at this level",
    "de-escalate": "the next cohort is at a lower level",
    "eliminate": "this level is closed as too toxic, and the trial goes on at, or has its result at, another level",
    "mtd": "this level is declared",
    "mtd lower": "a lower level is declared",
    "mtd higher": "a higher level is declared",
    "stop": "the trial ends, and this look declares no level",
    "undecided": "no rule says, or rules disagree, or what they say cannot be done",
    WAIT: "the cohort is not complete, and goes on",
}


# ---- words ----


def when_words(protocol: Protocol, table: DecisionTable, *, many_parts: bool) -> str:
    """The condition of a table in words: `any level`, `expansion: any level`, `a higher level remains and …`."""
    words = " and ".join(_held(protocol, held) for held in table.when) or "any level"
    counting = ", counting the patients of this part alone" if table.in_part else ""
    return f"{f'{protocol.parts[table.part].name}: ' if many_parts else ''}{words}{counting}"


def _held(protocol: Protocol, held: Held) -> str:
    match held.condition.guard:
        case "first cohort":
            return "the first cohort at the level" if held.holds else "a cohort added at the level"
        case CohortComplete():
            return f"the cohort is {'' if held.holds else 'not '}complete"
        case guard if held.holds:
            return guard_words(protocol, guard)
        case guard:
            contrary = _contrary(guard) if held.contrary else None
            return guard_words(protocol, Not(guard) if contrary is None else contrary)


def _contrary(guard: Guard) -> Guard | None:
    """The condition that holds wherever a condition about numbers is false, None where that is not one condition."""
    match guard:
        case Tally(count) | Share(count):
            if count.high is None:
                return evolve(guard, count=Range(0, count.low - 1))
            return evolve(guard, count=Range(count.high + 1, None)) if count.low == 0 else None
        case Rate(_, low, True, high, included) if low == 0:
            return evolve(guard, low=high, low_included=not included, high=Fraction(1), high_included=True)
        case Rate(_, low, included, high, True) if high == 1:
            return evolve(guard, low=Fraction(0), low_included=True, high=low, high_included=not included)
        case _:
            return None


def cell_words(cell: Cell) -> str:
    """`escalate`; `escalate or stay` where looks differ; `escalate / stay, as people choose`.

    Where a model tells them apart all that can come is listed once, whether people choose among it or not.
    """
    levels = {word for words in cell.decisions for word in words}
    if len(levels) > 1 and all(word.startswith("mtd") for word in levels):
        return "mtd (this level or another)"
    if cell.models:
        return " or ".join([word for word in MEANINGS if word in levels] + sorted(levels - MEANINGS.keys()))
    return " or ".join(dict.fromkeys(_way(words) for words in cell.decisions))


def _way(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{' / '.join(words)}, as people choose"


def _titled(protocol: Protocol, tables: Sequence[DecisionTable]) -> list[tuple[str, DecisionTable]]:
    many = len({table.part for table in tables}) > 1
    return [(when_words(protocol, table, many_parts=many), table) for table in tables]


# ---- for people ----


def render_tables(protocol: Protocol, tables: Sequence[DecisionTable]) -> str:
    """Every table under its condition, with the rules behind its cells; at last what the words mean."""
    blocks = []
    for when, table in _titled(protocol, tables):
        grid, notes = _grid(protocol, table)
        lines = [f"  {printable(note)}\n" for note in notes]
        blocks.append(f"{printable(_capital(when))}\n\n{text_table(grid, indent=2)}\n{''.join(lines)}")
    meanings = [f"  {word:<11}  {meaning}\n" for word, meaning in _meanings(protocol, tables)]
    heading = f"Patients at the level across, {_toxicities(protocol)} among them down"
    notes = [f"{note}\n" for note in (by_model(protocol, tables), unsettled(tables)) if note]
    return "\n".join([f"{heading}\n", *blocks, "".join(meanings), *notes])


def render_markdown_tables(protocol: Protocol, tables: Sequence[DecisionTable]) -> str:
    """The same as a section a table."""
    blocks = [f"Patients at the level across, {_toxicities(protocol)} among them down.\n"]
    for when, table in _titled(protocol, tables):
        grid, notes = _grid(protocol, table)
        lines = "".join(f"- {printable(note)}\n" for note in notes)
        blocks.append(f"## {printable(_capital(when))}\n\n{markdown_table(grid)}\n{lines}")
    meanings = "".join(f"- {word}: {meaning}\n" for word, meaning in _meanings(protocol, tables))
    notes = [f"{note}\n" for note in (by_model(protocol, tables), unsettled(tables)) if note]
    return "\n".join([*blocks, meanings, *notes])


def _capital(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def _toxicities(protocol: Protocol) -> str:
    return toxicity_words(protocol, tabled(protocol), 2)


def _grid(protocol: Protocol, table: DecisionTable) -> tuple[Table, list[str]]:
    """Patients across, toxicities down; each cell with the numbers of its rules, and what the numbers stand for."""
    acting = sorted({rule for cell in table.cells.values() for rule in cell.rules})
    numbers = {rule: place for place, rule in enumerate(acting, 1)}
    sizes = table.sizes
    rows = [
        [str(dlt), *(_marked(table.cells.get((n, dlt)), numbers) for n in sizes)]
        for dlt in sorted({dlt for _, dlt in table.cells})
    ]
    columns = (Column(_toxicities(protocol), "right"), *(Column(str(n)) for n in sizes))
    names = protocol.parts[table.part].rules
    return Table(columns, rows), [f'[{number}] "{names[rule].name}"' for rule, number in numbers.items()]


def _marked(cell: Cell | None, numbers: dict[int, int]) -> str:
    if cell is None:
        return ""
    marks = ",".join(str(numbers[rule]) for rule in cell.rules)
    return f"{cell_words(cell)} [{marks}]" if marks else cell_words(cell)


def _named(protocol: Protocol, table: DecisionTable, cell: Cell) -> str:
    """The names of the rules behind a cell, for programs."""
    return "; ".join(protocol.parts[table.part].rules[rule].name for rule in cell.rules)


def _meanings(protocol: Protocol, tables: Sequence[DecisionTable]) -> list[tuple[str, str]]:
    """The words that stand in some cell, and what they mean; those that begin a part say so themselves."""
    used = {
        word for table in tables for cell in table.cells.values() for words in cell.decisions for word in words
    }  # fmt: skip
    result = protocol.verdicts[protocol.result].name
    return [
        (word, f"{meaning} as the {result}" if word.startswith("mtd") else meaning)
        for word, meaning in MEANINGS.items()
        if word in used
    ]


# ---- for programs ----


def render_csv_tables(protocol: Protocol, tables: Sequence[DecisionTable]) -> str:
    """One row a cell."""
    columns = ("table", "part", "when", "evaluable", toxicity_name(protocol, tabled(protocol)), "decision", "rules")
    rows = [
        (
            str(number),
            protocol.parts[table.part].name,
            when,
            str(n),
            str(dlt),
            cell_words(cell),
            _named(protocol, table, cell),
        )
        for number, (when, table) in enumerate(_titled(protocol, tables), 1)
        for (n, dlt), cell in table.cells.items()
    ]
    return csv_table(Table(tuple(Column(heading) for heading in columns), rows))


def tables_record(protocol: Protocol, tables: Sequence[DecisionTable], path: str) -> dict[str, object]:
    """The tables as a JSON object: lists by number of toxicities, null where no trial comes to."""
    return {
        "version": __version__,
        "path": path,
        "toxicity": toxicity_name(protocol, tabled(protocol)),
        "tables": [_table_record(protocol, when, table) for when, table in _titled(protocol, tables)],
    }


def _table_record(protocol: Protocol, when: str, table: DecisionTable) -> dict[str, object]:
    decisions: dict[str, list[str | None]] = {}
    rules: dict[str, list[str | None]] = {}
    for n in table.sizes:
        cells = [table.cells.get((n, dlt)) for dlt in range(n + 1)]
        decisions[str(n)] = [None if cell is None else cell_words(cell) for cell in cells]
        rules[str(n)] = [None if cell is None else _named(protocol, table, cell) for cell in cells]
    return {
        "when": when,
        "part": protocol.parts[table.part].name,
        "counts": "part" if table.in_part else "trial",
        "n": table.sizes,
        "decisions": decisions,
        "rules": rules,
    }


def by_model(protocol: Protocol, tables: Sequence[DecisionTable]) -> str | None:
    """What is said where a model tells the decisions of cells apart; None where there is none."""
    asked = {model for table in tables for cell in table.cells.values() for model in cell.models}
    if not asked:
        return None
    names = " and ".join(f"`{protocol.advisers[model].name}`" for model in sorted(asked))
    goes = "goes" if len(asked) == 1 else "go"
    return (
        f"Where a cell has several decisions, {names} {goes} by the patients of all levels, which a table of one\n"
        "level does not hold. `doselang explain FILE HISTORY` says what is decided after a history, and why;\n"
        "`doselang paths FILE` after every outcome of the next cohorts."
    )


def unsettled(tables: Sequence[DecisionTable]) -> str | None:
    """A sentence about cells that have several decisions, none of them by a model; None where there are none."""
    cells_of_rules = [cell for table in tables for cell in table.cells.values() if not cell.models]
    many = sum(len({_way(words) for words in cell.decisions}) > 1 for cell in cells_of_rules)
    if not many:
        return None
    cells = "One cell has" if many == 1 else f"{many} cells have"
    return f"{cells} several decisions: the rules read more than any condition of these tables says."
