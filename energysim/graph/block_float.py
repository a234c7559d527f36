"""Rounding to block floating point: the channels of a block at one place share an exponent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, need_count, need_rank, product

__all__ = ["BlockFloat"]


@dataclass(frozen=True)
class BlockFloat(Operator):
    """Each value becomes a multiple of ``2**(E - m + 2)`` with E the largest floor(log2|x|) of its block.

    A block are ``block`` consecutive channels (axis 1) at one place; the last one may be shorter. E is
    kept within -2**(e-1) .. 2**(e-1) - 1, the multiple within -2**(m-1) .. 2**(m-1) - 1 (both assumed).
    Two operations per value (assumed): comparing exponents, rounding.

    Parameters
    ----------
    block, mantissa, exponent : int
        B; m, with the sign [bit]; e [bit].
    """

    block: int
    mantissa: int
    exponent: int

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        need_count(self.block, "block")
        need_count(self.mantissa, "mantissa")
        need_count(self.exponent, "exponent")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "block floating point")
        return (shapes[0],)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 2 * product(outputs[0])
