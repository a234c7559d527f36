"""A node of the graph -> a loop nest with tensors, or a stream.

Loop dimensions are always N, G, M, C, P, Q, R, S: batch, groups, filters and channels of one
group, output rows and columns, kernel rows and columns. Which (M, C, R, S) points exist is the
kernel's word. Two nodes with equal workloads cost the same and are evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from energysim.errors import UnknownOperatorError
from energysim.graph import Conv2d, ConvTranspose2d, LayerGraph, Linear, MatMul, Node, Pool2d, Tensor
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
    """

    batch: int
    groups: int
    filters: int
    channels: int
    rows: Axis
    cols: Axis
    kernel: Kernel

    @property
    def positions(self) -> int:
        """Window positions of the whole batch: what one weight is multiplied with."""
        return self.batch * self.rows.positions * self.cols.positions

    @property
    def macs(self) -> int:
        """Multiply-adds with existing weights, padding included (the usual count)."""
        return self.positions * self.kernel.nonzeros

    @property
    def dense_macs(self) -> int:
        """Multiply-adds of the layer with all weights."""
        return self.positions * product(self.kernel.shape)

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
    """

    shape: Shape
    bits: int | None = None
    density: Fraction = Fraction(1)
    stored_density: Fraction = Fraction(1)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return product(self.shape)


@dataclass(frozen=True)
class MacWorkload:
    """A loop nest with its tensors; ``second`` is the computed right-hand side of a matrix product."""

    nest: LoopNest
    inputs: Operand
    outputs: Operand
    second: Operand | None = None
    other_ops: int = 0


@dataclass(frozen=True)
class StreamWorkload:
    """Reads each input once, writes each output once.

    Attributes
    ----------
    touched : tuple of int
        Elements of each input that are needed.
    parameters : int
        Weights read along (scales of a normalisation, an embedding).
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    touched: tuple[int, ...]
    other_ops: int = 0
    parameters: int = 0


Workload = MacWorkload | StreamWorkload


def _operand(tensor: Tensor) -> Operand:
    return Operand(tensor.shape, tensor.bits, tensor.density, tensor.density)


def _conv(graph: LayerGraph, node: Node, op: Conv2d) -> LoopNest:
    ((batch, channels, height, width),) = graph.input_shapes(node)
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
    kernel = DenseKernel((op.out_features, shape[-1], 1, 1))
    return LoopNest(shape[0], 1, op.out_features, shape[-1], Axis(length, length), Axis(1, 1), kernel)


def _matmul(graph: LayerGraph, node: Node, op: MatMul) -> LoopNest:
    left, right = graph.input_shapes(node)
    groups, rows, channels, filters = product(left[:-2]), left[-2], left[-1], right[-1]
    kernel = DenseKernel((groups * filters, channels, 1, 1))
    return LoopNest(1, groups, filters, channels, Axis(rows, rows), Axis(1, 1), kernel)


#: Operator type -> function (graph, node, operator) -> LoopNest. New operators are added here.
LOOP_NESTS: dict[type, Callable[..., LoopNest]] = {
    Conv2d: _conv,
    ConvTranspose2d: _deconv,
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
    inputs = tuple(_operand(graph.tensors[t]) for t in node.inputs)
    outputs = tuple(_operand(graph.tensors[t]) for t in node.outputs)
    other = op.other_ops(graph.input_shapes(node), graph.output_shapes(node))
    nest = LOOP_NESTS.get(type(op))
    if nest is not None:
        second = inputs[1] if len(inputs) > 1 else None
        return MacWorkload(nest(graph, node, op), inputs[0], outputs[0], second, other)
    if op.category == "view":
        return None
    if op.category in ("stream", "epilogue"):
        weights = sum(product(s) for s in op.parameters(graph.input_shapes(node)).values())
        needed = tuple(operand.elements for operand in inputs)
        if isinstance(op, Pool2d):
            needed = (_pooled_inputs(graph, node, op),)
        return StreamWorkload(inputs, outputs, needed, other, weights)
    raise UnknownOperatorError(
        f"node {node.name!r} of {graph.name!r}: nothing is known of the cost of operator {op.kind!r}"
    )


def _pooled_inputs(graph: LayerGraph, node: Node, op: Pool2d) -> int:
    """Input elements that some pooling window touches."""
    ((batch, channels, height, width),) = graph.input_shapes(node)
    ((_, _, rows, cols),) = graph.output_shapes(node)
    axes = (
        Axis(rows, height, op.window[0], op.stride[0], op.dilation[0], op.padding[0]),
        Axis(cols, width, op.window[1], op.stride[1], op.dilation[1], op.padding[2]),
    )
    return batch * channels * touched(axes[0]) * touched(axes[1])
