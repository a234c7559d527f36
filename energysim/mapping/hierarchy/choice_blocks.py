"""Some of the loops that a level may add, with their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.states import Bools, Floats

__all__ = ["Block", "ramps", "together"]


@dataclass(frozen=True)
class Block:
    """Some choices of loops, in the order of the groups, their partial mappings, and tiles.

    Attributes
    ----------
    rows : int64 array (n,) or (1,)
        Partial mappings; one for all tiles, or one for each.
    points : int64 array (n,)
        Tiles that they grow to.
    values : float64 array (3, n)
        What no completion stays below, by the tensor whose free loops are innermost. If it has none,
        the value is that of an order in which no loops are free.
    begin, end : int
        The first group and the one after the last: no group before is in a later block, and none from
        the end on in this one or an earlier one.
    """

    rows: IntArray
    points: IntArray
    values: Floats
    begin: int
    end: int

    def take(self, chosen: Bools | np.bool_) -> Block:
        """Some of them, with a partial mapping for each."""
        rows: IntArray = np.broadcast_to(self.rows, self.points.shape)
        return Block(rows[chosen], self.points[chosen], self.values[:, chosen], self.begin, self.end)


def together(blocks: Sequence[Block]) -> Block:
    """Return several blocks as one."""
    return Block(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.points for block in blocks]),
        np.concatenate([block.values for block in blocks], axis=1),
        blocks[0].begin,
        blocks[-1].end,
    )


def ramps(starts: IntArray, lengths: IntArray) -> IntArray:
    """Whole numbers from each start on, as many as each length says."""
    ends = np.cumsum(lengths)
    found: IntArray = np.arange(int(ends[-1]), dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return found
