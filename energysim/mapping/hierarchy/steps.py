"""One step outwards: a level or an axis is added to all partial mappings.

Order classes of a level. A loop that a tensor does not depend on is free for it if no loop that
it depends on lies inside: N, P, Q for weights, M for inputs, C, R, S for outputs. These sets have
nothing in common, so the innermost loops of a level are free for one tensor only, and it is best
to have all of its free loops there. What the order of the rest can still do is to choose along
which of P, Q, R, S input tiles overlap: the innermost loop that inputs depend on. Hence the
classes: free for weights with P or Q innermost; free for outputs with R or S innermost; free for
inputs with one of P, Q, R, S right outside M. No order is better than the best of them, as long
as no word has a negative price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Bools, Floats, States, Transfer

__all__ = [
    "BOUND",
    "CLASSES",
    "FREE",
    "axis_trips",
    "close_walks",
    "dressed",
    "level_trips",
    "order_of",
    "with_order",
    "without_settled",
]

#: Tensor -> dimensions it does not depend on.
FREE = {"weights": "NPQ", "inputs": "M", "outputs": "CRS"}
#: Tensor -> dimensions it depends on.
BOUND = {"weights": "GMCRS", "inputs": "NGCPQRS", "outputs": "NGMPQ"}

#: (tensor whose free loops are innermost, dimension along which inputs overlap or nothing)
CLASSES = (
    ("outputs", ""),
    ("weights", ""),
    ("inputs", ""),
    ("outputs", "R"),
    ("outputs", "S"),
    ("weights", "P"),
    ("weights", "Q"),
    ("inputs", "P"),
    ("inputs", "Q"),
    ("inputs", "R"),
    ("inputs", "S"),
)

Fits = Callable[[IntArray], "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"]


def order_of(number: int, trips: Sequence[int]) -> list[str]:
    """Return the dimensions of a class with more than one trip, outermost first."""
    tensor, sweep = CLASSES[number]
    free = [dim for dim in FREE[tensor] if dim != sweep]
    inner = [*([sweep] if sweep and tensor == "inputs" else []), *free]
    inner += [sweep] if sweep and tensor != "inputs" else []
    rest = [dim for dim in DIMS if dim not in inner]
    return [dim for dim in [*rest, *inner] if trips[COLUMN[dim]] > 1]


def _start(states: States) -> States:
    n = len(states)
    return replace(
        states,
        parent=np.arange(n, dtype=np.int64),
        trips=np.ones((n, len(DIMS)), dtype=np.int64),
        order=np.zeros(n, dtype=np.int64),
    )


def axis_trips(states: States, dims: str, size: int, sizes: IntArray, options: dict[str, IntArray]) -> States:
    """All ways to spread dimensions along an axis of a size."""
    states = _start(states)
    for dim in dims:
        column = COLUMN[dim]
        left = sizes[column] // states.extent[:, column]
        room = size // states.trips.prod(axis=1)
        some = options[dim]
        rows, picked = np.nonzero((left[:, None] % some == 0) & (some <= room[:, None]))
        states = _multiplied(states.take(rows), column, some[picked])
    return states


def level_trips(
    states: States, dims: str, sizes: IntArray, options: dict[str, IntArray], fits: Fits
) -> States:
    """All loops at a level whose tiles fit; without costs, which :func:`dressed` adds."""
    states = _start(replace(states, transfers=(), cost=states.cost[:, :0], zero=states.zero[:, :0]))
    states = states.take(np.flatnonzero(fits(states.extent)))
    for dim in dims:
        if sizes[COLUMN[dim]] == 1:
            continue
        column = COLUMN[dim]
        left = sizes[column] // states.extent[:, column]
        some = options[dim]
        rows, picked = np.nonzero(left[:, None] % some == 0)
        grown = states.extent[rows]
        grown[:, column] *= some[picked]
        fitting = np.flatnonzero(fits(grown))
        trips = states.trips[rows[fitting]]
        trips[:, column] = some[picked[fitting]]
        states = replace(states.take(rows[fitting]), extent=grown[fitting], trips=trips)
    return states


def dressed(bare: States, before: States) -> States:
    """Return bare loops with the transfers and costs of the states they were added to."""
    whole = before.take(bare.parent)
    return replace(whole, extent=bare.extent, parent=bare.parent, trips=bare.trips, order=bare.order)


def _multiplied(states: States, column: int, trips: IntArray) -> States:
    extent, chosen = states.extent.copy(), states.trips.copy()
    extent[:, column] *= trips
    chosen[:, column] *= trips
    return replace(states, extent=extent, trips=chosen)


#: (P, Q, R, S of inner tiles, P or R or Q or S or "", steps, trips) -> input positions of a plane
Image = Callable[[IntArray, str, IntArray, IntArray], Floats]


def with_order(
    states: States, before: States, number: int, image: Image, overlap: bool, worth: Bools
) -> States | None:
    """The states with a level's loops in the order of a class; None where another class says it all.

    Parameters
    ----------
    states : States
        The loops, bare.
    before : States
        What they were added to.
    number : int
        Of the class.
    image : callable
    overlap : bool
        Whether what input tiles share is kept.
    worth : bool array
        Rows to look at.
    """
    tensor, sweep = CLASSES[number]
    free = states.product(FREE[tensor])
    if sweep:
        rows = np.flatnonzero(states.trips[:, COLUMN[sweep]] > 1) if overlap else np.empty(0, np.int64)
    else:
        # The class that only chooses what overlaps is idle without free loops, but for one of them.
        swept = FREE[tensor] if tensor != "inputs" else "PQRS"
        candidates = [COLUMN[dim] for dim in swept if dim in "PQRS"]
        none = (states.trips[:, candidates] == 1).all(axis=1) if overlap else np.ones(len(states), np.bool_)
        rows = np.flatnonzero(none & ((free > 1) | (tensor == "outputs")))
    rows = rows[worth[rows]]
    if not len(rows):
        return None
    taken = dressed(states.take(rows), before)
    taken = replace(taken, order=np.full(len(rows), number, dtype=np.int64))
    return close_walks(taken, tensor, sweep, image)


def close_walks(states: States, tensor: str, sweep: str, image: Image) -> States:
    """Transfers that a level's loops make rarer, or settle."""
    found = []
    for t in states.transfers:
        if not t.open.any():
            found.append(t)
            continue
        settled = states.product(BOUND[t.tensor]) > 1
        skipped = np.where(settled & (t.tensor != tensor), 1.0, states.product(FREE[t.tensor]))
        words = np.where(t.open, t.words / skipped, t.words)
        now = t.open & settled
        if t.tensor == "inputs" and now.any():
            rows = np.flatnonzero(now)
            along = sweep if sweep else ""
            column = COLUMN[along] if along else 0
            steps = (states.extent[rows, column] // states.trips[rows, column]) if along else rows * 0
            words[rows] *= image(t.tile[rows], along, steps, states.trips[rows, column])
        found.append(replace(t, words=words, open=t.open & ~settled))
    return replace(states, transfers=tuple(found))


def settle(states: States) -> States:
    """Add transfers that nothing can change any more to the cost; nothing is left of them."""
    cost, found = states.cost, []
    for t in states.transfers:
        if not t.reached:
            found.append(t)
            continue
        cost = cost + np.where(t.open, 0.0, t.words)[:, None] * t.price
        found.append(replace(t, words=np.where(t.open, t.words, 0.0)))
    return replace(states, cost=cost, transfers=tuple(found))


def without_settled(states: States) -> States:
    """Leave out transfers that are settled in all rows."""
    return replace(states, transfers=tuple(t for t in states.transfers if not t.reached or t.open.any()))


def transfers_along_axis(
    states: States, shared: tuple[str, ...], network: dict[str, Floats], sums: float, returned: bool
) -> States:
    """Copies share words; sums are added up; words cross the network.

    Parameters
    ----------
    shared : tuple of str
    network : dict of str to float64 array (resources,)
        Price of a word of each tensor at the inner side.
    sums : float
        Outputs of the layer.
    returned : bool
        Whether partial sums may come back across the axis.
    """
    found = []
    summed = states.product("CRS")
    for t in states.transfers:
        if t.reached:
            found.append(t)
            continue
        twice = 2.0 if t.tensor == "outputs" and returned else 1.0
        price = t.price + twice * network[t.tensor] / t.share[:, None]
        share = t.share * (states.product(FREE[t.tensor]) if t.tensor in shared else 1.0)
        found.append(replace(t, price=price, share=share))
    zero = states.zero
    if returned:
        zero = zero + sums * network["outputs"]
    lanes = states.lanes * states.trips.prod(axis=1)
    return replace(states, transfers=tuple(found), zero=zero * summed[:, None], lanes=lanes)


def fresh(states: States, tensor: str, words: Floats, price: Floats, *, walking: bool) -> Transfer:
    """A transfer that starts at the level (or the multipliers) just added."""
    n = len(states)
    return Transfer(
        tensor,
        words,
        np.full(n, walking),
        np.broadcast_to(price, (n, len(price))).copy(),
        np.ones(n),
        False,
        states.extent[:, [COLUMN[d] for d in "PQRS"]],
    )
