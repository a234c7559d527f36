"""All sizes a tile can have: a divisor of each dimension, as a grid of arrays.

Which sizes a tile can grow to is asked for millions of pairs. So each size is kept as a whole number
made of bit fields, one for each prime of each dimension, that hold its exponents, with one bit more
above each: if all of these bits are set in one number, the other one can be subtracted from it, and
they are still set afterwards exactly if it divides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.space import divisors, prime_exponents
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Bools, Floats

__all__ = ["Lattice"]

_Table = TypeVar("_Table", IntArray, Floats)

#: Bits used of a word.
_BITS = 62


@dataclass
class _Word:
    """Some of the exponents of all points.

    Attributes
    ----------
    codes : int64 array (points,)
    guards : int
        The bits above the fields.
    fields : dict of str to int
        The bits of a dimension's exponents.
    """

    codes: IntArray
    guards: int
    fields: dict[str, int]


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

    def reaches(self, ours: IntArray, theirs: IntArray, dims: Iterable[str]) -> Bools:
        """Return whether loops over some dimensions lead from points (a,) to points (b,): (a, b)."""
        found = np.ones((len(ours), len(theirs)), dtype=np.bool_)
        for word in self._packed:
            alike = sum(word.fields[dim] for dim in DIMS if dim not in dims)
            left = (word.codes[theirs] | word.guards)[None, :] - word.codes[ours][:, None]
            left &= word.guards | alike
            found &= left == word.guards
        return found

    def count_above(self, points: IntArray, dims: Iterable[str]) -> IntArray:
        """Return how many points loops over some dimensions reach from each point, itself included."""
        found = np.ones(len(points), dtype=np.int64)
        at = np.unravel_index(points, self.shape)
        for column in (COLUMN[dim] for dim in dims):
            found *= np.array([len(each) for each in self._multiples[column]])[at[column]]
        return found

    def grown(self, found: Bools, dims: Iterable[str]) -> Bools:
        """Return which points loops over some dimensions reach from any of some (points,), them included."""
        after = found.reshape(self.shape)
        for column in (COLUMN[dim] for dim in dims):
            before = np.moveaxis(after, column, 0)
            after = after.copy()
            moved = np.moveaxis(after, column, 0)
            for at, multiples in enumerate(self._multiples[column]):
                moved[multiples] |= before[at]
        return after.reshape(-1)

    @cached_property
    def _packed(self) -> list[_Word]:
        """The exponents of all points, in as few words as they need."""
        words: list[_Word] = []
        used = _BITS
        for column, (dim, size) in enumerate(zip(DIMS, self.sizes, strict=True)):
            shape = [-1 if i == column else 1 for i in range(len(DIMS))]
            for prime, most in prime_exponents(size):
                width = most.bit_length()
                if used + width + 1 > _BITS:
                    words.append(_Word(np.zeros(self.shape, dtype=np.int64), 0, dict.fromkeys(DIMS, 0)))
                    used = 0
                word = words[-1]
                each = [_exponent(int(one), prime) << used for one in self.divisors[column]]
                word.codes += np.array(each, dtype=np.int64).reshape(shape)
                word.fields[dim] |= ((1 << width) - 1) << used
                word.guards |= 1 << (used + width)
                used += width + 1
        for word in words:
            word.codes = word.codes.reshape(-1)
        return words

    def total_above(self, table: IntArray, dims: Iterable[str]) -> IntArray:
        """Return for each point the sum of the values (points,) that loops over dimensions reach."""
        return self._gathered(table[:, None], dims, np.add)[:, 0]

    def least_above(self, table: Floats, dims: Iterable[str]) -> Floats:
        """Return for each point the least of the values (points, k) that loops over dimensions reach."""
        return self._gathered(table, dims, np.minimum)

    def _gathered(self, table: _Table, dims: Iterable[str], gather: np.ufunc) -> _Table:
        found = table.reshape(*self.shape, -1).copy()
        for dim in dims:
            column = COLUMN[dim]
            moved = np.moveaxis(found, column, 0)
            for at, multiples in enumerate(self._multiples[column]):
                if len(multiples) > 1:  # larger ones come later: they are still as they were
                    gather.reduce(moved[multiples], axis=0, out=moved[at])
        return found.reshape(len(table), -1)


def _exponent(number: int, prime: int) -> int:
    """How often a prime divides a number."""
    found = 0
    while number % prime == 0:
        number, found = number // prime, found + 1
    return found
