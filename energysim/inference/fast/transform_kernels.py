"""The compiled loops of Winograd F(4 x 4, 3 x 3) (numba): points 0, 1, -1, 2, -2 and infinity.

Formulas: Lavin and Gray, CVPR 2016, section 4.2 (with the scaling of
:func:`energysim.inference.fast.winograd.transforms`). Rows are transformed along whole lines of the
map, columns tile by tile; tiles are the vectors of all loops.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from energysim.inference.fast.kernels import over_pixels

__all__ = ["give", "products", "take"]

njit: Any = import_module("numba").njit

_MATH = {"contract", "nsz", "nnan", "reassoc"}


@njit(nogil=True, fastmath=_MATH)
def _into(d0, d1, d2, d3, d4, d5):
    """BT d."""
    a, b = d4 - 4 * d2, d3 - 4 * d1
    c, d = d4 - d2, 2 * (d3 - d1)
    return 4 * d0 - 5 * d2 + d4, a + b, a - b, c + d, c - d, 4 * d1 - 5 * d3 + d5


@njit(nogil=True, fastmath=_MATH)
def _out(m0, m1, m2, m3, m4, m5):
    """AT m."""
    a, b, c, d = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return m0 + a + c, b + 2 * d, a + 4 * c, b + 8 * d + m5


@njit(nogil=True, fastmath=_MATH)
def take(x, moved, channels, stride, pitch, origin, limits, start, rows, across):
    """BT d B of all tiles of some tile rows: moved[36, C, tiles]."""
    bottom, right = limits
    length = 4 * across + 4
    lines = np.zeros((6, length), np.float32)
    halves = np.zeros((6, length), np.float32)
    for c in range(channels):
        for r in range(rows):
            for i in range(6):
                y = 4 * (start + r) + i
                if y < bottom:
                    first = c * stride + origin + y * pitch
                    width = min(right, length)
                    taken = x[first : first + width]
                    line = lines[i]
                    for j in range(width):
                        line[j] = taken[j]
                else:
                    lines[i, :] = 0
            l0, l1, l2, l3, l4, l5 = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
            h0, h1, h2, h3, h4, h5 = halves[0], halves[1], halves[2], halves[3], halves[4], halves[5]
            for j in range(length):
                h0[j], h1[j], h2[j], h3[j], h4[j], h5[j] = _into(l0[j], l1[j], l2[j], l3[j], l4[j], l5[j])
            for i in range(6):
                half = halves[i]
                first, last = r * across, (r + 1) * across
                v0, v1 = moved[6 * i, c, first:last], moved[6 * i + 1, c, first:last]
                v2, v3 = moved[6 * i + 2, c, first:last], moved[6 * i + 3, c, first:last]
                v4, v5 = moved[6 * i + 4, c, first:last], moved[6 * i + 5, c, first:last]
                for t in range(across):
                    j = 4 * t
                    v0[t], v1[t], v2[t], v3[t], v4[t], v5[t] = _into(
                        half[j], half[j + 1], half[j + 2], half[j + 3], half[j + 4], half[j + 5]
                    )


@njit(nogil=True, fastmath=_MATH)
def give(product, y, other, filters, stride, pitch, head, size, start, rows, across, bias, low, high):
    """AT m A of all tiles, bias, residual and clamp, written into the map."""
    height, width = size
    tiles = rows * across
    halves = np.empty((4, 6, tiles), np.float32)
    line = np.empty(4 * across, np.float32)
    for f in range(filters):
        for k in range(6):
            m0, m1, m2 = product[k, f], product[6 + k, f], product[12 + k, f]
            m3, m4, m5 = product[18 + k, f], product[24 + k, f], product[30 + k, f]
            h0, h1, h2, h3 = halves[0, k], halves[1, k], halves[2, k], halves[3, k]
            for t in range(tiles):
                h0[t], h1[t], h2[t], h3[t] = _out(m0[t], m1[t], m2[t], m3[t], m4[t], m5[t])
        add = bias[f]
        for r in range(rows):
            for a in range(4):
                row = 4 * (start + r) + a
                if row >= height:
                    continue
                first, last = r * across, (r + 1) * across
                h0, h1, h2 = halves[a, 0, first:last], halves[a, 1, first:last], halves[a, 2, first:last]
                h3, h4, h5 = halves[a, 3, first:last], halves[a, 4, first:last], halves[a, 5, first:last]
                for t in range(across):
                    line[4 * t], line[4 * t + 1], line[4 * t + 2], line[4 * t + 3] = _out(
                        h0[t], h1[t], h2[t], h3[t], h4[t], h5[t]
                    )
                place = f * stride + head + row * pitch
                out = y[place : place + width]
                if len(other):
                    more = other[place : place + width]
                    for j in range(width):
                        out[j] = min(max(line[j] + add + more[j], low), high)
                else:
                    for j in range(width):
                        out[j] = min(max(line[j] + add, low), high)


@njit(nogil=True)
def products(
    moved, product, weights, each, offsets, places, zeros, blocks, tiles, pitch, channels, filters, zero
):
    """The 36 products of a block; all arrays as addresses, ``each`` floats of weights per product.

    ``zero`` is 0: as a literal it would have :func:`over_pixels` compiled once more.
    """
    none, most = np.float32(-np.inf), np.float32(np.inf)
    for i in range(36):
        x, y, w = moved + 4 * i * channels * pitch, product + 4 * i * filters * pitch, weights + 4 * i * each
        over_pixels(
            *(x, y, zero, offsets, w, places, zeros, blocks, zero, len(blocks), zero, tiles, tiles),
            *(none, most),
        )
