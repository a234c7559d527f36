"""Lowering of element-wise functions, sums, products, comparisons and choices."""

from __future__ import annotations

import math

import numpy as np

from energysim.errors import GraphError
from energysim.graph import (
    Activation,
    Add,
    BinaryElementwise,
    Cast,
    Elementwise,
    LearnedAdd,
    Multiply,
    Operator,
    Where,
)
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import ELEMENTS, Constant, Element

__all__ = ["FREE_OPERATORS", "POINTWISE", "apply", "combine"]

_BOOL, _FLOAT = ELEMENTS[9], ELEMENTS[1]


def apply(site: Site, op: Operator, element: Element | None = None, number: int = 0) -> list[Known]:
    """Apply an operator that keeps its input's shape."""
    x = site.value(number)
    made = site.one(op, x.tensor)
    return [site.valued(made, x.shape, x.batched, element or x.element)]


def _unary(function: str, *arguments: float) -> Lower:
    return lambda site: apply(site, Elementwise(function, arguments))


def _activation(function: str) -> Lower:
    return lambda site: apply(site, Activation(function))


def _test(function: str) -> Lower:
    return lambda site: apply(site, Elementwise(function), _BOOL)


def _with(function: str, *parameters: tuple[str, float]) -> Lower:
    """A function whose constants are attributes, with their defaults."""

    def lower(site: Site) -> list[Known]:
        values = tuple(site.call.real(name, default) for name, default in parameters)
        return apply(site, Elementwise(function, values))

    return lower


def leaky_relu(site: Site) -> list[Known]:
    """LeakyRelu."""
    slope = site.call.real("alpha", 0.01)
    usual = np.float32(slope) == np.float32(0.01)
    return apply(site, Activation("leaky_relu") if usual else Elementwise("leaky_relu", (slope,)))


def hard_sigmoid(site: Site) -> list[Known]:
    """HardSigmoid: max(0, min(1, alpha x + beta)); with 1/6 and 1/2 it is relu6(x + 3) / 6."""
    alpha, beta = site.call.real("alpha", 0.2), site.call.real("beta", 0.5)
    usual = np.float32(alpha) == np.float32(1 / 6) and beta == 0.5
    return apply(site, Activation("hardsigmoid") if usual else Elementwise("hard_sigmoid", (alpha, beta)))


def gelu(site: Site) -> list[Known]:
    """Gelu, exact or with the hyperbolic tangent."""
    form = site.call.string("approximate", "none")
    if form not in ("none", "tanh"):
        raise GraphError(f"approximate is none or tanh, not {form!r}")
    return apply(site, Activation("gelu") if form == "none" else Elementwise("gelu_tanh"))


def swish(site: Site) -> list[Known]:
    """Swish: x sigmoid(alpha x); with alpha = 1 it is SiLU."""
    alpha = site.call.real("alpha", 1.0)
    return apply(site, Activation("silu") if alpha == 1 else Elementwise("swish", (alpha,)))


def _limit(site: Site, number: int, attribute: str, default: float) -> float:
    if site.call.opset < 11:
        return site.call.real(attribute, default)
    constant = site.maybe(number, "limits")
    return default if constant is None else scalar(constant)


def scalar(constant: Constant) -> float:
    """Return the only element of a constant."""
    if constant.elements != 1:
        raise GraphError(f"one number is needed, not {constant.text}")
    return float(constant.values().reshape(-1)[0])


def clip(site: Site) -> list[Known]:
    """Clip: 0 to 6 is ReLU6, from 0 on is ReLU."""
    low = _limit(site, 1, "min", -math.inf)
    high = _limit(site, 2, "max", math.inf)
    if low == 0 and high in (6, math.inf):
        return apply(site, Activation("relu6" if high == 6 else "relu"))
    return apply(site, Elementwise("clip", (low, high)))


def is_inf(site: Site) -> list[Known]:
    """IsInf, of both signs or of one."""
    negative, positive = site.call.integer("detect_negative", 1), site.call.integer("detect_positive", 1)
    if negative and positive:
        return apply(site, Elementwise("is_inf"), _BOOL)
    if not negative and not positive:
        raise UnsupportedError("it looks for neither sign")
    return apply(site, Elementwise("equal", (math.inf if positive else -math.inf,)), _BOOL)


def cast(site: Site) -> list[Known]:
    """Cast: free between real types, else dropping what stands behind the point."""
    number = site.call.integer("to")
    if number not in ELEMENTS:
        raise UnsupportedError(f"it casts to type {number}")
    return [_cast(site, ELEMENTS[number])]


def cast_like(site: Site) -> list[Known]:
    """CastLike."""
    return [_cast(site, site.known(1).element)]


def _cast(site: Site, target: Element) -> Known:
    x = site.value(0)
    kind = target.dtype.kind
    if target.bits < 8 or (target.bits == 8 and kind == "f"):
        raise UnsupportedError(f"it rounds to {target.name}")
    if kind == "f" or x.element.dtype.kind == "b" or (kind in "iu" and x.element.dtype.kind in "iu"):
        # Rounding to float16 and bfloat16 is not modelled; the width of the tensor is.
        made = site.one(Cast("float"), x.tensor)
    else:
        made = site.one(Cast("bool" if kind == "b" else "integer"), x.tensor)
    return site.valued(made, x.shape, x.batched, target)


#: Operator -> (function of two tensors, of a tensor and a number, of a number and a tensor).
_PAIRS: dict[str, tuple[Operator, str | None, str | None]] = {
    "Add": (Add(), "add", "add"),
    "Sub": (BinaryElementwise("subtract"), "subtract", "subtract_from"),
    "Mul": (Multiply(), "multiply", "multiply"),
    "Div": (BinaryElementwise("divide"), "divide", "divide_into"),
    "Pow": (BinaryElementwise("power"), "power", "power_of"),
    "Equal": (BinaryElementwise("equal"), "equal", "equal"),
    "Less": (BinaryElementwise("less"), "less", "greater"),
    "Greater": (BinaryElementwise("greater"), "greater", "less"),
    "LessOrEqual": (BinaryElementwise("less_or_equal"), "less_or_equal", "greater_or_equal"),
    "GreaterOrEqual": (BinaryElementwise("greater_or_equal"), "greater_or_equal", "less_or_equal"),
    "And": (BinaryElementwise("and"), None, None),
    "Or": (BinaryElementwise("or"), None, None),
    "Xor": (BinaryElementwise("xor"), None, None),
}
_LOGIC = ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor")


def _pair(operator: str) -> Lower:
    both, right, left = _PAIRS[operator]
    element = _BOOL if operator in _LOGIC else None

    def lower(site: Site) -> list[Known]:
        a, b = site.known(0), site.known(1)
        if operator == "Div" and a.element.dtype.kind in "iu":
            return [_whole_division(site, a, b)]
        return [combine(site, both, (a, b), (right, left), element)]

    return lower


def _whole_division(site: Site, a: Known, b: Known) -> Value:
    """Integers are divided towards zero."""
    found = combine(site, BinaryElementwise("divide"), (a, b), ("divide", "divide_into"), None)
    return site.valued(site.one(Cast("integer"), found.tensor, part="whole"), found.shape, found.batched)


def combine(
    site: Site,
    op: Operator,
    operands: tuple[Known, ...],
    numbers: tuple[str | None, str | None] = (None, None),
    element: Element | None = None,
) -> Value:
    """Combine operands that broadcast: a number becomes part of the operator, other constants weights."""
    if len(operands) == 2:
        a, b = operands
        for x, constant, function in ((a, b, numbers[0]), (b, a, numbers[1])):
            fits = isinstance(x, Value) and isinstance(constant, Constant) and constant.elements == 1
            if fits and function is not None and len(constant.shape) <= len(x.shape):
                assert isinstance(x, Value) and isinstance(constant, Constant)
                made = site.one(Elementwise(function, (scalar(constant),)), x.tensor)
                return site.valued(made, x.shape, x.batched, element or x.element)
        learned = _learned(site, op, a, b) or _learned(site, op, b, a)
        if learned is not None:
            return learned
    tensors, batched = site.aligned(operands)
    made = site.one(op, *tensors)
    if not any(v.shape for v in operands):
        return site.valued(made, (), False, element or operands[0].element)
    return site.result(made, batched, element or operands[0].element)


def _learned(site: Site, op: Operator, x: Known, constant: Known) -> Value | None:
    """A sum with a constant of the size of a sample: a position embedding."""
    if not (isinstance(op, Add) and isinstance(x, Value) and isinstance(constant, Constant)):
        return None
    sample = site.shape(x.tensor)[1:]
    shape = (
        constant.shape[1:]
        if constant.shape[:1] == (1,) and len(constant.shape) == len(sample) + 1
        else constant.shape
    )
    if shape != sample or len(sample) < 2 or not x.batched:
        return None
    made = site.one(LearnedAdd(), x.tensor)
    site.parameter(made, "weight", constant.derived(sample, lambda a: a.reshape(sample)))
    return site.result(made, True, x.element)


def _many(op: Operator, number: str | None = None) -> Lower:
    def lower(site: Site) -> list[Known]:
        operands = tuple(site.known(i) for i in range(len(site.inputs)))
        if len(operands) == 1:
            return apply(site, Elementwise("identity"))
        return [combine(site, op, operands, (number, number))]

    return lower


def modulo(site: Site) -> list[Known]:
    """Mod: with the sign of the divisor, or with fmod that of the dividend."""
    remainder = site.call.integer("fmod", 0)
    op = BinaryElementwise("remainder" if remainder else "modulo")
    return [combine(site, op, (site.known(0), site.known(1)), (None if remainder else "modulo", None))]


def prelu(site: Site) -> list[Known]:
    """PRelu: slopes per channel are weights."""
    x, slope = site.known(0), site.known(1)
    if isinstance(slope, Constant) and slope.elements == 1:
        return apply(site, Elementwise("leaky_relu", (scalar(slope),)))
    return [combine(site, BinaryElementwise("prelu"), (x, slope))]


def where(site: Site) -> list[Known]:
    """Where."""
    operands = (site.known(0), site.known(1), site.known(2))
    return [combine(site, Where(), operands, element=operands[1].element)]


def logical_not(site: Site) -> list[Known]:
    """Not."""
    return apply(site, Elementwise("logical_not"), _BOOL)


def same(site: Site) -> list[Known | None]:
    """Nothing: the value is passed on as it is (declared free)."""
    return [site.known(0), None, None]


def dropout(site: Site) -> list[Known | None]:
    """Dropout does nothing at inference; its mask keeps everything."""
    if site.given(2) and scalar(site.constant(2, "modes")):
        raise UnsupportedError("it is in training mode")
    x = site.known(0)
    return [x, Constant(x.shape, _BOOL, lambda: np.broadcast_to(np.True_, x.shape))]


#: Operators that cost nothing and leave no trace.
FREE_OPERATORS = ("Dropout", "Identity")

POINTWISE: dict[tuple[str, int], Lower] = {
    **{(name, 1): _pair(name) for name in _PAIRS},
    **{
        (name, 1): _unary(function)
        for name, function in (
            *(("Abs", "abs"), ("Acos", "acos"), ("Acosh", "acosh"), ("Asin", "asin"), ("Asinh", "asinh")),
            *(("Atan", "atan"), ("Atanh", "atanh"), ("Ceil", "ceil"), ("Cos", "cos"), ("Cosh", "cosh")),
            *(("Erf", "erf"), ("Exp", "exp"), ("Floor", "floor"), ("Log", "log"), ("Mish", "mish")),
            *(("Neg", "negate"), ("Reciprocal", "reciprocal"), ("Round", "round"), ("Sign", "sign")),
            *(("Sin", "sin"), ("Sinh", "sinh"), ("Softplus", "softplus"), ("Softsign", "softsign")),
            *(("Sqrt", "sqrt"), ("Tan", "tan")),
        )
    },
    **{
        (name, 1): _activation(function)
        for name, function in (
            *(("Relu", "relu"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("HardSwish", "hardswish")),
        )
    },
    ("Cast", 1): cast,
    ("CastLike", 15): cast_like,
    ("Celu", 12): _with("celu", ("alpha", 1.0)),
    ("Clip", 1): clip,
    ("Dropout", 1): dropout,
    ("Elu", 1): _with("elu", ("alpha", 1.0)),
    ("Gelu", 20): gelu,
    ("HardSigmoid", 1): hard_sigmoid,
    ("Identity", 1): same,
    ("IsInf", 10): is_inf,
    ("IsNaN", 9): _test("is_nan"),
    ("LeakyRelu", 1): leaky_relu,
    ("Max", 1): _many(BinaryElementwise("maximum"), "maximum"),
    ("Mean", 1): _many(BinaryElementwise("mean")),
    ("Min", 1): _many(BinaryElementwise("minimum"), "minimum"),
    ("Mod", 10): modulo,
    ("Not", 1): logical_not,
    ("PRelu", 1): prelu,
    ("Selu", 1): _with("selu", ("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    ("Shrink", 9): _with("shrink", ("bias", 0.0), ("lambd", 0.5)),
    ("Sum", 1): _many(Add(), "add"),
    ("Swish", 24): swish,
    ("ThresholdedRelu", 10): _with("thresholded_relu", ("alpha", 1.0)),
    ("Where", 9): where,
}
