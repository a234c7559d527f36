"""Windows of ONNX: kernel, strides, dilations, pads and ``auto_pad`` of one or two image axes.

ONNX lists pads as all beginnings, then all ends; here they are top, bottom, left, right. An operator on
(N, C, L) is one on (N, C, 1, L).
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.errors import GraphError
from energysim.graph.shapes import Pads, Pair, Shape
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_sheet import Site, UnsupportedError, Value
from energysim.units import ceil_div

__all__ = ["Window", "as_map", "axes_of_image", "from_map", "read_window"]

_AUTO = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True)
class Window:
    """A window over rows and columns, with pads as the file gives them (they may be negative)."""

    size: Pair
    stride: Pair
    dilation: Pair
    pads: Pads

    @property
    def plain(self) -> bool:
        """Whether no pad is negative."""
        return min(self.pads) >= 0


def axes_of_image(value: Value) -> int:
    """Return the number of image axes; raise UnsupportedError if they are not one or two."""
    axes = len(value.shape) - 2
    if axes not in (1, 2):
        raise UnsupportedError(f"it has {axes} image axes; 1 and 2 are known")
    return axes


def as_map(site: Site, value: Value) -> str:
    """Return (N, C, H, W): what has one image axis gets one row."""
    tensor = site.batched(value)
    shape = site.shape(tensor)
    return tensor if len(shape) == 4 else site.view(tensor, (shape[1], 1, shape[2]))


def from_map(site: Site, tensor: str, axes: int) -> Value:
    """Return a map as a value with its one or two image axes."""
    if axes == 1:
        _, channels, _, cols = site.shape(tensor)
        tensor = site.view(tensor, (channels, cols))
    return site.result(tensor, True)


def _pair(values: tuple[int, ...], axes: int, what: str) -> Pair:
    if len(values) != axes or min(values) < 1:
        raise GraphError(f"{what} must be {axes} positive numbers, not {values}")
    return (1, values[0]) if axes == 1 else (values[0], values[1])


def read_window(call: Call, kernel: Shape, image: Shape) -> Window:
    """Return the window of a convolution or pooling over an image (H, W) or (L,).

    Raises
    ------
    GraphError
        If the attributes do not fit each other.
    """
    axes = len(image)
    ones = (1,) * axes
    size = _pair(kernel, axes, "kernel_shape")
    stride = _pair(call.integers("strides", ones), axes, "strides")
    dilation = _pair(call.integers("dilations", ones), axes, "dilations")
    sizes: Pair = (1, image[0]) if axes == 1 else (image[0], image[1])
    auto = call.string("auto_pad", "NOTSET")
    if auto not in _AUTO:
        raise GraphError(f"auto_pad is one of {', '.join(_AUTO)}, not {auto!r}")
    if auto.startswith("SAME"):
        pads = _same(sizes, size, stride, dilation, auto == "SAME_UPPER")
    elif auto == "VALID":
        pads = (0, 0, 0, 0)
    else:
        pads = read_pads(call.integers("pads", (0,) * (2 * axes)), axes)
    return Window(size, stride, dilation, pads)


def read_pads(pads: tuple[int, ...], axes: int) -> Pads:
    """Return beginnings and ends as top, bottom, left, right."""
    if len(pads) != 2 * axes:
        raise GraphError(f"pads must be {2 * axes} numbers, not {pads}")
    if axes == 1:
        return (0, 0, pads[0], pads[1])
    return (pads[0], pads[2], pads[1], pads[3])


def _same(sizes: Pair, window: Pair, stride: Pair, dilation: Pair, upper: bool) -> Pads:
    """As many outputs as strides fit the input; of an odd padding the larger half is at the end (upper)."""
    found: list[int] = []
    for axis in (0, 1):
        outputs = ceil_div(sizes[axis], stride[axis])
        span = dilation[axis] * (window[axis] - 1) + 1
        total = max(0, (outputs - 1) * stride[axis] + span - sizes[axis])
        small, large = total // 2, total - total // 2
        found += [small, large] if upper else [large, small]
    return (found[0], found[1], found[2], found[3])
