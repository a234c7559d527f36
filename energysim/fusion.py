"""Which nodes cost traffic of their own, and which tensor lies in memory between them.

Every tensor returns to DRAM between layers, except where a node is folded into its producer:

``epilogue`` (default)  batch norm, activation and dropout run in place
``pool``                pooling behind a multiply-add layer as well
``none``                nothing is folded

Views never cost anything: they are addressing. An epilogue that cannot run in place, because
others read its input too or a view or a graph input feeds it, is applied on loading: memory
holds its input. If the network returns its result, it is a row of its own instead. Scale and shift
of a batch norm that is no row of its own stay on chip, like biases, and are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.graph import AdaptivePool2d, Dropout, LayerGraph, Node, Pool2d, Tensor

__all__ = ["FUSIONS", "Fused", "fuse"]

FUSIONS = {
    "epilogue": "batch norm folded, activation in place; pooling, add, concat, softmax are rows of their own",
    "pool": "as epilogue, and pooling behind a multiply-add layer runs in place too",
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
    """

    folded: dict[str, str]
    stored: dict[str, Tensor]


def fuse(graph: LayerGraph, mode: str = "epilogue") -> Fused:
    """Fold nodes of a graph into their producers, by one of :data:`FUSIONS`."""
    folded: dict[str, str] = {}
    home = {tensor: tensor for tensor in graph.inputs}
    last = dict(home)  # home -> what the nodes folded behind it made of it
    for node in graph.nodes:
        target = _target(graph, node, folded, mode)
        if target is not None:
            folded[node.name] = target
        for tensor in node.outputs:
            if target is None or not node.inputs:
                home[tensor] = last[tensor] = tensor
            else:
                home[tensor] = home[node.inputs[0]]
        if target:
            last[home[node.outputs[0]]] = node.outputs[0]
    return Fused(folded, {tensor: graph.tensors[last[root]] for tensor, root in home.items()})


def _target(graph: LayerGraph, node: Node, folded: dict[str, str], mode: str) -> str | None:
    """The node that ``node`` runs with, "" if it only changes how a tensor is read, None if neither."""
    op = node.op
    if op.category == "view" or (isinstance(op, Dropout) and mode == "none"):
        return ""
    pooling = mode == "pool" and isinstance(op, Pool2d | AdaptivePool2d)
    single = len(node.inputs) == len(node.outputs) == 1
    if mode == "none" or not single or not (op.category == "epilogue" or pooling):
        return None
    tensor = node.inputs[0]
    producer = graph.tensors[tensor].producer
    target = ""
    if producer is not None and len(graph.consumers(tensor)) == 1 and tensor not in graph.outputs:
        target = folded.get(producer, producer)
    if pooling:
        return target if target and graph.node(target).op.category == "mac" else None
    if not target and not isinstance(op, Dropout) and _returned(graph, node.outputs[0]):
        return None  # nobody loads the result: it must be written
    return target


def _returned(graph: LayerGraph, tensor: str) -> bool:
    """Whether the network returns a tensor, or a view of it."""
    views = (n for n in graph.consumers(tensor) if n.op.category == "view")
    return tensor in graph.outputs or any(_returned(graph, t) for view in views for t in view.outputs)
