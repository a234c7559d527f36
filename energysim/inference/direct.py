"""The reference plan: every node by its definition, with dense weights."""

from __future__ import annotations

from energysim.graph import (
    Activation,
    Add,
    BatchNorm,
    CombConv2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    LayerGraph,
    LearnedAdd,
    Linear,
    MatMul,
    Multiply,
    Node,
    Pool2d,
)
from energysim.graph.shapes import Shape, product
from energysim.inference.base import Plan
from energysim.inference.memory import most_bytes
from energysim.inference.reference import function_of, run_operator
from energysim.inference.reference.convolution import BLOCK_BYTES
from energysim.inference.reference.types import Array
from energysim.inference.weights import Weights, check_weights, masked

__all__ = ["ReferencePlan", "dense_macs", "make_plan", "workspace_bytes"]


class ReferencePlan(Plan):
    """Runs the functions of ``energysim.inference.reference``; float32 throughout.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    threads : int

    Raises
    ------
    WeightsError
        If the weights do not belong to the network.
    UnknownOperatorError
        If a node cannot be run.
    """

    def __init__(self, graph: LayerGraph, weights: Weights, threads: int = 1) -> None:
        super().__init__(graph, threads)
        for node in graph.nodes:
            function_of(node)
        self._parameters = by_node(graph, masked(graph, check_weights(graph, weights)))

    @property
    def memory_bytes(self) -> int:
        held = sum(a.nbytes for arrays in self._parameters.values() for a in arrays.values())
        return held + most_bytes(
            self.graph, lambda _: 4, lambda node: self.shares * workspace_bytes(self.graph, node, 4)
        )

    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        outputs = run_operator(node, inputs, self._parameters[node.name])
        macs = dense_macs(node, inputs, outputs)
        if macs:
            self.counter.add(node.name, macs)
        return outputs


def make_plan(graph: LayerGraph, weights: Weights, threads: int = 1) -> ReferencePlan:
    """Return the reference plan."""
    return ReferencePlan(graph, weights, threads)


def by_node(graph: LayerGraph, weights: Weights) -> dict[str, dict[str, Array]]:
    """Return the arrays of each node by suffix."""
    found: dict[str, dict[str, Array]] = {node.name: {} for node in graph.nodes}
    for name, array in weights.items():
        node, _, suffix = name.rpartition(".")
        found[node][suffix] = array
    return found


def dense_macs(node: Node, inputs: tuple[Array, ...], outputs: tuple[Array, ...]) -> int:
    """Return the multiply-adds of a node with all weights, zeros and padding included; 0 for others."""
    op, written = node.op, product(outputs[0].shape)
    if op.category != "mac":
        return 0
    read: Shape = inputs[0].shape
    if isinstance(op, Conv2d | DeformConv2d):
        return written * (read[1] // op.groups) * product(op.window)
    if isinstance(op, CombConv2d):
        made: Shape = outputs[0].shape
        rows, cols = made[2:]
        share = written // (rows * cols) * (rows * cols - op.copied(rows, cols))
        return share * (read[1] // op.convolution.groups) * product(op.convolution.window)
    if isinstance(op, ConvTranspose2d):
        return product(read) * (op.out_channels // op.groups) * product(op.window)
    return written * read[-1] if isinstance(op, Linear | MatMul) else 0


def workspace_bytes(graph: LayerGraph, node: Node, itemsize: int) -> int:
    """Return a bound of what a node of the reference needs besides inputs and outputs."""
    op, shapes = node.op, graph.input_shapes(node)
    if isinstance(op, Conv2d | ConvTranspose2d):
        row = product(shapes[0][1:2]) * shapes[0][3] + op.out_channels * graph.output_shapes(node)[0][3]
        weight = product(op.parameters(shapes)["weight"])
        return weight * itemsize + 2 * max(BLOCK_BYTES, row * itemsize)
    if op in (Activation("relu"), Activation("relu6")) or op.category == "view":
        return 0
    if isinstance(op, Linear | MatMul | Concat):
        return 0
    if isinstance(op, Pool2d):
        return 3 * 8 * product(graph.output_shapes(node)[0][2:])
    if isinstance(op, CombConv2d):  # the padded map, the inputs of one tap, sums and copies
        (_, _, high, wide), (top, bottom, left, right) = shapes[0], op.convolution.padding
        padded = product(shapes[0][:2]) * (high + top + bottom) * (wide + left + right)
        (made,) = graph.output_shapes(node)
        return 2 * itemsize * (padded + product((*shapes[0][:2], *made[2:])) + 2 * product(made))
    if isinstance(op, DeformConv2d):  # samples of one tap, places and shares
        return 4 * itemsize * product(shapes[0][:2]) * product(graph.output_shapes(node)[0][2:])
    size = itemsize * max(product(s) for s in graph.output_shapes(node))
    if isinstance(op, Add | Multiply | LearnedAdd | BatchNorm):
        return 2 * size
    # Other formulas hold some arrays of their output's size, the exact GELU an array of objects.
    return 24 * size
