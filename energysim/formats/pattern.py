"""Pattern dictionary: the number of its zero pattern for each kernel, and the patterns once a layer.

``nnz b + kernels ceil(log2 D) + D R S`` bits for D distinct patterns. ``pattern:dictionary=free``
leaves out the ``D R S`` bits: the dictionary is then part of the layer configuration, in the header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitReader, BitWriter, bits_for
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import choice
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.formats.slots import group_kernels, kernel_shape
from energysim.units import ceil_div

__all__ = ["PatternFormat"]


@dataclass(frozen=True)
class PatternFormat(BaseFormat):
    """The dictionary (D masks of R S bits), then a pattern number per kernel, then values in C order.

    The all-zero and the dense pattern count as patterns. For independently placed nonzeros the
    dictionary is taken as complete, min(kernels, 2^(R S)) patterns: an upper bound.

    Parameters
    ----------
    dictionary : {"charged", "free"}
        Whether the dictionary is part of the size.
    """

    name: ClassVar[str] = "pattern"
    kernel_fields: ClassVar[bool] = True
    dictionary: str = choice("charged", ["free"])

    @staticmethod
    def patterns(layout: WeightLayout) -> int:
        """Return the number of patterns of a layout.

        Raises
        ------
        FormatError
            If the layout does not say it.
        """
        if layout.distinct_patterns is None:
            raise FormatError("the layout does not say how many distinct kernel patterns there are")
        return layout.distinct_patterns

    def table_bits(self, layout: WeightLayout) -> int:
        """Return the bits of the dictionary ``D R S`` [bit], 0 if it is free."""
        return 0 if self.dictionary == "free" else self.patterns(layout) * layout.positions

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``kernels ceil(log2 D)`` plus the dictionary [bit]."""
        ids = layout.kernels * bits_for(self.patterns(layout))
        return StorageSize(layout.nonzeros * value_bits, ids + self.table_bits(layout))

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros b + kernels ceil(log2 D)`` [bit]."""
        return nonzeros * value_bits + kernels * bits_for(self.patterns(layout))

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        patterns, ids = group_kernels(stored)
        numbers = [len(patterns)]
        if self.dictionary == "free":
            numbers += np.packbits(patterns).tolist()
        else:
            payload.raw(patterns)
        payload.fields(ids, bits_for(len(patterns)))
        payload.fields(values[stored], value_bits)
        return numbers

    def _read(self, box: Container) -> Tensor:
        rows, columns, positions = kernel_shape(box.shape)
        kernels = rows * columns
        count = box.number()
        if not min(1, kernels) <= count <= min(kernels, 1 << min(positions, 64)):
            raise FormatError(f"{count} patterns for {kernels} kernels of {positions} positions")
        patterns, payload = self._dictionary(box, count, positions)
        lengths = np.count_nonzero(patterns, axis=1)
        if count == 1:  # a shape may have very many kernels: check the values first, list nothing if empty
            payload.require(kernels * int(lengths[0]) * box.value_bits)
        if not lengths.any():
            payload.finish()
            return np.zeros(box.shape, dtype=np.int32)
        ids = payload.fields(kernels, bits_for(count))
        if int(ids.max()) >= count:
            raise FormatError(f"a pattern number is outside the {count} patterns")
        nonzeros = int(lengths[ids].sum())
        payload.require(nonzeros * box.value_bits)
        values = payload.values(nonzeros, box.value_bits)
        payload.finish()
        return scattered(box.shape, np.flatnonzero(patterns[ids]), values)

    def _dictionary(self, box: Container, count: int, positions: int) -> tuple[BoolArray, BitReader]:
        bits = count * positions
        if self.dictionary == "free":
            numbers = [box.number() for _ in range(ceil_div(bits, 8))]
            if max(numbers, default=0) > 0xFF:
                raise FormatError("the dictionary in the header is not made of bytes")
            reader = BitReader(bytes(numbers))
            patterns = reader.raw(bits)
            reader.finish()
            payload = box.payload()
        else:
            payload = box.payload()
            patterns = payload.raw(bits)
        return patterns.reshape(count, positions).astype(np.bool_), payload
