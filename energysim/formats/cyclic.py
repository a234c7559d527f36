"""Cyclic kernels: values only; ``nnz b`` bits.

Filter f holds the windows of the channels ``(f + k*step) mod C``, k = 0 .. fan - 1: the position of a
value follows from its number. Fan and step are configuration of the layer, as its shape is, and not
charged (Hosseini et al., "Cyclic Sparsely Connected Neural Network Architectures", IEEE TVLSI 2021: no
memory for indices).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.formats.slots import kernel_shape

__all__ = ["CyclicFormat"]


@dataclass(frozen=True)
class CyclicFormat(BaseFormat):
    """The values in C order.

    Parameters
    ----------
    fan : int
        Channels that each filter holds.
    step : int
        Distance between them.
    """

    name: ClassVar[str] = "cyclic"
    needs_mask: ClassVar[bool] = True
    fan: int = integer(1, 1, 1 << 20)
    step: int = integer(1, 1, 1 << 20)

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side 0 [bit]."""
        rows, _, positions = self._checked_shape(layout.shape)
        if mask is not None:
            self._check(mask)
        elif layout.nonzeros != rows * self.fan * positions:
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

    def _checked_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        rows, columns, positions = kernel_shape(shape)
        if rows and (self.fan - 1) * self.step >= columns:
            raise FormatError(
                f"a filter cannot hold {self.fan} channels in steps of {self.step} of the {columns} there are"
            )
        return rows, columns, positions

    def _kernels(self, rows: int, columns: int) -> IntArray:
        """The channels of each filter, ascending, shape (rows, fan)."""
        offsets = np.arange(self.fan, dtype=np.int64) * self.step
        filters = np.arange(rows, dtype=np.int64)[:, None]
        return np.sort((filters + offsets) % max(1, columns), axis=1)

    def _check(self, stored: BoolArray) -> None:
        rows, columns, positions = self._checked_shape(stored.shape)
        flat = stored.reshape(rows, columns, positions)
        inside = flat[np.arange(rows)[:, None], self._kernels(rows, columns)]
        if not inside.all() or np.count_nonzero(flat) != inside.size:
            raise FormatError(f"the tensor does not hold exactly the kernels of {self}")

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        self._check(stored)
        payload.fields(values[stored], value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        rows, columns, positions = self._checked_shape(box.shape)
        payload = box.payload()
        payload.require(rows * self.fan * positions * box.value_bits)
        values = payload.values(rows * self.fan * positions, box.value_bits)
        payload.finish()
        result = np.zeros((rows, columns, positions), dtype=np.int32)
        if values.size:
            kernels = self._kernels(rows, columns)
            result[np.arange(rows)[:, None], kernels] = values.reshape(rows, self.fan, positions)
        return result.reshape(box.shape)
