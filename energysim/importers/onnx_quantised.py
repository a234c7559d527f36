"""Lowering of quantised operators: what they compute is written out between a Dequantize and a Quantize.

``QLinearConv`` is ``Quantize(Conv(Dequantize(x)))`` with dequantised weights, and so are all others; the
width of every tensor is stated, so storage and traffic are those of the integers.
"""

from __future__ import annotations

import numpy as np

from energysim.graph import (
    Add,
    BinaryElementwise,
    Dequantize,
    Elementwise,
    Multiply,
    Quantize,
)
from energysim.importers.onnx_convolutions import conv
from energysim.importers.onnx_matrices import matmul
from energysim.importers.onnx_pointwise import combine, scalar
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import ELEMENTS, Array, Constant, Element

__all__ = ["QUANTISED"]

_FLOAT, _INT32 = ELEMENTS[1], ELEMENTS[6]


def _numbers(constant: Constant, what: str) -> tuple[float, ...]:
    if len(constant.shape) > 1 or not constant.small:
        raise UnsupportedError(f"its {what} are {constant.text}, for blocks of elements")
    return tuple(float(v) for v in constant.values().reshape(-1))


def _zeros(constant: Constant | None, count: int) -> tuple[int, ...]:
    if constant is None:
        return (0,) * count
    values = tuple(int(v) for v in _numbers(constant, "zero points"))
    return values * count if len(values) == 1 else values


def _scaled(site: Site, x: Value, count: int) -> tuple[str, int | None, bool]:
    """Tensor and axis of the scales in the layer graph, and the form."""
    if count == 1:
        return x.tensor, None, x.batched
    axis = site.call.axis("axis", len(x.shape), 1)
    if x.batched and axis != 0:
        return x.tensor, axis, True
    return site.sample(x), axis + 1, False


def _quantized(
    site: Site, x: Value, scale: Constant, zero: Constant | None, element: Element, part: str
) -> Value:
    """Put a Quantize behind a value."""
    if element.dtype.kind not in "iu" or element.name.startswith("float"):
        raise UnsupportedError(f"it quantises to {element.name}")
    scales = _numbers(scale, "scales")
    tensor, axis, batched = _scaled(site, x, len(scales))
    op = Quantize(element.bits, element.dtype.kind == "i", scales, _zeros(zero, len(scales)), axis)
    made = site.one(op, tensor, part=part)
    return site.valued(made, x.shape, batched, element)


def _dequantized(site: Site, x: Value, scale: Constant | None, zero: Constant | None, part: str) -> Value:
    """Put a Dequantize behind a value; without a scale it only takes the zero point away."""
    scales = (1.0,) if scale is None else _numbers(scale, "scales")
    zeros = _zeros(zero, len(scales))
    if len(zeros) > len(scales):
        scales = scales * len(zeros)
    tensor, axis, batched = _scaled(site, x, len(scales))
    made = site.one(Dequantize(scales, zeros, axis), tensor, part=part)
    return Value(made, x.shape, _FLOAT, batched)


def quantize_linear(site: Site) -> list[Known]:
    """QuantizeLinear."""
    x, zero = site.value(0), site.inputs[2] if site.given(2) else None
    element = ELEMENTS.get(site.call.integer("output_dtype", 0)) or (zero.element if zero else ELEMENTS[2])
    scale = site.known(1)
    if isinstance(scale, Constant) and (zero is None or isinstance(zero, Constant)):
        return [_quantized(site, x, scale, zero, element, "")]
    return [_by_computed_scale(site, x, scale, zero, element)]


def _by_computed_scale(site: Site, x: Value, scale: Known, zero: Known | None, element: Element) -> Value:
    """round(x / scale) + zero, saturated, with a scale that the network computes."""
    if scale.shape not in ((), (1,)) or element.dtype.kind not in "iu":
        raise UnsupportedError("its scales are computed for each element of an axis")
    found = combine(site, BinaryElementwise("divide"), (x, scale), element=_FLOAT)
    found = Value(
        site.one(Elementwise("round"), found.tensor, part="round"), found.shape, _FLOAT, found.batched
    )
    if zero is not None:
        found = combine(site, Add(), (found, zero), ("add", "add"), _FLOAT)
    half = 1 << (element.bits - 1)
    low, high = (-half, half - 1) if element.dtype.kind == "i" else (0, 2 * half - 1)
    made = site.one(Elementwise("clip", (float(low), float(high))), found.tensor, part="saturated")
    return site.valued(made, found.shape, found.batched, element)


def dequantize_linear(site: Site) -> list[Known]:
    """DequantizeLinear."""
    x, scale, zero = site.value(0), site.known(1), site.inputs[2] if site.given(2) else None
    if isinstance(scale, Constant) and (zero is None or isinstance(zero, Constant)):
        return [_dequantized(site, x, scale, zero, "")]
    if scale.shape not in ((), (1,)):
        raise UnsupportedError("its scales are computed for each element of an axis")
    found: Value = x
    if zero is not None:
        found = combine(site, BinaryElementwise("subtract"), (x, zero), ("subtract", "subtract_from"), _FLOAT)
    return [combine(site, Multiply(), (found, scale), element=_FLOAT)]


def _weights(site: Site, number: int, scale: Constant | None, zero: Constant | None, axis: int) -> Constant:
    """Integer weights as real ones; scales along an axis if there are several."""
    weight = site.constant(number, "weights")

    def spread(constant: Constant | None, default: float) -> Array:
        if constant is None:
            return np.array(default)
        values = constant.values().astype(np.float64)
        if values.ndim == len(weight.shape) or values.size == 1:
            return values.reshape(()) if values.size == 1 else values
        return values.reshape([-1 if i == axis % len(weight.shape) else 1 for i in range(len(weight.shape))])

    def load(array: Array) -> Array:
        return ((array.astype(np.float64) - spread(zero, 0.0)) * spread(scale, 1.0)).astype(np.float32)

    return Constant(weight.shape, _FLOAT, lambda: load(weight.load()), weight.name, weight.element.bits)


def _inner(site: Site, lower: Lower, *inputs: Known | None) -> Value:
    """Lower another operator in this one's place, under its name."""
    (found,) = lower(Site(site.call, inputs, site.sheet, site.name))
    assert isinstance(found, Value)
    return found


def qlinear_conv(site: Site) -> list[Known]:
    """QLinearConv."""
    x_scale, x_zero = site.constant(1, "scales"), site.constant(2, "zero points")
    w_scale, w_zero = site.constant(4, "scales"), site.constant(5, "zero points")
    weight = _weights(site, 3, w_scale, w_zero, 0)
    bias = site.maybe(8, "biases")
    if bias is not None:
        step = scalar(x_scale) * w_scale.values().astype(np.float64).reshape(-1)
        stored = bias
        bias = Constant(bias.shape, _FLOAT, lambda: (stored.load() * step).astype(np.float32), bias.name, 32)
    x = _dequantized(site, site.value(0), x_scale, x_zero, "dequantize")
    found = _inner(site, conv, x, weight, bias)
    y_scale, y_zero = site.constant(6, "scales"), site.constant(7, "zero points")
    return [_quantized(site, found, y_scale, y_zero, y_zero.element, "quantize")]


def qlinear_matmul(site: Site) -> list[Known]:
    """QLinearMatMul."""
    left = _factor(site, 0, site.constant(1, "scales"), site.constant(2, "zero points"), -2)
    right = _factor(site, 3, site.constant(4, "scales"), site.constant(5, "zero points"), -1)
    y_scale, y_zero = site.constant(6, "scales"), site.constant(7, "zero points")
    found = _inner(site, matmul, left, right)
    return [_quantized(site, found, y_scale, y_zero, y_zero.element, "quantize")]


def _factor(site: Site, number: int, scale: Constant | None, zero: Constant | None, axis: int) -> Known:
    known = site.known(number)
    if isinstance(known, Constant):
        return _weights(site, number, scale, zero, axis)
    if any(c is not None and c.elements > 1 for c in (scale, zero)):
        raise UnsupportedError("a computed factor has several scales or zero points")
    return _dequantized(site, known, scale, zero, "dequantize")


def conv_integer(site: Site) -> list[Known]:
    """ConvInteger: the same with a scale of 1, integers out."""
    zero = site.maybe(2, "zero points")
    x = _dequantized(site, site.value(0), None, zero, "zero")
    weight = _weights(site, 1, None, site.maybe(3, "zero points"), 0)
    found = _inner(site, conv, x, weight)
    return [Value(found.tensor, found.shape, _INT32, found.batched)]


def matmul_integer(site: Site) -> list[Known]:
    """MatMulInteger."""
    left = _factor(site, 0, None, site.maybe(2, "zero points"), -2)
    right = _factor(site, 1, None, site.maybe(3, "zero points"), -1)
    found = _inner(site, matmul, left, right)
    return [Value(found.tensor, found.shape, _INT32, found.batched)]


QUANTISED: dict[tuple[str, int], Lower] = {
    ("ConvInteger", 10): conv_integer,
    ("DequantizeLinear", 10): dequantize_linear,
    ("MatMulInteger", 10): matmul_integer,
    ("QLinearConv", 10): qlinear_conv,
    ("QLinearMatMul", 10): qlinear_matmul,
    ("QuantizeLinear", 10): quantize_linear,
}
