"""Designs by rules, each as a direct recursion over its cohorts, and the closed form of Lin and Shih for A+B.

Nothing of doselang is used. A trial is the list of its cohorts; levels count from 0; all probabilities are fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from math import comb

from attrs import frozen

Rates = Sequence[Fraction]
"""True probabilities, one a level."""


@frozen
class Cohort:
    """Patients of a cohort: how many, with a DLT, and with a moderate toxicity where these count, otherwise None."""

    level: int
    size: int
    dlts: int
    moderate: int | None = None


Past = tuple[Cohort, ...]
Trials = Iterator[tuple[Past, int | None]]
"""Every list of cohorts that ends a trial, with the MTD, None where there is none."""


@frozen
class Figures:
    """Operating characteristics: probabilities of each MTD and of none, expected patients and DLTs a level."""

    mtd: tuple[Fraction, ...]
    no_mtd: Fraction
    patients: tuple[Fraction, ...]
    dlts: tuple[Fraction, ...]


def figures(trials: Iterable[tuple[Past, int | None]], rates: Rates, moderate: Rates = ()) -> Figures:
    """The figures of all trials of a design under true rates."""
    mtd, no_mtd = [Fraction(0)] * len(rates), Fraction(0)
    patients, dlts = [Fraction(0)] * len(rates), [Fraction(0)] * len(rates)
    for past, level in trials:
        chance = Fraction(1)
        for cohort in past:
            chance *= likelihood(cohort, rates, moderate)
        if level is None:
            no_mtd += chance
        else:
            mtd[level] += chance
        for cohort in past:
            patients[cohort.level] += chance * cohort.size
            dlts[cohort.level] += chance * cohort.dlts
    return Figures(tuple(mtd), no_mtd, tuple(patients), tuple(dlts))


def likelihood(cohort: Cohort, rates: Rates, moderate: Rates) -> Fraction:
    """The probability that a cohort brings what it brought."""
    rate, size, dlts = rates[cohort.level], cohort.size, cohort.dlts
    if cohort.moderate is None:
        return comb(size, dlts) * rate**dlts * (1 - rate) ** (size - dlts)
    other, count = moderate[cohort.level], cohort.moderate
    ways = comb(size, dlts) * comb(size - dlts, count)
    return ways * rate**dlts * other**count * (1 - rate - other) ** (size - dlts - count)


def tally(past: Past, level: int) -> tuple[int, int]:
    """Patients and DLTs at a level."""
    there = [cohort for cohort in past if cohort.level == level]
    return sum(cohort.size for cohort in there), sum(cohort.dlts for cohort in there)


def opened(past: Past, level: int, size: int, then: Callable[[Past], Trials]) -> Trials:
    """Every outcome of a cohort, and what follows."""
    for dlts in range(size + 1):
        yield from then((*past, Cohort(level, size, dlts)))


# ---- A+B ----


@frozen
class Sizes:
    """A, B, C, D and E of Lin and Shih (2001)."""

    a: int = 3
    b: int = 3
    c: int = 1
    d: int = 1
    e: int = 1


def a_plus_b(sizes: Sizes, levels: int, *, back: bool) -> Trials:
    """The A+B design, with de-escalation if `back`."""

    def first(past: Past, level: int) -> Trials:
        for dlts in range(sizes.a + 1):
            now = (*past, Cohort(level, sizes.a, dlts))
            if dlts < sizes.c:
                yield from up(now, level)
            elif dlts <= sizes.d:
                yield from opened(now, level, sizes.b, lambda then: judged(then, level))
            else:
                yield from down(now, level)

    def judged(past: Past, level: int) -> Trials:
        if tally(past, level)[1] > sizes.e:
            yield from down(past, level)
        elif any(cohort.level > level for cohort in past):
            yield past, level
        else:
            yield from up(past, level)

    def up(past: Past, level: int) -> Trials:
        if level == levels - 1:
            yield past, level
        else:
            yield from first(past, level + 1)

    def down(past: Past, level: int) -> Trials:
        if level == 0:
            yield past, None
        elif back and tally(past, level - 1)[0] == sizes.a:
            yield from opened(past, level - 1, sizes.b, lambda then: judged(then, level - 1))
        else:
            yield past, level - 1

    return first((), 0)


def lin_and_shih(sizes: Sizes, rates: Rates, *, back: bool) -> tuple[tuple[Fraction, ...], Fraction]:
    """The closed form for the probability of each MTD and of none: Lin and Shih (2001), Biostatistics 2, 203-215.

    `up` is their P0 + Q0, to be escalated from a level; `again` their Q2, to be too toxic after coming back; `stays`
    their Q1, to be tolerated after coming back.
    """
    up, stays, again = [], [], []
    for rate in rates:
        first = [comb(sizes.a, k) * rate**k * (1 - rate) ** (sizes.a - k) for k in range(sizes.a + 1)]
        added = [comb(sizes.b, m) * rate**m * (1 - rate) ** (sizes.b - m) for m in range(sizes.b + 1)]
        p0 = sum(first[: sizes.c], Fraction(0))
        q0 = sum(first[k] * sum(added[: sizes.e - k + 1], Fraction(0)) for k in range(sizes.c, sizes.d + 1))
        q1 = sum(first[k] * sum(added[: sizes.e - k + 1], Fraction(0)) for k in range(sizes.c))
        up.append((p0, q0))
        stays.append(q0 + q1)
        again.append(p0 - q1)
    levels = len(rates)
    mtd = [Fraction(0)] * levels
    none = Fraction(0)
    reached = Fraction(1)
    for highest in range(levels):  # the level that is found too toxic while going up
        fails = 1 - sum(up[highest])
        if not back:
            if highest:
                mtd[highest - 1] += reached * fails
            else:
                none += fails
        else:
            for level in range(highest):
                chance = stays[level] * fails
                for j in range(level):
                    chance *= sum(up[j])
                for j in range(level + 1, highest):
                    chance *= again[j]
                mtd[level] += chance
            chance = fails
            for j in range(highest):
                chance *= again[j]
            none += chance
        reached *= sum(up[highest])
    mtd[-1] += reached
    return tuple(mtd), none


def lin_and_shih_patients(sizes: Sizes, rates: Rates) -> tuple[Fraction, ...]:
    """The closed form for the expected patients a level, without de-escalation.

    Given that a level is escalated from, or that it is too toxic, the patients there are A or A+B with known chances.
    """
    expected, reached = [], Fraction(1)
    for rate in rates:
        more = sum(comb(sizes.a, k) * rate**k * (1 - rate) ** (sizes.a - k) for k in range(sizes.c, sizes.d + 1))
        expected.append(reached * (sizes.a + sizes.b * more))
        p0 = sum(comb(sizes.a, k) * rate**k * (1 - rate) ** (sizes.a - k) for k in range(sizes.c))
        q0 = sum(
            comb(sizes.a, k) * comb(sizes.b, m) * rate ** (k + m) * (1 - rate) ** (sizes.a + sizes.b - k - m)
            for k in range(sizes.c, sizes.d + 1)
            for m in range(sizes.e - k + 1)
            if m <= sizes.b
        )
        reached *= p0 + q0
    return tuple(expected)


# ---- the 3+3 with six at the MTD, its relatives, and de-escalation only ----


def classical_six(levels: int) -> Trials:
    """The 3+3 with de-escalation that rests the MTD on six patients everywhere: variant C."""

    def look(past: Past) -> Trials:
        level = past[-1].level
        size, dlts = tally(past, level)
        toxic_above = any(cohort.level > level for cohort in past)
        if dlts >= 2:
            if level == 0:
                yield past, None
            elif tally(past, level - 1)[0] == 6:
                yield past, level - 1
            else:
                yield from opened(past, level - 1, 3, look)
        elif size == 3 and dlts == 1:
            yield from opened(past, level, 3, look)
        elif toxic_above or level == levels - 1:
            if size == 3:
                yield from opened(past, level, 3, look)
            else:
                yield past, level
        else:
            yield from opened(past, level + 1, 3, look)

    return opened((), 0, 3, look)


def three_three_three(levels: int) -> Trials:
    """The 3+3+3: 0 of 3, 1 of 6 and 2 of 9 escalate; 1 of 3 and 2 of 6 add three; anything more is too toxic."""

    def look(past: Past) -> Trials:
        level = past[-1].level
        outcome = tally(past, level)
        if outcome in {(3, 1), (6, 2)}:
            yield from opened(past, level, 3, look)
        elif outcome in {(3, 0), (6, 1), (9, 2)}:
            if level == levels - 1:
                yield past, level
            else:
                yield from opened(past, level + 1, 3, look)
        else:
            yield past, level - 1 if level else None

    return opened((), 0, 3, look)


def downwards(levels: int) -> Trials:
    """From the highest level down, until at most one of six has a DLT."""

    def look(past: Past) -> Trials:
        level = past[-1].level
        size, dlts = tally(past, level)
        if dlts <= 1 and size == 6:
            yield past, level
        elif dlts <= 1:
            yield from opened(past, level, 3, look)
        elif level:
            yield from opened(past, level - 1, 3, look)
        else:
            yield past, None

    return opened((), levels - 1, 3, look)


def one_cohort_a_level(rates: Rates, size: int, tolerated: int) -> Figures:
    """The closed form where each level has one cohort: geometric, with another chance at each level."""
    mtd, none, patients, dlts = [Fraction(0)] * len(rates), Fraction(0), [], []
    reached = Fraction(1)
    for level, rate in enumerate(rates):
        up = sum((comb(size, k) * rate**k * (1 - rate) ** (size - k) for k in range(tolerated + 1)), start=Fraction(0))
        patients.append(reached * size)
        dlts.append(reached * size * rate)
        if level:
            mtd[level - 1] += reached * (1 - up)
        else:
            none = 1 - up
        reached *= up
    mtd[-1] += reached
    return Figures(tuple(mtd), none, tuple(patients), tuple(dlts))


# ---- accelerated titration, design 2 of Simon (1997) ----


def accelerated(levels: int) -> Iterator[tuple[Past, Past, int | None]]:
    """Every trial as its accelerated cohorts, its standard cohorts, and its MTD."""

    def alone(past: Past, level: int) -> Iterator[tuple[Past, Past, int | None]]:
        for dlts, moderate in ((0, 0), (0, 1), (1, 0)):
            now = (*past, Cohort(level, 1, dlts, moderate))
            seen = sum(cohort.moderate or 0 for cohort in now)
            if dlts or seen == 2 or level == levels - 1:
                for whole, mtd in opened(now, level, 2, standard):
                    yield now, whole[len(now) :], mtd
            else:
                yield from alone(now, level + 1)

    def standard(past: Past) -> Trials:
        level = past[-1].level
        size, dlts = tally(past, level)
        ceiling = level == levels - 1 or tally(past, level + 1)[0] > 0
        if dlts >= 2:
            if level == 0:
                yield past, None
                return
            below, _ = tally(past, level - 1)
            if below == 6:
                yield past, level - 1
            else:
                yield from opened(past, level - 1, {1: 2, 3: 3}[below], standard)
        elif size == 6 and ceiling:
            yield past, level
        elif size == 3 and (dlts or ceiling):
            yield from opened(past, level, 3, standard)
        else:
            yield from opened(past, level + 1, 3, standard)

    return alone((), 0)


# ---- up and down ----


def groups_up_and_down(rates: Rates, size: int, up_to: int, down_from: int, patients: int) -> Figures:
    """The up-and-down design in groups: the level is a walk, and only the level matters."""
    levels = len(rates)
    at = [Fraction(0)] * levels
    at[0] = Fraction(1)
    mtd, none = [Fraction(0)] * levels, Fraction(0)
    treated, toxic = [Fraction(0)] * levels, [Fraction(0)] * levels
    for number in range(patients // size):
        following = [Fraction(0)] * levels
        for level, chance in enumerate(at):
            treated[level] += chance * size
            toxic[level] += chance * size * rates[level]
            for dlts in range(size + 1):
                here = chance * likelihood(Cohort(level, size, dlts), rates, ())
                step = 1 if dlts <= up_to else -1 if dlts >= down_from else 0
                following[min(max(level + step, 0), levels - 1)] += here
                if number == patients // size - 1:
                    if step >= 0:
                        mtd[level] += here
                    elif level:
                        mtd[level - 1] += here
                    else:
                        none += here
        at = following
    return Figures(tuple(mtd), none, tuple(treated), tuple(toxic))


def rows_up_and_down(rates: Rates, in_a_row: int, patients: int) -> Figures:
    """The up-and-down design with k in a row: the level and the length of the row are a walk."""
    levels = len(rates)
    at = {(0, 0): Fraction(1)}
    mtd, none = [Fraction(0)] * levels, Fraction(0)
    treated, toxic = [Fraction(0)] * levels, [Fraction(0)] * levels
    for number in range(patients):
        following: dict[tuple[int, int], Fraction] = {}
        for (level, row), chance in at.items():
            bad, good = chance * rates[level], chance * (1 - rates[level])
            treated[level] += chance
            toxic[level] += bad
            longer = row + 1
            after = (min(level + 1, levels - 1), 0) if longer == in_a_row else (level, longer)
            for place, part in (((max(level - 1, 0), 0), bad), (after, good)):
                following[place] = following.get(place, Fraction(0)) + part
            if number == patients - 1:
                mtd[level] += good
                if level:
                    mtd[level - 1] += bad
                else:
                    none += bad
        at = following
    return Figures(tuple(mtd), none, tuple(treated), tuple(toxic))
