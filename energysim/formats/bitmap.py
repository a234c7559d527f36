"""Bitmap: one bit an element says whether it is stored; ``n + nnz b`` bits.

The non-zero mask with packed values of NullHop (Aimar et al., IEEE TNNLS 30(3), 2019). Smaller than
dense below a density of ``1 - 1/b``. Random access into a large tensor would need a pointer per tile,
which is not counted here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor

__all__ = ["BitmapFormat"]


@dataclass(frozen=True)
class BitmapFormat(BaseFormat):
    """A mask of n bits, then the stored values, both in C order."""

    name: ClassVar[str] = "bitmap"

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``n`` [bit]."""
        return StorageSize(layout.nonzeros * value_bits, layout.elements)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros b + positions`` [bit]."""
        return nonzeros * value_bits + positions

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        payload.raw(stored)
        payload.fields(values[stored], value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        payload = box.payload()
        at = np.flatnonzero(payload.raw(math.prod(box.shape)))
        values = payload.values(at.size, box.value_bits)
        payload.finish()
        return scattered(box.shape, at, values)
