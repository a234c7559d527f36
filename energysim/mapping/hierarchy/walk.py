"""One layer under one mapping and the counting rules: what the counts of all tensors start from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from energysim.hardware.hierarchy import DIMENSIONS, SpatialAxis
from energysim.mapping.hierarchy.images import ImageAxis
from energysim.mapping.hierarchy.loops import RELEVANT, LoopTree, PlacedLoop, count_starts
from energysim.mapping.hierarchy.rules import HierarchyRules
from energysim.mapping.hierarchy.support import Support
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["IMAGE_AXES", "Walk"]

IMAGE_AXES = (("P", "R"), ("Q", "S"))


@dataclass(frozen=True)
class Walk:
    """A checked mapping of a layer.

    Attributes
    ----------
    nest : LoopNest
    tree : LoopTree
    rules : Rules
    own : HierarchyRules
    stored_only : bool
        Whether weights that do not exist are neither stored nor moved.
    skips : bool
        Whether their products take no cycle and no access (and there are such weights).
    values : tuple of int
        How many values the whole weights have at each place; empty: as many in all levels.
    """

    nest: LoopNest
    tree: LoopTree
    rules: Rules
    own: HierarchyRules
    stored_only: bool
    skips: bool
    values: tuple[int, ...] = ()

    @cached_property
    def support(self) -> Support:
        """The kernel seen through the loops; only made where zeros are skipped."""
        return Support(self.nest, self.tree)

    def weights(self, place: int) -> int:
        """Values of all weights as they lie at, or pass, a place."""
        if self.values:
            return self.values[place]
        kernel = self.nest.kernel
        return kernel.nonzeros if self.stored_only else prod(kernel.shape)

    @property
    def images(self) -> int:
        """Output positions of the whole batch."""
        return self.nest.batch * self.nest.rows.outputs * self.nest.cols.outputs

    def walked(self, tensor: str, place: int) -> tuple[PlacedLoop, ...]:
        """The loops in time that make a level's tile be fetched again; all, for the multipliers."""
        loops = tuple(loop for loop in self.tree.outside(place) if not loop.spatial)
        if place == self.tree.end:
            return loops
        last = max((i for i, loop in enumerate(loops) if loop.dim in RELEVANT[tensor]), default=-1)
        return loops[: last + 1]

    def sweep(self, place: int) -> PlacedLoop | None:
        """The loop along which input tiles of a level overlap, if overlap is kept."""
        walked = self.walked("inputs", place)
        if place == self.tree.end or self.rules.overlap == "none" or not walked:
            return None
        return walked[-1] if walked[-1].dim in "PQRS" else None

    def spread(self, place: int, without: Collection[int] = ()) -> tuple[PlacedLoop, ...]:
        """The loops along axes outside a place, but for those of some axes."""
        return tuple(lp for lp in self.tree.outside(place) if lp.spatial and lp.place not in without)

    def visits(self, dims: str, loops: Iterable[PlacedLoop]) -> int:
        """Tile positions that loops give along dimensions: how often a tensor moves for them."""
        chosen = list(loops)
        return prod(
            count_starts(self.tree.sizes[dim], [loop for loop in chosen if loop.dim == dim]) for dim in dims
        )

    def axes(self, outer: int, inner: int) -> list[int]:
        """Places of the axes between two levels."""
        nodes = self.tree.hierarchy.nodes
        return [p for p in range(outer + 1, inner) if isinstance(nodes[p], SpatialAxis)]

    def sharing(self, tensor: str, outer: int, inner: int) -> frozenset[int]:
        """Of the axes between two levels, those along which copies share a tensor's words."""
        nodes = self.tree.hierarchy.nodes
        return frozenset(p for p in self.axes(outer, inner) if tensor in getattr(nodes[p], "shared", ()))

    def image(self, dims: tuple[str, str], place: int) -> ImageAxis:
        """An image axis cut into the tiles of a place; products also take padding."""
        axis = self.nest.rows if dims[0] == "P" else self.nest.cols
        extents = (self.tree.extent(place, dims[0]), self.tree.extent(place, dims[1]))
        rules = Rules(padding="fetched") if place == self.tree.end else self.rules
        return ImageAxis(axis, dims, extents, rules)

    def steps(self) -> int:
        """Cycles of the multipliers if nothing makes them wait."""
        in_time = [loop for loop in self.tree.loops if not loop.spatial]
        if not self.skips:
            return self.visits(DIMENSIONS, in_time)
        return self.visits("NPQ", in_time) * self.support.steps()
