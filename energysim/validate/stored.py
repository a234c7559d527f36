"""Bits of weights as they are really stored: encoded, measured, and decoded again.

Which format a tensor gets is decided here from the hardware's description alone, not by the code that
the estimate uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import CheckFailedError, FormatError
from energysim.formats import StorageFormat, get_format
from energysim.hardware import Hardware
from energysim.kernels import Kernel

__all__ = ["encoded_bits", "format_of", "quantised_weights"]

#: Elements of a dense tensor that are encoded at a time.
_PART = 1 << 20


def format_of(kernel: Kernel, hardware: Hardware, asked: str | None = None) -> StorageFormat:
    """Return the format of a weight tensor.

    A dense tensor is stored densely; a sparse one as asked; else densely where the hardware stores no
    compressed weights; else in its own format, if it has one; else as the kernel says, by default
    ``periodic`` or ``bitmap``.
    """
    if kernel.is_dense:
        return get_format("dense")
    if asked is not None:
        return get_format(asked)
    if not hardware.weights.stored_compressed:
        return get_format("dense")
    return get_format(hardware.weights.format or kernel.storage)


def quantised_weights(weights: NDArray[Any], bits: int) -> NDArray[np.int32]:
    """Return weights as integers of so many bits, the largest magnitude as the largest integer.

    Raises
    ------
    FormatError
        For more than 32 bits.
    """
    if not 1 <= bits <= 32:
        raise FormatError(f"weights are encoded in 1 to 32 bits, not in {bits}")
    largest = max(1, (1 << (bits - 1)) - 1)
    peak = float(np.abs(weights).max()) or 1.0
    steps = np.rint(weights * (largest / peak), dtype=np.float64)
    return np.clip(steps, -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int32)


def encoded_bits(
    weights: NDArray[np.floating[Any]], kernel: Kernel, storage: StorageFormat, bits: int
) -> int:
    """Return the payload bits of a layer's encoded weights; headers and padding are not charged.

    Every weight that the kernel has is stored, whatever its value.

    Raises
    ------
    CheckFailedError
        If the bytes do not give back the weights.
    FormatError
        If the format cannot hold them.
    """
    dense = storage.name == "dense"
    total = 0
    for part, mask in _parts(weights, None if kernel.is_dense else kernel.mask(), dense):
        values = quantised_weights(part, bits)
        if mask is not None:
            values = np.where(mask, values, np.int32(0))
        encoded = storage.encode(values, bits, mask)
        if len(encoded.data) * 8 - encoded.header_bits - encoded.payload_bits not in range(8):
            raise CheckFailedError(f"{len(encoded.data)} bytes do not hold {encoded.payload_bits} bits")
        if storage.lossless and not np.array_equal(_decoded(storage, encoded.data), values):
            raise CheckFailedError("the encoded bytes do not give back the weights")
        total += encoded.payload_bits
    return total


def _decoded(storage: StorageFormat, data: bytes) -> NDArray[np.int32]:
    """Return what the bytes hold; bytes of our own that cannot be read are no bad input."""
    try:
        return storage.decode(data)
    except FormatError as error:
        raise CheckFailedError(f"the encoded bytes cannot be read back: {error}") from None


def _parts(
    weights: NDArray[Any], mask: NDArray[np.bool_] | None, split: bool
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_] | None]]:
    """The whole tensor, or blocks of filters where the encoding of a whole is that of its parts in a row."""
    step = max(1, _PART // max(1, weights[0].size)) if split else len(weights)
    for start in range(0, len(weights), step):
        yield weights[start : start + step], None if mask is None else mask[start : start + step]
