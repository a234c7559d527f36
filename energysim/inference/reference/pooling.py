"""Pooling, written straight from its definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.graph import AdaptivePool2d, Pool2d
from energysim.inference.reference.convolution import reached
from energysim.inference.reference.types import Array, Parameters
from energysim.units import ceil_div

__all__ = ["adaptive_pool2d", "lowest", "pool2d"]


def lowest(dtype: np.dtype[Any]) -> Any:
    """Return what a maximum starts from: minus infinity, or the smallest integer."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def pool2d(op: Pool2d, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the maximum or the average of each window of (N, C, H, W).

    Padding never wins a maximum and adds nothing to a sum. An average divides by the window's
    positions inside the input, or with ``count_include_pad`` inside input and padding (PyTorch's
    rule: what hangs over the padding in ``ceil_mode`` never counts). A dilated window that meets
    nothing but padding gives minus infinity, or an average of 0.
    """
    (x,) = inputs
    n, c, h, w = x.shape
    ((_, _, p, q),) = op.infer((x.shape,))
    maximum = op.mode == "max"
    out = np.full((n, c, p, q), lowest(x.dtype) if maximum else 0, dtype=x.dtype)
    counts = np.zeros((p, q), dtype=np.int64)
    top, bottom, left, right = op.padding if op.count_include_pad else (0, 0, 0, 0)
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            up, side = r * op.dilation[0] - op.padding[0], s * op.dilation[1] - op.padding[2]
            p0, p1 = reached(p, h, op.stride[0], up)
            q0, q1 = reached(q, w, op.stride[1], side)
            if p0 < p1 and q0 < q1:
                part = x[
                    :, :, up + p0 * op.stride[0] :: op.stride[0], side + q0 * op.stride[1] :: op.stride[1]
                ]
                part = part[:, :, : p1 - p0, : q1 - q0]
                target = out[:, :, p0:p1, q0:q1]
                (np.maximum if maximum else np.add)(target, part, out=target)
            a0, a1 = reached(p, h + top + bottom, op.stride[0], up + top)
            b0, b1 = reached(q, w + left + right, op.stride[1], side + left)
            counts[a0:a1, b0:b1] += 1
    if not maximum:
        out /= np.maximum(counts, 1).astype(x.dtype)
    return (out,)


def adaptive_pool2d(
    op: AdaptivePool2d, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Return the maximum or average of rows floor(i*H/n) to ceil((i+1)*H/n), and columns alike."""
    (x,) = inputs
    (_, _, h, w), (rows, cols) = x.shape, op.output
    out = np.empty((*x.shape[:2], rows, cols), dtype=x.dtype)
    for i in range(rows):
        for j in range(cols):
            part = x[
                :,
                :,
                i * h // rows : ceil_div((i + 1) * h, rows),
                j * w // cols : ceil_div((j + 1) * w, cols),
            ]
            out[:, :, i, j] = part.max(axis=(2, 3)) if op.mode == "max" else part.mean(axis=(2, 3))
    return (out,)
