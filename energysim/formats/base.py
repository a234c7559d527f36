"""The part that all storage formats share.

Rules for every format:

- Value bits are the stored values; side bits are indices, pointers, bitmaps, runs, flags and tables.
- The header of an encoding and the padding of its last byte are not charged.
- What is stored is a mask: by default the nonzeros, or a wider mask that the caller gives, so that a
  weight which happens to be zero inside a fixed pattern is still stored.
- Padding to memory bursts is not part of a size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from energysim.errors import FormatError
from energysim.formats.bits import BitWriter
from energysim.formats.container import Container, check_header, header_bytes
from energysim.formats.layout import WeightLayout, iid_layout, layout_of
from energysim.formats.parameters import check_parameters, parameter_text
from energysim.formats.protocol import BoolArray, Counts, Encoded, StorageSize, Tensor

__all__ = ["BaseFormat", "IntArray", "scattered", "smaller"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BaseFormat(ABC):
    """Shared scaffolding: a format adds its size formula, its tile formula, and how it writes and reads."""

    name: ClassVar[str]
    lossless: ClassVar[bool] = True
    needs_mask: ClassVar[bool] = False
    kernel_fields: ClassVar[bool] = False
    """Whether sizes need the period, the patterns or the uniform count of a layout."""

    def __post_init__(self) -> None:
        check_parameters(self)

    def __str__(self) -> str:
        return parameter_text(self)

    def encode(self, array: NDArray[np.integer], value_bits: int, mask: BoolArray | None = None) -> Encoded:
        """See `StorageFormat.encode`."""
        values, stored = _checked(array, value_bits, mask)
        payload = BitWriter()
        numbers = self._write(payload, values, stored, value_bits)
        header = header_bytes(str(self), values.shape, value_bits, numbers)
        return Encoded(header + payload.to_bytes(), 8 * len(header), payload.bits)

    def decode(self, data: bytes) -> Tensor:
        """See `StorageFormat.decode`."""
        return self._read(Container(data, str(self)))

    def size_bits(self, array_or_mask: NDArray[np.integer] | BoolArray, value_bits: int) -> StorageSize:
        """See `StorageFormat.size_bits`."""
        mask = np.asarray(array_or_mask) != 0
        return self.layer_bits(layout_of(mask, kernel_fields=self.kernel_fields), value_bits, mask)

    def expected_size_bits(self, shape: tuple[int, ...], density: Fraction, value_bits: int) -> StorageSize:
        """See `StorageFormat.expected_size_bits`."""
        return self.layer_bits(iid_layout(shape, density), value_bits)

    @abstractmethod
    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """See `StorageFormat.layer_bits`."""

    @abstractmethod
    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """See `StorageFormat.tile_bits`."""

    def table_bits(self, layout: WeightLayout) -> int:
        """See `StorageFormat.table_bits`; a format without tables needs none."""
        return 0

    @abstractmethod
    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        """Write the payload, exactly ``layer_bits`` long; return the numbers the header needs."""

    @abstractmethod
    def _read(self, box: Container) -> Tensor:
        """Read the header numbers and the payload back, trusting neither."""


def _checked(
    array: NDArray[np.integer], value_bits: int, mask: BoolArray | None
) -> tuple[IntArray, BoolArray]:
    values = np.asarray(array)
    if values.dtype.kind not in "iu":
        raise FormatError(f"a tensor of {values.dtype} cannot be encoded; integers are needed")
    check_header(values.shape, value_bits)
    low, high = -(1 << (value_bits - 1)), (1 << (value_bits - 1)) - 1
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise FormatError(
            f"values from {values.min()} to {values.max()} do not fit {value_bits} bits ({low} to {high})"
        )
    stored = values != 0
    if mask is not None:
        given = np.asarray(mask, dtype=np.bool_)
        if given.shape != values.shape or bool((stored & ~given).any()):
            raise FormatError("the mask does not cover all nonzeros of the tensor")
        stored = given
    return values.astype(np.int64), stored


def smaller(counts: Counts, limit: int) -> Counts:
    """Return the counts, none above the limit; an int stays an int."""
    return min(counts, limit) if isinstance(counts, int) else np.minimum(counts, limit)


def scattered(shape: tuple[int, ...], at: IntArray, values: IntArray) -> Tensor:
    """Return a tensor that is zero but at the given flat positions.

    Raises
    ------
    FormatError
        If the positions do not increase strictly, or leave the tensor.
    """
    result = np.zeros(shape, dtype=np.int32)
    if at.size:
        if at[0] < 0 or at[-1] >= result.size or bool((np.diff(at) <= 0).any()):
            raise FormatError("decoded positions are not in strictly increasing order inside the tensor")
        result.reshape(-1)[at] = values
    return result
