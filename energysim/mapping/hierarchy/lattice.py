"""All sizes a tile can have: a divisor of each dimension, as a grid of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.space import divisors
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Floats

__all__ = ["Lattice"]


@dataclass(frozen=True, eq=False)
class Lattice:
    """The divisors of some sizes.

    Parameters
    ----------
    sizes : sequence of int
        Of the eight dimensions.
    """

    sizes: tuple[int, ...]
    _covered: dict[str, Floats] = field(default_factory=dict)
    _above: dict[tuple[int, str], IntArray] = field(default_factory=dict)

    @cached_property
    def divisors(self) -> tuple[IntArray, ...]:
        """Of each dimension, ascending."""
        return tuple(np.array(divisors(size), dtype=np.int64) for size in self.sizes)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of divisors of each dimension."""
        return tuple(len(d) for d in self.divisors)

    @cached_property
    def extents(self) -> IntArray:
        """All points, (points, 8), the last dimension changing fastest."""
        grids = np.meshgrid(*self.divisors, indexing="ij")
        return np.stack([grid.reshape(-1) for grid in grids], axis=1)

    @cached_property
    def _index(self) -> tuple[dict[int, int], ...]:
        """Position of each divisor of each dimension."""
        return tuple({int(d): i for i, d in enumerate(each)} for each in self.divisors)

    @cached_property
    def _multiples(self) -> tuple[tuple[IntArray, ...], ...]:
        """Of each divisor of each dimension, the positions of its multiples."""
        return tuple(tuple(np.flatnonzero(each % one == 0) for one in each) for each in self.divisors)

    def covered(self, dims: str = DIMS) -> Floats:
        """Return the product of each point's sizes over some dimensions."""
        if dims not in self._covered:
            found = np.ones(len(self.extents))
            for dim in dims:
                found *= self.extents[:, COLUMN[dim]]
            self._covered[dims] = found
        return self._covered[dims]

    def at(self, extents: IntArray) -> IntArray:
        """Return which points some extents (n, 8) are."""
        found = np.zeros(len(extents), dtype=np.int64)
        for column, each in enumerate(self.divisors):
            found = found * len(each) + np.searchsorted(each, extents[:, column])
        return found

    def above(self, point: int, dims: str) -> IntArray:
        """Return the points that loops over some dimensions reach from a point, itself first."""
        key = (point, dims)
        if key not in self._above:
            self._above[key] = self._reached(point, dims)
        return self._above[key]

    def _reached(self, point: int, dims: str) -> IntArray:
        extent = self.extents[point]
        free = {COLUMN[dim] for dim in dims}
        points = np.zeros(1, dtype=np.int64)
        for column, (each, multiples) in enumerate(zip(self.divisors, self._multiples, strict=True)):
            at = self._index[column][int(extent[column])]
            more = multiples[at] if column in free else np.array([at], dtype=np.int64)
            points = (points[:, None] * len(each) + more[None, :]).reshape(-1)
        return points

    def least_above(self, table: Floats, dims: Iterable[str]) -> Floats:
        """Return for each point the least of the values (points, k) that loops over dimensions reach."""
        found = table.reshape(*self.shape, -1).copy()
        for dim in dims:
            column = COLUMN[dim]
            moved = np.moveaxis(found, column, 0)
            for at, multiples in enumerate(self._multiples[column]):
                if len(multiples) > 1:  # larger ones come later: they are still as they were
                    moved[at] = moved[multiples].min(axis=0)
        return found.reshape(len(table), -1)
