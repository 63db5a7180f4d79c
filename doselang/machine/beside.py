"""Patients who enter beside a cohort: the look of the cohort waits for all of them."""

from __future__ import annotations

from math import comb

import numpy as np

from doselang.machine.astray import MOST_COMPLETIONS, too_many
from doselang.machine.cohorts import after_outcomes
from doselang.machine.compiling import Machine
from doselang.machine.followed import Beside
from doselang.machine.looking import decide
from doselang.machine.notation import Group
from doselang.machine.outcomes import Counts
from doselang.machine.records import Ints
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.states import Frames
from doselang.protocol.classes import added


def turned_out(machine: Machine, codes: Ints, part: int, level: int, ways: list[Counts]) -> Ints:
    """Codes [rows * ways, levels]: for every row each way in which patients at a level can turn out."""
    changes = np.array([machine.records.change(Evaluable(part, counts)) for counts in ways], np.int32)
    found = np.repeat(codes, len(ways), axis=0)
    found[:, level] = machine.records.apply(np.tile(changes, len(codes)), found[:, level])
    return found


def sure_to_come(
    frames: Frames, number: int, codes: Ints, nodes: list[Counts], awaited: tuple[Beside, ...], group: Group
) -> bool:
    """Whether the cohort of a frame has a look after one of some outcomes, however those beside it turn out.

    The look after a sentinel with toxicity counts, also if the rest of the cohort enters after it. Raises HistoryError
    where they can turn out in too many ways; `group` is where that is told.
    """
    if not nodes:
        return False
    machine, frame = frames.machine, frames.frames[number]
    order, toxicities = frame.orders[0], machine.protocol.toxicities
    for one in awaited:
        missing = one.size - one.known
        if len(codes) * comb(missing + len(toxicities), missing) > MOST_COMPLETIONS:
            raise too_many(group)
        codes = np.unique(turned_out(machine, codes, frame.part, one.level, added(toxicities, missing)), axis=0)
    part, numbers = machine.parts[frame.part], np.full(len(codes), number, np.int32)
    view = after_outcomes(frames, part, numbers, codes, nodes, order.size, order.sentinel)
    decided = decide(machine, part, view, np.full(len(view), frame.begun), rest=True)
    rows = [decided[i : i + len(nodes)] for i in range(0, len(decided), len(nodes))]
    return all(any(outcome is not None for outcome in row) for row in rows)
