"""Cutting, look-ups, reductions, resizing, quantisation, deformable convolution: ONNX, opset 22.

The batch stays open: a 1 in the place of a batch is repeated by Expand, and Resize names its axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.exporters.onnx_functions import BOOL, FLOAT, INT64, to_type
from energysim.exporters.onnx_layers import conv_window, parameter
from energysim.exporters.onnx_sheet import Array, Attribute, Sheet, Site

__all__ = [
    "arg_reduce",
    "block_float",
    "cast",
    "circular_solve",
    "constant",
    "cumulative_sum",
    "deform_conv2d",
    "depth_to_space",
    "dequantize",
    "embedding",
    "expand",
    "expand_batch",
    "gather_elements",
    "k_winners",
    "pad",
    "quantize",
    "reduce",
    "resize",
    "slice_",
    "space_to_depth",
    "take",
    "tile",
    "top_k",
]

_REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "l1": "ReduceL1",
    "l2": "ReduceL2",
    "sum_square": "ReduceSumSquare",
    "log_sum": "ReduceLogSum",
    "log_sum_exp": "ReduceLogSumExp",
}
#: (bits, signed) -> element type of integers that QuantizeLinear makes.
_INTEGERS: dict[tuple[int, bool], Any] = {
    (8, True): np.int8,
    (8, False): np.uint8,
    (16, True): np.int16,
    (16, False): np.uint16,
}


def slice_(sheet: Sheet, op: Any, site: Site) -> None:
    """Slice."""
    parts = [
        sheet.integers(site.part(what), values)
        for what, values in (
            ("starts", op.starts),
            ("ends", op.stops),
            ("axes", op.axes),
            ("steps", op.steps),
        )
    ]
    sheet.call("Slice", site.node.name, [*site.node.inputs, *parts])


def take(sheet: Sheet, op: Any, site: Site) -> None:
    """Gather with constant indices."""
    indices = sheet.integers(site.part("indices"), op.indices)
    sheet.call("Gather", site.node.name, [*site.node.inputs, indices], {"axis": op.axis})


def pad(sheet: Sheet, op: Any, site: Site) -> None:
    """Pad."""
    pads = sheet.integers(site.part("pads"), (*op.before, *op.after))
    value = sheet.array(site.part("value"), np.array(op.value, dtype=np.float32))
    sheet.call("Pad", site.node.name, [*site.node.inputs, pads, value], {"mode": op.mode})


def tile(sheet: Sheet, op: Any, site: Site) -> None:
    """Tile."""
    repeats = sheet.integers(site.part("repeats"), op.repeats)
    sheet.call("Tile", site.node.name, [*site.node.inputs, repeats])


def expand(sheet: Sheet, op: Any, site: Site) -> None:
    """Expand."""
    shape = sheet.integers(site.part("shape"), (1, *op.shape))
    sheet.call("Expand", site.node.name, [*site.node.inputs, shape])


def depth_to_space(sheet: Sheet, op: Any, site: Site) -> None:
    """DepthToSpace."""
    attributes: dict[str, Attribute] = {"blocksize": op.block, "mode": op.mode}
    sheet.call("DepthToSpace", site.node.name, site.node.inputs, attributes)


def space_to_depth(sheet: Sheet, op: Any, site: Site) -> None:
    """SpaceToDepth."""
    sheet.call("SpaceToDepth", site.node.name, site.node.inputs, {"blocksize": op.block})


def constant(sheet: Sheet, op: Any, site: Site) -> None:
    """An initialiser, which stands for the node's output."""
    sheet.alias(site.node.outputs[0], parameter(sheet, site, "value"))


def expand_batch(sheet: Sheet, op: Any, site: Site) -> None:
    """Expand to the batch of another tensor."""
    x, like = site.node.inputs
    batch = sheet.call("Shape", site.part("batch"), [like], {"start": 0, "end": 1})
    rest = sheet.integers(site.part("sizes"), site.inputs[0][1:])
    shape = sheet.call("Concat", site.part("shape"), [batch, rest], {"axis": 0})
    sheet.call("Expand", site.node.name, [x, shape])


def embedding(sheet: Sheet, op: Any, site: Site) -> None:
    """Gather of rows of the table."""
    indices = to_type(sheet, site.part("indices"), site.node.inputs[0], INT64)
    sheet.call("Gather", site.node.name, [parameter(sheet, site, "weight"), indices], {"axis": 0})


def gather_elements(sheet: Sheet, op: Any, site: Site) -> None:
    """GatherElements."""
    data, given = site.node.inputs
    indices = to_type(sheet, site.part("indices"), given, INT64)
    sheet.call("GatherElements", site.node.name, [data, indices], {"axis": op.axis})


def reduce(sheet: Sheet, op: Any, site: Site) -> None:
    """The reduction of that name, its axes as an input."""
    axes = sheet.integers(site.part("axes"), op.axes)
    attributes: dict[str, Attribute] = {"keepdims": int(op.keepdims)}
    sheet.call(_REDUCTIONS[op.function], site.node.name, [*site.node.inputs, axes], attributes)


def arg_reduce(sheet: Sheet, op: Any, site: Site) -> None:
    """ArgMax or ArgMin, the index as a float."""
    operator = "ArgMax" if op.function == "max" else "ArgMin"
    attributes: dict[str, Attribute] = {
        "axis": op.axis,
        "keepdims": int(op.keepdims),
        "select_last_index": int(op.last),
    }
    index = sheet.call(operator, site.part("index"), site.node.inputs, attributes)
    to_type(sheet, site.node.name, index, FLOAT)


def cumulative_sum(sheet: Sheet, op: Any, site: Site) -> None:
    """CumSum."""
    axis = sheet.array(site.part("axis"), np.array(op.axis, dtype=np.int64))
    attributes: dict[str, Attribute] = {"exclusive": int(op.exclusive), "reverse": int(op.reverse)}
    sheet.call("CumSum", site.node.name, [*site.node.inputs, axis], attributes)


def top_k(sheet: Sheet, op: Any, site: Site) -> None:
    """TopK, the indices as floats."""
    count = sheet.integers(site.part("count"), (op.count,))
    values, places = site.node.outputs
    attributes: dict[str, Attribute] = {"axis": op.axis, "largest": int(op.largest)}
    index = site.part("index")
    sheet.call("TopK", site.node.name, [*site.node.inputs, count], attributes, (values, index))
    to_type(sheet, places, index, FLOAT)


def k_winners(sheet: Sheet, op: Any, site: Site) -> None:
    """TopK, which prefers the first of equal values as well, and its values put back among zeros."""
    (x,) = site.node.inputs
    axis = 1 if op.competing != "channel" else 2
    flat = op.competing != "location"
    if flat:
        lengths = (0, -1) if op.competing == "global" else (0, 0, -1)
        x = sheet.call("Reshape", site.part("flat"), [x, sheet.integers(site.part("lengths"), lengths)])
    count = sheet.integers(site.part("count"), (op.count,))
    made = (site.part("values"), site.part("index"))
    values = sheet.call("TopK", site.part("top"), [x, count], {"axis": axis}, made)
    zeros = sheet.call("Sub", site.part("zeros"), [x, x])
    name = site.part("winners") if flat else site.node.name
    found = sheet.call("ScatterElements", name, [zeros, made[1], values], {"axis": axis})
    if flat:
        target = sheet.integers(site.part("shape"), (0, *site.inputs[0][1:]))
        sheet.call("Reshape", site.node.name, [found, target])


def block_float(sheet: Sheet, op: Any, site: Site) -> None:
    """Refuse: ONNX quantises with scales that are known beforehand."""
    raise site.refuse("rounding to an exponent that the channels of a block share")


def circular_solve(sheet: Sheet, op: Any, site: Site) -> None:
    """Refuse: what could stand for it would be counted as something else by whoever reads it."""
    raise site.refuse("a linear solve by Fourier transforms of the map's size")


def resize(sheet: Sheet, op: Any, site: Site) -> None:
    """Resize of rows and columns."""
    attributes: dict[str, Attribute] = {
        "axes": (2, 3),
        "mode": op.mode,
        "coordinate_transformation_mode": op.coordinates,
    }
    if op.mode == "nearest":
        attributes["nearest_mode"] = op.rounding
    if op.mode == "cubic":
        attributes |= {"cubic_coeff_a": op.cubic, "exclude_outside": int(op.exclude_outside)}
    if op.scales is None:
        target = ["", "", sheet.integers(site.part("sizes"), op.size)]
    else:
        target = ["", sheet.array(site.part("scales"), np.array(op.scales, dtype=np.float32))]
    sheet.call("Resize", site.node.name, [*site.node.inputs, *target], attributes)


def quantize(sheet: Sheet, op: Any, site: Site) -> None:
    """QuantizeLinear, the integers as floats."""
    kind = _INTEGERS.get((op.bits, op.signed))
    if kind is None:
        raise site.refuse(f"integers of {op.bits} bit")
    inputs = [
        *site.node.inputs,
        sheet.array(site.part("scale"), _numbers(op.scale, np.float32)),
        sheet.array(site.part("zero_point"), _numbers(op.zero_point, kind)),
    ]
    attributes = {} if op.axis is None else {"axis": op.axis}
    to_type(
        sheet, site.node.name, sheet.call("QuantizeLinear", site.part("integers"), inputs, attributes), FLOAT
    )


def _numbers(values: tuple[float, ...], kind: Any) -> Array:
    """One number as a scalar, several as a vector."""
    return np.array(values if len(values) > 1 else values[0], dtype=kind)


def dequantize(sheet: Sheet, op: Any, site: Site) -> None:
    """Sub and Mul: the integers are floats here."""
    rank = len(site.inputs[0])
    shape = [1] * rank
    if op.axis is not None and len(op.scale) > 1:
        shape[op.axis] = -1
    numbers = [
        sheet.array(site.part(what), np.array(values, dtype=np.float32).reshape(shape))
        for what, values in (("zero_point", op.zero_point), ("scale", op.scale))
    ]
    moved = sheet.call("Sub", site.part("moved"), [*site.node.inputs, numbers[0]])
    sheet.call("Mul", site.node.name, [moved, numbers[1]])


def cast(sheet: Sheet, op: Any, site: Site) -> None:
    """Cast there and back to float."""
    (x,) = site.node.inputs
    if op.to != "float":
        x = to_type(sheet, site.part("cast"), x, BOOL if op.to == "bool" else INT64)
    to_type(sheet, site.node.name, x, FLOAT)


def deform_conv2d(sheet: Sheet, op: Any, site: Site) -> None:
    """DeformConv; weights as they are."""
    x, offsets, *mask = site.node.inputs
    bias = parameter(sheet, site, "bias") if op.bias else ""
    inputs = [x, parameter(sheet, site, "weight"), offsets]
    if bias or mask:
        inputs += [bias, *mask]
    attributes = {**conv_window(op), "offset_group": op.offset_groups}
    sheet.call("DeformConv", site.node.name, inputs, attributes)
