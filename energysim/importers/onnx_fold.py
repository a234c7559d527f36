"""Constant arithmetic: what follows from the file alone, above all the arithmetic of shapes.

Each operator is a function of arrays and, where its result may be larger than its inputs, a function of
shapes that is asked first. Small results are computed at once; large ones, made of weights, when the
weights are asked for; none is ever larger than :data:`MOST_ELEMENTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from energysim.errors import ModelError
from energysim.graph.shapes import Shape, product, text
from energysim.importers.onnx_arithmetic import FOLDS, Fold
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

__all__ = ["MISFITS", "fold"]

#: What NumPy and Python raise for arrays that an operator cannot take.
MISFITS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError)


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
