"""Random scenarios: rates drawn evenly between two bounds, each scenario sorted to rise from level to level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import frozen
from numpy.random import SeedSequence, default_rng

from doselang.diagnostics import trouble
from doselang.protocol.model import Protocol, Scenario
from doselang.resolve import read_setting
from doselang.resolve.names import listing, nearest, shorten

KEYS = ("number", "seed", "from", "to")
MOST = 100_000

EXAMPLE = "Write for example:\n[random-scenarios]\nnumber = 100\nseed = 7\nfrom = 0.02\nto = 0.6"

DIGITS = 4
"""Rates are rounded to hundredths of a percent, so that they can be read and typed."""


@frozen
class Draw:
    """What to draw: `number` scenarios, with rates from `lowest` to `highest`."""

    number: int
    seed: int
    lowest: float
    highest: float

    def words(self) -> str:
        return f"{self.number} with rates from {self.lowest:g} to {self.highest:g}, seed {self.seed}"

    def scenarios(self, protocol: Protocol) -> tuple[Scenario, ...]:
        """The scenarios for a protocol: the same for every protocol with as many levels.

        Raises Trouble DL903 where several toxicities are counted: how their rates go together is not for chance to say.
        """
        if len(protocol.toxicities) > 1:
            names = listing([one.name for one in protocol.toxicities])
            raise trouble("DL903", f"random scenarios are of one toxicity, and the protocol counts {names}.")
        levels = len(protocol.levels)
        generator = default_rng(SeedSequence([self.seed, levels]))
        drawn = np.sort(generator.uniform(self.lowest, self.highest, (self.number, levels)), axis=1).round(DIGITS)
        return tuple(Scenario(f"random {n}", (tuple(rates),)) for n, rates in enumerate(drawn.tolist(), 1))


def draw_from(written: object, path: str) -> Draw:
    """What the table of a plan asks for. Raises Trouble DL903."""
    if not isinstance(written, Mapping):
        raise trouble("DL903", f"`random-scenarios` of {path} is not a table.", help=EXAMPLE)
    for key in written:
        if key not in KEYS:
            near = nearest(key, KEYS)
            help = f"Did you mean `{near}`?" if near else EXAMPLE
            raise trouble(
                "DL903", f"The key `{shorten(key, 40)}` in `random-scenarios` of {path} is unknown.", help=help
            )
    missing = [key for key in ("number", "seed") if key not in written]
    if missing:
        raise trouble("DL903", f"`random-scenarios` of {path} gives no {listing(missing)}.", help=EXAMPLE)
    number, seed = (_whole(written[key], key, path) for key in ("number", "seed"))
    if not 1 <= number <= MOST:
        raise trouble("DL903", f"`number` in `random-scenarios` of {path} is {number}, and not from 1 to {MOST:,}.")
    lowest, highest = (_rate(written.get(key, default), key, path) for key, default in (("from", 0), ("to", 1)))
    if lowest >= highest:
        message = f"`from` in `random-scenarios` of {path} is {lowest:g}, and `to` is {highest:g}."
        raise trouble("DL903", message, help="Write the smaller rate at `from`.")
    return Draw(number, seed, lowest, highest)


def _whole(value: object, key: str, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    message = f"`{key}` in `random-scenarios` of {path} is `{shorten(str(value), 40)}`, which is not a whole number."
    raise trouble("DL903", message)


def _rate(value: object, key: str, path: str) -> float:
    read = read_setting(str(value)) if isinstance(value, int | float | str) else None
    if read is None or isinstance(value, bool) or len(read.numbers) != 1 or not 0 <= read.numbers[0] <= 1:
        message = (
            f"`{key}` in `random-scenarios` of {path} is `{shorten(str(value), 40)}`, which is not a rate from 0 to 1."
        )
        raise trouble("DL903", message)
    return float(read.numbers[0])
