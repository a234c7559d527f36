"""``lean``: a full 1x1 convolution plus a grouped 3x3 stencil, added in the accumulator.

Source: Ephrath, Ruthotto, Haber, Treister, "LeanResNet: A Low-cost Yet Effective Convolutional Residual
Networks", arXiv 1904.06952; "LeanConvNets: Low-cost Yet Effective Convolutional Neural Networks",
arXiv 1910.13157: the sum of a 1x1 convolution over all channels and a depthwise or grouped one whose
windows are stencils. With t taps beside the middle and g groups::

    multiply-adds (C*M + t*C*M/g) * P*Q,   weights C*M + t*C*M/g,   nothing stored beside them

Both parts read the same input and write the same output, so there is no tensor between them: the layer is
one 3x3 convolution (E1) with a full middle tap, block-diagonal taps beside it, and zeros elsewhere. The
middle tap is that of the 1x1 part alone; which taps the papers count is only readable for the 5-point
stencil (assumed: the same holds for the others). Only one part of the stencil exists:

``cross``   up, left, right, down (5-point), t = 4
``full``    all of the 3x3 window, t = 8
``row``     left and right (3-point), t = 2
``column``  up and down, t = 2

The depthwise form needs as many filters as channels. ``groups=gcd``, the default, takes the greatest common
divisor of both, which is the depthwise form wherever that exists (assumed elsewhere).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError, near_miss
from energysim.extra import Extra
from energysim.hardware.quantities import show
from energysim.kernels import Kernel, MaskKernel, WeightShape
from energysim.schemes.base import StructuralScheme
from energysim.schemes.block import Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["KIND", "Lean", "parse", "stencil_kernel"]

#: (row, column) of the taps beside the middle of a 3x3 window.
_TAPS = {
    "cross": ((0, 1), (1, 0), (1, 2), (2, 1)),
    "full": tuple((r, s) for r in range(3) for s in range(3) if (r, s) != (1, 1)),
    "row": ((1, 0), (1, 2)),
    "column": ((0, 1), (2, 1)),
}
_WORDS = ("gcd", "depthwise")
_LARGEST = 1 << 16


def stencil_kernel(shape: WeightShape, groups: int, stencil: str) -> MaskKernel:
    """Return a full middle tap, and the stencil's taps inside so many groups."""
    m, c = shape[:2]
    mask = np.zeros(shape, dtype=np.bool_)
    mask[:, :, 1, 1] = True
    for group in range(groups):
        filters = slice(group * m // groups, (group + 1) * m // groups)
        channels = slice(group * c // groups, (group + 1) * c // groups)
        for r, s in _TAPS[stencil]:
            mask[filters, channels, r, s] = True
    return MaskKernel(mask)


@dataclass(frozen=True)
class Lean(StructuralScheme):
    """1x1 convolution and stencil.

    Parameters
    ----------
    groups : int or {"gcd", "depthwise"}
        Groups of the stencil, 1 to 65536.
    stencil : {"cross", "full", "row", "column"}

    Raises
    ------
    SchemeError
        For any other value.
    """

    groups: int | str = "gcd"
    stencil: str = "cross"

    def __post_init__(self) -> None:
        if isinstance(self.groups, str):
            one_word("lean", "groups", self.groups, _WORDS)
        else:
            check_range("lean", "groups", self.groups, 1, _LARGEST)
        one_word("lean", "stencil", self.stencil, tuple(_TAPS))

    def __str__(self) -> str:
        groups = [] if self.groups == "gcd" else [f"groups={self.groups}"]
        stencil = [] if self.stencil == "cross" else [f"stencil={self.stencil}"]
        return ":".join(["lean", *filter(None, [",".join(groups + stencil)])])

    def block(self, layer: Layer) -> Block | str:
        """Return the layer with its kernel, or why it stays as it is."""
        if layer.conv.groups > 1:
            return f"has {layer.conv.groups} groups already"
        kernel = self.kernel(layer.name, layer.weight_shape)
        if isinstance(kernel, str):
            return kernel
        stored = f"stencil:groups={self._groups(layer.weight_shape)},stencil={self.stencil}"
        return Block(layer).end(
            replace(layer.conv, kernel=kernel), layer.input, extra=Extra(weight_format=stored)
        )

    def kernel(self, node: str, shape: WeightShape) -> Kernel | str:
        """Return the stencils of a layer, or why it stays as it is."""
        m, c, r, s = shape
        if (r, s) != (3, 3):
            return f"{r}x{s} window"
        if self.groups == "depthwise" and m != c:
            return f"{m} filters for {c} channels: the depthwise form needs as many"
        groups = self._groups(shape)
        if m % groups or c % groups:
            return f"{groups} groups do not divide {c} input and {m} output channels"
        if groups == 1 and self.stencil == "full":
            return "a full stencil in 1 group is the layer as it is"
        return stencil_kernel(shape, groups, self.stencil)

    def _groups(self, shape: WeightShape) -> int:
        return math.gcd(*shape[:2]) if isinstance(self.groups, str) else self.groups

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not readable in the papers."""
        found = []
        if self.groups == "gcd":
            found.append(
                f"{self}: where filters and channels differ, their greatest common divisor as groups"
            )
        if self.stencil != "cross":
            found.append(f"{self}: the middle tap of the stencil is that of the 1x1 convolution")
        return tuple(found)


def parse(text: str) -> Lean:
    """Return the scheme written behind ``lean:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    takes = {"groups": f"gcd|depthwise|1..{_LARGEST}", "stencil": "|".join(_TAPS)}
    given = read_parameters("lean", text, takes)
    groups: int | str = given.get("groups", Lean.groups)
    if isinstance(groups, str) and groups.lstrip("-").isdigit():
        groups = integer("lean", "groups", groups)
    elif groups not in _WORDS:
        near = near_miss(str(groups), _WORDS)
        raise SchemeError(f"groups of scheme 'lean' is {takes['groups']}, not {show(groups)}{near}")
    return Lean(groups, given.get("stencil", Lean.stencil))


KIND = SchemeKind(
    parse,
    "a full 1x1 convolution plus a grouped 3x3 stencil (Ephrath et al. 2019)",
    ("lean", "lean:groups=8", "lean:groups=4,stencil=row"),
)
