"""Rounding to block floating point, by exponents; exact in floating point."""

from __future__ import annotations

import numpy as np

from energysim.graph import BlockFloat
from energysim.inference.reference.types import Array, Parameters

__all__ = ["block_float"]


def block_float(op: BlockFloat, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Round each value to the step of its block."""
    (x,) = inputs
    channels, half = x.shape[1], 1 << (op.exponent - 1)
    starts = np.arange(0, channels, op.block)
    peak = np.maximum.reduceat(np.abs(x), starts, axis=1)
    shared = np.clip(np.frexp(peak)[1] - 1, -half, half - 1)
    step = np.repeat(shared, np.diff([*starts, channels]), axis=1) - op.mantissa + 2
    most = 1 << (op.mantissa - 1)
    found = np.clip(np.rint(np.ldexp(x, -step)), -most, most - 1)
    return (np.ldexp(found, step).astype(x.dtype),)
