"""Between real numbers and integers; integers are held in the array's own type."""

from __future__ import annotations

import numpy as np

from energysim.graph import Cast, Dequantize, Quantize
from energysim.inference.reference.types import Array, Parameters

__all__ = ["cast", "dequantize", "quantize"]


def _along(values: tuple[float, ...] | tuple[int, ...], x: Array, axis: int | None) -> Array:
    """Return numbers of the array's type, to be repeated over all axes but one."""
    shape = [1] * x.ndim
    if axis is not None and len(values) > 1:
        shape[axis] = -1
    return np.array(values, dtype=x.dtype).reshape(shape)


def quantize(op: Quantize, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``saturate(round(x / scale) + zero_point)``, halves to the even integer."""
    (x,) = inputs
    steps = np.rint(x / _along(op.scale, x, op.axis)) + _along(op.zero_point, x, op.axis)
    return (np.clip(steps, *op.limits).astype(x.dtype),)


def dequantize(op: Dequantize, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return ``(q - zero_point) * scale``."""
    (x,) = inputs
    return ((x - _along(op.zero_point, x, op.axis)) * _along(op.scale, x, op.axis),)


def cast(op: Cast, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the same numbers, without what stands behind the point, or whether they are not 0."""
    (x,) = inputs
    if op.to == "bool":
        return ((x != 0).astype(x.dtype),)
    return (np.trunc(x) if op.to == "integer" else x,)
