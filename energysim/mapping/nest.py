"""What one explicit mapping of a two-level hierarchy moves: the single-mapping evaluator.

A mapping is a tile (through the trip counts of the DRAM loops) and the order of those loops.
Groups are the outermost loop with one group per tile: groups share no data, so no other place
could save a word. R and S stay whole on chip.

Counting follows the previous-tile rule (the one of Timeloop, Parashar et al., ISPASS 2019): a
fill brings only what the tile held just before lacks. Loops inside the innermost loop that a
tensor depends on are free for it; loops outside it that it does not depend on repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass

from energysim.mapping.axes import axis_table
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["DIMENSIONS", "Fetches", "Tiling", "fetches"]

#: The tiled dimensions, in the order of ``Tiling.trips``.
DIMENSIONS = "NMCPQ"


@dataclass(frozen=True)
class Tiling:
    """One mapping.

    Attributes
    ----------
    trips : (int, int, int, int, int)
        Trip counts of the DRAM loops over N, M, C, P, Q; the tile is ceil(D / trips).
    order : str
        The DRAM loops, innermost first, e.g. ``"CPQNM"``.
    """

    trips: tuple[int, int, int, int, int]
    order: str

    def tiles(self, nest: LoopNest) -> dict[str, int]:
        """Return the size of the (largest) tile along each dimension."""
        sizes = (nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs)
        return {d: -(-size // n) for d, size, n in zip(DIMENSIONS, sizes, self.trips, strict=True)}


@dataclass(frozen=True)
class Fetches:
    """What a mapping moves between DRAM and the buffer, for all groups and the whole batch.

    Attributes
    ----------
    weight_passes : int
        How often all weights are read.
    input_elements : int
        Input elements read, re-reads included.
    output_visits : int
        How often every output tile is brought in to be added to; all but the first find
        partial sums that had been written out.
    """

    weight_passes: int
    input_elements: int
    output_visits: int


def fetches(nest: LoopNest, tiling: Tiling, rules: Rules) -> Fetches:
    """Return what a mapping moves, from the loop order alone.

    Raises
    ------
    ValueError
        If the order is no permutation of NMCPQ, or a trip count is no candidate of its axis.
    """
    if sorted(tiling.order) != sorted(DIMENSIONS):
        raise ValueError(f"a loop order is a permutation of {DIMENSIONS}, not {tiling.order!r}")
    trips = dict(zip(DIMENSIONS, tiling.trips, strict=True))
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
        table = axis_table(axis, rules)
        (found,) = (table.trips == trips[dim]).nonzero()
        if not len(found):
            raise ValueError(f"{trips[dim]} is no trip count of dimension {dim} ({axis.outputs})")
        shared = sweep == dim and rules.overlap == "one-axis"
        extent *= table.inputs_union if shared else int(table.inputs_sum[found[0]])
    return Fetches(repeats("MC"), extent * repeats("NCPQ"), repeats("NMPQ"))
