"""A node of the graph -> a loop nest with tensors, or a stream.

Loop dimensions are always N, G, M, C, P, Q, R, S: batch, groups, filters and channels of one
group, output rows and columns, kernel rows and columns. Which (M, C, R, S) points exist is the
kernel's word. Two nodes with equal workloads cost the same and are evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from energysim.errors import UnknownOperatorError
from energysim.extra import NOTHING, Extra
from energysim.graph import (
    CombConv2d,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    Embedding,
    GatherElements,
    LayerGraph,
    Linear,
    MatMul,
    Node,
    Pool2d,
    Tensor,
)
from energysim.graph.lookup import computed_inputs
from energysim.graph.shapes import Shape, product
from energysim.kernels import DenseKernel, Kernel
from energysim.windows import Axis, touched, window_pairs

__all__ = [
    "Axis",
    "LoopNest",
    "MacWorkload",
    "Operand",
    "StreamWorkload",
    "Workload",
    "lower",
    "moved",
    "touched",
    "window_pairs",
]


@dataclass(frozen=True)
class LoopNest:
    """The multiply-adds of one layer.

    Attributes
    ----------
    batch, groups, filters, channels : int
        N, G, and M, C of one group.
    rows, cols : Axis
        P and R, Q and S with stride, dilation and padding.
    kernel : Kernel
        Over all groups: shape (G*M, C, R, S).
    copied : int
        Output positions of a map that are copied and not computed.
    """

    batch: int
    groups: int
    filters: int
    channels: int
    rows: Axis
    cols: Axis
    kernel: Kernel
    copied: int = 0

    @property
    def positions(self) -> int:
        """Window positions of the whole batch: what one weight is multiplied with."""
        return self.batch * (self.rows.positions * self.cols.positions - self.copied)

    @property
    def macs(self) -> int:
        """Multiply-adds with existing weights, padding included (the usual count)."""
        return self.positions * self.kernel.nonzeros

    @property
    def dense_macs(self) -> int:
        """Multiply-adds of the layer with all weights."""
        return self.positions * product(self.kernel.shape)

    @property
    def copies(self) -> int:
        """Elements of the output tensor that are copied."""
        return self.batch * self.groups * self.filters * self.copied

    @property
    def output_elements(self) -> int:
        """Elements of the output tensor."""
        return self.batch * self.groups * self.filters * self.rows.outputs * self.cols.outputs

    @property
    def input_elements(self) -> int:
        """Elements of the input tensor, touched or not."""
        return self.batch * self.groups * self.channels * self.rows.inputs * self.cols.inputs

    @property
    def touched_inputs(self) -> int:
        """Input elements that some window touches."""
        return self.batch * self.groups * self.channels * touched(self.rows) * touched(self.cols)


@dataclass(frozen=True)
class Operand:
    """How one computed tensor is seen by a workload.

    Attributes
    ----------
    shape : tuple of int
        For the whole batch, batch first.
    bits : int or None
        Width of an element; None means the hardware's native width.
    density : Fraction
        Share of nonzeros among the values that are computed with.
    stored_density : Fraction
        Share of nonzeros in memory (differs where an activation is applied on loading).
    on_chip : bool
        Whether it is passed on without DRAM.
    packed : (int, int) or None
        Values and side bits in memory per sample, where its form there is its own.
    """

    shape: Shape
    bits: int | None = None
    density: Fraction = Fraction(1)
    stored_density: Fraction = Fraction(1)
    on_chip: bool = False
    packed: tuple[int, int] | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return product(self.shape)


@dataclass(frozen=True)
class MacWorkload:
    """A loop nest with its tensors.

    Attributes
    ----------
    second : Operand or None
        The computed right-hand side of a matrix product.
    beside : tuple of Operand
        Further computed tensors, each read once (offsets of a deformable convolution).
    """

    nest: LoopNest
    inputs: Operand
    outputs: Operand
    second: Operand | None = None
    other_ops: int = 0
    beside: tuple[Operand, ...] = ()
    extra: Extra = NOTHING


@dataclass(frozen=True)
class StreamWorkload:
    """Reads each input once, writes each output once.

    Attributes
    ----------
    touched : tuple of int
        Elements of each input that are needed.
    parameters : int
        Weights stored for it and read along (scales of a normalisation, an embedding, constants).
    fetched : int or None
        How many of them are read; None: all.
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    touched: tuple[int, ...]
    other_ops: int = 0
    parameters: int = 0
    fetched: int | None = None
    extra: Extra = NOTHING


Workload = MacWorkload | StreamWorkload


def _operand(tensor: Tensor) -> Operand:
    return Operand(tensor.shape, tensor.bits, tensor.density, tensor.density)


def _conv(graph: LayerGraph, node: Node, op: Conv2d) -> LoopNest:
    batch, channels, height, width = graph.input_shapes(node)[0]
    ((_, filters, rows, cols),) = graph.output_shapes(node)
    g = op.groups
    return LoopNest(
        batch,
        g,
        filters // g,
        channels // g,
        Axis(rows, height, op.window[0], op.stride[0], op.dilation[0], op.padding[0]),
        Axis(cols, width, op.window[1], op.stride[1], op.dilation[1], op.padding[2]),
        op.layout(graph.input_shapes(node)),
    )


def _deformable(graph: LayerGraph, node: Node, op: DeformConv2d) -> LoopNest:
    """The convolution of its samples, which are taken to lie where an ordinary one reads (assumed)."""
    return _conv(graph, node, op.convolution)


def _comb(graph: LayerGraph, node: Node, op: CombConv2d) -> LoopNest:
    rows, cols = graph.output_shapes(node)[0][2:]
    return replace(_conv(graph, node, op.convolution), copied=op.copied(rows, cols))


def _deconv(graph: LayerGraph, node: Node, op: ConvTranspose2d) -> LoopNest:
    ((batch, channels, height, width),) = graph.input_shapes(node)
    ((_, filters, rows, cols),) = graph.output_shapes(node)
    g = op.groups
    return LoopNest(
        batch,
        g,
        filters // g,
        channels // g,
        Axis(rows, height, op.window[0], op.stride[0], op.dilation[0], op.padding[0], transposed=True),
        Axis(cols, width, op.window[1], op.stride[1], op.dilation[1], op.padding[2], transposed=True),
        DenseKernel((filters, channels // g, *op.window)),
    )


def _linear(graph: LayerGraph, node: Node, op: Linear) -> LoopNest:
    (shape,) = graph.input_shapes(node)
    length = product(shape[1:-1])
    kernel = op.layout(graph.input_shapes(node))
    return LoopNest(shape[0], 1, op.out_features, shape[-1], Axis(length, length), Axis(1, 1), kernel)


def _matmul(graph: LayerGraph, node: Node, op: MatMul) -> LoopNest:
    left, right = graph.input_shapes(node)
    groups, rows, channels, filters = product(left[:-2]), left[-2], left[-1], right[-1]
    kernel = DenseKernel((groups * filters, channels, 1, 1))
    return LoopNest(1, groups, filters, channels, Axis(rows, rows), Axis(1, 1), kernel)


#: Operator type -> function (graph, node, operator) -> LoopNest. New operators are added here.
LOOP_NESTS: dict[type, Callable[..., LoopNest]] = {
    CombConv2d: _comb,
    Conv2d: _conv,
    ConvTranspose2d: _deconv,
    DeformConv2d: _deformable,
    Linear: _linear,
    MatMul: _matmul,
}


def lower(graph: LayerGraph, node: Node) -> Workload | None:
    """Return the workload of a node, or None for one that moves and computes nothing (a view).

    Raises
    ------
    UnknownOperatorError
        If nothing is known of the operator's cost; names node, operator and graph.
    """
    op = node.op
    shapes, written = graph.input_shapes(node), graph.output_shapes(node)
    outputs = tuple(_operand(graph.tensors[t]) for t in node.outputs)
    other = op.other_ops(shapes, written)
    nest = LOOP_NESTS.get(type(op))
    if nest is not None:
        inputs = tuple(_operand(graph.tensors[t]) for t in node.inputs)
        found = MacWorkload(nest(graph, node, op), inputs[0], outputs[0], other_ops=other)
        if isinstance(op, CombConv2d):  # a copy is an element read at an address of its own
            return replace(found, extra=Extra(gathers=found.nest.copies))
        if isinstance(op, DeformConv2d):
            return replace(found, beside=inputs[1:], extra=Extra(gathers=4 * op.samples(shapes, written)))
        return replace(found, second=inputs[1] if len(inputs) > 1 else None)
    if op.category == "view":
        return None
    if op.category in ("stream", "epilogue"):
        names = computed_inputs(graph, node)
        inputs = tuple(_operand(graph.tensors[t]) for t in names)
        needed = tuple(operand.elements for operand in inputs)
        constant = sum(product(graph.tensors[t].shape[1:]) for t in set(node.inputs) - set(names))
        weights = sum(product(s) for s in op.parameters(shapes).values())
        if isinstance(op, Pool2d):
            needed = (_pooled_inputs(graph, node, op),)
        elif isinstance(op, GatherElements) and len(inputs) == 2:
            needed = (min(needed), needed[1])
        fetched = op.fetched(shapes) if isinstance(op, Embedding) else None
        return StreamWorkload(inputs, outputs, needed, other, weights + constant, fetched)
    raise UnknownOperatorError(
        f"node {node.name!r} of {graph.name!r}: nothing is known of the cost of operator {op.kind!r}"
    )


def moved(graph: LayerGraph, node: Node) -> StreamWorkload:
    """Return the workload of a view whose output is written to memory: all is read and written once."""
    inputs = tuple(_operand(graph.tensors[t]) for t in node.inputs)
    outputs = tuple(_operand(graph.tensors[t]) for t in node.outputs)
    return StreamWorkload(inputs, outputs, tuple(operand.elements for operand in inputs))


def _pooled_inputs(graph: LayerGraph, node: Node, op: Pool2d) -> int:
    """Input elements that some pooling window touches."""
    ((batch, channels, height, width),) = graph.input_shapes(node)
    ((_, _, rows, cols),) = graph.output_shapes(node)
    axes = (
        Axis(rows, height, op.window[0], op.stride[0], op.dilation[0], op.padding[0]),
        Axis(cols, width, op.window[1], op.stride[1], op.dilation[1], op.padding[2]),
    )
    return batch * channels * touched(axes[0]) * touched(axes[1])
