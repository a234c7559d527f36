"""Stencils around a full middle tap: values only; ``nnz b`` bits.

Every filter holds the middle tap of all channels, and some taps beside it of the channels of its own
group: filter f of M and channel c of C with ``f*G div M = c*G div C``. The position of a value follows from
its number; stencil and groups are configuration of the layer, as its shape is, and not charged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import choice, integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor

__all__ = ["StencilFormat"]

#: Taps r * 3 + s of a 3x3 window beside the middle.
_BESIDE = {
    "cross": (1, 3, 5, 7),
    "full": (0, 1, 2, 3, 5, 6, 7, 8),
    "row": (3, 5),
    "column": (1, 7),
}


@dataclass(frozen=True)
class StencilFormat(BaseFormat):
    """The values in C order.

    Parameters
    ----------
    groups : int
        G; it divides filters and channels.
    stencil : {"cross", "full", "row", "column"}
        Which taps of a 3x3 window exist beside the middle.
    """

    name: ClassVar[str] = "stencil"
    needs_mask: ClassVar[bool] = True
    groups: int = integer(1, 1, 1 << 20)
    stencil: str = choice("cross", ("full", "row", "column"))

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side 0 [bit]."""
        if mask is not None:
            self._check(mask)
        elif layout.nonzeros != self._stored(layout.shape):
            raise FormatError(f"{layout.nonzeros} values of {layout.shape} are not those of {self}")
        return StorageSize(layout.nonzeros * value_bits, 0)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros b`` [bit]."""
        return nonzeros * value_bits

    def _stored(self, shape: tuple[int, ...]) -> int:
        """The number of values of a tensor; FormatError if it cannot have this form."""
        if len(shape) != 4 or shape[2:] != (3, 3) or shape[0] % self.groups or shape[1] % self.groups:
            raise FormatError(f"{self} holds 3x3 windows of channels that its groups divide, not {shape}")
        return shape[0] * (shape[1] + len(_BESIDE[self.stencil]) * (shape[1] // self.groups))

    def _mask(self, shape: tuple[int, ...]) -> BoolArray:
        self._stored(shape)
        m, c = shape[:2]
        mask = np.zeros((m, c, 9), dtype=np.bool_)
        mask[:, :, 4] = True
        if m and c:
            filters, channels = np.arange(m) // (m // self.groups), np.arange(c) // (c // self.groups)
            mask[:, :, _BESIDE[self.stencil]] = (filters[:, None] == channels)[:, :, None]
        return mask.reshape(shape)

    def _check(self, stored: BoolArray) -> None:
        if not np.array_equal(stored, self._mask(stored.shape)):
            raise FormatError(f"the tensor does not hold exactly the stencils of {self}")

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        self._check(stored)
        payload.fields(values[stored], value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        count, payload = self._stored(box.shape), box.payload()
        payload.require(count * box.value_bits)
        values = payload.values(count, box.value_bits)
        payload.finish()
        return scattered(box.shape, np.flatnonzero(self._mask(box.shape)), values)
