"""Candidate tiles of one loop dimension, with the input positions they need.

A dimension D cut into tiles of t takes ceil(D / t) trips, the last tile clipped. Of the tiles with
equal trip counts the smallest is enough where nothing else depends on the tile: about 2 sqrt(D)
candidates. Along an image axis a larger tile of the same trip count is kept as well if it needs
fewer inputs (windows at a clipped edge, or of a transposed convolution, are not all alike).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.rules import Rules
from energysim.windows import Axis, window_pairs

__all__ = ["AxisTable", "axis_table", "candidate_tiles", "tile_inputs"]

#: Tiles measured at a time.
_CHUNK = 1 << 16


@lru_cache(maxsize=4096)
def candidate_tiles(size: int, divisors: bool) -> IntArray:
    """Return the smallest tile of each trip count, or the divisors; descending."""
    few = np.arange(1, min(size, isqrt(size) + 1) + 1, dtype=np.int64)
    tiles = np.unique(np.concatenate([few, -(-size // few)]))
    smallest = -(-size // -(-size // tiles))
    kept: IntArray = tiles[size % tiles == 0 if divisors else tiles == smallest]
    return kept[::-1]


@dataclass(frozen=True, eq=False)
class AxisTable:
    """Candidate tiles of one image axis; an entry per tile, trip counts ascending.

    Attributes
    ----------
    tiles, trips : int64 arrays
        Outputs of a whole tile, and how many tiles there are.
    alone : int64 array
        Input positions of all tiles, each tile's own counted in full.
    swept : int64 array
        Input positions that each tile needs and the tile before it does not.
    largest : int64 array
        Input positions of the tile that needs most.
    """

    tiles: IntArray
    trips: IntArray
    alone: IntArray
    swept: IntArray
    largest: IntArray


def tile_inputs(axis: Axis, tiles: IntArray, rules: Rules) -> AxisTable:
    """Return what tiles of the given sizes need."""
    trips = -(-axis.outputs // tiles)
    if axis.window == 1 and axis.stride == 1 and axis.before == 0 and axis.inputs == axis.outputs:
        same = np.full_like(tiles, axis.outputs)
        return AxisTable(tiles, trips, same, same, tiles)
    held = _spanned(axis, rules) if rules.untouched == "fetched" else _touched(axis, rules)
    found = np.empty((3, len(tiles)), dtype=np.int64)
    ends = trips.cumsum()
    first = 0
    while first < len(tiles):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] - trips[first] + _CHUNK, "right")))
        found[:, first:last] = _measure(held, axis.outputs, tiles[first:last], trips[first:last])
        first = last
    return AxisTable(tiles, trips, *found)


@lru_cache(maxsize=4096)
def axis_table(axis: Axis, rules: Rules) -> AxisTable:
    """Return the candidates of an axis: no tile outside them takes less of anything."""
    plain = tile_inputs(axis, candidate_tiles(axis.outputs, rules.tiles == "divisors"), rules)
    if rules.tiles == "divisors" or plain.alone is plain.swept:
        return plain
    every = tile_inputs(axis, np.arange(axis.outputs, 0, -1, dtype=np.int64), rules)
    same = np.searchsorted(plain.trips, every.trips)
    keep = (
        (every.tiles == plain.tiles[same])
        | (every.alone < plain.alone[same])
        | (every.swept < plain.swept[same])
        | (every.largest < plain.largest[same])
    )
    return AxisTable(*(a[keep] for a in (every.tiles, every.trips, every.alone, every.swept, every.largest)))


#: (first outputs, ends) -> input positions of the outputs first .. end-1; and of those, how many
#: the outputs before ``first``, back to a third array, need too.
_Held = tuple[Callable[[IntArray, IntArray], IntArray], Callable[[IntArray, IntArray, IntArray], IntArray]]


def _measure(held: _Held, outputs: int, tiles: IntArray, trips: IntArray) -> IntArray:
    """``alone``, ``swept`` and ``largest`` of each tile size."""
    count, shared = held
    starts = trips.cumsum() - trips
    first = (np.arange(int(trips.sum()), dtype=np.int64) - starts.repeat(trips)) * tiles.repeat(trips)
    end = np.minimum(first + tiles.repeat(trips), outputs)
    size = count(first, end)
    lacking = size - shared(first, end, np.maximum(first - tiles.repeat(trips), 0))
    return np.stack(
        [np.add.reduceat(size, starts), np.add.reduceat(lacking, starts), np.maximum.reduceat(size, starts)]
    )


def _touched(axis: Axis, rules: Rules) -> _Held:
    """Only the positions that some window touches.

    The outputs that touch one input are equally far apart (``lag``). So the outputs a .. b-1 touch
    as many positions as they have (output, input) pairs, less the pairs whose input was touched
    by the output ``lag`` before, if that is not before a.
    """
    outputs, inputs = window_pairs(axis, rules.padding == "fetched")
    order = np.lexsort((outputs, inputs))
    o, i = outputs[order], inputs[order]
    again = i[1:] == i[:-1]
    lags = (o[1:] - o[:-1])[again]
    lag = int(lags[0]) if len(lags) else axis.outputs
    pairs = np.zeros(axis.outputs + 1, dtype=np.int64)
    repeated = np.zeros_like(pairs)
    np.cumsum(np.bincount(outputs, minlength=axis.outputs), out=pairs[1:])
    np.cumsum(np.bincount(o[1:][again], minlength=axis.outputs), out=repeated[1:])

    def count(first: IntArray, end: IntArray) -> IntArray:
        found: IntArray = pairs[end] - pairs[first] - repeated[end] + repeated[np.minimum(first + lag, end)]
        return found

    def shared(first: IntArray, end: IntArray, back: IntArray) -> IntArray:
        return count(back, first) + count(first, end) - count(back, end)

    return count, shared


def _spanned(axis: Axis, rules: Rules) -> _Held:
    """All positions from the first to the last that the windows of a tile span, as a rectangle."""
    o = np.arange(axis.outputs, dtype=np.int64)
    reach = (axis.window - 1) * axis.dilation
    if axis.transposed:
        low, high = -(-(o + axis.before - reach) // axis.stride), (o + axis.before) // axis.stride
    else:
        low = o * axis.stride - axis.before
        high = low + reach
    if rules.padding == "skipped" or axis.transposed:
        low, high = np.maximum(low, 0), np.minimum(high, axis.inputs - 1)

    def count(first: IntArray, end: IntArray) -> IntArray:
        found: IntArray = np.maximum(high[end - 1] - low[first] + 1, 0)
        return found

    def shared(first: IntArray, end: IntArray, back: IntArray) -> IntArray:
        overlap = np.minimum(high[first - 1], high[end - 1]) - low[first] + 1
        found: IntArray = np.where(first > back, np.maximum(overlap, 0), 0)
        return found

    return count, shared
