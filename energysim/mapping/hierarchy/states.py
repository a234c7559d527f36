"""Partial mappings as arrays: what is inside a place is decided, what is outside is not.

Going outwards, every cost is a sum over *transfers*: words that go from one level that holds a
tensor to the next one inside. Of each transfer the words fetched are known up to the loops that
may still make it rarer, and the price of a word up to the memory it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.keys import distinct

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
    products : bool
        Whether it goes to the multipliers.
    reached : bool
        Whether the level it comes from has been met.
    words : float64 array (n,)
        Fetched by the inner level; of inputs, before they are multiplied by positions of a plane.
    open : bool array (n,)
        Whether loops further out may still make it rarer (no loop over a dimension of the tensor
        has been met).
    price : float64 array (n, resources)
        Of a word.
    share : float64 array (n,)
        Copies that get one word together, along the axes met since the inner level.
    shape : int64 array (n, 4 + 8 a)
        Of inputs, what positions of a plane depend on: see :class:`ImageTable`.
    sweep : int64 array (n, 3)
        Of inputs, the loop along which tiles overlap: number, step and trips.
    back : float64 array (n, resources)
        Of outputs, price of a partial sum that comes back to one of the copies; no columns where
        it comes back to all of them.
    alone : bool array (n,)
        Of outputs, whether copies send their sums out one by one, to be completed outside.
    """

    tensor: str
    products: bool
    reached: bool
    words: Floats
    open: Bools
    price: Floats
    share: Floats
    shape: IntArray
    sweep: IntArray
    back: Floats
    alone: Bools

    def take(self, rows: IntArray) -> Transfer:
        """The same for some rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ARRAYS})


_ARRAYS = tuple(f.name for f in fields(Transfer) if f.name not in ("tensor", "products", "reached"))


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
        What is saved if the sums that the innermost level met so far holds start at zero.
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
        arrays = {name: getattr(self, name)[rows] for name in _STATE_ARRAYS}
        return replace(self, transfers=tuple(t.take(rows) for t in self.transfers), **arrays)

    def product(self, dims: str) -> Floats:
        """Product of the last node's trips over some dimensions."""
        found = np.ones(len(self), dtype=np.int64)
        for dim in dims:
            found *= self.trips[:, COLUMN[dim]]
        return found.astype(np.float64)


_STATE_ARRAYS = tuple(f.name for f in fields(States) if f.name != "transfers")


def undominated(states: States, lanes_count: bool = True, passes: int = 12) -> IntArray:
    """Return rows such that each of the others costs at least as much as one of them, whatever follows.

    Rows are comparable if they cover the same and the same transfers are open with the same input
    tiles. Some rows that could go may stay. Of rows that are alike, the first stays.

    Parameters
    ----------
    states : States
    lanes_count : bool
        Whether more multipliers in use may be better.
    passes : int
    """
    keys = [states.extent[:, i] for i in range(len(DIMS))]
    columns = [*states.cost.T, *-states.zero.T]
    if lanes_count:
        columns.append(-states.lanes.astype(np.float64))
    for t in states.transfers:
        keys.append(t.open.astype(np.int64))
        if t.tensor == "inputs":
            wanted = t.open if t.reached else np.ones(len(states), dtype=np.bool_)
            keys += [np.where(wanted, column, 0) for column in (*t.shape.T, *t.sweep.T)]
        if t.reached:
            columns += list((t.words[:, None] * t.price).T)
            continue
        columns += [t.words, *t.price.T, -t.share]
        if t.back.shape[1]:
            # A word more may cost less: several copies then start at zero more often.
            columns += [-t.words, *t.back.T]
            keys.append(t.alone.astype(np.int64))
    _, group = distinct(keys)
    total = columns[0].copy()
    for column in columns[1:]:
        total += column
    rows = np.lexsort((total, columns[0], group))
    kept: list[IntArray] = []
    table = np.stack(columns, axis=1)
    for _ in range(passes):
        if not len(rows):
            break
        first = np.ones(len(rows), dtype=np.bool_)
        first[1:] = group[rows[1:]] != group[rows[:-1]]
        kept.append(rows[first])
        if first.all():
            rows = rows[:0]
            break
        leader = rows[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))]
        beaten = (table[leader] <= table[rows]).all(axis=1)
        rows = rows[~beaten]
    kept.append(rows)
    return np.sort(np.concatenate(kept))


def divided(states: States, resource: int, shared: Floats) -> States:
    """Return the states with a resource's costs spread over so many copies."""

    def spread(array: Floats) -> Floats:
        found = array.copy()
        found[:, resource] /= shared
        return found

    transfers = tuple(
        replace(t, price=spread(t.price), back=spread(t.back) if t.back.shape[1] else t.back)
        for t in states.transfers
    )
    return replace(states, cost=spread(states.cost), zero=spread(states.zero), transfers=transfers)


def joined(parts: Sequence[States]) -> States:
    """Return all rows of states with the same transfers."""
    if len(parts) == 1:
        return parts[0]
    transfers = tuple(
        replace(same[0], **{name: np.concatenate([getattr(t, name) for t in same]) for name in _ARRAYS})
        for same in zip(*(part.transfers for part in parts), strict=True)
    )
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _STATE_ARRAYS}
    return replace(parts[0], transfers=transfers, **arrays)
