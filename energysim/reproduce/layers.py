"""What several sources need: layers of a network with densities, and their costs as sums."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_search import best_cost
from energysim.graph import LayerGraph
from energysim.hardware import Hardware, load_hardware
from energysim.hardware.hierarchy import HierarchyHardware, SpatialAxis, TemporalLevel
from energysim.workload import MacWorkload, lower
from energysim.zoo import load_model

__all__ = [
    "best",
    "buffer_megabytes",
    "hierarchy",
    "layer",
    "megabytes",
    "moved_bits",
    "network",
    "resized",
    "with_densities",
]


@cache
def network(name: str, batch: int) -> LayerGraph:
    """A network of the zoo."""
    return load_model(name, batch=batch)


def layer(graph: LayerGraph, node: str) -> MacWorkload:
    """The multiply-adds of a layer, nothing else done in it."""
    work = lower(graph, graph.node(node))
    assert isinstance(work, MacWorkload)
    return replace(work, other_ops=0)


def with_densities(work: MacWorkload, inputs: Fraction, outputs: Fraction) -> MacWorkload:
    """The layer with shares of nonzeros among its inputs and its outputs."""
    return replace(
        work,
        inputs=replace(work.inputs, density=inputs, stored_density=inputs),
        outputs=replace(work.outputs, density=outputs, stored_density=outputs),
    )


def hierarchy(name: str) -> HierarchyHardware:
    """A shipped specification with a hierarchy."""
    hardware: Hardware = load_hardware(name)
    assert isinstance(hardware, HierarchyHardware)
    return hardware


def resized(hardware: HierarchyHardware, **sizes: int) -> HierarchyHardware:
    """The hardware with other places along axes, or other capacities of levels [bit]."""
    nodes: list[TemporalLevel | SpatialAxis] = []
    for node in hardware.hierarchy.nodes:
        if node.name not in sizes:
            nodes.append(node)
        elif isinstance(node, SpatialAxis):
            nodes.append(replace(node, size=sizes[node.name]))
        else:
            nodes.append(replace(node, capacity_bits=sizes[node.name]))
    return replace(hardware, hierarchy=replace(hardware.hierarchy, nodes=tuple(nodes)))


def best(work: MacWorkload, setting: Setting) -> LayerCost:
    """The cost of the best mapping, proven."""
    return best_cost(HierarchyLayer(work, setting))


def megabytes(cost: LayerCost, level: str) -> Fraction:
    """Traffic of a level [MB of 10^6 bytes]."""
    return Fraction(sum(row.bits for row in cost.accesses if row.level == level), 8 * 10**6)


def buffer_megabytes(cost: LayerCost) -> Fraction:
    """Traffic of the buffer [MB] but inputs that come in from DRAM."""
    return megabytes(cost, "buffer") - Fraction(moved_bits(cost, "buffer", "inputs", "fill"), 8 * 10**6)


def moved_bits(cost: LayerCost, level: str, tensor: str, action: str) -> int:
    """Bits of one tensor that one action of a level moves."""
    wanted = (level, tensor, action)
    return sum(row.bits for row in cost.accesses if (row.level, row.tensor, row.action) == wanted)
