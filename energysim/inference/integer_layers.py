"""Layers that multiply, in integers: exact sums of products, by whatever arithmetic is fastest.

A product in float64 is exact as long as no sum can pass 2**53, and far faster than NumPy's product
of integers; the bound is that of the layer's own weights, and beyond it integers are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from energysim.errors import WeightsError
from energysim.graph import Linear, MatMul, Node
from energysim.inference.compact import CompactConv, packed_layer
from energysim.inference.direct import dense_macs
from energysim.inference.quantise import Width, filter_scales, quantised
from energysim.inference.reference import run_operator
from energysim.inference.reference.types import Array
from energysim.kernels import Kernel

__all__ = ["EXACT", "IntegerLayer", "integer_layer", "matmul_sums", "products_in"]

#: Integers up to here are exact in float64.
EXACT = 1 << 53
#: Bytes of weights of a linear layer that are turned into another type at a time.
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A layer with quantised weights.

    Attributes
    ----------
    weight : narrow integers, shape of the weight tensor
        Zero where no weight exists.
    bias : int64 array of shape (M,), or None
        In units of input scale times filter scale.
    filter_scale : float64 array of shape (M,)
    bound : int
        No sum of products, in any order, passes this.
    compute : numpy type
        float64 if the bound allows it, else int64.
    packed : CompactConv, optional
        The same weights packed, if the layer is executed that way.
    """

    weight: Array
    bias: Array | None
    filter_scale: Array
    bound: int
    compute: np.dtype[Any]
    packed: CompactConv | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        arrays = (self.weight, self.bias, self.filter_scale)
        held = sum(int(a.nbytes) for a in arrays if a is not None)
        return held + (self.packed.nbytes if self.packed else 0)

    def sums(self, node: Node, inputs: tuple[Array, ...]) -> tuple[Array, int]:
        """Return the exact sums of products with the bias added, int64, and the multiply-adds executed."""
        if self.packed is not None:
            return self.packed(inputs[0])
        found = self._linear(inputs[0]) if isinstance(node.op, Linear) else self._direct(node, inputs)
        return found, dense_macs(node, inputs, (found,))

    def _direct(self, node: Node, inputs: tuple[Array, ...]) -> Array:
        """By the definition, with all weights, zeros included."""
        parameters = {"weight": self.weight.astype(self.compute)}
        (found,) = run_operator(node, (inputs[0].astype(self.compute),), parameters)
        return self._with_bias(found.astype(np.int64), (-1, 1, 1))

    def _linear(self, x: Array) -> Array:
        """Block by block of filters, so that only a part of the weights is widened at a time."""
        x = x.astype(self.compute)
        found = np.empty((*x.shape[:-1], len(self.weight)), dtype=np.int64)
        step = max(1, _BLOCK_BYTES // (self.weight.shape[1] * self.compute.itemsize))
        for first in range(0, len(self.weight), step):
            part = self.weight[first : first + step].astype(self.compute)
            found[..., first : first + step] = np.matmul(x, part.T)
        return self._with_bias(found, (-1,))

    def _with_bias(self, sums: Array, shape: tuple[int, ...]) -> Array:
        if self.bias is not None:
            sums += self.bias.reshape(shape)
        return sums


def products_in(bound: int) -> np.dtype[Any]:
    """Return the type in which sums of products up to a bound are exact."""
    return np.dtype(np.float64 if bound < EXACT else np.int64)


def integer_layer(
    node: Node,
    parameters: dict[str, Array],
    input_scale: float,
    width: Width,
    kernel: Kernel | None,
) -> IntegerLayer:
    """Return a layer with its weights quantised.

    Parameters
    ----------
    node : Node
        A convolution, transposed convolution or linear layer.
    parameters : dict of str to float32 array
        Weights with zeros where none exist.
    input_scale : float
    width : Width
    kernel : Kernel, optional
        Given if the layer is to be executed packed.

    Raises
    ------
    WeightsError
        If sums could pass what the mode's wide integer holds.
    """
    bias = parameters.get("bias")
    narrow, scale, sizes = _narrowed(parameters["weight"], bias, input_scale, width)
    steps = (
        None if bias is None else np.rint(bias.astype(np.float64) / (input_scale * scale)).astype(np.int64)
    )
    bound = int((sizes * (width.largest + 1) + (0 if steps is None else np.abs(steps))).max())
    if bound > np.iinfo(width.wide).max:
        raise WeightsError(
            f"node {node.name!r}: sums of products may reach {bound}, more than {width.wide} holds"
        )
    compute = products_in(bound)
    packed = None if kernel is None else packed_layer(node, kernel, narrow, steps, compute, np.int64)
    return IntegerLayer(narrow, steps, scale, bound, compute, packed)


def _narrowed(
    weight: Array, bias: Array | None, input_scale: float, width: Width
) -> tuple[Array, Array, Array]:
    """Return integer weights, filter scales, and sums of magnitudes per filter, block by block of filters."""
    rows = weight.reshape(len(weight), -1)
    narrow = np.empty(rows.shape, dtype=width.narrow)
    scale, sizes = np.empty(len(rows)), np.empty(len(rows), dtype=np.int64)
    step = max(1, _BLOCK_BYTES // (8 * rows.shape[1]))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        scale[part] = filter_scales(rows[part], None if bias is None else bias[part], input_scale, width)
        narrow[part] = quantised(rows[part], scale[part][:, None], width)
        sizes[part] = np.abs(narrow[part].astype(np.int64)).sum(axis=1)
    return narrow.reshape(weight.shape), scale, sizes


def matmul_sums(node: Node, inputs: tuple[Array, ...], width: Width) -> tuple[Array, int]:
    """Return the exact product of two computed tensors, int64, and the multiply-adds executed.

    Raises
    ------
    WeightsError
        If sums could pass what the mode's wide integer holds.
    """
    bound = inputs[0].shape[-1] * (width.largest + 1) ** 2
    if not isinstance(node.op, MatMul) or bound > np.iinfo(width.wide).max:
        raise WeightsError(
            f"node {node.name!r}: sums of products may reach {bound}, too much for {width.wide}"
        )
    left, right = (array.astype(products_in(bound)) for array in inputs)
    found = np.asarray(np.matmul(left, right).astype(np.int64))
    return found, dense_macs(node, inputs, (found,))
