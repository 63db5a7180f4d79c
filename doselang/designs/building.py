"""How each decision method is built from what it was told, and which of it does not go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import exp, log
from typing import Any, cast

from doselang.designs import intervals
from doselang.designs.advice import Adviser, Recommender, Told, Words
from doselang.designs.arguments import MethodError
from doselang.designs.blrm import Blrm
from doselang.designs.crm import Crm
from doselang.designs.intervals import ELIMINATE, STEPS
from doselang.designs.isotonic import Isotonic
from doselang.designs.skeleton import given_skeleton, made_skeleton

Given = Mapping[str, object]
"""All arguments of a method by name, each of its kind and in its range."""


def _told(given: Given) -> Told:
    return tuple(sorted(given.items()))


def _rate(given: Given, name: str) -> Fraction:
    return cast(Fraction, given[name])


def _target(given: Given) -> Fraction:
    target = _rate(given, "target")
    if not 0 < target < 1:
        raise MethodError("the target lies between 0% and 100%, neither of them included", "target")
    return target


def boin(given: Given, levels: int) -> Adviser:
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


def with_margins(name: str, row: Callable[..., tuple[int, ...]], given: Given, levels: int) -> Adviser:
    return Words(name, _told(given), STEPS, partial(row, *_margins(given)))


def by_units(name: str, row: Callable[..., tuple[int, ...]], given: Given, levels: int) -> Adviser:
    target, lower, upper = _margins(given)
    if lower + upper < Fraction(1, 100):
        raise MethodError("the two margins together are at least 1%: narrower intervals decide nothing", "lower-margin")
    if name == "keyboard" and not lower + upper <= min(target - lower, 1 - target - upper):
        raise MethodError("the margins leave no whole key on one side of the target key", "lower-margin")
    return Words(name, _told(given), STEPS, partial(row, target, lower, upper))


def ccd(given: Given, levels: int) -> Adviser:
    target, margin = _target(given), _rate(given, "margin")
    if not 0 < margin < min(target, 1 - target):
        raise MethodError("the margin is more than 0, and less than the target and its distance from 100%", "margin")
    return Words("ccd", _told(given), STEPS, partial(intervals.ccd, target, margin))


def too_toxic(given: Given, levels: int) -> Adviser:
    cutoff = _rate(given, "cutoff") - _rate(given, "offset")
    if not 0 < cutoff < 1:
        raise MethodError("the cutoff less the offset lies between 0% and 100%, neither of them included", "cutoff")
    whole = [cast(int, given[name]) for name in ("minimum", "prior-a", "prior-b")]
    return Words("too-toxic", _told(given), ELIMINATE, partial(intervals.too_toxic, _target(given), cutoff, *whole))


def isotonic(given: Given, levels: int) -> Adviser:
    return Recommender("isotonic", _told(given), levels, Isotonic(_target(given)))


def crm(given: Given, levels: int) -> Adviser:
    target, model, intercept = _target(given), given["model"], float(_rate(given, "intercept"))
    rates, prior_mtd = cast(tuple[Fraction, ...], given["skeleton"]), cast(int, given["prior-mtd"])
    if bool(rates) == bool(prior_mtd):
        raise MethodError("crm is told either the skeleton, or the prior-mtd from which a skeleton is made", "skeleton")
    if rates:
        skeleton = given_skeleton(rates, levels)
    else:
        constant = None if model == "power" else intercept
        skeleton = made_skeleton(target, _rate(given, "halfwidth"), prior_mtd, levels, constant)
    if model == "logistic" and skeleton[-1] >= 1 / (1 + exp(-intercept)):
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
        reach=_reach("crm", given, levels),
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


def _doses(name: str, given: Given, levels: int) -> tuple[Fraction, ...]:
    doses = cast(tuple[Fraction, ...], given["doses"])
    if len(doses) != levels:
        raise MethodError(f"{name} is told {len(doses)} doses, the ladder has {levels} levels", "doses")
    if min(doses) <= 0 or any(after <= before for before, after in pairwise(doses)):
        raise MethodError(f"the doses of {name} are above 0 and rise from each level to the next", "doses")
    return doses


def _reach(name: str, given: Given, levels: int) -> tuple[int, ...]:
    """By level the highest one whose dose the largest increase allows, exactly; () if the increase is not limited."""
    if not given["increase-at-most"]:
        return ()
    most = _rate(given, "increase-at-most")
    if not given["doses"]:
        raise MethodError(f"{name} is told no doses, and cannot tell by how much they increase", "increase-at-most")
    doses = _doses(name, given, levels)
    return tuple(sum(dose <= last * (1 + most) for dose in doses) - 1 for last in doses)


def blrm(given: Given, levels: int) -> Adviser:
    doses, reference = _doses("blrm", given, levels), _rate(given, "reference-dose")
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
        reach=_reach("blrm", given, levels),
    )
    return Recommender("blrm", _told(given), levels, model)
