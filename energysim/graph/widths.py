"""Which operators keep the width of what they read, and how a stated width runs on through a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from energysim.errors import GraphError, near_miss
from energysim.graph.arrangement import Concat, Upsample
from energysim.graph.cutting import Expand, Pad, Tile
from energysim.graph.elementwise import Activation, Dropout
from energysim.graph.lookup import Embedding, GatherElements, computed_inputs
from energysim.graph.pointwise import BinaryElementwise, Elementwise, Where
from energysim.graph.pooling import AdaptivePool2d, Pool2d
from energysim.graph.quantisation import Dequantize, Quantize
from energysim.graph.resize import Resize

if TYPE_CHECKING:
    from energysim.graph.layergraph import LayerGraph, Node

__all__ = ["keeps_width", "need_parameter_widths", "running_widths"]

_ALWAYS = (Concat, Pad, Tile, Expand, Dropout, Dequantize, GatherElements)
_FUNCTIONS = ("identity", "clip", "minimum", "maximum")


def keeps_width(node: Node) -> bool:
    """Whether the outputs of a node hold no other values than its inputs, or what zero and limits are.

    The reverse of a quantisation counts as such: its numbers are as many as the integers they stand for.
    """
    op = node.op
    if isinstance(op, Pool2d | AdaptivePool2d):
        return op.mode == "max"
    if isinstance(op, Upsample | Resize):
        return op.mode == "nearest"
    if isinstance(op, Activation):
        return op.function in ("relu", "relu6")
    if isinstance(op, Elementwise | BinaryElementwise):
        return op.function in _FUNCTIONS
    return op.category == "view" or isinstance(op, _ALWAYS)


def running_widths(graph: LayerGraph, stated: Mapping[str, int]) -> dict[str, int]:
    """Return the widths of all tensors that follow from the stated ones.

    A quantisation states the width of its output. What keeps the width of what it reads has the
    widest of them, if all are known; a width that is stated goes before one that follows.

    Raises
    ------
    GraphError
        If there is no such tensor, or a width is no whole number from 1 to 64.
    """
    for name, bits in stated.items():
        if name not in graph.tensors:
            raise GraphError(f"no tensor {name!r} in {graph.name!r}{near_miss(name, graph.tensors)}")
        _need_width(name, bits)
    found = dict(stated)
    for node in graph.nodes:
        if isinstance(node.op, Quantize):
            found.setdefault(node.outputs[0], node.op.bits)
            continue
        read = computed_inputs(graph, node)
        if isinstance(node.op, GatherElements):
            read = read[:1]
        elif isinstance(node.op, Where):
            read = tuple(t for t in node.inputs[1:] if t in read)
        elif isinstance(node.op, Embedding) or not keeps_width(node):
            continue
        widths = [found.get(t) for t in read]
        known = [width for width in widths if width is not None]
        if known and len(known) == len(widths):
            for tensor in node.outputs:
                found.setdefault(tensor, max(known))
    return found


def _need_width(name: str, bits: object) -> None:
    if type(bits) is not int or not 1 <= bits <= 64:
        raise GraphError(f"the width of {name!r} must be a whole number from 1 to 64, not {bits!r}")


def need_parameter_widths(graph: LayerGraph, stated: Mapping[str, int]) -> None:
    """Raise GraphError if there is no such parameter, or a width is no whole number from 1 to 64."""
    known = graph.parameters()
    for name, bits in stated.items():
        if name not in known:
            raise GraphError(f"no parameter {name!r} in {graph.name!r}{near_miss(name, known)}")
        _need_width(name, bits)
