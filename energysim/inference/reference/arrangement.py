"""Operators that move or re-address data; they work on arrays of any type."""

from __future__ import annotations

import numpy as np

from energysim.graph import (
    ChannelShuffle,
    Concat,
    Flatten,
    LearnedToken,
    Permute,
    Reshape,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.inference.reference.convolution import reached
from energysim.inference.reference.types import Array, Parameters

__all__ = [
    "channel_shuffle",
    "concat",
    "flatten",
    "learned_token",
    "permute",
    "reshape",
    "spatial_shift",
    "split",
    "upsample",
]


def concat(op: Concat, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Join arrays along an axis."""
    return (np.concatenate(inputs, axis=op.axis),)


def split(op: Split, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Cut an axis into parts (views)."""
    return tuple(np.split(inputs[0], np.cumsum(op.sizes)[:-1], axis=op.axis))


def flatten(op: Flatten, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Join all axes from ``start`` on."""
    (shape,) = op.infer((inputs[0].shape,))
    return (inputs[0].reshape(shape),)


def reshape(op: Reshape, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Give each sample another shape."""
    return (inputs[0].reshape(inputs[0].shape[0], *op.shape),)


def permute(op: Permute, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Reorder the axes (a view)."""
    return (inputs[0].transpose(op.order),)


def channel_shuffle(
    op: ChannelShuffle, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Put channel c of g groups of n at position (c mod n) * g + c div n."""
    (x,) = inputs
    n, c, h, w = x.shape
    grouped = x.reshape(n, op.groups, c // op.groups, h, w)
    return (grouped.transpose(0, 2, 1, 3, 4).reshape(n, c, h, w),)


def spatial_shift(op: SpatialShift, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Move each set of channels by its displacement.

    ``out[c, y, x] = in[c, y + i - R div 2, x + j - S div 2]`` for the set that belongs to position
    (i, j) of the window: what a depthwise convolution with a single 1 at (i, j) would give (Wu et
    al., CVPR 2018, eq. 3).
    """
    (x,) = inputs
    _, c, h, w = x.shape
    rows, cols = op.window
    each = c // (rows * cols)
    out = x.copy()
    out[:, : each * rows * cols] = 0
    for tap in range(rows * cols):
        down, right = tap // cols - rows // 2, tap % cols - cols // 2
        y0, y1 = reached(h, h, 1, down)
        x0, x1 = reached(w, w, 1, right)
        if y0 < y1 and x0 < x1:
            channels = slice(tap * each, (tap + 1) * each)
            out[:, channels, y0:y1, x0:x1] = x[:, channels, y0 + down : y1 + down, x0 + right : x1 + right]
    return (out,)


def upsample(op: Upsample, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Enlarge (N, C, H, W): repeat elements, or interpolate linearly between pixel centres."""
    (x,) = inputs
    for axis, factor in zip((2, 3), op.factor, strict=True):
        x = x.repeat(factor, axis=axis) if op.mode == "nearest" else _interpolated(x, axis, factor)
    return (x,)


def _interpolated(x: Array, axis: int, factor: int) -> Array:
    """Output o lies at (o + 1/2) / factor - 1/2 of the input, clipped to it ("align corners" off)."""
    size = x.shape[axis]
    at = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    shape = [1] * x.ndim
    shape[axis] = -1
    share = (at - low).astype(x.dtype).reshape(shape)
    return np.asarray(x.take(low, axis) * (1 - share) + x.take(high, axis) * share)


def learned_token(op: LearnedToken, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Put one learned vector (1, D) before each sequence of (N, L, D)."""
    (x,) = inputs
    token = np.broadcast_to(parameters["weight"], (x.shape[0], 1, x.shape[2])).astype(x.dtype)
    return (np.concatenate((token, x), axis=1),)
