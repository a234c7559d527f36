"""The byte string around a payload: a small self-describing header, then the bits, then zero padding.

Header, whole bytes, not charged as storage (a real accelerator holds these numbers in its layer
configuration): one byte with the length of the format's text, the text in ASCII (``csr:index=32``),
then unsigned LEB128 numbers: rank, each dimension, bits a value, and whatever the format adds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from energysim.errors import FormatError
from energysim.formats.bits import BitReader

__all__ = ["MAX_ELEMENTS", "MAX_VALUE_BITS", "Container", "check_header", "header_bytes", "spec_of"]

MAX_ELEMENTS = 2**28
"""Largest tensor that is encoded or decoded (sizes alone have no limit): keeps damaged bytes from
asking for absurd memory. Zero dimensions count as 1."""

MAX_VALUE_BITS = 32
"""Widest value that is encoded or decoded [bit]."""

_MAX_RANK = 32


def check_header(shape: tuple[int, ...], value_bits: int) -> None:
    """Raise FormatError if a tensor of this shape and value width cannot be encoded or decoded."""
    if len(shape) > _MAX_RANK:
        raise FormatError(f"rank {len(shape)} is more than {_MAX_RANK}")
    if math.prod(max(1, size) for size in shape) > MAX_ELEMENTS:
        raise FormatError(f"shape {shape} is larger than the {MAX_ELEMENTS} elements an encoding may hold")
    if not 1 <= value_bits <= MAX_VALUE_BITS:
        raise FormatError(f"value_bits is {value_bits}; an encoding holds 1 to {MAX_VALUE_BITS} bits a value")


def _leb128(number: int) -> bytes:
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def header_bytes(spec: str, shape: tuple[int, ...], value_bits: int, numbers: Iterable[int]) -> bytes:
    """Return the header of an encoding.

    Parameters
    ----------
    spec : str
        Text of the format, as ``str(format)`` gives it.
    shape : tuple of int
        Shape of the tensor.
    value_bits : int
        Width of a value [bit].
    numbers : iterable of int
        What the format needs besides, each at least 0.
    """
    check_header(shape, value_bits)
    text = spec.encode("ascii")
    return bytes([len(text)]) + text + b"".join(map(_leb128, (len(shape), *shape, value_bits, *numbers)))


def spec_of(data: bytes) -> str:
    """Return the text of the format that wrote these bytes.

    Raises
    ------
    FormatError
        If the bytes do not begin with such a text.
    """
    if not data or len(data) < 1 + data[0]:
        raise FormatError("the bytes end before the name of their format")
    text = bytes(data[1 : 1 + data[0]])
    if not text.isascii():
        raise FormatError("the bytes do not begin with the name of a format")
    return text.decode("ascii")


@dataclass
class Container:
    """A header being read: shape and value width are known, the format asks for its own numbers.

    Parameters
    ----------
    data : bytes
        The whole encoding.
    spec : str
        The text of the format that is to decode it.

    Raises
    ------
    FormatError
        If another format wrote the bytes, they end early, or the header makes no sense.
    """

    data: bytes
    spec: str

    def __post_init__(self) -> None:
        written = spec_of(self.data)
        if written != self.spec:
            raise FormatError(f"these bytes were written by {written!r}, not by {self.spec!r}")
        self._at = 1 + len(written)
        rank = self.number()
        if rank > _MAX_RANK:
            raise FormatError(f"rank {rank} is more than {_MAX_RANK}")
        self.shape = tuple(self.number() for _ in range(rank))
        self.value_bits = self.number()
        check_header(self.shape, self.value_bits)

    def number(self) -> int:
        """Return the next number of the header."""
        result = 0
        for shift in range(0, 63, 7):
            if self._at >= len(self.data):
                raise FormatError("the bytes end inside their header")
            octet = self.data[self._at]
            self._at += 1
            result |= (octet & 0x7F) << shift
            if octet < 0x80:
                return result
        raise FormatError("a number of the header is longer than 63 bits")

    def payload(self) -> BitReader:
        """Return a reader of everything after the header numbers read so far."""
        return BitReader(self.data[self._at :])
