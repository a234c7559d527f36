"""Sums, extremes and norms over axes; places of extremes; running sums; the largest elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from energysim.graph import ArgReduce, CumulativeSum, Reduce, TopK
from energysim.inference.reference.types import Array, Parameters

__all__ = ["FUNCTIONS", "arg_reduce", "cumulative_sum", "reduce", "top_k"]


def _log_sum_exp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """The logarithm of the sum of exponentials, the maximum taken out so that nothing overflows."""
    largest = x.max(axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0)
    found = np.log(np.exp(x - largest).sum(axis=axis, keepdims=True)) + largest
    return np.asarray(found if keepdims else found.squeeze(axis))


#: Name -> function (array, axis=..., keepdims=...).
FUNCTIONS: dict[str, Callable[..., Array]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "l1": lambda x, axis, keepdims: np.abs(x).sum(axis=axis, keepdims=keepdims),
    "l2": lambda x, axis, keepdims: np.sqrt(np.square(x).sum(axis=axis, keepdims=keepdims)),
    "sum_square": lambda x, axis, keepdims: np.square(x).sum(axis=axis, keepdims=keepdims),
    "log_sum": lambda x, axis, keepdims: np.log(x.sum(axis=axis, keepdims=keepdims)),
    "log_sum_exp": _log_sum_exp,
}


def reduce(op: Reduce, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Reduce some axes."""
    (x,) = inputs
    with np.errstate(all="ignore"):
        found = FUNCTIONS[op.function](x, axis=op.places(x.ndim), keepdims=op.keepdims)
    return (np.asarray(found).astype(x.dtype, copy=False),)


def arg_reduce(op: ArgReduce, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the place of the extreme of an axis, in the array's own type."""
    (x,) = inputs
    search = np.argmax if op.function == "max" else np.argmin
    if op.last:
        found = x.shape[op.axis] - 1 - search(np.flip(x, op.axis), axis=op.axis)
    else:
        found = search(x, axis=op.axis)
    found = np.asarray(found).astype(x.dtype)
    return (np.expand_dims(found, op.axis) if op.keepdims else found,)


def cumulative_sum(op: CumulativeSum, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return running sums: ``out[i]`` sums up to element i, or up to the one before it."""
    x = np.flip(inputs[0], op.axis) if op.reverse else inputs[0]
    found = np.cumsum(x, axis=op.axis, dtype=x.dtype)
    if op.exclusive:
        found = np.roll(found, 1, axis=op.axis)
        first = [slice(None)] * x.ndim
        first[op.axis] = slice(0, 1)
        found[tuple(first)] = 0
    return (np.flip(found, op.axis) if op.reverse else found,)


def top_k(op: TopK, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the largest (smallest) elements of an axis in order, and their places."""
    (x,) = inputs
    order = np.argsort(-x if op.largest else x, axis=op.axis, kind="stable")
    places = order.take(range(op.count), axis=op.axis)
    return np.take_along_axis(x, places, op.axis), places.astype(x.dtype)
