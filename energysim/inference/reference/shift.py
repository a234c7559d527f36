"""Shifts by a tap for each channel; they work on arrays of any type."""

from __future__ import annotations

import numpy as np

from energysim.graph import TapShift
from energysim.inference.reference.convolution import reached
from energysim.inference.reference.types import Array, Parameters

__all__ = ["tap_shift"]


def tap_shift(op: TapShift, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Move each set of channels with the same tap, and put zeros where nothing is moved in."""
    (x,) = inputs
    (shape,) = op.infer((x.shape,))
    out = np.zeros(shape, dtype=x.dtype)
    taps = np.array(op.taps)
    for tap in np.unique(taps):
        channels = np.flatnonzero(taps == tap)
        down, right = op.offset(int(channels[0]))
        y0, y1 = reached(shape[2], x.shape[2], 1, down)
        x0, x1 = reached(shape[3], x.shape[3], 1, right)
        if y0 < y1 and x0 < x1:
            out[:, channels, y0:y1, x0:x1] = x[:, channels, y0 + down : y1 + down, x0 + right : x1 + right]
    return (out,)
