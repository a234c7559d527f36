"""Rewritten layers beside what they are to equal: which nodes stand for which, and with which weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from energysim.errors import CheckFailedError, SchemeError
from energysim.formats.bits import BitReader, BitWriter
from energysim.graph import Conv2d, LayerGraph, Linear, Node
from energysim.inference.weights import FloatArray, Weights, masked
from energysim.schemes import Rewrite, equivalent_weights, own_arrays
from energysim.schemes.block import Written
from energysim.validate.stored import quantised_weights

__all__ = [
    "blocks_of",
    "claimed_bits",
    "dense_equivalent",
    "equal_weights",
    "need_unchanged_layers",
    "written_bits",
]

_EQUAL = ("E1", "E2")


def dense_equivalent(graph: LayerGraph, rewrite: Rewrite) -> LayerGraph:
    """Return the network that a rewritten one is to equal.

    Layers of exactness E1 and E2 are those of the original without any sparse kernel; what a scheme made
    of the others is kept, to be run by the definitions of its operators.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        own = _nodes_of(rewrite, node.name)
        if own and rewrite.trace[own[-1].name].exactness not in _EQUAL:
            nodes += own
        elif isinstance(node.op, Conv2d | Linear):
            nodes.append(replace(node, op=replace(node.op, kernel=None)))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _nodes_of(rewrite: Rewrite, origin: str) -> list[Node]:
    return [n for n in rewrite.graph.nodes if rewrite.trace[n.name].node == origin]


def blocks_of(reference: LayerGraph, rewrite: Rewrite) -> dict[str, tuple[Node, ...]]:
    """Return, for each node of the equivalent network, the nodes that stand for it."""
    found: dict[str, tuple[Node, ...]] = {}
    for node in reference.nodes:
        origin = rewrite.trace.get(node.name)
        if origin is None or origin.exactness in _EQUAL:
            found[node.name] = tuple(_nodes_of(rewrite, node.name))
        else:
            found[node.name] = (rewrite.graph.node(node.name),)
    return found


def need_unchanged_layers(rewrite: Rewrite, mode: str) -> None:
    """Raise SchemeError if a scheme did more than give layers another kernel.

    A rewritten layer rounds between its parts, so in integers nothing dense equals it bit for bit.
    """
    for step in rewrite.steps:
        for recipe in step:
            raise SchemeError(f"layer {recipe.node!r} is rewritten: it is checked in float32, not in {mode}")


def equal_weights(rewrite: Rewrite, weights: Weights) -> dict[str, FloatArray]:
    """Return the weights of the equivalent network, float32."""
    found = equivalent_weights(rewrite, masked(rewrite.graph, weights))
    return {name: np.asarray(array, dtype=np.float32) for name, array in found.items()}


def claimed_bits(rewrite: Rewrite, node: str, width: int) -> int:
    """Return what a scheme says a node stores besides, or in the place of, its encoded weights [bit].

    ``width`` is that of a weight.
    """
    extra = rewrite.extras.get(node)
    if extra is None:
        return 0
    generated = 0 if extra.generated is None else extra.generated.bits(width)
    return extra.side_bits + extra.table_bits + generated


def written_bits(
    rewrite: Rewrite, weights: Mapping[str, NDArray[np.generic]], width: Callable[[str], int]
) -> dict[str, int]:
    """Return the bits that the tables of each rewritten layer take, encoded and read back.

    ``width`` gives the bits of a node's weights.

    Raises
    ------
    CheckFailedError
        If they do not come back as they were.
    """
    found: dict[str, int] = {}
    for step in rewrite.steps:
        for recipe in step:
            if recipe.written is not None:
                for table in recipe.written(own_arrays(recipe, weights)):
                    found[recipe.node] = found.get(recipe.node, 0) + _encoded(
                        recipe.node, table, width(recipe.node)
                    )
    return found


def _encoded(node: str, table: Written, width: int) -> int:
    bits = table.bits or width
    numbers = table.values if table.bits else quantised_weights(table.values, width)
    values = np.asarray(numbers, dtype=np.int64).reshape(-1)
    signed = values.size > 0 and int(values.min()) < 0
    writer = BitWriter()
    writer.fields(values, bits)
    reader = BitReader(writer.to_bytes())
    back = reader.values(values.size, bits) if signed else reader.fields(values.size, bits)
    if not np.array_equal(back, values):
        raise CheckFailedError(f"layer {node!r}: its {table.name} does not fit {bits} bits a value")
    return writer.bits
