"""Dense paths of plain NumPy: tiled im2col, taps, and depthwise. Any geometry.

``im2col``     a tile of columns is copied tap by tap into one matrix (C*R*S, n) and multiplied at
               once; a 1x1 window needs no copy. The weights are used as they lie.
``taps``       no copy: one product per tap that adds to the output.
``depthwise``  one multiplication and one addition of whole planes per tap.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from energysim.inference.fast.blas import gemm_call
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import Array, window
from energysim.inference.fast.path import Buffers, Call, Path, Walk, epilogue

__all__ = ["Dense", "Depthwise", "Im2col", "Taps", "tiles"]

#: Floats of a tile, columns and outputs: larger than the second-level cache, since BLAS blocks by itself
#: and what one call costs counts.
_TILE = 1 << 19
_NARROWEST = 192


def tiles(run: int, width: int) -> list[tuple[int, int]]:
    """Cut a run into nearly equal tiles of at most ``width``: (start, stop) pairs."""
    count = -(-run // width)
    return [(run * i // count, run * (i + 1) // count) for i in range(count)]


def row_of_bias(conv: Convolution) -> Array:
    """Return the bias as a column (M, 1)."""
    return conv.bias.reshape(-1, 1)


class Dense(Path):
    """All weights of every filter."""

    def walks(self) -> tuple[Walk, ...]:
        conv, found = self.conv, []
        g, taps = conv.geometry, conv.weights[0, 0].size
        filters, channels = g.filters // g.groups, g.channels // g.groups
        rows = np.arange(channels * taps)
        for group in range(g.groups):
            own = np.arange(group * filters, (group + 1) * filters)
            shape = group * channels + rows // taps, rows % taps
            found.append(Walk(own, *shape, conv.operand.run, filters))
        return tuple(found)


class Im2col(Dense):
    """Columns of a tile of outputs as one matrix; see the module."""

    name = "im2col"

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return True

    @property
    def packed(self) -> tuple[Array, ...]:
        return ()

    @property
    def _width(self) -> int:
        rows = int(self.conv.weights[0].size)
        return max(_NARROWEST, _TILE // (rows + self.conv.geometry.filters))

    @property
    def _copies(self) -> bool:
        return self.conv.geometry.window != (1, 1)

    @property
    def scratch(self) -> int:
        width = max(stop - start for start, stop in tiles(self.conv.operand.run, self._width))
        return self.operand_floats + (self.conv.weights[0].size * width if self._copies else 0)

    def bind(self, to: Buffers) -> list[Call]:
        g, operand = self.conv.geometry, self.conv.operand
        cut = tiles(operand.run, self._width)
        mine = {(u // len(cut), u % len(cut)) for u in to.share.of(len(to.source) * len(cut))}
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            own = [cut[tile] for i, tile in sorted(mine) if i == image]
            if own:
                calls += load
            for start, stop in own:
                for group in range(g.groups):
                    calls += self._tile(to, image, base, group, start, stop)
        return calls

    def _tile(self, to: Buffers, image: int, base: Array, group: int, start: int, stop: int) -> list[Call]:
        conv, g, operand = self.conv, self.conv.geometry, self.conv.operand
        filters, channels = g.filters // g.groups, g.channels // g.groups
        columns, rows = stop - start, conv.weights[0].size
        first = int(operand.taps[0]) + group * channels * operand.channel + start
        own = slice(group * filters, (group + 1) * filters)
        place = slice(g.target.head + start, g.target.head + stop)
        out = to.target[image, own, place]
        calls: list[Call] = []
        if self._copies:
            matrix = to.space[self.operand_floats :][: rows * columns].reshape(rows, columns)
            calls += self._gather(base, first, matrix, channels)
        else:
            matrix = window(base, first, (channels, columns), (operand.channel, 1))
        calls.append(gemm_call(conv.weights[own].reshape(filters, -1), matrix, out))
        residual = None if to.residual is None else to.residual[image, own, place]
        return calls + epilogue(conv, out, row_of_bias(conv)[own], residual)

    def _gather(self, base: Array, first: int, matrix: Array, channels: int) -> list[Call]:
        """The copies into one (C*R*S, n) matrix; one call if the taps lie on a grid."""
        operand, (rows, cols) = self.conv.operand, self.conv.geometry.window
        columns = matrix.shape[1]
        steps = (operand.taps - operand.taps[0]).reshape(rows, cols)
        down, right = (int(steps[-1, 0]) // max(rows - 1, 1), int(steps[0, -1]) // max(cols - 1, 1))
        if np.array_equal(steps, np.arange(rows)[:, None] * down + np.arange(cols) * right):
            shape = (channels, rows, cols, columns)
            taken = window(base, first, shape, (operand.channel, down, right, 1))
            return [partial(np.copyto, matrix.reshape(shape), taken)]
        boxes = matrix.reshape(channels, rows * cols, columns)
        return [
            partial(
                np.copyto, boxes[:, t], window(base, first + step, (channels, columns), (operand.channel, 1))
            )
            for t, step in enumerate(steps.reshape(-1).tolist())
        ]


class Taps(Dense):
    """One product per tap, added to the output; see the module."""

    name = "taps"

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        g = conv.geometry
        self._weights = np.ascontiguousarray(
            conv.weights.reshape(g.filters, g.channels, -1).transpose(2, 0, 1)
        )

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return conv.geometry.groups == 1

    @property
    def packed(self) -> tuple[Array, ...]:
        return (self._weights,)

    @property
    def scratch(self) -> int:
        return self.operand_floats

    def bind(self, to: Buffers) -> list[Call]:
        conv, g, operand = self.conv, self.conv.geometry, self.conv.operand
        cut = tiles(operand.run, max(_NARROWEST, _TILE // (g.channels + g.filters)))
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            calls += load
            for tile in to.share.of(len(cut)):
                start, stop = cut[tile]
                out = to.target[image, :, g.target.head + start : g.target.head + stop]
                shape, strides = (g.channels, stop - start), (operand.channel, 1)
                calls.append(partial(np.copyto, out, row_of_bias(conv)))
                for weights, tap in zip(self._weights, operand.taps.tolist(), strict=True):
                    calls.append(gemm_call(weights, window(base, tap + start, shape, strides), out, add=True))
                residual = None if to.residual is None else to.residual[image, :, g.target.head + start :]
                residual = None if residual is None else residual[:, : stop - start]
                calls += epilogue(conv, out, None, residual)
        return calls


class Depthwise(Dense):
    """One filter per channel: whole planes times a scalar, tap by tap."""

    name = "depthwise"

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        g = conv.geometry
        return g.groups == g.channels == g.filters

    @property
    def packed(self) -> tuple[Array, ...]:
        return ()

    @property
    def _channels(self) -> int:
        """Channels worked on at once: three arrays of a quarter of the cache."""
        return max(1, _TILE // 16 // self.conv.operand.run)

    @property
    def scratch(self) -> int:
        return self.operand_floats + self._channels * self.conv.operand.run

    def bind(self, to: Buffers) -> list[Call]:
        conv, g, operand = self.conv, self.conv.geometry, self.conv.operand
        weights = conv.weights.reshape(g.filters, -1, 1)
        columns = slice(g.target.head, g.target.head + operand.run)
        blocks = tiles(g.channels, self._channels)
        calls: list[Call] = []
        for image, (load, base) in enumerate(self.operands(to)):
            calls += load
            for block in to.share.of(len(blocks)):
                start, stop = blocks[block]
                shape = (stop - start, operand.run)
                out = to.target[image, start:stop, columns]
                product = to.space[self.operand_floats :][: shape[0] * shape[1]].reshape(shape)
                for t, tap in enumerate(operand.taps.tolist()):
                    taken = window(base, tap + start * operand.channel, shape, (operand.channel, 1))
                    calls.append(partial(np.multiply, taken, weights[start:stop, t], product if t else out))
                    if t:
                        calls.append(partial(np.add, out, product, out))
                residual = None if to.residual is None else to.residual[image, start:stop, columns]
                calls += epilogue(conv, out, row_of_bias(conv)[start:stop], residual)
        return calls
