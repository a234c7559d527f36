"""A mapping laid over a hierarchy: all loops in one list, outermost first, each with its step.

The tile of a level is what the loops at it and inside it cover. A loop steps over its dimension
by the product of the loops over the same dimension further inside, axes included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from energysim.hardware.hierarchy import DIMENSIONS, TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.workload import LoopNest

__all__ = ["RELEVANT", "LoopTree", "PlacedLoop", "count_starts", "loop_tree", "sizes"]

#: Tensor -> dimensions it depends on.
RELEVANT = {"weights": "GMCRS", "inputs": "NGCPQRS", "outputs": "NGMPQ"}


def sizes(nest: LoopNest) -> dict[str, int]:
    """Return the size of each dimension of a layer."""
    values = (
        nest.batch,
        nest.groups,
        nest.filters,
        nest.channels,
        nest.rows.outputs,
        nest.cols.outputs,
        nest.rows.window,
        nest.cols.window,
    )
    return dict(zip(DIMENSIONS, values, strict=True))


@dataclass(frozen=True)
class PlacedLoop:
    """A loop of more than one trip.

    Attributes
    ----------
    place : int
        Of its level or axis in the hierarchy.
    dim : str
    trips, step : int
        It takes positions 0, step, ... (trips - 1) * step of its dimension.
    spatial : bool
        Whether its trips run side by side.
    """

    place: int
    dim: str
    trips: int
    step: int
    spatial: bool


@dataclass(frozen=True)
class LoopTree:
    """All loops of a mapping, outermost first, and who keeps which tensor.

    Attributes
    ----------
    hierarchy : Hierarchy
    sizes : dict of str to int
    loops : tuple of PlacedLoop
    keepers : dict of str to tuple of int
        Tensor -> places of the levels that hold it, outermost first.
    """

    hierarchy: Hierarchy
    sizes: dict[str, int]
    loops: tuple[PlacedLoop, ...]
    keepers: dict[str, tuple[int, ...]]

    @property
    def end(self) -> int:
        """The place of the multipliers."""
        return len(self.hierarchy.nodes)

    def outside(self, place: int) -> tuple[PlacedLoop, ...]:
        """The loops that choose the tile of a level (or the product, for the multipliers)."""
        return tuple(loop for loop in self.loops if loop.place < place)

    def extent(self, place: int, dim: str) -> int:
        """Size of the tile at a place along a dimension; clipped tiles are smaller."""
        inner = prod(loop.trips for loop in self.loops if loop.place >= place and loop.dim == dim)
        return min(inner, self.sizes[dim])

    def used(self, place: int) -> int:
        """Copies of what stands at a place that have work."""
        return prod(
            count_starts(self.sizes[dim], [lp for lp in self.outside(place) if lp.spatial and lp.dim == dim])
            for dim in DIMENSIONS
        )


def count_starts(size: int, loops: Sequence[PlacedLoop]) -> int:
    """Return at how many positions tiles begin, over all trips of some loops over one dimension.

    A position beyond the dimension is none: the tile would be empty.
    """
    if sum((loop.trips - 1) * loop.step for loop in loops) < size:
        return prod(loop.trips for loop in loops)
    found = [0]
    for loop in loops:
        found = [at + i * loop.step for at in found for i in range(loop.trips)]
    return sum(at < size for at in found)


def loop_tree(hierarchy: Hierarchy, mapping: Mapping, nest: LoopNest) -> LoopTree:
    """Return the loops of a mapping that has been checked."""
    raw = [
        (place, loop, isinstance(node, SpatialAxis))
        for place, node in enumerate(hierarchy.nodes)
        for loop in mapping.loops(node.name)
    ]
    placed: list[PlacedLoop] = []
    inner = dict.fromkeys(DIMENSIONS, 1)
    for place, loop, spatial in reversed(raw):
        placed.append(PlacedLoop(place, loop.dim, loop.trips, inner[loop.dim], spatial))
        inner[loop.dim] *= loop.trips
    bypass = set(mapping.bypass)
    keeps: Callable[[TemporalLevel, str], bool] = lambda level, tensor: (  # noqa: E731
        tensor not in level.bypass and (level.name, tensor) not in bypass
    )
    keepers = {
        tensor: tuple(
            place
            for place, node in enumerate(hierarchy.nodes)
            if isinstance(node, TemporalLevel) and keeps(node, tensor)
        )
        for tensor in TENSORS
    }
    return LoopTree(hierarchy, sizes(nest), tuple(reversed(placed)), keepers)
