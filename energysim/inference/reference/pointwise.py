"""Element-wise functions by name; the formulas are those of the operators' definitions in ONNX.

What is not finite (the root of a negative number, a division by zero) comes out as NaN or infinity,
as everywhere in float arithmetic, and raises no warning.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from energysim.graph import BinaryElementwise, Elementwise, Where
from energysim.inference.reference.elementwise import FUNCTIONS as ACTIVATIONS
from energysim.inference.reference.elementwise import erf
from energysim.inference.reference.types import Array, Parameters

__all__ = ["FUNCTIONS", "binary_elementwise", "elementwise", "where"]


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    return np.asarray(np.logaddexp(x, x.dtype.type(0)))


def _gelu_tanh(x: Array) -> Array:
    """Hendrycks and Gimpel, arXiv 1606.08415, section 2: the approximation with tanh."""
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def _celu(x: Array, alpha: float) -> Array:
    return np.asarray(np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)))


def _shrink(x: Array, bias: float, limit: float) -> Array:
    return np.where(x < -limit, x + bias, np.where(x > limit, x - bias, 0))


#: Name -> function of an array and its constants; the result is cast back to the array's type.
FUNCTIONS: dict[str, Callable[..., Array]] = {
    "identity": lambda x: x,
    "abs": np.abs,
    "negate": np.negative,
    "sign": np.sign,
    "ceil": np.ceil,
    "floor": np.floor,
    "round": np.rint,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: 1 / x,
    "erf": erf,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "gelu_tanh": _gelu_tanh,
    "is_nan": np.isnan,
    "is_inf": np.isinf,
    "logical_not": lambda x: x == 0,
    "quick_gelu": lambda x, alpha: x * ACTIVATIONS["sigmoid"](x * x.dtype.type(alpha)),
    "swish": lambda x, alpha: x * ACTIVATIONS["sigmoid"](x * x.dtype.type(alpha)),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "celu": _celu,
    "thresholded_relu": lambda x, alpha: np.where(x > alpha, x, 0),
    "leaky_relu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "selu": lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "shrink": _shrink,
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "add": lambda x, a: x + a,
    "subtract": lambda x, a: x - a,
    "subtract_from": lambda x, a: a - x,
    "multiply": lambda x, a: x * a,
    "divide": lambda x, a: x / a,
    "divide_into": lambda x, a: a / x,
    "power": lambda x, a: x**a,
    "power_of": lambda x, a: np.power(a, x),
    "modulo": lambda x, a: np.mod(x, a),
    "minimum": np.minimum,
    "maximum": np.maximum,
    "equal": lambda x, a: x == a,
    "less": lambda x, a: x < a,
    "greater": lambda x, a: x > a,
    "less_or_equal": lambda x, a: x <= a,
    "greater_or_equal": lambda x, a: x >= a,
}


def _mean(*tensors: Array) -> Array:
    total = tensors[0]
    for other in tensors[1:]:
        total = total + other
    return np.asarray(total / len(tensors))


def _chain(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def run(first: Array, *others: Array) -> Array:
        for other in others:
            first = function(first, other)
        return first

    return run


#: Name -> function of two arrays, or of more.
COMBINATIONS: dict[str, Callable[..., Array]] = {
    "minimum": _chain(np.minimum),
    "maximum": _chain(np.maximum),
    "mean": _mean,
    "subtract": np.subtract,
    "divide": np.divide,
    "power": np.power,
    "modulo": np.mod,
    "remainder": np.fmod,
    "prelu": lambda x, slope: np.where(x < 0, slope * x, x),
    "equal": np.equal,
    "less": np.less,
    "greater": np.greater,
    "less_or_equal": np.less_equal,
    "greater_or_equal": np.greater_equal,
    "and": lambda a, b: np.logical_and(a != 0, b != 0),
    "or": lambda a, b: np.logical_or(a != 0, b != 0),
    "xor": lambda a, b: np.logical_xor(a != 0, b != 0),
}


def elementwise(op: Elementwise, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Apply a function of one tensor."""
    (x,) = inputs
    with np.errstate(all="ignore"):
        found = FUNCTIONS[op.function](x, *(x.dtype.type(a) for a in op.arguments))
    return (np.asarray(found).astype(x.dtype, copy=False),)


def binary_elementwise(
    op: BinaryElementwise, inputs: tuple[Array, ...], parameters: Parameters
) -> tuple[Array, ...]:
    """Apply a function of two or more tensors; axes of length 1 are repeated."""
    with np.errstate(all="ignore"):
        found = COMBINATIONS[op.function](*inputs)
    return (np.asarray(found).astype(inputs[0].dtype, copy=False),)


def where(op: Where, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Choose between two tensors, element by element."""
    condition, true, false = inputs
    return (np.where(condition != 0, true, false),)
