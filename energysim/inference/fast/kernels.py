"""The compiled loops around the innermost products (numba, extra ``[fast]``).

All arrays come in as addresses, tables of blocks as int64 arrays. A row of a table of blocks is
(short, count, first offset, first weight, first row, valid): whether the block has the fewer of the
two numbers of filters, its operand rows K, and where its part of each table begins.

Loop order of :func:`over_pixels`: tiles of the run, so that the operand of a tile stays in the
second-level cache; inside, blocks of filters; inside, the registers' share of the tile.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from energysim.inference.fast.micro import filter_product, lanes, pixel_product, registers

__all__ = ["LANES", "SHORT", "TALL", "over_filters", "over_pixels", "planes_times_taps", "pool_max"]

njit: Any = import_module("numba").njit

LANES = lanes()
#: Filters of the two kinds of blocks.
TALL, SHORT = registers() // 3, registers() // 6

_tall3, _tall2, _tall1 = (pixel_product((TALL, v)) for v in (3, 2, 1))
_short6, _short3, _short1 = (pixel_product((SHORT, v)) for v in (6, 3, 1))
_TALL_STEP, _SHORT_STEP = 3 * LANES, 6 * LANES

#: Pixels of a group, vectors of filters: accumulators fit the registers of every kind.
_MOST, _SOME = registers() // 4, 2
_many4, _some4, _one4 = (filter_product((p, 4)) for p in (_MOST, _SOME, 1))
_many1, _some1, _one1 = (filter_product((p, 1)) for p in (_MOST, _SOME, 1))


@njit(nogil=True)
def over_pixels(x, y, other, table, weights, rows, bias, blocks, first, last, start, stop, tile, low, high):
    """Blocks ``first`` to ``last`` over pixels ``start`` to ``stop`` of a run."""
    for t0 in range(start, stop, tile):
        t1 = min(t0 + tile, stop)
        for number in range(first, last):
            short, count = blocks[number, 0], blocks[number, 1]
            a = table + 8 * blocks[number, 2]
            w = weights + 4 * blocks[number, 3]
            r = rows + 8 * blocks[number, 4]
            c = bias + 4 * blocks[number, 4]
            valid = blocks[number, 5]
            p = t0
            while p < t1:
                left = t1 - p
                xp, yp = x + 4 * p, y + 4 * p
                op = other + 4 * p if other != 0 else 0
                if short:
                    if left > 3 * LANES:
                        _short6(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                        p += _SHORT_STEP
                    elif left > LANES:
                        _short3(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                        p += 3 * LANES
                    else:
                        _short1(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                        p += LANES
                elif left > 2 * LANES:
                    _tall3(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                    p += _TALL_STEP
                elif left > LANES:
                    _tall2(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                    p += 2 * LANES
                else:
                    _tall1(xp, a, w, count, yp, r, valid, c, op, left, low, high)
                    p += LANES


@njit(nogil=True)
def over_filters(x, y, other, table, weights, pixels, places, others, rows, bias, classes, space, low, high):
    """Filters as vectors: a row of ``classes`` is (filters, K, first offset, first weight, first row).

    ``pixels`` are the offsets of the inputs of all output pixels, ``places`` and ``others`` theirs in
    the output and in the map to add, ``rows`` those of the filters in both; ``space`` holds (pixels,
    filters rounded up to vectors).
    """
    total = len(pixels)
    at = pixels.ctypes.data
    out = space.ctypes.data
    for number in range(len(classes)):
        filters, count = classes[number, 0], classes[number, 1]
        pitch = -(-filters // LANES) * LANES
        a = table + 8 * classes[number, 2]
        w = weights + 4 * classes[number, 3]
        f = 0
        while f < pitch:
            four = pitch - f >= 4 * LANES
            p = 0
            while p < total:
                q = p
                if total - p < _MOST and total >= _MOST and total - p > 1:
                    q = total - _MOST
                left = total - q
                wp, xp, yp = w + 4 * f, at + 8 * q, out + 4 * (q * pitch + f)
                if left >= _MOST:
                    if four:
                        _many4(x, a, xp, wp, count, pitch, yp)
                    else:
                        _many1(x, a, xp, wp, count, pitch, yp)
                    p = q + _MOST
                elif left >= _SOME:
                    if four:
                        _some4(x, a, xp, wp, count, pitch, yp)
                    else:
                        _some1(x, a, xp, wp, count, pitch, yp)
                    p = q + _SOME
                else:
                    if four:
                        _one4(x, a, xp, wp, count, pitch, yp)
                    else:
                        _one1(x, a, xp, wp, count, pitch, yp)
                    p = q + 1
            f += 4 * LANES if four else LANES
        for i in range(filters):
            row = rows[classes[number, 4] + i]
            add = bias[classes[number, 4] + i]
            for p in range(total):
                value = space[p * pitch + i] + add
                if len(other):
                    value += other[row + others[p]]
                y[row + places[p]] = min(max(value, low), high)


@njit(nogil=True, fastmath={"contract", "nnan"})
def planes_times_taps(x, y, other, channel, target, taps, weights, bias, first, last, run, low, high):
    """Depthwise: filter c of channel c, tile by tile of a run so that the output stays in cache."""
    for c in range(first, last):
        for t0 in range(0, run, 1024):
            t1 = min(t0 + 1024, run)
            out = y[c * target + t0 : c * target + t1]
            out[:] = bias[c]
            for t in range(len(taps)):
                w = weights[c, t]
                taken = x[c * channel + taps[t] + t0 : c * channel + taps[t] + t1]
                for i in range(len(out)):
                    out[i] += w * taken[i]
            if len(other):
                more = other[c * target + t0 : c * target + t1]
                for i in range(len(out)):
                    out[i] += more[i]
            for i in range(len(out)):
                out[i] = min(max(out[i], low), high)


@njit(nogil=True, fastmath={"contract", "nnan"})
def pool_max(x, y, first, last, source, target, taken, made, window, stride, dilation, before):
    """Maximum over windows of channels ``first`` to ``last``; padding never wins.

    ``taken`` and ``made`` are (rows, columns, pitch) of the maps, ``source`` and ``target`` the floats
    between two channels, ``before`` the padding at the top and left.
    """
    height, width, pitch = taken
    rows, cols, out_pitch = made
    down, step = stride
    line = np.empty(width, np.float32)
    for c in range(first, last):
        for i in range(rows):
            line[:] = -np.inf
            for r in range(window[0]):
                y0 = i * down + r * dilation[0] - before[0]
                if 0 <= y0 < height:
                    row = x[c * source + y0 * pitch : c * source + y0 * pitch + width]
                    for j in range(width):
                        line[j] = max(line[j], row[j])
            out = y[c * target + i * out_pitch : c * target + i * out_pitch + cols]
            out[:] = -np.inf
            for s in range(window[1]):
                shift = s * dilation[1] - before[1]
                j0 = max(0, -(shift // step))
                j1 = min(cols, (width - 1 - shift) // step + 1)
                for j in range(j0, j1):
                    out[j] = max(out[j], line[j * step + shift])
