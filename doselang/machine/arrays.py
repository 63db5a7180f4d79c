"""Arrays: their type (numpy's own typing module takes long to import), rows as numbers, what small numbers occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray as NDArray
else:

    class NDArray:
        """Stands for `numpy.typing.NDArray` where nobody checks types."""

        def __class_getitem__(cls, item: Any) -> type[np.ndarray]:
            return np.ndarray


Words = NDArray[np.uint64]

_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
"""Odd numbers without a pattern, by which a hash is multiplied."""


def pack(rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """One number a row of whole numbers: equal rows, and only those, have equal numbers."""
    return packed(np.ascontiguousarray(rows.T))


def packed(columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """One number a row, as `pack`, of rows given by columns, [columns, rows]: fastest where each lies in one piece."""
    key, radix = np.zeros(columns.shape[1], np.int64), 1
    if not columns.size:
        return key
    for column, low, high in zip(columns, columns.min(axis=1).tolist(), columns.max(axis=1).tolist(), strict=True):
        width = high - low + 1
        if width == 1:
            continue
        if radix * width >= 1 << 62:
            _, _, key = np.unique(key, return_index=True, return_inverse=True)  # with the index it sorts: faster
            radix = int(key.max(initial=0)) + 1
        key *= width
        key += column
        key -= low
        radix *= width
    return key


def hashed(columns: Sequence[Words]) -> Words:
    """A hash of each row, given by columns: of equal rows the same; its upper bits are the best mixed."""
    key = np.zeros(len(columns[0]), np.uint64)
    for number, column in enumerate(columns):
        key ^= column
        key *= _MIX[1 + number % 3]
        key ^= key >> np.uint64(32)
    mixed: Words = key * _MIX[0]
    return mixed


def labels(rows: NDArray[np.integer[Any]]) -> list[bytes]:
    """The bytes of each row."""
    if not rows.shape[1]:
        return [b""] * len(rows)
    found: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.itemsize * rows.shape[1]}")[:, 0].tolist()
    return found


def held_once(column: NDArray[Any]) -> bool:
    """Whether a column has one value in all rows, which takes the place of one."""
    return len(column) > 0 and column.strides[0] == 0


def fetched(column: NDArray[Any], rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """Some rows of a column; held once where one row is meant everywhere."""
    if held_once(rows):
        return np.broadcast_to(column[rows[0]], (len(rows), *column.shape[1:]))
    found: NDArray[Any] = column[rows]
    return found


def summed(table: NDArray[np.integer[Any]], codes: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The sum over the columns of what a table has for each code: level by level, faster than over short rows."""
    total = np.zeros(len(codes), np.int32)
    for level in range(codes.shape[1]):
        total += table[codes[:, level]]
    return total


def present(numbers: NDArray[np.integer[Any]]) -> list[int]:
    """The numbers, from 0, that occur, in order: by counting, which is faster than sorting or hashing."""
    found: list[int] = np.flatnonzero(np.bincount(numbers)).tolist()
    return found


def distinct(columns: Sequence[NDArray[np.integer[Any]]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first position of each kind of row, and the kind of every row; the columns hold whole numbers.

    Kinds are found by counting where the numbers are small, which is many times faster than by sorting.
    """
    key = packed(np.vstack(columns))
    top = int(key.max(initial=0)) + 1
    if top > max(1 << 16, 4 * len(key)):
        _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
        return index, inverse
    where = np.full(top, -1)
    where[key[::-1]] = np.arange(len(key))[::-1]
    there = np.flatnonzero(where >= 0)
    kind = np.empty(top, np.int64)
    kind[there] = np.arange(len(there))
    return where[there], kind[key]


def missing(
    found: NDArray[np.integer[Any]], rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]]
) -> list[tuple[int, int]]:  # fmt: skip
    """The places (row, column) of a table, in order and each once, where a negative number was found."""
    where = np.nonzero(found < 0)
    rows, columns = rows[where], columns[where]
    first, _ = distinct([rows, columns])
    return list(zip(rows[first].tolist(), columns[first].tolist(), strict=True))


def dense(
    columns: Sequence[NDArray[np.integer[Any]]], most: int
) -> tuple[NDArray[np.int64], tuple[int, ...]] | None:  # fmt: skip
    """One number a row, below `most`, and a shape: with one shape equal rows, and only those, have equal numbers.

    That holds for the rows of several calls together. The columns hold whole numbers from 0; None where `most` is too
    little.
    """
    key, shape, size = np.zeros(len(columns[0]), np.int64), [], 1
    for column in columns if len(key) else ():
        if held_once(column):
            shape.append(-1 - int(column[0]))
            continue
        bits = int(column.max()).bit_length()
        size <<= bits
        if size > most:
            return None
        key <<= bits
        key |= column
        shape.append(bits)
    return key, tuple(shape)


def ranges(
    first: NDArray[np.integer[Any]], count: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """By row the numbers first, first + 1, … of which there are `count`: the row of each, and the number."""
    row = np.repeat(np.arange(len(first)), count)
    return row, first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
