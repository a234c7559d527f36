"""A shift by a tap of a window for each channel: what is left of a convolution with one weight a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Pads, Pair, Shape, need_integers, need_rank, window_outputs

__all__ = ["TapShift"]


@dataclass(frozen=True)
class TapShift(Operator):
    """``y[c, i, j] = x[c, i + r(c)*d0 - top, j + s(c)*d1 - left]``, zero outside of x.

    The positions i, j are those of a convolution with this window and stride 1; a stride belongs to
    the 1x1 convolution behind it. Addressing: it costs nothing unless its output goes to memory.

    Parameters
    ----------
    taps : tuple of int
        For each channel its tap r * S + s.
    window, dilation : (int, int)
        R, S; rows, columns.
    padding : (int, int, int, int)
        Top, bottom, left, right.
    """

    taps: tuple[int, ...]
    window: Pair = (3, 3)
    padding: Pads = (1, 1, 1, 1)
    dilation: Pair = (1, 1)

    category: ClassVar[Category] = "view"
    moves: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need_integers(self.window, 2, "window")
        need_integers(self.padding, 4, "padding", 0)
        need_integers(self.dilation, 2, "dilation")
        last = self.window[0] * self.window[1] - 1
        if not self.taps or any(type(t) is not int or not 0 <= t <= last for t in self.taps):
            raise GraphError(f"taps must be numbers from 0 to {last}, one for each channel")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a shift")
        batch, channels, height, width = shapes[0]
        if channels != len(self.taps):
            raise ShapeError(f"taps for {len(self.taps)} channels, the input has {channels}")
        top, bottom, left, right = self.padding
        rows = window_outputs(height, self.window[0], 1, top, bottom, self.dilation[0])
        cols = window_outputs(width, self.window[1], 1, left, right, self.dilation[1])
        return ((batch, channels, rows, cols),)

    def offset(self, channel: int) -> Pair:
        """Return the (rows, columns) that are added to an output's position."""
        r, s = divmod(self.taps[channel], self.window[1])
        return r * self.dilation[0] - self.padding[0], s * self.dilation[1] - self.padding[2]
