"""In-kernel index: each stored value with its position in its kernel; ``nnz (b + ceil(log2(R S)))`` bits.

4 bits for a 3x3 kernel. A decoder must also know where one kernel ends and the next begins: from
rising indices alone that is ambiguous. So the count of nonzeros per kernel is charged where it is
information, and not where one number of the layer configuration gives it:

- all kernels have the same count: the constant is in the header, nothing is charged;
- otherwise ``ceil(log2(R S + 1))`` bits a kernel are charged;
- ``index:counts=free``: the pattern period gives the count. The counts of the P slots are in the
  header, kernel (f, c) has that of slot (f + c + 1) mod P, nothing is charged. A tensor without a
  period is refused. This is the plain formula ``nnz (b + ceil(log2(R S)))`` for boosted periodic
  kernels, whose dense slot has more nonzeros than the others.

Periodic kernels: Kundu et al., IEEE Trans. Computers 69(7), 2020; the formulas are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitReader, BitWriter, bits_for
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout, layout_of
from energysim.formats.parameters import choice
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.formats.slots import kernel_shape, kernel_slots, kernels_per_slot

__all__ = ["IndexFormat"]


@dataclass(frozen=True)
class IndexFormat(BaseFormat):
    """Counts per kernel if charged, then in-kernel indices, then values, in C order.

    The header holds the number of count slots (0 if counts are charged) and their counts.
    For independently placed nonzeros counts are charged unless the density is 0 or 1.

    Parameters
    ----------
    counts : {"charged", "free"}
        What happens if kernels differ in their number of nonzeros.
    """

    name: ClassVar[str] = "index"
    kernel_fields: ClassVar[bool] = True
    counts: str = choice("charged", ["free"])

    def count_slots(self, layout: WeightLayout) -> int:
        """Return how many counts the header holds: 1, the period, or 0 if they are charged.

        Raises
        ------
        FormatError
            With ``counts=free``, if the counts are neither uniform nor periodic.
        """
        if layout.uniform_count is not None:
            return 1
        if self.counts == "charged":
            return 0
        if layout.period is None:
            raise FormatError(
                "index:counts=free needs kernels whose pattern depends only on (f + c + 1) mod P; "
                "this tensor has no such period"
            )
        return layout.period

    def kernel_bits(self, layout: WeightLayout) -> int:
        """Return the count bits charged to each kernel [bit]."""
        return 0 if self.count_slots(layout) else bits_for(layout.positions + 1)

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``nnz ceil(log2(R S))`` plus the charged counts [bit]."""
        side = layout.nonzeros * bits_for(layout.positions) + layout.kernels * self.kernel_bits(layout)
        return StorageSize(layout.nonzeros * value_bits, side)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros (b + ceil(log2(R S)))`` plus the charged counts of the kernels [bit]."""
        return nonzeros * (value_bits + bits_for(layout.positions)) + kernels * self.kernel_bits(layout)

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        layout = layout_of(stored)
        rows, columns, positions = kernel_shape(stored.shape)
        kernels = stored.reshape(rows * columns, positions)
        counts = np.count_nonzero(kernels, axis=1)
        slots = self.count_slots(layout)
        header = np.zeros(slots, dtype=np.int64)
        if slots:
            header[kernel_slots(rows, columns, slots).reshape(-1)] = counts
        else:
            payload.fields(counts, bits_for(positions + 1))
        payload.fields(np.nonzero(kernels)[1], bits_for(positions))
        payload.fields(values[stored], value_bits)
        return [slots, *header.tolist()]

    def _read(self, box: Container) -> Tensor:
        rows, columns, positions = kernel_shape(box.shape)
        slots = box.number()
        header = [box.number() for _ in range(slots)]
        payload = box.payload()
        if slots:
            nonzeros = sum(
                count * int(kernels)
                for count, kernels in zip(header, kernels_per_slot(rows, columns, slots), strict=True)
            )
        else:
            listed = self._listed_counts(payload, rows * columns, positions)
            nonzeros = int(listed.sum())
        if max(header, default=0) > positions:
            raise FormatError(f"a kernel of {positions} positions with {max(header)} nonzeros")
        payload.require(nonzeros * (bits_for(positions) + box.value_bits))
        index = payload.fields(nonzeros, bits_for(positions))
        values = payload.values(nonzeros, box.value_bits)
        payload.finish()
        if not nonzeros:  # a shape may have very many empty kernels: do not list them
            return np.zeros(box.shape, dtype=np.int32)
        if int(index.max()) >= positions:
            raise FormatError(f"an index is outside a kernel of {positions} positions")
        if slots:
            listed = np.asarray(header)[kernel_slots(rows, columns, slots).reshape(-1)]
        return scattered(box.shape, np.repeat(np.arange(listed.size), listed) * positions + index, values)

    @staticmethod
    def _listed_counts(payload: BitReader, kernels: int, positions: int) -> IntArray:
        if not positions:
            raise FormatError("kernels without positions have no counts")
        listed = payload.fields(kernels, bits_for(positions + 1))
        if listed.size and int(listed.max()) > positions:
            raise FormatError(f"a kernel of {positions} positions with {int(listed.max())} nonzeros")
        return listed
