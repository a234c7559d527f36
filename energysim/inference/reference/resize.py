"""Resizing, one axis after the other, by the rules of ONNX's Resize."""

from __future__ import annotations

import numpy as np

from energysim.graph import Resize
from energysim.inference.reference.types import Array, Parameters

__all__ = ["resize"]


def resize(op: Resize, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Resize rows, then columns."""
    (x,) = inputs
    for axis, size in ((2, op.size[0]), (3, op.size[1])):
        before = x.shape[axis]
        scale = size / before if op.scales is None else op.scales[axis - 2]
        if size == before and scale == 1:
            continue
        at = _places(op, before, size, scale)
        if op.mode == "nearest":
            x = x.take(np.clip(_nearest(op, at), 0, before - 1), axis)
        else:
            x = _weighted(op, x, axis, at)
    return (x,)


def _places(op: Resize, before: int, size: int, scale: float) -> Array:
    """Where each output stands among the inputs."""
    number = np.arange(size, dtype=np.float64)
    if op.coordinates == "align_corners":
        length = scale * before  # not rounded down, where scales are given (ONNX's own reference)
        return number * ((before - 1) / (length - 1)) if length != 1 else number * 0
    if op.coordinates == "asymmetric":
        return number / scale
    if op.coordinates == "pytorch_half_pixel" and size == 1:
        return number * 0
    shift = 0.0
    if op.coordinates == "half_pixel_symmetric":
        shift = before / 2 * (1 - size / (scale * before))
    return (number + 0.5) / scale - 0.5 + shift


def _nearest(op: Resize, at: Array) -> Array:
    if op.rounding == "floor":
        return np.floor(at).astype(np.int64)
    if op.rounding == "ceil":
        return np.ceil(at).astype(np.int64)
    up = 0.5 if op.rounding == "round_prefer_ceil" else -0.5
    rounded = np.floor(at + up) if up > 0 else np.ceil(at + up)
    return np.asarray(rounded).astype(np.int64)


def _weighted(op: Resize, x: Array, axis: int, at: Array) -> Array:
    """Sum of 2 or 4 neighbours; beyond the edge stands the edge."""
    size = x.shape[axis]
    low = np.floor(at)
    share = at - low
    taps = (
        {0: 1 - share, 1: share}
        if op.mode == "linear"
        else {d: _cubic(np.abs(share - d), op.cubic) for d in (-1, 0, 1, 2)}
    )
    places = {d: low.astype(np.int64) + d for d in taps}
    if op.mode == "cubic" and op.exclude_outside:
        taps = {d: np.where((places[d] >= 0) & (places[d] < size), w, 0) for d, w in taps.items()}
        total = sum(taps.values())
        taps = {d: w / total for d, w in taps.items()}
    shape = [1] * x.ndim
    shape[axis] = -1
    out = np.zeros((*x.shape[:axis], len(at), *x.shape[axis + 1 :]), dtype=x.dtype)
    for d, weight in taps.items():
        out += x.take(np.clip(places[d], 0, size - 1), axis) * weight.astype(x.dtype).reshape(shape)
    return out


def _cubic(distance: Array, a: float) -> Array:
    """Keys, IEEE TASSP 29(6), 1981, eq. 15."""
    d = distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
