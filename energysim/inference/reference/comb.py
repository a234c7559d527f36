"""Comb convolution, straight from its definition: products at some positions, copies at the others."""

from __future__ import annotations

import numpy as np

from energysim.graph import CombConv2d
from energysim.inference.reference.types import Array, Parameters

__all__ = ["comb_conv2d"]


def comb_conv2d(op: CombConv2d, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Gather the inputs of the positions that are computed tap by tap and multiply; copy the others."""
    (x,) = inputs
    conv, weight = op.convolution, parameters["weight"]
    ((n, m, rows, cols),) = op.infer((x.shape,))
    (top, bottom, left, right), (down, across) = conv.padding, conv.dilation
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    i, j = np.indices((rows, cols))
    copied = (j + op.phase + (i if op.pattern == "checker" else 0)) % 2 == 1
    out = np.zeros((n, m, rows, cols), dtype=np.result_type(x, weight))

    def read(where: Array, r: int, s: int) -> Array:
        """The inputs (N, C, positions) under one tap."""
        found: Array = padded[
            :, :, i[where] * conv.stride[0] + r * down, j[where] * conv.stride[1] + s * across
        ]
        return found

    groups = weight.reshape(conv.groups, m // conv.groups, *weight.shape[1:])
    total = np.zeros((n, conv.groups, m // conv.groups, np.count_nonzero(~copied)), dtype=out.dtype)
    for r, s in np.ndindex(*conv.window):
        columns = read(~copied, r, s).reshape(n, conv.groups, weight.shape[1], -1)
        total += np.matmul(groups[..., r, s], columns)
    made = total.reshape(n, m, -1)
    if "bias" in parameters:
        made = made + parameters["bias"][:, None]
    out[:, :, ~copied] = made
    middle = read(copied, conv.window[0] // 2, conv.window[1] // 2)
    out[:, :, copied] = middle[:, np.arange(m) % x.shape[1]]
    return (out,)
