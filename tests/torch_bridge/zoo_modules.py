"""A layer graph as a PyTorch module, named as torchvision names its modules.

Layers with weights are PyTorch's own modules under the node's name (``layer1.0.conv1``), the rest are the
functions of the PyTorch oracle. State and parameters have the names that the engine's weights have.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from energysim.graph import BatchNorm, Conv2d, Dropout, LayerGraph, LayerNorm, Linear, Node

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracles"))
from torch_network import FUNCTIONS


def _shuffle(op: Any, x: torch.Tensor, p: Mapping[str, Any]) -> torch.Tensor:
    """Written out, as torchvision does: the older exporter knows no channel shuffle."""
    n, c, h, w = x.shape
    return x.reshape(n, op.groups, c // op.groups, h, w).transpose(1, 2).reshape(n, c, h, w)


_FUNCTIONS = {**FUNCTIONS, "ChannelShuffle": _shuffle}


class ZooModule(nn.Module):
    """A graph with one input and one output, as a tree of modules.

    Parameters
    ----------
    graph : LayerGraph
    weights : mapping of str to array, optional
        Named as by the engine; PyTorch's own initial weights if not given.
    """

    def __init__(self, graph: LayerGraph, weights: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.layer_graph = graph
        for node in graph.nodes:
            layer = _layer(graph, node)
            if layer is not None:
                self._place(node.name, layer)
        if weights is not None:
            state = {name: torch.from_numpy(array) for name, array in weights.items()}
            missing, unexpected = self.load_state_dict(state, strict=False)
            assert not unexpected
            assert all(name.endswith("num_batches_tracked") for name in missing), missing

    def _place(self, name: str, layer: nn.Module) -> None:
        *path, last = name.split(".")
        home: nn.Module = self
        for part in path:
            if part not in home._modules:
                home.add_module(part, nn.Module())
            child = home._modules[part]
            assert child is not None
            home = child
        home.add_module(last, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        live = {self.layer_graph.inputs[0]: x}
        for node in self.layer_graph.nodes:
            inputs = [live[t] for t in node.inputs]
            try:
                found = self.get_submodule(node.name)(*inputs)
            except AttributeError:
                found = _FUNCTIONS[node.op.kind](node.op, *inputs, {})
            live.update(zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=True))
        return live[self.layer_graph.outputs[0]]


class _Learned(nn.Module):
    """A learned tensor that the oracle's function adds or puts in front."""

    def __init__(self, node: Node, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.op = node.op
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = FUNCTIONS[self.op.kind](self.op, x, {"weight": self.weight})
        return found


def _layer(graph: LayerGraph, node: Node) -> nn.Module | None:
    """A module for a layer with weights, and for dropout; symmetric padding only."""
    op, shapes = node.op, graph.input_shapes(node)
    if isinstance(op, Conv2d):
        top, bottom, left, right = op.padding
        assert (top, left) == (bottom, right)
        sizes = (op.window, op.stride, (top, left), op.dilation, op.groups, op.bias)
        return nn.Conv2d(shapes[0][1], op.out_channels, *sizes)
    if isinstance(op, Linear):
        return nn.Linear(shapes[0][-1], op.out_features, op.bias)
    if isinstance(op, BatchNorm):
        return nn.BatchNorm2d(shapes[0][1], op.epsilon, affine=op.affine)
    if isinstance(op, LayerNorm):
        return nn.LayerNorm(shapes[0][-1], op.epsilon)
    if isinstance(op, Dropout):
        return nn.Dropout()
    own = op.parameters(shapes)
    return _Learned(node, own["weight"]) if own else None
