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
    UndecidedCause,
)
from doselang.simulate.clock import TimedAccrual
from doselang.simulate.undecided import UNBOUNDED, History, rules_of, undecided_causes


@frozen
class Result:
    """What a frame that a rule stopped says: its verdict as in `Reason`, the level of the trial's result or -1."""

    verdict: str
    level: int
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
        return Result(verdict, level, ending.reason, rules_of(part, deciding))

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
    first part was left, both without 0; `patients` and `dlts` are expected numbers [parts, levels]; `unbounded` is the
    probability of trials that were given up, and `undecided` of others that no frame holds.
    """

    ends: dict[int, float]
    sizes: dict[int, float]
    patients: Floats
    dlts: Floats
    history: History
    unbounded: float = 0.0
    undecided: float = 0.0


@frozen(eq=False)
class Sums:
    """The sums under K scenarios: as `Totals`, with one column a scenario, and what the rows are in lists beside.

    `ends` [frames, K] and `sizes` [sizes, K] are probabilities, `patients` and `dlts` [parts, levels, K] expected
    numbers.
    """

    end_frames: list[int]
    ends: Floats
    size_labels: list[int]
    sizes: Floats
    patients: Floats
    dlts: Floats

    def totals(self, k: int, history: History) -> Totals:
        """The sums under one of the scenarios."""
        return Totals(
            _positive(self.end_frames, self.ends[:, k]), _positive(self.size_labels, self.sizes[:, k]),
            self.patients[:, :, k], self.dlts[:, :, k], history,
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
    causes = undecided_causes(frames, undecided, totals.history) if undecided else ()
    if totals.unbounded:
        causes = (*causes, UndecidedCause(UNBOUNDED, None, totals.unbounded))
    nowhere = sum(undecided.values()) + totals.unbounded + totals.undecided
    return Characteristics(
        protocol, scenario, accrual, method, tuple(_share(p) for p in mtd), _share(no_mtd),
        {verdict: _share(p) for verdict, p in other.items()}, _share(nowhere),
        _patients(totals), Toxic(float(totals.dlts[0].sum()), tuple(totals.dlts[0].tolist())),
        {
            part.name: PartFigures(float(n.sum()), float(x.sum()))
            for part, n, x in zip(protocol.parts, totals.patients, totals.dlts, strict=True)
        },
        tuple(Reason(*key, _share(p)) for key, p in sorted(reasons.items(), key=lambda item: (-item[1], str(item[0])))),
        causes, **more,
    )  # fmt: skip


def _patients(totals: Totals) -> Patients:
    number, probability = np.array(list(totals.sizes)), np.array(list(totals.sizes.values()))
    weight = probability / probability.sum()
    mean = float(number @ weight)
    sd = sqrt(float((number - mean) ** 2 @ weight))
    return Patients(
        mean, sd, int(number.min()), int(number.max()), tuple(totals.patients[0].tolist()),
        {size: _share(p) for size, p in totals.sizes.items()},
    )  # fmt: skip


def _share(probability: float) -> float:
    """A probability that rounding may have put a little above 1."""
    return min(probability, 1.0)
