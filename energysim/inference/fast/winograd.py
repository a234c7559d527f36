"""Winograd convolution F(m x m, 3 x 3) for dense layers, transforms as single matrix products.

Source: Winograd, "Arithmetic complexity of computations", SIAM 1980; Lavin and Gray, "Fast
algorithms for convolutional neural networks", CVPR 2016. With n = m + 2, for a tile d of n x n
inputs and a window g of 3 x 3::

    Y = AT [ (G g GT) * (BT d B) ] A       (* element by element)

Applied to all tiles at once, ``BT d B`` is one product of the Kronecker square of BT
(n^2 x n^2) with a matrix (n^2, tiles * C), and the element-wise product is a batch of n^2 products
(tiles x C) (C x M). These are cut so small that OpenBLAS multiplies the factors where they lie
(its kernels for small matrices, m n k up to 100^3) instead of copying them first: with few tiles
that copy, of all weights, takes as long as the products. The filters are the contiguous side, since
the tiles of a small map would not fill a vector. AT, G and BT follow exactly from n - 1 points and
infinity (Cook-Toom).

A transform path multiplies 9 m^2 / n^2 times less than the layer counts, and rounds otherwise: it
is named in a plan, and ``winograd=False`` keeps it out.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from typing import ClassVar

import numpy as np

from energysim.inference.fast.blas import gemm_call
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import AnyArray, Array, Plane, window
from energysim.inference.fast.path import Buffers, Call, Path, epilogue

__all__ = ["Winograd2", "Winograd4", "filters", "transforms"]

#: Floats of a block of transformed tiles, inputs and outputs together.
_BLOCK = 1 << 18
#: Tiles that are worth up to twice as large a block: narrower products are slow.
_FEWEST = 48
#: Floats of transformed weights that stay in the third-level cache when every block reads them again.
_KEPT = 1 << 20
#: Filters of one product: four vectors of AVX-512, and (C x 64) weights that stay in the cache for all tiles.
_WIDE = 64
#: Largest m n k that OpenBLAS multiplies without packing (kernel/x86_64/sgemm_small_kernel_permit_skylakex.c,
#: processors with AVX-512); a limit of speed only.
_SMALL = 100**3
_POINTS = {2: "0 1 -1", 4: "0 1 -1 2 -2"}


@cache
def transforms(m: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return AT (m, n), G (n, 3) and BT (n, n) in float64."""
    points = [Fraction(p) for p in _POINTS[m].split()]
    n = m + 2
    at = [[p**i for p in points] + [Fraction(i == m - 1)] for i in range(m)]
    g, bt = [], []
    for j, p in enumerate(points):
        others = points[:j] + points[j + 1 :]
        scale = Fraction(1)
        for other in others:
            scale *= p - other
        g.append([p**k / scale for k in range(3)])
        bt.append([*_polynomial(others), Fraction(0)])
    g.append([Fraction(0), Fraction(0), Fraction(1)])
    bt.append(_polynomial(points))
    assert len(bt) == n
    a, b, c = (np.array([[float(v) for v in row] for row in rows]) for rows in (at, g, bt))
    return a, b, c


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (x - root), lowest power first."""
    found = [Fraction(1)]
    for root in roots:
        found = [a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def filters(weights: Array, m: int) -> Array:
    """Return G g GT of all windows, float32 (n^2, M, C), computed in float64."""
    _, g, _ = transforms(m)
    moved = np.einsum("ir,js,mcrs->ijmc", g, g, weights.astype(np.float64), optimize=True)
    return np.ascontiguousarray(moved.reshape(-1, *weights.shape[:2]), dtype=np.float32)


def covers(conv: Convolution) -> bool:
    """Return whether a convolution has the form Winograd's transforms compute."""
    g = conv.geometry
    return g.flat and g.groups == 1 and g.window == (3, 3) and g.dilation == (1, 1)


class Winograd4(Path):
    """F(4 x 4, 3 x 3): 4 times fewer multiplications."""

    name = "winograd4"
    transform = True
    m: ClassVar[int] = 4

    def __init__(self, conv: Convolution) -> None:
        super().__init__(conv)
        at, _, bt = transforms(self.m)
        blocks = conv.geometry.filters // _width(conv.geometry.filters)
        moved = filters(conv.weights, self.m)  # (n^2, M, C)
        parts = moved.reshape(len(moved), blocks, -1, moved.shape[2])
        self._weights = np.ascontiguousarray(parts.transpose(0, 1, 3, 2))
        self._into = np.kron(bt, bt).astype(np.float32)
        self._out = np.kron(at, at).astype(np.float32)

    @classmethod
    def fits(cls, conv: Convolution) -> bool:
        return covers(conv)

    @property
    def packed(self) -> tuple[Array, ...]:
        return self._weights, self._into, self._out

    @property
    def _grid(self) -> tuple[int, int]:
        """Tiles down and across."""
        g = self.conv.geometry
        return -(-g.target.height // self.m), -(-g.target.width // self.m)

    @property
    def _rows(self) -> int:
        """Tile rows of a block."""
        g, (down, across) = self.conv.geometry, self._grid
        if self._weights.size > _KEPT:
            return down
        each = len(self._weights) * (g.channels + g.filters) * across
        rows = max(1, _BLOCK // each)
        while rows * across < _FEWEST and (rows + 1) * each <= 2 * _BLOCK:
            rows += 1
        return min(down, rows)

    @property
    def scratch(self) -> int:
        g, (tiles, _) = self.conv.geometry, self._padded(self._rows * self._grid[1])
        n, channels, filters = len(self._weights), g.channels, g.filters
        return tiles * (n * max(channels, filters) * 2 + self.m**2 * filters)

    def _padded(self, tiles: int) -> tuple[int, int]:
        """Tiles with those that fill up the last part, and the number of equal parts."""
        parts = -(-tiles * self.conv.geometry.channels * self._weights.shape[3] // _SMALL)
        return parts * -(-tiles // parts), parts

    def bind(self, to: Buffers) -> list[Call]:
        down, _ = self._grid
        starts = range(0, down, self._rows)
        units = [(image, start) for image in range(len(to.source)) for start in starts]
        calls: list[Call] = []
        for unit in to.share.of(len(units)):
            image, start = units[unit]
            calls += self._block(to, image, start, min(down, start + self._rows))
        return calls

    def _block(self, to: Buffers, image: int, start: int, stop: int) -> list[Call]:
        conv, g, m, n = self.conv, self.conv.geometry, self.m, self.m + 2
        rows, across = stop - start, self._grid[1]
        (count, parts), blocks = self._padded(rows * across), self._weights.shape[1]
        size = n * n * max(g.channels, g.filters) * count
        first, second, third = to.space[:size], to.space[size : 2 * size], to.space[2 * size :]
        taken = first[: n * n * g.channels * count].reshape(n * n, -1)
        moved = second[: taken.size].reshape(n * n, -1)
        product = first[: n * n * g.filters * count].reshape(n * n, -1)
        result = third[: m * m * g.filters * count].reshape(m * m, -1)
        boxes = taken[:, : rows * across * g.channels].reshape(n, n, rows, across, -1)
        calls = _take(to.source[image], g.source, boxes, m, start, g.padding)
        if count > rows * across:
            calls.append(partial(np.copyto, taken[:, rows * across * g.channels :], np.float32(0)))
        calls.append(gemm_call(self._into, taken, moved))
        tiles = moved.reshape(n * n, 1, parts, -1, g.channels)
        made = product.reshape(n * n, blocks, parts, count // parts, -1)
        calls.append(partial(np.matmul, tiles, self._weights[:, :, None], made))
        calls.append(gemm_call(self._out, product, result))
        outputs = result.reshape(m * m, blocks, count, -1)
        bias, residual = conv.bias.reshape(blocks, 1, -1), to.residual
        whole = replace(conv, low=-np.inf, high=np.inf) if residual is not None else conv
        calls += epilogue(whole, outputs, bias, None)
        corners = outputs[:, :, : rows * across].reshape(m, m, blocks, rows, across, -1)
        for a, b in np.ndindex(m, m):
            place = g.target.pixels(to.target[image])[:, m * start + a :: m, b::m][:, :rows, :across]
            part = corners[a, b, :, : place.shape[1], : place.shape[2]].transpose(0, 3, 1, 2)
            calls.append(partial(np.copyto, place.reshape(part.shape), part))
        if residual is not None:
            pitch = m * g.target.pitch
            own = slice(g.target.head + start * pitch, min(g.target.end, g.target.head + stop * pitch))
            calls += epilogue(conv, to.target[image, :, own], None, residual[image, :, own])
        return calls


class Winograd2(Winograd4):
    """F(2 x 2, 3 x 3): 2.25 times fewer multiplications, rounding like a direct path."""

    name = "winograd2"
    m = 2


def _width(filters: int) -> int:
    """Filters of one product: a divisor of all, near 64."""
    found = max(w for w in range(1, min(filters, _WIDE) + 1) if filters % w == 0)
    return found if found >= 16 else filters


def _take(
    source: Array, plane: Plane, boxes: Array, m: int, start: int, padding: tuple[int, int]
) -> list[Call]:
    """The copies of all tiles (n, n, rows, across, C) from one image; zeros beyond its padding.

    Tiles overlap: what position m or m + 1 of a tile holds is position 0 or 1 of the next, so only the
    last tile of a row or column is copied from the map, the others from tiles that are there already.
    """
    calls: list[Call] = []
    n, rows, across = len(boxes), *boxes.shape[2:4]
    for i in range(n):
        for j in range(n):
            y, x = m * start + i - padding[0], j - padding[1]
            down, right = 0, 0
            if j >= m and across > 1:
                calls.append(partial(np.copyto, boxes[i, j][:, :-1], boxes[i, j - m][:, 1:]))
                right = across - 1
            elif i >= m and rows > 1:
                calls.append(partial(np.copyto, boxes[i, j][:-1], boxes[i - m, j][1:]))
                down = rows - 1
            calls += _copy(source, plane, boxes[i, j][down:, right:], m, y + m * down, x + m * right)
    return calls


def _copy(source: Array, plane: Plane, box: Array, m: int, y: int, x: int) -> list[Call]:
    """Every m-th pixel from (y, x) on into (rows, across, C); zeros beyond the padding."""
    rows, across, channels = box.shape
    bottom, right = plane.height + plane.pads[1], plane.width + plane.gap
    high = max(0, min(rows, -(-(bottom - y) // m)))
    wide = max(0, min(across, -(-(right - x) // m)))
    calls: list[Call] = []
    if high and wide:
        shape, strides = (high, wide, channels), (m * plane.pitch, m, plane.stride)
        taken = window(source.reshape(-1), plane.head + y * plane.pitch + x, shape, strides)
        calls.append(partial(np.copyto, box[:high, :wide], taken))
    beyond = (box[high:], box[:high, wide:])
    return calls + [partial(np.copyto, rest, np.float32(0)) for rest in beyond if rest.size]
