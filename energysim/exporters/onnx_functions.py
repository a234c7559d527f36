"""Element-wise functions, written in ONNX operators (opset 22). Truth values are written as 0 and 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from energysim.exporters.onnx_sheet import Attribute, Sheet, Site
from energysim.graph import Elementwise

__all__ = ["BOOL", "FLOAT", "INT64", "binary_elementwise", "elementwise", "to_type", "where"]

#: Element types of ONNX (onnx.proto, TensorProto.DataType).
FLOAT, INT64, BOOL = 1, 7, 9

#: Functions that are one operator; its attributes in the order of the arguments.
_OPERATORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "identity": ("Identity", ()),
    "negate": ("Neg", ()),
    **{
        name: (name.capitalize(), ())
        for name in (
            *("abs", "sign", "ceil", "floor", "round", "exp", "log", "sqrt", "reciprocal", "erf"),
            *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
            *("softplus", "softsign", "mish"),
        )
    },
    "elu": ("Elu", ("alpha",)),
    "celu": ("Celu", ("alpha",)),
    "thresholded_relu": ("ThresholdedRelu", ("alpha",)),
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "selu": ("Selu", ("alpha", "gamma")),
    "shrink": ("Shrink", ("bias", "lambd")),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
}
#: Functions of two tensors, or of a tensor and a constant: the operator, and whether the constant is first.
_PAIRS = {
    "add": ("Add", False),
    "subtract": ("Sub", False),
    "subtract_from": ("Sub", True),
    "multiply": ("Mul", False),
    "divide": ("Div", False),
    "divide_into": ("Div", True),
    "power": ("Pow", False),
    "power_of": ("Pow", True),
    "minimum": ("Min", False),
    "maximum": ("Max", False),
    "mean": ("Mean", False),
    "prelu": ("PRelu", False),
}
_TRUTHS = {
    "equal": "Equal",
    "less": "Less",
    "greater": "Greater",
    "less_or_equal": "LessOrEqual",
    "greater_or_equal": "GreaterOrEqual",
    "is_nan": "IsNaN",
    "is_inf": "IsInf",
}
_LOGIC = {"and": "And", "or": "Or", "xor": "Xor", "logical_not": "Not"}


def to_type(sheet: Sheet, name: str, tensor: str, kind: int) -> str:
    """Cast a tensor to another element type."""
    return sheet.call("Cast", name, [tensor], {"to": kind})


def elementwise(sheet: Sheet, op: Elementwise, site: Site) -> None:
    """One operator, or the formula."""
    (x,), name, function = site.node.inputs, site.node.name, op.function
    if function in ("swish", "quick_gelu"):
        scaled = sheet.call("Mul", site.part("scaled"), [x, _number(sheet, site, op.arguments[0])])
        gate = sheet.call("Sigmoid", site.part("gate"), [scaled])
        sheet.call("Mul", name, [x, gate])
    elif function == "gelu_tanh":
        sheet.call("Gelu", name, [x], {"approximate": "tanh"})
    elif function == "clip":
        limits = [
            "" if math.isinf(limit) else _number(sheet, site, limit, what)
            for limit, what in zip(op.arguments, ("low", "high"), strict=True)
        ]
        sheet.call("Clip", name, [x, *limits] if limits[1] else [x, limits[0]] if limits[0] else [x])
    elif function in _OPERATORS:
        operator, names = _OPERATORS[function]
        attributes: dict[str, Attribute] = dict(zip(names, op.arguments, strict=True))
        sheet.call(operator, name, [x], attributes)
    else:
        constants = [_number(sheet, site, value) for value in op.arguments]
        _combine(sheet, site, function, [x, *constants])


def binary_elementwise(sheet: Sheet, op: Any, site: Site) -> None:
    """One operator, or the formula."""
    _combine(sheet, site, op.function, list(site.node.inputs))


def _combine(sheet: Sheet, site: Site, function: str, inputs: list[str]) -> None:
    name = site.node.name
    if function in _PAIRS:
        operator, turned = _PAIRS[function]
        sheet.call(operator, name, inputs[::-1] if turned else inputs)
    elif function in _TRUTHS:
        truth = sheet.call(_TRUTHS[function], site.part("truth"), inputs)
        to_type(sheet, name, truth, FLOAT)
    elif function in _LOGIC:
        truths = [to_type(sheet, site.part(f"is{i}"), tensor, BOOL) for i, tensor in enumerate(inputs)]
        to_type(sheet, name, sheet.call(_LOGIC[function], site.part("truth"), truths), FLOAT)
    elif function == "remainder":
        sheet.call("Mod", name, inputs, {"fmod": 1})
    else:  # modulo of floats with the divisor's sign, which Mod of ONNX has for integers only
        whole = sheet.call("Floor", site.part("whole"), [sheet.call("Div", site.part("quotient"), inputs)])
        sheet.call("Sub", name, [inputs[0], sheet.call("Mul", site.part("multiple"), [whole, inputs[1]])])


def _number(sheet: Sheet, site: Site, value: float, what: str = "argument") -> str:
    return sheet.array(site.part(what), np.array(value, dtype=np.float32))


def where(sheet: Sheet, op: Any, site: Site) -> None:
    """Where, the condition cast to truth values."""
    condition, true, false = site.node.inputs
    truth = to_type(sheet, site.part("truth"), condition, BOOL)
    sheet.call("Where", site.node.name, [truth, true, false])
