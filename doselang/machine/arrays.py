"""Arrays: their type (numpy's own typing module takes long to import), rows as numbers, what small numbers occur."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray as NDArray
else:

    class NDArray:
        """Stands for `numpy.typing.NDArray` where nobody checks types."""

        def __class_getitem__(cls, item: Any) -> type[np.ndarray]:
            return np.ndarray


def pack(columns: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number a row of non-negative whole numbers: equal rows, and only those, have equal numbers."""
    key = np.zeros(len(columns), np.int64)
    radix = 1
    for column in columns.T:
        width = int(column.max(initial=0)) + 1
        if radix * width >= 1 << 62:
            _, _, key = np.unique(key, return_index=True, return_inverse=True)  # with the index it sorts: faster
            radix = int(key.max(initial=0)) + 1
        key = key * width + column
        radix *= width
    return key


def present(numbers: NDArray[np.int32]) -> list[int]:
    """The numbers, from 0, that occur, in order: by counting, which is faster than sorting or hashing."""
    found: list[int] = np.flatnonzero(np.bincount(numbers)).tolist()
    return found
