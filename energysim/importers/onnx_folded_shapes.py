"""Shapes of constants before they are computed: so that nothing is made that is too large.

Each function takes a call, the shapes of its inputs and the constants themselves, and returns the shape
of its result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from energysim.errors import ModelError
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_values import Constant

__all__ = [
    "asked_shape",
    "broadcast_shape",
    "counted_shape",
    "expanded_shape",
    "gathered_shape",
    "joined_shape",
    "product_shape",
    "reshaped",
    "same_shape",
    "slices",
    "split_sizes",
    "tiled_shape",
]


def reshaped(shape: Shape, wanted: Sequence[int], keep_zero: bool = False) -> Shape:
    """Return the shape that ONNX's Reshape makes: 0 means "as it is", -1 "what is left".

    Raises
    ------
    ModelError
        If the lengths do not fit.
    """
    lengths = [shape[i] if w == 0 and not keep_zero and i < len(shape) else w for i, w in enumerate(wanted)]
    known = product([s for s in lengths if s != -1])
    bad = min(lengths, default=0) < -1 or lengths.count(-1) > 1
    if not bad and -1 in lengths and known > 0 and product(shape) % known == 0:
        lengths = [product(shape) // known if s == -1 else s for s in lengths]
    if bad or product(lengths) != product(shape) or -1 in lengths:
        raise ModelError(f"{text(shape) or 'one number'} cannot be reshaped to {tuple(wanted)}")
    return tuple(lengths)


def slices(
    shape: Shape, starts: Sequence[int], stops: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> tuple[slice, ...]:
    """Return ONNX's Slice as Python's: a stop before the first element means "to the end" backwards."""
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise ModelError("starts, ends, axes and steps of a slice do not fit each other")
    found = [slice(None)] * len(shape)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if not -len(shape) <= axis < len(shape):
            raise ModelError(f"a slice along axis {axis} of {text(shape)}")
        size = shape[axis]
        end: int | None = stop
        if step < 0 and stop < -size:
            end = None
        found[axis] = slice(start, end, step)
    return tuple(found)


def split_sizes(call: Call, size: int, given: Sequence[int] | None) -> list[int]:
    """Return the lengths of the parts that Split makes of an axis."""
    if given is not None:
        return list(given)
    count = call.integer("num_outputs", len(call.outputs))
    if count < 1:
        raise ModelError("a split into no part")
    each = -(-size // count)
    return [max(0, min(each, size - each * i)) for i in range(count)]


def broadcast_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return np.broadcast_shapes(*shapes)


def same_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return shapes[0]


def _positive(values: Sequence[int]) -> Shape:
    if min(values, default=0) < 0:
        raise ModelError(f"{tuple(values)} is no shape")
    return tuple(values)


def asked_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return _positive(_values(constants, 0))


def expanded_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return np.broadcast_shapes(shapes[0], _positive(_values(constants, 1)))


def tiled_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    repeats = _positive(_values(constants, 1))
    if len(repeats) != len(shapes[0]):
        raise ModelError(f"{len(repeats)} repeats for {len(shapes[0])} axes")
    return tuple(s * r for s, r in zip(shapes[0], repeats, strict=True))


def gathered_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    axis = call.axis("axis", len(shapes[0]), 0)
    return (*shapes[0][:axis], *shapes[1], *shapes[0][axis + 1 :])


def joined_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    axis = call.axis("axis", len(shapes[0]), 1)
    return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])


def counted_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    start, limit, step = (_number(c) for c in constants)
    if step == 0 or not all(map(math.isfinite, (start, limit, step))):
        raise ModelError(f"a range from {start} to {limit} by {step}")
    return (max(0, math.ceil((limit - start) / step)),)


def product_shape(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    a, b = shapes
    if not a or not b:
        raise ModelError("a product of matrices takes no numbers")
    left, right = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if left[-1] != right[-2]:
        raise ModelError(f"{text(a)} and {text(b)} cannot be multiplied")
    body = np.broadcast_shapes(left[:-2], right[:-2])
    return (*body, *(left[-2:-1] if len(a) > 1 else ()), *(right[-1:] if len(b) > 1 else ()))


def _values(constants: Sequence[Constant | None], number: int) -> tuple[int, ...]:
    constant = constants[number]
    if constant is None:
        raise ModelError(f"input {number} is missing")
    return constant.integers(f"input {number}")


def _number(constant: Constant | None) -> Any:
    if constant is None or constant.elements != 1:
        raise ModelError("one number is needed")
    return constant.values().reshape(-1)[0].item()
