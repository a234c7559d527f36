"""The same operators and networks in PyTorch: an implementation that shares no code with ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from energysim.graph import BatchNorm, Conv2d, LayerGraph, Linear, Node, Operator
from energysim.graph.elementwise import EPSILON, LRN_ALPHA, LRN_BETA, LRN_K

Values = Mapping[str, torch.Tensor]


def _pads(op: Any) -> tuple[int, int, int, int]:
    """PyTorch's order: left, right, top, bottom."""
    top, bottom, left, right = op.padding
    return left, right, top, bottom


def _symmetric(op: Any) -> bool:
    top, bottom, left, right = op.padding
    return bool(top == bottom and left == right)


def _conv(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    if _symmetric(op):
        return F.conv2d(x, p["weight"], p.get("bias"), op.stride, op.padding[::2], op.dilation, op.groups)
    return F.conv2d(F.pad(x, _pads(op)), p["weight"], p.get("bias"), op.stride, 0, op.dilation, op.groups)


def _deconv(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    g, (m, each, r, s) = op.groups, p["weight"].shape
    weight = p["weight"].reshape(g, m // g, each, r, s).transpose(1, 2).reshape(g * each, m // g, r, s)
    bias = p.get("bias")
    if _symmetric(op):
        return F.conv_transpose2d(
            x, weight, bias, op.stride, op.padding[::2], op.output_padding, g, op.dilation
        )
    full = F.conv_transpose2d(x, weight, bias, op.stride, 0, op.output_padding, g, op.dilation)
    top, bottom, left, right = op.padding
    return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]


def _pool(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    assert _symmetric(op)
    if op.mode == "max":
        return F.max_pool2d(x, op.window, op.stride, op.padding[::2], op.dilation, op.ceil_mode)
    assert op.dilation == (1, 1)
    return F.avg_pool2d(x, op.window, op.stride, op.padding[::2], op.ceil_mode, op.count_include_pad)


def _adaptive(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    return (F.adaptive_max_pool2d if op.mode == "max" else F.adaptive_avg_pool2d)(x, op.output)


def _shift(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    """A depthwise convolution with a single one per channel."""
    rows, cols = op.window
    channels = x.shape[1]
    each = channels // (rows * cols)
    weight = torch.zeros(channels, 1, rows, cols)
    for c in range(channels):
        tap = c // each if each and c < each * rows * cols else rows // 2 * cols + cols // 2
        weight[c, 0, tap // cols, tap % cols] = 1
    pads = (cols // 2, cols - 1 - cols // 2, rows // 2, rows - 1 - rows // 2)
    return F.conv2d(F.pad(x, pads), weight, groups=channels)


def _tap_shift(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    """A depthwise convolution with a single one per channel, at its tap."""
    channels = x.shape[1]
    weight = F.one_hot(torch.tensor(op.taps), op.window[0] * op.window[1]).to(x.dtype)
    weight = weight.reshape(channels, 1, *op.window)
    return F.conv2d(F.pad(x, _pads(op)), weight, dilation=op.dilation, groups=channels)


def _comb(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    """All positions both ways; a checkerboard of ones and zeros chooses."""
    conv, (channels, filters) = op.convolution, (x.shape[1], op.convolution.out_channels)
    made = _conv(conv, x, p)
    one = torch.zeros(filters, channels, *conv.window)
    one[range(filters), [o % channels for o in range(filters)], conv.window[0] // 2, conv.window[1] // 2] = 1
    copies = F.conv2d(F.pad(x, _pads(conv)), one, None, conv.stride, 0, conv.dilation)
    rows, cols = torch.meshgrid(torch.arange(made.shape[2]), torch.arange(made.shape[3]), indexing="ij")
    places = cols if op.pattern == "column" else rows + cols
    return torch.where((places + op.phase) % 2 == 0, made, copies)


def _token(op: Any, x: torch.Tensor, p: Values) -> torch.Tensor:
    return torch.cat((p["weight"].expand(x.shape[0], 1, -1), x), 1)


def _sum(op: Any, *xs_p: Any) -> torch.Tensor:
    *xs, _ = xs_p
    total = xs[0] + xs[1]
    for x in xs[2:]:
        total = total + x
    return total


def _product(op: Any, *xs_p: Any) -> torch.Tensor:
    *xs, _ = xs_p
    total = xs[0]
    for x in xs[1:]:
        total = total * x
    return total


def _circular_solve(op: Any, x: Any, p: Any) -> Any:
    """Linear equations per channel; the matrix of L from rolled unit images."""
    (height, width), pixels = x.shape[2:], x.shape[2] * x.shape[3]
    units = torch.eye(pixels, dtype=torch.float64).reshape(pixels, height, width)
    out = torch.empty(x.shape, dtype=torch.float64)
    for c in range(x.shape[1]):
        rolled = sum(
            p["weight"][c, 0, r, s].double()
            * torch.roll(units, (op.window[0] // 2 - r, op.window[1] // 2 - s), (1, 2))
            for r in range(op.window[0])
            for s in range(op.window[1])
        )
        matrix = rolled.reshape(pixels, pixels)  # row: the image that a unit image becomes
        left = torch.eye(pixels, dtype=torch.float64) + op.step * matrix @ matrix.T
        flat = x[:, c].double().reshape(-1, pixels)
        out[:, c] = torch.linalg.solve(left, flat.T).T.reshape(-1, height, width)
    return out.to(x.dtype)


def _winners(x: Any, count: int, axis: int) -> Any:
    values, places = torch.topk(x, count, axis)
    return torch.zeros_like(x).scatter(axis, places, values)


def _block_float(op: Any, x: Any, p: Any) -> Any:
    half, most = 2 ** (op.exponent - 1), 2 ** (op.mantissa - 1)
    found = []
    for part in torch.split(x, op.block, 1):
        shared = torch.frexp(part.abs().amax(1, keepdim=True)).exponent - 1
        step = 2.0 ** (shared.clamp(-half, half - 1) - op.mantissa + 2).float()
        found.append((part / step).round().clamp(-most, most - 1) * step)
    return torch.cat(found, 1)


ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
}

#: Kind of operator -> function (operator, *inputs, parameters) -> output(s).
FUNCTIONS: dict[str, Any] = {
    "Conv2d": _conv,
    "ConvTranspose2d": _deconv,
    "Linear": lambda op, x, p: F.linear(x, p["weight"], p.get("bias")),
    "MatMul": lambda op, x, y, p: x @ y,
    "Pool2d": _pool,
    "AdaptivePool2d": _adaptive,
    "Activation": lambda op, x, p: ACTIVATIONS[op.function](x),
    "BatchNorm": lambda op, x, p: F.batch_norm(
        x, p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), eps=EPSILON
    ),
    "LayerNorm": lambda op, x, p: F.layer_norm(x, x.shape[-1:], p.get("weight"), p.get("bias"), EPSILON),
    "GroupNorm": lambda op, x, p: F.group_norm(x, op.groups, p.get("weight"), p.get("bias"), EPSILON),
    "LocalResponseNorm": lambda op, x, p: F.local_response_norm(
        x, op.size, LRN_ALPHA * op.size, LRN_BETA, LRN_K
    ),
    "Softmax": lambda op, x, p: F.softmax(x, op.axis),
    "Add": _sum,
    "Multiply": _product,
    "Concat": lambda op, *xs: torch.cat(xs[:-1], op.axis),
    "Split": lambda op, x, p: torch.split(x, op.sizes, op.axis),
    "Flatten": lambda op, x, p: torch.flatten(x, op.start),
    "Reshape": lambda op, x, p: x.reshape(x.shape[0], *op.shape),
    "Permute": lambda op, x, p: x.permute(op.order),
    "ChannelShuffle": lambda op, x, p: F.channel_shuffle(x, op.groups),
    "SpatialShift": _shift,
    "TapShift": _tap_shift,
    "CircularSolve": _circular_solve,
    "BlockFloat": _block_float,
    "CombConv2d": _comb,
    "KWinners": lambda op, x, p: _winners(x, op.count, 1),
    "MapWinners": lambda op, x, p: (
        _winners(x.flatten(2), op.count, 2) if op.scope == "channel" else _winners(x.flatten(1), op.count, 1)
    ).reshape(x.shape),
    "Upsample": lambda op, x, p: (
        F.interpolate(x, scale_factor=tuple(map(float, op.factor)), mode="nearest")
        if op.mode == "nearest"
        else F.interpolate(x, scale_factor=tuple(map(float, op.factor)), mode="bilinear", align_corners=False)
    ),
    "LearnedAdd": lambda op, x, p: x + p["weight"],
    "LearnedToken": _token,
    "Dropout": lambda op, x, p: F.dropout(x, 0.5, training=False),
}


def run(op: Operator, inputs: Any, parameters: Mapping[str, Any]) -> tuple[np.ndarray[Any, Any], ...]:
    """Outputs of one operator, in PyTorch."""
    given = {name: torch.from_numpy(a) for name, a in parameters.items()}
    with torch.inference_mode():
        found = FUNCTIONS[op.kind](op, *(torch.from_numpy(x) for x in inputs), given)
    return tuple(t.contiguous().numpy() for t in (found if isinstance(found, tuple) else (found,)))


class Network(nn.Module):
    """A graph as a module: layers with weights as PyTorch's own modules, the rest as functions."""

    def __init__(self, graph: LayerGraph, weights: Mapping[str, Any]) -> None:
        super().__init__()
        self.graph = graph
        self.layers = nn.ModuleDict()
        self.tables = nn.ParameterDict()
        for node in graph.nodes:
            layer = self._layer(node)
            key = node.name.replace(".", "/")
            own = {
                n.rpartition(".")[2]: torch.from_numpy(a)
                for n, a in weights.items()
                if n.rpartition(".")[0] == node.name
            }
            if layer is not None:
                state = dict(own)
                if isinstance(node.op, BatchNorm):
                    state["num_batches_tracked"] = torch.tensor(0)
                layer.load_state_dict(state)
                self.layers[key] = layer
            elif own:
                self.tables[key] = nn.ParameterDict({k: nn.Parameter(v) for k, v in own.items()})
        self.eval()

    def _layer(self, node: Node) -> nn.Module | None:
        op, shapes = node.op, self.graph.input_shapes(node)
        if isinstance(op, Conv2d) and _symmetric(op):
            top, _, left, _ = op.padding
            return nn.Conv2d(
                shapes[0][1],
                op.out_channels,
                op.window,
                op.stride,
                (top, left),
                op.dilation,
                op.groups,
                op.bias,
            )
        if isinstance(op, Linear):
            return nn.Linear(shapes[0][-1], op.out_features, op.bias)
        if isinstance(op, BatchNorm) and len(shapes[0]) == 4:
            return nn.BatchNorm2d(shapes[0][1], EPSILON, affine=op.affine)
        return None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        live = {self.graph.inputs[0]: x}
        for node in self.graph.nodes:
            inputs, key = [live[t] for t in node.inputs], node.name.replace(".", "/")
            if key in self.layers:
                found = self.layers[key](*inputs)
            else:
                found = FUNCTIONS[node.op.kind](node.op, *inputs, self.tables.get(key, {}))
            live.update(zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=True))
        return live[self.graph.outputs[0]]


def run_network(graph: LayerGraph, weights: Mapping[str, Any], images: Any) -> np.ndarray[Any, Any]:
    """Output of a network with one input and one output, in PyTorch."""
    with torch.inference_mode():
        found: np.ndarray[Any, Any] = Network(graph, weights)(torch.from_numpy(images)).numpy()
    return found
