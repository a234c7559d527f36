"""Kernels of a mask: which patterns they have, and whether these repeat along f + c.

A *kernel* is the set of positions that share the indices of axes 0 and 1: R x S for a convolution
weight (M, C, R, S), one position for a matrix (M, C). Missing axes count as 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from energysim.formats.bits import bits_for

__all__ = ["group_kernels", "kernel_shape", "kernel_slots", "kernels_per_slot", "smallest_period"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def kernel_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (M, C, positions of a kernel) of a tensor shape of any rank."""
    first, second = (*shape, 1, 1)[:2]
    return first, second, math.prod(shape[2:])


def group_kernels(mask: BoolArray) -> tuple[BoolArray, IntArray]:
    """Return the distinct kernel patterns, shape (D, positions), and which one each kernel has, (M, C)."""
    rows, columns, positions = kernel_shape(mask.shape)
    kernels = mask.reshape(rows * columns, positions)
    packed = np.packbits(kernels, axis=1)
    if positions <= 64:  # the least machine word a kernel sorts much faster than rows of bytes
        size = 1 << bits_for(packed.shape[1])
        octets = np.zeros((len(packed), size), dtype=np.uint8)
        octets[:, : packed.shape[1]] = packed
        _, first, ids = np.unique(octets.view(f"u{size}")[:, 0], return_index=True, return_inverse=True)
    else:
        _, first, ids = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return kernels[first], ids.reshape(rows, columns).astype(np.int64)


def smallest_period(ids: IntArray) -> int | None:
    """Return the smallest P such that ``ids[f, c]`` depends only on (f + c + 1) mod P.

    Parameters
    ----------
    ids : ndarray of int, shape (M, C)
        Pattern number of each kernel.

    Returns
    -------
    int or None
        1 if all are equal or there is none; None if two kernels with the same f + c differ.
    """
    if ids.size == 0:
        return 1
    if not np.array_equal(ids[1:, :-1], ids[:-1, 1:]):
        return None
    sequence = [*ids[0].tolist(), *ids[1:, -1].tolist()]  # by f + c
    border = [0] * len(sequence)  # Knuth-Morris-Pratt: longest proper prefix that is a suffix
    for at in range(1, len(sequence)):
        length = border[at - 1]
        while length and sequence[at] != sequence[length]:
            length = border[length - 1]
        border[at] = length + (sequence[at] == sequence[length])
    return len(sequence) - border[-1]


def kernel_slots(rows: int, columns: int, period: int) -> IntArray:
    """Return the slot (f + c + 1) mod P of each kernel, shape (M, C)."""
    slots: IntArray = (np.arange(rows)[:, None] + np.arange(columns)[None, :] + 1) % period
    return slots


def kernels_per_slot(rows: int, columns: int, period: int) -> IntArray:
    """Return how many of the M x C kernels fall in each slot, shape (P,), in closed form.

    Whole periods of rows and of columns fill all slots alike; what remains is a rectangle smaller
    than P x P, counted along its anti-diagonals.
    """
    whole, rest_rows = divmod(rows, period)
    spread, rest_columns = divmod(columns, period)
    counts = np.full(period, whole * columns + spread * rest_rows, dtype=np.int64)
    diagonal = np.arange(max(0, rest_rows + rest_columns - 1), dtype=np.int64)
    length = np.minimum(np.minimum(diagonal + 1, diagonal[::-1] + 1), min(rest_rows, rest_columns))
    np.add.at(counts, (diagonal + 1) % period, length)
    return counts
