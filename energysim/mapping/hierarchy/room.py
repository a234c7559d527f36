"""Which tiles fit which level, for all tile sizes of a lattice at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from energysim.hardware.hierarchy import TENSORS, Hierarchy, TemporalLevel
from energysim.kernels import IntArray, MaskKernel
from energysim.mapping.hierarchy.images_table import ImageTable
from energysim.mapping.hierarchy.keys import distinct
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.states import COLUMN, Bools
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Room", "Widths"]

#: Bits of a weight, an input and an accumulator as they are held.
Widths = tuple[Fraction | int, int, int]


@dataclass(frozen=True, eq=False)
class Room:
    """Tiles of one layer in the levels of one hierarchy.

    Attributes
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    lattice : Lattice
    images : ImageTable
    bits : (int or Fraction, int, int)
    stored_only : bool
        Whether weights that do not exist take no room.
    keeps : sequence of sets of str
        Tensors that each node holds.
    """

    hierarchy: Hierarchy
    nest: LoopNest
    rules: Rules
    lattice: Lattice
    images: ImageTable
    bits: Widths
    stored_only: bool
    keeps: Sequence[Set[str]]
    _known: dict[object, IntArray] = field(default_factory=dict)

    def fits(self, place: int) -> Bools:
        """Whether the tiles of each point fit a level."""
        node = self.hierarchy.nodes[place]
        assert isinstance(node, TemporalLevel)
        found = np.ones(len(self.lattice.extents), dtype=np.bool_)
        if place == 0:
            return found
        if node.partitions is not None:
            for tensor in self.keeps[place]:
                found &= self.copies(node) * self.need(tensor) <= (node.part_bits(tensor) or 0)
        elif node.capacity_bits is not None:
            found = self.total(place) <= node.capacity_bits
        return found

    def copies(self, node: TemporalLevel) -> int:
        """Tiles of each tensor that a level needs room for."""
        return 2 if node.double_buffered or self.rules.double_buffering == "yes" else 1

    def total(self, place: int) -> IntArray:
        """Bits that the tiles of each point take together in a level."""
        node = self.hierarchy.nodes[place]
        assert isinstance(node, TemporalLevel)
        found = np.zeros(len(self.lattice.extents), dtype=np.int64)
        for tensor in self.keeps[place]:
            found += self.copies(node) * self.need(tensor)
        return found

    def need(self, tensor: str) -> IntArray:
        """Bits that one tile of a tensor takes, by point."""
        if tensor not in self._known:
            width = Fraction(self.bits[TENSORS.index(tensor)])
            held = self._elements(tensor) * width.numerator
            self._known[tensor] = -(-held // width.denominator)
        return self._known[tensor]

    def _elements(self, tensor: str) -> IntArray:
        extents = self.lattice.extents
        dims = {"weights": "GMCRS", "inputs": "NGC", "outputs": "NGMPQ"}[tensor]
        if tensor == "weights" and self.stored_only and not self.nest.kernel.is_dense:
            return self._stored()
        held = np.ones(len(extents), dtype=np.int64)
        for dim in dims:
            held *= extents[:, COLUMN[dim]]
        if tensor == "inputs":
            held *= self.images.fullest(extents[:, [COLUMN[d] for d in "PQRS"]])
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
            whole = np.array([rows[i][1] == self.nest.filters for i in some])
            groups, filters, channels = (np.array([rows[i][at] for i in some]) for at in (0, 1, 2))
            filters, groups = np.where(whole, groups * filters, filters), np.where(whole, 1, groups)
            most = np.zeros(len(some), dtype=np.int64)
            for block in self._blocks(*taps):
                most = np.maximum(most, block(filters, channels))
            held[some] = groups * most
        return held[kind]

    def _blocks(self, taps_r: int, taps_s: int) -> list[Callable[[IntArray, IntArray], IntArray]]:
        kernel = self.nest.kernel
        rows, cols = kernel.shape[2:]
        if (taps_r, taps_s) == (rows, cols):
            return [kernel.nonzeros_in_tile]
        mask = kernel.mask()
        return [
            MaskKernel(np.ascontiguousarray(mask[:, :, r : r + taps_r, s : s + taps_s])).nonzeros_in_tile
            for r in range(0, rows, taps_r)
            for s in range(0, cols, taps_s)
        ]
