"""Which channels of a network can only be removed together.

Channels that an addition joins, or a depthwise convolution, are one and the same: a *set* has as many
channels as the layers that write it. What a tensor's channels are is a row of *segments* (of a
concatenation several). Operators that no rule here knows, the network's inputs and its outputs keep all
channels of their tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    Multiply,
    Node,
    Pool2d,
    Upsample,
)
from energysim.graph.shapes import product

__all__ = ["ChannelSets", "Segment", "is_depthwise", "writes_channels"]

#: Operators that leave channels what they are.
_ALIKE = Activation | AdaptivePool2d | BatchNorm | Dropout | Pool2d | Upsample


@dataclass(frozen=True)
class Segment:
    """Some channels of a tensor, in a row.

    Attributes
    ----------
    number : int
        Of their set, until sets are joined.
    channels : int
    each : int
        Elements on axis 1 that belong to a channel: pixels, of a map that is flattened.
    """

    number: int
    channels: int
    each: int = 1


def is_depthwise(graph: LayerGraph, node: Node) -> bool:
    """Whether a node is a convolution with one filter for each channel."""
    op = node.op
    return isinstance(op, Conv2d) and 1 < op.groups == op.out_channels == graph.input_shapes(node)[0][1]


def writes_channels(graph: LayerGraph, node: Node) -> bool:
    """Whether a node multiplies with weights that can lose filters and channels, and makes new channels."""
    op, shapes = node.op, graph.input_shapes(node)
    if isinstance(op, Conv2d):
        return op.groups == 1 and op.layout(shapes).is_dense
    return isinstance(op, Linear) and len(shapes[0]) == 2 and op.layout(shapes).is_dense


@dataclass
class ChannelSets:
    """The sets of a network.

    Attributes
    ----------
    graph : LayerGraph
    segments : dict of str to tuple of Segment
        Of each tensor.
    fixed : dict of int to str
        Sets that keep all channels, and why.
    writers : dict of int to list of str
        Layers with weights whose filters are the channels of a set.
    """

    graph: LayerGraph
    segments: dict[str, tuple[Segment, ...]] = field(default_factory=dict)
    fixed: dict[int, str] = field(default_factory=dict)
    writers: dict[int, list[str]] = field(default_factory=dict)
    _joined: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.graph.inputs:
            self._keep(self._new(name), "an input of the network")
        for node in self.graph.nodes:
            self._visit(node)
        for name in self.graph.outputs:
            self._keep(self.segments[name], "an output of the network")

    def set_of(self, segment: Segment) -> int:
        """Return the number of the set that a segment belongs to."""
        number = segment.number
        while self._joined[number] != number:
            number = self._joined[number]
        return number

    def sets(self, tensor: str) -> list[int]:
        """Return the sets of a tensor's channels."""
        return [self.set_of(segment) for segment in self.segments[tensor]]

    def _new(self, tensor: str, writer: str | None = None) -> tuple[Segment, ...]:
        shape = self.graph.tensors[tensor].shape
        number = len(self._joined)
        self._joined.append(number)
        self.writers[number] = [] if writer is None else [writer]
        self.segments[tensor] = (Segment(number, shape[1] if len(shape) > 1 else 1),)
        return self.segments[tensor]

    def _keep(self, segments: Sequence[Segment], why: str) -> None:
        for segment in segments:
            self.fixed.setdefault(self.set_of(segment), why)

    def _join(self, one: Segment, two: Segment) -> None:
        first, second = sorted((self.set_of(one), self.set_of(two)))
        if first != second:
            self._joined[second] = first
            self.writers[first] += self.writers.pop(second)
            if second in self.fixed:
                self.fixed.setdefault(first, self.fixed.pop(second))

    def _visit(self, node: Node) -> None:
        op, graph = node.op, self.graph
        read = [self.segments[name] for name in node.inputs]
        out = node.outputs[0]
        if writes_channels(graph, node):
            self._new(out, node.name)
        elif isinstance(op, _ALIKE) or is_depthwise(graph, node):
            self.segments[out] = read[0]
            if isinstance(op, Conv2d) and not op.layout(graph.input_shapes(node)).is_dense:
                self._keep(read[0], f"{node.name} has a sparse kernel already")
        elif isinstance(op, Flatten) and op.start == 1 and all(s.each == 1 for s in read[0]):
            pixels = product(graph.input_shapes(node)[0][2:])
            self.segments[out] = tuple(Segment(s.number, s.channels, pixels) for s in read[0])
        elif isinstance(op, Concat) and op.axis == 1:
            self.segments[out] = tuple(segment for segments in read for segment in segments)
        elif isinstance(op, Add | Multiply) and self._same_places(read):
            for segments in read[1:]:
                for one, two in zip(read[0], segments, strict=True):
                    self._join(one, two)
            self.segments[out] = read[0]
        else:
            why = f"read by {op.kind} {node.name}"
            for segments in read:
                self._keep(segments, why)
            for name in node.outputs:
                self._keep(self._new(name), f"written by {op.kind} {node.name}")

    def _same_places(self, read: Sequence[tuple[Segment, ...]]) -> bool:
        places = [[(s.channels, s.each) for s in segments] for segments in read]
        return all(each == places[0] for each in places)
