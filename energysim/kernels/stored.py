"""A kernel that is stored in a format of its own, whatever its kind suggests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from energysim.kernels.base import Histogram, IntArray, Kernel, KernelClass, Patterns, WeightShape

__all__ = ["StoredKernel"]


@dataclass(frozen=True)
class StoredKernel(Kernel):
    """Another kernel's support, and the format its weights are stored in.

    Parameters
    ----------
    support : Kernel
    chosen : str
        A storage format, as ``energysim.formats.get_format`` reads it.
    reason : str
        Why, in words, for a report.
    """

    support: Kernel
    chosen: str
    reason: str = field(default="", compare=False)

    @property
    def storage(self) -> str:
        return self.chosen

    @property
    def shape(self) -> WeightShape:  # type: ignore[override]
        return self.support.shape

    @property
    def nonzeros(self) -> int:
        return self.support.nonzeros

    def patterns(self) -> Patterns:
        return self.support.patterns()

    @property
    def period(self) -> int | None:
        return self.support.period

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        return self.support.nonzeros_in_tile(filters, channels)

    def nonzeros_in_tile_range(self, filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        return self.support.nonzeros_in_tile_range(filters, channels)

    def filters_per_row(self, groups: int) -> Histogram:
        return self.support.filters_per_row(groups)

    def weights_per_filter(self) -> Histogram:
        return self.support.weights_per_filter()

    def weights_per_window(self) -> Histogram:
        return self.support.weights_per_window()

    def mask(self) -> NDArray[np.bool_]:
        return self.support.mask()

    def classes(self) -> tuple[KernelClass, ...]:
        return self.support.classes()

    def transpose(self, groups: int = 1) -> Kernel:
        """See :meth:`Kernel.transpose`; the format is that of the stored, not of the turned weights."""
        return self.support.transpose(groups)
