"""Convolution, transposed convolution and matrix products, written straight from their definitions.

One matrix product per kernel tap, added into the outputs that this tap reaches: no padded copy, no
rearranged input. Output rows are taken in blocks, so that what is held besides input and output
stays small however large the image is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from energysim.graph import Conv2d, ConvTranspose2d, Linear, MatMul
from energysim.inference.reference.types import Array, Parameters
from energysim.units import ceil_div

__all__ = ["BLOCK_BYTES", "conv2d", "conv_transpose2d", "linear", "matmul", "reached"]

#: What the operands of one product may hold together, but for one row at least.
BLOCK_BYTES = 1 << 20


def reached(steps: int, size: int, stride: int, offset: int) -> tuple[int, int]:
    """Return the steps i = first .. last-1 for which 0 <= i * stride + offset < size.

    Parameters
    ----------
    steps : int
        i runs from 0 to steps - 1.
    size, stride, offset : int
        Length of the axis that is stepped over, step width, position of step 0 (may be negative).

    Returns
    -------
    (first, last) : (int, int)
        Empty if last <= first.
    """
    return max(0, ceil_div(-offset, stride)), min(steps, ceil_div(size - offset, stride))


def _blocks(first: int, last: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut the rows first .. last-1 into blocks of about ``BLOCK_BYTES``."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    for start in range(first, last, step):
        yield start, min(start + step, last)


def _by_tap(weight: Array, groups: int) -> Array:
    """Return (M, C/G, R, S) weights as (R, S, G, M/G, C/G): one contiguous matrix per tap and group."""
    m, c, r, s = weight.shape
    return np.ascontiguousarray(weight.reshape(groups, m // groups, c, r, s).transpose(3, 4, 0, 1, 2))


def _product(left: Array, right: Array) -> Array:
    """Return (G, M, C) @ (G, C, rows, cols) as (G, M, rows, cols)."""
    groups, channels, rows, cols = right.shape
    flat = np.matmul(left, right.reshape(groups, channels, rows * cols))
    return np.asarray(flat.reshape(groups, -1, rows, cols))


def conv2d(op: Conv2d, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``out[n,m,p,q] = bias[m] + sum over c,r,s of weight[m,c,r,s] * in[n, c, i, j]``.

    With ``i = p * stride + r * dilation - top`` and j alike; positions outside the input are zero.

    Parameters
    ----------
    op : Conv2d
    inputs : one array of shape (N, C, H, W)
    parameters : ``weight`` (M, C/G, R, S), ``bias`` (M,) if the operator has one

    Returns
    -------
    one array of shape (N, M, P, Q)
    """
    (x,), g = inputs, op.groups
    n, c, h, w = x.shape
    ((_, m, p, q),) = op.infer((x.shape,))
    out = np.zeros((n, g, m // g, p, q), dtype=np.result_type(x, parameters["weight"]))
    x = x.reshape(n, g, c // g, h, w)
    taps = _by_tap(parameters["weight"], g)
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            up, left = r * op.dilation[0] - op.padding[0], s * op.dilation[1] - op.padding[2]
            p0, p1 = reached(p, h, op.stride[0], up)
            q0, q1 = reached(q, w, op.stride[1], left)
            if q1 <= q0:
                continue
            cols = slice(q0 * op.stride[1] + left, (q1 - 1) * op.stride[1] + left + 1, op.stride[1])
            for a, b in _blocks(p0, p1, (c + m) * (q1 - q0) * x.itemsize):
                rows = slice(a * op.stride[0] + up, (b - 1) * op.stride[0] + up + 1, op.stride[0])
                for image in range(n):
                    out[image, :, :, a:b, q0:q1] += _product(taps[r, s], x[image, :, :, rows, cols])
    return (_with_bias(out.reshape(n, m, p, q), parameters),)


def conv_transpose2d(
    op: ConvTranspose2d, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Add ``weight[m,c,r,s] * in[n,c,i,j]`` to ``out[n, m, p, q]`` for every input element and tap.

    With ``p = i * stride + r * dilation - top`` and q alike; what falls outside the output is cropped.

    Parameters
    ----------
    op : ConvTranspose2d
    inputs : one array of shape (N, C, H, W)
    parameters : ``weight`` (M, C/G, R, S), ``bias`` (M,) if the operator has one

    Returns
    -------
    one array of shape (N, M, P, Q)
    """
    (x,), g = inputs, op.groups
    n, c, h, w = x.shape
    ((_, m, p, q),) = op.infer((x.shape,))
    out = np.zeros((n, g, m // g, p, q), dtype=np.result_type(x, parameters["weight"]))
    x = x.reshape(n, g, c // g, h, w)
    taps = _by_tap(parameters["weight"], g)
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            up, left = r * op.dilation[0] - op.padding[0], s * op.dilation[1] - op.padding[2]
            i0, i1 = reached(h, p, op.stride[0], up)
            j0, j1 = reached(w, q, op.stride[1], left)
            if j1 <= j0:
                continue
            cols = slice(j0 * op.stride[1] + left, (j1 - 1) * op.stride[1] + left + 1, op.stride[1])
            for a, b in _blocks(i0, i1, (c + m) * (j1 - j0) * x.itemsize):
                rows = slice(a * op.stride[0] + up, (b - 1) * op.stride[0] + up + 1, op.stride[0])
                for image in range(n):
                    out[image, :, :, rows, cols] += _product(taps[r, s], x[image, :, :, a:b, j0:j1])
    return (_with_bias(out.reshape(n, m, p, q), parameters),)


def _with_bias(out: Array, parameters: Parameters) -> Array:
    """Add a bias of (M,) to (N, M, P, Q) in place, if there is one."""
    if "bias" in parameters:
        out += parameters["bias"][:, None, None]
    return out


def linear(op: Linear, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``in @ weight.T + bias`` on the last axis of (N, F) or (N, L, F); weight is (M, F)."""
    out = np.matmul(inputs[0], parameters["weight"].T)
    if "bias" in parameters:
        out += parameters["bias"]
    return (out,)


def matmul(op: MatMul, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the product of (..., P, C) and (..., C, M)."""
    return (np.asarray(np.matmul(inputs[0], inputs[1])),)
