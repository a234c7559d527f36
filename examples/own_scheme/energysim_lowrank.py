"""``lowrank:rank=K``: an R x 1 convolution to K maps, then a 1 x S convolution, in the place of R x S.

Source: Jaderberg, Vedaldi, Zisserman, "Speeding up Convolutional Neural Networks with Low Rank
Expansions", BMVC 2014, scheme 2. K*C*R*P*W + M*K*S*P*Q multiply-adds, K*(C*R + M*S) weights.
"""

from dataclasses import dataclass, replace

import numpy as np

from energysim.graph import Conv2d
from energysim.schemes import Block, RewritingScheme, SchemeKind
from energysim.schemes.parameters import check_range, integer, read_parameters


@dataclass(frozen=True)
class LowRank(RewritingScheme):
    """A column and a row convolution; ``rank`` is K."""

    rank: int = 16

    def __post_init__(self):
        check_range("lowrank", "rank", self.rank, 1, 4096)

    def __str__(self):
        return f"lowrank:rank={self.rank}"

    def block(self, layer):
        """Return what a layer becomes, or why it stays as it is."""
        op, k, (m, c, r, s) = layer.conv, self.rank, layer.weight_shape
        if op.groups > 1:
            return "grouped convolution"
        if k * (c * r + m * s) >= m * c * r * s:
            return f"{k} maps of columns and rows have no fewer weights"

        def derive(dense):  # the nearest of this rank: a singular value decomposition of (C*R) x (M*S)
            matrix = dense["weight"].transpose(1, 2, 0, 3).reshape(c * r, m * s)
            left, values, right = np.linalg.svd(matrix, full_matrices=False)
            columns = (left[:, :k] * values[:k]).T.reshape(k, c, r, 1)
            rows = right[:k].reshape(k, m, 1, s).transpose(1, 0, 2, 3)
            return {**dense, "column.weight": columns, "weight": np.ascontiguousarray(rows)}

        def equivalent(own):  # the dense layer that computes the same
            full = np.einsum("kcr,mks->mcrs", own["column.weight"][..., 0], own["weight"][:, :, 0])
            return {**{name: array for name, array in own.items() if name == "bias"}, "weight": full}

        (top, bottom, left, right), (down, across), (rows, cols) = op.padding, op.stride, op.dilation
        column = Conv2d(k, (r, 1), (down, 1), (top, bottom, 0, 0), (rows, 1), bias=False)
        row = replace(op, window=(1, s), stride=(1, across), padding=(0, 0, left, right), dilation=(1, cols))
        block = Block(layer, "E2", derive=derive, equivalent=equivalent)
        return block.end(row, block.part("column", column, layer.input))


def parse(text):
    """Return the scheme written behind ``lowrank:``."""
    given = read_parameters("lowrank", text, {"rank": "1..4096"})
    return LowRank(**{key: integer("lowrank", key, value) for key, value in given.items()})


KIND = SchemeKind(parse, "a column and a row convolution (Jaderberg et al. 2014)", ("lowrank:rank=16",))
