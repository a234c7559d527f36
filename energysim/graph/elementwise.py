"""Normalisation, activation and element-wise operators.

Operation counts are conventions of this tool (assumed): one operation per element for an
activation and per addition or multiplication; 2 for a batch norm that cannot be folded
(scale, shift); 7 for layer and group norm (sum, square, sum of squares, subtract, scale by
the deviation, scale, shift); 5 for softmax (maximum, subtract, exponential, sum, divide);
n + 4 for local response norm over n channels (square, n - 1 additions, scale, shift, power,
divide).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Shape, need_count, need_rank, product, text

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Add",
    "BatchNorm",
    "Dropout",
    "GroupNorm",
    "LayerNorm",
    "LearnedAdd",
    "LocalResponseNorm",
    "Multiply",
    "Softmax",
]

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "hardswish", "hardsigmoid")


def _same(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return (shapes[0],)


@dataclass(frozen=True)
class Activation(Operator):
    """An element-wise function, named by ``function``."""

    function: str = "relu"

    category: ClassVar[Category] = "epilogue"

    def __post_init__(self) -> None:
        if self.function not in ACTIVATIONS:
            raise GraphError(f"an activation is one of {', '.join(ACTIVATIONS)}, not {self.function!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3, 4), "an activation")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])


@dataclass(frozen=True)
class Dropout(Operator):
    """Dropout: the identity at inference."""

    category: ClassVar[Category] = "epilogue"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3, 4), "dropout")
        return _same(shapes)


@dataclass(frozen=True)
class BatchNorm(Operator):
    """Batch normalisation over channels (axis 1); ``affine`` gives it a weight and a bias of C."""

    affine: bool = True

    category: ClassVar[Category] = "epilogue"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 4), "batch norm")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        channels = shapes[0][1]
        return {"weight": (channels,), "bias": (channels,)} if self.affine else {}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 2 * product(outputs[0])


@dataclass(frozen=True)
class LayerNorm(Operator):
    """Layer normalisation over the last axis."""

    affine: bool = True

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3, 4), "layer norm")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        size = shapes[0][-1]
        return {"weight": (size,), "bias": (size,)} if self.affine else {}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 7 * product(outputs[0])


@dataclass(frozen=True)
class GroupNorm(Operator):
    """Group normalisation over (channels of a group, H, W)."""

    groups: int = 1
    affine: bool = True

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "group norm")
        if self.groups < 1 or shapes[0][1] % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {shapes[0][1]} channels")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        channels = shapes[0][1]
        return {"weight": (channels,), "bias": (channels,)} if self.affine else {}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 7 * product(outputs[0])


@dataclass(frozen=True)
class LocalResponseNorm(Operator):
    """Divides each element by a power of the sum of squares over ``size`` neighbouring channels.

    Krizhevsky, Sutskever and Hinton, NIPS 2012, section 3.3. No parameters are learned.
    """

    size: int = 5

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        need_count(self.size, "the channels of a local response norm")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "local response norm")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return (self.size + 4) * product(outputs[0])


@dataclass(frozen=True)
class Softmax(Operator):
    """Softmax along ``axis`` (negative counts from the end; the batch axis is not allowed)."""

    axis: int = -1

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3, 4), "softmax")
        rank = len(shapes[0])
        if not -rank < self.axis < rank or self.axis == 0:
            raise ShapeError(f"softmax along axis {self.axis} of {text(shapes[0])}")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 5 * product(outputs[0])


def _broadcast(shapes: tuple[Shape, ...], what: str) -> Shape:
    if len(shapes) < 2:
        raise ShapeError(f"{what} takes at least two inputs, not {len(shapes)}")
    rank = len(shapes[0])
    result = list(shapes[0])
    for shape in shapes[1:]:
        fits = len(shape) == rank and all(a == b or 1 in (a, b) for a, b in zip(result, shape, strict=True))
        if not fits:
            raise ShapeError(f"{what} of shapes {' and '.join(map(text, shapes))}")
        result = [max(a, b) for a, b in zip(result, shape, strict=True)]
    return tuple(result)


@dataclass(frozen=True)
class Add(Operator):
    """Element-wise sum of two or more tensors; axes of length 1 are repeated."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (_broadcast(shapes, "addition"),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return (len(inputs) - 1) * product(outputs[0])


@dataclass(frozen=True)
class Multiply(Operator):
    """Element-wise product of two or more tensors (squeeze-and-excite); axes of 1 are repeated."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (_broadcast(shapes, "multiplication"),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return (len(inputs) - 1) * product(outputs[0])


@dataclass(frozen=True)
class LearnedAdd(Operator):
    """Adds a learned tensor of one sample's shape (a position embedding)."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3, 4), "a learned addition")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"weight": shapes[0][1:]}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])
