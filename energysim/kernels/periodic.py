"""Periodic kernels: the 2D support repeats with a period within and across filters.

Source of the rule: Kundu, Nazemi, Pedram, Chugg, Beerel, "Pre-defined Sparsity for
Low-Complexity Convolutional Neural Networks", IEEE Trans. Computers 69(7), 2020, as
implemented in the authors' public repository: the window of filter f and input channel c
uses slot (f + c + 1) mod P. Because the slot follows from the indices, nothing is stored per
weight or per window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError
from energysim.kernels.base import (
    Histogram,
    IntArray,
    Kernel,
    KernelClass,
    Patterns,
    WeightShape,
    checked_shape,
    histogram,
)
from energysim.kernels.mask import MaskKernel

__all__ = ["PeriodicKernel"]

Slots = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PeriodicKernel(Kernel):
    """Support sets that repeat with period P = ``len(slots)``.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    slots : tuple of tuple of int
        For each slot the kept taps (r * S + s), strictly ascending; a slot may be empty. What is
        kept is the shortest period that gives the same support, so that equal supports are equal
        kernels and every slot is in use: a tensor with M + C <= P has no room for all of them.

    Raises
    ------
    ShapeError
        If the shape is not four positive integers.
    SchemeError
        If there is no slot, or a tap lies outside the window or is not ascending.
    """

    shape: WeightShape
    slots: Slots

    def __post_init__(self) -> None:
        shape = checked_shape(self.shape)
        slots = tuple(tuple(slot) for slot in self.slots)
        _check(shape, slots)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "slots", _shortest(slots, shape[0] + shape[1] - 1))

    @property
    def period(self) -> int:
        return len(self.slots)

    def _slot(self, filters: IntArray | int, channels: IntArray | int) -> IntArray:
        """The rule: which slot the window of filter f and channel c uses."""
        return np.asarray((filters + channels + 1) % self.period, dtype=np.int64)

    @cached_property
    def _has(self) -> NDArray[np.bool_]:
        """Which slot keeps which tap, shape (P, R*S)."""
        has = np.zeros((self.period, self.shape[2] * self.shape[3]), dtype=np.bool_)
        for number, slot in enumerate(self.slots):
            has[number, list(slot)] = True
        return has

    @cached_property
    def _sizes(self) -> IntArray:
        """Weights of a window by slot, shape (P,)."""
        return np.array([len(slot) for slot in self.slots], dtype=np.int64)

    @cached_property
    def _table(self) -> IntArray:
        """The slot of filter f and channel c for f, c < P, shape (P, P)."""
        first = np.arange(self.period, dtype=np.int64)
        return self._slot(first[:, None], first)

    def _residues(self, start: int, count: int) -> IntArray:
        """How many of ``start .. start + count - 1`` leave each remainder modulo P, shape (P,)."""
        numbers = np.arange(start, start + count, dtype=np.int64)
        return np.bincount(numbers % self.period, minlength=self.period).astype(np.int64)

    @cached_property
    def _windows_per_slot(self) -> IntArray:
        """How many (f, c) windows use each slot, shape (P,): exact for any M and C."""
        m, c = self.shape[:2]
        counts = np.zeros(self.period, dtype=np.int64)
        np.add.at(counts, self._table, self._residues(0, m)[:, None] * self._residues(0, c))
        return counts

    @cached_property
    def nonzeros(self) -> int:
        return int((self._windows_per_slot * self._sizes).sum())

    @cached_property
    def _remainders(self) -> IntArray:
        """Most weights of an m' x c' tile, both below P, shape (P, P, P).

        Entry (m', c', n) is the maximum over the starting slots 1, 2, ... n + 1 (mod P).
        """
        p = self.period
        offset = np.arange(p, dtype=np.int64)[:, None, None]
        table = np.zeros((p, p, p), dtype=np.int64)  # [offset of the start, m', c']
        tiles = self._sizes[(self._table + offset) % p].cumsum(axis=1).cumsum(axis=2)
        table[:, 1:, 1:] = tiles[:, :-1, :-1]
        return np.ascontiguousarray(np.maximum.accumulate(table, axis=0).transpose(1, 2, 0))

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        """See :meth:`Kernel.nonzeros_in_tile`.

        Notes
        -----
        P rows or P columns of windows hold every slot equally often; what remains of a tile is a
        rectangle smaller than P x P, and only its starting slot depends on where the tile lies.
        Tiles start at f + c = 0 up to what the tensor leaves beside them.
        """
        m, c = np.broadcast_arrays(np.asarray(filters, np.int64), np.asarray(channels, np.int64))
        p = self.period
        whole = (m // p) * c + (m % p) * (c // p)  # windows per slot in full periods
        spare = (self.shape[0] - m) + (self.shape[1] - c)
        rest = self._remainders[m % p, c % p, np.minimum(spare, p - 1)]
        return np.asarray(whole * self._sizes.sum() + rest, dtype=np.int64)

    def filters_per_row(self, groups: int) -> Histogram:
        m, c = self.shape[:2]
        each = m // groups
        channels = self._residues(0, c)
        totals: dict[int, int] = {}
        # Groups whose first filter leaves the same remainder modulo P are alike.
        starts, repeats = np.unique(np.arange(groups) * each % self.period, return_counts=True)
        for start, repeat in zip(starts, repeats, strict=True):
            filters = self._residues(int(start), each)
            used = (filters[:, None, None] * self._has[self._table]).sum(axis=0)  # (channel mod P, tap)
            for row, times in zip(used, channels, strict=True):
                for count, taps in histogram(row):
                    if count and times:
                        totals[count] = totals.get(count, 0) + taps * int(times * repeat)
        return tuple(sorted(totals.items()))

    def weights_per_filter(self) -> Histogram:
        m, c = self.shape[:2]
        by_filter = (self._sizes[self._table] * self._residues(0, c)).sum(axis=1)
        return histogram(by_filter[np.arange(m) % self.period])

    def weights_per_window(self) -> Histogram:
        totals: dict[int, int] = {}
        for size, windows in zip(self._sizes, self._windows_per_slot, strict=True):
            totals[int(size)] = totals.get(int(size), 0) + int(windows)
        return tuple(sorted(totals.items()))

    def patterns(self) -> Patterns:
        totals: dict[tuple[int, ...], int] = {}
        for slot, windows in zip(self.slots, self._windows_per_slot, strict=True):
            totals[slot] = totals.get(slot, 0) + int(windows)
        return tuple(sorted(totals.items()))

    def mask(self) -> NDArray[np.bool_]:
        m, c = self.shape[:2]
        slot = self._slot(np.arange(m, dtype=np.int64)[:, None], np.arange(c, dtype=np.int64))
        return self._has[slot].reshape(self.shape)

    def classes(self) -> tuple[KernelClass, ...]:
        m, c = self.shape[:2]
        members: dict[bytes, list[int]] = {}  # filters f < P whose windows are alike, by their taps
        kept = []
        for first in range(min(self.period, m)):
            kept.append(self._has[self._slot(first, np.arange(c, dtype=np.int64))])
            members.setdefault(kept[first].tobytes(), []).append(first)
        found = []
        for residues in members.values():
            filters = np.concatenate([np.arange(f, m, self.period, dtype=np.int64) for f in residues])
            channels, taps = np.nonzero(kept[residues[0]])
            found.append(KernelClass(np.sort(filters), channels, taps))
        return tuple(found)

    def transpose(self, groups: int = 1) -> Kernel:
        """See :meth:`Kernel.transpose`; periodic again unless the groups are out of step with P."""
        m, c, r, s = self.shape
        if groups > 1 and (m // groups - c) % self.period:
            # The first slot of a group moves by M' from one to the next, but would have to by C'.
            return MaskKernel(self.mask()).transpose(groups)
        last = r * s - 1
        turned = tuple(tuple(last - tap for tap in reversed(slot)) for slot in self.slots)
        return PeriodicKernel((c * groups, m // groups, r, s), turned)

    def __getstate__(self) -> dict[str, Any]:
        return {"shape": self.shape, "slots": self.slots}


def _check(shape: WeightShape, slots: Slots) -> None:
    taps = shape[2] * shape[3]
    if not slots:
        raise SchemeError("a periodic kernel needs at least one slot")
    for number, slot in enumerate(slots):
        if any(not 0 <= tap < taps for tap in slot):
            raise SchemeError(
                f"slot {number} keeps positions {list(slot)}, "
                f"a {shape[2]}x{shape[3]} window has 0 to {taps - 1}"
            )
        if any(a >= b for a, b in pairwise(slot)):
            raise SchemeError(f"slot {number} must list its positions once, ascending: {list(slot)}")


def _shortest(slots: Slots, diagonals: int) -> Slots:
    """Return the fewest slots that give the same support on so many diagonals f + c.

    Two periods of the sequence are enough to find it: a shorter period of those divides P.
    """
    p = len(slots)
    used = tuple(slots[(d + 1) % p] for d in range(min(diagonals, 2 * p)))
    shortest = next(n for n in range(1, len(used) + 1) if used[n:] == used[: len(used) - n])
    return tuple(used[(number - 1) % shortest] for number in range(shortest))
