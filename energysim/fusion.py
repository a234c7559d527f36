"""Which nodes cost traffic of their own, and which tensor lies in memory between them.

Every tensor returns to DRAM between layers, except where a node is folded into its producer:

``epilogue`` (default)  batch norm, activation and dropout run in place
``pool``                pooling behind a multiply-add layer as well
``split``               as epilogue, but the parts of a rewritten layer pass their tensors through DRAM
``none``                nothing is folded

The tensors between the parts of a layer that a scheme has rewritten are *internal*: with ``epilogue``
and ``pool`` they stay on chip and what several parts read is read once (assumed: the parts run in
step, tile by tile, whatever the buffer holds); with ``split`` and ``none`` they are written and read
like any other, and a view that moves data (a shift) is a row of its own.

Views never cost anything: they are addressing. An epilogue that cannot run in place, because
others read its input too or a view or a graph input feeds it, is applied on loading: memory
holds its input. If the network returns its result, it is a row of its own instead. An operation with
constants of one number per channel is an epilogue like a batch norm. Scale and shift of a batch norm
that is no row of its own stay on chip, like biases, and are not counted; nor are such constants.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from energysim.graph import (
    AdaptivePool2d,
    Add,
    BinaryElementwise,
    Dropout,
    LayerGraph,
    Multiply,
    Node,
    Pool2d,
    Tensor,
)
from energysim.graph.lookup import computed_inputs

__all__ = ["FUSIONS", "Fused", "fuse"]

FUSIONS = {
    "epilogue": "batch norm folded, activation in place; pooling, add, concat, softmax are rows of their own",
    "pool": "as epilogue, and pooling behind a multiply-add layer runs in place too",
    "split": "as epilogue, but the parts of a layer that a scheme rewrote pass their tensors through DRAM",
    "none": "every operator but views reads and writes DRAM",
}


@dataclass(frozen=True)
class Fused:
    """The result of :func:`fuse`.

    Attributes
    ----------
    folded : dict of str to str
        Node without traffic of its own -> the node it runs with, "" for views and for
        epilogues applied on loading.
    stored : dict of str to Tensor
        Tensor name -> the tensor that lies in memory for it.
    on_chip : frozenset of str
        Tensors that never lie in DRAM.
    in_step : bool
        Whether the parts of a rewritten layer read their common inputs once.
    """

    folded: dict[str, str]
    stored: dict[str, Tensor]
    on_chip: frozenset[str] = frozenset()
    in_step: bool = True


def fuse(graph: LayerGraph, mode: str = "epilogue", internal: Collection[str] = ()) -> Fused:
    """Fold nodes of a graph into their producers, by one of :data:`FUSIONS`.

    Parameters
    ----------
    graph : LayerGraph
    mode : str
    internal : collection of str
        Tensors between the parts of rewritten layers.
    """
    apart = mode in ("split", "none")
    folded: dict[str, str] = {}
    home = {tensor: tensor for tensor in graph.inputs}
    last = dict(home)  # home -> what the nodes folded behind it made of it
    for node in graph.nodes:
        moved = apart and node.op.moves and any(t in internal for t in node.outputs)
        target = None if moved else _target(graph, node, folded, mode)
        if target is not None:
            folded[node.name] = target
        for tensor in node.outputs:
            if target is None or not node.inputs:
                home[tensor] = last[tensor] = tensor
            else:
                home[tensor] = home[(computed_inputs(graph, node) or node.inputs)[0]]
        if target:
            last[home[node.outputs[0]]] = node.outputs[0]
    stored = {tensor: graph.tensors[last[root]] for tensor, root in home.items()}
    outside = {root for tensor, root in home.items() if tensor not in internal}
    inside = () if apart else (t for t, root in home.items() if root not in outside)
    return Fused(folded, stored, frozenset(inside), not apart)


def _target(graph: LayerGraph, node: Node, folded: dict[str, str], mode: str) -> str | None:
    """The node that ``node`` runs with, "" if it only changes how a tensor is read, None if neither."""
    op = node.op
    if op.category == "view" or (isinstance(op, Dropout) and mode == "none"):
        return ""
    pooling = mode == "pool" and isinstance(op, Pool2d | AdaptivePool2d)
    computed = computed_inputs(graph, node)
    single = len(computed) == len(node.outputs) == 1
    in_place = op.category == "epilogue" or _scales(graph, node)
    if mode == "none" or not single or not (in_place or pooling):
        return None
    tensor = computed[0]
    producer = graph.tensors[tensor].producer
    target = ""
    if producer is not None and len(graph.consumers(tensor)) == 1 and tensor not in graph.outputs:
        target = folded.get(producer, producer)
    if pooling:
        return target if target and graph.node(target).op.category == "mac" else None
    if not target and not isinstance(op, Dropout) and _returned(graph, node.outputs[0]):
        return None  # nobody loads the result: it must be written
    return target


def _scales(graph: LayerGraph, node: Node) -> bool:
    """Whether a node joins a tensor with constants of a number per channel, or fewer, and keeps its shape."""
    if not isinstance(node.op, Add | Multiply | BinaryElementwise):
        return False
    computed = computed_inputs(graph, node)
    constants = [t for t in node.inputs if t not in computed]
    return (
        len(computed) == 1
        and bool(constants)
        and graph.output_shapes(node) == (graph.tensors[computed[0]].shape,)
        and all(sum(size > 1 for size in graph.tensors[t].shape) <= 1 for t in constants)
    )


def _returned(graph: LayerGraph, tensor: str) -> bool:
    """Whether the network returns a tensor, or a view of it."""
    views = (n for n in graph.consumers(tensor) if n.op.category == "view")
    return tensor in graph.outputs or any(_returned(graph, t) for view in views for t in view.outputs)
