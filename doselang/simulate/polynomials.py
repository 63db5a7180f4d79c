"""The probability of each result of a trial as a polynomial in the rates: for any rates, with its derivatives."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from doselang.machine.arrays import pack
from doselang.machine.records import Ints
from doselang.machine.weights import Floats, outcome_powers
from doselang.simulate.parametric import Parametric

UNDECIDED = "undecided"


@frozen(eq=False)
class Polynomial:
    """A sum of terms: a number of orders times, for each level, powers of the chances of its outcomes.

    `orders` [terms]; `exponents` [terms, levels, 1 + toxicities], the patients without toxicity, and with each, whose
    chances are 1 - p1 - p2 …, p1, p2 …. Coefficients are whole numbers, exact below 2^53.
    """

    orders: Floats
    exponents: Ints

    def __len__(self) -> int:
        return len(self.orders)

    def at(self, rates: Floats) -> Floats:
        """The values, [K], at rates [K, toxicities, levels]."""
        return np.asarray(self.orders @ self._factors(rates).prod(axis=1), np.float64)

    def gradient(self, rates: Floats) -> Floats:
        """The derivatives, [K, toxicities, levels], by the rates [K, toxicities, levels]."""
        factors = self._factors(rates)
        levels = self.exponents.shape[1]
        found = np.zeros(rates.shape)
        for level in range(levels):
            others = np.delete(factors, level, axis=1).prod(axis=1) * self.orders[:, None]
            for toxicity in range(rates.shape[1]):
                own = self._derivative(rates, level, 1 + toxicity) - self._derivative(rates, level, 0)
                found[:, toxicity, level] = (others * own).sum(axis=0)
        return found

    def _powers(self, rates: Floats) -> Floats:
        return outcome_powers(rates, int(self.exponents.max(initial=0)))

    def _factors(self, rates: Floats) -> Floats:
        """What each level adds to each term, [terms, levels, K]."""
        powers = self._powers(rates)
        levels = np.arange(self.exponents.shape[1])
        factors = np.ones((*self.exponents.shape[:2], len(rates)))
        for outcome in range(self.exponents.shape[2]):
            factors *= powers[self.exponents[:, :, outcome], outcome, levels]
        return factors

    def _derivative(self, rates: Floats, level: int, outcome: int) -> Floats:
        """The derivative of what a level adds to each term, by the chance of one of its outcomes: [terms, K]."""
        powers = self._powers(rates)
        exponent = self.exponents[:, level]
        found = exponent[:, outcome, None] * powers[np.maximum(exponent[:, outcome] - 1, 0), outcome, level]
        for other in range(exponent.shape[1]):
            if other != outcome:
                found = found * powers[exponent[:, other], other, level]
        return np.asarray(found, np.float64)


def polynomials(counted: Parametric) -> dict[str, Polynomial]:
    """By result: a level's label for the trial's result, `no MTD` and other verdicts by name, and `undecided`.

    Results that no trial reaches have no polynomial. Terms with equal powers are one; patients whose outcome makes no
    difference to the result are left out; terms of fewer patients come first.
    """
    ends = counted.counted.ends
    named = np.array([_name(counted, frame) for frame in counted.end_frames], object)[counted.frame_of]
    exponents = counted.exponents[counted.codes]
    found = {}
    for name in sorted(dict.fromkeys(named.tolist()), key=_order(counted)):
        some = np.flatnonzero(named == name)
        flat = exponents[some].reshape(len(some), -1)
        _, first, which = np.unique(pack(flat), return_index=True, return_inverse=True)
        orders: Floats = np.bincount(which, weights=ends.orders[some]).astype(np.float64)
        rows = exponents[some[first]]
        for level in range(rows.shape[1]) if rows.shape[2] == 2 else ():
            orders, rows = _shortened(orders, rows, level)
        by = np.lexsort((*rows.reshape(len(rows), -1).T[::-1], rows.sum(axis=(1, 2))))
        found[name] = Polynomial(orders[by], rows[by])
    return found


def _shortened(orders: Floats, exponents: Ints, level: int) -> tuple[Floats, Ints]:
    """The same polynomial, without the patients at a level whose outcome makes no difference.

    Terms that agree but for the outcomes at the level are together a polynomial in q and p of one degree. While q + p
    divides it, it is divided, for q + p is 1.
    """
    groups: dict[tuple[bytes, int], dict[int, int]] = {}
    for order, row in zip(orders.tolist(), exponents, strict=True):
        other = row.copy()
        other[level] = 0
        toxic, patients = int(row[level, 1]), int(row[level].sum())
        groups.setdefault((other.tobytes(), patients), {})[toxic] = int(order)
    found: dict[tuple[bytes, int, int], int] = {}
    for (other_levels, patients), terms in groups.items():
        coefficients = [terms.get(toxic, 0) for toxic in range(patients + 1)]
        while len(coefficients) > 1 and (divided := _divided(coefficients)) is not None:
            coefficients = divided
        for toxic, order in enumerate(coefficients):
            if order:
                key = (other_levels, len(coefficients) - 1 - toxic, toxic)
                found[key] = found.get(key, 0) + order
    rows = np.array([np.frombuffer(key[0], exponents.dtype) for key in found]).reshape(-1, *exponents.shape[1:])
    rows[:, level] = [key[1:] for key in found]
    return np.array(list(found.values()), np.float64), rows


def _divided(coefficients: list[int]) -> list[int] | None:
    """The coefficients of q^n, q^(n-1) p, … divided by q + p; None where something would be left, or be negative."""
    quotient, left = [], 0
    for coefficient in coefficients:
        left = coefficient - left
        quotient.append(left)
    return None if quotient.pop() or min(quotient) < 0 else quotient


def _name(counted: Parametric, frame: int) -> str:
    result, protocol = counted.results[frame], counted.counted.machine.protocol
    if result is None:
        return UNDECIDED
    if result.level >= 0:
        return f"{protocol.verdicts[protocol.result].name} {protocol.levels[result.level].label}"
    return f"no {protocol.verdicts[protocol.result].name}" if result.verdict == "no mtd" else result.verdict


def _order(counted: Parametric):  # type: ignore[no-untyped-def]
    """Levels in the order of the ladder, then that there is none, other verdicts, and undecided."""
    protocol = counted.counted.machine.protocol
    verdict = protocol.verdicts[protocol.result].name
    order = [f"{verdict} {level.label}" for level in protocol.levels] + [f"no {verdict}"]

    def key(name: str) -> tuple[int, str]:
        return (order.index(name) if name in order else len(order) + (name == UNDECIDED), name)

    return key
