"""The best two-level mapping of a layer, found by evaluating the whole space.

The space is every candidate tile of N, M, C, P and Q (:mod:`energysim.mapping.axes`) times every
order of their loops (:mod:`energysim.mapping.space`). It is walked in float64, in blocks, with a
lower bound of the value of each point; whatever could reach the best exact value seen is then
compared in exact integers with a total tie-break. So the answer does not depend on the machine
nor on the size of the blocks, and it is the best of the space, not nearly the best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.nest import Fetches, Tiling, fetches
from energysim.mapping.room import Room, smallest_footprint
from energysim.mapping.rules import Rules
from energysim.mapping.space import CLASSES, Block, Floats, Space
from energysim.workload import LoopNest

__all__ = ["BLOCK", "Choice", "Goal", "search"]

#: Points evaluated at a time: the working set of a block stays in the second-level cache.
BLOCK = 8192
#: Relative error that float64 lower bounds may have.
_SLACK = 1e-12


@dataclass(frozen=True)
class Goal:
    """What is minimised. Both functions must not decrease with any of their three arguments.

    Attributes
    ----------
    bound : callable
        Arrays of weight passes, input elements, output visits -> float64 array: the value, or
        less, never more (within a relative 1e-12).
    exact : callable
        Fetches -> tuple of exact numbers, compared in order; the first is the value.
    """

    bound: Callable[[Floats, Floats, Floats], Floats]
    exact: Callable[[Fetches], tuple[int, ...]]


@dataclass(frozen=True)
class Choice:
    """The best mapping of a space.

    Attributes
    ----------
    tiling : Tiling or None
        None if nothing fits; ``smallest`` then says what would.
    moved : Fetches or None
    tilings, mappings : int
        Size of the space: tilings, and tilings times loop orders.
    smallest : (int, int, int) or None
        If nothing fits, the bits that weights, inputs and outputs of the smallest tile take: no
        less will do.
    """

    tiling: Tiling | None
    moved: Fetches | None
    tilings: int
    mappings: int
    smallest: tuple[int, int, int] | None = None


def search(nest: LoopNest, rules: Rules, room: Room, goal: Goal, whole: str = "") -> Choice:
    """Return the mapping with the least value of ``goal`` that fits ``room``.

    ``whole`` names image axes that are not to be cut: ``"Q"``, ``"PQ"``.

    Among equal values: the lower further exact numbers of the goal; then the fewest weight
    passes, input elements and output visits, in this order; then the fewest tiles, the larger
    tiles of N, P, Q, M, C in this order, and the class ``output`` before ``input`` before
    ``weight``.
    """
    space = Space(nest, rules, room, whole)
    pool = _Pool(space, goal)
    for block in space.blocks(BLOCK):
        pool.add(block)
    found = pool.winner()
    if found is None:
        return Choice(None, None, space.tilings, space.mappings, smallest_footprint(nest, rules, room))
    tiling, moved = found
    if fetches(nest, tiling, rules) != moved:
        raise AssertionError(f"search and evaluator disagree on {tiling}: {moved}")
    return Choice(tiling, moved, space.tilings, space.mappings)


class _Pool:
    """The points that may still win.

    Attributes
    ----------
    limit : float
        Least exact value seen, with the slack: a point whose bound is above it cannot win.
    points : int64 array of shape (9, points)
        Weight passes, input elements, output visits; tiles; the numbers of the outer tile and of
        the tiles of M and C (0 is the largest); class; whether along Q. The order of preference
        among equal values is the order of these numbers.
    """

    def __init__(self, space: Space, goal: Goal) -> None:
        self.space, self.goal = space, goal
        self.limit = self._lowest = np.inf
        self.points = np.empty((9, 0), dtype=np.int64)

    def add(self, block: Block) -> None:
        """Take in what may win of a block."""
        for kind in range(len(CLASSES)):
            moved = block.moved(kind)
            value = np.where(block.fits, self.goal.bound(*moved), np.inf)
            at = int(value.argmin())
            lowest = float(value.flat[at])
            if lowest == np.inf or lowest > self.limit:
                continue
            if lowest < self._lowest:
                self._lowest = lowest
                passes, inputs, visits = (int(np.broadcast_to(a, value.shape).flat[at]) for a in moved)
                exact = self.goal.exact(Fetches(passes, inputs, visits))[0]
                self.limit = min(self.limit, exact * (1 + _SLACK))
            possible = value <= self.limit
            if self.points.size:
                possible &= ~_worse(moved, self.points[:3, 0])
            found = block.points(kind, *np.nonzero(possible))
            self.points = np.append(self.points, found, axis=1)
            if self.points.shape[1] > BLOCK // 8:
                self._thin()

    def _thin(self) -> None:
        """Leave out what cannot win: above the limit, or moving no less of anything than another."""
        bounds = self.goal.bound(*self.points[:3].astype(np.float64))
        self.points = undominated(self.points[:, bounds <= self.limit])

    def winner(self) -> tuple[Tiling, Fetches] | None:
        """The best point in exact numbers."""
        self._thin()
        points = [[int(number) for number in point] for point in self.points.T]
        if not points:
            return None
        best = min(points, key=lambda point: (self.goal.exact(Fetches(*point[:3])), point))
        outer, filters, channels, kind, along_q = best[4:]
        return self.space.tiling(outer, filters, channels, kind, bool(along_q)), Fetches(*best[:3])


def _worse(moved: tuple[Floats, Floats, Floats], other: IntArray) -> NDArray[np.bool_]:
    """What moves no less of anything than another point, and more of something."""
    (passes, inputs, visits), (p, i, v) = moved, other.tolist()
    more = (passes > p) | (inputs > i) | (visits > v)
    found: NDArray[np.bool_] = more & (passes >= p) & (inputs >= i) & (visits >= v)
    return found


def undominated(points: IntArray) -> IntArray:
    """Return the columns of which no other is as low in each of the first three rows.

    Of columns that are equal in these rows, the one that is lowest in the other rows is kept.
    """
    rest, kept = points, []
    # Whatever is least in a growing function of the three is dominated by none, and beats many.
    size = (rest[:3] / np.maximum(rest[:3].max(axis=1, initial=0), 1)[:, None]).sum(axis=0)
    while rest.shape[1]:
        ties = rest[:, size == size.min()]
        least = ties[:, np.lexsort(ties[::-1])[0]].copy()
        kept.append(least)
        better = (rest[0] < least[0]) | (rest[1] < least[1]) | (rest[2] < least[2])
        rest, size = rest[:, better], size[better]
    return np.stack(kept, axis=1) if kept else points
