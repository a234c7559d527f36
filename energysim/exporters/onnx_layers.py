"""Layers with arithmetic, written in ONNX operators (opset 22).

Each function takes a node at its site and adds what computes the node's outputs to a sheet.
The slope of the leaky ReLU is that of the operator's definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.exporters.onnx_sheet import Array, Attribute, Sheet, Site
from energysim.graph.shapes import Pads

__all__ = [
    "LEAK",
    "activation",
    "add",
    "batch_norm",
    "conv2d",
    "conv_transpose2d",
    "conv_window",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "learned_add",
    "linear",
    "local_response_norm",
    "log_softmax",
    "matmul",
    "multiply",
    "parameter",
    "softmax",
]

#: Slope of the leaky ReLU below zero.
LEAK = 0.01


def parameter(sheet: Sheet, site: Site, suffix: str, values: Array | None = None) -> str:
    """Add a parameter (or other values in its place) under its full name."""
    array = site.parameters[suffix] if values is None else values
    return sheet.array(f"{site.node.name}.{suffix}", np.ascontiguousarray(array, dtype=np.float32))


def _bias(sheet: Sheet, site: Site) -> list[str]:
    return [parameter(sheet, site, "bias")] if "bias" in site.parameters else []


def _edges(padding: Pads) -> tuple[int, ...]:
    """Top, bottom, left, right -> top, left, bottom, right."""
    top, bottom, left, right = padding
    return top, left, bottom, right


def conv2d(sheet: Sheet, op: Any, site: Site) -> None:
    """Conv; weights (M, C/G, R, S) as they are."""
    inputs = [*site.node.inputs, parameter(sheet, site, "weight"), *_bias(sheet, site)]
    sheet.call("Conv", site.node.name, inputs, conv_window(op))


def conv_transpose2d(sheet: Sheet, op: Any, site: Site) -> None:
    """ConvTranspose; weights turned from (M, C/G, R, S) to ONNX's (C, M/G, R, S).

    Output padding is less cropping at the end, written so where it is no smaller than the stride,
    which ONNX does not allow (ours, like PyTorch's, may be as large as the dilation).
    """
    m, c, r, s = site.parameters["weight"].shape
    grouped = site.parameters["weight"].reshape(op.groups, m // op.groups, c, r, s)
    turned = grouped.transpose(0, 2, 1, 3, 4).reshape(op.groups * c, m // op.groups, r, s)
    inputs = [*site.node.inputs, parameter(sheet, site, "weight", turned), *_bias(sheet, site)]
    ends, extra = [op.padding[1], op.padding[3]], list(op.output_padding)
    for axis in (0, 1):
        if extra[axis] >= op.stride[axis]:
            less = min(ends[axis], extra[axis])
            ends[axis] -= less
            extra[axis] -= less
            if extra[axis] >= op.stride[axis]:
                raise site.refuse(f"an output padding of {extra[axis]} with a stride of {op.stride[axis]}")
    pads = (op.padding[0], op.padding[2], *ends)
    attributes = {**conv_window(op), "pads": pads, "output_padding": tuple(extra)}
    sheet.call("ConvTranspose", site.node.name, inputs, attributes)


def conv_window(op: Any) -> dict[str, Attribute]:
    """Return the attributes of a convolution's window."""
    return {
        "kernel_shape": op.window,
        "strides": op.stride,
        "pads": _edges(op.padding),
        "dilations": op.dilation,
        "group": op.groups,
    }


def linear(sheet: Sheet, op: Any, site: Site) -> None:
    """Gemm on vectors, weights (M, F) as they are; MatMul and Add on sequences, weights turned to (F, M)."""
    name, bias = site.node.name, _bias(sheet, site)
    if len(site.inputs[0]) == 2:
        inputs = [*site.node.inputs, parameter(sheet, site, "weight"), *bias]
        sheet.call("Gemm", name, inputs, {"transB": 1})
        return
    inputs = [*site.node.inputs, parameter(sheet, site, "weight", site.parameters["weight"].T)]
    if not bias:
        sheet.call("MatMul", name, inputs)
        return
    sheet.call("Add", name, [sheet.call("MatMul", site.part("product"), inputs), *bias])


def matmul(sheet: Sheet, op: Any, site: Site) -> None:
    """MatMul of two computed tensors."""
    sheet.call("MatMul", site.node.name, site.node.inputs)


def batch_norm(sheet: Sheet, op: Any, site: Site) -> None:
    """BatchNormalization with stored statistics; scale 1 and shift 0 if the layer has none."""
    size = site.inputs[0][1]
    inputs = [*site.node.inputs, *_scale_and_shift(sheet, site, size)]
    inputs += [parameter(sheet, site, suffix) for suffix in ("running_mean", "running_var")]
    sheet.call("BatchNormalization", site.node.name, inputs, {"epsilon": op.epsilon})


def _scale_and_shift(sheet: Sheet, site: Site, size: int) -> list[str]:
    plain = {"weight": np.ones(size, np.float32), "bias": np.zeros(size, np.float32)}
    return [parameter(sheet, site, s, site.parameters.get(s, values)) for s, values in plain.items()]


def layer_norm(sheet: Sheet, op: Any, site: Site) -> None:
    """LayerNormalization over the last axis."""
    inputs = [*site.node.inputs, *_scale_and_shift(sheet, site, site.inputs[0][-1])]
    sheet.call("LayerNormalization", site.node.name, inputs, {"axis": -1, "epsilon": op.epsilon})


def group_norm(sheet: Sheet, op: Any, site: Site) -> None:
    """GroupNormalization with a scale and a shift per channel (opset 21)."""
    inputs = [*site.node.inputs, *_scale_and_shift(sheet, site, site.inputs[0][1])]
    sheet.call("GroupNormalization", site.node.name, inputs, {"num_groups": op.groups, "epsilon": op.epsilon})


def instance_norm(sheet: Sheet, op: Any, site: Site) -> None:
    """InstanceNormalization."""
    inputs = [*site.node.inputs, *_scale_and_shift(sheet, site, site.inputs[0][1])]
    sheet.call("InstanceNormalization", site.node.name, inputs, {"epsilon": op.epsilon})


def local_response_norm(sheet: Sheet, op: Any, site: Site) -> None:
    """LRN, which divides alpha by the size; even sizes lie differently around a channel there."""
    if op.size % 2 == 0:
        raise site.refuse(f"LRN of ONNX is centred, {op.size} channels are not: take an odd size")
    attributes = {"size": op.size, "alpha": op.alpha * op.size, "beta": op.beta, "bias": op.k}
    sheet.call("LRN", site.node.name, site.node.inputs, attributes)


#: Functions that are one ONNX operator, with its attributes.
_FUNCTIONS: dict[str, tuple[str, dict[str, Attribute]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": LEAK}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "hardswish": ("HardSwish", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}


def activation(sheet: Sheet, op: Any, site: Site) -> None:
    """One operator; ReLU6 is Clip, SiLU is x * Sigmoid(x)."""
    name, (x,) = site.node.name, site.node.inputs
    if op.function == "relu6":
        limits = [
            sheet.array(site.part(part), np.array(value, np.float32))
            for part, value in (("low", 0), ("high", 6))
        ]
        sheet.call("Clip", name, [x, *limits])
    elif op.function == "silu":
        sheet.call("Mul", name, [x, sheet.call("Sigmoid", site.part("sigmoid"), [x])])
    elif op.function in _FUNCTIONS:
        operator, attributes = _FUNCTIONS[op.function]
        sheet.call(operator, name, [x], attributes)
    else:
        raise site.refuse(f"no form of {op.function!r} is known")


def softmax(sheet: Sheet, op: Any, site: Site) -> None:
    """Softmax along an axis."""
    sheet.call("Softmax", site.node.name, site.node.inputs, {"axis": op.axis})


def log_softmax(sheet: Sheet, op: Any, site: Site) -> None:
    """LogSoftmax along an axis."""
    sheet.call("LogSoftmax", site.node.name, site.node.inputs, {"axis": op.axis})


def add(sheet: Sheet, op: Any, site: Site) -> None:
    """Add, one after the other from the first to the last."""
    _chain(sheet, site, "Add")


def multiply(sheet: Sheet, op: Any, site: Site) -> None:
    """Mul, one after the other from the first to the last."""
    _chain(sheet, site, "Mul")


def _chain(sheet: Sheet, site: Site, operator: str) -> None:
    total, *others = site.node.inputs
    for number, other in enumerate(others, 1):
        last = number == len(others)
        total = sheet.call(operator, site.node.name if last else site.part(f"{number}"), [total, other])


def learned_add(sheet: Sheet, op: Any, site: Site) -> None:
    """Add of a parameter of one sample's shape."""
    sheet.call("Add", site.node.name, [*site.node.inputs, parameter(sheet, site, "weight")])
