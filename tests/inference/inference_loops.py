"""Plain Python versions of operators: one multiply-add at a time, no array arithmetic.

They work on floats and on integers alike, so they check float and integer modes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as every
from typing import Any

import numpy as np

from energysim.graph import Conv2d, ConvTranspose2d, Pool2d

Array = np.ndarray[Any, Any]


def conv2d(op: Conv2d, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Seven loops: batch, filter, output row and column, channel, kernel row and column."""
    (shape,) = op.infer((x.shape,))
    out = np.zeros(shape, dtype=np.result_type(x, weight))
    per_group, channels = op.out_channels // op.groups, x.shape[1] // op.groups
    for n, m, p, q in every(*map(range, shape)):
        total = 0 if bias is None else bias[m]
        for c, r, s in every(range(channels), range(op.window[0]), range(op.window[1])):
            i = p * op.stride[0] + r * op.dilation[0] - op.padding[0]
            j = q * op.stride[1] + s * op.dilation[1] - op.padding[2]
            if 0 <= i < x.shape[2] and 0 <= j < x.shape[3]:
                total = total + weight[m, c, r, s] * x[n, m // per_group * channels + c, i, j]
        out[n, m, p, q] = total
    return out


def conv_transpose2d(op: ConvTranspose2d, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Every input element is spread over a window of the output."""
    (shape,) = op.infer((x.shape,))
    out = np.zeros(shape, dtype=np.result_type(x, weight))
    per_group, channels = op.out_channels // op.groups, x.shape[1] // op.groups
    for n, m, c, i, j in every(range(shape[0]), range(shape[1]), range(channels), *map(range, x.shape[2:])):
        for r, s in every(range(op.window[0]), range(op.window[1])):
            p = i * op.stride[0] + r * op.dilation[0] - op.padding[0]
            q = j * op.stride[1] + s * op.dilation[1] - op.padding[2]
            if 0 <= p < shape[2] and 0 <= q < shape[3]:
                out[n, m, p, q] += weight[m, c, r, s] * x[n, m // per_group * channels + c, i, j]
    if bias is not None:
        for m in range(shape[1]):
            out[:, m] += bias[m]
    return out


def _window(op: Pool2d, axis: int, step: int, size: int) -> Iterator[tuple[int, bool]]:
    """Positions of a window along an axis, and whether each lies in the input rather than the padding.

    What lies beyond the padding is left out.
    """
    before, after = op.padding[2 * axis], op.padding[2 * axis + 1]
    for tap in range(op.window[axis]):
        at = step * op.stride[axis] + tap * op.dilation[axis] - before
        if at < size + after:
            yield at, 0 <= at < size


def pool2d(op: Pool2d, x: Array) -> Array:
    """One window at a time."""
    (shape,) = op.infer((x.shape,))
    out = np.zeros(shape, dtype=x.dtype)
    for n, c, p, q in every(*map(range, shape)):
        inside, positions = [], 0
        for i, row in _window(op, 0, p, x.shape[2]):
            for j, column in _window(op, 1, q, x.shape[3]):
                positions += 1
                if row and column:
                    inside.append(x[n, c, i, j])
        if op.mode == "max":
            out[n, c, p, q] = max(inside, default=-np.inf)
        else:
            count = positions if op.count_include_pad else len(inside)
            out[n, c, p, q] = sum(inside) / max(count, 1)
    return out
