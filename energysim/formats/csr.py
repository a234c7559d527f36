"""Compressed sparse rows (CSR, also CRS): column indices, and a pointer to the start of each row.

``nnz (b + ceil(log2 cols)) + (rows + 1) ceil(log2(nnz + 1))`` bits with the least widths, the default;
``csr:index=32,pointer=32`` is the form with machine words.

The matrix of a weight tensor (M, C, R, S) is M x (C R S). ``csr:row_axes=2`` takes two axes as rows,
which for activations (N, C, H, W) is the matrix (N C) x (H W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered, smaller
from energysim.formats.bits import BitWriter, bits_for
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor

__all__ = ["CsrFormat"]


@dataclass(frozen=True)
class CsrFormat(BaseFormat):
    """Row pointers, then column indices, then values.

    Pointers count values from the start of the whole tensor; the first is 0, the last the number of
    nonzeros, which is also in the header.

    Parameters
    ----------
    index : int, optional
        Width of a column index [bit]; least width by default.
    pointer : int, optional
        Width of a row pointer [bit]; least width by default.
    row_axes : int
        Leading axes that make the rows: 1 for weights, 2 for activations.
    """

    name: ClassVar[str] = "csr"
    index: int | None = integer(None, 1, 64)
    pointer: int | None = integer(None, 1, 64)
    row_axes: int = integer(1, 1, 2)

    def matrix_shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the rows and columns of the matrix of a tensor shape."""
        return math.prod(shape[: self.row_axes]), math.prod(shape[self.row_axes :])

    def field_bits(self, shape: tuple[int, ...], nonzeros: int) -> tuple[int, int]:
        """Return the widths of an index and of a pointer [bit].

        Raises
        ------
        FormatError
            If a fixed width is too narrow for this tensor.
        """
        columns = self.matrix_shape(shape)[1]
        index, pointer = bits_for(columns), bits_for(nonzeros + 1)
        if self.index is not None and self.index < index:
            raise FormatError(f"{self.index}-bit indices cannot count the {columns} columns of shape {shape}")
        if self.pointer is not None and self.pointer < pointer:
            raise FormatError(f"{self.pointer}-bit pointers cannot count {nonzeros} nonzeros")
        return self.index or index, self.pointer or pointer

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``nnz b``, side ``nnz index + (rows + 1) pointer`` [bit]."""
        index, pointer = self.field_bits(layout.shape, layout.nonzeros)
        pointers = self.matrix_shape(layout.shape)[0] + 1
        return StorageSize(layout.nonzeros * value_bits, layout.nonzeros * index + pointers * pointer)

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return ``nonzeros (b + index) + (rows + 1) pointer`` [bit].

        Indices and pointers keep the width of the whole matrix: a tile is a cut of the stored rows,
        not a matrix of its own. A tile of some columns still needs a pointer for each of its rows.
        Without `rows` the bound ``min(rows of the matrix, kernels)`` is charged: each row of a tile
        holds at least one kernel.
        """
        index, pointer = self.field_bits(layout.shape, layout.nonzeros)
        whole = self.matrix_shape(layout.shape)[0]
        counted = smaller(kernels, whole) if rows is None else rows
        return nonzeros * (value_bits + index) + (counted + 1) * pointer

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        nonzeros = int(np.count_nonzero(stored))
        index, pointer = self.field_bits(stored.shape, nonzeros)
        row, column = np.nonzero(stored.reshape(self.matrix_shape(stored.shape)))
        ends = np.cumsum(np.bincount(row, minlength=self.matrix_shape(stored.shape)[0]))
        payload.fields(np.concatenate([np.zeros(1, np.int64), ends]), pointer)
        payload.fields(column, index)
        payload.fields(values[stored], value_bits)
        return [nonzeros]

    def _read(self, box: Container) -> Tensor:
        nonzeros = box.number()
        rows, columns = self.matrix_shape(box.shape)
        if nonzeros > rows * columns:
            raise FormatError(f"{nonzeros} nonzeros in a tensor of shape {box.shape}")
        index, pointer = self.field_bits(box.shape, nonzeros)
        payload = box.payload()
        payload.require((rows + 1) * pointer + nonzeros * (index + box.value_bits))
        row = self._rows(payload.fields(rows + 1, pointer), nonzeros) if pointer else np.zeros(0, np.int64)
        column = payload.fields(nonzeros, index)
        if nonzeros and not 0 <= int(column.min()) <= int(column.max()) < columns:
            raise FormatError(f"a column index is outside the {columns} columns")
        values = payload.values(nonzeros, box.value_bits)
        payload.finish()
        return scattered(box.shape, row * columns + column, values)

    @staticmethod
    def _rows(pointers: IntArray, nonzeros: int) -> IntArray:
        lengths = np.diff(pointers)
        ends_fit = pointers[0] == 0 and pointers[-1] == nonzeros and pointers.max() <= nonzeros
        if not ends_fit or bool((pointers < 0).any()) or bool((lengths < 0).any()):
            raise FormatError(f"row pointers do not rise from 0 to {nonzeros}")
        return np.repeat(np.arange(lengths.size), lengths)
