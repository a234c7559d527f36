"""A small builder: write a network down as one reads it.

>>> b = GraphBuilder("tiny", input=(3, 32, 32))
>>> x = b.relu(b.conv(b.input, 16, 3, padding=1))
>>> y = b.add(x, b.conv(x, 16, 3, padding=1, name="branch"))
>>> graph = b.build(b.linear(b.flatten(b.global_pool(y)), 10))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from energysim.errors import GraphError, ShapeError, near_miss
from energysim.graph.arrangement import (
    ChannelShuffle,
    Concat,
    Flatten,
    LearnedToken,
    Permute,
    Reshape,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.graph.elementwise import (
    Activation,
    Add,
    BatchNorm,
    Dropout,
    GroupNorm,
    LayerNorm,
    LearnedAdd,
    LocalResponseNorm,
    Multiply,
    Softmax,
)
from energysim.graph.layergraph import LayerGraph, Node
from energysim.graph.operators import Conv2d, ConvTranspose2d, Linear, MatMul, Operator
from energysim.graph.pooling import AdaptivePool2d, Pool2d
from energysim.graph.shapes import Shape, as_pads, as_pair, text
from energysim.kernels import Kernel

__all__ = ["GraphBuilder"]

Ints = int | Sequence[int]
Mode = Literal["max", "average"]


class GraphBuilder:
    """Collects nodes; every method takes tensor names and returns the name of its output.

    Parameters
    ----------
    name : str
        Name of the network.
    input : sequence of int
        Shape of one sample, e.g. (3, 224, 224); the tensor is called ``input``.
    batch : int
        Batch size; :meth:`LayerGraph.with_batch` changes it later.

    Notes
    -----
    A node without a name is numbered by kind (``conv1``, ``conv2``). Names inside
    ``with b.scope("layer1"):`` begin with ``layer1.``.
    """

    def __init__(self, name: str, input: Sequence[int], batch: int = 1) -> None:
        sample = tuple(input)
        if not sample or not all(type(s) is int and s >= 1 for s in (batch, *sample)):
            raise ShapeError(
                f"the input of {name!r} must have positive whole lengths and a batch of at least 1, "
                f"not {sample!r} and {batch!r}"
            )
        self.name = name
        self.input = "input"
        self._inputs: dict[str, Shape] = {"input": (batch, *sample)}
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._scopes: list[str] = []
        self._shapes: dict[str, Shape] = dict(self._inputs)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names made inside with ``name.``."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a tensor made so far, batch first."""
        if tensor not in self._shapes:
            raise GraphError(f"{self.name!r} has no tensor {tensor!r} yet{near_miss(tensor, self._shapes)}")
        return self._shapes[tensor]

    def node(self, op: Operator, *inputs: str, name: str | None = None, outputs: int = 1) -> tuple[str, ...]:
        """Add any operator; returns all its output tensors."""
        prefix = "".join(f"{s}." for s in self._scopes)
        if name is None:
            short = _SHORT.get(op.kind, op.kind.lower())
            count = 1
            while f"{prefix}{short}{count}" in self._names:
                count += 1
            name = f"{short}{count}"
        full = prefix + name
        if full in self._names:
            raise GraphError(f"two nodes of {self.name!r} are called {full!r}")
        made = (full, *(f"{full}:{i}" for i in range(1, outputs)))
        names: tuple[object, ...] = inputs
        if not all(isinstance(one, str) for one in names):
            raise GraphError(
                f"node {full!r} takes tensors one by one, by the names that layers return: {names!r}"
            )
        for tensor in inputs:
            if tensor not in self._shapes:
                hint = near_miss(tensor, self._shapes)
                raise GraphError(f"node {full!r} reads tensor {tensor!r}, which nobody has written yet{hint}")
        shapes = tuple(self._shapes[t] for t in inputs)
        try:
            found = op.infer(shapes)
        except GraphError as error:
            fed = ", ".join(f"{t!r} gives {text(self._shapes[t])}" for t in inputs)
            raise type(error)(f"node {full!r} ({op.kind}): {error}; {fed}") from None
        if len(found) != outputs:
            raise GraphError(f"node {full!r} ({op.kind}) makes {len(found)} tensors, not {outputs}")
        self._names.add(full)
        self._nodes.append(Node(full, op, inputs, made))
        self._shapes.update(zip(made, found, strict=True))
        return made

    def build(self, *outputs: str) -> LayerGraph:
        """Return the graph; without arguments its outputs are the tensors nobody reads."""
        return LayerGraph(self.name, self._inputs, self._nodes, outputs or None)

    def extra_input(self, name: str, shape: Sequence[int]) -> str:
        """Add another input tensor with the shape of one sample."""
        if name in self._shapes:
            raise GraphError(f"two tensors of {self.name!r} are called {name!r}")
        self._inputs[name] = self._shapes[name] = (self._inputs["input"][0], *shape)
        return name

    def _one(self, op: Operator, *inputs: str, name: str | None) -> str:
        return self.node(op, *inputs, name=name)[0]

    def conv(
        self,
        x: str,
        out_channels: int,
        window: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        kernel: Kernel | None = None,
        name: str | None = None,
    ) -> str:
        """Add a convolution; rows before columns wherever two numbers are given."""
        op = Conv2d(
            out_channels,
            as_pair(window, "window"),
            as_pair(stride, "stride"),
            as_pads(padding),
            as_pair(dilation, "dilation"),
            groups,
            bias,
            kernel,
        )
        return self._one(op, x, name=name)

    def depthwise(
        self,
        x: str,
        window: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        bias: bool = True,
        name: str | None = None,
    ) -> str:
        """Add a convolution with one filter per channel."""
        channels = self.shape(x)[1]
        return self.conv(x, channels, window, stride, padding, groups=channels, bias=bias, name=name)

    def conv_transpose(
        self,
        x: str,
        out_channels: int,
        window: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        name: str | None = None,
    ) -> str:
        """Add a transposed convolution."""
        op = ConvTranspose2d(
            out_channels,
            as_pair(window, "window"),
            as_pair(stride, "stride"),
            as_pads(padding),
            as_pair(output_padding, "output_padding", 0),
            as_pair(dilation, "dilation"),
            groups,
            bias,
        )
        return self._one(op, x, name=name)

    def conv_bn(
        self,
        x: str,
        out_channels: int,
        window: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        groups: int = 1,
        function: str | None = "relu",
        *,
        name: str,
    ) -> str:
        """Add ``name.conv`` without bias, ``name.bn`` and an activation (``name.relu``) unless None."""
        with self.scope(name):
            x = self.conv(x, out_channels, window, stride, padding, groups=groups, bias=False, name="conv")
            x = self.batch_norm(x, name="bn")
            return x if function is None else self.activation(x, function, name=function)

    def linear(self, x: str, out_features: int, bias: bool = True, name: str | None = None) -> str:
        """Add a fully connected layer."""
        return self._one(Linear(out_features, bias), x, name=name)

    def matmul(self, left: str, right: str, name: str | None = None) -> str:
        """Add a product of two computed tensors."""
        return self._one(MatMul(), left, right, name=name)

    def pool(
        self,
        x: str,
        window: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        mode: Mode = "max",
        dilation: Ints = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        name: str | None = None,
    ) -> str:
        """Add windowed pooling; the stride is the window unless given."""
        size = as_pair(window, "window")
        op = Pool2d(
            mode,
            size,
            size if stride is None else as_pair(stride, "stride"),
            as_pads(padding),
            as_pair(dilation, "dilation"),
            ceil_mode,
            count_include_pad,
        )
        return self._one(op, x, name=name)

    def adaptive_pool(self, x: str, output: Ints, mode: Mode = "average", name: str | None = None) -> str:
        """Add pooling to a fixed output size."""
        return self._one(AdaptivePool2d(mode, as_pair(output, "output")), x, name=name)

    def global_pool(self, x: str, mode: Mode = "average", name: str | None = None) -> str:
        """Add pooling to one pixel."""
        return self.adaptive_pool(x, 1, mode, name)

    def batch_norm(self, x: str, affine: bool = True, name: str | None = None) -> str:
        """Add batch normalisation."""
        return self._one(BatchNorm(affine), x, name=name)

    def layer_norm(self, x: str, affine: bool = True, name: str | None = None) -> str:
        """Add layer normalisation over the last axis."""
        return self._one(LayerNorm(affine), x, name=name)

    def group_norm(self, x: str, groups: int, affine: bool = True, name: str | None = None) -> str:
        """Add group normalisation."""
        return self._one(GroupNorm(groups, affine), x, name=name)

    def activation(self, x: str, function: str, name: str | None = None) -> str:
        """Add an element-wise function (see ``ACTIVATIONS``)."""
        return self._one(Activation(function), x, name=name)

    def relu(self, x: str, name: str | None = None) -> str:
        """Add a ReLU."""
        return self.activation(x, "relu", name)

    def dropout(self, x: str, name: str | None = None) -> str:
        """Add dropout, the identity at inference."""
        return self._one(Dropout(), x, name=name)

    def local_response_norm(self, x: str, size: int = 5, name: str | None = None) -> str:
        """Add normalisation over neighbouring channels."""
        return self._one(LocalResponseNorm(size), x, name=name)

    def softmax(self, x: str, axis: int = -1, name: str | None = None) -> str:
        """Add a softmax."""
        return self._one(Softmax(axis), x, name=name)

    def add(self, *xs: str, name: str | None = None) -> str:
        """Add an element-wise sum."""
        return self._one(Add(), *xs, name=name)

    def multiply(self, *xs: str, name: str | None = None) -> str:
        """Add an element-wise product."""
        return self._one(Multiply(), *xs, name=name)

    def concat(self, *xs: str, axis: int = 1, name: str | None = None) -> str:
        """Add a concatenation."""
        return self._one(Concat(axis), *xs, name=name)

    def split(self, x: str, sizes: Sequence[int], axis: int = 1, name: str | None = None) -> tuple[str, ...]:
        """Cut an axis into parts; returns one tensor per part."""
        return self.node(Split(tuple(sizes), axis), x, name=name, outputs=len(sizes))

    def flatten(self, x: str, start: int = 1, name: str | None = None) -> str:
        """Join the axes from ``start`` on."""
        return self._one(Flatten(start), x, name=name)

    def reshape(self, x: str, shape: Sequence[int], name: str | None = None) -> str:
        """Reshape each sample."""
        return self._one(Reshape(tuple(shape)), x, name=name)

    def permute(self, x: str, order: Sequence[int], name: str | None = None) -> str:
        """Reorder the axes, the batch staying first."""
        return self._one(Permute(tuple(order)), x, name=name)

    def upsample(
        self, x: str, factor: Ints, mode: Literal["nearest", "bilinear"] = "nearest", name: str | None = None
    ) -> str:
        """Enlarge a map by whole factors."""
        return self._one(Upsample(as_pair(factor, "factor"), mode), x, name=name)

    def channel_shuffle(self, x: str, groups: int, name: str | None = None) -> str:
        """Interleave the channels of groups."""
        return self._one(ChannelShuffle(groups), x, name=name)

    def spatial_shift(self, x: str, window: Ints = 3, name: str | None = None) -> str:
        """Shift each channel by a fixed displacement."""
        return self._one(SpatialShift(as_pair(window, "window")), x, name=name)

    def learned_add(self, x: str, name: str | None = None) -> str:
        """Add a learned tensor (position embedding)."""
        return self._one(LearnedAdd(), x, name=name)

    def learned_token(self, x: str, name: str | None = None) -> str:
        """Prepend a learned token to a sequence."""
        return self._one(LearnedToken(), x, name=name)

    def attention(self, x: str, heads: int, name: str = "attention") -> str:
        """Add multi-head self-attention on (N, L, D) (Vaswani et al., NIPS 2017, section 3.2.2).

        One projection to queries, keys and values, the two products per head, the softmax,
        the output projection: 3 D^2 + D^2 weights and 2 L^2 D multiply-adds besides the
        projections. The scaling by 1/sqrt(D / heads) is folded into the projection.
        """
        if len(self.shape(x)) != 3:
            raise ShapeError(f"attention {name!r} takes (N, L, D), not {text(self.shape(x))}, from {x!r}")
        _, length, depth = self.shape(x)
        if heads < 1 or depth % heads:
            raise GraphError(f"attention {name!r}: {heads} heads do not divide a depth of {depth}")
        with self.scope(name):
            qkv = self.linear(x, 3 * depth, name="qkv")
            parts = self.split(qkv, (depth, depth, depth), axis=2, name="parts")
            rows = [self.reshape(p, (length, heads, depth // heads)) for p in parts]
            query = self.permute(rows[0], (0, 2, 1, 3))
            key = self.permute(rows[1], (0, 2, 3, 1))
            value = self.permute(rows[2], (0, 2, 1, 3))
            scores = self.softmax(self.matmul(query, key, name="scores"))
            mixed = self.permute(self.matmul(scores, value, name="mix"), (0, 2, 1, 3))
            return self.linear(self.reshape(mixed, (length, depth)), depth, name="projection")


_SHORT = {
    "Conv2d": "conv",
    "ConvTranspose2d": "deconv",
    "Pool2d": "pool",
    "AdaptivePool2d": "pool",
    "Activation": "act",
    "BatchNorm": "bn",
    "LayerNorm": "ln",
    "GroupNorm": "gn",
    "LocalResponseNorm": "lrn",
    "Multiply": "mul",
    "ChannelShuffle": "shuffle",
    "SpatialShift": "shift",
}
