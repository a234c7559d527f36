"""Comb convolution as ONNX calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.exporters.onnx_layers import conv_window, parameter
from energysim.exporters.onnx_sheet import Sheet, Site

__all__ = ["comb_conv2d"]


def comb_conv2d(sheet: Sheet, op: Any, site: Site) -> None:
    """Conv at all positions, a depthwise Conv with a single 1 for the copies, Where with a constant choice.

    ONNX has no convolution of some positions: a reader counts the multiply-adds of all of them.
    """
    conv, (x,) = op.convolution, site.node.inputs
    channels, (_, filters, rows, cols) = site.inputs[0][1], site.outputs[0]
    bias = [parameter(sheet, site, "bias")] if conv.bias else []
    inputs = [x, parameter(sheet, site, "weight"), *bias]
    computed = sheet.call("Conv", site.part("computed"), inputs, conv_window(conv))
    one = np.zeros((channels, 1, *conv.window), np.float32)
    one[:, :, conv.window[0] // 2, conv.window[1] // 2] = 1
    middle = [x, sheet.array(site.part("middle"), one)]
    copies = sheet.call("Conv", site.part("channels"), middle, {**conv_window(conv), "group": channels})
    if filters != channels:
        taken = sheet.integers(site.part("taken"), [o % channels for o in range(filters)])
        copies = sheet.call("Gather", site.part("copies"), [copies, taken], {"axis": 1})
    i, j = np.indices((rows, cols))
    copied = (j + op.phase + (i if op.pattern == "checker" else 0)) % 2 == 1
    choice = sheet.array(site.part("copied"), copied[None, None])
    sheet.call("Where", site.node.name, [choice, copies, computed])
