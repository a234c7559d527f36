"""Constant tensors, and elements looked up by computed indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from energysim.errors import ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, need_count, need_rank, product, sample_axis, text

__all__ = ["Constant", "Embedding", "ExpandBatch", "GatherElements", "computed_inputs"]

if TYPE_CHECKING:
    from energysim.graph.layergraph import LayerGraph, Node


@dataclass(frozen=True)
class Constant(Operator):
    """A learned or constant tensor, the same for every sample: no input, an output of (1, ``shape``).

    Its parameter ``value`` has the shape of the output. It costs nothing where it stands; layers
    that read it read weights.
    """

    shape: tuple[int, ...]

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        for size in self.shape:
            need_count(size, "shape")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if shapes:
            raise ShapeError(f"a constant takes no input, not {len(shapes)}")
        return ((1, *self.shape),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"value": (1, *self.shape)}


@dataclass(frozen=True)
class ExpandBatch(Operator):
    """Repeats (1, ...), e.g. a constant, for each sample of a second tensor (N, ...), which is not read."""

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 2, ANY_RANK, "an expansion of the batch")
        if shapes[0][0] not in (1, shapes[1][0]):
            raise ShapeError(f"{text(shapes[0])} cannot be repeated for a batch of {shapes[1][0]}")
        return ((shapes[1][0], *shapes[0][1:]),)


@dataclass(frozen=True)
class Embedding(Operator):
    """Rows of a learned table (entries, size) looked up by index: (N, ...) -> (N, ..., size).

    The whole table is stored; fetched are as many rows as there are indices, at most all of them
    (assumed: indices differ, a row is fetched once).
    """

    entries: int
    size: int

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        need_count(self.entries, "entries")
        need_count(self.size, "size")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "an embedding")
        return ((*shapes[0], self.size),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"weight": (self.entries, self.size)}

    def fetched(self, shapes: tuple[Shape, ...]) -> int:
        """Return how many weights are read."""
        return min(product(shapes[0]), self.entries) * self.size


@dataclass(frozen=True)
class GatherElements(Operator):
    """Elements of the first tensor at the indices in the second, along an axis.

    ``out[n, i, j] = data[n, index[n, i, j], j]`` for axis 1. The axes of the index tensor are no
    longer than those of the data but for that one. One element is read per index.
    """

    axis: int

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 2, ANY_RANK, "gathering")
        data, indices = shapes
        axis = sample_axis(self.axis, data, "gathering")
        if len(data) != len(indices) or any(
            b > a for i, (a, b) in enumerate(zip(data, indices, strict=True)) if i != axis
        ):
            raise ShapeError(f"indices {text(indices)} do not fit {text(data)} along axis {axis}")
        if indices[0] != data[0]:
            raise ShapeError(f"indices for a batch of {indices[0]}, data for one of {data[0]}")
        return (indices,)


def computed_inputs(graph: LayerGraph, node: Node) -> tuple[str, ...]:
    """Return the tensors a node reads that are no constants, nor views of one."""
    return tuple(tensor for tensor in node.inputs if not _is_constant(graph, tensor))


def _is_constant(graph: LayerGraph, tensor: str) -> bool:
    while (producer := graph.tensors[tensor].producer) is not None:
        node = graph.node(producer)
        if isinstance(node.op, Constant):
            return True
        if node.op.category != "view" or not node.inputs:
            return False
        tensor = node.inputs[0]
    return False
