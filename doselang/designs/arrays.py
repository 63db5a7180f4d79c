"""Arrays of tallies: their types (numpy's own typing module takes long to import), and which of their rows differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray as NDArray
else:

    class NDArray:
        """Stands for `numpy.typing.NDArray` where nobody checks types."""

        def __class_getitem__(cls, item: Any) -> type[np.ndarray]:
            return np.ndarray


Ints: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


def checked(evaluable: Ints, toxic: Ints) -> tuple[Ints, Ints]:
    """The two as whole numbers of one shape.

    Raises
    ------
    ValueError
        If they are not whole numbers, or somewhere not 0 <= toxic <= evaluable.
    """
    evaluable, toxic = np.broadcast_arrays(np.asarray(evaluable), np.asarray(toxic))
    if evaluable.size and not (np.issubdtype(evaluable.dtype, np.integer) and np.issubdtype(toxic.dtype, np.integer)):
        raise ValueError("patients are counted in whole numbers")
    if evaluable.size and (toxic.min() < 0 or (toxic > evaluable).any()):
        raise ValueError("the patients with a DLT are some of the evaluable ones: neither negative nor more")
    return evaluable, toxic


def distinct(rows: Ints) -> tuple[Ints, Ints]:
    """The first place of each different row of non-negative whole numbers, and for every row which of these it is."""
    key = np.zeros(len(rows), np.int64)
    radix = 1
    for column in rows.T:
        width = int(column.max(initial=0)) + 1
        if radix * width >= 1 << 62:
            _, key = np.unique(key, return_inverse=True)
            radix = int(key.max(initial=0)) + 1
        key = key * width + column
        radix *= width
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which
