"""Pathways for people and programs: a table with a row a pathway, a tree, CSV, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum

from doselang import __version__
from doselang.conduct.pathways import CohortSeen, Pathway, Pathways
from doselang.conduct.phrases import answer_words, options_words
from doselang.machine.notation import write_history
from doselang.plurals import plural
from doselang.protocol.words import level_words
from doselang.report.characteristics import percent
from doselang.report.phrases import counted
from doselang.report.printable import printable
from doselang.report.table import Column, Table, csv_table, markdown_table, text_table

# ---- words ----


def _cohort(found: Pathways, one: CohortSeen) -> str:
    """`level 1: 0/3`; `level 1: 1 DLT, 2 MT of 3`; `expansion, level 1: 2/10`, and what people chose."""
    protocol, known = found.protocol, sum(one.counts)
    part = f"{protocol.parts[one.part].name}, " if one.part else ""
    toxic = f"{one.counts[1]}/{known}"
    if len(protocol.toxicities) > 1:
        named = zip(one.counts[1:], protocol.toxicities, strict=True)
        toxic = f"{', '.join(f'{n} {toxicity.name}' for n, toxicity in named)} of {known}"
    chosen = options_words(one.answer)
    return f"{part}{level_words(protocol, one.level)}: {toxic}{f' {chosen}' if chosen else ''}"


def _then(found: Pathways, one: CohortSeen) -> str:
    return answer_words(found.protocol, one.answer, one.tried)


def paths_heading(found: Pathways) -> str:
    """How many cohorts after which history, and what a cell holds."""
    after = f"after {write_history(found.after, found.protocol)}" if found.after else "from the beginning"
    toxicity = found.protocol.toxicities[0].name
    cells = f"each cell the level, and {plural(toxicity)} among the patients known at the look"
    if len(found.protocol.toxicities) > 1:
        cells = "each cell the level, and the toxicities among the patients known at the look"
    alone = any(part.rolling for part in found.protocol.parts)
    known = "; each patient a cohort, known before the next comes" if alone else ""
    return f"{counted(found.cohorts, 'cohort')} {after}: {cells}{known}"


def paths_summary(found: Pathways) -> str:
    """How many pathways there are, and what their probabilities add up to."""
    words = f"{len(found.paths):,} pathway{'' if len(found.paths) == 1 else 's'}"
    if found.scenario is None:
        return words
    total = fsum(path.probability or 0.0 for path in found.paths)
    return f"{words}; under {found.scenario.name} their probabilities add up to {percent(total)}"


# ---- for people ----


def render_paths(found: Pathways) -> str:
    """A row a pathway: its cohorts, what is decided at the end, its probability."""
    heading, summary = printable(paths_heading(found)), printable(paths_summary(found))
    return f"{heading}\n\n{text_table(paths_table(found), indent=2)}\n  {summary}\n"


def render_markdown_paths(found: Pathways) -> str:
    """The same in Markdown."""
    heading, summary = printable(paths_heading(found)), printable(paths_summary(found))
    return f"{heading}.\n\n{markdown_table(paths_table(found))}\n{summary}.\n"


def _most(found: Pathways) -> int:
    return max(len(path.cohorts) for path in found.paths)


def paths_table(found: Pathways) -> Table:
    """A row a pathway: its cohorts, and what is decided at the end."""
    columns = [*map(Column, _headings(found)), Column("then")]
    if found.scenario is not None:
        columns.insert(0, Column("probability", "right"))
    rows = []
    for path in found.paths:
        cells = [_cohort(found, one) for one in path.cohorts]
        row = [*cells, *[""] * (_most(found) - len(cells)), _then(found, path.cohorts[-1])]
        rows.append(row if path.probability is None else [percent(path.probability), *row])
    return Table(tuple(columns), rows)


def _headings(found: Pathways) -> Iterator[str]:
    """`cohort 1`, `backfill`, `cohort 2`: patients beside a cohort, who come to no look, are not one of their own."""
    number = 0
    for place in range(_most(found)):
        looks = {path.cohorts[place].word != "" for path in found.paths if len(path.cohorts) > place}
        number += True in looks
        words = [f"cohort {number}"] * (True in looks) + ["backfill"] * (False in looks)
        yield ", ".join(words)


def render_tree(found: Pathways) -> str:
    """A line a cohort, indented below the one before, with what is decided after it."""
    lines = [paths_heading(found), "", *_tree(found), "", f"  {paths_summary(found)}"]
    return "".join(f"{printable(line)}".rstrip() + "\n" for line in lines)


def _tree(found: Pathways) -> Iterator[str]:
    before: tuple[CohortSeen, ...] = ()
    for path in found.paths:
        shared = 0
        while shared < min(len(before), len(path.cohorts)) and before[shared] is path.cohorts[shared]:
            shared += 1
        for depth, one in enumerate(path.cohorts[shared:], shared):
            last = depth == len(path.cohorts) - 1 and path.probability is not None
            chance = f"  {percent(path.probability or 0.0)}" if last else ""
            yield f"  {'  ' * depth}{_cohort(found, one)}  then {_then(found, one)}{chance}"
        before = path.cohorts


# ---- for programs ----


def render_csv_paths(found: Pathways) -> str:
    """One row a pathway; of every cohort part, level, patients and toxicities in columns of their own."""
    headings = ["path"]
    for number in range(1, _most(found) + 1):
        names = ("part", "level", "patients", *(toxicity.name for toxicity in found.protocol.toxicities), "chosen")
        headings += [f"cohort {number} {name}" for name in names]
    headings += ["decision", "next part", "next level", "then", "rules", "history", "probability"]
    rows = [_csv_row(found, number, path) for number, path in enumerate(found.paths, 1)]
    return csv_table(Table(tuple(Column(heading) for heading in headings), rows))


def _csv_row(found: Pathways, number: int, path: Pathway) -> list[str]:
    protocol, last = found.protocol, path.cohorts[-1]
    cells = [str(number)]
    for one in path.cohorts:
        cells += [protocol.parts[one.part].name, protocol.levels[one.level].label, str(sum(one.counts))]
        cells += [*map(str, one.counts[1:]), options_words(one.answer)]
    cells += [""] * ((_most(found) - len(path.cohorts)) * (4 + len(protocol.toxicities)))
    cells += [last.word, *(_next(found, last)[key] or "" for key in ("part", "level"))]
    cells += [_then(found, last), "; ".join(last.rules), write_history(path.history, protocol)]
    return [*cells, "" if path.probability is None else repr(path.probability)]


def _next(found: Pathways, one: CohortSeen) -> dict[str, str | None]:
    """Part and level of the cohort that follows."""
    part = None if one.part_next is None else found.protocol.parts[one.part_next].name
    return {"part": part, "level": None if one.level_next is None else found.protocol.levels[one.level_next].label}


def paths_record(found: Pathways, path: str) -> dict[str, object]:
    """The pathways as a JSON object."""
    protocol, scenario = found.protocol, found.scenario
    return {
        "version": __version__,
        "path": path,
        "after": write_history(found.after, protocol),
        "cohorts": found.cohorts,
        "scenario": None if scenario is None else scenario.name,
        "paths": [_path_record(found, one) for one in found.paths],
    }


def _path_record(found: Pathways, path: Pathway) -> dict[str, object]:
    last = path.cohorts[-1]
    return {
        "history": write_history(path.history, found.protocol),
        "cohorts": [_cohort_record(found, one) for one in path.cohorts],
        "decision": last.word,
        "next": _next(found, last) if last.level_next is not None else None,
        "then": _then(found, last),
        "rules": list(last.rules),
        "probability": path.probability,
    }


def _cohort_record(found: Pathways, one: CohortSeen) -> dict[str, object]:
    protocol = found.protocol
    toxicities = dict(zip((toxicity.name for toxicity in protocol.toxicities), one.counts[1:], strict=True))
    return {
        "part": protocol.parts[one.part].name,
        "level": protocol.levels[one.level].label,
        "patients": sum(one.counts),
        "complete": sum(one.counts) == one.size,
        "toxicities": toxicities,
        "chosen": [{"rule": choice.rule, "option": choice.option + 1} for choice in one.answer.choices],
        "decision": one.word,
        "then": _then(found, one),
        "rules": list(one.rules),
    }
