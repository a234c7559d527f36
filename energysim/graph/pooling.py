"""Pooling operators: windows, global, adaptive. One operation per window element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Pads, Pair, Shape, need_integers, need_rank, product, window_outputs
from energysim.units import ceil_div

__all__ = ["AdaptivePool2d", "Pool2d"]

_MODES = ("max", "average")


@dataclass(frozen=True)
class Pool2d(Operator):
    """Maximum or average over windows of (N, C, H, W).

    Parameters
    ----------
    mode : {"max", "average"}
    window, stride, dilation : (int, int)
        Rows, columns.
    padding : (int, int, int, int)
        Top, bottom, left, right.
    ceil_mode : bool
        Whether a last window may hang over the end (see ``window_outputs``).
    count_include_pad : bool
        Whether an average divides by the whole window at the border (no effect on counts).
    """

    mode: Literal["max", "average"]
    window: Pair
    stride: Pair
    padding: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise GraphError(f"a pooling mode is one of {', '.join(_MODES)}, not {self.mode!r}")
        need_integers(self.window, 2, "window")
        need_integers(self.stride, 2, "stride")
        need_integers(self.padding, 4, "padding", 0)
        need_integers(self.dilation, 2, "dilation")
        for axis, span in enumerate(d * (w - 1) + 1 for w, d in zip(self.window, self.dilation, strict=True)):
            if max(self.padding[2 * axis : 2 * axis + 2]) >= span:
                raise GraphError(f"pooling padding {self.padding} leaves windows with nothing but padding")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "pooling")
        (batch, channels, height, width) = shapes[0]
        top, bottom, left, right = self.padding
        rows = window_outputs(
            height, self.window[0], self.stride[0], top, bottom, self.dilation[0], self.ceil_mode
        )
        cols = window_outputs(
            width, self.window[1], self.stride[1], left, right, self.dilation[1], self.ceil_mode
        )
        return ((batch, channels, rows, cols),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0]) * self.window[0] * self.window[1]


@dataclass(frozen=True)
class AdaptivePool2d(Operator):
    """Maximum or average pooling of (N, C, H, W) to a fixed output size; (1, 1) is global pooling.

    Window i of n over a size of H covers rows floor(i*H/n) to ceil((i+1)*H/n) (PyTorch's rule).
    """

    mode: Literal["max", "average"]
    output: Pair = (1, 1)

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise GraphError(f"a pooling mode is one of {', '.join(_MODES)}, not {self.mode!r}")
        need_integers(self.output, 2, "output")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "adaptive pooling")
        return ((*shapes[0][:2], *self.output),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        batch, channels, height, width = inputs[0]
        spans = [
            sum(ceil_div((i + 1) * size, count) - i * size // count for i in range(count))
            for size, count in ((height, self.output[0]), (width, self.output[1]))
        ]
        return batch * channels * spans[0] * spans[1]
