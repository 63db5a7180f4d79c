"""Designs that compare the observed DLT rate with an interval, BOIN, CCD, TEQR, i3+3; and when a level is too toxic."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from functools import lru_cache

from doselang.designs.beta import at_most

STEPS = ("escalate", "stay", "de-escalate")
ESCALATE, STAY, DE_ESCALATE = range(3)

ELIMINATE = ("eliminate",)


@lru_cache(maxsize=4096)
def boin(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The Bayesian optimal interval design at n patients, by the number y of patients with a DLT.

    With t the target, a = lower * t the highest rate that is too low, b = upper * t the lowest that is too high:
    escalate if y/n <= ln[(1-a)/(1-t)] / ln[t(1-a)/(a(1-t))],
    de-escalate if y/n >= ln[(1-t)/(1-b)] / ln[b(1-t)/(t(1-b))].
    No logarithm is taken: y ln u <= n ln v if and only if u^y <= v^n, and these are rational.

    Source: Liu, Yuan. J R Stat Soc C 2015;64:507-523. Needs 0 < lower < 1 < upper and upper * target < 1.
    """
    t, a, b = target, lower * target, upper * target
    up, up_all = t * (1 - a) / (a * (1 - t)), ((1 - a) / (1 - t)) ** n
    down, down_all = b * (1 - t) / (t * (1 - b)), ((1 - t) / (1 - b)) ** n
    # Both powers rise with y: the two boundaries are found by halving.
    escalating = bisect_left(range(n + 1), True, key=lambda y: up**y > up_all)
    not_too_high = bisect_left(range(n + 1), True, key=lambda y: down**y >= down_all)
    return (ESCALATE,) * escalating + (STAY,) * (not_too_high - escalating) + (DE_ESCALATE,) * (n + 1 - not_too_high)


@lru_cache(maxsize=4096)
def ccd(target: Fraction, margin: Fraction, n: int) -> tuple[int, ...]:
    """The cumulative cohort design: escalate at y/n <= target - margin, de-escalate at y/n >= target + margin.

    Source: Ivanova, Flournoy, Chung. J Stat Plan Inference 2007;137:2316-2327.
    """
    low, high = (target - margin) * n, (target + margin) * n
    return tuple(ESCALATE if y <= low else DE_ESCALATE if y >= high else STAY for y in range(n + 1))


@lru_cache(maxsize=4096)
def teqr(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The toxicity equivalence range design: stay if target - lower <= y/n <= target + upper.

    Below the range escalate, above it de-escalate. Source: Blanchard, Longmate. Contemp Clin Trials 2011;32:114-121.
    """
    low, high = (target - lower) * n, (target + upper) * n
    return tuple(ESCALATE if y < low else DE_ESCALATE if y > high else STAY for y in range(n + 1))


@lru_cache(maxsize=4096)
def i3plus3(target: Fraction, lower: Fraction, upper: Fraction, n: int) -> tuple[int, ...]:
    """The i3+3 design, with the equivalence interval from target - lower to target + upper, its ends included.

    y/n below the interval: escalate. In it: stay. Above it: stay if (y-1)/n is below the interval, so that one patient
    fewer would have meant escalation, otherwise de-escalate. Source: Liu, Wang, Ji. J Biopharm Stat 2020;30:294-304.
    """
    low, high = (target - lower) * n, (target + upper) * n

    def step(y: int) -> int:
        if y < low:
            return ESCALATE
        return STAY if y <= high or y - 1 < low else DE_ESCALATE

    return tuple(step(y) for y in range(n + 1))


@lru_cache(maxsize=4096)
def too_toxic(target: Fraction, cutoff: Fraction, minimum: int, prior_a: int, prior_b: int, n: int) -> tuple[int, ...]:
    """Eliminate if n >= minimum and Pr(rate > target) > cutoff, the rate being Beta(prior_a + y, prior_b + n - y).

    The probability is a finite binomial sum, compared exactly. Source: the overdose control of the interval designs,
    as in Liu, Yuan 2015 and Ji et al. Clin Trials 2010;7:653-663.
    """
    if n < minimum:
        return (-1,) * (n + 1)
    trials = prior_a + prior_b + n - 1
    tails = at_most(target.numerator, target.denominator, trials)
    limit = cutoff * target.denominator**trials
    return tuple(0 if tails[prior_a + y - 1] > limit else -1 for y in range(n + 1))
