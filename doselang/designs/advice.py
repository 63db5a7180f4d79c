"""What a method gives: words for one level's tally, or a level for the tallies of the whole ladder."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from attrs import field, frozen

from doselang.designs.arguments import MethodError
from doselang.designs.arrays import Bools, Floats, Ints, checked

Told = tuple[tuple[str, object], ...]
"""The arguments of a method by name, all of them, in the order of their names."""


@frozen
class Words:
    """A method that reads the tally of one level and says a word, or nothing.

    Two are equal if method and arguments are. `row` gives, for a number of evaluable patients n >= 1, the position
    in `words` for each number 0 … n of patients with a DLT, -1 where the method says nothing.
    """

    method: str
    arguments: Told
    words: tuple[str, ...]
    row: Callable[[int], tuple[int, ...]] = field(eq=False, repr=False)

    def says(self, evaluable: Ints, toxic: Ints) -> Ints:
        """The position in `words` of what is said of each tally; -1 where nothing is said, as with no patient.

        Parameters
        ----------
        evaluable, toxic
            Whole numbers of patients, 0 <= toxic <= evaluable, of any one shape; the answer (int8) has the same.

        Raises
        ------
        ValueError
            If there are more patients with a DLT than evaluable ones, or a negative number.
        """
        evaluable, toxic = checked(evaluable, toxic)
        largest = int(evaluable.max(initial=0))
        table = np.full((largest + 1, largest + 1), -1, np.int8)
        for n in np.flatnonzero(np.bincount(evaluable.ravel(), minlength=1)).tolist():
            if n:
                table[n, : n + 1] = self.row(n)
        said: Ints = table[evaluable, toxic]
        return said


class Ladder(Protocol):
    """How a method that reads the whole ladder computes; the arrays have been checked."""

    def recommends(self, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools) -> Ints:
        """A level for each row."""

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """Posterior probabilities by row and level."""

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """Estimated DLT rates by row and level."""


@runtime_checkable
class OfNumbers(Protocol):
    """A ladder for which it is enough to look at each different tally once."""

    def recommends_of(
        self, numbers: Ints, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools
    ) -> Ints:  # fmt: skip
        """A level for each row of `numbers` [rows, levels], positions in the other arrays."""


@frozen
class Recommender:
    """A method that reads the tallies of all levels and recommends one. Two are equal if method, arguments, levels are.

    Everywhere `evaluable` and `toxic` are whole numbers, one row a state and one column a level, lowest level first.
    """

    method: str
    arguments: Told
    levels: int
    ladder: Ladder = field(eq=False, repr=False)

    def recommends(self, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools) -> Ints:
        """The position of the recommended level in each row, 0 the lowest; -1 where none is recommended.

        Parameters
        ----------
        evaluable, toxic
            [rows, levels].
        here
            [rows]: the position of the level given last, -1 before any.
        tried
            [rows, levels]: where patients have been treated.
        closed
            [rows, levels]: where no patient may be treated any more.

        Raises
        ------
        ValueError
            If shapes or counts do not fit.
        MethodError
            If a posterior cannot be computed.
        """
        evaluable, toxic = self._fitting(evaluable, toxic)
        here, tried, closed = np.asarray(here), np.asarray(tried, bool), np.asarray(closed, bool)
        if here.shape != evaluable.shape[:1] or tried.shape != evaluable.shape or closed.shape != evaluable.shape:
            raise ValueError("one row a state, and one column for each level of the ladder")
        self._on_the_ladder(here)
        return self.ladder.recommends(evaluable, toxic, here, tried, closed)

    def recommends_of(
        self, numbers: Ints, evaluable: Ints, toxic: Ints, here: Ints, tried: Bools, closed: Bools
    ) -> Ints:  # fmt: skip
        """The same where few tallies occur, each at many levels: then it can take much less time.

        Parameters
        ----------
        numbers
            [rows, levels]: by level the position in the other arrays, of what is known of it.
        evaluable, toxic, tried, closed
            One entry a number.
        here
            As for `recommends`, which also tells what is raised.
        """
        evaluable, toxic = checked(evaluable, toxic)
        if not isinstance(self.ladder, OfNumbers):
            return self.recommends(evaluable[numbers], toxic[numbers], here, tried[numbers], closed[numbers])
        if numbers.shape != (len(here), self.levels):
            raise ValueError("one row a state, and one column for each level of the ladder")
        self._on_the_ladder(here)
        return self.ladder.recommends_of(numbers, evaluable, toxic, here, tried, closed)

    def _on_the_ladder(self, here: Ints) -> None:
        if here.size and (here.min() < -1 or here.max() >= self.levels):
            raise ValueError("the level given last is one of the ladder, or -1")

    def chance(self, evaluable: Ints, toxic: Ints, rate: Fraction) -> Floats:
        """The posterior probability, [rows, levels], that the DLT rate at each level is more than `rate`.

        Raises
        ------
        MethodError
            If the method has no posterior, or the rate is not between 0 and 1.
        """
        if not 0 < rate < 1:
            raise MethodError(f"a DLT rate to exceed lies between 0% and 100%, not at {float(rate):.6g}")
        return self.ladder.chance(*self._fitting(evaluable, toxic), rate)

    def estimates(self, evaluable: Ints, toxic: Ints) -> Floats:
        """The estimated DLT rate at each level, [rows, levels]; not a number where the method makes no estimate."""
        return self.ladder.estimates(*self._fitting(evaluable, toxic))

    def _fitting(self, evaluable: Ints, toxic: Ints) -> tuple[Ints, Ints]:
        evaluable, toxic = checked(evaluable, toxic)
        if evaluable.ndim != 2 or evaluable.shape[1] != self.levels:
            raise ValueError("one row a state, and one column for each level of the ladder")
        return evaluable, toxic


Adviser = Words | Recommender
