"""Deformable convolution (Dai et al., ICCV 2017; with a mask: Zhu et al., CVPR 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import ShapeError
from energysim.graph.operators import Category, Conv2d, Operator
from energysim.graph.shapes import Pads, Pair, Shape, need_count, product, text

__all__ = ["DeformConv2d"]


@dataclass(frozen=True)
class DeformConv2d(Operator):
    """Convolution whose taps are sampled at computed places, between pixels by bilinear interpolation.

    ``y[o, p] = sum over c, t of w[o, c, t] * m[t, p] * x(c, p*stride + t*dilation + offset[t, p])``
    (Zhu et al., CVPR 2019, eq. 1); x is 0 outside the map. Inputs: the map (N, C, H, W), offsets
    (N, 2*D*R*S, P, Q) with row and column of each tap next to each other, for each of D offset
    groups of channels, and with ``masked`` factors (N, D*R*S, P, Q).

    Besides the multiply-adds of the convolution, each of N*C*R*S*P*Q samples takes 4 operations (a
    weighted sum of 4 pixels) and 1 for its mask; each of the N*D*R*S*P*Q places 4 for the weights of
    its pixels (assumed).

    Parameters
    ----------
    out_channels, window, stride, padding, dilation, groups, bias
        As for :class:`Conv2d`.
    offset_groups : int
        D; it divides the channels.
    masked : bool
    """

    out_channels: int
    window: Pair
    stride: Pair = (1, 1)
    padding: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    offset_groups: int = 1
    masked: bool = False

    category: ClassVar[Category] = "mac"

    def __post_init__(self) -> None:
        _ = self.convolution
        need_count(self.offset_groups, "offset_groups")

    @property
    def convolution(self) -> Conv2d:
        """The ordinary convolution that it is with offsets of zero."""
        return Conv2d(
            self.out_channels,
            self.window,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias,
        )

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        wanted = 3 if self.masked else 2
        if len(shapes) != wanted:
            kinds = "map, offsets" + (", mask" if self.masked else "")
            raise ShapeError(f"a deformable convolution takes {wanted} inputs ({kinds}), not {len(shapes)}")
        (found,) = self.convolution.infer(shapes[:1])
        if shapes[0][1] % self.offset_groups:
            raise ShapeError(f"{self.offset_groups} offset groups do not divide {shapes[0][1]} channels")
        places = self.offset_groups * product(self.window)
        for given, channels, what in zip(shapes[1:], (2 * places, places), ("offsets", "mask"), strict=False):
            expected = (found[0], channels, *found[2:])
            if given != expected:
                raise ShapeError(f"the {what} must be {text(expected)}, not {text(given)}")
        return (found,)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return self.convolution.parameters(shapes[:1])

    def samples(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        """Return how many values are interpolated, each from 4 words."""
        batch, channels = inputs[0][:2]
        return batch * channels * product(self.window) * product(outputs[0][2:])

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        places = inputs[0][0] * self.offset_groups * product(self.window) * product(outputs[0][2:])
        each = 5 if self.masked else 4
        bias = product(outputs[0]) if self.bias else 0
        return each * self.samples(inputs, outputs) + 4 * places + bias
