"""Broadcasting of arrays that nearly always have the shape already: asking costs a tenth of np.broadcast_to."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.types import Array


def spread(array: Any, shape: tuple[int, ...]) -> Array:
    """The array, or a view of it, in this shape. Raises ValueError where it cannot be broadcast."""
    found: Array = np.asarray(array, np.float64)
    return found if found.shape == shape else np.broadcast_to(found, shape)
