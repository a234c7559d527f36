"""The windows along one image axis: which input positions an output position needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from energysim.kernels import IntArray

__all__ = ["Axis", "touched", "window_pairs"]


@dataclass(frozen=True)
class Axis:
    """The windows along one image axis.

    Output o touches input ``o*stride + k*dilation - before`` for each tap k of a convolution; of a
    transposed one, every input i with ``o = i*stride + k*dilation - before`` for some tap k.
    Positions outside ``0 .. inputs-1`` are padding.
    """

    outputs: int
    inputs: int
    window: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    transposed: bool = False

    @property
    def positions(self) -> int:
        """Window positions that multiply: outputs, or inputs of a transposed convolution."""
        return self.inputs if self.transposed else self.outputs


@lru_cache(maxsize=4096)
def window_pairs(axis: Axis, with_padding: bool = False) -> tuple[IntArray, IntArray]:
    """Return all (output, input) positions that meet in a window.

    Parameters
    ----------
    axis : Axis
    with_padding : bool
        Whether positions in the padding count as inputs (a transposed axis has none); all
        inputs are then shifted by ``before``, so that none is negative.

    Returns
    -------
    outputs, inputs : int64 arrays
        One entry per pair.
    """
    steps = np.arange(axis.positions, dtype=np.int64).repeat(axis.window)
    taps = np.tile(np.arange(axis.window, dtype=np.int64) * axis.dilation, axis.positions)
    far = steps * axis.stride + taps
    if with_padding and not axis.transposed:
        return steps, far
    near, size = far - axis.before, axis.outputs if axis.transposed else axis.inputs
    inside = (near >= 0) & (near < size)
    pair = steps[inside], near[inside]
    return pair[::-1] if axis.transposed else pair


@lru_cache(maxsize=4096)
def touched(axis: Axis) -> int:
    """Return how many input positions some window touches, padding not counted."""
    return len(np.unique(window_pairs(axis)[1]))
