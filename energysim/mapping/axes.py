"""Candidate tilings of one loop dimension, with what each costs in input elements.

The variable is the trip count n; the tile is ceil(D / n), the last tile clipped. A trip count
that gives no smaller tile than another is left out, so a dimension D has about 2 sqrt(D)
candidates and none that could be better is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.rules import Rules
from energysim.workload import Axis, window_pairs

__all__ = ["AxisTable", "axis_table", "trip_counts"]


@lru_cache(maxsize=4096)
def trip_counts(size: int, divisors: bool) -> tuple[int, ...]:
    """Return the distinct trip counts ceil(size / tile) over all tiles, or the divisors; ascending."""
    if divisors:
        return tuple(n for n in range(1, size + 1) if size % n == 0)
    found = []
    tile = size
    while tile >= 1:
        trips = -(-size // tile)
        found.append(trips)
        tile = -(-size // (trips + 1)) if trips < size else 0
        while tile and -(-size // tile) == trips:
            tile -= 1
    return tuple(found)


@dataclass(frozen=True, eq=False)
class AxisTable:
    """All candidates of one image axis, one entry per trip count.

    Attributes
    ----------
    trips, tiles : int64 arrays
        Trip count and largest tile of outputs.
    inputs_sum : int64 array
        Input positions fetched when every tile fetches its own.
    inputs_max : int64 array
        Input positions the largest tile holds.
    inputs_union : int
        Input positions fetched when what neighbours share is kept.
    """

    trips: IntArray
    tiles: IntArray
    inputs_sum: IntArray
    inputs_max: IntArray
    inputs_union: int


@lru_cache(maxsize=4096)
def axis_table(axis: Axis, rules: Rules) -> AxisTable:
    """Return the candidates of an axis under the counting rules."""
    trips = np.array(trip_counts(axis.outputs, rules.tiles == "divisors"), dtype=np.int64)
    tiles = -(-axis.outputs // trips)
    if axis.window == 1 and axis.stride == 1 and axis.before == 0 and axis.inputs == axis.outputs:
        sums = np.full_like(trips, axis.outputs)
        return AxisTable(trips, tiles, sums, tiles, axis.outputs)
    extents = [_extents(axis, int(tile), rules) for tile in tiles]
    return AxisTable(
        trips,
        tiles,
        np.array([e.sum() for e in extents], dtype=np.int64),
        np.array([e.max() for e in extents], dtype=np.int64),
        int(_extents(axis, axis.outputs, rules)[0]),
    )


def _extents(axis: Axis, tile: int, rules: Rules) -> IntArray:
    """Input positions of each tile of ``tile`` outputs."""
    outputs, inputs = window_pairs(axis, rules.padding == "fetched")
    tiles = outputs // tile
    count = -(-axis.outputs // tile)
    if rules.untouched == "fetched":
        first = np.full(count, np.iinfo(np.int64).max)
        last = np.full(count, -1, dtype=np.int64)
        np.minimum.at(first, tiles, inputs)
        np.maximum.at(last, tiles, inputs)
        return np.asarray(np.where(last >= 0, last - first + 1, 0), dtype=np.int64)
    span = int(inputs.max(initial=0)) + 1
    return np.bincount(np.unique(tiles * span + inputs) // span, minlength=count).astype(np.int64)
