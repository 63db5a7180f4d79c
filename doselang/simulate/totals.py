"""What a simulation adds up over all trials under one scenario, and the operating characteristics made of it."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from attrs import define, field, frozen

from doselang.machine.columns import NO_LEVEL, NONE_DECLARED
from doselang.machine.decisions import Ended
from doselang.machine.exits import Accrual
from doselang.machine.states import Frames
from doselang.machine.weights import Floats
from doselang.protocol.model import Declare, Scenario, Stop
from doselang.simulate.characteristics import (
    NO_VERDICT,
    Characteristics,
    Method,
    PartFigures,
    Patients,
    Reason,
    Toxic,
    TrialFigures,
    UndecidedCause,
    VerdictFigures,
)
from doselang.simulate.clock import TimedAccrual
from doselang.simulate.undecided import UNBOUNDED, History, rules_of, undecided_causes


@frozen
class Result:
    """What a frame that a rule stopped says: its verdict as in `Reason`, the level of the trial's result or -1.

    `said` is what it says as each verdict of the protocol: a level, or as in a frame.
    """

    verdict: str
    level: int
    said: tuple[int, ...]
    reason: str | None
    rules: tuple[str, ...]


@define
class Results:
    """The results of ended frames, worked out once each; None for those that ended undecided."""

    frames: Frames
    _known: dict[int, Result | None] = field(factory=dict)

    def __getitem__(self, number: int) -> Result | None:
        if number not in self._known:
            self._known[number] = self._result(number)
        return self._known[number]

    def _result(self, number: int) -> Result | None:
        frame = self.frames.frames[number]
        decision = self.frames.branches[frame.end].decision
        if decision.undecided is not None:
            return None
        ending, part = decision.answers.next, self.frames.machine.parts[frame.part]
        assert isinstance(ending, Ended)
        deciding = [
            line for line in decision.lines if any(isinstance(m, Declare | Stop) for m in part.lines[line].moves)
        ]
        verdict, level = self._verdict(frame.verdicts)
        return Result(verdict, level, frame.verdicts, ending.reason, rules_of(part, deciding))

    def _verdict(self, verdicts: tuple[int, ...]) -> tuple[str, int]:
        protocol = self.frames.machine.protocol
        said = verdicts[protocol.result]
        if said <= NONE_DECLARED:
            return "no mtd", -1
        if said != NO_LEVEL:
            return "mtd", said
        labels = [
            verdict.name if level >= 0 else f"no {verdict.name}"
            for verdict, level in zip(protocol.verdicts, verdicts, strict=True)
            if level != NO_LEVEL
        ]
        return " and ".join(labels) or NO_VERDICT, -1


@frozen
class Totals:
    """Sums over all trials.

    `ends` has the probability of each frame in which trials ended, `sizes` that of each number of patients when the
    first part was left, and `whole` when the trial ended, which is not read where there is one part; all without 0.
    `patients` and `dlts` are expected numbers [parts, levels]; `unbounded` is the probability of trials that were given
    up, and `undecided` of others that no frame holds.
    """

    ends: dict[int, float]
    sizes: dict[int, float]
    whole: dict[int, float]
    patients: Floats
    dlts: Floats
    history: History
    unbounded: float = 0.0
    undecided: float = 0.0


@frozen(eq=False)
class Sums:
    """The sums under K scenarios: as `Totals`, with one column a scenario, and what the rows are in lists beside.

    `ends` [frames, K], `sizes` and `whole` [sizes, K] are probabilities, `patients` and `dlts` [parts, levels, K]
    expected numbers.
    """

    end_frames: list[int]
    ends: Floats
    size_labels: list[int]
    sizes: Floats
    whole_labels: list[int]
    whole: Floats
    patients: Floats
    dlts: Floats

    def totals(self, k: int, history: History) -> Totals:
        """The sums under one of the scenarios."""
        return Totals(
            _positive(self.end_frames, self.ends[:, k]), _positive(self.size_labels, self.sizes[:, k]),
            _positive(self.whole_labels, self.whole[:, k]), self.patients[:, :, k], self.dlts[:, :, k], history,
        )  # fmt: skip


def _positive(labels: list[int], probabilities: Floats) -> dict[int, float]:
    return {label: p for label, p in zip(labels, probabilities.tolist(), strict=True) if p > 0}


def characteristics(
    results: Results, scenario: Scenario, accrual: Accrual | TimedAccrual, method: Method, totals: Totals, **more: Any
) -> Characteristics:
    """The operating characteristics of the sums; `more` are further fields of the record."""
    frames = results.frames
    protocol = frames.machine.protocol
    mtd, no_mtd = [0.0] * len(protocol.levels), 0.0
    other = {verdict.name: 0.0 for v, verdict in enumerate(protocol.verdicts) if v != protocol.result}
    reasons: dict[tuple[str, str | None, tuple[str, ...]], float] = {}
    undecided: dict[int, float] = {}
    for number, probability in totals.ends.items():
        result = results[number]
        if result is None:
            undecided[number] = probability
            continue
        if result.level >= 0:
            mtd[result.level] += probability
        elif result.verdict == "no mtd":
            no_mtd += probability
        else:
            other[result.verdict] = other.get(result.verdict, 0.0) + probability
        key = (result.verdict, result.reason, result.rules)
        reasons[key] = reasons.get(key, 0.0) + probability
    first = _figures(totals.sizes, totals.patients[0], totals.dlts[0])
    trial = first
    if len(protocol.parts) > 1:
        trial = _figures(totals.whole, totals.patients.sum(axis=0), totals.dlts.sum(axis=0))
    causes = undecided_causes(frames, undecided, totals.history) if undecided else ()
    if totals.unbounded:
        causes = (*causes, UndecidedCause(UNBOUNDED, None, totals.unbounded))
    nowhere = sum(undecided.values()) + totals.unbounded + totals.undecided
    shares, none = tuple(map(_share, mtd)), _share(no_mtd)
    return Characteristics(
        protocol, scenario, accrual, method, shares, none,
        {verdict: _share(p) for verdict, p in other.items()}, _share(nowhere),
        first.patients, first.dlts, trial,
        {
            part.name: PartFigures(float(n.sum()), float(x.sum()))
            for part, n, x in zip(protocol.parts, totals.patients, totals.dlts, strict=True)
        },
        {
            verdict.name: VerdictFigures(shares, none, _share(sum(other.values())))
            if v == protocol.result
            else _declared(results, totals.ends, v)
            for v, verdict in enumerate(protocol.verdicts)
        },
        tuple(Reason(*key, _share(p)) for key, p in sorted(reasons.items(), key=lambda item: (-item[1], str(item[0])))),
        causes, **more,
    )  # fmt: skip


def _figures(sizes: dict[int, float], patients: Floats, dlts: Floats) -> TrialFigures:
    """The figures of a distribution of the number of patients, and expected numbers by level."""
    number, probability = np.array(list(sizes)), np.array(list(sizes.values()))
    weight = probability / probability.sum()
    mean = float(number @ weight)
    sd = sqrt(float((number - mean) ** 2 @ weight))
    return TrialFigures(
        Patients(
            mean, sd, int(number.min()), int(number.max()), tuple(patients.tolist()),
            {size: _share(p) for size, p in sizes.items()},
        ),
        Toxic(float(dlts.sum()), tuple(dlts.tolist())),
    )  # fmt: skip


def _declared(results: Results, ends: dict[int, float], verdict: int) -> VerdictFigures:
    """What is declared as one verdict over the ends that a rule brought about."""
    by_level, none, undeclared = [0.0] * len(results.frames.machine.protocol.levels), 0.0, 0.0
    for number, probability in ends.items():
        if (result := results[number]) is None:
            continue
        if (said := result.said[verdict]) >= 0:
            by_level[said] += probability
        elif said == NO_LEVEL:
            undeclared += probability
        else:
            none += probability
    return VerdictFigures(tuple(map(_share, by_level)), _share(none), _share(undeclared))


def _share(probability: float) -> float:
    """A probability that rounding may have put a little above 1."""
    return min(probability, 1.0)
