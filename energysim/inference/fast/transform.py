"""Winograd F(4 x 4, 3 x 3), compiled (numba): the same algorithm as ``winograd4``.

Transforms are loops instead of products with a Kronecker square, and the 36 products run in the
innermost kernel of the compiled paths.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.inference.fast.direct import Bound
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import LINE, Array
from energysim.inference.fast.path import Buffers, Call, Path
from energysim.inference.fast.winograd import covers, filters

__all__ = ["CompiledWinograd4"]

#: Most floats of transformed inputs and outputs of a block.
_BLOCK = 1 << 21
#: Reading the weights again, in terms of multiplying them with one vector of tiles.
_REREAD = 0.6


class CompiledWinograd4(Path):
    """F(4 x 4, 3 x 3) in compiled loops."""

    name = "compiled-winograd4"
    transform = True

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        from energysim.inference.fast import kernels, transform_kernels

        self._loops: Any = transform_kernels
        g, tall, short = conv.geometry, kernels.TALL, kernels.SHORT
        moved = filters(conv.weights, 4)
        parts: list[Array] = []
        blocks: list[tuple[int, ...]] = []
        rows: list[int] = []
        start = first_weight = 0
        while start < g.filters:
            high = tall if g.filters - start > short else short
            part = np.zeros((36, g.channels, high), dtype=np.float32)
            own = moved[:, start : start + high]
            part[:, :, : own.shape[1]] = own.transpose(0, 2, 1)
            parts.append(part.reshape(36, -1))
            blocks.append((high == short, g.channels, 0, first_weight, len(rows), own.shape[1]))
            rows += [min(start + i, g.filters - 1) for i in range(high)]
            start, first_weight = start + high, first_weight + g.channels * high
        self._weights = np.concatenate(parts, axis=1)
        self._blocks = np.array(blocks, dtype=np.int64)
        self._places = np.array(rows, dtype=np.int64) * self._pitch
        self._offsets = np.arange(g.channels, dtype=np.int64) * self._pitch
        self._zeros = np.zeros(len(rows), dtype=np.float32)

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return covers(conv)

    @property
    def packed(self) -> tuple[Array, ...]:
        return (self._weights,)

    @property
    def _grid(self) -> tuple[int, int]:
        g = self.conv.geometry
        return -(-g.target.height // 4), -(-g.target.width // 4)

    @property
    def _rows(self) -> int:
        """Tile rows of a block."""
        g, (down, across) = self.conv.geometry, self._grid
        each = 36 * (g.channels + g.filters) * across

        def cost(rows: int) -> float:
            """Vectors of all blocks, half empty ones too, and the weights that each block reads again."""
            whole, rest = divmod(down, rows)
            vectors = whole * (-(-rows * across // LINE)) + -(-rest * across // LINE)
            return vectors + _REREAD * -(-down // rows)

        fitting = [r for r in range(1, down + 1) if r == 1 or r * each <= _BLOCK]
        return min(fitting, key=lambda rows: (cost(rows), rows))

    @property
    def _pitch(self) -> int:
        return -(-self._rows * self._grid[1] // LINE) * LINE

    @property
    def scratch(self) -> int:
        g = self.conv.geometry
        return 36 * (g.channels + g.filters) * self._pitch

    def bind(self, to: Buffers) -> list[Call]:
        g, (down, _) = self.conv.geometry, self._grid
        units = [(i, s) for i in range(g.batch) for s in range(0, down, self._rows)]
        calls: list[Call] = []
        for unit in to.share.of(len(units)):
            image, start = units[unit]
            calls += self._block(to, image, start, min(self._rows, down - start))
        return calls

    def _block(self, to: Buffers, image: int, start: int, rows: int) -> list[Call]:
        conv, g, across, pitch = self.conv, self.conv.geometry, self._grid[1], self._pitch
        moved = to.space[: 36 * g.channels * pitch].reshape(36, g.channels, pitch)
        product = to.space[moved.size :][: 36 * g.filters * pitch].reshape(36, g.filters, pitch)
        x, y = to.source[image].reshape(-1), to.target[image].reshape(-1)
        other = np.empty(0, np.float32) if to.residual is None else to.residual[image].reshape(-1)
        origin = g.source.head - g.padding[0] * g.source.pitch - g.padding[1]
        limits = (g.padding[0] + g.source.height + g.source.pads[1], g.padding[1] + g.source.pitch)
        where = start, rows, across
        take = (x, moved, g.channels, g.source.stride, g.source.pitch, origin, limits, *where)
        arrays = self._weights, self._offsets, self._places, self._zeros
        weights, offsets, places, zeros = (a.ctypes.data for a in arrays)
        multiply = (
            *(moved.ctypes.data, product.ctypes.data, weights, self._weights.shape[1]),
            *(offsets, places, zeros, self._blocks, rows * across, pitch, g.channels, g.filters, 0),
        )
        plane = g.target
        size = plane.height, plane.width
        clamp = np.float32(conv.low), np.float32(conv.high)
        give = (product, y, other, g.filters, plane.stride, plane.pitch, plane.head, size, *where, conv.bias)
        loops = self._loops
        return [
            Bound(loops.take, take, self),
            Bound(loops.products, multiply, (self, to)),
            Bound(loops.give, (*give, *clamp), self),
        ]
