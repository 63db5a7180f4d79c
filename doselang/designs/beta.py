"""Tails of beta distributions with whole parameters, exactly: they are finite sums of binomial probabilities."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from math import comb


@lru_cache(maxsize=4096)
def at_most(part: int, whole: int, trials: int) -> tuple[int, ...]:
    """Pr(X <= k), X ~ Binomial(trials, part/whole), for k = 0 … trials, as numerators over whole**trials.

    The same sums are the upper tails of beta distributions: with whole a and b,
    Pr(rate > part/whole | Beta(a, b)) = Pr(X <= a - 1) for a + b - 1 trials.
    """
    hit, miss = [1], [1]
    for _ in range(trials):
        hit.append(hit[-1] * part)
        miss.append(miss[-1] * (whole - part))
    return tuple(accumulate(comb(trials, k) * hit[k] * miss[trials - k] for k in range(trials + 1)))
