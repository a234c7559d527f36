"""The support of a weight tensor, window by window: one machine word for each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import ShapeError
from energysim.inspection.evidence import arrangements, choices
from energysim.kernels import WeightShape

__all__ = ["BoolArray", "IntArray", "Support", "four_axes", "ones"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

#: Set bits of every byte.
_ONES = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def four_axes(shape: Sequence[int]) -> WeightShape:
    """Return a weight shape of 2 to 5 axes as (M, C, R, S): a matrix has 1 x 1 windows.

    Further axes of a window are joined into its columns.

    Raises
    ------
    ShapeError
        For another number of axes, or an axis of no length.
    """
    if not 2 <= len(shape) <= 5 or min(shape) < 1:
        raise ShapeError(f"a weight tensor has 2 to 5 axes of at least 1, not shape {tuple(shape)}")
    m, c, *window = (int(n) for n in shape)
    if len(window) < 2:
        return m, c, 1, (window[0] if window else 1)
    columns = 1
    for n in window[1:]:
        columns *= n
    return m, c, window[0], columns


def ones(words: NDArray[Any]) -> int:
    """Return the number of set bits of an array of words."""
    if words.dtype == np.bool_:
        return int(np.count_nonzero(words))
    return int(_ONES[np.ascontiguousarray(words).view(np.uint8)].sum(dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Support:
    """Where a weight tensor is not zero.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    mask : bool array of shape (M, C, R * S)
    """

    shape: WeightShape
    mask: BoolArray

    @property
    def windows(self) -> int:
        """M * C, windows of the tensor."""
        return self.shape[0] * self.shape[1]

    @property
    def taps(self) -> int:
        """R * S, positions of a window."""
        return self.shape[2] * self.shape[3]

    @cached_property
    def nonzeros(self) -> int:
        return int(np.count_nonzero(self.mask))

    @cached_property
    def words(self) -> NDArray[Any]:
        """The support of each window as an opaque word that is equal for equal supports, shape (M, C, K).

        K is 1 up to 64 taps; then more words of 64 bits.
        """
        m, c, _ = self.mask.shape
        if self.taps == 1:
            return self.mask
        packed = np.packbits(self.mask.reshape(m * c, self.taps), axis=1)
        size = next(n for n in (1, 2, 4, 8) if n >= min(8, packed.shape[1]))
        padded = np.zeros((m * c, -(-packed.shape[1] // size) * size), dtype=np.uint8)
        padded[:, : packed.shape[1]] = packed
        return padded.view(f"u{size}").reshape(m, c, -1)

    @cached_property
    def pattern_counts(self) -> dict[bytes, int]:
        """Windows by support: the opaque word as bytes -> how many windows have it."""
        words = self.words
        if words.shape[2] > 1:
            rows = words.reshape(self.windows, -1)
            found, counts = np.unique(
                np.ascontiguousarray(rows).view(np.dtype((np.void, rows[0].nbytes)))[:, 0], return_counts=True
            )
            return {bytes(word): int(n) for word, n in zip(found, counts, strict=True)}
        if words.dtype == np.bool_:
            some = self.nonzeros
            return {np.bool_(v).tobytes(): n for v, n in ((False, words.size - some), (True, some)) if n}
        flat = words.reshape(-1)
        if flat.dtype.itemsize <= 2:
            tally = np.bincount(flat)
            return {flat.dtype.type(v).tobytes(): int(tally[v]) for v in np.flatnonzero(tally)}
        found, counts = np.unique(flat, return_counts=True)
        return {word.tobytes(): int(n) for word, n in zip(found, counts, strict=True)}

    @cached_property
    def per_window(self) -> NDArray[Any]:
        """Nonzeros of each window, shape (M, C)."""
        if self.taps == 1:
            return self.mask[:, :, 0].view(np.uint8)
        kind = np.min_scalar_type(self.taps)
        if self.taps <= 32:  # an addition per tap is faster than many short sums
            total = self.mask[:, :, 0].astype(kind)
            for tap in range(1, self.taps):
                total += self.mask[:, :, tap]
            return total
        counts: NDArray[Any] = self.mask.sum(axis=2, dtype=kind)
        return counts

    @cached_property
    def free_bits(self) -> float:
        """``log2 C(n, nonzeros)`` [bit]: see :mod:`energysim.inspection.evidence`."""
        return choices(self.mask.size, self.nonzeros)

    @cached_property
    def order_bits(self) -> float:
        """Bits to say which window has which of the supports that occur."""
        return arrangements(self.pattern_counts.values())
