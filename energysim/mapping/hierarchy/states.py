"""Partial mappings as arrays: what is inside a place is decided, what is outside is not.

Going outwards, every cost is a sum over *transfers*: words that go from one level that holds a
tensor to the next one inside. Of each transfer the words fetched are known up to the loops that
may still make it rarer, and the price of a word up to the memory it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray

__all__ = ["COLUMN", "DIMS", "Bools", "Floats", "States", "Transfer", "divided", "joined", "undominated"]

DIMS = "NGMCPQRS"
COLUMN = {dim: number for number, dim in enumerate(DIMS)}

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Transfer:
    """Words of one tensor between two levels, for each of n partial mappings.

    Attributes
    ----------
    tensor : str
    words : float64 array (n,)
        Fetched by the inner level; of inputs only per input position of a plane.
    open : bool array (n,)
        Whether loops further out may still make it rarer (no loop over a dimension of the tensor
        has been met).
    price : float64 array (n, resources)
        Of a word.
    share : float64 array (n,)
        Copies that get one word together, along the axes met since the inner level.
    reached : bool
        Whether the level it comes from has been met.
    tile : int64 array (n, 4)
        P, Q, R, S of the inner tile, for inputs.
    """

    tensor: str
    words: Floats
    open: Bools
    price: Floats
    share: Floats
    reached: bool
    tile: IntArray

    def take(self, rows: IntArray) -> Transfer:
        """The same for some rows."""
        return replace(
            self,
            words=self.words[rows],
            open=self.open[rows],
            price=self.price[rows],
            share=self.share[rows],
            tile=self.tile[rows],
        )


@dataclass(frozen=True, eq=False)
class States:
    """n partial mappings.

    Attributes
    ----------
    extent : int64 array (n, 8)
        What is covered of each dimension.
    lanes : int64 array (n,)
        Multipliers in use.
    cost : float64 array (n, resources)
        Of all transfers that are settled.
    zero : float64 array (n, resources)
        What the sums that start at zero save, so far.
    transfers : tuple of Transfer
    parent : int64 array (n,)
        Row of the states before the last node was added.
    trips : int64 array (n, 8)
        Loops of that node.
    order : int64 array (n,)
        Number of its order class.
    """

    extent: IntArray
    lanes: IntArray
    cost: Floats
    zero: Floats
    transfers: tuple[Transfer, ...]
    parent: IntArray
    trips: IntArray
    order: IntArray = field(repr=False)

    def __len__(self) -> int:
        return len(self.lanes)

    def take(self, rows: IntArray) -> States:
        """The same for some rows."""
        return replace(
            self,
            extent=self.extent[rows],
            lanes=self.lanes[rows],
            cost=self.cost[rows],
            zero=self.zero[rows],
            transfers=tuple(t.take(rows) for t in self.transfers),
            parent=self.parent[rows],
            trips=self.trips[rows],
            order=self.order[rows],
        )

    def product(self, dims: str) -> Floats:
        """Product of the last node's trips over some dimensions."""
        columns = [COLUMN[dim] for dim in dims]
        found: Floats = self.trips[:, columns].prod(axis=1).astype(np.float64)
        return found


def undominated(states: States, lanes_count: bool = True, passes: int = 12) -> IntArray:
    """Return rows such that each of the others costs at least as much as one of them, whatever follows.

    Rows are comparable if they cover the same, use as many lanes, and the same transfers are open
    with the same input tiles. Some rows that could go may stay. Where lanes do not count, rows that
    use different numbers of them are comparable as well.
    """
    keys = [states.extent, *([states.lanes[:, None]] if lanes_count else [])]
    columns = [states.cost, -states.zero]
    for t in states.transfers:
        keys.append(t.open[:, None].astype(np.int64))
        if t.tensor == "inputs":
            keys.append(np.where(t.open[:, None], t.tile, 0))
        if t.reached:
            columns.append(t.words[:, None] * t.price)
        else:
            columns += [t.words[:, None], t.price, -t.share[:, None]]
    key, column = np.concatenate(keys, axis=1), np.concatenate(columns, axis=1)
    _, group = np.unique(key, axis=0, return_inverse=True)
    group = group.reshape(-1)
    rows = np.lexsort((column.sum(axis=1), column[:, 0], group))
    kept: list[IntArray] = []
    for _ in range(passes):
        if not len(rows):
            break
        first = np.ones(len(rows), dtype=np.bool_)
        first[1:] = group[rows[1:]] != group[rows[:-1]]
        leader = rows[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))]
        kept.append(rows[first])
        beaten = (column[leader] <= column[rows]).all(axis=1)
        rows = rows[~beaten]
    kept.append(rows)
    return np.sort(np.concatenate(kept))


def divided(states: States, resource: int, shared: Floats) -> States:
    """Return the states with a resource's costs spread over so many copies."""
    cost, zero = states.cost.copy(), states.zero.copy()
    cost[:, resource] /= shared
    zero[:, resource] /= shared
    transfers = []
    for t in states.transfers:
        price = t.price.copy()
        price[:, resource] /= shared
        transfers.append(replace(t, price=price))
    return replace(states, cost=cost, zero=zero, transfers=tuple(transfers))


def joined(parts: Sequence[States]) -> States:
    """Return all rows of states with the same transfers."""
    transfers = tuple(
        Transfer(
            same[0].tensor,
            np.concatenate([t.words for t in same]),
            np.concatenate([t.open for t in same]),
            np.concatenate([t.price for t in same]),
            np.concatenate([t.share for t in same]),
            same[0].reached,
            np.concatenate([t.tile for t in same]),
        )
        for same in zip(*(part.transfers for part in parts), strict=True)
    )
    return States(
        np.concatenate([part.extent for part in parts]),
        np.concatenate([part.lanes for part in parts]),
        np.concatenate([part.cost for part in parts]),
        np.concatenate([part.zero for part in parts]),
        transfers,
        np.concatenate([part.parent for part in parts]),
        np.concatenate([part.trips for part in parts]),
        np.concatenate([part.order for part in parts]),
    )
