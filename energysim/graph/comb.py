"""Comb convolution (Li, Zhou, Huo, Kung, arXiv 1911.00387): half of the outputs are copies of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError
from energysim.graph.operators import Category, Conv2d, Operator
from energysim.graph.shapes import Shape, product

__all__ = ["CombConv2d"]


@dataclass(frozen=True)
class CombConv2d(Operator):
    """A convolution at every other output position; at the others the channel o mod C of the input.

    Position (i, j) is copied where ``(i + j + phase) mod 2 = 1`` (``checker``) or ``(j + phase) mod 2 = 1``
    (``column``): from below the middle tap of its window, row ``i*stride + (R div 2)*dilation - top``
    (i*stride with "same" padding), and 0 beside the map. No bias is added to a copy.

    Parameters
    ----------
    convolution : Conv2d
        Without a sparse kernel.
    pattern : {"checker", "column"}
    phase : {0, 1}
    """

    convolution: Conv2d
    pattern: Literal["checker", "column"] = "checker"
    phase: int = 0

    category: ClassVar[Category] = "mac"

    def __post_init__(self) -> None:
        if self.pattern not in ("checker", "column") or self.phase not in (0, 1):
            raise GraphError(
                f"a comb is checker or column in phase 0 or 1, not {self.pattern!r} in phase {self.phase!r}"
            )
        if self.convolution.kernel is not None:
            raise GraphError("a comb convolution has all weights of its windows")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return self.convolution.infer(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return self.convolution.parameters(shapes)

    def copied(self, rows: int, cols: int) -> int:
        """Return how many of the output positions of one map are copies."""
        if self.pattern == "column":
            return rows * ((cols + self.phase) // 2)
        return (rows * cols + self.phase) // 2

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        batch, filters, rows, cols = outputs[0]
        computed = rows * cols - self.copied(rows, cols)
        return product((batch, filters, computed)) if self.convolution.bias else 0
