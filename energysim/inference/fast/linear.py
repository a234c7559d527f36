"""Sparse linear layers in the fast plan: the packed form of the compact executor, on the plan's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from energysim.graph import LayerGraph, Linear
from energysim.inference.compact import CompactLinear, packed_kernel
from energysim.inference.fast.layout import Array
from energysim.inference.fast.path import Call
from energysim.inference.fast.stages import Stage
from energysim.inference.fast.storage import Storage

__all__ = ["bind_packed", "packed_linears"]


def packed_linears(graph: LayerGraph, weights: Mapping[str, Array]) -> dict[str, CompactLinear]:
    """Return the linear layers that have a kernel, packed: only the weights that exist are read."""
    found = {}
    for node in graph.nodes:
        kernel = packed_kernel(graph, node)
        if isinstance(node.op, Linear) and kernel is not None:
            values = kernel.pack(weights[f"{node.name}.weight"].reshape(kernel.shape))
            bias = weights.get(f"{node.name}.bias")
            found[node.name] = CompactLinear(node.op, kernel, values, bias)
    return found


def bind_packed(stage: Stage, store: Storage, layer: CompactLinear) -> list[Call]:
    """Return the functions that run a packed linear layer, for one worker."""
    source, target = store.array(stage.inputs[0]), store.array(stage.last.outputs[0])
    return [partial(_run, layer, source, target, stage.low, stage.high)]


def _run(layer: CompactLinear, source: Array, target: Array, low: float, high: float) -> None:
    target[...], _ = layer(source)
    if (low, high) != (-np.inf, np.inf):
        np.clip(target, low, high, out=target)
