"""Linear solves on periodic maps, by Fourier transforms in double precision."""

from __future__ import annotations

import numpy as np

from energysim.graph import CircularSolve
from energysim.inference.reference.types import Array, Parameters

__all__ = ["circular_solve"]


def circular_solve(op: CircularSolve, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``(I + h L^T L)^-1 x``: see :class:`CircularSolve`."""
    (x,) = inputs
    weight = parameters["weight"].astype(np.float64)
    height, width = x.shape[2:]
    stencil = np.zeros((x.shape[1], height, width))
    for r in range(op.window[0]):
        for s in range(op.window[1]):
            # The place that tap (r, s) reads for pixel 0; on a small map several taps meet in one.
            stencil[:, (r - op.window[0] // 2) % height, (s - op.window[1] // 2) % width] += weight[
                :, 0, r, s
            ]
    divisor = 1 + op.step * np.abs(np.fft.rfft2(stencil)) ** 2
    solved = np.fft.irfft2(np.fft.rfft2(x.astype(np.float64)) / divisor, s=(height, width))
    return (solved.astype(x.dtype),)
