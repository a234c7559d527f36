"""Kernels given by an explicit mask, and random supports.

Random supports (the scheme of Kundu, Prakash, Akrami, Beerel, Chugg, "pSConv", Allerton
2019: every 2D window keeps the same number of positions, drawn independently) come from the
raw output of the counter-based generator Philox, whose stream NumPy guarantees, not from a
distribution method, whose stream may change between releases.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.kernels.base import Histogram, IntArray, Kernel, KernelClass, WeightShape, histogram

__all__ = ["MaskKernel", "random_support"]


class MaskKernel(Kernel):
    """A support given position by position; equal and hashed by a digest of the mask.

    Parameters
    ----------
    mask : bool array of shape (M, C, R, S)
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        m, c, r, s = mask.shape
        self.shape: WeightShape = (m, c, r, s)
        self._bits = np.packbits(mask.reshape(-1)).tobytes()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and mask."""
        return hashlib.sha256(repr(self.shape).encode() + self._bits).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MaskKernel) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"MaskKernel(shape={self.shape}, digest={self.digest[:12]})"

    def __getstate__(self) -> dict[str, Any]:
        return {"shape": self.shape, "_bits": self._bits}

    def mask(self) -> NDArray[np.bool_]:
        m, c, r, s = self.shape
        bits = np.unpackbits(np.frombuffer(self._bits, dtype=np.uint8), count=m * c * r * s)
        return bits.astype(np.bool_).reshape(self.shape)

    @cached_property
    def _counts(self) -> IntArray:
        """Kept taps of each window, shape (M, C)."""
        return np.asarray(self.mask().sum(axis=(2, 3)), dtype=np.int64)

    @property
    def nonzeros(self) -> int:
        return int(self._counts.sum())

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        m, c = np.broadcast_arrays(filters, channels)
        counts = self._counts
        if counts.size and counts.min() == counts.max():
            return np.asarray(m * c * int(counts.flat[0]), dtype=np.int64)
        table = np.zeros((counts.shape[0] + 1, counts.shape[1] + 1), dtype=np.int64)
        table[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)
        result = np.empty(m.shape, dtype=np.int64)
        for rows in np.unique(m):
            bands = table[rows:] - table[:-rows]
            chosen = m == rows
            best = {int(n): int((bands[:, n:] - bands[:, :-n]).max()) for n in np.unique(c[chosen])}
            result[chosen] = [best[int(n)] for n in c[chosen]]
        return result

    def filters_per_row(self, groups: int) -> Histogram:
        m, c, r, s = self.shape
        used = self.mask().reshape(groups, m // groups, c * r * s).sum(axis=1)
        return tuple((n, rows) for n, rows in histogram(used) if n)

    def weights_per_filter(self) -> Histogram:
        return histogram(self._counts.sum(axis=1))

    def weights_per_window(self) -> Histogram:
        return histogram(self._counts)

    @cached_property
    def distinct_patterns(self) -> int:
        m, c, r, s = self.shape
        return len(np.unique(np.packbits(self.mask().reshape(m * c, r * s), axis=1), axis=0))

    def classes(self) -> tuple[KernelClass, ...]:
        m, _c, r, s = self.shape
        rows = self.mask().reshape(m, -1)
        _, first, member = np.unique(
            np.packbits(rows, axis=1), axis=0, return_index=True, return_inverse=True
        )
        member = member.reshape(-1)
        found = []
        for number in np.argsort(first, kind="stable"):
            kept = np.flatnonzero(rows[first[number]])
            found.append(KernelClass(np.flatnonzero(member == number), kept // (r * s), kept % (r * s)))
        return tuple(found)

    def transpose(self) -> MaskKernel:
        return MaskKernel(np.ascontiguousarray(self.mask().transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]))


def random_support(shape: WeightShape, kept: int, seed: int, stream: int) -> MaskKernel:
    """Return a kernel whose every window keeps ``kept`` positions drawn at random.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    kept : int
        Positions kept in each R x S window, 1 to R * S.
    seed, stream : int
        Key of the generator, both below 2**64; the same pair gives the same mask for ever.

    Notes
    -----
    One raw 64-bit number is drawn per position; a window keeps the positions of its ``kept``
    smallest numbers (ties: the earlier position).
    """
    m, c, r, s = shape
    numbers = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)).random_raw(m * c * r * s)
    order = np.argsort(numbers.reshape(m * c, r * s), axis=1, kind="stable")
    mask = np.zeros((m * c, r * s), dtype=np.bool_)
    np.put_along_axis(mask, order[:, :kept], True, axis=1)
    return MaskKernel(mask.reshape(shape))
