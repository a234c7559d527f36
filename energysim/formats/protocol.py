"""The contract of a storage format, and the values it returns."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from energysim.formats.layout import WeightLayout

__all__ = ["BoolArray", "Counts", "Encoded", "StorageFormat", "StorageSize", "Tensor"]

BoolArray = NDArray[np.bool_]
Tensor = NDArray[np.int32]
Counts = TypeVar("Counts", int, NDArray[np.int64])


@dataclass(frozen=True)
class StorageSize:
    """Size of a stored tensor.

    Parameters
    ----------
    value_bits : int
        Bits of the stored values [bit].
    side_bits : int
        Bits of everything else: indices, pointers, bitmaps, runs, flags, tables [bit].
    """

    value_bits: int
    side_bits: int

    @property
    def total_bits(self) -> int:
        """Values and side information together [bit]."""
        return self.value_bits + self.side_bits


@dataclass(frozen=True)
class Encoded:
    """An encoded tensor.

    Parameters
    ----------
    data : bytes
        Header, payload, and zero bits up to a whole byte.
    header_bits : int
        Bits of the header [bit], not charged as storage.
    payload_bits : int
        Bits of the payload [bit]: exactly the total of ``size_bits``.
    """

    data: bytes
    header_bits: int
    payload_bits: int


class StorageFormat(Protocol):
    """The contract of a storage encoding.

    A plug-in is a frozen dataclass whose fields are its parameters (see
    ``energysim.formats.parameters``); ``str(format)`` is its text and ``get_format`` reads it back.
    `BaseFormat` gives all of it for three small methods.
    """

    name: ClassVar[str]
    lossless: ClassVar[bool]
    needs_mask: ClassVar[bool]

    def encode(self, array: NDArray[np.integer], value_bits: int, mask: BoolArray | None = None) -> Encoded:
        """Return the encoding of an integer tensor of any rank.

        Parameters
        ----------
        array : ndarray of int
            Values; each must fit `value_bits` in two's complement.
        value_bits : int
            Width of a value [bit], 1 to 32.
        mask : ndarray of bool, same shape, optional
            Positions to store, by default the nonzeros, which it must contain.

        Raises
        ------
        FormatError
            If a value does not fit, or the format cannot hold the tensor.
        """

    def decode(self, data: bytes) -> Tensor:
        """Return the tensor, from the bytes alone.

        Raises
        ------
        FormatError
            If these bytes are not a whole encoding by this very format and parameters.
        """

    def size_bits(self, array_or_mask: NDArray[np.integer] | BoolArray, value_bits: int) -> StorageSize:
        """Return the exact size [bit] of a tensor or of a boolean mask of what is stored.

        Raises
        ------
        FormatError
            If the format cannot hold the tensor.
        """

    def expected_size_bits(self, shape: tuple[int, ...], density: Fraction, value_bits: int) -> StorageSize:
        """Return the expected size [bit] of a tensor with independently placed nonzeros.

        The expected count (of nonzeros, or of run-length pairs) is an exact fraction, rounded up once.

        Raises
        ------
        FormatError
            If the density is not within 0 and 1, or the format cannot hold such a tensor.
        """

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return the exact size [bit] of a whole tensor from the numbers of its layout.

        `mask` is read only by formats with ``needs_mask``; ``size_bits(mask)`` is the same number.

        Raises
        ------
        FormatError
            If the layout lacks a number the format needs, or the format cannot hold the tensor.
        """

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return the bits a tile of the tensor needs [bit], without the tables of the layer.

        With all nonzeros, kernels, positions and rows of the layer this is the total of
        ``layer_bits`` minus ``table_bits`` (run-length: at least that).

        Parameters
        ----------
        nonzeros : int or ndarray of int64
            Stored values in the tile.
        kernels : int or ndarray of int64
            Kernels (f, c) the tile touches.
        positions : int or ndarray of int64
            Positions in the tile, kernels x R x S for whole kernels.
        value_bits : int
            Width of a value [bit].
        layout : WeightLayout
            The whole tensor.
        rows : int or ndarray of int64, optional
            Matrix rows in the tile, where the format has row pointers; by default a bound.
        """

    def table_bits(self, layout: WeightLayout) -> int:
        """Return the bits of the tables stored once per layer and resident with every tile [bit]."""
