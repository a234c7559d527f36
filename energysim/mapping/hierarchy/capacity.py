"""Why no mapping fits, and the smallest capacity that would do."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np

from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.hardware.tables import capacity_text
from energysim.kernels import IntArray
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.prices import Prices
from energysim.mapping.hierarchy.problem import Problem, Widths
from energysim.mapping.hierarchy.room import Room
from energysim.mapping.hierarchy.space import bypasses
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Bools
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["nothing_fits"]


def nothing_fits(
    hierarchy: Hierarchy,
    nest: LoopNest,
    rules: Rules,
    bits: Widths,
    stored_only: bool = False,
    held: Held = ALIKE,
) -> str:
    """Return which constraint keeps every mapping of a layer from fitting.

    Parameters
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    bits : (int or Fraction, int, int)
        Of a weight, an input and an accumulator as they are held.
    stored_only : bool
        Whether weights that do not exist take no room.
    held : Held
        What levels hold in another way.
    """
    size = sizes(nest)
    for dim in DIMS:
        if size[dim] > 1 and not any(dim in node.loops for node in hierarchy.nodes):
            return f"no mapping fits this layer: no level or axis takes loops over {dim} (it has {size[dim]})"
    free = Prices({}, (-1,))
    problem = Problem(
        hierarchy, nest, rules, bits, free, lambda cost, _: cost[:, 0], True, stored_only, held=held
    )
    cases = [_Case(hierarchy, problem.lattice, Room(problem, keeps)) for keeps in _keeps(hierarchy)]
    everywhere = {p for p, node in enumerate(hierarchy.nodes) if isinstance(node, TemporalLevel)}
    one = [found for place in sorted(everywhere) for found in _least(cases, place, everywhere - {place})]
    found = one or [need for place in sorted(everywhere) for need in _least(cases, place, set())]
    if not found:
        return (
            "no mapping fits this layer, whatever the capacities: loops have no place (axes are as long "
            "as they are, and only some levels and axes take loops over "
            f"{', '.join(_scarce(hierarchy, size))})"
        )
    parts = "; ".join(
        f"level {level!r}{part} has {capacity_text(have)} and needs {capacity_text(need)} at least"
        for level, part, have, need in found
    )
    how = "" if len(found) == 1 else " (one of these is enough)" if one else " (all of these)"
    return f"no mapping fits this layer: {parts}{how}"


def _scarce(hierarchy: Hierarchy, size: dict[str, int]) -> list[str]:
    levels = [node for node in hierarchy.nodes if isinstance(node, TemporalLevel)]
    return [d for d in DIMS if size[d] > 1 and not all(d in level.loops for level in levels)]


def _keeps(hierarchy: Hierarchy) -> Iterator[list[Set[str]]]:
    for bypass in bypasses(hierarchy):
        gone = set(bypass)
        yield [
            {t for t in TENSORS if t not in node.bypass and (node.name, t) not in gone}
            if isinstance(node, TemporalLevel)
            else set()
            for node in hierarchy.nodes
        ]


def _least(cases: list[_Case], place: int, kept: Set[int]) -> list[tuple[str, str, int, int]]:
    """What a level needs at least if it and all but the kept levels had any capacity; if it needs more."""
    node = cases[0].hierarchy.nodes[place]
    assert isinstance(node, TemporalLevel)
    if place == 0 or (node.capacity_bits is None and node.partitions is None):
        return []
    best: tuple[int, list[tuple[str, str, int, int]]] | None = None
    for case in cases:
        points = np.flatnonzero(case.possible(place, kept))
        if not len(points):
            continue
        if node.partitions is None:
            need = int(case.room.total(place)[points].min())
            have = node.capacity_bits or 0
            rows = [(node.name, "", have, need)] if need > have else []
            short = max(0, need - have)
        else:
            parts = {t: node.part_bits(t) or 0 for t in case.room.keeps[place]}
            needs = {t: case.room.copies(node) * case.room.need(t, place)[points] for t in parts}
            over = np.zeros(len(points), dtype=np.int64)
            for t in parts:
                over += np.maximum(needs[t] - parts[t], 0)
            at = int(np.argmin(over))
            short = int(over[at])
            rows = [
                (node.name, f" for {t}", parts[t], int(needs[t][at]))
                for t in TENSORS
                if t in parts and needs[t][at] > parts[t]
            ]
        if best is None or short < best[0]:
            best = short, rows
    return best[1] if best else []


@dataclass(frozen=True)
class _Case:
    """One choice of bypasses."""

    hierarchy: Hierarchy
    lattice: Lattice
    room: Room

    def possible(self, place: int, kept: Set[int]) -> Bools:
        """Tiles of a level that loops inside it and outside it reach, with the capacity of some levels."""
        inside = self._reached(range(len(self.hierarchy.nodes) - 1, place - 1, -1), kept, turned=False)
        outside = self._reached(range(place), kept, turned=True)
        left = np.array(self.lattice.sizes) // self.lattice.extents
        return inside & outside[self.lattice.at(left)]

    def _reached(self, places: range, kept: Set[int], *, turned: bool) -> Bools:
        """Products of loops over some nodes; turned: loops outside a tile, from the outermost inwards."""
        found = np.zeros(len(self.lattice.extents), dtype=np.bool_)
        found[0] = True
        for place in places:
            node = self.hierarchy.nodes[place]
            if isinstance(node, SpatialAxis):
                found = self._spread(found, node)
                continue
            reached = self.lattice.grown(found, node.loops)
            fits = self.room.fits(place) if place in kept else np.ones_like(found)
            if turned and place in kept:
                left = np.array(self.lattice.sizes) // self.lattice.extents
                # The tile of a level is what the loops outside it leave over, without its own.
                inner = fits[self.lattice.at(left)]
                reached = self.lattice.grown(found & inner, node.loops) if place else reached
            elif not turned:
                reached &= fits
            found = reached
        return found

    def _spread(self, found: Bools, node: SpatialAxis) -> Bools:
        after = np.zeros_like(found)
        trips = self.lattice.extents[self._trips(node)]
        sizes = np.array(self.lattice.sizes)
        for point in np.flatnonzero(found):
            grown: IntArray = self.lattice.extents[point] * trips
            after[self.lattice.at(grown[(sizes % grown == 0).all(axis=1)])] = True
        return after

    def _trips(self, node: SpatialAxis) -> IntArray:
        closed = [COLUMN[dim] for dim in DIMS if dim not in node.loops]
        small = self.lattice.covered() <= node.size
        return np.flatnonzero(small & (self.lattice.extents[:, closed] == 1).all(axis=1))
