"""Channels that are the same number everywhere, and what becomes of it where they are removed.

Source: Ye, Lu, Lin, Wang, "Rethinking the Smaller-Norm-Less-Informative Assumption in Channel Pruning of
Convolution Layers", ICLR 2018 (arXiv 1802.00124), with the authors' code: a channel whose batch norm has
scale 0 is ``relu(beta)`` everywhere. A layer that reads it adds ``relu(beta_c) * sum of the taps of
W[o, c]`` to its output o, so the channel is removed and that sum added to the reader's bias, or taken from
the mean of the batch norm behind it. That is exact in the interior: where a window reaches into padding,
of zeros, its taps there would have read 0. How far such pixels are off is computed and told.

Numbers run on through batch norms, rectifiers, pooling, additions and concatenations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    LayerGraph,
    Linear,
    Node,
    Pool2d,
)
from energysim.graph.shapes import product
from energysim.schemes.channel_sets import ChannelSets, writes_channels
from energysim.schemes.formulas import plane, rectified

__all__ = ["Absorbed", "absorbed", "constants", "removable"]

Floats = NDArray[np.float64]
Arrays = Mapping[str, Floats]


@dataclass(frozen=True)
class Absorbed:
    """What removed channels leave behind.

    Attributes
    ----------
    added : dict of str to float64 array
        Layer (or batch norm behind it) -> what its bias gains (its mean loses), one number a filter.
    border : dict of str to float
        Layer -> by how much its outputs at the border are off at most; 0 without padding.
    """

    added: dict[str, Floats]
    border: dict[str, float]

    def notes(self, scheme: str) -> tuple[str, ...]:
        """What a report should say of it."""
        if not self.added:
            return ()
        off = {name: error for name, error in self.border.items() if error}
        text = (
            f"{scheme}: constants of removed channels are added to {len(self.added)} biases or means, exact"
        )
        if not off:
            return (text,)
        worst = max(off, key=lambda name: off[name])
        where = f"off by up to {off[worst]:.3g} there, in {worst}"
        return (f"{text} but where windows reach into padding: {where} ({len(off)} layers in all)",)


def constants(graph: LayerGraph, weights: Arrays) -> dict[str, Floats]:
    """Return the number that each channel of each tensor is everywhere; NaN for a channel that varies."""
    found = {name: np.full(_length(graph, name), np.nan) for name in graph.tensors}
    for node in graph.nodes:
        given = [found[name] for name in node.inputs]
        number = _constant(graph, node, given, weights)
        if number is not None and number.shape == found[node.outputs[0]].shape:
            found[node.outputs[0]] = number
    return found


def _length(graph: LayerGraph, tensor: str) -> int:
    shape = graph.tensors[tensor].shape
    return shape[1] if len(shape) > 1 else 1


def _constant(graph: LayerGraph, node: Node, given: list[Floats], weights: Arrays) -> Floats | None:
    op = node.op
    if isinstance(op, Conv2d | Linear) and (isinstance(op, Conv2d) or len(graph.input_shapes(node)[0]) == 2):
        array = weights[f"{node.name}.weight"]
        bias = weights[f"{node.name}.bias"] if op.bias else np.zeros(len(array))
        return np.where((array == 0).reshape(len(array), -1).all(axis=1), bias, np.nan)
    if isinstance(op, BatchNorm) and op.affine:
        scale, shift = weights[f"{node.name}.weight"], weights[f"{node.name}.bias"]
        mean, variance = (weights.get(f"{node.name}.running_{what}") for what in ("mean", "var"))
        varying = np.full_like(scale, np.nan)
        if mean is not None and variance is not None:
            varying = scale * (given[0] - mean) / np.sqrt(variance + op.epsilon) + shift
        return np.where(scale == 0, shift, varying)
    if isinstance(op, Activation) and op.function in ("relu", "relu6"):
        return rectified(given[0], op.function)
    if isinstance(op, Dropout | AdaptivePool2d):
        return given[0]
    if isinstance(op, Pool2d) and (op.mode == "max" or not any(op.padding) or not op.count_include_pad):
        return given[0]
    if isinstance(op, Add):
        return np.sum(given, axis=0) if len({len(each) for each in given}) == 1 else None
    if isinstance(op, Concat) and op.axis == 1:
        return np.concatenate(given)
    if isinstance(op, Flatten) and op.start == 1:
        return np.repeat(given[0], product(graph.input_shapes(node)[0][2:]))
    return None


def removable(
    sets: ChannelSets, weights: Arrays, channels: Mapping[int, int]
) -> dict[int, NDArray[np.int64]]:
    """Return the channels that stay, of each set some of whose channels are constant for all readers.

    One channel of a set stays in any case. A number other than 0 can be removed only where a reader has a
    bias, or a batch norm of its own behind it, to take it.
    """
    number = constants(sets.graph, weights)
    varies = {each: np.zeros(count, dtype=np.bool_) for each, count in channels.items()}
    for node in sets.graph.nodes:
        if not writes_channels(sets.graph, node):
            continue
        start = 0
        for segment in sets.segments[node.inputs[0]]:
            stop = start + segment.channels * segment.each
            own = number[node.inputs[0]][start:stop].reshape(segment.channels, segment.each)
            start = stop
            if sets.set_of(segment) in varies:
                bad = np.isnan(own).any(axis=1)
                if _taker(sets.graph, node) is None:
                    bad |= (own != 0).any(axis=1)
                varies[sets.set_of(segment)] |= bad
    found = {}
    for each, mask in varies.items():
        mask[0] |= not mask.any()
        if not mask.all():
            found[each] = np.flatnonzero(mask)
    return found


def _taker(graph: LayerGraph, node: Node) -> str | None:
    """The node whose parameters can take a number that is added to a layer's outputs."""
    if isinstance(node.op, Conv2d | Linear) and node.op.bias:
        return node.name
    behind = graph.consumers(node.outputs[0])
    if len(behind) == 1 and isinstance(behind[0].op, BatchNorm) and node.outputs[0] not in graph.outputs:
        return behind[0].name
    return None


def absorbed(sets: ChannelSets, weights: Arrays, stays: Mapping[str, NDArray[np.int64]]) -> Absorbed:
    """Return what readers of removed channels gain.

    Parameters
    ----------
    sets : ChannelSets
    weights : mapping of str to float64 array
    stays : mapping of str to int64 array
        Of each tensor that loses channels, those that stay.
    """
    graph, number = sets.graph, constants(sets.graph, weights)
    found = Absorbed({}, {})
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else ""
        taker = _taker(graph, node) if writes_channels(graph, node) else None
        if source not in stays or taker is None:
            continue
        array = weights[f"{node.name}.weight"].reshape(-1, len(number[source]), *_window(node))
        total = np.zeros((len(array), *array.shape[2:]))
        for c in np.setdiff1d(np.arange(len(number[source])), stays[source]):
            total += number[source][c] * array[:, c]
        if total.any():
            found.added[taker] = _taps(total)
            found.border[node.name] = _border(graph, node, total)
    return found


def _window(node: Node) -> tuple[int, int]:
    return node.op.window if isinstance(node.op, Conv2d) else (1, 1)


def _taps(total: Floats) -> Floats:
    """Sum over the taps, in their order: the same on every machine."""
    found = np.zeros(len(total))
    for tap in total.reshape(len(total), -1).T:
        found += tap
    return found


def _border(graph: LayerGraph, node: Node, total: Floats) -> float:
    """How far outputs are off where a window reaches into padding."""
    if not isinstance(node.op, Conv2d) or not any(node.op.padding):
        return 0.0
    ones = np.ones((1, *graph.input_shapes(node)[0][2:]))
    whole = _taps(total)
    return max(
        float(np.abs(plane(ones, taps, node.op) - own).max()) for taps, own in zip(total, whole, strict=True)
    )
