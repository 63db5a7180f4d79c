"""Operating characteristics of a trial under one scenario, as records; `simulate` makes them, `report` shows them."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from doselang.machine.exits import Accrual
from doselang.protocol.model import Protocol, Scenario
from doselang.simulate.clock import Assumed, TimedAccrual

Method = Literal["exact", "montecarlo", "timed"]

NO_VERDICT = "no verdict"
"""The key of `other_verdicts` under which trials stand that a rule stopped without any verdict."""


@frozen
class Patients:
    """Patients of the first part, or of the whole trial.

    `mean`, `sd`, `min` and `max` are of their number, min and max over histories with a positive probability;
    `by_level` expected numbers in ladder order; `distribution` the probability of each number, 0 left out.
    """

    mean: float
    sd: float | None
    min: int | None
    max: int | None
    by_level: tuple[float, ...]
    distribution: dict[int, float] = field(hash=False)


@frozen
class Toxic:
    """Expected numbers of patients with a dose-limiting toxicity, of the first part or of the whole trial."""

    mean: float
    by_level: tuple[float, ...]


@frozen
class TrialFigures:
    """Patients and toxicities of the whole trial: those of all parts together."""

    patients: Patients
    dlts: Toxic


@frozen
class VerdictFigures:
    """What is declared as one verdict when a rule ends the trial: each level, that there is none, or nothing.

    The probabilities, with that of an undecided trial, add up to 1.
    """

    by_level: tuple[float, ...]
    none: float
    undeclared: float


@frozen
class PartFigures:
    """Expected numbers of patients, and of those with a dose-limiting toxicity, in one part; 0 where it never began."""

    patients: float
    dlts: float


@frozen
class Reason:
    """Why a rule stopped the trial.

    `verdict` is `mtd`, `no mtd`, the names of labels, or `no verdict`; `reason` the words of the stop; `rules` those
    that declared or stopped at the last look.
    """

    verdict: str
    reason: str | None
    rules: tuple[str, ...]
    probability: float


@frozen
class UndecidedCause:
    """Why histories end undecided, with a shortest one in `1NNN 2TT` notation."""

    cause: str
    history: str | None
    probability: float


@frozen
class StandardErrors:
    """The standard error of each probability and mean of a simulation; fields and order as in `Characteristics`.

    In `patients`, those of the trial too, the fields sd, min and max are None.
    """

    mtd: tuple[float, ...]
    no_mtd: float
    other_verdicts: dict[str, float] = field(hash=False)
    undecided: float
    patients: Patients
    dlts: Toxic
    trial: TrialFigures
    parts: dict[str, PartFigures] = field(hash=False)
    verdicts: dict[str, VerdictFigures] = field(hash=False)
    reasons: tuple[float, ...]
    undecided_causes: tuple[float, ...]


@frozen
class Courses:
    """What becomes of patients.

    The share ever re-treated, the expected number of cycles (None: treatment need not end), and the share for each
    reason to go off treatment.
    """

    re_treated: float
    cycles_mean: float | None
    reasons_off: dict[str, float] = field(hash=False)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@frozen
class Quantile:
    """The value that a share of all do not exceed."""

    share: float
    value: float
    standard_error: float


@frozen
class Share:
    value: float
    standard_error: float


@frozen
class Classes:
    """How many trials fall into classes of equal width, in days: `counts[k]` above k widths, and up to k + 1 widths.

    The first class has 0 as well. Widths are 1 day, or 7 days doubled some times, so that coarser classes are made of
    finer ones.
    """

    width: int
    counts: tuple[int, ...]


@frozen
class Spread:
    """How a figure is spread over trials, or over patients; `number` is how many they are.

    `distribution` is that of the trial's duration, and None of other figures.
    """

    number: int
    mean: float
    sd: float
    standard_error: float
    quantiles: tuple[Quantile, ...]
    distribution: Classes | None = None


@frozen
class TimeFigures:
    """What a trial with a clock takes and brings about; see docs/timing.md for each figure.

    `assumptions` are all that the clock was told or assumed. `spreads` are by name, None where no trial has the figure;
    `re_treated` is the share of patients ever re-treated; `off` how treatment ended, of all patients, and `after` of
    those re-treated.
    """

    assumptions: tuple[Assumed, ...]
    spreads: dict[str, Spread | None] = field(hash=False)
    re_treated: Share | None = None
    off: dict[str, Share] = field(factory=dict, hash=False)
    after: dict[str, Share] = field(factory=dict, hash=False)


@frozen
class Characteristics:
    """What a trial does under one scenario.

    `mtd[l]` is the probability that the trial's result is level l, `no_mtd` that it is declared that there is none;
    `other_verdicts` that a rule stops the trial without a result, by the labels that were declared; `undecided` that
    the rules do not decide. Together they are 1. `patients` and `dlts` are of the first part, `trial` of all parts
    together, which is the same where there is one; `parts` and `verdicts` are by name, all that the protocol has.
    """

    protocol: Protocol = field(repr=False)
    scenario: Scenario
    accrual: Accrual | TimedAccrual
    method: Method
    mtd: tuple[float, ...]
    no_mtd: float
    other_verdicts: dict[str, float] = field(hash=False)
    undecided: float
    patients: Patients
    dlts: Toxic
    trial: TrialFigures
    parts: dict[str, PartFigures] = field(hash=False)
    verdicts: dict[str, VerdictFigures] = field(hash=False)
    reasons: tuple[Reason, ...]
    undecided_causes: tuple[UndecidedCause, ...]
    courses: Courses | None = None
    standard_errors: StandardErrors | None = None
    trials: int | None = None
    seed: int | None = None
    timing: TimeFigures | None = None
