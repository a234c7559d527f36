"""Operators on constants: what each computes of arrays, and how large its result is.

Integers are divided towards zero and widths are kept, as ONNX defines it (onnx/docs/Operators.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from energysim.errors import ModelError
from energysim.graph.shapes import Shape, product
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_folded_shapes import (
    asked_shape,
    broadcast_shape,
    counted_shape,
    expanded_shape,
    gathered_shape,
    joined_shape,
    product_shape,
    reshaped,
    same_shape,
    slices,
    split_sizes,
    tiled_shape,
)
from energysim.importers.onnx_values import ELEMENTS, Array, Constant, element_of

__all__ = ["FOLDS", "Fold"]


@dataclass(frozen=True)
class Fold:
    """How one operator is computed.

    Attributes
    ----------
    compute : function
        (call, arrays) -> array or list of arrays.
    shape : function or None
        (call, shapes, constants) -> shape of the only result; None if results are no larger than the
        inputs.
    view : bool
        Whether NumPy returns a view: then shapes follow from computing with arrays of no memory.
    """

    compute: Callable[[Call, Any], Any]
    shape: Callable[[Call, list[Shape], Sequence[Constant | None]], Shape] | None = None
    view: bool = False


def _axes(call: Call, arrays: Any, number: int, since: int) -> tuple[int, ...] | None:
    """Axes given as an attribute before an operator set, as an input from then on."""
    if call.opset < since or "axes" in call.attributes:
        return call.integers("axes") if "axes" in call.attributes else None
    if len(arrays) > number and arrays[number] is not None:
        return tuple(int(v) for v in arrays[number].reshape(-1))
    return None


def _squeeze(call: Call, arrays: Any) -> Array:
    axes = _axes(call, arrays, 1, 13)
    return np.asarray(arrays[0].squeeze() if axes is None else arrays[0].squeeze(axes))


def _unsqueeze(call: Call, arrays: Any) -> Array:
    return np.expand_dims(arrays[0], _axes(call, arrays, 1, 13) or ())


def _reshape(call: Call, arrays: Any) -> Array:
    wanted = [int(v) for v in arrays[1].reshape(-1)]
    return np.asarray(
        arrays[0].reshape(reshaped(arrays[0].shape, wanted, bool(call.integer("allowzero", 0))))
    )


def _flatten(call: Call, arrays: Any) -> Array:
    shape = arrays[0].shape
    axis = (
        call.integer("axis", 1) % (len(shape) or 1) if call.integer("axis", 1) != len(shape) else len(shape)
    )
    return np.asarray(arrays[0].reshape(product(shape[:axis]), product(shape[axis:])))


def _transpose(call: Call, arrays: Any) -> Array:
    return np.asarray(arrays[0].transpose(call.integers("perm", tuple(range(arrays[0].ndim))[::-1])))


def _slice(call: Call, arrays: Any) -> Array:
    data = arrays[0]
    if call.opset < 10:
        starts, stops = call.integers("starts"), call.integers("ends")
        axes: Any = call.integers("axes", tuple(range(len(starts))))
        steps: Any = (1,) * len(starts)
    else:
        starts, stops = ([int(v) for v in a.reshape(-1)] for a in arrays[1:3])  # type: ignore[assignment]
        rest = [*arrays[3:], None, None]
        axes = range(len(starts)) if rest[0] is None else [int(v) for v in rest[0].reshape(-1)]
        steps = [1] * len(starts) if rest[1] is None else [int(v) for v in rest[1].reshape(-1)]
    return np.asarray(data[slices(data.shape, starts, stops, list(axes), list(steps))])


def _split(call: Call, arrays: Any) -> list[Array]:
    axis = call.axis("axis", arrays[0].ndim, 0)
    given = call.integers("split", ()) or None
    if len(arrays) > 1 and arrays[1] is not None:
        given = tuple(int(v) for v in arrays[1])
    sizes = split_sizes(call, arrays[0].shape[axis], given)
    if sum(sizes) != arrays[0].shape[axis] or min(sizes) < 0:
        raise ModelError(f"parts of {sizes} do not make up {arrays[0].shape[axis]}")
    return list(np.split(arrays[0], np.cumsum(sizes)[:-1], axis))


def _gather(call: Call, arrays: Any) -> Array:
    return np.asarray(np.take(arrays[0], arrays[1].astype(np.int64), call.axis("axis", arrays[0].ndim, 0)))


def _cast(call: Call, arrays: Any) -> Array:
    return np.asarray(_converted(arrays[0], ELEMENTS[call.integer("to")].dtype))


def _converted(array: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind in "iu" and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError("NaN or infinity becomes no integer")
    return array.astype(dtype)


def _constant_of_shape(call: Call, arrays: Any) -> Array:
    value = (
        call.constant("value").values().reshape(-1)[:1] if "value" in call.attributes else np.zeros(1, "f4")
    )
    return np.broadcast_to(value, tuple(int(v) for v in arrays[0].reshape(-1)))


def _range(call: Call, arrays: Any) -> Array:
    start, limit, step = (a.reshape(-1)[0] for a in arrays)
    count = max(0, math.ceil((limit.item() - start.item()) / step.item()))
    return np.asarray(start + np.arange(count).astype(arrays[0].dtype) * step, dtype=arrays[0].dtype)


def _divide(call: Call, arrays: Any) -> Array:
    """Integers are divided towards zero."""
    a, b = arrays
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not np.all(b):
        raise ModelError("a division of integers by zero")
    found = np.abs(a) // np.abs(b)
    return np.asarray(np.where((a < 0) != (b < 0), -found, found)).astype(a.dtype)


def _modulo(call: Call, arrays: Any) -> Array:
    if arrays[0].dtype.kind in "iu" and not np.all(arrays[1]):
        raise ModelError("a division of integers by zero")
    return np.asarray((np.fmod if call.integer("fmod", 0) else np.mod)(*arrays))


def _reduce(function: Callable[..., Any], since: int) -> Callable[[Call, Any], Array]:
    def compute(call: Call, arrays: Any) -> Array:
        axes = _axes(call, arrays, 1, since)
        if not axes and call.integer("noop_with_empty_axes", 0):
            return np.asarray(arrays[0])
        found = function(arrays[0], axis=axes or None, keepdims=bool(call.integer("keepdims", 1)))
        return np.asarray(found).astype(arrays[0].dtype)

    return compute


def _power(call: Call, arrays: Any) -> Array:
    return np.asarray(np.power(arrays[0].astype(np.float64), arrays[1])).astype(arrays[0].dtype)


def _clip(call: Call, arrays: Any) -> Array:
    low, high = (*arrays[1:], None, None)[:2] if call.opset >= 11 else (None, None)
    low = call.real("min") if "min" in call.attributes else low
    high = call.real("max") if "max" in call.attributes else high
    found = arrays[0] if low is None else np.maximum(arrays[0], low)
    return np.asarray(found if high is None else np.minimum(found, high)).astype(arrays[0].dtype)


def _dequantize(call: Call, arrays: Any) -> Array:
    x, scale = arrays[0], arrays[1]
    zero = arrays[2] if len(arrays) > 2 and arrays[2] is not None else np.zeros(scale.shape, x.dtype)
    dtype = scale.dtype
    scale, zero = along(call, x.shape, scale), along(call, x.shape, zero)
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    return np.asarray((x.astype(wide) - zero.astype(wide)) * scale.astype(np.float64)).astype(dtype)


def along(call: Call, shape: Shape, parameter: Array) -> Array:
    """Return scales or zero points so that they broadcast over data of a shape.

    One for all, one for each element of an axis, or with ``block_size`` one for so many of them.
    """
    axis = call.axis("axis", len(shape), 1 if len(shape) > 1 else 0) if parameter.ndim else 0
    block = call.integer("block_size", 0)
    if block > 0 and parameter.ndim == len(shape):
        rows = [slice(None)] * len(shape)
        rows[axis] = slice(0, shape[axis])
        return np.asarray(np.repeat(parameter, block, axis)[tuple(rows)])
    if parameter.size == 1:
        return parameter.reshape(())
    return parameter.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _quantize(call: Call, arrays: Any) -> Array:
    x, scale = arrays[0], along(call, arrays[0].shape, arrays[1])
    zero = (
        along(call, x.shape, arrays[2]) if len(arrays) > 2 and arrays[2] is not None else np.zeros((), "u1")
    )
    if zero.dtype.kind not in "iu":
        raise ModelError("quantisation to real numbers is not known")
    element = (
        ELEMENTS[call.integer("output_dtype", 0)]
        if call.integer("output_dtype", 0)
        else element_of(zero.dtype)
    )
    half = 1 << (element.bits - 1)
    low, high = (-half, half - 1) if element.dtype.kind == "i" else (0, 2 * half - 1)
    return np.asarray(np.clip(np.rint(x / scale) + zero, low, high)).astype(element.dtype)


def _scatter_nd(call: Call, arrays: Any) -> Array:
    data, indices, updates = arrays
    found = data.copy()
    found[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))] = updates
    return np.asarray(found)


def _binary(function: Callable[..., Any]) -> Fold:
    return Fold(lambda call, arrays: np.asarray(function(*arrays)), broadcast_shape)


def _unary(function: Callable[..., Any]) -> Fold:
    return Fold(lambda call, arrays: np.asarray(function(arrays[0])).astype(arrays[0].dtype), same_shape)


def _many(function: Callable[..., Any]) -> Fold:
    def compute(call: Call, arrays: Any) -> Array:
        total = arrays[0]
        for other in arrays[1:]:
            total = function(total, other)
        return np.asarray(total)

    return Fold(compute, broadcast_shape)


#: Operator of the standard domain -> how it is computed. New ones are added here.
FOLDS: dict[str, Fold] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": Fold(_cast, same_shape),
    "CastLike": Fold(lambda call, arrays: _converted(arrays[0], arrays[1].dtype), same_shape),
    "Ceil": _unary(np.ceil),
    "Clip": Fold(_clip, same_shape),
    "Concat": Fold(
        lambda call, arrays: np.concatenate(arrays, call.axis("axis", arrays[0].ndim, 1)), joined_shape
    ),
    "ConstantOfShape": Fold(_constant_of_shape, asked_shape),
    "Cos": _unary(np.cos),
    "DequantizeLinear": Fold(_dequantize, same_shape),
    "Div": Fold(_divide, broadcast_shape),
    "Equal": _binary(np.equal),
    "Exp": _unary(np.exp),
    "Expand": Fold(
        lambda call, arrays: np.broadcast_to(
            arrays[0], np.broadcast_shapes(arrays[0].shape, tuple(int(v) for v in arrays[1].reshape(-1)))
        ),
        expanded_shape,
    ),
    "Flatten": Fold(_flatten, view=True),
    "Floor": _unary(np.floor),
    "Gather": Fold(_gather, gathered_shape),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "Identity": Fold(lambda call, arrays: arrays[0], view=True),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "Log": _unary(np.log),
    "MatMul": Fold(lambda call, arrays: np.matmul(*arrays), product_shape),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Mod": Fold(_modulo, broadcast_shape),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "NonZero": Fold(lambda call, arrays: np.array(np.nonzero(arrays[0]), dtype=np.int64)),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "Pow": Fold(_power, broadcast_shape),
    "QuantizeLinear": Fold(_quantize, same_shape),
    "Range": Fold(_range, counted_shape),
    "Reciprocal": _unary(np.reciprocal),
    "ReduceMax": Fold(_reduce(np.max, 18)),
    "ReduceMean": Fold(_reduce(np.mean, 18)),
    "ReduceMin": Fold(_reduce(np.min, 18)),
    "ReduceProd": Fold(_reduce(np.prod, 18)),
    "ReduceSum": Fold(_reduce(np.sum, 13)),
    "Reshape": Fold(_reshape, view=True),
    "ScatterND": Fold(_scatter_nd, same_shape),
    "Sign": _unary(np.sign),
    "Sin": _unary(np.sin),
    "Slice": Fold(_slice, view=True),
    "Split": Fold(_split, view=True),
    "Sqrt": _unary(np.sqrt),
    "Squeeze": Fold(_squeeze, view=True),
    "Sub": _binary(np.subtract),
    "Tile": Fold(lambda call, arrays: np.tile(arrays[0], [int(v) for v in arrays[1]]), tiled_shape),
    "Transpose": Fold(_transpose, view=True),
    "Unsqueeze": Fold(_unsqueeze, view=True),
    "Where": _binary(np.where),
    "Xor": _binary(np.logical_xor),
}
