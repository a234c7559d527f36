"""Which tiles fit which level, for all tile sizes of a lattice at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from energysim.hardware.hierarchy import TENSORS, Hierarchy, TemporalLevel
from energysim.kernels import IntArray, MaskKernel
from energysim.mapping.hierarchy.keys import distinct
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.states import COLUMN, Bools

__all__ = ["Room"]


@dataclass(frozen=True, eq=False)
class Room:
    """Tiles of one layer in the levels of one hierarchy.

    Attributes
    ----------
    problem : Problem
    keeps : sequence of sets of str
        Tensors that each node holds.
    """

    problem: Problem
    keeps: Sequence[Set[str]]

    @property
    def hierarchy(self) -> Hierarchy:
        """What the tiles lie in."""
        return self.problem.hierarchy

    @property
    def lattice(self) -> Lattice:
        """All sizes of tiles."""
        return self.problem.lattice

    def fits(self, place: int) -> Bools:
        """Whether the tiles of each point fit a level."""
        node = self.hierarchy.nodes[place]
        assert isinstance(node, TemporalLevel)
        found = np.ones(len(self.lattice.extents), dtype=np.bool_)
        if place == 0:
            return found
        if node.partitions is not None:
            for tensor in self.keeps[place]:
                found &= self.copies(node) * self.need(tensor, place) <= (node.part_bits(tensor) or 0)
        elif node.capacity_bits is not None:
            found = self.total(place) <= node.capacity_bits
        return found

    def copies(self, node: TemporalLevel) -> int:
        """Tiles of each tensor that a level needs room for."""
        return 2 if node.double_buffered or self.problem.rules.double_buffering == "yes" else 1

    def total(self, place: int) -> IntArray:
        """Bits that the tiles of each point take together in a level."""
        node = self.hierarchy.nodes[place]
        assert isinstance(node, TemporalLevel)
        found = np.zeros(len(self.lattice.extents), dtype=np.int64)
        for tensor in self.keeps[place]:
            found += self.copies(node) * self.need(tensor, place)
        return found

    def need(self, tensor: str, place: int) -> IntArray:
        """Bits that one tile of a tensor takes in a level, by point."""
        known, own = self.problem.needs, self.problem.held
        special = (tensor == "weights" and place in own.weights) or (
            tensor == "inputs" and place in own.inputs
        )
        key = tensor, place if special else -1
        if key not in known:
            known[key] = self._need(tensor, place, special)
        return known[key]

    def _need(self, tensor: str, place: int, special: bool) -> IntArray:
        width, stored = Fraction(self.problem.bits[TENSORS.index(tensor)]), self.problem.stored_only
        if special and tensor == "inputs":
            return self.problem.held.inputs[place](self._elements(tensor, stored), self._extent("NGC"))
        if special:
            stored, width = self.problem.held.weights[place]
        held = self._elements(tensor, stored) * width.numerator
        found: IntArray = -(-held // width.denominator)
        return found

    def _extent(self, dims: str) -> IntArray:
        """Product of the extents of some dimensions."""
        held = np.ones(len(self.lattice.extents), dtype=np.int64)
        for dim in dims:
            held *= self.lattice.extents[:, COLUMN[dim]]
        return held

    def _elements(self, tensor: str, stored: bool) -> IntArray:
        extents = self.lattice.extents
        dims = {"weights": "GMCRS", "inputs": "NGC", "outputs": "NGMPQ"}[tensor]
        if tensor == "weights" and stored and not self.problem.nest.kernel.is_dense:
            return self._stored()
        held = self._extent(dims)
        if tensor == "inputs":
            held *= self.problem.images.fullest(extents[:, [COLUMN[d] for d in "PQRS"]])
        return held

    def _stored(self) -> IntArray:
        """Weights of the fullest tile: as :mod:`energysim.mapping.hierarchy.footprint` counts them."""
        columns = [self.lattice.extents[:, COLUMN[dim]] for dim in "GMCRS"]
        first, kind = distinct(columns)
        rows = [tuple(int(c[i]) for c in columns) for i in first]
        held = np.zeros(len(rows), dtype=np.int64)
        for taps in dict.fromkeys(row[3:] for row in rows):
            some = [i for i, row in enumerate(rows) if row[3:] == taps]
            # Whole groups are one block of filters; of several in part the fullest stands for all.
            whole = np.array([rows[i][1] == self.problem.nest.filters for i in some])
            groups, filters, channels = (np.array([rows[i][at] for i in some]) for at in (0, 1, 2))
            filters, groups = np.where(whole, groups * filters, filters), np.where(whole, 1, groups)
            most = np.zeros(len(some), dtype=np.int64)
            for block in self._blocks(*taps):
                most = np.maximum(most, block(filters, channels))
            held[some] = groups * most
        return held[kind]

    def _blocks(self, taps_r: int, taps_s: int) -> list[Callable[[IntArray, IntArray], IntArray]]:
        kernel = self.problem.nest.kernel
        rows, cols = kernel.shape[2:]
        if (taps_r, taps_s) == (rows, cols):
            return [kernel.nonzeros_in_tile]
        mask = kernel.mask()
        return [
            MaskKernel(np.ascontiguousarray(mask[:, :, r : r + taps_r, s : s + taps_s])).nonzeros_in_tile
            for r in range(0, rows, taps_r)
            for s in range(0, cols, taps_s)
        ]
