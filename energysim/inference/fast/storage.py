"""Where tensors lie: one arena for all of them, space reused when a tensor is no longer read.

A tensor of four dimensions is a padded map (:mod:`~energysim.inference.fast.layout`), any other a
plain array. A split along the channels is a view of its input; the inputs of a concatenation along
the channels are views of its output, so that their producers write it and nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energysim.graph import Concat, LayerGraph, Split
from energysim.graph.shapes import product
from energysim.inference.fast.layout import LINE, SLACK, Array, Plane, planes
from energysim.inference.fast.stages import Stage

__all__ = ["Storage"]


@dataclass(frozen=True)
class _Place:
    """A tensor as part of another: the root's name and the first of its channels."""

    root: str
    channel: int = 0


class Storage:
    """The arena of a plan.

    Parameters
    ----------
    graph : LayerGraph
    work : list of Stage
    same : dict of str to str
        Other names of tensors.
    """

    def __init__(self, graph: LayerGraph, work: list[Stage], same: dict[str, str]) -> None:
        self.graph = graph
        self.planes = planes(graph)
        self._same = same
        self._places = _places(graph, work, same)
        spans = self._spans(work)
        sizes = {t: self._floats(t) for t in spans}
        self._starts, total = _pack(spans, sizes)
        self._arena = np.zeros(total + SLACK + LINE, dtype=np.float32)
        skip = -self._arena.ctypes.data // 4 % LINE
        self._arena = self._arena[skip:]
        self.floats = total
        self._shared = _overlapping(self._starts, sizes)

    def plane(self, tensor: str) -> Plane:
        """Return the layout of a map."""
        _, _, height, width = self.graph.tensors[tensor].shape
        return self.planes[height, width]

    def is_map(self, tensor: str) -> bool:
        """Return whether a tensor is stored as a padded map."""
        return len(self.graph.tensors[tensor].shape) == 4

    def shared(self, tensor: str) -> bool:
        """Return whether another tensor uses the same memory, before or after."""
        return self._root(tensor).root in self._shared

    def planes_of(self, tensor: str) -> Array:
        """Return the planes (N, C, S) of a map."""
        place = self._root(tensor)
        channels = self.graph.tensors[tensor].shape[1]
        return self._raw(place.root)[:, place.channel : place.channel + channels]

    def array(self, tensor: str) -> Array:
        """Return a tensor in its own shape: a view."""
        name = self._same.get(tensor, tensor)
        if self.is_map(name):
            return self.plane(name).pixels(self.planes_of(name))
        return self._raw(name)

    def same_memory(self, first: str, second: str) -> bool:
        """Return whether one tensor is a view of the other's memory."""
        return self._root(first).root == self._root(second).root

    def _root(self, tensor: str) -> _Place:
        name, channel = self._same.get(tensor, tensor), 0
        while name in self._places:
            place = self._places[name]
            name, channel = place.root, channel + place.channel
        return _Place(name, channel)

    def _raw(self, root: str) -> Array:
        shape = self.graph.tensors[root].shape
        if self.is_map(root):
            shape = (*shape[:2], self.plane(root).stride)
        start = self._starts[root]
        return self._arena[start : start + product(shape)].reshape(shape)

    def _floats(self, root: str) -> int:
        shape = self.graph.tensors[root].shape
        return product(shape[:2]) * self.plane(root).stride if self.is_map(root) else product(shape)

    def _spans(self, work: list[Stage]) -> dict[str, tuple[int, int]]:
        """From the first write to the last read of every root, in numbers of stages."""
        spans: dict[str, tuple[int, int]] = {}

        def use(tensor: str, when: int) -> None:
            root = self._root(tensor).root
            first, last = spans.get(root, (when, when))
            spans[root] = min(first, when), max(last, when)

        for tensor in self.graph.inputs:
            use(tensor, -1)
        for number, stage in enumerate(work):
            for tensor in (*stage.reads, *stage.last.outputs):
                use(tensor, number)
        for tensor in self.graph.outputs:
            use(tensor, len(work))
        return spans


def _places(graph: LayerGraph, work: list[Stage], same: dict[str, str]) -> dict[str, _Place]:
    """Which maps are parts of others."""
    places: dict[str, _Place] = {}
    written = {t for stage in work for t in stage.last.outputs}
    for stage in work:
        op, outputs = stage.node.op, stage.last.outputs
        if len(graph.tensors[outputs[0]].shape) != 4:
            continue
        if isinstance(op, Split) and op.axis in (1, -3):
            channel = 0
            for tensor in outputs:
                places[tensor] = _Place(stage.inputs[0], channel)
                channel += graph.tensors[tensor].shape[1]
        elif isinstance(op, Concat) and op.axis in (1, -3):
            channel = 0
            for tensor in stage.inputs:
                if tensor in written and tensor not in places and stage.inputs.count(tensor) == 1:
                    places[tensor] = _Place(outputs[0], channel)
                channel += graph.tensors[tensor].shape[1]
    return places


def _pack(spans: dict[str, tuple[int, int]], sizes: dict[str, int]) -> tuple[dict[str, int], int]:
    """Give every root a place: largest first, each at the lowest offset free during its whole span."""
    starts: dict[str, int] = {}
    for root in sorted(spans, key=lambda t: (-sizes[t], spans[t][0])):
        first, last = spans[root]
        taken = sorted(
            (starts[t], starts[t] + sizes[t]) for t in starts if spans[t][0] <= last and first <= spans[t][1]
        )
        position = 0
        for low, high in taken:
            if position + sizes[root] <= low:
                break
            position = max(position, -(-high // LINE) * LINE)
        starts[root] = position
    return starts, max((starts[t] + sizes[t] for t in starts), default=0)


def _overlapping(starts: dict[str, int], sizes: dict[str, int]) -> set[str]:
    """Roots whose memory another root uses too, at another time."""
    found: set[str] = set()
    order = sorted(starts, key=lambda t: starts[t])
    reach, holder = -1, ""
    for root in order:
        if starts[root] < reach:
            found |= {root, holder}
        if starts[root] + sizes[root] > reach:
            reach, holder = starts[root] + sizes[root], root
    return found
