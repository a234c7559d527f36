"""Dense storage: every element, zeros included, at its full width; ``n b`` bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.formats.base import BaseFormat, IntArray
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor

__all__ = ["DenseFormat"]


@dataclass(frozen=True)
class DenseFormat(BaseFormat):
    """Every element in C order; no side information.

    Payload: n values of b bits.
    """

    name: ClassVar[str] = "dense"

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``n b``, side 0 [bit]."""
        return StorageSize(layout.elements * value_bits, 0)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``positions b`` [bit]."""
        return positions * value_bits

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        payload.fields(values, value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        payload = box.payload()
        values = payload.values(math.prod(box.shape), box.value_bits)
        payload.finish()
        return values.astype(np.int32).reshape(box.shape)
