"""Intermediate forms in print: the syntax tree, the protocol, the machine's situations, its graph."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import attrs
import numpy as np

from doselang.machine.decisions import GoesOn
from doselang.machine.exits import Exit, Row
from doselang.machine.exploring import Exploration
from doselang.machine.moves import moves_of
from doselang.machine.notation import history_of, letters_of, write_history
from doselang.machine.records import FIRST_SIZE
from doselang.protocol.words import moves_words
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


# ---- the machine ----


def situations_table(found: Exploration) -> str:
    """The local situations: a row for every way each can end, with the decision and the rules that give it.

    The first column is a shortest history to the situation; a dash stands for the beginning of the trial.
    """
    protocol = found.machine.protocol
    rows = []
    for number, row in enumerate(found.situations.rows):
        decided = [e for e in row.exits if e.change is None]  # in a rolling part the look at an arrival
        if all(isinstance(e.outcome[0].decision.answers.next, GoesOn) for e in decided):
            continue  # patients beside a cohort, after whom nothing is decided
        state = found.first_state[number]
        bucket, position = found.state(state)
        level = int(found.frames.level[bucket.frames[position]])
        before = write_history(history_of(found, state), protocol) or "-"
        part = protocol.parts[row.part]
        for e in decided:
            tried = set(np.flatnonzero(found.machine.records.column(FIRST_SIZE)[bucket.codes[position]]).tolist())
            for words, rules in _decided(found, row.part, level, e, tried):
                rows.append((str(number + 1), before, part.name, _outcome(found, e, row), words, rules))
    headings = ("situation", "after", "part", "cohort", "decision", "rules")
    return text_table(Table(tuple(Column(heading) for heading in headings), rows))


def _outcome(found: Exploration, leaving: Exit, row: Row) -> str:
    if found.machine.protocol.parts[row.part].rolling:
        return "a patient arrives"
    letters = letters_of(found.machine.protocol)
    known = "".join(letters[c] * n for c, n in enumerate(leaving.counts))
    return f"{known} of {row.size}"


def _decided(found: Exploration, part: int, level: int, leaving: Exit, tried: set[int]) -> Iterator[tuple[str, str]]:
    protocol, lines = found.machine.protocol, found.machine.parts[part].lines
    for branch in leaving.outcome:
        decision = branch.decision
        words = moves_words(protocol, moves_of(decision.answers, level, protocol.parts), tried)
        if decision.undecided is not None:
            words = f"{words}, {decision.undecided.why}" if words else decision.undecided.why
        names = dict.fromkeys(protocol.parts[part].rules[lines[i].rule].name for i in decision.lines)
        yield words, ", ".join(names)
