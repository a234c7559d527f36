"""N:M sparsity: at most N nonzeros in each group of M consecutive weights, along some order of the axes.

Source of the form: Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural Networks From
Scratch", ICLR 2021; 2:4 along input channels is what NVIDIA's sparse tensor cores take (Mishra et al.,
"Accelerating Sparse Deep Neural Networks", arXiv 2104.08378, 2021).

Significance: counts of disjoint groups of a mask with so many nonzeros at random places are negatively
associated (Joag-Dev and Proschan, Annals of Statistics 11(1), 1983), so all of G groups hold at most N
with a probability of at most F(N)^G, F the hypergeometric distribution; up to v exceptions multiply it by
at most C(G, v). It must be below 2^-40 for all that was searched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.inspection.evidence import choices, claimed, hypergeometric_tail
from energysim.inspection.support import BoolArray, Support

__all__ = ["ORDERS", "SIZES", "Groups", "find_groups"]

#: Weights of a group.
SIZES = (2, 4, 8, 16, 32)
#: Order of the axes -> in words. Groups do not cross from one line of it to the next.
ORDERS = {
    "channels": "consecutive input channels of a filter and tap",
    "filters": "consecutive filters of an input channel and tap",
    "channel-tap": "consecutive weights of a filter, channel by channel (C, R, S)",
    "tap-channel": "consecutive weights of a filter, tap by tap (R, S, C)",
}
#: A claimed pattern is nearly full: this share of what its groups with any weight could hold [1/100].
_FULL_PERCENT = 95
#: Exceptions allowed: one for so many nonzeros.
_MOST_EXCEPTIONS = 20


@dataclass(frozen=True)
class Groups:
    """N of M consecutive weights.

    Attributes
    ----------
    kept, size : int
        N and M.
    order : str
        A key of :data:`ORDERS`.
    outside : int
        Nonzeros beyond N of their group.
    saved_bits : int
        Significance: a mask of this density has this by chance with a probability below 2^-saved_bits.
    """

    kept: int
    size: int
    order: str
    outside: int
    saved_bits: int

    @property
    def exact(self) -> bool:
        return not self.outside

    def __str__(self) -> str:
        return f"{self.kept}:{self.size} along {self.order}"


def find_groups(support: Support) -> Groups | None:
    """Return the most significant N:M pattern, an exact one if there is any, or None."""
    n, k = support.mask.size, support.nonzeros
    if not 0 < k < n:
        return None
    candidates = len(ORDERS) * sum(size - 1 for size in SIZES)
    best: Groups | None = None
    for order, size, lengths, rests in _histograms(support):
        groups, filled = sum(lengths), sum(lengths[1:])
        weights = sum(i * lengths[i] for i in range(1, size + 1))
        for kept in range(1, size):
            broken = sum(lengths[kept + 1 :])
            outside = sum((i - kept) * (lengths[i] + rests[i]) for i in range(kept + 1, size + 1))
            if outside * _MOST_EXCEPTIONS > k or 100 * weights < _FULL_PERCENT * kept * filled:
                continue
            tail = hypergeometric_tail(n, k, size, kept)
            if tail >= 1:
                continue
            saved = -(groups - broken) * math.log1p(-tail) / math.log(2)
            saved -= choices(groups, broken) + math.log2(candidates)
            found = Groups(kept, size, order, outside, int(saved))
            if claimed(saved) and (best is None or _rank(found) < _rank(best)):
                best = found
    return best


def _rank(found: Groups) -> tuple[bool, int, int]:
    return not found.exact, -found.saved_bits, found.size


def _histograms(support: Support) -> Iterator[tuple[str, int, list[int], list[int]]]:
    """Order, group size, how many whole groups hold 0, 1, ... nonzeros, and how many of the cut last ones.

    A last group that the end of an axis cuts proves nothing, but may break the pattern.
    """
    for order, mask, axis in _views(support):
        counts: NDArray[Any] = mask.view(np.uint8)
        for size in SIZES:
            whole = mask.shape[axis] // size
            if not whole:
                break
            counts = _paired(counts, axis)
            along = np.moveaxis(counts, axis, 0)
            full, rest = along[:whole], np.bincount(along[whole:].reshape(-1))
            lengths = [int(np.count_nonzero(full == value)) for value in range(size + 1)]
            yield order, size, lengths, [*rest.tolist(), *[0] * (size + 1 - rest.size)]


def _views(support: Support) -> Iterator[tuple[str, BoolArray, int]]:
    """Order, mask and the axis along which groups lie."""
    m, c, taps = support.mask.shape
    yield "channels", support.mask, 1
    yield "filters", support.mask, 0
    if taps > 1:
        yield "channel-tap", support.mask.reshape(m, c * taps), 1
        yield "tap-channel", np.ascontiguousarray(support.mask.transpose(0, 2, 1)).reshape(m, taps * c), 1


def _paired(counts: NDArray[Any], axis: int) -> NDArray[Any]:
    """Sums of neighbours along an axis; a last one without a neighbour stays alone."""
    moved = np.moveaxis(counts, axis, 0)
    even, odd = moved[0::2], moved[1::2]
    if len(even) == len(odd):
        return np.moveaxis(even + odd, 0, axis)
    total = even.copy()
    total[: len(odd)] += odd
    return np.moveaxis(total, 0, axis)
