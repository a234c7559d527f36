"""Coordinates (COO): each stored value with its index on every axis.

``nnz (b + sum ceil(log2 dim))`` bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter, bits_for
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor

__all__ = ["CooFormat"]


def _index_bits(shape: Sequence[int]) -> int:
    return sum(map(bits_for, shape))


@dataclass(frozen=True)
class CooFormat(BaseFormat):
    """The indices of all nonzeros axis by axis, then their values, in C order.

    The number of nonzeros is in the header.
    """

    name: ClassVar[str] = "coo"

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``nnz sum ceil(log2 dim)`` [bit]."""
        return StorageSize(layout.nonzeros * value_bits, layout.nonzeros * _index_bits(layout.shape))

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros (b + sum ceil(log2 dim))`` [bit]: indices keep the width of the whole tensor."""
        return nonzeros * (value_bits + _index_bits(layout.shape))

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        for size, index in zip(stored.shape, np.nonzero(np.atleast_1d(stored)), strict=False):
            payload.fields(index, bits_for(size))
        payload.fields(values[stored], value_bits)
        return [int(np.count_nonzero(stored))]

    def _read(self, box: Container) -> Tensor:
        nonzeros = box.number()
        payload = box.payload()
        if nonzeros > math.prod(box.shape):
            raise FormatError(f"{nonzeros} nonzeros in a tensor of shape {box.shape}")
        payload.require(nonzeros * (box.value_bits + _index_bits(box.shape)))
        at = np.zeros(nonzeros, dtype=np.int64)
        for size in box.shape:
            index = payload.fields(nonzeros, bits_for(size))
            if nonzeros and int(index.max()) >= size:
                raise FormatError(f"an index is outside its axis of {size}")
            at = at * size + index
        values = payload.values(nonzeros, box.value_bits)
        payload.finish()
        return scattered(box.shape, at, values)
