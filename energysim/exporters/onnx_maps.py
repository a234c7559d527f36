"""Pooling and re-arrangement, written in ONNX operators (opset 22).

A leading 0 in a shape means "as it is" in ONNX, so that the batch stays open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from energysim.exporters.onnx_sheet import Array, Attribute, Sheet, Site
from energysim.graph.shapes import Pair, text

__all__ = [
    "adaptive_pool2d",
    "channel_shuffle",
    "concat",
    "dropout",
    "learned_token",
    "permute",
    "pool2d",
    "reshape",
    "spatial_shift",
    "split",
    "tap_shift",
    "upsample",
]


def pool2d(sheet: Sheet, op: Any, site: Site) -> None:
    """MaxPool or AveragePool."""
    top, bottom, left, right = op.padding
    attributes: dict[str, Attribute] = {
        "kernel_shape": op.window,
        "strides": op.stride,
        "pads": (top, left, bottom, right),
        "dilations": op.dilation,
        "ceil_mode": int(op.ceil_mode),
    }
    if op.mode == "average":
        attributes["count_include_pad"] = int(op.count_include_pad)
    sheet.call("MaxPool" if op.mode == "max" else "AveragePool", site.node.name, site.node.inputs, attributes)


def adaptive_pool2d(sheet: Sheet, op: Any, site: Site) -> None:
    """Global pooling to one pixel; equal windows as ordinary pooling; others do not exist in ONNX."""
    kind = "Max" if op.mode == "max" else "Average"
    sizes = site.inputs[0][2:]
    if op.output == (1, 1):
        sheet.call(f"Global{kind}Pool", site.node.name, site.node.inputs)
        return
    if any(size % count for size, count in zip(sizes, op.output, strict=True)):
        raise site.refuse(f"pooling of {text(sizes)} to {text(op.output)} has windows of different sizes")
    window = tuple(size // count for size, count in zip(sizes, op.output, strict=True))
    sheet.call(f"{kind}Pool", site.node.name, site.node.inputs, {"kernel_shape": window, "strides": window})


def concat(sheet: Sheet, op: Any, site: Site) -> None:
    """Concat along an axis."""
    sheet.call("Concat", site.node.name, site.node.inputs, {"axis": op.axis})


def split(sheet: Sheet, op: Any, site: Site) -> None:
    """Split with the sizes as an input."""
    sizes = sheet.integers(site.part("sizes"), op.sizes)
    sheet.call("Split", site.node.name, [*site.node.inputs, sizes], {"axis": op.axis}, site.node.outputs)


def reshape(sheet: Sheet, op: Any, site: Site) -> None:
    """Reshape of each sample (also what Flatten is)."""
    _reshape(sheet, site, site.node.name, site.node.inputs[0], site.outputs[0][1:])


def _reshape(sheet: Sheet, site: Site, name: str, x: str, shape: tuple[int, ...]) -> str:
    what = "shape" if name == site.node.name else f"{name.rpartition('/')[2]}_shape"
    return sheet.call("Reshape", name, [x, sheet.integers(site.part(what), (0, *shape))])


def permute(sheet: Sheet, op: Any, site: Site) -> None:
    """Transpose."""
    sheet.call("Transpose", site.node.name, site.node.inputs, {"perm": op.order})


def channel_shuffle(sheet: Sheet, op: Any, site: Site) -> None:
    """Channels as a table of groups, transposed, and back (Zhang et al., CVPR 2018)."""
    _, channels, rows, cols = site.inputs[0]
    table = (op.groups, channels // op.groups, rows, cols)
    x = _reshape(sheet, site, site.part("table"), site.node.inputs[0], table)
    x = sheet.call("Transpose", site.part("transposed"), [x], {"perm": (0, 2, 1, 3, 4)})
    _reshape(sheet, site, site.node.name, x, (channels, rows, cols))


def spatial_shift(sheet: Sheet, op: Any, site: Site) -> None:
    """A depthwise convolution with a single 1 per channel (Wu et al., CVPR 2018, eq. 3)."""
    channels, (rows, cols) = site.inputs[0][1], op.window
    each = channels // (rows * cols)
    taps = np.full(channels, rows // 2 * cols + cols // 2)
    taps[: each * rows * cols] = np.repeat(np.arange(rows * cols), each)
    pads = (rows // 2, cols // 2, rows - 1 - rows // 2, cols - 1 - cols // 2)
    _shifts(sheet, site, taps, op.window, {"pads": pads})


def tap_shift(sheet: Sheet, op: Any, site: Site) -> None:
    """A depthwise convolution with a single 1 per channel, at its tap."""
    top, bottom, left, right = op.padding
    attributes = {"pads": (top, left, bottom, right), "dilations": op.dilation}
    _shifts(sheet, site, np.array(op.taps), op.window, attributes)


def _shifts(sheet: Sheet, site: Site, taps: Array, window: Pair, attributes: Mapping[str, Attribute]) -> None:
    """ONNX has no shift: a reader counts the multiply-adds of the convolution that stands for it."""
    channels, (rows, cols) = len(taps), window
    ones = np.zeros((channels, rows * cols), np.float32)
    ones[np.arange(channels), taps] = 1
    weight = sheet.array(site.part("shift"), ones.reshape(channels, 1, rows, cols))
    sheet.call(
        "Conv",
        site.node.name,
        [*site.node.inputs, weight],
        {**attributes, "kernel_shape": window, "group": channels},
    )


def upsample(sheet: Sheet, op: Any, site: Site) -> None:
    """Resize by whole factors."""
    scales = sheet.array(site.part("scales"), np.array((1, 1, *op.factor), np.float32))
    attributes: dict[str, Attribute] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if op.mode == "nearest":
        attributes = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
    sheet.call("Resize", site.node.name, [*site.node.inputs, "", scales], attributes)


def learned_token(sheet: Sheet, op: Any, site: Site) -> None:
    """The token (1, D), repeated for each sample of the batch, and Concat."""
    (x,), name = site.node.inputs, site.node.name
    token = sheet.array(f"{name}.weight", np.ascontiguousarray(site.parameters["weight"], dtype=np.float32))
    batch = sheet.call("Shape", site.part("batch"), [x], {"start": 0, "end": 1})
    sizes = sheet.integers(site.part("sizes"), site.parameters["weight"].shape)
    shape = sheet.call("Concat", site.part("shape"), [batch, sizes], {"axis": 0})
    tokens = sheet.call("Expand", site.part("tokens"), [token, shape])
    sheet.call("Concat", name, [tokens, x], {"axis": 1})


def dropout(sheet: Sheet, op: Any, site: Site) -> None:
    """Nothing: the tensor behind it is the tensor before it."""
    sheet.alias(site.node.outputs[0], site.node.inputs[0])
