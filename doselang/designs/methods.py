"""The decision methods by name: what each can be told, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import log
from typing import Any, Literal, cast

import numpy as np
from attrs import frozen

from doselang.designs import intervals, units
from doselang.designs.advice import Adviser, Recommender, Told, Words
from doselang.designs.arguments import Argument, MethodError, filled
from doselang.designs.blrm import Blrm
from doselang.designs.crm import Crm
from doselang.designs.intervals import ELIMINATE, STEPS
from doselang.designs.isotonic import Isotonic
from doselang.designs.skeleton import given_skeleton, made_skeleton

__all__ = ["METHODS", "Adviser", "Argument", "Method", "MethodError", "Recommender", "Words", "boundaries", "build"]

Given = Mapping[str, object]


@frozen
class Method:
    """A decision method.

    Attributes
    ----------
    name, title, source
        As written in a protocol; as spoken of; where it was published.
    arguments
        What it can be told.
    build
        From all arguments by name, and the number of levels, the adviser.
    gives
        `words` if it reads one level's tally, `level` if it reads the whole ladder.
    """

    name: str
    title: str
    source: str
    arguments: tuple[Argument, ...]
    build: Callable[[Given, int], Adviser]
    gives: Literal["words", "level"]


def build(name: str, arguments: Given, levels: int) -> Adviser:
    """The adviser of a method, with the defaults for what is not given.

    Parameters
    ----------
    arguments
        By name: Fractions or whole numbers, booleans, strings, tuples of Fractions.
    levels
        How many levels the ladder has, at least 1.

    Raises
    ------
    MethodError
        In plain words, and with the argument at fault: an unknown method or argument, one that is missing, of another
        kind or out of range, or arguments that do not go together.
    """
    if name not in METHODS:
        near = get_close_matches(name, METHODS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(METHODS)}"
        raise MethodError(f"there is no method {name}{hint}")
    if levels < 1:
        raise MethodError("a ladder has at least one level")
    method = METHODS[name]
    return method.build(filled(name, method.arguments, arguments), levels)


def _told(given: Given) -> Told:
    return tuple(sorted(given.items()))


def _rate(given: Given, name: str) -> Fraction:
    return cast(Fraction, given[name])


def _target(given: Given) -> Fraction:
    target = _rate(given, "target")
    if not 0 < target < 1:
        raise MethodError("the target lies between 0% and 100%, neither of them included", "target")
    return target


def _boin(given: Given, levels: int) -> Adviser:
    target, lower, upper = _target(given), _rate(given, "lower-factor"), _rate(given, "upper-factor")
    if not 0 < lower < 1:
        raise MethodError("the lower-factor lies between 0 and 1, neither of them included", "lower-factor")
    if upper <= 1 or upper * target >= 1:
        raise MethodError(
            "the upper-factor is more than 1, and with the target gives a rate below 100%", "upper-factor"
        )
    return Words("boin", _told(given), STEPS, partial(intervals.boin, target, lower, upper))


def _margins(given: Given) -> tuple[Fraction, Fraction, Fraction]:
    target, lower, upper = _target(given), _rate(given, "lower-margin"), _rate(given, "upper-margin")
    if target - lower <= 0:
        raise MethodError("the lower-margin is less than the target", "lower-margin")
    if target + upper >= 1:
        raise MethodError("the target and the upper-margin together are less than 100%", "upper-margin")
    return target, lower, upper


def _with_margins(name: str, row: Callable[..., tuple[int, ...]], given: Given, levels: int) -> Adviser:
    return Words(name, _told(given), STEPS, partial(row, *_margins(given)))


def _by_units(name: str, row: Callable[..., tuple[int, ...]], given: Given, levels: int) -> Adviser:
    target, lower, upper = _margins(given)
    if lower + upper < Fraction(1, 100):
        raise MethodError("the two margins together are at least 1%: narrower intervals decide nothing", "lower-margin")
    if name == "keyboard" and not lower + upper <= min(target - lower, 1 - target - upper):
        raise MethodError("the margins leave no whole key on one side of the target key", "lower-margin")
    return Words(name, _told(given), STEPS, partial(row, target, lower, upper))


def _ccd(given: Given, levels: int) -> Adviser:
    target, margin = _target(given), _rate(given, "margin")
    if not 0 < margin < min(target, 1 - target):
        raise MethodError("the margin is more than 0, and less than the target and its distance from 100%", "margin")
    return Words("ccd", _told(given), STEPS, partial(intervals.ccd, target, margin))


def _too_toxic(given: Given, levels: int) -> Adviser:
    cutoff = _rate(given, "cutoff") - _rate(given, "offset")
    if not 0 < cutoff < 1:
        raise MethodError("the cutoff less the offset lies between 0% and 100%, neither of them included", "cutoff")
    whole = [cast(int, given[name]) for name in ("minimum", "prior-a", "prior-b")]
    return Words("too-toxic", _told(given), ELIMINATE, partial(intervals.too_toxic, _target(given), cutoff, *whole))


def _isotonic(given: Given, levels: int) -> Adviser:
    return Recommender("isotonic", _told(given), levels, Isotonic(_target(given)))


def _crm(given: Given, levels: int) -> Adviser:
    target, model, intercept = _target(given), given["model"], float(_rate(given, "intercept"))
    rates, prior_mtd = cast(tuple[Fraction, ...], given["skeleton"]), cast(int, given["prior-mtd"])
    if bool(rates) == bool(prior_mtd):
        raise MethodError("crm is told either the skeleton, or the prior-mtd from which a skeleton is made", "skeleton")
    if rates:
        skeleton = given_skeleton(rates, levels)
    else:
        constant = None if model == "power" else intercept
        skeleton = made_skeleton(target, _rate(given, "halfwidth"), prior_mtd, levels, constant)
    if model == "logistic" and skeleton[-1] >= 1 / (1 + np.exp(-intercept)):
        raise MethodError(
            "the logistic model cannot reach the highest rate of the skeleton: raise the intercept", "intercept"
        )
    points, masses = _own_prior(given)
    settings: dict[str, Any] = {name.replace("-", "_"): given[name] for name in ("estimate", "posterior", "coherent")}
    crm = Crm(
        target=target,
        model=cast(Any, model),
        skeleton=skeleton,
        intercept=intercept,
        variance=float(_rate(given, "prior-variance")),
        points=points,
        masses=masses,
        no_skipping_up=bool(given["no-skipping-up"]),
        **settings,
    )
    return Recommender("crm", _told(given), levels, crm)


def _own_prior(given: Given) -> tuple[tuple[float, ...], tuple[float, ...]]:
    points, masses = (cast(tuple[Fraction, ...], given[name]) for name in ("prior-at", "prior-weights"))
    if len(points) != len(masses):
        raise MethodError(
            "a prior on points has one weight for each point: prior-at and prior-weights", "prior-weights"
        )
    if points and (min(masses) <= 0 or len(set(points)) != len(points)):
        raise MethodError("a prior on points has different points, and weights above 0", "prior-weights")
    return tuple(map(float, points)), tuple(map(float, masses))


def _blrm(given: Given, levels: int) -> Adviser:
    doses, reference = cast(tuple[Fraction, ...], given["doses"]), _rate(given, "reference-dose")
    if len(doses) != levels:
        raise MethodError(f"blrm is told {len(doses)} doses, the ladder has {levels} levels", "doses")
    if min(doses) <= 0 or any(after <= before for before, after in pairwise(doses)):
        raise MethodError("the doses of blrm are above 0 and rise from each level to the next", "doses")
    if reference <= 0:
        raise MethodError("the reference-dose is above 0", "reference-dose")
    low, high, limit = (_rate(given, name) for name in ("target-low", "target-high", "overdose-limit"))
    if not 0 < low < high < 1:
        raise MethodError(
            "the target interval begins above 0%, and ends above its beginning, below 100%", "target-high"
        )
    if limit <= 0:
        raise MethodError("with an overdose-limit of 0% no level is ever recommended", "overdose-limit")
    numbers = [float(_rate(given, name)) for name in ("mean-log-alpha", "mean-log-beta", "sd-log-alpha", "sd-log-beta")]
    model = Blrm(
        scaled=tuple(log(dose / reference) for dose in doses),
        middle=(numbers[0], numbers[1]),
        spread=(numbers[2], numbers[3]),
        correlation=float(_rate(given, "correlation")),
        low=low,
        high=high,
        limit=limit,
        no_skipping_up=bool(given["no-skipping-up"]),
    )
    return Recommender("blrm", _told(given), levels, model)


@frozen
class Boundary:
    """What a method of steps says for n patients at a level: None where no number of patients with a DLT leads to it.

    `escalate` is the greatest number of patients with a DLT that escalates, `de_escalate` and `eliminate` the least
    that do so.
    """

    n: int
    escalate: int | None
    de_escalate: int | None
    eliminate: int | None


def boundaries(adviser: Words, largest_n: int) -> tuple[Boundary, ...]:
    """The boundaries of an adviser of words for n = 1 … largest_n.

    Raises
    ------
    MethodError
        If for some n the words do not follow each other in the order escalate, stay, de-escalate as DLTs increase, so
        that boundaries would not say what the method says.
    """
    found = []
    for n in range(1, largest_n + 1):
        row = adviser.row(n)
        if any(after < before for before, after in pairwise(row)):
            raise MethodError(f"{adviser.method} has no boundaries at {n} patients: its words change back and forth")
        words = [adviser.words[word] if word >= 0 else "" for word in row]
        reached = [words.index(word) if word in words else None for word in ("de-escalate", "eliminate")]
        found.append(Boundary(n, words.count("escalate") - 1 if "escalate" in words else None, *reached))
    return tuple(found)


_TARGET = Argument("target", "rate", None, "the DLT rate aimed at, between 0% and 100%")
_LOWER = Argument("lower-margin", "rate", Fraction(1, 20), "how far below the target the interval of staying begins")
_UPPER = Argument("upper-margin", "rate", Fraction(1, 20), "how far above the target the interval of staying ends")
_MARGINS = (_TARGET, _LOWER, _UPPER)
_NO_SKIPPING = Argument("no-skipping-up", "flag", False, "never more than one level above the highest level tried")

_CRM = (
    _TARGET,
    Argument("model", "choice", "power", "the curve from dose to DLT rate", choices=("power", "logistic")),
    Argument("skeleton", "rates", (), "the prior guess of the DLT rate at each level, rising; or give the prior-mtd"),
    Argument(
        "prior-mtd",
        "whole",
        0,
        "the level thought to be the MTD, 1 the lowest, to make a skeleton; or give it",
        Fraction(0),
    ),
    Argument(
        "halfwidth", "rate", Fraction(1, 20), "half the indifference interval about the target, to make a skeleton"
    ),
    Argument("intercept", "number", Fraction(3), "the intercept of the logistic model", Fraction(-10), Fraction(10)),
    Argument(
        "prior-variance",
        "number",
        Fraction(134, 100),
        "the variance of the normal prior of b, from 0.0001 to 100",
        Fraction(1, 10000),
        Fraction(100),
    ),
    Argument("prior-at", "numbers", (), "the values of b of a prior of your own, in place of the normal one"),
    Argument("prior-weights", "numbers", (), "the weight of each value of prior-at, above 0, adding up to anything"),
    Argument(
        "estimate",
        "choice",
        "plug-in",
        "the DLT rates at the posterior mean of b, or the posterior means of the DLT rates",
        choices=("plug-in", "mean"),
    ),
    Argument(
        "posterior",
        "choice",
        "normal",
        "for probabilities: the posterior of b as a normal distribution with its mean and variance, or as it is",
        choices=("normal", "exact"),
    ),
    _NO_SKIPPING,
    Argument(
        "coherent", "flag", False, "never above the level given last while its observed DLT rate exceeds the target"
    ),
)

_SD_LOW, _SD_HIGH = Fraction(1, 20), Fraction(10)

_BLRM = (
    Argument("doses", "numbers", None, "the dose of each level, above 0 and rising, all in one unit"),
    Argument(
        "reference-dose", "number", None, "the dose at which alpha is the odds of a DLT, in the unit of the doses"
    ),
    Argument("mean-log-alpha", "number", None, "the prior mean of log alpha, -20 to 20", Fraction(-20), Fraction(20)),
    Argument("mean-log-beta", "number", None, "the prior mean of log beta, -5 to 5", Fraction(-5), Fraction(5)),
    Argument(
        "sd-log-alpha", "number", None, "the prior standard deviation of log alpha, 0.05 to 10", _SD_LOW, _SD_HIGH
    ),
    Argument(
        "sd-log-beta", "number", None, "the prior standard deviation of log beta, 0.05 to 3", _SD_LOW, Fraction(3)
    ),
    Argument(
        "correlation",
        "number",
        Fraction(0),
        "the prior correlation of log alpha and log beta, -0.95 to 0.95",
        Fraction(-95, 100),
        Fraction(95, 100),
    ),
    Argument("target-low", "rate", Fraction(16, 100), "the lower end of the interval of targeted DLT rates"),
    Argument("target-high", "rate", Fraction(33, 100), "its upper end; a DLT rate above it is an overdose"),
    Argument("overdose-limit", "rate", Fraction(1, 4), "the probability of an overdose is less than this"),
    _NO_SKIPPING,
)

_ALL = (
    Method(
        "boin",
        "Bayesian optimal interval design",
        "Liu, Yuan. J R Stat Soc C 2015;64:507-523",
        (
            _TARGET,
            Argument(
                "lower-factor",
                "number",
                Fraction(3, 5),
                "the highest rate that is too low, as a multiple of the target",
            ),
            Argument(
                "upper-factor",
                "number",
                Fraction(7, 5),
                "the lowest rate that is too high, as a multiple of the target",
            ),
        ),
        _boin,
        "words",
    ),
    Method(
        "too-toxic",
        "elimination of a level that is probably too toxic",
        "Liu, Yuan. J R Stat Soc C 2015;64:507-523; Ji et al. Clin Trials 2010;7:653-663",
        (
            _TARGET,
            Argument(
                "cutoff", "rate", Fraction(19, 20), "the posterior probability above which the level is eliminated"
            ),
            Argument("offset", "rate", Fraction(0), "taken off the cutoff, to be stricter at the lowest level"),
            Argument("minimum", "whole", 3, "the least number of evaluable patients", Fraction(1)),
            Argument("prior-a", "whole", 1, "first parameter of the beta prior", Fraction(1), Fraction(1000)),
            Argument("prior-b", "whole", 1, "second parameter of the beta prior", Fraction(1), Fraction(1000)),
        ),
        _too_toxic,
        "words",
    ),
    Method(
        "mtpi",
        "modified toxicity probability interval design",
        "Ji, Liu, Li, Bekele. Clin Trials 2010;7:653-663",
        _MARGINS,
        partial(_by_units, "mtpi", units.mtpi),
        "words",
    ),
    Method(
        "mtpi2",
        "mTPI-2 design",
        "Guo, Wang, Yang, Lynn, Ji. Contemp Clin Trials 2017;58:23-33",
        _MARGINS,
        partial(_by_units, "mtpi2", units.mtpi2),
        "words",
    ),
    Method(
        "keyboard",
        "keyboard design",
        "Yan, Mandrekar, Yuan. Clin Cancer Res 2017;23:3994-4003",
        _MARGINS,
        partial(_by_units, "keyboard", units.keyboard),
        "words",
    ),
    Method(
        "ccd",
        "cumulative cohort design",
        "Ivanova, Flournoy, Chung. J Stat Plan Inference 2007;137:2316-2327",
        (_TARGET, Argument("margin", "rate", None, "how far from the target a rate is too low or too high")),
        _ccd,
        "words",
    ),
    Method(
        "teqr",
        "toxicity equivalence range design",
        "Blanchard, Longmate. Contemp Clin Trials 2011;32:114-121",
        _MARGINS,
        partial(_with_margins, "teqr", intervals.teqr),
        "words",
    ),
    Method(
        "i3plus3",
        "i3+3 design",
        "Liu, Wang, Ji. J Biopharm Stat 2020;30:294-304",
        _MARGINS,
        partial(_with_margins, "i3plus3", intervals.i3plus3),
        "words",
    ),
    Method(
        "isotonic",
        "choice of the MTD by isotonic regression",
        "Liu, Yuan. J R Stat Soc C 2015;64:507-523, and the R package BOIN",
        (_TARGET,),
        _isotonic,
        "level",
    ),
    Method(
        "crm",
        "continual reassessment method",
        "O'Quigley, Pepe, Fisher. Biometrics 1990;46:33-48",
        _CRM,
        _crm,
        "level",
    ),
    Method(
        "blrm",
        "Bayesian logistic regression model with overdose control",
        "Neuenschwander, Branson, Gsponer. Stat Med 2008;27:2420-2439",
        _BLRM,
        _blrm,
        "level",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
"""The methods by the names that protocols use."""
