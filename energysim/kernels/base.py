"""What a kernel is: which positions of one weight tensor exist.

A weight tensor has axes (M, C, R, S): filters, input channels of a filter's group, kernel
rows, kernel columns. The same kernel object is costed, stored and executed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Histogram", "IntArray", "Kernel", "KernelClass", "WeightShape", "histogram"]

WeightShape = tuple[int, int, int, int]
IntArray = NDArray[np.int64]
#: Distinct values and how often each occurs, values ascending.
Histogram = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class KernelClass:
    """Filters that share one list of (channel, tap) rows.

    Attributes
    ----------
    filters : int64 array of shape (F,)
        Indices on weight axis 0, ascending.
    channels, taps : int64 arrays of shape (K,)
        The rows every one of these filters holds a weight for, channel-major; a tap is
        r * S + s.
    """

    filters: IntArray
    channels: IntArray
    taps: IntArray


def histogram(values: NDArray[Any]) -> Histogram:
    """Return the distinct values of an integer array with their multiplicities."""
    found, counts = np.unique(values, return_counts=True)
    return tuple((int(v), int(n)) for v, n in zip(found, counts, strict=True))


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
            Tile sizes, broadcast against each other; 1 <= filters <= M, 1 <= channels <= C.

        Returns
        -------
        int64 array
            The exact maximum over all positions of the tile in the tensor.
        """

    @abstractmethod
    def filters_per_row(self, groups: int) -> Histogram:
        """Return how many filters of one group use a (channel, tap) row: (filters, rows) pairs.

        Rows used by no filter are left out; rows are counted over all groups.
        """

    @abstractmethod
    def weights_per_filter(self) -> Histogram:
        """Return how many weights a filter has: (weights, filters) pairs."""

    @abstractmethod
    def weights_per_window(self) -> Histogram:
        """Return how many taps a 2D window (one filter, one channel) keeps: (taps, windows) pairs."""

    @property
    @abstractmethod
    def distinct_patterns(self) -> int:
        """The number of different 2D supports that occur."""

    @property
    def period(self) -> int | None:
        """P if the support of window (f, c) depends on (f + c + 1) mod P only, else None."""
        return None

    @abstractmethod
    def mask(self) -> NDArray[np.bool_]:
        """Return the support as a boolean array of ``shape``."""

    @abstractmethod
    def classes(self) -> tuple[KernelClass, ...]:
        """Return the filters grouped by equal rows; every weight belongs to exactly one class."""

    @abstractmethod
    def transpose(self) -> Kernel:
        """Return the kernel of the backward pass: axes 0 and 1 swapped, windows turned by 180 degrees."""

    @property
    def is_dense(self) -> bool:
        """Whether every weight exists."""
        m, c, r, s = self.shape
        return self.nonzeros == m * c * r * s

    def pack(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return the existing weights in storage order (filter, channel, tap), shape (nonzeros,).

        Raises
        ------
        ValueError
            If the array has another shape.
        """
        if weights.shape != self.shape:
            raise ValueError(f"weights of shape {weights.shape} for a kernel of {self.shape}")
        return np.asarray(weights[self.mask()])

    def unpack(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the full (M, C, R, S) array with zeros where no weight exists."""
        if values.shape != (self.nonzeros,):
            raise ValueError(f"{values.shape} values for {self.nonzeros} weights")
        full = np.zeros(self.shape, dtype=values.dtype)
        full[self.mask()] = values
        return full
