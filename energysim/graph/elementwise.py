"""Normalisation, activation and element-wise operators.

Operation counts are conventions of this tool (assumed): one operation per element for an
activation and per addition or multiplication; 2 for a batch norm that cannot be folded
(scale, shift); 7 for layer and group norm (sum, square, sum of squares, subtract, scale by
the deviation, scale, shift); 5 for softmax (maximum, subtract, exponential, sum, divide);
n + 4 for local response norm over n channels (square, n - 1 additions, scale, shift, power,
divide); 6 for the logarithm of softmax (a logarithm more).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import (
    ANY_RANK,
    Shape,
    broadcast,
    need_count,
    need_rank,
    product,
    sample_axis,
)

__all__ = [
    "ACTIVATIONS",
    "EPSILON",
    "LRN_ALPHA",
    "LRN_BETA",
    "LRN_K",
    "Activation",
    "Add",
    "BatchNorm",
    "Dropout",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "LearnedAdd",
    "LocalResponseNorm",
    "LogSoftmax",
    "Multiply",
    "Softmax",
]

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "hardswish", "hardsigmoid")

#: Added to every variance (PyTorch's default for batch, layer, group and instance norm).
EPSILON = 1e-5
#: Krizhevsky, Sutskever and Hinton, NIPS 2012, section 3.3. Alpha multiplies the plain sum of squares;
#: frameworks that divide it by the size first need ``alpha * size``.
LRN_K, LRN_ALPHA, LRN_BETA = 2.0, 1e-4, 0.75


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
        need_rank(shapes, 1, ANY_RANK, "an activation")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])


@dataclass(frozen=True)
class Dropout(Operator):
    """Dropout: the identity at inference."""

    category: ClassVar[Category] = "epilogue"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "dropout")
        return _same(shapes)


@dataclass(frozen=True)
class BatchNorm(Operator):
    """Batch normalisation over channels (axis 1); ``affine`` gives it a weight and a bias of C."""

    affine: bool = True
    epsilon: float = EPSILON

    category: ClassVar[Category] = "epilogue"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK[1:], "batch norm")
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
    epsilon: float = EPSILON

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK[1:], "layer norm")
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
    epsilon: float = EPSILON

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK[1:], "group norm")
        if self.groups < 1 or shapes[0][1] % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {shapes[0][1]} channels")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        channels = shapes[0][1]
        return {"weight": (channels,), "bias": (channels,)} if self.affine else {}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 7 * product(outputs[0])


@dataclass(frozen=True)
class InstanceNorm(Operator):
    """Normalisation of each channel of each sample: (N, C, ...) over all axes from the third on."""

    affine: bool = True
    epsilon: float = EPSILON

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK[2:], "instance norm")
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
    alpha: float = LRN_ALPHA
    beta: float = LRN_BETA
    k: float = LRN_K

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
        need_rank(shapes, 1, ANY_RANK, "softmax")
        sample_axis(self.axis, shapes[0], "softmax")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 5 * product(outputs[0])


@dataclass(frozen=True)
class LogSoftmax(Operator):
    """The logarithm of a softmax along ``axis``."""

    axis: int = -1

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "log-softmax")
        sample_axis(self.axis, shapes[0], "log-softmax")
        return _same(shapes)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 6 * product(outputs[0])


@dataclass(frozen=True)
class Add(Operator):
    """Element-wise sum of two or more tensors; axes of length 1 are repeated."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (broadcast(shapes, "addition"),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return (len(inputs) - 1) * product(outputs[0])


@dataclass(frozen=True)
class Multiply(Operator):
    """Element-wise product of two or more tensors (squeeze-and-excite); axes of 1 are repeated."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (broadcast(shapes, "multiplication"),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return (len(inputs) - 1) * product(outputs[0])


@dataclass(frozen=True)
class LearnedAdd(Operator):
    """Adds a learned tensor of one sample's shape (a position embedding)."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK[1:], "a learned addition")
        return _same(shapes)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"weight": shapes[0][1:]}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0])
