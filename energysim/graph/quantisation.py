"""Operators between real numbers and integers, and casts.

A quantisation counts 4 operations per element (scale, round, shift, saturate), its reverse 2 (shift,
scale), a cast to integers or truth values 1, to real numbers none (assumed).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, need_rank, product, sample_axis, text

__all__ = ["Cast", "Dequantize", "Quantize"]


def _need_scales(scale: tuple[float, ...], zero_point: tuple[int, ...], axis: int | None) -> None:
    if not scale or not all(type(s) is float and math.isfinite(s) and s > 0 for s in scale):
        raise GraphError("scales must be positive floats")
    if len(zero_point) != len(scale) or not all(type(z) is int for z in zero_point):
        raise GraphError(f"{len(scale)} scales take as many whole zero points, not {zero_point!r}")
    if axis is None and len(scale) > 1:
        raise GraphError(f"{len(scale)} scales need an axis")


def _infer(shapes: tuple[Shape, ...], count: int, axis: int | None, what: str) -> tuple[Shape, ...]:
    need_rank(shapes, 1, ANY_RANK, what)
    if axis is not None and count not in (1, shapes[0][sample_axis(axis, shapes[0], what)]):
        raise ShapeError(f"{count} scales along axis {axis} of {text(shapes[0])}")
    return (shapes[0],)


@dataclass(frozen=True)
class Quantize(Operator):
    """Integers nearest to ``x / scale + zero_point``, halves to the even one, saturated.

    Parameters
    ----------
    bits : int
        1 to 32: from -2**(bits-1) to 2**(bits-1) - 1, or from 0 to 2**bits - 1.
    signed : bool
    scale : tuple of float
        One, or one per element of ``axis``.
    zero_point : tuple of int
        As many.
    axis : int, optional
    """

    bits: int
    signed: bool
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= 32:
            raise GraphError(f"the bits of a quantisation are a whole number from 1 to 32, not {self.bits!r}")
        _need_scales(self.scale, self.zero_point, self.axis)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return _infer(shapes, len(self.scale), self.axis, "a quantisation")

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 4 * product(outputs[0])


@dataclass(frozen=True)
class Dequantize(Operator):
    """The numbers that integers stand for: ``(q - zero_point) * scale``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        _need_scales(self.scale, self.zero_point, self.axis)

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return _infer(shapes, len(self.scale), self.axis, "a dequantisation")

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 2 * product(outputs[0])


@dataclass(frozen=True)
class Cast(Operator):
    """Another type of number: ``integer`` drops what stands behind the point, ``bool`` gives 1 or 0."""

    to: Literal["float", "integer", "bool"]

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        if self.to not in ("float", "integer", "bool"):
            raise GraphError(f"a cast is to float, integer or bool, not {self.to!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "a cast")
        return (shapes[0],)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 0 if self.to == "float" else product(outputs[0])
