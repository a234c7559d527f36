"""Integers for tensors: scales, rounding, and which tensor is represented how.

The rules, for b = 8 or 16 bits and the largest integer L = 2**(b-1) - 1:

- A number v is held as the integer q with v = q * scale; zero is always 0 (symmetric scales), and q
  runs from -L to L.
- Rounding is to the nearest integer, halves to the even one; what lies beyond L saturates.
- Weights have one scale per filter: the largest magnitude of the filter / L (raised where the
  filter's bias would else not fit its integer). Biases are rounded to the scale of the sums.
- Every other tensor has one scale: its largest magnitude on the calibration images / L, with 16 bits
  four times that, so that other images hardly saturate. A tensor that only ReLUs read takes the
  largest magnitude behind them; a tensor that is zero has scale 1.
- Sums of products are exact: 32-bit integers for 8 bits, 64-bit ones for 16. They stay as they are
  where only a batch norm or an activation reads them, or nobody (logits); their scale is that of the
  input times that of the filter. Elsewhere they are rescaled at once.
- Rescaling is ``saturate(round(q * m))`` with m = old scale / new scale and the product in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from energysim.graph import (
    Activation,
    AdaptivePool2d,
    ArgReduce,
    BatchNorm,
    ChannelShuffle,
    DepthToSpace,
    Dropout,
    Embedding,
    Expand,
    ExpandBatch,
    Flatten,
    GatherElements,
    KWinners,
    LayerGraph,
    Node,
    Pad,
    Permute,
    Pool2d,
    Reshape,
    Resize,
    Slice,
    SpaceToDepth,
    SpatialShift,
    Split,
    Take,
    TapShift,
    Tile,
    TopK,
    Upsample,
)
from energysim.inference.reference.types import Array

__all__ = [
    "WIDTHS",
    "Encoding",
    "Width",
    "filter_scales",
    "has_places",
    "is_relu",
    "keeps_integers",
    "quantised",
    "rescaled",
    "scale_of",
    "stays_wide",
    "useful_range",
]


@dataclass(frozen=True)
class Width:
    """Types of an integer mode.

    Attributes
    ----------
    narrow, wide : numpy types
        Of weights and activations, and of sums of products.
    largest : int
        L.
    bias_bits : int
        A bias is at most 2 to this power.
    headroom : float
        How far beyond the calibration images a tensor may go before it saturates.
    """

    narrow: np.dtype[Any]
    wide: np.dtype[Any]
    largest: int
    bias_bits: int
    headroom: float


WIDTHS = {
    "int8": Width(np.dtype(np.int8), np.dtype(np.int32), 127, 30, 1.0),
    "int16": Width(np.dtype(np.int16), np.dtype(np.int64), 32767, 46, 4.0),
}
_MOVES = (
    *(ChannelShuffle, Dropout, Flatten, KWinners, Permute, Reshape, SpatialShift, Split, TapShift),
    *(DepthToSpace, Expand, ExpandBatch, Slice, SpaceToDepth, Take, Tile),
)
#: Operators that read or write places of elements: numbers that no scale may round.
_PLACES = (ArgReduce, Embedding, GatherElements, TopK)


@dataclass(frozen=True, eq=False)
class Encoding:
    """How a tensor is held.

    Attributes
    ----------
    dtype : numpy type
    scale : float64 array
        Of no dimension, or of a shape that is repeated over a sample, e.g. (M, 1, 1).
    """

    dtype: np.dtype[Any]
    scale: Array


def keeps_integers(node: Node) -> bool:
    """Whether a node only moves or selects integers, so that its outputs have the scale of its input."""
    op = node.op
    if isinstance(op, Pool2d | AdaptivePool2d):
        return op.mode == "max"
    if isinstance(op, Upsample | Resize):
        return op.mode == "nearest"
    if isinstance(op, Pad):
        return op.mode != "constant" or op.value == 0
    return isinstance(op, _MOVES)


def has_places(node: Node) -> bool:
    """Whether a node reads or writes places of elements, which integers with a scale cannot hold."""
    return isinstance(node.op, _PLACES)


def is_relu(node: Node) -> bool:
    """Whether a node is a ReLU."""
    return node.op == Activation("relu")


def quantised(values: Array, scale: Array, width: Width) -> Array:
    """Return the narrow integers nearest to ``values / scale``, saturated."""
    steps = np.rint(values.astype(np.float64) / scale)
    return np.clip(steps, -width.largest, width.largest).astype(width.narrow)


def rescaled(values: Array, old: Array, new: Array, width: Width) -> Array:
    """Return narrow integers of another scale."""
    steps = np.rint(values.astype(np.float64) * (old / new))
    return np.clip(steps, -width.largest, width.largest).astype(width.narrow)


def scale_of(largest: float, width: Width) -> Array:
    """Return the scale of a tensor with this largest magnitude."""
    return np.array(largest * width.headroom / width.largest if largest > 0 else 1.0)


def stays_wide(graph: LayerGraph, tensor: str) -> bool:
    """Whether sums of products in this tensor stay as they are: see the rules above."""
    return all(isinstance(n.op, BatchNorm | Activation) for n in graph.consumers(tensor))


def useful_range(graph: LayerGraph, tensor: str, largest: Mapping[str, float]) -> float:
    """Return the magnitude that a tensor's integers must reach: see the rules above."""
    readers = graph.consumers(tensor)
    if readers and all(is_relu(node) for node in readers) and tensor not in graph.outputs:
        return max(largest[node.outputs[0]] for node in readers)
    return largest[tensor]


def filter_scales(weight: Array, bias: Array | None, input_scale: float, width: Width) -> Array:
    """Return the scale of each filter of (M, ...) weights, float64 of shape (M,)."""
    scale = np.abs(weight).reshape(len(weight), -1).max(axis=1).astype(np.float64) / width.largest
    if bias is not None:
        scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (input_scale * 2.0**width.bias_bits))
    return np.where(scale > 0, scale, 1.0)
