"""The best two-level mapping of a layer, found by evaluating the whole space.

The space: every candidate trip count of N, M, C, P and Q (see :mod:`energysim.mapping.axes`)
times every order of those loops. The orders fall into three classes that contain a best one for
any tile, because all else equal a class moves at most as much of every tensor as any order
outside it:

* ``output``: C innermost. Sums finish on chip; weights once per (N, P, Q) tile; inputs once per
  M tile, each tile whole.
* ``input``: M innermost, then P or Q. Inputs once, what windows share along that axis kept;
  weights once per (N, P, Q) tile; outputs visited once per C tile.
* ``weight``: P, Q and N inside M and C. Weights once; inputs once per M tile, sharing along the
  innermost axis; outputs visited once per C tile.

Each class is evaluated on every tile, in float64 on blocks; what comes within 1e-12 of the best
is compared with exact integers and a total tie-break, so the answer does not depend on the
machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.axes import axis_table, trip_counts
from energysim.mapping.nest import Fetches, Tiling, fetches
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["BLOCK", "Choice", "Goal", "Linear", "Room", "search"]

#: Mappings evaluated at a time: the working set of a block stays in the second-level cache.
BLOCK = 8192
_NEAR = 1 + 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """A cost that is linear in what a mapping moves.

    ``constant + per_pass * weight_passes + per_input * input_elements + per_visit * output_visits``
    """

    constant: float
    per_pass: float
    per_input: float
    per_visit: float


@dataclass(frozen=True)
class Goal:
    """What is minimised.

    Attributes
    ----------
    terms : tuple of Linear
        Linear costs from which ``combine`` makes the value.
    combine : callable
        Arrays of the terms -> array of values; may overwrite its arguments.
    exact : callable
        Fetches -> tuple of exact numbers, compared in order; the first is the value.
    """

    terms: tuple[Linear, ...]
    combine: Callable[[list[Floats]], Floats]
    exact: Callable[[Fetches], tuple[Any, ...]]


@dataclass(frozen=True)
class Room:
    """What must fit, in bits.

    Attributes
    ----------
    capacity : int
        Of a buffer shared by all tensors, or of all parts together.
    parts : (int, int, int) or None
        Capacities for weights, inputs and outputs of a split buffer.
    resident : int
        Side tables that stay in the buffer, counted with the weights.
    weight_bits : callable
        (filters, channels of a tile as int64 arrays) -> bits the weights of the tile take.
    input_bits, output_bits : int
        Bits of an input element and of an accumulator in the buffer.
    """

    capacity: int
    parts: tuple[int, int, int] | None
    resident: int
    weight_bits: Callable[[IntArray, IntArray], IntArray]
    input_bits: int
    output_bits: int


@dataclass(frozen=True)
class Choice:
    """The best mapping of a space.

    Attributes
    ----------
    tiling : Tiling or None
        None if nothing fits; ``smallest`` then says what would.
    moved : Fetches or None
    tilings, mappings : int
        Size of the space: tiles, and tiles times loop orders.
    smallest : (int, int, int)
        Bits that weights, inputs and outputs of the smallest tile take: no less will do.
    """

    tiling: Tiling | None
    moved: Fetches | None
    tilings: int
    mappings: int
    smallest: tuple[int, int, int]


def search(nest: LoopNest, rules: Rules, room: Room, goal: Goal) -> Choice:
    """Return the mapping with the least value of ``goal`` that fits ``room``.

    Among equal values: the lower further exact numbers of the goal, then the fewest tiles, then
    the smaller trip counts of N, M, C, P, Q in this order, then the class ``output`` before
    ``input`` before ``weight``.
    """
    space = _Space(nest, rules)
    footprint = _Footprint(space, room, 2 if rules.double_buffering == "yes" else 1)
    best = np.inf
    kept: list[tuple[float, IntArray]] = []
    inner = len(space.trips_m)
    for start in range(0, inner, BLOCK):
        inside = slice(start, min(start + BLOCK, inner))
        step = max(1, BLOCK // (inside.stop - inside.start))
        for first in range(0, len(space.passes), step):
            outside = slice(first, first + step)
            fits = footprint.fits(outside, inside)
            if not fits.any():
                continue
            misfits = ~fits
            for kind in range(3):
                value = goal.combine([space.cost(term, kind, outside, inside) for term in goal.terms])
                np.putmask(value, misfits, np.inf)
                lowest = float(value.min())
                if lowest > best * _NEAR:
                    continue
                best = min(best, lowest)
                rows, columns = np.nonzero(value <= lowest * _NEAR)
                kinds = np.full(len(rows), kind)
                kept.append((lowest, np.stack([rows + first, columns + start, kinds])))
    smallest = footprint.smallest()
    if not kept:
        return Choice(None, None, space.tilings, space.mappings, smallest)
    near = np.concatenate([found for lowest, found in kept if lowest <= best * _NEAR], axis=1)
    tiling, value = space.pick(near, goal)
    moved = fetches(nest, tiling, rules)
    if goal.exact(moved) > value:
        raise AssertionError(f"search and evaluator disagree on {tiling}: {goal.exact(moved)} > {value}")
    return Choice(tiling, moved, space.tilings, space.mappings, smallest)


class _Space:
    """All tiles of a layer: (N, P, Q) combinations by (M, C) combinations.

    Attributes
    ----------
    passes, pixels, window : float64 arrays over (N, P, Q)
        Trips of N, P, Q together; outputs and input positions of the largest tile.
    whole, shared : float64 arrays over (N, P, Q)
        Input elements read per pass when every tile is fetched whole, and when overlap is kept
        along the better axis.
    trips_m, trips_c, tile_m, tile_c : float64 arrays over (M, C)
    """

    def __init__(self, nest: LoopNest, rules: Rules) -> None:
        self.nest, self.rules = nest, rules
        even = rules.tiles == "divisors"
        rows, cols = axis_table(nest.rows, rules), axis_table(nest.cols, rules)
        batch = np.array(trip_counts(nest.batch, even), dtype=np.int64)
        n, p, q = np.indices((len(batch), len(rows.trips), len(cols.trips))).reshape(3, -1)
        self._outer = np.stack([batch[n], rows.trips[p], cols.trips[q]])
        self.passes = self._outer.prod(axis=0).astype(np.float64)
        tile_n = -(-nest.batch // batch)
        self.pixels = (tile_n[n] * rows.tiles[p] * cols.tiles[q]).astype(np.float64)
        self.window = (tile_n[n] * rows.inputs_max[p] * cols.inputs_max[q]).astype(np.float64)
        planes = nest.batch * nest.groups * nest.channels
        whole = rows.inputs_sum[p] * cols.inputs_sum[q]
        shared: NDArray[Any] = whole
        if rules.overlap == "one-axis":
            along_p = np.where(rows.trips[p] > 1, rows.inputs_union, rows.inputs_sum[p]) * cols.inputs_sum[q]
            along_q = np.where(cols.trips[q] > 1, cols.inputs_union, cols.inputs_sum[q]) * rows.inputs_sum[p]
            shared = np.minimum(along_p, along_q)
            self._along_q = along_q < along_p
        else:
            self._along_q = np.zeros(len(p), dtype=np.bool_)
        self.whole = (planes * whole).astype(np.float64)
        self.shared = (planes * shared).astype(np.float64)
        filters = np.array(trip_counts(nest.filters, even), dtype=np.int64)
        channels = np.array(trip_counts(nest.channels, even), dtype=np.int64)
        trips_m, trips_c = (a.reshape(-1) for a in np.meshgrid(filters, channels, indexing="ij"))
        self.trips_m, self.trips_c = trips_m.astype(np.float64), trips_c.astype(np.float64)
        self.tile_m, self.tile_c = -(-nest.filters // trips_m), -(-nest.channels // trips_c)
        self._sizes = [len(batch), len(filters), len(channels), len(rows.trips), len(cols.trips)]
        peak = float(self.whole.max()) * float(self.trips_m.max())
        if peak >= 2.0**53:
            raise OverflowError(f"a layer moves up to {peak:.3g} elements, more than float64 counts exactly")

    @property
    def tilings(self) -> int:
        return len(self.passes) * len(self.trips_m)

    @property
    def mappings(self) -> int:
        """Tiles times the orders of the loops that can have more than one trip."""
        return self.tilings * factorial(sum(size > 1 for size in self._sizes))

    def cost(self, term: Linear, kind: int, outside: slice, inside: slice) -> Floats:
        """A linear cost of one order class on a block, shape (outside, inside)."""
        filters = self.trips_m[inside]
        value: Floats
        if kind == 0:
            value = np.multiply.outer(term.per_input * self.whole[outside], filters)
            value += (term.constant + term.per_visit + term.per_pass * self.passes[outside])[:, None]
            return value
        visits = term.per_visit * self.trips_c[inside]
        if kind == 1:
            once = (
                term.constant + term.per_input * self.shared[outside] + term.per_pass * self.passes[outside]
            )
            value = np.add.outer(once, visits)
            return value
        value = np.multiply.outer(term.per_input * self.shared[outside], filters)
        value += visits + (term.constant + term.per_pass)
        return value

    def tiling(self, outer: int, inner: int, kind: int) -> Tiling:
        n, p, q = (int(t) for t in self._outer[:, outer])
        sweep = "QP" if self._along_q[outer] else "PQ"
        order = {0: f"C{sweep}NM", 1: f"M{sweep}NC", 2: f"{sweep}NCM"}[kind]
        return Tiling((n, int(self.trips_m[inner]), int(self.trips_c[inner]), p, q), order)

    def pick(self, near: IntArray, goal: Goal) -> tuple[Tiling, tuple[Any, ...]]:
        """The best of the candidates (3, n) in exact numbers, by the total tie-break, and its value."""
        outer, inner, kind = near
        moved = np.stack(
            [
                np.where(kind == 2, 1, self.passes[outer]),
                np.where(kind == 0, self.whole[outer], self.shared[outer])
                * np.where(kind == 1, 1, self.trips_m[inner]),
                np.where(kind == 0, 1, self.trips_c[inner]),
            ]
        ).astype(np.int64)
        distinct, member = np.unique(moved, axis=1, return_inverse=True)
        exact = [goal.exact(Fetches(*map(int, column))) for column in distinct.T]
        winner = min(exact)
        equal = np.isin(member.reshape(-1), [i for i, value in enumerate(exact) if value == winner])
        outer, inner, kind = near[:, equal]
        n, p, q = self._outer[:, outer]
        m, c = self.trips_m[inner].astype(np.int64), self.trips_c[inner].astype(np.int64)
        first = np.lexsort((kind, q, p, c, m, n, n * p * q * m * c))[0]
        return self.tiling(int(outer[first]), int(inner[first]), int(kind[first])), winner


class _Footprint:
    """What the tiles of each tensor take in the buffer."""

    def __init__(self, space: _Space, room: Room, copies: int) -> None:
        self.room, self.space = room, space
        self.weights = (
            copies * room.weight_bits(space.tile_m, space.tile_c).astype(np.float64) + room.resident
        )
        self.channels = (copies * room.input_bits * space.tile_c).astype(np.float64)
        self.filters = (copies * room.output_bits * space.tile_m).astype(np.float64)

    def fits(self, outside: slice, inside: slice) -> NDArray[np.bool_]:
        """Which tiles of a block fit."""
        inputs = np.multiply.outer(self.space.window[outside], self.channels[inside])
        outputs = np.multiply.outer(self.space.pixels[outside], self.filters[inside])
        if self.room.parts is not None:
            most_w, most_i, most_o = self.room.parts
            return (inputs <= most_i) & (outputs <= most_o) & (self.weights[inside] <= most_w)
        inputs += outputs
        inputs += self.weights[inside]
        return np.asarray(inputs <= self.room.capacity)

    def smallest(self) -> tuple[int, int, int]:
        """What the tile with the most trips takes: weights, inputs, outputs."""
        pixels, window = float(self.space.pixels.min()), float(self.space.window.min())
        inner = int(np.argmin(self.weights + window * self.channels + pixels * self.filters))
        return (
            int(self.weights[inner]),
            int(window * self.channels[inner]),
            int(pixels * self.filters[inner]),
        )
