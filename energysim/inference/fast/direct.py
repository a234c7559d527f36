"""Compiled paths (numba): the direct convolution, from any kernel's classes.

Each class of filters has one table of addresses, one per (channel, tap) it keeps; a packed weight
array holds nothing but kept weights (a last block of filters is filled up with zeros). No operand
matrix is built and nothing depends on the period, so a dense layer is the case of one class.

``compiled-px``  vectors are runs of pixels
``compiled-f``   vectors are filters; for maps of a few pixels, where weights are what is read
``compiled-dw``  depthwise
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from energysim.inference.fast.dense import Dense
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import Array
from energysim.inference.fast.path import Buffers, Call, Path, Walk
from energysim.kernels import IntArray

__all__ = ["Bound", "CompiledDepthwise", "DirectFilters", "DirectPixels", "class_rows"]

#: Floats of the operand of a tile: a fifth of a second-level cache of 1 MiB, as much again for the output.
_TILE = 3 << 14
#: Fewest pixels of a share; below, workers share the filters.
_LEAST = 192


def class_rows(conv: Convolution) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Give (filters, channels of the map, taps) of each class, split where groups differ."""
    g = conv.geometry
    filters, channels = g.filters // g.groups, g.channels // g.groups
    for found in conv.kernel.classes():
        for group in np.unique(found.filters // filters) if g.groups > 1 else [0]:
            own = found.filters[found.filters // filters == group]
            yield own, found.channels + int(group) * channels, found.taps


class _Direct(Path):
    """Tables that both orders of the loop share."""

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        from energysim.inference.fast import kernels

        self._kernels: Any = kernels
        self._offsets: list[IntArray] = []
        self._pack()

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return True

    @abstractmethod
    def _pack(self) -> None:
        """Lay the weights out for the loop."""

    def _addresses(self, channels: IntArray, taps: IntArray) -> IntArray:
        operand = self.conv.operand
        return channels * operand.channel + operand.taps[taps]

    def _values(self, filters: IntArray, channels: IntArray, taps: IntArray) -> Array:
        """Weights (filters, K) of one class."""
        inside = channels % (self.conv.geometry.channels // self.conv.geometry.groups)
        shape = self.conv.weights.shape
        return self.conv.weights.reshape(*shape[:2], -1)[filters[:, None], inside, taps]

    def _decoded(self, addresses: IntArray) -> tuple[IntArray, IntArray]:
        """Channels and taps that a table of addresses stands for."""
        operand = self.conv.operand
        table = np.arange(self.conv.geometry.channels)[:, None] * operand.channel + operand.taps
        order = np.argsort(table, axis=None)
        found = order[np.searchsorted(table.reshape(-1)[order], addresses)]
        return found // len(operand.taps), found % len(operand.taps)

    @property
    def _clamp(self) -> tuple[np.float32, np.float32]:
        return np.float32(self.conv.low), np.float32(self.conv.high)


class DirectPixels(_Direct):
    """Blocks of filters times runs of pixels; see the module."""

    name = "compiled-px"

    def _pack(self) -> None:
        tall, short = self._kernels.TALL, self._kernels.SHORT
        offsets, weights, rows, blocks = [], [], [], []
        first_offset = first_weight = first_row = 0
        for filters, channels, taps in class_rows(self.conv):
            offsets.append(self._addresses(channels, taps))
            values = self._values(filters, channels, taps)
            start, count = 0, len(taps)
            while start < len(filters):
                left = len(filters) - start
                high = tall if left > short else short
                own = filters[start : start + high]
                block = np.zeros((count, high), dtype=np.float32)
                block[:, : len(own)] = values[start : start + high].T
                weights.append(block.reshape(-1))
                rows.append(np.concatenate([own, np.full(high - len(own), own[0])]))
                blocks.append((high == short, count, first_offset, first_weight, first_row, len(own)))
                first_weight, first_row, start = first_weight + block.size, first_row + high, start + high
            first_offset += count
        self._table = np.concatenate(offsets)
        self._weights = np.concatenate(weights)
        self._filters = np.concatenate(rows)
        self._rows = self._filters * self.conv.geometry.target.stride
        self._bias = self.conv.bias[self._filters]
        self._blocks = np.array(blocks, dtype=np.int64)

    @property
    def packed(self) -> tuple[Any, ...]:
        return self._table, self._weights, self._rows, self._bias, self._blocks

    @property
    def scratch(self) -> int:
        return self.operand_floats

    def bind(self, to: Buffers) -> list[Call]:
        g, run = self.conv.geometry, self.conv.operand.run
        step = 6 * self._kernels.LANES
        tile = max(_LEAST, _TILE // g.channels) // step * step
        blocks, pixels = (0, len(self._blocks)), (0, run)
        if run >= _LEAST * to.share.workers:
            share = to.share.of(-(-run // step))
            pixels = share.start * step, min(run, share.stop * step)
        else:
            share = to.share.of(len(self._blocks))
            blocks = share.start, share.stop
        tables = tuple(a.ctypes.data for a in (self._table, self._weights, self._rows, self._bias))
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            out = to.target[image].ctypes.data + 4 * g.target.head
            other = 0 if to.residual is None else to.residual[image].ctypes.data + 4 * g.target.head
            arguments = (base.ctypes.data, out, other, *tables, self._blocks, *blocks, *pixels, tile)
            calls += load
            calls.append(Bound(self._kernels.over_pixels, (*arguments, *self._clamp), (self, to)))
        return calls

    def walks(self) -> tuple[Walk, ...]:
        found = []
        run, lanes = self.conv.operand.run, self._kernels.LANES
        for short, count, offset, _, row, valid in self._blocks.tolist():
            channels, taps = self._decoded(self._table[offset : offset + count])
            high = self._kernels.SHORT if short else self._kernels.TALL
            filters = self._filters[row : row + valid]
            found.append(Walk(filters, channels, taps, -(-run // lanes) * lanes, high))
        return tuple(found)


class DirectFilters(_Direct):
    """Blocks of pixels times vectors of filters; see the module."""

    name = "compiled-f"

    def _pack(self) -> None:
        lanes = self._kernels.LANES
        offsets, weights, rows, classes = [], [], [], []
        first_offset = first_weight = first_row = 0
        for filters, channels, taps in class_rows(self.conv):
            block = np.zeros((len(taps), -(-len(filters) // lanes) * lanes), dtype=np.float32)
            block[:, : len(filters)] = self._values(filters, channels, taps).T
            offsets.append(self._addresses(channels, taps))
            weights.append(block.reshape(-1))
            rows.append(filters)
            classes.append((len(filters), len(taps), first_offset, first_weight, first_row))
            first_offset, first_weight = first_offset + len(taps), first_weight + block.size
            first_row += len(filters)
        self._table = np.concatenate(offsets)
        self._weights = np.concatenate(weights)
        self._filters = np.concatenate(rows)
        self._rows = self._filters * self.conv.geometry.target.stride
        self._bias = self.conv.bias[self._filters]
        self._classes = np.array(classes, dtype=np.int64)

    @property
    def packed(self) -> tuple[Any, ...]:
        return self._table, self._weights, self._rows, self._bias, self._classes

    @property
    def _images(self) -> int:
        """Images worked on at once: all, unless each has an operand of its own."""
        return 1 if self.conv.operand.phases else self.conv.geometry.batch

    @property
    def scratch(self) -> int:
        lanes = self._kernels.LANES
        pitch = -(-int(self._classes[:, 0].max()) // lanes) * lanes
        return int(self.operand_floats + self._images * self.conv.geometry.pixels * pitch)

    def bind(self, to: Buffers) -> list[Call]:
        g, images = self.conv.geometry, self._images
        grid = np.arange(g.target.height)[:, None] * g.target.pitch + np.arange(g.target.width)
        numbers = np.arange(images)[:, None]
        pixels = (numbers * (to.source.strides[0] // 4) + grid.reshape(-1)).reshape(-1)
        places = (numbers * (to.target.strides[0] // 4) + g.target.head + grid.reshape(-1)).reshape(-1)
        share = to.share.of(len(self._classes))
        own = self._classes[share.start : share.stop]
        calls: list[Call] = []
        space = to.space[self.operand_floats :]
        for image, (load, base) in itertools.islice(enumerate(self.operands(to)), 0, None, images):
            out = _flat(to.target[image : image + images])
            other = np.empty(0, np.float32)
            others = places
            if to.residual is not None:
                other = _flat(to.residual[image : image + images])
                others = numbers * (to.residual.strides[0] // 4) + g.target.head + grid.reshape(-1)
            arguments = (base.ctypes.data, out, other, self._table.ctypes.data, self._weights.ctypes.data)
            tables = (pixels, places, others.reshape(-1), self._rows, self._bias, own, space)
            calls += load
            calls.append(Bound(self._kernels.over_filters, (*arguments, *tables, *self._clamp), (self, to)))
        return calls

    def walks(self) -> tuple[Walk, ...]:
        found = []
        for filters, count, offset, _, row in self._classes.tolist():
            channels, taps = self._decoded(self._table[offset : offset + count])
            lanes = -(-filters // self._kernels.LANES) * self._kernels.LANES
            own = self._filters[row : row + filters]
            found.append(Walk(own, channels, taps, self.conv.geometry.pixels, lanes))
        return tuple(found)


class CompiledDepthwise(Dense):
    """One filter per channel, compiled."""

    name = "compiled-dw"

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        g = conv.geometry
        return g.groups == g.channels == g.filters

    @property
    def packed(self) -> tuple[Array, ...]:
        return ()

    @property
    def scratch(self) -> int:
        return self.operand_floats

    def bind(self, to: Buffers) -> list[Call]:
        from energysim.inference.fast import kernels

        conv, g, operand = self.conv, self.conv.geometry, self.conv.operand
        share = to.share.of(g.channels)
        weights = conv.weights.reshape(g.filters, -1)
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            out = to.target[image].reshape(-1)[g.target.head :]
            other = np.empty(0, np.float32)
            if to.residual is not None:
                other = to.residual[image].reshape(-1)[g.target.head :]
            arguments = (base, out, other, operand.channel, g.target.stride, operand.taps, weights, conv.bias)
            limits = (share.start, share.stop, operand.run, np.float32(conv.low), np.float32(conv.high))
            calls += load
            calls.append(Bound(kernels.planes_times_taps, (*arguments, *limits), (self, to)))
        return calls


def _flat(planes: Array) -> Array:
    """The memory of planes (N, C, S) from the first to the last float, other maps between included."""
    last = sum((n - 1) * s // 4 for n, s in zip(planes.shape, planes.strides, strict=True))
    return as_strided(planes, (last + 1,), (4,))


class Bound:
    """A compiled function with its arguments; keeps alive what they point to."""

    def __init__(self, function: Any, arguments: tuple[Any, ...], kept: object) -> None:
        self._function, self._arguments, self._kept = function, arguments, kept

    def __call__(self) -> None:
        self._function(*self._arguments)
