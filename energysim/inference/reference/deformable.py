"""Deformable convolution, straight from its definition: sample, then multiply."""

from __future__ import annotations

import numpy as np

from energysim.graph import DeformConv2d
from energysim.inference.reference.types import Array, Parameters

__all__ = ["deform_conv2d"]


def deform_conv2d(op: DeformConv2d, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the convolution of sampled taps: see :class:`DeformConv2d` for the formula.

    Tap by tap: places of all output pixels, samples of all channels of an offset group, products.
    """
    x, offsets = inputs[:2]
    (shape,) = op.infer(tuple(a.shape for a in inputs))
    n, m, rows, cols = shape
    weight = parameters["weight"]
    taps = op.window[0] * op.window[1]
    moved = offsets.reshape(n, op.offset_groups, taps, 2, rows, cols)
    mask = inputs[2].reshape(n, op.offset_groups, taps, rows, cols) if op.masked else None
    out = np.zeros((n, op.groups, m // op.groups, rows * cols), dtype=np.result_type(x, weight))
    down = np.arange(rows)[:, None] * op.stride[0] - op.padding[0]
    across = np.arange(cols)[None, :] * op.stride[1] - op.padding[2]
    for tap in range(taps):
        r, s = divmod(tap, op.window[1])
        sampled = np.empty((n, x.shape[1], rows * cols), dtype=x.dtype)
        each = x.shape[1] // op.offset_groups
        for image in range(n):
            for group in range(op.offset_groups):
                y = down + r * op.dilation[0] + moved[image, group, tap, 0]
                z = across + s * op.dilation[1] + moved[image, group, tap, 1]
                own = slice(group * each, (group + 1) * each)
                values = _bilinear(x[image, own], y, z)
                if mask is not None:
                    values = values * mask[image, group, tap]
                sampled[image, own] = values.reshape(each, -1)
        columns = sampled.reshape(n, op.groups, -1, rows * cols)
        rows_of = weight[:, :, r, s].reshape(op.groups, m // op.groups, -1)
        out += np.matmul(rows_of, columns)
    found = out.reshape(shape)
    if "bias" in parameters:
        found = found + parameters["bias"][:, None, None]
    return (found,)


def _bilinear(x: Array, y: Array, z: Array) -> Array:
    """Return (C, P, Q) values of maps (C, H, W) at rows y and columns z; 0 outside the map."""
    _, height, width = x.shape
    top, left = np.floor(y), np.floor(z)
    found = np.zeros((len(x), *y.shape), dtype=x.dtype)
    for row, share in ((top, top + 1 - y), (top + 1, y - top)):
        for col, part in ((left, left + 1 - z), (left + 1, z - left)):
            inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
            i = np.clip(row, 0, height - 1).astype(np.int64)
            j = np.clip(col, 0, width - 1).astype(np.int64)
            found += x[:, i, j] * (share * part * inside).astype(x.dtype)
    return found
