"""N:M sparsity: at most N nonzeros in each group of M consecutive weights, along some order of the axes.

Source of the form: Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural Networks From
Scratch", ICLR 2021; 2:4 along input channels is what NVIDIA's sparse tensor cores take (Mishra et al.,
"Accelerating Sparse Deep Neural Networks", arXiv 2104.08378, 2021).

Significance: counts of disjoint groups of a mask with so many nonzeros at random places are negatively
associated (Joag-Dev and Proschan, Annals of Statistics 11(1), 1983), so all of G groups hold at most N
with a probability of at most F(N)^G, F the hypergeometric distribution; up to v exceptions multiply it by
at most C(G, v). It must be below 2^-40 for all that was searched.

Windows that all keep few positions hold few in any group too. So the windows are put in another order,
drawn three times (raw Philox output): if x groups break the pattern and mu do so there on average, the
pattern is claimed if x or fewer of mu have a probability below 2^-40 (Chernoff's bound for a Poisson
count: exp(-(mu - x + x ln(x / mu)))); else it is no more than the supports of the windows say.
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
#: Patterns that are compared with other orders of the windows, and how many orders.
_TRIED, _ORDERS_TRIED = 4, 3


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
    if not 0 < support.nonzeros < support.mask.size:
        return None
    found = [
        _groups(support, order, tally, kept)
        for order, mask, axis in _views(support)
        for tally in _tallies(mask, axis)
        for kept in range(1, tally.size)
        if _fits(support, tally, kept)
    ]
    # The windows of a matrix are its weights: their order is all there is.
    for best in sorted((g for g in found if claimed(g.saved_bits)), key=_rank)[:_TRIED]:
        if support.taps == 1 or not _survives(support, best):
            return best
    return None


def _rank(found: Groups) -> tuple[bool, int, int]:
    return not found.exact, -found.saved_bits, found.size


@dataclass(frozen=True)
class _Tally:
    """How many whole groups of a size hold 0, 1, ... nonzeros, and how many of the cut last ones.

    A last group that the end of an axis cuts proves nothing, but may break the pattern.
    """

    size: int
    whole: list[int]
    cut: list[int]

    def outside(self, kept: int) -> int:
        """Nonzeros beyond ``kept`` of their group."""
        return sum((i - kept) * (self.whole[i] + self.cut[i]) for i in range(kept + 1, self.size + 1))


def _fits(support: Support, tally: _Tally, kept: int) -> bool:
    """Whether there are few exceptions, and most groups with any weight are full."""
    weights = sum(i * number for i, number in enumerate(tally.whole))
    full = 100 * weights >= _FULL_PERCENT * kept * sum(tally.whole[1:])
    return full and tally.outside(kept) * _MOST_EXCEPTIONS <= support.nonzeros


def _groups(support: Support, order: str, tally: _Tally, kept: int) -> Groups:
    """A pattern with its significance."""
    groups, broken = sum(tally.whole), sum(tally.whole[kept + 1 :])
    tail = hypergeometric_tail(support.mask.size, support.nonzeros, tally.size, kept)
    saved = -(groups - broken) * math.log1p(-tail) / math.log(2) if tail < 1 else 0.0
    saved -= choices(groups, broken) + math.log2(len(ORDERS) * sum(size - 1 for size in SIZES))
    return Groups(kept, tally.size, order, tally.outside(kept), int(saved))


def _survives(support: Support, found: Groups) -> bool:
    """Whether a pattern is no more than the supports of the windows, in any order, say."""
    here, elsewhere = _broken(support, found), 0
    for seed in range(_ORDERS_TRIED):
        numbers = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)).random_raw(support.windows)
        windows = support.mask.reshape(support.windows, -1)[np.argsort(numbers, kind="stable")]
        elsewhere += _broken(Support(support.shape, windows.reshape(support.mask.shape)), found)
    expected = elsewhere / _ORDERS_TRIED
    if expected <= here:
        return True
    nats = expected - here + (here * math.log(here / expected) if here else 0.0)
    return not claimed(nats / math.log(2))


def _broken(support: Support, found: Groups) -> int:
    """Groups with more than N nonzeros."""
    mask, axis = next((mask, axis) for order, mask, axis in _views(support) if order == found.order)
    tally = next(tally for tally in _tallies(mask, axis) if tally.size == found.size)
    return sum(tally.whole[found.kept + 1 :])


def _tallies(mask: BoolArray, axis: int) -> Iterator[_Tally]:
    counts: NDArray[Any] = mask.view(np.uint8)
    for size in SIZES:
        whole = mask.shape[axis] // size
        if not whole:
            break
        counts = _paired(counts, axis)
        along = np.moveaxis(counts, axis, 0)
        full, rest = along[:whole], np.bincount(along[whole:].reshape(-1))
        lengths = [int(np.count_nonzero(full == value)) for value in range(size + 1)]
        yield _Tally(size, lengths, [*rest.tolist(), *[0] * (size + 1 - rest.size)])


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
