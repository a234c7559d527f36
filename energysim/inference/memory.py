"""Which tensors live when: what can be freed after a node, and what a run holds at most."""

from __future__ import annotations

from collections.abc import Callable

from energysim.graph import Dropout, Flatten, LayerGraph, Node, Permute, Reshape, Slice, Split

__all__ = ["dead_after", "most_bytes", "owners"]

#: Operators whose outputs are views of their input (a reshape only where the input lies in order).
VIEWS = (Dropout, Flatten, Permute, Reshape, Slice, Split)


def owners(graph: LayerGraph) -> dict[str, str]:
    """Return for each tensor the one whose memory it may be a view of; itself if of none."""
    found = {name: name for name in graph.inputs}
    for node in graph.nodes:
        for tensor in node.outputs:
            found[tensor] = found[node.inputs[0]] if isinstance(node.op, VIEWS) else tensor
    return found


def dead_after(graph: LayerGraph) -> dict[str, tuple[str, ...]]:
    """Return for each node the tensors that nobody needs once it has run.

    Tensors that the graph returns are never in it; one that nobody reads dies where it is made.
    """
    last: dict[str, str] = {}
    for node in graph.nodes:
        for tensor in (*node.outputs, *node.inputs):
            last[tensor] = node.name
    found: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for tensor, name in last.items():
        if tensor not in graph.outputs:
            found[name].append(tensor)
    return {name: tuple(tensors) for name, tensors in found.items()}


def most_bytes(graph: LayerGraph, itemsize: Callable[[str], int], workspace: Callable[[Node], int]) -> int:
    """Return the most bytes that live tensors and a node's workspace take up at any time.

    Parameters
    ----------
    graph : LayerGraph
        For the batch that counts.
    itemsize : function of a tensor's name
        Bytes of an element.
    workspace : function of a node
        Bytes it needs besides its inputs and outputs while it runs.

    Notes
    -----
    An upper bound: a view is counted like a copy unless it is one for certain (dropout, split,
    permute), and holds its owner's memory as long as it lives.
    """
    owner = owners(graph)
    size = {name: tensor.elements * itemsize(name) for name, tensor in graph.tensors.items()}
    for node in graph.nodes:
        if isinstance(node.op, Dropout | Permute | Slice | Split):
            size.update(dict.fromkeys(node.outputs, 0))
    users: dict[str, set[str]] = {}
    live = set(graph.inputs)
    for tensor in live:
        users.setdefault(owner[tensor], set()).add(tensor)
    dead, most = dead_after(graph), 0
    for node in graph.nodes:
        for tensor in node.outputs:
            users.setdefault(owner[tensor], set()).add(tensor)
            live.add(tensor)
        held = live | {o for o, views in users.items() if views}
        most = max(most, sum(size[t] for t in held) + workspace(node))
        for tensor in dead[node.name]:
            users[owner[tensor]].discard(tensor)
            live.discard(tensor)
    return most
