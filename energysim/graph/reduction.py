"""Operators that sum up axes, or search along one. The batch axis is never reduced.

Operation counts are conventions of this tool (assumed): see :data:`REDUCTIONS` for those per
element of the input and of the output; one comparison per element for the place of an extreme;
one addition per element for running sums; for the k largest of an axis a heap of k, so
``1 + ceil(log2(k))`` comparisons per element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, need_count, need_rank, product, sample_axis, text

__all__ = ["REDUCTIONS", "ArgReduce", "CumulativeSum", "Reduce", "TopK"]

#: Function -> operations per element of the input, and of the output.
REDUCTIONS: dict[str, tuple[int, int]] = {
    "sum": (1, 0),
    "mean": (1, 1),
    "max": (1, 0),
    "min": (1, 0),
    "prod": (1, 0),
    "l1": (2, 0),  # magnitude, addition
    "l2": (2, 1),  # square, addition; root
    "sum_square": (2, 0),
    "log_sum": (1, 1),
    "log_sum_exp": (4, 2),  # maximum, subtraction, exponential, addition; logarithm, addition
}


def _reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    kept = [1 if i in axes else size for i, size in enumerate(shape) if keepdims or i not in axes]
    return tuple(kept)


@dataclass(frozen=True)
class Reduce(Operator):
    """Sum, mean, extreme, product or norm over some axes, which get the length 1 or go."""

    function: str
    axes: tuple[int, ...]
    keepdims: bool = True

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.function not in REDUCTIONS:
            raise GraphError(f"a reduction is one of {', '.join(REDUCTIONS)}, not {self.function!r}")
        if not isinstance(self.axes, tuple) or not all(type(a) is int for a in self.axes) or not self.axes:
            raise GraphError(f"axes must be a tuple of whole numbers, not {self.axes!r}")

    def places(self, rank: int) -> tuple[int, ...]:
        """Return the axes counted from the front, ascending."""
        return tuple(sorted(a + rank if a < 0 else a for a in self.axes))

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "a reduction")
        axes = [sample_axis(a, shapes[0], "a reduction") for a in self.axes]
        if len(set(axes)) != len(axes):
            raise ShapeError(f"a reduction names an axis twice: {self.axes} of {text(shapes[0])}")
        return (_reduced(shapes[0], tuple(axes), self.keepdims),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        each, last = REDUCTIONS[self.function]
        return each * product(inputs[0]) + last * product(outputs[0])


@dataclass(frozen=True)
class ArgReduce(Operator):
    """Where the largest or smallest element of an axis stands: the first such place, or the last."""

    function: Literal["max", "min"]
    axis: int
    keepdims: bool = True
    last: bool = False

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.function not in ("max", "min"):
            raise GraphError(f"the place of an extreme is that of max or min, not {self.function!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "the place of an extreme")
        axis = sample_axis(self.axis, shapes[0], "the place of an extreme")
        return (_reduced(shapes[0], (axis,), self.keepdims),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(inputs[0])


@dataclass(frozen=True)
class CumulativeSum(Operator):
    """Running sums along an axis: with or without the element itself, from the front or the end."""

    axis: int
    exclusive: bool = False
    reverse: bool = False

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "a running sum")
        sample_axis(self.axis, shapes[0], "a running sum")
        return (shapes[0],)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])


@dataclass(frozen=True)
class TopK(Operator):
    """The ``count`` largest (or smallest) elements of an axis in order, and their places: two outputs.

    Among equal elements the one that stands first comes first.
    """

    count: int
    axis: int = -1
    largest: bool = True

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        need_count(self.count, "count")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "the largest elements")
        axis = sample_axis(self.axis, shapes[0], "the largest elements")
        if self.count > shapes[0][axis]:
            raise ShapeError(f"axis {axis} of {text(shapes[0])} has no {self.count} elements")
        shape = (*shapes[0][:axis], self.count, *shapes[0][axis + 1 :])
        return shape, shape

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(inputs[0]) * (1 + (self.count - 1).bit_length())
