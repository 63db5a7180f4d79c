"""The options of a plan: the method, and what goes with it, from the plan or the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from doselang.diagnostics import trouble
from doselang.machine.exits import Accrual
from doselang.machine.exploring import MAX_STATES
from doselang.resolve.names import listing, nearest, shorten
from doselang.simulate.characteristics import Method
from doselang.simulate.montecarlo import MOST_TRIALS, TRIALS
from doselang.sweep.plan import Options

KEYS = ("method", "accrual", "trials", "seed", "max-states")

METHODS = ("exact", "montecarlo")
ACCRUALS = ("one-at-a-time", "whole-cohort")

MOST_SEED = 1 << 64


def options_from(written: Mapping[str, Any], path: str) -> Options:
    """The options that are written, and what stands where there are none. Raises Trouble DL903 for wrong ones."""
    method = _choice(written.get("method", "exact"), "method", METHODS, path)
    accrual = _choice(written.get("accrual", "one-at-a-time"), "accrual", ACCRUALS, path)
    states = _whole(written.get("max-states", MAX_STATES), "max-states", 1, 1 << 40, path)
    if method == "exact":
        for key in ("trials", "seed"):
            if key in written:
                message = f"`{key}` of {path} goes with `montecarlo`; exact figures need no trials and no seed."
                raise trouble(
                    "DL903",
                    message,
                    help='Leave it out, or simulate: `--method montecarlo`, or in a plan: method = "montecarlo"',
                )
        return Options("exact", cast(Accrual, accrual), max_states=states)
    if "seed" not in written:
        raise trouble("DL903", f"{path} simulates trials, and gives no seed: another run would have other figures.",
                      help="Give a number of your choice: `--seed 20`, or in a plan: seed = 20")  # fmt: skip
    trials = _whole(written.get("trials", TRIALS), "trials", 1, MOST_TRIALS, path)
    seed = _whole(written["seed"], "seed", 0, MOST_SEED, path)
    return Options(cast(Method, method), cast(Accrual, accrual), trials, seed, states)


def _choice(value: object, key: str, choices: tuple[str, ...], path: str) -> str:
    if value in choices:
        return str(value)
    near = nearest(str(value), choices)
    help = f"Did you mean `{near}`?" if near else f"It is {listing(choices, 'or')}."
    raise trouble("DL903", f"`{key}` of {path} is `{shorten(str(value), 40)}`, which is unknown.", help=help)


def _whole(value: object, key: str, least: int, most: int, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    message = (
        f"`{key}` of {path} is `{shorten(str(value), 40)}`, which is not a whole number from {least:,} to {most:,}."
    )
    raise trouble("DL903", message)
