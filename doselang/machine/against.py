"""What was done in a trial against its rules: a cohort that they do not open, and patients who belong to no cohort."""

from __future__ import annotations

from attrs import evolve

from doselang.machine.compiling import Machine
from doselang.machine.decisions import Answers, Branch, Decision, Opened
from doselang.machine.notation import INEVALUABLE, Group
from doselang.machine.records import Ints, Late, Opening
from doselang.machine.states import Frame, Order

NOBODY = Branch((), Decision(Answers(), ((), (), ())))
"""What a look has come to where there was none."""


def instead(machine: Machine, frame: Frame, branch: Branch, group: Group) -> Branch:
    """The branch of the last look, with the cohort that was opened in place of what comes next by the rules.

    Levels stay closed, and verdicts declared, as the rules say.
    """
    part = None if group.part == frame.part else group.part
    opened = Opened(group.level - frame.here, size_of(machine, group), part)
    return Branch(branch.choices, Decision(evolve(branch.decision.answers, next=opened), branch.decision.acted))


def size_of(machine: Machine, group: Group) -> int:
    """How many patients a cohort against the rules is to have: the usual number of the part, or all that it has."""
    return max(machine.protocol.parts[group.part].cohort, len(group.letters) - group.letters.count(INEVALUABLE))


def begun_elsewhere(machine: Machine, frame: Frame, codes: Ints, group: Group) -> tuple[Frame, Ints]:
    """The first cohort of a trial, opened at another level than the rules say: its frame, and codes [1, levels]."""
    size, records = size_of(machine, group), machine.records
    codes = codes * 0
    codes[:, group.level] = records.apply(records.change(Opening(size)), codes[:, group.level])
    order = Order(group.level, size)
    begun = frame.begun | 1 << group.part
    return evolve(frame, part=group.part, level=group.level, orders=(order,), begun=begun), codes


def counted_aside(machine: Machine, codes: Ints, group: Group, counts: tuple[int, ...]) -> Ints:
    """Codes [rows, levels] after patients of no cohort, who count at their level without being of a cohort there."""
    records, codes = machine.records, codes.copy()
    for outcome, number in enumerate(counts):
        change = records.change(Late(group.part, outcome, False))
        for _ in range(number):
            codes[:, group.level] = records.apply(change, codes[:, group.level])
    return codes
