"""Intermediate forms in print: the syntax tree, the protocol, the machine's situations, its graph."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import attrs
import numpy as np

from doselang.check.causes import kinds_of
from doselang.machine.decisions import GoesOn
from doselang.machine.exits import Exit, Row
from doselang.machine.exploring import Exploration
from doselang.machine.moves import moves_of
from doselang.machine.notation import history_of, letters_of, write_history
from doselang.machine.records import FIRST_SIZE, Arrival
from doselang.protocol.words import level_words, moves_words
from doselang.report.table import Column, Table, text_table
from doselang.source import Span


def tree(value: object, *, indent: int = 0, name: str = "") -> str:
    """Records as they are nested: a line each, fields below their record; without empty fields and spans."""
    return "\n".join(_tree(value, indent, name)) + "\n"


def _tree(value: object, indent: int, name: str) -> Iterator[str]:
    lead = " " * indent + (f"{name}: " if name else "")
    made: Any = type(value)
    if attrs.has(made):
        yield f"{lead}{type(value).__name__}"
        for field in attrs.fields(made):
            inner = getattr(value, field.name)
            if not isinstance(inner, Span) and inner not in (None, (), {}, False):
                yield from _tree(inner, indent + 2, field.name.lstrip("_"))
    elif isinstance(value, tuple | list):
        yield f"{lead}{len(value)} of"
        for inner in value:
            yield from _tree(inner, indent + 2, "")
    elif isinstance(value, dict):
        yield f"{lead.rstrip()}"
        for key, inner in value.items():
            yield from _tree(inner, indent + 2, str(key))
    elif isinstance(value, Fraction):
        yield f"{lead}{value}"
    else:
        yield f"{lead}{value!r}" if isinstance(value, str) else f"{lead}{value}"


ROLLING: dict[type, str] = {Arrival: "a patient enters"}
"""What a step of a rolling part without an outcome is; any other is the look at an arrival."""

# ---- the machine ----


def situations_table(found: Exploration) -> str:
    """The local situations: a row for every way each can end, with the decision and the rules that give it.

    The first column is a shortest history to the situation; a dash stands for the beginning of the trial.
    """
    protocol = found.machine.protocol
    rows = []
    for number, row in enumerate(found.situations.rows):
        if all(isinstance(e.outcome[0].decision.answers.next, GoesOn) for e in row.exits):
            continue  # patients beside a cohort, after whom nothing is decided
        state = found.first_state[number]
        bucket, position = found.state(state)
        level = int(found.frames.level[bucket.frames[position]])
        before = write_history(history_of(found, state), protocol) or "-"
        part = protocol.parts[row.part]
        for e in row.exits:
            tried = set(np.flatnonzero(found.machine.records.column(FIRST_SIZE)[bucket.codes[position]]).tolist())
            for words, rules in _decided(found, row.part, level, e, tried):
                rows.append((str(number + 1), before, part.name, _outcome(found, e, row), words, rules))
    headings = ("situation", "after", "part", "cohort", "decision", "rules")
    return text_table(Table(tuple(Column(heading) for heading in headings), rows))


def _outcome(found: Exploration, leaving: Exit, row: Row) -> str:
    letters = letters_of(found.machine.protocol)
    known = "".join(letters[c] * n for c, n in enumerate(leaving.counts))
    if not found.machine.protocol.parts[row.part].rolling:
        return f"{known} of {row.size}"
    return ROLLING.get(type(leaving.change), "a patient arrives") if not known else f"{known} of those pending"


def _decided(found: Exploration, part: int, level: int, leaving: Exit, tried: set[int]) -> Iterator[tuple[str, str]]:
    protocol, lines = found.machine.protocol, found.machine.parts[part].lines
    for branch in leaving.outcome:
        decision = branch.decision
        words = moves_words(protocol, moves_of(decision.answers, level, protocol.parts), tried)
        if decision.undecided is not None:
            words = f"{words}, {decision.undecided.why}" if words else decision.undecided.why
        names = dict.fromkeys(protocol.parts[part].rules[lines[i].rule].name for i in decision.lines)
        yield words, ", ".join(names)


# ---- the graph ----


def graph(found: Exploration, form: str) -> str:
    """The machine collapsed to cohorts of a kind at a level, and the decisions between them, as Mermaid or DOT."""
    names, edges = _collapsed(found)
    if form == "dot":
        nodes = "".join(f'  {key} [label="{_escaped(label)}"];\n' for label, key in names.items())
        arrows = "".join(
            f'  {a} -> {b} [label="{_escaped(", ".join(sorted(words)))}"];\n' for (a, b), words in edges.items()
        )
        return f"digraph trial {{\n  node [shape=box];\n{nodes}{arrows}}}\n"
    nodes = "".join(f'  {key}["{_escaped(label)}"]\n' for label, key in names.items())
    arrows = "".join(f'  {a} -->|"{_escaped(", ".join(sorted(words)))}"| {b}\n' for (a, b), words in edges.items())
    return f"flowchart TD\n{nodes}{arrows}"


def _escaped(text: str) -> str:
    return text.replace('"', "'")


def _collapsed(found: Exploration) -> tuple[dict[str, str], dict[tuple[str, str], set[str]]]:
    """The nodes by label, with a key each, and between two the numbers of DLTs that lead from one to the other."""
    names: dict[str, str] = {}
    edges: dict[tuple[str, str], set[str]] = {}
    toxicity = found.machine.protocol.toxicities[0].name
    for bucket in found.buckets:
        for state in range(len(bucket)):
            leads_to = names.setdefault(_label(found, bucket.start + state), f"n{len(names) + 1}")
            end = bucket.steps[state + 1] if state + 1 < len(bucket) else len(bucket.came_from)
            for step in range(bucket.steps[state], end):
                if bucket.came_from[step] < 0:
                    continue
                source = names[_label(found, int(bucket.came_from[step]))]
                digits = found.situations.letters[bucket.came_by[step]]
                change = found.machine.records.kinds()[found.situations.change[bucket.came_by[step]]]
                words = f"{digits.count('1') or 'no'} {toxicity} in {len(digits)}"
                words = words if digits else ROLLING.get(type(change), "a patient arrives")
                edges.setdefault((source, leads_to), set()).add(words)
    return names, edges


def _label(found: Exploration, number: int) -> str:
    """A cohort: part, level, kind. An end: its verdict, or that the rules leave it open."""
    protocol = found.machine.protocol
    bucket, state = found.state(number)
    frame = found.frames.frames[bucket.frames[state]]
    if frame.end >= 0:
        if found.frames.branches[frame.end].decision.undecided is not None:
            return "undecided"
        verdict, name = frame.verdicts[protocol.result], protocol.verdicts[protocol.result].name
        return f"{name}: {level_words(protocol, verdict)}" if verdict >= 0 else f"no {name}"
    if len(frame.orders) > 1:
        return f"backfill at {level_words(protocol, frame.orders[-1].level)}"
    kind = kinds_of(found, bucket, np.array([state], np.int32))[0]
    words = {"first": "first cohort", "reopened": "reopened", "added": "more patients"}[kind.kind]
    after = "" if kind.toxicities is None else f" after {kind.toxicities or 'no'} {protocol.toxicities[0].name}"
    if frame.part:
        return f"{protocol.parts[frame.part].name}, {level_words(protocol, frame.here)}"
    return f"{level_words(protocol, frame.here)}, {words}{after if kind.kind == 'added' else ''}"
