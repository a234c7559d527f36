"""What the size of a weight tensor depends on: its shape and a handful of numbers about its zeros.

A *kernel* is the set of positions that share the indices of axes 0 and 1: R x S for a convolution
weight (M, C, R, S), one position for a matrix (M, C). Missing axes count as 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from energysim.errors import FormatError
from energysim.units import ceil_fraction, exact_fraction

__all__ = [
    "WeightLayout",
    "group_kernels",
    "iid_layout",
    "kernel_shape",
    "kernel_slots",
    "kernels_per_slot",
    "layout_of",
    "smallest_period",
]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def kernel_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (M, C, positions of a kernel) of a tensor shape of any rank."""
    first, second = (*shape, 1, 1)[:2]
    return first, second, math.prod(shape[2:])


@dataclass(frozen=True)
class WeightLayout:
    """The numbers that fix the size of a weight tensor in every format but run-length.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor, (M, C, R, S) for a convolution; any rank.
    nonzeros : int
        Stored values.
    period : int, optional
        A period P such that the zero pattern of kernel (f, c) depends only on (f + c + 1) mod P;
        None if there is none, or it is not known.
    distinct_patterns : int, optional
        Different kernel patterns, the all-zero and the dense one included; None if not known.
    uniform_count : int, optional
        Nonzeros of each kernel if all have the same number, else None.

    Raises
    ------
    FormatError
        If the numbers contradict each other.
    """

    shape: tuple[int, ...]
    nonzeros: int
    period: int | None = None
    distinct_patterns: int | None = None
    uniform_count: int | None = None

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.shape):
            raise FormatError(f"shape {self.shape} has a negative dimension")
        if not 0 <= self.nonzeros <= self.elements:
            raise FormatError(f"{self.nonzeros} nonzeros in a tensor of {self.elements} elements")
        if self.period is not None and self.period < 1:
            raise FormatError(f"period {self.period} is less than 1")
        if self.distinct_patterns is not None and self.distinct_patterns < min(1, self.kernels):
            raise FormatError(f"{self.distinct_patterns} distinct patterns for {self.kernels} kernels")
        if self.uniform_count is not None and self.uniform_count * self.kernels != self.nonzeros:
            raise FormatError(
                f"{self.kernels} kernels of {self.uniform_count} nonzeros do not make {self.nonzeros}"
            )

    @property
    def elements(self) -> int:
        """Elements of the tensor, zeros included."""
        return math.prod(self.shape)

    @property
    def kernels(self) -> int:
        """Kernels (f, c): size of axis 0 times size of axis 1."""
        return math.prod(kernel_shape(self.shape)[:2])

    @property
    def positions(self) -> int:
        """Positions of one kernel, R x S."""
        return kernel_shape(self.shape)[2]


def layout_of(mask: BoolArray, *, kernel_fields: bool = True) -> WeightLayout:
    """Return the layout of a mask.

    Parameters
    ----------
    mask : ndarray of bool
        True where a value is stored; any rank.
    kernel_fields : bool
        False leaves out period, patterns and uniform count, which cost a sort of all kernels.
    """
    nonzeros = int(np.count_nonzero(mask))
    if not kernel_fields:
        return WeightLayout(mask.shape, nonzeros)
    patterns, ids = group_kernels(mask)
    counts = {int(count) for count in np.count_nonzero(patterns, axis=1)} or {0}
    return WeightLayout(
        mask.shape,
        nonzeros,
        period=smallest_period(ids),
        distinct_patterns=len(patterns),
        uniform_count=counts.pop() if len(counts) == 1 else None,
    )


def iid_layout(shape: tuple[int, ...], density: Fraction) -> WeightLayout:
    """Return the expected layout of a tensor whose elements are nonzero independently of each other.

    Expected nonzeros are rounded up once. At density 0 and 1 the layout is exact. In between there
    is no period, no uniform count, and the pattern dictionary is taken as complete,
    min(kernels, 2^positions): an upper bound.

    Raises
    ------
    FormatError
        If the density is not between 0 and 1.
    """
    exact = exact_fraction(density)
    if not 0 <= exact <= 1:
        raise FormatError(f"density {density} is not between 0 and 1")
    nonzeros = ceil_fraction(exact * math.prod(shape))
    rows, columns, positions = kernel_shape(shape)
    kernels = rows * columns
    if exact.denominator == 1 or nonzeros == 0:
        return WeightLayout(shape, nonzeros, 1, min(1, kernels), positions * exact.numerator)
    return WeightLayout(shape, nonzeros, distinct_patterns=min(kernels, 1 << min(positions, 64)))


def group_kernels(mask: BoolArray) -> tuple[BoolArray, IntArray]:
    """Return the distinct kernel patterns, shape (D, positions), and which one each kernel has, (M, C)."""
    rows, columns, positions = kernel_shape(mask.shape)
    kernels = mask.reshape(rows * columns, positions)
    packed = np.packbits(kernels, axis=1)
    if positions <= 64:  # one machine word a kernel sorts much faster than rows of bytes
        octets = np.zeros((len(packed), 8), dtype=np.uint8)
        octets[:, : packed.shape[1]] = packed
        _, first, ids = np.unique(octets.view(np.uint64)[:, 0], return_index=True, return_inverse=True)
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
