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

#: Rows and columns of a part of an image.
Area = tuple[slice, slice]
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


def _touching(
    op: Conv2d | ConvTranspose2d, steps: tuple[int, int], size: tuple[int, int], column_bytes: int
) -> Iterator[tuple[tuple[int, int], Area, Area]]:
    """Yield (tap, steps, positions): in this tap the window at these steps lies on these positions.

    Parameters
    ----------
    op : Conv2d or ConvTranspose2d
    steps : (int, int)
        Rows and columns of the image whose elements a window belongs to: the output of a
        convolution, the input of a transposed one.
    size : (int, int)
        Rows and columns of the image that windows lie on: the other one. What is beyond it is padding.
    column_bytes : int
        What a position takes up in the operands of a product; rows are taken in blocks.
    """
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            up, left = r * op.dilation[0] - op.padding[0], s * op.dilation[1] - op.padding[2]
            p0, p1 = reached(steps[0], size[0], op.stride[0], up)
            q0, q1 = reached(steps[1], size[1], op.stride[1], left)
            if q1 <= q0:
                continue
            cols = slice(q0 * op.stride[1] + left, (q1 - 1) * op.stride[1] + left + 1, op.stride[1])
            for a, b in _blocks(p0, p1, (q1 - q0) * column_bytes):
                rows = slice(a * op.stride[0] + up, (b - 1) * op.stride[0] + up + 1, op.stride[0])
                yield (r, s), (slice(a, b), slice(q0, q1)), (rows, cols)


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
    x, out, taps = _grouped(op, inputs[0], parameters["weight"])
    column = (x.shape[1] * x.shape[2] + out.shape[1] * out.shape[2]) * x.itemsize
    for (r, s), (rows, cols), (below, across) in _touching(op, out.shape[3:], x.shape[3:], column):
        for image in range(len(x)):
            out[image, :, :, rows, cols] += _product(taps[r, s], x[image, :, :, below, across])
    return (_with_bias(out, parameters),)


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
    x, out, taps = _grouped(op, inputs[0], parameters["weight"])
    column = (x.shape[1] * x.shape[2] + out.shape[1] * out.shape[2]) * x.itemsize
    for (r, s), (rows, cols), (below, across) in _touching(op, x.shape[3:], out.shape[3:], column):
        for image in range(len(x)):
            out[image, :, :, below, across] += _product(taps[r, s], x[image, :, :, rows, cols])
    return (_with_bias(out, parameters),)


def _grouped(op: Conv2d | ConvTranspose2d, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Return input (N, G, C/G, H, W), an output of zeros (N, G, M/G, P, Q), and the weights by tap."""
    g, (n, c, h, w) = op.groups, x.shape
    ((_, m, p, q),) = op.infer((x.shape,))
    out = np.zeros((n, g, m // g, p, q), dtype=np.result_type(x, weight))
    return x.reshape(n, g, c // g, h, w), out, _by_tap(weight, g)


def _with_bias(out: Array, parameters: Parameters) -> Array:
    """Return (N, G, M/G, P, Q) as (N, M, P, Q), a bias of (M,) added in place if there is one."""
    out = out.reshape(len(out), -1, *out.shape[3:])
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
