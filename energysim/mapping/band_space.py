"""The space of mappings that go over images in bands, as arrays.

Of sweeps (:class:`energysim.mapping.schedules.Sweep`), those that may be best are every band with every
tile of M and the largest tile of C that fits, as a smaller one visits outputs more often and changes
nothing else. Of bands in steps (:class:`energysim.mapping.schedules.Steps`) all are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.axes import axis_table, candidate_tiles, tile_inputs
from energysim.mapping.live import KEEPS, carried, live
from energysim.mapping.points import Points, fitting
from energysim.mapping.room import Room, copies
from energysim.mapping.rules import Rules
from energysim.mapping.schedules import Steps, Sweep, taken_by
from energysim.mapping.weight_tiles import WeightTiles
from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["BandSpace"]

#: Sweeps: the axis that is cut into bands, and what is held. Behind them: bands in steps, by axis.
_KINDS = tuple((along, keeps) for along in "QP" for keeps in KEEPS)
_STEPS = "QP"


class BandSpace:
    """Sweeps and bands in steps of a layer.

    Parameters
    ----------
    nest, rules, room
        As for :func:`energysim.mapping.larger.search_larger`.
    first : int
        Number of the first family of points.
    """

    def __init__(self, nest: LoopNest, rules: Rules, room: Room, first: int) -> None:
        self.nest, self.rules, self.room, self._held, self._first = nest, rules, room, copies(rules), first
        even = rules.tiles == "divisors"
        self._images, self._filters, self._channels = (
            candidate_tiles(size, even) for size in (nest.batch, nest.filters, nest.channels)
        )
        self._bands = {
            along: axis_table(axis, rules.even).tiles for along, axis in (("P", nest.rows), ("Q", nest.cols))
        }
        #: Steps stream channels: there must be some.
        self._steps = _STEPS if nest.channels > 1 else ""

    @property
    def size(self) -> int:
        """Number of mappings."""
        rows, cols = len(self._bands["P"]), len(self._bands["Q"])
        sweeps = len(KEEPS) * (rows + cols) * len(self._filters) * len(self._channels)
        return sweeps + len(self._steps) * rows * cols * len(self._filters) * len(self._images)

    def points(self) -> Iterator[Points]:
        """All mappings that may be best, in parts."""
        for kind in range(len(_KINDS)):
            yield self._sweeps(kind)
        for number in range(len(self._steps)):
            for image in range(len(self._images)):
                yield self._in_steps(number, image)

    def schedule(self, family: int, where: tuple[int, int, int, int]) -> Sweep | Steps:
        """The mapping of a point."""
        kind, (band, tile, third, fourth) = family - self._first, where
        filters = int(self._filters[tile])
        if kind < len(_KINDS):
            along, keeps = _KINDS[kind]
            return Sweep(filters, int(self._channels[third]), along, int(self._bands[along][band]), keeps)
        along = _STEPS[kind - len(_KINDS)]
        step = int(self._bands["PQ"[along == "P"]][third])
        return Steps(int(self._images[fourth]), filters, along, int(self._bands[along][band]), step)

    def smallest(self) -> Iterator[tuple[int, int, int]]:
        """What the smallest sweeps take; bands in steps take no less than a tile of a band."""
        for along, keeps in _KINDS:
            for band in self._bands[along].tolist():
                yield taken_by(self.nest, Sweep(1, 1, along, band, keeps), self.rules, self.room)

    def _axes(self, along: str) -> tuple[Axis, Axis]:
        """The axis along the bands, and the one that is cut."""
        return (self.nest.rows, self.nest.cols) if along == "Q" else (self.nest.cols, self.nest.rows)

    def _plane(self, along: str) -> IntArray:
        """Inputs of a channel of an image that all bands need, for each width of a band."""
        length, across = self._axes(along)
        whole = tile_inputs(length, np.array([length.outputs]), self.rules).alone
        return whole * tile_inputs(across, self._bands[along], self.rules).alone

    def _sweeps(self, kind: int) -> Points:
        """Sweeps of a kind."""
        nest, (along, keeps) = self.nest, _KINDS[kind]
        length, across = self._axes(along)
        held = [live(length, across, int(band), keeps, self.rules) for band in self._bands[along]]
        best = self._largest(keeps, np.array(held)[:, None])
        at, tile = np.nonzero(best < len(self._channels))
        channel = best[at, tile]
        trips = -(-nest.filters // self._filters[tile])
        inputs = nest.batch * nest.groups * nest.channels * self._plane(along)[at] * trips
        visits = -(-nest.channels // self._channels[channel])
        read = np.full_like(inputs, nest.filters * nest.channels)
        return Points(read, inputs, visits, self._first + kind, (at, tile, channel, np.zeros_like(at)))

    def _largest(self, keeps: str, most: IntArray) -> IntArray:
        """Number of the largest tile of C that fits, by bisection; shape (bands, tiles of M)."""
        room, held, count = self.room, self._held, len(self._channels)
        tiles = WeightTiles(self._filters, self._channels, room, held)
        numbers = np.arange(len(self._filters))
        sums = self._filters * (np.ones_like(most) if keeps == "inputs" else np.maximum(most, 1))
        outputs = held * room.output_bits * sums
        capacity = np.inf if room.capacity is None else float(room.capacity)
        low, high = np.zeros_like(outputs), np.full_like(outputs, count)
        for _ in range(count.bit_length()):
            middle = (low + high) >> 1
            tried = np.minimum(middle, count - 1)
            channels = self._channels[tried] if keeps == "inputs" else np.ones_like(tried)
            values = most * channels if keeps == "inputs" else channels
            inputs = held * np.where(values > 0, room.inputs(np.maximum(values, 1), channels), 0)
            if room.parts is None:
                fits = tiles.fit(numbers, tried, capacity - inputs - outputs)
            else:
                fits = tiles.fit(numbers, tried, float(room.parts[0]))
                fits &= (inputs <= room.parts[1]) & (outputs <= room.parts[2])
            fits &= middle < high
            high = np.where(fits, middle, high)
            low = np.where(fits, low, np.minimum(middle + 1, high))
        return high

    def _in_steps(self, number: int, image: int) -> Points:
        """Bands in steps along an axis, with a tile of N; every band, tile of M and step."""
        nest, room, held, along = self.nest, self.room, self._held, self._steps[number]
        length, across = self._axes(along)
        images = int(self._images[image])
        bands, steps = self._bands[along], self._bands["PQ"[along == "P"]]
        rows, fresh = np.array([carried(length, int(step), self.rules) for step in steps]).T
        width = tile_inputs(across, bands, self.rules).largest[:, None, None]
        filters = self._filters[:, None]
        window = images * fresh * width
        weights = held * room.weight_bits(filters, np.ones_like(filters)) + room.resident
        inputs = held * np.where(
            window > 0, room.inputs(np.maximum(window, 1), np.full_like(window, images)), 0
        )
        outputs = held * room.output_bits * images * rows * bands[:, None, None] * filters
        at, tile, step = np.nonzero(fitting(room, weights, inputs, outputs))
        passes = (
            -(-nest.batch // images) * -(-across.outputs // bands[at]) * -(-length.outputs // steps[step])
        )
        trips = -(-nest.filters // self._filters[tile])
        read = nest.filters * nest.channels * passes
        moved = nest.batch * nest.groups * nest.channels * self._plane(along)[at] * trips
        where = (at, tile, step, np.full_like(at, image))
        return Points(read, moved, np.ones_like(read), self._first + len(_KINDS) + number, where)
