"""One step outwards: a level or an axis is added to all partial mappings.

Order classes of a level. A loop that a tensor does not depend on is free for it if no loop that
it depends on lies inside: N, P, Q for weights, M for inputs, C, R, S for outputs. These sets have
nothing in common, so the innermost loops of a level are free for one tensor only, and it is best
to have all of its free loops there. What the order of the rest can still do is to choose along
which of P, Q, R, S input tiles overlap: the innermost loop that inputs depend on. Hence the
classes: free for weights with P or Q innermost; free for outputs with R or S innermost; free for
inputs with one of P, Q, R, S right outside M. No order is better than the best of them, as long
as no word has a negative price. Only words of outputs may have one (more of them are sums that
start at zero): then it is best if C, R, S are not free, as in the classes of the others; with G
innermost if there is nothing else; or with R or S alone innermost, if inputs overlap along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.states import COLUMN, DIMS, Bools, States

__all__ = ["BOUND", "CLASSES", "FREE", "axis_trips", "in_class", "order_of"]

#: Tensor -> dimensions it does not depend on.
FREE = {"weights": "NPQ", "inputs": "M", "outputs": "CRS"}
#: Tensor -> dimensions it depends on.
BOUND = {"weights": "GMCRS", "inputs": "NGCPQRS", "outputs": "NGMPQ"}

#: (tensor whose free loops are innermost, dimension along which inputs overlap, or nothing)
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
    ("", ""),
    ("", "R"),
    ("", "S"),
)


def order_of(number: int, trips: Sequence[int]) -> list[str]:
    """Return the dimensions of a class with more than one trip, outermost first."""
    tensor, sweep = CLASSES[number]
    if not tensor:
        dims = "".join(dim for dim in "CRSNMPQG" if dim != sweep) + sweep
        return [dim for dim in dims if trips[COLUMN[dim]] > 1]
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


def _multiplied(states: States, column: int, trips: IntArray) -> States:
    extent, chosen = states.extent.copy(), states.trips.copy()
    extent[:, column] *= trips
    chosen[:, column] *= trips
    return replace(states, extent=extent, trips=chosen)


def in_class(several: Bools, number: int, overlap: bool, negative: bool) -> Bools:
    """Return which loops a class has something to say about and no other says the same.

    Parameters
    ----------
    several : bool array (n, 8)
        Dimensions with a loop of more than one trip.
    number : int
        Of the class.
    overlap : bool
        Whether what input tiles share is kept.
    negative : bool
        Whether a word of outputs may have a negative price.
    """
    tensor, sweep = CLASSES[number]
    none = np.zeros(len(several), dtype=np.bool_)
    if not tensor:
        if not negative or (sweep and not overlap):
            return none
        found = _some(several, FREE["outputs"].replace(sweep, "")) & ~_some(several, "M")
        if sweep:
            return found & _some(several, sweep) & _some(several, "NGPQ")
        return found & _some(several, "G") & ~_some(several, "NPQ")
    if sweep:
        return _some(several, sweep) if overlap else none
    # The class that only chooses what overlaps is idle without free loops, but for one of them.
    found = ~none if tensor == "outputs" else _some(several, FREE[tensor])
    swept = FREE[tensor] if tensor != "inputs" else "PQRS"
    return found & ~_some(several, "".join(d for d in swept if d in "PQRS")) if overlap else found


def _some(several: Bools, dims: str) -> Bools:
    """Whether there are loops over any of some dimensions."""
    found = np.zeros(len(several), dtype=np.bool_)
    for dim in dims:
        found |= several[:, COLUMN[dim]]
    return found
