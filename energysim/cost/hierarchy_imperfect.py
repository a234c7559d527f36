"""Mappings whose outermost loops end with a smaller tile: good ones, without a proof.

The search works on perfect grids. A layer a little larger in one dimension has other divisors; its
best mapping, with as many trips of the outermost level as the layer itself needs, is one of the
layer's imperfect space. Each of these is counted exactly, and the best is at least as good as the
best perfect mapping. What it could still be worse than the best imperfect one is bounded by what no
mapping goes below if every tile fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from energysim.hardware.hierarchy import Hierarchy, TemporalLevel
from energysim.kernels import DenseKernel
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.mapping.hierarchy.space import divisors
from energysim.units import ceil_div
from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["clipped", "larger", "roomy"]

#: Dimensions that may be larger, and how many sizes of each are tried.
_DIMS, _TRIED = "NMCPQ", 2


def larger(nest: LoopNest) -> Iterator[LoopNest]:
    """Layers with more divisors: one dimension larger by up to an eighth, then all of them."""
    size, best = sizes(nest), {}
    for dim in _DIMS:
        if size[dim] < 2 or (dim in "MC" and not nest.kernel.is_dense):
            continue
        more = range(size[dim] + 1, size[dim] + max(1, size[dim] // 8) + 1)
        found = sorted(more, key=lambda n: (-len(divisors(n)), n))[:_TRIED]
        found = [n for n in found if len(divisors(n)) > len(divisors(size[dim]))]
        best.update({dim: found[0]} if found else {})
        for n in found:
            yield _with(nest, {dim: n})
    if len(best) > 1:
        yield _with(nest, best)


def _with(nest: LoopNest, new: dict[str, int]) -> LoopNest:
    size = {**sizes(nest), **new}
    shape = (nest.groups * size["M"], size["C"], *nest.kernel.shape[2:])
    kernel = DenseKernel(shape) if nest.kernel.is_dense else nest.kernel
    rows, cols = (_longer(axis, size[dim]) for axis, dim in ((nest.rows, "P"), (nest.cols, "Q")))
    return replace(
        nest, batch=size["N"], filters=size["M"], channels=size["C"], rows=rows, cols=cols, kernel=kernel
    )


def _longer(axis: Axis, outputs: int) -> Axis:
    return replace(axis, outputs=outputs, inputs=axis.inputs + (outputs - axis.outputs) * axis.stride)


def clipped(mapping: Mapping, hierarchy: Hierarchy, nest: LoopNest) -> Mapping | None:
    """The mapping with as many trips of the outermost level as a layer needs; None if it is in no space."""
    outermost = hierarchy.nodes[0].name
    size, trips = sizes(nest), {loop.dim: loop.trips for loop in mapping.loops(outermost)}
    tile = {dim: mapping.factor(dim) // trips.get(dim, 1) for dim in size}
    needed = {dim: ceil_div(size[dim], tile[dim]) for dim in size}
    if any(tile[dim] != ceil_div(size[dim], needed[dim]) for dim in size):
        return None  # a smaller tile takes as few trips
    order = [loop.dim for loop in mapping.loops(outermost)]
    loops = tuple(Loop(dim, needed[dim]) for dim in [*(d for d in size if d not in order), *order])
    blocks = [(name, found) for name, found in mapping.blocks if name != outermost]
    return Mapping((*blocks, (outermost, loops)), mapping.bypass)


def roomy(hierarchy: Hierarchy) -> Hierarchy:
    """The hierarchy without capacities."""
    nodes = tuple(
        replace(node, capacity_bits=None, partitions=None) if isinstance(node, TemporalLevel) else node
        for node in hierarchy.nodes
    )
    return replace(hierarchy, nodes=nodes)
