"""Integrals over a posterior density on an even grid, and the sine integral that gives its distribution function."""

from __future__ import annotations

from functools import cache

import numpy as np

from doselang.designs.arrays import Floats, Ints

# Gauss-Legendre points of one panel: enough for sin(t)/t over a length of pi to the last digit.
_PANEL_X, _PANEL_W = np.polynomial.legendre.leggauss(16)

_NOTHING = 1e-200
"""Stands for 0 where it is divided by."""

FARTHEST = 10_000
"""So many steps from the nodes a limit is as good as infinite."""


def even_nodes(middle: float, reach: float, step: float) -> Floats:
    """Evenly spaced nodes about the middle, out to at least `reach`; every other one includes both ends."""
    half = 2 * int(np.ceil(reach / step / 2))
    return middle + np.arange(-half, half + 1, dtype=np.float64) * step


def sine_integral(whole: Ints, rest: Floats) -> Floats:
    """Si(pi * (whole + rest)), [rows, columns], to about 1e-14; Si(x) is the integral of sin(t)/t from 0 to x.

    `whole` are whole numbers, [rows, columns], at most FARTHEST from 0, and `rest`, [rows], is in [0, 1): at the points
    of a panel sin(t) is the same, up to its sign, in a whole row.
    """
    at, beyond = np.maximum(rest, _NOTHING)[:, None] * (1 + _PANEL_X) / 2, np.zeros(whole.shape)
    height = np.sin(np.pi * at) * _PANEL_W / 2
    for point in range(len(_PANEL_X)):
        beyond += height[:, point, None] / (whole + at[:, point, None])
    beyond *= np.where(whole % 2 == 0, 1.0, -1.0) * rest[:, None]
    integral: Floats = np.sign(whole) * _of_whole()[np.abs(whole)] + beyond
    return integral


@cache
def _of_whole() -> Floats:
    """Si(pi * n) for n from 0 to FARTHEST."""
    points = np.arange(FARTHEST, dtype=np.float64)[:, None] + (1 + _PANEL_X) / 2
    return np.concatenate([[0.0], np.cumsum((np.sinc(points) * _PANEL_W).sum(1) * np.pi / 2)])


def weights_below(limit: Floats, nodes: Floats, step: float) -> Floats:
    """Weights, [limits, nodes], whose sum with a density at evenly spaced nodes is its probability below each limit.

    The density is replaced by its sinc interpolation, which is integrated exactly: for a smooth density the error
    falls exponentially with the step. The weights belong to a density that sums to 1 over the nodes.
    An infinite limit is allowed. Source: Stenger, Numerical Methods Based on Sinc and Analytic Functions, 1993.
    """
    finite = np.where(np.isinf(limit), 0.0, limit)
    whole, rest = np.divmod((finite - nodes[0]) / step, 1.0)
    inside = np.clip(whole[:, None] - np.arange(len(nodes)), -FARTHEST, FARTHEST).astype(np.int64)
    weights = 0.5 + sine_integral(inside, rest) / np.pi
    return np.where(np.isinf(limit)[:, None], (limit > 0)[:, None].astype(float), weights)
