"""The letters of many histories, in words of 64 bits: their order is that of the words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import define, field, frozen

from doselang.machine.arrays import NDArray, Words
from doselang.machine.records import Ints

WORD = 64


@frozen(eq=False)
class Letters:
    """Letters of histories, one row each, from the first bit on; what is not there is 0 and comes first.

    `words` are [rows, words], `length` how many letters each row has, of so many `bits` each.
    """

    words: Words
    length: Ints
    bits: int

    def __len__(self) -> int:
        return len(self.length)

    def take(self, rows: Ints) -> Letters:
        """Some of the rows."""
        return Letters(self.words.take(rows, axis=0), self.length[rows], self.bits)

    def then(self, more: Letters) -> Letters:
        """The letters of each row, followed by those of the same row of others."""
        length = self.length + more.length
        width = -(-int(length.max(initial=1)) * self.bits // WORD)
        words = np.zeros((len(self), max(width, self.words.shape[1]) + 1), np.uint64)
        words[:, : self.words.shape[1]] = self.words
        place, shift = np.divmod(self.length * self.bits, WORD)
        line, right, left = np.arange(len(self)), shift.astype(np.uint64), (WORD - shift).astype(np.uint64)
        for number in range(more.words.shape[1]):
            at = np.minimum(place + number, width - 1)
            words[line, at] |= more.words[:, number] >> right
            words[line, at + 1] |= more.words[:, number] << left
        return Letters(words[:, :width], length, self.bits)

    def order(self) -> NDArray[np.int64]:
        """The rows in order; equal ones stay as they are."""
        if self.words.shape[1] == 1:
            return np.argsort(self.words[:, 0], kind="stable")
        keys = self.words.astype(">u8").view(f"S{8 * self.words.shape[1]}")[:, 0]
        return np.argsort(keys, kind="stable")


def concatenated(rows: Sequence[Letters]) -> Letters:
    """All rows of several, one after another."""
    length = np.concatenate([one.length for one in rows])
    words, row = np.zeros((len(length), max(one.words.shape[1] for one in rows)), np.uint64), 0
    for one in rows:
        words[row : row + len(one), : one.words.shape[1]] = one.words
        row += len(one)
    return Letters(words, length, rows[0].bits)


def nothing(rows: int, classes: int) -> Letters:
    """Histories without letters, which are to be so many different ones."""
    bits = next(bits for bits in (2, 4, 8, 16) if classes < 1 << bits)
    return Letters(np.zeros((rows, 1), np.uint64), np.zeros(rows, np.int32), bits)


@define
class Endings:
    """The letters of the exits that were met, by exit."""

    classes: int
    _letters: Letters = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._letters = nothing(0, self.classes)

    def of(self, written: list[str]) -> Letters:
        """The letters of all exits, written as digits; those known before are not read again."""
        new = written[len(self._letters) :]
        if new:
            many = max(1, -(-max(map(len, new)) * self._letters.bits // WORD))
            words = np.array([self._words(letters, many) for letters in new], np.uint64)
            length = np.array([len(letters) for letters in new], np.int32)
            self._letters = concatenated([self._letters, Letters(words, length, self._letters.bits)])
        return self._letters

    def _words(self, written: str, many: int) -> list[int]:
        """The letters of an exit, in so many words."""
        bits, value = self._letters.bits, 0
        for digit in written:
            value = value << bits | int(digit) + 1
        value <<= many * WORD - len(written) * bits
        return [value >> WORD * (many - 1 - n) & (1 << WORD) - 1 for n in range(many)]
