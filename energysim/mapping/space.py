"""The space of mappings of a layer, as arrays.

Two lattices span it: ``outer``, the tiles of (N, P, Q), and M. A point of both has many tiles of C,
but only the largest that fits the buffer matters: nothing gets worse with a larger one.

The loop orders fall into three classes that contain a best one for any tile, because all else
equal a class moves at most as much of every tensor as any order outside it. (A loop of one trip is
no loop; without it the claims hold all the more, and where a class then moves less than stated
here, another class states it.)

* ``output``: C innermost. Sums finish on chip; weights once per (N, P, Q) tile; inputs once per
  M tile, each tile whole.
* ``input``: M innermost, then P or Q. Inputs once, what windows share along that axis kept;
  weights once per (N, P, Q) tile; outputs visited once per C tile.
* ``weight``: P, Q and N inside M and C. Weights once; inputs once per M tile, sharing along the
  innermost axis; outputs visited once per C tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.axes import AxisTable, axis_table, candidate_tiles
from energysim.mapping.nest import Tiling
from energysim.mapping.room import Room, copies
from energysim.mapping.rules import Rules
from energysim.mapping.weight_tiles import WeightTiles
from energysim.workload import LoopNest

__all__ = ["CLASSES", "Block", "Floats", "Space"]

Floats = NDArray[np.float64]
CLASSES = ("output", "input", "weight")
_EXACT = 2**53


@dataclass(frozen=True)
class Block:
    """Some outer tiles (axis 0) with all tiles of M (axis 1).

    Attributes
    ----------
    first : int
        Number of the first outer tile.
    passes, whole, shared : float64 arrays of shape (outer, 1)
        Trips of N, P and Q together; input elements read per sweep over them when every tile is
        fetched whole, and when overlap is kept along the better axis.
    along_q : bool array of shape (outer,)
        Whether that axis is Q.
    filters : float64 array of shape (1, M)
        Trips of M.
    fits : bool array of shape (outer, M)
        Whether any tile of C fits.
    best_c : int64 array of shape (outer, M)
        Number of the largest tile of C that fits.
    channels : float64 array of shape (outer, M)
        Its trips.
    """

    first: int
    passes: Floats
    whole: Floats
    shared: Floats
    along_q: NDArray[np.bool_]
    filters: Floats
    fits: NDArray[np.bool_]
    best_c: IntArray
    channels: Floats

    def moved(self, kind: int) -> tuple[Floats, Floats, Floats]:
        """Weight passes, input elements and output visits of a class, broadcast against each other."""
        once = np.ones((1, 1))
        if kind == 0:
            return self.passes, self.whole * self.filters, once
        if kind == 1:
            return self.passes, self.shared, self.channels
        return once, self.shared * self.filters, self.channels

    def points(self, kind: int, outer: IntArray, filters: IntArray) -> IntArray:
        """What is moved, the number of tiles and how to find it again, of some points; (9, points)."""
        shape = self.best_c.shape
        moved = [np.broadcast_to(a, shape)[outer, filters] for a in self.moved(kind)]
        tiles = (self.passes * self.filters * self.channels)[outer, filters]
        where = (outer + self.first, filters, self.best_c[outer, filters])
        kinds = np.full(len(outer), kind)
        return np.stack([*moved, tiles, *where, kinds, self.along_q[outer]]).astype(np.int64)


class Space:
    """All candidate tiles of a layer, and which of them fit.

    Parameters
    ----------
    nest : LoopNest
    rules : Rules
    room : Room
    whole : str
        Image axes, of ``"PQ"``, that are not cut.

    Raises
    ------
    OverflowError
        If the layer is so large that float64 does not hold its counts exactly.
    """

    def __init__(self, nest: LoopNest, rules: Rules, room: Room, whole: str = "") -> None:
        even = rules.tiles == "divisors"
        self._rows, self._cols = (
            _largest(axis_table(axis, rules)) if name in whole else axis_table(axis, rules)
            for name, axis in (("P", nest.rows), ("Q", nest.cols))
        )
        self._one_axis = rules.overlap == "one-axis"
        self._planes = nest.batch * nest.groups * nest.channels
        sizes = (nest.batch, nest.filters, nest.channels)
        self._tiles = (*(candidate_tiles(size, even) for size in sizes), self._rows.tiles, self._cols.tiles)
        n, m, c = (-(-size // tiles) for size, tiles in zip(sizes, self._tiles, strict=False))
        self._trips = (n, m, c, self._rows.trips, self._cols.trips)
        _refuse_inexact(self._planes, self._rows.alone, self._cols.alone, m)
        _refuse_inexact(1, *self._trips)
        self._room = room
        held = copies(rules)
        filters, channels = self._tiles[1], self._tiles[2]
        self._weights = WeightTiles(filters, channels, room, held)
        self._per_output = held * room.output_bits * filters.astype(float)
        self._per_input = held * room.input_bits * channels.astype(float)
        self._held = held
        self._outer_shape = (len(n), len(self._rows.tiles), len(self._cols.tiles))

    @property
    def tilings(self) -> int:
        """Number of candidate tilings."""
        return prod(len(tiles) for tiles in self._tiles)

    @property
    def mappings(self) -> int:
        """Tilings times the orders of the loops that can have more than one trip."""
        return self.tilings * factorial(sum(len(tiles) > 1 for tiles in self._tiles))

    def blocks(self, size: int) -> Iterator[Block]:
        """Cut the space into blocks of about so many points (or one outer tile)."""
        step, outer = max(1, size // len(self._tiles[1])), prod(self._outer_shape)
        return (self._block(np.arange(first, min(first + step, outer))) for first in range(0, outer, step))

    def _block(self, numbers: IntArray) -> Block:
        rows, cols = self._rows, self._cols
        n, p, q = np.unravel_index(numbers, self._outer_shape)
        batch = self._tiles[0][n]
        window = batch * rows.largest[p] * cols.largest[q]
        pixels = batch * rows.tiles[p] * cols.tiles[q]
        best = self._largest_fitting(window[:, None], batch[:, None], pixels.astype(float)[:, None])
        found = np.minimum(best, len(self._tiles[2]) - 1)
        whole = self._planes * rows.alone[p] * cols.alone[q]
        shared, along_q = whole, np.zeros(len(whole), dtype=np.bool_)
        if self._one_axis:
            along = self._planes * np.stack([rows.swept[p] * cols.alone[q], rows.alone[p] * cols.swept[q]])
            shared, along_q = along.min(axis=0), along[1] < along[0]
        passes = self._trips[0][n] * rows.trips[p] * cols.trips[q]
        return Block(
            int(numbers[0]),
            passes.astype(float)[:, None],
            whole.astype(float)[:, None],
            shared.astype(float)[:, None],
            along_q,
            self._trips[1].astype(float)[None, :],
            best < len(self._tiles[2]),
            found,
            self._trips[2][found].astype(float),
        )

    def _largest_fitting(self, window: IntArray, batch: IntArray, pixels: Floats) -> IntArray:
        """Number of the largest tile of C that fits, per outer tile and tile of M, by bisection."""
        count, parts = len(self._tiles[2]), self._room.parts
        outputs = pixels * self._per_output
        filters = np.arange(len(self._tiles[1]))
        low = np.zeros(outputs.shape, dtype=np.int64)
        high = np.full(outputs.shape, count, dtype=np.int64)
        capacity = np.inf if self._room.capacity is None else self._room.capacity
        for _ in range(count.bit_length()):
            middle = (low + high) >> 1
            tried = np.minimum(middle, count - 1)
            inputs = self._input_room(window, batch, tried)
            if parts is None:
                fits = self._weights.fit(filters, tried, capacity - inputs - outputs)
            else:
                fits = self._weights.fit(filters, tried, float(parts[0]))
                fits &= (inputs <= parts[1]) & (outputs <= parts[2])
            fits &= middle < high
            high = np.where(fits, middle, high)
            low = np.where(fits, low, np.minimum(middle + 1, high))
        return high

    def _input_room(self, window: IntArray, batch: IntArray, tried: IntArray) -> Floats:
        """Bits of input tiles of so many positions per channel and images, by numbers of tiles of C."""
        if self._room.input_room is None:
            found: Floats = window.astype(float) * self._per_input[tried]
        else:
            channels = self._tiles[2][tried]
            found = self._held * self._room.input_room(window * channels, batch * channels).astype(float)
        return found

    def tiling(self, outer: int, filters: int, channels: int, kind: int, along_q: bool) -> Tiling:
        """The mapping of a point and a class."""
        n, p, q = np.unravel_index(outer, self._outer_shape)
        tiles = self._tiles
        sizes = (tiles[0][n], tiles[1][filters], tiles[2][channels], tiles[3][p], tiles[4][q])
        sweep = "QP" if along_q else "PQ"
        order = (f"C{sweep}NM", f"M{sweep}NC", f"{sweep}NCM")[kind]
        return Tiling((int(sizes[0]), int(sizes[1]), int(sizes[2]), int(sizes[3]), int(sizes[4])), order)


def _largest(table: AxisTable) -> AxisTable:
    """The tile of the whole axis alone."""
    return AxisTable(table.tiles[:1], table.trips[:1], table.alone[:1], table.swept[:1], table.largest[:1])


def _refuse_inexact(*factors: int | IntArray) -> None:
    most = prod(int(np.max(factor)) for factor in factors)
    if most >= _EXACT:
        raise OverflowError(f"counts up to {most:.3g} occur, float64 is exact below {_EXACT:.3g}")
