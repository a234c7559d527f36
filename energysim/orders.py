"""Orders in which the weights of a layer are counted off in groups: plain index arithmetic."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDERS", "group_positions", "line_length"]

#: Order -> in words. Groups do not cross from one line of it to the next.
ORDERS = {
    "channels": "consecutive input channels of a filter and tap",
    "filters": "consecutive filters of an input channel and tap",
    "channel-tap": "consecutive weights of a filter, channel by channel (C, R, S)",
    "tap-channel": "consecutive weights of a filter, tap by tap (R, S, C)",
}


def line_length(shape: tuple[int, ...], order: str) -> int:
    """Return how many weights one line of an order holds, for a tensor (M, C, ...)."""
    lengths = {"channels": (*shape, 1, 1)[1], "filters": (*shape, 1)[0]}
    return lengths.get(order, math.prod(shape[1:]))


def group_positions(shape: tuple[int, ...], size: int, order: str) -> NDArray[np.int64]:
    """Return the flat positions (C order) of the weights of each group, shape (groups, size).

    Parameters
    ----------
    shape : tuple of int
        (M, C, R, S), or any other with filters and channels first.
    size : int
        Weights of a group; it must divide :func:`line_length`.
    order : str
        One of :data:`ORDERS`.

    Raises
    ------
    ValueError
        If the size does not divide the lines.
    """
    if line_length(shape, order) % size:
        raise ValueError(f"groups of {size} do not divide lines of {line_length(shape, order)}")
    m, c = (*shape, 1, 1)[:2]
    numbers = np.arange(math.prod(shape), dtype=np.int64).reshape(m, c, -1)
    axes = {"channels": (0, 2, 1), "filters": (1, 2, 0), "channel-tap": (0, 1, 2), "tap-channel": (0, 2, 1)}
    return np.ascontiguousarray(numbers.transpose(axes[order])).reshape(-1, size)
