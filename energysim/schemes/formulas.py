"""Small pieces of the slow references of schemes (E3): one channel at a time, float64."""

from __future__ import annotations

import numpy as np

from energysim.graph import Conv2d
from energysim.schemes.block import Array

__all__ = ["plane", "rectified", "with_bias"]


def plane(x: Array, w: Array, op: Conv2d) -> Array:
    """Return one channel convolved with one window: ``sum over r, s of w[r, s] * x[i*t + r*d - p, ...]``.

    Parameters
    ----------
    x : array of shape (N, H, W)
    w : array of shape (R, S)
    op : Conv2d
        Whose stride, padding and dilation are used.
    """
    (top, bottom, left, right), (rows, columns) = op.padding, op.dilation
    full = np.pad(np.asarray(x, np.float64), ((0, 0), (top, bottom), (left, right)))
    high = full.shape[1] - rows * (w.shape[0] - 1)
    wide = full.shape[2] - columns * (w.shape[1] - 1)
    total = np.zeros((len(x), -(-high // op.stride[0]), -(-wide // op.stride[1])))
    for r, s in np.ndindex(*w.shape):
        moved = full[:, r * rows : r * rows + high, s * columns : s * columns + wide]
        total += w[r, s] * moved[:, :: op.stride[0], :: op.stride[1]]
    return total


def rectified(x: Array, function: str) -> Array:
    """Return ``relu``, ``relu6`` or ``none`` of an array."""
    if function == "none":
        return x
    return np.clip(x, 0, 6 if function == "relu6" else None)


def with_bias(x: Array, bias: Array | None) -> Array:
    """Return an array (N, M, ...) with a bias of M."""
    return x if bias is None else x + np.asarray(bias, np.float64).reshape(-1, *[1] * (x.ndim - 2))
