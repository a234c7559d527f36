"""The space of mappings beyond even tiles, as arrays.

It holds the mappings of :mod:`energysim.mapping.schedules`. Those that may be best are

* every tile of (N, P, Q) and of M (of C, where filters are in residence), with the most in residence
  that fits: more of it moves less and changes nothing else;
* with the smallest tile of what is streamed beside a residence: nothing that moves depends on it;
* every band of a sweep with every tile of M, and the largest tile of C that fits: a smaller one visits
  outputs more often and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.axes import axis_table, candidate_tiles, tile_inputs
from energysim.mapping.live import KEEPS, live
from energysim.mapping.nest import Fetches, Tiling
from energysim.mapping.room import Room, copies
from energysim.mapping.rules import Rules
from energysim.mapping.schedules import PartTiling, Schedule, Sweep, taken_by
from energysim.mapping.weight_tiles import WeightTiles
from energysim.workload import LoopNest

__all__ = ["LargerSpace", "Points"]

#: Points made at a time.
_BLOCK = 8192
#: Instead of a capacity that is not limited [bit].
_UNLIMITED = 2**60
#: What is kept in part: tensor, and the dimension of which it is a part.
_FORMS = (("weights", "C"), ("inputs", "C"), ("weights", "M"))
#: Sweeps: the axis that is cut into bands, and what is held.
_KINDS = tuple((along, keeps) for along in "QP" for keeps in KEEPS)


@dataclass(frozen=True)
class Points:
    """Some mappings; arrays of shape (points,).

    Attributes
    ----------
    read : int64 array
        Weights read per group, in 2D kernels.
    inputs, visits : int64 arrays
        Input elements, and visits of outputs.
    family : int
        What kind of mapping they are.
    where : tuple of four int64 arrays
        What tells them apart, for :meth:`LargerSpace.schedule`.
    """

    read: IntArray
    inputs: IntArray
    visits: IntArray
    family: int
    where: tuple[IntArray, IntArray, IntArray, IntArray]


class LargerSpace:
    """What a larger space has and that of even tiles has not.

    Parameters
    ----------
    nest, rules, room, alike
        As for :func:`energysim.mapping.larger.search_larger`.
    """

    def __init__(self, nest: LoopNest, rules: Rules, room: Room, alike: bool) -> None:
        self.nest, self.rules, self.room = nest, rules, room
        self.kernels = nest.filters * nest.channels
        self._held, self._images_planes = copies(rules), nest.batch * nest.groups
        even = rules.tiles == "divisors"
        self._rows, self._cols = (axis_table(axis, rules.even) for axis in (nest.rows, nest.cols))
        self._images, self._filters, self._channels = (
            candidate_tiles(size, even) for size in (nest.batch, nest.filters, nest.channels)
        )
        self._bands = {
            along: candidate_tiles(axis.outputs, even) for along, axis in (("P", nest.rows), ("Q", nest.cols))
        }
        self._outer = len(self._images), len(self._rows.tiles), len(self._cols.tiles)
        self._forms = [
            number
            for number, (tensor, unit) in enumerate(_FORMS)
            if rules.residence == "uneven"
            and (tensor == "inputs" or alike)
            and (nest.channels if unit == "C" else nest.filters) > 1
        ]
        self._kinds = _KINDS if rules.overlap == "both-axes" else ()
        one = np.ones(1, dtype=np.int64)
        self._kernel_bits = int(room.weight_bits(one, one)[0])
        #: Tiles of weights of one channel, which are streamed beside inputs in residence [bit].
        self._one_channel = (
            self._held * room.weight_bits(self._filters, np.ones_like(self._filters)) + room.resident
            if rules.residence == "uneven"
            else one
        )

    @property
    def least(self) -> Fetches:
        """What no mapping goes below: everything once."""
        plane = int(self._rows.alone[0] * self._cols.alone[0])
        return Fetches(1, self._images_planes * self.nest.channels * plane, 1)

    @property
    def size(self) -> int:
        """Number of mappings."""
        orders = factorial(sum(count > 1 for count in self._outer))
        total = len(KEEPS) * sum(map(len, self._bands.values())) * len(self._filters) * len(self._channels)
        total = total if self._kinds else 0
        for number in self._forms:
            mine, other = self._tiles(_FORMS[number][1])
            # Beside a streamed tile of t out of D there are 1 to D - t - 1 in residence, or all D.
            most = int(mine[0])
            total += prod(self._outer) * orders * len(other) * sum(most - int(t) for t in mine[1:])
        return total

    def points(self) -> Iterator[Points]:
        """All mappings that may be best, in parts."""
        for number in self._forms:
            outer = prod(self._outer)
            step = max(1, _BLOCK // len(self._tiles(_FORMS[number][1])[1]))
            for start in range(0, outer, step):
                yield self._parts(number, np.arange(start, min(start + step, outer)))
        for kind in range(len(self._kinds)):
            yield self._sweeps(kind)

    def schedule(self, family: int, where: tuple[int, int, int, int]) -> Schedule:
        """The mapping of a point."""
        first, tile, count, along_q = where
        if family >= len(_FORMS):
            along, keeps = _KINDS[family - len(_FORMS)]
            band, channels = int(self._bands[along][first]), int(self._channels[count])
            return Sweep(int(self._filters[tile]), channels, along, band, keeps)
        tensor, unit = _FORMS[family]
        n, p, q = np.unravel_index(first, self._outer)
        other = int(self._tiles(unit)[1][tile])
        m, c = (other, 1) if unit == "C" else (1, other)
        tiles = (int(self._images[n]), m, c, int(self._rows.tiles[p]), int(self._cols.tiles[q]))
        positions = "QPN" if along_q else "PQN"
        inside, outside = ("CM", "") if tensor == "inputs" else (unit, "MC"[unit == "M"])
        return PartTiling(Tiling(tiles, f"{inside}{positions}{outside}"), tensor, count)

    def smallest(self) -> Iterator[tuple[int, int, int]]:
        """What the smallest sweeps take; tensors kept in part take more than the smallest even tile."""
        for along, keeps in self._kinds:
            for band in self._bands[along].tolist():
                yield taken_by(self.nest, Sweep(1, 1, along, band, keeps), self.rules, self.room)

    def _tiles(self, unit: str) -> tuple[IntArray, IntArray]:
        """Tiles of the dimension that is kept in part, and of the other one."""
        return (self._channels, self._filters) if unit == "C" else (self._filters, self._channels)

    def _parts(self, number: int, outer: IntArray) -> Points:
        """The mappings of a form with some tiles of (N, P, Q), each with the most in residence."""
        nest, room, (tensor, unit) = self.nest, self.room, _FORMS[number]
        rows, cols = self._rows, self._cols
        n, p, q = np.unravel_index(outer, self._outer)
        mine, other = self._tiles(unit)
        size, images = int(mine[0]), self._images[n][:, None]
        window = images * (rows.largest[p] * cols.largest[q])[:, None]
        sums = images * (rows.tiles[p] * cols.tiles[q])[:, None]
        if unit == "C":
            sums = sums * other

        def needs(kept: IntArray) -> tuple[IntArray, IntArray, IntArray]:
            """What a number in residence takes, with one that is streamed beside it."""
            one = np.ones_like(kept)
            streamed = (kept < size) * one
            if tensor == "inputs":
                inputs = self._inputs(window, images, kept) + self._inputs(window, images, streamed)
                return self._one_channel, inputs, sums
            channels = one if unit == "C" else other * one
            weights = self._held * self._kernel_bits * other * (kept + streamed) + room.resident
            return weights, self._inputs(window, images, channels), sums

        most = self._most(size, needs, (len(outer), len(other)))
        shared, alone, along_q = self._plane(p, q)
        passes = -(-nest.batch // images) * (rows.trips[p] * cols.trips[q])[:, None]
        trips, again, once = -(-int(self._tiles(unit)[1][0]) // other), size - most, np.ones_like(most)
        if tensor == "inputs":
            read, visits = self.kernels * passes * once, once
            inputs = most * shared + again * alone * trips
        else:
            read = self.kernels // size * (most + again * passes)
            inputs, visits = nest.channels * shared * once, trips * once
            if unit == "C":
                inputs, visits = nest.channels * alone * trips, once
        at, tile = np.nonzero(most > 0)
        read, inputs, visits = (a[at, tile] for a in (read, self._images_planes * inputs, visits))
        return Points(read, inputs, visits, number, (outer[at], tile, most[at, tile], along_q[at]))

    def _most(
        self, size: int, needs: Callable[[IntArray], tuple[IntArray, ...]], shape: tuple[int, int]
    ) -> IntArray:
        """The largest number in residence that fits, by bisection; 0 if none does.

        It is ``size``, or at most ``size - 2``: one more is streamed beside it, and if that were the last
        one, all would stay.
        """
        low, high = np.zeros(shape, dtype=np.int64), np.full(shape, max(size - 2, 0))
        for _ in range(size.bit_length()):
            middle = (low + high + 1) >> 1
            fits = (middle > 0) & self._fit(needs(middle))
            low, high = np.where(fits, middle, low), np.where(fits, high, np.maximum(middle - 1, low))
        return np.where(self._fit(needs(np.full(shape, size))), size, low)

    def _fit(self, needs: tuple[IntArray, ...]) -> NDArray[np.bool_]:
        """Whether weights, inputs and outputs of so many bits fit."""
        room, (weights, inputs, outputs) = self.room, needs
        outputs = self._held * room.output_bits * outputs
        if room.parts is not None:
            return (weights <= room.parts[0]) & (inputs <= room.parts[1]) & (outputs <= room.parts[2])
        return weights + inputs + outputs <= (_UNLIMITED if room.capacity is None else room.capacity)

    def _inputs(self, window: IntArray, images: IntArray | int, channels: IntArray) -> IntArray:
        """Bits of inputs; ``window`` are those of a channel of all the images."""
        some = np.maximum(channels, 1)
        return np.where(channels > 0, self._held * self.room.inputs(window * some, images * some), 0)

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

    def _sweeps(self, kind: int) -> Points:
        """Sweeps of a kind."""
        nest, (along, keeps) = self.nest, self._kinds[kind]
        length, across = (nest.rows, nest.cols) if along == "Q" else (nest.cols, nest.rows)
        bands = self._bands[along]
        held = np.array([live(length, across, int(band), keeps, self.rules) for band in bands])
        best = self._largest(keeps, held[:, None])
        at, tile = np.nonzero(best < len(self._channels))
        channel = best[at, tile]
        whole = tile_inputs(length, np.array([length.outputs]), self.rules).alone
        plane = whole * tile_inputs(across, bands, self.rules).alone
        trips = -(-nest.filters // self._filters[tile])
        inputs = self._images_planes * nest.channels * plane[at] * trips
        visits = -(-nest.channels // self._channels[channel])
        where = (at, tile, channel, np.zeros_like(at))
        return Points(np.full_like(inputs, self.kernels), inputs, visits, len(_FORMS) + kind, where)

    def _largest(self, keeps: str, most: IntArray) -> IntArray:
        """Number of the largest tile of C that fits, by bisection; shape (bands, tiles of M)."""
        room, held, count = self.room, self._held, len(self._channels)
        tiles = WeightTiles(self._filters, self._channels, room, held)
        numbers = np.arange(len(self._filters))
        sums = self._filters * (np.ones_like(most) if keeps == "inputs" else np.maximum(most, 1))
        outputs = held * room.output_bits * sums
        capacity = _UNLIMITED if room.capacity is None else room.capacity
        low, high = np.zeros_like(outputs), np.full_like(outputs, count)
        for _ in range(count.bit_length()):
            middle = (low + high) >> 1
            tried = np.minimum(middle, count - 1)
            channels = self._channels[tried] if keeps == "inputs" else np.ones_like(tried)
            inputs = self._inputs(most if keeps == "inputs" else np.ones_like(most), 1, channels)
            if room.parts is None:
                fits = tiles.fit(numbers, tried, (capacity - inputs - outputs).astype(float))
            else:
                fits = tiles.fit(numbers, tried, float(room.parts[0]))
                fits &= (inputs <= room.parts[1]) & (outputs <= room.parts[2])
            fits &= middle < high
            high = np.where(fits, middle, high)
            low = np.where(fits, low, np.minimum(middle + 1, high))
        return high
