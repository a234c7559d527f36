"""The integer plan: 8 or 16 bits into exact sums of 32 or 64.

Native in integers: convolution, transposed convolution, linear layers and matrix products; ReLU,
maximum pooling, addition, concatenation, nearest upsampling, and all operators that only move data.
All others take the numbers that the integers stand for, run the reference in float64, and round the
result to the integers of their output; but operators that work with places of elements are refused.
``quantise`` states the rules of rounding and of scales.
"""

from __future__ import annotations

import math

import numpy as np

from energysim.errors import DataError, UnknownOperatorError
from energysim.graph import Add, Concat, Conv2d, ConvTranspose2d, LayerGraph, Linear, MatMul, Node
from energysim.inference.base import Images, Plan
from energysim.inference.calibration import random_images, ranges
from energysim.inference.compact import packed_kernel
from energysim.inference.direct import ReferencePlan, by_node, dense_macs, workspace_bytes
from energysim.inference.integer_layers import IntegerLayer, integer_layer, matmul_sums
from energysim.inference.memory import most_bytes
from energysim.inference.quantise import (
    WIDTHS,
    Encoding,
    has_places,
    is_relu,
    keeps_integers,
    quantised,
    rescaled,
    scale_of,
    stays_wide,
    useful_range,
)
from energysim.inference.reference import run_operator
from energysim.inference.reference.types import Array
from energysim.inference.weights import Weights, check_weights, masked

__all__ = ["IntegerPlan"]


class IntegerPlan(Plan):
    """A network in integers; what ``trace`` and ``run_node`` show are the integers themselves.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to float32 array
    mode : {"int8", "int16"}
    path : {"reference", "compact"}
        Both give the same integers.
    threads : int
    calibration : images, optional
        What the ranges of activations are taken from; four random images if not given.

    Attributes
    ----------
    encodings : dict of str to Encoding
        Type and scale of every tensor.

    Raises
    ------
    WeightsError, DataError
        If weights or images do not belong to the network, or a sum could pass the wide integer.
    UnknownOperatorError
        If an operator cannot be run in integers.
    """

    def __init__(
        self,
        graph: LayerGraph,
        weights: Weights,
        mode: str = "int8",
        path: str = "reference",
        threads: int = 1,
        calibration: Images | None = None,
    ) -> None:
        super().__init__(graph, threads)
        for node in graph.nodes:
            if has_places(node):
                raise UnknownOperatorError(
                    f"node {node.name!r}: {node.op.kind} works with places of elements, which integers "
                    "with a scale cannot hold: run it in float32"
                )
        self.mode, self.path = mode, path
        self._width = WIDTHS[mode]
        used = masked(graph, check_weights(graph, weights))
        images = random_images(graph, 4) if calibration is None else calibration
        largest = ranges(ReferencePlan(graph, used, threads), images)
        for tensor, magnitude in largest.items():
            if not math.isfinite(magnitude):
                raise DataError(f"tensor {tensor!r} is not finite on the calibration images")
        self._parameters = by_node(graph, used)
        self._layers: dict[str, IntegerLayer] = {}
        self.encodings: dict[str, Encoding] = {
            t: Encoding(self._width.narrow, scale_of(largest[t], self._width)) for t in graph.inputs
        }
        for node in graph.nodes:
            for tensor in node.outputs:
                self.encodings[tensor] = self._encoding(node, tensor, largest)

    def _encoding(self, node: Node, tensor: str, largest: dict[str, float]) -> Encoding:
        """Return how an output is held; quantise the node's weights on the way."""
        width = self._width
        if not node.inputs:
            return Encoding(width.narrow, scale_of(largest[tensor], width))
        first = self.encodings[node.inputs[0]]
        if isinstance(node.op, Conv2d | ConvTranspose2d | Linear):
            kernel = packed_kernel(self.graph, node) if self.path == "compact" else None
            own = self._parameters.pop(node.name)
            layer = integer_layer(node, own, float(first.scale), width, kernel)
            self._layers[node.name] = layer
        if self._multiplies(node) and stays_wide(self.graph, tensor):
            return Encoding(width.wide, self._sum_scale(node))
        if keeps_integers(node) or (is_relu(node) and first.dtype == width.narrow):
            return first
        return Encoding(width.narrow, scale_of(useful_range(self.graph, tensor, largest), width))

    def _multiplies(self, node: Node) -> bool:
        return node.name in self._layers or isinstance(node.op, MatMul)

    def _sum_scale(self, node: Node) -> Array:
        """Return the scale of a node's sums of products, ready to be repeated over a sample."""
        scale = self.encodings[node.inputs[0]].scale
        if isinstance(node.op, MatMul):
            return np.asarray(scale * self.encodings[node.inputs[1]].scale)
        found = scale * self._layers[node.name].filter_scale
        return np.asarray(found if isinstance(node.op, Linear) else found[:, None, None])

    @property
    def memory_bytes(self) -> int:
        held = sum(int(a.nbytes) for arrays in self._parameters.values() for a in arrays.values())
        held += sum(layer.nbytes for layer in self._layers.values())
        return held + most_bytes(self.graph, lambda t: self.encodings[t].dtype.itemsize, self._workspace)

    def _workspace(self, node: Node) -> int:
        """Inputs, weights and sums in 64 bits, and what the reference needs in float64."""
        shapes = (*self.graph.input_shapes(node), *self.graph.output_shapes(node))
        wide = 8 * sum(int(np.prod(shape)) for shape in shapes)
        layer = self._layers.get(node.name)
        weights = 0 if layer is None else 8 * int(layer.weight.size)
        return self.shares * (3 * wide + weights + workspace_bytes(self.graph, node, 8))

    def encode(self, tensor: str, values: Array) -> Array:
        """Return the integers of an input."""
        return quantised(values, self.encodings[tensor].scale, self._width)

    def decode(self, tensor: str, values: Array) -> Array:
        """Return the numbers that the integers of a tensor stand for, float32."""
        return self._numbers(tensor, values).astype(np.float32)

    def _numbers(self, tensor: str, values: Array) -> Array:
        return np.asarray(values.astype(np.float64) * self.encodings[tensor].scale)

    def _to(self, node: Node, sums: Array, scale: Array) -> tuple[Array, ...]:
        """Return sums of products as the node's output holds them."""
        out = self.encodings[node.outputs[0]]
        if out.dtype == self._width.wide:
            return (sums.astype(self._width.wide),)
        return (rescaled(sums, scale, out.scale, self._width),)

    def execute(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        op, width = node.op, self._width
        if self._multiplies(node):
            layer = self._layers.get(node.name)
            sums, macs = matmul_sums(node, inputs, width) if layer is None else layer.sums(node, inputs)
            self.counter.add(node.name, macs)
            return self._to(node, sums, self._sum_scale(node))
        held = [self.encodings[t] for t in node.inputs]
        out = self.encodings[node.outputs[0]]
        if is_relu(node):
            positive = np.maximum(inputs[0], 0)
            return (positive if out is held[0] else rescaled(positive, held[0].scale, out.scale, width),)
        if keeps_integers(node):
            return run_operator(node, inputs, {})
        if isinstance(op, Concat):
            parts = tuple(rescaled(x, e.scale, out.scale, width) for x, e in zip(inputs, held, strict=True))
            return run_operator(node, parts, {})
        if isinstance(op, Add):
            # In units of the output's scale; rounded once, at the end.
            steps = tuple(x * (e.scale / out.scale) for x, e in zip(inputs, held, strict=True))
            return (quantised(run_operator(node, steps, {})[0], np.ones(()), width),)
        numbers = tuple(self._numbers(t, x) for t, x in zip(node.inputs, inputs, strict=True))
        parameters = {s: a.astype(np.float64) for s, a in self._parameters[node.name].items()}
        found = run_operator(node, numbers, parameters)
        macs = dense_macs(node, numbers, found)
        if macs:  # a deformable convolution, whose samples are no integers
            self.counter.add(node.name, macs)
        return tuple(
            quantised(values, self.encodings[t].scale, width)
            for t, values in zip(node.outputs, found, strict=True)
        )
