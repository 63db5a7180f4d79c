"""Integrals over a posterior density on an even grid, and the sine integral that gives its distribution function."""

from __future__ import annotations

import numpy as np

from doselang.designs.arrays import Floats

# Gauss-Legendre points of one panel: enough for sin(t)/t over a length of pi to the last digit.
_PANEL_X, _PANEL_W = np.polynomial.legendre.leggauss(16)


def even_nodes(middle: float, reach: float, step: float) -> Floats:
    """Evenly spaced nodes about the middle, out to at least `reach`; every other one includes both ends."""
    half = 2 * int(np.ceil(reach / step / 2))
    return middle + np.arange(-half, half + 1, dtype=np.float64) * step


def sine_integral(x: Floats) -> Floats:
    """Si(x), the integral of sin(t)/t from 0 to x, for any shape, to about 1e-14; by panels of length pi."""
    size = np.abs(x)
    panels = np.floor(size / np.pi).astype(np.int64)
    starts = np.pi * np.arange(int(panels.max(initial=0)) + 1, dtype=np.float64)
    whole = np.concatenate([[0.0], np.cumsum(_sinc_over(starts, np.pi))])
    rest = size - panels * np.pi
    integral: Floats = np.sign(x) * (whole[panels] + _sinc_over(np.pi * panels.astype(np.float64), rest))
    return integral


def _sinc_over(start: Floats, length: Floats | float) -> Floats:
    half = np.asarray(length)[..., None] / 2
    points = start[..., None] + half * (1 + _PANEL_X)
    integral: Floats = (np.sinc(points / np.pi) * _PANEL_W).sum(-1) * half[..., 0]
    return integral


def weights_below(limit: Floats, nodes: Floats, step: float) -> Floats:
    """Weights, [limits, nodes], whose sum with a density at evenly spaced nodes is its probability below each limit.

    The density is replaced by its sinc interpolation, which is integrated exactly: for a smooth density the error
    falls exponentially with the step. The weights belong to a density that sums to 1 over the nodes.
    An infinite limit is allowed. Source: Stenger, Numerical Methods Based on Sinc and Analytic Functions, 1993.
    """
    steps = (limit[:, None] - nodes) / step
    inside = np.clip(steps, -1e4, 1e4)
    weights = 0.5 + sine_integral(np.pi * inside) / np.pi
    return np.where(np.isinf(limit)[:, None], (limit > 0)[:, None].astype(float), weights)
