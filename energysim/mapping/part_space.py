"""The space of tilings of which a part stays, as arrays.

Of the mappings :class:`energysim.mapping.schedules.PartTiling`, those that may be best are every tile of
(N, P, Q) and of M (of C, where filters are in residence), with the most in residence that fits, as more of
it moves less and changes nothing else; and with the smallest tile of what is streamed beside it, as nothing
that moves depends on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import factorial, prod

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.axes import axis_table, candidate_tiles
from energysim.mapping.nest import Tiling
from energysim.mapping.points import Points, fitting
from energysim.mapping.room import Room, copies
from energysim.mapping.rules import Rules
from energysim.mapping.schedules import PartTiling
from energysim.workload import LoopNest

__all__ = ["FORMS", "PartSpace"]

#: Points made at a time.
_BLOCK = 8192
#: What is kept in part: tensor, and the dimension of which it is a part.
FORMS = (("weights", "C"), ("inputs", "C"), ("weights", "M"))


class PartSpace:
    """Tilings of a layer of which a part stays.

    Parameters
    ----------
    nest, rules, room, alike
        As for :func:`energysim.mapping.larger.search_larger`.
    """

    def __init__(self, nest: LoopNest, rules: Rules, room: Room, alike: str) -> None:
        self.nest, self.rules, self.room, self._held = nest, rules, room, copies(rules)
        even = rules.tiles == "divisors"
        self._rows, self._cols = (axis_table(axis, rules.even) for axis in (nest.rows, nest.cols))
        self._images, self._filters, self._channels = (
            candidate_tiles(size, even) for size in (nest.batch, nest.filters, nest.channels)
        )
        self._outer = len(self._images), len(self._rows.tiles), len(self._cols.tiles)
        self._forms = [
            number
            for number, (tensor, unit) in enumerate(FORMS)
            if (tensor == "inputs" or unit in alike) and len(self._tiles(unit)[0]) > 1
        ]
        self._kernels = nest.filters * nest.channels
        one, whole = np.array([1, nest.filters]), np.array([1, nest.channels])
        self._kernel_bits, most = (int(bits) for bits in room.weight_bits(one, whole))
        #: Whether all 2D kernels take the same number of bits; else the room of parts is tabulated.
        self._plain = most == self._kernels * self._kernel_bits
        self._tables: dict[str, IntArray] = {}
        #: Tiles of weights of one channel, which are streamed beside inputs in residence [bit].
        self._one_channel = room.weight_bits(self._filters, np.ones_like(self._filters))

    @property
    def size(self) -> int:
        """Number of mappings."""
        orders, total = factorial(sum(count > 1 for count in self._outer)), 0
        for number in self._forms:
            mine, other = self._tiles(FORMS[number][1])
            # Beside a streamed tile of t out of D there are 1 to D - t - 1 in residence, or all D.
            beside = sum(int(mine[0]) - int(tile) for tile in mine[1:])
            total += prod(self._outer) * orders * len(other) * beside
        return total

    def points(self) -> Iterator[Points]:
        """All mappings that may be best, in parts."""
        for number in self._forms:
            outer = prod(self._outer)
            step = max(1, _BLOCK // len(self._tiles(FORMS[number][1])[1]))
            for start in range(0, outer, step):
                yield self._parts(number, np.arange(start, min(start + step, outer)))

    def schedule(self, family: int, where: tuple[int, int, int, int]) -> PartTiling:
        """The mapping of a point."""
        first, tile, count, along_q = where
        tensor, unit = FORMS[family]
        n, p, q = np.unravel_index(first, self._outer)
        other = int(self._tiles(unit)[1][tile])
        m, c = (other, 1) if unit == "C" else (1, other)
        tiles = (int(self._images[n]), m, c, int(self._rows.tiles[p]), int(self._cols.tiles[q]))
        positions = "QPN" if along_q else "PQN"
        inside, outside = ("CM", "") if tensor == "inputs" else (unit, "MC"[unit == "M"])
        return PartTiling(Tiling(tiles, f"{inside}{positions}{outside}"), tensor, count)

    def _tiles(self, unit: str) -> tuple[IntArray, IntArray]:
        """Tiles of the dimension that is kept in part, and of the other one."""
        return (self._channels, self._filters) if unit == "C" else (self._filters, self._channels)

    def _parts(self, number: int, outer: IntArray) -> Points:
        """The mappings of a form with some tiles of (N, P, Q), each with the most in residence."""
        nest, (tensor, unit) = self.nest, FORMS[number]
        rows, cols = self._rows, self._cols
        n, p, q = np.unravel_index(outer, self._outer)
        mine, other = self._tiles(unit)
        size, images = int(mine[0]), self._images[n][:, None]
        window = images * (rows.largest[p] * cols.largest[q])[:, None]
        sums = images * (rows.tiles[p] * cols.tiles[q])[:, None]
        outputs = self._held * self.room.output_bits * (sums * other if unit == "C" else sums)

        def needs(kept: IntArray) -> tuple[IntArray, IntArray, IntArray]:
            """What a number in residence takes, with one that is streamed beside it."""
            one = np.ones_like(kept)
            streamed = (kept < size) * one
            if tensor == "inputs":
                weights, inputs = self._one_channel, self._inputs(window, images, kept)
                inputs = inputs + self._inputs(window, images, streamed)
            else:
                weights = self._kept_bits(unit, kept) + self._kept_bits(unit, streamed)
                inputs = self._inputs(window, images, one if unit == "C" else other * one)
            return self._held * weights + self.room.resident, self._held * inputs, outputs

        most = self._most(size, needs, (len(outer), len(other)))
        shared, alone, along_q = self._plane(p, q)
        passes = -(-nest.batch // images) * (rows.trips[p] * cols.trips[q])[:, None]
        trips, again, once = -(-int(other[0]) // other), size - most, np.ones_like(most)
        if tensor == "inputs":
            read, visits = self._kernels * passes * once, once
            inputs = most * shared + again * alone * trips
        else:
            read = self._kernels // size * (most + again * passes)
            inputs, visits = nest.channels * shared * once, trips * once
            if unit == "C":
                inputs, visits = nest.channels * alone * trips, once
        at, tile = np.nonzero(most > 0)
        planes = nest.batch * nest.groups
        read, inputs, visits = (a[at, tile] for a in (read, planes * inputs, visits))
        return Points(read, inputs, visits, number, (outer[at], tile, most[at, tile], along_q[at]))

    def _kept_bits(self, unit: str, counts: IntArray) -> IntArray:
        """Bits of so many channels (filters) of each tile of the other dimension; shape (outer, tiles)."""
        mine, other = self._tiles(unit)
        if self._plain:
            return self._kernel_bits * other * counts
        if unit not in self._tables:
            every = np.arange(1, int(mine[0]) + 1)
            sizes = (other[:, None], every) if unit == "C" else (every, other[:, None])
            found = self.room.weight_bits(*sizes)
            self._tables[unit] = np.concatenate([np.zeros_like(found[:, :1]), found], axis=1)
        return self._tables[unit][np.arange(len(other)), counts]

    def _most(
        self,
        size: int,
        needs: Callable[[IntArray], tuple[IntArray, IntArray, IntArray]],
        shape: tuple[int, int],
    ) -> IntArray:
        """The largest number in residence that fits, by bisection; 0 if none does.

        It is ``size``, or at most ``size - 2``: one more is streamed beside it, and if that were the last
        one, all would stay.
        """
        low, high = np.zeros(shape, dtype=np.int64), np.full(shape, max(size - 2, 0))
        for _ in range(size.bit_length()):
            middle = (low + high + 1) >> 1
            fits = (middle > 0) & fitting(self.room, *needs(middle))
            low, high = np.where(fits, middle, low), np.where(fits, high, np.maximum(middle - 1, low))
        return np.where(fitting(self.room, *needs(np.full(shape, size))), size, low)

    def _inputs(self, window: IntArray, images: IntArray, channels: IntArray) -> IntArray:
        """Bits of inputs; ``window`` are those of a channel of all the images."""
        some = np.maximum(channels, 1)
        return np.where(channels > 0, self.room.inputs(window * some, images * some), 0)

    def _plane(self, p: IntArray, q: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Inputs of a channel of an image in all tiles, overlap kept along the better axis or not.

        Returns
        -------
        shared, alone : int64 arrays of shape (outer, 1)
        along_q : int64 array of shape (outer,)
            1 where the better axis is Q.
        """
        rows, cols = self._rows, self._cols
        alone = rows.alone[p] * cols.alone[q]
        if self.rules.overlap == "none":
            return alone[:, None], alone[:, None], 0 * p
        down, across = rows.swept[p] * cols.alone[q], rows.alone[p] * cols.swept[q]
        return np.minimum(down, across)[:, None], alone[:, None], (across < down).astype(np.int64)
