"""The compact executor: convolutions and sparse linear layers on packed weights, for any kernel.

A block of output rows is computed at a time: its input rows are copied out with their padding, the
rows that a unit needs are gathered from them for the valid outputs, and one matrix product per unit
gives its filters. Nothing is computed that is no output, so there is no overhead to report.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.graph import Conv2d, LayerGraph, Linear, Node
from energysim.inference.base import Plan
from energysim.inference.direct import by_node, dense_macs, workspace_bytes
from energysim.inference.memory import most_bytes
from energysim.inference.packing import Unit, chosen, pack_units
from energysim.inference.reference import function_of, run_operator
from energysim.inference.reference.convolution import reached
from energysim.inference.reference.types import Array
from energysim.inference.weights import Weights, check_weights
from energysim.kernels import Kernel

__all__ = ["CompactConv", "CompactLinear", "CompactPlan", "make_plan", "packed_kernel", "packed_layer"]

#: What the gathered rows of a block, its input and its products may hold together [bytes].
_BLOCK_BYTES = 1 << 21


class CompactConv:
    """One convolution on packed weights.

    Parameters
    ----------
    op : Conv2d
    kernel : Kernel
        The operator's own, or the dense one if it has none.
    values : array of shape (nonzeros,)
        The weights that exist, in storage order.
    bias : array of shape (M,), optional
    compute, result : numpy types
        What products are computed in, and what the outputs are turned into.
    """

    def __init__(
        self,
        op: Conv2d,
        kernel: Kernel,
        values: Array,
        bias: Array | None = None,
        compute: Any = np.float32,
        result: Any = np.float32,
    ) -> None:
        self.op = op
        self.compute, self.result = np.dtype(compute), np.dtype(result)
        self.units = pack_units(kernel, op.groups, values, self.compute)
        self.bias = np.zeros(op.out_channels, self.compute) if bias is None else bias.astype(self.compute)
        self._runs = [tuple(unit.runs()) for unit in self.units]
        self._outputs = [chosen(unit.filters) for unit in self.units]

    @property
    def nbytes(self) -> int:
        """Bytes of packed weights, tables and bias."""
        arrays = (a for u in self.units for a in (u.weights, u.channels, u.taps, u.filters))
        return int(self.bias.nbytes) + sum(a.nbytes for a in arrays)

    def workspace_bytes(self, channels: int, out_cols: int, in_cols: int) -> int:
        """Return a bound of what a run holds besides input and output."""
        return 2 * max(_BLOCK_BYTES, self._row_bytes(channels, out_cols, in_cols))

    def _row_bytes(self, channels: int, out_cols: int, in_cols: int) -> int:
        """Bytes that one output row of one image takes up in a block."""
        gathered = max((u.channels.size + u.filters.size for u in self.units), default=0)
        window = (self.op.window[0] - 1) * self.op.dilation[0] + 1
        return int(self.compute.itemsize) * (2 * gathered * out_cols + channels * window * in_cols)

    def __call__(self, x: Array) -> tuple[Array, int]:
        """Return the outputs (N, M, P, Q) for inputs (N, C, H, W), and the multiply-adds executed."""
        ((n, m, p, q),) = self.op.infer((x.shape,))
        out = np.empty((n, m, p, q), dtype=self.result)
        out[:] = self.bias[:, None, None]  # for filters without any weight
        by_filter = out.transpose(1, 0, 2, 3)
        fits = max(1, _BLOCK_BYTES // self._row_bytes(x.shape[1], q, x.shape[3] + sum(self.op.padding[2:])))
        rows, images = min(fits, p), max(1, fits // p)
        macs = 0
        for n0 in range(0, n, images):
            for p0 in range(0, p, rows):
                n1, p1 = min(n, n0 + images), min(p, p0 + rows)
                block = self._padded(x[n0:n1], p0, p1)
                for unit, runs, filters in zip(self.units, self._runs, self._outputs, strict=True):
                    gathered = self._gathered(block, unit, runs, (n1 - n0, p1 - p0, q))
                    found = np.matmul(unit.weights, gathered)
                    macs += unit.weights.size * gathered.shape[2]
                    found += self.bias[unit.filters][:, :, None]
                    shape = found.shape[1:] if isinstance(filters, slice) else found.shape
                    by_filter[filters, n0:n1, p0:p1] = found.reshape(*shape[:-1], n1 - n0, p1 - p0, q)
        return out, macs

    def _padded(self, x: Array, p0: int, p1: int) -> Array:
        """Return the input rows of output rows p0 .. p1-1 with their padding, (C, N, rows, W + padding)."""
        op, (n, c, h, w) = self.op, x.shape
        top, _, left, right = op.padding
        first = p0 * op.stride[0] - top
        count = (p1 - 1 - p0) * op.stride[0] + (op.window[0] - 1) * op.dilation[0] + 1
        block = np.zeros((c, n, count, left + w + right), dtype=self.compute)
        a, b = reached(count, h, 1, first)
        if a < b:
            block[:, :, a:b, left : left + w] = x[:, :, first + a : first + b].transpose(1, 0, 2, 3)
        return block

    def _gathered(
        self, block: Array, unit: Unit, runs: tuple[Any, ...], positions: tuple[int, int, int]
    ) -> Array:
        """Return the operand of one unit, (B, K, images * rows * Q): a row per (channel, tap)."""
        op, (images, rows, cols) = self.op, positions
        found = np.empty((*unit.channels.shape, images, rows, cols), dtype=self.compute)
        for run in runs:
            up, side = run.tap // op.window[1] * op.dilation[0], run.tap % op.window[1] * op.dilation[1]
            down = slice(up, up + (rows - 1) * op.stride[0] + 1, op.stride[0])
            across = slice(side, side + (cols - 1) * op.stride[1] + 1, op.stride[1])
            found[:, run.first : run.last] = block[run.channels, :, down, across]
        return found.reshape(*unit.channels.shape, images * rows * cols)


class CompactLinear(CompactConv):
    """A linear layer on packed weights: a convolution of 1 x 1 maps, one for each row of features.

    Parameters as of :class:`CompactConv`, the kernel being laid out as (M, F, 1, 1).
    """

    def __init__(
        self,
        op: Linear,
        kernel: Kernel,
        values: Array,
        bias: Array | None = None,
        compute: Any = np.float32,
        result: Any = np.float32,
    ) -> None:
        pointwise = Conv2d(op.out_features, (1, 1), bias=op.bias)
        super().__init__(pointwise, kernel, values, bias, compute, result)

    def __call__(self, x: Array) -> tuple[Array, int]:
        """Return the outputs (..., M) for inputs (..., F), and the multiply-adds executed."""
        out, macs = super().__call__(x.reshape(-1, x.shape[-1], 1, 1))
        return out.reshape(*x.shape[:-1], out.shape[1]), macs


def packed_kernel(graph: LayerGraph, node: Node) -> Kernel | None:
    """Return the kernel of a node that runs on packed weights: convolutions, and sparse linear layers."""
    if isinstance(node.op, Conv2d):
        return node.op.layout(graph.input_shapes(node))
    return node.op.kernel if isinstance(node.op, Linear) else None


def packed_layer(
    node: Node,
    kernel: Kernel,
    weight: Array,
    bias: Array | None,
    compute: Any = np.float32,
    result: Any = np.float32,
) -> CompactConv:
    """Return a node of :func:`packed_kernel` ready to run; only the weights that exist are read."""
    values = kernel.pack(weight.reshape(kernel.shape))
    if isinstance(node.op, Linear):
        return CompactLinear(node.op, kernel, values, bias, compute, result)
    assert isinstance(node.op, Conv2d)
    return CompactConv(node.op, kernel, values, bias, compute, result)


class CompactPlan(Plan):
    """Convolutions on packed weights, everything else by the reference; float32 throughout.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
        Only what the kernels keep is read.
    threads : int

    Raises
    ------
    WeightsError
        If the weights do not belong to the network.
    UnknownOperatorError
        If a node cannot be run.
    """

    path = "compact"

    def __init__(self, graph: LayerGraph, weights: Weights, threads: int = 1) -> None:
        super().__init__(graph, threads)
        self._parameters = by_node(graph, check_weights(graph, weights))
        self._packed: dict[str, CompactConv] = {}
        for node in graph.nodes:
            function_of(node)
            kernel = packed_kernel(graph, node)
            if kernel is not None:
                own = self._parameters.pop(node.name)
                self._packed[node.name] = packed_layer(node, kernel, own["weight"], own.get("bias"))

    @property
    def memory_bytes(self) -> int:
        held = sum(a.nbytes for arrays in self._parameters.values() for a in arrays.values())
        held += sum(layer.nbytes for layer in self._packed.values())
        return held + most_bytes(self.graph, lambda _: 4, lambda node: self.shares * self._workspace(node))

    def _workspace(self, node: Node) -> int:
        layer = self._packed.get(node.name)
        if layer is None:
            return workspace_bytes(self.graph, node, 4)
        (read, *_), (written, *_) = self.graph.input_shapes(node), self.graph.output_shapes(node)
        if isinstance(layer, CompactLinear):
            return layer.workspace_bytes(read[-1], 1, 1)
        return layer.workspace_bytes(read[1], written[3], read[3] + sum(layer.op.padding[2:]))

    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        layer = self._packed.get(node.name)
        if layer is not None:
            out, macs = layer(inputs[0])
            self.counter.add(node.name, macs)
            return (out,)
        outputs = run_operator(node, inputs, self._parameters[node.name])
        macs = dense_macs(node, inputs, outputs)
        if macs:
            self.counter.add(node.name, macs)
        return outputs


def make_plan(graph: LayerGraph, weights: Weights, threads: int = 1) -> CompactPlan:
    """Return the compact plan."""
    return CompactPlan(graph, weights, threads)
