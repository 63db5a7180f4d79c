"""Compiling a protocol into a machine: rules become numbered lines, each asked at one question."""

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field, frozen

from doselang.machine.advising import advisers_of
from doselang.machine.arrays import NDArray
from doselang.machine.barriers import Barriers, barriers_of, parts_that_matter
from doselang.machine.forgetting import apart_from
from doselang.machine.gathering import reads_of
from doselang.machine.reading import UNLIMITED, Line, Reads, parts_after, question_of
from doselang.machine.records import Fading, Ints, Layout, Records
from doselang.machine.relations import Relations
from doselang.machine.remembering import Remembered
from doselang.machine.setting import Setting
from doselang.protocol.classes import counted_by
from doselang.protocol.guards import All, Any, Guard, Not
from doselang.protocol.model import Begin, Enrol, Limit, Part, Protocol, Rule, Scenario, Silence


@frozen
class Gated:
    """A gate of a part: the rule it stands in, and how many options it has. Those asked earlier have lower numbers."""

    rule: int
    options: int
    chances: tuple[float, ...] | None = None
    """The chances of the options where a scenario gives none."""


def _lines(rules: tuple[Rule, ...], known: dict[Guard, Guard]) -> tuple[tuple[Line, ...], tuple[Gated, ...]]:
    lines: list[Line] = []
    gates: list[tuple[int, Gated]] = []
    for number, rule in enumerate(rules):
        for case in rule.cases:
            guard = _shared(case.guard, known)
            options = case.gate.options if case.gate else ((),)
            moves = [(*case.moves, *option) for option in options]
            earliest = min(question_of(move) for option in moves for move in option)
            for choice, option in enumerate(moves):
                gate = (len(gates), choice) if case.gate else None
                lines.append(Line(number, case, guard, option, earliest, gate))
            if case.gate:
                chances = None if case.gate.chances is None else tuple(float(p) for p in case.gate.chances)
                gates.append((earliest, Gated(number, len(options), chances)))
    asked = sorted(range(len(gates)), key=lambda gate: gates[gate][0])
    as_asked = [evolve(line, gate=(asked.index(line.gate[0]), line.gate[1])) if line.gate else line for line in lines]
    return tuple(as_asked), tuple(gates[gate][1] for gate in asked)


def _overrides(rules: tuple[Rule, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(rule, rules it silences), overriding rules before the ones they override."""
    names = {rule.name: number for number, rule in enumerate(rules)}
    targets = {n: tuple(names[name] for name in rule.overrides if name in names) for n, rule in enumerate(rules)}
    order: list[int] = []

    def visit(number: int) -> None:
        if number not in order:
            for other, silenced in targets.items():
                if number in silenced:
                    visit(other)
            order.append(number)

    for number in targets:
        visit(number)
    return tuple((number, targets[number]) for number in order if targets[number])


@define
class PartMachine:
    """One part, compiled. `limits` are its own, and those on the whole trial of every part."""

    number: int
    part: Part
    lines: tuple[Line, ...]
    gates: tuple[Gated, ...]
    overrides: tuple[tuple[int, tuple[int, ...]], ...]
    silences: tuple[tuple[int, Silence], ...]
    limits: tuple[tuple[int, Limit], ...]
    reads: Reads
    any_time: tuple[int, ...]
    """The lines of rules marked `at any time`."""
    fills: bool = False
    """Whether a move fills a level up, so that the size of a cohort depends on who is there."""
    fading: Fading = field(factory=lambda: Fading(()))
    """What may be forgotten of every level when the part begins."""
    barriers: Barriers | None = None
    """What may be forgotten, while the part runs, of levels where no cohort can open any more, if anything."""
    apart: NDArray[np.bool_] = field(factory=lambda: np.zeros(0, np.bool_))
    """By level: whether nothing but its status matters from the beginning of the part on."""


@define
class Machine:
    """A compiled protocol; grows only by records met, and by what is remembered of looks."""

    protocol: Protocol
    parts: tuple[PartMachine, ...]
    setting: Setting
    counters: tuple[int, ...]
    """By counter: the number from which on it no longer matters how large it is."""
    remembered: Remembered = field(factory=Remembered, init=False)
    limits: tuple[tuple[int, Limit], ...] = field(init=False)
    """Every limit with its part; `Undecided.limit` is a position here."""

    def __attrs_post_init__(self) -> None:
        self.limits = tuple((p, limit) for p, part in enumerate(self.protocol.parts) for limit in part.limits)

    @property
    def records(self) -> Records:
        return self.setting.records

    @property
    def levels(self) -> int:
        return len(self.protocol.levels)

    def chances(self, scenario: Scenario, part: int, gate: int) -> tuple[float, ...] | None:
        """The chances of the options at a gate: the scenario's, or those of the rules themselves; None if unknown."""
        gated = self.parts[part].gates[gate]
        return scenario.chances.get(self.parts[part].part.rules[gated.rule].name, gated.chances)


def compile_lines(
    rules: tuple[Rule, ...], known: dict[Guard, Guard] | None = None
) -> tuple[tuple[Line, ...], tuple[Gated, ...], tuple[tuple[int, tuple[int, ...]], ...]]:
    """Rules as numbered lines, their gates, and what overrides what (overriding rules first)."""
    lines, gates = _lines(rules, {} if known is None else known)
    return lines, gates, _overrides(rules)


def _shared(guard: Guard, known: dict[Guard, Guard]) -> Guard:
    """The condition with one object for equal parts, so that each is worked out once."""
    match guard:
        case Not(inner):
            guard = evolve(guard, guard=_shared(inner, known))
        case All(guards) | Any(guards):
            guard = evolve(guard, guards=tuple(_shared(part, known) for part in guards))
    return known.setdefault(guard, guard)


def compile_protocol(protocol: Protocol, *, for_claims: bool = False, tallies: bool = False) -> Machine:
    """The machine of a protocol; `for_claims` keeps in its states what the claims and definitions read, too.

    `tallies` keeps the patients and toxicities of every part, whether or not anything reads them.
    """
    known: dict[Guard, Guard] = {}
    layout = Layout(len(protocol.toxicities), len(protocol.parts))
    everywhere = [(p, limit) for p, part in enumerate(protocol.parts) for limit in part.limits]
    read: list[Ints] = []
    parts: list[PartMachine] = []
    for number, part in enumerate(protocol.parts):
        lines, gates, overrides = compile_lines(part.rules, known)
        limits = tuple((i, lim) for i, (p, lim) in enumerate(everywhere) if p == number or lim.scope == "trial")
        silences = tuple(
            (i, s) for i, s in enumerate(protocol.silences)
            if s.when is not None and not s.in_course and s.part in (None, number)
        )  # fmt: skip
        any_time = tuple(i for i, line in enumerate(lines) if part.rules[line.rule].at_any_time)
        asked = (tuple(s for _, s in silences), tuple(limit for _, limit in limits))
        reads, ceilings = reads_of(protocol, layout, number, lines, *asked, for_claims=for_claims)
        if tallies:
            ceilings[layout.part_n(0) : layout.pending] = UNLIMITED
        read.append(ceilings)
        fills = any(isinstance(move, Enrol | Begin) and move.total is not None for x in lines for move in x.moves)
        parts.append(PartMachine(number, part, lines, gates, overrides, silences, limits, reads, any_time, fills))
    after, matter = parts_after(protocol), parts_that_matter(protocol, read, layout)
    for compiled in parts:
        ceilings = np.maximum.reduce([read[number] for number in after[compiled.number]])
        compiled.fading = Fading(tuple(ceilings.tolist()))
        running = [(number, parts[number].reads) for number in sorted(after[compiled.number])]
        every = [part.lines for part in parts]
        reading = [(number, parts[number].reads) for number in sorted(matter[compiled.number])]
        compiled.barriers, compiled.apart = barriers_of(protocol, reading, every), apart_from(protocol, running, every)
    records = Records(layout, np.maximum.reduce(read))
    setting = Setting(
        records, Relations(protocol.levels), protocol.start, protocol.result, advisers_of(protocol),
        tuple(map(counted_by, protocol.advisers)),
    )  # fmt: skip
    counted = [0] * len(protocol.counters)
    for compiled in parts:
        for counter, ceiling in compiled.reads.counters:
            counted[counter] = max(counted[counter], ceiling)
    return Machine(protocol, tuple(parts), setting, tuple(counted))
