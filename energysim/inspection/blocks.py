"""Whole windows, blocks of windows, and whole channels that are kept or removed together.

A *block* of bf x bc windows (consecutive filters, consecutive channels) is kept whole or removed whole;
1 x 1 is a whole kernel, and in a matrix, whose windows have one position, a block is one of weights. An
exact block grid is found from where neighbouring rows and columns of windows differ: blocks can only
begin there, so the largest block divides all these places. With exceptions blocks of powers of two up to
64 are tried: a block is kept if at least half of its weights are not 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.inspection.evidence import choices, claimed
from energysim.inspection.support import Support

__all__ = ["Blocks", "Channels", "find_blocks", "find_channels"]

_NAME_BITS = 40
_MOST_EXCEPTIONS = 20
_SIZES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Blocks:
    """Blocks of windows kept or removed whole.

    Attributes
    ----------
    filters, channels : int
        Windows of a block along each axis.
    kept, total : int
        Blocks.
    outside, zeros : int
        Nonzeros in removed blocks, zeros in kept ones.
    saved_bits : int
        Significance: see :mod:`energysim.inspection.evidence`.
    """

    filters: int
    channels: int
    kept: int
    total: int
    outside: int
    zeros: int
    saved_bits: int

    @property
    def exact(self) -> bool:
        return not self.outside and not self.zeros

    def __str__(self) -> str:
        return f"{self.filters}x{self.channels} blocks"


@dataclass(frozen=True)
class Channels:
    """Filters and input channels without any weight.

    Attributes
    ----------
    filters : tuple of int
        Empty filters, indices on weight axis 0.
    channels : tuple of int
        Empty input channels of the layer: group * C + c.
    rest_dense : bool
        Whether every other weight is there.
    zeros : int
        Zeros in the other filters and channels.
    """

    filters: tuple[int, ...]
    channels: tuple[int, ...]
    rest_dense: bool
    zeros: int

    def __bool__(self) -> bool:
        return bool(self.filters or self.channels)


def find_channels(support: Support, groups: int = 1) -> Channels:
    """Return which filters and input channels hold no weight; groups share axis 0 in equal parts."""
    m, c = support.shape[:2]
    some = (support.per_window != 0).reshape(groups, m // groups, c)
    filters, channels = some.any(axis=2), some.any(axis=1)
    rows, columns = filters.sum(axis=1, dtype=np.int64), channels.sum(axis=1, dtype=np.int64)
    zeros = int((rows * columns).sum()) * support.taps - support.nonzeros
    empty = [tuple(int(i) for i in np.flatnonzero(~which.reshape(-1))) for which in (filters, channels)]
    return Channels(empty[0], empty[1], zeros == 0, zeros)


def find_blocks(support: Support) -> Blocks | None:
    """Return the block structure of a mask, an exact one if there is any, or None."""
    if not 0 < support.nonzeros < support.mask.size:
        return None
    counts = support.per_window
    if bool(((counts == 0) | (counts == support.taps)).all()):
        found = _exact(support, counts != 0)
        if found is not None:
            return found
    return _near(support, counts)


def _exact(support: Support, kept: NDArray[np.bool_]) -> Blocks | None:
    m, c = kept.shape
    high, wide = _step(kept), _step(kept.T)
    if support.taps == 1 and high * wide == 1:
        return None  # single weights are no blocks
    blocks = kept[::high, ::wide]
    return _judged(support, (high, wide), blocks.size, int(np.count_nonzero(blocks)), 0, 0, m * c)


def _step(kept: NDArray[np.bool_]) -> int:
    """The largest step such that rows differ from the one before only at its multiples."""
    changes = np.flatnonzero((kept[1:] != kept[:-1]).any(axis=1)) + 1
    return math.gcd(*map(int, changes)) if changes.size else len(kept)


def _near(support: Support, counts: NDArray[Any]) -> Blocks | None:
    """The best blocks with exceptions.

    Joining blocks never makes fewer exceptions, nor a removed block where there was none: once one
    size fails, so do its multiples.
    """
    best: Blocks | None = None
    by_rows, widest = counts, _SIZES[-1]
    for high in _SIZES:
        if high > 1:
            by_rows = _paired(by_rows, support.taps * high)
        sums = by_rows
        for wide in (size for size in _SIZES if size <= widest):
            if wide > 1:
                sums = _paired(sums.T, support.taps * high * wide).T
            if high * wide * support.taps == 1:
                continue
            larger, found = _near_fit(support, sums, high, wide)
            if found is not None and (best is None or found.saved_bits > best.saved_bits):
                best = found
            if not larger:
                widest = wide // 2
                break
            if wide >= support.shape[1]:
                break
        if not widest or high >= support.shape[0]:
            break
    return best


def _near_fit(support: Support, sums: NDArray[Any], high: int, wide: int) -> tuple[bool, Blocks | None]:
    """Whether larger blocks may fit, and the blocks of one size if they do."""
    heights = _lengths(support.shape[0], high).astype(sums.dtype)
    widths = (_lengths(support.shape[1], wide) * support.taps).astype(sums.dtype)
    weights = heights[:, None] * widths
    kept = sums >= weights - weights // 2
    outside = int(np.where(kept, 0, sums).sum(dtype=np.int64))
    inside = int(np.where(kept, weights, 0).sum(dtype=np.int64))
    zeros = inside - (support.nonzeros - outside)
    number = int(np.count_nonzero(kept))
    if number == kept.size or (outside + zeros) * _MOST_EXCEPTIONS > support.nonzeros:
        return False, None
    return True, _judged(support, (high, wide), kept.size, number, outside, zeros, inside)


def _judged(
    support: Support, size: tuple[int, int], total: int, kept: int, outside: int, zeros: int, inside: int
) -> Blocks | None:
    """The blocks, if they are significant."""
    if not 0 < kept < total:
        return None
    length = _NAME_BITS + choices(total, kept)
    if outside or zeros:
        length += choices(inside, zeros) + choices(support.mask.size - inside, outside)
        length += 2 * math.log2(support.nonzeros + 1)
    saved = support.free_bits - length
    return Blocks(*size, kept, total, outside, zeros, int(saved)) if claimed(saved) else None


def _paired(counts: NDArray[Any], most: int) -> NDArray[Any]:
    """Sums of neighbouring rows, at most ``most``; a last one without a neighbour stays alone."""
    even, odd = counts[0::2], counts[1::2]
    total = even.astype(np.min_scalar_type(most))
    total[: len(odd)] += odd
    return total


def _lengths(length: int, size: int) -> NDArray[np.int64]:
    """Lengths of the parts of an axis cut into pieces of a size."""
    starts = np.arange(0, length, size)
    return np.minimum(size, length - starts)
