"""What a kernel is: which positions of one weight tensor exist.

A weight tensor has axes (M, C, R, S): filters, input channels of a filter's group, kernel
rows, kernel columns. The same kernel object is costed, stored and executed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import ShapeError

__all__ = [
    "Histogram",
    "IntArray",
    "Kernel",
    "KernelClass",
    "Patterns",
    "WeightShape",
    "checked_shape",
    "fair_share",
    "histogram",
]

WeightShape = tuple[int, int, int, int]
IntArray = NDArray[np.int64]
#: Distinct values and how often each occurs, values ascending.
Histogram = tuple[tuple[int, int], ...]
#: Distinct 2D supports (kept taps, ascending) and how many windows have each.
Patterns = tuple[tuple[tuple[int, ...], int], ...]


@dataclass(frozen=True, eq=False)
class KernelClass:
    """Filters that share one list of (channel, tap) rows.

    Attributes
    ----------
    filters : int64 array of shape (F,)
        Indices on weight axis 0, ascending.
    channels, taps : int64 arrays of shape (K,)
        The rows every one of these filters holds a weight for, channel-major; a tap is
        r * S + s. K is 0 for filters without any weight.
    """

    filters: IntArray
    channels: IntArray
    taps: IntArray


def checked_shape(shape: Sequence[int]) -> WeightShape:
    """Return a weight shape as a plain tuple; raise ShapeError unless it is four positive integers."""
    found = tuple(shape)
    if len(found) != 4 or any(not isinstance(n, int | np.integer) or n < 1 for n in found):
        raise ShapeError(f"a weight tensor has four positive lengths (M, C, R, S), not {found}")
    m, c, r, s = (int(n) for n in found)
    return m, c, r, s


def histogram(values: NDArray[Any]) -> Histogram:
    """Return the distinct values of an integer array with their multiplicities."""
    found, counts = np.unique(values, return_counts=True)
    return tuple((int(v), int(n)) for v, n in zip(found, counts, strict=True))


def fair_share(kernel: Kernel, filters: IntArray, channels: IntArray) -> IntArray:
    """Return weights that the fullest tile of so many filters and channels holds at least.

    Tiles of one size, shifted inwards at the ends, cover the tensor: one holds its share or more.
    """
    m, c = kernel.shape[:2]
    return np.asarray(-(-kernel.nonzeros // (-(-m // filters) * -(-c // channels))), dtype=np.int64)


class Kernel(ABC):
    """The support of one weight tensor; immutable, hashable, comparable by content.

    Attributes
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    """

    shape: WeightShape

    @property
    @abstractmethod
    def nonzeros(self) -> int:
        """The number of weights that exist."""

    @abstractmethod
    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        """Return the most weights that a tile of whole windows can hold, at any position.

        Parameters
        ----------
        filters, channels : int64 arrays
            Tile sizes, broadcast against each other; 1 <= filters <= M, 1 <= channels <= C
            (not checked).

        Returns
        -------
        int64 array
            The exact maximum over all positions of the tile in the tensor.
        """

    def nonzeros_in_tile_range(self, filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        """Return two arrays between which :meth:`nonzeros_in_tile` lies; here the exact number twice."""
        exact = self.nonzeros_in_tile(filters, channels)
        return exact, exact

    @abstractmethod
    def filters_per_row(self, groups: int) -> Histogram:
        """Return how many filters of one group use a (channel, tap) row: (filters, rows) pairs.

        Rows used by no filter are left out; rows are counted over all groups. The groups share
        axis 0 in equal parts: M must be a multiple of them.
        """

    @abstractmethod
    def weights_per_filter(self) -> Histogram:
        """Return how many weights a filter has: (weights, filters) pairs, filters with none included."""

    @abstractmethod
    def weights_per_window(self) -> Histogram:
        """Return how many taps a 2D window (one filter, one channel) keeps: (taps, windows) pairs.

        Windows that keep none are included.
        """

    def patterns(self) -> Patterns:
        """Return the different 2D supports that occur, the empty one included: (taps, windows) pairs.

        Taps (r * S + s) ascend; the supports are in ascending order of their taps.
        """
        m, c, r, s = self.shape
        if r * s == 1:
            kept = self.nonzeros
            both = (((), m * c - kept), ((0,), kept))
            return tuple((taps, windows) for taps, windows in both if windows)
        packed = np.packbits(self.mask().reshape(m * c, r * s), axis=1)
        bytes_ = packed.shape[1]
        if bytes_ <= 2:  # supports are numbers that are counted
            numbers = packed[:, 0].astype(np.intp)
            if bytes_ == 2:
                numbers = numbers << 8 | packed[:, 1]
            each = np.bincount(numbers)
            found = np.flatnonzero(each)
            counts, found = each[found], found.astype(f">u{bytes_}")
        else:  # as one opaque value a row sorts much faster than as a row
            rows = np.ascontiguousarray(packed).view(np.dtype((np.void, bytes_))).reshape(-1)
            found, counts = np.unique(rows, return_counts=True)
        bits = np.unpackbits(found.view(np.uint8).reshape(len(found), -1), axis=1, count=r * s)
        supports = (tuple(np.flatnonzero(row).tolist()) for row in bits)
        return tuple(sorted(zip(supports, counts.tolist(), strict=True)))

    @property
    def distinct_patterns(self) -> int:
        """The number of different 2D supports that occur, the empty and the full one included."""
        return len(self.patterns())

    @property
    def period(self) -> int | None:
        """P if the support of window (f, c) depends on (f + c + 1) mod P only, else None."""
        return None

    @property
    def storage(self) -> str:
        """The storage format that suits this support, where nothing else is asked for."""
        return "bitmap" if self.period is None else "periodic"

    @abstractmethod
    def mask(self) -> NDArray[np.bool_]:
        """Return the support as a boolean array of ``shape``."""

    @abstractmethod
    def classes(self) -> tuple[KernelClass, ...]:
        """Return the filters grouped by equal rows, in order of their first filters.

        Every filter, and so every weight, belongs to exactly one class.
        """

    @abstractmethod
    def transpose(self, groups: int = 1) -> Kernel:
        """Return the kernel of the backward pass: filters and channels swapped, windows turned by 180°.

        With G groups the axes are swapped inside each of them: (G*M', C', R, S) becomes
        (G*C', M', R, S).
        """

    @property
    def is_dense(self) -> bool:
        """Whether every weight exists."""
        return self.nonzeros == math.prod(self.shape)

    def pack(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return the existing weights in storage order (filter, channel, tap), shape (nonzeros,).

        Raises
        ------
        ShapeError
            If the array has another shape.
        """
        if weights.shape != self.shape:
            raise ShapeError(f"weights of shape {weights.shape} for a kernel of {self.shape}")
        return np.asarray(weights[self.mask()])

    def unpack(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the full (M, C, R, S) array with zeros where no weight exists.

        Raises
        ------
        ShapeError
            Unless there is exactly one value per weight.
        """
        if values.shape != (self.nonzeros,):
            raise ShapeError(f"values of shape {values.shape} for a kernel of {self.nonzeros} weights")
        full = np.zeros(self.shape, dtype=values.dtype)
        full[self.mask()] = values
        return full
