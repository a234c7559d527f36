"""Packing of fixed-width fields into bits and back, most significant bit first.

Everything here works on arrays of single bits (uint8 of 0 and 1), so a field may start at any bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energysim.errors import FormatError

__all__ = ["BitReader", "BitWriter", "bits_for", "bits_to_fields", "fields_to_bits", "sign_extended"]

BitArray = NDArray[np.uint8]
IntArray = NDArray[np.int64]


def bits_for(count: int) -> int:
    """Return ``ceil(log2(count))``, the bits of an index into `count` things; 0 for none or one."""
    return (count - 1).bit_length() if count > 1 else 0


def _word_bytes(width: int) -> int:
    return next(size for size in (1, 2, 4, 8) if width <= 8 * size)


def fields_to_bits(values: ArrayLike, width: int) -> BitArray:
    """Return the two's complement bits of integers.

    Parameters
    ----------
    values : array_like of int, shape (n,)
        Integers that fit `width` bits, signed or not (the caller checks).
    width : int
        Field width [bit], 0 to 64.

    Returns
    -------
    ndarray of uint8, shape (n, width)
    """
    size = _word_bytes(width)
    words = np.asarray(values, dtype=np.int64).reshape(-1).astype(f">i{size}", casting="unsafe")
    octets = words.view(np.uint8).reshape(-1, size)
    bits: BitArray = np.unpackbits(octets, axis=1)[:, 8 * size - width :]
    return bits


def bits_to_fields(bits: BitArray) -> IntArray:
    """Return the unsigned integers of a bit matrix of shape (n, width), width at most 64, as int64."""
    count, width = bits.shape
    if width == 0:
        return np.zeros(count, dtype=np.int64)
    size = _word_bytes(width)
    padded = np.zeros((count, 8 * size), dtype=np.uint8)
    padded[:, 8 * size - width :] = bits
    return np.packbits(padded, axis=1).reshape(-1).view(f">u{size}").astype(np.int64)


def sign_extended(fields: IntArray, width: int) -> IntArray:
    """Return the two's complement reading of unsigned fields of `width` bits (1 to 62)."""
    sign = 1 << (width - 1)
    signed: IntArray = (fields ^ sign) - sign
    return signed


class BitWriter:
    """Collects fields; the only state is the list of bits written so far."""

    def __init__(self) -> None:
        self._parts: list[BitArray] = []

    def fields(self, values: ArrayLike, width: int) -> None:
        """Append each integer as a field of `width` bits."""
        self.raw(fields_to_bits(values, width))

    def raw(self, bits: NDArray[np.uint8] | NDArray[np.bool_]) -> None:
        """Append an array of single bits, in C order."""
        self._parts.append(bits.reshape(-1).astype(np.uint8))

    @property
    def bits(self) -> int:
        """Bits written so far."""
        return sum(part.size for part in self._parts)

    def to_bytes(self) -> bytes:
        """Return everything written, padded with zero bits to a whole byte."""
        return np.packbits(np.concatenate([np.zeros(0, dtype=np.uint8), *self._parts])).tobytes()


class BitReader:
    """Reads fields from bytes; every request is checked against what is left before anything is allocated.

    Raises
    ------
    FormatError
        From every method, if the bytes end early or something is left over.
    """

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
        self._at = 0

    def require(self, bits: int) -> None:
        """Check that at least this many bits are left."""
        left = self._bits.size - self._at
        if bits > left:
            raise FormatError(f"the bytes end early: {bits} more bits expected, {left} left")

    def raw(self, count: int) -> BitArray:
        """Return the next `count` single bits."""
        self.require(count)
        self._at += count
        return self._bits[self._at - count : self._at]

    def fields(self, count: int, width: int) -> IntArray:
        """Return the next `count` unsigned fields of `width` bits."""
        return bits_to_fields(self.raw(count * width).reshape(count, width))

    def values(self, count: int, width: int) -> IntArray:
        """Return the next `count` two's complement fields of `width` bits."""
        return sign_extended(self.fields(count, width), width)

    def finish(self) -> None:
        """Check that only the zero bits that fill the last byte are left."""
        rest = self._bits[self._at :]
        if rest.size >= 8 or rest.any():
            raise FormatError(f"{rest.size} bits are left over after the last value")
