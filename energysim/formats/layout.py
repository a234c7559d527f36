"""What the size of a weight tensor depends on: its shape and a handful of numbers about its zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from energysim.errors import FormatError
from energysim.formats.slots import group_kernels, kernel_shape, smallest_period
from energysim.units import ceil_fraction, exact_fraction

__all__ = ["WeightLayout", "iid_layout", "layout_of"]

BoolArray = NDArray[np.bool_]


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
