"""The kernel in which every weight exists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energysim.kernels.base import (
    Histogram,
    IntArray,
    Kernel,
    KernelClass,
    Patterns,
    WeightShape,
    checked_shape,
)

__all__ = ["DenseKernel"]


@dataclass(frozen=True)
class DenseKernel(Kernel):
    """All M * C * R * S weights exist."""

    shape: WeightShape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))

    @property
    def nonzeros(self) -> int:
        return math.prod(self.shape)

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        return np.asarray(filters * channels * (self.shape[2] * self.shape[3]), dtype=np.int64)

    def filters_per_row(self, groups: int) -> Histogram:
        m, c, r, s = self.shape
        return ((m // groups, groups * c * r * s),)

    def weights_per_filter(self) -> Histogram:
        m, c, r, s = self.shape
        return ((c * r * s, m),)

    def weights_per_window(self) -> Histogram:
        m, c, r, s = self.shape
        return ((r * s, m * c),)

    def patterns(self) -> Patterns:
        m, c, r, s = self.shape
        return ((tuple(range(r * s)), m * c),)

    @property
    def period(self) -> int:
        return 1

    def mask(self) -> NDArray[np.bool_]:
        return np.ones(self.shape, dtype=np.bool_)

    def classes(self) -> tuple[KernelClass, ...]:
        m, c, r, s = self.shape
        rows = np.arange(c * r * s, dtype=np.int64)
        return (KernelClass(np.arange(m, dtype=np.int64), rows // (r * s), rows % (r * s)),)

    def transpose(self, groups: int = 1) -> DenseKernel:
        m, c, r, s = self.shape
        return DenseKernel((c * groups, m // groups, r, s))
