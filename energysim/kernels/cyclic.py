"""Cyclic kernels: each filter reads a few channels, spread at equal steps, one further with each filter.

Source: Hosseini et al., "Cyclic Sparsely Connected Neural Network Architectures for Compact Deep
Convolutional Neural Networks", IEEE TVLSI 2021: fan-in F at a channel dilation. Filter f keeps whole
windows of the channels ``(f + k*step) mod C`` for k = 0 .. F - 1, so nothing is stored for a position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError
from energysim.kernels.base import (
    Histogram,
    IntArray,
    Kernel,
    KernelClass,
    Patterns,
    WeightShape,
    checked_shape,
    fair_share,
    histogram,
)
from energysim.kernels.mask import MaskKernel

__all__ = ["CyclicKernel"]


@dataclass(frozen=True)
class CyclicKernel(Kernel):
    """Fan-in at equal steps, cyclic over the channels.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    fan : int
        F, channels a filter reads.
    step : int
        Distance between them; F channels in steps may not reach around: (F - 1) * step < C.

    Raises
    ------
    ShapeError
        If the shape is not four positive integers.
    SchemeError
        If fan or step is below 1, or the channels of a filter would not be F different ones.
    """

    shape: WeightShape
    fan: int
    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if self.fan < 1 or self.step < 1 or (self.fan - 1) * self.step >= self.shape[1]:
            raise SchemeError(
                f"a filter cannot read {self.fan} channels in steps of {self.step} "
                f"of the {self.shape[1]} there are"
            )

    @property
    def _offsets(self) -> IntArray:
        return np.arange(self.fan, dtype=np.int64) * self.step

    @property
    def _taps(self) -> int:
        return self.shape[2] * self.shape[3]

    @property
    def nonzeros(self) -> int:
        return self.shape[0] * self.fan * self._taps

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        """See :meth:`Kernel.nonzeros_in_tile`.

        Notes
        -----
        C consecutive filters meet every channel F times. What remains of a tile, r < C filters by c
        channels that start d channels later than filters, holds min(r, c, c - x, r + x) windows with
        x = channel - filter inside the tile for each x = k*step + w*C - d: a sum of trapezoids in d,
        whose largest value is at a corner of one of them or at the ends of the range of d.
        """
        m, c = np.broadcast_arrays(np.asarray(filters, np.int64), np.asarray(channels, np.int64))
        result = np.empty(m.shape, dtype=np.int64)
        pairs, place = np.unique(
            np.stack([m.reshape(-1), c.reshape(-1)], axis=1), axis=0, return_inverse=True
        )
        found = np.array([self._fullest(int(a), int(b)) for a, b in pairs], dtype=np.int64)
        result.reshape(-1)[:] = found[place.reshape(-1)]
        return result * self._taps

    def nonzeros_in_tile_range(self, filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        """See :meth:`Kernel.nonzeros_in_tile_range`.

        Notes
        -----
        C consecutive filters meet a channel F times, and a filter meets C channels F times.
        """
        m, c = np.broadcast_arrays(np.asarray(filters, np.int64), np.asarray(channels, np.int64))
        rounds = -(-m // self.shape[1])
        high = np.minimum(m * np.minimum(c, self.fan), c * self.fan * rounds) * self._taps
        return fair_share(self, m, c), np.minimum(high, self.nonzeros)

    def _fullest(self, filters: int, channels: int) -> int:
        """The most windows in a tile of so many filters and channels."""
        everywhere, across = self.shape[:2]
        if channels == across:
            return filters * self.fan
        whole, rest = divmod(filters, across)
        low = max(filters - everywhere, 1 - across)  # start of the channels minus that of the filters
        shifts = (self._offsets[:, None] + across * np.arange(-2, 3)).reshape(-1)
        corners = np.array([-rest, min(channels - rest, 0), max(channels - rest, 0), channels])
        starts = np.unique(np.clip(shifts[:, None] - corners, low, across - channels))
        x = shifts - starts[:, None]
        held = np.minimum(np.minimum(channels - x, rest + x), min(rest, channels)).clip(min=0)
        return whole * channels * self.fan + int(held.sum(axis=1).max())

    def filters_per_row(self, groups: int) -> Histogram:
        m, c = self.shape[:2]
        each = m // groups
        used = np.zeros((groups, c), dtype=np.int64)
        for group in range(groups):
            members = np.arange(group * each, (group + 1) * each, dtype=np.int64)
            for offset in self._offsets:
                used[group] += np.bincount((members + offset) % c, minlength=c)
        return tuple((n, rows * self._taps) for n, rows in histogram(used) if n)

    def weights_per_filter(self) -> Histogram:
        return ((self.fan * self._taps, self.shape[0]),)

    def weights_per_window(self) -> Histogram:
        m, c = self.shape[:2]
        both = ((0, m * (c - self.fan)), (self._taps, m * self.fan))
        return tuple((taps, windows) for taps, windows in both if windows)

    def patterns(self) -> Patterns:
        return tuple((tuple(range(taps)), windows) for taps, windows in self.weights_per_window())

    @property
    def storage(self) -> str:
        return f"cyclic:fan={self.fan},step={self.step}"

    def _channels(self, filters: IntArray) -> IntArray:
        """The channels of each filter, shape (filters, F)."""
        return np.asarray((filters[:, None] + self._offsets) % self.shape[1], dtype=np.int64)

    def mask(self) -> NDArray[np.bool_]:
        found = np.zeros(self.shape, dtype=np.bool_)
        filters = np.arange(self.shape[0], dtype=np.int64)
        found[filters[:, None], self._channels(filters)] = True
        return found

    def classes(self) -> tuple[KernelClass, ...]:
        m, c = self.shape[:2]
        rows = np.arange(self.fan * self._taps, dtype=np.int64)
        channels = np.sort(self._channels(np.arange(min(m, c), dtype=np.int64)), axis=1)
        found: dict[bytes, list[int]] = {}  # filters f < C that read the same channels
        for first, own in enumerate(channels):
            found.setdefault(own.tobytes(), []).append(first)
        return tuple(
            KernelClass(
                np.sort(np.concatenate([np.arange(f, m, c, dtype=np.int64) for f in members])),
                channels[members[0]][rows // self._taps],
                rows % self._taps,
            )
            for members in found.values()
        )

    def transpose(self, groups: int = 1) -> MaskKernel:
        """See :meth:`Kernel.transpose`: its steps run backwards, so it is given by its mask."""
        return MaskKernel(self.mask()).transpose(groups)
