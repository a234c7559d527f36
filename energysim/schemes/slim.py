"""``slim``: channels weighted by a gate are folded, and two narrow paths make fewer channels than before.

Source: Qiu, Chen, Liu, Zeng, "SlimConv: Reducing Channel Redundancy in Convolutional Neural Networks by
Features Recombining", IEEE TIP 2021 (arXiv 2003.07469), and the published code (JiaxiongQ/SlimConv). For
C channels and reductions r1, r2::

    w  = sigmoid(V2 relu(BN(V1 gap(x))) + c)     V1: C -> C div 32, V2 back; flipped: w in reverse order
    t  = fold(w * x), u = fold(flipped(w) * x)   the r1 equal runs of channels are added up: C/r1 are left
    y  = [top * t, bottom * relu(BN(point * u))]      C/r1 + C/r2 channels

``top`` (C/r1 -> C/r1) and ``bottom`` (C/r2 -> C/r2) have the window, stride, padding and dilation of the
layer, ``point`` (C/r1 -> C/r2) is 1x1 on the map of the input. With a = C/r1, c = C/r2, n = R*S::

    weights n*a*a + a*c + n*c*c + 2*C*(C div 32), multiply-adds (n*a*a + n*c*c)*P*Q + a*c*H*W + 2*C*(C div 32)

The batch norms that the paper puts at the end of both paths are the layer's own, behind it. What reads the
layer has fewer input channels. Folding in two is published; in four (r1 = 4) the runs are added up alike
(assumed). The gate depends on the input, so the block equals its own reference only (E3).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from energysim.errors import SchemeError
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    BatchNorm,
    Concat,
    Conv2d,
    LayerGraph,
    Multiply,
    Split,
    Take,
)
from energysim.graph.elementwise import EPSILON
from energysim.schemes.base import Left, Origin, Rewrite, RewritingScheme, weighted_nodes
from energysim.schemes.block import Array, Arrays, Block
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.channel_sets import ChannelSets, is_depthwise
from energysim.schemes.formulas import plane, rectified, with_bias
from energysim.schemes.layers import Layer, layers
from energysim.schemes.parameters import check_range, integer, read_parameters

__all__ = ["KIND", "Slim", "parse"]

_GATE = 32
_LARGEST = 64


@dataclass(frozen=True)
class Slim(RewritingScheme):
    """Gate, folding and two narrow paths.

    Parameters
    ----------
    top, bottom : int
        r1 and r2, 2 to 64; r2 is not below r1.

    Raises
    ------
    SchemeError
        For any other value.
    """

    top: int = 2
    bottom: int = 4

    def __post_init__(self) -> None:
        check_range("slim", "r1", self.top, 2, _LARGEST)
        check_range("slim", "r2", self.bottom, 2, _LARGEST)
        if self.bottom < self.top:
            raise SchemeError(f"r2 of scheme 'slim' is not below r1 ({self.top}), not {self.bottom}")

    def __str__(self) -> str:
        return f"slim:r1={self.top},r2={self.bottom}"

    def apply(self, graph: LayerGraph, only: Collection[str] | None = None) -> Rewrite:
        """See :meth:`Scheme.apply`; a layer sees the channels that the ones before it have left."""
        sets, current = ChannelSets(graph), graph
        blocks: dict[str, Block] = {}
        left: dict[str, str] = {}
        for name in [layer.name for layer in layers(graph)]:
            if only is not None and name not in only:
                continue
            layer = next(each for each in layers(current) if each.name == name)
            found = self.refuses(layer) or self._block(layer)
            if not isinstance(found, str):
                found = _why_kept(graph, sets, name) or found
            if isinstance(found, str):
                left[name] = found
                continue
            blocks[name] = found
            nodes = [made for n in current.nodes for made in (found.nodes if n.name == name else [n])]
            current = current.with_nodes(nodes)
        rewrite = self._rewrite(graph, blocks, ())
        for node in weighted_nodes(graph):
            if node.name not in blocks and _parameters(graph, node.name) != _parameters(current, node.name):
                rewrite.trace[node.name] = Origin(node.name, str(self), "E3")
                left.pop(node.name, None)
        return replace(rewrite, left=tuple(Left(name, reason) for name, reason in left.items()))

    def block(self, layer: Layer) -> Block | str:
        """Return gate and paths, or why the layer stays as it is."""
        conv, channels = layer.conv, layer.channels
        if conv.groups > 1:
            return f"has {conv.groups} groups already"
        if channels < _GATE:
            return f"{channels} channels are fewer than {_GATE}: nothing would be left of the gate"
        for reduction in (self.top, self.bottom):
            if channels % reduction:
                return f"{reduction} does not divide {channels} channels"
        wide, narrow = channels // self.top, channels // self.bottom
        if wide + narrow > conv.out_channels:
            return f"{wide + narrow} channels would be more than its {conv.out_channels} filters"
        top, bottom = replace(conv, out_channels=wide), replace(conv, out_channels=narrow)
        folds = self.top

        def reference(x: Array, own: Arrays) -> Array:
            gate = _gate(x, own)
            t, u = _folded(gate * x, folds), _folded(gate[:, ::-1] * x, folds)
            inner = rectified(_normed(_mixed(u, own["point.weight"]), own, "point_norm"), "relu")
            return np.concatenate([_path(t, top, own, "top"), _path(inner, bottom, own, "bottom")], axis=1)

        block = Block(layer, "E3", reference=reference)
        x = layer.input
        gate = block.part(
            "squeeze", Conv2d(channels // _GATE, (1, 1), bias=False), block.part("pool", _MEAN, x)
        )
        gate = block.part("squeeze_relu", Activation(), block.part("squeeze_norm", BatchNorm(), gate))
        gate = block.part("gate", Activation("sigmoid"), block.part("excite", Conv2d(channels, (1, 1)), gate))
        turned = block.part("flipped", Take(1, tuple(reversed(range(channels)))), gate)
        upper, lower = (
            _fold(block, name, block.part(f"{name}_gated", Multiply(), x, factors), folds, wide)
            for name, factors in (("top", gate), ("bottom", turned))
        )
        inner = block.part("point", Conv2d(narrow, (1, 1), bias=False), lower)
        inner = block.part("point_relu", Activation(), block.part("point_norm", BatchNorm(), inner))
        return block.end(Concat(), block.part("top", top, upper), block.part("bottom", bottom, inner))

    def assumptions(self) -> tuple[str, ...]:
        """Return what is not in the published code."""
        found = [f"{self}: fused, the input is read once though the gate needs all of it before the folding"]
        if self.top != 2:
            found.append(f"{self}: channels are folded in {self.top} equal runs; the code shows two")
        return tuple(found)


_MEAN = AdaptivePool2d("average", (1, 1))


def _why_kept(graph: LayerGraph, sets: ChannelSets, name: str) -> str | None:
    """Why the number of a layer's channels cannot change, or None."""
    (number, *_) = sets.sets(graph.node(name).outputs[0])
    if number in sets.fixed:
        return f"keeps its channels: {sets.fixed[number]}"
    others = [writer for writer in sets.writers[number] if writer != name]
    if others:
        return f"shares its channels with {others[0]}"
    for node in graph.nodes:
        if is_depthwise(graph, node) and number in sets.sets(node.inputs[0]):
            return f"keeps its channels: read by depthwise {node.name}"
    return None


def _parameters(graph: LayerGraph, name: str) -> dict[str, tuple[int, ...]]:
    node = graph.node(name)
    return node.op.parameters(graph.input_shapes(node))


def _fold(block: Block, name: str, x: str, folds: int, each: int) -> str:
    """Nodes that add up equal runs of channels."""
    first = block.part(f"{name}_runs", Split((each,) * folds), x, outputs=folds)
    return block.part(f"{name}_folded", Add(), first, *(f"{first}:{i}" for i in range(1, folds)))


def _folded(x: Array, folds: int) -> Array:
    n, c, h, w = x.shape
    return np.asarray(x.reshape(n, folds, c // folds, h, w).sum(axis=1))


def _mixed(x: Array, weight: Array) -> Array:
    """A 1x1 convolution."""
    return np.asarray(np.einsum("oc,nchw->nohw", weight[:, :, 0, 0].astype(np.float64), x))


def _normed(x: Array, own: Arrays, name: str) -> Array:
    mean, var, scale, shift = (
        own[f"{name}.{key}"].astype(np.float64)[:, None, None]
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    return np.asarray((x - mean) / np.sqrt(var + EPSILON) * scale + shift)


def _gate(x: Array, own: Arrays) -> Array:
    mean = np.asarray(x, np.float64).mean(axis=(2, 3), keepdims=True)
    hidden = rectified(_normed(_mixed(mean, own["squeeze.weight"]), own, "squeeze_norm"), "relu")
    logits = with_bias(_mixed(hidden, own["excite.weight"]), own["excite.bias"])
    return np.asarray(1 / (1 + np.exp(-logits)))


def _path(x: Array, op: Conv2d, own: Arrays, name: str) -> Array:
    weight = own[f"{name}.weight"]
    made = [sum(plane(x[:, c], weight[o, c], op) for c in range(x.shape[1])) for o in range(len(weight))]
    return with_bias(np.stack(made, axis=1), own.get(f"{name}.bias"))


def parse(text: str) -> Slim:
    """Return the scheme written behind ``slim:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("slim", text, {"r1": f"2..{_LARGEST}", "r2": f"2..{_LARGEST}"})
    return Slim(
        integer("slim", "r1", given["r1"]) if "r1" in given else Slim.top,
        integer("slim", "r2", given["r2"]) if "r2" in given else Slim.bottom,
    )


KIND = SchemeKind(
    parse,
    "gated and folded channels in two narrow paths, fewer channels behind (Qiu et al. 2021)",
    ("slim:r1=2,r2=4", "slim:r1=4,r2=8"),
)
