"""Orders in which the weights of a layer are counted off in groups: plain index arithmetic."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDERS", "group_positions", "grouped", "line_length", "ungrouped"]

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


#: The axes filters, channels, taps of a tensor in each order, slowest first.
_AXES = {"channels": (0, 2, 1), "filters": (1, 2, 0), "channel-tap": (0, 1, 2), "tap-channel": (0, 2, 1)}

_Any = TypeVar("_Any", bound=np.generic)


def grouped(array: NDArray[_Any], size: int, order: str) -> NDArray[_Any]:
    """Return the elements of each group, shape (groups, size).

    Parameters
    ----------
    array : array of shape (M, C, R, S)
        Or any other with filters and channels first.
    size : int
        Elements of a group; it must divide :func:`line_length`.
    order : str
        One of :data:`ORDERS`.

    Raises
    ------
    ValueError
        If the size does not divide the lines.
    """
    if line_length(array.shape, order) % size:
        raise ValueError(f"groups of {size} do not divide lines of {line_length(array.shape, order)}")
    m, c = (*array.shape, 1, 1)[:2]
    return np.ascontiguousarray(array.reshape(m, c, -1).transpose(_AXES[order])).reshape(-1, size)


def ungrouped(groups: NDArray[_Any], shape: tuple[int, ...], order: str) -> NDArray[_Any]:
    """Return the tensor of a shape whose groups in an order are given: :func:`grouped` undone."""
    m, c = (*shape, 1, 1)[:2]
    axes = _AXES[order]
    sizes = (m, c, math.prod(shape) // (m * c))
    lines = groups.reshape([sizes[axis] for axis in axes])
    return np.ascontiguousarray(lines.transpose(np.argsort(axes))).reshape(shape)


def group_positions(shape: tuple[int, ...], size: int, order: str) -> NDArray[np.int64]:
    """Return the flat positions (C order) of the elements of each group; see :func:`grouped`."""
    return grouped(np.arange(math.prod(shape), dtype=np.int64).reshape(shape), size, order)
