"""Compact paths of plain NumPy from a kernel's classes: any kernel, any geometry, packed weights.

The rows (channel, tap) that a class of filters keeps are copied into one matrix (K, n) for a tile of n
columns, and multiplied by the class's weights (F, K) at once.

``gather``  copies tap by tap; channels at equal distances (a periodic kernel) as one slice
``fancy``   one index of all rows
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from energysim.inference.fast.blas import gemm_call
from energysim.inference.fast.dense import tiles
from energysim.inference.fast.direct import class_rows
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import Array, window
from energysim.inference.fast.path import Buffers, Call, Path, Walk, epilogue
from energysim.kernels import IntArray

__all__ = ["Fancy", "Gather", "progressions"]

_TILE = 1 << 17
_NARROWEST = 192


def progressions(numbers: IntArray, period: int) -> list[tuple[int, int, int, int]]:
    """Cut numbers into blocks ``start + i*step + j`` for j < width, i < count.

    Returns (start, step, width, count) for each; their union, block after block, i outer, is a
    permutation of ``numbers``. ``period`` is the step to look for.
    """
    left = set(numbers.tolist())
    found = []
    while left:
        start = min(left)
        width = 1
        while width < period and start + width in left:
            width += 1
        count = 1
        while all(start + count * period + j in left for j in range(width)):
            count += 1
        block = {start + i * period + j for i in range(count) for j in range(width)}
        left -= block
        found.append((start, period, width, count))
    return found


class Gather(Path):
    """Tap by tap; see the module."""

    name = "gather"

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        inside = conv.geometry.channels // conv.geometry.groups
        weights = conv.weights.reshape(*conv.weights.shape[:2], -1)
        self.classes: list[tuple[IntArray, IntArray, IntArray, Array]] = []
        self._blocks: list[list[tuple[int, int, int, int, int]]] = []
        for filters, channels, taps in class_rows(conv):
            order = self._order(channels, taps)
            channels, taps = channels[order], taps[order]
            packed = np.ascontiguousarray(weights[filters[:, None], channels % inside, taps])
            self.classes.append((filters, channels, taps, packed))

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return True

    @property
    def _step(self) -> int:
        return self.conv.kernel.period or 1

    def _order(self, channels: IntArray, taps: IntArray) -> IntArray:
        """The order of the rows: tap by tap, block by block."""
        found: list[NDArray[np.int64]] = []
        blocks: list[tuple[int, int, int, int, int]] = []
        for tap in np.unique(taps):
            places = np.flatnonzero(taps == tap)
            where = dict(zip(channels[places].tolist(), places.tolist(), strict=True))
            for start, step, width, count in progressions(channels[places], self._step):
                blocks.append((int(tap), start, step, width, count))
                own = [where[start + i * step + j] for i in range(count) for j in range(width)]
                found.append(np.array(own, dtype=np.int64))
        order = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
        self._blocks.append(blocks)
        return order

    @property
    def packed(self) -> tuple[Array, ...]:
        return tuple(packed for *_, packed in self.classes)

    @property
    def _most(self) -> int:
        return max(1, *(len(taps) for _, _, taps, _ in self.classes))

    @property
    def _width(self) -> int:
        return max(_NARROWEST, _TILE // self._most)

    @property
    def _highest(self) -> int:
        """Filters of the largest class that is no strided view of the output."""
        return max(len(filters) for filters, *_ in self.classes)

    @property
    def scratch(self) -> int:
        width = max(stop - start for start, stop in tiles(self.conv.operand.run, self._width))
        return self.operand_floats + (self._most + self._highest) * width

    def bind(self, to: Buffers) -> list[Call]:
        g, operand = self.conv.geometry, self.conv.operand
        cut = tiles(operand.run, self._width)
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            own = to.share.of(len(cut))
            calls += load if own else []
            for start, stop in cut[own.start : own.stop]:
                place = slice(g.target.head + start, g.target.head + stop)
                residual = None if to.residual is None else to.residual[image, :, place]
                out = to.target[image, :, place]
                for number in range(len(self.classes)):
                    calls += self._class(number, base, to.space[self.operand_floats :], out, start)
                calls += epilogue(self.conv, out, self.conv.bias.reshape(-1, 1), residual)
        return calls

    def _class(self, number: int, base: Array, space: Array, out: Array, start: int) -> list[Call]:
        filters, _, _, packed = self.classes[number]
        matrix = space[: packed.shape[1] * out.shape[1]].reshape(packed.shape[1], out.shape[1])
        if not packed.shape[1]:
            return [partial(_put, out, filters, np.float32(0))]
        calls = self._copies(number, base, matrix, start)
        steps = np.diff(filters)
        if not len(steps) or (steps == steps[0]).all():
            view = out[filters[0] : filters[-1] + 1 : steps[0] if len(steps) else 1]
            return [*calls, gemm_call(packed, matrix, view)]
        product = space[matrix.size :][: len(filters) * out.shape[1]].reshape(len(filters), -1)
        return [*calls, gemm_call(packed, matrix, product), partial(_put, out, filters, product)]

    def _copies(self, number: int, base: Array, matrix: Array, start: int) -> list[Call]:
        operand, columns, row = self.conv.operand, matrix.shape[1], 0
        calls: list[Call] = []
        for tap, channel, step, width, count in self._blocks[number]:
            first = channel * operand.channel + int(operand.taps[tap]) + start
            shape, strides = (count, width, columns), (step * operand.channel, operand.channel, 1)
            place = matrix[row : row + count * width].reshape(shape)
            calls.append(partial(np.copyto, place, window(base, first, shape, strides)))
            row += count * width
        return calls

    def walks(self) -> tuple[Walk, ...]:
        run = self.conv.operand.run
        return tuple(Walk(f, c, t, run, len(f)) for f, c, t, _ in self.classes)


class Fancy(Gather):
    """One index of all rows of a class."""

    name = "fancy"

    def _order(self, channels: IntArray, taps: IntArray) -> IntArray:
        return np.arange(len(taps), dtype=np.int64)

    def _copies(self, number: int, base: Array, matrix: Array, start: int) -> list[Call]:
        _, channels, taps, _ = self.classes[number]
        operand = self.conv.operand
        firsts = channels * operand.channel + operand.taps[taps] + start
        low = int(firsts.min())
        views = window(base, low, (int(firsts.max()) - low + 1, matrix.shape[1]), (1, 1))
        return [partial(_take, views, firsts - low, matrix)]


def _put(out: Array, filters: IntArray, values: Array | np.float32) -> None:
    out[filters] = values


def _take(views: Array, numbers: IntArray, matrix: Array) -> None:
    matrix[...] = views[numbers]
