"""Periodic kernels: values only, and one table of P masks a layer; ``nnz b + P R S`` bits.

The mask of kernel (f, c) is entry (f + c + 1) mod P of the table, with f and c its indices on weight
axes 0 and 1, so no value and no kernel needs an index. P need not divide the channels.

Source: the periodic support sets of Kundu, Nazemi, Pedram, Chugg, Beerel, "Pre-defined Sparsity for
Low-Complexity Convolutional Neural Networks", IEEE Trans. Computers 69(7), 2020. The storage formula
is derived from them here, not taken from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout, layout_of
from energysim.formats.parameters import integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.formats.slots import kernel_shape, kernel_slots, kernels_per_slot

__all__ = ["PeriodicFormat"]


@dataclass(frozen=True)
class PeriodicFormat(BaseFormat):
    """The table (P masks of R S bits), then the values in C order; P is in the header.

    Independently placed nonzeros have no period, so only densities 0 and 1 have an expected size.

    Parameters
    ----------
    period : int, optional
        The period to store; by default the smallest one. It must be a multiple of the tensor's
        smallest period or at least M + C - 1, the number of different f + c.
    """

    name: ClassVar[str] = "periodic"
    kernel_fields: ClassVar[bool] = True
    period: int | None = integer(None, 1, 65536)

    def stored_period(self, layout: WeightLayout) -> int:
        """Return the number of masks in the table.

        Raises
        ------
        FormatError
            If the tensor is not periodic, or not with the period asked for.
        """
        if layout.period is None:
            raise FormatError(
                "the tensor is not periodic: kernels (f, c) with the same f + c have different zero patterns"
            )
        if self.period is None:
            return layout.period
        rows, columns, _ = kernel_shape(layout.shape)
        if self.period % layout.period and self.period < rows + columns - 1:
            raise FormatError(
                f"the tensor is not periodic with period {self.period}, only with {layout.period}"
            )
        return self.period

    def table_bits(self, layout: WeightLayout) -> int:
        """Return the bits of the table of masks ``P R S`` [bit]."""
        return self.stored_period(layout) * layout.positions

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``P R S`` [bit]."""
        return StorageSize(layout.nonzeros * value_bits, self.table_bits(layout))

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros b`` [bit]: the table is resident once."""
        return nonzeros * value_bits

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        period = self.stored_period(layout_of(stored))
        rows, columns, positions = kernel_shape(stored.shape)
        table = np.zeros((period, positions), dtype=np.bool_)
        table[kernel_slots(rows, columns, period)] = stored.reshape(rows, columns, positions)
        payload.raw(table)
        payload.fields(values[stored], value_bits)
        return [period]

    def _read(self, box: Container) -> Tensor:
        rows, columns, positions = kernel_shape(box.shape)
        period = box.number()
        if not 1 <= period <= max(1, rows + columns - 1) and period != self.period:
            raise FormatError(f"a table of {period} masks for a tensor of shape {box.shape}")
        payload = box.payload()
        if positions == 0:  # the table has no bits, however long: do not make it
            payload.finish()
            return np.zeros(box.shape, dtype=np.int32)
        table = payload.raw(period * positions).reshape(period, positions).astype(np.bool_)
        lengths = np.count_nonzero(table, axis=1)
        nonzeros = int((lengths * kernels_per_slot(rows, columns, period)).sum())
        payload.require(nonzeros * box.value_bits)
        values = payload.values(nonzeros, box.value_bits)
        payload.finish()
        if not nonzeros:  # a shape may have very many empty kernels: do not list them
            return np.zeros(box.shape, dtype=np.int32)
        return scattered(box.shape, np.flatnonzero(table[kernel_slots(rows, columns, period)]), values)
