"""Units of doses: which there are, and which one was probably meant."""

from __future__ import annotations

from difflib import get_close_matches

QUANTITIES = (
    "mg", "g", "mcg", "ng", "kg", "mL", "L", "IU", "MBq", "GBq", "kBq", "Gy", "cells", "mol", "mmol", "vg",
)  # fmt: skip
DIVISORS = ("m2", "kg", "day", "week", "h", "min", "mL", "L")

MEANT = {
    "µg": "mcg", "μg": "mcg", "ug": "mcg", "microgram": "mcg", "micrograms": "mcg", "milligram": "mg",
    "milligrams": "mg", "gram": "g", "grams": "g", "gramme": "g", "nanogram": "ng", "nanograms": "ng",
    "litre": "L", "litres": "L", "liter": "L", "liters": "L", "cc": "mL", "unit": "IU", "units": "IU", "iu": "IU",
    "cell": "cells", "gray": "Gy", "genomes": "vg", "m^2": "m2", "m²": "m2", "sqm": "m2", "qm": "m2", "m": "m2",
    "d": "day", "days": "day", "daily": "day", "wk": "week", "weeks": "week", "weekly": "week", "hr": "h",
    "hour": "h", "hours": "h", "minute": "min", "minutes": "min",
}  # fmt: skip
"""What people also write."""


def is_unit(unit: str) -> bool:
    """Whether this is one of the quantities, perhaps per one or two different divisors."""
    quantity, *divisors = unit.split("/")
    return quantity in QUANTITIES and all(divisor in DIVISORS for divisor in divisors) and _plain(quantity, divisors)


def _plain(quantity: str, divisors: list[str]) -> bool:
    return len(divisors) <= 2 and len({quantity, *divisors}) == 1 + len(divisors)


def nearest_unit(unit: str) -> str | None:
    """The unit that was probably meant."""
    if len(unit) > 40:
        return None
    quantity, *divisors = unit.split("/")
    parts = [_nearest(quantity, QUANTITIES), *(_nearest(divisor, DIVISORS) for divisor in divisors)]
    meant = "/".join(part for part in parts if part)
    return meant if None not in parts and is_unit(meant) else None


def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    meant = MEANT.get(word, MEANT.get(word.lower()))
    if word in known:
        return word
    if meant in known:
        return meant
    same = [name for name in known if name.lower() == word.lower()]
    return next(iter(same or get_close_matches(word, known, n=1, cutoff=0.6)), None)
