"""Periodic kernels: the 2D support repeats with a period within and across filters.

Source of the rule: Kundu, Nazemi, Pedram, Chugg, Beerel, "Pre-defined Sparsity for
Low-Complexity Convolutional Neural Networks", IEEE Trans. Computers 69(7), 2020, as
implemented in the authors' public repository: the window of filter f and input channel c
uses slot (f + c + 1) mod P. Because the slot follows from the indices, nothing is stored per
weight or per window.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError
from energysim.kernels.base import Histogram, IntArray, Kernel, KernelClass, WeightShape, histogram

__all__ = ["PeriodicKernel"]


@dataclass(frozen=True)
class PeriodicKernel(Kernel):
    """Support sets that repeat with period P = ``len(slots)``, the shortest one.

    Parameters
    ----------
    shape : (int, int, int, int)
        (M, C, R, S).
    slots : tuple of tuple of int
        For each slot the kept taps (r * S + s), strictly ascending.

    Raises
    ------
    SchemeError
        If there is no slot, or a tap lies outside the window or is not ascending.
    """

    shape: WeightShape
    slots: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        taps = self.shape[2] * self.shape[3]
        if not self.slots:
            raise SchemeError("a periodic kernel needs at least one slot")
        for number, slot in enumerate(self.slots):
            if any(not 0 <= tap < taps for tap in slot):
                raise SchemeError(
                    f"slot {number} keeps positions {list(slot)}, "
                    f"a {self.shape[2]}x{self.shape[3]} window has 0 to {taps - 1}"
                )
            if any(a >= b for a, b in itertools.pairwise(slot)):
                raise SchemeError(f"slot {number} must list its positions once, ascending: {list(slot)}")
        count = len(self.slots)
        shortest = next(
            n for n in range(1, count + 1) if count % n == 0 and self.slots[:n] * (count // n) == self.slots
        )
        object.__setattr__(self, "slots", self.slots[:shortest])

    @property
    def period(self) -> int:
        return len(self.slots)

    @cached_property
    def _sizes(self) -> IntArray:
        return np.array([len(slot) for slot in self.slots], dtype=np.int64)

    @cached_property
    def _has(self) -> NDArray[np.bool_]:
        """Which slot keeps which tap, shape (P, R*S)."""
        has = np.zeros((self.period, self.shape[2] * self.shape[3]), dtype=np.bool_)
        for number, slot in enumerate(self.slots):
            has[number, list(slot)] = True
        return has

    @cached_property
    def _windows_per_slot(self) -> IntArray:
        """How many (f, c) windows use each slot, shape (P,): exact for any M and C."""
        m, c = self.shape[:2]
        p = self.period
        filters = np.bincount(np.arange(m) % p, minlength=p)
        channels = np.bincount(np.arange(c) % p, minlength=p)
        phi, gamma = np.meshgrid(np.arange(p), np.arange(p), indexing="ij")
        counts = np.zeros(p, dtype=np.int64)
        np.add.at(counts, (phi + gamma + 1) % p, filters[phi] * channels[gamma])
        return counts

    @cached_property
    def nonzeros(self) -> int:
        return int(sum(int(n) * int(k) for n, k in zip(self._windows_per_slot, self._sizes, strict=True)))

    @cached_property
    def _remainders(self) -> IntArray:
        """Weights of an m' x c' tile (both below P) that starts at slot o: shape (P, P, P)."""
        p = self.period
        slots = (np.arange(p)[:, None, None] + np.arange(p)[:, None] + np.arange(p)) % p
        table = np.zeros((p, p, p), dtype=np.int64)  # [o, m', c']
        table[:, 1:, 1:] = self._sizes[slots].cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]
        return np.ascontiguousarray(table.transpose(1, 2, 0))

    def nonzeros_in_tile(self, filters: IntArray, channels: IntArray) -> IntArray:
        m, c = np.broadcast_arrays(filters, channels)
        p = self.period
        whole = (m // p) * c + (m % p) * (c // p)  # windows per slot in full periods
        rest = self._remainders[m % p, c % p]  # (..., P) by starting slot
        # The first window of a tile may use slot (f0 + c0 + 1) mod P, f0 + c0 from 0 to this:
        spare = (self.shape[0] - m) + (self.shape[1] - c)
        reachable = (np.arange(p) - 1) % p <= spare[..., None]
        best = np.where(reachable, rest, -1).max(axis=-1)
        return np.asarray(whole * int(self._sizes.sum()) + best, dtype=np.int64)

    def filters_per_row(self, groups: int) -> Histogram:
        m, c = self.shape[:2]
        p = self.period
        per_group = m // groups
        totals: dict[int, int] = {}
        starts, repeats = np.unique(np.arange(groups) * per_group % p, return_counts=True)
        channels = np.bincount(np.arange(c) % p, minlength=p)
        phi = np.arange(p)
        for start, repeat in zip(starts, repeats, strict=True):
            filters = np.bincount((int(start) + np.arange(per_group)) % p, minlength=p)
            for gamma in range(p):
                counts = filters @ self._has[(phi + gamma + 1) % p].astype(np.int64)
                for used, rows in histogram(counts):
                    if used:
                        totals[used] = totals.get(used, 0) + rows * int(repeat) * int(channels[gamma])
        return tuple(sorted((used, rows) for used, rows in totals.items() if rows))

    def weights_per_filter(self) -> Histogram:
        m, c = self.shape[:2]
        p = self.period
        channels = np.bincount(np.arange(c) % p, minlength=p)
        phi = np.arange(p)
        lengths = np.array([int(channels @ self._sizes[(f + phi + 1) % p]) for f in range(p)])
        return histogram(lengths[np.arange(m) % p])

    def weights_per_window(self) -> Histogram:
        totals: dict[int, int] = {}
        for size, windows in zip(self._sizes, self._windows_per_slot, strict=True):
            if windows:
                totals[int(size)] = totals.get(int(size), 0) + int(windows)
        return tuple(sorted(totals.items()))

    @property
    def distinct_patterns(self) -> int:
        return len({slot for slot, n in zip(self.slots, self._windows_per_slot, strict=True) if n})

    def mask(self) -> NDArray[np.bool_]:
        m, c, r, s = self.shape
        slot = (np.arange(m)[:, None] + np.arange(c) + 1) % self.period
        return np.ascontiguousarray(self._has[slot].reshape(m, c, r, s))

    def classes(self) -> tuple[KernelClass, ...]:
        m, c = self.shape[:2]
        found = []
        for phi in range(min(self.period, m)):
            kept = self._has[(phi + np.arange(c) + 1) % self.period]
            channels, taps = np.nonzero(kept)
            found.append(KernelClass(np.arange(phi, m, self.period), channels, taps))
        return tuple(found)

    def transpose(self) -> PeriodicKernel:
        m, c, r, s = self.shape
        last = r * s - 1
        turned = tuple(tuple(sorted(last - tap for tap in slot)) for slot in self.slots)
        return PeriodicKernel((c, m, r, s), turned)

    def __getstate__(self) -> dict[str, Any]:
        return {"shape": self.shape, "slots": self.slots}
