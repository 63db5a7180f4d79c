"""What the rules decide after each outcome: the machine's situations, by the outcomes of the cohort under way so far.

Nothing is evaluated here. A situation is met once and its decisions are kept in flat columns, so that many trials at
once are answered by look-up.
"""

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field

from doselang.machine.arrays import present
from doselang.machine.cohorts import outcomes_of
from doselang.machine.columns import Bools
from doselang.machine.decisions import Opened, Outcome
from doselang.machine.exits import Row
from doselang.machine.records import Ints
from doselang.machine.situations import Situations
from doselang.machine.weights import Floats
from doselang.protocol.model import Scenario
from doselang.simulate.people import Keys, uniform

NOTHING = -1
"""The number of no decision: the cohort goes on; in a rolling part the next patient waits."""


def _ints() -> Ints:
    return np.zeros(0, np.int32)


@define
class Decisions:
    """Decisions of a machine under a scenario, by number.

    `first[s]` is where the decisions of situation s stand in `decided`, by its outcomes or, in a rolling part, alone.
    Of decision d, `options[d]` branches stand from `branch_at[d]` on in `branches`, with cumulated chances `until`;
    `within[d]`: by all of them a patient enters in the same part.
    """

    situations: Situations
    scenario: Scenario
    first: Ints = field(factory=_ints)
    decided: Ints = field(factory=_ints)
    options: Ints = field(factory=_ints)
    branch_at: Ints = field(factory=_ints)
    branches: Ints = field(factory=_ints)
    until: Floats = field(factory=lambda: np.zeros(0))
    within: Ints = field(factory=_ints)
    _outcomes: dict[tuple[int, Outcome], int] = field(factory=dict)
    _rows: dict[int, int] = field(factory=dict)
    _nodes: dict[tuple[int, int, bool], Ints] = field(factory=dict)

    def looks(self, part: int, frames: Ints, counts: Ints) -> Bools:
        """Whether there can be a look after some outcomes of the cohorts under way, [rows, classes]; of one part."""
        of_frame, known = self.situations.frames, counts.sum(axis=1)
        if self._early(part):
            return np.asarray(known > 0)
        looks: Bools = (known == of_frame.size[frames]) | ((of_frame.sentinel[frames] != 0) & (known == 1))
        return looks

    def places(self, part: int, frames: Ints, codes: Ints) -> Ints:
        """Where the decisions of the situation of each state stand, all of one part."""
        numbers = self.situations.of(part, frames, codes)
        if len(self.first) < len(self.situations.rows):
            self._learn()
        return self.first[numbers]

    def after(self, part: int, places: Ints, frames: Ints, counts: Ints) -> Ints:
        """The decision after some outcomes of the cohort under way, where there can be a look."""
        of_frame, found = self.situations.frames, np.empty(len(frames), np.int32)
        kind = of_frame.size[frames] * 2 + of_frame.sentinel[frames]
        for number in present(kind):
            some = np.flatnonzero(kind == number)
            nodes = self._node(part, number // 2, bool(number % 2), counts[some])
            found[some] = self.decided[places[some] + nodes]
        return found

    def _early(self, part: int) -> bool:
        """Whether there can be a look before a cohort is complete."""
        return self.situations.accrual != "whole-cohort" and bool(self.situations.machine.parts[part].any_time)

    def lets_in(self, decisions: Ints) -> Bools:
        """Whether by each decision a patient enters in the same part, whatever people choose."""
        known = decisions != NOTHING
        found = np.zeros(len(decisions), np.bool_)
        found[known] = self.within[decisions[known]] != 0
        return found

    def choose(self, decisions: Ints, keys: Keys, number: Ints) -> Ints:
        """The branch that is taken; where people choose, by chance."""
        many, at = self.options[decisions], self.branch_at[decisions]
        rows = np.flatnonzero(many > 1)
        if len(rows):
            drawn, chosen = uniform(keys[rows], number[rows]), np.zeros(len(rows), np.int32)
            for option in range(int(many.max()) - 1):
                left = (chosen == option) & (option + 1 < many[rows])
                chosen += left & (drawn >= self.until[at[rows] + np.minimum(option, many[rows] - 1)])
            at = at.copy()
            at[rows] += chosen
        return self.branches[at]

    def _node(self, part: int, size: int, sentinel: bool, counts: Ints) -> Ints:
        """The position of outcomes among those that a cohort of a size can have at a look."""
        nodes = self._nodes.get((part, size, sentinel))
        if nodes is None:
            toxicities = self.situations.machine.protocol.toxicities
            every = np.array(outcomes_of(size, toxicities, self._early(part), sentinel), np.int64)
            nodes = self._nodes[part, size, sentinel] = _packed(every, size)
        return np.searchsorted(nodes, _packed(counts.astype(np.int64), size)).astype(np.int32)

    def _learn(self) -> None:
        """Take up the situations that are new."""
        rows = self.situations.rows[len(self.first) :]
        decided = list(self.decided)
        places = []
        for row in rows:
            place = self._rows.get(id(row))
            if place is None:
                place = self._rows[id(row)] = len(decided)
                decided += self._decisions(row)
            places.append(place)
        self.decided = np.array(decided, np.int32)
        self.first = np.concatenate([self.first, np.array(places, np.int32)])

    def _decisions(self, row: Row) -> list[int]:
        if row.decided:
            return [NOTHING if outcome is None else self._number(row.part, outcome) for outcome in row.decided]
        arrival = row.exits[-1] if row.exits and row.exits[-1].change is None else None
        return [NOTHING if arrival is None else self._number(row.part, arrival.outcome)]

    def _number(self, part: int, outcome: Outcome) -> int:
        number = self._outcomes.get((part, outcome))
        if number is not None:
            return number
        number = self._outcomes[part, outcome] = len(self._outcomes)
        chances = [self._chance(part, branch.choices) for branch in outcome]
        frames = self.situations.frames
        # those who are pending when a rolling part is left become known when their time comes
        branches = [frames.branch(evolve(branch, settles=False)) for branch in outcome]
        within = all(
            branch.decision.undecided is None
            and isinstance(following := branch.decision.answers.next, Opened)
            and following.part is None
            for branch in outcome
        )
        self.branch_at = np.append(self.branch_at, np.int32(len(self.branches)))
        self.options = np.append(self.options, np.int32(len(branches)))
        self.branches = np.append(self.branches, np.array(branches, np.int32))
        self.until = np.append(self.until, np.cumsum(chances))
        self.within = np.append(self.within, np.int32(within))
        return number

    def _chance(self, part: int, choices: tuple[tuple[int, int], ...]) -> float:
        chance = 1.0
        for gate, option in choices:
            known = self.situations.machine.chances(self.scenario, part, gate)
            chance *= 1.0 if known is None else known[option]
        return chance


def _packed(counts: Ints, size: int) -> Ints:
    """One number for some outcomes, in the order of `outcomes_of`: how many are known, then each toxicity."""
    packed: Ints = counts.sum(axis=1)
    for toxic in counts[:, 1:].T:
        packed = packed * (size + 1) + toxic
    return packed


def leads_lower(situations: Situations, branch: int, here: int) -> bool:
    """Whether a look at a level closes it as too toxic, or goes on at a lower level."""
    decision = situations.frames.branches[branch].decision
    answers, above = decision.answers, situations.machine.setting.relations.above
    if any(close.offset == 0 or (close.all_above and above[here + close.offset, here]) for close in answers.closes):
        return True
    following = answers.next
    goes_on = isinstance(following, Opened) and following.part is None and decision.undecided is None
    return goes_on and isinstance(following, Opened) and bool(above[here + following.offset, here])


def verdict_of(situations: Situations, branch: int) -> int:
    """What a look declares as the trial's result: 1 a level, -1 that there is none, 0 nothing."""
    result = situations.machine.protocol.result
    for declares in situations.frames.branches[branch].decision.answers.declares:
        if declares.verdict == result:
            return -1 if declares.offset is None else 1
    return 0
