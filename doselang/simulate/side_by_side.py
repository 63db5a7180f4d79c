"""Designs side by side: the figures of several protocols under the same scenarios, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import sqrt
from typing import Literal

from attrs import evolve, field, frozen

from doselang.protocol.model import Protocol, Scenario
from doselang.resolve.names import fold
from doselang.simulate.characteristics import Characteristics
from doselang.simulate.scenarios import checked, gates_of

Correct = Literal["closest", "highest"]
"""Which level is the right one: that whose true rate is closest to the target (of two as close, the lower), or the
highest at or below it."""


@frozen
class Figure:
    """A figure of one protocol. `error` is its standard error, None where it is exact.

    `bound` where the standard error is at most that; `seen` where the value is the largest of the simulated trials.
    `trials` is how many trials it is of, None where it is of all.
    """

    value: float
    error: float | None = None
    bound: bool = False
    seen: bool = False
    trials: int | None = None

    def less(self, other: Figure) -> Figure:
        """The difference to another protocol's figure: exact where both are, else with the error of both together."""
        error = None
        if self.error is not None or other.error is not None:
            error = sqrt((self.error or 0.0) ** 2 + (other.error or 0.0) ** 2)
        return Figure(self.value - other.value, error, self.bound or other.bound, self.seen or other.seen)


@frozen
class Line:
    """One figure of all protocols: what it is of which level (None: of the trial).

    `differences` to the first are of the second protocol and those after it. A figure is None where no trial has it.
    """

    name: str
    level: int | None
    figures: tuple[Figure | None, ...]
    differences: tuple[Figure | None, ...]


@frozen
class SideBySide:
    """All figures under one scenario of the first protocol.

    `right` is the right level, None without a target or where there is none; `above` are the levels whose true rate is
    above the target, the right level apart. `paired` where every difference is one between the same patients.
    """

    scenario: Scenario
    found: tuple[Characteristics, ...] = field(repr=False)
    right: int | None
    above: tuple[int, ...]
    lines: tuple[Line, ...]
    paired: bool = False


def side_by_side(
    found: Sequence[Characteristics], target: Fraction | None = None, correct: Correct = "closest"
) -> SideBySide:
    """The figures of several protocols under one scenario, that of the first, simulated independently if at all.

    Patients, toxicities and sample sizes are those of the whole trial, all parts together.
    With a `target`, a rate from 0 to 1, also those that take a right level.
    """
    rates = found[0].scenario.rates[0]
    right = None if target is None else right_level(rates, target, correct)
    above = () if target is None else too_toxic(rates, target, right)
    lines = [_line("selected", level, [_share(one, level) for one in found]) for level in range(len(rates))]
    lines.append(_line("no MTD", None, [_no_mtd(one) for one in found]))
    if any(sum(one.other_verdicts.values()) > 0 for one in found):
        lines.append(_line("no result", None, [_others(one) for one in found]))
    lines.append(_line("undecided", None, [_undecided(one) for one in found]))
    if target is not None:
        chosen = [_no_mtd(one) if right is None else _share(one, right) for one in found]
        lines.append(_line("correct selection", right, chosen))
        lines.append(_line("overdose selection", None, [_shares(one, above) for one in found]))
    lines += [_line("patients", level, [_at(one, level) for one in found]) for level in range(len(rates))]
    if target is not None:
        there = [] if right is None else [right]
        lines.append(_line("patients at the right level", right, [_together(one, there) for one in found]))
        lines.append(_line("patients above the right level", None, [_together(one, above) for one in found]))
    lines.append(_line("DLTs", None, [_dlts(one) for one in found]))
    lines.append(_line("sample size", None, [_mean(one) for one in found]))
    lines.append(_line("standard deviation of the sample size", None, [_spread(one) for one in found]))
    lines.append(_line("largest sample size", None, [_most(one) for one in found]))
    return SideBySide(found[0].scenario, tuple(found), right, above, tuple(lines))


def right_level(rates: Sequence[float], target: Fraction, correct: Correct) -> int | None:
    """The right level at some true rates; None where every rate is above the target and none may be chosen."""
    exactly = [Fraction(repr(rate)) for rate in rates]
    if correct == "closest":
        return min(range(len(rates)), key=lambda level: (abs(exactly[level] - target), exactly[level], level))
    return max((level for level, rate in enumerate(exactly) if rate <= target), default=None)


def too_toxic(rates: Sequence[float], target: Fraction, right: int | None) -> tuple[int, ...]:
    """The levels whose true rate is above the target, the right one apart."""
    return tuple(level for level, rate in enumerate(rates) if Fraction(repr(rate)) > target and level != right)


# ---- one figure of one protocol ----


def _line(name: str, level: int | None, figures: Sequence[Figure]) -> Line:
    return Line(name, level, tuple(figures), tuple(figure.less(figures[0]) for figure in figures[1:]))


def _share(one: Characteristics, level: int) -> Figure:
    errors = one.standard_errors
    return Figure(one.mtd[level], None if errors is None else errors.mtd[level])


def _no_mtd(one: Characteristics) -> Figure:
    return Figure(one.no_mtd, None if one.standard_errors is None else one.standard_errors.no_mtd)


def _undecided(one: Characteristics) -> Figure:
    return Figure(one.undecided, None if one.standard_errors is None else one.standard_errors.undecided)


def _others(one: Characteristics) -> Figure:
    return _probability(one, sum(one.other_verdicts.values()))


def _shares(one: Characteristics, levels: Sequence[int]) -> Figure:
    return _probability(one, sum(one.mtd[level] for level in levels))


def _probability(one: Characteristics, share: float) -> Figure:
    """A probability, with the error of a share of so many trials."""
    if one.standard_errors is None or one.trials is None:
        return Figure(min(share, 1.0))
    return Figure(min(share, 1.0), sqrt(max(share * (1 - share), 0.0) / one.trials))


def _at(one: Characteristics, level: int) -> Figure:
    errors = one.standard_errors
    return Figure(one.trial.patients.by_level[level], None if errors is None else errors.trial.patients.by_level[level])


def _together(one: Characteristics, levels: Sequence[int]) -> Figure:
    """Patients at several levels. Their numbers hang together, so that the error is at most the sum of the errors."""
    figures = [_at(one, level) for level in levels]
    value = sum(figure.value for figure in figures)
    if one.standard_errors is None:
        return Figure(value)
    return Figure(value, sum(figure.error or 0.0 for figure in figures), bound=len(figures) > 1)


def _dlts(one: Characteristics) -> Figure:
    return Figure(one.trial.dlts.mean, None if one.standard_errors is None else one.standard_errors.trial.dlts.mean)


def _mean(one: Characteristics) -> Figure:
    errors = one.standard_errors
    return Figure(one.trial.patients.mean, None if errors is None else errors.trial.patients.mean)


def _spread(one: Characteristics) -> Figure:
    """The standard deviation; of simulated trials with its error, by the fourth moment of what was seen."""
    patients = one.trial.patients
    sd = patients.sd or 0.0
    if one.trials is None:
        return Figure(sd)
    fourth = sum(p * (size - patients.mean) ** 4 for size, p in patients.distribution.items())
    spread = sqrt(max(fourth - sd**4, 0.0) / one.trials)
    return Figure(sd, spread / (2 * sd) if sd > 0 else 0.0)


def _most(one: Characteristics) -> Figure:
    return Figure(float(one.trial.patients.max or 0), seen=one.trials is not None)


# ---- the scenarios of one protocol for another ----


def fitted(scenario: Scenario, first: Protocol, other: Protocol) -> Scenario:
    """A scenario of one protocol as one of another with as many levels.

    The rates of the first toxicity are those of the other's first one, further toxicities go by their names; the
    chances of what people decide by the names of rules, and where those differ by the other's own scenario of the same
    name. Raises Trouble DL903 where the other counts a toxicity that the scenario has no rates of.
    """
    if other is first:
        return scenario
    own = next((one for one in other.scenarios if fold(one.name) == fold(scenario.name)), None)
    rates = []
    for number, toxicity in enumerate(other.toxicities):
        names = [fold(one.name) for one in first.toxicities]
        if number == 0:
            rates.append(scenario.rates[0])
        elif fold(toxicity.name) in names[1:]:
            rates.append(scenario.rates[names.index(fold(toxicity.name), 1)])
        elif len(names) == len(other.toxicities) and not set(names[1:]) & {fold(t.name) for t in other.toxicities[1:]}:
            rates.append(scenario.rates[number])
    told = dict(own.chances) if own else {}
    for name, chances in scenario.chances.items():
        gates = gates_of(other, name)
        if gates and all(len(gate.options) == len(chances) for gate in gates):
            told[name] = chances
    return checked(other, evolve(scenario, rates=tuple(rates), hazards=None, chances=told))
