"""Pathways: every way in which the next cohorts can go from a history, cohort by cohort, with what is decided.

A cohort's outcome is how many of its patients had which toxicity, not their order. Where patients come one by one each
is a cohort of his own, whose outcome is known before the next comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import comb, prod

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.conduct.accounts import Answer
from doselang.conduct.answers import answer_of, decision_word
from doselang.conduct.orders import Counts, ways_of
from doselang.diagnostics import trouble
from doselang.machine.cohorts import after_outcomes, outcomes_of
from doselang.machine.compiling import Machine
from doselang.machine.decisions import Branch, Opened, Outcome
from doselang.machine.exits import Accrual
from doselang.machine.followed import Replay
from doselang.machine.looking import decide
from doselang.machine.notation import PENDING, Group, HistoryError, letters_of, write_history
from doselang.machine.records import FIRST_SIZE, Arrival, Change, Ints, Known
from doselang.machine.records import Outcome as Evaluable
from doselang.machine.replay import replay
from doselang.machine.rolling import GOES_ON
from doselang.machine.states import ENTERING, Frames
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve.names import listing

MAX_PATHS = 10_000


@frozen
class CohortSeen:
    """A cohort of a pathway, and the look it came to.

    `counts` are all its patients known at the look, `added` those who were not known at the beginning of the pathway;
    `orders` in how many orders they can have come, `letters` the first of them. `size` is what the cohort was to have;
    `tried` are the levels that have had a cohort. `part_next` and `level_next` are where the next cohort opens, None
    where none does.
    """

    part: int
    level: int
    size: int
    counts: Counts
    added: Counts
    orders: int
    letters: str
    word: str
    answer: Answer
    rules: tuple[str, ...]
    tried: frozenset[int]
    part_next: int | None
    level_next: int | None


@frozen
class Pathway:
    """The cohorts of a pathway; its probability, None where no scenario is given."""

    cohorts: tuple[CohortSeen, ...]
    history: tuple[Group, ...]
    probability: float | None = None


@frozen
class Pathways:
    """All pathways of so many cohorts after a history, those with fewer toxicities first."""

    protocol: Protocol
    after: tuple[Group, ...]
    cohorts: int
    scenario: Scenario | None
    paths: tuple[Pathway, ...]


@frozen(eq=False)
class _State:
    """A cohort that is to go on: its frame, the record codes of the levels before it, what is known of it."""

    number: int
    codes: Ints
    known: Counts

    @property
    def key(self) -> tuple[int, bytes, Counts]:
        return self.number, self.codes.tobytes(), self.known


def pathways(
    protocol: Protocol, machine: Machine, after: tuple[Group, ...], cohorts: int, accrual: Accrual = "one-at-a-time",
    scenario: Scenario | None = None, *, max_paths: int = MAX_PATHS,
) -> Pathways:  # fmt: skip
    """Every way in which the next cohorts can go after a history, () for the beginning.

    `scenario` gives each pathway its probability, given the history: the product over its cohorts. Raises HistoryError
    where the rules do not lead to the history, or no cohort follows it, or outcomes in it are pending; Trouble DL704
    where there are more than `max_paths`, DL903 where the scenario lacks a chance; OverflowError where a cohort has too
    many outcomes.
    """
    later = next((toxicity for toxicity in protocol.toxicities if toxicity.later), None)
    if later is not None:
        raise trouble(
            "DL903", f"A `{later.name}` comes after further patients have entered, and pathways know no such order.",
            help="Ask for one history: doselang explain FILE HISTORY",
        )  # fmt: skip
    for part in protocol.parts:
        if part.rolling and accrual != "one-at-a-time":
            raise trouble(
                "DL903", f"In part `{part.name}` patients come one by one, and pathways go from outcome to outcome.",
                help="Leave out `--accrual`: then each patient is known before the next comes.",
            )  # fmt: skip
    followed = replay(machine, after, accrual)
    stepper = _Stepper(machine, followed.frames, accrual)
    running: list[Running] = [((), _start(protocol, followed))]
    done: list[tuple[CohortSeen, ...]] = []
    for cohort in range(cohorts):
        following: list[Running] = []
        for seen, state in stepper.all_beside(running):
            for one, leads_to in stepper.steps(state):
                if leads_to is None or cohort == cohorts - 1:
                    done.append((*seen, one))
                else:
                    following.append(((*seen, one), leads_to))
            if len(done) + len(following) > max_paths:
                raise trouble(
                    "DL704", f"There are more than {max_paths:,} pathways.",
                    help="Ask for fewer cohorts, or a history to begin with (`--after`), or more (`--max-paths`).",
                )  # fmt: skip
        running = following
    paths = [_pathway(protocol, after, seen, followed.waiting is not None, scenario) for seen in done]
    letters = letters_of(protocol)
    return Pathways(protocol, after, cohorts, scenario, tuple(sorted(paths, key=lambda path: _order(path, letters))))


MOST_AHEAD = 2_000
"""Looks ahead are worked out for a cohort that can show so many outcomes at most."""


def ahead(followed: Replay) -> tuple[CohortSeen, ...]:
    """Every look to which the cohort can come that goes on, or opens, where a history ends.

    Patients who are pending are among those to come. Empty where no cohort goes on, where people have yet to choose,
    where outcomes of other cohorts matter that are not known, or where there would be too many.
    """
    frame, frames, machine = followed.frame, followed.frames, followed.machine
    number = frames.frame(frame)
    look, classes = followed.last, 1 + len(machine.protocol.toxicities)
    rolls = machine.protocol.parts[frame.part].rolling and any(cohort.pending for cohort in followed.cohorts)
    beside = frames.silent[number] or (followed.waiting is not None and followed.waiting.beside)
    if followed.ended or not frame.orders or beside or (look and look.branch is None) or rolls:
        return ()
    goes_on = followed.waiting.known if followed.waiting else look is not None and look.goes_on
    known = followed.cohorts[-1].counts if goes_on else (0,) * classes
    if comb(frame.orders[0].size + classes - 1, classes - 1) > MOST_AHEAD:
        return ()
    stepper = _Stepper(machine, frames, followed.accrual)
    found = [tuple(one for one, _ in stepper.steps(_State(number, row, known))) for row in followed.codes]
    same = all(
        [(one.added, one.answer) for one in row] == [(one.added, one.answer) for one in found[0]] for row in found
    )
    return found[0] if same else ()


def without_pending(machine: Machine, groups: tuple[Group, ...]) -> tuple[Group, ...]:
    """A history in which pending patients of the last cohort have yet to come: its pathways are the same.

    Not in a rolling part, where patients who are pending count, and not for a cohort that the rules did not open.
    """
    if not groups or machine.protocol.parts[groups[-1].part].rolling:
        return groups
    *before, last = groups
    letters = last.letters.replace(PENDING, "")
    if not letters:
        return groups if last.against else tuple(before)
    return (*before, evolve(last, letters=letters))


def _order(path: Pathway, letters: str) -> list[tuple[list[int], list[int]]]:
    """No toxicity before toxicity, cohort by cohort; then as people chose."""
    return [
        ([letters.index(letter) for letter in one.letters], [chosen.option for chosen in one.answer.choices])
        for one in path.cohorts
    ]


def _start(protocol: Protocol, followed: Replay) -> _State:
    """Where the pathways begin. Raises HistoryError where that is nowhere, or not known."""
    history = f"`{write_history(followed.groups, protocol)}`"
    last = followed.groups[-1].span if followed.groups else None
    where = (last.start, last.end) if last is not None else (0, 0)
    if followed.unreplaced:
        raise HistoryError(
            f"After {history} no cohort follows: a patient was inevaluable, and is not replaced.", *where
        )
    if any(cohort.pending for cohort in followed.cohorts) or len(followed.codes) > 1:
        raise HistoryError(f"Pathways begin where every outcome is known, and in {history} some are pending.", *where)
    if followed.waiting is not None and followed.waiting.beside:
        raise HistoryError(
            f"Pathways begin at a look, and after {history} patients beside the cohort are to come.", *where
        )
    look = followed.last
    if look is not None and look.branch is None:
        head = write_history(followed.groups[-1:], protocol)
        ways = [
            f"{head}{''.join(f'[{option + 1}]' for _, option in way.choices[len(followed.groups[-1].chosen) :])}"
            for way in look.ways
        ]
        raise HistoryError(f"After {history} people have yet to choose: write {listing(ways, 'or')}.", *where)
    if followed.ended:
        raise HistoryError(f"After {history} the trial has ended, and no cohort follows.", *where)
    known = (0,) * (1 + len(protocol.toxicities))
    if followed.waiting is not None and followed.cohorts:
        known = followed.cohorts[-1].counts
    return _State(followed.frames.frame(followed.frame), followed.codes[0], known)


Running = tuple[tuple[CohortSeen, ...], _State]
"""A pathway so far, and the cohort that is to go on."""


@define
class _Stepper:
    """From a cohort to every look it can come to; states that are alike are asked once."""

    machine: Machine
    frames: Frames
    accrual: Accrual
    _known: dict[tuple[int, bytes, Counts], list[tuple[CohortSeen, _State | None]]] = field(factory=dict)

    def steps(self, state: _State) -> list[tuple[CohortSeen, _State | None]]:
        """The looks of a cohort, and the cohort that each opens, None where none."""
        if state.key not in self._known:
            self._known[state.key] = self._asked(state)
        return self._known[state.key]

    def all_beside(self, running: list[Running]) -> Iterator[Running]:
        """The pathways with all that patients beside the next cohort can bring, who come to no look of their own."""
        for seen, state in running:
            if self.frames.silent[state.number]:
                yield from self.all_beside([((*seen, one), leads_to) for one, leads_to in self._beside(state)])
            else:
                yield seen, state

    def _beside(self, state: _State) -> Iterator[tuple[CohortSeen, _State]]:
        frame, records = self.frames.frames[state.number], self.machine.records
        order, known = frame.orders[-1], letters_of(self.machine.protocol)
        following = self.frames.frame(evolve(frame, orders=frame.orders[:-1]))
        nothing = (0,) * len(known)
        nodes = outcomes_of(order.size, self.machine.protocol.toxicities, False)
        for digits, node, (orders, _) in self._reached(set(nodes), nothing):
            after = self._changed(state.codes, order.level, Evaluable(frame.part, node))
            tried = frozenset(np.flatnonzero(records.column(FIRST_SIZE)[after]).tolist())
            letters = "".join(known[int(digit)] for digit in digits)
            one = CohortSeen(
                frame.part, order.level, order.size, node, node, orders, letters, "", Answer((), ()), (), tried,
                frame.part, self.frames.frames[following].orders[-1].level,
            )  # fmt: skip
            yield one, _State(following, after, nothing)

    def _asked(self, state: _State) -> list[tuple[CohortSeen, _State | None]]:
        if self.frames.mode[state.number] == ENTERING:
            return self._entering(state)
        part = self.machine.parts[int(self.frames.part[state.number])]
        size, level = int(self.frames.size[state.number]), int(self.frames.level[state.number])
        early = self.accrual == "one-at-a-time" and bool(part.any_time)
        alone = bool(self.frames.sentinel[state.number])
        nodes = [
            node for node in outcomes_of(size, self.machine.protocol.toxicities, early, alone)
            if node != state.known and all(n >= k for n, k in zip(node, state.known, strict=True))
        ]  # fmt: skip
        if not nodes:
            return []
        number = np.array([state.number], np.int32)
        view = after_outcomes(self.frames, part, number, state.codes[None, :], nodes, size, alone)
        looks = decide(self.machine, part, view, np.full(len(nodes), self.frames.begun[state.number]))
        decided = {node: look for node, look in zip(nodes, looks, strict=True) if look is not None}
        steps = []
        for _, node, way in self._reached(decided, state.known):
            after = self._changed(state.codes, level, Evaluable(part.number, node))
            steps += self._ways(state.number, after, size, node, state.known, way, decided[node])
        return steps

    def _entering(self, state: _State) -> list[tuple[CohortSeen, _State | None]]:
        """The looks at the next arrival, where the patients who are entering are all known by then."""
        part = self.machine.parts[int(self.frames.part[state.number])]
        size, level = int(self.frames.size[state.number]), int(self.frames.level[state.number])
        goes_on = np.array([self.frames.branch(GOES_ON[0])], np.int32)
        number = self.frames.after(np.array([state.number], np.int32), goes_on)
        nobody = (0,) * (1 + len(self.machine.protocol.toxicities))
        nodes = set(outcomes_of(size, self.machine.protocol.toxicities, False))
        steps = []
        for _, node, way in self._reached(nodes, nobody):
            after = self._changed(state.codes, level, Arrival(size))
            for outcome, many in enumerate(node):
                for _ in range(many):
                    after = self._changed(after, level, Known(part.number, outcome))
            view = after_outcomes(self.frames, part, number, after[None, :], [nobody], 0)
            (look,) = decide(self.machine, part, view, self.frames.begun[number])
            assert look is not None
            steps += self._ways(int(number[0]), after, size, node, nobody, way, look)
        return steps

    def _reached(self, nodes: Collection[Counts], known: Counts) -> list[tuple[str, Counts, tuple[int, str]]]:
        """Which of some outcomes come first, no toxicity before toxicity: each with its orders, and the first one."""
        return sorted((way[1], node, way) for node, way in ways_of(nodes, known).items() if node in nodes)

    def _changed(self, codes: Ints, level: int, change: Change) -> Ints:
        """Codes [levels] after a change of one level's record."""
        after = codes.copy()
        after[level] = int(self.machine.records.apply(self.machine.records.change(change), after[level : level + 1])[0])
        return after

    def _ways(
        self, number: int, after: Ints, size: int, counts: Counts, before: Counts, way: tuple[int, str], look: Outcome
    ) -> list[tuple[CohortSeen, _State | None]]:
        """A look, in a frame and with codes, in every way in which people can choose."""
        part, level = int(self.frames.part[number]), int(self.frames.level[number])
        compiled, records = self.machine.parts[part], self.machine.records
        tried = frozenset(np.flatnonzero(records.column(FIRST_SIZE)[after]).tolist())
        known, (orders, digits) = letters_of(self.machine.protocol), way
        added = tuple(n - k for n, k in zip(counts, before, strict=True))
        found = []
        for branch in look:
            leads_to = self._leads_to(number, after, branch)
            rules = sorted({compiled.lines[line].rule for line in branch.decision.lines})
            one = CohortSeen(
                part, level, size, counts, added, orders, "".join(known[int(digit)] for digit in digits),
                decision_word(self.machine.protocol, branch.decision), answer_of(self.machine, part, level, branch),
                tuple(compiled.part.rules[rule].name for rule in rules), tried,
                None if leads_to is None else int(self.frames.part[leads_to.number]),
                None if leads_to is None else int(self.frames.level[leads_to.number]),
            )  # fmt: skip
            found.append((one, leads_to))
        return found

    def _leads_to(self, number: int, codes: Ints, branch: Branch) -> _State | None:
        """The cohort that a branch opens."""
        decision, records = branch.decision, self.machine.records
        if decision.undecided is not None or not isinstance(decision.answers.next, Opened):
            return None
        chosen, after = np.array([self.frames.branch(branch)], np.int32), codes[None, :].copy()
        self.frames.leave(after, self.frames.level[[number]], chosen)
        following = int(self.frames.after(np.array([number], np.int32), chosen)[0])
        part = int(self.frames.part[following])
        if part != self.frames.part[number]:
            after = records.apply(records.change(self.machine.parts[part].fading), after)
        return _State(following, after[0], (0,) * (1 + len(self.machine.protocol.toxicities)))


# ---- whole pathways ----


def _pathway(
    protocol: Protocol, after: tuple[Group, ...], seen: tuple[CohortSeen, ...], goes_on: bool, scenario: Scenario | None
) -> Pathway:
    """A pathway with one history that goes it; `goes_on` where its first cohort is one that the history left open."""
    groups = list(after)
    for number, one in enumerate(seen):
        chosen = tuple(choice.option for choice in one.answer.choices)
        letters = one.letters
        if number == 0 and goes_on and groups:
            letters = groups.pop().letters + letters
        if protocol.parts[one.part].rolling and groups and _alike(groups[-1], one):
            letters = groups.pop().letters + letters
        groups.append(Group(one.part, one.level, letters, chosen))
    probability = None if scenario is None else prod(_chance(protocol, one, scenario) for one in seen)
    return Pathway(seen, tuple(groups), probability)


def _alike(group: Group, one: CohortSeen) -> bool:
    """Whether a patient who comes by himself joins the group before."""
    return (group.part, group.level, group.chosen) == (one.part, one.level, ())


def _chance(protocol: Protocol, one: CohortSeen, scenario: Scenario) -> float:
    """The chance of what a cohort adds, given all before: orders × the product of rates; and of what people choose."""
    rates = [of_toxicity[one.level] for of_toxicity in scenario.rates]
    chances = [max(0.0, 1.0 - sum(rates)), *rates]
    found = one.orders * prod(p**n for p, n in zip(chances, one.added, strict=True))
    for choice in one.answer.choices:
        if choice.rule not in scenario.chances:
            raise trouble(
                "DL903", f'In scenario "{scenario.name}" there is no chance of what people choose in "{choice.rule}".',
                help=f'Give it in the scenario, for example: chance "{choice.rule}" 50%',
            )  # fmt: skip
        found *= scenario.chances[choice.rule][choice.option]
    return found
