"""The decision methods by name: what each can be told, and how it is built."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from typing import Literal

from attrs import frozen

from doselang.designs import building, intervals, units
from doselang.designs.advice import Adviser, Recommender, Words
from doselang.designs.arguments import Argument, MethodError, filled
from doselang.designs.boundaries import Boundary, boundaries

__all__ = [
    "METHODS",
    "Adviser",
    "Argument",
    "Boundary",
    "Method",
    "MethodError",
    "Recommender",
    "Words",
    "boundaries",
    "build",
]

Given = building.Given


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


_TARGET = Argument("target", "rate", None, "the DLT rate aimed at, between 0% and 100%")
_LOWER = Argument("lower-margin", "rate", Fraction(1, 20), "how far below the target the interval of staying begins")
_UPPER = Argument("upper-margin", "rate", Fraction(1, 20), "how far above the target the interval of staying ends")
_MARGINS = (_TARGET, _LOWER, _UPPER)
_NO_SKIPPING = Argument("no-skipping-up", "flag", False, "never more than one level above the highest level tried")

_INCREASE = Argument(
    "increase-at-most",
    "increase",
    (),
    "by how much a dose may be higher than that of the level given last",
    Fraction(1, 100),
    Fraction(10),
)

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
    Argument("doses", "numbers", (), "the dose of each level, above 0 and rising, which increase-at-most reads"),
    _INCREASE,
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
    _INCREASE,
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
        building.boin,
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
        building.too_toxic,
        "words",
    ),
    Method(
        "mtpi",
        "modified toxicity probability interval design",
        "Ji, Liu, Li, Bekele. Clin Trials 2010;7:653-663",
        _MARGINS,
        partial(building.by_units, "mtpi", units.mtpi),
        "words",
    ),
    Method(
        "mtpi2",
        "mTPI-2 design",
        "Guo, Wang, Yang, Lynn, Ji. Contemp Clin Trials 2017;58:23-33",
        _MARGINS,
        partial(building.by_units, "mtpi2", units.mtpi2),
        "words",
    ),
    Method(
        "keyboard",
        "keyboard design",
        "Yan, Mandrekar, Yuan. Clin Cancer Res 2017;23:3994-4003",
        _MARGINS,
        partial(building.by_units, "keyboard", units.keyboard),
        "words",
    ),
    Method(
        "ccd",
        "cumulative cohort design",
        "Ivanova, Flournoy, Chung. J Stat Plan Inference 2007;137:2316-2327",
        (_TARGET, Argument("margin", "rate", None, "how far from the target a rate is too low or too high")),
        building.ccd,
        "words",
    ),
    Method(
        "teqr",
        "toxicity equivalence range design",
        "Blanchard, Longmate. Contemp Clin Trials 2011;32:114-121",
        _MARGINS,
        partial(building.with_margins, "teqr", intervals.teqr),
        "words",
    ),
    Method(
        "i3plus3",
        "i3+3 design",
        "Liu, Wang, Ji. J Biopharm Stat 2020;30:294-304",
        _MARGINS,
        partial(building.with_margins, "i3plus3", intervals.i3plus3),
        "words",
    ),
    Method(
        "isotonic",
        "choice of the MTD by isotonic regression",
        "Liu, Yuan. J R Stat Soc C 2015;64:507-523, and the R package BOIN",
        (_TARGET,),
        building.isotonic,
        "level",
    ),
    Method(
        "crm",
        "continual reassessment method",
        "O'Quigley, Pepe, Fisher. Biometrics 1990;46:33-48",
        _CRM,
        building.crm,
        "level",
    ),
    Method(
        "blrm",
        "Bayesian logistic regression model with overdose control",
        "Neuenschwander, Branson, Gsponer. Stat Med 2008;27:2420-2439",
        _BLRM,
        building.blrm,
        "level",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
"""The methods by the names that protocols use."""
