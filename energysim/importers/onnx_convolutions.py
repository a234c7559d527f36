"""Lowering of convolutions: weights are parameters of the layer, turned to (M, C/G, R, S)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from energysim.errors import GraphError
from energysim.graph import (
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    Pad,
)
from energysim.graph.shapes import Pads, Pair, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError
from energysim.importers.onnx_values import Array, Constant
from energysim.importers.onnx_windows import (
    Window,
    as_map,
    axes_of_image,
    from_map,
    read_pads,
    read_window,
)

__all__ = ["CONVOLUTIONS", "conv", "padded"]


def _filters(site: Site, weight: Constant, axes: int) -> Constant:
    """Weights over one image axis as weights over two, (., ., 1, S)."""
    if len(weight.shape) != axes + 2 or min(weight.shape) < 1:
        raise GraphError(f"weights of {weight.text} for an input of {axes + 2} dimensions")
    if axes == 2:
        return weight
    shape = (weight.shape[0], weight.shape[1], 1, weight.shape[2])
    return weight.derived(shape, lambda a: a.reshape(shape))


def _bias(site: Site, number: int, count: int) -> Constant | None:
    bias = site.maybe(number, "biases")
    if bias is not None and bias.elements != count:
        raise GraphError(f"a bias of {bias.text} for {count} outputs")
    return None if bias is None else bias.derived((count,), lambda a: a.reshape(-1))


def _set(site: Site, node: str, weight: Constant, bias: Constant | None) -> None:
    site.parameter(node, "weight", weight)
    if bias is not None:
        site.parameter(node, "bias", bias)


def padded(site: Site, tensor: str, window: Window, value: float = 0.0) -> tuple[str, Pads]:
    """Return the map and the pads; negative pads, which crop, become a layer of their own."""
    if window.plain:
        return tensor, window.pads
    top, bottom, left, right = window.pads
    op = Pad((0, 0, top, left), (0, 0, bottom, right), "constant", value)
    return site.one(op, tensor, part="pad"), (0, 0, 0, 0)


def conv(site: Site) -> list[Known]:
    """Conv: (N, C, H, W) or (N, C, L), any groups, strides, dilations and pads."""
    x = site.value(0)
    axes = axes_of_image(x)
    weight = _filters(site, site.constant(1, "weights"), axes)
    kernel = site.call.integers("kernel_shape", weight.shape[4 - axes :])
    if kernel != weight.shape[4 - axes :]:
        raise GraphError(f"kernel_shape {kernel} for weights of {text(weight.shape)}")
    window, groups = read_window(site.call, kernel, x.shape[2:]), site.call.integer("group", 1)
    bias = _bias(site, 2, weight.shape[0])
    tensor, pads = padded(site, as_map(site, x), window)
    if weight.shape[1] * groups != x.shape[1]:
        raise GraphError(
            f"weights of {text(weight.shape)} in {groups} groups take {weight.shape[1] * groups} channels, "
            f"the input has {x.shape[1]}"
        )
    op = Conv2d(
        weight.shape[0],
        window.size,
        window.stride,
        pads,
        window.dilation,
        groups,
        bias is not None,
    )
    made = site.one(op, tensor)
    _set(site, made, weight, bias)
    return [from_map(site, made, axes)]


def deform_conv(site: Site) -> list[Known]:
    """DeformConv: inputs, weights, offsets, biases, mask."""
    x = site.value(0)
    if axes_of_image(x) != 2:
        raise UnsupportedError("it has one image axis; 2 are known")
    weight = _filters(site, site.constant(1, "weights"), 2)
    window = read_window(site.call, weight.shape[2:], x.shape[2:])
    if not window.plain:
        raise UnsupportedError("its pads are negative")
    bias = _bias(site, 3, weight.shape[0])
    masked = site.given(4)
    op = DeformConv2d(
        weight.shape[0],
        window.size,
        window.stride,
        window.pads,
        window.dilation,
        site.call.integer("group", 1),
        bias is not None,
        site.call.integer("offset_group", 1),
        masked,
    )
    tensors = [site.batched(x), site.batched(site.value(2))]
    if masked:
        tensors.append(site.batched(site.value(4)))
    made = site.one(op, *tensors)
    _set(site, made, weight, bias)
    return [site.result(made, True)]


def conv_transpose(site: Site) -> list[Known]:
    """ConvTranspose: weights turned from (C, M/G, R, S) to (M, C/G, R, S)."""
    x = site.value(0)
    axes = axes_of_image(x)
    weight = _filters(site, site.constant(1, "weights"), axes)
    groups = site.call.integer("group", 1)
    channels, each, rows, cols = weight.shape
    if groups < 1 or channels % groups or channels != x.shape[1]:
        raise GraphError(f"weights of {text(weight.shape)} in {groups} groups for {x.shape[1]} channels")
    bias = _bias(site, 2, each * groups)
    window, extra = _transposed(site, weight.shape[4 - axes :], x.shape[2:])
    crop = Window(window.size, window.stride, window.dilation, tuple(max(0, p) for p in window.pads))  # type: ignore[arg-type]
    op = ConvTranspose2d(
        each * groups,
        window.size,
        window.stride,
        crop.pads,
        extra,
        window.dilation,
        groups,
        bias is not None,
    )
    made = site.one(op, as_map(site, x))
    _set(site, made, weight.derived((each * groups, channels // groups, rows, cols), _turn(groups)), bias)
    if not window.plain:
        top, bottom, left, right = (max(0, -p) for p in window.pads)
        made = site.one(Pad((0, 0, top, left), (0, 0, bottom, right)), made, part="grown")
    return [from_map(site, made, axes)]


def _turn(groups: int) -> Callable[[Array], Array]:
    def turned(array: Array) -> Array:
        c, m, r, s = array.shape
        blocks = array.reshape(groups, c // groups, m, r, s).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(blocks.reshape(groups * m, c // groups, r, s))

    return turned


def _transposed(site: Site, kernel: tuple[int, ...], image: tuple[int, ...]) -> tuple[Window, Pair]:
    """Return the window of a transposed convolution and its output padding.

    ``output_shape`` and ``auto_pad`` fix the size of the output; the padding follows (onnx/defs, text of
    ConvTranspose): total = stride (H - 1) + output_padding + span - output, split in halves.
    """
    call, axes = site.call, len(image)
    plain = call.string("auto_pad", "NOTSET")
    base = read_window(_without_pads(call), kernel, image)
    added = call.integers("output_padding", (0,) * axes)
    if len(added) != axes:
        raise GraphError(f"output_padding must be {axes} numbers, not {added}")
    extra: Pair = (0, added[0]) if axes == 1 else (added[0], added[1])
    wanted = call.integers("output_shape", ())
    sizes: Pair = (1, image[0]) if axes == 1 else (image[0], image[1])
    if wanted:
        goal = wanted[-axes:]
    elif plain.startswith("SAME"):
        goal = tuple(s * t for s, t in zip(sizes, base.stride, strict=True))[-axes:]
    else:
        pads = (0, 0, 0, 0) if plain == "VALID" else read_pads(call.integers("pads", (0,) * (2 * axes)), axes)
        return Window(base.size, base.stride, base.dilation, pads), extra
    if len(goal) != axes:
        raise GraphError(f"output_shape must be {axes} numbers, not {wanted}")
    target: Pair = (1, goal[0]) if axes == 1 else (goal[0], goal[1])
    found: list[int] = []
    for axis in (0, 1):
        span = base.dilation[axis] * (base.size[axis] - 1) + 1
        total = base.stride[axis] * (sizes[axis] - 1) + extra[axis] + span - target[axis]
        small, large = total // 2, total - total // 2
        found += [small, large] if plain == "SAME_UPPER" else [large, small]
    return Window(base.size, base.stride, base.dilation, (found[0], found[1], found[2], found[3])), extra


def _without_pads(call: Call) -> Call:
    return replace(
        call, attributes={k: v for k, v in call.attributes.items() if k not in ("auto_pad", "pads")}
    )


CONVOLUTIONS: dict[tuple[str, int], Lower] = {
    ("Conv", 1): conv,
    ("ConvTranspose", 1): conv_transpose,
    ("DeformConv", 19): deform_conv,
}
