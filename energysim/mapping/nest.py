"""What one explicit mapping of a two-level hierarchy moves: the single-mapping evaluator.

A mapping is a tile and the order of the loops over the tiles. Groups are the outermost loop with
one group per tile: groups share no data, so no other place could save a word. R and S stay whole
on chip.

Counting follows the previous-tile rule (the one of Timeloop, Parashar et al., ISPASS 2019): a
fill brings only what the tile held just before lacks. In detail:

* A tile of weights (M, C), inputs (N, C, P, Q) or outputs (N, M, P, Q) that the next step of the
  loops uses again stays; any other replaces it. Nothing older than the tile before is remembered.
* Of an input tile that replaces another, the part they share stays if the step was one forward
  along P or Q, and that loop is the innermost of the inputs' loops with more than one trip (rule
  ``overlap=one-axis``). A loop that starts again starts from scratch: what its last tile shares
  with its first is fetched again, even if there are only two. No overlap is kept along any other
  loop, nor from one group to the next.
* An output tile that is replaced before its sums are complete goes to DRAM as partial sums and
  comes back; complete sums go to DRAM once.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from energysim.mapping.axes import tile_inputs
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["DIMENSIONS", "Fetches", "Tiling", "fetches"]

#: The tiled dimensions, in the order of ``Tiling.tiles``.
DIMENSIONS = "NMCPQ"


@dataclass(frozen=True)
class Tiling:
    """One mapping.

    Attributes
    ----------
    tiles : (int, int, int, int, int)
        Size of a whole tile along N, M, C, P, Q; the last tile of a dimension may be smaller.
    order : str
        The loops over the tiles, innermost first, e.g. ``"CPQNM"``.
    """

    tiles: tuple[int, int, int, int, int]
    order: str

    def trips(self, nest: LoopNest) -> dict[str, int]:
        """Return the trip count of each loop.

        Raises
        ------
        ValueError
            If the order is no permutation of NMCPQ, or a tile is no part of its dimension.
        """
        if sorted(self.order) != sorted(DIMENSIONS):
            raise ValueError(f"a loop order is a permutation of {DIMENSIONS}, not {self.order!r}")
        sizes = (nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs)
        for dim, size, tile in zip(DIMENSIONS, sizes, self.tiles, strict=True):
            if not 1 <= tile <= size:
                raise ValueError(f"dimension {dim} has tiles of 1 to {size}, not {tile}")
        return {d: -(-size // t) for d, size, t in zip(DIMENSIONS, sizes, self.tiles, strict=True)}

    def __str__(self) -> str:
        tiles = " ".join(f"{d}{t}" for d, t in zip(DIMENSIONS, self.tiles, strict=True))
        return f"tile {tiles}, loops {self.order}"


@dataclass(frozen=True, order=True)
class Fetches:
    """What a mapping moves between DRAM and the buffer, for all groups and the whole batch.

    Attributes
    ----------
    weight_passes : int or Fraction
        How often all weights are read; a fraction where some are read more often than others.
    input_elements : int
        Input elements read, re-reads included.
    output_visits : int
        How often every output tile is brought in to be added to; all but the first find
        partial sums that had been written out.
    """

    weight_passes: int | Fraction
    input_elements: int
    output_visits: int


def fetches(nest: LoopNest, tiling: Tiling, rules: Rules) -> Fetches:
    """Return what a mapping moves, from the loop order alone.

    Raises
    ------
    ValueError
        If the tiling is none of this loop nest.
    """
    trips = tiling.trips(nest)
    loops = [(d, trips[d]) for d in tiling.order if trips[d] > 1]

    def repeats(relevant: str) -> int:
        """Product of the irrelevant loops outside the innermost relevant one."""
        result, inside = 1, True
        for dim, count in loops:
            if dim in relevant:
                inside = False
            elif not inside:
                result *= count
        return result

    sweep = next((dim for dim, _ in loops if dim != "M"), "")
    extent = nest.batch * nest.groups * nest.channels
    for dim, axis in (("P", nest.rows), ("Q", nest.cols)):
        table = tile_inputs(axis, np.array([tiling.tiles[DIMENSIONS.index(dim)]]), rules)
        extent *= int((table.swept if sweep == dim and rules.overlap == "one-axis" else table.alone)[0])
    return Fetches(repeats("MC"), extent * repeats("NCPQ"), repeats("NMPQ"))
