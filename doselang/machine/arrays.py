"""The type of arrays; importing numpy's own typing module would take a tenth of the time of a small command."""

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
