"""Block bitmap: a bit for each block of filters x channels says whether it is stored whole.

``blocks + n_b b`` bits for the n_b weights of the blocks that are stored.

A block spans ``rows`` filters and ``cols`` channels, at one tap (``taps=one``) or at all taps of the
window (``taps=all``); blocks at the edge are smaller. With one tap there are R*S times as many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import choice, integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.formats.slots import kernel_shape
from energysim.units import ceil_div

__all__ = ["BlockFormat"]


@dataclass(frozen=True)
class BlockFormat(BaseFormat):
    """The bitmap of blocks (filters, channels, tap), then the weights of the stored blocks in C order.

    Parameters
    ----------
    rows, cols : int
        Filters and channels of a block.
    taps : {"one", "all"}
    """

    name: ClassVar[str] = "blocks"
    needs_mask: ClassVar[bool] = True
    rows: int = integer(16, 1, 1 << 16)
    cols: int = integer(16, 1, 1 << 16)
    taps: str = choice("one", ["all"])

    def _blocks(self, shape: tuple[int, ...]) -> int:
        m, c, taps = kernel_shape(shape)
        return (
            ceil_div(m, self.rows) * ceil_div(c, self.cols) * (taps if self.taps == "one" else min(1, taps))
        )

    def _number(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """The block of each weight, shape (M, C, taps)."""
        m, c, taps = kernel_shape(shape)
        across = ceil_div(c, self.cols)
        numbers = np.arange(m)[:, None] // self.rows * across + np.arange(c) // self.cols
        if self.taps == "all":
            return np.broadcast_to(numbers[:, :, None], (m, c, taps)).astype(np.int64)
        return np.asarray(numbers[:, :, None] * taps + np.arange(taps), dtype=np.int64)

    def _kept(self, stored: BoolArray) -> NDArray[np.bool_]:
        """Which blocks hold weights; each of them holds all it can."""
        kept = self._of_blocks(np.logical_or, stored)
        if not np.array_equal(kept, self._of_blocks(np.logical_and, stored)):
            raise FormatError(f"storage format {self} holds whole blocks, and some are stored in part")
        return kept.reshape(-1)

    def _of_blocks(self, function: np.ufunc, stored: BoolArray) -> NDArray[np.bool_]:
        """A logical function of the weights of each block, blocks in their order."""
        m, c, taps = kernel_shape(stored.shape)
        found = stored.reshape(m, c, taps)
        if not found.size:
            return np.zeros(self._blocks(stored.shape), dtype=np.bool_)
        if self.taps == "all":
            found = function.reduce(found, axis=2, keepdims=True)
        found = function.reduceat(found, np.arange(0, m, self.rows), axis=0)
        return np.asarray(function.reduceat(found, np.arange(0, c, self.cols), axis=1), dtype=np.bool_)

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``n_b b`` for the n_b weights of blocks that are stored, side one bit a block [bit]."""
        if mask is not None:
            self._kept(mask)
        return StorageSize(layout.nonzeros * value_bits, self._blocks(layout.shape))

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros b`` and the tile's share of the bitmap, rounded up [bit]."""
        share = -(-positions * self._blocks(layout.shape) // max(1, layout.elements))
        return nonzeros * value_bits + share

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        payload.raw(self._kept(stored))
        payload.fields(values[stored], value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        payload = box.payload()
        kept = payload.raw(self._blocks(box.shape)).astype(np.bool_)
        result = np.zeros(box.shape, dtype=np.int32)
        if math.prod(box.shape):
            whole = kept[self._number(box.shape)].reshape(box.shape)
            result[whole] = payload.values(int(whole.sum()), box.value_bits)
        payload.finish()
        return result
