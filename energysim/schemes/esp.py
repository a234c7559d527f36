"""``esp``: a reduction, then convolutions of growing dilation side by side, summed step by step and joined.

Source: Mehta, Rastegari, Caspi, Shapiro, Hajishirzi, "ESPNet: Efficient Spatial Pyramid of Dilated
Convolutions for Semantic Segmentation", ECCV 2018 (arXiv 1803.06815), section 3, and the published code
(sacmehta/ESPNet). With K branches, M filters, d = floor(M/K)::

    z   = reduce(x)                     1x1, C -> d filters
    b_i = branch_i(z), i = 0 .. K-1     R x S at dilation 2^i, d -> d filters; M - (K-1)*d of branch 0
    y   = [b_0, b_1, b_1+b_2, .., b_1+..+b_(K-1)]
    y   = y + x                         if C = M and the map keeps its size

    weights C*d + R*S*d*(M - (K-1)*d) + (K-1)*R*S*d*d, multiply-adds as many * P*Q

Branch 0 is in no sum; there is no nonlinearity inside. A layer with a stride is reduced by a window of its
own (R*S*C*d weights) with that stride, and gets no residual. Where M is no multiple of K the first branch
is the widest. It equals one convolution with a window of 2^(K-1)*(R-1)+1 rows, not one of the layer's shape
(E3). The published branches are 3x3 with "same" padding; other windows, dilations and paddings keep the
layer's map (assumed), and a bias goes to the branches (assumed: the published convolutions have none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from energysim.graph import Add, Concat, Conv2d, Shape
from energysim.graph.shapes import text as shape_text
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.formulas import plane, with_bias
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word
from energysim.windows import Axis, touched

__all__ = ["ESP", "KIND", "parse"]

_MOST = 8
_RESIDUAL = ("yes", "no")


@dataclass(frozen=True)
class ESP(RewritingScheme):
    """Efficient spatial pyramid in the place of a convolution.

    Parameters
    ----------
    branches : int
        K, 2 to 8.
    residual : {"yes", "no"}
        Whether the input is added where it has the output's shape.

    Raises
    ------
    SchemeError
        For any other value.
    """

    branches: int = 5
    residual: str = "yes"

    def __post_init__(self) -> None:
        check_range("esp", "branches", self.branches, 2, _MOST)
        one_word("esp", "residual", self.residual, _RESIDUAL)

    def __str__(self) -> str:
        changed = [] if self.branches == ESP.branches else [f"branches={self.branches}"]
        changed += [] if self.residual == "yes" else ["residual=no"]
        return f"esp:{','.join(changed)}" if changed else "esp"

    def block(self, layer: Layer) -> Block | str:
        """Return the pyramid, or why the layer stays as it is."""
        conv, m = layer.conv, layer.weight_shape[0]
        if conv.groups > 1:
            return f"has {conv.groups} groups already"
        if m < self.branches:
            return f"{m} filters are fewer than the {self.branches} branches"
        reduce, branches = self._parts(conv)
        (size,) = reduce.infer((layer.input_shape,))
        if not all(_reaches(op, size, layer.output_shape) for op in branches):
            widest, pixels = 1 << (self.branches - 1), shape_text(size[2:])
            return f"windows at dilation {widest} would lie beside a {pixels} map"
        adds = self.residual == "yes" and layer.input_shape == layer.output_shape

        def reference(x: Array, own: Arrays) -> Array:
            z = _convolved(np.asarray(x, np.float64), reduce, own, "reduce")
            made = [_convolved(z, op, own, f"branch{i}") for i, op in enumerate(branches)]
            pieces = [made[0], *(sum(made[1 : i + 1]) for i in range(1, len(made)))]
            return np.concatenate(pieces, axis=1) + (x if adds else 0)

        block = Block(layer, "E3", reference=reference)
        z = block.part("reduce", reduce, layer.input)
        made = [block.part(f"branch{i}", op, z) for i, op in enumerate(branches)]
        pieces, total = made[:2], made[1]
        for i, branch in enumerate(made[2:], 2):
            total = block.part(f"sum{i}", Add(), total, branch)
            pieces.append(total)
        if not adds:
            return block.end(Concat(), *pieces)
        return block.end(Add(), block.part("join", Concat(), *pieces), layer.input)

    def _parts(self, conv: Conv2d) -> tuple[Conv2d, list[Conv2d]]:
        """The reduction and the branches."""
        each = conv.out_channels // self.branches
        if conv.stride == (1, 1):
            reduce, rows, cols = Conv2d(each, (1, 1), bias=False), conv.padding[:2], conv.padding[2:]
            first = conv.dilation
        else:
            reduce = replace(conv, out_channels=each, bias=False)
            rows, cols = (_same(w - 1) for w in conv.window)
            first = (1, 1)
        branches = []
        for i in range(self.branches):
            dilation = (first[0] << i, first[1] << i)
            more = [_same((w - 1) * (d - d0)) for w, d, d0 in zip(conv.window, dilation, first, strict=True)]
            padding = (rows[0] + more[0][0], rows[1] + more[0][1], cols[0] + more[1][0], cols[1] + more[1][1])
            filters = each if i else conv.out_channels - (self.branches - 1) * each
            branches.append(Conv2d(filters, conv.window, (1, 1), padding, dilation, 1, conv.bias))
        return reduce, branches

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the published code."""
        return (
            f"{self}: windows other than 3x3, dilations and uneven paddings keep the layer's map; activation "
            "and normalisation behind a layer stay as they are",
        )


def _reaches(op: Conv2d, read: Shape, written: Shape) -> bool:
    """Whether some window of a branch touches the map, and not its padding only."""
    rows = Axis(written[2], read[2], op.window[0], 1, op.dilation[0], op.padding[0])
    cols = Axis(written[3], read[3], op.window[1], 1, op.dilation[1], op.padding[2])
    return touched(rows) > 0 and touched(cols) > 0


def _same(room: int) -> tuple[int, int]:
    """Padding before and after that makes up for so many positions."""
    return room // 2, room - room // 2


def _convolved(x: Array, op: Conv2d, own: Arrays, name: str) -> Array:
    """``y[o] = sum over c of w[o, c] * x[c]``."""
    weight = own[f"{name}.weight"]
    made = [sum(plane(x[:, c], weight[o, c], op) for c in range(x.shape[1])) for o in range(len(weight))]
    return with_bias(np.stack(made, axis=1), own.get(f"{name}.bias"))


def parse(text: str) -> ESP:
    """Return the scheme written behind ``esp:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("esp", text, {"branches": f"2..{_MOST}", "residual": "|".join(_RESIDUAL)})
    branches = integer("esp", "branches", given["branches"]) if "branches" in given else ESP.branches
    return ESP(branches, given.get("residual", ESP.residual))


KIND = SchemeKind(
    parse,
    "a reduction, then dilated convolutions side by side, summed and joined (Mehta et al. 2018)",
    ("esp", "esp:branches=3,residual=no"),
)
