"""Input positions along one image axis that the tiles of a mapping need: plain sets.

A tile of outputs p .. p+t-1 and taps r .. r+u-1 needs the inputs p * stride + r * dilation - before.
Rules of :mod:`energysim.mapping.rules` say whether positions in the padding count, and positions
between the needed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from energysim.mapping.hierarchy.loops import PlacedLoop
from energysim.mapping.rules import Rules
from energysim.windows import Axis

__all__ = ["ImageAxis"]


class ImageAxis:
    """One image axis of a layer cut into tiles.

    Parameters
    ----------
    axis : Axis
    dims : (str, str)
        Names of its output and tap dimensions: ``("P", "R")`` or ``("Q", "S")``.
    extents : (int, int)
        Outputs and taps of a whole tile.
    rules : Rules
    """

    def __init__(self, axis: Axis, dims: tuple[str, str], extents: tuple[int, int], rules: Rules) -> None:
        self.axis, self.dims, self.extents, self.rules = axis, dims, extents, rules
        self._known: dict[tuple[int, int], frozenset[int]] = {}

    def needed(self, output: int, tap: int) -> frozenset[int]:
        """Inputs of the tile that starts at an output and a tap; empty beyond the edges."""
        at = (output, tap)
        if at not in self._known:
            self._known[at] = self._inputs(output, tap)
        return self._known[at]

    def _inputs(self, output: int, tap: int) -> frozenset[int]:
        axis = self.axis
        outputs = range(output, min(output + self.extents[0], axis.outputs))
        taps = range(tap, min(tap + self.extents[1], axis.window))
        found = {p * axis.stride + r * axis.dilation - axis.before for p in outputs for r in taps}
        if found and self.rules.untouched == "fetched":
            found = set(range(min(found), max(found) + 1))
        if self.rules.padding == "skipped":
            found = {at for at in found if 0 <= at < axis.inputs}
        return frozenset(found)

    def largest(self, loops: Sequence[PlacedLoop]) -> int:
        """Inputs of the tile that needs most, over all positions that some loops give."""
        return max(len(self.needed(*at)) for at in self._positions(loops))

    def moved(
        self, apart: Sequence[PlacedLoop], together: Sequence[PlacedLoop], sweep: PlacedLoop | None
    ) -> int:
        """Sum over all tile positions of the inputs brought in.

        Parameters
        ----------
        apart : sequence of PlacedLoop
            Loops over either dimension, one tile per trip.
        together : sequence of PlacedLoop
            Axes along which an input that several tiles need is brought in once.
        sweep : PlacedLoop or None
            A loop of ``apart`` whose every step but the first keeps what the tile before had.
        """
        total = 0
        group = self._positions(together)
        for output, tap in self._positions([loop for loop in apart if loop is not sweep]):
            before: dict[tuple[int, int], frozenset[int]] = {}
            for step in range(sweep.trips if sweep else 1):
                fresh: set[int] = set()
                for member in group:
                    at = [output + member[0], tap + member[1]]
                    if sweep:
                        at[self.dims.index(sweep.dim)] += step * sweep.step
                    tile = self.needed(at[0], at[1])
                    fresh |= tile - before.get(member, frozenset())
                    before[member] = tile
                total += len(fresh)
        return total

    def _positions(self, loops: Sequence[PlacedLoop]) -> list[tuple[int, int]]:
        """All (output, tap) offsets of some loops; those of other dimensions are not looked at."""
        found = [(0, 0)]
        for loop in loops:
            if loop.dim not in self.dims:
                continue
            unit = (1, 0) if loop.dim == self.dims[0] else (0, 1)
            offsets = [(i * loop.step * unit[0], i * loop.step * unit[1]) for i in range(loop.trips)]
            found = [(p + dp, r + dr) for (p, r), (dp, dr) in product(found, offsets)]
        return found
