"""Constant arithmetic: what follows from the file alone, above all the arithmetic of shapes.

Each operator is a function of arrays and, where its result may be larger than its inputs, a function of
shapes that is asked first. Small results are computed at once; large ones, made of weights, when the
weights are asked for; none is ever larger than :data:`MOST_ELEMENTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from energysim.errors import ModelError
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_values import (
    ELEMENTS,
    MOST_ELEMENTS,
    SMALL,
    Array,
    Constant,
    Element,
    element_of,
)

__all__ = ["FOLDS", "MISFITS", "along", "fold", "quantised_type", "reshaped", "slices", "split_sizes"]

#: What NumPy and Python raise for arrays that an operator cannot take.
MISFITS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError)


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


def fold(call: Call, inputs: Sequence[Constant | None]) -> list[Constant] | None:
    """Return the results of a call on constants, or None if this is not computed here.

    Raises
    ------
    ModelError
        If the inputs do not fit the operator, or a result would be too large; without the node's name.
    """
    found = FOLDS.get(call.operator) if call.domain == "" else None
    if found is None:
        return None
    small = all(c is None or c.small for c in inputs)
    with np.errstate(all="ignore"):
        try:
            return _folded(call, found, inputs, small)
        except MISFITS as error:
            raise ModelError(f"constants do not fit: {' '.join(str(error).split())}") from None
        except MemoryError:
            raise ModelError("a constant needs more memory than there is") from None


def _folded(call: Call, found: Fold, inputs: Sequence[Constant | None], small: bool) -> list[Constant] | None:
    shapes: list[Shape] | None = None
    if found.shape is not None:
        shapes = [found.shape(call, [c.shape if c is not None else () for c in inputs], inputs)]
    elif found.view:
        dummies = [_dummy(c, number == 0) for number, c in enumerate(inputs)]
        shapes = [a.shape for a in _listed(found.compute(call, dummies))]
    for shape in shapes or []:
        if product(shape) > MOST_ELEMENTS:
            raise ModelError(f"a constant of {text(shape)} is too large (at most {MOST_ELEMENTS} elements)")
    origin = [c for c in inputs if c is not None]
    first = max(origin, key=lambda c: c.elements, default=None)
    name = "" if first is None else first.name
    if call.operator == "ConstantOfShape":
        name = call.outputs[0]
    bits = None if first is None else first.bits
    if call.operator == "DequantizeLinear":
        bits = origin[0].element.bits if bits is None else bits
    if small and (shapes is None or all(product(s) <= SMALL for s in shapes)):
        arrays = _listed(found.compute(call, [None if c is None else c.values() for c in inputs]))
        return [replace(Constant.of(a, _element(call, origin, a.dtype), name), bits=bits) for a in arrays]
    if shapes is None:
        return None
    element = _later_element(call, origin)
    return [
        Constant(shape, element, _later(call, found, inputs, number), name, bits)
        for number, shape in enumerate(shapes)
    ]


def _later(call: Call, found: Fold, inputs: Sequence[Constant | None], number: int) -> Callable[[], Array]:
    def load() -> Array:
        with np.errstate(all="ignore"):
            return _listed(found.compute(call, [None if c is None else c.load() for c in inputs]))[number]

    return load


def _later_element(call: Call, inputs: list[Constant]) -> Element:
    """The type of a large result, from the types of the inputs."""
    if call.operator in ("Cast", "ConstantOfShape", "QuantizeLinear"):
        return _element(call, inputs, np.dtype(np.float32))
    if call.operator in ("CastLike", "DequantizeLinear", "Where"):
        return inputs[1].element
    if call.operator in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        return ELEMENTS[9]
    return inputs[0].element


def _listed(found: Any) -> list[Array]:
    return [np.asarray(a) for a in found] if isinstance(found, list) else [np.asarray(found)]


def _dummy(constant: Constant | None, first: bool) -> Array | None:
    """An array of no memory in the place of the data; the other inputs (axes, sizes) as they are."""
    if constant is None:
        return None
    if first:
        return np.broadcast_to(np.zeros((), constant.element.dtype), constant.shape)
    if not constant.small:
        raise ModelError(f"axes or sizes of {constant.text} are too many")
    return constant.values()


def _element(call: Call, inputs: list[Constant], dtype: np.dtype[Any]) -> Element:
    """The type of a result: narrow types that are computed with in wider ones keep their name."""
    if call.operator == "Cast":
        return ELEMENTS[call.integer("to")]
    if call.operator == "ConstantOfShape":
        return call.constant("value").element if "value" in call.attributes else ELEMENTS[1]
    if call.operator == "QuantizeLinear":
        return quantised_type(call, inputs[2] if len(inputs) > 2 else None)
    if call.operator == "CastLike":
        return inputs[1].element
    for constant in inputs:
        if constant.element.dtype == dtype:
            return constant.element
    return element_of(dtype)


def quantised_type(call: Call, zero_point: Constant | None) -> Element:
    """Return the type that QuantizeLinear makes: the zero point's, or the one it names, or uint8."""
    if zero_point is not None:
        return zero_point.element
    return ELEMENTS[call.integer("output_dtype", 0) or 2]


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


# ---------------------------------------------------------------- shapes of results


def _broadcast(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return np.broadcast_shapes(*shapes)


def _same(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return shapes[0]


def _positive(values: Sequence[int]) -> Shape:
    if min(values, default=0) < 0:
        raise ModelError(f"{tuple(values)} is no shape")
    return tuple(values)


def _asked(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return _positive(_values(constants, 0))


def _expanded(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    return np.broadcast_shapes(shapes[0], _positive(_values(constants, 1)))


def _tiled(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    repeats = _positive(_values(constants, 1))
    if len(repeats) != len(shapes[0]):
        raise ModelError(f"{len(repeats)} repeats for {len(shapes[0])} axes")
    return tuple(s * r for s, r in zip(shapes[0], repeats, strict=True))


def _gathered(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    axis = call.axis("axis", len(shapes[0]), 0)
    return (*shapes[0][:axis], *shapes[1], *shapes[0][axis + 1 :])


def _joined(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    axis = call.axis("axis", len(shapes[0]), 1)
    return (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])


def _counted(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
    start, limit, step = (_number(c) for c in constants)
    if step == 0 or not all(map(math.isfinite, (start, limit, step))):
        raise ModelError(f"a range from {start} to {limit} by {step}")
    return (max(0, math.ceil((limit - start) / step)),)


def _product(call: Call, shapes: list[Shape], constants: Sequence[Constant | None]) -> Shape:
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


# ---------------------------------------------------------------- functions of arrays


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


def split_sizes(call: Call, size: int, given: Sequence[int] | None) -> list[int]:
    """Return the lengths of the parts that Split makes of an axis."""
    if given is not None:
        return list(given)
    count = call.integer("num_outputs", len(call.outputs))
    if count < 1:
        raise ModelError("a split into no part")
    each = -(-size // count)
    return [max(0, min(each, size - each * i)) for i in range(count)]


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
    return Fold(lambda call, arrays: np.asarray(function(*arrays)), _broadcast)


def _unary(function: Callable[..., Any]) -> Fold:
    return Fold(lambda call, arrays: np.asarray(function(arrays[0])).astype(arrays[0].dtype), _same)


def _many(function: Callable[..., Any]) -> Fold:
    def compute(call: Call, arrays: Any) -> Array:
        total = arrays[0]
        for other in arrays[1:]:
            total = function(total, other)
        return np.asarray(total)

    return Fold(compute, _broadcast)


#: Operator of the standard domain -> how it is computed. New ones are added here.
FOLDS: dict[str, Fold] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": Fold(_cast, _same),
    "CastLike": Fold(lambda call, arrays: _converted(arrays[0], arrays[1].dtype), _same),
    "Ceil": _unary(np.ceil),
    "Clip": Fold(_clip, _same),
    "Concat": Fold(
        lambda call, arrays: np.concatenate(arrays, call.axis("axis", arrays[0].ndim, 1)), _joined
    ),
    "ConstantOfShape": Fold(_constant_of_shape, _asked),
    "Cos": _unary(np.cos),
    "DequantizeLinear": Fold(_dequantize, _same),
    "Div": Fold(_divide, _broadcast),
    "Equal": _binary(np.equal),
    "Exp": _unary(np.exp),
    "Expand": Fold(
        lambda call, arrays: np.broadcast_to(
            arrays[0], np.broadcast_shapes(arrays[0].shape, tuple(int(v) for v in arrays[1].reshape(-1)))
        ),
        _expanded,
    ),
    "Flatten": Fold(_flatten, view=True),
    "Floor": _unary(np.floor),
    "Gather": Fold(_gather, _gathered),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "Identity": Fold(lambda call, arrays: arrays[0], view=True),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "Log": _unary(np.log),
    "MatMul": Fold(lambda call, arrays: np.matmul(*arrays), _product),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Mod": Fold(_modulo, _broadcast),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "NonZero": Fold(lambda call, arrays: np.array(np.nonzero(arrays[0]), dtype=np.int64)),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "Pow": Fold(_power, _broadcast),
    "QuantizeLinear": Fold(_quantize, _same),
    "Range": Fold(_range, _counted),
    "Reciprocal": _unary(np.reciprocal),
    "ReduceMax": Fold(_reduce(np.max, 18)),
    "ReduceMean": Fold(_reduce(np.mean, 18)),
    "ReduceMin": Fold(_reduce(np.min, 18)),
    "ReduceProd": Fold(_reduce(np.prod, 18)),
    "ReduceSum": Fold(_reduce(np.sum, 13)),
    "Reshape": Fold(_reshape, view=True),
    "ScatterND": Fold(_scatter_nd, _same),
    "Sign": _unary(np.sign),
    "Sin": _unary(np.sin),
    "Slice": Fold(_slice, view=True),
    "Split": Fold(_split, view=True),
    "Sqrt": _unary(np.sqrt),
    "Squeeze": Fold(_squeeze, view=True),
    "Sub": _binary(np.subtract),
    "Tile": Fold(lambda call, arrays: np.tile(arrays[0], [int(v) for v in arrays[1]]), _tiled),
    "Transpose": Fold(_transpose, view=True),
    "Unsqueeze": Fold(_unsqueeze, view=True),
    "Where": _binary(np.where),
    "Xor": _binary(np.logical_xor),
}
