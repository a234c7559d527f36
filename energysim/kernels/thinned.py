"""Supports that keep what costs least to keep: in groups (N:M), in blocks, or anywhere.

Each takes an array of costs, one number a weight: the raw output of a generator for random supports, or
minus the magnitude of given weights. Of equal costs the earlier position is kept.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from energysim.kernels.base import WeightShape, checked_shape
from energysim.kernels.mask import MaskKernel
from energysim.orders import grouped, ungrouped
from energysim.units import ceil_div

__all__ = ["block_support", "cheapest_support", "group_support", "random_costs"]

Costs = NDArray[np.uint64] | NDArray[np.float64]


def random_costs(shape: WeightShape, seed: int, stream: int) -> NDArray[np.uint64]:
    """Return one raw 64-bit Philox number a weight; the same pair of keys gives the same for ever."""
    numbers = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64))
    return np.asarray(numbers.random_raw(math.prod(checked_shape(shape)))).reshape(shape)


def _kept(costs: NDArray[np.generic], count: int) -> NDArray[np.bool_]:
    """The ``count`` cheapest of each row, shape of (rows, length)."""
    if count >= costs.shape[1]:
        return np.ones(costs.shape, dtype=np.bool_)
    limit = np.partition(costs, count, axis=1)[:, count : count + 1]
    kept = np.asarray(costs < limit)
    for row in np.flatnonzero(kept.sum(axis=1) < count):  # of those that cost the limit, the first ones
        equal = np.flatnonzero(costs[row] == limit[row])
        kept[row, equal[: count - int(kept[row].sum())]] = True
    return kept


def group_support(costs: Costs, kept: int, size: int, order: str) -> MaskKernel:
    """Return the kernel that keeps N of each M consecutive weights.

    Parameters
    ----------
    costs : array of shape (M, C, R, S)
    kept, size : int
        N and M; the size divides the lines of the order.
    order : str
        One of :data:`energysim.orders.ORDERS`.
    """
    return MaskKernel(ungrouped(_kept(grouped(costs, size, order), kept), costs.shape, order))


def block_support(costs: Costs, rows: int, cols: int, kept: int, *, taps: str = "one") -> MaskKernel:
    """Return the kernel that keeps whole blocks of filters x channels.

    Parameters
    ----------
    costs : array of shape (M, C, R, S)
        A block costs the mean of its weights (of random numbers: that of its first).
    rows, cols : int
        Filters and channels of a block; blocks at the edge are smaller.
    kept : int
        Blocks kept.
    taps : {"one", "all"}
        Whether a block is at one tap or holds whole windows.
    """
    m, c, r, s = costs.shape
    high, wide, deep = ceil_div(m, rows), ceil_div(c, cols), r * s if taps == "one" else 1
    by_tap = costs.reshape(m, c, r * s)
    if costs.dtype.kind == "u":
        blocks = by_tap[::rows, ::cols, :deep]
    else:
        edges = np.arange(0, m, rows), np.arange(0, c, cols)
        sums = np.add.reduceat(np.add.reduceat(by_tap, edges[0], axis=0), edges[1], axis=1)
        counts = np.outer(np.diff([*edges[0], m]), np.diff([*edges[1], c]))[:, :, None]
        blocks = (sums if taps == "one" else sums.sum(axis=2, keepdims=True) / (r * s)) / counts
    chosen = _kept(blocks.reshape(1, -1), kept).reshape(high, wide, deep)
    mask = chosen.repeat(rows, axis=0)[:m].repeat(cols, axis=1)[:, :c]
    return MaskKernel(np.ascontiguousarray(np.broadcast_to(mask, (m, c, r * s))).reshape(costs.shape))


def cheapest_support(costs: Costs, kept: tuple[int, ...], starts: tuple[int, ...]) -> MaskKernel:
    """Return the kernel that keeps so many weights of each set of filters, wherever they are.

    Parameters
    ----------
    costs : array of shape (M, C, R, S)
    kept, starts : tuple of int
        Weights kept in each set, and its first filter.
    """
    mask = np.zeros(costs.shape, dtype=np.bool_)
    for count, first, last in zip(kept, starts, (*starts[1:], len(costs)), strict=True):
        own = costs[first:last]
        mask[first:last] = _kept(own.reshape(1, -1), count).reshape(own.shape)
    return MaskKernel(mask)
