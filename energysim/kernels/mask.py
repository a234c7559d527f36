"""Kernels given by an explicit mask, and random supports.

Random supports (the scheme of Kundu, Prakash, Akrami, Beerel, Chugg, "pSConv", Allerton
2019: every 2D window keeps the same number of positions, drawn independently) come from the
raw output of the counter-based generator Philox, whose stream NumPy guarantees, not from a
distribution method, whose stream may change between releases.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import ShapeError
from energysim.kernels.base import (
    Histogram,
    IntArray,
    Kernel,
    KernelClass,
    Patterns,
    WeightShape,
    checked_shape,
    fair_share,
    histogram,
)

__all__ = ["MaskKernel", "random_support"]

#: Elements of a block of the tile search: with its working copy it stays in the second-level cache.
_BLOCK = 1 << 17


class MaskKernel(Kernel):
    """A support given position by position; equal and hashed by a digest of the mask.

    Parameters
    ----------
    mask : bool array of shape (M, C, R, S)

    Raises
    ------
    ShapeError
        If it is anything else.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        if mask.dtype != np.bool_:
            raise ShapeError(f"a mask holds booleans, not {mask.dtype}")
        self.shape: WeightShape = checked_shape(mask.shape)
        self._bits = np.packbits(mask.reshape(-1)).tobytes()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and mask."""
        return hashlib.sha256(repr(self.shape).encode() + self._bits).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, MaskKernel) else NotImplemented

    def __hash__(self) -> int:
        return int(self.digest[:15], 16)

    def __repr__(self) -> str:
        return f"MaskKernel(shape={self.shape}, digest={self.digest[:12]})"

    def __getstate__(self) -> dict[str, Any]:
        return {"shape": self.shape, "_bits": self._bits}

    def mask(self) -> NDArray[np.bool_]:
        bits = np.unpackbits(np.frombuffer(self._bits, dtype=np.uint8), count=math.prod(self.shape))
        return bits.view(np.bool_).reshape(self.shape)

    @cached_property
    def _counts(self) -> NDArray[np.unsignedinteger[Any]]:
        """Kept taps of each window, shape (M, C)."""
        r, s = self.shape[2:]
        counts: NDArray[np.unsignedinteger[Any]] = self.mask().sum(
            axis=(2, 3), dtype=np.min_scalar_type(r * s)
        )
        return counts

    @cached_property
    def nonzeros(self) -> int:
        return int(self._counts.sum(dtype=np.int64))

    @cached_property
    def _table(self) -> NDArray[np.unsignedinteger[Any]]:
        """Kept taps of the windows above and left of each corner, shape (M + 1, C + 1)."""
        counts = self._counts
        kind = np.uint32 if self.nonzeros < 1 << 32 else np.uint64
        table = np.zeros((counts.shape[0] + 1, counts.shape[1] + 1), dtype=kind)
        np.cumsum(counts, axis=1, dtype=kind, out=table[1:, 1:])
        for row in range(1, counts.shape[0]):  # whole rows: cumsum down the columns is ten times slower
            table[row + 1] += table[row]
        return table

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        """See :meth:`Kernel.nonzeros_in_tile`.

        Notes
        -----
        Differences of a summed-area table, every position of every tile. Unsigned integers
        wrap around, so a table of 32 bits is exact as long as the whole tensor has fewer weights.
        """
        m, c = np.broadcast_arrays(np.asarray(filters, np.int64), np.asarray(channels, np.int64))
        counts = self._counts
        if counts.min() == counts.max():
            return np.asarray(m * c * int(counts.flat[0]), dtype=np.int64)
        result = np.empty(m.shape, dtype=np.int64)
        for rows in np.unique(m):
            chosen = m == rows
            widths, place = np.unique(c[chosen], return_inverse=True)
            result[chosen] = _fullest(self._table, int(rows), widths)[place.reshape(-1)]
        return result

    def nonzeros_in_tile_range(self, filters: IntArray, channels: IntArray) -> tuple[IntArray, IntArray]:
        """See :meth:`Kernel.nonzeros_in_tile_range`.

        Notes
        -----
        No tile holds more than its windows can, than its filters, than its channels, or than there is.
        """
        m, c = np.broadcast_arrays(np.asarray(filters, np.int64), np.asarray(channels, np.int64))
        counts = self._counts
        high = np.minimum(m * c * int(counts.max()), m * self._most[0])
        return fair_share(self, m, c), np.minimum(np.minimum(high, c * self._most[1]), self.nonzeros)

    @cached_property
    def _most(self) -> tuple[int, int]:
        """The most weights of a filter, and of a channel."""
        counts = self._counts
        return tuple(int(counts.sum(axis=axis, dtype=np.int64).max()) for axis in (1, 0))  # type: ignore[return-value]

    def filters_per_row(self, groups: int) -> Histogram:
        m, c, r, s = self.shape
        used = self.mask().reshape(groups, m // groups, c * r * s).sum(axis=1)
        return tuple((n, rows) for n, rows in histogram(used) if n)

    def weights_per_filter(self) -> Histogram:
        return histogram(self._counts.sum(axis=1, dtype=np.int64))

    def weights_per_window(self) -> Histogram:
        return histogram(self._counts)

    @cached_property
    def _patterns(self) -> Patterns:
        return super().patterns()

    def patterns(self) -> Patterns:
        return self._patterns

    def classes(self) -> tuple[KernelClass, ...]:
        m, _c, r, s = self.shape
        rows = self.mask().reshape(m, -1)
        members: dict[bytes, list[int]] = {}
        for number, row in enumerate(np.packbits(rows, axis=1)):
            members.setdefault(row.tobytes(), []).append(number)
        found = []
        for filters in members.values():
            kept = np.flatnonzero(rows[filters[0]])
            found.append(KernelClass(np.array(filters, np.int64), kept // (r * s), kept % (r * s)))
        return tuple(found)

    def transpose(self, groups: int = 1) -> MaskKernel:
        m, c, r, s = self.shape
        grouped = self.mask().reshape(groups, m // groups, c, r, s)
        turned = grouped.transpose(0, 2, 1, 3, 4)[..., ::-1, ::-1]
        return MaskKernel(turned.reshape(groups * c, m // groups, r, s))


def _fullest(table: NDArray[Any], rows: int, widths: IntArray) -> IntArray:
    """Return the largest sum over tiles of so many rows, for each width, from a summed-area table."""
    best = np.zeros(len(widths), dtype=np.int64)
    height, across = table.shape
    step = max(1, _BLOCK // across)
    space = np.empty(step * across, dtype=table.dtype)
    for start in range(0, height - rows, step):
        stop = min(start + step, height - rows)
        bands = table[start + rows : stop + rows] - table[start:stop]
        for number, width in enumerate(widths):
            sums = space[: (stop - start) * (across - width)].reshape(stop - start, -1)
            np.subtract(bands[:, width:], bands[:, :-width], out=sums)
            best[number] = max(best[number], int(sums.max()))
    return best


def random_support(shape: WeightShape, kept: int, seed: int, stream: int) -> MaskKernel:
    """Return a kernel whose every window keeps ``kept`` positions drawn at random.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    kept : int
        Positions kept in each R x S window, 0 to R * S.
    seed, stream : int
        Key of the generator, both below 2**64; the same pair gives the same mask for ever.

    Notes
    -----
    One raw 64-bit number is drawn per position; a window keeps the positions of its ``kept``
    smallest numbers (ties: the earlier position).
    """
    m, c, r, s = checked_shape(shape)
    numbers = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)).random_raw(m * c * r * s)
    order = np.argsort(numbers.reshape(m * c, r * s), axis=1, kind="stable")
    mask = np.zeros((m * c, r * s), dtype=np.bool_)
    np.put_along_axis(mask, order[:, :kept], True, axis=1)
    return MaskKernel(mask.reshape(shape))
