"""The prior guesses of a CRM's DLT rates: those given, checked, or those made from an indifference interval."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import exp, log

from doselang.designs.arguments import MethodError


def logit(rate: float) -> float:
    """The log odds of a rate between 0 and 1."""
    return log(rate / (1 - rate))


def given_skeleton(rates: tuple[Fraction, ...], levels: int) -> tuple[float, ...]:
    """The rates as given, if there is one a level and they rise, all between 0 and 1; a MethodError otherwise."""
    if len(rates) != levels:
        raise MethodError(f"the skeleton has {len(rates)} rates, the ladder has {levels} levels", "skeleton")
    if min(rates) <= 0 or max(rates) >= 1:
        raise MethodError("each rate of the skeleton lies between 0% and 100%, neither of them included", "skeleton")
    if any(after <= before for before, after in pairwise(rates)):
        raise MethodError("the rates of the skeleton rise from each level to the next", "skeleton")
    return tuple(float(rate) for rate in rates)


def made_skeleton(
    target: Fraction, halfwidth: Fraction, prior_mtd: int, levels: int, intercept: float | None
) -> tuple[float, ...]:
    """The skeleton whose indifference intervals are target ± halfwidth, with the target at level `prior_mtd`.

    On the scale x on which the model multiplies by exp(b), x = log p (power) or x = logit p - intercept (logistic),
    neighbouring levels differ by the factor x(target - halfwidth) / x(target + halfwidth).

    Parameters
    ----------
    prior_mtd
        The place of the level thought to be the MTD, 1 for the lowest.
    intercept
        That of the one-parameter logistic model, None for the power model.

    Source: Lee, Cheung. Clin Trials 2009;6:227-238.
    """
    if not 1 <= prior_mtd <= levels:
        raise MethodError(f"the prior MTD is one of the {levels} levels, counted from 1", "prior-mtd")
    if halfwidth <= 0 or target - halfwidth <= 0 or target + halfwidth >= 1:
        raise MethodError(
            "the halfwidth is positive and stays between 0% and 100% on both sides of the target", "halfwidth"
        )

    def scaled(rate: float) -> float:
        return log(rate) if intercept is None else logit(rate) - intercept

    low, high = scaled(float(target - halfwidth)), scaled(float(target + halfwidth))
    if high >= 0:
        raise MethodError("the intercept is above the log odds of the target and its halfwidth", "intercept")
    places = [scaled(float(target)) * (low / high) ** (prior_mtd - 1 - level) for level in range(levels)]
    made = tuple(exp(x) if intercept is None else 1 / (1 + exp(-(x + intercept))) for x in places)
    if not all(0 < rate < 1 for rate in made) or any(b <= a for a, b in pairwise(made)):
        raise MethodError("with this halfwidth some rates of the skeleton cannot be told from 0% or 100%", "halfwidth")
    return made
