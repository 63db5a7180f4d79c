"""The probability of each result of a trial as a polynomial in the rates: for any rates, with its derivatives."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from doselang.machine.arrays import pack
from doselang.machine.merging import joined
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
        factors, powers = self._factors(rates), self._powers(rates)
        levels = self.exponents.shape[1]
        found = np.zeros(rates.shape)
        for level in range(levels):
            others = np.delete(factors, level, axis=1).prod(axis=1) * self.orders[:, None]
            free = self._derivative(powers, level, 0)
            for toxicity in range(rates.shape[1]):
                own = self._derivative(powers, level, 1 + toxicity) - free
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

    def _derivative(self, powers: Floats, level: int, outcome: int) -> Floats:
        """The derivative of what a level adds to each term, by the chance of one of its outcomes: [terms, K]."""
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
    every = list(counted.counted.ends.blocks(len(counted)))
    names = np.array([_name(counted, frame) for frame in counted.end_frames], object)
    named = names[counted.frame_at[np.concatenate([some.frames for some in every])]]
    ends = joined([some.states for some in every])
    exponents = counted.exponents[ends.codes(counted.counted.machine.levels)]
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


# ---- the worst case over a region ----

MOST_BOXES = 1 << 17


@frozen(eq=False)
class Largest:
    """The largest value of a polynomial over a region: it is `value` at `rates` [levels], and nowhere above `bound`."""

    value: float
    rates: Floats
    bound: float


def largest(polynomial: Polynomial, low: Floats, high: Floats, *, tolerance: float = 1e-3) -> Largest:
    """The worst case of a result over all rates from `low` to `high`, [levels] each, in [0, 1].

    By branch and bound: a term is at most the product of what each level adds at most, which is known for an interval
    of rates. Boxes that cannot hold more than what was found, by more than the tolerance, are left; the others are
    halved along the level that may still add most. After MOST_BOXES boxes the bound may be further from the value; it
    holds all the same. Raises ValueError for several toxicities, or where the region is none.
    """
    low, high = np.asarray(low, float), np.asarray(high, float)
    if polynomial.exponents.shape[2] != 2:
        raise ValueError("the worst case is found for protocols that count one toxicity")
    if low.shape != polynomial.exponents.shape[1:2] or low.shape != high.shape:
        raise ValueError(f"there must be one rate a level: {polynomial.exponents.shape[1]}")
    if not ((low >= 0) & (low <= high) & (high <= 1)).all():
        raise ValueError("the rates must be from 0 to 1, the lower ones not above the higher ones")
    boxes, best, where, seen, left = np.stack([low, high])[None], -1.0, low, 0, 0.0
    while len(boxes):
        middle = boxes.mean(axis=1)
        values = polynomial.at(middle[:, None, :])
        if values.max() > best:
            best, where = float(values.max()), middle[int(np.argmax(values))]
        bounds = _at_most(polynomial, boxes)
        seen += len(boxes)
        kept = bounds > best + tolerance
        if seen > MOST_BOXES:
            left = float(bounds[kept].max(initial=0.0))
            break
        boxes = _halved(boxes[kept])
    return Largest(best, where, max(best + tolerance, left))


def _halved(boxes: Floats) -> Floats:
    """Each box [boxes, 2, levels] in two, along its longest side."""
    rows, side = np.arange(len(boxes)), np.argmax(boxes[:, 1] - boxes[:, 0], axis=1)
    middle = boxes.mean(axis=1)[rows, side]
    lower, upper = boxes.copy(), boxes.copy()
    lower[rows, 1, side] = middle
    upper[rows, 0, side] = middle
    return np.concatenate([lower, upper])


def _at_most(polynomial: Polynomial, boxes: Floats) -> Floats:
    """What the polynomial is at most in each box, [boxes]."""
    safe, toxic = polynomial.exponents[:, :, 0], polynomial.exponents[:, :, 1]
    patients = safe + toxic
    # (1-p)^a p^b rises up to b/(a+b), and falls from there
    peak = np.divide(toxic, patients, out=np.zeros(patients.shape), where=patients > 0)
    found = np.zeros(len(boxes))
    block = max(1, (1 << 20) // peak.size)
    for start in range(0, len(boxes), block):
        some = boxes[start : start + block]
        rate = np.clip(peak[None], some[:, 0][:, None], some[:, 1][:, None])
        found[start : start + block] = ((1 - rate) ** safe * rate**toxic).prod(axis=2) @ polynomial.orders
    return found
